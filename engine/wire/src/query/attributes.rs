//! Names with values, as an answer has them: a list of `KeyValue {1 key, 2 value}`.

use spanloom_span::encode::put_any_value;
use spanloom_span::model::AnyValue;
use spanloom_span::proto::{put_message, put_text};

use crate::json_out::Object;
use crate::trace_json::any_value;

pub(super) fn put_attributes(out: &mut Vec<u8>, field: u32, attributes: &[(String, AnyValue)]) {
    for (key, value) in attributes {
        put_message(out, field, |out| {
            put_text(out, 1, key.as_bytes());
            put_message(out, 2, |out| put_any_value(out, value));
        });
    }
}

pub(super) fn attributes(o: &mut Object<'_>, name: &str, attributes: &[(String, AnyValue)]) {
    o.list(name, attributes, |o, (key, value)| {
        o.text("key", key);
        o.object("value", |o| any_value(o, value));
    });
}
