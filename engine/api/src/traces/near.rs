//! Which spans of a trace are kept: some that match, and those that are near them by parents and children.
//!
//! A span's parent is found as in `docs/TRACEQL.md`, section "The trace that is judged".

use std::collections::HashMap;

use spanloom_span::SpanId;
use spanloom_span::model::{Span, Trace};

const SERVER: i32 = 2;
const CLIENT: i32 = 3;

/// How far up or down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// So many steps.
    Steps(u64),
    /// To the end.
    Any,
}

impl Reach {
    /// A number of steps, or `-1`.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "-1" => Some(Reach::Any),
            _ => text.parse().ok().map(Reach::Steps),
        }
    }

    fn holds(self, steps: u64) -> bool {
        match self {
            Reach::Steps(most) => steps <= most,
            Reach::Any => true,
        }
    }
}

/// The trace with those spans alone that match (`matches` has a place for each span, in the order of the trace), or
/// are at most so many steps above or below one that does. Resources and scopes without a span are left out; the
/// order stays.
pub(super) fn keep(mut trace: Trace, matches: &[bool], above: Reach, below: Reach) -> Trace {
    let parents = parents(&trace);
    let mut kept = matches.to_vec();
    if above != Reach::Steps(0) {
        spread(matches, above, &mut kept, |span, see| {
            if let Some(parent) = parents[span] {
                see(parent);
            }
        });
    }
    if below != Reach::Steps(0) {
        let children = children(&parents);
        spread(matches, below, &mut kept, |span, see| children[span].iter().copied().for_each(see));
    }
    let mut kept = kept.into_iter();
    for resource in &mut trace.resource_spans {
        for scope in &mut resource.scope_spans {
            scope.spans.retain(|_| kept.next().unwrap_or(false));
        }
        resource.scope_spans.retain(|scope| !scope.spans.is_empty());
    }
    trace.resource_spans.retain(|resource| !resource.scope_spans.is_empty());
    trace
}

/// Marks what is reached from the matches, nearest first; each span is looked at once.
fn spread(matches: &[bool], reach: Reach, kept: &mut [bool], next: impl Fn(usize, &mut dyn FnMut(usize))) {
    let mut seen = matches.to_vec();
    let mut edge: Vec<usize> = (0..matches.len()).filter(|&span| matches[span]).collect();
    let mut steps = 1;
    while !edge.is_empty() && reach.holds(steps) {
        let mut beyond = Vec::new();
        for span in edge {
            next(span, &mut |near| {
                if !std::mem::replace(&mut seen[near], true) {
                    kept[near] = true;
                    beyond.push(near);
                }
            });
        }
        edge = beyond;
        steps += 1;
    }
}

fn children(parents: &[Option<usize>]) -> Vec<Vec<usize>> {
    let mut children = vec![Vec::new(); parents.len()];
    for (span, parent) in parents.iter().enumerate() {
        if let Some(parent) = parent {
            children[*parent].push(span);
        }
    }
    children
}

/// The place of every span's parent, if it is in the trace.
fn parents(trace: &Trace) -> Vec<Option<usize>> {
    let spans: Vec<&Span> = trace.spans().collect();
    let order = |&a: &usize, &b: &usize| {
        let key = |span: &Span| (span.start_time_unix_nano, span.span_id.0, span.kind);
        key(spans[a]).cmp(&key(spans[b]))
    };
    let mut by_id: HashMap<SpanId, Vec<usize>> = HashMap::with_capacity(spans.len());
    for (place, span) in spans.iter().enumerate() {
        by_id.entry(span.span_id).or_default().push(place);
    }
    for same in by_id.values_mut() {
        same.sort_by(order);
    }
    let parent = |(place, span): (usize, &&Span)| {
        let first = |id: &SpanId, kind: Option<i32>| {
            let mut same = by_id.get(id)?.iter().copied();
            same.find(|&other| other != place && kind.is_none_or(|kind| spans[other].kind == kind))
        };
        if span.kind == SERVER
            && let Some(client) = first(&span.span_id, Some(CLIENT))
        {
            return Some(client);
        }
        let id = SpanId(span.parent_span_id.as_slice().try_into().ok()?);
        if id.is_zero() { None } else { first(&id, Some(SERVER)).or_else(|| first(&id, None)) }
    };
    spans.iter().enumerate().map(parent).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use spanloom_span::model::{ResourceSpans, ScopeSpans};

    /// Spans as (id, parent, kind); names are their places.
    fn trace(spans: &[(u8, u8, i32)]) -> Trace {
        let span = |(place, &(id, parent, kind)): (usize, &(u8, u8, i32))| Span {
            span_id: SpanId([0, 0, 0, 0, 0, 0, 0, id]),
            parent_span_id: if parent == 0 { Vec::new() } else { vec![0, 0, 0, 0, 0, 0, 0, parent] },
            name: place.to_string(),
            kind,
            ..Span::default()
        };
        // Every span in a resource of its own.
        let group = |span: Span| ResourceSpans {
            scope_spans: vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }],
            ..ResourceSpans::default()
        };
        Trace { resource_spans: spans.iter().enumerate().map(span).map(group).collect() }
    }

    fn check(spans: &[(u8, u8, i32)], matching: &[usize], above: Reach, below: Reach, expected: &[usize]) {
        let matches: Vec<bool> = (0..spans.len()).map(|place| matching.contains(&place)).collect();
        let kept = keep(trace(spans), &matches, above, below);
        let names: Vec<String> = kept.spans().map(|span| span.name.clone()).collect();
        let expected: Vec<String> = expected.iter().map(usize::to_string).collect();
        assert_eq!(names, expected, "{matching:?} {above:?} {below:?}");
        assert_eq!(kept.resource_spans.len(), expected.len());
    }

    const NONE: Reach = Reach::Steps(0);

    #[test]
    fn spans_near_a_match_are_kept() {
        //  0 - 1 - 2 - 3
        //        \ 4
        let tree = [(1, 0, 0), (2, 1, 0), (3, 2, 0), (4, 3, 0), (5, 2, 0)];
        check(&tree, &[], Reach::Any, Reach::Any, &[]);
        check(&tree, &[2], NONE, NONE, &[2]);
        check(&tree, &[2], Reach::Steps(1), NONE, &[1, 2]);
        check(&tree, &[2], Reach::Any, NONE, &[0, 1, 2]);
        check(&tree, &[1], NONE, Reach::Steps(1), &[1, 2, 4]);
        check(&tree, &[1], NONE, Reach::Any, &[1, 2, 3, 4]);
        check(&tree, &[2], Reach::Steps(1), Reach::Any, &[1, 2, 3]);
        check(&tree, &[0, 3], Reach::Steps(1), NONE, &[0, 2, 3]);
        check(&tree, &[0, 3], Reach::Steps(u64::MAX), Reach::Steps(u64::MAX), &[0, 1, 2, 3, 4]);
    }

    #[test]
    fn parents_are_found_as_the_language_says() {
        // A Zipkin pair: client 0 and server 1 share an id; 2 is below the server.
        let shared = [(1, 0, CLIENT), (1, 0, SERVER), (2, 1, 0)];
        assert_eq!(parents(&trace(&shared)), [None, Some(0), Some(1)]);
        // An orphan, a span that is its own parent, and a circle.
        let odd = [(1, 9, 0), (2, 2, 0), (3, 4, 0), (4, 3, 0)];
        assert_eq!(parents(&trace(&odd)), [None, None, Some(3), Some(2)]);
        check(&odd, &[2], Reach::Any, Reach::Any, &[2, 3]);
    }

    #[test]
    fn a_reach_is_a_number_or_minus_one() {
        assert_eq!(Reach::parse("-1"), Some(Reach::Any));
        assert_eq!(Reach::parse("3"), Some(Reach::Steps(3)));
        for wrong in ["", "-2", "x", "1.5", "99999999999999999999"] {
            assert_eq!(Reach::parse(wrong), None);
        }
    }
}
