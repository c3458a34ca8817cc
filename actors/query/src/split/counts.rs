//! What is counted of questions that were split.

use std::sync::atomic::{AtomicU64, Ordering};

use spanloom_peer::PeerError;

/// Why a node did not do its part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// It refused: it has enough to do.
    Busy,
    /// It does not have a block.
    Missing,
    /// It was slower than this node.
    Slow,
    /// What it answered cannot be used.
    Garbled,
    /// Anything else.
    Failed,
}

impl Failure {
    /// What an error comes to.
    pub fn of(error: &PeerError) -> Self {
        match error {
            PeerError::Busy | PeerError::Exhausted { .. } => Self::Busy,
            PeerError::Missing(_) => Self::Missing,
            PeerError::Late(_) => Self::Slow,
            PeerError::Garbled(_) => Self::Garbled,
            _ => Self::Failed,
        }
    }
}

/// What was counted of questions that were split, since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SplitCounts {
    /// Questions of this node that were split.
    pub questions: u64,
    /// Their blocks that this node worked on.
    pub blocks_here: u64,
    /// Their blocks that other nodes worked on.
    pub blocks_there: u64,
    /// Errands of other nodes that took long and were done here as well.
    pub hedged: u64,
    /// Nodes that got no more of a question: they had enough to do.
    pub busy: u64,
    /// They did not have a block.
    pub missing: u64,
    /// They were slower than this node.
    pub slow: u64,
    /// What they answered could not be used.
    pub garbled: u64,
    /// They failed.
    pub failed: u64,
    /// Blocks that this node worked on for others.
    pub blocks_for_others: u64,
    /// Errands of others that were refused, since there were too many.
    pub refused: u64,
    /// Errands of others that were given up before they were done.
    pub given_up: u64,
}

/// Counts, of which [`SplitCounts`] are those of a moment.
#[derive(Debug, Default)]
pub(crate) struct SplitCounters {
    questions: AtomicU64,
    blocks_here: AtomicU64,
    blocks_there: AtomicU64,
    hedged: AtomicU64,
    failures: [AtomicU64; 5],
    blocks_for_others: AtomicU64,
    refused: AtomicU64,
    given_up: AtomicU64,
}

impl SplitCounters {
    pub(super) fn count_question(&self) {
        self.questions.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_here(&self) {
        self.blocks_here.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_there(&self, blocks: usize) {
        self.blocks_there.fetch_add(blocks as u64, Ordering::Relaxed);
    }

    pub(super) fn count_hedged(&self) {
        self.hedged.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_failed(&self, why: Failure) {
        self.failures[why as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// An errand of so many blocks was done for another node.
    pub fn count_for_others(&self, blocks: usize) {
        self.blocks_for_others.fetch_add(blocks as u64, Ordering::Relaxed);
    }

    /// An errand was refused.
    pub fn count_refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// Whoever asked for an errand went away.
    pub fn count_given_up(&self) {
        self.given_up.fetch_add(1, Ordering::Relaxed);
    }

    /// The counts now.
    pub fn now(&self) -> SplitCounts {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let failed = |why: Failure| get(&self.failures[why as usize]);
        SplitCounts {
            questions: get(&self.questions),
            blocks_here: get(&self.blocks_here),
            blocks_there: get(&self.blocks_there),
            hedged: get(&self.hedged),
            busy: failed(Failure::Busy),
            missing: failed(Failure::Missing),
            slow: failed(Failure::Slow),
            garbled: failed(Failure::Garbled),
            failed: failed(Failure::Failed),
            blocks_for_others: get(&self.blocks_for_others),
            refused: get(&self.refused),
            given_up: get(&self.given_up),
        }
    }
}
