//! Where everything in a block lies: `docs/formats/block.md`, section "Directory".
//!
//! The directory is small and is checked whole when a block is opened; no other page is touched then.

use rkyv::{Archive, Serialize, rancor};
use spanloom_span::Tenant;
use xxhash_rust::xxh3::xxh3_64;

use crate::columns::{FIELDS, Field, Storage, Table, ValueType};
use crate::error::{BlockError, OrDamaged, Result};
use crate::filter::Filter;
use crate::header::{ALIGNMENT, HEADER_BYTES};
use crate::id::BlockId;
use crate::meta::BlockMeta;
use crate::pack::Packed;
use crate::seq::{NONE, Seq, SeqKind};
use crate::shape::Shapes;
use crate::store::{Pages, Store};

/// Group number of a column's dictionary, which serves all groups.
pub(crate) const DICTIONARY_GROUP: u32 = u32::MAX;

/// Most items that room is made for before the first of them was found right.
const MAX_ROOM: usize = 4096;

/// No rank row.
pub(crate) const NO_RANK: u32 = u32::MAX;

/// Fields of the first blocks of version 1. Fields that came later are optional and leave the layout as it is.
const FIRST_FIELDS: usize = 37;

/// Changes when the layout of any archive changes.
pub(crate) const FINGERPRINT: u64 = {
    use std::mem::{align_of, size_of};
    let parts = [
        size_of::<rkyv::Archived<Packed>>(),
        align_of::<rkyv::Archived<Packed>>(),
        size_of::<rkyv::Archived<Pages>>(),
        align_of::<rkyv::Archived<Pages>>(),
        size_of::<rkyv::Archived<Shapes>>(),
        size_of::<rkyv::Archived<Filter>>(),
        size_of::<rkyv::Archived<Listing>>(),
        align_of::<rkyv::Archived<Listing>>(),
        size_of::<rkyv::Archived<Vec<u64>>>(),
        size_of::<rkyv::Archived<usize>>(),
        FIRST_FIELDS,
        1,
    ];
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    let mut at = 0;
    while at < parts.len() {
        hash = (hash ^ parts[at] as u64).wrapping_mul(0x0100_0000_01b3);
        at += 1;
    }
    hash
};

/// Where a section lies.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub offset: u64,
    pub len: u64,
    pub sum: u64,
}

/// How a chunk keeps its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Mode {
    /// Integers.
    Ints = 0,
    /// Codes of the column's dictionary.
    Codes = 1,
    /// A plain store; the sequence has the lengths.
    Plain = 2,
    /// A dictionary: of the column in the group [`DICTIONARY_GROUP`], or the templates of a chunk, as its part 1;
    /// the sequence has the ends.
    Dictionary = 3,
    /// Codes of the chunk's templates; their numbers are the chunk's parts 2, 3...
    Templates = 4,
    /// Integers, one for each class of the row group.
    ClassInts = 5,
    /// Codes of the column's dictionary, one for each class of the row group.
    ClassCodes = 6,
}

impl Mode {
    /// Whether there is one value a class, and not one a row.
    pub fn is_by_class(self) -> bool {
        matches!(self, Self::ClassInts | Self::ClassCodes)
    }
}

const MODES: [Mode; 7] = {
    use Mode::*;
    [Ints, Codes, Plain, Dictionary, Templates, ClassInts, ClassCodes]
};

/// The values of one column in one row group, or its dictionary.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chunk {
    pub column: u32,
    pub group: u32,
    /// 0, or what it is of a chunk that is kept in several sequences.
    pub part: u32,
    pub mode: Mode,
    pub seq: Seq,
    pub pages: u32,
    pub data: u32,
    /// Row of the column in the group's rank matrix.
    pub rank: u32,
}

impl Chunk {
    pub fn new(column: u32, group: u32, mode: Mode, seq: Seq) -> Self {
        Self { column, group, part: 0, mode, seq, pages: NONE, data: NONE, rank: NO_RANK }
    }

    pub fn with_store(mut self, store: &Store) -> Self {
        (self.pages, self.data) = (store.pages, store.data);
        self
    }

    /// What chunks are sorted by.
    pub fn key(&self) -> (u32, u32, u32) {
        (self.column, self.group, self.part)
    }

    pub fn with_part(self, part: usize) -> Self {
        Self { part: part as u32, ..self }
    }

    /// The sections of its values.
    pub fn sections(&self) -> impl Iterator<Item = u32> + use<> {
        [self.seq.a, self.seq.b, self.pages, self.data].into_iter().filter(|&section| section != NONE)
    }

    pub fn store(&self) -> Store {
        Store { positions: self.seq, pages: self.pages, data: self.data }
    }
}

/// A column's identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ColumnId {
    pub table: Table,
    /// [`Field`] number; 0 for an attribute.
    pub field: u8,
    pub value_type: ValueType,
    pub key: String,
}

impl ColumnId {
    pub fn storage(&self) -> Storage {
        if self.field == Field::Attribute as u8 {
            self.value_type.storage()
        } else {
            Field::storage_of(self.field)
        }
    }
}

/// A row group: its first row, and what its spans' times are between.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Group {
    /// Number of its first row in the table of spans.
    pub first_row: u64,
    /// Earliest start, nanoseconds since 1970.
    pub min_start: u64,
    /// Latest end, nanoseconds since 1970.
    pub max_end: u64,
    /// Shortest duration in nanoseconds.
    pub min_duration: u64,
    /// Longest duration in nanoseconds.
    pub max_duration: u64,
}

/// The directory in the program's own form.
#[derive(Debug)]
pub(crate) struct Directory {
    pub meta: BlockMeta,
    pub places: Vec<Place>,
    pub columns: Vec<ColumnId>,
    /// Ascending by (column, group, part).
    pub chunks: Vec<Chunk>,
    pub groups: Vec<Group>,
    /// Section of each table's shapes; [`NONE`] where it has none.
    pub shapes: [u32; 6],
    pub ids: u32,
    pub filter: u32,
}

/// The archive: the same, as flat vectors.
#[derive(Archive, Serialize, Debug, Default)]
pub(crate) struct Listing {
    pub tenant: Vec<u8>,
    /// created, spans, traces, raw bytes, earliest start, latest end, least and greatest sealed-through; then, but not
    /// in the first blocks, tail and level; then created and number of each block that this one replaces.
    pub numbers: Vec<u64>,
    /// offset, length, checksum of each section.
    pub places: Vec<u64>,
    /// table, field, value type of each column.
    pub columns: Vec<u8>,
    /// End of each column's key in `keys`.
    pub key_ends: Vec<u32>,
    pub keys: Vec<u8>,
    /// mode, sequence kind of each chunk.
    pub chunk_kinds: Vec<u8>,
    /// column, group, part, section a, section b, pages, data, rank of each chunk.
    pub chunk_parts: Vec<u32>,
    /// sequence length, constant value of each chunk.
    pub chunk_values: Vec<u64>,
    /// first row, min start, max end, min duration, max duration of each group.
    pub groups: Vec<u64>,
    /// Sections of the shapes by table, of the trace ids, of the filter.
    pub parts: Vec<u32>,
}

impl Directory {
    /// The archive's bytes.
    pub fn write(&self) -> Result<Vec<u8>> {
        let meta = &self.meta;
        let mut out = Listing {
            tenant: meta.tenant.as_str().as_bytes().to_vec(),
            numbers: vec![
                meta.created,
                meta.spans,
                meta.traces,
                meta.raw_bytes,
                meta.min_start,
                meta.max_end,
                meta.min_sealed_through,
                meta.max_sealed_through,
                meta.tail,
                u64::from(meta.level),
            ],
            parts: self.shapes.into_iter().chain([self.ids, self.filter]).collect(),
            ..Listing::default()
        };
        for id in &meta.replaces {
            out.numbers.extend([id.created, id.number]);
        }
        for place in &self.places {
            out.places.extend([place.offset, place.len, place.sum]);
        }
        for column in &self.columns {
            out.columns.extend([column.table as u8, column.field, column.value_type as u8]);
            out.keys.extend_from_slice(column.key.as_bytes());
            out.key_ends.push(out.keys.len() as u32);
        }
        for chunk in &self.chunks {
            let Seq { kind, len, value, a, b } = chunk.seq;
            out.chunk_kinds.extend([chunk.mode as u8, kind as u8]);
            out.chunk_parts.extend([
                chunk.column,
                chunk.group,
                chunk.part,
                a,
                b,
                chunk.pages,
                chunk.data,
                chunk.rank,
            ]);
            out.chunk_values.extend([len, value]);
        }
        for group in &self.groups {
            let Group { first_row, min_start, max_end, min_duration, max_duration } = *group;
            out.groups.extend([first_row, min_start, max_end, min_duration, max_duration]);
        }
        let bytes = rkyv::to_bytes::<rancor::Error>(&out).map_err(|e| BlockError::Write(e.to_string()))?;
        Ok(bytes.to_vec())
    }

    /// Reads and checks an archive whose checksum should be `sum`; sections must end before `limit`.
    pub fn read(bytes: &[u8], sum: u64, limit: u64) -> Result<Self> {
        let found = xxh3_64(bytes);
        if found != sum {
            return Err(BlockError::Checksum { what: "directory".into(), found, expected: sum });
        }
        let listing = rkyv::access::<ArchivedListing, rancor::Error>(bytes).ok();
        let listing = listing.or_damaged("the directory is not an archive of its type")?;
        let mut out = Self {
            meta: read_meta(listing)?,
            places: read_places(listing, limit)?,
            columns: read_columns(listing)?,
            chunks: read_chunks(listing)?,
            groups: read_groups(listing)?,
            shapes: std::array::from_fn(|table| listing.parts.get(table).map_or(NONE, |v| v.to_native())),
            ids: listing.parts.get(6).map_or(NONE, |v| v.to_native()),
            filter: listing.parts.get(7).map_or(NONE, |v| v.to_native()),
        };
        out.check(limit)?;
        if out.meta.tail == 0 {
            out.meta.tail = out.find_tail();
        }
        (out.meta.tail <= limit).then_some(()).or_damaged("the tail begins behind the directory")?;
        Ok(out)
    }

    /// Where the row groups end, for a block that does not say: the first blocks were laid out so, too.
    fn find_tail(&self) -> u64 {
        let sections = self.chunks.iter().filter(|chunk| self.is_of_group(chunk)).flat_map(Chunk::sections);
        let ends = sections.filter_map(|section| self.places.get(section as usize)).map(|p| p.offset + p.len);
        ends.max().unwrap_or(HEADER_BYTES as u64).next_multiple_of(ALIGNMENT as u64)
    }

    /// Whether a chunk is that of a row group, and not a dictionary or one of a table that is all one group.
    fn is_of_group(&self, chunk: &Chunk) -> bool {
        let table = self.columns.get(chunk.column as usize).map(|column| column.table);
        chunk.group != DICTIONARY_GROUP && table.is_some_and(Table::is_grouped)
    }

    fn check(&self, limit: u64) -> Result<()> {
        let sections = self.places.len() as u64;
        let exists = |section: u32| section == NONE || u64::from(section) < sections;
        let mut named = self.shapes.into_iter().chain([self.ids, self.filter]);
        if !named.all(exists) {
            return Err(BlockError::Damaged("the directory names a section that does not exist"));
        }
        for pair in self.chunks.windows(2) {
            if pair[0].key() >= pair[1].key() {
                return Err(BlockError::Damaged("the directory's chunks are out of order"));
            }
        }
        for chunk in &self.chunks {
            let parts = [chunk.seq.a, chunk.seq.b, chunk.pages, chunk.data];
            if !parts.into_iter().all(exists) || chunk.column as usize >= self.columns.len() {
                return Err(BlockError::Damaged("a chunk names what does not exist"));
            }
        }
        // Every span of a trace has its own id, so a block takes at least a bit for each: more rows than bits
        // can only be claimed, never held.
        if self.meta.spans > limit.saturating_mul(8) || self.meta.traces > limit / 16 {
            return Err(BlockError::Damaged("the directory counts more than the file can hold"));
        }
        let ids = self.places.get(self.ids as usize).map_or(0, |p| p.len);
        if ids != self.meta.traces * 16 {
            return Err(BlockError::Damaged("the trace ids are not as many as the traces"));
        }
        let mut last = None;
        for group in &self.groups {
            let in_order = last.map_or(group.first_row == 0, |last| group.first_row > last);
            if !in_order || group.first_row >= self.meta.spans {
                return Err(BlockError::Damaged("the row groups are out of order"));
            }
            last = Some(group.first_row);
        }
        if self.groups.is_empty() != (self.meta.spans == 0) {
            return Err(BlockError::Damaged("the row groups do not cover the spans"));
        }
        Ok(())
    }
}

fn read_meta(listing: &ArchivedListing) -> Result<BlockMeta> {
    let tenant = std::str::from_utf8(listing.tenant.as_slice()).ok().and_then(|name| Tenant::new(name).ok());
    let numbers = listing.numbers.as_slice().split_first_chunk::<8>();
    let (numbers, later) = numbers.or_damaged("the directory has another count of numbers")?;
    let [created, spans, traces, raw_bytes, min_start, max_end, min_sealed_through, max_sealed_through] =
        numbers.map(|v| v.to_native());
    let (tail, level, replaces) = read_later(later)?;
    Ok(BlockMeta {
        tenant: tenant.or_damaged("the tenant's name is not allowed")?,
        version: crate::FORMAT_VERSION,
        created,
        spans,
        traces,
        raw_bytes,
        min_start,
        max_end,
        min_sealed_through,
        max_sealed_through,
        file_bytes: 0,
        tail,
        level,
        replaces,
    })
}

/// The numbers that the first blocks are without: tail (0 when it is not said), level and what is replaced.
fn read_later(numbers: &[rkyv::rend::u64_le]) -> Result<(u64, u32, Vec<BlockId>)> {
    let Some(([tail, level], ids)) = numbers.split_first_chunk::<2>() else {
        numbers.is_empty().then_some(()).or_damaged("the directory has another count of numbers")?;
        return Ok((0, 0, Vec::new()));
    };
    let level = u32::try_from(level.to_native()).ok().or_damaged("the block's level is out of range")?;
    let (ids, rest) = ids.as_chunks::<2>();
    rest.is_empty().then_some(()).or_damaged("the directory has another count of numbers")?;
    let id = |[created, number]: &[rkyv::rend::u64_le; 2]| BlockId {
        created: created.to_native(),
        number: number.to_native(),
    };
    Ok((tail.to_native(), level, ids.iter().map(id).collect()))
}

fn read_places(listing: &ArchivedListing, limit: u64) -> Result<Vec<Place>> {
    let mut end = HEADER_BYTES as u64;
    let places = listing.places.as_slice().as_chunks::<3>();
    places.1.is_empty().then_some(()).or_damaged("the directory's sections are incomplete")?;
    let read = |place: &[_; 3]| {
        let [offset, len, sum] = place.map(|v: rkyv::rend::u64_le| v.to_native());
        let next = offset.checked_add(len).filter(|&next| next <= limit);
        let fits = offset >= end && offset.is_multiple_of(ALIGNMENT as u64);
        end = next.filter(|_| fits).or_damaged("a section lies outside of the file")?;
        Ok(Place { offset, len, sum })
    };
    collect(places.0.iter().map(read))
}

fn read_columns(listing: &ArchivedListing) -> Result<Vec<ColumnId>> {
    let columns = listing.columns.as_slice().as_chunks::<3>().0;
    if columns.len() != listing.key_ends.len() || columns.len() * 3 != listing.columns.len() {
        return Err(BlockError::Damaged("the directory's columns are incomplete"));
    }
    let mut from = 0usize;
    let read = |(column, end): (&[u8; 3], &rkyv::rend::u32_le)| {
        let end = end.to_native() as usize;
        let key = listing.keys.get(from..end).and_then(|key| std::str::from_utf8(key).ok());
        from = end;
        let field = Some(column[1]).filter(|&field| (field as usize) < FIELDS);
        Ok(ColumnId {
            table: Table::of(column[0]).or_damaged("a column is of an unknown table")?,
            field: field.or_damaged("a column is of an unknown field")?,
            value_type: ValueType::of(column[2]).or_damaged("a column is of an unknown type")?,
            key: key.or_damaged("a column's key is not text")?.to_owned(),
        })
    };
    collect(columns.iter().zip(listing.key_ends.iter()).map(read))
}

fn read_chunks(listing: &ArchivedListing) -> Result<Vec<Chunk>> {
    let kinds = listing.chunk_kinds.as_slice().as_chunks::<2>().0;
    let parts = listing.chunk_parts.as_slice().as_chunks::<8>().0;
    let values = listing.chunk_values.as_slice().as_chunks::<2>().0;
    if kinds.len() != parts.len() || parts.len() != values.len() {
        return Err(BlockError::Damaged("the directory's chunks are incomplete"));
    }
    let read =
        |((kinds, parts), values): ((&[u8; 2], &[rkyv::rend::u32_le; 8]), &[rkyv::rend::u64_le; 2])| {
            let [column, group, part, a, b, pages, data, rank] = parts.map(|v| v.to_native());
            let [len, value] = values.map(|v| v.to_native());
            let mode = MODES.get(kinds[0] as usize).copied();
            let kind = [SeqKind::Const, SeqKind::Packed, SeqKind::Dict].get(kinds[1] as usize).copied();
            let kind = kind.or_damaged("a chunk has an unknown kind of sequence")?;
            let mode = mode.or_damaged("a chunk has an unknown mode")?;
            Ok(Chunk { column, group, part, mode, seq: Seq { kind, len, value, a, b }, pages, data, rank })
        };
    collect(kinds.iter().zip(parts).zip(values).map(read))
}

/// Collects without room to spare, which `Result`s otherwise leave: they hide how many there are.
fn collect<T>(items: impl ExactSizeIterator<Item = Result<T>>) -> Result<Vec<T>> {
    let mut out = Vec::with_capacity(items.len().min(MAX_ROOM));
    for item in items {
        out.push(item?);
    }
    Ok(out)
}

fn read_groups(listing: &ArchivedListing) -> Result<Vec<Group>> {
    let groups = listing.groups.as_slice().as_chunks::<5>();
    groups.1.is_empty().then_some(()).or_damaged("the directory's row groups are incomplete")?;
    let read = |group: &[rkyv::rend::u64_le; 5]| {
        let [first_row, min_start, max_end, min_duration, max_duration] = group.map(|v| v.to_native());
        Group { first_row, min_start, max_end, min_duration, max_duration }
    };
    Ok(groups.0.iter().map(read).collect())
}
