//! What nodes ask each other.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use spanloom_span::model::Trace;
use spanloom_span::slice::{SliceLimits, slice};
use spanloom_span::{Tenant, TraceId, TracePart, decode};

use crate::{Answer, FindTrace, ListTraces, PeerError, ScanBlocks, Scanned, TraceList};

/// Most ranges of one [`ReadBlock`].
pub const MAX_RANGES: usize = 256;

/// Most bytes that one [`ReadBlock`] may ask for.
pub const MAX_READ_BYTES: u64 = 8 << 20;

/// "Keep these spans."
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Push {
    /// Whose spans.
    pub tenant: Tenant,
    /// An OTLP `ExportTraceServiceRequest` of whole traces' parts: what the one asked owns, or holds for one that is
    /// down.
    pub request: Bytes,
}

/// "Keep these spans, which I have sliced."
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushSliced {
    /// Whose spans.
    pub tenant: Tenant,
    /// As of [`Push::request`].
    pub request: Bytes,
    /// Its slices, as `Batch::index` writes them, so that the one asked need not walk the request.
    pub index: Bytes,
}

/// Spans that are kept, at the durability of the one asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pushed {
    /// Spans taken.
    pub spans: u64,
    /// Spans left out by a limit; nothing of them was kept.
    pub refused_spans: u64,
    /// Why they were left out; empty when none were.
    pub message: String,
}

/// All that a node holds of a trace and that nobody else can read: its live spans, and those of blocks that are on
/// this node alone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TraceCopy {
    /// An OTLP `TracesData`, duplicates removed; empty when there is nothing.
    pub spans: Bytes,
    /// Blocks that were read.
    pub blocks: u64,
    /// Requests whose spans are live.
    pub live_parts: u64,
}

/// The spans of a [`TraceCopy`]; `None` when there are none.
///
/// # Errors
/// [`PeerError::Garbled`] when they are no spans, or of another trace.
pub fn decode_copy(id: &TraceId, spans: Bytes) -> Result<Option<Trace>, PeerError> {
    let garbled =
        |error: &dyn std::fmt::Display| PeerError::Garbled(format!("a copy of trace {id}: {error}"));
    // A `TracesData` has the bytes of a request, and is checked as one.
    let batch = slice(spans, &SliceLimits::default()).map_err(|error| garbled(&error))?;
    match batch.groups() {
        [] => Ok(None),
        [one] if one.id == *id => {
            let part = TracePart { batch: Arc::new(batch), group: 0, seq: 0 };
            decode::trace_part(&part).map(Some).map_err(|error| garbled(&error))
        }
        _ => Err(garbled(&"it has spans of other traces")),
    }
}

/// "Which blocks of a tenant do you have that nobody else can read?" Live spans are brought into blocks in memory
/// first, so what was acknowledged before is in the answer, or in a shared store's listing read after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListBlocks {
    /// Whose.
    pub tenant: Tenant,
}

/// Blocks of one node.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BlockList {
    /// Names the run of the node's process: a name of a block means the same bytes in one run only.
    pub run: u64,
    /// The blocks, oldest first, then those of live spans.
    pub blocks: Vec<PeerBlock>,
}

/// A block of another node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerBlock {
    /// Its name there. Of one run of a process it always means the same bytes.
    pub name: Arc<str>,
    /// Its summary, as `spanloom_block` writes it.
    pub meta: Bytes,
    /// Where in the file its metadata begins.
    pub tail: u64,
    /// Whether it is made of live spans.
    pub is_live: bool,
    /// Places of traces that do not count in it, since other blocks of the node have all their spans; ascending.
    pub sealed: Vec<u32>,
}

/// "Send me these bytes of a block." A block that was listed is kept for a while for whoever listed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadBlock {
    /// Whose.
    pub tenant: Tenant,
    /// The run that the name is of.
    pub run: u64,
    /// Which.
    pub name: Arc<str>,
    /// Which bytes, within the block; at most [`MAX_RANGES`], of [`MAX_READ_BYTES`]
    /// together.
    pub ranges: Vec<Range<u64>>,
}

/// A node that can be asked: this one, or one elsewhere by a connection.
pub trait Peer: Send + Sync + 'static {
    /// Keeps spans; the answer is their acknowledgement.
    fn push(&self, spans: Push) -> Answer<'_, Pushed>;

    /// The same; the one asked may slice the request itself.
    fn push_sliced(&self, spans: PushSliced) -> Answer<'_, Pushed> {
        self.push(Push { tenant: spans.tenant, request: spans.request })
    }

    /// A node's copy of a trace.
    fn find_trace(&self, question: FindTrace) -> Answer<'_, TraceCopy>;

    /// A node's blocks.
    fn list_blocks(&self, question: ListBlocks) -> Answer<'_, BlockList>;

    /// Bytes of a node's block, a piece for each range.
    fn read_block(&self, question: ReadBlock) -> Answer<'_, Vec<Bytes>>;

    /// A part of a question over many traces. A peer that does not say otherwise takes none.
    fn scan_blocks(&self, question: ScanBlocks) -> Answer<'_, Scanned> {
        drop(question);
        Box::pin(async { Err(PeerError::Unavailable("the node works on no blocks for others".into())) })
    }

    /// Exchanges all that is known of the cluster's members, as `spanloom_swim` writes it.
    fn exchange_members(&self, known: Bytes) -> Answer<'_, Bytes>;

    /// The tenants of which a node has spans that nobody else can read, or has had since its start.
    fn list_tenants(&self) -> Answer<'_, Vec<Tenant>> {
        Box::pin(std::future::ready(Err(says_nothing())))
    }

    /// A node's traces, some at a time.
    fn list_traces(&self, _question: ListTraces) -> Answer<'_, TraceList> {
        Box::pin(std::future::ready(Err(says_nothing())))
    }
}

/// One that does not tell what it has, such as a part of a test.
fn says_nothing() -> PeerError {
    PeerError::Unavailable("the node does not tell which traces it has".into())
}
