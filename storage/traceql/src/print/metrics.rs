//! Functions over time, second stages, arithmetic over series.

use super::{Binds, Part, Printer, operator};
use crate::ast::{Field, Function, Literal, Metrics, OverTime, SecondStage};
use crate::parse::level;

impl Printer<'_> {
    pub(super) fn metrics(&mut self, of: &Metrics) {
        self.enter(Part::Metrics(of));
        match of {
            Metrics::Number(number) => self.token(number),
            Metrics::Math { op, left, right } => self.binary(*op, &**left, &**right, Self::metrics),
            Metrics::Series { pipeline, function, by } => {
                self.pipeline(pipeline);
                self.text(" | ");
                self.function(function);
                if !by.is_empty() {
                    self.text(" by(");
                    self.list(by, Self::field);
                    self.text(")");
                }
            }
            Metrics::Then(source, stages) => {
                self.metrics(source);
                for stage in stages {
                    self.text(" | ");
                    self.second_stage(stage);
                }
            }
        }
    }

    pub(super) fn function(&mut self, of: &Function) {
        self.enter(Part::Function(of));
        match of {
            Function::Rate => self.text("rate()"),
            Function::CountOverTime => self.text("count_over_time()"),
            Function::OverTime(statistic, field) => {
                self.text(match statistic {
                    OverTime::Min => "min_over_time(",
                    OverTime::Max => "max_over_time(",
                    OverTime::Avg => "avg_over_time(",
                    OverTime::Sum => "sum_over_time(",
                    OverTime::Histogram => "histogram_over_time(",
                });
                self.field(field);
                self.text(")");
            }
            Function::Quantile(field, quantiles) => self.quantile(field, quantiles),
            Function::Compare { selection, top, window } => {
                self.text("compare(");
                self.filter(selection.as_deref());
                for number in top.iter().chain(window.iter().flat_map(|(from, until)| [from, until])) {
                    self.text(", ");
                    self.token(&Literal::Int(*number));
                }
                self.text(")");
            }
        }
    }

    fn quantile(&mut self, field: &Field, quantiles: &[f64]) {
        self.text("quantile_over_time(");
        self.field(field);
        for quantile in quantiles {
            self.text(", ");
            self.token(&Literal::Float(*quantile));
        }
        self.text(")");
    }

    pub(super) fn second_stage(&mut self, of: &SecondStage) {
        self.enter(Part::SecondStage(of));
        let (limit, text) = match of {
            SecondStage::Topk(limit) => (limit, "topk("),
            SecondStage::Bottomk(limit) => (limit, "bottomk("),
            SecondStage::Filter(op, value) => {
                self.token(op);
                self.text(" ");
                return self.token(value);
            }
        };
        self.text(text);
        self.token(&Literal::Int(*limit));
        self.text(")");
    }
}

impl Binds for Metrics {
    fn binds(&self) -> u8 {
        match self {
            Metrics::Number(_) => level::ATOM,
            Metrics::Math { op, .. } => operator(*op).1,
            Metrics::Series { .. } | Metrics::Then(..) => 0,
        }
    }
}
