//! Builds a block of a load like that of a shop and prints what it costs: `cargo run --release --example measure`.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;
use std::time::Instant;

use spanloom_block::{Block, BlockBuilder, BuilderOptions};
use spanloom_span::model::*;
use spanloom_span::slice::{SliceLimits, slice};
use spanloom_span::{SpanId, Tenant, TraceId, TracePart, encode};

/// The allocator of the product.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Nanoseconds that this thread has spent on a CPU: what a busy machine does besides is left out.
fn cpu_ns() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|ns| ns.parse().ok()).unwrap_or(f64::NAN)
}

/// A line of this process's status, in MiB.
fn status_mib(name: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.and_then(|rest| rest.trim_matches([':', ' ', '\t', 'k', 'B']).parse::<f64>().ok());
    kib.unwrap_or(f64::NAN) / 1024.0
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}

fn text(key: &str, value: impl Into<String>) -> KeyValue {
    KeyValue { key: key.into(), value: AnyValue::Str(value.into()) }
}

fn int(key: &str, value: i64) -> KeyValue {
    KeyValue { key: key.into(), value: AnyValue::Int(value) }
}

fn resource(service: u64) -> Resource {
    let attributes = vec![
        text("service.name", format!("service-{service}")),
        text("service.version", format!("1.{service}.0")),
        text("k8s.pod.name", format!("service-{service}-6b7d8f9c5-{:05x}", service * 7919)),
        text("host.name", format!("node-{}", service % 5)),
        text("telemetry.sdk.language", "go"),
    ];
    Resource { attributes, ..Resource::default() }
}

const METHODS: [&str; 4] = ["GET", "GET", "GET", "POST"];
const REGIONS: [&str; 5] = ["eu-west-1", "eu-central-1", "us-east-1", "us-west-2", "ap-south-1"];

fn attributes(random: &mut Random, service: u64, route: u64, kind: i32) -> Vec<KeyValue> {
    let mut out = vec![
        text("http.request.method", METHODS[random.below(4) as usize]),
        text("http.route", format!("/api/v1/{route}/items/{{id}}")),
        int("http.response.status_code", [200, 200, 200, 200, 200, 201, 404, 500][random.below(8) as usize]),
        text("url.path", format!("/api/v1/{route}/items/{}", random.below(1_000_000_000))),
        text("server.address", format!("service-{service}.shop.svc")),
        int("server.port", 8080),
        text("network.protocol.version", "1.1"),
        text("user_agent.original", "Go-http-client/1.1"),
        text("cloud.region", REGIONS[random.below(5) as usize]),
        text("deployment.environment", "production"),
        int("thread.id", random.below(64) as i64),
        int("http.response.body.size", random.below(20_000) as i64),
        KeyValue { key: "feature.new_cart".into(), value: AnyValue::Bool(random.below(2) == 1) },
    ];
    if kind == 3 {
        out.push(text("db.system", "postgresql"));
        out.push(text("db.query.text", format!("SELECT * FROM items_{route} WHERE id = $1")));
    } else {
        let (a, b) = (random.next(), random.next());
        let id = format!(
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            a >> 32,
            a as u16,
            (a >> 16) as u16,
            b as u16,
            b >> 16
        );
        out.push(text("request.id", id));
    }
    out
}

fn trace(random: &mut Random, at: u64) -> Vec<(u64, Span)> {
    let (id_high, id_low) = (random.next(), random.next());
    let trace_id = TraceId((u128::from(id_high) << 64 | u128::from(id_low)).to_be_bytes());
    let count = 5 + random.below(21);
    let mut spans: Vec<(u64, Span)> = Vec::new();
    for row in 0..count {
        let service = if row == 0 { 0 } else { random.below(20) };
        let route = service * 3 + random.below(3);
        let kind = if row == 0 { 2 } else { 1 + random.below(3) as i32 };
        let (start, room, parent) = match row {
            0 => (1_700_000_000_000_000_000 + at * 50_000_000, 400_000_000, Vec::new()),
            _ => {
                let (_, parent) = &spans[random.below(row) as usize];
                let room = (parent.end_time_unix_nano - parent.start_time_unix_nano).max(1000);
                let start = parent.start_time_unix_nano + random.below(room / 2);
                (start, room / 2, parent.span_id.0.to_vec())
            }
        };
        let span = Span {
            trace_id,
            span_id: SpanId((random.next() | 1).to_be_bytes()),
            parent_span_id: parent,
            name: format!("GET /api/v1/{route}"),
            kind,
            flags: 0x101,
            start_time_unix_nano: start,
            end_time_unix_nano: start + 1000 + random.below(room),
            attributes: attributes(random, service, route, kind),
            ..Span::default()
        };
        spans.push((service, span));
    }
    spans
}

fn requests(traces: u64) -> Vec<Trace> {
    let mut random = Random(7);
    let mut requests = Vec::new();
    let mut by_service: BTreeMap<u64, Vec<Span>> = BTreeMap::new();
    for at in 0..traces {
        for (service, span) in trace(&mut random, at) {
            by_service.entry(service).or_default().push(span);
        }
        if at % 100 == 99 || at + 1 == traces {
            for (service, spans) in std::mem::take(&mut by_service) {
                let scope = Scope { name: format!("otelhttp{}", service % 3), ..Scope::default() };
                let scope_spans = vec![ScopeSpans { scope, spans, schema_url: String::new() }];
                let resource = resource(service);
                let resource_spans = vec![ResourceSpans { resource, scope_spans, schema_url: String::new() }];
                requests.push(Trace { resource_spans });
            }
        }
    }
    requests
}

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
        for request in requests(traces) {
            let bytes = encode::traces_data(&request);
            std::io::stdout().write_all(&(bytes.len() as u64).to_le_bytes()).unwrap();
            std::io::stdout().write_all(&bytes).unwrap();
        }
        return;
    }
    let argument = |place: usize| std::env::args().nth(place).and_then(|a| a.parse::<u64>().ok());
    let traces = argument(1).unwrap_or(13_333);
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
    for _ in 0..argument(2).unwrap_or(7) {
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
    std::fs::remove_file(&path).unwrap();
    let from = cpu_ns();
    let report = block.verify().unwrap();
    println!("verify: {:.0} ms, {report:?}", (cpu_ns() - from) / 1e6);
    read(&block, argument(3).unwrap_or(3));
    println!("{}", block.inspect());
}

fn read(block: &Block, rounds: u64) {
    let ids: Vec<TraceId> = block.trace_ids().unwrap().collect();
    let mut random = Random(1);
    for round in 0..rounds {
        let (mut times, mut spans, start) = (Vec::new(), 0, cpu_ns());
        for _ in 0..5000 {
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
