//! Parameters of Zipkin's endpoints: what is asked, checked, and made into a question.

use spanloom_traceql::ast::{BinaryOp, Field, FieldExpr, Intrinsic, Literal, Scope};

use crate::QueryError;
use crate::conditions::{compare, equal, join};
use crate::foreign::filter::{Filter, MOST_TAGS, attribute, is_error, jaeger_tag, one_of, within};
use crate::foreign::found::Wanted;
use crate::params::Params;
use crate::time::SECOND;

/// Milliseconds and microseconds in nanoseconds.
const MS: u64 = 1_000_000;
const US: u64 = 1_000;

/// How far back, when nothing is said: a day, as Zipkin has it.
const USUAL_LOOKBACK: u64 = 24 * 3600 * SECOND;

/// Traces of an answer when nothing is said, as Zipkin has it.
const USUAL_LIMIT: u64 = 10;

/// What `endTs` and `lookback` say, both in milliseconds: start and end, nanoseconds since 1970.
pub(super) fn range(params: &Params, now: u64) -> Result<(u64, u64), QueryError> {
    let ms = |name| params.parsed::<u64>(name, "milliseconds, a whole number");
    // A millisecond is as long as a million nanoseconds.
    let end = ms("endTs")?.map_or(now, |end| end.saturating_mul(MS).saturating_add(MS - 1));
    let back = ms("lookback")?.map_or(USUAL_LOOKBACK, |back| back.saturating_mul(MS));
    Ok((end.saturating_sub(back), end))
}

/// What `/api/v2/traces` asks for. One span must meet all conditions.
pub(super) fn wanted(params: &Params, now: u64) -> Result<Wanted, QueryError> {
    let (start, end) = range(params, now)?;
    let us = |name| {
        let micros = params.parsed::<u64>(name, "microseconds, a whole number")?;
        Ok::<_, QueryError>(micros.map(|micros| micros.saturating_mul(US)))
    };
    let (min, max) = (us("minDuration")?, us("maxDuration")?);
    match (min, max) {
        (None, Some(_)) => {
            return Err(QueryError::Invalid("maxDuration is only valid with minDuration".into()));
        }
        (Some(min), Some(max)) if max < min => {
            return Err(QueryError::Invalid("maxDuration < minDuration".into()));
        }
        _ => {}
    }
    let limit = params.count("limit")?.unwrap_or(USUAL_LIMIT);
    if limit == 0 {
        return Err(QueryError::Invalid("limit is 0, expected at least 1".into()));
    }
    let name = params.get("spanName").filter(|name| !name.eq_ignore_ascii_case("all")).unwrap_or_default();
    let mut filter = Filter::default()
        .service(params.get("serviceName").unwrap_or_default())
        .operation(name)
        // As fine as the parameters are.
        .durations(min, max.map(|max| max.saturating_add(US - 1)));
    if let Some(remote) = params.get("remoteServiceName") {
        filter = filter.and(remote_service(remote));
    }
    let conditions: Vec<&str> = params.get("annotationQuery").map(split).unwrap_or_default();
    if conditions.len() > MOST_TAGS {
        let found = conditions.len();
        let message = format!("annotationQuery has {found} conditions, expected at most {MOST_TAGS}");
        return Err(QueryError::Invalid(message));
    }
    for condition in conditions {
        filter = filter.and(annotation(condition));
    }
    Ok(Wanted { filter, start, end, limit })
}

/// The conditions of an `annotationQuery`.
fn split(query: &str) -> Vec<&str> {
    let query = query.trim();
    // As a form leaves it that has one more place to fill in.
    let query = query.strip_suffix(" and").unwrap_or(query);
    query.split(" and ").map(str::trim).filter(|condition| !condition.is_empty()).collect()
}

/// `key=value` is a tag; what has no value is an annotation, or a tag with any value.
fn annotation(condition: &str) -> FieldExpr {
    match condition.split_once('=') {
        Some(("error", why)) if why != "true" && why != "false" => {
            let message = equal(Field::Intrinsic(Intrinsic::StatusMessage), Literal::Text(why.to_owned()));
            let failed = join(BinaryOp::And, is_error(true), message);
            let ways = within(Scope::Span, "error", why);
            one_of(std::iter::once(failed).chain(ways).collect())
        }
        Some((key, value)) => jaeger_tag(key, value),
        None => {
            let is_there = |scope| compare(attribute(scope, condition), BinaryOp::NotEqual, Literal::Nil);
            let event = equal(Field::Intrinsic(Intrinsic::EventName), Literal::Text(condition.to_owned()));
            let mut ways = vec![is_there(Scope::Span), is_there(Scope::Resource), event];
            if condition == "error" {
                ways.push(is_error(true));
            }
            one_of(ways)
        }
    }
}

/// Spans that name the other side so.
fn remote_service(name: &str) -> FieldExpr {
    let is = |key| equal(attribute(Scope::Span, key), Literal::Text(name.to_owned()));
    one_of(REMOTE_KEYS.map(is).into())
}

/// Attributes in which a span names the other side.
pub(super) const REMOTE_KEYS: [&str; 2] = ["peer.service", "zipkin.remoteEndpoint.serviceName"];

#[cfg(test)]
mod tests {
    use super::*;
    use spanloom_traceql::{check, parse};

    const NOW: u64 = 1_700_000_000 * SECOND;

    fn params(list: &[(&str, &str)]) -> Params {
        Params(list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn parameters_are_one_filter() {
        let check_query = |list: &[(&str, &str)], expected: &str| {
            let wanted = wanted(&params(list), NOW).unwrap();
            let query = wanted.filter.into_query();
            assert_eq!(parse(expected).unwrap().to_string(), query.to_string(), "{list:?}");
            assert_eq!(check(&query), Ok(()));
        };
        check_query(&[], "{}");
        check_query(&[("serviceName", "a"), ("spanName", "all")], r#"{ resource.service.name = "a" }"#);
        check_query(&[("spanName", "get")], r#"{ name = "get" }"#);
        check_query(
            &[("minDuration", "1000"), ("maxDuration", "2000")],
            "{ duration >= 1ms && duration <= 2000999ns }",
        );
        check_query(
            &[("remoteServiceName", "db")],
            r#"{ span.peer.service = "db" || span.zipkin.remoteEndpoint.serviceName = "db" }"#,
        );
        check_query(
            &[("annotationQuery", "error and  http.path=/a=b and")],
            r#"{ (span.error != nil || resource.error != nil || event:name = "error" || status = error)
                && (span.http.path = "/a=b" || resource.http.path = "/a=b" || event.http.path = "/a=b") }"#,
        );
        check_query(
            &[("annotationQuery", "error=boom")],
            r#"{ status = error && statusMessage = "boom" || span.error = "boom" }"#,
        );
    }

    #[test]
    fn times_are_milliseconds_back_from_an_end() {
        let check = |list: &[(&str, &str)], expected: (u64, u64)| {
            assert_eq!(range(&params(list), NOW).unwrap(), expected, "{list:?}");
        };
        check(&[], (NOW - 24 * 3600 * SECOND, NOW));
        check(&[("endTs", "1000"), ("lookback", "400")], (600 * MS + MS - 1, 1000 * MS + MS - 1));
        check(&[("endTs", "1"), ("lookback", "99999999999")], (0, 2 * MS - 1));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let check = |list: &[(&str, &str)], expected: &str| {
            let error = wanted(&params(list), NOW).unwrap_err().to_string();
            assert!(error.contains(expected), "{list:?}: {error}");
        };
        check(&[("endTs", "x")], "endTs is \"x\", expected milliseconds");
        check(&[("maxDuration", "1")], "maxDuration is only valid with minDuration");
        check(&[("minDuration", "2"), ("maxDuration", "1")], "maxDuration < minDuration");
        check(&[("limit", "0")], "limit is 0");
    }
}
