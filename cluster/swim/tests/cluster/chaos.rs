//! Everything at once, by a seed: crashes, restarts, leaves, partitions, pauses, clocks set back, on a rough network.

use rand::RngExt;
use spanloom_swim::*;

use crate::for_seeds;
use crate::world::*;

fn trouble(world: &mut World, count: usize) {
    for _ in 0..12 {
        let at = world.rng.random_range(0..count);
        let runs = world.nodes.contains_key(&address(at));
        match world.rng.random_range(0..8) {
            0 | 1 if runs => world.crash(at),
            2 if runs => {
                world.call(address(at), |swim, now, fx| swim.leave(now, fx));
                world.run(1_000);
                world.crash(at);
            }
            3 => {
                let minority = world.rng.random_range(0..count);
                world.part(|at| u8::from(at < minority));
            }
            4 => world.part(|_| 0),
            5 if runs => {
                world.pause(at, true);
                let ms = world.rng.random_range(100..6_000);
                world.run(ms);
                world.pause(at, false);
            }
            6 if runs => world.call(address(at), |swim, now, fx| {
                let zone = Zone::new(&format!("zone-{}", now.unix_ms % 7)).unwrap();
                let record = Record { zone, ..swim.record().clone() };
                swim.set_record(now, record, fx).unwrap();
            }),
            _ if !runs => {
                let tokens = [16, 128, 512][world.rng.random_range(0..3)];
                let behind_ms = [0, 0, 20_000][world.rng.random_range(0..3)];
                world.start_as(name(at), address(at), tokens, behind_ms);
            }
            _ => {}
        }
        let ms = world.rng.random_range(10..5_000);
        world.run(ms);
    }
}

#[test]
fn whatever_happens_all_agree_when_it_is_over() {
    for_seeds(25, |seed| {
        let count = 3 + (seed % 7) as usize;
        let mut world = World::lan(seed, count, ROUGH);
        trouble(&mut world, count);
        world.part(|_| 0);
        world.network = CALM;
        // Members that are down are tried every 10 s, seeds every 60 s.
        world.until(90_000, World::agreed);
        // What was told of the trouble may still be on its way, and be outlived once more.
        world.run(15_000);
        let alarms = world.false_alarms();
        world.run(30_000);
        assert_eq!((world.agreed(), world.false_alarms()), (Ok(()), alarms), "and it stays so");
    });
}

#[test]
fn one_seed_gives_one_course_of_events() {
    let course = |seed: u64| {
        let mut world = World::lan(seed, 5, ROUGH);
        world.log = Some(Vec::new());
        trouble(&mut world, 5);
        world.log.unwrap()
    };
    let (one, two, other) = (course(1), course(1), course(2));
    assert!(one.len() > 10_000 && one == two && one != other);
}
