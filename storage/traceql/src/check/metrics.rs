//! Functions over time, second stages, arithmetic over series.

use super::types::{Known, Type};
use super::{Judge, Judged, Part, field, operator, refuse};
use crate::ast::{Field, Function, Metrics, OverTime, SecondStage};

/// How many labels series may have, the buckets of a histogram included.
const MAX_LABELS: usize = 5;

impl Judge {
    pub fn metrics<'a>(&mut self, of: &'a Metrics) -> Judged<'a, ()> {
        self.series(of).map(|_| ())
    }

    /// What is known of numbers; series are floats.
    fn series<'a>(&mut self, of: &'a Metrics) -> Judged<'a, Known> {
        let part = Part::Metrics(of);
        match of {
            Metrics::Number(number) => Ok(Known::literal(number)),
            Metrics::Series { pipeline, function, by } => {
                self.pipeline(pipeline)?;
                self.function(function)?;
                labels(function, by)?;
                Ok(Known::read(Type::Float))
            }
            Metrics::Math { op, left, right } => {
                let operands = [self.series(left)?, self.series(right)?];
                if is_compare(left) || is_compare(right) {
                    return refuse(part, "the series of `compare` cannot be reckoned with");
                }
                operator::reckon(part, *op, operands)
            }
            Metrics::Then(source, stages) => {
                self.metrics(source)?;
                if is_compare(source) {
                    return refuse(part, "nothing can follow `compare`");
                }
                stages.iter().try_for_each(second_stage)?;
                Ok(Known::read(Type::Float))
            }
        }
    }

    fn function<'a>(&mut self, function: &'a Function) -> Judged<'a, ()> {
        let part = Part::Function(function);
        match function {
            Function::Rate | Function::CountOverTime => Ok(()),
            Function::OverTime(_, of) => measured(part, of),
            Function::Quantile(of, quantiles) => {
                measured(part, of)?;
                if quantiles.iter().all(|quantile| (0.0..=1.0).contains(quantile)) {
                    return Ok(());
                }
                refuse(part, "a quantile lies between 0 and 1")
            }
            Function::Compare { selection, top, window } => {
                if let Some(selection) = selection {
                    self.filter(selection)?;
                }
                if top.is_some_and(|top| top <= 0) {
                    return refuse(part, "expected a number of values above 0");
                }
                match window {
                    Some((from, until)) if from >= until => refuse(part, "expected a start before the end"),
                    _ => Ok(()),
                }
            }
        }
    }
}

fn is_compare(metrics: &Metrics) -> bool {
    matches!(metrics, Metrics::Series { function: Function::Compare { .. }, .. })
}

fn measured<'a>(part: Part<'a>, of: &'a Field) -> Judged<'a, ()> {
    let found = field::value(of)?;
    if found.is_number() {
        return Ok(());
    }
    refuse(part, format!("found {found}, expected a number or a duration"))
}

fn labels<'a>(function: &'a Function, by: &'a [Field]) -> Judged<'a, ()> {
    by.iter().try_for_each(|of| field::value(of).map(|_| ()))?;
    if !by.is_empty() && matches!(function, Function::Compare { .. }) {
        return refuse(Part::Function(function), "`compare` takes no `by`");
    }
    let bucketed = matches!(function, Function::Quantile(..) | Function::OverTime(OverTime::Histogram, _));
    let most = MAX_LABELS - usize::from(bucketed);
    match by.get(most) {
        Some(first_too_many) => {
            let reason = format!("found {} labels in `by`, expected at most {most}", by.len());
            refuse(Part::Field(first_too_many), reason)
        }
        None => Ok(()),
    }
}

fn second_stage(stage: &SecondStage) -> Judged<'_, ()> {
    match stage {
        SecondStage::Topk(limit) | SecondStage::Bottomk(limit) if *limit <= 0 => {
            refuse(Part::SecondStage(stage), "expected a number of series above 0")
        }
        _ => Ok(()),
    }
}
