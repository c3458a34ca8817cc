//! What an operator or a load balancer asks: `/ready`, `/api/echo`, `/api/status/buildinfo`, `/flush`,
//! `/shutdown`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::answer::{text, with_type};
use crate::service::Inner;
use crate::{Queries, QueryError};

/// `/`: for a person with a browser.
pub(crate) async fn root<Q: Queries>(State(inner): State<Arc<Inner<Q>>>) -> Response {
    let lines = format!(
        "spanloom {}\n\nThis is the query API. /status shows what the server does, /status/endpoints what it \
         answers.\n",
        inner.build.version
    );
    text(StatusCode::OK, lines)
}

/// `/api/echo`: how a data source finds out that somebody is there.
pub(crate) async fn echo() -> Response {
    text(StatusCode::OK, "echo\n")
}

/// `/ready`.
pub(crate) async fn ready<Q: Queries>(State(inner): State<Arc<Inner<Q>>>) -> Response {
    match inner.queries.ready() {
        Ok(()) => text(StatusCode::OK, "ready\n"),
        Err(reason) => text(StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {reason}\n")),
    }
}

/// `/api/status/buildinfo`.
pub(crate) async fn build_info<Q: Queries>(State(inner): State<Arc<Inner<Q>>>) -> Response {
    match serde_json::to_vec(&inner.build) {
        Ok(json) => with_type(StatusCode::OK, "application/json", json),
        Err(error) => QueryError::Internal(error.to_string()).into_response(),
    }
}

/// `/flush`: 204 when live traces are sealed.
pub(crate) async fn flush<Q: Queries>(State(inner): State<Arc<Inner<Q>>>) -> Result<StatusCode, QueryError> {
    inner.queries.flush().await.map(|()| StatusCode::NO_CONTENT)
}

/// `/shutdown`: 204, and the server begins to end.
pub(crate) async fn shutdown<Q: Queries>(
    State(inner): State<Arc<Inner<Q>>>,
) -> Result<StatusCode, QueryError> {
    inner.queries.shutdown().await.map(|()| StatusCode::NO_CONTENT)
}
