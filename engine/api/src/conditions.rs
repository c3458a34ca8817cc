//! Conditions on spans, put together as TraceQL has them.

use spanloom_traceql::ast::{BinaryOp, Field, FieldExpr, Literal};

/// Both of two, for as many as there are; none of none.
pub(crate) fn all(conditions: Vec<FieldExpr>) -> Option<FieldExpr> {
    conditions.into_iter().reduce(|left, right| join(BinaryOp::And, left, right))
}

/// One of two, for as many as there are; none of none.
pub(crate) fn any(conditions: Vec<FieldExpr>) -> Option<FieldExpr> {
    conditions.into_iter().reduce(|left, right| join(BinaryOp::Or, left, right))
}

pub(crate) fn join(op: BinaryOp, left: FieldExpr, right: FieldExpr) -> FieldExpr {
    FieldExpr::Binary { op, left: Box::new(left), right: Box::new(right) }
}

pub(crate) fn compare(field: Field, op: BinaryOp, literal: Literal) -> FieldExpr {
    join(op, FieldExpr::Field(field), FieldExpr::Literal(literal))
}

pub(crate) fn equal(field: Field, literal: Literal) -> FieldExpr {
    compare(field, BinaryOp::Equal, literal)
}

/// What a value may mean besides its text.
pub(crate) fn typed(value: &str) -> Option<Literal> {
    if let Ok(flag) = value.parse() {
        return Some(Literal::Bool(flag));
    }
    // Only as numbers are written: not "+1", "1_000", "inf".
    let is_number = value.starts_with(|c: char| c.is_ascii_digit() || c == '-')
        && value.bytes().all(|b| b.is_ascii_digit() || b"-.eE".contains(&b));
    if !is_number {
        return None;
    }
    let int = value.parse().ok().map(Literal::Int);
    int.or_else(|| value.parse().ok().filter(|float: &f64| float.is_finite()).map(Literal::Float))
}
