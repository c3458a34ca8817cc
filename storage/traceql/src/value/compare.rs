//! The comparisons of the language. `docs/TRACEQL.md`, section "Operators within braces".

use std::cmp::Ordering;

use super::{Value, elements};
use crate::ast::BinaryOp;

/// A comparison by equality or order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the variants are named as their symbols are read")]
pub enum CompareOp {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

impl CompareOp {
    /// The comparison that an operator of the language stands for, if it is one.
    pub fn of(op: BinaryOp) -> Option<Self> {
        Some(match op {
            BinaryOp::Equal => CompareOp::Equal,
            BinaryOp::NotEqual => CompareOp::NotEqual,
            BinaryOp::Less => CompareOp::Less,
            BinaryOp::LessEqual => CompareOp::LessEqual,
            BinaryOp::Greater => CompareOp::Greater,
            BinaryOp::GreaterEqual => CompareOp::GreaterEqual,
            _ => return None,
        })
    }

    /// The comparison with its sides exchanged: `1 < x` is `x > 1`.
    pub fn flip(self) -> Self {
        match self {
            CompareOp::Less => CompareOp::Greater,
            CompareOp::LessEqual => CompareOp::GreaterEqual,
            CompareOp::Greater => CompareOp::Less,
            CompareOp::GreaterEqual => CompareOp::LessEqual,
            even => even,
        }
    }

    /// Whether it holds for two sides that stand so to each other.
    #[inline]
    pub fn holds(self, sides: Ordering) -> bool {
        match self {
            CompareOp::Equal => sides.is_eq(),
            CompareOp::NotEqual => sides.is_ne(),
            CompareOp::Less => sides.is_lt(),
            CompareOp::LessEqual => sides.is_le(),
            CompareOp::Greater => sides.is_gt(),
            CompareOp::GreaterEqual => sides.is_ge(),
        }
    }

    /// Whether it holds for two floats, as IEEE 754 has it: NaN differs from everything.
    #[inline]
    pub fn holds_for(self, left: f64, right: f64) -> bool {
        left.partial_cmp(&right).map_or(self == CompareOp::NotEqual, |sides| self.holds(sides))
    }
}

/// Whether a comparison of two values holds. Values that do not go together compare as false, whatever is asked.
#[inline]
pub fn compare(op: CompareOp, left: Value<'_>, right: Value<'_>) -> bool {
    match (left, right) {
        (Value::Array(body), value) => compare_elements(op, body, value),
        (value, Value::Array(body)) => compare_elements(op.flip(), body, value),
        (left, right) => compare_single(op, left, right),
    }
}

/// One element matches; with `!=`, none is equal.
fn compare_elements(op: CompareOp, body: &[u8], value: Value<'_>) -> bool {
    match value {
        Value::Nil | Value::Array(_) | Value::Map(_) | Value::Bytes(_) => false,
        value if op == CompareOp::NotEqual => {
            !elements(body).any(|element| compare_single(CompareOp::Equal, element, value))
        }
        value => elements(body).any(|element| compare_single(op, element, value)),
    }
}

#[inline]
fn compare_single(op: CompareOp, left: Value<'_>, right: Value<'_>) -> bool {
    use Value::{Bool, Duration, Float, Int, Kind, Status, Text};
    match (left, right) {
        (Int(left) | Duration(left), Int(right) | Duration(right)) => op.holds(left.cmp(&right)),
        (Text(left), Text(right)) => match op {
            // Lengths tell most unequal texts apart.
            CompareOp::Equal => left == right,
            CompareOp::NotEqual => left != right,
            op => op.holds(left.cmp(right)),
        },
        (Int(left) | Duration(left), Float(right)) => op.holds_for(left as f64, right),
        (Float(left), Int(right) | Duration(right)) => op.holds_for(left, right as f64),
        (Float(left), Float(right)) => op.holds_for(left, right),
        (Bool(left), Bool(right)) => equality(op, left == right),
        (Status(left), Status(right)) | (Kind(left), Kind(right)) => equality(op, left == right),
        _ => false,
    }
}

/// Of values that have no order.
fn equality(op: CompareOp, equal: bool) -> bool {
    match op {
        CompareOp::Equal => equal,
        CompareOp::NotEqual => !equal,
        _ => false,
    }
}
