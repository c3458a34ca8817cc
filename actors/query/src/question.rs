//! A question under way: its blocks are worked on by the pool's threads, and those of a shared store perhaps by other
//! nodes as well.

use std::sync::Arc;
use std::time::Instant;

use spanloom_peer::Scanned;
use spanloom_ring::NodeName;

use crate::QueryError;
use crate::again::Parts;
use crate::asked::Asked;
use crate::desk::Readers;
use crate::kind::{Kind, Shared, Turn};
use crate::pool::Work;
use crate::progress::Progress;
use crate::split::{Errand, Report, Split, Task, report, unpacked};

/// A question under way.
pub(crate) struct Question<K: Kind> {
    pub kind: K,
    pub asked: Asked<K::Part>,
    /// Blocks, by number: each is a piece of work. Live spans come first, then the youngest blocks, which are likely to
    /// hold the newest traces.
    pieces: Vec<usize>,
    /// With other nodes: who works on which.
    pub split: Option<Arc<Split>>,
}

impl<K: Kind> Question<K> {
    /// A question that is put to its sources and answered to `answer`.
    pub fn new(
        kind: K,
        mut progress: Progress,
        answer: Parts<K::Part>,
        split: Option<Arc<Split>>,
    ) -> Arc<Self> {
        let pieces: Vec<usize> = (0..kind.sources().blocks.len()).rev().collect();
        progress.plan(kind.sources(), pieces.len());
        Arc::new(Self { kind, asked: Asked::new(progress, answer), pieces, split })
    }

    /// Works on a block.
    fn block(&self, number: usize) -> Result<(), QueryError> {
        let (readers, is_over) = (Readers::new(self.kind.sources()), || self.asked.is_over());
        let shared = Shared::Judged(self.asked.claimed());
        let mut turn = Turn::new(&self.kind, &readers, shared, &is_over);
        let mut found = self.kind.nothing(false);
        self.kind.block(number, &mut turn, &mut found)?;
        self.kind.add(found, None)?;
        self.asked.progress.add(turn.seen, 1);
        Ok(())
    }

    /// Does what is next of a question that is split.
    fn task(&self, split: &Split) -> Result<(), QueryError> {
        match split.next() {
            Task::Nothing => Ok(()),
            Task::Block(block) => {
                let begun = Instant::now();
                self.block(block)?;
                split.did(self.kind.sources().bytes_of(block), begun.elapsed());
                Ok(())
            }
            Task::Arrived(errand, scanned) => self.arrived(split, &errand, &scanned),
            Task::Again(errand) => {
                let is_over = || self.asked.is_over() || errand.is_settled();
                match report(&self.kind, &errand.blocks, &is_over)? {
                    Some(report) => self.settle(split, &errand, report, None),
                    None => Ok(()),
                }
            }
        }
    }

    fn arrived(&self, split: &Split, errand: &Arc<Errand>, scanned: &Scanned) -> Result<(), QueryError> {
        if errand.is_settled() {
            split.let_go(errand);
            return Ok(());
        }
        match unpacked(&self.kind, &errand.blocks, scanned) {
            Ok(report) => self.settle(split, errand, report, Some(&errand.node)),
            Err(error) => {
                split.failed(errand, &error);
                Ok(())
            }
        }
    }

    /// Adds what an errand came to, unless that was done before; then judges what lies in several places.
    fn settle(
        &self,
        split: &Split,
        errand: &Arc<Errand>,
        report: Report<K>,
        by: Option<&NodeName>,
    ) -> Result<(), QueryError> {
        if !split.settle(errand, by.is_some()) {
            return Ok(());
        }
        self.kind.add(report.found, by)?;
        let (readers, is_over) = (Readers::new(self.kind.sources()), || self.asked.is_over());
        let shared = Shared::Judged(self.asked.claimed());
        let mut turn = Turn::new(&self.kind, &readers, shared, &is_over);
        let mut found = self.kind.nothing(false);
        for (block, places) in errand.blocks.iter().zip(&report.shared) {
            if !places.is_empty() {
                self.kind.shared(*block, places, &mut turn, &mut found)?;
            }
        }
        self.kind.add(found, None)?;
        let Report { seen, .. } = report;
        self.asked.progress.add(seen, errand.blocks.len() as u64);
        self.asked.progress.add(turn.seen, 0);
        split.done(errand);
        Ok(())
    }

    fn work(&self, number: usize) -> Result<(), QueryError> {
        match (&self.split, self.pieces.get(number)) {
            (Some(split), _) => self.task(split),
            (None, Some(&block)) => self.block(block),
            (None, None) => Ok(()),
        }
    }
}

impl<K: Kind> Work for Question<K> {
    fn pieces(&self) -> usize {
        // At least one, so that somebody finishes the question.
        self.split.as_ref().map_or(self.pieces.len(), |split| split.turns()).max(1)
    }

    fn may_grow(&self) -> bool {
        self.split.as_ref().is_some_and(|split| split.is_open())
    }

    fn piece(&self, number: usize) -> bool {
        if self.asked.is_over() || self.pieces.is_empty() {
            return false;
        }
        if let Err(error) = self.work(number) {
            self.asked.fail(error);
            return false;
        }
        if self.kind.is_streamed() {
            self.asked.send_when_due(|| self.kind.part(&self.asked.progress));
        }
        let is_done = self.split.as_ref().is_some_and(|split| !split.is_open());
        !is_done && !self.asked.is_over()
    }

    fn finish(&self) {
        if let Some(split) = &self.split {
            split.close();
        }
        self.asked.finish(|| self.kind.last(&self.asked.progress));
    }
}
