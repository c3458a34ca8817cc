//! Searching: the newest traces that a query finds.
//!
//! Each block is a piece of work, and so are some thousands of live traces. A block is scanned by its columns for
//! rows that match the query's filters; the traces with such rows are then judged whole, newest first, their parts
//! joined from wherever they lie. A trace that lies in several places is judged by whoever claims it first. Once as
//! many traces are found as were asked for, older ones are passed over.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

use bytes::Bytes;
use spanloom_block::TraceTable;
use spanloom_peer::ScanQuestion;
use spanloom_ring::NodeName;
use spanloom_span::TraceId;
use spanloom_traceql::eval::{ReadError, found_trace, judge};
use spanloom_traceql::plan::{Needs, PipelinePlan, Plan};
use spanloom_traceql::wire::WireError;

use crate::columns::Matches;
use crate::explain::{Explaining, Note, Passed};
use crate::kind::{Kind, Turn};
use crate::progress::Progress;
use crate::sources::{SourceBlock, Sources};
use crate::top::Top;
use crate::{QueryError, SearchPart, SearchRequest, wire};

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
    /// Whether some block is out of the time asked for: spans that match may lie there, where nobody looks for them.
    every: bool,
    top: Top,
    explain: Explaining,
}

/// What blocks yield, beside the traces that were put to the others.
#[derive(Default)]
pub(crate) struct FoundHere {
    /// The traces, when they were found apart.
    pub top: Option<Top>,
    pub notes: Vec<Note>,
    /// Blocks that were noted before, and how many more traces of each were joined.
    pub joined: Vec<(usize, u64)>,
}

impl Search {
    /// A search of these sources.
    pub fn new(request: SearchRequest, plan: Plan, sources: Sources, max_answer_bytes: usize) -> Self {
        let explain = Explaining::new(request.explain);
        let top = Top::new(request.limit, max_answer_bytes, request.after);
        let mut search = Self { request, plan, sources, every: false, top, explain };
        search.every = search.sources.blocks.iter().any(|block| search.is_out(block));
        search
    }

    /// The part of another node's search that is about these sources.
    pub fn part_of(self, floor: u64, every: bool) -> Self {
        self.top.raise_floor(floor);
        Self { every, ..self }
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

    /// Why a block need not be read, if it need not.
    fn passes(&self, number: usize, turn: &Turn<'_>, top: &Top) -> Result<Option<Passed>, QueryError> {
        let block = &self.sources.blocks[number];
        if self.is_out(block) {
            return Ok(Some(Passed::OutOfTime));
        }
        Ok((!self.may_be_wanted(number, turn, top)?).then_some(Passed::Older))
    }

    /// Whether some trace of a block may start late enough to be among the ones asked for.
    fn may_be_wanted(&self, number: usize, turn: &Turn<'_>, top: &Top) -> Result<bool, QueryError> {
        let block = &self.sources.blocks[number];
        let failed = |error| block.failed(error);
        let wants = |start| top.wants_start(start);
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
        let table = TraceTable::open(turn.desk.reader(number)?).map_err(failed)?;
        Ok(shared.iter().any(|&place| wants(latest(&table, place, true))))
    }

    /// Judges traces of a block, newest first.
    fn candidates(
        &self,
        found: &Found<'_>,
        candidates: Vec<u32>,
        pipeline: &PipelinePlan,
        turn: &mut Turn<'_>,
        (top, note): (&Top, &mut Note),
    ) -> Result<(), QueryError> {
        let table = &found.matches.table;
        let is_shared = |place: u32| found.shared.binary_search(&place).is_ok();
        let key = |place: u32| (latest(table, place, is_shared(place)), Reverse(place));
        let mut newest: BinaryHeap<(u64, Reverse<u32>)> = candidates.into_iter().map(key).collect();
        while let Some((start, Reverse(place))) = newest.pop() {
            if turn.is_over() || !top.wants_start(start) {
                break;
            }
            let id = table.id(place);
            if is_shared(place) {
                if turn.claims(&id, place) {
                    note.joined += 1;
                    let places = self.sources.blocks_with(&id)?;
                    self.judge(id, &places, Some((found, place)), pipeline, (turn, top))?;
                }
                continue;
            }
            let is_out = start > self.end() || start.saturating_add(table.duration(place)) < self.start();
            if !is_out && top.wants(start, id) {
                let places = [(found.number, place.into())];
                self.judge(id, &places, Some((found, place)), pipeline, (turn, top))?;
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
        (turn, top): (&mut Turn<'_>, &Top),
    ) -> Result<(), QueryError> {
        let Turn { desk, seen, .. } = turn;
        let spans = self.request.spans_per_spanset;
        let known = known.and_then(|(found, place)| {
            let fragment = blocks.iter().position(|(block, _)| *block == found.number)?;
            Some((fragment, found.matches.table.rows(place), found.matches))
        });
        let found = desk.whole(id, blocks, |whole| {
            seen.judged(whole.len());
            if !whole.overlaps(self.start(), self.end()) || !top.wants(whole.start(), id) {
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
            Some(found) => top.put(found),
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

impl Kind for Search {
    type Part = SearchPart;
    type Found = FoundHere;

    fn sources(&self) -> &Sources {
        &self.sources
    }

    fn plan(&self) -> &Plan {
        &self.plan
    }

    fn nothing(&self, apart: bool) -> FoundHere {
        FoundHere { top: apart.then(|| self.top.apart()), ..FoundHere::default() }
    }

    fn block(&self, number: usize, turn: &mut Turn<'_>, into: &mut FoundHere) -> Result<(), QueryError> {
        let Some(pipeline) = self.plan.pipeline() else { return Ok(()) };
        let top = into.top.as_ref().unwrap_or(&self.top);
        let mut note = Note { block: number, ..Note::default() };
        note.passed = self.passes(number, turn, top)?;
        if note.passed.is_some() {
            into.notes.push(note);
            return Ok(());
        }
        let (begun, block) = (Instant::now(), &self.sources.blocks[number]);
        let reader = turn.desk.reader(number)?;
        let failed = |error| block.failed(error);
        let matches = Matches::read(reader, &self.plan, None).map_err(failed)?;
        note.counters = matches.counters;
        turn.seen.bytes += matches.counters.bytes_touched;
        turn.seen.spans += matches.counters.rows_read;
        if matches.is_some() || self.plan.needs == Needs::Nothing || self.every {
            let shared = turn.desk.shared_places(number, matches.table.ids())?;
            let candidates = matches.candidates(&self.plan.needs, &shared, &block.sealed, self.every);
            note.candidates = candidates.len() as u64;
            note.scan = begun.elapsed();
            let found = Found { number, matches: &matches, shared: &shared };
            self.candidates(&found, candidates, pipeline, turn, (top, &mut note))?;
            note.judge = begun.elapsed() - note.scan;
        } else {
            note.scan = begun.elapsed();
        }
        into.notes.push(note);
        Ok(())
    }

    fn shared(
        &self,
        number: usize,
        places: &[u32],
        turn: &mut Turn<'_>,
        into: &mut FoundHere,
    ) -> Result<(), QueryError> {
        let Some(pipeline) = self.plan.pipeline() else { return Ok(()) };
        let top = into.top.as_ref().unwrap_or(&self.top);
        let failed = |error| self.sources.blocks[number].failed(error);
        let table = TraceTable::open(turn.desk.reader(number)?).map_err(failed)?;
        let mut joined = 0;
        for &place in places.iter().filter(|place| **place < table.len()) {
            if turn.is_over() {
                break;
            }
            let id = table.id(place);
            if top.wants_start(latest(&table, place, true)) && turn.claims(&id, place) {
                joined += 1;
                let places = self.sources.blocks_with(&id)?;
                self.judge(id, &places, None, pipeline, (turn, top))?;
            }
        }
        into.joined.push((number, joined));
        Ok(())
    }

    fn add(&self, found: FoundHere, by: Option<&NodeName>) -> Result<(), QueryError> {
        let FoundHere { top, notes, joined } = found;
        for trace in top.map(|top| top.take().0).unwrap_or_default() {
            if self.top.wants(trace.start, trace.id) {
                self.top.put(trace)?;
            }
        }
        self.explain.take(&notes, by);
        joined.into_iter().for_each(|(block, traces)| self.explain.joined(block, traces));
        Ok(())
    }

    fn is_streamed(&self) -> bool {
        self.request.stream
    }

    fn part(&self, progress: &Progress) -> SearchPart {
        SearchPart { traces: self.top.fresh(), stats: progress.stats(), ..SearchPart::default() }
    }

    fn last(&self, progress: &Progress) -> SearchPart {
        let (traces, next) = self.top.take();
        let explain = self.request.explain.then(|| self.explain.all(&self.plan, &self.sources, progress));
        let partial = self.sources.partial.clone();
        SearchPart { traces, stats: progress.stats(), next, explain, partial, done: true }
    }

    fn wants(&self, number: usize) -> bool {
        let Some(block) = self.sources.blocks.get(number) else { return false };
        !self.is_out(block) && self.top.wants_start(block.listed.block.meta().max_end)
    }

    fn question(&self) -> Option<ScanQuestion> {
        Some(ScanQuestion::Search {
            query: self.request.query.clone(),
            start: self.start(),
            end: self.end(),
            limit: self.request.limit as u64,
            spans: self.request.spans_per_spanset as u64,
            after: self.request.after.map(|after| (after.start, after.id)),
            floor: self.top.floor(),
            every: self.every,
        })
    }

    fn pack(&self, found: FoundHere) -> Bytes {
        wire::put_search(&found)
    }

    fn unpack(&self, blocks: &[usize], found: &[u8]) -> Result<FoundHere, WireError> {
        wire::take_search(found, blocks, self.top.apart())
    }
}

impl From<ReadError> for QueryError {
    fn from(error: ReadError) -> Self {
        QueryError::Read(error)
    }
}
