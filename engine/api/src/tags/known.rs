//! Fields that every span has, and values that are known without looking.

use spanloom_query::TagType;
use spanloom_traceql::ast::{Field, Intrinsic};

/// Names of the fields that every span has, as readers know them, ascending.
pub(super) const INTRINSICS: [&str; 25] = [
    "duration",
    "event:name",
    "event:timeSinceStart",
    "instrumentation:name",
    "instrumentation:version",
    "kind",
    "link:spanID",
    "link:traceID",
    "name",
    "rootName",
    "rootServiceName",
    "span:duration",
    "span:id",
    "span:kind",
    "span:name",
    "span:parentID",
    "span:status",
    "span:statusMessage",
    "status",
    "statusMessage",
    "trace:duration",
    "trace:id",
    "trace:rootName",
    "trace:rootService",
    "traceDuration",
];

const STATUSES: [&str; 3] = ["error", "ok", "unset"];
const KINDS: [&str; 6] = ["client", "consumer", "internal", "producer", "server", "unspecified"];

/// The values of a field that are the same whatever was sent, ascending. None for durations, ids and numbers, of
/// which there are as many as spans; `None` where one must look.
pub(super) fn values(field: &Field) -> Option<Vec<(TagType, String)>> {
    let keywords = |words: &[&str]| words.iter().map(|word| (TagType::Keyword, (*word).to_owned())).collect();
    let Field::Intrinsic(intrinsic) = field else { return None };
    use Intrinsic as I;
    match intrinsic {
        I::Status => Some(keywords(&STATUSES)),
        I::Kind => Some(keywords(&KINDS)),
        I::Duration | I::TraceDuration | I::EventTimeSinceStart => Some(Vec::new()),
        I::NestedSetLeft | I::NestedSetRight | I::NestedSetParent | I::ChildCount => Some(Vec::new()),
        I::TraceId | I::SpanId | I::ParentId | I::LinkTraceId | I::LinkSpanId | I::Parent => Some(Vec::new()),
        I::Name | I::StatusMessage | I::RootName | I::RootService => None,
        I::EventName | I::InstrumentationName | I::InstrumentationVersion => None,
    }
}

/// The values of a tag that old clients know and that is no attribute.
pub(super) fn virtual_values(tag: &str) -> Option<&'static [&'static str]> {
    match tag {
        "status.code" => Some(&STATUSES),
        "error" => Some(&["true"]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::field;

    #[test]
    fn every_known_field_is_one_of_the_language() {
        for name in INTRINSICS {
            assert!(matches!(field(name), Ok(Field::Intrinsic(_))), "{name}");
        }
        assert!(INTRINSICS.is_sorted());
    }

    #[test]
    fn some_values_are_known() {
        let check = |name: &str, expected: Option<usize>| {
            assert_eq!(values(&field(name).unwrap()).map(|values| values.len()), expected, "{name}");
        };
        check("status", Some(3));
        check("span:kind", Some(6));
        check("traceDuration", Some(0));
        check("trace:id", Some(0));
        check("name", None);
        check("event:name", None);
        check("resource.service.name", None);
    }
}
