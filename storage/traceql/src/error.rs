//! What is said when a query is refused: where, what was found, what was expected, the nearest known name.

use std::fmt;

/// A text that is not a query. Nothing was changed; asking again with the same text fails again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {problem}")]
pub struct ParseError {
    /// Line, counted from 1.
    pub line: usize,
    /// Column in characters, counted from 1.
    pub column: usize,
    /// Byte offset in the query.
    pub offset: usize,
    /// What is wrong there.
    pub problem: Problem,
}

/// What is wrong with a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// One thing was found where another was expected.
    Unexpected {
        /// What stands there.
        found: String,
        /// What could stand there.
        expected: &'static str,
    },
    /// A name that the language does not know.
    UnknownName {
        /// What kind of name it would be.
        what: &'static str,
        /// The name as written.
        name: String,
        /// The nearest known name, if one is near.
        nearest: Option<&'static str>,
    },
    /// A string, number or attribute that is not well formed.
    Malformed(String),
    /// A limit of the language is exceeded.
    Limit {
        /// What is limited.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::Unexpected { found, expected } => write!(f, "found {found}, expected {expected}"),
            Problem::UnknownName { what, name, nearest } => {
                write!(f, "unknown {what} `{name}`")?;
                match nearest {
                    Some(nearest) => write!(f, ", did you mean `{nearest}`?"),
                    None => Ok(()),
                }
            }
            Problem::Malformed(text) => f.write_str(text),
            Problem::Limit { what, limit } => write!(f, "the query has more than {limit} {what}"),
        }
    }
}

/// A query that is well formed but means nothing.
///
/// The place is one in the text that was read, if [`crate::read`] read it. [`crate::check`] knows the tree alone,
/// and gives the place in its canonical text, `query.to_string()`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: `{part}`: {reason}")]
pub struct CheckError {
    /// Line, counted from 1.
    pub line: usize,
    /// Column in characters, counted from 1.
    pub column: usize,
    /// Byte offset at which the offending part begins, parentheses around it left out.
    pub offset: usize,
    /// The offending part in canonical text, or its beginning if it is long.
    pub part: String,
    /// What was found and what was expected.
    pub reason: String,
}

/// A text that is no query, or one that means nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// The text cannot be read.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// What was read means nothing.
    #[error(transparent)]
    Check(#[from] CheckError),
}

/// Line and column of a byte offset, both counted from 1, the column in characters.
pub(crate) fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}
