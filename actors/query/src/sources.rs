//! What a question works on: a snapshot of the blocks, and of the live spans in columns of their own.
//!
//! Live requests are taken first and blocks are listed after, so that spans on their way from one to the other are
//! in at least one of them. Those that are in both are duplicates, which are removed as others are.

use std::sync::Arc;
use std::time::{Duration, Instant};

use smallvec::SmallVec;
use spanloom_block::Block;
use spanloom_bucket::Listed;
use spanloom_span::{Tenant, TraceId};

use crate::live::{View, union};
use crate::querier::Inner;
use crate::{QueryError, far};

/// A block to be searched.
pub(crate) struct SourceBlock {
    /// The block and its file's name.
    pub listed: Listed,
    /// Places of the traces that also lie in another block, ascending; `None` when that is not known.
    pub elsewhere: Option<Arc<[u32]>>,
    /// Places of traces that do not count here, since other blocks have all their spans, ascending.
    pub sealed: Arc<[u32]>,
    /// Whether it is made of live spans.
    pub is_live: bool,
}

impl SourceBlock {
    /// An error that names the block.
    pub fn failed(&self, source: spanloom_block::BlockError) -> QueryError {
        QueryError::Block { path: self.listed.path.to_string(), source }
    }
}

/// What a question works on.
pub(crate) struct Sources {
    /// One tenant after the other, in the order in which they were named: its blocks, oldest first, then the live ones, in
    /// the order of the log. Of spans that agree the first one counts.
    pub blocks: Vec<SourceBlock>,
    /// Time that it took to bring live spans into columns.
    pub prepared: Duration,
}

impl Sources {
    /// Takes a snapshot of what some tenants have: brings live spans into columns, and finds out which traces lie in
    /// several blocks.
    pub async fn take(inner: &Arc<Inner>, tenants: &[Tenant]) -> Result<Self, QueryError> {
        let mut sources = Self { blocks: Vec::new(), prepared: Duration::ZERO };
        for tenant in tenants {
            let begun = Instant::now();
            let columns = inner.live.take(tenant).await;
            let seen = columns.seen_since(begun);
            let listed = Instant::now();
            let (live, blocks) = match &seen {
                // Another question listed everything after this one came.
                Some((blocks, _)) => (Vec::new(), blocks.clone()),
                None => (inner.peer.live_requests(tenant.clone()).await?, inner.bucket.blocks(tenant)),
            };
            let (inner, tenant) = (inner.clone(), tenant.clone());
            // With several tenants a trace may lie in blocks of two of them, which nobody keeps account of.
            let is_one_tenant = tenants.len() == 1;
            // Takes its time, and may wait for the disk: not on a runtime's worker.
            let open = move || -> Result<_, QueryError> {
                let view = match seen {
                    Some((_, view)) => {
                        drop(columns);
                        view
                    }
                    None => inner.live.of(columns, &tenant, listed, live, &blocks)?,
                };
                let took = begun.elapsed();
                // A block that cannot be brought is an error where it is read, if it is.
                drop(far::each(&blocks, Block::bring_metadata));
                let failed = |source| QueryError::Block { path: "of the listing".into(), source };
                let overlaps = match is_one_tenant {
                    true => Some(inner.bucket.overlaps(&tenant, &blocks).map_err(failed)?),
                    false => None,
                };
                Ok((opened(&blocks, overlaps.as_deref(), &view), took))
            };
            let opened = tokio::task::spawn_blocking(open);
            let (mut blocks, took) = opened.await.map_err(|_| QueryError::Stopping)??;
            sources.prepared += took;
            sources.blocks.append(&mut blocks);
        }
        Ok(sources)
    }

    /// A snapshot of a tenant's blocks alone.
    pub async fn of_blocks(inner: &Arc<Inner>, tenant: &Tenant) -> Result<Self, QueryError> {
        let (begun, blocks) = (Instant::now(), inner.bucket.blocks(tenant));
        let (inner, tenant) = (inner.clone(), tenant.clone());
        // As in `take`.
        let open = move || -> Result<_, QueryError> {
            drop(far::each(&blocks, Block::bring_metadata));
            let failed = |source| QueryError::Block { path: "of the listing".into(), source };
            let overlaps = inner.bucket.overlaps(&tenant, &blocks).map_err(failed)?;
            Ok(opened(&blocks, Some(&overlaps), &View::default()))
        };
        let opened = tokio::task::spawn_blocking(open).await.map_err(|_| QueryError::Stopping)??;
        Ok(Self { blocks: opened, prepared: begun.elapsed() })
    }

    /// Blocks of files, without the live ones.
    pub fn sealed(&self) -> impl Iterator<Item = &SourceBlock> {
        self.blocks.iter().filter(|block| !block.is_live)
    }

    /// Blocks that hold a trace, with its place in each, in their order.
    pub fn blocks_with(&self, id: &TraceId) -> Result<SmallVec<[(usize, u64); 2]>, QueryError> {
        let mut out = SmallVec::new();
        for (number, block) in self.blocks.iter().enumerate() {
            if let Some(place) = block.listed.block.find(id).map_err(|error| block.failed(error))? {
                let is_sealed = block.sealed.binary_search(&(place as u32)).is_ok();
                out.extend((!is_sealed).then_some((number, place)));
            }
        }
        Ok(out)
    }
}

/// A tenant's blocks, and the live ones, with what they share; nothing is known of that without `overlaps`.
fn opened(blocks: &[Listed], overlaps: Option<&[Arc<[u32]>]>, view: &View) -> Vec<SourceBlock> {
    let nothing = Arc::<[u32]>::default();
    let of_block = |(number, listed): (usize, &Listed)| {
        let live = view.of_blocks.get(number).unwrap_or(&nothing);
        let elsewhere =
            overlaps.and_then(|overlaps| overlaps.get(number)).map(|places| match live.is_empty() {
                true => places.clone(),
                false => union([&**places, &**live]).into(),
            });
        SourceBlock { listed: listed.clone(), elsewhere, sealed: Arc::default(), is_live: false }
    };
    let of_run = |(number, listed): (usize, &Listed)| {
        let places = |of: &[Arc<[u32]>]| of.get(number).cloned().unwrap_or_default();
        let (elsewhere, sealed) = (overlaps.map(|_| places(&view.elsewhere)), places(&view.sealed));
        SourceBlock { listed: listed.clone(), elsewhere, sealed, is_live: true }
    };
    let blocks = blocks.iter().enumerate().map(of_block);
    blocks.chain(view.runs.iter().enumerate().map(of_run)).collect()
}
