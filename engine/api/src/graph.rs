//! `/api/service-graph`: which service calls which, how often and how fast, made of stored spans.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use spanloom_query::{GraphRequest, NodeKind, ServiceGraph};
use spanloom_wire::json_out::{Object, double, integer, list, string};

use crate::answer::{Format, write};
use crate::params::Params;
use crate::search::asked::{after, within};
use crate::service::Inner;
use crate::{Queries, QueryError, partial, tenants, time};

/// `/api/service-graph`. Without a range, what is recent.
pub(crate) async fn graph<Q: Queries>(
    State(inner): State<Arc<Inner<Q>>>,
    Query(params): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Result<Response, QueryError> {
    let params = Params(params);
    let limits = &inner.config.limits;
    let end = params.time("end")?.unwrap_or_else(time::now);
    let start = params.time("start")?.unwrap_or_else(|| end.saturating_sub(time::nanos(limits.recent)));
    within("query.max_search_range", after(start, end)?, time::nanos(limits.max_search_range))?;
    let tenants = tenants::of(&headers, inner.config.multitenancy)?;
    let request = GraphRequest { tenants, start, end };
    let graph = inner.within_time(inner.queries.service_graph(request)).await?;
    let missing = graph.partial.clone();
    let response = write(&inner, &headers, Format::Json, false, move || json(&graph)).await?;
    Ok(partial::said(response, missing.as_deref()))
}

fn kind_name(kind: NodeKind) -> &'static str {
    match kind {
        NodeKind::Service => "service",
        NodeKind::Database => "database",
        NodeKind::Messaging => "messaging",
        NodeKind::External => "external",
    }
}

fn json(graph: &ServiceGraph) -> Vec<u8> {
    let mut out = Vec::new();
    let mut o = Object::begin(&mut out);
    list(o.key("nodes"), &graph.nodes, |out, node| {
        let mut o = Object::begin(out);
        string(o.key("name"), &node.name);
        string(o.key("kind"), kind_name(node.kind));
        integer(o.key("spans"), node.spans);
        integer(o.key("errors"), node.errors);
        o.end();
    });
    list(o.key("edges"), &graph.edges, |out, edge| {
        let mut o = Object::begin(out);
        string(o.key("client"), &edge.client);
        string(o.key("server"), &edge.server);
        integer(o.key("calls"), edge.calls);
        integer(o.key("errors"), edge.errors);
        for (key, nanos) in [("p50Ms", edge.p50), ("p95Ms", edge.p95)] {
            // Whole microseconds are as fine as quantiles are here.
            double(o.key(key), (nanos / 1_000) as f64 / 1_000.0);
        }
        o.end();
    });
    integer(o.key("traces"), graph.traces);
    o.key("complete").extend_from_slice(if graph.partial.is_none() { b"true" } else { b"false" });
    o.text("message", graph.partial.as_deref().unwrap_or_default());
    o.end();
    out
}
