//! The append log: group commit, replay, and the disk it is written to.
//!
//! The caller appends a group of requests with one write, hands them on, and syncs once for all of them. At
//! start every good frame is replayed. A segment goes when all its spans are in synced blocks, which the
//! ledger counts. Layouts are in `docs/formats/log.md`.
//!
//! | file | holds |
//! |---|---|
//! | `disk/` | the disk as a trait: the file system, and a simulated one that crashes |
//! | `frame.rs` | one request in the log |
//! | `segment.rs` | a segment file: name, header, salt |
//! | `log.rs` | append, sync, rotate |
//! | `scan.rs` | one segment read to its end, past damage |
//! | `replay.rs` | all segments at start: what is torn, what is damaged |
//! | `ledger.rs` | which segments are still needed |
//! | `error.rs` | what can go wrong |
//!
//! **Invariant:** IO only through [`disk::Disk`]; no threads and no clock.

pub mod disk;
mod error;
mod frame;
mod ledger;
mod log;
mod replay;
mod scan;
mod segment;

pub use error::WalError;
pub use frame::{Entry, FRAME_HEADER_BYTES, FRAME_MAGIC, MAX_PAYLOAD_BYTES, MAX_TENANT_BYTES};
pub use ledger::{LedgerFigures, Released, SegmentLedger};
pub use log::{Appended, Log, Options};
pub use replay::{Damage, DamageKind, ReplayReport, Replayed};
pub use segment::{
    SEGMENT_COPY_AT, SEGMENT_HEADER_BYTES, SEGMENT_MAGIC, SEGMENT_VERSION, aside_name, segment_name,
};
