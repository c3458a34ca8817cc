//! Sets of rows or values: a bit each.

use std::ops::Range;

/// A set of numbers below a length, a bit each.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bits {
    len: usize,
    words: Vec<u64>,
}

impl Bits {
    /// Nothing of so many.
    pub fn none(len: usize) -> Self {
        Self { len, words: vec![0; len.div_ceil(64)] }
    }

    /// All of so many.
    pub fn all(len: usize) -> Self {
        let mut out = Self { len, words: vec![u64::MAX; len.div_ceil(64)] };
        out.trim();
        out
    }

    /// Some of so many; what is past the length is left out.
    pub fn of(len: usize, numbers: impl IntoIterator<Item = usize>) -> Self {
        let mut out = Self::none(len);
        numbers.into_iter().for_each(|at| out.set(at));
        out
    }

    /// How many numbers there could be.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|&word| word == 0)
    }

    /// How many are in it.
    pub fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether `at` is in it.
    pub fn has(&self, at: usize) -> bool {
        self.words.get(at / 64).is_some_and(|word| word >> (at % 64) & 1 == 1)
    }

    /// Those that are in it, ascending.
    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.words.iter().enumerate().flat_map(|(at, &word)| {
            let mut left = word;
            std::iter::from_fn(move || {
                let bit = (left != 0).then(|| left.trailing_zeros() as usize)?;
                left &= left - 1;
                Some(at * 64 + bit)
            })
        })
    }

    /// The words, 64 numbers each, least significant bit first; what is past the length is 0.
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    /// Adds those of 64 numbers whose bits are set; the caller sees to it that none is past the length.
    pub(crate) fn add_word(&mut self, at: usize, bits: u64) {
        if let Some(word) = self.words.get_mut(at) {
            *word |= bits;
        }
    }

    /// Empties it, for so many.
    pub(crate) fn reset(&mut self, len: usize) {
        self.words.clear();
        self.words.resize(len.div_ceil(64), 0);
        self.len = len;
    }

    /// Adds `at`; what is past the length is left out.
    pub fn set(&mut self, at: usize) {
        if at < self.len {
            self.words[at / 64] |= 1 << (at % 64);
        }
    }

    /// Adds a range; what is past the length is left out.
    pub(crate) fn set_range(&mut self, range: Range<usize>) {
        let end = range.end.min(self.len);
        if range.start >= end {
            return;
        }
        let (first, last) = (range.start / 64, (end - 1) / 64);
        let (low, high) = (u64::MAX << (range.start % 64), u64::MAX >> (63 - (end - 1) % 64));
        if first == last {
            self.words[first] |= low & high;
            return;
        }
        self.words[first] |= low;
        self.words[first + 1..last].fill(u64::MAX);
        self.words[last] |= high;
    }

    /// Takes a range out.
    pub fn clear_range(&mut self, range: Range<usize>) {
        let end = range.end.min(self.len);
        if range.start >= end {
            return;
        }
        let (first, last) = (range.start / 64, (end - 1) / 64);
        for word in first..=last {
            let low = if word == first { u64::MAX << (range.start % 64) } else { u64::MAX };
            let high = if word == last { u64::MAX >> (63 - (end - 1) % 64) } else { u64::MAX };
            self.words[word] &= !(low & high);
        }
    }

    /// Clears what is past the length.
    fn trim(&mut self) {
        if let (Some(last), used @ 1..) = (self.words.last_mut(), self.len % 64) {
            *last &= u64::MAX >> (64 - used);
        }
    }

    fn combine(&mut self, other: &Self, of: impl Fn(u64, u64) -> u64) {
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word = of(*word, *other);
        }
    }
}

/// A set that is often nothing or all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Set {
    None,
    All,
    /// Some; it may be none or all of them, too.
    Some(Bits),
}

impl Set {
    /// Nothing or all.
    pub fn of(all: bool) -> Self {
        if all { Self::All } else { Self::None }
    }

    /// The same, known to be nothing where it is.
    pub fn tidy(self) -> Self {
        match self {
            Self::Some(bits) if bits.is_empty() => Self::None,
            other => other,
        }
    }

    /// Whether it is known to be nothing.
    pub fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// What is in both.
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::None, _) | (_, Self::None) => Self::None,
            (Self::All, other) | (other, Self::All) => other,
            (Self::Some(mut a), Self::Some(b)) => {
                a.combine(&b, |a, b| a & b);
                Self::Some(a).tidy()
            }
        }
    }

    /// What is in one of them.
    pub fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::All, _) | (_, Self::All) => Self::All,
            (Self::None, other) | (other, Self::None) => other,
            (Self::Some(mut a), Self::Some(b)) => {
                a.combine(&b, |a, b| a | b);
                Self::Some(a)
            }
        }
    }

    /// What is in this and not in the other.
    pub fn without(self, other: &Self) -> Self {
        match (self, other) {
            (set, Self::None) => set,
            (Self::None, _) | (_, Self::All) => Self::None,
            (Self::All, other) => other.clone().not(),
            (Self::Some(mut a), Self::Some(b)) => {
                a.combine(b, |a, b| a & !b);
                Self::Some(a).tidy()
            }
        }
    }

    /// What is not in it.
    pub fn not(self) -> Self {
        match self {
            Self::None => Self::All,
            Self::All => Self::None,
            Self::Some(mut bits) => {
                bits.words.iter_mut().for_each(|word| *word = !*word);
                bits.trim();
                Self::Some(bits).tidy()
            }
        }
    }

    /// As bits, of so many.
    pub fn into_bits(self, len: usize) -> Bits {
        match self {
            Self::None => Bits::none(len),
            Self::All => Bits::all(len),
            Self::Some(bits) => bits,
        }
    }

    /// Whether `at` is in it.
    pub fn has(&self, at: usize) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::Some(bits) => bits.has(at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn set(len: usize, of: &[usize]) -> (Set, BTreeSet<usize>) {
        let mut bits = Bits::none(len);
        of.iter().for_each(|&at| bits.set(at));
        let kept: BTreeSet<usize> = of.iter().copied().filter(|&at| at < len).collect();
        let set = match kept.len() {
            0 => Set::None,
            n if n == len => Set::All,
            _ => Set::Some(bits),
        };
        (set, kept)
    }

    proptest! {
        #[test]
        fn sets_are_sets(len in 0usize..200, a in vec(0usize..220, 0..300), b in vec(0usize..220, 0..9)) {
            let ((a, in_a), (b, in_b)) = (set(len, &a), set(len, &b));
            let check = |found: Set, expected: Vec<usize>| {
                assert_eq!((0..len).filter(|&at| found.has(at)).collect::<Vec<_>>(), expected);
                let bits = found.into_bits(len);
                assert_eq!(bits.count(), expected.len());
                assert_eq!(bits.iter().collect::<Vec<_>>(), expected);
            };
            check(a.clone().and(b.clone()), in_a.intersection(&in_b).copied().collect());
            check(a.clone().or(b.clone()), in_a.union(&in_b).copied().collect());
            check(a.clone().without(&b), in_a.difference(&in_b).copied().collect());
            check(b.clone().without(&a), in_b.difference(&in_a).copied().collect());
            check(a.not(), (0..len).filter(|at| !in_a.contains(at)).collect());
        }

        #[test]
        fn ranges_are_ranges(len in 0usize..300, from in 0usize..300, to in 0usize..320) {
            let mut bits = Bits::none(len);
            bits.set_range(from..to);
            assert_eq!(bits.iter().collect::<Vec<_>>(), (from..to.min(len)).collect::<Vec<_>>());
        }
    }
}
