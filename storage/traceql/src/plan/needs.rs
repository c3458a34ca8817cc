//! What a trace must hold to be found, as far as single spans can tell.

use super::filter::{Expr, Filter};
use super::pipeline::{PipelinePlan, PlanSet, PlanStage};
use super::{FilterId, Needs};
use crate::ast::{Answer, SetOp};

impl Needs {
    /// What no trace holds.
    pub const NEVER: Needs = Needs::Any(Vec::new());

    /// All of these.
    pub fn all(of: impl IntoIterator<Item = Needs>) -> Needs {
        let mut all = Vec::new();
        for needs in of {
            match needs {
                Needs::Nothing => {}
                Needs::All(more) => all.extend(more),
                needs if needs == Needs::NEVER => return needs,
                needs => all.push(needs),
            }
        }
        match all.len() {
            0 => Needs::Nothing,
            1 => all.remove(0),
            _ => Needs::All(all),
        }
    }

    /// One of these.
    pub fn any(of: impl IntoIterator<Item = Needs>) -> Needs {
        let mut any = Vec::new();
        for needs in of {
            match needs {
                Needs::Nothing => return Needs::Nothing,
                Needs::Any(more) => any.extend(more),
                needs => any.push(needs),
            }
        }
        if any.len() == 1 { any.remove(0) } else { Needs::Any(any) }
    }

    /// Whether a trace may be found of which it is known for which filters it holds a span.
    pub fn met(&self, holds: &mut dyn FnMut(FilterId) -> bool) -> bool {
        match self {
            Needs::Nothing => true,
            Needs::Span(filter) => holds(*filter),
            Needs::All(all) => all.iter().all(|needs| needs.met(holds)),
            Needs::Any(any) => any.iter().any(|needs| needs.met(holds)),
        }
    }
}

/// What a pipeline needs. Only stages of filters tell; the others need a spanset, whatever is in it.
pub(super) fn of_pipeline(pipeline: &PipelinePlan, filters: &[Filter]) -> Needs {
    Needs::all(pipeline.stages.iter().map(|stage| match stage {
        PlanStage::Set(set) => of_set(set, filters),
        _ => Needs::Nothing,
    }))
}

fn of_set(set: &PlanSet, filters: &[Filter]) -> Needs {
    match set {
        PlanSet::Filter(filter) => match filters.get(usize::from(filter.0)).map(|filter| &filter.expr) {
            Some(Expr::Const(true)) => Needs::Nothing,
            Some(Expr::Const(false)) => Needs::NEVER,
            _ => Needs::Span(*filter),
        },
        PlanSet::Combine { op, left, right } => match op {
            SetOp::Or => Needs::any([of_set(left, filters), of_set(right, filters)]),
            // Without any left span, every right span is without a match.
            SetOp::Structural(_, Answer::Unmatched) => of_set(right, filters),
            SetOp::And | SetOp::Structural(..) => Needs::all([of_set(left, filters), of_set(right, filters)]),
        },
        PlanSet::Pipeline(pipeline) => of_pipeline(pipeline, filters),
    }
}
