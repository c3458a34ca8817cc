//! Parameters of Jaeger's HTTP endpoints: what is asked, checked, and made into a question.

use std::collections::BTreeMap;

use spanloom_span::TraceId;
use spanloom_wire::jaeger::query::FindAsked;

use crate::foreign::filter::{Filter, MOST_TAGS, jaeger_tag};
use crate::foreign::found::Wanted;
use crate::params::{Params, wrong};
use crate::time::{self, SECOND};
use crate::{QueryError, rfc3339_point};

/// Traces of an answer when nothing is said, as Jaeger has it.
const USUAL_LIMIT: u64 = 100;

/// How far back a search looks that does not say, as Jaeger has it.
const USUAL_LOOKBACK: u64 = 48 * 3600 * SECOND;

/// A point in time that is given as a whole number of a unit.
pub(super) fn units(params: &Params, name: &str, unit: u64) -> Result<Option<u64>, QueryError> {
    let expected = match unit {
        1_000 => "microseconds, a whole number",
        _ => "milliseconds, a whole number",
    };
    let count = params.parsed::<u64>(name, expected)?;
    Ok(count.map(|count| count.saturating_mul(unit)))
}

/// What `/api/traces` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asked {
    /// Traces by their ids.
    Ids(Vec<TraceId>),
    /// Traces by what is in them.
    Find(FindAsked),
}

impl Asked {
    /// From the parameters of `/api/traces`.
    pub fn from_params(params: &Params, now: u64) -> Result<Self, QueryError> {
        let ids = params.0.iter().filter(|(name, value)| name == "traceID" && !value.is_empty());
        let ids = ids.map(|(_, id)| trace_id(id)).collect::<Result<Vec<_>, _>>()?;
        if !ids.is_empty() {
            return Ok(Asked::Ids(ids));
        }
        let service = params.text("service").unwrap_or_default();
        if service.is_empty() {
            return Err(QueryError::Invalid("parameter 'service' is required".into()));
        }
        let end = units(params, "end", 1_000)?;
        let back = match params.get("lookback") {
            // The page says it beside the times that it made of it; `custom` says nothing.
            Some(lookback) => time::duration(lookback).unwrap_or(USUAL_LOOKBACK),
            None => USUAL_LOOKBACK,
        };
        let start = units(params, "start", 1_000)?;
        // A microsecond is as long as a thousand nanoseconds.
        let until = end.map(|end| end.saturating_add(999));
        Ok(Asked::Find(FindAsked {
            service,
            operation: params.text("operation").filter(|name| name != "all").unwrap_or_default(),
            tags: tags(params)?,
            start_min: Some(start.unwrap_or(end.unwrap_or(now).saturating_sub(back))),
            start_max: until,
            duration_min: params.duration("minDuration")?,
            duration_max: params.duration("maxDuration")?,
            limit: limit(params, &["limit"])?,
            is_beyond: false,
        }))
    }
}

/// Tags as `tag=key:value`, or `key=value`, and as `tags={"key":"value"}`. Of a key that comes twice the last counts.
fn tags(params: &Params) -> Result<Vec<(String, String)>, QueryError> {
    let mut tags = BTreeMap::new();
    for (name, value) in &params.0 {
        match name.as_str() {
            "tag" => {
                let split = value.split_once(':').or_else(|| value.split_once('='));
                let Some((key, value)) = split else {
                    return Err(wrong("tag", value, "key:value"));
                };
                tags.insert(key.to_owned(), value.to_owned());
            }
            "tags" if !value.is_empty() => tags.extend(tags_json("tags", value)?),
            _ => {}
        }
    }
    Ok(tags.into_iter().collect())
}

/// A JSON object from texts to texts; numbers and truths are taken as they are written.
pub(super) fn tags_json(name: &str, json: &str) -> Result<BTreeMap<String, String>, QueryError> {
    let expected = r#"a JSON object such as {"error":"true"}"#;
    let read: BTreeMap<String, serde_json::Value> =
        serde_json::from_str(json).map_err(|_| wrong(name, json, expected))?;
    let text = |(key, value): (String, serde_json::Value)| match value {
        serde_json::Value::String(text) => Ok((key, text)),
        value @ (serde_json::Value::Number(_) | serde_json::Value::Bool(_)) => Ok((key, value.to_string())),
        _ => Err(wrong(name, json, expected)),
    };
    read.into_iter().map(text).collect()
}

/// How many traces: none that is above 0 is as good as nothing said.
fn limit(params: &Params, names: &[&str]) -> Result<Option<u64>, QueryError> {
    for name in names {
        if let Some(limit) = params.parsed::<i64>(name, "a whole number")? {
            return Ok(u64::try_from(limit).ok().filter(|limit| *limit > 0));
        }
    }
    Ok(None)
}

pub(super) fn trace_id(text: &str) -> Result<TraceId, QueryError> {
    TraceId::parse(text).map_err(|e| QueryError::Invalid(format!("the trace id is wrong: {e}")))
}

/// What `/api/v3/traces` and its kin ask for, by either spelling.
pub(super) fn find_v3(params: &Params) -> Result<FindAsked, QueryError> {
    let text = |names: [&str; 2]| names.iter().find_map(|name| params.text(name)).unwrap_or_default();
    let point = |names: [&str; 2]| {
        let given = names.iter().find(|name| params.get(name).is_some()).unwrap_or(&names[0]);
        match params.read(given, "a time such as 2026-01-02T03:04:05Z", rfc3339_point)? {
            Some(point) => Ok(point),
            None => Err(QueryError::Invalid(format!("{} is required", names[0]))),
        }
    };
    let duration = |names: [&str; 2]| {
        let given = names.iter().find(|name| params.get(name).is_some()).unwrap_or(&names[0]);
        params.duration(given)
    };
    let tags = match params.get("query.attributes") {
        Some(json) => tags_json("query.attributes", json)?.into_iter().collect(),
        None => Vec::new(),
    };
    let beyond = ["query.filter", "query.pagination.pageToken", "query.pagination.pageSize"];
    Ok(FindAsked {
        service: text(["query.serviceName", "query.service_name"]),
        operation: text(["query.operationName", "query.operation_name"]),
        tags,
        start_min: Some(point(["query.startTimeMin", "query.start_time_min"])?),
        start_max: Some(point(["query.startTimeMax", "query.start_time_max"])?),
        duration_min: duration(["query.durationMin", "query.duration_min"])?,
        duration_max: duration(["query.durationMax", "query.duration_max"])?,
        limit: limit(params, &["query.searchDepth", "query.search_depth", "query.num_traces"])?,
        is_beyond: beyond.iter().any(|name| params.get(name).is_some()),
    })
}

/// The question, for nobody yet.
pub(super) fn wanted(asked: FindAsked, now: u64) -> Result<Wanted, QueryError> {
    if asked.is_beyond {
        let wrong = "the question has a filter or a page, which are not known here; expected service, operation, tags \
                     and durations";
        return Err(QueryError::Invalid(wrong.into()));
    }
    if asked.tags.len() > MOST_TAGS {
        let found = asked.tags.len();
        return Err(QueryError::Invalid(format!("{found} tags are given, expected at most {MOST_TAGS}")));
    }
    let (min, max) = (asked.duration_min.filter(|min| *min > 0), asked.duration_max.filter(|max| *max > 0));
    if let (Some(min), Some(max)) = (min, max)
        && max < min
    {
        return Err(QueryError::Invalid("'maxDuration' should be greater than 'minDuration'".into()));
    }
    let end = asked.start_max.unwrap_or(now);
    let mut filter =
        Filter::default().service(&asked.service).operation(&asked.operation).durations(min, max);
    for (key, value) in &asked.tags {
        filter = filter.and(jaeger_tag(key, value));
    }
    Ok(Wanted {
        filter,
        start: asked.start_min.unwrap_or(end.saturating_sub(USUAL_LOOKBACK)),
        end,
        limit: asked.limit.unwrap_or(USUAL_LIMIT),
    })
}
