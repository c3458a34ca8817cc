//! Services, operations, and values of tags, as far back as `query.names_within`.

use std::collections::BTreeSet;

use spanloom_query::TagValuesRequest;
use spanloom_span::Tenant;
use spanloom_traceql::ast::{Field, Intrinsic, Kind, Scope};

use super::filter::{Filter, KINDS, attribute, kind};
use crate::service::Inner;
use crate::{Queries, QueryError, time};

/// Texts, ascending, each once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Names {
    pub names: Vec<String>,
    /// What is missing, when something is.
    pub partial: Option<String>,
}

/// The names of all services.
pub(crate) async fn services<Q: Queries>(inner: &Inner<Q>, tenants: &[Tenant]) -> Result<Names, QueryError> {
    values(inner, tenants, attribute(Scope::Resource, "service.name"), None).await
}

/// The names of a service's spans; without a kind those of all.
pub(crate) async fn operations<Q: Queries>(
    inner: &Inner<Q>,
    tenants: &[Tenant],
    service: &str,
    of_kind: Option<Kind>,
) -> Result<Names, QueryError> {
    let mut filter = Filter::default().service(service);
    if let Some(of_kind) = of_kind {
        filter = filter.and(kind(of_kind));
    }
    values(inner, tenants, Field::Intrinsic(Intrinsic::Name), Some(filter)).await
}

/// The names of a service's spans of each kind, which are asked for one after the other.
pub(crate) async fn operations_by_kind<Q: Queries>(
    inner: &Inner<Q>,
    tenants: &[Tenant],
    service: &str,
) -> Result<(Vec<(Kind, String)>, Option<String>), QueryError> {
    let (mut out, mut partial) = (Vec::new(), None);
    for kind in KINDS {
        let found = operations(inner, tenants, service, Some(kind)).await?;
        partial = partial.or(found.partial);
        out.extend(found.names.into_iter().map(|name| (kind, name)));
    }
    Ok((out, partial))
}

/// The values that a field has in spans that meet a filter.
pub(crate) async fn values<Q: Queries>(
    inner: &Inner<Q>,
    tenants: &[Tenant],
    field: Field,
    filter: Option<Filter>,
) -> Result<Names, QueryError> {
    let within = time::nanos(inner.config.limits.names_within);
    let request = TagValuesRequest {
        tenants: tenants.to_vec(),
        field: field.to_string(),
        query: filter.map(|filter| filter.into_query().to_string()),
        start: Some(time::now().saturating_sub(within)),
        end: None,
        limit: 0,
    };
    let found = inner.queries.tag_values(request).await?;
    let names: BTreeSet<String> =
        found.values.into_iter().map(|(_, name)| name).filter(|name| !name.is_empty()).collect();
    Ok(Names { names: names.into_iter().collect(), partial: found.partial })
}
