//! Naive names and values of tags.
//!
//! `docs/TRACEQL.md` does not speak of them, so an answer is held between two bounds: it has at least what the
//! spans that count have, and at most what was ever pushed, repeated keys, duplicates and the elements of lists
//! among it. Both ways it is in order, and nothing comes twice.

use std::collections::BTreeSet;

use spanloom_query::{TagScope, TagType, TagValues, Tags};
use spanloom_span::model::{self, AnyValue, KeyValue};

use crate::field::{Value, attribute, holds, values};
use crate::filled::Judged;
use crate::model::{Span, Trace};
use crate::query::{Expr, Field, Intrinsic, Scope, kind_word, status_word};
use crate::question::Times;

const SCOPES: [(TagScope, Scope); 5] = [
    (TagScope::Resource, Scope::Resource),
    (TagScope::Span, Scope::Span),
    (TagScope::Event, Scope::Event),
    (TagScope::Link, Scope::Link),
    (TagScope::Instrumentation, Scope::Instrumentation),
];

/// The spans that count: those that satisfy the condition and overlap the time. Others of their row groups may count.
fn counting<'a>(
    traces: &'a [Trace],
    condition: Option<&Expr>,
    (start, end): Times,
) -> Vec<(&'a Trace, &'a Span)> {
    let spans = traces.iter().flat_map(|trace| trace.spans.iter().map(move |span| (trace, span)));
    let overlaps = |span: &Span| {
        end.is_none_or(|end| span.start() <= end) && start.is_none_or(|start| span.end() >= start)
    };
    let holds = |trace: &Trace, span: &Span| condition.is_none_or(|condition| holds(trace, span, condition));
    spans.filter(|(trace, span)| overlaps(span) && holds(trace, span)).collect()
}

/// All lists of attributes that a span has in a scope.
fn lists(span: &Span, scope: Scope) -> Vec<&[KeyValue]> {
    match scope {
        Scope::Any => SCOPES.iter().flat_map(|(_, scope)| lists(span, *scope)).collect(),
        Scope::Span => vec![&span.own.attributes],
        Scope::Resource => vec![&span.resource.attributes],
        Scope::Instrumentation => vec![&span.scope.attributes],
        Scope::Event => span.own.events.iter().map(|event| event.attributes.as_slice()).collect(),
        Scope::Link => span.own.links.iter().map(|link| link.attributes.as_slice()).collect(),
    }
}

/// Every span that was ever pushed, duplicates among them.
fn pushed(requests: &[model::Trace]) -> Vec<Span> {
    let mut out = Vec::new();
    for request in requests {
        for resource_spans in &request.resource_spans {
            for scope_spans in &resource_spans.scope_spans {
                out.extend(scope_spans.spans.iter().map(|own| Span {
                    own: own.clone(),
                    resource: resource_spans.resource.clone(),
                    scope: scope_spans.scope.clone(),
                    parent: None,
                    nested_left: 0,
                    nested_right: 0,
                    nested_parent: 0,
                }));
            }
        }
    }
    out
}

/// Whether names are right for the spans that satisfy a condition.
pub fn names(
    found: &Tags,
    judged: &Judged,
    condition: Option<&Expr>,
    times: Times,
    only: Option<TagScope>,
    limit: usize,
) -> Result<(), String> {
    let least_spans = counting(&judged.traces, condition, times);
    let most_spans = pushed(&judged.requests);
    let scopes: Vec<TagScope> = found.scopes.iter().map(|(scope, _)| *scope).collect();
    if scopes.iter().enumerate().any(|(at, scope)| scopes[..at].contains(scope)) {
        return Err(format!("found scopes {scopes:?}, expected each once"));
    }
    for (tag_scope, scope) in SCOPES {
        let none = Vec::new();
        let found = found.scopes.iter().find(|(scope, _)| *scope == tag_scope);
        let found = found.map_or(&none, |(_, names)| names);
        let lists_of = |spans: &[&Span]| -> Vec<Vec<KeyValue>> {
            spans.iter().flat_map(|span| lists(span, scope)).map(<[KeyValue]>::to_vec).collect()
        };
        let mut least: BTreeSet<String> = BTreeSet::new();
        for list in lists_of(&least_spans.iter().map(|(_, span)| *span).collect::<Vec<_>>()) {
            let there = list.iter().filter(|a| attribute(&list, &a.key) != Value::Nil);
            least.extend(there.map(|a| a.key.clone()));
        }
        let most = lists_of(&most_spans.iter().collect::<Vec<_>>());
        let mut most: BTreeSet<String> = most.into_iter().flatten().map(|a| a.key).collect();
        if only.is_some_and(|only| only != tag_scope) {
            least.clear();
            most.clear();
        }
        between(&format!("{tag_scope:?} names"), found, (&least, &most), limit)?;
    }
    Ok(())
}

fn between<T: Ord + Clone + std::fmt::Debug>(
    what: &str,
    found: &[T],
    (least, most): (&BTreeSet<T>, &BTreeSet<T>),
    limit: usize,
) -> Result<(), String> {
    let ascending = found.windows(2).all(|pair| pair[0] < pair[1]);
    let known: BTreeSet<T> = found.iter().cloned().collect();
    // Which ones a limit leaves is not said.
    let is_all = least.is_subset(&known) || found.len() == limit;
    let is_within = limit == 0 || found.len() <= limit;
    if ascending && is_all && is_within && known.is_subset(most) {
        return Ok(());
    }
    Err(format!(
        "{what}:\n     found {found:?} (ascending: {ascending})\n  missing {:?}\n  unheard of {:?}",
        least.difference(&known).collect::<Vec<_>>(),
        known.difference(most).collect::<Vec<_>>()
    ))
}

/// Whether the values of a field are right for the spans that satisfy a condition.
pub fn field_values(
    found: &TagValues,
    judged: &Judged,
    condition: Option<&Expr>,
    times: Times,
    field: &Field,
    limit: usize,
) -> Result<(), String> {
    let mut least = BTreeSet::new();
    for (trace, span) in counting(&judged.traces, condition, times) {
        let scalars = values(trace, span, field).into_iter().filter_map(|value| told(&value));
        least.extend(scalars);
    }
    let is = |intrinsic| *field == Field::Intrinsic(intrinsic);
    let is_any = condition.is_none() && times == (None, None);
    if !is_any && (is(Intrinsic::RootName) || is(Intrinsic::RootServiceName)) {
        // A span that counts need not lie in the block, row group or request where its root does.
        least.clear();
    }
    let mut most = BTreeSet::new();
    if field_has_words(field) {
        // The words of the language are there though no span has them.
        let statuses = (0..3).filter_map(status_word);
        let words = statuses.chain((0..6).filter_map(kind_word));
        most.extend(words.map(|word| (TagType::Keyword, word.to_owned())));
    }
    for span in pushed(&judged.requests) {
        if let Field::Attribute { scope, key, .. } = field {
            for attribute in lists(&span, *scope).into_iter().flatten().filter(|a| a.key == *key) {
                elements(&attribute.value, &mut most);
            }
        } else {
            let lone = Trace { id: span.own.trace_id, spans: vec![span.clone()] };
            most.extend(values(&lone, &span, field).iter().filter_map(told));
        }
    }
    between("values", &found.values, (&least, &most), limit)
}

fn field_has_words(field: &Field) -> bool {
    matches!(field, Field::Intrinsic(Intrinsic::Status | Intrinsic::Kind))
}

fn elements(value: &AnyValue, out: &mut BTreeSet<(TagType, String)>) {
    match value {
        AnyValue::Array(items) => items.iter().for_each(|item| elements(item, out)),
        AnyValue::Str(text) => drop(out.insert((TagType::String, text.clone()))),
        AnyValue::Int(value) => drop(out.insert((TagType::Int, value.to_string()))),
        AnyValue::Double(value) => drop(out.insert((TagType::Float, float_text(*value)))),
        AnyValue::Bool(value) => drop(out.insert((TagType::Bool, value.to_string()))),
        AnyValue::Empty | AnyValue::Map(_) | AnyValue::Bytes(_) => {}
    }
}

/// Whole floats without a point: a query finds them so too.
fn float_text(value: f64) -> String {
    value.to_string()
}

/// A value as a list of values tells it; lists, maps and bytes are not told.
fn told(value: &Value) -> Option<(TagType, String)> {
    Some(match value {
        Value::Str(text) => (TagType::String, text.clone()),
        Value::Int(value) => (TagType::Int, value.to_string()),
        Value::Float(value) => (TagType::Float, float_text(*value)),
        Value::Bool(value) => (TagType::Bool, value.to_string()),
        Value::Status(code) => (TagType::Keyword, status_word(*code)?.to_owned()),
        Value::Kind(code) => (TagType::Keyword, kind_word(*code)?.to_owned()),
        Value::Nil | Value::Duration(_) | Value::Array(_) | Value::Thing(_) => return None,
    })
}
