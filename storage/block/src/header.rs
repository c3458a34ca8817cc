//! The first 64 bytes: `docs/formats/block.md`, section "Header".

use xxhash_rust::xxh3::xxh3_64;

use crate::error::{BlockError, Result};

/// Bytes of the header; the first section follows.
pub(crate) const HEADER_BYTES: usize = 64;

/// First bytes of every block.
pub(crate) const MAGIC: [u8; 8] = *b"SPLMBLK\n";

/// The version that is written, and the newest that is read.
pub const FORMAT_VERSION: u32 = 1;

/// Every section starts at a multiple of this.
pub(crate) const ALIGNMENT: usize = 16;

/// The header's bytes.
pub(crate) fn write(fingerprint: u64) -> [u8; HEADER_BYTES] {
    let mut out = [0; HEADER_BYTES];
    out[..8].copy_from_slice(&MAGIC);
    out[8..12].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
    out[12..16].copy_from_slice(&(HEADER_BYTES as u32).to_le_bytes());
    out[16..24].copy_from_slice(&fingerprint.to_le_bytes());
    let sum = xxh3_64(&out[..56]);
    out[56..].copy_from_slice(&sum.to_le_bytes());
    out
}

/// Checks the header of a block and gives its version.
pub(crate) fn check(bytes: &[u8], fingerprint: u64) -> Result<u32> {
    let head = bytes.first_chunk::<HEADER_BYTES>().ok_or_else(|| BlockError::NotABlock {
        found: format!("{} bytes", bytes.len()),
        expected: "a header of 64 bytes",
    })?;
    if head[..8] != MAGIC {
        return Err(BlockError::NotABlock {
            found: format!("first bytes {:02x?}", &head[..8]),
            expected: "\"SPLMBLK\\n\"",
        });
    }
    let (found, expected) = (xxh3_64(&head[..56]), u64_at(head, 56));
    if found != expected {
        return Err(BlockError::Checksum { what: "header".into(), found, expected });
    }
    check_version(u64_at(head, 8) as u32, u64_at(head, 16), fingerprint)
}

/// Checks version and layout, and gives the version.
pub(crate) fn check_version(version: u32, layout: u64, fingerprint: u64) -> Result<u32> {
    if version == 0 || version > FORMAT_VERSION {
        return Err(BlockError::Version { found: version, newest: FORMAT_VERSION });
    }
    if layout != fingerprint {
        return Err(BlockError::Layout { found: layout, expected: fingerprint });
    }
    Ok(version)
}

/// Eight bytes as an integer; 0 past the end.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..).and_then(|b| b.first_chunk()).map_or(0, |b| u64::from_le_bytes(*b))
}
