//! What is known of a block without reading its data.

use spanloom_span::Tenant;

use crate::id::BlockId;

/// What is known of a block without reading its data. Times are in nanoseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockMeta {
    /// Whose spans they are.
    pub tenant: Tenant,
    /// Version of the format.
    pub version: u32,
    /// When the block was made.
    pub created: u64,
    /// How many spans.
    pub spans: u64,
    /// How many traces.
    pub traces: u64,
    /// Bytes that the spans had as OTLP.
    pub raw_bytes: u64,
    /// Earliest start of a span.
    pub min_start: u64,
    /// Latest end of a span.
    pub max_end: u64,
    /// Least log ordinal through which a trace was sealed.
    pub min_sealed_through: u64,
    /// Greatest log ordinal through which a trace was sealed.
    pub max_sealed_through: u64,
    /// Length of the file.
    pub file_bytes: u64,
    /// Where the part begins that is no row group's: dictionaries, tables, ids, filter, directory and trailer. What
    /// lies before is read row group by row group.
    pub tail: u64,
    /// How often the block was merged: 0 as it was sealed, else what its maker gave it.
    pub level: u32,
    /// The blocks that this one, with those that were made together with it, stands for. Empty but in the last of
    /// them: when that one is listed, the blocks that are named here may go.
    pub replaces: Vec<BlockId>,
}
