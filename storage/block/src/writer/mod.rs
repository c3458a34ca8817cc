//! Stop 7, the columns: cut traces, sorted by id, become one block. Spans are decoded once.
//!
//! Receives traces as parts of requests; hands on the bytes of a file. Budget: 1,300 ns a span.
//!
//! | file | holds |
//! |---|---|
//! | `mod.rs` | the builder |
//! | `span.rs` | a span's body into columns |
//! | `attribute.rs` | the usual form of an attribute, read in one go |
//! | `scope.rs` | resources and scopes, each once |
//! | `trace.rs` | the trace that is being pushed: duplicates, parents |
//! | `merged.rs` | rows that come from other blocks |
//! | `table.rs` | a table: its columns and its rows' shapes |
//! | `class.rs` | rows by scope, name and shape, which decide most else |
//! | `column.rs` | a column: values, dictionary |
//! | `interner.rs` | distinct byte strings |
//! | `output.rs` | the file as it grows |
//!
//! **Invariant:** memory holds one row group's values, the dictionaries and the finished bytes; never a span as an
//! object.

pub(crate) mod attribute;
pub(crate) mod class;
pub(crate) mod column;
pub(crate) mod interner;
pub(crate) mod merged;
pub(crate) mod output;
pub(crate) mod scope;
pub(crate) mod span;
pub(crate) mod table;
pub(crate) mod trace;

use spanloom_span::{Tenant, TraceId, TracePart};
use xxhash_rust::xxh3::xxh3_64;

use crate::columns::{Field, MARK_SHARED_ID, Table, ValueType};
use crate::directory::{Chunk, ColumnId, Directory, FINGERPRINT, Group, Mode};
use crate::error::{BlockError, Result};
use crate::filter::Filter;
use crate::meta::BlockMeta;
use crate::seq::{NONE, Seq};
use crate::trailer::{TRAILER_BYTES, Trailer};
use crate::{FORMAT_VERSION, header};
use output::Output;
use scope::{ScopeRow, ScopeTables};
use span::{SpanHead, SpanTables};
use table::TableBuilder;
use trace::{OpenTrace, ParentLink};

/// Most rows of a row group.
pub const GROUP_ROWS: usize = 65_536;

/// A row group is cut early when its values take more than this many bytes.
const GROUP_BYTES: usize = 16 << 20;

/// Bytes of a trace that are touched ahead of decoding: they should stay in the second-level cache.
const WARM_BYTES: usize = 128 << 10;

/// Columns whose values are known only when the trace is whole.
const LATE: [Field; 2] = [Field::Parent, Field::Start];

/// How a block is built.
#[derive(Debug, Clone, Copy)]
pub struct BuilderOptions {
    /// When the block is made, in nanoseconds since 1970.
    pub created: u64,
    /// zstd level of pages that are worth compressing: 1 is fast, 3 smaller; negative ones are faster still. `None`
    /// leaves them as they are, for a block that stays in memory for a short while.
    pub zstd_level: Option<i32>,
    /// Rows of a row group, 1 to [`GROUP_ROWS`]; fewer where their values take more than 16 MiB. Fewer rows are only
    /// good for tests: what is written once a row group then weighs more.
    pub group_rows: usize,
}

impl Default for BuilderOptions {
    fn default() -> Self {
        Self { created: 0, zstd_level: Some(1), group_rows: GROUP_ROWS }
    }
}

/// What was pushed of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PushedTrace {
    /// Spans that are in the block.
    pub spans: usize,
    /// Spans left out, since one with the same id and kind came before.
    pub duplicates: usize,
}

/// A block's bytes, ready to be written aside, synced and renamed.
#[derive(Debug)]
pub struct FinishedBlock {
    /// The file.
    pub bytes: Vec<u8>,
    /// What it holds.
    pub meta: BlockMeta,
}

/// Builds one block of one tenant, trace by trace.
pub struct BlockBuilder {
    out: Output,
    meta: BlockMeta,
    tables: SpanTables,
    scopes: ScopeTables,
    head: SpanHead,
    group_rows: usize,
    trace: OpenTrace,
    last_trace: Option<TraceId>,
    ids: Vec<TraceId>,
    trace_columns: TraceColumns,
    groups: Vec<Group>,
    open_group: Group,
    /// Chunks of each table, by [`Table`] number; columns are numbered within the table.
    chunks: [Vec<Chunk>; 6],
    /// Values of [`LATE`] columns from the first row whose group is not written yet.
    late_parents: Vec<u64>,
    late_starts: Vec<u64>,
    /// Row groups that are cut and wait for their late columns, with their rows.
    waiting: Vec<(u32, usize)>,
}

/// A trace's row of the trace table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TraceEntry {
    pub id: TraceId,
    pub first_row: u64,
    pub start: u64,
    pub duration: u64,
    /// 0, or 1 + the place of its root in the trace.
    pub root_row: u64,
    pub errors: u64,
    pub sealed_through: u64,
    pub marks: u64,
    pub digest: u32,
}

/// The trace table's columns.
#[derive(Default)]
struct TraceColumns {
    first_row: Vec<u64>,
    start: Vec<u64>,
    duration: Vec<u64>,
    root_row: Vec<u64>,
    errors: Vec<u64>,
    sealed_through: Vec<u64>,
    first_orphan: Vec<u64>,
    orphans: Vec<u64>,
    marks: Vec<u64>,
    digest: Vec<u64>,
}

impl BlockBuilder {
    /// Starts a block.
    pub fn new(tenant: &Tenant, options: BuilderOptions) -> Result<Self> {
        let meta = BlockMeta {
            tenant: tenant.clone(),
            version: FORMAT_VERSION,
            created: options.created,
            spans: 0,
            traces: 0,
            raw_bytes: 0,
            min_start: u64::MAX,
            max_end: 0,
            min_sealed_through: u64::MAX,
            max_sealed_through: 0,
            file_bytes: 0,
            tail: 0,
            level: 0,
            replaces: Vec::new(),
        };
        let new = TableBuilder::new;
        Ok(Self {
            out: Output::new(&header::write(FINGERPRINT), options.zstd_level)?,
            meta,
            tables: SpanTables {
                spans: new(Table::Spans),
                events: new(Table::Events),
                links: new(Table::Links),
            },
            scopes: ScopeTables::new(),
            head: SpanHead::default(),
            group_rows: options.group_rows.clamp(1, GROUP_ROWS),
            trace: OpenTrace::default(),
            last_trace: None,
            ids: Vec::new(),
            trace_columns: TraceColumns::default(),
            groups: Vec::new(),
            open_group: Group::new(0),
            chunks: Default::default(),
            late_parents: Vec::new(),
            late_starts: Vec::new(),
            waiting: Vec::new(),
        })
    }

    /// Pushes a trace: its parts in order of arrival. Ids must come strictly ascending. Every part of the trace
    /// with `seq <= sealed_through` is in this block or an earlier one.
    pub fn push_trace(
        &mut self,
        id: TraceId,
        sealed_through: u64,
        parts: &[TracePart],
    ) -> Result<PushedTrace> {
        if let Some(last) = self.last_trace.filter(|&last| last >= id) {
            return Err(BlockError::Order { last, next: id });
        }
        warm(parts);
        self.trace.clear();
        let first_row = self.meta.spans;
        let mut pushed = PushedTrace::default();
        for part in parts {
            self.push_part(part, &mut pushed).map_err(|error| match error {
                BlockError::Proto(source) => BlockError::Span { trace: id, source },
                other => other,
            })?;
        }
        self.last_trace = Some(id);
        if pushed.spans > 0 {
            self.end_trace(id, sealed_through, first_row)?;
        }
        Ok(pushed)
    }

    /// Bytes of the finished part, and of what is held open, about.
    pub fn held_bytes(&self) -> usize {
        let open = [&self.tables.spans, &self.tables.events, &self.tables.links];
        self.out.bytes.len()
            + self.scopes.held_bytes()
            + open.iter().map(|table| table.pending_bytes).sum::<usize>()
    }

    fn push_part(&mut self, part: &TracePart, pushed: &mut PushedTrace) -> Result<()> {
        let batch = &part.batch;
        let mut last: Option<(u32, u32, ScopeRow)> = None;
        for slice in part.spans() {
            let body = batch.get(slice.body);
            self.head.read(body)?;
            let parent = self.head.parent(body);
            let link = match <[u8; 8]>::try_from(parent) {
                Ok(id) => ParentLink::Id(u64::from_be_bytes(id)),
                Err(_) => ParentLink::None,
            };
            if !self.trace.add(self.head.fields.span_id, self.head.fields.kind, link) {
                pushed.duplicates += 1;
                continue;
            }
            let scope_slice = &batch.scopes()[slice.scope as usize];
            let (row, boundary) = match last {
                Some((scope, _, row)) if scope == slice.scope => (row, Boundary::None),
                Some((_, resource, _)) if resource == scope_slice.resource => {
                    (self.scopes.row(batch, slice.scope)?, Boundary::Scope)
                }
                _ => (self.scopes.row(batch, slice.scope)?, Boundary::Resource),
            };
            last = Some((slice.scope, scope_slice.resource, row));
            self.mark(boundary, row);
            if parent.len() != 8 && !parent.is_empty() {
                self.tables.spans.sparse_bytes(Field::ParentBytes, parent);
            }
            let is_root = parent.iter().all(|&byte| byte == 0);
            self.push_row(body, row, is_root)?;
            pushed.spans += 1;
        }
        Ok(())
    }

    /// Marks the row when its scope alone does not say that a new `ResourceSpans` or `ScopeSpans` begins.
    fn mark(&mut self, boundary: Boundary, row: ScopeRow) {
        if boundary > implied(self.trace.scope, row) {
            let is_resource = boundary == Boundary::Resource;
            self.tables.spans.mark(if is_resource { Field::NewResourceSpans } else { Field::NewScopeSpans });
        }
        self.trace.scope = Some(row);
    }

    fn push_row(&mut self, body: &[u8], row: ScopeRow, is_root: bool) -> Result<()> {
        let (span_id, start, end) = (self.head.fields.span_id, self.head.fields.start, self.head.fields.end);
        let spans = &mut self.tables.spans;
        spans.dense_int(Field::SpanId, span_id);
        spans.dense_int(Field::Duration, end.saturating_sub(start));
        spans.dense_int(Field::Scope, u64::from(row.scope));
        if end < start {
            spans.sparse_int(Field::End, end);
        }
        let code = self.head.push(body, &mut self.tables)?;
        self.late_starts.push(start);
        let trace = &mut self.trace;
        trace.start = trace.start.min(start);
        trace.end = trace.end.max(end.max(start));
        trace.errors += u64::from(code == 2);
        if is_root {
            trace.add_root(start);
        }
        self.open_group.add(start, end);
        self.meta.spans += 1;
        self.meta.raw_bytes += body.len() as u64;
        if self.is_group_full() {
            self.cut_group()?;
        }
        Ok(())
    }

    fn is_group_full(&self) -> bool {
        let pending = [&self.tables.spans, &self.tables.events, &self.tables.links];
        let pending: usize = pending.iter().map(|table| table.pending_bytes).sum();
        self.tables.spans.rows() >= self.group_rows || pending >= GROUP_BYTES
    }

    /// Writes the open row group but for its late columns.
    fn cut_group(&mut self) -> Result<()> {
        let rows = self.tables.spans.rows();
        if rows == 0 {
            return Ok(());
        }
        let group = self.groups.len() as u32;
        let SpanTables { spans, events, links } = &mut self.tables;
        spans.cut(&mut self.out, group, &mut self.chunks[Table::Spans as usize])?;
        events.cut(&mut self.out, group, &mut self.chunks[Table::Events as usize])?;
        links.cut(&mut self.out, group, &mut self.chunks[Table::Links as usize])?;
        self.groups.push(self.open_group);
        self.open_group = Group::new(self.meta.spans);
        if !self.late_starts.is_empty() {
            self.waiting.push((group, rows));
        }
        Ok(())
    }

    fn end_trace(&mut self, id: TraceId, sealed_through: u64, first_row: u64) -> Result<()> {
        let Self { trace, late_parents, late_starts, .. } = self;
        let rows = trace.len();
        let first_late = late_starts.len() - rows;
        for start in &mut late_starts[first_late..] {
            *start -= trace.start;
        }
        let entry = TraceEntry {
            id,
            first_row,
            start: trace.start,
            duration: trace.end.wrapping_sub(trace.start),
            root_row: trace.root().map_or(0, |row| row + 1),
            errors: trace.errors,
            sealed_through,
            marks: if trace.has_shared_id { MARK_SHARED_ID } else { 0 },
            digest: trace.digest,
        };
        self.trace_columns.orphans.extend_from_slice(trace.link(late_parents));
        let orphans = self.trace.orphans().len();
        self.push_entry(&entry, orphans);
        self.write_late()
    }

    /// Pushes a trace's row of the trace table. Its orphans are the last of those that were pushed.
    fn push_entry(&mut self, entry: &TraceEntry, orphans: usize) {
        let Self { trace_columns: columns, meta, ids, .. } = self;
        columns.first_row.push(entry.first_row);
        columns.start.push(entry.start);
        columns.duration.push(entry.duration);
        columns.root_row.push(entry.root_row);
        columns.marks.push(entry.marks);
        columns.digest.push(u64::from(entry.digest));
        columns.errors.push(entry.errors);
        columns.sealed_through.push(entry.sealed_through);
        columns.first_orphan.push((columns.orphans.len() - orphans) as u64);
        ids.push(entry.id);
        meta.traces += 1;
        meta.min_start = meta.min_start.min(entry.start);
        meta.max_end = meta.max_end.max(entry.start.wrapping_add(entry.duration));
        meta.min_sealed_through = meta.min_sealed_through.min(entry.sealed_through);
        meta.max_sealed_through = meta.max_sealed_through.max(entry.sealed_through);
    }

    /// Writes the late columns of the row groups that wait for them.
    fn write_late(&mut self) -> Result<()> {
        for (group, rows) in std::mem::take(&mut self.waiting) {
            for (field, values) in LATE.into_iter().zip([&mut self.late_parents, &mut self.late_starts]) {
                let seq = Seq::write_packed(&mut self.out, &values[..rows])?;
                values.drain(..rows);
                let column = self.tables.spans.column_of(field);
                self.chunks[Table::Spans as usize].push(Chunk::new(column, group, Mode::Ints, seq));
            }
        }
        Ok(())
    }

    /// Writes what is left, and gives the block's bytes.
    pub fn finish(mut self) -> Result<FinishedBlock> {
        let directory = self.finish_sections(&mut |_| Ok(()))?;
        let Self { mut out, .. } = self;
        let meta = close(&mut out, directory)?;
        Ok(FinishedBlock { bytes: out.bytes, meta })
    }

    /// Writes all sections that are not written yet; `pause` may take away what was written so far.
    fn finish_sections(&mut self, pause: &mut dyn FnMut(&mut Output) -> Result<()>) -> Result<Directory> {
        self.cut_group()?;
        self.write_late()?;
        self.out.align();
        self.meta.tail = self.out.position();
        pause(&mut self.out)?;
        self.scopes.resources.cut(&mut self.out, 0, &mut self.chunks[Table::Resources as usize])?;
        self.scopes.scopes.cut(&mut self.out, 0, &mut self.chunks[Table::Scopes as usize])?;
        let trace_ids = self.trace_columns.write(&mut self.out, &mut self.chunks[Table::Traces as usize])?;
        self.trace_columns = TraceColumns::default();
        pause(&mut self.out)?;
        let mut columns = Vec::new();
        let mut chunks = Vec::new();
        let mut shapes = [NONE; 6];
        let SpanTables { spans, events, links } = &mut self.tables;
        let ScopeTables { resources, scopes, .. } = &mut self.scopes;
        for (number, table) in [spans, events, links, resources, scopes].into_iter().enumerate() {
            let (ids, section) = table.finish(&mut self.out, &mut self.chunks[number])?;
            let base = columns.len() as u32;
            chunks.extend(self.chunks[number].iter().map(|c| Chunk { column: base + c.column, ..*c }));
            columns.extend(ids);
            shapes[number] = section;
        }
        let base = columns.len() as u32;
        chunks.extend(self.chunks[5].iter().map(|c| Chunk { column: base + c.column, ..*c }));
        columns.extend(trace_ids);
        chunks.sort_unstable_by_key(Chunk::key);
        pause(&mut self.out)?;
        let ids = self.out.raw(self.ids.iter().flat_map(|id| id.0).collect::<Vec<u8>>().as_slice());
        let filter = self.out.archive(&Filter::new(&self.ids))?;
        pause(&mut self.out)?;
        if self.meta.traces == 0 {
            (self.meta.min_start, self.meta.min_sealed_through) = (0, 0);
        }
        let (places, groups) = (std::mem::take(&mut self.out.places), std::mem::take(&mut self.groups));
        let meta = self.meta.clone();
        Ok(Directory { meta, places, columns, chunks, groups, shapes, ids, filter })
    }
}

/// Touches the parts of a small trace before they are decoded. They lie wherever their requests lie, so nearly each
/// of them is a cache miss; side by side the misses cost a fraction of what they cost one after the other.
fn warm(parts: &[TracePart]) {
    let (mut left, mut sum) = (WARM_BYTES, 0u8);
    for part in parts {
        for slice in part.spans() {
            let body = part.batch.get(slice.body);
            left = left.saturating_sub(body.len());
            if left == 0 {
                return;
            }
            sum = body.iter().step_by(64).fold(sum, |sum, byte| sum.wrapping_add(*byte));
        }
    }
    std::hint::black_box(sum);
}

/// Appends directory and trailer.
fn close(out: &mut Output, directory: Directory) -> Result<BlockMeta> {
    let listing = directory.write()?;
    out.align();
    let offset = out.position();
    out.bytes.extend_from_slice(&listing);
    out.align();
    let file_len = out.position() + TRAILER_BYTES as u64;
    let trailer = Trailer { offset, len: listing.len() as u64, sum: xxh3_64(&listing), file_len };
    out.bytes.extend_from_slice(&trailer.write());
    Ok(BlockMeta { file_bytes: file_len, ..directory.meta })
}

/// What a row's scope alone says.
fn implied(before: Option<ScopeRow>, row: ScopeRow) -> Boundary {
    match before {
        Some(before) if before == row => Boundary::None,
        Some(before) if before.resource == row.resource => Boundary::Scope,
        _ => Boundary::Resource,
    }
}

/// What begins with a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) enum Boundary {
    #[default]
    None,
    Scope,
    Resource,
}

impl TraceColumns {
    /// Writes the columns and gives their identities.
    fn write(&self, out: &mut Output, chunks: &mut Vec<Chunk>) -> Result<Vec<ColumnId>> {
        let fields = Field::of_table(Table::Traces);
        let columns = [
            &self.first_row,
            &self.start,
            &self.duration,
            &self.root_row,
            &self.errors,
            &self.sealed_through,
            &self.first_orphan,
            &self.orphans,
            &self.marks,
            &self.digest,
        ];
        for (column, values) in columns.into_iter().enumerate() {
            if !values.is_empty() {
                chunks.push(Chunk::new(column as u32, 0, Mode::Ints, Seq::write_packed(out, values)?));
            }
        }
        let id = |&field: &Field| ColumnId {
            table: Table::Traces,
            field: field as u8,
            value_type: ValueType::Empty,
            key: String::new(),
        };
        Ok(fields.iter().map(id).collect())
    }
}

impl Group {
    /// A group without rows.
    fn new(first_row: u64) -> Self {
        Self { first_row, min_start: u64::MAX, max_end: 0, min_duration: u64::MAX, max_duration: 0 }
    }

    fn add(&mut self, start: u64, end: u64) {
        let duration = end.saturating_sub(start);
        self.min_start = self.min_start.min(start);
        self.max_end = self.max_end.max(end.max(start));
        self.min_duration = self.min_duration.min(duration);
        self.max_duration = self.max_duration.max(duration);
    }
}
