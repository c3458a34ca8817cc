//! Series: `QueryRangeResponse` and `QueryInstantResponse`, each `{1 series, 2 metrics, 3 status, 4 message}`.
//!
//! A series of an instant query is its first sample.

use spanloom_span::TraceId;
use spanloom_span::encode::put_any_value;
use spanloom_span::model::AnyValue;
use spanloom_span::proto::{put_bytes, put_fixed64, put_message, put_text, put_uint};
use spanloom_traceql::answer::{Exemplar, Series};

use super::Inspected;
use super::attributes::{attributes, put_attributes};
use crate::json_out::{Object, hex};

/// The label by which readers find the trace behind an exemplar.
const TRACE_LABEL: &str = "trace:id";

const PARTIAL: u64 = 1;

/// Series, and how they were found.
#[derive(Debug, Clone, Copy)]
pub struct SeriesAnswer<'a> {
    /// In order.
    pub series: &'a [Series],
    /// What it took.
    pub inspected: Inspected,
    /// What is left out and why, when something is.
    pub partial: Option<&'a str>,
}

impl SeriesAnswer<'_> {
    /// `QueryRangeResponse` as JSON.
    pub fn range_json(&self) -> Vec<u8> {
        let samples: usize = self.series.iter().map(|s| s.samples.len() + s.exemplars.len()).sum();
        let mut out = Vec::with_capacity(256 + self.series.len() * 128 + samples * 56);
        self.json(&mut out, |top| top.list("series", self.series, range_series));
        out
    }

    /// `QueryInstantResponse` as JSON.
    pub fn instant_json(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256 + self.series.len() * 160);
        let series: Vec<&Series> = self.with_samples().collect();
        self.json(&mut out, |top| {
            top.list("series", &series, |o, series| {
                attributes(o, "labels", &series.labels);
                o.double("value", first(series));
            });
        });
        out
    }

    /// `QueryRangeResponse` as protobuf.
    pub fn range_proto(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for one in self.series {
            put_message(&mut out, 1, |out| put_range_series(out, one));
        }
        self.put_end(&mut out);
        out
    }

    /// The same, or a `QueryInstantResponse`, of series that were written before, by [`put_range_series`] or
    /// [`put_instant_series`].
    pub fn proto_of<'a>(&self, series: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
        let mut out = Vec::new();
        for one in series {
            put_bytes(&mut out, 1, one);
        }
        self.put_end(&mut out);
        out
    }

    /// `QueryInstantResponse` as protobuf.
    pub fn instant_proto(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for one in self.with_samples() {
            put_message(&mut out, 1, |out| put_instant_series(out, one));
        }
        self.put_end(&mut out);
        out
    }

    fn with_samples(&self) -> impl Iterator<Item = &Series> {
        self.series.iter().filter(|series| !series.samples.is_empty())
    }

    fn json(&self, out: &mut Vec<u8>, series: impl FnOnce(&mut Object<'_>)) {
        let mut top = Object::begin(out);
        series(&mut top);
        self.inspected.search_metrics(&mut top);
        if let Some(message) = self.partial {
            top.text("status", "PARTIAL");
            top.text("message", message);
        }
        top.end();
    }

    fn put_end(&self, out: &mut Vec<u8>) {
        self.inspected.put_search_metrics(out, 2);
        if let Some(message) = self.partial {
            put_uint(out, 3, PARTIAL);
            put_text(out, 4, message.as_bytes());
        }
    }
}

fn first(series: &Series) -> f64 {
    series.samples.first().map_or(0.0, |(_, value)| *value)
}

/// Milliseconds since 1970.
fn milliseconds(nanos: u64) -> u64 {
    nanos / 1_000_000
}

fn range_series(o: &mut Object<'_>, series: &Series) {
    attributes(o, "labels", &series.labels);
    o.list("samples", &series.samples, |o, &(at, value)| {
        o.quoted_integer("timestampMs", milliseconds(at));
        o.double("value", value);
    });
    o.list("exemplars", &series.exemplars, exemplar);
}

fn exemplar(o: &mut Object<'_>, exemplar: &Exemplar) {
    let label = [exemplar.trace];
    o.list("labels", &label, |o, trace| {
        o.text("key", TRACE_LABEL);
        o.object("value", |o| {
            let out = o.key("stringValue");
            out.push(b'"');
            hex(out, &trace.0);
            out.push(b'"');
        });
    });
    o.double("value", exemplar.value);
    o.quoted_integer("timestampMs", milliseconds(exemplar.at));
}

/// Appends the labels of a series, which it is known by.
pub fn put_labels(out: &mut Vec<u8>, series: &Series) {
    put_attributes(out, 1, &series.labels);
}

/// Appends the body of an `InstantSeries {1 labels, 2 value}`.
pub fn put_instant_series(out: &mut Vec<u8>, series: &Series) {
    put_attributes(out, 1, &series.labels);
    put_double(out, 2, first(series));
}

/// Appends the body of a `TimeSeries {1 labels, 2 samples, 4 exemplars}`, `Sample {1 value, 2 timestamp_ms}`,
/// `Exemplar {1 labels, 2 value, 3 timestamp_ms}`.
pub fn put_range_series(out: &mut Vec<u8>, series: &Series) {
    put_attributes(out, 1, &series.labels);
    for &(at, value) in &series.samples {
        put_message(out, 2, |out| {
            put_double(out, 1, value);
            put_time(out, 2, at);
        });
    }
    for one in &series.exemplars {
        put_message(out, 4, |out| {
            put_message(out, 1, |out| put_trace_label(out, one.trace));
            put_double(out, 2, one.value);
            put_time(out, 3, one.at);
        });
    }
}

fn put_trace_label(out: &mut Vec<u8>, trace: TraceId) {
    put_text(out, 1, TRACE_LABEL.as_bytes());
    put_message(out, 2, |out| put_any_value(out, &AnyValue::Str(trace.to_string())));
}

fn put_double(out: &mut Vec<u8>, field: u32, value: f64) {
    if value != 0.0 {
        put_fixed64(out, field, value.to_bits());
    }
}

fn put_time(out: &mut Vec<u8>, field: u32, nanos: u64) {
    if milliseconds(nanos) != 0 {
        put_uint(out, field, milliseconds(nanos));
    }
}
