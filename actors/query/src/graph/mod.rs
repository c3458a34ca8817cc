//! The graph of services: which calls which, how often, with how many failures, how fast. Made of whole traces, live
//! and stored, each judged once however many copies of it there are.
//!
//! | file | holds |
//! |---|---|
//! | `mod.rs` | the question and its answer |
//! | `trace.rs` | the calls of one trace |
//! | `sums.rs` | calls added up, within limits |
//! | `spread.rs` | durations, and their quantiles |
//! | `fields.rs` | what is read of spans |
//! | `work.rs` | the work on it |

mod fields;
mod spread;
mod sums;
mod trace;
mod work;

use std::time::Instant;

use spanloom_span::Tenant;

use crate::querier::plan;
use crate::{Querier, QueryError};
use work::Graphing;

/// "Who calls whom?"
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GraphRequest {
    /// On whose behalf; at least one, none twice.
    pub tenants: Vec<Tenant>,
    /// Nanoseconds since 1970, included: calls that start before do not count.
    pub start: u64,
    /// Nanoseconds since 1970, included.
    pub end: u64,
}

/// Services and the calls between them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServiceGraph {
    /// By name.
    pub nodes: Vec<GraphNode>,
    /// By client, then by server.
    pub edges: Vec<GraphEdge>,
    /// Traces that were looked at.
    pub traces: u64,
    /// What is missing and why: a limit was met, or nodes of a cluster did not answer.
    pub partial: Option<String>,
}

/// Someone who calls or is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraphNode {
    /// The service's name, or what its callers name it.
    pub name: String,
    /// What it is.
    pub kind: NodeKind,
    /// Its spans; of what sends none the spans of those who call it.
    pub spans: u64,
    /// Those with status error.
    pub errors: u64,
}

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NodeKind {
    /// It sends spans.
    Service,
    /// A database that is called and sends none.
    Database,
    /// A broker, or a topic of one.
    Messaging,
    /// Something else that sends none.
    External,
}

/// Calls from one to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraphEdge {
    /// Who calls.
    pub client: String,
    /// Who is called.
    pub server: String,
    /// How often.
    pub calls: u64,
    /// How often it failed, as either side says.
    pub errors: u64,
    /// Half of the calls took at most so many nanoseconds, to a hundredth: on the called side, or on the calling one where
    /// that sends no spans.
    pub p50: u64,
    /// The same of 95 of a hundred.
    pub p95: u64,
}

impl Querier {
    /// Makes the graph of services. What was acknowledged before is in it, unless a limit is met, which the answer says:
    /// `query.max_graph_traces` traces are looked at at most, `query.max_series` nodes and as many edges are shown, and
    /// the work ends before `query.timeout`.
    ///
    /// # Errors
    /// As of [`Querier::search`].
    pub async fn service_graph(&self, request: GraphRequest) -> Result<ServiceGraph, QueryError> {
        let plan = plan(&fields::query())?;
        let (options, begun, tenants) = (self.inner.options, Instant::now(), request.tenants.clone());
        let kind = move |sources| Graphing::new(request.clone(), plan.clone(), sources, begun, &options);
        let mut parts = self.ask(tenants, kind).await?;
        parts.next_part().await.unwrap_or(Err(QueryError::Stopping))
    }
}
