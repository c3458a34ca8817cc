//! The walk against prost as oracle, and against what must be refused.

use super::*;
use crate::batch::TracePart;
use crate::{decode, encode, join};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1 as common;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1 as otlp;
use proptest::prelude::*;
use prost::Message;
use std::sync::Arc;

fn any_tree() -> impl Strategy<Value = common::AnyValue> {
    use common::any_value::Value as V;
    let leaf = prop_oneof![
        ".{0,12}".prop_map(V::StringValue),
        any::<bool>().prop_map(V::BoolValue),
        any::<i64>().prop_map(V::IntValue),
        (-1e9f64..1e9).prop_map(V::DoubleValue),
        proptest::collection::vec(any::<u8>(), 0..9).prop_map(V::BytesValue),
    ];
    let tree = leaf.prop_recursive(3, 12, 4, |inner| {
        let wrap = |v| common::AnyValue { value: Some(v) };
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(move |values| V::ArrayValue(
                common::ArrayValue { values: values.into_iter().map(wrap).collect() }
            )),
            proptest::collection::vec(("[a-z]{0,3}", inner), 0..4).prop_map(move |pairs| {
                let pair = |(key, v)| common::KeyValue { key, value: Some(wrap(v)), ..Default::default() };
                V::KvlistValue(common::KeyValueList { values: pairs.into_iter().map(pair).collect() })
            }),
        ]
    });
    proptest::option::weighted(0.9, tree).prop_map(|value| common::AnyValue { value })
}

fn attributes() -> impl Strategy<Value = Vec<common::KeyValue>> {
    proptest::collection::vec(("[a-z.]{0,6}", any_tree()), 0..5).prop_map(|pairs| {
        let pair = |(key, value)| common::KeyValue { key, value: Some(value), ..Default::default() };
        pairs.into_iter().map(pair).collect()
    })
}

fn span() -> impl Strategy<Value = otlp::Span> {
    let ids = (1u8..5, any::<[u8; 8]>(), proptest::option::of(any::<[u8; 8]>()));
    let rest = (attributes(), attributes(), ".{0,9}", any::<(u64, u64, u32)>(), 0..6i32, 0..3i32);
    (ids, rest).prop_map(|((trace, id, parent), (attributes, of_event, name, (t, d, count), kind, code))| {
        otlp::Span {
            trace_id: vec![trace; 16],
            span_id: id.map(|b| b | 1).to_vec(),
            parent_span_id: parent.map(|p| p.to_vec()).unwrap_or_default(),
            trace_state: name.clone(),
            flags: count,
            name: name.clone(),
            kind,
            start_time_unix_nano: t,
            end_time_unix_nano: d,
            attributes,
            dropped_attributes_count: count,
            events: vec![otlp::span::Event {
                time_unix_nano: t,
                name: name.clone(),
                attributes: of_event.clone(),
                dropped_attributes_count: 0,
            }],
            links: vec![otlp::span::Link {
                trace_id: vec![9; trace as usize],
                attributes: of_event,
                ..Default::default()
            }],
            dropped_events_count: count,
            dropped_links_count: count,
            status: Some(otlp::Status { message: name, code }),
        }
    })
}

pub(crate) fn request() -> impl Strategy<Value = ExportTraceServiceRequest> {
    let scope = (attributes(), proptest::collection::vec(span(), 0..4)).prop_map(|(attributes, spans)| {
        let scope = common::InstrumentationScope { name: "s".into(), attributes, ..Default::default() };
        otlp::ScopeSpans { scope: Some(scope), spans, schema_url: "u".into() }
    });
    let resource =
        (attributes(), proptest::collection::vec(scope, 0..4)).prop_map(|(attributes, scope_spans)| {
            let resource = Resource { attributes, ..Default::default() };
            otlp::ResourceSpans { resource: Some(resource), scope_spans, schema_url: "r".into() }
        });
    proptest::collection::vec(resource, 0..4)
        .prop_map(|resource_spans| ExportTraceServiceRequest { resource_spans })
}

/// What must come out for one trace: the request without the other traces' spans and without empty shells.
fn only(request: &ExportTraceServiceRequest, trace: &[u8]) -> ExportTraceServiceRequest {
    let mut out = request.clone();
    for resource in &mut out.resource_spans {
        for scope in &mut resource.scope_spans {
            scope.spans.retain(|s| s.trace_id == trace);
        }
        resource.scope_spans.retain(|s| !s.spans.is_empty());
    }
    out.resource_spans.retain(|r| !r.scope_spans.is_empty());
    out
}

proptest! {
    #[test]
    fn every_trace_comes_out_as_it_came_in(request in request()) {
        let bytes = Bytes::from(request.encode_to_vec());
        let batch = Arc::new(slice(bytes, &SliceLimits::default()).unwrap());
        let mut spans = 0;
        for (at, group) in batch.groups().iter().enumerate() {
            let part = TracePart { batch: batch.clone(), group: at as u32, seq: 1 };
            let expected = only(&request, &group.id.0);
            let trace = decode::trace_part(&part).unwrap();
            let got = ExportTraceServiceRequest::decode(&encode::traces_data(&trace)[..]).unwrap();
            prop_assert_eq!(&got, &expected);
            let extracted = batch.extract(group);
            let again = ExportTraceServiceRequest::decode(&extracted[..]).unwrap();
            prop_assert_eq!(&again, &expected);
            let alone = slice(extracted, &SliceLimits::default()).unwrap();
            prop_assert_eq!(alone.groups().len(), 1);
            let all: Vec<_> = trace.spans().collect();
            prop_assert_eq!(group.count as usize, all.len());
            prop_assert_eq!(group.start, all.iter().map(|s| s.start_time_unix_nano).min().unwrap());
            prop_assert_eq!(group.end, all.iter().map(|s| s.end_time_unix_nano).max().unwrap());
            prop_assert_eq!(group.errors as usize, all.iter().filter(|s| s.status.code == 2).count());
            spans += all.len();
            let twice = join::join([trace.clone(), trace.clone()]);
            prop_assert_eq!(twice.trace.span_count() + twice.duplicates, 2 * all.len());
        }
        let expected: usize =
            request.resource_spans.iter().flat_map(|r| &r.scope_spans).map(|s| s.spans.len()).sum();
        prop_assert_eq!(spans, expected);
    }

    #[test]
    fn damaged_bytes_never_panic(request in request(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = request.encode_to_vec();
        if !bytes.is_empty() {
            let at = at.index(bytes.len());
            let _ = slice(Bytes::copy_from_slice(&bytes[..at]), &SliceLimits::default());
            bytes[at] = byte;
            if let Ok(batch) = slice(bytes.into(), &SliceLimits::default()) {
                let batch = Arc::new(batch);
                for at in 0..batch.groups().len() as u32 {
                    let part = TracePart { batch: batch.clone(), group: at, seq: 1 };
                    prop_assert!(decode::trace_part(&part).is_ok());
                }
            }
        }
    }
}

fn with_span(change: impl FnOnce(&mut otlp::Span)) -> ExportTraceServiceRequest {
    let mut span =
        otlp::Span { trace_id: vec![1; 16], span_id: vec![2; 8], name: "a".into(), ..Default::default() };
    change(&mut span);
    let scope_spans = vec![otlp::ScopeSpans { spans: vec![span], ..Default::default() }];
    let resource_spans = vec![otlp::ResourceSpans { scope_spans, ..Default::default() }];
    ExportTraceServiceRequest { resource_spans }
}

fn refused(bytes: Vec<u8>) -> String {
    slice(bytes.into(), &SliceLimits::default()).expect_err("must be refused").to_string()
}

#[test]
fn bad_ids_are_refused_with_what_was_found() {
    let check = |change: fn(&mut otlp::Span), expected: &str| {
        assert_eq!(refused(with_span(change).encode_to_vec()), expected);
    };
    let trace = "trace ids must be 128 bit and not zero, found ";
    let span = "span ids must be 64 bit and not zero, found ";
    check(|s| s.trace_id = vec![1; 8], &format!("{trace}64 bits in the span at byte 6 of the request"));
    check(|s| s.trace_id = vec![], &format!("{trace}0 bits in the span at byte 6 of the request"));
    check(|s| s.trace_id = vec![0; 16], &format!("{trace}only zeros in the span at byte 6 of the request"));
    check(|s| s.span_id = vec![1; 9], &format!("{span}72 bits in the span at byte 6 of the request"));
    check(|s| s.span_id = vec![0; 8], &format!("{span}only zeros in the span at byte 6 of the request"));
}

#[test]
fn strings_depth_and_wire_types_are_checked() {
    let mut bytes = with_span(|s| s.name = "zz".into()).encode_to_vec();
    let at = bytes.len() - 1;
    bytes[at] = 0xff;
    assert_eq!(refused(bytes), format!("a span's name at byte {} of the request is not UTF-8", at - 1));

    let nest = |levels: usize| {
        let mut value = common::AnyValue { value: None };
        for _ in 0..levels {
            let list = common::ArrayValue { values: vec![value] };
            value = common::AnyValue { value: Some(common::any_value::Value::ArrayValue(list)) };
        }
        let pair = common::KeyValue { key: "k".into(), value: Some(value), ..Default::default() };
        with_span(|s| s.attributes.push(pair)).encode_to_vec()
    };
    assert!(slice(nest(31).into(), &SliceLimits::default()).is_ok());
    assert!(refused(nest(33)).ends_with("is nested deeper than 32 levels"));
    // 5,000 levels by hand: prost would not encode that either without a deep stack.
    let mut body = Vec::new();
    for _ in 0..5_000 {
        let mut list = Vec::new();
        crate::proto::put_bytes(&mut list, 1, &body);
        body.clear();
        crate::proto::put_bytes(&mut body, 5, &list);
    }
    let mut bytes = Vec::new();
    use crate::proto::put_message as m;
    m(&mut bytes, 1, |o| m(o, 1, |o| m(o, 1, |o| crate::proto::put_bytes(o, 2, &body))));
    assert!(refused(bytes).ends_with("is nested deeper than 32 levels"));

    let mut bytes = Vec::new();
    m(&mut bytes, 1, |o| m(o, 2, |o| m(o, 2, |o| crate::proto::put_uint(o, 1, 7))));
    assert_eq!(refused(bytes), "field 1 of Span at byte 6 of the request has the wrong wire type");
    let mut bytes = Vec::new();
    m(&mut bytes, 1, |o| (0..2).for_each(|_| m(o, 1, |_| {})));
    assert!(refused(bytes).starts_with("resource at byte "));
}

#[test]
fn a_span_over_the_limit_is_left_out_alone() {
    let mut request = with_span(|s| s.name = "x".repeat(500));
    request.resource_spans.extend(with_span(|_| {}).resource_spans);
    let limits = SliceLimits { max_span_bytes: 400, ..SliceLimits::default() };
    let batch = slice(request.encode_to_vec().into(), &limits).unwrap();
    assert_eq!((batch.refused_spans(), batch.spans().len(), batch.resources().len()), (1, 1, 1));
}

#[test]
fn old_library_spans_and_late_resources_are_read() {
    use crate::proto::{put_bytes, put_message};
    let span = with_span(|_| {}).resource_spans[0].scope_spans[0].spans[0].encode_to_vec();
    let resource = Resource {
        attributes: vec![common::KeyValue {
            key: "service.name".into(),
            value: Some(common::AnyValue {
                value: Some(common::any_value::Value::StringValue("shop".into())),
            }),
            ..Default::default()
        }],
        ..Default::default()
    };
    let mut bytes = Vec::new();
    put_message(&mut bytes, 1, |out| {
        put_message(out, 1000, |out| put_bytes(out, 2, &span));
        put_bytes(out, 1, &resource.encode_to_vec());
    });
    let batch = slice(bytes.into(), &SliceLimits::default()).unwrap();
    assert_eq!(batch.spans().len(), 1);
    assert_eq!(batch.get(batch.resources()[0].service), b"shop");
}

#[test]
fn attributes_read_at_a_glance_are_those_read_slowly() {
    use crate::proto::{put_bytes, put_message};
    let mut checked = 0;
    for key in [0, 1, 126, 127, 128] {
        for text in [0, 1, 123, 124, 125, 126, 127, 128, 300] {
            let mut body = Vec::new();
            put_bytes(&mut body, 1, &vec![b'k'; key]);
            put_message(&mut body, 2, |out| put_bytes(out, 1, &vec![b't'; text]));
            let slow = crate::view::key_value(&body).unwrap();
            if let Some((k, t)) = short_text(&body) {
                assert_eq!((k, ValueView::Str(t)), slow);
                checked += 1;
            }
            for cut in 0..body.len() {
                assert_eq!(short_text(&body[..cut]), None, "{key} {text} {cut}");
            }
            body.push(0);
            assert_eq!(short_text(&body), None);
        }
    }
    assert!(checked >= 20, "{checked}");
}
