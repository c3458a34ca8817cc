//! What the server is loaded with: traces of ten spans of the last minutes, each span with a number of its own, some
//! with a text that is long.

use std::ops::Range;

use spanloom_span::model::{AnyValue, KeyValue, Resource, ResourceSpans, ScopeSpans, Span, Trace};
use spanloom_span::{SpanId, TraceId, encode};

use super::House;

/// Requests, of [`EACH`] spans each.
pub const REQUESTS: u64 = 12;

/// Spans of a request.
const EACH: u64 = 1000;

/// All spans.
pub const COUNT: u64 = REQUESTS * EACH;

/// A text on which a matcher that goes back and forth would not end.
fn long() -> String {
    "a".repeat(20_000) + "!"
}

/// Sends requests by their numbers.
pub fn load(house: &House, requests: Range<u64>) {
    let start = (super::now() - 300) * 1_000_000_000;
    let mut client = house.sender();
    for request in requests {
        let spans = (request * EACH..(request + 1) * EACH).map(|number| span(number, start)).collect();
        let service = KeyValue { key: "service.name".into(), value: AnyValue::Str(format!("s{request}")) };
        let resource = Resource { attributes: vec![service], ..Resource::default() };
        let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
        let trace = Trace {
            resource_spans: vec![ResourceSpans { resource, scope_spans, ..ResourceSpans::default() }],
        };
        let bytes = encode::traces_data(&trace);
        let answer = client.post("/v1/traces", "application/x-protobuf", &bytes).unwrap();
        assert_eq!((answer.status, answer.body), (200, Vec::new()));
    }
}

/// A root and nine below it, one below the other.
fn span(number: u64, start: u64) -> Span {
    let id = |number: u64| SpanId((number + 1).to_be_bytes());
    let mut trace = [0xee; 16];
    trace[8..].copy_from_slice(&(number / 10 + 1).to_be_bytes());
    let start = start + number * 1_000_000;
    let pair = |key: &str, value| KeyValue { key: key.into(), value };
    let mut attributes = vec![
        pair("n", AnyValue::Int(number as i64)),
        pair("text", AnyValue::Str(format!("value {number}"))),
        pair("float", AnyValue::Double([f64::NAN, f64::INFINITY, -0.0, 1e308][number as usize % 4])),
    ];
    if number.is_multiple_of(200) {
        attributes.push(pair("long", AnyValue::Str(long())));
    }
    Span {
        trace_id: TraceId(trace),
        span_id: id(number),
        parent_span_id: if number.is_multiple_of(10) { Vec::new() } else { id(number - 1).0.to_vec() },
        name: format!("step {}", number % 10),
        kind: (number % 6) as i32,
        start_time_unix_nano: start,
        end_time_unix_nano: start + (1 << (number % 40)),
        attributes,
        ..Span::default()
    }
}
