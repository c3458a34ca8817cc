//! What stays of a block while it is listed: some 0.5 KB, whatever its directory says.

use std::fs::File;
use std::sync::{Arc, OnceLock};

use spanloom_span::TraceId;

use crate::directory::{Directory, FINGERPRINT, Place};
use crate::error::{BlockError, OrDamaged, Result};
use crate::filter::FilterView;
use crate::header::{self, HEADER_BYTES};
use crate::map::{Map, Sparse};
use crate::meta::BlockMeta;
use crate::reader::contents::Contents;
use crate::reader::resident::{Pages, Resident, ResidentSet, ResidentUsage, Slot};
use crate::reader::section::{Bytes, Mapping};
use crate::trailer::{TRAILER_BYTES, Trailer};

/// What stays of a block while it is listed.
pub(crate) struct Opened {
    pub mapping: Arc<Mapping>,
    pub meta: BlockMeta,
    /// `None` when the block has none: then every id may be in it.
    pub filter: Option<FilterView>,
    /// Where the directory lies, with its checksum.
    directory: Place,
    /// Where in the file the metadata begins, of a block that is elsewhere.
    tail: u64,
    /// The section of the trace ids: its number and place.
    ids: Option<(u32, Place)>,
    /// What the directory takes on the heap when it is parsed.
    directory_bytes: u64,
    set: Arc<ResidentSet>,
    pub slot: Slot,
    /// The latest of the traces' earliest starts, once it was asked for.
    pub newest_start: OnceLock<u64>,
}

impl Opened {
    /// Checks header, trailer and directory, and keeps what is needed to know whether an id is in the block. `file`
    /// is what `map` is a mapping of, if it is.
    pub fn new(map: Map, file: Option<&File>, set: Arc<ResidentSet>) -> Result<Self> {
        let bytes = map.bytes();
        let file_bytes = bytes.len() as u64;
        let version = header::check(bytes, FINGERPRINT)?;
        let (Trailer { offset, len, sum, .. }, range) = Trailer::read(bytes)?;
        let found = Directory::read(&bytes[range], sum, offset)?;
        let meta = BlockMeta { version, file_bytes, ..found.meta.clone() };
        let filter =
            place_of(&found, found.filter).map(|place| open_filter(&map, file, &place)).transpose()?;
        Self::of(Bytes::Whole(map), meta, 0, Place { offset, len, sum }, found, filter, set)
    }

    /// As [`Opened::new`], of a block that is elsewhere: brings its `last` bytes, in which the filter, the directory and
    /// the trailer mostly lie. `listed` is what is said of it elsewhere, and its metadata begins at `tail`.
    pub fn far(
        sparse: Sparse,
        listed: &BlockMeta,
        last: u64,
        tail: u64,
        set: Arc<ResidentSet>,
    ) -> Result<Self> {
        let file_bytes = sparse.len() as u64;
        let at = |back: u64| file_bytes.saturating_sub(back).max(HEADER_BYTES as u64);
        sparse.fill_one(at(last)..file_bytes)?;
        let end = sparse.bytes(at(TRAILER_BYTES as u64)..file_bytes)?;
        let Trailer { offset, len, sum, .. } = Trailer::of_last(end, file_bytes)?;
        let version = match Trailer::version(end)? {
            Some(version) => version,
            None => header::check(sparse.bytes(0..HEADER_BYTES as u64)?, FINGERPRINT)?,
        };
        let found = Directory::read(sparse.bytes(offset..offset + len)?, sum, offset)?;
        let meta = BlockMeta { version, file_bytes, ..found.meta.clone() };
        let told = |meta: &BlockMeta| (meta.tenant.clone(), meta.spans, meta.traces);
        if told(&meta) != told(listed) {
            return Err(BlockError::Damaged("the block is not the one that is listed"));
        }
        let filter = place_of(&found, found.filter).map(|place| {
            let section = sparse.part(place.offset..place.offset.saturating_add(place.len))?;
            Ok::<_, BlockError>(FilterView::new(section, place.sum))
        });
        Self::of(
            Bytes::Sparse(sparse),
            meta,
            tail,
            Place { offset, len, sum },
            found,
            filter.transpose()?,
            set,
        )
    }

    fn of(
        bytes: Bytes,
        meta: BlockMeta,
        tail: u64,
        directory: Place,
        found: Directory,
        filter: Option<FilterView>,
        set: Arc<ResidentSet>,
    ) -> Result<Self> {
        let ids = place_of(&found, found.ids).map(|place| (found.ids, place));
        let mapping = Arc::new(Mapping::new(bytes, found.places.len()));
        // The directory is let go of here, and with it the pages that were touched.
        let contents = Contents::new(Arc::new(Pages::new(mapping.clone())), meta.clone(), tail, found)?;
        let directory_bytes = contents.heap_bytes();
        let (slot, newest_start) = (Slot::default(), OnceLock::new());
        Ok(Self { mapping, meta, filter, directory, tail, ids, directory_bytes, set, slot, newest_start })
    }

    /// Whether what it reads is still kept, of a block that is elsewhere.
    pub fn is_current(&self) -> bool {
        match self.mapping.bytes() {
            Bytes::Whole(_) => true,
            Bytes::Sparse(sparse) => sparse.is_current(),
        }
    }

    /// Brings the metadata of a block that is elsewhere.
    pub fn bring_metadata(&self) -> Result<()> {
        match self.mapping.bytes() {
            Bytes::Whole(_) => Ok(()),
            Bytes::Sparse(sparse) => sparse.fill_one(self.tail.min(sparse.len() as u64)..sparse.len() as u64),
        }
    }

    /// Whether the trace may be in the block.
    pub fn may_contain(&self, id: &TraceId) -> bool {
        self.filter.as_ref().is_none_or(|filter| filter.may_contain(id))
    }

    /// What the block holds while it is resident, at most.
    pub fn usage(&self) -> ResidentUsage {
        let mapped_bytes = self.mapping.bytes().mapped_bytes();
        ResidentUsage { blocks: 1, directory_bytes: self.directory_bytes, mapped_bytes }
    }

    /// What must be held while pages of the block are touched.
    pub fn resident(self: &Arc<Self>) -> Arc<Resident> {
        self.slot.get().unwrap_or_else(|| self.set.admit(self))
    }

    /// The parsed directory.
    pub fn contents(&self, resident: &Resident) -> Result<Arc<Contents>> {
        if let Some(contents) = resident.contents.get() {
            return Ok(contents.clone());
        }
        let contents = Arc::new(self.parse(&resident.pages)?);
        // Of two readers that parsed it at once, both take what the faster one left.
        Ok(resident.contents.get_or_init(|| contents).clone())
    }

    /// Parses the directory again. Its checksum is compared again, too: that takes some 1 us of 5, and the bytes may
    /// have come from the disk again.
    fn parse(&self, pages: &Arc<Pages>) -> Result<Contents> {
        let found =
            Directory::read(pages.unchecked(&self.directory)?, self.directory.sum, self.directory.offset)?;
        Contents::new(pages.clone(), self.meta.clone(), self.tail, found)
    }

    /// The trace ids, ascending.
    pub fn ids<'a>(&self, pages: &'a Pages) -> Result<&'a [[u8; 16]]> {
        let (section, place) = self.ids.as_ref().or_damaged("there is no such section")?;
        if let Bytes::Sparse(sparse) = pages.bytes() {
            // Whoever has found an id reads the rest of the metadata next.
            let ids = place.offset..place.offset.saturating_add(place.len);
            if !sparse.has(&ids) {
                sparse.fill_one(self.tail.min(ids.start)..sparse.len() as u64)?;
            }
        }
        Ok(pages.checked(*section, place)?.as_chunks::<16>().0)
    }
}

fn place_of(directory: &Directory, section: u32) -> Option<Place> {
    directory.places.get(section as usize).copied()
}

fn open_filter(map: &Map, file: Option<&File>, place: &Place) -> Result<FilterView> {
    let section = place.offset..place.offset + place.len;
    let section = match file {
        Some(file) => Map::open_part(file, section)?,
        None => {
            let bytes = map.bytes().get(section.start as usize..section.end as usize);
            Map::copy(bytes.or_damaged("a section lies outside of the file")?)
        }
    };
    Ok(FilterView::new(section, place.sum))
}
