//! Tags that stand for something else, and annotations that hold attributes.

use super::*;

/// Reads a span with those tags, and says what became of it: status, then scope, resource, attributes.
#[track_caller]
fn told(tags: &str) -> (Option<(i32, String)>, Vec<String>) {
    let body = format!(
        r#"[{{"traceId":"1","id":"2","timestamp":1,"localEndpoint":{{"serviceName":"cart"}},"tags":{{{tags}}}}}]"#
    );
    let request = translate(zipkin::v2_json, body.as_bytes(), &Options::default());
    let (resource, span) = only(&request);
    let mut found = Vec::new();
    if let Some(scope) = &resource.scope_spans[0].scope {
        found.push(format!("scope {} {}", scope.name, scope.version));
    }
    found.extend(lines(&resource.resource.as_ref().unwrap().attributes));
    found.extend(lines(&span.attributes));
    found.retain(|line| line != "service.name=\"cart\"");
    (span.status.as_ref().map(|status| (status.code, status.message.clone())), found)
}

#[test]
fn the_status_goes_by_code_and_error() {
    let check = |tags: &str, status: Option<(i32, &str)>, attributes: &[&str]| {
        let (found, rest) = told(tags);
        assert_eq!(found, status.map(|(code, message)| (code, message.to_owned())), "{tags}");
        assert_eq!(rest, attributes, "{tags}");
    };
    check("", None, &[]);
    check(r#""error":"""#, Some((2, "")), &[]);
    check(r#""error":"true""#, Some((2, "")), &[]);
    check(r#""error":true"#, Some((2, "")), &[]);
    check(r#""error":"timed out""#, Some((2, "timed out")), &[]);
    check(r#""error":"false""#, None, &["error=\"false\""]);
    check(r#""error":false"#, None, &["error=false"]);
    check(r#""error":500"#, Some((2, "")), &["error=500"]);
    for code in ["ERROR", "Error", "STATUS_CODE_ERROR", "2"] {
        check(&format!(r#""otel.status_code":"{code}","error":"no""#), Some((2, "no")), &[]);
        check(&format!(r#""otel.status_code":"{code}""#), Some((2, "")), &[]);
    }
    for code in ["OK", "Ok", "STATUS_CODE_OK", "1"] {
        check(&format!(r#""otel.status_code":"{code}""#), Some((1, "")), &[]);
    }
    for code in ["UNSET", "Unset", "STATUS_CODE_UNSET", "0"] {
        check(&format!(r#""otel.status_code":"{code}""#), None, &[]);
    }
    check(r#""otel.status_code":"FINE""#, None, &["otel.status_code=\"FINE\""]);
    check(r#""otel.status_code":"ERROR","otel.status_description":"d""#, Some((2, "d")), &[]);
    check(r#""otel.status_code":"ERROR","otel.status_description":"d","error":"true""#, Some((2, "d")), &[]);
    check(r#""otel.status_code":"ERROR","otel.status_description":"d","error":"d""#, Some((2, "d")), &[]);
    check(
        r#""otel.status_code":"ERROR","otel.status_description":"d","error":"e""#,
        Some((2, "d")),
        &["error=\"e\""],
    );
    // A span with an error has failed, whatever else it says; what it says stays to be seen.
    check(r#""otel.status_code":"OK","error":"e""#, Some((2, "e")), &["otel.status_code=\"OK\""]);
    check(r#""otel.status_code":"OK","error":"false""#, Some((1, "")), &["error=\"false\""]);
    check(r#""otel.status_description":"d""#, None, &["otel.status_description=\"d\""]);
}

#[test]
fn scopes_go_by_both_names() {
    let check = |tags: &str, expected: &[&str]| assert_eq!(told(tags).1, expected, "{tags}");
    check(r#""otel.scope.name":"a","otel.scope.version":"1""#, &["scope a 1"]);
    check(r#""otel.library.name":"a","otel.library.version":"1""#, &["scope a 1"]);
    check(
        r#""otel.scope.name":"a","otel.scope.version":"1","otel.library.name":"a","otel.library.version":"1""#,
        &["scope a 1"],
    );
    check(r#""otel.scope.name":"a","otel.library.name":"b""#, &["scope a ", "otel.library.name=\"b\""]);
    check(r#""otel.library.version":"1""#, &["scope  1"]);
    check(r#""otel.scope.name":"""#, &[]);
    check(r#""otel.scope.name":7"#, &["otel.scope.name=7"]);
}

#[test]
fn the_service_may_be_a_tag() {
    let check = |endpoint: &str, tags: &str, resource: &[&str], span: &[&str]| {
        let body = format!(
            r#"[{{"traceId":"1","id":"2","timestamp":1,"tags":{{{tags}}},"localEndpoint":{{{endpoint}}}}}]"#
        );
        let request = translate(zipkin::v2_json, body.as_bytes(), &Options::default());
        let (found, found_span) = only(&request);
        assert_eq!(lines(&found.resource.as_ref().unwrap().attributes), resource, "{tags}");
        assert_eq!(lines(&found_span.attributes), span, "{tags}");
    };
    let cart = r#""serviceName":"cart""#;
    let named = "service.name=\"cart\"";
    check("", "", &[], &[]);
    check("", r#""service.name":"cart""#, &[named], &[]);
    check(cart, r#""service.name":"cart""#, &[named], &[]);
    check(cart, r#""service.name":"shop""#, &[named], &["service.name=\"shop\""]);
    check(cart, r#""service.version":"1""#, &[named, "service.version=\"1\""], &[]);
    check(cart, r#""otlp.service.name.source":"faas.name""#, &["faas.name=\"cart\""], &[]);
    check(cart, r#""otlp.service.name.source":"x""#, &[named], &["otlp.service.name.source=\"x\""]);
}

#[test]
fn kinds_and_states_and_counts_may_be_tags() {
    let span = |fields: &str| {
        let body = format!(r#"[{{"traceId":"1","id":"2","timestamp":1,{fields}}}]"#);
        only(&translate(zipkin::v2_json, body.as_bytes(), &Options::default())).1.clone()
    };
    for (text, kind) in [("internal", 1), ("server", 2), ("client", 3), ("producer", 4), ("consumer", 5)] {
        let found = span(&format!(r#""tags":{{"span.kind":"{text}"}}"#));
        assert_eq!((found.kind, found.attributes.len()), (kind, 0));
    }
    let found = span(r#""tags":{"span.kind":"client"},"kind":"SERVER""#);
    assert_eq!((found.kind, lines(&found.attributes)), (2, vec!["span.kind=\"client\"".to_owned()]));
    let found = span(r#""tags":{"span.kind":"local"}"#);
    assert_eq!((found.kind, lines(&found.attributes)), (0, vec!["span.kind=\"local\"".to_owned()]));

    let found = span(
        r#""tags":{"w3c.tracestate":"a=b","otel.dropped_attributes_count":"1","otel.dropped_events_count":2,
            "otel.dropped_links_count":"3"}"#,
    );
    assert_eq!((found.trace_state.as_str(), found.attributes.len()), ("a=b", 0));
    let dropped = (found.dropped_attributes_count, found.dropped_events_count, found.dropped_links_count);
    assert_eq!(dropped, (1, 2, 3));
    let found = span(r#""tags":{"otel.dropped_links_count":"many","otel.dropped_events_count":4294967296}"#);
    assert_eq!(
        lines(&found.attributes),
        ["otel.dropped_events_count=4294967296", "otel.dropped_links_count=\"many\""]
    );
}

#[test]
fn links_are_read_from_the_collectors_tags() {
    let link = |value: &str| {
        let value = serde_json::to_string(value).unwrap();
        let body = format!(r#"[{{"traceId":"1","id":"2","timestamp":1,"tags":{{"otlp.link.0":{value}}}}}]"#);
        only(&translate(zipkin::v2_json, body.as_bytes(), &Options::default())).1.clone()
    };
    let (trace, span) = ("0102030405060708090a0b0c0d0e0f10", "1112131415161718");
    let found = link(&format!(r#"{trace}|{span}|a=b|c,d=e|{{"k":"|","n":1,"x":[1.5,true]}}|3"#));
    let [found] = &found.links[..] else { panic!("{found:?}") };
    assert_eq!(super::model::hex(&found.trace_id), trace);
    assert_eq!(super::model::hex(&found.span_id), span);
    assert_eq!(found.trace_state, "a=b|c,d=e");
    assert_eq!(lines(&found.attributes), ["k=\"|\"", "n=1", "x=[1.5,true]"]);
    assert_eq!(found.dropped_attributes_count, 3);
    // What is not in its notation stays an attribute.
    for value in [
        "",
        "x",
        &format!("{trace}|{span}||{{}}"),
        &format!("{trace}|{span}||{{}}|x"),
        &format!("{trace}|x||{{}}|0"),
        &format!("{trace}0|{span}||{{}}|0"),
        &format!("{trace}|{span}||{{|0"),
    ] {
        let found = link(value);
        assert_eq!((found.links.len(), found.attributes.len()), (0, 1), "{value}");
    }
}

#[test]
fn events_are_read_from_the_exporters_notations() {
    let check = |value: &str, expected: &str| {
        let text = serde_json::to_string(value).unwrap();
        let body =
            format!(r#"[{{"traceId":"1","id":"2","annotations":[{{"timestamp":1,"value":{text}}}]}}]"#);
        let request = translate(zipkin::v2_json, body.as_bytes(), &Options::default());
        assert_eq!(events(only(&request).1), [format!("1000 {expected}")], "{value}");
    };
    // The specification and Java, Go, Python, the Collector.
    check(r#""e": { "key1" : "value1", "key2": 2 }"#, r#"e key1="value1" key2=2"#);
    check(r#""e":{}"#, "e");
    check(r#"e f: {"a":true,"b":null}"#, "e f a=true b=nothing");
    check(r#"{"e": {"a": ["x", 1], "m": {"n": -0.5}}}"#, r#"e a=["x",1] m={n=-0.5}"#);
    check(r#"{"exception": {}}"#, "exception");
    check(r#"e|{"a":"|"}|2"#, r#"e a="|" dropped=2"#);
    check("e|{}|0", "e");
    // Attributes nest, but not without end.
    let nested = |levels: usize| format!("e: {{\"k\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
    check(&nested(8), "e k=[[[[[[[[]]]]]]]]");
    check(&nested(9), &nested(9));
    // In none of them.
    for text in [
        "",
        "error",
        "cs1",
        "a|1",
        "a|b|1",
        "a|{}|x",
        "a|{}|4294967296",
        "{}",
        r#"{"a":1}"#,
        r#"{"a":{},"b":{}}"#,
        r#"{"a":{}}}"#,
        r#""a" {}"#,
        r#""a":{}}"#,
        r#"a: {"b":}"#,
        r#"a: {"b":1}}"#,
        "}",
        "a: {",
        r#"{"e": {"a": "cut at a length", "b": "lik}"#,
    ] {
        check(text, text);
    }
}
