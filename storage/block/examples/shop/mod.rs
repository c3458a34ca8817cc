//! A load like that of a shop of twenty services: 15 spans a trace, some 400 bytes a span.

use std::collections::BTreeMap;

use spanloom_span::model::*;
use spanloom_span::{SpanId, TraceId};

/// SplitMix64.
pub struct Random(pub u64);

impl Random {
    /// The next number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
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

/// Requests with so many traces; the same ones each time.
#[allow(dead_code)] // each example uses what it needs
pub fn requests(traces: u64) -> Vec<Trace> {
    requests_from(7, traces)
}

/// Requests with so many traces, from a number that other traces follow from.
pub fn requests_from(seed: u64, traces: u64) -> Vec<Trace> {
    let mut random = Random(seed);
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
