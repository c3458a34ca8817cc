//! A pipeline run over a whole trace. `docs/TRACEQL.md`, section "Pipelines".

use std::sync::Arc;

use super::aggregate::Numbers;
use super::structure::{relate, union};
use super::{ReadError, WholeTrace};
use crate::ast::{Aggregate, Answer, SetOp};
use crate::plan::{Expr, FilterId, Operand, PipelinePlan, PlanScalar, PlanSet, PlanStage};
use crate::value::{Groups, OwnedValue, Value, compare, reckon};

/// Spans of one trace, never none, in the order of spans.
#[derive(Debug, Clone, PartialEq)]
pub struct Spanset {
    /// By their numbers in the whole trace.
    pub spans: Vec<u32>,
    /// Such as `count()` and `by(name)`; each name once.
    pub attributes: Vec<(Arc<str>, OwnedValue)>,
}

/// What sources have already found: asked for a fragment (by its place among those joined) and a filter that does
/// not read the trace, shows each of the fragment's spans for which the filter holds, by its number there, in any
/// order, and answers true; or shows none and answers false, so that the filter is judged here.
pub type Matched<'m> = dyn FnMut(usize, FilterId, &mut dyn FnMut(u32)) -> Result<bool, ReadError> + 'm;

/// What a pipeline leaves of a trace. The trace is found when that is not nothing.
pub fn judge(
    pipeline: &PipelinePlan,
    trace: &mut WholeTrace<'_, '_>,
    matched: &mut Matched<'_>,
) -> Result<Vec<Spanset>, ReadError> {
    if trace.is_empty() {
        return Ok(Vec::new());
    }
    let all = Spanset { spans: (0..trace.len()).collect(), attributes: Vec::new() };
    Judge { trace, matched }.run(pipeline, vec![all])
}

struct Judge<'j, 'a, 'f, 'm> {
    trace: &'j mut WholeTrace<'a, 'f>,
    matched: &'j mut Matched<'m>,
}

type Judged<T> = Result<T, ReadError>;

impl Judge<'_, '_, '_, '_> {
    fn run(&mut self, pipeline: &PipelinePlan, mut spansets: Vec<Spanset>) -> Judged<Vec<Spanset>> {
        for stage in &pipeline.stages {
            if spansets.is_empty() {
                break;
            }
            spansets = match stage {
                PlanStage::Set(set) => self.select(set, spansets)?,
                PlanStage::Compare(op, left, right) => {
                    let mut kept = Vec::new();
                    for mut spanset in spansets {
                        let Spanset { spans, attributes } = &mut spanset;
                        let left = self.scalar(left, spans, attributes)?;
                        let right = self.scalar(right, spans, attributes)?;
                        if compare(*op, left.as_value(), right.as_value()) {
                            kept.push(spanset);
                        }
                    }
                    kept
                }
                PlanStage::By(operand, name) => {
                    let mut split = Vec::new();
                    for spanset in spansets {
                        self.split(operand, name, spanset, &mut split)?;
                    }
                    split
                }
                PlanStage::Coalesce => vec![Spanset { spans: joined(spansets), attributes: Vec::new() }],
                PlanStage::Select => spansets,
            };
        }
        Ok(spansets)
    }

    fn select(&mut self, set: &PlanSet, spansets: Vec<Spanset>) -> Judged<Vec<Spanset>> {
        let mut kept = Vec::new();
        for spanset in spansets {
            // A pipeline that gives one spanset gives it with its attributes.
            if let PlanSet::Pipeline(pipeline) = set {
                let attributes = spanset.attributes.clone();
                let mut given = self.run(pipeline, vec![spanset])?;
                if given.len() > 1 {
                    given = vec![Spanset { spans: joined(given), attributes }];
                }
                kept.extend(given);
                continue;
            }
            let spans = self.set(set, &spanset.spans)?;
            if !spans.is_empty() {
                kept.push(Spanset { spans, attributes: spanset.attributes });
            }
        }
        Ok(kept)
    }

    /// The spans that an operand gives of those that come in; here it may be none.
    fn set(&mut self, set: &PlanSet, spans: &[u32]) -> Judged<Vec<u32>> {
        match set {
            PlanSet::Filter(filter) => self.filter(*filter, spans),
            PlanSet::Pipeline(pipeline) => self.pipeline(pipeline, spans),
            PlanSet::Combine { op, left, right } => {
                let left = self.set(left, spans)?;
                if left.is_empty() && !matches!(op, SetOp::Or | SetOp::Structural(_, Answer::Unmatched)) {
                    return Ok(Vec::new());
                }
                let right = self.set(right, spans)?;
                Ok(match op {
                    SetOp::And if right.is_empty() => Vec::new(),
                    SetOp::And | SetOp::Or => union(&left, &right),
                    SetOp::Structural(relation, answer) => {
                        let count = self.trace.len() as usize;
                        relate(self.trace.tree(), count, *relation, *answer, &left, &right)
                    }
                })
            }
        }
    }

    fn pipeline(&mut self, pipeline: &PipelinePlan, spans: &[u32]) -> Judged<Vec<u32>> {
        if spans.is_empty() {
            return Ok(Vec::new());
        }
        let incoming = Spanset { spans: spans.to_vec(), attributes: Vec::new() };
        Ok(joined(self.run(pipeline, vec![incoming])?))
    }

    fn filter(&mut self, id: FilterId, spans: &[u32]) -> Judged<Vec<u32>> {
        let Some(filter) = self.trace.plan().filter(id) else { return Ok(Vec::new()) };
        match filter.expr {
            Expr::Const(true) => return Ok(spans.to_vec()),
            Expr::Const(false) => return Ok(Vec::new()),
            _ => {}
        }
        let mut kept = Vec::new();
        let mut unknown = vec![true; self.trace.fragment_count()];
        if !filter.reads_trace && spans.len() == self.trace.len() as usize {
            for (fragment, unknown) in unknown.iter_mut().enumerate() {
                let trace = &*self.trace;
                let mut see = |number| kept.extend(trace.whole_number(fragment, number));
                *unknown = !(self.matched)(fragment, id, &mut see)?;
            }
            if !unknown.contains(&true) {
                if !kept.is_sorted() {
                    kept.sort_unstable();
                }
                kept.dedup();
                return Ok(kept);
            }
        }
        for &span in spans {
            if unknown[self.trace.place(span).0]
                && filter.expr.eval(&mut |field, see| self.trace.see(span, field, see))?
            {
                kept.push(span);
            }
        }
        kept.sort_unstable();
        kept.dedup();
        Ok(kept)
    }

    /// One spanset for each value, in the order of their first spans.
    fn split(
        &mut self,
        of: &Operand,
        name: &Arc<str>,
        spanset: Spanset,
        out: &mut Vec<Spanset>,
    ) -> Judged<()> {
        let mut groups = Groups::default();
        let first = out.len();
        for span in spanset.spans {
            let mut group = 0;
            of.see_first(&mut |field, see| self.trace.see(span, field, see), &mut |value| {
                group = groups.meet(&[value]) as usize;
            })?;
            match out.get_mut(first + group) {
                Some(known) => known.spans.push(span),
                None => {
                    let value = groups.key(group as u32).first().map_or(Value::Nil, |key| key.value());
                    let mut attributes = spanset.attributes.clone();
                    put(&mut attributes, name, value.into());
                    out.push(Spanset { spans: vec![span], attributes });
                }
            }
        }
        Ok(())
    }

    fn scalar(
        &mut self,
        of: &PlanScalar,
        spans: &[u32],
        attributes: &mut Vec<(Arc<str>, OwnedValue)>,
    ) -> Judged<OwnedValue> {
        Ok(match of {
            PlanScalar::Constant(value) => value.clone(),
            PlanScalar::Aggregate { aggregate, of, name } => {
                let value = OwnedValue::from(self.aggregate(*aggregate, of.as_ref(), spans)?);
                put(attributes, name, value.clone());
                value
            }
            PlanScalar::Arithmetic(op, left, right) => {
                let left = self.scalar(left, spans, attributes)?;
                let right = self.scalar(right, spans, attributes)?;
                reckon(*op, left.as_value(), right.as_value()).into()
            }
            PlanScalar::Pipeline(pipeline, scalar) => {
                let spans = self.pipeline(pipeline, spans)?;
                self.scalar(scalar, &spans, attributes)?
            }
        })
    }

    fn aggregate(
        &mut self,
        aggregate: Aggregate,
        of: Option<&Operand>,
        spans: &[u32],
    ) -> Judged<Value<'static>> {
        let Some(of) = of else { return Ok(Value::Int(spans.len() as i64)) };
        let mut numbers = Numbers::default();
        for &span in spans {
            numbers.add(of.number(&mut |field, see| self.trace.see(span, field, see))?);
        }
        Ok(numbers.value(aggregate))
    }
}

/// The spans of several spansets, each once.
fn joined(spansets: Vec<Spanset>) -> Vec<u32> {
    let mut spans: Vec<u32> = spansets.into_iter().flat_map(|spanset| spanset.spans).collect();
    spans.sort_unstable();
    spans.dedup();
    spans
}

/// Adds an attribute; a later value takes the place of an earlier one of the same name.
fn put(attributes: &mut Vec<(Arc<str>, OwnedValue)>, name: &Arc<str>, value: OwnedValue) {
    match attributes.iter_mut().find(|(known, _)| known == name) {
        Some((_, known)) => *known = value,
        None => attributes.push((name.clone(), value)),
    }
}
