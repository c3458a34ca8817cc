//! The seeds of the fuzz target `block_open`, built by the writer and then damaged, as an ordinary test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)] // a test answers by panicking

#[path = "fuzz/block_open.rs"]
mod block_open;
#[path = "../../../engine/fuzz/corpus.rs"]
mod corpus;

use std::sync::Arc;

use spanloom_block::{BlockBuilder, BuilderOptions};
use spanloom_span::model::{AnyValue, Event, KeyValue, ResourceSpans, ScopeSpans, Span, Trace};
use spanloom_span::slice::{SliceLimits, slice};
use spanloom_span::{SpanId, Tenant, TraceId, TracePart, encode};

#[test]
fn block_open_holds_for_every_seed() {
    corpus::check("block_open", &seeds(), block_open::holds);
}

fn pair(key: &str, value: AnyValue) -> KeyValue {
    KeyValue { key: key.into(), value }
}

/// A span whose fields follow from its number.
fn span(trace: u8, number: u64) -> Span {
    let value = match number % 5 {
        0 => AnyValue::Str(format!("/orders/{number}")),
        1 => AnyValue::Int(number as i64 - 3),
        2 => AnyValue::Double(number as f64 / 3.0),
        3 => AnyValue::Bool(true),
        _ => AnyValue::Array(vec![AnyValue::Str("a".into()), AnyValue::Empty]),
    };
    Span {
        trace_id: TraceId([trace; 16]),
        span_id: SpanId((number + 1).to_be_bytes()),
        parent_span_id: if number == 0 { Vec::new() } else { number.to_be_bytes().to_vec() },
        name: format!("step {}", number % 3),
        kind: (number % 6) as i32,
        start_time_unix_nano: 1_000 * number,
        end_time_unix_nano: 1_000 * number + 77,
        attributes: vec![pair("http.method", AnyValue::Str("GET".into())), pair("value", value)],
        events: vec![Event { name: "e".into(), time_unix_nano: number, ..Event::default() }],
        ..Span::default()
    }
}

/// A block of so many traces of so many spans.
fn block(traces: u8, spans: u64) -> Vec<u8> {
    let mut builder = BlockBuilder::new(&Tenant::default(), BuilderOptions::default()).unwrap();
    for trace in 1..=traces {
        let scope_spans =
            vec![ScopeSpans { spans: (0..spans).map(|n| span(trace, n)).collect(), ..ScopeSpans::default() }];
        let whole = Trace { resource_spans: vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }] };
        let batch = slice(encode::traces_data(&whole).into(), &SliceLimits::default()).unwrap();
        let part = TracePart { batch: Arc::new(batch), group: 0, seq: u64::from(trace) };
        builder.push_trace(TraceId([trace; 16]), u64::from(trace), &[part]).unwrap();
    }
    builder.finish().unwrap().bytes
}

fn flipped(mut bytes: Vec<u8>, at: usize) -> Vec<u8> {
    bytes[at] ^= 0x10;
    bytes
}

fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let full = || block(3, 7);
    let length = full().len();
    vec![
        ("nothing", Vec::new()),
        ("no-traces", block(0, 0)),
        ("one-span", block(1, 1)),
        ("three-traces", full()),
        ("cut-in-half", full()[..length / 2].to_vec()),
        ("header-damaged", flipped(full(), 9)),
        ("data-damaged", flipped(full(), length / 3)),
        ("directory-damaged", flipped(full(), length - 200)),
        ("trailer-damaged", flipped(full(), length - 5)),
        ("longer", [full(), vec![0; 64]].concat()),
    ]
}
