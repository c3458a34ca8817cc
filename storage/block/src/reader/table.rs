//! Rows of a table in one row group, read one after the other. The columns' places are found once per seek, from
//! the ranks; from then on every column moves with the rows.

use rkyv::rend::u32_le;

use crate::columns::{Field, Storage, Table};
use crate::directory::NO_RANK;
use crate::error::{BlockError, OrDamaged, Result};
use crate::reader::column::ColumnReader;
use crate::reader::contents::Contents;
use crate::seq::SeqView;
use crate::shape::{ArchivedShapes, ShapesView};
use crate::writer::table::RANK_STEP;

const UNKNOWN: u32 = u32::MAX;

/// Classes that are counted together; there are at most a sixteenth of a row group's rows.
const MAX_COUNTED: u64 = 1 << 16;

/// A column that rows have named so far, and the place of its next value.
struct Slot<'a> {
    reader: ColumnReader<'a>,
    next: u64,
    /// Seek in which `next` was found.
    seek: u32,
    /// Whether there is one value a class.
    is_by_class: bool,
}

/// A table's shapes in a row group: all shapes, the class of each row where there are classes, and the shape of each
/// class or row.
pub(crate) type RowShapes<'a> = (ShapesView<'a>, Option<SeqView<'a>>, SeqView<'a>);

/// Opens a table's shapes in a row group; `None` when it has no rows there.
pub(crate) fn open_shapes(block: &Contents, table: Table, group: u32) -> Result<Option<RowShapes<'_>>> {
    let chunk = |field: Field| block.chunk(block.field_column(table, field)?, group);
    let Some(shape_codes) = chunk(Field::Shape) else { return Ok(None) };
    let classes = chunk(Field::Class);
    if shape_codes.mode.is_by_class() != classes.is_some() {
        return Err(BlockError::Damaged("a row group has classes without shapes, or shapes without classes"));
    }
    let archive = block.sections.archive::<ArchivedShapes>(block.shapes[table as usize])?;
    let classes = classes.map(|chunk| SeqView::open(&block.sections, &chunk.seq)).transpose()?;
    Ok(Some((ShapesView::new(archive), classes, SeqView::open(&block.sections, &shape_codes.seq)?)))
}

/// Reads the rows of a table in one row group.
pub(crate) struct TableReader<'a> {
    block: &'a Contents,
    table: Table,
    group: u32,
    shapes: ShapesView<'a>,
    /// Class of each row, where there are classes.
    classes: Option<SeqView<'a>>,
    /// Shape of each class, or of each row.
    shape_codes: SeqView<'a>,
    /// Class of the row read last.
    class: u64,
    ranks: Option<SeqView<'a>>,
    /// Slot of each column of the table.
    slots_of: Vec<u32>,
    slots: Vec<Slot<'a>>,
    /// Row that comes next, and the seek that led there.
    next_row: u64,
    seek: u32,
    /// Rows between the last rank and the row sought: values of each column.
    between: Vec<u32>,
    step: u64,
    /// Rows of each class between the last rank and the row sought.
    counts: Vec<u32>,
}

impl<'a> TableReader<'a> {
    /// Opens the rows; `None` when the table has none in this group.
    pub fn open(block: &'a Contents, table: Table, group: u32) -> Result<Option<Self>> {
        let Some((shapes, classes, shape_codes)) = open_shapes(block, table, group)? else { return Ok(None) };
        let ranks =
            match block.field_column(table, Field::Ranks).and_then(|column| block.chunk(column, group)) {
                Some(chunk) => Some(SeqView::open(&block.sections, &chunk.seq)?),
                None => None,
            };
        let columns = block.table_columns(table).len();
        Ok(Some(Self {
            block,
            table,
            group,
            shapes,
            classes,
            shape_codes,
            class: 0,
            ranks,
            slots_of: vec![UNKNOWN; columns],
            slots: Vec::new(),
            next_row: 0,
            seek: 0,
            between: vec![0; columns],
            step: 0,
            counts: Vec::new(),
        }))
    }

    /// The row that comes next.
    pub fn row(&self) -> u64 {
        self.next_row
    }

    /// How many rows.
    pub fn len(&self) -> u64 {
        self.classes.unwrap_or(self.shape_codes).len()
    }

    /// Makes `row` the next row.
    pub fn seek(&mut self, row: u64) -> Result<()> {
        if row == self.next_row { Ok(()) } else { self.seek_anew(row) }
    }

    /// As [`Self::seek`], for one who did not take every column of the rows before: all places are found anew.
    pub fn seek_anew(&mut self, row: u64) -> Result<()> {
        if row > self.len() {
            return Err(BlockError::Damaged("a row lies outside of its group"));
        }
        self.seek += 1;
        self.next_row = row;
        self.step = row / RANK_STEP as u64;
        self.between.fill(0);
        let rows = self.step * RANK_STEP as u64..row;
        if self.classes.is_none() {
            return rows.into_iter().try_for_each(|row| self.pass(row, 1));
        }
        // Classes are counted first, so that a shape is looked at once and not once a row.
        let mut counts = std::mem::take(&mut self.counts);
        counts.clear();
        counts.resize(self.shape_codes.len().min(MAX_COUNTED) as usize, 0);
        for row in rows {
            let class = self.class_of(row)?;
            match counts.get_mut(class as usize) {
                Some(count) => *count += 1,
                None => self.pass(class, 1)?,
            }
        }
        for (class, &times) in counts.iter().enumerate().filter(|(_, times)| **times > 0) {
            self.pass(class as u64, times)?;
        }
        self.counts = counts;
        Ok(())
    }

    /// Counts the values of as many rows of a class.
    fn pass(&mut self, class: u64, times: u32) -> Result<()> {
        for item in self.shape_of(class)?.1 {
            if let Some(count) = self.between.get_mut(item.to_native() as usize) {
                *count = count.saturating_add(times);
            }
        }
        Ok(())
    }

    /// The next row: the head of its shape, and its columns.
    pub fn next_row(&mut self) -> Result<(&'a [u32_le], &'a [u32_le])> {
        self.class = self.class_of(self.next_row)?;
        let shape = self.shape_of(self.class)?;
        self.next_row += 1;
        Ok(shape)
    }

    fn shape(&self, row: u64) -> Result<(&'a [u32_le], &'a [u32_le])> {
        self.shape_of(self.class_of(row)?)
    }

    /// The class of a row; the row itself where there are no classes.
    #[inline]
    fn class_of(&self, row: u64) -> Result<u64> {
        self.classes.map_or(Ok(row), |classes| classes.get(row))
    }

    fn shape_of(&self, class: u64) -> Result<(&'a [u32_le], &'a [u32_le])> {
        let items = self.shapes.get(self.shape_codes.get(class)?).or_damaged("a row has an unknown shape")?;
        items.split_at_checked(self.table.shape_header()).or_damaged("a shape is too short")
    }

    /// Takes the next value of a column that the row's shape names.
    #[inline]
    pub fn take(&mut self, column: u32) -> Result<(&mut ColumnReader<'a>, u64)> {
        let slot = match self.slots_of.get(column as usize) {
            Some(&UNKNOWN) => self.add_slot(column)?,
            Some(&slot) => slot,
            None => return Err(BlockError::Damaged("a shape names an unknown column")),
        };
        if self.slots[slot as usize].is_by_class {
            return Ok((&mut self.slots[slot as usize].reader, self.class));
        }
        if self.slots[slot as usize].seek != self.seek {
            let next = self.place(column)?;
            let slot = &mut self.slots[slot as usize];
            (slot.next, slot.seek) = (next, self.seek);
        }
        let slot = &mut self.slots[slot as usize];
        let at = slot.next;
        slot.next += 1;
        Ok((&mut slot.reader, at))
    }

    /// The integer of a field that every row has.
    pub fn dense_int(&mut self, field: Field, row: u64) -> Result<u64> {
        let (reader, at) = self.dense(field, row)?;
        reader.int(at)
    }

    /// The bytes of a field that every row has.
    pub fn dense_bytes(&mut self, field: Field, row: u64) -> Result<&[u8]> {
        let (reader, at) = self.dense(field, row)?;
        reader.bytes(at)
    }

    fn dense(&mut self, field: Field, row: u64) -> Result<(&mut ColumnReader<'a>, u64)> {
        let column = self.block.field_column(self.table, field).or_damaged("a field has no column")?;
        let column = column - self.block.table_columns(self.table).start;
        let slot = match self.slots_of.get(column as usize) {
            Some(&UNKNOWN) => self.add_slot(column)?,
            Some(&slot) => slot,
            None => return Err(BlockError::Damaged("a field has no column")),
        };
        let at = if self.slots[slot as usize].is_by_class { self.class_of(row)? } else { row };
        Ok((&mut self.slots[slot as usize].reader, at))
    }

    fn add_slot(&mut self, column: u32) -> Result<u32> {
        let global = self.block.table_columns(self.table).start + column;
        let reader = ColumnReader::open(self.block, global, self.group)?;
        let slot = self.slots.len() as u32;
        let is_by_class = self.block.chunk(global, self.group).is_some_and(|chunk| chunk.mode.is_by_class());
        self.slots.push(Slot { reader, next: 0, seek: UNKNOWN, is_by_class });
        self.slots_of[column as usize] = slot;
        Ok(slot)
    }

    /// Values that a column has before the row sought.
    fn place(&self, column: u32) -> Result<u64> {
        let between = u64::from(self.between[column as usize]);
        if self.step == 0 {
            return Ok(between);
        }
        let global = self.block.table_columns(self.table).start + column;
        // A column without a chunk is a mark, which has no values to find.
        let Some(chunk) = self.block.chunk(global, self.group) else { return Ok(between) };
        self.rank(chunk.rank, self.step)?.checked_add(between).or_damaged("a rank is out of range")
    }

    /// Checks that every column has as many values as the rows name it, and that the ranks count them right.
    pub fn verify_ranks(&self) -> Result<()> {
        let base = self.block.table_columns(self.table).start;
        let step = RANK_STEP as u64;
        let mut counts = vec![0u64; self.slots_of.len()];
        let chunk_of = |column: usize| self.block.chunk(base + column as u32, self.group);
        if let SeqView::Const { len, .. } = self.classes.unwrap_or(self.shape_codes) {
            // The same shape for every row: counted at once, so that a claimed length costs nothing.
            if len > 0 {
                self.count(0, len, &mut counts)?;
            }
        } else {
            for row in 0..self.len() {
                self.count(row, 1, &mut counts)?;
                let next = row + 1;
                if !next.is_multiple_of(step) || next == self.len() {
                    continue;
                }
                for (column, &count) in counts.iter().enumerate() {
                    let Some(chunk) = chunk_of(column).filter(|chunk| chunk.rank != NO_RANK) else {
                        continue;
                    };
                    if self.rank(chunk.rank, next / step)? != count {
                        return Err(BlockError::Damaged("a column's ranks do not fit its rows"));
                    }
                }
            }
        }
        for (column, &count) in counts.iter().enumerate() {
            let id = self.block.column(self.table, column as u32)?;
            let expected = if Field::is_dense(id.field) { self.len() } else { count };
            let chunk = chunk_of(column);
            let found = chunk.map(|chunk| chunk.seq.len);
            let is_exempt = chunk.is_some_and(|chunk| chunk.mode.is_by_class())
                || id.storage() == Storage::Marker
                || [Field::Ranks as u8, Field::Class as u8].contains(&id.field);
            if !is_exempt && found.unwrap_or(0) != expected {
                return Err(BlockError::Damaged("a column has another count of values than its rows name"));
            }
        }
        Ok(())
    }

    fn count(&self, row: u64, times: u64, counts: &mut [u64]) -> Result<()> {
        for item in self.shape(row)?.1 {
            let count = counts.get_mut(item.to_native() as usize);
            let count = count.or_damaged("a shape names an unknown column")?;
            *count = count.saturating_add(times);
        }
        Ok(())
    }

    /// Values before the row `step * RANK_STEP` of the column with the given row of the rank matrix.
    fn rank(&self, rank: u32, step: u64) -> Result<u64> {
        let (Some(ranks), true) = (&self.ranks, rank != NO_RANK) else {
            return Err(BlockError::Damaged("a column has no ranks"));
        };
        let steps = self.len().div_ceil(RANK_STEP as u64).saturating_sub(1);
        let at = u64::from(rank).checked_mul(steps).and_then(|at| at.checked_add(step - 1));
        ranks.get(at.or_damaged("a rank is out of range")?)
    }
}
