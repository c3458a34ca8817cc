//! Tokens to the tree, by recursive descent with operator precedence.
//!
//! From loose to tight: `|`; `&&` and `||` alike; comparisons and structural operators; `+ -`; `!`; `* / %`;
//! `^`, which alone binds to the right; unary minus.
//!
//! | file | holds |
//! |---|---|
//! | `mod.rs` | the parser's place, limits, precedence, literals, fields |
//! | `chain.rs` | operands joined by `&&` and `||`, and how high a tree becomes |
//! | `field.rs` | expressions over one span |
//! | `pipeline.rs` | stages, spansets, scalars |
//! | `metrics.rs` | functions over time, second stages, arithmetic over series |

mod chain;
mod field;
mod metrics;
mod pipeline;

use crate::ast::{Body, Field, FieldExpr, Hint, Literal, Query};
use crate::error::{ParseError, Problem};
use crate::lex::{Token, TokenKind, error_at, tokens};
use crate::{MAX_HEIGHT, MAX_NESTING, MAX_QUERY_BYTES, names};

pub(crate) use chain::{Chain, Tall};
pub(crate) use field::OPERATORS;
pub(crate) use pipeline::SET_OPERATORS;

pub(crate) mod level {
    //! How tightly operators bind; higher is tighter.
    pub const LOGIC: u8 = 1;
    pub const COMPARE: u8 = 2;
    pub const SUM: u8 = 3;
    pub const NOT: u8 = 4;
    pub const PRODUCT: u8 = 5;
    pub const POWER: u8 = 6;
    pub const NEGATE: u8 = 7;
    pub const ATOM: u8 = 8;
}

/// Reads a query. Says the first thing that is wrong, with its place.
pub fn parse(query: &str) -> Result<Query, ParseError> {
    if query.len() > MAX_QUERY_BYTES {
        return Err(error_at(query, 0, Problem::Limit { what: "bytes", limit: MAX_QUERY_BYTES }));
    }
    let mut parser = Parser { query, tokens: tokens(query)?, at: 0, nesting: 0 };
    let body = parser.body()?;
    let hints = parser.hints()?;
    if parser.peek() != &TokenKind::End {
        return Err(parser.unexpected(match body {
            _ if !hints.is_empty() => "the end of the query",
            Body::Search(_) => "`|`, an operator, `with` or the end of the query",
            Body::Metrics(_) => {
                "`|`, `with` or the end of the query; an operator takes series between parentheses"
            }
        }));
    }
    Ok(Query { body, hints })
}

/// Reads one operand of `&&` or `||`, with nothing after it, as a tree that is within the limits.
pub(crate) fn parse_condition(text: &str) -> Result<Tall<FieldExpr>, ParseError> {
    let mut parser = Parser { query: text, tokens: tokens(text)?, at: 0, nesting: 0 };
    let condition = parser.field_expr(level::COMPARE)?;
    if parser.peek() != &TokenKind::End {
        return Err(parser.unexpected("the end of the condition"));
    }
    Ok(condition)
}

struct Parser<'a> {
    query: &'a str,
    tokens: Vec<Token>,
    at: usize,
    nesting: usize,
}

impl Parser<'_> {
    fn body(&mut self) -> Result<Body, ParseError> {
        match self.flow()? {
            pipeline::Flow::Pipeline(pipeline) => Ok(Body::Search(self.bounded(pipeline)?.tree)),
            pipeline::Flow::Metrics(metrics) => Ok(Body::Metrics(self.bounded(metrics)?.tree)),
            pipeline::Flow::Scalar(_) => Err(self.unexpected("a comparison, such as `> 2`")),
        }
    }

    fn hints(&mut self) -> Result<Vec<Hint>, ParseError> {
        if !self.eat_word("with") {
            return Ok(Vec::new());
        }
        self.expect("(", "`(`")?;
        let mut hints = Vec::new();
        loop {
            let TokenKind::Word(name) = self.peek().clone() else {
                return Err(self.unexpected("the name of a hint"));
            };
            self.at += 1;
            self.expect("=", "`=`")?;
            let value = self.literal().ok_or_else(|| self.unexpected("a value"))?;
            hints.push(Hint { name, value });
            if !self.eat(",") {
                break;
            }
        }
        self.expect(")", "`,` or `)`")?;
        Ok(hints)
    }

    /// A value as written, with its sign; `None`, and nothing taken, if there is none.
    fn literal(&mut self) -> Option<Literal> {
        let negative = self.peek() == &TokenKind::Symbol("-");
        let token = self.tokens.get(self.at + usize::from(negative)).map(|token| &token.kind);
        let sign = if negative { -1 } else { 1 };
        let literal = match token {
            Some(TokenKind::Int(number)) => Some(Literal::Int(number * sign)),
            Some(TokenKind::Float(number)) if negative => Some(Literal::Float(-number)),
            Some(TokenKind::Float(number)) => Some(Literal::Float(*number)),
            Some(TokenKind::Duration(ns)) => Some(Literal::Duration(ns * sign)),
            Some(TokenKind::Text(text)) if !negative => Some(Literal::Text(text.clone())),
            Some(TokenKind::Word(word)) if !negative => names::find(names::WORD_LITERALS, word),
            _ => None,
        };
        if literal.is_some() {
            self.at += 1 + usize::from(negative);
        }
        literal
    }

    /// An attribute or an intrinsic; `None`, and nothing taken, if there is none.
    fn field(&mut self) -> Option<Field> {
        let field = match self.peek() {
            TokenKind::Attribute(attribute) => Field::Attribute(attribute.clone()),
            TokenKind::Intrinsic(intrinsic) => Field::Intrinsic(*intrinsic),
            TokenKind::Word(word) => Field::Intrinsic(names::find(names::WORD_INTRINSICS, word)?),
            _ => return None,
        };
        self.at += 1;
        Some(field)
    }

    fn expect_field(&mut self) -> Result<Field, ParseError> {
        match self.field() {
            Some(field) => Ok(field),
            None => Err(self.no_value("an attribute or an intrinsic")),
        }
    }

    /// Fields between parentheses, at least one.
    fn fields(&mut self) -> Result<Vec<Field>, ParseError> {
        self.expect("(", "`(`")?;
        let mut fields = vec![self.expect_field()?];
        while self.eat(",") {
            fields.push(self.expect_field()?);
        }
        self.expect(")", "`,` or `)`")?;
        Ok(fields)
    }

    fn peek(&self) -> &TokenKind {
        self.tokens.get(self.at).map_or(&TokenKind::End, |token| &token.kind)
    }

    fn peek_symbol(&self) -> Option<&'static str> {
        match self.peek() {
            TokenKind::Symbol(symbol) => Some(symbol),
            _ => None,
        }
    }

    fn peek_word(&self) -> Option<&str> {
        match self.peek() {
            TokenKind::Word(word) => Some(word),
            _ => None,
        }
    }

    fn eat(&mut self, symbol: &str) -> bool {
        let found = self.peek_symbol() == Some(symbol);
        self.at += usize::from(found);
        found
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let found = self.peek_word() == Some(word);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, symbol: &str, expected: &'static str) -> Result<(), ParseError> {
        if self.eat(symbol) { Ok(()) } else { Err(self.unexpected(expected)) }
    }

    /// Runs `inner` one level deeper, within the limit.
    fn nested<T>(&mut self, inner: impl FnOnce(&mut Self) -> Result<T, ParseError>) -> Result<T, ParseError> {
        if self.nesting == MAX_NESTING {
            return Err(self.problem(Problem::Limit { what: "levels of nesting", limit: MAX_NESTING }));
        }
        self.nesting += 1;
        let value = inner(self);
        self.nesting -= 1;
        value
    }

    /// A tree that grew, within the limit.
    fn bounded<T>(&self, of: Tall<T>) -> Result<Tall<T>, ParseError> {
        if of.height > MAX_HEIGHT {
            let what = "operators that build on one another";
            return Err(self.problem(Problem::Limit { what, limit: MAX_HEIGHT }));
        }
        Ok(of)
    }

    fn problem(&self, problem: Problem) -> ParseError {
        let offset = self.tokens.get(self.at).map_or(self.query.len(), |token| token.span.start);
        error_at(self.query, offset, problem)
    }

    fn unexpected(&self, expected: &'static str) -> ParseError {
        /// Longer tokens are shown by their beginning.
        const SHOWN: usize = 40;
        let found = match self.tokens.get(self.at) {
            Some(token) if token.kind != TokenKind::End => {
                let text = self.query.get(token.span.clone()).unwrap_or_default();
                let shown: String = text.chars().take(SHOWN).collect();
                let more = if shown.len() < text.len() { "..." } else { "" };
                format!("`{shown}{more}`")
            }
            _ => "the end of the query".to_owned(),
        };
        self.problem(Problem::Unexpected { found, expected })
    }

    /// No value stands here; a word that is nothing is told its nearest neighbour.
    fn no_value(&self, expected: &'static str) -> ParseError {
        let known = names::WORD_INTRINSICS.iter().map(|(name, _)| *name);
        let known = known.chain(names::WORD_LITERALS.iter().map(|(name, _)| *name));
        self.unknown_word("intrinsic or value", known).unwrap_or_else(|| self.unexpected(expected))
    }

    fn unknown_word(
        &self,
        what: &'static str,
        known: impl Iterator<Item = &'static str>,
    ) -> Option<ParseError> {
        let name = self.peek_word()?;
        let known: Vec<&'static str> = known.collect();
        if known.contains(&name) {
            return None;
        }
        let nearest = names::nearest(name, known.into_iter());
        Some(self.problem(Problem::UnknownName { what, name: name.to_owned(), nearest }))
    }
}
