//! Stop 1 of 9: receive. Takes an OTLP request from a socket, over gRPC or HTTP, and hands on one contiguous
//! `ExportTraceServiceRequest` with its tenant and the permit for its bytes. Budget: 400 ns a span.
//!
//! The bytes are copied once, from the transport's frames into a buffer of exactly the request's size; a
//! compressed or JSON body is turned into a second such buffer. Nothing is decoded here.
//!
//! | file | holds |
//! |---|---|
//! | `intake.rs` | a body into one buffer: admitted before it is read, inflated after |
//! | `grpc.rs` | gRPC: framing, trailers, deadlines, health |
//! | `http.rs` | HTTP: content types, statuses, browsers |
//! | `reply.rs` | the body of an answer |

mod grpc;
mod http;
mod intake;
mod reply;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use ::http::{Request, Response, header};
use hyper::body::Incoming;
use hyper::service::Service;

use crate::serve::Shutdown;
use crate::{ReceiveConfig, ReceiveMetrics, Sink};
pub use reply::Reply;

/// The OTLP service: gRPC and HTTP on the same port, for `serve`.
pub struct Otlp<S> {
    inner: Arc<Inner<S>>,
}

struct Inner<S> {
    sink: S,
    config: ReceiveConfig,
    metrics: ReceiveMetrics,
    shutdown: Shutdown,
}

impl<S: Sink> Otlp<S> {
    /// A service that hands requests to `sink`. `shutdown` is only asked whether it has begun, for health checks.
    pub fn new(sink: S, config: ReceiveConfig, metrics: ReceiveMetrics, shutdown: Shutdown) -> Self {
        Self { inner: Arc::new(Inner { sink, config, metrics, shutdown }) }
    }
}

impl<S> Clone for Otlp<S> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone() }
    }
}

impl<S: Sink> Service<Request<Incoming>> for Otlp<S> {
    type Response = Response<Reply>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Reply>, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let inner = self.inner.clone();
        Box::pin(async move {
            let content_type = request.headers().get(header::CONTENT_TYPE);
            let is_grpc = content_type.is_some_and(|t| t.as_bytes().starts_with(b"application/grpc"));
            Ok(if is_grpc {
                grpc::answer(&inner, request).await
            } else {
                http::answer(&inner, request).await
            })
        })
    }
}
