//! OTLP/JSON to OTLP: the default load, as OpenTelemetry's own types write it.

use std::hint::black_box;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use spanloom_span::slice::{SliceLimits, slice};
use spanloom_wire::otlp_json;

use crate::{Line, measure, requests};

/// Translates requests.
pub fn run(spans: usize) -> Vec<Line> {
    let requests = requests(spans);
    let limits = SliceLimits::default();
    let count = |bytes: &bytes::Bytes| slice(bytes.clone(), &limits).map_or(0, |batch| batch.spans().len());
    let units: usize = requests.iter().map(count).sum();
    let json = |bytes: &bytes::Bytes| {
        let request = ExportTraceServiceRequest::decode(&bytes[..]).expect("a request of the load");
        serde_json::to_vec(&request).expect("a request as JSON")
    };
    let texts: Vec<Vec<u8>> = requests.iter().map(json).collect();
    let mut line = measure(
        "otlp json",
        "span",
        units,
        || (),
        |()| {
            for text in &texts {
                black_box(otlp_json::to_proto(text).is_ok());
            }
        },
    );
    let bytes: usize = texts.iter().map(Vec::len).sum();
    let proto: usize = requests.iter().map(bytes::Bytes::len).sum();
    let rate = bytes as f64 / units as f64 / line.wall_ns * 1e9 / (1 << 20) as f64;
    line.note = format!("{} B/span, OTLP {} B/span, {rate:.0} MiB/s", bytes / units, proto / units);
    vec![line]
}
