//! A trace as the JSON of Jaeger's page: ids in hexadecimal, times in microseconds, tags with types, processes apart.

use std::collections::HashMap;

use spanloom_span::encode;
use spanloom_span::model::{ResourceSpans, Trace};

use super::process::Process;
use super::span::{JaegerSpan, Log, OutReference};
use super::tag::{OutTag, TagValue};
use super::{each_span, process_of, trace_id_text};
use crate::json_out::{Object, base64, double, integer, list, string};

/// Integers beyond this are text, since JavaScript keeps numbers as doubles.
const SAFE_INTEGER: u64 = (1 << 53) - 1;

/// Appends a trace. `warnings` are of the trace as a whole.
pub fn trace_json(out: &mut Vec<u8>, trace: &Trace, warnings: &[&str]) {
    let mut processes = Processes::default();
    let mut o = Object::begin(out);
    let id = trace.spans().next().map(|span| span.trace_id).unwrap_or_default();
    string(o.key("traceID"), &trace_id_text(&id));
    let out = o.key("spans");
    out.push(b'[');
    let mut is_first = true;
    each_span(trace, |resource_spans, span| {
        if !std::mem::take(&mut is_first) {
            out.push(b',');
        }
        put_span(out, &span, processes.number(resource_spans));
    });
    out.push(b']');
    o.object("processes", |o| {
        for (number, resource_spans) in (1..).zip(&processes.known) {
            o.object(&format!("p{number}"), |o| put_process(o, &process_of(resource_spans)));
        }
    });
    put_warnings(&mut o, warnings);
    o.end();
}

/// Processes that differ, in order of appearance.
#[derive(Default)]
struct Processes<'a> {
    known: Vec<&'a ResourceSpans>,
    /// By the bytes of the resource.
    numbers: HashMap<Vec<u8>, usize>,
    /// The one asked for last.
    last: Option<(*const ResourceSpans, usize)>,
}

impl<'a> Processes<'a> {
    /// From 1.
    fn number(&mut self, resource_spans: &'a ResourceSpans) -> usize {
        if let Some((last, number)) = self.last
            && std::ptr::eq(last, resource_spans)
        {
            return number;
        }
        let mut bytes = Vec::new();
        encode::put_resource(&mut bytes, &resource_spans.resource);
        let next = self.known.len() + 1;
        let number = *self.numbers.entry(bytes).or_insert(next);
        if number == next {
            self.known.push(resource_spans);
        }
        self.last = Some((resource_spans, number));
        number
    }
}

fn put_span(out: &mut Vec<u8>, span: &JaegerSpan<'_>, process: usize) {
    let mut o = Object::begin(out);
    string(o.key("traceID"), &trace_id_text(&span.trace_id));
    string(o.key("spanID"), &span.span_id.to_string());
    o.integer("flags", span.flags);
    string(o.key("operationName"), span.name);
    list(o.key("references"), &span.references, put_reference);
    integer(o.key("startTime"), span.start / 1000);
    integer(o.key("duration"), span.duration / 1000);
    list(o.key("tags"), &span.tags, put_tag);
    list(o.key("logs"), &span.logs, put_log);
    string(o.key("processID"), &format!("p{process}"));
    put_warnings(&mut o, &span.warnings);
    o.end();
}

fn put_reference(out: &mut Vec<u8>, reference: &OutReference) {
    let mut o = Object::begin(out);
    string(o.key("refType"), reference.kind.json_name());
    string(o.key("traceID"), &trace_id_text(&reference.trace_id));
    string(o.key("spanID"), &reference.span_id.to_string());
    o.end();
}

fn put_log(out: &mut Vec<u8>, log: &Log<'_>) {
    let mut o = Object::begin(out);
    integer(o.key("timestamp"), log.time / 1000);
    list(o.key("fields"), &log.fields, put_tag);
    o.end();
}

fn put_tag(out: &mut Vec<u8>, tag: &OutTag<'_>) {
    let mut o = Object::begin(out);
    string(o.key("key"), tag.key);
    let kind = match &tag.value {
        TagValue::Str(_) => "string",
        TagValue::Bool(_) => "bool",
        TagValue::Int(_) => "int64",
        TagValue::Double(_) => "float64",
        TagValue::Bytes(_) => "binary",
    };
    string(o.key("type"), kind);
    let out = o.key("value");
    match &tag.value {
        TagValue::Str(text) => string(out, text),
        TagValue::Bool(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
        TagValue::Int(value) if value.unsigned_abs() > SAFE_INTEGER => string(out, &value.to_string()),
        TagValue::Int(value) => integer(out, *value),
        TagValue::Double(value) => double(out, *value),
        TagValue::Bytes(bytes) => base64(out, bytes),
    }
    o.end();
}

fn put_process(o: &mut Object<'_>, process: &Process<'_>) {
    string(o.key("serviceName"), process.service);
    list(o.key("tags"), &process.tags, put_tag);
}

fn put_warnings(o: &mut Object<'_>, warnings: &[&str]) {
    let out = o.key("warnings");
    match warnings {
        [] => out.extend_from_slice(b"null"),
        _ => list(out, warnings, |out, warning| string(out, warning)),
    }
}
