//! Passing over values of any kind.

use super::Text;
use crate::foreign::Fault;
use crate::json_in::flaw::{Flaw, Raised};

impl Text<'_> {
    /// Skips a value of up to so many levels of objects and lists; what is open takes a byte a level.
    pub fn skip_value(&mut self, levels: usize) -> Raised<()> {
        // What closes each of them.
        let mut open: Vec<u8> = Vec::new();
        loop {
            if self.skip_begin(&mut open, levels)? {
                continue;
            }
            // A value has ended.
            loop {
                let Some(&close) = open.last() else { return Ok(()) };
                if self.more(close)? {
                    self.skip_key(close)?;
                    break;
                }
                open.pop();
            }
        }
    }

    /// Skips a value that is not made of others, or the beginning of one that is: then a value is next.
    fn skip_begin(&mut self, open: &mut Vec<u8>, levels: usize) -> Raised<bool> {
        let close = match self.space() {
            Some(b'{') => b'}',
            Some(b'[') => b']',
            _ => return self.skip_scalar().map(|()| false),
        };
        if open.len() >= levels {
            let expected = format!("at most {levels} levels");
            return Err(Flaw::new(Fault::Limit, self.at, "found a value that nests deeper", expected));
        }
        self.at += 1;
        if self.take(close) {
            return Ok(false);
        }
        open.push(close);
        self.skip_key(close)?;
        Ok(true)
    }

    fn skip_scalar(&mut self) -> Raised<()> {
        match self.peek() {
            Some(b'"') => self.skip_string("a value"),
            Some(b'-' | b'0'..=b'9') => self.number_text().map(drop),
            Some(b't') => self.word("true"),
            Some(b'f') => self.word("false"),
            Some(b'n') => self.word("null"),
            _ => Err(self.unexpected("a value")),
        }
    }

    /// Skips the key before a value, if that lies in an object.
    fn skip_key(&mut self, close: u8) -> Raised<()> {
        if close != b'}' {
            return Ok(());
        }
        self.skip_string("a key")?;
        self.colon()
    }
}
