//! Types and limits, judged before anything runs.
//!
//! The type of an attribute is not known until it is read, so an attribute goes with everything; at run time a
//! value of another type matches nothing.
//!
//! | file | holds |
//! |---|---|
//! | `mod.rs` | the query, stages, spansets, scalars |
//! | `types.rs` | types, and what is known of an expression |
//! | `field.rs` | expressions over one span |
//! | `operator.rs` | what operands go together |
//! | `metrics.rs` | functions over time, second stages, arithmetic over series |
//! | `hint.rs` | hints of `with(...)` |

mod field;
mod hint;
mod metrics;
mod operator;
mod types;

use types::{Known, Type};

use crate::ast::{Aggregate, Body, FieldExpr, Pipeline, Query, Scalar, Set, Stage};
use crate::error::{CheckError, QueryError, line_and_column};
use crate::parse::parse;
use crate::print::{Part, place_in_source};

/// How many characters of an offending part are shown.
const MAX_SHOWN: usize = 200;

/// How many regular expressions one query may hold: each is compiled, which takes 10 ms at worst.
const MAX_REGEXES: usize = 200;

/// Reads and judges a query. The places of errors are those in `text`.
pub fn read(text: &str) -> Result<Query, QueryError> {
    let query = parse(text)?;
    if let Err(refusal) = judge(&query) {
        let (canonical, at) = refusal.part.place(&query);
        let at = place_in_source(text, &canonical, at);
        return Err(refusal.at(text, at).into());
    }
    Ok(query)
}

/// Judges a query: that operands go together, that functions get what they take, that regular expressions compile,
/// that hints are known. The places of errors are those in the canonical text.
pub fn check(query: &Query) -> Result<(), CheckError> {
    judge(query).map_err(|refusal| {
        let (canonical, at) = refusal.part.place(query);
        refusal.at(&canonical, place_in_source(&canonical, &canonical, at))
    })
}

/// Whether expressions mean something as conditions of one filter.
pub(crate) struct Conditions(Judge);

impl Conditions {
    pub fn new() -> Self {
        Conditions(Judge { regexes: 0 })
    }

    pub fn accept(&mut self, condition: &FieldExpr) -> bool {
        self.0.filter(condition).is_ok()
    }
}

/// Why a part of the tree means nothing.
struct Refusal<'a> {
    part: Part<'a>,
    reason: String,
}

type Judged<'a, T> = Result<T, Box<Refusal<'a>>>;

impl Refusal<'_> {
    fn at(&self, text: &str, offset: usize) -> CheckError {
        let mut part = self.part.to_string();
        if let Some((cut, _)) = part.char_indices().nth(MAX_SHOWN) {
            part.truncate(cut);
            part.push_str("...");
        }
        let (line, column) = line_and_column(text, offset);
        CheckError { line, column, offset, part, reason: self.reason.clone() }
    }
}

fn refuse<'a, T>(part: Part<'a>, reason: impl Into<String>) -> Judged<'a, T> {
    Err(Box::new(Refusal { part, reason: reason.into() }))
}

fn judge(query: &Query) -> Judged<'_, ()> {
    let mut judge = Judge { regexes: 0 };
    match &query.body {
        Body::Search(pipeline) => judge.pipeline(pipeline)?,
        Body::Metrics(metrics) => judge.metrics(metrics)?,
    }
    query.hints.iter().try_for_each(hint::judge)
}

/// Walks the tree; the recursion is as deep as the tree is high.
struct Judge {
    regexes: usize,
}

impl Judge {
    fn pipeline<'a>(&mut self, of: &'a Pipeline) -> Judged<'a, ()> {
        of.stages.iter().try_for_each(|stage| self.stage(stage))
    }

    fn stage<'a>(&mut self, stage: &'a Stage) -> Judged<'a, ()> {
        let part = Part::Stage(stage);
        match stage {
            Stage::Set(set) => self.set(set),
            Stage::By(of) => {
                if self.expr(of)?.reads {
                    return Ok(());
                }
                refuse(part, "found a constant, expected an expression that reads the span")
            }
            Stage::Select(fields) => fields.iter().try_for_each(|of| field::value(of).map(|_| ())),
            Stage::Coalesce => Ok(()),
            Stage::Compare { op, left, right } => {
                let operands = [self.scalar(left)?, self.scalar(right)?];
                if operands.iter().any(|operand| operand.reads) {
                    return operator::compare(part, *op, operands).map(|_| ());
                }
                refuse(part, "found constants, expected an aggregate such as `count()` on one side")
            }
        }
    }

    fn set<'a>(&mut self, set: &'a Set) -> Judged<'a, ()> {
        match set {
            Set::Filter(None) => Ok(()),
            Set::Filter(Some(filter)) => self.filter(filter),
            Set::Pipeline(pipeline) => self.pipeline(pipeline),
            Set::Combine { left, right, .. } => {
                self.set(left)?;
                self.set(right)
            }
        }
    }

    fn scalar<'a>(&mut self, of: &'a Scalar) -> Judged<'a, Known> {
        let part = Part::Scalar(of);
        match of {
            Scalar::Literal(literal) => Ok(Known::literal(literal)),
            Scalar::Aggregate(_, None) => Ok(Known::read(Type::Int)),
            Scalar::Aggregate(aggregate, Some(inner)) => {
                let found = self.expr(inner)?;
                if !found.kind.is_number() {
                    return refuse(part, format!("found {}, expected a number or a duration", found.kind));
                }
                if !found.reads {
                    return refuse(part, "found a constant, expected an expression that reads the span");
                }
                let mean = *aggregate == Aggregate::Avg && found.kind == Type::Int;
                Ok(Known::read(if mean { Type::Float } else { found.kind.as_number() }))
            }
            Scalar::Pipeline(pipeline, inner) => {
                self.pipeline(pipeline)?;
                self.scalar(inner)
            }
            Scalar::Binary { op, left, right } => {
                let operands = [self.scalar(left)?, self.scalar(right)?];
                operator::reckon(part, *op, operands)
            }
        }
    }
}
