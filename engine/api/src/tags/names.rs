//! Which attributes are there?

use std::collections::BTreeSet;

use spanloom_query::{TagScope, TagsRequest};
use spanloom_span::Tenant;
use spanloom_wire::query::tags::{self, ScopeNames};
use spanloom_wire::query::{Inspected, request};

use super::known::INTRINSICS;
use crate::config::QueryLimits;
use crate::params::{Params, wrong};
use crate::parts::inspected;
use crate::service::Inner;
use crate::time::SECOND;
use crate::{Queries, QueryError, language};

const INTRINSIC: &str = "intrinsic";

/// Which scopes are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Wanted {
    #[default]
    All,
    One(TagScope),
    Intrinsic,
}

/// What is asked, as it was said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct NamesAsked {
    wanted: Wanted,
    /// Whether an answer for all scopes has the intrinsic one too.
    known_fields: bool,
    query: Option<String>,
    /// Nanoseconds since 1970.
    start: Option<u64>,
    /// Nanoseconds since 1970.
    end: Option<u64>,
    limit: usize,
}

impl NamesAsked {
    /// From parameters.
    pub fn from_params(params: &Params) -> Result<Self, QueryError> {
        let (start, end) = super::range(params.time("start")?, params.time("end")?)?;
        Ok(Self {
            wanted: wanted(params.get("scope").unwrap_or(""))?,
            known_fields: false,
            query: params.text("q"),
            start,
            end,
            limit: params.parsed("limit", "a whole number")?.unwrap_or(0),
        })
    }

    /// From a message.
    pub fn from_message(message: request::Tags) -> Result<Self, QueryError> {
        let nanos = |seconds: u32| Some(u64::from(seconds) * SECOND);
        let (start, end) = super::range(nanos(message.start), nanos(message.end))?;
        Ok(Self {
            wanted: wanted(&message.scope)?,
            known_fields: false,
            query: Some(message.query).filter(|query| !query.is_empty()),
            start,
            end,
            limit: message.limit as usize,
        })
    }

    /// Of all spans: the first version of the endpoint has no query.
    pub fn without_query(self) -> Self {
        Self { query: None, ..self }
    }

    /// With the fields that every span has.
    pub fn with_known_fields(self) -> Self {
        Self { known_fields: true, ..self }
    }

    fn into_request(self, tenants: Vec<Tenant>, limits: &QueryLimits) -> Result<TagsRequest, QueryError> {
        if let Some(query) = &self.query {
            language::length(query, limits.max_query_bytes)?;
        }
        let scope = match self.wanted {
            Wanted::One(scope) => Some(scope),
            _ => None,
        };
        Ok(TagsRequest {
            tenants,
            scope,
            query: self.query,
            start: self.start,
            end: self.end,
            limit: self.limit,
        })
    }
}

fn wanted(scope: &str) -> Result<Wanted, QueryError> {
    Ok(match scope {
        "" | "none" => Wanted::All,
        "resource" => Wanted::One(TagScope::Resource),
        "span" => Wanted::One(TagScope::Span),
        "event" => Wanted::One(TagScope::Event),
        "link" => Wanted::One(TagScope::Link),
        "instrumentation" => Wanted::One(TagScope::Instrumentation),
        INTRINSIC => Wanted::Intrinsic,
        _ => {
            let expected = "resource, span, event, link, instrumentation, intrinsic or none";
            return Err(wrong("scope", scope, expected));
        }
    })
}

fn scope_name(scope: TagScope) -> &'static str {
    match scope {
        TagScope::Resource => "resource",
        TagScope::Span => "span",
        TagScope::Event => "event",
        TagScope::Link => "link",
        TagScope::Instrumentation => "instrumentation",
    }
}

/// Names by scope.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Names {
    scopes: Vec<(&'static str, Vec<String>)>,
    inspected: Inspected,
    /// What is missing, when something is.
    pub partial: Option<String>,
}

/// Finds names, unless they are known.
pub(crate) async fn find<Q: Queries>(
    inner: &Inner<Q>,
    asked: NamesAsked,
    tenants: Vec<Tenant>,
) -> Result<Names, QueryError> {
    let (wanted, known_fields) = (asked.wanted, asked.known_fields);
    let mut names = Names::default();
    let request = asked.into_request(tenants, &inner.config.limits)?;
    if wanted != Wanted::Intrinsic {
        let found = inner.queries.tags(request).await?;
        names.scopes = found.scopes.into_iter().map(|(scope, names)| (scope_name(scope), names)).collect();
        names.inspected = inspected(&found.stats);
        names.partial = found.partial;
    }
    if wanted == Wanted::Intrinsic || known_fields && wanted == Wanted::All {
        names.scopes.push((INTRINSIC, INTRINSICS.map(str::to_owned).into()));
    }
    Ok(names)
}

impl Names {
    /// How many.
    pub fn count(&self) -> usize {
        self.scopes.iter().map(|(_, names)| names.len()).sum()
    }

    /// The names of all scopes, each once, ascending.
    fn together(&self) -> Vec<String> {
        let names: BTreeSet<&String> = self.scopes.iter().flat_map(|(_, names)| names).collect();
        names.into_iter().cloned().collect()
    }

    fn by_scope(&self) -> Vec<ScopeNames<'_>> {
        self.scopes.iter().map(|(scope, names)| ScopeNames { scope, names }).collect()
    }

    pub fn json_v1(&self) -> Vec<u8> {
        tags::names_json(&self.together(), &self.inspected)
    }

    pub fn proto_v1(&self) -> Vec<u8> {
        tags::names_proto(&self.together(), &self.inspected)
    }

    pub fn json_v2(&self) -> Vec<u8> {
        tags::scopes_json(&self.by_scope(), &self.inspected)
    }

    pub fn proto_v2(&self) -> Vec<u8> {
        tags::scopes_proto(&self.by_scope(), &self.inspected)
    }
}
