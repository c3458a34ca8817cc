//! The fields that a query mentions, in the order of the text.

use super::FieldId;
use super::fields::{Fields, is_shown};
use crate::ast::{Body, Field, FieldExpr, Function, Metrics, Pipeline, Query, Scalar, Set, Stage};
use crate::plan::PlanError;

/// Numbers the fields of a query; gives those that are shown with the spans of an answer.
pub(super) fn mention(query: &Query, fields: &mut Fields) -> Result<Vec<FieldId>, PlanError> {
    let mut mentions = Mentions { fields, shown: Vec::new(), seen: Vec::new() };
    match &query.body {
        Body::Search(pipeline) => mentions.pipeline(pipeline)?,
        Body::Metrics(metrics) => {
            mentions.metrics(metrics)?;
            mentions.shown.clear();
        }
    }
    Ok(mentions.shown)
}

struct Mentions<'a> {
    fields: &'a mut Fields,
    shown: Vec<FieldId>,
    seen: Vec<bool>,
}

type Done = Result<(), PlanError>;

impl Mentions<'_> {
    fn field(&mut self, field: &Field) -> Done {
        let id = self.fields.number(field)?;
        self.seen.resize(self.fields.fields.len(), false);
        // A field that only `parent.` named before has a number, but was not mentioned itself.
        if !std::mem::replace(&mut self.seen[usize::from(id.0)], true) && is_shown(field) {
            self.shown.push(id);
        }
        Ok(())
    }

    fn expr(&mut self, of: &FieldExpr) -> Done {
        match of {
            FieldExpr::Literal(_) => Ok(()),
            FieldExpr::Field(field) => self.field(field),
            FieldExpr::Not(inner) | FieldExpr::Negate(inner) => self.expr(inner),
            FieldExpr::Binary { left, right, .. } => {
                self.expr(left)?;
                self.expr(right)
            }
        }
    }

    fn pipeline(&mut self, pipeline: &Pipeline) -> Done {
        pipeline.stages.iter().try_for_each(|stage| match stage {
            Stage::Set(set) => self.set(set),
            Stage::Compare { left, right, .. } => {
                self.scalar(left)?;
                self.scalar(right)
            }
            Stage::By(of) => self.expr(of),
            Stage::Coalesce => Ok(()),
            Stage::Select(fields) => fields.iter().try_for_each(|field| self.field(field)),
        })
    }

    fn set(&mut self, set: &Set) -> Done {
        match set {
            Set::Filter(filter) => filter.iter().try_for_each(|filter| self.expr(filter)),
            Set::Combine { left, right, .. } => {
                self.set(left)?;
                self.set(right)
            }
            Set::Pipeline(pipeline) => self.pipeline(pipeline),
        }
    }

    fn scalar(&mut self, scalar: &Scalar) -> Done {
        match scalar {
            Scalar::Literal(_) => Ok(()),
            Scalar::Aggregate(_, of) => of.iter().try_for_each(|of| self.expr(of)),
            Scalar::Binary { left, right, .. } => {
                self.scalar(left)?;
                self.scalar(right)
            }
            Scalar::Pipeline(pipeline, scalar) => {
                self.pipeline(pipeline)?;
                self.scalar(scalar)
            }
        }
    }

    fn metrics(&mut self, metrics: &Metrics) -> Done {
        match metrics {
            Metrics::Number(_) => Ok(()),
            Metrics::Math { left, right, .. } => {
                self.metrics(left)?;
                self.metrics(right)
            }
            Metrics::Then(source, _) => self.metrics(source),
            Metrics::Series { pipeline, function, by } => {
                self.pipeline(pipeline)?;
                match function {
                    Function::Rate | Function::CountOverTime => {}
                    Function::OverTime(_, of) | Function::Quantile(of, _) => self.field(of)?,
                    Function::Compare { selection, .. } => {
                        selection.iter().try_for_each(|selection| self.expr(selection))?;
                    }
                }
                by.iter().try_for_each(|field| self.field(field))
            }
        }
    }
}
