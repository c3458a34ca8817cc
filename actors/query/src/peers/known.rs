//! Blocks of other nodes, as they were listed last. Each is opened once, and what was brought of it stays for the next
//! question while it is listed and there is room.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use foldhash::HashMap;
use parking_lot::Mutex;
use spanloom_block::{Block, BlockError, BlockId, BlockMeta, ResidentSet};
use spanloom_bucket::Listed;
use spanloom_bucket::cache::Cache;
use spanloom_peer::{BlockList, PeerBlock, PeerError};
use spanloom_ring::NodeName;
use spanloom_span::Tenant;

use super::ranges::key;

/// Blocks of other nodes.
pub(super) struct KnownBlocks {
    cache: Cache,
    resident: Arc<ResidentSet>,
    lists: Mutex<HashMap<(NodeName, Tenant), List>>,
}

/// A node's list.
struct List {
    run: u64,
    blocks: HashMap<Arc<str>, Arc<Known>>,
}

/// A block of another node.
pub(crate) struct Known {
    /// Whose.
    pub node: NodeName,
    /// What it is called in this process, where no other block has the name.
    pub key: Arc<str>,
    /// The block, and its name for people.
    pub listed: Listed,
    pub sealed: Arc<[u32]>,
    pub is_live: bool,
    /// The name there.
    name: Arc<str>,
    is_brought: AtomicBool,
}

impl Known {
    /// Its name as a block, of one that was sealed.
    pub fn id(&self) -> Option<BlockId> {
        let name = self.name.rsplit('/').next()?.strip_suffix(".block")?;
        name.parse().ok().filter(|_| !self.is_live)
    }

    /// Whether its metadata was never brought.
    pub fn is_fresh(&self) -> bool {
        !self.is_brought.load(Ordering::Relaxed)
    }

    /// Its metadata was brought.
    pub fn set_brought(&self, is_brought: bool) {
        self.is_brought.store(is_brought, Ordering::Relaxed);
    }
}

impl KnownBlocks {
    pub fn new(cache: Cache, resident: Arc<ResidentSet>) -> Self {
        Self { cache, resident, lists: Mutex::default() }
    }

    /// Takes a node's list: blocks that were listed before are the same, those that are listed no more are let go of.
    pub fn take(
        &self,
        node: &NodeName,
        tenant: &Tenant,
        list: BlockList,
    ) -> Result<Vec<Arc<Known>>, PeerError> {
        let BlockList { run, blocks } = list;
        let place = (node.clone(), tenant.clone());
        let mut lists = self.lists.lock();
        let (of_run, mut before) =
            lists.remove(&place).map_or_else(Default::default, |list| (list.run, list.blocks));
        let mut gone = Vec::new();
        if of_run != run {
            gone.extend(before.drain().map(|(_, known)| known));
        }
        let mut out = Vec::with_capacity(blocks.len());
        let mut failed = None;
        for block in blocks {
            // What does not count in it may be more by now.
            let known = before.remove(&block.name).filter(|known| *known.sealed == *block.sealed);
            match known.map_or_else(|| self.open(node, tenant, run, block), Ok) {
                Ok(known) => out.push(known),
                Err(error) => failed = Some(error),
            }
        }
        if !out.is_empty() {
            let blocks = out.iter().map(|known| (known.name.clone(), known.clone())).collect();
            lists.insert(place, List { run, blocks });
        }
        drop(lists);
        gone.extend(before.into_values());
        gone.iter().for_each(|gone| self.cache.forget(&gone.key));
        match failed {
            None => Ok(out),
            Some(error) => Err(PeerError::Garbled(error.to_string())),
        }
    }

    fn open(
        &self,
        node: &NodeName,
        tenant: &Tenant,
        run: u64,
        block: PeerBlock,
    ) -> Result<Arc<Known>, BlockError> {
        let PeerBlock { name, meta, tail, is_live, sealed } = block;
        let meta = BlockMeta::from_bytes(&meta)?;
        if meta.tenant != *tenant || tail > meta.file_bytes || !sealed.is_sorted() {
            return Err(BlockError::Damaged("a block is listed with what cannot be of it"));
        }
        let key = key(node, run, tenant, &name);
        let source = self.cache.source(&key, meta.file_bytes, tail);
        let id = BlockId { created: meta.created, number: 0 };
        let listed = Listed {
            id,
            path: format!("{node}/{name}").into(),
            block: Block::far(meta, tail, source, &self.resident),
        };
        let is_brought = AtomicBool::new(false);
        Ok(Arc::new(Known {
            node: node.clone(),
            key: key.into(),
            listed,
            sealed: sealed.into(),
            is_live,
            name,
            is_brought,
        }))
    }
}
