//! The messages of OpenCensus as plain values, their JSON, and what they are as OTLP: by the tables of
//! `docs/protocols/opencensus.md`, with no regard for speed.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::resource::v1::Resource as ToResource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link as ToLink};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span as ToSpan, Status as ToStatus};

#[derive(Clone, PartialEq, prost::Message)]
pub struct Request {
    #[prost(message, optional, tag = "1")]
    pub node: Option<Node>,
    #[prost(message, repeated, tag = "2")]
    pub spans: Vec<Span>,
    #[prost(message, optional, tag = "3")]
    pub resource: Option<Resource>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Node {
    #[prost(message, optional, tag = "1")]
    pub identifier: Option<Identifier>,
    #[prost(message, optional, tag = "2")]
    pub library_info: Option<Library>,
    #[prost(message, optional, tag = "3")]
    pub service_info: Option<Service>,
    #[prost(btree_map = "string, string", tag = "4")]
    pub attributes: BTreeMap<String, String>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Identifier {
    #[prost(string, tag = "1")]
    pub host_name: String,
    #[prost(uint32, tag = "2")]
    pub pid: u32,
    #[prost(message, optional, tag = "3")]
    pub start_timestamp: Option<Timestamp>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Library {
    #[prost(int32, tag = "1")]
    pub language: i32,
    #[prost(string, tag = "2")]
    pub exporter_version: String,
    #[prost(string, tag = "3")]
    pub core_library_version: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Service {
    #[prost(string, tag = "1")]
    pub name: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Resource {
    #[prost(string, tag = "1")]
    pub kind: String,
    #[prost(btree_map = "string, string", tag = "2")]
    pub labels: BTreeMap<String, String>,
}

#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct Timestamp {
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Truncatable {
    #[prost(string, tag = "1")]
    pub value: String,
    #[prost(int32, tag = "2")]
    pub truncated_byte_count: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Span {
    #[prost(bytes = "vec", tag = "1")]
    pub trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub span_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    pub parent_span_id: Vec<u8>,
    #[prost(message, optional, tag = "4")]
    pub name: Option<Truncatable>,
    #[prost(message, optional, tag = "5")]
    pub start_time: Option<Timestamp>,
    #[prost(message, optional, tag = "6")]
    pub end_time: Option<Timestamp>,
    #[prost(message, optional, tag = "7")]
    pub attributes: Option<Attributes>,
    #[prost(message, optional, tag = "9")]
    pub time_events: Option<TimeEvents>,
    #[prost(message, optional, tag = "10")]
    pub links: Option<Links>,
    #[prost(message, optional, tag = "11")]
    pub status: Option<Status>,
    #[prost(message, optional, tag = "12")]
    pub same_process: Option<Flag>,
    #[prost(int32, tag = "14")]
    pub kind: i32,
    #[prost(message, optional, tag = "15")]
    pub tracestate: Option<Tracestate>,
    #[prost(message, optional, tag = "16")]
    pub resource: Option<Resource>,
}

#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct Flag {
    #[prost(bool, tag = "1")]
    pub value: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Attributes {
    #[prost(btree_map = "string, message", tag = "1")]
    pub attribute_map: BTreeMap<String, AttributeValue>,
    #[prost(int32, tag = "2")]
    pub dropped: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct AttributeValue {
    #[prost(oneof = "Choice", tags = "1, 2, 3, 4")]
    pub value: Option<Choice>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub enum Choice {
    #[prost(message, tag = "1")]
    Text(Truncatable),
    #[prost(int64, tag = "2")]
    Int(i64),
    #[prost(bool, tag = "3")]
    Bool(bool),
    #[prost(double, tag = "4")]
    Double(f64),
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct TimeEvents {
    #[prost(message, repeated, tag = "1")]
    pub time_event: Vec<TimeEvent>,
    #[prost(int32, tag = "2")]
    pub dropped_annotations: i32,
    #[prost(int32, tag = "3")]
    pub dropped_messages: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct TimeEvent {
    #[prost(message, optional, tag = "1")]
    pub time: Option<Timestamp>,
    #[prost(oneof = "What", tags = "2, 3")]
    pub what: Option<What>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub enum What {
    #[prost(message, tag = "2")]
    Annotation(Annotation),
    #[prost(message, tag = "3")]
    Message(MessageEvent),
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Annotation {
    #[prost(message, optional, tag = "1")]
    pub description: Option<Truncatable>,
    #[prost(message, optional, tag = "2")]
    pub attributes: Option<Attributes>,
}

#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct MessageEvent {
    #[prost(int32, tag = "1")]
    pub kind: i32,
    #[prost(uint64, tag = "2")]
    pub id: u64,
    #[prost(uint64, tag = "3")]
    pub uncompressed_size: u64,
    #[prost(uint64, tag = "4")]
    pub compressed_size: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Links {
    #[prost(message, repeated, tag = "1")]
    pub link: Vec<Link>,
    #[prost(int32, tag = "2")]
    pub dropped: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Link {
    #[prost(bytes = "vec", tag = "1")]
    pub trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub span_id: Vec<u8>,
    #[prost(int32, tag = "3")]
    pub kind: i32,
    #[prost(message, optional, tag = "4")]
    pub attributes: Option<Attributes>,
    #[prost(message, optional, tag = "5")]
    pub tracestate: Option<Tracestate>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Status {
    #[prost(int32, tag = "1")]
    pub code: i32,
    #[prost(string, tag = "2")]
    pub message: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Tracestate {
    #[prost(message, repeated, tag = "1")]
    pub entries: Vec<Entry>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Entry {
    #[prost(string, tag = "1")]
    pub key: String,
    #[prost(string, tag = "2")]
    pub value: String,
}

impl Truncatable {
    pub fn new(value: &str) -> Self {
        Self { value: value.to_owned(), truncated_byte_count: 0 }
    }
}

/// What a request is as OTLP, the attributes of resources sorted by key.
pub fn expected(
    node: Option<&Node>,
    resource: Option<&Resource>,
    spans: &[Span],
) -> ExportTraceServiceRequest {
    let mut groups: Vec<(Option<&Resource>, Vec<ToSpan>)> = Vec::new();
    let usual: Vec<ToSpan> = spans.iter().filter(|s| s.resource.is_none()).map(span).collect();
    if !usual.is_empty() {
        groups.push((resource, usual));
    }
    let mut last: Option<&Resource> = None;
    for own in spans.iter().filter(|s| s.resource.is_some()) {
        if last != own.resource.as_ref() {
            groups.push((own.resource.as_ref(), Vec::new()));
            last = own.resource.as_ref();
        }
        groups.last_mut().unwrap().1.push(span(own));
    }
    let group = |(resource, spans)| ResourceSpans {
        resource: Some(to_resource(node, resource)),
        scope_spans: vec![ScopeSpans { spans, ..Default::default() }],
        ..Default::default()
    };
    ExportTraceServiceRequest { resource_spans: groups.into_iter().map(group).collect() }
}

fn to_resource(node: Option<&Node>, resource: Option<&Resource>) -> ToResource {
    let mut found: BTreeMap<String, Value> = BTreeMap::new();
    let text = |text: &str| Value::StringValue(text.to_owned());
    for (key, value) in resource.iter().flat_map(|resource| &resource.labels) {
        let key = if key == "cloud.zone" { "cloud.availability_zone" } else { key };
        found.insert(key.to_owned(), text(value));
    }
    for (key, value) in node.iter().flat_map(|node| &node.attributes) {
        found.insert(key.clone(), text(value));
    }
    let mut put = |key: &str, value: &str| {
        if !value.is_empty() {
            found.insert(key.to_owned(), text(value));
        }
    };
    if let Some(service) = node.and_then(|node| node.service_info.as_ref()) {
        put("service.name", &service.name);
    }
    if let Some(library) = node.and_then(|node| node.library_info.as_ref()) {
        let languages =
            ["", "cpp", "dotnet", "erlang", "go", "java", "nodejs", "php", "python", "ruby", "webjs"];
        put("telemetry.sdk.language", languages.get(library.language as usize).unwrap_or(&""));
        put("telemetry.sdk.version", &library.core_library_version);
        put("opencensus.exporterversion", &library.exporter_version);
    }
    put("opencensus.resourcetype", resource.map_or("", |resource| &resource.kind));
    if let Some(identifier) = node.and_then(|node| node.identifier.as_ref()) {
        put("host.name", &identifier.host_name);
        if identifier.start_timestamp == Some(Timestamp { seconds: 1_583_020_799, nanos: 500_000_000 }) {
            put("opencensus.starttime", "2020-02-29T23:59:59.5Z");
        }
        if identifier.pid != 0 {
            found.insert("process.pid".to_owned(), Value::IntValue(identifier.pid.into()));
        }
    }
    ToResource {
        attributes: found.into_iter().map(|(key, value)| key_value(key, value)).collect(),
        ..Default::default()
    }
}

fn key_value(key: impl Into<String>, value: Value) -> KeyValue {
    KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }), ..Default::default() }
}

fn nanos(time: Option<Timestamp>) -> Option<u64> {
    let time = time?;
    u64::try_from(i128::from(time.seconds) * 1_000_000_000 + i128::from(time.nanos)).ok()
}

fn count(value: i32) -> u32 {
    value.max(0) as u32
}

fn attributes(from: Option<&Attributes>) -> (Vec<KeyValue>, u32) {
    let Some(from) = from else { return (Vec::new(), 0) };
    let value = |(key, value): (&String, &AttributeValue)| {
        let value = value.value.clone().map(|choice| match choice {
            Choice::Text(text) => Value::StringValue(text.value),
            Choice::Int(v) => Value::IntValue(v),
            Choice::Bool(v) => Value::BoolValue(v),
            Choice::Double(v) => Value::DoubleValue(v),
        });
        KeyValue { key: key.clone(), value: Some(AnyValue { value }), ..Default::default() }
    };
    (from.attribute_map.iter().map(value).collect(), count(from.dropped))
}

fn trace_state(from: Option<&Tracestate>) -> String {
    let entries = from.map_or(&[][..], |state| &state.entries);
    let texts: Vec<String> = entries.iter().map(|entry| format!("{}={}", entry.key, entry.value)).collect();
    texts.join(",")
}

fn span(from: &Span) -> ToSpan {
    let (mut attributes, dropped_attributes_count) = attributes(from.attributes.as_ref());
    let mut kind = [0, 2, 3].get(from.kind as usize).copied().unwrap_or(0);
    if from.kind == 0
        && let Some(at) = attributes.iter().position(|a| a.key == "span.kind")
        && let Some(Value::StringValue(name)) = attributes[at].value.clone().and_then(|v| v.value)
        && let Some(known) = [("internal", 1), ("producer", 4), ("consumer", 5)].iter().find(|k| k.0 == name)
    {
        kind = known.1;
        attributes.remove(at);
    }
    let mut code = from.status.as_ref().map_or(0, |status| if status.code == 0 { 0 } else { 2 });
    if from.status.is_some()
        && let Some(at) = attributes.iter().position(|a| a.key == "otel.status_code")
        && let Some(Value::IntValue(said @ 0..=2)) = attributes[at].value.clone().and_then(|v| v.value)
    {
        code = said as i32;
        attributes.remove(at);
    }
    if let Some(same) = from.same_process {
        attributes.push(key_value("opencensus.same_process_as_parent_span", Value::BoolValue(same.value)));
    }
    if let Some(status) = from.status.as_ref().filter(|status| status.code != 0) {
        attributes.push(key_value("opencensus.status_code", Value::IntValue(status.code.into())));
    }
    let message = from.status.as_ref().map_or(String::new(), |status| status.message.clone());
    let (start, end) = (nanos(from.start_time), nanos(from.end_time));
    let events = from.time_events.clone().unwrap_or_default();
    let links = from.links.clone().unwrap_or_default();
    ToSpan {
        trace_id: from.trace_id.clone(),
        span_id: from.span_id.clone(),
        parent_span_id: if from.parent_span_id == [0; 8] { Vec::new() } else { from.parent_span_id.clone() },
        trace_state: trace_state(from.tracestate.as_ref()),
        name: from.name.as_ref().map_or(String::new(), |name| name.value.clone()),
        kind,
        start_time_unix_nano: start.or(end).unwrap_or(0),
        end_time_unix_nano: end.or(start).unwrap_or(0),
        attributes,
        dropped_attributes_count,
        events: events.time_event.iter().map(event).collect(),
        dropped_events_count: count(events.dropped_annotations)
            .saturating_add(count(events.dropped_messages)),
        links: links.link.iter().map(link).collect(),
        dropped_links_count: count(links.dropped),
        status: (code != 0 || !message.is_empty()).then_some(ToStatus { code, message }),
        ..Default::default()
    }
}

fn named(names: [&str; 3], value: i32) -> Value {
    let name = names.get(value as usize).map_or_else(|| value.to_string(), |name| (*name).to_owned());
    Value::StringValue(name)
}

fn event(from: &TimeEvent) -> Event {
    let mut to = Event { time_unix_nano: nanos(from.time).unwrap_or(0), ..Default::default() };
    match &from.what {
        None => {}
        Some(What::Annotation(annotation)) => {
            to.name = annotation.description.as_ref().map_or(String::new(), |text| text.value.clone());
            (to.attributes, to.dropped_attributes_count) = attributes(annotation.attributes.as_ref());
        }
        Some(What::Message(message)) => {
            to.name = "message".to_owned();
            let int = |value: u64| Value::IntValue(value as i64);
            to.attributes = vec![
                key_value("message.type", named(["TYPE_UNSPECIFIED", "SENT", "RECEIVED"], message.kind)),
                key_value("messaging.message_id", int(message.id)),
                key_value("messaging.message_payload_size_bytes", int(message.uncompressed_size)),
                key_value("messaging.message_payload_compressed_size_bytes", int(message.compressed_size)),
            ];
        }
    }
    to
}

fn link(from: &Link) -> ToLink {
    let (others, dropped_attributes_count) = attributes(from.attributes.as_ref());
    let names = ["TYPE_UNSPECIFIED", "CHILD_LINKED_SPAN", "PARENT_LINKED_SPAN"];
    let kind = (from.kind != 0).then(|| key_value("opencensus.link.type", named(names, from.kind)));
    ToLink {
        trace_id: from.trace_id.clone(),
        span_id: from.span_id.clone(),
        trace_state: trace_state(from.tracestate.as_ref()),
        attributes: kind.into_iter().chain(others).collect(),
        dropped_attributes_count,
        ..Default::default()
    }
}
