//! The listeners: bytes from senders, admitted, inflated, handed to a [`Sink`]. Stop 1 of the walk.
//!
//! | file | holds |
//! |---|---|
//! | `sink.rs` | what a listener hands a request to, and the one table from refusal to gRPC code and HTTP status |
//! | `config.rs` | what an operator may set |
//! | `text.rs` | durations and sizes as people write them |
//! | `metrics.rs` | what is counted |
//! | `tenant.rs` | whose spans they are |
//! | `datagram/` | datagrams, received in batches |
//! | `request/` | what every protocol over HTTP shares: bodies, gRPC framing, answers |
//! | `serve/` | connections: HTTP/1.1 and h2c on one port, bounded, ending gracefully; the query API uses it too |
//! | `otlp/` | OTLP over gRPC and HTTP |
//! | `jaeger/` | Jaeger: Thrift over HTTP and datagrams, gRPC, sampling strategies |
//! | `zipkin/` | Zipkin over HTTP |
//! | `opencensus/` | OpenCensus: streams over gRPC, JSON over HTTP |
//!
//! **Invariants:** no byte of a body is kept before it was admitted. Nobody waits for a sender that stalls:
//! every await on the network has a limit. This crate knows nothing of the engine behind the sink.

pub mod config;
pub mod datagram;
pub mod jaeger;
pub mod metrics;
pub mod opencensus;
pub mod otlp;
pub mod request;
pub mod serve;
pub mod sink;
pub mod tenant;
#[cfg(test)]
mod testing;
pub mod text;
pub mod zipkin;

pub use config::{ReceiveConfig, ServeConfig};
pub use datagram::{DatagramSocket, Datagrams};
pub use jaeger::{Jaeger, JaegerStorage, Strategies};
pub use metrics::{DatagramMetrics, ReceiveMetrics, ServeMetrics};
pub use opencensus::OpenCensus;
pub use otlp::Otlp;
pub use request::{Protocol, Receiver};
pub use serve::{PeerAddress, Shutdown, Trigger, bind, serve, shutdown};
pub use sink::{Accepted, Held, Refusal, Sink};
pub use zipkin::Zipkin;
