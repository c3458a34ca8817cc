//! A block searched: rows found by filters, traces read in place, names and values listed.
//!
//! | file | holds |
//! |---|---|
//! | `bits.rs` | sets of rows |
//! | `lookup/` | the values of fields in any span |
//! | `trace.rs` | a trace as the evaluator asks for it |
//! | `table.rs` | the trace table in bulk |
//! | `measure.rs` | columns for metrics |
//! | `wanted.rs` | which rows count when names and values are listed |
//! | `names.rs` | names of attributes |
//! | `tag_values.rs` | values of fields |
//! | `values.rs` | distinct values |
//!
//! **Invariant:** nothing is rebuilt; what is remembered of a block has a limit, whatever the block claims.

pub(crate) mod bits;
mod lookup;
mod measure;
mod names;
mod table;
mod tag_values;
mod trace;
mod values;
mod wanted;

pub use bits::Bits;
pub use measure::{Measure, Measured, NO_GROUP, Pieces};
pub use names::{ListLimits, Names};
pub use table::TraceTable;
pub use tag_values::Values;
pub use trace::{BlockTrace, BlockTraces};
pub use values::ValueSet;
pub use wanted::Wanted;
