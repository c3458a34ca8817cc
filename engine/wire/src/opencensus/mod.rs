//! OpenCensus to OTLP: what clients of the OpenCensus agent send, as protobuf or as JSON.
//!
//! A client opens the stream `opencensus.proto.agent.trace.v1.TraceService/Export` and sends
//! `ExportTraceServiceRequest` messages. The stream is sticky: the node and the resource of a message hold for
//! those after it, until another is sent. [`Stream`] remembers them. `POST /v1/trace` carries the same messages
//! as JSON, one after the other; each body is a stream of its own.
//!
//! The rules are those of the OpenTelemetry Collector's OpenCensus receiver, which is the way that the
//! OpenTelemetry specification ("OpenCensus Compatibility", migrating from the agent) names.
//! `docs/protocols/opencensus.md` has them as tables, with what OTLP cannot say.
//!
//! | file | holds |
//! |---|---|
//! | `stream.rs` | what is remembered of a stream; a message into `ResourceSpans` |
//! | `json.rs` | the messages as a table, to read them as JSON |
//! | `fields.rs` | field numbers of the messages |
//! | `read.rs` | reading them, with errors that tell the place |
//! | `resource.rs` | a node and a resource into the attributes of one resource |
//! | `span.rs` | spans |
//! | `event.rs` | time events and links |
//! | `value.rs` | attributes, timestamps, trace states |
//!
//! **Invariant:** what is written is at most `room` and a little more before it is refused, whatever a message
//! claims; a message that fails leaves the buffer and the stream as they were.

mod event;
mod fields;
mod json;
mod read;
mod resource;
mod span;
mod stream;
mod value;

pub use stream::{MAX_REMEMBERED, Stream};
