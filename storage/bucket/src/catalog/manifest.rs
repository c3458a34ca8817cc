//! The manifest: which blocks a tenant has, and which it had until lately. `docs/formats/manifest.md`.

use std::fmt;

use spanloom_block::{BlockId, BlockMeta};

/// Most blocks that a manifest lists, has gone or has aside; each. A decoded manifest takes at most some 100 MB.
pub const MAX_BLOCKS: usize = 1 << 20;

/// Which blocks a tenant has.
///
/// A block is in one of the lists at most. It leaves the store in steps: from `blocks` to `gone`, where readers find it
/// no longer; after a while its object is deleted, and the entry says so; after another while the entry is forgotten.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Manifest {
    /// Ascends with every change; 0 for a tenant that never had a block.
    pub version: u64,
    /// The blocks that readers read, ascending by id.
    pub blocks: Vec<BlockEntry>,
    /// Blocks whose objects may still be there, ascending by id. None of them may be listed again.
    pub gone: Vec<Gone>,
    /// Blocks that could not be read when the manifest was made anew, ascending. Nobody reads them, nobody deletes them.
    pub aside: Vec<BlockId>,
}

/// What the manifest says of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockEntry {
    /// Its name.
    pub id: BlockId,
    /// Length of its object.
    pub bytes: u64,
    /// Offset in the object from which all of its metadata lies.
    pub tail: u64,
    /// How many traces.
    pub traces: u64,
    /// How many spans.
    pub spans: u64,
    /// Bytes that the spans had as OTLP.
    pub raw_bytes: u64,
    /// Before every start of a span, or at it; nanoseconds since 1970.
    pub min_start: u64,
    /// After every end of a span, or at it; nanoseconds since 1970.
    pub max_end: u64,
    /// How often its spans were rewritten at most.
    pub level: u32,
}

/// Times of an entry are rounded to this, outwards: finer ones would take 5 bytes more and skip no more blocks.
const ROUND_NS: u64 = 1_000_000;

impl BlockEntry {
    /// The entry of a block; the same whoever makes it.
    pub fn new(id: BlockId, meta: &BlockMeta) -> Self {
        let up = meta.max_end.checked_next_multiple_of(ROUND_NS).unwrap_or(u64::MAX);
        Self {
            id,
            bytes: meta.file_bytes,
            tail: meta.tail,
            traces: meta.traces,
            spans: meta.spans,
            raw_bytes: meta.raw_bytes,
            min_start: meta.min_start - meta.min_start % ROUND_NS,
            max_end: up,
            level: meta.level,
        }
    }

    /// When its newest span ended, as far as that can be: a span that claims to end after the block was made does not
    /// keep it young.
    pub fn newest(&self) -> u64 {
        self.max_end.min(self.id.created)
    }
}

/// A block that is listed no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gone {
    /// Its name.
    pub id: BlockId,
    /// Since when, in nanoseconds since 1970.
    pub since: u64,
    /// When its object was deleted, not before `since`; 0 when that was not done yet.
    pub deleted: u64,
    /// Length of its object.
    pub bytes: u64,
    /// Why.
    pub reason: Reason,
}

/// Why a block is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Its spans are in other blocks now.
    Compacted,
    /// Its spans but those that had to go are in other blocks now.
    Redacted,
    /// It had nothing but spans that had to go; no block took its place.
    Emptied,
    /// It was uploaded but never listed.
    Orphaned,
    /// It was removed with all of its spans.
    Retired(RetiredBy),
}

/// Which limit retired a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RetiredBy {
    /// Its spans are too old.
    Age,
    /// The tenant has too many bytes.
    Bytes,
    /// The disk is too full.
    Disk,
}

impl RetiredBy {
    /// What the limit is of.
    pub fn name(self) -> &'static str {
        match self {
            Self::Age => "age",
            Self::Bytes => "bytes",
            Self::Disk => "disk",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Compacted => "compacted",
            Self::Redacted => "redacted",
            Self::Emptied => "emptied",
            Self::Orphaned => "orphaned",
            Self::Retired(by) => return f.pad(&format!("retired by {}", by.name())),
        })
    }
}

impl Manifest {
    /// The entry of a listed block.
    pub fn block(&self, id: BlockId) -> Option<&BlockEntry> {
        self.blocks.binary_search_by_key(&id, |entry| entry.id).ok().map(|at| &self.blocks[at])
    }

    /// What is known of a block that is gone.
    pub fn gone(&self, id: BlockId) -> Option<&Gone> {
        self.gone.binary_search_by_key(&id, |gone| gone.id).ok().map(|at| &self.gone[at])
    }

    /// Whether it is a block that could not be read.
    pub fn is_aside(&self, id: BlockId) -> bool {
        self.aside.binary_search(&id).is_ok()
    }

    /// Bytes of all listed blocks.
    pub fn bytes(&self) -> u64 {
        self.blocks.iter().fold(0, |sum, entry| sum.saturating_add(entry.bytes))
    }

    /// Bytes of objects that are gone but not deleted yet: they will be free before long.
    pub fn bytes_to_delete(&self) -> u64 {
        let there = self.gone.iter().filter(|gone| gone.deleted == 0);
        there.fold(0, |sum, gone| sum.saturating_add(gone.bytes))
    }
}
