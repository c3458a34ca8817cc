//! Regular expressions of `=~` and `!~`, anchored at both ends.

use std::fmt;
use std::sync::Arc;

use regex::bytes::Regex;

use crate::compile_regex;
use crate::value::{Value, elements};

/// A regular expression, or several of which one matches. Clones share one.
#[derive(Clone)]
pub struct Pattern {
    texts: Arc<[Box<str>]>,
    /// One for each text, or one for all of them.
    regexes: Arc<[Regex]>,
}

impl Pattern {
    /// Compiles one pattern. Says why it cannot.
    pub fn new(text: &str) -> Result<Self, String> {
        let regex = compile_regex(text)?;
        Ok(Self { texts: [text.into()].into(), regexes: [regex].into() })
    }

    /// Several patterns as one. Where they do not go into one automaton they are tried one after the other.
    pub fn any(patterns: &[Pattern]) -> Self {
        let texts: Arc<[Box<str>]> =
            patterns.iter().flat_map(|pattern| pattern.texts.iter().cloned()).collect();
        let joined: Vec<String> = texts.iter().map(|text| format!("(?:{text})")).collect();
        let regexes = match compile_regex(&joined.join("|")) {
            Ok(regex) => [regex].into(),
            Err(_) => patterns.iter().flat_map(|pattern| pattern.regexes.iter().cloned()).collect(),
        };
        Self { texts, regexes }
    }

    /// The patterns as written.
    pub fn texts(&self) -> &[Box<str>] {
        &self.texts
    }

    /// Whether one of the patterns matches a text as a whole.
    #[inline]
    pub fn is_match(&self, text: &[u8]) -> bool {
        self.regexes.iter().any(|regex| regex.is_match(text))
    }

    /// Whether `value =~ pattern` holds for one of the patterns.
    #[inline]
    pub fn matches(&self, value: Value<'_>) -> bool {
        match value {
            Value::Text(text) => self.is_match(text),
            Value::Array(body) => self.matches_element(body),
            _ => false,
        }
    }

    /// Whether `value !~ pattern` holds for each of the patterns.
    #[inline]
    pub fn excludes(&self, value: Value<'_>) -> bool {
        match value {
            Value::Text(text) => !self.is_match(text),
            Value::Array(body) => !self.matches_element(body),
            _ => false,
        }
    }

    fn matches_element(&self, body: &[u8]) -> bool {
        elements(body).any(|element| matches!(element, Value::Text(text) if self.is_match(text)))
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.texts.fmt(f)
    }
}
