//! Shards of tenants, and owners of jobs.

use std::collections::BTreeMap;

use proptest::prelude::*;
use spanloom_ring::{MemberState, NodeIndex, Ring, RingOptions, Roles, Token, Zone};
use spanloom_span::Tenant;

use crate::cluster::{STATES, edges, grown, member, members, names, options, with};

fn shard(ring: &Ring, tenant: u8, size: usize) -> Vec<&str> {
    let shard = ring.shard_of_tenant(&Tenant::new(&format!("tenant-{tenant}")).unwrap(), size);
    names(ring, shard.next())
}

proptest! {
    #[test]
    fn a_shard_has_its_size_and_is_spread_over_the_zones(
        members in members(16, &STATES),
        options in options(),
        tenant: u8,
        size in 0usize..12,
    ) {
        let ring = Ring::new(members, options).unwrap();
        let all = shard(&ring, tenant, 0);
        let chosen = shard(&ring, tenant, size);
        prop_assert_eq!(chosen.len(), if size == 0 { all.len() } else { size.min(all.len()) });
        let count = |names: &[&str]| {
            let mut zones: BTreeMap<&Zone, usize> = BTreeMap::new();
            let of = ring.members().iter().filter(|member| names.contains(&member.name().as_str()));
            of.for_each(|member| *zones.entry(member.zone()).or_default() += 1);
            zones
        };
        let (used, there) = (count(&chosen), count(&all));
        let most = used.values().max().copied().unwrap_or(0);
        for (zone, there) in there.into_iter().filter(|_| options.zone_aware) {
            let used = used.get(zone).copied().unwrap_or(0);
            prop_assert!(used + 1 >= most || used == there);
        }
    }

    #[test]
    fn one_node_that_comes_or_goes_changes_one_place_of_a_shard(
        members in members(16, &[MemberState::Active]),
        options in options(),
        tenant: u8,
        size in 1usize..12,
        zone in 0u8..5,
    ) {
        let less = Ring::new(members, options).unwrap();
        let more = with(&less, member("new", &format!("z{zone}"), vec![7], MemberState::Active, Roles::ALL));
        let (before, after) = (shard(&less, tenant, size), shard(&more, tenant, size));
        let came: Vec<_> = after.iter().filter(|name| !before.contains(name)).collect();
        let went: Vec<_> = before.iter().filter(|name| !after.contains(name)).collect();
        prop_assert!(came.is_empty() || came == [&"new"], "{before:?} to {after:?}");
        prop_assert!(went.len() <= came.len(), "{before:?} to {after:?}");
    }

    #[test]
    fn owners_within_a_shard_are_of_the_shard(
        members in members(12, &STATES),
        options in options(),
        tenant: u8,
        size in 1usize..12,
    ) {
        let ring = Ring::new(members, options).unwrap();
        let shard = ring.shard_of_tenant(&Tenant::new(&format!("tenant-{tenant}")).unwrap(), size);
        let within = ring.within(&shard);
        let most = options.replication.min(shard.now().len());
        for token in edges(&[&ring]) {
            let owners = within.owners_for_read(token);
            prop_assert!(owners.nodes().iter().all(|node| shard.nodes().contains(node)));
            prop_assert_eq!(owners.owns_now(), most);
        }
        if size >= ring.members().len() {
            for token in edges(&[&ring]) {
                prop_assert_eq!(within.owners_for_write(token).nodes(), ring.owners_for_write(token).nodes());
            }
        }
    }

    #[test]
    fn jobs_move_only_to_the_node_that_comes(members in members(12, &STATES), options in options(), key: u64) {
        let less = Ring::new(members, options).unwrap();
        let more = with(&less, member("new", "", vec![], MemberState::Active, Roles::COMPACTOR));
        let name = |ring: &Ring| ring.owner_of_job(key).map(|node| ring.member(node).name().as_str().to_owned());
        let (before, after) = (name(&less), name(&more));
        prop_assert!(after.as_deref() == Some("new") || after == before);
        let takes = |ring: &Ring, node: NodeIndex| {
            let of = ring.member(node);
            of.state() == MemberState::Active && of.roles().has(Roles::COMPACTOR)
        };
        prop_assert!(less.owner_of_job(key).is_none_or(|node| takes(&less, node)));
    }
}

#[test]
fn tenants_and_jobs_are_spread_over_the_nodes() {
    let ring = grown(12, 3, RingOptions::default());
    let (mut tenants, mut jobs) = ([0u32; 12], [0u32; 12]);
    for i in 0..4_000u64 {
        let tenant = Tenant::new(&format!("tenant-{i}")).unwrap();
        ring.shard_of_tenant(&tenant, 3).nodes().iter().for_each(|node| tenants[node.get()] += 1);
        jobs[ring.owner_of_job(i).unwrap().get()] += 1;
    }
    assert!(tenants.iter().all(|count| (850..1_150).contains(count)), "{tenants:?}");
    assert!(jobs.iter().all(|count| (260..410).contains(count)), "{jobs:?}");
}

#[test]
fn a_tenants_traces_are_shared_by_its_nodes() {
    let ring = grown(12, 3, RingOptions { replication: 1, zone_aware: true });
    let within = ring.within(&ring.shard_of_tenant(&Tenant::new("shop").unwrap(), 6));
    let mut owned = [0u32; 12];
    for i in 0..6_000u64 {
        let token = Token(i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 7);
        owned[within.owners_for_read(token).first().unwrap().get()] += 1;
    }
    owned.sort_unstable();
    assert_eq!(owned[..6], [0; 6]);
    // Of 1,000 each: half a ring's tokens are tokens by chance.
    assert!((650..1_450).contains(&owned[6]) && owned[11] < 1_450, "{owned:?}");
}
