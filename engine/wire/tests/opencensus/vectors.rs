//! What the OpenCensus client for Python sent; `vectors/README.md` says how the files were made.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use spanloom_wire::opencensus::Stream;

use crate::{translate, translate_json};

pub const CLIENT_SPAN: &[u8] = include_bytes!("vectors/client-0.bin");
pub const SERVER_SPAN: &[u8] = include_bytes!("vectors/client-1.bin");
pub const EVERY_FIELD: &[u8] = include_bytes!("vectors/every-field.bin");
const EVERY_FIELD_JSON: &str = include_str!("vectors/every-field.json");

fn proto(message: &[u8]) -> ExportTraceServiceRequest {
    translate(&mut Stream::default(), message).unwrap()
}

fn spans(request: &ExportTraceServiceRequest, resource: usize) -> &[Span] {
    &request.resource_spans[resource].scope_spans[0].spans
}

/// Attributes as `key=value`, sorted.
fn shown(attributes: &[KeyValue]) -> Vec<String> {
    let show = |attribute: &KeyValue| {
        let value = match attribute.value.clone().unwrap().value {
            Some(Value::StringValue(text)) => text,
            Some(Value::IntValue(v)) => v.to_string(),
            Some(Value::BoolValue(v)) => v.to_string(),
            Some(Value::DoubleValue(v)) => v.to_string(),
            None => "(none)".to_owned(),
            other => panic!("{other:?}"),
        };
        format!("{}={value}", attribute.key)
    };
    let mut found: Vec<String> = attributes.iter().map(show).collect();
    found.sort();
    found
}

fn resource(request: &ExportTraceServiceRequest, resource: usize) -> Vec<String> {
    shown(&request.resource_spans[resource].resource.as_ref().unwrap().attributes)
}

fn hex(id: &[u8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn what_the_client_sends_is_read() {
    let request = proto(SERVER_SPAN);
    let expected = [
        "host.name=host-1",
        "opencensus.exporterversion=0.0.1",
        "opencensus.starttime=2026-11-22T16:52:41.720608Z",
        "process.pid=4242",
        "service.name=shop",
        "telemetry.sdk.language=python",
        "telemetry.sdk.version=0.11.4",
    ];
    assert_eq!(resource(&request, 0), expected);
    let [span] = spans(&request, 0) else { panic!("{request:?}") };
    assert_eq!(hex(&span.trace_id), "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(hex(&span.span_id), "f2a74de452e6b438");
    assert_eq!(hex(&span.parent_span_id), "00f067aa0ba902b7");
    assert_eq!((span.name.as_str(), span.kind), ("GET /cart", 2));
    assert_eq!(span.trace_state, "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7");
    assert_eq!(span.start_time_unix_nano, 1_795_366_361_720_903_000);
    assert_eq!(span.end_time_unix_nano, 1_795_366_361_736_745_000);
    let expected = [
        "http.method=GET",
        "http.path=/cart/é",
        "http.status_code=500",
        "opencensus.status_code=13",
        "retry=true",
        "share=0.25",
    ];
    assert_eq!(shown(&span.attributes), expected);
    let status = span.status.as_ref().unwrap();
    assert_eq!((status.code, status.message.as_str()), (2, "no stock"));

    let [annotation, message] = &span.events[..] else { panic!("{:?}", span.events) };
    assert_eq!(
        (annotation.name.as_str(), shown(&annotation.attributes)),
        ("looked up", vec!["cache=miss".to_owned(), "items=3".to_owned()])
    );
    assert_eq!((message.name.as_str(), message.time_unix_nano), ("message", 1_785_585_600_250_000_000));
    let expected = [
        "message.type=RECEIVED",
        "messaging.message_id=1",
        "messaging.message_payload_compressed_size_bytes=300",
        "messaging.message_payload_size_bytes=1200",
    ];
    assert_eq!(shown(&message.attributes), expected);

    let [link] = &span.links[..] else { panic!("{:?}", span.links) };
    assert_eq!(hex(&link.trace_id), "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(hex(&link.span_id), "b7ad6b7169203331");
    assert_eq!(shown(&link.attributes), ["opencensus.link.type=PARENT_LINKED_SPAN", "why=batch"]);
}

#[test]
fn the_span_within_names_its_parent() {
    let (inner, outer) = (proto(CLIENT_SPAN), proto(SERVER_SPAN));
    let (inner, outer) = (&spans(&inner, 0)[0], &spans(&outer, 0)[0]);
    assert_eq!((inner.name.as_str(), inner.kind), ("stock.Get", 3));
    assert_eq!(inner.parent_span_id, outer.span_id);
    assert_eq!(inner.status, None);
}

#[test]
fn json_says_the_same() {
    let check = |message: &[u8], texts: &[&str]| {
        for text in texts {
            assert_eq!(sorted(translate_json(text).unwrap()), sorted(proto(message)), "{text}");
        }
    };
    check(CLIENT_SPAN, &[include_str!("vectors/client-0.json"), include_str!("vectors/client-0-snake.json")]);
    check(SERVER_SPAN, &[include_str!("vectors/client-1.json"), include_str!("vectors/client-1-snake.json")]);
    check(EVERY_FIELD, &[EVERY_FIELD_JSON]);
}

/// Maps have no order: not on the wire, and not here.
fn sorted(mut request: ExportTraceServiceRequest) -> ExportTraceServiceRequest {
    let sort = |attributes: &mut Vec<KeyValue>| attributes.sort_by(|a, b| a.key.cmp(&b.key));
    let scopes = request.resource_spans.iter_mut().flat_map(|resource| &mut resource.scope_spans);
    for span in scopes.flat_map(|scope| &mut scope.spans) {
        sort(&mut span.attributes);
        span.events.iter_mut().for_each(|event| sort(&mut event.attributes));
        span.links.iter_mut().for_each(|link| sort(&mut link.attributes));
    }
    request
}

#[test]
fn every_field_has_its_place() {
    let request = proto(EVERY_FIELD);
    let expected = [
        "cloud.availability_zone=eu-1",
        "host.name=host-1",
        "k8s.pod.name=shop-0",
        "opencensus.exporterversion=0.7.0",
        "opencensus.resourcetype=container",
        "opencensus.starttime=2026-08-01T11:59:00.12Z",
        "process.pid=4242",
        "service.name=shop",
        "telemetry.sdk.language=go",
        "telemetry.sdk.version=0.24.0",
        "zone=node",
    ];
    assert_eq!(resource(&request, 0), expected);
    let [queue] = spans(&request, 0) else { panic!("{request:?}") };
    assert_eq!((queue.name.as_str(), queue.kind, queue.attributes.len()), ("queue", 5, 0));

    assert!(resource(&request, 1).contains(&"host.id=h-1".to_owned()));
    assert!(resource(&request, 1).contains(&"opencensus.resourcetype=host".to_owned()));
    let [span] = spans(&request, 1) else { panic!("{request:?}") };
    assert_eq!(
        (span.trace_state.as_str(), span.start_time_unix_nano),
        ("a=1,b=2", 1_785_585_600_000_000_001)
    );
    let expected = [
        "bool=true",
        "double=-0.5",
        "int=-9223372036854775808",
        "nothing=(none)",
        "opencensus.same_process_as_parent_span=false",
        "opencensus.status_code=5",
        "text=cut",
    ];
    assert_eq!(shown(&span.attributes), expected);
    let dropped = (span.dropped_attributes_count, span.dropped_events_count, span.dropped_links_count);
    assert_eq!(dropped, (1, 9, 7));
    assert_eq!((span.events[0].dropped_attributes_count, span.links[0].dropped_attributes_count), (2, 6));
    assert_eq!(shown(&span.links[0].attributes), ["opencensus.link.type=CHILD_LINKED_SPAN", "why=batch"]);
    assert_eq!(span.status.as_ref().unwrap().message, "no such cart");
}
