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
use crate::peers::{Asking, Known, Peers, both};
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
    /// Whether the shared store has it, as far as its list of blocks is known here: then other nodes can read it.
    pub is_in_store: bool,
    /// What is known of it, if it is another node's.
    pub of_peer: Option<Arc<Known>>,
}

impl SourceBlock {
    /// An error that names the block, and the node that it is of if it is another's.
    pub fn failed(&self, source: spanloom_block::BlockError) -> QueryError {
        let error = QueryError::Block { path: self.listed.path.to_string(), source };
        match &self.of_peer {
            Some(known) => QueryError::Peers { nodes: vec![known.node.clone()], source: Box::new(error) },
            None => error,
        }
    }
}

/// What a question works on.
pub(crate) struct Sources {
    /// One tenant after the other, in the order in which they were named: its blocks, oldest first, then those of other
    /// nodes, then the live ones, in the order of the log, and those of other nodes. Of spans that agree the first one
    /// counts.
    pub blocks: Vec<SourceBlock>,
    /// Time that it took to bring live spans into columns.
    pub prepared: Duration,
    /// What is missing, when something may be: which nodes did not answer.
    pub partial: Option<String>,
}

impl Sources {
    /// Takes a snapshot of what some tenants have: brings live spans into columns, asks the other nodes of a cluster, and
    /// finds out which traces lie in several blocks.
    pub async fn take(inner: &Arc<Inner>, tenants: &[Tenant], asking: &Asking) -> Result<Self, QueryError> {
        let mut sources = Self { blocks: Vec::new(), prepared: Duration::ZERO, partial: None };
        // With several tenants a trace may lie in blocks of two of them, which nobody keeps account of.
        let is_compared = tenants.len() == 1;
        for tenant in tenants {
            let (own, partial) = match &inner.peers {
                Some(peers) => with_peers(inner, peers, tenant, asking, is_compared).await?,
                None => (own_sources(inner, tenant, is_compared).await?, None),
            };
            let (mut blocks, took) = own;
            sources.prepared += took;
            sources.blocks.append(&mut blocks);
            sources.partial = both(sources.partial.take(), partial);
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
        Ok(Self { blocks: opened, prepared: begun.elapsed(), partial: None })
    }

    /// Bytes of a block's file.
    pub fn bytes_of(&self, number: usize) -> u64 {
        self.blocks.get(number).map_or(0, |block| block.listed.block.meta().file_bytes)
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

/// Sources, and the time that it took to bring live spans into columns.
type Prepared = (Vec<SourceBlock>, Duration);

/// What this node has of a tenant: brings live spans into columns and lists blocks, in this order, and goes on with them
/// where it may take its time.
pub(crate) async fn own<R: Send + 'static>(
    inner: &Arc<Inner>,
    tenant: &Tenant,
    then: impl FnOnce(&Arc<Vec<Listed>>, &View) -> Result<R, QueryError> + Send + 'static,
) -> Result<R, QueryError> {
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
    // Takes its time, and may wait for the disk: not on a runtime's worker.
    let open = move || {
        let view = match seen {
            Some((_, view)) => {
                drop(columns);
                view
            }
            None => inner.live.of(columns, &tenant, listed, live, &blocks)?,
        };
        then(&blocks, &view)
    };
    tokio::task::spawn_blocking(open).await.map_err(|_| QueryError::Stopping)?
}

async fn own_sources(inner: &Arc<Inner>, tenant: &Tenant, is_compared: bool) -> Result<Prepared, QueryError> {
    let begun = Instant::now();
    let (of, bucket) = (tenant.clone(), inner.bucket.clone());
    own(inner, tenant, move |blocks, view| {
        let took = begun.elapsed();
        // A block that cannot be brought is an error where it is read, if it is.
        drop(far::each(blocks, Block::bring_metadata));
        let failed = |source| QueryError::Block { path: "of the listing".into(), source };
        let overlaps = match is_compared {
            true => Some(bucket.overlaps(&of, blocks).map_err(failed)?),
            false => None,
        };
        Ok((opened(blocks, overlaps.as_deref(), view), took))
    })
    .await
}

/// As [`own_sources`], while the other nodes are asked; and what may be missing.
async fn with_peers(
    inner: &Arc<Inner>,
    peers: &Arc<Peers>,
    tenant: &Tenant,
    asking: &Asking,
    is_compared: bool,
) -> Result<(Prepared, Option<String>), QueryError> {
    let own = async {
        // Before blocks are listed: others do not tell of what came to the store long ago.
        let partial = look_again(inner, peers, tenant, asking).await;
        let manifest = inner.bucket.manifest(tenant);
        (own_sources(inner, tenant, is_compared).await, manifest, partial)
    };
    let ((own, manifest, unseen), mut lists) = tokio::join!(own, peers.list(tenant, asking));
    let (mut own, took) = own?;
    for block in own.iter_mut().filter(|block| !block.is_live) {
        block.is_in_store = manifest.as_ref().is_some_and(|known| known.block(block.listed.id).is_some());
    }
    // What is in the store is read from there, and what is gone from it is not brought back.
    lists.leave_out(manifest.as_deref());
    let partial = both(lists.partial.take(), unseen);
    if lists.is_empty() {
        return Ok(((own, took), partial));
    }
    let (peers, tenant) = (peers.clone(), tenant.clone());
    let join = move || peers.join(&tenant, own, lists, is_compared);
    let joined = tokio::task::spawn_blocking(join).await.map_err(|_| QueryError::Stopping)??;
    Ok(((joined, took), partial))
}

/// Looks at the store's list of blocks unless that was done a moment ago. What is missing if it cannot be.
pub(crate) async fn look_again(
    inner: &Inner,
    peers: &Peers,
    tenant: &Tenant,
    asking: &Asking,
) -> Option<String> {
    let look = inner.bucket.look_again(tenant, peers.known_since());
    let looked = match asking.deadline {
        Some(deadline) => tokio::time::timeout_at(deadline.into(), look).await,
        None => Ok(look.await),
    };
    let why = match looked {
        Ok(Ok(())) => return None,
        Ok(Err(error)) => error.to_string(),
        Err(_) => "no answer in time".to_owned(),
    };
    Some(format!(
        "the store's list of blocks cannot be looked at, and what came to it of late is missing: {why}"
    ))
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
        SourceBlock {
            listed: listed.clone(),
            elsewhere,
            sealed: Arc::default(),
            is_live: false,
            is_in_store: false,
            of_peer: None,
        }
    };
    let of_run = |(number, listed): (usize, &Listed)| {
        let places = |of: &[Arc<[u32]>]| of.get(number).cloned().unwrap_or_default();
        let (elsewhere, sealed) = (overlaps.map(|_| places(&view.elsewhere)), places(&view.sealed));
        let listed = listed.clone();
        SourceBlock { listed, elsewhere, sealed, is_live: true, is_in_store: false, of_peer: None }
    };
    let blocks = blocks.iter().enumerate().map(of_block);
    blocks.chain(view.runs.iter().enumerate().map(of_run)).collect()
}
