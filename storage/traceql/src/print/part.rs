//! A part of a query, and where it begins: in the canonical text, and in the text that was parsed.
//!
//! The tree holds no positions. None are needed: the canonical text has the same tokens in the same order as the
//! text that was parsed, but for parentheses and the sign of a zero. So what begins with the n-th token of one text
//! begins with the n-th of the other.

use super::Printer;
use crate::ast::{Field, FieldExpr, Function, Hint, Metrics, Query, Scalar, SecondStage, Stage};
use crate::lex::{Token, TokenKind, tokens};

/// A part of a query that can be pointed at.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Part<'a> {
    Stage(&'a Stage),
    Scalar(&'a Scalar),
    Expr(&'a FieldExpr),
    Field(&'a Field),
    Metrics(&'a Metrics),
    Function(&'a Function),
    SecondStage(&'a SecondStage),
    Hint(&'a Hint),
}

impl Part<'_> {
    /// Whether both are one place in one tree; being equal is not enough.
    pub(super) fn is(self, other: Part<'_>) -> bool {
        use std::ptr::eq;
        match (self, other) {
            (Part::Stage(a), Part::Stage(b)) => eq(a, b),
            (Part::Scalar(a), Part::Scalar(b)) => eq(a, b),
            (Part::Expr(a), Part::Expr(b)) => eq(a, b),
            (Part::Field(a), Part::Field(b)) => eq(a, b),
            (Part::Metrics(a), Part::Metrics(b)) => eq(a, b),
            (Part::Function(a), Part::Function(b)) => eq(a, b),
            (Part::SecondStage(a), Part::SecondStage(b)) => eq(a, b),
            (Part::Hint(a), Part::Hint(b)) => eq(a, b),
            _ => false,
        }
    }

    /// The canonical text of the query, and the byte at which this part begins in it.
    pub fn place(self, query: &Query) -> (String, usize) {
        let mut printer = Printer { wanted: Some(self), ..Printer::default() };
        printer.query(query);
        let at = printer.found.unwrap_or_default();
        (printer.out, at)
    }
}

impl std::fmt::Display for Part<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Part::Stage(part) => part.fmt(f),
            Part::Scalar(part) => part.fmt(f),
            Part::Expr(part) => part.fmt(f),
            Part::Field(part) => part.fmt(f),
            Part::Metrics(part) => part.fmt(f),
            Part::Function(part) => part.fmt(f),
            Part::SecondStage(part) => part.fmt(f),
            Part::Hint(part) => part.fmt(f),
        }
    }
}

/// Where in `source` stands what begins at byte `at` of `canonical`, the canonical text of what `source` parses to;
/// parentheses around it are left out.
pub(crate) fn place_in_source(source: &str, canonical: &str, at: usize) -> usize {
    let nth = starts(canonical).into_iter().take_while(|start| *start < at).count();
    starts(source).get(nth).copied().unwrap_or_default()
}

/// Where the tokens begin that a text and its canonical form have in common.
fn starts(text: &str) -> Vec<usize> {
    let shape = |token: &Token| !matches!(token.kind, TokenKind::Symbol("(" | ")"));
    let tokens: Vec<Token> = tokens(text).unwrap_or_default().into_iter().filter(shape).collect();
    let mut starts = Vec::with_capacity(tokens.len());
    // From the right: signs before a zero are left out.
    let mut zero = false;
    for token in tokens.into_iter().rev() {
        match token.kind {
            TokenKind::Symbol("-") if zero => continue,
            TokenKind::Int(number) | TokenKind::Duration(number) => zero = number == 0,
            _ => zero = false,
        }
        starts.push(token.span.start);
    }
    starts.reverse();
    starts
}
