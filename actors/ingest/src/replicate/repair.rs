//! A node fetches what it lacks of the traces that it owns: what it missed while it was down or cut off, what owners
//! before it had of ranges that it gained, what nobody brought it.
//!
//! Each node sees to its own copies alone, so nobody coordinates. It asks the others one after the other, a page of traces
//! at a time, not faster than a bound, and only reads from them.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use spanloom_peer::{Cluster, Node, PeerError};
use spanloom_ring::Tokens;
use spanloom_span::Tenant;

use super::Replicator;
use super::carry::{Allowed, Carrier, Here, Keeps, Pace};
use super::errand::{Fruitless, Unlike, Way};
use super::rounds::Rounds;

/// It is looked so often whether a round is due.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A round begins so long after something happened.
const SOON: Duration = Duration::from_secs(5);

/// Clocks of senders may be ahead by so much.
const AHEAD: Duration = Duration::from_secs(3600);

/// Differences that are known to bring nothing: 2 MiB.
const FRUITLESS: usize = 128 << 10;

/// Settings of repair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RepairOptions {
    /// How often a node looks what it lacks, beside the times when something happened; zero is never.
    pub every: Duration,
    /// Most bytes of other nodes in a second; 0 is no bound.
    pub bytes_per_second: u64,
}

impl Default for RepairOptions {
    fn default() -> Self {
        Self { every: Duration::from_secs(600), bytes_per_second: 16 << 20 }
    }
}

/// Has this node fetch what it lacks. Clones share one.
#[derive(Clone)]
pub struct Repair {
    inner: Arc<Inner>,
}

struct Inner {
    replicator: Replicator,
    here: Arc<dyn Here>,
    allowed: Allowed,
    options: RepairOptions,
    pace: Pace,
    fruitless: Mutex<Fruitless>,
    /// One round at a time.
    alone: tokio::sync::Mutex<()>,
}

/// What came of a round.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Repaired {
    /// Nodes that own ranges now and are down, or did not answer. What was acknowledged is on a majority of its owners of
    /// now, so nothing is missed while these are as few as may be silent when a question is answered whole.
    pub silent: usize,
    /// Why one of those that are up did not.
    pub why: Option<PeerError>,
}

impl Repair {
    /// Nothing happens before it is asked to.
    pub fn new(
        replicator: Replicator,
        here: Arc<dyn Here>,
        allowed: Allowed,
        options: RepairOptions,
    ) -> Self {
        let pace = Pace::new(options.bytes_per_second);
        let (fruitless, alone) = (Mutex::new(Fruitless::new(FRUITLESS)), tokio::sync::Mutex::default());
        Self { inner: Arc::new(Inner { replicator, here, allowed, options, pace, fruitless, alone }) }
    }

    /// Does a round whenever one is due, for ever. It may be dropped at any time.
    pub async fn run(self) {
        let inner = &self.inner;
        let Some(members) = &inner.replicator.inner.members else { return };
        let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let begun = Instant::now();
        let mut rounds = Rounds::new(ms(inner.options.every), ms(SOON));
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let cluster = members.now();
            rounds.look(ms(begun.elapsed()), &cluster);
            if !rounds.is_due(ms(begun.elapsed())) {
                continue;
            }
            rounds.begun();
            let Repaired { why, .. } = self.round(&cluster).await;
            if let Some(error) = &why {
                tracing::info!(%error, "what this node lacks was not compared with all others; tried again soon");
            }
            rounds.ended(ms(begun.elapsed()), why.is_none());
        }
    }

    /// Fetches now what this node owns, or will own, and lacks.
    pub async fn fetch(&self) -> Repaired {
        match &self.inner.replicator.inner.members {
            Some(members) => self.round(&members.now()).await,
            None => Repaired::default(),
        }
    }

    async fn round(&self, cluster: &Cluster) -> Repaired {
        let _alone = self.inner.alone.lock().await;
        let metrics = &self.inner.replicator.inner.metrics;
        let before = metrics.spans_fetched.get();
        let mut repaired = Repaired::default();
        for index in cluster.others_with_spans() {
            let (node, owns_now) = (cluster.node(index), cluster.ring.member(index).owns_now());
            if !node.is_up {
                repaired.silent += usize::from(owns_now);
            } else if let Err(error) = self.compare(cluster, node).await {
                tracing::debug!(name = %node.name, %error, "a node's traces could not be compared with");
                metrics.repairs_failed.inc();
                (repaired.silent, repaired.why) = (repaired.silent + usize::from(owns_now), Some(error));
            }
        }
        metrics.repair_rounds.inc();
        let spans = metrics.spans_fetched.get() - before;
        if spans > 0 {
            tracing::info!(spans, silent = repaired.silent, "fetched spans that this node lacked");
        }
        repaired
    }

    async fn compare(&self, cluster: &Cluster, node: &Node) -> Result<(), PeerError> {
        for tenant in node.peer.list_tenants().await? {
            self.compare_tenant(cluster, node, &tenant).await?;
        }
        Ok(())
    }

    async fn compare_tenant(&self, cluster: &Cluster, node: &Node, tenant: &Tenant) -> Result<(), PeerError> {
        let inner = &self.inner;
        let Some(ended) = ended((inner.allowed.keeps)(tenant)) else { return Ok(()) };
        let tokens = Tokens::of(tenant);
        let wanted = |unlike: &Unlike| {
            let Some(me) = cluster.me else { return false };
            let token = tokens.token(&unlike.id);
            cluster.ring_of(tenant).owners_for_read(token).contains(me)
                && !inner.fruitless.lock().has(&node.name, tenant, unlike)
        };
        let brought_nothing = |unlike: &Unlike| inner.fruitless.lock().add(&node.name, tenant, unlike);
        let carrier = Carrier {
            replicator: &inner.replicator,
            here: &*inner.here,
            node,
            tenant,
            way: Way::Fetch,
            ended,
            allowed: &inner.allowed,
            pace: &inner.pace,
        };
        carrier.run(wanted, brought_nothing).await
    }
}

/// When spans must have ended that are fetched, where spans are removed by when they came: not before the time for which
/// they are kept, nor far in what is yet to come, since when that was taken nobody can tell. A copy counts as new where it
/// is fetched, so by when it came it would be kept as long again, and again by others when it is gone here. `None` when
/// nothing is kept.
fn ended(keeps: Keeps) -> Option<RangeInclusive<u64>> {
    let time = match keeps {
        Keeps::ForEver => return Some(0..=u64::MAX),
        Keeps::Nothing => return None,
        Keeps::For(time) => time,
    };
    let ns = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Some(ns(now.saturating_sub(time))..=ns(now + AHEAD))
}
