//! A block that is read in place.
//!
//! | file | holds |
//! |---|---|
//! | `mod.rs` | opening; what the directory says |
//! | `section.rs` | sections, checked once |
//! | `traces.rs` | the trace table |
//! | `column.rs` | the values of a column in a row group |
//! | `table.rs` | rows of a table, one after the other |
//! | `trace.rs` | a trace rebuilt |
//!
//! **Invariant:** opening reads header, trailer and directory alone; no length from the file is trusted before it
//! was compared with what the file holds.

pub(crate) mod column;
pub(crate) mod section;
pub(crate) mod table;
pub(crate) mod trace;
pub(crate) mod traces;

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use spanloom_span::TraceId;
use spanloom_span::model::Trace;

use crate::columns::{FIELDS, Field, Table};
use crate::directory::{Chunk, ColumnId, Directory, FINGERPRINT, Group};
use crate::error::{OrDamaged, Result};
use crate::filter::{self, ArchivedFilter};
use crate::header;
use crate::map::Map;
use crate::meta::BlockMeta;
use crate::reader::section::Sections;
use crate::reader::trace::{Rebuild, TraceRows};
use crate::trailer::Trailer;

pub use traces::TraceSummary;

/// Most bytes that a trace may take in memory when it is read by [`Block::trace`], about.
pub const MAX_TRACE_BYTES: u64 = 1 << 30;

/// A block, mapped into memory or held there. Cheap to clone; all clones share one mapping.
#[derive(Clone)]
pub struct Block {
    pub(crate) inner: Arc<Inner>,
}

/// What the directory says, and the sections.
pub(crate) struct Inner {
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

impl Block {
    /// Maps a block's file. The file must not be written to while it is mapped; it may be unlinked.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::of_map(Map::open(path.as_ref())?)
    }

    /// Takes a block's bytes.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self> {
        Self::of_map(Map::copy(&bytes))
    }

    fn of_map(map: Map) -> Result<Self> {
        let bytes = map.bytes();
        let version = header::check(bytes, FINGERPRINT)?;
        let (trailer, range) = Trailer::read(bytes)?;
        let mut directory = Directory::read(&bytes[range], trailer.sum, trailer.offset)?;
        directory.meta.version = version;
        directory.meta.file_bytes = bytes.len() as u64;
        Ok(Self { inner: Arc::new(Inner::new(map, directory)?) })
    }

    /// Gives the block's mapped pages back to the page cache, so that blocks that were read some time ago do not
    /// count as this process's memory. Readers are not disturbed.
    pub fn release_pages(&self) {
        self.inner.sections.release_pages();
    }

    /// What is known of the block without reading its data.
    pub fn meta(&self) -> &BlockMeta {
        &self.inner.meta
    }

    /// The row groups, with what their spans' times are between.
    pub fn groups(&self) -> &[Group] {
        &self.inner.groups
    }

    /// Whether the trace may be in the block. False is certain; true is wrong for about one absent trace in 200.
    /// A filter that cannot be read excludes nothing.
    pub fn may_contain(&self, id: &TraceId) -> bool {
        let filter = self.inner.sections.archive::<ArchivedFilter>(self.inner.filter);
        filter.map_or(true, |filter| filter::may_contain(filter.lanes.as_slice(), id))
    }

    /// The spans of a trace in this block, as they came; `None` when there are none.
    pub fn trace(&self, id: &TraceId) -> Result<Option<Trace>> {
        self.trace_within(id, MAX_TRACE_BYTES)
    }

    /// As [`Block::trace`], with the limit on memory given.
    pub fn trace_within(&self, id: &TraceId, limit_bytes: u64) -> Result<Option<Trace>> {
        if !self.may_contain(id) {
            return Ok(None);
        }
        let Some(place) = self.inner.find(id)? else { return Ok(None) };
        self.inner.rebuild(*id, place, limit_bytes).map(Some)
    }

    /// Log ordinal through which a trace is sealed; `None` when it is not in this block.
    pub fn sealed_through(&self, id: &TraceId) -> Result<Option<u64>> {
        if !self.may_contain(id) {
            return Ok(None);
        }
        let Some(place) = self.inner.find(id)? else { return Ok(None) };
        self.inner.trace_column(Field::SealedThrough)?.get(place).map(Some)
    }

    /// The traces' ids, ascending.
    pub fn trace_ids(&self) -> Result<impl Iterator<Item = TraceId> + '_> {
        Ok(self.inner.ids()?.iter().map(|&id| TraceId(id)))
    }

    /// The traces' ids with the log ordinals through which they are sealed, ascending by id.
    pub fn sealed(&self) -> Result<impl Iterator<Item = Result<(TraceId, u64)>> + '_> {
        let ids = self.inner.ids()?;
        let sealed = if ids.is_empty() { None } else { Some(self.inner.trace_column(Field::SealedThrough)?) };
        Ok(ids.iter().enumerate().map(move |(place, &id)| {
            let sealed = sealed.or_damaged("the trace table lacks a column")?;
            Ok((TraceId(id), sealed.get(place as u64)?))
        }))
    }
}

impl std::fmt::Debug for Block {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Block").field("meta", &self.inner.meta).finish_non_exhaustive()
    }
}

impl Inner {
    fn new(map: Map, directory: Directory) -> Result<Self> {
        let Directory { meta, places, columns, chunks, groups, shapes, ids, filter } = directory;
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
        let sections = Sections::new(map, places);
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

    /// The chunk of a column in a group.
    pub fn chunk(&self, column: u32, group: u32) -> Option<&Chunk> {
        self.parts(column, group).first().filter(|chunk| chunk.part == 0)
    }

    /// The chunk of a column in a group, and its further parts.
    pub fn parts(&self, column: u32, group: u32) -> &[Chunk] {
        let column = column as usize;
        let range = self.chunk_starts.get(column).zip(self.chunk_starts.get(column + 1));
        let chunks =
            range.and_then(|(&from, &to)| self.chunks.get(from as usize..to as usize)).unwrap_or_default();
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
        let to = self.groups.get(group + 1).map_or(self.meta.spans, |next| next.first_row);
        Some((group as u32, self.groups[group].first_row..to))
    }

    /// A trace by its place.
    pub fn rebuild(&self, id: TraceId, place: u64, limit_bytes: u64) -> Result<Trace> {
        let row = self.trace_row(place)?;
        Rebuild::new(self, TraceRows { id, row }, limit_bytes)?.run()
    }
}
