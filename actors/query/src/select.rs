//! Selecting: the ids of all traces in which a query matches, or of all spans that it matches, exactly.
//!
//! Works on blocks as a search does, without time, order or the contents of an answer: what is kept of a trace is its
//! id. What is live is not looked at: whoever wants it selected has it sealed first.

use parking_lot::Mutex;
use spanloom_ring::NodeName;
use spanloom_span::{Tenant, TraceId};
use spanloom_traceql::eval::judge;
use spanloom_traceql::plan::{Needs, PipelinePlan, Plan};

use crate::QueryError;
use crate::columns::Matches;
use crate::kind::{Kind, Turn};
use crate::progress::Progress;
use crate::sources::Sources;

/// "Which traces, or spans, exactly?"
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelectRequest {
    /// On whose behalf.
    pub tenant: Tenant,
    /// TraceQL, a query for traces.
    pub query: String,
    /// Whether the spans are wanted, too.
    pub spans: bool,
    /// Traces that are kept; more are counted. 16 bytes each.
    pub max_traces: usize,
    /// Spans that are kept; more are counted. 32 bytes each.
    pub max_spans: usize,
}

/// A span that was selected: its trace, its id as a big-endian integer, and OTLP's code of its kind. Spans that agree in
/// all three are one.
pub type SelectedSpan = (TraceId, u64, i32);

/// What was selected.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selected {
    /// The traces, ascending; the first ones met when there are more than were to be kept.
    pub traces: Vec<TraceId>,
    /// The spans, ascending, likewise.
    pub spans: Vec<SelectedSpan>,
    /// How many traces there are.
    pub found_traces: u64,
    /// How many spans match, if spans were wanted.
    pub found_spans: u64,
}

/// A selection under way.
pub(crate) struct Selecting {
    request: SelectRequest,
    plan: Plan,
    sources: Sources,
    selected: Mutex<Selected>,
}

impl Selecting {
    /// A selection from these sources. The plan is one for traces.
    pub fn new(request: SelectRequest, plan: Plan, sources: Sources) -> Self {
        Self { request, plan, sources, selected: Mutex::default() }
    }

    fn run(&self, number: usize, turn: &mut Turn<'_>) -> Result<(), QueryError> {
        let Some(pipeline) = self.plan.pipeline() else { return Ok(()) };
        let block = &self.sources.blocks[number];
        let failed = |error| block.failed(error);
        let matches = Matches::read(turn.desk.reader(number)?, &self.plan, None).map_err(failed)?;
        if !matches.is_some() && self.plan.needs != Needs::Nothing {
            return Ok(());
        }
        let shared = turn.desk.shared_places(number, matches.table.ids())?;
        for place in matches.candidates(&self.plan.needs, &shared, &block.sealed, false) {
            if turn.is_over() {
                return Ok(());
            }
            let id = matches.table.id(place);
            if shared.binary_search(&place).is_err() {
                self.judge(id, &[(number, place.into())], pipeline, turn)?;
            } else if turn.claims(&id, place) {
                let places = self.sources.blocks_with(&id)?;
                self.judge(id, &places, pipeline, turn)?;
            }
        }
        Ok(())
    }

    fn judge(
        &self,
        id: TraceId,
        blocks: &[(usize, u64)],
        pipeline: &PipelinePlan,
        turn: &mut Turn<'_>,
    ) -> Result<(), QueryError> {
        let Turn { desk, seen, .. } = turn;
        let spans = desk.whole(id, blocks, |whole| {
            seen.judged(whole.len());
            let spansets = judge(pipeline, whole, &mut |_, _, _| Ok(false))?;
            if spansets.is_empty() {
                return Ok(None);
            }
            // A span may be in several spansets.
            let mut spans: Vec<u32> =
                spansets.iter().flat_map(|spanset| spanset.spans.iter().copied()).collect();
            spans.sort_unstable();
            spans.dedup();
            let key = |span: u32| (whole.span(span).id, whole.span(span).kind);
            Ok(Some(spans.into_iter().filter(|_| self.request.spans).map(key).collect()))
        })?;
        if let Some(spans) = spans.flatten() {
            self.put(id, spans);
        }
        Ok(())
    }

    fn put(&self, id: TraceId, spans: Vec<(u64, i32)>) {
        let mut selected = self.selected.lock();
        selected.found_traces += 1;
        selected.found_spans += spans.len() as u64;
        if selected.traces.len() < self.request.max_traces {
            selected.traces.push(id);
        }
        let room = self.request.max_spans.saturating_sub(selected.spans.len());
        selected.spans.extend(spans.into_iter().take(room).map(|(span, kind)| (id, span, kind)));
    }
}

impl Kind for Selecting {
    type Part = Selected;
    /// What is selected is kept at once.
    type Found = ();

    fn sources(&self) -> &Sources {
        &self.sources
    }

    fn plan(&self) -> &Plan {
        &self.plan
    }

    fn nothing(&self, _: bool) {}

    fn block(&self, number: usize, turn: &mut Turn<'_>, (): &mut ()) -> Result<(), QueryError> {
        self.run(number, turn)
    }

    fn shared(&self, _: usize, _: &[u32], _: &mut Turn<'_>, (): &mut ()) -> Result<(), QueryError> {
        Ok(())
    }

    fn add(&self, (): (), _: Option<&NodeName>) -> Result<(), QueryError> {
        Ok(())
    }

    fn part(&self, progress: &Progress) -> Selected {
        self.last(progress)
    }

    fn last(&self, _: &Progress) -> Selected {
        let mut selected = std::mem::take(&mut *self.selected.lock());
        selected.traces.sort_unstable();
        selected.spans.sort_unstable();
        selected
    }

    fn wants(&self, _: usize) -> bool {
        true
    }
}
