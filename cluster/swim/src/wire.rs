//! Reading and writing the small numbers and texts that gossip is made of: `docs/formats/gossip.md`.
//!
//! **Invariant:** a value has one form only (varints are minimal), and reading allocates no more than was sent.

use spanloom_ring::NodeName;

use crate::Error;

type Result<T> = std::result::Result<T, Error>;

/// Bytes that are read from the front.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Error::Malformed("it ends too early"))?;
        self.0 = rest;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Error::Malformed("it ends too early"))?;
        self.0 = rest;
        Ok(*taken)
    }

    pub(crate) fn u8(&mut self) -> Result<u8> {
        Ok(self.array::<1>()?[0])
    }

    pub(crate) fn u16(&mut self) -> Result<u16> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    /// Six bytes, as milliseconds since 1970 are written: enough for 8,900 years.
    pub(crate) fn u48(&mut self) -> Result<u64> {
        let six = self.array::<6>()?;
        let mut eight = [0; 8];
        eight[..6].copy_from_slice(&six);
        Ok(u64::from_le_bytes(eight))
    }

    /// LEB128, in its shortest form.
    pub(crate) fn varint(&mut self) -> Result<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(Error::Malformed("a number exceeds 64 bits"));
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                let minimal = byte != 0 || shift == 0;
                return if minimal { Ok(value) } else { Err(Error::Malformed("a number is padded")) };
            }
        }
        Err(Error::Malformed("a number exceeds 64 bits"))
    }

    /// A text of at most 255 bytes: its length in one byte, then UTF-8.
    pub(crate) fn text(&mut self) -> Result<&'a str> {
        let length = self.u8()?;
        let bytes = self.take(usize::from(length))?;
        std::str::from_utf8(bytes).map_err(|_| Error::Malformed("a text is not UTF-8"))
    }

    pub(crate) fn end(&self) -> Result<()> {
        if self.0.is_empty() { Ok(()) } else { Err(Error::Malformed("bytes after its end")) }
    }
}

pub(crate) fn put_u48(out: &mut Vec<u8>, value: u64) {
    debug_assert!(value < 1 << 48, "checked where identities are made");
    out.extend_from_slice(&value.to_le_bytes()[..6]);
}

pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// `text` has been checked to be at most 255 bytes.
pub(crate) fn put_text(out: &mut Vec<u8>, text: &str) {
    debug_assert!(text.len() <= 255, "checked where records and names are made");
    let kept = &text.as_bytes()[..text.len().min(255)];
    out.push(kept.len() as u8);
    out.extend_from_slice(kept);
}

/// Reads a node's name.
pub(crate) fn read_name(reader: &mut Reader<'_>) -> Result<NodeName> {
    name_of(reader.text()?)
}

/// The node's name that a text is.
pub(crate) fn name_of(text: &str) -> Result<NodeName> {
    NodeName::new(text).map_err(|_| Error::Malformed("a text that is no node's name"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn varints_have_one_form() {
        let check = |bytes: &[u8], expected: Option<u64>| {
            assert_eq!(Reader(bytes).varint().ok(), expected, "{bytes:x?}");
        };
        check(&[0], Some(0));
        check(&[0x7f], Some(127));
        check(&[0x80, 1], Some(128));
        check(&[0x80, 0], None);
        check(&[0x81, 0x80, 0], None);
        check(&[0x80], None);
        check(&[], None);
        check(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1], Some(u64::MAX));
        check(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2], None);
        check(&[0x80; 11], None);
    }

    #[test]
    fn texts_are_utf8_and_whole() {
        assert_eq!(Reader(b"\x02ab").text(), Ok("ab"));
        assert!(Reader(b"\x03ab").text().is_err());
        assert!(Reader(b"\x02\xff\xff").text().is_err());
    }

    proptest! {
        #[test]
        fn numbers_come_back(value: u64, time in 0_u64..1 << 48) {
            let mut out = Vec::new();
            put_varint(&mut out, value);
            put_u48(&mut out, time);
            let mut reader = Reader(&out);
            prop_assert_eq!((reader.varint()?, reader.u48()?), (value, time));
            prop_assert!(reader.end().is_ok());
        }
    }
}
