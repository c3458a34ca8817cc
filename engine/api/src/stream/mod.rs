//! `tempopb.StreamingQuerier`: the same questions over gRPC, on the same port; answers come as they are found. The
//! services of Jaeger are answered by the same means.
//!
//! | file | holds |
//! |---|---|
//! | `mod.rs` | the methods |
//! | `failure.rs` | why a question has no answer, as gRPC says it |
//! | `found.rs` | traces as they are found |
//! | `grown.rs` | series as they grow |
//! | `reply.rs` | the body of an answer: messages, then a status |
//!
//! A client that goes away drops the body, and with it the answers and the work on them.

pub(crate) mod failure;
mod found;
mod grown;
pub(crate) mod reply;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, Request};
use axum::response::Response;
use bytes::Bytes;
use futures_util::{FutureExt, stream};
use spanloom_receive::request::question::{self, QuestionLimits};
use spanloom_span::Tenant;
use spanloom_wire::query::request;
use tokio::time::Instant;

use crate::endpoints::{self, Endpoint, SERVICE};
use crate::search::asked::Asked as SearchAsked;
use crate::series::asked::{Asked as SeriesAsked, Shape};
use crate::service::Inner;
use crate::tags::names::{self, NamesAsked};
use crate::tags::values::{self, ValuesAsked};
use crate::{Queries, QueryError, tenants, time};
use failure::Failure;
use found::Found;
use grown::Grown;
use reply::{Counted, Message, Parts, Reply};

/// A request has other fields beside its query.
const OTHER_BYTES: usize = 16 << 10;

/// Answers a request whose content type is gRPC's.
pub(crate) async fn answer<Q, B>(inner: Arc<Inner<Q>>, request: Request<B>) -> Response
where
    Q: Queries,
    B: hyper::body::Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    if let Some(response) = question::wrong_transport(&request) {
        return response.map(Body::new);
    }
    let path = request.uri().path().to_owned();
    let Some(endpoint) = endpoints::grpc(&path) else {
        return Failure::unknown(&path, SERVICE).into_response();
    };
    answer_by(&inner, endpoint, request, |request| begin(&inner, endpoint.path, request)).await
}

/// Answers a request to a method that is known, by what `begin` makes of it.
pub(crate) async fn answer_by<Q, B, F>(
    inner: &Inner<Q>,
    endpoint: &'static Endpoint,
    request: Request<B>,
    begin: impl FnOnce(Request<B>) -> F,
) -> Response
where
    F: Future<Output = Result<Parts, Failure>>,
{
    let mut counted = Counted::begin(inner.metrics.clone(), endpoint.label());
    let (time, work) = match question::deadline(request.headers()) {
        Ok(deadline) => (Time::of(inner.config.timeout, deadline), begin(request)),
        Err(refusal) => {
            let failure = Failure::from(refusal);
            counted.failed(&failure);
            return failure.into_response();
        }
    };
    match time.limit(work).await {
        Ok(parts) => Reply::response(parts, time, counted),
        Err(failure) => {
            counted.failed(&failure);
            failure.into_response()
        }
    }
}

/// The one message of a request, and on whose behalf it comes.
pub(crate) async fn taken<Q, B>(inner: &Inner<Q>, request: Request<B>) -> Result<(HeaderMap, Bytes), Failure>
where
    B: hyper::body::Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let (head, body) = request.into_parts();
    let limits = QuestionLimits {
        bytes: inner.config.limits.max_query_bytes + OTHER_BYTES,
        stall: inner.config.serve.header_read_timeout,
    };
    let message = question::take(&head.headers, body, limits).await?;
    Ok((head.headers, message))
}

/// How long an answer may take.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Time {
    /// As long as it takes.
    Any,
    /// So long, as the configuration says.
    Ours(Instant, Duration),
    /// So long, as the client says.
    Theirs(Instant, Duration),
}

impl Time {
    /// From now on: the shorter one.
    fn of(ours: Duration, theirs: Option<Duration>) -> Self {
        let ours = (!ours.is_zero()).then_some(ours);
        let until = |time: Duration| Instant::now().checked_add(time);
        match (ours, theirs) {
            (Some(ours), Some(theirs)) if ours <= theirs => Self::of(ours, None),
            (_, Some(theirs)) => until(theirs).map_or(Time::Any, |end| Time::Theirs(end, theirs)),
            (Some(ours), None) => until(ours).map_or(Time::Any, |end| Time::Ours(end, ours)),
            (None, None) => Time::Any,
        }
    }

    fn end(self) -> Option<Instant> {
        match self {
            Time::Any => None,
            Time::Ours(end, _) | Time::Theirs(end, _) => Some(end),
        }
    }

    /// What is said when it is over.
    fn over(self) -> Failure {
        match self {
            Time::Theirs(_, limit) => Failure::deadline(limit),
            Time::Ours(_, limit) => QueryError::Timeout(limit).into(),
            Time::Any => QueryError::Timeout(Duration::ZERO).into(),
        }
    }

    async fn limit<T>(self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        match self.end() {
            Some(end) => tokio::time::timeout_at(end, work).await.unwrap_or_else(|_| Err(self.over())),
            None => work.await,
        }
    }
}

/// Reads the question and asks it.
async fn begin<Q, B>(inner: &Arc<Inner<Q>>, path: &str, request: Request<B>) -> Result<Parts, Failure>
where
    Q: Queries,
    B: hyper::body::Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let tenants = tenants::of(request.headers(), inner.config.multitenancy)?;
    let (_, message) = taken(inner, request).await?;
    match path.strip_prefix(SERVICE).unwrap_or(path) {
        "Search" => search(inner, &message, tenants).await,
        "SearchTags" => names(inner, &message, tenants, 1).await,
        "SearchTagsV2" => names(inner, &message, tenants, 2).await,
        "SearchTagValues" => values(inner, &message, tenants, 1).await,
        "SearchTagValuesV2" => values(inner, &message, tenants, 2).await,
        "MetricsQueryRange" => metrics(inner, Shape::Range, &message, tenants).await,
        "MetricsQueryInstant" => metrics(inner, Shape::Instant, &message, tenants).await,
        _ => Err(Failure::unknown(path, SERVICE)),
    }
}

async fn search<Q: Queries>(
    inner: &Inner<Q>,
    message: &[u8],
    tenants: Vec<Tenant>,
) -> Result<Parts, Failure> {
    let asked = SearchAsked::from_message(request::Search::decode(message)?)?;
    let mut request = asked.into_request(&inner.config.limits, time::now())?;
    request.tenants = tenants;
    let answers = inner.queries.search(request).await?;
    Ok(Box::pin(stream::unfold(Some(Found::new(answers)), |found| async { found?.next().await })))
}

async fn metrics<Q: Queries>(
    inner: &Inner<Q>,
    shape: Shape,
    message: &[u8],
    tenants: Vec<Tenant>,
) -> Result<Parts, Failure> {
    let message = match shape {
        Shape::Range => request::Metrics::decode_range(message)?,
        Shape::Instant => request::Metrics::decode_instant(message)?,
    };
    let mut request =
        SeriesAsked::from_message(shape, message).into_request(&inner.config.limits, time::now())?;
    request.tenants = tenants;
    let answers = inner.queries.metrics(request).await?;
    let grown = Grown::new(answers, shape, inner.metrics.clone());
    Ok(Box::pin(stream::unfold(Some(grown), |grown| async { grown?.next().await })))
}

async fn names<Q: Queries>(
    inner: &Inner<Q>,
    message: &[u8],
    tenants: Vec<Tenant>,
    version: u8,
) -> Result<Parts, Failure> {
    let asked = NamesAsked::from_message(request::Tags::decode(message)?)?;
    let asked = if version == 1 { asked.without_query() } else { asked.with_known_fields() };
    let names = names::find(inner, asked, tenants).await?;
    let bytes = if version == 1 { names.proto_v1() } else { names.proto_v2() };
    Ok(one(Message { bytes, partial: names.partial }))
}

async fn values<Q: Queries>(
    inner: &Inner<Q>,
    message: &[u8],
    tenants: Vec<Tenant>,
    version: u8,
) -> Result<Parts, Failure> {
    let asked = ValuesAsked::from_message(request::TagValues::decode(message)?)?;
    let (values, bytes) = match version {
        1 => {
            let values = values::find_v1(inner, asked.without_query(), tenants).await?;
            let bytes = values.proto_v1();
            (values, bytes)
        }
        _ => {
            let values = values::find_v2(inner, asked, tenants).await?;
            let bytes = values.proto_v2();
            (values, bytes)
        }
    };
    Ok(one(Message { bytes, partial: values.partial }))
}

/// An answer of one message.
pub(crate) fn one(message: Message) -> Parts {
    Box::pin(std::future::ready(Ok(message)).into_stream())
}
