//! The JSON form.

use proptest::prelude::*;
use spanloom_wire::opencensus::Stream;
use spanloom_wire::{Fault, Foreign};

use crate::{any, request, translate_json};

fn fails(body: &str) -> Foreign {
    translate_json(body).expect_err(body)
}

#[test]
fn what_the_web_client_sends_is_read() {
    // Of the client for browsers: numbers for enums, doubles for all numbers, an object for a trace state.
    let found = translate_json(
        r#"{"spans":[{"traceId":"S/kvNXezTaajzpKdDg5HNg==","spanId":"APBnqgupArc=","tracestate":{"a":"b"},
        "parentSpanId":"","name":{"value":"Click"},"kind":0,"startTime":"2026-08-01T12:00:00.000123Z",
        "endTime":"2026-08-01T12:00:01.000Z","attributes":{"attributeMap":{"n":{"doubleValue":200}}},
        "timeEvents":{"timeEvent":[{"time":"2026-08-01T12:00:00.5Z","messageEvent":{"id":"1","type":2,
        "uncompressedSize":1200}}]},"links":{"link":[]},"status":{"code":0},"sameProcessAsParentSpan":true}],
        "node":{"identifier":{"hostName":"shop.example.com"},"serviceInfo":{"name":"web"},
        "libraryInfo":{"exporterVersion":"0.0.7","language":10},"attributes":{"page":"cart"}}}"#,
    )
    .unwrap();
    let span = &found.resource_spans[0].scope_spans[0].spans[0];
    assert_eq!((span.name.as_str(), span.trace_state.as_str(), span.events.len()), ("Click", "", 1));
    assert_eq!(span.start_time_unix_nano, 1_785_585_600_000_123_000);
    assert!(format!("{:?}", found.resource_spans[0].resource).contains("webjs"));
}

#[test]
fn a_body_is_messages_one_after_the_other() {
    let found = translate_json(
        r#"{"node":{"serviceInfo":{"name":"a"}}}
        {"spans":[{"name":{"value":"x"}}]}{"spans":[{"name":{"value":"y"}},{}]}"#,
    )
    .unwrap();
    let spans: Vec<usize> = found.resource_spans.iter().map(|r| r.scope_spans[0].spans.len()).collect();
    assert_eq!(spans, [1, 2]);
    assert!(found.resource_spans.iter().all(|r| r.resource.as_ref().unwrap().attributes.len() == 1));
}

#[test]
fn a_body_that_fails_is_not_taken_at_all() {
    let mut stream = Stream::default();
    let mut out = vec![7];
    let body = br#"{"node":{"serviceInfo":{"name":"a"}},"spans":[{}]} {"spans":[{}]} {"spans":[0]}"#;
    let error = stream.translate_json(body, 1000, &mut out).unwrap_err();
    assert_eq!(error.to_string(), "0 in spans[0] at byte 76, expected an object");
    assert_eq!((stream, out), (Stream::default(), vec![7]));
}

#[test]
fn room_is_that_of_the_body() {
    let body = br#"{"spans":[{}]} {"spans":[{}]}"#;
    let room = |room| Stream::default().translate_json(body, room, &mut Vec::new());
    let enough = (0..100).find(|bytes| room(*bytes).is_ok()).unwrap();
    let mut out = Vec::new();
    assert_eq!(Stream::default().translate_json(body, enough, &mut out), Ok(2));
    assert_eq!(out.len(), enough);
    assert_eq!(room(enough - 1).unwrap_err().fault, Fault::Room);
}

#[test]
fn errors_say_where_and_what() {
    let check = |body: &str, expected: &str| assert_eq!(fails(body).to_string(), expected, "{body}");
    check("", "the end at byte 0, expected an object");
    check("[]", "a list at byte 0, expected an object");
    check(
        r#"{"spans":[{"traceId":"?"}]}"#,
        "a text that is not base64 (Invalid symbol 63, offset 0.) in spans[0].traceId at byte 21, expected a base64 string",
    );
    check(
        r#"{"spans":[{"startTime":"today"}]}"#,
        "\"today\" in spans[0].startTime at byte 23, expected a point in time such as \"2020-01-02T03:04:05.678Z\"",
    );
    check(
        r#"{"spans":[{"startTime":5}]}"#,
        "5 in spans[0].startTime at byte 23, expected a point in time such as \"2020-01-02T03:04:05.678Z\"",
    );
    check(
        r#"{"spans":[{"attributes":{"attributeMap":{"a.b":{"intValue":1.5}}}}]}"#,
        "1.5 in spans[0].attributes.attributeMap.a.b.intValue at byte 59, expected a 64-bit integer, as a string or number",
    );
    check(
        r#"{"spans":[{"attributes":{"attributeMap":[]}}]}"#,
        "a list in spans[0].attributes.attributeMap at byte 40, expected an object",
    );
    check(
        r#"{"spans":[{"attributes":{"attributeMap":{"a":null}}}]}"#,
        "null in spans[0].attributes.attributeMap.a at byte 45, expected an object",
    );
    check(
        r#"{"spans":[{"sameProcessAsParentSpan":"yes"}]}"#,
        "\"yes\" in spans[0].sameProcessAsParentSpan at byte 37, expected true or false",
    );
    check(
        r#"{"spans":[{"timeEvents":{"timeEvent":[{"annotation":{},"messageEvent":{}}]}}]}"#,
        "the value is given besides annotation in spans[0].timeEvents.timeEvent[0].messageEvent at byte 70, expected one",
    );
    check(r#"{"spans":[{"parentSpanId":"AAAA"}]}"#, "an id of 3 bytes at byte 4, expected 8 or none");
    assert_eq!(fails(r#"{"spans":["#).fault, Fault::Truncated);
    assert_eq!(fails(r#"{"spans":5}"#).fault, Fault::Malformed);
}

#[test]
fn unknown_fields_are_skipped_however_deep() {
    let deep = format!(r#"{{"spans":[{{"x":{}{}}}]}}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(translate_json(&deep).unwrap().resource_spans.len(), 1);
    let deep = format!(r#"{{"x":{}1{}}}"#, r#"{"a":"#.repeat(100_000), "}".repeat(100_000));
    assert_eq!(translate_json(&deep).unwrap().resource_spans.len(), 0);
}

proptest! {
    #[test]
    fn json_is_what_its_protobuf_is(from in any::request()) {
        let body = any::to_json(&from);
        prop_assert_eq!(translate_json(&body).unwrap(), request(&from), "{}", body);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[{}\\[\\]\",:0-9a-z \\\\-]{0,60}", bytes in any::<Vec<u8>>()) {
        let _ = translate_json(&text);
        let _ = Stream::default().translate_json(&bytes, 1000, &mut Vec::new());
        let _ = translate_json(&format!(r#"{{"spans":[{{"attributes":{text}}}]}}"#));
    }

    /// Cut anywhere, a body is wrong and not taken.
    #[test]
    fn what_is_cut_is_refused(from in any::request(), at in any::<prop::sample::Index>()) {
        let body = any::to_json(&from);
        let mut end = at.index(body.len());
        while !body.is_char_boundary(end) {
            end -= 1;
        }
        prop_assert!(translate_json(&body[..end]).is_err());
    }
}
