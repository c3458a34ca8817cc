//! Requests into columns.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use spanloom_block::{Block, BlockBuilder, BlockError, BuilderOptions};
use spanloom_peer::LiveRequest;
use spanloom_span::{Batch, Tenant, TraceId, TracePart};

use super::segments::Build;
use spanloom_stage::give_way;

/// Pages of live columns are not worth the time to compress them.
const OPTIONS: BuilderOptions =
    BuilderOptions { created: 0, zstd_level: None, group_rows: spanloom_block::GROUP_ROWS };

/// Requests in columns.
pub(super) struct Built {
    pub block: Block,
    /// For each of the block's traces the highest ordinal of a request that it has spans of.
    pub last_seqs: Vec<u64>,
}

/// Makes a block of each run of requests, in their order, on threads of its own.
pub(super) fn build_all(
    tenant: &Tenant,
    runs: &[&[LiveRequest]],
    how: &Build,
) -> Result<Vec<Built>, BlockError> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(runs.len()));
    let work = || {
        give_way(how.nice);
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(run) = runs.get(at) else { return };
            let block = build(tenant, run);
            done.lock().push((at, block));
        }
    };
    std::thread::scope(|scope| -> std::io::Result<()> {
        for _ in 0..how.threads.min(runs.len()) {
            std::thread::Builder::new().name("columns".into()).spawn_scoped(scope, work)?;
        }
        Ok(())
    })?;
    let mut done = done.into_inner();
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, block)| block).collect()
}

/// Makes a block of requests that are in the order of the log.
fn build(tenant: &Tenant, requests: &[LiveRequest]) -> Result<Built, BlockError> {
    let groups = |(at, request): (u32, &LiveRequest)| {
        let ids: Vec<(TraceId, u32, u32)> =
            request.batch.groups().iter().zip(0..).map(|(group, number)| (group.id, at, number)).collect();
        ids
    };
    let mut groups: Vec<_> = (0..).zip(requests).flat_map(groups).collect();
    groups.sort_unstable();
    let mut builder = BlockBuilder::new(tenant, OPTIONS)?;
    let mut parts: Vec<TracePart> = Vec::new();
    let mut last_seqs = Vec::new();
    for trace in groups.chunk_by(|(left, ..), (right, ..)| left == right) {
        parts.clear();
        parts.extend(trace.iter().map(|&(_, at, group)| {
            let LiveRequest { seq, batch } = &requests[at as usize];
            TracePart { batch: batch.clone(), group, seq: *seq }
        }));
        // Nothing of it is sealed by being here.
        let pushed = builder.push_trace(trace[0].0, 0, &parts)?;
        last_seqs.extend(parts.last().map(|part| part.seq).filter(|_| pushed.spans > 0));
    }
    drop(parts);
    Ok(Built { block: Block::from_bytes(builder.finish()?.bytes)?, last_seqs })
}

/// How many spans some requests have.
pub(super) fn spans(requests: &[LiveRequest]) -> u64 {
    requests.iter().map(|request| spans_of(&request.batch)).sum()
}

/// How many spans a request has.
pub(super) fn spans_of(batch: &Arc<Batch>) -> u64 {
    batch.spans().len() as u64
}
