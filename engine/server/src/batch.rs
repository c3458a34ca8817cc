//! Spans to push.

use bytes::Bytes;
use spanloom_span::encode;
use spanloom_span::model::Trace;

/// Spans on their way in: an OTLP `ExportTraceServiceRequest`, of any number of traces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpanBatch(pub(crate) Bytes);

impl SpanBatch {
    /// Spans as OTLP protobuf bytes. They are checked when they are pushed.
    pub fn from_otlp(bytes: impl Into<Bytes>) -> Self {
        Self(bytes.into())
    }

    /// Spans in the owned form; the spans may be of several traces.
    pub fn from_model(spans: &Trace) -> Self {
        Self(encode::traces_data(spans).into())
    }
}
