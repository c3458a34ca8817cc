//! The messages of an `ExportTraceServiceRequest` as data: names, numbers and kinds of their fields.
//!
//! Source: opentelemetry-proto 1.x. The names of OTLP before 0.16 (`instrumentationLibrarySpans`) are known too:
//! they have the numbers of today's fields.

use crate::json_in::schema::{Kind, Message, choice, field, list};

const SPAN_KINDS: &[&str] = &[
    "SPAN_KIND_UNSPECIFIED",
    "SPAN_KIND_INTERNAL",
    "SPAN_KIND_SERVER",
    "SPAN_KIND_CLIENT",
    "SPAN_KIND_PRODUCER",
    "SPAN_KIND_CONSUMER",
];

const STATUS_CODES: &[&str] = &["STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"];

pub static REQUEST: Message =
    Message::of(&[list!("resourceSpans", "resource_spans", 1, Kind::Message(&RESOURCE_SPANS))]);

static RESOURCE_SPANS: Message = Message::of(&[
    field!("resource", "resource", 1, Kind::Message(&RESOURCE)),
    list!("scopeSpans", "scope_spans", 2, Kind::Message(&SCOPE_SPANS)),
    field!("schemaUrl", "schema_url", 3, Kind::String),
    list!("instrumentationLibrarySpans", "instrumentation_library_spans", 2, Kind::Message(&SCOPE_SPANS)),
]);

static RESOURCE: Message = Message::of(&[
    list!("attributes", "attributes", 1, Kind::Message(&KEY_VALUE)),
    field!("droppedAttributesCount", "dropped_attributes_count", 2, Kind::Uint32),
    list!("entityRefs", "entity_refs", 3, Kind::Message(&ENTITY_REF)),
]);

static ENTITY_REF: Message = Message::of(&[
    field!("schemaUrl", "schema_url", 1, Kind::String),
    field!("type", "type", 2, Kind::String),
    list!("idKeys", "id_keys", 3, Kind::String),
    list!("descriptionKeys", "description_keys", 4, Kind::String),
]);

static SCOPE_SPANS: Message = Message::of(&[
    field!("scope", "scope", 1, Kind::Message(&SCOPE)),
    list!("spans", "spans", 2, Kind::Message(&SPAN)),
    field!("schemaUrl", "schema_url", 3, Kind::String),
    field!("instrumentationLibrary", "instrumentation_library", 1, Kind::Message(&SCOPE)),
]);

static SCOPE: Message = Message::of(&[
    field!("name", "name", 1, Kind::String),
    field!("version", "version", 2, Kind::String),
    list!("attributes", "attributes", 3, Kind::Message(&KEY_VALUE)),
    field!("droppedAttributesCount", "dropped_attributes_count", 4, Kind::Uint32),
]);

static SPAN: Message = Message::of(&[
    field!("traceId", "trace_id", 1, Kind::Id(16)),
    field!("spanId", "span_id", 2, Kind::Id(8)),
    field!("traceState", "trace_state", 3, Kind::String),
    field!("parentSpanId", "parent_span_id", 4, Kind::Id(8)),
    field!("flags", "flags", 16, Kind::Fixed32),
    field!("name", "name", 5, Kind::String),
    field!("kind", "kind", 6, Kind::Enum(SPAN_KINDS)),
    field!("startTimeUnixNano", "start_time_unix_nano", 7, Kind::Fixed64),
    field!("endTimeUnixNano", "end_time_unix_nano", 8, Kind::Fixed64),
    list!("attributes", "attributes", 9, Kind::Message(&KEY_VALUE)),
    field!("droppedAttributesCount", "dropped_attributes_count", 10, Kind::Uint32),
    list!("events", "events", 11, Kind::Message(&EVENT)),
    field!("droppedEventsCount", "dropped_events_count", 12, Kind::Uint32),
    list!("links", "links", 13, Kind::Message(&LINK)),
    field!("droppedLinksCount", "dropped_links_count", 14, Kind::Uint32),
    field!("status", "status", 15, Kind::Message(&STATUS)),
]);

static EVENT: Message = Message::of(&[
    field!("timeUnixNano", "time_unix_nano", 1, Kind::Fixed64),
    field!("name", "name", 2, Kind::String),
    list!("attributes", "attributes", 3, Kind::Message(&KEY_VALUE)),
    field!("droppedAttributesCount", "dropped_attributes_count", 4, Kind::Uint32),
]);

static LINK: Message = Message::of(&[
    field!("traceId", "trace_id", 1, Kind::Id(16)),
    field!("spanId", "span_id", 2, Kind::Id(8)),
    field!("traceState", "trace_state", 3, Kind::String),
    list!("attributes", "attributes", 4, Kind::Message(&KEY_VALUE)),
    field!("droppedAttributesCount", "dropped_attributes_count", 5, Kind::Uint32),
    field!("flags", "flags", 6, Kind::Fixed32),
]);

static STATUS: Message = Message::of(&[
    field!("code", "code", 3, Kind::Enum(STATUS_CODES)),
    field!("message", "message", 2, Kind::String),
    // OTLP before 0.8; whoever reads a status knows what it means.
    field!("deprecatedCode", "deprecated_code", 1, Kind::Enum(&["DEPRECATED_STATUS_CODE_OK"])),
]);

static KEY_VALUE: Message = Message::of(&[
    field!("key", "key", 1, Kind::String),
    field!("value", "value", 2, Kind::Message(&ANY_VALUE)),
]);

static ANY_VALUE: Message = Message {
    nests: true,
    fields: &[
        choice!("stringValue", "string_value", 1, Kind::String),
        choice!("intValue", "int_value", 3, Kind::Int64),
        choice!("boolValue", "bool_value", 2, Kind::Bool),
        choice!("doubleValue", "double_value", 4, Kind::Double),
        choice!("arrayValue", "array_value", 5, Kind::Message(&ARRAY_VALUE)),
        choice!("kvlistValue", "kvlist_value", 6, Kind::Message(&KEY_VALUE_LIST)),
        choice!("bytesValue", "bytes_value", 7, Kind::Base64),
    ],
};

static ARRAY_VALUE: Message = Message::of(&[list!("values", "values", 1, Kind::Message(&ANY_VALUE))]);

static KEY_VALUE_LIST: Message = Message::of(&[list!("values", "values", 1, Kind::Message(&KEY_VALUE))]);
