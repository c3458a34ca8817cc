//! A span's fields read in place, from bytes that [`crate::slice`] has checked.
//!
//! The iterators here still return errors instead of trusting the check: a block or log may hand them anything.

use crate::proto::{ProtoError, Reader, Value};

/// An attribute's value, read in place. Strings are not checked for UTF-8 here.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ValueView<'a> {
    /// No value was set.
    Empty,
    /// A string's bytes.
    Str(&'a [u8]),
    /// A boolean.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A float.
    Double(f64),
    /// Body of an `ArrayValue` message.
    Array(&'a [u8]),
    /// Body of a `KeyValueList` message.
    Map(&'a [u8]),
    /// Bytes.
    Bytes(&'a [u8]),
}

/// Reads the body of an `AnyValue` message. The last field set wins, as protobuf's `oneof` asks.
#[inline]
pub fn any_value(body: &[u8]) -> Result<ValueView<'_>, ProtoError> {
    let mut reader = Reader::new(body);
    let mut out = ValueView::Empty;
    while let Some(field) = reader.next()? {
        out = match field {
            (1, Value::Bytes(b)) => ValueView::Str(b),
            (2, Value::Varint(v)) => ValueView::Bool(v != 0),
            (3, Value::Varint(v)) => ValueView::Int(v as i64),
            (4, Value::Fixed64(v)) => ValueView::Double(f64::from_bits(v)),
            (5, Value::Bytes(b)) => ValueView::Array(b),
            (6, Value::Bytes(b)) => ValueView::Map(b),
            (7, Value::Bytes(b)) => ValueView::Bytes(b),
            _ => out,
        };
    }
    Ok(out)
}

/// The usual attribute, read at a glance: a key and one string value, both shorter than 128 bytes.
#[inline]
pub fn short_text(body: &[u8]) -> Option<(&[u8], &[u8])> {
    let &[0x0a, key_len @ ..0x80, ref rest @ ..] = body else { return None };
    let (key, value) = rest.split_at_checked(key_len.into())?;
    let &[0x12, value_len @ ..0x80, 0x0a, text_len @ ..0x80, ref text @ ..] = value else { return None };
    let fits = text.len() == usize::from(text_len) && text.len() + 2 == usize::from(value_len);
    fits.then_some((key, text))
}

/// Reads the body of a `KeyValue` message: the key's bytes and the value.
#[inline]
pub fn key_value(body: &[u8]) -> Result<(&[u8], ValueView<'_>), ProtoError> {
    if let Some((key, text)) = short_text(body) {
        return Ok((key, ValueView::Str(text)));
    }
    let mut reader = Reader::new(body);
    let (mut key, mut value): (&[u8], _) = (&[], ValueView::Empty);
    while let Some(field) = reader.next()? {
        match field {
            (1, Value::Bytes(b)) => key = b,
            (2, Value::Bytes(b)) => value = any_value(b)?,
            _ => {}
        }
    }
    Ok((key, value))
}

/// One field of a `Span` message.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SpanField<'a> {
    /// 16 bytes.
    TraceId(&'a [u8]),
    /// 8 bytes.
    SpanId(&'a [u8]),
    /// W3C trace state.
    TraceState(&'a [u8]),
    /// The parent's id as it came.
    ParentSpanId(&'a [u8]),
    /// W3C flags.
    Flags(u32),
    /// What was done.
    Name(&'a [u8]),
    /// 0 unspecified, 1 internal, 2 server, 3 client, 4 producer, 5 consumer.
    Kind(i32),
    /// Nanoseconds since 1970.
    Start(u64),
    /// Nanoseconds since 1970.
    End(u64),
    /// Body of a `KeyValue`.
    Attribute(&'a [u8]),
    /// A count.
    DroppedAttributes(u32),
    /// Body of an `Event`.
    Event(&'a [u8]),
    /// A count.
    DroppedEvents(u32),
    /// Body of a `Link`.
    Link(&'a [u8]),
    /// A count.
    DroppedLinks(u32),
    /// Body of a `Status`.
    Status(&'a [u8]),
    /// A field of a later OTLP: tag and value as wire bytes.
    Unknown(&'a [u8]),
}

/// The fields of a `Span` message's body, in wire order. For a field that appears twice the last one counts
/// (attributes, events and links add up).
pub struct SpanFields<'a> {
    bytes: &'a [u8],
    reader: Reader<'a>,
}

impl<'a> SpanFields<'a> {
    /// Starts at the first field.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, reader: Reader::new(bytes) }
    }

    /// The next field, or `None` at the end.
    #[allow(clippy::should_implement_trait)]
    #[inline]
    pub fn next(&mut self) -> Result<Option<SpanField<'a>>, ProtoError> {
        let from = self.reader.position();
        let Some(field) = self.reader.next()? else { return Ok(None) };
        Ok(Some(match field {
            (1, Value::Bytes(b)) => SpanField::TraceId(b),
            (2, Value::Bytes(b)) => SpanField::SpanId(b),
            (3, Value::Bytes(b)) => SpanField::TraceState(b),
            (4, Value::Bytes(b)) => SpanField::ParentSpanId(b),
            (5, Value::Bytes(b)) => SpanField::Name(b),
            (6, Value::Varint(v)) => SpanField::Kind(v as i32),
            (7, Value::Fixed64(v)) => SpanField::Start(v),
            (8, Value::Fixed64(v)) => SpanField::End(v),
            (9, Value::Bytes(b)) => SpanField::Attribute(b),
            (10, Value::Varint(v)) => SpanField::DroppedAttributes(v as u32),
            (11, Value::Bytes(b)) => SpanField::Event(b),
            (12, Value::Varint(v)) => SpanField::DroppedEvents(v as u32),
            (13, Value::Bytes(b)) => SpanField::Link(b),
            (14, Value::Varint(v)) => SpanField::DroppedLinks(v as u32),
            (15, Value::Bytes(b)) => SpanField::Status(b),
            (16, Value::Fixed32(v)) => SpanField::Flags(v),
            _ => SpanField::Unknown(&self.bytes[from..self.reader.position()]),
        }))
    }
}

/// Reads the body of a `Status` message: code, message and unknown fields. Code 0 with the deprecated code
/// (field 1, OTLP before 0.8) other than 0 reads as error, as that version's rules ask.
pub fn status(body: &[u8]) -> Result<(i32, &[u8]), ProtoError> {
    let mut reader = Reader::new(body);
    let (mut code, mut deprecated, mut message): (i32, u64, &[u8]) = (0, 0, &[]);
    while let Some(field) = reader.next()? {
        match field {
            (1, Value::Varint(v)) => deprecated = v,
            (2, Value::Bytes(b)) => message = b,
            (3, Value::Varint(v)) => code = v as i32,
            _ => {}
        }
    }
    Ok((if code == 0 && deprecated != 0 { 2 } else { code }, message))
}

/// The name in a span's body.
pub fn name(body: &[u8]) -> Result<&[u8], ProtoError> {
    let mut fields = SpanFields::new(body);
    let mut name: &[u8] = &[];
    while let Some(field) = fields.next()? {
        if let SpanField::Name(text) = field {
            name = text;
        }
    }
    Ok(name)
}
