//! `/api/v3/…`: the same questions, answered as OTLP.

use std::pin::pin;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use futures_util::StreamExt;
use spanloom_span::Tenant;
use spanloom_span::model::Trace;
use spanloom_wire::jaeger::query::{FindAsked, Summary};
use spanloom_wire::jaeger::{answer, out};
use spanloom_wire::trace_json;

use super::asked::{find_v3, trace_id, wanted};
use super::failed::{Failed, FailedV3};
use super::names::operations_in;
use super::tenants_of;
use crate::answer::{Format, MANY_SPANS, write};
use crate::foreign::{found, names};
use crate::params::Params;
use crate::service::Inner;
use crate::time::{self, SECOND};
use crate::{Queries, QueryError, Sources, TraceQuery, partial, rfc3339_point};

type Parameters = Query<Vec<(String, String)>>;

/// `/api/v3/services`.
pub(super) async fn services<Q: Queries>(
    State(inner): State<Arc<Inner<Q>>>,
    headers: HeaderMap,
) -> Result<Response, FailedV3> {
    let tenants = tenants_of(&inner, &headers)?;
    let found = inner.within_time(names::services(&inner, &tenants)).await?;
    let (names, missing) = (found.names, found.partial);
    let response = write(&inner, &headers, Format::Json, false, move || answer::services_v3(&names)).await?;
    Ok(partial::said(response, missing.as_deref()))
}

/// `/api/v3/operations`. A span without a kind is internal here, as Jaeger has it.
pub(super) async fn operations<Q: Queries>(
    State(inner): State<Arc<Inner<Q>>>,
    Query(params): Parameters,
    headers: HeaderMap,
) -> Result<Response, FailedV3> {
    let params = Params(params);
    let tenants = tenants_of(&inner, &headers)?;
    let service = params.get("service").unwrap_or_default();
    let kind = params.get("spanKind").or(params.get("span_kind")).unwrap_or_default();
    let found = inner.within_time(operations_in(&inner, &tenants, service, kind)).await?;
    let (mut operations, missing) = found;
    for operation in operations.iter_mut().filter(|operation| operation.kind.is_empty()) {
        operation.kind = "internal";
    }
    operations.sort();
    operations.dedup();
    let body = move || answer::operations_v3(&operations);
    let response = write(&inner, &headers, Format::Json, false, body).await?;
    Ok(partial::said(response, missing.as_deref()))
}

/// `/api/v3/traces/{id}`.
pub(super) async fn one<Q: Queries>(
    State(inner): State<Arc<Inner<Q>>>,
    Path(id): Path<String>,
    Query(params): Parameters,
    headers: HeaderMap,
) -> Result<Response, FailedV3> {
    let params = Params(params);
    let point = |names: [&str; 2]| {
        let given = names.iter().find(|name| params.get(name).is_some()).unwrap_or(&names[0]);
        params.read(given, "a time such as 2026-01-02T03:04:05Z", rfc3339_point)
    };
    let query = TraceQuery {
        tenants: tenants_of(&inner, &headers)?,
        id: trace_id(&id)?,
        start: point(["startTime", "start_time"])?.map(|start| start / SECOND),
        end: point(["endTime", "end_time"])?.map(|end| end.div_ceil(SECOND)),
        sources: Sources::All,
    };
    let found = inner.within_time(inner.queries.trace(query)).await?;
    let Some(trace) = found.trace else { return Err(Failed::NoTrace.into()) };
    let is_large = trace.span_count() > MANY_SPANS;
    let body = move || {
        let mut elements = Vec::new();
        trace_json::otlp_elements(&trace, &mut elements);
        answer::traces_v3(&elements)
    };
    let response = write(&inner, &headers, Format::Json, is_large, body).await?;
    Ok(partial::said(response, found.missing.as_deref()))
}

/// What was made of the traces that were found.
struct Made<T> {
    made: T,
    count: usize,
    partial: Option<String>,
}

/// Searches, and shows each trace to `see`, which says how many bytes there are by now.
async fn each_found<Q: Queries, T: Send>(
    inner: &Arc<Inner<Q>>,
    tenants: &[Tenant],
    asked: FindAsked,
    mut made: T,
    see: impl Fn(&mut T, &Trace) -> usize + Send,
) -> Result<Made<T>, QueryError> {
    let part = found::search(inner, tenants, wanted(asked, time::now())?).await?;
    let ids: Vec<_> = part.traces.iter().map(|trace| trace.id).collect();
    let (asked, most) = (ids.len(), inner.config.limits.max_answer_bytes);
    let (mut count, mut partial) = (0, part.partial);
    let mut traces = pin!(found::fetch(inner, tenants, ids));
    while let Some((_, found)) = traces.next().await {
        let found = found?;
        partial = partial.or(found.missing);
        let Some(trace) = found.trace else { continue };
        count += 1;
        if see(&mut made, &trace) > most {
            inner.metrics.limited("query.max_answer_bytes");
            partial = Some(found::left_out(count, asked, most));
            break;
        }
        tokio::task::yield_now().await;
    }
    Ok(Made { made, count, partial })
}

/// `/api/v3/traces`.
pub(super) async fn find<Q: Queries>(
    State(inner): State<Arc<Inner<Q>>>,
    Query(params): Parameters,
    headers: HeaderMap,
) -> Result<Response, FailedV3> {
    let asked = find_v3(&Params(params))?;
    let tenants = tenants_of(&inner, &headers)?;
    let see = |elements: &mut Vec<u8>, trace: &Trace| {
        if !elements.is_empty() {
            elements.push(b',');
        }
        trace_json::otlp_elements(trace, elements);
        elements.len()
    };
    let found = inner.within_time(each_found(&inner, &tenants, asked, Vec::new(), see)).await?;
    if found.count == 0 {
        return Err(Failed::Other(StatusCode::NOT_FOUND, "No traces found".into()).into());
    }
    let body = move || answer::traces_v3(&found.made);
    let response = write(&inner, &headers, Format::Json, true, body).await?;
    Ok(partial::said(response, found.partial.as_deref()))
}

/// `/api/v3/trace-summaries`.
pub(super) async fn summaries<Q: Queries>(
    State(inner): State<Arc<Inner<Q>>>,
    Query(params): Parameters,
    headers: HeaderMap,
) -> Result<Response, FailedV3> {
    let asked = find_v3(&Params(params))?;
    let tenants = tenants_of(&inner, &headers)?;
    let found = inner.within_time(summaries_of(&inner, &tenants, asked)).await?;
    let (summaries, missing) = found;
    let body = move || answer::summaries_v3(&summaries);
    let response = write(&inner, &headers, Format::Json, false, body).await?;
    Ok(partial::said(response, missing.as_deref()))
}

/// The traces that are found, in few words, and what may be missing. Whole traces are looked at, as only those tell
/// which spans lack their parents.
pub(super) async fn summaries_of<Q: Queries>(
    inner: &Arc<Inner<Q>>,
    tenants: &[Tenant],
    asked: FindAsked,
) -> Result<(Vec<Summary>, Option<String>), QueryError> {
    let see = |summaries: &mut Vec<Summary>, trace: &Trace| {
        summaries.push(out::summary(trace));
        summaries.len() * size_of::<Summary>()
    };
    let found = each_found(inner, tenants, asked, Vec::new(), see).await?;
    Ok((found.made, found.partial))
}
