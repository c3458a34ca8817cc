//! Two processes with one name, two clusters on one network, and keys that differ.

use spanloom_swim::*;

use crate::for_seeds;
use crate::world::*;

#[test]
fn of_two_with_one_name_the_later_counts_and_the_other_is_told() {
    for_seeds(4, |seed| {
        let mut world = World::lan(seed, 5, CALM);
        world.until(10_000, World::agreed);
        world.run(1_000);
        world.start_as(name(3), address(30), 16, 0);
        let loser = world.nodes[&address(3)].swim.identity().clone();
        world.until(20_000, |world| match world.nodes[&address(3)].swim.name_taken_by() {
            Some(winner) if winner.address() == address(30) => Ok(()),
            other => Err(format!("the loser knows of {other:?}")),
        });
        let told = world.nodes[&address(3)].changes.last().unwrap().1.to_string();
        assert!(told.starts_with("the name ingest-3 is taken: ingest-3@10.0.0.31:7946"), "{told}");
        assert!(told.contains(&loser.address().to_string()));
        world.run(5_000);
        // It is silent, and stays so while the other is up.
        let sent = world.nodes[&address(3)].swim.counters().sent;
        world.run(30_000);
        assert!(world.nodes[&address(3)].swim.counters().sent - sent <= 10);
        let renewals = world.false_alarms();
        assert!(renewals <= 3, "{renewals} renewals: they fight");
        let silent = world.nodes.remove(&address(3)).unwrap();
        assert_eq!(world.agreed(), Ok(()));
        // The winner goes, and the loser has the name again.
        world.nodes.insert(address(3), silent);
        world.nodes.remove(&address(30));
        world.until(120_000, World::agreed);
    });
}

#[test]
fn clusters_on_one_network_stay_apart() {
    for seal in [Seal::Off, Seal::Keys(vec![Key::new(&[9; 32]).unwrap()])] {
        let options = Options { label: "blue".into(), seal, ..Options::lan(3) };
        let mut world = World::new(1, CALM, options);
        (0..3).for_each(|at| world.start(at));
        world.options.label = "green".into();
        (3..5).for_each(|at| world.start(at));
        world.run(20_000);
        let up = |at: usize| world.nodes[&address(at)].swim.members().len();
        assert_eq!((0..5).map(up).collect::<Vec<_>>(), [3, 3, 3, 1, 1]);
        assert!(world.nodes[&address(0)].swim.counters().dropped(DropReason::OtherCluster) > 0);
    }
}

#[test]
fn who_has_not_the_key_is_not_let_in() {
    let mut world = World::lan(1, 3, CALM);
    world.options.seal = Seal::Keys(vec![Key::new(&[8; 32]).unwrap()]);
    world.start(4);
    world.options.seal = Seal::Off;
    world.start(5);
    world.run(20_000);
    let swim = &world.nodes[&address(0)].swim;
    assert_eq!(swim.members().len(), 3);
    assert!(swim.counters().dropped(DropReason::UnknownKey) > 0);
    assert!(swim.counters().dropped(DropReason::Unsealed) > 0);
    assert!(swim.last_dropped().is_some());
}

#[test]
fn keys_are_rotated_while_the_cluster_runs() {
    let mut world = World::lan(1, 5, CALM);
    world.until(10_000, World::agreed);
    let (old, new) = (Key::new(&[9; 32]).unwrap(), Key::new(&[7; 32]).unwrap());
    for keys in [vec![old.clone(), new.clone()], vec![new.clone(), old], vec![new]] {
        for at in 0..5 {
            world.call(address(at), |swim, _, _| swim.set_keys(keys.clone()).unwrap());
            world.run(500);
        }
    }
    world.run(5_000);
    assert_eq!((world.agreed(), world.false_alarms()), (Ok(()), 0));
}

#[test]
fn any_bytes_are_dropped_and_counted() {
    use rand::RngExt;
    for seal in [Seal::Off, Seal::Keys(vec![Key::new(&[9; 32]).unwrap()])] {
        let mut world = World::new(1, CALM, Options { seal, ..Options::lan(3) });
        (0..3).for_each(|at| world.start(at));
        world.until(10_000, World::agreed);
        let mut captured = Vec::new();
        world.call(address(0), |swim, now, fx| swim.join(now, vec![Seed::Address(address(1))], fx));
        world.call(address(1), |swim, now, fx| {
            swim.join(now, vec![Seed::Address(address(0))], fx);
            captured.extend(fx.drain().filter_map(|effect| match effect {
                Effect::Send { bytes, .. } => Some(bytes),
                _ => None,
            }));
        });
        let pattern = captured.pop().unwrap();
        for _ in 0..20_000 {
            let mut bytes = pattern.clone();
            for _ in 0..world.rng.random_range(1..4) {
                let at = world.rng.random_range(0..bytes.len());
                bytes[at] = world.rng.random();
            }
            bytes.truncate(world.rng.random_range(0..=bytes.len()));
            world.call(address(0), |swim, now, fx| swim.on_datagram(now, address(1), &bytes, fx));
        }
        let state = world.nodes[&address(0)].swim.full_state();
        for _ in 0..5_000 {
            let mut bytes = state.clone();
            let at = world.rng.random_range(0..bytes.len());
            bytes[at] = world.rng.random();
            bytes.truncate(world.rng.random_range(0..=bytes.len()));
            world.call(address(2), |swim, now, fx| {
                let _ = swim.merge_full_state(now, &bytes, fx);
            });
        }
    }
}
