//! What a field of TraceQL is in a span, worked out from the rebuilt model: slowly, and as `docs/TRACEQL.md` says.

use spanloom_span::model::*;
use spanloom_traceql::ast::{Attribute, Field, Intrinsic, Scope as In};
use spanloom_traceql::eval::{Identity, ParentId};
use spanloom_traceql::value::Value;

/// A value with its type.
pub type Typed = (&'static str, AnyValue);

/// A value as it can be compared.
pub fn typed(value: Value<'_>) -> Typed {
    let name = match value {
        Value::Nil => "nil",
        Value::Bool(_) => "bool",
        Value::Int(_) => "int",
        Value::Float(_) => "float",
        Value::Text(_) => "text",
        Value::Duration(_) => "duration",
        Value::Status(_) => "status",
        Value::Kind(_) => "kind",
        Value::Array(_) => "array",
        Value::Map(_) => "map",
        Value::Bytes(_) => "bytes",
    };
    (name, value.to_any())
}

/// A span with what it belongs to.
#[derive(Clone, Copy)]
pub struct Seen<'a> {
    pub resource: &'a Resource,
    pub scope: &'a Scope,
    pub span: &'a Span,
}

/// The spans of a trace in order.
pub fn spans(trace: &Trace) -> Vec<Seen<'_>> {
    let mut out = Vec::new();
    for ResourceSpans { resource, scope_spans, .. } in &trace.resource_spans {
        for ScopeSpans { scope, spans, .. } in scope_spans {
            out.extend(spans.iter().map(|span| Seen { resource, scope, span }));
        }
    }
    out
}

/// The value of a key: that of its first attribute, if it has one.
fn get(attributes: &[KeyValue], key: &str) -> Option<Typed> {
    let found = &attributes.iter().find(|attribute| attribute.key == key)?.value;
    Some(match found {
        AnyValue::Empty => return None,
        AnyValue::Str(_) => ("text", found.clone()),
        AnyValue::Bool(_) => ("bool", found.clone()),
        AnyValue::Int(_) => ("int", found.clone()),
        AnyValue::Double(_) => ("float", found.clone()),
        AnyValue::Array(_) => ("array", found.clone()),
        AnyValue::Map(_) => ("map", found.clone()),
        AnyValue::Bytes(_) => ("bytes", found.clone()),
    })
}

fn in_scope(seen: Seen<'_>, scope: In, key: &str) -> Vec<Typed> {
    let list = |attributes: &[KeyValue]| get(attributes, key).into_iter().collect::<Vec<_>>();
    match scope {
        In::Span => list(&seen.span.attributes),
        In::Resource => list(&seen.resource.attributes),
        In::Event => seen.span.events.iter().filter_map(|event| get(&event.attributes, key)).collect(),
        In::Link => seen.span.links.iter().filter_map(|link| get(&link.attributes, key)).collect(),
        In::Instrumentation => list(&seen.scope.attributes),
    }
}

fn hex(bytes: &[u8]) -> Typed {
    text(&bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

fn text(text: &str) -> Typed {
    ("text", AnyValue::Str(text.to_owned()))
}

/// Whether a parent id is that of a root.
pub fn is_root(span: &Span) -> bool {
    span.parent_span_id.iter().all(|&byte| byte == 0)
}

/// The values of a field in a span; nil once when there are none.
pub fn values(seen: Seen<'_>, field: &Field) -> Vec<Typed> {
    let span = seen.span;
    let found = match field {
        Field::Attribute(Attribute { parent: true, .. }) => vec![],
        Field::Attribute(Attribute { scope: Some(scope), name, .. }) => in_scope(seen, *scope, name),
        Field::Attribute(Attribute { scope: None, name, .. }) => {
            let scopes = [In::Span, In::Resource, In::Event, In::Link, In::Instrumentation];
            let found =
                scopes.iter().map(|&scope| in_scope(seen, scope, name)).find(|found| !found.is_empty());
            found.unwrap_or_default()
        }
        Field::Intrinsic(intrinsic) => match intrinsic {
            Intrinsic::Duration => {
                let (start, end) = (span.start_time_unix_nano, span.end_time_unix_nano);
                let nanos = i64::try_from(end.saturating_sub(start));
                vec![typed(Value::Duration(nanos.unwrap_or(i64::MAX)))]
            }
            Intrinsic::Name => vec![text(&span.name)],
            Intrinsic::Status => vec![typed(Value::Status(span.status.code))],
            Intrinsic::StatusMessage => vec![text(&span.status.message)],
            Intrinsic::Kind => vec![typed(Value::Kind(span.kind))],
            Intrinsic::TraceId => vec![hex(&span.trace_id.0)],
            Intrinsic::SpanId => vec![hex(&span.span_id.0)],
            Intrinsic::ParentId if is_root(span) => vec![],
            Intrinsic::ParentId => vec![hex(&span.parent_span_id)],
            Intrinsic::EventName => span.events.iter().map(|event| text(&event.name)).collect(),
            Intrinsic::EventTimeSinceStart => {
                let since = |event: &Event| {
                    let since = event.time_unix_nano.wrapping_sub(span.start_time_unix_nano);
                    typed(Value::Duration(since as i64))
                };
                span.events.iter().map(since).collect()
            }
            Intrinsic::LinkTraceId => span.links.iter().map(|link| hex(&link.trace_id)).collect(),
            Intrinsic::LinkSpanId => span.links.iter().map(|link| hex(&link.span_id)).collect(),
            Intrinsic::InstrumentationName => vec![text(&seen.scope.name)],
            Intrinsic::InstrumentationVersion => vec![text(&seen.scope.version)],
            _ => vec![],
        },
    };
    if found.is_empty() { vec![("nil", AnyValue::Empty)] } else { found }
}

/// Every attribute of a span's resource and of the span, of each key the first.
pub fn attributes(seen: Seen<'_>) -> Vec<(&'static str, Vec<u8>, Typed)> {
    let mut out = Vec::new();
    for (scope, attributes) in [("resource", &seen.resource.attributes), ("span", &seen.span.attributes)] {
        for (at, KeyValue { key, .. }) in attributes.iter().enumerate() {
            if !attributes[..at].iter().any(|before| before.key == *key) {
                let value = get(attributes, key).unwrap_or(("nil", AnyValue::Empty));
                out.push((scope, key.clone().into(), value));
            }
        }
    }
    out
}

/// What tells a span from others.
pub fn identity(span: &Span) -> Identity {
    Identity {
        id: u64::from_be_bytes(span.span_id.0),
        kind: span.kind,
        parent: match <[u8; 8]>::try_from(&span.parent_span_id[..]) {
            _ if is_root(span) => ParentId::Root,
            Ok(id) => ParentId::Id(u64::from_be_bytes(id)),
            Err(_) => ParentId::Other,
        },
        start: span.start_time_unix_nano,
        duration: span.end_time_unix_nano.saturating_sub(span.start_time_unix_nano),
    }
}

/// The service of a span.
pub fn service(seen: Seen<'_>) -> String {
    match get(&seen.resource.attributes, "service.name") {
        Some((_, AnyValue::Str(name))) => name,
        _ => String::new(),
    }
}

/// Every intrinsic that a block alone knows.
pub const LOCAL: [Intrinsic; 14] = [
    Intrinsic::Duration,
    Intrinsic::Name,
    Intrinsic::Status,
    Intrinsic::StatusMessage,
    Intrinsic::Kind,
    Intrinsic::TraceId,
    Intrinsic::SpanId,
    Intrinsic::ParentId,
    Intrinsic::EventName,
    Intrinsic::EventTimeSinceStart,
    Intrinsic::LinkTraceId,
    Intrinsic::LinkSpanId,
    Intrinsic::InstrumentationName,
    Intrinsic::InstrumentationVersion,
];

/// All local intrinsics, and keys in every scope and in none.
pub fn fields(keys: &[&str]) -> Vec<Field> {
    let scopes = [
        None,
        Some(In::Span),
        Some(In::Resource),
        Some(In::Event),
        Some(In::Link),
        Some(In::Instrumentation),
    ];
    let mut out: Vec<Field> = LOCAL.into_iter().map(Field::Intrinsic).collect();
    for key in keys {
        for scope in scopes {
            out.push(Field::Attribute(Attribute { parent: false, scope, name: (*key).to_owned() }));
        }
    }
    out
}
