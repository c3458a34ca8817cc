//! Merges blocks of a load like that of a shop and prints what it costs: `cargo run --release --example merge`.
//!
//! Arguments: how many blocks, traces of each, and how often to merge; or `--requests FILE` in front of them for
//! requests that were written one after the other, each after its length in eight bytes. With `INSPECT` set it says
//! what the last output holds, with `AGAIN` set it merges the outputs once more.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod cost;
mod shop;

use std::collections::BTreeMap;
use std::io::Read;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use spanloom_block::{Block, BlockBuilder, BlockId, BuilderOptions, KeepAll, MergeOptions, merge};
use spanloom_span::slice::{SliceLimits, slice};
use spanloom_span::{Tenant, TraceId, TracePart, encode};

use cost::{cpu_ns, status_mib};

/// The allocator of the product.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Whether figures say something.
const OPTIMISED: bool = !cfg!(debug_assertions);

/// Requests of the shop, some hundred traces at a time, or those of a file.
fn requests(file: Option<&Path>, traces: u64) -> Box<dyn Iterator<Item = Vec<u8>>> {
    let Some(file) = file else {
        let rounds = (0..).map(move |at| encode_all(at, traces.min(100)));
        return Box::new(rounds.flatten());
    };
    let mut file = std::io::BufReader::new(std::fs::File::open(file).unwrap());
    Box::new(std::iter::from_fn(move || {
        let mut len = [0; 8];
        file.read_exact(&mut len).ok()?;
        let mut request = vec![0; u64::from_le_bytes(len) as usize];
        file.read_exact(&mut request).ok()?;
        Some(request)
    }))
}

fn encode_all(seed: u64, traces: u64) -> Vec<Vec<u8>> {
    shop::requests_from(7 + seed, traces).iter().map(encode::traces_data).collect()
}

/// Writes so many blocks with about so many spans each; a trace whose requests fall into two blocks is in both.
fn write_inputs(dir: &Path, file: Option<&Path>, blocks: u64, spans: u64) {
    let mut requests = requests(file, spans / 15);
    for at in 0..blocks {
        let mut parts: BTreeMap<TraceId, Vec<TracePart>> = BTreeMap::new();
        let mut count = 0;
        while count < spans {
            let Some(request) = requests.next() else { break };
            let batch = Arc::new(slice(request.into(), &SliceLimits::default()).unwrap());
            count += batch.spans().len() as u64;
            for (group, found) in batch.groups().iter().enumerate() {
                let part = TracePart { batch: batch.clone(), group: group as u32, seq: at + 1 };
                parts.entry(found.id).or_default().push(part);
            }
        }
        let options = BuilderOptions { created: at + 1, ..BuilderOptions::default() };
        let mut builder = BlockBuilder::new(&Tenant::default(), options).unwrap();
        for (id, parts) in &parts {
            builder.push_trace(*id, at + 1, parts).unwrap();
        }
        if !parts.is_empty() {
            std::fs::write(dir.join(format!("{at:06}.block")), builder.finish().unwrap().bytes).unwrap();
        }
    }
}

fn open_inputs(dir: &Path) -> Vec<(BlockId, Block)> {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let open =
        |(path, at): (&PathBuf, u64)| (BlockId { created: at, number: at }, Block::open(path).unwrap());
    paths.iter().zip(1..).map(open).collect()
}

fn report(dir: &Path, rounds: u64) {
    let is_again = std::env::var_os("AGAIN").is_some();
    let options = MergeOptions::default();
    let before = status_mib("VmRSS");
    let inputs = open_inputs(dir);
    let (spans, bytes) = inputs
        .iter()
        .fold((0, 0), |sum, (_, block)| (sum.0 + block.meta().spans, sum.1 + block.meta().file_bytes));
    println!(
        "inputs: {} blocks, {spans} spans, {:.2} bytes a span",
        inputs.len(),
        bytes as f64 / spans as f64
    );
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    for _ in 0..rounds {
        let out = dir.with_extension("out");
        std::fs::create_dir_all(&out).unwrap();
        let mut files = Vec::new();
        let (mut anon, mut mapped) = (0f64, 0f64);
        let from = cpu_ns();
        let mut watch = |_| {
            anon = anon.max(status_mib("RssAnon"));
            mapped = mapped.max(status_mib("RssFile"));
            ControlFlow::Continue(())
        };
        let mut next = |id: BlockId| {
            files.push(out.join(format!("{id}.block")));
            std::fs::File::create(&files[files.len() - 1])
        };
        let done = merge(&inputs, &options, &mut KeepAll, &mut watch, &mut next).unwrap();
        let ns = (cpu_ns() - from) / spans as f64;
        let written: u64 = done.outputs.iter().map(|merged| merged.meta.file_bytes).sum();
        println!(
            "merge: {ns:.0} ns a span, {:.0} spans a second, {} outputs, {:.2} bytes a span, {:?}",
            1e9 / ns,
            done.outputs.len(),
            written as f64 / done.stats.spans as f64,
            done.stats
        );
        println!(
            "memory: {:.0} MiB at its peak, {before:.0} before; heap at most {anon:.0}, mapped pages {mapped:.0}",
            status_mib("VmHWM")
        );
        drop(done);
        if std::env::var_os("INSPECT").is_some() {
            let last = Block::open(&files[files.len() - 1]).unwrap();
            println!("{:?}\n{}", last.verify().unwrap(), last.inspect().unwrap());
        }
        if is_again && files.len() > 1 && inputs.len() > files.len() {
            // What came out is what goes in next: fewer and larger ones.
            drop(inputs);
            std::fs::remove_dir_all(dir).unwrap();
            std::fs::rename(&out, dir).unwrap();
            return report(dir, rounds);
        }
        std::fs::remove_dir_all(&out).unwrap();
    }
}

fn main() {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    // Making the inputs and merging them are two processes, so that the one does not blur the other's memory.
    if arguments.first().is_some_and(|first| first == "--merge") {
        return report(Path::new(&arguments[1]), arguments[2].parse().unwrap());
    }
    let mut file = None;
    if arguments.first().is_some_and(|first| first == "--requests") {
        file = Some(PathBuf::from(arguments.remove(1)));
        arguments.remove(0);
    }
    let argument =
        |place: usize, usual: u64| arguments.get(place).and_then(|a| a.parse().ok()).unwrap_or(usual);
    let (blocks, spans) = if OPTIMISED { (24, 50_000) } else { (3, 1000) };
    let dir = std::env::temp_dir().join(format!("spanloom-merge-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    write_inputs(&dir, file.as_deref(), argument(0, blocks), argument(1, spans));
    let rounds = argument(2, if OPTIMISED { 3 } else { 1 }).to_string();
    let program = std::env::current_exe().unwrap();
    let merged =
        std::process::Command::new(program).args(["--merge", dir.to_str().unwrap(), &rounds]).status();
    std::fs::remove_dir_all(&dir).unwrap();
    assert!(merged.unwrap().success());
}
