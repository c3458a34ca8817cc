//! A trace as an answer in JSON, in the dialect that clients of the query API decode strictly: lowerCamelCase
//! names, zero values left out, 64-bit integers as strings, bytes (ids too) as base64, enums by name.
//!
//! `Resource`, `Scope` and `Status` objects are there even when empty. Fields of a later OTLP cannot be said in
//! this form and are left out; the protobuf form has them.
//!
//! [`otlp`] writes the same messages as OTLP/JSON, which differs in two things: ids are hexadecimal, enums are numbers.

use spanloom_span::model::{
    AnyValue, Event, KeyValue, Link, Resource, ResourceSpans, Scope, ScopeSpans, Span, Status, Trace,
};

use crate::json_out::{Object, base64, double, hex, integer, list};

/// How a trace by id was found, for the reader.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TraceReport<'a> {
    /// Bytes that were looked at.
    pub inspected_bytes: u64,
    /// Reads from the object store.
    pub backend_reads: u64,
    /// Bytes of those reads.
    pub backend_bytes: u64,
    /// Whether something is missing from the trace.
    pub partial: bool,
    /// What is missing and why; empty when nothing is.
    pub message: &'a str,
}

/// The answer of `/api/traces/{id}`: OTLP JSON whose list is called `batches`.
pub fn v1(trace: &Trace) -> Vec<u8> {
    let mut out = Vec::with_capacity(256 + trace.span_count() * 1024);
    let mut top = Object::begin(&mut out);
    resource_spans(&mut top, "batches", trace, Dialect::Api);
    top.end();
    out
}

/// The answer of `/api/v2/traces/{id}`: a `TraceByIDResponse`.
pub fn v2(trace: &Trace, report: &TraceReport<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(256 + trace.span_count() * 1024);
    let mut top = Object::begin(&mut out);
    top.object("trace", |o| resource_spans(o, "resourceSpans", trace, Dialect::Api));
    put_report(&mut top, report);
    top.end();
    out
}

/// Appends an `ExportTraceServiceRequest` in OTLP/JSON, without a line break in it: what OpenTelemetry's collector
/// writes to and reads from files, one on each line.
/// Source: <https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>.
pub fn otlp(trace: &Trace, out: &mut Vec<u8>) {
    let mut top = Object::begin(out);
    resource_spans(&mut top, "resourceSpans", trace, Dialect::Otlp);
    top.end();
}

/// Appends the `ResourceSpans` of a trace in OTLP/JSON with commas between, for a list that others go on with.
pub fn otlp_elements(trace: &Trace, out: &mut Vec<u8>) {
    for (index, one) in trace.resource_spans.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        let mut o = Object::begin(out);
        one_resource_spans(&mut o, one, Dialect::Otlp);
        o.end();
    }
}

/// How ids and enums are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    /// Ids as base64, enums by name: protobuf's own JSON.
    Api,
    /// Ids as hexadecimal digits, enums as numbers: OTLP/JSON.
    Otlp,
}

impl Dialect {
    fn id(self, o: &mut Object<'_>, name: &str, id: &[u8]) {
        match self {
            Self::Api => o.bytes(name, id),
            Self::Otlp if id.is_empty() => {}
            Self::Otlp => {
                let out = o.key(name);
                out.push(b'"');
                hex(out, id);
                out.push(b'"');
            }
        }
    }

    fn named(self, o: &mut Object<'_>, name: &str, value: i32, names: fn(i32) -> Option<&'static str>) {
        match self {
            Self::Api => o.named(name, value, names),
            Self::Otlp => o.named(name, value, |_| None),
        }
    }
}

pub(crate) fn put_report(top: &mut Object<'_>, report: &TraceReport<'_>) {
    top.object("metrics", |o| {
        o.quoted_integer("inspectedBytes", report.inspected_bytes);
        o.quoted_integer("backendReads", report.backend_reads);
        o.quoted_integer("backendBytes", report.backend_bytes);
    });
    if report.partial {
        top.text("status", "PARTIAL");
    }
    top.text("message", report.message);
}

/// The name of a span kind; `None` for a number without one.
pub fn kind_name(kind: i32) -> Option<&'static str> {
    const NAMES: [&str; 6] = [
        "SPAN_KIND_UNSPECIFIED",
        "SPAN_KIND_INTERNAL",
        "SPAN_KIND_SERVER",
        "SPAN_KIND_CLIENT",
        "SPAN_KIND_PRODUCER",
        "SPAN_KIND_CONSUMER",
    ];
    NAMES.get(usize::try_from(kind).ok()?).copied()
}

/// The name of a status code; `None` for a number without one.
pub fn status_name(code: i32) -> Option<&'static str> {
    const NAMES: [&str; 3] = ["STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"];
    NAMES.get(usize::try_from(code).ok()?).copied()
}

fn resource_spans(object: &mut Object<'_>, name: &str, trace: &Trace, dialect: Dialect) {
    object.list(name, &trace.resource_spans, |o, one: &ResourceSpans| one_resource_spans(o, one, dialect));
}

fn one_resource_spans(o: &mut Object<'_>, one: &ResourceSpans, dialect: Dialect) {
    o.object("resource", |o| resource(o, &one.resource));
    o.list("scopeSpans", &one.scope_spans, |o, one: &ScopeSpans| {
        o.object("scope", |o| scope(o, &one.scope));
        o.list("spans", &one.spans, |o, one| span(o, one, dialect));
        o.text("schemaUrl", &one.schema_url);
    });
    o.text("schemaUrl", &one.schema_url);
}

fn resource(o: &mut Object<'_>, resource: &Resource) {
    o.list("attributes", &resource.attributes, key_value);
    o.integer("droppedAttributesCount", resource.dropped_attributes_count);
}

fn scope(o: &mut Object<'_>, scope: &Scope) {
    o.text("name", &scope.name);
    o.text("version", &scope.version);
    o.list("attributes", &scope.attributes, key_value);
    o.integer("droppedAttributesCount", scope.dropped_attributes_count);
}

fn span(o: &mut Object<'_>, span: &Span, dialect: Dialect) {
    dialect.id(o, "traceId", &span.trace_id.0);
    dialect.id(o, "spanId", &span.span_id.0);
    o.text("traceState", &span.trace_state);
    dialect.id(o, "parentSpanId", &span.parent_span_id);
    o.integer("flags", span.flags);
    o.text("name", &span.name);
    dialect.named(o, "kind", span.kind, kind_name);
    o.quoted_integer("startTimeUnixNano", span.start_time_unix_nano);
    o.quoted_integer("endTimeUnixNano", span.end_time_unix_nano);
    o.list("attributes", &span.attributes, key_value);
    o.integer("droppedAttributesCount", span.dropped_attributes_count);
    o.list("events", &span.events, event);
    o.integer("droppedEventsCount", span.dropped_events_count);
    o.list("links", &span.links, |o, one| link(o, one, dialect));
    o.integer("droppedLinksCount", span.dropped_links_count);
    o.object("status", |o| status(o, &span.status, dialect));
}

fn status(o: &mut Object<'_>, status: &Status, dialect: Dialect) {
    o.text("message", &status.message);
    dialect.named(o, "code", status.code, status_name);
}

fn event(o: &mut Object<'_>, event: &Event) {
    o.quoted_integer("timeUnixNano", event.time_unix_nano);
    o.text("name", &event.name);
    o.list("attributes", &event.attributes, key_value);
    o.integer("droppedAttributesCount", event.dropped_attributes_count);
}

fn link(o: &mut Object<'_>, link: &Link, dialect: Dialect) {
    dialect.id(o, "traceId", &link.trace_id);
    dialect.id(o, "spanId", &link.span_id);
    o.text("traceState", &link.trace_state);
    o.list("attributes", &link.attributes, key_value);
    o.integer("droppedAttributesCount", link.dropped_attributes_count);
    o.integer("flags", link.flags);
}

fn key_value(o: &mut Object<'_>, attribute: &KeyValue) {
    o.text("key", &attribute.key);
    o.object("value", |o| any_value(o, &attribute.value));
}

/// The inside of a value's object. Which of its fields is there says the type, so zero values are written.
pub fn any_value(o: &mut Object<'_>, value: &AnyValue) {
    match value {
        AnyValue::Empty => {}
        AnyValue::Str(text) => crate::json_out::string(o.key("stringValue"), text),
        AnyValue::Bool(value) => {
            o.key("boolValue").extend_from_slice(if *value { b"true" } else { b"false" });
        }
        AnyValue::Int(value) => {
            let out = o.key("intValue");
            out.push(b'"');
            integer(out, *value);
            out.push(b'"');
        }
        AnyValue::Double(value) => double(o.key("doubleValue"), *value),
        AnyValue::Array(values) => o.object("arrayValue", |o| o.list("values", values, any_value)),
        AnyValue::Map(values) => o.object("kvlistValue", |o| o.list("values", values, key_value)),
        AnyValue::Bytes(bytes) => base64(o.key("bytesValue"), bytes),
    }
}

/// Attributes as plain JSON values by key, for readers that want few words.
pub(crate) fn plain_attributes(o: &mut Object<'_>, name: &str, attributes: &[KeyValue]) {
    o.object(name, |o| plain_map(o, attributes));
}

fn plain_map(o: &mut Object<'_>, attributes: &[KeyValue]) {
    for (index, attribute) in attributes.iter().enumerate() {
        // A repeated key would make the object ambiguous; the first one counts, as in lookups.
        if attributes[..index].iter().all(|earlier| earlier.key != attribute.key) {
            plain_value(o.key(&attribute.key), &attribute.value);
        }
    }
}

pub(crate) fn plain_value(out: &mut Vec<u8>, value: &AnyValue) {
    match value {
        AnyValue::Empty => out.extend_from_slice(b"null"),
        AnyValue::Str(text) => crate::json_out::string(out, text),
        AnyValue::Bool(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
        AnyValue::Int(value) => integer(out, *value),
        AnyValue::Double(value) => double(out, *value),
        AnyValue::Array(values) => list(out, values, plain_value),
        AnyValue::Map(values) => {
            let mut o = Object::begin(out);
            plain_map(&mut o, values);
            o.end();
        }
        AnyValue::Bytes(bytes) => base64(out, bytes),
    }
}

#[cfg(test)]
mod tests;
