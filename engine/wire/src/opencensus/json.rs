//! The messages of an `ExportTraceServiceRequest` as data, to read them as JSON.
//!
//! Left out, and skipped like any unknown field: what OTLP has no place for (stack traces, counts of cut off
//! bytes, the count of child spans).
//!
//! Sources: the proto files that `fields.rs` names; protobuf's JSON mapping.

use crate::json_in::schema::{Field, Kind, Message, choice, field, list};

pub static REQUEST: Message = Message::of(&[
    field!("node", "node", 1, Kind::Message(&NODE)),
    list!("spans", "spans", 2, Kind::Message(&SPAN)),
    field!("resource", "resource", 3, Kind::Message(&RESOURCE)),
]);

static NODE: Message = Message::of(&[
    field!("identifier", "identifier", 1, Kind::Message(&IDENTIFIER)),
    field!("libraryInfo", "library_info", 2, Kind::Message(&LIBRARY)),
    field!("serviceInfo", "service_info", 3, Kind::Message(&SERVICE)),
    field!("attributes", "attributes", 4, Kind::Map(&TEXT)),
]);

/// The value of an entry of `map<string, string>`.
static TEXT: Field = field!("value", "value", 2, Kind::String);

static IDENTIFIER: Message = Message::of(&[
    field!("hostName", "host_name", 1, Kind::String),
    field!("pid", "pid", 2, Kind::Uint32),
    field!("startTimestamp", "start_timestamp", 3, Kind::Timestamp),
]);

static LIBRARY: Message = Message::of(&[
    field!("language", "language", 1, Kind::Enum(LANGUAGES)),
    field!("exporterVersion", "exporter_version", 2, Kind::String),
    field!("coreLibraryVersion", "core_library_version", 3, Kind::String),
]);

const LANGUAGES: &[&str] = &[
    "LANGUAGE_UNSPECIFIED",
    "CPP",
    "C_SHARP",
    "ERLANG",
    "GO_LANG",
    "JAVA",
    "NODE_JS",
    "PHP",
    "PYTHON",
    "RUBY",
    "WEB_JS",
];

static SERVICE: Message = Message::of(&[field!("name", "name", 1, Kind::String)]);

static RESOURCE: Message =
    Message::of(&[field!("type", "type", 1, Kind::String), field!("labels", "labels", 2, Kind::Map(&TEXT))]);

static SPAN: Message = Message::of(&[
    field!("traceId", "trace_id", 1, Kind::Base64),
    field!("spanId", "span_id", 2, Kind::Base64),
    field!("tracestate", "tracestate", 15, Kind::Message(&TRACESTATE)),
    field!("parentSpanId", "parent_span_id", 3, Kind::Base64),
    field!("name", "name", 4, Kind::Message(&TRUNCATABLE)),
    field!("kind", "kind", 14, Kind::Enum(&["SPAN_KIND_UNSPECIFIED", "SERVER", "CLIENT"])),
    field!("startTime", "start_time", 5, Kind::Timestamp),
    field!("endTime", "end_time", 6, Kind::Timestamp),
    field!("attributes", "attributes", 7, Kind::Message(&ATTRIBUTES)),
    field!("timeEvents", "time_events", 9, Kind::Message(&TIME_EVENTS)),
    field!("links", "links", 10, Kind::Message(&LINKS)),
    field!("status", "status", 11, Kind::Message(&STATUS)),
    field!("resource", "resource", 16, Kind::Message(&RESOURCE)),
    field!("sameProcessAsParentSpan", "same_process_as_parent_span", 12, Kind::Wrapper(&WRAPPED_BOOL)),
]);

static WRAPPED_BOOL: Field = field!("value", "value", 1, Kind::Bool);

static TRACESTATE: Message = Message::of(&[list!("entries", "entries", 1, Kind::Message(&TRACESTATE_ENTRY))]);

static TRACESTATE_ENTRY: Message =
    Message::of(&[field!("key", "key", 1, Kind::String), field!("value", "value", 2, Kind::String)]);

static TRUNCATABLE: Message = Message::of(&[field!("value", "value", 1, Kind::String)]);

static ATTRIBUTES: Message = Message::of(&[
    field!("attributeMap", "attribute_map", 1, Kind::Map(&ATTRIBUTE)),
    field!("droppedAttributesCount", "dropped_attributes_count", 2, Kind::Int32),
]);

/// The value of an entry of `map<string, AttributeValue>`.
static ATTRIBUTE: Field = field!("value", "value", 2, Kind::Message(&VALUE));

static VALUE: Message = Message::of(&[
    choice!("stringValue", "string_value", 1, Kind::Message(&TRUNCATABLE)),
    choice!("intValue", "int_value", 2, Kind::Int64),
    choice!("boolValue", "bool_value", 3, Kind::Bool),
    choice!("doubleValue", "double_value", 4, Kind::Double),
]);

static TIME_EVENTS: Message = Message::of(&[
    list!("timeEvent", "time_event", 1, Kind::Message(&TIME_EVENT)),
    field!("droppedAnnotationsCount", "dropped_annotations_count", 2, Kind::Int32),
    field!("droppedMessageEventsCount", "dropped_message_events_count", 3, Kind::Int32),
]);

static TIME_EVENT: Message = Message::of(&[
    field!("time", "time", 1, Kind::Timestamp),
    choice!("annotation", "annotation", 2, Kind::Message(&ANNOTATION)),
    choice!("messageEvent", "message_event", 3, Kind::Message(&MESSAGE_EVENT)),
]);

static ANNOTATION: Message = Message::of(&[
    field!("description", "description", 1, Kind::Message(&TRUNCATABLE)),
    field!("attributes", "attributes", 2, Kind::Message(&ATTRIBUTES)),
]);

static MESSAGE_EVENT: Message = Message::of(&[
    field!("type", "type", 1, Kind::Enum(&["TYPE_UNSPECIFIED", "SENT", "RECEIVED"])),
    field!("id", "id", 2, Kind::Uint64),
    field!("uncompressedSize", "uncompressed_size", 3, Kind::Uint64),
    field!("compressedSize", "compressed_size", 4, Kind::Uint64),
]);

static LINKS: Message = Message::of(&[
    list!("link", "link", 1, Kind::Message(&LINK)),
    field!("droppedLinksCount", "dropped_links_count", 2, Kind::Int32),
]);

static LINK: Message = Message::of(&[
    field!("traceId", "trace_id", 1, Kind::Base64),
    field!("spanId", "span_id", 2, Kind::Base64),
    field!("type", "type", 3, Kind::Enum(&["TYPE_UNSPECIFIED", "CHILD_LINKED_SPAN", "PARENT_LINKED_SPAN"])),
    field!("attributes", "attributes", 4, Kind::Message(&ATTRIBUTES)),
    field!("tracestate", "tracestate", 5, Kind::Message(&TRACESTATE)),
]);

static STATUS: Message =
    Message::of(&[field!("code", "code", 1, Kind::Int32), field!("message", "message", 2, Kind::String)]);
