//! Naive search: `docs/TRACEQL.md`, "Pipelines" and "Searching".

use std::collections::BTreeMap;

use spanloom_query::Cursor;
use spanloom_traceql::answer::{FoundSpan, FoundSpanset, FoundTrace, ServiceStats};

use crate::field::{Value, arithmetic, compare, constant, first_value, holds, service, value};
use crate::model::{ERROR, Trace};
use crate::query::{
    Aggregate, Expr, Field, Intrinsic, Relation, Scalar, SetOp, Spans, Spelling, Stage, pipeline_text,
};
use crate::sum::exact_sum;

/// Spans by index, ascending, which is the order of spans; never empty once it is the result of a stage.
#[derive(Debug, Clone, PartialEq)]
pub struct Spanset {
    pub spans: Vec<usize>,
    pub attributes: Vec<(String, Value)>,
}

/// What a pipeline leaves of a trace.
pub fn run(trace: &Trace, stages: &[Stage]) -> Vec<Spanset> {
    let all = Spanset { spans: (0..trace.spans.len()).collect(), attributes: Vec::new() };
    run_from(trace, stages, all)
}

fn run_from(trace: &Trace, stages: &[Stage], first: Spanset) -> Vec<Spanset> {
    let mut spansets = vec![first];
    for stage in stages {
        spansets = match stage {
            Stage::Coalesce => vec![Spanset { spans: joined(&spansets), attributes: Vec::new() }],
            _ => spansets.into_iter().flat_map(|spanset| apply(trace, stage, spanset)).collect(),
        };
        spansets.retain(|spanset| !spanset.spans.is_empty());
    }
    spansets
}

/// The spans of several spansets, each once, in the order of spans.
pub fn joined(spansets: &[Spanset]) -> Vec<usize> {
    let mut spans: Vec<usize> = spansets.iter().flat_map(|spanset| spanset.spans.clone()).collect();
    spans.sort_unstable();
    spans.dedup();
    spans
}

fn apply(trace: &Trace, stage: &Stage, spanset: Spanset) -> Vec<Spanset> {
    match stage {
        Stage::Coalesce | Stage::Select(_) => vec![spanset],
        Stage::Spans(Spans::Pipeline(stages)) => {
            let inner = run_from(trace, stages, spanset);
            match inner.len() {
                0 | 1 => inner,
                _ => vec![Spanset { spans: joined(&inner), attributes: Vec::new() }],
            }
        }
        Stage::Spans(spans) => {
            vec![Spanset { spans: operand(trace, spans, &spanset), attributes: spanset.attributes }]
        }
        Stage::By(expr) => by(trace, expr, &spanset),
        Stage::Compare(op, left, right) => {
            let mut out = spanset.clone();
            let left = scalar(trace, left, &spanset, &mut out.attributes);
            let right = scalar(trace, right, &spanset, &mut out.attributes);
            if compare(*op, &left, &right) { vec![out] } else { Vec::new() }
        }
    }
}

fn by(trace: &Trace, expr: &Expr, spanset: &Spanset) -> Vec<Spanset> {
    let mut out: Vec<(String, Spanset)> = Vec::new();
    for &span in &spanset.spans {
        let value = value(trace, &trace.spans[span], expr);
        match out.iter_mut().find(|(group, _)| *group == value.group()) {
            Some((_, group)) => group.spans.push(span),
            None => {
                let mut attributes = spanset.attributes.clone();
                let group = value.group();
                set(&mut attributes, format!("by({})", expr.text(Spelling::Canonical)), value);
                out.push((group, Spanset { spans: vec![span], attributes }));
            }
        }
    }
    out.into_iter().map(|(_, spanset)| spanset).collect()
}

/// An attribute that is there already keeps its place.
fn set(attributes: &mut Vec<(String, Value)>, name: String, value: Value) {
    match attributes.iter_mut().find(|(known, _)| *known == name) {
        Some((_, old)) => *old = value,
        None => attributes.push((name, value)),
    }
}

/// What an operand of a set operator leaves of a spanset's spans.
fn operand(trace: &Trace, spans: &Spans, spanset: &Spanset) -> Vec<usize> {
    match spans {
        Spans::Filter(None) => spanset.spans.clone(),
        Spans::Filter(Some(condition)) => {
            let holds = |span: &&usize| holds(trace, &trace.spans[**span], condition);
            spanset.spans.iter().filter(holds).copied().collect()
        }
        Spans::Pipeline(stages) => joined(&run_from(trace, stages, spanset.clone())),
        Spans::Set(op, left, right) => {
            let (left, right) = (operand(trace, left, spanset), operand(trace, right, spanset));
            let keep = |span: &usize| in_set(trace, *op, &left, &right, *span);
            spanset.spans.iter().copied().filter(keep).collect()
        }
    }
}

fn in_set(trace: &Trace, op: SetOp, left: &[usize], right: &[usize], span: usize) -> bool {
    let of_left = |relation, b| left.iter().any(|a| stands(trace, relation, *a, b));
    let in_right = right.contains(&span);
    match op {
        SetOp::And => {
            !left.is_empty() && !right.is_empty() && (left.contains(&span) || right.contains(&span))
        }
        SetOp::Or => left.contains(&span) || in_right,
        SetOp::Related(relation) => in_right && of_left(relation, span),
        SetOp::Unrelated(relation) => in_right && !of_left(relation, span),
        SetOp::Both(relation) => {
            let to_right = || right.iter().any(|b| stands(trace, relation, span, *b));
            in_right && of_left(relation, span) || left.contains(&span) && to_right()
        }
    }
}

/// Whether `a > b` and its kin hold for two spans.
fn stands(trace: &Trace, relation: Relation, a: usize, b: usize) -> bool {
    let parent = |span: usize| trace.spans[span].parent;
    match relation {
        Relation::Child => parent(b) == Some(a),
        Relation::Descendant => trace.is_ancestor(a, b),
        Relation::Parent => parent(a) == Some(b),
        Relation::Ancestor => trace.is_ancestor(b, a),
        Relation::Sibling => a != b && parent(a).is_some() && parent(a) == parent(b),
    }
}

fn scalar(trace: &Trace, expr: &Scalar, spanset: &Spanset, shown: &mut Vec<(String, Value)>) -> Value {
    let value = match expr {
        Scalar::Literal(number) => return constant(number),
        Scalar::Pipeline(stages, inner) => {
            let spans =
                joined(&run_from(trace, stages, Spanset { attributes: Vec::new(), ..spanset.clone() }));
            let (left, mut of_inner) = (Spanset { spans, attributes: Vec::new() }, Vec::new());
            let value = scalar(trace, inner, &left, &mut of_inner);
            for (name, value) in of_inner {
                let name = format!("({} | {name})", pipeline_text(stages, Spelling::Canonical));
                set(shown, name, value);
            }
            return value;
        }
        Scalar::Arithmetic(op, left, right) => {
            let left = scalar(trace, left, spanset, shown);
            let right = scalar(trace, right, spanset, shown);
            return arithmetic(*op, &left, &right);
        }
        Scalar::Count => Value::Int(spanset.spans.len() as i64),
        Scalar::Of(aggregate, expr) => {
            let values = spanset.spans.iter().map(|span| value(trace, &trace.spans[*span], expr));
            aggregated(*aggregate, &values.filter(|v| v.number().is_some()).collect::<Vec<_>>())
        }
    };
    set(shown, expr.text(Spelling::Canonical), value.clone());
    value
}

/// `values` are numbers.
fn aggregated(aggregate: Aggregate, values: &[Value]) -> Value {
    use crate::query::Op::{Greater, Less};
    let Some(first) = values.first() else {
        return Value::Nil;
    };
    // NaN is the least and the most only of nothing else.
    let is_nan = |value: &Value| value.number().is_some_and(f64::is_nan);
    let better = |op, v: &Value, best: &Value| compare(op, v, best) || is_nan(best) && !is_nan(v);
    let best = |op| values.iter().fold(first, |best, v| if better(op, v, best) { v } else { best });
    let whole = |of: fn(&Value) -> Option<i64>| values.iter().map(of).collect::<Option<Vec<i64>>>();
    let ints = whole(|v| if let Value::Int(v) = v { Some(*v) } else { None });
    let durations = whole(|v| if let Value::Duration(v) = v { Some(*v) } else { None });
    match (aggregate, ints, durations) {
        (Aggregate::Min, ..) => best(Less).clone(),
        (Aggregate::Max, ..) => best(Greater).clone(),
        (Aggregate::Sum, Some(ints), _) => Value::Int(ints.into_iter().fold(0, i64::wrapping_add)),
        (Aggregate::Sum, _, Some(all)) => Value::Duration(all.into_iter().sum()),
        (Aggregate::Sum, ..) => Value::Float(exact_sum(values)),
        (Aggregate::Avg, _, Some(all)) => Value::Duration(all.iter().sum::<i64>() / all.len() as i64),
        (Aggregate::Avg, ..) => Value::Float(exact_sum(values) / values.len() as f64),
    }
}

/// The fields that a query mentions, each once, in the order of their first mention.
pub fn mentioned(stages: &[Stage]) -> Vec<Field> {
    let mut out = Vec::new();
    stages.iter().for_each(|stage| in_stage(stage, &mut out));
    let mut fields: Vec<Field> = Vec::new();
    for field in out {
        if !fields.contains(&field) {
            fields.push(field);
        }
    }
    fields
}

fn in_stage(stage: &Stage, out: &mut Vec<Field>) {
    match stage {
        Stage::Spans(spans) => in_spans(spans, out),
        Stage::By(expr) => in_expr(expr, out),
        Stage::Coalesce => {}
        Stage::Select(fields) => out.extend(fields.clone()),
        Stage::Compare(_, left, right) => {
            in_scalar(left, out);
            in_scalar(right, out);
        }
    }
}

fn in_spans(spans: &Spans, out: &mut Vec<Field>) {
    match spans {
        Spans::Filter(condition) => condition.iter().for_each(|condition| in_expr(condition, out)),
        Spans::Pipeline(stages) => stages.iter().for_each(|stage| in_stage(stage, out)),
        Spans::Set(_, left, right) => {
            in_spans(left, out);
            in_spans(right, out);
        }
    }
}

fn in_scalar(scalar: &Scalar, out: &mut Vec<Field>) {
    match scalar {
        Scalar::Literal(_) | Scalar::Count => {}
        Scalar::Of(_, expr) => in_expr(expr, out),
        Scalar::Pipeline(stages, scalar) => {
            stages.iter().for_each(|stage| in_stage(stage, out));
            in_scalar(scalar, out);
        }
        Scalar::Arithmetic(_, left, right) => {
            in_scalar(left, out);
            in_scalar(right, out);
        }
    }
}

fn in_expr(expr: &Expr, out: &mut Vec<Field>) {
    match expr {
        Expr::Literal(_) => {}
        Expr::Field(field) => out.push(field.clone()),
        Expr::Not(operand) | Expr::Negate(operand) => in_expr(operand, out),
        Expr::Match { left, .. } => in_expr(left, out),
        Expr::Binary(_, left, right) => {
            in_expr(left, out);
            in_expr(right, out);
        }
    }
}

/// Every trace that a query finds, in the order of an answer.
pub fn search(
    traces: &[Trace],
    stages: &[Stage],
    start: Option<u64>,
    end: Option<u64>,
    spans_per_spanset: usize,
) -> Vec<FoundTrace> {
    let fields = mentioned(stages);
    let mut found: Vec<FoundTrace> = Vec::new();
    for trace in traces {
        let overlaps = |span: &crate::model::Span| {
            end.is_none_or(|end| span.start() <= end) && start.is_none_or(|start| span.end() >= start)
        };
        let spansets = run(trace, stages);
        if trace.spans.iter().any(overlaps) && !spansets.is_empty() {
            let spansets = spansets.iter().map(|set| shown_set(trace, set, &fields, spans_per_spanset));
            found.push(FoundTrace { spansets: spansets.collect(), ..summary(trace) });
        }
    }
    found.sort_by_key(|trace| (std::cmp::Reverse(trace.start), trace.id));
    found
}

/// Whether a trace follows after a place in the order of an answer.
pub fn is_behind(found: &FoundTrace, after: &Cursor) -> bool {
    found.start < after.start || found.start == after.start && found.id > after.id
}

fn summary(trace: &Trace) -> FoundTrace {
    let mut services: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for span in &trace.spans {
        let (spans, errors) = services.entry(service(&span.resource.attributes)).or_default();
        *spans += 1;
        *errors += u64::from(span.own.status.code == ERROR);
    }
    let stats = |(service, (spans, errors))| ServiceStats { service, spans, errors };
    FoundTrace {
        id: trace.id,
        root_service: trace.root().map(|root| service(&root.resource.attributes)),
        root_name: trace.root().map(|root| root.own.name.clone()),
        start: trace.start(),
        duration: trace.duration(),
        services: services.into_iter().map(stats).collect(),
        spansets: Vec::new(),
    }
}

fn shown_set(trace: &Trace, set: &Spanset, fields: &[Field], most: usize) -> FoundSpanset {
    let attributes = set.attributes.iter().map(|(name, value)| (name.clone(), value.shown()));
    FoundSpanset {
        attributes: attributes.collect(),
        spans: set.spans.iter().take(most).map(|span| shown_span(trace, *span, fields)).collect(),
        matched: set.spans.len() as u64,
    }
}

fn shown_span(trace: &Trace, span: usize, fields: &[Field]) -> FoundSpan {
    let span = &trace.spans[span];
    let mut attributes = Vec::new();
    for field in fields {
        let key = match field {
            // The page leaves open what a parent shows; its id says most.
            Field::Parent => field.text(Spelling::Canonical),
            Field::Attribute { key, .. } => key.clone(),
            Field::Intrinsic(intrinsic) if stands_elsewhere(*intrinsic) => continue,
            Field::Intrinsic(intrinsic) => intrinsic.text(Spelling::Canonical).to_owned(),
        };
        match first_value(trace, span, field) {
            Value::Nil => {}
            value => attributes.push((key, value.shown())),
        }
    }
    FoundSpan {
        id: span.own.span_id,
        name: span.own.name.clone(),
        start: span.start(),
        duration: span.duration(),
        attributes,
    }
}

fn stands_elsewhere(intrinsic: Intrinsic) -> bool {
    use Intrinsic::{Duration, Name, RootName, RootServiceName, SpanId, TraceDuration, TraceId};
    matches!(intrinsic, Name | Duration | SpanId | TraceDuration | RootName | RootServiceName | TraceId)
}
