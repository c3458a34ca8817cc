//! What may be changed in a manifest, and which changes come too late.

use std::collections::BTreeMap;

use spanloom_block::BlockId;

use super::manifest::{BlockEntry, Gone, MAX_BLOCKS, Manifest, Reason};

/// A change of a manifest: all of it is made, or none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// Blocks to list. Their objects are in the store, whole.
    pub add: Vec<BlockEntry>,
    /// Listed blocks that go.
    pub remove: Vec<(BlockId, Reason)>,
    /// Blocks that were found in the store although nothing lists them, with their bytes. Those that are listed by now
    /// stay listed.
    pub bury: Vec<(BlockId, u64)>,
    /// Blocks that are gone and whose objects were deleted.
    pub deleted: Vec<BlockId>,
    /// Blocks that are gone, were deleted, and need not be remembered any more.
    pub forget: Vec<BlockId>,
}

/// Why a change cannot be made any more, or never could. The manifest is as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Stale {
    /// Another worker removed the block first.
    #[error("block {0} is not listed any more, expected to remove it")]
    Unlisted(BlockId),
    /// A block that is gone is never listed again.
    #[error("block {0} is gone ({1}), expected one that may be listed")]
    Gone(BlockId, Reason),
    /// A block of that name is listed, and it is another.
    #[error("block {0} is listed with other values than those to be listed")]
    Differs(BlockId),
    /// Only what is gone and deleted is forgotten.
    #[error("block {0} is not known to be deleted, expected to forget it")]
    NotDeleted(BlockId),
    /// The change names a block twice.
    #[error("the change names block {0} more than once")]
    Twice(BlockId),
    /// The metadata of the block lies outside of it.
    #[error("block {0} has its metadata from byte {1} on, expected that within its {2} bytes")]
    Tail(BlockId, u64, u64),
    /// The manifest has no room.
    #[error("the manifest would list {0} blocks, at most {MAX_BLOCKS} are possible")]
    Full(usize),
}

impl Manifest {
    /// The manifest after a change; with the same version if the change was made before, or changes nothing.
    ///
    /// A change that removes blocks is made only while all of them are listed, for what it adds holds their spans: had
    /// another worker replaced one of them already, these would be there twice, or be there again. A worker that did
    /// not hear whether its change was made may therefore try again.
    pub fn apply(&self, change: &Change, now: u64) -> Result<Self, Stale> {
        if let Some(twice) = change.twice() {
            return Err(Stale::Twice(twice));
        }
        let mut next = Lists::of(self);
        let replaced = self.replace(change, now, &mut next)?;
        let buried = self.bury(change, now, &mut next);
        let forgotten = self.forget(change, now, &mut next)?;
        if !(replaced || buried || forgotten) {
            return Ok(self.clone());
        }
        let most = next.blocks.len().max(next.gone.len());
        if most > MAX_BLOCKS {
            return Err(Stale::Full(most));
        }
        // What was aside and is listed now was put again by its maker.
        let aside = self.aside.iter().copied().filter(|id| !next.blocks.contains_key(id));
        Ok(Self {
            version: self.version + 1,
            aside: aside.collect(),
            blocks: next.blocks.into_values().collect(),
            gone: next.gone.into_values().collect(),
        })
    }

    /// Lists what is added and removes what goes. Yields whether that changes anything.
    fn replace(&self, change: &Change, now: u64, next: &mut Lists) -> Result<bool, Stale> {
        let mut fresh = false;
        for entry in &change.add {
            if entry.tail > entry.bytes {
                return Err(Stale::Tail(entry.id, entry.tail, entry.bytes));
            }
            if let Some(gone) = self.gone(entry.id) {
                return Err(Stale::Gone(entry.id, gone.reason));
            }
            match self.block(entry.id) {
                Some(listed) if listed != entry => return Err(Stale::Differs(entry.id)),
                Some(_) => {}
                None => fresh = true,
            }
            next.blocks.insert(entry.id, *entry);
        }
        let done =
            |(id, reason): &&(BlockId, Reason)| self.gone(*id).is_some_and(|gone| gone.reason == *reason);
        if !fresh && change.remove.iter().all(|removed| done(&removed)) {
            return Ok(false);
        }
        for (id, reason) in &change.remove {
            let entry = self.block(*id).ok_or(Stale::Unlisted(*id))?;
            next.blocks.remove(id);
            let gone = Gone { id: *id, since: now, deleted: 0, bytes: entry.bytes, reason: *reason };
            next.gone.insert(*id, gone);
        }
        Ok(true)
    }

    fn bury(&self, change: &Change, now: u64, next: &mut Lists) -> bool {
        let known = |id: BlockId| self.block(id).is_some() || self.gone(id).is_some() || self.is_aside(id);
        let mut any = false;
        for (id, bytes) in change.bury.iter().filter(|(id, _)| !known(*id)) {
            any = true;
            let gone = Gone { id: *id, since: now, deleted: 0, bytes: *bytes, reason: Reason::Orphaned };
            next.gone.insert(*id, gone);
        }
        any
    }

    fn forget(&self, change: &Change, now: u64, next: &mut Lists) -> Result<bool, Stale> {
        let mut any = false;
        for id in &change.deleted {
            if let Some(gone) = next.gone.get_mut(id).filter(|gone| gone.deleted == 0) {
                any = true;
                gone.deleted = now.max(gone.since).max(1);
            }
        }
        for id in &change.forget {
            match self.gone(*id) {
                Some(gone) if gone.deleted != 0 => any |= next.gone.remove(id).is_some(),
                None if self.block(*id).is_none() => {}
                _ => return Err(Stale::NotDeleted(*id)),
            }
        }
        Ok(any)
    }
}

impl Change {
    /// A block that is named more than once.
    fn twice(&self) -> Option<BlockId> {
        let mut ids: Vec<BlockId> = self.add.iter().map(|entry| entry.id).collect();
        ids.extend(self.remove.iter().map(|(id, _)| *id));
        ids.extend(self.bury.iter().map(|(id, _)| *id));
        ids.extend(self.deleted.iter().chain(&self.forget));
        ids.sort_unstable();
        ids.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
    }
}

/// The lists of a manifest while they are changed.
struct Lists {
    blocks: BTreeMap<BlockId, BlockEntry>,
    gone: BTreeMap<BlockId, Gone>,
}

impl Lists {
    fn of(manifest: &Manifest) -> Self {
        Self {
            blocks: manifest.blocks.iter().map(|entry| (entry.id, *entry)).collect(),
            gone: manifest.gone.iter().map(|gone| (gone.id, *gone)).collect(),
        }
    }
}

#[cfg(test)]
#[path = "change_tests.rs"]
mod tests;
