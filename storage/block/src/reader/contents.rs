//! What the directory says: which column of which table lies where.

use std::ops::Range;
use std::sync::Arc;

use spanloom_span::TraceId;
use spanloom_span::model::Trace;

use crate::columns::{FIELDS, Field, Table};
use crate::directory::{Chunk, ColumnId, DICTIONARY_GROUP, Directory, Group};
use crate::error::{OrDamaged, Result};
use crate::meta::BlockMeta;
use crate::reader::resident::Pages;
use crate::reader::section::{Ahead, Bytes, Sections};
use crate::reader::trace::{Rebuild, TraceRows};

/// What the directory says, and the sections.
pub(crate) struct Contents {
    pub sections: Sections,
    pub meta: BlockMeta,
    pub columns: Vec<ColumnId>,
    pub chunks: Vec<Chunk>,
    pub groups: Vec<Group>,
    pub shapes: [u32; 6],
    pub ids: u32,
    pub filter: u32,
    /// First chunk of each column, and the end of the last one's.
    chunk_starts: Vec<u32>,
    /// Columns of each table.
    tables: [Range<u32>; 6],
    /// Column of each field of each table.
    fields: [[u32; FIELDS]; 6],
}

const UNKNOWN: u32 = u32::MAX;

impl Contents {
    /// Takes a checked directory; `tail` is where in the file the metadata begins.
    pub fn new(pages: Arc<Pages>, meta: BlockMeta, tail: u64, directory: Directory) -> Result<Self> {
        let Directory { places, columns, chunks, groups, shapes, ids, filter, meta: _ } = directory;
        let mut tables: [Range<u32>; 6] = std::array::from_fn(|_| 0..0);
        let mut fields = [[UNKNOWN; FIELDS]; 6];
        for (number, column) in columns.iter().enumerate() {
            let range = &mut tables[column.table as usize];
            if range.start == range.end {
                *range = number as u32..number as u32;
            }
            (range.end as usize == number).then_some(()).or_damaged("the columns are out of order")?;
            range.end += 1;
            fields[column.table as usize][column.field as usize] = number as u32;
        }
        let starts = (0..=columns.len()).map(|c| chunks.partition_point(|x| (x.column as usize) < c) as u32);
        let chunk_starts = starts.collect();
        let ahead = match pages.bytes() {
            Bytes::Whole(_) => None,
            Bytes::Sparse(_) => Some(Ahead { tail, columns: owners(&chunks, places.len()) }),
        };
        let sections = Sections::new(pages, places, ahead);
        Ok(Self {
            sections,
            meta,
            columns,
            chunks,
            groups,
            shapes,
            ids,
            filter,
            chunk_starts,
            tables,
            fields,
        })
    }

    /// What this takes on the heap.
    pub fn heap_bytes(&self) -> u64 {
        let keys: usize = self.columns.iter().map(|column| column.key.capacity()).sum();
        let heap = size_of::<Self>()
            + size_of_val(self.sections.places())
            + self.columns.capacity() * size_of::<ColumnId>()
            + keys
            + self.chunks.capacity() * size_of::<Chunk>()
            + self.groups.capacity() * size_of::<Group>()
            + self.chunk_starts.capacity() * size_of::<u32>();
        heap as u64
    }

    /// The chunk of a column in a group.
    pub fn chunk(&self, column: u32, group: u32) -> Option<&Chunk> {
        self.parts(column, group).first().filter(|chunk| chunk.part == 0)
    }

    /// Whether a column has values, in any group.
    pub fn has_chunks(&self, column: u32) -> bool {
        !self.chunks_of(column).is_empty()
    }

    /// All chunks of a column, its dictionary last.
    pub fn chunks_of(&self, column: u32) -> &[Chunk] {
        let column = column as usize;
        let range = self.chunk_starts.get(column).zip(self.chunk_starts.get(column + 1));
        range.and_then(|(&from, &to)| self.chunks.get(from as usize..to as usize)).unwrap_or_default()
    }

    /// The chunk of a column in a group, and its further parts.
    pub fn parts(&self, column: u32, group: u32) -> &[Chunk] {
        let chunks = self.chunks_of(column);
        let from = chunks.partition_point(|chunk| chunk.group < group);
        let len = chunks[from..].iter().take_while(|chunk| chunk.group == group).count();
        &chunks[from..from + len]
    }

    /// Columns of a table.
    pub fn table_columns(&self, table: Table) -> Range<u32> {
        self.tables[table as usize].clone()
    }

    /// Column of a field.
    pub fn field_column(&self, table: Table, field: Field) -> Option<u32> {
        Some(self.fields[table as usize][field as usize]).filter(|&column| column != UNKNOWN)
    }

    /// A column by its number within its table.
    pub fn column(&self, table: Table, column: u32) -> Result<&ColumnId> {
        let range = &self.tables[table as usize];
        let global = range.start.checked_add(column).filter(|global| range.contains(global));
        let id = global.and_then(|global| self.columns.get(global as usize));
        id.or_damaged("a shape names an unknown column")
    }

    /// Field number of a column, by its number within its table.
    pub fn field_of(&self, table: Table, column: u32) -> Result<u8> {
        Ok(self.column(table, column)?.field)
    }

    /// The group that a row lies in, and the group's rows.
    pub fn group_of(&self, row: u64) -> Option<(u32, Range<u64>)> {
        let group = self.groups.partition_point(|group| group.first_row <= row).checked_sub(1)?;
        Some((group as u32, self.group_rows(group as u32)?))
    }

    /// The rows of a group.
    pub fn group_rows(&self, group: u32) -> Option<Range<u64>> {
        let from = self.groups.get(group as usize)?.first_row;
        let next = self.groups.get(group as usize + 1).map_or(self.meta.spans, |next| next.first_row);
        Some(from..next)
    }

    /// Brings the row groups in which some rows lie, if the block is elsewhere.
    pub fn bring_rows(&self, rows: Range<u64>) -> Result<()> {
        if !self.sections.are_far() {
            return Ok(());
        }
        let last = rows.end.saturating_sub(1).max(rows.start);
        let groups = self.group_of(rows.start).zip(self.group_of(last));
        let Some(((first, _), (last, _))) = groups else { return Ok(()) };
        let wanted: Vec<Range<u64>> = (first..=last).map(|group| self.group_bytes(group)).collect();
        self.sections.bring(&wanted)
    }

    /// Where the values of a row group lie: from its first section to its last.
    pub fn group_bytes(&self, group: u32) -> Range<u64> {
        let (mut from, mut to) = (u64::MAX, 0);
        let tables = Table::ALL.into_iter().filter(|table| table.is_grouped() && group != DICTIONARY_GROUP);
        for chunk in tables.flat_map(|table| self.table_columns(table)).flat_map(|c| self.parts(c, group)) {
            for place in chunk.sections().filter_map(|section| self.sections.places().get(section as usize)) {
                from = from.min(place.offset);
                to = to.max(place.offset.saturating_add(place.len));
            }
        }
        if from < to { from..to } else { 0..0 }
    }

    /// Bytes of a column's values in a row group.
    pub fn chunk_bytes(&self, column: u32, group: u32) -> u64 {
        let sections = self.parts(column, group).iter().flat_map(Chunk::sections);
        let places = sections.filter_map(|section| self.sections.places().get(section as usize));
        places.fold(0, |sum, place| sum.saturating_add(place.len))
    }

    /// A trace by its place.
    pub fn rebuild(&self, id: TraceId, place: u64, limit_bytes: u64) -> Result<Trace> {
        let row = self.trace_row(place)?;
        self.bring_rows(row.rows.clone())?;
        Rebuild::new(self, TraceRows { id, row }, limit_bytes)?.run()
    }
}

/// For each section the column whose values it has.
fn owners(chunks: &[Chunk], sections: usize) -> Vec<u32> {
    let mut out = vec![u32::MAX; sections];
    for chunk in chunks {
        for section in chunk.sections() {
            if let Some(owner) = out.get_mut(section as usize) {
                *owner = chunk.column;
            }
        }
    }
    out
}
