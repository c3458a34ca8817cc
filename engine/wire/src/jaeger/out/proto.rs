//! A trace as messages of `api_v2/model.proto`: `Span {1 trace_id, 2 span_id, 3 operation_name, 4 references, 5 flags,
//! 6 start_time, 7 duration, 8 tags, 9 logs, 10 process, 12 warnings}`, each with its process.

use spanloom_span::model::Trace;
use spanloom_span::proto::{put_bytes, put_fixed64, put_message, put_text, put_uint};

use super::process::Process;
use super::span::{JaegerSpan, Log, OutReference};
use super::tag::{OutTag, TagValue};
use super::{each_span, process_of};

/// A trace as `SpansResponseChunk {1 spans}` messages, none of which is much larger than asked for.
#[derive(Debug, Default)]
pub struct SpanChunks {
    /// The messages.
    pub chunks: Vec<Vec<u8>>,
}

impl SpanChunks {
    /// The spans of a trace, in chunks that end once they have `bytes` bytes.
    pub fn new(trace: &Trace, bytes: usize) -> Self {
        let mut chunks = Vec::new();
        let mut chunk = Vec::new();
        each_span(trace, |resource_spans, span| {
            put_message(&mut chunk, 1, |out| put_span(out, &span, &process_of(resource_spans)));
            if chunk.len() >= bytes {
                chunks.push(std::mem::take(&mut chunk));
            }
        });
        if !chunk.is_empty() {
            chunks.push(chunk);
        }
        Self { chunks }
    }
}

fn put_span(out: &mut Vec<u8>, span: &JaegerSpan<'_>, process: &Process<'_>) {
    put_bytes(out, 1, &span.trace_id.0);
    put_bytes(out, 2, &span.span_id.0);
    put_text(out, 3, span.name.as_bytes());
    span.references.iter().for_each(|reference| put_message(out, 4, |out| put_reference(out, reference)));
    if span.flags != 0 {
        put_uint(out, 5, span.flags.into());
    }
    put_message(out, 6, |out| put_moment(out, span.start));
    put_message(out, 7, |out| put_length(out, span.duration));
    put_tags(out, 8, &span.tags);
    span.logs.iter().for_each(|log| put_message(out, 9, |out| put_log(out, log)));
    put_message(out, 10, |out| {
        put_text(out, 1, process.service.as_bytes());
        put_tags(out, 2, &process.tags);
    });
    span.warnings.iter().for_each(|warning| put_bytes(out, 12, warning.as_bytes()));
}

/// `SpanRef {1 trace_id, 2 span_id, 3 ref_type}`.
fn put_reference(out: &mut Vec<u8>, reference: &OutReference) {
    put_bytes(out, 1, &reference.trace_id.0);
    put_bytes(out, 2, &reference.span_id.0);
    if reference.kind.number() != 0 {
        put_uint(out, 3, reference.kind.number());
    }
}

/// `Log {1 timestamp, 2 fields}`.
fn put_log(out: &mut Vec<u8>, log: &Log<'_>) {
    put_message(out, 1, |out| put_moment(out, log.time));
    put_tags(out, 2, &log.fields);
}

/// `KeyValue {1 key, 2 v_type, 3 v_str, 4 v_bool, 5 v_int64, 6 v_float64, 7 v_binary}`.
fn put_tags(out: &mut Vec<u8>, field: u32, tags: &[OutTag<'_>]) {
    for tag in tags {
        put_message(out, field, |out| {
            put_text(out, 1, tag.key.as_bytes());
            match &tag.value {
                TagValue::Str(text) => put_text(out, 3, text.as_bytes()),
                TagValue::Bool(value) => {
                    put_uint(out, 2, 1);
                    put_uint(out, 4, u64::from(*value));
                }
                TagValue::Int(value) => {
                    put_uint(out, 2, 2);
                    put_uint(out, 5, *value as u64);
                }
                TagValue::Double(value) => {
                    put_uint(out, 2, 3);
                    put_fixed64(out, 6, value.to_bits());
                }
                TagValue::Bytes(bytes) => {
                    put_uint(out, 2, 4);
                    put_text(out, 7, bytes);
                }
            }
        });
    }
}

/// `google.protobuf.Timestamp {1 seconds, 2 nanos}`.
pub(crate) fn put_moment(out: &mut Vec<u8>, nanos: u64) {
    put_seconds(out, (nanos / 1_000_000_000) as i64, (nanos % 1_000_000_000) as i64);
}

/// `google.protobuf.Duration {1 seconds, 2 nanos}`, both of the same sign.
fn put_length(out: &mut Vec<u8>, nanos: i128) {
    // Both fit: it is less than 64 bits and a sign.
    put_seconds(out, (nanos / 1_000_000_000) as i64, (nanos % 1_000_000_000) as i64);
}

fn put_seconds(out: &mut Vec<u8>, seconds: i64, nanos: i64) {
    for (field, value) in [(1, seconds), (2, nanos)] {
        if value != 0 {
            put_uint(out, field, value as u64);
        }
    }
}
