//! What can be set about taking spans in. `engine/server` fills it from the configuration.

use std::num::NonZeroUsize;
use std::time::Duration;

use spanloom_span::slice::SliceLimits;

use crate::distributor::LiveLimits;

/// When a span is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// Once it is in memory; a crash of the process may lose it.
    Memory,
    /// Once the kernel has it; a power cut may lose it.
    PageCache,
    /// Once the disk has it.
    #[default]
    Fsync,
}

/// Where the core of a trace lives. ADR 0004 has the measurements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Hosting {
    /// In an actix actor of its own.
    #[default]
    Actor,
    /// In the shard's map.
    Map,
}

/// Settings of the ingest role.
#[derive(Debug, Clone)]
pub struct IngestOptions {
    /// Shards, each on its own arbiter.
    pub shards: NonZeroUsize,
    /// When a span is acknowledged.
    pub durability: Durability,
    /// Where the core of a trace lives.
    pub hosting: Hosting,
    /// Most bytes of requests held (arriving, live and being sealed); beyond it requests wait, then are refused.
    pub live_bytes: usize,
    /// Held bytes at which the longest idle traces are cut.
    pub soft_bytes: usize,
    /// How long a request waits for room before it is refused.
    pub admission_wait: Duration,
    /// What a refused sender is told to wait.
    pub retry_after: Duration,
    /// Requests on their way to the log at most.
    pub max_requests: usize,
    /// Most bytes that one sync of the log covers.
    pub group_bytes: usize,
    /// Size of a log segment.
    pub segment_bytes: u64,
    /// Bytes that stay free on the disk: with less, requests are refused, so that blocks can be made of what the log
    /// holds.
    pub min_free_disk: u64,
    /// A trace is cut when nothing came for this long.
    pub trace_idle: Duration,
    /// A trace is cut at this age.
    pub trace_max_age: Duration,
    /// A trace is cut at this size, in bytes of its spans.
    pub trace_cut_bytes: u64,
    /// Bytes of cut traces that make a block.
    pub seal_bytes: u64,
    /// A span is in a block after this long at the latest, when its trace is quiet.
    pub seal_max_age: Duration,
    /// Rows of a row group of a block, see [`spanloom_block::BuilderOptions::group_rows`].
    pub group_rows: usize,
    /// What a request may hold.
    pub slice: SliceLimits,
    /// Most tenants.
    pub max_tenants: usize,
    /// Most live traces of a tenant; 0 is no limit.
    pub max_live_traces: u64,
    /// Most bytes of a trace while it is live; 0 is no limit.
    pub max_trace_bytes: u64,
}

impl IngestOptions {
    /// The limits on live traces.
    pub(crate) fn limits(&self) -> LiveLimits {
        LiveLimits { max_live_traces: self.max_live_traces, max_trace_bytes: self.max_trace_bytes }
    }
}

impl Default for IngestOptions {
    fn default() -> Self {
        Self {
            shards: NonZeroUsize::MIN,
            durability: Durability::default(),
            hosting: Hosting::default(),
            live_bytes: 160 << 20,
            soft_bytes: 96 << 20,
            admission_wait: Duration::from_millis(500),
            retry_after: Duration::from_secs(1),
            max_requests: 4096,
            group_bytes: 8 << 20,
            segment_bytes: 64 << 20,
            min_free_disk: 0,
            trace_idle: Duration::from_secs(10),
            trace_max_age: Duration::from_secs(120),
            trace_cut_bytes: 32 << 20,
            seal_bytes: 48 << 20,
            seal_max_age: Duration::from_secs(300),
            group_rows: spanloom_block::GROUP_ROWS,
            slice: SliceLimits::default(),
            max_tenants: 10_000,
            max_live_traces: 0,
            max_trace_bytes: 0,
        }
    }
}
