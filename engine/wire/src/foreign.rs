//! What the translations of other formats share: what they promise, how they fail, and how they write OTLP.
//!
//! A translation appends `ResourceSpans` to a buffer. Since protobuf joins repeated fields of messages that are
//! written one after the other, the buffer is an `ExportTraceServiceRequest` however many were appended; a
//! listener for datagrams makes one request of many.

use std::borrow::Cow;

use spanloom_span::proto::{put_bytes, put_fixed64, put_message, put_text, put_uint, put_varint, varint_len};

/// Spans of OTLP and what they may say.
pub mod otlp {
    /// `SpanKind`.
    pub mod kind {
        /// Within one process.
        pub const INTERNAL: u64 = 1;
        /// Answers a request.
        pub const SERVER: u64 = 2;
        /// Makes a request.
        pub const CLIENT: u64 = 3;
        /// Sends a message.
        pub const PRODUCER: u64 = 4;
        /// Receives a message.
        pub const CONSUMER: u64 = 5;
    }

    /// `StatusCode`.
    pub mod status {
        /// Said to be good.
        pub const OK: u64 = 1;
        /// Failed.
        pub const ERROR: u64 = 2;
    }

    /// Field numbers of `ResourceSpans`.
    pub mod resource_spans {
        /// `Resource resource`.
        pub const RESOURCE: u32 = 1;
        /// `repeated ScopeSpans scope_spans`.
        pub const SCOPE_SPANS: u32 = 2;
    }

    /// Field numbers of `Resource`.
    pub mod resource {
        /// `repeated KeyValue attributes`.
        pub const ATTRIBUTES: u32 = 1;
    }

    /// Field numbers of `ScopeSpans`.
    pub mod scope_spans {
        /// `InstrumentationScope scope`.
        pub const SCOPE: u32 = 1;
        /// `repeated Span spans`.
        pub const SPANS: u32 = 2;
    }

    /// Field numbers of `InstrumentationScope`.
    pub mod scope {
        /// `string name`.
        pub const NAME: u32 = 1;
        /// `string version`.
        pub const VERSION: u32 = 2;
    }

    /// Field numbers of `Span`.
    pub mod span {
        /// `bytes trace_id`.
        pub const TRACE_ID: u32 = 1;
        /// `bytes span_id`.
        pub const SPAN_ID: u32 = 2;
        /// `string trace_state`.
        pub const TRACE_STATE: u32 = 3;
        /// `bytes parent_span_id`.
        pub const PARENT_SPAN_ID: u32 = 4;
        /// `string name`.
        pub const NAME: u32 = 5;
        /// `SpanKind kind`.
        pub const KIND: u32 = 6;
        /// `fixed64 start_time_unix_nano`.
        pub const START: u32 = 7;
        /// `fixed64 end_time_unix_nano`.
        pub const END: u32 = 8;
        /// `repeated KeyValue attributes`.
        pub const ATTRIBUTES: u32 = 9;
        /// `uint32 dropped_attributes_count`.
        pub const DROPPED_ATTRIBUTES: u32 = 10;
        /// `repeated Event events`.
        pub const EVENTS: u32 = 11;
        /// `uint32 dropped_events_count`.
        pub const DROPPED_EVENTS: u32 = 12;
        /// `repeated Link links`.
        pub const LINKS: u32 = 13;
        /// `uint32 dropped_links_count`.
        pub const DROPPED_LINKS: u32 = 14;
        /// `Status status`.
        pub const STATUS: u32 = 15;
        /// `fixed32 flags`.
        pub const FLAGS: u32 = 16;
    }

    /// Field numbers of `Event`.
    pub mod event {
        /// `fixed64 time_unix_nano`.
        pub const TIME: u32 = 1;
        /// `string name`.
        pub const NAME: u32 = 2;
        /// `repeated KeyValue attributes`.
        pub const ATTRIBUTES: u32 = 3;
        /// `uint32 dropped_attributes_count`.
        pub const DROPPED_ATTRIBUTES: u32 = 4;
    }

    /// Field numbers of `Link`.
    pub mod link {
        /// `bytes trace_id`.
        pub const TRACE_ID: u32 = 1;
        /// `bytes span_id`.
        pub const SPAN_ID: u32 = 2;
        /// `string trace_state`.
        pub const TRACE_STATE: u32 = 3;
        /// `repeated KeyValue attributes`.
        pub const ATTRIBUTES: u32 = 4;
        /// `uint32 dropped_attributes_count`.
        pub const DROPPED_ATTRIBUTES: u32 = 5;
    }
}

/// What kind of fault a message has; what it is counted under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It ends too early, or claims more than is there.
    Truncated,
    /// It is not of its format.
    Malformed,
    /// It is over a limit that keeps readers safe: nesting, lengths, counts.
    Limit,
    /// It is something else than spans.
    Unsupported,
    /// What it is translated to would take more than the room given: more room, and it may go.
    Room,
}

impl Fault {
    /// The label it is counted under.
    pub fn reason(self) -> &'static str {
        match self {
            Fault::Truncated => "truncated",
            Fault::Malformed => "malformed",
            Fault::Limit => "over_limit",
            Fault::Unsupported => "unsupported",
            Fault::Room => "too_large",
        }
    }
}

/// A message that could not be translated: what was found, where, and what was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found} at byte {at}, expected {expected}")]
pub struct Foreign {
    /// What kind of fault it is.
    pub fault: Fault,
    /// What was found.
    pub found: Cow<'static, str>,
    /// Position from the message's first byte.
    pub at: usize,
    /// What would have been right.
    pub expected: Cow<'static, str>,
}

impl Foreign {
    /// A fault at a byte.
    pub fn new(
        fault: Fault,
        at: usize,
        found: impl Into<Cow<'static, str>>,
        expected: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { fault, found: found.into(), at, expected: expected.into() }
    }
}

/// Appends to a buffer, or leaves it as it was. What is written may be up to `room` bytes: `write` asks
/// [`check_room`] after each span.
pub fn whole<T>(
    out: &mut Vec<u8>,
    write: impl FnOnce(&mut Vec<u8>) -> Result<T, Foreign>,
) -> Result<T, Foreign> {
    let before = out.len();
    let written = write(out);
    if written.is_err() {
        out.truncate(before);
    }
    written
}

/// Whether what was appended since the buffer had `before` bytes is at most `room`.
pub fn check_room(out: &[u8], before: usize, room: usize, at: usize) -> Result<(), Foreign> {
    let took = out.len() - before.min(out.len());
    if took <= room {
        return Ok(());
    }
    let expected = format!("at most {room}");
    Err(Foreign::new(Fault::Room, at, format!("{took} bytes as OTLP"), expected))
}

/// Text as OTLP wants it: bytes that are not UTF-8 become U+FFFD.
#[inline]
pub fn text(bytes: &[u8]) -> Cow<'_, str> {
    // Checked as a whole first: the lossy way goes byte by byte.
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(bytes),
    }
}

/// [`text`] that is only passed on. ASCII, which nearly all of it is, needs no closer look.
#[inline]
pub fn text_bytes(bytes: &[u8]) -> Cow<'_, [u8]> {
    if bytes.is_ascii() {
        return Cow::Borrowed(bytes);
    }
    match text(bytes) {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}

/// An attribute's value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scalar<'a> {
    /// Text.
    Str(&'a str),
    /// True or false.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A number.
    Double(f64),
    /// Bytes.
    Bytes(&'a [u8]),
}

/// Appends an attribute as the field of that number: `ATTRIBUTES` of the message being written.
#[inline]
pub fn put_attribute(out: &mut Vec<u8>, field: u32, key: &str, value: Scalar<'_>) {
    put_attribute_keyed(out, field, key.as_bytes(), value);
}

/// The same with a key that is known to be UTF-8: bytes of [`text_bytes`].
#[inline]
pub fn put_attribute_keyed(out: &mut Vec<u8>, field: u32, key: &[u8], value: Scalar<'_>) {
    if let Scalar::Str(text) = value
        && put_short_text(out, field, key, text.as_bytes())
    {
        return;
    }
    // Lengths are counted before, not patched in afterwards: most of what is written is attributes.
    let key_len = if key.is_empty() { 0 } else { 1 + sized(key.len()) };
    let value_len = 1 + match value {
        Scalar::Str(v) => sized(v.len()),
        Scalar::Bool(_) => 1,
        Scalar::Int(v) => varint_len(v as u64),
        Scalar::Double(_) => 8,
        Scalar::Bytes(v) => sized(v.len()),
    };
    put_head(out, field, key_len + 1 + sized(value_len));
    put_text(out, 1, key);
    put_head(out, 2, value_len);
    match value {
        Scalar::Str(v) => put_bytes(out, 1, v.as_bytes()),
        Scalar::Bool(v) => put_uint(out, 2, u64::from(v)),
        Scalar::Int(v) => put_uint(out, 3, v as u64),
        Scalar::Double(v) => put_fixed64(out, 4, v.to_bits()),
        Scalar::Bytes(v) => put_bytes(out, 7, v),
    }
}

/// Bytes that so many bytes take with their length before them.
fn sized(bytes: usize) -> usize {
    varint_len(bytes as u64) + bytes
}

/// Appends the tag of a message field, and its length.
fn put_head(out: &mut Vec<u8>, field: u32, length: usize) {
    put_varint(out, u64::from(field) << 3 | 2);
    put_varint(out, length as u64);
}

/// The usual attribute, written at once: a key and a text so short that each length takes a byte.
#[inline]
fn put_short_text(out: &mut Vec<u8>, field: u32, key: &[u8], text: &[u8]) -> bool {
    let body = key.len() + text.len() + 6;
    if body >= 0x80 || field >= 16 || key.is_empty() {
        return false;
    }
    out.reserve(body + 2);
    out.extend_from_slice(&[(field as u8) << 3 | 2, body as u8, 0x0a, key.len() as u8]);
    out.extend_from_slice(key);
    out.extend_from_slice(&[0x12, text.len() as u8 + 2, 0x0a, text.len() as u8]);
    out.extend_from_slice(text);
    true
}

/// Appends an attribute whose key is known to be UTF-8 and whose value is text that nobody has checked: as [`text`]
/// makes it, which is quick for ASCII.
#[inline]
pub fn put_text_attribute(out: &mut Vec<u8>, field: u32, key: &[u8], value: &[u8]) {
    if !value.is_ascii() || !put_short_text(out, field, key, value) {
        put_attribute_keyed(out, field, key, Scalar::Str(&text(value)));
    }
}

/// Appends a `Status` as a span's field, unless nothing is known of it.
pub fn put_status(out: &mut Vec<u8>, code: u64, message: &str) {
    if code != 0 || !message.is_empty() {
        put_message(out, otlp::span::STATUS, |out| {
            put_text(out, 2, message.as_bytes());
            if code != 0 {
                put_uint(out, 3, code);
            }
        });
    }
}

/// Appends a message field whose body `write` appends, unless it fails; then what it wrote is still there, and
/// [`whole`] takes it back.
#[inline]
pub fn try_message<T>(
    out: &mut Vec<u8>,
    field: u32,
    write: impl FnOnce(&mut Vec<u8>) -> Result<T, Foreign>,
) -> Result<T, Foreign> {
    let mut result = None;
    put_message(out, field, |out| result = Some(write(out)));
    // The closure ran: `put_message` calls it once.
    result.unwrap_or_else(|| Err(Foreign::new(Fault::Malformed, 0, "no message", "a message")))
}

/// Appends one `ResourceSpans` of a request: the attributes of its resource, then its one scope's spans.
pub fn put_resource_spans<T>(
    out: &mut Vec<u8>,
    resource: impl FnOnce(&mut Vec<u8>),
    scope_spans: impl FnOnce(&mut Vec<u8>) -> Result<T, Foreign>,
) -> Result<T, Foreign> {
    try_message(out, 1, |out| {
        put_message(out, otlp::resource_spans::RESOURCE, resource);
        try_message(out, otlp::resource_spans::SCOPE_SPANS, scope_spans)
    })
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::common::v1::any_value::Value;
    use prost::Message;

    use super::*;

    fn one(out: &mut Vec<u8>, name: &str) -> Result<u64, Foreign> {
        let resource = |out: &mut Vec<u8>| {
            put_attribute(out, otlp::resource::ATTRIBUTES, "service.name", Scalar::Str("cart"));
        };
        put_resource_spans(out, resource, |out| {
            put_message(out, otlp::scope_spans::SPANS, |out| {
                put_bytes(out, otlp::span::TRACE_ID, &[1; 16]);
                put_text(out, otlp::span::NAME, name.as_bytes());
                for value in [Scalar::Int(-1), Scalar::Bool(false), Scalar::Double(0.5), Scalar::Bytes(&[9])]
                {
                    put_attribute(out, otlp::span::ATTRIBUTES, "key", value);
                }
                put_status(out, otlp::status::ERROR, "no");
            });
            Ok(1)
        })
    }

    #[test]
    fn what_is_appended_is_one_request() {
        let mut out = Vec::new();
        assert_eq!(one(&mut out, "a"), Ok(1));
        assert_eq!(one(&mut out, "b"), Ok(1));
        let request = ExportTraceServiceRequest::decode(&out[..]).unwrap();
        assert_eq!(request.resource_spans.len(), 2);
        let span = &request.resource_spans[1].scope_spans[0].spans[0];
        assert_eq!((span.name.as_str(), span.status.as_ref().unwrap().code), ("b", 2));
        let values = span.attributes.iter().map(|a| a.value.clone().unwrap().value.unwrap());
        let expected = [
            Value::IntValue(-1),
            Value::BoolValue(false),
            Value::DoubleValue(0.5),
            Value::BytesValue(vec![9]),
        ];
        assert_eq!(values.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn attributes_of_every_length_are_read_back() {
        for length in [0, 1, 2, 100, 115, 120, 127, 128, 16_383, 16_384, 70_000] {
            let text = "x".repeat(length);
            for (key, value) in
                [("", Scalar::Str(&text)), (&text, Scalar::Int(1 << 40)), ("k", Scalar::Str(&text))]
            {
                let mut out = Vec::new();
                put_attribute(&mut out, 9, key, value);
                let mut reader = spanloom_span::proto::Reader::new(&out);
                let Ok(Some((9, spanloom_span::proto::Value::Bytes(body)))) = reader.next() else {
                    panic!("{length}")
                };
                assert!(reader.is_empty());
                let found = opentelemetry_proto::tonic::common::v1::KeyValue::decode(body).unwrap();
                assert_eq!(found.key, key);
                let expected = match value {
                    Scalar::Str(text) => Value::StringValue(text.to_owned()),
                    _ => Value::IntValue(1 << 40),
                };
                assert_eq!(found.value.unwrap().value, Some(expected));
            }
        }
    }

    #[test]
    fn a_failure_leaves_the_buffer_as_it_was() {
        let mut out = vec![1, 2, 3];
        let result = whole(&mut out, |out| {
            one(out, "a")?;
            check_room(out, 3, 10, 7)
        });
        let message = result.unwrap_err().to_string();
        assert!(message.ends_with("bytes as OTLP at byte 7, expected at most 10"), "{message}");
        assert_eq!(out, [1, 2, 3]);
    }

    #[test]
    fn short_texts_are_written_as_long_ones() {
        use spanloom_span::proto::{put_message, put_text};
        for (key, text) in [(0, 0), (0, 5), (1, 0), (1, 1), (60, 61), (60, 62), (121, 0), (122, 0), (9, 300)]
        {
            let (key, text) = ("k".repeat(key), "t".repeat(text));
            let mut slow = vec![7];
            put_message(&mut slow, 9, |out| {
                put_text(out, 1, key.as_bytes());
                put_message(out, 2, |out| put_bytes(out, 1, text.as_bytes()));
            });
            let mut out = vec![7];
            put_attribute(&mut out, 9, &key, Scalar::Str(&text));
            assert_eq!(out, slow, "{} {}", key.len(), text.len());
            out.truncate(1);
            put_text_attribute(&mut out, 9, key.as_bytes(), text.as_bytes());
            assert_eq!(out, slow, "{} {}", key.len(), text.len());
        }
    }

    #[test]
    fn what_is_not_utf8_is_replaced() {
        let check = |bytes: &[u8], expected: &str| {
            assert_eq!(text(bytes), expected, "{bytes:?}");
            assert_eq!(text_bytes(bytes), expected.as_bytes(), "{bytes:?}");
        };
        check(b"", "");
        check("a\u{e9}".as_bytes(), "a\u{e9}");
        check(b"a\xffb\xe2\x82", "a\u{fffd}b\u{fffd}");
        let (mut checked, mut expected) = (Vec::new(), Vec::new());
        put_text_attribute(&mut checked, 9, b"k", b"a\xff");
        put_attribute(&mut expected, 9, "k", Scalar::Str("a\u{fffd}"));
        assert_eq!(checked, expected);
    }
}
