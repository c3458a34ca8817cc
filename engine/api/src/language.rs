//! A query's text looked at before it is handed on: to send it where it belongs, and to say early what is wrong
//! with it and where.

use spanloom_traceql::ast::{Attribute, Body, Field, FieldExpr, Intrinsic, Query, Set, Stage};
use spanloom_traceql::{check, parse};

use crate::QueryError;
use crate::config::MAX_QUERY_BYTES;
use crate::params::shown;

/// A query for traces.
pub(crate) fn search(text: &str, max_bytes: usize) -> Result<Query, QueryError> {
    let query = read(text, max_bytes)?;
    match query.body {
        Body::Search(_) => Ok(query),
        Body::Metrics(_) => Err(QueryError::Invalid(
            "the query asks for series, expected one for traces; series are answered at /api/metrics/query_range \
             and /api/metrics/query"
                .into(),
        )),
    }
}

/// A query for series.
pub(crate) fn metrics(text: &str, max_bytes: usize) -> Result<Query, QueryError> {
    let query = read(text, max_bytes)?;
    match query.body {
        Body::Metrics(_) => Ok(query),
        Body::Search(_) => Err(QueryError::Invalid(
            "the query asks for traces, expected one for series such as { } | rate(); traces are answered at \
             /api/search"
                .into(),
        )),
    }
}

fn read(text: &str, max_bytes: usize) -> Result<Query, QueryError> {
    length(text, max_bytes)?;
    let query = parse(text).map_err(|error| wrong(&error))?;
    check(&query).map_err(|error| wrong(&error))?;
    Ok(query)
}

/// What is said of a query that is wrong.
pub(crate) fn wrong(error: &dyn std::fmt::Display) -> QueryError {
    QueryError::Invalid(format!("the query is wrong: {error}"))
}

/// Refuses a query that is too long, also where it would be read leniently.
pub(crate) fn length(text: &str, max_bytes: usize) -> Result<(), QueryError> {
    if text.len() <= max_bytes {
        return Ok(());
    }
    let found = text.len();
    let message = format!("the query has {found} bytes, expected at most {max_bytes} ({MAX_QUERY_BYTES})");
    Err(QueryError::OverLimit { limit: MAX_QUERY_BYTES, message })
}

/// One filter alone, `{ … }`, about one span alone.
pub(crate) fn filter(text: &str, max_bytes: usize) -> Result<Query, QueryError> {
    let query = search(text, max_bytes)?;
    let Body::Search(pipeline) = &query.body else { return Ok(query) };
    let [Stage::Set(Set::Filter(filter))] = &pipeline.stages[..] else {
        let wrong = format!("q is {query}, expected one filter such as {{ status = error }}");
        return Err(QueryError::Invalid(wrong));
    };
    match filter.as_deref().and_then(trace_wide) {
        Some(field) => Err(QueryError::Invalid(format!(
            "q has {field}, which is the same for every span of the trace; expected fields of single spans"
        ))),
        None => Ok(query),
    }
}

/// A field that says something of the trace and not of the span, if the expression has one.
fn trace_wide(expr: &FieldExpr) -> Option<&Field> {
    let mut left = vec![expr];
    while let Some(expr) = left.pop() {
        match expr {
            FieldExpr::Literal(_) => {}
            FieldExpr::Field(
                field @ Field::Intrinsic(
                    Intrinsic::TraceDuration
                    | Intrinsic::TraceId
                    | Intrinsic::RootName
                    | Intrinsic::RootService,
                ),
            ) => return Some(field),
            FieldExpr::Field(_) => {}
            FieldExpr::Not(inner) | FieldExpr::Negate(inner) => left.push(inner),
            FieldExpr::Binary { left: a, right: b, .. } => left.extend([&**a, &**b]),
        }
    }
    None
}

/// A field by its text: `resource.service.name`, `.foo`, `name`, `span:kind`.
pub(crate) fn field(text: &str) -> Result<Field, QueryError> {
    let wrong = |why: &dyn std::fmt::Display| {
        QueryError::Invalid(format!(
            "the tag {:?} is no field of TraceQL{why}, expected one such as resource.service.name, .foo or name",
            shown(text)
        ))
    };
    // Read where a list of fields stands; whatever reads as more than one field is not a field.
    let query = parse(&format!("{{ }} | select({text})")).map_err(|_| wrong(&""))?;
    let Body::Search(pipeline) = query.body else { return Err(wrong(&"")) };
    match <[Stage; 2]>::try_from(pipeline.stages) {
        Ok([_, Stage::Select(fields)]) if query.hints.is_empty() => match <[Field; 1]>::try_from(fields) {
            Ok([field]) => Ok(field),
            Err(fields) => Err(wrong(&format!(" but {} of them", fields.len()))),
        },
        _ => Err(wrong(&"")),
    }
}

/// An attribute in any scope.
pub(crate) fn attribute(name: &str) -> Field {
    Field::Attribute(Attribute { parent: false, scope: None, name: name.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_sent_where_they_belong() {
        let check = |read: fn(&str, usize) -> Result<Query, QueryError>, text: &str, expected: &str| {
            let got = read(text, 100).map_or_else(|e| e.to_string(), |query| query.to_string());
            assert!(got.starts_with(expected), "{text}: {got}");
        };
        check(search, "{.a=1}", "{ .a = 1 }");
        check(search, "{} | rate()", "the query asks for series, expected one for traces");
        check(search, "{ .a = }", "the query is wrong: line 1, column 8: found `}`");
        check(search, "{ 1 + true }", "the query is wrong: ");
        check(
            search,
            &"x".repeat(101),
            "the query has 101 bytes, expected at most 100 (query.max_query_bytes)",
        );
        check(metrics, "{ }|rate()", "{} | rate()");
        check(metrics, "{ }", "the query asks for traces, expected one for series");
        check(filter, "{ .a = 1 && nestedSetParent < 0 }", "{ .a = 1 &&");
        check(filter, "{ } | count() > 1", "q is {} | count() > 1, expected one filter");
        check(filter, "{ } && { }", "q is {} && {}, expected one filter");
        check(filter, "{ .a = 1 && !(traceDuration > 1s) }", "q has ");
        check(filter, "{ .a = 1 || rootName = \"x\" }", "q has ");
        check(filter, "{ } | rate()", "the query asks for series");
    }

    #[test]
    fn a_field_is_read_from_its_text() {
        let check = |text: &str, expected: Result<&str, &str>| match (field(text), expected) {
            (Ok(field), Ok(printed)) => assert_eq!(field.to_string(), printed),
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
            (got, _) => panic!("{text}: {got:?}"),
        };
        check("resource.service.name", Ok("resource.service.name"));
        check(".foo", Ok(".foo"));
        check("span.\"a b\"", Ok("span.\"a b\""));
        assert_eq!(field("span:name"), Ok(Field::Intrinsic(Intrinsic::Name)));
        assert_eq!(field("kind"), Ok(Field::Intrinsic(Intrinsic::Kind)));
        check("event.exception.type", Ok("event.exception.type"));
        check("foo", Err("the tag \"foo\" is no field of TraceQL, expected one such as"));
        check("", Err("no field"));
        check(".a, .b", Err("no field of TraceQL but 2 of them"));
        check(".a) | by(.b", Err("no field"));
        check(".a) with(sample=true", Err("no field"));
        check(".a) | rate(", Err("no field"));
    }
}
