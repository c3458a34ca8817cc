//! What this node answers to others of its cluster: its blocks that nobody else can read, bytes of them, and its copy of
//! a trace.
//!
//! Live spans are brought into columns as for a question that is asked here. What was listed is held for a while, so that
//! it can be read though it was sealed, joined or removed meanwhile.

mod held;
mod scan;
mod traces;

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use spanloom_bucket::Listed;
use spanloom_peer::{
    BlockList, FindTrace, ListBlocks, MAX_RANGES, MAX_READ_BYTES, PeerBlock, PeerError, ReadBlock, TraceCopy,
};
use spanloom_span::encode;

use crate::live::View;
use crate::sources::own;
use crate::{Querier, QueryError};
pub(crate) use held::Held;
use held::HeldBlock;

/// A number of this run of the process: when it was asked for first, in nanoseconds since 1970.
pub(crate) fn run_number() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

/// Answers other nodes of the cluster. Made by [`Querier::serving`]; clones share one.
#[derive(Clone)]
pub struct Serving {
    querier: Querier,
}

impl Querier {
    /// What answers other nodes.
    pub fn serving(&self) -> Serving {
        Serving { querier: self.clone() }
    }
}

impl Serving {
    /// This node's blocks of a tenant that others may not be able to read, live spans among them.
    pub async fn list_blocks(&self, question: ListBlocks) -> Result<BlockList, PeerError> {
        let inner = &self.querier.inner;
        let _waiting = inner.waiting.try_acquire().map_err(|_| refused(self.querier.busy()))?;
        let (shared, tenant) = (inner.clone(), question.tenant.clone());
        let list = move |_: &Arc<Vec<Listed>>, view: &View| {
            // After the live requests were taken: what is on its way from there is in at least one of both.
            let sealed = shared.bucket.blocks_here(&tenant);
            let mut blocks: Vec<PeerBlock> = sealed.iter().map(|listed| told(listed, false, &[])).collect();
            let mut held: Vec<HeldBlock> = sealed.iter().map(|listed| HeldBlock::new(listed, None)).collect();
            for ((run, sealed), permit) in view.runs.iter().zip(&view.sealed).zip(&view.held) {
                blocks.push(told(run, true, sealed));
                held.push(HeldBlock::new(run, Some(permit.clone())));
            }
            shared.held.put(&tenant, held);
            Ok(BlockList { run: shared.run, blocks })
        };
        own(inner, &question.tenant, list).await.map_err(refused)
    }

    /// Bytes of a block that was listed.
    pub async fn read_block(&self, question: ReadBlock) -> Result<Vec<Bytes>, PeerError> {
        let inner = &self.querier.inner;
        let ReadBlock { tenant, run, name, ranges } = question;
        let found = (run == inner.run).then(|| inner.held.get(&tenant, &name)).flatten();
        let Some(block) = found else {
            return Err(PeerError::Missing(format!(
                "block {name} is not held any more, expected one listed of late"
            )));
        };
        let len = block.meta().file_bytes;
        if let Some(wrong) = ranges.iter().find(|range| range.start > range.end || range.end > len) {
            return Err(PeerError::Invalid(format!(
                "found bytes {wrong:?}, expected some of the {len} of block {name}"
            )));
        }
        let total = ranges.iter().fold(0u64, |sum, range| sum.saturating_add(range.end - range.start));
        if ranges.len() > MAX_RANGES || total > MAX_READ_BYTES {
            return Err(PeerError::Invalid(format!(
                "found {} ranges of {total} bytes, expected at most {MAX_RANGES} of {MAX_READ_BYTES}",
                ranges.len()
            )));
        }
        // Mapped pages may have to come from the disk: not on a runtime's worker.
        let read = move || ranges.into_iter().map(|range| block.bytes(range).map(Bytes::from)).collect();
        let read: Result<Vec<Bytes>, _> = tokio::task::spawn_blocking(read).await.map_err(|_| stopping())?;
        read.map_err(|error| PeerError::Unavailable(format!("block {name} cannot be read: {error}")))
    }

    /// This node's copy of a trace: its live spans, and those of blocks that others may not be able to read.
    pub async fn find_trace(&self, question: FindTrace) -> Result<TraceCopy, PeerError> {
        let inner = &self.querier.inner;
        let live = inner.peer.find_trace(question.clone()).await?.parts;
        // After the live parts, as for a question that is asked here.
        let blocks = inner.bucket.blocks_here_now(&question.tenant);
        let found = crate::find::gathered(question.id, &blocks, live).await.map_err(refused)?;
        let Some(trace) = &found.trace else { return Ok(TraceCopy::default()) };
        let spans = encode::traces_data(trace).into();
        Ok(TraceCopy { spans, blocks: found.blocks, live_parts: found.live_parts })
    }
}

fn told(listed: &Listed, is_live: bool, sealed: &[u32]) -> PeerBlock {
    let meta = listed.block.meta();
    PeerBlock {
        name: listed.path.clone(),
        meta: meta.to_bytes().into(),
        tail: meta.tail,
        is_live,
        sealed: sealed.to_vec(),
    }
}

fn stopping() -> PeerError {
    PeerError::Unavailable(QueryError::Stopping.to_string())
}

fn refused(error: QueryError) -> PeerError {
    match error {
        QueryError::Peer(error) => error,
        QueryError::Busy(message) => {
            PeerError::Exhausted { message, retry_after: std::time::Duration::from_secs(1) }
        }
        error => PeerError::Unavailable(error.to_string()),
    }
}
