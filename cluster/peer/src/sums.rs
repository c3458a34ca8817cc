//! Which traces a node has, as numbers: what nodes compare to find out who lacks spans of which trace.

use spanloom_span::{Tenant, TraceId};

/// Most traces of one [`TraceList`].
pub const MAX_TRACES: u32 = 1 << 16;

/// What a node has of a trace, in short. Two copies with the same numbers have the same spans, but for one in 2^32
/// that differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TraceSum {
    /// Which trace.
    pub id: TraceId,
    /// How many spans, duplicates removed.
    pub spans: u32,
    /// Which spans: the sum of `spanloom_block::digest_of_span` over them.
    pub digest: u32,
}

/// "Which traces of a tenant do you have that nobody else can read, and which spans of them?" Live spans count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListTraces {
    /// Whose.
    pub tenant: Tenant,
    /// Those with greater ids alone; `None` from the first one on.
    pub after: Option<TraceId>,
    /// Blocks of which all spans ended before this moment need not be told of: nanoseconds since 1970, 0 for all.
    pub since: u64,
    /// How many at most, up to [`MAX_TRACES`].
    pub most: u32,
}

/// Traces of one node.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TraceList {
    /// By ascending id, each once.
    pub traces: Vec<TraceSum>,
    /// Whether there are none after these.
    pub is_last: bool,
}

impl TraceList {
    /// The greatest id that this list speaks of: of an id up to it that it does not name, the node has nothing.
    /// `None` is every id.
    pub fn through(&self) -> Option<TraceId> {
        if self.is_last { None } else { self.traces.last().map(|last| last.id) }
    }
}
