//! Writes one span as OTLP protobuf. What never varies was encoded when the shop was compiled; the rest is drawn
//! and written in place, so that a span of 400 bytes takes a few hundred nanoseconds.

use spanloom_span::proto::{
    put_bytes, put_fixed32, put_fixed64, put_message, put_uint, put_varint, varint_len,
};
use spanloom_span::{SpanId, TraceId};

use crate::attributes::{self, Level, Role};
use crate::pattern::{Context, Pattern};
use crate::random::Random;
use crate::topology::{Language, Pace};

/// A part of a span's attributes.
#[derive(Debug)]
pub enum Piece {
    /// Whole attributes that are the same on every span.
    Fixed(Vec<u8>),
    /// One of these attributes, the early ones more often.
    Pick(Vec<Vec<u8>>),
    /// One of the first on a good span, one of the second on a failed one; nothing when there is none.
    Outcome(Vec<Vec<u8>>, Vec<Vec<u8>>),
    /// An attribute with this head (see [`head`]) and a drawn value.
    Draw(Vec<u8>, Draw),
    /// On so many of 1000 spans.
    Maybe(u16, Box<Piece>),
}

/// A value that is drawn for each span.
#[derive(Debug)]
pub enum Draw {
    /// A string.
    Pattern(Pattern),
    /// A number below this one.
    Below(u32),
    /// A log-normal number around this median.
    Size(u32),
    /// A port from 32,768 to 60,999.
    EphemeralPort,
    /// A float with two decimals.
    Amount,
    /// The address of the other side's instance.
    PeerAddress,
}

/// A kind of span: who makes it, with which library, and how it is written.
#[derive(Debug)]
pub struct Shape {
    /// Ordinal of its library among those of the service.
    pub scope: usize,
    /// What it does.
    pub role: Role,
    /// How long its own work takes.
    pub pace: Pace,
    /// The fields `name` and `kind`.
    title: Vec<u8>,
    attributes: Vec<Piece>,
    /// Body of the exception event on a failed span, after its time.
    exception: Vec<u8>,
    /// The field `status` of a failed span.
    failed: Vec<u8>,
    /// Messages of its log events; none when it has no such events.
    logs: Vec<Pattern>,
}

/// What is particular to one span.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Its trace.
    pub trace: TraceId,
    /// Its id.
    pub span: SpanId,
    /// Its parent; zero for a root.
    pub parent: SpanId,
    /// A span that it links to.
    pub link: Option<(TraceId, SpanId)>,
    /// Nanoseconds since 1970.
    pub start: u64,
    /// Nanoseconds since 1970.
    pub end: u64,
    /// Whether it failed.
    pub error: bool,
    /// Address of the other side.
    pub peer: &'a str,
    /// What the trace's spans share.
    pub context: Context,
    /// W3C trace state; mostly empty.
    pub state: &'a str,
}

impl Shape {
    /// Encodes what never varies.
    pub fn new(
        scope: usize,
        role: Role,
        name: &str,
        attributes: Vec<Piece>,
        language: Language,
        pace: Pace,
        level: Level,
    ) -> Self {
        let kind = match role {
            Role::Internal => 1,
            Role::HttpServer | Role::GrpcServer => 2,
            Role::HttpClient | Role::GrpcClient | Role::Sql | Role::Cache => 3,
            Role::Producer => 4,
            Role::Consumer => 5,
        };
        let mut title = Vec::new();
        put_bytes(&mut title, 5, name.as_bytes());
        put_uint(&mut title, 6, kind);
        let [class, message, stack] = attributes::exception(language);
        let mut exception = Vec::new();
        put_bytes(&mut exception, 2, b"exception");
        put_message(&mut exception, 3, |o| text_body(o, "exception.type", class));
        put_message(&mut exception, 3, |o| text_body(o, "exception.message", message));
        if level >= Level::Default {
            put_message(&mut exception, 3, |o| text_body(o, "exception.stacktrace", stack));
        }
        let mut failed = Vec::new();
        put_message(&mut failed, 15, |o| {
            put_bytes(o, 2, message.as_bytes());
            put_uint(o, 3, 2);
        });
        let logs = match level {
            Level::Large => attributes::LOGS.iter().map(|text| Pattern::new(text)).collect(),
            Level::Small | Level::Default => Vec::new(),
        };
        Self { scope, role, pace, title, attributes, exception, failed, logs }
    }

    /// Appends a `spans` field of `ScopeSpans`. `scratch` is used for drawn strings.
    pub fn write(&self, out: &mut Vec<u8>, scratch: &mut Vec<u8>, random: &mut Random, facts: &Facts<'_>) {
        out.push(0x12);
        let mark = out.len();
        // Nearly every body has 128 to 16,383 bytes, whose length takes two bytes.
        out.extend_from_slice(&[0, 0]);
        out.extend_from_slice(&[0x0a, 16]);
        out.extend_from_slice(&facts.trace.0);
        out.extend_from_slice(&[0x12, 8]);
        out.extend_from_slice(&facts.span.0);
        if !facts.state.is_empty() {
            put_bytes(out, 3, facts.state.as_bytes());
        }
        if !facts.parent.is_zero() {
            out.extend_from_slice(&[0x22, 8]);
            out.extend_from_slice(&facts.parent.0);
        }
        out.extend_from_slice(&self.title);
        put_fixed64(out, 7, facts.start);
        put_fixed64(out, 8, facts.end);
        for piece in &self.attributes {
            write_piece(piece, out, scratch, random, facts);
        }
        if !self.logs.is_empty() {
            self.write_logs(out, scratch, random, facts);
        }
        if facts.error {
            put_message(out, 11, |o| {
                put_fixed64(o, 1, facts.end - (facts.end - facts.start) / 16);
                o.extend_from_slice(&self.exception);
            });
        }
        if let Some((trace, span)) = facts.link {
            put_message(out, 13, |o| write_link(o, trace, span));
        }
        if facts.error {
            out.extend_from_slice(&self.failed);
        } else {
            out.extend_from_slice(&[0x7a, 0]);
        }
        let remote = matches!(self.role, Role::HttpServer | Role::GrpcServer | Role::Consumer);
        put_fixed32(out, 16, if remote { 0x301 } else { 0x101 });
        close(out, mark);
    }

    fn write_logs(&self, out: &mut Vec<u8>, scratch: &mut Vec<u8>, random: &mut Random, facts: &Facts<'_>) {
        let count = 1 + u64::from(random.below(4));
        for ordinal in 0..count {
            let time = facts.start + (facts.end - facts.start) * ordinal / count;
            scratch.clear();
            self.logs[random.below(self.logs.len() as u32) as usize].write(scratch, random, facts.context);
            put_message(out, 11, |o| {
                put_fixed64(o, 1, time);
                put_bytes(o, 2, b"log");
                put_message(o, 3, |kv| text_body(kv, "log.severity", "INFO"));
                put_message(o, 3, |kv| {
                    put_bytes(kv, 1, b"log.message");
                    put_message(kv, 2, |value| put_bytes(value, 1, scratch));
                });
            });
        }
    }
}

/// Fills in the length that [`Shape::write`] left two bytes for.
fn close(out: &mut Vec<u8>, mark: usize) {
    let len = out.len() - mark - 2;
    let needed = varint_len(len as u64);
    if needed != 2 {
        let end = out.len();
        out.resize(end + needed, 0);
        out.copy_within(mark + 2..end, mark + needed);
        out.truncate(mark + needed + len);
    }
    let mut rest = len;
    for slot in &mut out[mark..mark + needed] {
        *slot = rest as u8 & 0x7f | 0x80;
        rest >>= 7;
    }
    out[mark + needed - 1] &= 0x7f;
}

fn write_link(out: &mut Vec<u8>, trace: TraceId, span: SpanId) {
    put_bytes(out, 1, &trace.0);
    put_bytes(out, 2, &span.0);
    put_message(out, 4, |o| text_body(o, "messaging.link.reason", "batch"));
    put_fixed32(out, 6, 0x301);
}

#[inline]
fn write_piece(
    piece: &Piece,
    out: &mut Vec<u8>,
    scratch: &mut Vec<u8>,
    random: &mut Random,
    facts: &Facts<'_>,
) {
    match piece {
        Piece::Fixed(bytes) => out.extend_from_slice(bytes),
        Piece::Pick(list) => {
            let n = list.len() as u32;
            let at = random.below(n).min(random.below(n)) as usize;
            out.extend_from_slice(&list[at]);
        }
        Piece::Outcome(good, bad) => {
            let list = if facts.error { bad } else { good };
            if let Some(bytes) = list.get(random.below(list.len() as u32) as usize) {
                out.extend_from_slice(bytes);
            }
        }
        Piece::Draw(head, draw) => write_draw(head, draw, out, scratch, random, facts),
        Piece::Maybe(per_mille, piece) => {
            if random.chance(*per_mille) {
                write_piece(piece, out, scratch, random, facts);
            }
        }
    }
}

fn write_draw(
    head: &[u8],
    draw: &Draw,
    out: &mut Vec<u8>,
    scratch: &mut Vec<u8>,
    random: &mut Random,
    facts: &Facts<'_>,
) {
    match draw {
        Draw::Pattern(pattern) => {
            scratch.clear();
            pattern.write(scratch, random, facts.context);
            put_drawn_text(out, head, scratch);
        }
        Draw::PeerAddress => put_drawn_text(out, head, facts.peer.as_bytes()),
        Draw::Below(n) => put_drawn_int(out, head, u64::from(random.below(*n))),
        Draw::Size(median) => put_drawn_int(out, head, random.log_normal(f64::from(*median), 1.6) as u64),
        Draw::EphemeralPort => put_drawn_int(out, head, u64::from(32_768 + random.below(28_232))),
        Draw::Amount => {
            let amount = random.log_normal(4_800.0, 1.2).round() / 100.0;
            put_varint(out, 0x4a);
            put_varint(out, head.len() as u64 + 11);
            out.extend_from_slice(head);
            out.extend_from_slice(&[0x12, 9, 0x21]);
            out.extend_from_slice(&amount.to_bits().to_le_bytes());
        }
    }
}

#[inline]
fn put_drawn_text(out: &mut Vec<u8>, head: &[u8], value: &[u8]) {
    let inner = 1 + varint_len(value.len() as u64) + value.len();
    let body = head.len() + 1 + varint_len(inner as u64) + inner;
    out.push(0x4a);
    put_varint(out, body as u64);
    out.extend_from_slice(head);
    out.push(0x12);
    put_varint(out, inner as u64);
    out.push(0x0a);
    put_varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

#[inline]
fn put_drawn_int(out: &mut Vec<u8>, head: &[u8], value: u64) {
    let inner = 1 + varint_len(value);
    out.push(0x4a);
    put_varint(out, (head.len() + 2 + inner) as u64);
    out.extend_from_slice(head);
    out.extend_from_slice(&[0x12, inner as u8, 0x18]);
    put_varint(out, value);
}

/// The `key` field of a `KeyValue`.
pub fn head(key: &str) -> Vec<u8> {
    let mut out = Vec::new();
    put_bytes(&mut out, 1, key.as_bytes());
    out
}

/// Appends the body of a `KeyValue` with a string.
pub fn text_body(out: &mut Vec<u8>, key: &str, value: &str) {
    put_bytes(out, 1, key.as_bytes());
    put_message(out, 2, |o| put_bytes(o, 1, value.as_bytes()));
}

/// Appends the body of a `KeyValue` with a number.
pub fn int_body(out: &mut Vec<u8>, key: &str, value: i64) {
    put_bytes(out, 1, key.as_bytes());
    put_message(out, 2, |o| put_uint(o, 3, value as u64));
}

/// A span's attribute with a string.
pub fn text(key: &str, value: &str) -> Vec<u8> {
    let mut out = Vec::new();
    put_message(&mut out, 9, |o| text_body(o, key, value));
    out
}

/// A span's attribute with a number.
pub fn int(key: &str, value: i64) -> Vec<u8> {
    let mut out = Vec::new();
    put_message(&mut out, 9, |o| int_body(o, key, value));
    out
}

/// A span's attribute with a truth.
pub fn truth(key: &str, value: bool) -> Vec<u8> {
    let mut out = Vec::new();
    put_message(&mut out, 9, |o| {
        put_bytes(o, 1, key.as_bytes());
        put_message(o, 2, |v| put_uint(v, 2, u64::from(value)));
    });
    out
}
