//! Reading JSON text as a stream: one value after the other, borrowed from the text where it has no escapes.
//!
//! The text is checked to be UTF-8 once, as a whole. Every error names the byte. Nothing recurses: what is skipped
//! may nest up to [`MAX_DEPTH`], what is read nests as its caller does. A half of a surrogate pair, which JSON can
//! say and UTF-8 cannot, becomes U+FFFD; in everything else this is as strict as RFC 8259.
//!
//! ```
//! use spanloom_wire::Foreign;
//! use spanloom_wire::json_text::Json;
//!
//! let mut json = Json::new(br#"{"port": 80, "name": "cart", "later": [{}]}"#)?;
//! let mut members = json.object("an endpoint")?;
//! while let Some(key) = json.key(&mut members)? {
//!     match &*key {
//!         "name" => assert_eq!(json.text("a name")?, "cart"),
//!         _ => json.skip()?,
//!     }
//! }
//! json.end()?;
//! # Ok::<(), Foreign>(())
//! ```

use std::borrow::Cow;

use crate::foreign::{Fault, Foreign};

/// Most levels of objects and lists within a value that is skipped.
pub const MAX_DEPTH: u32 = 128;

/// A place in a JSON text.
#[derive(Debug, Clone)]
pub struct Json<'a> {
    text: &'a str,
    at: usize,
}

/// Whether the object or list that is being read has had a member.
#[derive(Debug)]
pub struct Members {
    any: bool,
}

/// A value that holds no others.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// A string.
    Text(Cow<'a, str>),
    /// A number as it is written, so that nothing is lost before it is known what it stands for.
    Number(&'a str),
    /// `true` or `false`.
    Bool(bool),
    /// `null`.
    Null,
}

impl<'a> Json<'a> {
    /// Starts at the first byte; refuses what is not UTF-8.
    pub fn new(bytes: &'a [u8]) -> Result<Self, Foreign> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Self::of(text)),
            Err(error) => {
                let at = error.valid_up_to();
                if error.error_len().is_none() {
                    return Err(Foreign::new(Fault::Truncated, at, "the end in a character", "all of it"));
                }
                let found = format!("byte 0x{:02x}", bytes.get(at).copied().unwrap_or_default());
                Err(Foreign::new(Fault::Malformed, at, found, "UTF-8"))
            }
        }
    }

    /// Starts at the first byte of a text.
    pub fn of(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// Bytes read so far.
    #[inline]
    pub fn position(&self) -> usize {
        self.at
    }

    /// The next byte that is not white space, which is not passed.
    #[inline]
    pub fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while let Some(&byte) = bytes.get(self.at) {
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(byte);
            }
            self.at += 1;
        }
        None
    }

    /// Enters an object; `what` is said to be expected when there is something else.
    #[inline]
    pub fn object(&mut self, what: &'static str) -> Result<Members, Foreign> {
        self.enter(b'{', what)
    }

    /// Enters a list.
    #[inline]
    pub fn list(&mut self, what: &'static str) -> Result<Members, Foreign> {
        self.enter(b'[', what)
    }

    /// The next key of an object, or `None` when it has ended.
    #[inline]
    pub fn key(&mut self, members: &mut Members) -> Result<Option<Cow<'a, str>>, Foreign> {
        if !self.another(members, b'}', "a comma or the end of the object")? {
            return Ok(None);
        }
        let key = self.text("a key")?;
        if self.peek() != Some(b':') {
            return Err(self.wrong("a colon"));
        }
        self.at += 1;
        Ok(Some(key))
    }

    /// Whether a list has another element, which comes next.
    #[inline]
    pub fn element(&mut self, members: &mut Members) -> Result<bool, Foreign> {
        self.another(members, b']', "a comma or the end of the list")
    }

    /// A string.
    #[inline]
    pub fn text(&mut self, what: &'static str) -> Result<Cow<'a, str>, Foreign> {
        if self.peek() != Some(b'"') {
            return Err(self.wrong(what));
        }
        let from = self.at + 1;
        let to = self.plain(from);
        if self.text.as_bytes().get(to) == Some(&b'"') {
            self.at = to + 1;
            return Ok(Cow::Borrowed(&self.text[from..to]));
        }
        self.escaped(from, to).map(Cow::Owned)
    }

    /// A value that is neither an object nor a list.
    #[inline]
    pub fn value(&mut self, what: &'static str) -> Result<Value<'a>, Foreign> {
        match self.peek() {
            Some(b'"') => Ok(Value::Text(self.text(what)?)),
            Some(b'-' | b'0'..=b'9') => Ok(Value::Number(self.number()?)),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Null),
            _ => Err(self.wrong(what)),
        }
    }

    /// Whether `null` comes next; then it is passed.
    #[inline]
    pub fn null(&mut self) -> Result<bool, Foreign> {
        Ok(self.peek() == Some(b'n') && self.word("null", true)?)
    }

    /// Passes over a value of any kind.
    pub fn skip(&mut self) -> Result<(), Foreign> {
        // A bit for each level: whether it is an object.
        let (mut objects, mut depth) = (0u128, 0u32);
        let mut members = Members { any: false };
        loop {
            let entered = match self.peek() {
                Some(b'{') => Some(1),
                Some(b'[') => Some(0),
                _ => None,
            };
            if let Some(object) = entered {
                if depth == MAX_DEPTH {
                    let expected = format!("at most {MAX_DEPTH} levels");
                    return Err(Foreign::new(Fault::Limit, self.at, "a value that nests deeper", expected));
                }
                self.at += 1;
                (objects, depth) = (objects << 1 | object, depth + 1);
                members.any = false;
            } else {
                self.value("a value")?;
            }
            // To the next value: the next member here, or of what is around it.
            loop {
                if depth == 0 {
                    return Ok(());
                }
                let more = if objects & 1 == 1 {
                    self.key(&mut members)?.is_some()
                } else {
                    self.element(&mut members)?
                };
                if more {
                    break;
                }
                (objects, depth) = (objects >> 1, depth - 1);
                members.any = true;
            }
        }
    }

    /// Passes over a value that is written exactly as an earlier one was: `text` is all of that one.
    #[inline]
    pub fn repeats(&mut self, text: &str) -> bool {
        self.peek();
        let again = !text.is_empty() && self.text.as_bytes()[self.at..].starts_with(text.as_bytes());
        if again {
            self.at += text.len();
        }
        again
    }

    /// What was read since that place, which must lie between two values.
    pub fn since(&self, from: usize) -> &'a str {
        self.text.get(from..self.at).unwrap_or_default()
    }

    /// That nothing but white space is left.
    pub fn end(&mut self) -> Result<(), Foreign> {
        if self.peek().is_none() { Ok(()) } else { Err(self.wrong("the end")) }
    }

    /// An error about what comes next.
    #[cold]
    pub fn wrong(&mut self, expected: &'static str) -> Foreign {
        let (fault, found) = match self.peek() {
            None => (Fault::Truncated, "the end".into()),
            Some(b'{') => (Fault::Malformed, "an object".into()),
            Some(b'[') => (Fault::Malformed, "a list".into()),
            Some(b'"') => (Fault::Malformed, "a string".into()),
            Some(b'-' | b'0'..=b'9') => (Fault::Malformed, "a number".into()),
            Some(b't' | b'f') => (Fault::Malformed, "a bool".into()),
            Some(b'n') => (Fault::Malformed, "null".into()),
            Some(_) => {
                let found = self.text[self.at..].chars().next();
                (Fault::Malformed, Cow::Owned(format!("{:?}", found.unwrap_or_default())))
            }
        };
        Foreign::new(fault, self.at, found, expected)
    }

    #[inline]
    fn enter(&mut self, bracket: u8, what: &'static str) -> Result<Members, Foreign> {
        if self.peek() != Some(bracket) {
            return Err(self.wrong(what));
        }
        self.at += 1;
        Ok(Members { any: false })
    }

    /// Passes a comma between members; at the closing bracket passes that and says no.
    #[inline]
    fn another(&mut self, members: &mut Members, close: u8, what: &'static str) -> Result<bool, Foreign> {
        match self.peek() {
            Some(b',') if members.any => {
                self.at += 1;
                Ok(true)
            }
            Some(byte) if byte == close => {
                self.at += 1;
                Ok(false)
            }
            Some(_) if !members.any => {
                members.any = true;
                Ok(true)
            }
            _ => Err(self.wrong(what)),
        }
    }

    #[inline]
    fn word<T>(&mut self, word: &'static str, value: T) -> Result<T, Foreign> {
        if self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            self.at += word.len();
            return Ok(value);
        }
        let rest = self.text.len() - self.at;
        if rest < word.len() && word.starts_with(&self.text[self.at..]) {
            return Err(Foreign::new(Fault::Truncated, self.text.len(), "the end", word));
        }
        Err(Foreign::new(Fault::Malformed, self.at, "a word that is not JSON", word))
    }

    /// A number by JSON's grammar: no leading zeros, digits on both sides of the point.
    fn number(&mut self) -> Result<&'a str, Foreign> {
        let bytes = self.text.as_bytes();
        let from = self.at;
        let mut at = from + usize::from(bytes.get(from) == Some(&b'-'));
        let whole = at;
        at = self.digits(at)?;
        if bytes[whole] == b'0' && at > whole + 1 {
            return Err(Foreign::new(Fault::Malformed, from, "a number with a leading zero", "one without"));
        }
        if bytes.get(at) == Some(&b'.') {
            at = self.digits(at + 1)?;
        }
        if matches!(bytes.get(at), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
            at = self.digits(at + 1 + sign)?;
        }
        self.at = at;
        Ok(&self.text[from..at])
    }

    /// Where the digits end that begin there: at least one.
    #[inline]
    fn digits(&mut self, from: usize) -> Result<usize, Foreign> {
        let rest = self.text.as_bytes().get(from..).unwrap_or_default();
        let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if count == 0 {
            self.at = from;
            let fault = if rest.is_empty() { Fault::Truncated } else { Fault::Malformed };
            let found = if rest.is_empty() { "the end" } else { "something else in a number" };
            return Err(Foreign::new(fault, from, found, "a digit"));
        }
        Ok(from + count)
    }

    /// Where the first byte stands, from there on, that a string cannot hold as it is; or the end.
    #[inline]
    fn plain(&self, from: usize) -> usize {
        let bytes = self.text.as_bytes();
        let mut at = from;
        while let Some(word) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
            let special = special(u64::from_le_bytes(*word));
            if special != 0 {
                return at + special.trailing_zeros() as usize / 8;
            }
            at += 8;
        }
        let rest = bytes.get(at..).unwrap_or_default();
        at + rest.iter().take_while(|byte| **byte >= 0x20 && !matches!(byte, b'"' | b'\\')).count()
    }

    /// The rest of a string after its first special byte.
    #[cold]
    fn escaped(&mut self, from: usize, mut to: usize) -> Result<String, Foreign> {
        let mut out = String::from(&self.text[from..to]);
        loop {
            match self.text.as_bytes().get(to) {
                Some(b'"') => {
                    self.at = to + 1;
                    return Ok(out);
                }
                Some(b'\\') => {
                    let next = self.escape(to, &mut out)?;
                    to = self.plain(next);
                    out.push_str(&self.text[next..to]);
                }
                Some(byte) => {
                    let found = format!("the control character 0x{byte:02x} in a string");
                    return Err(Foreign::new(Fault::Malformed, to, found, "an escape for it"));
                }
                None => {
                    return Err(Foreign::new(Fault::Truncated, to, "the end in a string", "a closing quote"));
                }
            }
        }
    }

    /// Appends what the escape at that place stands for; yields where it ends.
    fn escape(&self, at: usize, out: &mut String) -> Result<usize, Foreign> {
        let bytes = self.text.as_bytes();
        out.push(match bytes.get(at + 1) {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                let (code, mut next) = (self.code_unit(at + 2)?, at + 6);
                let mut found = char::from_u32(code);
                if (0xd800..0xdc00).contains(&code) && bytes[next..].starts_with(b"\\u") {
                    let low = self.code_unit(next + 2)?;
                    if (0xdc00..0xe000).contains(&low) {
                        found = char::from_u32(0x10000 + ((code - 0xd800) << 10 | (low - 0xdc00)));
                        next += 6;
                    }
                }
                out.push(found.unwrap_or(char::REPLACEMENT_CHARACTER));
                return Ok(next);
            }
            Some(_) => {
                return Err(Foreign::new(Fault::Malformed, at, "an unknown escape", r#"one of \"\\/bfnrtu"#));
            }
            None => return Err(Foreign::new(Fault::Truncated, at + 1, "the end in a string", "an escape")),
        });
        Ok(at + 2)
    }

    /// The four hexadecimal digits at that place.
    fn code_unit(&self, at: usize) -> Result<u32, Foreign> {
        let bytes = self.text.as_bytes();
        let mut code = 0;
        for place in at..at + 4 {
            let Some(&byte) = bytes.get(place) else {
                return Err(Foreign::new(
                    Fault::Truncated,
                    place,
                    "the end in a string",
                    "a hexadecimal digit",
                ));
            };
            let Some(digit) = char::from(byte).to_digit(16) else {
                return Err(Foreign::new(Fault::Malformed, place, "a broken escape", "a hexadecimal digit"));
            };
            code = code << 4 | digit;
        }
        Ok(code)
    }
}

/// The high bit of each byte that is a quote, a backslash or a control character; exact up to the lowest of them.
#[inline]
fn special(word: u64) -> u64 {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    let quotes = word ^ (ONES * b'"' as u64);
    let slashes = word ^ (ONES * b'\\' as u64);
    let below = |word: u64, limit: u64| word.wrapping_sub(ONES * limit) & !word;
    (below(quotes, 1) | below(slashes, 1) | below(word, 0x20)) & (ONES << 7)
}

#[cfg(test)]
mod tests;
