//! A batch in Thrift: the body of `POST /api/traces`, and the argument of `emitBatch`.

use crate::foreign::{Fault, Foreign, whole};
use crate::thrift::{BinaryReader, CompactReader, Field, Fields, Protocol, Reader, Type};

use super::draft::{RefType, Reference};
use super::limits;
use super::process::Process;
use super::spans::Spans;
use super::tag::{Tag, Value};

/// Nanoseconds of Thrift's unit.
const MICROS: i128 = 1000;

/// Translates a `Batch`. Yields how many spans it had.
pub fn batch(protocol: Protocol, bytes: &[u8], room: usize, out: &mut Vec<u8>) -> Result<u64, Foreign> {
    whole(out, |out| match protocol {
        Protocol::Binary => body(BinaryReader::new(bytes, limits())?, room, out),
        Protocol::Compact => body(CompactReader::new(bytes, limits())?, room, out),
    })
}

fn body<'a, R: Reader<'a>>(mut input: R, room: usize, out: &mut Vec<u8>) -> Result<u64, Foreign> {
    let spans = read(&mut input, room, out)?;
    input.end()?;
    Ok(spans)
}

/// Reads a `Batch` and appends it.
pub(super) fn read<'a, R: Reader<'a>>(input: &mut R, room: usize, out: &mut Vec<u8>) -> Result<u64, Foreign> {
    let mut spans = Spans::new(room);
    let mut resource = Vec::new();
    let mut seen = Seen::default();
    let mut fields = Fields::new("Batch");
    while let Some(field) = input.field(&mut fields)? {
        match field.id {
            1 => {
                seen.once(&field)?;
                field.expect(Type::Struct)?;
                resource = process(input)?;
            }
            2 => {
                seen.once(&field)?;
                for _ in 0..input.structs_of(&field)? {
                    span(input, &mut spans)?;
                }
            }
            // 3 and 4: a number of the batch, and what the client counted of its own losses.
            _ => input.skip(field.kind)?,
        }
    }
    seen.all("Batch", &[(1, "process"), (2, "spans")], input.position())?;
    spans.put(&[resource], out, input.position())?;
    Ok(spans.count())
}

fn process<'a, R: Reader<'a>>(input: &mut R) -> Result<Vec<u8>, Foreign> {
    let mut process = Process::default();
    let mut seen = Seen::default();
    let mut fields = Fields::new("Process");
    while let Some(field) = input.field(&mut fields)? {
        match field.id {
            1 => {
                seen.once(&field)?;
                process.service = input.bytes_of(&field)?;
            }
            2 => {
                seen.once(&field)?;
                for _ in 0..input.structs_of(&field)? {
                    process.tag(tag(input)?);
                }
            }
            _ => input.skip(field.kind)?,
        }
    }
    seen.all("Process", &[(1, "serviceName")], input.position())?;
    Ok(process.resource())
}

const SPAN: [(i16, &str); 8] = [
    (1, "traceIdLow"),
    (2, "traceIdHigh"),
    (3, "spanId"),
    (4, "parentSpanId"),
    (5, "operationName"),
    (7, "flags"),
    (8, "startTime"),
    (9, "duration"),
];

fn span<'a, R: Reader<'a>>(input: &mut R, spans: &mut Spans<'a>) -> Result<(), Foreign> {
    let at = input.position();
    spans.draft.begin();
    let mut seen = Seen::default();
    let mut fields = Fields::new("Span");
    while let Some(field) = input.field(&mut fields)? {
        if matches!(field.id, 1..=12) {
            seen.once(&field)?;
        }
        let facts = &mut spans.draft.facts;
        match field.id {
            1 => facts.trace_id |= u128::from(input.i64_of(&field)? as u64),
            2 => facts.trace_id |= u128::from(input.i64_of(&field)? as u64) << 64,
            3 => facts.span_id = input.i64_of(&field)? as u64,
            4 => facts.parent_id = input.i64_of(&field)? as u64,
            5 => facts.name = input.bytes_of(&field)?,
            6 => references(input, &field, spans)?,
            7 => facts.flags = input.i32_of(&field)? as u32,
            8 => facts.start = i128::from(input.i64_of(&field)?) * MICROS,
            9 => facts.duration = i128::from(input.i64_of(&field)?) * MICROS,
            10 => {
                for _ in 0..input.structs_of(&field)? {
                    spans.draft.tag(tag(input)?);
                    spans.check_room(input.position())?;
                }
            }
            11 => logs(input, &field, spans)?,
            12 => facts.incomplete = input.bool_of(&field)?,
            _ => input.skip(field.kind)?,
        }
    }
    seen.all("Span", &SPAN, input.position())?;
    spans.end_span(0, at)
}

fn references<'a, R: Reader<'a>>(input: &mut R, field: &Field, spans: &mut Spans<'a>) -> Result<(), Foreign> {
    for _ in 0..input.structs_of(field)? {
        let reference = reference(input)?;
        spans.draft.references.push(reference);
        spans.check_room(input.position())?;
    }
    Ok(())
}

const REFERENCE: [(i16, &str); 4] = [(1, "refType"), (2, "traceIdLow"), (3, "traceIdHigh"), (4, "spanId")];

fn reference<'a, R: Reader<'a>>(input: &mut R) -> Result<Reference, Foreign> {
    let mut reference = Reference { kind: RefType::ChildOf, trace_id: 0, span_id: 0 };
    let mut seen = Seen::default();
    let mut fields = Fields::new("SpanRef");
    while let Some(field) = input.field(&mut fields)? {
        if matches!(field.id, 1..=4) {
            seen.once(&field)?;
        }
        match field.id {
            1 => {
                reference.kind = match input.i32_of(&field)? {
                    0 => RefType::ChildOf,
                    1 => RefType::FollowsFrom,
                    other => return Err(wrong(&field, format!("reference type {other}"), "0 or 1")),
                };
            }
            2 => reference.trace_id |= u128::from(input.i64_of(&field)? as u64),
            3 => reference.trace_id |= u128::from(input.i64_of(&field)? as u64) << 64,
            4 => reference.span_id = input.i64_of(&field)? as u64,
            _ => input.skip(field.kind)?,
        }
    }
    seen.all("SpanRef", &REFERENCE, input.position())?;
    Ok(reference)
}

fn logs<'a, R: Reader<'a>>(input: &mut R, field: &Field, spans: &mut Spans<'a>) -> Result<(), Foreign> {
    for _ in 0..input.structs_of(field)? {
        let time = log(input, spans)?;
        spans.draft.end_log(time);
        spans.check_room(input.position())?;
    }
    Ok(())
}

/// Takes a log's fields; yields its time.
fn log<'a, R: Reader<'a>>(input: &mut R, spans: &mut Spans<'a>) -> Result<i128, Foreign> {
    spans.draft.begin_log();
    let mut time = 0;
    let mut seen = Seen::default();
    let mut fields = Fields::new("Log");
    while let Some(field) = input.field(&mut fields)? {
        match field.id {
            1 => {
                seen.once(&field)?;
                time = i128::from(input.i64_of(&field)?) * MICROS;
            }
            2 => {
                seen.once(&field)?;
                for _ in 0..input.structs_of(&field)? {
                    spans.draft.log_field(tag(input)?);
                    spans.check_room(input.position())?;
                }
            }
            _ => input.skip(field.kind)?,
        }
    }
    seen.all("Log", &[(1, "timestamp"), (2, "fields")], input.position())?;
    Ok(time)
}

/// The value is the one of the type that the tag says; if that is missing, it is empty, zero or false.
// Inlined, a tag stays in registers: there are a dozen in a span.
#[inline(always)]
fn tag<'a, R: Reader<'a>>(input: &mut R) -> Result<Tag<'a>, Foreign> {
    let (mut key, mut kind): (&[u8], _) = (&[], 0);
    let (mut text, mut double, mut truth, mut long, mut binary): (&[u8], _, _, _, &[u8]) =
        (&[], 0.0, false, 0, &[]);
    let mut seen = Seen::default();
    let mut fields = Fields::new("Tag");
    while let Some(field) = input.field(&mut fields)? {
        if matches!(field.id, 1..=7) {
            seen.once(&field)?;
        }
        match field.id {
            1 => key = input.bytes_of(&field)?,
            2 => {
                kind = input.i32_of(&field)?;
                if !matches!(kind, 0..=4) {
                    return Err(wrong(&field, format!("tag type {kind}"), "0 to 4"));
                }
            }
            3 => text = input.bytes_of(&field)?,
            4 => double = input.double_of(&field)?,
            5 => truth = input.bool_of(&field)?,
            6 => long = input.i64_of(&field)?,
            7 => binary = input.bytes_of(&field)?,
            _ => input.skip(field.kind)?,
        }
    }
    seen.all("Tag", &[(1, "key"), (2, "vType")], input.position())?;
    let value = match kind {
        1 => Value::Double(double),
        2 => Value::Bool(truth),
        3 => Value::Int(long),
        4 => Value::Bytes(binary),
        _ => Value::Str(text),
    };
    Ok(Tag { key, value })
}

#[cold]
fn wrong(field: &Field, found: String, expected: &'static str) -> Foreign {
    Foreign::new(Fault::Malformed, field.at, format!("{found} in {}", field.within), expected)
}

/// Which fields of a struct were seen, one bit each.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Seen(u32);

impl Seen {
    /// Notes a field, whose number is below 32.
    #[inline]
    pub(super) fn once(&mut self, field: &Field) -> Result<(), Foreign> {
        let bit = 1u32.checked_shl(field.id as u32).unwrap_or(0);
        if self.0 & bit != 0 {
            return Err(wrong(field, format!("field {} a second time", field.id), "it once"));
        }
        self.0 |= bit;
        Ok(())
    }

    /// Whether the fields that a struct must have were seen, at its end.
    #[inline]
    pub(super) fn all(&self, within: &str, needed: &[(i16, &str)], at: usize) -> Result<(), Foreign> {
        let missing = needed.iter().find(|(id, _)| self.0 & 1 << id == 0);
        missing.map_or(Ok(()), |(id, name)| Err(missing_field(within, *id, name, at)))
    }
}

#[cold]
fn missing_field(within: &str, id: i16, name: &str, at: usize) -> Foreign {
    let expected = format!("its field {id} ({name})");
    Foreign::new(Fault::Malformed, at, format!("the end of a {within}"), expected)
}
