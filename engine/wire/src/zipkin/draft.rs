//! One span while it is read: what OTLP has in the same shape is written at once, the rest waits for its end.

use std::borrow::Cow;

use spanloom_span::proto::{put_bytes, put_fixed32, put_fixed64, put_text, put_uint};

use super::endpoint::{self, Endpoint};
use super::groups::Groups;
use super::notation;
use super::tags::{Given, LATER, Later, Meaning, Network, meaning};
use super::{Micros, Options};
use crate::foreign::otlp::{kind, resource, scope, span, status};
use crate::foreign::{Fault, Foreign, Scalar, put_attribute, put_status};

/// The attribute of a span whose start the sender did not know, as the Collector names it.
pub(super) const START_ABSENT: &str = "otel.zipkin.absentField.startTime";
/// The attribute of a span that shares its id with the caller's; ours, since the Collector forgets it.
pub(super) const SHARED: &str = "zipkin.shared";
/// W3C's trace flag `sampled`.
const SAMPLED: u32 = 1;

/// What the spans of a request share while they are read.
pub(super) struct Sheet<'o> {
    options: &'o Options,
    room: usize,
    groups: Groups,
    /// Attributes of the resource that the tags of the span being read gave.
    lifted: Vec<u8>,
    /// Scratch for the key of its group.
    key: Vec<u8>,
}

impl<'o> Sheet<'o> {
    /// Begins a request of so many bytes, of which at most `room` bytes of OTLP may become.
    pub fn new(options: &'o Options, bytes: usize, room: usize) -> Self {
        let groups = Groups::for_bytes(bytes.min(room));
        Self { options, room, groups, lifted: Vec::new(), key: Vec::new() }
    }

    /// Spans finished.
    pub fn count(&self) -> u64 {
        self.groups.count()
    }

    /// Begins a span.
    pub fn draft<'a>(&mut self) -> Draft<'a> {
        self.lifted.clear();
        Draft { from: self.groups.body.len(), earliest: u64::MAX, ..Draft::default() }
    }

    /// Appends the request to a buffer; yields how many spans it has.
    pub fn write(self, out: &mut Vec<u8>) -> u64 {
        self.groups.write(out);
        self.groups.count()
    }
}

/// A span of which not all is known. Ids of zeros are not known; names may be empty.
#[derive(Default)]
pub(super) struct Draft<'a> {
    pub trace_id: [u8; 16],
    pub span_id: [u8; 8],
    pub parent_id: [u8; 8],
    pub name: Cow<'a, str>,
    /// OTLP's number; 0 as long as it is not known.
    pub kind: u64,
    /// Start, when the sender gave one.
    pub start: Option<Micros>,
    /// Length in microseconds, when the sender gave one.
    pub duration: Option<i64>,
    /// Start and end in nanoseconds, when they follow from something else.
    pub inferred: Option<(u64, u64)>,
    pub debug: bool,
    pub shared: bool,
    pub local: Endpoint<'a>,
    pub remote: Endpoint<'a>,
    /// Where its body begins.
    from: usize,
    later: [Option<Given<'a>>; LATER],
    /// Bits of [`Network`] attributes that tags gave.
    network: u8,
    /// Times of annotations, in nanoseconds.
    earliest: u64,
    latest: u64,
}

impl<'a> Draft<'a> {
    /// Takes a tag; its key is known to be UTF-8.
    #[inline]
    pub fn tag(&mut self, sheet: &mut Sheet<'_>, key: &[u8], value: Given<'a>) {
        let typed = sheet.options.parse_string_tags;
        match meaning(key) {
            Meaning::Attribute => {}
            Meaning::Resource => {
                value.write(&mut sheet.lifted, resource::ATTRIBUTES, key, typed);
                return;
            }
            Meaning::Later(later) => {
                // Of two with the same key, the first is told apart and the second stays an attribute.
                let slot = &mut self.later[later as usize];
                if slot.is_none() {
                    *slot = Some(value.checked());
                    return;
                }
            }
            Meaning::Network(network) => self.network |= network as u8,
            Meaning::Link => {
                let value = value.checked();
                match &value {
                    Given::Text(text) if notation::put_link(&mut sheet.groups.body, text) => {}
                    _ => value.write(&mut sheet.groups.body, span::ATTRIBUTES, key, typed),
                }
                return;
            }
        }
        value.write(&mut sheet.groups.body, span::ATTRIBUTES, key, typed);
    }

    /// Takes an annotation, which becomes an event; its text is known to be UTF-8.
    #[inline]
    pub fn annotation(&mut self, sheet: &mut Sheet<'_>, at: Micros, value: &[u8]) {
        let nanos = at.nanos();
        self.saw(nanos);
        notation::put_event(&mut sheet.groups.body, nanos, value);
    }

    /// Notes the time of an annotation; zero is none.
    pub fn saw(&mut self, nanos: u64) {
        if nanos != 0 {
            self.earliest = self.earliest.min(nanos);
            self.latest = self.latest.max(nanos);
        }
    }

    /// Ends the span; `at` is where it ends in what was sent.
    pub fn end(&mut self, sheet: &mut Sheet<'_>, at: usize) -> Result<(), Foreign> {
        if self.trace_id == [0; 16] {
            return Err(Foreign::new(Fault::Malformed, at, "no trace id", "one that is not zero"));
        }
        if self.span_id == [0; 8] {
            return Err(Foreign::new(Fault::Malformed, at, "no span id", "one that is not zero"));
        }
        let Sheet { options, groups, lifted, key, .. } = sheet;
        let out = &mut groups.body;
        put_bytes(out, span::TRACE_ID, &self.trace_id);
        put_bytes(out, span::SPAN_ID, &self.span_id);
        // As the Collector has it: no span is its own parent.
        if self.parent_id != [0; 8] && self.parent_id != self.span_id {
            put_bytes(out, span::PARENT_SPAN_ID, &self.parent_id);
        }
        put_text(out, span::NAME, self.name.as_bytes());
        self.write_kind(out);
        self.write_times(out);
        if self.debug || options.debug {
            put_fixed32(out, span::FLAGS, SAMPLED);
        }
        self.write_endpoints(out);
        self.write_status(out);
        self.write_dropped(out);
        if let Some(state) = self.text_of(Later::TraceState) {
            put_text(out, span::TRACE_STATE, state.as_bytes());
        }
        key.clear();
        self.write_resource(key, lifted);
        let scope_at = key.len();
        self.write_scope(key);
        // What said nothing that was understood.
        for (name, value) in Later::KEYS.into_iter().zip(&self.later) {
            if let Some(value) = value {
                value.write(out, span::ATTRIBUTES, name.as_bytes(), options.parse_string_tags);
            }
        }
        groups.end_span(self.from, key, scope_at);
        let least = groups.least();
        if least > sheet.room {
            let found = format!("more than {least} bytes as OTLP");
            return Err(Foreign::new(Fault::Room, at, found, format!("at most {}", sheet.room)));
        }
        Ok(())
    }

    fn peek(&self, later: Later) -> Option<&Given<'a>> {
        self.later[later as usize].as_ref()
    }

    /// The text of a tag, unless it is not text.
    fn peek_text(&self, later: Later) -> Option<&str> {
        match self.peek(later) {
            Some(Given::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// The same, which is then no attribute any more.
    fn text_of(&mut self, later: Later) -> Option<Cow<'a, str>> {
        let slot = &mut self.later[later as usize];
        if !matches!(slot, Some(Given::Text(_))) {
            return None;
        }
        match slot.take() {
            Some(Given::Text(text)) => Some(text),
            _ => None,
        }
    }

    fn forget(&mut self, later: Later) {
        self.later[later as usize] = None;
    }

    /// A kind that Zipkin has not goes by OpenTracing's tag.
    fn write_kind(&mut self, out: &mut Vec<u8>) {
        let told = match self.peek_text(Later::SpanKind) {
            Some("internal") => kind::INTERNAL,
            Some("server") => kind::SERVER,
            Some("client") => kind::CLIENT,
            Some("producer") => kind::PRODUCER,
            Some("consumer") => kind::CONSUMER,
            _ => 0,
        };
        if told != 0 && self.kind == 0 {
            self.kind = told;
            self.forget(Later::SpanKind);
        }
        if self.kind != 0 {
            put_uint(out, span::KIND, self.kind);
        }
    }

    fn write_times(&mut self, out: &mut Vec<u8>) {
        let (start, end) = match (self.inferred, self.start) {
            (Some(times), _) => times,
            (None, Some(start)) => (start.nanos(), start.plus(self.duration)),
            (None, None) => {
                put_attribute(out, span::ATTRIBUTES, START_ABSENT, Scalar::Bool(true));
                // What was noted lies within it.
                let start = if self.earliest == u64::MAX { 0 } else { self.earliest };
                match self.duration {
                    None | Some(0) => (start, self.latest.max(start)),
                    duration => (start, plus(start, duration)),
                }
            }
        };
        put_fixed64(out, span::START, start);
        put_fixed64(out, span::END, end);
    }

    fn write_endpoints(&mut self, out: &mut Vec<u8>) {
        let given = |network: Network| self.network & network as u8 != 0;
        self.local.write(out, &endpoint::LOCAL, given(Network::HostIp), given(Network::HostPort));
        self.remote.write(out, &endpoint::REMOTE, given(Network::PeerIp), given(Network::PeerPort));
        let service = &self.remote.service;
        if !service.is_empty() && self.peek_text(Later::PeerService) != Some(service) {
            let is_given = self.peek(Later::PeerService).is_some();
            let name = if is_given { endpoint::OTHER_PEER_SERVICE } else { endpoint::PEER_SERVICE };
            put_attribute(out, span::ATTRIBUTES, name, Scalar::Str(service));
        }
        if self.shared {
            put_attribute(out, span::ATTRIBUTES, SHARED, Scalar::Bool(true));
        }
    }

    /// The status by the specification's tags, where the tag `error` marks a failure and may describe it.
    fn write_status(&mut self, out: &mut Vec<u8>) {
        let mut code = match self.peek_text(Later::StatusCode) {
            Some("OK" | "Ok" | "STATUS_CODE_OK" | "1") => Some(status::OK),
            Some("ERROR" | "Error" | "STATUS_CODE_ERROR" | "2") => Some(status::ERROR),
            Some("UNSET" | "Unset" | "STATUS_CODE_UNSET" | "0") => Some(0),
            _ => None,
        };
        let failed = match self.peek(Later::Error) {
            Some(Given::Text(text)) => text != "false",
            Some(Given::Bool(value)) => *value,
            Some(_) => true,
            None => false,
        };
        if failed && code != Some(status::ERROR) {
            // A code that says otherwise stays to be seen.
            code = Some(status::ERROR);
        } else if code.is_some() {
            self.forget(Later::StatusCode);
        }
        let mut message = Cow::Borrowed("");
        if code.is_some() {
            message = self.text_of(Later::StatusDescription).unwrap_or_default();
        }
        if failed {
            let marks_only = match self.peek(Later::Error) {
                Some(Given::Text(text)) => text.is_empty() || text == "true" || *text == message,
                Some(Given::Bool(_)) => true,
                _ => false,
            };
            if marks_only {
                self.forget(Later::Error);
            } else if message.is_empty() {
                message = self.text_of(Later::Error).unwrap_or_default();
            }
        }
        put_status(out, code.unwrap_or_default(), &message);
    }

    fn write_dropped(&mut self, out: &mut Vec<u8>) {
        for (later, field) in [
            (Later::DroppedAttributes, span::DROPPED_ATTRIBUTES),
            (Later::DroppedEvents, span::DROPPED_EVENTS),
            (Later::DroppedLinks, span::DROPPED_LINKS),
        ] {
            let count = match self.peek(later) {
                Some(Given::Text(text)) => text.parse::<u32>().ok(),
                Some(Given::Int(count)) => u32::try_from(*count).ok(),
                _ => None,
            };
            if let Some(count) = count {
                put_uint(out, field, count.into());
                self.forget(later);
            }
        }
    }

    /// Appends the body of the resource.
    fn write_resource(&mut self, out: &mut Vec<u8>, lifted: &[u8]) {
        let service = &self.local.service;
        if service.is_empty() {
            if let Some(name) = self.text_of(Later::ServiceName) {
                put_attribute(out, resource::ATTRIBUTES, "service.name", Scalar::Str(&name));
            }
        } else {
            // The Collector says so when it took a resource's name from another attribute.
            let source = self.peek_text(Later::ServiceNameSource);
            let key = match source {
                Some("faas.name") => "faas.name",
                Some("k8s.deployment.name") => "k8s.deployment.name",
                Some("process.executable.name") => "process.executable.name",
                _ => "service.name",
            };
            put_attribute(out, resource::ATTRIBUTES, key, Scalar::Str(service));
            if key != "service.name" {
                self.forget(Later::ServiceNameSource);
            }
            if self.peek_text(Later::ServiceName) == Some(&self.local.service) {
                self.forget(Later::ServiceName);
            }
        }
        out.extend_from_slice(lifted);
    }

    /// Appends the body of the scope. Its older names mean the same; exporters write both.
    fn write_scope(&mut self, out: &mut Vec<u8>) {
        for (field, new, old) in [
            (scope::NAME, Later::ScopeName, Later::LibraryName),
            (scope::VERSION, Later::ScopeVersion, Later::LibraryVersion),
        ] {
            if self.peek_text(new).is_some() && self.peek(new) == self.peek(old) {
                self.forget(old);
            }
            if let Some(text) = self.text_of(new).or_else(|| self.text_of(old)) {
                put_text(out, field, text.as_bytes());
            }
        }
    }
}

/// A time in nanoseconds and what comes so many microseconds later, or before.
pub(super) fn plus(nanos: u64, micros: Option<i64>) -> u64 {
    nanos.saturating_add_signed(micros.unwrap_or_default().saturating_mul(1000))
}
