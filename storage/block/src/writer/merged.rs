//! Rows that come from other blocks: everything about them is known when they are pushed, so nothing waits for the
//! end of its trace, and what is written leaves memory row group by row group.

use std::io;

use spanloom_span::TraceId;

use crate::columns::Field;
use crate::error::{BlockError, Result};
use crate::id::BlockId;
use crate::meta::BlockMeta;
use crate::writer::scope::{ScopeRow, ScopeTables};
use crate::writer::span::SpanTables;
use crate::writer::{BlockBuilder, Boundary, TraceEntry, close, implied};

/// What the trace table takes for a trace until the block is finished.
const ENTRY_BYTES: usize = size_of::<TraceId>() + size_of::<[u64; 8]>();

/// The fields of a span that every row has, as they are kept, but for its name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MergedRow {
    pub span_id: u64,
    /// As in the column: 0, or where the parent is, or which orphan.
    pub parent: u64,
    /// After the trace's start.
    pub start: u64,
    pub duration: u64,
    pub scope: ScopeRow,
}

impl BlockBuilder {
    /// The tables that grow with the spans.
    pub(crate) fn span_tables(&mut self) -> &mut SpanTables {
        &mut self.tables
    }

    /// Resources and scopes.
    pub(crate) fn scope_tables(&mut self) -> &mut ScopeTables {
        &mut self.scopes
    }

    /// Begins a trace. Ids must come strictly ascending.
    pub(crate) fn begin_merged(&mut self, id: TraceId) -> Result<()> {
        if let Some(last) = self.last_trace.filter(|&last| last >= id) {
            return Err(BlockError::Order { last, next: id });
        }
        self.last_trace = Some(id);
        self.trace.scope = None;
        Ok(())
    }

    /// The mark of the next row: what begins with it, as far as its scope alone does not say that.
    pub(crate) fn merged_mark(&mut self, boundary: Boundary, row: ScopeRow) -> Boundary {
        let implied = implied(self.trace.scope.replace(row), row);
        if boundary > implied { boundary } else { Boundary::None }
    }

    /// Ends a row of the open trace, which starts at `trace_start`: its other values were pushed into the tables.
    /// Whether the row group was written.
    pub(crate) fn push_merged(&mut self, row: &MergedRow, shape: u32, trace_start: u64) -> Result<bool> {
        let spans = &mut self.tables.spans;
        spans.dense_int(Field::SpanId, row.span_id);
        spans.dense_int(Field::Parent, row.parent);
        spans.dense_int(Field::Start, row.start);
        spans.dense_int(Field::Duration, row.duration);
        spans.dense_int(Field::Scope, u64::from(row.scope.scope));
        spans.end_shaped(shape);
        let start = trace_start.wrapping_add(row.start);
        self.open_group.add(start, start.saturating_add(row.duration));
        self.meta.spans += 1;
        let is_full = self.is_group_full();
        if is_full {
            self.cut_group()?;
        }
        Ok(is_full)
    }

    /// Ends a trace: its row of the trace table, and the parents that are not in it.
    pub(crate) fn end_merged(&mut self, entry: &TraceEntry, orphans: &[u64]) {
        self.trace_columns.orphans.extend_from_slice(orphans);
        self.push_entry(entry, orphans.len());
    }

    /// What is known of the block so far.
    pub(crate) fn merged_meta(&self) -> &BlockMeta {
        &self.meta
    }

    /// Length of the file so far, without the open row group.
    pub(crate) fn merged_bytes(&self) -> u64 {
        self.out.position()
    }

    /// Bytes of the file that wait to be written.
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.out.bytes.len()
    }

    /// Memory that is held until the block is finished: what grows with it.
    pub(crate) fn growing_bytes(&self) -> usize {
        let tables = [
            &self.tables.spans,
            &self.tables.events,
            &self.tables.links,
            &self.scopes.resources,
            &self.scopes.scopes,
        ];
        let chunks: usize = self.chunks.iter().map(Vec::len).sum();
        tables.iter().map(|table| table.held_bytes()).sum::<usize>()
            + self.scopes.held_bytes()
            + chunks * size_of::<crate::directory::Chunk>()
            + self.out.places.len() * size_of::<crate::directory::Place>()
            + self.ids.len() * ENTRY_BYTES
            + self.trace_columns.orphans.len() * size_of::<u64>()
    }

    /// Writes what was written of the block so far to where the caller keeps it.
    pub(crate) fn drain(&mut self, sink: &mut dyn io::Write) -> Result<()> {
        self.out.drain(sink).map_err(BlockError::Sink)
    }

    /// As [`Self::finish`], with what is left written to where the caller keeps the file.
    pub(crate) fn finish_into(mut self, sink: &mut dyn io::Write) -> Result<BlockMeta> {
        let directory = self.finish_sections(&mut |out| out.drain(sink).map_err(BlockError::Sink))?;
        let meta = close(&mut self.out, directory)?;
        self.drain(sink)?;
        Ok(meta)
    }

    /// Says what is known of the block beside its spans. To be said before it is finished.
    pub(crate) fn describe(&mut self, raw_bytes: u64, level: u32, replaces: Vec<BlockId>) {
        (self.meta.raw_bytes, self.meta.level, self.meta.replaces) = (raw_bytes, level, replaces);
    }
}
