//! A key and a value: `Tag` in Thrift, `KeyValue` in protobuf. What is not UTF-8 in them becomes U+FFFD.

use crate::foreign::{Scalar, put_attribute, text};

/// A tag's value, of the type that the tag says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// A string.
    Str(&'a [u8]),
    /// True or false.
    Bool(bool),
    /// `LONG` or `INT64`.
    Int(i64),
    /// `DOUBLE` or `FLOAT64`.
    Double(f64),
    /// `BINARY`.
    Bytes(&'a [u8]),
}

/// A tag of a span or process, or a field of a log.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tag<'a> {
    /// Its key.
    pub key: &'a [u8],
    /// Its value.
    pub value: Value<'a>,
}

impl<'a> Tag<'a> {
    /// Appends it as an attribute, as the field of that number.
    #[inline]
    pub fn put(&self, out: &mut Vec<u8>, field: u32) {
        self.put_as(&text(self.key), out, field);
    }

    /// The same under another key.
    #[inline]
    pub fn put_as(&self, key: &str, out: &mut Vec<u8>, field: u32) {
        match self.value {
            Value::Str(v) => put_attribute(out, field, key, Scalar::Str(&text(v))),
            Value::Bool(v) => put_attribute(out, field, key, Scalar::Bool(v)),
            Value::Int(v) => put_attribute(out, field, key, Scalar::Int(v)),
            Value::Double(v) => put_attribute(out, field, key, Scalar::Double(v)),
            Value::Bytes(v) => put_attribute(out, field, key, Scalar::Bytes(v)),
        }
    }

    /// Its value, if it is a string.
    #[inline]
    pub fn str(&self) -> Option<&'a [u8]> {
        match self.value {
            Value::Str(text) => Some(text),
            _ => None,
        }
    }

    /// Its value, if it is a whole number. Senders in JavaScript have only doubles.
    pub fn whole(&self) -> Option<i64> {
        match self.value {
            Value::Int(v) => Some(v),
            Value::Double(v) if v.fract() == 0.0 && v.abs() < 9e15 => Some(v as i64),
            _ => None,
        }
    }

    /// Its value, if it is a count as OTLP has them.
    pub fn count(&self) -> Option<u32> {
        self.whole().and_then(|v| u32::try_from(v).ok())
    }
}
