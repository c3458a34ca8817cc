//! The trace table: which trace has which rows.

use std::ops::Range;

use spanloom_span::TraceId;
use spanloom_span::model::Trace;

use crate::columns::{Field, MARK_SHARED_ID, Table, ValueType};
use crate::error::{BlockError, OrDamaged, Result};
use crate::reader::BlockReader;
use crate::reader::contents::Contents;
use crate::reader::table::TableReader;
use crate::seq::SeqView;

/// A trace's row of the trace table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TraceRow {
    /// Its rows in the table of spans.
    pub rows: Range<u64>,
    /// Earliest start.
    pub start: u64,
    /// First of its orphans.
    pub first_orphan: u64,
}

/// What the trace table says of a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceSummary {
    /// The trace.
    pub id: TraceId,
    /// Its spans in this block.
    pub spans: u64,
    /// Earliest start, nanoseconds since 1970.
    pub start: u64,
    /// Latest end minus earliest start, in nanoseconds.
    pub duration: u64,
    /// Spans with status error.
    pub errors: u64,
    /// Log ordinal through which it is sealed.
    pub sealed_through: u64,
    /// Name of its root: of its spans without a parent the first in the order of start, span id and kind (in blocks
    /// without marks the first to arrive).
    pub root_name: Option<String>,
    /// `service.name` of the root's resource.
    pub root_service: Option<String>,
}

impl Contents {
    /// The trace ids, 16 bytes each, ascending.
    pub fn ids(&self) -> Result<&[[u8; 16]]> {
        Ok(self.sections.checked(self.ids)?.as_chunks::<16>().0)
    }

    /// A column of the trace table.
    pub fn trace_column(&self, field: Field) -> Result<SeqView<'_>> {
        let column = self.field_column(Table::Traces, field);
        let chunk = column.and_then(|column| self.chunk(column, 0));
        let chunk = chunk.or_damaged("the trace table lacks a column")?;
        SeqView::open(&self.sections, &chunk.seq)
    }

    /// A trace's row.
    pub fn trace_row(&self, place: u64) -> Result<TraceRow> {
        let first_rows = self.trace_column(Field::FirstRow)?;
        let from = first_rows.get(place)?;
        let to = if place + 1 < first_rows.len() { first_rows.get(place + 1)? } else { self.meta.spans };
        if from >= to || to > self.meta.spans {
            return Err(BlockError::Damaged("the rows of the traces are out of order"));
        }
        Ok(TraceRow {
            rows: from..to,
            start: self.trace_column(Field::Start)?.get(place)?,
            first_orphan: self.trace_column(Field::FirstOrphan)?.get(place)?,
        })
    }

    /// Whether no two spans of the trace share an id; `None` when the block does not say.
    pub fn ids_are_distinct(&self, place: u64) -> Result<Option<bool>> {
        let column = self.field_column(Table::Traces, Field::Marks);
        let Some(chunk) = column.and_then(|column| self.chunk(column, 0)) else { return Ok(None) };
        let marks = SeqView::open(&self.sections, &chunk.seq)?.get(place)?;
        Ok(Some(marks & MARK_SHARED_ID == 0))
    }

    /// Which spans each trace has, as numbers; `None` when the block does not say.
    pub fn digests(&self) -> Result<Option<Vec<u32>>> {
        let column = self.field_column(Table::Traces, Field::Digest);
        let Some(chunk) = column.and_then(|column| self.chunk(column, 0)) else { return Ok(None) };
        let mut digests = vec![0; self.ids()?.len()];
        SeqView::open(&self.sections, &chunk.seq)?.read(0, &mut digests)?;
        Ok(Some(digests.into_iter().map(|digest| digest as u32).collect()))
    }

    /// The id of a parent that is not in its trace.
    pub fn orphan(&self, place: u64) -> Result<u64> {
        self.trace_column(Field::Orphan)?.get(place)
    }
}

impl BlockReader {
    /// The spans of the trace at a place, as they came, if they take no more memory than the limit, about.
    pub fn trace_within(&self, place: u64, limit_bytes: u64) -> Result<Trace> {
        let ids = self.contents.ids()?;
        let id = usize::try_from(place).ok().and_then(|place| ids.get(place));
        self.contents.rebuild(TraceId(*id.or_damaged("there is no such trace")?), place, limit_bytes)
    }

    /// Which spans each trace has, by place: copies of a trace with as many spans and the same digest have the same
    /// ones, and digests of parts without a span in common add up, modulo 2^32. `None` when the block, an early one,
    /// does not say.
    pub fn trace_digests(&self) -> Result<Option<Vec<u32>>> {
        self.contents.digests()
    }

    /// The place of the first trace with an id greater than this one, or of the first of all.
    pub fn place_after(&self, id: Option<&TraceId>) -> Result<u64> {
        let ids = self.contents.ids()?;
        Ok(id.map_or(0, |id| ids.partition_point(|other| *other <= id.0)) as u64)
    }

    /// Traces in short from a place on, at most so many: id, number of spans, and digest if the block knows them (see
    /// [`Self::trace_digests`]). Reads of the columns only what it yields.
    pub fn trace_sums(&self, from: u64, most: usize) -> Result<Vec<(TraceId, u64, Option<u32>)>> {
        let block = &*self.contents;
        let ids = block.ids()?.get(from as usize..).unwrap_or_default();
        let ids = &ids[..most.min(ids.len())];
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let first_rows = block.trace_column(Field::FirstRow)?;
        let is_end = from + ids.len() as u64 >= first_rows.len();
        let mut rows = vec![self.contents.meta.spans; ids.len() + 1];
        let known = rows.len() - usize::from(is_end);
        first_rows.read(from, &mut rows[..known])?;
        let digests =
            block.field_column(Table::Traces, Field::Digest).and_then(|column| block.chunk(column, 0));
        let mut values = vec![0; ids.len()];
        if let Some(chunk) = digests {
            SeqView::open(&block.sections, &chunk.seq)?.read(from, &mut values)?;
        }
        let spans =
            |pair: &[u64]| pair[1].checked_sub(pair[0]).or_damaged("the rows of the traces are out of order");
        let sum = |((id, pair), value): ((&[u8; 16], &[u64]), u64)| {
            Ok((TraceId(*id), spans(pair)?, digests.map(|_| value as u32)))
        };
        ids.iter().zip(rows.windows(2)).zip(values).map(sum).collect()
    }

    /// When the trace at a place starts, in nanoseconds since 1970, and how long it lasts: from its earliest start to its
    /// latest end.
    pub fn trace_times(&self, place: u64) -> Result<(u64, u64)> {
        let column = |field| self.contents.trace_column(field)?.get(place);
        Ok((column(Field::Start)?, column(Field::Duration)?))
    }

    /// What the trace table says of the trace at a place: 0 for the least id.
    pub fn summary(&self, place: u64) -> Result<TraceSummary> {
        let block = &*self.contents;
        let row = block.trace_row(place)?;
        let id = usize::try_from(place).ok().zip(block.ids().ok()).and_then(|(place, ids)| ids.get(place));
        let root_row = block.trace_column(Field::RootRow)?.get(place)?;
        let root = root_row.checked_sub(1).and_then(|root| row.rows.start.checked_add(root));
        let (mut root_name, mut root_service) = (None, None);
        if let Some(root) = root {
            let (group, rows) = block.group_of(root).or_damaged("a root lies in no group")?;
            let mut spans =
                TableReader::open(block, Table::Spans, group)?.or_damaged("a group has no spans")?;
            let at = root - rows.start;
            root_name = Some(text(spans.dense_bytes(Field::Name, at)?));
            root_service = block.service(spans.dense_int(Field::Scope, at)?)?;
        }
        Ok(TraceSummary {
            id: TraceId(*id.or_damaged("there is no such trace")?),
            spans: row.rows.end - row.rows.start,
            start: row.start,
            duration: block.trace_column(Field::Duration)?.get(place)?,
            errors: block.trace_column(Field::Errors)?.get(place)?,
            sealed_through: block.trace_column(Field::SealedThrough)?.get(place)?,
            root_name,
            root_service,
        })
    }
}

impl Contents {
    /// `service.name` of the resource of a scope.
    fn service(&self, scope: u64) -> Result<Option<String>> {
        let scopes = TableReader::open(self, Table::Scopes, 0)?;
        let resource = scopes.or_damaged("there are no scopes")?.dense_int(Field::Resource, scope)?;
        let mut resources =
            TableReader::open(self, Table::Resources, 0)?.or_damaged("there are no resources")?;
        resources.seek(resource)?;
        for item in resources.next_row()?.1 {
            let id = self.column(Table::Resources, item.to_native())?;
            if id.field == 0 && id.key == "service.name" && id.value_type == ValueType::Str {
                let (reader, at) = resources.take(item.to_native())?;
                return Ok(Some(text(reader.bytes(at)?)));
            }
        }
        Ok(None)
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
