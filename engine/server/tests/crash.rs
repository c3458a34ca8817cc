//! Kill -9 at random points under load: after each restart every acknowledged span is there, and none twice.
//!
//! `SPANLOOM_CRASH_ROUNDS=2000 cargo test -p spanloom-server --test crash --release` for more rounds,
//! `SPANLOOM_CRASH_SEED` for another course of them.

mod house;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use house::{Client, House};
use spanloom_load::random::Random;
use spanloom_load::{Generator, GeneratorOptions, Profile};
use spanloom_span::{SpanId, TraceId};

/// Small files and early sealing, so that every kind of moment comes up often.
const CONFIG: &str = "
memory: {budget: 64MiB}
log: {segment_bytes: 1MiB}
trace: {idle: 50ms, max_age: 1s}
seal: {block_bytes: 400KiB, max_age: 200ms}
";

type Spans = Vec<(TraceId, SpanId)>;

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
        let acknowledged = load_until_killed(house, pause, seed * 1_000_000 + round * 10);
        house = House::start(dir.path(), CONFIG);
        let mut traces: HashMap<TraceId, Vec<SpanId>> = HashMap::new();
        for (trace, span) in &acknowledged {
            traces.entry(*trace).or_default().push(*span);
        }
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

/// Four senders until the server is killed; yields what was acknowledged.
fn load_until_killed(house: House, pause: Duration, seed: u64) -> Spans {
    let acknowledged: Arc<Mutex<Spans>> = Arc::default();
    let stop = Arc::new(AtomicBool::new(false));
    let port = house.otlp;
    let senders: Vec<_> = (0..4)
        .map(|sender| {
            let (acknowledged, stop) = (acknowledged.clone(), stop.clone());
            std::thread::spawn(move || send(port, seed + sender, &acknowledged, &stop))
        })
        .collect();
    std::thread::sleep(pause);
    house.kill();
    stop.store(true, Ordering::Relaxed);
    senders.into_iter().for_each(|sender| sender.join().unwrap());
    Arc::try_unwrap(acknowledged).unwrap().into_inner().unwrap()
}

fn send(port: u16, seed: u64, acknowledged: &Mutex<Spans>, stop: &AtomicBool) {
    let Ok(mut client) = Client::connect(port) else { return };
    let options = GeneratorOptions { spans_per_request: 60, ..GeneratorOptions::new(Profile::Default, seed) };
    let sampler = spanloom_load::sample::Sample::new(0).1;
    for request in Generator::with(options, sampler) {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let Ok(answer) = client.post("/v1/traces", "application/x-protobuf", &request.bytes) else { return };
        match answer.status {
            200 => {
                assert_eq!(answer.body, b"", "nothing may be refused");
                acknowledged.lock().unwrap().extend(&request.spans);
            }
            429 | 503 => std::thread::sleep(Duration::from_millis(20)),
            status => panic!("{status}: {}", String::from_utf8_lossy(&answer.body)),
        }
    }
}

fn check(house: &House, traces: &HashMap<TraceId, Vec<SpanId>>, when: &str) {
    let mut client = Client::connect(house.query).unwrap();
    for (trace, expected) in traces {
        let mut found = client.span_ids(*trace);
        let all = found.len();
        found.sort_unstable();
        found.dedup();
        assert_eq!(found.len(), all, "{when}: trace {trace} has a span twice\n{}", house.log());
        for span in expected {
            let there = found.binary_search(span).is_ok();
            assert!(
                there,
                "{when}: span {span} of trace {trace} was acknowledged and is lost\n{}",
                house.log()
            );
        }
    }
}
