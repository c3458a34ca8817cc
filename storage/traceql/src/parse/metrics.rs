//! Functions over time and what follows them.

use super::Parser;
use super::chain::Tall;
use super::field::operator;
use crate::ast::{Function, Literal, Metrics, OverTime, SecondStage};
use crate::error::{ParseError, Problem};
use crate::names;

impl Parser<'_> {
    /// A function over time; `None`, and nothing taken, if there is none.
    pub(super) fn function(&mut self) -> Result<Option<Tall<Function>>, ParseError> {
        let Some(name) =
            self.peek_word().and_then(|word| names::METRICS.iter().find(|known| **known == word))
        else {
            return Ok(None);
        };
        self.at += 1;
        self.expect("(", "`(`")?;
        let function = match *name {
            "rate" => Tall::leaf(Function::Rate),
            "count_over_time" => Tall::leaf(Function::CountOverTime),
            "min_over_time" => self.over_time(OverTime::Min)?,
            "max_over_time" => self.over_time(OverTime::Max)?,
            "avg_over_time" => self.over_time(OverTime::Avg)?,
            "sum_over_time" => self.over_time(OverTime::Sum)?,
            "histogram_over_time" => self.over_time(OverTime::Histogram)?,
            "quantile_over_time" => Tall::leaf(self.quantile()?),
            _ => self.compare()?,
        };
        self.expect(")", "`)`")?;
        Ok(Some(function))
    }

    fn over_time(&mut self, statistic: OverTime) -> Result<Tall<Function>, ParseError> {
        Ok(Tall::leaf(Function::OverTime(statistic, self.expect_field()?)))
    }

    fn quantile(&mut self) -> Result<Function, ParseError> {
        let field = self.expect_field()?;
        let mut quantiles = Vec::new();
        self.expect(",", "`,` and a quantile")?;
        loop {
            let start = self.at;
            match self.literal() {
                Some(Literal::Float(quantile)) => quantiles.push(quantile),
                Some(Literal::Int(whole @ 0..=1)) => quantiles.push(if whole == 0 { 0.0 } else { 1.0 }),
                _ => {
                    self.at = start;
                    return Err(self.unexpected("a quantile from 0 to 1"));
                }
            }
            if !self.eat(",") {
                return Ok(Function::Quantile(field, quantiles));
            }
        }
    }

    fn compare(&mut self) -> Result<Tall<Function>, ParseError> {
        let selection = self.filter()?;
        let top = if self.eat(",") { Some(self.integer("a number of values")?) } else { None };
        let mut window = None;
        if top.is_some() && self.eat(",") {
            let from = self.integer("the start in nanoseconds")?;
            self.expect(",", "`,` and the end in nanoseconds")?;
            window = Some((from, self.integer("the end in nanoseconds")?));
        }
        Ok(selection.under(|selection| Function::Compare { selection, top, window }))
    }

    /// What follows series after `|`.
    pub(super) fn second_stage(&mut self, source: Tall<Metrics>) -> Result<Tall<Metrics>, ParseError> {
        let stage = if self.eat_word("topk") {
            SecondStage::Topk(self.limit()?)
        } else if self.eat_word("bottomk") {
            SecondStage::Bottomk(self.limit()?)
        } else {
            self.series_filter()?
        };
        Ok(match source {
            Tall { tree: Metrics::Then(source, mut stages), height } => {
                stages.push(stage);
                Tall { tree: Metrics::Then(source, stages), height }
            }
            source => source.under(|source| Metrics::Then(Box::new(source), vec![stage])),
        })
    }

    fn limit(&mut self) -> Result<i64, ParseError> {
        self.expect("(", "`(`")?;
        let limit = self.integer("a number of series")?;
        self.expect(")", "`)`")?;
        Ok(limit)
    }

    fn series_filter(&mut self) -> Result<SecondStage, ParseError> {
        let op = self.peek_symbol().and_then(operator).map(|(op, _)| op);
        let Some(op) = op.filter(|op| op.is_comparison()) else {
            let known = ["topk", "bottomk"];
            if let Some(name) = self.peek_word()
                && let Some(nearest) = names::nearest(name, known.into_iter())
            {
                let name = name.to_owned();
                return Err(self.problem(Problem::UnknownName {
                    what: "function",
                    name,
                    nearest: Some(nearest),
                }));
            }
            return Err(self.unexpected("`topk(n)`, `bottomk(n)` or a comparison, such as `> 10`"));
        };
        self.at += 1;
        let start = self.at;
        match self.literal() {
            Some(value @ (Literal::Int(_) | Literal::Float(_) | Literal::Duration(_))) => {
                Ok(SecondStage::Filter(op, value))
            }
            _ => {
                self.at = start;
                Err(self.unexpected("a number or a duration"))
            }
        }
    }

    fn integer(&mut self, expected: &'static str) -> Result<i64, ParseError> {
        let start = self.at;
        if let Some(Literal::Int(number)) = self.literal() {
            return Ok(number);
        }
        self.at = start;
        Err(self.unexpected(expected))
    }
}
