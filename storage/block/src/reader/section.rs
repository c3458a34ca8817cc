//! Sections of a mapped block. Each is checked against its checksum when it is first read, and not again.

use std::sync::atomic::{AtomicU64, Ordering};

use rkyv::Portable;
use rkyv::api::high::HighValidator;
use rkyv::bytecheck::CheckBytes;
use rkyv::rancor;
use xxhash_rust::xxh3::xxh3_64;

use crate::directory::Place;
use crate::error::{BlockError, OrDamaged, Result};
use crate::map::Map;

/// The bytes of a block and the places of its sections.
pub(crate) struct Sections {
    map: Map,
    places: Vec<Place>,
    /// One bit a section: whether its checksum was found right.
    checked: Vec<AtomicU64>,
}

impl Sections {
    pub fn new(map: Map, places: Vec<Place>) -> Self {
        let checked = (0..places.len().div_ceil(64)).map(|_| AtomicU64::new(0)).collect();
        Self { map, places, checked }
    }

    /// Gives mapped pages back to the page cache.
    pub fn release_pages(&self) {
        self.map.release_pages();
    }

    /// All places.
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// A section's bytes, without its checksum having been compared.
    pub fn unchecked(&self, section: u32) -> Result<&[u8]> {
        let place = self.places.get(section as usize).or_damaged("there is no such section")?;
        let range = usize::try_from(place.offset).ok().zip(usize::try_from(place.offset + place.len).ok());
        let bytes = range.and_then(|(from, to)| self.map.bytes().get(from..to));
        bytes.or_damaged("a section lies outside of the file")
    }

    /// A section's bytes.
    pub fn checked(&self, section: u32) -> Result<&[u8]> {
        let bytes = self.unchecked(section)?;
        let (word, bit) = (&self.checked[section as usize / 64], 1 << (section % 64));
        // Relaxed is enough: the bit guards bytes that never change, nothing is published with it.
        if word.load(Ordering::Relaxed) & bit == 0 {
            let (found, expected) = (xxh3_64(bytes), self.places[section as usize].sum);
            if found != expected {
                return Err(BlockError::Checksum { what: format!("section {section}"), found, expected });
            }
            word.fetch_or(bit, Ordering::Relaxed);
        }
        Ok(bytes)
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
