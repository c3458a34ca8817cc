//! Stop 4 of 9: shard. An actix actor on an arbiter of its own; owns an equal share of all traces.
//!
//! Receives each request once, in log order, from the head; hands every trace in it one message. Its directory
//! maps (tenant, trace id) to the trace's handle; others may look into it, only the shard changes it. Budget for
//! stops 4 and 5: 15 % of the CPU of ingest, some 500 ns a span.
//!
//! **Invariant:** a trace gets its parts in log order, so when the shard cuts a trace, every part of it with a
//! smaller ordinal than the shard's last one has reached it before.
//!
//! | file | holds |
//! |---|---|
//! | `shard/plan.rs` | which traces to cut: pure |
//! | `shard/rounds.rs` | cutting, and what comes after |

mod plan;
mod rounds;

pub use plan::{CutPolicy, Survey};
pub use rounds::{CutRound, RoundEnded, TakeSurvey};

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use actix::prelude::*;
use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use foldhash::HashSet;
use foldhash::fast::RandomState;
use spanloom_span::{Batch, TracePart};
use spanloom_stage::{Clock, Permit, Shut};
use tokio::sync::oneshot;

use crate::metrics::IngestMetrics;
use crate::options::Hosting;
use crate::tenants::{TenantEntry, TraceKey};
use crate::trace::{Home, TraceCore, TraceFacts, TraceHandle};

/// A request on its way: sliced, its traces given to shards.
#[derive(Debug)]
pub struct Routed {
    /// Whose.
    pub tenant: Arc<TenantEntry>,
    /// The request.
    pub batch: Arc<Batch>,
    /// For each shard, the indexes of its groups.
    pub routes: Vec<Vec<u32>>,
    /// Room for the traces that it may open, until they are.
    pub opening: Permit,
}

/// A live trace as its shard sees it.
pub struct LiveTrace {
    handle: TraceHandle,
    tenant: Arc<TenantEntry>,
    pub(crate) opened_ms: u64,
    pub(crate) last_seen_ms: u64,
    /// Ordinal of the oldest part that may share its batch with other traces.
    pub(crate) oldest_seq: u64,
    /// Bytes of spans that came since the last cut.
    pub(crate) bytes: u64,
    /// Bytes of spans that are being sealed; 0 is none.
    pub(crate) sealing_bytes: u64,
    /// The memory that the trace itself takes, beside its spans.
    _room: Permit,
}

/// Memory of a live trace beside its spans: the actor with its mailbox, and its place in the directory (measured
/// at 0.9 KB and 150 B). Without it, traces of one tiny span would take many times what the budget counts.
pub(crate) const TRACE_BYTES: usize = 1100;

#[cfg(test)]
impl LiveTrace {
    pub(crate) fn handle(&self) -> &TraceHandle {
        &self.handle
    }
}

/// Maps (tenant, trace id) to the trace.
pub type Directory = DashMap<TraceKey, LiveTrace, RandomState>;

/// What others may know of a shard without asking it.
#[derive(Default)]
pub struct ShardState {
    /// Its live traces.
    pub directory: Directory,
    /// Bytes of live spans that are not being sealed.
    pub live_bytes: AtomicU64,
    /// Ordinal of the last request it has handled.
    pub last_seq: AtomicU64,
}

impl ShardState {
    /// Bytes held live for a trace; `None` when it is not live.
    pub fn trace_bytes(&self, key: &TraceKey) -> Option<u64> {
        self.directory.get(key).map(|trace| trace.bytes + trace.sealing_bytes)
    }
}

/// What a shard is made of.
#[derive(Clone)]
pub struct ShardParts {
    /// Its number.
    pub number: usize,
    /// What others may see.
    pub state: Arc<ShardState>,
    /// Counts.
    pub metrics: Arc<IngestMetrics>,
    /// Memory of batches, and the list of live requests.
    pub home: Arc<Home>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Where traces live.
    pub hosting: Hosting,
    /// Most messages in a trace's mailbox.
    pub mailbox: usize,
}

/// The actor.
pub struct Shard {
    parts: ShardParts,
    /// Parts that did not fit a trace's mailbox, in order. While there are any, nothing is cut.
    deferred: VecDeque<(TraceKey, Arc<TenantEntry>, TracePart)>,
    /// Traces of the round that is being sealed.
    cutting: Vec<TraceKey>,
    /// Traces whose actor ended by itself: parts of them are in the log alone, so later cuts of the same trace
    /// must not claim to be complete.
    incomplete: HashSet<TraceKey>,
    /// Parts older than this are copied out of shared batches in the next round.
    last_round_seq: u64,
}

impl Shard {
    /// A shard without traces.
    pub fn new(parts: ShardParts) -> Self {
        Self {
            parts,
            deferred: VecDeque::new(),
            cutting: Vec::new(),
            incomplete: HashSet::default(),
            last_round_seq: 0,
        }
    }

    fn give(&mut self, key: TraceKey, tenant: &Arc<TenantEntry>, part: TracePart) {
        let state = &self.parts.state;
        let bytes = u64::from(part.group().bytes);
        let (seq, now) = (part.seq, self.parts.clock.monotonic_ms());
        let shut = match state.directory.entry(key) {
            Entry::Vacant(place) => {
                let core = TraceCore::new(tenant.clone(), key.id);
                let parts = &self.parts;
                place.insert(LiveTrace {
                    handle: TraceHandle::start(parts.hosting, parts.mailbox, core, part, &parts.home),
                    tenant: tenant.clone(),
                    opened_ms: now,
                    last_seen_ms: now,
                    oldest_seq: seq,
                    bytes,
                    sealing_bytes: 0,
                    _room: parts.home.budget.force(TRACE_BYTES),
                });
                tenant.opened();
                parts.metrics.traces_opened.inc();
                None
            }
            Entry::Occupied(mut place) => {
                let trace = place.get_mut();
                match trace.handle.add(part) {
                    Ok(()) => {
                        trace.last_seen_ms = now;
                        trace.oldest_seq = trace.oldest_seq.min(seq);
                        trace.bytes += bytes;
                        None
                    }
                    Err(shut) => Some(shut),
                }
            }
        };
        match shut {
            None => drop(state.live_bytes.fetch_add(bytes, Ordering::Relaxed)),
            Some(Shut::Full(part)) => self.deferred.push_back((key, tenant.clone(), part)),
            Some(Shut::Closed(part)) => {
                self.failed(key);
                self.give(key, tenant, part);
            }
        }
    }

    /// A trace's actor ended by itself: its spans are in the log, the next start brings them back.
    fn failed(&mut self, key: TraceKey) {
        if let Some((_, trace)) = self.parts.state.directory.remove(&key) {
            self.parts.metrics.traces_failed.inc();
            self.incomplete.insert(key);
            tracing::error!(trace = %key.id, "the actor of a trace ended by itself; its spans stay in the log");
            self.closed(&trace);
        }
    }

    fn closed(&self, trace: &LiveTrace) {
        self.parts.state.live_bytes.fetch_sub(trace.bytes, Ordering::Relaxed);
        trace.tenant.closed();
        self.parts.metrics.traces_closed.inc();
    }

    fn give_deferred(&mut self) {
        for _ in 0..self.deferred.len() {
            if let Some((key, tenant, part)) = self.deferred.pop_front() {
                self.give(key, &tenant, part);
            }
        }
    }
}

impl Actor for Shard {
    type Context = Context<Self>;
}

/// A request with traces of this shard.
#[derive(Message)]
#[rtype(result = "()")]
pub struct PushSpans {
    /// The request.
    pub request: Arc<Routed>,
    /// Its ordinal in the log.
    pub seq: u64,
}

impl Handler<PushSpans> for Shard {
    type Result = ();

    fn handle(&mut self, message: PushSpans, _: &mut Context<Self>) {
        if !self.deferred.is_empty() {
            self.give_deferred();
        }
        let begun = Instant::now();
        let PushSpans { request, seq } = message;
        for &group in &request.routes[self.parts.number] {
            let part = TracePart { batch: request.batch.clone(), group, seq };
            let key = TraceKey { tenant: request.tenant.number, id: part.group().id };
            if self.deferred.iter().any(|(waiting, ..)| *waiting == key) {
                self.deferred.push_back((key, request.tenant.clone(), part));
            } else {
                self.give(key, &request.tenant, part);
            }
        }
        self.parts.state.last_seq.store(seq, Ordering::Release);
        self.parts.metrics.shard_seconds.observe(begun.elapsed());
    }
}

/// Asks for the live parts of a trace.
#[derive(Message)]
#[rtype(result = "()")]
pub struct FindLive {
    /// The trace.
    pub key: TraceKey,
    /// Where the parts go; dropped when the trace's actor does not answer.
    pub reply: oneshot::Sender<Vec<TracePart>>,
}

impl Handler<FindLive> for Shard {
    type Result = ();

    fn handle(&mut self, message: FindLive, _: &mut Context<Self>) {
        match self.parts.state.directory.get(&message.key) {
            Some(trace) => trace.handle.ask(message.reply),
            // Whoever asked may have gone.
            None => drop(message.reply.send(Vec::new())),
        }
    }
}

/// Asks what is known of a live trace.
#[derive(Message)]
#[rtype(result = "()")]
pub struct FindFacts {
    /// The trace.
    pub key: TraceKey,
    /// Where the answer goes; dropped when the trace is not live.
    pub reply: oneshot::Sender<TraceFacts>,
}

impl Handler<FindFacts> for Shard {
    type Result = ();

    fn handle(&mut self, message: FindFacts, _: &mut Context<Self>) {
        if let Some(trace) = self.parts.state.directory.get(&message.key) {
            trace.handle.ask_facts(message.reply);
        }
    }
}
