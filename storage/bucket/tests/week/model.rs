//! A week of blocks that are sealed every ten seconds, compacted as planned: what is rewritten and what is left.

use std::collections::BTreeMap;

use spanloom_block::BlockId;
use spanloom_bucket::catalog::BlockEntry;
use spanloom_bucket::catalog::plan::{CompactionRules, compaction};

const SECOND: u64 = 1_000_000_000;
const SEAL_EVERY: u64 = 10 * SECOND;
const PLAN_EVERY: u64 = 30 * SECOND;
const BYTES_A_SPAN: u64 = 36;
/// Of so many blocks one has nothing but spans that come hours late.
const LATE_EVERY: u64 = 200;

/// What became of the blocks.
#[derive(Debug, Default)]
pub struct Report {
    pub sealed: u64,
    pub sealed_bytes: u64,
    pub jobs: u64,
    pub rewritten_bytes: u64,
    /// Most jobs that any span went through.
    pub most_rewrites: u32,
    pub most_blocks: usize,
    pub mean_blocks: f64,
    /// Blocks at the end of the week, and when everything that can be joined is.
    pub blocks: usize,
    pub blocks_at_rest: usize,
    pub largest_job: usize,
}

impl Report {
    /// How often a byte is written again after it was sealed.
    pub fn amplification(&self) -> f64 {
        self.rewritten_bytes as f64 / self.sealed_bytes as f64
    }
}

struct Model<'a> {
    rules: &'a CompactionRules,
    /// How often the spans of a block were rewritten at most, beside its entry.
    blocks: BTreeMap<BlockId, (BlockEntry, u32)>,
    report: Report,
}

/// Runs so many hours at so many spans a second.
pub fn run(hours: u64, spans_a_second: u64, rules: &CompactionRules) -> Report {
    let mut model = Model { rules, blocks: BTreeMap::new(), report: Report::default() };
    let begin = 1_795_392_000 * SECOND;
    let end = begin + hours * 3600 * SECOND;
    let (mut looks, mut sum) = (0, 0);
    for now in (begin..end).step_by(SEAL_EVERY as usize) {
        model.seal(now, spans_a_second);
        if now.is_multiple_of(PLAN_EVERY) {
            model.compact(now);
            looks += 1;
            sum += model.blocks.len();
        }
    }
    model.report.blocks = model.blocks.len();
    model.report.mean_blocks = sum as f64 / looks as f64;
    let rest = end + 30 * 24 * 3600 * SECOND;
    while model.compact(rest) > 0 {}
    model.report.blocks_at_rest = model.blocks.len();
    model.report
}

impl Model<'_> {
    fn seal(&mut self, now: u64, spans_a_second: u64) {
        let number = self.report.sealed;
        let late = if number % LATE_EVERY == LATE_EVERY - 1 { 3600 * (number % 7) } else { 5 };
        // Load swings by half within some minutes.
        let spans = spans_a_second * (5 + number % 11);
        let id = BlockId { created: now, number: 7 };
        let max_end = now - late * SECOND;
        let bytes = 4_000 + spans * BYTES_A_SPAN;
        let entry = BlockEntry {
            id,
            bytes,
            tail: bytes / 2,
            traces: spans / 9,
            spans,
            raw_bytes: spans * 402,
            min_start: max_end - SEAL_EVERY,
            max_end,
            level: 0,
        };
        self.report.sealed += 1;
        self.report.sealed_bytes += bytes;
        self.blocks.insert(id, (entry, 0));
        self.report.most_blocks = self.report.most_blocks.max(self.blocks.len());
    }

    /// Does all the work that there is; yields how much.
    fn compact(&mut self, now: u64) -> usize {
        let entries: Vec<BlockEntry> = self.blocks.values().map(|(entry, _)| *entry).collect();
        let jobs = compaction(&entries, now, self.rules);
        for job in &jobs {
            let inputs: Vec<(BlockEntry, u32)> =
                job.inputs.iter().map(|id| self.blocks.remove(id).expect("jobs share no block")).collect();
            let sum = |of: fn(&BlockEntry) -> u64| inputs.iter().map(|(entry, _)| of(entry)).sum::<u64>();
            let entry = BlockEntry {
                id: job.output(0, 0),
                bytes: sum(|entry| entry.bytes),
                tail: 0,
                traces: sum(|entry| entry.traces),
                spans: sum(|entry| entry.spans),
                raw_bytes: sum(|entry| entry.raw_bytes),
                min_start: inputs.iter().map(|(entry, _)| entry.min_start).min().unwrap_or(0),
                max_end: inputs.iter().map(|(entry, _)| entry.max_end).max().unwrap_or(0),
                level: job.level,
            };
            let rewrites = 1 + inputs.iter().map(|(_, rewrites)| *rewrites).max().unwrap_or(0);
            self.report.jobs += 1;
            self.report.rewritten_bytes += entry.bytes;
            self.report.most_rewrites = self.report.most_rewrites.max(rewrites);
            self.report.largest_job = self.report.largest_job.max(job.inputs.len());
            self.blocks.insert(entry.id, (entry, rewrites));
        }
        jobs.len()
    }
}
