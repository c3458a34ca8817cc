//! Why bytes are no frame, or a message does not fit one.

use spanloom_span::tenant::TenantError;

use super::{MAGIC, VERSION};
use crate::PeerError;

/// Why bytes are no frame, or a message does not fit one. Nothing was done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Other first bytes.
    #[error("the frame begins with {0:02x?}, expected {MAGIC:02x?}")]
    Magic([u8; 4]),
    /// A version that this program does not know.
    #[error("the frame has version {0}, expected {VERSION}")]
    Version(u8),
    /// Another question or answer.
    #[error("the frame is of kind {found}, expected {expected}")]
    Kind {
        /// The header's.
        found: u8,
        /// What was to come.
        expected: u8,
    },
    /// Too few or too many bytes.
    #[error("the frame has {found} bytes, expected {expected}")]
    Length {
        /// How many came.
        found: u64,
        /// How many were to come, by the header.
        expected: u64,
    },
    /// More bytes than are taken.
    #[error("the frame has {found} bytes, at most {limit} are taken")]
    TooLarge {
        /// How many it has, or would have.
        found: u64,
        /// How many it may have.
        limit: u64,
    },
    /// Header or head are damaged.
    #[error("the checksum of the frame's head does not fit")]
    HeadSum,
    /// The payload is damaged.
    #[error("the checksum of the frame's payload does not fit")]
    PayloadSum,
    /// Reserved bytes are used: another version wrote them.
    #[error("the frame's reserved bytes are {0:02x?}, expected zeros")]
    Reserved([u8; 2]),
    /// The head ends within a field.
    #[error("the frame's head ends within {0}")]
    Cut(&'static str),
    /// The head goes on after its last field.
    #[error("the frame's head has {0} bytes after its last field")]
    Left(usize),
    /// A field's value cannot be.
    #[error("the frame's {field} {problem}")]
    Field {
        /// Which.
        field: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// No name of a tenant.
    #[error(transparent)]
    Tenant(#[from] TenantError),
    /// The message around the frame says that it is compressed, or is no message.
    #[error("the message has flag {0}, expected 0 (not compressed)")]
    Compressed(u8),
}

impl From<FrameError> for PeerError {
    fn from(error: FrameError) -> Self {
        Self::Garbled(error.to_string())
    }
}
