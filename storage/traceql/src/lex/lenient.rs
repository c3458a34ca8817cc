//! The tokens of a text that is still being written: what is no token is passed over and kept as a broken piece.

use std::ops::Range;

use super::{Lexer, TokenKind, ends_attribute};

/// A token, or what could not be read as one, and where it stands, in bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct Piece {
    /// `None` if it is broken.
    pub kind: Option<TokenKind>,
    pub span: Range<usize>,
}

impl Piece {
    pub fn is(&self, symbol: &str) -> bool {
        matches!(self.kind, Some(TokenKind::Symbol(found)) if found == symbol)
    }
}

/// All pieces of a text, [`TokenKind::End`] left out.
pub fn pieces(text: &str) -> Vec<Piece> {
    let mut lexer = Lexer { query: text, at: 0 };
    let mut pieces = Vec::new();
    loop {
        lexer.space();
        let start = lexer.at;
        let kind = match lexer.token() {
            Ok(token) if token.kind == TokenKind::End => return pieces,
            Ok(token) => Some(token.kind),
            Err(_) => {
                lexer.at = start;
                lexer.broken();
                None
            }
        };
        pieces.push(Piece { kind, span: start..lexer.at });
    }
}

impl Lexer<'_> {
    /// Passes over what is no token: at least one character.
    fn broken(&mut self) {
        match self.peek() {
            Some(quote @ ('"' | '`')) => self.pass_quoted(quote),
            Some(c) => {
                self.at += c.len_utf8();
                if !ends_attribute(c) {
                    self.pass_name();
                }
            }
            None => {}
        }
    }

    /// Passes over what may belong to a name, quoted parts included.
    fn pass_name(&mut self) {
        while let Some(c) = self.peek().filter(|c| !ends_attribute(*c)) {
            if c == '"' {
                self.pass_quoted(c);
            } else {
                self.at += c.len_utf8();
            }
        }
    }

    /// Passes over everything up to the closing quote, or to the end.
    fn pass_quoted(&mut self, quote: char) {
        let mut escaped = true; // the opening quote closes nothing
        while let Some(c) = self.peek() {
            self.at += c.len_utf8();
            if c == quote && !escaped {
                return;
            }
            escaped = c == '\\' && !escaped && quote == '"';
        }
    }
}
