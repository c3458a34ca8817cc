//! Parts of answers as bytes, for another node of the cluster: what one node found, another adds to its own.
//! `docs/formats/peer.md`, "What is found".
//!
//! | file | holds |
//! |---|---|
//! | `mod.rs` | numbers and texts; why bytes are refused |
//! | `value.rs` | values |
//! | `found.rs` | traces that were found |
//!
//! What was counted for series is in `metrics/wire.rs`.
//!
//! **Invariant:** whatever the bytes say, nothing panics, and what is kept is bounded by how many bytes there are.

mod found;
mod value;

use spanloom_span::proto::put_varint;

pub use found::{put_found, take_found};
pub use value::{put_any, put_value, take_any, take_value};

/// Why bytes are no part of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// They end within a field.
    #[error("the bytes end within {0}")]
    Cut(&'static str),
    /// A field's value cannot be.
    #[error("{0} cannot be")]
    Wrong(&'static str),
    /// They go on after the last field.
    #[error("{0} bytes follow the last field")]
    Left(usize),
}

/// Reads field after field.
#[derive(Debug, Clone, Copy)]
pub struct Unpacker<'a>(&'a [u8]);

impl<'a> Unpacker<'a> {
    /// Starts at the first byte.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Bytes that are left.
    pub fn left(&self) -> usize {
        self.0.len()
    }

    /// That none are left.
    pub fn end(&self) -> Result<(), WireError> {
        if self.0.is_empty() { Ok(()) } else { Err(WireError::Left(self.0.len())) }
    }

    /// So many bytes.
    pub fn raw(&mut self, len: usize, field: &'static str) -> Result<&'a [u8], WireError> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(WireError::Cut(field))?;
        self.0 = rest;
        Ok(taken)
    }

    /// As many bytes as there are of an array.
    pub fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], WireError> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or(WireError::Cut(field))?;
        self.0 = rest;
        Ok(*taken)
    }

    /// A byte.
    pub fn u8(&mut self, field: &'static str) -> Result<u8, WireError> {
        Ok(u8::from_le_bytes(self.array(field)?))
    }

    /// Eight bytes, little endian.
    pub fn u64(&mut self, field: &'static str) -> Result<u64, WireError> {
        Ok(u64::from_le_bytes(self.array(field)?))
    }

    /// A byte that is 0 or 1.
    pub fn flag(&mut self, field: &'static str) -> Result<bool, WireError> {
        match self.u8(field)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(WireError::Wrong(field)),
        }
    }

    /// A varint in its shortest form.
    pub fn varint(&mut self, field: &'static str) -> Result<u64, WireError> {
        let mut value = 0u64;
        for place in 0..10 {
            let byte = self.u8(field)?;
            if place == 9 && byte > 1 || place > 0 && byte == 0 {
                break;
            }
            value |= u64::from(byte & 0x7f) << (7 * place);
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(WireError::Wrong(field))
    }

    /// A varint that is at most this.
    pub fn at_most(&mut self, most: u64, field: &'static str) -> Result<u64, WireError> {
        let value = self.varint(field)?;
        if value <= most { Ok(value) } else { Err(WireError::Wrong(field)) }
    }

    /// A length, and as many bytes. A count of things of a byte at least is no more than the bytes that are left.
    pub fn bytes(&mut self, field: &'static str) -> Result<&'a [u8], WireError> {
        let len = self.varint(field)?;
        self.raw(usize::try_from(len).map_err(|_| WireError::Cut(field))?, field)
    }

    /// A length, and as many bytes of UTF-8.
    pub fn text(&mut self, field: &'static str) -> Result<&'a str, WireError> {
        std::str::from_utf8(self.bytes(field)?).map_err(|_| WireError::Wrong(field))
    }
}

/// Appends a length, and the bytes.
pub fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}
