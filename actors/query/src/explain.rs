//! How an answer was found, for those who ask.

use std::time::Duration;

use parking_lot::Mutex;
use spanloom_block::Counters;
use spanloom_traceql::plan::Plan;

use crate::progress::Progress;
use crate::sources::SourceBlock;
use crate::{Explain, ExplainSource};

/// What was done with one block.
#[derive(Debug, Default)]
pub(crate) struct Looked {
    /// Traces that were worth judging.
    pub candidates: u64,
    /// Of these, traces that also lie elsewhere and were judged here.
    pub joined: u64,
    /// Time for reading columns.
    pub scan: Duration,
    /// Time for judging traces.
    pub judge: Duration,
}

/// Notes that are taken while a question is worked on, when it is to be explained.
pub(crate) struct Explaining(Option<Mutex<Notes>>);

#[derive(Default)]
struct Notes {
    sources: Vec<ExplainSource>,
    scan: Duration,
    judge: Duration,
}

impl Explaining {
    /// Takes notes if asked to.
    pub fn new(is_asked: bool) -> Self {
        Self(is_asked.then(Mutex::default))
    }

    /// A block was not read: it is out of the time asked for, or older than everything that is wanted.
    pub fn passed(&self, block: &SourceBlock, is_out_of_time: bool) {
        let Some(notes) = &self.0 else { return };
        let reason = match is_out_of_time {
            true => "no span of it overlaps the time asked for",
            false => "as many newer traces were found as were asked for",
        };
        let pruned = Some(reason.to_owned());
        notes.lock().sources.push(ExplainSource { pruned, ..source(block) });
    }

    /// A block was read.
    pub fn block(&self, block: &SourceBlock, counters: &Counters, looked: &Looked) {
        let Some(notes) = &self.0 else { return };
        let reasons = [
            ("out of the time asked for", counters.pruned_by_time),
            ("durations exclude every filter", counters.pruned_by_duration),
            ("keys, dictionaries and classes exclude every filter", counters.pruned_by_values),
        ];
        let groups_pruned = reasons.into_iter().filter(|(_, groups)| *groups > 0);
        let source = ExplainSource {
            groups: counters.groups,
            groups_pruned: groups_pruned.map(|(reason, groups)| (reason.to_owned(), groups)).collect(),
            rows_read: counters.rows_read,
            rows_matched: counters.rows_matched,
            candidates: looked.candidates,
            joined: looked.joined,
            ..source(block)
        };
        let mut notes = notes.lock();
        notes.sources.push(source);
        notes.scan += looked.scan;
        notes.judge += looked.judge;
    }

    /// Everything that was noted.
    pub fn all(&self, plan: &Plan, progress: &Progress) -> Explain {
        let Some(notes) = &self.0 else { return Explain::default() };
        let notes = std::mem::take(&mut *notes.lock());
        let mut of = notes.sources;
        // Youngest first, as they are worked on; live ones, which sort behind the names of files, come first.
        of.sort_by(|left, right| right.name.cmp(&left.name));
        let steps = [
            ("live spans brought into columns", progress.prepared()),
            ("columns read", notes.scan),
            ("traces judged", notes.judge),
        ];
        Explain {
            query: plan.query.to_string(),
            sources: of,
            steps: steps.into_iter().map(|(step, took)| (step.to_owned(), took)).collect(),
            took: progress.elapsed(),
        }
    }
}

fn source(SourceBlock { listed, .. }: &SourceBlock) -> ExplainSource {
    let meta = listed.block.meta();
    ExplainSource {
        name: listed.path.to_string(),
        spans: meta.spans,
        traces: meta.traces,
        ..ExplainSource::default()
    }
}
