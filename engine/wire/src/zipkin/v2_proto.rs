//! v2 protobuf: `zipkin.proto3.ListOfSpans`.

use std::borrow::Cow;

use spanloom_span::proto::{ProtoError, Reader, Value};

use super::draft::{Draft, Sheet};
use super::endpoint::{Address, Endpoint, octets, port};
use super::tags::Given;
use super::{Micros, Options, request, span};
use crate::foreign::otlp::kind;
use crate::foreign::{Fault, Foreign, text, text_bytes};

/// Appends a `ListOfSpans`; yields how many spans it had. At most `room` bytes are written.
pub fn v2_proto(bytes: &[u8], options: &Options, room: usize, out: &mut Vec<u8>) -> Result<u64, Foreign> {
    request(options, bytes.len(), room, out, |sheet| {
        let mut list = Message::new("ListOfSpans", bytes, 0);
        while let Some((number, value)) = list.next()? {
            if number == 1 {
                let body = list.message("Span", number, value)?;
                span(sheet, |sheet, draft| read_span(body, sheet, draft))?;
            }
        }
        Ok(bytes.len())
    })
}

/// A message that is being read, and where it lies in the whole.
struct Message<'a> {
    name: &'static str,
    bytes: &'a [u8],
    reader: Reader<'a>,
    /// Where it begins.
    at: usize,
    /// Where its field begins that was read last, from there on.
    field: usize,
}

impl<'a> Message<'a> {
    fn new(name: &'static str, bytes: &'a [u8], at: usize) -> Self {
        Self { name, bytes, reader: Reader::new(bytes), at, field: 0 }
    }

    #[inline]
    fn next(&mut self) -> Result<Option<(u32, Value<'a>)>, Foreign> {
        self.field = self.reader.position();
        self.reader.next().map_err(|error| self.broken(error))
    }

    /// Where the field that was read begins in the whole.
    fn field_at(&self) -> usize {
        self.at + self.field
    }

    /// Where it ends.
    fn field_end(&self) -> usize {
        self.at + self.reader.position()
    }

    #[inline]
    fn bytes(&self, number: u32, value: Value<'a>) -> Result<&'a [u8], Foreign> {
        match value {
            Value::Bytes(bytes) => Ok(bytes),
            _ => Err(self.wrong_type(number, "bytes")),
        }
    }

    #[inline]
    fn text(&self, number: u32, value: Value<'a>) -> Result<Cow<'a, str>, Foreign> {
        Ok(text(self.bytes(number, value)?))
    }

    #[inline]
    fn varint(&self, number: u32, value: Value<'a>) -> Result<u64, Foreign> {
        match value {
            Value::Varint(value) => Ok(value),
            _ => Err(self.wrong_type(number, "a varint")),
        }
    }

    #[inline]
    fn fixed64(&self, number: u32, value: Value<'a>) -> Result<u64, Foreign> {
        match value {
            Value::Fixed64(value) => Ok(value),
            _ => Err(self.wrong_type(number, "a fixed64")),
        }
    }

    /// A field that is a message.
    #[inline]
    fn message(&self, name: &'static str, number: u32, value: Value<'a>) -> Result<Message<'a>, Foreign> {
        let body = self.bytes(number, value)?;
        Ok(Message::new(name, body, self.field_end() - body.len()))
    }

    #[cold]
    fn wrong_type(&self, number: u32, expected: &'static str) -> Foreign {
        let found = format!("field {number} of {} with another wire type", self.name);
        Foreign::new(Fault::Malformed, self.field_at(), found, expected)
    }

    #[cold]
    fn broken(&self, error: ProtoError) -> Foreign {
        let (fault, at, found, expected): (_, _, Cow<'static, str>, _) = match error {
            ProtoError::Truncated { at } => {
                let left = self.bytes.len().saturating_sub(at);
                (Fault::Truncated, at, format!("{left} bytes of a field").into(), "all of it")
            }
            ProtoError::Varint { at } => {
                (Fault::Malformed, at, "a varint of more than 64 bits".into(), "fewer")
            }
            ProtoError::FieldNumber { at } => {
                (Fault::Malformed, at, "a field number out of range".into(), "1 to 536870911")
            }
            ProtoError::WireType { wire, at } => {
                (Fault::Malformed, at, format!("wire type {wire}").into(), "0, 1, 2 or 5")
            }
        };
        Foreign::new(fault, self.at + at, format!("{found} of {}", self.name), expected)
    }
}

fn read_span<'a>(
    mut span: Message<'a>,
    sheet: &mut Sheet<'_>,
    draft: &mut Draft<'a>,
) -> Result<usize, Foreign> {
    while let Some((number, value)) = span.next()? {
        match number {
            11 => read_tag(span.message("Span.TagsEntry", number, value)?, sheet, draft)?,
            10 => read_annotation(span.message("Annotation", number, value)?, sheet, draft)?,
            1 => draft.trace_id = trace_id(&span, span.bytes(number, value)?)?,
            2 => draft.parent_id = span_id(&span, span.bytes(number, value)?)?,
            3 => draft.span_id = span_id(&span, span.bytes(number, value)?)?,
            4 => draft.kind = read_kind(&span, span.varint(number, value)?)?,
            5 => draft.name = span.text(number, value)?,
            6 => {
                let micros = span.fixed64(number, value)?;
                draft.start = Micros::read(micros, span.field_at())?.or_absent();
            }
            7 => draft.duration = Some(read_duration(&span, span.varint(number, value)?)?),
            // A message that comes twice is one with the fields of both.
            8 => read_endpoint(span.message("Endpoint", number, value)?, &mut draft.local)?,
            9 => read_endpoint(span.message("Endpoint", number, value)?, &mut draft.remote)?,
            12 => draft.debug = span.varint(number, value)? != 0,
            13 => draft.shared = span.varint(number, value)? != 0,
            _ => {}
        }
    }
    Ok(span.field_end())
}

/// A trace id of 16 bytes, or of 8 as older senders have them.
fn trace_id(span: &Message<'_>, bytes: &[u8]) -> Result<[u8; 16], Foreign> {
    let mut id = [0; 16];
    match bytes.len() {
        16 => id.copy_from_slice(bytes),
        8 => id[8..].copy_from_slice(bytes),
        0 => {}
        _ => return Err(wrong_id(span, bytes, "8 or 16")),
    }
    Ok(id)
}

fn span_id(span: &Message<'_>, bytes: &[u8]) -> Result<[u8; 8], Foreign> {
    match bytes.try_into() {
        Ok(id) => Ok(id),
        Err(_) if bytes.is_empty() => Ok([0; 8]),
        Err(_) => Err(wrong_id(span, bytes, "8")),
    }
}

#[cold]
fn wrong_id(span: &Message<'_>, bytes: &[u8], expected: &'static str) -> Foreign {
    Foreign::new(Fault::Malformed, span.field_at(), format!("an id of {} bytes", bytes.len()), expected)
}

fn read_kind(span: &Message<'_>, number: u64) -> Result<u64, Foreign> {
    Ok(match number {
        0 => 0,
        1 => kind::CLIENT,
        2 => kind::SERVER,
        3 => kind::PRODUCER,
        4 => kind::CONSUMER,
        _ => {
            let found = format!("the kind {number}");
            return Err(Foreign::new(Fault::Malformed, span.field_at(), found, "0 to 4"));
        }
    })
}

fn read_duration(span: &Message<'_>, micros: u64) -> Result<i64, Foreign> {
    i64::try_from(micros).map_err(|_| {
        let found = format!("the duration {micros}");
        Foreign::new(Fault::Malformed, span.field_at(), found, "microseconds in 63 bits")
    })
}

fn read_endpoint<'a>(mut message: Message<'a>, into: &mut Endpoint<'a>) -> Result<(), Foreign> {
    while let Some((number, value)) = message.next()? {
        match number {
            1 => into.service = message.text(number, value)?,
            2 => into.ipv4 = Address::ip(octets::<4>(message.bytes(number, value)?, message.field_at())?),
            3 => into.ipv6 = Address::ip(octets::<16>(message.bytes(number, value)?, message.field_at())?),
            4 => into.port = port(message.varint(number, value)? as i64, message.field_at())?,
            _ => {}
        }
    }
    Ok(())
}

#[inline]
fn read_annotation<'a>(
    mut message: Message<'a>,
    sheet: &mut Sheet<'_>,
    draft: &mut Draft<'a>,
) -> Result<(), Foreign> {
    let (mut at, mut value) = (Micros { nanos: 0 }, &[][..]);
    while let Some(field) = message.next()? {
        match field {
            (1, found) => at = Micros::read(message.fixed64(1, found)?, message.field_at())?,
            (2, found) => value = message.bytes(2, found)?,
            _ => {}
        }
    }
    draft.annotation(sheet, at, &text_bytes(value));
    Ok(())
}

#[inline]
fn read_tag<'a>(
    mut message: Message<'a>,
    sheet: &mut Sheet<'_>,
    draft: &mut Draft<'a>,
) -> Result<(), Foreign> {
    let (mut key, mut value) = (&[][..], &[][..]);
    while let Some(field) = message.next()? {
        match field {
            (1, found) => key = message.bytes(1, found)?,
            (2, found) => value = message.bytes(2, found)?,
            _ => {}
        }
    }
    draft.tag(sheet, &text_bytes(key), Given::Raw(value));
    Ok(())
}
