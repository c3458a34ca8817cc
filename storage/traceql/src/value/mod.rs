//! The value of a field of a span, read in place. `docs/TRACEQL.md`, section "Values".
//!
//! | file | holds |
//! |---|---|
//! | `mod.rs` | a value, borrowed or owned, and its form in an answer |
//! | `compare.rs` | the comparisons of the language |
//! | `array.rs` | the elements of arrays |
//! | `arithmetic.rs` | arithmetic between numbers |
//! | `key.rs` | values as keys of groups, and the order that labels are sorted by |
//! | `groups.rs` | groups by the values of several fields |
//! | `sum.rs` | sums that do not depend on the order of what is added |

mod arithmetic;
mod array;
mod compare;
mod groups;
mod key;
mod sum;

pub use arithmetic::{ArithmeticOp, negate, reckon};
pub use array::elements;
pub use compare::{CompareOp, compare};
pub use groups::Groups;
pub use key::{Key, label_order, order};
pub use sum::{ExactSum, Total};

use spanloom_span::model::AnyValue;
use spanloom_span::view::ValueView;

use crate::ast::{Kind, Literal, Status};

/// A value, borrowed from wherever the span lies. Text is UTF-8 as a rule; bytes of a hostile block may not be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// Not there.
    Nil,
    /// A boolean.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A float.
    Float(f64),
    /// A string's bytes.
    Text(&'a [u8]),
    /// Nanoseconds.
    Duration(i64),
    /// OTLP's code: 0 unset, 1 ok, 2 error, others as they came.
    Status(i32),
    /// OTLP's code: 0 unspecified, 1 internal, 2 server, 3 client, 4 producer, 5 consumer, others as they came.
    Kind(i32),
    /// Body of an OTLP `ArrayValue`.
    Array(&'a [u8]),
    /// Body of an OTLP `KeyValueList`: there, and matches nothing.
    Map(&'a [u8]),
    /// Bytes: there, and match nothing.
    Bytes(&'a [u8]),
}

impl<'a> Value<'a> {
    /// The value of an attribute. One that was sent without a value is nil.
    pub fn of_attribute(view: ValueView<'a>) -> Self {
        match view {
            ValueView::Empty => Value::Nil,
            ValueView::Str(text) => Value::Text(text),
            ValueView::Bool(value) => Value::Bool(value),
            ValueView::Int(value) => Value::Int(value),
            ValueView::Double(value) => Value::Float(value),
            ValueView::Array(body) => Value::Array(body),
            ValueView::Map(body) => Value::Map(body),
            ValueView::Bytes(bytes) => Value::Bytes(bytes),
        }
    }

    /// The word that the language has for a status or kind, if it has one and the value is one.
    pub fn word(self) -> Option<&'static str> {
        Some(match self {
            Value::Status(0) => "unset",
            Value::Status(1) => "ok",
            Value::Status(2) => "error",
            Value::Kind(0) => "unspecified",
            Value::Kind(1) => "internal",
            Value::Kind(2) => "server",
            Value::Kind(3) => "client",
            Value::Kind(4) => "producer",
            Value::Kind(5) => "consumer",
            _ => return None,
        })
    }

    /// The value as a number, durations in nanoseconds; `None` for what is no number.
    #[inline]
    pub fn as_number(self) -> Option<f64> {
        match self {
            Value::Int(value) | Value::Duration(value) => Some(value as f64),
            Value::Float(value) => Some(value),
            _ => None,
        }
    }

    /// A copy for an answer: durations are integers (nanoseconds), status and kind the words of the language.
    pub fn to_any(self) -> AnyValue {
        match self {
            Value::Nil => AnyValue::Empty,
            Value::Bool(value) => AnyValue::Bool(value),
            Value::Int(value) | Value::Duration(value) => AnyValue::Int(value),
            Value::Float(value) => AnyValue::Double(value),
            Value::Text(bytes) => AnyValue::Str(String::from_utf8_lossy(bytes).into_owned()),
            Value::Status(code) | Value::Kind(code) => match self.word() {
                Some(word) => AnyValue::Str(word.to_owned()),
                None => AnyValue::Int(code.into()),
            },
            Value::Array(body) => spanloom_span::decode::value(ValueView::Array(body)).unwrap_or_default(),
            Value::Map(body) => spanloom_span::decode::value(ValueView::Map(body)).unwrap_or_default(),
            Value::Bytes(bytes) => AnyValue::Bytes(bytes.to_vec()),
        }
    }
}

/// A value that is kept: a constant of a query, an attribute of a spanset.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the variants are those of `Value`")]
pub enum OwnedValue {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Box<[u8]>),
    Duration(i64),
    Status(i32),
    Kind(i32),
    Array(Box<[u8]>),
    Map(Box<[u8]>),
    Bytes(Box<[u8]>),
}

impl OwnedValue {
    /// The value, borrowed.
    #[inline]
    pub fn as_value(&self) -> Value<'_> {
        match self {
            OwnedValue::Nil => Value::Nil,
            OwnedValue::Bool(value) => Value::Bool(*value),
            OwnedValue::Int(value) => Value::Int(*value),
            OwnedValue::Float(value) => Value::Float(*value),
            OwnedValue::Text(text) => Value::Text(text),
            OwnedValue::Duration(value) => Value::Duration(*value),
            OwnedValue::Status(code) => Value::Status(*code),
            OwnedValue::Kind(code) => Value::Kind(*code),
            OwnedValue::Array(body) => Value::Array(body),
            OwnedValue::Map(body) => Value::Map(body),
            OwnedValue::Bytes(bytes) => Value::Bytes(bytes),
        }
    }

    /// What is written in a query.
    pub fn of_literal(literal: &Literal) -> Self {
        match literal {
            Literal::Nil => OwnedValue::Nil,
            Literal::Bool(value) => OwnedValue::Bool(*value),
            Literal::Int(value) => OwnedValue::Int(*value),
            Literal::Float(value) => OwnedValue::Float(*value),
            Literal::Text(text) => OwnedValue::Text(text.as_bytes().into()),
            Literal::Duration(value) => OwnedValue::Duration(*value),
            Literal::Status(status) => OwnedValue::Status(match status {
                Status::Unset => 0,
                Status::Ok => 1,
                Status::Error => 2,
            }),
            Literal::Kind(kind) => OwnedValue::Kind(match kind {
                Kind::Unspecified => 0,
                Kind::Internal => 1,
                Kind::Server => 2,
                Kind::Client => 3,
                Kind::Producer => 4,
                Kind::Consumer => 5,
            }),
        }
    }
}

impl From<Value<'_>> for OwnedValue {
    fn from(value: Value<'_>) -> Self {
        match value {
            Value::Nil => OwnedValue::Nil,
            Value::Bool(value) => OwnedValue::Bool(value),
            Value::Int(value) => OwnedValue::Int(value),
            Value::Float(value) => OwnedValue::Float(value),
            Value::Text(text) => OwnedValue::Text(text.into()),
            Value::Duration(value) => OwnedValue::Duration(value),
            Value::Status(code) => OwnedValue::Status(code),
            Value::Kind(code) => OwnedValue::Kind(code),
            Value::Array(body) => OwnedValue::Array(body.into()),
            Value::Map(body) => OwnedValue::Map(body.into()),
            Value::Bytes(bytes) => OwnedValue::Bytes(bytes.into()),
        }
    }
}
