//! A trace as an answer in few words, for language models (`application/vnd.grafana.llm`): grouped by service,
//! ids in hexadecimal, attributes as plain JSON.

use spanloom_span::model::{AnyValue, Event, Link, Resource, Span, Trace};

use crate::json_out::{Object, double, hex};
use crate::trace_json::{TraceReport, kind_name, plain_attributes, put_report, status_name};

/// The answer of `/api/v2/traces/{id}` for language models.
pub fn v2(trace: &Trace, report: &TraceReport<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(256 + trace.span_count() * 512);
    let mut top = Object::begin(&mut out);
    top.object("trace", |o| {
        if let Some(span) = trace.spans().next() {
            quoted_hex(o.key("traceId"), &span.trace_id.0);
        }
        o.list("services", &trace.resource_spans, |o, one| {
            o.text("serviceName", service(&one.resource));
            plain_attributes(o, "resource", &one.resource.attributes);
            o.list("scopes", &one.scope_spans, |o, one| {
                o.text("name", &one.scope.name);
                o.text("version", &one.scope.version);
                o.list("spans", &one.spans, span);
            });
        });
    });
    put_report(&mut top, report);
    top.end();
    out
}

fn service(resource: &Resource) -> &str {
    let name = resource.attributes.iter().find(|attribute| attribute.key == "service.name");
    match name.map(|attribute| &attribute.value) {
        Some(AnyValue::Str(name)) => name,
        _ => "",
    }
}

fn span(o: &mut Object<'_>, span: &Span) {
    quoted_hex(o.key("spanId"), &span.span_id.0);
    o.text("name", &span.name);
    if !span.parent_span_id.is_empty() {
        quoted_hex(o.key("parentSpanId"), &span.parent_span_id);
    }
    o.named("kind", span.kind, kind_name);
    o.quoted_integer("startTimeUnixNano", span.start_time_unix_nano);
    o.quoted_integer("endTimeUnixNano", span.end_time_unix_nano);
    // A span may end before it starts; then the duration is negative rather than huge.
    let nanos = i128::from(span.end_time_unix_nano) - i128::from(span.start_time_unix_nano);
    double(o.key("durationMs"), nanos as f64 / 1e6);
    plain_attributes(o, "attributes", &span.attributes);
    o.list("events", &span.events, event);
    o.list("links", &span.links, link);
    o.object("status", |o| {
        o.named("code", span.status.code, status_name);
        o.text("message", &span.status.message);
    });
}

fn event(o: &mut Object<'_>, event: &Event) {
    o.text("name", &event.name);
    o.quoted_integer("timeUnixNano", event.time_unix_nano);
    plain_attributes(o, "attributes", &event.attributes);
}

fn link(o: &mut Object<'_>, link: &Link) {
    quoted_hex(o.key("traceId"), &link.trace_id);
    quoted_hex(o.key("spanId"), &link.span_id);
    plain_attributes(o, "attributes", &link.attributes);
}

fn quoted_hex(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    hex(out, bytes);
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use spanloom_span::model::{KeyValue, ResourceSpans, Scope, ScopeSpans, Status};
    use spanloom_span::{SpanId, TraceId};

    #[test]
    fn a_trace_in_few_words() {
        let attribute = |key: &str, value| KeyValue { key: key.into(), value };
        let span = Span {
            trace_id: TraceId([1; 16]),
            span_id: SpanId([2; 8]),
            parent_span_id: vec![3; 8],
            name: "get".into(),
            kind: 2,
            start_time_unix_nano: 1_000_000,
            end_time_unix_nano: 3_500_000,
            attributes: vec![
                attribute("n", AnyValue::Int(5)),
                attribute("n", AnyValue::Int(6)),
                attribute("list", AnyValue::Array(vec![AnyValue::Bool(true), AnyValue::Empty])),
                attribute("map", AnyValue::Map(vec![attribute("d", AnyValue::Double(0.5))])),
            ],
            events: vec![Event { name: "e".into(), time_unix_nano: 9, ..Event::default() }],
            links: vec![Link { trace_id: vec![4; 2], span_id: vec![5], ..Link::default() }],
            status: Status { code: 2, message: "bad".into(), ..Status::default() },
            ..Span::default()
        };
        let scope = Scope { name: "lib".into(), ..Scope::default() };
        let resource = Resource {
            attributes: vec![attribute("service.name", AnyValue::Str("shop".into()))],
            ..Resource::default()
        };
        let scope_spans = vec![ScopeSpans { scope, spans: vec![span], ..ScopeSpans::default() }];
        let trace = Trace {
            resource_spans: vec![ResourceSpans { resource, scope_spans, ..ResourceSpans::default() }],
        };
        let got = String::from_utf8(v2(&trace, &TraceReport::default())).unwrap();
        let expected = r#"{"trace":{"traceId":"01010101010101010101010101010101","services":[{
            "serviceName":"shop","resource":{"service.name":"shop"},"scopes":[{"name":"lib","spans":[{
            "spanId":"0202020202020202","name":"get","parentSpanId":"0303030303030303","kind":"SPAN_KIND_SERVER",
            "startTimeUnixNano":"1000000","endTimeUnixNano":"3500000","durationMs":2.5,
            "attributes":{"n":5,"list":[true,null],"map":{"d":0.5}},
            "events":[{"name":"e","timeUnixNano":"9","attributes":{}}],
            "links":[{"traceId":"0404","spanId":"05","attributes":{}}],
            "status":{"code":"STATUS_CODE_ERROR","message":"bad"}}]}]}]},"metrics":{}}"#;
        let expected: String = expected.split('\n').map(str::trim_start).collect();
        assert_eq!(got, expected);
    }
}
