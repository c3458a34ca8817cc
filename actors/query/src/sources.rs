//! What a question works on: a snapshot of the live requests, and of the blocks.
//!
//! Live requests are taken first and blocks are listed after, so that spans on their way from one to the other are
//! in at least one of them. A part of a trace that is live counts only when no block says that it is sealed through
//! that part's ordinal.

use std::sync::{Arc, OnceLock};

use foldhash::HashMap;
use smallvec::SmallVec;
use spanloom_bucket::{Bucket, Listed};
use spanloom_peer::{LiveRequest, Peer};
use spanloom_span::{Tenant, TraceId};

use crate::QueryError;

/// A block to be searched.
pub(crate) struct SourceBlock {
    /// The block and its file's name.
    pub listed: Listed,
    /// Places of the traces that also lie in another block, ascending; `None` when that is not known.
    pub elsewhere: Option<Arc<[u32]>>,
}

impl SourceBlock {
    /// An error that names the block.
    pub fn failed(&self, source: spanloom_block::BlockError) -> QueryError {
        QueryError::Block { path: self.listed.path.to_string(), source }
    }
}

/// A part of a live trace: numbers of the request and of the group within it.
pub(crate) type LivePlace = (u32, u32);

/// The traces that have live spans.
#[derive(Default)]
pub(crate) struct LiveIndex {
    /// Parts of each trace, in the order of the log.
    pub parts: HashMap<TraceId, SmallVec<[LivePlace; 2]>>,
    /// The traces, ascending.
    pub ids: Vec<TraceId>,
}

/// What a question works on.
pub(crate) struct Sources {
    /// Live requests, in the order of the log, one tenant after the other.
    pub live: Vec<LiveRequest>,
    /// Blocks, oldest first, one tenant after the other.
    pub blocks: Vec<SourceBlock>,
    /// Where the live requests and the blocks of each tenant end.
    ends: Vec<(usize, usize)>,
    index: OnceLock<LiveIndex>,
}

impl Sources {
    /// Takes a snapshot.
    pub async fn take(peer: &dyn Peer, bucket: &Bucket, tenants: &[Tenant]) -> Result<Self, QueryError> {
        let (mut live, mut ends) = (Vec::new(), Vec::with_capacity(tenants.len()));
        for tenant in tenants {
            live.extend(peer.live_requests(tenant.clone()).await?);
            ends.push((live.len(), 0));
        }
        let mut blocks = Vec::new();
        for (tenant, (_, end)) in tenants.iter().zip(&mut ends) {
            let listed = bucket.blocks(tenant);
            let block = |listed: &Listed| SourceBlock { listed: listed.clone(), elsewhere: None };
            blocks.extend(listed.iter().map(block));
            *end = blocks.len();
        }
        Ok(Self { live, blocks, ends, index: OnceLock::new() })
    }

    fn is_one_tenant(&self) -> bool {
        self.ends.len() == 1
    }

    /// The number of the tenant, in the order named, that each of these blocks and live parts is of; none when they
    /// are all of one.
    pub fn tenants_of(&self, blocks: &[(usize, u64)], live: &[LivePlace]) -> SmallVec<[u32; 4]> {
        if self.is_one_tenant() {
            return SmallVec::new();
        }
        let of_block = |&(block, _): &(usize, u64)| self.ends.partition_point(|&(_, end)| end <= block);
        let of_live = |&(at, _): &LivePlace| self.ends.partition_point(|&(end, _)| end <= at as usize);
        blocks.iter().map(of_block).chain(live.iter().map(of_live)).map(|tenant| tenant as u32).collect()
    }

    /// Finds out which traces lie in several blocks, where that is known per tenant. Reads trace ids of blocks that
    /// are new: not on a runtime's worker.
    pub fn compare(&mut self, bucket: &Bucket, tenants: &[Tenant]) -> Result<(), QueryError> {
        // With several tenants a trace may lie in blocks of two of them, which nobody keeps account of.
        let [tenant] = tenants else { return Ok(()) };
        let listing: Vec<Listed> = self.blocks.iter().map(|block| block.listed.clone()).collect();
        let overlaps = bucket.overlaps(tenant, &listing);
        let failed = |source| QueryError::Block { path: "of the listing".into(), source };
        for (block, places) in self.blocks.iter_mut().zip(overlaps.map_err(failed)?) {
            block.elsewhere = Some(places);
        }
        Ok(())
    }

    /// The traces that have live spans; made when it is first asked for.
    pub fn index(&self) -> &LiveIndex {
        self.index.get_or_init(|| {
            let mut index = LiveIndex::default();
            for (number, request) in self.live.iter().enumerate() {
                for (group, trace) in request.batch.groups().iter().enumerate() {
                    let parts = index.parts.entry(trace.id).or_default();
                    // A request may be listed twice: whole, and as a copy of one trace's part.
                    let is_copy =
                        parts.last().is_some_and(|&(at, _)| self.live[at as usize].seq == request.seq);
                    if !is_copy {
                        parts.push((number as u32, group as u32));
                    }
                }
            }
            index.ids = index.parts.keys().copied().collect();
            index.ids.sort_unstable();
            index
        })
    }

    /// Blocks that hold a trace, with its place in each, oldest first.
    pub fn blocks_with(&self, id: &TraceId) -> Result<SmallVec<[(usize, u64); 2]>, QueryError> {
        let mut out = SmallVec::new();
        for (number, block) in self.blocks.iter().enumerate() {
            if let Some(place) = block.listed.block.find(id).map_err(|error| block.failed(error))? {
                out.push((number, place));
            }
        }
        Ok(out)
    }

    /// The live parts of a trace that the given blocks do not cover, in the order of the log.
    pub fn live_parts(
        &self,
        id: &TraceId,
        blocks: &[(usize, u64)],
    ) -> Result<SmallVec<[LivePlace; 2]>, QueryError> {
        if self.live.is_empty() {
            return Ok(SmallVec::new());
        }
        let Some(parts) = self.index().parts.get(id) else { return Ok(SmallVec::new()) };
        let mut through = 0;
        // What one tenant has sealed says nothing of another's spans.
        for &(number, _) in blocks.iter().filter(|_| self.is_one_tenant()) {
            let block = &self.blocks[number];
            let sealed = block.listed.block.sealed_through(id).map_err(|error| block.failed(error))?;
            through = through.max(sealed.unwrap_or(0));
        }
        let is_open = |&&(request, _): &&LivePlace| self.live[request as usize].seq > through;
        Ok(parts.iter().filter(is_open).copied().collect())
    }
}

#[cfg(test)]
mod tests;
