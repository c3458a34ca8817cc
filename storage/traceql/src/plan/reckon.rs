//! What is not one field against constants: values that are reckoned before they are compared.

use super::filter::Read;
use super::pattern::Pattern;
use super::{Expr, FieldId, Test};
use crate::eval::ReadError;
use crate::value::{ArithmeticOp, CompareOp, OwnedValue, Value, compare, negate, reckon};

/// A comparison of which at least one side is reckoned, or both are fields.
#[derive(Debug, Clone)]
pub enum Reckon {
    /// Two values compared.
    Compare(CompareOp, Operand, Operand),
    /// A value and a pattern; holds when the match is as wanted.
    Regex(Operand, Pattern, bool),
}

/// A value that is reckoned for each span.
#[derive(Debug, Clone)]
pub enum Operand {
    /// Known before anything is read.
    Constant(OwnedValue),
    /// A field. Compared, each of its values counts; within arithmetic, the first one.
    Field(FieldId),
    /// A condition as a boolean.
    Condition(Expr),
    /// `-x`
    Negate(Box<Operand>),
    /// Arithmetic.
    Arithmetic(ArithmeticOp, Box<Operand>, Box<Operand>),
}

impl Reckon {
    pub(super) fn eval(&self, read: &mut Read<'_>) -> Result<bool, ReadError> {
        let mut holds = false;
        match self {
            Reckon::Compare(op, left, Operand::Field(right)) => {
                let mut lefts = Vec::new();
                left.see_each(read, &mut |value| lefts.push(OwnedValue::from(value)))?;
                read(*right, &mut |right| {
                    holds = holds || lefts.iter().any(|left| compare(*op, left.as_value(), right));
                })?;
            }
            Reckon::Compare(op, left, right) => {
                let right = right.first(read)?;
                left.see_each(read, &mut |left| holds = holds || compare(*op, left, right.as_value()))?;
            }
            Reckon::Regex(of, pattern, wanted) => of.see_each(read, &mut |value| {
                holds = holds || if *wanted { pattern.matches(value) } else { pattern.excludes(value) };
            })?,
        }
        Ok(holds)
    }

    pub(super) fn tests(&self, visit: &mut dyn FnMut(&Test)) {
        self.operands().into_iter().flatten().for_each(|of| of.tests(visit));
    }

    pub(super) fn fields(&self, visit: &mut dyn FnMut(FieldId)) {
        self.operands().into_iter().flatten().for_each(|of| of.fields(visit));
    }

    fn operands(&self) -> [Option<&Operand>; 2] {
        match self {
            Reckon::Compare(_, left, right) => [Some(left), Some(right)],
            Reckon::Regex(of, ..) => [Some(of), None],
        }
    }
}

impl Operand {
    /// The first value, kept.
    pub fn first(&self, read: &mut Read<'_>) -> Result<OwnedValue, ReadError> {
        let mut first = None;
        self.see_first(read, &mut |value| first = Some(OwnedValue::from(value)))?;
        Ok(first.unwrap_or(OwnedValue::Nil))
    }

    /// Shows the first value, once.
    pub fn see_first(&self, read: &mut Read<'_>, see: &mut dyn FnMut(Value<'_>)) -> Result<(), ReadError> {
        match self {
            Operand::Field(field) => {
                let mut seen = false;
                read(*field, &mut |value| {
                    if !std::mem::replace(&mut seen, true) {
                        see(value);
                    }
                })?;
                if !seen {
                    see(Value::Nil);
                }
            }
            other => other.see_each(read, see)?,
        }
        Ok(())
    }

    fn see_each(&self, read: &mut Read<'_>, see: &mut dyn FnMut(Value<'_>)) -> Result<(), ReadError> {
        match self {
            Operand::Constant(value) => see(value.as_value()),
            Operand::Field(field) => return read(*field, see),
            Operand::Condition(expr) => see(Value::Bool(expr.eval(read)?)),
            Operand::Negate(_) | Operand::Arithmetic(..) => see(self.number(read)?),
        }
        Ok(())
    }

    /// The value if it is a number, else nil.
    pub fn number(&self, read: &mut Read<'_>) -> Result<Value<'static>, ReadError> {
        Ok(match self {
            Operand::Negate(inner) => negate(inner.number(read)?),
            Operand::Arithmetic(op, left, right) => reckon(*op, left.number(read)?, right.number(read)?),
            other => {
                let mut number = Value::Nil;
                other.see_first(read, &mut |value| {
                    number = match value {
                        Value::Int(value) => Value::Int(value),
                        Value::Float(value) => Value::Float(value),
                        Value::Duration(value) => Value::Duration(value),
                        _ => Value::Nil,
                    };
                })?;
                number
            }
        })
    }

    /// Shows each test within.
    pub fn tests(&self, visit: &mut dyn FnMut(&Test)) {
        match self {
            Operand::Constant(_) | Operand::Field(_) => {}
            Operand::Condition(expr) => expr.tests(visit),
            Operand::Negate(inner) => inner.tests(visit),
            Operand::Arithmetic(_, left, right) => {
                left.tests(visit);
                right.tests(visit);
            }
        }
    }

    /// Shows each field that is read.
    pub fn fields(&self, visit: &mut dyn FnMut(FieldId)) {
        match self {
            Operand::Constant(_) => {}
            Operand::Field(field) => visit(*field),
            Operand::Condition(expr) => expr.fields(visit),
            Operand::Negate(inner) => inner.fields(visit),
            Operand::Arithmetic(_, left, right) => {
                left.fields(visit);
                right.fields(visit);
            }
        }
    }
}
