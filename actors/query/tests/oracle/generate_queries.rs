//! Random questions that the language takes, over every construct of the page, leaning towards those that find.

use std::collections::BTreeSet;

use spanloom_query::Cursor;
use spanloom_span::TraceId;
use spanloom_span::model::Span;

use crate::dice::Dice;
use crate::generate_traces::{
    BEGIN, EVENT_NAMES, FLOATS, INTS, KEYS, MESSAGES, NAMES, SERVICES, STRINGS, Store, TICK, TICKS, VERSIONS,
};
use crate::query::{
    Aggregate, Expr, Field, Function, Intrinsic, Literal, Metrics, Op, Pattern, Relation, Scalar, Scope,
    Second, SetOp, Spans, Stage,
};
use crate::question::Times;
use crate::series::Range;

/// What a field may be compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    Any,
    Text,
    Number,
    Status,
    Kind,
}

const PATTERNS: [Pattern; 10] = [
    Pattern { text: "", matches: str::is_empty },
    Pattern { text: ".*", matches: |_| true },
    Pattern { text: "ca.*", matches: |t| t.starts_with("ca") },
    Pattern { text: ".*t", matches: |t| t.ends_with('t') },
    Pattern { text: ".*r.+", matches: |t| t.find('r').is_some_and(|at| at + 1 < t.len()) },
    Pattern { text: "cart|b|GET /", matches: |t| ["cart", "b", "GET /"].contains(&t) },
    Pattern { text: "[ab]+", matches: |t| !t.is_empty() && t.chars().all(|c| c == 'a' || c == 'b') },
    Pattern { text: "(?i)eRRor", matches: |t| t.eq_ignore_ascii_case("error") },
    Pattern { text: "^car$", matches: |t| t == "car" },
    Pattern { text: "\\w+ \\w+", matches: |t| t.split(' ').count() == 2 && t.is_ascii() && t != "GET /" },
];

const COMPARISONS: [Op; 6] =
    [Op::Equal, Op::NotEqual, Op::Less, Op::LessEqual, Op::Greater, Op::GreaterEqual];
const RELATIONS: [Relation; 5] =
    [Relation::Child, Relation::Descendant, Relation::Parent, Relation::Ancestor, Relation::Sibling];

fn attribute(dice: &mut Dice) -> (Field, Type) {
    let of_parent = dice.percent(8);
    let scopes =
        [Scope::Any, Scope::Span, Scope::Resource, Scope::Event, Scope::Link, Scope::Instrumentation];
    let scope = match of_parent {
        true => scopes[dice.below(3)],
        false => scopes[dice.weighted(&[25, 40, 20, 7, 4, 4])],
    };
    if matches!(scope, Scope::Any | Scope::Resource) && dice.percent(35) {
        return (Field::Attribute { of_parent, scope, key: "service.name".to_owned() }, Type::Text);
    }
    let key = match dice.percent(97) {
        true => *dice.one(&KEYS),
        false => "nowhere",
    };
    (Field::Attribute { of_parent, scope, key: key.to_owned() }, Type::Any)
}

fn key_of(dice: &mut Dice, keys: &[&str]) -> Field {
    let (mut field, _) = attribute(dice);
    if let Field::Attribute { key, .. } = &mut field {
        *key = (*dice.one(keys)).to_owned();
    }
    field
}

fn intrinsic(dice: &mut Dice) -> (Field, Type) {
    use Intrinsic::*;
    let all = [
        (Duration, Type::Number),
        (Duration, Type::Number),
        (Name, Type::Text),
        (Name, Type::Text),
        (Status, Type::Status),
        (Status, Type::Status),
        (StatusMessage, Type::Text),
        (Kind, Type::Kind),
        (Kind, Type::Kind),
        (RootName, Type::Text),
        (RootServiceName, Type::Text),
        (TraceDuration, Type::Number),
        (NestedSetLeft, Type::Number),
        (NestedSetRight, Type::Number),
        (NestedSetParent, Type::Number),
        (TraceId, Type::Text),
        (SpanId, Type::Text),
        (ParentId, Type::Text),
        (ChildCount, Type::Number),
        (EventName, Type::Text),
        (EventTime, Type::Number),
        (LinkTraceId, Type::Text),
        (LinkSpanId, Type::Text),
        (ScopeName, Type::Text),
        (ScopeVersion, Type::Text),
    ];
    let (intrinsic, of) = *dice.one(&all);
    (Field::Intrinsic(intrinsic), of)
}

fn field(dice: &mut Dice) -> (Field, Type) {
    if dice.percent(60) { attribute(dice) } else { intrinsic(dice) }
}

fn text_for(dice: &mut Dice, field: &Field) -> String {
    let hex = |number: usize, digits: usize| format!("{number:0digits$x}");
    let one = |dice: &mut Dice, of: &[&str]| (*dice.one(of)).to_owned();
    match field {
        Field::Intrinsic(Intrinsic::TraceId) => hex(dice.between(1, 40), 32),
        Field::Intrinsic(Intrinsic::SpanId | Intrinsic::ParentId) => hex(dice.between(1, 12), 16),
        Field::Intrinsic(Intrinsic::LinkTraceId) => hex(dice.between(1, 3), 32),
        Field::Intrinsic(Intrinsic::LinkSpanId) => hex(dice.between(1, 3), 16),
        Field::Intrinsic(Intrinsic::Name | Intrinsic::RootName) => one(dice, &NAMES),
        Field::Intrinsic(Intrinsic::StatusMessage) => one(dice, &MESSAGES),
        Field::Intrinsic(Intrinsic::EventName) => one(dice, &EVENT_NAMES),
        Field::Intrinsic(Intrinsic::ScopeName) => one(dice, &["", "lib.http", "lib.db"]),
        Field::Intrinsic(Intrinsic::ScopeVersion) => one(dice, &VERSIONS),
        Field::Intrinsic(Intrinsic::RootServiceName) => one(dice, &SERVICES),
        Field::Attribute { key, .. } if key == "service.name" => one(dice, &SERVICES),
        _ => one(dice, &STRINGS),
    }
}

fn number(dice: &mut Dice) -> Literal {
    match dice.weighted(&[60, 25, 15]) {
        0 => Literal::Int(*dice.one(&INTS)),
        1 => Literal::Float(*dice.one(&FLOATS)),
        _ => duration(dice),
    }
}

/// A number, not 0 where something is divided by it.
fn divisor(dice: &mut Dice, op: Op) -> Literal {
    match number(dice) {
        Literal::Int(0) | Literal::Duration(0) if matches!(op, Op::Divide | Op::Modulo) => Literal::Int(2),
        number => number,
    }
}

fn duration(dice: &mut Dice) -> Literal {
    let nanos = [-1, 0, 1, 2, 1_000, 1_000_000, 5_000_000, 500_000_000, 500_000_001, 1_500_000_000];
    Literal::Duration(*dice.one(&nanos))
}

fn number_for(dice: &mut Dice, field: &Field) -> Literal {
    match field {
        Field::Intrinsic(Intrinsic::Duration | Intrinsic::TraceDuration | Intrinsic::EventTime) => {
            if dice.percent(80) { duration(dice) } else { number(dice) }
        }
        Field::Intrinsic(_) => match dice.percent(80) {
            true => Literal::Int(dice.below(8) as i64 - 1),
            false => number(dice),
        },
        _ => number(dice),
    }
}

fn literal_for(dice: &mut Dice, field: &Field, of: Type) -> Literal {
    let key = if let Field::Attribute { key, .. } = field { key.as_str() } else { "" };
    match of {
        Type::Text => Literal::Str(text_for(dice, field)),
        Type::Number => number_for(dice, field),
        Type::Status => Literal::Status(dice.below(3) as i32),
        Type::Kind => Literal::Kind(dice.below(6) as i32),
        // Mostly what the key's values are; now and then something else.
        Type::Any => match (key, dice.percent(80)) {
            ("s" | "odd key", true) => Literal::Str(text_for(dice, field)),
            ("n" | "f", true) => number(dice),
            ("flag", true) => Literal::Bool(dice.percent(50)),
            ("big", true) => Literal::Int(*dice.one(&[i64::MIN, i64::MAX, 1 << 53, (1 << 53) + 1])),
            _ => match dice.below(6) {
                0 | 1 => Literal::Str(text_for(dice, field)),
                2 | 3 => number(dice),
                4 => Literal::Bool(dice.percent(50)),
                _ if dice.percent(50) => Literal::Status(dice.below(3) as i32),
                _ => Literal::Kind(dice.below(6) as i32),
            },
        },
    }
}

fn has_order(literal: &Literal) -> bool {
    matches!(literal, Literal::Str(_) | Literal::Int(_) | Literal::Float(_) | Literal::Duration(_))
}

fn boxed(left: Expr, right: Expr, op: Op) -> Expr {
    Expr::Binary(op, Box::new(left), Box::new(right))
}

fn either_way(dice: &mut Dice, left: Expr, right: Expr, op: Op) -> Expr {
    if dice.percent(85) { boxed(left, right, op) } else { boxed(right, left, op) }
}

fn comparison(dice: &mut Dice) -> Expr {
    let (field, of) = field(dice);
    let literal = literal_for(dice, &field, of);
    let op = match has_order(&literal) {
        true => COMPARISONS[dice.weighted(&[35, 20, 10, 10, 15, 10])],
        false => COMPARISONS[dice.below(2)],
    };
    either_way(dice, Expr::Field(field), Expr::Literal(literal), op)
}

fn matching(dice: &mut Dice) -> Expr {
    let (mut field, mut of) = field(dice);
    while !matches!(of, Type::Text | Type::Any) {
        (field, of) = self::field(dice);
    }
    Expr::Match {
        negated: dice.percent(40),
        left: Box::new(Expr::Field(field)),
        pattern: *dice.one(&PATTERNS),
    }
}

fn nil_test(dice: &mut Dice) -> Expr {
    let op = COMPARISONS[dice.below(2)];
    let field = match dice.percent(10) {
        true => Field::Parent,
        false => match attribute(dice).0 {
            // Every span has one, as the language sees it.
            Field::Attribute { of_parent: false, scope: Scope::Resource, key } if key == "service.name" => {
                Field::Attribute { of_parent: false, scope: Scope::Resource, key: "s".to_owned() }
            }
            field => field,
        },
    };
    either_way(dice, Expr::Field(field), Expr::Literal(Literal::Nil), op)
}

/// A number that reads the span.
fn measured(dice: &mut Dice) -> Field {
    use Intrinsic::{ChildCount, Duration, EventTime, NestedSetLeft, TraceDuration};
    match dice.weighted(&[40, 60]) {
        0 => Field::Intrinsic(*dice.one(&[
            Duration,
            Duration,
            Duration,
            TraceDuration,
            EventTime,
            ChildCount,
            NestedSetLeft,
        ])),
        _ => key_of(dice, &["n", "n", "n", "f", "f", "any", "s", "list"]),
    }
}

fn arithmetic(dice: &mut Dice, depth: usize) -> Expr {
    let ops = [Op::Add, Op::Subtract, Op::Multiply, Op::Divide, Op::Modulo, Op::Power];
    match dice.weighted(&[if depth > 0 { 50 } else { 0 }, 35, if depth > 0 { 15 } else { 0 }]) {
        0 => {
            let op = *dice.one(&ops);
            let left = arithmetic(dice, depth - 1);
            let right = match op {
                Op::Power => Expr::Literal(Literal::Int(*dice.one(&[-1, 0, 1, 2, 3, 70]))),
                _ if dice.percent(50) => arithmetic(dice, depth - 1),
                // Only an attribute may be divided by what is written as 0: of others the language knows better.
                _ if matches!(left, Expr::Field(Field::Attribute { .. })) => Expr::Literal(number(dice)),
                _ => Expr::Literal(divisor(dice, op)),
            };
            boxed(left, right, op)
        }
        1 => Expr::Field(measured(dice)),
        _ => Expr::Negate(Box::new(arithmetic(dice, depth - 1))),
    }
}

fn reckoned(dice: &mut Dice) -> Expr {
    let left = arithmetic(dice, 2);
    let right = if dice.percent(50) { arithmetic(dice, 1) } else { Expr::Literal(number(dice)) };
    let op = *dice.one(&COMPARISONS);
    either_way(dice, left, right, op)
}

fn fields_compared(dice: &mut Dice) -> Expr {
    let (left, of) = field(dice);
    let (mut right, mut other) = field(dice);
    while of != other && of != Type::Any && other != Type::Any {
        (right, other) = field(dice);
    }
    let plain = [of, other].iter().any(|of| matches!(of, Type::Status | Type::Kind));
    let op = if plain { COMPARISONS[dice.below(2)] } else { *dice.one(&COMPARISONS) };
    boxed(Expr::Field(left), Expr::Field(right), op)
}

fn condition(dice: &mut Dice, depth: usize) -> Expr {
    let deep = if depth > 0 { 1 } else { 0 };
    match dice.weighted(&[45, 9, 8, 5, 8, 8, 3, 25 * deep, 6 * deep, 3 * deep]) {
        0 => comparison(dice),
        1 => matching(dice),
        2 => nil_test(dice),
        3 => Expr::Field(key_of(dice, &["flag", "flag", "any", "list"])),
        4 => reckoned(dice),
        5 => fields_compared(dice),
        6 => Expr::Literal(Literal::Bool(dice.percent(70))),
        7 => {
            let op = *dice.one(&[Op::And, Op::Or]);
            let (left, right) = (condition(dice, depth - 1), condition(dice, depth - 1));
            boxed(left, right, op)
        }
        8 => Expr::Not(Box::new(condition(dice, depth - 1))),
        _ => {
            // What a condition gives is a bool like any other.
            let op = COMPARISONS[dice.below(2)];
            let right = match dice.percent(50) {
                true => Expr::Field(key_of(dice, &["flag"])),
                false => condition(dice, depth - 1),
            };
            boxed(condition(dice, depth - 1), right, op)
        }
    }
}

fn filter(dice: &mut Dice) -> Spans {
    if dice.percent(15) { Spans::Filter(None) } else { Spans::Filter(Some(condition(dice, 2))) }
}

fn spans(dice: &mut Dice, depth: usize) -> Spans {
    if depth == 0 || dice.percent(45) {
        return filter(dice);
    }
    if dice.percent(15) {
        return operand(dice, depth - 1);
    }
    let relation = *dice.one(&RELATIONS);
    let op = match dice.weighted(&[12, 12, 40, 18, 18]) {
        0 => SetOp::And,
        1 => SetOp::Or,
        2 => SetOp::Related(relation),
        3 => SetOp::Unrelated(relation),
        _ => SetOp::Both(relation),
    };
    let side = |dice: &mut Dice| match dice.percent(25) {
        true => operand(dice, depth - 1),
        false => spans(dice, depth - 1),
    };
    let (left, right) = (side(dice), side(dice));
    Spans::Set(op, Box::new(left), Box::new(right))
}

/// A pipeline between parentheses, of two stages at least: around fewer the parentheses say nothing.
fn operand(dice: &mut Dice, depth: usize) -> Spans {
    let mut stages = vec![Stage::Spans(unparenthesised(dice, depth))];
    for _ in 0..dice.between(1, 2) {
        stages.push(stage(dice, 0));
    }
    Spans::Pipeline(stages)
}

fn by_expr(dice: &mut Dice) -> Expr {
    match dice.weighted(&[70, 15, 15]) {
        0 => Expr::Field(field(dice).0),
        1 => arithmetic(dice, 1),
        _ => comparison(dice),
    }
}

fn scalar(dice: &mut Dice, depth: usize) -> Scalar {
    let deep = if depth > 0 { 1 } else { 0 };
    match dice.weighted(&[35, 45, 20 * deep, 15 * deep]) {
        0 => Scalar::Count,
        1 => {
            let aggregate = *dice.one(&[Aggregate::Min, Aggregate::Max, Aggregate::Sum, Aggregate::Avg]);
            let expr = if dice.percent(80) { Expr::Field(measured(dice)) } else { arithmetic(dice, 1) };
            Scalar::Of(aggregate, expr)
        }
        3 => {
            let mut stages = vec![Stage::Spans(unparenthesised(dice, depth - 1))];
            for _ in 0..dice.weighted(&[70, 25, 5]) {
                stages.push(stage(dice, 0));
            }
            Scalar::Pipeline(stages, Box::new(scalar(dice, depth - 1)))
        }
        _ => {
            let op = *dice.one(&[Op::Add, Op::Subtract, Op::Multiply, Op::Divide, Op::Modulo, Op::Power]);
            let left = scalar(dice, depth - 1);
            let right = match op {
                Op::Power => Scalar::Literal(Literal::Int(*dice.one(&[-1, 0, 1, 2, 3]))),
                _ if dice.percent(50) => scalar(dice, depth - 1),
                _ => Scalar::Literal(divisor(dice, op)),
            };
            Scalar::Arithmetic(op, Box::new(left), Box::new(right))
        }
    }
}

fn scalar_filter(dice: &mut Dice, depth: usize) -> Stage {
    let op = *dice.one(&COMPARISONS);
    let left = scalar(dice, depth + 1);
    let right = match dice.percent(75) {
        true if dice.percent(50) => Scalar::Literal(Literal::Int(dice.below(5) as i64)),
        true => Scalar::Literal(number(dice)),
        false => scalar(dice, depth),
    };
    match dice.percent(85) {
        true => Stage::Compare(op, left, right),
        false => Stage::Compare(op, right, left),
    }
}

fn stage(dice: &mut Dice, depth: usize) -> Stage {
    match dice.weighted(&[30, 18, 7, 20, 25]) {
        0 => Stage::Spans(unparenthesised(dice, depth)),
        1 => Stage::By(by_expr(dice)),
        2 => Stage::Coalesce,
        3 => Stage::Select((0..dice.between(1, 3)).map(|_| field(dice).0).collect()),
        _ => scalar_filter(dice, depth),
    }
}

/// Parentheses around a whole stage are left out: the canonical form drops them.
fn unparenthesised(dice: &mut Dice, depth: usize) -> Spans {
    loop {
        match spans(dice, depth) {
            Spans::Pipeline(_) => {}
            spans => return spans,
        }
    }
}

pub fn pipeline(dice: &mut Dice) -> Vec<Stage> {
    let first = match dice.percent(90) {
        true => Stage::Spans(unparenthesised(dice, 2)),
        false => loop {
            match stage(dice, 1) {
                Stage::Coalesce => {}
                stage => break stage,
            }
        },
    };
    let mut stages = vec![first];
    for _ in 0..dice.weighted(&[45, 30, 15, 10]) {
        stages.push(stage(dice, 1));
    }
    stages
}

fn labels(dice: &mut Dice) -> Vec<Field> {
    let mut out = Vec::new();
    for _ in 0..dice.weighted(&[30, 40, 20, 10]) {
        let field = field(dice).0;
        if !out.contains(&field) {
            out.push(field);
        }
    }
    out
}

fn function(dice: &mut Dice) -> Function {
    match dice.below(9) {
        0 => Function::Count,
        1 | 2 => Function::Rate,
        3 => Function::Min(measured(dice)),
        4 => Function::Max(measured(dice)),
        5 => Function::Avg(measured(dice)),
        6 => Function::Sum(measured(dice)),
        7 => Function::Histogram(measured(dice)),
        _ => {
            let mut quantiles: Vec<f64> = Vec::new();
            for _ in 0..dice.between(1, 3) {
                let quantile = *dice.one(&[0.0, 0.25, 0.5, 0.75, 0.9, 0.99, 1.0]);
                if !quantiles.contains(&quantile) {
                    quantiles.push(quantile);
                }
            }
            Function::Quantile(measured(dice), quantiles)
        }
    }
}

fn metrics_stages(dice: &mut Dice) -> Vec<Stage> {
    match dice.percent(50) {
        true => vec![Stage::Spans(filter(dice))],
        false => pipeline(dice),
    }
}

fn leaf(dice: &mut Dice) -> Metrics {
    Metrics::Leaf { stages: metrics_stages(dice), function: function(dice), by: labels(dice) }
}

fn compare(dice: &mut Dice) -> Metrics {
    let condition = if dice.percent(90) { Some(condition(dice, 1)) } else { None };
    let top = if dice.percent(60) { Some(dice.between(1, 6)) } else { None };
    let at = |dice: &mut Dice| BEGIN + dice.below(TICKS) as u64 * TICK;
    let (a, b) = (at(dice), at(dice));
    let between = (top.is_some() && a != b && dice.percent(30)).then_some((a.min(b), a.max(b)));
    let function = Function::Compare(condition, top, between);
    Metrics::Leaf { stages: metrics_stages(dice), function, by: Vec::new() }
}

fn keep(dice: &mut Dice) -> Second {
    Second::Keep(*dice.one(&COMPARISONS), number(dice))
}

fn second(dice: &mut Dice) -> Second {
    match dice.below(3) {
        0 => Second::Top(dice.between(1, 4)),
        1 => Second::Bottom(dice.between(1, 4)),
        _ => keep(dice),
    }
}

/// Series and series, or series and a number.
fn reckoned_series(dice: &mut Dice) -> Metrics {
    let op = *dice.one(&[Op::Add, Op::Subtract, Op::Multiply, Op::Divide, Op::Modulo, Op::Power]);
    let number = |dice: &mut Dice| match dice.percent(50) {
        true => Metrics::Number(Literal::Int(*dice.one(&INTS))),
        false => Metrics::Number(Literal::Float(*dice.one(&FLOATS))),
    };
    let left = leaf(dice);
    let (left, right) = match dice.weighted(&[20, 20, 25, 15, 10, 10]) {
        0 => (left, number(dice)),
        1 => (number(dice), left),
        // The same labels on both sides, so that they meet.
        2 => match &left {
            Metrics::Leaf { by, .. } => {
                let by = by.clone();
                let right = Metrics::Leaf { stages: metrics_stages(dice), function: Function::Rate, by };
                (left, right)
            }
            _ => (left, leaf(dice)),
        },
        3 => {
            let stages = metrics_stages(dice);
            let lone = Metrics::Leaf { stages, function: Function::Count, by: Vec::new() };
            if dice.percent(50) { (left, lone) } else { (lone, left) }
        }
        // Numbers among themselves, and series that were reckoned or chosen before.
        4 => {
            let op = *dice.one(&[Op::Add, Op::Subtract, Op::Multiply]);
            let numbers = Metrics::Arithmetic(op, Box::new(number(dice)), Box::new(number(dice)));
            if dice.percent(50) { (left, numbers) } else { (numbers, left) }
        }
        _ => {
            let inner = match dice.percent(50) {
                true => reckoned_series(dice),
                false => Metrics::Then(Box::new(leaf(dice)), second(dice)),
            };
            if dice.percent(50) { (left, inner) } else { (inner, left) }
        }
    };
    Metrics::Arithmetic(op, Box::new(left), Box::new(right))
}

pub fn metrics(dice: &mut Dice) -> Metrics {
    match dice.weighted(&[50, 25, 15, 10]) {
        0 => leaf(dice),
        1 => {
            let mut series = leaf(dice);
            for _ in 0..dice.between(1, 2) {
                series = Metrics::Then(Box::new(series), second(dice));
            }
            series
        }
        2 => match (reckoned_series(dice), dice.percent(40)) {
            (series, true) => Metrics::Then(Box::new(series), second(dice)),
            (series, false) => series,
        },
        _ => compare(dice),
    }
}

/// What a question may be about.
pub struct Scene {
    pub tenants: usize,
    /// Starts and ends of spans, each once; never empty.
    marks: Vec<u64>,
    /// Starts and ids of traces, as one of their spans has them; never empty.
    pub traces: Vec<(u64, TraceId)>,
}

impl Scene {
    pub fn of(store: &Store) -> Self {
        let spans = || store.requests.iter().flat_map(|request| request.spans.spans());
        let ends = |span: &Span| [span.start_time_unix_nano, span.end_time_unix_nano];
        let marks: BTreeSet<u64> = spans().flat_map(ends).collect();
        let traces = spans().map(|span| (span.start_time_unix_nano, span.trace_id)).collect();
        Self { tenants: store.tenants, marks: marks.into_iter().collect(), traces }
    }
}

/// A time asked for, somewhere in the store or a little around it, often where a span starts or ends.
fn moment(dice: &mut Dice, scene: &Scene) -> u64 {
    let mark = match dice.percent(50) {
        true => *dice.one(&scene.marks),
        false => BEGIN + dice.below(TICKS + 10) as u64 * TICK,
    };
    match dice.below(5) {
        0 | 1 => mark,
        2 => mark + 1,
        3 => mark - 1,
        _ => mark + dice.below(TICK as usize) as u64,
    }
}

pub fn times(dice: &mut Dice, scene: &Scene) -> Times {
    let (a, b) = (moment(dice, scene), moment(dice, scene));
    let future = BEGIN + 1_000_000 * TICK;
    match dice.weighted(&[45, 13, 13, 18, 5, 2, 2, 2]) {
        0 => (None, None),
        1 => (Some(a), None),
        2 => (None, Some(a)),
        3 => (Some(a.min(b)), Some(a.max(b))),
        // A nanosecond, or two.
        4 => (Some(a), Some(a + dice.below(2) as u64)),
        5 => (Some(future), dice.percent(50).then_some(future + 1)),
        6 => (Some(a), Some(future)),
        _ => (Some(0), Some(u64::MAX)),
    }
}

/// Where a page begins: after a trace, or where none is.
pub fn cursor(dice: &mut Dice, scene: &Scene) -> Cursor {
    let (start, id) = *dice.one(&scene.traces);
    match dice.below(4) {
        0 => Cursor { start: moment(dice, scene), id },
        1 => Cursor { start, id: dice.one(&scene.traces).1 },
        _ => Cursor { start, id },
    }
}

pub fn range(dice: &mut Dice, scene: &Scene) -> Range {
    let (a, b) = (moment(dice, scene), moment(dice, scene));
    let (start, end) = match dice.weighted(&[55, 30, 4, 11]) {
        0 => (BEGIN - dice.below(5) as u64 * TICK, BEGIN + (TICKS + 8) as u64 * TICK),
        1 => (a.min(b), a.max(b) + 1),
        2 => (BEGIN + 1_000_000 * TICK, BEGIN + 1_000_100 * TICK),
        // A few nanoseconds around a moment.
        _ => {
            let start = a - dice.below(4) as u64;
            let step = dice.percent(70).then(|| dice.between(1, 4) as u64);
            return Range { start, end: start + dice.between(1, 6) as u64, step };
        }
    };
    let steps = [1, 7, 10, 30, 60, 300].map(|seconds| seconds * 1_000_000_000);
    let odd = [1_000_000_001, 2_500_000_000, 3_333_333_333];
    let step = match dice.weighted(&[25, 55, 20]) {
        0 => None,
        1 => Some(*dice.one(&steps)),
        _ => Some(*dice.one(&odd)),
    };
    Range { start, end, step }
}

/// A condition for lists of tags, about one span alone.
pub fn tag_condition(dice: &mut Dice) -> Option<Expr> {
    if dice.percent(50) {
        return None;
    }
    let scope = *dice.one(&[Scope::Any, Scope::Span, Scope::Resource]);
    let (field, of) = match dice.percent(60) {
        true => (Field::Attribute { of_parent: false, scope, key: (*dice.one(&KEYS)).to_owned() }, Type::Any),
        false => (Field::Intrinsic(*dice.one(&[Intrinsic::Name, Intrinsic::StatusMessage])), Type::Text),
    };
    let literal = literal_for(dice, &field, of);
    Some(boxed(Expr::Field(field), Expr::Literal(literal), COMPARISONS[dice.below(2)]))
}

/// A field whose values are listed: not a duration, of which there is no list.
pub fn tag_field(dice: &mut Dice) -> Field {
    use Intrinsic::{EventName, Kind, Name, RootName, RootServiceName, ScopeName, ScopeVersion};
    use Intrinsic::{Status, StatusMessage};
    let intrinsics =
        [EventName, Kind, Name, RootName, RootServiceName, ScopeName, ScopeVersion, Status, StatusMessage];
    match dice.percent(35) {
        true => Field::Intrinsic(*dice.one(&intrinsics)),
        false => loop {
            if let (field @ Field::Attribute { of_parent: false, .. }, _) = attribute(dice) {
                break field;
            }
        },
    }
}
