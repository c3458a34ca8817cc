//! Every name the language knows, and the nearest one to a misspelled name.

use crate::ast::{Aggregate, Intrinsic, Kind, Literal, Scope, Status};

/// Intrinsics written as one word.
pub const WORD_INTRINSICS: &[(&str, Intrinsic)] = &[
    ("duration", Intrinsic::Duration),
    ("name", Intrinsic::Name),
    ("status", Intrinsic::Status),
    ("statusMessage", Intrinsic::StatusMessage),
    ("kind", Intrinsic::Kind),
    ("parent", Intrinsic::Parent),
    ("rootName", Intrinsic::RootName),
    ("rootServiceName", Intrinsic::RootService),
    ("traceDuration", Intrinsic::TraceDuration),
    ("nestedSetLeft", Intrinsic::NestedSetLeft),
    ("nestedSetRight", Intrinsic::NestedSetRight),
    ("nestedSetParent", Intrinsic::NestedSetParent),
];

/// Intrinsics written `scope:name`.
pub const SCOPED_INTRINSICS: &[(&str, Intrinsic)] = &[
    ("trace:duration", Intrinsic::TraceDuration),
    ("trace:rootName", Intrinsic::RootName),
    ("trace:rootService", Intrinsic::RootService),
    ("trace:id", Intrinsic::TraceId),
    ("span:duration", Intrinsic::Duration),
    ("span:name", Intrinsic::Name),
    ("span:kind", Intrinsic::Kind),
    ("span:status", Intrinsic::Status),
    ("span:statusMessage", Intrinsic::StatusMessage),
    ("span:id", Intrinsic::SpanId),
    ("span:parentID", Intrinsic::ParentId),
    ("span:childCount", Intrinsic::ChildCount),
    ("event:name", Intrinsic::EventName),
    ("event:timeSinceStart", Intrinsic::EventTimeSinceStart),
    ("link:traceID", Intrinsic::LinkTraceId),
    ("link:spanID", Intrinsic::LinkSpanId),
    ("instrumentation:name", Intrinsic::InstrumentationName),
    ("instrumentation:version", Intrinsic::InstrumentationVersion),
];

/// Scopes of attributes, written `scope.name`.
pub const SCOPES: &[(&str, Scope)] = &[
    ("span", Scope::Span),
    ("resource", Scope::Resource),
    ("event", Scope::Event),
    ("link", Scope::Link),
    ("instrumentation", Scope::Instrumentation),
];

/// Words that are values.
pub const WORD_LITERALS: &[(&str, Literal)] = &[
    ("true", Literal::Bool(true)),
    ("false", Literal::Bool(false)),
    ("nil", Literal::Nil),
    ("minInt", Literal::Int(i64::MIN)),
    ("maxInt", Literal::Int(i64::MAX)),
    ("ok", Literal::Status(Status::Ok)),
    ("error", Literal::Status(Status::Error)),
    ("unset", Literal::Status(Status::Unset)),
    ("unspecified", Literal::Kind(Kind::Unspecified)),
    ("internal", Literal::Kind(Kind::Internal)),
    ("server", Literal::Kind(Kind::Server)),
    ("client", Literal::Kind(Kind::Client)),
    ("producer", Literal::Kind(Kind::Producer)),
    ("consumer", Literal::Kind(Kind::Consumer)),
];

/// Functions over the spans of a spanset.
pub const AGGREGATES: &[(&str, Aggregate)] = &[
    ("count", Aggregate::Count),
    ("avg", Aggregate::Avg),
    ("min", Aggregate::Min),
    ("max", Aggregate::Max),
    ("sum", Aggregate::Sum),
];

/// Functions that make series.
pub const METRICS: &[&str] = &[
    "rate",
    "count_over_time",
    "min_over_time",
    "max_over_time",
    "avg_over_time",
    "sum_over_time",
    "quantile_over_time",
    "histogram_over_time",
    "compare",
];

/// Other stages of a pipeline.
pub const STAGES: &[&str] = &["by", "coalesce", "select", "topk", "bottomk", "with"];

/// Hints of `with(...)`.
pub const HINTS: &[&str] = &[
    "sample",
    "span_sample",
    "trace_sample",
    "exemplars",
    "most_recent",
    "extrapolate",
    "job_size",
    "time_overlap_cutoff",
    "concurrent_blocks",
    "debug",
    "info",
    "debug_return_in",
    "debug_std_dev",
    "debug_data_factor",
    "spanonly_fetch",
    "skip_ast_transformations",
];

/// What `name` stands for in a table of this file.
pub fn find<T: Clone>(table: &[(&'static str, T)], name: &str) -> Option<T> {
    table.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())
}

/// The known name that is fewest edits away from `name`, if that is few for its length.
pub fn nearest(name: &str, known: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    const LONGEST: usize = 40;
    if name.len() > LONGEST {
        return None;
    }
    let allowed = 1 + name.chars().count() / 4;
    let best = known.map(|known| (edits(&name.to_lowercase(), &known.to_lowercase()), known)).min()?;
    (best.0 <= allowed).then_some(best.1)
}

/// Edit distance (Levenshtein): insertions, removals, replacements.
fn edits(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}
