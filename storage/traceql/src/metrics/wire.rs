//! What was counted for a leaf, as bytes: another node counts a part of the blocks. `docs/formats/peer.md`, "Series".
//!
//! **Invariant:** what is read merges as what was written: with the same groups, cells, exemplars and word on whether
//! groups were given up.

use spanloom_span::TraceId;
use spanloom_span::proto::put_varint;

use super::accumulator::{Accumulator, Counts, Limits, Table};
use super::bounded::Bounded;
use super::cell::{Buckets, Cell, Extreme, Sum};
use super::exemplar::Exemplars;
use super::row::Row;
use crate::answer::Steps;
use crate::plan::Leaf;
use crate::value::{ExactSum, Key, Total, Value};
use crate::wire::{Unpacker, WireError, put_value, take_value};

/// More spans than a block has: counts up to it can be added as often as there are blocks.
const MOST_SPANS: u64 = 1 << 40;

/// The greatest sum of so many integers.
const MOST_WHOLE: u128 = 1 << 103;

impl Accumulator {
    /// Appends it.
    pub fn put(&self, out: &mut Vec<u8>) {
        match &self.counts {
            Counts::Spans(table) => put_table(out, 0, table),
            Counts::Least(table) => put_table(out, 1, table),
            Counts::Greatest(table) => put_table(out, 2, table),
            Counts::Sums(table) => put_table(out, 3, table),
            Counts::Buckets(table) => put_table(out, 4, table),
            Counts::Compare(compared) => {
                out.push(5);
                for table in compared.tables() {
                    put_groups(out, table, put_row);
                }
            }
        }
    }

    /// Reads what was counted for the same leaf with the same steps and limits.
    pub fn take(
        leaf: &Leaf,
        steps: Steps,
        limits: &Limits,
        from: &mut Unpacker<'_>,
    ) -> Result<Self, WireError> {
        let mut all = Self::new(leaf, steps, limits);
        let labels = leaf.by.len();
        let kind = from.u8("a kind of counts")?;
        let read = Read { samples: steps.count, places: all.places_of_exemplars() };
        match (kind, &mut all.counts) {
            (0, Counts::Spans(table)) => read.table(from, labels, table)?,
            (1, Counts::Least(table)) => read.table(from, labels, table)?,
            (2, Counts::Greatest(table)) => read.table(from, labels, table)?,
            (3, Counts::Sums(table)) => read.table(from, labels, table)?,
            (4, Counts::Buckets(table)) => read.table(from, labels, table)?,
            (5, Counts::Compare(compared)) => {
                for (table, values) in compared.tables_mut().into_iter().zip([4, 3]) {
                    read.groups(from, values, table, |read, from| read.row(from))?;
                }
            }
            _ => return Err(WireError::Wrong("a kind of counts")),
        }
        Ok(all)
    }
}

/// A cell as bytes. One that holds nothing is not written.
trait Packed: Cell {
    fn put(&self, out: &mut Vec<u8>);
    fn take(from: &mut Unpacker<'_>) -> Result<Self, WireError>;
}

impl Packed for u64 {
    fn put(&self, out: &mut Vec<u8>) {
        put_varint(out, *self);
    }

    fn take(from: &mut Unpacker<'_>) -> Result<Self, WireError> {
        from.at_most(MOST_SPANS, "a count")
    }
}

impl<const GREATEST: bool> Packed for Extreme<GREATEST> {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0.unwrap_or(f64::NAN).to_bits().to_le_bytes());
    }

    fn take(from: &mut Unpacker<'_>) -> Result<Self, WireError> {
        Ok(Self(Some(f64::from_bits(from.u64("an extreme value")?))))
    }
}

impl Packed for Sum {
    fn put(&self, out: &mut Vec<u8>) {
        put_varint(out, self.count);
        out.extend_from_slice(&self.total.whole().to_le_bytes());
        let floats = self.total.floats();
        out.push(u8::from(floats.is_some()));
        if let Some(floats) = floats {
            let (low, limbs, special) = floats.parts();
            put_varint(out, low.into());
            out.push(special);
            put_varint(out, limbs.len() as u64);
            limbs.iter().for_each(|limb| out.extend_from_slice(&limb.to_le_bytes()));
        }
    }

    fn take(from: &mut Unpacker<'_>) -> Result<Self, WireError> {
        const FIELD: &str = "a sum";
        let count = from.at_most(MOST_SPANS, FIELD)?;
        let whole = i128::from_le_bytes(from.array(FIELD)?);
        let floats = match from.flag(FIELD)? {
            false => None,
            true => {
                let (low, special) = (from.varint(FIELD)?, from.u8(FIELD)?);
                let mut limbs = Vec::new();
                for _ in 0..from.varint(FIELD)? {
                    limbs.push(from.u64(FIELD)?);
                }
                Some(ExactSum::of_parts(low, limbs, special).ok_or(WireError::Wrong(FIELD))?)
            }
        };
        if whole.unsigned_abs() > MOST_WHOLE {
            return Err(WireError::Wrong(FIELD));
        }
        Ok(Self { count, total: Total::of_parts(whole, floats) })
    }
}

impl Packed for Buckets {
    fn put(&self, out: &mut Vec<u8>) {
        put_varint(out, self.0.len() as u64);
        for (bucket, count) in &self.0 {
            out.push(*bucket);
            put_varint(out, *count);
        }
    }

    fn take(from: &mut Unpacker<'_>) -> Result<Self, WireError> {
        const FIELD: &str = "a bucket";
        let mut buckets = Vec::new();
        for _ in 0..from.varint(FIELD)? {
            let bucket = (from.u8(FIELD)?, from.at_most(MOST_SPANS, FIELD)?);
            if bucket.0 > 64 || buckets.last().is_some_and(|(last, _)| *last >= bucket.0) {
                return Err(WireError::Wrong(FIELD));
            }
            buckets.push(bucket);
        }
        Ok(Self(buckets))
    }
}

fn put_table<C: Packed>(out: &mut Vec<u8>, kind: u8, table: &Table<C>) {
    out.push(kind);
    put_groups(out, table, |out, (row, exemplars)| {
        put_row(out, row);
        let shown = exemplars.candidates();
        put_varint(out, shown.len() as u64);
        for (place, trace, at, bits) in shown {
            out.extend_from_slice(&place.to_le_bytes());
            out.extend_from_slice(&trace.0);
            out.extend_from_slice(&at.to_le_bytes());
            out.extend_from_slice(&bits.to_le_bytes());
        }
    });
}

fn put_groups<T: Default>(out: &mut Vec<u8>, table: &Bounded<T>, put: impl Fn(&mut Vec<u8>, &T)) {
    out.push(u8::from(table.has_dropped()));
    put_varint(out, table.live().count() as u64);
    for (key, of) in table.live() {
        key.iter().for_each(|key| put_value(out, Key::value(key)));
        put(out, of);
    }
}

fn put_row<C: Packed>(out: &mut Vec<u8>, row: &Row<C>) {
    put_varint(out, row.cells().count() as u64);
    let mut next = 0;
    for (sample, cell) in row.cells() {
        put_varint(out, u64::from(sample - next));
        next = sample + 1;
        cell.put(out);
    }
}

/// What tables are read with.
struct Read {
    samples: u32,
    /// How many places for exemplars there are.
    places: usize,
}

impl Read {
    fn table<C: Packed>(
        &self,
        from: &mut Unpacker<'_>,
        labels: usize,
        table: &mut Table<C>,
    ) -> Result<(), WireError> {
        self.groups(from, labels, table, |read, from| Ok((read.row(from)?, read.exemplars(from)?)))
    }

    fn groups<T: Default>(
        &self,
        from: &mut Unpacker<'_>,
        values: usize,
        table: &mut Bounded<T>,
        take: impl Fn(&Self, &mut Unpacker<'_>) -> Result<T, WireError>,
    ) -> Result<(), WireError> {
        if from.flag("whether groups were given up")? {
            table.set_dropped();
        }
        let count = from.varint("a count of groups")?;
        // So many stay at most, and no group has no bytes.
        if count > table.most() as u64 || count > from.left() as u64 {
            return Err(WireError::Wrong("a count of groups"));
        }
        let mut key: Vec<Value<'_>> = Vec::new();
        for _ in 0..count {
            key.clear();
            for _ in 0..values {
                key.push(take_value(from)?);
            }
            let of = take(self, from)?;
            if !table.put(&key, of) {
                return Err(WireError::Wrong("a group that is there twice"));
            }
        }
        Ok(())
    }

    fn row<C: Packed>(&self, from: &mut Unpacker<'_>) -> Result<Row<C>, WireError> {
        const FIELD: &str = "a sample's number";
        let count = from.at_most(self.samples.into(), FIELD)?;
        let (mut cells, mut next) = (Vec::new(), 0u64);
        for _ in 0..count {
            let sample = next.saturating_add(from.varint(FIELD)?);
            if sample >= u64::from(self.samples) {
                return Err(WireError::Wrong(FIELD));
            }
            next = sample + 1;
            cells.push((sample as u32, C::take(from)?));
        }
        // As a list, however full: what is read takes no more than its bytes.
        Ok(Row::Sparse(cells))
    }

    fn exemplars(&self, from: &mut Unpacker<'_>) -> Result<Exemplars, WireError> {
        const FIELD: &str = "an exemplar";
        let mut exemplars = Exemplars::default();
        let mut next = 0;
        for _ in 0..from.at_most(self.places as u64, FIELD)? {
            let place = u16::from_le_bytes(from.array(FIELD)?);
            if usize::from(place) < next || usize::from(place) >= self.places {
                return Err(WireError::Wrong(FIELD));
            }
            next = usize::from(place) + 1;
            let trace = TraceId(from.array(FIELD)?);
            exemplars.put_candidate(place, trace, from.u64(FIELD)?, from.u64(FIELD)?);
        }
        Ok(exemplars)
    }
}
