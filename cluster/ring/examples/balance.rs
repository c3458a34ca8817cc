//! How equal the shares of nodes are: clusters that grow node by node, clusters whose nodes come and go, and nodes
//! that choose at the same time.
//!
//! `cargo run --release -p spanloom-ring --example balance -- SEEDS`
#![allow(clippy::print_stdout)]

use std::error::Error;

use spanloom_ring::{
    MemberState, NodeName, Ring, RingMember, RingOptions, Roles, TOKENS_PER_NODE, Zone, choose_tokens,
};

fn member(ring: &Ring, name: &str, zone: &str) -> Result<RingMember, Box<dyn Error>> {
    let (name, zone) = (NodeName::new(name)?, Zone::new(zone)?);
    let tokens = choose_tokens(ring, &name, &zone, TOKENS_PER_NODE);
    Ok(RingMember::new(name, zone, tokens, MemberState::Active, Roles::ALL)?)
}

/// The largest and the smallest of what nodes own by the mean of their zone, or of all where zones do not bind.
fn extremes(ring: &Ring) -> (f64, f64) {
    let owned = ring.owned_positions();
    let options = ring.options();
    let by_zone = options.zone_aware && options.replication > 1;
    let (mut largest, mut smallest) = (0f64, f64::MAX);
    for (i, member) in ring.members().iter().enumerate() {
        let peers: Vec<u64> = ring
            .members()
            .iter()
            .zip(&owned)
            .filter(|(other, _)| !by_zone || other.zone() == member.zone())
            .map(|(_, owned)| *owned)
            .collect();
        let mean = peers.iter().sum::<u64>() as f64 / peers.len() as f64;
        largest = largest.max(owned[i] as f64 / mean);
        smallest = smallest.min(owned[i] as f64 / mean);
    }
    (largest, smallest)
}

fn with(ring: &Ring, member: RingMember) -> Result<Ring, Box<dyn Error>> {
    let mut members = ring.members().to_vec();
    members.push(member);
    Ok(Ring::new(members, ring.options())?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let seeds: u64 = std::env::args().nth(1).map_or(Ok(1), |seeds| seeds.parse())?;
    for (replication, zones) in [(1, 1), (3, 1), (3, 2), (3, 5), (2, 3)] {
        let options = RingOptions { replication, zone_aware: zones > 1 };
        let (mut largest, mut smallest, mut at) = (0f64, f64::MAX, 0);
        let mut by_size = Vec::new();
        for seed in 0..seeds {
            let mut ring = Ring::new(Vec::new(), options)?;
            for n in 1..=100 {
                let joined = member(&ring, &format!("node-{seed}-{n}"), &format!("z{}", n % zones))?;
                ring = with(&ring, joined)?;
                let (high, low) = extremes(&ring);
                if high > largest {
                    (largest, at) = (high, n);
                }
                smallest = smallest.min(low);
                if seed == 0 && [2, 3, 4, 5, 6, 8, 10, 20, 50, 100].contains(&n) {
                    by_size.push(format!("{n}:{high:.3}/{low:.3}"));
                }
            }
        }
        println!(
            "replication {replication}, zones {zones}: most {largest:.3} (at {at}), least {smallest:.3}; {}",
            by_size.join(" ")
        );
    }
    Ok(())
}
