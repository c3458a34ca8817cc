//! A block that is merged: its trace table, and the row group that its rows are taken from.
//!
//! All columns move forward together, trace by trace, so that a row group is read once and then left for good.

use std::ops::Range;

use spanloom_span::{TraceId, encode};

use crate::columns::{Field, Table};
use crate::error::{BlockError, OrDamaged, Result};
use crate::id::BlockId;
use crate::merge::copy::{Columns, MAX_CLASSES, RowPlan, TableCopy};
use crate::merge::joined::{Heads, Part, open_ints};
use crate::merge::window::{Touched, Window};
use crate::reader::contents::Contents;
use crate::reader::trace::Rebuild;
use crate::seq::SeqView;
use crate::writer::merged::MergedRow;
use crate::writer::scope::ScopeRow;
use crate::writer::{BlockBuilder, Boundary, TraceEntry};

/// Most bytes of memory that a resource with a scope may take.
const MAX_SCOPE_BYTES: u64 = 1 << 28;

/// Ids that are copied together.
const COPIED_IDS: usize = 128;

/// A block that is merged.
pub(crate) struct Input<'a> {
    pub id: BlockId,
    pub block: &'a Contents,
    ids: &'a [[u8; 16]],
    /// Some of the ids, from a place on: so that not each of them brings in a page.
    copied_ids: (usize, Vec<[u8; 16]>),
    /// Trace that comes next, and its first row.
    place: usize,
    next_row: u64,
    traces: Option<TraceWindows<'a>>,
    group: Option<OpenGroup<'a>>,
    pub heads: Option<Heads<'a>>,
    columns: [Columns; 3],
    /// Rows of the scopes in the output, as far as they are known.
    scopes: Vec<Option<ScopeRow>>,
    /// Resource of each scope.
    resources: Option<Window<'a>>,
    /// The row before, in the part of a trace that is being taken.
    last: Option<LastRow>,
    /// Rows that went into outputs before the open one, and all so far.
    taken: (u64, u64),
    touched: Touched,
    /// Bytes that may be touched before pages are given back.
    most_touched: u64,
}

/// The scope of a row, and its resource, as the input numbers them.
#[derive(Debug, Clone, Copy)]
struct LastRow {
    scope: u64,
    resource: u64,
}

/// The trace table's columns.
struct TraceWindows<'a> {
    first_row: Window<'a>,
    start: Window<'a>,
    duration: Window<'a>,
    root_row: Window<'a>,
    errors: Window<'a>,
    sealed_through: Window<'a>,
    first_orphan: Window<'a>,
    /// `None` in the first blocks, both.
    marks: Option<Window<'a>>,
    digest: Option<Window<'a>>,
    orphans: Option<SeqView<'a>>,
}

/// The row group that rows are taken from.
struct OpenGroup<'a> {
    rows: Range<u64>,
    /// What is known of the row that was opened.
    plan: RowPlan,
    spans: TableCopy<'a>,
    events: Option<TableCopy<'a>>,
    links: Option<TableCopy<'a>>,
    ids: Window<'a>,
    parents: Window<'a>,
    starts: Window<'a>,
    durations: Window<'a>,
    scopes: Scopes<'a>,
}

/// Scope of each row, or of each class.
enum Scopes<'a> {
    Rows(Window<'a>),
    /// With those of the first classes, as far as they were asked for.
    Classes(SeqView<'a>, Vec<u64>),
}

impl Scopes<'_> {
    #[inline]
    fn get(&mut self, row: u64, class: u64) -> Result<u64> {
        match self {
            Self::Rows(scopes) => scopes.get(row),
            Self::Classes(scopes, known) => {
                if let Some(known) = known.get(class as usize) {
                    return Ok(*known);
                }
                while known.len() < MAX_CLASSES as usize && known.len() as u64 <= class {
                    known.push(scopes.get(known.len() as u64)?);
                }
                scopes.get(class)
            }
        }
    }
}

/// A trace of the input, as its trace table has it.
#[derive(Debug, Clone)]
pub(crate) struct InputTrace {
    pub rows: Range<u64>,
    pub entry: TraceEntry,
    /// Whether the marks and the digest are known.
    pub is_known: bool,
    pub orphans: Range<u64>,
}

/// A row of a trace, but for what is known of it before it is moved.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TakenRow {
    pub kind: i32,
    pub code: i32,
    pub span_id: u64,
    /// Code of the parent in the input.
    pub parent: u64,
    /// Whether the parent's bytes, if they are no id, are all zero.
    pub parent_is_zero: Option<bool>,
    pub start: u64,
    /// Whether the output's row group was written.
    pub did_cut: bool,
}

/// What is known of a row before it is moved.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Placing {
    /// Code of the parent, where it is another than in the input.
    pub parent: Option<u64>,
    /// Start of the trace in the output, and in the input.
    pub trace_start: u64,
    pub input_start: u64,
}

impl<'a> Input<'a> {
    /// Begins before the first trace.
    pub fn new(id: BlockId, block: &'a Contents, most_touched: u64) -> Result<Self> {
        let touched = Touched::default();
        let ids = block.ids()?;
        let traces = if ids.is_empty() { None } else { Some(TraceWindows::open(block, &touched)?) };
        // All ids and the whole trace table were read, for their checksums; they are read again piece by piece.
        block.sections.release_pages();
        Ok(Self {
            id,
            block,
            ids,
            copied_ids: (0, Vec::new()),
            place: 0,
            next_row: 0,
            traces,
            group: None,
            heads: None,
            columns: Default::default(),
            scopes: Vec::new(),
            resources: open_resources(block, &touched)?,
            last: None,
            taken: (0, 0),
            touched,
            most_touched: if block.meta.file_bytes > most_touched { most_touched } else { u64::MAX },
        })
    }

    /// The trace that comes next.
    pub fn next_id(&mut self) -> Option<TraceId> {
        self.id_at(self.place).map(TraceId)
    }

    fn id_at(&mut self, place: usize) -> Option<[u8; 16]> {
        let (from, copied) = &mut self.copied_ids;
        if let Some(id) = copied.get(place.wrapping_sub(*from)) {
            return Some(*id);
        }
        *from = place;
        copied.clear();
        copied.extend(self.ids.get(place..)?.iter().take(COPIED_IDS));
        self.touched.add(0);
        copied.first().copied()
    }

    /// Takes the trace that comes next. Its rows are to be taken or passed over then.
    pub fn next_trace(&mut self) -> Result<InputTrace> {
        let place = self.place as u64;
        let id = self.id_at(self.place).or_damaged("there is no such trace")?;
        let is_last = self.place + 1 == self.ids.len();
        let next_id = if is_last { None } else { self.id_at(self.place + 1) };
        let traces = self.traces.as_mut().or_damaged("there is no such trace")?;
        next_id.is_none_or(|next| next > id).then_some(()).or_damaged("the trace ids are out of order")?;
        let count = self.ids.len() as u64;
        let first = traces.first_row.get(place)?;
        let end = if place + 1 < count { traces.first_row.get(place + 1)? } else { self.block.meta.spans };
        if first != self.next_row || end <= first || end > self.block.meta.spans {
            return Err(BlockError::Damaged("the rows of the traces are out of order"));
        }
        let first_orphan = traces.first_orphan.get(place)?;
        let all = traces.orphans.map_or(0, |orphans| orphans.len());
        let last_orphan = if place + 1 < count { traces.first_orphan.get(place + 1)? } else { all };
        if first_orphan > last_orphan || last_orphan > all {
            return Err(BlockError::Damaged("the orphans of the traces are out of order"));
        }
        let entry = TraceEntry {
            id: TraceId(id),
            first_row: 0,
            start: traces.start.get(place)?,
            duration: traces.duration.get(place)?,
            root_row: traces.root_row.get(place)?,
            errors: traces.errors.get(place)?,
            sealed_through: traces.sealed_through.get(place)?,
            marks: traces.marks.as_mut().map_or(Ok(0), |marks| marks.get(place))?,
            digest: traces.digest.as_mut().map_or(Ok(0), |digest| digest.get(place))? as u32,
        };
        (self.place, self.next_row, self.last) = (self.place + 1, end, None);
        let is_known = traces.marks.is_some() && traces.digest.is_some();
        Ok(InputTrace { rows: first..end, entry, is_known, orphans: first_orphan..last_orphan })
    }

    /// Ids of parents that are not in their trace.
    pub fn orphans(&self, range: Range<u64>, out: &mut Vec<u64>) -> Result<()> {
        out.clear();
        let Some(orphans) = self.traces.as_ref().and_then(|traces| traces.orphans) else { return Ok(()) };
        for at in range {
            out.push(orphans.get(at)?);
        }
        Ok(())
    }

    /// A trace as a part of one that has several.
    pub fn part(&self, trace: &InputTrace) -> Part<'a> {
        Part {
            block: self.block,
            rows: trace.rows.clone(),
            start: trace.entry.start,
            first_orphan: trace.orphans.start,
        }
    }

    /// Makes a row the one that is taken or passed over next. Gives what begins with it.
    #[inline]
    pub fn open_row(&mut self, row: u64) -> Result<Boundary> {
        self.open_group(row)?;
        self.release_excess();
        let group = self.group.as_mut().or_damaged("a row lies in no group")?;
        let plan = group.spans.plan()?;
        group.plan = plan;
        let scope = group.scopes.get(row - group.rows.start, plan.class)?;
        let last = self.last;
        if let Some(last) = last.filter(|last| last.scope == scope) {
            self.last = Some(last);
            return Ok(plan.mark);
        }
        let resource = self.resources.as_mut().or_damaged("there are no scopes")?.get(scope)?;
        self.last = Some(LastRow { scope, resource });
        let implied = match last {
            Some(last) if last.resource == resource => Boundary::Scope,
            _ => Boundary::Resource,
        };
        Ok(implied.max(plan.mark))
    }

    /// The scope of the row that was opened, in the output.
    #[inline]
    pub fn scope(&mut self, builder: &mut BlockBuilder) -> Result<ScopeRow> {
        let LastRow { scope, resource } = self.last.or_damaged("a row has no scope")?;
        match self.scopes.get(scope as usize) {
            Some(Some(known)) => Ok(*known),
            _ => self.find_scope(scope, resource, builder),
        }
    }

    /// Makes the row group of a row the open one.
    fn open_group(&mut self, row: u64) -> Result<()> {
        if self.group.as_ref().is_some_and(|group| group.rows.contains(&row)) {
            return Ok(());
        }
        self.group = None;
        self.release_pages();
        let (number, rows) = self.block.group_of(row).or_damaged("a row lies in no group")?;
        (rows.start == row).then_some(()).or_damaged("the row groups are out of order")?;
        let open = OpenGroup::open(self.block, number, rows, &self.touched)?;
        self.group = Some(open);
        Ok(())
    }

    #[cold]
    fn find_scope(&mut self, row: u64, resource: u64, builder: &mut BlockBuilder) -> Result<ScopeRow> {
        /// A row that is so far beyond the others is claimed by a forger, and is not worth the room.
        const AHEAD: usize = 4096;
        self.touched.add(0);
        let mut rebuild = Rebuild::of_scopes(self.block, MAX_SCOPE_BYTES)?;
        let (of_resource, of_scope) = (rebuild.resource(resource)?, rebuild.scope(row)?);
        let (mut body, mut scope_body) = (Vec::new(), Vec::new());
        encode::put_resource(&mut body, &of_resource.resource);
        encode::put_scope(&mut scope_body, &of_scope.scope);
        let found = builder.scope_tables().find_bodies(
            (&body, of_resource.schema_url.as_bytes()),
            (&scope_body, of_scope.schema_url.as_bytes()),
        )?;
        let at = row as usize;
        if at <= self.scopes.len() * 2 + AHEAD {
            if self.scopes.len() <= at {
                self.scopes.resize(at + 1, None);
            }
            self.scopes[at] = Some(found);
        }
        Ok(found)
    }

    /// Moves the row that was opened, with its mark.
    pub fn take_row(
        &mut self,
        row: u64,
        scope: ScopeRow,
        mark: Boundary,
        placing: &Placing,
        builder: &mut BlockBuilder,
    ) -> Result<TakenRow> {
        let group = self.group.as_mut().or_damaged("a row lies in no group")?;
        let [of_spans, of_events, of_links] = &mut self.columns;
        let at = row - group.rows.start;
        let tables = builder.span_tables();
        let plan = group.plan;
        let met = group.spans.run(&plan, of_spans, &mut tables.spans)?;
        if let Some(end) = met.ends[0] {
            let events = group.events.as_mut().or_damaged("a span has events and its group has none")?;
            let end = events.take_to(end, of_events, &mut tables.events)?;
            tables.spans.dense_int(Field::EventsEnd, end);
        }
        if let Some(end) = met.ends[1] {
            let links = group.links.as_mut().or_damaged("a span has links and its group has none")?;
            let end = links.take_to(end, of_links, &mut tables.links)?;
            tables.spans.dense_int(Field::LinksEnd, end);
        }
        let shape = group.spans.shape(&plan, mark, &mut tables.spans)?;
        let parent = group.parents.get(at)?;
        let start = placing.input_start.wrapping_add(group.starts.get(at)?);
        let merged = MergedRow {
            span_id: group.ids.get(at)?,
            parent: placing.parent.unwrap_or(parent),
            start: start.wrapping_sub(placing.trace_start),
            duration: group.durations.get(at)?,
            scope,
        };
        let did_cut = builder.push_merged(&merged, shape, placing.trace_start)?;
        self.taken.1 += 1;
        Ok(TakenRow {
            kind: plan.head[0] as i32,
            code: plan.head[1] as i32,
            span_id: merged.span_id,
            parent,
            parent_is_zero: met.parent_is_zero,
            start,
            did_cut,
        })
    }

    /// Passes over the row that was opened.
    pub fn skip_row(&mut self) -> Result<()> {
        let group = self.group.as_mut().or_damaged("a row lies in no group")?;
        let plan = group.plan;
        let met = group.spans.skip(&plan)?;
        if let Some(end) = met.ends[0] {
            group.events.as_mut().or_damaged("a span has events and its group has none")?.skip_to(end)?;
        }
        if let Some(end) = met.ends[1] {
            group.links.as_mut().or_damaged("a span has links and its group has none")?.skip_to(end)?;
        }
        Ok(())
    }

    /// Passes over rows.
    pub fn pass_over(&mut self, rows: Range<u64>) -> Result<()> {
        for row in rows {
            self.open_row(row)?;
            self.skip_row()?;
        }
        Ok(())
    }

    /// Forgets what holds for one output.
    pub fn begin_output(&mut self) {
        self.columns.iter_mut().for_each(Columns::clear);
        self.scopes = Vec::new();
        if let Some(group) = &mut self.group {
            group.spans.begin_output();
            group.events.iter_mut().chain(&mut group.links).for_each(TableCopy::begin_output);
        }
    }

    /// OTLP bytes of the rows that went into the output that ends, as far as the block says: its bytes are spread
    /// evenly over its rows.
    pub fn end_output(&mut self) -> u64 {
        let meta = &self.block.meta;
        let of = |rows: u64| {
            (u128::from(meta.raw_bytes) * u128::from(rows) / u128::from(meta.spans.max(1))) as u64
        };
        let bytes = of(self.taken.1).saturating_sub(of(self.taken.0));
        self.taken.0 = self.taken.1;
        bytes
    }

    /// What is held for translating into the output.
    pub fn held_bytes(&self) -> usize {
        self.columns.iter().map(Columns::held_bytes).sum::<usize>()
            + self.scopes.capacity() * size_of::<Option<ScopeRow>>()
    }

    /// Gives the pages that were touched back when they may be more than the input's share.
    #[inline]
    pub fn release_excess(&mut self) {
        if self.touched.bytes() > self.most_touched {
            self.release_pages();
        }
    }

    /// Gives the pages that were touched back. What is still open brings in again what it needs.
    fn release_pages(&mut self) {
        self.block.sections.release_pages();
        self.touched.clear();
    }
}

/// The resource of each scope; `None` when there are no scopes.
fn open_resources<'a>(block: &'a Contents, touched: &Touched) -> Result<Option<Window<'a>>> {
    let column = block.field_column(Table::Scopes, Field::Resource);
    let Some(chunk) = column.and_then(|column| block.chunk(column, 0)) else { return Ok(None) };
    Ok(Some(Window::new(SeqView::open(&block.sections, &chunk.seq)?, touched)))
}

impl<'a> TraceWindows<'a> {
    fn open(block: &'a Contents, touched: &Touched) -> Result<Self> {
        let window = |field: Field| block.trace_column(field).map(|column| Window::new(column, touched));
        let has = |field: Field| {
            block.field_column(Table::Traces, field).is_some_and(|column| block.chunk(column, 0).is_some())
        };
        Ok(Self {
            first_row: window(Field::FirstRow)?,
            start: window(Field::Start)?,
            duration: window(Field::Duration)?,
            root_row: window(Field::RootRow)?,
            errors: window(Field::Errors)?,
            sealed_through: window(Field::SealedThrough)?,
            first_orphan: window(Field::FirstOrphan)?,
            marks: has(Field::Marks).then(|| window(Field::Marks)).transpose()?,
            digest: has(Field::Digest).then(|| window(Field::Digest)).transpose()?,
            orphans: has(Field::Orphan).then(|| block.trace_column(Field::Orphan)).transpose()?,
        })
    }
}

impl<'a> OpenGroup<'a> {
    fn open(block: &'a Contents, number: u32, rows: Range<u64>, touched: &Touched) -> Result<Self> {
        let spans =
            TableCopy::open(block, Table::Spans, number, touched)?.or_damaged("a row group has no spans")?;
        if spans.len() != rows.end - rows.start {
            return Err(BlockError::Damaged("a row group has another count of rows"));
        }
        let ints = |field: Field| {
            let column = block.field_column(Table::Spans, field).unwrap_or_default();
            touched.add(block.chunk_bytes(column, number));
            open_ints(block, field, number).map(|values| Window::new(values, touched))
        };
        let scopes = block.field_column(Table::Spans, Field::Scope);
        let scopes = scopes.and_then(|column| block.chunk(column, number));
        let scopes = scopes.or_damaged("a row group lacks a column")?;
        let values = SeqView::open(&block.sections, &scopes.seq)?;
        Ok(Self {
            rows,
            plan: RowPlan::default(),
            spans,
            events: TableCopy::open(block, Table::Events, number, touched)?,
            links: TableCopy::open(block, Table::Links, number, touched)?,
            ids: ints(Field::SpanId)?,
            parents: ints(Field::Parent)?,
            starts: ints(Field::Start)?,
            durations: ints(Field::Duration)?,
            scopes: match scopes.mode.is_by_class() {
                true => Scopes::Classes(values, Vec::new()),
                false => Scopes::Rows(Window::new(values, touched)),
            },
        })
    }
}
