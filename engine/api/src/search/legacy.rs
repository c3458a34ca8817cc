//! Tags and durations as TraceQL. Every tag is a condition, and one span must meet them all; durations are the
//! trace's.

use spanloom_traceql::ast::{
    Attribute, BinaryOp, Body, Field, FieldExpr, Intrinsic, Literal, Pipeline, Query, Scope, Set, Stage,
    Status,
};

use crate::QueryError;
use crate::conditions::{all, compare, equal, join, typed};
use crate::language::attribute;
use crate::params::wrong;

/// Bounds of a trace's duration, nanoseconds, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Durations {
    pub min: Option<u64>,
    pub max: Option<u64>,
}

/// The query that asks for tags and durations.
pub(super) fn query(tags: &[(String, String)], durations: Durations) -> Result<Query, QueryError> {
    let conditions = tags.iter().map(|(key, value)| condition(key, value));
    let mut conditions = conditions.collect::<Result<Vec<_>, _>>()?;
    conditions.extend(durations.conditions());
    let filter = Stage::Set(Set::Filter(all(conditions).map(Box::new)));
    Ok(Query { body: Body::Search(Pipeline { stages: vec![filter] }), hints: Vec::new() })
}

impl Durations {
    /// Puts the bounds in front of a query for traces.
    pub fn bound(self, mut query: Query) -> Query {
        if let (Body::Search(pipeline), Some(filter)) = (&mut query.body, all(self.conditions())) {
            pipeline.stages.insert(0, Stage::Set(Set::Filter(Some(Box::new(filter)))));
        }
        query
    }

    fn conditions(self) -> Vec<FieldExpr> {
        let bound = |op, nanos: u64| {
            let nanos = i64::try_from(nanos).unwrap_or(i64::MAX);
            compare(Field::Intrinsic(Intrinsic::TraceDuration), op, Literal::Duration(nanos))
        };
        let min = self.min.map(|min| bound(BinaryOp::GreaterEqual, min));
        let max = self.max.map(|max| bound(BinaryOp::LessEqual, max));
        min.into_iter().chain(max).collect()
    }
}

/// The field behind a tag that is no attribute, or one of a certain scope.
pub(crate) fn known_field(tag: &str) -> Option<Field> {
    Some(match tag {
        "name" => Field::Intrinsic(Intrinsic::Name),
        "root.name" => Field::Intrinsic(Intrinsic::RootName),
        "root.service.name" => Field::Intrinsic(Intrinsic::RootService),
        "service.name" => {
            Field::Attribute(Attribute { parent: false, scope: Some(Scope::Resource), name: tag.to_owned() })
        }
        _ => return None,
    })
}

fn condition(key: &str, value: &str) -> Result<FieldExpr, QueryError> {
    let status = |op, status| compare(Field::Intrinsic(Intrinsic::Status), op, Literal::Status(status));
    let text = || Literal::Text(value.to_owned());
    if let Some(field) = known_field(key) {
        return Ok(equal(field, text()));
    }
    match (key, value) {
        ("status.code", "ok") => Ok(status(BinaryOp::Equal, Status::Ok)),
        ("status.code", "error") => Ok(status(BinaryOp::Equal, Status::Error)),
        ("status.code", "unset") => Ok(status(BinaryOp::Equal, Status::Unset)),
        ("status.code", _) => Err(wrong("the tag status.code", value, "ok, error or unset")),
        ("error", "true") => Ok(status(BinaryOp::Equal, Status::Error)),
        ("error", "false") => Ok(status(BinaryOp::NotEqual, Status::Error)),
        ("", _) => Err(QueryError::Invalid("a tag has no name, expected key=value".into())),
        _ => {
            let is_text = equal(attribute(key), text());
            let typed = typed(value).map(|literal| equal(attribute(key), literal));
            Ok(typed.into_iter().fold(is_text, |left, right| join(BinaryOp::Or, left, right)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use spanloom_traceql::{check, parse};

    #[test]
    fn tags_are_conditions_on_one_span() {
        let check_tags = |tags: &[(&str, &str)], durations: Durations, expected: &str| {
            let tags: Vec<_> = tags.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            let query = query(&tags, durations).unwrap();
            assert_eq!(parse(&query.to_string()).as_ref(), Ok(&query));
            assert_eq!(parse(expected).unwrap().to_string(), query.to_string());
            assert_eq!(check(&query), Ok(()), "{expected}");
        };
        let any = Durations::default();
        check_tags(&[], any, "{}");
        check_tags(&[("service.name", "a b")], any, r#"{ resource.service.name = "a b" }"#);
        check_tags(&[("name", "5")], any, r#"{ span:name = "5" }"#);
        check_tags(
            &[("root.name", "x"), ("root.service.name", "y")],
            any,
            r#"{ trace:rootName = "x" && trace:rootService = "y" }"#,
        );
        check_tags(&[("status.code", "error")], any, "{ span:status = error }");
        check_tags(&[("error", "true")], any, "{ span:status = error }");
        check_tags(&[("error", "false")], any, "{ span:status != error }");
        check_tags(&[("error", "timeout")], any, r#"{ .error = "timeout" }"#);
        check_tags(
            &[("http.status_code", "500")],
            any,
            r#"{ .http.status_code = "500" || .http.status_code = 500 }"#,
        );
        check_tags(
            &[("a", "-1.5"), ("b", "true")],
            any,
            r#"{ (.a = "-1.5" || .a = -1.5) && (.b = "true" || .b = true) }"#,
        );
        check_tags(&[("a b", "\"")], any, r#"{ ."a b" = "\"" }"#);
        check_tags(&[("a", "1-2"), ("b", "e")], any, r#"{ .a = "1-2" && .b = "e" }"#);
        check_tags(&[("a", "99999999999999999999")], any, r#"{ .a = "99999999999999999999" || .a = 1e20 }"#);
        let durations = Durations { min: Some(100_000_000), max: Some(2_000_000_000) };
        check_tags(&[], durations, "{ trace:duration >= 100ms && trace:duration <= 2s }");
        check_tags(
            &[("a", "b")],
            Durations { max: Some(u64::MAX), ..any },
            r#"{ .a = "b" && trace:duration <= 9223372036854775807ns }"#,
        );
    }

    #[test]
    fn durations_go_in_front_of_a_query() {
        let query = || parse("{ .a = 1 } | count() > 2 with(most_recent=true)").unwrap();
        assert_eq!(Durations::default().bound(query()), query());
        let bounded = Durations { min: Some(5_000_000), max: None }.bound(query());
        let expected = "{ trace:duration >= 5ms } | { .a = 1 } | count() > 2 with(most_recent=true)";
        assert_eq!(bounded, parse(expected).unwrap());
    }

    #[test]
    fn tags_that_mean_nothing_are_refused() {
        let check = |key: &str, value: &str, expected: &str| {
            let error = query(&[(key.into(), value.into())], Durations::default()).unwrap_err();
            assert_eq!(error.to_string(), expected);
        };
        check("status.code", "2", "the tag status.code is \"2\", expected ok, error or unset");
        check("", "2", "a tag has no name, expected key=value");
    }
}
