//! A trace of which parts are in several inputs, or of which rows are left out: which of its spans stay, and where
//! their parents are then.
//!
//! A span is the same when span id and kind are; of those that agree the first one stays. The order is that of the
//! inputs, oldest first, as it is when a trace is joined for a reader.

use std::ops::Range;

use crate::columns::{Field, Table, unzigzag};
use crate::directory::Mode;
use crate::error::{BlockError, OrDamaged, Result};
use crate::reader::contents::Contents;
use crate::reader::table::open_shapes;
use crate::seq::SeqView;
use crate::shape::ShapesView;
use crate::writer::trace::{OpenTrace, ParentLink};

/// What is noted of a row while a trace is joined, in bytes.
const ROW_BYTES: u64 = 48;

/// The columns that say which span a row is.
pub(crate) struct Heads<'a> {
    rows: Range<u64>,
    shapes: ShapesView<'a>,
    classes: Option<SeqView<'a>>,
    shape_codes: SeqView<'a>,
    ids: SeqView<'a>,
    parents: SeqView<'a>,
    starts: SeqView<'a>,
    durations: SeqView<'a>,
}

impl<'a> Heads<'a> {
    fn open(block: &'a Contents, row: u64) -> Result<Self> {
        let (group, rows) = block.group_of(row).or_damaged("a row lies in no group")?;
        let shapes = open_shapes(block, Table::Spans, group)?;
        let (shapes, classes, shape_codes) = shapes.or_damaged("a row group has no spans")?;
        let ints = |field: Field| open_ints(block, field, group);
        Ok(Self {
            rows,
            shapes,
            classes,
            shape_codes,
            ids: ints(Field::SpanId)?,
            parents: ints(Field::Parent)?,
            starts: ints(Field::Start)?,
            durations: ints(Field::Duration)?,
        })
    }

    fn kind(&self, at: u64) -> Result<i32> {
        let class = self.classes.map_or(Ok(at), |classes| classes.get(at))?;
        let shape = self.shapes.get(self.shape_codes.get(class)?).or_damaged("a row has an unknown shape")?;
        Ok(shape.first().or_damaged("a shape is too short")?.to_native() as i32)
    }
}

/// Opens the integers that a field of the spans has for every row of a row group.
pub(crate) fn open_ints(block: &Contents, field: Field, group: u32) -> Result<SeqView<'_>> {
    let chunk = block.field_column(Table::Spans, field).and_then(|column| block.chunk(column, group));
    let chunk = chunk.filter(|chunk| chunk.mode == Mode::Ints).or_damaged("a row group lacks a column")?;
    SeqView::open(&block.sections, &chunk.seq)
}

/// A part of a trace: its rows in an input.
pub(crate) struct Part<'a> {
    pub block: &'a Contents,
    pub rows: Range<u64>,
    /// Earliest start, and first of the orphans, as the input's trace table has them.
    pub start: u64,
    pub first_orphan: u64,
}

/// The trace as it will be.
#[derive(Default)]
pub(crate) struct Joined {
    /// For each row of all parts, one after the other, whether it stays: bits.
    kept: Vec<u64>,
    rows: u64,
    pub start: u64,
    pub end: u64,
    /// Rows that stay.
    pub spans: u64,
    /// Rows left out since their span came before.
    pub duplicates: u64,
    /// For each row that stays the code of its parent.
    pub parents: Vec<u64>,
    ids: Vec<u64>,
}

impl Joined {
    /// Forgets the trace before.
    pub fn clear(&mut self) {
        self.kept.clear();
        self.parents.clear();
        (self.rows, self.start, self.end, self.spans, self.duplicates) = (0, u64::MAX, 0, 0, 0);
    }

    /// Whether a row stays, counted over all parts.
    #[inline]
    pub fn keeps(&self, row: u64) -> bool {
        self.kept.get((row / 64) as usize).is_some_and(|word| word >> (row % 64) & 1 == 1)
    }

    /// Adds a part, of which `keep` says for each row whether it is wanted. `heads` is what was opened for the part
    /// of the same input before.
    pub fn add<'a>(
        &mut self,
        part: &Part<'a>,
        trace: &mut OpenTrace,
        heads: &mut Option<Heads<'a>>,
        limit: u64,
        mut keep: impl FnMut(u64) -> bool,
    ) -> Result<()> {
        self.ids.clear();
        let first = self.rows;
        for row in part.rows.clone() {
            if (self.rows + 1) * ROW_BYTES > limit {
                return Err(BlockError::TooLarge { limit });
            }
            let at = match heads.as_ref().filter(|heads| heads.rows.contains(&row)) {
                Some(heads) => heads,
                None => heads.insert(Heads::open(part.block, row)?),
            };
            self.ids.push(at.ids.get(row - at.rows.start)?);
            if self.rows.is_multiple_of(64) {
                self.kept.push(0);
            }
            self.rows += 1;
        }
        // Again from the first row: a parent may come after its child.
        for row in part.rows.clone() {
            let at = match heads.as_ref().filter(|heads| heads.rows.contains(&row)) {
                Some(heads) => heads,
                None => heads.insert(Heads::open(part.block, row)?),
            };
            if !keep(row) {
                continue;
            }
            let nth = row - part.rows.start;
            let at_row = row - at.rows.start;
            let link = self.link(part, nth, at.parents.get(at_row)?)?;
            let id = self.ids.get(nth as usize).copied().or_damaged("a row lies outside of its trace")?;
            if !trace.add(id, at.kind(at_row)?, link) {
                self.duplicates += 1;
                continue;
            }
            let place = first + nth;
            self.kept[(place / 64) as usize] |= 1 << (place % 64);
            self.spans += 1;
            let start = part.start.wrapping_add(at.starts.get(at_row)?);
            self.start = self.start.min(start);
            self.end = self.end.max(start.saturating_add(at.durations.get(at_row)?));
        }
        Ok(())
    }

    fn link(&self, part: &Part<'_>, nth: u64, code: u64) -> Result<ParentLink> {
        if code == 0 {
            return Ok(ParentLink::None);
        }
        if code.is_multiple_of(2) {
            let at = part.first_orphan.checked_add((code - 2) / 2);
            return part.block.orphan(at.or_damaged("an orphan is out of range")?).map(ParentLink::Id);
        }
        let row =
            (nth as i64).checked_sub(unzigzag((code - 1) / 2)).and_then(|row| usize::try_from(row).ok());
        let id = row.and_then(|row| self.ids.get(row));
        Ok(ParentLink::Id(*id.or_damaged("a parent lies outside of its trace")?))
    }
}
