//! Names of attributes and their values: `/api/search/tags`, `/api/v2/search/tags`,
//! `/api/search/tag/{tag}/values`, `/api/v2/search/tag/{tag}/values`.
//!
//! | file | holds |
//! |---|---|
//! | `mod.rs` | the endpoints |
//! | `names.rs` | which attributes there are |
//! | `values.rs` | which values a field has |
//! | `known.rs` | fields that every span has, and values that are known without looking |
//!
//! Without `start` and `end` all that is kept is looked at, unlike in a search: who writes a query wants to be
//! told every name.

mod known;
pub(crate) mod names;
pub(crate) mod values;

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::Response;

use crate::answer::{Format, write};
use crate::params::Params;
use crate::service::Inner;
use crate::{Queries, QueryError, partial, tenants};
use names::NamesAsked;
use values::ValuesAsked;

/// More names or values than this are written beside the event loop.
const MANY: usize = 10_000;

type Parameters = Query<Vec<(String, String)>>;

/// `/api/search/tags`.
pub(crate) async fn names_v1<Q: Queries>(
    State(inner): State<Arc<Inner<Q>>>,
    Query(params): Parameters,
    headers: HeaderMap,
) -> Result<Response, QueryError> {
    let asked = NamesAsked::from_params(&Params(params))?.without_query();
    let tenants = tenants::of(&headers, inner.config.multitenancy)?;
    let names = inner.within_time(names::find(&inner, asked, tenants)).await?;
    let format = Format::of(&headers).or_json();
    let partial = names.partial.clone();
    let response = write(&inner, &headers, format, names.count() > MANY, move || match format {
        Format::Protobuf => names.proto_v1(),
        _ => names.json_v1(),
    })
    .await?;
    Ok(partial::said(response, partial.as_deref()))
}

/// `/api/v2/search/tags`.
pub(crate) async fn names_v2<Q: Queries>(
    State(inner): State<Arc<Inner<Q>>>,
    Query(params): Parameters,
    headers: HeaderMap,
) -> Result<Response, QueryError> {
    let asked = NamesAsked::from_params(&Params(params))?;
    let tenants = tenants::of(&headers, inner.config.multitenancy)?;
    let names = inner.within_time(names::find(&inner, asked.with_known_fields(), tenants)).await?;
    let format = Format::of(&headers).or_json();
    let partial = names.partial.clone();
    let response = write(&inner, &headers, format, names.count() > MANY, move || match format {
        Format::Protobuf => names.proto_v2(),
        _ => names.json_v2(),
    })
    .await?;
    Ok(partial::said(response, partial.as_deref()))
}

/// `/api/search/tag/{tag}/values`.
pub(crate) async fn values_v1<Q: Queries>(
    State(inner): State<Arc<Inner<Q>>>,
    Path(tag): Path<String>,
    Query(params): Parameters,
    headers: HeaderMap,
) -> Result<Response, QueryError> {
    let asked = ValuesAsked::from_params(tag, &Params(params))?.without_query();
    let tenants = tenants::of(&headers, inner.config.multitenancy)?;
    let values = inner.within_time(values::find_v1(&inner, asked, tenants)).await?;
    let format = Format::of(&headers).or_json();
    let partial = values.partial.clone();
    let response = write(&inner, &headers, format, values.count() > MANY, move || match format {
        Format::Protobuf => values.proto_v1(),
        _ => values.json_v1(),
    })
    .await?;
    Ok(partial::said(response, partial.as_deref()))
}

/// `/api/v2/search/tag/{tag}/values`.
pub(crate) async fn values_v2<Q: Queries>(
    State(inner): State<Arc<Inner<Q>>>,
    Path(tag): Path<String>,
    Query(params): Parameters,
    headers: HeaderMap,
) -> Result<Response, QueryError> {
    let asked = ValuesAsked::from_params(tag, &Params(params))?;
    let tenants = tenants::of(&headers, inner.config.multitenancy)?;
    let values = inner.within_time(values::find_v2(&inner, asked, tenants)).await?;
    let format = Format::of(&headers);
    let partial = values.partial.clone();
    let response = write(&inner, &headers, format, values.count() > MANY, move || match format {
        Format::Protobuf => values.proto_v2(),
        Format::Json => values.json_v2(),
        Format::Llm => values.llm(),
    })
    .await?;
    Ok(partial::said(response, partial.as_deref()))
}

/// Start and end, each as good as none when it is 0.
pub(crate) fn range(start: Option<u64>, end: Option<u64>) -> Result<(Option<u64>, Option<u64>), QueryError> {
    let (start, end) = (start.filter(|time| *time > 0), end.filter(|time| *time > 0));
    if let (Some(start), Some(end)) = (start, end) {
        crate::search::asked::after(start, end)?;
    }
    Ok((start, end))
}
