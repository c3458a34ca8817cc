//! The JSON of answers: names, numbers as strings, ids in base64.

use super::*;
use serde_json::{Value, json};
use spanloom_span::{SpanId, TraceId};

fn attribute(key: &str, value: AnyValue) -> KeyValue {
    KeyValue { key: key.into(), value }
}

fn of_span(span: Span) -> Trace {
    let scope_spans = vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }];
    Trace { resource_spans: vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }] }
}

fn read(json: Vec<u8>) -> Value {
    serde_json::from_slice(&json).unwrap()
}

#[test]
fn an_empty_trace_has_nothing_but_its_shape() {
    assert_eq!(v1(&Trace::default()), b"{}");
    assert_eq!(v2(&Trace::default(), &TraceReport::default()), br#"{"trace":{},"metrics":{}}"#);
}

#[test]
fn empty_resource_scope_and_status_are_there() {
    let trace = of_span(Span::default());
    let ids = r#""traceId":"AAAAAAAAAAAAAAAAAAAAAA==","spanId":"AAAAAAAAAAA=""#;
    let list =
        format!(r#"[{{"resource":{{}},"scopeSpans":[{{"scope":{{}},"spans":[{{{ids},"status":{{}}}}]}}]}}]"#);
    assert_eq!(String::from_utf8(v1(&trace)).unwrap(), format!(r#"{{"batches":{list}}}"#));
    let expected = format!(r#"{{"trace":{{"resourceSpans":{list}}},"metrics":{{}}}}"#);
    assert_eq!(String::from_utf8(v2(&trace, &TraceReport::default())).unwrap(), expected);
}

#[test]
fn a_report_says_what_is_missing() {
    let report = TraceReport {
        inspected_bytes: u64::MAX,
        backend_reads: 1,
        backend_bytes: 0,
        partial: true,
        message: "a \"part\"",
    };
    assert_eq!(
        read(v2(&Trace::default(), &report)),
        json!({
            "trace": {}, "status": "PARTIAL", "message": "a \"part\"",
            "metrics": {"inspectedBytes": "18446744073709551615", "backendReads": "1"}
        })
    );
}

#[test]
fn every_field_has_its_form() {
    let attributes = vec![
        attribute("", AnyValue::Empty),
        attribute("s", AnyValue::Str(String::new())),
        attribute("b", AnyValue::Bool(false)),
        attribute("i", AnyValue::Int(0)),
        attribute("min", AnyValue::Int(i64::MIN)),
        attribute("d", AnyValue::Double(0.0)),
        attribute("nan", AnyValue::Double(f64::NAN)),
        attribute("a", AnyValue::Array(vec![AnyValue::Empty, AnyValue::Int(1)])),
        attribute("a0", AnyValue::Array(vec![])),
        attribute("m", AnyValue::Map(vec![attribute("k", AnyValue::Str("é\n".into()))])),
        attribute("m0", AnyValue::Map(vec![])),
        attribute("y", AnyValue::Bytes(vec![0, 255])),
        attribute("y0", AnyValue::Bytes(vec![])),
    ];
    let trace = of_span(Span {
        trace_id: TraceId([0xff; 16]),
        span_id: SpanId([1; 8]),
        parent_span_id: vec![2; 8],
        trace_state: "a=b".into(),
        flags: 257,
        name: "n".into(),
        kind: 3,
        start_time_unix_nano: 1,
        end_time_unix_nano: u64::MAX,
        attributes,
        dropped_attributes_count: 1,
        events: vec![Event::default(), Event { name: "e".into(), time_unix_nano: 5, ..Event::default() }],
        dropped_events_count: 2,
        links: vec![Link { trace_id: vec![1], flags: 1, trace_state: "s".into(), ..Link::default() }],
        dropped_links_count: 3,
        status: Status { code: 2, message: "m".into(), ..Status::default() },
        unknown: vec![],
    });
    let got = read(v1(&trace));
    assert_eq!(
        got["batches"][0]["scopeSpans"][0]["spans"][0],
        json!({
            "traceId": "/////////////////////w==", "spanId": "AQEBAQEBAQE=", "parentSpanId": "AgICAgICAgI=",
            "traceState": "a=b", "flags": 257, "name": "n", "kind": "SPAN_KIND_CLIENT",
            "startTimeUnixNano": "1", "endTimeUnixNano": "18446744073709551615",
            "attributes": [
                {"value": {}},
                {"key": "s", "value": {"stringValue": ""}},
                {"key": "b", "value": {"boolValue": false}},
                {"key": "i", "value": {"intValue": "0"}},
                {"key": "min", "value": {"intValue": "-9223372036854775808"}},
                {"key": "d", "value": {"doubleValue": 0}},
                {"key": "nan", "value": {"doubleValue": "NaN"}},
                {"key": "a", "value": {"arrayValue": {"values": [{}, {"intValue": "1"}]}}},
                {"key": "a0", "value": {"arrayValue": {}}},
                {"key": "m", "value": {"kvlistValue": {"values": [{"key": "k", "value": {"stringValue": "é\n"}}]}}},
                {"key": "m0", "value": {"kvlistValue": {}}},
                {"key": "y", "value": {"bytesValue": "AP8="}},
                {"key": "y0", "value": {"bytesValue": ""}},
            ],
            "droppedAttributesCount": 1,
            "events": [{}, {"name": "e", "timeUnixNano": "5"}],
            "droppedEventsCount": 2,
            "links": [{"traceId": "AQ==", "traceState": "s", "flags": 1}],
            "droppedLinksCount": 3,
            "status": {"code": "STATUS_CODE_ERROR", "message": "m"},
        })
    );
}

#[test]
fn numbers_without_a_name_stay_numbers() {
    let check = |kind: i32, expected: Value| {
        let span = Span { kind, status: Status { code: kind, ..Status::default() }, ..Span::default() };
        let got = read(v1(&of_span(span)));
        let span = &got["batches"][0]["scopeSpans"][0]["spans"][0];
        assert_eq!((&span["kind"], &span["status"]["code"]), (&expected, &expected));
    };
    check(0, Value::Null);
    check(77, json!(77));
    check(-1, json!(-1));
}
