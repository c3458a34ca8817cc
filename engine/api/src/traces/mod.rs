//! A trace by id: `/api/traces/{id}` (v1) and `/api/v2/traces/{id}`. Stop 9 of the walk ends here.
//!
//! | | v1 | v2 |
//! |---|---|---|
//! | JSON | `{"batches":[…]}` | `{"trace":{"resourceSpans":[…]},"metrics":{…}}` |
//! | protobuf | `Trace` | `TraceByIDResponse` |
//! | for language models | JSON | `application/vnd.grafana.llm+json` |
//! | not found | 404, no body | 200, an empty trace |
//! | something missing | a header | `PARTIAL` and a message, and a header |
//! | `q` | refused | the spans that match, and spans near them |
//!
//! | file | holds |
//! |---|---|
//! | `mod.rs` | the endpoints |
//! | `filter.rs` | the parameter `q` and its kin |
//! | `near.rs` | spans so many steps above or below others |

mod filter;
mod near;

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use spanloom_span::TraceId;
use spanloom_span::model::Trace;
use spanloom_wire::{TraceReport, trace_json, trace_llm, trace_proto};

use crate::answer::{Format, MANY_SPANS, beside, write};
use crate::params::Params;
use crate::service::Inner;
use crate::{Queries, QueryError, Sources, TraceAnswer, TraceQuery, partial, tenants};
use filter::TraceFilter;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

impl Version {
    /// Parameters that change what is answered elsewhere and are not known here. To ignore them would give a wrong
    /// answer.
    fn not_known(self) -> &'static [&'static str] {
        match self {
            Version::One => &["q", "span_pruning"],
            Version::Two => &["span_pruning"],
        }
    }
}

type Parameters = Query<Vec<(String, String)>>;

pub(crate) async fn v1<Q: Queries>(
    State(inner): State<Arc<Inner<Q>>>,
    Path(id): Path<String>,
    Query(params): Parameters,
    headers: HeaderMap,
) -> Result<Response, QueryError> {
    answer(&inner, Version::One, &id, Params(params), &headers).await
}

pub(crate) async fn v2<Q: Queries>(
    State(inner): State<Arc<Inner<Q>>>,
    Path(id): Path<String>,
    Query(params): Parameters,
    headers: HeaderMap,
) -> Result<Response, QueryError> {
    answer(&inner, Version::Two, &id, Params(params), &headers).await
}

async fn answer<Q: Queries>(
    inner: &Inner<Q>,
    version: Version,
    id: &str,
    params: Params,
    headers: &HeaderMap,
) -> Result<Response, QueryError> {
    let mut query = question(version, id, &params.0)?;
    let filter = match version {
        Version::One => None,
        Version::Two => TraceFilter::from_params(&params, inner.config.limits.max_query_bytes)?,
    };
    query.tenants = tenants::of(headers, inner.config.multitenancy)?;
    let mut found = inner.within_time(inner.queries.trace(query)).await?;
    if version == Version::One && found.trace.is_none() {
        let mut response = Response::default();
        *response.status_mut() = StatusCode::NOT_FOUND;
        return Ok(partial::said(response, found.missing.as_deref()));
    }
    let format = match version {
        Version::One => Format::of(headers).or_json(),
        Version::Two => Format::of(headers),
    };
    let is_large = found.trace.as_ref().is_some_and(|trace| trace.span_count() > MANY_SPANS);
    if let Some(filter) = filter
        && let Some(trace) = found.trace.take()
    {
        found.trace = Some(beside(is_large, move || filter.apply(trace)).await??);
    }
    let missing = found.missing.clone();
    let response = write(inner, headers, format, is_large, move || body(version, format, &found)).await?;
    Ok(partial::said(response, missing.as_deref()))
}

/// Reads a question from the path and the parameters.
fn question(version: Version, id: &str, params: &[(String, String)]) -> Result<TraceQuery, QueryError> {
    let id = TraceId::parse(id).map_err(|e| QueryError::Invalid(format!("the trace id is wrong: {e}")))?;
    let mut query = TraceQuery { tenants: Vec::new(), id, start: None, end: None, sources: Sources::All };
    for (name, value) in params {
        let seconds = || {
            let wrong = |_| format!("{name} is {value:?}, expected seconds since 1970, a whole number");
            value.parse::<u64>().map_err(wrong).map_err(QueryError::Invalid)
        };
        match name.as_str() {
            "start" => query.start = Some(seconds()?),
            "end" => query.end = Some(seconds()?),
            "mode" => query.sources = sources(value)?,
            _ if version.not_known().contains(&name.as_str()) && !value.is_empty() && value != "false" => {
                let wrong = format!("the parameter {name} is not known for traces by id, expected none");
                return Err(QueryError::Invalid(wrong));
            }
            _ => {}
        }
    }
    match (query.start, query.end) {
        (Some(start), Some(end)) if end <= start => {
            Err(QueryError::Invalid(format!("start is {start} and end is {end}, expected end after start")))
        }
        _ => Ok(query),
    }
}

fn sources(mode: &str) -> Result<Sources, QueryError> {
    match mode {
        "" | "all" => Ok(Sources::All),
        "ingesters" => Ok(Sources::Live),
        "blocks" => Ok(Sources::Blocks),
        _ => Err(QueryError::Invalid(format!("mode is {mode:?}, expected all, ingesters or blocks"))),
    }
}

fn body(version: Version, format: Format, found: &TraceAnswer) -> Vec<u8> {
    let report = TraceReport {
        inspected_bytes: found.inspected_bytes,
        backend_reads: found.backend_reads,
        backend_bytes: found.backend_bytes,
        partial: found.missing.is_some(),
        message: found.missing.as_deref().unwrap_or(""),
    };
    let none = Trace::default();
    let trace = found.trace.as_ref().unwrap_or(&none);
    match (version, format) {
        (Version::One, Format::Protobuf) => trace_proto::v1(trace),
        (Version::One, Format::Json | Format::Llm) => trace_json::v1(trace),
        (Version::Two, Format::Protobuf) => trace_proto::v2(trace, &report),
        (Version::Two, Format::Json) => trace_json::v2(trace, &report),
        (Version::Two, Format::Llm) => trace_llm::v2(trace, &report),
    }
}
