//! OpenCensus to OTLP, against OpenTelemetry's own types and against what the real client sent.
//!
//! | file | holds |
//! |---|---|
//! | `model.rs` | the messages as plain values, and what they are as OTLP |
//! | `any.rs` | values of every shape, and their JSON |
//! | `vectors.rs` | what the OpenCensus client for Python sent; `vectors/README.md` |
//! | `rules.rs` | the rules of the translation, one by one and all at once |
//! | `stream.rs` | what is remembered between messages |
//! | `json.rs` | the JSON form |
//! | `hostile.rs` | cut, long, deep and foreign bytes |
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)] // a test answers by panicking

mod any;
mod hostile;
mod json;
mod model;
mod rules;
mod stream;
mod vectors;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use spanloom_wire::Foreign;
use spanloom_wire::opencensus::Stream;

pub const ROOM: usize = 1 << 24;

/// What a message is in a stream; the attributes of resources sorted by key.
pub fn translate(stream: &mut Stream, message: &[u8]) -> Result<ExportTraceServiceRequest, Foreign> {
    let mut out = Vec::new();
    let spans = stream.translate(message, ROOM, &mut out)?;
    Ok(read(&out, spans))
}

/// What a body of JSON is in a stream of its own.
pub fn translate_json(body: &str) -> Result<ExportTraceServiceRequest, Foreign> {
    let mut out = Vec::new();
    let spans = Stream::default().translate_json(body.as_bytes(), ROOM, &mut out)?;
    Ok(read(&out, spans))
}

fn read(out: &[u8], spans: u64) -> ExportTraceServiceRequest {
    let mut request = ExportTraceServiceRequest::decode(out).unwrap();
    let mut found = 0;
    for resource_spans in &mut request.resource_spans {
        resource_spans.resource.as_mut().unwrap().attributes.sort_by(|a, b| a.key.cmp(&b.key));
        found += resource_spans.scope_spans.iter().map(|scope| scope.spans.len() as u64).sum::<u64>();
    }
    assert_eq!(found, spans, "the count of spans");
    request
}

/// What a request is in a stream of its own.
pub fn request(request: &model::Request) -> ExportTraceServiceRequest {
    translate(&mut Stream::default(), &request.encode_to_vec()).unwrap()
}
