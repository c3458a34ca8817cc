//! Why a text was refused, in parts: the place is put together on the way out, so that going in costs nothing.

use std::borrow::Cow;
use std::fmt::Write;

use crate::foreign::{Fault, Foreign};

/// Why a text is not a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the JSON is wrong at {} (line {line} column {column}): {message}", PathText(path))]
pub struct JsonError {
    /// Where, such as `resourceSpans[0].scopeSpans[2].spans[1].traceId`; empty at the top.
    pub path: String,
    /// Line, counted from 1.
    pub line: usize,
    /// Column, counted from 1.
    pub column: usize,
    /// What was found and what was expected.
    pub message: String,
}

struct PathText<'a>(&'a str);

impl std::fmt::Display for PathText<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_empty() { "its top" } else { self.0 })
    }
}

/// A result; the error is behind a pointer, since there is none nearly always.
pub type Raised<T> = Result<T, Box<Flaw>>;

/// What is wrong.
#[derive(Debug)]
pub struct Flaw {
    fault: Fault,
    at: usize,
    found: Cow<'static, str>,
    expected: Cow<'static, str>,
    /// From the innermost outwards.
    path: Vec<Step>,
}

#[derive(Debug)]
enum Step {
    Field(Cow<'static, str>),
    Index(usize),
}

impl Flaw {
    #[cold]
    pub fn new(
        fault: Fault,
        at: usize,
        found: impl Into<Cow<'static, str>>,
        expected: impl Into<Cow<'static, str>>,
    ) -> Box<Self> {
        Box::new(Self { fault, at, found: found.into(), expected: expected.into(), path: Vec::new() })
    }

    /// Something else than expected.
    #[cold]
    pub fn malformed(
        at: usize,
        found: impl Into<Cow<'static, str>>,
        expected: impl Into<Cow<'static, str>>,
    ) -> Box<Self> {
        Self::new(Fault::Malformed, at, found, expected)
    }

    /// The end, too early.
    #[cold]
    pub fn truncated(at: usize, expected: impl Into<Cow<'static, str>>) -> Box<Self> {
        Self::new(Fault::Truncated, at, "found the end", expected)
    }

    /// It lies in a field.
    #[cold]
    pub fn in_field(mut self: Box<Self>, name: impl Into<Cow<'static, str>>) -> Box<Self> {
        self.path.push(Step::Field(name.into()));
        self
    }

    /// It lies in a list.
    #[cold]
    pub fn in_list(mut self: Box<Self>, index: usize) -> Box<Self> {
        self.path.push(Step::Index(index));
        self
    }

    fn path(&self) -> String {
        let mut place = String::new();
        for step in self.path.iter().rev() {
            // Writing to a String does not fail.
            let _ = match step {
                Step::Field(name) if place.is_empty() => write!(place, "{name}"),
                Step::Field(name) => write!(place, ".{name}"),
                Step::Index(index) => write!(place, "[{index}]"),
            };
        }
        place
    }

    /// As told to those who sent the text.
    pub fn json_error(&self, json: &[u8]) -> JsonError {
        let (line, column) = line_and_column(json, self.at);
        JsonError {
            path: self.path(),
            line,
            column,
            message: format!("{}, expected {}", self.found, self.expected),
        }
    }

    /// As the translations of other formats tell it.
    fn foreign(&self) -> Foreign {
        let path = self.path();
        let place = if path.is_empty() { String::new() } else { format!(" in {path}") };
        let found = self.found.strip_prefix("found ").unwrap_or(&self.found);
        Foreign::new(self.fault, self.at, format!("{found}{place}"), self.expected.clone())
    }
}

impl From<Box<Flaw>> for Foreign {
    #[cold]
    fn from(flaw: Box<Flaw>) -> Self {
        flaw.foreign()
    }
}

/// The line and the column of a byte, counted from 1.
fn line_and_column(json: &[u8], at: usize) -> (usize, usize) {
    let before = &json[..at.min(json.len())];
    let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    (1 + before.iter().filter(|byte| **byte == b'\n').count(), before.len() - line_start + 1)
}
