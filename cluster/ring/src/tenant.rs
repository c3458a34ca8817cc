//! Shuffle sharding: each tenant uses a few nodes of its own choice, so that a tenant who overloads its nodes
//! disturbs few others (AWS Builders' Library, "Workload isolation using shuffle sharding").
//!
//! A tenant ranks the nodes of each zone by a hash of both names. Its shard are the `size` nodes with the smallest
//! (rank within the zone, order over all): spread over the zones as evenly as they allow. A node that comes or goes
//! is itself the only one to come or go, and at most one other makes room or takes the place.

use spanloom_span::Tenant;
use xxhash_rust::xxh3::xxh3_64;

use crate::order::keyed_weight;
use crate::{NodeIndex, Ring};

/// The nodes of a tenant, on the ring that they were asked of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantShard {
    now: Vec<NodeIndex>,
    next: Vec<NodeIndex>,
}

impl TenantShard {
    /// Those that own the tenant's traces now, ascending.
    pub fn now(&self) -> &[NodeIndex] {
        &self.now
    }

    /// Those that will when everybody has arrived or gone, ascending.
    pub fn next(&self) -> &[NodeIndex] {
        &self.next
    }

    /// All of them, ascending.
    pub fn nodes(&self) -> Vec<NodeIndex> {
        let mut nodes = [&self.now[..], &self.next].concat();
        nodes.sort_unstable();
        nodes.dedup();
        nodes
    }
}

impl Ring {
    /// The `size` nodes that a tenant uses; all that own ranges if `size` is 0 or there are not more. It should
    /// not be below the replication. Costs some 20 ns a member: callers keep it as long as the ring.
    pub fn shard_of_tenant(&self, tenant: &Tenant, size: usize) -> TenantShard {
        let key = xxh3_64(tenant.as_str().as_bytes());
        let weight = |node: NodeIndex| keyed_weight(self.member(node).name(), key);
        let mut all: Vec<(u64, NodeIndex)> = self.nodes().map(|node| (weight(node), node)).collect();
        all.sort_unstable_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
        let choose = |owns: &dyn Fn(NodeIndex) -> bool| {
            let nodes = all.iter().map(|(_, node)| *node).filter(|node| owns(*node));
            self.first_of_zones(nodes, if size == 0 { usize::MAX } else { size })
        };
        TenantShard { now: choose(&|node| self.owns(node).0), next: choose(&|node| self.owns(node).1) }
    }

    /// The ring of a tenant's nodes alone, for the tenant's tokens. Everything holds for it that holds for a ring,
    /// through every step of membership, too. Callers keep it as long as this ring; it shares the members.
    pub fn within(&self, shard: &TenantShard) -> Ring {
        let flags =
            |nodes: &[NodeIndex]| self.nodes().map(|node| nodes.binary_search(&node).is_ok()).collect();
        self.among(flags(&shard.now), flags(&shard.next))
    }

    /// The `size` nodes with the smallest (rank within the zone, order), ascending.
    fn first_of_zones(&self, ordered: impl Iterator<Item = NodeIndex>, size: usize) -> Vec<NodeIndex> {
        let mut ranks = vec![0u16; self.members().len()];
        let mut ranked: Vec<(u16, NodeIndex)> = ordered
            .map(|node| {
                let rank = &mut ranks[usize::from(self.zone_number(node))];
                *rank += 1;
                (*rank, node)
            })
            .collect();
        // Stable: within a rank the order stays.
        ranked.sort_by_key(|(rank, _)| *rank);
        let mut nodes: Vec<NodeIndex> = ranked.into_iter().take(size).map(|(_, node)| node).collect();
        nodes.sort_unstable();
        nodes
    }
}
