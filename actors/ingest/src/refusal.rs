//! Why spans are not taken, and what is said when they are.

use std::time::Duration;

/// A request that was taken, perhaps without some of its spans.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Accepted {
    /// Spans taken and kept at the chosen durability.
    pub spans: u64,
    /// Spans left out; nothing of them was kept.
    pub refused_spans: u64,
    /// Why they were left out; empty when none were.
    pub message: String,
}

/// Why a whole request is refused. Nothing of it was kept, unless a variant says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The request is wrong; sending it again cannot help.
    #[error("{0}")]
    Invalid(String),
    /// No room now; sending it again after the hint may help.
    #[error("{message}")]
    Exhausted {
        /// Which limit was met.
        message: String,
        /// When to try again.
        retry_after: Duration,
    },
    /// The log cannot take it. After a failed sync the spans may or may not be kept: sending again is safe,
    /// since duplicates are removed.
    #[error("{0}")]
    Unavailable(String),
    /// The engine is stopping.
    #[error("the engine is stopping")]
    Stopping,
}

impl Refusal {
    /// The reason as a metric's label.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "invalid",
            Self::Exhausted { .. } => "exhausted",
            Self::Unavailable(_) => "unavailable",
            Self::Stopping => "stopping",
        }
    }
}
