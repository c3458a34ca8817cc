//! Arithmetic between numbers. `docs/TRACEQL.md`, section "Operators within braces".

use super::Value;
use crate::ast::BinaryOp;

/// An operator between two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variants are named as their symbols are read")]
pub enum ArithmeticOp {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Pow,
}

impl ArithmeticOp {
    /// The operator that one of the language stands for, if it is arithmetic.
    pub fn of(op: BinaryOp) -> Option<Self> {
        Some(match op {
            BinaryOp::Add => ArithmeticOp::Add,
            BinaryOp::Sub => ArithmeticOp::Sub,
            BinaryOp::Mul => ArithmeticOp::Mul,
            BinaryOp::Div => ArithmeticOp::Div,
            BinaryOp::Mod => ArithmeticOp::Mod,
            BinaryOp::Pow => ArithmeticOp::Pow,
            _ => return None,
        })
    }

    /// Between floats, as IEEE 754 has it; the rest of a division has the sign of the left side.
    #[inline]
    pub fn floats(self, left: f64, right: f64) -> f64 {
        match self {
            ArithmeticOp::Add => left + right,
            ArithmeticOp::Sub => left - right,
            ArithmeticOp::Mul => left * right,
            ArithmeticOp::Div => left / right,
            ArithmeticOp::Mod => left % right,
            ArithmeticOp::Pow => left.powf(right),
        }
    }

    fn ints(self, left: i64, right: i64) -> Value<'static> {
        Value::Int(match self {
            ArithmeticOp::Add => left.wrapping_add(right),
            ArithmeticOp::Sub => left.wrapping_sub(right),
            ArithmeticOp::Mul => left.wrapping_mul(right),
            ArithmeticOp::Div | ArithmeticOp::Mod if right == 0 => return Value::Nil,
            ArithmeticOp::Div => left.wrapping_div(right),
            ArithmeticOp::Mod => left.wrapping_rem(right),
            ArithmeticOp::Pow => match u64::try_from(right) {
                Ok(exponent) => wrapping_pow(left, exponent),
                Err(_) => return Value::Float((left as f64).powf(right as f64)),
            },
        })
    }
}

/// Two ints give an int or nil, other numbers a float, anything else nil.
#[inline]
pub fn reckon(op: ArithmeticOp, left: Value<'_>, right: Value<'_>) -> Value<'static> {
    if let (Value::Int(left), Value::Int(right)) = (left, right) {
        return op.ints(left, right);
    }
    match (left.as_number(), right.as_number()) {
        (Some(left), Some(right)) => Value::Float(op.floats(left, right)),
        _ => Value::Nil,
    }
}

/// `-x`: int, float and duration stay what they are; anything else gives nil.
pub fn negate(value: Value<'_>) -> Value<'static> {
    match value {
        Value::Int(value) => Value::Int(value.wrapping_neg()),
        Value::Duration(value) => Value::Duration(value.wrapping_neg()),
        Value::Float(value) => Value::Float(-value),
        _ => Value::Nil,
    }
}

fn wrapping_pow(mut base: i64, mut exponent: u64) -> i64 {
    let mut power = 1i64;
    while exponent > 0 {
        if exponent % 2 == 1 {
            power = power.wrapping_mul(base);
        }
        base = base.wrapping_mul(base);
        exponent /= 2;
    }
    power
}
