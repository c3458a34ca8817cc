//! Searching: the newest traces that a query finds.
//!
//! Each block is a piece of work, and so are some thousands of live traces. A block is scanned by its columns for
//! rows that match the query's filters; the traces with such rows are then judged whole, newest first, their parts
//! joined from wherever they lie. A trace that lies in several places is judged by whoever claims it first. Once as
//! many traces are found as were asked for, older ones are passed over.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use foldhash::HashSet;
use parking_lot::Mutex;
use spanloom_span::TraceId;
use spanloom_traceql::eval::{ReadError, found_trace, judge};
use spanloom_traceql::plan::{Needs, PipelinePlan, Plan};
use tokio::sync::mpsc;

use crate::columns::Matches;
use crate::desk::{Desk, Readers};
use crate::explain::{Explaining, Looked};
use crate::piece::{LIVE_PIECE, Piece, pieces};
use crate::pool::Work;
use crate::progress::Progress;
use crate::sources::{SourceBlock, Sources};
use crate::top::Top;
use crate::{QueryError, SearchPart, SearchRequest};

/// How often parts of an answer are sent while it grows.
const PART_EVERY: Duration = Duration::from_millis(100);

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
    pieces: Vec<Piece>,
    top: Top,
    /// Traces that lie in several places and are judged already.
    claimed: Mutex<HashSet<TraceId>>,
    progress: Progress,
    explain: Explaining,
    answer: mpsc::Sender<Result<SearchPart, QueryError>>,
    last_part: Mutex<Instant>,
    failed: AtomicBool,
}

impl Search {
    /// A search that sends its answer to `answer`.
    pub fn new(
        request: SearchRequest,
        plan: Plan,
        sources: Sources,
        progress: Progress,
        max_answer_bytes: usize,
        answer: mpsc::Sender<Result<SearchPart, QueryError>>,
    ) -> Arc<Self> {
        let pieces = pieces(&sources);
        let explain = Explaining::new(request.explain);
        let top = Top::new(request.limit, max_answer_bytes, request.after);
        Arc::new(Self {
            top,
            request,
            plan,
            sources,
            pieces,
            claimed: Mutex::default(),
            progress,
            explain,
            answer,
            last_part: Mutex::new(Instant::now()),
            failed: AtomicBool::new(false),
        })
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

    fn run(&self, piece: Piece) -> Result<(), QueryError> {
        let Some(pipeline) = self.plan.pipeline() else { return Ok(()) };
        let readers = Readers::new(&self.sources);
        let mut desk = Desk::new(&self.sources, &self.plan, &readers);
        match piece {
            Piece::Block(number) => self.block(number, pipeline, &mut desk),
            Piece::Live(from) => self.live(from, pipeline, &mut desk),
        }
    }

    fn live(&self, from: usize, pipeline: &PipelinePlan, desk: &mut Desk<'_>) -> Result<(), QueryError> {
        let begun = Instant::now();
        let ids = &self.sources.index().ids;
        for id in ids.iter().skip(from).take(LIVE_PIECE) {
            if self.is_over() {
                return Ok(());
            }
            let blocks = self.sources.blocks_with(id)?;
            if !blocks.is_empty() && !self.claim(id) {
                continue;
            }
            self.judge(*id, &blocks, None, pipeline, desk)?;
        }
        self.explain.live(begun.elapsed());
        Ok(())
    }

    fn block(&self, number: usize, pipeline: &PipelinePlan, desk: &mut Desk<'_>) -> Result<(), QueryError> {
        let block = &self.sources.blocks[number];
        let meta = block.listed.block.meta();
        let is_out = self.is_out(block);
        if is_out || !self.top.wants_start(meta.max_end) {
            self.explain.passed(&block.listed, is_out);
            return Ok(());
        }
        let begun = Instant::now();
        let reader = desk.reader(number)?;
        let failed = |error| block.failed(error);
        let matches = Matches::read(reader, &self.plan, None).map_err(failed)?;
        self.progress.read(matches.counters.bytes_touched);
        self.progress.scanned(matches.counters.rows_read);
        let mut looked = Looked::default();
        // The spans that match may lie in a block that is out of the time asked for, where nobody looks for them.
        let every = self.sources.blocks.iter().any(|block| self.is_out(block));
        if matches.is_some() || self.plan.needs == Needs::Nothing || every {
            let shared = desk.shared_places(number, matches.table.ids())?;
            let candidates = matches.candidates(&self.plan.needs, &shared, every);
            looked.candidates = candidates.len() as u64;
            looked.scan = begun.elapsed();
            let found = Found { number, matches: &matches, shared: &shared };
            self.candidates(&found, candidates, pipeline, desk, &mut looked)?;
            looked.judge = begun.elapsed() - looked.scan;
        } else {
            looked.scan = begun.elapsed();
        }
        self.explain.block(&block.listed, &matches.counters, &looked);
        Ok(())
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
        // Of a trace with other parts the spans that begin it here may be duplicates, and those that count begin
        // later, but not after the end of this part.
        let latest = |place: u32| {
            let rest = if is_shared(place) { table.duration(place) } else { 0 };
            (table.start(place).saturating_add(rest), Reverse(place))
        };
        let mut newest: BinaryHeap<(u64, Reverse<u32>)> = candidates.into_iter().map(latest).collect();
        while let Some((start, Reverse(place))) = newest.pop() {
            if self.is_over() || !self.top.wants_start(start) {
                break;
            }
            let id = table.id(place);
            if is_shared(place) {
                if self.claim(&id) {
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

    /// Takes a trace that lies in several places; false when it was taken before.
    fn claim(&self, id: &TraceId) -> bool {
        self.claimed.lock().insert(*id)
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
            self.progress.judged(whole.len());
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

    /// Whether there is no point in going on.
    fn is_over(&self) -> bool {
        self.failed.load(Ordering::Relaxed) || self.answer.is_closed() || self.progress.is_late()
    }

    fn fail(&self, error: QueryError) {
        if !self.failed.swap(true, Ordering::Relaxed) {
            self.send(Err(error));
        }
    }

    fn send(&self, part: Result<SearchPart, QueryError>) {
        // Whoever asked may have gone.
        let _ = self.answer.blocking_send(part);
    }

    fn send_fresh(&self) {
        let Some(mut last) = self.last_part.try_lock().filter(|last| last.elapsed() >= PART_EVERY) else {
            return;
        };
        *last = Instant::now();
        // Room is kept for the last part; one that does not fit now comes with the next.
        if self.answer.capacity() > 1 {
            let (traces, stats) = (self.top.fresh(), self.progress.stats());
            self.send(Ok(SearchPart { traces, stats, ..SearchPart::default() }));
        }
    }
}

impl Work for Search {
    fn pieces(&self) -> usize {
        self.pieces.len().max(1)
    }

    fn piece(&self, number: usize) -> bool {
        if self.is_over() {
            return false;
        }
        let Some(piece) = self.pieces.get(number) else { return false };
        if let Err(error) = self.run(*piece) {
            self.fail(error);
            return false;
        }
        self.progress.piece_done();
        if self.request.stream {
            self.send_fresh();
        }
        !self.is_over()
    }

    fn finish(&self) {
        if self.failed.load(Ordering::Relaxed) || self.answer.is_closed() {
            return;
        }
        if let Some(error) = self.progress.unfinished() {
            return self.fail(error);
        }
        let (traces, next) = self.top.take();
        let stats = self.progress.stats();
        let asked = self.request.explain;
        let explain = asked.then(|| self.explain.all(&self.plan, &self.sources, &self.progress));
        self.send(Ok(SearchPart { traces, stats, next, explain, done: true }));
    }
}

impl From<ReadError> for QueryError {
    fn from(error: ReadError) -> Self {
        QueryError::Read(error)
    }
}
