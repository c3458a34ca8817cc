//! Laws: every tree prints to a text that parses to the same tree, and no text makes the parser panic.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use spanloom_traceql::ast::{
    Aggregate, Answer, Attribute, BinaryOp, Body, Field, FieldExpr, Function, Hint, Intrinsic, Kind, Literal,
    Metrics, OverTime, Pipeline, Query, Relation, Scalar, Scope, SecondStage, Set, SetOp, Stage, Status,
};
use spanloom_traceql::{QueryError, check, parse, read};

const ARITHMETIC: &[BinaryOp] =
    &[BinaryOp::Add, BinaryOp::Sub, BinaryOp::Mul, BinaryOp::Div, BinaryOp::Mod, BinaryOp::Pow];
const COMPARISONS: &[BinaryOp] = &[
    BinaryOp::Equal,
    BinaryOp::NotEqual,
    BinaryOp::Less,
    BinaryOp::LessEqual,
    BinaryOp::Greater,
    BinaryOp::GreaterEqual,
];
const CONDITIONS: &[BinaryOp] = &[BinaryOp::And, BinaryOp::Or, BinaryOp::Regex, BinaryOp::NotRegex];

const INTRINSICS: &[Intrinsic] = &[
    Intrinsic::Duration,
    Intrinsic::Name,
    Intrinsic::Status,
    Intrinsic::StatusMessage,
    Intrinsic::Kind,
    Intrinsic::Parent,
    Intrinsic::RootName,
    Intrinsic::RootService,
    Intrinsic::TraceDuration,
    Intrinsic::NestedSetLeft,
    Intrinsic::NestedSetRight,
    Intrinsic::NestedSetParent,
    Intrinsic::TraceId,
    Intrinsic::SpanId,
    Intrinsic::ParentId,
    Intrinsic::ChildCount,
    Intrinsic::EventName,
    Intrinsic::EventTimeSinceStart,
    Intrinsic::LinkTraceId,
    Intrinsic::LinkSpanId,
    Intrinsic::InstrumentationName,
    Intrinsic::InstrumentationVersion,
];

fn number() -> impl Strategy<Value = Literal> {
    let float = any::<f64>().prop_filter("finite", |number| number.is_finite());
    prop_oneof![
        any::<i64>().prop_map(Literal::Int),
        (-9..9_i64).prop_map(Literal::Int),
        float.prop_map(Literal::Float)
    ]
}

fn literal() -> impl Strategy<Value = Literal> {
    prop_oneof![
        number(),
        Just(Literal::Nil),
        any::<bool>().prop_map(Literal::Bool),
        any::<String>().prop_map(Literal::Text),
        (-i64::MAX..=i64::MAX).prop_map(Literal::Duration),
        select(vec![Status::Ok, Status::Error, Status::Unset]).prop_map(Literal::Status),
        select(vec![Kind::Server, Kind::Internal, Kind::Unspecified]).prop_map(Literal::Kind),
    ]
}

fn field() -> impl Strategy<Value = Field> {
    let scopes = vec![Scope::Span, Scope::Resource, Scope::Event, Scope::Link, Scope::Instrumentation];
    let name = prop_oneof!["[a-z.5\"\\\\ -]{1,6}", "(span|resource)\\.[a-z]", "\\PC{1,5}"];
    let attribute = (any::<bool>(), option::of(select(scopes)), name)
        .prop_map(|(parent, scope, name)| {
            (parent && matches!(scope, None | Some(Scope::Span | Scope::Resource)), scope, name)
        })
        .prop_map(|(parent, scope, name)| Field::Attribute(Attribute { parent, scope, name }));
    prop_oneof![attribute, select(INTRINSICS).prop_map(Field::Intrinsic)]
}

fn field_expr() -> impl Strategy<Value = FieldExpr> {
    let leaf = prop_oneof![literal().prop_map(FieldExpr::Literal), field().prop_map(FieldExpr::Field)];
    leaf.prop_recursive(5, 24, 2, |inner| {
        let ops = select([ARITHMETIC, COMPARISONS, CONDITIONS].concat());
        prop_oneof![
            1 => inner.clone().prop_map(|of| FieldExpr::Not(Box::new(of))),
            1 => inner.clone().prop_map(|of| FieldExpr::Negate(Box::new(of))),
            4 => (ops, inner.clone(), inner).prop_map(|(op, left, right)| FieldExpr::Binary {
                op,
                left: Box::new(left),
                right: Box::new(right)
            }),
        ]
    })
}

fn filter() -> impl Strategy<Value = Option<Box<FieldExpr>>> {
    option::weighted(0.8, field_expr().prop_map(Box::new))
}

fn set_op() -> impl Strategy<Value = SetOp> {
    let relations =
        vec![Relation::Child, Relation::Descendant, Relation::Parent, Relation::Ancestor, Relation::Sibling];
    let structural = (select(relations), select(vec![Answer::Right, Answer::Unmatched, Answer::Both]));
    prop_oneof![
        Just(SetOp::And),
        Just(SetOp::Or),
        structural.prop_map(|(relation, answer)| SetOp::Structural(relation, answer))
    ]
}

fn combined(leaf: BoxedStrategy<Set>) -> BoxedStrategy<Set> {
    let inner = leaf.prop_recursive(3, 8, 2, |inner| {
        (set_op(), inner.clone(), inner).prop_map(|(op, left, right)| Set::Combine {
            op,
            left: Box::new(left),
            right: Box::new(right),
        })
    });
    inner.boxed()
}

fn scalar(leaf: BoxedStrategy<Scalar>) -> BoxedStrategy<Scalar> {
    let inner = leaf.prop_recursive(3, 8, 2, |inner| {
        (select(ARITHMETIC), inner.clone(), inner).prop_map(|(op, left, right)| Scalar::Binary {
            op,
            left: Box::new(left),
            right: Box::new(right),
        })
    });
    inner.boxed()
}

fn scalar_leaf() -> BoxedStrategy<Scalar> {
    let aggregates = vec![Aggregate::Avg, Aggregate::Min, Aggregate::Max, Aggregate::Sum];
    prop_oneof![
        literal().prop_map(Scalar::Literal),
        Just(Scalar::Aggregate(Aggregate::Count, None)),
        (select(aggregates), field_expr()).prop_map(|(aggregate, of)| Scalar::Aggregate(aggregate, Some(of))),
    ]
    .boxed()
}

/// Whether a set, as the first stage, is taken for its stages: a pipeline that gives one spanset. One in which `by`
/// has the last word gives several, which its parentheses join.
fn is_spliced(set: &Set) -> bool {
    let Set::Pipeline(pipeline) = set else { return false };
    let decides = |stage: &&Stage| matches!(stage, Stage::By(_) | Stage::Coalesce);
    !matches!(pipeline.stages.iter().rfind(decides), Some(Stage::By(_)))
}

/// Stages over these spansets and scalars; `first` stands before them.
fn pipeline(sets: BoxedStrategy<Set>, scalars: BoxedStrategy<Scalar>) -> BoxedStrategy<Pipeline> {
    let first = sets.clone().prop_filter("spliced", |set| !is_spliced(set)).prop_map(Stage::Set);
    let compared = (select(COMPARISONS), scalars.clone(), scalars)
        .prop_map(|(op, left, right)| Stage::Compare { op, left, right });
    let stage = prop_oneof![
        sets.prop_map(Stage::Set),
        compared,
        field_expr().prop_map(Stage::By),
        Just(Stage::Coalesce),
        vec(field(), 1..3).prop_map(Stage::Select),
    ];
    (first, vec(stage, 0..3))
        .prop_map(|(first, rest)| Pipeline { stages: [vec![first], rest].concat() })
        .boxed()
}

fn any_pipeline() -> BoxedStrategy<Pipeline> {
    let plain = pipeline(combined(filter().prop_map(Set::Filter).boxed()), scalar(scalar_leaf()));
    let by = field_expr().prop_map(|of| Pipeline { stages: vec![Stage::By(of)] });
    let several =
        plain.clone().prop_filter("one spanset needs no parentheses", |plain| plain.stages.len() > 1);
    let several = prop_oneof![4 => several, 1 => by];
    let sets = prop_oneof![
        filter().prop_map(Set::Filter),
        several.prop_map(|pipeline| Set::Pipeline(Box::new(pipeline)))
    ];
    let piped = (plain, scalar(scalar_leaf()))
        .prop_map(|(pipeline, scalar)| Scalar::Pipeline(Box::new(pipeline), Box::new(scalar)));
    pipeline(combined(sets.boxed()), scalar(prop_oneof![scalar_leaf(), piped].boxed()))
}

fn series() -> impl Strategy<Value = Metrics> {
    let over = vec![OverTime::Min, OverTime::Max, OverTime::Avg, OverTime::Sum, OverTime::Histogram];
    let function = prop_oneof![
        Just(Function::Rate),
        Just(Function::CountOverTime),
        (select(over), field()).prop_map(|(statistic, of)| Function::OverTime(statistic, of)),
        (field(), vec(0.0..1.0_f64, 1..3)).prop_map(|(of, quantiles)| Function::Quantile(of, quantiles)),
        (filter(), any::<i64>(), option::of(any::<(i64, i64)>()))
            .prop_map(|(selection, top, window)| Function::Compare { selection, top: Some(top), window }),
    ];
    let plain = pipeline(combined(filter().prop_map(Set::Filter).boxed()), scalar(scalar_leaf()));
    (plain, function, vec(field(), 0..3)).prop_map(|(pipeline, function, by)| Metrics::Series {
        pipeline: Box::new(pipeline),
        function,
        by,
    })
}

fn metrics() -> impl Strategy<Value = Metrics> {
    let second = prop_oneof![
        any::<i64>().prop_map(SecondStage::Topk),
        any::<i64>().prop_map(SecondStage::Bottomk),
        (select(COMPARISONS), number()).prop_map(|(op, value)| SecondStage::Filter(op, value)),
    ];
    series().prop_recursive(3, 6, 2, move |inner| {
        let number = number().prop_map(Metrics::Number);
        let source = inner.clone().prop_filter("stages are appended", |of| !matches!(of, Metrics::Then(..)));
        prop_oneof![
            (select(ARITHMETIC), inner.clone(), prop_oneof![inner, number]).prop_map(|(op, left, right)| {
                Metrics::Math { op, left: Box::new(left), right: Box::new(right) }
            }),
            (source, vec(second.clone(), 1..3)).prop_map(|(of, stages)| Metrics::Then(Box::new(of), stages)),
        ]
    })
}

fn query() -> impl Strategy<Value = Query> {
    let body = prop_oneof![any_pipeline().prop_map(Body::Search), metrics().prop_map(Body::Metrics)];
    let hint = ("[a-z_]{1,8}", literal()).prop_map(|(name, value)| Hint { name, value });
    (body, vec(hint, 0..3)).prop_map(|(body, hints)| Query { body, hints })
}

/// The text of an expression with all parentheses that it can have.
fn in_parentheses(of: &FieldExpr) -> String {
    match of {
        FieldExpr::Not(of) => format!("(!{})", in_parentheses(of)),
        FieldExpr::Negate(of) => format!("(-{})", in_parentheses(of)),
        FieldExpr::Binary { op, left, right } => {
            format!("({} {op}\n{})", in_parentheses(left), in_parentheses(right))
        }
        leaf => format!("({leaf})"),
    }
}

/// What a text begins with, parentheses and signs aside: where those of the canonical text stand depends.
fn beginning(text: &str) -> Option<char> {
    text.trim_start_matches(['(', '-', '\n']).chars().next()
}

proptest! {
    #[test]
    fn a_place_is_found_whatever_parentheses_there_are(filter in field_expr()) {
        let text = format!("{{ {} }}", in_parentheses(&filter));
        let stage = Stage::Set(Set::Filter(Some(Box::new(filter))));
        let body = Body::Search(Pipeline { stages: vec![stage] });
        let tree = Query { body, hints: Vec::new() };
        let parsed = parse(&text);
        prop_assert_eq!(parsed.as_ref(), Ok(&tree), "{}", text);
        match (read(&text), check(&tree)) {
            (Ok(_), Ok(())) => {}
            (Err(QueryError::Check(there)), Err(here)) => {
                prop_assert_eq!(&there.part, &here.part);
                prop_assert_eq!(beginning(&text[there.offset..]), beginning(&there.part), "{}: {}", text, there);
                let line = text[..there.offset].matches('\n').count() + 1;
                prop_assert_eq!(there.line, line);
            }
            (by_text, by_tree) => prop_assert!(false, "{text}: {by_text:?}, {by_tree:?}"),
        }
    }

    #[test]
    fn what_is_printed_parses_to_the_same_tree(query in query()) {
        let printed = query.to_string();
        let parsed = parse(&printed);
        prop_assert_eq!(parsed.as_ref(), Ok(&query), "printed as {}", printed);
        prop_assert_eq!(parsed.map(|tree| tree.to_string()), Ok(printed));
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[-{}()|&=!~<>.,:\"`\\\\a-e0-9hms µ\\n]{0,60}|\\PC{0,40}") {
        match parse(&text) {
            Ok(tree) => drop(check(&tree)),
            Err(error) => prop_assert!(error.offset <= text.len() && error.line > 0 && error.column > 0),
        }
    }
}
