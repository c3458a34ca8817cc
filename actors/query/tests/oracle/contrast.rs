//! Naive `compare`: `docs/TRACEQL.md`, the last paragraph of "Metrics".

use spanloom_span::model::AnyValue;
use spanloom_traceql::answer::Series;

use crate::field::{Value, first_value, holds};
use crate::query::{Expr, Field, Intrinsic, Scope, Spelling};
use crate::series::{Counted, by_value, in_order};

pub fn compare(
    times: &[u64],
    spans: &[Counted<'_>],
    condition: Option<&Expr>,
    top: usize,
    between: Option<(u64, u64)>,
) -> Vec<Series> {
    let is_selected = |counted: &&Counted<'_>| {
        let within = between.is_none_or(|(start, end)| (start..=end).contains(&counted.span.start()));
        within && condition.is_none_or(|condition| holds(counted.trace, counted.span, condition))
    };
    let (selection, baseline): (Vec<&Counted<'_>>, Vec<&Counted<'_>>) = spans.iter().partition(is_selected);
    let mut out = Vec::new();
    for (half, spans) in [("selection", selection), ("baseline", baseline)] {
        for field in fields(&spans) {
            one_field(times, half, &spans, &field, top, &mut out);
        }
    }
    in_order(&mut out);
    out
}

/// Every attribute of span and resource, and the intrinsics that are compared.
fn fields(spans: &[&Counted<'_>]) -> Vec<Field> {
    use Intrinsic::{Kind, Name, RootName, RootServiceName, Status, StatusMessage};
    let intrinsics = [Name, Kind, Status, StatusMessage, RootName, RootServiceName];
    let mut out: Vec<Field> = intrinsics.map(Field::Intrinsic).to_vec();
    let scopes = [Scope::Span, Scope::Resource];
    for (counted, scope) in spans.iter().flat_map(|counted| scopes.map(|scope| (counted, scope))) {
        let attributes = match scope {
            Scope::Span => &counted.span.own.attributes,
            _ => &counted.span.resource.attributes,
        };
        for attribute in attributes {
            let field = Field::Attribute { of_parent: false, scope, key: attribute.key.clone() };
            if !out.contains(&field) {
                out.push(field);
            }
        }
    }
    out
}

fn one_field(
    times: &[u64],
    half: &str,
    spans: &[&Counted<'_>],
    field: &Field,
    top: usize,
    out: &mut Vec<Series>,
) {
    let mut total: Vec<usize> = Vec::new();
    let mut values: Vec<(Value, Vec<usize>)> = Vec::new();
    for counted in spans {
        let value = first_value(counted.trace, counted.span, field);
        if value == Value::Nil {
            continue;
        }
        total.push(counted.sample);
        match values.iter_mut().find(|(known, _)| known.group() == value.group()) {
            Some((_, samples)) => samples.push(counted.sample),
            None => values.push((value, vec![counted.sample])),
        }
    }
    if total.is_empty() {
        return;
    }
    // Of values with as many spans the page does not say which come first: here the lesser.
    values.sort_by(|(a, a_spans), (b, b_spans)| {
        b_spans.len().cmp(&a_spans.len()).then_with(|| by_value(&a.shown(), &b.shown()))
    });
    let mut push = |kind: String, value: AnyValue, samples: &[usize]| {
        let labels =
            vec![("__meta_type".to_owned(), AnyValue::Str(kind)), (field.text(Spelling::Canonical), value)];
        let count = |index| samples.iter().filter(|sample| **sample == index).count() as f64;
        let samples = times.iter().enumerate().map(|(index, time)| (*time, count(index))).collect();
        out.push(Series { labels, samples, exemplars: Vec::new() });
    };
    for (value, samples) in values.iter().take(top) {
        push(half.to_owned(), value.shown(), samples);
    }
    push(format!("{half}_total"), Value::Nil.shown(), &total);
}
