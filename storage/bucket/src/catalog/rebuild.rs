//! A manifest made anew from the blocks themselves, when it was lost or damaged.
//!
//! Blocks that were compacted are told by what took their place: the last output of a compaction says whose spans it
//! and its siblings hold. It is believed when all of its siblings are there, for only then are the spans. What is in
//! doubt is listed: that a span is there twice is harmless, that it is missing is not.
//!
//! What cannot be known: blocks that were removed without a successor (retired, emptied) and not deleted yet are listed
//! again. Retention removes them again; a redaction of the last hours is to be done again.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt};
use spanloom_block::BlockId;
use spanloom_span::Tenant;

use super::manifest::{BlockEntry, Gone, Manifest, Reason};
use super::names::{ObjectName, damaged_path, manifest_path};
use super::store::{Catalog, CatalogError, Found, after};
use crate::objects::{self, StoreError, Swapped, Upload, Version};

/// Blocks that are read at a time.
const AT_A_TIME: usize = 16;

/// What a block says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadBlock {
    /// What is listed of it.
    pub entry: BlockEntry,
    /// The blocks whose spans are in it and its siblings.
    pub replaces: Vec<BlockId>,
}

/// Why a block's metadata was not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The store did not give it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It is no block, or a damaged one.
    #[error("{0}")]
    Unreadable(String),
}

/// Reads the metadata of the block at a path.
pub type ReadEntry<'a> = dyn Fn(String) -> BoxFuture<'a, Result<ReadBlock, ReadError>> + Send + Sync + 'a;

/// What came of making a manifest anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebuilt {
    /// The manifest as it is now.
    pub manifest: Arc<Manifest>,
    /// Whether this call made it; else there was a good one.
    pub made: bool,
    /// Blocks that could not be read, with the reason. They are left alone.
    pub unreadable: Vec<(String, String)>,
    /// Where the damaged manifest is kept, if there was one.
    pub kept: Option<String>,
}

/// How often it is looked for a lost manifest before it is made anew.
const LOOKS: u32 = 20;

impl Catalog {
    /// Makes a manifest anew if it is lost or damaged.
    ///
    /// Takes [`Timing::act_within`](super::Timing) at least: so long others may still delete what the lost manifest
    /// told them to.
    pub async fn rebuild(&self, tenant: &Tenant, read: &ReadEntry<'_>) -> Result<Rebuilt, CatalogError> {
        for attempt in 0..Self::TRIES {
            self.pause(attempt).await;
            for _ in 0..LOOKS {
                // One that is there again, as after an outage, is not waited for.
                if let Found::Good(manifest, _) = self.find(tenant).await? {
                    return Ok(Rebuilt { manifest, made: false, unreadable: Vec::new(), kept: None });
                }
                self.pace.sleep(self.timing.act_within / LOOKS).await;
            }
            if let Some(rebuilt) = self.try_rebuild(tenant, read).await? {
                return Ok(rebuilt);
            }
        }
        Err(Self::contended(&manifest_path(tenant)))
    }

    /// Yields nothing when another writer came first or it is not known what became of it.
    async fn try_rebuild(
        &self,
        tenant: &Tenant,
        read: &ReadEntry<'_>,
    ) -> Result<Option<Rebuilt>, CatalogError> {
        let listed_at = self.pace.now();
        let (damaged, expected) = match self.find(tenant).await? {
            Found::Good(manifest, _) => {
                return Ok(Some(Rebuilt { manifest, made: false, unreadable: Vec::new(), kept: None }));
            }
            Found::Absent => (None, None),
            Found::Damaged(bytes, version, _) => (Some(bytes), Some(version)),
        };
        let found = self.objects.list(tenant.as_str()).await?;
        let blocks = self.read_all(tenant, &found, read).await?;
        let kept = match damaged {
            Some(bytes) => Some(self.keep(tenant, &found, bytes).await?),
            None => None,
        };
        let now = self.pace.now();
        if now >= after(listed_at, self.timing.grace) {
            return Err(CatalogError::Late(tenant.clone()));
        }
        let manifest = Arc::new(assemble(&blocks, now));
        if !self.publish(tenant, &manifest, expected).await? {
            return Ok(None);
        }
        self.register(tenant).await?;
        let unreadable =
            blocks.into_iter().filter_map(|(path, _, block)| Some((path, block.err()?))).collect();
        Ok(Some(Rebuilt { manifest, made: true, unreadable, kept }))
    }

    async fn publish(
        &self,
        tenant: &Tenant,
        manifest: &Arc<Manifest>,
        expected: Option<Version>,
    ) -> Result<bool, CatalogError> {
        let path = manifest_path(tenant);
        match self.objects.swap(&path, manifest.encode().into(), expected.as_ref()).await {
            Ok(Swapped::Done(version)) => {
                self.remember(tenant, version, manifest);
                Ok(true)
            }
            Ok(Swapped::Conflict) | Err(StoreError::Failed { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Reads every block of a listing. A store that does not answer is an error: it says nothing of the blocks.
    async fn read_all(
        &self,
        tenant: &Tenant,
        found: &[objects::Found],
        read: &ReadEntry<'_>,
    ) -> Result<Vec<Seen>, CatalogError> {
        let mut waiting = Vec::new();
        for object in found {
            if let ObjectName::Block(id) = ObjectName::of(tenant, &object.path) {
                waiting.push(read_one(id, object, read).boxed());
            }
        }
        let mut blocks = Vec::new();
        let mut reads = futures_util::stream::iter(waiting).buffer_unordered(AT_A_TIME);
        while let Some(seen) = reads.next().await {
            blocks.extend(seen?);
        }
        blocks.sort_by_key(|(_, id, _)| *id);
        Ok(blocks)
    }

    /// Keeps a damaged manifest under another name.
    async fn keep(
        &self,
        tenant: &Tenant,
        found: &[objects::Found],
        bytes: bytes::Bytes,
    ) -> Result<String, CatalogError> {
        let numbers = found.iter().filter_map(|object| match ObjectName::of(tenant, &object.path) {
            ObjectName::Damaged(number) => Some(number),
            _ => None,
        });
        let path = damaged_path(tenant, numbers.max().unwrap_or(0).saturating_add(1));
        self.objects.put(&path, Upload::Bytes(bytes)).await?;
        Ok(path)
    }
}

/// A block of a listing: its path, its name, and what it says of itself or why it cannot be read.
type Seen = (String, BlockId, Result<ReadBlock, String>);

async fn read_one(
    id: BlockId,
    object: &objects::Found,
    read: &ReadEntry<'_>,
) -> Result<Option<Seen>, CatalogError> {
    let path = object.path.clone();
    let unreadable = match read(path.clone()).await {
        Ok(block) if block.entry.id == id && block.entry.bytes == object.bytes => {
            return Ok(Some((path, id, Ok(block))));
        }
        Ok(ReadBlock { entry, .. }) => {
            let BlockEntry { id: other, bytes, .. } = entry;
            format!("it says that it is block {other} of {bytes} bytes, and has {}", object.bytes)
        }
        Err(ReadError::Unreadable(reason)) => reason,
        Err(ReadError::Store(error @ StoreError::Damaged { .. })) => error.to_string(),
        // It was deleted since it was listed.
        Err(ReadError::Store(StoreError::Absent { .. })) => return Ok(None),
        Err(ReadError::Store(error)) => return Err(error.into()),
    };
    Ok(Some((path, id, Err(unreadable))))
}

/// The manifest of the blocks that were found.
fn assemble(found: &[Seen], now: u64) -> Manifest {
    let mut blocks = BTreeMap::new();
    let mut aside = Vec::new();
    for (_, id, block) in found {
        match block {
            Ok(block) => _ = blocks.insert(*id, block),
            Err(_) => aside.push(*id),
        }
    }
    let whole = |id: BlockId| siblings_before(id).all(|sibling| blocks.contains_key(&sibling));
    let believed = blocks.iter().filter(|(id, block)| !block.replaces.is_empty() && whole(**id));
    let replaced: std::collections::BTreeSet<BlockId> = believed
        .flat_map(|(id, block)| block.replaces.iter().copied().filter(move |replaced| replaced != id))
        .collect();
    let gone = blocks.iter().filter(|(id, _)| replaced.contains(id)).map(|(id, block)| Gone {
        id: *id,
        since: now,
        deleted: 0,
        bytes: block.entry.bytes,
        reason: Reason::Compacted,
    });
    Manifest {
        // Above whatever the lost one had counted to, so that versions ascend for good.
        version: now.max(1),
        gone: gone.collect(),
        blocks: blocks.values().map(|block| block.entry).filter(|e| !replaced.contains(&e.id)).collect(),
        aside,
    }
}

/// The outputs of the same work before this one: see [`plan::Job::output`](super::plan::Job::output).
fn siblings_before(id: BlockId) -> impl Iterator<Item = BlockId> {
    let place = id.number & 0xffff;
    (0..place).map(move |at| BlockId { number: id.number - place + at, ..id })
}
