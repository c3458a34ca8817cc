//! Foreign bytes and OTLP bytes: what senders and readers speak, translated without a socket in sight.
//!
//! | file | holds |
//! |---|---|
//! | `foreign.rs` | what the translations of other formats share: writing OTLP, how they fail |
//! | `inflate.rs` | content encodings, under a limit |
//! | `json_in/` | reading JSON: the tokenizer, values one by one, protobuf's JSON by a table of the messages |
//! | `opencensus/` | OpenCensus agent requests, protobuf and JSON, to OTLP |
//! | `jaeger/` | Jaeger's Thrift and protobuf to OTLP, and its answers on sampling |
//! | `otlp_json/` | OTLP/JSON requests to protobuf |
//! | `query/` | the query API: requests over gRPC read, answers written as JSON and protobuf |
//! | `rfc3339.rs` | points in time as text |
//! | `thrift/` | Thrift's wire formats, for Jaeger and Zipkin |
//! | `zipkin/` | Zipkin's spans, v1 and v2 |
//! | `status.rs` | what a sender is told: `google.rpc.Status`, `ExportTraceServiceResponse` |
//! | `trace_json.rs` | a trace as JSON, for the query API |
//! | `trace_llm.rs` | the same in few words |
//! | `trace_proto.rs` | a trace as protobuf |
//! | `json_out.rs` | writing JSON text |
//!
//! **Invariant:** everything here takes bytes and gives bytes; no input makes it panic, recurse without a bound
//! or allocate more than a stated multiple of what it was given.

pub mod foreign;
pub mod inflate;
pub mod jaeger;
mod json_in;
pub mod json_out;
pub mod opencensus;
pub mod otlp_json;
pub mod query;
pub mod rfc3339;
pub mod status;
pub mod thrift;
pub mod trace_json;
pub mod trace_llm;
pub mod trace_proto;
pub mod zipkin;

pub use foreign::{Fault, Foreign};
pub use inflate::{Encoding, InflateError};
pub use json_out::Object;
pub use status::{Code, ExportResponse, Status};
pub use trace_json::TraceReport;
