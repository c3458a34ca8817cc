//! gRPC, framed by hand: that way a body is admitted before it is read, inflated under a limit, and
//! copied once. Sources: gRPC over HTTP/2 (`PROTOCOL-HTTP2.md`), `compression.md`, `health/v1/health.proto`.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version, header};
use http_body::Body;
use spanloom_span::Tenant;
use spanloom_span::proto::{Reader, Value};
use spanloom_wire::{Code, Encoding, Status, inflate};
use tokio::time::Instant;

use super::intake::{Intake, Load};
use super::{Port, Reply};
use crate::{Accepted, Refusal, Sink, tenant};

/// The method by which others find out whether the server is well.
pub(crate) const HEALTH: &str = "/grpc.health.v1.Health/Check";

/// Flag and length before every message.
const PREFIX: usize = 5;

/// Most bytes of a message that is not an export.
const SMALL: usize = 4096;

const GRPC_ENCODING: &str = "grpc-encoding";
const GRPC_TIMEOUT: &str = "grpc-timeout";
const SERVING: u8 = 1;
const NOT_SERVING: u8 = 2;

/// Whether a request is gRPC, by its content type.
pub(crate) fn is(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|t| t.as_bytes().starts_with(b"application/grpc"))
}

/// The answer to a request that cannot be gRPC.
pub(crate) fn wrong_transport<B>(request: &Request<B>) -> Option<Response<Reply>> {
    if request.version() == Version::HTTP_2 && request.method() == Method::POST {
        return None;
    }
    let mut response = Response::new(Reply::data("gRPC needs HTTP/2 and POST\n"));
    *response.status_mut() = StatusCode::BAD_REQUEST;
    Some(response)
}

/// The answer to a method that is not there.
pub(crate) fn unknown_method(path: &str, expected: &str) -> Response<Reply> {
    failed(&Status {
        code: Code::Unimplemented,
        message: &format!("{path} is not served here, expected {expected}"),
        retry_after: None,
    })
}

/// Takes the one message of a request within the sender's deadline, hands it to `push`, and answers with what it
/// gives: what was accepted, and the message that says so.
pub(crate) async fn unary<S, B>(
    port: &Port<S>,
    protocol: &'static str,
    request: Request<B>,
    push: impl AsyncFnOnce(Tenant, Load) -> Result<(Accepted, Vec<u8>), Refusal>,
) -> Response<Reply>
where
    S: Sink,
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let began = Instant::now();
    let deadline = deadline(request.headers());
    let take = async {
        let (tenant, load) = take(port, protocol, request).await?;
        push(tenant, load).await
    };
    let outcome = match deadline {
        Err(refusal) => Err(refusal),
        Ok(None) => take.await,
        Ok(Some(time)) => tokio::time::timeout_at(began + time, take).await.unwrap_or(Err(Refusal::Deadline)),
    };
    let (outcome, answer) = match outcome {
        Ok((accepted, answer)) => (Ok(accepted), answer),
        Err(refusal) => (Err(refusal), Vec::new()),
    };
    port.metrics.answered(protocol, &outcome, began.elapsed().as_secs_f64());
    match outcome {
        Ok(_) => succeeded(&answer),
        Err(refusal) => refused(&refusal),
    }
}

async fn take<S, B>(
    port: &Port<S>,
    protocol: &'static str,
    request: Request<B>,
) -> Result<(Tenant, Load), Refusal>
where
    S: Sink,
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let (head, body) = request.into_parts();
    let tenant = tenant::of(&head.headers, port.config.multitenancy)?;
    let encoding = encoding(&head.headers)?;
    let (sink, config) = (&port.sink, &port.config);
    let (compressed, load) = message(Intake::new(sink, config), Intake::new(sink, config), body).await?;
    let sent = load.bytes.len() + PREFIX;
    let load = load.inflate_message(&port.sink, compressed, encoding, port.config.max_request_bytes).await?;
    port.metrics.came(protocol, sent, load.bytes.len());
    Ok((tenant, load))
}

impl Load {
    /// Inflates a message if its prefix says that it is compressed.
    pub(crate) async fn inflate_message<S: Sink>(
        self,
        sink: &S,
        compressed: bool,
        encoding: Encoding,
        limit: usize,
    ) -> Result<Load, Refusal> {
        match (compressed, encoding) {
            (false, _) => Ok(self),
            (true, Encoding::Identity) => {
                Err(Refusal::Internal("the message is compressed, but grpc-encoding does not say how".into()))
            }
            (true, encoding) => self.inflate(sink, encoding, limit).await,
        }
    }
}

/// What `grpc-encoding` says.
pub(crate) fn encoding(headers: &HeaderMap) -> Result<Encoding, Refusal> {
    let Some(value) = headers.get(GRPC_ENCODING) else { return Ok(Encoding::Identity) };
    value.to_str().ok().and_then(Encoding::parse).ok_or_else(|| {
        let expected = inflate::ACCEPTED_ENCODINGS;
        Refusal::Unsupported(format!("the grpc-encoding is {value:?}, expected one of {expected}"))
    })
}

/// Reads the one message of a unary request: whether it is compressed, and its bytes. `end` waits for what must
/// not follow.
pub(crate) async fn message<S, B>(
    intake: Intake<'_, S>,
    mut end: Intake<'_, S>,
    body: B,
) -> Result<(bool, Load), Refusal>
where
    S: Sink,
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let mut messages = Messages::new(body);
    let Some(message) = messages.next(intake).await? else {
        return Err(ended(0, PREFIX));
    };
    while messages.rest.is_empty()
        && let Some(data) = end.next(&mut messages.body).await?
    {
        messages.rest = data;
    }
    if !messages.rest.is_empty() {
        let length = message.1.bytes.len();
        // As gRPC's list of statuses says it of more requests than a method takes.
        return Err(Refusal::Unsupported(format!(
            "more follows the message of {length} bytes, expected one message"
        )));
    }
    Ok(message)
}

/// The messages of a request, one after the other.
pub(crate) struct Messages<B> {
    body: B,
    /// What came and belongs to the next message.
    rest: Bytes,
}

impl<B> Messages<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    /// Nothing is read yet.
    pub fn new(body: B) -> Self {
        Self { body, rest: Bytes::new() }
    }

    /// Waits until something of the next message is there, however long it takes; false at the end.
    pub async fn wait(&mut self) -> Result<bool, Refusal> {
        while self.rest.is_empty() {
            let frame = std::future::poll_fn(|cx| Pin::new(&mut self.body).poll_frame(cx)).await;
            let Some(frame) = frame else { return Ok(false) };
            let frame = frame.map_err(|e| Refusal::Aborted(e.to_string()))?;
            self.rest = frame.into_data().unwrap_or_default();
        }
        Ok(true)
    }

    /// The next message: whether it is compressed, and its bytes; `None` at the end.
    pub async fn next<S: Sink>(
        &mut self,
        mut intake: Intake<'_, S>,
    ) -> Result<Option<(bool, Load)>, Refusal> {
        let mut prefix = [0u8; PREFIX];
        let mut have = 0;
        while have < PREFIX {
            if self.rest.is_empty() {
                match intake.next(&mut self.body).await? {
                    Some(data) => self.rest = data,
                    None if have == 0 => return Ok(None),
                    None => return Err(ended(have, PREFIX)),
                }
            }
            let part = self.rest.split_to(self.rest.len().min(PREFIX - have));
            prefix[have..have + part.len()].copy_from_slice(&part);
            have += part.len();
        }
        let [flag, size @ ..] = prefix;
        if flag > 1 {
            return Err(Refusal::Internal(format!("the message's flag is {flag}, expected 0 or 1")));
        }
        let length = u32::from_be_bytes(size) as usize;
        intake.expect(length).await?;
        while intake.len() < length {
            if self.rest.is_empty() {
                let data = intake.next(&mut self.body).await?;
                self.rest = data.ok_or_else(|| ended(PREFIX + intake.len(), PREFIX + length))?;
            }
            let part = self.rest.split_to(self.rest.len().min(length - intake.len()));
            intake.keep(&part).await?;
        }
        Ok(Some((flag == 1, intake.finish())))
    }
}

fn ended(after: usize, expected: usize) -> Refusal {
    Refusal::Invalid(format!("the body ended after {after} bytes, expected {expected}"))
}

/// How long the sender waits, as `grpc-timeout` says.
pub(crate) fn deadline(headers: &HeaderMap) -> Result<Option<Duration>, Refusal> {
    headers.get(GRPC_TIMEOUT).map(timeout).transpose()
}

/// Reads `grpc-timeout`: up to eight digits and a unit.
fn timeout(value: &HeaderValue) -> Result<Duration, Refusal> {
    let parse = || {
        let (unit, digits) = value.as_bytes().split_last()?;
        if digits.is_empty() || digits.len() > 8 || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let amount = digits.iter().fold(0u64, |sum, digit| sum * 10 + u64::from(digit - b'0'));
        Some(match unit {
            b'H' => Duration::from_secs(amount * 3600),
            b'M' => Duration::from_secs(amount * 60),
            b'S' => Duration::from_secs(amount),
            b'm' => Duration::from_millis(amount),
            b'u' => Duration::from_micros(amount),
            b'n' => Duration::from_nanos(amount),
            _ => return None,
        })
    };
    parse().ok_or_else(|| {
        Refusal::Invalid(format!(
            "the grpc-timeout is {value:?}, expected up to 8 digits and a unit of HMSmun"
        ))
    })
}

/// `Health/Check`: for the whole server or for one of the services it has.
pub(crate) async fn health<S, B>(port: &Port<S>, services: &[&str], request: Request<B>) -> Response<Reply>
where
    S: Sink,
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let load = match small(port, request).await {
        Ok(load) => load,
        Err(refusal) => return refused(&refusal),
    };
    let service = match Reader::new(&load.bytes).next() {
        Ok(Some((1, Value::Bytes(name)))) => String::from_utf8_lossy(name).into_owned(),
        _ => String::new(),
    };
    if !service.is_empty() && !services.contains(&service.as_str()) {
        let message = format!("the service {service:?} is not here, expected {}", services.join(" or "));
        return failed(&Status { code: Code::NotFound, message: &message, retry_after: None });
    }
    succeeded(&[0x08, if port.shutdown.has_begun() { NOT_SERVING } else { SERVING }])
}

/// The message of a request that is a short question.
pub(crate) async fn small<S, B>(port: &Port<S>, request: Request<B>) -> Result<Load, Refusal>
where
    S: Sink,
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let (head, body) = request.into_parts();
    let encoding = encoding(&head.headers)?;
    let intake = || Intake::with_limits(&port.sink, SMALL, port.config.read_timeout);
    let (compressed, load) = message(intake(), intake(), body).await?;
    load.inflate_message(&port.sink, compressed, encoding, SMALL).await
}

/// The head of every answer.
pub(crate) fn head() -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(2);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert("grpc-accept-encoding", HeaderValue::from_static(inflate::ACCEPTED_ENCODINGS));
    headers
}

fn response(reply: Reply) -> Response<Reply> {
    let mut response = Response::new(reply);
    *response.headers_mut() = head();
    response
}

/// A message with its prefix.
pub(crate) fn frame(message: &[u8]) -> Bytes {
    let mut data = BytesMut::with_capacity(PREFIX + message.len());
    data.put_u8(0);
    data.put_u32(message.len() as u32);
    data.put_slice(message);
    data.freeze()
}

/// An answer of one message.
pub(crate) fn succeeded(message: &[u8]) -> Response<Reply> {
    let mut trailers = HeaderMap::with_capacity(1);
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    response(Reply::data(frame(message)).with_trailers(trailers))
}

/// An answer that refuses.
pub(crate) fn refused(refusal: &Refusal) -> Response<Reply> {
    trailers_only(why(refusal))
}

/// An answer of a status alone.
pub(crate) fn failed(status: &Status<'_>) -> Response<Reply> {
    trailers_only(said(status))
}

fn trailers_only(headers: HeaderMap) -> Response<Reply> {
    let mut response = response(Reply::empty());
    response.headers_mut().extend(headers);
    response
}

/// An answer to a stream of requests: it begins at once and ends as `work` does.
pub(crate) fn streamed(work: impl Future<Output = Result<(), Refusal>> + Send + 'static) -> Response<Reply> {
    response(Reply::after(async {
        match work.await {
            Ok(()) => said(&Status { code: Code::Ok, message: "", retry_after: None }),
            Err(refusal) => why(&refusal),
        }
    }))
}

/// A refusal as headers or trailers.
fn why(refusal: &Refusal) -> HeaderMap {
    let message = refusal.to_string();
    said(&Status { code: refusal.code(), message: &message, retry_after: refusal.retry_after() })
}

/// A status as headers or trailers.
pub(crate) fn said(status: &Status<'_>) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(3);
    headers.insert("grpc-status", HeaderValue::from(status.code as u16));
    if !status.message.is_empty()
        && let Ok(message) = HeaderValue::from_str(&percent_encode(status.message))
    {
        headers.insert("grpc-message", message);
    }
    if status.retry_after.is_some()
        && let Ok(details) = HeaderValue::from_str(&STANDARD_NO_PAD.encode(status.to_proto()))
    {
        headers.insert("grpc-status-details-bin", details);
    }
    headers
}

/// As `grpc-message` asks: printable ASCII stands for itself, all else and `%` as `%XX`.
fn percent_encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' '..=b'~' if byte != b'%' => out.push(byte as char),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_are_read() {
        let check = |text: &'static str, expected: Option<Duration>| {
            assert_eq!(timeout(&HeaderValue::from_static(text)).ok(), expected, "{text}");
        };
        check("1H", Some(Duration::from_secs(3600)));
        check("2M", Some(Duration::from_secs(120)));
        check("10S", Some(Duration::from_secs(10)));
        check("99999999m", Some(Duration::from_millis(99_999_999)));
        check("0u", Some(Duration::ZERO));
        check("7n", Some(Duration::from_nanos(7)));
        for wrong in ["", "S", "10", "10s", "123456789S", "-1S", "1.5S"] {
            check(wrong, None);
        }
    }

    #[test]
    fn messages_are_percent_encoded() {
        assert_eq!(percent_encode("50% of \"é\"\n"), "50%25 of \"%C3%A9\"%0A");
    }
}
