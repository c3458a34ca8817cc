//! Distinct byte strings, numbered in order of first appearance. Each is hashed once; the bytes lie in one arena.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

/// Distinct byte strings and their numbers.
#[derive(Default)]
pub(crate) struct Interner {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    numbers: HashTable<u32>,
    hasher: RandomState,
}

impl Interner {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Bytes of all together.
    pub fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    /// What this takes in memory, about.
    pub fn held_bytes(&self) -> usize {
        const OF_AN_ENTRY: usize = size_of::<usize>() + 2 * size_of::<u32>();
        self.bytes.len() + self.ends.len() * OF_AN_ENTRY
    }

    /// The bytes of a number.
    #[inline]
    pub fn get(&self, number: u32) -> &[u8] {
        get(&self.bytes, &self.ends, number)
    }

    /// The number of `value`, and whether it is new.
    #[inline]
    pub fn intern(&mut self, value: &[u8]) -> (u32, bool) {
        let Self { bytes, ends, numbers, hasher } = self;
        let hash = hasher.hash_one(value);
        if let Some(&number) = numbers.find(hash, |&number| get(bytes, ends, number) == value) {
            return (number, false);
        }
        let number = ends.len() as u32;
        bytes.extend_from_slice(value);
        ends.push(bytes.len());
        numbers.insert_unique(hash, number, |&number| hasher.hash_one(get(bytes, ends, number)));
        (number, true)
    }

    /// All bytes, one string after the other, and the length of each.
    pub fn parts(&self) -> (&[u8], Vec<u32>) {
        let mut from = 0;
        let lens = self.ends.iter().map(|&end| {
            let len = (end - from) as u32;
            from = end;
            len
        });
        (&self.bytes, lens.collect())
    }
}

#[inline]
fn get<'a>(bytes: &'a [u8], ends: &[usize], number: u32) -> &'a [u8] {
    let number = number as usize;
    let from = if number == 0 { 0 } else { ends[number - 1] };
    &bytes[from..ends[number]]
}
