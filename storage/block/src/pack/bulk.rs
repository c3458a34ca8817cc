//! Packed integers in bulk: unpacked 64 at a time, or only compared.
//!
//! 64 values of `w` bits fill `w` words, so a run of 64 begins at a fresh word and its code is made once for each
//! width, with constant shifts. What is compared alone is compared before the base is added, and a mini block whose
//! base and width say enough is not unpacked at all.

use rkyv::rend::u64_le;

use super::PackedView;
use crate::search::bits::Bits;

/// Values of a run.
const RUN: usize = 64;

/// What a run is unpacked into.
trait Lane: Copy + Default + PartialOrd {
    /// The low bits.
    fn of(bits: u64) -> Self;
    /// The distance to a lesser value; wraps.
    fn minus(self, other: Self) -> Self;
}

impl Lane for u32 {
    #[inline(always)]
    fn of(bits: u64) -> Self {
        bits as u32
    }
    #[inline(always)]
    fn minus(self, other: Self) -> Self {
        self.wrapping_sub(other)
    }
}

impl Lane for u64 {
    #[inline(always)]
    fn of(bits: u64) -> Self {
        bits
    }
    #[inline(always)]
    fn minus(self, other: Self) -> Self {
        self.wrapping_sub(other)
    }
}

/// Unpacks a run of values of `W` bits. Written out, so that every shift is a constant.
#[inline]
fn unpack_run<const W: usize, T: Lane>(words: &[u64_le; W], out: &mut [T; RUN]) {
    macro_rules! values {
        ($($at:literal)*) => {$(
            let (word, from) = ($at * W / 64, $at * W % 64);
            let mut bits = words[word].to_native() >> from;
            if from + W > 64 {
                bits |= words[word + 1].to_native() << (64 - from);
            }
            out[$at] = T::of(bits & (u64::MAX >> (64 - W)));
        )*};
    }
    values!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31
            32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63);
}

/// Unpacks a run whose words are the first of `words`; `None` when there are too few of them.
fn unpack_width<T: Lane>(width: u8, words: &[u64_le], count: usize, out: &mut [T; RUN]) -> Option<()> {
    let needed = (count * width as usize).div_ceil(64);
    let mut padded = [u64_le::from_native(0); RUN];
    let words = if words.len() < width as usize {
        padded.get_mut(..needed)?.copy_from_slice(words.get(..needed)?);
        &padded[..]
    } else {
        words
    };
    macro_rules! widths {
        ($($w:literal)*) => {
            match width {
                0 => out.fill(T::default()),
                $($w => unpack_run::<$w, T>(words.first_chunk()?, out),)*
                _ => return None,
            }
        };
    }
    widths!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32
            33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63 64);
    Some(())
}

/// A mini block.
struct Mini<'a> {
    /// Number of its first value.
    first: usize,
    count: usize,
    width: u8,
    base: u64,
    words: &'a [u64_le],
}

impl<'a> Mini<'a> {
    /// Shows its values, without the base, in runs: the number of a run's first value, and the run.
    #[inline]
    fn runs<T: Lane>(&self, mut see: impl FnMut(usize, &[T])) -> Option<()> {
        let mut run = [T::default(); RUN];
        let mut at = 0;
        while at < self.count {
            let count = RUN.min(self.count - at);
            let words = self.words.get(at / RUN * self.width as usize..)?;
            unpack_width(self.width, words, count, &mut run)?;
            see(self.first + at, &run[..count]);
            at += count;
        }
        Some(())
    }

    /// The greatest value that its width allows, without the base.
    fn mask(&self) -> u64 {
        if self.width == 0 { 0 } else { u64::MAX >> (64 - self.width.min(64)) }
    }

    fn select<T: Lane>(&self, low: u64, high: u64, out: &mut Bits) -> Option<()> {
        let (low, span) = (T::of(low), T::of(high - low));
        self.runs::<T>(|first, run| {
            let mut any = false;
            for value in run {
                any |= value.minus(low) <= span;
            }
            if any {
                let mut word = 0;
                for (at, value) in run.iter().enumerate() {
                    word |= u64::from(value.minus(low) <= span) << at;
                }
                out.add_word(first / RUN, word);
            }
        })
    }
}

impl<'a> PackedView<'a> {
    fn mini(&self, block: usize) -> Option<Mini<'a>> {
        let first = block << self.shift;
        let count = (self.len as usize).checked_sub(first)?.min(1 << self.shift);
        let width = *self.widths.get(block)?;
        let start = self.starts.get(block)?.to_native() as usize;
        let words = if width == 0 { &[] } else { self.words.get(start..)? };
        Some(Mini { first, count, width, base: self.bases.get(block)?.to_native(), words })
    }

    fn minis(&self) -> impl Iterator<Item = Option<Mini<'a>>> + '_ {
        (0..self.widths.len()).map(|block| self.mini(block))
    }

    /// Shows all values in runs of up to 64: the number of the first, and the values. `None` when the bits lie
    /// outside of the words.
    #[inline]
    pub fn runs(&self, mut see: impl FnMut(usize, &[u64])) -> Option<()> {
        for mini in self.minis() {
            let mini = mini?;
            let mut values = [0; RUN];
            mini.runs::<u64>(|first, run| {
                for (value, bits) in values.iter_mut().zip(run) {
                    *value = mini.base.wrapping_add(*bits).wrapping_mul(self.scale);
                }
                see(first, &values[..run.len()]);
            })?;
        }
        Some(())
    }

    /// Unpacks the values from `from` on into the whole of `out`; `None` when there are fewer.
    pub fn unpack(&self, from: u64, out: &mut [u64]) -> Option<()> {
        let end = from.checked_add(out.len() as u64).filter(|&end| end <= self.len)?;
        let (from, end) = (usize::try_from(from).ok()?, usize::try_from(end).ok()?);
        let mut block = from >> self.shift;
        while (block << self.shift) < end {
            let mini = self.mini(block)?;
            let skipped = from.saturating_sub(mini.first) / RUN * RUN;
            let part = Mini {
                first: mini.first + skipped,
                count: (end - mini.first).min(mini.count) - skipped,
                words: mini.words.get(skipped / RUN * mini.width as usize..)?,
                ..mini
            };
            part.runs::<u64>(|first, run| {
                // Of the first run some come before what is asked for.
                let before = from.saturating_sub(first).min(run.len());
                let run = &run[before..];
                let to = first + before - from;
                if let Some(out) = out.get_mut(to..to + run.len()) {
                    for (out, bits) in out.iter_mut().zip(run) {
                        *out = part.base.wrapping_add(*bits).wrapping_mul(self.scale);
                    }
                }
            })?;
            block += 1;
        }
        Some(())
    }

    /// Unpacks all values, which must be below 2^32, into `out`.
    pub fn unpack_codes(&self, out: &mut Vec<u32>) -> Option<()> {
        out.clear();
        for mini in self.minis() {
            let mini = mini?;
            let base = u32::try_from(mini.base).ok()?;
            let most = u64::from(base).checked_add(mini.mask())?.checked_mul(self.scale)?;
            if u32::try_from(most).is_ok() && self.scale == 1 {
                mini.runs::<u32>(|_, run| out.extend(run.iter().map(|bits| base + bits)))?;
                continue;
            }
            // A width may allow more than the values have.
            let mut fits = true;
            mini.runs::<u64>(|_, run| {
                out.extend(run.iter().map(|bits| {
                    let value = u64::from(base).wrapping_add(*bits).wrapping_mul(self.scale);
                    fits &= value <= u64::from(u32::MAX);
                    value as u32
                }));
            })?;
            fits.then_some(())?;
        }
        Some(())
    }

    /// Sets the bits of the values from `low` to `high`, both included.
    pub fn select(&self, low: u64, high: u64, out: &mut Bits) -> Option<()> {
        let (low, high) = (low.div_ceil(self.scale), high / self.scale);
        for mini in self.minis() {
            let mini = mini?;
            let Some(high) = high.checked_sub(mini.base) else { continue };
            let (low, high) = (low.saturating_sub(mini.base), high.min(mini.mask()));
            if low > high {
                continue;
            }
            if low == 0 && high == mini.mask() {
                out.set_range(mini.first..mini.first + mini.count);
            } else if mini.width <= 32 {
                mini.select::<u32>(low, high, out)?;
            } else {
                mini.select::<u64>(low, high, out)?;
            }
        }
        Some(())
    }

    /// Sets the bits of the values whose entry of `table` is not 0; `None` when a value has no entry.
    pub fn select_in(&self, table: &[u8], out: &mut Bits) -> Option<()> {
        let mut outside = false;
        self.runs(|first, run| {
            let mut word = 0;
            for (at, &value) in run.iter().enumerate() {
                let entry = table.get(value as usize).copied();
                outside |= entry.is_none();
                word |= u64::from(entry.unwrap_or(0) != 0) << at;
            }
            out.add_word(first / RUN, word);
        })?;
        (!outside).then_some(())
    }

    /// Whether a value is 0. Looks at the mini blocks' bases alone.
    pub fn has_zero(&self) -> bool {
        self.bases.iter().any(|base| base.to_native() == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ArchivedPacked, Packed, pack};
    use super::*;
    use proptest::prelude::*;

    fn with_view<R>(packed: &Packed, see: impl FnOnce(PackedView<'_>) -> R) -> Option<R> {
        let bytes = rkyv::to_bytes::<rkyv::rancor::Error>(packed).unwrap();
        let archive = rkyv::access::<ArchivedPacked, rkyv::rancor::Error>(&bytes).unwrap();
        PackedView::new(archive).map(see)
    }

    fn selected(view: &PackedView<'_>, low: u64, high: u64) -> Option<Vec<usize>> {
        let mut bits = Bits::none(view.len() as usize);
        view.select(low, high, &mut bits)?;
        Some(bits.iter().collect())
    }

    fn check(values: &[u64], from: usize, low: u64, high: u64) {
        with_view(&pack(values), |view| {
            let from = from.min(values.len());
            let mut out = vec![0; values.len() - from];
            view.unpack(from as u64, &mut out).unwrap();
            assert_eq!(out, values[from..]);
            let short = &mut out[..(values.len() - from) / 2];
            view.unpack(from as u64, short).unwrap();
            assert_eq!(*short, values[from..from + short.len()]);
            assert_eq!(view.unpack(1, &mut vec![0; values.len()]), None);
            let expected = |is_in: &dyn Fn(u64) -> bool| -> Vec<usize> {
                (0..values.len()).filter(|&at| is_in(values[at])).collect()
            };
            assert_eq!(selected(&view, low, high).unwrap(), expected(&|v| low <= v && v <= high));
            let mut codes = Vec::new();
            let fits = values.iter().all(|&v| u32::try_from(v).is_ok());
            assert_eq!(view.unpack_codes(&mut codes).is_some(), fits);
            if fits {
                assert_eq!(codes.iter().map(|&c| u64::from(c)).collect::<Vec<_>>(), values);
            }
            let table: Vec<u8> = (0..values.iter().max().map_or(0, |m| m.saturating_add(1).min(1000)))
                .map(|v| u8::from(v % 3 == 0))
                .collect();
            let mut bits = Bits::none(values.len());
            let done = view.select_in(&table, &mut bits);
            assert_eq!(done.is_some(), values.iter().all(|&v| v < table.len() as u64));
            if done.is_some() {
                assert_eq!(bits.iter().collect::<Vec<_>>(), expected(&|v| v % 3 == 0));
            }
            assert_eq!(view.has_zero(), values.contains(&0));
        })
        .unwrap();
    }

    #[test]
    fn edges_are_unpacked_and_selected() {
        check(&[], 0, 0, u64::MAX);
        check(&[0], 0, 0, 0);
        check(&[u64::MAX, 0], 1, 1, u64::MAX);
        check(&vec![7; 5000], 4999, 7, 7);
        check(&(0..3000).map(|i| i * 1000 + 5000).collect::<Vec<_>>(), 129, 6001, 7000);
        check(&(0..700u64).map(|i| i % 9 + (i / 512) * (1 << 31)).collect::<Vec<_>>(), 600, 3, 4);
    }

    proptest! {
        #[test]
        fn any_values_are_unpacked_and_selected(
            width in 0u32..64,
            values in proptest::collection::vec(any::<u64>(), 0..600),
            scale in 1u64..9,
            from in 0usize..700,
            picks in any::<(prop::sample::Index, prop::sample::Index)>(),
        ) {
            let values: Vec<u64> = values.iter().map(|v| (v >> width) / scale * scale).collect();
            let pick = |index: prop::sample::Index| match values.is_empty() {
                true => 0,
                false => values[index.index(values.len())],
            };
            let (a, b) = (pick(picks.0), pick(picks.1));
            check(&values, from, a.min(b), a.max(b));
        }

        /// What is damaged gives nothing, or what reading the values one by one gives.
        #[test]
        fn damage_is_noticed_as_it_is_one_by_one(
            values in proptest::collection::vec(0u64..5000, 1..600),
            widths in proptest::collection::vec((any::<prop::sample::Index>(), 0u8..80), 1..3),
            starts in proptest::collection::vec((any::<prop::sample::Index>(), 0u32..90), 0..3),
            shift in prop_oneof![Just(7u8), Just(9), Just(11), any::<u8>()],
        ) {
            let mut packed = pack(&values);
            for (at, width) in widths {
                let len = packed.widths.len();
                packed.widths[at.index(len)] = width;
            }
            for (at, start) in starts {
                let len = packed.starts.len();
                packed.starts[at.index(len)] = start;
            }
            packed.shift = shift;
            with_view(&packed, |view| {
                let one_by_one: Option<Vec<u64>> = (0..view.len()).map(|at| view.get(at)).collect();
                let mut out = vec![0; view.len() as usize];
                let unpacked = view.unpack(0, &mut out).map(|()| out);
                assert_eq!(unpacked, one_by_one);
                let _ = selected(&view, 3, 700);
                let _ = view.unpack_codes(&mut Vec::new());
                let _ = view.select_in(&[1; 100], &mut Bits::none(view.len() as usize));
            });
        }
    }
}
