//! Hints of `with(...)`: their names, and the values of those that anyone may give.

use super::{Judged, Part, refuse};
use crate::ast::{Hint, Literal};
use crate::names;

pub fn judge(hint: &Hint) -> Judged<'_, ()> {
    let part = Part::Hint(hint);
    if !names::HINTS.contains(&hint.name.as_str()) {
        let nearest = names::nearest(&hint.name, names::HINTS.iter().copied());
        let meant = nearest.map(|nearest| format!(", did you mean `{nearest}`?")).unwrap_or_default();
        return refuse(part, format!("unknown hint `{}`{meant}", hint.name));
    }
    let is_bool = matches!(hint.value, Literal::Bool(_));
    let (good, expected) = match hint.name.as_str() {
        "sample" | "span_sample" | "trace_sample" => {
            (is_bool || is_fraction(&hint.value), "true, false or a fraction from 0 to 1")
        }
        "exemplars" => {
            let count = matches!(hint.value, Literal::Int(count) if count >= 0);
            (is_bool || count, "true, false or a number of exemplars")
        }
        "most_recent" | "extrapolate" => (is_bool, "true or false"),
        _ => (true, ""),
    };
    if good { Ok(()) } else { refuse(part, format!("found {}, expected {expected}", hint.value)) }
}

fn is_fraction(value: &Literal) -> bool {
    match value {
        Literal::Int(number) => (0..=1).contains(number),
        Literal::Float(number) => (0.0..=1.0).contains(number),
        _ => false,
    }
}
