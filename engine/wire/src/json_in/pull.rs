//! Reading values one after the other as their reader asks for them, borrowed from the text where it has no escapes.
//!
//! Every error names the byte. Nothing recurses: what is skipped may nest up to [`MAX_DEPTH`], what is read nests as
//! its reader does. Halves of surrogate pairs become U+FFFD.

use std::borrow::Cow;

use super::text::{Halves, Text};
use crate::foreign::Foreign;

/// Most levels of objects and lists within a value that is skipped.
pub const MAX_DEPTH: usize = 128;

/// A place in a JSON text.
#[derive(Debug, Clone)]
pub struct Json<'a> {
    text: Text<'a>,
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
        Ok(Self { text: Text::new(bytes, Halves::Replace)? })
    }

    /// Starts at the first byte of a text.
    pub fn of(text: &'a str) -> Self {
        Self { text: Text::of(text, Halves::Replace) }
    }

    /// Bytes read so far.
    #[inline]
    pub fn position(&self) -> usize {
        self.text.position()
    }

    /// The next byte that is not white space, which is not passed.
    #[inline]
    pub fn peek(&mut self) -> Option<u8> {
        self.text.space()
    }

    /// Enters an object; `what` is said to be expected when there is something else.
    #[inline]
    pub fn object(&mut self, what: &'static str) -> Result<Members, Foreign> {
        self.text.demand(b'{', what)?;
        Ok(Members { any: false })
    }

    /// Enters a list.
    #[inline]
    pub fn list(&mut self, what: &'static str) -> Result<Members, Foreign> {
        self.text.demand(b'[', what)?;
        Ok(Members { any: false })
    }

    /// The next key of an object, or `None` when it has ended.
    #[inline]
    pub fn key(&mut self, members: &mut Members) -> Result<Option<Cow<'a, str>>, Foreign> {
        if !self.another(members, b'}')? {
            return Ok(None);
        }
        let key = self.text("a key")?;
        self.text.colon()?;
        Ok(Some(key))
    }

    /// Whether a list has another element, which comes next.
    #[inline]
    pub fn element(&mut self, members: &mut Members) -> Result<bool, Foreign> {
        self.another(members, b']')
    }

    /// A string.
    #[inline]
    pub fn text(&mut self, what: &'static str) -> Result<Cow<'a, str>, Foreign> {
        match self.text.plain_string() {
            Some(text) => Ok(Cow::Borrowed(text)),
            None => self.escaped_text(what),
        }
    }

    #[cold]
    fn escaped_text(&mut self, what: &'static str) -> Result<Cow<'a, str>, Foreign> {
        let mut unescaped = String::new();
        self.text.escaped_string(what, &mut unescaped)?;
        Ok(Cow::Owned(unescaped))
    }

    /// A value that is neither an object nor a list.
    #[inline]
    pub fn value(&mut self, what: &'static str) -> Result<Value<'a>, Foreign> {
        Ok(match self.peek() {
            Some(b'"') => Value::Text(self.text(what)?),
            Some(b'-' | b'0'..=b'9') => Value::Number(self.text.number_text()?),
            Some(b't') => self.text.word("true").map(|()| Value::Bool(true))?,
            Some(b'f') => self.text.word("false").map(|()| Value::Bool(false))?,
            Some(b'n') => self.text.word("null").map(|()| Value::Null)?,
            _ => return Err(self.wrong(what)),
        })
    }

    /// Whether `null` comes next; then it is passed.
    #[inline]
    pub fn null(&mut self) -> Result<bool, Foreign> {
        let found = self.peek() == Some(b'n');
        if found {
            self.text.word("null")?;
        }
        Ok(found)
    }

    /// Passes over a value of any kind.
    pub fn skip(&mut self) -> Result<(), Foreign> {
        Ok(self.text.skip_value(MAX_DEPTH)?)
    }

    /// Passes over a value that is written exactly as an earlier one was: `text` is all of that one.
    #[inline]
    pub fn repeats(&mut self, text: &str) -> bool {
        self.peek();
        !text.is_empty() && self.text.take_exactly(text)
    }

    /// What was read since that place, which must lie between two values.
    pub fn since(&self, from: usize) -> &'a str {
        self.text.since(from)
    }

    /// That nothing but white space is left.
    pub fn end(&mut self) -> Result<(), Foreign> {
        if self.peek().is_none() { Ok(()) } else { Err(self.wrong("the end")) }
    }

    /// An error about what comes next.
    #[cold]
    pub fn wrong(&mut self, expected: &'static str) -> Foreign {
        self.text.space();
        self.text.unexpected(expected).into()
    }

    /// Passes a comma between members; at the closing bracket passes that and says no.
    #[inline]
    fn another(&mut self, members: &mut Members, close: u8) -> Result<bool, Foreign> {
        if members.any {
            return Ok(self.text.more(close)?);
        }
        members.any = true;
        Ok(!self.text.take(close))
    }
}

#[cfg(test)]
mod tests;
