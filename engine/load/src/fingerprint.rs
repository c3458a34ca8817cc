//! What is remembered of a span, to tell later whether the span that is read back is the same, and if not, in
//! which field it differs. Independent of the order of fields and attributes, which servers may change.

use spanloom_span::proto::{ProtoError, Reader, Value};
use spanloom_span::view::{self, SpanField, SpanFields, ValueView};
use spanloom_span::{SpanId, TraceId};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// The content of one span, a number for each field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fingerprint {
    /// The span.
    pub span: SpanId,
    fields: [u64; FIELDS.len()],
}

/// Names of the fields, in the order of [`Fingerprint`]'s numbers.
const FIELDS: [&str; 15] = [
    "parent_span_id",
    "trace_state",
    "flags",
    "name",
    "kind",
    "start_time",
    "end_time",
    "attribute_count",
    "attributes",
    "events",
    "links",
    "status",
    "dropped_counts",
    "unknown_fields",
    "resource_or_scope",
];

impl Fingerprint {
    /// Reads the body of a `Span`; `place` is what [`place`] made of its resource and scope.
    pub fn of_span(body: &[u8], place: u64) -> Result<(TraceId, Self), ProtoError> {
        let mut out = Self::default();
        let mut trace = TraceId::default();
        let f = &mut out.fields;
        f[14] = place;
        let mut fields = SpanFields::new(body);
        while let Some(field) = fields.next()? {
            match field {
                SpanField::TraceId(id) => trace = TraceId(id.try_into().unwrap_or_default()),
                SpanField::SpanId(id) => out.span = SpanId(id.try_into().unwrap_or_default()),
                // An empty parent, or one of zeros, says the same as none.
                SpanField::ParentSpanId(id) if id.iter().all(|b| *b == 0) => f[0] = 0,
                SpanField::ParentSpanId(id) => f[0] = xxh3_64(id),
                SpanField::TraceState(text) => f[1] = hash_or_zero(text),
                SpanField::Flags(flags) => f[2] = u64::from(flags),
                SpanField::Name(name) => f[3] = hash_or_zero(name),
                SpanField::Kind(kind) => f[4] = kind as u64,
                SpanField::Start(time) => f[5] = time,
                SpanField::End(time) => f[6] = time,
                SpanField::Attribute(body) => {
                    f[7] += 1;
                    f[8] = f[8].wrapping_add(attribute(body)?);
                }
                SpanField::Event(body) => f[9] = f[9].wrapping_add(nested(body, 3)?),
                SpanField::Link(body) => f[10] = f[10].wrapping_add(nested(body, 4)?),
                SpanField::Status(body) => {
                    let (code, message) = view::status(body)?;
                    f[11] = hash_or_zero(message) ^ code as u64;
                }
                SpanField::DroppedAttributes(n) => f[12] ^= u64::from(n),
                SpanField::DroppedEvents(n) => f[12] ^= u64::from(n).rotate_left(20),
                SpanField::DroppedLinks(n) => f[12] ^= u64::from(n).rotate_left(40),
                SpanField::Unknown(bytes) => f[13] = f[13].wrapping_add(xxh3_64(bytes)),
            }
        }
        Ok((trace, out))
    }

    /// Names of the fields in which two spans differ.
    pub fn differences(&self, other: &Self) -> Vec<&'static str> {
        FIELDS
            .iter()
            .zip(self.fields.iter().zip(&other.fields))
            .filter(|(_, (a, b))| a != b)
            .map(|(name, _)| *name)
            .collect()
    }
}

/// A number for a resource and a scope with their schema URLs: the bodies of both messages.
pub fn place(
    resource: &[u8],
    resource_url: &[u8],
    scope: &[u8],
    scope_url: &[u8],
) -> Result<u64, ProtoError> {
    let mut sum = nested(resource, 1)?;
    for part in [nested(scope, 3)?, hash_or_zero(resource_url), hash_or_zero(scope_url)] {
        sum = sum.rotate_left(17).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ part;
    }
    Ok(sum)
}

/// The body of a message that is given with its tag and length.
pub fn field_body(field: &[u8]) -> Result<&[u8], ProtoError> {
    match Reader::new(field).next()? {
        Some((_, Value::Bytes(body))) => Ok(body),
        _ => Err(ProtoError::Truncated { at: 0 }),
    }
}

fn hash_or_zero(bytes: &[u8]) -> u64 {
    if bytes.is_empty() { 0 } else { xxh3_64(bytes) }
}

/// A message whose field `attributes` holds attributes and whose other fields are plain: their order and fields
/// with the default value do not count.
fn nested(body: &[u8], attributes: u32) -> Result<u64, ProtoError> {
    let mut sum = 0u64;
    let mut reader = Reader::new(body);
    while let Some((number, value)) = reader.next()? {
        let seed = u64::from(number);
        let hash = match value {
            Value::Bytes(body) if number == attributes => attribute(body)?,
            Value::Bytes([]) | Value::Varint(0) | Value::Fixed64(0) | Value::Fixed32(0) => 0,
            Value::Bytes(body) => xxh3_64_with_seed(body, seed),
            Value::Varint(v) | Value::Fixed64(v) => xxh3_64_with_seed(&v.to_le_bytes(), seed),
            Value::Fixed32(v) => xxh3_64_with_seed(&u64::from(v).to_le_bytes(), seed),
        };
        sum = sum.wrapping_add(hash);
    }
    Ok(xxh3_64_with_seed(&sum.to_le_bytes(), 99))
}

fn attribute(body: &[u8]) -> Result<u64, ProtoError> {
    let (key, value) = view::key_value(body)?;
    value_hash(value, xxh3_64(key), 0)
}

/// Deepest nesting of values; deeper ones count as their bytes.
const MAX_DEPTH: u32 = 32;

fn value_hash(value: ValueView<'_>, seed: u64, depth: u32) -> Result<u64, ProtoError> {
    let hash = |kind: u64, bytes: &[u8]| xxh3_64_with_seed(bytes, seed ^ (kind << 56));
    Ok(match value {
        ValueView::Empty => hash(1, b""),
        ValueView::Str(text) => hash(2, text),
        ValueView::Bool(truth) => hash(3, &[u8::from(truth)]),
        ValueView::Int(number) => hash(4, &number.to_le_bytes()),
        ValueView::Double(number) => hash(5, &number.to_bits().to_le_bytes()),
        ValueView::Bytes(bytes) => hash(6, bytes),
        ValueView::Array(body) | ValueView::Map(body) if depth >= MAX_DEPTH => hash(7, body),
        ValueView::Array(body) => {
            let (mut sum, mut reader) = (hash(8, b""), Reader::new(body));
            while let Some(field) = reader.next()? {
                if let (1, Value::Bytes(body)) = field {
                    sum = value_hash(view::any_value(body)?, sum, depth + 1)?;
                }
            }
            sum
        }
        ValueView::Map(body) => {
            let (mut sum, mut reader) = (hash(9, b""), Reader::new(body));
            while let Some(field) = reader.next()? {
                if let (1, Value::Bytes(body)) = field {
                    let (key, value) = view::key_value(body)?;
                    sum = sum.wrapping_add(value_hash(value, xxh3_64_with_seed(key, seed), depth + 1)?);
                }
            }
            sum
        }
    })
}
