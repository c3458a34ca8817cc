//! v1 Thrift: a list of `zipkincore.Span`, in TBinary over HTTP, and in TCompact within a Jaeger agent's datagrams.

use std::borrow::Cow;

use super::draft::{Draft, Sheet};
use super::endpoint::{Address, Endpoint, Host, octets};
use super::tags::Given;
use super::v1::Sides;
use super::{Micros, Options, request, span};
use crate::foreign::{Foreign, text};
use crate::thrift::{BinaryReader, Fields, Limits, Reader, Type};

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
    let (mut at, mut value, mut host) = (Micros { nanos: 0 }, Cow::Borrowed(""), Raw::default());
    let mut fields = Fields::new("Annotation");
    while let Some(field) = input.field(&mut fields)? {
        match field.id {
            1 => at = Micros::read_signed(input.i64_of(&field)?, field.at)?,
            2 => value = text(input.bytes_of(&field)?),
            3 => {
                field.expect(Type::Struct)?;
                host = hosts.read(input)?;
            }
            _ => input.skip(field.kind)?,
        }
    }
    sides.annotation(sheet, draft, at, &value, &host);
    Ok(())
}

fn read_binary_annotation<'a>(
    input: &mut impl Reader<'a>,
    sheet: &mut Sheet<'_>,
    draft: &mut Draft<'a>,
    sides: &mut Sides<'a>,
    hosts: &mut Hosts<'a>,
) -> Result<(), Foreign> {
    let (mut key, mut value, mut kind) = (Cow::Borrowed(""), &[][..], BYTES);
    let mut host = Raw::default();
    let mut fields = Fields::new("BinaryAnnotation");
    while let Some(field) = input.field(&mut fields)? {
        match field.id {
            1 => key = text(input.bytes_of(&field)?),
            2 => value = input.bytes_of(&field)?,
            3 => kind = input.i32_of(&field)?,
            4 => {
                field.expect(Type::Struct)?;
                host = hosts.read(input)?;
            }
            _ => input.skip(field.kind)?,
        }
    }
    sides.binary_annotation(sheet, draft, &key, as_kind(value, kind), &host);
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
#[derive(Clone, Copy, Default)]
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

/// The endpoint read last. Nearly all of a request are the same one, so it is compared before it is read.
#[derive(Default)]
struct Hosts<'a> {
    bytes: &'a [u8],
    last: Raw<'a>,
}

impl<'a> Hosts<'a> {
    fn read(&mut self, input: &mut impl Reader<'a>) -> Result<Raw<'a>, Foreign> {
        if !input.again(self.bytes) {
            let from = input.position();
            let mut read = Raw::default();
            read_endpoint(input, &mut read)?;
            (self.bytes, self.last) = (input.since(from), read);
        }
        Ok(self.last)
    }
}

fn read_endpoint<'a>(input: &mut impl Reader<'a>, read: &mut Raw<'a>) -> Result<(), Foreign> {
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
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_of_its_type_when_it_is_as_long() {
        let check = |value: &[u8], kind: i32, expected: Given<'_>| {
            assert_eq!(as_kind(value, kind), expected, "{value:?} {kind}");
        };
        check(&[0], 0, Given::Bool(false));
        check(&[1], 0, Given::Bool(true));
        check(b"0x01", 0, Given::Bool(true));
        check(&[1, 1], 0, Given::Bytes(Cow::Borrowed(&[1, 1])));
        check(&[1, 0], 2, Given::Int(256));
        check(&[0xff; 4], 3, Given::Int(-1));
        check(&[0xff; 8], 4, Given::Int(-1));
        check(&1.5f64.to_be_bytes(), 5, Given::Double(1.5));
        check(b"text", 6, Given::Raw(b"text"));
        check(&[1, 2, 3], 4, Given::Bytes(Cow::Borrowed(&[1, 2, 3])));
    }
}
