//! Requests over HTTP: what their headers say, their bodies whole, and the answers that all protocols give alike.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version, header};
use http_body::Body;
use spanloom_wire::{Encoding, Foreign, inflate};
use tokio::time::Instant;

use super::intake::{Intake, Load};
use super::{Port, Reply};
use crate::{Accepted, Refusal, Sink, tenant};

/// A body that nobody will look at is read up to here before an HTTP/1.1 answer, so that the sender gets to see
/// the answer instead of a reset connection.
const DISCARD_BYTES: usize = 4 << 20;

/// And for at most this long.
const DISCARD_TIME: Duration = Duration::from_secs(2);

/// A request's body, inflated, with its tenant.
pub(crate) struct Taken {
    pub tenant: spanloom_span::Tenant,
    pub load: Load,
}

/// Takes the body of a request whole, inflated, and counts it.
pub(crate) async fn take<S, B>(
    port: &Port<S>,
    protocol: &'static str,
    headers: &HeaderMap,
    body: &mut B,
) -> Result<Taken, Refusal>
where
    S: Sink,
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let tenant = tenant::of(headers, port.config.multitenancy)?;
    let encoding = encoding(headers)?;
    let load = whole(port, body).await?;
    let sent = load.bytes.len();
    let load = load.inflate(&port.sink, encoding, port.config.max_request_bytes).await?;
    port.metrics.came(protocol, sent, load.bytes.len());
    Ok(Taken { tenant, load })
}

/// Takes a request of a foreign format, translates and pushes it, and answers as those formats have it: 202 with
/// nothing, or a status with a line of text.
pub(crate) async fn translated<S, B, F>(
    port: &Port<S>,
    protocol: &'static str,
    request: Request<B>,
    translate: F,
) -> Response<Reply>
where
    S: Sink,
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
    F: Fn(&[u8], usize, &mut Vec<u8>) -> Result<u64, Foreign> + Clone + Send + 'static,
{
    let began = Instant::now();
    let (head, mut body) = request.into_parts();
    let outcome = async {
        let Taken { tenant, load } = take(port, protocol, &head.headers, &mut body).await?;
        let load = load.translate(&port.sink, port.config.max_request_bytes, translate).await?;
        port.sink.push(tenant, load.bytes, load.held).await
    };
    let outcome = outcome.await;
    port.metrics.answered(protocol, &outcome, began.elapsed().as_secs_f64());
    match outcome {
        Ok(Accepted { message, .. }) if message.is_empty() => with_status(StatusCode::ACCEPTED),
        Ok(Accepted { message, .. }) => plain(StatusCode::ACCEPTED, format!("{message}\n")),
        Err(refusal) => {
            let mut response = plain(refusal.http_status(), format!("{refusal}\n"));
            add_hints(&refusal, response.headers_mut());
            settle(head.version, &refusal, &mut body, &mut response).await;
            response
        }
    }
}

/// An answer of a status alone.
pub(crate) fn with_status(status: StatusCode) -> Response<Reply> {
    let mut response = Response::new(Reply::empty());
    *response.status_mut() = status;
    response
}

/// Reads the body into one buffer.
async fn whole<S, B>(port: &Port<S>, body: &mut B) -> Result<Load, Refusal>
where
    S: Sink,
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let mut intake = Intake::new(&port.sink, &port.config);
    if let Some(length) = body.size_hint().exact() {
        intake.expect(usize::try_from(length).unwrap_or(usize::MAX)).await?;
    }
    while let Some(data) = intake.next(body).await? {
        intake.keep(&data).await?;
    }
    Ok(intake.finish().fit(&port.sink))
}

/// The content type without its parameters, in lower case; empty when there is none.
pub(crate) fn content_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or(value).trim().to_ascii_lowercase()
}

/// An answer to a content type that is not taken here.
pub(crate) async fn unsupported_type<B>(mut request: Request<B>, expected: &str) -> Response<Reply>
where
    B: Body + Unpin,
{
    let found = request.headers().get(header::CONTENT_TYPE);
    let found = found.map_or("missing".into(), |value| format!("{value:?}"));
    discard(&mut request).await;
    plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, format!("the content type is {found}, expected {expected}\n"))
}

/// An answer to another method than `expected`.
pub(crate) fn wrong_method(found: &Method, expected: &'static str) -> Response<Reply> {
    let text = format!("the method is {found}, expected {expected}\n");
    let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, text);
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(expected));
    response
}

/// Readies an answer that refuses a request whose body may not have been read to its end.
pub(crate) async fn settle<B>(
    version: Version,
    refusal: &Refusal,
    body: &mut B,
    response: &mut Response<Reply>,
) where
    B: Body + Unpin,
{
    match (version < Version::HTTP_2, refusal) {
        (false, _) => {}
        // What is left of the body would be taken for the next request.
        (true, Refusal::Stalled { .. }) => {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        (true, _) => read_to_nowhere(body).await,
    }
}

/// Adds when to come again, and what would be understood.
pub(crate) fn add_hints(refusal: &Refusal, headers: &mut HeaderMap) {
    if let Some(delay) = refusal.retry_after() {
        // Whole seconds, rounded up: an early retry would be refused again.
        let seconds = delay.as_secs() + u64::from(delay.subsec_nanos() > 0);
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
    }
    if matches!(refusal, Refusal::Unsupported(_)) {
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(inflate::ACCEPTED_ENCODINGS));
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

/// Reads the body of a request that nobody will look at.
async fn discard<B: Body + Unpin>(request: &mut Request<B>) {
    if request.version() < Version::HTTP_2 {
        read_to_nowhere(request.body_mut()).await;
    }
}

/// An answer in plain text.
pub(crate) fn plain(status: StatusCode, text: String) -> Response<Reply> {
    with_type(status, text.into_bytes(), "text/plain; charset=utf-8")
}

/// An answer of a content type.
pub(crate) fn with_type(status: StatusCode, body: Vec<u8>, content_type: &'static str) -> Response<Reply> {
    let mut response = Response::new(Reply::data(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// The origin to name in the answer, when a browser asks from one that may send.
pub(crate) fn allowed_origin<S>(port: &Port<S>, headers: &HeaderMap) -> Option<HeaderValue> {
    let origin = headers.get(header::ORIGIN)?;
    let allowed = &port.config.cors_allowed_origins;
    let is_allowed = allowed.iter().any(|one| one == "*" || one.as_bytes() == origin.as_bytes());
    is_allowed.then(|| origin.clone())
}

/// Lets the web page that asked read the answer.
pub(crate) fn allow_origin(origin: Option<HeaderValue>, response: &mut Response<Reply>) {
    if let Some(origin) = origin {
        response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        response.headers_mut().append(header::VARY, HeaderValue::from_static("origin"));
    }
}

/// A browser asks before it sends.
pub(crate) fn preflight(asked: &HeaderMap) -> Response<Reply> {
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
