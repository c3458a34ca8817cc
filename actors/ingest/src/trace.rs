//! Stop 5 of 9: trace. The actor of one trace id: holds references into the batches that brought its spans.
//!
//! Receives one message per request that has spans of the trace; hands its parts to whoever asks, and to the
//! seal when it is cut. Budget for stops 4 and 5: 15 % of the CPU of ingest, some 500 ns a span.
//!
//! The core is plain values. [`TraceHandle`] hides where it lives: in an actix actor of its own, or in the
//! shard's map.

use std::sync::Arc;

use actix::prelude::*;
use bytes::Bytes;
use spanloom_span::slice::{SliceLimits, slice};
use spanloom_span::{TraceId, TracePart};
use spanloom_stage::{Budget, Door, Shut, stage::start_here};
use tokio::sync::oneshot;

use crate::live::LiveRequests;
use crate::options::Hosting;
use crate::seal::{Basket, CutTrace};
use crate::tenants::TenantEntry;

/// What is known of a live trace.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TraceFacts {
    /// Spans held.
    pub spans: u64,
    /// Spans with status error.
    pub errors: u64,
    /// Earliest start, nanoseconds since 1970.
    pub start: u64,
    /// Latest end, nanoseconds since 1970.
    pub end: u64,
    /// Name of the span without a parent, once it came.
    pub root_name: Option<Bytes>,
    /// Service of that span.
    pub root_service: Option<Bytes>,
    /// Services seen, each once.
    pub services: Vec<Bytes>,
}

/// What traces of a shard share.
pub struct Home {
    /// Memory of batches.
    pub budget: Arc<Budget>,
    /// The list of live requests.
    pub live: Arc<LiveRequests>,
}

/// The state of one trace: pure, drives nothing.
#[derive(Debug)]
pub struct TraceCore {
    tenant: Arc<TenantEntry>,
    id: TraceId,
    parts: Vec<TracePart>,
    /// The first so many parts are being sealed.
    sealing: usize,
}

impl TraceCore {
    /// A trace of which nothing is held yet.
    pub fn new(tenant: Arc<TenantEntry>, id: TraceId) -> Self {
        Self { tenant, id, parts: Vec::new(), sealing: 0 }
    }

    /// Takes the trace's spans of one request.
    pub fn on_spans(&mut self, part: TracePart) {
        self.parts.push(part);
    }

    /// Everything held, in order of arrival, what is being sealed included.
    pub fn on_ask(&self) -> Vec<TracePart> {
        self.parts.clone()
    }

    /// Hands out everything held to be sealed, and remembers it until [`Self::on_sealed`].
    pub fn on_cut(&mut self, through: u64) -> CutTrace {
        self.sealing = self.parts.len();
        CutTrace { tenant: self.tenant.name.clone(), id: self.id, parts: self.parts.clone(), through }
    }

    /// What was handed out is in a block: lets it go.
    pub fn on_sealed(&mut self) {
        self.parts.drain(..self.sealing);
        self.sealing = 0;
    }

    /// What was handed out could not be sealed: it is live again.
    pub fn on_seal_failed(&mut self) {
        self.sealing = 0;
    }

    /// Copies parts older than `before` out of batches that they share with other traces, so that those
    /// batches can go. What it takes is counted by the budget; a part that cannot be copied stays as it is.
    pub fn on_rehome(&mut self, before: u64, home: &Home) {
        for part in &mut self.parts[self.sealing..] {
            if part.seq < before && part.batch.groups().len() > 1 {
                let bytes = part.batch.extract(part.group());
                // The limits were kept when the request came.
                let limits = SliceLimits { max_depth: u32::MAX, max_span_bytes: u32::MAX };
                if let Ok(batch) = slice(bytes, &limits) {
                    let permit = home.budget.force(batch.held_bytes());
                    let batch = Arc::new(batch.with_permit(Box::new(permit)));
                    // Listed before the old one goes, so that a search sees at least one of them.
                    home.live.add(self.tenant.number, part.seq, &batch);
                    (part.batch, part.group) = (batch, 0);
                }
            }
        }
    }

    /// What is known of the trace.
    pub fn facts(&self) -> TraceFacts {
        let mut facts = TraceFacts { start: u64::MAX, ..TraceFacts::default() };
        for part in &self.parts {
            let (batch, group) = (&part.batch, part.group());
            facts.spans += u64::from(group.count);
            facts.errors += u64::from(group.errors);
            facts.start = facts.start.min(group.start);
            facts.end = facts.end.max(group.end);
            for span in part.spans() {
                let scope = &batch.scopes()[span.scope as usize];
                let service = batch.resources()[scope.resource as usize].service.range();
                if !facts.services.iter().any(|known| known[..] == batch.bytes()[service.clone()]) {
                    facts.services.push(batch.bytes().slice(service));
                }
            }
            if let (Some(root), None) = (group.root, &facts.root_name) {
                let span = &batch.spans()[root as usize];
                let scope = &batch.scopes()[span.scope as usize];
                let service = batch.resources()[scope.resource as usize].service.range();
                facts.root_service = Some(batch.bytes().slice(service));
                let name = spanloom_span::view::name(batch.get(span.body)).unwrap_or_default();
                facts.root_name = Some(batch.bytes().slice_ref(name));
            }
        }
        facts
    }
}

/// Takes the trace's spans of one request.
#[derive(Message)]
#[rtype(result = "()")]
pub struct AddSpans(pub TracePart);

/// Asks for everything held.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Ask(pub oneshot::Sender<Vec<TracePart>>);

/// Asks what is known of the trace.
#[derive(Message)]
#[rtype(result = "()")]
pub struct AskFacts(pub oneshot::Sender<TraceFacts>);

/// Puts everything held into the basket.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Cut {
    /// The ordinal through which the trace is complete.
    pub through: u64,
    /// Where the parts go.
    pub basket: Arc<Basket>,
}

/// What came of the last cut.
#[derive(Message)]
#[rtype(result = "()")]
pub struct CutEnded {
    /// Whether the parts are in a block.
    pub sealed: bool,
}

/// Copies old parts out of shared batches.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Rehome {
    /// Parts older than this ordinal.
    pub before: u64,
}

/// The shell around a [`TraceCore`] with an address of its own.
pub struct TraceActor {
    core: TraceCore,
    home: Arc<Home>,
}

impl Actor for TraceActor {
    type Context = Context<Self>;
}

impl Handler<AddSpans> for TraceActor {
    type Result = ();
    fn handle(&mut self, message: AddSpans, _: &mut Context<Self>) {
        self.core.on_spans(message.0);
    }
}

impl Handler<Ask> for TraceActor {
    type Result = ();
    fn handle(&mut self, message: Ask, _: &mut Context<Self>) {
        // Whoever asked may have gone.
        let _ = message.0.send(self.core.on_ask());
    }
}

impl Handler<AskFacts> for TraceActor {
    type Result = ();
    fn handle(&mut self, message: AskFacts, _: &mut Context<Self>) {
        let _ = message.0.send(self.core.facts());
    }
}

impl Handler<Cut> for TraceActor {
    type Result = ();
    fn handle(&mut self, message: Cut, _: &mut Context<Self>) {
        message.basket.put(self.core.on_cut(message.through));
    }
}

impl Handler<CutEnded> for TraceActor {
    type Result = ();
    fn handle(&mut self, message: CutEnded, _: &mut Context<Self>) {
        if message.sealed { self.core.on_sealed() } else { self.core.on_seal_failed() }
    }
}

impl Handler<Rehome> for TraceActor {
    type Result = ();
    fn handle(&mut self, message: Rehome, _: &mut Context<Self>) {
        self.core.on_rehome(message.before, &self.home);
    }
}

/// Makes the actor fail, for tests of what comes after.
#[cfg(test)]
#[derive(Message)]
#[rtype(result = "()")]
pub struct Fail;

#[cfg(test)]
impl Handler<Fail> for TraceActor {
    type Result = ();
    fn handle(&mut self, _: Fail, _: &mut Context<Self>) {
        panic!("a test made this actor fail");
    }
}

/// A trace, wherever its core lives. A message that does not pass comes back.
pub enum TraceHandle {
    /// In an actor of its own.
    Actor(Door<TraceActor>),
    /// Here.
    Map(Box<TraceCore>, Arc<Home>),
}

impl TraceHandle {
    /// Starts a trace with its first part. Only on an arbiter.
    pub fn start(
        hosting: Hosting,
        mailbox: usize,
        mut core: TraceCore,
        part: TracePart,
        home: &Arc<Home>,
    ) -> Self {
        core.on_spans(part);
        let home = home.clone();
        match hosting {
            Hosting::Map => Self::Map(Box::new(core), home),
            Hosting::Actor => Self::Actor(start_here(mailbox, |_| TraceActor { core, home })),
        }
    }

    /// Takes the trace's spans of one request.
    pub fn add(&mut self, part: TracePart) -> Result<(), Shut<TracePart>> {
        match self {
            Self::Map(core, _) => core.on_spans(part),
            Self::Actor(door) => {
                return door.pass(AddSpans(part)).map_err(|shut| match shut {
                    Shut::Full(message) => Shut::Full(message.0),
                    Shut::Closed(message) => Shut::Closed(message.0),
                });
            }
        }
        Ok(())
    }

    /// Sends everything held to `reply`; drops it when the trace does not answer.
    pub fn ask(&self, reply: oneshot::Sender<Vec<TracePart>>) {
        match self {
            Self::Map(core, _) => drop(reply.send(core.on_ask())),
            // The one who asks sees the dropped reply.
            Self::Actor(door) => drop(door.pass(Ask(reply))),
        }
    }

    /// Sends what is known to `reply`; drops it when the trace does not answer.
    pub fn ask_facts(&self, reply: oneshot::Sender<TraceFacts>) {
        match self {
            Self::Map(core, _) => drop(reply.send(core.facts())),
            Self::Actor(door) => drop(door.pass(AskFacts(reply))),
        }
    }

    /// Puts everything held into the basket; says whether the trace heard.
    pub fn cut(&mut self, through: u64, basket: &Arc<Basket>) -> bool {
        match self {
            Self::Map(core, _) => basket.put(core.on_cut(through)),
            Self::Actor(door) => return door.pass(Cut { through, basket: basket.clone() }).is_ok(),
        }
        true
    }

    /// Tells what came of the last cut; says whether the trace heard.
    pub fn cut_ended(&mut self, sealed: bool) -> bool {
        match self {
            Self::Map(core, _) if sealed => core.on_sealed(),
            Self::Map(core, _) => core.on_seal_failed(),
            Self::Actor(door) => return door.pass(CutEnded { sealed }).is_ok(),
        }
        true
    }

    /// Copies old parts out of shared batches.
    pub fn rehome(&mut self, before: u64) {
        match self {
            Self::Map(core, home) => core.on_rehome(before, home),
            // A full mailbox: the next round asks again.
            Self::Actor(door) => drop(door.pass(Rehome { before })),
        }
    }
}

impl TraceHandle {
    /// Whether the trace still runs.
    pub fn is_open(&self) -> bool {
        match self {
            Self::Map(..) => true,
            Self::Actor(door) => door.is_open(),
        }
    }
}
