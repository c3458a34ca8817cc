//! The file as it grows: sections one after the other, each aligned, with its place and checksum.

use std::io;

use rkyv::api::high::HighSerializer;
use rkyv::rancor;
use rkyv::ser::allocator::ArenaHandle;
use rkyv::util::AlignedVec;
use xxhash_rust::xxh3::xxh3_64;

use crate::directory::Place;
use crate::error::{BlockError, Result};
use crate::header::ALIGNMENT;

/// Sections written so far.
pub(crate) struct Output {
    /// The file from `written` on.
    pub bytes: Vec<u8>,
    /// Bytes of the file that were taken away.
    written: u64,
    /// Where each section lies.
    pub places: Vec<Place>,
    compressor: Option<zstd::bulk::Compressor<'static>>,
}

impl Output {
    /// Starts with the header; pages are compressed with the given zstd level, or not at all.
    pub fn new(header: &[u8], level: Option<i32>) -> Result<Self> {
        let compressor = level.map(zstd::bulk::Compressor::new).transpose()?;
        Ok(Self { bytes: header.to_vec(), written: 0, places: Vec::new(), compressor })
    }

    /// Writes an archive as a section and gives its number.
    pub fn archive<T>(&mut self, value: &T) -> Result<u32>
    where
        T: for<'a> rkyv::Serialize<HighSerializer<AlignedVec, ArenaHandle<'a>, rancor::Error>>,
    {
        let bytes =
            rkyv::to_bytes::<rancor::Error>(value).map_err(|error| BlockError::Write(error.to_string()))?;
        Ok(self.raw(&bytes))
    }

    /// Writes bytes as a section and gives its number.
    pub fn raw(&mut self, bytes: &[u8]) -> u32 {
        self.align();
        let place = Place { offset: self.position(), len: bytes.len() as u64, sum: xxh3_64(bytes) };
        self.bytes.extend_from_slice(bytes);
        self.places.push(place);
        (self.places.len() - 1) as u32
    }

    /// Length of the file so far.
    pub fn position(&self) -> u64 {
        self.written + self.bytes.len() as u64
    }

    /// Fills with zeros up to where a section may start.
    pub fn align(&mut self) {
        let end = self.position();
        let zeros = end.next_multiple_of(ALIGNMENT as u64) - end;
        self.bytes.resize(self.bytes.len() + zeros as usize, 0);
    }

    /// Writes what is held to where the caller keeps the file, and forgets it.
    pub fn drain(&mut self, sink: &mut dyn io::Write) -> io::Result<()> {
        sink.write_all(&self.bytes)?;
        self.written = self.position();
        self.bytes.clear();
        Ok(())
    }

    /// Appends `raw`, compressed where pages are.
    pub fn compress(&mut self, raw: &[u8], out: &mut Vec<u8>) -> Result<()> {
        let Some(compressor) = &mut self.compressor else {
            out.extend_from_slice(raw);
            return Ok(());
        };
        let from = out.len();
        let bound = zstd::zstd_safe::compress_bound(raw.len());
        out.resize(from + bound, 0);
        let len = compressor.compress_to_buffer(raw, &mut out[from..])?;
        out.truncate(from + len);
        Ok(())
    }
}
