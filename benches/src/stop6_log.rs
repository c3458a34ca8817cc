//! Stop 6: requests appended to the log in groups, with and without a sync for each group.

use std::sync::Arc;

use spanloom_span::Batch;
use spanloom_wal::disk::RealDisk;
use spanloom_wal::{Entry, Log, Options};

use crate::{Line, batches, measure, span_count};

/// Groups of one and of eight requests.
pub fn run(spans: usize) -> Vec<Line> {
    let batches = batches(spans);
    let units = span_count(&batches);
    let mut lines = Vec::new();
    for (name, group, sync) in
        [("append", 8, false), ("append and sync, groups of 8", 8, true), ("append and sync, each", 1, true)]
    {
        let fresh = || tempfile::tempdir().expect("a temporary folder can be made");
        lines.push(measure(format!("log {name}"), "span", units, fresh, |dir| {
            append(&dir, &batches, group, sync);
        }));
    }
    lines
}

fn append(dir: &tempfile::TempDir, batches: &[Arc<Batch>], group: usize, sync: bool) {
    let disk = Arc::new(RealDisk::new(dir.path()).expect("the folder can be used"));
    let (mut log, _) = Log::open(disk, "log", &Options::default(), |_| 0).expect("the log opens");
    for requests in batches.chunks(group) {
        let entry = |batch: &'_ Arc<Batch>| batch.spans().len() as u32;
        let entries: Vec<Entry<'_>> = requests
            .iter()
            .map(|batch| Entry { tenant: "t", kind: 1, spans: entry(batch), payload: batch.bytes() })
            .collect();
        log.append_group(&entries, 0).expect("the log takes a group");
        if sync {
            log.sync().expect("the log syncs");
        }
    }
}
