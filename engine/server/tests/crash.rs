//! Kill -9 at random points under load: after each restart every acknowledged span is there, and none twice.
//!
//! `SPANLOOM_CRASH_ROUNDS=2000 cargo test -p spanloom-server --test crash --release` for more rounds,
//! `SPANLOOM_CRASH_SEED` for another course of them.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
#![allow(clippy::print_stdout, reason = "how much was tried is what one wants to know")]

mod house;

use std::collections::HashMap;
use std::time::Duration;

use house::House;
use house::load::{by_trace, check, load_while};
use spanloom_load::random::Random;
use spanloom_span::{SpanId, TraceId};

/// Small files, early sealing and eager joining, so that every kind of moment comes up often.
const CONFIG: &str = "
memory: {budget: 96MiB}
log: {segment_bytes: 1MiB}
trace: {idle: 50ms, max_age: 1s}
seal: {block_bytes: 400KiB, max_age: 200ms}
compaction: {every: 100ms, zstd_level: 1}
";

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

/// Everything that was acknowledged, in rounds that each end with a kill.
fn survive(dir: &std::path::Path, config: &str) -> HashMap<TraceId, Vec<SpanId>> {
    let (rounds, seed) = (number("SPANLOOM_CRASH_ROUNDS", 75), number("SPANLOOM_CRASH_SEED", 1));
    let mut random = Random::new(seed);
    let mut house = House::start(dir, config);
    let mut everything: HashMap<TraceId, Vec<SpanId>> = HashMap::new();
    let mut sent = 0;
    for round in 0..rounds {
        let pause = Duration::from_millis(5 + u64::from(random.below(250)));
        let acknowledged = load_while(house.otlp, seed * 1_000_000 + round * 10, |_| {
            std::thread::sleep(pause);
            house.kill();
        });
        house = House::start(dir, config);
        let traces = by_trace(&acknowledged);
        sent += acknowledged.len();
        check(&house, &traces, &format!("round {round}, seed {seed}"));
        for (trace, spans) in traces {
            everything.entry(trace).or_default().extend(spans);
        }
    }
    check(&house, &everything, "at the end");
    house.stop();
    let house = House::start(dir, config);
    check(&house, &everything, "after a drain");
    println!(
        "{rounds} kills, {} traces and {sent} spans acknowledged, none lost, none twice",
        everything.len()
    );
    house.stop();
    everything
}

#[test]
fn acknowledged_spans_survive_kill_9() {
    let dir = tempfile::tempdir().unwrap();
    survive(dir.path(), CONFIG);
}

#[test]
fn acknowledged_spans_survive_kill_9_on_their_way_to_a_store() {
    let (dir, other, store) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let folder = store.path().display();
    let config = format!("{CONFIG}\nstore: {{backend: folder, folder: {folder}, poll: 100ms, grace: 60s}}\n");
    let everything = survive(dir.path(), &config);
    // Nothing is left in the first one's folder that is not in the store.
    let house = House::start(other.path(), &config);
    check(&house, &everything, "by another node");
    house.stop();
}
