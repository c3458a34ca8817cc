//! Searching: the newest traces that a query finds.
//!
//! Each block is a piece of work, and so are some thousands of live traces. A block is scanned by its columns for
//! rows that match the query's filters; the traces with such rows are then judged whole, newest first, their parts
//! joined from wherever they lie. A trace that lies in several places is judged by whoever claims it first. Once as
//! many traces are found as were asked for, older ones are passed over.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Instant;

use spanloom_block::TraceTable;
use spanloom_span::TraceId;
use spanloom_traceql::eval::{ReadError, found_trace, judge};
use spanloom_traceql::plan::{Needs, PipelinePlan, Plan};

use crate::asked::Asked;
use crate::columns::Matches;
use crate::desk::{Desk, Readers};
use crate::explain::{Explaining, Looked};
use crate::pool::Work;
use crate::sources::{SourceBlock, Sources};
use crate::top::Top;
use crate::{QueryError, SearchPart, SearchRequest};

/// What a block was found to hold.
struct Found<'m> {
    number: usize,
    matches: &'m Matches<'m>,
    /// Places of the traces that also lie elsewhere.
    shared: &'m [u32],
}

/// A search under way.
pub(crate) struct Search {
    pub request: SearchRequest,
    pub plan: Plan,
    pub sources: Sources,
    asked: Asked<SearchPart>,
    top: Top,
    explain: Explaining,
}

impl Search {
    /// A search of these sources.
    pub fn new(
        request: SearchRequest,
        plan: Plan,
        sources: Sources,
        asked: Asked<SearchPart>,
        max_answer_bytes: usize,
    ) -> Arc<Self> {
        let explain = Explaining::new(request.explain);
        let top = Top::new(request.limit, max_answer_bytes, request.after);
        Arc::new(Self { request, plan, sources, asked, top, explain })
    }

    fn start(&self) -> u64 {
        self.request.start.unwrap_or(0)
    }

    fn end(&self) -> u64 {
        self.request.end.unwrap_or(u64::MAX)
    }

    /// Whether no span of a block overlaps the time asked for.
    fn is_out(&self, block: &SourceBlock) -> bool {
        let meta = block.listed.block.meta();
        meta.min_start > self.end() || meta.max_end < self.start()
    }

    fn run(&self, block: usize) -> Result<(), QueryError> {
        let Some(pipeline) = self.plan.pipeline() else { return Ok(()) };
        let readers = Readers::new(&self.sources);
        let mut desk = Desk::new(&self.sources, &self.plan, &readers);
        self.block(block, pipeline, &mut desk)
    }

    fn block(&self, number: usize, pipeline: &PipelinePlan, desk: &mut Desk<'_>) -> Result<(), QueryError> {
        let block = &self.sources.blocks[number];
        let is_out = self.is_out(block);
        if is_out || !self.may_be_wanted(number, desk)? {
            self.explain.passed(block, is_out);
            return Ok(());
        }
        let begun = Instant::now();
        let reader = desk.reader(number)?;
        let failed = |error| block.failed(error);
        let matches = Matches::read(reader, &self.plan, None).map_err(failed)?;
        self.asked.progress.read(matches.counters.bytes_touched);
        self.asked.progress.scanned(matches.counters.rows_read);
        let mut looked = Looked::default();
        // The spans that match may lie in a block that is out of the time asked for, where nobody looks for them.
        let every = self.sources.blocks.iter().any(|block| self.is_out(block));
        if matches.is_some() || self.plan.needs == Needs::Nothing || every {
            let shared = desk.shared_places(number, matches.table.ids())?;
            let candidates = matches.candidates(&self.plan.needs, &shared, &block.sealed, every);
            looked.candidates = candidates.len() as u64;
            looked.scan = begun.elapsed();
            let found = Found { number, matches: &matches, shared: &shared };
            self.candidates(&found, candidates, pipeline, desk, &mut looked)?;
            looked.judge = begun.elapsed() - looked.scan;
        } else {
            looked.scan = begun.elapsed();
        }
        self.explain.block(block, &matches.counters, &looked);
        Ok(())
    }

    /// Whether some trace of a block may start late enough to be among the ones asked for.
    fn may_be_wanted(&self, number: usize, desk: &Desk<'_>) -> Result<bool, QueryError> {
        let block = &self.sources.blocks[number];
        let failed = |error| block.failed(error);
        let wants = |start| self.top.wants_start(start);
        if !wants(block.listed.block.meta().max_end) {
            return Ok(false);
        }
        if wants(block.listed.block.newest_start().map_err(failed)?) {
            return Ok(true);
        }
        // Those with other parts may turn out to start later than they do here: see `latest`.
        let Some(shared) = &block.elsewhere else { return Ok(true) };
        if shared.is_empty() {
            return Ok(false);
        }
        let table = TraceTable::open(desk.reader(number)?).map_err(failed)?;
        Ok(shared.iter().any(|&place| wants(latest(&table, place, true))))
    }

    /// Judges traces of a block, newest first.
    fn candidates(
        &self,
        found: &Found<'_>,
        candidates: Vec<u32>,
        pipeline: &PipelinePlan,
        desk: &mut Desk<'_>,
        looked: &mut Looked,
    ) -> Result<(), QueryError> {
        let table = &found.matches.table;
        let is_shared = |place: u32| found.shared.binary_search(&place).is_ok();
        let key = |place: u32| (latest(table, place, is_shared(place)), Reverse(place));
        let mut newest: BinaryHeap<(u64, Reverse<u32>)> = candidates.into_iter().map(key).collect();
        while let Some((start, Reverse(place))) = newest.pop() {
            if self.asked.is_over() || !self.top.wants_start(start) {
                break;
            }
            let id = table.id(place);
            if is_shared(place) {
                if self.asked.claim(&id) {
                    looked.joined += 1;
                    let places = self.sources.blocks_with(&id)?;
                    self.judge(id, &places, Some((found, place)), pipeline, desk)?;
                }
                continue;
            }
            let is_out = start > self.end() || start.saturating_add(table.duration(place)) < self.start();
            if !is_out && self.top.wants(start, id) {
                let places = [(found.number, place.into())];
                self.judge(id, &places, Some((found, place)), pipeline, desk)?;
            }
        }
        Ok(())
    }

    fn judge(
        &self,
        id: TraceId,
        blocks: &[(usize, u64)],
        known: Option<(&Found<'_>, u32)>,
        pipeline: &PipelinePlan,
        desk: &mut Desk<'_>,
    ) -> Result<(), QueryError> {
        let spans = self.request.spans_per_spanset;
        let known = known.and_then(|(found, place)| {
            let fragment = blocks.iter().position(|(block, _)| *block == found.number)?;
            Some((fragment, found.matches.table.rows(place), found.matches))
        });
        let found = desk.whole(id, blocks, |whole| {
            self.asked.progress.judged(whole.len());
            if !whole.overlaps(self.start(), self.end()) || !self.top.wants(whole.start(), id) {
                return Ok(None);
            }
            let spansets = judge(pipeline, whole, &mut |fragment, filter, see| match &known {
                Some((at, rows, matches)) if *at == fragment && matches.is_exact(filter) => {
                    matches.within(filter, rows.clone(), see);
                    Ok(true)
                }
                _ => Ok(false),
            })?;
            if spansets.is_empty() {
                return Ok(None);
            }
            found_trace(whole, &spansets, spans).map(Some).map_err(QueryError::from)
        })?;
        match found.flatten() {
            Some(found) => self.top.put(found),
            None => Ok(()),
        }
    }
}

/// The latest time at which a trace of a block may turn out to start. Of a trace with other parts the spans that begin it
/// here may be duplicates, and those that count begin later, but not after the end of this part.
fn latest(table: &TraceTable<'_>, place: u32, is_shared: bool) -> u64 {
    let rest = if is_shared { table.duration(place) } else { 0 };
    table.start(place).saturating_add(rest)
}

impl Work for Search {
    fn pieces(&self) -> usize {
        self.asked.pieces()
    }

    fn piece(&self, number: usize) -> bool {
        let fresh = || {
            let (traces, stats) = (self.top.fresh(), self.asked.progress.stats());
            SearchPart { traces, stats, ..SearchPart::default() }
        };
        self.asked.piece(number, |block| self.run(block), self.request.stream.then_some(fresh))
    }

    fn finish(&self) {
        self.asked.finish(|| {
            let (traces, next) = self.top.take();
            let progress = &self.asked.progress;
            let explain = self.request.explain.then(|| self.explain.all(&self.plan, progress));
            let partial = self.sources.partial.clone();
            SearchPart { traces, stats: progress.stats(), next, explain, partial, done: true }
        });
    }
}

impl From<ReadError> for QueryError {
    fn from(error: ReadError) -> Self {
        QueryError::Read(error)
    }
}
