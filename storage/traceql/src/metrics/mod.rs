//! Series over time from the spans of many traces. `docs/TRACEQL.md`, section "Metrics".
//!
//! Work is split as one likes: each worker feeds accumulators of its own, one for each leaf of the plan; they are
//! merged in any order, and the series that are made of them are the same.
//!
//! | file | holds |
//! |---|---|
//! | `accumulator.rs` | what was counted for one leaf |
//! | `bounded.rs` | groups within a limit that does not depend on the order of what comes |
//! | `row.rs` | the samples of one group |
//! | `cell.rs` | what is counted for one sample |
//! | `bucket.rs` | powers of two, and quantiles from them |
//! | `exemplar.rs` | which spans are shown behind the samples |
//! | `compare.rs` | selection and baseline by attribute |
//! | `trace.rs` | the spans of a whole trace, counted |
//! | `finish.rs` | what was counted, as series |
//! | `kept.rs` | series within limits |
//! | `series.rs` | second stages and arithmetic over series |
//! | `wire.rs` | what was counted, as bytes |

mod accumulator;
mod bounded;
mod bucket;
mod cell;
mod compare;
mod exemplar;
mod finish;
mod kept;
mod row;
mod series;
mod trace;
mod wire;

pub use accumulator::{Accumulator, GroupId, Limits};
pub use bucket::{bucket_of, bucket_power};
pub use finish::{MetricsAnswer, Partial, finish};
pub use kept::Cut;
pub use series::series_order;
pub use trace::count_trace;
