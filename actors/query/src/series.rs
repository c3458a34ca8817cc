//! Metrics: the series that a query makes of spans over time.
//!
//! Pieces of work are those of a search. Where a leaf of the query is one filter that each span can be judged by, a
//! block's spans are counted from its columns; else, and for traces that lie in several places, traces are judged
//! whole. Each piece counts for itself and adds what it counted at its end, in any order: the result is the same.

use bytes::Bytes;
use parking_lot::Mutex;
use spanloom_block::TraceTable;
use spanloom_peer::ScanQuestion;
use spanloom_ring::NodeName;
use spanloom_span::TraceId;
use spanloom_traceql::answer::Steps;
use spanloom_traceql::metrics::{Accumulator, Cut, Limits, MetricsAnswer, Partial, count_trace, finish};
use spanloom_traceql::plan::{MetricsPlan, Needs, Plan};
use spanloom_traceql::wire::{Unpacker, WireError};

use crate::columns::{self, Counted};
use crate::kind::{Kind, Turn};
use crate::live::union;
use crate::peers::both;
use crate::progress::Progress;
use crate::sources::Sources;
use crate::{MetricsPart, MetricsRequest, QueryError};

/// A query for series under way.
pub(crate) struct Counting {
    request: MetricsRequest,
    plan: Plan,
    sources: Sources,
    steps: Steps,
    limits: Limits,
    /// One for each leaf.
    counted: Mutex<Vec<Accumulator>>,
}

impl Counting {
    /// A query put to these sources. The plan is one for series.
    pub fn new(request: MetricsRequest, plan: Plan, sources: Sources, steps: Steps, limits: Limits) -> Self {
        let mut counting = Self { request, plan, sources, steps, limits, counted: Mutex::default() };
        counting.counted = Mutex::new(counting.empty());
        counting
    }

    /// Nothing counted for any leaf.
    fn empty(&self) -> Vec<Accumulator> {
        let leaves = self.plan.metrics().map(|metrics| &metrics.leaves[..]).unwrap_or_default();
        leaves.iter().map(|leaf| Accumulator::new(leaf, self.steps, &self.limits)).collect()
    }

    /// Whether no span of a block is in the time asked for.
    fn is_out(&self, number: usize) -> bool {
        let (meta, (from, until)) = (self.sources.blocks[number].listed.block.meta(), self.steps.bounds());
        meta.min_start > until || meta.max_end < from
    }

    fn count_block(
        &self,
        number: usize,
        metrics: &MetricsPlan,
        turn: &mut Turn<'_>,
        counted: &mut [Accumulator],
    ) -> Result<(), QueryError> {
        if self.is_out(number) {
            return Ok(());
        }
        let (block, (from, until)) = (&self.sources.blocks[number], self.steps.bounds());
        let reader = turn.desk.reader(number)?;
        let failed = |error| block.failed(error);
        // Spans out of the time count where a trace is judged by all of them.
        let is_simple = metrics.leaves.iter().all(|leaf| leaf.simple_filter().is_some());
        let time = Some((from, until)).filter(|_| is_simple);
        let matches = columns::Matches::read(reader, &self.plan, time).map_err(failed)?;
        turn.seen.bytes += matches.counters.bytes_touched;
        if !matches.is_some() && self.plan.needs != Needs::Nothing {
            return Ok(());
        }
        let shared = turn.desk.shared_places(number, matches.table.ids())?;
        let not_here = union([&*shared, &*block.sealed]);
        // Leaves that the columns cannot count, of which the block's own traces are judged whole.
        let mut rest = vec![false; counted.len()];
        for (at, (leaf, counted)) in metrics.leaves.iter().zip(counted.iter_mut()).enumerate() {
            let done =
                columns::count(reader, &self.plan, leaf, &matches, &not_here, counted).map_err(failed)?;
            rest[at] = match done {
                Counted::Yes { spans } => {
                    turn.seen.spans += spans;
                    false
                }
                Counted::No => {
                    // What was counted until then is forgotten.
                    *counted = Accumulator::new(leaf, self.steps, &self.limits);
                    true
                }
            };
        }
        let every = vec![true; counted.len()];
        let needs = self.plan.needs.clone();
        let candidates = matches.candidates(&needs, &shared, &block.sealed, false);
        for place in candidates {
            if turn.is_over() {
                return Ok(());
            }
            let id = matches.table.id(place);
            if shared.binary_search(&place).is_ok() {
                if turn.claims(&id, place) {
                    let places = self.sources.blocks_with(&id)?;
                    self.count(id, &places, metrics, &every, turn, counted)?;
                }
            } else if rest.contains(&true) {
                self.count(id, &[(number, place.into())], metrics, &rest, turn, counted)?;
            }
        }
        Ok(())
    }

    /// Counts a trace for some of the leaves.
    fn count(
        &self,
        id: TraceId,
        blocks: &[(usize, u64)],
        metrics: &MetricsPlan,
        wanted: &[bool],
        turn: &mut Turn<'_>,
        counted: &mut [Accumulator],
    ) -> Result<(), QueryError> {
        let Turn { desk, seen, .. } = turn;
        desk.whole(id, blocks, |whole| {
            seen.judged(whole.len());
            for ((leaf, counted), _) in
                metrics.leaves.iter().zip(counted).zip(wanted).filter(|(_, wanted)| **wanted)
            {
                count_trace(leaf, whole, &mut |_, _, _| Ok(false), counted)?;
            }
            Ok(())
        })?;
        Ok(())
    }
}

impl Counting {
    fn told(&self, MetricsAnswer { series, partial }: MetricsAnswer, progress: &Progress) -> MetricsPart {
        let stats = progress.stats();
        let limit = partial.and_then(|partial| self.limit(partial.cut));
        let partial = partial.map(|Partial { of, shown, cut }| {
            let key = self.limit(cut).unwrap_or("maxSeries");
            format!("`{of}` has more series than the limit allows ({key}): the first {shown} are shown")
        });
        let partial = both(partial, self.sources.partial.clone());
        MetricsPart { series, partial, limit, steps: Some(self.steps), stats, done: false }
    }

    /// The key of a limit; none when it is the question's own.
    fn limit(&self, cut: Cut) -> Option<&'static str> {
        match cut {
            Cut::Bytes => Some("query.max_answer_bytes"),
            Cut::Series if self.limits.max_series == self.request.max_series => None,
            Cut::Series => Some("query.max_series"),
        }
    }
}

impl Kind for Counting {
    type Part = MetricsPart;
    /// One for each leaf, or none when nothing was counted.
    type Found = Vec<Accumulator>;

    fn sources(&self) -> &Sources {
        &self.sources
    }

    fn plan(&self) -> &Plan {
        &self.plan
    }

    fn nothing(&self, _: bool) -> Vec<Accumulator> {
        Vec::new()
    }

    fn block(
        &self,
        number: usize,
        turn: &mut Turn<'_>,
        found: &mut Vec<Accumulator>,
    ) -> Result<(), QueryError> {
        let Some(metrics) = self.plan.metrics() else { return Ok(()) };
        let mut counted = self.empty();
        self.count_block(number, metrics, turn, &mut counted)?;
        match found.is_empty() {
            true => *found = counted,
            false => merge(found, counted),
        }
        Ok(())
    }

    fn shared(
        &self,
        number: usize,
        places: &[u32],
        turn: &mut Turn<'_>,
        found: &mut Vec<Accumulator>,
    ) -> Result<(), QueryError> {
        let Some(metrics) = self.plan.metrics() else { return Ok(()) };
        let failed = |error| self.sources.blocks[number].failed(error);
        let table = TraceTable::open(turn.desk.reader(number)?).map_err(failed)?;
        if found.is_empty() {
            *found = self.empty();
        }
        let every = vec![true; found.len()];
        for &place in places.iter().filter(|place| **place < table.len()) {
            if turn.is_over() {
                break;
            }
            let id = table.id(place);
            if turn.claims(&id, place) {
                let places = self.sources.blocks_with(&id)?;
                self.count(id, &places, metrics, &every, turn, found)?;
            }
        }
        Ok(())
    }

    fn add(&self, found: Vec<Accumulator>, _: Option<&NodeName>) -> Result<(), QueryError> {
        merge(&mut self.counted.lock(), found);
        Ok(())
    }

    fn is_streamed(&self) -> bool {
        self.request.stream
    }

    fn part(&self, progress: &Progress) -> MetricsPart {
        match self.plan.metrics().filter(|metrics| metrics.only_grows()) {
            Some(metrics) => self.told(finish(metrics, &self.counted.lock()), progress),
            None => self.told(MetricsAnswer::default(), progress),
        }
    }

    fn last(&self, progress: &Progress) -> MetricsPart {
        let counted = std::mem::take(&mut *self.counted.lock());
        let answer = self.plan.metrics().map(|metrics| finish(metrics, &counted)).unwrap_or_default();
        MetricsPart { done: true, ..self.told(answer, progress) }
    }

    fn wants(&self, number: usize) -> bool {
        number < self.sources.blocks.len() && !self.is_out(number)
    }

    fn question(&self) -> Option<ScanQuestion> {
        let Steps { first, step, count, closed } = self.steps;
        let Limits { max_series, max_bytes, exemplars } = self.limits;
        Some(ScanQuestion::Series {
            query: self.request.query.clone(),
            first,
            step,
            count,
            closed,
            max_series: max_series as u64,
            max_bytes: max_bytes as u64,
            exemplars: exemplars as u64,
        })
    }

    fn pack(&self, found: Vec<Accumulator>) -> Bytes {
        let mut out = Vec::new();
        found.iter().for_each(|counted| counted.put(&mut out));
        out.into()
    }

    fn unpack(&self, _: &[usize], found: &[u8]) -> Result<Vec<Accumulator>, WireError> {
        let leaves = self.plan.metrics().map(|metrics| &metrics.leaves[..]).unwrap_or_default();
        let mut from = Unpacker::new(found);
        let take = |leaf| Accumulator::take(leaf, self.steps, &self.limits, &mut from);
        let counted: Vec<Accumulator> = leaves.iter().map(take).collect::<Result<_, _>>()?;
        from.end().map(|()| counted)
    }
}

fn merge(all: &mut [Accumulator], counted: Vec<Accumulator>) {
    all.iter_mut().zip(counted).for_each(|(all, counted)| all.merge(counted));
}
