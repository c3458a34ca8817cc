//! `/api/traces`, `/api/traces/{id}`, `/api/archive/{id}`, `/api/transform`.

use std::pin::pin;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use futures_util::StreamExt;
use spanloom_span::model::Trace;
use spanloom_span::slice::{SliceLimits, slice};
use spanloom_span::{Tenant, TraceId, TracePart, decode};
use spanloom_wire::jaeger::answer::{Trouble, envelope};
use spanloom_wire::jaeger::out::{trace_json, with_unique_ids};
use spanloom_wire::{json_out, otlp_json};

use super::asked::{Asked, trace_id, units, wanted};
use super::failed::Failed;
use super::tenants_of;
use crate::answer::{Format, beside, write};
use crate::foreign::found;
use crate::params::Params;
use crate::service::Inner;
use crate::time::{self, SECOND};
use crate::{Queries, QueryError, Sources, TraceQuery, partial};

type Parameters = Query<Vec<(String, String)>>;

/// Longest body of `/api/transform`.
const MOST_TRANSFORMED: usize = 32 << 20;

/// Bodies from this size on are written beside the event loop.
const LARGE: usize = 256 << 10;

/// Traces as JSON with commas between, and what is to be said of them.
#[derive(Debug, Default)]
struct Written {
    traces: Vec<u8>,
    count: usize,
    troubles: Vec<Trouble>,
    partial: Option<String>,
}

impl Written {
    fn push(&mut self, trace: &Trace, warnings: &[&str]) {
        if self.count > 0 {
            self.traces.push(b',');
        }
        trace_json(&mut self.traces, trace, warnings);
        self.count += 1;
    }

    fn body(self) -> Vec<u8> {
        envelope(0, &self.troubles, |out| {
            out.push(b'[');
            out.extend_from_slice(&self.traces);
            out.push(b']');
        })
    }

    async fn response<Q>(
        mut self,
        inner: &Inner<Q>,
        headers: &HeaderMap,
        params: &Params,
    ) -> Result<Response, Failed> {
        let is_pretty = params.flag("prettyPrint")?;
        let (is_large, partial) = (self.traces.len() > LARGE, self.partial.take());
        let body = move || match is_pretty {
            true => json_out::pretty(&self.body()),
            false => self.body(),
        };
        let response = write(inner, headers, Format::Json, is_large, body).await?;
        Ok(partial::said(response, partial.as_deref()))
    }
}

/// `/api/traces`.
pub(super) async fn find<Q: Queries>(
    State(inner): State<Arc<Inner<Q>>>,
    Query(params): Parameters,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    let params = Params(params);
    let tenants = tenants_of(&inner, &headers)?;
    let now = time::now();
    let asked = Asked::from_params(&params, now)?;
    let is_raw = params.flag("raw")?;
    let written = inner.within_time(found_or_named(&inner, &tenants, (asked, now), is_raw)).await?;
    written.response(&inner, &headers, &params).await
}

async fn found_or_named<Q: Queries>(
    inner: &Arc<Inner<Q>>,
    tenants: &[Tenant],
    (asked, now): (Asked, u64),
    is_raw: bool,
) -> Result<Written, QueryError> {
    match asked {
        Asked::Ids(ids) => gather(inner, tenants, ids, true, is_raw).await,
        Asked::Find(asked) => {
            let part = found::search(inner, tenants, wanted(asked, now)?).await?;
            let ids = part.traces.iter().map(|trace| trace.id).collect();
            let mut written = gather(inner, tenants, ids, false, is_raw).await?;
            written.partial = part.partial.or(written.partial);
            Ok(written)
        }
    }
}

/// Fetches traces and writes them. Of those that are `named` each one that is not there is told.
async fn gather<Q: Queries>(
    inner: &Arc<Inner<Q>>,
    tenants: &[Tenant],
    ids: Vec<TraceId>,
    named: bool,
    is_raw: bool,
) -> Result<Written, QueryError> {
    let (asked, most) = (ids.len(), inner.config.limits.max_answer_bytes);
    let mut written = Written::default();
    let mut traces = pin!(found::fetch(inner, tenants, ids));
    while let Some((id, found)) = traces.next().await {
        let found = found?;
        match found.trace {
            Some(trace) => {
                let trace = shown(trace, is_raw);
                let warnings: Vec<&str> = found.missing.as_deref().into_iter().collect();
                written.push(&trace, &warnings);
            }
            None if named => {
                let message = "trace not found".to_owned();
                written.troubles.push(Trouble { code: 0, message, trace: Some(id) });
            }
            None => {}
        }
        written.partial = written.partial.or(found.missing);
        if written.traces.len() > most {
            inner.metrics.limited("query.max_answer_bytes");
            written.partial = Some(found::left_out(written.count, asked, most));
            break;
        }
        // The event loop serves others, too.
        tokio::task::yield_now().await;
    }
    Ok(written)
}

/// A trace as the page shows it, or as it is. Times are as they came in either case.
fn shown(mut trace: Trace, is_raw: bool) -> Trace {
    if !is_raw {
        with_unique_ids(&mut trace);
    }
    trace
}

/// `/api/traces/{id}`.
pub(super) async fn one<Q: Queries>(
    State(inner): State<Arc<Inner<Q>>>,
    Path(id): Path<String>,
    Query(params): Parameters,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    let params = Params(params);
    let query = TraceQuery {
        tenants: tenants_of(&inner, &headers)?,
        id: trace_id(&id)?,
        start: units(&params, "start", 1_000)?.map(|start| start / SECOND),
        end: units(&params, "end", 1_000)?.map(|end| end.div_ceil(SECOND)),
        sources: Sources::All,
    };
    let found = inner.within_time(inner.queries.trace(query)).await?;
    let Some(trace) = found.trace else { return Err(Failed::NoTrace) };
    let missing = found.missing;
    let (is_large, is_raw) = (trace.span_count() > crate::answer::MANY_SPANS, params.flag("raw")?);
    let written = beside(is_large, move || {
        let mut written = Written::default();
        written.push(&shown(trace, is_raw), &missing.as_deref().into_iter().collect::<Vec<_>>());
        written.partial = missing;
        written
    });
    written.await?.response(&inner, &headers, &params).await
}

/// `/api/archive/{id}`: as Jaeger answers without a second storage. Nothing needs to be kept apart here.
pub(super) async fn archive<Q: Queries>(
    State(inner): State<Arc<Inner<Q>>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    tenants_of(&inner, &headers)?;
    trace_id(&id)?;
    Err(Failed::Other(StatusCode::INTERNAL_SERVER_ERROR, NO_ARCHIVE.into()))
}

/// As Jaeger says it.
pub(super) const NO_ARCHIVE: &str = "archive span storage was not configured";

/// `/api/transform`: OTLP/JSON as the page's own JSON. Nothing is stored.
pub(super) async fn transform<Q: Queries>(
    State(inner): State<Arc<Inner<Q>>>,
    Query(params): Parameters,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Failed> {
    let params = Params(params);
    let read = inner.within_time(async {
        let read = axum::body::to_bytes(body, MOST_TRANSFORMED).await;
        read.map_err(|e| QueryError::Invalid(format!("the body cannot be read: {e}, expected at most 32MiB")))
    });
    let body = read.await?;
    let written = beside(body.len() > LARGE, move || transformed(&body)).await??;
    written.response(&inner, &headers, &params).await
}

fn transformed(json: &[u8]) -> Result<Written, QueryError> {
    let invalid = |e: &dyn std::fmt::Display| QueryError::Invalid(format!("the body is not OTLP/JSON: {e}"));
    let bytes = otlp_json::to_proto(json).map_err(|e| invalid(&e))?;
    let batch = Arc::new(slice(bytes.into(), &SliceLimits::default()).map_err(|e| invalid(&e))?);
    let mut written = Written::default();
    for group in 0..batch.groups().len() {
        let part = TracePart { batch: batch.clone(), group: group as u32, seq: 0 };
        let trace = decode::trace_part(&part).map_err(|e| invalid(&e))?;
        written.push(&trace, &[]);
    }
    Ok(written)
}
