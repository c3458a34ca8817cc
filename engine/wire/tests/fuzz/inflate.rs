//! What must hold for any bytes taken as compressed: the first byte says how.

use bytes::Bytes;
use spanloom_wire::{Encoding, InflateError, inflate};

const LIMIT: usize = 1 << 16;

const ENCODINGS: [Encoding; 6] = [
    Encoding::Identity,
    Encoding::Gzip,
    Encoding::Deflate,
    Encoding::Zstd,
    Encoding::Snappy,
    Encoding::SnappyFramed,
];

/// Never more than the limit comes out; what fits under one limit is the same under a larger one.
pub fn holds(data: &[u8]) {
    let Some((how, packed)) = data.split_first() else { return };
    let encoding = ENCODINGS[usize::from(*how) % ENCODINGS.len()];
    let packed = Bytes::copy_from_slice(packed);
    match inflate::inflate(encoding, packed.clone(), LIMIT) {
        Ok(out) => {
            assert!(out.len() <= LIMIT);
            assert_eq!(inflate::inflate(encoding, packed, LIMIT * 2), Ok(out));
        }
        Err(InflateError::TooLarge { limit, .. }) => assert_eq!(limit, LIMIT),
        Err(InflateError::Damaged { reason, .. }) => assert!(!reason.is_empty()),
    }
}
