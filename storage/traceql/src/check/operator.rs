//! What operands go together, and what comes of them.

use super::types::{Known, Type, reckon_integers};
use super::{Judged, Part, refuse};
use crate::ast::BinaryOp;

/// Arithmetic. Division of an integer by the integer 0 as a constant is refused, since it has no value for any span;
/// every other division by zero is one of floats, and gives what floats give.
pub fn reckon(part: Part<'_>, op: BinaryOp, operands: [Known; 2]) -> Judged<'_, Known> {
    let [left, right] = operands;
    if !left.kind.is_number() || !right.kind.is_number() {
        return refuse(part, format!("found {} and {}, expected two numbers", left.kind, right.kind));
    }
    let divides = matches!(op, BinaryOp::Div | BinaryOp::Mod);
    if divides && right.constant == Some(0) && left.kind == Type::Int && right.kind == Type::Int {
        return refuse(part, "division by zero");
    }
    let kind = left.kind.reckoned_with(right.kind);
    let constant = match (left.constant, right.constant) {
        (Some(left), Some(right)) => reckon_integers(op, left, right),
        _ => None,
    };
    Ok(Known { constant, ..Known::made_of(kind, &operands) })
}

/// A comparison by equality or order.
pub fn compare(part: Part<'_>, op: BinaryOp, operands: [Known; 2]) -> Judged<'_, Known> {
    let [left, right] = operands.map(|operand| operand.kind);
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
    Ok(Known::made_of(Type::Bool, &operands))
}

/// `&&` and `||`.
pub fn connect<'a>(parts: [Part<'a>; 2], operands: [Known; 2]) -> Judged<'a, Known> {
    for (part, operand) in parts.into_iter().zip(operands) {
        if !operand.kind.is_bool() {
            return refuse(part, format!("found {}, expected a condition", operand.kind));
        }
    }
    Ok(Known::made_of(Type::Bool, &operands))
}
