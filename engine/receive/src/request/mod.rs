//! What every protocol over HTTP shares: a body taken whole and within limits, gRPC framing, answers.
//!
//! | file | holds |
//! |---|---|
//! | `mod.rs` | a protocol on a port |
//! | `intake.rs` | a body into one buffer: admitted before it is read, inflated and translated after |
//! | `grpc.rs` | gRPC: framing, trailers, deadlines, health |
//! | `http.rs` | HTTP: content types and encodings, plain answers, browsers |
//! | `question.rs` | short questions over gRPC, for the query API |
//! | `reply.rs` | the body of an answer |

pub(crate) mod grpc;
pub(crate) mod http;
pub(crate) mod intake;
pub mod question;
mod reply;

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use ::http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::Service;

use crate::serve::Shutdown;
use crate::{ReceiveConfig, ReceiveMetrics, Sink};
pub use reply::Reply;

/// A protocol: what becomes of a request over HTTP.
pub trait Protocol: Clone + Send + Sync + 'static {
    /// Answers a request.
    fn answer<S: Sink>(
        &self,
        port: Arc<Port<S>>,
        request: Request<Incoming>,
    ) -> impl Future<Output = Response<Reply>> + Send;
}

/// What a protocol has on its port: where requests go, and the limits on them.
pub struct Port<S> {
    pub(crate) sink: S,
    pub(crate) config: ReceiveConfig,
    pub(crate) metrics: ReceiveMetrics,
    pub(crate) shutdown: Shutdown,
}

/// A protocol on a port, for [`crate::serve`].
pub struct Receiver<P, S> {
    protocol: P,
    port: Arc<Port<S>>,
}

impl<P: Protocol, S: Sink> Receiver<P, S> {
    /// A service that hands what comes to `sink`. `shutdown` is asked whether it has begun, for health checks, and
    /// ends streams of requests.
    pub fn new(
        protocol: P,
        sink: S,
        config: ReceiveConfig,
        metrics: ReceiveMetrics,
        shutdown: Shutdown,
    ) -> Self {
        Self { protocol, port: Arc::new(Port { sink, config, metrics, shutdown }) }
    }
}

impl<P: Clone, S> Clone for Receiver<P, S> {
    fn clone(&self) -> Self {
        Self { protocol: self.protocol.clone(), port: self.port.clone() }
    }
}

impl<P: Protocol, S: Sink> Service<Request<Incoming>> for Receiver<P, S> {
    type Response = Response<Reply>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Reply>, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let (protocol, port) = (self.protocol.clone(), self.port.clone());
        Box::pin(async move { Ok(protocol.answer(port, request).await) })
    }
}
