//! Who stands in for whom.

use proptest::prelude::*;
use spanloom_ring::{MemberState, NodeIndex, Ring, RingOptions};

use crate::cluster::{STATES, edges, grown, members, options};

proptest! {
    #[test]
    fn successors_are_the_active_nodes_beyond_the_owners(members in members(12, &STATES), options in options()) {
        let ring = Ring::new(members, options).unwrap();
        for token in edges(&[&ring]) {
            let owners = ring.owners_for_read(token);
            let mut found: Vec<NodeIndex> = ring.successors(token).collect();
            found.sort_unstable();
            let beyond = |node: &NodeIndex| {
                let of = ring.member(*node);
                let takes = of.roles().has(spanloom_ring::Roles::INGESTER);
                of.state() == MemberState::Active && takes && !owners.contains(*node)
            };
            prop_assert_eq!(found, ring.nodes().filter(beyond).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_copy_goes_to_a_healthy_node_once(members in members(12, &STATES), options in options(), down: u16) {
        let ring = Ring::new(members, options).unwrap();
        let is_down = |node: NodeIndex| down >> node.get() & 1 == 1;
        for token in edges(&[&ring]) {
            let stand_ins = ring.stand_ins(token, is_down);
            let owners = stand_ins.owners();
            let takers: Vec<NodeIndex> = stand_ins.takers().iter().flatten().copied().collect();
            let mut once = takers.clone();
            once.sort_unstable();
            once.dedup();
            prop_assert_eq!(once.len(), takers.len());
            prop_assert!(takers.iter().all(|node| !is_down(*node)));
            for (owner, taker) in owners.nodes().iter().zip(stand_ins.takers()) {
                prop_assert!(is_down(*owner) || *taker == Some(*owner));
            }
            let healthy = ring.successors(token).filter(|node| !is_down(*node)).count();
            let up = owners.nodes().iter().filter(|node| !is_down(**node)).count();
            prop_assert_eq!(takers.len(), owners.nodes().len().min(up + healthy).min(if owners.is_empty() { 0 } else { 99 }));
        }
    }
}

#[test]
fn a_stand_in_is_of_the_same_zone_while_there_is_one() {
    let ring = grown(9, 3, RingOptions::default());
    for token in edges(&[&ring]) {
        let down = ring.owners_for_write(token).nodes()[1];
        let stand_ins = ring.stand_ins(token, |node| node == down);
        let taker = stand_ins.takers()[1].unwrap();
        assert_ne!(taker, down);
        assert_eq!(ring.member(taker).zone(), ring.member(down).zone());
        // All three of the zone are down: somebody else.
        let zone = ring.member(down).zone();
        let none = ring.stand_ins(token, |node| ring.member(node).zone() == zone);
        assert!(none.takers()[1].is_some_and(|node| ring.member(node).zone() != zone));
    }
}
