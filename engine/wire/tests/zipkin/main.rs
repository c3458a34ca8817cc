//! Zipkin's four encodings against the OTLP that they stand for.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a test answers by panicking

mod back;
mod golden;
mod laws;
mod model;
mod tags;
mod v1;
mod v2;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, Span};
use prost::Message;
use spanloom_span::slice::{SliceLimits, slice};
use spanloom_wire::Foreign;
use spanloom_wire::zipkin::{self, Options};

/// A translation.
type Translate = fn(&[u8], &Options, usize, &mut Vec<u8>) -> Result<u64, Foreign>;

/// The translations of bodies of requests.
const ALL: [(&str, Translate); 4] = [
    ("v2 JSON", zipkin::v2_json),
    ("v2 protobuf", zipkin::v2_proto),
    ("v1 JSON", zipkin::v1_json),
    ("v1 Thrift", zipkin::v1_thrift),
];

const ROOM: usize = 64 << 20;

/// Translates, and holds what comes out against what is promised of it.
#[track_caller]
fn translate(with: Translate, body: &[u8], options: &Options) -> ExportTraceServiceRequest {
    let mut out = Vec::new();
    let spans = with(body, options, ROOM, &mut out).unwrap_or_else(|error| panic!("{error}"));
    let request = ExportTraceServiceRequest::decode(&out[..]).unwrap();
    let batch = slice(out.into(), &SliceLimits::default()).unwrap();
    assert_eq!(batch.spans().len() as u64, spans);
    request
}

#[track_caller]
fn fails(with: Translate, body: &[u8]) -> Foreign {
    let mut out = b"before".to_vec();
    let error = with(body, &Options::default(), ROOM, &mut out).unwrap_err();
    assert_eq!(out, b"before");
    error
}

/// The only span of a request, and its resource's and scope's parts.
#[track_caller]
fn only(request: &ExportTraceServiceRequest) -> (&ResourceSpans, &Span) {
    let [resource] = &request.resource_spans[..] else { panic!("{request:?}") };
    let [scope] = &resource.scope_spans[..] else { panic!("{request:?}") };
    let [span] = &scope.spans[..] else { panic!("{request:?}") };
    (resource, span)
}

/// Attributes as lines of text, sorted: `key=value`, with text in quotes.
fn lines(attributes: &[KeyValue]) -> Vec<String> {
    let mut lines: Vec<String> =
        attributes.iter().map(|pair| format!("{}={}", pair.key, line(pair.value.as_ref()))).collect();
    lines.sort();
    lines
}

fn line(value: Option<&AnyValue>) -> String {
    match value.and_then(|any| any.value.as_ref()) {
        None => "nothing".to_owned(),
        Some(Value::StringValue(text)) => format!("{text:?}"),
        Some(Value::BoolValue(value)) => value.to_string(),
        Some(Value::IntValue(value)) => value.to_string(),
        Some(Value::DoubleValue(value)) => format!("{value:?}"),
        Some(Value::BytesValue(bytes)) => format!("x{}", model::hex(bytes)),
        Some(Value::ArrayValue(list)) => {
            let values: Vec<String> = list.values.iter().map(|value| line(Some(value))).collect();
            format!("[{}]", values.join(","))
        }
        Some(Value::KvlistValue(list)) => format!("{{{}}}", lines(&list.values).join(",")),
        Some(other) => format!("{other:?}"),
    }
}

/// Events as lines of text: `nanoseconds name attributes`.
fn events(span: &Span) -> Vec<String> {
    let events = span.events.iter();
    events
        .map(|event| {
            let mut line = format!("{} {}", event.time_unix_nano, event.name);
            for attribute in lines(&event.attributes) {
                line = line + " " + &attribute;
            }
            if event.dropped_attributes_count > 0 {
                line += &format!(" dropped={}", event.dropped_attributes_count);
            }
            line
        })
        .collect()
}
