//! Blocks are joined and retired, in the folder and in the store, and nothing is lost or seen twice.
#![allow(clippy::unwrap_used)]

mod house;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use house::{House, Seen, Store, files, options};
use spanloom_bucket::catalog::plan::RetentionRules;
use spanloom_bucket::store::faulty::{Faults, Faulty};
use spanloom_bucket::store::memory::Memory;
use spanloom_span::{Tenant, TraceId};
use spanloom_upkeep::UpkeepOptions;

/// Eight blocks: each has a trace of its own, a part of trace 1, and a span that the one before has too.
fn seal_eight(house: &House) -> Seen {
    let mut expected = Seen::new();
    for block in 0..8u8 {
        let spans = [(block + 10, 1), (1, u64::from(block) + 1), (1, u64::from(block) + 2)];
        house.seal(&spans);
        for (trace, id) in spans {
            let ids = expected.entry(trace).or_default();
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
    }
    expected
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blocks_of_the_folder_are_joined() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::open(dir.path(), None, options());
    let expected = seal_eight(&house);
    assert_eq!((house.blocks(), house.seen().await), (8, expected.clone()));
    house.upkeep.compact().await;
    assert_eq!(house.metrics.compaction_errors.get(), 0);
    assert_eq!((house.blocks(), files(dir.path()), house.metrics.blocks_compacted.get()), (2, 2, 8));
    // In each of the two, three spans were there twice.
    assert_eq!((house.seen().await, house.metrics.duplicates_removed.get()), (expected.clone(), 6));
    let id = TraceId([1; 16]);
    assert_eq!(house.bucket.sealed_through(&house.tenant, &id).unwrap(), Some(1), "the log may have it yet");
    house.upkeep.compact().await;
    assert_eq!(house.blocks(), 2, "two are not enough while more may come");
    house.clock.advance_ms(40 * 3600 * 1000);
    house.upkeep.compact().await;
    assert_eq!((house.blocks(), files(dir.path()), house.seen().await), (1, 1, expected.clone()));
    house.upkeep.stop().await;
    drop(house);
    let house = House::open(dir.path(), None, options());
    assert_eq!((house.blocks(), house.seen().await), (1, expected));
    house.upkeep.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_after_the_join_was_written_leaves_nothing_twice() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::open(dir.path(), None, options());
    let expected = seal_eight(&house);
    let folder = dir.path().join("blocks").join(Tenant::default().as_str());
    let before: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().path()).collect();
    let copies: Vec<(_, Vec<u8>)> = before.iter().map(|path| (path, std::fs::read(path).unwrap())).collect();
    house.upkeep.compact().await;
    house.upkeep.stop().await;
    drop(house);
    for (path, bytes) in copies {
        std::fs::write(path, bytes).unwrap();
    }
    std::fs::write(folder.join("0000000000000009-0000000000000001.block.tmp"), b"half").unwrap();
    let house = House::open(dir.path(), None, options());
    assert_eq!((house.blocks(), files(dir.path()), house.seen().await), (2, 2, expected));
    house.upkeep.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blocks_of_the_store_are_joined_and_every_node_sees_it() {
    let store: Store = Arc::new(Faulty::new(Arc::new(Memory::new()), 3, Faults::default()));
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let a = House::open(one.path(), Some(&store), options());
    let b = House::open(two.path(), Some(&store), options());
    let expected = seal_eight(&a);
    a.upkeep.ship().await.unwrap();
    b.upkeep.poll().await.unwrap();
    assert_eq!(b.seen().await, expected);
    // The one that has none of the files joins them.
    b.upkeep.compact().await;
    assert_eq!((b.metrics.compaction_errors.get(), b.blocks(), b.seen().await), (0, 2, expected.clone()));
    // The other one still reads its own, then what it polls.
    assert_eq!((a.blocks(), a.seen().await), (8, expected.clone()));
    a.upkeep.poll().await.unwrap();
    assert_eq!((a.blocks(), a.seen().await), (2, expected.clone()));
    assert_eq!(a.metrics.blocks_shipped.get(), 8);
    // Nothing is shipped again, and nothing is deleted that somebody may be reading.
    a.upkeep.ship().await.unwrap();
    a.upkeep.retain().await;
    assert_eq!((a.metrics.blocks_shipped.get(), a.metrics.objects_deleted.get(), a.blocks()), (8, 0, 2));
    assert!(!two.path().join("scratch/compaction").exists(), "copies are gone");
    a.upkeep.stop().await;
    b.upkeep.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_down_changes_nothing_and_is_caught_up_with() {
    let store: Store = Arc::new(Faulty::new(Arc::new(Memory::new()), 4, Faults::default()));
    let dir = tempfile::tempdir().unwrap();
    let house = House::open(dir.path(), Some(&store), options());
    let expected = seal_eight(&house);
    store.set_dead(true);
    assert!(house.upkeep.ship().await.is_err() && house.upkeep.poll().await.is_err());
    house.upkeep.compact().await;
    house.upkeep.retain().await;
    assert_eq!((house.metrics.compaction_errors.get(), house.metrics.retention_errors.get()), (1, 1));
    assert_eq!((house.blocks(), house.seen().await), (8, expected.clone()));
    store.set_dead(false);
    house.upkeep.ship().await.unwrap();
    house.upkeep.compact().await;
    assert_eq!((house.blocks(), house.seen().await), (2, expected));
    house.upkeep.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blocks_are_retired_by_age_and_bytes_with_exceptions_for_tenants() {
    let dir = tempfile::tempdir().unwrap();
    let age =
        |seconds| RetentionRules { max_age: Some(Duration::from_secs(seconds)), ..RetentionRules::default() };
    let house = House::open(dir.path(), None, UpkeepOptions { retention: age(100), ..options() });
    let expected = seal_eight(&house);
    house.upkeep.retain().await;
    assert_eq!(house.seen().await, expected);
    house.clock.advance_ms(95 * 1000);
    house.upkeep.retain().await;
    // The first four ended 100 seconds ago or more.
    assert_eq!((house.blocks(), files(dir.path())), (4, 4));
    house.upkeep.stop().await;
    drop(house);
    let of = BTreeMap::from([(
        Tenant::default(),
        RetentionRules { max_bytes: Some(1), ..RetentionRules::default() },
    )]);
    let house =
        House::open(dir.path(), None, UpkeepOptions { retention: age(1), retention_of: of, ..options() });
    house.upkeep.retain().await;
    assert_eq!((house.blocks(), files(dir.path())), (0, 0));
    assert_eq!(house.seen().await, Seen::new());
    house.upkeep.stop().await;
}
