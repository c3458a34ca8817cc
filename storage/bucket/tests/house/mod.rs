//! Nodes that share a store, and blocks to put into them.
#![allow(dead_code)] // each test uses a part of it

use std::sync::Arc;

use spanloom_block::{BlockBuilder, BuilderOptions, FinishedBlock};
use spanloom_bucket::cache::{Cache, CacheOptions};
use spanloom_bucket::catalog::steps::Steps;
use spanloom_bucket::catalog::{Catalog, Timing};
use spanloom_bucket::store::faulty::{Faults, Faulty};
use spanloom_bucket::store::memory::Memory;
use spanloom_bucket::{Bucket, RealPace, Remote};
use spanloom_span::model::{ResourceSpans, ScopeSpans, Span, Trace};
use spanloom_span::slice::{SliceLimits, slice};
use spanloom_span::{SpanId, Tenant, TraceId, TracePart, encode};
use spanloom_wal::disk::{Disk, RealDisk};
use tokio::runtime::Handle;

pub fn id(number: u8) -> TraceId {
    TraceId([number; 16])
}

/// A block with one trace of one span, sealed through its number.
pub fn block(number: u8) -> FinishedBlock {
    block_of(number, &[number])
}

/// A block with one trace of these spans, sealed through its number.
pub fn block_of(number: u8, spans: &[u8]) -> FinishedBlock {
    let mut builder = BlockBuilder::new(&Tenant::default(), BuilderOptions::default()).unwrap();
    let span = |span: &u8| Span { trace_id: id(number), span_id: SpanId([*span; 8]), ..Span::default() };
    let scope_spans = vec![ScopeSpans { spans: spans.iter().map(span).collect(), ..ScopeSpans::default() }];
    let whole = Trace { resource_spans: vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }] };
    let batch = slice(encode::traces_data(&whole).into(), &SliceLimits::default()).unwrap();
    let part = TracePart { batch: Arc::new(batch), group: 0, seq: number.into() };
    builder.push_trace(id(number), number.into(), &[part]).unwrap();
    builder.finish().unwrap()
}

pub struct House {
    pub store: Arc<Faulty<Memory>>,
    pub tenant: Tenant,
    pub dirs: Vec<tempfile::TempDir>,
}

impl House {
    pub fn new() -> Self {
        let store = Arc::new(Faulty::new(Arc::new(Memory::new()), 1, Faults::default()));
        Self { store, tenant: Tenant::default(), dirs: Vec::new() }
    }

    /// Another node with the same store.
    pub fn node(&mut self) -> Bucket {
        let dir = tempfile::tempdir().unwrap();
        let node = self.reopen(dir.path());
        self.dirs.push(dir);
        node
    }

    pub fn reopen(&self, dir: &std::path::Path) -> Bucket {
        let disk = Arc::new(RealDisk::new(dir).unwrap());
        self.over(disk, Some(dir.to_owned()))
    }

    pub fn over(&self, disk: Arc<dyn Disk>, root: Option<std::path::PathBuf>) -> Bucket {
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
    pub async fn seen(&self, node: &Bucket) -> Vec<(u8, bool)> {
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

    pub fn files(dir: &std::path::Path) -> usize {
        let folder = dir.join("blocks").join(Tenant::default().as_str());
        std::fs::read_dir(folder).map_or(0, |files| files.count())
    }
}
