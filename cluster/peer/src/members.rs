//! The cluster as one node sees it.

use std::sync::Arc;

use arc_swap::ArcSwap;
use spanloom_ring::{NodeIndex, NodeName, Ring, Tokens};
use spanloom_span::{Tenant, TraceId};

use crate::{Peer, TenantRing, TenantRings};

/// The cluster at one moment. Replaced whole when something changes; whoever works on a question keeps to one.
pub struct Cluster {
    /// Who owns what.
    pub ring: Ring,
    /// What else is known of each member, in the ring's order.
    pub nodes: Vec<Node>,
    /// This node, once it has found out who is there and has its place.
    pub me: Option<NodeIndex>,
    /// Which nodes each tenant uses.
    pub tenants: TenantRings,
}

/// What is known of a member beside its place on the ring.
#[derive(Clone)]
pub struct Node {
    /// Its name.
    pub name: NodeName,
    /// Who answers for it: a connection, or this process.
    pub peer: Arc<dyn Peer>,
    /// Whether it answers, as far as is known.
    pub is_up: bool,
    /// Which run of its process, milliseconds since 1970.
    pub generation: u64,
}

/// Where the cluster as it is now is found. Clones share one.
#[derive(Clone)]
pub struct Members(Arc<ArcSwap<Cluster>>);

impl Cluster {
    /// What a node sees before it has heard of anybody: an empty ring.
    pub fn of_nobody(ring: Ring) -> Self {
        Self { ring, nodes: Vec::new(), me: None, tenants: TenantRings::default() }
    }

    /// What is known of a member. `node` must come from this cluster's ring.
    pub fn node(&self, node: NodeIndex) -> &Node {
        &self.nodes[node.get()]
    }

    /// Whether a member is taken to be down. `node` must come from this cluster's ring.
    pub fn is_down(&self, node: NodeIndex) -> bool {
        !self.node(node).is_up
    }

    /// The ring of a tenant's nodes: who owns its traces. Nodes have the same numbers as on the ring of all.
    pub fn ring_of(&self, tenant: &Tenant) -> TenantRing<'_> {
        self.tenants.of(&self.ring, tenant)
    }

    /// Whether it is this node that brings a trace to a shared store: the first of the trace's owners that is up, or
    /// anybody when none of them is.
    pub fn ships(&self, tenant: &Tenant, id: &TraceId) -> bool {
        let ring = self.ring_of(tenant);
        let owners = ring.owners_for_write(Tokens::of(tenant).token(id));
        let first = owners.in_order().find(|node| !self.is_down(*node));
        first.is_none_or(|first| Some(first) == self.me)
    }

    /// Whether it is this node that does a job that one node does for all: the job's owner among those that are up, or
    /// anybody while there is none.
    pub fn owns_job(&self, key: u64) -> bool {
        let owner = self.ring.owner_of_job_among(key, |node| !self.is_down(node));
        owner.is_none_or(|owner| Some(owner) == self.me)
    }

    /// Whether an answer is whole though so many nodes are silent: the others have everything, as far as it is known who
    /// the others are. A node that has just started, and has not found out yet, gives no whole answers.
    pub fn is_whole_without(&self, silent: usize) -> bool {
        self.me.is_some() && silent <= self.ring.tolerated()
    }

    /// Everybody else who may hold spans that nobody else can read: members that take spans and have not left, up or
    /// not.
    pub fn others_with_spans(&self) -> impl Iterator<Item = NodeIndex> + '_ {
        self.ring.nodes().filter(|node| Some(*node) != self.me && self.ring.member(*node).may_hold_spans())
    }
}

impl Members {
    /// A place for it.
    pub fn new(cluster: Cluster) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(cluster)))
    }

    /// The cluster as it is now.
    pub fn now(&self) -> Arc<Cluster> {
        self.0.load_full()
    }

    /// Puts another in its place.
    pub fn set(&self, cluster: Cluster) {
        self.0.store(Arc::new(cluster));
    }
}
