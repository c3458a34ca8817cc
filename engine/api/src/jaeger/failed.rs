//! Why there is no answer, in Jaeger's shapes: those of `/api` and those of `/api/v3` differ. The status is that of the
//! one table, [`QueryError::status`].

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use spanloom_wire::jaeger::answer;

use crate::QueryError;
use crate::answer::{LimitMet, hint, with_type};

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failed {
    /// As everywhere.
    Query(QueryError),
    /// There is no such trace.
    NoTrace,
    /// Something that only this API says.
    Other(StatusCode, String),
}

/// As Jaeger says it.
const NO_TRACE: &str = "trace not found";

impl Failed {
    fn parts(&self) -> (StatusCode, String) {
        match self {
            Failed::Query(error) => (error.status(), error.to_string()),
            Failed::NoTrace => (StatusCode::NOT_FOUND, NO_TRACE.into()),
            Failed::Other(status, message) => (*status, message.clone()),
        }
    }

    fn response(self, body: impl FnOnce(u16, &str) -> Vec<u8>) -> Response {
        let (status, message) = self.parts();
        let mut response = with_type(status, "application/json", body(status.as_u16(), &message));
        if let Failed::Query(error) = &self {
            if let Some(limit) = error.limit() {
                response.extensions_mut().insert(LimitMet(limit));
            }
            hint(error, &mut response);
        }
        response
    }
}

impl From<QueryError> for Failed {
    fn from(error: QueryError) -> Self {
        Failed::Query(error)
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        self.response(answer::error)
    }
}

/// The same in the shape of `/api/v3`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FailedV3(pub Failed);

impl<T: Into<Failed>> From<T> for FailedV3 {
    fn from(failed: T) -> Self {
        Self(failed.into())
    }
}

impl IntoResponse for FailedV3 {
    fn into_response(self) -> Response {
        self.0.response(answer::error_v3)
    }
}
