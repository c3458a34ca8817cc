//! What fails, made smaller as long as it fails, until a person can read it.

use std::collections::BTreeSet;

use spanloom_span::model::{KeyValue, Span};

use crate::generate_traces::{Request, Store};
use crate::query::{Expr, Metrics, Scalar, Spans, Stage};

/// Most attempts for one failure.
const ATTEMPTS: usize = 4000;

/// Smaller ones of something, made one by one.
pub type Smaller<'a, T> = Box<dyn Iterator<Item = T> + 'a>;

/// The smallest of its kind that still fails, as far as single cuts lead.
pub fn shrink<T>(
    mut failing: T,
    smaller: impl for<'a> Fn(&'a T) -> Smaller<'a, T>,
    fails: impl Fn(&T) -> bool,
) -> T {
    let mut attempts = 0;
    loop {
        let still = smaller(&failing).take_while(|_| {
            attempts += 1;
            attempts <= ATTEMPTS
        });
        let Some(found) = { still }.find(&fails) else {
            return failing;
        };
        failing = found;
    }
}

/// Stores with something less, the large things first.
pub fn smaller_stores(store: &Store) -> Smaller<'_, Store> {
    let requests = (0..store.requests.len()).map(|index| {
        let mut requests = store.requests.clone();
        requests.remove(index);
        Store { requests, ..store.clone() }
    });
    let spans = || store.requests.iter().flat_map(|request| request.spans.spans());
    let ids: BTreeSet<_> = spans().map(|span| span.trace_id).collect();
    let ids: Vec<_> = ids.into_iter().collect();
    let count = ids.len();
    // Half of the traces, a quarter, and so on to each alone.
    let sizes = std::iter::successors(Some(count.div_ceil(2)), |size| (*size > 1).then(|| size / 2));
    let cuts: Vec<(usize, usize)> =
        sizes.flat_map(|size| (0..count).step_by(size.max(1)).map(move |from| (from, from + size))).collect();
    let traces = cuts.into_iter().map(move |(from, to)| {
        let cut = &ids[from..to.min(ids.len())];
        kept(store, |span, _| !cut.contains(&span.trace_id))
    });
    // Within many traces single cuts would take too long.
    let details = (count <= 3).then(|| with_fewer_details(store));
    Box::new(requests.chain(traces).chain(details.into_iter().flatten()))
}

fn with_fewer_details(store: &Store) -> Vec<Store> {
    let mut out = Vec::new();
    let count = store.requests.iter().flat_map(|request| request.spans.spans()).count();
    out.extend((0..count).map(|cut| kept(store, |_, index| index != cut)));
    for index in 0..store.requests.len() {
        let mut smaller = store.clone();
        if std::mem::take(&mut smaller.requests[index].seal) {
            out.push(smaller);
        }
    }
    (0..count).for_each(|cut| out.extend(smaller_spans(store, cut)));
    out.extend(smaller_origins(store));
    out
}

/// Only the spans that are wanted; what is left empty goes.
fn kept(store: &Store, keep: impl Fn(&Span, usize) -> bool) -> Store {
    let mut out = store.clone();
    let mut index = 0;
    for resource_spans in out.requests.iter_mut().flat_map(|request| &mut request.spans.resource_spans) {
        for scope_spans in &mut resource_spans.scope_spans {
            scope_spans.spans.retain(|span| {
                index += 1;
                keep(span, index - 1)
            });
        }
        resource_spans.scope_spans.retain(|scope_spans| !scope_spans.spans.is_empty());
    }
    for request in &mut out.requests {
        request.spans.resource_spans.retain(|resource_spans| !resource_spans.scope_spans.is_empty());
    }
    out
}

/// The store with less within one span.
fn smaller_spans(store: &Store, index: usize) -> Vec<Store> {
    let mut out = Vec::new();
    let Some(span) = store.requests.iter().flat_map(|request| request.spans.spans()).nth(index) else {
        return out;
    };
    let mut push = |smaller: Span| {
        let mut store = store.clone();
        let all = store.requests.iter_mut().flat_map(|request| &mut request.spans.resource_spans);
        let mut all = all.flat_map(|r| &mut r.scope_spans).flat_map(|s| &mut s.spans);
        if let Some(place) = all.nth(index) {
            *place = smaller;
            drop(all);
            out.push(store);
        }
    };
    for attributes in without_one(&span.attributes) {
        push(Span { attributes, ..span.clone() });
    }
    for events in without_one(&span.events) {
        push(Span { events, ..span.clone() });
    }
    for links in without_one(&span.links) {
        push(Span { links, ..span.clone() });
    }
    if span.name != "x" {
        push(Span { name: "x".to_owned(), ..span.clone() });
    }
    if span.status != Default::default() {
        push(Span { status: Default::default(), ..span.clone() });
    }
    out
}

/// The store with fewer attributes of one resource or scope.
fn smaller_origins(store: &Store) -> Vec<Store> {
    let mut out = Vec::new();
    for (r, request) in store.requests.iter().enumerate() {
        for (p, part) in request.spans.resource_spans.iter().enumerate() {
            for attributes in without_one(&part.resource.attributes) {
                let mut smaller = store.clone();
                smaller.requests[r].spans.resource_spans[p].resource.attributes = attributes;
                out.push(smaller);
            }
            for (s, scope_spans) in part.scope_spans.iter().enumerate() {
                for attributes in without_one::<KeyValue>(&scope_spans.scope.attributes) {
                    let mut smaller = store.clone();
                    let part = &mut smaller.requests[r].spans.resource_spans[p];
                    part.scope_spans[s].scope.attributes = attributes;
                    out.push(smaller);
                }
            }
        }
    }
    out
}

/// All of them but one, for each.
pub fn without_one<T: Clone>(all: &[T]) -> Vec<Vec<T>> {
    let without = |index| {
        let mut some = all.to_vec();
        some.remove(index);
        some
    };
    (0..all.len()).map(without).collect()
}

/// Pipelines with one thing less.
pub fn smaller_stages(stages: &[Stage]) -> Vec<Vec<Stage>> {
    let mut out: Vec<Vec<Stage>> =
        without_one(stages).into_iter().filter(|stages| !stages.is_empty()).collect();
    for (index, stage) in stages.iter().enumerate() {
        let smaller: Vec<Stage> = match stage {
            Stage::Spans(spans) => {
                let smaller = smaller_sets(spans).into_iter();
                // Parentheses around a whole stage mean nothing to the canonical form.
                smaller.filter(|set| !matches!(set, Spans::Pipeline(_))).map(Stage::Spans).collect()
            }
            Stage::By(expr) => smaller_exprs(expr).into_iter().map(Stage::By).collect(),
            Stage::Select(fields) => {
                without_one(fields).into_iter().filter(|f| !f.is_empty()).map(Stage::Select).collect()
            }
            Stage::Coalesce => Vec::new(),
            Stage::Compare(op, left, right) => {
                let lefts = smaller_scalars(left).into_iter().map(|left| (left, right.clone()));
                let rights = smaller_scalars(right).into_iter().map(|right| (left.clone(), right));
                lefts.chain(rights).map(|(left, right)| Stage::Compare(*op, left, right)).collect()
            }
        };
        for stage in smaller {
            let mut stages = stages.to_vec();
            stages[index] = stage;
            out.push(stages);
        }
    }
    out
}

fn smaller_scalars(scalar: &Scalar) -> Vec<Scalar> {
    match scalar {
        Scalar::Literal(_) | Scalar::Count => Vec::new(),
        Scalar::Of(aggregate, expr) => {
            smaller_exprs(expr).into_iter().map(|expr| Scalar::Of(*aggregate, expr)).collect()
        }
        Scalar::Arithmetic(op, left, right) => {
            let both = |left, right| Scalar::Arithmetic(*op, Box::new(left), Box::new(right));
            let mut out = vec![(**left).clone(), (**right).clone()];
            out.extend(smaller_scalars(left).into_iter().map(|left| both(left, (**right).clone())));
            out.extend(smaller_scalars(right).into_iter().map(|right| both((**left).clone(), right)));
            out
        }
        Scalar::Pipeline(stages, scalar) => {
            let with = |stages, scalar| Scalar::Pipeline(stages, Box::new(scalar));
            let mut out = vec![(**scalar).clone()];
            out.extend(smaller_stages(stages).into_iter().map(|stages| with(stages, (**scalar).clone())));
            out.extend(smaller_scalars(scalar).into_iter().map(|scalar| with(stages.clone(), scalar)));
            out
        }
    }
}

fn smaller_sets(spans: &Spans) -> Vec<Spans> {
    match spans {
        Spans::Filter(None) => Vec::new(),
        Spans::Filter(Some(condition)) => {
            let smaller = smaller_exprs(condition).into_iter().map(|c| Spans::Filter(Some(c)));
            [Spans::Filter(None)].into_iter().chain(smaller).collect()
        }
        Spans::Pipeline(stages) => {
            let single = match stages.as_slice() {
                [Stage::Spans(spans)] => Some(spans.clone()),
                _ => None,
            };
            single.into_iter().chain(smaller_stages(stages).into_iter().map(Spans::Pipeline)).collect()
        }
        Spans::Set(op, left, right) => {
            let mut out = vec![(**left).clone(), (**right).clone()];
            let set = |left, right| Spans::Set(*op, Box::new(left), Box::new(right));
            out.extend(smaller_sets(left).into_iter().map(|left| set(left, (**right).clone())));
            out.extend(smaller_sets(right).into_iter().map(|right| set((**left).clone(), right)));
            out
        }
    }
}

fn smaller_exprs(expr: &Expr) -> Vec<Expr> {
    match expr {
        Expr::Literal(_) | Expr::Field(_) | Expr::Match { .. } => Vec::new(),
        Expr::Not(operand) => {
            let within = smaller_exprs(operand).into_iter().map(|operand| Expr::Not(Box::new(operand)));
            [(**operand).clone()].into_iter().chain(within).collect()
        }
        Expr::Negate(operand) => {
            let within = smaller_exprs(operand).into_iter().map(|operand| Expr::Negate(Box::new(operand)));
            [(**operand).clone()].into_iter().chain(within).collect()
        }
        Expr::Binary(op, left, right) => {
            let mut out = vec![(**left).clone(), (**right).clone()];
            let both = |left, right| Expr::Binary(*op, Box::new(left), Box::new(right));
            out.extend(smaller_exprs(left).into_iter().map(|left| both(left, (**right).clone())));
            out.extend(smaller_exprs(right).into_iter().map(|right| both((**left).clone(), right)));
            out
        }
    }
}

/// Queries for series with one thing less.
pub fn smaller_metrics(query: &Metrics) -> Vec<Metrics> {
    match query {
        Metrics::Number(_) => Vec::new(),
        Metrics::Leaf { stages, function, by } => {
            let leaf = |stages, by| Metrics::Leaf { stages, function: function.clone(), by };
            let fewer = smaller_stages(stages).into_iter().map(|stages| leaf(stages, by.clone()));
            fewer.chain(without_one(by).into_iter().map(|by| leaf(stages.clone(), by))).collect()
        }
        Metrics::Then(series, second) => {
            let within = smaller_metrics(series);
            let within = within.into_iter().map(|series| Metrics::Then(Box::new(series), second.clone()));
            [(**series).clone()].into_iter().chain(within).collect()
        }
        Metrics::Arithmetic(op, left, right) => {
            let sides = [left, right].into_iter().filter(|side| !matches!(***side, Metrics::Number(_)));
            let mut out: Vec<Metrics> = sides.map(|side| (**side).clone()).collect();
            let both = |left, right| Metrics::Arithmetic(*op, Box::new(left), Box::new(right));
            out.extend(smaller_metrics(left).into_iter().map(|left| both(left, (**right).clone())));
            out.extend(smaller_metrics(right).into_iter().map(|right| both((**left).clone(), right)));
            out
        }
    }
}

/// A store as a person reads it: one line a span, in the order of arrival.
pub fn told(store: &Store) -> String {
    let mut out = String::new();
    out += &format!("in a house of manner {}\n", store.manner);
    for (number, Request { tenant, spans, seal }) in store.requests.iter().enumerate() {
        out += &format!("request {number} of tenant {tenant}{}\n", if *seal { ", then sealed" } else { "" });
        for part in &spans.resource_spans {
            out += &format!("  resource {}\n", told_attributes(&part.resource.attributes));
            for scope_spans in &part.scope_spans {
                let scope = &scope_spans.scope;
                let attributes = told_attributes(&scope.attributes);
                out += &format!("    scope {:?} {:?} {attributes}\n", scope.name, scope.version);
                scope_spans.spans.iter().for_each(|span| out += &told_span(span));
            }
        }
    }
    out
}

fn told_span(span: &Span) -> String {
    let parent: String = span.parent_span_id.iter().map(|byte| format!("{byte:02x}")).collect();
    let duration = i128::from(span.end_time_unix_nano) - i128::from(span.start_time_unix_nano);
    let mut out = format!(
        "      {} {} parent {:?} kind {} status {} {:?} name {:?} start {} duration {duration} {}\n",
        span.trace_id,
        span.span_id,
        parent,
        span.kind,
        span.status.code,
        span.status.message,
        span.name,
        span.start_time_unix_nano,
        told_attributes(&span.attributes)
    );
    for event in &span.events {
        let after = i128::from(event.time_unix_nano) - i128::from(span.start_time_unix_nano);
        out += &format!("        event {:?} {after} {}\n", event.name, told_attributes(&event.attributes));
    }
    for link in &span.links {
        out += &format!("        link {:?} {}\n", link.span_id, told_attributes(&link.attributes));
    }
    out
}

fn told_attributes(attributes: &[KeyValue]) -> String {
    let told: Vec<String> = attributes.iter().map(|a| format!("{}: {:?}", a.key, a.value)).collect();
    format!("[{}]", told.join(", "))
}
