//! The trace that is being pushed: its span ids, to find duplicates and parents, and its row in the trace table.

use std::cell::Cell;
use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use crate::columns::zigzag;
use crate::digest;
use crate::writer::scope::ScopeRow;

/// Up to this many spans a list is searched; beyond it a table of hashes.
const MAX_LISTED: usize = 24;

/// The parent of a span, until the whole trace is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ParentLink {
    /// None, or one that is no span id and is kept as bytes.
    None,
    /// A span id.
    Id(u64),
}

/// The spans of one trace so far.
#[derive(Default)]
pub(crate) struct OpenTrace {
    ids: Vec<u64>,
    kinds: Vec<i32>,
    parents: Vec<ParentLink>,
    by_id: HashTable<u32>,
    hasher: RandomState,
    orphans: Vec<u64>,
    pub start: u64,
    pub end: u64,
    pub errors: u64,
    /// Of the roots the first in the order of spans (start, span id, kind), and its place.
    root: Option<((u64, u64, i32), u64)>,
    /// Whether two spans share an id.
    pub has_shared_id: bool,
    /// Which spans there are: see [`crate::digest`].
    pub digest: u32,
    /// Scope of the span before.
    pub scope: Option<ScopeRow>,
}

impl OpenTrace {
    /// Forgets the trace before.
    pub fn clear(&mut self) {
        self.ids.clear();
        self.kinds.clear();
        self.parents.clear();
        self.by_id.clear();
        self.orphans.clear();
        (self.start, self.end, self.errors, self.root) = (u64::MAX, 0, 0, None);
        (self.scope, self.has_shared_id, self.digest) = (None, false, 0);
    }

    /// How many spans.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Adds a span; false when one with the same id and kind is there.
    pub fn add(&mut self, id: u64, kind: i32, parent: ParentLink) -> bool {
        let is_shared = Cell::new(false);
        let is_same = |row: usize| {
            let same = self.kinds[row] == kind;
            is_shared.set(is_shared.get() || !same);
            same
        };
        if self.find(id, is_same).is_some() {
            return false;
        }
        self.has_shared_id |= is_shared.get();
        self.digest = self.digest.wrapping_add(digest::of_span(id, kind));
        let row = self.ids.len() as u32;
        self.ids.push(id);
        self.kinds.push(kind);
        self.parents.push(parent);
        let Self { ids, by_id, hasher, .. } = self;
        if ids.len() > MAX_LISTED {
            let from = if by_id.is_empty() { 0 } else { row };
            for row in from..=row {
                let hash = hasher.hash_one(ids[row as usize]);
                by_id.insert_unique(hash, row, |&row| hasher.hash_one(ids[row as usize]));
            }
        }
        true
    }

    /// Notes that the span that was added last is a root.
    pub fn add_root(&mut self, start: u64) {
        let Some(row) = self.ids.len().checked_sub(1) else { return };
        let place = (start, self.ids[row], self.kinds[row]);
        if self.root.is_none_or(|(first, _)| place < first) {
            self.root = Some((place, row as u64));
        }
    }

    /// Place of the trace's root.
    pub fn root(&self) -> Option<u64> {
        self.root.map(|(_, row)| row)
    }

    fn find(&self, id: u64, fits: impl Fn(usize) -> bool) -> Option<usize> {
        if self.by_id.is_empty() {
            return (0..self.ids.len()).find(|&row| self.ids[row] == id && fits(row));
        }
        let is_it = |&row: &u32| self.ids[row as usize] == id && fits(row as usize);
        self.by_id.find(self.hasher.hash_one(id), is_it).map(|&row| row as usize)
    }

    /// Writes each span's parent as a code: 0 none; odd the distance in rows; even an orphan's number.
    /// Gives the ids of the parents that are not in the trace.
    pub fn link(&mut self, codes: &mut Vec<u64>) -> &[u64] {
        for row in 0..self.ids.len() {
            codes.push(match self.parents[row] {
                ParentLink::None => 0,
                ParentLink::Id(id) => match self.find(id, |_| true) {
                    Some(parent) => 1 + 2 * zigzag(row as i64 - parent as i64),
                    None => 2 + 2 * self.orphan(id),
                },
            });
        }
        &self.orphans
    }

    /// The ids of the parents that are not in the trace, once it was linked.
    pub fn orphans(&self) -> &[u64] {
        &self.orphans
    }

    fn orphan(&mut self, id: u64) -> u64 {
        let recent = self.orphans.len().saturating_sub(MAX_LISTED);
        if let Some(place) = self.orphans[recent..].iter().position(|&orphan| orphan == id) {
            return (recent + place) as u64;
        }
        self.orphans.push(id);
        (self.orphans.len() - 1) as u64
    }
}
