//! Zipkin to OTLP: spans as Zipkin's senders post them, in the four encodings that are in use.
//!
//! | encoding | where | here |
//! |---|---|---|
//! | v2 JSON | `POST /api/v2/spans` | [`v2_json`] |
//! | v2 protobuf (`zipkin.proto3.ListOfSpans`) | the same, as `application/x-protobuf` | [`v2_proto`] |
//! | v1 JSON | `POST /api/v1/spans` | [`v1_json`] |
//! | v1 Thrift (`list<zipkincore.Span>`) | the same, as `application/x-thrift`; a Jaeger agent's `emitZipkinBatch` | [`v1_thrift`], [`thrift_spans`] |
//!
//! Which field becomes what, and what OTLP cannot say, is in `docs/protocols/zipkin.md`. Each function appends
//! `ResourceSpans` to a buffer and yields how many spans these hold; after an error the buffer is as it was. The
//! spans come grouped by resource and scope, each in order of appearance.
//!
//! | file | holds |
//! |---|---|
//! | `json.rs` | what both versions of JSON share |
//! | `v2_json.rs`, `v2_proto.rs` | readers of v2 |
//! | `v1_json.rs`, `v1_thrift.rs` | readers of v1 |
//! | `v1.rs` | v1's annotations and addresses: a span's kind, times and sides |
//! | `tags.rs` | what a tag's key stands for |
//! | `endpoint.rs` | endpoints to attributes |
//! | `notation.rs` | events and links with attributes, as exporters write them into text |
//! | `draft.rs` | a span while it is read |
//! | `groups.rs` | spans by resource and scope |
//! | `out.rs`, `out/` | the other way: stored spans as Zipkin's readers know them |
//!
//! Sources: <https://github.com/openzipkin/zipkin-api> (`zipkin2-api.yaml`, `zipkin.proto`, `zipkin-api.yaml`,
//! `thrift/zipkinCore.thrift`), OpenTelemetry's specification (`trace/sdk_exporters/zipkin.md`,
//! `common/mapping-to-non-otlp.md`), and what the OpenTelemetry Collector's Zipkin receiver is seen to do.

mod draft;
mod endpoint;
mod groups;
mod json;
mod notation;
pub mod out;
mod tags;
mod v1;
mod v1_json;
mod v1_thrift;
mod v2_json;
mod v2_proto;

use crate::foreign::{Fault, Foreign, check_room, whole};
use draft::{Draft, Sheet};

pub use v1_json::v1_json;
pub use v1_thrift::{thrift_spans, v1_thrift};
pub use v2_json::v2_json;
pub use v2_proto::v2_proto;

/// How spans are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// Every span is one that the sender wants stored whatever the sampling (header `X-B3-Flags: 1`), as if its
    /// field `debug` said so. OTLP has no such mark: the spans get W3C's trace flag `sampled`, which B3's debug
    /// implies.
    pub debug: bool,
    /// Tags whose text spells an integer, a number or a bool become attributes of that type.
    pub parse_string_tags: bool,
}

/// Appends a request of so many bytes, of which `read` reads the spans.
fn request<'o>(
    options: &'o Options,
    bytes: usize,
    room: usize,
    out: &mut Vec<u8>,
    read: impl FnOnce(&mut Sheet<'o>) -> Result<usize, Foreign>,
) -> Result<u64, Foreign> {
    whole(out, |out| {
        let mut sheet = Sheet::new(options, bytes, room);
        let end = read(&mut sheet)?;
        let before = out.len();
        let spans = sheet.write(out);
        check_room(out, before, room, end)?;
        Ok(spans)
    })
}

/// Reads one span with `fill`, which yields where it ends; errors say which span it is.
fn span<'a>(
    sheet: &mut Sheet<'_>,
    fill: impl FnOnce(&mut Sheet<'_>, &mut Draft<'a>) -> Result<usize, Foreign>,
) -> Result<(), Foreign> {
    let mut draft = sheet.draft();
    let filled = fill(sheet, &mut draft);
    filled.and_then(|end| draft.end(sheet, end)).map_err(|error| in_span(sheet, error))
}

#[cold]
fn in_span(sheet: &Sheet<'_>, mut error: Foreign) -> Foreign {
    error.found = format!("{} in span {}", error.found, sheet.count()).into();
    error
}

/// A time in microseconds since 1970 that fits into nanoseconds; it may have a fraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Micros {
    nanos: u64,
}

impl Micros {
    /// A time; `None` when it is too far off.
    fn new(micros: u64) -> Option<Self> {
        Some(Self { nanos: micros.checked_mul(1000)? })
    }

    /// The same, or an error that says what it was.
    fn read(micros: u64, at: usize) -> Result<Self, Foreign> {
        Self::new(micros).ok_or_else(|| wrong_time(at, &micros.to_string()))
    }

    /// A signed time.
    fn read_signed(micros: i64, at: usize) -> Result<Self, Foreign> {
        let unsigned = u64::try_from(micros).ok().and_then(Self::new);
        unsigned.ok_or_else(|| wrong_time(at, &micros.to_string()))
    }

    /// A start: absent when it is zero.
    fn or_absent(self) -> Option<Self> {
        (self.nanos != 0).then_some(self)
    }

    fn nanos(self) -> u64 {
        self.nanos
    }

    fn plus(self, micros: Option<i64>) -> u64 {
        draft::plus(self.nanos, micros)
    }
}

#[cold]
fn wrong_time(at: usize, found: &str) -> Foreign {
    let expected = "microseconds since 1970, up to 18446744073709551";
    Foreign::new(Fault::Malformed, at, format!("the time {}", shown(found)), expected)
}

/// An id of up to `N * 2` hexadecimal digits, padded with zeros on the left; else what was found.
fn id<const N: usize>(text: &str) -> Result<[u8; N], String> {
    let digits = text.as_bytes();
    if digits.is_empty() || digits.len() > N * 2 {
        return Err(format!("an id of {} characters", text.chars().count()));
    }
    let mut id = [0; N];
    for (place, digit) in digits.iter().rev().enumerate() {
        let Some(value) = char::from(*digit).to_digit(16) else {
            return Err(format!("the id {:?}", shown(text)));
        };
        id[N - 1 - place / 2] |= (value as u8) << (place % 2 * 4);
    }
    Ok(id)
}

/// The beginning of a text that a sender chose, for an error.
fn shown(text: &str) -> String {
    const MOST: usize = 40;
    let mut shown: String = text.chars().take(MOST).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}
