//! `/api/search`: which traces?
//!
//! | file | holds |
//! |---|---|
//! | `mod.rs` | the endpoint |
//! | `asked.rs` | parameters to a question |
//! | `legacy.rs` | tags and durations as TraceQL |
//! | `logfmt.rs` | `key=value key="value"` |
//! | `cursor.rs` | the place where a page ended, as text |
//! | `explain.rs` | how an answer was found, as JSON |

pub(crate) mod asked;
mod cursor;
mod explain;
mod legacy;
mod logfmt;

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use spanloom_query::SearchPart;
use spanloom_wire::query::search;

use crate::answer::{Format, MANY_TRACES, write};
use crate::params::Params;
use crate::parts::{inspected, whole};
use crate::service::Inner;
use crate::{Queries, QueryError, partial, tenants, time};
use asked::Asked;
pub(crate) use legacy::known_field;

/// Where the next page begins. A header, since strict readers refuse a body with a field that they do not know.
pub const NEXT_CURSOR: &str = "x-spanloom-next-cursor";

/// `/api/search`.
pub(crate) async fn search<Q: Queries>(
    State(inner): State<Arc<Inner<Q>>>,
    Query(params): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Result<Response, QueryError> {
    let asked = Asked::from_params(&Params(params))?;
    let mut request = asked.into_request(&inner.config.limits, time::now())?;
    request.tenants = tenants::of(&headers, inner.config.multitenancy)?;
    // The explanation has no place in the messages that readers know.
    let format = if request.explain { Format::Json } else { Format::of(&headers).or_json() };
    let part = inner.within_time(async { whole(inner.queries.search(request).await?).await }).await?;
    let (next, partial) = (part.next, part.partial.clone());
    let is_large = part.traces.len() > MANY_TRACES;
    let response = write(&inner, &headers, format, is_large, move || body(format, &part)).await?;
    let mut response = partial::said(response, partial.as_deref());
    if let Some(next) = next
        && let Ok(value) = HeaderValue::from_str(&cursor::print(next))
    {
        response.headers_mut().insert(NEXT_CURSOR, value);
    }
    Ok(response)
}

fn body(format: Format, part: &SearchPart) -> Vec<u8> {
    let inspected = inspected(&part.stats);
    match (format, &part.explain) {
        (Format::Protobuf, _) => search::proto(&part.traces, &inspected),
        (_, None) => search::json(&part.traces, &inspected),
        (_, Some(explained)) => {
            search::json_with(&part.traces, &inspected, |top| explain::put(top, explained, part.next))
        }
    }
}
