//! What the query API answers, as far as it is shown. Shapes: `docs/QUERY_API.md`.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, de};
use serde_json::Value;

/// The answer of `/api/search`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SearchAnswer {
    pub traces: Vec<FoundTrace>,
    pub metrics: Inspected,
    pub explain: Option<Explain>,
}

/// A trace that was found.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct FoundTrace {
    /// Hexadecimal, without zeros in front.
    #[serde(rename = "traceID")]
    pub trace_id: String,
    pub root_service_name: String,
    pub root_trace_name: String,
    /// Nanoseconds since 1970.
    #[serde(deserialize_with = "number")]
    pub start_time_unix_nano: u64,
    pub duration_ms: u64,
    pub span_sets: Vec<SpanSet>,
    pub service_stats: BTreeMap<String, ServiceStats>,
}

/// The spans of one service within a trace.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ServiceStats {
    pub span_count: u64,
    pub error_count: u64,
}

/// Spans of a trace that were found together.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SpanSet {
    pub spans: Vec<FoundSpan>,
    pub matched: u64,
    pub attributes: Vec<Attribute>,
}

/// A span that was found.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct FoundSpan {
    #[serde(rename = "spanID")]
    pub span_id: String,
    pub name: String,
    /// Nanoseconds since 1970.
    #[serde(deserialize_with = "number")]
    pub start_time_unix_nano: u64,
    #[serde(deserialize_with = "number")]
    pub duration_nanos: u64,
    pub attributes: Vec<Attribute>,
}

/// A key and a value of some type.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Attribute {
    pub key: String,
    /// `{"stringValue": …}` and its kin.
    pub value: Value,
}

/// What it took to answer.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Inspected {
    #[serde(deserialize_with = "number")]
    pub inspected_traces: u64,
    #[serde(deserialize_with = "number")]
    pub inspected_bytes: u64,
    #[serde(deserialize_with = "number")]
    pub inspected_spans: u64,
    #[serde(deserialize_with = "number")]
    pub total_blocks: u64,
}

/// How an answer was found.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Explain {
    pub query: String,
    pub sources: Vec<Source>,
    pub steps: Vec<Step>,
    pub took_micros: u64,
}

/// A block, or the live spans.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Source {
    pub name: String,
    /// The other node that worked on it.
    pub by: Option<String>,
    pub spans: u64,
    pub traces: u64,
    pub row_groups: u64,
    pub pruned: Option<String>,
    pub row_groups_pruned: Vec<RowGroups>,
    pub rows_read: u64,
    pub rows_matched: u64,
    pub candidates: u64,
    pub joined: u64,
}

/// Row groups that were not read.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct RowGroups {
    pub reason: String,
    pub row_groups: u64,
}

/// A step of the work.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Step {
    pub name: String,
    pub micros: u64,
}

/// The answer of `/api/metrics/query_range` and `/api/metrics/query`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SeriesAnswer {
    pub series: Vec<Series>,
    pub metrics: Inspected,
    /// What was left out and why, when something was.
    pub message: Option<String>,
}

/// A series.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Series {
    pub labels: Vec<Attribute>,
    /// Ascending by time.
    pub samples: Vec<Sample>,
    pub exemplars: Vec<Exemplar>,
    /// The one value of an instant query.
    #[serde(deserialize_with = "double")]
    pub value: f64,
}

/// A value at a time.
#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Sample {
    #[serde(deserialize_with = "number")]
    pub timestamp_ms: u64,
    #[serde(deserialize_with = "double")]
    pub value: f64,
}

/// A span behind a sample.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Exemplar {
    pub labels: Vec<Attribute>,
    #[serde(deserialize_with = "double")]
    pub value: f64,
    #[serde(deserialize_with = "number")]
    pub timestamp_ms: u64,
}

/// The answer of `/api/v2/search/tags`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct TagsAnswer {
    pub scopes: Vec<TagScope>,
}

/// The names of a scope.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct TagScope {
    pub name: String,
    pub tags: Vec<String>,
}

/// The answer of `/api/v2/search/tag/…/values`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ValuesAnswer {
    pub tag_values: Vec<TagValue>,
}

/// A value with its type.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct TagValue {
    #[serde(rename = "type")]
    pub kind: String,
    pub value: String,
}

impl Attribute {
    /// The value as text, not escaped: strings as they are, lists and maps as JSON.
    pub fn text(&self) -> String {
        any_value(&self.value)
    }
}

/// The text of an OTLP value. Its depth is bounded by the JSON reader.
fn any_value(value: &Value) -> String {
    let Some((kind, value)) = value.as_object().and_then(|map| map.iter().next()) else {
        return "nil".to_owned();
    };
    let values = || value["values"].as_array().map_or(&[][..], Vec::as_slice);
    match (kind.as_str(), value) {
        ("arrayValue", _) => {
            format!("[{}]", values().iter().map(any_value).collect::<Vec<_>>().join(", "))
        }
        ("kvlistValue", _) => {
            let pair = |pair: &Value| {
                format!("{}: {}", pair["key"].as_str().unwrap_or(""), any_value(&pair["value"]))
            };
            format!("{{{}}}", values().iter().map(pair).collect::<Vec<_>>().join(", "))
        }
        (_, Value::String(text)) => text.clone(),
        (_, other) => other.to_string(),
    }
}

/// A whole number, as JSON's or, of 64 bits, as a string.
fn number<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(u64),
        Text(String),
    }
    match Either::deserialize(from)? {
        Either::Number(number) => Ok(number),
        Either::Text(text) => {
            text.parse().map_err(|_| de::Error::custom(format!("found {text:?}, expected a whole number")))
        }
    }
}

/// A number, or `"NaN"`, `"Infinity"`, `"-Infinity"`.
fn double<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(f64),
        Text(String),
    }
    match Either::deserialize(from)? {
        Either::Number(number) => Ok(number),
        Either::Text(text) => {
            text.parse().map_err(|_| de::Error::custom(format!("found {text:?}, expected a number")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read() {
        let json = r#"{"series":[{"labels":[{"key":"p","value":{"doubleValue":0.5}}],"samples":[
            {"timestampMs":"1700000000000","value":"NaN"},{"timestampMs":"5"}]}],"metrics":{"totalJobs":1},"new":1}"#;
        let answer: SeriesAnswer = serde_json::from_str(json).unwrap();
        let samples = &answer.series[0].samples;
        assert_eq!(samples[0].timestamp_ms, 1_700_000_000_000);
        assert!(samples[0].value.is_nan());
        assert_eq!((samples[1].timestamp_ms, samples[1].value), (5, 0.0));
        assert!(serde_json::from_str::<Sample>(r#"{"timestampMs":"-1"}"#).is_err());
    }

    #[test]
    fn values_are_text() {
        let check = |json: &str, expected: &str| {
            let value = serde_json::from_str(json).unwrap();
            assert_eq!(Attribute { key: String::new(), value }.text(), expected);
        };
        check(r#"{"stringValue":"shop"}"#, "shop");
        check(r#"{"intValue":"500"}"#, "500");
        check(r#"{"doubleValue":0.5}"#, "0.5");
        check(r#"{"doubleValue":"Infinity"}"#, "Infinity");
        check(r#"{"boolValue":true}"#, "true");
        check(r#"{"arrayValue":{"values":[{"intValue":"1"},{"stringValue":"b"}]}}"#, "[1, b]");
        check(r#"{"kvlistValue":{"values":[{"key":"a","value":{"intValue":"1"}}]}}"#, "{a: 1}");
        check(r#"{"arrayValue":{}}"#, "[]");
        check("{}", "nil");
        check("null", "nil");
    }
}
