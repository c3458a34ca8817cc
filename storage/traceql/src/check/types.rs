//! What values are, as far as the query tells, and what is known of an expression.

use std::fmt::{self, Display};

use crate::ast::{BinaryOp, Intrinsic, Literal};

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// Of an attribute: known when it is read.
    Any,
    Nil,
    Bool,
    Int,
    Float,
    /// Made of an attribute by arithmetic: one of the numbers, known when it is reckoned.
    Number,
    Text,
    Duration,
    Status,
    Kind,
    /// The parent span: there or not, and nothing else.
    Parent,
}

impl Type {
    pub fn is_number(self) -> bool {
        matches!(self, Type::Any | Type::Number | Type::Int | Type::Float | Type::Duration)
    }

    pub fn is_bool(self) -> bool {
        matches!(self, Type::Any | Type::Bool)
    }

    pub fn is_text(self) -> bool {
        matches!(self, Type::Any | Type::Text)
    }

    pub fn of_literal(literal: &Literal) -> Type {
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

    pub fn of_intrinsic(intrinsic: Intrinsic) -> Type {
        use Intrinsic::{ChildCount, Duration, EventTimeSinceStart, TraceDuration};
        use Intrinsic::{NestedSetLeft, NestedSetParent, NestedSetRight};
        match intrinsic {
            Duration | TraceDuration | EventTimeSinceStart => Type::Duration,
            NestedSetLeft | NestedSetRight | NestedSetParent | ChildCount => Type::Int,
            Intrinsic::Status => Type::Status,
            Intrinsic::Kind => Type::Kind,
            Intrinsic::Parent => Type::Parent,
            _ => Type::Text,
        }
    }

    /// What it is once it is known to be a number.
    pub fn as_number(self) -> Type {
        if self == Type::Any { Type::Number } else { self }
    }

    /// What arithmetic over two numbers gives.
    pub fn reckoned_with(self, other: Type) -> Type {
        let either = |wanted| self.as_number() == wanted || other.as_number() == wanted;
        [Type::Number, Type::Duration, Type::Float]
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
            Type::Number => "a number",
            Type::Text => "a string",
            Type::Duration => "a duration",
            Type::Status => "a status",
            Type::Kind => "a kind",
            Type::Parent => "the parent span",
        })
    }
}

/// What is known of an expression.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    pub kind: Type,
    /// Its value, if that is an integer (of nanoseconds, for a duration) and the same for every span.
    pub constant: Option<i64>,
    /// Whether it depends on the span, or the spanset, that it is asked of.
    pub reads: bool,
}

impl Known {
    pub fn literal(literal: &Literal) -> Known {
        let constant = match literal {
            Literal::Int(number) | Literal::Duration(number) => Some(*number),
            _ => None,
        };
        Known { kind: Type::of_literal(literal), constant, reads: false }
    }

    /// A value that is read.
    pub fn read(kind: Type) -> Known {
        Known { kind, constant: None, reads: true }
    }

    /// A value of type `kind` made of these operands, constant or not known to be.
    pub fn made_of(kind: Type, operands: &[Known]) -> Known {
        Known { kind, constant: None, reads: operands.iter().any(|operand| operand.reads) }
    }
}

/// Arithmetic over integers, which wraps. `None` where it has no integer, and no one error, for a value.
pub fn reckon_integers(op: BinaryOp, left: i64, right: i64) -> Option<i64> {
    match op {
        BinaryOp::Add => Some(left.wrapping_add(right)),
        BinaryOp::Sub => Some(left.wrapping_sub(right)),
        BinaryOp::Mul => Some(left.wrapping_mul(right)),
        BinaryOp::Div if right != 0 => Some(left.wrapping_div(right)),
        BinaryOp::Mod if right != 0 => Some(left.wrapping_rem(right)),
        BinaryOp::Pow => u32::try_from(right).ok().map(|power| left.wrapping_pow(power)),
        _ => None,
    }
}
