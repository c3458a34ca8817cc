//! What holds for all traces and queries.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use spanloom_span::TraceId;
use spanloom_span::model::Trace;
use spanloom_traceql::answer::Steps;
use spanloom_traceql::ast::{BinaryOp, Body, FieldExpr, Literal, Query, Set, Stage};
use spanloom_traceql::eval::{WholeTrace, judge};
use spanloom_traceql::metrics::{Accumulator, Limits, count_trace, finish};
use spanloom_traceql::parse;
use spanloom_traceql::plan::{FieldId, Plan};
use spanloom_traceql::value::{ArithmeticOp, CompareOp, OwnedValue, Value, compare, negate, reckon};
use spanloom_traceql::wire::Unpacker;

use super::random::{filter, lines};
use super::support::{found, over, plan, trace};

/// The page's rules without any rewriting: all values that an expression has in a span.
fn values(plan: &Plan, whole: &mut WholeTrace<'_, '_>, span: u32, of: &FieldExpr) -> Vec<OwnedValue> {
    let mut inner = |of: &FieldExpr| values(plan, whole, span, of);
    let truth = |holds: bool| vec![OwnedValue::Bool(holds)];
    match of {
        FieldExpr::Literal(literal) => vec![OwnedValue::of_literal(literal)],
        FieldExpr::Field(field) => {
            let at = plan.fields.iter().position(|known| known == field).expect("a field");
            let mut seen = Vec::new();
            whole.see(span, FieldId(at as u16), &mut |value| seen.push(value.into())).expect("values");
            seen
        }
        FieldExpr::Not(of) => truth(inner(of).contains(&OwnedValue::Bool(false))),
        FieldExpr::Negate(of) => vec![negate(inner(of)[0].as_value()).into()],
        FieldExpr::Binary { op, left, right } => {
            let (lefts, rights) = (inner(left), inner(right));
            let is_true = |values: &[OwnedValue]| values.contains(&OwnedValue::Bool(true));
            let nil = FieldExpr::Literal(Literal::Nil);
            match op {
                BinaryOp::And => truth(is_true(&lefts) && is_true(&rights)),
                BinaryOp::Or => truth(is_true(&lefts) || is_true(&rights)),
                BinaryOp::Equal if **right == nil => truth(lefts.contains(&OwnedValue::Nil)),
                BinaryOp::NotEqual if **right == nil => {
                    truth(lefts.iter().any(|value| *value != OwnedValue::Nil))
                }
                BinaryOp::Regex | BinaryOp::NotRegex => {
                    let OwnedValue::Text(pattern) = &rights[0] else { panic!("a pattern") };
                    let pattern = std::str::from_utf8(pattern).expect("text");
                    truth(lefts.iter().any(|value| matches(value, pattern, *op == BinaryOp::Regex)))
                }
                op => match (CompareOp::of(*op), ArithmeticOp::of(*op)) {
                    (Some(op), _) => truth(lefts.iter().any(|left| {
                        rights.iter().any(|right| compare(op, left.as_value(), right.as_value()))
                    })),
                    (_, Some(op)) => vec![reckon(op, lefts[0].as_value(), rights[0].as_value()).into()],
                    _ => panic!("an operator"),
                },
            }
        }
    }
}

fn matches(value: &OwnedValue, pattern: &str, wanted: bool) -> bool {
    let regex = regex::bytes::Regex::new(&format!("^(?:{pattern})$")).expect("a pattern");
    match value.as_value() {
        Value::Text(text) => regex.is_match(text) == wanted,
        Value::Array(body) => {
            let any = spanloom_traceql::value::elements(body)
                .any(|element| matches!(element, Value::Text(text) if regex.is_match(text)));
            any == wanted
        }
        _ => false,
    }
}

fn condition(query: &Query) -> &FieldExpr {
    let Body::Search(pipeline) = &query.body else { panic!("a search") };
    let Stage::Set(Set::Filter(Some(filter))) = &pipeline.stages[0] else { panic!("a filter") };
    filter
}

/// Cuts lines into parts at some places.
fn cut(lines: &[String], at: &[usize]) -> Vec<Trace> {
    let mut cuts: Vec<usize> = at.iter().map(|at| at % (lines.len() + 1)).collect();
    cuts.extend([0, lines.len()]);
    cuts.sort_unstable();
    cuts.windows(2).map(|ends| trace(&lines[ends[0]..ends[1]].join("\n"))).collect()
}

const QUERIES: &[&str] = &[
    "{ } | by(.a) | count() > 1",
    "{ .a = 1 } >> { }",
    "{ } > { .a != nil }",
    "{ } !>> { .a = 1 || .b = 2 }",
    "{ .a = 1 } &~ { }",
    "{ } | select(rootName) | by(nestedSetLeft)",
    "{ } | by(nestedSetParent) | max(duration) > 1",
    "{ span:childCount > 0 } | avg(duration) > 0 | by(name)",
    "{ parent.a = .a } || { .a = \"x\" } && { rootName = \"n1\" }",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_compiled_filter_means_what_is_written(lines in lines(), filter in filter()) {
        let query = parse(&format!("{{ {filter} }}")).expect("a query");
        let plan = Plan::new(&query).expect("a plan");
        over(&plan, &[trace(&lines.join("\n"))], |whole| {
            for span in 0..whole.len() {
                let expected = values(&plan, whole, span, condition(&query)).contains(&OwnedValue::Bool(true));
                let expr = &plan.filters[0].expr;
                let holds = expr.eval(&mut |field, see| whole.see(span, field, see)).expect("values");
                prop_assert_eq!(holds, expected, "{} as {:?}", filter, expr);
            }
            Ok(())
        })?;
    }

    #[test]
    fn what_is_left_of_a_filter_means_the_same(lines in lines(), filter in filter(), known in any::<u64>()) {
        let plan = plan(&format!("{{ {filter} }}"));
        over(&plan, &[trace(&lines.join("\n"))], |whole| {
            for span in 0..whole.len() {
                let expr = &plan.filters[0].expr;
                let holds = expr.eval(&mut |field, see| whole.see(span, field, see)).expect("values");
                let mut at = 0;
                let left = expr.fold(&mut |test| {
                    at += 1;
                    let outcome = || test.eval(&mut |field, see| whole.see(span, field, see)).expect("values");
                    (known >> (at % 64) & 1 == 1).then(outcome)
                });
                let after = left.eval(&mut |field, see| whole.see(span, field, see)).expect("values");
                prop_assert_eq!(after, holds, "{} left {:?}", filter, left);
            }
            Ok(())
        })?;
    }

    #[test]
    fn a_trace_is_the_same_in_any_parts(
        lines in lines(),
        at in vec(any::<usize>(), 0..4),
        filter in filter(),
        query in select(QUERIES),
    ) {
        let whole = [trace(&lines.join("\n"))];
        let parts = cut(&lines, &at);
        for query in [query.to_owned(), format!("{{ {filter} }}")] {
            prop_assert_eq!(found(&query, &parts), found(&query, &whole), "{}", query);
        }
    }

    #[test]
    fn the_order_of_parts_does_not_matter_without_duplicates(
        lines in lines(),
        order in Just((0..9usize).collect::<Vec<_>>()).prop_shuffle(),
        query in select(QUERIES),
    ) {
        let mut seen = std::collections::HashSet::new();
        let fresh: Vec<String> = lines.into_iter().enumerate()
            .map(|(at, line)| line.replacen(line.split(' ').next().unwrap_or(""), &format!("{:x}", at + 1), 1))
            .filter(|line| seen.insert(line.clone()))
            .collect();
        let whole = [trace(&fresh.join("\n"))];
        let parts: Vec<Trace> = order.iter().filter_map(|at| fresh.get(*at)).map(|line| trace(line)).collect();
        prop_assert_eq!(found(query, &parts), found(query, &whole));
    }

    #[test]
    fn what_sources_found_is_what_is_judged(
        lines in lines(),
        at in vec(any::<usize>(), 0..3),
        filters in (filter(), filter()),
        known in any::<u8>(),
    ) {
        let query = format!("({{ {} }} >> {{ {} }}) || {{ {} }} | count() > 0", filters.0, filters.1, filters.0);
        let plan = plan(&query);
        let parts = cut(&lines, &at);
        let direct = over(&plan, &parts, |whole| {
            judge(plan.pipeline().expect("a search"), whole, &mut |_, _, _| Ok(false)).expect("judged")
        });
        let by_source = over(&plan, &parts, |whole| {
            // Each source judges its own spans, as they are numbered there.
            let mut tables = Vec::new();
            for (at, part) in parts.iter().enumerate() {
                let mut source = spanloom_traceql::eval::ModelFragment::new(&plan, part);
                let count = spanloom_traceql::eval::Fragment::len(&source);
                let of_filter = |filter: &spanloom_traceql::plan::Filter| -> Vec<u32> {
                    let mut holds = |span: &u32| {
                        use spanloom_traceql::eval::Fragment;
                        filter.expr.eval(&mut |field, see| source.see(*span, field, see)).expect("values")
                    };
                    (0..count).rev().filter(&mut holds).collect()
                };
                let table: Vec<Vec<u32>> = plan.filters.iter().map(of_filter).collect();
                tables.push((known >> (at % 8) & 1 == 1).then_some(table));
            }
            let mut matched = |fragment: usize, filter: spanloom_traceql::plan::FilterId, see: &mut dyn FnMut(u32)| {
                let Some(table) = &tables[fragment] else { return Ok(false) };
                table[usize::from(filter.0)].iter().for_each(|span| see(*span));
                Ok(true)
            };
            judge(plan.pipeline().expect("a search"), whole, &mut matched).expect("judged")
        });
        prop_assert_eq!(by_source, direct, "{}", query);
    }

    #[test]
    fn structure_is_what_parents_say(
        lines in lines(),
        relation in select(vec![">", ">>", "<", "<<", "~"]),
        answer in select(vec!["", "!", "&"]),
        filters in (select(vec![".a = 1", ".a != nil", "kind = server", "true"]), select(vec![".b = nil", "duration > 1", "true"])),
    ) {
        let query = format!("{{ {} }} {answer}{relation} {{ {} }}", filters.0, filters.1);
        let plan = plan(&query);
        over(&plan, &[trace(&lines.join("\n"))], |whole| {
            let count = whole.len();
            let mut side = |filter: usize| -> Vec<bool> {
                let expr = &plan.filters[filter.min(plan.filters.len() - 1)].expr;
                (0..count)
                    .map(|span| expr.eval(&mut |field, see| whole.see(span, field, see)).expect("values"))
                    .collect()
            };
            let (left, right) = (side(0), side(1));
            let parents: Vec<Option<u32>> = (0..count).map(|span| whole.tree().parent(span)).collect();
            let is_child = |child: u32, of: u32| parents[child as usize] == Some(of);
            let is_below = |span: u32, of: u32| {
                let mut at = span;
                let mut steps = 0;
                while let Some(parent) = parents[at as usize] {
                    if parent == of {
                        return true;
                    }
                    at = parent;
                    steps += 1;
                    assert!(steps <= count, "a circle is left");
                }
                false
            };
            let stands = |a: u32, b: u32| match relation {
                ">" => is_child(b, a),
                ">>" => is_below(b, a),
                "<" => is_child(a, b),
                "<<" => is_below(a, b),
                _ => a != b && parents[a as usize].is_some() && parents[a as usize] == parents[b as usize],
            };
            let any = |of: &[bool], holds: &dyn Fn(u32) -> bool| (0..count).any(|at| of[at as usize] && holds(at));
            let expected: Vec<u32> = (0..count)
                .filter(|span| {
                    let matched = right[*span as usize] && any(&left, &|a| stands(a, *span));
                    match answer {
                        "" => matched,
                        "!" => right[*span as usize] && !matched,
                        _ => matched || left[*span as usize] && any(&right, &|b| stands(*span, b)),
                    }
                })
                .collect();
            let judged = judge(plan.pipeline().expect("a search"), whole, &mut |_, _, _| Ok(false)).expect("judged");
            let spans: Vec<u32> = judged.into_iter().flat_map(|spanset| spanset.spans).collect();
            prop_assert_eq!(spans, expected, "{}", query);
            Ok(())
        })?;
    }

    #[test]
    fn counting_may_be_split_in_any_way(
        traces in vec(lines(), 1..8),
        workers in vec(0..3usize, 8),
        order in Just(vec![0usize, 1, 2]).prop_shuffle(),
        max_series in 1..6usize,
        travels in vec(any::<bool>(), 3),
        (damage_at, damage) in any::<(usize, u8)>(),
        function in select(vec![
            "rate()", "count_over_time() by(.a)", "min_over_time(.a) by(name)", "max_over_time(.b) by(.a)",
            "sum_over_time(.a)", "avg_over_time(.b) by(kind)", "avg_over_time(duration) by(.a, .b)",
            "histogram_over_time(duration) by(name)", "quantile_over_time(duration, 0.5, 0.99)",
            "compare({ .a = 1 }, 2)",
        ]),
    ) {
        let plan = plan(&format!("{{ }} | {function}"));
        let metrics = plan.metrics().expect("series");
        let leaf = &metrics.leaves[0];
        let steps = Steps::range(1, 4, 1).expect("steps");
        let limits = Limits { max_series, exemplars: 2, ..Limits::default() };
        let new = || Accumulator::new(leaf, steps, &limits);
        let count = |into: &mut Accumulator, at: usize, lines: &[String]| {
            let fragments = [trace(&lines.join("\n"))];
            let mut fragments: Vec<_> =
                fragments.iter().map(|part| spanloom_traceql::eval::ModelFragment::new(&plan, part)).collect();
            let mut fragments: Vec<&mut dyn spanloom_traceql::eval::Fragment> =
                fragments.iter_mut().map(|part| part as &mut dyn spanloom_traceql::eval::Fragment).collect();
            let mut scratch = spanloom_traceql::eval::Scratch::default();
            let id = TraceId([at as u8 + 1; 16]);
            let mut whole = WholeTrace::join(id, &plan, &mut fragments, &mut scratch).expect("a trace");
            count_trace(leaf, &mut whole, &mut |_, _, _| Ok(false), into).expect("counted");
        };
        let mut one = new();
        let mut parts = [Some(new()), Some(new()), Some(new())];
        for (at, lines) in traces.iter().enumerate() {
            count(&mut one, at, lines);
            if let Some(part) = &mut parts[workers[at]] {
                count(part, at, lines);
            }
        }
        // Some come from another node.
        let take = |bytes: &[u8]| {
            let mut from = Unpacker::new(bytes);
            let taken = Accumulator::take(leaf, steps, &limits, &mut from)?;
            from.end().map(|()| taken)
        };
        for part in parts.iter_mut().zip(travels).filter_map(|(part, travels)| travels.then_some(part)) {
            let mut bytes = Vec::new();
            part.as_ref().expect("not merged yet").put(&mut bytes);
            for len in 0..bytes.len() {
                prop_assert!(take(&bytes[..len]).is_err(), "cut after {} bytes", len);
            }
            *part = Some(take(&bytes).expect("what was written is read"));
            let mut again = Vec::new();
            part.as_ref().expect("just read").put(&mut again);
            prop_assert_eq!(&again, &bytes);
            // Whatever is read instead can be merged and finished.
            let at = damage_at % bytes.len();
            bytes[at] = damage;
            if let Ok(damaged) = take(&bytes) {
                let mut into = new();
                into.merge(damaged);
                let _ = finish(metrics, &[into]);
            }
        }
        let mut merged = new();
        order.iter().filter_map(|at| parts[*at].take()).for_each(|part| merged.merge(part));
        let (one, merged) = (finish(metrics, &[one]), finish(metrics, &[merged]));
        prop_assert_eq!(format!("{merged:?}"), format!("{one:?}"));
    }
}
