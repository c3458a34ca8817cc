//! Values as bytes: a byte that says which, and what there is to say of it.

use spanloom_span::decode::any_value;
use spanloom_span::encode::put_any_value;
use spanloom_span::model::AnyValue;
use spanloom_span::proto::put_varint;

use super::{Unpacker, WireError, put_bytes};
use crate::value::Value;

/// Appends a value.
pub fn put_value(out: &mut Vec<u8>, value: Value<'_>) {
    let mut put = |tag: u8, rest: &[u8]| {
        out.push(tag);
        out.extend_from_slice(rest);
    };
    match value {
        Value::Nil => put(0, &[]),
        Value::Bool(value) => put(1 + u8::from(value), &[]),
        Value::Int(value) => put(3, &value.to_le_bytes()),
        Value::Float(value) => put(4, &value.to_bits().to_le_bytes()),
        Value::Duration(value) => put(5, &value.to_le_bytes()),
        Value::Status(code) => put(6, &code.to_le_bytes()),
        Value::Kind(code) => put(7, &code.to_le_bytes()),
        Value::Text(bytes) => put_tagged(out, 8, bytes),
        Value::Array(bytes) => put_tagged(out, 9, bytes),
        Value::Map(bytes) => put_tagged(out, 10, bytes),
        Value::Bytes(bytes) => put_tagged(out, 11, bytes),
    }
}

fn put_tagged(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    out.push(tag);
    put_bytes(out, bytes);
}

/// Reads a value in place.
pub fn take_value<'a>(from: &mut Unpacker<'a>) -> Result<Value<'a>, WireError> {
    const FIELD: &str = "a value";
    Ok(match from.u8(FIELD)? {
        0 => Value::Nil,
        1 => Value::Bool(false),
        2 => Value::Bool(true),
        3 => Value::Int(i64::from_le_bytes(from.array(FIELD)?)),
        4 => Value::Float(f64::from_bits(from.u64(FIELD)?)),
        5 => Value::Duration(i64::from_le_bytes(from.array(FIELD)?)),
        6 => Value::Status(i32::from_le_bytes(from.array(FIELD)?)),
        7 => Value::Kind(i32::from_le_bytes(from.array(FIELD)?)),
        8 => Value::Text(from.bytes(FIELD)?),
        9 => Value::Array(from.bytes(FIELD)?),
        10 => Value::Map(from.bytes(FIELD)?),
        11 => Value::Bytes(from.bytes(FIELD)?),
        _ => return Err(WireError::Wrong(FIELD)),
    })
}

/// Appends a value of an answer: its length, and the body of OTLP's `AnyValue`.
pub fn put_any(out: &mut Vec<u8>, value: &AnyValue) {
    let mut body = Vec::new();
    put_any_value(&mut body, value);
    put_varint(out, body.len() as u64);
    out.append(&mut body);
}

/// Reads a value of an answer.
pub fn take_any(from: &mut Unpacker<'_>) -> Result<AnyValue, WireError> {
    const FIELD: &str = "a value of an answer";
    any_value(from.bytes(FIELD)?).map_err(|_| WireError::Wrong(FIELD))
}
