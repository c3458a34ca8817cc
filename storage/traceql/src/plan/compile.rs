//! Expressions over one span, compiled.

use super::fields::{Fields, is_single};
use super::filter::{Expr, Test};
use super::matcher::Matcher;
use super::pattern::Pattern;
use super::reckon::{Operand, Reckon};
use super::rewrite;
use super::set::ValueSet;
use crate::ast::{BinaryOp, Field, FieldExpr, Literal};
use crate::error::CheckError;
use crate::value::{ArithmeticOp, CompareOp, OwnedValue, Value, compare, negate, reckon};

/// Compiles expressions, numbering their fields.
pub(super) struct Compiler {
    pub fields: Fields,
}

impl Compiler {
    /// The expression as a condition: whether its value is true.
    pub fn condition(&mut self, of: &FieldExpr) -> Result<Expr, CheckError> {
        match of {
            FieldExpr::Literal(literal) => Ok(Expr::Const(*literal == Literal::Bool(true))),
            FieldExpr::Field(field) => self.test(field, Matcher::Is(true)),
            FieldExpr::Not(inner) => match &**inner {
                FieldExpr::Field(field) => self.test(field, Matcher::Is(false)),
                FieldExpr::Literal(literal) => Ok(Expr::Const(*literal == Literal::Bool(false))),
                inner if is_condition(inner) => Ok(Expr::negated(self.condition(inner)?)),
                _ => Ok(Expr::Const(false)),
            },
            FieldExpr::Negate(_) => Ok(Expr::Const(false)),
            FieldExpr::Binary { op, left, right } => match op {
                BinaryOp::And | BinaryOp::Or => self.chain(of),
                BinaryOp::Regex | BinaryOp::NotRegex => self.regex(of, *op == BinaryOp::Regex, left, right),
                op => match CompareOp::of(*op) {
                    Some(op) => self.comparison(op, left, right),
                    None => Ok(Expr::Const(false)),
                },
            },
        }
    }

    /// The expression as a value.
    pub fn operand(&mut self, of: &FieldExpr) -> Result<Operand, CheckError> {
        Ok(match of {
            FieldExpr::Literal(literal) => Operand::Constant(OwnedValue::of_literal(literal)),
            FieldExpr::Field(field) => Operand::Field(self.fields.number(field)?),
            FieldExpr::Negate(inner) => match self.operand(inner)? {
                Operand::Constant(value) => Operand::Constant(negate(value.as_value()).into()),
                inner => Operand::Negate(Box::new(inner)),
            },
            FieldExpr::Binary { op, left, right } if op.is_arithmetic() => {
                let (left, right) = (self.operand(left)?, self.operand(right)?);
                match (ArithmeticOp::of(*op), left, right) {
                    (None, ..) => Operand::Constant(OwnedValue::Nil),
                    (Some(op), Operand::Constant(left), Operand::Constant(right)) => {
                        Operand::Constant(reckon(op, left.as_value(), right.as_value()).into())
                    }
                    (Some(op), left, right) => Operand::Arithmetic(op, Box::new(left), Box::new(right)),
                }
            }
            FieldExpr::Not(_) | FieldExpr::Binary { .. } => match self.condition(of)? {
                Expr::Const(known) => Operand::Constant(OwnedValue::Bool(known)),
                expr => Operand::Condition(expr),
            },
        })
    }

    /// `a && b || c ...`, which bind alike and to the left: runs of one operator become one list.
    fn chain(&mut self, of: &FieldExpr) -> Result<Expr, CheckError> {
        let (mut first, mut rest) = (of, Vec::new());
        while let FieldExpr::Binary { op: op @ (BinaryOp::And | BinaryOp::Or), left, right } = first {
            rest.push((*op, &**right));
            first = left;
        }
        let mut run = vec![self.condition(first)?];
        let mut run_op = BinaryOp::And;
        for (op, right) in rest.into_iter().rev() {
            if op != run_op {
                run = vec![self.join(run_op, run)];
                run_op = op;
            }
            run.push(self.condition(right)?);
        }
        Ok(self.join(run_op, run))
    }

    fn join(&self, op: BinaryOp, run: Vec<Expr>) -> Expr {
        match op {
            BinaryOp::Or => rewrite::any(run),
            _ => rewrite::all(run, |field| is_single(&self.fields.fields[usize::from(field.0)])),
        }
    }

    fn comparison(&mut self, op: CompareOp, left: &FieldExpr, right: &FieldExpr) -> Result<Expr, CheckError> {
        const NIL: &FieldExpr = &FieldExpr::Literal(Literal::Nil);
        if left == NIL || right == NIL {
            return self.presence(op, if left == NIL { right } else { left });
        }
        let (op, left, right) = match (self.operand(left)?, self.operand(right)?) {
            (left @ Operand::Constant(_), right) => (op.flip(), right, left),
            (left, right) => (op, left, right),
        };
        Ok(match (left, right) {
            (_, Operand::Constant(OwnedValue::Nil)) => Expr::Const(false),
            (Operand::Constant(left), Operand::Constant(right)) => {
                Expr::Const(compare(op, left.as_value(), right.as_value()))
            }
            (Operand::Field(field), Operand::Constant(constant)) => {
                match rewrite::nested_set_parent(&self.fields.fields[usize::from(field.0)], op, &constant) {
                    Some(rewrite::Root::Known(known)) => Expr::Const(known),
                    Some(rewrite::Root::Is(wanted)) => self.is_root(wanted)?,
                    None => Expr::Test(Test { field, matcher: Matcher::Compare(op, constant) }),
                }
            }
            (left, right) => Expr::Reckon(Reckon::Compare(op, left, right).into()),
        })
    }

    /// `= nil` and `!= nil`.
    fn presence(&mut self, op: CompareOp, of: &FieldExpr) -> Result<Expr, CheckError> {
        let wanted = match op {
            CompareOp::Equal => true,
            CompareOp::NotEqual => false,
            _ => return Ok(Expr::Const(false)),
        };
        match of {
            FieldExpr::Field(field) => self.test(field, if wanted { Matcher::Nil } else { Matcher::NotNil }),
            of => Ok(Expr::Const(match self.operand(of)? {
                Operand::Constant(value) => (value.as_value() == Value::Nil) == wanted,
                _ => false,
            })),
        }
    }

    fn regex(
        &mut self,
        part: &FieldExpr,
        wanted: bool,
        left: &FieldExpr,
        right: &FieldExpr,
    ) -> Result<Expr, CheckError> {
        let left = self.operand(left)?;
        let FieldExpr::Literal(Literal::Text(text)) = right else { return Ok(Expr::Const(false)) };
        let refused = |reason| CheckError { part: part.to_string(), reason };
        Ok(match left {
            Operand::Field(field) => Expr::Test(Test {
                field,
                matcher: match literals(text) {
                    Some(set) if wanted => Matcher::OneOf(set),
                    Some(set) => Matcher::NoneOf(set),
                    None if wanted => Matcher::Regex(Pattern::new(text).map_err(refused)?),
                    None => Matcher::NotRegex(Pattern::new(text).map_err(refused)?),
                },
            }),
            left => {
                let pattern = Pattern::new(text).map_err(refused)?;
                match left {
                    Operand::Constant(value) if wanted => Expr::Const(pattern.matches(value.as_value())),
                    Operand::Constant(value) => Expr::Const(pattern.excludes(value.as_value())),
                    left => Expr::Reckon(Reckon::Regex(left, pattern, wanted).into()),
                }
            }
        })
    }

    fn test(&mut self, field: &Field, matcher: Matcher) -> Result<Expr, CheckError> {
        Ok(Expr::Test(Test { field: self.fields.number(field)?, matcher }))
    }

    /// A root is a span whose parent id is nil, and that its own fragment can tell.
    fn is_root(&mut self, wanted: bool) -> Result<Expr, CheckError> {
        let field = Field::Intrinsic(crate::ast::Intrinsic::ParentId);
        self.test(&field, if wanted { Matcher::Nil } else { Matcher::NotNil })
    }
}

/// Whether the value is always a boolean.
fn is_condition(of: &FieldExpr) -> bool {
    match of {
        FieldExpr::Not(_) => true,
        FieldExpr::Binary { op, .. } => !op.is_arithmetic(),
        _ => false,
    }
}

/// The texts that a pattern matches, when it is one text or several between bars and nothing else.
fn literals(pattern: &str) -> Option<ValueSet> {
    let plain = |text: &str| regex::escape(text) == text;
    let texts = || pattern.split('|');
    texts().all(plain).then(|| ValueSet::new(texts().map(|text| OwnedValue::Text(text.as_bytes().into()))))
}
