//! Why a question has no answer.

use std::time::Duration;

/// Why a question has no answer. Asking for something changes nothing, and asking again may help. Spans that were
/// pushed in vain may have been kept all the same: pushing them again is safe, since duplicates are removed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PeerError {
    /// The one asked has stopped, or its actor failed.
    #[error("the shard that owns the trace does not answer")]
    Gone,
    /// The one asked has too many questions waiting.
    #[error("the shard that owns the trace has too many questions waiting")]
    Busy,
    /// No connection, or it broke.
    #[error("the node cannot be reached: {0}")]
    Unreachable(String),
    /// No answer in time.
    #[error("the node did not answer within {0:?}")]
    Late(Duration),
    /// A limit was met, or the node cannot keep more just now. Another node may take it.
    #[error("{message}")]
    Exhausted {
        /// Which limit.
        message: String,
        /// When to try again.
        retry_after: Duration,
    },
    /// The node cannot do it now: it starts, stops, or its disk fails.
    #[error("{0}")]
    Unavailable(String),
    /// The question is wrong: asking again, or somebody else, does not help.
    #[error("{0}")]
    Invalid(String),
    /// What was asked for is not there (any more), such as a block that was joined with others meanwhile. Whoever
    /// lists anew finds what took its place.
    #[error("{0}")]
    Missing(String),
    /// The node speaks another version, or its answer is damaged.
    #[error("the node's answer cannot be used: {0}")]
    Garbled(String),
}

impl PeerError {
    /// Whether the one asked did not answer at all, so that nothing is known of what it did.
    pub fn is_silence(&self) -> bool {
        matches!(self, Self::Gone | Self::Unreachable(_) | Self::Late(_) | Self::Garbled(_))
    }
}
