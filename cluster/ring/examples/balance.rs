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

fn without(ring: &Ring, at: usize) -> Result<Ring, Box<dyn Error>> {
    let mut members = ring.members().to_vec();
    members.remove(at);
    Ok(Ring::new(members, ring.options())?)
}

/// The worst of many figures, and what they are for some sizes of cluster.
#[derive(Default)]
struct Worst {
    most: f64,
    least: f64,
    seen: Vec<f64>,
}

impl Worst {
    fn see(&mut self, ring: &Ring) {
        let (high, low) = extremes(ring);
        self.most = self.most.max(high);
        self.least = if self.seen.is_empty() { low } else { self.least.min(low) };
        self.seen.push(high);
    }

    fn print(mut self, what: &str) {
        self.seen.sort_unstable_by(f64::total_cmp);
        let middle = self.seen[self.seen.len() / 2];
        println!("  {what}: most {:.3} (median {middle:.3}), least {:.3}", self.most, self.least);
    }
}

fn zone(n: usize, zones: usize) -> String {
    format!("z{}", n % zones)
}

/// A cluster that grows from 1 node to 100.
fn growth(options: RingOptions, zones: usize, seeds: u64) -> Result<(), Box<dyn Error>> {
    let (mut small, mut large) = (Worst::default(), Worst::default());
    for seed in 0..seeds {
        let mut ring = Ring::new(Vec::new(), options)?;
        for n in 0..100 {
            let joined = member(&ring, &format!("node-{seed}-{n}"), &zone(n, zones))?;
            ring = with(&ring, joined)?;
            if n < 10 { small.see(&ring) } else { large.see(&ring) }
        }
    }
    small.print("1 to 10 nodes, one after the other");
    large.print("11 to 100 nodes");
    Ok(())
}

/// Nodes of a cluster of 12 leave and others join: one by one, and in any order.
fn turnover(options: RingOptions, zones: usize, seeds: u64) -> Result<(), Box<dyn Error>> {
    let (mut replaced, mut wandering, mut halved) = (Worst::default(), Worst::default(), Worst::default());
    for seed in 0..seeds {
        let mut chance = seed + 1;
        let mut roll = |below: usize| {
            chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (chance >> 33) as usize % below
        };
        let mut start = Ring::new(Vec::new(), options)?;
        for n in 0..12 {
            start = with(&start, member(&start, &format!("node-{seed}-{n}"), &zone(n, zones))?)?;
        }
        let (mut ring, mut walk) = (start.clone(), start.clone());
        for n in 0..100 {
            let at = roll(12);
            let of = ring.members()[at].zone().as_str().to_owned();
            ring = without(&ring, at)?;
            ring = with(&ring, member(&ring, &format!("after-{seed}-{n}"), &of)?)?;
            replaced.see(&ring);
            let size = walk.members().len();
            walk = if size > 4 * zones.max(2) && roll(2) == 0 || size > 40 {
                without(&walk, roll(size))?
            } else {
                with(&walk, member(&walk, &format!("walk-{seed}-{n}"), &zone(roll(zones), zones))?)?
            };
            wandering.see(&walk);
        }
        for _ in 0..6 {
            start = without(&start, roll(start.members().len()))?;
        }
        halved.see(&start);
    }
    replaced.print("12 nodes, 100 times one is replaced");
    wandering.print("100 joins and leaves in any order");
    halved.print("6 of 12 leave");
    Ok(())
}

/// Nodes that do not see each other.
fn at_once(options: RingOptions, zones: usize, seeds: u64) -> Result<(), Box<dyn Error>> {
    for (nodes, joining) in [(0, 3), (0, 6), (0, 12), (1, 2), (3, 2), (9, 2), (9, 3), (30, 2), (30, 6)] {
        let (mut worst, mut healed) = (Worst::default(), Worst::default());
        for seed in 0..seeds {
            let mut ring = Ring::new(Vec::new(), options)?;
            for n in 0..nodes {
                ring = with(&ring, member(&ring, &format!("node-{seed}-{n}"), &zone(n, zones))?)?;
            }
            let seen = ring.clone();
            for n in 0..joining {
                ring = with(&ring, member(&seen, &format!("blind-{seed}-{n}"), &zone(n, zones))?)?;
            }
            worst.see(&ring);
            for n in 0..3 * zones {
                ring = with(&ring, member(&ring, &format!("late-{seed}-{n}"), &zone(n, zones))?)?;
            }
            healed.see(&ring);
        }
        worst.print(&format!("{joining} join {nodes} at once"));
        healed.print("    and then three more a zone, one after the other");
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let seeds: u64 = std::env::args().nth(1).map_or(Ok(1), |seeds| seeds.parse())?;
    for (replication, zones) in [(1, 1), (1, 3), (3, 1), (3, 3), (3, 2), (2, 2), (2, 3), (3, 5), (5, 3)] {
        println!("replication {replication}, zones {zones}");
        let options = RingOptions { replication, zone_aware: zones > 1 };
        growth(options, zones, seeds)?;
        turnover(options, zones, seeds)?;
        at_once(options, zones, seeds)?;
    }
    Ok(())
}
