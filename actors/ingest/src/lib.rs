//! The roles that take spans in: stops 3 to 7 of the walk.
//!
//! | file | holds |
//! |---|---|
//! | `options.rs` | what can be set |
//! | `ingest.rs` | the role as a whole: start, push, find, flush, stop |
//! | `refusal.rs` | why spans are not taken |
//! | `replicate/` | in a cluster: spans to the nodes that own their traces |
//! | `distributor.rs` | stop 3: limits, tokens, shards |
//! | `shard.rs`, `shard/` | stop 4: the actor that owns a share of the traces |
//! | `trace.rs` | stop 5: the actor of one trace id |
//! | `head.rs` | stop 6: the log's thread, group commit, acknowledgement |
//! | `seal.rs` | stop 7: cut traces into blocks |
//! | `live.rs` | the requests whose spans are live |
//! | `replay.rs` | the log back into actors at the start |
//! | `tenants.rs` | tenants by number |
//! | `metrics.rs` | what is counted |
//!
//! **Invariant:** an acknowledged span is in the log (at the chosen durability) and in its shard's mailbox.
//! **Invariant:** disk work happens on the head's and the sealer's threads, never on an arbiter.

pub mod distributor;
pub mod head;
pub mod ingest;
pub mod live;
pub mod metrics;
pub mod options;
pub mod refusal;
pub mod replay;
pub mod replicate;
pub mod seal;
pub mod shard;
pub mod tenants;
pub mod trace;

pub use head::Refusing;
pub use ingest::{Ingest, LiveStatus, StartError};
pub use metrics::IngestMetrics;
pub use options::{Durability, Hosting, IngestOptions};
pub use refusal::{Accepted, Refusal};
pub use replicate::{
    Allowed, HandOverError, Here, Keeping, Keeps, May, Repair, RepairOptions, Repaired, ReplicateMetrics,
    ReplicateOptions, Replicator,
};
