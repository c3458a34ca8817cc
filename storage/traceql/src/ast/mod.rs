//! The syntax tree. Two texts that mean the same by spelling alone (`duration`, `span:duration`) are one tree.
//!
//! | file | holds |
//! |---|---|
//! | `mod.rs` | the query, its pipeline, spansets, scalars |
//! | `field.rs` | expressions over one span: what stands between braces |
//! | `metrics.rs` | expressions over series |

mod field;
mod metrics;

pub use field::{Attribute, BinaryOp, Field, FieldExpr, Intrinsic, Kind, Literal, Scope, Status};
pub use metrics::{Function, Metrics, OverTime, SecondStage};

/// A whole query.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// What is asked.
    pub body: Body,
    /// The hints of `with(...)`, in the order written.
    pub hints: Vec<Hint>,
}

/// What is asked: traces or series.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// Traces, by a pipeline over spansets.
    Search(Pipeline),
    /// Series.
    Metrics(Metrics),
}

/// `name=value` within `with(...)`.
#[derive(Debug, Clone, PartialEq)]
pub struct Hint {
    /// The name.
    pub name: String,
    /// The value.
    pub value: Literal,
}

/// Stages, each fed by the one before. Never empty; the first stage is never [`Set::Pipeline`] alone.
#[derive(Debug, Clone, PartialEq)]
pub struct Pipeline {
    /// The stages.
    pub stages: Vec<Stage>,
}

/// One stage of a pipeline.
#[derive(Debug, Clone, PartialEq)]
pub enum Stage {
    /// Spans that are selected and combined.
    Set(Set),
    /// Spansets kept by a comparison, such as `count() > 2`.
    Compare {
        /// A comparison.
        op: BinaryOp,
        /// Left operand.
        left: Scalar,
        /// Right operand.
        right: Scalar,
    },
    /// Each spanset split by the value of an expression.
    By(FieldExpr),
    /// The spansets of a trace joined into one.
    Coalesce,
    /// Fields added to the answer.
    Select(Vec<Field>),
}

/// An expression whose value is a spanset.
#[derive(Debug, Clone, PartialEq)]
pub enum Set {
    /// `{ ... }`; without expression, every span.
    Filter(Option<Box<FieldExpr>>),
    /// Two spansets combined.
    Combine {
        /// How.
        op: SetOp,
        /// Left operand.
        left: Box<Set>,
        /// Right operand.
        right: Box<Set>,
    },
    /// A pipeline in parentheses: several stages, or one that is no spanset.
    Pipeline(Box<Pipeline>),
}

/// How two spansets are combined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetOp {
    /// The trace has both; both are returned.
    And,
    /// The trace has either.
    Or,
    /// By the structure of the trace.
    Structural(Relation, Answer),
}

/// Where the right span stands as seen from the left one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// `>`: it is a child.
    Child,
    /// `>>`: it is a descendant.
    Descendant,
    /// `<`: it is the parent.
    Parent,
    /// `<<`: it is an ancestor.
    Ancestor,
    /// `~`: it has the same parent and is another span.
    Sibling,
}

/// Which spans a structural operator returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The right spans with a match on the left.
    Right,
    /// The right spans without one (`!>`).
    Unmatched,
    /// The spans of both sides that match (`&>`).
    Both,
}

/// An expression whose value is one number per spanset.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar {
    /// A value as written.
    Literal(Literal),
    /// A function over the spans; all but `count` take an expression.
    Aggregate(Aggregate, Option<FieldExpr>),
    /// Arithmetic.
    Binary {
        /// An arithmetic operator.
        op: BinaryOp,
        /// Left operand.
        left: Box<Scalar>,
        /// Right operand.
        right: Box<Scalar>,
    },
    /// `(pipeline | scalar)`.
    Pipeline(Box<Pipeline>, Box<Scalar>),
}

/// A function over the spans of a spanset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aggregate {
    /// How many spans.
    Count,
    /// The mean.
    Avg,
    /// The smallest.
    Min,
    /// The largest.
    Max,
    /// The sum.
    Sum,
}
