//! The members as others of the engine ask for them: with a connection to each.

use std::collections::BTreeMap;
use std::sync::Arc;

use spanloom_peer::{Cluster, Node, Peer, TenantRings};
use spanloom_ring::{NodeName, Ring};
use spanloom_swim::Member;
use spanloom_swim::places::announced;

use super::Connect;

/// Connections to the others, one for each life of a node at an address.
pub struct Connections {
    connect: Arc<dyn Connect>,
    local: Arc<dyn Peer>,
    known: BTreeMap<NodeName, (u64, String, Arc<dyn Peer>)>,
}

impl Connections {
    /// None yet. `local` answers for this node.
    pub fn new(connect: Arc<dyn Connect>, local: Arc<dyn Peer>) -> Self {
        Self { connect, local, known: BTreeMap::new() }
    }

    /// The connection to a node at an address, made if it is not there.
    pub fn to(&mut self, name: &NodeName, generation: u64, address: &str) -> Arc<dyn Peer> {
        match self.known.get(name) {
            Some((of, at, peer)) if *of == generation && at == address => Arc::clone(peer),
            _ => {
                let peer = self.connect.connect(name, address);
                self.known.insert(name.clone(), (generation, address.to_owned(), Arc::clone(&peer)));
                peer
            }
        }
    }

    /// The cluster as others ask for it; `None` if the ring is not of these members. While this node `looks` who is
    /// there it has no place in it. Connections to nodes that are not on the ring go.
    pub fn cluster(
        &mut self,
        ring: &Ring,
        members: &[Member],
        tenants: TenantRings,
        looks: bool,
    ) -> Option<Cluster> {
        self.known.retain(|name, _| ring.find(name).is_some());
        let members: BTreeMap<&NodeName, &Member> =
            members.iter().map(|member| (member.identity.name(), member)).collect();
        let mut me = None;
        let mut nodes = Vec::with_capacity(ring.members().len());
        for (at, on_ring) in ring.nodes().zip(ring.members()) {
            let name = on_ring.name();
            let member = members.get(name)?;
            let generation = member.identity.generation();
            let peer = match announced(member) {
                _ if member.me => {
                    me = (!looks).then_some(at);
                    Arc::clone(&self.local)
                }
                announced => self.to(name, generation, &announced?.peer),
            };
            nodes.push(Node { name: name.clone(), peer, is_up: member.status.is_up(), generation });
        }
        Some(Cluster { ring: ring.clone(), nodes, me, tenants })
    }
}
