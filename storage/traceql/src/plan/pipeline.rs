//! Pipelines over spansets, compiled.

use std::sync::Arc;

use super::FilterId;
use super::reckon::Operand;
use crate::ast::{Aggregate, SetOp};
use crate::value::{ArithmeticOp, CompareOp, OwnedValue};

/// Stages, each fed by the one before.
#[derive(Debug, Clone)]
pub struct PipelinePlan {
    /// The stages.
    pub stages: Vec<PlanStage>,
}

/// One stage of a pipeline.
#[derive(Debug, Clone)]
pub enum PlanStage {
    /// Spans that are selected and combined.
    Set(PlanSet),
    /// Spansets kept by a comparison.
    Compare(CompareOp, PlanScalar, PlanScalar),
    /// Each spanset split by the value of an expression; the name is the attribute's.
    By(Operand, Arc<str>),
    /// The spansets of a trace joined into one.
    Coalesce,
    /// Fields added to the answer: nothing to do.
    Select,
}

/// An expression whose value is a spanset.
#[derive(Debug, Clone)]
pub enum PlanSet {
    /// The spans for which the filter holds.
    Filter(FilterId),
    /// Two spansets combined.
    Combine {
        /// How.
        op: SetOp,
        /// Left operand.
        left: Box<PlanSet>,
        /// Right operand.
        right: Box<PlanSet>,
    },
    /// What a pipeline gives.
    Pipeline(Box<PipelinePlan>),
}

/// An expression whose value is one number for each spanset.
#[derive(Debug, Clone)]
pub enum PlanScalar {
    /// A constant.
    Constant(OwnedValue),
    /// A function over the spans.
    Aggregate {
        /// The function.
        aggregate: Aggregate,
        /// What it takes of each span; nothing for `count`.
        of: Option<Operand>,
        /// The name of the attribute that it adds.
        name: Arc<str>,
    },
    /// Arithmetic.
    Arithmetic(ArithmeticOp, Box<PlanScalar>, Box<PlanScalar>),
    /// The value over what a pipeline gives.
    Pipeline(Box<PipelinePlan>, Box<PlanScalar>),
}

impl PipelinePlan {
    /// The filter, when the pipeline is one and nothing else but `select`: what its spans are, is what is found.
    pub fn simple_filter(&self) -> Option<FilterId> {
        let (PlanStage::Set(PlanSet::Filter(filter)), rest) = self.stages.split_first()? else { return None };
        rest.iter().all(|stage| matches!(stage, PlanStage::Select)).then_some(*filter)
    }
}
