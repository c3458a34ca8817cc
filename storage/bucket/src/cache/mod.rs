//! Blocks of an object store, or of other nodes, as far as they were read, on this machine.
//!
//! | file | holds |
//! |---|---|
//! | `mod.rs` | the blocks that are kept, within budgets |
//! | `kept.rs` | what is kept of one block: a sparse file, unit by unit |
//! | `units.rs` | which units a range takes, and runs of them |
//! | `bring.rs` | units from the shared cache and from the store |
//! | `shared/` | shared caches: memcached, Redis |
//! | `saved.rs` | what a stopped server leaves for the next one |
//!
//! A block is kept in units of 64 KiB, in a sparse file as long as the block. There are two budgets: for metadata (what
//! lies behind the row groups: filter, directory, ids, trace table, dictionaries) and for data. When there is too much
//! data the block that was used longest ago is cut down to its metadata; when there is too much metadata it goes
//! altogether. Who is reading it goes on to read the file, which has no name by then.
//!
//! **Invariant:** a unit is written once, before anybody may read it, and never again. A cache that cannot keep
//! anything costs time and requests, and changes no answer.

mod bring;
mod kept;
mod saved;
pub mod shared;
mod units;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use foldhash::HashMap;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use spanloom_block::{Partial, Source};
use tokio::runtime::Handle;

use crate::objects::Objects;
pub use bring::SharedCache;
use kept::{Kept, Store};
pub use units::UNIT;

/// Where blocks are read from, range by range.
pub trait Ranges: Send + Sync + 'static {
    /// Some ranges of a block, in their order, each as long as it was asked for.
    fn ranges<'a>(
        &'a self,
        path: &'a str,
        ranges: &'a [std::ops::Range<u64>],
    ) -> BoxFuture<'a, io::Result<Vec<Bytes>>>;
}

/// A store of objects that is read from.
struct OfStore(Arc<dyn Objects>);

impl Ranges for OfStore {
    fn ranges<'a>(
        &'a self,
        path: &'a str,
        ranges: &'a [std::ops::Range<u64>],
    ) -> BoxFuture<'a, io::Result<Vec<Bytes>>> {
        async move { self.0.ranges(path, ranges).await.map_err(io::Error::other) }.boxed()
    }
}

/// What may be kept, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheOptions {
    /// A folder of the cache's own; without one, or when it cannot be written, blocks are kept in memory.
    pub folder: Option<PathBuf>,
    /// Most bytes of data.
    pub data_bytes: u64,
    /// Most bytes of metadata.
    pub metadata_bytes: u64,
}

/// What the cache did, since the start.
#[derive(Debug, Default)]
pub struct CacheCounters {
    /// Units that were asked for and were there.
    pub hits: AtomicU64,
    /// Units that had to be brought.
    pub misses: AtomicU64,
    /// Of those, the ones that the shared cache had.
    pub shared_hits: AtomicU64,
    /// Calls of the shared cache that failed.
    pub shared_errors: AtomicU64,
    /// Blocks that were cut down to their metadata.
    pub cut: AtomicU64,
    /// Blocks that went altogether.
    pub dropped: AtomicU64,
    /// Units of a former run that were damaged, and blocks that were begun anew since their checksums were wrong.
    pub damaged: AtomicU64,
    /// Files that could not be made in the folder, so that memory was used.
    pub file_errors: AtomicU64,
}

/// What is kept now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CacheUsage {
    /// Blocks of which something is kept.
    pub blocks: u64,
    /// Bytes of data.
    pub data_bytes: u64,
    /// Bytes of metadata.
    pub metadata_bytes: u64,
}

/// Blocks of an object store, as far as they were read. Clones share one.
#[derive(Clone)]
pub struct Cache(Arc<Inner>);

struct Inner {
    store: Arc<Store>,
    options: CacheOptions,
    index: Mutex<Index>,
    tick: AtomicU64,
    numbered: AtomicU64,
}

#[derive(Default)]
struct Index {
    blocks: HashMap<Arc<str>, Arc<Kept>>,
}

/// A block of the store, as [`spanloom_block::Block::far`] takes it.
struct Cached {
    cache: Cache,
    path: Arc<str>,
    bytes: u64,
    tail: u64,
}

impl Cache {
    /// Opens a cache over a store. What brings units runs on `runtime`, which must have a thread of its own: who reads
    /// a block waits for it.
    pub fn open(
        objects: Arc<dyn Objects>,
        shared: Option<Arc<dyn SharedCache>>,
        runtime: Handle,
        options: CacheOptions,
    ) -> Self {
        Self::over(Arc::new(OfStore(objects)), shared, runtime, options)
    }

    /// As [`Cache::open`], of blocks that are anywhere else than in a store.
    pub fn over(
        ranges: Arc<dyn Ranges>,
        shared: Option<Arc<dyn SharedCache>>,
        runtime: Handle,
        options: CacheOptions,
    ) -> Self {
        let counters = Arc::<CacheCounters>::default();
        let store = Arc::new(Store { from: ranges, shared, runtime, counters });
        let cache = Inner {
            store,
            options,
            index: Mutex::default(),
            tick: AtomicU64::new(1),
            numbered: AtomicU64::new(0),
        };
        let cache = Self(Arc::new(cache));
        cache.load();
        cache
    }

    /// A block of the store: its object's path, its length, and where its metadata begins.
    pub fn source(&self, path: &str, bytes: u64, tail: u64) -> Arc<dyn Source> {
        Arc::new(Cached { cache: self.clone(), path: path.into(), bytes, tail: tail.min(bytes) })
    }

    /// Takes over the file of a block that is in the store: it is not asked for what was here a moment ago. False when
    /// that cannot be, and the file is left as it is.
    pub fn adopt(&self, path: &str, file: &std::path::Path, bytes: u64, tail: u64) -> bool {
        let Some(folder) = &self.0.options.folder else { return false };
        let number = self.0.numbered.fetch_add(1, Ordering::Relaxed);
        let Some((file, sums)) = kept::SparseFile::adopted(folder, number, file, bytes) else { return false };
        let kept = Kept::new(self.0.store.clone(), path.into(), file, bytes, tail).with_left(sums);
        kept.touch(self.0.tick.fetch_add(1, Ordering::Relaxed));
        let before = self.0.index.lock().blocks.insert(path.into(), Arc::new(kept));
        if let Some(before) = before {
            before.let_go();
        }
        self.make_room("");
        true
    }

    /// Lets go of a block that is listed no more.
    pub fn forget(&self, path: &str) {
        let gone = self.0.index.lock().blocks.remove(path);
        if let Some(gone) = gone {
            gone.let_go();
        }
    }

    /// What is kept now.
    pub fn usage(&self) -> CacheUsage {
        let index = self.0.index.lock();
        let add = |mut sum: CacheUsage, kept: &Arc<Kept>| {
            let (data, metadata) = kept.bytes();
            sum.blocks += 1;
            sum.data_bytes += data;
            sum.metadata_bytes += metadata;
            sum
        };
        index.blocks.values().fold(CacheUsage::default(), add)
    }

    /// What it did.
    pub fn counters(&self) -> &CacheCounters {
        &self.0.store.counters
    }

    /// The limits.
    pub fn options(&self) -> &CacheOptions {
        &self.0.options
    }

    fn get(&self, cached: &Cached) -> io::Result<Arc<Kept>> {
        let now = self.0.tick.fetch_add(1, Ordering::Relaxed);
        let mut index = self.0.index.lock();
        if let Some(kept) = index.blocks.get(&cached.path) {
            kept.touch(now);
            return Ok(kept.clone());
        }
        let file = self.file(cached.bytes)?;
        let kept = Kept::new(self.0.store.clone(), cached.path.clone(), file, cached.bytes, cached.tail);
        kept.touch(now);
        let kept = Arc::new(kept);
        index.blocks.insert(cached.path.clone(), kept.clone());
        drop(index);
        self.make_room(&cached.path);
        Ok(kept)
    }

    /// An empty file for a block.
    fn file(&self, bytes: u64) -> io::Result<kept::SparseFile> {
        let counters = &self.0.store.counters;
        if let Some(folder) = &self.0.options.folder {
            let number = self.0.numbered.fetch_add(1, Ordering::Relaxed);
            match kept::SparseFile::in_folder(folder, number, bytes) {
                Ok(file) => return Ok(file),
                Err(error) => {
                    if counters.file_errors.fetch_add(1, Ordering::Relaxed) == 0 {
                        let folder = folder.display();
                        tracing::warn!(%folder, %error, "blocks cannot be kept on disk; they are kept in memory");
                    }
                }
            }
        }
        kept::SparseFile::in_memory(bytes)
    }

    /// Lets go of what was used longest ago, until the rest is within the budgets. The block at `path` is in use.
    fn make_room(&self, path: &str) {
        let mut gone = Vec::new();
        let mut index = self.0.index.lock();
        let mut usage = CacheUsage::default();
        for kept in index.blocks.values() {
            let (data, metadata) = kept.bytes();
            usage.data_bytes += data;
            usage.metadata_bytes += metadata;
        }
        let over = |usage: &CacheUsage| {
            (
                usage.data_bytes > self.0.options.data_bytes,
                usage.metadata_bytes > self.0.options.metadata_bytes,
            )
        };
        while let (over_data, over_metadata) = over(&usage)
            && (over_data || over_metadata)
        {
            let others = index.blocks.iter().filter(|(other, kept)| {
                let (data, _) = kept.bytes();
                &***other != path && (over_metadata || data > 0)
            });
            let Some((path, kept)) = others.min_by_key(|(_, kept)| kept.used()) else { break };
            let (path, kept) = (path.clone(), kept.clone());
            let (data, metadata) = kept.bytes();
            index.blocks.remove(&path);
            // Others bring units meanwhile, so that it may have more by now than was summed up.
            usage.data_bytes = usage.data_bytes.saturating_sub(data);
            let rest = if over_metadata { None } else { self.only_metadata(&kept) };
            let counters = &self.0.store.counters;
            match rest {
                Some(rest) => {
                    counters.cut.fetch_add(1, Ordering::Relaxed);
                    usage.metadata_bytes = usage.metadata_bytes.saturating_sub(metadata) + rest.bytes().1;
                    index.blocks.insert(path, Arc::new(rest));
                }
                None => {
                    counters.dropped.fetch_add(1, Ordering::Relaxed);
                    usage.metadata_bytes = usage.metadata_bytes.saturating_sub(metadata);
                }
            }
            gone.push(kept);
        }
        drop(index);
        gone.iter().for_each(|kept| kept.let_go());
    }

    /// A block's metadata in a file of its own; `None` when it cannot be made, which costs time alone.
    fn only_metadata(&self, kept: &Kept) -> Option<Kept> {
        kept.metadata_in(self.file(kept.len()).ok()?).ok().filter(|rest| rest.bytes().1 > 0)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // What was made of a block's file holds the block: see `Kept::keep`.
        self.index.get_mut().blocks.values().for_each(|kept| kept.let_go());
    }
}

impl Source for Cached {
    fn open(&self) -> io::Result<Arc<dyn Partial>> {
        let kept = self.cache.get(self)?;
        Ok(Arc::new(InCache { kept, cache: Arc::downgrade(&self.cache.0), path: self.path.clone() }))
    }
}

/// A block that is kept, and the cache that has to make room for what is brought.
struct InCache {
    kept: Arc<Kept>,
    cache: std::sync::Weak<Inner>,
    path: Arc<str>,
}

impl Partial for InCache {
    fn file(&self) -> &std::fs::File {
        self.kept.file()
    }

    fn fill(&self, ranges: &[std::ops::Range<u64>]) -> io::Result<()> {
        let brought = self.kept.fill(ranges)?;
        if brought > 0
            && let Some(cache) = self.cache.upgrade()
        {
            self.kept.touch(cache.tick.fetch_add(1, Ordering::Relaxed));
            Cache(cache).make_room(&self.path);
        }
        Ok(())
    }

    fn has(&self, range: &std::ops::Range<u64>) -> bool {
        self.kept.has(range)
    }

    fn is_current(&self) -> bool {
        self.kept.is_current()
    }

    fn doubt(&self) {
        let Some(cache) = self.cache.upgrade() else { return };
        cache.store.counters.damaged.fetch_add(1, Ordering::Relaxed);
        let mut index = cache.index.lock();
        // Another one may have taken its place.
        if index.blocks.get(&self.path).is_some_and(|kept| Arc::ptr_eq(kept, &self.kept)) {
            index.blocks.remove(&self.path);
        }
        drop(index);
        self.kept.let_go();
    }

    fn keep(&self, made: Arc<dyn std::any::Any + Send + Sync>) {
        self.kept.keep(made);
    }
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init, reason = "lists of ranges, some of one")]
mod tests;
