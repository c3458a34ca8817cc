//! What a listed block takes in memory, and what reading from many blocks takes: lists one block under many names.
//! `cargo run --release -p spanloom-bucket --example listed -- BLOCKS TRACES_A_BLOCK`, with the settings of the
//! allocator that `spanloom serve` has: `MIMALLOC_PURGE_DELAY=1 MIMALLOC_ARENA_EAGER_COMMIT=0`.
//!
//! All names are of one file, so its pages are in the page cache, and lines of its filter are in the processor's:
//! with as many files both would be slower.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[path = "../../block/examples/shop/mod.rs"]
mod shop;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use spanloom_block::{BlockBuilder, BuilderOptions};
use spanloom_bucket::{Bucket, FOLDER, Listed};
use spanloom_span::slice::{SliceLimits, slice};
use spanloom_span::{Tenant, TraceId, TracePart, encode};
use spanloom_wal::disk::RealDisk;

/// The allocator of the product.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Writes a block of so many traces.
fn build(path: &str, traces: u64) {
    let mut parts: BTreeMap<TraceId, Vec<TracePart>> = BTreeMap::new();
    for (at, request) in (1..).zip(shop::requests(traces)) {
        let batch = Arc::new(slice(encode::traces_data(&request).into(), &SliceLimits::default()).unwrap());
        for (group, found) in (0..).zip(batch.groups()) {
            parts.entry(found.id).or_default().push(TracePart { batch: batch.clone(), group, seq: at });
        }
    }
    let mut builder = BlockBuilder::new(&Tenant::default(), BuilderOptions::default()).unwrap();
    for (id, parts) in &parts {
        builder.push_trace(*id, parts[parts.len() - 1].seq, parts).unwrap();
    }
    std::fs::write(path, builder.finish().unwrap().bytes).unwrap();
}

/// A line of this process's status, in KiB.
fn status_kib(name: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.trim_matches([':', ' ', '\t', 'k', 'B']).parse().ok()).unwrap_or(f64::NAN)
}

/// Memory before anything was listed.
struct Memory {
    anon: f64,
    file: f64,
    tables: f64,
}

impl Memory {
    fn now() -> Self {
        Self { anon: status_kib("RssAnon"), file: status_kib("RssFile"), tables: status_kib("VmPTE") }
    }

    /// What has come since, for each of the blocks.
    fn print(&self, what: &str, blocks: usize) {
        let now = Self::now();
        let each = |before: f64, now: f64| (now - before) / blocks as f64;
        println!(
            "{what:<46} heap {:>7.2} KiB a block, mapped pages {:>8.2}, page tables {:>6.2}",
            each(self.anon, now.anon),
            each(self.file, now.file),
            each(self.tables, now.tables)
        );
    }
}

/// Asks every block for ids that none of them has.
fn absent(what: &str, blocks: &[Listed], memory: &Memory, seed: u64) {
    let mut random = shop::Random(seed);
    let rounds = 16;
    let begun = Instant::now();
    for _ in 0..rounds {
        let id = TraceId((u128::from(random.next()) << 64 | u128::from(random.next())).to_be_bytes());
        assert_eq!(blocks.iter().filter(|l| l.block.may_contain(&id)).count() % blocks.len(), 0);
    }
    let ns = begun.elapsed().as_nanos() as f64 / (rounds * blocks.len()) as f64;
    memory.print(&format!("absent ids, {what}: {ns:.0} ns a block"), blocks.len());
}

/// Reads a trace from every block.
fn read(what: &str, blocks: &[Listed], ids: &[TraceId], memory: &Memory) {
    let begun = Instant::now();
    for (at, listed) in blocks.iter().enumerate() {
        assert!(listed.block.trace(&ids[at * 7919 % ids.len()]).unwrap().is_some());
    }
    let us = begun.elapsed().as_micros() as f64 / blocks.len() as f64;
    memory.print(&format!("a trace of each, {what}: {us:.0} us a trace"), blocks.len());
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |place: usize, or: u64| arguments.get(place).and_then(|a| a.parse().ok()).unwrap_or(or);
    if let Some([what, path, traces]) = arguments.get(..3)
        && what == "build"
    {
        return build(path, traces.parse().unwrap());
    }
    let (count, traces) = (number(0, 200), number(1, 300));
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join(FOLDER).join(Tenant::default().as_str());
    std::fs::create_dir_all(&folder).unwrap();
    list_one_many_times(&folder, count, traces);

    let memory = Memory::now();
    let begun = Instant::now();
    let disk = Arc::new(RealDisk::new(root.path()).unwrap());
    let (bucket, report) = Bucket::open(disk, Some(root.path().into())).unwrap();
    let us = begun.elapsed().as_micros() as f64 / count as f64;
    assert_eq!(report.blocks, count);
    let blocks = bucket.blocks(&Tenant::default());
    memory.print(&format!("opened: {us:.0} us a block"), blocks.len());

    let begun = Instant::now();
    drop(Vec::clone(&blocks));
    println!("a copy of the listing: {} us", begun.elapsed().as_micros());
    absent("first time", &blocks, &memory, 1);
    absent("again", &blocks, &memory, 2);
    let ids: Vec<TraceId> = blocks[0].block.trace_ids().unwrap().collect();
    read("first time", &blocks, &ids, &memory);
    read("again", &blocks, &ids, &memory);
    let begun = Instant::now();
    let rounds = 2000;
    for at in 0..rounds {
        assert!(blocks[0].block.trace(&ids[at * 7919 % ids.len()]).unwrap().is_some());
    }
    println!("a trace of the same block: {} us", begun.elapsed().as_micros() / rounds as u128);
    println!("{:?}", bucket.resident());
}

/// Puts one block into the folder under many names. Another process builds it, so that what this takes does not
/// blur what is measured.
fn list_one_many_times(folder: &Path, count: u64, traces: u64) {
    let first = folder.join("0000000000000000-0000.block");
    let program = std::env::current_exe().unwrap();
    let built = std::process::Command::new(program).arg("build").arg(&first).arg(traces.to_string()).status();
    assert!(built.unwrap().success());
    println!("{count} blocks of {traces} traces, {} bytes", std::fs::metadata(&first).unwrap().len());
    for number in 1..count {
        let name = format!("{number:016x}-0000.block");
        if std::fs::hard_link(&first, folder.join(&name)).is_err() {
            // A file may have only so many names.
            std::fs::copy(&first, folder.join(&name)).unwrap();
        }
    }
}
