//! Shapes: which columns a row has values in, and in which order. `docs/formats/block.md`, section "Shapes".
//!
//! A row's shape is one code. It lists the row's attributes in the sender's order (a key that comes twice is listed
//! twice) and the rare fields that it has; for a span it begins with kind, status code and flags. So rare fields
//! cost nothing where they are absent, and the presence of a column is read off the shapes.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use rkyv::rend::u32_le;
use rkyv::{Archive, Serialize};

/// The archive: the shapes of a table, one after the other.
#[derive(Archive, Serialize, Debug, Default)]
pub(crate) struct Shapes {
    /// End of each shape in `items`.
    pub ends: Vec<u32>,
    /// The shapes' items.
    pub items: Vec<u32>,
}

/// Collects the distinct shapes of a table.
#[derive(Default)]
pub(crate) struct ShapeSet {
    /// The shapes so far.
    pub shapes: Shapes,
    codes: HashTable<u32>,
    hasher: RandomState,
    last: u32,
}

impl ShapeSet {
    /// The code of a shape; `None` when there are too many.
    pub fn code(&mut self, shape: &[u32]) -> Option<u32> {
        let Self { shapes, codes, hasher, last } = self;
        if !shapes.ends.is_empty() && get(shapes, *last) == shape {
            return Some(*last);
        }
        let hash = hasher.hash_one(shape);
        if let Some(&code) = codes.find(hash, |&code| get(shapes, code) == shape) {
            *last = code;
            return Some(code);
        }
        let code = u32::try_from(shapes.ends.len()).ok()?;
        shapes.items.extend_from_slice(shape);
        shapes.ends.push(u32::try_from(shapes.items.len()).ok()?);
        codes.insert_unique(hash, code, |&code| hasher.hash_one(get(shapes, code)));
        *last = code;
        Some(code)
    }

    /// What this takes in memory, about.
    pub fn held_bytes(&self) -> usize {
        self.shapes.items.len() * 4 + self.shapes.ends.len() * 12
    }

    /// The items of a shape.
    pub fn get(&self, code: u32) -> &[u32] {
        get(&self.shapes, code)
    }
}

fn get(shapes: &Shapes, code: u32) -> &[u32] {
    let code = code as usize;
    let from = if code == 0 { 0 } else { shapes.ends[code - 1] as usize };
    &shapes.items[from..shapes.ends[code] as usize]
}

/// Shapes, read in place.
#[derive(Clone, Copy)]
pub(crate) struct ShapesView<'a> {
    ends: &'a [u32_le],
    items: &'a [u32_le],
}

impl<'a> ShapesView<'a> {
    /// Takes an archive.
    pub fn new(archive: &'a ArchivedShapes) -> Self {
        Self { ends: archive.ends.as_slice(), items: archive.items.as_slice() }
    }

    /// How many shapes.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// The items of a shape.
    pub fn get(&self, code: u64) -> Option<&'a [u32_le]> {
        let code = usize::try_from(code).ok()?;
        let from = if code == 0 { 0 } else { self.ends.get(code - 1)?.to_native() as usize };
        self.items.get(from..self.ends.get(code)?.to_native() as usize)
    }
}
