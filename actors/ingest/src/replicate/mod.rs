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
//! | `spread.rs` | what is under way, what is kept, and what to send next; pure |
//! | `deliver.rs` | drives it: sends, waits, tells |
//! | `errand.rs` | two nodes' copies compared, and what one of them lacks; pure |
//! | `rounds.rs` | when a node compares; pure |
//! | `carry.rs` | drives an errand: asks both, brings what is lacking |
//! | `repair.rs` | what a node fetches that it owns and lacks |
//! | `handover.rs` | what a node that leaves gives to others |
//! | `metrics.rs` | what is counted |
//!
//! **Invariant:** what is acknowledged is kept by a majority of its owners, or of those who do for them.

mod carry;
mod deliver;
pub mod errand;
mod handover;
mod metrics;
pub mod plan;
mod repair;
pub mod rounds;
pub mod spread;

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use foldhash::HashMap;
use parking_lot::Mutex;
use spanloom_peer::{Cluster, Members, PeerError};
use spanloom_ring::{NodeName, Tokens};
use spanloom_span::{Batch, Tenant};
use spanloom_stage::Permit;
use tokio::sync::oneshot;

use crate::distributor::LeftOut;
use crate::ingest::{Held, Ingest};
use crate::refusal::{Accepted, Refusal};
pub use carry::{Allowed, Here, Keeping, Keeps, May};
use deliver::Job;
pub use handover::HandOverError;
pub use metrics::ReplicateMetrics;
use plan::{Kept, Nobody, Plan};
pub use repair::{Repair, RepairOptions, Repaired};
use spread::NotKept;

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
        let job = Arc::new(Job {
            inner: inner.clone(),
            cluster,
            tenant: tenant.clone(),
            tokens,
            batch,
            index: OnceLock::new(),
        });
        let (tell, told) = oneshot::channel();
        // A task of its own: the last copies are brought whether or not the sender waits.
        tokio::spawn(job.clone().run(plan, tell));
        let pushed = match told.await {
            Ok(Ok(pushed)) => pushed,
            Ok(Err(not_kept)) => return Err(self.not_kept(&job.cluster, &not_kept)),
            Err(_) => return Err(Refusal::Stopping),
        };
        let message = if left_out.spans > 0 { left_out.message } else { pushed.message };
        let refused_spans = left_out.spans + pushed.refused_spans;
        Ok(Accepted { spans: pushed.spans, refused_spans, message })
    }

    /// Why no majority has it.
    fn not_kept(&self, cluster: &Cluster, not_kept: &NotKept) -> Refusal {
        let NotKept { errors, is_late } = not_kept;
        let is_wrong = |(_, error): &(_, PeerError)| matches!(error, PeerError::Invalid(_));
        if let [(_, first), ..] = &errors[..]
            && errors.iter().all(is_wrong)
        {
            return Refusal::Invalid(first.to_string());
        }
        let named = errors.iter().map(|(node, error)| format!("{}: {error}", cluster.node(*node).name));
        let mut named: Vec<String> = named.collect();
        if *is_late {
            named.push(format!("no answer of the others within {:?}", self.inner.options.timeout));
        }
        let message = format!("the spans were not kept by a majority of their owners: {}", named.join("; "));
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
