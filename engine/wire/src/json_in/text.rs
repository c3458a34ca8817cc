//! JSON text, token by token: strict as RFC 8259, without recursion, without copying what needs no copy.

use std::borrow::Cow;

use super::flaw::{Flaw, Raised};

/// Eight bytes of ones.
const ONES: u64 = 0x0101_0101_0101_0101;
/// The highest bit of eight bytes.
const HIGH: u64 = 0x8080_8080_8080_8080;

/// A number as it was written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    /// An integer of up to 64 bits and its sign.
    Integer { negative: bool, magnitude: u64 },
    /// Any other: a fraction, an exponent, more digits.
    Float(f64),
}

impl Number {
    /// As a float.
    pub fn float(self) -> f64 {
        match self {
            Number::Integer { negative, magnitude } => {
                if negative {
                    -(magnitude as f64)
                } else {
                    magnitude as f64
                }
            }
            Number::Float(value) => value,
        }
    }

    /// As an integer of up to 64 bits and its sign: 1e3 is one, too.
    pub fn integer(self) -> Option<i128> {
        match self {
            Number::Integer { negative, magnitude } => {
                Some(if negative { -i128::from(magnitude) } else { magnitude.into() })
            }
            Number::Float(value) if value.fract() == 0.0 && value.abs() < 2f64.powi(64) => {
                Some(value as i128)
            }
            Number::Float(_) => None,
        }
    }
}

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Number::Integer { negative, magnitude } => {
                write!(f, "{}{magnitude}", if *negative { "-" } else { "" })
            }
            Number::Float(value) => write!(f, "{value}"),
        }
    }
}

/// Reads a text from its first byte to its last. That it is UTF-8 was checked before: every string in it is, too,
/// as it begins and ends at bytes of ASCII.
pub struct Text<'a> {
    pub(super) text: &'a [u8],
    pub(super) at: usize,
}

impl<'a> Text<'a> {
    /// Starts at the first byte.
    pub fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0 }
    }

    /// Bytes read so far.
    pub fn position(&self) -> usize {
        self.at
    }

    /// The next byte, if there is one.
    #[inline]
    pub fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// Skips white space; yields the byte after it.
    #[inline]
    pub fn space(&mut self) -> Option<u8> {
        loop {
            match self.peek() {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                other => return other,
            }
        }
    }

    /// Takes a byte if it is next after white space.
    #[inline]
    pub fn take(&mut self, byte: u8) -> bool {
        let found = self.space() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// Takes a byte that must be next.
    #[inline]
    pub fn demand(&mut self, byte: u8, expected: &'static str) -> Raised<()> {
        if self.take(byte) { Ok(()) } else { Err(self.unexpected(expected)) }
    }

    /// What is next is not what was expected.
    #[cold]
    pub fn unexpected(&self, expected: impl Into<Cow<'static, str>>) -> Box<Flaw> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let found: Cow<'static, str> = match rest {
            [] => return Flaw::truncated(self.at, expected),
            [b'"', ..] => "found a string".into(),
            [b'{', ..] => "found an object".into(),
            [b'[', ..] => "found a list".into(),
            [b'-' | b'0'..=b'9', ..] => "found a number".into(),
            _ if rest.starts_with(b"true") => "found true".into(),
            _ if rest.starts_with(b"false") => "found false".into(),
            _ if rest.starts_with(b"null") => "found null".into(),
            _ => format!("found {:?}", first_char(rest)).into(),
        };
        Flaw::malformed(self.at, found, expected)
    }

    /// Takes a text if it is next, in these very bytes.
    #[inline]
    pub fn take_exactly(&mut self, text: &str) -> bool {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let found = rest.starts_with(text.as_bytes());
        self.at += if found { text.len() } else { 0 };
        found
    }

    /// Takes what is behind an element: a comma, then there are more, or what closes the list or the object.
    #[inline]
    pub fn more(&mut self, close: u8, expected: &'static str) -> Raised<bool> {
        let found = self.space();
        if found == Some(b',') || found == Some(close) {
            self.at += 1;
            return Ok(found == Some(b','));
        }
        Err(self.unexpected(expected))
    }

    /// Takes a word such as `null`.
    pub fn word(&mut self, word: &'static str) -> Raised<()> {
        if self.take_exactly(word) { Ok(()) } else { Err(self.unexpected(word)) }
    }

    /// Reads a string, of which the opening quote must be next. What it says is in the text, or in `unescaped`.
    #[inline]
    pub fn string<'s>(&mut self, unescaped: &'s mut Vec<u8>) -> Raised<&'s [u8]>
    where
        'a: 's,
    {
        if self.peek() != Some(b'"') {
            return Err(self.unexpected("a string"));
        }
        let from = self.at + 1;
        self.at = plain_end(self.text, from);
        if self.peek() == Some(b'"') {
            self.at += 1;
            return Ok(&self.text[from..self.at - 1]);
        }
        unescaped.clear();
        unescaped.extend_from_slice(&self.text[from..self.at]);
        self.rest_of_string(unescaped)?;
        Ok(unescaped)
    }

    /// What the string at a place that was read before says.
    pub fn string_at(&self, at: usize) -> String {
        let mut unescaped = Vec::new();
        let found = Text { text: self.text, at }.string(&mut unescaped).map(said);
        found.unwrap_or_default()
    }

    /// Reads on from an escape, or from what ends a string.
    fn rest_of_string(&mut self, unescaped: &mut Vec<u8>) -> Raised<()> {
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => {
                    let found = self.escape()?;
                    unescaped.extend_from_slice(found.encode_utf8(&mut [0; 4]).as_bytes());
                }
                Some(_) => return Err(self.unexpected("no control characters in a string")),
                None => return Err(Flaw::truncated(self.at, "the end of the string")),
            }
            let from = self.at;
            self.at = plain_end(self.text, from);
            unescaped.extend_from_slice(&self.text[from..self.at]);
        }
    }

    pub(super) fn escape(&mut self) -> Raised<char> {
        let from = self.at;
        let bad = |found: String| Flaw::malformed(from, found, "an escape of JSON");
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
            b'u' => {
                let first = self.hex4()?;
                let code = match first {
                    0xd800..=0xdbff => {
                        let second = match self.text.get(self.at..self.at + 2) {
                            Some(b"\\u") => {
                                self.at += 2;
                                self.hex4()?
                            }
                            _ => 0,
                        };
                        let low = second.wrapping_sub(0xdc00);
                        if low < 0x400 { 0x10000 + ((first - 0xd800) << 10) + low } else { first }
                    }
                    code => code,
                };
                // Halves of pairs that stand alone are no characters.
                char::from_u32(code).ok_or_else(|| bad("found half of a surrogate pair".to_owned()))?
            }
            _ => {
                // What follows the backslash may be of several bytes.
                self.at = from;
                let other = first_char(&self.text[from + 1..]);
                return Err(bad(format!("found the escape \\{other}")));
            }
        })
    }

    pub(super) fn hex4(&mut self) -> Raised<u32> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16));
            let Some(digit) = digit else { return Err(self.unexpected("four hexadecimal digits")) };
            code = code << 4 | digit;
            self.at += 1;
        }
        Ok(code)
    }

    /// Reads a number.
    pub fn number(&mut self) -> Raised<Number> {
        let from = self.at;
        let negative = self.peek() == Some(b'-');
        self.skip_number()?;
        let digits = &self.text[from + usize::from(negative)..self.at];
        if let Some(magnitude) = integer(digits)
            && (magnitude > 0 || !negative)
        {
            return Ok(Number::Integer { negative, magnitude });
        }
        let value =
            std::str::from_utf8(&self.text[from..self.at]).ok().and_then(|text| text.parse::<f64>().ok());
        match value {
            Some(value) if value.is_finite() => Ok(Number::Float(value)),
            _ => Err(Flaw::malformed(from, "found a number beyond 64-bit floats", "one within")),
        }
    }

    /// Passes a number, whatever its value is.
    pub(super) fn skip_number(&mut self) -> Raised<()> {
        let bytes = self.text;
        let first = self.at + usize::from(self.peek() == Some(b'-'));
        let mut end = self.more_digits(first)?;
        if end > first + 1 && bytes[first] == b'0' {
            return Err(Flaw::malformed(first, "found a zero before other digits", "none"));
        }
        if bytes.get(end) == Some(&b'.') {
            end = self.more_digits(end + 1)?;
        }
        if matches!(bytes.get(end), Some(b'e' | b'E')) {
            let sign = matches!(bytes.get(end + 1), Some(b'+' | b'-'));
            end = self.more_digits(end + 1 + usize::from(sign))?;
        }
        self.at = end;
        Ok(())
    }

    /// Where digits end, of which there must be some.
    fn more_digits(&mut self, from: usize) -> Raised<usize> {
        let end = digits_end(self.text, from);
        if end > from {
            return Ok(end);
        }
        self.at = from;
        Err(self.unexpected("a digit"))
    }
}

/// A string of the text, for errors.
pub fn said(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}

/// The character that a text begins with.
fn first_char(text: &[u8]) -> char {
    String::from_utf8_lossy(&text[..text.len().min(4)]).chars().next().unwrap_or_default()
}

/// Where the first quote, backslash or control character lies from `at` on; the end if there is none.
#[inline]
pub fn plain_end(bytes: &[u8], mut at: usize) -> usize {
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

fn digits_end(bytes: &[u8], from: usize) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    from + rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

/// The number that digits stand for, if 64 bits hold it and nothing but digits is there.
#[inline]
pub fn integer(digits: &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for &digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    (!digits.is_empty()).then_some(value)
}
