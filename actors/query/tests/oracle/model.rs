//! Naive traces: everything that was pushed, as `docs/TRACEQL.md` says in "The trace that is judged".

use std::collections::BTreeMap;

use spanloom_span::model::{self, Resource, Scope};
use spanloom_span::{SpanId, TraceId};

pub const SERVER: i32 = 2;
pub const CLIENT: i32 = 3;
pub const ERROR: i32 = 2;

/// A span with all that is known of its place.
#[derive(Debug, Clone)]
pub struct Span {
    pub own: model::Span,
    pub resource: Resource,
    pub scope: Scope,
    /// Index in the trace, once circles are cut.
    pub parent: Option<usize>,
    pub nested_left: i64,
    pub nested_right: i64,
    pub nested_parent: i64,
}

/// A whole trace, its spans in the order of spans.
#[derive(Debug, Clone)]
pub struct Trace {
    pub id: TraceId,
    pub spans: Vec<Span>,
}

impl Span {
    pub fn start(&self) -> u64 {
        self.own.start_time_unix_nano
    }

    /// A span that ends before it starts ends at its start.
    pub fn end(&self) -> u64 {
        self.own.end_time_unix_nano.max(self.start())
    }

    pub fn duration(&self) -> u64 {
        self.end() - self.start()
    }

    /// Whether it has no parent id.
    pub fn is_root(&self) -> bool {
        self.own.parent_span_id.iter().all(|byte| *byte == 0)
    }
}

impl Trace {
    pub fn start(&self) -> u64 {
        self.spans.iter().map(Span::start).min().unwrap_or_default()
    }

    pub fn duration(&self) -> u64 {
        self.spans.iter().map(Span::end).max().unwrap_or_default() - self.start()
    }

    /// The first root in the order of spans.
    pub fn root(&self) -> Option<&Span> {
        self.spans.iter().find(|span| span.is_root())
    }

    pub fn children(&self, of: usize) -> Vec<usize> {
        (0..self.spans.len()).filter(|child| self.spans[*child].parent == Some(of)).collect()
    }

    /// Whether the first span stands above the second.
    pub fn is_ancestor(&self, above: usize, of: usize) -> bool {
        let mut at = of;
        while let Some(parent) = self.spans[at].parent {
            if parent == above {
                return true;
            }
            at = parent;
        }
        false
    }
}

/// Whole traces of everything pushed, in the order it was pushed.
pub fn gather(requests: &[model::Trace]) -> Vec<Trace> {
    let mut traces: BTreeMap<TraceId, Vec<Span>> = BTreeMap::new();
    for resource_spans in requests.iter().flat_map(|request| &request.resource_spans) {
        for scope_spans in &resource_spans.scope_spans {
            for own in &scope_spans.spans {
                let spans = traces.entry(own.trace_id).or_default();
                if spans.iter().any(|s| s.own.span_id == own.span_id && s.own.kind == own.kind) {
                    continue;
                }
                spans.push(Span {
                    own: own.clone(),
                    resource: resource_spans.resource.clone(),
                    scope: scope_spans.scope.clone(),
                    parent: None,
                    nested_left: 0,
                    nested_right: 0,
                    nested_parent: 0,
                });
            }
        }
    }
    traces.into_iter().map(|(id, spans)| whole(id, spans)).collect()
}

fn whole(id: TraceId, mut spans: Vec<Span>) -> Trace {
    spans.sort_by_key(|span| (span.start(), span.own.span_id, span.own.kind));
    let parents: Vec<Option<usize>> = (0..spans.len()).map(|span| parent_of(&spans, span)).collect();
    for (span, parent) in spans.iter_mut().zip(parents) {
        span.parent = parent;
    }
    let mut trace = Trace { id, spans };
    // In the order of spans, so the first span of each circle is the one that is cut off.
    for span in 0..trace.spans.len() {
        if is_in_circle(&trace, span) {
            trace.spans[span].parent = None;
        }
    }
    let mut number = 1;
    for span in 0..trace.spans.len() {
        if trace.spans[span].is_root() {
            enter(&mut trace, span, -1, &mut number);
        }
    }
    trace
}

fn parent_of(spans: &[Span], of: usize) -> Option<usize> {
    let span = &spans[of];
    if span.is_root() {
        return None;
    }
    let others = |id: SpanId| (0..spans.len()).filter(move |s| *s != of && spans[*s].own.span_id == id);
    if span.own.kind == SERVER
        && let Some(client) = others(span.own.span_id).find(|s| spans[*s].own.kind == CLIENT)
    {
        return Some(client);
    }
    let id = SpanId(span.own.parent_span_id.as_slice().try_into().ok()?);
    others(id).find(|s| spans[*s].own.kind == SERVER).or_else(|| others(id).next())
}

fn is_in_circle(trace: &Trace, span: usize) -> bool {
    let mut at = span;
    for _ in 0..trace.spans.len() {
        match trace.spans[at].parent {
            Some(parent) if parent == span => return true,
            Some(parent) => at = parent,
            None => return false,
        }
    }
    false
}

fn enter(trace: &mut Trace, span: usize, parent_left: i64, number: &mut i64) {
    let left = *number;
    *number += 1;
    for child in trace.children(span) {
        enter(trace, child, left, number);
    }
    let span = &mut trace.spans[span];
    (span.nested_left, span.nested_right, span.nested_parent) = (left, *number, parent_left);
    *number += 1;
}
