//! One walk over a text, driven by a table of messages, that writes protobuf as it goes.

use spanloom_span::proto::{put_varint, varint_len};

use super::MAX_DEPTH;
use super::flaw::{Flaw, Raised};
use super::scalar::expected;
use super::schema::{Field, Kind, Message};
use super::text::Text;
use crate::foreign::{Fault, Foreign};

/// Translates a text that is one message.
pub fn translate(json: &[u8], message: &'static Message) -> Raised<Vec<u8>> {
    let mut walk = Walk::new(json)?;
    walk.top(message)?;
    match walk.text.space() {
        None => Ok(walk.out),
        Some(_) => Err(walk.text.unexpected("nothing more")),
    }
}

/// Translates a text that is messages one after the other, of which there must be one at least.
pub fn each(
    json: &[u8],
    message: &'static Message,
    mut take: impl FnMut(&[u8]) -> Result<(), Foreign>,
) -> Result<(), Foreign> {
    let mut walk = Walk::new(json).map_err(|flaw| flaw.foreign())?;
    loop {
        walk.top(message).map_err(|flaw| flaw.foreign())?;
        take(&walk.out)?;
        if walk.text.space().is_none() {
            return Ok(());
        }
        walk.out.clear();
    }
}

/// What is carried along the walk.
pub struct Walk<'a> {
    pub(super) text: Text<'a>,
    pub(super) out: Vec<u8>,
    /// Strings that have escapes.
    pub(super) unescaped: Vec<u8>,
    depth: usize,
}

impl<'a> Walk<'a> {
    fn new(json: &'a [u8]) -> Raised<Self> {
        // Checked as a whole, which is much faster than string by string.
        if let Err(error) = std::str::from_utf8(json) {
            let at = error.valid_up_to();
            return Err(Flaw::malformed(at, format!("found byte 0x{:02x}", json[at]), "UTF-8"));
        }
        let out = Vec::with_capacity(json.len() / 2);
        Ok(Self { text: Text::new(json), out, unescaped: Vec::new(), depth: 0 })
    }

    fn top(&mut self, message: &'static Message) -> Raised<()> {
        if self.text.space() != Some(b'{') {
            return Err(self.text.unexpected("an object"));
        }
        self.body(message)
    }

    pub(super) fn tag(&mut self, number: u32, wire: u32) {
        put_varint(&mut self.out, u64::from(number << 3 | wire));
    }

    pub(super) fn bytes(&mut self, number: u32, bytes: &[u8]) {
        if number < 16 && bytes.len() < 0x80 {
            // Nearly always: a byte of tag, a byte of length.
            self.out.extend_from_slice(&[(number << 3 | 2) as u8, bytes.len() as u8]);
        } else {
            self.tag(number, 2);
            put_varint(&mut self.out, bytes.len() as u64);
        }
        self.out.extend_from_slice(bytes);
    }

    /// Begins a message field; its length is put in when it ends.
    #[inline]
    pub(super) fn begin(&mut self, number: u32) -> usize {
        if number < 16 {
            self.out.extend_from_slice(&[(number << 3 | 2) as u8, 0]);
        } else {
            self.tag(number, 2);
            self.out.push(0);
        }
        self.out.len()
    }

    #[inline]
    pub(super) fn end(&mut self, from: usize) {
        let length = self.out.len() - from;
        if length < 0x80 {
            self.out[from - 1] = length as u8;
        } else {
            self.end_long(from);
        }
    }

    /// Moves a body up to make room for its length.
    fn end_long(&mut self, from: usize) {
        let end = self.out.len();
        let mut rest = (end - from) as u64;
        let extra = varint_len(rest) - 1;
        self.out.resize(end + extra, 0);
        self.out.copy_within(from..end, from + extra);
        for slot in &mut self.out[from - 1..from + extra] {
            *slot = rest as u8 & 0x7f | 0x80;
            rest >>= 7;
        }
        self.out[from + extra - 1] &= 0x7f;
    }

    /// The body of a message: an object, whose brace is next.
    fn body(&mut self, message: &'static Message) -> Raised<()> {
        self.text.demand(b'{', "an object")?;
        // A bit for each field number seen.
        let mut seen = 0u32;
        let mut chosen: Option<&'static str> = None;
        let mut next = 0;
        if self.text.take(b'}') {
            return Ok(());
        }
        loop {
            if let Some(index) = self.key(message, next)? {
                next = index + 1;
                let field = &message.fields[index];
                self.field(field, &mut seen, &mut chosen).map_err(|flaw| flaw.in_field(field.name))?;
            } else {
                self.text.skip_value()?;
            }
            if !self.text.more(b'}', "a comma or }")? {
                return Ok(());
            }
        }
    }

    /// A key and its colon: the index of its field, if it is known. `next` is where it is looked for first.
    #[inline]
    fn key(&mut self, message: &'static Message, next: usize) -> Raised<Option<usize>> {
        if self.text.space() != Some(b'"') {
            return Err(self.text.unexpected("a field name"));
        }
        if message.fields.get(next).is_some_and(|field| self.text.take_exactly(field.quoted)) {
            return Ok(Some(next));
        }
        let found = message.find(self.text.string(&mut self.unescaped)?, next);
        self.text.demand(b':', "a colon")?;
        Ok(found)
    }

    /// What stands behind a known key.
    fn field(
        &mut self,
        field: &'static Field,
        seen: &mut u32,
        chosen: &mut Option<&'static str>,
    ) -> Raised<()> {
        let at = self.text.position();
        if *seen & 1 << field.number != 0 {
            return Err(Flaw::malformed(at, "the field is given twice", "it once"));
        }
        *seen |= 1 << field.number;
        let present = self.content(field)?;
        if present && field.oneof {
            if let Some(other) = chosen {
                return Err(Flaw::malformed(at, format!("the value is given besides {other}"), "one"));
            }
            *chosen = Some(field.name);
        }
        Ok(())
    }

    /// A field's value, or all of them. Yields whether there was any.
    fn content(&mut self, field: &'static Field) -> Raised<bool> {
        match self.text.space() {
            Some(b'n') => self.text.word("null").map(|()| false),
            Some(b'[') if field.repeated => self.list(field).map(|()| true),
            _ if field.repeated => Err(self.text.unexpected("a list")),
            first => self.value(field, field.oneof, first).map(|()| true),
        }
    }

    fn list(&mut self, field: &'static Field) -> Raised<()> {
        self.text.demand(b'[', "a list")?;
        if self.text.take(b']') {
            return Ok(());
        }
        for index in 0.. {
            let first = self.text.space();
            if first == Some(b'n') {
                self.text.word("null")?;
                let at = self.text.position();
                return Err(Flaw::malformed(at, "found null in a list", expected(field.kind)).in_list(index));
            }
            self.value(field, true, first).map_err(|flaw| flaw.in_list(index))?;
            if !self.text.more(b']', "a comma or ]")? {
                break;
            }
        }
        Ok(())
    }

    /// One value, of which the first byte is next. Zeros are written where their absence would mean something else.
    fn value(&mut self, field: &'static Field, zeros: bool, first: Option<u8>) -> Raised<()> {
        match first {
            Some(b'"') => self.string(field, zeros),
            Some(b'{') => self.object(field),
            Some(b'-' | b'0'..=b'9') => {
                let at = self.text.position();
                let number = self.text.number()?;
                self.number(field, zeros, number, at)
            }
            Some(b't') => self.boolean(field, zeros, true),
            Some(b'f') => self.boolean(field, zeros, false),
            _ => Err(self.text.unexpected(expected(field.kind))),
        }
    }

    fn object(&mut self, field: &'static Field) -> Raised<()> {
        match field.kind {
            Kind::Message(message) => self.message(field.number, message),
            Kind::Map(value) => self.map(field.number, value),
            kind => Err(self.text.unexpected(expected(kind))),
        }
    }

    fn message(&mut self, number: u32, message: &'static Message) -> Raised<()> {
        self.depth += usize::from(message.nests);
        if self.depth > MAX_DEPTH {
            let found = format!("values nest deeper than {MAX_DEPTH}");
            return Err(Flaw::new(Fault::Limit, self.text.position(), found, "fewer"));
        }
        let from = self.begin(number);
        self.body(message)?;
        self.end(from);
        self.depth -= usize::from(message.nests);
        Ok(())
    }

    /// A map: a message for each entry.
    fn map(&mut self, number: u32, value: &'static Field) -> Raised<()> {
        self.text.demand(b'{', "an object")?;
        if self.text.take(b'}') {
            return Ok(());
        }
        loop {
            let from = self.begin(number);
            if self.text.space() != Some(b'"') {
                return Err(self.text.unexpected("a key"));
            }
            let key_at = self.text.position();
            // Lent, so that the rest of the walk can be used meanwhile.
            let mut unescaped = std::mem::take(&mut self.unescaped);
            self.bytes_of_string(1, &mut unescaped)?;
            self.unescaped = unescaped;
            self.text.demand(b':', "a colon")?;
            let first = self.text.space();
            if let Err(flaw) = self.value(value, false, first) {
                return Err(flaw.in_field(self.text.string_at(key_at)));
            }
            self.end(from);
            if !self.text.more(b'}', "a comma or }")? {
                return Ok(());
            }
        }
    }

    /// The string that is next, as a field.
    fn bytes_of_string(&mut self, number: u32, unescaped: &mut Vec<u8>) -> Raised<()> {
        let text = self.text.string(unescaped)?;
        self.bytes(number, text);
        Ok(())
    }
}
