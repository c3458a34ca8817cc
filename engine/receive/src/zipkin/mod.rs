//! Zipkin over HTTP: POST of spans to `/api/v2/spans` (JSON, protobuf) and `/api/v1/spans` (JSON, Thrift).
//! Source: the Zipkin API, `zipkin2-api.yaml` and `zipkin-api.yaml`.
//!
//! Other paths are taken for v2, as the OpenTelemetry collector does: senders are often configured with a prefix.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use http::{HeaderMap, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use spanloom_wire::zipkin::{self, Options};

use crate::Sink;
use crate::request::{Port, Protocol, Reply, http as shared};

/// Zipkin.
#[derive(Debug, Clone, Copy, Default)]
pub struct Zipkin {
    /// Whether tags whose text is a number or a truth value become attributes of that type.
    pub parse_string_tags: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    V1Json,
    V1Thrift,
    V2Json,
    V2Protobuf,
}

impl Format {
    /// By path and content type. What is no binary format is taken for JSON: `curl` and browsers name others.
    fn of(path: &str, content_type: &str) -> Result<Self, &'static str> {
        let json = ["", "application/json", "text/json", "text/plain", "application/x-www-form-urlencoded"];
        let is_v1 = path.contains("api/v1/spans");
        match content_type {
            _ if json.contains(&content_type) => Ok(if is_v1 { Self::V1Json } else { Self::V2Json }),
            "application/x-thrift" | "application/vnd.apache.thrift.binary" if is_v1 => Ok(Self::V1Thrift),
            "application/x-protobuf" | "application/protobuf" if !is_v1 => Ok(Self::V2Protobuf),
            _ if is_v1 => Err("application/json or application/x-thrift"),
            _ => Err("application/json or application/x-protobuf"),
        }
    }

    fn protocol(self) -> &'static str {
        match self {
            Self::V1Json => "zipkin_v1_json",
            Self::V1Thrift => "zipkin_v1_thrift",
            Self::V2Json => "zipkin_v2_json",
            Self::V2Protobuf => "zipkin_v2_protobuf",
        }
    }
}

impl Protocol for Zipkin {
    async fn answer<S: Sink>(&self, port: Arc<Port<S>>, request: Request<Incoming>) -> Response<Reply> {
        let origin = shared::allowed_origin(&port, request.headers());
        let mut response = self.route(&port, request).await;
        shared::allow_origin(origin, &mut response);
        response
    }
}

impl Zipkin {
    async fn route<S: Sink>(&self, port: &Port<S>, request: Request<Incoming>) -> Response<Reply> {
        let path = request.uri().path();
        match *request.method() {
            Method::POST => {}
            Method::GET if path == "/health" => {
                let up = br#"{"status":"UP"}"#.to_vec();
                return shared::with_type(StatusCode::OK, up, "application/json");
            }
            Method::OPTIONS if !port.config.cors_allowed_origins.is_empty() => {
                return shared::preflight(request.headers());
            }
            _ => return shared::wrong_method(request.method(), "POST"),
        }
        let format = match Format::of(path, &shared::content_type(request.headers())) {
            Ok(format) => format,
            Err(expected) => return shared::unsupported_type(request, expected).await,
        };
        let options =
            Options { debug: is_debug(request.headers()), parse_string_tags: self.parse_string_tags };
        let translate = move |bytes: &[u8], room: usize, out: &mut Vec<u8>| match format {
            Format::V1Json => zipkin::v1_json(bytes, &options, room, out),
            Format::V1Thrift => zipkin::v1_thrift(bytes, &options, room, out),
            Format::V2Json => zipkin::v2_json(bytes, &options, room, out),
            Format::V2Protobuf => zipkin::v2_proto(bytes, &options, room, out),
        };
        shared::translated(port, format.protocol(), request, translate).await
    }
}

/// Whether the header says that all spans of the request are wanted.
fn is_debug(headers: &HeaderMap) -> bool {
    headers.get("x-b3-flags").is_some_and(|flags| flags.as_bytes() == b"1")
}
