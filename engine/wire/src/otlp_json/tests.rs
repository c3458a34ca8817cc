//! OTLP JSON against the protobuf that it stands for, and what is refused.

use super::*;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::Span;
use proptest::prelude::*;
use prost::Message;
use serde_json::json;

fn read(json: &str) -> ExportTraceServiceRequest {
    let bytes = to_proto(json.as_bytes()).unwrap_or_else(|e| panic!("{json}: {e}"));
    assert!(bytes.len() <= json.len(), "the protobuf is longer than the text");
    ExportTraceServiceRequest::decode(&bytes[..]).unwrap()
}

/// Reads a request of one span.
fn span(fields: &str) -> Span {
    let json = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{{fields}}}]}}]}}]}}"#);
    read(&json).resource_spans[0].scope_spans[0].spans[0].clone()
}

fn value(json: &str) -> Option<Value> {
    let span = span(&format!(r#""attributes":[{{"key":"k","value":{json}}}]"#));
    span.attributes[0].value.as_ref().unwrap().value.clone()
}

fn fails(json: &str, path: &str, message: &str) {
    let error = to_proto(json.as_bytes()).expect_err(json);
    assert_eq!((error.path.as_str(), error.message.as_str()), (path, message), "{json}");
}

fn span_fails(fields: &str, path: &str, message: &str) {
    let json = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{}},{{{fields}}}]}}]}}]}}"#);
    fails(&json, &format!("resourceSpans[0].scopeSpans[0].spans[1].{path}"), message);
}

/// The example of the OTLP specification, shortened, with the crate that others use as the oracle.
#[test]
fn the_example_of_the_specification_reads_as_others_read_it() {
    let json = json!({"resourceSpans": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "my.service"}}]},
        "scopeSpans": [{
            "scope": {"name": "my.library", "version": "1.0.0",
                "attributes": [{"key": "my.scope.attribute", "value": {"stringValue": "some scope attribute"}}]},
            "spans": [{
                "traceId": "5B8EFFF798038103D269B633813FC60C", "spanId": "EEE19B7EC3C1B174",
                "parentSpanId": "EEE19B7EC3C1B173", "name": "I'm a server span",
                "startTimeUnixNano": "1544712660000000000", "endTimeUnixNano": "1544712661000000000", "kind": 2,
                "attributes": [{"key": "my.span.attr", "value": {"stringValue": "some value"}}],
                "status": {"code": 1, "message": "fine"}, "flags": 257, "traceState": "a=b",
                "droppedAttributesCount": 3,
                "events": [{"timeUnixNano": "1544712660500000000", "name": "an event",
                    "attributes": [{"key": "n", "value": {"intValue": "-5"}}], "droppedAttributesCount": 1}],
                "links": [{"traceId": "5B8EFFF798038103D269B633813FC60D", "spanId": "EEE19B7EC3C1B175",
                    "traceState": "x=y", "flags": 1,
                    "attributes": [{"key": "d", "value": {"doubleValue": 0.1}}]}]
            }],
            "schemaUrl": "https://example/1"
        }],
        "schemaUrl": "https://example/2"
    }]});
    let expected: ExportTraceServiceRequest = serde_json::from_value(json.clone()).unwrap();
    assert_eq!(read(&json.to_string()), expected);
    assert_eq!(read(&serde_json::to_string_pretty(&json).unwrap()), expected);
}

#[test]
fn snake_case_and_the_names_of_2020_are_read() {
    let json = r#"{"resource_spans":[{"instrumentationLibrarySpans":[{"instrumentationLibrary":{"name":"lib"},
        "spans":[{"trace_id":"00000000000000000000000000000001","start_time_unix_nano":7,
        "status":{"deprecatedCode":2}}]}]}]}"#;
    let got = &read(json).resource_spans[0].scope_spans[0];
    assert_eq!(got.scope.as_ref().unwrap().name, "lib");
    assert_eq!((got.spans[0].trace_id[15], got.spans[0].start_time_unix_nano), (1, 7));
}

#[test]
fn absent_null_and_unknown_are_skipped() {
    assert_eq!(read("{}"), ExportTraceServiceRequest::default());
    assert_eq!(read(r#"{"resourceSpans":null}"#), ExportTraceServiceRequest::default());
    assert_eq!(
        read(r#"{"resourceSpans":[],"x":{"y":[1,{"z":null}]}}"#),
        ExportTraceServiceRequest::default()
    );
    let got = span(r#""name":null,"parentSpanId":"","kind":0,"attributes":null,"status":null,"later":[{}]"#);
    assert_eq!(got, Span::default());
    // Unknown fields may nest as they like.
    let deep = format!(r#"{{"x":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(read(&deep), ExportTraceServiceRequest::default());
}

#[test]
fn values_keep_their_types() {
    let check = |json: &str, expected: Option<Value>| assert_eq!(value(json), expected, "{json}");
    check("{}", None);
    check(r#"{"stringValue":null}"#, None);
    check(r#"{"stringValue":""}"#, Some(Value::StringValue(String::new())));
    check(r#"{"stringValue":"\u00e9\n\ud83d\ude00\\\""}"#, Some(Value::StringValue("é\n😀\\\"".into())));
    check(r#"{"boolValue":false}"#, Some(Value::BoolValue(false)));
    check(r#"{"boolValue":true}"#, Some(Value::BoolValue(true)));
    check(r#"{"intValue":0}"#, Some(Value::IntValue(0)));
    check(r#"{"intValue":"-9223372036854775808"}"#, Some(Value::IntValue(i64::MIN)));
    check(r#"{"intValue":9223372036854775807}"#, Some(Value::IntValue(i64::MAX)));
    check(r#"{"intValue":1e3}"#, Some(Value::IntValue(1000)));
    check(r#"{"intValue":"5.0"}"#, Some(Value::IntValue(5)));
    check(r#"{"doubleValue":0}"#, Some(Value::DoubleValue(0.0)));
    check(r#"{"doubleValue":"1.5"}"#, Some(Value::DoubleValue(1.5)));
    check(r#"{"doubleValue":-0.0}"#, Some(Value::DoubleValue(-0.0)));
    check(r#"{"doubleValue":5e-324}"#, Some(Value::DoubleValue(5e-324)));
    check(r#"{"doubleValue":"-Infinity"}"#, Some(Value::DoubleValue(f64::NEG_INFINITY)));
    assert!(matches!(value(r#"{"doubleValue":"NaN"}"#), Some(Value::DoubleValue(v)) if v.is_nan()));
    for text in ["+/8A", "-_8A", "+/8=", "+/8"] {
        let got = value(&format!(r#"{{"bytesValue":"{text}"}}"#));
        assert!(matches!(got, Some(Value::BytesValue(b)) if b[..2] == [0xfb, 0xff]), "{text}");
    }
    check(r#"{"bytesValue":""}"#, Some(Value::BytesValue(vec![])));
    let Some(Value::ArrayValue(array)) = value(r#"{"arrayValue":{"values":[{"intValue":"0"},{}]}}"#) else {
        panic!("no array")
    };
    assert_eq!(array.values.len(), 2);
    let Some(Value::KvlistValue(map)) = value(r#"{"kvlistValue":{"values":[{"key":"a","value":{}}]}}"#)
    else {
        panic!("no map")
    };
    assert_eq!((map.values[0].key.as_str(), &map.values[0].value), ("a", &Some(AnyValue { value: None })));
    assert!(matches!(value(r#"{"arrayValue":{}}"#), Some(Value::ArrayValue(_))));
}

#[test]
fn enums_come_as_numbers_or_names() {
    let check = |json: &str, expected: i32| assert_eq!(span(&format!(r#""kind":{json}"#)).kind, expected);
    check("3", 3);
    check("77", 77);
    check("-1", -1);
    check(r#""SPAN_KIND_CONSUMER""#, 5);
    check(r#""SPAN_KIND_UNSPECIFIED""#, 0);
    let got = span(r#""status":{"code":"STATUS_CODE_ERROR"}"#);
    assert_eq!(got.status.unwrap().code, 2);
}

#[test]
fn errors_say_where_and_what() {
    span_fails(
        r#""traceId":"abc""#,
        "traceId",
        "found an id of 3 characters, expected 32 hexadecimal digits",
    );
    span_fails(
        r#""spanId":"zzzzzzzzzzzzzzzz""#,
        "spanId",
        "found the id \"zzzzzzzzzzzzzzzz\", expected 16 hexadecimal digits",
    );
    span_fails(
        r#""links":[{"spanId":"AAAAAAAAAAE="}]"#,
        "links[0].spanId",
        "found an id of 12 characters, expected 16 hexadecimal digits",
    );
    span_fails(
        r#""startTimeUnixNano":-1"#,
        "startTimeUnixNano",
        "found -1, expected an unsigned 64-bit integer, as a string or number",
    );
    span_fails(r#""flags":4294967296"#, "flags", "found 4294967296, expected an unsigned 32-bit integer");
    span_fails(
        r#""kind":"SERVER""#,
        "kind",
        "found \"SERVER\", expected a number or SPAN_KIND_UNSPECIFIED, SPAN_KIND_INTERNAL, SPAN_KIND_SERVER, \
         SPAN_KIND_CLIENT, SPAN_KIND_PRODUCER, SPAN_KIND_CONSUMER",
    );
    span_fails(r#""name":5"#, "name", "found 5, expected a string");
    span_fails(r#""name":"a","name":"b""#, "name", "the field is given twice, expected it once");
    span_fails(r#""traceId":"","trace_id":"""#, "traceId", "the field is given twice, expected it once");
    span_fails(r#""attributes":{}"#, "attributes", "found an object, expected a list");
    span_fails(r#""attributes":[null]"#, "attributes[0]", "found null in a list, expected an object");
    span_fails(r#""attributes":[[]]"#, "attributes[0]", "found a list, expected an object");
    span_fails(
        r#""attributes":[{"value":{"intValue":"1","stringValue":"a"}}]"#,
        "attributes[0].value.stringValue",
        "the value is given besides intValue, expected one",
    );
    span_fails(
        r#""attributes":[{"value":{"intValue":"1.5"}}]"#,
        "attributes[0].value.intValue",
        "found 1.5, expected a 64-bit integer, as a string or number",
    );
    span_fails(
        r#""attributes":[{"value":{"boolValue":"true"}}]"#,
        "attributes[0].value.boolValue",
        "found a string, expected true or false",
    );
    let error =
        to_proto(br#"{"resourceSpans":[{"resource":{"attributes":[{"value":{"bytesValue":"*"}}]}}]}"#);
    let text = error.unwrap_err().to_string();
    let expected =
        "the JSON is wrong at resourceSpans[0].resource.attributes[0].value.bytesValue (line 1 column ";
    assert!(text.starts_with(expected), "{text}");
}

#[test]
fn what_is_not_json_is_refused() {
    fails("", "", "found the end, expected an object");
    fails("[]", "", "found a list, expected an object");
    fails("{} x", "", "found 'x', expected nothing more");
    fails(r#"{"resourceSpans":[{]}"#, "resourceSpans[0]", "found ']', expected a field name");
    fails(
        r#"{"resourceSpans":[{"schemaUrl":"\ud800"}]}"#,
        "resourceSpans[0].schemaUrl",
        "found half of a surrogate pair, expected an escape of JSON",
    );
    for bad in [&b"{\"resourceSpans\":[{\"schemaUrl\":\"\xff\"}]}"[..], b"{\"\xff\":1}", b"\xef\xbb\xbf{}"] {
        assert!(to_proto(bad).is_err(), "{bad:?}");
    }
    let error = to_proto(b"{\n\"a\":\"\xff\"}").unwrap_err();
    assert_eq!((error.line, error.column), (2, 6));
    assert_eq!(error.message, "found byte 0xff, expected UTF-8");
}

#[test]
fn values_nest_up_to_the_limit() {
    let nested = |levels: usize| {
        let (open, close) = (r#"{"kvlistValue":{"values":[{"key":"k","value":"#, "}]}}");
        let value = format!("{}{{}}{}", open.repeat(levels - 1), close.repeat(levels - 1));
        format!(r#"{{"resourceSpans":[{{"resource":{{"attributes":[{{"key":"a","value":{value}}}]}}}}]}}"#)
    };
    assert!(to_proto(nested(MAX_DEPTH).as_bytes()).is_ok());
    let error = to_proto(nested(MAX_DEPTH + 1).as_bytes()).unwrap_err();
    assert_eq!(error.message, "values nest deeper than 64, expected fewer");
    assert!(to_proto(nested(100_000).as_bytes()).is_err());
}

fn any_value() -> impl Strategy<Value = AnyValue> {
    use opentelemetry_proto::tonic::common::v1::{ArrayValue, KeyValueList};
    let leaf = prop_oneof![
        any::<String>().prop_map(Value::StringValue),
        any::<bool>().prop_map(Value::BoolValue),
        any::<i64>().prop_map(Value::IntValue),
        (-1e300..1e300).prop_map(Value::DoubleValue),
    ]
    .prop_map(|v| AnyValue { value: Some(v) });
    leaf.prop_recursive(4, 32, 4, |inner| {
        let list = proptest::collection::vec(inner.clone(), 0..4)
            .prop_map(|values| AnyValue { value: Some(Value::ArrayValue(ArrayValue { values })) });
        let map = proptest::collection::vec((any::<String>(), inner), 0..4).prop_map(|pairs| {
            let pair = |(key, value)| KeyValue { key, value: Some(value), ..Default::default() };
            let values = pairs.into_iter().map(pair).collect();
            AnyValue { value: Some(Value::KvlistValue(KeyValueList { values })) }
        });
        prop_oneof![list, map]
    })
}

proptest! {
    /// What the oracle writes as JSON reads back as what it was.
    #[test]
    fn what_others_write_is_read(
        trace_id in any::<[u8; 16]>(), start in any::<u64>(), name in any::<String>(),
        kind in -3i32..9, flags in any::<u32>(), values in proptest::collection::vec(any_value(), 0..5),
    ) {
        let attribute = |(i, value)| KeyValue { key: format!("k{i}"), value: Some(value), ..Default::default() };
        let span = Span {
            trace_id: trace_id.to_vec(), name, kind, flags, start_time_unix_nano: start,
            attributes: values.into_iter().enumerate().map(attribute).collect(),
            ..Default::default()
        };
        let mut request: ExportTraceServiceRequest =
            serde_json::from_str(r#"{"resourceSpans":[{"scopeSpans":[{"spans":[]}]}]}"#).unwrap();
        request.resource_spans[0].scope_spans[0].spans.push(span);
        let json = serde_json::to_string(&request).unwrap();
        prop_assert_eq!(read(&json), request);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[{}\\[\\]\",:0-9a-z \\\\-]{0,60}", bytes in any::<Vec<u8>>()) {
        let _ = to_proto(text.as_bytes());
        let _ = to_proto(&bytes);
        let _ = to_proto(format!(r#"{{"resourceSpans":[{text}]}}"#).as_bytes());
    }
}
