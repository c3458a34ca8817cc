//! Which blocks are removed with all of their spans.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use spanloom_block::BlockId;

use super::show::{Bytes, Time};
use crate::catalog::manifest::{BlockEntry, Manifest, Reason, RetiredBy};
use crate::catalog::store::after;

/// How much of a tenant's spans is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RetentionRules {
    /// For how long, from when a block was sealed on; of one that was made from others, the newest of them. Not from the
    /// times of its spans: what comes late, or from a sender whose clock is wrong, is kept as long as all else.
    pub max_age: Option<Duration>,
    /// How many bytes of blocks.
    pub max_bytes: Option<u64>,
    /// How many bytes of the disk stay free.
    pub min_free_disk: Option<u64>,
}

/// A block that is to be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retired {
    /// Which block.
    pub id: BlockId,
    /// By which limit.
    pub by: RetiredBy,
    /// Its bytes.
    pub bytes: u64,
    /// When it was sealed.
    pub sealed: u64,
}

impl Retired {
    fn new(entry: &BlockEntry, by: RetiredBy) -> Self {
        Self { id: entry.id, by, bytes: entry.bytes, sealed: entry.id.created }
    }

    /// As a change names it.
    pub fn removed(&self) -> (BlockId, Reason) {
        (self.id, Reason::Retired(self.by))
    }
}

impl fmt::Display for Retired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = self.by.name();
        write!(f, "retire by {by} {} of {}, {}", self.id, Time(self.sealed), Bytes(self.bytes))
    }
}

/// The blocks of a tenant to remove: those that are too old, then the oldest until the others keep to the limits.
///
/// `free` is how many bytes of the disk are free. Blocks that are gone and will be deleted count as free, so that a
/// second call before that does not remove as much again. For the disk that several tenants share, see [`free_disk`].
pub fn retention(manifest: &Manifest, now: u64, rules: &RetentionRules, free: Option<u64>) -> Vec<Retired> {
    let mut blocks: Vec<&BlockEntry> = manifest.blocks.iter().collect();
    blocks.sort_unstable_by_key(|entry| entry.id);
    let mut retired = Vec::new();
    if let Some(age) = rules.max_age {
        let old = blocks.partition_point(|entry| after(entry.id.created, age) <= now);
        retired.extend(blocks.drain(..old).map(|entry| Retired::new(entry, RetiredBy::Age)));
    }
    if let Some(most) = rules.max_bytes {
        let mut bytes = blocks.iter().fold(0u64, |sum, entry| sum.saturating_add(entry.bytes));
        let excess = blocks.iter().take_while(|entry| {
            let over = bytes > most;
            bytes = bytes.saturating_sub(entry.bytes);
            over
        });
        let excess = excess.count();
        retired.extend(blocks.drain(..excess).map(|entry| Retired::new(entry, RetiredBy::Bytes)));
    }
    if let (Some(free), Some(least)) = (free, rules.min_free_disk) {
        let soon = retired.iter().fold(manifest.bytes_to_delete(), |sum, r| sum.saturating_add(r.bytes));
        let short = least.saturating_sub(free.saturating_add(soon));
        retired.extend(oldest(blocks.into_iter(), short).map(|entry| Retired::new(entry, RetiredBy::Disk)));
    }
    retired
}

/// The oldest blocks of all tenants whose bytes the disk needs, each with the place of its manifest.
pub fn free_disk(manifests: &[&Manifest], free: u64, min_free_disk: u64) -> Vec<(usize, Retired)> {
    let soon = manifests.iter().fold(free, |sum, manifest| sum.saturating_add(manifest.bytes_to_delete()));
    let of = |(at, manifest): (usize, &&Manifest)| -> Vec<(u64, BlockId, usize)> {
        manifest.blocks.iter().map(|entry| (entry.id.created, entry.id, at)).collect()
    };
    let all: BTreeSet<(u64, BlockId, usize)> = manifests.iter().enumerate().flat_map(of).collect();
    let mut short = min_free_disk.saturating_sub(soon);
    let mut retired = Vec::new();
    for (_, id, at) in all {
        if short == 0 {
            break;
        }
        if let Some(entry) = manifests[at].block(id) {
            short = short.saturating_sub(entry.bytes);
            retired.push((at, Retired::new(entry, RetiredBy::Disk)));
        }
    }
    retired
}

/// The first blocks that have so many bytes together.
fn oldest<'a>(
    blocks: impl Iterator<Item = &'a BlockEntry>,
    mut bytes: u64,
) -> impl Iterator<Item = &'a BlockEntry> {
    blocks.take_while(move |entry| {
        let needed = bytes > 0;
        bytes = bytes.saturating_sub(entry.bytes);
        needed
    })
}
