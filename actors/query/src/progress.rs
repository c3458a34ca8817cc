//! How far a question is, and whether it takes too long.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::kind::Seen;
use crate::sources::Sources;
use crate::{QueryError, SearchStats};

/// What was done for a question so far.
pub(crate) struct Progress {
    begun: Instant,
    timeout: Duration,
    /// What is known from the beginning.
    known: SearchStats,
    pieces: u64,
    prepared: Duration,
    done: AtomicU64,
    traces: AtomicU64,
    spans: AtomicU64,
    bytes: AtomicU64,
}

impl Progress {
    /// A question that was put at a moment; zero is no limit on its time.
    pub fn begun(begun: Instant, timeout: Duration) -> Self {
        Self {
            begun,
            timeout,
            known: SearchStats::default(),
            pieces: 0,
            prepared: Duration::ZERO,
            done: AtomicU64::new(0),
            traces: AtomicU64::new(0),
            spans: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        }
    }

    /// What is known before the work begins: pieces of work, blocks and their bytes.
    pub fn plan(&mut self, sources: &Sources, pieces: usize) {
        self.pieces = pieces as u64;
        let bytes = sources.sealed().map(|block| block.listed.block.meta().file_bytes);
        let (blocks, block_bytes) = (sources.sealed().count() as u64, bytes.sum());
        self.prepared = sources.prepared;
        self.known = SearchStats { blocks, block_bytes, jobs: self.pieces, ..SearchStats::default() };
    }

    /// So many pieces of work are done, for which this was looked at.
    pub fn add(&self, seen: Seen, pieces: u64) {
        self.traces.fetch_add(seen.traces, Ordering::Relaxed);
        self.spans.fetch_add(seen.spans, Ordering::Relaxed);
        self.bytes.fetch_add(seen.bytes, Ordering::Relaxed);
        self.done.fetch_add(pieces, Ordering::Relaxed);
    }

    /// Time that live spans took to be brought into columns.
    pub fn prepared(&self) -> Duration {
        self.prepared
    }

    /// Time since the question was put.
    pub fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Whether it takes too long.
    pub fn is_late(&self) -> bool {
        !self.timeout.is_zero() && self.begun.elapsed() > self.timeout
    }

    /// Why the work ended before it was done, if it did.
    pub fn unfinished(&self) -> Option<QueryError> {
        // A piece that ran out of time ended early, and counts as done all the same.
        if self.is_late() {
            return Some(QueryError::Timeout(self.timeout));
        }
        (self.done.load(Ordering::Relaxed) < self.pieces).then_some(QueryError::Stopping)
    }

    /// What was done so far.
    pub fn stats(&self) -> SearchStats {
        SearchStats {
            traces: self.traces.load(Ordering::Relaxed),
            spans: self.spans.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            jobs_done: self.done.load(Ordering::Relaxed),
            ..self.known
        }
    }
}
