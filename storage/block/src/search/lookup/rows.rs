//! Rows of a table in one row group, read at any place and column by column.
//!
//! Where a value lies is counted from the rank before its row: 512 rows at most. The classes (or shapes) of those rows
//! are unpacked once and held, and each column remembers where it was, so that going forward costs a row only once.

use std::ops::Range;

use hashbrown::HashMap;
use rkyv::rend::u32_le;

use crate::columns::{Field, Table};
use crate::directory::NO_RANK;
use crate::error::{BlockError, OrDamaged, Result};
use crate::reader::column::ColumnReader;
use crate::reader::contents::Contents;
use crate::reader::table::open_shapes;
use crate::seq::SeqView;
use crate::shape::ShapesView;
use crate::writer::table::RANK_STEP;

/// Rows between two ranks, which are held together.
pub(crate) const WINDOW: u64 = RANK_STEP as u64;

/// Classes and shapes of which something is remembered. A class stands for 16 rows, a row group has 65,536.
pub(crate) const MAX_REMEMBERED: usize = 1 << 16;

/// Bytes of inflated dictionary pages that a column keeps.
const KEPT_BYTES: usize = 8 << 20;

const UNKNOWN: u32 = u32::MAX;

/// A column that was asked for, by the order of asking.
pub(crate) type SlotId = u32;

/// A column that was asked for.
struct Slot<'a> {
    reader: ColumnReader<'a>,
    /// Number within the table.
    column: u32,
    is_by_class: bool,
    /// Row of the rank matrix.
    rank: u32,
    /// How often a row of a class (or shape) names the column.
    times: Vec<u32>,
    /// A row, and how many values lie before it.
    cursor: (u64, u64),
    ahead: Ahead,
}

/// Rows of a table in one row group. A row's *key* is its class, or its shape where there are no classes.
pub(crate) struct Rows<'a> {
    block: &'a Contents,
    table: Table,
    group: u32,
    shapes: ShapesView<'a>,
    classes: Option<SeqView<'a>>,
    /// Shape of each class, or of each row.
    codes: SeqView<'a>,
    ranks: Option<SeqView<'a>>,
    /// The window that is held, and the keys of its rows.
    window: u64,
    held: Vec<u64>,
    ahead: Ahead,
    slots: Vec<Slot<'a>>,
    slot_of: HashMap<u32, SlotId, foldhash::fast::FixedState>,
}

impl<'a> Rows<'a> {
    /// Opens the rows; `None` when the table has none in this group.
    pub fn open(block: &'a Contents, table: Table, group: u32) -> Result<Option<Self>> {
        let Some((shapes, classes, codes)) = open_shapes(block, table, group)? else { return Ok(None) };
        // The length of a sequence may be only claimed; the directory's count of rows is not.
        let rows = (table == Table::Spans).then(|| block.group_rows(group)).flatten();
        if rows.is_some_and(|rows| rows.end - rows.start != classes.unwrap_or(codes).len()) {
            return Err(BlockError::Damaged("a row group has another count of rows"));
        }
        let ranks = block.field_column(table, Field::Ranks).and_then(|column| block.chunk(column, group));
        Ok(Some(Self {
            block,
            table,
            group,
            shapes,
            classes,
            codes,
            ranks: ranks.map(|chunk| SeqView::open(&block.sections, &chunk.seq)).transpose()?,
            window: u64::MAX,
            held: Vec::new(),
            ahead: Ahead::default(),
            slots: Vec::new(),
            slot_of: HashMap::default(),
        }))
    }

    /// How many rows.
    pub fn len(&self) -> u64 {
        self.keys().len()
    }

    /// Whether rows have classes.
    pub fn has_classes(&self) -> bool {
        self.classes.is_some()
    }

    /// The shape of each class, or of each row.
    pub fn shape_codes(&self) -> &SeqView<'a> {
        &self.codes
    }

    fn keys(&self) -> &SeqView<'a> {
        self.classes.as_ref().unwrap_or(&self.codes)
    }

    /// The keys of a range of rows, appended to `out`.
    pub fn keys_of(&mut self, rows: Range<u64>, out: &mut Vec<u64>) -> Result<()> {
        let keys = *self.keys();
        self.ahead.append(&keys, rows, out)
    }

    /// The key of a row.
    #[inline]
    pub fn key(&mut self, row: u64) -> Result<u64> {
        if row / WINDOW != self.window {
            self.hold(row / WINDOW)?;
        }
        self.held.get((row % WINDOW) as usize).copied().or_damaged("a row lies outside of its group")
    }

    fn hold(&mut self, window: u64) -> Result<()> {
        let from = window * WINDOW;
        let rows = from..self.len().min(from.saturating_add(WINDOW));
        let mut held = std::mem::take(&mut self.held);
        held.clear();
        self.window = u64::MAX;
        let unpacked = append(self.keys(), rows, &mut held);
        self.held = held;
        unpacked?;
        self.window = window;
        Ok(())
    }

    /// The shape of the rows with a key.
    #[inline]
    pub fn shape_of(&self, key: u64) -> Result<u64> {
        if self.classes.is_some() { self.codes.get(key) } else { Ok(key) }
    }

    /// The head of a shape, and the columns that it names.
    pub fn items(&self, shape: u64) -> Result<(&'a [u32_le], &'a [u32_le])> {
        let items = self.shapes.get(shape).or_damaged("a row has an unknown shape")?;
        items.split_at_checked(self.table.shape_header()).or_damaged("a shape is too short")
    }

    /// Opens a column, by its number within the table.
    pub fn slot(&mut self, column: u32) -> Result<SlotId> {
        if let Some(&slot) = self.slot_of.get(&column) {
            return Ok(slot);
        }
        let global = self.block.table_columns(self.table).start.saturating_add(column);
        let mut reader = ColumnReader::open(self.block, global, self.group)?;
        reader.keep_pages(KEPT_BYTES);
        let chunk = self.block.chunk(global, self.group);
        let slot = self.slots.len() as SlotId;
        self.slots.push(Slot {
            reader,
            column,
            is_by_class: chunk.is_some_and(|chunk| chunk.mode.is_by_class()),
            rank: chunk.map_or(NO_RANK, |chunk| chunk.rank),
            times: Vec::new(),
            cursor: (0, 0),
            ahead: Ahead::default(),
        });
        self.slot_of.insert(column, slot);
        Ok(slot)
    }

    /// Opens the column of a field.
    pub fn field(&mut self, field: Field) -> Result<SlotId> {
        let column = self.block.field_column(self.table, field).or_damaged("a field has no column")?;
        self.slot(column - self.block.table_columns(self.table).start)
    }

    /// Whether a column has one value for each class.
    #[inline]
    pub fn is_by_class(&self, slot: SlotId) -> bool {
        self.slots.get(slot as usize).is_some_and(|slot| slot.is_by_class)
    }

    /// Where the value of a row lies in a column that every row has.
    #[inline]
    pub fn dense(&mut self, slot: SlotId, row: u64) -> Result<u64> {
        if self.is_by_class(slot) { self.key(row) } else { Ok(row) }
    }

    /// Where the first value of a row lies in a column that the row's shape names.
    pub fn place(&mut self, slot: SlotId, row: u64) -> Result<u64> {
        let last = self.key(row)?;
        let Self { slots, held, codes, classes, shapes, table, .. } = self;
        let found = slots.get_mut(slot as usize).or_damaged("there is no such column")?;
        if found.is_by_class {
            return Ok(last);
        }
        let window = row / WINDOW;
        let from = window * WINDOW;
        let (mut at, mut place) = found.cursor;
        if at < from || at > row {
            let steps = classes.as_ref().unwrap_or(codes).len().div_ceil(WINDOW).saturating_sub(1);
            (at, place) = (from, rank(self.ranks.as_ref(), found.rank, window, steps)?);
        }
        let keys = held.get((at - from) as usize..(row - from) as usize);
        for &key in keys.or_damaged("a row lies outside of its group")? {
            let times = match found.times.get(key as usize) {
                Some(&times) if times != UNKNOWN => times,
                _ => count(shapes, classes.is_some().then_some(codes), *table, key, found)?,
            };
            place = place.checked_add(times.into()).or_damaged("a rank is out of range")?;
        }
        found.cursor = (row, place);
        Ok(place)
    }

    /// An integer of a column.
    #[inline]
    pub fn int(&self, slot: SlotId, at: u64) -> Result<u64> {
        self.slots.get(slot as usize).or_damaged("there is no such column")?.reader.int(at)
    }

    /// Bytes of a column.
    #[inline]
    pub fn bytes(&mut self, slot: SlotId, at: u64) -> Result<&[u8]> {
        self.slots.get_mut(slot as usize).or_damaged("there is no such column")?.reader.bytes(at)
    }

    /// The dictionary's code of a value; `None` when the column has no dictionary in this group.
    #[inline]
    pub fn code(&self, slot: SlotId, at: u64) -> Result<Option<u64>> {
        self.slots.get(slot as usize).or_damaged("there is no such column")?.reader.code(at)
    }

    /// The integers that classes have in a column with one value for each class, if it is such a column.
    pub fn by_class(&mut self, field: Field) -> Result<Vec<u64>> {
        let mut out = Vec::new();
        let slot = self.field(field)?;
        if self.is_by_class(slot)
            && let ColumnReader::Ints(values) = &self.slots[slot as usize].reader
            && values.len() <= MAX_REMEMBERED as u64
        {
            append(values, 0..values.len(), &mut out)?;
        }
        Ok(out)
    }

    /// The integers that a range of rows has in a column that every row has, appended to `out`.
    pub fn fill(&mut self, field: Field, rows: Range<u64>, out: &mut Vec<u64>) -> Result<()> {
        let slot = self.field(field)?;
        let ColumnReader::Ints(values) = &self.slots[slot as usize].reader else {
            return Err(BlockError::Damaged("a column has no integers"));
        };
        let values = *values;
        if !self.is_by_class(slot) {
            return self.slots[slot as usize].ahead.append(&values, rows, out);
        }
        let from = out.len();
        self.keys_of(rows, out)?;
        out[from..].iter_mut().try_for_each(|key| {
            *key = values.get(*key)?;
            Ok(())
        })
    }
}

/// Values that were unpacked beyond what was asked for, since one range followed the other.
#[derive(Default)]
struct Ahead {
    from: u64,
    values: Vec<u64>,
    /// End of the range that was asked for last.
    end: u64,
}

impl Ahead {
    /// Appends a range of values.
    fn append(&mut self, values: &SeqView<'_>, range: Range<u64>, out: &mut Vec<u64>) -> Result<()> {
        let len = range.end.saturating_sub(range.start);
        let follows = std::mem::replace(&mut self.end, range.end) == range.start;
        if len >= WINDOW / 4 {
            return append(values, range, out);
        }
        if !self.holds(&range) {
            if !follows {
                return append(values, range, out);
            }
            self.values.clear();
            self.from = range.start;
            let to = values.len().min(range.start.saturating_add(WINDOW));
            append(values, range.start..to, &mut self.values)?;
        }
        let from = range.start.saturating_sub(self.from) as usize;
        let held = self.values.get(from..from + len as usize);
        out.extend_from_slice(held.or_damaged("a row lies outside of its group")?);
        Ok(())
    }

    fn holds(&self, range: &Range<u64>) -> bool {
        self.from <= range.start && range.end - self.from.min(range.end) <= self.values.len() as u64
    }
}

/// Appends a range of values, which is found to be there before room is made for it.
fn append(values: &SeqView<'_>, range: Range<u64>, out: &mut Vec<u64>) -> Result<()> {
    let len = range.end.checked_sub(range.start).filter(|_| range.end <= values.len());
    let len = len.and_then(|len| usize::try_from(len).ok()).or_damaged("a row lies outside of its group")?;
    let from = out.len();
    out.resize(from + len, 0);
    values.read(range.start, &mut out[from..])
}

/// How often the rows with a key name a column; `codes` has the shape of each class.
fn count(
    shapes: &ShapesView<'_>,
    codes: Option<&mut SeqView<'_>>,
    table: Table,
    key: u64,
    slot: &mut Slot<'_>,
) -> Result<u32> {
    let shape = codes.map_or(Ok(key), |codes| codes.get(key))?;
    let items = shapes.get(shape).and_then(|items| items.get(table.shape_header()..));
    let items = items.or_damaged("a row has an unknown shape")?;
    let times = items.iter().filter(|item| item.to_native() == slot.column).count() as u32;
    let key = key as usize;
    if key < MAX_REMEMBERED {
        if slot.times.len() <= key {
            slot.times.resize(key + 1, UNKNOWN);
        }
        slot.times[key] = times;
    }
    Ok(times)
}

/// Values before a window, by the row of the rank matrix that counts them.
fn rank(ranks: Option<&SeqView<'_>>, rank: u32, window: u64, steps: u64) -> Result<u64> {
    if window == 0 {
        return Ok(0);
    }
    let (Some(ranks), true) = (ranks, rank != NO_RANK) else {
        return Err(BlockError::Damaged("a column has no ranks"));
    };
    let at = u64::from(rank).checked_mul(steps).and_then(|at| at.checked_add(window - 1));
    ranks.get(at.or_damaged("a rank is out of range")?)
}
