//! Drives a request: sends its shares, waits, and tells what [`Spread`] says.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use spanloom_peer::{Cluster, Peer, PeerError, PushSliced, Pushed};
use spanloom_ring::{NodeName, Tokens};
use spanloom_span::{Batch, Tenant};
use tokio::sync::oneshot;

use super::Inner;
use super::plan::{Instead, Plan, Share, StandsIn, instead};
use super::spread::{Effect, NotKept, Sending, Spread};
use crate::refusal::Refusal;

/// A request that is being sent.
pub(super) struct Job {
    pub inner: Arc<Inner>,
    pub cluster: Arc<Cluster>,
    pub tenant: Tenant,
    pub tokens: Tokens,
    pub batch: Arc<Batch>,
    /// Its slices, made once for all who get the whole of it.
    pub index: OnceLock<Bytes>,
}

/// What happens to a request.
enum Event {
    Answer(Sending, Result<Pushed, PeerError>),
    /// The shares take long.
    Slow,
    /// It is waited no longer.
    Late,
}

type Events = FuturesUnordered<BoxFuture<'static, Event>>;

impl Job {
    /// Sends what the plan says, tells as soon as it is kept or cannot be, and goes on until all is done.
    pub async fn run(self: Arc<Self>, plan: Plan, tell: oneshot::Sender<Result<Pushed, NotKept>>) {
        let shares = plan.shares.len();
        let (mut spread, effects) = Spread::begin(plan, self.batch.spans().len() as u64);
        let (mut events, mut tell) = (Events::new(), Some(tell));
        let options = self.inner.options;
        for (after, event) in [(options.stand_in_after, Event::Slow), (options.timeout, Event::Late)] {
            events.push(Box::pin(async move {
                tokio::time::sleep(after).await;
                event
            }));
        }
        self.act(effects, &spread, &mut events, &mut tell);
        while !spread.is_over() {
            let Some(event) = events.next().await else { return };
            let ring = self.cluster.ring_of(&self.tenant);
            let effects = match event {
                Event::Answer(sending, answer) => {
                    spread.on_answer(sending, answer, &ring, |plan, share, stands_in| {
                        self.instead(plan, share, stands_in)
                    })
                }
                Event::Slow => {
                    let slow = |share| {
                        spread.on_slow(share, |plan, share, stands_in| self.instead(plan, share, stands_in))
                    };
                    (0..shares).flat_map(slow).collect()
                }
                Event::Late => spread.on_late(),
            };
            drop(ring);
            self.act(effects, &spread, &mut events, &mut tell);
        }
    }

    fn act(
        self: &Arc<Self>,
        effects: Vec<Effect>,
        spread: &Spread,
        events: &mut Events,
        tell: &mut Option<oneshot::Sender<Result<Pushed, NotKept>>>,
    ) {
        let metrics = &self.inner.metrics;
        for effect in effects {
            match effect {
                Effect::Send(sending) => {
                    let (job, share) = (self.clone(), spread.share(sending).clone());
                    events.push(Box::pin(async move { Event::Answer(sending, job.send(&share).await) }));
                }
                // A sender that has gone does not hear it.
                Effect::Tell(result) => drop(tell.take().map(|tell| tell.send(result))),
                Effect::Missing(traces) => drop(metrics.copies_missing.inc_by(traces)),
                Effect::StoodIn(spans) => drop(metrics.stand_in_spans.inc_by(spans)),
            }
        }
    }

    fn instead(&self, plan: &Plan, share: &Share, stands_in: &StandsIn<'_>) -> Instead {
        let ring = self.cluster.ring_of(&self.tenant);
        let is_down = |node| self.cluster.is_down(node);
        instead(plan, share, &ring, &self.tokens, self.batch.groups(), is_down, stands_in)
    }

    async fn send(&self, share: &Share) -> Result<Pushed, PeerError> {
        let is_all = share.groups.len() == self.batch.groups().len();
        if Some(share.node) == self.cluster.me {
            let batch = match is_all {
                true => self.batch.clone(),
                false => self.inner.ingest.held(self.batch_of(share)),
            };
            let kept = self.inner.ingest.keep(&self.tenant, batch).await.map_err(PeerError::from)?;
            return Ok(Pushed {
                spans: kept.spans,
                refused_spans: kept.refused_spans,
                message: kept.message,
            });
        }
        let (request, index) = match is_all {
            true => {
                let index = self.index.get_or_init(|| self.batch.index().into());
                (self.batch.bytes().clone(), index.clone())
            }
            false => {
                let batch = self.batch_of(share);
                (batch.bytes().clone(), batch.index().into())
            }
        };
        let node = self.cluster.node(share.node);
        let _room = OnTheWay::new(&self.inner, &node.name, request.len() + index.len())?;
        let peer: &Arc<dyn Peer> = &node.peer;
        peer.push_sliced(PushSliced { tenant: self.tenant.clone(), request, index }).await
    }

    fn batch_of(&self, share: &Share) -> Batch {
        let groups = share.groups.iter().map(|group| &self.batch.groups()[*group as usize]);
        self.batch.extract_batch(&groups.collect::<Vec<_>>())
    }
}

/// Bytes on their way to a node, until it is dropped.
struct OnTheWay<'i> {
    inner: &'i Inner,
    node: NodeName,
    bytes: usize,
}

impl<'i> OnTheWay<'i> {
    fn new(inner: &'i Inner, node: &NodeName, bytes: usize) -> Result<Self, PeerError> {
        let most = inner.options.inflight_bytes;
        let mut on_the_way = inner.on_the_way.lock();
        let sum = on_the_way.entry(node.clone()).or_default();
        // One that is larger than the limit may go alone.
        if *sum > 0 && *sum + bytes > most {
            inner.metrics.refused("inflight_bytes");
            return Err(PeerError::Exhausted {
                message: format!("{sum} bytes are on their way to node {node}, {most} are allowed"),
                retry_after: inner.options.retry_after,
            });
        }
        *sum += bytes;
        Ok(Self { inner, node: node.clone(), bytes })
    }
}

impl Drop for OnTheWay<'_> {
    fn drop(&mut self) {
        let mut on_the_way = self.inner.on_the_way.lock();
        if let Some(sum) = on_the_way.get_mut(&self.node) {
            *sum -= self.bytes;
            if *sum == 0 {
                on_the_way.remove(&self.node);
            }
        }
    }
}

impl From<Refusal> for PeerError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Invalid(message) => Self::Invalid(message),
            Refusal::Exhausted { message, retry_after } => Self::Exhausted { message, retry_after },
            Refusal::Unavailable(message) => Self::Unavailable(message),
            Refusal::Stopping => Self::Unavailable(Refusal::Stopping.to_string()),
        }
    }
}
