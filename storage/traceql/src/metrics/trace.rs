//! The spans of a whole trace, counted.

use smallvec::SmallVec;

use super::accumulator::{Accumulator, Counts};
use super::compare::Place;
use crate::ast::Scope;
use crate::eval::{Matched, ReadError, WholeTrace, judge};
use crate::plan::{ComparePlan, FieldId, Leaf, Measure};
use crate::value::{OwnedValue, Value};

/// Counts the spans that a leaf's pipeline leaves of a trace, each once.
pub fn count_trace(
    leaf: &Leaf,
    trace: &mut WholeTrace<'_, '_>,
    matched: &mut Matched<'_>,
    accumulator: &mut Accumulator,
) -> Result<(), ReadError> {
    let spansets = judge(&leaf.pipeline, trace, matched)?;
    let several = spansets.len() > 1;
    let mut spans: Vec<u32> = spansets.into_iter().flat_map(|spanset| spanset.spans).collect();
    if several {
        spans.sort_unstable();
        spans.dedup();
    }
    let steps = accumulator.steps();
    spans.retain(|span| steps.sample_of(trace.span(*span).start).is_some());
    if let Measure::Compare(compare) = &leaf.function {
        return spans.into_iter().try_for_each(|span| compare_span(compare, trace, span, accumulator));
    }
    let mut labels: Vec<OwnedValue> = Vec::new();
    for span in spans {
        let measured = match leaf.measured() {
            Some(field) => number(trace, span, field)?,
            None => Value::Nil,
        };
        if !accumulator.takes(measured) {
            continue;
        }
        labels.clear();
        for (field, _) in &leaf.by {
            labels.push(first(trace, span, *field)?);
        }
        let values: SmallVec<[Value<'_>; 6]> = labels.iter().map(OwnedValue::as_value).collect();
        let identity = trace.span(span);
        accumulator.observe(&values, identity.start, measured, trace.id(), identity.duration);
    }
    Ok(())
}

/// The first value of a field.
fn first(trace: &mut WholeTrace<'_, '_>, span: u32, field: FieldId) -> Result<OwnedValue, ReadError> {
    let mut first = None;
    trace.see(span, field, &mut |value| {
        first.get_or_insert_with(|| OwnedValue::from(value));
    })?;
    Ok(first.unwrap_or(OwnedValue::Nil))
}

/// The first value of a field if it is a number, else nil.
fn number(trace: &mut WholeTrace<'_, '_>, span: u32, field: FieldId) -> Result<Value<'static>, ReadError> {
    let mut first = None;
    trace.see(span, field, &mut |value| {
        first.get_or_insert(match value {
            Value::Int(value) => Value::Int(value),
            Value::Float(value) => Value::Float(value),
            Value::Duration(value) => Value::Duration(value),
            _ => Value::Nil,
        });
    })?;
    Ok(first.unwrap_or(Value::Nil))
}

fn compare_span(
    compare: &ComparePlan,
    trace: &mut WholeTrace<'_, '_>,
    span: u32,
    accumulator: &mut Accumulator,
) -> Result<(), ReadError> {
    let start = trace.span(span).start;
    let steps = accumulator.steps();
    let (Some(sample), Counts::Compare(counts)) = (steps.sample_of(start), &mut accumulator.counts) else {
        return Ok(());
    };
    let within = |(from, until): (i64, i64)| {
        let start = i128::from(start);
        i128::from(from) <= start && start <= i128::from(until)
    };
    let mut selected = compare.window.is_none_or(within);
    if selected && let Some(filter) = trace.plan().filter(compare.selection) {
        selected = filter.expr.eval(&mut |field, see| trace.see(span, field, see))?;
    }
    for (field, name) in &compare.intrinsics {
        let mut seen = false;
        trace.see(span, *field, &mut |value| {
            if !std::mem::replace(&mut seen, true) {
                counts.add(selected, Place::Intrinsic, name.as_bytes(), value, sample, steps.count);
            }
        })?;
    }
    trace.attributes(span, &mut |scope, key, value| {
        let place = if scope == Scope::Resource { Place::Resource } else { Place::Span };
        counts.add(selected, place, key, value, sample, steps.count);
    })
}
