//! Blocks of other nodes, as they were listed last. Each is opened once, and what was brought of it stays for the next
//! question while it is listed and there is room.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use foldhash::HashMap;
use parking_lot::Mutex;
use spanloom_block::{Block, BlockError, BlockId, BlockMeta, ResidentSet};
use spanloom_bucket::Listed;
use spanloom_bucket::cache::Cache;
use spanloom_peer::{BlockList, PeerBlock, PeerError};
use spanloom_ring::NodeName;
use spanloom_span::Tenant;

use super::ranges::key;

/// Most lists that are kept, each of a node and a tenant. Beyond that the one goes that was taken longest ago.
pub(super) const MOST_LISTS: usize = 4096;

/// Blocks of other nodes.
pub(super) struct KnownBlocks {
    cache: Cache,
    resident: Arc<ResidentSet>,
    lists: Mutex<HashMap<(NodeName, Tenant), List>>,
}

/// A node's list.
struct List {
    run: u64,
    taken: Instant,
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
            lists.insert(place, List { run, taken: Instant::now(), blocks });
        }
        if lists.len() > MOST_LISTS {
            let oldest = lists.iter().min_by_key(|(_, list)| list.taken).map(|(place, _)| place.clone());
            let list = oldest.and_then(|place| lists.remove(&place));
            gone.extend(list.into_iter().flat_map(|list| list.blocks.into_values()));
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

#[cfg(test)]
mod tests {
    use std::io;
    use std::ops::Range;

    use bytes::Bytes;
    use futures_util::FutureExt;
    use futures_util::future::BoxFuture;
    use spanloom_bucket::cache::{CacheOptions, Ranges};

    use super::*;

    struct Nowhere;

    impl Ranges for Nowhere {
        fn ranges<'a>(&'a self, _: &'a str, _: &'a [Range<u64>]) -> BoxFuture<'a, io::Result<Vec<Bytes>>> {
            async { Err(io::Error::other("nowhere")) }.boxed()
        }
    }

    fn meta() -> BlockMeta {
        BlockMeta {
            tenant: Tenant::default(),
            version: spanloom_block::FORMAT_VERSION,
            created: 5,
            spans: 1,
            traces: 1,
            raw_bytes: 1,
            min_start: 0,
            max_end: 1,
            min_sealed_through: 0,
            max_sealed_through: 0,
            file_bytes: 1000,
            tail: 64,
            level: 0,
            replaces: Vec::new(),
        }
    }

    fn block(name: &str) -> PeerBlock {
        PeerBlock {
            name: name.into(),
            meta: meta().to_bytes().into(),
            tail: 64,
            is_live: true,
            sealed: vec![],
        }
    }

    fn known() -> (KnownBlocks, NodeName, tokio::runtime::Runtime) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let options = CacheOptions { folder: None, data_bytes: 1 << 20, metadata_bytes: 1 << 20 };
        let cache = Cache::over(Arc::new(Nowhere), None, runtime.handle().clone(), options);
        (KnownBlocks::new(cache, Arc::default()), NodeName::new("a").unwrap(), runtime)
    }

    #[test]
    fn what_is_listed_again_is_the_same() {
        let (known, node, _runtime) = known();
        let tenant = Tenant::default();
        let take = |run: u64, names: &[&str]| {
            let blocks = names.iter().map(|name| block(name)).collect();
            known.take(&node, &tenant, BlockList { run, blocks }).unwrap()
        };
        let first = take(1, &["x", "y"]);
        assert_eq!(&*first[0].listed.path, "a/x");
        let second = take(1, &["y", "z"]);
        assert!(Arc::ptr_eq(&first[1], &second[0]));
        let anew = take(2, &["y"]);
        assert!(!Arc::ptr_eq(&first[1], &anew[0]), "the name means another block in another run");
        assert_ne!(first[1].key, anew[0].key);
        assert!(take(2, &[]).is_empty());
        assert!(known.lists.lock().is_empty());
    }

    #[test]
    fn a_list_that_cannot_be_is_refused() {
        let (known, node, _runtime) = known();
        let tenant = Tenant::default();
        let check = |wrong: PeerBlock| {
            let list = BlockList { run: 1, blocks: vec![block("good"), wrong] };
            let refused = known.take(&node, &tenant, list).err();
            assert!(matches!(refused, Some(PeerError::Garbled(_))), "{refused:?}");
        };
        check(PeerBlock { meta: Bytes::from_static(b"abc"), ..block("x") });
        check(PeerBlock { tail: 1001, ..block("x") });
        check(PeerBlock { sealed: vec![2, 1], ..block("x") });
        let other = BlockMeta { tenant: Tenant::new("other").unwrap(), ..meta() };
        check(PeerBlock { meta: other.to_bytes().into(), ..block("x") });
    }
}
