//! What happens to one node: it joins, crashes, restarts, leaves, pauses, is cut off.

use spanloom_swim::*;

use crate::for_seeds;
use crate::world::*;

#[test]
fn nodes_find_each_other_and_their_records() {
    for_seeds(3, |seed| {
        for (count, network) in [(3, CALM), (3, ROUGH), (16, CALM), (16, ROUGH)] {
            let mut world = World::lan(seed, count, network);
            world.until(10_000, World::agreed);
        }
    });
}

#[test]
fn nodes_of_one_cluster_do_without_full_state() {
    let mut world = World::lan(1, 8, Network { push_pull: false, ..CALM });
    world.until(60_000, World::agreed);
}

#[test]
fn a_crashed_node_is_down_everywhere_within_5_s() {
    for_seeds(6, |seed| {
        for count in [2, 3, 8, 24] {
            let mut world = World::lan(seed, count, CALM);
            world.until(10_000, World::agreed);
            world.run(seed * 77 % 1000);
            world.crash(count - 1);
            world.until(5_000, |world| world.all_see(&name(count - 1), Status::Down));
            world.until(1_000, World::agreed);
        }
    });
}

#[test]
fn a_restarted_node_takes_its_place_at_once() {
    for_seeds(4, |seed| {
        let mut world = World::lan(seed, 5, ROUGH);
        world.until(10_000, World::agreed);
        // One that nobody missed yet, and one that was down for long.
        for down_ms in [100, 20_000] {
            world.crash(1);
            world.run(down_ms);
            world.start(1);
            world.until(10_000, World::agreed);
            let restarted = |change: &Change| matches!(change, Change::Restarted { after, .. } if *after.name() == name(1));
            let told =
                world.nodes[&address(0)].changes.iter().filter(|(_, change)| restarted(change)).count();
            assert!(told > 0);
        }
    });
}

#[test]
fn a_node_whose_clock_went_back_takes_its_place_too() {
    for_seeds(3, |seed| {
        let mut world = World::lan(seed, 4, CALM);
        world.until(10_000, World::agreed);
        world.crash(1);
        world.run(300);
        world.start_as(name(1), address(1), 128, 30_000);
        world.until(10_000, World::agreed);
    });
}

#[test]
fn a_node_that_leaves_is_seen_to_leave_at_once() {
    for_seeds(4, |seed| {
        for (count, network) in [(2, CALM), (5, ROUGH), (24, CALM)] {
            let mut world = World::lan(seed, count, network);
            world.until(10_000, World::agreed);
            world.call(address(1), |swim, now, fx| swim.leave(now, fx));
            world.until(1_500, |world| world.all_see(&name(1), Status::Left));
            world.run(2_000);
            assert!(world.nodes[&address(1)].swim.has_left());
            assert_eq!(world.nodes[&address(1)].swim.next_deadline(), None);
            world.crash(1);
            world.run(15_000);
            assert_eq!(world.all_see(&name(1), Status::Left), Ok(()), "nobody brings it back");
            let down = |change: &Change| matches!(change, Change::Down { left: false, .. });
            let wrong = world.nodes.values().flat_map(|node| &node.changes).filter(|(_, c)| down(c)).count();
            assert!(count > 5 || network.loss > 0 || wrong == 0, "left, not down");
        }
    });
}

#[test]
fn a_partition_heals() {
    for_seeds(3, |seed| {
        for (count, minority) in [(2, 1), (5, 1), (8, 4)] {
            let mut world = World::lan(seed, count, ROUGH);
            world.until(10_000, World::agreed);
            world.part(|at| u8::from(at >= minority));
            world.run(15_000);
            assert!(world.agreed().is_err(), "it was parted");
            world.part(|_| 0);
            world.until(40_000, World::agreed);
        }
    });
}

#[test]
fn a_node_that_stood_still_comes_back_and_suspects_nobody() {
    for_seeds(3, |seed| {
        let mut world = World::lan(seed, 6, CALM);
        world.until(10_000, World::agreed);
        world.pause(2, true);
        world.until(5_000, |world| {
            let members = world.nodes[&address(0)].swim.members();
            let paused = members.iter().find(|member| *member.identity.name() == name(2)).unwrap();
            if paused.status == Status::Down { Ok(()) } else { Err("not noticed".into()) }
        });
        world.run(3_000);
        world.pause(2, false);
        world.until(15_000, World::agreed);
        let node = &world.nodes[&address(2)];
        assert!(node.swim.counters().stalls > 0);
        let down = node.changes.iter().filter(|(_, change)| matches!(change, Change::Down { .. })).count();
        assert_eq!(down, 0, "{:?}", node.changes);
    });
}

#[test]
fn records_follow_each_other_and_512_tokens_arrive() {
    let mut world = World::lan(5, 5, ROUGH);
    world.start_as(name(7), address(7), 512, 0);
    world.until(15_000, World::agreed);
    for state in [MemberState::Leaving, MemberState::Active] {
        world.call(address(7), |swim, now, fx| {
            let record = Record { state, ..swim.record().clone() };
            swim.set_record(now, record, fx).unwrap();
        });
        let all_know = |world: &World| {
            let knows = |node: &Node| {
                let members = node.swim.members();
                let member = members.into_iter().find(|member| *member.identity.name() == name(7)).unwrap();
                member.record.is_some_and(|record| record.state == state && record.tokens.len() == 512)
            };
            if world.nodes.values().all(knows) { Ok(()) } else { Err("not known, or without tokens".into()) }
        };
        world.until(5_000, all_know);
        world.until(15_000, World::agreed);
    }
}

#[test]
fn loads_ride_along() {
    let mut world = World::lan(6, 4, CALM);
    world.until(10_000, World::agreed);
    let load = Load { live_bytes: 123_456_789, spans_per_second: 4_321 };
    world.call(address(1), |swim, _, _| swim.set_load(load));
    world.until(3_000, |world| {
        let knows = |node: &Node| node.swim.members().iter().any(|member| member.load == Some(load));
        if world.nodes.values().all(knows) { Ok(()) } else { Err("not known".into()) }
    });
}

#[test]
fn seeds_by_name_are_looked_up_until_somebody_answers() {
    let mut world = World::lan(1, 2, CALM);
    world.until(10_000, World::agreed);
    let joined = Seed::parse("peers.local:7946").unwrap();
    world.start(9);
    let lookups = |world: &mut World, at: usize| {
        let mut asked = 0;
        world.call(address(at), |swim, now, fx| {
            swim.join(now, vec![joined.clone()], fx);
            let expected = Effect::Resolve { host: "peers.local".into(), port: 7946 };
            asked = fx.drain().filter(|effect| *effect == expected).count();
        });
        asked
    };
    assert_eq!(lookups(&mut world, 9), 1);
    world.call(address(9), |swim, now, fx| swim.on_resolved(now, &[address(9), address(1)], fx));
    world.until(5_000, World::agreed);
}
