//! Values that are not made of others: how each kind of field is written, and what it takes.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use spanloom_span::proto::put_varint;

use super::flaw::{Flaw, Raised};
use super::schema::{Field, Kind};
use super::text::{Number, Text, integer, said};
use super::walk::Walk;
use crate::rfc3339;

/// Padding may be there or not; both alphabets are told apart by their own characters.
const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const BASE64: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

impl Walk<'_> {
    pub(super) fn boolean(&mut self, field: &'static Field, zeros: bool, value: bool) -> Raised<()> {
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

    pub(super) fn number(
        &mut self,
        field: &'static Field,
        zeros: bool,
        value: Number,
        at: usize,
    ) -> Raised<()> {
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

    pub(super) fn string(&mut self, field: &'static Field, zeros: bool) -> Raised<()> {
        let at = self.text.position();
        if let Kind::Bool | Kind::Message(_) | Kind::Map(_) = field.kind {
            return Err(self.text.unexpected(expected(field.kind)));
        }
        // Lent, so that the rest of the walk can be used meanwhile.
        let mut unescaped = std::mem::take(&mut self.unescaped);
        let text = self.text.string(&mut unescaped)?;
        self.text_value(field, zeros, text, at)?;
        self.unescaped = unescaped;
        Ok(())
    }

    /// A string, by what it stands for.
    fn text_value(&mut self, field: &'static Field, zeros: bool, text: &[u8], at: usize) -> Raised<()> {
        match field.kind {
            Kind::String => {
                if !text.is_empty() || zeros {
                    self.bytes(field.number, text);
                }
                Ok(())
            }
            Kind::Id(length) => self.id(field, text, length, at),
            Kind::Base64 => self.base64(field, text, at),
            Kind::Timestamp => self.timestamp(field, text, at),
            Kind::Enum(names) => {
                let named = names.iter().position(|name| name.as_bytes() == text).map(|value| value as u64);
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

    fn id(&mut self, field: &'static Field, text: &[u8], length: usize, at: usize) -> Raised<()> {
        if text.is_empty() {
            return Ok(());
        }
        let wrong = |found: String| Err(Flaw::malformed(at, found, expected(field.kind)));
        if text.len() != length * 2 {
            return wrong(format!("found an id of {} characters", said(text).chars().count()));
        }
        let mut id = [0u8; 16];
        let mut bad = 0;
        for (place, pair) in id.iter_mut().zip(text.as_chunks::<2>().0) {
            let (high, low) = (HEX[usize::from(pair[0])], HEX[usize::from(pair[1])]);
            bad |= high | low;
            *place = high << 4 | low;
        }
        if bad > 0xf {
            return wrong(format!("found the id {:?}", said(text)));
        }
        self.bytes(field.number, &id[..length]);
        Ok(())
    }

    fn base64(&mut self, field: &'static Field, text: &[u8], at: usize) -> Raised<()> {
        let is_url = text.iter().any(|byte| matches!(byte, b'-' | b'_'));
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

    fn timestamp(&mut self, field: &'static Field, text: &[u8], at: usize) -> Raised<()> {
        let Some((seconds, nanos)) = rfc3339::parse(text) else {
            return Err(Flaw::malformed(at, format!("found {:?}", said(text)), expected(field.kind)));
        };
        let from = self.begin(field.number);
        self.varint(1, seconds as u64, false);
        self.varint(2, nanos as u64, false);
        self.end(from);
        Ok(())
    }

    /// A number in quotes.
    fn quoted(&mut self, field: &'static Field, zeros: bool, text: &[u8], at: usize) -> Raised<()> {
        let (negative, digits) = match text {
            [b'-', digits @ ..] => (true, digits),
            _ => (false, text),
        };
        let value = match (integer(digits), text) {
            (Some(magnitude), _) if magnitude > 0 || !negative => {
                Some(Number::Integer { negative, magnitude })
            }
            (_, b"NaN") => Some(Number::Float(f64::NAN)),
            (_, b"Infinity") => Some(Number::Float(f64::INFINITY)),
            (_, b"-Infinity") => Some(Number::Float(f64::NEG_INFINITY)),
            _ => number_alone(text),
        };
        match value {
            Some(value) => self.number(field, zeros, value, at),
            None => Err(Flaw::malformed(at, format!("found {:?}", said(text)), expected(field.kind))),
        }
    }
}

/// A text that is a number of JSON and nothing else.
fn number_alone(text: &[u8]) -> Option<Number> {
    let mut reader = Text::new(text);
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
pub fn expected(kind: Kind) -> String {
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
