//! What is to be done with the blocks of a tenant: pure functions of the manifest and the time, the same on every node.
//!
//! | file | what |
//! |---|---|
//! | `compaction.rs` | which blocks are joined |
//! | `job.rs` | a piece of that work |
//! | `retention.rs` | which blocks are removed, by age, by bytes, by the room on the disk |
//! | `deletion.rs` | which objects are deleted, which entries forgotten, which objects nobody lists |
//! | `show.rs` | times and sizes as text |

mod compaction;
mod deletion;
mod job;
mod retention;
mod show;

pub use compaction::{CompactionRules, compaction};
pub use deletion::{due, forgettable, orphans};
pub use job::{Job, Purpose};
pub use retention::{RetentionRules, Retired, free_disk, retention};

#[cfg(test)]
mod tests;
