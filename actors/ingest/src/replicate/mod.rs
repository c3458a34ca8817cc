//! Spans to the nodes that own their traces: what comes before stop 3 in a cluster.
//!
//! A request is sliced once. Each node that owns some of its traces gets one message with all of those; all are sent at
//! the same time, and the sender is answered when of every trace a majority of the owners has what it brought, at their
//! durability. The others go on meanwhile. What a node that is down would take goes to the next node on the ring that is
//! healthy; what a node refuses, or does not acknowledge for a while, goes there as well. Whoever reads asks all nodes,
//! so what others hold is found.
//!
//! | file | holds |
//! |---|---|
//! | `plan.rs` | who takes what, and when it is enough; pure |
//! | `deliver.rs` | one share on its way |
//! | `handover.rs` | what a node that leaves brings to others |
//! | `metrics.rs` | what is counted |
//!
//! **Invariant:** what is acknowledged is kept by a majority of its owners, or of those who do for them.

mod deliver;
mod handover;
mod metrics;
mod plan;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use foldhash::HashMap;
use parking_lot::Mutex;
use spanloom_peer::{Cluster, Members, PeerError, Pushed};
use spanloom_ring::{NodeName, Tokens};
use spanloom_span::{Batch, Tenant};
use spanloom_stage::Permit;
use tokio::sync::mpsc;

use crate::distributor::LeftOut;
use crate::ingest::{Held, Ingest};
use crate::refusal::{Accepted, Refusal};
use deliver::{Delivered, Job};
pub use handover::{HandOverError, HandedOver};
pub use metrics::ReplicateMetrics;
use plan::{Kept, Nobody, Plan};

/// Settings of replication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplicateOptions {
    /// How long a node may take to acknowledge before another takes its share as well.
    pub stand_in_after: Duration,
    /// After this long without a majority a request is refused.
    pub timeout: Duration,
    /// Most bytes on their way to one node; with more it is taken to be too slow, and others take its share.
    pub inflight_bytes: usize,
    /// What a refused sender is told to wait.
    pub retry_after: Duration,
}

impl Default for ReplicateOptions {
    fn default() -> Self {
        Self {
            stand_in_after: Duration::from_millis(500),
            timeout: Duration::from_secs(5),
            inflight_bytes: 32 << 20,
            retry_after: Duration::from_secs(1),
        }
    }
}

/// Takes spans in for the whole cluster; without one, for this node. Clones share one.
#[derive(Clone)]
pub struct Replicator {
    inner: Arc<Inner>,
}

struct Inner {
    ingest: Ingest,
    members: Option<Members>,
    options: ReplicateOptions,
    metrics: Arc<ReplicateMetrics>,
    /// Bytes on their way to each node.
    on_the_way: Mutex<HashMap<NodeName, usize>>,
}

impl Replicator {
    /// In front of this node's ingest role. Without members everything goes there.
    pub fn new(
        ingest: Ingest,
        members: Option<Members>,
        metrics: Arc<ReplicateMetrics>,
        options: ReplicateOptions,
    ) -> Self {
        let on_the_way = Mutex::default();
        Self { inner: Arc::new(Inner { ingest, members, options, metrics, on_the_way }) }
    }

    /// Admission: takes room on this node for so many bytes, waiting a little for it.
    pub async fn admit(&self, bytes: usize) -> Result<Permit, Refusal> {
        self.inner.ingest.admit(bytes).await
    }

    /// Checks a request and returns when a majority of the owners of each of its traces keeps it.
    ///
    /// `held` is the room that [`Self::admit`] gave for the request's bytes.
    ///
    /// # Errors
    /// After a refusal some owners may have kept what was theirs. Sending again is safe, since duplicates are removed.
    pub async fn push(&self, tenant: &Tenant, request: Bytes, held: Held) -> Result<Accepted, Refusal> {
        let Some(members) = &self.inner.members else {
            return self.inner.ingest.push(tenant, request, held).await;
        };
        let cluster = members.now();
        let begun = Instant::now();
        let result = self.spread(tenant, request, held, cluster).await;
        match &result {
            Ok(_) => self.inner.metrics.seconds.observe(begun.elapsed().as_secs_f64()),
            Err(refusal) => self.inner.metrics.refused(refusal.reason()),
        }
        result
    }

    async fn spread(
        &self,
        tenant: &Tenant,
        request: Bytes,
        held: Held,
        cluster: Arc<Cluster>,
    ) -> Result<Accepted, Refusal> {
        let inner = &self.inner;
        let (batch, left_out) = inner.ingest.sliced_within_limits(request)?;
        drop(held);
        let spans = batch.spans().len() as u64;
        let tokens = Tokens::of(tenant);
        let is_down = |node| cluster.is_down(node);
        let ring = cluster.ring_of(tenant);
        let plan = Plan::new(&ring, &tokens, batch.groups(), is_down).map_err(|Nobody| nobody())?;
        let mut all = Kept::none(&plan);
        plan.shares.iter().for_each(|share| all.add(share));
        if !all.is_enough(&plan, &ring) {
            return Err(too_few(&cluster));
        }
        drop(ring);
        let job = Job { inner: inner.clone(), cluster, tenant: tenant.clone(), tokens, batch, plan };
        let pushed = self.send(Arc::new(job)).await?;
        let refused = pushed.refused_spans.min(spans);
        let message = if left_out.spans > 0 { left_out.message } else { pushed.message };
        Ok(Accepted { spans: spans - refused, refused_spans: left_out.spans + refused, message })
    }

    /// Sends all shares and waits for majorities. What nodes left out by their limits is counted for all copies
    /// together, so what comes back is a share of it.
    async fn send(&self, job: Arc<Job>) -> Result<Pushed, Refusal> {
        let (report, mut reports) = mpsc::channel::<Delivered>(job.plan.shares.len().max(1));
        for number in 0..job.plan.shares.len() {
            tokio::spawn(job.clone().deliver(number, report.clone()));
        }
        drop(report);
        let mut kept = Kept::none(&job.plan);
        let (mut left_out, mut spans, mut errors) = (LeftOut::default(), 0, Vec::new());
        let ring = job.cluster.ring_of(&job.tenant);
        let deadline = tokio::time::Instant::now() + self.inner.options.timeout;
        while !kept.is_enough(&job.plan, &ring) {
            match tokio::time::timeout_at(deadline, reports.recv()).await {
                Ok(Some(Delivered { share, result: Ok(pushed) })) => {
                    kept.add(&job.plan.shares[share]);
                    spans += pushed.spans + pushed.refused_spans;
                    left_out.spans += pushed.refused_spans;
                    left_out.message =
                        if left_out.message.is_empty() { pushed.message } else { left_out.message };
                }
                Ok(Some(Delivered { share, result: Err(error) })) => {
                    errors.push((job.plan.shares[share].node, error));
                }
                Ok(None) => return Err(self.not_kept(&job, &errors, "")),
                Err(_) => return Err(self.not_kept(&job, &errors, "; the others did not answer in time")),
            }
        }
        // Of so many copies these were left out; of so many spans that is:
        let batch = job.batch.spans().len() as u64;
        let refused = (left_out.spans * batch).div_ceil(spans.max(1)).min(batch);
        Ok(Pushed { spans: batch - refused, refused_spans: refused, message: left_out.message })
    }

    /// Why no majority has it.
    fn not_kept(&self, job: &Job, errors: &[(spanloom_ring::NodeIndex, PeerError)], more: &str) -> Refusal {
        if let [(_, first), rest @ ..] = errors
            && matches!(first, PeerError::Invalid(_))
            && rest.iter().all(|(_, error)| matches!(error, PeerError::Invalid(_)))
        {
            return Refusal::Invalid(first.to_string());
        }
        let named: Vec<String> =
            errors.iter().map(|(node, error)| format!("{}: {error}", job.cluster.node(*node).name)).collect();
        let message =
            format!("the spans were not kept by a majority of their owners: {}{more}", named.join("; "));
        let busy = errors.iter().filter_map(|(_, error)| match error {
            PeerError::Exhausted { retry_after, .. } => Some(*retry_after),
            PeerError::Busy => Some(self.inner.options.retry_after),
            _ => None,
        });
        match busy.max() {
            Some(retry_after) => Refusal::Exhausted { message, retry_after },
            None => Refusal::Unavailable(message),
        }
    }
}

fn nobody() -> Refusal {
    Refusal::Unavailable(
        "no node of the cluster owns traces yet, or all of them are leaving; /ring shows their states".into(),
    )
}

fn too_few(cluster: &Cluster) -> Refusal {
    let down: Vec<&str> =
        cluster.nodes.iter().filter(|node| !node.is_up).map(|node| node.name.as_str()).collect();
    Refusal::Unavailable(format!(
        "too few nodes are up to keep the spans on a majority of their owners; down: {}",
        down.join(", ")
    ))
}

impl Ingest {
    /// A request checked and sliced, without spans that are too large.
    fn sliced_within_limits(&self, request: Bytes) -> Result<(Arc<Batch>, LeftOut), Refusal> {
        let batch = self.sliced(request)?;
        let left_out = self.too_large(&batch);
        if left_out.spans == 0 {
            return Ok((batch, left_out));
        }
        let rest = batch.extract_all(batch.groups().iter());
        Ok((self.sliced(rest)?, left_out))
    }
}

#[cfg(test)]
mod tests;
