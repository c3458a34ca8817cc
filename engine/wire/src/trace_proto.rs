//! A trace as an answer in protobuf: `tempopb.Trace` (v1) and `tempopb.TraceByIDResponse` (v2).
//!
//! Field numbers from `pkg/tempopb/tempo.proto` (Apache-2.0): `Trace {1 resourceSpans}` is wire-identical to
//! OTLP's `TracesData`; `TraceByIDResponse {1 trace, 2 metrics, 3 status, 4 message}`;
//! `TraceByIDMetrics {1 inspectedBytes, 2 backendReads, 3 backendBytes}`; status `PARTIAL` is 1.

use spanloom_span::encode;
use spanloom_span::model::Trace;
use spanloom_span::proto::{put_bytes, put_message, put_uint};

use crate::trace_json::TraceReport;

const PARTIAL: u64 = 1;

/// The answer of `/api/traces/{id}`.
pub fn v1(trace: &Trace) -> Vec<u8> {
    encode::traces_data(trace)
}

/// The answer of `/api/v2/traces/{id}`. The `trace` field is there even when the trace is empty: clients read it
/// without looking whether it is.
pub fn v2(trace: &Trace, report: &TraceReport<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 + trace.span_count() * 512);
    put_message(&mut out, 1, |out| encode::put_traces_data(out, trace));
    put_message(&mut out, 2, |out| {
        let counts = [report.inspected_bytes, report.backend_reads, report.backend_bytes];
        for (field, count) in (1..).zip(counts) {
            if count > 0 {
                put_uint(out, field, count);
            }
        }
    });
    if report.partial {
        put_uint(&mut out, 3, PARTIAL);
    }
    if !report.message.is_empty() {
        put_bytes(&mut out, 4, report.message.as_bytes());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_proto::tonic::trace::v1::TracesData;
    use prost::Message;
    use spanloom_span::model::{ResourceSpans, ScopeSpans, Span};

    #[derive(Clone, PartialEq, Message)]
    struct Response {
        #[prost(message, optional, tag = "1")]
        trace: Option<TracesData>,
        #[prost(message, optional, tag = "2")]
        metrics: Option<Metrics>,
        #[prost(int32, tag = "3")]
        status: i32,
        #[prost(string, tag = "4")]
        message: String,
    }

    #[derive(Clone, PartialEq, Message)]
    struct Metrics {
        #[prost(uint64, tag = "1")]
        inspected_bytes: u64,
        #[prost(uint64, tag = "2")]
        backend_reads: u64,
        #[prost(uint64, tag = "3")]
        backend_bytes: u64,
    }

    #[test]
    fn the_trace_is_there_even_when_empty() {
        let empty = v2(&Trace::default(), &TraceReport::default());
        let read = Response::decode(&empty[..]).unwrap();
        assert_eq!(read.trace, Some(TracesData::default()));
        assert_eq!(v1(&Trace::default()), b"");
    }

    #[test]
    fn a_reader_of_the_proto_file_reads_it() {
        let span = Span { name: "get".into(), ..Span::default() };
        let scope_spans = vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }];
        let trace = Trace { resource_spans: vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }] };
        let report = TraceReport {
            inspected_bytes: 300,
            backend_reads: 2,
            backend_bytes: 4096,
            partial: true,
            message: "a part is missing",
        };
        let read = Response::decode(&v2(&trace, &report)[..]).unwrap();
        assert_eq!(read.trace, Some(TracesData::decode(&v1(&trace)[..]).unwrap()));
        let metrics = Metrics { inspected_bytes: 300, backend_reads: 2, backend_bytes: 4096 };
        assert_eq!(read.metrics, Some(metrics));
        assert_eq!((read.status, read.message.as_str()), (1, "a part is missing"));
        assert_eq!(read.trace.unwrap().resource_spans[0].scope_spans[0].spans[0].name, "get");
    }
}
