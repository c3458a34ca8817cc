//! Service, operation, tags and durations as one filter of TraceQL: one span must meet all of them.

use spanloom_traceql::ast::{
    Attribute, BinaryOp, Body, Field, FieldExpr, Intrinsic, Kind, Literal, Pipeline, Query, Scope, Set,
    Stage, Status,
};
use spanloom_wire::jaeger;

use crate::conditions::{all, any, compare, equal, join, typed};

/// Most tags: each makes the tree of the query higher.
pub(crate) const MOST_TAGS: usize = 100;

/// Kinds of spans, by OTLP's number.
pub(crate) const KINDS: [Kind; 6] =
    [Kind::Unspecified, Kind::Internal, Kind::Server, Kind::Client, Kind::Producer, Kind::Consumer];

/// Conditions that one span must meet.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Filter(Vec<FieldExpr>);

impl Filter {
    /// Another condition.
    pub fn and(mut self, condition: FieldExpr) -> Self {
        self.0.push(condition);
        self
    }

    /// Spans of a service; empty is any. Those without one go by the name that Jaeger gives them.
    pub fn service(self, name: &str) -> Self {
        match name {
            "" => self,
            name => self.and(service(name)),
        }
    }

    /// Spans of that name; empty is any.
    pub fn operation(self, name: &str) -> Self {
        match name {
            "" => self,
            name => self.and(equal(Field::Intrinsic(Intrinsic::Name), Literal::Text(name.to_owned()))),
        }
    }

    /// Spans that last at least and at most so many nanoseconds.
    pub fn durations(mut self, min: Option<u64>, max: Option<u64>) -> Self {
        for (op, nanos) in [(BinaryOp::GreaterEqual, min), (BinaryOp::LessEqual, max)] {
            if let Some(nanos) = nanos {
                let literal = Literal::Duration(i64::try_from(nanos).unwrap_or(i64::MAX));
                self = self.and(compare(Field::Intrinsic(Intrinsic::Duration), op, literal));
            }
        }
        self
    }

    /// The query for traces with such a span.
    pub fn into_query(self) -> Query {
        let filter = Stage::Set(Set::Filter(all(self.0).map(Box::new)));
        Query { body: Body::Search(Pipeline { stages: vec![filter] }), hints: Vec::new() }
    }
}

/// Spans of one service.
pub(crate) fn service(name: &str) -> FieldExpr {
    let field = attribute(Scope::Resource, "service.name");
    match name {
        jaeger::out::NO_SERVICE => {
            // Of a resource's own name nobody may ask whether it is there: every query takes it to be.
            let named = Attribute { parent: false, scope: None, name: "service.name".to_owned() };
            let none = equal(Field::Attribute(named), Literal::Nil);
            join(BinaryOp::Or, none, equal(field, Literal::Text(name.to_owned())))
        }
        name => equal(field, Literal::Text(name.to_owned())),
    }
}

/// Spans of one kind.
pub(crate) fn kind(kind: Kind) -> FieldExpr {
    equal(Field::Intrinsic(Intrinsic::Kind), Literal::Kind(kind))
}

/// Spans that failed, or those that did not.
pub(crate) fn is_error(is_error: bool) -> FieldExpr {
    let op = if is_error { BinaryOp::Equal } else { BinaryOp::NotEqual };
    compare(Field::Intrinsic(Intrinsic::Status), op, Literal::Status(Status::Error))
}

pub(crate) fn attribute(scope: Scope, name: &str) -> Field {
    Field::Attribute(Attribute { parent: false, scope: Some(scope), name: name.to_owned() })
}

/// A tag of Jaeger's, by the rules by which spans go in and out: it is the span's, its process's or one of its logs', as
/// text or as what the text spells; tags that are fields of a span here are those.
pub(crate) fn jaeger_tag(key: &str, value: &str) -> FieldExpr {
    let text = |field| equal(Field::Intrinsic(field), Literal::Text(value.to_owned()));
    let status = |status| equal(Field::Intrinsic(Intrinsic::Status), Literal::Status(status));
    match (key, value.to_ascii_lowercase().as_str()) {
        ("error", "true") => return is_error(true),
        ("error", "false") => return is_error(false),
        ("otel.status_code", "ok") => return status(Status::Ok),
        ("otel.status_code", "error") => return status(Status::Error),
        ("otel.status_code", "unset") => return status(Status::Unset),
        ("otel.status_description", _) => return text(Intrinsic::StatusMessage),
        ("otel.scope.name" | "otel.library.name", _) => return text(Intrinsic::InstrumentationName),
        ("otel.scope.version" | "otel.library.version", _) => {
            return text(Intrinsic::InstrumentationVersion);
        }
        ("span.kind", name) => {
            let known = jaeger::kind_number(name).and_then(|number| KINDS.get(number as usize));
            if let Some(known) = known {
                return kind(*known);
            }
        }
        _ => {}
    }
    let mut ways = anywhere(key, value);
    match key {
        // A log's name is a field of it in Jaeger.
        "event" => ways.push(text(Intrinsic::EventName)),
        // Names that processes of Jaeger's clients have other ones for.
        "hostname" => ways.extend(within(Scope::Resource, "host.name", value)),
        "jaeger.version" => {
            let version = Literal::Text(format!("Jaeger-{value}"));
            ways.push(equal(attribute(Scope::Resource, "opencensus.exporterversion"), version));
        }
        _ => {}
    }
    one_of(ways)
}

/// The tag is the span's, the resource's or an event's.
fn anywhere(key: &str, value: &str) -> Vec<FieldExpr> {
    [Scope::Span, Scope::Resource, Scope::Event]
        .into_iter()
        .flat_map(|scope| within(scope, key, value))
        .collect()
}

/// An attribute as text, or as what the text spells.
pub(crate) fn within(scope: Scope, key: &str, value: &str) -> Vec<FieldExpr> {
    let is = |literal| equal(attribute(scope, key), literal);
    std::iter::once(Literal::Text(value.to_owned())).chain(typed(value)).map(is).collect()
}

/// One of several conditions.
pub(crate) fn one_of(ways: Vec<FieldExpr>) -> FieldExpr {
    any(ways).unwrap_or(FieldExpr::Literal(Literal::Bool(false)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use spanloom_traceql::{check, parse};

    #[test]
    fn what_is_asked_is_one_filter() {
        let check_filter = |filter: Filter, expected: &str| {
            let query = filter.into_query();
            assert_eq!(parse(expected).unwrap().to_string(), query.to_string());
            assert_eq!(parse(&query.to_string()).as_ref(), Ok(&query));
            assert_eq!(check(&query), Ok(()), "{expected}");
        };
        let any = Filter::default;
        check_filter(any().service("").operation("").durations(None, None), "{}");
        check_filter(
            any().service("a b").operation("GET /").durations(Some(1_000_000), Some(2_000_000_000)),
            r#"{ resource.service.name = "a b" && name = "GET /" && duration >= 1ms && duration <= 2s }"#,
        );
        check_filter(
            any().service("OTLPResourceNoServiceName"),
            r#"{ .service.name = nil || resource.service.name = "OTLPResourceNoServiceName" }"#,
        );
        let tag = |key: &str, value: &str, expected: &str| {
            check_filter(any().and(jaeger_tag(key, value)), expected);
        };
        tag("error", "true", "{ status = error }");
        tag("error", "false", "{ status != error }");
        tag("otel.status_code", "OK", "{ status = ok }");
        tag("span.kind", "server", "{ kind = server }");
        tag("otel.scope.name", "lib", r#"{ instrumentation:name = "lib" }"#);
        tag(
            "http.status_code",
            "500",
            r#"{ span.http.status_code = "500" || span.http.status_code = 500
                || resource.http.status_code = "500" || resource.http.status_code = 500
                || event.http.status_code = "500" || event.http.status_code = 500 }"#,
        );
        tag(
            "hostname",
            "h",
            r#"{ span.hostname = "h" || resource.hostname = "h" || event.hostname = "h"
                || resource.host.name = "h" }"#,
        );
        tag(
            "event",
            "e",
            r#"{ span.event = "e" || resource.event = "e" || event.event = "e" || event:name = "e" }"#,
        );
    }
}
