//! Field numbers of the messages.
//!
//! Source: opencensus-proto 0.4, `opencensus/proto/{agent/trace/v1/trace_service,agent/common/v1/common,
//! resource/v1/resource,trace/v1/trace}.proto`.

/// `opencensus.proto.agent.trace.v1.ExportTraceServiceRequest`.
pub mod request {
    pub const NODE: u32 = 1;
    pub const SPANS: u32 = 2;
    pub const RESOURCE: u32 = 3;
}

/// `opencensus.proto.agent.common.v1.Node`.
pub mod node {
    pub const IDENTIFIER: u32 = 1;
    pub const LIBRARY_INFO: u32 = 2;
    pub const SERVICE_INFO: u32 = 3;
    /// `map<string, string>`.
    pub const ATTRIBUTES: u32 = 4;
}

/// `ProcessIdentifier` of a node.
pub mod identifier {
    pub const HOST_NAME: u32 = 1;
    pub const PID: u32 = 2;
    pub const START_TIMESTAMP: u32 = 3;
}

/// `LibraryInfo` of a node.
pub mod library {
    pub const LANGUAGE: u32 = 1;
    pub const EXPORTER_VERSION: u32 = 2;
    pub const CORE_LIBRARY_VERSION: u32 = 3;
}

/// `ServiceInfo` of a node.
pub mod service {
    pub const NAME: u32 = 1;
}

/// `opencensus.proto.resource.v1.Resource`.
pub mod resource {
    pub const TYPE: u32 = 1;
    /// `map<string, string>`.
    pub const LABELS: u32 = 2;
}

/// `opencensus.proto.trace.v1.Span`.
pub mod span {
    pub const TRACE_ID: usize = 1;
    pub const SPAN_ID: usize = 2;
    pub const PARENT_SPAN_ID: usize = 3;
    pub const NAME: usize = 4;
    pub const START_TIME: usize = 5;
    pub const END_TIME: usize = 6;
    pub const ATTRIBUTES: usize = 7;
    // 8 is the stack trace, which OTLP has no place for.
    pub const TIME_EVENTS: usize = 9;
    pub const LINKS: usize = 10;
    pub const STATUS: usize = 11;
    /// `google.protobuf.BoolValue`.
    pub const SAME_PROCESS_AS_PARENT_SPAN: usize = 12;
    // 13 is the count of child spans, which OTLP has no place for.
    pub const KIND: usize = 14;
    pub const TRACESTATE: usize = 15;
    pub const RESOURCE: usize = 16;
    /// The last one.
    pub const LAST: usize = 16;
}

/// `SpanKind` of a span.
pub mod kind {
    pub const UNSPECIFIED: u64 = 0;
    pub const SERVER: u64 = 1;
    pub const CLIENT: u64 = 2;
}

/// `Attributes` of a span, an annotation or a link.
pub mod attributes {
    /// `map<string, AttributeValue>`.
    pub const ATTRIBUTE_MAP: u32 = 1;
    pub const DROPPED_COUNT: u32 = 2;
}

/// An entry of a map.
pub mod entry {
    pub const KEY: u32 = 1;
    pub const VALUE: u32 = 2;
}

/// `AttributeValue`.
pub mod value {
    /// `TruncatableString`.
    pub const STRING: u32 = 1;
    pub const INT: u32 = 2;
    pub const BOOL: u32 = 3;
    pub const DOUBLE: u32 = 4;
}

/// `TruncatableString`.
pub mod truncatable {
    pub const VALUE: u32 = 1;
    /// How much was cut off, which OTLP has no place for.
    pub const TRUNCATED_BYTE_COUNT: u32 = 2;
}

/// `TimeEvents` of a span.
pub mod time_events {
    pub const TIME_EVENT: u32 = 1;
    pub const DROPPED_ANNOTATIONS_COUNT: u32 = 2;
    pub const DROPPED_MESSAGE_EVENTS_COUNT: u32 = 3;
}

/// `TimeEvent`.
pub mod time_event {
    pub const TIME: u32 = 1;
    pub const ANNOTATION: u32 = 2;
    pub const MESSAGE_EVENT: u32 = 3;
}

/// `Annotation`.
pub mod annotation {
    /// `TruncatableString`.
    pub const DESCRIPTION: u32 = 1;
    pub const ATTRIBUTES: u32 = 2;
}

/// `MessageEvent`.
pub mod message_event {
    pub const TYPE: u32 = 1;
    pub const ID: u32 = 2;
    pub const UNCOMPRESSED_SIZE: u32 = 3;
    pub const COMPRESSED_SIZE: u32 = 4;
}

/// `Links` of a span.
pub mod links {
    pub const LINK: u32 = 1;
    pub const DROPPED_LINKS_COUNT: u32 = 2;
}

/// `Link`.
pub mod link {
    pub const TRACE_ID: u32 = 1;
    pub const SPAN_ID: u32 = 2;
    pub const TYPE: u32 = 3;
    pub const ATTRIBUTES: u32 = 4;
    pub const TRACESTATE: u32 = 5;
}

/// `Status` of a span.
pub mod status {
    pub const CODE: u32 = 1;
    pub const MESSAGE: u32 = 2;
}

/// `Tracestate` of a span or a link.
pub mod tracestate {
    pub const ENTRIES: u32 = 1;
}

/// `google.protobuf.Timestamp`.
pub mod timestamp {
    pub const SECONDS: u32 = 1;
    pub const NANOS: u32 = 2;
}

/// `google.protobuf.BoolValue`.
pub mod wrapper {
    pub const VALUE: u32 = 1;
}
