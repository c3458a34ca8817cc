//! Which trace ids may be in the block: a split-block Bloom filter, `docs/formats/block.md`, section "Filter".
//!
//! A block of 256 bits belongs to an id; one bit in each of its eight 32-bit lanes is set. With 12 bits an id about
//! one absent id in 200 passes.
//! Source: Putze, Sanders, Singler, "Cache-, hash- and space-efficient Bloom filters" (2007); the lane multipliers
//! are those of Apache Parquet's Bloom filter.

use rkyv::rend::u32_le;
use rkyv::{Archive, Serialize};
use spanloom_span::TraceId;
use xxhash_rust::xxh3::xxh3_64;

const BITS_PER_ID: usize = 12;
const LANES: usize = 8;
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

/// Whether the id may be among those that the filter was made of. A filter without blocks excludes nothing.
pub(crate) fn may_contain(lanes: &[u32_le], id: &TraceId) -> bool {
    let blocks = lanes.len() / LANES;
    if blocks == 0 {
        return true;
    }
    let hash = xxh3_64(&id.0);
    let at = block_of(hash, blocks) * LANES;
    lanes[at..at + LANES].iter().zip(bits_of(hash)).all(|(lane, bit)| lane.to_native() & bit != 0)
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
            let lanes: Vec<u32_le> = Filter::new(&ids).lanes.into_iter().map(u32_le::from_native).collect();
            assert!(ids.iter().all(|id| may_contain(&lanes, id)));
            let false_positives = (count..count + 10_000).filter(|&i| may_contain(&lanes, &id(i))).count();
            assert!(false_positives < 150, "{false_positives} of 10000 with {count} ids");
        }
    }
}
