//! Attributes, timestamps and trace states.

use spanloom_span::proto::{Value, put_bytes, put_message, put_text, put_uint};

use super::fields::{attributes, entry, timestamp, tracestate, truncatable, value};
use super::read::{Run, count};
use crate::foreign::{self, Foreign, Scalar, put_attribute, try_message};

/// The value of an attribute.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum AttributeValue<'m> {
    /// None was set.
    Nothing,
    /// Bytes that should be UTF-8.
    Str(&'m [u8]),
    Int(i64),
    Bool(bool),
    Double(f64),
}

/// Writes the `Attributes` of a span, an annotation or a link as attributes and as the count of those dropped,
/// which are the fields `to` and `to + 1` of all three. An attribute that `take` takes is not written.
pub fn put_attributes(
    run: Run<'_>,
    out: &mut Vec<u8>,
    body: &[u8],
    to: u32,
    mut take: impl FnMut(&[u8], AttributeValue<'_>) -> bool,
) -> Result<(), Foreign> {
    let mut fields = run.fields("Attributes", body);
    let mut dropped = 0;
    while let Some(field) = fields.next()? {
        match field {
            (attributes::ATTRIBUTE_MAP, Value::Bytes(body)) => {
                let (key, value) = match short_attribute(body) {
                    Some(found) => found,
                    None => attribute(run, body)?,
                };
                if !take(key, value) {
                    put(out, to, key, value);
                }
            }
            (attributes::DROPPED_COUNT, Value::Varint(found)) => dropped = count(found),
            (number @ 1..=2, _) => return fields.wrong_type(number),
            _ => {}
        }
    }
    if dropped > 0 {
        put_uint(out, to + 1, dropped);
    }
    Ok(())
}

#[inline]
fn put(out: &mut Vec<u8>, field: u32, key: &[u8], value: AttributeValue<'_>) {
    match value {
        AttributeValue::Str(text) => {
            if !put_short_text(out, field, key, text) {
                put_attribute(out, field, &foreign::text(key), Scalar::Str(&foreign::text(text)));
            }
        }
        AttributeValue::Int(v) => put_attribute(out, field, &foreign::text(key), Scalar::Int(v)),
        AttributeValue::Bool(v) => put_attribute(out, field, &foreign::text(key), Scalar::Bool(v)),
        AttributeValue::Double(v) => put_attribute(out, field, &foreign::text(key), Scalar::Double(v)),
        AttributeValue::Nothing => put_message(out, field, |out| {
            put_text(out, 1, foreign::text(key).as_bytes());
            put_bytes(out, 2, &[]);
        }),
    }
}

/// The usual attribute, read at a glance: a key, then one value, all lengths of one byte.
#[inline]
fn short_attribute(body: &[u8]) -> Option<(&[u8], AttributeValue<'_>)> {
    let &[0x0a, key_len @ ..0x80, ref rest @ ..] = body else { return None };
    let (key, value) = rest.split_at_checked(key_len.into())?;
    let &[0x12, value_len @ ..0x80, ref value @ ..] = value else { return None };
    if value.len() != usize::from(value_len) {
        return None;
    }
    let value = match *value {
        [0x0a, string_len @ ..0x80, 0x0a, text_len @ ..0x80, ref text @ ..]
            if text.len() == usize::from(text_len) && text.len() + 2 == usize::from(string_len) =>
        {
            AttributeValue::Str(text)
        }
        [0x10, ref varint @ ..] => AttributeValue::Int(short_varint(varint)? as i64),
        [0x18, bool @ ..0x80] => AttributeValue::Bool(bool != 0),
        _ => return None,
    };
    Some((key, value))
}

/// A varint of up to nine bytes that is all there is.
#[inline]
fn short_varint(bytes: &[u8]) -> Option<u64> {
    let (last, more) = bytes.split_last()?;
    if *last >= 0x80 || more.len() > 8 {
        return None;
    }
    more.iter().rev().try_fold(u64::from(*last), |value, byte| {
        (*byte >= 0x80).then(|| value << 7 | u64::from(byte & 0x7f))
    })
}

/// Writes an attribute that is ASCII and short, as most are, without a look back.
#[inline]
fn put_short_text(out: &mut Vec<u8>, field: u32, key: &[u8], text: &[u8]) -> bool {
    let length = key.len() + text.len() + 6;
    if length >= 0x80 || key.is_empty() || !key.is_ascii() || !text.is_ascii() {
        return false;
    }
    // Checked above: all of them are below 0x80.
    let (key_len, text_len) = (key.len() as u8, text.len() as u8);
    out.extend_from_slice(&[(field << 3 | 2) as u8, length as u8, 0x0a, key_len]);
    out.extend_from_slice(key);
    out.extend_from_slice(&[0x12, text_len + 2, 0x0a, text_len]);
    out.extend_from_slice(text);
    true
}

/// An entry of the attribute map.
fn attribute<'m>(run: Run<'_>, body: &'m [u8]) -> Result<(&'m [u8], AttributeValue<'m>), Foreign> {
    let (mut key, mut value): (&[u8], _) = (&[], AttributeValue::Nothing);
    let mut fields = run.fields("an attribute", body);
    while let Some(field) = fields.next()? {
        match field {
            (entry::KEY, Value::Bytes(text)) => key = text,
            (entry::VALUE, Value::Bytes(body)) => value = attribute_value(run, body)?,
            (number @ 1..=2, _) => return fields.wrong_type(number),
            _ => {}
        }
    }
    Ok((key, value))
}

/// Of several values the last one holds, as protobuf says of a `oneof`.
fn attribute_value<'m>(run: Run<'_>, body: &'m [u8]) -> Result<AttributeValue<'m>, Foreign> {
    let mut found = AttributeValue::Nothing;
    let mut fields = run.fields("AttributeValue", body);
    while let Some(field) = fields.next()? {
        found = match field {
            (value::STRING, Value::Bytes(body)) => AttributeValue::Str(truncatable(run, body)?),
            (value::INT, Value::Varint(v)) => AttributeValue::Int(v as i64),
            (value::BOOL, Value::Varint(v)) => AttributeValue::Bool(v != 0),
            (value::DOUBLE, Value::Fixed64(v)) => AttributeValue::Double(f64::from_bits(v)),
            (number @ 1..=4, _) => return fields.wrong_type(number),
            _ => found,
        };
    }
    Ok(found)
}

/// The text of a `TruncatableString`. How much was cut off it is not kept.
pub fn truncatable<'m>(run: Run<'_>, body: &'m [u8]) -> Result<&'m [u8], Foreign> {
    let mut found: &[u8] = &[];
    let mut fields = run.fields("TruncatableString", body);
    while let Some(field) = fields.next()? {
        match field {
            (truncatable::VALUE, Value::Bytes(text)) => found = text,
            (truncatable::TRUNCATED_BYTE_COUNT, Value::Varint(_)) => {}
            (number @ 1..=2, _) => return fields.wrong_type(number),
            _ => {}
        }
    }
    Ok(found)
}

/// An entry of a map of strings.
pub fn string_entry<'m>(run: Run<'_>, body: &'m [u8]) -> Result<(&'m [u8], &'m [u8]), Foreign> {
    let (mut key, mut value): (&[u8], &[u8]) = (&[], &[]);
    let mut fields = run.fields("a map's entry", body);
    while let Some(field) = fields.next()? {
        match field {
            (entry::KEY, Value::Bytes(text)) => key = text,
            (entry::VALUE, Value::Bytes(text)) => value = text,
            (number @ 1..=2, _) => return fields.wrong_type(number),
            _ => {}
        }
    }
    Ok((key, value))
}

/// A `Timestamp`: seconds since 1970 and nanoseconds.
pub fn timestamp(run: Run<'_>, body: &[u8]) -> Result<(i64, i32), Foreign> {
    let (mut seconds, mut nanos) = (0, 0);
    let mut fields = run.fields("Timestamp", body);
    while let Some(field) = fields.next()? {
        match field {
            (timestamp::SECONDS, Value::Varint(v)) => seconds = v as i64,
            (timestamp::NANOS, Value::Varint(v)) => nanos = v as i32,
            (number @ 1..=2, _) => return fields.wrong_type(number),
            _ => {}
        }
    }
    Ok((seconds, nanos))
}

/// Nanoseconds since 1970, if there is a timestamp and OTLP can say it: from 1970 to 2554.
pub fn unix_nanos(run: Run<'_>, body: Option<&[u8]>) -> Result<Option<u64>, Foreign> {
    let Some(body) = body else { return Ok(None) };
    let (seconds, nanos) = timestamp(run, body)?;
    Ok(u64::try_from(i128::from(seconds) * 1_000_000_000 + i128::from(nanos)).ok())
}

/// Writes a `Tracestate` as text of the W3C form, unless it is empty.
pub fn put_trace_state(run: Run<'_>, out: &mut Vec<u8>, body: &[u8], to: u32) -> Result<(), Foreign> {
    let before = out.len();
    let written = try_message(out, to, |out| {
        let mut fields = run.fields("Tracestate", body);
        let from = out.len();
        while let Some(field) = fields.next()? {
            match field {
                (tracestate::ENTRIES, Value::Bytes(body)) => {
                    let (key, value) = string_entry(run, body)?;
                    if out.len() > from {
                        out.push(b',');
                    }
                    out.extend_from_slice(foreign::text(key).as_bytes());
                    out.push(b'=');
                    out.extend_from_slice(foreign::text(value).as_bytes());
                }
                (number @ 1..=1, _) => return fields.wrong_type(number),
                _ => {}
            }
        }
        Ok(out.len() - from)
    })?;
    if written == 0 {
        out.truncate(before);
    }
    Ok(())
}
