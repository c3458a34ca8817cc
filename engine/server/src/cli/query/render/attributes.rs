//! What a span carries, a line for each: its id and start, kind, status, attributes, events and links.

use spanloom_span::model::{AnyValue, KeyValue, Resource, Span};
use spanloom_span::proto::ProtoError;

use super::super::spans::Row;
use super::number::{duration, moment};
use super::text::escape;

/// Deepest nesting of a value that is written out.
const DEEPEST: usize = 16;

/// All of a span.
pub fn of_span(row: &Row) -> Vec<String> {
    let span = match row.whole() {
        Ok(span) => span,
        Err(error) => return vec![format!("cannot be read: {error}")],
    };
    let mut out = vec![format!("id={} start={}", row.id(), moment(row.start(), 9))];
    out.extend(words(&span));
    out.extend(span.attributes.iter().map(pair));
    let below = |of: &KeyValue| format!("  {}", pair(of));
    for event in &span.events {
        let after = duration(event.time_unix_nano.saturating_sub(row.start()));
        out.push(format!("event +{after} {}", escape(&event.name)));
        out.extend(event.attributes.iter().map(below));
    }
    for link in &span.links {
        out.push(format!("link to trace {} span {}", hex(&link.trace_id), hex(&link.span_id)));
        out.extend(link.attributes.iter().map(below));
    }
    out
}

/// The attributes of a resource.
pub fn of_resource(resource: Result<Resource, ProtoError>) -> Vec<String> {
    match resource {
        Ok(resource) => resource.attributes.iter().map(|of| format!("resource.{}", pair(of))).collect(),
        Err(error) => vec![format!("its resource cannot be read: {error}")],
    }
}

/// Kind and status, where they say something.
fn words(span: &Span) -> Vec<String> {
    let mut out = Vec::new();
    match span.kind {
        0 => {}
        1 => out.push("kind=internal".to_owned()),
        2 => out.push("kind=server".to_owned()),
        3 => out.push("kind=client".to_owned()),
        4 => out.push("kind=producer".to_owned()),
        5 => out.push("kind=consumer".to_owned()),
        other => out.push(format!("kind={other}")),
    }
    let message = match span.status.message.as_str() {
        "" => String::new(),
        message => format!(": {}", escape(message)),
    };
    match span.status.code {
        0 if message.is_empty() => {}
        0 => out.push(format!("status=unset{message}")),
        1 => out.push(format!("status=ok{message}")),
        2 => out.push(format!("status=error{message}")),
        other => out.push(format!("status={other}{message}")),
    }
    out
}

fn pair(of: &KeyValue) -> String {
    format!("{}={}", escape(&of.key), value(&of.value, 0))
}

/// A value as text; what lies deeper than [`DEEPEST`] is left out.
fn value(of: &AnyValue, depth: usize) -> String {
    if depth > DEEPEST {
        return "…".to_owned();
    }
    match of {
        AnyValue::Empty => "nil".to_owned(),
        AnyValue::Str(text) => escape(text).into_owned(),
        AnyValue::Bool(value) => value.to_string(),
        AnyValue::Int(value) => value.to_string(),
        AnyValue::Double(value) => value.to_string(),
        AnyValue::Bytes(bytes) => format!("0x{}", hex(bytes)),
        AnyValue::Array(values) => {
            let values: Vec<String> = values.iter().map(|of| value(of, depth + 1)).collect();
            format!("[{}]", values.join(", "))
        }
        AnyValue::Map(pairs) => {
            let pair = |of: &KeyValue| format!("{}: {}", escape(&of.key), value(&of.value, depth + 1));
            format!("{{{}}}", pairs.iter().map(pair).collect::<Vec<_>>().join(", "))
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
