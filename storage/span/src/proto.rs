//! The protobuf wire format, as far as OTLP uses it: a reader over a slice that never reads past its end and
//! never allocates, and a writer into a `Vec<u8>`.
//!
//! Source: <https://protobuf.dev/programming-guides/encoding/>.

/// Why bytes are not protobuf. Positions count from the start of the slice that the reader was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProtoError {
    /// A varint, length or fixed field runs past the end.
    #[error("truncated at byte {at}")]
    Truncated {
        /// Where the field began.
        at: usize,
    },
    /// A varint of more than ten bytes, or more than 64 bits.
    #[error("a varint at byte {at} is longer than 64 bits")]
    Varint {
        /// Where it began.
        at: usize,
    },
    /// Field number 0, or one above 2^29 - 1.
    #[error("a field number at byte {at} is not between 1 and 536870911")]
    FieldNumber {
        /// Where the tag began.
        at: usize,
    },
    /// Groups (wire types 3 and 4) and the unassigned types 6 and 7.
    #[error("wire type {wire} at byte {at}, expected 0, 1, 2 or 5")]
    WireType {
        /// The type found.
        wire: u8,
        /// Where the tag began.
        at: usize,
    },
}

/// One field's value as it lies on the wire.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// Wire type 0.
    Varint(u64),
    /// Wire type 1.
    Fixed64(u64),
    /// Wire type 2: a string, bytes or a message.
    Bytes(&'a [u8]),
    /// Wire type 5.
    Fixed32(u32),
}

/// Reads field after field from a message's bytes.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Starts at the first byte of a message.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Bytes read so far.
    pub fn position(&self) -> usize {
        self.at
    }

    /// Whether everything was read.
    pub fn is_empty(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// The next field's number and value, or `None` at the end.
    ///
    /// Not an iterator: after an error there is nothing to go on with.
    #[allow(clippy::should_implement_trait)]
    #[inline(always)]
    pub fn next(&mut self) -> Result<Option<(u32, Value<'a>)>, ProtoError> {
        // Nearly all fields of OTLP are short strings and messages: a byte of tag, a byte of length.
        if let Some(&[tag, len, ref rest @ ..]) = self.bytes.get(self.at..)
            && tag & 0x87 == 2
            && tag >= 8
            && len < 0x80
            && let Some(body) = rest.get(..usize::from(len))
        {
            self.at += 2 + body.len();
            return Ok(Some((u32::from(tag >> 3), Value::Bytes(body))));
        }
        self.any_next()
    }

    fn any_next(&mut self) -> Result<Option<(u32, Value<'a>)>, ProtoError> {
        if self.at >= self.bytes.len() {
            return Ok(None);
        }
        let start = self.at;
        let tag = self.varint()?;
        let number = tag >> 3;
        if number == 0 || number > 0x1fff_ffff {
            return Err(ProtoError::FieldNumber { at: start });
        }
        let value = match (tag & 7) as u8 {
            0 => Value::Varint(self.varint()?),
            1 => Value::Fixed64(u64::from_le_bytes(self.fixed(start)?)),
            2 => {
                let len = self.varint()?;
                let rest = self.bytes.len() - self.at;
                if len > rest as u64 {
                    return Err(ProtoError::Truncated { at: start });
                }
                let from = self.at;
                self.at += len as usize;
                Value::Bytes(&self.bytes[from..self.at])
            }
            5 => Value::Fixed32(u32::from_le_bytes(self.fixed(start)?)),
            wire => return Err(ProtoError::WireType { wire, at: start }),
        };
        Ok(Some((number as u32, value)))
    }

    #[inline]
    fn fixed<const N: usize>(&mut self, start: usize) -> Result<[u8; N], ProtoError> {
        let bytes = self.bytes[self.at..].first_chunk::<N>().ok_or(ProtoError::Truncated { at: start })?;
        self.at += N;
        Ok(*bytes)
    }

    #[inline]
    fn varint(&mut self) -> Result<u64, ProtoError> {
        match self.bytes.get(self.at) {
            Some(&b) if b < 0x80 => {
                self.at += 1;
                Ok(u64::from(b))
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64, ProtoError> {
        let start = self.at;
        let mut value = 0u64;
        for place in 0..10 {
            let &b = self.bytes.get(self.at).ok_or(ProtoError::Truncated { at: start })?;
            self.at += 1;
            if place == 9 && b > 1 {
                return Err(ProtoError::Varint { at: start });
            }
            value |= u64::from(b & 0x7f) << (7 * place);
            if b < 0x80 {
                return Ok(value);
            }
        }
        Err(ProtoError::Varint { at: start })
    }
}

/// Appends a varint.
pub fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Bytes that a varint takes.
pub fn varint_len(value: u64) -> usize {
    (70 - (value | 1).leading_zeros() as usize) / 7
}

/// Appends a varint field.
pub fn put_uint(out: &mut Vec<u8>, field: u32, value: u64) {
    put_varint(out, u64::from(field) << 3);
    put_varint(out, value);
}

/// Appends a fixed64 field.
pub fn put_fixed64(out: &mut Vec<u8>, field: u32, value: u64) {
    put_varint(out, u64::from(field) << 3 | 1);
    out.extend_from_slice(&value.to_le_bytes());
}

/// Appends a fixed32 field.
pub fn put_fixed32(out: &mut Vec<u8>, field: u32, value: u32) {
    put_varint(out, u64::from(field) << 3 | 5);
    out.extend_from_slice(&value.to_le_bytes());
}

/// Appends a string, bytes or already encoded message field.
pub fn put_bytes(out: &mut Vec<u8>, field: u32, value: &[u8]) {
    put_varint(out, u64::from(field) << 3 | 2);
    put_varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

/// Appends a string or bytes field unless it is empty, as proto3 does.
pub fn put_text(out: &mut Vec<u8>, field: u32, value: &[u8]) {
    if !value.is_empty() {
        put_bytes(out, field, value);
    }
}

/// Appends a message field whose body `write` appends.
///
/// The length is patched in afterwards: one byte is kept free for it, and the body moves up when it needs more.
pub fn put_message(out: &mut Vec<u8>, field: u32, write: impl FnOnce(&mut Vec<u8>)) {
    put_varint(out, u64::from(field) << 3 | 2);
    let mark = out.len();
    out.push(0);
    write(out);
    let len = (out.len() - mark - 1) as u64;
    let extra = varint_len(len) - 1;
    if extra > 0 {
        let end = out.len();
        out.resize(end + extra, 0);
        out.copy_within(mark + 1..end, mark + 1 + extra);
    }
    let mut rest = len;
    for slot in &mut out[mark..=mark + extra] {
        *slot = rest as u8 & 0x7f | 0x80;
        rest >>= 7;
    }
    out[mark + extra] &= 0x7f;
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn truncated_and_foreign_bytes_are_named() {
        let check = |bytes: &[u8], expected: ProtoError| {
            let mut reader = Reader::new(bytes);
            let got = loop {
                match reader.next() {
                    Ok(Some(_)) => {}
                    Ok(None) => panic!("{bytes:?} was read to its end"),
                    Err(e) => break e,
                }
            };
            assert_eq!(got, expected, "{bytes:?}");
        };
        check(&[0x80], ProtoError::Truncated { at: 0 });
        check(&[0x0a, 5, 1], ProtoError::Truncated { at: 0 });
        check(&[0x08, 1, 0x09, 1, 2], ProtoError::Truncated { at: 2 });
        check(&[0x00, 1], ProtoError::FieldNumber { at: 0 });
        check(&[0x0b], ProtoError::WireType { wire: 3, at: 0 });
        check(&[0x08, 255, 255, 255, 255, 255, 255, 255, 255, 255, 2], ProtoError::Varint { at: 1 });
        check(&[0x0a, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1], ProtoError::Truncated { at: 0 });
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(number in 1u32..0x1fff_ffff, v in any::<u64>(), len in 0usize..40_000) {
            let mut out = Vec::new();
            put_uint(&mut out, number, v);
            put_fixed64(&mut out, number, v);
            put_fixed32(&mut out, number, v as u32);
            put_message(&mut out, number, |o| o.resize(o.len() + len, 7));
            prop_assert_eq!(varint_len(v), { let mut o = Vec::new(); put_varint(&mut o, v); o.len() });
            let mut reader = Reader::new(&out);
            prop_assert_eq!(reader.next().unwrap(), Some((number, Value::Varint(v))));
            prop_assert_eq!(reader.next().unwrap(), Some((number, Value::Fixed64(v))));
            prop_assert_eq!(reader.next().unwrap(), Some((number, Value::Fixed32(v as u32))));
            prop_assert_eq!(reader.next().unwrap(), Some((number, Value::Bytes(&vec![7u8; len][..]))));
            prop_assert_eq!(reader.next().unwrap(), None);
        }
    }
}
