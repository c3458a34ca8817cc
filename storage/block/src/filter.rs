//! Which trace ids may be in the block: a split-block Bloom filter, `docs/formats/block.md`, section "Filter".
//!
//! A block of 256 bits belongs to an id; one bit in each of its eight 32-bit lanes is set. With 12 bits an id about
//! one absent id in 200 passes.
//! Source: Putze, Sanders, Singler, "Cache-, hash- and space-efficient Bloom filters" (2007); the lane multipliers
//! are those of Apache Parquet's Bloom filter.

use std::ops::Range;
use std::sync::OnceLock;

use rkyv::{Archive, Serialize, rancor};
use spanloom_span::TraceId;
use xxhash_rust::xxh3::xxh3_64;

use crate::map::Map;

const BITS_PER_ID: usize = 12;
const LANES: usize = 8;
const BLOCK_BYTES: usize = LANES * 4;
const MULTIPLIERS: [u32; LANES] =
    [0x47b6_137b, 0x4497_4d91, 0x8824_ad5b, 0xa2b7_289d, 0x7054_95c7, 0x2df1_424b, 0x9efc_4947, 0x5c6b_fb31];

/// The archive: eight lanes a block.
#[derive(Archive, Serialize, Debug, Default)]
pub(crate) struct Filter {
    /// The lanes of all blocks.
    pub lanes: Vec<u32>,
}

impl Filter {
    /// A filter of the given ids.
    pub fn new(ids: &[TraceId]) -> Self {
        let blocks = (ids.len() * BITS_PER_ID).div_ceil(LANES * 32).max(1);
        let mut lanes = vec![0; blocks * LANES];
        for id in ids {
            let hash = xxh3_64(&id.0);
            let at = block_of(hash, blocks) * LANES;
            for (lane, bit) in lanes[at..at + LANES].iter_mut().zip(bits_of(hash)) {
                *lane |= bit;
            }
        }
        Self { lanes }
    }
}

/// A block's filter, read in place. It has a mapping of its own, so that asking thousands of blocks for an id
/// touches their filters' pages alone, and so that these stay when a block's other pages are given back.
pub(crate) struct FilterView {
    section: Map,
    sum: u64,
    /// Where the filter's blocks lie in the section; found at the first question, empty when they cannot be read.
    blocks: OnceLock<Range<usize>>,
}

impl FilterView {
    /// Takes a section whose checksum should be `sum`.
    pub fn new(section: Map, sum: u64) -> Self {
        Self { section, sum, blocks: OnceLock::new() }
    }

    /// Whether the id may be among those that the filter was made of. A filter that cannot be read excludes nothing.
    #[inline]
    pub fn may_contain(&self, id: &TraceId) -> bool {
        let bytes = self.section.bytes();
        let blocks = self.blocks.get_or_init(|| find_blocks(bytes, self.sum).unwrap_or_default());
        may_contain(bytes.get(blocks.clone()).unwrap_or_default().as_chunks().0, id)
    }
}

/// Checks the section and finds the filter's blocks in it.
fn find_blocks(section: &[u8], sum: u64) -> Option<Range<usize>> {
    if xxh3_64(section) != sum {
        return None;
    }
    let lanes = rkyv::access::<ArchivedFilter, rancor::Error>(section).ok()?.lanes.as_slice();
    let from = lanes.as_ptr().addr().checked_sub(section.as_ptr().addr())?;
    Some(from..from + size_of_val(lanes))
}

/// Whether the id may be among those that the filter was made of. A filter without blocks excludes nothing.
fn may_contain(blocks: &[[u8; BLOCK_BYTES]], id: &TraceId) -> bool {
    let hash = xxh3_64(&id.0);
    let Some(block) = blocks.get(block_of(hash, blocks.len())) else { return true };
    let lanes = block.as_chunks::<4>().0;
    lanes.iter().zip(bits_of(hash)).all(|(lane, bit)| u32::from_le_bytes(*lane) & bit != 0)
}

fn block_of(hash: u64, blocks: usize) -> usize {
    ((u128::from(hash >> 32) * blocks as u128) >> 32) as usize
}

fn bits_of(hash: u64) -> [u32; LANES] {
    MULTIPLIERS.map(|multiplier| 1 << ((hash as u32).wrapping_mul(multiplier) >> 27))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_id_passes_and_few_others_do() {
        for count in [0u64, 1, 10, 10_000] {
            let id = |i: u64| {
                let mut bytes = [0; 16];
                bytes[..8].copy_from_slice(&i.to_be_bytes());
                TraceId(bytes)
            };
            let ids: Vec<_> = (0..count).map(id).collect();
            let section = rkyv::to_bytes::<rancor::Error>(&Filter::new(&ids)).unwrap();
            let filter = FilterView::new(Map::copy(&section), xxh3_64(&section));
            assert!(ids.iter().all(|id| filter.may_contain(id)));
            let false_positives = (count..count + 10_000).filter(|&i| filter.may_contain(&id(i))).count();
            assert!(false_positives < 150, "{false_positives} of 10000 with {count} ids");
        }
    }

    #[test]
    fn a_filter_that_cannot_be_read_excludes_nothing() {
        let section = rkyv::to_bytes::<rancor::Error>(&Filter::new(&[TraceId([1; 16])])).unwrap();
        let absent = TraceId([2; 16]);
        let check = |section: &[u8], sum: u64, expected: bool| {
            let filter = FilterView::new(Map::copy(section), sum);
            assert_eq!([(); 2].map(|()| filter.may_contain(&absent)), [expected; 2], "{section:?}");
        };
        check(&section, xxh3_64(&section), false);
        check(&section, 7, true);
        for len in 0..section.len() {
            check(&section[..len], xxh3_64(&section), true);
        }
        for short in [&section[..0], &section[..5], &[0; 8]] {
            check(short, xxh3_64(short), true);
        }
    }
}
