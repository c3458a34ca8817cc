//! A node that leaves gives what it has to those who will own it.
//!
//! All who will own a trace when the node has left are asked what they have of it, whether or not they own it now, and
//! each is given what it lacks: that the others have their copies nobody has seen to. Of those that are down the next node
//! that is up takes it; there must be as many as a write of the trace would need. This is done twice: while the node takes
//! what comes, and once more when it takes nothing any more. So what was acknowledged is on a majority of its owners, or
//! of those who stand in for them, when the node is gone. With a shared store behind the blocks nobody needs that: they
//! are brought there.

use spanloom_peer::{Cluster, ListTraces, MAX_TRACES, PeerError};
use spanloom_ring::{NodeName, Tokens};
use spanloom_span::Tenant;

use super::Replicator;
use super::carry::{Allowed, Carrier, Here, Pace};
use super::errand::{Unlike, Way};
use super::plan::heirs;

/// Why not everything was given to others. What was is there, and is found once; doing it again does no harm.
#[derive(Debug, thiserror::Error)]
pub enum HandOverError {
    /// What is live could not be sealed.
    #[error("what is live cannot be sealed: {0}")]
    Seal(String),
    /// What this node has cannot be listed.
    #[error("this node's own traces cannot be listed: {0}")]
    Own(PeerError),
    /// Too few of those who will own something are up.
    #[error("too few nodes are up to keep on a majority of its owners what this node has")]
    TooFew,
    /// A node does not take what it will own.
    #[error("node {node} does not take what it will own: {source}")]
    Node {
        /// Which.
        node: NodeName,
        /// Why.
        source: PeerError,
    },
}

impl Replicator {
    /// Gives what this node has to the nodes that will own it, and lack it; nothing where there is no cluster. With a
    /// shared store everything is sealed instead, to be brought there.
    ///
    /// # Errors
    /// What was not given stays here.
    pub async fn hand_over(&self, here: &dyn Here, has_store: bool) -> Result<(), HandOverError> {
        let Some(members) = &self.inner.members else { return Ok(()) };
        if has_store {
            return self.inner.ingest.flush().await.map_err(HandOverError::Seal);
        }
        let cluster = members.now();
        for tenant in here.list_tenants().await.map_err(HandOverError::Own)? {
            self.all_have_heirs(here, &cluster, &tenant).await?;
            self.give(here, &cluster, &tenant).await?;
        }
        Ok(())
    }

    /// From now on this node takes no spans, neither of others nor of what is sent to itself; others stand in for it.
    /// When this returns, what was acknowledged is what there is.
    pub async fn take_no_more(&self) -> Result<(), String> {
        self.inner.ingest.take_no_more().await
    }

    async fn all_have_heirs(
        &self,
        here: &dyn Here,
        cluster: &Cluster,
        tenant: &Tenant,
    ) -> Result<(), HandOverError> {
        let tokens = Tokens::of(tenant);
        let mut after = None;
        loop {
            let question = ListTraces { tenant: tenant.clone(), after, since: 0, most: MAX_TRACES };
            let own = here.list_traces(question).await.map_err(HandOverError::Own)?;
            let ring = cluster.ring_of(tenant);
            let has_heirs =
                |id| heirs(&ring, tokens.token(id), cluster.me, |node| cluster.is_down(node)).is_quorum;
            if !own.traces.iter().all(|sum| has_heirs(&sum.id)) {
                return Err(HandOverError::TooFew);
            }
            after = own.through();
            if after.is_none() {
                return Ok(());
            }
        }
    }

    async fn give(&self, here: &dyn Here, cluster: &Cluster, tenant: &Tenant) -> Result<(), HandOverError> {
        let tokens = Tokens::of(tenant);
        let up = cluster.others_with_spans().filter(|node| !cluster.is_down(*node));
        for index in up {
            let node = cluster.node(index);
            let wanted = |unlike: &Unlike| {
                let token = tokens.token(&unlike.id);
                let ring = cluster.ring_of(tenant);
                heirs(&ring, token, cluster.me, |node| cluster.is_down(node)).nodes.contains(&index)
            };
            let carrier = Carrier {
                replicator: self,
                here,
                node,
                tenant,
                way: Way::Give,
                ended: 0..=u64::MAX,
                allowed: &Allowed::default(),
                pace: &Pace::new(0),
            };
            let given = carrier.run(wanted, |_| {}).await;
            given.map_err(|source| HandOverError::Node { node: node.name.clone(), source })?;
        }
        Ok(())
    }
}
