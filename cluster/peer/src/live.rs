//! What is asked within a process.

use std::sync::Arc;

use spanloom_span::{Batch, Tenant, TraceId, TracePart};

use crate::Answer;

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

/// Who holds live traces in this process.
pub trait Live: Send + Sync + 'static {
    /// Answers with what was acknowledged before the question was asked, or more.
    fn find_trace(&self, question: FindTrace) -> Answer<'_, FoundParts>;

    /// Every request of a tenant that has spans which may not be in a block yet, in the order of the log. What was
    /// acknowledged before the question was asked is in it, or in blocks that are listed by the time of the answer.
    fn live_requests(&self, tenant: Tenant) -> Answer<'_, Vec<LiveRequest>>;
}
