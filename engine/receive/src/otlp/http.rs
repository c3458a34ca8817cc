//! OTLP over HTTP: POST of protobuf or JSON to `/v1/traces` (in 2020: `/v1/trace`).
//! Source: the OTLP specification, section OTLP/HTTP.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body::Body;
use spanloom_wire::{ExportResponse, Status, otlp_json};
use tokio::time::Instant;

use crate::request::{Port, Reply, http as shared};
use crate::{Accepted, Refusal, Sink};

const PATHS: [&str; 2] = ["/v1/traces", "/v1/trace"];

/// How a request's body, and its answer, are written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Protobuf,
    Json,
}

impl Format {
    fn of(headers: &HeaderMap) -> Option<Self> {
        match shared::content_type(headers).as_str() {
            "application/x-protobuf" | "application/protobuf" => Some(Format::Protobuf),
            "application/json" => Some(Format::Json),
            _ => None,
        }
    }

    fn content_type(self) -> &'static str {
        match self {
            Format::Protobuf => "application/x-protobuf",
            Format::Json => "application/json",
        }
    }

    fn protocol(self) -> &'static str {
        match self {
            Format::Protobuf => "http_protobuf",
            Format::Json => "http_json",
        }
    }
}

/// Answers a request that is not gRPC.
pub(super) async fn answer<S, B>(port: &Port<S>, request: Request<B>) -> Response<Reply>
where
    S: Sink,
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let origin = shared::allowed_origin(port, request.headers());
    let mut response = route(port, request).await;
    shared::allow_origin(origin, &mut response);
    response
}

async fn route<S, B>(port: &Port<S>, request: Request<B>) -> Response<Reply>
where
    S: Sink,
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let path = request.uri().path();
    if !PATHS.contains(&path) {
        let text = format!("there is nothing at {path}, expected POST {}\n", PATHS[0]);
        return shared::plain(StatusCode::NOT_FOUND, text);
    }
    if request.method() == Method::OPTIONS && !port.config.cors_allowed_origins.is_empty() {
        return shared::preflight(request.headers());
    }
    if request.method() != Method::POST {
        return shared::wrong_method(request.method(), "POST");
    }
    match Format::of(request.headers()) {
        Some(format) => export(port, request, format).await,
        None => shared::unsupported_type(request, "application/x-protobuf or application/json").await,
    }
}

async fn export<S, B>(port: &Port<S>, request: Request<B>, format: Format) -> Response<Reply>
where
    S: Sink,
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let began = Instant::now();
    let (head, mut body) = request.into_parts();
    let outcome = take(port, &head.headers, &mut body, format).await;
    port.metrics.answered(format.protocol(), &outcome, began.elapsed().as_secs_f64());
    match outcome {
        Ok(accepted) => succeeded(&accepted, format),
        Err(refusal) => {
            let mut response = refused(&refusal, format);
            shared::settle(head.version, &refusal, &mut body, &mut response).await;
            response
        }
    }
}

async fn take<S, B>(
    port: &Port<S>,
    headers: &HeaderMap,
    body: &mut B,
    format: Format,
) -> Result<Accepted, Refusal>
where
    S: Sink,
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let taken = shared::take(port, format.protocol(), headers, body).await?;
    let load = match format {
        Format::Protobuf => taken.load,
        Format::Json => {
            let translate = |json: &[u8]| otlp_json::to_proto(json).map_err(|e| e.to_string());
            taken.load.rewrite(&port.sink, translate).await?
        }
    };
    port.sink.push(taken.tenant, load.bytes, load.held).await
}

fn succeeded(accepted: &Accepted, format: Format) -> Response<Reply> {
    let answer = ExportResponse { rejected_spans: accepted.refused_spans, message: &accepted.message };
    let body = match format {
        Format::Protobuf => answer.to_proto(),
        Format::Json => answer.to_json(),
    };
    shared::with_type(StatusCode::OK, body, format.content_type())
}

fn refused(refusal: &Refusal, format: Format) -> Response<Reply> {
    let message = refusal.to_string();
    let status = Status { code: refusal.code(), message: &message, retry_after: refusal.retry_after() };
    let body = match format {
        Format::Protobuf => status.to_proto(),
        Format::Json => status.to_json(),
    };
    let mut response = shared::with_type(refusal.http_status(), body, format.content_type());
    shared::add_hints(refusal, response.headers_mut());
    response
}
