//! Which values has a field?

use std::collections::BTreeSet;

use spanloom_query::{TagType, TagValuesRequest};
use spanloom_span::Tenant;
use spanloom_traceql::ast::Field;
use spanloom_wire::query::tags::{self, TypedValue};
use spanloom_wire::query::{Inspected, request};

use super::known;
use crate::params::Params;
use crate::parts::inspected;
use crate::search::known_field;
use crate::service::Inner;
use crate::time::SECOND;
use crate::{Queries, QueryError, language};

/// What is asked, as it was said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct ValuesAsked {
    tag: String,
    query: Option<String>,
    /// Nanoseconds since 1970.
    start: Option<u64>,
    /// Nanoseconds since 1970.
    end: Option<u64>,
    limit: usize,
}

impl ValuesAsked {
    /// From the path and parameters.
    pub fn from_params(tag: String, params: &Params) -> Result<Self, QueryError> {
        let (start, end) = super::range(params.time("start")?, params.time("end")?)?;
        let limit = params.parsed("limit", "a whole number")?.unwrap_or(0);
        Ok(Self { tag, query: params.text("q"), start, end, limit })
    }

    /// Of all spans: the first version of the endpoint has no query.
    pub fn without_query(self) -> Self {
        Self { query: None, ..self }
    }

    /// From a message.
    pub fn from_message(message: request::TagValues) -> Result<Self, QueryError> {
        let nanos = |seconds: u32| Some(u64::from(seconds) * SECOND);
        let (start, end) = super::range(nanos(message.start), nanos(message.end))?;
        let query = Some(message.query).filter(|query| !query.is_empty());
        Ok(Self { tag: message.tag, query, start, end, limit: message.limit as usize })
    }
}

/// Values with their types.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Values {
    values: Vec<(TagType, String)>,
    inspected: Inspected,
    /// What is missing, when something is.
    pub partial: Option<String>,
}

/// The values of an attribute by its name alone, or of a tag that old clients know.
pub(crate) async fn find_v1<Q: Queries>(
    inner: &Inner<Q>,
    asked: ValuesAsked,
    tenants: Vec<Tenant>,
) -> Result<Values, QueryError> {
    if asked.tag.is_empty() {
        return Err(QueryError::Invalid("the tag has no name, expected one".into()));
    }
    if let Some(values) = known::virtual_values(&asked.tag) {
        let values = values.iter().map(|value| (TagType::Keyword, (*value).to_owned())).collect();
        return Ok(Values { values, ..Values::default() });
    }
    let field = known_field(&asked.tag).unwrap_or_else(|| language::attribute(&asked.tag));
    find(inner, asked, field, tenants).await
}

/// The values of a field of TraceQL.
pub(crate) async fn find_v2<Q: Queries>(
    inner: &Inner<Q>,
    asked: ValuesAsked,
    tenants: Vec<Tenant>,
) -> Result<Values, QueryError> {
    let field = language::field(&asked.tag)?;
    find(inner, asked, field, tenants).await
}

async fn find<Q: Queries>(
    inner: &Inner<Q>,
    asked: ValuesAsked,
    field: Field,
    tenants: Vec<Tenant>,
) -> Result<Values, QueryError> {
    if let Some(query) = &asked.query {
        language::length(query, inner.config.limits.max_query_bytes)?;
    }
    if let Some(values) = known::values(&field) {
        return Ok(Values { values, ..Values::default() });
    }
    let request = TagValuesRequest {
        tenants,
        field: field.to_string(),
        query: asked.query,
        start: asked.start,
        end: asked.end,
        limit: asked.limit,
    };
    let found = inner.queries.tag_values(request).await?;
    Ok(Values { values: found.values, inspected: inspected(&found.stats), partial: found.partial })
}

fn type_name(kind: TagType) -> &'static str {
    match kind {
        TagType::String => "string",
        TagType::Int => "int",
        TagType::Float => "float",
        TagType::Bool => "bool",
        TagType::Duration => "duration",
        TagType::Keyword => "keyword",
    }
}

impl Values {
    /// How many.
    pub fn count(&self) -> usize {
        self.values.len()
    }

    /// The values as texts, each once, ascending.
    fn texts(&self) -> Vec<String> {
        let texts: BTreeSet<&String> = self.values.iter().map(|(_, value)| value).collect();
        texts.into_iter().cloned().collect()
    }

    fn typed(&self) -> Vec<TypedValue<'_>> {
        let values = self.values.iter();
        values.map(|(kind, value)| TypedValue { kind: type_name(*kind), value }).collect()
    }

    pub fn json_v1(&self) -> Vec<u8> {
        tags::values_json(&self.texts(), &self.inspected)
    }

    pub fn proto_v1(&self) -> Vec<u8> {
        tags::values_proto(&self.texts(), &self.inspected)
    }

    pub fn json_v2(&self) -> Vec<u8> {
        tags::typed_json(&self.typed(), &self.inspected)
    }

    pub fn proto_v2(&self) -> Vec<u8> {
        tags::typed_proto(&self.typed(), &self.inspected)
    }

    pub fn llm(&self) -> Vec<u8> {
        tags::typed_llm(&self.typed(), &self.inspected)
    }
}
