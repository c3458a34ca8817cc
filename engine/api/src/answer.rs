//! Answers: their forms, content types, compression, plain texts.

use std::io::Write;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

use crate::QueryError;
use crate::service::Inner;

/// Larger traces are written beside the event loop, so that others go on.
pub(crate) const MANY_SPANS: usize = 1000;

/// The same for lists of traces.
pub(crate) const MANY_TRACES: usize = 500;

/// The same for series, by their samples.
pub(crate) const MANY_SAMPLES: usize = 10_000;

/// Longer bodies are compressed beside the event loop.
const LONG_BODY: usize = 256 << 10;

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Json,
    Protobuf,
    /// For language models.
    Llm,
}

impl Format {
    /// As readers are used to: the first of these names that occurs anywhere in `Accept`.
    pub fn of(headers: &HeaderMap) -> Self {
        let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or("");
        let names = [
            ("application/protobuf", Format::Protobuf),
            ("application/json", Format::Json),
            ("application/vnd.grafana.llm", Format::Llm),
        ];
        names.iter().find(|(name, _)| accept.contains(name)).map_or(Format::Json, |(_, format)| *format)
    }

    /// For answers that have no form for language models.
    pub fn or_json(self) -> Self {
        if self == Format::Llm { Format::Json } else { self }
    }

    fn content_type(self) -> &'static str {
        match self {
            Format::Json => "application/json",
            Format::Protobuf => "application/protobuf",
            Format::Llm => "application/vnd.grafana.llm+json",
        }
    }
}

/// An answer whose body `body` writes, compressed if it is worth it and the reader takes it.
pub(crate) async fn write<Q>(
    inner: &Inner<Q>,
    headers: &HeaderMap,
    format: Format,
    is_large: bool,
    body: impl FnOnce() -> Vec<u8> + Send + 'static,
) -> Result<Response, QueryError> {
    let body = beside(is_large, body).await?;
    let (body, is_packed) = match body.len() < inner.config.gzip_from_bytes || !takes_gzip(headers) {
        true => (body, false),
        false => beside(body.len() > LONG_BODY, move || pack(body)).await?,
    };
    let mut response = with_type(StatusCode::OK, format.content_type(), body);
    if is_packed {
        mark_gzip(&mut response);
    }
    Ok(response)
}

/// Runs long work beside the event loop, short work here.
pub(crate) async fn beside<T: Send + 'static>(
    is_long: bool,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, QueryError> {
    if !is_long {
        return Ok(work());
    }
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|e| QueryError::Internal(format!("the answer could not be written: {e}")))
}

/// The body, and whether it is compressed.
fn pack(body: Vec<u8>) -> (Vec<u8>, bool) {
    match gzip(&body) {
        Ok(packed) => (packed, true),
        Err(_) => (body, false),
    }
}

pub(crate) const TEXT: &str = "text/plain; charset=utf-8";

/// An answer with a body.
pub(crate) fn with_type(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Response {
    let mut response = Response::new(Body::from(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// A plain text.
pub(crate) fn text(status: StatusCode, text: impl Into<String>) -> Response {
    with_type(status, TEXT, text.into())
}

/// The limit that an answer met, by its key; it is counted where answers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LimitMet(pub &'static str);

impl IntoResponse for QueryError {
    fn into_response(self) -> Response {
        let mut response = text(self.status(), format!("{self}\n"));
        if let Some(limit) = self.limit() {
            response.extensions_mut().insert(LimitMet(limit));
        }
        hint(&self, &mut response);
        response
    }
}

/// Says when asking again makes sense.
pub(crate) fn hint(error: &QueryError, response: &mut Response) {
    if let Some(retry_after) = error.retry_after() {
        let seconds = retry_after.as_secs() + u64::from(retry_after.subsec_nanos() > 0);
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
    }
}

/// Whether the reader takes gzip: it is named (or `*` is), and not with a weight of 0.
pub(crate) fn takes_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|v| v.to_str().ok());
    let mut codings = values.flat_map(|value| value.split(','));
    codings.any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let name = name.trim();
        let is_zero = weight.trim().strip_prefix("q=").is_some_and(|q| q.parse() == Ok(0f32));
        (name.eq_ignore_ascii_case("gzip") || name == "*") && !is_zero
    })
}

/// Compresses a body. Speed counts more than the last bytes here.
fn gzip(body: &[u8]) -> std::io::Result<Vec<u8>> {
    let out = Vec::with_capacity(body.len() / 4);
    let mut encoder = flate2::write::GzEncoder::new(out, flate2::Compression::fast());
    encoder.write_all(body)?;
    encoder.finish()
}

/// Says that a body is compressed.
pub(crate) fn mark_gzip(response: &mut Response) {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    headers.append(header::VARY, HeaderValue::from_static("accept-encoding"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_used_only_when_it_is_asked_for() {
        let check = |value: &'static str, expected: bool| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(value));
            assert_eq!(takes_gzip(&headers), expected, "{value}");
        };
        check("gzip", true);
        check("deflate, GZIP;q=0.5", true);
        check("*", true);
        check("gzip;q=0", false);
        check("gzip; q=0.000", false);
        check("br", false);
        check("", false);
        assert!(!takes_gzip(&HeaderMap::new()));
    }
}
