//! Stops 4 and 5: a shard gives requests to its traces, has them cut, and lets them go; with an actix actor for
//! each trace, and with the cores in the shard's map.

use std::num::NonZeroUsize;
use std::sync::Arc;

use spanloom_ingest::distributor::{Distributor, LiveLimits};
use spanloom_ingest::seal::Basket;
use spanloom_ingest::shard::{
    CutPolicy, CutRound, FindLive, PushSpans, RoundEnded, Routed, Shard, ShardParts, ShardState,
};
use spanloom_ingest::tenants::{Tenants, TraceKey};
use spanloom_ingest::trace::Home;
use spanloom_ingest::{Hosting, IngestMetrics};
use spanloom_span::slice::SliceLimits;
use spanloom_span::{Tenant, TraceId};
use spanloom_stage::{Budget, Door, RealClock, Stage};
use tokio::sync::oneshot;

use crate::{Line, batches, measure, span_count};

/// Both hostings: spans given, traces cut, traces ended.
pub fn run(spans: usize) -> Vec<Line> {
    let batches = batches(spans);
    let units = span_count(&batches);
    let mut lines = Vec::new();
    for (name, hosting) in [("actor each", Hosting::Actor), ("cores in a map", Hosting::Map)] {
        let mut lives = 0;
        let mut line = measure(
            format!("shard and trace, {name}"),
            "span",
            units,
            || Shards::new(hosting, &batches),
            |shards| lives = shards.run(),
        );
        line.note = format!("{:.1} spans a trace", units as f64 / lives as f64);
        lines.push(line);
    }
    lines
}

struct Shards {
    stage: Stage,
    state: Arc<ShardState>,
    door: Door<Shard>,
    requests: Vec<Arc<Routed>>,
}

impl Shards {
    fn new(hosting: Hosting, batches: &[Arc<spanloom_span::Batch>]) -> Self {
        let metrics = Arc::new(IngestMetrics::default());
        let state = Arc::new(ShardState::default());
        let stage = Stage::set(NonZeroUsize::MIN).expect("threads can be started");
        let budget = Budget::new(usize::MAX);
        let parts = ShardParts {
            number: 0,
            state: state.clone(),
            metrics: metrics.clone(),
            home: Arc::new(Home { budget: budget.clone(), live: Arc::default() }),
            clock: Arc::new(RealClock::default()),
            hosting,
            mailbox: 1 << 20,
        };
        let door = stage.start(0, 1 << 20, move |_| Shard::new(parts));
        let tenants = Tenants::new(1);
        let tenant = tenants.find_or_add(&Tenant::default()).expect("one tenant fits");
        let distributor = Distributor::new(
            vec![state.clone()].into(),
            SliceLimits::default(),
            LiveLimits::default(),
            metrics,
        );
        let again = |batch: &Arc<spanloom_span::Batch>| distributor.slice(batch.bytes().clone()).ok();
        let routed = |batch| Arc::new(distributor.route(tenant.clone(), Arc::new(batch), budget.force(0)));
        let requests = batches.iter().filter_map(again).map(routed).collect();
        Self { stage, state, door, requests }
    }

    /// Gives, cuts and ends everything; yields how many traces there were.
    fn run(self) -> usize {
        for (seq, request) in (1..).zip(self.requests) {
            pass(&self.door, PushSpans { request, seq });
        }
        wait(&self.door);
        let traces = self.state.directory.len();
        let policy =
            CutPolicy { now_ms: 0, idle_ms: 0, max_age_ms: 0, max_bytes: 0, pressure: 0.0, all: true };
        let (basket, arrived) = Basket::new();
        pass(&self.door, CutRound { policy, basket });
        let cut = arrived.recv().expect("the basket arrives");
        assert_eq!(cut.len(), traces);
        pass(&self.door, RoundEnded { sealed: true });
        wait(&self.door);
        assert_eq!(self.state.directory.len(), 0);
        self.stage.strike();
        traces
    }
}

fn pass<M>(door: &Door<Shard>, message: M)
where
    M: actix::Message + Send + 'static,
    M::Result: Send,
    Shard: actix::Handler<M>,
{
    assert!(door.pass(message).is_ok(), "the shard takes the message");
}

/// Returns when the shard has handled everything that was passed before.
fn wait(door: &Door<Shard>) {
    let (reply, answer) = oneshot::channel();
    pass(door, FindLive { key: TraceKey { tenant: 0, id: TraceId([0xff; 16]) }, reply });
    answer.blocking_recv().expect("the shard answers");
}
