//! A filter as a tree of tests: what is between braces, constants reckoned, chains flattened.

use crate::ast::FieldExpr;
use crate::plan::{FieldId, Matcher};

/// `{ ... }`, ready to run.
#[derive(Debug, Clone)]
pub struct Filter {
    /// The condition.
    pub expr: Expr,
    /// Whether it reads what is known of the whole trace alone: trace-wide intrinsics, nested sets, parents,
    /// children. Where it does, a part of a trace cannot judge it.
    pub reads_trace: bool,
}

/// A condition over one span; always true or false.
#[derive(Debug, Clone)]
pub enum Expr {
    /// Known before anything is read.
    Const(bool),
    /// All hold.
    All(Vec<Expr>),
    /// One holds.
    Any(Vec<Expr>),
    /// The inner one does not hold.
    Not(Box<Expr>),
    /// One field against constants: holds when it holds for one of the field's values.
    Test(Test),
    /// Anything else: read the values, then reckon.
    Reckon(Box<FieldExpr>),
}

/// One field against constants.
#[derive(Debug, Clone)]
pub struct Test {
    /// The field.
    pub field: FieldId,
    /// What its value is held against.
    pub matcher: Matcher,
}
