//! Stop 1 of 9: receive. Takes an OTLP request from a socket, over gRPC or HTTP, and hands on one contiguous
//! `ExportTraceServiceRequest` with its tenant and the permit for its bytes. Budget: 400 ns a span.
//!
//! The bytes are copied once, from the transport's frames into a buffer of exactly the request's size; a
//! compressed or JSON body is turned into a second such buffer. Nothing is decoded here.
//!
//! | file | holds |
//! |---|---|
//! | `grpc.rs` | OTLP over gRPC |
//! | `http.rs` | OTLP over HTTP: content types, statuses, browsers |

mod grpc;
mod http;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use ::http::{Request, Response};
use hyper::body::Incoming;

use crate::Sink;
use crate::request::{self, Port, Protocol, Reply};

/// OTLP: gRPC and HTTP on the same port.
#[derive(Debug, Clone, Copy, Default)]
pub struct Otlp;

impl Protocol for Otlp {
    async fn answer<S: Sink>(&self, port: Arc<Port<S>>, request: Request<Incoming>) -> Response<Reply> {
        if request::grpc::is(request.headers()) {
            grpc::answer(&port, request).await
        } else {
            http::answer(&port, request).await
        }
    }
}
