//! The value of a field of a span, read in place. `docs/TRACEQL.md`, section "Values".

use spanloom_span::model::AnyValue;
use spanloom_span::view::ValueView;

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

    /// A copy for an answer: durations are integers (nanoseconds), status and kind the words of the language.
    pub fn to_any(self) -> AnyValue {
        let text = |text: &str| AnyValue::Str(text.to_owned());
        match self {
            Value::Nil => AnyValue::Empty,
            Value::Bool(value) => AnyValue::Bool(value),
            Value::Int(value) | Value::Duration(value) => AnyValue::Int(value),
            Value::Float(value) => AnyValue::Double(value),
            Value::Text(bytes) => AnyValue::Str(String::from_utf8_lossy(bytes).into_owned()),
            Value::Status(0) => text("unset"),
            Value::Status(1) => text("ok"),
            Value::Status(2) => text("error"),
            Value::Kind(0) => text("unspecified"),
            Value::Kind(1) => text("internal"),
            Value::Kind(2) => text("server"),
            Value::Kind(3) => text("client"),
            Value::Kind(4) => text("producer"),
            Value::Kind(5) => text("consumer"),
            Value::Status(code) | Value::Kind(code) => AnyValue::Int(code.into()),
            Value::Array(body) => spanloom_span::decode::value(ValueView::Array(body)).unwrap_or_default(),
            Value::Map(body) => spanloom_span::decode::value(ValueView::Map(body)).unwrap_or_default(),
            Value::Bytes(bytes) => AnyValue::Bytes(bytes.to_vec()),
        }
    }
}
