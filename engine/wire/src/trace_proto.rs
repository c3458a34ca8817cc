//! A trace as an answer in protobuf: `tempopb.Trace` (v1) and `tempopb.TraceByIDResponse` (v2).
//!
//! Field numbers from `pkg/tempopb/tempo.proto` (Apache-2.0): `Trace {1 resourceSpans}` is wire-identical to
//! OTLP's `TracesData`; `TraceByIDResponse {1 trace, 2 metrics, 3 status, 4 message}`;
//! `TraceByIDMetrics {1 inspectedBytes, 2 backendReads, 3 backendBytes}`; status `PARTIAL` is 1.

use spanloom_span::encode;
use spanloom_span::model::Trace;
use spanloom_span::proto::{put_bytes, put_message, put_text, put_uint};

use crate::trace_json::TraceReport;

const PARTIAL: u64 = 1;

/// The answer of `/api/traces/{id}`.
pub fn v1(trace: &Trace) -> Vec<u8> {
    encode::traces_data(trace)
}

/// A trace as `TracesData` messages one after the other, none of which is much larger than `bytes`, unless a span is; none
/// is empty. Each scope stands with its resource, and both again where its spans go on in the next message.
pub fn chunks(trace: &Trace, bytes: usize) -> Vec<Vec<u8>> {
    let mut chunks = Vec::new();
    let mut chunk = Vec::new();
    let mut spans = Vec::new();
    for part in &trace.resource_spans {
        for scope in &part.scope_spans {
            let mut flush = |spans: &mut Vec<u8>, chunk: &mut Vec<u8>| {
                put_message(chunk, 1, |out| {
                    put_message(out, 1, |out| encode::put_resource(out, &part.resource));
                    put_message(out, 2, |out| {
                        put_message(out, 1, |out| encode::put_scope(out, &scope.scope));
                        out.append(spans);
                        put_text(out, 3, scope.schema_url.as_bytes());
                    });
                    put_text(out, 3, part.schema_url.as_bytes());
                });
                if chunk.len() >= bytes {
                    chunks.push(std::mem::take(chunk));
                }
            };
            for span in &scope.spans {
                put_message(&mut spans, 2, |out| encode::put_span(out, span));
                if chunk.len() + spans.len() >= bytes {
                    flush(&mut spans, &mut chunk);
                }
            }
            if !spans.is_empty() {
                flush(&mut spans, &mut chunk);
            }
        }
    }
    if !chunk.is_empty() {
        chunks.push(chunk);
    }
    chunks
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
    fn a_trace_in_several_messages_has_the_same_spans() {
        let span = |name: usize| Span { name: name.to_string(), ..Span::default() };
        let scope = |from: usize| ScopeSpans {
            spans: (from..from + 10).map(span).collect(),
            schema_url: from.to_string(),
            ..ScopeSpans::default()
        };
        let resource = |from: usize| ResourceSpans {
            scope_spans: vec![scope(from), scope(from + 10)],
            schema_url: "r".into(),
            ..ResourceSpans::default()
        };
        let trace = Trace { resource_spans: vec![resource(0), resource(20)] };
        for bytes in [1, 30, 100, 1000, 100_000] {
            let chunks = chunks(&trace, bytes);
            assert!(chunks.iter().all(|chunk| !chunk.is_empty() && chunk.len() < bytes + 100));
            let read: Vec<TracesData> = chunks.iter().map(|c| TracesData::decode(&c[..]).unwrap()).collect();
            let scopes = read.iter().flat_map(|data| &data.resource_spans).flat_map(|r| &r.scope_spans);
            let names: Vec<_> = scopes.flat_map(|s| s.spans.iter().map(|span| span.name.clone())).collect();
            let expected: Vec<_> = (0..40).map(|name| name.to_string()).collect();
            assert_eq!(names, expected, "{bytes}");
        }
        assert_eq!(chunks(&trace, usize::MAX).len(), 1);
        assert!(chunks(&Trace::default(), 1).is_empty());
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
