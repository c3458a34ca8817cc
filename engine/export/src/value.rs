//! An attribute's value as text with its type. Text and type together are exact: from them the value is had again.
//!
//! | type | text |
//! |---|---|
//! | `string` | the string |
//! | `bool` | `true`, `false` |
//! | `int` | decimal |
//! | `double` | the shortest decimal that reads back, with a point or an exponent; `NaN`, `Infinity`, `-Infinity` |
//! | `bytes` | base64 |
//! | `array`, `map` | JSON, where it is exact: what is within are strings, booleans, integers, finite doubles (with a point or an exponent), `null`s, arrays, and maps that repeat no key |
//! | `otlp` | other arrays and maps: the `AnyValue` in OTLP JSON |
//! | `empty` | none |

use std::io::Write;

use spanloom_span::model::{AnyValue, KeyValue};
use spanloom_wire::json_out::{integer, list, string};
use spanloom_wire::{Object, json_out, trace_json};

/// Appends a value's text, and says of which type it is. Only an empty value has no text.
pub fn put(out: &mut Vec<u8>, value: &AnyValue) -> &'static str {
    match value {
        AnyValue::Empty => return "empty",
        AnyValue::Str(text) => out.extend_from_slice(text.as_bytes()),
        AnyValue::Bool(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
        AnyValue::Int(value) => integer(out, *value),
        AnyValue::Double(value) => double(out, *value),
        AnyValue::Bytes(bytes) => {
            let from = out.len();
            json_out::base64(out, bytes);
            // Without the quotes.
            out.pop();
            out.remove(from);
        }
        AnyValue::Array(_) | AnyValue::Map(_) if is_plain(value) => plain(out, value),
        AnyValue::Array(_) | AnyValue::Map(_) => {
            let mut object = Object::begin(out);
            trace_json::any_value(&mut object, value);
            object.end();
            return "otlp";
        }
    }
    type_name(value)
}

fn type_name(value: &AnyValue) -> &'static str {
    match value {
        AnyValue::Empty => "empty",
        AnyValue::Str(_) => "string",
        AnyValue::Bool(_) => "bool",
        AnyValue::Int(_) => "int",
        AnyValue::Double(_) => "double",
        AnyValue::Array(_) => "array",
        AnyValue::Map(_) => "map",
        AnyValue::Bytes(_) => "bytes",
    }
}

/// Whether plain JSON says the value exactly.
fn is_plain(value: &AnyValue) -> bool {
    match value {
        AnyValue::Empty | AnyValue::Str(_) | AnyValue::Bool(_) | AnyValue::Int(_) => true,
        AnyValue::Double(value) => value.is_finite(),
        AnyValue::Bytes(_) => false,
        AnyValue::Array(values) => values.iter().all(is_plain),
        AnyValue::Map(values) => {
            let mut keys: Vec<&str> = values.iter().map(|pair| pair.key.as_str()).collect();
            keys.sort_unstable();
            keys.windows(2).all(|pair| pair[0] != pair[1]) && values.iter().all(|pair| is_plain(&pair.value))
        }
    }
}

fn plain(out: &mut Vec<u8>, value: &AnyValue) {
    match value {
        AnyValue::Empty => out.extend_from_slice(b"null"),
        AnyValue::Str(text) => string(out, text),
        AnyValue::Bool(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
        AnyValue::Int(value) => integer(out, *value),
        AnyValue::Double(value) => double(out, *value),
        AnyValue::Bytes(bytes) => json_out::base64(out, bytes),
        AnyValue::Array(values) => list(out, values, plain),
        AnyValue::Map(values) => {
            let mut object = Object::begin(out);
            for KeyValue { key, value } in values {
                plain(object.key(key), value);
            }
            object.end();
        }
    }
}

/// A double that is not taken for an integer.
fn double(out: &mut Vec<u8>, value: f64) {
    let text = match value {
        f64::INFINITY => "Infinity",
        f64::NEG_INFINITY => "-Infinity",
        _ => {
            // Writing to a Vec does not fail.
            let written = write!(out, "{value:?}");
            debug_assert!(written.is_ok());
            return;
        }
    };
    out.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(key: &str, value: AnyValue) -> KeyValue {
        KeyValue { key: key.into(), value }
    }

    #[track_caller]
    fn check(value: AnyValue, expected: (&str, &str)) {
        let mut out = Vec::new();
        let kind = put(&mut out, &value);
        assert_eq!((kind, std::str::from_utf8(&out).unwrap()), expected);
    }

    #[test]
    fn text_and_type_say_the_value() {
        check(AnyValue::Empty, ("empty", ""));
        check(AnyValue::Str("\"a\"".into()), ("string", "\"a\""));
        check(AnyValue::Bool(false), ("bool", "false"));
        check(AnyValue::Int(i64::MIN), ("int", "-9223372036854775808"));
        check(AnyValue::Double(200.0), ("double", "200.0"));
        check(AnyValue::Double(-0.0), ("double", "-0.0"));
        check(AnyValue::Double(1e21), ("double", "1e21"));
        check(AnyValue::Double(f64::NAN), ("double", "NaN"));
        check(AnyValue::Double(f64::NEG_INFINITY), ("double", "-Infinity"));
        check(AnyValue::Bytes(vec![0, 255]), ("bytes", "AP8="));
        check(AnyValue::Bytes(Vec::new()), ("bytes", ""));
    }

    #[test]
    fn lists_and_maps_are_plain_json_where_that_is_exact() {
        let list = AnyValue::Array(vec![
            AnyValue::Str("a\n".into()),
            AnyValue::Int(1),
            AnyValue::Double(1.0),
            AnyValue::Empty,
            AnyValue::Map(vec![pair("k", AnyValue::Bool(true)), pair("", AnyValue::Array(Vec::new()))]),
        ]);
        check(list, ("array", r#"["a\n",1,1.0,null,{"k":true,"":[]}]"#));
        check(AnyValue::Map(Vec::new()), ("map", "{}"));
        let bytes = AnyValue::Array(vec![AnyValue::Bytes(vec![0])]);
        check(bytes, ("otlp", r#"{"arrayValue":{"values":[{"bytesValue":"AA=="}]}}"#));
        let nan = AnyValue::Array(vec![AnyValue::Double(f64::NAN)]);
        check(nan, ("otlp", r#"{"arrayValue":{"values":[{"doubleValue":"NaN"}]}}"#));
        let twice = AnyValue::Map(vec![pair("k", AnyValue::Int(1)), pair("k", AnyValue::Int(2))]);
        let expected = r#"{"kvlistValue":{"values":[{"key":"k","value":{"intValue":"1"}},{"key":"k","value":{"intValue":"2"}}]}}"#;
        check(twice, ("otlp", expected));
    }
}
