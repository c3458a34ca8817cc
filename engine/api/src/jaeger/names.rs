//! `/api/services`, `/api/services/{service}/operations`, `/api/operations`.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use spanloom_span::Tenant;
use spanloom_wire::jaeger::query::Operation;
use spanloom_wire::jaeger::{answer, kind_name, kind_number};

use super::failed::Failed;
use super::tenants_of;
use crate::answer::{Format, write};
use crate::foreign::filter::KINDS;
use crate::foreign::names;
use crate::params::Params;
use crate::service::Inner;
use crate::{Queries, QueryError, partial};

/// Longer lists are written beside the event loop.
const MANY: usize = 10_000;

/// `/api/services`.
pub(super) async fn services<Q: Queries>(
    State(inner): State<Arc<Inner<Q>>>,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    let tenants = tenants_of(&inner, &headers)?;
    let found = inner.within_time(names::services(&inner, &tenants)).await?;
    let (names, missing) = (found.names, found.partial);
    let is_large = names.len() > MANY;
    let response = write(&inner, &headers, Format::Json, is_large, move || answer::names(&names)).await?;
    Ok(partial::said(response, missing.as_deref()))
}

/// `/api/services/{service}/operations`.
pub(super) async fn operations_of<Q: Queries>(
    State(inner): State<Arc<Inner<Q>>>,
    Path(service): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    let tenants = tenants_of(&inner, &headers)?;
    let found = inner.within_time(names::operations(&inner, &tenants, &service, None)).await?;
    let (names, missing) = (found.names, found.partial);
    let is_large = names.len() > MANY;
    let response = write(&inner, &headers, Format::Json, is_large, move || answer::names(&names)).await?;
    Ok(partial::said(response, missing.as_deref()))
}

/// `/api/operations`.
pub(super) async fn operations<Q: Queries>(
    State(inner): State<Arc<Inner<Q>>>,
    Query(params): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    let params = Params(params);
    let tenants = tenants_of(&inner, &headers)?;
    let Some(service) = params.get("service") else {
        return Err(QueryError::Invalid("parameter 'service' is required".into()).into());
    };
    let kind = params.get("spanKind").unwrap_or_default();
    let (found, missing) = inner.within_time(operations_in(&inner, &tenants, service, kind)).await?;
    let is_large = found.len() > MANY;
    let response =
        write(&inner, &headers, Format::Json, is_large, move || answer::operations(&found)).await?;
    Ok(partial::said(response, missing.as_deref()))
}

/// The operations of a service: those of a kind, or all with their kinds. A kind that is not known has none.
pub(super) async fn operations_in<Q: Queries>(
    inner: &Inner<Q>,
    tenants: &[Tenant],
    service: &str,
    kind: &str,
) -> Result<(Vec<Operation>, Option<String>), QueryError> {
    if kind.is_empty() {
        let (found, partial) = names::operations_by_kind(inner, tenants, service).await?;
        let operation = |(kind, name)| {
            let number = KINDS.iter().position(|known| *known == kind).unwrap_or_default();
            Operation { name, kind: kind_name(number as i32).unwrap_or_default() }
        };
        let mut found: Vec<Operation> = found.into_iter().map(operation).collect();
        found.sort();
        return Ok((found, partial));
    }
    let Some(number) = kind_number(kind) else { return Ok((Vec::new(), None)) };
    let known = KINDS.get(number as usize).copied();
    let found = names::operations(inner, tenants, service, known).await?;
    let kind = kind_name(number).unwrap_or_default();
    let operations = found.names.into_iter().map(|name| Operation { name, kind }).collect();
    Ok((operations, found.partial))
}
