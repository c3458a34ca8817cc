//! Any answer reads back: from protobuf with a reader made from the proto file, and from JSON to the same values.

use opentelemetry_proto::tonic::common::v1 as otlp;
use proptest::prelude::*;
use prost::Message;
use serde_json::{Value, json};
use spanloom_span::model::AnyValue;
use spanloom_span::{SpanId, TraceId};
use spanloom_traceql::answer::{Exemplar, FoundSpan, FoundSpanset, FoundTrace, Series, ServiceStats};

use super::mirror;
use crate::query::series::SeriesAnswer;
use crate::query::{Inspected, search, tags};

type Attributes = Vec<(String, AnyValue)>;

fn value() -> impl Strategy<Value = AnyValue> {
    let leaf = prop_oneof![
        Just(AnyValue::Empty),
        any::<String>().prop_map(AnyValue::Str),
        any::<bool>().prop_map(AnyValue::Bool),
        any::<i64>().prop_map(AnyValue::Int),
        any::<f64>().prop_map(AnyValue::Double),
        any::<Vec<u8>>().prop_map(AnyValue::Bytes),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| prop::collection::vec(inner, 0..3).prop_map(AnyValue::Array))
}

fn attributes() -> impl Strategy<Value = Attributes> {
    prop::collection::vec((any::<String>(), value()), 0..3)
}

fn span() -> impl Strategy<Value = FoundSpan> {
    (any::<[u8; 8]>(), any::<String>(), any::<u64>(), any::<u64>(), attributes()).prop_map(
        |(id, name, start, duration, attributes)| FoundSpan {
            id: SpanId(id),
            name,
            start,
            duration,
            attributes,
        },
    )
}

fn spanset() -> impl Strategy<Value = FoundSpanset> {
    (attributes(), prop::collection::vec(span(), 0..3), 0..5_000_000_000_u64)
        .prop_map(|(attributes, spans, matched)| FoundSpanset { attributes, spans, matched })
}

prop_compose! {
    fn trace()(
        id in any::<[u8; 16]>(),
        root in any::<Option<(String, String)>>(),
        start in any::<u64>(),
        duration in any::<u64>(),
        services in prop::collection::btree_map(any::<String>(), (any::<u32>(), any::<u32>()), 0..3),
        spansets in prop::collection::vec(spanset(), 1..3),
    ) -> FoundTrace {
        let services = services.into_iter();
        let service =
            |(service, (spans, errors))| ServiceStats { service, spans: u64::from(spans), errors: u64::from(errors) };
        let (root_service, root_name) = root.unzip();
        FoundTrace { id: TraceId(id), root_service, root_name, start, duration, services: services.map(service).collect(), spansets }
    }
}

prop_compose! {
    fn series()(
        labels in attributes(),
        samples in prop::collection::vec((any::<u64>(), prop::num::f64::ANY), 0..4),
        exemplars in prop::collection::vec((any::<[u8; 16]>(), any::<u64>(), any::<f64>()), 0..3),
    ) -> Series {
        let exemplars = exemplars.into_iter();
        let exemplars = exemplars.map(|(id, at, value)| Exemplar { trace: TraceId(id), at, value }).collect();
        Series { labels, samples, exemplars }
    }
}

prop_compose! {
    fn inspected()(counts in any::<[u64; 7]>()) -> Inspected {
        let [traces, spans, bytes, blocks, block_bytes, jobs, jobs_done] = counts;
        Inspected { traces, spans, bytes, blocks, block_bytes, jobs, jobs_done }
    }
}

fn narrow(value: u64) -> u32 {
    value.min(u32::MAX.into()) as u32
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

// What a reader of protobuf is expected to see.

fn read_value(value: &AnyValue) -> otlp::AnyValue {
    use otlp::any_value::Value as V;
    let value = match value {
        AnyValue::Empty => None,
        AnyValue::Str(text) => Some(V::StringValue(text.clone())),
        AnyValue::Bool(value) => Some(V::BoolValue(*value)),
        AnyValue::Int(value) => Some(V::IntValue(*value)),
        AnyValue::Double(value) => Some(V::DoubleValue(*value)),
        AnyValue::Array(values) => {
            Some(V::ArrayValue(otlp::ArrayValue { values: values.iter().map(read_value).collect() }))
        }
        AnyValue::Map(_) => unreachable!("maps are not made here"),
        AnyValue::Bytes(bytes) => Some(V::BytesValue(bytes.clone())),
    };
    otlp::AnyValue { value }
}

fn read_attributes(attributes: &Attributes) -> Vec<otlp::KeyValue> {
    let read = |(key, value): &(String, AnyValue)| otlp::KeyValue {
        key: key.clone(),
        value: Some(read_value(value)),
        ..otlp::KeyValue::default()
    };
    attributes.iter().map(read).collect()
}

fn read_spanset(spanset: &FoundSpanset) -> mirror::SpanSet {
    let span = |span: &FoundSpan| mirror::Span {
        span_id: hex(&span.id.0),
        name: span.name.clone(),
        start_time_unix_nano: span.start,
        duration_nanos: span.duration,
        attributes: read_attributes(&span.attributes),
    };
    mirror::SpanSet {
        spans: spanset.spans.iter().map(span).collect(),
        matched: narrow(spanset.matched),
        attributes: read_attributes(&spanset.attributes),
    }
}

fn read_trace(trace: &FoundTrace) -> mirror::TraceSearchMetadata {
    let span_sets: Vec<_> = trace.spansets.iter().map(read_spanset).collect();
    let stats = |one: &ServiceStats| {
        let stats = mirror::ServiceStats { span_count: narrow(one.spans), error_count: narrow(one.errors) };
        (one.service.clone(), stats)
    };
    mirror::TraceSearchMetadata {
        trace_id: hex(&trace.id.0).trim_start_matches('0').to_owned(),
        root_service_name: trace.root_service.clone().unwrap_or(search::NO_ROOT.into()),
        root_trace_name: trace.root_name.clone().unwrap_or_default(),
        start_time_unix_nano: trace.start,
        duration_ms: narrow(trace.duration / 1_000_000),
        span_set: span_sets.first().cloned(),
        span_sets,
        service_stats: trace.services.iter().map(stats).collect(),
    }
}

fn read_metrics(inspected: &Inspected) -> mirror::SearchMetrics {
    mirror::SearchMetrics {
        inspected_traces: narrow(inspected.traces),
        inspected_bytes: inspected.bytes,
        total_blocks: narrow(inspected.blocks),
        completed_jobs: narrow(inspected.jobs_done),
        total_jobs: narrow(inspected.jobs),
        total_block_bytes: inspected.block_bytes,
        inspected_spans: inspected.spans,
    }
}

fn read_series(series: &Series) -> mirror::TimeSeries {
    let exemplar = |one: &Exemplar| mirror::Exemplar {
        labels: read_attributes(&vec![("trace:id".into(), AnyValue::Str(hex(&one.trace.0)))]),
        value: one.value,
        timestamp_ms: (one.at / 1_000_000) as i64,
    };
    let sample = |&(at, value): &(u64, f64)| mirror::Sample { value, timestamp_ms: (at / 1_000_000) as i64 };
    mirror::TimeSeries {
        labels: read_attributes(&series.labels),
        samples: series.samples.iter().map(sample).collect(),
        exemplars: series.exemplars.iter().map(exemplar).collect(),
    }
}

// What a reader of JSON is expected to see, of the parts that protobuf's reader does not show to be right.

fn number_of(json: &Value) -> f64 {
    match json {
        Value::Null => 0.0,
        Value::String(text) => text.parse().unwrap(),
        json => json.as_f64().unwrap(),
    }
}

fn text_of(json: &Value) -> &str {
    json.as_str().unwrap_or_default()
}

fn check_trace(json: &Value, trace: &FoundTrace) {
    assert_eq!(text_of(&json["rootTraceName"]), trace.root_name.as_deref().unwrap_or(""));
    assert_eq!(text_of(&json["traceID"]), hex(&trace.id.0).trim_start_matches('0'));
    assert_eq!(number_of(&json["durationMs"]) as u32, narrow(trace.duration / 1_000_000));
    for (json, spanset) in std::iter::zip(json["spanSets"].as_array().unwrap(), &trace.spansets) {
        assert_eq!(number_of(&json["matched"]) as u32, narrow(spanset.matched));
        let spans = json["spans"].as_array().map_or(&[][..], |spans| spans);
        assert_eq!(spans.len(), spanset.spans.len());
        for (json, span) in std::iter::zip(spans, &spanset.spans) {
            assert_eq!(text_of(&json["name"]), span.name);
            let nanos = text_of(&json["startTimeUnixNano"]);
            assert_eq!(nanos, if span.start == 0 { String::new() } else { span.start.to_string() });
        }
    }
    let stats = trace.services.iter().map(|one| (one.service.as_str(), one.spans));
    for (service, spans) in stats {
        assert_eq!(number_of(&json["serviceStats"][service]["spanCount"]) as u64, spans);
    }
}

proptest! {
    #[test]
    fn traces_read_back(traces in prop::collection::vec(trace(), 0..3), inspected in inspected()) {
        let expected = mirror::SearchResponse {
            traces: traces.iter().map(read_trace).collect(),
            metrics: Some(read_metrics(&inspected)),
        };
        let proto = search::proto(&traces, &inspected);
        prop_assert_eq!(format!("{:?}", mirror::SearchResponse::decode(&proto[..]).unwrap()), format!("{expected:?}"));
        let written: Vec<Vec<u8>> = traces
            .iter()
            .map(|trace| {
                let mut out = Vec::new();
                search::put_trace(&mut out, trace);
                out
            })
            .collect();
        prop_assert_eq!(search::proto_of(written.iter().map(Vec::as_slice), &inspected), proto);
        let json: Value = serde_json::from_slice(&search::json(&traces, &inspected)).unwrap();
        for (json, trace) in std::iter::zip(json["traces"].as_array().unwrap_or(&Vec::new()), &traces) {
            check_trace(json, trace);
        }
    }

    #[test]
    fn series_read_back(
        series in prop::collection::vec(series(), 0..3),
        inspected in inspected(),
        partial in any::<Option<String>>(),
    ) {
        let answer = SeriesAnswer { series: &series, inspected, partial: partial.as_deref() };
        let (status, message) = (i32::from(partial.is_some()), partial.clone().unwrap_or_default());
        let metrics = Some(read_metrics(&inspected));
        let range = mirror::QueryRangeResponse {
            series: series.iter().map(read_series).collect(),
            metrics,
            status,
            message: message.clone(),
        };
        let read = mirror::QueryRangeResponse::decode(&answer.range_proto()[..]).unwrap();
        // As text: NaN is equal to nothing, and a zero loses its sign.
        prop_assert_eq!(format!("{read:?}").replace("-0.0", "0.0"), format!("{range:?}").replace("-0.0", "0.0"));
        let instant = series.iter().filter(|one| !one.samples.is_empty()).map(|one| mirror::InstantSeries {
            labels: read_attributes(&one.labels),
            value: one.samples[0].1,
        });
        let instant = mirror::QueryInstantResponse { series: instant.collect(), metrics, status, message };
        let read = mirror::QueryInstantResponse::decode(&answer.instant_proto()[..]).unwrap();
        prop_assert_eq!(format!("{read:?}").replace("-0.0", "0.0"), format!("{instant:?}").replace("-0.0", "0.0"));

        let json: Value = serde_json::from_slice(&answer.range_json()).unwrap();
        for (json, one) in std::iter::zip(json["series"].as_array().unwrap_or(&Vec::new()), &series) {
            for (json, (at, value)) in std::iter::zip(json["samples"].as_array().unwrap_or(&Vec::new()), &one.samples) {
                let read = number_of(&json["value"]);
                prop_assert!(read == *value || read.is_nan() && value.is_nan(), "{} {}", read, value);
                prop_assert_eq!(text_of(&json["timestampMs"]), if at / 1_000_000 == 0 { String::new() } else { (at / 1_000_000).to_string() });
            }
        }
        let json: Value = serde_json::from_slice(&answer.instant_json()).unwrap();
        prop_assert_eq!(json["series"].as_array().map_or(0, Vec::len), instant.series.len());
    }

    #[test]
    fn names_and_values_read_back(names in any::<Vec<String>>(), inspected in inspected()) {
        let metrics = Some(mirror::MetadataMetrics {
            inspected_bytes: inspected.bytes,
            total_jobs: narrow(inspected.jobs),
            completed_jobs: narrow(inspected.jobs_done),
            total_blocks: narrow(inspected.blocks),
            total_block_bytes: inspected.block_bytes,
        });
        let texts = mirror::Texts { texts: names.clone(), metrics };
        prop_assert_eq!(&mirror::Texts::decode(&tags::names_proto(&names, &inspected)[..]).unwrap(), &texts);
        prop_assert_eq!(&mirror::Texts::decode(&tags::values_proto(&names, &inspected)[..]).unwrap(), &texts);
        let scopes = [tags::ScopeNames { scope: "event", names: &names }];
        let read = mirror::SearchTagsV2Response::decode(&tags::scopes_proto(&scopes, &inspected)[..]).unwrap();
        let scope = mirror::SearchTagsV2Scope { name: "event".into(), tags: names.clone() };
        prop_assert_eq!(read, mirror::SearchTagsV2Response { scopes: vec![scope], metrics });
        let typed: Vec<_> = names.iter().map(|value| tags::TypedValue { kind: "int", value }).collect();
        let read = mirror::SearchTagValuesV2Response::decode(&tags::typed_proto(&typed, &inspected)[..]).unwrap();
        let tag_values = names.iter().map(|value| mirror::TagValue { kind: "int".into(), value: value.clone() });
        prop_assert_eq!(read, mirror::SearchTagValuesV2Response { tag_values: tag_values.collect(), metrics });

        let read = |bytes: Vec<u8>| serde_json::from_slice::<Value>(&bytes).unwrap();
        if !names.is_empty() {
            prop_assert_eq!(&read(tags::names_json(&names, &inspected))["tagNames"], &json!(names));
            prop_assert_eq!(&read(tags::scopes_json(&scopes, &inspected))["scopes"][0]["tags"], &json!(names));
            prop_assert_eq!(&read(tags::typed_llm(&typed, &inspected))["tagValues"]["int"], &json!(names));
        }
    }

    #[test]
    fn no_bytes_make_the_readers_of_requests_panic(bytes in any::<Vec<u8>>()) {
        let _ = crate::query::request::Search::decode(&bytes);
        let _ = crate::query::request::Tags::decode(&bytes);
        let _ = crate::query::request::TagValues::decode(&bytes);
        let _ = crate::query::request::Metrics::decode_range(&bytes);
    }
}
