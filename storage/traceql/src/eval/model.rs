//! A decoded trace as a fragment: for tests, and for programs that have a trace in hand.

use std::collections::HashSet;
use std::fmt::Write;

use spanloom_span::encode::put_any_value;
use spanloom_span::model::{AnyValue, KeyValue, Resource, Scope, Span, Trace};
use spanloom_span::view::any_value;

use super::fragment::{Fragment, Identity, ParentId, ReadError};
use crate::ast::{self, Attribute, Field, Intrinsic};
use crate::plan::{FieldId, Plan};
use crate::value::Value;

/// The spans of a decoded trace, or of a part of one.
pub struct ModelFragment<'a> {
    plan: &'a Plan,
    spans: Vec<(&'a Resource, &'a Scope, &'a Span)>,
    /// Used for one value after another.
    buffer: Vec<u8>,
    text: String,
}

impl<'a> ModelFragment<'a> {
    /// The spans of `trace`, as the plan's fields.
    pub fn new(plan: &'a Plan, trace: &'a Trace) -> Self {
        let mut spans = Vec::new();
        for resource_spans in &trace.resource_spans {
            for scope_spans in &resource_spans.scope_spans {
                let of_scope = scope_spans.spans.iter();
                spans.extend(of_scope.map(|span| (&resource_spans.resource, &scope_spans.scope, span)));
            }
        }
        Self { plan, spans, buffer: Vec::new(), text: String::new() }
    }

    fn span(&self, span: u32) -> (&'a Resource, &'a Scope, &'a Span) {
        self.spans[span as usize]
    }

    fn see_attribute(&mut self, span: u32, of: &Attribute, see: &mut dyn FnMut(Value<'_>)) {
        use ast::Scope::{Event, Instrumentation, Link, Resource, Span};
        let everywhere = [Span, Resource, Event, Link, Instrumentation];
        let scopes = of.scope.as_ref().map_or(&everywhere[..], std::slice::from_ref);
        let (resource, scope, span) = self.span(span);
        for place in scopes {
            let mut there = false;
            let mut show = |attributes: &[KeyValue]| {
                if let Some(value) = attribute(attributes, &of.name) {
                    there = true;
                    show(value, &mut self.buffer, see);
                }
            };
            match place {
                Span => show(&span.attributes),
                Resource => show(&resource.attributes),
                Instrumentation => show(&scope.attributes),
                Event => span.events.iter().for_each(|event| show(&event.attributes)),
                Link => span.links.iter().for_each(|link| show(&link.attributes)),
            }
            if there {
                return;
            }
        }
        see(Value::Nil);
    }

    fn see_intrinsic(&mut self, span: u32, of: Intrinsic, see: &mut dyn FnMut(Value<'_>)) {
        let (_, scope, span) = self.span(span);
        let text = |text: &'a str| Value::Text(text.as_bytes());
        let digits = &mut self.text;
        match of {
            Intrinsic::Duration => see(Value::Duration(i64::try_from(duration(span)).unwrap_or(i64::MAX))),
            Intrinsic::Name => see(text(&span.name)),
            Intrinsic::Status => see(Value::Status(span.status.code)),
            Intrinsic::StatusMessage => see(text(&span.status.message)),
            Intrinsic::Kind => see(Value::Kind(span.kind)),
            Intrinsic::TraceId => see(hex(&span.trace_id.0, digits)),
            Intrinsic::SpanId => see(hex(&span.span_id.0, digits)),
            Intrinsic::ParentId if parent(span) == ParentId::Root => see(Value::Nil),
            Intrinsic::ParentId => see(hex(&span.parent_span_id, digits)),
            Intrinsic::InstrumentationName => see(text(&scope.name)),
            Intrinsic::InstrumentationVersion => see(text(&scope.version)),
            Intrinsic::EventName if !span.events.is_empty() => {
                span.events.iter().for_each(|event| see(text(&event.name)));
            }
            Intrinsic::EventTimeSinceStart if !span.events.is_empty() => {
                let since = |time: u64| Value::Duration(time.wrapping_sub(span.start_time_unix_nano) as i64);
                span.events.iter().for_each(|event| see(since(event.time_unix_nano)));
            }
            Intrinsic::LinkTraceId if !span.links.is_empty() => {
                span.links.iter().for_each(|link| see(hex(&link.trace_id, digits)));
            }
            Intrinsic::LinkSpanId if !span.links.is_empty() => {
                span.links.iter().for_each(|link| see(hex(&link.span_id, digits)));
            }
            _ => see(Value::Nil),
        }
    }
}

impl Fragment for ModelFragment<'_> {
    fn len(&self) -> u32 {
        self.spans.len() as u32
    }

    fn identities(&mut self, out: &mut Vec<Identity>) -> Result<(), ReadError> {
        out.extend(self.spans.iter().map(|(_, _, span)| Identity {
            id: u64::from_be_bytes(span.span_id.0),
            kind: span.kind,
            parent: parent(span),
            start: span.start_time_unix_nano,
            duration: duration(span),
        }));
        Ok(())
    }

    fn see(&mut self, span: u32, field: FieldId, see: &mut dyn FnMut(Value<'_>)) -> Result<(), ReadError> {
        let plan = self.plan;
        match plan.field(field) {
            Some(Field::Attribute(attribute)) => self.see_attribute(span, attribute, see),
            Some(Field::Intrinsic(intrinsic)) => self.see_intrinsic(span, *intrinsic, see),
            None => see(Value::Nil),
        }
        Ok(())
    }

    fn attributes(
        &mut self,
        span: u32,
        see: &mut dyn FnMut(ast::Scope, &[u8], Value<'_>),
    ) -> Result<(), ReadError> {
        let (resource, _, span) = self.span(span);
        let both = [(ast::Scope::Resource, &resource.attributes), (ast::Scope::Span, &span.attributes)];
        for (scope, attributes) in both {
            let mut seen = HashSet::new();
            for KeyValue { key, value } in attributes {
                if seen.insert(key) {
                    show(value, &mut self.buffer, &mut |value| see(scope, key.as_bytes(), value));
                }
            }
        }
        Ok(())
    }

    fn name(&mut self, span: u32, see: &mut dyn FnMut(&[u8])) -> Result<(), ReadError> {
        see(self.span(span).2.name.as_bytes());
        Ok(())
    }

    fn service(&mut self, span: u32, see: &mut dyn FnMut(&[u8])) -> Result<(), ReadError> {
        see(service(self.span(span).0));
        Ok(())
    }

    fn services(
        &mut self,
        keep: Option<&[bool]>,
        see: &mut dyn FnMut(&[u8], u64, u64),
    ) -> Result<(), ReadError> {
        for (at, (resource, _, span)) in self.spans.iter().enumerate() {
            if keep.is_none_or(|keep| keep.get(at).is_some_and(|kept| *kept)) {
                see(service(resource), 1, u64::from(span.status.code == 2));
            }
        }
        Ok(())
    }
}

/// The attribute of a key, unless its first one was sent without a value.
fn attribute<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a AnyValue> {
    let first = attributes.iter().find(|attribute| attribute.key == key)?;
    (first.value != AnyValue::Empty).then_some(&first.value)
}

fn service(resource: &Resource) -> &[u8] {
    match attribute(&resource.attributes, "service.name") {
        Some(AnyValue::Str(name)) => name.as_bytes(),
        _ => b"",
    }
}

fn show(value: &AnyValue, buffer: &mut Vec<u8>, see: &mut dyn FnMut(Value<'_>)) {
    match value {
        AnyValue::Str(text) => see(Value::Text(text.as_bytes())),
        AnyValue::Bool(value) => see(Value::Bool(*value)),
        AnyValue::Int(value) => see(Value::Int(*value)),
        AnyValue::Double(value) => see(Value::Float(*value)),
        AnyValue::Bytes(bytes) => see(Value::Bytes(bytes)),
        AnyValue::Empty => see(Value::Nil),
        AnyValue::Array(_) | AnyValue::Map(_) => {
            buffer.clear();
            put_any_value(buffer, value);
            see(any_value(buffer).map_or(Value::Nil, Value::of_attribute));
        }
    }
}

fn parent(span: &Span) -> ParentId {
    let id = &span.parent_span_id;
    if id.iter().all(|byte| *byte == 0) {
        return ParentId::Root;
    }
    <[u8; 8]>::try_from(&**id).map_or(ParentId::Other, |id| ParentId::Id(u64::from_be_bytes(id)))
}

fn duration(span: &Span) -> u64 {
    span.end_time_unix_nano.saturating_sub(span.start_time_unix_nano)
}

fn hex<'t>(bytes: &[u8], text: &'t mut String) -> Value<'t> {
    text.clear();
    for byte in bytes {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    Value::Text(text.as_bytes())
}
