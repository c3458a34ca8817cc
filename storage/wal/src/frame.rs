//! One frame: one request in the log. The layout is section "Frame" of `docs/formats/log.md`.
//!
//! The header has a checksum of its own, so that a length is trusted before the payload is read, and it covers
//! the payload's checksum, so that a payload belongs to one header. It is masked with the segment's salt: a
//! frame that was written into another segment, or sent to us inside a payload, is no frame here.

use crc_fast::crc32_iscsi;

use crate::WalError;

/// First bytes of a frame, "SpLF" read as text.
pub const FRAME_MAGIC: [u8; 4] = *b"SpLF";

/// Length of a frame's fixed part; the tenant's name and the payload follow.
pub const FRAME_HEADER_BYTES: usize = 48;

/// Most bytes in a tenant's name.
pub const MAX_TENANT_BYTES: usize = 255;

/// Most bytes in a payload.
pub const MAX_PAYLOAD_BYTES: usize = u32::MAX as usize;

/// Offsets of the fields, as in the byte table.
mod at {
    pub const HEADER_CRC: usize = 4;
    pub const PAYLOAD_CRC: usize = 8;
    pub const PAYLOAD_LEN: usize = 12;
    pub const SEQ: usize = 16;
    pub const SYNCED: usize = 24;
    pub const TIME: usize = 32;
    pub const SPANS: usize = 40;
    pub const KIND: usize = 44;
    pub const TENANT_LEN: usize = 45;
    pub const RESERVED: usize = 46;
}

/// A request to be appended.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// Whose it is; at most [`MAX_TENANT_BYTES`].
    pub tenant: &'a str,
    /// What the payload is; the caller's numbers.
    pub kind: u8,
    /// How many spans it has: the segment is kept until all of them are sealed.
    pub spans: u32,
    /// Its bytes; at most [`MAX_PAYLOAD_BYTES`].
    pub payload: &'a [u8],
}

/// The fixed part of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    pub payload_crc: u32,
    pub payload_len: u32,
    pub seq: u64,
    /// When it was written, every frame up to this ordinal was known to be durable.
    pub synced: u64,
    /// Milliseconds since 1970 at which it was appended.
    pub time_ms: u64,
    pub spans: u32,
    pub kind: u8,
    pub tenant_len: u8,
}

impl FrameHeader {
    /// Length of the frame that it opens.
    pub fn frame_len(&self) -> u64 {
        FRAME_HEADER_BYTES as u64 + u64::from(self.tenant_len) + u64::from(self.payload_len)
    }

    /// Where the payload begins within the frame.
    pub fn payload_at(&self) -> usize {
        FRAME_HEADER_BYTES + usize::from(self.tenant_len)
    }

    /// Reads the header and the tenant's name behind it, `bytes` being everything up to the payload or more.
    /// `None` if they are not what was written into a segment of that salt.
    pub fn decode(salt: u32, bytes: &[u8]) -> Option<(Self, &str)> {
        let fixed: &[u8; FRAME_HEADER_BYTES] = bytes.first_chunk()?;
        if fixed[..4] != FRAME_MAGIC {
            return None;
        }
        let header = Self {
            payload_crc: u32_at(fixed, at::PAYLOAD_CRC),
            payload_len: u32_at(fixed, at::PAYLOAD_LEN),
            seq: u64_at(fixed, at::SEQ),
            synced: u64_at(fixed, at::SYNCED),
            time_ms: u64_at(fixed, at::TIME),
            spans: u32_at(fixed, at::SPANS),
            kind: fixed[at::KIND],
            tenant_len: fixed[at::TENANT_LEN],
        };
        let covered = bytes.get(at::PAYLOAD_CRC..header.payload_at())?;
        if crc32_iscsi(covered) ^ salt != u32_at(fixed, at::HEADER_CRC) || fixed[at::RESERVED..] != [0; 2] {
            return None;
        }
        let tenant = std::str::from_utf8(&bytes[FRAME_HEADER_BYTES..header.payload_at()]).ok()?;
        Some((header, tenant))
    }

    /// Whether this is the payload that was written with the header.
    pub fn has_payload(&self, payload: &[u8]) -> bool {
        payload.len() == self.payload_len as usize && crc32_iscsi(payload) == self.payload_crc
    }
}

/// What a frame gets besides its entry.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stamp {
    pub seq: u64,
    pub synced: u64,
    pub time_ms: u64,
}

/// Appends everything of the frame but its payload to `out`.
pub(crate) fn encode_header(
    salt: u32,
    entry: &Entry<'_>,
    stamp: Stamp,
    out: &mut Vec<u8>,
) -> Result<(), WalError> {
    let tenant_len = u8::try_from(entry.tenant.len())
        .map_err(|_| WalError::TenantTooLong { found: entry.tenant.len() })?;
    let payload_len = u32::try_from(entry.payload.len())
        .map_err(|_| WalError::PayloadTooLarge { found: entry.payload.len() })?;
    let mut fixed = [0; FRAME_HEADER_BYTES];
    fixed[..4].copy_from_slice(&FRAME_MAGIC);
    put(&mut fixed, at::PAYLOAD_CRC, &crc32_iscsi(entry.payload).to_le_bytes());
    put(&mut fixed, at::PAYLOAD_LEN, &payload_len.to_le_bytes());
    put(&mut fixed, at::SEQ, &stamp.seq.to_le_bytes());
    put(&mut fixed, at::SYNCED, &stamp.synced.to_le_bytes());
    put(&mut fixed, at::TIME, &stamp.time_ms.to_le_bytes());
    put(&mut fixed, at::SPANS, &entry.spans.to_le_bytes());
    put(&mut fixed, at::KIND, &[entry.kind, tenant_len]);
    let from = out.len();
    out.extend_from_slice(&fixed);
    out.extend_from_slice(entry.tenant.as_bytes());
    let crc = crc32_iscsi(&out[from + at::PAYLOAD_CRC..]) ^ salt;
    put(&mut out[from..], at::HEADER_CRC, &crc.to_le_bytes());
    Ok(())
}

/// Reads a little-endian number; `at` lies within `bytes`.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes[at..].first_chunk().map_or(0, |chunk| u32::from_le_bytes(*chunk))
}

/// Reads a little-endian number; `at` lies within `bytes`.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes[at..].first_chunk().map_or(0, |chunk| u64::from_le_bytes(*chunk))
}

/// Writes a field at its offset.
pub(crate) fn put(out: &mut [u8], at: usize, field: &[u8]) {
    out[at..at + field.len()].copy_from_slice(field);
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALT: u32 = 0x5eed_1234;

    fn frame(tenant: &str, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let stamp = Stamp { seq: 7, synced: 5, time_ms: 1_700_000_000_000 };
        encode_header(SALT, &Entry { tenant, kind: 3, spans: 9, payload }, stamp, &mut out).unwrap();
        out.extend_from_slice(payload);
        out
    }

    /// The frame's payload if all of it is as it was written.
    fn open(salt: u32, bytes: &[u8]) -> Option<(FrameHeader, String, Vec<u8>)> {
        let (header, tenant) = FrameHeader::decode(salt, bytes)?;
        let payload = bytes.get(header.payload_at()..header.frame_len() as usize)?;
        header.has_payload(payload).then(|| (header, tenant.to_owned(), payload.to_vec()))
    }

    #[test]
    fn what_is_written_is_read() {
        for (tenant, payload) in [("t", &b"payload"[..]), ("", b""), (&"n".repeat(255), &[7; 5000])] {
            let (header, read_tenant, read) = open(SALT, &frame(tenant, payload)).unwrap();
            assert_eq!((read_tenant.as_str(), read.as_slice()), (tenant, payload));
            assert_eq!((header.seq, header.synced, header.time_ms), (7, 5, 1_700_000_000_000));
            assert_eq!((header.kind, header.spans), (3, 9));
        }
    }

    #[test]
    fn every_flipped_bit_and_every_truncation_is_detected() {
        let good = frame("team-1", b"sixteen bytes!!!");
        for at in 0..good.len() {
            for value in 0..=255 {
                let mut bad = good.clone();
                bad[at] = value;
                assert_eq!(open(SALT, &bad).is_some(), value == good[at], "byte {at} set to {value}");
            }
            assert!(open(SALT, &good[..at]).is_none(), "cut to {at}");
            let mut zeroed = good.clone();
            zeroed[at..].fill(0);
            assert_eq!(open(SALT, &zeroed).is_some(), zeroed == good, "zeros from {at}");
        }
    }

    #[test]
    fn a_frame_of_another_segment_is_none() {
        assert!(open(SALT + 1, &frame("t", b"payload")).is_none());
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let entry = Entry { tenant: &"n".repeat(256), kind: 0, spans: 0, payload: b"" };
        let stamp = Stamp { seq: 1, synced: 0, time_ms: 0 };
        let error = encode_header(SALT, &entry, stamp, &mut Vec::new()).unwrap_err();
        assert_eq!(error.to_string(), "the tenant's name has 256 bytes, expected at most 255");
    }

    #[test]
    fn the_layout_is_as_documented() {
        let hex: String = frame("ab", b"xyz").iter().map(|byte| format!("{byte:02x}")).collect();
        let magic_crcs_length = "53704c46d7be66df8568232503000000";
        let seq_synced_time = "070000000000000005000000000000000068e5cf8b010000";
        let spans_kind_tenant_length_reserved = "0900000003020000";
        let tenant_payload = "616278797a";
        let parts = [magic_crcs_length, seq_synced_time, spans_kind_tenant_length_reserved, tenant_payload];
        assert_eq!(hex, parts.concat());
    }
}
