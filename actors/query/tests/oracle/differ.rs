//! Two answers held against each other: the first difference, in words.

use std::collections::BTreeSet;

use spanloom_span::TraceId;
use spanloom_span::model::{self, AnyValue};
use spanloom_traceql::answer::{Exemplar, FoundSpan, FoundSpanset, FoundTrace, Series};

use crate::model::Trace;

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

/// What exemplars an answer may have.
pub struct Exemplars {
    /// Most of a series.
    pub most: usize,
    /// Earliest and latest start of spans that count.
    pub within: (u64, u64),
    /// Whether a series shows all of its group's; those of histograms and quantiles share them.
    pub is_whole: bool,
}

/// Equal series in equal order; exemplars only if they are among the spans behind the series, as the hint says.
pub fn series(found: &[Series], expected: &[Series], exemplars: &Exemplars) -> Result<(), String> {
    let labels = |series: &[Series]| series.iter().map(|one| one.labels.clone()).collect::<Vec<_>>();
    let same_labels = |(a, b): (&Series, &Series)| same_attributes(&a.labels, &b.labels);
    if found.len() != expected.len() || !found.iter().zip(expected).all(same_labels) {
        return differ("labels", labels(found), labels(expected));
    }
    for (found, expected) in found.iter().zip(expected) {
        one_series(found, expected, exemplars).map_err(|why| format!("{:?}: {why}", found.labels))?;
    }
    Ok(())
}

fn one_series(found: &Series, expected: &Series, exemplars: &Exemplars) -> Result<(), String> {
    let same_sample = |(a, b): (&(u64, f64), &(u64, f64))| a.0 == b.0 && close(a.1, b.1);
    let pairs = || found.samples.iter().zip(&expected.samples);
    if found.samples.len() != expected.samples.len() || !pairs().all(same_sample) {
        return differ("samples", &found.samples, &expected.samples);
    }
    shown(&found.exemplars, &expected.exemplars, exemplars)
}

/// Which of the candidates of a stretch is shown is the engine's choice.
fn shown(found: &[Exemplar], candidates: &[Exemplar], of: &Exemplars) -> Result<(), String> {
    for exemplar in found {
        let is_this = |one: &Exemplar| {
            one.trace == exemplar.trace && one.at == exemplar.at && close(one.value, exemplar.value)
        };
        if !candidates.iter().any(is_this) {
            return differ("an exemplar", exemplar, candidates);
        }
    }
    let length = u128::from(of.within.1 - of.within.0) + 1;
    let stretch = |one: &Exemplar| u128::from(one.at - of.within.0) * of.most as u128 / length;
    let stretches: BTreeSet<u128> = found.iter().map(stretch).collect();
    let traces: BTreeSet<TraceId> = found.iter().map(|one| one.trace).collect();
    if stretches.len() < found.len() || traces.len() < found.len() {
        return differ("exemplars", found, "one of a stretch and of a trace at most");
    }
    // A stretch without one is one whose choice was shown before.
    let empty = candidates.iter().filter(|one| of.most > 0 && !stretches.contains(&stretch(one)));
    let lacking: BTreeSet<u128> = empty.clone().map(stretch).collect();
    let excused: BTreeSet<u128> = empty.filter(|one| traces.contains(&one.trace)).map(stretch).collect();
    if of.is_whole && lacking != excused {
        return differ("exemplars", found, candidates);
    }
    Ok(())
}

/// The spans of a trace that was asked for by its id, in any order.
pub fn whole_trace(found: Option<&model::Trace>, expected: Option<&Trace>) -> Result<(), String> {
    let mut of_found = Vec::new();
    for resource_spans in found.iter().flat_map(|trace| &trace.resource_spans) {
        for scope_spans in &resource_spans.scope_spans {
            let (resource, scope) = (&resource_spans.resource, &scope_spans.scope);
            of_found.extend(scope_spans.spans.iter().map(|span| format!("{span:?} {resource:?} {scope:?}")));
        }
    }
    let spans = expected.iter().flat_map(|trace| &trace.spans);
    let mut of_expected: Vec<String> =
        spans.map(|span| format!("{:?} {:?} {:?}", span.own, span.resource, span.scope)).collect();
    of_found.sort();
    of_expected.sort();
    match of_found == of_expected {
        true => Ok(()),
        false => differ("spans", of_found, of_expected),
    }
}
