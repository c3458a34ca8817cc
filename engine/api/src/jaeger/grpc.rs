//! Jaeger's services over gRPC: `jaeger.api_v2` and `jaeger.api_v3` for readers, `jaeger.storage.v1` and
//! `jaeger.storage.v2` for a jaeger-query that has its storage here. They ask the same; answers differ in their messages.
//!
//! Traces are fetched as the client takes them: what waits in memory is a few traces, however many are asked for.

use std::pin::pin;
use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use axum::response::Response;
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use spanloom_receive::request::question;
use spanloom_span::model::Trace;
use spanloom_span::{Tenant, TraceId};
use spanloom_wire::jaeger::out::SpanChunks;
use spanloom_wire::jaeger::query::{self, Dialect, FindAsked, FoundId, Id, TraceAsked};
use spanloom_wire::trace_proto;

use super::asked::wanted;
use super::dependencies::links;
use super::names::operations_in;
use super::tenants_of;
use super::traces::NO_ARCHIVE;
use super::v3::summaries_of;
use crate::endpoints::{JAEGER_GRPC, grpc_in};
use crate::foreign::{found, names};
use crate::service::Inner;
use crate::stream::failure::Failure;
use crate::stream::reply::{Message, Parts};
use crate::stream::{answer_by, one, taken};
use crate::time::{self, SECOND};
use crate::{Queries, QueryError, Sources, TraceQuery};

/// What those may expect who ask for another service.
const SERVICES: &str =
    "jaeger.api_v2.QueryService, jaeger.api_v3.QueryService, jaeger.storage.v1 or jaeger.storage.v2";

/// Messages end once they have so many bytes; clients take 4 MiB as a rule.
const CHUNK_BYTES: usize = 1 << 20;

/// How far back dependencies are looked for when nothing is said.
const USUAL_LOOKBACK: u64 = 24 * 3600 * SECOND;

/// Answers a request whose content type is gRPC's.
pub(super) async fn answer<Q, B>(inner: Arc<Inner<Q>>, request: Request<B>) -> Response
where
    Q: Queries,
    B: hyper::body::Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    if let Some(response) = question::wrong_transport(&request) {
        return response.map(Body::new);
    }
    let Some(endpoint) = grpc_in(&JAEGER_GRPC, request.uri().path()) else {
        return Failure::unknown(request.uri().path(), SERVICES).into_response();
    };
    answer_by(&inner, endpoint, request, |request| begin(&inner, endpoint.path, request)).await
}

/// Reads the question and asks it.
async fn begin<Q, B>(inner: &Arc<Inner<Q>>, path: &'static str, request: Request<B>) -> Result<Parts, Failure>
where
    Q: Queries,
    B: hyper::body::Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let (service, method) = path.rsplit_once('/').unwrap_or((path, ""));
    if service == "/grpc.health.v1.Health" {
        let (_, message) = taken(inner, request).await?;
        return health(inner, &message);
    }
    let tenants = tenants_of(inner, request.headers())?;
    let (_, message) = taken(inner, request).await?;
    let dialect = match service {
        "/jaeger.api_v3.QueryService" => Dialect::V3,
        "/jaeger.storage.v2.TraceReader" | "/jaeger.storage.v2.DependencyReader" => Dialect::Storage2,
        _ => Dialect::V2,
    };
    let asking = Asking { inner, tenants, dialect };
    match method {
        "GetTrace" => asking.trace(&message).await,
        "GetTraces" => asking.traces(&message),
        "FindTraces" => asking.find(&message).await,
        "FindTraceIDs" => asking.find_ids(&message).await,
        "FindTraceSummaries" => asking.summaries(&message).await,
        "GetServices" => asking.services().await,
        "GetOperations" => asking.operations(&message).await,
        "GetDependencies" => asking.dependencies(&message).await,
        // `CapabilitiesResponse` without any: there is no archive, and spans are written one by one.
        "Capabilities" => Ok(one(Message::default())),
        "ArchiveTrace" | "GetArchiveTrace" => Err(Failure::unimplemented(NO_ARCHIVE)),
        _ => Err(Failure::unknown(path, SERVICES)),
    }
}

/// `HealthCheckRequest {1 service}`, `HealthCheckResponse {1 status}`: 1 is serving, 2 is not.
fn health<Q: Queries>(inner: &Inner<Q>, message: &[u8]) -> Result<Parts, Failure> {
    let (service, _) = query::operations_asked(message)?;
    let is_known =
        |known: &str| known.trim_start_matches('/').rsplit_once('/').is_some_and(|(s, _)| s == service);
    if !service.is_empty() && !JAEGER_GRPC.iter().any(|method| is_known(method.path)) {
        return Err(Failure::not_found(&format!(
            "there is no service {service:?} here, expected {SERVICES}"
        )));
    }
    let status = if inner.queries.ready().is_ok() { 1 } else { 2 };
    Ok(one(Message { bytes: vec![8, status], partial: None }))
}

/// A question, by whom and in whose messages.
struct Asking<'a, Q> {
    inner: &'a Arc<Inner<Q>>,
    tenants: Vec<Tenant>,
    dialect: Dialect,
}

impl<Q: Queries> Asking<'_, Q> {
    fn query(&self, asked: &TraceAsked) -> Result<TraceQuery, Failure> {
        let id = match &asked.id {
            Id::Known(id) => *id,
            Id::Wrong(found) => {
                let message = format!("the trace id is wrong: found {found}, expected 16 or 8 bytes");
                return Err(QueryError::Invalid(message).into());
            }
        };
        Ok(TraceQuery {
            tenants: self.tenants.clone(),
            id,
            start: asked.start.map(|start| start / SECOND),
            end: asked.end.map(|end| end.div_ceil(SECOND)),
            sources: Sources::All,
        })
    }

    async fn trace(self, message: &[u8]) -> Result<Parts, Failure> {
        let query = self.query(&TraceAsked::decode(self.dialect, message)?)?;
        let found = self.inner.queries.trace(query).await?;
        let Some(trace) = found.trace else { return Err(Failure::not_found("trace not found")) };
        let messages = messages(self.dialect, &trace, found.missing.as_deref());
        Ok(Box::pin(stream::iter(messages)))
    }

    /// Traces that are not there are left out.
    fn traces(self, message: &[u8]) -> Result<Parts, Failure> {
        let asked = TraceAsked::decode_many(message)?;
        let queries = asked.iter().map(|asked| self.query(asked)).collect::<Result<Vec<_>, _>>()?;
        let ids = queries.into_iter().map(|query| query.id).collect();
        Ok(self.whole(ids, None))
    }

    async fn find(self, message: &[u8]) -> Result<Parts, Failure> {
        let wanted = wanted(FindAsked::decode(self.dialect, message)?, time::now())?;
        let part = found::search(self.inner, &self.tenants, wanted).await?;
        Ok(self.whole(part.traces.iter().map(|trace| trace.id).collect(), part.partial))
    }

    /// Whole traces, one after the other.
    fn whole(self, ids: Vec<TraceId>, partial: Option<String>) -> Parts {
        let dialect = self.dialect;
        let traces = found::fetch(self.inner, &self.tenants, ids);
        let messages = traces.flat_map(move |(_, found)| match found {
            Ok(found) => {
                let partial = partial.as_deref().or(found.missing.as_deref());
                stream::iter(found.trace.map(|trace| messages(dialect, &trace, partial)).unwrap_or_default())
            }
            Err(error) => stream::iter(vec![Err(error)]),
        });
        until_failed(messages)
    }

    async fn find_ids(self, message: &[u8]) -> Result<Parts, Failure> {
        let wanted = wanted(FindAsked::decode(self.dialect, message)?, time::now())?;
        let part = found::search(self.inner, &self.tenants, wanted).await?;
        let id = |trace: &spanloom_traceql::answer::FoundTrace| FoundId {
            id: trace.id,
            start: trace.start,
            end: trace.start.saturating_add(trace.duration),
        };
        let found: Vec<FoundId> = part.traces.iter().map(id).collect();
        Ok(one(Message { bytes: query::found_ids(self.dialect, &found), partial: part.partial }))
    }

    async fn summaries(self, message: &[u8]) -> Result<Parts, Failure> {
        let asked = FindAsked::decode(self.dialect, message)?;
        let (summaries, partial) = summaries_of(self.inner, &self.tenants, asked).await?;
        Ok(one(Message { bytes: query::summaries(self.dialect, &summaries), partial }))
    }

    async fn services(self) -> Result<Parts, Failure> {
        let found = names::services(self.inner, &self.tenants).await?;
        Ok(one(Message { bytes: query::services(&found.names), partial: found.partial }))
    }

    async fn operations(self, message: &[u8]) -> Result<Parts, Failure> {
        let (service, kind) = query::operations_asked(message)?;
        let (found, partial) = operations_in(self.inner, &self.tenants, &service, &kind).await?;
        Ok(one(Message { bytes: query::operations(self.dialect, &found), partial }))
    }

    async fn dependencies(self, message: &[u8]) -> Result<Parts, Failure> {
        let (start, end) = query::dependencies_asked(message)?;
        let end = end.unwrap_or_else(time::now);
        let start = start.unwrap_or_else(|| end.saturating_sub(USUAL_LOOKBACK));
        let (links, partial) = links(self.inner, self.tenants, start, end).await?;
        Ok(one(Message { bytes: query::dependencies(&links), partial }))
    }
}

/// A trace as messages of the dialect.
fn messages(dialect: Dialect, trace: &Trace, partial: Option<&str>) -> Vec<Result<Message, QueryError>> {
    let chunks = match dialect {
        Dialect::V2 => SpanChunks::new(trace, CHUNK_BYTES).chunks,
        Dialect::V3 | Dialect::Storage2 => trace_proto::chunks(trace, CHUNK_BYTES),
    };
    let message = |bytes| Ok(Message { bytes, partial: partial.map(str::to_owned) });
    chunks.into_iter().map(message).collect()
}

/// The messages as far as the first failure.
fn until_failed(messages: impl Stream<Item = Result<Message, QueryError>> + Send + 'static) -> Parts {
    Box::pin(stream::unfold(Some(Box::pin(messages)), |messages| async {
        let mut messages = messages?;
        let next = pin!(messages.next()).await?;
        let rest = next.is_ok().then_some(messages);
        Some((next, rest))
    }))
}
