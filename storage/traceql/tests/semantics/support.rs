//! Traces as text, answers as text.
//!
//! A line is a span: `id parent start duration` and what it has. The parent is `-` for a root. Then, in any order:
//! `name=x kind=server status=error message=x`, attributes `.k=v` (span), `res.k=v`, `lib.k=v` (instrumentation),
//! `lib=name@version`, `event@time[k=v;k=v]` with `name=x` among its attributes, `link=trace/span[k=v]`.
//! Values: `1`, `1.5`, `true`, `word`, `"1"`, lists `(1,a)`, `~` (sent without a value), `%` (a map), `#` (bytes).

use spanloom_span::model::{
    AnyValue, Event, KeyValue, Link, Resource, ResourceSpans, Scope, ScopeSpans, Span, Status, Trace,
};
use spanloom_span::{SpanId, TraceId};
use spanloom_traceql::eval::{Fragment, ModelFragment, Scratch, Spanset, WholeTrace, judge};
use spanloom_traceql::parse;
use spanloom_traceql::plan::Plan;

pub const TRACE: TraceId = TraceId([7; 16]);

/// A trace of which each span has its own resource and scope.
pub fn trace(text: &str) -> Trace {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    Trace { resource_spans: lines.map(resource_spans).collect() }
}

fn resource_spans(line: &str) -> ResourceSpans {
    let mut words = line.split_whitespace();
    let mut next = || words.next().unwrap_or_else(|| panic!("{line}: expected id parent start duration"));
    let (id, parent) = (SpanId::parse(next()).expect("an id"), next());
    let (start, duration): (u64, i64) = (next().parse().expect("start"), next().parse().expect("duration"));
    let mut span = Span {
        trace_id: TRACE,
        span_id: id,
        parent_span_id: match parent {
            "-" => Vec::new(),
            "0" => vec![0; 8],
            "odd" => vec![1, 2, 3],
            parent => SpanId::parse(parent).expect("a parent").0.to_vec(),
        },
        start_time_unix_nano: start,
        end_time_unix_nano: start.saturating_add_signed(duration),
        ..Span::default()
    };
    let (mut resource, mut scope) = (Resource::default(), Scope::default());
    for word in words {
        if let Some(event) = word.strip_prefix("event@") {
            let (time, attributes) = bracketed(event);
            let mut event =
                Event { time_unix_nano: time.parse().expect("time"), attributes, ..Event::default() };
            if let Some(at) = event.attributes.iter().position(|attribute| attribute.key == "name")
                && let AnyValue::Str(name) = event.attributes.remove(at).value
            {
                event.name = name;
            }
            span.events.push(event);
            continue;
        }
        if let Some(link) = word.strip_prefix("link=") {
            let (ids, attributes) = bracketed(link);
            let (trace, of) = ids.split_once('/').expect("trace/span");
            let trace_id = TraceId::parse(trace).expect("a trace id").0.to_vec();
            let span_id = SpanId::parse(of).expect("a span id").0.to_vec();
            span.links.push(Link { trace_id, span_id, attributes, ..Link::default() });
            continue;
        }
        let attribute = key_value(word);
        let text = word.split_once('=').map_or("", |(_, text)| text).to_owned();
        match attribute.key.as_str() {
            "name" => span.name = text,
            "message" => span.status.message = text,
            "status" => span.status = Status { code: code(&text, &["unset", "ok", "error"]), ..span.status },
            "kind" => {
                let kinds = ["unspecified", "internal", "server", "client", "producer", "consumer"];
                span.kind = code(&text, &kinds);
            }
            "lib" => {
                let (name, version) = text.split_once('@').expect("name@version");
                (scope.name, scope.version) = (name.to_owned(), version.to_owned());
            }
            key => {
                let (place, key) =
                    key.split_once('.').unwrap_or_else(|| panic!("{word}: expected an attribute"));
                let attributes = match place {
                    "" => &mut span.attributes,
                    "res" => &mut resource.attributes,
                    "lib" => &mut scope.attributes,
                    place => panic!("{place}: expected nothing, res or lib"),
                };
                attributes.push(KeyValue { key: key.to_owned(), value: attribute.value });
            }
        }
    }
    let scope_spans = vec![ScopeSpans { scope, spans: vec![span], schema_url: String::new() }];
    ResourceSpans { resource, scope_spans, schema_url: String::new() }
}

fn code(text: &str, words: &[&str]) -> i32 {
    let known = words.iter().position(|word| *word == text);
    known.map_or_else(|| text.parse().expect("a word or a code"), |at| at as i32)
}

fn bracketed(text: &str) -> (&str, Vec<KeyValue>) {
    let Some((head, rest)) = text.split_once('[') else { return (text, Vec::new()) };
    let inner = rest.strip_suffix(']').expect("]");
    (head, inner.split(';').filter(|part| !part.is_empty()).map(key_value).collect())
}

fn key_value(text: &str) -> KeyValue {
    let (key, value) = text.split_once('=').unwrap_or_else(|| panic!("{text}: expected key=value"));
    KeyValue { key: key.to_owned(), value: any_value(value) }
}

fn any_value(text: &str) -> AnyValue {
    let quoted = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    let list = text.strip_prefix('(').and_then(|text| text.strip_suffix(')'));
    match (quoted, list) {
        (Some(quoted), _) => AnyValue::Str(quoted.to_owned()),
        (_, Some(list)) => {
            AnyValue::Array(list.split(',').filter(|item| !item.is_empty()).map(any_value).collect())
        }
        _ => match text {
            "~" => AnyValue::Empty,
            "%" => AnyValue::Map(vec![KeyValue { key: "k".to_owned(), value: AnyValue::Int(1) }]),
            "#" => AnyValue::Bytes(vec![1]),
            "true" => AnyValue::Bool(true),
            "false" => AnyValue::Bool(false),
            text => text.parse().map(AnyValue::Int).unwrap_or_else(|_| {
                text.parse().map_or_else(|_| AnyValue::Str(text.to_owned()), AnyValue::Double)
            }),
        },
    }
}

pub fn plan(query: &str) -> Plan {
    let query = parse(query).unwrap_or_else(|error| panic!("{query}: {error}"));
    Plan::new(&query).unwrap_or_else(|error| panic!("{query}: {error}"))
}

/// Runs `with` over the whole trace that the parts are.
pub fn over<T>(plan: &Plan, parts: &[Trace], with: impl FnOnce(&mut WholeTrace<'_, '_>) -> T) -> T {
    let mut fragments: Vec<ModelFragment<'_>> =
        parts.iter().map(|part| ModelFragment::new(plan, part)).collect();
    let mut fragments: Vec<&mut dyn Fragment> =
        fragments.iter_mut().map(|fragment| fragment as &mut dyn Fragment).collect();
    let mut scratch = Scratch::default();
    let mut whole = WholeTrace::join(TRACE, plan, &mut fragments, &mut scratch).expect("a trace");
    with(&mut whole)
}

/// Ids of the spans that a query finds: `1 2`; several spansets between bars, attributes in braces before.
pub fn found(query: &str, parts: &[Trace]) -> String {
    let plan = plan(query);
    over(&plan, parts, |whole| {
        let pipeline = plan.pipeline().expect("a search");
        let spansets = judge(pipeline, whole, &mut |_, _, _| Ok(false)).expect("values");
        let shown: Vec<String> = spansets.iter().map(|spanset| show(whole, spanset)).collect();
        shown.join(" | ")
    })
}

fn show(whole: &WholeTrace<'_, '_>, spanset: &Spanset) -> String {
    let attributes: Vec<String> = spanset
        .attributes
        .iter()
        .map(|(name, value)| format!("{name}={}", show_value(&value.as_value().to_any())))
        .collect();
    let ids: Vec<String> = spanset.spans.iter().map(|span| format!("{:x}", whole.span(*span).id)).collect();
    match attributes.is_empty() {
        true => ids.join(" "),
        false => format!("{{{}}} {}", attributes.join(", "), ids.join(" ")),
    }
}

pub fn show_value(value: &AnyValue) -> String {
    match value {
        AnyValue::Empty => "nil".to_owned(),
        AnyValue::Str(text) => text.clone(),
        AnyValue::Bool(value) => value.to_string(),
        AnyValue::Int(value) => value.to_string(),
        AnyValue::Double(value) => format!("{value:?}"),
        other => format!("{other:?}"),
    }
}

/// Each query finds what stands beside it; all that differ are shown.
pub fn check(text: &str, rows: &[(&str, &str)]) {
    check_parts(&[trace(text)], rows);
}

pub fn check_parts(parts: &[Trace], rows: &[(&str, &str)]) {
    let wrong: Vec<String> = rows
        .iter()
        .filter_map(|(query, expected)| {
            let found = found(query, parts);
            (found != *expected).then(|| format!("{query}\n    found    {found}\n    expected {expected}"))
        })
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
