//! Answers that come in parts, taken whole, and what they took in the words of the readers.

use spanloom_query::{Answers, MetricsPart, SearchPart, SearchStats};
use spanloom_wire::query::Inspected;

use crate::QueryError;

/// A part of an answer that knows whether it is the last one.
pub(crate) trait Part {
    /// Whether it is.
    fn is_last(&self) -> bool;
}

impl Part for SearchPart {
    fn is_last(&self) -> bool {
        self.done
    }
}

impl Part for MetricsPart {
    fn is_last(&self) -> bool {
        self.done
    }
}

/// The last part: the whole answer.
pub(crate) async fn whole<T: Part>(mut answers: Answers<T>) -> Result<T, QueryError> {
    while let Some(part) = answers.next_part().await {
        let part = part?;
        if part.is_last() {
            return Ok(part);
        }
    }
    Err(cut_short())
}

/// What is said when parts end before the last one.
pub(crate) fn cut_short() -> QueryError {
    QueryError::Internal("the answer ended before its last part".into())
}

/// As the messages say it.
pub(crate) fn inspected(stats: &SearchStats) -> Inspected {
    Inspected {
        traces: stats.traces,
        spans: stats.spans,
        bytes: stats.bytes,
        blocks: stats.blocks,
        block_bytes: stats.block_bytes,
        jobs: stats.jobs,
        jobs_done: stats.jobs_done,
    }
}
