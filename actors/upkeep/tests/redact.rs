//! What is to go goes from all blocks, in the folder and in the store, whatever others do meanwhile; all else stays.
#![allow(clippy::unwrap_used)]

mod house;

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use house::{House, Seen, Store, files, options};
use proptest::prelude::*;
use spanloom_bucket::catalog::Reason;
use spanloom_bucket::objects::{Found, Got, Objects, StoreError, Swapped, Upload, Version};
use spanloom_bucket::store::faulty::{Faults, Faulty};
use spanloom_bucket::store::memory::Memory;
use spanloom_span::TraceId;
use spanloom_upkeep::{Doomed, Redaction};
use tokio::sync::Mutex;

/// Traces and spans of a block.
type Spans = Vec<(u8, u64)>;

fn trace(number: u8) -> TraceId {
    TraceId([number; 16])
}

fn traces(numbers: &[u8]) -> Doomed {
    Doomed::Traces(numbers.iter().map(|&number| trace(number)).collect())
}

fn spans(of: &[(u8, u64)]) -> Doomed {
    Doomed::Spans(of.iter().map(|&(number, id)| (trace(number), id, 0)).collect())
}

/// What a reader of these blocks finds, but for what is to go.
fn left(blocks: &[Spans], doomed: &Doomed) -> Seen {
    let is_doomed = |number: u8, id: u64| match doomed {
        Doomed::Traces(traces) => traces.contains(&trace(number)),
        Doomed::Spans(spans) => spans.contains(&(trace(number), id, 0)),
    };
    let mut seen = Seen::new();
    let all: BTreeSet<(u8, u64)> = blocks.iter().flatten().copied().collect();
    for (number, id) in all.into_iter().filter(|&(number, id)| !is_doomed(number, id)) {
        seen.entry(number).or_default().push(id);
    }
    seen
}

/// Four blocks: the second has nothing but trace 1, the last nothing of it; trace 7 lies in three.
fn four() -> Vec<Spans> {
    vec![
        vec![(1, 1), (1, 2), (2, 1), (7, 1)],
        vec![(1, 2), (1, 3)],
        vec![(1, 4), (3, 1), (7, 1), (7, 2)],
        vec![(4, 1), (7, 3)],
    ]
}

fn store(seed: u64) -> Store {
    Arc::new(Faulty::new(Arc::new(Memory::new()), seed, Faults::default()))
}

async fn redact(house: &House, doomed: &Doomed, dry: bool) -> Redaction {
    house.upkeep.redact(&house.tenant, doomed.clone(), dry).await.unwrap()
}

/// Every block is as it should be: checksums, references, the trace table.
fn verified(house: &House) {
    let blocks = house.bucket.blocks(&house.tenant);
    blocks.iter().for_each(|listed| assert!(listed.block.verify().is_ok(), "{}", listed.id));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn traces_go_from_the_folder_for_good() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::open(dir.path(), None, options());
    four().iter().for_each(|spans| house.seal(spans));
    let doomed = traces(&[9, 1, 1]);
    let would = redact(&house, &doomed, true).await;
    assert_eq!((would.traces, would.spans, would.blocks.len(), would.emptied()), (1, 5, 3, 1));
    assert_eq!((house.seen().await, files(dir.path())), (left(&four(), &traces(&[])), 4), "a dry one");
    let done = redact(&house, &doomed, false).await;
    assert_eq!((done.traces, done.spans, &done.blocks, done.emptied()), (1, 5, &would.blocks, 1));
    assert_eq!((house.seen().await, files(dir.path())), (left(&four(), &doomed), 3));
    assert_eq!(
        house.bucket.sealed_through(&house.tenant, &trace(2)).unwrap(),
        Some(1),
        "for the log's replay"
    );
    verified(&house);
    let again = redact(&house, &doomed, false).await;
    assert_eq!((again.traces, again.blocks.len()), (0, 0));
    house.upkeep.stop().await;
    drop(house);
    let house = House::open(dir.path(), None, options());
    assert_eq!((house.seen().await, files(dir.path())), (left(&four(), &doomed), 3));
    house.upkeep.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spans_go_and_the_others_of_their_traces_stay() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::open(dir.path(), None, options());
    four().iter().for_each(|spans| house.seal(spans));
    let doomed = spans(&[(1, 2), (1, 3), (7, 3), (4, 9), (4, 1)]);
    let done = redact(&house, &doomed, false).await;
    // The span that two blocks have counts in both, its trace once.
    assert_eq!((done.traces, done.spans, done.blocks.len(), done.emptied()), (3, 5, 3, 2));
    assert_eq!((house.seen().await, files(dir.path())), (left(&four(), &doomed), 2));
    verified(&house);
    house.upkeep.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_to_go_goes_from_the_store_and_every_node_sees_it() {
    let store = store(1);
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let a = House::open(one.path(), Some(&store), options());
    let b = House::open(two.path(), Some(&store), options());
    four().iter().for_each(|spans| a.seal(spans));
    // One's blocks are not in the store yet: they are brought there first.
    let doomed = traces(&[1, 7]);
    let done = redact(&a, &doomed, false).await;
    assert_eq!((done.traces, done.emptied(), done.conflicts), (2, 1, 0));
    assert_eq!(a.seen().await, left(&four(), &doomed));
    b.upkeep.poll().await.unwrap();
    assert_eq!(b.seen().await, left(&four(), &doomed));
    verified(&b);
    let manifest = a.bucket.remote().unwrap().steps().catalog().refresh(&a.tenant).await.unwrap();
    let reasons: Vec<Reason> = manifest.gone.iter().map(|gone| gone.reason).collect();
    assert_eq!(reasons, [Reason::Redacted, Reason::Emptied, Reason::Redacted, Reason::Redacted]);
    // The node that has none of the files does the rest, and the one that has them sees it.
    let rest = spans(&[(2, 1), (3, 1)]);
    redact(&b, &rest, false).await;
    a.upkeep.poll().await.unwrap();
    assert_eq!(a.seen().await, Seen::from([(4, vec![1])]));
    a.upkeep.ship().await.unwrap();
    assert_eq!(a.seen().await, Seen::from([(4, vec![1])]), "nothing is shipped again");
    // The log has nothing of them any more: the files go, too.
    a.bucket.remote().unwrap().set_log_floor(2);
    assert_eq!(a.upkeep.let_go(&a.tenant).unwrap(), 4);
    assert_eq!((files(one.path()), a.seen().await), (0, Seen::from([(4, vec![1])])));
    a.upkeep.stop().await;
    b.upkeep.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_down_changes_nothing() {
    let store = store(2);
    let dir = tempfile::tempdir().unwrap();
    let house = House::open(dir.path(), Some(&store), options());
    four().iter().for_each(|spans| house.seal(spans));
    store.set_dead(true);
    let failed = house.upkeep.redact(&house.tenant, traces(&[1]), false).await.unwrap_err();
    assert_eq!((failed.done.spans, failed.done.blocks.len()), (0, 0), "{failed}");
    assert_eq!(house.seen().await, left(&four(), &traces(&[])));
    store.set_dead(false);
    redact(&house, &traces(&[1]), false).await;
    assert_eq!(house.seen().await, left(&four(), &traces(&[1])));
    house.upkeep.stop().await;
}

/// Something that is done once, when the next block is put.
type Once = Box<dyn FnOnce() -> BoxFuture<'static, ()> + Send>;

/// A store in which something happens between the reading of blocks and the listing of what was made of them.
struct Meanwhile {
    inner: Arc<dyn Objects>,
    once: Mutex<Option<Once>>,
}

type Answer<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

impl Objects for Meanwhile {
    fn get<'a>(&'a self, path: &'a str, unless: Option<&'a Version>) -> Answer<'a, Got> {
        self.inner.get(path, unless)
    }

    fn ranges<'a>(&'a self, path: &'a str, ranges: &'a [Range<u64>]) -> Answer<'a, Vec<Bytes>> {
        self.inner.ranges(path, ranges)
    }

    fn put<'a>(&'a self, path: &'a str, from: Upload) -> Answer<'a, ()> {
        async move {
            if let Some(once) = self.once.lock().await.take() {
                once().await;
            }
            self.inner.put(path, from).await
        }
        .boxed()
    }

    fn swap<'a>(&'a self, path: &'a str, bytes: Bytes, expected: Option<&'a Version>) -> Answer<'a, Swapped> {
        self.inner.swap(path, bytes, expected)
    }

    fn delete<'a>(&'a self, path: &'a str) -> Answer<'a, ()> {
        self.inner.delete(path)
    }

    fn list<'a>(&'a self, folder: &'a str) -> Answer<'a, Vec<Found>> {
        self.inner.list(folder)
    }

    fn folders<'a>(&'a self, folder: &'a str) -> Answer<'a, Vec<String>> {
        self.inner.folders(folder)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blocks_that_are_joined_meanwhile_are_caught() {
    let inner: Arc<dyn Objects> = store(3);
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let meanwhile = Arc::new(Meanwhile { inner: inner.clone(), once: Mutex::default() });
    let a = House::open_on(one.path(), Some(meanwhile.clone()), options());
    let b = Arc::new(House::open_on(two.path(), Some(inner), options()));
    four().iter().for_each(|spans| a.seal(spans));
    a.upkeep.ship().await.unwrap();
    b.upkeep.poll().await.unwrap();
    let other = b.clone();
    let join = move || async move { other.upkeep.compact().await }.boxed();
    *meanwhile.once.lock().await = Some(Box::new(join));
    let doomed = traces(&[1]);
    let done = redact(&a, &doomed, false).await;
    assert_eq!(b.metrics.compactions.get(), 1, "the other node joined all four");
    // The first of three, and the others that were joined with it; then the block that was made of them.
    assert_eq!((done.conflicts, done.blocks.len(), done.passes), (3, 1, 3));
    assert_eq!((a.blocks(), a.seen().await), (1, left(&four(), &doomed)));
    b.upkeep.poll().await.unwrap();
    assert_eq!(b.seen().await, left(&four(), &doomed));
    a.upkeep.stop().await;
    b.upkeep.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_join_whose_blocks_are_redacted_meanwhile_brings_nothing_back() {
    let inner: Arc<dyn Objects> = store(4);
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let meanwhile = Arc::new(Meanwhile { inner: inner.clone(), once: Mutex::default() });
    let a = Arc::new(House::open_on(one.path(), Some(inner), options()));
    let b = House::open_on(two.path(), Some(meanwhile.clone()), options());
    four().iter().for_each(|spans| a.seal(spans));
    a.upkeep.ship().await.unwrap();
    b.upkeep.poll().await.unwrap();
    let (other, doomed) = (a.clone(), traces(&[1]));
    let redaction = move || async move { drop(redact(&other, &traces(&[1]), false).await) }.boxed();
    *meanwhile.once.lock().await = Some(Box::new(redaction));
    b.upkeep.compact().await;
    assert_eq!(b.metrics.compaction_errors.get(), 1, "its inputs were not there any more");
    b.upkeep.compact().await;
    b.upkeep.poll().await.unwrap();
    a.upkeep.poll().await.unwrap();
    for house in [&*a, &b] {
        assert_eq!(house.seen().await, left(&four(), &doomed));
    }
    a.upkeep.stop().await;
    b.upkeep.stop().await;
}

fn any_blocks() -> impl Strategy<Value = Vec<Spans>> {
    let block = prop::collection::btree_set((1..7u8, 1..6u64), 1..12);
    prop::collection::vec(block.prop_map(|spans| spans.into_iter().collect()), 1..7)
}

fn any_doomed() -> impl Strategy<Value = Doomed> {
    prop_oneof![
        prop::collection::vec(1..9u8, 0..5).prop_map(|numbers| traces(&numbers)),
        prop::collection::vec((1..8u8, 1..7u64), 0..20).prop_map(|of| spans(&of)),
    ]
}

/// Redacts, with a join before, between or after; what is found is exactly the rest.
async fn check_any(blocks: &[Spans], doomed: &[Doomed; 2], join_at: u8, in_store: bool) {
    let (dir, store) = (tempfile::tempdir().unwrap(), store(5));
    let house = House::open(dir.path(), in_store.then_some(&store), options());
    blocks.iter().for_each(|spans| house.seal(spans));
    house.upkeep.ship().await.unwrap();
    let mut expected = left(blocks, &doomed[0]);
    for (number, doomed) in (0u8..).zip(doomed) {
        if join_at == number {
            house.upkeep.compact().await;
        }
        let before = house.seen().await;
        let would = redact(&house, doomed, true).await;
        let done = redact(&house, doomed, false).await;
        assert_eq!((would.traces, would.spans, &would.blocks), (done.traces, done.spans, &done.blocks));
        if number == 1 {
            let all: Spans =
                expected.iter().flat_map(|(trace, ids)| ids.iter().map(|id| (*trace, *id))).collect();
            expected = left(&[all], doomed);
        }
        let seen = house.seen().await;
        assert_eq!(seen, expected);
        let touched = before.iter().filter(|(trace, ids)| seen.get(trace) != Some(ids)).count();
        assert_eq!(done.traces, touched as u64);
        verified(&house);
    }
    house.upkeep.compact().await;
    assert_eq!((house.seen().await, house.metrics.compaction_errors.get()), (expected, 0));
    house.upkeep.stop().await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_redaction_of_any_blocks_leaves_exactly_the_rest(
        blocks in any_blocks(),
        first in any_doomed(),
        second in any_doomed(),
        join_at in 0..3u8,
        in_store in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(check_any(&blocks, &[first, second], join_at, in_store));
    }
}
