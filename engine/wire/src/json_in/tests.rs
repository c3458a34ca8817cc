//! The tokens of JSON against another reader of JSON; tables of messages have their tests where they are.

use proptest::prelude::*;
use serde::de::IgnoredAny;

use super::schema::{Field, Kind, Message, field, list};
use super::*;
use crate::foreign::Foreign;

static MESSAGE: Message = Message::of(&[
    field!("text", "text", 1, Kind::String),
    field!("number", "number", 2, Kind::Double),
    field!("whole", "whole", 3, Kind::Int64),
    field!("flag", "flag", 4, Kind::Wrapper(&FLAG)),
    field!("map", "map", 5, Kind::Map(&TEXT)),
    field!("time", "time", 6, Kind::Timestamp),
    list!("small", "small", 7, Kind::Int32),
    field!("size", "size", 8, Kind::Uint64),
]);

static FLAG: Field = field!("value", "value", 1, Kind::Bool);
static TEXT: Field = field!("value", "value", 2, Kind::String);

fn read(json: &str) -> Result<Vec<u8>, String> {
    translate(json.as_bytes(), &MESSAGE).map_err(|flaw| flaw.json_error(json.as_bytes()).to_string())
}

fn check(json: &str, expected: &[u8]) {
    assert_eq!(read(json).as_deref(), Ok(expected), "{json}");
}

fn fails(json: &str, expected: &str) {
    let error = read(json).expect_err(json);
    let (_, message) = error.split_once("): ").unwrap();
    assert_eq!(message, expected, "{json}");
}

#[test]
fn kinds_are_written_as_protobuf_has_them() {
    check(r#"{"flag":true}"#, &[0x22, 2, 8, 1]);
    check(r#"{"flag":false}"#, &[0x22, 0]);
    check(r#"{"flag":null}"#, &[]);
    check(r#"{"map":{}}"#, &[]);
    check(
        r#"{"map":{"a":"b","":"","\u0061":"c"}}"#,
        &[0x2a, 6, 0x0a, 1, b'a', 0x12, 1, b'b', 0x2a, 2, 0x0a, 0, 0x2a, 6, 0x0a, 1, b'a', 0x12, 1, b'c'],
    );
    check(r#"{"time":"1970-01-01T00:00:02.000000003Z"}"#, &[0x32, 4, 8, 2, 16, 3]);
    check(r#"{"time":"1970-01-01T00:00:00Z"}"#, &[0x32, 0]);
    check(
        r#"{"small":[1,"2",-1]}"#,
        &[0x38, 1, 0x38, 2, 0x38, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1],
    );
    check(r#"{"size":"18446744073709551615"}"#, &[0x40, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1]);
    check(r#"{"whole":-0}"#, &[]);
    check(r#"{"whole":"007"}"#, &[0x18, 7]);
    check(r#"{"number":-0}"#, &[0x11, 0, 0, 0, 0, 0, 0, 0, 0x80]);
    check(r#"{"whole":1.0e1}"#, &[0x18, 10]);
}

#[test]
fn what_cannot_be_is_refused() {
    fails(r#"{"flag":1}"#, "found 1, expected true or false");
    fails(r#"{"map":{"a":1}}"#, "found 1, expected a string");
    fails(r#"{"map":{"a":null}}"#, "found null, expected a string");
    fails(r#"{"map":{1:"a"}}"#, "found a number, expected a key");
    fails(r#"{"map":"a"}"#, "found a string, expected an object");
    fails(r#"{"small":[2147483648]}"#, "found 2147483648, expected a 32-bit integer");
    fails(r#"{"size":-1}"#, "found -1, expected an unsigned 64-bit integer, as a string or number");
    fails(
        r#"{"whole":9223372036854775808}"#,
        "found 9223372036854775808, expected a 64-bit integer, as a string or number",
    );
    fails(r#"{"whole":" 5"}"#, "found \" 5\", expected a 64-bit integer, as a string or number");
    fails(r#"{"whole":"+5"}"#, "found \"+5\", expected a 64-bit integer, as a string or number");
    fails(r#"{"whole":01}"#, "found a zero before other digits, expected none");
    fails(r#"{"number":1e999}"#, "found a number beyond 64-bit floats, expected one within");
    fails(r#"{"number":1.}"#, "found '}', expected a digit");
    fails(r#"{"number":-}"#, "found '}', expected a digit");
    fails(r#"{"number":.5}"#, "found '.', expected a number, \"NaN\", \"Infinity\" or \"-Infinity\"");
    fails(r#"{"number":tru}"#, "found 't', expected a number, \"NaN\", \"Infinity\" or \"-Infinity\"");
    fails(r#"{"text":"a"#, "found the end, expected the end of the string");
    fails("{\"text\":\"a\nb\"}", "found '\\n', expected no control characters in a string");
    fails(r#"{"text":"\x"}"#, "found the escape \\x, expected an escape of JSON");
    fails(r#"{"text":"\é"}"#, "found the escape \\é, expected an escape of JSON");
    fails(r#"{"text":"\u12"}"#, "found a string, expected four hexadecimal digits");
    fails(r#"{"text":"\udc00"}"#, "found half of a surrogate pair, expected an escape of JSON");
    fails(r#"{"text":"\ud800\u0041"}"#, "found half of a surrogate pair, expected an escape of JSON");
    fails(r#"{"text" "a"}"#, "found a string, expected a colon");
    fails(r#"{"text":"a" "flag":true}"#, "found a string, expected a comma or }");
    fails(r#"{"small":[1 2]}"#, "found a number, expected a comma or ]");
    fails(r#"{"x":[1 2]}"#, "found a number, expected a comma or ]");
    fails(r#"{"x":{"a":1]}"#, "found ']', expected a comma or }");
    fails(r#"{"x":}"#, "found '}', expected a value");
    fails(r#"{"text":"a",}"#, "found '}', expected a field name");
}

#[test]
fn an_end_within_a_character_is_an_end() {
    let flaw = translate(b"{\"text\":\"\xc3", &MESSAGE).unwrap_err();
    assert_eq!(Foreign::from(flaw).to_string(), "the end in a character at byte 9, expected all of it");
}

#[test]
fn places_are_lines_and_columns() {
    let error = translate(b"{\n \"text\": 5\n}", &MESSAGE).unwrap_err();
    let error = error.json_error(b"{\n \"text\": 5\n}");
    assert_eq!((error.path.as_str(), error.line, error.column), ("text", 2, 10));
}

/// Bytes that look like JSON.
fn nearly_json() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("{".to_owned()),
        Just("}".to_owned()),
        Just("[".to_owned()),
        Just("]".to_owned()),
        Just(",".to_owned()),
        Just(":".to_owned()),
        Just(" ".to_owned()),
        Just("\n".to_owned()),
        Just("true".to_owned()),
        Just("false".to_owned()),
        Just("null".to_owned()),
        Just("\"a\"".to_owned()),
        Just("\"a\":".to_owned()),
        Just("\"".to_owned()),
        "\"[a-zé\\\\\"/bfnrtu0-9]{0,12}\"",
        "\"\\\\u[0-9a-fA-F]{3,4}\"",
        "-?[0-9]{0,3}\\.?[0-9]{0,2}[eE]?[+-]?[0-9]{0,2}",
        "[\\x00-\\x20]",
        "\\PC",
    ];
    proptest::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        any::<String>().prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            proptest::collection::btree_map(any::<String>(), inner, 0..4)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// What is skipped is skipped by the other reader, and what it refuses is refused.
    #[test]
    fn values_are_skipped_as_another_reader_does(text in nearly_json()) {
        let json = format!("{{\"x\":{text}}}");
        let theirs = serde_json::from_str::<IgnoredAny>(&json).is_ok();
        let ours = read(&json);
        prop_assert_eq!(ours.is_ok(), theirs, "{}: {:?}", json, ours);
    }

    /// Strings and numbers say what the other reader finds in them.
    #[test]
    fn strings_are_read_as_another_reader_does(text in "\"([a-zé ]|\\\\[\"\\\\/bfnrt]|\\\\u[0-9a-fA-F]{4}|\\\\ud83d\\\\ude0[0-9]){0,12}\"") {
        let theirs = serde_json::from_str::<String>(&text).ok();
        let ours = read(&format!("{{\"text\":{text}}}")).ok();
        let expected = theirs.map(|text| {
            let mut out = Vec::new();
            spanloom_span::proto::put_text(&mut out, 1, text.as_bytes());
            out
        });
        prop_assert_eq!(ours, expected, "{}", text);
    }

    #[test]
    fn numbers_are_read_as_another_reader_does(text in "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?") {
        let theirs = serde_json::from_str::<f64>(&text).ok();
        let ours = read(&format!("{{\"number\":{text}}}")).ok();
        let expected = theirs.map(|value| {
            let mut out = Vec::new();
            if value.to_bits() != 0 {
                spanloom_span::proto::put_fixed64(&mut out, 2, value.to_bits());
            }
            out
        });
        prop_assert_eq!(ours, expected, "{}", text);
    }

    #[test]
    fn whatever_another_writer_writes_is_skipped(value in any_json()) {
        prop_assert_eq!(read(&serde_json::json!({"x": value, "whole": 1}).to_string()), Ok(vec![0x18, 1]));
        let pretty = serde_json::to_string_pretty(&serde_json::json!({"x": value, "whole": 1})).unwrap();
        prop_assert_eq!(read(&pretty), Ok(vec![0x18, 1]));
    }
}
