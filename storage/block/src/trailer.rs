//! The last 64 bytes, which say where the directory is: `docs/formats/block.md`, section "Trailer".

use std::ops::Range;

use xxhash_rust::xxh3::xxh3_64;

use crate::directory::FINGERPRINT;
use crate::error::{BlockError, Result};
use crate::header::{self, ALIGNMENT, HEADER_BYTES, u64_at};

/// Bytes of the trailer; the file ends with it.
pub(crate) const TRAILER_BYTES: usize = 64;

/// Last bytes of every block.
pub(crate) const MAGIC: [u8; 8] = *b"\nKLBMLPS";

/// Where the directory lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Trailer {
    /// First byte of the directory.
    pub offset: u64,
    /// Its length.
    pub len: u64,
    /// Its checksum.
    pub sum: u64,
    /// Length of the whole file.
    pub file_len: u64,
}

impl Trailer {
    /// The trailer's bytes.
    pub fn write(&self) -> [u8; TRAILER_BYTES] {
        let mut out = [0; TRAILER_BYTES];
        for (place, value) in [self.offset, self.len, self.sum, self.file_len].into_iter().enumerate() {
            out[place * 8..place * 8 + 8].copy_from_slice(&value.to_le_bytes());
        }
        out[32..40].copy_from_slice(&FINGERPRINT.to_le_bytes());
        out[40..44].copy_from_slice(&header::FORMAT_VERSION.to_le_bytes());
        let sum = xxh3_64(&out[..48]);
        out[48..56].copy_from_slice(&sum.to_le_bytes());
        out[56..].copy_from_slice(&MAGIC);
        out
    }

    /// Checks the trailer of a block and gives where its directory lies.
    pub fn read(bytes: &[u8]) -> Result<(Self, Range<usize>)> {
        let trailer = Self::of_last(bytes, bytes.len() as u64)?;
        let from = trailer.offset as usize;
        Ok((trailer, from..from + trailer.len as usize))
    }

    /// As [`Trailer::read`], of the last bytes of a file of so many bytes.
    pub fn of_last(last: &[u8], file_len: u64) -> Result<Self> {
        let tail = last.last_chunk::<TRAILER_BYTES>().ok_or_else(|| BlockError::NotABlock {
            found: format!("{} bytes", last.len()),
            expected: "a trailer of 64 bytes",
        })?;
        if tail[56..] != MAGIC {
            return Err(BlockError::NotABlock {
                found: format!("last bytes {:02x?}", &tail[56..]),
                expected: "\"\\nKLBMLPS\": was the file cut off?",
            });
        }
        let (found, expected) = (xxh3_64(&tail[..48]), u64_at(tail, 48));
        if found != expected {
            return Err(BlockError::Checksum { what: "trailer".into(), found, expected });
        }
        let trailer = Self {
            offset: u64_at(tail, 0),
            len: u64_at(tail, 8),
            sum: u64_at(tail, 16),
            file_len: u64_at(tail, 24),
        };
        if trailer.file_len != file_len {
            return Err(BlockError::NotABlock {
                found: format!("{file_len} bytes"),
                expected: "the length that the trailer gives",
            });
        }
        let end = trailer.offset.checked_add(trailer.len);
        let most = file_len.saturating_sub(TRAILER_BYTES as u64);
        if trailer.offset < HEADER_BYTES as u64
            || !trailer.offset.is_multiple_of(ALIGNMENT as u64)
            || end.is_none_or(|end| end > most)
        {
            return Err(BlockError::Damaged("the directory lies outside of the file"));
        }
        Ok(trailer)
    }

    /// Version and layout of a block, from its last bytes, which were checked: for who has not its first ones. `None`
    /// for the first blocks of version 1, which do not say it there.
    pub fn version(last: &[u8]) -> Result<Option<u32>> {
        let tail = last.last_chunk::<TRAILER_BYTES>().map_or(&[][..], |tail| &tail[..]);
        match u64_at(tail, 40) as u32 {
            0 => Ok(None),
            version => header::check_version(version, u64_at(tail, 32), FINGERPRINT).map(Some),
        }
    }
}
