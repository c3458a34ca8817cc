//! How an answer was found, for those who ask.

use std::time::Duration;

use parking_lot::Mutex;
use spanloom_block::Counters;
use spanloom_ring::NodeName;
use spanloom_traceql::plan::Plan;

use crate::progress::Progress;
use crate::sources::{SourceBlock, Sources};
use crate::{Explain, ExplainSource};

/// What was done with one block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Note {
    /// The block's number.
    pub block: usize,
    /// Why it was not read, if it was not.
    pub passed: Option<Passed>,
    pub counters: Counters,
    /// Traces that were worth judging.
    pub candidates: u64,
    /// Of these, traces that also lie elsewhere and were judged.
    pub joined: u64,
    /// Time for reading columns.
    pub scan: Duration,
    /// Time for judging traces.
    pub judge: Duration,
}

/// Why a block was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Passed {
    /// No span of it is in the time asked for.
    OutOfTime,
    /// Everything that is wanted is newer.
    Older,
}

/// Notes that are taken while a question is worked on, when it is to be explained.
pub(crate) struct Explaining(Option<Mutex<Vec<By>>>);

/// A note, and the other node that did what it tells of, if one did.
type By = (Note, Option<NodeName>);

impl Explaining {
    /// Takes notes if asked to.
    pub fn new(is_asked: bool) -> Self {
        Self(is_asked.then(Mutex::default))
    }

    /// Takes notes of what this node did, or another.
    pub fn take(&self, notes: &[Note], by: Option<&NodeName>) {
        if let Some(all) = &self.0 {
            all.lock().extend(notes.iter().map(|note| (*note, by.cloned())));
        }
    }

    /// Traces of a block that also lie elsewhere were judged, after the block was noted.
    pub fn joined(&self, block: usize, traces: u64) {
        let Some(all) = &self.0 else { return };
        if let Some((note, _)) = all.lock().iter_mut().find(|(note, _)| note.block == block) {
            note.joined += traces;
        }
    }

    /// Everything that was noted.
    pub fn all(&self, plan: &Plan, sources: &Sources, progress: &Progress) -> Explain {
        let Some(notes) = &self.0 else { return Explain::default() };
        let notes = std::mem::take(&mut *notes.lock());
        let scan = notes.iter().map(|(note, _)| note.scan).sum();
        let judge = notes.iter().map(|(note, _)| note.judge).sum();
        let of =
            notes.iter().filter_map(|(note, by)| Some(source(sources.blocks.get(note.block)?, note, by)));
        let mut of: Vec<ExplainSource> = of.collect();
        // Youngest first, as they are worked on; live ones, which sort behind the names of files, come first.
        of.sort_by(|left, right| right.name.cmp(&left.name));
        let steps = [
            ("live spans brought into columns", progress.prepared()),
            ("columns read", scan),
            ("traces judged", judge),
        ];
        Explain {
            query: plan.query.to_string(),
            sources: of,
            steps: steps.into_iter().map(|(step, took)| (step.to_owned(), took)).collect(),
            took: progress.elapsed(),
        }
    }
}

fn source(block: &SourceBlock, note: &Note, by: &Option<NodeName>) -> ExplainSource {
    let (meta, counters) = (block.listed.block.meta(), &note.counters);
    let reasons = [
        ("out of the time asked for", counters.pruned_by_time),
        ("durations exclude every filter", counters.pruned_by_duration),
        ("keys, dictionaries and classes exclude every filter", counters.pruned_by_values),
    ];
    let groups_pruned = reasons.into_iter().filter(|(_, groups)| *groups > 0);
    let pruned = note.passed.map(|passed| match passed {
        Passed::OutOfTime => "no span of it overlaps the time asked for",
        Passed::Older => "as many newer traces were found as were asked for",
    });
    ExplainSource {
        name: block.listed.path.to_string(),
        by: by.as_ref().map(NodeName::to_string),
        spans: meta.spans,
        traces: meta.traces,
        groups: counters.groups,
        pruned: pruned.map(str::to_owned),
        groups_pruned: groups_pruned.map(|(reason, groups)| (reason.to_owned(), groups)).collect(),
        rows_read: counters.rows_read,
        rows_matched: counters.rows_matched,
        candidates: note.candidates,
        joined: note.joined,
    }
}
