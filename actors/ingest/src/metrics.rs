//! What the ingest role counts.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// Why something was refused.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Reason {
    /// One of a fixed set of words.
    pub reason: &'static str,
}

/// Counters and histograms of stops 2 to 7.
#[derive(Debug)]
#[allow(missing_docs)] // each field's meaning is its registered help text below
pub struct IngestMetrics {
    pub requests: Counter,
    pub spans_received: Counter,
    pub spans_accepted: Counter,
    pub bytes_accepted: Counter,
    pub requests_refused: Family<Reason, Counter>,
    pub spans_refused: Family<Reason, Counter>,
    pub slice_seconds: Stopwatch,
    pub route_seconds: Stopwatch,
    pub shard_seconds: Stopwatch,
    pub traces_opened: Counter,
    pub traces_closed: Counter,
    pub traces_failed: Counter,
    pub shard_waits: Counter,
    pub log_bytes: Counter,
    pub log_frames: Counter,
    pub log_syncs: Counter,
    pub log_errors: Counter,
    pub log_write_seconds: Stopwatch,
    pub log_sync_seconds: Stopwatch,
    pub log_group_requests: Histogram,
    pub acknowledge_seconds: Stopwatch,
    pub blocks_sealed: Counter,
    pub spans_sealed: Counter,
    pub spans_duplicate: Counter,
    pub block_bytes: Counter,
    pub seal_errors: Counter,
    pub seal_seconds: Stopwatch,
    pub segments_released: Counter,
    pub requests_replayed: Counter,
    pub spans_replayed: Counter,
    pub spans_replay_skipped: Counter,
    pub frames_unreadable: Counter,
    pub files_set_aside: Counter,
}

/// A histogram of seconds that also remembers the last value, for `spanloom walk`.
#[derive(Debug)]
pub struct Stopwatch {
    histogram: Histogram,
    last_ns: AtomicU64,
}

impl Default for Stopwatch {
    fn default() -> Self {
        // 1 us to 17 s.
        let histogram = Histogram::new(exponential_buckets(0.000_001, 4.0, 13));
        Self { histogram, last_ns: AtomicU64::new(0) }
    }
}

impl Stopwatch {
    /// Notes how long something took.
    pub fn observe(&self, took: Duration) {
        self.histogram.observe(took.as_secs_f64());
        self.last_ns.store(took.as_nanos() as u64, Ordering::Relaxed);
    }

    /// How long it took the last time.
    pub fn last(&self) -> Duration {
        Duration::from_nanos(self.last_ns.load(Ordering::Relaxed))
    }

    fn histogram(&self) -> &Histogram {
        &self.histogram
    }
}

impl Default for IngestMetrics {
    fn default() -> Self {
        Self {
            requests: Counter::default(),
            spans_received: Counter::default(),
            spans_accepted: Counter::default(),
            bytes_accepted: Counter::default(),
            requests_refused: Family::default(),
            spans_refused: Family::default(),
            slice_seconds: Stopwatch::default(),
            route_seconds: Stopwatch::default(),
            shard_seconds: Stopwatch::default(),
            traces_opened: Counter::default(),
            traces_closed: Counter::default(),
            traces_failed: Counter::default(),
            shard_waits: Counter::default(),
            log_bytes: Counter::default(),
            log_frames: Counter::default(),
            log_syncs: Counter::default(),
            log_errors: Counter::default(),
            log_write_seconds: Stopwatch::default(),
            log_sync_seconds: Stopwatch::default(),
            log_group_requests: Histogram::new(exponential_buckets(1.0, 2.0, 10)),
            acknowledge_seconds: Stopwatch::default(),
            blocks_sealed: Counter::default(),
            spans_sealed: Counter::default(),
            spans_duplicate: Counter::default(),
            block_bytes: Counter::default(),
            seal_errors: Counter::default(),
            seal_seconds: Stopwatch::default(),
            segments_released: Counter::default(),
            requests_replayed: Counter::default(),
            spans_replayed: Counter::default(),
            spans_replay_skipped: Counter::default(),
            frames_unreadable: Counter::default(),
            files_set_aside: Counter::default(),
        }
    }
}

impl IngestMetrics {
    /// Registers all of them.
    pub fn register(&self, registry: &mut Registry) {
        let mut counter = |name: &str, help: &str, counter: &Counter| {
            registry.register(name, help, counter.clone());
        };
        counter("requests", "requests that reached the distributor", &self.requests);
        counter("spans_received", "spans in requests that were sliced", &self.spans_received);
        counter("spans_accepted", "spans acknowledged", &self.spans_accepted);
        counter("bytes_accepted", "bytes of requests acknowledged", &self.bytes_accepted);
        counter("traces_opened", "traces that became live", &self.traces_opened);
        counter("traces_closed", "live traces that ended", &self.traces_closed);
        counter("traces_failed", "trace actors that ended by themselves", &self.traces_failed);
        counter(
            "shard_waits",
            "times that the head waited for a shard with a full mailbox",
            &self.shard_waits,
        );
        counter("log_bytes", "bytes appended to the log", &self.log_bytes);
        counter("log_frames", "requests appended to the log", &self.log_frames);
        counter("log_syncs", "syncs of the log", &self.log_syncs);
        counter("log_errors", "failed writes and syncs of the log", &self.log_errors);
        counter("blocks_sealed", "blocks written", &self.blocks_sealed);
        counter("spans_sealed", "spans written into blocks", &self.spans_sealed);
        counter("spans_duplicate", "spans left out of blocks because they came twice", &self.spans_duplicate);
        counter("block_bytes", "bytes of blocks written", &self.block_bytes);
        counter("seal_errors", "blocks that could not be written", &self.seal_errors);
        counter("segments_released", "log segments deleted after sealing", &self.segments_released);
        counter("requests_replayed", "requests read from the log at the start", &self.requests_replayed);
        counter("spans_replayed", "spans brought back to life from the log", &self.spans_replayed);
        counter(
            "spans_replay_skipped",
            "spans in the log that were sealed already",
            &self.spans_replay_skipped,
        );
        counter(
            "frames_unreadable",
            "frames of the log that could not be brought back",
            &self.frames_unreadable,
        );
        counter("files_set_aside", "log and block files that could not be read", &self.files_set_aside);
        registry.register("requests_refused", "requests refused, by reason", self.requests_refused.clone());
        registry.register("spans_refused", "spans refused, by reason", self.spans_refused.clone());
        let mut histogram = |name: &str, help: &str, histogram: &Histogram| {
            registry.register(name, help, histogram.clone());
        };
        histogram("slice_seconds", "stop 2: checking and slicing a request", self.slice_seconds.histogram());
        histogram("route_seconds", "stop 3: limits and tokens of a request", self.route_seconds.histogram());
        histogram(
            "shard_seconds",
            "stops 4 and 5: a shard's share of a request given to its traces",
            self.shard_seconds.histogram(),
        );
        histogram(
            "log_write_seconds",
            "stop 6: writing a group to the log",
            self.log_write_seconds.histogram(),
        );
        histogram("log_sync_seconds", "stop 6: syncing a group", self.log_sync_seconds.histogram());
        histogram("log_group_requests", "stop 6: requests in a group", &self.log_group_requests);
        histogram(
            "acknowledge_seconds",
            "stops 2 to 6: from the request's bytes to its acknowledgement",
            self.acknowledge_seconds.histogram(),
        );
        histogram("seal_seconds", "stop 7: writing a round's blocks", self.seal_seconds.histogram());
    }

    /// Counts a refused request.
    pub fn refused(&self, reason: &'static str) {
        self.requests_refused.get_or_create(&Reason { reason }).inc();
    }

    /// Counts refused spans.
    pub fn spans_refused(&self, reason: &'static str, spans: u64) {
        self.spans_refused.get_or_create(&Reason { reason }).inc_by(spans);
    }
}
