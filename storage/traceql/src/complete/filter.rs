//! The conditions of a filter that is still being written.
//!
//! A condition that cannot be read, means nothing, or is just being written is taken to hold for every span. So what
//! is left selects every span that the finished filter can select: `a && ?` is `a`, `a || ?` is no filter at all.

use std::ops::Range;

use crate::MAX_HEIGHT;
use crate::MAX_QUERY_BYTES;
use crate::ast::{BinaryOp, FieldExpr};
use crate::check::Conditions;
use crate::lex::{Piece, TokenKind, pieces};
use crate::parse::{Chain, parse_condition};

/// The first filter of a query that may be broken, such as the `q` of the tag values API: the conditions of its
/// first braces, without those that are empty, cannot be read or mean nothing. `None` if there is none, or nothing
/// is left of it, so that every span is meant.
pub fn lenient_filter(q: &str) -> Option<FieldExpr> {
    if q.len() > MAX_QUERY_BYTES {
        return None;
    }
    let pieces = pieces(q);
    let open = pieces.iter().position(|piece| piece.is("{"))?;
    conditions(q, &pieces[open + 1..close_of(&pieces, open)], None)
}

/// The filter around the cursor, without the condition that the cursor is in; outside of braces, the one filter
/// that the query has.
pub fn filter_around(query: &str, pieces: &[Piece], cursor: usize) -> Option<FieldExpr> {
    let opens = || pieces.iter().enumerate().filter(|(_, piece)| piece.is("{")).map(|(at, _)| at);
    let around = opens().rfind(|open| {
        let close = pieces.get(close_of(pieces, *open));
        pieces[*open].span.end <= cursor && close.is_none_or(|close| cursor <= close.span.start)
    });
    let open = match around {
        Some(open) => open,
        None if opens().count() == 1 => opens().next()?,
        None => return None,
    };
    conditions(query, &pieces[open + 1..close_of(pieces, open)], around.map(|_| cursor))
}

/// The piece that closes the braces, or that shows that they were left open.
fn close_of(pieces: &[Piece], open: usize) -> usize {
    let closes = |piece: &Piece| piece.is("}") || piece.is("{") || piece.is("|");
    let found = pieces[open + 1..].iter().position(closes);
    found.map_or(pieces.len(), |found| open + 1 + found)
}

/// What is left of a chain of conditions, from left to right.
fn conditions(query: &str, pieces: &[Piece], cursor: Option<usize>) -> Option<FieldExpr> {
    let mut accepted = Conditions::new();
    let mut left: Option<Chain<FieldExpr>> = None;
    for (op, text) in operands(pieces) {
        let edited = cursor.is_some_and(|cursor| touches(query, &text, cursor));
        let condition = query.get(text).filter(|_| !edited).and_then(|text| parse_condition(text).ok());
        let condition = condition.filter(|condition| accepted.accept(&condition.tree));
        left = match (op, left, condition) {
            (None | Some(BinaryOp::And), None, condition) => condition.map(Chain::from),
            (Some(op), Some(mut left), Some(condition)) => {
                left.push(op, condition);
                Some(left)
            }
            (Some(BinaryOp::And), left, None) => left,
            _ => None,
        };
    }
    let folded = left?.fold();
    (folded.height <= MAX_HEIGHT).then_some(folded.tree)
}

/// Whether the cursor is in these bytes, or after them with nothing but space between.
fn touches(query: &str, text: &Range<usize>, cursor: usize) -> bool {
    let space = query.get(text.end..cursor).is_none_or(|between| between.trim().is_empty());
    text.start <= cursor && space
}

/// The operands of `&&` and `||` that are in no parentheses, each with the operator before it.
fn operands(pieces: &[Piece]) -> Vec<(Option<BinaryOp>, Range<usize>)> {
    let mut found = Vec::new();
    let (mut op, mut text, mut depth) = (None, None::<Range<usize>>, 0_usize);
    for piece in pieces {
        let next = match piece.kind {
            Some(TokenKind::Symbol("&&")) if depth == 0 => Some(BinaryOp::And),
            Some(TokenKind::Symbol("||")) if depth == 0 => Some(BinaryOp::Or),
            _ => None,
        };
        if next.is_some() {
            found.push((op, text.take().unwrap_or(piece.span.start..piece.span.start)));
            op = next;
            continue;
        }
        if piece.is("(") {
            depth += 1;
        } else if piece.is(")") {
            depth = depth.saturating_sub(1);
        }
        let start = text.map_or(piece.span.start, |text| text.start);
        text = Some(start..piece.span.end);
    }
    found.push((op, text.unwrap_or_default()));
    found
}
