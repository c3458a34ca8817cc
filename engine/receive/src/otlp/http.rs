//! OTLP over HTTP: POST of protobuf or JSON to `/v1/traces` (in 2020: `/v1/trace`).
//! Source: the OTLP specification, section OTLP/HTTP.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version, header};
use http_body::Body;
use spanloom_wire::{Encoding, ExportResponse, Status, inflate, otlp_json};
use tokio::time::Instant;

use super::intake::{Intake, Load};
use super::{Inner, Reply};
use crate::{Accepted, Refusal, Sink, tenant};

const PATHS: [&str; 2] = ["/v1/traces", "/v1/trace"];

/// A body that nobody will look at is read up to here before an HTTP/1.1 answer, so that the sender gets to see
/// the answer instead of a reset connection.
const DISCARD_BYTES: usize = 4 << 20;

/// And for at most this long.
const DISCARD_TIME: Duration = Duration::from_secs(2);

/// How a request's body, and its answer, are written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Protobuf,
    Json,
}

impl Format {
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
pub(super) async fn answer<S, B>(inner: &Inner<S>, request: Request<B>) -> Response<Reply>
where
    S: Sink,
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let origin = allowed_origin(inner, request.headers());
    let mut response = route(inner, request).await;
    if let Some(origin) = origin {
        response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        response.headers_mut().append(header::VARY, HeaderValue::from_static("origin"));
    }
    response
}

async fn route<S, B>(inner: &Inner<S>, request: Request<B>) -> Response<Reply>
where
    S: Sink,
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let path = request.uri().path();
    if !PATHS.contains(&path) {
        let text = format!("there is nothing at {path}, expected POST {}\n", PATHS[0]);
        return plain(StatusCode::NOT_FOUND, text);
    }
    if request.method() == Method::OPTIONS && !inner.config.cors_allowed_origins.is_empty() {
        return preflight(request.headers());
    }
    if request.method() != Method::POST {
        let text = format!("the method is {}, expected POST\n", request.method());
        let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, text);
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
        return response;
    }
    let Some(format) = format(request.headers()) else {
        let found = request.headers().get(header::CONTENT_TYPE);
        let found = found.map_or("missing".into(), |value| format!("{value:?}"));
        let text =
            format!("the content type is {found}, expected application/x-protobuf or application/json\n");
        discard(request).await;
        return plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, text);
    };
    export(inner, request, format).await
}

async fn export<S, B>(inner: &Inner<S>, request: Request<B>, format: Format) -> Response<Reply>
where
    S: Sink,
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let began = Instant::now();
    let (head, mut body) = request.into_parts();
    let outcome = take(inner, &head.headers, &mut body, format).await;
    inner.metrics.answered(format.protocol(), &outcome, began.elapsed().as_secs_f64());
    match outcome {
        Ok(accepted) => succeeded(&accepted, format),
        Err(refusal) => {
            let mut response = refused(&refusal, format);
            match (head.version < Version::HTTP_2, refusal) {
                (false, _) => {}
                // What is left of the body would be taken for the next request.
                (true, Refusal::Stalled { .. }) => {
                    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
                }
                (true, _) => read_to_nowhere(&mut body).await,
            }
            response
        }
    }
}

async fn take<S, B>(
    inner: &Inner<S>,
    headers: &HeaderMap,
    body: &mut B,
    format: Format,
) -> Result<Accepted, Refusal>
where
    S: Sink,
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let tenant = tenant::of(headers, inner.config.multitenancy)?;
    let encoding = encoding(headers)?;
    let load = whole(inner, body).await?;
    let sent = load.bytes.len();
    let load = load.inflate(&inner.sink, encoding, inner.config.max_request_bytes).await?;
    inner.metrics.came(format.protocol(), sent, load.bytes.len());
    let load = match format {
        Format::Protobuf => load,
        Format::Json => {
            let translate = |json: &[u8]| otlp_json::to_proto(json).map_err(|e| e.to_string());
            load.translate(&inner.sink, translate).await?
        }
    };
    inner.sink.push(tenant, load.bytes, load.held).await
}

/// Reads the body into one buffer.
async fn whole<S, B>(inner: &Inner<S>, body: &mut B) -> Result<Load, Refusal>
where
    S: Sink,
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let mut intake = Intake::new(&inner.sink, &inner.config);
    if let Some(length) = body.size_hint().exact() {
        intake.expect(usize::try_from(length).unwrap_or(usize::MAX)).await?;
    }
    while let Some(data) = intake.next(body).await? {
        intake.keep(&data).await?;
    }
    Ok(intake.finish().fit(&inner.sink))
}

fn format(headers: &HeaderMap) -> Option<Format> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let essence = value.split(';').next().unwrap_or(value).trim();
    match () {
        () if essence.eq_ignore_ascii_case("application/x-protobuf") => Some(Format::Protobuf),
        () if essence.eq_ignore_ascii_case("application/protobuf") => Some(Format::Protobuf),
        () if essence.eq_ignore_ascii_case("application/json") => Some(Format::Json),
        () => None,
    }
}

fn encoding(headers: &HeaderMap) -> Result<Encoding, Refusal> {
    let mut values = headers.get_all(header::CONTENT_ENCODING).iter();
    let Some(value) = values.next() else { return Ok(Encoding::Identity) };
    let encoding = value.to_str().ok().and_then(Encoding::parse).filter(|_| values.next().is_none());
    encoding.ok_or_else(|| {
        let expected = inflate::ACCEPTED_ENCODINGS;
        Refusal::Unsupported(format!("the content encoding is {value:?}, expected one of {expected}"))
    })
}

/// Reads what is left of a body and drops it, within limits.
async fn read_to_nowhere<B: Body + Unpin>(body: &mut B) {
    let read = async {
        let mut left = DISCARD_BYTES;
        while left > 0 && !body.is_end_stream() {
            let frame = std::future::poll_fn(|cx| std::pin::Pin::new(&mut *body).poll_frame(cx)).await;
            let Some(Ok(frame)) = frame else { break };
            let read = frame.data_ref().map_or(0, bytes::Buf::remaining);
            left = left.saturating_sub(read);
        }
    };
    // Whatever came is dropped; whether all came changes nothing.
    let _ = tokio::time::timeout(DISCARD_TIME, read).await;
}

async fn discard<B: Body + Unpin>(mut request: Request<B>) {
    if request.version() < Version::HTTP_2 {
        read_to_nowhere(request.body_mut()).await;
    }
}

fn succeeded(accepted: &Accepted, format: Format) -> Response<Reply> {
    let answer = ExportResponse { rejected_spans: accepted.refused_spans, message: &accepted.message };
    let body = match format {
        Format::Protobuf => answer.to_proto(),
        Format::Json => answer.to_json(),
    };
    with_type(StatusCode::OK, body, format.content_type())
}

fn refused(refusal: &Refusal, format: Format) -> Response<Reply> {
    let message = refusal.to_string();
    let status = Status { code: refusal.code(), message: &message, retry_after: refusal.retry_after() };
    let body = match format {
        Format::Protobuf => status.to_proto(),
        Format::Json => status.to_json(),
    };
    let mut response = with_type(refusal.http_status(), body, format.content_type());
    let headers = response.headers_mut();
    if let Some(delay) = refusal.retry_after() {
        // Whole seconds, rounded up: an early retry would be refused again.
        let seconds = delay.as_secs() + u64::from(delay.subsec_nanos() > 0);
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
    }
    if matches!(refusal, Refusal::Unsupported(_)) {
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(inflate::ACCEPTED_ENCODINGS));
    }
    response
}

fn plain(status: StatusCode, text: String) -> Response<Reply> {
    with_type(status, text.into_bytes(), "text/plain; charset=utf-8")
}

fn with_type(status: StatusCode, body: Vec<u8>, content_type: &'static str) -> Response<Reply> {
    let mut response = Response::new(Reply::data(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// The origin to name in the answer, when a browser asks from one that may send.
fn allowed_origin<S>(inner: &Inner<S>, headers: &HeaderMap) -> Option<HeaderValue> {
    let origin = headers.get(header::ORIGIN)?;
    let allowed = &inner.config.cors_allowed_origins;
    let is_allowed = allowed.iter().any(|one| one == "*" || one.as_bytes() == origin.as_bytes());
    is_allowed.then(|| origin.clone())
}

/// A browser asks before it sends.
fn preflight(asked: &HeaderMap) -> Response<Reply> {
    let mut response = Response::new(Reply::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST"));
    if let Some(wanted) = asked.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
    }
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("7200"));
    response
}
