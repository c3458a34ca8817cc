//! Text to tokens. Whitespace parts tokens and means nothing else; the language has no comments.
//!
//! | file | holds |
//! |---|---|
//! | `mod.rs` | the token, the lexer's loop, symbols |
//! | `lenient.rs` | the tokens of a text that is still being written |
//! | `number.rs` | integers, floats, durations |
//! | `text.rs` | strings |
//! | `word.rs` | names, scopes, attributes |

mod lenient;
mod number;
mod text;
mod word;

pub use lenient::{Piece, pieces};
pub use word::ends_attribute;

use std::ops::Range;

use crate::ast::{Attribute, Intrinsic};
use crate::error::{ParseError, Problem, line_and_column};

/// A token and where it stands, in bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct Token {
    pub kind: TokenKind,
    pub span: Range<usize>,
}

/// What a token is.
#[derive(Debug, Clone, PartialEq)]
pub enum TokenKind {
    /// An operator or a bracket.
    Symbol(&'static str),
    /// A bare word: a literal, an intrinsic, a function; the parser knows which fits.
    Word(String),
    Attribute(Attribute),
    /// An intrinsic written `scope:name`.
    Intrinsic(Intrinsic),
    Int(i64),
    Float(f64),
    /// In nanoseconds.
    Duration(i64),
    Text(String),
    End,
}

/// Longer symbols before their beginnings.
const SYMBOLS: &[&str] = &[
    "&>>", "&<<", "!>>", "!<<", "&&", "||", "&>", "&<", "&~", "!>", "!<", "!~", "!=", "=~", ">=", "<=", ">>",
    "<<", "=", "<", ">", "~", "!", "+", "-", "*", "/", "%", "^", "|", "{", "}", "(", ")", ",",
];

/// All tokens of a query; the last is always [`TokenKind::End`].
pub fn tokens(query: &str) -> Result<Vec<Token>, ParseError> {
    let mut lexer = Lexer { query, at: 0 };
    let mut tokens = Vec::new();
    loop {
        let token = lexer.token().map_err(|fault| error_at(query, fault.offset, fault.problem))?;
        let end = token.kind == TokenKind::End;
        tokens.push(token);
        if end {
            return Ok(tokens);
        }
    }
}

/// An error at a byte offset, with its line and column.
pub fn error_at(query: &str, offset: usize, problem: Problem) -> ParseError {
    let (line, column) = line_and_column(query, offset);
    ParseError { line, column, offset, problem }
}

/// Why there is no token, and where.
struct Fault {
    offset: usize,
    problem: Problem,
}

struct Lexer<'a> {
    query: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    fn token(&mut self) -> Result<Token, Fault> {
        self.space();
        let start = self.at;
        let kind = match self.peek() {
            None => TokenKind::End,
            Some('"') => self.quoted()?,
            Some('`') => self.raw()?,
            Some(c) if c.is_ascii_digit() => self.number()?,
            Some('.') if self.peek_after('.').is_some_and(|c| c.is_ascii_digit()) => self.number()?,
            Some('.') => {
                self.at += 1;
                self.attribute(false, None, start)?
            }
            Some(c) if c.is_ascii_alphabetic() || c == '_' => self.word()?,
            Some(c) => self.symbol(c)?,
        };
        Ok(Token { kind, span: start..self.at })
    }

    fn space(&mut self) {
        self.take_while(char::is_whitespace);
    }

    fn symbol(&mut self, found: char) -> Result<TokenKind, Fault> {
        let Some(symbol) = SYMBOLS.iter().find(|symbol| self.rest().starts_with(**symbol)) else {
            let text = format!("found {found:?}, which begins nothing in TraceQL");
            return Err(self.malformed(self.at, text));
        };
        self.at += symbol.len();
        Ok(TokenKind::Symbol(symbol))
    }

    fn rest(&self) -> &'a str {
        self.query.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// The character after `first`, if `first` is next.
    fn peek_after(&self, first: char) -> Option<char> {
        self.rest().strip_prefix(first)?.chars().next()
    }

    fn eat(&mut self, text: &str) -> bool {
        let found = self.rest().starts_with(text);
        if found {
            self.at += text.len();
        }
        found
    }

    /// The longest stretch of characters that `keep` wants.
    fn take_while(&mut self, keep: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let length = rest.find(|c| !keep(c)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    fn malformed(&self, offset: usize, text: impl Into<String>) -> Fault {
        Fault { offset, problem: Problem::Malformed(text.into()) }
    }
}
