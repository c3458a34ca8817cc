//! JSON text, token by token: strict as RFC 8259, without recursion, without copying what needs no copy.
//!
//! This is the only tokenizer of JSON here; what reads requests stands on it. One thing its readers choose: what
//! becomes of halves of surrogate pairs, which JSON can say and UTF-8 cannot (see [`Halves`]).

mod number;
mod skip;
mod string;

use std::borrow::Cow;

use super::flaw::{Flaw, Raised};
use crate::foreign::Fault;

pub use number::{Number, integer};

/// What halves of surrogate pairs that stand alone become in a string that is read. In one that is skipped they are
/// passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Halves {
    /// They are refused, as protobuf's JSON does.
    Refuse,
    /// Each becomes U+FFFD, as senders that cut texts by UTF-16 units are not to lose their spans.
    Replace,
}

/// Reads a text from its first byte to its last.
#[derive(Debug, Clone)]
pub struct Text<'a> {
    text: &'a str,
    at: usize,
    halves: Halves,
}

impl<'a> Text<'a> {
    /// Starts at the first byte. That all is UTF-8 is checked here, which is much faster than string by string.
    pub fn new(bytes: &'a [u8], halves: Halves) -> Raised<Self> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Self::of(text, halves)),
            Err(error) => {
                let at = error.valid_up_to();
                if error.error_len().is_none() {
                    return Err(Flaw::new(Fault::Truncated, at, "found the end in a character", "all of it"));
                }
                let found = format!("found byte 0x{:02x}", bytes.get(at).copied().unwrap_or_default());
                Err(Flaw::malformed(at, found, "UTF-8"))
            }
        }
    }

    /// Starts at the first byte of what is known to be UTF-8.
    #[inline]
    pub fn of(text: &'a str, halves: Halves) -> Self {
        Self { text, at: 0, halves }
    }

    /// Bytes read so far.
    #[inline]
    pub fn position(&self) -> usize {
        self.at
    }

    /// What was read since a place, if both it and the next byte begin a character.
    #[inline]
    pub fn since(&self, from: usize) -> &'a str {
        self.text.get(from..self.at).unwrap_or_default()
    }

    /// What was not read yet.
    #[inline]
    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    /// The next byte, if there is one.
    #[inline]
    pub fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
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
        if self.space() != Some(byte) {
            return false;
        }
        self.at += 1;
        true
    }

    /// Takes a byte that must be next after white space.
    #[inline]
    pub fn demand(&mut self, byte: u8, expected: &'static str) -> Raised<()> {
        if self.take(byte) { Ok(()) } else { Err(self.unexpected(expected)) }
    }

    /// Takes the colon behind a key.
    #[inline]
    pub fn colon(&mut self) -> Raised<()> {
        self.demand(b':', "a colon")
    }

    /// Takes a text if it is next, in these very bytes. It must not end within a character.
    #[inline]
    pub fn take_exactly(&mut self, text: &str) -> bool {
        if !self.rest().starts_with(text.as_bytes()) {
            return false;
        }
        self.at += text.len();
        true
    }

    /// Takes a word such as `null`.
    #[inline]
    pub fn word(&mut self, word: &'static str) -> Raised<()> {
        if self.take_exactly(word) { Ok(()) } else { Err(self.no_word(word)) }
    }

    #[cold]
    fn no_word(&self, word: &'static str) -> Box<Flaw> {
        if word.as_bytes().starts_with(self.rest()) {
            return Flaw::truncated(self.text.len(), word);
        }
        self.unexpected(word)
    }

    /// Takes what is behind an element: a comma, then there are more, or what closes the list or the object.
    #[inline]
    pub fn more(&mut self, close: u8) -> Raised<bool> {
        let found = self.space();
        if found == Some(b',') || found == Some(close) {
            self.at += 1;
            return Ok(found == Some(b','));
        }
        Err(self.unexpected(if close == b'}' { "a comma or }" } else { "a comma or ]" }))
    }

    /// What is next is not what was expected.
    #[cold]
    pub fn unexpected(&self, expected: impl Into<Cow<'static, str>>) -> Box<Flaw> {
        let rest = self.rest();
        let found: Cow<'static, str> = match rest {
            [] => return Flaw::truncated(self.at, expected),
            [b'"', ..] => "found a string".into(),
            [b'{', ..] => "found an object".into(),
            [b'[', ..] => "found a list".into(),
            [b'-' | b'0'..=b'9', ..] => "found a number".into(),
            _ if rest.starts_with(b"true") || rest.starts_with(b"false") => "found a bool".into(),
            _ if rest.starts_with(b"null") => "found null".into(),
            _ => format!("found {:?}", self.char_at(self.at)).into(),
        };
        Flaw::malformed(self.at, found, expected)
    }

    /// The character that begins at a place, for errors.
    fn char_at(&self, at: usize) -> char {
        self.text.get(at..).and_then(|rest| rest.chars().next()).unwrap_or_default()
    }
}
