//! TraceQL, the language in which traces are asked for: text in, a checked syntax tree out, and back to text.
//!
//! ```
//! let query = spanloom_traceql::read("{span.http.status_code>=500}|count()>2")?;
//! assert_eq!(query.to_string(), "{ span.http.status_code >= 500 } | count() > 2");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The language is described at <https://grafana.com/docs/tempo/latest/traceql/>.
//!
//! | file | holds |
//! |---|---|
//! | `ast/` | the syntax tree |
//! | `names.rs` | every name the language knows, and the nearest one to a misspelled name |
//! | `lex/` | text to tokens |
//! | `parse/` | tokens to the tree |
//! | `print/` | the tree to canonical text |
//! | `check/` | types and limits, judged before anything runs |
//! | `regex.rs` | regular expressions, anchored and bounded |
//! | `complete/` | what may stand at the cursor of an unfinished query |
//! | `error.rs` | what is said when a query is refused |
//! | `value.rs` | a field's value, and how values compare |
//! | `plan/` | a query made ready to run |
//! | `eval/` | a query run over the spans of one trace |
//! | `metrics/` | series over time from the spans of many traces |
//! | `answer.rs` | what a question is answered with |
//! | `wire/` | parts of answers as bytes, for another node |
//!
//! **Invariant:** no runtime, no IO, no panics on any text; recursion is bounded by [`MAX_NESTING`] while
//! parsing and by [`MAX_HEIGHT`] on the finished tree.

pub mod answer;
pub mod ast;
mod check;
mod complete;
mod error;
pub mod eval;
mod lex;
pub mod metrics;
mod names;
mod parse;
pub mod plan;
mod print;
mod regex;
pub mod value;
pub mod wire;

pub use check::{check, read};
pub use complete::{Completion, Expected, WordKind, complete, lenient_filter};
pub use error::{CheckError, ParseError, Problem, QueryError};
pub use parse::parse;
pub use regex::{MAX_REGEX_BYTES, compile_regex};

/// The longest query that is read, in bytes.
pub const MAX_QUERY_BYTES: usize = 128 * 1024;

/// How many different fields a query may mention: each is looked for in every block, and for every trace that is
/// judged.
pub const MAX_FIELDS: usize = 1000;

/// How deep parentheses, braces and prefix operators may nest.
pub const MAX_NESTING: usize = 64;

/// How high the tree of a query may be, so that whatever walks one (the check, the printer, an evaluator, its
/// release) may recurse. A chain `a + b + c` is as high as it is long; chains of `&&` or `||` are grouped when they
/// grow long, so these are bounded by [`MAX_QUERY_BYTES`] alone.
pub const MAX_HEIGHT: usize = 1000;
