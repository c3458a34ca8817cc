//! The owned form of an answered trace: what is joined, encoded and shown. It mirrors OTLP's
//! `opentelemetry.proto.trace.v1` field by field, so that what comes out equals what came in.
//!
//! `unknown` holds fields of a later OTLP that this version does not know, as their wire bytes.

use crate::{SpanId, TraceId};

/// An attribute's value.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum AnyValue {
    /// No value was set.
    #[default]
    Empty,
    /// A string.
    Str(String),
    /// A boolean.
    Bool(bool),
    /// A 64-bit signed integer.
    Int(i64),
    /// A 64-bit float.
    Double(f64),
    /// A list.
    Array(Vec<AnyValue>),
    /// A map, in the sender's order, repeated keys kept.
    Map(Vec<KeyValue>),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// An attribute.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct KeyValue {
    /// Its key; may be empty.
    pub key: String,
    /// Its value.
    pub value: AnyValue,
}

/// Who made the spans.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Resource {
    /// In the sender's order.
    pub attributes: Vec<KeyValue>,
    /// Attributes that the sender dropped.
    pub dropped_attributes_count: u32,
    /// Later fields, as wire bytes.
    pub unknown: Vec<u8>,
}

/// Which library made the spans.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Scope {
    /// Library name.
    pub name: String,
    /// Library version.
    pub version: String,
    /// In the sender's order.
    pub attributes: Vec<KeyValue>,
    /// Attributes that the sender dropped.
    pub dropped_attributes_count: u32,
    /// Later fields, as wire bytes.
    pub unknown: Vec<u8>,
}

/// Something that happened during a span.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Event {
    /// Nanoseconds since 1970.
    pub time_unix_nano: u64,
    /// May be empty.
    pub name: String,
    /// In the sender's order.
    pub attributes: Vec<KeyValue>,
    /// Attributes that the sender dropped.
    pub dropped_attributes_count: u32,
    /// Later fields, as wire bytes.
    pub unknown: Vec<u8>,
}

/// A pointer to a span, often of another trace. Ids are kept as bytes of any length, as they came.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Link {
    /// 16 bytes as a rule.
    pub trace_id: Vec<u8>,
    /// 8 bytes as a rule.
    pub span_id: Vec<u8>,
    /// W3C trace state.
    pub trace_state: String,
    /// In the sender's order.
    pub attributes: Vec<KeyValue>,
    /// Attributes that the sender dropped.
    pub dropped_attributes_count: u32,
    /// W3C flags.
    pub flags: u32,
    /// Later fields, as wire bytes.
    pub unknown: Vec<u8>,
}

/// How a span ended.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Status {
    /// Why, for people.
    pub message: String,
    /// 0 unset, 1 ok, 2 error; others as they came.
    pub code: i32,
    /// Later fields, as wire bytes.
    pub unknown: Vec<u8>,
}

/// One operation.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Span {
    /// The trace it belongs to.
    pub trace_id: TraceId,
    /// Its own id.
    pub span_id: SpanId,
    /// Its parent's id as it came: empty for a root, 8 bytes as a rule.
    pub parent_span_id: Vec<u8>,
    /// W3C trace state.
    pub trace_state: String,
    /// W3C flags.
    pub flags: u32,
    /// What was done.
    pub name: String,
    /// 0 unspecified, 1 internal, 2 server, 3 client, 4 producer, 5 consumer; others as they came.
    pub kind: i32,
    /// Nanoseconds since 1970.
    pub start_time_unix_nano: u64,
    /// Nanoseconds since 1970; may lie before the start.
    pub end_time_unix_nano: u64,
    /// In the sender's order.
    pub attributes: Vec<KeyValue>,
    /// Attributes that the sender dropped.
    pub dropped_attributes_count: u32,
    /// In the sender's order.
    pub events: Vec<Event>,
    /// Events that the sender dropped.
    pub dropped_events_count: u32,
    /// In the sender's order.
    pub links: Vec<Link>,
    /// Links that the sender dropped.
    pub dropped_links_count: u32,
    /// How it ended.
    pub status: Status,
    /// Later fields, as wire bytes.
    pub unknown: Vec<u8>,
}

/// The spans of one library.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ScopeSpans {
    /// The library.
    pub scope: Scope,
    /// Its spans.
    pub spans: Vec<Span>,
    /// Schema of the spans.
    pub schema_url: String,
}

/// The spans of one resource.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ResourceSpans {
    /// The resource.
    pub resource: Resource,
    /// Its libraries.
    pub scope_spans: Vec<ScopeSpans>,
    /// Schema of the resource.
    pub schema_url: String,
}

/// A trace, or a part of one: its resource spans as they came, none merged and none split.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Trace {
    /// In order of arrival.
    pub resource_spans: Vec<ResourceSpans>,
}

impl Trace {
    /// Every span of the trace.
    pub fn spans(&self) -> impl Iterator<Item = &Span> {
        self.resource_spans.iter().flat_map(|r| &r.scope_spans).flat_map(|s| &s.spans)
    }

    /// How many spans it has.
    pub fn span_count(&self) -> usize {
        self.resource_spans.iter().flat_map(|r| &r.scope_spans).map(|s| s.spans.len()).sum()
    }
}
