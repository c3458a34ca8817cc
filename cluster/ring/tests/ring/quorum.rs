//! Readers find what a majority took, through every step of membership: the argument is in the crate's
//! documentation, and here it is tried.

use proptest::prelude::*;
use spanloom_ring::{MemberState, NodeName, Owners, Ring, RingMember, RingOptions, Roles};
use spanloom_span::Tenant;

use crate::cluster::{STATES, edges, member, members, names, tokens};

/// One step: what a member may do next. `None` when it is gone altogether.
fn steps(of: &RingMember, fresh: &[u32]) -> Vec<Option<RingMember>> {
    let to = |state| Some(of.clone().in_state(state));
    let anew = Some(member(
        of.name().as_str(),
        of.zone().as_str(),
        fresh.to_vec(),
        MemberState::Joining,
        of.roles(),
    ));
    match of.state() {
        // A node that joins may choose its tokens again.
        MemberState::Joining => vec![to(MemberState::Active), to(MemberState::Left), None, anew],
        MemberState::Active => vec![to(MemberState::Leaving)],
        MemberState::Leaving => vec![to(MemberState::Active), to(MemberState::Left), None],
        MemberState::Left => vec![None, anew],
    }
}

/// All rings one step from this one.
fn one_step_on(ring: &Ring, fresh: &[u32]) -> Vec<Ring> {
    let mut rings = Vec::new();
    for (i, of) in ring.members().iter().enumerate() {
        for step in steps(of, fresh) {
            let mut members = ring.members().to_vec();
            match step {
                Some(member) => members[i] = member,
                None => drop(members.remove(i)),
            }
            rings.push(Ring::new(members, ring.options()).unwrap());
        }
    }
    let mut members = ring.members().to_vec();
    members.push(member("stranger", "z1", fresh.to_vec(), MemberState::Joining, Roles::ALL));
    rings.push(Ring::new(members, ring.options()).unwrap());
    rings
}

/// No majority of writers without a member in common with every majority of readers.
fn meet(writing: &Ring, reading: &Ring) -> Result<(), TestCaseError> {
    for token in edges(&[writing, reading]) {
        let (writers, readers) = (writing.owners_for_write(token), reading.owners_for_read(token));
        if readers.is_empty() {
            continue;
        }
        for took in 0u16..1 << writers.nodes().len() {
            if writers.is_quorum(took) {
                let others = not_among(writing, &writers, took, reading, &readers);
                prop_assert!(
                    !readers.is_quorum(others),
                    "token {token:?}: {took:b} of {:?} took it, {others:b} of {:?} do not have it",
                    names(writing, writers.nodes()),
                    names(reading, readers.nodes()),
                );
            }
        }
    }
    Ok(())
}

/// The readers who are not among those who took it.
fn not_among(writing: &Ring, writers: &Owners, took: u16, reading: &Ring, readers: &Owners) -> u16 {
    let holders: Vec<&NodeName> = (0..writers.nodes().len())
        .filter(|i| took & 1 << i != 0)
        .map(|i| writing.member(writers.nodes()[i]).name())
        .collect();
    let lacks = |i: &usize| !holders.contains(&reading.member(readers.nodes()[*i]).name());
    (0..readers.nodes().len()).filter(lacks).fold(0, |bits, i| bits | 1 << i)
}

fn few_replicas() -> impl Strategy<Value = RingOptions> {
    (1usize..=4, any::<bool>()).prop_map(|(replication, zone_aware)| RingOptions { replication, zone_aware })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn readers_meet_writers_one_step_apart(
        members in members(7, &STATES),
        options in few_replicas(),
        fresh in tokens(),
    ) {
        let ring = Ring::new(members, options).unwrap();
        meet(&ring, &ring)?;
        for other in one_step_on(&ring, &fresh) {
            meet(&ring, &other)?;
            meet(&other, &ring)?;
        }
    }

    #[test]
    fn readers_meet_writers_on_a_tenants_nodes_too(
        members in members(9, &STATES),
        options in few_replicas(),
        fresh in tokens(),
        size in 1usize..6,
    ) {
        let tenant = Tenant::new("shop").unwrap();
        let small = |ring: &Ring| ring.within(&ring.shard_of_tenant(&tenant, size));
        let ring = Ring::new(members, options).unwrap();
        let here = small(&ring);
        meet(&here, &here)?;
        for other in one_step_on(&ring, &fresh) {
            let there = small(&other);
            meet(&here, &there)?;
            meet(&there, &here)?;
        }
    }

    /// Any number of arrivals and departures that complete, or any number that begin, may be seen in any order.
    #[test]
    fn readers_meet_writers_any_steps_of_one_kind_apart(
        members in members(8, &STATES),
        options in few_replicas(),
        begin: bool,
        here: u8,
        there: u8,
    ) {
        let seen = |which: u8| {
            let of = |(i, m): (usize, &RingMember)| match (m.state(), which >> (i % 8) & 1 == 1) {
                (MemberState::Active, true) if begin => m.clone().in_state(MemberState::Leaving),
                (MemberState::Left, true) if begin => m.clone().in_state(MemberState::Joining),
                (MemberState::Joining, true) if !begin => m.clone().in_state(MemberState::Active),
                (MemberState::Leaving, true) if !begin => m.clone().in_state(MemberState::Left),
                _ => m.clone(),
            };
            Ring::new(members.iter().enumerate().map(of).collect(), options).unwrap()
        };
        meet(&seen(here), &seen(there))?;
    }
}

/// Why nobody goes from active to left at once: with one replica, nobody would know.
#[test]
fn two_steps_at_once_can_lose_sight() {
    let options = RingOptions { replication: 1, zone_aware: false };
    let of = |name: &str, token, state| member(name, "", vec![token], state, Roles::ALL);
    let both = vec![of("a", 10, MemberState::Active), of("b", 20, MemberState::Active)];
    let gone = vec![of("a", 10, MemberState::Left), of("b", 20, MemberState::Active)];
    let (both, gone) = (Ring::new(both, options).unwrap(), Ring::new(gone, options).unwrap());
    assert!(meet(&both, &gone).is_err());
}
