//! Kill -9 at random points under load: after each restart every acknowledged span is there, and none twice.
//!
//! `SPANLOOM_CRASH_ROUNDS=2000 cargo test -p spanloom-server --test crash --release` for more rounds,
//! `SPANLOOM_CRASH_SEED` for another course of them.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod house;

use std::collections::HashMap;
use std::time::Duration;

use house::House;
use house::load::{by_trace, check, load_while};
use spanloom_load::random::Random;
use spanloom_span::{SpanId, TraceId};

/// Small files and early sealing, so that every kind of moment comes up often.
const CONFIG: &str = "
memory: {budget: 96MiB}
log: {segment_bytes: 1MiB}
trace: {idle: 50ms, max_age: 1s}
seal: {block_bytes: 400KiB, max_age: 200ms}
";

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

#[test]
fn acknowledged_spans_survive_kill_9() {
    let (rounds, seed) = (number("SPANLOOM_CRASH_ROUNDS", 200), number("SPANLOOM_CRASH_SEED", 1));
    let dir = tempfile::tempdir().unwrap();
    let mut random = Random::new(seed);
    let mut house = House::start(dir.path(), CONFIG);
    let mut everything: HashMap<TraceId, Vec<SpanId>> = HashMap::new();
    let mut sent = 0;
    for round in 0..rounds {
        let pause = Duration::from_millis(5 + u64::from(random.below(250)));
        let acknowledged = load_while(house.otlp, seed * 1_000_000 + round * 10, |_| {
            std::thread::sleep(pause);
            house.kill();
        });
        house = House::start(dir.path(), CONFIG);
        let traces = by_trace(&acknowledged);
        sent += acknowledged.len();
        check(&house, &traces, &format!("round {round}, seed {seed}"));
        for (trace, spans) in traces {
            everything.entry(trace).or_default().extend(spans);
        }
    }
    check(&house, &everything, "at the end");
    house.stop();
    let house = House::start(dir.path(), CONFIG);
    check(&house, &everything, "after a drain");
    println!(
        "{rounds} kills, {} traces and {sent} spans acknowledged, none lost, none twice",
        everything.len()
    );
    house.stop();
}
