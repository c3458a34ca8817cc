//! Two answers held against each other: the first difference, in words.

use spanloom_span::TraceId;
use spanloom_span::model::AnyValue;
use spanloom_traceql::answer::{FoundSpan, FoundSpanset, FoundTrace, Series};

/// Floats may be reckoned in another order.
const CLOSE: f64 = 1e-9;

fn close(a: f64, b: f64) -> bool {
    a == b || a.is_nan() && b.is_nan() || (a - b).abs() <= CLOSE * a.abs().max(b.abs())
}

fn same_value(a: &AnyValue, b: &AnyValue) -> bool {
    match (a, b) {
        (AnyValue::Double(a), AnyValue::Double(b)) => close(*a, *b),
        _ => a == b,
    }
}

fn same_attributes(a: &[(String, AnyValue)], b: &[(String, AnyValue)]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.0 == b.0 && same_value(&a.1, &b.1))
}

fn differ(what: &str, found: impl std::fmt::Debug, expected: impl std::fmt::Debug) -> Result<(), String> {
    Err(format!("{what}:\n     found {found:?}\n  expected {expected:?}"))
}

macro_rules! same {
    ($what:expr, $found:expr, $expected:expr) => {
        if $found != $expected {
            return differ($what, &$found, &$expected);
        }
    };
}

/// Equal traces in equal order.
pub fn traces(found: &[FoundTrace], expected: &[FoundTrace]) -> Result<(), String> {
    let ids = |traces: &[FoundTrace]| traces.iter().map(|trace| trace.id).collect::<Vec<_>>();
    let (found_ids, expected_ids) = (ids(found), ids(expected));
    if found_ids != expected_ids {
        let without = |a: &[TraceId], b: &[TraceId]| -> Vec<TraceId> {
            a.iter().filter(|id| !b.contains(id)).copied().collect()
        };
        let (missing, unheard) = (without(&expected_ids, &found_ids), without(&found_ids, &expected_ids));
        let what = format!("traces (missing {missing:?}, not expected {unheard:?})");
        return differ(&what, found_ids, expected_ids);
    }
    for (found, expected) in found.iter().zip(expected) {
        trace(found, expected).map_err(|why| format!("trace {}: {why}", found.id))?;
    }
    Ok(())
}

fn trace(found: &FoundTrace, expected: &FoundTrace) -> Result<(), String> {
    same!("root name", found.root_name, expected.root_name);
    same!("root service", found.root_service, expected.root_service);
    same!("start and duration", (found.start, found.duration), (expected.start, expected.duration));
    same!("services", found.services, expected.services);
    let outline =
        |sets: &[FoundSpanset]| sets.iter().map(|set| (set.matched, ids(&set.spans))).collect::<Vec<_>>();
    same!("spansets", outline(&found.spansets), outline(&expected.spansets));
    for (found, expected) in found.spansets.iter().zip(&expected.spansets) {
        if !same_attributes(&found.attributes, &expected.attributes) {
            return differ("attributes of a spanset", &found.attributes, &expected.attributes);
        }
        for (found, expected) in found.spans.iter().zip(&expected.spans) {
            span(found, expected).map_err(|why| format!("span {}: {why}", found.id))?;
        }
    }
    Ok(())
}

fn ids(spans: &[FoundSpan]) -> Vec<String> {
    spans.iter().map(|span| span.id.to_string()).collect()
}

fn span(found: &FoundSpan, expected: &FoundSpan) -> Result<(), String> {
    same!("name", found.name, expected.name);
    same!("start and duration", (found.start, found.duration), (expected.start, expected.duration));
    if !same_attributes(&found.attributes, &expected.attributes) {
        return differ("attributes", &found.attributes, &expected.attributes);
    }
    Ok(())
}

/// Equal series in equal order; exemplars only if they are among the spans behind the series.
pub fn series(found: &[Series], expected: &[Series], most_exemplars: usize) -> Result<(), String> {
    let labels = |series: &[Series]| series.iter().map(|one| one.labels.clone()).collect::<Vec<_>>();
    let same_labels = |(a, b): (&Series, &Series)| same_attributes(&a.labels, &b.labels);
    if found.len() != expected.len() || !found.iter().zip(expected).all(same_labels) {
        return differ("labels", labels(found), labels(expected));
    }
    for (found, expected) in found.iter().zip(expected) {
        one_series(found, expected, most_exemplars).map_err(|why| format!("{:?}: {why}", found.labels))?;
    }
    Ok(())
}

fn one_series(found: &Series, expected: &Series, most_exemplars: usize) -> Result<(), String> {
    let same_sample = |(a, b): (&(u64, f64), &(u64, f64))| a.0 == b.0 && close(a.1, b.1);
    let pairs = || found.samples.iter().zip(&expected.samples);
    if found.samples.len() != expected.samples.len() || !pairs().all(same_sample) {
        return differ("samples", &found.samples, &expected.samples);
    }
    if found.exemplars.len() > most_exemplars {
        return differ("number of exemplars", found.exemplars.len(), most_exemplars);
    }
    // What is reckoned from two series has spans of both behind it, which are not kept apart.
    for exemplar in found.exemplars.iter().filter(|_| !expected.exemplars.is_empty()) {
        let is_this = |one: &&spanloom_traceql::answer::Exemplar| {
            one.trace == exemplar.trace && one.at == exemplar.at && close(one.value, exemplar.value)
        };
        if !expected.exemplars.iter().any(|one| is_this(&one)) {
            return differ("an exemplar", exemplar, &expected.exemplars);
        }
    }
    Ok(())
}
