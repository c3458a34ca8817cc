//! Regular expressions of `=~` and `!~`, anchored at both ends.

use std::fmt;
use std::sync::Arc;

use regex::bytes::{Regex, RegexBuilder, RegexSetBuilder};

use crate::value::{Value, elements};

/// How large the automaton of one pattern may become, in bytes.
pub const MAX_REGEX_BYTES: usize = 1 << 20;

/// How large all automata of a query may become together, in bytes.
pub const MAX_REGEXES_BYTES: usize = 16 << 20;

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
        let regex = compile(text, MAX_REGEX_BYTES)?;
        Ok(Self { texts: [text.into()].into(), regexes: [regex].into() })
    }

    /// Several patterns as one. Where they do not go into one automaton they are tried one after the other.
    pub fn any(patterns: &[Pattern]) -> Self {
        let texts: Arc<[Box<str>]> =
            patterns.iter().flat_map(|pattern| pattern.texts.iter().cloned()).collect();
        let joined: Vec<String> = texts.iter().map(|text| format!("(?:{text})")).collect();
        let regexes = match compile(&joined.join("|"), MAX_REGEXES_BYTES) {
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

/// Refuses patterns whose automata would be too large together.
pub fn check_together(texts: &[&str]) -> Result<(), String> {
    if texts.len() <= MAX_REGEXES_BYTES / MAX_REGEX_BYTES {
        return Ok(());
    }
    let anchored = texts.iter().map(|text| format!("^(?:{text})$"));
    match RegexSetBuilder::new(anchored).size_limit(MAX_REGEXES_BYTES).build() {
        Ok(_) => Ok(()),
        Err(regex::Error::CompiledTooBig(limit)) => {
            Err(format!("the regular expressions need more than {limit} bytes together; make them simpler"))
        }
        Err(error) => Err(format!("a regular expression cannot be read: {error}")),
    }
}

fn compile(text: &str, limit: usize) -> Result<Regex, String> {
    let build = RegexBuilder::new(&format!("^(?:{text})$")).size_limit(limit).build();
    build.map_err(|error| match error {
        regex::Error::CompiledTooBig(limit) => {
            format!("the regular expression needs more than {limit} bytes when compiled; make it simpler")
        }
        error => format!("the regular expression cannot be read: {error}"),
    })
}
