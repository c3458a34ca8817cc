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
//! | `unpack.rs` | many integers at once |
//!
//! **Invariant:** nothing is rebuilt; what is remembered of a block has a limit, whatever the block claims.

pub(crate) mod bits;
mod lookup;
mod rows;
mod services;
mod source;
mod trace;
mod unpack;

pub use trace::{BlockTrace, BlockTraces};
