//! The questions that the parts of the engine ask each other: one vocabulary for a shard in this process and
//! for a node elsewhere. Roles of `actors/` meet through it and never import each other.
//!
//! So far there is one transport: in this process, where an answer shares the memory of the one who gives it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use spanloom_span::{Batch, Tenant, TraceId, TracePart};

/// "Which spans of this trace do you hold that may not be in a block yet?"
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindTrace {
    /// Whose trace.
    pub tenant: Tenant,
    /// Which trace.
    pub id: TraceId,
}

/// The live parts of a trace, in order of arrival; empty when there are none.
#[derive(Debug, Clone, Default)]
pub struct FoundParts {
    /// The parts. A part may also be in a block: whoever joins removes duplicates.
    pub parts: Vec<TracePart>,
}

/// A request that has live spans.
#[derive(Debug, Clone)]
pub struct LiveRequest {
    /// Its ordinal in the log.
    pub seq: u64,
    /// The request, or a copy of one trace's part of it.
    pub batch: Arc<Batch>,
}

/// Why a question has no answer. Asking changes nothing; asking again may help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PeerError {
    /// The one asked has stopped, or its actor failed.
    #[error("the shard that owns the trace does not answer")]
    Gone,
    /// The one asked has too many questions waiting.
    #[error("the shard that owns the trace has too many questions waiting")]
    Busy,
}

/// An answer on its way.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, PeerError>> + Send + 'a>>;

/// Someone who holds live traces.
pub trait Peer: Send + Sync + 'static {
    /// Answers with what was acknowledged before the question was asked, or more.
    fn find_trace(&self, question: FindTrace) -> Answer<'_, FoundParts>;

    /// Every request of a tenant that has spans which may not be in a block yet, in the order of the log. What was
    /// acknowledged before the question was asked is in it, or in blocks that are listed by the time of the answer.
    fn live_requests(&self, tenant: Tenant) -> Answer<'_, Vec<LiveRequest>>;
}
