//! Three nodes over one store: who works on which block, what happens when one does not, and that questions that nobody
//! waits for end everywhere.
#![allow(clippy::unwrap_used, reason = "a test answers by panicking")]

use std::future::pending;
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, Sender, channel};

use spanloom_block::{BlockBuilder, BuilderOptions};
use spanloom_bucket::cache::{Cache, CacheOptions};
use spanloom_bucket::catalog::steps::Steps;
use spanloom_bucket::catalog::{Catalog, Timing};
use spanloom_bucket::store::memory::Memory;
use spanloom_bucket::{Bucket, RealPace, Remote};
use spanloom_peer::{
    Answer, BlockList, Cluster, FindTrace, FoundParts, ListBlocks, Live, LiveRequest, Members, Node, Peer,
    Push, Pushed, ReadBlock, ScanBlocks, TraceCopy,
};
use spanloom_ring::{MemberState, NodeName, Ring, RingMember, RingOptions, Roles, Zone};
use spanloom_span::model::{ResourceSpans, ScopeSpans, Span, Trace};
use spanloom_span::slice::{SliceLimits, slice};
use spanloom_span::{SpanId, Tenant, TraceId, TracePart, encode};
use spanloom_stage::Budget;
use spanloom_wal::disk::SimDisk;

use super::*;
use crate::pool::Work;
use crate::{Querier, QueryOptions, SearchPart, SearchRequest, Serving};

const BLOCKS: u8 = 24;

/// Nobody has anything live.
struct Nobody;

impl Live for Nobody {
    fn find_trace(&self, _: FindTrace) -> Answer<'_, FoundParts> {
        Box::pin(async { Ok(FoundParts::default()) })
    }

    fn live_requests(&self, _: Tenant) -> Answer<'_, Vec<LiveRequest>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

/// A node as the others reach it.
#[derive(Default)]
struct Wire {
    serving: OnceLock<Serving>,
    hangs: bool,
    /// Told of each errand that came.
    asked: Notify,
    /// Told of each errand that was answered.
    answered: Notify,
    /// Told of each errand that was given up.
    dropped: Notify,
}

/// Tells when an errand is given up.
struct Watch<'a>(&'a Wire);

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        self.0.dropped.notify_one();
    }
}

impl Peer for Wire {
    fn push(&self, _: Push) -> Answer<'_, Pushed> {
        Box::pin(pending())
    }

    fn find_trace(&self, _: FindTrace) -> Answer<'_, TraceCopy> {
        Box::pin(pending())
    }

    fn list_blocks(&self, question: ListBlocks) -> Answer<'_, BlockList> {
        Box::pin(self.serving.get().unwrap().list_blocks(question))
    }

    fn read_block(&self, question: ReadBlock) -> Answer<'_, Vec<bytes::Bytes>> {
        Box::pin(self.serving.get().unwrap().read_block(question))
    }

    fn scan_blocks(&self, question: ScanBlocks) -> Answer<'_, Scanned> {
        Box::pin(async move {
            self.asked.notify_one();
            if self.hangs {
                let _watch = Watch(self);
                pending::<()>().await;
            }
            let scanned = self.serving.get().unwrap().scan_blocks(question).await;
            self.answered.notify_one();
            scanned
        })
    }

    fn exchange_members(&self, _: bytes::Bytes) -> Answer<'_, bytes::Bytes> {
        Box::pin(pending())
    }
}

/// Work that holds a thread until it is let go of.
struct Hold {
    begun: Mutex<Sender<()>>,
    end: Mutex<Receiver<()>>,
}

impl Work for Hold {
    fn pieces(&self) -> usize {
        1
    }

    fn piece(&self, _: usize) -> bool {
        self.begun.lock().send(()).unwrap();
        // Dropped, it ends as well.
        let _ = self.end.lock().recv();
        true
    }

    fn finish(&self) {}
}

/// Holds a querier's only thread; it is let go of with what is returned.
fn hold(querier: &Querier) -> Sender<()> {
    let ((tell, begun), (end, ended)) = (channel(), channel());
    let hold = Hold { begun: Mutex::new(tell), end: Mutex::new(ended) };
    querier.inner.pool.submit(Arc::new(hold)).unwrap();
    begun.recv().unwrap();
    end
}

struct House {
    queriers: Vec<Querier>,
    wires: Vec<Arc<Wire>>,
}

fn block(number: u8) -> spanloom_block::FinishedBlock {
    let id = TraceId([number + 1; 16]);
    let span = Span {
        trace_id: id,
        span_id: SpanId([number + 1; 8]),
        start_time_unix_nano: u64::from(number),
        end_time_unix_nano: u64::from(number) + 1,
        ..Span::default()
    };
    let scope_spans = vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }];
    let trace = Trace { resource_spans: vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }] };
    let batch = slice(encode::traces_data(&trace).into(), &SliceLimits::default()).unwrap();
    let part = TracePart { batch: Arc::new(batch), group: 0, seq: 0 };
    let mut builder = BlockBuilder::new(&Tenant::default(), BuilderOptions::default()).unwrap();
    builder.push_trace(id, 0, &[part]).unwrap();
    builder.finish().unwrap()
}

impl House {
    /// Three queriers of one thread each over a store of blocks; these of them never answer.
    async fn open(hang: &[usize], hedge_after: Duration) -> Self {
        let member = |number: usize| {
            let name = NodeName::new(&format!("n{number}")).unwrap();
            let roles = if number == 0 { Roles::ALL } else { Roles::QUERIER };
            let tokens = if number == 0 { vec![7] } else { Vec::new() };
            RingMember::new(name, Zone::none(), tokens, MemberState::Active, roles).unwrap()
        };
        let options = RingOptions { replication: 1, zone_aware: false };
        let ring = Ring::new((0..3).map(member).collect(), options).unwrap();
        let wire = |number: usize| Arc::new(Wire { hangs: hang.contains(&number), ..Wire::default() });
        let wires: Vec<Arc<Wire>> = (0..3).map(wire).collect();
        let store = Arc::new(Memory::new());
        let mut queriers = Vec::new();
        for me in 0..3 {
            let (bucket, _) = Bucket::open(Arc::new(SimDisk::new()), None).unwrap();
            let kept = CacheOptions { folder: None, data_bytes: 1 << 20, metadata_bytes: 1 << 20 };
            let cache = Cache::open(store.clone(), None, tokio::runtime::Handle::current(), kept);
            let catalog = Catalog::new(store.clone(), Arc::new(RealPace), Timing::default());
            let steps = Steps::new(Arc::new(catalog));
            let bucket = Arc::new(bucket.with_remote(Remote::new(store.clone(), steps, cache)));
            if me == 0 {
                for number in 0..BLOCKS {
                    bucket.put(&Tenant::default(), block(number), number.into()).unwrap();
                }
                bucket.ship(&Tenant::default()).await.unwrap();
            }
            let node = |(number, wire): (usize, &Arc<Wire>)| Node {
                name: ring.members()[number].name().clone(),
                peer: wire.clone(),
                is_up: true,
                generation: 1,
            };
            let nodes = wires.iter().enumerate().map(node).collect();
            let me_there = ring.nodes().nth(me);
            let cluster = Cluster { ring: ring.clone(), nodes, me: me_there, tenants: Default::default() };
            let options = QueryOptions {
                threads: 1,
                split_above: 1,
                hedge_after,
                timeout: Duration::ZERO,
                ..QueryOptions::default()
            };
            let (members, budget) = (Members::new(cluster), Budget::new(1 << 30));
            let querier = Querier::start(Arc::new(Nobody), bucket, Some(members), budget, options).unwrap();
            assert!(wires[me].serving.set(querier.serving()).is_ok());
            queriers.push(querier);
        }
        Self { queriers, wires }
    }

    fn counts(&self, node: usize) -> SplitCounts {
        self.queriers[node].split_counts()
    }

    async fn ask(&self) -> crate::Answers<SearchPart> {
        let request = SearchRequest {
            tenants: vec![Tenant::default()],
            query: "{ }".into(),
            limit: usize::from(BLOCKS) * 2,
            spans_per_spanset: 1,
            explain: true,
            ..SearchRequest::default()
        };
        // The last node has nothing but the store.
        self.queriers[2].search(request).await.unwrap()
    }
}

async fn last(mut answers: crate::Answers<SearchPart>) -> SearchPart {
    let mut last = None;
    while let Some(part) = answers.next_part().await {
        last = Some(part.unwrap());
    }
    last.unwrap()
}

/// All traces, the newest first, and every block once.
fn is_whole(part: &SearchPart) {
    let all = u64::from(BLOCKS);
    let found: Vec<u8> = part.traces.iter().map(|trace| trace.id.0[0]).collect();
    let expected: Vec<u8> = (1..=BLOCKS).rev().collect();
    assert_eq!(found, expected);
    assert_eq!(part.partial, None);
    assert_eq!((part.stats.jobs, part.stats.jobs_done), (all, all));
    assert_eq!((part.stats.traces, part.stats.blocks), (all, all));
    assert_eq!(part.explain.as_ref().unwrap().sources.len() as u64, all);
}

#[tokio::test(flavor = "multi_thread")]
async fn others_work_on_a_part_of_the_blocks() {
    let house = House::open(&[], Duration::from_secs(3600)).await;
    let held = hold(&house.queriers[2]);
    let answers = house.ask().await;
    for wire in &house.wires[..2] {
        wire.answered.notified().await;
    }
    drop(held);
    let part = last(answers).await;
    is_whole(&part);
    let counts = house.counts(2);
    let for_others = [0, 1].map(|node| house.counts(node).blocks_for_others);
    assert_eq!(counts.questions, 1);
    assert_eq!(counts.blocks_here + counts.blocks_there, u64::from(BLOCKS), "{counts:?}");
    assert!(for_others.iter().all(|blocks| *blocks > 0), "{for_others:?}");
    assert_eq!(for_others.iter().sum::<u64>(), counts.blocks_there);
    for (node, blocks) in ["n0", "n1"].into_iter().zip(for_others) {
        let sources = &part.explain.as_ref().unwrap().sources;
        let by = sources.iter().filter(|source| source.by.as_deref() == Some(node)).count();
        assert_eq!(by as u64, blocks, "{node}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_never_answers_delays_nothing_but_what_it_was_given() {
    let house = House::open(&[1], Duration::from_millis(1)).await;
    let held = hold(&house.queriers[2]);
    let answers = house.ask().await;
    house.wires[1].asked.notified().await;
    drop(held);
    is_whole(&last(answers).await);
    let counts = house.counts(2);
    assert!(counts.hedged > 0 && counts.slow > 0, "{counts:?}");
    // Whoever was given what is done now is told so.
    house.wires[1].dropped.notified().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_goes_away_ends_the_work_everywhere() {
    let house = House::open(&[0, 1], Duration::from_secs(3600)).await;
    let held = hold(&house.queriers[2]);
    let answers = house.ask().await;
    for wire in &house.wires[..2] {
        wire.asked.notified().await;
    }
    drop(answers);
    for wire in &house.wires[..2] {
        wire.dropped.notified().await;
    }
    drop(held);
    let counts = house.counts(2);
    assert_eq!((counts.blocks_there, counts.failed), (0, 0), "{counts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_errand_that_was_given_up_is_not_done() {
    let house = House::open(&[], Duration::from_secs(3600)).await;
    let held = hold(&house.queriers[1]);
    let blocks = house.queriers[2].inner.bucket.clone();
    blocks.poll(&Tenant::default()).await.unwrap();
    let id = blocks.blocks(&Tenant::default())[0].id;
    let block = spanloom_peer::StoreBlock { created: id.created, number: id.number, ..Default::default() };
    let list = spanloom_peer::ScanList { end: u64::MAX, bytes: 1000, ..Default::default() };
    let question = spanloom_peer::ScanQuestion::Names { scope: 0, list };
    let scan = ScanBlocks { tenant: Tenant::default(), within_micros: 0, question, blocks: vec![block] };
    let serving = house.queriers[1].serving();
    let asked = tokio::spawn(async move { serving.scan_blocks(scan).await });
    // It waits for its turn behind what holds the thread.
    while house.queriers[1].inner.pool.questions() < 2 {
        tokio::task::yield_now().await;
    }
    asked.abort();
    assert!(asked.await.unwrap_err().is_cancelled());
    drop(held);
    while house.queriers[1].inner.pool.questions() > 0 {
        tokio::task::yield_now().await;
    }
    let counts = house.counts(1);
    assert_eq!((counts.given_up, counts.blocks_for_others), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_that_is_not_there_is_missing() {
    let house = House::open(&[], Duration::from_secs(3600)).await;
    let block = spanloom_peer::StoreBlock { created: 1, number: 2, ..Default::default() };
    let question = spanloom_peer::ScanQuestion::Names { scope: 0, list: Default::default() };
    let scan = ScanBlocks { tenant: Tenant::default(), within_micros: 0, question, blocks: vec![block] };
    let error = house.queriers[1].serving().scan_blocks(scan).await.unwrap_err();
    let expected = "block 0000000000000001-0000000000000002 is not in the store, as this node sees it";
    assert_eq!(error, PeerError::Missing(expected.into()));
}

/// A split of three blocks that one other node takes first, of which it was given one.
fn given() -> (Split, Arc<Errand>) {
    let pool = crate::pool::Pool::start(1, 0, 1).unwrap();
    let pieces = [2, 1, 0].map(|block| Piece { block, bytes: ERRAND_BYTES, line: THEIRS });
    let helper = Helper { name: NodeName::new("a").unwrap(), peer: Arc::new(Wire::default()) };
    let split = Split::new(
        pieces.into(),
        vec![helper],
        pool.waker(),
        Duration::ZERO,
        Arc::new(SplitCounters::default()),
    );
    let errand = split.pull(0, 1, |_| true).unwrap();
    assert_eq!(errand.blocks, [2], "the youngest");
    assert!(split.pull(0, 1, |_| true).is_none(), "it has as many as it may");
    (split, errand)
}

/// The blocks that wait; they are done.
fn waiting(split: &Split) -> Vec<usize> {
    let block = || match split.next() {
        Task::Block(block) => Some(block),
        _ => None,
    };
    std::iter::from_fn(block).inspect(|_| split.did(1, Duration::ZERO)).collect()
}

/// Lets a thread of this node begin with what takes long.
fn begun_here(split: &Split, errand: &Arc<Errand>) {
    assert_eq!(waiting(split), [1, 0], "what waits comes first");
    assert!(split.look_for_overdue().is_none());
    assert!(matches!(split.next(), Task::Again(again) if Arc::ptr_eq(&again, errand)));
    assert!(matches!(split.next(), Task::Nothing));
}

#[test]
fn the_first_outcome_counts() {
    for first_by_other in [true, false] {
        let (split, errand) = given();
        begun_here(&split, &errand);
        assert!(split.settle(&errand, first_by_other));
        assert!(errand.is_settled(), "whoever works on it is told to stop");
        assert!(!split.settle(&errand, !first_by_other));
        assert!(split.is_open(), "it is not added up yet");
        split.done(&errand);
        assert!(!split.is_open());
        let counts = split.counters.now();
        assert_eq!((counts.blocks_there, counts.slow), (first_by_other.into(), (!first_by_other).into()));
    }
}

#[test]
fn what_fails_comes_back_once() {
    let error = PeerError::Garbled("nonsense".into());
    let (split, errand) = given();
    split.failed(&errand, &error);
    assert!(!split.settle(&errand, true), "what comes late counts no more");
    assert_eq!(waiting(&split), [2, 1, 0]);
    assert!(!split.is_open());
    let (split, errand) = given();
    begun_here(&split, &errand);
    split.failed(&errand, &error);
    assert_eq!(waiting(&split), [0; 0], "it is being done here");
    assert!(split.pull(0, 9, |_| true).is_none(), "the node gets no more");
    assert!(split.settle(&errand, false));
    split.done(&errand);
    assert!(!split.is_open());
}

#[test]
fn what_is_abandoned_comes_back_and_what_nobody_wants_is_left_here() {
    let (split, errand) = given();
    split.abandon();
    assert!(!split.settle(&errand, true));
    assert!(split.pull(0, 9, |_| true).is_none());
    assert_eq!(waiting(&split), [2, 1, 0]);
    let (split, errand) = given();
    assert!(split.settle(&errand, true));
    assert!(split.pull(0, 1, |_| false).is_none());
    assert_eq!(waiting(&split), [1, 0]);
}
