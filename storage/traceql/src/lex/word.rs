//! Names: bare words, `scope:intrinsic`, and attributes with their scopes and quoted parts.

use super::{Fault, Lexer, TokenKind};
use crate::ast::{Attribute, Scope};
use crate::error::Problem;
use crate::names;

/// Whether an attribute's name ends before `c`, unless quoted.
pub fn ends_attribute(c: char) -> bool {
    c.is_whitespace() || "{}()=~!<>&|^,".contains(c)
}

impl Lexer<'_> {
    pub(super) fn word(&mut self) -> Result<TokenKind, Fault> {
        let start = self.at;
        let word = self.take_while(|c| c.is_ascii_alphanumeric() || c == '_');
        match self.peek() {
            Some('.') => self.scoped(start, word),
            Some(':') => self.scoped_intrinsic(start),
            _ => Ok(TokenKind::Word(word.to_owned())),
        }
    }

    fn scoped(&mut self, start: usize, word: &str) -> Result<TokenKind, Fault> {
        self.at += 1;
        if word == "parent" {
            let scope = [("span.", Scope::Span), ("resource.", Scope::Resource)];
            let scope = scope.into_iter().find(|(text, _)| self.eat(text)).map(|(_, scope)| scope);
            return self.attribute(true, scope, start);
        }
        if let Some(scope) = names::find(names::SCOPES, word) {
            return self.attribute(false, Some(scope), start);
        }
        let known = names::SCOPES.iter().map(|(name, _)| *name).chain(["parent"]);
        let nearest = names::nearest(word, known);
        Err(self.unknown(start, "scope", word, nearest))
    }

    fn scoped_intrinsic(&mut self, start: usize) -> Result<TokenKind, Fault> {
        self.at += 1;
        self.take_while(|c| c.is_ascii_alphanumeric() || c == '_');
        let name = &self.query[start..self.at];
        if let Some(intrinsic) = names::find(names::SCOPED_INTRINSICS, name) {
            return Ok(TokenKind::Intrinsic(intrinsic));
        }
        let nearest = names::nearest(name, names::SCOPED_INTRINSICS.iter().map(|(name, _)| *name));
        Err(self.unknown(start, "intrinsic", name, nearest))
    }

    /// The name of an attribute, its scope read already.
    pub(super) fn attribute(
        &mut self,
        parent: bool,
        scope: Option<Scope>,
        start: usize,
    ) -> Result<TokenKind, Fault> {
        let mut name = String::new();
        loop {
            name.push_str(self.take_while(|c| c != '"' && !ends_attribute(c)));
            if self.peek() != Some('"') {
                break;
            }
            self.quoted_part(&mut name)?;
        }
        if name.is_empty() {
            return Err(self.malformed(start, "the attribute has no name"));
        }
        Ok(TokenKind::Attribute(Attribute { parent, scope, name }))
    }

    /// Anything between quotes; only `\"` and `\\` are escapes.
    fn quoted_part(&mut self, name: &mut String) -> Result<(), Fault> {
        let start = self.at;
        self.at += 1;
        loop {
            name.push_str(self.take_while(|c| c != '"' && c != '\\'));
            if self.eat("\"") {
                return Ok(());
            }
            if self.peek().is_none() {
                return Err(self.malformed(start, "the quoted part of the attribute has no closing `\"`"));
            }
            let escape = self.at;
            self.at += 1;
            match self.peek() {
                Some(c @ ('"' | '\\')) => name.push(c),
                _ => {
                    let text = "only `\\\"` and `\\\\` are escapes in the name of an attribute";
                    return Err(self.malformed(escape, text));
                }
            }
            self.at += 1;
        }
    }

    fn unknown(&self, at: usize, what: &'static str, name: &str, nearest: Option<&'static str>) -> Fault {
        Fault { offset: at, problem: Problem::UnknownName { what, name: name.to_owned(), nearest } }
    }
}
