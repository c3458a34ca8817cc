//! What a query for series gives: the unit of its values, and how they are best drawn.

use spanloom_traceql::ast::{BinaryOp, Field, Function, Intrinsic, Metrics, OverTime};

use super::number::{plain, seconds};

/// What a value counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A number without a unit, or one that is not known.
    None,
    /// Spans.
    Spans,
    /// Spans a second.
    SpansPerSecond,
    /// Seconds.
    Seconds,
}

/// How an answer is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drawn {
    /// A line for each series.
    Series,
    /// A heat map, a row for each bucket.
    Histogram,
    /// A table of attributes.
    Compare,
}

/// Unit and picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// How it is drawn.
    pub drawn: Drawn,
    /// The unit of the values; of a histogram, that of its buckets.
    pub unit: Unit,
}

impl Unit {
    /// A value with its unit, as far as it has one of its own.
    pub fn print(self, value: f64) -> String {
        match self {
            Self::Seconds => seconds(value),
            Self::None | Self::Spans | Self::SpansPerSecond => plain(value),
        }
    }

    /// What stands at an axis.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "value",
            Self::Spans => "spans",
            Self::SpansPerSecond => "spans a second",
            Self::Seconds => "duration",
        }
    }
}

/// What a query gives. Trees are no higher than [`spanloom_traceql::MAX_HEIGHT`].
pub fn shape(metrics: &Metrics) -> Shape {
    match metrics {
        Metrics::Series { function, .. } => of_function(function),
        Metrics::Then(source, _) => shape(source),
        Metrics::Number(_) => Shape { drawn: Drawn::Series, unit: Unit::None },
        Metrics::Math { op, left, right } => {
            let (left, right) = (shape(left).unit, shape(right).unit);
            let adds = matches!(op, BinaryOp::Add | BinaryOp::Sub);
            let unit = if adds && left == right { left } else { Unit::None };
            Shape { drawn: Drawn::Series, unit }
        }
    }
}

fn of_function(function: &Function) -> Shape {
    let series = |unit| Shape { drawn: Drawn::Series, unit };
    match function {
        Function::Rate => series(Unit::SpansPerSecond),
        Function::CountOverTime => series(Unit::Spans),
        Function::OverTime(OverTime::Histogram, field) => {
            Shape { drawn: Drawn::Histogram, unit: of_field(field) }
        }
        Function::OverTime(_, field) | Function::Quantile(field, _) => series(of_field(field)),
        Function::Compare { .. } => Shape { drawn: Drawn::Compare, unit: Unit::Spans },
    }
}

/// Durations are answered in seconds.
fn of_field(field: &Field) -> Unit {
    match field {
        Field::Intrinsic(Intrinsic::Duration | Intrinsic::TraceDuration | Intrinsic::EventTimeSinceStart) => {
            Unit::Seconds
        }
        _ => Unit::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use spanloom_traceql::ast::Body;

    #[test]
    fn the_query_says_what_is_drawn() {
        let check = |query: &str, drawn: Drawn, unit: Unit| {
            let Body::Metrics(metrics) = spanloom_traceql::read(query).unwrap().body else {
                panic!("{query}")
            };
            assert_eq!(shape(&metrics), Shape { drawn, unit }, "{query}");
        };
        check("{ } | rate()", Drawn::Series, Unit::SpansPerSecond);
        check("{ } | rate() by (name) | topk(3)", Drawn::Series, Unit::SpansPerSecond);
        check("{ } | count_over_time()", Drawn::Series, Unit::Spans);
        check("{ } | max_over_time(duration)", Drawn::Series, Unit::Seconds);
        check("{ } | quantile_over_time(trace:duration, .9)", Drawn::Series, Unit::Seconds);
        check("{ } | avg_over_time(span.bytes)", Drawn::Series, Unit::None);
        check("{ } | histogram_over_time(duration) by (name)", Drawn::Histogram, Unit::Seconds);
        check("{ } | histogram_over_time(span.bytes)", Drawn::Histogram, Unit::None);
        check("{ } | compare({ status = error })", Drawn::Compare, Unit::Spans);
        check("({ status = error } | rate()) / ({ } | rate())", Drawn::Series, Unit::None);
        check("({ .a = 1 } | rate()) + ({ .a = 2 } | rate())", Drawn::Series, Unit::SpansPerSecond);
    }
}
