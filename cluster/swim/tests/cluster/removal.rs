//! Nodes that are gone for good and are said to be, and nodes that find out what they were.

use spanloom_swim::*;

use crate::for_seeds;
use crate::world::*;

/// What a node holds of another.
fn seen(world: &World, by: usize, who: usize) -> Member {
    let members = world.nodes[&address(by)].swim.members();
    members.into_iter().find(|member| *member.identity.name() == name(who)).unwrap()
}

/// Whether all that run hold a node in a state, said by others or not.
fn all_hold(world: &World, who: usize, state: MemberState, removed: bool) -> Result<(), String> {
    for (address, node) in &world.nodes {
        let members = node.swim.members();
        let member = members.iter().find(|member| *member.identity.name() == name(who)).unwrap();
        let record = member.record.as_ref().or(member.former.as_ref());
        let found = (record.map(|record| record.state), member.removed);
        if found != (Some(state), removed) {
            return Err(format!("{address} holds {found:?}"));
        }
    }
    Ok(())
}

fn remove(world: &mut World, by: usize, who: usize, state: MemberState) -> Result<(), Error> {
    let mut outcome = Ok(());
    world.call(address(by), |swim, now, fx| outcome = swim.remove(now, &name(who), state, fx));
    outcome
}

#[test]
fn a_dead_node_is_removed_step_by_step_and_comes_back_as_another_life() {
    for_seeds(4, |seed| {
        for (count, network) in [(3, CALM), (8, ROUGH)] {
            let mut world = World::lan(seed, count, network);
            world.until(10_000, World::agreed);
            let up = remove(&mut world, 0, 1, MemberState::Leaving).unwrap_err();
            assert_eq!(up.to_string(), "ingest-1 cannot be removed: it is not down");
            world.crash(1);
            world.until(8_000, |world| world.all_see(&name(1), Status::Down));
            remove(&mut world, 0, 1, MemberState::Leaving).unwrap();
            world.until(2_000, |world| all_hold(world, 1, MemberState::Leaving, true));
            assert_eq!(seen(&world, 2, 1).record.unwrap().tokens.len(), 128, "it owns what it owned");
            remove(&mut world, 2, 1, MemberState::Left).unwrap();
            world.until(2_000, |world| all_hold(world, 1, MemberState::Left, true));
            assert_eq!(world.all_see(&name(1), Status::Left), Ok(()));
            assert!(seen(&world, 0, 1).record.unwrap().tokens.is_empty());
            world.start(1);
            world.until(10_000, World::agreed);
            assert_eq!(all_hold(&world, 1, MemberState::Active, false), Ok(()));
        }
    });
}

#[test]
fn a_node_that_lived_hears_that_it_was_removed_and_its_answer_counts() {
    for_seeds(4, |seed| {
        for state in [MemberState::Leaving, MemberState::Left] {
            let mut world = World::lan(seed, 5, CALM);
            world.until(10_000, World::agreed);
            world.part(|at| u8::from(at == 3));
            world.run(10_000);
            remove(&mut world, 0, 3, state).unwrap();
            world.run(2_000);
            world.part(|_| 0);
            let hears = |world: &World| {
                let told = |(_, change): &(u64, Change)| *change == Change::Held(state);
                let changes = &world.nodes[&address(3)].changes;
                if changes.iter().any(told) { Ok(()) } else { Err("it does not know".into()) }
            };
            world.until(60_000, hears);
            let held = world.nodes[&address(3)].swim.held().unwrap();
            assert_eq!((held.record.state, held.removed), (state, true));
            world.call(address(3), |swim, now, fx| {
                let record = Record { state: MemberState::Joining, ..swim.record().clone() };
                swim.set_record(now, record, fx).unwrap();
            });
            world.until(40_000, World::agreed);
            assert_eq!(all_hold(&world, 3, MemberState::Joining, false), Ok(()));
        }
    });
}

#[test]
fn a_silent_node_is_what_it_was_until_it_speaks() {
    for_seeds(4, |seed| {
        let mut world = World::lan(seed, 4, ROUGH);
        world.until(10_000, World::agreed);
        world.crash(1);
        world.run(seed * 1_700 % 8_000);
        world.start_silent(1);
        world.until(10_000, |world| world.all_see(&name(1), Status::Up));
        world.run(5_000);
        assert_eq!(all_hold(&world, 1, MemberState::Active, false), Ok(()));
        let by_others = seen(&world, 0, 1);
        assert!(by_others.silent);
        assert_eq!((by_others.record, by_others.former.unwrap().tokens.len()), (None, 128));
        let held = world.nodes[&address(1)].swim.held().unwrap();
        assert_eq!((held.record.state, held.removed), (MemberState::Active, false));
        assert_eq!(seen(&world, 1, 1).former, Some(held.record));
        world.call(address(1), |swim, now, fx| {
            let record = Record { tokens: vec![1, 2], ..swim.record().clone() };
            swim.set_record(now, record, fx).unwrap();
        });
        world.until(10_000, World::agreed);
        assert_eq!(seen(&world, 0, 1).record.unwrap().tokens, [1, 2]);
    });
}

#[test]
fn who_is_down_is_remembered_and_who_was_removed_is_not() {
    let mut world = World::new(1, CALM, Options { forget_down_ms: 20_000, ..Options::lan(5) });
    (0..5).for_each(|at| world.start(at));
    world.until(10_000, World::agreed);
    (3..5).for_each(|at| world.crash(at));
    world.until(6_000, |world| world.all_see(&name(4), Status::Down));
    world.until(6_000, |world| world.all_see(&name(3), Status::Down));
    remove(&mut world, 0, 4, MemberState::Left).unwrap();
    world.run(60_000);
    let names: Vec<_> = world.nodes[&address(1)].swim.members();
    let names: Vec<_> = names.iter().map(|member| member.identity.name().as_str().to_owned()).collect();
    assert_eq!(names, ["ingest-0", "ingest-1", "ingest-2", "ingest-3"]);
    // One that comes later hears of it.
    world.start(6);
    world.until(10_000, |world| world.all_see(&name(3), Status::Down));
    assert_eq!(seen(&world, 6, 3).record.unwrap().tokens.len(), 128);
}
