//! A block checked whole: every checksum, every archive, every cross reference, every trace.

use spanloom_span::TraceId;
use spanloom_span::model::Trace;

use crate::columns::{Field, Table};
use crate::digest;
use crate::directory::{DICTIONARY_GROUP, Mode};
use crate::error::{BlockError, OrDamaged, Result};
use crate::reader::Block;
use crate::reader::BlockReader;
use crate::reader::column::ColumnReader;
use crate::reader::contents::Contents;
use crate::reader::table::TableReader;
use crate::seq::{NONE, SeqView};
use crate::shape::{ArchivedShapes, ShapesView};
use crate::store::{StoreKind, StoreView};

/// What was found right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct VerifyReport {
    /// Sections whose checksum is right.
    pub sections: u64,
    /// Row groups' columns, and dictionaries, of which every value was read.
    pub chunks: u64,
    /// Values read.
    pub values: u64,
    /// Traces rebuilt.
    pub traces: u64,
    /// Spans rebuilt.
    pub spans: u64,
}

impl Block {
    /// Reads everything in the block, and gives what was found right, or the first thing that is wrong.
    pub fn verify(&self) -> Result<VerifyReport> {
        self.verify_within(crate::MAX_TRACE_BYTES)
    }

    /// As [`Block::verify`], with the limit on the memory of a trace given.
    pub fn verify_within(&self, limit_bytes: u64) -> Result<VerifyReport> {
        let reader = self.reader()?;
        let block = reader.contents();
        let mut report = VerifyReport::default();
        for section in 0..block.sections.places().len() as u32 {
            block.sections.checked(section)?;
            report.sections += 1;
        }
        verify_chunks(block, &mut report)?;
        verify_shapes(block)?;
        verify_rows(block)?;
        self.verify_traces(&reader, &mut report, limit_bytes)?;
        Ok(report)
    }

    fn verify_traces(&self, reader: &BlockReader, report: &mut VerifyReport, limit_bytes: u64) -> Result<()> {
        let block = reader.contents();
        let ids = block.ids()?;
        ids.windows(2)
            .all(|pair| pair[0] < pair[1])
            .then_some(())
            .or_damaged("the trace ids are out of order")?;
        let digests = block.digests()?;
        let mut next_row = 0;
        for (place, &id) in ids.iter().enumerate() {
            let id = TraceId(id);
            self.may_contain(&id).then_some(()).or_damaged("the filter excludes a trace that is there")?;
            let row = block.trace_row(place as u64)?;
            (row.rows.start == next_row).then_some(()).or_damaged("rows belong to no trace, or to two")?;
            next_row = row.rows.end;
            let trace = block.rebuild(id, place as u64, limit_bytes)?;
            verify_marks(block, place as u64, &trace)?;
            if let Some(digests) = &digests {
                let shares =
                    trace.spans().map(|span| digest::of_span(u64::from_be_bytes(span.span_id.0), span.kind));
                let expected = shares.fold(0, u32::wrapping_add);
                (digests.get(place) == Some(&expected))
                    .then_some(())
                    .or_damaged("a trace's digest is not that of its spans")?;
            }
            reader.summary(place as u64)?;
            report.traces += 1;
            report.spans += trace.span_count() as u64;
        }
        (report.spans == block.meta.spans).then_some(()).or_damaged("the traces have another count of spans")
    }
}

/// A trace's marks and root are those of its spans. A block without marks says nothing of the one, and of the other
/// what an earlier rule was.
fn verify_marks(block: &Contents, place: u64, trace: &Trace) -> Result<()> {
    let Some(are_distinct) = block.ids_are_distinct(place)? else { return Ok(()) };
    let mut ids: Vec<_> = trace.spans().map(|span| span.span_id).collect();
    ids.sort_unstable();
    if ids.windows(2).all(|pair| pair[0] != pair[1]) != are_distinct {
        return Err(BlockError::Damaged("a trace's marks do not fit its spans"));
    }
    let roots =
        trace.spans().enumerate().filter(|(_, span)| span.parent_span_id.iter().all(|&byte| byte == 0));
    let root = roots.min_by_key(|(_, span)| (span.start_time_unix_nano, span.span_id, span.kind));
    let expected = root.map_or(0, |(row, _)| row as u64 + 1);
    let found = block.trace_column(Field::RootRow)?.get(place)?;
    (found == expected).then_some(()).or_damaged("a trace's root is another one than the first of its roots")
}

fn verify_chunks(block: &Contents, report: &mut VerifyReport) -> Result<()> {
    for chunk in &block.chunks {
        report.chunks += 1;
        if chunk.mode == Mode::Dictionary {
            if (chunk.group == DICTIONARY_GROUP) != (chunk.part == 0) {
                return Err(BlockError::Damaged("a dictionary belongs to a row group"));
            }
            StoreView::open(&block.sections, StoreKind::Dictionary, &chunk.store())?.verify()?;
            report.values += chunk.seq.len;
            continue;
        }
        if chunk.part > 0 {
            SeqView::open(&block.sections, &chunk.seq)?.verify()?;
            continue;
        }
        let mut reader = ColumnReader::of_chunk(block, chunk)?;
        reader.verify()?;
        report.values += reader.len();
    }
    Ok(())
}

fn verify_shapes(block: &Contents) -> Result<()> {
    for table in Table::ALL {
        let section = block.shapes[table as usize];
        if section == NONE {
            continue;
        }
        let shapes = ShapesView::new(block.sections.archive::<ArchivedShapes>(section)?);
        for code in 0..shapes.len() as u64 {
            let items = shapes.get(code).or_damaged("the shapes are out of order")?;
            let items = items.get(table.shape_header()..).or_damaged("a shape is too short")?;
            for item in items {
                block.column(table, item.to_native())?;
            }
        }
    }
    Ok(())
}

/// Every row group has as many rows as the directory says, and its ranks agree with its rows.
fn verify_rows(block: &Contents) -> Result<()> {
    for (number, group) in block.groups.iter().enumerate() {
        let end = block.groups.get(number + 1).map_or(block.meta.spans, |next| next.first_row);
        let rows = end - group.first_row;
        let table = TableReader::open(block, Table::Spans, number as u32)?;
        let table = table.or_damaged("a row group has no spans")?;
        (table.len() == rows).then_some(()).or_damaged("a row group has another count of rows")?;
    }
    for table in Table::ALL {
        let Some(column) = block.field_column(table, Field::Shape) else { continue };
        for chunk in block.chunks.iter().filter(|chunk| chunk.column == column) {
            let rows = TableReader::open(block, table, chunk.group)?.or_damaged("a table has no rows")?;
            rows.verify_ranks()?;
        }
    }
    Ok(())
}
