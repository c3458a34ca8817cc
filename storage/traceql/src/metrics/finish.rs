//! What was counted, as series.

use super::accumulator::{Accumulator, Counts, Table};
use super::bucket::{BUCKET_LABEL, QUANTILE_LABEL, bucket_power, quantile};
use super::cell::{Buckets, Cell, Extreme, Sum};
use super::compare::samples;
use super::exemplar::Exemplars;
use super::kept::{Cut, Kept};
use super::row::Row;
use super::series::{labels_order, named, series_of, series_order};
use crate::answer::{Exemplar, Series, Steps};
use crate::plan::{Leaf, Measure, MetricsPlan};
use crate::value::{Key, Value};
use spanloom_span::model::AnyValue;

/// The series of a query.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MetricsAnswer {
    /// In order.
    pub series: Vec<Series>,
    /// What is left out, when something is.
    pub partial: Option<Partial>,
}

/// Series that were left out: all after the first ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partial {
    /// The function, such as `rate`.
    pub of: &'static str,
    /// How many of its series are shown.
    pub shown: usize,
    /// Why no more.
    pub cut: Cut,
}

/// Makes the series of a query from what was counted for each of its leaves, in the order of the leaves.
pub fn finish(plan: &MetricsPlan, accumulators: &[Accumulator]) -> MetricsAnswer {
    let mut partial = None;
    let mut leaves: Vec<Vec<Series>> = Vec::with_capacity(plan.leaves.len());
    for (leaf, accumulator) in plan.leaves.iter().zip(accumulators) {
        let mut kept = Kept::new(accumulator.most_series, accumulator.most_bytes);
        let dropped = leaf_series(leaf, accumulator, &mut kept);
        if let Some(cut) = kept.cut.or(dropped.then_some(accumulator.groups_cut)) {
            partial.get_or_insert(Partial { of: leaf.name, shown: kept.series.len(), cut });
        }
        leaves.push(kept.series);
    }
    MetricsAnswer { series: series_of(&plan.series, &mut leaves), partial }
}

/// Makes the series of a leaf in their order, as many as are kept. Whether groups were given up before.
fn leaf_series(leaf: &Leaf, from: &Accumulator, kept: &mut Kept) -> bool {
    let steps = &from.steps;
    match (&leaf.function, &from.counts) {
        (Measure::Rate, Counts::Spans(table)) => {
            let seconds = steps.step as f64 / 1e9;
            let rate = |row: &Row<u64>| {
                let mut samples = samples(row, steps);
                samples.iter_mut().for_each(|(_, value)| *value /= seconds);
                samples
            };
            one_each(leaf, table, rate, kept)
        }
        (Measure::Count, Counts::Spans(table)) => one_each(leaf, table, |row| samples(row, steps), kept),
        (_, Counts::Least(table)) => {
            let least = |cell: &Extreme<false>| cell.0.map(|value| from.scaled(value));
            one_each(leaf, table, |row| there(row, steps, least), kept)
        }
        (_, Counts::Greatest(table)) => {
            let greatest = |cell: &Extreme<true>| cell.0.map(|value| from.scaled(value));
            one_each(leaf, table, |row| there(row, steps, greatest), kept)
        }
        (measure, Counts::Sums(table)) => {
            let mean = matches!(measure, Measure::Avg(_));
            let value = |cell: &Sum| {
                let sum = from.scaled(cell.total.value());
                Some(if mean { sum / cell.count as f64 } else { sum })
            };
            one_each(leaf, table, |row| there(row, steps, value), kept)
        }
        (Measure::Histogram(_), Counts::Buckets(table)) => {
            each_group(leaf, table, kept, |group, kept| histogram(group, from, kept))
        }
        (Measure::Quantile(_, quantiles), Counts::Buckets(table)) => {
            let mut ascending = quantiles.clone();
            ascending.sort_by(f64::total_cmp);
            ascending.dedup();
            each_group(leaf, table, kept, |group, kept| quantiles_of(group, &ascending, from, kept))
        }
        (Measure::Compare(compare), Counts::Compare(counted)) => {
            let (mut series, dropped) = counted.series(steps, compare.top);
            series.sort_by(series_order);
            series.into_iter().for_each(|series| kept.put(series));
            dropped
        }
        // Counted for another leaf.
        _ => false,
    }
}

type Samples = Vec<(u64, f64)>;
type Labels = Vec<(String, AnyValue)>;

/// A group and its labels.
struct Group<'a, C> {
    labels: Labels,
    row: &'a Row<C>,
    exemplars: &'a Exemplars,
}

/// Makes the series of each group in the order of the labels, until no more are kept. Whether groups were given up
/// before.
fn each_group<C: Cell>(
    leaf: &Leaf,
    table: &Table<C>,
    kept: &mut Kept,
    series: impl Fn(Group<'_, C>, &mut Kept),
) -> bool {
    let (groups, dropped) = table.in_order();
    let mut groups: Vec<Group<'_, C>> = groups
        .into_iter()
        .filter(|(_, (row, _))| row.cells().next().is_some())
        .map(|(key, (row, exemplars))| Group { labels: labels(leaf, key), row, exemplars })
        .collect();
    // Labels that are nil are left out, so that their order is another than that of the values.
    let last = last_label(leaf);
    groups.sort_by(|left, right| {
        labels_order(named(&left.labels).chain(last), named(&right.labels).chain(last))
    });
    for group in groups {
        if kept.is_cut() {
            break;
        }
        series(group, kept);
    }
    dropped
}

/// The label that a function puts behind those of `by`; its values ascend within a group.
fn last_label(leaf: &Leaf) -> Option<(&'static str, &'static AnyValue)> {
    const ANY: &AnyValue = &AnyValue::Double(0.0);
    match leaf.function {
        Measure::Histogram(_) => Some((BUCKET_LABEL, ANY)),
        Measure::Quantile(..) => Some((QUANTILE_LABEL, ANY)),
        _ => None,
    }
}

/// One series for each group that has a sample.
fn one_each<C: Cell>(
    leaf: &Leaf,
    table: &Table<C>,
    samples: impl Fn(&Row<C>) -> Samples,
    kept: &mut Kept,
) -> bool {
    each_group(leaf, table, kept, |group, kept| {
        let (samples, exemplars) = (samples(group.row), group.exemplars.shown());
        kept.put(Series { labels: group.labels, samples, exemplars });
    })
}

/// Samples where there is a value.
fn there<C: Cell>(row: &Row<C>, steps: &Steps, value: impl Fn(&C) -> Option<f64>) -> Samples {
    row.cells().filter_map(|(sample, cell)| Some((steps.time(sample), value(cell)?))).collect()
}

fn histogram(group: Group<'_, Buckets>, from: &Accumulator, kept: &mut Kept) {
    let mut by_bucket: Vec<(u8, Row<u64>)> = Vec::new();
    for (sample, cell) in group.row.cells() {
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
    let mut shown = group.exemplars.shown();
    for (bucket, row) in by_bucket {
        if kept.is_cut() {
            return;
        }
        let power = from.scaled(bucket_power(bucket));
        let mut labels = group.labels.clone();
        labels.push((BUCKET_LABEL.to_owned(), AnyValue::Double(power)));
        // Buckets ascend: what is not above this power and was not taken yet is its own.
        let (exemplars, above): (Vec<_>, Vec<_>) = shown.into_iter().partition(|shown| shown.value <= power);
        shown = above;
        kept.put(Series { labels, samples: samples(&row, &from.steps), exemplars });
    }
}

fn quantiles_of(group: Group<'_, Buckets>, ascending: &[f64], from: &Accumulator, kept: &mut Kept) {
    let mut left = group.exemplars.shown();
    for (at, &wanted) in ascending.iter().enumerate() {
        if kept.is_cut() {
            return;
        }
        let value = |cell: &Buckets| quantile(&cell.0, wanted).map(|value| from.scaled(value));
        let samples = there(group.row, &from.steps, value);
        if samples.is_empty() {
            continue;
        }
        let mut labels = group.labels.clone();
        labels.push((QUANTILE_LABEL.to_owned(), AnyValue::Double(wanted)));
        // An exemplar stands at the least quantile that it does not exceed, or at the greatest one.
        let last = at + 1 == ascending.len();
        let mine = |shown: &Exemplar| last || reaches(&samples, from, shown);
        let (exemplars, above): (Vec<_>, Vec<_>) = left.into_iter().partition(mine);
        left = above;
        kept.put(Series { labels, samples, exemplars });
    }
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
