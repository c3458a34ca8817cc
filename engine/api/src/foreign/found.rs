//! Traces that a filter finds, whole, newest first.

use std::sync::Arc;

use futures_util::{Stream, StreamExt, stream};
use spanloom_query::{SearchPart, SearchRequest};
use spanloom_span::{Tenant, TraceId};

use super::filter::Filter;
use crate::language;
use crate::parts::whole;
use crate::search::asked::{after, within};
use crate::service::Inner;
use crate::{Queries, QueryError, Sources, TraceAnswer, TraceQuery, time};

/// Traces that are fetched at the same time.
const AT_ONCE: usize = 4;

/// What is asked for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Wanted {
    pub filter: Filter,
    /// Nanoseconds since 1970, included.
    pub start: u64,
    /// Nanoseconds since 1970, included.
    pub end: u64,
    /// Most traces, at least 1; more than `query.max_limit` are as many.
    pub limit: u64,
}

/// Searches for traces: which, and what may be missing.
pub(crate) async fn search<Q: Queries>(
    inner: &Inner<Q>,
    tenants: &[Tenant],
    wanted: Wanted,
) -> Result<SearchPart, QueryError> {
    let limits = &inner.config.limits;
    let length = after(wanted.start, wanted.end)?;
    within("query.max_search_range", length, time::nanos(limits.max_search_range))?;
    let query = wanted.filter.into_query().to_string();
    language::search(&query, limits.max_query_bytes)?;
    let limit = usize::try_from(wanted.limit).unwrap_or(usize::MAX).clamp(1, limits.max_limit.max(1));
    let request = SearchRequest {
        tenants: tenants.to_vec(),
        query,
        start: Some(wanted.start),
        end: Some(wanted.end),
        limit,
        spans_per_spanset: 1,
        ..SearchRequest::default()
    };
    whole(inner.queries.search(request).await?).await
}

/// Fetches traces, some at once, in the order of their ids.
pub(crate) fn fetch<Q: Queries>(
    inner: &Arc<Inner<Q>>,
    tenants: &[Tenant],
    ids: Vec<TraceId>,
) -> impl Stream<Item = (TraceId, Result<TraceAnswer, QueryError>)> + Send + use<Q> {
    let (inner, tenants) = (inner.clone(), tenants.to_vec());
    let one = move |id: TraceId| {
        let (inner, tenants) = (inner.clone(), tenants.clone());
        let query = TraceQuery { tenants, id, start: None, end: None, sources: Sources::All };
        async move { (id, inner.queries.trace(query).await) }
    };
    stream::iter(ids).map(one).buffered(AT_ONCE)
}

/// What is said of traces that are left out.
pub(crate) fn left_out(shown: usize, found: usize, most: usize) -> String {
    format!(
        "the first {shown} of {found} traces are shown, since all of them take more than {most} bytes \
         (query.max_answer_bytes)"
    )
}
