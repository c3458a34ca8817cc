//! A segment file: its name, its header, its salt. The layout is section "Segment" of `docs/formats/log.md`.
//!
//! The header stands twice, in different sectors, in a block of zeros; frames follow the block.

use crc_fast::crc32_iscsi;

use crate::WalError;
use crate::frame::{put, u32_at, u64_at};

/// First bytes of a segment file.
pub const SEGMENT_MAGIC: [u8; 8] = *b"SpanLog\n";

/// Version of the layout that is written here.
pub const SEGMENT_VERSION: u16 = 1;

/// Where the first frame begins.
pub const SEGMENT_HEADER_BYTES: usize = 4096;

/// Where the header's second copy stands.
pub const SEGMENT_COPY_AT: usize = 2048;

/// Length of one copy of the header.
const COPY_BYTES: usize = 48;

/// Offsets of the fields, as in the byte table.
mod at {
    pub const VERSION: usize = 8;
    pub const ORIGIN: usize = 10;
    pub const CRC: usize = 12;
    pub const LOG_ID: usize = 16;
    pub const SEGMENT: usize = 24;
    pub const FIRST_SEQ: usize = 32;
    pub const AFTER: usize = 40;
}

/// How a segment came to be, which tells how much of the one before it was durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The one before was full, and was synced whole before this one was created.
    Rotated,
    /// The log was opened. The end of the one before is what a crash left of it.
    Opened,
}

/// What a segment says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub log_id: u64,
    pub segment: u64,
    /// Its first frame's ordinal, whether or not it got one.
    pub first_seq: u64,
    /// The last ordinal that the log held when it was created.
    pub after: u64,
    pub origin: Origin,
}

impl SegmentHeader {
    /// The block that opens the file.
    pub fn encode(&self) -> Vec<u8> {
        let mut copy = [0; COPY_BYTES];
        copy[..8].copy_from_slice(&SEGMENT_MAGIC);
        put(&mut copy, at::VERSION, &SEGMENT_VERSION.to_le_bytes());
        copy[at::ORIGIN] = match self.origin {
            Origin::Rotated => 0,
            Origin::Opened => 1,
        };
        put(&mut copy, at::LOG_ID, &self.log_id.to_le_bytes());
        put(&mut copy, at::SEGMENT, &self.segment.to_le_bytes());
        put(&mut copy, at::FIRST_SEQ, &self.first_seq.to_le_bytes());
        put(&mut copy, at::AFTER, &self.after.to_le_bytes());
        let crc = crc32_iscsi(&copy);
        put(&mut copy, at::CRC, &crc.to_le_bytes());
        let mut block = vec![0; SEGMENT_HEADER_BYTES];
        put(&mut block, 0, &copy);
        put(&mut block, SEGMENT_COPY_AT, &copy);
        block
    }

    /// Reads the block: the first copy that is whole. `Ok(None)` if neither is.
    pub fn decode(block: &[u8]) -> Result<Option<Self>, WalError> {
        for from in [0, SEGMENT_COPY_AT] {
            let Some(copy) = block.get(from..).and_then(|rest| rest.first_chunk()) else { continue };
            if let Some(header) = Self::decode_copy(*copy)? {
                return Ok(Some(header));
            }
        }
        Ok(None)
    }

    fn decode_copy(mut copy: [u8; COPY_BYTES]) -> Result<Option<Self>, WalError> {
        let crc = u32_at(&copy, at::CRC);
        put(&mut copy, at::CRC, &[0; 4]);
        if copy[..8] != SEGMENT_MAGIC || crc32_iscsi(&copy) != crc {
            return Ok(None);
        }
        let found = u16::from_le_bytes([copy[at::VERSION], copy[at::VERSION + 1]]);
        let origin = match copy[at::ORIGIN] {
            _ if found != SEGMENT_VERSION => return Err(WalError::Version { found }),
            0 => Origin::Rotated,
            _ => Origin::Opened,
        };
        Ok(Some(Self {
            log_id: u64_at(&copy, at::LOG_ID),
            segment: u64_at(&copy, at::SEGMENT),
            first_seq: u64_at(&copy, at::FIRST_SEQ),
            after: u64_at(&copy, at::AFTER),
            origin,
        }))
    }
}

/// What the header checksums of a segment's frames are masked with.
pub(crate) fn salt(log_id: u64, segment: u64) -> u32 {
    let mut bytes = [0; 16];
    put(&mut bytes, 0, &log_id.to_le_bytes());
    put(&mut bytes, 8, &segment.to_le_bytes());
    crc32_iscsi(&bytes)
}

/// A segment's file name: its number in 16 hexadecimal digits.
pub fn segment_name(segment: u64) -> String {
    format!("{segment:016x}.log")
}

/// The name under which a damaged segment is kept.
pub fn aside_name(segment: u64) -> String {
    format!("{}.aside", segment_name(segment))
}

/// A name's segment number, and whether it was set aside. `None` for a name that is none of ours.
pub(crate) fn parse_name(name: &str) -> Option<(u64, bool)> {
    let (stem, aside) = match name.strip_suffix(".aside") {
        Some(stem) => (stem, true),
        None => (name, false),
    };
    let digits = stem.strip_suffix(".log")?;
    let segment = u64::from_str_radix(digits, 16).ok()?;
    (segment_name(segment) == stem).then_some((segment, aside))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: SegmentHeader =
        SegmentHeader { log_id: 9, segment: 3, first_seq: 70, after: 69, origin: Origin::Opened };

    #[test]
    fn one_of_two_copies_is_enough() {
        let good = HEADER.encode();
        assert_eq!(SegmentHeader::decode(&good).unwrap(), Some(HEADER));
        for at in (0..COPY_BYTES).chain(SEGMENT_COPY_AT..SEGMENT_COPY_AT + COPY_BYTES) {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            assert_eq!(SegmentHeader::decode(&bad).unwrap(), Some(HEADER), "byte {at}");
        }
        assert_eq!(SegmentHeader::decode(&good[..COPY_BYTES]).unwrap(), Some(HEADER));
        assert_eq!(SegmentHeader::decode(&good[..COPY_BYTES - 1]).unwrap(), None);
    }

    #[test]
    fn every_flipped_byte_of_a_copy_is_detected() {
        let good = HEADER.encode();
        for at in 0..COPY_BYTES {
            for flip in 1..=255 {
                let mut bad = good.clone();
                bad[at] ^= flip;
                bad[SEGMENT_COPY_AT] = 0;
                assert_eq!(SegmentHeader::decode(&bad).unwrap(), None, "byte {at} flipped by {flip}");
            }
        }
    }

    #[test]
    fn a_later_version_is_told_from_damage() {
        let mut block = HEADER.encode();
        block[at::VERSION] = 2;
        put(&mut block, at::CRC, &[0; 4]);
        let crc = crc32_iscsi(&block[..COPY_BYTES]);
        put(&mut block, at::CRC, &crc.to_le_bytes());
        let error = SegmentHeader::decode(&block).unwrap_err();
        assert_eq!(error.to_string(), "the segment has layout version 2, expected 1");
    }

    #[test]
    fn names_are_read_back() {
        assert_eq!(parse_name(&segment_name(0x1f)), Some((0x1f, false)));
        assert_eq!(parse_name(&aside_name(0x1f)), Some((0x1f, true)));
        for other in
            ["1f.log", "x.log", "000000000000001F.log", "000000000000001f.log.tmp", "+00000000000001f.log"]
        {
            assert_eq!(parse_name(other), None, "{other}");
        }
    }

    #[test]
    fn salts_differ() {
        assert!(salt(1, 2) != salt(2, 1) && salt(1, 2) != salt(1, 3));
    }
}
