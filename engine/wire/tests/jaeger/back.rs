//! What comes from Jaeger's clients goes out to Jaeger's readers as it came, as far as OTLP keeps it; and what goes out and
//! comes in again is the same spans.

use std::collections::HashSet;
use std::sync::Arc;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span as Otlp, Status};
use proptest::prelude::*;
use prost::Message;
use spanloom_span::model::Trace;
use spanloom_span::slice::{SliceLimits, slice};
use spanloom_span::{TracePart, decode};
use spanloom_wire::jaeger::out::{SpanChunks, summary, trace_json};

use crate::model::{Batch, Log, Ref, Span, Tag, Val, proto, tag, text};
use crate::property::{batch, sorted};
use crate::{Form, ROOM, translate};

/// The traces of a request.
fn traces(request: &ExportTraceServiceRequest) -> Vec<Trace> {
    let batch = Arc::new(slice(request.encode_to_vec().into(), &SliceLimits::default()).unwrap());
    let part = |group| TracePart { batch: batch.clone(), group, seq: 1 };
    (0..batch.groups().len() as u32).map(|group| decode::trace_part(&part(group)).unwrap()).collect()
}

#[derive(Clone, PartialEq, Message)]
struct Chunk {
    #[prost(message, repeated, tag = "1")]
    spans: Vec<proto::Span>,
}

/// As Jaeger's readers get them.
fn out(traces: &[Trace], bytes: usize) -> Vec<proto::Span> {
    let chunks = traces.iter().flat_map(|trace| SpanChunks::new(trace, bytes).chunks);
    chunks.flat_map(|chunk| Chunk::decode(&chunk[..]).unwrap().spans).collect()
}

/// The first of each key: of several with the same key it depends on their order which one says something.
fn distinct(tags: &mut Vec<Tag>) {
    let mut seen = HashSet::new();
    tags.retain(|(key, _)| seen.insert(key.clone()));
}

/// Every span alone, with its resource and scope, attributes in order, spans by their ids.
fn spans(request: ExportTraceServiceRequest) -> Vec<String> {
    let mut all = Vec::new();
    for mut resource in sorted(request).resource_spans {
        if let Some(resource) = &mut resource.resource {
            resource.attributes.sort_by_key(|attribute| format!("{attribute:?}"));
        }
        for scope in resource.scope_spans {
            for mut span in scope.spans {
                span.attributes.sort_by_key(|attribute| format!("{attribute:?}"));
                all.push(format!("{:?} {:?} {span:?}", resource.resource, scope.scope));
            }
        }
    }
    all.sort();
    all
}

proptest! {
    #[test]
    fn what_goes_out_and_comes_in_again_is_the_same(mut batch in batch(), bytes in 1usize..2000) {
        distinct(&mut batch.tags);
        let mut ids = HashSet::new();
        // A span sent twice is one.
        batch.spans.retain(|span| ids.insert(span.id));
        for span in &mut batch.spans {
            distinct(&mut span.tags);
            span.logs.iter_mut().for_each(|log| distinct(&mut log.fields));
            // No span has the id zero.
            span.refs.retain(|reference| reference.span != 0);
        }
        let came = translate(Form::PostSpans, &batch.proto(), ROOM).unwrap();
        let spans_out = out(&traces(&came), bytes);
        prop_assert_eq!(spans_out.len(), batch.spans.len());
        let again = proto::PostSpansRequest { batch: Some(proto::Batch { spans: spans_out, process: None }) };
        let again = translate(Form::PostSpans, &again.encode_to_vec(), ROOM).unwrap();
        prop_assert_eq!(spans(again), spans(came));
    }

    #[test]
    fn what_a_client_sent_goes_out_as_it_came(
        mut spans in proptest::collection::vec(client_span(), 1..5),
        tags in proptest::collection::vec(("[a-d]{1,3}", plain_value()), 0..4),
    ) {
        let mut ids = HashSet::new();
        spans.retain(|span| ids.insert(span.id));
        let mut tags: Vec<Tag> = tags;
        distinct(&mut tags);
        tags.extend([text("hostname", "h1"), text("jaeger.version", "Go-2.30.0"), text("ip", "10.0.0.1")]);
        let batch = Batch { service: "shop".into(), tags, spans };
        let came = translate(Form::PostSpans, &batch.proto(), ROOM).unwrap();
        let process = proto::Process { service_name: batch.service.clone(), tags: crate::model::tags(&batch.tags) };
        let with_process = |span: &Span| canonical(proto::Span { process: Some(process.clone()), ..span.proto() });
        let mut expected: Vec<_> = batch.spans.iter().map(with_process).collect();
        let mut found: Vec<_> = out(&traces(&came), 1 << 20).into_iter().map(canonical).collect();
        expected.sort();
        found.sort();
        prop_assert_eq!(found, expected);
    }
}

/// With tags in order: a reader finds them by their keys.
fn canonical(mut span: proto::Span) -> String {
    let by_text = |tags: &mut Vec<proto::KeyValue>| tags.sort_by_key(|tag| format!("{tag:?}"));
    by_text(&mut span.tags);
    span.process.iter_mut().for_each(|process| by_text(&mut process.tags));
    format!("{span:?}")
}

fn plain_value() -> impl Strategy<Value = Val> {
    prop_oneof![
        "[a-z ]{1,9}".prop_map(Val::Str),
        any::<bool>().prop_map(Val::Bool),
        any::<i64>().prop_map(Val::Int),
        (-1e9..1e9f64).prop_map(Val::Double),
        proptest::collection::vec(any::<u8>(), 1..9).prop_map(Val::Bytes),
    ]
}

/// A span as Jaeger's own clients send it.
fn client_span() -> impl Strategy<Value = Span> {
    let tags = proptest::collection::vec(("[a-d]{1,3}", plain_value()), 0..4);
    let kind =
        proptest::option::of(proptest::sample::select(&["client", "server", "producer", "consumer"][..]));
    let log = (1i64..1 << 50, proptest::option::of("[a-z]{1,5}"), plain_value());
    let ids = (1u128.., 1u64.., 0u64..3, 0u64..3);
    let times = (1i64..1 << 50, 0i64..1 << 40);
    let rest = (tags, kind, any::<bool>(), proptest::collection::vec(log, 0..3));
    (ids, times, 0u32..4, rest).prop_map(|((trace, id, parent, other), (start, duration), flags, rest)| {
        let (mut tags, kind, is_error, logs) = rest;
        distinct(&mut tags);
        tags.extend(kind.map(|kind| text("span.kind", kind)));
        tags.extend(is_error.then(|| tag("error", Val::Bool(true))));
        let child = (parent != 0).then_some(Ref { child: true, trace, span: parent });
        let follows = (other != 0).then_some(Ref { child: false, trace: 7, span: other });
        let log = |(micros, event, value): (i64, Option<String>, Val)| {
            let event = event.map(|event| text("event", &event));
            Log { micros, fields: event.into_iter().chain([tag("x", value)]).collect() }
        };
        Span {
            trace,
            id,
            parent: 0,
            name: "op".into(),
            refs: child.into_iter().chain(follows).collect(),
            flags,
            start,
            duration,
            tags,
            logs: logs.into_iter().map(log).collect(),
        }
    })
}

fn pair(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

/// A request of one resource and scope.
fn request(service: &str, spans: Vec<Otlp>) -> ExportTraceServiceRequest {
    let attributes = vec![pair("service.name", Value::StringValue(service.into()))];
    let resource = opentelemetry_proto::tonic::resource::v1::Resource { attributes, ..Default::default() };
    let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
    let one = ResourceSpans { resource: Some(resource), scope_spans, ..ResourceSpans::default() };
    ExportTraceServiceRequest { resource_spans: vec![one] }
}

fn otlp(id: u8, parent: u8, kind: i32, attributes: Vec<KeyValue>) -> Otlp {
    Otlp {
        trace_id: vec![1; 16],
        span_id: vec![id; 8],
        parent_span_id: if parent == 0 { Vec::new() } else { vec![parent; 8] },
        name: format!("op{id}"),
        kind,
        start_time_unix_nano: 1_700_000_000_000_001_999,
        end_time_unix_nano: 1_700_000_000_000_501_999,
        attributes,
        ..Otlp::default()
    }
}

#[test]
fn the_page_gets_its_json() {
    let mut one = otlp(
        2,
        3,
        2,
        vec![
            pair("n", Value::IntValue(1 << 60)),
            pair("ok", Value::BoolValue(true)),
            pair("d", Value::DoubleValue(0.5)),
            pair("b", Value::BytesValue(vec![1, 2, 255])),
        ],
    );
    one.status = Some(Status { code: 2, message: "boom".into() });
    one.trace_state = "a=b".into();
    let trace = traces(&request("shop", vec![one])).remove(0);
    let mut out = Vec::new();
    trace_json(&mut out, &trace, &["a part is missing"]);
    let expected = r#"{"traceID":"01010101010101010101010101010101","spans":[
        {"traceID":"01010101010101010101010101010101","spanID":"0202020202020202","operationName":"op2",
         "references":[{"refType":"CHILD_OF","traceID":"01010101010101010101010101010101","spanID":"0303030303030303"}],
         "startTime":1700000000000001,"duration":500,"tags":[
            {"key":"n","type":"int64","value":"1152921504606846976"},{"key":"ok","type":"bool","value":true},
            {"key":"d","type":"float64","value":0.5},{"key":"b","type":"binary","value":"AQL/"},
            {"key":"span.kind","type":"string","value":"server"},{"key":"error","type":"bool","value":true},
            {"key":"otel.status_code","type":"string","value":"ERROR"},
            {"key":"otel.status_description","type":"string","value":"boom"},
            {"key":"w3c.tracestate","type":"string","value":"a=b"}],
         "logs":[],"processID":"p1","warnings":null}],
        "processes":{"p1":{"serviceName":"shop","tags":[]}},"warnings":["a part is missing"]}"#;
    let read = |json: &[u8]| serde_json::from_slice::<serde_json::Value>(json).unwrap();
    assert_eq!(read(&out), read(expected.as_bytes()), "{}", String::from_utf8_lossy(&out));
}

#[test]
fn a_trace_in_few_words_counts_errors_and_orphans() {
    let mut failed = otlp(3, 2, 3, Vec::new());
    failed.status = Some(Status { code: 2, message: String::new() });
    let mut request = request("a", vec![otlp(2, 0, 2, Vec::new()), failed]);
    request.resource_spans.extend(self::request("b", vec![otlp(4, 9, 2, Vec::new())]).resource_spans);
    let told = summary(&traces(&request)[0]);
    assert_eq!((&*told.root_service, &*told.root_name), ("a", "op2"));
    assert_eq!((told.spans, told.errors, told.orphans), (3, 1, 1));
    assert_eq!(told.end - told.start, 500_000);
    assert_eq!(told.services, [("a".to_owned(), 2, 1), ("b".to_owned(), 1, 0)]);
}
