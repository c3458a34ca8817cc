//! The rows of a table in one row group as a search sees them: a label for each row, which is its class where there
//! are classes and else its shape, and from it the places of every column's values.

use std::rc::Rc;

use hashbrown::HashMap;

use crate::columns::{Field, Table};
use crate::directory::NO_RANK;
use crate::error::{BlockError, OrDamaged, Result};
use crate::reader::contents::Contents;
use crate::search::bits::{Bits, Set};
use crate::search::column::MAX_VALUES;
use crate::search::counters::Touched;
use crate::seq::SeqView;
use crate::shape::{ArchivedShapes, ShapesView};
use crate::writer::GROUP_ROWS;
use crate::writer::table::RANK_STEP;

/// Few enough values to find the row of each.
const FEW: usize = 32;

/// A small number for each row.
pub(crate) struct Labels<'a> {
    seq: SeqView<'a>,
    /// All of them, once they were needed.
    unpacked: Option<Vec<u32>>,
}

impl<'a> Labels<'a> {
    /// Takes a sequence with a number for each row.
    pub fn new(seq: SeqView<'a>) -> Self {
        Self { seq, unpacked: None }
    }

    /// How many rows.
    pub fn len(&self) -> usize {
        self.seq.len() as usize
    }

    /// The label of a row.
    #[inline]
    pub fn get(&self, row: usize) -> Result<u32> {
        match &self.unpacked {
            Some(labels) => labels.get(row).copied(),
            None => self.seq.get(row as u64).ok().and_then(|label| u32::try_from(label).ok()),
        }
        .or_damaged("a row has no label")
    }

    /// The rows whose label's entry is not 0; labels without entry have 0.
    pub fn rows_where(&mut self, table: &[u8]) -> Result<Set> {
        if let SeqView::Const { value, .. } = self.seq {
            let entry = usize::try_from(value).ok().and_then(|label| table.get(label));
            return Ok(Set::of(entry.is_some_and(|&entry| entry != 0)));
        }
        let mut out = Bits::none(self.len());
        match (table.iter().filter(|&&entry| entry != 0).count(), self.seq) {
            (0, _) => return Ok(Set::None),
            (all, _) if all == table.len() => return Ok(Set::All),
            (1, SeqView::Packed(labels)) if self.unpacked.is_none() => {
                let label = table.iter().position(|&entry| entry != 0).unwrap_or(0) as u64;
                labels.select(label, label, &mut out).or_damaged("a row has no label")?;
            }
            _ => {
                for (word, labels) in self.unpack()?.chunks(64).enumerate() {
                    let mut bits = 0;
                    for (at, &label) in labels.iter().enumerate() {
                        let holds = table.get(label as usize).is_some_and(|&entry| entry != 0);
                        bits |= u64::from(holds) << at;
                    }
                    out.add_word(word, bits);
                }
            }
        }
        Ok(Set::Some(out).tidy())
    }

    fn unpack(&mut self) -> Result<&[u32]> {
        if self.unpacked.is_none() {
            let mut labels = Vec::with_capacity(self.len());
            match self.seq {
                SeqView::Packed(packed) => {
                    packed.unpack_codes(&mut labels).or_damaged("a row has no label")?
                }
                seq => {
                    for row in 0..seq.len() {
                        labels.push(u32::try_from(seq.get(row)?).ok().or_damaged("a row has no label")?);
                    }
                }
            }
            self.unpacked = Some(labels);
        }
        self.unpacked.as_deref().or_damaged("a row has no label")
    }
}

/// The shapes of classes: many classes differ in scope and name alone, so what a shape says is looked at once.
struct ClassShapes {
    distinct: Vec<u32>,
    /// Place of each class's shape among the distinct ones.
    of: Vec<u32>,
}

impl ClassShapes {
    fn new(shapes: Vec<u32>) -> Self {
        let mut distinct = shapes.clone();
        distinct.sort_unstable();
        distinct.dedup();
        let of = shapes.iter().map(|shape| distinct.binary_search(shape).unwrap_or(0) as u32).collect();
        Self { distinct, of }
    }
}

/// The rows of a table in one row group.
pub(crate) struct Rows<'a> {
    pub block: &'a Contents,
    pub table: Table,
    pub group: u32,
    shapes: ShapesView<'a>,
    pub labels: Labels<'a>,
    /// Where there are classes.
    classes: Option<ClassShapes>,
    /// Rows that have a value in a column.
    presence: HashMap<u32, Rc<Set>, foldhash::fast::RandomState>,
}

impl<'a> Rows<'a> {
    /// Opens the rows; `None` when the table has none in this group.
    pub fn open(
        block: &'a Contents,
        table: Table,
        group: u32,
        touched: &mut Touched,
    ) -> Result<Option<Self>> {
        let Some(column) = block.field_column(table, Field::Shape) else { return Ok(None) };
        let Some(shape_chunk) = block.chunk(column, group) else { return Ok(None) };
        let class_chunk =
            block.field_column(table, Field::Class).and_then(|column| block.chunk(column, group));
        if shape_chunk.mode.is_by_class() != class_chunk.is_some() {
            return Err(BlockError::Damaged(
                "a row group has classes without shapes, or shapes without classes",
            ));
        }
        touched.chunk(block, shape_chunk);
        touched.section(block, block.shapes[table as usize]);
        let shapes = block.sections.archive::<ArchivedShapes>(block.shapes[table as usize])?;
        let shape_codes = SeqView::open(&block.sections, &shape_chunk.seq)?;
        let (labels, classes) = match class_chunk {
            Some(chunk) => {
                touched.chunk(block, chunk);
                (SeqView::open(&block.sections, &chunk.seq)?, Some(ClassShapes::new(by_class(shape_codes)?)))
            }
            None => (shape_codes, None),
        };
        let most = if table == Table::Spans { GROUP_ROWS as u64 } else { MAX_VALUES };
        if labels.len() > most {
            return Err(BlockError::Damaged("a row group has more rows than it can have"));
        }
        let (shapes, labels) = (ShapesView::new(shapes), Labels::new(labels));
        Ok(Some(Self { block, table, group, shapes, labels, classes, presence: HashMap::default() }))
    }

    /// How many rows.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// The classes' number, where there are classes.
    pub fn classes(&self) -> Option<usize> {
        self.classes.as_ref().map(|classes| classes.of.len())
    }

    /// How many shapes the rows of the table have, in all row groups.
    pub fn shapes(&self) -> u32 {
        self.shapes.len() as u32
    }

    /// The shape of a label.
    #[inline]
    pub fn shape_of(&self, label: u32) -> Result<u32> {
        let Some(ClassShapes { distinct, of }) = &self.classes else { return Ok(label) };
        let shape = of.get(label as usize).and_then(|&place| distinct.get(place as usize));
        shape.copied().or_damaged("a row has an unknown class")
    }

    /// A shape's head and columns.
    pub fn shape(&self, shape: u32) -> Result<(&'a [rkyv::rend::u32_le], &'a [rkyv::rend::u32_le])> {
        let items = self.shapes.get(u64::from(shape)).or_damaged("a row has an unknown shape")?;
        items.split_at_checked(self.table.shape_header()).or_damaged("a shape is too short")
    }

    /// A byte for each label, by its shape.
    pub fn label_table(&self, mut of: impl FnMut(u32) -> Result<bool>) -> Result<Vec<u8>> {
        let Some(ClassShapes { distinct, of: classes }) = &self.classes else {
            return (0..self.shapes()).map(|shape| Ok(u8::from(of(shape)?))).collect();
        };
        let by_shape = distinct.iter().map(|&shape| Ok(u8::from(of(shape)?))).collect::<Result<Vec<u8>>>()?;
        Ok(classes.iter().map(|&place| by_shape.get(place as usize).copied().unwrap_or(0)).collect())
    }

    /// A byte for each label: whether its shape names a column.
    pub fn names(&self, column: u32) -> Result<Vec<u8>> {
        self.label_table(|shape| Ok(self.shape(shape)?.1.iter().any(|item| item.to_native() == column)))
    }

    /// The rows whose shape names a column.
    pub fn presence(&mut self, column: u32) -> Result<Rc<Set>> {
        if let Some(known) = self.presence.get(&column) {
            return Ok(known.clone());
        }
        let table =
            self.label_table(|shape| Ok(self.shape(shape)?.1.iter().any(|item| item.to_native() == column)))?;
        let found = Rc::new(self.labels.rows_where(&table)?);
        self.presence.insert(column, found.clone());
        Ok(found)
    }

    /// The rows of a column's values: what is found among the values becomes rows. No shape of the group may name the
    /// column twice.
    pub fn place(&mut self, column: u32, values: Set) -> Result<Set> {
        if values.is_none() {
            return Ok(values);
        }
        if let Set::Some(few) = &values
            && few.count() <= FEW
            && !self.presence.contains_key(&column)
            && let Some(found) = self.place_few(column, few)?
        {
            return Ok(found);
        }
        let presence = self.presence(column)?;
        match (values, &*presence) {
            (Set::Some(values), Set::All) => {
                self.fits(column, values.len() as u64)?;
                Ok(Set::Some(values))
            }
            (Set::Some(values), Set::Some(rows)) => {
                self.fits(column, values.len() as u64)?;
                Ok(Set::Some(deposit(&values, rows)))
            }
            (_, rows) => Ok(rows.clone()),
        }
    }

    /// The rows of few values, found through the ranks; `None` where the column has none.
    fn place_few(&mut self, column: u32, values: &Bits) -> Result<Option<Set>> {
        let block = self.block;
        let chunk = block.chunk(self.global(column), self.group);
        let ranks =
            block.field_column(self.table, Field::Ranks).and_then(|ranks| block.chunk(ranks, self.group));
        let Some((chunk, ranks)) = chunk.zip(ranks).filter(|(chunk, _)| chunk.rank != NO_RANK) else {
            return Ok(None);
        };
        let ranks = SeqView::open(&block.sections, &ranks.seq)?;
        let steps = self.len().div_ceil(RANK_STEP).saturating_sub(1) as u64;
        let first = u64::from(chunk.rank).checked_mul(steps).or_damaged("a rank is out of range")?;
        let names =
            self.label_table(|shape| Ok(self.shape(shape)?.1.iter().any(|item| item.to_native() == column)))?;
        let mut out = Bits::none(self.len());
        for value in values.iter().map(|value| value as u64) {
            // The last step before which there are no more values than lie before this one.
            let (mut low, mut high) = (0, steps);
            while low < high {
                let middle = low + (high - low) / 2;
                if ranks.get(first + middle)? <= value { low = middle + 1 } else { high = middle }
            }
            let before = if low == 0 { 0 } else { ranks.get(first + low - 1)? };
            let mut left = value.checked_sub(before).or_damaged("a rank is out of range")?;
            let mut row = low as usize * RANK_STEP;
            loop {
                let label = self.labels.get(row)?;
                if names.get(label as usize).is_some_and(|&named| named != 0) {
                    match left.checked_sub(1) {
                        Some(less) => left = less,
                        None => break,
                    }
                }
                row += 1;
            }
            out.set(row);
        }
        Ok(Some(Set::Some(out)))
    }

    /// Checks that a column has as many values as rows name it.
    pub fn fits(&mut self, column: u32, values: u64) -> Result<()> {
        let expected = match &*self.presence(column)? {
            Set::None => 0,
            Set::All => self.len(),
            Set::Some(rows) => rows.count(),
        };
        (values == expected as u64)
            .then_some(())
            .or_damaged("a column has another count of values than its rows name")
    }

    /// The number of a column within its table as its number within the block.
    pub fn global(&self, column: u32) -> u32 {
        self.block.table_columns(self.table).start + column
    }

    /// A field's column within its table.
    pub fn field(&self, field: Field) -> Option<u32> {
        let start = self.block.table_columns(self.table).start;
        self.block.field_column(self.table, field).map(|column| column - start)
    }
}

/// Values by class, of which there are no more than rows.
pub(crate) fn by_class(values: SeqView<'_>) -> Result<Vec<u32>> {
    if values.len() > GROUP_ROWS as u64 {
        return Err(BlockError::Damaged("a row group has more classes than rows"));
    }
    let mut read = vec![0; values.len() as usize];
    values.read(0, &mut read)?;
    read.into_iter().map(|value| u32::try_from(value).ok().or_damaged("a class has no such value")).collect()
}

/// The rows of values: the nth value belongs to the nth row of `rows`.
fn deposit(values: &Bits, rows: &Bits) -> Bits {
    let mut out = Bits::none(rows.len());
    let mut next = 0;
    for (word, &present) in rows.words().iter().enumerate() {
        let count = present.count_ones() as usize;
        let mut found = bits_at(values.words(), next, count);
        next += count;
        if found == 0 {
            continue;
        }
        let mut bits = 0;
        if present == u64::MAX {
            bits = found;
        } else {
            let mut left = present;
            while found != 0 {
                let skip = found.trailing_zeros();
                for _ in 0..skip {
                    left &= left - 1;
                }
                bits |= left & left.wrapping_neg();
                left &= left - 1;
                found = if skip == 63 { 0 } else { found >> (skip + 1) };
            }
        }
        out.add_word(word, bits);
    }
    out
}

/// The values of rows: those of `wanted` among `rows`, counted among `rows`.
pub(crate) fn extract(wanted: &Bits, rows: &Bits) -> Bits {
    let mut out = Bits::none(rows.count());
    let mut next = 0;
    for (&wanted, &present) in wanted.words().iter().zip(rows.words()) {
        let mut left = wanted & present;
        while left != 0 {
            let bit = left & left.wrapping_neg();
            out.set(next + (present & (bit - 1)).count_ones() as usize);
            left &= left - 1;
        }
        next += present.count_ones() as usize;
    }
    out
}

/// As many bits from a place on.
fn bits_at(words: &[u64], from: usize, count: usize) -> u64 {
    let (word, shift) = (from / 64, from % 64);
    let get = |word: usize| words.get(word).copied().unwrap_or(0);
    let bits = get(word) >> shift | if shift == 0 { 0 } else { get(word + 1) << (64 - shift) };
    if count == 64 { bits } else { bits & ((1 << count) - 1) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn values_go_to_their_rows(
            rows in proptest::collection::vec(prop_oneof![Just(u64::MAX), Just(0), any::<u64>()], 0..9),
            pick in proptest::collection::vec(any::<bool>(), 600),
        ) {
            let mut present = Bits::none(rows.len() * 64);
            rows.iter().enumerate().for_each(|(at, &word)| present.add_word(at, word));
            let mut values = Bits::none(present.count());
            (0..present.count()).filter(|&at| pick[at]).for_each(|at| values.set(at));
            let expected: Vec<usize> =
                present.iter().enumerate().filter(|(at, _)| pick[*at]).map(|(_, row)| row).collect();
            let found = deposit(&values, &present);
            assert_eq!(found.iter().collect::<Vec<_>>(), expected);
            assert_eq!(extract(&found, &present), values);
        }
    }
}
