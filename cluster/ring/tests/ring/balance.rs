//! How equal the shares are. `examples/balance.rs` prints the same for many names.

use proptest::prelude::*;
use spanloom_ring::{MemberState, NodeName, Ring, RingOptions, Zone, choose_tokens};

use crate::cluster::{STATES, grown, joiner, members, options, with, without};

/// The largest and the smallest of what nodes own, in percent of the mean: of all, or of their zone where every
/// zone has each token once.
fn extremes(ring: &Ring) -> (f64, f64) {
    let (owned, options) = (ring.owned_positions(), ring.options());
    let percent = |i: usize| {
        let zone = ring.members()[i].zone();
        let by_zone = options.zone_aware && options.replication > 1;
        let mates: Vec<u64> = ring
            .members()
            .iter()
            .zip(&owned)
            .filter(|(member, _)| !by_zone || member.zone() == zone)
            .map(|(_, owned)| *owned)
            .collect();
        owned[i] as f64 * mates.len() as f64 * 100.0 / mates.iter().sum::<u64>() as f64
    };
    let all: Vec<f64> = (0..owned.len()).map(percent).collect();
    (all.iter().copied().fold(0.0, f64::max), all.iter().copied().fold(f64::MAX, f64::min))
}

fn check_growth(zones: usize, replication: usize, within: f64) {
    let options = RingOptions { replication, zone_aware: zones > 1 };
    let mut ring = Ring::new(Vec::new(), options).unwrap();
    for n in 0..100 {
        let joined = joiner(&ring, &format!("grow-{n}"), &format!("z{}", n % zones), MemberState::Active);
        ring = with(&ring, joined);
        let (most, least) = extremes(&ring);
        assert!(most <= 100.0 + within && least >= 100.0 - within, "{} nodes: {least} to {most}", n + 1);
    }
}

/// Ten percent is promised; it is less.
#[test]
fn shares_are_equal_from_one_node_to_a_hundred_with_one_replica() {
    check_growth(1, 1, 3.0);
}

#[test]
fn shares_are_equal_from_one_node_to_a_hundred_with_one_replica_in_three_zones() {
    check_growth(3, 1, 3.0);
}

#[test]
fn shares_are_equal_from_one_node_to_a_hundred_with_three_replicas() {
    check_growth(1, 3, 6.0);
}

#[test]
fn shares_are_equal_from_one_node_to_a_hundred_with_three_replicas_in_three_zones() {
    check_growth(3, 3, 3.0);
}

#[test]
fn first_owners_are_equal_too() {
    for (zones, replication) in [(1, 3), (3, 3)] {
        let ring = grown(12, zones, RingOptions { replication, zone_aware: zones > 1 });
        let firsts: Vec<f64> = ring.view().members.iter().map(|member| member.first_percent * 0.12).collect();
        assert!(firsts.iter().all(|share| (0.9..1.1).contains(share)), "{firsts:?}");
        assert!((firsts.iter().sum::<f64>() - 12.0).abs() < 1e-6);
    }
}

/// Nodes that do not see each other cut the same shares. It shows, and passes with the joins that follow.
#[test]
fn two_that_join_at_once_share_less_equally_and_never_have_the_same_tokens() {
    let check = |nodes, zones, replication, at_most: f64| {
        let ring = grown(nodes, zones, RingOptions { replication, zone_aware: zones > 1 });
        let [a, b] = ["left", "right"].map(|name| joiner(&ring, name, "z0", MemberState::Active));
        let common = a.tokens().iter().filter(|token| b.tokens().contains(token)).count();
        assert_eq!(common, 0);
        let mut ring = with(&with(&ring, a), b);
        let (most, _) = extremes(&ring);
        assert!(most <= at_most, "{nodes} nodes, {zones} zones, {replication} replicas: {most}");
        for n in 0..6 * zones {
            let joined = joiner(&ring, &format!("late-{n}"), &format!("z{}", n % zones), MemberState::Active);
            ring = with(&ring, joined);
        }
        let (healed, _) = extremes(&ring);
        assert!(
            healed <= 110.0,
            "{nodes} nodes, {zones} zones, {replication} replicas: {healed} after six joins"
        );
    };
    for nodes in [1, 3, 9, 20] {
        check(nodes, 1, 1, 150.0);
        check(nodes, 1, 3, 150.0);
    }
    check(9, 3, 3, 150.0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    /// One leaves and one joins, again and again.
    #[test]
    fn shares_stay_near_when_nodes_are_replaced(
        (zones, replication) in prop::sample::select(vec![(1, 1), (1, 3), (3, 3)]),
        leaves in prop::collection::vec(0usize..12, 24),
    ) {
        let mut ring = grown(12, zones, RingOptions { replication, zone_aware: zones > 1 });
        for (n, leaves) in leaves.into_iter().enumerate() {
            let gone = ring.members()[leaves].clone();
            ring = without(&ring, gone.name());
            let joined = joiner(&ring, &format!("after-{n}"), gone.zone().as_str(), MemberState::Active);
            ring = with(&ring, joined);
            let (most, _) = extremes(&ring);
            prop_assert!(most <= 125.0, "{most} after {} replaced", n + 1);
        }
    }
}

proptest! {
    #[test]
    fn any_ring_gives_new_tokens(members in members(10, &STATES), options in options(), zone in 0u8..5, count in 0usize..300) {
        let ring = Ring::new(members, options).unwrap();
        let (name, zone) = (NodeName::new("new").unwrap(), Zone::new(&format!("z{zone}")).unwrap());
        let tokens = choose_tokens(&ring, &name, &zone, count);
        prop_assert_eq!(tokens.len(), count.min(spanloom_ring::MAX_TOKENS));
        prop_assert!(tokens.windows(2).all(|pair| pair[0] < pair[1]));
        prop_assert_eq!(&tokens, &choose_tokens(&ring, &name, &zone, count));
        // Tokens of members that left may be taken.
        let taken = ring.members().iter().filter(|member| member.state() != MemberState::Left
            && member.roles().has(spanloom_ring::Roles::INGESTER));
        prop_assert!(taken.flat_map(|member| member.tokens()).all(|token| !tokens.contains(token)));
    }
}
