//! Sections of a block. Each is checked against its checksum when it is first read, and not again.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rkyv::Portable;
use rkyv::api::high::HighValidator;
use rkyv::bytecheck::CheckBytes;
use rkyv::rancor;
use xxhash_rust::xxh3::xxh3_64;

use crate::directory::Place;
use crate::error::{BlockError, OrDamaged, Result};
use crate::map::{Map, Sparse};
use crate::reader::resident::Pages;

/// A block's bytes, and which of its sections were found right. It lives as long as the block is listed, so that no
/// section is checked twice though the directory was dropped and parsed again.
pub(crate) struct Mapping {
    bytes: Bytes,
    /// One bit a section: whether its checksum was found right.
    checked: Box<[AtomicU64]>,
}

/// Where a block's bytes are.
pub(crate) enum Bytes {
    /// All of them here.
    Whole(Map),
    /// Those here that were asked for.
    Sparse(Sparse),
}

impl Bytes {
    /// The bytes of a range.
    pub fn get(&self, range: Range<u64>) -> Result<&[u8]> {
        match self {
            Self::Whole(map) => {
                let range = usize::try_from(range.start).ok().zip(usize::try_from(range.end).ok());
                let bytes = range.and_then(|(from, to)| map.bytes().get(from..to));
                bytes.or_damaged("a section lies outside of the file")
            }
            Self::Sparse(sparse) => sparse.bytes(range),
        }
    }

    /// Bytes of the file that may come into the process's memory by being read.
    pub fn mapped_bytes(&self) -> u64 {
        match self {
            Self::Whole(map) => map.mapped_bytes(),
            Self::Sparse(sparse) => sparse.len() as u64,
        }
    }

    /// Gives the mapped pages back to the page cache.
    pub fn release_pages(&self) {
        match self {
            Self::Whole(map) => map.release_pages(),
            Self::Sparse(sparse) => sparse.release_pages(),
        }
    }
}

impl Mapping {
    pub fn new(bytes: Bytes, sections: usize) -> Self {
        Self { bytes, checked: (0..sections.div_ceil(64)).map(|_| AtomicU64::new(0)).collect() }
    }

    /// The bytes themselves.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The bytes at a place, without their checksum having been compared.
    pub fn unchecked(&self, place: &Place) -> Result<&[u8]> {
        let end = place.offset.checked_add(place.len).or_damaged("a section lies outside of the file")?;
        self.bytes.get(place.offset..end)
    }

    /// The bytes of a section that lies at a place.
    pub fn checked(&self, section: u32, place: &Place) -> Result<&[u8]> {
        let bytes = self.unchecked(place)?;
        let word = self.checked.get(section as usize / 64).or_damaged("there is no such section")?;
        let bit = 1 << (section % 64);
        // Relaxed is enough: the bit guards bytes that never change, nothing is published with it.
        if word.load(Ordering::Relaxed) & bit == 0 {
            let (found, expected) = (xxh3_64(bytes), place.sum);
            if found != expected {
                if let Bytes::Sparse(sparse) = &self.bytes {
                    sparse.doubt();
                }
                return Err(BlockError::Checksum { what: format!("section {section}"), found, expected });
            }
            word.fetch_or(bit, Ordering::Relaxed);
        }
        Ok(bytes)
    }
}

/// The sections of a block by their numbers.
pub(crate) struct Sections {
    pages: Arc<Pages>,
    places: Vec<Place>,
    ahead: Option<Ahead>,
}

/// What is brought together with a section of a block that is elsewhere: one request brings much in the time in which it
/// brings little.
pub(crate) struct Ahead {
    /// Where the metadata begins; it comes as a whole.
    pub tail: u64,
    /// For each section the column whose values it has, `u32::MAX` for none. They come for all row groups, since who
    /// reads one row group's values mostly reads them all.
    pub columns: Vec<u32>,
}

impl Sections {
    pub fn new(pages: Arc<Pages>, places: Vec<Place>, ahead: Option<Ahead>) -> Self {
        Self { pages, places, ahead }
    }

    /// Whether the block is elsewhere, and so brings what is read.
    pub fn are_far(&self) -> bool {
        self.ahead.is_some()
    }

    /// Brings ranges of the file, where they are not all here.
    pub fn bring(&self, ranges: &[Range<u64>]) -> Result<()> {
        match self.pages.bytes() {
            Bytes::Whole(_) => Ok(()),
            Bytes::Sparse(sparse) => sparse.fill(ranges),
        }
    }

    /// Brings a section that is not here, and what will be asked for with it.
    fn bring_ahead(&self, section: u32, place: &Place) -> Result<()> {
        let (Some(ahead), Bytes::Sparse(sparse)) = (&self.ahead, self.pages.bytes()) else { return Ok(()) };
        let range = |place: &Place| place.offset..place.offset.saturating_add(place.len);
        if sparse.has(&range(place)) {
            return Ok(());
        }
        if place.offset >= ahead.tail {
            let last = self.places.last().map_or(0, |place| range(place).end);
            return sparse.fill_one(ahead.tail..last);
        }
        let column = ahead.columns.get(section as usize).copied().unwrap_or(u32::MAX);
        if column == u32::MAX {
            return Ok(());
        }
        let of_column = self.places.iter().zip(&ahead.columns).filter(|(_, of)| **of == column);
        let wanted: Vec<Range<u64>> =
            of_column.map(|(place, _)| range(place)).filter(|r| r.end <= ahead.tail).collect();
        sparse.fill(&wanted)
    }

    /// Gives the pages that were touched back to the page cache; who reads on brings in again what is needed.
    pub fn release_pages(&self) {
        self.pages.bytes().release_pages();
    }

    /// All places.
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    fn place(&self, section: u32) -> Result<&Place> {
        self.places.get(section as usize).or_damaged("there is no such section")
    }

    /// A section's bytes, without its checksum having been compared.
    pub fn unchecked(&self, section: u32) -> Result<&[u8]> {
        let place = self.place(section)?;
        self.bring_ahead(section, place)?;
        self.pages.unchecked(place)
    }

    /// A section's bytes.
    pub fn checked(&self, section: u32) -> Result<&[u8]> {
        let place = self.place(section)?;
        self.bring_ahead(section, place)?;
        self.pages.checked(section, place)
    }

    /// A section as an archive.
    pub fn archive<T>(&self, section: u32) -> Result<&T>
    where
        T: Portable + for<'a> CheckBytes<HighValidator<'a, rancor::Error>>,
    {
        let bytes = self.checked(section)?;
        rkyv::access::<T, rancor::Error>(bytes).ok().or_damaged("a section is not an archive of its type")
    }
}
