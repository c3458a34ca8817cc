//! Figures of 64 nodes on the LAN preset. `cargo nextest run -p spanloom-swim --test cluster figures --no-capture`
//! prints them.

use spanloom_swim::*;

use crate::world::*;

#[test]
fn a_cluster_of_64_is_cheap_and_quick() {
    let mut world = World::lan(3, 64, CALM);
    let agreed = world.until(10_000, World::agreed);
    world.run(30_000);

    let bytes = |world: &World| -> Vec<u64> {
        world.nodes.values().map(|node| node.swim.counters().sent_bytes).collect()
    };
    let before = bytes(&world);
    world.run(60_000);
    let per_node: Vec<u64> = bytes(&world).iter().zip(&before).map(|(now, then)| (now - then) / 60).collect();
    let (mean, most) = (per_node.iter().sum::<u64>() / 64, per_node.iter().max().copied().unwrap_or(0));

    world.start(64);
    let joined = world.until(5_000, World::agreed);
    world.run(5_000);
    world.crash(10);
    let crashed = world.until(5_000, |world| world.all_see(&name(10), Status::Down));
    world.call(address(20), |swim, now, fx| swim.leave(now, fx));
    let left = world.until(2_000, |world| world.all_see(&name(20), Status::Left));
    println!(
        "64 nodes with 128 tokens: {agreed} ms to agree after the start; at rest each sends {mean} B/s, the busiest \
         {most} B/s (UDP payload); a 65th is agreed on after {joined} ms, a crash after {crashed} ms, a leave after \
         {left} ms; {} false alarms",
        world.false_alarms()
    );
    assert!(most <= 5_000, "{most} B/s");
    assert_eq!(world.false_alarms(), 0);
}

#[test]
fn loss_costs_few_false_alarms() {
    for (loss, most) in [(10, 0), (50, 5)] {
        let mut world = World::lan(4, 16, Network { loss, ..ROUGH });
        world.until(15_000, World::agreed);
        world.run(600_000);
        println!(
            "16 nodes that lose {loss} of 1000 datagrams: {} false alarms in 10 min",
            world.false_alarms()
        );
        assert!(world.false_alarms() <= most);
        world.until(15_000, World::agreed);
    }
}

#[test]
fn regions_are_watched_too() {
    let network = Network { loss: 10, doubled: 5, delay_ms: (60, 180), push_pull: true };
    let seal = Seal::Keys(vec![Key::new(&[9; 32]).unwrap()]);
    let mut world = World::new(1, network, Options { seal, ..Options::wan(12) });
    (0..12).for_each(|at| world.start(at));
    let agreed = world.until(20_000, World::agreed);
    world.run(60_000);
    world.crash(4);
    let crashed = world.until(25_000, |world| world.all_see(&name(4), Status::Down));
    println!("12 nodes on the WAN preset: {agreed} ms to agree, a crash after {crashed} ms");
    assert_eq!(world.false_alarms(), 0);
}
