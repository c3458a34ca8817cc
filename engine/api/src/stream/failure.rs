//! Why a question has no answer, as gRPC says it.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use spanloom_receive::Refusal;
use spanloom_receive::request::question;
use spanloom_wire::query::request::RequestError;
use spanloom_wire::{Code, Status};

use crate::QueryError;
use crate::config::MAX_QUERY_BYTES;

/// A status that is not OK.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    code: Code,
    message: String,
    retry_after: Option<Duration>,
    /// The limit that was met, by its key.
    pub limit: Option<&'static str>,
    /// What it would be over HTTP; it is counted under this.
    pub http: StatusCode,
}

impl Failure {
    /// The client waits no longer.
    pub fn deadline(limit: Duration) -> Self {
        Self {
            code: Code::DeadlineExceeded,
            message: format!("the question was not answered within {limit:?} (grpc-timeout)"),
            retry_after: None,
            limit: None,
            http: StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// There is no such method.
    pub fn unknown(path: &str, service: &str) -> Self {
        let path = crate::params::shown(path);
        Self {
            code: Code::Unimplemented,
            message: format!("{path} is not served here, expected a method of {service}"),
            retry_after: None,
            limit: None,
            http: StatusCode::NOT_FOUND,
        }
    }

    /// What was asked for is not there.
    pub fn not_found(message: &str) -> Self {
        Self {
            code: Code::NotFound,
            message: message.to_owned(),
            retry_after: None,
            limit: None,
            http: StatusCode::NOT_FOUND,
        }
    }

    /// The method is known, and there is nothing behind it here.
    pub fn unimplemented(message: &str) -> Self {
        Self { code: Code::Unimplemented, http: StatusCode::NOT_IMPLEMENTED, ..Self::not_found(message) }
    }

    /// As headers or trailers.
    pub fn trailers(&self) -> HeaderMap {
        let status = Status { code: self.code, message: &self.message, retry_after: self.retry_after };
        question::status(&status)
    }

    /// An answer of this alone.
    pub fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.headers_mut() = question::head();
        response.headers_mut().extend(self.trailers());
        response
    }
}

impl From<QueryError> for Failure {
    fn from(error: QueryError) -> Self {
        Self {
            code: error.code(),
            message: error.to_string(),
            retry_after: error.retry_after(),
            limit: error.limit(),
            http: error.status(),
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let message = match &refusal {
            // Its own words are about batches of spans.
            Refusal::TooLarge { limit } => {
                format!(
                    "the question is larger than {limit} bytes, expected a shorter query ({MAX_QUERY_BYTES})"
                )
            }
            refusal => refusal.to_string(),
        };
        let http = refusal.http_status();
        let limit = matches!(refusal, Refusal::TooLarge { .. }).then_some(MAX_QUERY_BYTES);
        Self { code: refusal.code(), message, retry_after: refusal.retry_after(), limit, http }
    }
}

impl From<RequestError> for Failure {
    fn from(error: RequestError) -> Self {
        QueryError::Invalid(error.to_string()).into()
    }
}
