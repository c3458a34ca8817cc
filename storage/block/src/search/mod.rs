//! A block searched: rows found by filters, traces read in place, names and values listed.
//!
//! | file | holds |
//! |---|---|
//! | `bits.rs` | sets of rows |
//! | `rows.rs` | rows of a table in a row group, at any place |
//! | `source.rs` | which columns a field of TraceQL reads |
//! | `lookup.rs` | the values of fields in any span |
//! | `services.rs` | the services of a trace's spans |
//! | `trace.rs` | a trace as the evaluator asks for it |
//! | `table.rs` | the trace table in bulk |
//! | `measure.rs` | columns for metrics |
//! | `wanted.rs` | which rows count when names and values are listed |
//! | `names.rs` | names of attributes |
//! | `tag_values.rs` | values of fields |
//! | `values.rs` | distinct values |
//! | `unpack.rs` | many integers at once |
//!
//! **Invariant:** nothing is rebuilt; what is remembered of a block has a limit, whatever the block claims.

pub(crate) mod bits;
mod lookup;
mod measure;
mod names;
mod rows;
mod services;
mod source;
mod table;
mod tag_values;
mod trace;
mod unpack;
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
