//! What a listener hands a request to, and what it is told in return.

use std::any::Any;
use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use spanloom_span::Tenant;
use spanloom_wire::Code;

/// A permit of the memory budget; dropping it gives the bytes back.
pub type Held = Box<dyn Any + Send + Sync>;

/// What the listeners hand a request to.
pub trait Sink: Clone + Send + Sync + 'static {
    /// Takes a whole request: `request` is an `ExportTraceServiceRequest` that nobody has looked into yet, and
    /// `held` the permit for its bytes. When the answer is `Ok`, the accepted spans are kept.
    ///
    /// A caller may stop waiting (its client went away, or its deadline passed); then the request is either
    /// kept or not, as a whole.
    fn push(
        &self,
        tenant: Tenant,
        request: Bytes,
        held: Held,
    ) -> impl Future<Output = Result<Accepted, Refusal>> + Send;

    /// Asks for room for `bytes` more, before they are read or inflated. Waits shortly when there is none, then
    /// refuses with a retry hint.
    fn admit(&self, bytes: usize) -> impl Future<Output = Result<Held, Refusal>> + Send;
}

/// A request was taken, perhaps not all of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Accepted {
    /// Spans that are kept.
    pub spans: u64,
    /// Spans that are not.
    pub refused_spans: u64,
    /// Why some are not, or a warning; empty when there is nothing to say.
    pub message: String,
}

/// A request was not taken, and nothing of it is kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The bytes are wrong, and stay wrong when sent again.
    #[error("{0}")]
    Invalid(String),
    /// Nobody said whose spans they are.
    #[error("{0}")]
    Unauthenticated(String),
    /// An encoding or content type that is not known here.
    #[error("{0}")]
    Unsupported(String),
    /// The request, or what it inflates to, is over the limit.
    #[error("the request is larger than {limit} bytes (max_request_bytes), expected smaller batches")]
    TooLarge {
        /// Most bytes taken.
        limit: usize,
    },
    /// No room, or a rate limit: the same request may be sent again later.
    #[error("{message}")]
    Exhausted {
        /// What ran out.
        message: String,
        /// When to try again.
        retry_after: Duration,
    },
    /// Not now: the same request may be sent again.
    #[error("{message}")]
    Unavailable {
        /// What is missing.
        message: String,
        /// When to try again, where that can be told.
        retry_after: Option<Duration>,
    },
    /// The server is going down; another one, or this one later, takes the request.
    #[error("the server is shutting down, expected another attempt")]
    ShuttingDown,
    /// The body did not come within the time allowed.
    #[error("the body stalled after {received} bytes, expected progress within {limit:?} (read_timeout)")]
    Stalled {
        /// Bytes that had come.
        received: usize,
        /// The time allowed.
        limit: Duration,
    },
    /// The deadline that the sender set has passed. Whether the request is kept is not known.
    #[error("the sender's deadline passed")]
    Deadline,
    /// The sender went away before the body was whole.
    #[error("the body ended early: {0}")]
    Aborted(String),
    /// A fault of the server.
    #[error("{0}")]
    Internal(String),
}

/// How one kind of refusal is said in each protocol, and counted.
struct Row {
    code: Code,
    http: StatusCode,
    reason: &'static str,
}

impl Refusal {
    /// The one table from refusal to gRPC code, HTTP status and the label it is counted under.
    fn row(&self) -> Row {
        let (code, http, reason) = match self {
            Refusal::Invalid(_) => (Code::InvalidArgument, StatusCode::BAD_REQUEST, "invalid"),
            Refusal::Unauthenticated(_) => (Code::Unauthenticated, StatusCode::UNAUTHORIZED, "no_tenant"),
            Refusal::Unsupported(_) => {
                (Code::Unimplemented, StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported")
            }
            Refusal::TooLarge { .. } => (Code::ResourceExhausted, StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
            Refusal::Exhausted { .. } => {
                (Code::ResourceExhausted, StatusCode::TOO_MANY_REQUESTS, "exhausted")
            }
            Refusal::Unavailable { .. } => {
                (Code::Unavailable, StatusCode::SERVICE_UNAVAILABLE, "unavailable")
            }
            Refusal::ShuttingDown => (Code::Unavailable, StatusCode::SERVICE_UNAVAILABLE, "shutting_down"),
            Refusal::Stalled { .. } => (Code::DeadlineExceeded, StatusCode::REQUEST_TIMEOUT, "stalled"),
            Refusal::Deadline => (Code::DeadlineExceeded, StatusCode::SERVICE_UNAVAILABLE, "deadline"),
            Refusal::Aborted(_) => (Code::Cancelled, StatusCode::BAD_REQUEST, "aborted"),
            Refusal::Internal(_) => (Code::Internal, StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        };
        Row { code, http, reason }
    }

    /// As a gRPC status code.
    pub fn code(&self) -> Code {
        self.row().code
    }

    /// As an HTTP status.
    pub fn http_status(&self) -> StatusCode {
        self.row().http
    }

    /// The label it is counted under.
    pub fn reason(&self) -> &'static str {
        self.row().reason
    }

    /// When the same request may be sent again, where that makes sense and can be told.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Refusal::Exhausted { retry_after, .. } => Some(*retry_after),
            Refusal::Unavailable { retry_after, .. } => *retry_after,
            Refusal::ShuttingDown => Some(Duration::from_secs(1)),
            _ => None,
        }
    }
}
