//! OTLP to Zipkin: stored spans as Zipkin's v2 JSON, by the rules of this folder taken the other way.
//!
//! What came from a Zipkin client goes out as it came, as far as OTLP keeps it; `docs/JAEGER_ZIPKIN.md` says field by
//! field what becomes what. Source: `zipkin2-api.yaml` of <https://github.com/openzipkin/zipkin-api>.

mod side;

use std::borrow::Cow;
use std::collections::HashSet;

use spanloom_span::model::{AnyValue, Event, KeyValue, Link, Resource, Scope, Span, Trace};
use spanloom_span::{SpanId, TraceId};

use super::draft::{SHARED, START_ABSENT};
use crate::json_out::{Object, hex, integer, list, string};
use crate::trace_json::{plain_attributes, plain_value};
use side::Sides;

/// Keys of resources that may name the service, in the order in which they are looked for.
const SERVICE_KEYS: [&str; 4] =
    ["service.name", "faas.name", "k8s.deployment.name", "process.executable.name"];

/// A trace id as Zipkin writes it: 16 digits when its upper half is zero.
pub fn trace_id_text(id: &TraceId) -> String {
    crate::jaeger::out::trace_id_text(id)
}

/// Appends the spans of a trace as a JSON list.
pub fn spans_json(out: &mut Vec<u8>, trace: &Trace) {
    out.push(b'[');
    let mut is_first = true;
    for resource_spans in &trace.resource_spans {
        for scope_spans in &resource_spans.scope_spans {
            for span in &scope_spans.spans {
                if !std::mem::take(&mut is_first) {
                    out.push(b',');
                }
                put_span(out, span, &scope_spans.scope, &resource_spans.resource);
            }
        }
    }
    out.push(b']');
}

fn put_span(out: &mut Vec<u8>, span: &Span, scope: &Scope, resource: &Resource) {
    let service = service_of(resource);
    let sides = Sides::of(&span.attributes);
    let has = |key: &str| span.attributes.iter().any(|a| a.key == key && a.value == AnyValue::Bool(true));
    let mut o = Object::begin(out);
    string(o.key("traceId"), &trace_id_text(&span.trace_id));
    if let Some(parent) = parent_of(span) {
        string(o.key("parentId"), &parent.to_string());
    }
    string(o.key("id"), &span.span_id.to_string());
    o.text("kind", kind_name(span.kind));
    o.text("name", &span.name);
    if !has(START_ABSENT) {
        integer(o.key("timestamp"), span.start_time_unix_nano / 1000);
    }
    let nanos = i128::from(span.end_time_unix_nano) - i128::from(span.start_time_unix_nano);
    // Durations of less than one are rounded up, as Zipkin asks; below zero they are as they came.
    match (nanos / 1000) as i64 {
        0 if nanos > 0 => integer(o.key("duration"), 1),
        0 => {}
        micros => integer(o.key("duration"), micros),
    }
    sides.local.put(&mut o, "localEndpoint", service.map_or("", |(_, name)| name));
    sides.remote.put(&mut o, "remoteEndpoint", "");
    o.list("annotations", &span.events, |o, event| {
        integer(o.key("timestamp"), event.time_unix_nano / 1000);
        string(o.key("value"), &annotation(event));
    });
    let tags = Tags::of(span, scope, resource, service.map(|(key, _)| key), &sides);
    if !tags.list.is_empty() {
        o.object("tags", |o| tags.list.iter().for_each(|(key, value)| string(o.key(key), value)));
    }
    if has(SHARED) {
        o.key("shared").extend_from_slice(b"true");
    }
    o.end();
}

fn parent_of(span: &Span) -> Option<SpanId> {
    <[u8; 8]>::try_from(&*span.parent_span_id).ok().map(SpanId).filter(|id| !id.is_zero())
}

/// A kind that Zipkin has; nothing for the others.
fn kind_name(kind: i32) -> &'static str {
    match kind {
        2 => "SERVER",
        3 => "CLIENT",
        4 => "PRODUCER",
        5 => "CONSUMER",
        _ => "",
    }
}

/// The key and the name of the service.
fn service_of(resource: &Resource) -> Option<(&'static str, &str)> {
    SERVICE_KEYS.iter().find_map(|key| {
        let named = resource.attributes.iter().find(|attribute| attribute.key == *key)?;
        match &named.value {
            AnyValue::Str(name) if !name.is_empty() => Some((*key, name.as_str())),
            _ => None,
        }
    })
}

/// An event as text: its name, and its attributes in the specification's notation, or in the Collector's where some were
/// dropped.
fn annotation(event: &Event) -> Cow<'_, str> {
    if event.attributes.is_empty() && event.dropped_attributes_count == 0 {
        return Cow::Borrowed(&event.name);
    }
    let mut out = Vec::new();
    match event.dropped_attributes_count {
        0 => {
            string(&mut out, &event.name);
            out.extend_from_slice(b": ");
            put_attributes(&mut out, &event.attributes);
        }
        dropped => {
            out.extend_from_slice(event.name.as_bytes());
            out.push(b'|');
            put_attributes(&mut out, &event.attributes);
            out.push(b'|');
            integer(&mut out, dropped);
        }
    }
    Cow::Owned(String::from_utf8_lossy(&out).into_owned())
}

/// A link in the Collector's notation.
fn link_text(link: &Link) -> String {
    let mut out = Vec::new();
    hex(&mut out, &link.trace_id);
    out.push(b'|');
    hex(&mut out, &link.span_id);
    out.push(b'|');
    out.extend_from_slice(link.trace_state.as_bytes());
    out.push(b'|');
    put_attributes(&mut out, &link.attributes);
    out.push(b'|');
    integer(&mut out, link.dropped_attributes_count);
    String::from_utf8_lossy(&out).into_owned()
}

fn put_attributes(out: &mut Vec<u8>, attributes: &[KeyValue]) {
    // An object needs a key to be written under, so the list is written whole and its name cut off.
    let mut whole = Vec::new();
    let mut o = Object::begin(&mut whole);
    plain_attributes(&mut o, "", attributes);
    o.end();
    out.extend_from_slice(whole.strip_prefix(br#"{"":"#).and_then(|w| w.strip_suffix(b"}")).unwrap_or(b"{}"));
}

/// A value as the text of a tag.
fn text_of(value: &AnyValue) -> Cow<'_, str> {
    match value {
        AnyValue::Empty => Cow::Borrowed(""),
        AnyValue::Str(text) => Cow::Borrowed(text),
        AnyValue::Bytes(bytes) => {
            let mut out = Vec::new();
            crate::json_out::base64(&mut out, bytes);
            Cow::Owned(String::from_utf8_lossy(&out).trim_matches('"').to_owned())
        }
        AnyValue::Double(number) if !number.is_finite() => Cow::Owned(number.to_string()),
        value => {
            let mut out = Vec::new();
            plain_value(&mut out, value);
            Cow::Owned(String::from_utf8_lossy(&out).into_owned())
        }
    }
}

/// Tags: keys that differ, with texts.
#[derive(Default)]
struct Tags<'a> {
    list: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    keys: HashSet<Cow<'a, str>>,
}

impl<'a> Tags<'a> {
    fn of(
        span: &'a Span,
        scope: &'a Scope,
        resource: &'a Resource,
        service_key: Option<&'static str>,
        sides: &Sides<'_>,
    ) -> Self {
        let mut tags = Self::default();
        for attribute in &span.attributes {
            let is_true = attribute.value == AnyValue::Bool(true);
            let is_mark = is_true && [START_ABSENT, SHARED].contains(&&*attribute.key);
            if !is_mark && !sides.has_taken(&attribute.key) {
                tags.put(&attribute.key, text_of(&attribute.value));
            }
        }
        // Of a kind that Zipkin has not.
        if span.kind == 1 {
            tags.put("span.kind", "internal");
        }
        tags.put_status(span);
        for (key, older, text) in [
            ("otel.scope.name", "otel.library.name", &scope.name),
            ("otel.scope.version", "otel.library.version", &scope.version),
            ("w3c.tracestate", "", &span.trace_state),
        ] {
            // Nothing is said, too, where an older name would be taken for it.
            if !text.is_empty() || tags.keys.contains(older) {
                tags.put(key, text.as_str());
            }
        }
        for (key, count) in [
            ("otel.dropped_attributes_count", span.dropped_attributes_count),
            ("otel.dropped_events_count", span.dropped_events_count),
            ("otel.dropped_links_count", span.dropped_links_count),
        ] {
            if count > 0 {
                tags.put(key, count.to_string());
            }
        }
        for (number, link) in span.links.iter().enumerate() {
            tags.put(format!("otlp.link.{number}"), link_text(link));
        }
        if let Some(key) = service_key.filter(|key| *key != SERVICE_KEYS[0]) {
            tags.put("otlp.service.name.source", key);
        }
        for attribute in resource.attributes.iter().filter(|a| Some(&*a.key) != service_key) {
            tags.put(&attribute.key, text_of(&attribute.value));
        }
        tags
    }

    /// Of a key that comes twice the first stays.
    fn put(&mut self, key: impl Into<Cow<'a, str>>, value: impl Into<Cow<'a, str>>) {
        let key = key.into();
        if self.keys.insert(key.clone()) {
            self.list.push((key, value.into()));
        }
    }

    /// A failure is the tag `error` with why, as Zipkin has it; where that could be read otherwise, and for success, it is
    /// the specification's tags.
    fn put_status(&mut self, span: &'a Span) {
        let message = span.status.message.as_str();
        let is_plain = !matches!(message, "true" | "false") && !self.keys.contains("error");
        match span.status.code {
            2 if is_plain => self.put("error", if message.is_empty() { "true" } else { message }),
            0 if message.is_empty() => {}
            code @ 0..=2 => {
                self.put("otel.status_code", ["UNSET", "OK", "ERROR"][code as usize]);
                if !message.is_empty() {
                    self.put("otel.status_description", message);
                }
            }
            _ => {}
        }
    }
}

/// The answer of `/api/v2/services` and its kin: a list of texts.
pub fn names_json(names: &[String]) -> Vec<u8> {
    let mut out = Vec::new();
    list(&mut out, names, |out, name| string(out, name));
    out
}

/// Calls from one service to another.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DependencyLink {
    /// Who calls.
    pub parent: String,
    /// Who is called.
    pub child: String,
    /// How often.
    pub calls: u64,
    /// How often that failed.
    pub errors: u64,
}

/// The answer of `/api/v2/dependencies`.
pub fn dependencies_json(links: &[DependencyLink]) -> Vec<u8> {
    let mut out = Vec::new();
    list(&mut out, links, |out, link| {
        let mut o = Object::begin(out);
        string(o.key("parent"), &link.parent);
        string(o.key("child"), &link.child);
        integer(o.key("callCount"), link.calls);
        if link.errors > 0 {
            integer(o.key("errorCount"), link.errors);
        }
        o.end();
    });
    out
}
