//! A span as Jaeger has it.

use spanloom_span::model::{AnyValue, Event, KeyValue, Link, Scope, Span};
use spanloom_span::{SpanId, TraceId};

use super::tag::{OutTag, TagValue, text_of};
use crate::jaeger::draft::{RAW_FLAGS, REF_TYPE, RefType, SAMPLED, WARNINGS};
use crate::jaeger::special::{UNSET, is_http_error, kind_name, status_name};

/// A reference to another span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OutReference {
    pub kind: RefType,
    pub trace_id: TraceId,
    pub span_id: SpanId,
}

/// A log: fields at a moment, nanoseconds since 1970.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Log<'a> {
    pub time: u64,
    pub fields: Vec<OutTag<'a>>,
}

/// A span as Jaeger has it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct JaegerSpan<'a> {
    pub trace_id: TraceId,
    pub span_id: SpanId,
    pub name: &'a str,
    pub flags: u32,
    pub references: Vec<OutReference>,
    /// Nanoseconds since 1970.
    pub start: u64,
    /// Nanoseconds; below zero when it ended before it began.
    pub duration: i128,
    pub tags: Vec<OutTag<'a>>,
    pub logs: Vec<Log<'a>>,
    pub warnings: Vec<&'a str>,
}

impl<'a> JaegerSpan<'a> {
    /// The span of a scope. `is_of_client` says that a client of Jaeger's own sent it.
    pub fn new(span: &'a Span, scope: &'a Scope, is_of_client: bool) -> Self {
        let mut out = Self {
            trace_id: span.trace_id,
            span_id: span.span_id,
            name: &span.name,
            flags: span.flags & SAMPLED,
            references: references(span),
            start: span.start_time_unix_nano,
            duration: i128::from(span.end_time_unix_nano) - i128::from(span.start_time_unix_nano),
            tags: Vec::with_capacity(span.attributes.len() + 6),
            logs: span.events.iter().map(log).collect(),
            warnings: Vec::new(),
        };
        for attribute in &span.attributes {
            out.attribute(attribute);
        }
        out.put_fields(span, is_of_client);
        out.put_scope(span, scope);
        out
    }

    /// An attribute is a tag, unless it stands for what OTLP has no field for.
    fn attribute(&mut self, attribute: &'a KeyValue) {
        match (attribute.key.as_str(), &attribute.value) {
            (RAW_FLAGS, AnyValue::Int(flags)) if u32::try_from(*flags).is_ok() => {
                self.flags = *flags as u32;
            }
            (WARNINGS, AnyValue::Array(texts))
                if texts.iter().all(|text| matches!(text, AnyValue::Str(_))) =>
            {
                let texts = texts.iter().filter_map(|text| match text {
                    AnyValue::Str(text) => Some(text.as_str()),
                    _ => None,
                });
                self.warnings.extend(texts);
            }
            _ => self.tags.push(attribute.into()),
        }
    }

    /// Whether there is a tag of that key with that text.
    fn has_text(&self, key: &str, text: &str) -> bool {
        self.tags
            .iter()
            .any(|tag| tag.key == key && matches!(&tag.value, TagValue::Str(value) if value == text))
    }

    /// Kind and status.
    fn put_fields(&mut self, span: &'a Span, is_of_client: bool) {
        if let Some(kind) = kind_name(span.kind)
            && !self.has_text("span.kind", kind)
        {
            self.tags.push(OutTag::text("span.kind", kind));
        }
        let (code, message) = (span.status.code, span.status.message.as_str());
        let is_error = code == 2;
        if is_error && !self.tags.iter().any(says_error) {
            self.tags.push(OutTag { key: "error", value: TagValue::Bool(true) });
        }
        // Jaeger's own clients know no codes: what they said of a failure is `error` alone.
        match status_name(code) {
            Some(name) if !(is_error && is_of_client) => {
                self.tags.push(OutTag::text("otel.status_code", name));
            }
            // So that nobody takes it for a failure by what HTTP said, or passes over what is told.
            None if code == 0 && (!message.is_empty() || self.is_http_error(span.kind)) => {
                self.tags.push(OutTag::text("otel.status_code", UNSET));
            }
            _ => {}
        }
        // Of a failure without a description it is what HTTP said, unless an attribute would be taken for one.
        let told = self.text("http.status_message").unwrap_or_default();
        let is_told = match is_error {
            true => {
                told == message
                    && (is_of_client || message.is_empty())
                    && self.text("otel.status_description").is_none()
            }
            false => message.is_empty(),
        };
        if !is_told {
            self.tags.push(OutTag::text("otel.status_description", message));
        }
    }

    /// The text of a tag.
    fn text(&self, key: &str) -> Option<&str> {
        self.tags.iter().find(|tag| tag.key == key).and_then(|tag| match &tag.value {
            TagValue::Str(text) => Some(&**text),
            _ => None,
        })
    }

    /// Whether a span that says no more of its status would be taken for a failed one.
    fn is_http_error(&self, kind: i32) -> bool {
        let status = self.tags.iter().find(|tag| tag.key == "http.status_code");
        let code = status.and_then(|tag| match &tag.value {
            TagValue::Int(code) => Some(*code),
            TagValue::Double(code) if code.fract() == 0.0 && code.abs() < 9e15 => Some(*code as i64),
            TagValue::Str(text) => text.parse().ok(),
            _ => None,
        });
        code.is_some_and(|code| is_http_error(code, u64::try_from(kind).unwrap_or(0)))
    }

    /// Scope, trace state and counts.
    fn put_scope(&mut self, span: &'a Span, scope: &'a Scope) {
        let texts = [
            ("otel.scope.name", "otel.library.name", &scope.name),
            ("otel.scope.version", "otel.library.version", &scope.version),
            ("w3c.tracestate", "", &span.trace_state),
        ];
        for (key, older, text) in texts {
            // Nothing is said, too, where an older name would be taken for it.
            if !text.is_empty() || self.text(older).is_some_and(|older| !older.is_empty()) {
                self.tags.push(OutTag::text(key, text.as_str()));
            }
        }
        let counts = [
            ("otel.dropped_attributes_count", span.dropped_attributes_count),
            ("otel.dropped_events_count", span.dropped_events_count),
            ("otel.dropped_links_count", span.dropped_links_count),
        ];
        let counted = counts.into_iter().filter(|(_, count)| *count > 0);
        self.tags.extend(counted.map(|(key, count)| OutTag::int(key, count.into())));
    }
}

/// The parent as `CHILD_OF`, before the links. A span that follows its parent says so by a link, which is enough as long
/// as no other one is taken for its parent.
fn references(span: &Span) -> Vec<OutReference> {
    let mut references: Vec<OutReference> = Vec::with_capacity(span.links.len() + 1);
    references.extend(span.links.iter().filter_map(reference));
    let parent = <[u8; 8]>::try_from(&*span.parent_span_id).ok().map(SpanId).filter(|id| !id.is_zero());
    let Some(parent) = parent else { return references };
    let within = |kind| {
        let same = |r: &&OutReference| r.kind == kind && r.trace_id == span.trace_id;
        references.iter().find(same).map(|r| r.span_id)
    };
    let is_followed = within(RefType::ChildOf).is_none() && within(RefType::FollowsFrom) == Some(parent);
    let says_so = |link: &Link| {
        link.span_id == parent.0 && text_of(&link.attributes, REF_TYPE) == Some(RefType::FollowsFrom.name())
    };
    if !is_followed || !span.links.iter().any(says_so) {
        let parent = OutReference { kind: RefType::ChildOf, trace_id: span.trace_id, span_id: parent };
        references.insert(0, parent);
    }
    references
}

/// Whether a tag marks a failure.
fn says_error(tag: &OutTag<'_>) -> bool {
    tag.key == "error"
        && match &tag.value {
            TagValue::Bool(value) => *value,
            TagValue::Str(text) => text.eq_ignore_ascii_case("true"),
            _ => false,
        }
}

/// A link is what its attribute says; OpenTelemetry's links say nothing, and follow by its specification.
fn reference(link: &Link) -> Option<OutReference> {
    let is_child = text_of(&link.attributes, REF_TYPE) == Some(RefType::ChildOf.name());
    Some(OutReference {
        kind: if is_child { RefType::ChildOf } else { RefType::FollowsFrom },
        trace_id: TraceId(link.trace_id.as_slice().try_into().ok()?),
        span_id: SpanId(link.span_id.as_slice().try_into().ok()?),
    })
}

fn log(event: &Event) -> Log<'_> {
    let mut fields: Vec<OutTag<'_>> = Vec::with_capacity(event.attributes.len() + 2);
    // Exporters that write the name as `message` have no `event`.
    let message = text_of(&event.attributes, "message");
    let is_told = match event.name.is_empty() {
        // Nothing is said, too, where something else would be taken for it.
        true => message.unwrap_or_default().is_empty() && text_of(&event.attributes, "event").is_none(),
        false => message == Some(&event.name) && text_of(&event.attributes, "event").is_none(),
    };
    if !is_told {
        fields.push(OutTag::text("event", event.name.as_str()));
    }
    fields.extend(event.attributes.iter().map(OutTag::from));
    if event.dropped_attributes_count > 0 {
        let count = event.dropped_attributes_count.into();
        fields.push(OutTag::int("otel.event.dropped_attributes_count", count));
    }
    Log { time: event.time_unix_nano, fields }
}
