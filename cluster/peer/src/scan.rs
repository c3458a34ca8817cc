//! "Work on these blocks of the shared store": a part of a question over many traces, done by another node, which can
//! read the blocks itself and keeps what it read of them.
//!
//! What lies in several blocks is not judged there: such traces are told of by their places, and whoever asks joins and
//! judges them.

use bytes::Bytes;
use spanloom_span::{Tenant, TraceId};

/// Most blocks of one [`ScanBlocks`].
pub const MAX_SCAN_BLOCKS: usize = 64;

/// "Work on these blocks of the store for this question."
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanBlocks {
    /// Whose.
    pub tenant: Tenant,
    /// Microseconds until the answer is of no use any more; 0 is no limit.
    pub within_micros: u64,
    /// The question.
    pub question: ScanQuestion,
    /// The blocks, at most [`MAX_SCAN_BLOCKS`].
    pub blocks: Vec<StoreBlock>,
}

/// A block of the shared store.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StoreBlock {
    /// The first number of its name: when it was made, nanoseconds since 1970.
    pub created: u64,
    /// The second number of its name.
    pub number: u64,
    /// Places of traces that also lie elsewhere, ascending: they are told of, not judged.
    pub elsewhere: Vec<u32>,
    /// Places of traces that do not count, ascending.
    pub sealed: Vec<u32>,
}

/// What is asked. Times are in nanoseconds since 1970, both ends included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScanQuestion {
    /// The newest traces that a query finds.
    Search {
        /// TraceQL.
        query: String,
        /// From when.
        start: u64,
        /// Until when.
        end: u64,
        /// Most traces.
        limit: u64,
        /// Most spans shown of each spanset.
        spans: u64,
        /// Start and id of the last trace of the page before.
        after: Option<(u64, TraceId)>,
        /// Traces that start earlier are of no use any more.
        floor: u64,
        /// Whether every trace that also lies elsewhere is to be told of, whatever the columns say of it.
        every: bool,
    },
    /// Series that a query makes.
    Series {
        /// TraceQL.
        query: String,
        /// Time of the first sample.
        first: u64,
        /// Nanoseconds between samples.
        step: u64,
        /// How many samples.
        count: u32,
        /// Whether the range includes its begin.
        closed: bool,
        /// Most series of each function.
        max_series: u64,
        /// Most bytes of each function.
        max_bytes: u64,
        /// Most exemplars of a series.
        exemplars: u64,
    },
    /// Names of attributes.
    Names {
        /// Of one scope alone, by number from 1 on in the order of [`ScanQuestion::SCOPES`]; 0 is all.
        scope: u8,
        /// What else is asked.
        list: ScanList,
    },
    /// Values of a field.
    Values {
        /// TraceQL, a field.
        field: String,
        /// What else is asked.
        list: ScanList,
    },
}

impl ScanQuestion {
    /// The scopes, in the order of their numbers.
    pub const SCOPES: [&'static str; 5] = ["resource", "span", "event", "link", "instrumentation"];
}

/// What is asked of a listing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScanList {
    /// TraceQL as far as it is written.
    pub filter: Option<String>,
    /// From when.
    pub start: u64,
    /// Until when.
    pub end: u64,
    /// Most entries; 0 is no limit.
    pub count: u64,
    /// Most bytes of them.
    pub bytes: u64,
}

/// What the work came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scanned {
    /// Traces that were judged.
    pub traces: u64,
    /// Spans that were looked at.
    pub spans: u64,
    /// Bytes that were looked at.
    pub bytes: u64,
    /// For each block that was asked about, the places of traces of [`StoreBlock::elsewhere`] that whoever asked has to
    /// judge, ascending.
    pub shared: Vec<Vec<u32>>,
    /// What was found, as `spanloom_query` writes it.
    pub found: Bytes,
}
