//! The store behind the folder: blocks that were sealed here go there, and blocks that are there are read from it.
//!
//! A block that was shipped stays in the folder, marked, until the log has nothing of it any more: after a restart it
//! says which spans of the log are in blocks. Then its file goes to the cache.
//!
//! **Invariant:** a block that is here alone is listed. One that was shipped is listed while the manifest lists it, so
//! that what was compacted, retired or redacted is not seen again.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use foldhash::HashMap;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use spanloom_block::{Block, BlockId, BlockMeta, LastBytes, ResidentSet};
use spanloom_span::Tenant;
use spanloom_wal::disk::write_file_durably;

use crate::cache::Cache;
use crate::catalog::steps::{StepError, Steps, Uploaded};
use crate::catalog::{BlockEntry, CatalogError, Manifest, Pace, ReadBlock, ReadError, Rebuilt, block_path};
use crate::here::Recent;
use crate::listing::Listing;
use crate::objects::{Objects, StoreError, Upload};
use crate::standby::Turn;
use crate::{Bucket, BucketError, FOLDER, Listed, io};

/// The store behind the folder.
pub struct Remote {
    objects: Arc<dyn Objects>,
    steps: Steps,
    cache: Cache,
    /// What readers see: the folder's blocks and the store's.
    shown: Listing,
    /// Held while what is shown follows from something that may change.
    shelves: Mutex<HashMap<Tenant, Shelf>>,
    /// The log has nothing with a lower ordinal.
    log_floor: AtomicU64,
}

/// What is known of a tenant's blocks in the store.
#[derive(Default)]
pub(crate) struct Shelf {
    manifest: Option<Arc<Manifest>>,
    /// Blocks of the folder that are in the store, or were.
    shipped: BTreeSet<BlockId>,
    /// Blocks of the manifest that are not in the folder.
    far: HashMap<BlockId, Listed>,
    /// Blocks of the folder that another node is to ship, with the version of the manifest that did not have all of
    /// their spans.
    standing_by: HashMap<BlockId, u64>,
    /// Blocks of the folder that came to the store a moment ago.
    pub recent: Recent,
    /// When the look began that the manifest came of.
    looked: Option<Instant>,
}

/// What a round of shipping did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Shipped {
    /// Blocks that are in the store now.
    pub blocks: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// What waits to be brought to the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Unshipped {
    /// Blocks.
    pub blocks: u64,
    /// Their bytes.
    pub bytes: u64,
    /// When the oldest of them was sealed, in nanoseconds since 1970.
    pub oldest: Option<u64>,
    /// Blocks beside those that another node is to bring.
    pub standing_by: u64,
}

/// The end of the name of the file that marks a block as shipped.
const MARK: &str = ".shipped";

impl Remote {
    /// A store, and what is kept of it here.
    pub fn new(objects: Arc<dyn Objects>, steps: Steps, cache: Cache) -> Self {
        let (shown, shelves, log_floor) = (Listing::default(), Mutex::default(), AtomicU64::new(0));
        Self { objects, steps, cache, shown, shelves, log_floor }
    }

    /// What can be done in the store.
    pub fn steps(&self) -> &Steps {
        &self.steps
    }

    /// What is kept of it here.
    pub fn cache(&self) -> &Cache {
        &self.cache
    }

    /// Adds a block that was put into the folder.
    pub(crate) fn add(&self, tenant: &Tenant, folder: &Listing, listed: Listed) {
        // What is shown is made of the folder's list: nobody must do so between the two.
        let _held = self.shelves.lock();
        folder.change(tenant, vec![listed.clone()], &[]);
        self.shown.change(tenant, vec![listed], &[]);
    }

    pub(crate) fn shown(&self) -> &Listing {
        &self.shown
    }

    /// The tenant's manifest, as it was looked at last.
    pub(crate) fn manifest(&self, tenant: &Tenant) -> Option<Arc<Manifest>> {
        self.shelves.lock().get(tenant)?.manifest.clone()
    }

    /// The log has nothing with a lower ordinal: blocks that sealed no other need not be in the folder.
    pub fn set_log_floor(&self, seq: u64) {
        self.log_floor.fetch_max(seq, Ordering::Relaxed);
    }
}

impl Bucket {
    /// Puts a store behind the folder. Nothing is asked of it yet.
    #[must_use]
    pub fn with_remote(mut self, remote: Remote) -> Self {
        for tenant in self.listing.tenants() {
            let blocks = self.listing.of(&tenant);
            let is_marked = |listed: &&Listed| self.disk.read(&mark_path(&listed.path)).is_ok();
            let mut shelf = Shelf::default();
            for listed in blocks.iter().filter(is_marked) {
                shelf.shipped.insert(listed.id);
                // Perhaps a moment ago: nobody knows any more.
                shelf.recent.add(listed.clone());
            }
            remote.shown.set(&tenant, blocks.to_vec());
            remote.shelves.lock().insert(tenant, shelf);
        }
        self.remote = Some(remote);
        self
    }

    /// The store behind the folder, if there is one.
    pub fn remote(&self) -> Option<&Remote> {
        self.remote.as_ref()
    }

    /// Blocks of the folder that are not in the store.
    pub fn unshipped(&self) -> Unshipped {
        let mut sum = Unshipped::default();
        for tenant in self.listing.tenants() {
            for listed in self.waiting(&tenant) {
                if self.is_standing_by(&tenant, listed.id) {
                    sum.standing_by += 1;
                    continue;
                }
                sum.blocks += 1;
                sum.bytes += listed.block.meta().file_bytes;
                let oldest = sum.oldest.get_or_insert(listed.id.created);
                *oldest = (*oldest).min(listed.id.created);
            }
        }
        sum
    }

    fn is_standing_by(&self, tenant: &Tenant, id: BlockId) -> bool {
        let Some(remote) = &self.remote else { return false };
        let shelves = remote.shelves.lock();
        shelves.get(tenant).is_some_and(|shelf| shelf.standing_by.contains_key(&id))
    }

    fn waiting(&self, tenant: &Tenant) -> Vec<Listed> {
        let Some(remote) = &self.remote else { return Vec::new() };
        let shelves = remote.shelves.lock();
        self.unmarked(tenant, shelves.get(tenant))
    }

    fn unmarked(&self, tenant: &Tenant, shelf: Option<&Shelf>) -> Vec<Listed> {
        let is_shipped = |id: &BlockId| shelf.is_some_and(|shelf| shelf.shipped.contains(id));
        self.listing.of(tenant).iter().filter(|listed| !is_shipped(&listed.id)).cloned().collect()
    }

    /// Blocks that are here alone, or came to the store a moment ago, oldest first.
    pub(crate) fn not_known_elsewhere(&self, remote: &Remote, tenant: &Tenant) -> Vec<Listed> {
        let mut shelves = remote.shelves.lock();
        let mut blocks = self.unmarked(tenant, shelves.get(tenant));
        if let Some(shelf) = shelves.get_mut(tenant) {
            shelf.recent.forget(remote.told_of());
            blocks.extend(shelf.recent.blocks().cloned());
            blocks.sort_by_key(|listed| listed.id);
        }
        blocks
    }

    /// When the last look at a tenant's manifest began.
    pub(crate) fn looked(&self, tenant: &Tenant) -> Option<Instant> {
        self.remote.as_ref()?.shelves.lock().get(tenant)?.looked
    }

    /// Brings the tenant's blocks that are here alone to the store, oldest first. What fails is tried again by the next
    /// call.
    pub async fn ship(&self, tenant: &Tenant) -> Result<Shipped, ShipError> {
        self.ship_some(tenant, false).await
    }

    /// As [`Bucket::ship`], with the blocks that stand by for another node to ship.
    pub async fn ship_all(&self, tenant: &Tenant) -> Result<Shipped, ShipError> {
        self.ship_some(tenant, true).await
    }

    async fn ship_some(&self, tenant: &Tenant, all: bool) -> Result<Shipped, ShipError> {
        let mut shipped = Shipped::default();
        let Some(remote) = &self.remote else { return Ok(shipped) };
        let mut left = Ok(());
        let mut any_covered = false;
        for listed in self.waiting(tenant) {
            let turn = if all { Turn::Ours } else { self.turn(remote, tenant, &listed).await };
            match turn {
                Turn::Ours => {}
                Turn::Waits => continue,
                Turn::Covered => {
                    any_covered = true;
                    self.mark(remote, tenant, listed)?;
                    continue;
                }
            }
            let path = format!("{FOLDER}/{}", listed.path);
            let from = match &self.root {
                Some(root) => Upload::File(root.join(&path)),
                None => Upload::Bytes(self.disk.read(&path).map_err(io("reading", &path))?.into()),
            };
            let uploaded = match remote.steps.upload(tenant, entry(&listed), from).await {
                Ok(uploaded) => uploaded,
                // It takes a while, and keeps no other waiting.
                Err(error @ StepError::BeingSwept(_)) => {
                    left = Err(error.into());
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let bytes = listed.block.meta().file_bytes;
            self.mark(remote, tenant, listed)?;
            if uploaded == Uploaded::Listed {
                shipped.blocks += 1;
                shipped.bytes += bytes;
            }
        }
        if shipped != Shipped::default() || any_covered {
            self.poll(tenant).await?;
        }
        left.map(|()| shipped)
    }

    /// Notes, for good, that the store has a block's spans.
    fn mark(&self, remote: &Remote, tenant: &Tenant, listed: Listed) -> Result<(), BucketError> {
        let mark = mark_path(&listed.path);
        let (folder, name) = mark.rsplit_once('/').unwrap_or(("", &mark));
        write_file_durably(self.disk.as_ref(), folder, name, &[]).map_err(io("writing", &mark))?;
        let mut shelves = remote.shelves.lock();
        let shelf = shelves.entry(tenant.clone()).or_default();
        // A moment ago from here on: it is in the manifest before it is told of no more.
        shelf.standing_by.remove(&listed.id);
        shelf.shipped.insert(listed.id);
        shelf.recent.add(listed);
        Ok(())
    }

    /// The tenant's blocks that the manifest lists, with its version.
    pub(crate) fn of_store(&self, remote: &Remote, tenant: &Tenant) -> (u64, Vec<Listed>) {
        let shelves = remote.shelves.lock();
        let Some((shelf, manifest)) = shelves.get(tenant).and_then(|s| Some((s, s.manifest.clone()?))) else {
            return (0, Vec::new());
        };
        let here = self.listing.of(tenant);
        let here = here.iter().filter(|listed| manifest.block(listed.id).is_some());
        (manifest.version, here.chain(shelf.far.values()).cloned().collect())
    }

    /// Notes that a block stands by, as of a version of the manifest. Whether that was known.
    pub(crate) fn stands_by(&self, remote: &Remote, tenant: &Tenant, id: BlockId, version: u64) -> bool {
        let mut shelves = remote.shelves.lock();
        let known = shelves.entry(tenant.clone()).or_default().standing_by.insert(id, version);
        known == Some(version)
    }

    /// Looks at the tenant's manifest, and lists its blocks.
    pub async fn poll(&self, tenant: &Tenant) -> Result<(), ShipError> {
        let Some(remote) = &self.remote else { return Ok(()) };
        let begun = Instant::now();
        let manifest = remote.steps.catalog().refresh(tenant).await.map_err(StepError::from)?;
        self.show(remote, tenant, manifest, begun);
        Ok(())
    }

    /// Lists what the folder and a manifest have, which was looked at from `begun` on.
    fn show(&self, remote: &Remote, tenant: &Tenant, manifest: Arc<Manifest>, begun: Instant) {
        let mut shelves = remote.shelves.lock();
        if manifest.version == 0 && self.listing.of(tenant).is_empty() {
            // A tenant that nobody has heard of is not kept account of.
            shelves.remove(tenant);
            return;
        }
        let shelf = shelves.entry(tenant.clone()).or_default();
        // Of two looks at the same time the older one must not win.
        if shelf.manifest.as_ref().is_some_and(|known| known.version > manifest.version) {
            return;
        }
        shelf.manifest = Some(manifest);
        shelf.looked = shelf.looked.max(Some(begun));
        shelf.recent.forget(remote.told_of());
        self.show_shelf(remote, tenant, shelf);
    }

    fn show_shelf(&self, remote: &Remote, tenant: &Tenant, shelf: &mut Shelf) {
        let Some(manifest) = shelf.manifest.clone() else { return };
        let here = self.listing.of(tenant);
        let is_shown =
            |listed: &&Listed| !shelf.shipped.contains(&listed.id) || manifest.block(listed.id).is_some();
        let mut blocks: Vec<Listed> = here.iter().filter(is_shown).cloned().collect();
        let is_here = |id: &BlockId| here.binary_search_by_key(id, |listed| listed.id).is_ok();
        let mut far = HashMap::default();
        for entry in manifest.blocks.iter().filter(|entry| !is_here(&entry.id)) {
            let known = shelf.far.remove(&entry.id);
            let listed = known.unwrap_or_else(|| self.far(remote, tenant, entry));
            blocks.push(listed.clone());
            far.insert(entry.id, listed);
        }
        for gone in std::mem::replace(&mut shelf.far, far).into_values() {
            remote.cache.forget(&gone.path);
        }
        blocks.sort_by_key(|listed| listed.id);
        let is_left = |id: &BlockId| blocks.binary_search_by_key(id, |listed| listed.id).is_ok();
        let before = remote.shown.of(tenant);
        let removed: Vec<BlockId> = before.iter().map(|l| l.id).filter(|id| !is_left(id)).collect();
        remote.shown.set(tenant, blocks);
        self.forget_overlaps(tenant, &removed);
    }

    fn far(&self, remote: &Remote, tenant: &Tenant, entry: &BlockEntry) -> Listed {
        let block = far(&remote.cache, tenant, entry, &self.resident);
        Listed { id: entry.id, path: block_path(tenant, entry.id).into(), block }
    }

    /// Lets go of the tenant's files that are in the store and that the log needs no more; their bytes go to the cache.
    /// Yields how many.
    pub fn let_go(&self, tenant: &Tenant) -> Result<usize, BucketError> {
        let Some(remote) = &self.remote else { return Ok(0) };
        let floor = remote.log_floor.load(Ordering::Relaxed);
        let mut shelves = remote.shelves.lock();
        let Some(shelf) = shelves.get_mut(tenant) else { return Ok(0) };
        let Some(manifest) = shelf.manifest.clone() else { return Ok(0) };
        let blocks = self.listing.of(tenant);
        let is_free = |listed: &&Listed| {
            shelf.shipped.contains(&listed.id) && listed.block.meta().max_sealed_through < floor
        };
        let free: Vec<Listed> = blocks.iter().filter(is_free).cloned().collect();
        let ids: Vec<BlockId> = free.iter().map(|listed| listed.id).collect();
        self.listing.change(tenant, Vec::new(), &ids);
        for listed in &free {
            let path = format!("{FOLDER}/{}", listed.path);
            let entry = manifest.block(listed.id).filter(|_| self.root.is_some());
            let adopted = match (entry, &self.root) {
                (Some(entry), Some(root)) => remote.cache.adopt(
                    &block_path(tenant, entry.id),
                    &root.join(&path),
                    entry.bytes,
                    entry.tail,
                ),
                _ => false,
            };
            if !adopted {
                self.disk.remove(&path).map_err(io("removing", &path))?;
            }
        }
        if !free.is_empty() {
            // A block that came back after a crash without its mark would be taken for one that is here alone.
            let folder = format!("{FOLDER}/{tenant}");
            self.disk.sync_dir(&folder).map_err(io("syncing", &folder))?;
        }
        for listed in &free {
            let mark = mark_path(&listed.path);
            self.disk.remove(&mark).map_err(io("removing", &mark))?;
            shelf.shipped.remove(&listed.id);
        }
        if !free.is_empty() {
            self.show_shelf(remote, tenant, shelf);
        }
        Ok(free.len())
    }

    /// The bytes of a block of the store, one piece after the other. What is in the folder is not asked for.
    pub async fn read_whole(
        &self,
        tenant: &Tenant,
        entry: &BlockEntry,
        take: impl FnMut(&[u8]) -> std::io::Result<()> + Send,
    ) -> Result<(), ShipError> {
        match &self.remote {
            Some(remote) => read_whole(remote.objects.as_ref(), tenant, entry, take).await,
            None => Ok(()),
        }
    }

    /// Makes the tenant's manifest anew, if it is lost or damaged: see [`Catalog::rebuild`](crate::catalog::Catalog).
    pub async fn rebuild(&self, tenant: &Tenant) -> Result<Option<Rebuilt>, ShipError> {
        let Some(remote) = &self.remote else { return Ok(None) };
        let found = remote.objects.list(tenant.as_str()).await?;
        let lengths: HashMap<String, u64> =
            found.into_iter().map(|found| (found.path, found.bytes)).collect();
        let read = |path: String| {
            let bytes = lengths.get(&path).copied();
            let objects = &remote.objects;
            async move { read_block(objects.as_ref(), &path, bytes).await }.boxed()
        };
        let begun = Instant::now();
        let rebuilt = remote.steps.catalog().rebuild(tenant, &read).await.map_err(StepError::from)?;
        self.show(remote, tenant, rebuilt.manifest.clone(), begun);
        Ok(Some(rebuilt))
    }

    /// Tenants of the folder and of the store, whose list is made anew if it is lost or damaged.
    pub async fn all_tenants(&self) -> Result<Vec<Tenant>, ShipError> {
        let mut tenants: BTreeSet<Tenant> = self.tenants().into_iter().collect();
        if let Some(remote) = &self.remote {
            let catalog = remote.steps.catalog();
            let listed = match catalog.tenants().await {
                Err(error @ (CatalogError::Tenants(_) | CatalogError::TenantsLost)) => {
                    tracing::error!(%error, "the list of tenants is made anew");
                    catalog.rebuild_tenants().await
                }
                listed => listed,
            };
            tenants.extend(listed.map_err(StepError::from)?.iter().cloned());
        }
        Ok(tenants.into_iter().collect())
    }
}

/// The bytes of a block of a store, one piece after the other.
pub async fn read_whole(
    objects: &dyn Objects,
    tenant: &Tenant,
    entry: &BlockEntry,
    mut take: impl FnMut(&[u8]) -> std::io::Result<()> + Send,
) -> Result<(), ShipError> {
    const PIECE: u64 = 8 << 20;
    let path = block_path(tenant, entry.id);
    let mut from = 0;
    while from < entry.bytes {
        let range = from..entry.bytes.min(from + PIECE);
        from = range.end;
        for piece in objects.ranges(&path, std::slice::from_ref(&range)).await? {
            take(&piece).map_err(io("writing a copy of", &path))?;
        }
    }
    Ok(())
}

/// Why a block is not in the store yet, or what is there is not known.
#[derive(Debug, thiserror::Error)]
pub enum ShipError {
    /// The store did not do its part.
    #[error(transparent)]
    Step(#[from] StepError),
    /// The store did not give what was asked for.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The folder did not.
    #[error(transparent)]
    Bucket(#[from] BucketError),
}

/// What a block's manifest is to say of it.
pub fn entry(listed: &Listed) -> BlockEntry {
    let meta = listed.block.meta();
    BlockEntry::new(listed.id, meta)
}

/// A block of the store that a cache is over: nothing of it is read before it is asked for.
pub fn far(cache: &Cache, tenant: &Tenant, entry: &BlockEntry, set: &Arc<ResidentSet>) -> Block {
    let source = cache.source(&block_path(tenant, entry.id), entry.bytes, entry.tail);
    Block::far(meta(tenant, entry), entry.tail, source, set)
}

/// What is known of a block that is in the store.
fn meta(tenant: &Tenant, entry: &BlockEntry) -> BlockMeta {
    BlockMeta {
        tenant: tenant.clone(),
        version: spanloom_block::FORMAT_VERSION,
        created: entry.id.created,
        spans: entry.spans,
        traces: entry.traces,
        raw_bytes: entry.raw_bytes,
        min_start: entry.min_start,
        max_end: entry.max_end,
        min_sealed_through: 0,
        max_sealed_through: 0,
        file_bytes: entry.bytes,
        tail: entry.tail,
        level: entry.level,
        replaces: Vec::new(),
    }
}

fn mark_path(path: &str) -> String {
    let path = path.strip_suffix(".block").unwrap_or(path);
    format!("{FOLDER}/{path}{MARK}")
}

/// Time and chance as they are.
pub struct RealPace;

impl Pace for RealPace {
    fn now(&self) -> u64 {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
    }

    fn sleep(&self, time: std::time::Duration) -> BoxFuture<'static, ()> {
        tokio::time::sleep(time).boxed()
    }

    fn random(&self) -> u64 {
        rand::random()
    }
}

/// What a block of the store says of itself.
async fn read_block(objects: &dyn Objects, path: &str, bytes: Option<u64>) -> Result<ReadBlock, ReadError> {
    let unreadable = |error: &dyn std::fmt::Display| ReadError::Unreadable(error.to_string());
    let id = path.rsplit('/').next().and_then(|name| name.strip_suffix(".block")?.parse().ok());
    let (Some(id), Some(bytes)) = (id, bytes) else { return Err(unreadable(&"it came after it was listed")) };
    let mut wanted = 64 << 10;
    loop {
        let range = bytes.saturating_sub(wanted)..bytes;
        let last = objects.ranges(path, std::slice::from_ref(&range)).await?.concat();
        match BlockMeta::from_last_bytes(&last, bytes).map_err(|error| unreadable(&error))? {
            LastBytes::Meta(meta) => {
                let entry = BlockEntry::new(id, &meta);
                return Ok(ReadBlock { entry, replaces: meta.replaces });
            }
            LastBytes::Needs(more) if more > wanted => wanted = more,
            LastBytes::Needs(_) => return Err(unreadable(&"its directory lies outside of it")),
        }
    }
}
