//! The owned form to OTLP bytes. `Resource`, `InstrumentationScope` and `Status` are written even when empty,
//! since clients expect them to be there; other zero values are left out, as proto3 does.

use crate::model::{
    AnyValue, Event, KeyValue, Link, Resource, ResourceSpans, Scope, ScopeSpans, Span, Status, Trace,
};
use crate::proto::{put_bytes, put_fixed32, put_fixed64, put_message, put_text, put_uint};

/// A trace as `TracesData`, which is also `ExportTraceServiceRequest` and `tempopb.Trace` on the wire.
pub fn traces_data(trace: &Trace) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 + trace.span_count() * 512);
    put_traces_data(&mut out, trace);
    out
}

/// Appends a trace as `TracesData`.
pub fn put_traces_data(out: &mut Vec<u8>, trace: &Trace) {
    for resource_spans in &trace.resource_spans {
        put_message(out, 1, |out| put_resource_spans(out, resource_spans));
    }
}

fn put_resource_spans(out: &mut Vec<u8>, part: &ResourceSpans) {
    put_message(out, 1, |out| put_resource(out, &part.resource));
    for scope_spans in &part.scope_spans {
        put_message(out, 2, |out| put_scope_spans(out, scope_spans));
    }
    put_text(out, 3, part.schema_url.as_bytes());
}

fn put_scope_spans(out: &mut Vec<u8>, part: &ScopeSpans) {
    put_message(out, 1, |out| put_scope(out, &part.scope));
    for span in &part.spans {
        put_message(out, 2, |out| put_span(out, span));
    }
    put_text(out, 3, part.schema_url.as_bytes());
}

/// Appends the body of a `Resource`.
pub fn put_resource(out: &mut Vec<u8>, resource: &Resource) {
    put_attributes(out, 1, &resource.attributes);
    put_count(out, 2, resource.dropped_attributes_count);
    out.extend_from_slice(&resource.unknown);
}

/// Appends the body of an `InstrumentationScope`.
pub fn put_scope(out: &mut Vec<u8>, scope: &Scope) {
    put_text(out, 1, scope.name.as_bytes());
    put_text(out, 2, scope.version.as_bytes());
    put_attributes(out, 3, &scope.attributes);
    put_count(out, 4, scope.dropped_attributes_count);
    out.extend_from_slice(&scope.unknown);
}

/// Appends the body of a `Span`.
pub fn put_span(out: &mut Vec<u8>, span: &Span) {
    put_bytes(out, 1, &span.trace_id.0);
    put_bytes(out, 2, &span.span_id.0);
    put_text(out, 3, span.trace_state.as_bytes());
    put_text(out, 4, &span.parent_span_id);
    put_text(out, 5, span.name.as_bytes());
    if span.kind != 0 {
        put_uint(out, 6, i64::from(span.kind) as u64);
    }
    if span.start_time_unix_nano != 0 {
        put_fixed64(out, 7, span.start_time_unix_nano);
    }
    if span.end_time_unix_nano != 0 {
        put_fixed64(out, 8, span.end_time_unix_nano);
    }
    put_attributes(out, 9, &span.attributes);
    put_count(out, 10, span.dropped_attributes_count);
    for event in &span.events {
        put_message(out, 11, |out| put_event(out, event));
    }
    put_count(out, 12, span.dropped_events_count);
    for link in &span.links {
        put_message(out, 13, |out| put_link(out, link));
    }
    put_count(out, 14, span.dropped_links_count);
    put_message(out, 15, |out| put_status(out, &span.status));
    if span.flags != 0 {
        put_fixed32(out, 16, span.flags);
    }
    out.extend_from_slice(&span.unknown);
}

/// Appends the body of an `Event`.
pub fn put_event(out: &mut Vec<u8>, event: &Event) {
    if event.time_unix_nano != 0 {
        put_fixed64(out, 1, event.time_unix_nano);
    }
    put_text(out, 2, event.name.as_bytes());
    put_attributes(out, 3, &event.attributes);
    put_count(out, 4, event.dropped_attributes_count);
    out.extend_from_slice(&event.unknown);
}

/// Appends the body of a `Link`.
pub fn put_link(out: &mut Vec<u8>, link: &Link) {
    put_text(out, 1, &link.trace_id);
    put_text(out, 2, &link.span_id);
    put_text(out, 3, link.trace_state.as_bytes());
    put_attributes(out, 4, &link.attributes);
    put_count(out, 5, link.dropped_attributes_count);
    if link.flags != 0 {
        put_fixed32(out, 6, link.flags);
    }
    out.extend_from_slice(&link.unknown);
}

/// Appends the body of a `Status`.
pub fn put_status(out: &mut Vec<u8>, status: &Status) {
    put_text(out, 2, status.message.as_bytes());
    if status.code != 0 {
        put_uint(out, 3, i64::from(status.code) as u64);
    }
    out.extend_from_slice(&status.unknown);
}

fn put_count(out: &mut Vec<u8>, field: u32, count: u32) {
    if count != 0 {
        put_uint(out, field, u64::from(count));
    }
}

fn put_attributes(out: &mut Vec<u8>, field: u32, attributes: &[KeyValue]) {
    for attribute in attributes {
        put_message(out, field, |out| put_key_value(out, attribute));
    }
}

/// Appends the body of a `KeyValue`.
pub fn put_key_value(out: &mut Vec<u8>, attribute: &KeyValue) {
    put_text(out, 1, attribute.key.as_bytes());
    put_message(out, 2, |out| put_any_value(out, &attribute.value));
}

/// Appends the body of an `AnyValue`. A set value is written even when it is zero: the field says the type.
pub fn put_any_value(out: &mut Vec<u8>, value: &AnyValue) {
    match value {
        AnyValue::Empty => {}
        AnyValue::Str(text) => put_bytes(out, 1, text.as_bytes()),
        AnyValue::Bool(v) => put_uint(out, 2, u64::from(*v)),
        AnyValue::Int(v) => put_uint(out, 3, *v as u64),
        AnyValue::Double(v) => put_fixed64(out, 4, v.to_bits()),
        AnyValue::Array(items) => put_message(out, 5, |out| {
            for item in items {
                put_message(out, 1, |out| put_any_value(out, item));
            }
        }),
        AnyValue::Map(pairs) => put_message(out, 6, |out| {
            for pair in pairs {
                put_message(out, 1, |out| put_key_value(out, pair));
            }
        }),
        AnyValue::Bytes(bytes) => put_bytes(out, 7, bytes),
    }
}
