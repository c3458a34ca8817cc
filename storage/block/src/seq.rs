//! A sequence of integers in the form that takes fewest bytes: `docs/formats/block.md`, section "Sequences".

use crate::error::{OrDamaged, Result};
use crate::pack::{ArchivedPacked, PACKED_OVERHEAD, Packed, PackedView, pack, width_of};
use crate::reader::section::Sections;
use crate::writer::output::Output;

/// No section.
pub(crate) const NONE: u32 = u32::MAX;

/// How a sequence is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum SeqKind {
    /// Every value is `value`; no section.
    Const = 0,
    /// Packed integers in section `a`.
    Packed = 1,
    /// Distinct values, ascending, packed in section `a`; for each value its place among them, in section `b`.
    Dict = 2,
}

/// A sequence as the directory names it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seq {
    pub kind: SeqKind,
    pub len: u64,
    pub value: u64,
    pub a: u32,
    pub b: u32,
}

impl Seq {
    /// A sequence of equal values.
    pub fn constant(value: u64, len: u64) -> Self {
        Self { kind: SeqKind::Const, len, value, a: NONE, b: NONE }
    }

    /// Writes values in the form that takes fewest bytes.
    pub fn write(out: &mut Output, values: &[u64]) -> Result<Self> {
        let first = values.first().copied().unwrap_or(0);
        let len = values.len() as u64;
        if values.iter().all(|&v| v == first) {
            return Ok(Self::constant(first, len));
        }
        let packed = pack(values);
        if let Some((distinct, codes)) = dictionary(values, bytes_of(&packed)) {
            let (a, b) = (out.archive(&pack(&distinct))?, out.archive(&pack(&codes))?);
            return Ok(Self { kind: SeqKind::Dict, len, value: 0, a, b });
        }
        Ok(Self { kind: SeqKind::Packed, len, value: 0, a: out.archive(&packed)?, b: NONE })
    }

    /// Writes values as packed integers, without looking for a dictionary.
    pub fn write_packed(out: &mut Output, values: &[u64]) -> Result<Self> {
        let first = values.first().copied().unwrap_or(0);
        let len = values.len() as u64;
        if values.iter().all(|&v| v == first) {
            return Ok(Self::constant(first, len));
        }
        Ok(Self { kind: SeqKind::Packed, len, value: 0, a: out.archive(&pack(values))?, b: NONE })
    }
}

fn bytes_of(packed: &Packed) -> usize {
    PACKED_OVERHEAD + packed.widths.len() * 13 + packed.words.len() * 8
}

/// Most distinct values for which a dictionary is tried.
const MAX_DISTINCT: usize = 4096;

/// Distinct values and codes, when they take clearly fewer bytes than `packed`.
fn dictionary(values: &[u64], packed: usize) -> Option<(Vec<u64>, Vec<u64>)> {
    let mut distinct = hashbrown::HashMap::<u64, u64, foldhash::fast::FixedState>::default();
    let limit = MAX_DISTINCT.min(packed / 9);
    let mut last = None;
    for &value in values {
        if last == Some(value) {
            continue;
        }
        last = Some(value);
        if !distinct.contains_key(&value) {
            if distinct.len() == limit {
                return None;
            }
            distinct.insert(value, 0);
        }
    }
    let width = width_of(distinct.len() as u64 - 1) as usize;
    let cost = 2 * PACKED_OVERHEAD + distinct.len() * 8 + values.len() * width / 8 + values.len() / 128;
    if cost * 10 > packed * 9 {
        return None;
    }
    let mut sorted: Vec<u64> = distinct.keys().copied().collect();
    sorted.sort_unstable();
    for (place, value) in sorted.iter().enumerate() {
        distinct.insert(*value, place as u64);
    }
    let mut last = (sorted[0], 0);
    let codes = values.iter().map(|&value| {
        if last.0 != value {
            last = (value, distinct.get(&value).copied().unwrap_or(0));
        }
        last.1
    });
    let codes = codes.collect();
    Some((sorted, codes))
}

/// A sequence, read in place.
#[derive(Debug, Clone, Copy)]
pub(crate) enum SeqView<'a> {
    Const { value: u64, len: u64 },
    Packed(PackedView<'a>),
    Dict { distinct: PackedView<'a>, codes: PackedView<'a> },
}

impl<'a> SeqView<'a> {
    /// Finds the sequence's sections.
    pub fn open(sections: &'a Sections, seq: &Seq) -> Result<Self> {
        let packed = |section| {
            let archive = sections.archive::<ArchivedPacked>(section)?;
            PackedView::new(archive).or_damaged("the parts of packed integers do not fit")
        };
        let view = match seq.kind {
            SeqKind::Const => return Ok(Self::Const { value: seq.value, len: seq.len }),
            SeqKind::Packed => Self::Packed(packed(seq.a)?),
            SeqKind::Dict => Self::Dict { distinct: packed(seq.a)?, codes: packed(seq.b)? },
        };
        if view.len() != seq.len {
            return Err(crate::BlockError::Damaged("a sequence has another length than the directory says"));
        }
        Ok(view)
    }

    /// The value that all of a sequence are, if the directory says so.
    pub fn open_constant(seq: &Seq) -> Option<u64> {
        (seq.kind == SeqKind::Const).then_some(seq.value)
    }

    /// How many values.
    pub fn len(&self) -> u64 {
        match self {
            Self::Const { len, .. } => *len,
            Self::Packed(packed) => packed.len(),
            Self::Dict { codes, .. } => codes.len(),
        }
    }

    /// The value at `at`.
    #[inline]
    pub fn get(&self, at: u64) -> Result<u64> {
        match self {
            Self::Const { value, len } => (at < *len).then_some(*value),
            Self::Packed(packed) => packed.get(at),
            Self::Dict { distinct, codes } => codes.get(at).and_then(|code| distinct.get(code)),
        }
        .or_damaged("an integer lies outside of its sequence")
    }

    /// Whether a value is 0; of packed integers the mini blocks' bases tell.
    pub fn has_zero(&self) -> bool {
        match self {
            Self::Const { value, .. } => *value == 0,
            Self::Packed(packed) => packed.has_zero(),
            Self::Dict { distinct, .. } => distinct.has_zero(),
        }
    }

    /// Reads the values from `from` on into the whole of `out`.
    pub fn read(&self, from: u64, out: &mut [u64]) -> Result<()> {
        match self {
            Self::Const { value, len } => {
                let fits = from.checked_add(out.len() as u64).is_some_and(|end| end <= *len);
                fits.then(|| out.fill(*value))
            }
            Self::Packed(packed) => packed.unpack(from, out),
            Self::Dict { distinct, codes } => codes.unpack(from, out).and_then(|()| {
                out.iter_mut().try_for_each(|value| distinct.get(*value).map(|found| *value = found))
            }),
        }
        .or_damaged("an integer lies outside of its sequence")
    }

    /// The sum of the values from `from` to before `to`.
    pub fn sum(&self, from: u64, to: u64) -> Result<u64> {
        if let Self::Const { value, .. } = self {
            return to.saturating_sub(from).checked_mul(*value).or_damaged("a sum is out of range");
        }
        let mut sum = 0u64;
        for at in from..to {
            sum = sum.checked_add(self.get(at)?).or_damaged("a sum is out of range")?;
        }
        Ok(sum)
    }

    /// Reads every value.
    pub fn verify(&self) -> Result<()> {
        (0..self.checks()).try_for_each(|at| self.get(at).map(drop))
    }

    /// How many values there are to look at, for one who checks them all: the equal ones count once, so that a
    /// length that is only claimed costs nothing.
    pub fn checks(&self) -> u64 {
        match self {
            Self::Const { len, .. } => (*len).min(1),
            _ => self.len(),
        }
    }
}
