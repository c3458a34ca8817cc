//! Who owns a token, against a walk that is written down plainly.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use proptest::prelude::*;
use spanloom_ring::{
    MemberState, NodeIndex, NodeName, Ring, RingError, RingMember, RingOptions, Roles, Token, Zone, quorum,
};

use crate::cluster::{STATES, edges, grown, member, members, names, options};

/// The owners by the definition: walk up the ring once, rank each node in its zone, take the smallest ranks.
fn walk(ring: &Ring, position: u32, states: [MemberState; 2]) -> Vec<&str> {
    let owns = |m: &&RingMember| states.contains(&m.state()) && m.roles().has(Roles::INGESTER);
    let mut spots: Vec<(u32, &RingMember)> =
        ring.members().iter().filter(owns).flat_map(|m| m.tokens().iter().map(move |t| (*t, m))).collect();
    spots.sort_by_key(|(token, m)| (*token, m.name().clone()));
    let first = spots.partition_point(|(token, _)| *token < position);
    let first = if first == spots.len() { 0 } else { first };
    spots.rotate_left(first);
    let mut met: Vec<(usize, usize, &str)> = Vec::new();
    let mut ranks: BTreeMap<&Zone, usize> = BTreeMap::new();
    let none = Zone::none();
    for (_, m) in spots {
        if met.iter().all(|(_, _, name)| *name != m.name().as_str()) {
            let rank = ranks.entry(if ring.options().zone_aware { m.zone() } else { &none }).or_default();
            met.push((*rank, met.len(), m.name().as_str()));
            *rank += 1;
        }
    }
    met.sort_unstable();
    met.truncate(ring.options().replication);
    met.into_iter().map(|(_, _, name)| name).collect()
}

fn sorted<'a>(sets: &[&[&'a str]]) -> Vec<&'a str> {
    let mut all = sets.concat();
    all.sort_unstable();
    all.dedup();
    all
}

proptest! {
    #[test]
    fn owners_are_those_of_a_plain_walk(members in members(12, &STATES), options in options()) {
        let ring = Ring::new(members, options).unwrap();
        for token in edges(&[&ring]) {
            let now = walk(&ring, token.position(), [MemberState::Active, MemberState::Leaving]);
            let next = walk(&ring, token.position(), [MemberState::Active, MemberState::Joining]);
            let owners = ring.owners_for_read(token);
            prop_assert_eq!(names(&ring, owners.nodes()), sorted(&[&now, &next]));
            prop_assert_eq!(names(&ring, &owners.nodes()[..owners.owns_now()]), sorted(&[&now]));
            prop_assert_eq!(owners.owns_next(), next.len());
            let writers = names(&ring, ring.owners_for_write(token).nodes());
            if now.is_empty() || next.is_empty() {
                prop_assert!(writers.is_empty());
            } else {
                prop_assert_eq!(writers, names(&ring, owners.nodes()));
            }
        }
    }

    #[test]
    fn replicas_are_on_different_nodes_and_spread_over_the_zones(
        members in members(12, &[MemberState::Active]),
        options in options(),
    ) {
        let ring = Ring::new(members, options).unwrap();
        let ingests = |node: &NodeIndex| ring.member(*node).roles().has(Roles::INGESTER);
        let nodes: Vec<NodeIndex> = ring.nodes().filter(ingests).collect();
        let mut in_zone: BTreeMap<&Zone, usize> = BTreeMap::new();
        nodes.iter().for_each(|node| *in_zone.entry(ring.member(*node).zone()).or_default() += 1);
        for token in edges(&[&ring]) {
            let owners = ring.owners_for_read(token);
            let all = names(&ring, owners.nodes());
            prop_assert_eq!(&all, &sorted(&[&all]), "no node twice");
            prop_assert_eq!(all.len(), options.replication.min(nodes.len()));
            if !options.zone_aware {
                continue;
            }
            let mut used: BTreeMap<&Zone, usize> = in_zone.keys().map(|zone| (*zone, 0)).collect();
            for node in owners.nodes() {
                *used.entry(ring.member(*node).zone()).or_default() += 1;
            }
            let most = used.values().max().copied().unwrap_or(0);
            for (zone, used) in &used {
                prop_assert!(*used + 1 >= most || *used == in_zone[zone], "{used:?} of {zone}, another has {most}");
            }
        }
    }

    #[test]
    fn the_order_has_every_owner_once_and_those_of_now_first(members in members(12, &STATES), options in options(), high: u32) {
        let ring = Ring::new(members, options).unwrap();
        for token in edges(&[&ring]) {
            let owners = ring.owners_for_read(Token(token.0 ^ u64::from(high) << 32));
            let order: Vec<_> = owners.in_order().collect();
            prop_assert_eq!(owners.first(), order.first().copied());
            prop_assert_eq!(names(&ring, &order), names(&ring, owners.nodes()));
            let (now, rest) = (owners.owns_now(), owners.nodes());
            prop_assert_eq!(names(&ring, &order[..now]), names(&ring, &rest[..now]));
        }
    }

    #[test]
    fn the_count_that_always_suffices_does(members in members(12, &STATES), options in options()) {
        let ring = Ring::new(members, options).unwrap();
        for token in edges(&[&ring]) {
            let owners = ring.owners_for_read(token);
            for answered in 0u32..1 << owners.nodes().len().min(10) {
                if answered.count_ones() as usize >= owners.quorum() && !owners.is_empty() {
                    prop_assert!(owners.is_quorum(answered as u16), "{answered:b} of {owners:?}");
                }
            }
        }
    }

    #[test]
    fn the_order_of_the_members_does_not_matter(members in members(12, &STATES), options in options()) {
        let ring = Ring::new(members.clone(), options).unwrap();
        let reversed = Ring::new(members.into_iter().rev().collect(), options).unwrap();
        prop_assert_eq!(ring.fingerprint(), reversed.fingerprint());
        prop_assert_eq!(ring.view(), reversed.view());
    }
}

#[test]
fn majorities() {
    let expected = [0, 1, 2, 2, 3, 3, 4, 4, 5];
    assert_eq!(std::array::from_fn(quorum), expected);
}

#[test]
fn one_owner_may_be_missing_of_three_also_while_a_node_joins() {
    let ring = grown(5, 1, RingOptions::default());
    let joining = crate::cluster::joiner(&ring, "new", "z0", MemberState::Joining);
    let both = crate::cluster::with(&ring, joining);
    let mut extended = 0;
    for token in edges(&[&both]) {
        let owners = both.owners_for_write(token);
        assert_eq!(owners.quorum(), owners.nodes().len() - 1);
        extended += usize::from(owners.nodes().len() == 4);
    }
    assert!(extended > 0);
}

#[test]
fn every_owner_is_the_first_for_an_equal_part() {
    let ring = grown(3, 3, RingOptions::default());
    let mut firsts = [0u32; 3];
    for i in 0..30_000u64 {
        let token = Token(i.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        firsts[ring.owners_for_read(token).first().unwrap().get()] += 1;
    }
    assert!(firsts.iter().all(|count| (9_700..10_300).contains(count)), "{firsts:?}");
}

#[test]
fn what_cannot_be_a_ring_is_refused() {
    let of = |name: &str| member(name, "", vec![1], MemberState::Active, Roles::ALL);
    let check = |members: Vec<RingMember>, replication, expected: &str| {
        let options = RingOptions { replication, zone_aware: true };
        assert_eq!(Ring::new(members, options).unwrap_err().to_string(), expected);
    };
    check(vec![], 0, "replication is 0, expected 1 to 7");
    check(vec![], 8, "replication is 8, expected 1 to 7");
    check(vec![of("a"), of("b"), of("a")], 3, "two members of the ring are named a, expected each name once");
    let many = (0..1025).map(|i| of(&format!("n{i}"))).collect();
    check(many, 3, "the ring has 1025 members, expected at most 1024");
    let same = Ring::new(vec![of("a"), of("a")], RingOptions::default());
    assert_eq!(same.unwrap_err(), RingError::SameName(NodeName::new("a").unwrap()));
}

#[test]
fn an_empty_ring_has_no_owners() {
    let ring = Ring::new(Vec::new(), RingOptions::default()).unwrap();
    for token in [Token(0), Token(u64::MAX)] {
        assert!(ring.owners_for_read(token).is_empty() && ring.owners_for_write(token).is_empty());
        assert_eq!(ring.owners_for_read(token).first(), None);
        assert!(!ring.owners_for_write(token).is_quorum(u16::MAX));
        assert_eq!(ring.successors(token).count(), 0);
    }
    assert_eq!(ring.owner_of_job(1), None);
}

/// The ring and the shards look at different halves of a token, so no shard of a node has more than its part.
#[test]
fn what_a_node_owns_is_shared_by_its_shards() {
    let ring = grown(20, 1, RingOptions { replication: 1, zone_aware: false });
    let mut shards = [0u32; 8];
    let mine = |token: &Token| ring.owners_for_read(*token).first().is_some_and(|node| node.get() == 7);
    let tokens =
        (0..160_000u64).map(|i| Token(i.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(17) ^ i << 40));
    for token in tokens.filter(mine) {
        shards[token.shard(NonZeroUsize::new(8).unwrap())] += 1;
    }
    // Of 1,000 each.
    assert!(shards.iter().all(|count| (880..1_120).contains(count)), "{shards:?}");
}
