//! Expressions over series.

use super::{BinaryOp, Field, FieldExpr, Literal, Pipeline};

/// An expression whose value is a set of series.
#[derive(Debug, Clone, PartialEq)]
pub enum Metrics {
    /// `pipeline | function by(...)`.
    Series {
        /// Which spans.
        pipeline: Box<Pipeline>,
        /// What is made of them.
        function: Function,
        /// The labels.
        by: Vec<Field>,
    },
    /// A number, within arithmetic.
    Number(Literal),
    /// Arithmetic; at least one operand, however deep, is a series.
    Math {
        /// An arithmetic operator.
        op: BinaryOp,
        /// Left operand.
        left: Box<Metrics>,
        /// Right operand.
        right: Box<Metrics>,
    },
    /// Series that are filtered. The source is never itself `Then`.
    Then(Box<Metrics>, Vec<SecondStage>),
}

/// What is made of spans over time.
#[derive(Debug, Clone, PartialEq)]
pub enum Function {
    /// Spans per second.
    Rate,
    /// Spans.
    CountOverTime,
    /// A statistic of a field.
    OverTime(OverTime, Field),
    /// Quantiles of a field, each from 0 to 1.
    Quantile(Field, Vec<f64>),
    /// What sets the selected spans apart from the others.
    Compare {
        /// The filter of the selection; without, every span.
        selection: Option<Box<FieldExpr>>,
        /// How many values an attribute shows.
        top: Option<i64>,
        /// From and until, in ns since 1970.
        window: Option<(i64, i64)>,
    },
}

/// A statistic of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variants are the words of the language")]
pub enum OverTime {
    Min,
    Max,
    Avg,
    Sum,
    Histogram,
}

/// What is done to series.
#[derive(Debug, Clone, PartialEq)]
pub enum SecondStage {
    /// The largest at each time.
    Topk(i64),
    /// The smallest at each time.
    Bottomk(i64),
    /// Values kept by a comparison.
    Filter(BinaryOp, Literal),
}
