//! Senders at far more than the server takes: memory stays within the budget, refusals carry a hint, whatever was
//! acknowledged is there; and senders that stall hold up nobody.
//!
//! `SPANLOOM_OVERLOAD_SECONDS=60 cargo test -p spanloom-server --test overload --release -- --nocapture`

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod house;

use std::collections::HashMap;
use std::io::Write;
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use house::{Client, House};
use spanloom_load::{Generator, Profile};
use spanloom_span::model::{ResourceSpans, ScopeSpans, Span, Trace};
use spanloom_span::{SpanId, TraceId, encode};

/// Little memory and little patience, so that refusals come early; blocks are joined meanwhile.
const CONFIG: &str = "memory: {budget: 160MiB, admission_wait: 5ms}
compaction: {every: 100ms, max_inputs: 3, nice: 0, zstd_level: 3}";
const BUDGET: u64 = 160 << 20;

#[derive(Default)]
struct Seen {
    acknowledged: Mutex<Vec<(TraceId, SpanId)>>,
    refused: AtomicU64,
    without_hint: AtomicU64,
}

#[test]
fn overload_is_refused_with_a_hint_and_loses_nothing() {
    let seconds = std::env::var("SPANLOOM_OVERLOAD_SECONDS").ok().and_then(|v| v.parse().ok()).unwrap_or(8);
    let dir = tempfile::tempdir().unwrap();
    let house = House::start(dir.path(), CONFIG);
    let (port, budget) = (house.otlp, BUDGET);
    let seen = Seen::default();
    let stalled: Vec<TcpStream> = (0..100).map(|_| stalled_sender(port)).collect();
    let until = Instant::now() + Duration::from_secs(seconds);
    std::thread::scope(|scope| {
        for seed in 0..24 {
            let seen = &seen;
            scope.spawn(move || send(port, seed, until, seen));
        }
        // Someone who asks for a large answer and takes none of it.
        scope.spawn(move || slow_reader(house.query, until));
    });
    drop(stalled);
    let peak = house.peak_memory();
    let acknowledged = seen.acknowledged.into_inner().unwrap();
    let metrics = house.client().get("/metrics", "text/plain").unwrap();
    let metrics = String::from_utf8_lossy(&metrics.body).into_owned();
    let joins = metrics.lines().find_map(|line| line.strip_prefix("spanloom_compactions_total ")).unwrap();
    println!(
        "{joins} joins, {seconds} s: {} spans acknowledged, {} requests refused, peak memory {} MiB of {} MiB",
        acknowledged.len(),
        seen.refused.load(Ordering::Relaxed),
        peak >> 20,
        budget >> 20
    );
    assert!(peak <= budget, "the peak of {} MiB is over the budget\n{}", peak >> 20, house.log());
    assert!(!acknowledged.is_empty(), "{}", house.log());
    assert_eq!(seen.without_hint.load(Ordering::Relaxed), 0, "every refusal says when to try again");
    check(&house, &acknowledged);
    house.stop();
    let house = House::start(dir.path(), "");
    check(&house, &acknowledged);
    house.stop();
}

/// Announces a megabyte, sends ten bytes, and then nothing.
fn stalled_sender(port: u16) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let head = "POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\nContent-Length: 1000000\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&[0; 10]).unwrap();
    stream
}

fn slow_reader(port: u16, until: Instant) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    for _ in 0..50 {
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    }
    while Instant::now() < until {
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn send(port: u16, seed: u64, until: Instant, seen: &Seen) {
    let mut client = Client::connect(port).unwrap();
    for request in Generator::new(Profile::Default, seed) {
        loop {
            if Instant::now() >= until {
                return;
            }
            let answer = client.post("/v1/traces", "application/x-protobuf", &request.bytes).unwrap();
            match answer.status {
                200 => {
                    seen.acknowledged.lock().unwrap().extend(&request.spans);
                    break;
                }
                429 | 503 => {
                    seen.refused.fetch_add(1, Ordering::Relaxed);
                    if answer.header("retry-after").is_none_or(|hint| hint.parse::<u64>().is_err()) {
                        seen.without_hint.fetch_add(1, Ordering::Relaxed);
                    }
                }
                status => panic!("{status}: {}", String::from_utf8_lossy(&answer.body)),
            }
        }
    }
}

/// Reads back a spread of the acknowledged traces, each whole.
fn check(house: &House, acknowledged: &[(TraceId, SpanId)]) {
    let mut traces: HashMap<TraceId, Vec<SpanId>> = HashMap::new();
    for (trace, span) in acknowledged {
        traces.entry(*trace).or_default().push(*span);
    }
    let mut client = Client::connect(house.query).unwrap();
    let mut ids: Vec<_> = traces.keys().copied().collect();
    ids.sort_unstable();
    let step = (ids.len() / 5_000).max(1);
    for id in ids.into_iter().step_by(step) {
        let found = client.span_ids(id);
        let lost: Vec<_> = traces[&id].iter().filter(|span| !found.contains(span)).collect();
        assert!(lost.is_empty(), "trace {id} has lost {lost:?}\n{}", house.log());
    }
}

/// Traces of one small span each: what a live trace costs beside its spans is in the budget too.
#[test]
fn tiny_traces_keep_to_the_budget() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::start(dir.path(), CONFIG);
    let acknowledged = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for sender in 0..4u8 {
            let (acknowledged, port) = (&acknowledged, house.otlp);
            scope.spawn(move || {
                let mut client = Client::connect(port).unwrap();
                for request in 0..150u32 {
                    let bytes = tiny_traces(sender, request);
                    let answer = client.post("/v1/traces", "application/x-protobuf", &bytes).unwrap();
                    assert!(matches!(answer.status, 200 | 429 | 503), "{}", answer.status);
                    acknowledged.fetch_add(u64::from(answer.status == 200), Ordering::Relaxed);
                }
            });
        }
    });
    let peak = house.peak_memory();
    println!(
        "{} requests of 1,000 traces, peak memory {} MiB",
        acknowledged.load(Ordering::Relaxed),
        peak >> 20
    );
    assert!(peak <= BUDGET, "the peak of {} MiB is over the budget\n{}", peak >> 20, house.log());
    assert!(acknowledged.load(Ordering::Relaxed) > 0);
    house.stop();
}

fn tiny_traces(sender: u8, request: u32) -> Vec<u8> {
    let span = |trace: u32| {
        let mut id = [sender + 1; 16];
        id[..4].copy_from_slice(&request.wrapping_mul(0x9e37_79b9).to_le_bytes());
        id[4..8].copy_from_slice(&trace.to_le_bytes());
        Span { trace_id: TraceId(id), span_id: SpanId([1; 8]), name: "x".into(), ..Span::default() }
    };
    let scope_spans = vec![ScopeSpans { spans: (0..1000).map(span).collect(), ..ScopeSpans::default() }];
    let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
    encode::traces_data(&Trace { resource_spans })
}
