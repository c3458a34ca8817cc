//! Types and limits, judged before anything runs.
//!
//! The type of an attribute is not known until it is read, so an attribute goes with everything; at run time a
//! value of another type matches nothing.

use std::fmt::{self, Display};

use crate::ast::{
    Aggregate, Attribute, BinaryOp, Body, Field, FieldExpr, Function, Hint, Intrinsic, Literal, Metrics,
    OverTime, Pipeline, Query, Scalar, Scope, SecondStage, Set, Stage,
};
use crate::error::CheckError;
use crate::names;

/// How many labels series may have, the buckets of a histogram included.
const MAX_LABELS: usize = 5;

/// How many characters of an offending part are shown.
const MAX_SHOWN: usize = 200;

/// What a value is, as far as the query tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    /// Of an attribute: known when it is read.
    Any,
    Nil,
    Bool,
    Int,
    Float,
    Text,
    Duration,
    Status,
    Kind,
}

impl Type {
    fn is_number(self) -> bool {
        matches!(self, Type::Any | Type::Int | Type::Float | Type::Duration)
    }

    fn is_bool(self) -> bool {
        matches!(self, Type::Any | Type::Bool)
    }

    fn is_text(self) -> bool {
        matches!(self, Type::Any | Type::Text)
    }

    fn of_literal(literal: &Literal) -> Type {
        match literal {
            Literal::Nil => Type::Nil,
            Literal::Bool(_) => Type::Bool,
            Literal::Int(_) => Type::Int,
            Literal::Float(_) => Type::Float,
            Literal::Text(_) => Type::Text,
            Literal::Duration(_) => Type::Duration,
            Literal::Status(_) => Type::Status,
            Literal::Kind(_) => Type::Kind,
        }
    }

    fn of_intrinsic(intrinsic: Intrinsic) -> Type {
        use Intrinsic::{ChildCount, Duration, EventTimeSinceStart, TraceDuration};
        use Intrinsic::{NestedSetLeft, NestedSetParent, NestedSetRight};
        match intrinsic {
            Duration | TraceDuration | EventTimeSinceStart => Type::Duration,
            NestedSetLeft | NestedSetRight | NestedSetParent | ChildCount => Type::Int,
            Intrinsic::Status => Type::Status,
            Intrinsic::Kind => Type::Kind,
            _ => Type::Text,
        }
    }

    /// What arithmetic over two numbers gives.
    fn reckoned_with(self, other: Type) -> Type {
        let either = |wanted| self == wanted || other == wanted;
        [Type::Any, Type::Duration, Type::Float]
            .into_iter()
            .find(|wanted| either(*wanted))
            .unwrap_or(Type::Int)
    }
}

impl Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Type::Any => "an attribute",
            Type::Nil => "nil",
            Type::Bool => "a boolean",
            Type::Int => "an integer",
            Type::Float => "a float",
            Type::Text => "a string",
            Type::Duration => "a duration",
            Type::Status => "a status",
            Type::Kind => "a kind",
        })
    }
}

/// Judges a query: that operands go together, that functions get what they take, that hints are known.
pub fn check(query: &Query) -> Result<(), CheckError> {
    match &query.body {
        Body::Search(pipeline) => check_pipeline(pipeline)?,
        Body::Metrics(metrics) => check_metrics(metrics)?,
    }
    query.hints.iter().try_for_each(check_hint)
}

fn refuse<T>(part: &impl Display, reason: impl Into<String>) -> Result<T, CheckError> {
    let mut part = part.to_string();
    if let Some((cut, _)) = part.char_indices().nth(MAX_SHOWN) {
        part.truncate(cut);
        part.push_str("...");
    }
    Err(CheckError { part, reason: reason.into() })
}

fn check_hint(hint: &Hint) -> Result<(), CheckError> {
    if names::HINTS.contains(&hint.name.as_str()) {
        return Ok(());
    }
    let nearest = names::nearest(&hint.name, names::HINTS.iter().copied());
    let meant = nearest.map(|nearest| format!(", did you mean `{nearest}`?")).unwrap_or_default();
    refuse(hint, format!("unknown hint `{}`{meant}", hint.name))
}

fn check_pipeline(pipeline: &Pipeline) -> Result<(), CheckError> {
    for stage in &pipeline.stages {
        match stage {
            Stage::Set(set) => check_set(set)?,
            Stage::By(of) => {
                field_expr(of)?;
                if !reads_span(of) {
                    return refuse(stage, "found a constant, expected an expression that reads the span");
                }
            }
            Stage::Select(fields) => fields.iter().try_for_each(|of| field(of).map(|_| ()))?,
            Stage::Coalesce => {}
            Stage::Compare { op, left, right } => {
                let types = (scalar(left)?, scalar(right)?);
                if !has_aggregate(left) && !has_aggregate(right) {
                    return refuse(
                        stage,
                        "found constants, expected an aggregate such as `count()` on one side",
                    );
                }
                compare(stage, *op, types)?;
            }
        }
    }
    Ok(())
}

fn check_set(set: &Set) -> Result<(), CheckError> {
    match set {
        Set::Filter(filter) => check_filter(filter.as_deref()),
        Set::Pipeline(pipeline) => check_pipeline(pipeline),
        Set::Combine { left, right, .. } => {
            check_set(left)?;
            check_set(right)
        }
    }
}

fn check_filter(filter: Option<&FieldExpr>) -> Result<(), CheckError> {
    let Some(filter) = filter else {
        return Ok(());
    };
    let found = field_expr(filter)?;
    if found.is_bool() { Ok(()) } else { refuse(filter, format!("found {found}, expected a condition")) }
}

fn scalar(of: &Scalar) -> Result<Type, CheckError> {
    match of {
        Scalar::Literal(literal) => Ok(Type::of_literal(literal)),
        Scalar::Aggregate(_, None) => Ok(Type::Int),
        Scalar::Aggregate(aggregate, Some(inner)) => {
            let found = field_expr(inner)?;
            if !found.is_number() {
                return refuse(of, format!("found {found}, expected a number or a duration"));
            }
            if !reads_span(inner) {
                return refuse(of, "found a constant, expected an expression that reads the span");
            }
            Ok(if *aggregate == Aggregate::Avg && found == Type::Int { Type::Float } else { found })
        }
        Scalar::Pipeline(pipeline, inner) => {
            check_pipeline(pipeline)?;
            scalar(inner)
        }
        Scalar::Binary { left, right, .. } => {
            let types = (scalar(left)?, scalar(right)?);
            reckon(of, types)
        }
    }
}

fn has_aggregate(of: &Scalar) -> bool {
    match of {
        Scalar::Literal(_) => false,
        Scalar::Aggregate(..) => true,
        Scalar::Pipeline(_, inner) => has_aggregate(inner),
        Scalar::Binary { left, right, .. } => has_aggregate(left) || has_aggregate(right),
    }
}

fn field_expr(of: &FieldExpr) -> Result<Type, CheckError> {
    match of {
        FieldExpr::Literal(literal) => Ok(Type::of_literal(literal)),
        FieldExpr::Field(inner) => field(inner),
        FieldExpr::Not(inner) => {
            let found = field_expr(inner)?;
            if found.is_bool() {
                Ok(Type::Bool)
            } else {
                refuse(of, format!("found {found}, expected a boolean"))
            }
        }
        FieldExpr::Negate(inner) => {
            let found = field_expr(inner)?;
            if found.is_number() {
                Ok(found)
            } else {
                refuse(of, format!("found {found}, expected a number"))
            }
        }
        FieldExpr::Binary { op, left, right } => {
            let types = (field_expr(left)?, field_expr(right)?);
            match op {
                BinaryOp::And | BinaryOp::Or => both_bool(of, types),
                BinaryOp::Regex | BinaryOp::NotRegex => regex(of, types.0, right),
                op if op.is_arithmetic() => reckon(of, types),
                op if types.0 == Type::Nil || types.1 == Type::Nil => compare_nil(of, *op, left, right),
                op => compare(of, *op, types),
            }
        }
    }
}

fn field(of: &Field) -> Result<Type, CheckError> {
    match of {
        Field::Attribute(Attribute { parent: true, .. }) | Field::Intrinsic(Intrinsic::Parent) => {
            refuse(of, "the parent span cannot be asked for here; use a structural operator, such as `>`")
        }
        Field::Attribute(_) => Ok(Type::Any),
        Field::Intrinsic(intrinsic) => Ok(Type::of_intrinsic(*intrinsic)),
    }
}

fn reads_span(of: &FieldExpr) -> bool {
    match of {
        FieldExpr::Literal(_) => false,
        FieldExpr::Field(_) => true,
        FieldExpr::Not(inner) | FieldExpr::Negate(inner) => reads_span(inner),
        FieldExpr::Binary { left, right, .. } => reads_span(left) || reads_span(right),
    }
}

fn both_bool(part: &impl Display, (left, right): (Type, Type)) -> Result<Type, CheckError> {
    if left.is_bool() && right.is_bool() {
        return Ok(Type::Bool);
    }
    refuse(part, format!("found {left} and {right}, expected two conditions"))
}

fn reckon(part: &impl Display, (left, right): (Type, Type)) -> Result<Type, CheckError> {
    if left.is_number() && right.is_number() {
        return Ok(left.reckoned_with(right));
    }
    refuse(part, format!("found {left} and {right}, expected two numbers"))
}

fn regex(part: &FieldExpr, left: Type, right: &FieldExpr) -> Result<Type, CheckError> {
    if !matches!(right, FieldExpr::Literal(Literal::Text(_))) {
        return refuse(part, "expected a string as written on the right of a regular expression match");
    }
    if left.is_text() {
        return Ok(Type::Bool);
    }
    refuse(part, format!("found {left}, expected a string on the left of a regular expression match"))
}

fn compare_nil(
    part: &FieldExpr,
    op: BinaryOp,
    left: &FieldExpr,
    right: &FieldExpr,
) -> Result<Type, CheckError> {
    if op.is_order() {
        return refuse(part, "nil has no order, expected `=` or `!=`");
    }
    let always = |of: &Attribute| of.scope == Some(Scope::Resource) && of.name == "service.name";
    match (left, right) {
        (FieldExpr::Field(Field::Attribute(of)), FieldExpr::Literal(Literal::Nil))
        | (FieldExpr::Literal(Literal::Nil), FieldExpr::Field(Field::Attribute(of))) => {
            if always(of) {
                return refuse(part, "every span has this attribute, so it is never nil");
            }
            Ok(Type::Bool)
        }
        _ => refuse(part, "only an attribute can be compared with nil"),
    }
}

fn compare(part: &impl Display, op: BinaryOp, (left, right): (Type, Type)) -> Result<Type, CheckError> {
    let alike = left == right || left == Type::Any || right == Type::Any;
    let numbers = left.is_number() && right.is_number();
    if !alike && !numbers {
        return refuse(part, format!("{left} cannot be compared with {right}"));
    }
    let ordered = |of: Type| of.is_number() || of.is_text();
    if op.is_order() && !(ordered(left) && ordered(right)) {
        let found = if ordered(left) { right } else { left };
        return refuse(part, format!("{found} has no order, expected `=` or `!=`"));
    }
    Ok(Type::Bool)
}

fn check_metrics(metrics: &Metrics) -> Result<(), CheckError> {
    match metrics {
        Metrics::Series { pipeline, function, by } => {
            check_pipeline(pipeline)?;
            check_function(function)?;
            check_labels(function, by)
        }
        Metrics::Number(_) => Ok(()),
        Metrics::Math { left, right, .. } => {
            for side in [left, right] {
                check_metrics(side)?;
                if is_compare(side) {
                    return refuse(metrics, "the series of `compare` cannot be reckoned with");
                }
            }
            Ok(())
        }
        Metrics::Then(source, stages) => {
            check_metrics(source)?;
            if is_compare(source) {
                return refuse(metrics, "nothing can follow `compare`");
            }
            stages.iter().try_for_each(check_second_stage)
        }
    }
}

fn is_compare(metrics: &Metrics) -> bool {
    matches!(metrics, Metrics::Series { function: Function::Compare { .. }, .. })
}

fn check_function(function: &Function) -> Result<(), CheckError> {
    match function {
        Function::Rate | Function::CountOverTime => Ok(()),
        Function::OverTime(_, of) => check_measured(function, of),
        Function::Quantile(of, quantiles) => {
            check_measured(function, of)?;
            if quantiles.iter().all(|quantile| (0.0..=1.0).contains(quantile)) {
                return Ok(());
            }
            refuse(function, "a quantile lies between 0 and 1")
        }
        Function::Compare { selection, top, window } => {
            check_filter(selection.as_deref())?;
            if top.is_some_and(|top| top <= 0) {
                return refuse(function, "expected a number of values above 0");
            }
            match window {
                Some((from, until)) if from >= until => refuse(function, "expected a start before the end"),
                _ => Ok(()),
            }
        }
    }
}

fn check_measured(function: &Function, of: &Field) -> Result<(), CheckError> {
    let found = field(of)?;
    if found.is_number() {
        Ok(())
    } else {
        refuse(function, format!("found {found}, expected a number or a duration"))
    }
}

fn check_labels(function: &Function, by: &[Field]) -> Result<(), CheckError> {
    by.iter().try_for_each(|of| field(of).map(|_| ()))?;
    let bucketed = matches!(function, Function::Quantile(..) | Function::OverTime(OverTime::Histogram, _));
    let most = MAX_LABELS - usize::from(bucketed);
    if by.len() > most {
        return refuse(function, format!("found {} labels in `by`, expected at most {most}", by.len()));
    }
    if !by.is_empty() && matches!(function, Function::Compare { .. }) {
        return refuse(function, "`compare` takes no `by`");
    }
    Ok(())
}

fn check_second_stage(stage: &SecondStage) -> Result<(), CheckError> {
    match stage {
        SecondStage::Topk(limit) | SecondStage::Bottomk(limit) if *limit <= 0 => {
            refuse(stage, "expected a number of series above 0")
        }
        _ => Ok(()),
    }
}
