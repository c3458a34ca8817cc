//! A checked request: the OTLP bytes as they came, and where in them each trace's spans lie.
//!
//! The bytes are `opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest`. The same buffer goes to
//! the log and to the trace actors; nothing is copied until a trace is sealed.

use std::any::Any;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use crate::TraceId;

/// A stretch of the batch's bytes. Requests are below 4 GiB (the receivers' limit is far lower).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stretch {
    /// First byte.
    pub from: u32,
    /// One past the last byte.
    pub to: u32,
}

impl Stretch {
    /// As a range of indexes.
    pub fn range(self) -> Range<usize> {
        self.from as usize..self.to as usize
    }

    /// Length in bytes.
    pub fn len(self) -> usize {
        (self.to - self.from) as usize
    }

    /// Whether it has no byte.
    pub fn is_empty(self) -> bool {
        self.from == self.to
    }
}

/// One `ResourceSpans` of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ResourceSlice {
    /// Body of the `Resource` message; empty when it was absent.
    pub resource: Stretch,
    /// The `schema_url`.
    pub schema_url: Stretch,
    /// Value of the string attribute `service.name`; empty when absent.
    pub service: Stretch,
}

/// One `ScopeSpans` of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ScopeSlice {
    /// Index of its `ResourceSpans`.
    pub resource: u32,
    /// Body of the `InstrumentationScope` message; empty when it was absent.
    pub scope: Stretch,
    /// The `schema_url`.
    pub schema_url: Stretch,
}

/// One span of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SpanSlice {
    /// Body of the `Span` message.
    pub body: Stretch,
    /// Index of its `ScopeSpans`.
    pub scope: u32,
}

/// The spans of one trace within the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceGroup {
    /// The trace.
    pub id: TraceId,
    /// First of its spans in [`Batch::spans`].
    pub first: u32,
    /// How many spans; never 0.
    pub count: u32,
    /// Bytes of its spans' bodies.
    pub bytes: u32,
    /// How many have status error.
    pub errors: u32,
    /// Earliest start, nanoseconds since 1970.
    pub start: u64,
    /// Latest end, nanoseconds since 1970.
    pub end: u64,
    /// Index in [`Batch::spans`] of the first span without a parent, if there is one.
    pub root: Option<u32>,
}

/// A checked request, sliced by trace. Cheap to share behind an [`Arc`].
pub struct Batch {
    pub(crate) bytes: Bytes,
    pub(crate) resources: Vec<ResourceSlice>,
    pub(crate) scopes: Vec<ScopeSlice>,
    pub(crate) spans: Vec<SpanSlice>,
    pub(crate) groups: Vec<TraceGroup>,
    pub(crate) refused_spans: u32,
    /// Dropped with the batch: gives its bytes back to a memory budget.
    pub(crate) permit: Option<Box<dyn Any + Send + Sync>>,
}

impl Batch {
    /// The request's bytes, as they came.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Its `ResourceSpans` that have spans.
    pub fn resources(&self) -> &[ResourceSlice] {
        &self.resources
    }

    /// Its `ScopeSpans` that have spans.
    pub fn scopes(&self) -> &[ScopeSlice] {
        &self.scopes
    }

    /// Its spans: those of one trace stand together, in order of arrival.
    pub fn spans(&self) -> &[SpanSlice] {
        &self.spans
    }

    /// Its traces, in order of first appearance.
    pub fn groups(&self) -> &[TraceGroup] {
        &self.groups
    }

    /// Spans left out because they are larger than the limit.
    pub fn refused_spans(&self) -> u32 {
        self.refused_spans
    }

    /// The spans of a group.
    pub fn group_spans(&self, group: &TraceGroup) -> &[SpanSlice] {
        &self.spans[group.first as usize..(group.first + group.count) as usize]
    }

    /// The bytes of a stretch.
    pub fn get(&self, stretch: Stretch) -> &[u8] {
        &self.bytes[stretch.range()]
    }

    /// Memory that the batch holds: its bytes, its slices and itself, with what those who hold it keep beside it.
    pub fn held_bytes(&self) -> usize {
        /// Counts of holders, a place in lists, a message on its way.
        const HOLDERS: usize = 256;
        self.bytes.len()
            + size_of::<Self>()
            + HOLDERS
            + self.resources.capacity() * size_of::<ResourceSlice>()
            + self.scopes.capacity() * size_of::<ScopeSlice>()
            + self.spans.capacity() * size_of::<SpanSlice>()
            + self.groups.capacity() * size_of::<TraceGroup>()
    }

    /// Ties a memory permit to the batch, so that it is given back when the last holder lets the batch go.
    pub fn with_permit(mut self, permit: Box<dyn Any + Send + Sync>) -> Self {
        self.permit = Some(permit);
        self
    }
}

impl std::fmt::Debug for Batch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Batch")
            .field("bytes", &self.bytes.len())
            .field("spans", &self.spans.len())
            .field("traces", &self.groups.len())
            .finish()
    }
}

/// The spans of one trace in one request: what a trace actor holds and what a seal takes.
#[derive(Debug, Clone)]
pub struct TracePart {
    /// The request.
    pub batch: Arc<Batch>,
    /// Index of the trace in [`Batch::groups`].
    pub group: u32,
    /// Where the request lies in the log: its ordinal, ascending from 1.
    pub seq: u64,
}

impl TracePart {
    /// The group within the batch.
    pub fn group(&self) -> &TraceGroup {
        &self.batch.groups()[self.group as usize]
    }

    /// The spans, in order of arrival.
    pub fn spans(&self) -> &[SpanSlice] {
        self.batch.group_spans(self.group())
    }
}
