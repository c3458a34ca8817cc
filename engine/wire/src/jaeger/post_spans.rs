//! A batch in protobuf: `jaeger.api_v2.PostSpansRequest`, the message of `CollectorService/PostSpans`.

use std::collections::HashMap;

use spanloom_span::proto::{ProtoError, Reader, Value as Wire};

use crate::foreign::{Fault, Foreign, whole};

use super::draft::{RefType, Reference};
use super::process::Process;
use super::spans::Spans;
use super::tag::{Tag, Value};

/// Nanoseconds of a second.
const SECOND: i128 = 1_000_000_000;

/// Translates a `PostSpansRequest`. Yields how many spans it had.
pub fn post_spans(bytes: &[u8], room: usize, out: &mut Vec<u8>) -> Result<u64, Foreign> {
    whole(out, |out| {
        let mut batch = None;
        let walk = Walk { whole: bytes };
        walk.fields("PostSpansRequest", bytes, |number, value| match number {
            1 => walk.once("PostSpansRequest", 1, value, bytes, &mut batch),
            _ => Ok(()),
        })?;
        walk.batch(batch.unwrap_or_default(), room, out)
    })
}

/// Translates a `WriteSpanRequest {1 span}` of `jaeger.storage.v1`, which on the wire is a batch of one span.
pub fn write_span(bytes: &[u8], room: usize, out: &mut Vec<u8>) -> Result<u64, Foreign> {
    whole(out, |out| Walk { whole: bytes }.batch(bytes, room, out))
}

/// The request, so that errors can say where in it they are.
#[derive(Clone, Copy)]
struct Walk<'a> {
    whole: &'a [u8],
}

/// The resources of a batch, by number, in order of appearance.
#[derive(Default)]
struct Resources<'a> {
    bodies: Vec<Vec<u8>>,
    /// That of the batch, which may stand behind the spans.
    of_batch: Option<u32>,
    own: HashMap<&'a [u8], u32>,
}

impl<'a> Walk<'a> {
    fn batch(&self, body: &'a [u8], room: usize, out: &mut Vec<u8>) -> Result<u64, Foreign> {
        let (mut process, mut resources) = (None, Resources::default());
        let mut spans = Spans::new(room);
        self.fields("Batch", body, |number, value| match number {
            1 => self.span(self.bytes("Batch", 1, value, body)?, &mut spans, &mut resources),
            2 => self.once("Batch", 2, value, body, &mut process),
            _ => Ok(()),
        })?;
        // Read even when no span needs it: what is wrong is refused.
        let of_batch = self.process(process.unwrap_or_default())?;
        if let Some(number) = resources.of_batch {
            resources.bodies[number as usize] = of_batch;
        }
        spans.put(&resources.bodies, out, self.at(body))?;
        Ok(spans.count())
    }

    fn span(
        &self,
        body: &'a [u8],
        spans: &mut Spans<'a>,
        resources: &mut Resources<'a>,
    ) -> Result<(), Foreign> {
        let (mut start, mut duration, mut process) = (None, None, None);
        spans.draft.begin();
        self.fields("Span", body, |number, value| {
            let draft = &mut spans.draft;
            match number {
                1 => draft.facts.trace_id = self.trace_id("Span", 1, value, body)?,
                2 => draft.facts.span_id = self.span_id("Span", 2, value, body)?,
                3 => draft.facts.name = self.bytes("Span", 3, value, body)?,
                4 => {
                    let reference = self.reference(self.bytes("Span", 4, value, body)?)?;
                    draft.references.push(reference);
                    spans.check_room(self.at(body))?;
                }
                5 => draft.facts.flags = self.varint("Span", 5, value, body)? as u32,
                6 => self.once("Span", 6, value, body, &mut start)?,
                7 => self.once("Span", 7, value, body, &mut duration)?,
                8 => {
                    draft.tag(self.tag(self.bytes("Span", 8, value, body)?)?);
                    spans.check_room(self.at(body))?;
                }
                9 => {
                    self.log(self.bytes("Span", 9, value, body)?, spans)?;
                    spans.check_room(self.at(body))?;
                }
                10 => self.once("Span", 10, value, body, &mut process)?,
                // 11 is a key into a map that batches do not have.
                12 => draft.warnings.push(self.bytes("Span", 12, value, body)?),
                _ => {}
            }
            Ok(())
        })?;
        spans.draft.facts.start = self.time("Timestamp", start.unwrap_or_default())?;
        spans.draft.facts.duration = self.time("Duration", duration.unwrap_or_default())?;
        let resource = match process {
            Some(process) => self.own_resource(process, resources)?,
            None => *resources.of_batch.get_or_insert_with(|| add(&mut resources.bodies, Vec::new())),
        };
        spans.end_span(resource, self.at(body))
    }

    /// The number of the resource of a span's own process.
    fn own_resource(&self, process: &'a [u8], resources: &mut Resources<'a>) -> Result<u32, Foreign> {
        if let Some(number) = resources.own.get(process) {
            return Ok(*number);
        }
        let number = add(&mut resources.bodies, self.process(process)?);
        resources.own.insert(process, number);
        Ok(number)
    }

    fn process(&self, body: &'a [u8]) -> Result<Vec<u8>, Foreign> {
        let mut process = Process::default();
        self.fields("Process", body, |number, value| {
            match number {
                1 => process.service = self.bytes("Process", 1, value, body)?,
                2 => process.tag(self.tag(self.bytes("Process", 2, value, body)?)?),
                _ => {}
            }
            Ok(())
        })?;
        Ok(process.resource())
    }

    fn reference(&self, body: &'a [u8]) -> Result<Reference, Foreign> {
        let mut reference = Reference { kind: RefType::ChildOf, trace_id: 0, span_id: 0 };
        self.fields("SpanRef", body, |number, value| {
            match number {
                1 => reference.trace_id = self.trace_id("SpanRef", 1, value, body)?,
                2 => reference.span_id = self.span_id("SpanRef", 2, value, body)?,
                3 => {
                    reference.kind = match self.varint("SpanRef", 3, value, body)? {
                        0 => RefType::ChildOf,
                        1 => RefType::FollowsFrom,
                        other => return Err(self.wrong(body, format!("reference type {other}"), "0 or 1")),
                    }
                }
                _ => {}
            }
            Ok(())
        })?;
        Ok(reference)
    }

    fn log(&self, body: &'a [u8], spans: &mut Spans<'a>) -> Result<(), Foreign> {
        let mut time = None;
        spans.draft.begin_log();
        self.fields("Log", body, |number, value| {
            match number {
                1 => self.once("Log", 1, value, body, &mut time)?,
                2 => {
                    spans.draft.log_field(self.tag(self.bytes("Log", 2, value, body)?)?);
                    spans.check_room(self.at(body))?;
                }
                _ => {}
            }
            Ok(())
        })?;
        let time = self.time("Timestamp", time.unwrap_or_default())?;
        spans.draft.end_log(time);
        Ok(())
    }

    /// The value is the one of the type that the tag says.
    fn tag(&self, body: &'a [u8]) -> Result<Tag<'a>, Foreign> {
        let (mut key, mut kind): (&[u8], _) = (&[], 0);
        let (mut text, mut truth, mut long, mut double, mut binary): (&[u8], _, _, _, &[u8]) =
            (&[], false, 0, 0.0, &[]);
        self.fields("KeyValue", body, |number, value| {
            match (number, value) {
                (1, Wire::Bytes(bytes)) => key = bytes,
                (2, Wire::Varint(v)) => kind = v,
                (3, Wire::Bytes(bytes)) => text = bytes,
                (4, Wire::Varint(v)) => truth = v != 0,
                (5, Wire::Varint(v)) => long = v as i64,
                (6, Wire::Fixed64(v)) => double = f64::from_bits(v),
                (7, Wire::Bytes(bytes)) => binary = bytes,
                (1..=7, _) => return Err(self.wrong_type("KeyValue", number, body)),
                _ => {}
            }
            Ok(())
        })?;
        let value = match kind {
            0 => Value::Str(text),
            1 => Value::Bool(truth),
            2 => Value::Int(long),
            3 => Value::Double(double),
            4 => Value::Bytes(binary),
            other => return Err(self.wrong(body, format!("tag type {other}"), "0 to 4")),
        };
        Ok(Tag { key, value })
    }

    /// Nanoseconds of a `google.protobuf.Timestamp` or `Duration`, which look alike.
    fn time(&self, message: &'static str, body: &'a [u8]) -> Result<i128, Foreign> {
        let (mut seconds, mut nanos) = (0, 0);
        self.fields(message, body, |number, value| {
            match number {
                1 => seconds = self.varint(message, 1, value, body)? as i64,
                2 => nanos = self.varint(message, 2, value, body)? as i32,
                _ => {}
            }
            Ok(())
        })?;
        Ok(i128::from(seconds) * SECOND + i128::from(nanos))
    }

    /// 128 bits, or 64 as older clients have.
    fn trace_id(
        &self,
        message: &'static str,
        field: u32,
        value: Wire<'a>,
        body: &[u8],
    ) -> Result<u128, Foreign> {
        let id = self.bytes(message, field, value, body)?;
        if let Ok(id) = <[u8; 16]>::try_from(id) {
            return Ok(u128::from_be_bytes(id));
        }
        match <[u8; 8]>::try_from(id) {
            Ok(id) => Ok(u64::from_be_bytes(id).into()),
            Err(_) => Err(self.wrong(id, format!("a trace id of {} bytes", id.len()), "16 or 8")),
        }
    }

    fn span_id(
        &self,
        message: &'static str,
        field: u32,
        value: Wire<'a>,
        body: &[u8],
    ) -> Result<u64, Foreign> {
        let id = self.bytes(message, field, value, body)?;
        match <[u8; 8]>::try_from(id) {
            Ok(id) => Ok(u64::from_be_bytes(id)),
            Err(_) => Err(self.wrong(id, format!("a span id of {} bytes", id.len()), "8")),
        }
    }

    /// Hands on each field of a message.
    #[inline]
    fn fields(
        &self,
        message: &'static str,
        body: &'a [u8],
        mut take: impl FnMut(u32, Wire<'a>) -> Result<(), Foreign>,
    ) -> Result<(), Foreign> {
        let mut reader = Reader::new(body);
        while let Some((number, value)) = reader.next().map_err(|error| self.broken(message, body, error))? {
            take(number, value)?;
        }
        Ok(())
    }

    /// A message that may stand once: protobuf would have two joined, which no sender does.
    fn once(
        &self,
        message: &'static str,
        field: u32,
        value: Wire<'a>,
        body: &[u8],
        place: &mut Option<&'a [u8]>,
    ) -> Result<(), Foreign> {
        let value = self.bytes(message, field, value, body)?;
        match place.replace(value) {
            None => Ok(()),
            Some(_) => Err(self.wrong(value, format!("field {field} of {message} a second time"), "it once")),
        }
    }

    #[inline]
    fn bytes(
        &self,
        message: &'static str,
        field: u32,
        value: Wire<'a>,
        body: &[u8],
    ) -> Result<&'a [u8], Foreign> {
        match value {
            Wire::Bytes(bytes) => Ok(bytes),
            _ => Err(self.wrong_type(message, field, body)),
        }
    }

    #[inline]
    fn varint(
        &self,
        message: &'static str,
        field: u32,
        value: Wire<'a>,
        body: &[u8],
    ) -> Result<u64, Foreign> {
        match value {
            Wire::Varint(value) => Ok(value),
            _ => Err(self.wrong_type(message, field, body)),
        }
    }

    fn at(&self, part: &[u8]) -> usize {
        part.as_ptr().addr().saturating_sub(self.whole.as_ptr().addr()).min(self.whole.len())
    }

    #[cold]
    fn wrong(&self, part: &[u8], found: String, expected: &'static str) -> Foreign {
        Foreign::new(Fault::Malformed, self.at(part), found, expected)
    }

    #[cold]
    fn wrong_type(&self, message: &str, field: u32, body: &[u8]) -> Foreign {
        let found = format!("field {field} of {message} with another wire type");
        self.wrong(body, found, "that of jaeger.api_v2")
    }

    #[cold]
    fn broken(&self, message: &str, body: &[u8], error: ProtoError) -> Foreign {
        let fault = match error {
            ProtoError::Truncated { .. } => Fault::Truncated,
            _ => Fault::Malformed,
        };
        Foreign::new(fault, self.at(body), format!("{message} with an error ({error} of it)"), "protobuf")
    }
}

fn add(bodies: &mut Vec<Vec<u8>>, body: Vec<u8>) -> u32 {
    bodies.push(body);
    bodies.len() as u32 - 1
}
