//! Time events and links.

use spanloom_span::proto::{Value, put_fixed64, put_text, put_uint};

use super::fields::{annotation, link, links, message_event, time_event, time_events};
use super::read::{Run, count};
use super::value::{put_attributes, put_trace_state, truncatable, unix_nanos};
use crate::foreign::otlp::{event, link as to_link, span};
use crate::foreign::{Foreign, Scalar, put_attribute, text, try_message};

/// Names of the `Type` of a message event, by number.
const MESSAGE_TYPES: [&str; 3] = ["TYPE_UNSPECIFIED", "SENT", "RECEIVED"];

/// Names of the `Type` of a link, by number.
const LINK_TYPES: [&str; 3] = ["TYPE_UNSPECIFIED", "CHILD_LINKED_SPAN", "PARENT_LINKED_SPAN"];

/// Keeps a link's type. The Collector's translation has no attribute for it.
const LINK_TYPE: &str = "opencensus.link.type";

/// The name of an enum's value, or its number where it has none.
fn named(names: [&'static str; 3], value: u64) -> std::borrow::Cow<'static, str> {
    match names.get(value as usize) {
        Some(name) => (*name).into(),
        None => (value as i32).to_string().into(),
    }
}

/// Writes the `TimeEvents` of a span as its events.
pub fn put_events(run: Run<'_>, out: &mut Vec<u8>, body: &[u8]) -> Result<(), Foreign> {
    let mut dropped = 0;
    let mut fields = run.fields("TimeEvents", body);
    while let Some(field) = fields.next()? {
        match field {
            (time_events::TIME_EVENT, Value::Bytes(body)) => {
                try_message(out, span::EVENTS, |out| put_event(run, out, body))?;
                run.check_room(out, body)?;
            }
            (
                time_events::DROPPED_ANNOTATIONS_COUNT | time_events::DROPPED_MESSAGE_EVENTS_COUNT,
                Value::Varint(found),
            ) => dropped += count(found),
            (number @ 1..=3, _) => return fields.wrong_type(number),
            _ => {}
        }
    }
    if dropped > 0 {
        put_uint(out, span::DROPPED_EVENTS, dropped.min(u32::MAX.into()));
    }
    Ok(())
}

/// What a time event is; of both the last holds, as protobuf says of a `oneof`.
enum Event<'m> {
    Nothing,
    Annotation(&'m [u8]),
    Message(&'m [u8]),
}

fn put_event(run: Run<'_>, out: &mut Vec<u8>, body: &[u8]) -> Result<(), Foreign> {
    let (mut time, mut what) = (None, Event::Nothing);
    let mut fields = run.fields("TimeEvent", body);
    while let Some(field) = fields.next()? {
        match field {
            (time_event::TIME, Value::Bytes(body)) => fields.once(&mut time, body, "an event's time")?,
            (time_event::ANNOTATION, Value::Bytes(body)) => what = Event::Annotation(body),
            (time_event::MESSAGE_EVENT, Value::Bytes(body)) => what = Event::Message(body),
            (number @ 1..=3, _) => return fields.wrong_type(number),
            _ => {}
        }
    }
    if let Some(time) = unix_nanos(run, time)? {
        put_fixed64(out, event::TIME, time);
    }
    match what {
        Event::Nothing => Ok(()),
        Event::Annotation(body) => put_annotation(run, out, body),
        Event::Message(body) => put_message_event(run, out, body),
    }
}

fn put_annotation(run: Run<'_>, out: &mut Vec<u8>, body: &[u8]) -> Result<(), Foreign> {
    let (mut description, mut attributes) = (None, None);
    let mut fields = run.fields("Annotation", body);
    while let Some(field) = fields.next()? {
        match field {
            (annotation::DESCRIPTION, Value::Bytes(body)) => {
                fields.once(&mut description, body, "a description")?;
            }
            (annotation::ATTRIBUTES, Value::Bytes(body)) => {
                fields.once(&mut attributes, body, "an annotation's attributes")?;
            }
            (number @ 1..=2, _) => return fields.wrong_type(number),
            _ => {}
        }
    }
    if let Some(body) = description {
        put_text(out, event::NAME, text(truncatable(run, body)?).as_bytes());
    }
    match attributes {
        Some(body) => put_attributes(run, out, body, event::ATTRIBUTES, |_, _| false),
        None => Ok(()),
    }
}

fn put_message_event(run: Run<'_>, out: &mut Vec<u8>, body: &[u8]) -> Result<(), Foreign> {
    // By field number: type, id, size, compressed size.
    let mut found = [0; 5];
    let mut fields = run.fields("MessageEvent", body);
    while let Some(field) = fields.next()? {
        match field {
            (number @ message_event::TYPE..=message_event::COMPRESSED_SIZE, Value::Varint(v)) => {
                found[number as usize] = v;
            }
            (number @ message_event::TYPE..=message_event::COMPRESSED_SIZE, _) => {
                return fields.wrong_type(number);
            }
            _ => {}
        }
    }
    put_text(out, event::NAME, b"message");
    let kind = named(MESSAGE_TYPES, found[message_event::TYPE as usize]);
    let mut put = |key, value| put_attribute(out, event::ATTRIBUTES, key, value);
    let int = |number: u32| Scalar::Int(found[number as usize] as i64);
    put("message.type", Scalar::Str(&kind));
    put("messaging.message_id", int(message_event::ID));
    put("messaging.message_payload_size_bytes", int(message_event::UNCOMPRESSED_SIZE));
    put("messaging.message_payload_compressed_size_bytes", int(message_event::COMPRESSED_SIZE));
    Ok(())
}

/// Writes the `Links` of a span as its links.
pub fn put_links(run: Run<'_>, out: &mut Vec<u8>, body: &[u8]) -> Result<(), Foreign> {
    let mut dropped = 0;
    let mut fields = run.fields("Links", body);
    while let Some(field) = fields.next()? {
        match field {
            (links::LINK, Value::Bytes(body)) => {
                try_message(out, span::LINKS, |out| put_link(run, out, body))?;
                run.check_room(out, body)?;
            }
            (links::DROPPED_LINKS_COUNT, Value::Varint(found)) => dropped = count(found),
            (number @ 1..=2, _) => return fields.wrong_type(number),
            _ => {}
        }
    }
    if dropped > 0 {
        put_uint(out, span::DROPPED_LINKS, dropped);
    }
    Ok(())
}

fn put_link(run: Run<'_>, out: &mut Vec<u8>, body: &[u8]) -> Result<(), Foreign> {
    let (mut trace_id, mut span_id, mut kind): (&[u8], &[u8], u64) = (&[], &[], 0);
    let (mut attributes, mut state) = (None, None);
    let mut fields = run.fields("Link", body);
    while let Some(field) = fields.next()? {
        match field {
            (link::TRACE_ID, Value::Bytes(id)) => trace_id = id,
            (link::SPAN_ID, Value::Bytes(id)) => span_id = id,
            (link::TYPE, Value::Varint(v)) => kind = v,
            (link::ATTRIBUTES, Value::Bytes(body)) => {
                fields.once(&mut attributes, body, "a link's attributes")?;
            }
            (link::TRACESTATE, Value::Bytes(body)) => {
                fields.once(&mut state, body, "a link's trace state")?
            }
            (number @ 1..=5, _) => return fields.wrong_type(number),
            _ => {}
        }
    }
    put_text(out, to_link::TRACE_ID, run.id(trace_id, 16)?);
    put_text(out, to_link::SPAN_ID, run.id(span_id, 8)?);
    if let Some(body) = state {
        put_trace_state(run, out, body, to_link::TRACE_STATE)?;
    }
    if kind != 0 {
        put_attribute(out, to_link::ATTRIBUTES, LINK_TYPE, Scalar::Str(&named(LINK_TYPES, kind)));
    }
    match attributes {
        Some(body) => put_attributes(run, out, body, to_link::ATTRIBUTES, |_, _| false),
        None => Ok(()),
    }
}
