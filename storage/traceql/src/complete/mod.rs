//! What may stand at the cursor of a query that is still being written.
//!
//! | file | holds |
//! |---|---|
//! | `mod.rs` | the answer, and the piece of text under the cursor |
//! | `place.rs` | the pieces before the cursor, followed to the place that the cursor is in |
//! | `choice.rs` | what may stand at such a place |
//! | `filter.rs` | the conditions that are already there |

mod choice;
mod filter;
mod place;

use std::ops::Range;

use crate::MAX_QUERY_BYTES;
use crate::ast::{Field, FieldExpr, Scope};
use crate::lex::{Piece, TokenKind, pieces};

pub use filter::lenient_filter;

/// What may stand at a cursor.
#[derive(Debug, Clone, PartialEq)]
pub struct Completion {
    /// What may stand there, the likeliest first; words only as far as they begin with what is typed.
    pub expected: Vec<Expected>,
    /// The bytes of the query that a choice replaces: the name, value or word under the cursor, or nothing.
    pub replace: Range<usize>,
    /// The conditions that are already there, as a query such as `{ .a = 1 }`, to ask for names and values with: those
    /// of the braces around the cursor without the one that the cursor is in, or those of the only braces there are.
    pub filter: Option<String>,
}

/// One thing that may stand at a cursor.
#[derive(Debug, Clone, PartialEq)]
pub enum Expected {
    /// The name of an attribute.
    Attribute {
        /// Whether of the parent span.
        parent: bool,
        /// Where it is looked for; `None` is everywhere.
        scope: Option<Scope>,
        /// What is typed of the name, without quotes.
        prefix: String,
    },
    /// A value that the field has.
    Value {
        /// The field.
        field: Field,
        /// What is typed of the value, without the opening quote; escapes as they stand.
        prefix: String,
    },
    /// A word or symbol of the language.
    Word(WordKind, &'static str),
}

/// What kind of word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WordKind {
    /// The scope of an attribute, its point included, such as `span.`.
    Scope,
    /// An intrinsic, such as `duration`.
    Intrinsic,
    /// A value that is a word, such as `error`; or `with`.
    Keyword,
    /// An operator, such as `&&`.
    Operator,
    /// A stage that is no function, such as `select`; or `{`.
    Stage,
    /// A function, such as `count` or `rate`.
    Function,
    /// The name of a hint.
    Hint,
}

/// Says what may stand at the cursor, a byte offset in `query`; one that is no border between characters, or too
/// large, is taken as the border before it. Nothing is expected in a query that is longer than [`MAX_QUERY_BYTES`],
/// or where the text before the cursor leads nowhere.
pub fn complete(query: &str, cursor: usize) -> Completion {
    let cursor = query.floor_char_boundary(cursor);
    if query.len() > MAX_QUERY_BYTES {
        return Completion { expected: Vec::new(), replace: cursor..cursor, filter: None };
    }
    let pieces = pieces(query);
    let mut place = place::Place::default();
    let mut replace = cursor..cursor;
    for piece in &pieces {
        if piece.span.start >= cursor {
            break;
        }
        let text = query.get(piece.span.clone()).unwrap_or_default();
        if cursor <= piece.span.end && is_being_typed(piece, text, cursor, &place) {
            replace = piece.span.clone();
            break;
        }
        place.follow(piece);
    }
    let typed = query.get(replace.start..cursor).unwrap_or_default();
    let filter = filter::filter_around(query, &pieces, cursor);
    Completion { expected: choice::choices(&place, typed), replace, filter: filter.map(braced) }
}

fn braced(filter: FieldExpr) -> String {
    format!("{{ {filter} }}")
}

/// Whether the piece at whose end, or in which, the cursor stands may still grow.
fn is_being_typed(piece: &Piece, text: &str, cursor: usize, place: &place::Place) -> bool {
    match piece.kind {
        // `!` may become `!=`, `&` and, within braces, `|` be doubled; another symbol is what it is.
        Some(TokenKind::Symbol(symbol)) => {
            let doubled = symbol == "|" && place.inside.what != place::What::Stages;
            place.wants_operator() && (symbol == "!" || doubled || cursor < piece.span.end)
        }
        Some(TokenKind::Text(_)) => cursor < piece.span.end,
        None => text != "&" || place.wants_operator(),
        Some(_) => true,
    }
}
