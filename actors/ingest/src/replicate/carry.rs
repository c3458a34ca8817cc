//! Drives an errand: asks both nodes, and brings what one of them lacks.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::join_all;
use spanloom_peer::{
    Answer, FindTrace, ListTraces, Node, PeerError, Push, TraceCopy, TraceList, decode_copy,
};
use spanloom_span::model::{Span, Trace};
use spanloom_span::{Tenant, TraceId};

use super::Replicator;
use super::errand::{Errand, Next, Unlike, Way};

/// Traces that are compared together.
const TRACES: u32 = 16 << 10;

/// Bytes of a trace in a list.
const TRACE_BYTES: usize = 24;

/// Bytes of spans that are brought together, about.
const REQUEST_BYTES: usize = 1 << 20;

/// How often it is tried again where there is no room.
const TRIES: u32 = 60;

/// Longest pause before that.
const PAUSE: Duration = Duration::from_secs(5);

/// What this node has, as it is compared with what others have.
pub trait Here: Send + Sync + 'static {
    /// The tenants of which there may be something.
    fn list_tenants(&self) -> Answer<'_, Vec<Tenant>>;

    /// Traces of blocks that can be read without waiting for a store, and live ones.
    fn list_traces(&self, question: ListTraces) -> Answer<'_, TraceList>;

    /// A trace, with what a store has of it.
    fn find_trace(&self, question: FindTrace) -> Answer<'_, TraceCopy>;
}

/// What may be brought to this node.
pub struct Allowed {
    /// Held for reading while spans are on their way here; who holds it for writing changes what is allowed.
    pub quiet: Arc<tokio::sync::RwLock<()>>,
    /// Whether a span may be brought: `false` for those that were deleted from here on purpose.
    pub may: Box<May>,
    /// How long a tenant's spans are kept here.
    pub keeps: Box<Keeping>,
}

/// How long a tenant's spans are kept.
pub type Keeping = dyn Fn(&Tenant) -> Keeps + Send + Sync;

/// How long spans are kept that are fetched: they count as new here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeps {
    /// Until they are deleted on purpose.
    ForEver,
    /// So long.
    For(Duration),
    /// There is no room: others would be removed for them.
    Nothing,
}

/// Whether a span of a tenant's trace may be brought.
pub type May = dyn Fn(&Tenant, &TraceId, &Span) -> bool + Send + Sync;

impl Default for Allowed {
    fn default() -> Self {
        Self { quiet: Arc::default(), may: Box::new(|_, _, _| true), keeps: Box::new(|_| Keeps::ForEver) }
    }
}

/// Bytes in a second.
pub(super) struct Pace {
    /// 0 is no bound.
    bytes_per_second: u64,
    free_at: parking_lot::Mutex<Instant>,
}

impl Pace {
    pub fn new(bytes_per_second: u64) -> Self {
        Self { bytes_per_second, free_at: parking_lot::Mutex::new(Instant::now()) }
    }

    /// Waits until so many bytes are within it.
    async fn keep(&self, bytes: usize) {
        if self.bytes_per_second == 0 {
            return;
        }
        let until = {
            let mut free_at = self.free_at.lock();
            let takes = Duration::from_secs_f64(bytes as f64 / self.bytes_per_second as f64);
            *free_at = (*free_at).max(Instant::now()) + takes;
            *free_at
        };
        tokio::time::sleep_until(until.into()).await;
    }
}

/// An errand to another node.
pub(super) struct Carrier<'a> {
    pub replicator: &'a Replicator,
    pub here: &'a dyn Here,
    pub node: &'a Node,
    pub tenant: &'a Tenant,
    pub way: Way,
    /// When what is fetched must have ended, in nanoseconds since 1970.
    pub ended: RangeInclusive<u64>,
    pub allowed: &'a Allowed,
    pub pace: &'a Pace,
}

impl Carrier<'_> {
    /// Does it: looks at what is `wanted`, and tells of what `brought_nothing`.
    pub async fn run(
        &self,
        mut wanted: impl FnMut(&Unlike) -> bool,
        mut brought_nothing: impl FnMut(&Unlike),
    ) -> Result<(), PeerError> {
        let mut errand = Errand::new(self.way, REQUEST_BYTES);
        let metrics = &self.replicator.inner.metrics;
        let (mut counted, mut quiet) = (errand.tally(), None);
        loop {
            match errand.step() {
                Next::List(after) => {
                    quiet = None;
                    let (own, theirs) = self.lists(after).await?;
                    errand.listed(&own, &theirs, &mut wanted);
                }
                Next::Find(some) => {
                    if self.way == Way::Fetch && quiet.is_none() {
                        quiet = Some(self.allowed.quiet.read().await);
                    }
                    let copies = join_all(some.iter().map(|unlike| self.copies(unlike))).await;
                    for (unlike, copies) in some.iter().zip(copies) {
                        let (own, theirs) = copies?;
                        let is_fetched = self.way == Way::Fetch;
                        let may = |id: &TraceId, span: &Span| !is_fetched || self.may(id, span);
                        if errand.found(own, theirs, may) == 0 {
                            brought_nothing(unlike);
                        }
                    }
                }
                Next::Deliver(request) => {
                    self.bring(request).await?;
                    quiet = None;
                }
                Next::Over => return Ok(()),
            }
            let tally = errand.tally();
            metrics.traces_compared.inc_by(tally.compared - counted.compared);
            metrics.traces_differing.inc_by(tally.looked_at - counted.looked_at);
            if self.way == Way::Fetch {
                metrics.spans_fetched.inc_by(tally.spans - counted.spans);
            } else {
                metrics.spans_handed_over.inc_by(tally.spans - counted.spans);
            }
            counted = tally;
        }
    }

    /// What may come: nothing that was deleted here, and nothing that retention would remove at once.
    fn may(&self, id: &TraceId, span: &Span) -> bool {
        self.ended.contains(&span.end_time_unix_nano) && (self.allowed.may)(self.tenant, id, span)
    }

    async fn lists(&self, after: Option<TraceId>) -> Result<(TraceList, TraceList), PeerError> {
        let question = |since| ListTraces { tenant: self.tenant.clone(), after, since, most: TRACES };
        let lists = tokio::join!(
            self.here.list_traces(question(0)),
            self.node.peer.list_traces(question(*self.ended.start()))
        );
        let (own, theirs) = (lists.0?, lists.1?);
        self.count(theirs.traces.len() * TRACE_BYTES).await;
        Ok((own, theirs))
    }

    /// Both copies of a trace, of those who have one.
    async fn copies(&self, unlike: &Unlike) -> Result<(Option<Trace>, Option<Trace>), PeerError> {
        let question = || FindTrace { tenant: self.tenant.clone(), id: unlike.id };
        let own = async {
            // What a store has of it is not listed.
            let asks = unlike.own.is_some() || self.way == Way::Fetch;
            if asks { self.here.find_trace(question()).await } else { Ok(TraceCopy::default()) }
        };
        let theirs = async {
            match unlike.theirs {
                Some(_) => self.node.peer.find_trace(question()).await,
                None => Ok(TraceCopy::default()),
            }
        };
        let (own, theirs) = tokio::join!(own, theirs);
        let (own, theirs) = (own?.spans, theirs?.spans);
        self.count(theirs.len()).await;
        let id = unlike.id;
        let decoded = move || Ok((decode_copy(&id, own)?, decode_copy(&id, theirs)?));
        tokio::task::spawn_blocking(decoded).await.map_err(|_| PeerError::Gone)?
    }

    async fn bring(&self, request: Bytes) -> Result<(), PeerError> {
        let mut tries = 0;
        loop {
            tries += 1;
            let push = Push { tenant: self.tenant.clone(), request: request.clone() };
            let answer = match self.way {
                Way::Fetch => self.keep(push).await,
                Way::Give => self.node.peer.push(push).await.map(|_| ()),
            };
            match answer {
                Err(PeerError::Exhausted { retry_after, .. }) if tries < TRIES => {
                    tokio::time::sleep(retry_after.min(PAUSE)).await;
                }
                answer => break answer,
            }
        }?;
        if self.way == Way::Give {
            self.count(request.len()).await;
        }
        Ok(())
    }

    async fn keep(&self, Push { tenant, request }: Push) -> Result<(), PeerError> {
        let ingest = &self.replicator.inner.ingest;
        let held = ingest.admit(request.len()).await?;
        ingest.push(&tenant, request, Box::new(held)).await?;
        Ok(())
    }

    async fn count(&self, bytes: usize) {
        self.replicator.inner.metrics.bytes_compared.inc_by(bytes as u64);
        self.pace.keep(bytes).await;
    }
}
