//! Whatever a client says comes out as the rules have it: the rules written a second time, on whole lists
//! instead of a stream, and compared for any batch in every form.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span as Otlp, Status};
use proptest::prelude::*;

use crate::model::{Batch, Log, Ref, Span, Tag, Val};
use crate::{FORMS, Form, ROOM, translate};

fn value() -> impl Strategy<Value = Val> {
    prop_oneof![
        prop_oneof![
            Just("true"),
            Just("ERROR"),
            Just("ok"),
            Just("client"),
            Just("server"),
            Just("404"),
            Just("x")
        ]
        .prop_map(|text| Val::Str(text.to_owned())),
        ".{0,200}".prop_map(Val::Str),
        any::<bool>().prop_map(Val::Bool),
        prop_oneof![any::<i64>(), Just(503), Just(200), 0..9i64].prop_map(Val::Int),
        prop_oneof![Just(500.0), Just(3.0), -1e9..1e9f64].prop_map(Val::Double),
        proptest::collection::vec(any::<u8>(), 0..9).prop_map(Val::Bytes),
    ]
}

const SPECIAL: [&str; 22] = [
    "span.kind",
    "error",
    "otel.status_code",
    "otel.status_description",
    "otel.scope.name",
    "otel.scope.version",
    "otel.library.name",
    "otel.library.version",
    "w3c.tracestate",
    "otel.dropped_attributes_count",
    "otel.dropped_events_count",
    "otel.dropped_links_count",
    "otel.event.dropped_attributes_count",
    "http.status_code",
    "http.status_message",
    "event",
    "message",
    "service.name",
    "hostname",
    "host.name",
    "jaeger.version",
    "opencensus.exporterversion",
];

fn tags() -> impl Strategy<Value = Vec<Tag>> {
    let key = prop_oneof![
        proptest::sample::select(&SPECIAL[..]).prop_map(str::to_owned),
        "[a-z.]{0,6}",
        Just("k".repeat(130)),
    ];
    proptest::collection::vec((key, value()), 0..8)
}

fn span() -> impl Strategy<Value = Span> {
    let trace = || prop_oneof![1u128..4, any::<u128>()].prop_filter("an id", |id| *id != 0);
    let reference = (any::<bool>(), prop_oneof![0u128..4, any::<u128>()], 0u64..4);
    let reference = reference.prop_map(|(child, trace, span)| Ref { child, trace, span });
    let micros = || prop_oneof![0..1i64 << 51, any::<i64>()];
    let log = (micros(), tags()).prop_map(|(micros, fields)| Log { micros, fields });
    let ids = (trace(), 1u64.., prop_oneof![Just(0u64), any::<u64>()], ".{0,9}");
    let times = (micros(), micros(), prop_oneof![Just(1u32), any::<u32>()]);
    let rest = (proptest::collection::vec(reference, 0..4), tags(), proptest::collection::vec(log, 0..3));
    (ids, times, rest).prop_map(
        |((trace, id, parent, name), (start, duration, flags), (refs, tags, logs))| Span {
            trace,
            id,
            parent,
            name,
            refs,
            flags,
            start,
            duration,
            tags,
            logs,
        },
    )
}

pub(crate) fn batch() -> impl Strategy<Value = Batch> {
    ("[a-z]{0,5}", tags(), proptest::collection::vec(span(), 0..6)).prop_map(|(service, tags, spans)| Batch {
        service,
        tags,
        spans,
    })
}

proptest! {
    #[test]
    fn every_batch_becomes_what_the_rules_say(batch in batch()) {
        let expected = sorted(expected(&batch));
        for form in FORMS {
            let bytes = match form {
                Form::Batch(protocol) => batch.thrift(protocol),
                Form::Datagram(protocol) => batch.datagram(protocol),
                Form::PostSpans => batch.proto(),
            };
            prop_assert_eq!(&sorted(translate(form, &bytes, ROOM).unwrap()), &expected, "{:?}", form);
        }
    }
}

fn any_value(value: &Val) -> AnyValue {
    let value = match value.clone() {
        Val::Str(v) => Value::StringValue(v),
        Val::Bool(v) => Value::BoolValue(v),
        Val::Int(v) => Value::IntValue(v),
        Val::Double(v) => Value::DoubleValue(v),
        Val::Bytes(v) => Value::BytesValue(v),
    };
    AnyValue { value: Some(value) }
}

fn pair(key: &str, value: &Val) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(any_value(value)), ..KeyValue::default() }
}

fn pairs(tags: &[Tag]) -> Vec<KeyValue> {
    tags.iter().map(|(key, value)| pair(key, value)).collect()
}

/// Takes the last tag of that key whose value says something.
fn take<T>(tags: &mut Vec<Tag>, key: &str, read: impl Fn(&Val) -> Option<T>) -> Option<T> {
    let at = tags.iter().rposition(|(k, value)| k == key && read(value).is_some())?;
    read(&tags.remove(at).1)
}

fn peek<T>(tags: &[Tag], key: &str, read: impl Fn(&Val) -> Option<T>) -> Option<T> {
    take(&mut tags.to_vec(), key, read)
}

fn as_text(value: &Val) -> Option<String> {
    match value {
        Val::Str(text) => Some(text.clone()),
        _ => None,
    }
}

fn as_count(value: &Val) -> Option<u32> {
    match value {
        Val::Int(v) => u32::try_from(*v).ok(),
        Val::Double(v) if v.fract() == 0.0 && (0.0..4294967296.0).contains(v) => Some(*v as u32),
        _ => None,
    }
}

fn as_kind(value: &Val) -> Option<i32> {
    let names = ["internal", "server", "client", "producer", "consumer"];
    let text = as_text(value)?.to_lowercase();
    names.iter().position(|name| *name == text).map(|at| at as i32 + 1)
}

fn as_code(value: &Val) -> Option<i32> {
    let text = as_text(value)?.to_lowercase();
    ["unset", "ok", "error"].iter().position(|name| *name == text).map(|at| at as i32)
}

fn as_http(value: &Val) -> Option<i64> {
    match value {
        Val::Str(text) => text.parse().ok(),
        Val::Int(v) => Some(*v),
        Val::Double(v) if v.fract() == 0.0 && v.abs() < 9e15 => Some(*v as i64),
        _ => None,
    }
}

fn status(tags: &mut Vec<Tag>, kind: i32) -> Option<Status> {
    let error = take(tags, "error", |value| {
        let says = matches!(value, Val::Bool(true))
            || as_text(value).is_some_and(|t| t.eq_ignore_ascii_case("true"));
        says.then_some(())
    });
    // Of the last attribute, whatever it says.
    let last = |tags: &[Tag], key: &str| tags.iter().rfind(|(k, _)| k == key).map(|(_, value)| value.clone());
    let http_message =
        last(tags, "http.status_message").and_then(|value| as_text(&value)).unwrap_or_default();
    let status = if error.is_some() {
        if peek(tags, "otel.status_code", as_code) == Some(2) {
            take(tags, "otel.status_code", as_code);
        }
        let message = take(tags, "otel.status_description", as_text).unwrap_or(http_message);
        Status { code: 2, message }
    } else if let Some(code) = take(tags, "otel.status_code", as_code) {
        Status { code, message: take(tags, "otel.status_description", as_text).unwrap_or_default() }
    } else {
        let code = last(tags, "http.status_code").and_then(|value| as_http(&value));
        let failed = code.is_some_and(|code| {
            let unset = if kind == 2 { 100..500 } else { 100..400 };
            !unset.contains(&code)
        });
        if failed { Status { code: 2, message: http_message } } else { Status::default() }
    };
    (status != Status::default()).then_some(status)
}

fn scope(tags: &mut Vec<Tag>) -> (String, String) {
    let mut one = |newer: &str, older: &str| {
        let name = take(tags, newer, as_text).or_else(|| peek(tags, older, as_text)).unwrap_or_default();
        if peek(tags, older, as_text).as_ref() == Some(&name) {
            take(tags, older, as_text);
        }
        name
    };
    (one("otel.scope.name", "otel.library.name"), one("otel.scope.version", "otel.library.version"))
}

fn nanos(micros: i128) -> u64 {
    u64::try_from((micros * 1000).max(0)).unwrap_or(u64::MAX)
}

fn event(log: &Log) -> Event {
    let mut fields = log.fields.clone();
    let first = |key: &str| fields.iter().position(|(k, value)| k == key && as_text(value).is_some());
    let name = first("event").map(|at| as_text(&fields.remove(at).1).unwrap());
    let message = fields.iter().rfind(|(key, _)| key == "message").and_then(|(_, value)| as_text(value));
    let counts = ["otel.event.dropped_attributes_count", "otel.dropped_attributes_count"];
    let dropped =
        fields.iter().position(|(key, value)| counts.contains(&&**key) && as_count(value).is_some());
    let dropped = dropped.and_then(|at| as_count(&fields.remove(at).1)).unwrap_or(0);
    Event {
        time_unix_nano: nanos(log.micros.into()),
        name: name.or(message).unwrap_or_default(),
        attributes: pairs(&fields),
        dropped_attributes_count: dropped,
    }
}

fn parent(span: &Span) -> u64 {
    let of =
        |child| span.refs.iter().find(move |r| r.child == child && r.trace == span.trace).map(|r| r.span);
    if span.parent != 0 { span.parent } else { of(true).or(of(false)).unwrap_or(0) }
}

fn links(span: &Span) -> Vec<Link> {
    let parent = parent(span);
    let others = span.refs.iter().filter(|r| !(r.child && r.span == parent && r.trace == span.trace));
    let link = |r: &Ref| {
        let kind = if r.child { "child_of" } else { "follows_from" };
        Link {
            trace_id: r.trace.to_be_bytes().to_vec(),
            span_id: r.span.to_be_bytes().to_vec(),
            attributes: vec![pair("opentracing.ref_type", &Val::Str(kind.to_owned()))],
            ..Link::default()
        }
    };
    others.map(link).collect()
}

fn otlp(span: &Span) -> ((String, String), Otlp) {
    let mut tags = span.tags.clone();
    let kind = take(&mut tags, "span.kind", as_kind).unwrap_or(0);
    let status = status(&mut tags, kind);
    let scope = scope(&mut tags);
    let trace_state = take(&mut tags, "w3c.tracestate", as_text).unwrap_or_default();
    let mut count = |key: String| take(&mut tags, &key, as_count).unwrap_or(0);
    let dropped = ["attributes", "events", "links"].map(|what| count(format!("otel.dropped_{what}_count")));
    if span.flags & !1 != 0 {
        tags.push(("jaeger.flags".to_owned(), Val::Int(span.flags.into())));
    }
    let parent = parent(span);
    let span = Otlp {
        trace_id: span.trace.to_be_bytes().to_vec(),
        span_id: span.id.to_be_bytes().to_vec(),
        parent_span_id: if parent == 0 { vec![] } else { parent.to_be_bytes().to_vec() },
        trace_state,
        flags: span.flags & 1,
        name: span.name.clone(),
        kind,
        start_time_unix_nano: nanos(span.start.into()),
        end_time_unix_nano: nanos(i128::from(span.start) + i128::from(span.duration)),
        attributes: pairs(&tags),
        dropped_attributes_count: dropped[0],
        events: span.logs.iter().map(event).collect(),
        dropped_events_count: dropped[1],
        links: links(span),
        dropped_links_count: dropped[2],
        status,
    };
    (scope, span)
}

fn resource(batch: &Batch) -> Resource {
    let mut tags = batch.tags.clone();
    let any = |value: &Val| Some(value.clone());
    let name = take(&mut tags, "service.name", any);
    let service = Some(batch.service.clone()).filter(|name| !name.is_empty()).map(Val::Str).or(name);
    let has = |tags: &[Tag], key: &str| tags.iter().any(|(k, _)| k == key);
    if !has(&tags, "host.name")
        && let Some(host) = take(&mut tags, "hostname", any)
    {
        tags.push(("host.name".to_owned(), host));
    }
    let exporter = "opencensus.exporterversion";
    if !has(&tags, exporter)
        && let Some(version) = take(&mut tags, "jaeger.version", as_text)
    {
        tags.push((exporter.to_owned(), Val::Str(format!("Jaeger-{version}"))));
    }
    tags.extend(service.map(|service| ("service.name".to_owned(), service)));
    Resource { attributes: pairs(&tags), ..Resource::default() }
}

fn expected(batch: &Batch) -> ExportTraceServiceRequest {
    let mut groups: Vec<((String, String), Vec<Otlp>)> = Vec::new();
    for (scope, span) in batch.spans.iter().map(otlp) {
        match groups.iter_mut().find(|(name, _)| *name == scope) {
            Some((_, spans)) => spans.push(span),
            None => groups.push((scope, vec![span])),
        }
    }
    if groups.is_empty() {
        return ExportTraceServiceRequest::default();
    }
    let scope_spans = groups.into_iter().map(|((name, version), spans)| {
        let named = !name.is_empty() || !version.is_empty();
        let scope = named.then(|| InstrumentationScope { name, version, ..InstrumentationScope::default() });
        ScopeSpans { scope, spans, ..ScopeSpans::default() }
    });
    let scope_spans = scope_spans.collect();
    let resource = Some(resource(batch));
    let resource_spans = vec![ResourceSpans { resource, scope_spans, ..ResourceSpans::default() }];
    ExportTraceServiceRequest { resource_spans }
}

/// Attributes have no order.
pub(crate) fn sorted(mut request: ExportTraceServiceRequest) -> ExportTraceServiceRequest {
    let sort = |list: &mut Vec<KeyValue>| list.sort_by_key(|pair| format!("{pair:?}"));
    for resource in &mut request.resource_spans {
        sort(&mut resource.resource.as_mut().unwrap().attributes);
        for span in resource.scope_spans.iter_mut().flat_map(|group| &mut group.spans) {
            sort(&mut span.attributes);
            span.events.iter_mut().for_each(|event| sort(&mut event.attributes));
        }
    }
    request
}
