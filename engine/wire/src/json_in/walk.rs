//! One walk over a text, driven by a table of messages, that writes protobuf as it goes.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use spanloom_span::proto::{put_varint, varint_len};

use super::MAX_DEPTH;
use super::flaw::{Flaw, Raised};
use super::schema::{Field, Kind, Message};
use super::text::{Halves, Number, Text, integer};
use crate::foreign::{Fault, Foreign};
use crate::rfc3339;

/// Padding may be there or not; both alphabets are told apart by their own characters.
const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const BASE64: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

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
    let mut walk = Walk::new(json)?;
    loop {
        walk.top(message)?;
        take(&walk.out)?;
        if walk.text.space().is_none() {
            return Ok(());
        }
        walk.out.clear();
    }
}

/// What is carried along the walk.
struct Walk<'a> {
    text: Text<'a>,
    out: Vec<u8>,
    /// Strings that have escapes.
    unescaped: String,
    depth: usize,
}

impl<'a> Walk<'a> {
    fn new(json: &'a [u8]) -> Raised<Self> {
        let text = Text::new(json, Halves::Refuse)?;
        let out = Vec::with_capacity(json.len() / 2);
        Ok(Self { text, out, unescaped: String::new(), depth: 0 })
    }

    fn top(&mut self, message: &'static Message) -> Raised<()> {
        if self.text.space() != Some(b'{') {
            return Err(self.text.unexpected("an object"));
        }
        self.body(message)
    }

    fn tag(&mut self, number: u32, wire: u32) {
        put_varint(&mut self.out, u64::from(number << 3 | wire));
    }

    fn bytes(&mut self, number: u32, bytes: &[u8]) {
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
    fn begin(&mut self, number: u32) -> usize {
        if number < 16 {
            self.out.extend_from_slice(&[(number << 3 | 2) as u8, 0]);
        } else {
            self.tag(number, 2);
            self.out.push(0);
        }
        self.out.len()
    }

    #[inline]
    fn end(&mut self, from: usize) {
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
                self.text.skip_value(usize::MAX)?;
            }
            if !self.text.more(b'}')? {
                return Ok(());
            }
        }
    }

    /// A key and its colon: the index of its field, if it is known. `next` is where it is looked for first.
    #[inline]
    fn key(&mut self, message: &'static Message, next: usize) -> Raised<Option<usize>> {
        self.text.space();
        if message.fields.get(next).is_some_and(|field| self.text.take_exactly(field.quoted)) {
            return Ok(Some(next));
        }
        let plain = self.text.string("a field name", &mut self.unescaped)?;
        self.text.colon()?;
        Ok(message.find(plain.unwrap_or(&self.unescaped).as_bytes(), next))
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
            if !self.text.more(b']')? {
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
            self.text.space();
            let key_at = self.text.position();
            // Lent, so that the rest of the walk can be used meanwhile.
            let mut unescaped = std::mem::take(&mut self.unescaped);
            let plain = self.text.string("a key", &mut unescaped)?;
            self.text.colon()?;
            self.bytes(1, plain.unwrap_or(&unescaped).as_bytes());
            self.unescaped = unescaped;
            let first = self.text.space();
            if let Err(flaw) = self.value(value, false, first) {
                return Err(flaw.in_field(self.text.string_at(key_at)));
            }
            self.end(from);
            if !self.text.more(b'}')? {
                return Ok(());
            }
        }
    }

    fn boolean(&mut self, field: &'static Field, zeros: bool, value: bool) -> Raised<()> {
        match field.kind {
            Kind::Bool => {
                self.text.word(if value { "true" } else { "false" })?;
                self.varint(field.number, u64::from(value), zeros);
                Ok(())
            }
            Kind::Wrapper(inner) => {
                let from = self.begin(field.number);
                self.boolean(inner, false, value)?;
                self.end(from);
                Ok(())
            }
            kind => Err(self.text.unexpected(expected(kind))),
        }
    }

    fn varint(&mut self, number: u32, value: u64, zeros: bool) {
        if value != 0 || zeros {
            self.tag(number, 0);
            put_varint(&mut self.out, value);
        }
    }

    fn fixed<const N: usize>(&mut self, number: u32, wire: u32, bytes: [u8; N], zeros: bool) {
        if bytes != [0; N] || zeros {
            self.tag(number, wire);
            self.out.extend_from_slice(&bytes);
        }
    }

    fn number(&mut self, field: &'static Field, zeros: bool, value: Number, at: usize) -> Raised<()> {
        let wrong = || Err(Flaw::malformed(at, format!("found {value}"), expected(field.kind)));
        if let Kind::Wrapper(inner) = field.kind {
            let from = self.begin(field.number);
            self.number(inner, false, value, at)?;
            self.end(from);
            return Ok(());
        }
        if let Kind::Double = field.kind {
            self.fixed(field.number, 1, value.float().to_le_bytes(), zeros);
            return Ok(());
        }
        let Some(value) = value.integer() else { return wrong() };
        match field.kind {
            Kind::Int64 if let Ok(v) = i64::try_from(value) => self.varint(field.number, v as u64, zeros),
            // As protobuf asks, a negative number takes ten bytes.
            Kind::Int32 | Kind::Enum(_) if let Ok(v) = i32::try_from(value) => {
                self.varint(field.number, i64::from(v) as u64, zeros);
            }
            Kind::Uint32 if let Ok(v) = u32::try_from(value) => self.varint(field.number, v.into(), zeros),
            Kind::Uint64 if let Ok(v) = u64::try_from(value) => self.varint(field.number, v, zeros),
            Kind::Fixed64 if let Ok(v) = u64::try_from(value) => {
                self.fixed(field.number, 1, v.to_le_bytes(), zeros);
            }
            Kind::Fixed32 if let Ok(v) = u32::try_from(value) => {
                self.fixed(field.number, 5, v.to_le_bytes(), zeros);
            }
            _ => return wrong(),
        }
        Ok(())
    }

    fn string(&mut self, field: &'static Field, zeros: bool) -> Raised<()> {
        let at = self.text.position();
        if let Kind::Bool | Kind::Message(_) | Kind::Map(_) = field.kind {
            return Err(self.text.unexpected(expected(field.kind)));
        }
        // Lent, so that the rest of the walk can be used meanwhile.
        let mut unescaped = std::mem::take(&mut self.unescaped);
        let plain = self.text.string("a string", &mut unescaped)?;
        self.text_value(field, zeros, plain.unwrap_or(&unescaped), at)?;
        self.unescaped = unescaped;
        Ok(())
    }

    /// A string, by what it stands for.
    fn text_value(&mut self, field: &'static Field, zeros: bool, text: &str, at: usize) -> Raised<()> {
        match field.kind {
            Kind::String => {
                if !text.is_empty() || zeros {
                    self.bytes(field.number, text.as_bytes());
                }
                Ok(())
            }
            Kind::Id(length) => self.id(field, text, length, at),
            Kind::Base64 => self.base64(field, text, at),
            Kind::Timestamp => self.timestamp(field, text, at),
            Kind::Enum(names) => {
                let named = names.iter().position(|name| *name == text).map(|value| value as u64);
                match named.map(|magnitude| Number::Integer { negative: false, magnitude }) {
                    Some(value) => self.number(field, zeros, value, at),
                    None => self.quoted(field, zeros, text, at),
                }
            }
            Kind::Wrapper(inner) => {
                let from = self.begin(field.number);
                self.text_value(inner, false, text, at)?;
                self.end(from);
                Ok(())
            }
            _ => self.quoted(field, zeros, text, at),
        }
    }

    fn id(&mut self, field: &'static Field, text: &str, length: usize, at: usize) -> Raised<()> {
        if text.is_empty() {
            return Ok(());
        }
        let wrong = |found: String| Err(Flaw::malformed(at, found, expected(field.kind)));
        if text.len() != length * 2 {
            return wrong(format!("found an id of {} characters", text.chars().count()));
        }
        let mut id = [0u8; 16];
        let mut bad = 0;
        for (place, pair) in id.iter_mut().zip(text.as_bytes().as_chunks::<2>().0) {
            let (high, low) = (HEX[usize::from(pair[0])], HEX[usize::from(pair[1])]);
            bad |= high | low;
            *place = high << 4 | low;
        }
        if bad > 0xf {
            return wrong(format!("found the id {:?}", text));
        }
        self.bytes(field.number, &id[..length]);
        Ok(())
    }

    fn base64(&mut self, field: &'static Field, text: &str, at: usize) -> Raised<()> {
        let is_url = text.bytes().any(|byte| matches!(byte, b'-' | b'_'));
        let engine = if is_url { BASE64_URL } else { BASE64 };
        // Nearly all are ids, which need no memory of their own.
        let mut id = [0; 48];
        if text.len() <= id.len()
            && let Ok(length) = engine.decode_slice(text, &mut id)
        {
            self.bytes(field.number, &id[..length]);
            return Ok(());
        }
        match engine.decode(text) {
            Ok(bytes) => self.bytes(field.number, &bytes),
            Err(error) => {
                let found = format!("found a text that is not base64 ({error})");
                return Err(Flaw::malformed(at, found, expected(field.kind)));
            }
        }
        Ok(())
    }

    fn timestamp(&mut self, field: &'static Field, text: &str, at: usize) -> Raised<()> {
        let Some((seconds, nanos)) = rfc3339::parse(text.as_bytes()) else {
            return Err(Flaw::malformed(at, format!("found {:?}", text), expected(field.kind)));
        };
        let from = self.begin(field.number);
        self.varint(1, seconds as u64, false);
        self.varint(2, nanos as u64, false);
        self.end(from);
        Ok(())
    }

    /// A number in quotes.
    fn quoted(&mut self, field: &'static Field, zeros: bool, text: &str, at: usize) -> Raised<()> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text),
        };
        let value = match (integer(digits.as_bytes()), text) {
            (Some(magnitude), _) if magnitude > 0 || !negative => {
                Some(Number::Integer { negative, magnitude })
            }
            (_, "NaN") => Some(Number::Float(f64::NAN)),
            (_, "Infinity") => Some(Number::Float(f64::INFINITY)),
            (_, "-Infinity") => Some(Number::Float(f64::NEG_INFINITY)),
            _ => number_alone(text),
        };
        match value {
            Some(value) => self.number(field, zeros, value, at),
            None => Err(Flaw::malformed(at, format!("found {:?}", text), expected(field.kind))),
        }
    }
}

/// A text that is a number of JSON and nothing else.
fn number_alone(text: &str) -> Option<Number> {
    let mut reader = Text::of(text, Halves::Refuse);
    let number = reader.number().ok()?;
    reader.peek().is_none().then_some(number)
}

/// Values of hexadecimal digits; above 15 what is none.
const HEX: [u8; 256] = {
    let mut table = [0xff; 256];
    let mut value = 0;
    while value < 16 {
        table[b"0123456789abcdef"[value] as usize] = value as u8;
        table[b"0123456789ABCDEF"[value] as usize] = value as u8;
        value += 1;
    }
    table
};

/// What a field takes, for errors.
fn expected(kind: Kind) -> String {
    match kind {
        Kind::String => "a string",
        Kind::Id(16) => "32 hexadecimal digits",
        Kind::Id(_) => "16 hexadecimal digits",
        Kind::Base64 => "a base64 string",
        Kind::Bool => "true or false",
        Kind::Int64 => "a 64-bit integer, as a string or number",
        Kind::Int32 => "a 32-bit integer",
        Kind::Uint32 | Kind::Fixed32 => "an unsigned 32-bit integer",
        Kind::Uint64 | Kind::Fixed64 => "an unsigned 64-bit integer, as a string or number",
        Kind::Double => "a number, \"NaN\", \"Infinity\" or \"-Infinity\"",
        Kind::Enum(names) => return format!("a number or {}", names.join(", ")),
        Kind::Message(_) | Kind::Map(_) => "an object",
        Kind::Timestamp => "a point in time such as \"2020-01-02T03:04:05.678Z\"",
        Kind::Wrapper(inner) => return expected(inner.kind),
    }
    .to_owned()
}
