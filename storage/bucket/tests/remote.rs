//! Blocks go from the folder to the store, and are read from there by whoever has the same store.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use spanloom_block::{BlockBuilder, BuilderOptions, FinishedBlock};
use spanloom_bucket::cache::{Cache, CacheOptions};
use spanloom_bucket::catalog::steps::Steps;
use spanloom_bucket::catalog::{Catalog, Change, Reason, Timing, block_path};
use spanloom_bucket::store::faulty::{Faults, Faulty};
use spanloom_bucket::store::memory::Memory;
use spanloom_bucket::{Bucket, RealPace, Remote, ShipError, Unshipped, entry};
use spanloom_span::model::{ResourceSpans, ScopeSpans, Span, Trace};
use spanloom_span::slice::{SliceLimits, slice};
use spanloom_span::{SpanId, Tenant, TraceId, TracePart, encode};
use spanloom_wal::disk::{Disk, RealDisk, SimDisk};
use tokio::runtime::Handle;

fn id(number: u8) -> TraceId {
    TraceId([number; 16])
}

/// A block with one trace, sealed through its number.
fn block(number: u8) -> FinishedBlock {
    let mut builder = BlockBuilder::new(&Tenant::default(), BuilderOptions::default()).unwrap();
    let span = Span { trace_id: id(number), span_id: SpanId([number; 8]), ..Span::default() };
    let scope_spans = vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }];
    let whole = Trace { resource_spans: vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }] };
    let batch = slice(encode::traces_data(&whole).into(), &SliceLimits::default()).unwrap();
    let part = TracePart { batch: Arc::new(batch), group: 0, seq: number.into() };
    builder.push_trace(id(number), number.into(), &[part]).unwrap();
    builder.finish().unwrap()
}

struct House {
    store: Arc<Faulty<Memory>>,
    tenant: Tenant,
    dirs: Vec<tempfile::TempDir>,
}

impl House {
    fn new() -> Self {
        let store = Arc::new(Faulty::new(Arc::new(Memory::new()), 1, Faults::default()));
        Self { store, tenant: Tenant::default(), dirs: Vec::new() }
    }

    /// Another node with the same store.
    fn node(&mut self) -> Bucket {
        let dir = tempfile::tempdir().unwrap();
        let node = self.reopen(dir.path());
        self.dirs.push(dir);
        node
    }

    fn reopen(&self, dir: &std::path::Path) -> Bucket {
        let disk = Arc::new(RealDisk::new(dir).unwrap());
        self.over(disk, Some(dir.to_owned()))
    }

    fn over(&self, disk: Arc<dyn Disk>, root: Option<std::path::PathBuf>) -> Bucket {
        let options = CacheOptions {
            folder: root.as_ref().map(|root| root.join("cache")),
            data_bytes: 1 << 30,
            metadata_bytes: 1 << 30,
        };
        let cache = Cache::open(self.store.clone(), None, Handle::current(), options);
        let catalog = Catalog::new(self.store.clone(), Arc::new(RealPace), Timing::default());
        let remote = Remote::new(self.store.clone(), Steps::new(Arc::new(catalog)), cache);
        Bucket::open(disk, root).unwrap().0.with_remote(remote)
    }

    /// Numbers of the traces that a node lists and reads, and whether each of its blocks is elsewhere.
    async fn seen(&self, node: &Bucket) -> Vec<(u8, bool)> {
        let blocks = node.blocks(&self.tenant);
        let read = move || {
            let one = |listed: &spanloom_bucket::Listed| {
                let id = listed.block.trace_ids().unwrap().next().unwrap();
                assert!(listed.block.trace(&id).unwrap().is_some());
                (id.0[0], listed.block.is_far())
            };
            blocks.iter().map(one).collect()
        };
        tokio::task::spawn_blocking(read).await.unwrap()
    }

    fn files(dir: &std::path::Path) -> usize {
        let folder = dir.join("blocks").join(Tenant::default().as_str());
        std::fs::read_dir(folder).map_or(0, |files| files.count())
    }
}

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
