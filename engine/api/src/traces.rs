//! A trace by id: `/api/traces/{id}` (v1) and `/api/v2/traces/{id}`. Stop 9 of the walk ends here.
//!
//! | | v1 | v2 |
//! |---|---|---|
//! | JSON | `{"batches":[…]}` | `{"trace":{"resourceSpans":[…]},"metrics":{…}}` |
//! | protobuf | `Trace` | `TraceByIDResponse` |
//! | for language models | JSON | `application/vnd.grafana.llm+json` |
//! | not found | 404, no body | 200, an empty trace |
//! | something missing | as it is | `PARTIAL` and a message |

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use spanloom_span::TraceId;
use spanloom_span::model::Trace;
use spanloom_wire::{TraceReport, trace_json, trace_llm, trace_proto};

use crate::answer::{gzip, mark_gzip, takes_gzip, with_type};
use crate::service::Inner;
use crate::{Queries, QueryError, Sources, TraceAnswer, TraceQuery, tenants};

/// Larger traces are written beside the event loop, so that others go on.
const MANY_SPANS: usize = 1000;

/// Longer bodies are compressed beside the event loop.
const LONG_BODY: usize = 256 << 10;

/// Parameters that change what is answered and that this version does not know. To ignore them would give a wrong
/// answer.
const NOT_KNOWN: [&str; 2] = ["q", "span_pruning"];

/// How the answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Json,
    Protobuf,
    Llm,
}

impl Format {
    /// As readers are used to: the first of these names that occurs anywhere in `Accept`.
    fn of(headers: &HeaderMap) -> Self {
        let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or("");
        let names = [
            ("application/protobuf", Format::Protobuf),
            ("application/json", Format::Json),
            ("application/vnd.grafana.llm", Format::Llm),
        ];
        names.iter().find(|(name, _)| accept.contains(name)).map_or(Format::Json, |(_, format)| *format)
    }

    fn content_type(self) -> &'static str {
        match self {
            Format::Json => "application/json",
            Format::Protobuf => "application/protobuf",
            Format::Llm => "application/vnd.grafana.llm+json",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

type Params = Query<Vec<(String, String)>>;

pub(crate) async fn v1<Q: Queries>(
    State(inner): State<Arc<Inner<Q>>>,
    Path(id): Path<String>,
    Query(params): Params,
    headers: HeaderMap,
) -> Result<Response, QueryError> {
    answer(&inner, Version::One, &id, &params, &headers).await
}

pub(crate) async fn v2<Q: Queries>(
    State(inner): State<Arc<Inner<Q>>>,
    Path(id): Path<String>,
    Query(params): Params,
    headers: HeaderMap,
) -> Result<Response, QueryError> {
    answer(&inner, Version::Two, &id, &params, &headers).await
}

async fn answer<Q: Queries>(
    inner: &Inner<Q>,
    version: Version,
    id: &str,
    params: &[(String, String)],
    headers: &HeaderMap,
) -> Result<Response, QueryError> {
    let mut query = question(id, params)?;
    query.tenants = tenants::of(headers, inner.config.multitenancy)?;
    let format = match Format::of(headers) {
        Format::Llm if version == Version::One => Format::Json,
        format => format,
    };
    let found = inner.within_time(inner.queries.trace(query)).await?;
    if version == Version::One && found.trace.is_none() {
        let mut response = Response::default();
        *response.status_mut() = StatusCode::NOT_FOUND;
        return Ok(response);
    }
    let gzip_from = if takes_gzip(headers) { inner.config.gzip_from_bytes } else { usize::MAX };
    write(version, format, found, gzip_from).await
}

/// Reads a question from the path and the parameters.
fn question(id: &str, params: &[(String, String)]) -> Result<TraceQuery, QueryError> {
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
            _ if NOT_KNOWN.contains(&name.as_str()) && !value.is_empty() && value != "false" => {
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

async fn write(
    version: Version,
    format: Format,
    found: TraceAnswer,
    gzip_from: usize,
) -> Result<Response, QueryError> {
    let is_large = found.trace.as_ref().is_some_and(|trace| trace.span_count() > MANY_SPANS);
    let body = beside(is_large, move || body(version, format, &found)).await?;
    let (body, is_packed) = match body.len() < gzip_from {
        true => (body, false),
        false => beside(body.len() > LONG_BODY, move || pack(body)).await?,
    };
    let mut response = with_type(StatusCode::OK, format.content_type(), body);
    if is_packed {
        mark_gzip(&mut response);
    }
    Ok(response)
}

/// Runs long work beside the event loop, short work here.
async fn beside<T: Send + 'static>(
    is_long: bool,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, QueryError> {
    if !is_long {
        return Ok(work());
    }
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|e| QueryError::Internal(format!("the trace could not be written: {e}")))
}

/// The body, and whether it is compressed.
fn pack(body: Vec<u8>) -> (Vec<u8>, bool) {
    match gzip(&body) {
        Ok(packed) => (packed, true),
        Err(_) => (body, false),
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
