//! OpenCensus: `TraceService/Export`, a stream of requests over gRPC, and the same as JSON, POST to `/v1/trace`, on
//! one port (55678). Source: `trace_service.proto` of opencensus-proto.
//!
//! A stream is acknowledged when it ends: the protocol has no answer to a single message. Up to [`UNDER_WAY`]
//! messages are on their way into the log at once, so that they share its syncs; one that is refused ends the
//! stream with the reason, and the client connects again.

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use spanloom_span::Tenant;
use spanloom_wire::{Encoding, opencensus};
use tokio::time::Instant;

use crate::request::grpc::{self, Messages};
use crate::request::intake::{Intake, Load};
use crate::request::{Port, Protocol, Reply, http as shared};
use crate::{Refusal, Sink, tenant};

const EXPORT: &str = "/opencensus.proto.agent.trace.v1.TraceService/Export";
const CONFIG: &str = "/opencensus.proto.agent.trace.v1.TraceService/Config";
const METRICS: &str = "/opencensus.proto.agent.metrics.v1.MetricsService/Export";
const SERVICES: [&str; 1] = ["opencensus.proto.agent.trace.v1.TraceService"];
const PROTOCOL: &str = "opencensus_grpc";

/// Most messages of a stream on their way into the log.
const UNDER_WAY: usize = 16;

/// OpenCensus.
#[derive(Debug, Clone, Copy, Default)]
pub struct OpenCensus;

impl Protocol for OpenCensus {
    async fn answer<S: Sink>(&self, port: Arc<Port<S>>, request: Request<Incoming>) -> Response<Reply> {
        if grpc::is(request.headers()) {
            return over_grpc(port, request).await;
        }
        let origin = shared::allowed_origin(&port, request.headers());
        let mut response = over_http(&port, request).await;
        shared::allow_origin(origin, &mut response);
        response
    }
}

async fn over_http<S: Sink>(port: &Port<S>, request: Request<Incoming>) -> Response<Reply> {
    let path = request.uri().path();
    if path != "/v1/trace" {
        let text = format!("there is nothing at {path}, expected POST /v1/trace\n");
        return shared::plain(StatusCode::NOT_FOUND, text);
    }
    if request.method() == Method::OPTIONS && !port.config.cors_allowed_origins.is_empty() {
        return shared::preflight(request.headers());
    }
    if request.method() != Method::POST {
        return shared::wrong_method(request.method(), "POST");
    }
    if !["", "application/json"].contains(&shared::content_type(request.headers()).as_str()) {
        return shared::unsupported_type(request, "application/json").await;
    }
    let translate = |body: &[u8], room: usize, out: &mut Vec<u8>| {
        opencensus::Stream::default().translate_json(body, room, out)
    };
    let mut response = shared::translated(port, "opencensus_json", request, translate).await;
    if response.status() == StatusCode::ACCEPTED {
        // As the gateway answered that took this before.
        response = shared::with_type(StatusCode::OK, b"{}".to_vec(), "application/json");
    }
    response
}

async fn over_grpc<S: Sink>(port: Arc<Port<S>>, request: Request<Incoming>) -> Response<Reply> {
    if let Some(response) = grpc::wrong_transport(&request) {
        return response;
    }
    match request.uri().path() {
        EXPORT => {
            let (head, body) = request.into_parts();
            let tenant = tenant::of(&head.headers, port.config.multitenancy);
            match tenant.and_then(|tenant| Ok((tenant, grpc::encoding(&head.headers)?))) {
                Ok((tenant, encoding)) => grpc::streamed(export(port, tenant, encoding, body)),
                Err(refusal) => grpc::refused(&refusal),
            }
        }
        // A client offers its configuration and waits for ours: there is none to give, the stream stays open.
        CONFIG => grpc::streamed(configure(port, request.into_body())),
        // OpenCensus for Go opens this stream beside the others, and gives the connection up when its first message
        // cannot be sent. So that is read before it is told that metrics are not taken.
        METRICS => grpc::streamed(async move {
            let mut messages = Messages::new(request.into_body());
            if wait(&port, &mut messages).await? {
                messages.next(Intake::new(&port.sink, &port.config)).await?;
            }
            Err(Refusal::Unsupported(format!("{METRICS} is not served here, expected {EXPORT}")))
        }),
        grpc::HEALTH => grpc::health(&port, &SERVICES, request).await,
        path => grpc::unknown_method(path, EXPORT),
    }
}

/// Takes the messages of a stream until the client ends it.
async fn export<S: Sink>(
    port: Arc<Port<S>>,
    tenant: Tenant,
    encoding: Encoding,
    body: Incoming,
) -> Result<(), Refusal> {
    let reading =
        Reading { port: port.clone(), encoding, messages: Messages::new(body), state: Arc::default() };
    let mut next = Box::pin(reading.next());
    let mut under_way = FuturesUnordered::new();
    let outcome = loop {
        tokio::select! {
            (reading, load) = &mut next, if under_way.len() < UNDER_WAY => match load {
                Ok(Some(load)) => {
                    under_way.push(push(&port, &tenant, load));
                    next = Box::pin(reading.next());
                }
                Ok(None) => break Ok(()),
                Err(refusal) => break Err(refusal),
            },
            Some(pushed) = under_way.next() => if let Err(refusal) = pushed {
                break Err(refusal);
            },
        }
    };
    // What came before the end, or before what is wrong, is kept all the same.
    under_way.fold(outcome, |outcome, pushed| std::future::ready(outcome.and(pushed))).await
}

async fn push<S: Sink>(port: &Port<S>, tenant: &Tenant, load: Load) -> Result<(), Refusal> {
    let began = Instant::now();
    let outcome = port.sink.push(tenant.clone(), load.bytes, load.held).await;
    port.metrics.answered(PROTOCOL, &outcome, began.elapsed().as_secs_f64());
    outcome.map(|_| ())
}

/// A stream being read.
struct Reading<S> {
    port: Arc<Port<S>>,
    encoding: Encoding,
    messages: Messages<Incoming>,
    state: Arc<Mutex<opencensus::Stream>>,
}

impl<S: Sink> Reading<S> {
    /// Waits for the next message and translates it; `None` at the end.
    async fn next(mut self) -> (Self, Result<Option<Load>, Refusal>) {
        let load = self.load().await;
        (self, load)
    }

    async fn load(&mut self) -> Result<Option<Load>, Refusal> {
        if !wait(&self.port, &mut self.messages).await? {
            return Ok(None);
        }
        let port = &*self.port;
        let message = self.messages.next(Intake::new(&port.sink, &port.config)).await?;
        let Some((compressed, load)) = message else { return Ok(None) };
        translate(port, self.encoding, compressed, load, self.state.clone()).await.map(Some)
    }
}

/// Waits for a message, for as long as the server runs; false at the end of the stream.
async fn wait<S: Sink>(port: &Port<S>, messages: &mut Messages<Incoming>) -> Result<bool, Refusal> {
    let mut shutdown = port.shutdown.clone();
    tokio::select! {
        more = messages.wait() => more,
        () = shutdown.begun() => Err(Refusal::ShuttingDown),
    }
}

async fn translate<S: Sink>(
    port: &Port<S>,
    encoding: Encoding,
    compressed: bool,
    load: Load,
    state: Arc<Mutex<opencensus::Stream>>,
) -> Result<Load, Refusal> {
    let limit = port.config.max_request_bytes;
    let sent = load.bytes.len();
    let load = load.inflate_message(&port.sink, compressed, encoding, limit).await?;
    port.metrics.came(PROTOCOL, sent, load.bytes.len());
    let translate = move |bytes: &[u8], room: usize, out: &mut Vec<u8>| {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        state.translate(bytes, room, out)
    };
    let translated = load.translate(&port.sink, limit, translate).await;
    if let Err(refusal) = &translated {
        port.metrics.answered(PROTOCOL, &Err(refusal.clone()), 0.0);
    }
    translated
}

/// Reads what a client offers, and waits until it goes.
async fn configure<S: Sink>(port: Arc<Port<S>>, body: Incoming) -> Result<(), Refusal> {
    let mut messages = Messages::new(body);
    while wait(&port, &mut messages).await? {
        if messages.next(Intake::new(&port.sink, &port.config)).await?.is_none() {
            break;
        }
    }
    Ok(())
}
