//! The query API: traces by id and by query, tags, series, and what an operator asks of a running server. One
//! port, HTTP/1.1, h2c and gRPC. `docs/QUERY_API.md` describes it for its users.
//!
//! | file | holds |
//! |---|---|
//! | `queries.rs` | what the API asks of the engine behind it, and the one table from error to status |
//! | `service.rs` | the service for `spanloom_receive::serve`, and its router |
//! | `endpoints.rs` | the list of endpoints: for routing labels, for `/status/endpoints`, for those who mistype |
//! | `traces/` | `/api/traces/{id}`, `/api/v2/traces/{id}` |
//! | `search/` | `/api/search` |
//! | `tags/` | names of attributes and their values |
//! | `series/` | `/api/metrics/query_range`, `/api/metrics/query` |
//! | `graph.rs` | `/api/service-graph` |
//! | `stream/` | the same over gRPC, as streams |
//! | `jaeger/` | the query API of Jaeger, on ports of its own |
//! | `zipkin/` | the query API of Zipkin, on the ports that take Zipkin's spans |
//! | `foreign/` | what these two share |
//! | `beside.rs` | ports on which spans come in, too |
//! | `conditions.rs` | conditions on spans as TraceQL |
//! | `params.rs` | parameters, and what is said of wrong ones |
//! | `time.rs` | points in time, durations, steps |
//! | `language.rs` | a query's text, looked at before it is handed on |
//! | `parts.rs` | answers in parts, taken whole |
//! | `partial.rs` | answers that lack something say so |
//! | `admin.rs` | `/ready`, `/api/echo`, `/api/status/buildinfo`, `/flush`, `/shutdown` |
//! | `redact.rs` | `/api/redact` |
//! | `status.rs` | `/status` and its parts |
//! | `page/` | Spanloom's own web page |
//! | `cluster/` | `/ring`, `/memberlist`, `/ring/forget` |
//! | `metrics.rs` | `/metrics`, and what the API itself counts |
//! | `tenants.rs` | on whose behalf a question is asked |
//! | `answer.rs` | content types, compression, plain texts |
//! | `config.rs` | what an operator may set |
//!
//! **Invariant:** nothing here knows how a question is answered; everything is asked through [`Queries`].

mod admin;
mod answer;
mod beside;
mod cluster;
mod conditions;
pub mod config;
mod endpoints;
mod foreign;
mod graph;
mod jaeger;
mod language;
pub mod metrics;
mod page;
mod params;
mod partial;
mod parts;
pub mod queries;
pub mod redact;
mod search;
mod series;
mod service;
mod status;
mod stream;
mod tags;
mod tenants;
#[cfg(test)]
mod tests;
pub mod time;
mod traces;
mod zipkin;

pub use beside::Beside;
pub use cluster::{ClusterMember, ClusterPage, GossipCounts};
pub use config::{ApiConfig, QueryLimits};
pub use jaeger::JaegerApi;
pub use metrics::ApiMetrics;
pub use partial::PARTIAL;
pub use queries::{
    BuildInfo, ConfigMode, Queries, QueryError, Section, Sources, StatusPage, TraceAnswer, TraceQuery,
};
pub use redact::{RedactRequest, RedactWhat, Redacted, RewrittenBlock};
pub use search::NEXT_CURSOR;
pub use service::Api;
use time::rfc3339_point;
pub use zipkin::ZipkinApi;
