//! What an answer took: `SearchMetrics` of traces and series, `MetadataMetrics` of names and values.

use spanloom_span::proto::{put_message, put_uint};

use crate::json_out::Object;

/// What was looked at for an answer, so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Inspected {
    /// Traces.
    pub traces: u64,
    /// Spans.
    pub spans: u64,
    /// Bytes.
    pub bytes: u64,
    /// Blocks in the time asked for.
    pub blocks: u64,
    /// Bytes of those blocks.
    pub block_bytes: u64,
    /// Pieces of work.
    pub jobs: u64,
    /// Pieces of work that are done.
    pub jobs_done: u64,
}

/// Counts that the messages hold in 32 bits stay at the largest of them.
pub(super) fn narrow(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

impl Inspected {
    /// `SearchMetrics {1 inspectedTraces, 2 inspectedBytes, 3 totalBlocks, 4 completedJobs, 5 totalJobs,
    /// 6 totalBlockBytes, 7 inspectedSpans}`.
    pub(super) fn put_search_metrics(&self, out: &mut Vec<u8>, field: u32) {
        let counts = [
            narrow(self.traces).into(),
            self.bytes,
            narrow(self.blocks).into(),
            narrow(self.jobs_done).into(),
            narrow(self.jobs).into(),
            self.block_bytes,
            self.spans,
        ];
        put_counts(out, field, &counts);
    }

    /// `MetadataMetrics {1 inspectedBytes, 2 totalJobs, 3 completedJobs, 4 totalBlocks, 5 totalBlockBytes}`.
    pub(super) fn put_metadata_metrics(&self, out: &mut Vec<u8>, field: u32) {
        let counts = [
            self.bytes,
            narrow(self.jobs).into(),
            narrow(self.jobs_done).into(),
            narrow(self.blocks).into(),
            self.block_bytes,
        ];
        put_counts(out, field, &counts);
    }

    pub(super) fn search_metrics(&self, top: &mut Object<'_>) {
        top.object("metrics", |o| {
            o.integer("inspectedTraces", narrow(self.traces));
            o.quoted_integer("inspectedBytes", self.bytes);
            o.integer("totalBlocks", narrow(self.blocks));
            o.integer("completedJobs", narrow(self.jobs_done));
            o.integer("totalJobs", narrow(self.jobs));
            o.quoted_integer("totalBlockBytes", self.block_bytes);
            o.quoted_integer("inspectedSpans", self.spans);
        });
    }

    pub(super) fn metadata_metrics(&self, top: &mut Object<'_>) {
        top.object("metrics", |o| {
            o.quoted_integer("inspectedBytes", self.bytes);
            o.integer("totalJobs", narrow(self.jobs));
            o.integer("completedJobs", narrow(self.jobs_done));
            o.integer("totalBlocks", narrow(self.blocks));
            o.quoted_integer("totalBlockBytes", self.block_bytes);
        });
    }
}

/// A message whose fields are counts, numbered from 1.
fn put_counts(out: &mut Vec<u8>, field: u32, counts: &[u64]) {
    put_message(out, field, |out| {
        for (field, &count) in (1..).zip(counts) {
            if count > 0 {
                put_uint(out, field, count);
            }
        }
    });
}
