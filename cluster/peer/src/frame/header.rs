//! The 24 bytes that every frame begins with: `docs/formats/peer.md`, "Header".
//!
//! The second checksum covers the header, the head, and through the first the payload, so that no part of a frame
//! can be taken for another's. Both are CRC-32C, as in the log.

use bytes::Bytes;
use crc_fast::{CrcAlgorithm, Digest, crc32_iscsi};

use super::FrameError;

/// The first bytes of a frame.
pub const MAGIC: [u8; 4] = *b"SpPr";

/// The version that is written, and the only one so far.
pub const VERSION: u8 = 1;

/// Bytes of the header.
pub const HEADER_BYTES: usize = 24;

/// Where in the header a field is.
mod at {
    use std::ops::Range;

    pub const VERSION: usize = 4;
    pub const KIND: usize = 5;
    pub const RESERVED: Range<usize> = 6..8;
    pub const HEAD_LEN: Range<usize> = 8..12;
    pub const PAYLOAD_LEN: Range<usize> = 12..16;
    pub const PAYLOAD_SUM: Range<usize> = 16..20;
    pub const HEAD_SUM: Range<usize> = 20..24;
}

/// What a frame is. An answer's number is its question's and 128.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// "Keep these spans."
    Push = 1,
    /// "What do you hold of this trace?"
    FindTrace = 2,
    /// "Which blocks do you have?"
    ListBlocks = 3,
    /// "Send me these bytes of a block."
    ReadBlock = 4,
    /// "This is what I know of the members; what do you?"
    ExchangeMembers = 5,
    /// "Whose spans do you have?"
    ListTenants = 6,
    /// "Which traces do you have, and which spans of them?"
    ListTraces = 7,
    /// "Work on these blocks of the store."
    ScanBlocks = 8,
    /// "Keep these spans, which I have sliced."
    PushSliced = 9,
    /// Spans are kept.
    Pushed = 129,
    /// All that is held of a trace.
    TraceCopy = 130,
    /// Blocks.
    BlockList = 131,
    /// Pieces of a block.
    Pieces = 132,
    /// What the one asked knows of the members.
    Members = 133,
    /// Tenants.
    TenantList = 134,
    /// Traces and their digests.
    TraceList = 135,
    /// What the work came to.
    Scanned = 136,
}

/// A header whose fields are in place; nothing of it is proven before [`Header::check`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// A [`Kind`]'s number, or another.
    pub kind: u8,
    /// Bytes of the head.
    pub head_len: u32,
    /// Bytes of the payload.
    pub payload_len: u32,
    payload_sum: u32,
    head_sum: u32,
}

impl Header {
    /// Reads the header at the beginning of `bytes`.
    pub fn parse(bytes: &[u8]) -> Result<Self, FrameError> {
        let Some(fixed) = bytes.first_chunk::<HEADER_BYTES>() else {
            return Err(FrameError::Length { found: bytes.len() as u64, expected: HEADER_BYTES as u64 });
        };
        let magic = [fixed[0], fixed[1], fixed[2], fixed[3]];
        if magic != MAGIC {
            return Err(FrameError::Magic(magic));
        }
        if fixed[at::VERSION] != VERSION {
            return Err(FrameError::Version(fixed[at::VERSION]));
        }
        if fixed[at::RESERVED] != [0; 2] {
            return Err(FrameError::Reserved([fixed[6], fixed[7]]));
        }
        Ok(Self {
            kind: fixed[at::KIND],
            head_len: u32_at(fixed, at::HEAD_LEN),
            payload_len: u32_at(fixed, at::PAYLOAD_LEN),
            payload_sum: u32_at(fixed, at::PAYLOAD_SUM),
            head_sum: u32_at(fixed, at::HEAD_SUM),
        })
    }

    /// Bytes of the whole frame.
    pub fn frame_len(&self) -> u64 {
        HEADER_BYTES as u64 + u64::from(self.head_len) + u64::from(self.payload_len)
    }

    /// Checks lengths and checksums of the header and the head in `front`, and of the payload.
    pub fn check(&self, front: &[u8], payload: &[u8]) -> Result<(), FrameError> {
        let found = front.len() as u64 + payload.len() as u64;
        let head_len = front.len().checked_sub(HEADER_BYTES);
        if head_len != Some(self.head_len as usize) || payload.len() != self.payload_len as usize {
            return Err(FrameError::Length { found, expected: self.frame_len() });
        }
        if head_sum(front) != self.head_sum {
            return Err(FrameError::HeadSum);
        }
        if crc32_iscsi(payload) != self.payload_sum {
            return Err(FrameError::PayloadSum);
        }
        Ok(())
    }
}

/// Fills in the header before the head, where [`HEADER_BYTES`] were left for it.
pub(super) fn fill(
    front: &mut [u8],
    kind: Kind,
    payload: &[Bytes],
    payload_len: usize,
) -> Result<(), FrameError> {
    let frame_len = front.len() as u64 + payload_len as u64;
    if frame_len > u64::from(u32::MAX) {
        return Err(FrameError::TooLarge { found: frame_len, limit: u64::from(u32::MAX) }); // as in gRPC
    }
    let head_len = (front.len() - HEADER_BYTES) as u32;
    front[..at::VERSION].copy_from_slice(&MAGIC);
    front[at::VERSION] = VERSION;
    front[at::KIND] = kind as u8;
    front[at::HEAD_LEN].copy_from_slice(&head_len.to_le_bytes());
    front[at::PAYLOAD_LEN].copy_from_slice(&(payload_len as u32).to_le_bytes());
    front[at::PAYLOAD_SUM].copy_from_slice(&payload_sum(payload).to_le_bytes());
    let sum = head_sum(front);
    front[at::HEAD_SUM].copy_from_slice(&sum.to_le_bytes());
    Ok(())
}

fn payload_sum(payload: &[Bytes]) -> u32 {
    if let [piece] = payload {
        return crc32_iscsi(piece);
    }
    let mut digest = Digest::new(CrcAlgorithm::Crc32Iscsi);
    payload.iter().for_each(|piece| digest.update(piece));
    digest.finalize() as u32
}

/// Of the header up to where the sum stands, and of the head.
fn head_sum(front: &[u8]) -> u32 {
    let mut digest = Digest::new(CrcAlgorithm::Crc32Iscsi);
    digest.update(&front[..at::HEAD_SUM.start]);
    digest.update(&front[HEADER_BYTES..]);
    digest.finalize() as u32
}

fn u32_at(fixed: &[u8; HEADER_BYTES], at: std::ops::Range<usize>) -> u32 {
    let mut bytes = [0; 4];
    bytes.copy_from_slice(&fixed[at]);
    u32::from_le_bytes(bytes)
}
