//! Events and links in the notations that OpenTelemetry's exporters have for them, since Zipkin has neither
//! attributes of annotations nor links. What is in none of them stays as it is: the text is the event's name.
//!
//! | text | written by |
//! |---|---|
//! | `"name": {"key": value}` | the specification, and Java |
//! | `name: {"key": value}` | Go |
//! | `{"name": {"key": value}}` | Python |
//! | `name\|{"key": value}\|dropped` | the Collector |
//! | `trace id\|span id\|trace state\|{"key": value}\|dropped`, in tags `otlp.link.N` | the Collector, for links |
//!
//! Sources: OpenTelemetry's specification (`trace/sdk_exporters/zipkin.md`) and the exporters' sources.

use spanloom_span::proto::{put_bytes, put_fixed64, put_message, put_text, put_uint};

use super::id;
use crate::foreign::otlp::{event, link, span};
use crate::foreign::text;
use crate::json_in::pull::{Json, Value};

/// Most levels of lists and maps in an attribute; deeper ones leave the text as it is. OTLP's readers take more.
const MAX_DEPTH: u32 = 8;

/// Appends an event to a span; its text is known to be UTF-8.
#[inline]
pub(super) fn put_event(out: &mut Vec<u8>, nanos: u64, value: &[u8]) {
    let is_noted = matches!(value.last(), Some(b'}' | b'0'..=b'9'));
    if !is_noted && (1..100).contains(&value.len()) {
        // The usual one, written at once: both lengths take a byte.
        let length = value.len() as u8;
        out.reserve(usize::from(length) + 13);
        out.extend_from_slice(&[(span::EVENTS as u8) << 3 | 2, length + 11, (event::TIME as u8) << 3 | 1]);
        out.extend_from_slice(&nanos.to_le_bytes());
        out.extend_from_slice(&[(event::NAME as u8) << 3 | 2, length]);
        out.extend_from_slice(value);
        return;
    }
    put_message(out, span::EVENTS, |out| {
        put_fixed64(out, event::TIME, nanos);
        let before = out.len();
        if !is_noted || read_event(out, &text(value)).is_none() {
            out.truncate(before);
            put_text(out, event::NAME, value);
        }
    });
}

/// Appends name and attributes, when the text is in one of the notations.
#[cold]
fn read_event(out: &mut Vec<u8>, value: &str) -> Option<()> {
    let mut json = Json::of(value);
    if value.ends_with('}') {
        return match value.as_bytes().first()? {
            b'"' => {
                let name = json.text("a name").ok()?;
                put_text(out, event::NAME, name.as_bytes());
                let rest = value[json.position()..].trim_start().strip_prefix(':')?;
                attributes_alone(out, event::ATTRIBUTES, rest)
            }
            b'{' => {
                let mut members = json.object("an event").ok()?;
                let name = json.key(&mut members).ok()??;
                put_text(out, event::NAME, name.as_bytes());
                attributes(out, event::ATTRIBUTES, &mut json, MAX_DEPTH)?;
                let more = json.key(&mut members).ok()?;
                if more.is_some() { None } else { json.end().ok() }
            }
            _ => {
                let (name, _) = value.split_once(": {")?;
                put_text(out, event::NAME, name.as_bytes());
                attributes_alone(out, event::ATTRIBUTES, &value[name.len() + 2..])
            }
        };
    }
    let (name, rest) = value.split_once('|')?;
    let (rest, dropped) = rest.rsplit_once('|')?;
    put_text(out, event::NAME, name.as_bytes());
    attributes_alone(out, event::ATTRIBUTES, rest)?;
    put_dropped(out, event::DROPPED_ATTRIBUTES, dropped)
}

/// Appends a link to a span, when the text is in the Collector's notation for one.
#[cold]
pub(super) fn put_link(out: &mut Vec<u8>, value: &str) -> bool {
    let before = out.len();
    let mut read = None;
    put_message(out, span::LINKS, |out| read = read_link(out, value));
    if read.is_none() {
        out.truncate(before);
    }
    read.is_some()
}

fn read_link(out: &mut Vec<u8>, value: &str) -> Option<()> {
    let (trace_id, rest) = value.split_once('|')?;
    let (span_id, rest) = rest.split_once('|')?;
    let (rest, dropped) = rest.rsplit_once('|')?;
    // A trace state may hold bars, but none before a brace, which it cannot hold... unless it is not one.
    let (state, json) = rest.split_at(rest.find("|{")?);
    put_bytes(out, link::TRACE_ID, &id::<16>(trace_id).ok()?);
    put_bytes(out, link::SPAN_ID, &id::<8>(span_id).ok()?);
    put_text(out, link::TRACE_STATE, state.as_bytes());
    attributes_alone(out, link::ATTRIBUTES, &json[1..])?;
    put_dropped(out, link::DROPPED_ATTRIBUTES, dropped)
}

fn put_dropped(out: &mut Vec<u8>, field: u32, text: &str) -> Option<()> {
    let dropped: u32 = text.parse().ok()?;
    if dropped > 0 {
        put_uint(out, field, dropped.into());
    }
    Some(())
}

/// Appends the attributes of an object that is all of the text.
fn attributes_alone(out: &mut Vec<u8>, field: u32, text: &str) -> Option<()> {
    let mut json = Json::of(text);
    attributes(out, field, &mut json, MAX_DEPTH)?;
    json.end().ok()
}

/// Appends the members of an object as attributes.
fn attributes(out: &mut Vec<u8>, field: u32, json: &mut Json<'_>, levels: u32) -> Option<()> {
    let mut members = json.object("attributes").ok()?;
    while let Some(key) = json.key(&mut members).ok()? {
        let mut read = None;
        put_message(out, field, |out| {
            put_text(out, 1, key.as_bytes());
            put_message(out, 2, |out| read = any_value(out, json, levels));
        });
        read?;
    }
    Some(())
}

/// Appends the body of an `AnyValue`.
fn any_value(out: &mut Vec<u8>, json: &mut Json<'_>, levels: u32) -> Option<()> {
    let mut read = None;
    match json.peek()? {
        b'{' => {
            let levels = levels.checked_sub(1)?;
            put_message(out, 6, |out| read = attributes(out, 1, json, levels));
        }
        b'[' => {
            let levels = levels.checked_sub(1)?;
            put_message(out, 5, |out| read = elements(out, json, levels));
        }
        _ => {
            match json.value("a value").ok()? {
                Value::Text(text) => put_bytes(out, 1, text.as_bytes()),
                Value::Bool(value) => put_uint(out, 2, value.into()),
                Value::Number(text) => match text.parse::<i64>() {
                    Ok(number) => put_uint(out, 3, number as u64),
                    Err(_) => put_fixed64(out, 4, text.parse::<f64>().ok()?.to_bits()),
                },
                Value::Null => {}
            }
            read = Some(());
        }
    }
    read
}

fn elements(out: &mut Vec<u8>, json: &mut Json<'_>, levels: u32) -> Option<()> {
    let mut members = json.list("a list").ok()?;
    while json.element(&mut members).ok()? {
        let mut read = None;
        put_message(out, 1, |out| read = any_value(out, json, levels));
        read?;
    }
    Some(())
}
