//! Metrics: the series that a query makes of spans over time.
//!
//! Pieces of work are those of a search. Where a leaf of the query is one filter that each span can be judged by, a
//! block's spans are counted from its columns; else, and for traces that lie in several places, traces are judged
//! whole. Each piece counts for itself and adds what it counted at its end, in any order: the result is the same.

use std::sync::Arc;

use parking_lot::Mutex;
use spanloom_span::TraceId;
use spanloom_traceql::answer::Steps;
use spanloom_traceql::metrics::{Accumulator, Cut, Limits, MetricsAnswer, Partial, count_trace, finish};
use spanloom_traceql::plan::{MetricsPlan, Needs, Plan};

use crate::asked::Asked;
use crate::columns::{self, Counted};
use crate::desk::{Desk, Readers};
use crate::live::union;
use crate::peers::both;
use crate::pool::Work;
use crate::sources::Sources;
use crate::{MetricsPart, MetricsRequest, QueryError};

/// A query for series under way.
pub(crate) struct Counting {
    request: MetricsRequest,
    plan: Plan,
    sources: Sources,
    steps: Steps,
    limits: Limits,
    asked: Asked<MetricsPart>,
    /// One for each leaf.
    counted: Mutex<Vec<Accumulator>>,
}

impl Counting {
    /// A query put to these sources. The plan is one for series.
    pub fn new(
        request: MetricsRequest,
        plan: Plan,
        sources: Sources,
        steps: Steps,
        limits: Limits,
        asked: Asked<MetricsPart>,
    ) -> Arc<Self> {
        let leaves = plan.metrics().map(|metrics| &metrics.leaves[..]).unwrap_or_default();
        let counted = leaves.iter().map(|leaf| Accumulator::new(leaf, steps, &limits)).collect();
        let counted = Mutex::new(counted);
        Arc::new(Self { request, plan, sources, steps, limits, asked, counted })
    }

    fn run(&self, block: usize, metrics: &MetricsPlan) -> Result<(), QueryError> {
        let readers = Readers::new(&self.sources);
        let mut desk = Desk::new(&self.sources, &self.plan, &readers);
        let leaves = metrics.leaves.iter();
        let mut counted: Vec<Accumulator> =
            leaves.map(|leaf| Accumulator::new(leaf, self.steps, &self.limits)).collect();
        self.block(block, metrics, &mut desk, &mut counted)?;
        let mut all = self.counted.lock();
        all.iter_mut().zip(counted).for_each(|(all, counted)| all.merge(counted));
        Ok(())
    }

    fn block(
        &self,
        number: usize,
        metrics: &MetricsPlan,
        desk: &mut Desk<'_>,
        counted: &mut [Accumulator],
    ) -> Result<(), QueryError> {
        let block = &self.sources.blocks[number];
        let (meta, (from, until)) = (block.listed.block.meta(), self.steps.bounds());
        if meta.min_start > until || meta.max_end < from {
            return Ok(());
        }
        let reader = desk.reader(number)?;
        let failed = |error| block.failed(error);
        // Spans out of the time count where a trace is judged by all of them.
        let is_simple = metrics.leaves.iter().all(|leaf| leaf.simple_filter().is_some());
        let time = Some((from, until)).filter(|_| is_simple);
        let matches = columns::Matches::read(reader, &self.plan, time).map_err(failed)?;
        self.asked.progress.read(matches.counters.bytes_touched);
        if !matches.is_some() && self.plan.needs != Needs::Nothing {
            return Ok(());
        }
        let shared = desk.shared_places(number, matches.table.ids())?;
        let not_here = union([&*shared, &*block.sealed]);
        // Leaves that the columns cannot count, of which the block's own traces are judged whole.
        let mut rest = vec![false; counted.len()];
        for (at, (leaf, counted)) in metrics.leaves.iter().zip(counted.iter_mut()).enumerate() {
            let done =
                columns::count(reader, &self.plan, leaf, &matches, &not_here, counted).map_err(failed)?;
            rest[at] = match done {
                Counted::Yes { spans } => {
                    self.asked.progress.scanned(spans);
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
            if self.asked.is_over() {
                return Ok(());
            }
            let id = matches.table.id(place);
            if shared.binary_search(&place).is_ok() {
                let places = self.sources.blocks_with(&id)?;
                if self.asked.claim(&id) {
                    self.count(id, &places, metrics, &every, desk, counted)?;
                }
            } else if rest.contains(&true) {
                self.count(id, &[(number, place.into())], metrics, &rest, desk, counted)?;
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
        desk: &mut Desk<'_>,
        counted: &mut [Accumulator],
    ) -> Result<(), QueryError> {
        desk.whole(id, blocks, |whole| {
            self.asked.progress.judged(whole.len());
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
    fn part(&self, MetricsAnswer { series, partial }: MetricsAnswer) -> MetricsPart {
        let stats = self.asked.progress.stats();
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

impl Work for Counting {
    fn pieces(&self) -> usize {
        self.asked.pieces()
    }

    fn piece(&self, number: usize) -> bool {
        let Some(metrics) = self.plan.metrics() else { return false };
        let so_far = || match metrics.only_grows() {
            true => self.part(finish(metrics, &self.counted.lock())),
            false => self.part(MetricsAnswer::default()),
        };
        self.asked.piece(number, |block| self.run(block, metrics), self.request.stream.then_some(so_far))
    }

    fn finish(&self) {
        let Some(metrics) = self.plan.metrics() else { return };
        self.asked.finish(|| {
            let answer = finish(metrics, &std::mem::take(&mut *self.counted.lock()));
            MetricsPart { done: true, ..self.part(answer) }
        });
    }
}
