//! The query API: traces by id, and what an operator asks of a running server. One port, HTTP/1.1 and h2c.
//!
//! | file | holds |
//! |---|---|
//! | `queries.rs` | what the API asks of the engine behind it, and the one table from error to status |
//! | `service.rs` | the service for `spanloom_receive::serve`, and its router |
//! | `endpoints.rs` | the list of endpoints: for routing labels, for `/status/endpoints`, for those who mistype |
//! | `traces.rs` | `/api/traces/{id}`, `/api/v2/traces/{id}` |
//! | `admin.rs` | `/ready`, `/api/echo`, `/api/status/buildinfo`, `/flush`, `/shutdown` |
//! | `status.rs` | `/status` and its parts |
//! | `metrics.rs` | `/metrics`, and what the API itself counts |
//! | `tenants.rs` | on whose behalf a question is asked |
//! | `answer.rs` | content types, compression, plain texts |
//! | `config.rs` | what an operator may set |
//!
//! **Invariant:** nothing here knows how a question is answered; everything is asked through [`Queries`].

mod admin;
mod answer;
pub mod config;
mod endpoints;
pub mod metrics;
pub mod queries;
mod service;
mod status;
mod tenants;
#[cfg(test)]
mod tests;
mod traces;

pub use config::ApiConfig;
pub use metrics::ApiMetrics;
pub use queries::{
    BuildInfo, ConfigMode, Queries, QueryError, Section, Sources, StatusPage, TraceAnswer, TraceQuery,
};
pub use service::Api;
