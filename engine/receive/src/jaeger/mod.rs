//! Jaeger: batches of spans in Thrift over HTTP (14268) and in protobuf over gRPC (14250), sampling strategies over
//! both and for the agent's port (5778). Every port answers all of it. Datagrams are `agent.rs`; `storage.rs` is for those who
//! have their storage here.
//! Sources: `jaeger.thrift`, `agent.thrift`, `collector.proto`, `sampling.proto` of jaeger-idl.

mod agent;
mod storage;
mod strategies;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use spanloom_wire::jaeger::sampling::{self, TypeAs};
use spanloom_wire::{jaeger, thrift};

use crate::request::intake::Load;
use crate::request::{Port, Protocol, Reply, grpc, http as shared};
use crate::{Refusal, Sink};
pub use agent::{AgentPort, translate};
pub use storage::JaegerStorage;
pub use strategies::{Strategies, StrategiesError};

const POST_SPANS: &str = "/jaeger.api_v2.CollectorService/PostSpans";
const GET_STRATEGY: &str = "/jaeger.api_v2.SamplingManager/GetSamplingStrategy";
const SERVICES: [&str; 2] = ["jaeger.api_v2.CollectorService", "jaeger.api_v2.SamplingManager"];

/// Paths under which clients of different ages ask what to sample.
const SAMPLING: [&str; 3] = ["/sampling", "/api/sampling", "/"];

/// Jaeger.
#[derive(Clone, Default)]
pub struct Jaeger {
    /// What clients are told to sample.
    pub strategies: Arc<Strategies>,
}

impl Protocol for Jaeger {
    async fn answer<S: Sink>(&self, port: Arc<Port<S>>, request: Request<Incoming>) -> Response<Reply> {
        if grpc::is(request.headers()) {
            return self.grpc(&port, request).await;
        }
        let origin = shared::allowed_origin(&port, request.headers());
        let mut response = self.http(&port, request).await;
        shared::allow_origin(origin, &mut response);
        response
    }
}

impl Jaeger {
    async fn grpc<S: Sink>(&self, port: &Port<S>, request: Request<Incoming>) -> Response<Reply> {
        if let Some(response) = grpc::wrong_transport(&request) {
            return response;
        }
        match request.uri().path() {
            POST_SPANS => {
                let push = async |tenant, load: Load| {
                    let limit = port.config.max_request_bytes;
                    let load = load.translate(&port.sink, limit, jaeger::post_spans).await?;
                    let accepted = port.sink.push(tenant, load.bytes, load.held).await?;
                    // `PostSpansResponse` has no fields.
                    Ok((accepted, Vec::new()))
                };
                grpc::unary(port, "jaeger_grpc", request, push).await
            }
            GET_STRATEGY => match self.strategy(port, request).await {
                Ok(answer) => grpc::succeeded(&answer),
                Err(refusal) => grpc::refused(&refusal),
            },
            grpc::HEALTH => grpc::health(port, &SERVICES, request).await,
            path => grpc::unknown_method(path, POST_SPANS),
        }
    }

    async fn strategy<S: Sink>(
        &self,
        port: &Port<S>,
        request: Request<Incoming>,
    ) -> Result<Vec<u8>, Refusal> {
        let load = grpc::small(port, request).await?;
        let service = sampling::service(&load.bytes);
        let service = service.map_err(|error| Refusal::Invalid(error.to_string()))?;
        Ok(self.strategies.of(service).to_proto())
    }

    async fn http<S: Sink>(&self, port: &Port<S>, request: Request<Incoming>) -> Response<Reply> {
        let path = request.uri().path();
        match (request.method(), path) {
            (&Method::POST, "/api/traces") => self.batch(port, request).await,
            (&Method::OPTIONS, "/api/traces") if !port.config.cors_allowed_origins.is_empty() => {
                shared::preflight(request.headers())
            }
            (method, "/api/traces") => shared::wrong_method(method, "POST"),
            // Those who ask without a path are of a time when the type was a number.
            (&Method::GET, "/") => self.sampling(request.uri().query(), TypeAs::Number),
            (&Method::GET, path) if SAMPLING.contains(&path) => {
                self.sampling(request.uri().query(), TypeAs::Name)
            }
            // Clients that ask what baggage they may carry are told: no restrictions.
            (&Method::GET, "/baggageRestrictions") => {
                shared::with_type(StatusCode::OK, b"[]".to_vec(), "application/json")
            }
            (method, path) if SAMPLING.contains(&path) || path == "/baggageRestrictions" => {
                shared::wrong_method(method, "GET")
            }
            (_, path) => {
                let expected = "POST /api/traces or GET /sampling?service=NAME";
                shared::plain(
                    StatusCode::NOT_FOUND,
                    format!("there is nothing at {path}, expected {expected}\n"),
                )
            }
        }
    }

    async fn batch<S: Sink>(&self, port: &Port<S>, request: Request<Incoming>) -> Response<Reply> {
        let content_type = shared::content_type(request.headers());
        match content_type.as_str() {
            "application/x-thrift" | "application/vnd.apache.thrift.binary" => {
                let translate = |bytes: &[u8], room: usize, out: &mut Vec<u8>| {
                    jaeger::batch(thrift::Protocol::Binary, bytes, room, out)
                };
                shared::translated(port, "jaeger_http", request, translate).await
            }
            "application/vnd.apache.thrift.compact" => {
                let translate = |bytes: &[u8], room: usize, out: &mut Vec<u8>| {
                    jaeger::batch(thrift::Protocol::Compact, bytes, room, out)
                };
                shared::translated(port, "jaeger_http", request, translate).await
            }
            _ => {
                let expected = "application/x-thrift, application/vnd.apache.thrift.binary or \
                                application/vnd.apache.thrift.compact";
                let mut response = shared::unsupported_type(request, expected).await;
                // As Jaeger's own collector has it.
                *response.status_mut() = StatusCode::BAD_REQUEST;
                response
            }
        }
    }

    /// `?service=NAME`, once.
    fn sampling(&self, query: Option<&str>, type_as: TypeAs) -> Response<Reply> {
        let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        let mut names = pairs.filter(|(key, _)| key == "service").map(|(_, name)| name);
        match (names.next(), names.next()) {
            (Some(name), None) if !name.is_empty() => {
                let answer = self.strategies.of(&name).to_json(type_as);
                shared::with_type(StatusCode::OK, answer, "application/json")
            }
            _ => shared::plain(
                StatusCode::BAD_REQUEST,
                "the parameter service is not there once, expected ?service=NAME\n".into(),
            ),
        }
    }
}
