//! Trace ids (16 bytes) and span ids (8 bytes), as W3C Trace Context defines them: never all zero.

use std::fmt;

/// The id that all spans of one trace share. Never all zero once it is inside a [`crate::Batch`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct TraceId(pub [u8; 16]);

/// The id of a span within its trace. All zero stands for "no span" (the parent of a root).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SpanId(pub [u8; 8]);

/// Why a text is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Nothing was given.
    #[error("the id is empty, expected 1 to {max} hexadecimal digits")]
    Empty {
        /// Most digits that fit.
        max: usize,
    },
    /// More digits than the id has.
    #[error("the id has {found} digits, expected at most {max} hexadecimal digits")]
    TooLong {
        /// Digits found.
        found: usize,
        /// Most digits that fit.
        max: usize,
    },
    /// A character that is not a hexadecimal digit.
    #[error("the id has {found:?} at position {position}, expected a hexadecimal digit")]
    NotHex {
        /// The character found.
        found: char,
        /// Its position, counted from 0.
        position: usize,
    },
}

impl TraceId {
    /// Reads up to 32 hexadecimal digits; a shorter id is padded with zeros on the left.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let mut out = [0u8; 16];
        parse_hex(text, &mut out)?;
        Ok(Self(out))
    }

    /// Whether every byte is zero, which no trace may have.
    pub fn is_zero(&self) -> bool {
        self.0 == [0; 16]
    }
}

impl SpanId {
    /// Reads up to 16 hexadecimal digits; a shorter id is padded with zeros on the left.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let mut out = [0u8; 8];
        parse_hex(text, &mut out)?;
        Ok(Self(out))
    }

    /// Whether every byte is zero: no span.
    pub fn is_zero(&self) -> bool {
        self.0 == [0; 8]
    }
}

fn parse_hex(text: &str, out: &mut [u8]) -> Result<(), IdError> {
    let max = out.len() * 2;
    if text.is_empty() {
        return Err(IdError::Empty { max });
    }
    if text.len() > max {
        return Err(IdError::TooLong { found: text.chars().count(), max });
    }
    for (position, found) in text.chars().enumerate() {
        if !found.is_ascii_hexdigit() {
            return Err(IdError::NotHex { found, position });
        }
    }
    for (place, digit) in text.bytes().rev().enumerate() {
        let nibble = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => digit - b'A' + 10,
        };
        let at = out.len() - 1 - place / 2;
        out[at] |= nibble << (4 * (place % 2));
    }
    Ok(())
}

fn write_hex(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|b| write!(f, "{b:02x}"))
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&str, &str>) {
        let got = TraceId::parse(text).map(|id| id.to_string()).map_err(|e| e.to_string());
        assert_eq!(got, expected.map(String::from).map_err(String::from), "{text:?}");
    }

    #[test]
    fn ids_are_read_from_hex_and_padded() {
        check("1", Ok("00000000000000000000000000000001"));
        check("AbC", Ok("00000000000000000000000000000abc"));
        check("0123456789abcdef0123456789abcdef", Ok("0123456789abcdef0123456789abcdef"));
        check("", Err("the id is empty, expected 1 to 32 hexadecimal digits"));
        check(
            "0123456789abcdef0123456789abcdef0",
            Err("the id has 33 digits, expected at most 32 hexadecimal digits"),
        );
        check("12x4", Err("the id has 'x' at position 2, expected a hexadecimal digit"));
        check("é", Err("the id has 'é' at position 0, expected a hexadecimal digit"));
    }
}
