//! Answers read back by a reader made from the proto file, golden JSON, and the keys that strict readers know.
//!
//! | file | holds |
//! |---|---|
//! | `mod.rs` | golden JSON, strict keys, requests |
//! | `mirror.rs` | the messages as a code generator would have them |
//! | `laws.rs` | any answer reads back, from protobuf and from JSON |

mod laws;
mod mirror;

use prost::Message;
use spanloom_span::model::AnyValue;
use spanloom_span::{SpanId, TraceId};
use spanloom_traceql::answer::{Exemplar, FoundSpan, FoundSpanset, FoundTrace, Series, ServiceStats};

use super::series::SeriesAnswer;
use super::tags::{ScopeNames, TypedValue};
use super::*;

fn text(json: Vec<u8>) -> String {
    String::from_utf8(json).unwrap()
}

fn string(value: &str) -> AnyValue {
    AnyValue::Str(value.into())
}

/// A trace with everything that an answer can say.
fn full_trace() -> FoundTrace {
    let span = FoundSpan {
        id: SpanId([0, 0, 0, 0, 0, 0, 1, 2]),
        name: "GET \"/\"".into(),
        start: 1_700_000_000_000_000_001,
        duration: 1_500_000,
        attributes: vec![
            ("http.status_code".into(), AnyValue::Int(500)),
            ("ok".into(), AnyValue::Bool(false)),
        ],
    };
    let spanset = FoundSpanset {
        attributes: vec![("count()".into(), AnyValue::Int(3)), ("by(name)".into(), AnyValue::Empty)],
        spans: vec![span.clone(), FoundSpan { duration: 0, attributes: Vec::new(), ..span }],
        matched: 3,
    };
    FoundTrace {
        id: TraceId([0, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
        root_service: Some("shop".into()),
        root_name: Some("checkout".into()),
        start: 1_700_000_000_000_000_000,
        duration: 557_999_999,
        services: vec![
            ServiceStats { service: String::new(), spans: 1, errors: 0 },
            ServiceStats { service: "shop".into(), spans: 2, errors: 1 },
        ],
        spansets: vec![spanset, FoundSpanset { matched: 1, ..FoundSpanset::default() }],
    }
}

fn inspected() -> Inspected {
    Inspected { traces: 1, spans: 2, bytes: 3, blocks: 4, block_bytes: 5, jobs: 6, jobs_done: 7 }
}

const FULL_METRICS: &str = r#""metrics":{"inspectedTraces":1,"inspectedBytes":"3","totalBlocks":4,"completedJobs":7,"totalJobs":6,"totalBlockBytes":"5","inspectedSpans":"2"}"#;

#[test]
fn a_search_answer_is_written_as_readers_expect() {
    let first = concat!(
        r#"{"spans":[{"spanID":"0000000000000102","name":"GET \"/\"","#,
        r#""startTimeUnixNano":"1700000000000000001","durationNanos":"1500000","#,
        r#""attributes":[{"key":"http.status_code","value":{"intValue":"500"}},"#,
        r#"{"key":"ok","value":{"boolValue":false}}]},"#,
        r#"{"spanID":"0000000000000102","name":"GET \"/\"","startTimeUnixNano":"1700000000000000001"}],"#,
        r#""matched":3,"attributes":[{"key":"count()","value":{"intValue":"3"}},{"key":"by(name)","value":{}}]}"#,
    );
    let expected = format!(
        concat!(
            r#"{{"traces":[{{"traceID":"a0000000000000000000000000001","rootServiceName":"shop","#,
            r#""rootTraceName":"checkout","startTimeUnixNano":"1700000000000000000","durationMs":557,"#,
            r#""spanSet":{},"spanSets":[{},{{"matched":1}}],"#,
            r#""serviceStats":{{"":{{"spanCount":1}},"shop":{{"spanCount":2,"errorCount":1}}}}}}],{}}}"#,
        ),
        first, first, FULL_METRICS
    );
    assert_eq!(text(search::json(&[full_trace()], &inspected())), expected);
}

#[test]
fn a_trace_without_root_says_so_and_large_numbers_stay_in_their_fields() {
    let trace =
        FoundTrace { id: TraceId([255; 16]), start: u64::MAX, duration: u64::MAX, ..FoundTrace::default() };
    let most = u64::MAX;
    let inspected = Inspected {
        traces: most,
        spans: most,
        bytes: most,
        blocks: most,
        block_bytes: most,
        jobs: most,
        jobs_done: most,
    };
    let expected = format!(
        concat!(
            r#"{{"traces":[{{"traceID":"{}","rootServiceName":"<root span not yet received>","#,
            r#""startTimeUnixNano":"18446744073709551615","durationMs":4294967295}}],"#,
            r#""metrics":{{"inspectedTraces":4294967295,"inspectedBytes":"18446744073709551615","#,
            r#""totalBlocks":4294967295,"completedJobs":4294967295,"totalJobs":4294967295,"#,
            r#""totalBlockBytes":"18446744073709551615","inspectedSpans":"18446744073709551615"}}}}"#,
        ),
        "f".repeat(32)
    );
    assert_eq!(text(search::json(std::slice::from_ref(&trace), &inspected)), expected);
    let read = mirror::SearchResponse::decode(&search::proto(&[trace], &inspected)[..]).unwrap();
    assert_eq!(read.traces[0].duration_ms, u32::MAX);
    assert_eq!(read.metrics.unwrap().total_blocks, u32::MAX);
}

#[test]
fn nothing_found_is_hardly_a_word() {
    let none = Inspected::default();
    let answer = SeriesAnswer { series: &[], inspected: none, partial: None };
    for json in [
        search::json(&[], &none),
        tags::names_json(&[], &none),
        tags::values_json(&[], &none),
        tags::scopes_json(&[], &none),
        tags::typed_json(&[], &none),
        answer.range_json(),
        answer.instant_json(),
    ] {
        assert_eq!(text(json), r#"{"metrics":{}}"#);
    }
    assert_eq!(text(tags::typed_llm(&[], &none)), r#"{"tagValues":{},"metrics":{}}"#);
    for proto in [search::proto(&[], &none), tags::names_proto(&[], &none), answer.range_proto()] {
        assert_eq!(proto, [0x12, 0]);
    }
}

const METADATA: &str = r#""metrics":{"inspectedBytes":"3","totalJobs":6,"completedJobs":7,"totalBlocks":4,"totalBlockBytes":"5"}"#;

#[test]
fn names_and_values_are_written_as_readers_expect() {
    let names = ["a".to_owned(), "b\"".to_owned()];
    let check = |json: Vec<u8>, expected: &str| assert_eq!(text(json), format!("{{{expected},{METADATA}}}"));
    check(tags::names_json(&names, &inspected()), r#""tagNames":["a","b\""]"#);
    check(tags::values_json(&names, &inspected()), r#""tagValues":["a","b\""]"#);
    let scopes = [ScopeNames { scope: "resource", names: &names }, ScopeNames { scope: "link", names: &[] }];
    check(
        tags::scopes_json(&scopes, &inspected()),
        r#""scopes":[{"name":"resource","tags":["a","b\""]},{"name":"link"}]"#,
    );
    let value = |kind, value| TypedValue { kind, value };
    let values = [value("int", "1"), value("int", "2"), value("string", "")];
    check(
        tags::typed_json(&values, &inspected()),
        r#""tagValues":[{"type":"int","value":"1"},{"type":"int","value":"2"},{"type":"string"}]"#,
    );
    check(tags::typed_llm(&values, &inspected()), r#""tagValues":{"int":["1","2"],"string":[""]}"#);
}

fn full_series() -> Vec<Series> {
    let exemplar = Exemplar { trace: TraceId([1; 16]), at: 1_700_000_000_123_456_789, value: 0.25 };
    vec![
        Series {
            labels: vec![
                ("resource.service.name".into(), string("shop")),
                ("p".into(), AnyValue::Double(0.9)),
            ],
            samples: vec![(60_000_000_000, 12.5), (120_000_000_000, 0.0), (180_000_000_000, f64::NAN)],
            exemplars: vec![exemplar],
        },
        Series { labels: vec![("__name__".into(), string("rate"))], ..Series::default() },
    ]
}

#[test]
fn series_are_written_as_readers_expect() {
    let series = full_series();
    let answer =
        SeriesAnswer { series: &series, inspected: inspected(), partial: Some("1 of 2 series left out") };
    let labels = r#""labels":[{"key":"resource.service.name","value":{"stringValue":"shop"}},{"key":"p","value":{"doubleValue":0.9}}]"#;
    let end = format!(r#"{FULL_METRICS},"status":"PARTIAL","message":"1 of 2 series left out"}}"#);
    let expected = format!(
        concat!(
            r#"{{"series":[{{{},"samples":[{{"timestampMs":"60000","value":12.5}},{{"timestampMs":"120000"}},"#,
            r#"{{"timestampMs":"180000","value":"NaN"}}],"exemplars":[{{"labels":[{{"key":"trace:id","#,
            r#""value":{{"stringValue":"{}"}}}}],"value":0.25,"timestampMs":"1700000000123"}}]}},"#,
            r#"{{"labels":[{{"key":"__name__","value":{{"stringValue":"rate"}}}}]}}],{}"#,
        ),
        labels,
        "01".repeat(16),
        end
    );
    assert_eq!(text(answer.range_json()), expected);
    assert_eq!(text(answer.instant_json()), format!(r#"{{"series":[{{{labels},"value":12.5}}],{end}"#));
}

/// Every key of these messages in `tempo.proto`; a key that is not here fails the answer in strict readers.
const KNOWN: &str = "traces metrics traceID rootServiceName rootTraceName startTimeUnixNano durationMs spanSet \
    spanSets serviceStats spanCount errorCount spans matched attributes spanID name durationNanos key value \
    stringValue boolValue intValue doubleValue arrayValue kvlistValue bytesValue values inspectedTraces \
    inspectedBytes totalBlocks completedJobs totalJobs totalBlockBytes inspectedSpans tagNames scopes tags \
    tagValues type series labels samples exemplars timestampMs status message";

#[test]
fn no_key_is_written_that_strict_readers_do_not_know() {
    fn keys(json: &serde_json::Value, found: &mut Vec<String>) {
        match json {
            serde_json::Value::Array(items) => items.iter().for_each(|item| keys(item, found)),
            serde_json::Value::Object(fields) => {
                for (key, value) in fields {
                    found.push(key.clone());
                    match value.as_object() {
                        // Its keys are names of services.
                        Some(inner) if key == "serviceStats" => inner.values().for_each(|v| keys(v, found)),
                        _ => keys(value, found),
                    }
                }
            }
            _ => {}
        }
    }
    let mut trace = full_trace();
    let all = vec![
        ("array".into(), AnyValue::Array(vec![AnyValue::Double(1.5)])),
        ("map".into(), AnyValue::Map(vec![Default::default()])),
        ("bytes".into(), AnyValue::Bytes(vec![1])),
    ];
    trace.spansets[0].attributes.extend(all);
    let (series, names) = (full_series(), ["a".to_owned()]);
    let answer = SeriesAnswer { series: &series, inspected: inspected(), partial: Some("why") };
    let typed = [TypedValue { kind: "int", value: "1" }];
    let mut found = Vec::new();
    for json in [
        search::json(&[trace], &inspected()),
        tags::names_json(&names, &inspected()),
        tags::values_json(&names, &inspected()),
        tags::scopes_json(&[ScopeNames { scope: "span", names: &names }], &inspected()),
        tags::typed_json(&typed, &inspected()),
        answer.range_json(),
        answer.instant_json(),
    ] {
        keys(&serde_json::from_slice(&json).unwrap(), &mut found);
    }
    let known: Vec<&str> = KNOWN.split_whitespace().collect();
    for key in &found {
        assert!(known.contains(&key.as_str()), "{key}");
    }
    for key in known {
        assert!(found.iter().any(|found| found == key), "{key} is never written");
    }
}

#[test]
fn requests_are_read() {
    let search = mirror::SearchRequest {
        tags: [("a", "b"), ("", "c")].map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
        min_duration_ms: 1,
        max_duration_ms: 2,
        limit: 3,
        start: 4,
        end: 5,
        query: "{}".into(),
        spans_per_span_set: 6,
    };
    let read = request::Search::decode(&search.encode_to_vec()).unwrap();
    let mut tags = read.tags.clone();
    tags.sort();
    assert_eq!(tags, [("".to_owned(), "c".to_owned()), ("a".to_owned(), "b".to_owned())]);
    assert_eq!((read.min_duration_ms, read.max_duration_ms, read.limit), (1, 2, 3));
    assert_eq!((read.start, read.end, read.spans_per_spanset, read.query.as_str()), (4, 5, 6, "{}"));

    let tags = mirror::SearchTagsRequest {
        scope: "span".into(),
        query: "{ .a = 1 }".into(),
        start: 1,
        end: 2,
        max_tags_per_scope: 3,
        stale_values_threshold: 4,
    };
    let read = request::Tags::decode(&tags.encode_to_vec()).unwrap();
    let expected =
        request::Tags { scope: "span".into(), query: "{ .a = 1 }".into(), start: 1, end: 2, limit: 3 };
    assert_eq!(read, expected);

    let values = mirror::SearchTagValuesRequest {
        tag_name: "span.a".into(),
        query: "{".into(),
        start: 1,
        end: 2,
        max_tag_values: 3,
        stale_value_threshold: 4,
    };
    let read = request::TagValues::decode(&values.encode_to_vec()).unwrap();
    let expected = request::TagValues { tag: "span.a".into(), query: "{".into(), start: 1, end: 2, limit: 3 };
    assert_eq!(read, expected);

    let range = mirror::QueryRangeRequest {
        query: "{} | rate()".into(),
        start: u64::MAX,
        end: 2,
        step: 3,
        query_mode: "recent".into(),
        exemplars: 4,
        max_series: 5,
    };
    let bytes = range.encode_to_vec();
    let instant =
        request::Metrics { query: "{} | rate()".into(), start: u64::MAX, end: 2, ..Default::default() };
    assert_eq!(request::Metrics::decode_instant(&bytes).unwrap(), instant);
    let range = request::Metrics { step: 3, exemplars: 4, max_series: 5, ..instant };
    assert_eq!(request::Metrics::decode_range(&bytes).unwrap(), range);
    assert_eq!(request::Search::decode(&[]).unwrap(), request::Search::default());
}

#[test]
fn what_is_no_request_is_named() {
    let check = |bytes: &[u8], expected: &str| {
        assert_eq!(request::Search::decode(bytes).unwrap_err().to_string(), expected);
    };
    check(&[0x80], "the request is not protobuf: truncated at byte 0");
    check(&[0x40, 1], "field 8 of the request has the wrong type, expected that of its proto file");
    check(&[0x22, 0], "field 4 of the request has the wrong type, expected that of its proto file");
    check(&[0x42, 1, 0xff], "field 8 of the request is not UTF-8");
    check(&[0x0a, 1, 0x80], "the request is not protobuf: truncated at byte 0");
}
