//! Builds a block of a load like that of a shop and prints what it costs: `cargo run --release --example measure`.
//! Without optimisation it does less of everything, and its figures say nothing.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod cost;
mod shop;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use spanloom_block::{Block, BlockBuilder, BuilderOptions, ResidentLimits, ResidentSet};
use spanloom_span::slice::{SliceLimits, slice};
use spanloom_span::{Tenant, TraceId, TracePart, encode};

use cost::{cpu_ns, status_mib};
use shop::Random;

/// The allocator of the product.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Whether figures say something.
const OPTIMISED: bool = !cfg!(debug_assertions);

/// Traces read in a round.
const READS: usize = if OPTIMISED { 5000 } else { 100 };

/// The requests, made by another process, so that what making them takes does not blur what is measured.
fn requests_from_child(traces: u64) -> Vec<Vec<u8>> {
    let program = std::env::current_exe().unwrap();
    let child = std::process::Command::new(program).args(["requests", &traces.to_string()]).output().unwrap();
    let mut rest = &child.stdout[..];
    let mut out = Vec::new();
    while let Some((len, tail)) = rest.split_first_chunk::<8>() {
        let (request, tail) = tail.split_at(u64::from_le_bytes(*len) as usize);
        out.push(request.to_vec());
        rest = tail;
    }
    out
}

fn main() {
    if std::env::args().nth(1).as_deref() == Some("requests") {
        let traces = std::env::args().nth(2).and_then(|a| a.parse().ok()).unwrap_or(0);
        for request in shop::requests(traces) {
            let bytes = encode::traces_data(&request);
            std::io::stdout().write_all(&(bytes.len() as u64).to_le_bytes()).unwrap();
            std::io::stdout().write_all(&bytes).unwrap();
        }
        return;
    }
    let argument = |place: usize| std::env::args().nth(place).and_then(|a| a.parse::<u64>().ok());
    let traces = argument(1).unwrap_or(if OPTIMISED { 13_333 } else { 500 });
    let mut parts: BTreeMap<TraceId, Vec<TracePart>> = BTreeMap::new();
    for (at, request) in requests_from_child(traces).into_iter().enumerate() {
        let batch = slice(request.into(), &SliceLimits::default()).unwrap();
        let batch = Arc::new(batch);
        for (group, found) in batch.groups().iter().enumerate() {
            let part = TracePart { batch: batch.clone(), group: group as u32, seq: at as u64 + 1 };
            parts.entry(found.id).or_default().push(part);
        }
    }
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    let resident = status_mib("VmRSS");
    let mut finished = None;
    let mut best = (f64::MAX, f64::MAX);
    for _ in 0..argument(2).unwrap_or(if OPTIMISED { 7 } else { 1 }) {
        let from = cpu_ns();
        drop(finished.take());
        let mut builder = BlockBuilder::new(&Tenant::default(), BuilderOptions::default()).unwrap();
        for (id, parts) in &parts {
            builder.push_trace(*id, parts[parts.len() - 1].seq, parts).unwrap();
        }
        let pushed = cpu_ns() - from;
        let block = builder.finish().unwrap();
        let spans = block.meta.spans as f64;
        let (push, all) = (pushed / spans, (cpu_ns() - from) / spans);
        if all < best.1 {
            best = (push, all);
        }
        finished = Some(block);
    }
    let finished = finished.unwrap();
    println!("memory: {:.0} MiB at its peak beside the requests", status_mib("VmHWM") - resident);
    println!("build: {:.0} ns a span, {:.0} before the last row group", best.1, best.0);
    let path = std::env::temp_dir().join(format!("spanloom-measure-{}.block", std::process::id()));
    std::fs::write(&path, &finished.bytes).unwrap();
    let from = Instant::now();
    let block = Block::open(&path).unwrap();
    println!("open: {:.1} us", from.elapsed().as_nanos() as f64 / 1000.0);
    cold(&path, &finished.bytes);
    std::fs::remove_file(&path).unwrap();
    let from = cpu_ns();
    let report = block.verify().unwrap();
    println!("verify: {:.0} ms, {report:?}", (cpu_ns() - from) / 1e6);
    read(&block, argument(3).unwrap_or(3));
    println!("{}", block.inspect().unwrap());
}

/// Reads from two blocks in turn, of which one alone may be resident: so each time the directory is parsed again.
fn cold(path: &Path, bytes: &[u8]) {
    let set = Arc::new(ResidentSet::new(ResidentLimits { directory_bytes: 0, mapped_bytes: 0 }));
    let copies = [(); 2].map(|()| Block::from_bytes_in(bytes.to_vec(), &set).unwrap());
    let files = [(); 2].map(|()| Block::open_in(path, &set).unwrap());
    let ids: Vec<TraceId> = copies[0].trace_ids().unwrap().collect();
    let time = |what: &str, work: &dyn Fn(usize)| {
        let rounds = READS / 5;
        let from = Instant::now();
        (0..rounds).for_each(work);
        println!("{what}: {:.1} us", from.elapsed().as_nanos() as f64 / 1000.0 / rounds as f64);
    };
    time("parse the directory", &|at| drop(copies[at % 2].reader().unwrap()));
    time("the same, from pages that were given back", &|at| drop(files[at % 2].reader().unwrap()));
    let id = |at: usize| &ids[at * 7919 % ids.len()];
    time("read a trace of a block that is not resident", &|at| drop(files[at % 2].trace(id(at)).unwrap()));
    println!("{:?}", set.usage());
}

fn read(block: &Block, rounds: u64) {
    let ids: Vec<TraceId> = block.trace_ids().unwrap().collect();
    let mut random = Random(1);
    for round in 0..rounds {
        let (mut times, mut spans, start) = (Vec::new(), 0, cpu_ns());
        for _ in 0..READS {
            let id = ids[random.below(ids.len() as u64) as usize];
            let from = Instant::now();
            let trace = block.trace(&id).unwrap().unwrap();
            times.push(from.elapsed().as_nanos() as f64 / 1000.0);
            spans += trace.span_count();
        }
        let mean = (cpu_ns() - start) / times.len() as f64 / 1000.0;
        times.sort_by(f64::total_cmp);
        println!(
            "read {round}: mean {mean:.1} us, p50 {:.1} us, p99 {:.1} us, {:.1} spans a trace",
            times[times.len() / 2],
            times[times.len() * 99 / 100],
            spans as f64 / times.len() as f64
        );
    }
    let from = Instant::now();
    let found = (0..100_000u64).filter(|i| block.trace(&TraceId([*i as u8; 16])).unwrap().is_some()).count();
    println!("absent: {:.0} ns, {found} found", from.elapsed().as_nanos() as f64 / 100_000.0);
}
