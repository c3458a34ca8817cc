//! What a sender is told: `google.rpc.Status` with a retry hint, and OTLP's `ExportTraceServiceResponse`, each
//! as protobuf and as JSON.
//!
//! Sources: `google/rpc/status.proto`, `google/rpc/error_details.proto`,
//! `opentelemetry/proto/collector/trace/v1/trace_service.proto`.

use std::time::Duration;

use spanloom_span::proto::{put_bytes, put_message, put_uint};

use crate::json_out;

/// A gRPC status code, as far as this server answers with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// Done.
    Ok = 0,
    /// The client went away.
    Cancelled = 1,
    /// The request is wrong and stays wrong however often it is sent.
    InvalidArgument = 3,
    /// It took longer than the client allowed.
    DeadlineExceeded = 4,
    /// There is no such thing.
    NotFound = 5,
    /// The configuration does not allow it.
    PermissionDenied = 7,
    /// Too large, or no room now (then with a retry hint).
    ResourceExhausted = 8,
    /// This method, encoding or version is not known here.
    Unimplemented = 12,
    /// A fault of the server.
    Internal = 13,
    /// Not now; try again.
    Unavailable = 14,
    /// Nobody said who is asking.
    Unauthenticated = 16,
}

const RETRY_INFO_TYPE: &str = "type.googleapis.com/google.rpc.RetryInfo";

/// A `google.rpc.Status`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status<'a> {
    /// What kind of failure.
    pub code: Code,
    /// What was found and what was expected.
    pub message: &'a str,
    /// When trying again makes sense: a `RetryInfo` among the details.
    pub retry_after: Option<Duration>,
}

impl Status<'_> {
    /// As protobuf.
    pub fn to_proto(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(16 + self.message.len());
        if self.code != Code::Ok {
            put_uint(&mut out, 1, self.code as u64);
        }
        if !self.message.is_empty() {
            put_bytes(&mut out, 2, self.message.as_bytes());
        }
        if let Some(delay) = self.retry_after {
            put_message(&mut out, 3, |any| {
                put_bytes(any, 1, RETRY_INFO_TYPE.as_bytes());
                put_message(any, 2, |info| put_message(info, 1, |d| put_duration(d, delay)));
            });
        }
        out
    }

    /// As JSON.
    pub fn to_json(&self) -> Vec<u8> {
        let mut out = format!("{{\"code\":{},\"message\":", self.code as u8).into_bytes();
        json_out::string(&mut out, self.message);
        if let Some(delay) = self.retry_after {
            out.extend_from_slice(b",\"details\":[{\"@type\":");
            json_out::string(&mut out, RETRY_INFO_TYPE);
            out.extend_from_slice(b",\"retryDelay\":\"");
            out.extend_from_slice(duration_text(delay).as_bytes());
            out.extend_from_slice(b"\"}]");
        }
        out.push(b'}');
        out
    }
}

fn put_duration(out: &mut Vec<u8>, delay: Duration) {
    if delay.as_secs() > 0 {
        put_uint(out, 1, delay.as_secs());
    }
    if delay.subsec_nanos() > 0 {
        put_uint(out, 2, u64::from(delay.subsec_nanos()));
    }
}

/// A `google.protobuf.Duration` in JSON: seconds with 0, 3, 6 or 9 digits after the point.
fn duration_text(delay: Duration) -> String {
    let (seconds, nanos) = (delay.as_secs(), delay.subsec_nanos());
    match nanos {
        0 => format!("{seconds}s"),
        n if n % 1_000_000 == 0 => format!("{seconds}.{:03}s", n / 1_000_000),
        n if n % 1_000 == 0 => format!("{seconds}.{:06}s", n / 1_000),
        n => format!("{seconds}.{n:09}s"),
    }
}

/// An `ExportTraceServiceResponse`: empty when all was taken, else with `partial_success`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExportResponse<'a> {
    /// Spans that were not taken.
    pub rejected_spans: u64,
    /// Why, or a warning when none was refused.
    pub message: &'a str,
}

impl ExportResponse<'_> {
    /// Whether there is nothing to say.
    pub fn is_full_success(&self) -> bool {
        self.rejected_spans == 0 && self.message.is_empty()
    }

    /// As protobuf; no bytes at all for a full success.
    pub fn to_proto(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if self.is_full_success() {
            return out;
        }
        put_message(&mut out, 1, |partial| {
            if self.rejected_spans > 0 {
                put_uint(partial, 1, self.rejected_spans);
            }
            if !self.message.is_empty() {
                put_bytes(partial, 2, self.message.as_bytes());
            }
        });
        out
    }

    /// As JSON; `{}` for a full success.
    pub fn to_json(&self) -> Vec<u8> {
        let mut out = b"{".to_vec();
        if !self.is_full_success() {
            out.extend_from_slice(b"\"partialSuccess\":{");
            if self.rejected_spans > 0 {
                out.extend_from_slice(format!("\"rejectedSpans\":\"{}\"", self.rejected_spans).as_bytes());
            }
            if !self.message.is_empty() {
                if self.rejected_spans > 0 {
                    out.push(b',');
                }
                out.extend_from_slice(b"\"errorMessage\":");
                json_out::string(&mut out, self.message);
            }
            out.push(b'}');
        }
        out.push(b'}');
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
    use prost::Message;

    #[test]
    fn a_status_says_code_message_and_when_to_retry() {
        let check = |retry_after: Option<Duration>, json: &str, proto: &[u8]| {
            let status = Status { code: Code::ResourceExhausted, message: "no \"room\"", retry_after };
            assert_eq!(String::from_utf8(status.to_json()).unwrap(), json);
            assert_eq!(status.to_proto(), proto);
        };
        check(None, r#"{"code":8,"message":"no \"room\""}"#, b"\x08\x08\x12\x09no \"room\"");
        let any = b"\x1a\x30\x0a\x28type.googleapis.com/google.rpc.RetryInfo\x12\x04\x0a\x02\x08\x05";
        check(
            Some(Duration::from_secs(5)),
            r#"{"code":8,"message":"no \"room\"","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"5s"}]}"#,
            &[&b"\x08\x08\x12\x09no \"room\""[..], any].concat(),
        );
    }

    #[test]
    fn durations_are_written_with_as_many_digits_as_they_need() {
        let check = |delay, expected: &str| assert_eq!(duration_text(delay), expected);
        check(Duration::ZERO, "0s");
        check(Duration::from_millis(1500), "1.500s");
        check(Duration::from_micros(20), "0.000020s");
        check(Duration::from_nanos(7), "0.000000007s");
    }

    #[test]
    fn a_response_speaks_only_of_what_was_refused() {
        let check = |rejected_spans: u64, message: &str, json: &str| {
            let response = ExportResponse { rejected_spans, message };
            assert_eq!(String::from_utf8(response.to_json()).unwrap(), json);
            let read = ExportTraceServiceResponse::decode(&response.to_proto()[..]).unwrap();
            match read.partial_success {
                None => assert!(response.is_full_success()),
                Some(p) => {
                    assert_eq!(
                        (p.rejected_spans as u64, p.error_message.as_str()),
                        (rejected_spans, message)
                    );
                }
            }
        };
        check(0, "", "{}");
        check(0, "slow down", r#"{"partialSuccess":{"errorMessage":"slow down"}}"#);
        check(3, "", r#"{"partialSuccess":{"rejectedSpans":"3"}}"#);
        check(3, "no", r#"{"partialSuccess":{"rejectedSpans":"3","errorMessage":"no"}}"#);
    }
}
