//! What the API asks of the engine behind it.

use std::future::Future;
use std::time::Duration;

use axum::http::StatusCode;
use spanloom_query::{
    Answers, GraphRequest, MetricsPart, MetricsRequest, SearchPart, SearchRequest, ServiceGraph, TagValues,
    TagValuesRequest, Tags, TagsRequest,
};
use spanloom_span::model::Trace;
use spanloom_span::{Tenant, TraceId};
use spanloom_wire::Code;

use crate::cluster::ClusterPage;
use crate::redact::{RedactRequest, Redacted};

/// What the API asks of the engine behind it.
pub trait Queries: Clone + Send + Sync + 'static {
    /// Finds a trace. A caller that goes away drops the future.
    fn trace(&self, query: TraceQuery) -> impl Future<Output = Result<TraceAnswer, QueryError>> + Send;

    /// Finds traces. Dropping the answers ends the work on them.
    fn search(
        &self,
        request: SearchRequest,
    ) -> impl Future<Output = Result<Answers<SearchPart>, QueryError>> + Send;

    /// Makes series. Dropping the answers ends the work on them.
    fn metrics(
        &self,
        request: MetricsRequest,
    ) -> impl Future<Output = Result<Answers<MetricsPart>, QueryError>> + Send;

    /// Makes the graph of services that call each other.
    fn service_graph(
        &self,
        request: GraphRequest,
    ) -> impl Future<Output = Result<ServiceGraph, QueryError>> + Send;

    /// Names of attributes.
    fn tags(&self, request: TagsRequest) -> impl Future<Output = Result<Tags, QueryError>> + Send;

    /// Values of a field.
    fn tag_values(
        &self,
        request: TagValuesRequest,
    ) -> impl Future<Output = Result<TagValues, QueryError>> + Send;

    /// Seals what is live into blocks; returns when that is done.
    fn flush(&self) -> impl Future<Output = Result<(), QueryError>> + Send;

    /// Deletes spans from all blocks, or says which; returns when that is done. Goes on when its caller goes away.
    fn redact(&self, request: RedactRequest) -> impl Future<Output = Result<Redacted, QueryError>> + Send;

    /// What `/ring` and `/memberlist` show.
    fn cluster(&self) -> ClusterPage;

    /// Begins to remove a node that is dead; returns at once.
    fn forget(&self, node: String) -> impl Future<Output = Result<(), QueryError>> + Send;

    /// Begins to end the server; returns at once.
    fn shutdown(&self) -> impl Future<Output = Result<(), QueryError>> + Send;

    /// Whether the server can do its work; else why not.
    fn ready(&self) -> Result<(), String>;

    /// What `/status` shows.
    fn status(&self) -> StatusPage;

    /// The configuration as YAML.
    fn config_text(&self, mode: ConfigMode) -> String;

    /// All metrics as OpenMetrics text, ending with `# EOF`.
    fn metrics_text(&self) -> String;
}

/// A question for one trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceQuery {
    /// On whose behalf; at least one, none twice.
    pub tenants: Vec<Tenant>,
    /// Which trace.
    pub id: TraceId,
    /// Seconds since 1970: the trace has a span that ends at or after this. A hint to skip blocks by.
    pub start: Option<u64>,
    /// Seconds since 1970: the trace has a span that starts at or before this.
    pub end: Option<u64>,
    /// Where to look.
    pub sources: Sources,
}

/// Where to look for a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sources {
    /// Live traces and blocks.
    #[default]
    All,
    /// Live traces only.
    Live,
    /// Blocks only.
    Blocks,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TraceAnswer {
    /// The trace, all its parts joined; `None` when there is no span of it.
    pub trace: Option<Trace>,
    /// What is missing from the trace and why, when something is.
    pub missing: Option<String>,
    /// Bytes that were looked at.
    pub inspected_bytes: u64,
    /// Reads from the object store.
    pub backend_reads: u64,
    /// Bytes of those reads.
    pub backend_bytes: u64,
}

/// Why a question was not answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// The question is wrong.
    #[error("{0}")]
    Invalid(String),
    /// The question asks for more than a limit allows.
    #[error("{message}")]
    OverLimit {
        /// The limit's key in the configuration.
        limit: &'static str,
        /// What was found and what is allowed, with the key.
        message: String,
    },
    /// Nobody said on whose behalf it is asked.
    #[error("{0}")]
    Unauthenticated(String),
    /// The configuration does not allow it.
    #[error("{0}")]
    Forbidden(String),
    /// Another node answers such questions: this one has no part in it.
    #[error("{0}")]
    Elsewhere(String),
    /// The answer is larger than allowed.
    #[error("{0}")]
    TooLarge(String),
    /// Too many questions at once; ask again later.
    #[error("{message}")]
    Busy {
        /// What ran out.
        message: String,
        /// The limit's key in the configuration, if it is one.
        limit: Option<&'static str>,
        /// When to ask again.
        retry_after: Duration,
    },
    /// It took too long.
    #[error("the question was not answered within {0:?} (query.timeout)")]
    Timeout(Duration),
    /// Not now: starting, or shutting down.
    #[error("{0}")]
    Unavailable(String),
    /// A fault of the server.
    #[error("{0}")]
    Internal(String),
}

impl QueryError {
    /// The one table from error to HTTP status.
    pub fn status(&self) -> StatusCode {
        match self {
            QueryError::Invalid(_) | QueryError::OverLimit { .. } => StatusCode::BAD_REQUEST,
            QueryError::Unauthenticated(_) => StatusCode::UNAUTHORIZED,
            QueryError::Forbidden(_) => StatusCode::FORBIDDEN,
            QueryError::Elsewhere(_) => StatusCode::NOT_IMPLEMENTED,
            QueryError::TooLarge(_) => StatusCode::UNPROCESSABLE_ENTITY,
            QueryError::Busy { .. } => StatusCode::TOO_MANY_REQUESTS,
            QueryError::Timeout(_) => StatusCode::GATEWAY_TIMEOUT,
            QueryError::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            QueryError::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The same as a gRPC status.
    pub fn code(&self) -> Code {
        match self {
            QueryError::Invalid(_) | QueryError::OverLimit { .. } => Code::InvalidArgument,
            QueryError::Unauthenticated(_) => Code::Unauthenticated,
            QueryError::Forbidden(_) => Code::PermissionDenied,
            QueryError::Elsewhere(_) => Code::Unimplemented,
            QueryError::TooLarge(_) | QueryError::Busy { .. } => Code::ResourceExhausted,
            QueryError::Timeout(_) => Code::DeadlineExceeded,
            QueryError::Unavailable(_) => Code::Unavailable,
            QueryError::Internal(_) => Code::Internal,
        }
    }

    /// The limit that was met, by its key in the configuration.
    pub fn limit(&self) -> Option<&'static str> {
        match self {
            QueryError::OverLimit { limit, .. } => Some(limit),
            QueryError::TooLarge(_) => Some("query.max_answer_bytes"),
            QueryError::Busy { limit, .. } => *limit,
            QueryError::Timeout(_) => Some("query.timeout"),
            QueryError::Invalid(_)
            | QueryError::Unauthenticated(_)
            | QueryError::Forbidden(_)
            | QueryError::Elsewhere(_) => None,
            QueryError::Unavailable(_) | QueryError::Internal(_) => None,
        }
    }

    /// When asking again makes sense, where that can be told.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            QueryError::Busy { retry_after, .. } => Some(*retry_after),
            _ => None,
        }
    }
}

/// When a question that found no room may be asked again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The one table from what the querier says.
impl From<spanloom_query::QueryError> for QueryError {
    fn from(error: spanloom_query::QueryError) -> Self {
        use spanloom_query::QueryError as Asked;
        match error {
            Asked::Peer(error) => {
                QueryError::Busy { message: error.to_string(), limit: None, retry_after: RETRY_AFTER }
            }
            Asked::Busy(message) => {
                QueryError::Busy { message, limit: Some("query.max_questions"), retry_after: RETRY_AFTER }
            }
            Asked::Invalid(message) => QueryError::Invalid(message),
            Asked::TooLarge(message) => QueryError::TooLarge(message),
            Asked::Timeout(limit) => QueryError::Timeout(limit),
            Asked::Stopping | Asked::Peers { .. } => QueryError::Unavailable(error.to_string()),
            Asked::Block { .. } | Asked::Live(_) | Asked::Read(_) => QueryError::Internal(error.to_string()),
        }
    }
}

/// What `/status` shows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StatusPage {
    /// In the order shown. The one titled `services` is also `/status/services`.
    pub sections: Vec<Section>,
}

/// A part of the status page.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Section {
    /// Its title, lower case.
    pub title: String,
    /// What is shown: name and value.
    pub rows: Vec<(String, String)>,
}

/// Which configuration is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ConfigMode {
    /// What is in force.
    #[default]
    Current,
    /// What differs from the defaults.
    Diff,
    /// The defaults.
    Defaults,
}

/// What this program was built from.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BuildInfo {
    /// Such as `0.1.0`.
    pub version: String,
    /// The commit.
    pub revision: String,
    /// The branch.
    pub branch: String,
    /// Who built it.
    pub build_user: String,
    /// When.
    pub build_date: String,
    /// The compiler. Readers know the field by this name.
    pub go_version: String,
}
