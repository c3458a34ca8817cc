//! One walk over the text, driven by the schema, that writes protobuf as it goes.

use std::fmt;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use spanloom_span::proto::{put_varint, varint_len};

use super::schema::{self, Field, Kind, Message};
use super::{JsonError, MAX_DEPTH};

/// Padding may be there or not; both alphabets are told apart by their own characters.
const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const BASE64: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// What is carried along the walk.
struct Walk {
    out: Vec<u8>,
    /// Where the walk is. Not shortened on the way out of an error, so that it tells where that was.
    path: Vec<Step>,
    depth: usize,
}

enum Step {
    Field(&'static str),
    Index(usize),
}

pub(super) fn translate(json: &[u8]) -> Result<Vec<u8>, JsonError> {
    let mut walk = Walk { out: Vec::with_capacity(json.len() / 2), path: Vec::new(), depth: 0 };
    // Checked as a whole, which is much faster than string by string.
    let text = std::str::from_utf8(json).map_err(|error| not_utf8(json, error.valid_up_to()))?;
    let mut text = serde_json::Deserializer::from_str(text);
    // Messages cannot nest in each other without end, values are counted, and what is unknown is skipped
    // without recursion: the walk has its own bound.
    text.disable_recursion_limit();
    let top = Body { walk: &mut walk, message: &schema::REQUEST };
    match top.deserialize(&mut text).and_then(|()| text.end()) {
        Ok(()) => Ok(walk.out),
        Err(error) => Err(explain(&walk.path, &error)),
    }
}

fn explain(path: &[Step], error: &serde_json::Error) -> JsonError {
    use std::fmt::Write;
    let mut place = String::new();
    for step in path {
        // Writing to a String does not fail.
        let _ = match step {
            Step::Field(name) if place.is_empty() => write!(place, "{name}"),
            Step::Field(name) => write!(place, ".{name}"),
            Step::Index(index) => write!(place, "[{index}]"),
        };
    }
    let text = error.to_string();
    let message = text.rsplit_once(" at line ").map_or(text.as_str(), |(message, _)| message).to_owned();
    JsonError { path: place, line: error.line(), column: error.column(), message }
}

fn not_utf8(json: &[u8], at: usize) -> JsonError {
    let before = &json[..at];
    let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    JsonError {
        path: String::new(),
        line: 1 + before.iter().filter(|byte| **byte == b'\n').count(),
        column: at - line_start + 1,
        message: format!("found byte 0x{:02x}, expected UTF-8", json[at]),
    }
}

impl Walk {
    fn tag(&mut self, number: u32, wire: u32) {
        put_varint(&mut self.out, u64::from(number << 3 | wire));
    }

    fn bytes(&mut self, number: u32, bytes: &[u8]) {
        self.tag(number, 2);
        put_varint(&mut self.out, bytes.len() as u64);
        self.out.extend_from_slice(bytes);
    }

    /// Begins a message field; its length is put in when it ends.
    fn begin(&mut self, number: u32) -> usize {
        self.tag(number, 2);
        self.out.push(0);
        self.out.len()
    }

    fn end(&mut self, from: usize) {
        let end = self.out.len();
        let length = (end - from) as u64;
        let extra = varint_len(length) - 1;
        if extra > 0 {
            self.out.resize(end + extra, 0);
            self.out.copy_within(from..end, from + extra);
        }
        let mut rest = length;
        for slot in &mut self.out[from - 1..from + extra] {
            *slot = rest as u8 & 0x7f | 0x80;
            rest >>= 7;
        }
        self.out[from + extra - 1] &= 0x7f;
    }
}

/// The body of a message: an object.
struct Body<'w> {
    walk: &'w mut Walk,
    message: &'static Message,
}

impl<'de> DeserializeSeed<'de> for Body<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Body<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Body { walk, message } = self;
        // A bit for each field number seen; none of the messages has one above 31.
        let mut seen = 0u32;
        let mut chosen: Option<&'static str> = None;
        let mut next = 0;
        while let Some(found) = map.next_key_seed(Key { message, next })? {
            let Some(index) = found else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            next = index + 1;
            let field = &message.fields[index];
            walk.path.push(Step::Field(field.name));
            if seen & 1 << field.number != 0 {
                return Err(A::Error::custom("the field is given twice, expected it once"));
            }
            seen |= 1 << field.number;
            let present = map.next_value_seed(Content { walk: &mut *walk, field, in_list: false })?;
            if let (true, true, Some(other)) = (present, field.oneof, chosen) {
                return Err(A::Error::custom(format_args!(
                    "the value is given besides {other}, expected one"
                )));
            }
            if present && field.oneof {
                chosen = Some(field.name);
            }
            walk.path.pop();
        }
        Ok(())
    }
}

/// A key of an object: the index of its field, if it is known.
struct Key {
    message: &'static Message,
    next: usize,
}

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Option<usize>, D::Error> {
        from.deserialize_str(self)
    }
}

impl Visitor<'_> for Key {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Option<usize>, E> {
        Ok(self.message.find(name, self.next))
    }
}

/// What stands behind a key, or one element of a list. Yields whether there was anything.
struct Content<'w> {
    walk: &'w mut Walk,
    field: &'static Field,
    in_list: bool,
}

impl<'de> DeserializeSeed<'de> for Content<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<bool, D::Error> {
        from.deserialize_any(self)
    }
}

impl Content<'_> {
    fn is_list(&self) -> bool {
        self.field.repeated && !self.in_list
    }

    /// Whether zero is written: where its absence would mean something else.
    fn writes_zero(&self) -> bool {
        self.field.oneof || self.in_list
    }

    fn wrong<T, E: Error>(&self, found: impl fmt::Display) -> Result<T, E> {
        Err(E::custom(format_args!("found {found}, expected {}", Expected(self))))
    }

    fn varint(self, value: u64) -> bool {
        if value != 0 || self.writes_zero() {
            self.walk.tag(self.field.number, 0);
            put_varint(&mut self.walk.out, value);
        }
        true
    }

    fn fixed<const N: usize>(self, wire: u32, bytes: [u8; N]) -> bool {
        if bytes != [0; N] || self.writes_zero() {
            self.walk.tag(self.field.number, wire);
            self.walk.out.extend_from_slice(&bytes);
        }
        true
    }

    /// An integer, however it was written.
    fn integer<E: Error>(self, value: i128) -> Result<bool, E> {
        let wrong = |content: Self| content.wrong(value);
        Ok(match self.field.kind {
            _ if self.is_list() => return wrong(self),
            Kind::Int64 => match i64::try_from(value) {
                Ok(value) => self.varint(value as u64),
                Err(_) => return wrong(self),
            },
            Kind::Uint32 => match u32::try_from(value) {
                Ok(value) => self.varint(value.into()),
                Err(_) => return wrong(self),
            },
            Kind::Enum(_) => match i32::try_from(value) {
                // As protobuf asks, a negative number takes ten bytes.
                Ok(value) => self.varint(i64::from(value) as u64),
                Err(_) => return wrong(self),
            },
            Kind::Fixed64 => match u64::try_from(value) {
                Ok(value) => self.fixed(1, value.to_le_bytes()),
                Err(_) => return wrong(self),
            },
            Kind::Fixed32 => match u32::try_from(value) {
                Ok(value) => self.fixed(5, value.to_le_bytes()),
                Err(_) => return wrong(self),
            },
            Kind::Double => self.fixed(1, (value as f64).to_le_bytes()),
            _ => return wrong(self),
        })
    }

    fn number<E: Error>(self, value: f64) -> Result<bool, E> {
        match self.field.kind {
            Kind::Double if !self.is_list() => Ok(self.fixed(1, value.to_le_bytes())),
            // 1e3 is an integer too.
            Kind::Int64 | Kind::Uint32 | Kind::Fixed64 | Kind::Fixed32 | Kind::Enum(_)
                if value.fract() == 0.0 && value.abs() < 2f64.powi(64) =>
            {
                self.integer(value as i128)
            }
            _ => self.wrong(value),
        }
    }

    fn id<E: Error>(self, text: &str, length: usize) -> Result<bool, E> {
        let mut id = [0u8; 16];
        if text.is_empty() {
            return Ok(true);
        }
        if text.len() != length * 2 {
            return self.wrong(format_args!("an id of {} characters", text.chars().count()));
        }
        for (place, pair) in id.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            match (hex_digit(pair[0]), hex_digit(pair[1])) {
                (Some(high), Some(low)) => *place = high << 4 | low,
                _ => return self.wrong(format_args!("the id {text:?}")),
            }
        }
        self.walk.bytes(self.field.number, &id[..length]);
        Ok(true)
    }

    fn base64<E: Error>(self, text: &str) -> Result<bool, E> {
        let is_url = text.contains(['-', '_']);
        let bytes = if is_url { BASE64_URL.decode(text) } else { BASE64.decode(text) };
        match bytes {
            Ok(bytes) => self.walk.bytes(self.field.number, &bytes),
            Err(error) => return self.wrong(format_args!("a text that is not base64 ({error})")),
        }
        Ok(true)
    }

    /// A number in quotes.
    fn quoted<E: Error>(self, text: &str) -> Result<bool, E> {
        if let Ok(value) = text.parse::<i128>()
            && !text.starts_with('+')
        {
            return self.integer(value);
        }
        let value = match text {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            // JSON's own numbers, without the names and signs that Rust also reads.
            _ => serde_json::from_str::<f64>(text).ok(),
        };
        match value {
            Some(value) => self.number(value),
            None => self.wrong(format_args!("{text:?}")),
        }
    }
}

impl<'de> Visitor<'de> for Content<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Expected(self), f)
    }

    fn visit_unit<E: Error>(self) -> Result<bool, E> {
        if self.in_list { self.wrong("null in a list") } else { Ok(false) }
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<bool, E> {
        match self.field.kind {
            Kind::Bool if !self.is_list() => Ok(self.varint(value.into())),
            _ => self.wrong(value),
        }
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<bool, E> {
        self.integer(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<bool, E> {
        self.integer(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<bool, E> {
        self.number(value)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<bool, E> {
        if self.is_list() {
            return self.wrong("a string");
        }
        match self.field.kind {
            Kind::String => {
                if !text.is_empty() || self.writes_zero() {
                    self.walk.bytes(self.field.number, text.as_bytes());
                }
                Ok(true)
            }
            Kind::Id(length) => self.id(text, length),
            Kind::Base64 => self.base64(text),
            Kind::Enum(names) => match names.iter().position(|name| *name == text) {
                Some(value) => self.integer(value as i128),
                None => match text.parse::<i32>() {
                    Ok(value) => self.integer(value.into()),
                    Err(_) => self.wrong(format_args!("{text:?}")),
                },
            },
            Kind::Int64 | Kind::Uint32 | Kind::Fixed64 | Kind::Fixed32 | Kind::Double => self.quoted(text),
            Kind::Bool | Kind::Message(_) => self.wrong("a string"),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<bool, A::Error> {
        if !self.is_list() {
            return self.wrong("a list");
        }
        let Content { walk, field, .. } = self;
        for index in 0.. {
            walk.path.push(Step::Index(index));
            let element = Content { walk: &mut *walk, field, in_list: true };
            let more = list.next_element_seed(element)?.is_some();
            walk.path.pop();
            if !more {
                break;
            }
        }
        Ok(true)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<bool, A::Error> {
        let Kind::Message(message) = self.field.kind else { return self.wrong("an object") };
        if self.is_list() {
            return self.wrong("an object");
        }
        let Content { walk, field, .. } = self;
        let nests = schema::nests(message);
        walk.depth += usize::from(nests);
        if walk.depth > MAX_DEPTH {
            return Err(A::Error::custom(format_args!(
                "values nest deeper than {MAX_DEPTH}, expected fewer"
            )));
        }
        let from = walk.begin(field.number);
        Body { walk: &mut *walk, message }.visit_map(map)?;
        walk.end(from);
        walk.depth -= usize::from(nests);
        Ok(true)
    }
}

fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

/// What a field takes, for errors.
struct Expected<'a, 'w>(&'a Content<'w>);

impl fmt::Display for Expected<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_list() {
            return f.write_str("a list");
        }
        f.write_str(match self.0.field.kind {
            Kind::String => "a string",
            Kind::Id(16) => "32 hexadecimal digits",
            Kind::Id(_) => "16 hexadecimal digits",
            Kind::Base64 => "a base64 string",
            Kind::Bool => "true or false",
            Kind::Int64 => "a 64-bit integer, as a string or number",
            Kind::Uint32 | Kind::Fixed32 => "an unsigned 32-bit integer",
            Kind::Fixed64 => "an unsigned 64-bit integer, as a string or number",
            Kind::Double => "a number, \"NaN\", \"Infinity\" or \"-Infinity\"",
            Kind::Enum(names) => {
                write!(f, "a number or ")?;
                for (index, name) in names.iter().enumerate() {
                    write!(f, "{}{name}", if index > 0 { ", " } else { "" })?;
                }
                return Ok(());
            }
            Kind::Message(_) => "an object",
        })
    }
}
