//! Spans.

use spanloom_span::proto::{Value, put_fixed64, put_text, put_uint};

use super::event::{put_events, put_links};
use super::fields::{kind, span as from, status, wrapper};
use super::read::Run;
use super::value::{AttributeValue, put_attributes, put_trace_state, truncatable, unix_nanos};
use crate::foreign::otlp::{self, span as to};
use crate::foreign::{Foreign, Scalar, put_attribute, put_status, text};

/// Whether the parent is of the same process; the name is the Collector's.
const SAME_PROCESS: &str = "opencensus.same_process_as_parent_span";

/// Keeps the code of a failure. The Collector's translation has no attribute for it.
const STATUS_CODE: &str = "opencensus.status_code";

/// Where the Collector puts what a client cannot say of kind and status; on the way back it takes it from there.
const KIND_ATTRIBUTE: &[u8] = b"span.kind";
const STATUS_ATTRIBUTE: &[u8] = b"otel.status_code";

/// A span's fields as they lie in the message.
pub struct Parts<'m> {
    /// By field number.
    parts: [Option<&'m [u8]>; from::LAST + 1],
    kind: u64,
}

impl<'m> Parts<'m> {
    /// Finds the fields of a span.
    pub fn read(run: Run<'_>, body: &'m [u8]) -> Result<Self, Foreign> {
        const KIND: u32 = from::KIND as u32;
        const LAST: u32 = from::LAST as u32;
        let mut found = Parts { parts: [None; from::LAST + 1], kind: kind::UNSPECIFIED };
        let mut fields = run.fields("Span", body);
        while let Some(field) = fields.next()? {
            match field {
                (KIND, Value::Varint(kind)) => found.kind = kind,
                (number @ 1..=LAST, Value::Bytes(body)) if number != KIND => {
                    let place = &mut found.parts[number as usize];
                    if number as usize <= from::PARENT_SPAN_ID {
                        *place = Some(body);
                    } else {
                        fields.once(place, body, "a part of a span")?;
                    }
                }
                (number @ 1..=LAST, _) => return fields.wrong_type(number),
                _ => {}
            }
        }
        Ok(found)
    }

    /// The resource that holds for this span alone.
    pub fn resource(&self) -> Option<&'m [u8]> {
        self.parts[from::RESOURCE]
    }

    fn bytes(&self, number: usize) -> &'m [u8] {
        self.parts[number].unwrap_or_default()
    }
}

/// What attributes say of kind and status.
#[derive(Default)]
struct Said {
    kind: Option<u64>,
    status: Option<u64>,
}

impl Said {
    /// Takes an attribute if it stands for a kind, where the span itself has none, or for a status.
    #[inline]
    fn take(&mut self, parts: &Parts<'_>, key: &[u8], value: AttributeValue<'_>) -> bool {
        match (key, value) {
            (KIND_ATTRIBUTE, AttributeValue::Str(name)) if parts.kind == kind::UNSPECIFIED => {
                let kind = match name {
                    b"internal" => otlp::kind::INTERNAL,
                    b"producer" => otlp::kind::PRODUCER,
                    b"consumer" => otlp::kind::CONSUMER,
                    _ => return false,
                };
                self.kind = Some(kind);
                true
            }
            (STATUS_ATTRIBUTE, AttributeValue::Int(code @ 0..=2)) if parts.parts[from::STATUS].is_some() => {
                self.status = Some(code as u64);
                true
            }
            _ => false,
        }
    }
}

/// Writes the body of a span.
pub fn put_span(run: Run<'_>, out: &mut Vec<u8>, parts: &Parts<'_>) -> Result<(), Foreign> {
    // Whether these two can be is asked of the whole request afterwards, as of any request.
    put_text(out, to::TRACE_ID, parts.bytes(from::TRACE_ID));
    put_text(out, to::SPAN_ID, parts.bytes(from::SPAN_ID));
    if let Some(state) = parts.parts[from::TRACESTATE] {
        put_trace_state(run, out, state, to::TRACE_STATE)?;
    }
    let parent = run.id(parts.bytes(from::PARENT_SPAN_ID), 8)?;
    if parent != [0; 8] {
        put_text(out, to::PARENT_SPAN_ID, parent);
    }
    if let Some(name) = parts.parts[from::NAME] {
        put_text(out, to::NAME, text(truncatable(run, name)?).as_bytes());
    }
    match parts.kind {
        kind::SERVER => put_uint(out, to::KIND, otlp::kind::SERVER),
        kind::CLIENT => put_uint(out, to::KIND, otlp::kind::CLIENT),
        _ => {}
    }
    put_times(run, out, parts)?;

    let mut said = Said::default();
    if let Some(attributes) = parts.parts[from::ATTRIBUTES] {
        put_attributes(run, out, attributes, to::ATTRIBUTES, |key, value| said.take(parts, key, value))?;
    }
    if let Some(body) = parts.parts[from::SAME_PROCESS_AS_PARENT_SPAN] {
        put_attribute(out, to::ATTRIBUTES, SAME_PROCESS, Scalar::Bool(bool_value(run, body)?));
    }
    if let Some(kind) = said.kind {
        put_uint(out, to::KIND, kind);
    }
    if let Some(events) = parts.parts[from::TIME_EVENTS] {
        put_events(run, out, events)?;
    }
    if let Some(links) = parts.parts[from::LINKS] {
        put_links(run, out, links)?;
    }
    match parts.parts[from::STATUS] {
        Some(body) => put_span_status(run, out, body, said.status),
        None => Ok(()),
    }
}

/// One of the two times stands for the other where that is missing, as the proto file asks.
fn put_times(run: Run<'_>, out: &mut Vec<u8>, parts: &Parts<'_>) -> Result<(), Foreign> {
    let start = unix_nanos(run, parts.parts[from::START_TIME])?;
    let end = unix_nanos(run, parts.parts[from::END_TIME])?;
    if let Some(start) = start.or(end) {
        put_fixed64(out, to::START, start);
    }
    if let Some(end) = end.or(start) {
        put_fixed64(out, to::END, end);
    }
    Ok(())
}

/// Writes a `Status`: everything but 0 is an error, unless an attribute said what it is.
fn put_span_status(run: Run<'_>, out: &mut Vec<u8>, body: &[u8], said: Option<u64>) -> Result<(), Foreign> {
    let (mut code, mut message): (i32, &[u8]) = (0, &[]);
    let mut fields = run.fields("Status", body);
    while let Some(field) = fields.next()? {
        match field {
            (status::CODE, Value::Varint(v)) => code = v as i32,
            (status::MESSAGE, Value::Bytes(text)) => message = text,
            (number @ 1..=2, _) => return fields.wrong_type(number),
            _ => {}
        }
    }
    if code != 0 {
        put_attribute(out, to::ATTRIBUTES, STATUS_CODE, Scalar::Int(code.into()));
    }
    let found = if code == 0 { 0 } else { otlp::status::ERROR };
    put_status(out, said.unwrap_or(found), &text(message));
    Ok(())
}

fn bool_value(run: Run<'_>, body: &[u8]) -> Result<bool, Foreign> {
    let mut found = false;
    let mut fields = run.fields("BoolValue", body);
    while let Some(field) = fields.next()? {
        match field {
            (wrapper::VALUE, Value::Varint(v)) => found = v != 0,
            (wrapper::VALUE, _) => return fields.wrong_type(wrapper::VALUE),
            _ => {}
        }
    }
    Ok(found)
}
