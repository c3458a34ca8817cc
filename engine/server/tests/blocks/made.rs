//! Blocks in a data directory, and the same in a store.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use spanloom_block::{BlockBuilder, BlockId, BuilderOptions};
use spanloom_bucket::RealPace;
use spanloom_bucket::catalog::steps::Steps;
use spanloom_bucket::catalog::{BlockEntry, Catalog, Timing, block_path};
use spanloom_bucket::objects::Upload;
use spanloom_bucket::store::{Limits, Place as StorePlace, Store, StoreConfig};
use spanloom_span::model::*;
use spanloom_span::slice::{SliceLimits, slice};
use spanloom_span::{SpanId, Tenant, TraceId, TracePart, encode};

/// When the first trace starts, nanoseconds since 1970.
pub const START: u64 = 1_700_000_000_000_000_000;

/// Spans of each trace.
const SPANS: u8 = 3;

/// Where blocks are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Folder,
    Store,
}

impl Place {
    pub fn flags(self) -> [&'static str; 2] {
        match self {
            Self::Folder => ["--data-dir", "data"],
            Self::Store => ["--config", "spanloom.yaml"],
        }
    }
}

/// What is known of a block that was made.
pub struct MadeBlock {
    pub id: BlockId,
    pub tenant: &'static str,
    pub traces: u64,
    pub spans: u64,
    pub bytes: u64,
    has: std::ops::Range<u8>,
}

/// A folder with both.
pub struct Made {
    dir: tempfile::TempDir,
    pub blocks: Vec<MadeBlock>,
}

impl Made {
    /// Two blocks of one tenant, which have five traces in common, and one of another.
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().to_owned();
        std::fs::write(
            root.join("spanloom.yaml"),
            format!("data_dir: {0}/other\nstore: {{backend: folder, folder: {0}/store}}\n", root.display()),
        )
        .unwrap();
        let parts = [("team-a", 0..10), ("team-a", 5..10), ("team-b", 20..24)];
        let blocks =
            parts.into_iter().enumerate().map(|(number, (tenant, has))| make(&root, number, tenant, has));
        let blocks: Vec<MadeBlock> = blocks.collect();
        let made = Self { dir, blocks };
        made.upload();
        made
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// What the blocks are called.
    pub fn names(&self, place: Place) -> Vec<String> {
        let prefix = if place == Place::Folder { "data/blocks/" } else { "" };
        self.blocks.iter().map(|block| format!("{prefix}{}", path(block))).collect()
    }

    /// The spans of a tenant: trace and span, as digits.
    pub fn spans(&self, tenant: &str) -> Vec<(String, String)> {
        let traces: BTreeSet<u8> = self
            .blocks
            .iter()
            .filter(|block| block.tenant == tenant)
            .flat_map(|block| block.has.clone())
            .collect();
        let of = |trace: u8| (1..=SPANS).map(move |id| (trace_id(trace), SpanId([id; 8])));
        traces.into_iter().flat_map(of).map(|(trace, span)| (trace.to_string(), span.to_string())).collect()
    }

    pub fn damage_in_store(&self, block: usize) {
        let file = self.dir().join("store").join(path(&self.blocks[block]));
        let mut bytes = std::fs::read(&file).unwrap();
        // Within the first section, behind the header.
        bytes[100] ^= 1;
        std::fs::write(&file, bytes).unwrap();
    }

    pub fn remove_from_store(&self, block: usize) {
        std::fs::remove_file(self.dir().join("store").join(path(&self.blocks[block]))).unwrap();
    }

    fn upload(&self) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let place = StorePlace::Folder(self.dir().join("store"));
        let config = StoreConfig { place, prefix: String::new(), limits: Limits::default() };
        let store = Arc::new(Store::open(&config).unwrap());
        let steps = Steps::new(Arc::new(Catalog::new(store, Arc::new(RealPace), Timing::default())));
        for block in &self.blocks {
            let file = self.dir().join("data/blocks").join(path(block));
            let opened = spanloom_block::Block::open(&file).unwrap();
            let entry = BlockEntry::new(block.id, opened.meta());
            let tenant = Tenant::new(block.tenant).unwrap();
            runtime.block_on(steps.upload(&tenant, entry, Upload::File(file))).unwrap();
        }
    }
}

/// No trace's id is all zeros.
fn trace_id(trace: u8) -> TraceId {
    TraceId([trace + 1; 16])
}

fn path(block: &MadeBlock) -> String {
    block_path(&Tenant::new(block.tenant).unwrap(), block.id)
}

fn make(root: &Path, number: usize, tenant: &'static str, has: std::ops::Range<u8>) -> MadeBlock {
    let id = BlockId { created: START + number as u64, number: number as u64 };
    let options = BuilderOptions { created: id.created, ..BuilderOptions::default() };
    let mut builder = BlockBuilder::new(&Tenant::new(tenant).unwrap(), options).unwrap();
    for trace in has.clone() {
        let request = encode::traces_data(&request(trace));
        let batch = Arc::new(slice(request.into(), &SliceLimits::default()).unwrap());
        builder.push_trace(trace_id(trace), 1, &[TracePart { batch, group: 0, seq: 1 }]).unwrap();
    }
    let block = builder.finish().unwrap();
    let (traces, spans, bytes) = (block.meta.traces, block.meta.spans, block.bytes.len() as u64);
    let made = MadeBlock { id, tenant, traces, spans, bytes, has };
    let file: PathBuf = root.join("data/blocks").join(path(&made));
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, block.bytes).unwrap();
    made
}

/// A trace that lasts half a second.
fn request(trace: u8) -> Trace {
    let start_time_unix_nano = START + u64::from(trace) * 1_000_000_000;
    let span = |id| Span {
        trace_id: trace_id(trace),
        span_id: SpanId([id; 8]),
        name: format!("operation {id}"),
        start_time_unix_nano,
        end_time_unix_nano: start_time_unix_nano + 500_000_000,
        ..Span::default()
    };
    let scope_spans = vec![ScopeSpans { spans: (1..=SPANS).map(span).collect(), ..ScopeSpans::default() }];
    Trace { resource_spans: vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }] }
}

/// Trace and span of every span in lines of OTLP JSON.
pub fn spans(lines: &str) -> Vec<(String, String)> {
    let of = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let spans = line["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap().clone();
        let id = |span: &serde_json::Value, name: &str| span[name].as_str().unwrap().to_owned();
        spans.iter().map(|span| (id(span, "traceId"), id(span, "spanId"))).collect::<Vec<_>>()
    };
    lines.lines().flat_map(of).collect()
}
