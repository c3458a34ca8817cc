//! Bit-packed integers that are read in place: `docs/formats/block.md`, section "Packed integers".
//!
//! The values stand in mini blocks of a power of two. A mini block has a base (its least value) and a width; the
//! differences to the base are packed with that width, least significant bit first, from a fresh 64-bit word on.
//! Any value is found by one multiplication, so readers never inflate anything. Before packing every value is
//! divided by a common divisor (`scale`): timestamps in whole microseconds cost what microseconds cost.

mod bulk;

use rkyv::rend::{u32_le, u64_le};
use rkyv::{Archive, Serialize};

/// Mini block sizes that a writer tries, as powers of two.
const SHIFTS: [u8; 3] = [7, 9, 11];

/// Powers of two that a reader accepts. A mini block of at least 64 values is what reading in bulk builds on.
const ACCEPTED_SHIFTS: std::ops::RangeInclusive<u8> = 7..=11;

/// The archive.
#[derive(Archive, Serialize, Debug, Default)]
pub(crate) struct Packed {
    /// How many values.
    pub len: u64,
    /// What every value is multiplied with.
    pub scale: u64,
    /// Values in a mini block, as power of two.
    pub shift: u8,
    /// Bits of a value, per mini block.
    pub widths: Vec<u8>,
    /// First word, per mini block.
    pub starts: Vec<u32>,
    /// Least value, per mini block.
    pub bases: Vec<u64>,
    /// The packed bits.
    pub words: Vec<u64>,
}

/// Bits needed for `value`.
pub(crate) fn width_of(value: u64) -> u8 {
    (64 - value.leading_zeros()) as u8
}

/// Bytes of a packed section's fixed part, for estimates.
pub(crate) const PACKED_OVERHEAD: usize = 64;

/// Packs values, with the mini block size that gives the fewest bytes.
pub(crate) fn pack(values: &[u64]) -> Packed {
    let scale = common_divisor(values);
    let smallest = 1usize << SHIFTS[0];
    let ranges: Vec<(u64, u64)> = values.chunks(smallest).map(|chunk| range_of(chunk, scale)).collect();
    let cost = |shift: u8| -> usize {
        let size = 1usize << shift;
        let merged = ranges.chunks(size / smallest);
        merged.map(|r| 13 + width_of(span_of(r).1) as usize * (size / 8)).sum()
    };
    let shift = SHIFTS.into_iter().min_by_key(|&shift| cost(shift)).unwrap_or(SHIFTS[0]);
    let mut out = Packed { len: values.len() as u64, scale, shift, ..Packed::default() };
    let size = 1usize << shift;
    for (chunk, ranges) in values.chunks(size).zip(ranges.chunks(size / smallest)) {
        let (base, span) = span_of(ranges);
        out.widths.push(width_of(span));
        out.starts.push(out.words.len() as u32);
        out.bases.push(base);
        put_bits(&mut out.words, chunk, base, scale, width_of(span));
    }
    out
}

fn range_of(chunk: &[u64], scale: u64) -> (u64, u64) {
    let (mut least, mut most) = (u64::MAX, 0);
    for &value in chunk {
        least = least.min(value);
        most = most.max(value);
    }
    (least / scale, most / scale)
}

/// Base and span of neighbouring ranges together.
fn span_of(ranges: &[(u64, u64)]) -> (u64, u64) {
    let least = ranges.iter().map(|r| r.0).min().unwrap_or(0);
    let most = ranges.iter().map(|r| r.1).max().unwrap_or(0);
    (least, most - least)
}

/// The greatest common divisor of all values, at least 1.
fn common_divisor(values: &[u64]) -> u64 {
    let mut divisor = 0u64;
    for &value in values {
        if divisor != 0 && value.is_multiple_of(divisor) {
            continue;
        }
        let (mut a, mut b) = (value, divisor);
        while b != 0 {
            (a, b) = (b, a % b);
        }
        divisor = a;
        if divisor == 1 {
            break;
        }
    }
    divisor.max(1)
}

fn put_bits(words: &mut Vec<u64>, chunk: &[u64], base: u64, scale: u64, width: u8) {
    if width == 0 {
        return;
    }
    let (mut word, mut filled) = (0u64, 0u32);
    for &value in chunk {
        let bits = if scale == 1 { value } else { value / scale } - base;
        word |= bits << filled;
        let used = filled + u32::from(width);
        if used >= 64 {
            words.push(word);
            let taken = 64 - filled;
            word = if taken == 64 { 0 } else { bits >> taken };
            filled = used - 64;
            if filled == 0 {
                word = 0;
            }
        } else {
            filled = used;
        }
    }
    if filled > 0 {
        words.push(word);
    }
}

/// A packed section, read in place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PackedView<'a> {
    len: u64,
    scale: u64,
    shift: u8,
    widths: &'a [u8],
    starts: &'a [u32_le],
    bases: &'a [u64_le],
    words: &'a [u64_le],
}

impl<'a> PackedView<'a> {
    /// Takes an archive; `None` when its parts do not fit each other.
    pub fn new(archive: &'a ArchivedPacked) -> Option<Self> {
        let (len, shift) = (archive.len.to_native(), archive.shift);
        if !ACCEPTED_SHIFTS.contains(&shift) || archive.scale == 0 {
            return None;
        }
        let blocks = len.div_ceil(1 << shift);
        let view = Self {
            len,
            scale: archive.scale.to_native(),
            shift,
            widths: archive.widths.as_slice(),
            starts: archive.starts.as_slice(),
            bases: archive.bases.as_slice(),
            words: archive.words.as_slice(),
        };
        let fits =
            [view.widths.len(), view.starts.len(), view.bases.len()].iter().all(|&l| l as u64 == blocks);
        fits.then_some(view)
    }

    /// How many values.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// The value at `at`; `None` past the end, or when the bits lie outside of the words.
    #[inline]
    pub fn get(&self, at: u64) -> Option<u64> {
        if at >= self.len {
            return None;
        }
        let block = (at >> self.shift) as usize;
        let width = u64::from(*self.widths.get(block)?);
        let base = self.bases.get(block)?.to_native();
        if width == 0 {
            return Some(base.wrapping_mul(self.scale));
        }
        if width > 64 {
            return None;
        }
        let bit = (at & ((1 << self.shift) - 1)) * width;
        let word = (self.starts.get(block)?.to_native() as usize).checked_add((bit / 64) as usize)?;
        let from = bit % 64;
        let mut bits = self.words.get(word)?.to_native() >> from;
        if from + width > 64 {
            bits |= self.words.get(word + 1)?.to_native() << (64 - from);
        }
        let bits = bits & (u64::MAX >> (64 - width));
        Some(base.wrapping_add(bits).wrapping_mul(self.scale))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(values: &[u64]) {
        let bytes = rkyv::to_bytes::<rkyv::rancor::Error>(&pack(values)).unwrap();
        let archive = rkyv::access::<ArchivedPacked, rkyv::rancor::Error>(&bytes).unwrap();
        let view = PackedView::new(archive).unwrap();
        let got: Vec<u64> = (0..view.len()).map(|at| view.get(at).unwrap()).collect();
        assert_eq!(got, values);
        assert_eq!(view.get(view.len()), None);
    }

    #[test]
    fn edges_are_packed() {
        check(&[]);
        check(&[0]);
        check(&[u64::MAX]);
        check(&[0, u64::MAX, 1]);
        check(&vec![7; 5000]);
        check(&(0..3000).map(|i| i * 1000 + 5000).collect::<Vec<_>>());
        check(&(0..3000u64).map(|i| i.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect::<Vec<_>>());
    }

    proptest! {
        #[test]
        fn any_values_are_packed(width in 0u32..64, values in proptest::collection::vec(any::<u64>(), 0..600)) {
            check(&values.iter().map(|v| v >> width).collect::<Vec<_>>());
        }
    }
}
