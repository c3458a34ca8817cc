//! `POST /api/redact`: spans are deleted from all blocks.
//!
//! The body is JSON: `{"traceIds": ["…"]}`, or `{"query": "{ … }", "spans": false}`, and with either `"dryRun": true`.
//! `docs/REDACTION.md`.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use spanloom_receive::PeerAddress;
use spanloom_span::{Tenant, TraceId};

use crate::answer::with_type;
use crate::service::Inner;
use crate::{Queries, QueryError, tenants};

/// Bytes of a body beside its trace ids, and for each of these.
const BODY_BYTES: usize = spanloom_traceql::MAX_QUERY_BYTES * 2;
const ID_BYTES: usize = 64;

/// Longest text of a header that is noted.
const NOTED_BYTES: usize = 200;

/// What is to be deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedactWhat {
    /// These traces, whole.
    Traces(Vec<TraceId>),
    /// What a TraceQL query for traces finds: the traces in which it matches, whole, or the `spans` that match alone.
    Query {
        /// The query.
        query: String,
        /// Whether only the spans that match go, and the others of their traces stay.
        spans: bool,
    },
}

/// What is to be deleted, and on whose word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedactRequest {
    /// Whose spans they are.
    pub tenant: Tenant,
    /// Which.
    pub what: RedactWhat,
    /// Whether it is only to be said what would go.
    pub dry_run: bool,
    /// Who asked, and from where: a text for the audit log.
    pub from: String,
}

/// What was deleted, or would be.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Redacted {
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// Traces that went, whole or in part.
    pub traces: u64,
    /// Spans that went; one that lay in several blocks counts in each.
    pub spans: u64,
    /// How many blocks were written anew.
    pub blocks: u64,
    /// Blocks of those of which nothing is left.
    pub emptied: u64,
    /// Bytes of those blocks as they were.
    pub bytes: u64,
    /// Those blocks, the first [`Redacted::MOST_LISTED`] of them.
    pub rewritten: Vec<RewrittenBlock>,
    /// In a store: seconds after which the objects of those blocks are deleted, some minutes more or less. 0 where they
    /// are gone already.
    pub deleted_after_seconds: u64,
}

impl Redacted {
    /// Most blocks that are listed.
    pub const MOST_LISTED: usize = 1000;
}

/// A block that was written anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RewrittenBlock {
    /// Its name.
    pub block: String,
    /// Its bytes.
    pub bytes: u64,
    /// Traces that went from it, whole or in part.
    pub traces: u64,
    /// Spans that went from it.
    pub spans: u64,
    /// Spans that are left.
    pub left: u64,
}

/// The body.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Asked {
    trace_ids: Option<Vec<String>>,
    query: Option<String>,
    spans: bool,
    dry_run: bool,
}

impl Asked {
    fn what(self) -> Result<RedactWhat, QueryError> {
        let invalid = |text: &str| Err(QueryError::Invalid(text.into()));
        match (self.trace_ids, self.query) {
            (Some(_), None) if self.spans => {
                invalid("found spans with traceIds, expected it with query: whole traces go by their ids")
            }
            (Some(ids), None) => {
                let parse = |id: &String| {
                    let wrong = |why| QueryError::Invalid(format!("the trace id {id:?} is wrong: {why}"));
                    TraceId::parse(id).map_err(wrong)
                };
                Ok(RedactWhat::Traces(ids.iter().map(parse).collect::<Result<_, _>>()?))
            }
            (None, Some(query)) => Ok(RedactWhat::Query { query, spans: self.spans }),
            (Some(_), Some(_)) => invalid("found both traceIds and query, expected one of them"),
            (None, None) => invalid("found neither traceIds nor query, expected one of them"),
        }
    }
}

/// `/api/redact`.
pub(crate) async fn redact<Q: Queries>(
    State(inner): State<Arc<Inner<Q>>>,
    request: Request,
) -> Result<Response, QueryError> {
    let Some(most) = inner.config.redact_traces else {
        return Err(QueryError::Forbidden(
            "nothing can be deleted over HTTP, since redaction.http is false".into(),
        ));
    };
    let (head, body) = request.into_parts();
    let tenant = one_tenant(&head.headers, inner.config.multitenancy)?;
    // A page in a browser cannot send this type to another origin unasked.
    let content_type = header_text(&head.headers, header::CONTENT_TYPE.as_str()).unwrap_or_default();
    if content_type.split(';').next().map(str::trim) != Some("application/json") {
        return Err(QueryError::Invalid("expected Content-Type: application/json".into()));
    }
    let limit = most.saturating_mul(ID_BYTES).saturating_add(BODY_BYTES);
    let body = axum::body::to_bytes(body, limit).await;
    let body = body.map_err(|error| QueryError::Invalid(format!("the body cannot be read: {error}")))?;
    let asked: Asked = serde_json::from_slice(&body)
        .map_err(|error| QueryError::Invalid(format!("the body is not what was expected: {error}")))?;
    let peer = head.extensions.get::<PeerAddress>().map(|peer| peer.0.to_string());
    let from = from(peer.as_deref(), &head.headers);
    let (dry_run, what) = (asked.dry_run, asked.what()?);
    let done = inner.queries.redact(RedactRequest { tenant, what, dry_run, from }).await?;
    let json = serde_json::to_vec(&done).map_err(|error| QueryError::Internal(error.to_string()))?;
    Ok(with_type(StatusCode::OK, "application/json", json))
}

fn one_tenant(headers: &HeaderMap, required: bool) -> Result<Tenant, QueryError> {
    match <[Tenant; 1]>::try_from(tenants::of(headers, required)?) {
        Ok([tenant]) => Ok(tenant),
        Err(several) => {
            Err(QueryError::Invalid(format!("found {} tenants, expected one to redact", several.len())))
        }
    }
}

fn header_text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Who asks: the address, and what the request says of itself.
fn from(peer: Option<&str>, headers: &HeaderMap) -> String {
    let mut text = format!("http {}", peer.unwrap_or("from nowhere known"));
    for name in ["x-forwarded-for", "user-agent"] {
        if let Some(value) = header_text(headers, name) {
            // ASCII, so that it may be cut anywhere.
            text.push_str(&format!(", {name}: {}", &value[..value.len().min(NOTED_BYTES)]));
        }
    }
    text
}

/// Seconds, rounded up.
pub fn seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_names_traces_or_a_query() {
        let check = |json: &str, expected: Result<RedactWhat, &str>| {
            let asked = serde_json::from_str::<Asked>(json).map_err(|e| QueryError::Invalid(e.to_string()));
            match (asked.and_then(Asked::what), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{json}"),
                (Err(found), Err(part)) => assert!(found.to_string().contains(part), "{json}: {found}"),
                (found, _) => panic!("{json}: {found:?}"),
            }
        };
        let query = |spans| Ok(RedactWhat::Query { query: "{ }".into(), spans });
        check(r#"{"query": "{ }"}"#, query(false));
        check(r#"{"query": "{ }", "spans": true, "dryRun": true}"#, query(true));
        check(r#"{"traceIds": ["1"]}"#, Ok(RedactWhat::Traces(vec![TraceId::parse("1").unwrap()])));
        check(r#"{"traceIds": ["x"]}"#, Err("the trace id \"x\" is wrong"));
        check(r#"{"traceIds": ["1"], "spans": true}"#, Err("whole traces go by their ids"));
        check(r#"{"traceIds": [], "query": "{ }"}"#, Err("both"));
        check("{}", Err("neither"));
        check(r#"{"traceIDs": ["1"]}"#, Err("unknown field `traceIDs`"));
    }
}
