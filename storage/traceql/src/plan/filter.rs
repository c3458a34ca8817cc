//! A filter as a tree of tests: what is between braces, constants reckoned, chains flattened.

use std::sync::Arc;

use super::reckon::Reckon;
use super::{FieldId, Matcher};
use crate::eval::ReadError;
use crate::value::Value;

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
    Reckon(Arc<Reckon>),
}

/// One field against constants.
#[derive(Debug, Clone)]
pub struct Test {
    /// The field.
    pub field: FieldId,
    /// What its value is held against.
    pub matcher: Matcher,
}

/// Shows the values that a field has in the span that is judged: each of them, nil once when there is none.
pub type Read<'r> = dyn FnMut(FieldId, &mut dyn FnMut(Value<'_>)) -> Result<(), ReadError> + 'r;

impl Test {
    /// Whether it holds for the span.
    #[inline]
    pub fn eval(&self, read: &mut Read<'_>) -> Result<bool, ReadError> {
        let mut holds = false;
        read(self.field, &mut |value| holds = holds || self.matcher.matches(value))?;
        Ok(holds)
    }
}

impl Expr {
    /// Whether the condition holds for the span whose values `read` shows.
    pub fn eval(&self, read: &mut Read<'_>) -> Result<bool, ReadError> {
        match self {
            Expr::Const(known) => Ok(*known),
            Expr::Test(test) => test.eval(read),
            Expr::Not(inner) => Ok(!inner.eval(read)?),
            Expr::All(all) => {
                for inner in all {
                    if !inner.eval(read)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Expr::Any(any) => {
                for inner in any {
                    if inner.eval(read)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Expr::Reckon(reckon) => reckon.eval(read),
        }
    }

    /// The condition that is left when the outcome of some tests is known.
    pub fn fold(&self, known: &mut dyn FnMut(&Test) -> Option<bool>) -> Expr {
        match self {
            Expr::Const(_) => self.clone(),
            Expr::Test(test) => known(test).map_or_else(|| self.clone(), Expr::Const),
            Expr::Not(inner) => Expr::negated(inner.fold(known)),
            Expr::All(all) => Expr::all(all.iter().map(|inner| inner.fold(known))),
            Expr::Any(any) => Expr::any(any.iter().map(|inner| inner.fold(known))),
            // Tests within are parts of a value; what is left is judged as it is.
            Expr::Reckon(_) => self.clone(),
        }
    }

    /// All of the conditions; nested ones are flattened, known ones reckoned.
    pub fn all(of: impl IntoIterator<Item = Expr>) -> Expr {
        let mut left = Vec::new();
        for inner in of {
            match inner {
                Expr::Const(true) => {}
                Expr::Const(false) => return Expr::Const(false),
                Expr::All(more) => left.extend(more),
                other => left.push(other),
            }
        }
        single(left, true, Expr::All)
    }

    /// One of the conditions; nested ones are flattened, known ones reckoned.
    pub fn any(of: impl IntoIterator<Item = Expr>) -> Expr {
        let mut left = Vec::new();
        for inner in of {
            match inner {
                Expr::Const(false) => {}
                Expr::Const(true) => return Expr::Const(true),
                Expr::Any(more) => left.extend(more),
                other => left.push(other),
            }
        }
        single(left, false, Expr::Any)
    }

    /// The opposite of the condition, with the negation as far inside as it goes.
    pub fn negated(of: Expr) -> Expr {
        match of {
            Expr::Const(known) => Expr::Const(!known),
            Expr::Not(inner) => *inner,
            Expr::All(all) => Expr::any(all.into_iter().map(Expr::negated)),
            Expr::Any(any) => Expr::all(any.into_iter().map(Expr::negated)),
            other => Expr::Not(Box::new(other)),
        }
    }

    /// Shows each test, also those within values that are reckoned.
    pub fn tests(&self, visit: &mut dyn FnMut(&Test)) {
        match self {
            Expr::Const(_) => {}
            Expr::Test(test) => visit(test),
            Expr::Not(inner) => inner.tests(visit),
            Expr::All(inner) | Expr::Any(inner) => inner.iter().for_each(|inner| inner.tests(visit)),
            Expr::Reckon(reckon) => reckon.tests(visit),
        }
    }

    /// Shows each field that is read, as often as it is mentioned.
    pub fn fields(&self, visit: &mut dyn FnMut(FieldId)) {
        match self {
            Expr::Const(_) => {}
            Expr::Test(test) => visit(test.field),
            Expr::Not(inner) => inner.fields(visit),
            Expr::All(inner) | Expr::Any(inner) => inner.iter().for_each(|inner| inner.fields(visit)),
            Expr::Reckon(reckon) => reckon.fields(visit),
        }
    }
}

fn single(mut of: Vec<Expr>, empty: bool, many: impl FnOnce(Vec<Expr>) -> Expr) -> Expr {
    match of.pop() {
        None => Expr::Const(empty),
        Some(last) if of.is_empty() => last,
        Some(last) => {
            of.push(last);
            many(of)
        }
    }
}
