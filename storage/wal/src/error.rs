//! What can go wrong with the log. Each variant says whether state changed and whether to try again.

use std::io;

use crate::frame::{MAX_PAYLOAD_BYTES, MAX_TENANT_BYTES};

/// Why the log did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum WalError {
    /// Nothing changed. The same entry is refused again.
    #[error("the tenant's name has {found} bytes, expected at most {MAX_TENANT_BYTES}")]
    TenantTooLong {
        /// Its length.
        found: usize,
    },
    /// Nothing changed. The same entry is refused again.
    #[error("the payload has {found} bytes, expected at most {MAX_PAYLOAD_BYTES}")]
    PayloadTooLarge {
        /// Its length.
        found: usize,
    },
    /// A group could not be written, as when the disk is full. Nothing of it is in the log, and no ordinal was
    /// used. The same group may be appended again, later.
    #[error("the group could not be appended and was taken back: {source}")]
    Append {
        /// What the disk said.
        source: io::Error,
    },
    /// The disk has less room than is to stay free. Nothing changed; the same group may be appended again, later.
    #[error(
        "{free} bytes are free on the disk, expected {needed}: {min_free} stay free for making blocks of what the log holds"
    )]
    NoRoom {
        /// Bytes that are free.
        free: u64,
        /// Bytes that would have to be.
        needed: u64,
        /// Of these, those that stay free.
        min_free: u64,
    },
    /// The log is of no more use: what was appended since the last good sync may or may not be durable. Nothing
    /// may be acknowledged any more; only opening the log anew tells what it holds.
    #[error("the log has failed and must be opened anew: {reason}")]
    Poisoned {
        /// The first failure.
        reason: String,
    },
    /// The log could not be opened, or a segment could not be released. No frame was lost; it may be tried again.
    #[error("{action} {path:?}: {source}")]
    Io {
        /// What was being done.
        action: &'static str,
        /// To which file or directory.
        path: String,
        /// What the disk said.
        source: io::Error,
    },
    /// A segment was written by a later version of this program. Nothing changed; only that version helps.
    #[error("the segment has layout version {found}, expected {}", crate::segment::SEGMENT_VERSION)]
    Version {
        /// The version found.
        found: u16,
    },
}

impl WalError {
    /// Whether the disk had no room: the group may be appended again once there is some.
    pub fn is_disk_full(&self) -> bool {
        use io::ErrorKind::{QuotaExceeded, StorageFull};
        match self {
            Self::NoRoom { .. } => true,
            Self::Append { source } | Self::Io { source, .. } => {
                matches!(source.kind(), StorageFull | QuotaExceeded)
            }
            _ => false,
        }
    }

    /// Makes an [`WalError::Io`].
    pub(crate) fn io(action: &'static str, path: &str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, path: path.to_owned(), source }
    }
}
