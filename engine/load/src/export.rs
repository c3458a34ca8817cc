//! An OTLP export over gRPC or HTTP: the request with its headers, and what the answer says.

use std::io::Write as _;
use std::time::Duration;

use base64::Engine as _;
use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Request, header};
use spanloom_span::proto::{ProtoError, Reader, Value};

use crate::options::{Compression, Protocol};
use crate::transport::{Answer, Chunks};

/// Largest answer to an export.
pub const MAX_ANSWER_BYTES: usize = 1 << 20;

const EXPORT_PATH: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// Codes of gRPC that ask the sender to come again, as OTLP's specification lists them.
const RETRYABLE_GRPC: [u32; 7] = [1, 4, 8, 10, 11, 14, 15];

/// HTTP statuses that ask the sender to come again.
const RETRYABLE_HTTP: [u16; 4] = [429, 502, 503, 504];

/// What the server said to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Taken, but for so many spans (`partial_success`).
    Acknowledged {
        /// Spans that were not taken.
        rejected: u64,
    },
    /// Not taken.
    Refused {
        /// Whether it may be sent again.
        retry: bool,
        /// How long to wait before, when the server said it.
        after: Option<Duration>,
        /// Status and message.
        reason: String,
    },
}

/// How exports look.
#[derive(Debug, Clone)]
pub struct Exporter {
    /// The protocol.
    pub protocol: Protocol,
    /// The compression.
    pub compression: Compression,
    /// Host and port.
    pub target: String,
    /// Value of `X-Scope-OrgID`.
    pub tenant: Option<HeaderValue>,
}

impl Exporter {
    /// Compresses and frames a message: the buffers of the body.
    pub fn body(&self, message: &Bytes) -> std::io::Result<Chunks> {
        let packed = match self.compression {
            Compression::None => message.clone(),
            Compression::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
                encoder.write_all(message)?;
                encoder.finish()?.into()
            }
            Compression::Zstd => zstd::bulk::compress(message, 3)?.into(),
        };
        Ok(match self.protocol {
            // Datagrams are not made here.
            Protocol::Http | Protocol::JaegerUdp => Chunks([packed].into()),
            Protocol::Grpc => {
                let mut head = BytesMut::with_capacity(5);
                head.put_u8(u8::from(self.compression != Compression::None));
                head.put_u32(packed.len() as u32);
                Chunks([head.freeze(), packed].into())
            }
        })
    }

    /// The request for a body.
    pub fn request(&self, body: Chunks) -> Result<Request<Chunks>, http::Error> {
        let encoding = match self.compression {
            Compression::None => None,
            Compression::Gzip => Some(HeaderValue::from_static("gzip")),
            Compression::Zstd => Some(HeaderValue::from_static("zstd")),
        };
        let mut request = match self.protocol {
            Protocol::Grpc => Request::post(format!("http://{}{EXPORT_PATH}", self.target))
                .version(http::Version::HTTP_2)
                .header(header::CONTENT_TYPE, "application/grpc")
                .header(header::TE, "trailers"),
            Protocol::Http | Protocol::JaegerUdp => Request::post("/v1/traces")
                .header(header::HOST, &self.target)
                .header(header::CONTENT_TYPE, "application/x-protobuf"),
        };
        request = request.header(header::USER_AGENT, concat!("spanloom-load/", env!("CARGO_PKG_VERSION")));
        if let Some(encoding) = encoding {
            let name = if self.protocol == Protocol::Grpc { "grpc-encoding" } else { "content-encoding" };
            request = request.header(name, encoding);
        }
        if let Some(tenant) = &self.tenant {
            request = request.header("x-scope-orgid", tenant);
        }
        request.body(body)
    }

    /// What an answer says.
    pub fn verdict(&self, answer: &Answer) -> Verdict {
        match self.protocol {
            Protocol::Grpc => grpc_verdict(answer),
            Protocol::Http | Protocol::JaegerUdp => http_verdict(answer),
        }
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn grpc_verdict(answer: &Answer) -> Verdict {
    let headers = &answer.headers;
    let Some(code) = text(headers, "grpc-status").and_then(|code| code.parse::<u32>().ok()) else {
        // A proxy, or something that is no gRPC server.
        let reason = format!("HTTP {} without a grpc-status", answer.status.as_u16());
        return Verdict::Refused {
            retry: RETRYABLE_HTTP.contains(&answer.status.as_u16()),
            after: None,
            reason,
        };
    };
    if code == 0 {
        let message = answer.body.get(5..).unwrap_or_default();
        return Verdict::Acknowledged { rejected: rejected_spans(message).unwrap_or(0) };
    }
    let pushback = text(headers, "grpc-retry-pushback-ms").map(str::parse::<i64>);
    // By gRPC's retry design a negative or unreadable pushback says: do not come again.
    let forbidden = matches!(pushback, Some(Err(_) | Ok(i64::MIN..=-1)));
    let after = match pushback {
        Some(Ok(ms)) if ms >= 0 => Some(Duration::from_millis(ms as u64)),
        _ => text(headers, "grpc-status-details-bin").and_then(decode_base64).and_then(|b| retry_delay(&b)),
    };
    let reason = format!("gRPC {code}: {}", text(headers, "grpc-message").unwrap_or_default());
    Verdict::Refused { retry: RETRYABLE_GRPC.contains(&code) && !forbidden, after, reason }
}

fn http_verdict(answer: &Answer) -> Verdict {
    let status = answer.status.as_u16();
    if answer.status.is_success() {
        return Verdict::Acknowledged { rejected: rejected_spans(&answer.body).unwrap_or(0) };
    }
    let after = text(&answer.headers, "retry-after")
        .and_then(|seconds| seconds.trim().parse().ok())
        .map(Duration::from_secs)
        .or_else(|| retry_delay(&answer.body));
    let message = status_message(&answer.body).unwrap_or_default();
    Verdict::Refused {
        retry: RETRYABLE_HTTP.contains(&status),
        after,
        reason: format!("HTTP {status}: {message}"),
    }
}

fn decode_base64(text: &str) -> Option<Vec<u8>> {
    base64::engine::general_purpose::STANDARD_NO_PAD.decode(text.trim_end_matches('=')).ok()
}

/// `partial_success.rejected_spans` of an `ExportTraceServiceResponse`.
fn rejected_spans(message: &[u8]) -> Result<u64, ProtoError> {
    let mut rejected = 0;
    let mut outer = Reader::new(message);
    while let Some(field) = outer.next()? {
        let (1, Value::Bytes(body)) = field else { continue };
        let mut partial = Reader::new(body);
        while let Some(field) = partial.next()? {
            if let (1, Value::Varint(count)) = field {
                rejected = count;
            }
        }
    }
    Ok(rejected)
}

/// The `message` of a `google.rpc.Status`.
fn status_message(body: &[u8]) -> Option<String> {
    let mut reader = Reader::new(body);
    while let Some(field) = reader.next().ok()? {
        if let (2, Value::Bytes(text)) = field {
            return Some(String::from_utf8_lossy(text).chars().take(200).collect());
        }
    }
    None
}

/// The delay of a `google.rpc.RetryInfo` among the details of a `google.rpc.Status`.
fn retry_delay(status: &[u8]) -> Option<Duration> {
    let mut outer = Reader::new(status);
    while let Some(field) = outer.next().ok()? {
        let (3, Value::Bytes(any)) = field else { continue };
        let (mut url, mut value): (&[u8], &[u8]) = (&[], &[]);
        let mut detail = Reader::new(any);
        while let Some(field) = detail.next().ok()? {
            match field {
                (1, Value::Bytes(text)) => url = text,
                (2, Value::Bytes(body)) => value = body,
                _ => {}
            }
        }
        if url.ends_with(b"google.rpc.RetryInfo") {
            return duration_of(value);
        }
    }
    None
}

fn duration_of(retry_info: &[u8]) -> Option<Duration> {
    let Some((1, Value::Bytes(body))) = Reader::new(retry_info).next().ok()? else { return None };
    let (mut seconds, mut nanos) = (0, 0);
    let mut reader = Reader::new(body);
    while let Some(field) = reader.next().ok()? {
        match field {
            (1, Value::Varint(v)) => seconds = v,
            (2, Value::Varint(v)) => nanos = v,
            _ => {}
        }
    }
    Some(Duration::from_secs(seconds) + Duration::from_nanos(nanos.min(999_999_999)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::StatusCode;
    use spanloom_span::proto::{put_bytes, put_message, put_uint};

    fn status_with_retry(seconds: u64, nanos: u64) -> Vec<u8> {
        let mut out = Vec::new();
        put_uint(&mut out, 1, 8);
        put_bytes(&mut out, 2, b"full");
        put_message(&mut out, 3, |any| {
            put_bytes(any, 1, b"type.googleapis.com/google.rpc.RetryInfo");
            put_message(any, 2, |info| {
                put_message(info, 1, |d| {
                    put_uint(d, 1, seconds);
                    put_uint(d, 2, nanos);
                });
            });
        });
        out
    }

    fn check(
        protocol: Protocol,
        status: u16,
        headers: &[(&'static str, &str)],
        body: &[u8],
        expected: Verdict,
    ) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, HeaderValue::from_str(value).unwrap());
        }
        let answer = Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: map,
            body: body.to_vec().into(),
        };
        let exporter = Exporter {
            protocol,
            compression: Compression::None,
            target: "localhost:1".to_owned(),
            tenant: None,
        };
        assert_eq!(exporter.verdict(&answer), expected, "{status} {headers:?}");
    }

    fn refused(retry: bool, after_ms: Option<u64>, reason: &str) -> Verdict {
        Verdict::Refused { retry, after: after_ms.map(Duration::from_millis), reason: reason.to_owned() }
    }

    #[test]
    fn answers_over_grpc_are_understood() {
        let grpc = Protocol::Grpc;
        let details =
            base64::engine::general_purpose::STANDARD_NO_PAD.encode(status_with_retry(2, 500_000_000));
        check(grpc, 200, &[("grpc-status", "0")], &[0; 5], Verdict::Acknowledged { rejected: 0 });
        let mut partial = vec![0; 5];
        put_message(&mut partial, 1, |o| put_uint(o, 1, 3));
        check(grpc, 200, &[("grpc-status", "0")], &partial, Verdict::Acknowledged { rejected: 3 });
        let headers = [("grpc-status", "8"), ("grpc-message", "full"), ("grpc-status-details-bin", &details)];
        check(grpc, 200, &headers, b"", refused(true, Some(2500), "gRPC 8: full"));
        let headers = [("grpc-status", "14"), ("grpc-retry-pushback-ms", "70")];
        check(grpc, 200, &headers, b"", refused(true, Some(70), "gRPC 14: "));
        let headers = [("grpc-status", "14"), ("grpc-retry-pushback-ms", "-1")];
        check(grpc, 200, &headers, b"", refused(false, None, "gRPC 14: "));
        check(grpc, 200, &[("grpc-status", "3")], b"", refused(false, None, "gRPC 3: "));
        check(grpc, 502, &[], b"", refused(true, None, "HTTP 502 without a grpc-status"));
    }

    #[test]
    fn answers_over_http_are_understood() {
        let http = Protocol::Http;
        check(http, 200, &[], b"", Verdict::Acknowledged { rejected: 0 });
        check(http, 429, &[("retry-after", "3")], b"", refused(true, Some(3000), "HTTP 429: "));
        let body = status_with_retry(0, 250_000_000);
        check(http, 503, &[], &body, refused(true, Some(250), "HTTP 503: full"));
        check(http, 400, &[], &body, refused(false, Some(250), "HTTP 400: full"));
    }
}
