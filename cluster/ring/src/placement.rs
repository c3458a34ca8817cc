//! Replica sets: for every range of the ring the nodes that a walk from it finds, spread over the zones.
//!
//! The walk goes up the ring from a range and ranks each node that it meets within the node's zone: the first of
//! its zone has rank 0, the second rank 1. The replicas are the nodes with the smallest (rank, order of meeting).
//! So no node is taken twice, no zone is used twice before all are used, and with fewer zones than replicas their
//! counts differ by one at most, as far as the zones have nodes. Adding a node puts it into some sets, and takes
//! one other node out of each of them.
//!
//! No walk is made: one pass down the ring keeps, per zone, the nodes that a walk would meet first, which costs a
//! constant per token whatever the tokens and zones are.

use crate::{MAX_REPLICATION, NodeIndex};

/// A node on the ring, once for each of its tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spot {
    /// The last position of the range that ends here.
    pub position: u32,
    /// Whose token it is.
    pub node: NodeIndex,
}

/// The nodes that a walk meets first in one zone.
#[derive(Clone, Default)]
struct Near {
    /// Node and the place of the token that it is met at: larger is nearer, as the pass goes down.
    met: [(NodeIndex, usize); MAX_REPLICATION],
    len: usize,
}

impl Near {
    fn meet(&mut self, node: NodeIndex, at: usize) {
        let known = self.met[..self.len].iter().position(|(other, _)| *other == node);
        if known.is_none() && self.len < MAX_REPLICATION {
            self.len += 1;
        }
        let last = known.unwrap_or(self.len - 1);
        self.met.copy_within(0..last, 1);
        self.met[0] = (node, at);
    }
}

/// The replica sets of all ranges, `per_range` nodes each, one after the other, in order of preference of a plain
/// walk. Only nodes of which `eligible` is true are placed; `zone_of` has each node's zone.
pub(crate) struct Placement {
    pub per_range: usize,
    pub nodes: Vec<NodeIndex>,
}

impl Placement {
    pub(crate) fn new(spots: &[Spot], eligible: &[bool], zone_of: &[u16], replication: usize) -> Self {
        let count = eligible.iter().filter(|eligible| **eligible).count();
        let per_range = replication.min(MAX_REPLICATION).min(count);
        let mut placement = Self { per_range, nodes: vec![NodeIndex(0); per_range * spots.len()] };
        if per_range == 0 {
            return placement;
        }
        let zones = zone_of.iter().max().map_or(0, |last| usize::from(*last) + 1);
        let mut near = vec![Near::default(); zones];
        let mut zones_met = Near::default();
        // The first time round finds out what lies beyond the end.
        for step in 0..spots.len() * 2 {
            let at = spots.len() - 1 - step % spots.len();
            let node = spots[at].node;
            if eligible[node.get()] {
                let zone = zone_of[node.get()];
                near[usize::from(zone)].meet(node, step);
                zones_met.meet(NodeIndex(zone), step);
            }
            if step >= spots.len() {
                pick(&near, &zones_met, &mut placement.nodes[at * per_range..(at + 1) * per_range]);
            }
        }
        placement
    }

    /// The replica set of a range.
    pub(crate) fn of(&self, range: usize) -> &[NodeIndex] {
        &self.nodes[range * self.per_range..(range + 1) * self.per_range]
    }
}

/// Fills `set` with the nodes of the smallest (rank, order of meeting).
fn pick(near: &[Near], zones_met: &Near, set: &mut [NodeIndex]) {
    let mut len = 0;
    for rank in 0..set.len() {
        let mut met = [(NodeIndex(0), 0); MAX_REPLICATION];
        let mut found = 0;
        for (zone, _) in &zones_met.met[..zones_met.len] {
            let zone = &near[zone.get()];
            if rank < zone.len {
                met[found] = zone.met[rank];
                found += 1;
            }
        }
        // The zones stand in the order of their nearest nodes already.
        if rank > 0 {
            met[..found].sort_unstable_by_key(|(_, at)| std::cmp::Reverse(*at));
        }
        for (node, _) in &met[..found] {
            if len == set.len() {
                return;
            }
            set[len] = *node;
            len += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Replica sets of single letters: `ring` has the owners of tokens 0, 1, ..; a letter's zone is in `zones`.
    fn sets(ring: &str, zones: &str, replication: usize) -> Vec<String> {
        let letter = |c: u8| NodeIndex(u16::from(c - b'a'));
        let spots: Vec<Spot> =
            ring.bytes().enumerate().map(|(i, c)| Spot { position: i as u32, node: letter(c) }).collect();
        let zone_of: Vec<u16> = zones.bytes().map(|c| u16::from(c - b'0')).collect();
        let placement = Placement::new(&spots, &vec![true; zones.len()], &zone_of, replication);
        let text = |i| placement.of(i).iter().map(|node| char::from(b'a' + node.0 as u8)).collect();
        (0..spots.len()).map(text).collect()
    }

    #[test]
    fn a_walk_takes_each_node_once_and_each_zone_before_any_twice() {
        let check = |ring, zones, replication, expected: &[&str]| {
            assert_eq!(sets(ring, zones, replication), expected, "{ring} {zones} {replication}");
        };
        check("abab", "00", 1, &["a", "b", "a", "b"]);
        check("aabc", "000", 2, &["ab", "ab", "bc", "ca"]);
        check("abc", "000", 5, &["abc", "bca", "cab"]);
        // a and b share a zone: a walk from a passes over b.
        check("abcd", "0012", 3, &["acd", "bcd", "cda", "dac"]);
        // Two zones, three replicas: one of each, then the next of any.
        check("abcd", "0011", 3, &["acb", "bcd", "cad", "dab"]);
        // A zone of one node is used once, in every set.
        check("abcd", "0001", 3, &["adb", "bdc", "cda", "dab"]);
    }
}
