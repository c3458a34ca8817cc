//! The work on a graph: a block at a time, as for series; a trace that lies in several places is looked at once, whole.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use spanloom_block::TraceTable;
use spanloom_ring::NodeName;
use spanloom_span::TraceId;
use spanloom_traceql::eval::WholeTrace;
use spanloom_traceql::plan::Plan;

use super::fields::Fields;
use super::sums::Sums;
use super::trace::{Call, Facts, Side, calls};
use super::{GraphRequest, NodeKind, ServiceGraph};
use crate::kind::{Kind, Turn};
use crate::peers::both;
use crate::progress::Progress;
use crate::sources::Sources;
use crate::{QueryError, QueryOptions};

/// A service without a name, as OpenTelemetry's SDKs call it.
const NAMELESS: &str = "unknown_service";

/// A graph under way.
pub(super) struct Graphing {
    request: GraphRequest,
    plan: Plan,
    fields: Fields,
    sources: Sources,
    begun: Instant,
    /// When to end with what there is; zero is never.
    time: Duration,
    max_traces: u64,
    max_nodes: usize,
    traces: AtomicU64,
    is_late: AtomicBool,
    is_full: AtomicBool,
    sums: Mutex<Sums>,
}

impl Graphing {
    /// A graph of what is in these sources.
    pub fn new(
        request: GraphRequest,
        plan: Plan,
        sources: Sources,
        begun: Instant,
        options: &QueryOptions,
    ) -> Self {
        Self {
            request,
            fields: Fields::of(&plan),
            plan,
            sources,
            begun,
            // So that there is time to hand on what was counted until then.
            time: options.timeout / 5 * 4,
            max_traces: options.max_graph_traces,
            max_nodes: options.max_series,
            traces: AtomicU64::new(0),
            is_late: AtomicBool::new(false),
            is_full: AtomicBool::new(false),
            sums: Mutex::new(Sums::new(options.max_series)),
        }
    }

    fn run(&self, number: usize, turn: &mut Turn<'_>, sums: &mut Sums) -> Result<(), QueryError> {
        let block = &self.sources.blocks[number];
        if !self.wants(number) || self.is_over(turn) {
            return Ok(());
        }
        let table = TraceTable::open(turn.desk.reader(number)?).map_err(|error| block.failed(error))?;
        let shared = turn.desk.shared_places(number, table.ids())?;
        let mut places: Vec<u32> = (0..table.len()).collect();
        places.retain(|place| block.sealed.binary_search(place).is_err());
        places.sort_by_key(|place| Reverse(table.start(*place)));
        for place in places {
            if self.is_over(turn) {
                break;
            }
            let id = table.id(place);
            if shared.binary_search(&place).is_ok() {
                if turn.claims(&id, place) {
                    let blocks = self.sources.blocks_with(&id)?;
                    self.trace(id, &blocks, turn, sums)?;
                }
                continue;
            }
            let start = table.start(place);
            let end = start.saturating_add(table.duration(place));
            if start <= self.request.end && end >= self.request.start {
                self.trace(id, &[(number, place.into())], turn, sums)?;
            }
        }
        Ok(())
    }

    /// Whether to end with what there is.
    fn is_over(&self, turn: &Turn<'_>) -> bool {
        if !self.time.is_zero() && self.begun.elapsed() > self.time {
            self.is_late.store(true, Ordering::Relaxed);
        }
        self.is_late.load(Ordering::Relaxed) || self.is_full.load(Ordering::Relaxed) || turn.is_over()
    }

    fn trace(
        &self,
        id: TraceId,
        blocks: &[(usize, u64)],
        turn: &mut Turn<'_>,
        sums: &mut Sums,
    ) -> Result<(), QueryError> {
        let Turn { desk, seen, .. } = turn;
        desk.whole(id, blocks, |whole| {
            if !whole.overlaps(self.request.start, self.request.end) {
                return Ok(());
            }
            if self.traces.fetch_add(1, Ordering::Relaxed) >= self.max_traces {
                self.traces.fetch_sub(1, Ordering::Relaxed);
                self.is_full.store(true, Ordering::Relaxed);
                return Ok(());
            }
            seen.judged(whole.len());
            self.count(whole, sums)
        })?;
        Ok(())
    }

    fn is_in(&self, start: u64) -> bool {
        (self.request.start..=self.request.end).contains(&start)
    }

    fn count(&self, whole: &mut WholeTrace<'_, '_>, sums: &mut Sums) -> Result<(), QueryError> {
        let mut services = Services::default();
        let mut facts = Vec::with_capacity(whole.len() as usize);
        for span in 0..whole.len() {
            let service = self.fields.service(whole, span)?;
            let is_error = self.fields.is_error(whole, span)?;
            let parent = whole.tree().parent(span);
            let identity = whole.span(span);
            let (kind, start, duration) = (identity.kind, identity.start, identity.duration);
            let service = services.number(service);
            if self.is_in(start)
                && let Some(node) = services.node(service, sums)
            {
                sums.span(node, is_error);
            }
            facts.push(Facts { service, kind, is_error, start, duration, parent });
        }
        for call in calls(&facts) {
            if self.is_in(call.start) {
                self.call(whole, &facts, call, &services, sums)?;
            }
        }
        Ok(())
    }

    fn call(
        &self,
        whole: &mut WholeTrace<'_, '_>,
        facts: &[Facts],
        call: Call,
        services: &Services,
        sums: &mut Sums,
    ) -> Result<(), QueryError> {
        let mut node = |side| match side {
            Side::Service(service) => Ok(services.node(service, sums)),
            Side::Remote(span) => {
                let is_server = facts.get(span as usize).is_some_and(|facts| facts.kind == 2);
                let remote = self.fields.remote(whole, span, is_server)?;
                let node = remote.and_then(|(kind, name)| sums.node(&name, kind));
                if let Some(node) = node {
                    sums.span_of_caller(node, call.is_error);
                }
                Ok::<_, QueryError>(node)
            }
        };
        if let (Some(client), Some(server)) = (node(call.client)?, node(call.server)?)
            && client != server
        {
            sums.call(client, server, call.is_error, call.duration);
        }
        Ok(())
    }

    fn partial(&self, is_cut: bool) -> Option<String> {
        let traces = self.traces.load(Ordering::Relaxed);
        let full = self
            .is_full
            .load(Ordering::Relaxed)
            .then(|| format!("{traces} traces were looked at, and there are more (query.max_graph_traces)"));
        let late = self.is_late.load(Ordering::Relaxed).then(|| {
            format!(
                "{traces} traces were looked at until the time was over, and there are more (query.timeout)"
            )
        });
        let cut = is_cut
            .then(|| format!("there are more than {} nodes or edges (query.max_series)", self.max_nodes));
        both(full.or(late), both(cut, self.sources.partial.clone()))
    }
}

/// The services of a trace by number.
#[derive(Default)]
struct Services {
    numbers: HashMap<String, u32>,
    names: Vec<String>,
}

impl Services {
    fn number(&mut self, name: String) -> u32 {
        if let Some(&number) = self.numbers.get(&name) {
            return number;
        }
        let number = self.names.len() as u32;
        self.names.push(name.clone());
        self.numbers.insert(name, number);
        number
    }

    fn node(&self, service: u32, sums: &mut Sums) -> Option<u32> {
        let name = self.names.get(service as usize).map_or("", String::as_str);
        sums.node(if name.is_empty() { NAMELESS } else { name }, NodeKind::Service)
    }
}

impl Kind for Graphing {
    type Part = ServiceGraph;
    type Found = Sums;

    fn sources(&self) -> &Sources {
        &self.sources
    }

    fn plan(&self) -> &Plan {
        &self.plan
    }

    fn nothing(&self, _: bool) -> Sums {
        Sums::new(self.max_nodes)
    }

    fn block(&self, number: usize, turn: &mut Turn<'_>, found: &mut Sums) -> Result<(), QueryError> {
        self.run(number, turn, found)
    }

    fn shared(&self, _: usize, _: &[u32], _: &mut Turn<'_>, _: &mut Sums) -> Result<(), QueryError> {
        Ok(()) // other nodes work on no graph
    }

    fn add(&self, found: Sums, _: Option<&NodeName>) -> Result<(), QueryError> {
        self.sums.lock().merge(found);
        Ok(())
    }

    fn part(&self, progress: &Progress) -> ServiceGraph {
        self.last(progress)
    }

    fn last(&self, _: &Progress) -> ServiceGraph {
        let sums = std::mem::take(&mut *self.sums.lock());
        let traces = self.traces.load(Ordering::Relaxed);
        ServiceGraph { traces, partial: self.partial(sums.is_cut), ..sums.graph() }
    }

    fn wants(&self, number: usize) -> bool {
        let meta = self.sources.blocks[number].listed.block.meta();
        meta.min_start <= self.request.end && meta.max_end >= self.request.start
    }
}
