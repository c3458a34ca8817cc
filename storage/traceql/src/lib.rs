//! TraceQL, the language in which traces are asked for: text in, a checked syntax tree out, and back to text.
//!
//! ```
//! let query = spanloom_traceql::parse("{span.http.status_code>=500}|count()>2")?;
//! spanloom_traceql::check(&query)?;
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
//! | `print.rs` | the tree to canonical text |
//! | `check.rs` | types and limits, judged before anything runs |
//! | `error.rs` | what is said when a query is refused |
//! | `value.rs` | a field's value, and how values compare |
//! | `plan/` | a query made ready to run |
//! | `eval/` | a query run over the spans of one trace |
//! | `metrics/` | series over time from the spans of many traces |
//! | `answer.rs` | what a question is answered with |
//!
//! **Invariant:** no runtime, no IO, no panics on any text; recursion is bounded by [`MAX_NESTING`] while
//! parsing and by [`MAX_OPERATORS`] on the finished tree.

pub mod answer;
pub mod ast;
mod check;
mod error;
pub mod eval;
mod lex;
pub mod metrics;
mod names;
mod parse;
pub mod plan;
mod print;
pub mod value;

pub use check::check;
pub use error::{CheckError, ParseError, Problem};
pub use parse::parse;

/// The longest query that is read, in bytes.
pub const MAX_QUERY_BYTES: usize = 128 * 1024;

/// How deep parentheses, braces and prefix operators may nest.
pub const MAX_NESTING: usize = 64;

/// How many binary operators and stages one query may hold. A chain `a || b || c` is as high a tree as it is
/// long, so this bounds what walks the tree: the check, the printer, its release.
pub const MAX_OPERATORS: usize = 1000;
