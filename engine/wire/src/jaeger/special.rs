//! Tags that are fields of an OTLP span: its kind, status, scope, trace state and counts.
//!
//! They are held back until all tags were seen, since what becomes of one depends on others. A tag whose
//! value is not of the expected kind stays an attribute, as does the earlier of two.

use crate::foreign::otlp::{kind, span, status};

use super::tag::{Tag, Value};

/// What a tag is held back for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Kind,
    Error,
    StatusCode,
    StatusDescription,
    ScopeName,
    ScopeVersion,
    LibraryName,
    LibraryVersion,
    TraceState,
    DroppedAttributes,
    DroppedEvents,
    DroppedLinks,
}

const ROLES: usize = Role::DroppedLinks as usize + 1;

/// The tags held back.
#[derive(Debug, Default)]
pub struct Special<'a> {
    held: [Option<Tag<'a>>; ROLES],
    /// From tags that are attributes as well.
    http_status: Option<i64>,
    http_message: &'a [u8],
}

/// A span's instrumentation scope.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Scope<'a> {
    /// Its name.
    pub name: &'a [u8],
    /// Its version.
    pub version: &'a [u8],
}

/// What the tags said.
#[derive(Debug, Default)]
pub struct Told<'a> {
    /// `SpanKind`, 0 if nothing was said.
    pub kind: u64,
    /// `StatusCode`, 0 if nothing was said.
    pub status: u64,
    /// Its message.
    pub status_message: &'a [u8],
    /// The scope.
    pub scope: Scope<'a>,
    /// The trace state.
    pub trace_state: &'a [u8],
    /// How many were dropped by the sender.
    pub dropped_attributes: u32,
    /// How many were dropped by the sender.
    pub dropped_events: u32,
    /// How many were dropped by the sender.
    pub dropped_links: u32,
}

impl<'a> Special<'a> {
    /// Takes a tag. What is to be an attribute is appended to `out`.
    #[inline]
    pub fn tag(&mut self, tag: Tag<'a>, out: &mut Vec<u8>) {
        match role(&tag) {
            None => {
                self.note(&tag);
                tag.put(out, span::ATTRIBUTES);
            }
            Some(role) => {
                if let Some(earlier) = self.held[role as usize].replace(tag) {
                    earlier.put(out, span::ATTRIBUTES);
                }
            }
        }
    }

    /// Remembers what an attribute says about the status.
    #[inline]
    fn note(&mut self, tag: &Tag<'a>) {
        match tag.key {
            b"http.status_code" => self.http_status = http_status(tag),
            b"http.status_message" => self.http_message = tag.str().unwrap_or_default(),
            _ => {}
        }
    }

    /// What the tags said, after all were seen. Those that said nothing are appended to `out`.
    pub fn told(&mut self, out: &mut Vec<u8>) -> Told<'a> {
        let mut told = Told { kind: self.text(Role::Kind).and_then(kind_of).unwrap_or(0), ..Told::default() };
        self.take(Role::Kind);
        (told.status, told.status_message) = self.status(told.kind);
        told.scope = Scope {
            name: self.preferred(Role::ScopeName, Role::LibraryName),
            version: self.preferred(Role::ScopeVersion, Role::LibraryVersion),
        };
        told.trace_state = self.take(Role::TraceState).and_then(|tag| tag.str()).unwrap_or_default();
        let mut count = |role| self.take(role).and_then(|tag| tag.count()).unwrap_or(0);
        told.dropped_attributes = count(Role::DroppedAttributes);
        told.dropped_events = count(Role::DroppedEvents);
        told.dropped_links = count(Role::DroppedLinks);
        self.held.iter().flatten().for_each(|tag| tag.put(out, span::ATTRIBUTES));
        told
    }

    /// Code and message. `error` decides; then what the sender's OpenTelemetry said; then what HTTP said.
    fn status(&mut self, kind: u64) -> (u64, &'a [u8]) {
        let said = self.text(Role::StatusCode).and_then(status_of);
        if self.take(Role::Error).is_some() {
            // Another code than this one contradicts it, and stays to be seen.
            if said == Some(status::ERROR) {
                self.take(Role::StatusCode);
            }
            let description = self.take(Role::StatusDescription).and_then(|tag| tag.str());
            return (status::ERROR, description.unwrap_or(self.http_message));
        }
        if let Some(code) = said {
            self.take(Role::StatusCode);
            let description = self.take(Role::StatusDescription).and_then(|tag| tag.str());
            return (code, description.unwrap_or_default());
        }
        match self.http_status {
            Some(code) if is_http_error(code, kind) => (status::ERROR, self.http_message),
            _ => (0, b""),
        }
    }

    /// The value of the newer of two keys, or of the older. When both are there and differ, the older stays.
    fn preferred(&mut self, newer: Role, older: Role) -> &'a [u8] {
        let value = self.text(newer).or(self.text(older)).unwrap_or_default();
        self.take(newer);
        if self.text(older) == Some(value) {
            self.take(older);
        }
        value
    }

    fn take(&mut self, role: Role) -> Option<Tag<'a>> {
        self.held[role as usize].take()
    }

    fn text(&self, role: Role) -> Option<&'a [u8]> {
        self.held[role as usize].and_then(|tag| tag.str())
    }
}

/// What a tag is held back for, if it is one of those and has a value that says something.
#[inline]
fn role(tag: &Tag<'_>) -> Option<Role> {
    let (role, speaks) = match tag.key {
        b"span.kind" => (Role::Kind, tag.str().and_then(kind_of).is_some()),
        b"error" => (Role::Error, is_true(tag.value)),
        b"otel.status_code" => (Role::StatusCode, tag.str().and_then(status_of).is_some()),
        b"otel.status_description" => (Role::StatusDescription, tag.str().is_some()),
        b"otel.scope.name" => (Role::ScopeName, tag.str().is_some()),
        b"otel.scope.version" => (Role::ScopeVersion, tag.str().is_some()),
        b"otel.library.name" => (Role::LibraryName, tag.str().is_some()),
        b"otel.library.version" => (Role::LibraryVersion, tag.str().is_some()),
        b"w3c.tracestate" => (Role::TraceState, tag.str().is_some()),
        b"otel.dropped_attributes_count" => (Role::DroppedAttributes, tag.count().is_some()),
        b"otel.dropped_events_count" => (Role::DroppedEvents, tag.count().is_some()),
        b"otel.dropped_links_count" => (Role::DroppedLinks, tag.count().is_some()),
        _ => return None,
    };
    speaks.then_some(role)
}

fn is_true(value: Value<'_>) -> bool {
    match value {
        Value::Bool(value) => value,
        Value::Str(text) => text.eq_ignore_ascii_case(b"true"),
        _ => false,
    }
}

/// What the tag `span.kind` says.
const KINDS: [(&str, u64); 5] = [
    ("internal", kind::INTERNAL),
    ("server", kind::SERVER),
    ("client", kind::CLIENT),
    ("producer", kind::PRODUCER),
    ("consumer", kind::CONSUMER),
];

/// That nothing is said of the status.
pub(super) const UNSET: &str = "UNSET";

/// What the tag `otel.status_code` says.
const CODES: [(&str, u64); 3] = [(UNSET, 0), ("OK", status::OK), ("ERROR", status::ERROR)];

/// Kinds are in lower case by the specification; some senders write the enum's names.
fn kind_of(text: &[u8]) -> Option<u64> {
    KINDS.iter().find(|(name, _)| text.eq_ignore_ascii_case(name.as_bytes())).map(|(_, kind)| *kind)
}

fn status_of(text: &[u8]) -> Option<u64> {
    CODES.iter().find(|(name, _)| text.eq_ignore_ascii_case(name.as_bytes())).map(|(_, code)| *code)
}

/// The name of a kind; `None` where OTLP knows none.
pub fn kind_name(kind: i32) -> Option<&'static str> {
    KINDS.iter().find(|(_, known)| i64::from(kind) == *known as i64).map(|(name, _)| *name)
}

/// OTLP's number of a kind by its name, in any case.
pub fn kind_number(name: &str) -> Option<i32> {
    kind_of(name.as_bytes()).map(|kind| kind as i32)
}

/// The name of a status that says something.
pub(super) fn status_name(code: i32) -> Option<&'static str> {
    CODES.iter().find(|(_, known)| code != 0 && i64::from(code) == *known as i64).map(|(name, _)| *name)
}

fn http_status(tag: &Tag<'_>) -> Option<i64> {
    tag.whole().or_else(|| std::str::from_utf8(tag.str()?).ok()?.parse().ok())
}

/// Whether a status of HTTP makes the span failed: 4xx unless it was the server that sent it, and whatever is
/// not 1xx to 4xx (semantic conventions for HTTP spans, "Status").
pub(super) fn is_http_error(code: i64, kind: u64) -> bool {
    match code {
        100..400 => false,
        400..500 => kind != kind::SERVER,
        _ => true,
    }
}
