//! A request as text, so that a person can read what a golden file became.

use std::fmt::Write;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;

pub fn request(request: &ExportTraceServiceRequest) -> String {
    let mut out = String::new();
    for resource in &request.resource_spans {
        writeln!(out, "resource").unwrap();
        attributes(&mut out, 1, &resource.resource.as_ref().unwrap().attributes);
        for scope in &resource.scope_spans {
            let (name, version) =
                scope.scope.as_ref().map_or(("", ""), |scope| (&*scope.name, &*scope.version));
            writeln!(out, "  scope {name:?} {version:?}").unwrap();
            scope.spans.iter().for_each(|span| span_lines(&mut out, span));
        }
    }
    out
}

fn span_lines(out: &mut String, span: &Span) {
    let (trace, id, parent) = (hex(&span.trace_id), hex(&span.span_id), hex(&span.parent_span_id));
    writeln!(out, "    span {trace} {id} parent {parent:?} {:?} {:?}", span.name, span.kind()).unwrap();
    writeln!(out, "      {} to {}", span.start_time_unix_nano, span.end_time_unix_nano).unwrap();
    let dropped = [span.dropped_attributes_count, span.dropped_events_count, span.dropped_links_count];
    writeln!(out, "      state {:?} flags {} dropped {dropped:?}", span.trace_state, span.flags).unwrap();
    if let Some(status) = &span.status {
        writeln!(out, "      {:?} {:?}", status.code(), status.message).unwrap();
    }
    attributes(out, 3, &span.attributes);
    for event in &span.events {
        let dropped = event.dropped_attributes_count;
        writeln!(out, "      event {} {:?} dropped {dropped}", event.time_unix_nano, event.name).unwrap();
        attributes(out, 4, &event.attributes);
    }
    for link in &span.links {
        writeln!(out, "      link {} {}", hex(&link.trace_id), hex(&link.span_id)).unwrap();
        attributes(out, 4, &link.attributes);
    }
}

fn attributes(out: &mut String, level: usize, list: &[KeyValue]) {
    for pair in list {
        writeln!(out, "{}{} = {}", "  ".repeat(level), pair.key, value(pair.value.as_ref())).unwrap();
    }
}

pub fn value(value: Option<&AnyValue>) -> String {
    match value.and_then(|any| any.value.as_ref()) {
        None => "nothing".to_owned(),
        Some(Value::StringValue(v)) => format!("{v:?}"),
        Some(Value::BoolValue(v)) => v.to_string(),
        Some(Value::IntValue(v)) => v.to_string(),
        Some(Value::DoubleValue(v)) => format!("{v:?}"),
        Some(Value::BytesValue(v)) => format!("bytes {}", hex(v)),
        Some(Value::ArrayValue(list)) => {
            let items: Vec<String> = list.values.iter().map(|v| self::value(Some(v))).collect();
            format!("[{}]", items.join(", "))
        }
        Some(other) => format!("{other:?}"),
    }
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
