//! Senders that remember what was acknowledged, and the check that all of it is there.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use spanloom_load::{Generator, GeneratorOptions, Profile};
use spanloom_span::{SpanId, TraceId};

use super::{Client, House};

pub type Spans = Vec<(TraceId, SpanId)>;

/// Four senders while `meanwhile` runs; it gets the number of spans acknowledged so far to look at. Yields what was
/// acknowledged. A sender that loses its connection is done.
pub fn load_while(port: u16, seed: u64, meanwhile: impl FnOnce(&dyn Fn() -> usize)) -> Spans {
    load_for(None, port, seed, meanwhile)
}

/// The same, for a tenant.
pub fn load_for(
    tenant: Option<&'static str>,
    port: u16,
    seed: u64,
    meanwhile: impl FnOnce(&dyn Fn() -> usize),
) -> Spans {
    load_to(("127.0.0.1", port), tenant, seed, meanwhile)
}

/// As [`load_while`], at no more than some 5,000 spans a second: for what takes longer the more there is.
pub fn load_gently(port: u16, seed: u64, meanwhile: impl FnOnce(&dyn Fn() -> usize)) -> Spans {
    load_at(("127.0.0.1", port), None, seed, Duration::from_millis(50), meanwhile)
}

/// The same, to a server at another address.
pub fn load_to(
    to: (&str, u16),
    tenant: Option<&'static str>,
    seed: u64,
    meanwhile: impl FnOnce(&dyn Fn() -> usize),
) -> Spans {
    load_at(to, tenant, seed, Duration::ZERO, meanwhile)
}

/// The same, with a pause after each request.
fn load_at(
    to: (&str, u16),
    tenant: Option<&'static str>,
    seed: u64,
    pause: Duration,
    meanwhile: impl FnOnce(&dyn Fn() -> usize),
) -> Spans {
    let acknowledged: Mutex<Spans> = Mutex::default();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for sender in 0..4 {
            let (acknowledged, stop) = (&acknowledged, &stop);
            scope.spawn(move || send(to, tenant, (seed + sender, pause), acknowledged, stop));
        }
        meanwhile(&|| acknowledged.lock().unwrap().len());
        stop.store(true, Ordering::Relaxed);
    });
    acknowledged.into_inner().unwrap()
}

fn send(
    (host, port): (&str, u16),
    tenant: Option<&'static str>,
    (seed, pause): (u64, Duration),
    acknowledged: &Mutex<Spans>,
    stop: &AtomicBool,
) {
    let Ok(client) = Client::connect_to(host, port) else { return };
    let mut client = client.of(tenant);
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
                std::thread::sleep(pause);
            }
            429 | 503 => std::thread::sleep(Duration::from_millis(20)),
            status => panic!("{status}: {}", String::from_utf8_lossy(&answer.body)),
        }
    }
}

/// Spans by their trace.
pub fn by_trace(spans: &Spans) -> HashMap<TraceId, Vec<SpanId>> {
    let mut traces: HashMap<TraceId, Vec<SpanId>> = HashMap::new();
    for (trace, span) in spans {
        traces.entry(*trace).or_default().push(*span);
    }
    traces
}

/// So many traces at most, spread over all that there are, each with all of its spans.
pub fn some_traces(spans: &Spans, most: usize) -> HashMap<TraceId, Vec<SpanId>> {
    let mut traces: Vec<_> = by_trace(spans).into_iter().collect();
    traces.sort_unstable_by_key(|(trace, _)| *trace);
    let step = traces.len().div_ceil(most).max(1);
    traces.into_iter().step_by(step).collect()
}

/// Every span is there, and none twice.
pub fn check(house: &House, traces: &HashMap<TraceId, Vec<SpanId>>, when: &str) {
    let mut client = house.client();
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
