//! Expressions over series, compiled.

use std::sync::Arc;

use super::{FieldId, FilterId, Needs};
use crate::plan::PipelinePlan;
use crate::value::{ArithmeticOp, CompareOp};

/// A query for series.
#[derive(Debug, Clone)]
pub struct MetricsPlan {
    /// Which spans are counted, and how. Each is fed on its own.
    pub leaves: Vec<Leaf>,
    /// What is made of their series.
    pub series: SeriesExpr,
    /// Most exemplars of a series, if the query's hints say so.
    pub exemplars: Option<usize>,
}

impl MetricsPlan {
    /// Whether a series that some of the spans make is one that all of them make, too, if with other samples: what
    /// was counted so far can be shown. Not so where series are chosen by their samples.
    pub fn only_grows(&self) -> bool {
        let is_chosen = |leaf: &Leaf| matches!(leaf.function, Measure::Compare(_));
        !self.leaves.iter().any(is_chosen) && self.series.only_grows()
    }
}

impl SeriesExpr {
    fn only_grows(&self) -> bool {
        match self {
            SeriesExpr::Leaf(_) | SeriesExpr::Number(_) => true,
            SeriesExpr::Math(_, left, right) => left.only_grows() && right.only_grows(),
            SeriesExpr::Then(source, stages) => stages.is_empty() && source.only_grows(),
        }
    }
}

/// `pipeline | function by(...)`.
#[derive(Debug, Clone)]
pub struct Leaf {
    /// Which spans.
    pub pipeline: PipelinePlan,
    /// What a trace must hold to have such spans.
    pub needs: Needs,
    /// What is made of them.
    pub function: Measure,
    /// The function's name, such as `rate`.
    pub name: &'static str,
    /// The labels: fields and names.
    pub by: Vec<(FieldId, Arc<str>)>,
    /// Whether what is measured is a duration, so that samples are seconds.
    pub in_seconds: bool,
    /// Whether a label or what is measured is known of the whole trace alone, so that a part of it cannot tell.
    pub reads_trace: bool,
}

impl Leaf {
    /// The filter, when each span can be counted by itself, whatever the rest of its trace is: the pipeline is that
    /// filter alone, and neither the labels nor what is measured need the trace. The filter may; it says so itself.
    pub fn simple_filter(&self) -> Option<FilterId> {
        if self.reads_trace { None } else { self.pipeline.simple_filter() }
    }

    /// The field that is measured, if one is.
    pub fn measured(&self) -> Option<FieldId> {
        match &self.function {
            Measure::Rate | Measure::Count | Measure::Compare(_) => None,
            Measure::Min(of) | Measure::Max(of) | Measure::Avg(of) | Measure::Sum(of) => Some(*of),
            Measure::Histogram(of) | Measure::Quantile(of, _) => Some(*of),
        }
    }
}

/// What is made of spans over time.
#[derive(Debug, Clone)]
pub enum Measure {
    /// Spans per second.
    Rate,
    /// Spans.
    Count,
    /// The least value.
    Min(FieldId),
    /// The greatest value.
    Max(FieldId),
    /// The mean.
    Avg(FieldId),
    /// The sum.
    Sum(FieldId),
    /// Spans by power of two.
    Histogram(FieldId),
    /// Quantiles, from the same buckets.
    Quantile(FieldId, Vec<f64>),
    /// What sets the selected spans apart from the others.
    Compare(ComparePlan),
}

/// `compare({ selection }, top, from, until)`.
#[derive(Debug, Clone)]
pub struct ComparePlan {
    /// The filter of the selection.
    pub selection: FilterId,
    /// How many values an attribute shows.
    pub top: usize,
    /// First and last start of a selected span, nanoseconds since 1970.
    pub window: Option<(i64, i64)>,
    /// What is counted beside the attributes of span and resource: fields and names.
    pub intrinsics: Vec<(FieldId, Arc<str>)>,
}

/// An expression whose value is a set of series.
#[derive(Debug, Clone)]
pub enum SeriesExpr {
    /// The series of a leaf.
    Leaf(usize),
    /// A number.
    Number(f64),
    /// Arithmetic.
    Math(ArithmeticOp, Box<SeriesExpr>, Box<SeriesExpr>),
    /// Series that are filtered.
    Then(Box<SeriesExpr>, Vec<Second>),
}

/// What is done to series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Second {
    /// The largest at each time.
    Topk(usize),
    /// The smallest at each time.
    Bottomk(usize),
    /// Samples kept by a comparison; durations in seconds.
    Filter(CompareOp, f64),
}
