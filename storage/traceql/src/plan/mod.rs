//! A query made ready to run: its fields numbered, its filters compiled, its constants reckoned, and what a source
//! must hold to be worth a look.
//!
//! | file | holds |
//! |---|---|
//! | `mod.rs` | the plan |
//! | `filter.rs` | a filter as a tree of tests |
//! | `matcher.rs` | one field against constants |

mod filter;
mod matcher;

pub use filter::{Expr, Filter, Test};
pub use matcher::Matcher;

use crate::ast::{Field, Query};

/// Number of a field in [`Plan::fields`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FieldId(pub u16);

/// Number of a filter in [`Plan::filters`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FilterId(pub u16);

/// What a trace must hold to be found: a formula over its spans' filters. It is necessary, not sufficient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: any trace may be found.
    Nothing,
    /// A span for which the filter holds.
    Span(FilterId),
    /// All of these.
    All(Vec<Needs>),
    /// One of these.
    Any(Vec<Needs>),
}

/// A query made ready to run. Immutable; shared by all that work on one question.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The query.
    pub query: Query,
    /// Every field that is read, each once, in the order of first mention.
    pub fields: Vec<Field>,
    /// Every filter that is applied to spans of a whole trace, each once.
    pub filters: Vec<Filter>,
    /// What a trace must hold.
    pub needs: Needs,
    /// Fields that are shown with the spans of an answer.
    pub shown: Vec<FieldId>,
}
