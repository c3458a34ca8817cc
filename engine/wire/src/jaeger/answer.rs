//! The JSON that jaeger-query answers with, around the spans: names, dependencies, series, errors.
//!
//! Shapes of `/api` are those of Jaeger's `http_handler.go` and `model/json`, those of `/api/v3` of
//! `api_v3/query_service.proto` in protobuf's JSON, those of `/api/metrics` of `openmetrics.proto`; looked up in
//! <https://github.com/jaegertracing/jaeger> (Apache-2.0).

use spanloom_span::TraceId;

use super::out::trace_id_text;
use super::query::{Dependency, Operation, Summary};
use crate::json_out::{Object, double, integer, list, string};
use crate::rfc3339;

/// Something that could not be answered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trouble {
    /// The HTTP status; 0 where a part of an answer is meant.
    pub code: u16,
    /// What it is.
    pub message: String,
    /// Which trace it is about.
    pub trace: Option<TraceId>,
}

/// `{"data":…,"total":0,"limit":0,"offset":0,"errors":null}`.
pub fn envelope(total: usize, errors: &[Trouble], data: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    let mut o = Object::begin(&mut out);
    data(o.key("data"));
    integer(o.key("total"), total as u64);
    integer(o.key("limit"), 0);
    integer(o.key("offset"), 0);
    match errors {
        [] => o.key("errors").extend_from_slice(b"null"),
        _ => list(o.key("errors"), errors, put_trouble),
    }
    o.end();
    out
}

fn put_trouble(out: &mut Vec<u8>, trouble: &Trouble) {
    let mut o = Object::begin(out);
    o.integer("code", trouble.code.into());
    string(o.key("msg"), &trouble.message);
    if let Some(trace) = &trouble.trace {
        string(o.key("traceID"), &trace_id_text(trace));
    }
    o.end();
}

/// An error of `/api`.
pub fn error(code: u16, message: &str) -> Vec<u8> {
    let trouble = Trouble { code, message: message.to_owned(), trace: None };
    envelope(0, &[trouble], |out| out.extend_from_slice(b"null"))
}

/// An error of `/api/v3`: `GRPCGatewayError`.
pub fn error_v3(code: u16, message: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut o = Object::begin(&mut out);
    o.object("error", |o| {
        o.integer("httpCode", code.into());
        string(o.key("message"), message);
    });
    o.end();
    out
}

/// The answer of `/api/services`, and of `/api/services/{service}/operations`.
pub fn names(names: &[String]) -> Vec<u8> {
    envelope(names.len(), &[], |out| list(out, names, |out, name| string(out, name)))
}

/// The answer of `/api/operations`.
pub fn operations(operations: &[Operation]) -> Vec<u8> {
    envelope(operations.len(), &[], |out| list(out, operations, put_operation))
}

fn put_operation(out: &mut Vec<u8>, operation: &Operation) {
    let mut o = Object::begin(out);
    string(o.key("name"), &operation.name);
    string(o.key("spanKind"), operation.kind);
    o.end();
}

/// The answer of `/api/dependencies`.
pub fn dependencies(links: &[Dependency], troubles: &[Trouble]) -> Vec<u8> {
    envelope(0, troubles, |out| {
        list(out, links, |out, link| {
            let mut o = Object::begin(out);
            string(o.key("parent"), &link.parent);
            string(o.key("child"), &link.child);
            integer(o.key("callCount"), link.calls);
            o.end();
        });
    })
}

/// The answer of `/api/v3/services`.
pub fn services_v3(names: &[String]) -> Vec<u8> {
    wrapped("services", |out| list(out, names, |out, name| string(out, name)))
}

/// The answer of `/api/v3/operations`.
pub fn operations_v3(operations: &[Operation]) -> Vec<u8> {
    wrapped("operations", |out| list(out, operations, put_operation))
}

/// The answer of `/api/v3/dependencies`.
pub fn dependencies_v3(links: &[Dependency]) -> Vec<u8> {
    wrapped("dependencies", |out| {
        list(out, links, |out, link| {
            let mut o = Object::begin(out);
            string(o.key("parent"), &link.parent);
            string(o.key("child"), &link.child);
            string(o.key("callCount"), &link.calls.to_string());
            o.end();
        });
    })
}

/// The answer of `/api/v3/traces`; `elements` are `ResourceSpans` with commas between.
pub fn traces_v3(elements: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(elements.len() + 40);
    out.extend_from_slice(br#"{"result":{"resourceSpans":["#);
    out.extend_from_slice(elements);
    out.extend_from_slice(b"]}}");
    out
}

/// The answer of `/api/v3/trace-summaries`.
pub fn summaries_v3(found: &[Summary]) -> Vec<u8> {
    wrapped("summaries", |out| list(out, found, put_summary))
}

fn put_summary(out: &mut Vec<u8>, one: &Summary) {
    let short = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
    let mut o = Object::begin(out);
    string(o.key("traceId"), &one.id.to_string());
    o.text("rootServiceName", &one.root_service);
    o.text("rootOperationName", &one.root_name);
    o.quoted_integer("minStartTimeUnixNano", one.start);
    o.quoted_integer("maxEndTimeUnixNano", one.end);
    o.integer("spanCount", short(one.spans));
    o.integer("errorSpanCount", short(one.errors));
    o.integer("orphanSpanCount", short(one.orphans));
    o.list("services", &one.services, |o, (name, spans, errors)| {
        string(o.key("name"), name);
        o.integer("spanCount", short(*spans));
        o.integer("errorSpanCount", short(*errors));
    });
    o.end();
}

fn wrapped(name: &str, write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    let mut o = Object::begin(&mut out);
    write(o.key(name));
    o.end();
    out
}

/// Values over time, of a service or of one of its operations.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Line {
    /// Of which service.
    pub service: String,
    /// Of which operation, if they are told apart.
    pub operation: Option<String>,
    /// Nanoseconds since 1970, and the value.
    pub points: Vec<(u64, f64)>,
}

/// The answer of `/api/metrics/…`: a `MetricFamily`.
pub fn metrics(name: &str, help: &str, lines: &[Line]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut o = Object::begin(&mut out);
    string(o.key("name"), name);
    string(o.key("type"), "GAUGE");
    string(o.key("help"), help);
    list(o.key("metrics"), lines, put_line);
    o.end();
    out
}

fn put_line(out: &mut Vec<u8>, line: &Line) {
    let operation = line.operation.as_deref().map(|name| ("operation", name));
    let labels: Vec<(&str, &str)> = operation.into_iter().chain([("service_name", &*line.service)]).collect();
    let mut o = Object::begin(out);
    list(o.key("labels"), &labels, |out, (name, value)| {
        let mut o = Object::begin(out);
        string(o.key("name"), name);
        string(o.key("value"), value);
        o.end();
    });
    list(o.key("metricPoints"), &line.points, |out, (time, value)| {
        let (seconds, nanos) = (time / 1_000_000_000, time % 1_000_000_000);
        let mut o = Object::begin(out);
        o.object("gaugeValue", |o| double(o.key("doubleValue"), *value));
        string(o.key("timestamp"), &rfc3339::format(seconds as i64, nanos as i32).unwrap_or_default());
        o.end();
    });
    o.end();
}

/// The answer of `/api/metrics/minstep`: milliseconds.
pub fn min_step(milliseconds: u64) -> Vec<u8> {
    envelope(0, &[], |out| integer(out, milliseconds))
}
