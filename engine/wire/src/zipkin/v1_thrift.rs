//! v1 Thrift: a list of `zipkincore.Span`, in TBinary over HTTP, and in TCompact within a Jaeger agent's datagrams.

use std::borrow::Cow;

use super::draft::{Draft, Sheet};
use super::endpoint::{Address, Endpoint, Host, octets};
use super::tags::Given;
use super::v1::Sides;
use super::{Micros, Options, request, span};
use crate::foreign::{Foreign, text, text_bytes};
use crate::thrift::{BinaryReader, Fields, Limits, Reader, Type};

#[cfg(test)]
mod tests;

/// Appends a body of `POST /api/v1/spans`: a list in TBinary, without a message's header. Yields how many spans it
/// had. At most `room` bytes are written.
pub fn v1_thrift(bytes: &[u8], options: &Options, room: usize, out: &mut Vec<u8>) -> Result<u64, Foreign> {
    // The length of a body is the listener's to bound.
    let limits = Limits { max_bytes: usize::MAX, ..Limits::default() };
    let mut input = BinaryReader::new(bytes, limits)?;
    request(options, bytes.len(), room, out, |sheet| {
        read_spans(&mut input, sheet)?;
        input.end()?;
        Ok(input.position())
    })
}

/// Appends the list of spans that the reader stands before, such as the argument of `Agent.emitZipkinBatch`, and
/// leaves the reader behind it. Yields how many there were. At most `room` bytes are written.
pub fn thrift_spans<'a>(
    input: &mut impl Reader<'a>,
    options: &Options,
    room: usize,
    out: &mut Vec<u8>,
) -> Result<u64, Foreign> {
    request(options, input.left(), room, out, |sheet| {
        read_spans(input, sheet)?;
        Ok(input.position())
    })
}

fn read_spans<'a>(input: &mut impl Reader<'a>, sheet: &mut Sheet<'_>) -> Result<(), Foreign> {
    let mut hosts = Hosts::default();
    for _ in 0..input.structs()? {
        span(sheet, |sheet, draft| read_span(input, sheet, draft, &mut hosts))?;
    }
    Ok(())
}

fn read_span<'a>(
    input: &mut impl Reader<'a>,
    sheet: &mut Sheet<'_>,
    draft: &mut Draft<'a>,
    hosts: &mut Hosts<'a>,
) -> Result<usize, Foreign> {
    let mut sides = Sides::default();
    let mut fields = Fields::new("Span");
    while let Some(field) = input.field(&mut fields)? {
        match field.id {
            1 => draft.trace_id[8..].copy_from_slice(&input.i64_of(&field)?.to_be_bytes()),
            12 => draft.trace_id[..8].copy_from_slice(&input.i64_of(&field)?.to_be_bytes()),
            3 => draft.name = text(input.bytes_of(&field)?),
            4 => draft.span_id = input.i64_of(&field)?.to_be_bytes(),
            5 => draft.parent_id = input.i64_of(&field)?.to_be_bytes(),
            6 => {
                for _ in 0..input.structs_of(&field)? {
                    read_annotation(input, sheet, draft, &mut sides, hosts)?;
                }
            }
            8 => {
                for _ in 0..input.structs_of(&field)? {
                    read_binary_annotation(input, sheet, draft, &mut sides, hosts)?;
                }
            }
            9 => draft.debug = input.bool_of(&field)?,
            10 => draft.start = Micros::read_signed(input.i64_of(&field)?, field.at)?.or_absent(),
            11 => draft.duration = Some(input.i64_of(&field)?),
            _ => input.skip(field.kind)?,
        }
    }
    sides.end(sheet, draft);
    Ok(input.position())
}

fn read_annotation<'a>(
    input: &mut impl Reader<'a>,
    sheet: &mut Sheet<'_>,
    draft: &mut Draft<'a>,
    sides: &mut Sides<'a>,
    hosts: &mut Hosts<'a>,
) -> Result<(), Foreign> {
    let (mut at, mut value, mut has_host) = (Micros { nanos: 0 }, &[][..], false);
    let mut fields = Fields::new("Annotation");
    // As nearly all writers write it; whatever comes otherwise is read below.
    let from = input.position();
    if input.comes(&mut fields, 1, Type::I64) {
        at = Micros::read_signed(input.i64()?, from)?;
    }
    if input.comes(&mut fields, 2, Type::Bytes) {
        value = input.bytes()?;
    }
    if input.comes(&mut fields, 3, Type::Struct) {
        hosts.read(input)?;
        has_host = true;
    }
    while let Some(field) = input.field(&mut fields)? {
        match field.id {
            1 => at = Micros::read_signed(input.i64_of(&field)?, field.at)?,
            2 => value = input.bytes_of(&field)?,
            3 => {
                field.expect(Type::Struct)?;
                hosts.read(input)?;
                has_host = true;
            }
            _ => input.skip(field.kind)?,
        }
    }
    sides.annotation(sheet, draft, at, &text_bytes(value), hosts.of(has_host));
    Ok(())
}

fn read_binary_annotation<'a>(
    input: &mut impl Reader<'a>,
    sheet: &mut Sheet<'_>,
    draft: &mut Draft<'a>,
    sides: &mut Sides<'a>,
    hosts: &mut Hosts<'a>,
) -> Result<(), Foreign> {
    let (mut key, mut value, mut kind, mut has_host) = (&[][..], &[][..], BYTES, false);
    let mut fields = Fields::new("BinaryAnnotation");
    // As nearly all writers write it; whatever comes otherwise is read below.
    if input.comes(&mut fields, 1, Type::Bytes) {
        key = input.bytes()?;
    }
    if input.comes(&mut fields, 2, Type::Bytes) {
        value = input.bytes()?;
    }
    if input.comes(&mut fields, 3, Type::I32) {
        kind = input.i32()?;
    }
    if input.comes(&mut fields, 4, Type::Struct) {
        hosts.read(input)?;
        has_host = true;
    }
    while let Some(field) = input.field(&mut fields)? {
        match field.id {
            1 => key = input.bytes_of(&field)?,
            2 => value = input.bytes_of(&field)?,
            3 => kind = input.i32_of(&field)?,
            4 => {
                field.expect(Type::Struct)?;
                hosts.read(input)?;
                has_host = true;
            }
            _ => input.skip(field.kind)?,
        }
    }
    sides.binary_annotation(sheet, draft, &text_bytes(key), as_kind(value, kind), hosts.of(has_host));
    Ok(())
}

/// `AnnotationType.BYTES`: no encoding, or not known.
const BYTES: i32 = 1;

/// The value by its `AnnotationType`; one that is not as long as its type stays bytes.
fn as_kind(value: &[u8], kind: i32) -> Given<'_> {
    match (kind, value) {
        (0, [0]) => Given::Bool(false),
        // Jaeger's first client for Python writes the byte as text.
        (0, [1] | b"0x01") => Given::Bool(true),
        (2, &[a, b]) => Given::Int(i16::from_be_bytes([a, b]).into()),
        (3, &[a, b, c, d]) => Given::Int(i32::from_be_bytes([a, b, c, d]).into()),
        (4, &[a, b, c, d, e, f, g, h]) => Given::Int(i64::from_be_bytes([a, b, c, d, e, f, g, h])),
        (5, &[a, b, c, d, e, f, g, h]) => Given::Double(f64::from_be_bytes([a, b, c, d, e, f, g, h])),
        (6, value) => Given::Raw(value),
        (_, value) => Given::Bytes(Cow::Borrowed(value)),
    }
}

/// An endpoint as it lies there.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Raw<'a> {
    service: &'a [u8],
    ipv4: u32,
    /// None or 16 bytes.
    ipv6: &'a [u8],
    port: u16,
}

impl<'a> Host<'a> for Raw<'a> {
    fn is_named(&self) -> bool {
        !self.service.is_empty()
    }

    fn is_empty(&self) -> bool {
        self.service.is_empty() && self.ipv4 == 0 && self.ipv6.is_empty() && self.port == 0
    }

    fn endpoint(&self) -> Endpoint<'a> {
        Endpoint {
            service: text(self.service),
            ipv4: Address::ip((self.ipv4 != 0).then(|| self.ipv4.to_be_bytes())),
            ipv6: Address::ip(<[u8; 16]>::try_from(self.ipv6).ok()),
            port: self.port,
        }
    }
}

/// The endpoints read last: nearly all of a request are the sender's own and another, so one is compared with these
/// before it is read.
#[derive(Default)]
struct Hosts<'a> {
    last: Known<'a>,
    other: Known<'a>,
    none: Raw<'a>,
}

/// An endpoint, and its bytes.
#[derive(Default)]
struct Known<'a> {
    bytes: &'a [u8],
    host: Raw<'a>,
}

impl<'a> Hosts<'a> {
    #[inline]
    fn read(&mut self, input: &mut impl Reader<'a>) -> Result<(), Foreign> {
        if input.again(self.last.bytes) { Ok(()) } else { self.read_other(input) }
    }

    #[inline(never)]
    fn read_other(&mut self, input: &mut impl Reader<'a>) -> Result<(), Foreign> {
        std::mem::swap(&mut self.last, &mut self.other);
        if !input.again(self.last.bytes) {
            let from = input.position();
            let host = read_endpoint(input)?;
            self.last = Known { bytes: input.since(from), host };
        }
        Ok(())
    }

    /// The one read last, or one of which nothing is known.
    #[inline]
    fn of(&self, has_host: bool) -> &Raw<'a> {
        if has_host { &self.last.host } else { &self.none }
    }
}

fn read_endpoint<'a>(input: &mut impl Reader<'a>) -> Result<Raw<'a>, Foreign> {
    let mut read = Raw::default();
    let mut fields = Fields::new("Endpoint");
    while let Some(field) = input.field(&mut fields)? {
        match field.id {
            1 => read.ipv4 = input.i32_of(&field)? as u32,
            // Unsigned, though Thrift has no such type.
            2 => read.port = input.i16_of(&field)? as u16,
            3 => read.service = input.bytes_of(&field)?,
            4 => {
                read.ipv6 = input.bytes_of(&field)?;
                octets::<16>(read.ipv6, field.at)?;
            }
            _ => input.skip(field.kind)?,
        }
    }
    Ok(read)
}
