//! Among whom shares are to be equal, and who owns what so far.

use crate::choose::SPACE;
use crate::placement::Spot;
use crate::{MAX_REPLICATION, NodeIndex, NodeName, Ring, Zone};

/// The joining node while it chooses.
pub(super) const SELF: NodeIndex = NodeIndex(u16::MAX);

/// What nodes own while one chooses.
pub(super) struct Shares {
    /// The ring on which shares are to be equal, with the tokens chosen so far.
    pub spots: Vec<Spot>,
    /// Owners of a range on it.
    pub replicas: usize,
    /// By node: positions of the ranges that end at its tokens, and positions that it owns.
    pub firsts: Vec<i64>,
    pub owned: Vec<i64>,
    /// The same of the joining node.
    pub my_firsts: i64,
    pub my_owned: i64,
    /// The same as it should be, for each.
    pub goal_firsts: i64,
    pub goal_owned: i64,
    /// By node: what a walk takes once, the node or its zone; and the same of the joining node.
    keys: Vec<u16>,
    pub my_key: u16,
}

/// What a walk takes once.
#[derive(PartialEq, Eq)]
enum Once {
    Node,
    Zone,
}

impl Shares {
    pub(super) fn of(ring: &Ring, name: &NodeName, zone: &Zone) -> Self {
        let others = ring.owning_next().filter(|node| ring.member(*node).name() != name).collect();
        let (nodes, replicas, once) = balanced_among(ring, others, zone);
        let mut spots: Vec<Spot> = Vec::new();
        for &node in &nodes {
            spots.extend(ring.member(node).tokens().iter().map(|&position| Spot { position, node }));
        }
        spots.sort_unstable_by_key(|spot| (spot.position, spot.node));
        let by_zone = once == Once::Zone;
        let key = |node: u16| if by_zone { ring.zone_number(NodeIndex(node)) } else { node };
        let mate = ring.members().iter().position(|member| by_zone && member.zone() == zone);
        let members = ring.members().len();
        let goal_firsts = (SPACE / (nodes.len() as u64 + 1)) as i64;
        let mut shares = Self {
            spots,
            replicas,
            firsts: vec![0; members],
            owned: vec![0; members],
            my_firsts: 0,
            my_owned: 0,
            goal_firsts,
            goal_owned: goal_firsts * replicas as i64,
            keys: (0..members as u16).map(key).collect(),
            my_key: mate.map_or(SELF.0, |mate| key(mate as u16)),
        };
        for range in 0..shares.spots.len() {
            shares.count_owners(range);
        }
        shares
    }

    /// Adds a range to what its owners own.
    fn count_owners(&mut self, range: usize) {
        let length = self.length(range);
        self.firsts[self.spots[range].node.get()] += length;
        let mut met = [0; MAX_REPLICATION];
        let mut len = 0;
        for step in 0..self.spots.len() {
            let node = self.spots[(range + step) % self.spots.len()].node;
            let key = self.key(node);
            if !met[..len].contains(&key) {
                met[len] = key;
                len += 1;
                self.owned[node.get()] += length;
            }
            if len == self.replicas {
                break;
            }
        }
    }

    /// Positions of a range.
    pub(super) fn length(&self, range: usize) -> i64 {
        let before = (range + self.spots.len() - 1) % self.spots.len();
        let (from, to) = (self.spots[before].position, self.spots[range].position);
        if self.spots.len() == 1 { SPACE as i64 } else { i64::from(to.wrapping_sub(from)) }
    }

    /// What a walk takes once.
    pub(super) fn key(&self, node: NodeIndex) -> u16 {
        if node == SELF { self.my_key } else { self.keys[node.get()] }
    }
}

/// The nodes among which shares are to be equal, the owners that each of their ranges has, and what a walk takes
/// once.
///
/// - One replica, or zones that do not matter: the whole ring.
/// - As many zones as replicas: every zone has each token once, so what a node owns depends on the tokens of its
///   own zone alone, as on a ring of one replica.
/// - More zones than replicas: the whole ring, on which a walk takes each zone once.
/// - Fewer zones than replicas: the node's own zone, as if it had its replicas rounded up. This is the least exact.
///
/// As long as everybody owns everything, space is shared as with one replica, for later.
fn balanced_among(ring: &Ring, mut nodes: Vec<NodeIndex>, zone: &Zone) -> (Vec<NodeIndex>, usize, Once) {
    let options = ring.options();
    let mut replicas = options.replication;
    let mut once = Once::Node;
    if options.zone_aware && replicas > 1 {
        let mut zones: Vec<&Zone> = nodes.iter().map(|node| ring.member(*node).zone()).collect();
        zones.push(zone);
        zones.sort_unstable();
        zones.dedup();
        if zones.len() > replicas {
            once = Once::Zone;
        } else if zones.len() > 1 {
            nodes.retain(|node| ring.member(*node).zone() == zone);
            replicas = replicas.div_ceil(zones.len());
        }
    }
    let replicas = if nodes.len() < replicas { 1 } else { replicas };
    (nodes, replicas, once)
}
