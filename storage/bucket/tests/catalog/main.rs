//! The catalog's protocol against a store that fails, workers that die, and manifests that are lost: many runs, each
//! decided by its seed.
//!
//! | file | what |
//! |---|---|
//! | `chance.rs` | random numbers of a seed |
//! | `contents.rs` | what a block of the simulation holds: numbers in place of spans |
//! | `world.rs` | the store's objects, the time, what is in flight, and what must hold at every effect |
//! | `store.rs` | the store as the catalog sees it, with faults |
//! | `executor.rs` | polls workers in an order that the seed picks, kills them, moves the time |
//! | `workers.rs` | what the workers do |
//! | `directed.rs` | single cases |
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)] // a test answers by panicking

mod chance;
mod contents;
mod directed;
mod executor;
mod store;
mod workers;
mod world;

use std::sync::Arc;

use spanloom_bucket::catalog::steps::Steps;
use spanloom_bucket::catalog::{Catalog, Manifest, ObjectName, TENANTS_PATH};

use executor::Executor;
use workers::Role;
use world::{GRACE, Shared, TIMING, tenant};

/// Polls, passages of time and deaths in a run.
const STEPS: u64 = 4_000;

/// `CATALOG_SEED=17` runs that seed alone, `CATALOG_SEEDS=100000` as many from 0 on.
#[test]
fn no_span_is_lost_and_nothing_is_left_over() {
    let number = |name| std::env::var(name).ok().map(|text: String| text.parse::<u64>().unwrap());
    let seeds = match number("CATALOG_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("CATALOG_SEEDS").unwrap_or(200),
    };
    let mut seen = world::Counts::default();
    for seed in seeds {
        let result = std::panic::catch_unwind(|| run(seed));
        match result {
            Ok(counts) => seen.add(&counts),
            Err(panic) => {
                println!(
                    "seed {seed}: CATALOG_SEED={seed} cargo nextest run -p spanloom-bucket --test catalog"
                );
                std::panic::resume_unwind(panic);
            }
        }
    }
    println!("{seen:?}");
    if number("CATALOG_SEED").is_none() {
        seen.assert_all_happened();
    }
}

/// The same seed gives the same run.
#[test]
fn a_run_is_decided_by_its_seed() {
    assert_eq!(run(7), run(7));
}

fn run(seed: u64) -> world::Counts {
    let shared = Shared::new(seed);
    let mut executor = Executor::new(shared.clone());
    let nodes = [workers::Node::default(), workers::Node::default()];
    for (at, node) in nodes.iter().enumerate() {
        executor.start(Role::Upload(at as u64, node.clone()));
    }
    for role in [
        Role::Compact,
        Role::Compact,
        Role::Compact,
        Role::Redact,
        Role::Retire,
        Role::Delete,
        Role::Delete,
        Role::Sweep,
    ] {
        executor.start(role);
    }
    // Manifests that vanish hide what goes wrong slowly.
    if seed.is_multiple_of(2) {
        executor.start(Role::Lose);
    }
    executor.run(STEPS);
    executor.stop();
    quiet_down(&shared, &mut executor, &nodes);
    check_end(&shared);
    let (guarded, _) = shared.world().guarded();
    let mut counts = shared.counts();
    counts.0.insert("spans at the end", guarded as u64);
    counts
}

/// No more faults and deaths: what was begun is brought to its end.
fn quiet_down(shared: &Shared, executor: &mut Executor, nodes: &[workers::Node]) {
    shared.no_more_faults();
    let catalog = Arc::new(Catalog::new(shared.objects(), shared.pace(), TIMING));
    let steps = Steps::new(catalog);
    shared.wait(TIMING.act_within);
    executor.finish(workers::rebuild_if_needed(steps.clone(), shared.clone()));
    for node in nodes {
        executor.finish(workers::upload_all(steps.clone(), shared.clone(), node.clone()));
    }
    shared.wait(TIMING.orphan_after);
    executor.finish(workers::sweep(steps.clone()));
    // A round may leave some to the next.
    for _ in 0..12 {
        shared.wait(GRACE + TIMING.act_within);
        executor.finish(workers::delete(steps.clone()));
    }
}

fn check_end(shared: &Shared) {
    let world = shared.world();
    let manifest: Manifest = world.manifest().expect("there is a manifest at the end");
    assert_eq!(manifest.gone, [], "nothing is remembered that was deleted long ago");
    assert_eq!(manifest.aside, [], "every block can be read");
    for path in world.paths().filter(|path| *path != TENANTS_PATH) {
        match ObjectName::of(&tenant(), path) {
            ObjectName::Block(id) => assert!(manifest.block(id).is_some(), "{path} is listed by nobody"),
            ObjectName::Manifest | ObjectName::Damaged(_) => {}
            other => panic!("{path} is {other:?}"),
        }
    }
    world.check_all_kept(&manifest);
}
