//! Sections of a block. Each is checked against its checksum when it is first read, and not again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rkyv::Portable;
use rkyv::api::high::HighValidator;
use rkyv::bytecheck::CheckBytes;
use rkyv::rancor;
use xxhash_rust::xxh3::xxh3_64;

use crate::directory::Place;
use crate::error::{BlockError, OrDamaged, Result};
use crate::map::Map;
use crate::reader::resident::Pages;

/// A block's bytes, and which of its sections were found right. It lives as long as the block is listed, so that no
/// section is checked twice though the directory was dropped and parsed again.
pub(crate) struct Mapping {
    map: Map,
    /// One bit a section: whether its checksum was found right.
    checked: Box<[AtomicU64]>,
}

impl Mapping {
    pub fn new(map: Map, sections: usize) -> Self {
        Self { map, checked: (0..sections.div_ceil(64)).map(|_| AtomicU64::new(0)).collect() }
    }

    /// The bytes themselves.
    pub fn map(&self) -> &Map {
        &self.map
    }

    /// The bytes at a place, without their checksum having been compared.
    pub fn unchecked(&self, place: &Place) -> Result<&[u8]> {
        let end = place.offset.checked_add(place.len);
        let range = usize::try_from(place.offset).ok().zip(end.and_then(|end| usize::try_from(end).ok()));
        let bytes = range.and_then(|(from, to)| self.map.bytes().get(from..to));
        bytes.or_damaged("a section lies outside of the file")
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
}

impl Sections {
    pub fn new(pages: Arc<Pages>, places: Vec<Place>) -> Self {
        Self { pages, places }
    }

    /// Gives the pages that were touched back to the page cache; who reads on brings in again what is needed.
    pub fn release_pages(&self) {
        self.pages.map().release_pages();
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
        self.pages.unchecked(self.place(section)?)
    }

    /// A section's bytes.
    pub fn checked(&self, section: u32) -> Result<&[u8]> {
        self.pages.checked(section, self.place(section)?)
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
