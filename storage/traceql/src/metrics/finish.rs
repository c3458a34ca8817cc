//! What was counted, as series.

use super::accumulator::{Accumulator, Counts, Table};
use super::bucket::{BUCKET_LABEL, QUANTILE_LABEL, bucket_power, quantile};
use super::cell::{Cell, Sum};
use super::compare::samples;
use super::row::Row;
use super::series::{series_of, series_order};
use crate::answer::{Exemplar, Series, Steps};
use crate::plan::{Leaf, Measure, MetricsPlan};
use crate::value::{Key, Value};
use spanloom_span::model::AnyValue;

/// The series of a query.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MetricsAnswer {
    /// In order.
    pub series: Vec<Series>,
    /// What is left out and why, when something is.
    pub partial: Option<String>,
}

/// Makes the series of a query from what was counted for each of its leaves, in the order of the leaves.
pub fn finish(plan: &MetricsPlan, accumulators: &[Accumulator]) -> MetricsAnswer {
    let mut partial = None;
    let mut leaves: Vec<Vec<Series>> = Vec::with_capacity(plan.leaves.len());
    for (leaf, accumulator) in plan.leaves.iter().zip(accumulators) {
        let (mut series, mut dropped) = leaf_series(leaf, accumulator);
        series.sort_by(series_order);
        dropped |= series.len() > accumulator.most_series;
        series.truncate(accumulator.most_series);
        if dropped {
            let kept = series.len();
            partial.get_or_insert_with(|| {
                format!("`{}` has more series than the limit allows: the first {kept} are shown", leaf.name)
            });
        }
        leaves.push(series);
    }
    MetricsAnswer { series: series_of(&plan.series, &mut leaves), partial }
}

fn leaf_series(leaf: &Leaf, from: &Accumulator) -> (Vec<Series>, bool) {
    let steps = &from.steps;
    match (&leaf.function, &from.counts) {
        (Measure::Rate, Counts::Spans(table)) => {
            let seconds = steps.step as f64 / 1e9;
            one_each(leaf, table, |row| {
                let mut samples = samples(row, steps);
                samples.iter_mut().for_each(|(_, value)| *value /= seconds);
                samples
            })
        }
        (Measure::Count, Counts::Spans(table)) => one_each(leaf, table, |row| samples(row, steps)),
        (_, Counts::Least(table)) => {
            one_each(leaf, table, |row| there(row, steps, |cell| cell.0.map(|value| from.scaled(value))))
        }
        (_, Counts::Greatest(table)) => {
            one_each(leaf, table, |row| there(row, steps, |cell| cell.0.map(|value| from.scaled(value))))
        }
        (measure, Counts::Sums(table)) => {
            let mean = matches!(measure, Measure::Avg(_));
            let value = |cell: &Sum| {
                let sum = from.scaled(cell.total.value());
                Some(if mean { sum / cell.count as f64 } else { sum })
            };
            one_each(leaf, table, |row| there(row, steps, value))
        }
        (Measure::Histogram(_), Counts::Buckets(table)) => histogram(leaf, table, from),
        (Measure::Quantile(_, quantiles), Counts::Buckets(table)) => {
            quantiles_of(leaf, quantiles, table, from)
        }
        (Measure::Compare(compare), Counts::Compare(counted)) => counted.series(steps, compare.top),
        // Counted for another leaf.
        _ => (Vec::new(), false),
    }
}

type Samples = Vec<(u64, f64)>;

/// One series for each group that has a sample.
fn one_each<C: Cell>(
    leaf: &Leaf,
    table: &Table<C>,
    samples: impl Fn(&Row<C>) -> Samples,
) -> (Vec<Series>, bool) {
    let (groups, dropped) = table.in_order();
    let groups = groups.into_iter().filter(|(_, (row, _))| row.cells().next().is_some());
    let series = groups.map(|(key, (row, exemplars))| Series {
        labels: labels(leaf, key),
        samples: samples(row),
        exemplars: exemplars.shown(),
    });
    (series.collect(), dropped)
}

/// Samples where there is a value.
fn there<C: Cell>(row: &Row<C>, steps: &Steps, value: impl Fn(&C) -> Option<f64>) -> Samples {
    row.cells().filter_map(|(sample, cell)| Some((steps.time(sample), value(cell)?))).collect()
}

fn histogram(leaf: &Leaf, table: &Table<super::cell::Buckets>, from: &Accumulator) -> (Vec<Series>, bool) {
    let (groups, dropped) = table.in_order();
    let mut series = Vec::new();
    for (key, (row, exemplars)) in groups {
        let mut by_bucket: Vec<(u8, Row<u64>)> = Vec::new();
        for (sample, cell) in row.cells() {
            for &(bucket, count) in &cell.0 {
                let at = by_bucket.binary_search_by_key(&bucket, |(known, _)| *known).unwrap_or_else(|at| {
                    by_bucket.insert(at, (bucket, Row::default()));
                    at
                });
                if let Some(cell) = by_bucket[at].1.at(sample, from.steps.count) {
                    *cell += count;
                }
            }
        }
        let mut shown = exemplars.shown();
        for (bucket, row) in by_bucket {
            let power = from.scaled(bucket_power(bucket));
            let mut labels = labels(leaf, key);
            labels.push((BUCKET_LABEL.to_owned(), AnyValue::Double(power)));
            // Buckets ascend: what is not above this power and was not taken yet is its own.
            let (exemplars, above): (Vec<_>, Vec<_>) =
                shown.into_iter().partition(|shown| shown.value <= power);
            shown = above;
            series.push(Series { labels, samples: samples(&row, &from.steps), exemplars });
        }
    }
    (series, dropped)
}

fn quantiles_of(
    leaf: &Leaf,
    quantiles: &[f64],
    table: &Table<super::cell::Buckets>,
    from: &Accumulator,
) -> (Vec<Series>, bool) {
    let (groups, dropped) = table.in_order();
    let mut ascending = quantiles.to_vec();
    ascending.sort_by(f64::total_cmp);
    ascending.dedup();
    let mut series = Vec::new();
    for (key, (row, exemplars)) in groups {
        let mut left = exemplars.shown();
        for (at, &wanted) in ascending.iter().enumerate() {
            let value =
                |cell: &super::cell::Buckets| quantile(&cell.0, wanted).map(|value| from.scaled(value));
            let samples = there(row, &from.steps, value);
            if samples.is_empty() {
                continue;
            }
            let mut labels = labels(leaf, key);
            labels.push((QUANTILE_LABEL.to_owned(), AnyValue::Double(wanted)));
            // An exemplar stands at the least quantile that it does not exceed, or at the greatest one.
            let last = at + 1 == ascending.len();
            let mine = |shown: &Exemplar| last || reaches(&samples, from, shown);
            let (exemplars, above): (Vec<_>, Vec<_>) = left.into_iter().partition(mine);
            left = above;
            series.push(Series { labels, samples, exemplars });
        }
    }
    (series, dropped)
}

/// Whether the quantile at an exemplar's time is at least its value.
fn reaches(samples: &[(u64, f64)], from: &Accumulator, shown: &Exemplar) -> bool {
    let time = from.steps.sample_of(shown.at).map(|sample| from.steps.time(sample));
    let at = time.and_then(|time| samples.binary_search_by_key(&time, |(known, _)| *known).ok());
    at.is_some_and(|at| samples[at].1 >= shown.value)
}

/// The labels of a group.
fn labels(leaf: &Leaf, key: &[Key]) -> Vec<(String, AnyValue)> {
    if leaf.by.is_empty() {
        let bucketed = matches!(leaf.function, Measure::Histogram(_) | Measure::Quantile(..));
        let name = || ("__name__".to_owned(), AnyValue::Str(leaf.name.to_owned()));
        return if bucketed { Vec::new() } else { vec![name()] };
    }
    let named = leaf.by.iter().zip(key).filter(|(_, key)| key.value() != Value::Nil);
    let labels: Vec<_> = named.map(|((_, name), key)| (name.to_string(), key.value().to_any())).collect();
    match leaf.by.first() {
        Some((_, first)) if labels.is_empty() => vec![(first.to_string(), AnyValue::Str("nil".to_owned()))],
        _ => labels,
    }
}
