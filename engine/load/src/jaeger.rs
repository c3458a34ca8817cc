//! Requests as the datagrams of a Jaeger client: `Agent.emitBatch` in compact Thrift, one process each.
//! Sources: `agent.thrift`, `jaeger.thrift` of jaeger-idl; the OpenTelemetry specification, "Jaeger exporter".

use spanloom_span::decode;
use spanloom_span::model::{AnyValue, Event, KeyValue, Span};
use spanloom_span::proto::{ProtoError, Reader, Value};
use spanloom_wire::thrift::{MessageKind, Protocol, Type, Writer};

/// Tag types of `jaeger.thrift`.
const STRING: i32 = 0;
const DOUBLE: i32 = 1;
const BOOL: i32 = 2;
const LONG: i32 = 3;
const BINARY: i32 = 4;

/// Bytes of a datagram beside its spans and its process, at most.
const FRAME: usize = 64;

/// The datagrams of an `ExportTraceServiceRequest`, each of at most `most` bytes unless one span alone takes more,
/// with the number of its spans.
pub fn datagrams(request: &[u8], most: usize) -> Result<Vec<(Vec<u8>, u64)>, ProtoError> {
    let mut out = Vec::new();
    for resource_spans in messages(request, 1)? {
        let mut attributes = Vec::new();
        for resource in messages(resource_spans, 1)? {
            attributes.extend(decode::resource(resource)?.attributes);
        }
        let process = process(&attributes);
        let mut spans = Vec::new();
        let mut count = 0;
        for scope_spans in messages(resource_spans, 2)? {
            let mut scope = None;
            for message in messages(scope_spans, 1)? {
                scope = Some(decode::scope(message)?);
            }
            let name = scope.map_or(String::new(), |scope| scope.name);
            for message in messages(scope_spans, 2)? {
                let span = span(&decode::span(message)?, &name);
                if count > 0 && FRAME + process.len() + spans.len() + span.len() > most {
                    out.push((emit_batch(&process, &spans, count), count as u64));
                    (spans, count) = (Vec::new(), 0);
                }
                spans.extend(span);
                count += 1;
            }
        }
        if count > 0 {
            out.push((emit_batch(&process, &spans, count), count as u64));
        }
    }
    Ok(out)
}

/// The fields of a message that have that number and are messages.
fn messages(body: &[u8], number: u32) -> Result<Vec<&[u8]>, ProtoError> {
    let mut reader = Reader::new(body);
    let mut out = Vec::new();
    while let Some((field, value)) = reader.next()? {
        if let (true, Value::Bytes(message)) = (field == number, value) {
            out.push(message);
        }
    }
    Ok(out)
}

fn emit_batch(process: &[u8], spans: &[u8], count: usize) -> Vec<u8> {
    let mut out = Writer::new(Protocol::Compact);
    out.message("emitBatch", MessageKind::OneWay, 0);
    out.structure(|out| {
        out.struct_field(1, |out| {
            out.field(1, Type::Struct);
            out.written(process);
            out.field(2, Type::List);
            out.list(Type::Struct, count);
            out.written(spans);
        });
    });
    out.into_bytes()
}

fn process(attributes: &[KeyValue]) -> Vec<u8> {
    let service = attributes.iter().find(|attribute| attribute.key == "service.name");
    let tags: Vec<&KeyValue> = attributes.iter().filter(|one| one.key != "service.name").collect();
    let mut out = Writer::new(Protocol::Compact);
    out.structure(|out| {
        if let Some(KeyValue { value: AnyValue::Str(name), .. }) = service {
            out.bytes_field(1, name.as_bytes());
        }
        out.structs_field(2, &tags, |out, attribute| tag(out, &attribute.key, &attribute.value));
    });
    out.into_bytes()
}

fn span(span: &Span, scope: &str) -> Vec<u8> {
    let id = |bytes: &[u8]| bytes.iter().fold(0u64, |id, byte| id << 8 | u64::from(*byte)) as i64;
    let (high, low) = span.trace_id.0.split_at(8);
    let text = |key: &str, value: &str| KeyValue { key: key.into(), value: AnyValue::Str(value.into()) };
    let mut more = Vec::new();
    if let Some(kind) = ["internal", "server", "client", "producer", "consumer"].get(span.kind as usize - 1) {
        more.push(text("span.kind", kind));
    }
    if !scope.is_empty() {
        more.push(text("otel.scope.name", scope));
    }
    if span.status.code == 2 {
        more.push(KeyValue { key: "error".into(), value: AnyValue::Bool(true) });
        more.push(text("otel.status_description", &span.status.message));
    }
    let tags: Vec<&KeyValue> = span.attributes.iter().chain(&more).collect();
    let mut out = Writer::new(Protocol::Compact);
    out.structure(|out| {
        out.i64_field(1, id(low));
        out.i64_field(2, id(high));
        out.i64_field(3, id(&span.span_id.0));
        out.i64_field(4, id(&span.parent_span_id));
        out.bytes_field(5, span.name.as_bytes());
        if !span.links.is_empty() {
            out.structs_field(6, &span.links, |out, link| {
                let (high, low) = link.trace_id.split_at(link.trace_id.len() / 2);
                out.i32_field(1, 1);
                out.i64_field(2, id(low));
                out.i64_field(3, id(high));
                out.i64_field(4, id(&link.span_id));
            });
        }
        out.i32_field(7, 1);
        out.i64_field(8, (span.start_time_unix_nano / 1000) as i64);
        let duration = span.end_time_unix_nano.saturating_sub(span.start_time_unix_nano);
        out.i64_field(9, (duration / 1000) as i64);
        out.structs_field(10, &tags, |out, attribute| tag(out, &attribute.key, &attribute.value));
        if !span.events.is_empty() {
            out.structs_field(11, &span.events, log);
        }
    });
    out.into_bytes()
}

fn log(out: &mut Writer, event: &Event) {
    let name = KeyValue { key: "event".into(), value: AnyValue::Str(event.name.clone()) };
    let fields: Vec<&KeyValue> = std::iter::once(&name).chain(&event.attributes).collect();
    out.i64_field(1, (event.time_unix_nano / 1000) as i64);
    out.structs_field(2, &fields, |out, attribute| tag(out, &attribute.key, &attribute.value));
}

fn tag(out: &mut Writer, key: &str, value: &AnyValue) {
    out.bytes_field(1, key.as_bytes());
    let mut kind = |kind| out.i32_field(2, kind);
    match value {
        AnyValue::Str(text) => {
            kind(STRING);
            out.bytes_field(3, text.as_bytes());
        }
        AnyValue::Double(number) => {
            kind(DOUBLE);
            out.double_field(4, *number);
        }
        AnyValue::Bool(truth) => {
            kind(BOOL);
            out.bool_field(5, *truth);
        }
        AnyValue::Int(number) => {
            kind(LONG);
            out.i64_field(6, *number);
        }
        AnyValue::Bytes(bytes) => {
            kind(BINARY);
            out.bytes_field(7, bytes);
        }
        // Jaeger knows no lists or maps; exporters write them as text.
        other => {
            kind(STRING);
            out.bytes_field(3, format!("{other:?}").as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generator::{Generator, GeneratorOptions};
    use crate::profile::Profile;
    use crate::sample::Sample;

    #[test]
    fn every_span_is_in_one_datagram_of_bounded_size() {
        let mut generator = Generator::with(GeneratorOptions::new(Profile::Default, 3), Sample::new(0).1);
        for most in [1_000, 8_000, 65_000] {
            let request = generator.next().unwrap();
            let datagrams = datagrams(&request.bytes, most).unwrap();
            let spans: u64 = datagrams.iter().map(|(_, spans)| spans).sum();
            assert_eq!(spans, request.spans.len() as u64);
            for (datagram, spans) in &datagrams {
                assert!(datagram.len() <= most || *spans == 1, "{} bytes of {most}", datagram.len());
            }
            assert!(most > 1_000 || datagrams.len() > 20, "{}", datagrams.len());
        }
    }
}
