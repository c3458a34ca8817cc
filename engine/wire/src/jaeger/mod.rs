//! Jaeger to OTLP and back: batches in Thrift, over HTTP and in datagrams, and in protobuf, over gRPC; and the answers
//! to clients that ask how to sample.
//!
//! Each translation appends `ResourceSpans` to a buffer, or leaves it as it was; what it appends takes at
//! most `room` bytes. What of Jaeger becomes what of OTLP is written down in `docs/protocols/jaeger.md`; the
//! rules are those that OpenTelemetry published for its Jaeger exporters (specification 1.8, "OpenTelemetry
//! to Jaeger Transformation") and that its Collector applies backwards (`pkg/translator/jaeger`).
//!
//! Sources: `jaeger.thrift`, `agent.thrift`, `sampling.thrift`, `api_v2/model.proto`,
//! `api_v2/collector.proto` and `api_v2/sampling.proto` of <https://github.com/jaegertracing/jaeger-idl>.
//!
//! | file | holds |
//! |---|---|
//! | `datagram.rs` | a call of the agent: `emitBatch` |
//! | `batch.rs` | a batch in Thrift |
//! | `post_spans.rs` | a batch in protobuf |
//! | `tag.rs` | a key and a value |
//! | `process.rs` | a process as a resource |
//! | `special.rs` | tags that are fields of an OTLP span: kind, status, scope and others |
//! | `draft.rs` | a span, gathered in any order, written in OTLP's |
//! | `spans.rs` | the spans of a batch, put together by resource and scope |
//! | `out/` | the other way: a stored trace as Jaeger's readers know it |
//! | `answer.rs` | the JSON around them: names, dependencies, series, errors |
//! | `query.rs` | what is asked over gRPC, and the answers that are no spans |
//! | `sampling.rs` | how a service is to sample, as JSON and protobuf |

pub mod answer;
mod batch;
mod datagram;
mod draft;
pub mod out;
mod post_spans;
mod process;
pub mod query;
pub mod sampling;
mod spans;
mod special;
mod tag;

pub use batch::batch;
pub use datagram::datagram;
pub use post_spans::{post_spans, write_span};
pub use special::{kind_name, kind_number};

use crate::thrift::Limits;

/// Bounds on what Thrift messages of Jaeger may hold. Bodies and datagrams are bounded by those who receive
/// them.
fn limits() -> Limits {
    Limits { max_bytes: u32::MAX as usize, ..Limits::default() }
}
