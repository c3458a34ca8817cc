//! The tree of a query to a plan.

use std::collections::HashMap;
use std::sync::Arc;

use super::compile::Compiler;
use super::fields::Fields;
use super::filter::Filter;
use super::mention::{Mentioned, mention};
use super::metrics::{ComparePlan, Leaf, Measure, MetricsPlan, Second, SeriesExpr};
use super::pattern::check_together;
use super::pipeline::{PipelinePlan, PlanScalar, PlanSet, PlanStage};
use super::{Body, FieldId, FilterId, Needs, Origin, Plan, needs};
use crate::ast::{
    self, Field, FieldExpr, Function, Intrinsic, Metrics, OverTime, Pipeline, Query, Scalar, SecondStage,
    Set, Stage,
};
use crate::error::CheckError;
use crate::value::{ArithmeticOp, CompareOp, OwnedValue, Value, reckon};

/// Values of an attribute that `compare` shows when the query does not say.
const DEFAULT_TOP: usize = 10;

pub(super) fn build(query: &Query) -> Result<Plan, CheckError> {
    let mut fields = Fields::default();
    let Mentioned { shown, patterns } = mention(query, &mut fields)?;
    // Before any is compiled for good: the work is bounded, too.
    check_together(&patterns).map_err(|reason| CheckError { part: "=~".to_owned(), reason })?;
    let compiler = Compiler { fields };
    let mut builder = Builder { compiler, filters: Vec::new(), known: HashMap::new() };
    let (body, needs) = match &query.body {
        ast::Body::Search(pipeline) => {
            let pipeline = builder.pipeline(pipeline, &[])?;
            let needs = needs::of_pipeline(&pipeline, &builder.filters);
            (Body::Search(pipeline), needs)
        }
        ast::Body::Metrics(metrics) => {
            let mut leaves = Vec::new();
            let series = builder.metrics(metrics, &mut leaves)?;
            let needs = Needs::any(leaves.iter().map(|leaf| leaf.needs.clone()));
            (Body::Metrics(MetricsPlan { leaves, series, exemplars: exemplars(query) }), needs)
        }
    };
    let Fields { fields, origins, .. } = builder.compiler.fields;
    Ok(Plan { query: query.clone(), fields, origins, filters: builder.filters, needs, shown, body })
}

struct Builder {
    compiler: Compiler,
    filters: Vec<Filter>,
    /// Filters by their text.
    known: HashMap<String, FilterId>,
}

type Built<T> = Result<T, CheckError>;

impl Builder {
    fn pipeline(&mut self, of: &Pipeline, within: &[&Pipeline]) -> Built<PipelinePlan> {
        let stages = of.stages.iter().map(|stage| self.stage(stage, within)).collect::<Built<Vec<_>>>()?;
        Ok(PipelinePlan { stages })
    }

    fn stage(&mut self, of: &Stage, within: &[&Pipeline]) -> Built<PlanStage> {
        Ok(match of {
            Stage::Set(set) => PlanStage::Set(self.set(set)?),
            Stage::Compare { op, left, right } => {
                let Some(op) = CompareOp::of(*op) else { return refuse(of, "expected a comparison") };
                PlanStage::Compare(op, self.scalar(left, within)?, self.scalar(right, within)?)
            }
            Stage::By(expr) => PlanStage::By(self.compiler.operand(expr)?, of.to_string().into()),
            Stage::Coalesce => PlanStage::Coalesce,
            Stage::Select(_) => PlanStage::Select,
        })
    }

    fn set(&mut self, of: &Set) -> Built<PlanSet> {
        Ok(match of {
            Set::Filter(filter) => PlanSet::Filter(self.filter(filter.as_deref())?),
            Set::Combine { op, left, right } => PlanSet::Combine {
                op: *op,
                left: Box::new(self.set(left)?),
                right: Box::new(self.set(right)?),
            },
            Set::Pipeline(pipeline) => PlanSet::Pipeline(Box::new(self.pipeline(pipeline, &[])?)),
        })
    }

    fn filter(&mut self, of: Option<&FieldExpr>) -> Built<FilterId> {
        let text = of.map(FieldExpr::to_string).unwrap_or_default();
        if let Some(known) = self.known.get(&text) {
            return Ok(*known);
        }
        let expr = match of {
            Some(of) => self.compiler.condition(of)?,
            None => super::Expr::Const(true),
        };
        let mut reads_trace = false;
        expr.fields(&mut |field| reads_trace |= self.needs_trace(field));
        let Ok(id) = u16::try_from(self.filters.len()) else {
            return refuse(&text, "the query has too many filters");
        };
        self.filters.push(Filter { expr, reads_trace });
        self.known.insert(text, FilterId(id));
        Ok(FilterId(id))
    }

    fn needs_trace(&self, field: FieldId) -> bool {
        self.compiler.fields.origins[usize::from(field.0)] != Origin::Local
    }

    /// `within` are the pipelines around the scalar, which tell its aggregates from others of the same name.
    fn scalar(&mut self, of: &Scalar, within: &[&Pipeline]) -> Built<PlanScalar> {
        Ok(match of {
            Scalar::Literal(literal) => PlanScalar::Constant(OwnedValue::of_literal(literal)),
            Scalar::Aggregate(aggregate, expr) => PlanScalar::Aggregate {
                aggregate: *aggregate,
                of: expr.as_ref().map(|expr| self.compiler.operand(expr)).transpose()?,
                name: within
                    .iter()
                    .rev()
                    .fold(of.to_string(), |name, around| format!("({around} | {name})"))
                    .into(),
            },
            Scalar::Binary { op, left, right } => {
                let Some(op) = ArithmeticOp::of(*op) else { return refuse(of, "expected arithmetic") };
                match (self.scalar(left, within)?, self.scalar(right, within)?) {
                    (PlanScalar::Constant(left), PlanScalar::Constant(right)) => {
                        PlanScalar::Constant(reckon(op, left.as_value(), right.as_value()).into())
                    }
                    (left, right) => PlanScalar::Arithmetic(op, Box::new(left), Box::new(right)),
                }
            }
            Scalar::Pipeline(pipeline, scalar) => {
                let inner = [within, &[pipeline]].concat();
                PlanScalar::Pipeline(
                    Box::new(self.pipeline(pipeline, &[])?),
                    Box::new(self.scalar(scalar, &inner)?),
                )
            }
        })
    }

    fn metrics(&mut self, of: &Metrics, leaves: &mut Vec<Leaf>) -> Built<SeriesExpr> {
        Ok(match of {
            Metrics::Series { pipeline, function, by } => {
                leaves.push(self.leaf(pipeline, function, by)?);
                SeriesExpr::Leaf(leaves.len() - 1)
            }
            Metrics::Number(_) | Metrics::Math { .. } if number(of).is_some() => {
                SeriesExpr::Number(number(of).as_ref().map_or(f64::NAN, seconds))
            }
            Metrics::Number(_) => SeriesExpr::Number(f64::NAN),
            Metrics::Math { op, left, right } => {
                let Some(op) = ArithmeticOp::of(*op) else { return refuse(of, "expected arithmetic") };
                SeriesExpr::Math(
                    op,
                    Box::new(self.metrics(left, leaves)?),
                    Box::new(self.metrics(right, leaves)?),
                )
            }
            Metrics::Then(source, stages) => {
                let source = Box::new(self.metrics(source, leaves)?);
                SeriesExpr::Then(source, stages.iter().map(second).collect::<Built<Vec<_>>>()?)
            }
        })
    }

    fn leaf(&mut self, pipeline: &Pipeline, function: &Function, by: &[Field]) -> Built<Leaf> {
        let pipeline = self.pipeline(pipeline, &[])?;
        let needs = needs::of_pipeline(&pipeline, &self.filters);
        let (name, measure) = self.measure(function)?;
        let by = by.iter().map(|field| self.named(field)).collect::<Built<Vec<_>>>()?;
        let mut leaf =
            Leaf { pipeline, needs, function: measure, name, by, in_seconds: false, reads_trace: false };
        leaf.in_seconds =
            leaf.measured().is_some_and(|of| is_duration(&self.compiler.fields.fields[usize::from(of.0)]));
        let mut read: Vec<FieldId> = leaf.by.iter().map(|(field, _)| *field).collect();
        read.extend(leaf.measured());
        leaf.reads_trace = read.into_iter().any(|field| self.needs_trace(field));
        if let Measure::Compare(_) = leaf.function {
            leaf.reads_trace = true;
        }
        Ok(leaf)
    }

    fn measure(&mut self, of: &Function) -> Built<(&'static str, Measure)> {
        let mut number = |field| self.compiler.fields.number(field);
        Ok(match of {
            Function::Rate => ("rate", Measure::Rate),
            Function::CountOverTime => ("count_over_time", Measure::Count),
            Function::OverTime(OverTime::Min, of) => ("min_over_time", Measure::Min(number(of)?)),
            Function::OverTime(OverTime::Max, of) => ("max_over_time", Measure::Max(number(of)?)),
            Function::OverTime(OverTime::Avg, of) => ("avg_over_time", Measure::Avg(number(of)?)),
            Function::OverTime(OverTime::Sum, of) => ("sum_over_time", Measure::Sum(number(of)?)),
            Function::OverTime(OverTime::Histogram, of) => {
                ("histogram_over_time", Measure::Histogram(number(of)?))
            }
            Function::Quantile(of, quantiles) => {
                ("quantile_over_time", Measure::Quantile(number(of)?, quantiles.clone()))
            }
            Function::Compare { selection, top, window } => {
                use Intrinsic::{Kind, Name, RootName, RootService, Status, StatusMessage};
                let compared = [Name, Kind, Status, StatusMessage, RootName, RootService];
                let intrinsics = compared.into_iter().map(|of| self.named(&Field::Intrinsic(of)));
                let intrinsics = intrinsics.collect::<Built<Vec<_>>>()?;
                let selection = self.filter(selection.as_deref())?;
                let top = top.map_or(DEFAULT_TOP, |top| usize::try_from(top).unwrap_or(0));
                ("compare", Measure::Compare(ComparePlan { selection, top, window: *window, intrinsics }))
            }
        })
    }

    fn named(&mut self, field: &Field) -> Built<(FieldId, Arc<str>)> {
        Ok((self.compiler.fields.number(field)?, field.to_string().into()))
    }
}

fn is_duration(field: &Field) -> bool {
    use Intrinsic::{Duration, EventTimeSinceStart, TraceDuration};
    matches!(field, Field::Intrinsic(Duration | TraceDuration | EventTimeSinceStart))
}

fn second(of: &SecondStage) -> Built<Second> {
    Ok(match of {
        SecondStage::Topk(limit) => Second::Topk(usize::try_from(*limit).unwrap_or(0)),
        SecondStage::Bottomk(limit) => Second::Bottomk(usize::try_from(*limit).unwrap_or(0)),
        SecondStage::Filter(op, literal) => {
            let Some(op) = CompareOp::of(*op) else { return refuse(of, "expected a comparison") };
            Second::Filter(op, seconds(&OwnedValue::of_literal(literal)))
        }
    })
}

/// The number that arithmetic between numbers alone comes to.
fn number(of: &Metrics) -> Option<OwnedValue> {
    match of {
        Metrics::Number(literal) => Some(OwnedValue::of_literal(literal)),
        Metrics::Math { op, left, right } => {
            let (left, right) = (number(left)?, number(right)?);
            Some(reckon(ArithmeticOp::of(*op)?, left.as_value(), right.as_value()).into())
        }
        _ => None,
    }
}

/// A number among samples: durations in seconds, what is no number NaN.
fn seconds(of: &OwnedValue) -> f64 {
    match of.as_value() {
        Value::Duration(nanoseconds) => nanoseconds as f64 / 1e9,
        value => value.as_number().unwrap_or(f64::NAN),
    }
}

fn exemplars(query: &Query) -> Option<usize> {
    let hint = query.hints.iter().rev().find(|hint| hint.name == "exemplars")?;
    match hint.value {
        ast::Literal::Int(most) => Some(usize::try_from(most).unwrap_or(0)),
        ast::Literal::Bool(false) => Some(0),
        _ => None,
    }
}

fn refuse<T>(part: &impl ToString, reason: &str) -> Built<T> {
    Err(CheckError { part: part.to_string(), reason: reason.to_owned() })
}
