//! Expressions over one span.

use super::operator::{compare, connect, reckon};
use super::types::{Known, Type};
use super::{Judge, Judged, MAX_REGEXES, Part, refuse};
use crate::ast::{Attribute, BinaryOp, Field, FieldExpr, Intrinsic, Literal, Scope};
use crate::regex::compile_regex;

/// A field whose value is asked for.
pub fn value(of: &Field) -> Judged<'_, Type> {
    match of {
        Field::Attribute(_) => Ok(Type::Any),
        Field::Intrinsic(Intrinsic::Parent) => refuse(
            Part::Field(of),
            "the parent span is no value; expected `parent = nil`, `parent != nil` or an attribute of it, such \
             as `parent.span.name`",
        ),
        Field::Intrinsic(intrinsic) => Ok(Type::of_intrinsic(*intrinsic)),
    }
}

impl Judge {
    /// What stands between braces.
    pub fn filter<'a>(&mut self, of: &'a FieldExpr) -> Judged<'a, ()> {
        let found = self.expr(of)?.kind;
        if found.is_bool() {
            return Ok(());
        }
        refuse(Part::Expr(of), format!("found {found}, expected a condition"))
    }

    pub fn expr<'a>(&mut self, of: &'a FieldExpr) -> Judged<'a, Known> {
        let part = Part::Expr(of);
        match of {
            FieldExpr::Literal(literal) => Ok(Known::literal(literal)),
            FieldExpr::Field(inner) => Ok(Known::read(value(inner)?)),
            FieldExpr::Not(inner) => {
                let found = self.expr(inner)?;
                if found.kind.is_bool() {
                    return Ok(Known::made_of(Type::Bool, &[found]));
                }
                refuse(part, format!("found {}, expected a condition", found.kind))
            }
            FieldExpr::Negate(inner) => {
                let found = self.expr(inner)?;
                if found.kind.is_number() {
                    let (kind, constant) = (found.kind.as_number(), found.constant.map(i64::wrapping_neg));
                    return Ok(Known { kind, constant, ..found });
                }
                refuse(part, format!("found {}, expected a number", found.kind))
            }
            FieldExpr::Binary { op, left, right } => self.binary(part, *op, left, right),
        }
    }

    fn binary<'a>(
        &mut self,
        part: Part<'a>,
        op: BinaryOp,
        left: &'a FieldExpr,
        right: &'a FieldExpr,
    ) -> Judged<'a, Known> {
        if op.is_comparison() && (is_nil(left) || is_nil(right)) {
            return compare_nil(part, op, if is_nil(right) { left } else { right });
        }
        if matches!(op, BinaryOp::Regex | BinaryOp::NotRegex) {
            return self.regex(part, left, right);
        }
        let operands = [self.expr(left)?, self.expr(right)?];
        match op {
            BinaryOp::And | BinaryOp::Or => connect([Part::Expr(left), Part::Expr(right)], operands),
            op if op.is_arithmetic() => reckon(part, op, operands),
            op => compare(part, op, operands),
        }
    }

    fn regex<'a>(&mut self, part: Part<'a>, left: &'a FieldExpr, right: &'a FieldExpr) -> Judged<'a, Known> {
        let found = self.expr(left)?;
        let FieldExpr::Literal(Literal::Text(pattern)) = right else {
            return refuse(part, "expected a string as written on the right of a regular expression match");
        };
        if !found.kind.is_text() {
            let found = found.kind;
            let reason =
                format!("found {found}, expected a string on the left of a regular expression match");
            return refuse(part, reason);
        }
        self.regexes += 1;
        if self.regexes > MAX_REGEXES {
            let reason = format!(
                "the query has more than {MAX_REGEXES} regular expressions; join some by `|` within one"
            );
            return refuse(Part::Expr(right), reason);
        }
        if let Err(reason) = compile_regex(pattern) {
            return refuse(Part::Expr(right), reason);
        }
        Ok(Known::made_of(Type::Bool, &[found]))
    }
}

fn is_nil(of: &FieldExpr) -> bool {
    matches!(of, FieldExpr::Literal(Literal::Nil))
}

/// Whether something is there: an attribute, or the parent span.
fn compare_nil<'a>(part: Part<'a>, op: BinaryOp, with: &'a FieldExpr) -> Judged<'a, Known> {
    if op.is_order() {
        return refuse(part, "nil has no order, expected `=` or `!=`");
    }
    match with {
        FieldExpr::Field(Field::Attribute(of)) if is_everywhere(of) => {
            refuse(part, "every span has this attribute, so it is never nil")
        }
        FieldExpr::Field(Field::Attribute(_) | Field::Intrinsic(Intrinsic::Parent)) => {
            Ok(Known::read(Type::Bool))
        }
        _ => refuse(part, "only an attribute or `parent` can be compared with nil"),
    }
}

fn is_everywhere(of: &Attribute) -> bool {
    !of.parent && of.scope == Some(Scope::Resource) && of.name == "service.name"
}
