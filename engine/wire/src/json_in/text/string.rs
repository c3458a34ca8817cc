//! Strings and their escapes.

use super::{Halves, Text};
use crate::json_in::flaw::{Flaw, Raised};

/// Eight bytes of ones.
const ONES: u64 = 0x0101_0101_0101_0101;
/// The highest bit of eight bytes.
const HIGH: u64 = 0x8080_8080_8080_8080;

impl<'a> Text<'a> {
    /// Reads a string that must be next after white space. Yields what it says, or `None` if it has escapes: then
    /// `unescaped` says it.
    #[inline]
    pub fn string(&mut self, expected: &'static str, unescaped: &mut String) -> Raised<Option<&'a str>> {
        match self.plain_string() {
            Some(text) => Ok(Some(text)),
            None => self.escaped_string(expected, unescaped).map(|()| None),
        }
    }

    /// Takes a string without escapes, which nearly all are, if it is next after white space. Anything else is left
    /// to [`Text::escaped_string`].
    #[inline]
    pub fn plain_string(&mut self) -> Option<&'a str> {
        if self.space() != Some(b'"') {
            return None;
        }
        let from = self.at + 1;
        let end = plain_end(self.text.as_bytes(), from);
        if self.text.as_bytes().get(end) != Some(&b'"') {
            return None;
        }
        self.at = end + 1;
        // Between two bytes of ASCII there are whole characters.
        Some(&self.text[from..end])
    }

    /// Reads a string that must be next after white space.
    #[cold]
    pub fn escaped_string(&mut self, expected: &'static str, unescaped: &mut String) -> Raised<()> {
        unescaped.clear();
        self.demand(b'"', expected)?;
        self.rest_of_string(Some(unescaped))
    }

    /// Skips a string that must be next after white space. Its escapes must be escapes, but need not stand for
    /// characters.
    pub fn skip_string(&mut self, expected: &'static str) -> Raised<()> {
        self.demand(b'"', expected)?;
        self.rest_of_string(None)
    }

    /// What the string at a place that was read before says.
    pub fn string_at(&self, at: usize) -> String {
        let mut unescaped = String::new();
        let found = Text { at, ..self.clone() }.string("a string", &mut unescaped);
        if let Ok(Some(plain)) = found { plain.to_owned() } else { unescaped }
    }

    /// Reads the string on behind its opening quote.
    fn rest_of_string(&mut self, mut unescaped: Option<&mut String>) -> Raised<()> {
        let halves = if unescaped.is_some() { self.halves } else { Halves::Replace };
        loop {
            let from = self.at;
            self.at = plain_end(self.text.as_bytes(), from);
            if let Some(unescaped) = &mut unescaped {
                unescaped.push_str(&self.text[from..self.at]);
            }
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => {
                    let found = self.escape(halves)?;
                    if let Some(unescaped) = &mut unescaped {
                        unescaped.push(found);
                    }
                }
                Some(_) => return Err(self.unexpected("no control characters in a string")),
                None => return Err(Flaw::truncated(self.at, "the end of the string")),
            }
        }
    }

    /// Reads an escape, whose backslash is next.
    fn escape(&mut self, halves: Halves) -> Raised<char> {
        let from = self.at;
        self.at += 1;
        let Some(kind) = self.peek() else { return Err(Flaw::truncated(self.at, "an escape")) };
        self.at += 1;
        Ok(match kind {
            b'"' | b'\\' | b'/' => char::from(kind),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => match (self.utf16()?, halves) {
                (Some(found), _) => found,
                (None, Halves::Replace) => char::REPLACEMENT_CHARACTER,
                (None, Halves::Refuse) => {
                    return Err(Flaw::malformed(from, "found half of a surrogate pair", "an escape of JSON"));
                }
            },
            _ => {
                // What follows the backslash may be of several bytes.
                let found = format!("found the escape \\{}", self.char_at(from + 1));
                return Err(Flaw::malformed(from, found, "an escape of JSON"));
            }
        })
    }

    /// Reads the digits of an escape, and the escape behind it where the two are a surrogate pair; none if this is
    /// half of one that stands alone.
    fn utf16(&mut self) -> Raised<Option<char>> {
        let first = self.hex4()?;
        let behind = self.at;
        if (0xd800..0xdc00).contains(&first) && self.take_exactly("\\u") {
            let low = self.hex4()?.wrapping_sub(0xdc00);
            if low < 0x400 {
                return Ok(char::from_u32(0x10000 + ((first - 0xd800) << 10) + low));
            }
            // An escape of its own.
            self.at = behind;
        }
        Ok(char::from_u32(first))
    }

    fn hex4(&mut self) -> Raised<u32> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16));
            let Some(digit) = digit else { return Err(self.unexpected("four hexadecimal digits")) };
            code = code << 4 | digit;
            self.at += 1;
        }
        Ok(code)
    }
}

/// Where the first quote, backslash or control character lies from `at` on; the end if there is none.
#[inline]
fn plain_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(word) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*word);
        // A byte is zero where it is what is looked for. The lowest bit that is found is right; those above it
        // may be borrowed.
        let zero = |word: u64| word.wrapping_sub(ONES) & !word;
        let equals = |byte: u8| zero(word ^ (ONES * u64::from(byte)));
        let control = word.wrapping_sub(ONES * 0x20) & !word;
        let found = (equals(b'"') | equals(b'\\') | control) & HIGH;
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let rest = bytes.get(at..).unwrap_or_default();
    let stop = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20));
    stop.map_or(bytes.len(), |place| at + place)
}
