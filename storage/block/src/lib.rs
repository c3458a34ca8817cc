//! The block file: the spans of many traces in columns, sorted by trace id, memory-mapped and read in place.
//! `docs/formats/block.md` has the format byte by byte.
//!
//! | file | holds |
//! |---|---|
//! | `digest.rs` | which spans a trace has, as a number |
//! | `header.rs`, `trailer.rs`, `directory.rs` | the frame: magic and version, where the directory is, where all else is |
//! | `columns.rs` | tables, fields, types: what a column is |
//! | `pack.rs`, `seq.rs` | integers: bit-packed, constant or by dictionary |
//! | `store.rs` | byte strings in pages |
//! | `template.rs` | text with numbers in it |
//! | `shape.rs` | which columns a row has values in |
//! | `id.rs` | what a block is called |
//! | `filter.rs` | which trace ids may be in the block |
//! | `writer/` | stop 7 of the walk: spans into columns |
//! | `reader/` | columns into traces |
//! | `search/` | columns as questions about many traces need them |
//! | `merge/` | blocks into fewer, larger ones |
//! | `verify.rs`, `inspect.rs` | a block checked whole, a block explained |
//! | `map.rs` | the mapping; the only file with `unsafe` |
//!
//! **Invariant:** a block that came from elsewhere is hostile: whatever its bytes are, reading gives an answer or an
//! error, never a panic, and never takes memory by a length that the file only claims.

pub mod columns;
mod digest;
mod directory;
mod error;
mod filter;
mod header;
mod id;
mod inspect;
mod map;
mod merge;
mod meta;
mod pack;
mod reader;
mod search;
mod seq;
mod shape;
mod store;
mod template;
mod trailer;
mod verify;
mod writer;

pub use digest::of_span as digest_of_span;
pub use directory::Group;
pub use error::{BlockError, Result};
pub use header::FORMAT_VERSION;
pub use id::{BlockId, NotABlockId};
pub use inspect::{ColumnReport, Inspection};
pub use merge::{
    Keep, KeepAll, MergeError, MergeOptions, MergeProgress, MergeReport, MergeStats, Merged, merge,
};
pub use meta::BlockMeta;
pub use reader::{
    Block, BlockReader, LastBytes, MAX_TRACE_BYTES, Partial, ResidentLimits, ResidentSet, ResidentUsage,
    Source, TraceSummary,
};
pub use search::{
    Bits, BlockTrace, BlockTraces, Counters, ListLimits, Matches, Measure, Measured, NO_GROUP, Names, Pieces,
    Scan, TraceTable, ValueSet, Values, Wanted,
};
pub use verify::VerifyReport;
pub use writer::{BlockBuilder, BuilderOptions, FinishedBlock, GROUP_ROWS, PushedTrace};
