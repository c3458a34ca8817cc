//! What comes from Zipkin's clients goes out to Zipkin's readers as it came, as far as OTLP keeps it; and what goes out and
//! comes in again is the same spans.

use std::collections::HashSet;
use std::sync::Arc;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;
use serde_json::{Value, json};
use spanloom_span::model::Trace;
use spanloom_span::slice::{SliceLimits, slice};
use spanloom_span::{TracePart, decode};
use spanloom_wire::zipkin::out::{DependencyLink, dependencies_json, spans_json};
use spanloom_wire::zipkin::{Options, v2_json};

use super::laws::{endpoint, span};
use super::model::{self, Endpoint, Span};

fn came(json: &[u8]) -> (Vec<Trace>, ExportTraceServiceRequest) {
    let mut bytes = Vec::new();
    v2_json(json, &Options::default(), 1 << 30, &mut bytes).unwrap();
    let request = ExportTraceServiceRequest::decode(&bytes[..]).unwrap();
    let batch = Arc::new(slice(bytes.into(), &SliceLimits::default()).unwrap());
    let part = |group| TracePart { batch: batch.clone(), group, seq: 1 };
    let traces = (0..batch.groups().len() as u32).map(|group| decode::trace_part(&part(group)).unwrap());
    (traces.collect(), request)
}

/// As Zipkin's readers get them: one list.
fn out(traces: &[Trace]) -> Vec<Value> {
    let list = |trace: &Trace| {
        let mut out = Vec::new();
        spans_json(&mut out, trace);
        serde_json::from_slice::<Vec<Value>>(&out).unwrap()
    };
    traces.iter().flat_map(list).collect()
}

/// Every span alone, with its resource and scope, attributes in order.
fn spans(mut request: ExportTraceServiceRequest) -> Vec<String> {
    let mut all = Vec::new();
    for resource in &mut request.resource_spans {
        let attributes = &mut resource.resource.get_or_insert_default().attributes;
        attributes.sort_by(|a, b| a.key.cmp(&b.key));
        for scope in &mut resource.scope_spans {
            for span in &mut scope.spans {
                span.attributes.sort_by(|a, b| a.key.cmp(&b.key));
                all.push(format!("{:?} {:?} {span:?}", resource.resource, scope.scope));
            }
        }
    }
    all.sort();
    all
}

/// Without what says nothing, and with ids of 64 bits in 16 digits.
fn usual(mut span: Value) -> Value {
    let fields = span.as_object_mut().unwrap();
    fields.retain(|_, value| *value != json!(false) && *value != json!([]) && *value != json!({}));
    if let Some(low) = fields["traceId"].as_str().unwrap().strip_prefix("0000000000000000") {
        fields["traceId"] = json!(low);
    }
    span
}

fn sorted(mut spans: Vec<Value>) -> Vec<String> {
    spans.sort_by_key(|span| span.to_string());
    spans.iter().map(Value::to_string).collect()
}

/// A span as Zipkin's own libraries send it.
fn plain() -> impl Strategy<Value = Span> {
    let tags = vec(("[a-d]{1,3}", "[ -~é]{0,20}"), 0..4);
    let annotations = vec((1u64..1 << 50, "[a-z.]{1,9}"), 0..3);
    let ids = (any::<[u8; 16]>(), any::<[u8; 8]>(), proptest::option::of(any::<[u8; 8]>()), any::<bool>());
    let rest = ("[a-z /]{1,9}", 0u8..5, endpoint(), endpoint(), annotations, tags, any::<(bool, bool)>());
    let why = prop_oneof![Just(None), Just(Some("true".to_owned())), "[a-z]{1,4}[0-9]".prop_map(Some)];
    (ids, (1u64..1 << 50, 1u64..1 << 40), rest, why).prop_map(|(ids, times, rest, why)| {
        let (mut trace_id, id, parent, is_short) = ids;
        let (name, kind, local, remote, annotations, tags, (shared, has_remote)) = rest;
        if is_short {
            trace_id[..8].fill(0);
        }
        trace_id[15] |= 1;
        let mut seen = HashSet::new();
        let tags = tags.into_iter().chain(why.map(|why| ("error".to_owned(), why)));
        // With both addresses the sender's order is not kept.
        Span {
            trace_id,
            id: id.map(|byte| byte | 1),
            parent: parent.map(|parent| parent.map(|byte| byte & !1 | 2)),
            name,
            kind,
            timestamp: times.0,
            duration: times.1,
            local,
            remote: if has_remote { remote } else { Endpoint::default() },
            annotations,
            tags: tags.filter(|(key, _)| seen.insert(key.clone())).collect(),
            debug: false,
            shared,
        }
    })
}

proptest! {
    #[test]
    fn what_was_sent_goes_out_as_it_came(list in vec(plain(), 1..5)) {
        let mut ids = HashSet::new();
        let list: Vec<Span> = list.into_iter().filter(|span| ids.insert(span.id)).collect();
        let json = model::v2_json(&list);
        let (traces, _) = came(&json);
        let sent: Vec<Value> = serde_json::from_slice(&json).unwrap();
        let sent = sent.into_iter().map(usual).collect();
        prop_assert_eq!(sorted(out(&traces)), sorted(sent));
    }

    #[test]
    fn what_goes_out_and_comes_in_again_is_the_same(list in vec(span(), 1..5)) {
        let mut ids = HashSet::new();
        let list: Vec<Span> = list.into_iter().filter(|span| ids.insert(span.id)).collect();
        let (traces, mut before) = came(&model::v2_json(&list));
        // That a sender forced a span is not kept apart from that it was sampled.
        let spans_of = |request: &mut ExportTraceServiceRequest| {
            let scopes = request.resource_spans.iter_mut().flat_map(|resource| &mut resource.scope_spans);
            scopes.flat_map(|scope| &mut scope.spans).for_each(|span| span.flags = 0);
        };
        let (_, mut after) = came(Value::Array(out(&traces)).to_string().as_bytes());
        spans_of(&mut before);
        spans_of(&mut after);
        prop_assert_eq!(spans(after), spans(before));
    }
}

#[test]
fn what_only_otlp_has_is_tags_and_text() {
    let sent = json!([{
        "traceId": "000000000000000000000000000000a1", "id": "b2", "name": "op", "timestamp": 1_700_000_000_000_000u64,
        "duration": 5, "localEndpoint": {"serviceName": "shop"},
        "annotations": [{"timestamp": 1_700_000_000_000_001u64, "value": "\"cache\": {\"hit\":true,\"n\":2}"},
                        {"timestamp": 1_700_000_000_000_002u64, "value": "cut|{\"a\":\"b\"}|3"}],
        "tags": {"span.kind": "internal", "otel.status_code": "OK", "otel.scope.name": "lib", "otel.scope.version": "1",
                 "w3c.tracestate": "a=b", "otel.dropped_events_count": "2", "host.name": "h",
                 "otlp.link.0": "000000000000000000000000000000a1|00000000000000c3||{\"x\":1}|0"}
    }]);
    let (traces, _) = came(sent.to_string().as_bytes());
    let mut expected = sent[0].clone();
    (expected["traceId"], expected["id"]) = (json!("00000000000000a1"), json!("00000000000000b2"));
    assert_eq!(out(&traces), [expected]);
}

#[test]
fn calls_have_failures_only_when_there_are_some() {
    let link = |errors| DependencyLink { parent: "a".into(), child: "b".into(), calls: 3, errors };
    let expected = r#"[{"parent":"a","child":"b","callCount":3},{"parent":"a","child":"b","callCount":3,"errorCount":2}]"#;
    assert_eq!(String::from_utf8(dependencies_json(&[link(0), link(2)])).unwrap(), expected);
}
