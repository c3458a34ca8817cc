//! OTLP bytes to the owned form. Used where an answer is built, never on the way in.
//!
//! Fields that this version does not know are kept as wire bytes. Nesting is bounded by [`MAX_DEPTH`], also for
//! bytes that never passed [`crate::slice`].

use crate::batch::{Batch, TracePart};
use crate::model::{
    AnyValue, Event, KeyValue, Link, Resource, ResourceSpans, Scope, ScopeSpans, Span, Status, Trace,
};
use crate::proto::{ProtoError, Reader, Value};
use crate::view::{self, SpanField, SpanFields, ValueView};
use crate::{SpanId, TraceId};

/// Deepest nesting that is decoded; deeper values read as empty. Requests are refused far below it.
pub const MAX_DEPTH: u32 = 128;

/// The spans of one trace in one request, with resources and scopes as they came.
pub fn trace_part(part: &TracePart) -> Result<Trace, ProtoError> {
    let batch: &Batch = &part.batch;
    let mut trace = Trace::default();
    let (mut last_resource, mut last_scope) = (None, None);
    for slice in part.spans() {
        let scope_slice = &batch.scopes()[slice.scope as usize];
        if last_resource != Some(scope_slice.resource) {
            let resource_slice = &batch.resources()[scope_slice.resource as usize];
            trace.resource_spans.push(ResourceSpans {
                resource: resource(batch.get(resource_slice.resource))?,
                scope_spans: Vec::new(),
                schema_url: text(batch.get(resource_slice.schema_url)),
            });
            (last_resource, last_scope) = (Some(scope_slice.resource), None);
        }
        let Some(resource_spans) = trace.resource_spans.last_mut() else { continue };
        if last_scope != Some(slice.scope) {
            resource_spans.scope_spans.push(ScopeSpans {
                scope: scope(batch.get(scope_slice.scope))?,
                spans: Vec::new(),
                schema_url: text(batch.get(scope_slice.schema_url)),
            });
            last_scope = Some(slice.scope);
        }
        if let Some(scope_spans) = resource_spans.scope_spans.last_mut() {
            scope_spans.spans.push(span(batch.get(slice.body))?);
        }
    }
    Ok(trace)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Reads fields with `take`, which says whether it knew the field; keeps the others as wire bytes.
fn fields<'a>(
    body: &'a [u8],
    mut take: impl FnMut(u32, Value<'a>) -> Result<bool, ProtoError>,
) -> Result<Vec<u8>, ProtoError> {
    let mut reader = Reader::new(body);
    let mut unknown = Vec::new();
    let mut from = 0;
    while let Some((number, value)) = reader.next()? {
        if !take(number, value)? {
            unknown.extend_from_slice(&body[from..reader.position()]);
        }
        from = reader.position();
    }
    Ok(unknown)
}

/// Body of a `Resource`.
pub fn resource(body: &[u8]) -> Result<Resource, ProtoError> {
    let mut out = Resource::default();
    out.unknown = fields(body, |number, value| {
        match (number, value) {
            (1, Value::Bytes(b)) => out.attributes.push(key_value(b)?),
            (2, Value::Varint(v)) => out.dropped_attributes_count = v as u32,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(out)
}

/// Body of an `InstrumentationScope`.
pub fn scope(body: &[u8]) -> Result<Scope, ProtoError> {
    let mut out = Scope::default();
    out.unknown = fields(body, |number, value| {
        match (number, value) {
            (1, Value::Bytes(b)) => out.name = text(b),
            (2, Value::Bytes(b)) => out.version = text(b),
            (3, Value::Bytes(b)) => out.attributes.push(key_value(b)?),
            (4, Value::Varint(v)) => out.dropped_attributes_count = v as u32,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(out)
}

/// Body of an `Event`.
pub fn event(body: &[u8]) -> Result<Event, ProtoError> {
    let mut out = Event::default();
    out.unknown = fields(body, |number, value| {
        match (number, value) {
            (1, Value::Fixed64(v)) => out.time_unix_nano = v,
            (2, Value::Bytes(b)) => out.name = text(b),
            (3, Value::Bytes(b)) => out.attributes.push(key_value(b)?),
            (4, Value::Varint(v)) => out.dropped_attributes_count = v as u32,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(out)
}

/// Body of a `Link`.
pub fn link(body: &[u8]) -> Result<Link, ProtoError> {
    let mut out = Link::default();
    out.unknown = fields(body, |number, value| {
        match (number, value) {
            (1, Value::Bytes(b)) => out.trace_id = b.to_vec(),
            (2, Value::Bytes(b)) => out.span_id = b.to_vec(),
            (3, Value::Bytes(b)) => out.trace_state = text(b),
            (4, Value::Bytes(b)) => out.attributes.push(key_value(b)?),
            (5, Value::Varint(v)) => out.dropped_attributes_count = v as u32,
            (6, Value::Fixed32(v)) => out.flags = v,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(out)
}

/// Body of a `Status`.
pub fn status(body: &[u8]) -> Result<Status, ProtoError> {
    let (code, message) = view::status(body)?;
    let unknown = fields(body, |number, _| Ok((1..=3).contains(&number)))?;
    Ok(Status { message: text(message), code, unknown })
}

/// Body of a `Span`.
pub fn span(body: &[u8]) -> Result<Span, ProtoError> {
    let mut out = Span::default();
    let mut reader = SpanFields::new(body);
    while let Some(field) = reader.next()? {
        match field {
            SpanField::TraceId(b) => out.trace_id = TraceId(b.try_into().unwrap_or_default()),
            SpanField::SpanId(b) => out.span_id = SpanId(b.try_into().unwrap_or_default()),
            SpanField::TraceState(b) => out.trace_state = text(b),
            SpanField::ParentSpanId(b) => out.parent_span_id = b.to_vec(),
            SpanField::Flags(v) => out.flags = v,
            SpanField::Name(b) => out.name = text(b),
            SpanField::Kind(v) => out.kind = v,
            SpanField::Start(v) => out.start_time_unix_nano = v,
            SpanField::End(v) => out.end_time_unix_nano = v,
            SpanField::Attribute(b) => out.attributes.push(key_value(b)?),
            SpanField::DroppedAttributes(v) => out.dropped_attributes_count = v,
            SpanField::Event(b) => out.events.push(event(b)?),
            SpanField::DroppedEvents(v) => out.dropped_events_count = v,
            SpanField::Link(b) => out.links.push(link(b)?),
            SpanField::DroppedLinks(v) => out.dropped_links_count = v,
            SpanField::Status(b) => out.status = status(b)?,
            SpanField::Unknown(raw) => out.unknown.extend_from_slice(raw),
        }
    }
    Ok(out)
}

/// Body of a `KeyValue`.
pub fn key_value(body: &[u8]) -> Result<KeyValue, ProtoError> {
    key_value_within(body, MAX_DEPTH)
}

/// Body of an `AnyValue`.
pub fn any_value(body: &[u8]) -> Result<AnyValue, ProtoError> {
    owned(view::any_value(body)?, MAX_DEPTH)
}

/// The owned form of a value read in place.
pub fn value(view: ValueView<'_>) -> Result<AnyValue, ProtoError> {
    owned(view, MAX_DEPTH)
}

fn key_value_within(body: &[u8], depth: u32) -> Result<KeyValue, ProtoError> {
    let (key, value) = view::key_value(body)?;
    Ok(KeyValue { key: text(key), value: owned(value, depth)? })
}

fn owned(value: ValueView<'_>, depth: u32) -> Result<AnyValue, ProtoError> {
    Ok(match value {
        ValueView::Empty => AnyValue::Empty,
        ValueView::Str(b) => AnyValue::Str(text(b)),
        ValueView::Bool(v) => AnyValue::Bool(v),
        ValueView::Int(v) => AnyValue::Int(v),
        ValueView::Double(v) => AnyValue::Double(v),
        ValueView::Bytes(b) => AnyValue::Bytes(b.to_vec()),
        ValueView::Array(_) | ValueView::Map(_) if depth == 0 => AnyValue::Empty,
        ValueView::Array(list) => AnyValue::Array(items(list, |b| owned(view::any_value(b)?, depth - 1))?),
        ValueView::Map(list) => AnyValue::Map(items(list, |b| key_value_within(b, depth - 1))?),
    })
}

fn items<T>(list: &[u8], read: impl Fn(&[u8]) -> Result<T, ProtoError>) -> Result<Vec<T>, ProtoError> {
    let mut out = Vec::new();
    let mut reader = Reader::new(list);
    while let Some(field) = reader.next()? {
        if let (1, Value::Bytes(body)) = field {
            out.push(read(body)?);
        }
    }
    Ok(out)
}
