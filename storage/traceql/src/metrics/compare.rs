//! Selection and baseline by attribute: what `compare` counts, and its series.

use super::bounded::Bounded;
use super::row::Row;
use crate::answer::{Series, Steps};
use crate::ast::{Attribute, Scope};
use crate::value::{Key, Value, order};
use spanloom_span::model::AnyValue;

/// More values than these in a half are reported.
const MANY_VALUES: usize = 1000;

/// About how many bytes a value takes at least.
const VALUE_BYTES: usize = 256;

/// Where a compared value stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The key is the label.
    Intrinsic,
    Resource,
    Span,
}

/// Spans by half, attribute and value, and by half and attribute.
#[derive(Debug)]
pub(super) struct Comparison {
    values: Bounded<Row<u64>>,
    totals: Bounded<Row<u64>>,
}

impl Comparison {
    pub fn new(max_bytes: usize, count: u32) -> Self {
        let limit = max_bytes / VALUE_BYTES.max((count as usize).saturating_mul(8)) / 2;
        Self { values: Bounded::new(limit), totals: Bounded::new(limit) }
    }

    /// Counts a span for the value of one of its attributes; nil is no value.
    pub fn add(
        &mut self,
        selected: bool,
        place: Place,
        key: &[u8],
        value: Value<'_>,
        sample: u32,
        count: u32,
    ) {
        if value == Value::Nil {
            return;
        }
        let whole = [Value::Bool(selected), Value::Int(place as i64), Value::Text(key), value];
        for (table, key) in [(&mut self.values, &whole[..]), (&mut self.totals, &whole[..3])] {
            let row = table.meet(key).and_then(|group| table.get_mut(group));
            if let Some(cell) = row.and_then(|row| row.at(sample, count)) {
                *cell += 1;
            }
        }
    }

    pub fn merge(&mut self, other: Self, count: u32) {
        self.values.merge(other.values, |mine, other| mine.merge(other, count));
        self.totals.merge(other.totals, |mine, other| mine.merge(other, count));
    }

    /// Counts by value, with keys of 4 values, and totals, with keys of 3.
    pub fn tables(&self) -> [&Bounded<Row<u64>>; 2] {
        [&self.values, &self.totals]
    }

    /// As [`Comparison::tables`].
    pub fn tables_mut(&mut self) -> [&mut Bounded<Row<u64>>; 2] {
        [&mut self.values, &mut self.totals]
    }

    /// The series, and whether values were given up.
    pub fn series(&self, steps: &Steps, top: usize) -> (Vec<Series>, bool) {
        let (values, dropped_values) = self.values.in_order();
        let (totals, dropped_totals) = self.totals.in_order();
        let mut series = Vec::new();
        let mut rest = &values[..];
        for (key, total) in totals {
            let Some(half) = Half::of(key) else { continue };
            // Both lists follow the same order.
            let of_key =
                rest.partition_point(|(value, _)| value.iter().take(3).cmp(key) == std::cmp::Ordering::Less);
            rest = &rest[of_key..];
            let end = rest.partition_point(|(value, _)| value.iter().take(3).cmp(key).is_le());
            let (mine, others) = rest.split_at(end);
            rest = others;
            half.add_series(mine, total, steps, top, &mut series);
        }
        (series, dropped_values || dropped_totals)
    }
}

/// An attribute in one half.
struct Half {
    selected: bool,
    label: String,
}

impl Half {
    fn of(key: &[Key]) -> Option<Self> {
        let [selected, place, name] = key else { return None };
        let Value::Text(name) = name.value() else { return None };
        let name = String::from_utf8_lossy(name).into_owned();
        let scoped = |scope, name| Attribute { parent: false, scope: Some(scope), name }.to_string();
        let label = match place.value() {
            Value::Int(place) if place == Place::Resource as i64 => scoped(Scope::Resource, name),
            Value::Int(place) if place == Place::Span as i64 => scoped(Scope::Span, name),
            _ => name,
        };
        Some(Self { selected: selected.value() == Value::Bool(true), label })
    }

    fn add_series(
        &self,
        values: &[(&[Key], &Row<u64>)],
        total: &Row<u64>,
        steps: &Steps,
        top: usize,
        series: &mut Vec<Series>,
    ) {
        let spans = |row: &Row<u64>| row.cells().map(|(_, count)| count).sum::<u64>();
        let mut most: Vec<(u64, Value<'_>, &Row<u64>)> =
            values.iter().filter_map(|(key, row)| Some((spans(row), key.last()?.value(), *row))).collect();
        most.sort_by(|left, right| right.0.cmp(&left.0).then_with(|| order(left.1, right.1)));
        most.truncate(top);
        let (part, whole) = match self.selected {
            true => ("selection", "selection_total"),
            false => ("baseline", "baseline_total"),
        };
        let mut others = samples(total, steps);
        for (_, value, row) in &most {
            let samples = samples(row, steps);
            others.iter_mut().zip(&samples).for_each(|(other, shown)| other.1 -= shown.1);
            series.push(self.one(&[("__meta_type", part)], value.to_any(), samples));
        }
        let nil = || AnyValue::Str("nil".to_owned());
        if values.len() > MANY_VALUES {
            let labels = [("__meta_type", part), ("__meta_error", "__too_many_values__")];
            series.push(self.one(&labels, nil(), others));
        }
        series.push(self.one(&[("__meta_type", whole)], nil(), samples(total, steps)));
    }

    fn one(&self, meta: &[(&str, &str)], value: AnyValue, samples: Vec<(u64, f64)>) -> Series {
        let text = |(name, value): &(&str, &str)| ((*name).to_owned(), AnyValue::Str((*value).to_owned()));
        let mut labels: Vec<(String, AnyValue)> = meta.iter().map(text).collect();
        labels.push((self.label.clone(), value));
        Series { labels, samples, exemplars: Vec::new() }
    }
}

/// Counts at every time.
pub(super) fn samples(row: &Row<u64>, steps: &Steps) -> Vec<(u64, f64)> {
    let mut samples: Vec<(u64, f64)> = (0..steps.count).map(|sample| (steps.time(sample), 0.0)).collect();
    for (sample, count) in row.cells() {
        if let Some((_, value)) = samples.get_mut(sample as usize) {
            *value = *count as f64;
        }
    }
    samples
}
