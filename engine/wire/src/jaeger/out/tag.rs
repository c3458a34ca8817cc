//! An attribute as a tag. Jaeger's tags hold one text, truth, number or bytes; lists and maps become text in JSON.

use std::borrow::Cow;

use spanloom_span::model::{AnyValue, KeyValue};

use crate::trace_json::plain_value;

/// A tag's value, which says its type.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum TagValue<'a> {
    Str(Cow<'a, str>),
    Bool(bool),
    Int(i64),
    Double(f64),
    Bytes(&'a [u8]),
}

/// A tag of a span or process, or a field of a log.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct OutTag<'a> {
    pub key: &'a str,
    pub value: TagValue<'a>,
}

impl<'a> OutTag<'a> {
    /// A tag whose value is text.
    pub fn text(key: &'a str, value: impl Into<Cow<'a, str>>) -> Self {
        Self { key, value: TagValue::Str(value.into()) }
    }

    /// A tag whose value is a whole number.
    pub fn int(key: &'a str, value: i64) -> Self {
        Self { key, value: TagValue::Int(value) }
    }
}

impl<'a> From<&'a KeyValue> for OutTag<'a> {
    fn from(attribute: &'a KeyValue) -> Self {
        let value = match &attribute.value {
            AnyValue::Empty => TagValue::Str(Cow::Borrowed("")),
            AnyValue::Str(text) => TagValue::Str(text.into()),
            AnyValue::Bool(value) => TagValue::Bool(*value),
            AnyValue::Int(value) => TagValue::Int(*value),
            AnyValue::Double(value) => TagValue::Double(*value),
            AnyValue::Bytes(bytes) => TagValue::Bytes(bytes),
            value @ (AnyValue::Array(_) | AnyValue::Map(_)) => {
                let mut json = Vec::new();
                plain_value(&mut json, value);
                TagValue::Str(Cow::Owned(String::from_utf8_lossy(&json).into_owned()))
            }
        };
        Self { key: &attribute.key, value }
    }
}

/// The text of the first attribute of that key, if that is text.
pub(super) fn text_of<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a str> {
    match attributes.iter().find(|attribute| attribute.key == key)?.value {
        AnyValue::Str(ref text) => Some(text),
        _ => None,
    }
}
