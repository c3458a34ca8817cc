//! OTLP over gRPC, framed by hand: that way a body is admitted before it is read, inflated under a limit, and
//! copied once. Sources: gRPC over HTTP/2 (`PROTOCOL-HTTP2.md`), `compression.md`, `health/v1/health.proto`.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version, header};
use http_body::Body;
use spanloom_span::proto::{Reader, Value};
use spanloom_wire::{Code, Encoding, ExportResponse, Status, inflate};
use tokio::time::Instant;

use super::intake::{Intake, Load};
use super::{Inner, Reply};
use crate::{Accepted, Refusal, Sink, tenant};

const EXPORT: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
const HEALTH: &str = "/grpc.health.v1.Health/Check";
const PROTOCOL: &str = "grpc";

/// Flag and length before every message.
const PREFIX: usize = 5;

/// Most bytes of a message that is not an export.
const SMALL: usize = 4096;

const GRPC_ENCODING: &str = "grpc-encoding";
const GRPC_TIMEOUT: &str = "grpc-timeout";
const SERVING: u8 = 1;
const NOT_SERVING: u8 = 2;

/// Answers a request whose content type is gRPC's.
pub(super) async fn answer<S, B>(inner: &Inner<S>, request: Request<B>) -> Response<Reply>
where
    S: Sink,
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    if request.version() != Version::HTTP_2 || request.method() != Method::POST {
        let text = "gRPC needs HTTP/2 and POST\n";
        let mut response = Response::new(Reply::data(text));
        *response.status_mut() = StatusCode::BAD_REQUEST;
        return response;
    }
    match request.uri().path() {
        EXPORT => export(inner, request).await,
        HEALTH => health(inner, request).await,
        path => failed(&Status {
            code: Code::Unimplemented,
            message: &format!("{path} is not served here, expected {EXPORT}"),
            retry_after: None,
        }),
    }
}

async fn export<S, B>(inner: &Inner<S>, request: Request<B>) -> Response<Reply>
where
    S: Sink,
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let began = Instant::now();
    let deadline = request.headers().get(GRPC_TIMEOUT).map(timeout).transpose();
    let outcome = match deadline {
        Err(refusal) => Err(refusal),
        Ok(None) => take(inner, request).await,
        Ok(Some(time)) => {
            let taken = tokio::time::timeout_at(began + time, take(inner, request)).await;
            taken.unwrap_or(Err(Refusal::Deadline))
        }
    };
    inner.metrics.answered(PROTOCOL, &outcome, began.elapsed().as_secs_f64());
    match outcome {
        Ok(Accepted { refused_spans, message, .. }) => {
            let response = ExportResponse { rejected_spans: refused_spans, message: &message };
            succeeded(&response.to_proto())
        }
        Err(refusal) => refused(&refusal),
    }
}

async fn take<S, B>(inner: &Inner<S>, request: Request<B>) -> Result<Accepted, Refusal>
where
    S: Sink,
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let (head, body) = request.into_parts();
    let tenant = tenant::of(&head.headers, inner.config.multitenancy)?;
    let encoding = encoding(&head.headers)?;
    let (compressed, load) = message(Intake::new(&inner.sink, &inner.config), body).await?;
    let sent = load.bytes.len() + PREFIX;
    let load = match (compressed, encoding) {
        (false, _) => load,
        (true, Encoding::Identity) => {
            return Err(Refusal::Internal(
                "the message is compressed, but grpc-encoding does not say how".into(),
            ));
        }
        (true, encoding) => load.inflate(&inner.sink, encoding, inner.config.max_request_bytes).await?,
    };
    inner.metrics.came(PROTOCOL, sent, load.bytes.len());
    inner.sink.push(tenant, load.bytes, load.held).await
}

fn encoding(headers: &HeaderMap) -> Result<Encoding, Refusal> {
    let Some(value) = headers.get(GRPC_ENCODING) else { return Ok(Encoding::Identity) };
    value.to_str().ok().and_then(Encoding::parse).ok_or_else(|| {
        let expected = inflate::ACCEPTED_ENCODINGS;
        Refusal::Unsupported(format!("the grpc-encoding is {value:?}, expected one of {expected}"))
    })
}

/// Reads the one message of a unary request: whether it is compressed, and its bytes.
async fn message<S, B>(mut intake: Intake<'_, S>, mut body: B) -> Result<(bool, Load), Refusal>
where
    S: Sink,
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let mut prefix = [0u8; PREFIX];
    let mut have = 0;
    let mut length = 0;
    while let Some(mut data) = intake.next(&mut body).await? {
        if have < PREFIX {
            let part = data.split_to(data.len().min(PREFIX - have));
            prefix[have..have + part.len()].copy_from_slice(&part);
            have += part.len();
            if have < PREFIX {
                continue;
            }
            let [flag, size @ ..] = prefix;
            if flag > 1 {
                return Err(Refusal::Internal(format!("the message's flag is {flag}, expected 0 or 1")));
            }
            length = u32::from_be_bytes(size) as usize;
            intake.expect(length).await?;
        }
        if intake.len() + data.len() > length {
            return Err(Refusal::Internal(format!(
                "more follows the message of {length} bytes, expected one message"
            )));
        }
        intake.keep(&data).await?;
    }
    if have < PREFIX || intake.len() < length {
        return Err(Refusal::Invalid(format!(
            "the body ended after {} bytes, expected {}",
            have + intake.len(),
            PREFIX + length
        )));
    }
    Ok((prefix[0] == 1, intake.finish()))
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

/// `Health/Check`: for the whole server or for the one service it has.
async fn health<S, B>(inner: &Inner<S>, request: Request<B>) -> Response<Reply>
where
    S: Sink,
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let config = crate::ReceiveConfig { max_request_bytes: SMALL, ..inner.config.clone() };
    let load = match message(Intake::new(&inner.sink, &config), request.into_body()).await {
        Ok((_, load)) => load,
        Err(refusal) => return refused(&refusal),
    };
    let service = match Reader::new(&load.bytes).next() {
        Ok(Some((1, Value::Bytes(name)))) => String::from_utf8_lossy(name).into_owned(),
        _ => String::new(),
    };
    if !service.is_empty() && !EXPORT[1..].starts_with(&format!("{service}/")) {
        let message = format!("the service {service:?} is not here");
        return failed(&Status { code: Code::NotFound, message: &message, retry_after: None });
    }
    succeeded(&[0x08, if inner.shutdown.has_begun() { NOT_SERVING } else { SERVING }])
}

fn response(reply: Reply) -> Response<Reply> {
    let mut response = Response::new(reply);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert("grpc-accept-encoding", HeaderValue::from_static(inflate::ACCEPTED_ENCODINGS));
    response
}

fn succeeded(message: &[u8]) -> Response<Reply> {
    let mut data = BytesMut::with_capacity(PREFIX + message.len());
    data.put_u8(0);
    data.put_u32(message.len() as u32);
    data.put_slice(message);
    let mut trailers = HeaderMap::with_capacity(1);
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    response(Reply::data(data.freeze()).with_trailers(trailers))
}

fn refused(refusal: &Refusal) -> Response<Reply> {
    let message = refusal.to_string();
    failed(&Status { code: refusal.code(), message: &message, retry_after: refusal.retry_after() })
}

/// An answer of trailers only.
fn failed(status: &Status<'_>) -> Response<Reply> {
    let mut response = response(Reply::empty());
    let headers = response.headers_mut();
    headers.insert("grpc-status", HeaderValue::from(status.code as u16));
    if let Ok(message) = HeaderValue::from_str(&percent_encode(status.message)) {
        headers.insert("grpc-message", message);
    }
    if status.retry_after.is_some()
        && let Ok(details) = HeaderValue::from_str(&STANDARD_NO_PAD.encode(status.to_proto()))
    {
        headers.insert("grpc-status-details-bin", details);
    }
    response
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
