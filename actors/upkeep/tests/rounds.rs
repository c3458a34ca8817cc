//! Blocks are joined and retired, in the folder and in the store, and nothing is lost or seen twice.
#![allow(clippy::unwrap_used)]

mod house;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use house::{House, Seen, Store, files, options};
use spanloom_bucket::catalog::plan::RetentionRules;
use spanloom_bucket::catalog::{TENANTS_PATH, Timing};
use spanloom_bucket::objects::{Got, Objects, Upload};
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
async fn each_node_does_its_share_of_the_work_on_a_store() {
    let store: Store = Arc::new(Faulty::new(Arc::new(Memory::new()), 3, Faults::default()));
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let a = House::open_sharing(one.path(), Some(&store), options(), |_| false);
    let b = House::open_sharing(two.path(), Some(&store), options(), |_| true);
    let expected = seal_eight(&a);
    a.upkeep.ship().await.unwrap();
    a.upkeep.compact().await;
    assert_eq!((a.metrics.compactions.get(), a.blocks()), (0, 8), "the other one's");
    b.upkeep.poll().await.unwrap();
    b.upkeep.compact().await;
    assert_eq!((b.blocks(), b.seen().await), (2, expected));
    a.upkeep.stop().await;
    b.upkeep.stop().await;
    // Nobody else joins what is in a folder.
    let dir = tempfile::tempdir().unwrap();
    let alone = House::open_sharing(dir.path(), None, options(), |_| false);
    seal_eight(&alone);
    alone.upkeep.compact().await;
    assert!(alone.blocks() < 8);
    alone.upkeep.stop().await;
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_or_lost_list_of_tenants_is_made_anew() {
    let store: Store = Arc::new(Faulty::new(Arc::new(Memory::new()), 5, Faults::default()));
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (a, b) =
        (House::open(one.path(), Some(&store), options()), House::open(two.path(), Some(&store), options()));
    let expected = seal_eight(&a);
    a.upkeep.ship().await.unwrap();
    store.inner().put(TENANTS_PATH, Upload::Bytes("no list".into())).await.unwrap();
    b.upkeep.poll().await.unwrap();
    assert_eq!(b.seen().await, expected);
    store.inner().delete(TENANTS_PATH).await.unwrap();
    b.upkeep.poll().await.unwrap();
    assert!(matches!(store.inner().get(TENANTS_PATH, None).await.unwrap(), Got::Object(..)));
    a.upkeep.stop().await;
    b.upkeep.stop().await;
}

/// What is left of the disk is for sealing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_joined_on_a_disk_that_is_nearly_full() {
    let dir = tempfile::tempdir().unwrap();
    let with = |keep_free| {
        let mut options = options();
        options.writing.keep_free = keep_free;
        options
    };
    let house = House::open(dir.path(), None, with(u64::MAX / 2));
    let expected = seal_eight(&house);
    house.upkeep.compact().await;
    assert_eq!((house.blocks(), house.seen().await), (8, expected.clone()));
    house.upkeep.stop().await;
    drop(house);
    let house = House::open(dir.path(), None, with(1));
    house.upkeep.compact().await;
    assert_eq!((house.blocks(), house.seen().await), (2, expected));
    house.upkeep.stop().await;
}

/// The last of its blocks are retired, so nobody lists the tenant any more; its objects go nevertheless.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects_of_a_tenant_without_blocks_are_deleted() {
    let store: Store = Arc::new(Faulty::new(Arc::new(Memory::new()), 6, Faults::default()));
    let dir = tempfile::tempdir().unwrap();
    let short = Duration::from_millis(100);
    let timing = Timing { grace: short, orphan_after: short, act_within: short / 2 };
    let retention = RetentionRules { max_bytes: Some(1), ..RetentionRules::default() };
    let house =
        House::open_within(dir.path(), Some(&store), timing, UpkeepOptions { retention, ..options() });
    seal_eight(&house);
    house.upkeep.ship().await.unwrap();
    house.upkeep.retain().await;
    house.upkeep.poll().await.unwrap();
    assert_eq!((house.blocks(), house.metrics.retention_errors.get()), (0, 0));
    let objects = async || {
        let found = store.inner().list(house.tenant.as_str()).await.unwrap();
        found.into_iter().filter(|object| object.path.ends_with(".block")).count()
    };
    for _ in 0..1_000 {
        if objects().await == 0 {
            break;
        }
        house.upkeep.retain().await;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!((objects().await, house.metrics.objects_deleted.get()), (0, 8));
    // What a node left that died is found, too.
    let orphan = "single-tenant/0000000000000009-0000000000000001.block";
    store.inner().put(orphan, Upload::Bytes("half".into())).await.unwrap();
    tokio::time::sleep(short * 2).await;
    house.upkeep.sweep().await;
    assert_eq!(house.metrics.orphans_found.get(), 1);
    house.upkeep.stop().await;
}
