//! What moves when nodes come and go: only what must.

use std::ops::RangeInclusive;

use proptest::prelude::*;
use spanloom_ring::{MemberState, Ring, RingOptions, Roles, moved};

use crate::cluster::{STATES, edges, grown, joiner, member, members, names, options, tokens, with, without};

fn positions(ranges: &[RangeInclusive<u32>]) -> u64 {
    ranges.iter().map(|range| u64::from(range.end() - range.start()) + 1).sum()
}

/// Every set of owners on `more` is that on `less`, or has `name` in the place of one other or of nobody.
fn only_moves_to(name: &str, less: &Ring, more: &Ring) -> Result<(), TestCaseError> {
    for token in edges(&[less, more]) {
        let (before, after) = (less.owners_for_read(token), more.owners_for_read(token));
        let (old, new) = (names(less, before.nodes()), names(more, after.nodes()));
        let lost: Vec<_> = old.iter().filter(|owner| !new.contains(owner)).collect();
        let gained: Vec<_> = new.iter().filter(|owner| !old.contains(owner)).collect();
        prop_assert!(gained.is_empty() || gained == [&name], "{token:?}: {old:?} to {new:?}");
        prop_assert!(lost.len() <= gained.len(), "{token:?}: {old:?} to {new:?}");
        let first = |ring: &Ring, node: Option<_>| node.map(|node| ring.member(node).name().clone());
        let (was, is) = (first(less, before.first()), first(more, after.first()));
        let moved = is.as_ref().is_some_and(|is| is.as_str() != name) && was != is;
        // The first owner changes to the new node, or because the first owner of before was displaced.
        prop_assert!(!moved || was.is_some_and(|was| lost.contains(&&was.as_str())), "{token:?}");
    }
    Ok(())
}

proptest! {
    #[test]
    fn one_node_moves_ranges_to_or_from_itself_alone(
        members in members(10, &[MemberState::Active]),
        options in options(),
        tokens in tokens(),
        zone in 0u8..5,
    ) {
        let less = Ring::new(members, options).unwrap();
        let new = member("new", &format!("z{zone}"), tokens, MemberState::Active, Roles::ALL);
        only_moves_to("new", &less, &with(&less, new))?;
    }

    #[test]
    fn what_moved_is_what_owners_say(old in members(8, &STATES), new in members(8, &STATES), options in options()) {
        let (old, new) = (Ring::new(old, options).unwrap(), Ring::new(new, options).unwrap());
        for of in old.members().iter().chain(new.members()) {
            let name = of.name();
            let moved = moved(&old, &new, name);
            for ranges in [&moved.gained, &moved.lost] {
                prop_assert!(ranges.iter().all(|range| range.start() <= range.end()));
                let apart = |pair: &[RangeInclusive<u32>]| u64::from(*pair[0].end()) + 1 < u64::from(*pair[1].start());
                prop_assert!(ranges.windows(2).all(apart));
            }
            for token in edges(&[&old, &new]) {
                let owns = |ring: &Ring| {
                    ring.find(name).is_some_and(|node| ring.owners_for_read(token).contains(node))
                };
                let among = |ranges: &[RangeInclusive<u32>]| ranges.iter().any(|r| r.contains(&token.position()));
                prop_assert_eq!(among(&moved.gained), !owns(&old) && owns(&new));
                prop_assert_eq!(among(&moved.lost), owns(&old) && !owns(&new));
            }
        }
    }
}

#[test]
fn a_join_moves_its_share_and_nothing_between_others() {
    let check = |nodes: usize, zones, replication, zone_aware| {
        let ring = grown(nodes, zones, RingOptions { replication, zone_aware });
        let joining = joiner(&ring, "new", "z0", MemberState::Joining);
        let (begun, done) =
            (with(&ring, joining.clone()), with(&ring, joining.clone().in_state(MemberState::Active)));
        // First it gains, and nobody loses.
        let gained = positions(&moved(&ring, &begun, joining.name()).gained);
        let mates = nodes.div_ceil(zones) as u64 + 1;
        let fair =
            if zone_aware { (1 << 32) / mates } else { (replication << 32) as u64 / (nodes as u64 + 1) };
        assert!(gained * 100 <= fair * 105, "{gained} positions, a fair share is {fair}");
        let mut lost = 0;
        for of in ring.members() {
            assert_eq!(moved(&ring, &begun, of.name()), Default::default(), "{}", of.name());
            let then = moved(&begun, &done, of.name());
            assert!(then.gained.is_empty());
            lost += positions(&then.lost);
        }
        // Then others lose, in all as much.
        assert_eq!(lost, gained);
        // And back: a leave first gives to others, then takes from the one that leaves.
        let leaving = with(&ring, joining.clone().in_state(MemberState::Leaving));
        let back: u64 =
            ring.members().iter().map(|of| positions(&moved(&done, &leaving, of.name()).gained)).sum();
        assert_eq!(back, gained);
        assert_eq!(moved(&done, &leaving, joining.name()), Default::default());
        let gone = without(&leaving, joining.name());
        assert_eq!(positions(&moved(&leaving, &gone, joining.name()).lost), gained);
    };
    for nodes in [4, 9, 30] {
        check(nodes, 1, 1, false);
        check(nodes, 1, 3, false);
        check(nodes, 3, 3, true);
    }
}
