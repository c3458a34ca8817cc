//! A block searched: rows found by filters, traces read in place, names and values listed.
//!
//! | file | holds |
//! |---|---|
//! | `scan.rs` | filters over a block, row group by row group |
//! | `node.rs` | a filter over the columns of one block |
//! | `group.rs` | filters over one row group: by class, then by column, then by row |
//! | `attribute.rs` | the rows in which an attribute or a field matches |
//! | `column.rs` | the values of a column that match |
//! | `judge.rs` | a matcher made ready for columns |
//! | `source.rs` | where an attribute comes from |
//! | `rows.rs` | rows of a table by class or shape, and the places of their values |
//! | `ids.rs` | traces and parents of rows |
//! | `reckon.rs` | conditions over several values, row by row |
//! | `bits.rs` | sets of rows |
//! | `counters.rs` | what a search has looked at |
//! | `lookup/` | the values of fields in any span |
//! | `trace.rs` | a trace as the evaluator asks for it |
//! | `table.rs` | the trace table in bulk |
//! | `measure.rs` | columns for metrics |
//! | `wanted.rs` | which rows count when names and values are listed |
//! | `names.rs` | names of attributes |
//! | `tag_values.rs` | values of fields |
//! | `values.rs` | distinct values |
//!
//! **Invariant:** a search holds memory for a few row groups and for what it found out about dictionaries, and for no
//! more than the block's bytes bear out. No trace is rebuilt.

pub(crate) mod attribute;
pub(crate) mod bits;
pub(crate) mod column;
pub(crate) mod counters;
pub(crate) mod group;
pub(crate) mod ids;
pub(crate) mod judge;
mod lookup;
mod measure;
mod names;
pub(crate) mod node;
pub(crate) mod reckon;
pub(crate) mod rows;
pub(crate) mod scan;
pub(crate) mod source;
mod table;
mod tag_values;
mod trace;
mod values;
mod wanted;

pub use bits::Bits;
pub use counters::Counters;
pub use measure::{Measure, Measured, NO_GROUP, Pieces};
pub use names::{ListLimits, Names};
pub use scan::{Matches, Scan};
pub use table::TraceTable;
pub use tag_values::Values;
pub use trace::{BlockTrace, BlockTraces};
pub use values::ValueSet;
pub use wanted::Wanted;
