//! A trace in the query API's JSON, read without the product's code: every key must be known.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use spanloom_span::model::{
    AnyValue, Event, KeyValue, Link, Resource, ResourceSpans, Scope, ScopeSpans, Span, Status, Trace,
};
use spanloom_span::{SpanId, TraceId};

/// The answer of `/api/traces/{id}`.
pub fn v1(body: &[u8]) -> Trace {
    let mut top = Object::of(serde_json::from_slice(body).unwrap());
    let trace = Trace { resource_spans: top.list("batches", resource_spans) };
    top.end();
    trace
}

/// The answer of `/api/v2/traces/{id}`, which must be whole.
pub fn v2(body: &[u8]) -> Trace {
    let mut top = Object::of(serde_json::from_slice(body).unwrap());
    let mut trace = top.object("trace");
    let out = Trace { resource_spans: trace.list("resourceSpans", resource_spans) };
    trace.end();
    top.object("metrics");
    top.end();
    out
}

/// An object whose keys are taken one by one.
struct Object(Map<String, Value>);

impl Object {
    fn of(value: Value) -> Self {
        match value {
            Value::Object(map) => Self(map),
            other => panic!("{other}, expected an object"),
        }
    }

    /// Nothing may be left.
    fn end(self) {
        assert!(self.0.is_empty(), "unknown keys in {:?}", self.0);
    }

    /// An object that must be there.
    fn object(&mut self, name: &str) -> Self {
        Self::of(self.0.remove(name).unwrap_or_else(|| panic!("no {name} in {:?}", self.0)))
    }

    fn list<T>(&mut self, name: &str, read: impl Fn(&mut Object) -> T) -> Vec<T> {
        let Some(list) = self.0.remove(name) else { return Vec::new() };
        let Value::Array(items) = list else { panic!("{name} is {list}, expected a list") };
        assert!(!items.is_empty(), "an empty {name}, expected none");
        let mut out = Vec::with_capacity(items.len());
        for item in items {
            let mut object = Object::of(item);
            out.push(read(&mut object));
            object.end();
        }
        out
    }

    fn text(&mut self, name: &str) -> String {
        self.0.remove(name).map_or_else(String::new, |value| value.as_str().unwrap().to_owned())
    }

    fn bytes(&mut self, name: &str) -> Vec<u8> {
        STANDARD.decode(self.text(name)).unwrap()
    }

    fn quoted(&mut self, name: &str) -> u64 {
        self.0.remove(name).map_or(0, |value| value.as_str().unwrap().parse().unwrap())
    }

    fn number(&mut self, name: &str) -> u32 {
        self.0.remove(name).map_or(0, |value| u32::try_from(value.as_u64().unwrap()).unwrap())
    }

    fn named(&mut self, name: &str, names: &[&str]) -> i32 {
        match self.0.remove(name) {
            None => 0,
            Some(Value::String(text)) => names.iter().position(|known| *known == text).unwrap() as i32,
            Some(value) => i32::try_from(value.as_i64().unwrap()).unwrap(),
        }
    }
}

fn resource_spans(o: &mut Object) -> ResourceSpans {
    let mut resource = o.object("resource");
    let out = ResourceSpans {
        resource: Resource {
            attributes: resource.list("attributes", key_value),
            dropped_attributes_count: resource.number("droppedAttributesCount"),
            unknown: Vec::new(),
        },
        scope_spans: o.list("scopeSpans", scope_spans),
        schema_url: o.text("schemaUrl"),
    };
    resource.end();
    out
}

fn scope_spans(o: &mut Object) -> ScopeSpans {
    let mut scope = o.object("scope");
    let out = ScopeSpans {
        scope: Scope {
            name: scope.text("name"),
            version: scope.text("version"),
            attributes: scope.list("attributes", key_value),
            dropped_attributes_count: scope.number("droppedAttributesCount"),
            unknown: Vec::new(),
        },
        spans: o.list("spans", span),
        schema_url: o.text("schemaUrl"),
    };
    scope.end();
    out
}

fn span(o: &mut Object) -> Span {
    const KINDS: [&str; 6] = [
        "SPAN_KIND_UNSPECIFIED",
        "SPAN_KIND_INTERNAL",
        "SPAN_KIND_SERVER",
        "SPAN_KIND_CLIENT",
        "SPAN_KIND_PRODUCER",
        "SPAN_KIND_CONSUMER",
    ];
    const CODES: [&str; 3] = ["STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"];
    let mut status = o.object("status");
    let out = Span {
        trace_id: TraceId(o.bytes("traceId").try_into().unwrap()),
        span_id: SpanId(o.bytes("spanId").try_into().unwrap()),
        parent_span_id: o.bytes("parentSpanId"),
        trace_state: o.text("traceState"),
        flags: o.number("flags"),
        name: o.text("name"),
        kind: o.named("kind", &KINDS),
        start_time_unix_nano: o.quoted("startTimeUnixNano"),
        end_time_unix_nano: o.quoted("endTimeUnixNano"),
        attributes: o.list("attributes", key_value),
        dropped_attributes_count: o.number("droppedAttributesCount"),
        events: o.list("events", event),
        dropped_events_count: o.number("droppedEventsCount"),
        links: o.list("links", link),
        dropped_links_count: o.number("droppedLinksCount"),
        status: Status {
            message: status.text("message"),
            code: status.named("code", &CODES),
            unknown: Vec::new(),
        },
        unknown: Vec::new(),
    };
    status.end();
    out
}

fn event(o: &mut Object) -> Event {
    Event {
        time_unix_nano: o.quoted("timeUnixNano"),
        name: o.text("name"),
        attributes: o.list("attributes", key_value),
        dropped_attributes_count: o.number("droppedAttributesCount"),
        unknown: Vec::new(),
    }
}

fn link(o: &mut Object) -> Link {
    Link {
        trace_id: o.bytes("traceId"),
        span_id: o.bytes("spanId"),
        trace_state: o.text("traceState"),
        attributes: o.list("attributes", key_value),
        dropped_attributes_count: o.number("droppedAttributesCount"),
        flags: o.number("flags"),
        unknown: Vec::new(),
    }
}

fn key_value(o: &mut Object) -> KeyValue {
    let mut value = o.object("value");
    let out = KeyValue { key: o.text("key"), value: any_value(&mut value) };
    value.end();
    out
}

/// At most one of the fields is there; which one is the type.
fn any_value(o: &mut Object) -> AnyValue {
    let Some(name) = o.0.keys().next().cloned() else { return AnyValue::Empty };
    match name.as_str() {
        "stringValue" => AnyValue::Str(o.text(&name)),
        "boolValue" => AnyValue::Bool(o.0.remove(&name).unwrap().as_bool().unwrap()),
        "intValue" => AnyValue::Int(o.text(&name).parse().unwrap()),
        "doubleValue" => AnyValue::Double(match o.0.remove(&name).unwrap() {
            // "NaN", "Infinity" and "-Infinity".
            Value::String(text) => text.parse().unwrap(),
            value => value.as_f64().unwrap(),
        }),
        "bytesValue" => AnyValue::Bytes(o.bytes(&name)),
        "arrayValue" => {
            let mut list = o.object(&name);
            let out = AnyValue::Array(list.list("values", any_value));
            list.end();
            out
        }
        "kvlistValue" => {
            let mut list = o.object(&name);
            let out = AnyValue::Map(list.list("values", key_value));
            list.end();
            out
        }
        _ => panic!("{name} is no type of a value"),
    }
}
