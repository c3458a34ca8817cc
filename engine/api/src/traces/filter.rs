//! The parameter `q` of a trace by id: the spans for which one filter holds, and spans near them.

use std::collections::HashMap;

use spanloom_span::TraceId;
use spanloom_span::model::Trace;
use spanloom_traceql::eval::{Fragment, ModelFragment, ReadError, Scratch, WholeTrace, judge};
use spanloom_traceql::plan::Plan;

use super::near::{self, Reach};
use crate::params::Params;
use crate::{QueryError, language};

/// Which spans of a trace are wanted.
#[derive(Debug, Clone)]
pub(super) struct TraceFilter {
    plan: Plan,
    /// How far above a match spans are kept.
    above: Reach,
    /// How far below a match spans are kept.
    below: Reach,
}

impl TraceFilter {
    /// From parameters: `q`, one filter; `keep_hierarchy` with `ancestor_depth` (all without it); `match_depth` (none
    /// without it). `None` without `q`.
    pub fn from_params(params: &Params, max_bytes: usize) -> Result<Option<Self>, QueryError> {
        let reach = |name: &str| params.read(name, "a whole number, or -1 for no limit", Reach::parse);
        let keep_hierarchy = params.flag("keep_hierarchy")?;
        let above = reach("ancestor_depth")?.unwrap_or(Reach::Any);
        let above = if keep_hierarchy { above } else { Reach::Steps(0) };
        let below = reach("match_depth")?.unwrap_or(Reach::Steps(0));
        let Some(text) = params.get("q") else { return Ok(None) };
        let query = language::filter(text, max_bytes)?;
        let plan = Plan::new(&query).map_err(|error| language::wrong(&error))?;
        Ok(Some(Self { plan, above, below }))
    }

    /// The trace with the wanted spans alone. Resources and scopes without a span are left out; the order stays.
    pub fn apply(&self, trace: Trace) -> Result<Trace, QueryError> {
        let broken =
            |error: ReadError| QueryError::Internal(format!("the trace could not be filtered: {error}"));
        let mut kept = self.kept(&trace).map_err(broken)?.into_iter();
        Ok(retained(trace, || kept.next().unwrap_or(false)))
    }

    /// For each span, in the order of the trace, whether it is wanted.
    fn kept(&self, trace: &Trace) -> Result<Vec<bool>, ReadError> {
        let mut fragment = ModelFragment::new(&self.plan, trace);
        let id = trace.spans().next().map_or(TraceId::default(), |span| span.trace_id);
        let (mut fragments, mut scratch) = ([&mut fragment as &mut dyn Fragment], Scratch::default());
        let mut whole = WholeTrace::join(id, &self.plan, &mut fragments, &mut scratch)?;
        let mut kept = vec![false; whole.len() as usize];
        if let Some(pipeline) = self.plan.pipeline() {
            for spanset in judge(pipeline, &mut whole, &mut |_, _, _| Ok(false))? {
                spanset.spans.iter().for_each(|span| kept[*span as usize] = true);
            }
        }
        let tree = whole.tree();
        let parents: Vec<Option<u32>> = (0..kept.len() as u32).map(|span| tree.parent(span)).collect();
        near::spread(&mut kept, &parents, self.above, self.below);

        // A fragment numbers its spans as they come; those that agree in id and kind are one.
        let mut numbers = HashMap::new();
        let number = |span: &spanloom_span::model::Span| {
            let next = numbers.len() as u32;
            *numbers.entry((span.span_id, span.kind)).or_insert(next)
        };
        let places = trace.spans().map(number).map(|number| whole.whole_number(0, number));
        Ok(places.map(|place| place.is_some_and(|place| kept[place as usize])).collect())
    }
}

/// The spans for which `keep`, asked in the order of the trace, says so.
fn retained(mut trace: Trace, mut keep: impl FnMut() -> bool) -> Trace {
    for resource in &mut trace.resource_spans {
        for scope in &mut resource.scope_spans {
            scope.spans.retain(|_| keep());
        }
        resource.scope_spans.retain(|scope| !scope.spans.is_empty());
    }
    trace.resource_spans.retain(|resource| !resource.scope_spans.is_empty());
    trace
}

#[cfg(test)]
mod tests {
    use super::*;
    use spanloom_span::SpanId;
    use spanloom_span::model::{ResourceSpans, ScopeSpans, Span};

    /// Spans as (id, parent), each in a resource of its own, later ones starting earlier; names are their ids.
    fn trace(spans: &[(u8, u8)]) -> Trace {
        let span = |(place, &(id, parent)): (usize, &(u8, u8))| Span {
            span_id: SpanId([0, 0, 0, 0, 0, 0, 0, id]),
            parent_span_id: if parent == 0 { Vec::new() } else { vec![0, 0, 0, 0, 0, 0, 0, parent] },
            name: id.to_string(),
            start_time_unix_nano: 1000 - place as u64,
            ..Span::default()
        };
        let group = |span: Span| ResourceSpans {
            scope_spans: vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }],
            ..ResourceSpans::default()
        };
        Trace { resource_spans: spans.iter().enumerate().map(span).map(group).collect() }
    }

    fn filter(list: &[(&str, &str)]) -> Result<Option<TraceFilter>, QueryError> {
        let params = list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        TraceFilter::from_params(&Params(params.collect()), 1000)
    }

    #[test]
    fn spans_that_match_and_spans_near_them_are_kept() {
        // 1 - 2 - 3 - 4, and 5 below 2; 6 is an orphan.
        let tree = trace(&[(1, 0), (2, 1), (3, 2), (4, 3), (5, 2), (6, 9)]);
        let check = |list: &[(&str, &str)], expected: &[&str]| {
            let kept = filter(list).unwrap().unwrap().apply(tree.clone()).unwrap();
            let names: Vec<&str> = kept.spans().map(|span| span.name.as_str()).collect();
            assert_eq!(names, expected, "{list:?}");
            assert_eq!(kept.resource_spans.len(), expected.len());
        };
        let third = ("q", "{ name = \"3\" }");
        check(&[("q", "{ }")], &["1", "2", "3", "4", "5", "6"]);
        check(&[("q", "{ name = \"x\" }")], &[]);
        check(&[third], &["3"]);
        check(&[third, ("ancestor_depth", "1")], &["3"]);
        check(&[third, ("keep_hierarchy", "true")], &["1", "2", "3"]);
        check(&[third, ("keep_hierarchy", "1"), ("ancestor_depth", "1")], &["2", "3"]);
        check(&[third, ("keep_hierarchy", "1"), ("ancestor_depth", "0")], &["3"]);
        check(&[third, ("match_depth", "1")], &["3", "4"]);
        check(&[("q", "{ name = \"1\" }"), ("match_depth", "1")], &["1", "2"]);
        check(&[("q", "{ name = \"1\" }"), ("match_depth", "-1")], &["1", "2", "3", "4", "5"]);
        check(&[third, ("keep_hierarchy", "true"), ("match_depth", "-1")], &["1", "2", "3", "4"]);
        check(&[("q", "{ nestedSetParent < 0 }")], &["1"]);
        check(&[("q", "{ span:childCount = 2 }")], &["2"]);
        assert_eq!(filter(&[third]).unwrap().unwrap().apply(Trace::default()).unwrap(), Trace::default());
    }

    #[test]
    fn duplicates_stay_together() {
        let twice = trace(&[(1, 0), (1, 0), (2, 1)]);
        let kept = filter(&[("q", "{ name = \"1\" }")]).unwrap().unwrap().apply(twice).unwrap();
        assert_eq!(kept.span_count(), 2);
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert!(filter(&[("match_depth", "3")]).unwrap().is_none());
        let check = |list: &[(&str, &str)], expected: &str| {
            let error = filter(list).unwrap_err().to_string();
            assert!(error.contains(expected), "{list:?}: {error}");
        };
        check(&[("q", "{ .a = }")], "the query is wrong: line 1, column 8");
        check(&[("q", "{ } >> { }")], "expected one filter such as");
        check(&[("q", "{ traceDuration > 1s }")], "which is the same for every span");
        check(
            &[("q", "{ }"), ("match_depth", "-2")],
            "match_depth is \"-2\", expected a whole number, or -1",
        );
        check(&[("q", "{ }"), ("keep_hierarchy", "x")], "keep_hierarchy is \"x\", expected true or false");
    }
}
