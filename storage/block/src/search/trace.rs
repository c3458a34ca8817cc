//! The spans of one trace of a block, as an evaluator of TraceQL asks for them: read in place, nothing is rebuilt.

use std::ops::Range;

use spanloom_span::TraceId;
use spanloom_traceql::ast;
use spanloom_traceql::eval::{Fragment, Identity, ParentId, ReadError};
use spanloom_traceql::plan::FieldId;
use spanloom_traceql::value::Value;

use crate::MAX_TRACE_BYTES;
use crate::columns::{Field, MARK_SHARED_ID, Table};
use crate::error::{BlockError, OrDamaged, Result};
use crate::reader::BlockReader;
use crate::reader::contents::Contents;
use crate::search::lookup::intrinsic::{is_zero, parent_row};
use crate::search::lookup::services::Services;
use crate::search::lookup::{Lookup, OfTrace, SpanRow};
use crate::seq::SeqView;

/// The traces of a block, one after the other. What is opened for one trace (columns, dictionaries) stays open for the
/// next; traces in the order of their places cost least.
pub struct BlockTraces<'a> {
    lookup: Lookup<'a>,
    services: Services,
    ids: &'a [[u8; 16]],
    first_rows: SeqView<'a>,
    starts: SeqView<'a>,
    first_orphans: SeqView<'a>,
    orphans: Option<SeqView<'a>>,
    marks: Option<SeqView<'a>>,
    /// Of a block that is elsewhere, the row groups that were brought.
    brought: Vec<bool>,
    scratch: Scratch,
}

/// Columns of a trace while they are looked at.
#[derive(Default)]
struct Scratch {
    keys: Vec<u64>,
    ids: Vec<u64>,
    parents: Vec<u64>,
    starts: Vec<u64>,
    durations: Vec<u64>,
}

/// The spans that a block has of one trace, in order of arrival.
pub struct BlockTrace<'t, 'a> {
    traces: &'t mut BlockTraces<'a>,
    place: u64,
    rows: Range<u64>,
    start: u64,
    first_orphan: u64,
    /// The row group that was asked for last, and its rows.
    group: (u32, Range<u64>),
}

impl<'a> BlockTraces<'a> {
    /// Resolves the fields of a plan, which are asked for by their places in the list.
    pub fn new(reader: &'a BlockReader, fields: &[ast::Field]) -> Result<Self> {
        let block = reader.contents();
        let open = |field| {
            let column = block.field_column(Table::Traces, field);
            let chunk = column.and_then(|column| block.chunk(column, 0));
            chunk.map(|chunk| SeqView::open(&block.sections, &chunk.seq)).transpose()
        };
        // A block without traces is without their columns, too.
        let column = |field| Ok::<_, BlockError>(open(field)?.unwrap_or(SeqView::Const { value: 0, len: 0 }));
        Ok(Self {
            lookup: Lookup::new(block, fields)?,
            services: Services::new(block),
            ids: block.ids()?,
            first_rows: column(Field::FirstRow)?,
            starts: column(Field::Start)?,
            first_orphans: column(Field::FirstOrphan)?,
            orphans: open(Field::Orphan)?,
            marks: open(Field::Marks)?,
            brought: if block.sections.are_far() { vec![false; block.groups.len()] } else { Vec::new() },
            scratch: Scratch::default(),
        })
    }

    /// How many traces the block has.
    pub fn len(&self) -> u64 {
        self.ids.len() as u64
    }

    /// Whether the block has no traces.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The trace at a place, 0 for the least id.
    pub fn trace(&mut self, place: u64) -> Result<BlockTrace<'_, 'a>> {
        let block = self.lookup.block;
        let from = self.first_rows.get(place)?;
        let is_last = place + 1 >= self.first_rows.len();
        let to = if is_last { block.meta.spans } else { self.first_rows.get(place + 1)? };
        let rows = u32::try_from(to.saturating_sub(from)).unwrap_or(u32::MAX);
        if from >= to || to > block.meta.spans || place >= self.len() {
            return Err(BlockError::Damaged("the rows of the traces are out of order"));
        }
        if u64::from(rows) * size_of::<Identity>() as u64 > MAX_TRACE_BYTES {
            return Err(BlockError::TooLarge { limit: MAX_TRACE_BYTES });
        }
        let group = block.group_of(from).or_damaged("a row lies in no group")?;
        self.bring(group.0, from..to)?;
        let (start, first_orphan) = (self.starts.get(place)?, self.first_orphans.get(place)?);
        Ok(BlockTrace { traces: self, place, rows: from..to, start, first_orphan, group })
    }

    /// Brings a whole row group: column by column would be a request for each, and who judges one trace mostly judges its
    /// neighbours, too.
    fn bring(&mut self, group: u32, rows: Range<u64>) -> Result<()> {
        match self.brought.get_mut(group as usize) {
            Some(brought) if !*brought => *brought = true,
            _ => return Ok(()),
        }
        self.block().bring_rows(rows)
    }

    fn block(&self) -> &'a Contents {
        self.lookup.block
    }
}

impl BlockTrace<'_, '_> {
    /// The trace.
    pub fn id(&self) -> TraceId {
        TraceId(*self.id_bytes())
    }

    /// Its place among the block's traces.
    pub fn place(&self) -> u64 {
        self.place
    }

    /// Earliest start in this block, nanoseconds since 1970.
    pub fn start(&self) -> u64 {
        self.start
    }

    /// What tells each span from the others: its id as a big-endian integer and OTLP's code of its kind, in the order
    /// of rows.
    pub fn span_keys(&mut self) -> Result<Vec<(u64, i32)>> {
        let mut identities = Vec::new();
        self.read_identities(&mut identities)?;
        Ok(identities.iter().map(|span| (span.id, span.kind)).collect())
    }

    fn id_bytes(&self) -> &[u8; 16] {
        self.traces.ids.get(self.place as usize).unwrap_or(&[0; 16])
    }

    /// Where a span lies, and what its trace says of it.
    #[inline]
    fn at(&mut self, span: u32) -> Result<SpanRow> {
        let row = self.rows.start + u64::from(span);
        if row >= self.rows.end {
            return Err(BlockError::Damaged("a trace has no such span"));
        }
        if !self.group.1.contains(&row) {
            self.group = self.traces.block().group_of(row).or_damaged("a row lies in no group")?;
        }
        Ok(SpanRow { group: self.group.0, row: row - self.group.1.start })
    }

    fn read_identities(&mut self, out: &mut Vec<Identity>) -> Result<()> {
        let scratch = &mut self.traces.scratch;
        scratch.ids.clear();
        let mut pieces = Pieces { block: self.traces.block(), rows: self.rows.clone() };
        let mut first = out.len();
        let begin = first;
        while let Some((group, rows)) = pieces.next()? {
            self.read_piece(group, rows.clone(), out)?;
            first += (rows.end - rows.start) as usize;
            (out.len() == first).then_some(()).or_damaged("a row lies outside of its group")?;
        }
        self.link(&mut out[begin..])
    }

    /// Appends identities without their parents, whose codes stay in the scratch space.
    fn read_piece(&mut self, group: u32, rows: Range<u64>, out: &mut Vec<Identity>) -> Result<()> {
        let BlockTraces { lookup, scratch, .. } = &mut *self.traces;
        let is_first = scratch.ids.is_empty();
        let Scratch { keys, ids, parents, starts, durations } = scratch;
        for list in [&mut *keys, starts, durations] {
            list.clear();
        }
        if is_first {
            parents.clear();
        }
        let from = ids.len();
        let spans = &mut lookup.group(group)?.spans;
        spans.keys_of(rows.clone(), keys)?;
        spans.fill(Field::SpanId, rows.clone(), ids)?;
        spans.fill(Field::Parent, rows.clone(), parents)?;
        spans.fill(Field::Start, rows.clone(), starts)?;
        spans.fill(Field::Duration, rows, durations)?;
        let columns = ids[from..].iter().zip(&*keys).zip(starts.iter().zip(&*durations));
        out.reserve(keys.len());
        let mut last = None;
        for ((&id, &key), (&start, &duration)) in columns {
            let kind = match last {
                Some((last, kind)) if last == key => kind,
                _ => lookup.head(group, key)?.kind,
            };
            last = Some((key, kind));
            let start = self.start.wrapping_add(start);
            out.push(Identity { id, kind, parent: ParentId::Root, start, duration });
        }
        Ok(())
    }

    /// Sets the parents of all spans of the trace.
    fn link(&mut self, out: &mut [Identity]) -> Result<()> {
        let block = self.traces.block();
        let BlockTraces { lookup, scratch, orphans, .. } = &mut *self.traces;
        for (row, (identity, &code)) in out.iter_mut().zip(&scratch.parents).enumerate() {
            let id = if code == 0 {
                continue;
            } else if code % 2 == 1 {
                let parent = parent_row(row as u64, code).and_then(|row| scratch.ids.get(row as usize));
                *parent.or_damaged("a parent lies outside of its trace")?
            } else {
                let at = self.first_orphan.checked_add((code - 2) / 2);
                let orphans = orphans.or_damaged("an orphan is out of range")?;
                orphans.get(at.or_damaged("an orphan is out of range")?)?
            };
            identity.parent = if id == 0 { ParentId::Root } else { ParentId::Id(id) };
        }
        let column = block.field_column(Table::Spans, Field::ParentBytes);
        if column.is_none_or(|column| block.chunks_of(column).is_empty()) {
            return Ok(());
        }
        let first_row = self.rows.start;
        let mut pieces = Pieces { block, rows: self.rows.clone() };
        while let Some((group, rows)) = pieces.next()? {
            let group = lookup.group(group)?;
            for row in rows {
                if let Some((slot, place)) = group.parent_bytes(row, block)? {
                    let is_root = is_zero(group.spans.bytes(slot, place)?);
                    let span = (group.first_row + row - first_row) as usize;
                    let identity = out.get_mut(span).or_damaged("a row lies outside of its group")?;
                    identity.parent = if is_root { ParentId::Root } else { ParentId::Other };
                }
            }
        }
        Ok(())
    }

    fn count_services(&mut self, keep: Option<&[bool]>, see: &mut dyn FnMut(&[u8], u64, u64)) -> Result<()> {
        let first_row = self.rows.start;
        let mut pieces = Pieces { block: self.traces.block(), rows: self.rows.clone() };
        let BlockTraces { lookup, services, scratch, .. } = &mut *self.traces;
        services.begin(lookup);
        while let Some((group, rows)) = pieces.next()? {
            let base = lookup.group(group)?.first_row + rows.start - first_row;
            let keep = keep.map(|keep| keep.get(base as usize..).unwrap_or_default());
            scratch.keys.clear();
            lookup.group(group)?.spans.keys_of(rows.clone(), &mut scratch.keys)?;
            services.count(lookup, group, rows, &scratch.keys, keep)?;
        }
        services.show(lookup, see)
    }

    fn see_text(&mut self, span: u32, field: Field, see: &mut dyn FnMut(&[u8])) -> Result<()> {
        let at = self.at(span)?;
        let spans = &mut self.traces.lookup.group(at.group)?.spans;
        let slot = spans.field(field)?;
        let place = spans.dense(slot, at.row)?;
        see(spans.bytes(slot, place)?);
        Ok(())
    }
}

/// Rows cut at the borders of row groups.
struct Pieces<'a> {
    block: &'a Contents,
    rows: Range<u64>,
}

impl Pieces<'_> {
    /// The next group, and the rows within it; `None` at the end.
    fn next(&mut self) -> Result<Option<(u32, Range<u64>)>> {
        if self.rows.is_empty() {
            return Ok(None);
        }
        let from = self.rows.start;
        let (group, rows) = self.block.group_of(from).or_damaged("a row lies in no group")?;
        let to = self.rows.end.min(rows.end);
        // A group whose end lies before its first row would be looked at for ever.
        (to > from).then_some(()).or_damaged("a row lies in no group")?;
        self.rows.start = to;
        Ok(Some((group, from - rows.start..to - rows.start)))
    }
}

/// What a fragment answers.
type Answer = std::result::Result<(), ReadError>;

impl Fragment for BlockTrace<'_, '_> {
    fn len(&self) -> u32 {
        u32::try_from(self.rows.end - self.rows.start).unwrap_or(u32::MAX)
    }

    fn identities(&mut self, out: &mut Vec<Identity>) -> Answer {
        Ok(self.read_identities(out)?)
    }

    fn ids_are_distinct(&self) -> Option<bool> {
        let marks = self.traces.marks.as_ref()?.get(self.place).ok()?;
        Some(marks & MARK_SHARED_ID == 0)
    }

    fn see(&mut self, span: u32, field: FieldId, see: &mut dyn FnMut(Value<'_>)) -> Answer {
        let at = self.at(span)?;
        let of = OfTrace {
            id: self.traces.ids.get(self.place as usize).unwrap_or(&[0; 16]),
            first_row: self.rows.start,
            place: self.place,
        };
        Ok(self.traces.lookup.see(at, of, field.0.into(), see)?)
    }

    fn attributes(&mut self, span: u32, see: &mut dyn FnMut(ast::Scope, &[u8], Value<'_>)) -> Answer {
        let at = self.at(span)?;
        Ok(self.traces.lookup.attributes(at, see)?)
    }

    fn name(&mut self, span: u32, see: &mut dyn FnMut(&[u8])) -> Answer {
        Ok(self.see_text(span, Field::Name, see)?)
    }

    fn service(&mut self, span: u32, see: &mut dyn FnMut(&[u8])) -> Answer {
        let at = self.at(span)?;
        let BlockTraces { lookup, services, .. } = &mut *self.traces;
        Ok(services.of_span(lookup, at, see)?)
    }

    fn services(&mut self, keep: Option<&[bool]>, see: &mut dyn FnMut(&[u8], u64, u64)) -> Answer {
        Ok(self.count_services(keep, see)?)
    }
}

impl From<BlockError> for ReadError {
    fn from(error: BlockError) -> Self {
        Self(Box::new(error))
    }
}
