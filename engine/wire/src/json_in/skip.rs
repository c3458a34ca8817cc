//! Skipping values that nobody asked for: checked as strictly as those that are read, and without recursion.

use super::flaw::{Flaw, Raised};
use super::text::{Text, plain_end};

impl Text<'_> {
    /// Skips a value of any kind, however deep: what is open takes a byte a level.
    pub fn skip_value(&mut self) -> Raised<()> {
        let mut open: Vec<u8> = Vec::new();
        loop {
            if self.skip_begin(&mut open)? {
                continue;
            }
            // A value has ended.
            loop {
                match (open.last(), self.space()) {
                    (None, _) => return Ok(()),
                    (Some(b'{'), Some(b'}')) | (Some(b'['), Some(b']')) => {
                        self.at += 1;
                        open.pop();
                    }
                    (Some(kind), Some(b',')) => {
                        self.at += 1;
                        if *kind == b'{' {
                            self.skip_key()?;
                        }
                        break;
                    }
                    (Some(b'{'), _) => return Err(self.unexpected("a comma or }")),
                    (Some(_), _) => return Err(self.unexpected("a comma or ]")),
                }
            }
        }
    }

    /// Skips a value that is not made of others, or the beginning of one that is: then a value is next.
    fn skip_begin(&mut self, open: &mut Vec<u8>) -> Raised<bool> {
        match self.space() {
            Some(b'{') => {
                self.at += 1;
                if self.take(b'}') {
                    return Ok(false);
                }
                open.push(b'{');
                self.skip_key()?;
                return Ok(true);
            }
            Some(b'[') => {
                self.at += 1;
                if self.take(b']') {
                    return Ok(false);
                }
                open.push(b'[');
                return Ok(true);
            }
            Some(b'"') => self.skip_string()?,
            Some(b'-' | b'0'..=b'9') => self.skip_number()?,
            Some(b't') => self.word("true")?,
            Some(b'f') => self.word("false")?,
            Some(b'n') => self.word("null")?,
            _ => return Err(self.unexpected("a value")),
        }
        Ok(false)
    }

    fn skip_key(&mut self) -> Raised<()> {
        if self.space() != Some(b'"') {
            return Err(self.unexpected("a field name"));
        }
        self.skip_string()?;
        self.demand(b':', "a colon")
    }

    /// Skips a string. Its escapes must be escapes, but need not stand for characters.
    fn skip_string(&mut self) -> Raised<()> {
        self.at += 1;
        loop {
            self.at = plain_end(self.text, self.at);
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') if self.text.get(self.at + 1) == Some(&b'u') => {
                    self.at += 2;
                    self.hex4()?;
                }
                Some(b'\\') => drop(self.escape()?),
                Some(_) => return Err(self.unexpected("no control characters in a string")),
                None => return Err(Flaw::truncated(self.at, "the end of the string")),
            }
        }
    }
}
