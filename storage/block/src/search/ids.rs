//! Traces and parents of the rows of a row group.

use std::ops::Range;

use crate::columns::{Field, Table, unzigzag};
use crate::error::{BlockError, OrDamaged, Result};
use crate::reader::column::ColumnReader;
use crate::reader::contents::Contents;
use crate::search::bits::{Bits, Set};
use crate::search::judge::{Form, Judge, put_hex};
use crate::search::rows::Rows;
use crate::seq::SeqView;

/// Shows the traces that have rows among `rows`, which are numbered within the block: their places, and all rows of
/// each.
fn each_trace(
    block: &Contents,
    rows: &Range<u64>,
    mut see: impl FnMut(u64, Range<u64>) -> Result<()>,
) -> Result<()> {
    let first_rows = block.trace_column(Field::FirstRow)?;
    let (mut low, mut high) = (0, first_rows.len());
    while low < high {
        let middle = low + (high - low) / 2;
        if first_rows.get(middle)? <= rows.start { low = middle + 1 } else { high = middle }
    }
    let mut place = low.checked_sub(1).or_damaged("a row belongs to no trace")?;
    let mut from = first_rows.get(place)?;
    while from < rows.end {
        let next = place + 1;
        let to = if next < first_rows.len() { first_rows.get(next)? } else { block.meta.spans };
        if to <= from || to > block.meta.spans {
            return Err(BlockError::Damaged("the rows of the traces are out of order"));
        }
        see(place, from..to)?;
        if next >= first_rows.len() {
            break;
        }
        (place, from) = (next, to);
    }
    Ok(())
}

/// The part of a trace's rows that lies in a row group, counted from the group's first row.
fn within(trace: &Range<u64>, group: &Range<u64>) -> Range<usize> {
    let from = trace.start.max(group.start) - group.start;
    let to = trace.end.min(group.end).saturating_sub(group.start);
    from as usize..to as usize
}

/// The rows of a group whose trace's id matches.
pub(crate) fn trace_rows(block: &Contents, group: &Range<u64>, judge: &Judge) -> Result<Set> {
    let ids = block.ids()?;
    let mut out = Bits::none((group.end - group.start) as usize);
    if let Some((texts, is_out)) = judge.texts(Form::Hex) {
        for id in &texts {
            let id: Option<[u8; 16]> = id.as_ref().try_into().ok();
            let Some(place) = id.and_then(|id| ids.binary_search(&id).ok()) else { continue };
            let rows = block.trace_row(place as u64)?.rows;
            if rows.start < group.end && rows.end > group.start {
                out.set_range(within(&rows, group));
            }
        }
        let found = Set::Some(out).tidy();
        return Ok(if is_out { found.not() } else { found });
    }
    each_trace(block, group, |place, rows| {
        let id =
            usize::try_from(place).ok().and_then(|place| ids.get(place)).or_damaged("a trace has no id")?;
        if judge.bytes(Form::Hex, id) {
            out.set_range(within(&rows, group));
        }
        Ok(())
    })?;
    Ok(Set::Some(out).tidy())
}

/// Whether a span of the block, or a parent that is not in its trace, has the id 0: then a row that names a parent may
/// yet be a root.
pub(crate) fn has_zero_ids(block: &Contents) -> Result<bool> {
    let column = block.field_column(Table::Spans, Field::SpanId).or_damaged("a field has no column")?;
    for group in 0..block.groups.len() as u32 {
        let chunk = block.chunk(column, group).or_damaged("a field that every row has has no values")?;
        if SeqView::open(&block.sections, &chunk.seq)?.has_zero() {
            return Ok(true);
        }
    }
    let orphans = block.field_column(Table::Traces, Field::Orphan).and_then(|column| block.chunk(column, 0));
    match orphans {
        Some(chunk) => Ok(SeqView::open(&block.sections, &chunk.seq)?.has_zero()),
        None => Ok(false),
    }
}

/// The rows of a group without a parent id; `zero_ids` is what [`has_zero_ids`] says.
pub(crate) fn root_rows(rows: &mut Rows<'_>, group: &Range<u64>, zero_ids: bool) -> Result<Set> {
    let odd = match rows.field(Field::ParentBytes) {
        Some(column) => rows.presence(column)?,
        None => Set::None.into(),
    };
    if zero_ids || !odd.is_none() {
        let mut out = Bits::none(rows.len());
        Parents::open(rows)?.each(rows, group, None, |row, parent| {
            if parent.is_none() {
                out.set(row);
            }
        })?;
        return Ok(Set::Some(out).tidy());
    }
    let codes = dense(rows.block, Field::Parent, rows.group)?;
    if codes.len() != rows.len() as u64 {
        return Err(BlockError::Damaged("a column has another count of values than its rows name"));
    }
    let mut out = Bits::none(rows.len());
    match codes {
        SeqView::Const { value, .. } => return Ok(Set::of(value == 0)),
        SeqView::Packed(codes) => codes.select(0, 0, &mut out).or_damaged("a parent is out of range")?,
        SeqView::Dict { .. } => {
            for row in 0..codes.len() {
                if codes.get(row)? == 0 {
                    out.set(row as usize);
                }
            }
        }
    }
    Ok(Set::Some(out).tidy())
}

/// The rows of a group whose parent's id matches as text.
pub(crate) fn parent_rows(
    rows: &mut Rows<'_>,
    group: &Range<u64>,
    judge: &Judge,
    wanted: Option<&Set>,
) -> Result<Set> {
    let mut out = Bits::none(rows.len());
    let texts = judge.texts(Form::Hex);
    Parents::open(rows)?.each(rows, group, wanted, |row, parent| {
        let Some(parent) = parent else { return };
        let holds = match &texts {
            Some((texts, is_out)) => texts.iter().any(|text| **text == *parent) != *is_out,
            None => judge.bytes(Form::Hex, parent),
        };
        if holds {
            out.set(row);
        }
    })?;
    Ok(Set::Some(out).tidy())
}

fn dense(block: &Contents, field: Field, group: u32) -> Result<SeqView<'_>> {
    let column = block.field_column(Table::Spans, field).or_damaged("a field has no column")?;
    let chunk = block.chunk(column, group).or_damaged("a field that every row has has no values")?;
    SeqView::open(&block.sections, &chunk.seq)
}

/// Reads the parents of the rows of a group, in order.
pub(crate) struct Parents<'a> {
    codes: SeqView<'a>,
    /// Span ids of the row groups that were needed.
    ids: Vec<(u32, SeqView<'a>)>,
    odd: Option<OddParents<'a>>,
}

/// Parent ids that have not 8 bytes.
struct OddParents<'a> {
    reader: ColumnReader<'a>,
    is_by_class: bool,
    /// Whether a row has one, by label.
    named: Vec<u8>,
}

impl<'a> Parents<'a> {
    pub fn open(rows: &Rows<'a>) -> Result<Self> {
        let odd = match rows.field(Field::ParentBytes) {
            Some(column) => match rows.block.chunk(rows.global(column), rows.group) {
                Some(chunk) => Some(OddParents {
                    reader: ColumnReader::of_chunk(rows.block, chunk)?,
                    is_by_class: chunk.mode.is_by_class(),
                    named: rows.names(column)?,
                }),
                None => None,
            },
            None => None,
        };
        Ok(Self { codes: dense(rows.block, Field::Parent, rows.group)?, ids: Vec::new(), odd })
    }

    /// Shows each wanted row with its parent's id; none for a root.
    pub fn each(
        mut self,
        rows: &Rows<'a>,
        group: &Range<u64>,
        wanted: Option<&Set>,
        mut see: impl FnMut(usize, Option<&[u8]>),
    ) -> Result<()> {
        let block = rows.block;
        let mut next_odd = 0;
        each_trace(block, group, |place, trace| {
            let mut first_orphan = None;
            for row in within(&trace, group) {
                let is_wanted = wanted.is_none_or(|wanted| wanted.has(row));
                if let Some(OddParents { reader, is_by_class, named }) = &mut self.odd {
                    let label = rows.labels.get(row)?;
                    if named.get(label as usize).is_some_and(|&named| named != 0) {
                        let bytes = reader.bytes(if *is_by_class { u64::from(label) } else { next_odd })?;
                        next_odd += 1;
                        if is_wanted {
                            see(row, Some(bytes).filter(|id| id.iter().any(|&byte| byte != 0)));
                        }
                        continue;
                    }
                }
                if !is_wanted {
                    continue;
                }
                let id = match self.codes.get(row as u64)? {
                    0 => 0,
                    code if code % 2 == 1 => {
                        let back = unzigzag((code - 1) / 2);
                        let parent = (group.start + row as u64).checked_add_signed(back.wrapping_neg());
                        let parent = parent.filter(|parent| trace.contains(parent));
                        self.span_id(block, parent.or_damaged("a parent lies outside of its trace")?)?
                    }
                    code => {
                        let first = match first_orphan {
                            Some(known) => known,
                            None => *first_orphan.insert(block.trace_column(Field::FirstOrphan)?.get(place)?),
                        };
                        let at: Option<u64> = first.checked_add((code - 2) / 2);
                        block.orphan(at.or_damaged("an orphan is out of range")?)?
                    }
                };
                see(row, Some(&id.to_be_bytes()[..]).filter(|_| id != 0));
            }
            Ok(())
        })
    }

    fn span_id(&mut self, block: &'a Contents, row: u64) -> Result<u64> {
        let (group, rows) = block.group_of(row).or_damaged("a row lies in no group")?;
        let ids = match self.ids.iter().find(|(of, _)| *of == group) {
            Some((_, ids)) => *ids,
            None => {
                let ids = dense(block, Field::SpanId, group)?;
                self.ids.push((group, ids));
                ids
            }
        };
        ids.get(row - rows.start)
    }
}

/// The id of a row's trace as text.
pub(crate) fn trace_id_of(block: &Contents, row: u64, out: &mut Vec<u8>) -> Result<()> {
    let mut found = None;
    each_trace(block, &(row..row + 1), |place, _| {
        found = Some(place);
        Ok(())
    })?;
    let place = found.and_then(|place| usize::try_from(place).ok());
    let id = place.and_then(|place| block.ids().ok()?.get(place)).or_damaged("a trace has no id")?;
    out.clear();
    put_hex(id, out);
    Ok(())
}
