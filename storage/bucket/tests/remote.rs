//! Blocks go from the folder to the store, and are read from there by whoever has the same store.
#![allow(clippy::unwrap_used)]

mod house;

use std::sync::Arc;

use house::{House, block, id};
use spanloom_bucket::catalog::{Change, Reason, block_path};
use spanloom_bucket::{ShipError, Unshipped, entry};
use spanloom_wal::disk::SimDisk;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_block_is_shipped_seen_by_others_and_let_go_of_when_the_log_needs_it_no_more() {
    let mut house = House::new();
    let (one, two) = (house.node(), house.node());
    let dir = house.dirs[0].path().to_owned();
    for number in [5, 6] {
        one.put(&house.tenant, block(number), number.into()).unwrap();
    }
    assert_eq!(one.unshipped().blocks, 2);
    assert_eq!(one.ship(&house.tenant).await.unwrap().blocks, 2);
    assert_eq!((one.unshipped(), one.ship(&house.tenant).await.unwrap().blocks), (Unshipped::default(), 0));
    assert_eq!(house.seen(&one).await, [(5, false), (6, false)]);
    assert_eq!(house.seen(&two).await, []);
    assert_eq!(two.all_tenants().await.unwrap(), [house.tenant.clone()]);
    two.poll(&house.tenant).await.unwrap();
    assert_eq!(house.seen(&two).await, [(5, true), (6, true)]);
    assert_eq!(two.sealed_through(&house.tenant, &id(5)).unwrap(), None, "another node's log");
    // The log of the first still has what the second block sealed.
    assert_eq!(one.let_go(&house.tenant).unwrap(), 0);
    one.remote().unwrap().set_log_floor(6);
    assert_eq!(one.let_go(&house.tenant).unwrap(), 1);
    let asked = house.store.calls();
    assert_eq!(house.seen(&one).await, [(5, true), (6, false)]);
    assert_eq!(house.store.calls(), asked, "what was here is in the cache");
    assert_eq!((one.sealed_through(&house.tenant, &id(6)).unwrap(), one.last_seq()), (Some(6), 6));
    assert_eq!(House::files(&dir), 2, "a block and its mark");
    // A restart finds everything again.
    drop(one);
    let one = house.reopen(&dir);
    assert_eq!(one.unshipped(), Unshipped::default());
    assert_eq!(house.seen(&one).await, [(6, false)]);
    one.poll(&house.tenant).await.unwrap();
    assert_eq!(house.seen(&one).await, [(5, true), (6, false)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_left_the_manifest_is_seen_no_more_though_its_file_is_here() {
    let mut house = House::new();
    let node = house.node();
    let dir = house.dirs[0].path().to_owned();
    for number in [5, 6, 7] {
        node.put(&house.tenant, block(number), number.into()).unwrap();
    }
    let entries: Vec<_> = node.blocks(&house.tenant).iter().map(entry).collect();
    node.ship(&house.tenant).await.unwrap();
    node.put(&house.tenant, block(8), 8).unwrap();
    let catalog = node.remote().unwrap().steps().catalog();
    let change = Change { remove: vec![(entries[1].id, Reason::Compacted)], ..Change::default() };
    catalog.commit(&house.tenant, &change).await.unwrap();
    node.poll(&house.tenant).await.unwrap();
    assert_eq!(house.seen(&node).await, [(5, false), (7, false), (8, false)]);
    assert_eq!(node.sealed_through(&house.tenant, &id(6)).unwrap(), Some(6), "the log may have it yet");
    // Nor after a restart, once the manifest was looked at; and it is not shipped again.
    drop(node);
    let node = house.reopen(&dir);
    assert_eq!(node.ship(&house.tenant).await.unwrap().blocks, 1);
    assert_eq!(house.seen(&node).await, [(5, false), (7, false), (8, false)]);
    node.remote().unwrap().set_log_floor(100);
    assert_eq!(node.let_go(&house.tenant).unwrap(), 4);
    assert_eq!(house.seen(&node).await, [(5, true), (7, true), (8, true)]);
    assert_eq!(House::files(&dir), 0);
    assert_eq!(node.remote().unwrap().cache().usage().blocks, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_down_hides_nothing_that_is_here_and_is_caught_up_with() {
    let mut house = House::new();
    let (one, two) = (house.node(), house.node());
    one.put(&house.tenant, block(5), 5).unwrap();
    one.ship(&house.tenant).await.unwrap();
    two.poll(&house.tenant).await.unwrap();
    house.store.set_dead(true);
    one.put(&house.tenant, block(6), 6).unwrap();
    assert!(matches!(one.ship(&house.tenant).await, Err(ShipError::Step(_))));
    assert!(one.poll(&house.tenant).await.is_err() && one.all_tenants().await.is_err());
    assert_eq!((house.seen(&one).await, one.unshipped().blocks), (vec![(5, false), (6, false)], 1));
    let listed = two.blocks(&house.tenant)[0].clone();
    let error = tokio::task::spawn_blocking(move || listed.block.trace(&id(5)).unwrap_err()).await.unwrap();
    assert!(
        error.to_string().contains(&block_path(&house.tenant, two.blocks(&house.tenant)[0].id)),
        "{error}"
    );
    house.store.set_dead(false);
    assert_eq!(one.ship(&house.tenant).await.unwrap().blocks, 1);
    two.poll(&house.tenant).await.unwrap();
    assert_eq!(house.seen(&two).await, [(5, true), (6, true)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_while_shipping_ships_again_and_lists_once() {
    let house = House::new();
    let disk = Arc::new(SimDisk::new());
    let node = house.over(disk.clone(), None);
    node.put(&house.tenant, block(5), 5).unwrap();
    // The folder cannot take the mark, and the process ends.
    disk.fail_create(true);
    assert!(matches!(node.ship(&house.tenant).await, Err(ShipError::Bucket(_))));
    disk.fail_create(false);
    drop(node);
    let again = house.over(disk, None);
    assert_eq!(again.unshipped().blocks, 1, "nobody knows that it is there");
    again.ship(&house.tenant).await.unwrap();
    assert_eq!((house.seen(&again).await, again.unshipped().blocks), (vec![(5, false)], 0));
    let manifest = again.remote().unwrap().steps().catalog().refresh(&house.tenant).await.unwrap();
    assert_eq!(manifest.blocks.len(), 1);
}
