//! `/ring`, `/memberlist`, `/ring/forget`: the cluster as this node sees it. JSON by `Accept: application/json` or
//! `?format=json`, else a page for a browser.
//!
//! | file | holds |
//! |---|---|
//! | `mod.rs` | the endpoints |
//! | `page.rs` | what they show |
//! | `html.rs` | how it looks |

mod html;
mod page;

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::answer::with_type;
use crate::service::Inner;
use crate::{Queries, QueryError};
pub use page::{ClusterMember, ClusterPage, GossipCounts};

type Params = Query<Vec<(String, String)>>;

fn param<'a>(params: &'a Params, name: &str) -> Option<&'a str> {
    params.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// Whether JSON is asked for.
fn wants_json(headers: &HeaderMap, params: &Params) -> Result<bool, QueryError> {
    match param(params, "format") {
        Some("json") => Ok(true),
        Some("html") => Ok(false),
        Some(other) => Err(QueryError::Invalid(format!("format is {other:?}, expected json or html"))),
        None => {
            let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or("");
            Ok(accept.contains("application/json") && !accept.contains("text/html"))
        }
    }
}

/// `/ring`.
pub(crate) async fn ring<Q: Queries>(
    State(inner): State<Arc<Inner<Q>>>,
    headers: HeaderMap,
    params: Params,
) -> Result<Response, QueryError> {
    let tokens = match param(&params, "tokens") {
        None | Some("false") => false,
        Some("true") => true,
        Some(other) => {
            return Err(QueryError::Invalid(format!("tokens is {other:?}, expected true or false")));
        }
    };
    let mut page = inner.queries.cluster();
    if !tokens {
        page.members.iter_mut().for_each(|member| member.tokens = None);
    }
    answer(&headers, &params, &page, |page| html::ring(page, &inner.config.path_prefix))
}

/// `/memberlist`.
pub(crate) async fn memberlist<Q: Queries>(
    State(inner): State<Arc<Inner<Q>>>,
    headers: HeaderMap,
    params: Params,
) -> Result<Response, QueryError> {
    let mut page = inner.queries.cluster();
    page.members.iter_mut().for_each(|member| member.tokens = None);
    answer(&headers, &params, &page, html::memberlist)
}

fn answer(
    headers: &HeaderMap,
    params: &Params,
    page: &ClusterPage,
    html: impl FnOnce(&ClusterPage) -> String,
) -> Result<Response, QueryError> {
    if !wants_json(headers, params)? {
        return Ok(with_type(StatusCode::OK, "text/html; charset=utf-8", html(page)));
    }
    let json = serde_json::to_vec(page).map_err(|error| QueryError::Internal(error.to_string()))?;
    Ok(with_type(StatusCode::OK, "application/json", json))
}

/// `POST /ring/forget?node=NAME`: 202, and the node is removed step by step. A browser is sent back to the page.
pub(crate) async fn forget<Q: Queries>(
    State(inner): State<Arc<Inner<Q>>>,
    headers: HeaderMap,
    params: Params,
) -> Result<Response, QueryError> {
    let Some(node) = param(&params, "node").filter(|node| !node.is_empty()) else {
        return Err(QueryError::Invalid("node is missing, expected /ring/forget?node=NAME".into()));
    };
    inner.queries.forget(node.to_owned()).await?;
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or("");
    if accept.contains("text/html") {
        let to = format!("{}/ring", inner.config.path_prefix);
        return Ok((StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response());
    }
    let text = format!("{node} is being removed: it leaves the ring in some seconds, step by step\n");
    Ok(crate::answer::text(StatusCode::ACCEPTED, text))
}
