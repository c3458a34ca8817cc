//! Stop 8: blocks are joined, and go to a store of objects and are read from there: how many requests that takes.
//!
//! The store is in memory, so times say what the engine does; on a cloud each request adds its own.

use std::hint::black_box;
use std::ops::{ControlFlow, Range};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use spanloom_block::{Block, BlockBuilder, BlockId, BuilderOptions, KeepAll, MergeOptions, merge};
use spanloom_bucket::cache::{Cache, CacheOptions};
use spanloom_bucket::catalog::steps::Steps;
use spanloom_bucket::catalog::{Catalog, Timing};
use spanloom_bucket::objects::{Found, Got, Objects, StoreError, Swapped, Upload, Version};
use spanloom_bucket::store::memory::Memory;
use spanloom_bucket::{Bucket, RealPace, Remote};
use spanloom_ingest::{Ingest, IngestMetrics, IngestOptions};
use spanloom_query::{Querier, QueryOptions, SearchRequest, Sources};
use spanloom_span::{Tenant, TraceId, TracePart};
use spanloom_stage::{RealClock, Stage};
use spanloom_wal::disk::RealDisk;
use tokio::runtime::Handle;

use crate::{Line, batches, measure, span_count, traces};

/// Blocks that the load is sealed into.
const BLOCKS: usize = 100;

/// Joins blocks, ships them, and asks for traces from another node.
pub fn run(spans: usize) -> Vec<Line> {
    let batches = batches(spans);
    let units = span_count(&batches);
    let sealed: Vec<Vec<(TraceId, Vec<TracePart>)>> =
        batches.chunks(batches.len().div_ceil(BLOCKS)).map(traces).collect();
    let mut lines = vec![join(&sealed, units)];
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    lines.extend(runtime.block_on(store(sealed, units)));
    lines
}

fn join(sealed: &[Vec<(TraceId, Vec<TracePart>)>], units: usize) -> Line {
    let blocks: Vec<(BlockId, Block)> = (0..)
        .zip(sealed)
        .map(|(number, traces)| {
            let id = BlockId { created: number, number };
            (id, Block::from_bytes(build(traces)).expect("the block opens"))
        })
        .collect();
    let mut bytes = 0;
    let name = format!("join {} blocks", blocks.len());
    let mut line = measure(
        name,
        "span",
        units,
        || (),
        |()| {
            let (mut watch, mut open) = (|_| ControlFlow::Continue(()), |_| Ok(Vec::new()));
            let options = MergeOptions { zstd_level: Some(9), ..MergeOptions::default() };
            let report =
                merge(&blocks, &options, &mut KeepAll, &mut watch, &mut open).expect("blocks can be joined");
            bytes = report.outputs.iter().map(|output| output.sink.len()).sum();
        },
    );
    line.note = format!("{:.1} B/span in the store", bytes as f64 / units as f64);
    line
}

fn build(traces: &[(TraceId, Vec<TracePart>)]) -> Vec<u8> {
    crate::stop7_seal::build(traces).bytes
}

/// A store that counts what it is asked.
#[derive(Default)]
struct Counted {
    store: Memory,
    reads: AtomicU64,
    writes: AtomicU64,
    lists: AtomicU64,
}

impl Counted {
    /// Reads, writes and listings since it was last asked.
    fn since(&self) -> [u64; 3] {
        [&self.reads, &self.writes, &self.lists].map(|count| count.swap(0, Ordering::Relaxed))
    }
}

fn add(count: &AtomicU64, more: usize) {
    count.fetch_add(more as u64, Ordering::Relaxed);
}

impl Objects for Counted {
    fn get<'a>(
        &'a self,
        path: &'a str,
        unless: Option<&'a Version>,
    ) -> BoxFuture<'a, Result<Got, StoreError>> {
        add(&self.reads, 1);
        self.store.get(path, unless)
    }

    fn ranges<'a>(
        &'a self,
        path: &'a str,
        ranges: &'a [Range<u64>],
    ) -> BoxFuture<'a, Result<Vec<Bytes>, StoreError>> {
        add(&self.reads, ranges.len());
        self.store.ranges(path, ranges)
    }

    fn put<'a>(&'a self, path: &'a str, from: Upload) -> BoxFuture<'a, Result<(), StoreError>> {
        add(&self.writes, 1);
        self.store.put(path, from)
    }

    fn swap<'a>(
        &'a self,
        path: &'a str,
        bytes: Bytes,
        expected: Option<&'a Version>,
    ) -> BoxFuture<'a, Result<Swapped, StoreError>> {
        add(&self.writes, 1);
        self.store.swap(path, bytes, expected)
    }

    fn delete<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        self.store.delete(path)
    }

    fn list<'a>(&'a self, folder: &'a str) -> BoxFuture<'a, Result<Vec<Found>, StoreError>> {
        add(&self.lists, 1);
        self.store.list(folder)
    }

    fn folders<'a>(&'a self, folder: &'a str) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        add(&self.lists, 1);
        self.store.folders(folder)
    }
}

/// A node with its folder, over the store.
fn node(dir: &Path, store: &Arc<Counted>) -> Arc<Bucket> {
    let options =
        CacheOptions { folder: Some(dir.join("cache")), data_bytes: 1 << 40, metadata_bytes: 1 << 40 };
    let cache = Cache::open(store.clone(), None, Handle::current(), options);
    let catalog = Catalog::new(store.clone(), Arc::new(RealPace), Timing::default());
    let disk = RealDisk::new(dir).expect("a folder");
    let (bucket, _) = Bucket::open(Arc::new(disk), Some(dir.to_owned())).expect("no blocks");
    Arc::new(bucket.with_remote(Remote::new(store.clone(), Steps::new(Arc::new(catalog)), cache)))
}

/// One thing that is done, with the requests that it took.
async fn counted<T>(
    name: &str,
    unit: &'static str,
    units: usize,
    store: &Counted,
    work: impl Future<Output = T>,
) -> (T, Line) {
    store.since();
    let (begun, before) = (std::time::Instant::now(), crate::cpu());
    let done = work.await;
    let (wall, used) = (begun.elapsed(), crate::cpu() - before);
    let [reads, writes, lists] = store.since();
    let per = |time: std::time::Duration| time.as_nanos() as f64 / units.max(1) as f64;
    let note = format!("{reads} reads, {writes} writes, {lists} listings");
    (done, Line { name: name.into(), wall_ns: per(wall), cpu_ns: per(used), unit, note })
}

async fn store(sealed: Vec<Vec<(TraceId, Vec<TracePart>)>>, units: usize) -> Vec<Line> {
    let (one, two) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let (store, tenant) = (Arc::<Counted>::default(), Tenant::default());
    let writer = node(one.path(), &store);
    for (at, traces) in (1..).zip(&sealed) {
        let mut builder = BlockBuilder::new(&tenant, BuilderOptions { created: at, ..Default::default() })
            .expect("a block can be begun");
        for (id, parts) in traces {
            builder.push_trace(*id, 1, parts).expect("sliced parts can be read");
        }
        writer.put(&tenant, builder.finish().expect("a block can be built"), at).expect("a block can be put");
    }
    let mut lines = Vec::new();
    let (_, mut line) = counted("ship", "span", units, &store, async {
        writer.ship(&tenant).await.expect("the store takes blocks")
    })
    .await;
    let million = units as f64 / 1e6;
    line.note = format!("{} for {} blocks, {million:.2} M spans", line.note, sealed.len());
    lines.push(line);
    let reader = node(two.path(), &store);
    let (_, line) = counted("look at the manifest", "look", 1, &store, reader.poll(&tenant)).await;
    lines.push(line);
    let (_, line) = counted("look at it again", "look", 1, &store, reader.poll(&tenant)).await;
    lines.push(line);
    ask(&reader, &store, &sealed, &mut lines).await;
    lines
}

/// Asks for what is there, and for what is not, cold and warm.
async fn ask(
    reader: &Arc<Bucket>,
    store: &Counted,
    sealed: &[Vec<(TraceId, Vec<TracePart>)>],
    lines: &mut Vec<Line>,
) {
    let options = IngestOptions::default();
    let stage = Stage::set(options.shards).expect("actors start");
    let log = tempfile::tempdir().expect("a folder");
    let disk = Arc::new(RealDisk::new(log.path()).expect("a folder"));
    let metrics = Arc::new(IngestMetrics::default());
    let (ingest, _) =
        Ingest::start(&stage, disk, reader.clone(), Arc::new(RealClock::default()), metrics, options)
            .expect("the roles start");
    let querier = Querier::start(
        Arc::new(ingest.clone()),
        reader.clone(),
        None,
        ingest.budget(),
        QueryOptions::default(),
    )
    .expect("threads start");
    let tenant = Tenant::default();
    // A trace that lies in one block alone.
    let id = |block: usize| {
        let has = |block: &Vec<(TraceId, Vec<TracePart>)>, id: &TraceId| {
            block.binary_search_by_key(id, |(id, _)| *id).is_ok()
        };
        let of_block = &sealed[block % sealed.len()];
        let is_alone = |id: &&TraceId| sealed.iter().filter(|block| has(block, id)).count() == 1;
        of_block.iter().map(|(id, _)| id).find(is_alone).copied().unwrap_or(of_block[0].0)
    };
    let find = |id: TraceId| {
        let (querier, tenant) = (&querier, tenant.clone());
        async move { black_box(querier.find_trace_in(Sources::Blocks, &tenant, id).await.expect("an answer")) }
    };
    let (_, line) = counted("find an absent id, cold", "find", 1, store, find(TraceId([7; 16]))).await;
    lines.push(line);
    let (_, line) = counted("find an absent id, warm", "find", 1, store, find(TraceId([8; 16]))).await;
    lines.push(line);
    let (_, line) = counted("find a trace, filters warm", "find", 1, store, find(id(3))).await;
    lines.push(line);
    let search = |query: &str| {
        let (querier, query) = (&querier, query.to_owned());
        let request =
            SearchRequest { tenants: vec![tenant.clone()], query, limit: 20, ..SearchRequest::default() };
        async move {
            let mut answer = querier.search(request).await.expect("a question");
            while let Some(part) = answer.next_part().await {
                black_box(part.expect("an answer"));
            }
        }
    };
    let nothing = "{ span.nowhere = `nothing` }";
    let (_, line) = counted("search, nothing matches, cold", "search", 1, store, search(nothing)).await;
    lines.push(line);
    let (_, line) = counted("search, nothing matches, warm", "search", 1, store, search(nothing)).await;
    lines.push(line);
    let (_, line) = counted("find a trace, metadata warm", "find", 1, store, find(id(11))).await;
    lines.push(line);
    let (_, line) = counted("find it again", "find", 1, store, find(id(11))).await;
    lines.push(line);
    let (_, line) =
        counted("search, 20 newest errors", "search", 1, store, search("{ status = error }")).await;
    lines.push(line);
    drop(querier);
    ingest.stop().await.expect("nothing is live");
    tokio::task::spawn_blocking(move || stage.strike()).await.expect("threads end");
}
