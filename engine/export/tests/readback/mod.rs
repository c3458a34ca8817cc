//! Rows of a Parquet file into spans again, by the columns' names and by what `docs/EXPORT.md` says of them.

pub mod json;

use std::collections::BTreeMap;

use bytes::Bytes;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Field, List, Map, Row};
use spanloom_span::model::*;
use spanloom_span::{SpanId, TraceId};

/// A span with what it shares with others.
#[derive(Debug, Clone, PartialEq)]
pub struct Flat {
    pub tenant: String,
    pub span: Span,
    pub scope: Scope,
    pub scope_schema_url: String,
    pub resource: Resource,
    pub resource_schema_url: String,
}

/// The spans of a trace, as they should read back.
pub fn flat(tenant: &str, trace: &Trace) -> Vec<Flat> {
    let mut out = Vec::new();
    for of_resource in &trace.resource_spans {
        for of_scope in &of_resource.scope_spans {
            out.extend(of_scope.spans.iter().map(|span| Flat {
                tenant: tenant.to_owned(),
                span: span.clone(),
                scope: of_scope.scope.clone(),
                scope_schema_url: of_scope.schema_url.clone(),
                resource: of_resource.resource.clone(),
                resource_schema_url: of_resource.schema_url.clone(),
            }));
        }
    }
    out
}

/// What a file says of itself, the rows of each of its row groups, and its spans.
pub fn read(file: Vec<u8>) -> (BTreeMap<String, String>, Vec<i64>, Vec<Flat>) {
    let reader = SerializedFileReader::new(Bytes::from(file)).unwrap();
    let metadata = reader.metadata();
    let pairs = metadata.file_metadata().key_value_metadata().unwrap().iter();
    let about = pairs.map(|pair| (pair.key.clone(), pair.value.clone().unwrap())).collect();
    let groups = metadata.row_groups().iter().map(|group| group.num_rows()).collect();
    let rows = reader.get_row_iter(None).unwrap().map(|row| span(Columns::of(row.unwrap())));
    (about, groups, rows.collect())
}

/// Columns of a row by their names. Each is taken once, so that none is forgotten.
struct Columns(BTreeMap<String, Field>);

impl Columns {
    fn of(row: Row) -> Self {
        Self(row.into_columns().into_iter().collect())
    }

    fn take(&mut self, name: &str) -> Field {
        self.0.remove(name).unwrap_or_else(|| panic!("there is no column {name}"))
    }

    fn text(&mut self, name: &str) -> String {
        match self.take(name) {
            Field::Str(text) => text,
            Field::Null => String::new(),
            other => panic!("{name} is {other:?}"),
        }
    }

    fn bytes(&mut self, name: &str) -> Vec<u8> {
        match self.take(name) {
            Field::Bytes(bytes) => bytes.data().to_vec(),
            Field::Null => Vec::new(),
            other => panic!("{name} is {other:?}"),
        }
    }

    fn id(&mut self, name: &str) -> Vec<u8> {
        let digits = self.text(name);
        let pairs = digits.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
        pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
    }

    fn u32(&mut self, name: &str) -> u32 {
        match self.take(name) {
            Field::UInt(value) => value,
            other => panic!("{name} is {other:?}"),
        }
    }

    fn u64(&mut self, name: &str) -> u64 {
        match self.take(name) {
            Field::ULong(value) => value,
            other => panic!("{name} is {other:?}"),
        }
    }

    /// A point in time that another column has as an integer too.
    fn time(&mut self, name: &str, exact: &str) -> u64 {
        let value = self.u64(exact);
        match self.take(name) {
            Field::Long(time) => assert_eq!(u64::try_from(time).unwrap(), value),
            Field::Null => assert!(value > i64::MAX as u64, "{name} is absent"),
            other => panic!("{name} is {other:?}"),
        }
        value
    }

    fn attributes(&mut self, prefix: &str) -> Vec<KeyValue> {
        let map: Map = match self.take(&format!("{prefix}attributes")) {
            Field::MapInternal(map) => map,
            other => panic!("{prefix}attributes are {other:?}"),
        };
        let types = self.list(&format!("{prefix}attribute_types"));
        assert_eq!(map.entries().len(), types.elements().len());
        let pairs = map.entries().iter().zip(types.elements());
        let pairs = pairs.map(|((key, text), kind)| match (key, text, kind) {
            (Field::Str(key), Field::Str(text), Field::Str(kind)) => {
                KeyValue { key: key.clone(), value: value(kind, text) }
            }
            (Field::Str(key), Field::Null, Field::Str(kind)) if kind == "empty" => {
                KeyValue { key: key.clone(), value: AnyValue::Empty }
            }
            other => panic!("an attribute is {other:?}"),
        });
        pairs.collect()
    }

    fn list(&mut self, name: &str) -> List {
        match self.take(name) {
            Field::ListInternal(list) => list,
            other => panic!("{name} is {other:?}"),
        }
    }

    fn groups<T>(&mut self, name: &str, read: impl Fn(Columns) -> T) -> Vec<T> {
        let list = self.list(name);
        let groups = list.elements().iter().map(|element| match element {
            Field::Group(row) => read(Columns::of(row.clone())),
            other => panic!("an element of {name} is {other:?}"),
        });
        groups.collect()
    }

    fn end(self) {
        assert!(self.0.is_empty(), "nobody reads {:?}", self.0.keys());
    }
}

fn value(kind: &str, text: &str) -> AnyValue {
    match kind {
        "string" => AnyValue::Str(text.into()),
        "bool" => AnyValue::Bool(text.parse().unwrap()),
        "int" => AnyValue::Int(text.parse().unwrap()),
        "double" => AnyValue::Double(text.parse().unwrap()),
        "bytes" => json::base64(text),
        "array" | "map" => {
            let read = json::plain(text);
            assert_eq!(kind == "array", matches!(read, AnyValue::Array(_)), "{text}");
            read
        }
        "otlp" => json::otlp(text),
        other => panic!("a value of type {other}"),
    }
}

fn number(text: &str, names: &[&str]) -> i32 {
    match names.iter().position(|name| *name == text) {
        Some(number) => number as i32,
        None => text.parse().unwrap(),
    }
}

fn span(mut row: Columns) -> Flat {
    let mut span = Span {
        trace_id: TraceId(row.id("trace_id").try_into().unwrap()),
        span_id: SpanId(row.id("span_id").try_into().unwrap()),
        parent_span_id: row.id("parent_span_id"),
        trace_state: row.text("trace_state"),
        flags: row.u32("flags"),
        name: row.text("name"),
        kind: number(
            &row.text("kind"),
            &["unspecified", "internal", "server", "client", "producer", "consumer"],
        ),
        start_time_unix_nano: row.time("start_time", "start_time_unix_nano"),
        end_time_unix_nano: row.time("end_time", "end_time_unix_nano"),
        attributes: row.attributes("span_"),
        dropped_attributes_count: row.u32("dropped_attributes_count"),
        events: row.groups("events", event),
        dropped_events_count: row.u32("dropped_events_count"),
        links: row.groups("links", link),
        dropped_links_count: row.u32("dropped_links_count"),
        status: Status::default(),
        unknown: row.bytes("unknown_fields"),
    };
    span.status.code = number(&row.text("status_code"), &["unset", "ok", "error"]);
    span.status.message = row.text("status_message");
    span.status.unknown = row.bytes("status_unknown_fields");
    let duration = span.end_time_unix_nano.saturating_sub(span.start_time_unix_nano);
    assert_eq!(row.u64("duration_ns"), duration);
    let service = row.take("service_name");
    let flat = Flat {
        tenant: row.text("tenant"),
        span,
        scope: Scope {
            name: row.text("scope_name"),
            version: row.text("scope_version"),
            attributes: row.attributes("scope_"),
            dropped_attributes_count: row.u32("scope_dropped_attributes_count"),
            unknown: row.bytes("scope_unknown_fields"),
        },
        scope_schema_url: row.text("scope_schema_url"),
        resource: Resource {
            attributes: row.attributes("resource_"),
            dropped_attributes_count: row.u32("resource_dropped_attributes_count"),
            unknown: row.bytes("resource_unknown_fields"),
        },
        resource_schema_url: row.text("resource_schema_url"),
    };
    let named = flat.resource.attributes.iter().find(|attribute| attribute.key == "service.name");
    match named.map(|attribute| &attribute.value) {
        Some(AnyValue::Str(name)) => assert_eq!(service, Field::Str(name.clone())),
        _ => assert_eq!(service, Field::Null),
    }
    row.end();
    flat
}

fn event(mut row: Columns) -> Event {
    let event = Event {
        time_unix_nano: row.time("time", "time_unix_nano"),
        name: row.text("name"),
        attributes: row.attributes(""),
        dropped_attributes_count: row.u32("dropped_attributes_count"),
        unknown: row.bytes("unknown_fields"),
    };
    row.end();
    event
}

fn link(mut row: Columns) -> Link {
    let link = Link {
        trace_id: row.id("trace_id"),
        span_id: row.id("span_id"),
        trace_state: row.text("trace_state"),
        attributes: row.attributes(""),
        dropped_attributes_count: row.u32("dropped_attributes_count"),
        flags: row.u32("flags"),
        unknown: row.bytes("unknown_fields"),
    };
    row.end();
    link
}
