//! A span's body, decoded once: its fields into locals, then its attributes, events and links into columns.

use spanloom_span::proto::{Reader, Value};
use spanloom_span::view::{self, SpanField, SpanFields};

use crate::columns::Field;
use crate::error::Result;
use crate::writer::table::TableBuilder;

/// Where a part of the span's body lies.
type Part = (u32, u32);

/// The fields of a span; of its repeated ones only where they lie. Kept from span to span, so that nothing is
/// allocated.
#[derive(Default)]
pub(crate) struct SpanHead {
    pub fields: SpanFieldValues,
    attributes: Vec<Part>,
    events: Vec<Part>,
    links: Vec<Part>,
    unknown: Vec<Part>,
}

/// The fields that a span has once.
#[derive(Default)]
pub(crate) struct SpanFieldValues {
    pub span_id: u64,
    pub kind: i32,
    pub start: u64,
    pub end: u64,
    parent: Part,
    trace_state: Part,
    name: Part,
    status: Part,
    flags: u32,
    dropped: [u32; 3],
}

impl SpanHead {
    /// Reads the fields of a span's body.
    pub fn read(&mut self, body: &[u8]) -> Result<()> {
        for list in [&mut self.attributes, &mut self.events, &mut self.links, &mut self.unknown] {
            list.clear();
        }
        let base = body.as_ptr().addr();
        let part = |inner: &[u8]| {
            let from = inner.as_ptr().addr().wrapping_sub(base) as u32;
            (from, from.wrapping_add(inner.len() as u32))
        };
        let mut out = SpanFieldValues::default();
        let mut fields = SpanFields::new(body);
        while let Some(field) = fields.next()? {
            match field {
                SpanField::Attribute(b) => self.attributes.push(part(b)),
                SpanField::TraceId(_) => {}
                SpanField::SpanId(b) => out.span_id = u64::from_be_bytes(b.try_into().unwrap_or_default()),
                SpanField::ParentSpanId(b) => out.parent = part(b),
                SpanField::Name(b) => out.name = part(b),
                SpanField::Kind(v) => out.kind = v,
                SpanField::Start(v) => out.start = v,
                SpanField::End(v) => out.end = v,
                SpanField::Status(b) => out.status = part(b),
                SpanField::Flags(v) => out.flags = v,
                SpanField::TraceState(b) => out.trace_state = part(b),
                SpanField::Event(b) => self.events.push(part(b)),
                SpanField::Link(b) => self.links.push(part(b)),
                SpanField::DroppedAttributes(v) => out.dropped[0] = v,
                SpanField::DroppedEvents(v) => out.dropped[1] = v,
                SpanField::DroppedLinks(v) => out.dropped[2] = v,
                SpanField::Unknown(b) => self.unknown.push(part(b)),
            }
        }
        self.fields = out;
        Ok(())
    }

    /// The parent's id as it came.
    pub fn parent<'a>(&self, body: &'a [u8]) -> &'a [u8] {
        get(body, self.fields.parent)
    }

    /// Pushes name, attributes, events, links and rare fields, and ends the row. Gives the status code.
    pub fn push(&self, body: &[u8], tables: &mut SpanTables) -> Result<i32> {
        let spans = &mut tables.spans;
        spans.dense_bytes(Field::Name, get(body, self.fields.name));
        for &attribute in &self.attributes {
            spans.attribute(get(body, attribute))?;
        }
        let code = push_status(spans, get(body, self.fields.status))?;
        let counts = [Field::DroppedAttributes, Field::DroppedEvents, Field::DroppedLinks];
        for (field, count) in counts.into_iter().zip(self.fields.dropped) {
            push_count(spans, field, count);
        }
        push_rare(spans, Field::TraceState, get(body, self.fields.trace_state));
        push_unknown(spans, Field::Unknown, self.unknown.iter().map(|&part| get(body, part)));
        for &event in &self.events {
            push_event(&mut tables.events, get(body, event), self.fields.start)?;
        }
        for &link in &self.links {
            push_link(&mut tables.links, get(body, link))?;
        }
        let spans = &mut tables.spans;
        if !self.events.is_empty() {
            spans.sparse_int(Field::EventsEnd, tables.events.rows() as u64);
        }
        if !self.links.is_empty() {
            spans.sparse_int(Field::LinksEnd, tables.links.rows() as u64);
        }
        spans.end_row(&[self.fields.kind as u32, code as u32, self.fields.flags])?;
        Ok(code)
    }
}

/// The tables that grow with the spans, row group by row group.
pub(crate) struct SpanTables {
    pub spans: TableBuilder,
    pub events: TableBuilder,
    pub links: TableBuilder,
}

fn get(body: &[u8], part: Part) -> &[u8] {
    body.get(part.0 as usize..part.1 as usize).unwrap_or_default()
}

fn push_status(spans: &mut TableBuilder, body: &[u8]) -> Result<i32> {
    if body.is_empty() {
        return Ok(0);
    }
    let (code, message) = view::status(body)?;
    push_rare(spans, Field::StatusMessage, message);
    let unknown = unknown_fields(body, |number, _| (1..=3).contains(&number))?;
    push_rare(spans, Field::StatusUnknown, &unknown);
    Ok(code)
}

fn push_event(events: &mut TableBuilder, body: &[u8], start: u64) -> Result<()> {
    let (mut time, mut name, mut dropped): (u64, &[u8], u32) = (0, &[], 0);
    let mut reader = Reader::new(body);
    while let Some(field) = reader.next()? {
        match field {
            (1, Value::Fixed64(v)) => time = v,
            (2, Value::Bytes(b)) => name = b,
            (3, Value::Bytes(b)) => events.attribute(b)?,
            (4, Value::Varint(v)) => dropped = v as u32,
            _ => {}
        }
    }
    let unknown = unknown_fields(body, |number, value| {
        matches!((number, value), (1, Value::Fixed64(_)) | (2 | 3, Value::Bytes(_)) | (4, Value::Varint(_)))
    })?;
    events.dense_int(Field::Time, time.wrapping_sub(start));
    events.dense_bytes(Field::Name, name);
    push_count(events, Field::DroppedAttributes, dropped);
    push_rare(events, Field::Unknown, &unknown);
    events.end_row(&[])
}

fn push_link(links: &mut TableBuilder, body: &[u8]) -> Result<()> {
    let (mut trace_id, mut span_id, mut trace_state): (&[u8], &[u8], &[u8]) = (&[], &[], &[]);
    let (mut dropped, mut flags) = (0, 0);
    let mut reader = Reader::new(body);
    while let Some(field) = reader.next()? {
        match field {
            (1, Value::Bytes(b)) => trace_id = b,
            (2, Value::Bytes(b)) => span_id = b,
            (3, Value::Bytes(b)) => trace_state = b,
            (4, Value::Bytes(b)) => links.attribute(b)?,
            (5, Value::Varint(v)) => dropped = v as u32,
            (6, Value::Fixed32(v)) => flags = v,
            _ => {}
        }
    }
    let unknown = unknown_fields(body, |number, value| {
        matches!((number, value), (1..=4, Value::Bytes(_)) | (5, Value::Varint(_)) | (6, Value::Fixed32(_)))
    })?;
    links.dense_bytes(Field::LinkTraceId, trace_id);
    links.dense_bytes(Field::LinkSpanId, span_id);
    push_rare(links, Field::TraceState, trace_state);
    push_count(links, Field::DroppedAttributes, dropped);
    push_count(links, Field::Flags, flags);
    push_rare(links, Field::Unknown, &unknown);
    links.end_row(&[])
}

/// Pushes bytes when there are any.
pub(crate) fn push_rare(table: &mut TableBuilder, field: Field, value: &[u8]) {
    if !value.is_empty() {
        table.sparse_bytes(field, value);
    }
}

/// Pushes a count when it is not 0.
pub(crate) fn push_count(table: &mut TableBuilder, field: Field, count: u32) {
    if count != 0 {
        table.sparse_int(field, u64::from(count));
    }
}

fn push_unknown<'a>(table: &mut TableBuilder, field: Field, mut parts: impl Iterator<Item = &'a [u8]>) {
    if let Some(first) = parts.next() {
        let mut all = first.to_vec();
        parts.for_each(|part| all.extend_from_slice(part));
        table.sparse_bytes(field, &all);
    }
}

/// The wire bytes of the fields that `is_known` does not know, one after the other.
pub(crate) fn unknown_fields(body: &[u8], is_known: impl Fn(u32, Value<'_>) -> bool) -> Result<Vec<u8>> {
    let mut reader = Reader::new(body);
    let mut unknown = Vec::new();
    let mut from = 0;
    while let Some((number, value)) = reader.next()? {
        if !is_known(number, value) {
            unknown.extend_from_slice(&body[from..reader.position()]);
        }
        from = reader.position();
    }
    Ok(unknown)
}
