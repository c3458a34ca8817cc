//! A bucket with upkeep over it, in a folder and a store in memory, for tests.
#![allow(dead_code)] // each test uses a part of it

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use spanloom_block::{BlockBuilder, BuilderOptions};
use spanloom_bucket::cache::{Cache, CacheOptions};
use spanloom_bucket::catalog::plan::{CompactionRules, RetentionRules};
use spanloom_bucket::catalog::steps::Steps;
use spanloom_bucket::catalog::{Catalog, Pace, Timing};
use spanloom_bucket::objects::Objects;
use spanloom_bucket::store::faulty::Faulty;
use spanloom_bucket::store::memory::Memory;
use spanloom_bucket::{Bucket, RealPace, Remote};
use spanloom_span::model::{ResourceSpans, ScopeSpans, Span, Trace};
use spanloom_span::slice::{SliceLimits, slice};
use spanloom_span::{SpanId, Tenant, TraceId, TracePart, encode, join};
use spanloom_stage::{Budget, Clock, ManualClock};
use spanloom_upkeep::{
    CompactionOptions, Share, Upkeep, UpkeepMetrics, UpkeepOptions, UpkeepParts, WriteOptions,
};
use spanloom_wal::disk::RealDisk;
use tokio::runtime::Handle;

pub const SECOND: u64 = 1_000_000_000;

pub type Store = Arc<Faulty<Memory>>;

/// Spans of each trace, by their ids, as a reader of all blocks finds them.
pub type Seen = BTreeMap<u8, Vec<u64>>;

pub struct House {
    pub bucket: Arc<Bucket>,
    pub upkeep: Upkeep,
    pub metrics: Arc<UpkeepMetrics>,
    pub clock: Arc<ManualClock>,
    pub tenant: Tenant,
}

pub fn options() -> UpkeepOptions {
    let rules = CompactionRules { min_inputs: 4, max_inputs: 4, ..CompactionRules::default() };
    UpkeepOptions {
        // No round of its own comes in the time of a test.
        poll: Duration::from_secs(36_000),
        compaction: Some(CompactionOptions { rules, every: Duration::from_secs(36_000) }),
        writing: WriteOptions {
            nice: 0,
            memory: 0,
            zstd_level: 3,
            max_block_bytes: 1 << 30,
            max_block_spans: 1 << 30,
            keep_free: 0,
        },
        retention: RetentionRules::default(),
        retention_of: BTreeMap::new(),
        min_free_disk: 0,
        retain: Duration::from_secs(36_000),
        sweep: Duration::from_secs(36_000),
    }
}

impl House {
    pub fn open(dir: &Path, store: Option<&Store>, options: UpkeepOptions) -> Self {
        Self::open_within(dir, store, Timing::default(), options)
    }

    pub fn open_within(dir: &Path, store: Option<&Store>, timing: Timing, options: UpkeepOptions) -> Self {
        Self::open_over(dir, store.map(|store| store.clone() as Arc<dyn Objects>), timing, options)
    }

    pub fn open_on(dir: &Path, store: Option<Arc<dyn Objects>>, options: UpkeepOptions) -> Self {
        Self::open_over(dir, store, Timing::default(), options)
    }

    /// A node that does of the work on the store what the function says, by the keys of jobs.
    pub fn open_sharing(
        dir: &Path,
        store: Option<&Store>,
        options: UpkeepOptions,
        owns: impl Fn(u64) -> bool + Send + Sync + 'static,
    ) -> Self {
        let share = Share::new(Box::new(owns));
        let store = store.map(|store| store.clone() as Arc<dyn Objects>);
        Self::open_with(dir, store, Timing::default(), options, share)
    }

    fn open_over(
        dir: &Path,
        store: Option<Arc<dyn Objects>>,
        timing: Timing,
        options: UpkeepOptions,
    ) -> Self {
        Self::open_with(dir, store, timing, options, Share::default())
    }

    fn open_with(
        dir: &Path,
        store: Option<Arc<dyn Objects>>,
        timing: Timing,
        options: UpkeepOptions,
        share: Share,
    ) -> Self {
        let bucket = Bucket::open(Arc::new(RealDisk::new(dir).unwrap()), Some(dir.to_owned())).unwrap().0;
        let bucket = match store {
            None => bucket,
            Some(store) => {
                let kept = CacheOptions {
                    folder: Some(dir.join("cache")),
                    data_bytes: 1 << 30,
                    metadata_bytes: 1 << 30,
                };
                let cache = Cache::open(store.clone(), None, Handle::current(), kept);
                let catalog = Catalog::new(store.clone(), Arc::new(RealPace), timing);
                bucket.with_remote(Remote::new(store.clone(), Steps::new(Arc::new(catalog)), cache))
            }
        };
        let (bucket, metrics) = (Arc::new(bucket), Arc::new(UpkeepMetrics::default()));
        let clock = Arc::new(ManualClock::default());
        clock.advance_ms(RealPace.now() / 1_000_000);
        let parts = UpkeepParts {
            bucket: bucket.clone(),
            clock: clock.clone(),
            metrics: metrics.clone(),
            memory: Budget::new(1 << 20),
            options,
            share,
        };
        let upkeep = Upkeep::start(parts, &Handle::current());
        Self { bucket, upkeep, metrics, clock, tenant: Tenant::default() }
    }

    /// Seals a block with the spans of some traces, each given by its id.
    pub fn seal(&self, spans: &[(u8, u64)]) {
        let now = self.clock.wall_ns();
        self.clock.advance_ms(1000);
        let mut builder =
            BlockBuilder::new(&self.tenant, BuilderOptions { created: now, ..BuilderOptions::default() })
                .unwrap();
        let mut traces: BTreeMap<u8, Vec<Span>> = BTreeMap::new();
        for &(trace, id) in spans {
            let (start_time_unix_nano, end_time_unix_nano) = (now - SECOND, now);
            let (trace_id, span_id) = (TraceId([trace; 16]), SpanId(id.to_be_bytes()));
            let span =
                Span { trace_id, span_id, start_time_unix_nano, end_time_unix_nano, ..Span::default() };
            traces.entry(trace).or_default().push(span);
        }
        for (trace, spans) in traces {
            let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
            let whole =
                Trace { resource_spans: vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }] };
            let batch = Arc::new(slice(encode::traces_data(&whole).into(), &SliceLimits::default()).unwrap());
            let part = TracePart { batch, group: 0, seq: 1 };
            builder.push_trace(TraceId([trace; 16]), 1, &[part]).unwrap();
        }
        self.bucket.put(&self.tenant, builder.finish().unwrap(), now).unwrap();
    }

    pub async fn seen(&self) -> Seen {
        let blocks = self.bucket.blocks(&self.tenant);
        let read = move || {
            let mut parts: BTreeMap<u8, Vec<Trace>> = BTreeMap::new();
            for listed in blocks.iter() {
                for id in listed.block.trace_ids().unwrap() {
                    parts.entry(id.0[0]).or_default().push(listed.block.trace(&id).unwrap().unwrap());
                }
            }
            let joined = parts.into_iter().map(|(trace, parts)| {
                let whole = join::join(parts).trace;
                let spans = whole.resource_spans.iter().flat_map(|r| &r.scope_spans).flat_map(|s| &s.spans);
                let mut ids: Vec<u64> = spans.map(|span| u64::from_be_bytes(span.span_id.0)).collect();
                ids.sort_unstable();
                (trace, ids)
            });
            joined.collect()
        };
        tokio::task::spawn_blocking(read).await.unwrap()
    }

    pub fn blocks(&self) -> usize {
        self.bucket.blocks(&self.tenant).len()
    }
}

pub fn files(dir: &Path) -> usize {
    let folder = dir.join("blocks").join(Tenant::default().as_str());
    std::fs::read_dir(folder).map_or(0, |files| files.count())
}
