//! Stop 8 of 9: what becomes of blocks once they are sealed. They go to the store, are listed, joined with their
//! neighbours, and retired.
//!
//! Receives blocks in the folder; hands on a list that questions read. Budget: 6.7 us a span for each join, on a thread
//! that gives way to others.
//!
//! | file | holds |
//! |---|---|
//! | `upkeep.rs` | the rounds: when what is done |
//! | `compact.rs` | joining, in the folder and in the store |
//! | `redact/` | blocks without what is to go |
//! | `retain.rs` | removing what is kept no longer |
//! | `trouble.rs` | what is said of a store that does not do its part |
//! | `options.rs`, `metrics.rs` | what can be set, what is counted |
//!
//! **Invariant:** every round may fail, or end anywhere, and the next one goes on: nothing is remembered here that
//! the folder and the store do not say.

mod compact;
mod metrics;
mod options;
mod redact;
mod retain;
mod share;
mod trouble;
mod upkeep;

pub use compact::CompactError;
pub use metrics::UpkeepMetrics;
pub use options::{CompactionOptions, UpkeepOptions, WriteOptions};
pub use redact::{Doomed, RedactFailed, RedactedBlock, Redaction};
pub use share::{OwnsJob, Share};
pub use upkeep::{Upkeep, UpkeepParts};
