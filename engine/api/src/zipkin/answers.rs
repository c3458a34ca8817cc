//! The endpoints. Errors are a status and a line of text, as Zipkin's are.

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use spanloom_query::{GraphRequest, TagScope, TagsRequest};
use spanloom_span::{Tenant, TraceId};
use spanloom_traceql::ast::Scope;
use spanloom_wire::json_out::{Object, integer};
use spanloom_wire::zipkin::out::{DependencyLink, dependencies_json, names_json, spans_json};

use super::asked::{REMOTE_KEYS, range, wanted};
use crate::answer::{Format, text, write};
use crate::foreign::filter::{Filter, attribute};
use crate::foreign::{found, names};
use crate::params::{Params, wrong};
use crate::search::asked::{after, within};
use crate::service::Inner;
use crate::{Queries, QueryError, Sources, TraceQuery, partial, tenants, time};

type Parameters = Query<Vec<(String, String)>>;

/// A list of texts as an answer.
async fn listed<Q>(
    inner: &Inner<Q>,
    headers: &HeaderMap,
    names: Vec<String>,
    missing: Option<String>,
) -> Result<Response, QueryError> {
    let response = write(inner, headers, Format::Json, false, move || names_json(&names)).await?;
    Ok(partial::said(response, missing.as_deref()))
}

/// `/api/v2/services`.
pub(super) async fn services<Q: Queries>(
    State(inner): State<Arc<Inner<Q>>>,
    headers: HeaderMap,
) -> Result<Response, QueryError> {
    let tenants = tenants::of(&headers, inner.config.multitenancy)?;
    let found = inner.within_time(names::services(&inner, &tenants)).await?;
    listed(&inner, &headers, found.names, found.partial).await
}

/// `/api/v2/spans`: names of a service's spans.
pub(super) async fn span_names<Q: Queries>(
    State(inner): State<Arc<Inner<Q>>>,
    Query(params): Parameters,
    headers: HeaderMap,
) -> Result<Response, QueryError> {
    let service = required(Params(params), "serviceName")?;
    let tenants = tenants::of(&headers, inner.config.multitenancy)?;
    let found = inner.within_time(names::operations(&inner, &tenants, &service, None)).await?;
    listed(&inner, &headers, found.names, found.partial).await
}

/// `/api/v2/remoteServices`.
pub(super) async fn remote_services<Q: Queries>(
    State(inner): State<Arc<Inner<Q>>>,
    Query(params): Parameters,
    headers: HeaderMap,
) -> Result<Response, QueryError> {
    let service = required(Params(params), "serviceName")?;
    let tenants = tenants::of(&headers, inner.config.multitenancy)?;
    let keys = REMOTE_KEYS.map(|key| (Scope::Span, key));
    let filter = Filter::default().service(&service);
    let (names, missing) = inner.within_time(values_of(&inner, &tenants, &keys, Some(filter))).await?;
    listed(&inner, &headers, names, missing).await
}

fn required(params: Params, name: &str) -> Result<String, QueryError> {
    params.text(name).ok_or_else(|| QueryError::Invalid(format!("the parameter {name} is required")))
}

/// The values of several attributes together.
async fn values_of<Q: Queries>(
    inner: &Inner<Q>,
    tenants: &[Tenant],
    keys: &[(Scope, &str)],
    filter: Option<Filter>,
) -> Result<(Vec<String>, Option<String>), QueryError> {
    let (mut all, mut missing) = (BTreeSet::new(), None);
    for (scope, key) in keys {
        let found = names::values(inner, tenants, attribute(*scope, key), filter.clone()).await?;
        all.extend(found.names);
        missing = missing.or(found.partial);
    }
    Ok((all.into_iter().collect(), missing))
}

/// Traces as a list of lists of spans.
async fn gathered<Q: Queries>(
    inner: &Arc<Inner<Q>>,
    tenants: &[Tenant],
    ids: Vec<TraceId>,
) -> Result<(Vec<u8>, Option<String>), QueryError> {
    let (asked, most) = (ids.len(), inner.config.limits.max_answer_bytes);
    let (mut out, mut count, mut missing) = (vec![b'['], 0, None);
    let mut traces = pin!(found::fetch(inner, tenants, ids));
    while let Some((_, found)) = traces.next().await {
        let found = found?;
        missing = missing.or(found.missing);
        let Some(trace) = found.trace else { continue };
        if count > 0 {
            out.push(b',');
        }
        spans_json(&mut out, &trace);
        count += 1;
        if out.len() > most {
            inner.metrics.limited("query.max_answer_bytes");
            missing = Some(found::left_out(count, asked, most));
            break;
        }
        // The event loop serves others, too.
        tokio::task::yield_now().await;
    }
    out.push(b']');
    Ok((out, missing))
}

/// `/api/v2/traces`.
pub(super) async fn traces<Q: Queries>(
    State(inner): State<Arc<Inner<Q>>>,
    Query(params): Parameters,
    headers: HeaderMap,
) -> Result<Response, QueryError> {
    let wanted = wanted(&Params(params), time::now())?;
    let tenants = tenants::of(&headers, inner.config.multitenancy)?;
    let found = inner.within_time(async {
        let part = found::search(&inner, &tenants, wanted).await?;
        let ids = part.traces.iter().map(|trace| trace.id).collect();
        let (body, missing) = gathered(&inner, &tenants, ids).await?;
        Ok((body, part.partial.or(missing)))
    });
    let (body, missing) = found.await?;
    let response = write(&inner, &headers, Format::Json, false, move || body).await?;
    Ok(partial::said(response, missing.as_deref()))
}

/// `/api/v2/trace/{id}`.
pub(super) async fn trace<Q: Queries>(
    State(inner): State<Arc<Inner<Q>>>,
    Path(text_id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, QueryError> {
    let id = trace_id(&text_id)?;
    let tenants = tenants::of(&headers, inner.config.multitenancy)?;
    let query = TraceQuery { tenants, id, start: None, end: None, sources: Sources::All };
    let found = inner.within_time(inner.queries.trace(query)).await?;
    let Some(trace) = found.trace else {
        let response = text(StatusCode::NOT_FOUND, format!("{text_id} not found\n"));
        return Ok(partial::said(response, found.missing.as_deref()));
    };
    let is_large = trace.span_count() > crate::answer::MANY_SPANS;
    let body = move || {
        let mut out = Vec::new();
        spans_json(&mut out, &trace);
        out
    };
    let response = write(&inner, &headers, Format::Json, is_large, body).await?;
    Ok(partial::said(response, found.missing.as_deref()))
}

fn trace_id(text: &str) -> Result<TraceId, QueryError> {
    TraceId::parse(text).map_err(|e| QueryError::Invalid(format!("{text:?} should be a trace id: {e}")))
}

/// `/api/v2/traceMany`: traces by their ids, those that are there.
pub(super) async fn trace_many<Q: Queries>(
    State(inner): State<Arc<Inner<Q>>>,
    Query(params): Parameters,
    headers: HeaderMap,
) -> Result<Response, QueryError> {
    let ids = required(Params(params), "traceIds")?;
    let mut seen = BTreeSet::new();
    let mut wanted = Vec::new();
    for id in ids.split(',').map(str::trim).filter(|id| !id.is_empty()) {
        let id = trace_id(id)?;
        if !seen.insert(id) {
            return Err(QueryError::Invalid(format!("redundant trace ID: {id}")));
        }
        wanted.push(id);
    }
    // One is to be asked for at /trace.
    if wanted.len() < 2 {
        return Err(wrong("traceIds", &ids, "at least two ids with commas between"));
    }
    let tenants = tenants::of(&headers, inner.config.multitenancy)?;
    let (body, missing) = inner.within_time(gathered(&inner, &tenants, wanted)).await?;
    let response = write(&inner, &headers, Format::Json, false, move || body).await?;
    Ok(partial::said(response, missing.as_deref()))
}

/// `/api/v2/dependencies`.
pub(super) async fn dependencies<Q: Queries>(
    State(inner): State<Arc<Inner<Q>>>,
    Query(params): Parameters,
    headers: HeaderMap,
) -> Result<Response, QueryError> {
    let params = Params(params);
    if params.get("endTs").is_none() {
        return Err(QueryError::Invalid("the parameter endTs is required".into()));
    }
    let (start, end) = range(&params, time::now())?;
    let most = time::nanos(inner.config.limits.max_search_range);
    within("query.max_search_range", after(start, end)?, most)?;
    let tenants = tenants::of(&headers, inner.config.multitenancy)?;
    let graph = inner.queries.service_graph(GraphRequest { tenants, start, end });
    let graph = inner.within_time(graph).await?;
    let missing = graph.partial;
    let link = |edge: spanloom_query::GraphEdge| DependencyLink {
        parent: edge.client,
        child: edge.server,
        calls: edge.calls,
        errors: edge.errors,
    };
    let links: Vec<DependencyLink> = graph.edges.into_iter().map(link).collect();
    let response = write(&inner, &headers, Format::Json, false, move || dependencies_json(&links)).await?;
    Ok(partial::said(response, missing.as_deref()))
}

/// `/api/v2/autocompleteKeys`: names of tags.
pub(super) async fn keys<Q: Queries>(
    State(inner): State<Arc<Inner<Q>>>,
    headers: HeaderMap,
) -> Result<Response, QueryError> {
    let within = time::nanos(inner.config.limits.names_within);
    let request = TagsRequest {
        tenants: tenants::of(&headers, inner.config.multitenancy)?,
        start: Some(time::now().saturating_sub(within)),
        ..TagsRequest::default()
    };
    let tags = inner.within_time(inner.queries.tags(request)).await?;
    let scopes = tags.scopes.into_iter();
    let of_tags = scopes.filter(|(scope, _)| matches!(scope, TagScope::Span | TagScope::Resource));
    let names: BTreeSet<String> = of_tags.flat_map(|(_, names)| names).collect();
    listed(&inner, &headers, names.into_iter().collect(), tags.partial).await
}

/// `/api/v2/autocompleteValues`: values of a tag.
pub(super) async fn values<Q: Queries>(
    State(inner): State<Arc<Inner<Q>>>,
    Query(params): Parameters,
    headers: HeaderMap,
) -> Result<Response, QueryError> {
    let key = required(Params(params), "key")?;
    let tenants = tenants::of(&headers, inner.config.multitenancy)?;
    let keys = [(Scope::Span, &*key), (Scope::Resource, &*key)];
    let (names, missing) = inner.within_time(values_of(&inner, &tenants, &keys, None)).await?;
    listed(&inner, &headers, names, missing).await
}

/// `/config.json`: what Zipkin's page wants to know before it asks anything else.
pub(super) async fn page_config<Q: Queries>(
    State(inner): State<Arc<Inner<Q>>>,
    headers: HeaderMap,
) -> Result<Response, QueryError> {
    let body = || {
        let mut out = Vec::new();
        let mut o = Object::begin(&mut out);
        o.key("environment").extend_from_slice(b"\"\"");
        integer(o.key("queryLimit"), 10);
        integer(o.key("defaultLookback"), 900_000);
        for (key, value) in [("searchEnabled", "true"), ("suggestLens", "false")] {
            o.key(key).extend_from_slice(value.as_bytes());
        }
        for key in ["logsUrl", "supportUrl", "archivePostUrl", "archiveUrl"] {
            o.key(key).extend_from_slice(b"null");
        }
        o.object("dependency", |o| {
            o.key("enabled").extend_from_slice(b"true");
            o.double("lowErrorRate", 0.5);
            o.double("highErrorRate", 0.75);
        });
        o.end();
        out
    };
    Ok(write(&inner, &headers, Format::Json, false, body).await?.into_response())
}
