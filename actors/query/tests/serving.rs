//! What a node answers to others: lists of blocks, bytes of them, copies of traces; and what it refuses.

#![allow(
    clippy::unwrap_used,
    clippy::single_range_in_vec_init,
    reason = "a test; lists of ranges, some of one"
)]

use std::num::NonZeroUsize;
use std::sync::Arc;

use spanloom_block::{Block, BlockMeta};
use spanloom_bucket::Bucket;
use spanloom_ingest::{Ingest, IngestMetrics, IngestOptions};
use spanloom_peer::{
    BlockList, FindTrace, ListBlocks, MAX_RANGES, MAX_READ_BYTES, PeerError, ReadBlock, TraceCopy,
};
use spanloom_query::{Querier, QueryOptions, Serving};
use spanloom_span::model::{ResourceSpans, ScopeSpans, Span, Trace};
use spanloom_span::{SpanId, Tenant, TraceId, encode};
use spanloom_stage::{RealClock, Stage};
use spanloom_wal::disk::{Disk, SimDisk};

const ID: TraceId = TraceId([7; 16]);

/// A trace of one span.
fn trace(id: TraceId, number: u64) -> Trace {
    let span = Span {
        trace_id: id,
        span_id: SpanId(number.to_be_bytes()),
        start_time_unix_nano: number,
        ..Span::default()
    };
    let scope_spans = vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }];
    Trace { resource_spans: vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }] }
}

struct House {
    stage: Stage,
    ingest: Ingest,
    querier: Querier,
}

impl House {
    fn open() -> Self {
        let disk: Arc<dyn Disk> = Arc::new(SimDisk::new());
        let (bucket, _) = Bucket::open(disk.clone(), None).unwrap();
        let (bucket, clock) = (Arc::new(bucket), Arc::new(RealClock::default()));
        let options = IngestOptions { shards: NonZeroUsize::MIN, ..IngestOptions::default() };
        let (stage, metrics) = (Stage::set(options.shards).unwrap(), Arc::new(IngestMetrics::default()));
        let (ingest, _) = Ingest::start(&stage, disk, bucket.clone(), clock, metrics, options).unwrap();
        let (live, budget) = (Arc::new(ingest.clone()), ingest.budget());
        let querier = Querier::start(live, bucket, None, budget, QueryOptions::default()).unwrap();
        Self { stage, ingest, querier }
    }

    async fn push(&self, id: TraceId, number: u64) {
        let request = encode::traces_data(&trace(id, number));
        let held = self.ingest.admit(request.len()).await.unwrap();
        self.ingest.push(&Tenant::default(), request.into(), Box::new(held)).await.unwrap();
    }
}

async fn listed(serving: &Serving) -> BlockList {
    serving.list_blocks(ListBlocks { tenant: Tenant::default() }).await.unwrap()
}

/// A block, read in pieces.
async fn read(serving: &Serving, run: u64, name: &Arc<str>, meta: &BlockMeta) -> Block {
    let (len, mut bytes) = (meta.file_bytes, Vec::new());
    for ranges in [vec![0..64, 64..64, 64..len / 2], vec![len / 2..len]] {
        let question = ReadBlock { tenant: Tenant::default(), run, name: name.clone(), ranges };
        bytes.extend(serving.read_block(question).await.unwrap().concat());
    }
    Block::from_bytes(bytes).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_listed_can_be_read_though_it_was_sealed_since() {
    let house = House::open();
    let serving = house.querier.serving();
    assert!(listed(&serving).await.blocks.is_empty());
    house.push(ID, 1).await;
    let before = listed(&serving).await;
    let [live] = &before.blocks[..] else { panic!("found {before:?}, expected one block") };
    assert!(live.is_live);
    let meta = BlockMeta::from_bytes(&live.meta).unwrap();
    assert_eq!((meta.spans, meta.traces, live.tail), (1, 1, meta.tail));
    house.ingest.flush().await.unwrap();
    let after = listed(&serving).await;
    let [sealed] = &after.blocks[..] else { panic!("found {after:?}, expected one block") };
    assert!(!sealed.is_live && after.run == before.run && sealed.name != live.name);
    for block in [live, sealed] {
        let meta = BlockMeta::from_bytes(&block.meta).unwrap();
        let read = read(&serving, after.run, &block.name, &meta).await;
        assert_eq!(read.trace(&ID).unwrap(), Some(trace(ID, 1)));
    }
    // The next live block has another name, though the first one is gone.
    house.push(ID, 2).await;
    let third = listed(&serving).await;
    assert!(third.blocks.iter().all(|block| block.name != live.name), "{third:?}");
    house.stage.strike();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_refused() {
    let house = House::open();
    let serving = house.querier.serving();
    house.push(ID, 1).await;
    let BlockList { run, blocks } = listed(&serving).await;
    let (name, meta) = (blocks[0].name.clone(), BlockMeta::from_bytes(&blocks[0].meta).unwrap());
    let good = ReadBlock { tenant: Tenant::default(), run, name, ranges: vec![0..meta.file_bytes] };
    assert!(serving.read_block(good.clone()).await.is_ok());
    let missing = [
        ReadBlock { run: run + 1, ..good.clone() },
        ReadBlock { name: "live 000099".into(), ..good.clone() },
        ReadBlock { tenant: Tenant::new("other").unwrap(), ..good.clone() },
    ];
    for question in missing {
        let error = serving.read_block(question.clone()).await.unwrap_err();
        assert!(matches!(error, PeerError::Missing(_)), "{question:?}: {error}");
    }
    #[expect(clippy::reversed_empty_ranges, reason = "what another node may send")]
    let backwards = vec![5..3];
    let whole = 0..meta.file_bytes;
    let many = usize::try_from(MAX_READ_BYTES / meta.file_bytes).unwrap() + 1;
    for ranges in [vec![0..meta.file_bytes + 1], backwards, vec![0..1; MAX_RANGES + 1], vec![whole; many]] {
        let error = serving.read_block(ReadBlock { ranges, ..good.clone() }).await.unwrap_err();
        assert!(matches!(error, PeerError::Invalid(_)), "{error}");
    }
    house.stage.strike();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_has_what_is_live_and_what_is_sealed() {
    let house = House::open();
    let serving = house.querier.serving();
    let find = |id: TraceId| serving.find_trace(FindTrace { tenant: Tenant::default(), id });
    assert_eq!(find(ID).await.unwrap(), TraceCopy::default());
    house.push(ID, 1).await;
    house.ingest.flush().await.unwrap();
    house.push(ID, 2).await;
    let copy = find(ID).await.unwrap();
    assert_eq!((copy.blocks, copy.live_parts), (1, 1));
    let here = house.querier.find_trace(&Tenant::default(), ID).await.unwrap();
    assert_eq!(copy.spans, encode::traces_data(&here.trace.unwrap()));
    assert_eq!(here.partial, None);
    house.stage.strike();
}
