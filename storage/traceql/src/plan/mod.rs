//! A query made ready to run: its fields numbered, its filters compiled, its constants reckoned, and what a source
//! must hold to be worth a look.
//!
//! | file | holds |
//! |---|---|
//! | `mod.rs` | the plan |
//! | `fields.rs` | fields by number, and where their values come from |
//! | `mention.rs` | the fields that a query mentions, in order |
//! | `filter.rs` | a filter as a tree of tests |
//! | `matcher.rs` | one field against constants |
//! | `set.rs` | many constants as one lookup |
//! | `pattern.rs` | regular expressions |
//! | `reckon.rs` | values that are reckoned before they are compared |
//! | `compile.rs` | expressions to filters |
//! | `rewrite.rs` | conditions that are cheaper said otherwise |
//! | `pipeline.rs` | pipelines over spansets |
//! | `metrics.rs` | expressions over series |
//! | `needs.rs` | what a trace must hold |
//! | `build.rs` | the tree of a query to a plan |

mod build;
mod compile;
mod fields;
mod filter;
mod matcher;
mod mention;
mod metrics;
mod needs;
mod pattern;
mod pipeline;
mod reckon;
mod rewrite;
mod set;

pub use fields::Origin;
pub use filter::{Expr, Filter, Read, Test};
pub use matcher::Matcher;
pub use metrics::{ComparePlan, Leaf, Measure, MetricsPlan, Second, SeriesExpr};
pub use pattern::Pattern;
pub use pipeline::{PipelinePlan, PlanScalar, PlanSet, PlanStage};
pub use reckon::{Operand, Reckon};
pub use set::{Class, ValueSet};

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
    /// One of these; without any, no trace is found.
    Any(Vec<Needs>),
}

/// A query that cannot be made ready to run, though its tree is one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{part}`: {reason}")]
pub struct PlanError {
    /// The offending part in canonical text.
    pub part: String,
    /// What was found and what was expected.
    pub reason: String,
}

/// A query made ready to run. Immutable; shared by all that work on one question.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The query.
    pub query: Query,
    /// Every field that is read, each once: those that the query mentions in the order of first mention, each
    /// followed by what it stands for in the parent, then those that rewritten conditions read.
    pub fields: Vec<Field>,
    /// Where the value of each field comes from. A source is only asked for [`Origin::Local`] ones.
    pub origins: Vec<Origin>,
    /// Every filter that is applied to spans of a whole trace, each once.
    pub filters: Vec<Filter>,
    /// What a trace must hold.
    pub needs: Needs,
    /// Fields that are shown with the spans of an answer.
    pub shown: Vec<FieldId>,
    /// What is asked.
    pub body: Body,
}

/// What is asked: traces or series.
#[derive(Debug, Clone)]
pub enum Body {
    /// Traces.
    Search(PipelinePlan),
    /// Series.
    Metrics(MetricsPlan),
}

impl Plan {
    /// Makes a query ready to run. It is taken as checked ([`crate::check`]); what would be refused there matches
    /// nothing here. Refused is what only shows when compiling: patterns that cannot be read or are too large.
    pub fn new(query: &Query) -> Result<Self, PlanError> {
        build::build(query)
    }

    /// A field by number.
    pub fn field(&self, id: FieldId) -> Option<&Field> {
        self.fields.get(usize::from(id.0))
    }

    /// Where the value of a field comes from.
    #[inline]
    pub fn origin(&self, id: FieldId) -> Origin {
        self.origins.get(usize::from(id.0)).copied().unwrap_or(Origin::Local)
    }

    /// A filter by number.
    pub fn filter(&self, id: FilterId) -> Option<&Filter> {
        self.filters.get(usize::from(id.0))
    }

    /// The pipeline, when traces are asked for.
    pub fn pipeline(&self) -> Option<&PipelinePlan> {
        if let Body::Search(pipeline) = &self.body { Some(pipeline) } else { None }
    }

    /// The leaves and what is made of them, when series are asked for.
    pub fn metrics(&self) -> Option<&MetricsPlan> {
        if let Body::Metrics(metrics) = &self.body { Some(metrics) } else { None }
    }

    /// The filter, when traces are asked for by one filter and nothing else but `select`. If it does not read the
    /// trace, its spans are the one spanset of each trace that has some, and no trace need be judged whole.
    pub fn simple_filter(&self) -> Option<FilterId> {
        self.pipeline()?.simple_filter()
    }

    /// What a field is called where a span is shown: the attribute's name without scope, or the intrinsic's name.
    pub fn key(&self, id: FieldId) -> &str {
        self.field(id).map_or("", fields::key_of)
    }
}
