//! One share of a request on its way to the node that takes it, or to others in its place.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::join_all;
use spanloom_peer::{Cluster, Peer, PeerError, Push, Pushed};
use spanloom_ring::{NodeName, Tokens};
use spanloom_span::{Batch, Tenant};
use tokio::sync::mpsc;

use super::Inner;
use super::plan::{Instead, Plan, Share, instead};
use crate::refusal::Refusal;

/// A request that is being sent.
pub(super) struct Job {
    pub inner: Arc<Inner>,
    pub cluster: Arc<Cluster>,
    pub tenant: Tenant,
    pub tokens: Tokens,
    pub batch: Arc<Batch>,
    pub plan: Plan,
}

/// What became of a share.
pub(super) struct Delivered {
    /// Its place in the plan.
    pub share: usize,
    pub result: Result<Pushed, PeerError>,
}

impl Job {
    /// Sends a share, and tells when it is kept, or that nobody keeps it.
    pub async fn deliver(self: Arc<Self>, number: usize, report: mpsc::Sender<Delivered>) {
        let share = &self.plan.shares[number];
        let mut first = std::pin::pin!(self.send(share));
        let early = tokio::time::timeout(self.inner.options.stand_in_after, &mut first).await;
        let result = match early {
            Ok(Ok(pushed)) => Ok(pushed),
            // Others would refuse it for the same reason.
            Ok(Err(error @ PeerError::Invalid(_))) => Err(error),
            Ok(Err(error)) => self.send_instead(share).await.ok_or(error),
            Err(_) => {
                let mut second = std::pin::pin!(self.send_instead(share));
                tokio::select! {
                    first = &mut first => match first {
                        Ok(pushed) => Ok(pushed),
                        Err(error) => second.await.ok_or(error),
                    },
                    second = &mut second => match second {
                        Some(pushed) => Ok(pushed),
                        None => first.await,
                    },
                }
            }
        };
        if result.is_err() {
            let spans =
                share.groups.iter().map(|group| u64::from(self.batch.groups()[*group as usize].count));
            self.inner.metrics.copies_missing.inc_by(spans.sum());
        }
        // Whoever waited may have a majority already.
        let _ = report.send(Delivered { share: number, result }).await;
    }

    /// Sends a share to others than its node; `None` when it is not kept whole by them.
    async fn send_instead(&self, share: &Share) -> Option<Pushed> {
        let Instead { shares, is_whole } = {
            let ring = self.cluster.ring_of(&self.tenant);
            let is_down = |node| self.cluster.is_down(node);
            instead(&self.plan, share, &ring, &self.tokens, self.batch.groups(), is_down)
        };
        // What only some take is sent all the same: a copy more is a copy more.
        let results = join_all(shares.iter().map(|share| self.send(share))).await;
        let mut sum = Pushed::default();
        let mut all = is_whole;
        for result in results {
            match result {
                Ok(pushed) => {
                    self.inner.metrics.stand_in_spans.inc_by(pushed.spans);
                    sum.spans += pushed.spans;
                    sum.refused_spans += pushed.refused_spans;
                    sum.message = if sum.message.is_empty() { pushed.message } else { sum.message };
                }
                Err(_) => all = false,
            }
        }
        all.then_some(sum)
    }

    async fn send(&self, share: &Share) -> Result<Pushed, PeerError> {
        let is_all = share.groups.len() == self.batch.groups().len();
        if Some(share.node) == self.cluster.me {
            let batch = match is_all {
                true => Ok(self.batch.clone()),
                false => self.inner.ingest.sliced(self.request_of(share)),
            };
            let kept = match batch {
                Ok(batch) => self.inner.ingest.keep(&self.tenant, batch).await,
                Err(refusal) => Err(refusal),
            };
            let kept = kept.map_err(PeerError::from)?;
            return Ok(Pushed {
                spans: kept.spans,
                refused_spans: kept.refused_spans,
                message: kept.message,
            });
        }
        let request = if is_all { self.batch.bytes().clone() } else { self.request_of(share) };
        let node = self.cluster.node(share.node);
        let _room = OnTheWay::new(&self.inner, &node.name, request.len())?;
        let peer: &Arc<dyn Peer> = &node.peer;
        peer.push(Push { tenant: self.tenant.clone(), request }).await
    }

    fn request_of(&self, share: &Share) -> Bytes {
        self.batch.extract_all(share.groups.iter().map(|group| &self.batch.groups()[*group as usize]))
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
