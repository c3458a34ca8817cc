//! `/api/dependencies`: who calls whom, by the service graph.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use spanloom_query::{GraphRequest, ServiceGraph};
use spanloom_span::Tenant;
use spanloom_wire::jaeger::answer;
use spanloom_wire::jaeger::query::Dependency;

use super::asked::units;
use super::failed::{Failed, FailedV3};
use super::tenants_of;
use crate::answer::{Format, write};
use crate::params::{Params, wrong};
use crate::search::asked::after;
use crate::service::Inner;
use crate::time::{self, SECOND};
use crate::{Queries, QueryError, partial, rfc3339_point};

/// How far back, when nothing is said, as Jaeger has it.
const USUAL_LOOKBACK: u64 = 24 * 3600 * SECOND;

/// `/api/dependencies`.
pub(super) async fn v1<Q: Queries>(
    State(inner): State<Arc<Inner<Q>>>,
    Query(params): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    let params = Params(params);
    let tenants = tenants_of(&inner, &headers)?;
    let end = units(&params, "endTs", 1_000_000)?.unwrap_or_else(time::now);
    let back = units(&params, "lookback", 1_000_000)?.unwrap_or(USUAL_LOOKBACK);
    let asked = links(&inner, tenants, end.saturating_sub(back), end);
    let (mut links, missing) = inner.within_time(asked).await?;
    if let Some(service) = params.get("service") {
        links.retain(|link| link.parent == service || link.child == service);
    }
    let body = move || answer::dependencies(&links, &[]);
    let response = write(&inner, &headers, Format::Json, false, body).await?;
    Ok(partial::said(response, missing.as_deref()))
}

/// `/api/v3/dependencies`.
pub(super) async fn v3<Q: Queries>(
    State(inner): State<Arc<Inner<Q>>>,
    Query(params): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Result<Response, FailedV3> {
    let params = Params(params);
    let tenants = tenants_of(&inner, &headers)?;
    let point = |names: [&str; 2]| {
        let given = names.iter().find(|name| params.get(name).is_some()).unwrap_or(&names[0]);
        let expected = "a time such as 2026-01-02T03:04:05Z";
        let point = params.read(given, expected, rfc3339_point)?;
        point.ok_or_else(|| wrong(names[0], "", expected))
    };
    let (start, end) = (point(["startTime", "start_time"])?, point(["endTime", "end_time"])?);
    let (links, missing) = inner.within_time(links(&inner, tenants, start, end)).await?;
    let body = move || answer::dependencies_v3(&links);
    let response = write(&inner, &headers, Format::Json, false, body).await?;
    Ok(partial::said(response, missing.as_deref()))
}

/// Who calls whom, and what may be missing.
pub(super) async fn links<Q: Queries>(
    inner: &Inner<Q>,
    tenants: Vec<Tenant>,
    start: u64,
    end: u64,
) -> Result<(Vec<Dependency>, Option<String>), QueryError> {
    after(start, end)?;
    let graph = inner.queries.service_graph(GraphRequest { tenants, start, end }).await?;
    let partial = graph.partial.clone();
    Ok((of_graph(graph), partial))
}

/// The edges; those that differ only in the way of calling are one.
fn of_graph(graph: ServiceGraph) -> Vec<Dependency> {
    let mut links: BTreeMap<(String, String), u64> = BTreeMap::new();
    for edge in graph.edges {
        *links.entry((edge.client, edge.server)).or_default() += edge.calls;
    }
    let link = |((parent, child), calls)| Dependency { parent, child, calls };
    links.into_iter().map(link).collect()
}
