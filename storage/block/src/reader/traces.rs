//! The trace table: which trace has which rows.

use std::ops::Range;

use spanloom_span::TraceId;

use crate::columns::{Field, Table};
use crate::error::{BlockError, OrDamaged, Result};
use crate::reader::Inner;
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
    /// Name of its first span without a parent.
    pub root_name: Option<String>,
    /// `service.name` of that span's resource.
    pub root_service: Option<String>,
}

impl Inner {
    /// The trace ids, 16 bytes each, ascending.
    pub fn ids(&self) -> Result<&[[u8; 16]]> {
        Ok(self.sections.checked(self.ids)?.as_chunks::<16>().0)
    }

    /// A trace's place in the table.
    pub fn find(&self, id: &TraceId) -> Result<Option<u64>> {
        Ok(self.ids()?.binary_search(&id.0).ok().map(|place| place as u64))
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

    /// The id of a parent that is not in its trace.
    pub fn orphan(&self, place: u64) -> Result<u64> {
        self.trace_column(Field::Orphan)?.get(place)
    }
}
