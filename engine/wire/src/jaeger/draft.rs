//! A span, gathered in any order, written in OTLP's.

use spanloom_span::proto::{put_bytes, put_fixed32, put_fixed64, put_message, put_text, put_uint};

use crate::foreign::otlp::{event, link, span};
use crate::foreign::{Fault, Foreign, Scalar, put_attribute, put_status, text};

use super::special::{Scope, Special};
use super::tag::Tag;

/// The flag that a span was sampled; W3C's has the same bit.
pub(super) const SAMPLED: u32 = 1;

/// The attribute that has all flags, when there are others.
pub(super) const RAW_FLAGS: &str = "jaeger.flags";
/// The attribute of a span of which more was to come.
pub(super) const INCOMPLETE: &str = "jaeger.incomplete";
/// The attribute that has what Jaeger's parts warned of.
pub(super) const WARNINGS: &str = "@jaeger@warnings";
/// The attribute of a link that says how it refers.
pub(super) const REF_TYPE: &str = "opentracing.ref_type";

/// Fewest bytes that a reference takes as a link. It is what grows most: in TCompact it may take nine.
const LINK_BYTES: usize = 66;

/// How a span refers to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefType {
    /// The other waits for it.
    ChildOf,
    /// The other does not.
    FollowsFrom,
}

impl RefType {
    /// As the attribute of a link says it.
    pub(super) fn name(self) -> &'static str {
        match self {
            RefType::ChildOf => "child_of",
            RefType::FollowsFrom => "follows_from",
        }
    }

    /// As Jaeger's JSON says it.
    pub(super) fn json_name(self) -> &'static str {
        match self {
            RefType::ChildOf => "CHILD_OF",
            RefType::FollowsFrom => "FOLLOWS_FROM",
        }
    }

    /// `SpanRefType` of `model.proto`.
    pub(super) fn number(self) -> u64 {
        match self {
            RefType::ChildOf => 0,
            RefType::FollowsFrom => 1,
        }
    }
}

/// A reference to another span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reference {
    /// How.
    pub kind: RefType,
    /// The other's trace.
    pub trace_id: u128,
    /// The other's id.
    pub span_id: u64,
}

/// A span while it is read. Its buffers serve one span after the other.
#[derive(Debug, Default)]
pub struct Draft<'a> {
    /// What is known of it.
    pub facts: Facts<'a>,
    /// Other spans that it refers to.
    pub references: Vec<Reference>,
    /// What Jaeger's parts warned of.
    pub warnings: Vec<&'a [u8]>,
    special: Special<'a>,
    /// Attributes and events, encoded.
    body: Vec<u8>,
    log: Log<'a>,
}

/// The fields of a span that are one value.
#[derive(Debug, Default, Clone, Copy)]
pub struct Facts<'a> {
    /// Its trace.
    pub trace_id: u128,
    /// Its id.
    pub span_id: u64,
    /// Its parent's id, or zero.
    pub parent_id: u64,
    /// What was done.
    pub name: &'a [u8],
    /// Sampled, debug and others.
    pub flags: u32,
    /// Nanoseconds since 1970.
    pub start: i128,
    /// Nanoseconds.
    pub duration: i128,
    /// That more of it was to come.
    pub incomplete: bool,
}

/// A log while it is read.
#[derive(Debug, Default)]
struct Log<'a> {
    name: Option<&'a [u8]>,
    message: Option<&'a [u8]>,
    dropped: Option<Tag<'a>>,
    attributes: Vec<u8>,
}

impl<'a> Draft<'a> {
    /// Begins another span.
    pub fn begin(&mut self) {
        self.facts = Facts::default();
        self.special = Special::default();
        self.references.clear();
        self.warnings.clear();
        self.body.clear();
        self.begin_log();
    }

    /// Fewest bytes that it takes, as far as it was read. One reference may be the parent, which is no link.
    #[inline]
    pub fn size(&self) -> usize {
        self.body.len() + self.log.attributes.len() + self.references.len().saturating_sub(1) * LINK_BYTES
    }

    /// Takes a tag.
    #[inline]
    pub fn tag(&mut self, tag: Tag<'a>) {
        self.special.tag(tag, &mut self.body);
    }

    /// Begins a log.
    pub fn begin_log(&mut self) {
        let mut attributes = std::mem::take(&mut self.log.attributes);
        attributes.clear();
        self.log = Log { attributes, ..Log::default() };
    }

    /// Takes a field of the log.
    pub fn log_field(&mut self, field: Tag<'a>) {
        let log = &mut self.log;
        match (field.key, field.str()) {
            (b"event", Some(name)) if log.name.is_none() => log.name = Some(name),
            (b"otel.event.dropped_attributes_count" | b"otel.dropped_attributes_count", _)
                if log.dropped.is_none() && field.count().is_some() =>
            {
                log.dropped = Some(field);
            }
            (key, value) => {
                if key == b"message" {
                    log.message = value;
                }
                field.put(&mut log.attributes, event::ATTRIBUTES);
            }
        }
    }

    /// Ends the log: an event.
    pub fn end_log(&mut self, time: i128) {
        let log = &self.log;
        let name = text(log.name.or(log.message).unwrap_or_default());
        put_message(&mut self.body, span::EVENTS, |out| {
            put_fixed64(out, event::TIME, nanos(time));
            put_text(out, event::NAME, name.as_bytes());
            out.extend_from_slice(&log.attributes);
            put_count(out, event::DROPPED_ATTRIBUTES, log.dropped.and_then(|tag| tag.count()).unwrap_or(0));
        });
        self.begin_log();
    }

    /// Appends the span's body and yields its scope. `at` is where the span began.
    pub fn write(&mut self, out: &mut Vec<u8>, at: usize) -> Result<Scope<'a>, Foreign> {
        let facts = self.facts;
        check_id(facts.trace_id == 0, "trace", at)?;
        check_id(facts.span_id == 0, "span", at)?;
        self.put_leftovers();
        let told = self.special.told(&mut self.body);
        let parent = self.parent();
        put_bytes(out, span::TRACE_ID, &facts.trace_id.to_be_bytes());
        put_bytes(out, span::SPAN_ID, &facts.span_id.to_be_bytes());
        put_text(out, span::TRACE_STATE, text(told.trace_state).as_bytes());
        if parent != 0 {
            put_bytes(out, span::PARENT_SPAN_ID, &parent.to_be_bytes());
        }
        put_text(out, span::NAME, text(facts.name).as_bytes());
        if told.kind != 0 {
            put_uint(out, span::KIND, told.kind);
        }
        put_fixed64(out, span::START, nanos(facts.start));
        put_fixed64(out, span::END, nanos(facts.start + facts.duration));
        out.extend_from_slice(&self.body);
        put_count(out, span::DROPPED_ATTRIBUTES, told.dropped_attributes);
        put_count(out, span::DROPPED_EVENTS, told.dropped_events);
        self.put_links(parent, out);
        put_count(out, span::DROPPED_LINKS, told.dropped_links);
        put_status(out, told.status, &text(told.status_message));
        if facts.flags & SAMPLED != 0 {
            put_fixed32(out, span::FLAGS, SAMPLED);
        }
        Ok(told.scope)
    }

    /// What OTLP has no field for, as attributes.
    fn put_leftovers(&mut self) {
        let out = &mut self.body;
        if self.facts.flags & !SAMPLED != 0 {
            put_attribute(out, span::ATTRIBUTES, RAW_FLAGS, Scalar::Int(self.facts.flags.into()));
        }
        if self.facts.incomplete {
            put_attribute(out, span::ATTRIBUTES, INCOMPLETE, Scalar::Bool(true));
        }
        if !self.warnings.is_empty() {
            put_texts(out, span::ATTRIBUTES, WARNINGS, &self.warnings);
        }
    }

    /// The parent that the span names, or the span of the same trace that it refers to: one that it is a
    /// child of before one that it follows (as `ParentSpanID` of Jaeger's model says).
    fn parent(&self) -> u64 {
        if self.facts.parent_id != 0 {
            return self.facts.parent_id;
        }
        let named = |kind| {
            let same = |r: &&Reference| r.kind == kind && r.trace_id == self.facts.trace_id;
            self.references.iter().find(same).map(|r| r.span_id)
        };
        named(RefType::ChildOf).or_else(|| named(RefType::FollowsFrom)).unwrap_or(0)
    }

    /// References become links, but for the one that says whose child the span is.
    fn put_links(&self, parent: u64, out: &mut Vec<u8>) {
        for reference in &self.references {
            let is_parent = reference.span_id == parent && reference.trace_id == self.facts.trace_id;
            if reference.kind == RefType::ChildOf && is_parent {
                continue;
            }
            let name = reference.kind.name();
            put_message(out, span::LINKS, |out| {
                put_bytes(out, link::TRACE_ID, &reference.trace_id.to_be_bytes());
                put_bytes(out, link::SPAN_ID, &reference.span_id.to_be_bytes());
                put_attribute(out, link::ATTRIBUTES, REF_TYPE, Scalar::Str(name));
            });
        }
    }
}

/// The check that all spans must pass later; here it can say where.
fn check_id(zero: bool, what: &str, at: usize) -> Result<(), Foreign> {
    if !zero {
        return Ok(());
    }
    Err(Foreign::new(Fault::Malformed, at, format!("a span whose {what} id is zero"), "one that is not"))
}

/// A moment as OTLP has it: what lies before 1970 or after 2554 becomes the first or last there is.
fn nanos(time: i128) -> u64 {
    time.clamp(0, u64::MAX.into()) as u64
}

fn put_count(out: &mut Vec<u8>, field: u32, count: u32) {
    if count != 0 {
        put_uint(out, field, count.into());
    }
}

/// Appends an attribute whose value is a list of texts.
fn put_texts(out: &mut Vec<u8>, field: u32, key: &str, texts: &[&[u8]]) {
    put_message(out, field, |out| {
        put_text(out, 1, key.as_bytes());
        put_message(out, 2, |out| {
            put_message(out, 5, |out| {
                for value in texts {
                    put_message(out, 1, |out| put_bytes(out, 1, text(value).as_bytes()));
                }
            });
        });
    });
}
