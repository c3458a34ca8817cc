//! `/api/metrics/query_range` and `/api/metrics/query`: how many, how fast, over time?
//!
//! | file | holds |
//! |---|---|
//! | `mod.rs` | the endpoints |
//! | `asked.rs` | parameters to a question |

pub(crate) mod asked;

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use spanloom_query::MetricsPart;
use spanloom_wire::query::series::SeriesAnswer;

use crate::answer::{Format, MANY_SAMPLES, write};
use crate::params::Params;
use crate::parts::{inspected, whole};
use crate::service::Inner;
use crate::{Queries, QueryError, partial, tenants, time};
use asked::{Asked, Shape};

/// `/api/metrics/query_range`.
pub(crate) async fn range<Q: Queries>(
    State(inner): State<Arc<Inner<Q>>>,
    Query(params): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Result<Response, QueryError> {
    answer(&inner, Shape::Range, &Params(params), &headers).await
}

/// `/api/metrics/query`.
pub(crate) async fn instant<Q: Queries>(
    State(inner): State<Arc<Inner<Q>>>,
    Query(params): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Result<Response, QueryError> {
    answer(&inner, Shape::Instant, &Params(params), &headers).await
}

async fn answer<Q: Queries>(
    inner: &Inner<Q>,
    shape: Shape,
    params: &Params,
    headers: &HeaderMap,
) -> Result<Response, QueryError> {
    let asked = Asked::from_params(shape, params)?;
    let mut request = asked.into_request(&inner.config.limits, time::now())?;
    request.tenants = tenants::of(headers, inner.config.multitenancy)?;
    let part = inner.within_time(async { whole(inner.queries.metrics(request).await?).await }).await?;
    if let Some(limit) = part.limit {
        inner.metrics.limited(limit);
    }
    let format = Format::of(headers).or_json();
    let (is_large, partial) = (samples(&part) > MANY_SAMPLES, part.partial.clone());
    let response = write(inner, headers, format, is_large, move || body(shape, format, &part)).await?;
    Ok(partial::said(response, partial.as_deref()))
}

/// How many samples there are to write.
pub(crate) fn samples(part: &MetricsPart) -> usize {
    part.series.iter().map(|series| series.samples.len() + series.exemplars.len()).sum()
}

/// The body of an answer, whole or so far.
pub(crate) fn body(shape: Shape, format: Format, part: &MetricsPart) -> Vec<u8> {
    let answer = SeriesAnswer {
        series: &part.series,
        inspected: inspected(&part.stats),
        partial: part.partial.as_deref(),
    };
    match (shape, format) {
        (Shape::Range, Format::Protobuf) => answer.range_proto(),
        (Shape::Range, _) => answer.range_json(),
        (Shape::Instant, Format::Protobuf) => answer.instant_proto(),
        (Shape::Instant, _) => answer.instant_json(),
    }
}
