//! Second stages and arithmetic over series.

use std::cmp::Ordering;

use crate::answer::Series;
use crate::plan::{Second, SeriesExpr};
use crate::value::{ArithmeticOp, label_order};
use spanloom_span::model::AnyValue;

/// The order of series: by their labels, each by name, then value.
pub fn series_order(left: &Series, right: &Series) -> Ordering {
    labels_order(named(&left.labels), named(&right.labels))
}

/// Labels with their names.
pub(super) fn named(labels: &[(String, AnyValue)]) -> impl Iterator<Item = (&str, &AnyValue)> {
    labels.iter().map(|(name, value)| (&**name, value))
}

/// The order of labels: one after the other by name, then value; fewer come first.
pub(super) fn labels_order<'a>(
    mut left: impl Iterator<Item = (&'a str, &'a AnyValue)>,
    mut right: impl Iterator<Item = (&'a str, &'a AnyValue)>,
) -> Ordering {
    loop {
        let order = match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(left), Some(right)) => left.0.cmp(right.0).then_with(|| label_order(left.1, right.1)),
        };
        if order.is_ne() {
            return order;
        }
    }
}

/// What an expression comes to.
enum Side {
    Number(f64),
    Series(Vec<Series>),
}

/// The series that an expression makes of those of the leaves, each of which is used once.
pub(super) fn series_of(expr: &SeriesExpr, leaves: &mut [Vec<Series>]) -> Vec<Series> {
    match side(expr, leaves) {
        Side::Series(series) => series,
        // A query is never a number alone.
        Side::Number(_) => Vec::new(),
    }
}

fn side(expr: &SeriesExpr, leaves: &mut [Vec<Series>]) -> Side {
    match expr {
        SeriesExpr::Number(number) => Side::Number(*number),
        SeriesExpr::Leaf(leaf) => Side::Series(leaves.get_mut(*leaf).map(std::mem::take).unwrap_or_default()),
        SeriesExpr::Then(source, stages) => {
            let series = series_of(source, leaves);
            Side::Series(stages.iter().fold(series, |series, stage| second(*stage, series)))
        }
        SeriesExpr::Math(op, left, right) => match (side(left, leaves), side(right, leaves)) {
            (Side::Number(left), Side::Number(right)) => Side::Number(op.floats(left, right)),
            (Side::Series(series), Side::Number(number)) => {
                Side::Series(each(series, |value| op.floats(value, number)))
            }
            (Side::Number(number), Side::Series(series)) => {
                Side::Series(each(series, |value| op.floats(number, value)))
            }
            (Side::Series(left), Side::Series(right)) => Side::Series(join(*op, left, right)),
        },
    }
}

fn each(mut series: Vec<Series>, value: impl Fn(f64) -> f64) -> Vec<Series> {
    for (_, sample) in series.iter_mut().flat_map(|series| &mut series.samples) {
        *sample = value(*sample);
    }
    series
}

/// Series with equal labels; one series without labels goes with every one.
fn join(op: ArithmeticOp, mut left: Vec<Series>, mut right: Vec<Series>) -> Vec<Series> {
    for series in left.iter_mut().chain(&mut right) {
        series.labels.retain(|(name, _)| name != "__name__");
    }
    left.sort_by(series_order);
    right.sort_by(series_order);
    let alone = |side: &[Series]| matches!(side, [one] if one.labels.is_empty());
    let mut joined: Vec<Series> = if alone(&right) {
        left.into_iter().map(|left| pair(op, left, &right[0].samples)).collect()
    } else if alone(&left) {
        let flipped = |right: Series| {
            let mut series = pair(op, left[0].clone(), &right.samples);
            (series.labels, series.exemplars) = (right.labels, right.exemplars);
            series
        };
        right.into_iter().map(flipped).collect()
    } else {
        let with_equal = |left: Series| {
            let at = right.binary_search_by(|right| series_order(right, &left)).ok()?;
            Some(pair(op, left, &right[at].samples))
        };
        left.into_iter().filter_map(with_equal).collect()
    };
    joined.retain(|series| !series.samples.is_empty());
    joined
}

/// The samples of both sides at the times that both have; labels and exemplars of the left one.
fn pair(op: ArithmeticOp, mut left: Series, right: &[(u64, f64)]) -> Series {
    let mut right = right.iter().peekable();
    left.samples.retain_mut(|(time, value)| {
        while right.next_if(|(other, _)| *other < *time).is_some() {}
        match right.peek() {
            Some((other, sample)) if other == time => {
                *value = op.floats(*value, *sample);
                true
            }
            _ => false,
        }
    });
    left
}

fn second(stage: Second, mut series: Vec<Series>) -> Vec<Series> {
    match stage {
        Second::Topk(most) => best(&mut series, most, |left, right| right.total_cmp(&left)),
        Second::Bottomk(most) => best(&mut series, most, |left, right| left.total_cmp(&right)),
        Second::Filter(op, bound) => {
            for series in &mut series {
                series.samples.retain(|(_, value)| op.holds_for(*value, bound));
            }
        }
    }
    series.retain(|series| !series.samples.is_empty());
    series
}

/// Keeps the first samples of each time, in the order given; of equal ones those of the first series. NaN comes last.
fn best(series: &mut [Series], most: usize, order: impl Fn(f64, f64) -> Ordering) {
    let mut samples: Vec<(u64, f64, usize)> = Vec::new();
    for (at, series) in series.iter_mut().enumerate() {
        samples.extend(series.samples.drain(..).map(|(time, value)| (time, value, at)));
    }
    // `+ 0.0` makes the two zeros one.
    let by_value = |left: f64, right: f64| {
        left.is_nan().cmp(&right.is_nan()).then_with(|| order(left + 0.0, right + 0.0))
    };
    samples.sort_by(|left, right| {
        left.0.cmp(&right.0).then_with(|| by_value(left.1, right.1)).then_with(|| left.2.cmp(&right.2))
    });
    for at_time in samples.chunk_by(|left, right| left.0 == right.0) {
        for (time, value, at) in at_time.iter().take(most) {
            series[*at].samples.push((*time, *value));
        }
    }
}
