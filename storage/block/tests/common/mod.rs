//! What the tests share: odd spans, and the way from spans to a block.
#![allow(dead_code)]

pub mod oracle;

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use spanloom_block::{BlockBuilder, BuilderOptions, FinishedBlock, PushedTrace};
use spanloom_span::model::*;
use spanloom_span::slice::{SliceLimits, slice};
use spanloom_span::{SpanId, Tenant, TraceId, TracePart, decode, encode, join};

/// Traces by id, each with its parts in order of arrival.
pub type Parts = BTreeMap<TraceId, Vec<TracePart>>;

/// Slices requests; the ordinal of the first is 1.
pub fn parts_of(requests: &[Trace]) -> Parts {
    let mut parts = Parts::new();
    for (at, request) in requests.iter().enumerate() {
        let limits = SliceLimits { max_span_bytes: u32::MAX, ..SliceLimits::default() };
        let batch = Arc::new(slice(encode::traces_data(request).into(), &limits).unwrap());
        for (group, found) in batch.groups().iter().enumerate() {
            let part = TracePart { batch: batch.clone(), group: group as u32, seq: at as u64 + 1 };
            parts.entry(found.id).or_default().push(part);
        }
    }
    parts
}

/// Builds a block of parts.
pub fn build(parts: &Parts) -> (FinishedBlock, Vec<PushedTrace>) {
    build_in_groups(parts, spanloom_block::GROUP_ROWS)
}

/// Builds a block of parts, with so many rows in a row group.
pub fn build_in_groups(parts: &Parts, group_rows: usize) -> (FinishedBlock, Vec<PushedTrace>) {
    let options =
        BuilderOptions { created: 1_700_000_000_000_000_000, group_rows, ..BuilderOptions::default() };
    let mut builder = BlockBuilder::new(&Tenant::new("team-a").unwrap(), options).unwrap();
    let pushed = parts.iter().map(|(id, parts)| {
        let sealed_through = parts.last().unwrap().seq;
        builder.push_trace(*id, sealed_through, parts).unwrap()
    });
    let pushed = pushed.collect();
    (builder.finish().unwrap(), pushed)
}

/// What a trace reads back as.
pub fn expected(parts: &[TracePart]) -> join::Joined {
    join::join(parts.iter().map(|part| decode::trace_part(part).unwrap()))
}

/// A span of trace `[trace; 16]`.
pub fn span(trace: u8, id: u64) -> Span {
    Span {
        trace_id: TraceId([trace; 16]),
        span_id: SpanId(id.to_be_bytes()),
        name: format!("operation {}", id % 7),
        kind: (id % 6) as i32,
        start_time_unix_nano: 1_700_000_000_000_000_000 + id * 1000,
        end_time_unix_nano: 1_700_000_000_000_000_000 + id * 1500,
        ..Span::default()
    }
}

/// Spans as a request of one resource and one scope.
pub fn request(spans: Vec<Span>) -> Trace {
    let resource = Resource { attributes: vec![text("service.name", "shop")], ..Resource::default() };
    let scope = Scope { name: "library".into(), ..Scope::default() };
    let scope_spans = vec![ScopeSpans { scope, spans, schema_url: String::new() }];
    Trace { resource_spans: vec![ResourceSpans { resource, scope_spans, schema_url: String::new() }] }
}

/// A text attribute.
pub fn text(key: &str, value: &str) -> KeyValue {
    KeyValue { key: key.into(), value: AnyValue::Str(value.into()) }
}

fn any_value() -> impl Strategy<Value = AnyValue> {
    let leaf = prop_oneof![
        Just(AnyValue::Empty),
        "[a-c]{0,2}".prop_map(AnyValue::Str),
        "\\PC{0,12}".prop_map(AnyValue::Str),
        any::<bool>().prop_map(AnyValue::Bool),
        any::<i64>().prop_map(AnyValue::Int),
        (-3i64..3).prop_map(AnyValue::Int),
        (-1e9f64..1e9).prop_map(AnyValue::Double),
        vec(any::<u8>(), 0..9).prop_map(AnyValue::Bytes),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(AnyValue::Array),
            vec(("[a-c]{0,2}", inner).prop_map(|(key, value)| KeyValue { key, value }), 0..4)
                .prop_map(AnyValue::Map),
        ]
    })
}

fn attributes() -> impl Strategy<Value = Vec<KeyValue>> {
    let key = prop_oneof![
        12 => "[a-d]{0,2}",
        2 => Just("service.name".to_owned()),
        1 => Just(long_key()),
    ];
    vec((key, any_value()).prop_map(|(key, value)| KeyValue { key, value }), 0..6)
}

/// A key that is too long for a column of its own.
pub fn long_key() -> String {
    "k".repeat(1100)
}

/// The same spans in other traces, some of them with another value.
pub fn renamed(requests: &[Trace], copy: u8) -> Vec<Trace> {
    let mut requests = requests.to_vec();
    let resource_spans = requests.iter_mut().flat_map(|request| &mut request.resource_spans);
    for span in resource_spans.flat_map(|r| &mut r.scope_spans).flat_map(|s| &mut s.spans) {
        span.trace_id.0[3] = copy;
        span.attributes.push(text("copy", &format!("/{copy}/{:08x}", u32::from(copy) * 0x0101_0101)));
        span.attributes.push(text("same", &span.name));
        span.attributes.push(KeyValue { key: "kind".into(), value: AnyValue::Int(i64::from(span.kind)) });
    }
    requests
}

/// Three traces over four row groups, with parents before, behind, in another row group and nowhere.
pub fn large_requests() -> Vec<Trace> {
    let spans = |trace: u8, count: u64| {
        let of = |id: u64| {
            let mut span = span(trace, id + 1);
            let parent = [id / 2 + 1, count - id, count + id, 1][id as usize % 4];
            span.parent_span_id = parent.to_be_bytes().to_vec();
            if id.is_multiple_of(3) {
                span.attributes.push(text("third", &format!("value {}", id % 100)));
            }
            if id.is_multiple_of(1000) {
                span.attributes.push(text("rare", &format!("{id:050}")));
                span.events = vec![Event { name: format!("event {id}"), ..Event::default() }; 3];
                let link = Link { trace_id: vec![id as u8; 16], ..Link::default() };
                span.links = vec![Link { attributes: vec![text("why", "batch")], ..link }];
            }
            span
        };
        (0..count).map(of).collect::<Vec<_>>()
    };
    vec![request(spans(1, 70_000)), request(spans(2, 10)), request(spans(3, 140_000))]
}

/// More keys than a table has columns; then keys that have columns, with another type and after and before overflow.
pub fn overflowing_requests() -> Vec<Trace> {
    let int = |key: String, value: i64| KeyValue { key, value: AnyValue::Int(value) };
    let of = |id: u64| {
        let key = |i: u64| int(format!("key {}", id * 100 + i), i as i64);
        Span { attributes: (0..100).map(key).collect(), ..span(1, id) }
    };
    let odd = |id: u64| {
        let mut attributes = vec![
            text("last", "1"),
            int("key 3".into(), 3),
            KeyValue { key: "key 3".into(), value: AnyValue::Double(4.0) },
            KeyValue { key: "key 1".into(), value: AnyValue::Bool(true) },
            int("key 1".into(), 5),
            KeyValue { key: "last".into(), value: AnyValue::Empty },
        ];
        attributes.rotate_left(id as usize % 6);
        Span { attributes, ..span(1, id) }
    };
    vec![request((0..80).skip(1).map(of).chain((100..150).map(odd)).collect())]
}
/// Fields of a later OTLP.
fn unknown() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => Just(Vec::new()),
        1 => Just(vec![0xa2, 0x06, 2, 1, 2]),
        1 => Just(vec![0xa0, 0x06, 5, 0xa5, 0x06, 1, 2, 3, 4]),
    ]
}

fn count() -> impl Strategy<Value = u32> {
    prop_oneof![3 => Just(0), 1 => any::<u32>()]
}

fn time() -> impl Strategy<Value = u64> {
    prop_oneof![3 => 1_700_000_000_000_000_000u64..1_700_000_001_000_000_000, 1 => any::<u64>(), 1 => Just(0)]
}

fn event() -> impl Strategy<Value = Event> {
    (time(), "[a-b]{0,1}", attributes(), count(), unknown()).prop_map(
        |(time_unix_nano, name, attributes, dropped_attributes_count, unknown)| Event {
            time_unix_nano,
            name,
            attributes,
            dropped_attributes_count,
            unknown,
        },
    )
}

fn link() -> impl Strategy<Value = Link> {
    let ids = (vec(any::<u8>(), 0..20), vec(any::<u8>(), 0..10), "[a-b=]{0,3}");
    (ids, attributes(), count(), count(), unknown()).prop_map(
        |((trace_id, span_id, trace_state), attributes, dropped_attributes_count, flags, unknown)| Link {
            trace_id,
            span_id,
            trace_state,
            attributes,
            dropped_attributes_count,
            flags,
            unknown,
        },
    )
}

fn status() -> impl Strategy<Value = Status> {
    let code = prop_oneof![4 => 0..3i32, 1 => any::<i32>()];
    ("[a-b]{0,2}", code, unknown()).prop_map(|(message, code, unknown)| Status { message, code, unknown })
}

/// Spans of few traces with few ids, so that duplicates, parents and cycles come up.
pub fn any_span() -> impl Strategy<Value = Span> {
    let kind = prop_oneof![4 => 0..6i32, 1 => any::<i32>()];
    let parent = prop_oneof![
        1 => Just(Vec::new()),
        4 => (1u64..20).prop_map(|id| id.to_be_bytes().to_vec()),
        1 => Just(vec![0; 8]),
        1 => prop_oneof![Just(vec![1, 2, 3]), Just(vec![0; 3])],
    ];
    let ids = (1u8..6, 1u64..16, parent, "[a-b=]{0,3}", count());
    let of_span = ("[a-c ]{0,3}", kind, time(), time(), attributes(), status(), unknown());
    let rest = (vec(event(), 0..3), vec(link(), 0..3), count(), count(), count());
    (ids, of_span, rest).prop_map(|(ids, of_span, rest)| {
        let (trace, id, parent_span_id, trace_state, flags) = ids;
        let (name, kind, start_time_unix_nano, end_time_unix_nano, attributes, status, unknown) = of_span;
        let (events, links, dropped_attributes_count, dropped_events_count, dropped_links_count) = rest;
        Span {
            trace_id: TraceId([trace; 16]),
            span_id: SpanId(id.to_be_bytes()),
            parent_span_id,
            trace_state,
            flags,
            name,
            kind,
            start_time_unix_nano,
            end_time_unix_nano,
            attributes,
            dropped_attributes_count,
            events,
            dropped_events_count,
            links,
            dropped_links_count,
            status,
            unknown,
        }
    })
}

/// Requests with equal and different resources and scopes next to each other.
pub fn any_requests() -> impl Strategy<Value = Vec<Trace>> {
    let url = || prop_oneof![Just(String::new()), Just("https://a".to_owned())];
    let few = || prop_oneof![2 => Just(Vec::new()), 1 => attributes()];
    let scope = ("[a-b]{0,1}", "[1-2]{0,1}", few(), count(), unknown()).prop_map(
        |(name, version, attributes, dropped_attributes_count, unknown)| Scope {
            name,
            version,
            attributes,
            dropped_attributes_count,
            unknown,
        },
    );
    let scope_spans = (scope, vec(any_span(), 0..5), url())
        .prop_map(|(scope, spans, schema_url)| ScopeSpans { scope, spans, schema_url });
    let resource = (few(), count(), unknown()).prop_map(|(attributes, dropped_attributes_count, unknown)| {
        Resource { attributes, dropped_attributes_count, unknown }
    });
    let resource_spans = (resource, vec(scope_spans, 0..4), url())
        .prop_map(|(resource, scope_spans, schema_url)| ResourceSpans { resource, scope_spans, schema_url });
    vec(vec(resource_spans, 0..4).prop_map(|resource_spans| Trace { resource_spans }), 1..5)
}
