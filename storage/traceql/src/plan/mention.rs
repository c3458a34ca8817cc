//! The fields and patterns that a query mentions, in the order of the text.

use super::FieldId;
use super::fields::{Fields, is_shown};
use crate::ast::{
    BinaryOp, Body, Field, FieldExpr, Function, Literal, Metrics, Pipeline, Query, Scalar, Set, Stage,
};
use crate::error::CheckError;

/// What a query mentions.
pub(super) struct Mentioned<'q> {
    /// Fields that are shown with the spans of an answer.
    pub shown: Vec<FieldId>,
    /// Regular expressions as written.
    pub patterns: Vec<&'q str>,
}

/// Numbers the fields of a query, and finds what else it mentions.
pub(super) fn mention<'q>(query: &'q Query, fields: &mut Fields) -> Result<Mentioned<'q>, CheckError> {
    let mentioned = Mentioned { shown: Vec::new(), patterns: Vec::new() };
    let mut mentions = Mentions { fields, mentioned, seen: Vec::new() };
    match &query.body {
        Body::Search(pipeline) => mentions.pipeline(pipeline)?,
        Body::Metrics(metrics) => {
            mentions.metrics(metrics)?;
            mentions.mentioned.shown.clear();
        }
    }
    Ok(mentions.mentioned)
}

struct Mentions<'a, 'q> {
    fields: &'a mut Fields,
    mentioned: Mentioned<'q>,
    seen: Vec<bool>,
}

type Done = Result<(), CheckError>;

impl<'q> Mentions<'_, 'q> {
    fn field(&mut self, field: &Field) -> Done {
        let id = self.fields.number(field)?;
        self.seen.resize(self.fields.fields.len(), false);
        // A field that only `parent.` named before has a number, but was not mentioned itself.
        if !std::mem::replace(&mut self.seen[usize::from(id.0)], true) && is_shown(field) {
            self.mentioned.shown.push(id);
        }
        Ok(())
    }

    fn expr(&mut self, of: &'q FieldExpr) -> Done {
        match of {
            FieldExpr::Literal(_) => Ok(()),
            FieldExpr::Field(field) => self.field(field),
            FieldExpr::Not(inner) | FieldExpr::Negate(inner) => self.expr(inner),
            FieldExpr::Binary { op, left, right } => {
                if let (BinaryOp::Regex | BinaryOp::NotRegex, FieldExpr::Literal(Literal::Text(text))) =
                    (op, &**right)
                {
                    self.mentioned.patterns.push(text);
                }
                self.expr(left)?;
                self.expr(right)
            }
        }
    }

    fn pipeline(&mut self, pipeline: &'q Pipeline) -> Done {
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

    fn set(&mut self, set: &'q Set) -> Done {
        match set {
            Set::Filter(filter) => filter.iter().try_for_each(|filter| self.expr(filter)),
            Set::Combine { left, right, .. } => {
                self.set(left)?;
                self.set(right)
            }
            Set::Pipeline(pipeline) => self.pipeline(pipeline),
        }
    }

    fn scalar(&mut self, scalar: &'q Scalar) -> Done {
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

    fn metrics(&mut self, metrics: &'q Metrics) -> Done {
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
