//! What asking the ring costs, in nanoseconds, and what making one costs.
//!
//! `cargo run --release -p spanloom-ring --example lookup -- NODES`
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::hint::black_box;
use std::time::Instant;

use spanloom_ring::{
    MemberState, NodeName, Ring, RingMember, RingOptions, Roles, TOKENS_PER_NODE, Token, Zone, choose_tokens,
    moved,
};
use spanloom_span::Tenant;

/// The best of a few rounds: other work on the machine only adds.
fn time<R>(what: &str, count: u64, mut ask: impl FnMut(u64) -> R) {
    let mut best = f64::MAX;
    for round in 0..5 {
        let start = Instant::now();
        for i in 0..count {
            black_box(ask(black_box(round * count + i)));
        }
        best = best.min(start.elapsed().as_nanos() as f64 / count as f64);
    }
    println!("  {what}: {best:.1} ns");
}

fn token(i: u64) -> Token {
    Token(i.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

fn ask(ring: &Ring) {
    const TOKENS: u64 = 2_000_000;
    time("owners for writing", TOKENS, |i| ring.owners_for_write(token(i)).nodes().len());
    time("and the first of them", TOKENS, |i| ring.owners_for_write(token(i)).first());
    time("and all in order", TOKENS, |i| ring.owners_for_write(token(i)).in_order().last());
    time("and whether two are enough", TOKENS, |i| ring.owners_for_write(token(i)).is_quorum(3));
    time("stand-ins, nobody down", TOKENS / 4, |i| ring.stand_ins(token(i), |_| false).takers().len());
    time("stand-ins, a tenth down", TOKENS / 4, |i| {
        ring.stand_ins(token(i), |node| node.get() % 10 == 0).takers().len()
    });
}

fn main() -> Result<(), Box<dyn Error>> {
    let nodes: usize = std::env::args().nth(1).map_or(Ok(100), |nodes| nodes.parse())?;
    let mut ring = Ring::new(Vec::new(), RingOptions::default())?;
    for n in 0..nodes {
        let (name, zone) = (NodeName::new(&format!("node-{n}"))?, Zone::new(&format!("z{}", n % 3))?);
        let tokens = choose_tokens(&ring, &name, &zone, TOKENS_PER_NODE);
        let mut members = ring.members().to_vec();
        members.push(RingMember::new(name, zone, tokens, MemberState::Active, Roles::ALL)?);
        ring = Ring::new(members, ring.options())?;
    }
    println!("{nodes} nodes, {} ranges, 3 replicas in 3 zones", ring.view().ranges);
    ask(&ring);
    let mut members = ring.members().to_vec();
    members[0] = members[0].clone().in_state(MemberState::Leaving);
    let leaving = Ring::new(members.clone(), ring.options())?;
    println!("the same while a node leaves");
    ask(&leaving);

    println!("what is done when the membership changes");
    time("make the ring", 20, |_| Ring::new(members.clone(), ring.options()).map(|ring| ring.fingerprint()));
    let (name, zone) = (NodeName::new("new")?, Zone::new("z0")?);
    time("choose tokens", 5, |_| choose_tokens(&ring, &name, &zone, TOKENS_PER_NODE));
    time("what moved for a node", 20, |_| moved(&ring, &leaving, members[1].name()));
    let tenant = Tenant::new("shop")?;
    time("a tenant's shard of 9", 200, |_| ring.shard_of_tenant(&tenant, 9));
    let shard = ring.shard_of_tenant(&tenant, 9);
    time("the ring within it", 100, |_| ring.within(&shard));
    time("the owner of a job", 10_000, |i| ring.owner_of_job(i));
    Ok(())
}
