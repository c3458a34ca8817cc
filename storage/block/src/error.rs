//! What can go wrong with a block.

use spanloom_span::TraceId;
use spanloom_span::proto::ProtoError;

/// Why a block could not be built, opened or read. Nothing is changed on disk by any of them; reading again
/// gives the same answer, except for [`BlockError::Io`].
#[derive(Debug, thiserror::Error)]
pub enum BlockError {
    /// The file could not be opened or mapped.
    #[error("the block's file could not be read: {0}")]
    Io(#[from] std::io::Error),
    /// The file is not a block, or only a part of one.
    #[error("not a block: {found}, expected {expected}")]
    NotABlock {
        /// What is there.
        found: String,
        /// What a block has there.
        expected: &'static str,
    },
    /// A block of a later version.
    #[error("the block has format version {found}, expected 1 to {newest}")]
    Version {
        /// Version in the file.
        found: u32,
        /// Newest version that is understood.
        newest: u32,
    },
    /// A block whose archives are laid out differently.
    #[error("the block has layout {found:016x}, expected {expected:016x}")]
    Layout {
        /// Fingerprint in the file.
        found: u64,
        /// Fingerprint of this program.
        expected: u64,
    },
    /// A checksum does not match.
    #[error("the {what} has checksum {found:016x}, expected {expected:016x}")]
    Checksum {
        /// What was read.
        what: String,
        /// Checksum of its bytes.
        found: u64,
        /// Checksum that was written.
        expected: u64,
    },
    /// Something points to where nothing is, or contradicts something else.
    #[error("the block is damaged: {0}")]
    Damaged(&'static str),
    /// The trace is larger than the reader allows.
    #[error("the trace has more than {limit} bytes, the limit of this read")]
    TooLarge {
        /// The limit.
        limit: u64,
    },
    /// Traces were not pushed in ascending order. The builder is unchanged.
    #[error("trace {next} was pushed after {last}, expected strictly ascending ids")]
    Order {
        /// The trace before.
        last: TraceId,
        /// The trace pushed.
        next: TraceId,
    },
    /// A span's bytes are not protobuf. The builder must be dropped.
    #[error("a span of trace {trace} is not protobuf: {source}")]
    Span {
        /// Its trace.
        trace: TraceId,
        /// Where and why.
        source: ProtoError,
    },
    /// Bytes that should be a part of a span are not protobuf.
    #[error("not protobuf: {0}")]
    Proto(#[from] ProtoError),
    /// More than a block can hold. The builder must be dropped.
    #[error("the block is full: {0}")]
    Full(&'static str),
    /// What blocks were merged into could not be opened or written. The inputs are unchanged.
    #[error("a merged block could not be written: {0}")]
    Sink(std::io::Error),
    /// Blocks that cannot be merged with each other.
    #[error("the blocks cannot be merged: {0}")]
    Inputs(&'static str),
    /// Whoever watched a merge ended it. The inputs are unchanged.
    #[error("the merge was ended by its caller")]
    Cancelled,
    /// An archive could not be written.
    #[error("an archive could not be written: {0}")]
    Write(String),
}

/// The result of block operations.
pub type Result<T> = std::result::Result<T, BlockError>;

/// Turns a missing thing into [`BlockError::Damaged`].
pub(crate) trait OrDamaged<T> {
    /// The thing, or the error that says what was wrong.
    fn or_damaged(self, what: &'static str) -> Result<T>;
}

impl<T> OrDamaged<T> for Option<T> {
    #[inline]
    fn or_damaged(self, what: &'static str) -> Result<T> {
        match self {
            Some(found) => Ok(found),
            None => Err(BlockError::Damaged(what)),
        }
    }
}
