//! Naive metrics: `docs/TRACEQL.md`, "Metrics". Every series keeps all spans behind it as exemplars; an answer
//! shows some of them.

use std::cmp::Ordering;

use spanloom_span::encode;
use spanloom_span::model::AnyValue;
use spanloom_traceql::answer::{Exemplar, Series};

use crate::contrast;
use crate::field::{Value, arithmetic, compare, constant, first_value, float_arithmetic};
use crate::judge::{joined, run};
use crate::model::{Span, Trace};
use crate::query::{Field, Function, Literal, Metrics, Op, Second, Spelling, Stage};
use crate::sum::exact_sum;

const SECOND: f64 = 1e9;

/// When spans are counted, nanoseconds since 1970.
#[derive(Debug, Clone, Copy)]
pub struct Range {
    pub start: u64,
    pub end: u64,
    pub step: Option<u64>,
}

impl Range {
    /// Each sample: its time, the earliest start and the latest start of its spans, both included.
    fn samples(&self) -> Vec<(u64, u64, u64)> {
        let Some(step) = self.step else {
            return vec![(self.end, self.start, self.end)];
        };
        let first = self.start / step * step;
        let last = self.end.div_ceil(step) * step;
        (first..=last).step_by(step as usize).map(|time| (time, time - step + 1, time)).collect()
    }

    /// Earliest and latest start of spans that count.
    pub fn bounds(&self) -> (u64, u64) {
        let samples = self.samples();
        let first = samples.first().map_or(0, |(_, low, _)| *low);
        (first, samples.last().map_or(0, |(.., high)| *high))
    }

    fn seconds(&self) -> f64 {
        self.step.unwrap_or(self.end - self.start) as f64 / SECOND
    }
}

/// A span that the pipeline leaves and that starts in the range.
#[derive(Clone, Copy)]
pub struct Counted<'a> {
    pub trace: &'a Trace,
    pub span: &'a Span,
    /// Index of its sample.
    pub sample: usize,
}

/// The times of all samples, and the spans that count.
pub fn counted<'a>(traces: &'a [Trace], stages: &[Stage], range: &Range) -> (Vec<u64>, Vec<Counted<'a>>) {
    let samples = range.samples();
    let mut out = Vec::new();
    for trace in traces {
        for index in joined(&run(trace, stages)) {
            let span = &trace.spans[index];
            let within = |(_, low, high): &(u64, u64, u64)| (*low..=*high).contains(&span.start());
            if let Some(sample) = samples.iter().position(within) {
                out.push(Counted { trace, span, sample });
            }
        }
    }
    (samples.into_iter().map(|(time, ..)| time).collect(), out)
}

/// The series of a query, in the order of an answer.
pub fn metrics(traces: &[Trace], query: &Metrics, range: &Range) -> Vec<Series> {
    match query {
        Metrics::Leaf { stages, function, by } => leaf(traces, stages, function, by, range),
        Metrics::Number(_) => Vec::new(),
        Metrics::Then(series, second) => then(metrics(traces, series, range), second),
        Metrics::Arithmetic(op, left, right) => {
            let of = |side| metrics(traces, side, range);
            match (number(left), number(right)) {
                // Never a query by itself.
                (Some(_), Some(_)) => Vec::new(),
                (Some(number), None) => {
                    each_sample(of(right), |sample| float_arithmetic(*op, as_float(&number), sample))
                }
                (None, Some(number)) => {
                    each_sample(of(left), |sample| float_arithmetic(*op, sample, as_float(&number)))
                }
                (None, None) => reckon(*op, &of(left), &of(right)),
            }
        }
    }
}

/// Whether each series of a query shows the exemplars of whole groups.
pub fn shows_whole_groups(query: &Metrics) -> bool {
    match query {
        Metrics::Number(_) => true,
        Metrics::Leaf { function, .. } => {
            !matches!(function, Function::Histogram(_) | Function::Quantile(..))
        }
        Metrics::Then(series, _) => shows_whole_groups(series),
        Metrics::Arithmetic(_, left, right) => shows_whole_groups(left) && shows_whole_groups(right),
    }
}

/// What numbers among themselves come to; none with series among them.
fn number(query: &Metrics) -> Option<Value> {
    match query {
        Metrics::Number(number) => Some(constant(number)),
        Metrics::Arithmetic(op, left, right) => Some(arithmetic(*op, &number(left)?, &number(right)?)),
        Metrics::Leaf { .. } | Metrics::Then(..) => None,
    }
}

fn as_float(value: &Value) -> f64 {
    value.number().unwrap_or(f64::NAN)
}

/// The value of a number in a comparison: durations count as seconds.
fn seconds_of(number: &Literal) -> f64 {
    match constant(number) {
        Value::Duration(nanos) => nanos as f64 / SECOND,
        value => as_float(&value),
    }
}

/// Spans with the same labels.
struct Group<'a> {
    labels: Vec<(String, AnyValue)>,
    spans: Vec<Counted<'a>>,
}

fn groups<'a>(spans: &[Counted<'a>], by: &[Field]) -> Vec<Group<'a>> {
    let mut out: Vec<(String, Group<'a>)> = Vec::new();
    for counted in spans {
        let values: Vec<Value> = by.iter().map(|f| first_value(counted.trace, counted.span, f)).collect();
        let known = values.iter().map(Value::group).collect::<Vec<_>>().join("\n");
        match out.iter_mut().find(|(group, _)| *group == known) {
            Some((_, group)) => group.spans.push(*counted),
            None => out.push((known, Group { labels: labels(by, &values), spans: vec![*counted] })),
        }
    }
    out.into_iter().map(|(_, group)| group).collect()
}

fn labels(by: &[Field], values: &[Value]) -> Vec<(String, AnyValue)> {
    let name = |field: &Field| field.text(Spelling::Canonical);
    let there = by.iter().zip(values).filter(|(_, value)| **value != Value::Nil);
    let labels: Vec<_> = there.map(|(field, value)| (name(field), value.shown())).collect();
    match by.first() {
        Some(first) if labels.is_empty() => vec![(name(first), Value::Nil.shown())],
        _ => labels,
    }
}

fn leaf(traces: &[Trace], stages: &[Stage], function: &Function, by: &[Field], range: &Range) -> Vec<Series> {
    let (times, spans) = counted(traces, stages, range);
    if let Function::Compare(condition, top, between) = function {
        return contrast::compare(&times, &spans, condition.as_ref(), top.unwrap_or(10), *between);
    }
    let mut out = Vec::new();
    for group in groups(&spans, by) {
        match function {
            Function::Histogram(field) => histogram(&times, &group, field, &mut out),
            Function::Quantile(field, quantiles) => {
                for q in quantiles {
                    out.push(quantile(&times, &group, field, *q));
                }
            }
            _ => out.push(plain(&times, group, function, range)),
        }
    }
    // The page has series for all groups with a span, but a series without a sample says nothing.
    out.retain(|series| !series.samples.is_empty());
    in_order(&mut out);
    out
}

/// All functions with one series a group.
fn plain(times: &[u64], mut group: Group<'_>, function: &Function, range: &Range) -> Series {
    if group.labels.is_empty() {
        group.labels.push(("__name__".to_owned(), AnyValue::Str(function.name().to_owned())));
    }
    let mut samples = Vec::new();
    for (sample, time) in times.iter().enumerate() {
        let spans: Vec<&Counted<'_>> = group.spans.iter().filter(|c| c.sample == sample).collect();
        // Durations are added up as nanoseconds, so that nothing of them is lost.
        let values: Vec<Value> = match function.measured() {
            Some(field) => spans.iter().map(|c| first_value(c.trace, c.span, field)).collect(),
            None => Vec::new(),
        };
        let unit = if values.iter().any(|v| matches!(v, Value::Duration(_))) { SECOND } else { 1.0 };
        let measured: Vec<f64> = values.iter().filter_map(Value::number).collect();
        let sum = (!measured.is_empty()).then(|| exact_sum(&values));
        let value = match function {
            Function::Count => Some(spans.len() as f64),
            Function::Rate => Some(spans.len() as f64 / range.seconds()),
            Function::Min(_) => measured.iter().copied().reduce(f64::min).map(|least| least / unit),
            Function::Max(_) => measured.iter().copied().reduce(f64::max).map(|most| most / unit),
            Function::Sum(_) => sum.map(|sum| sum / unit),
            _ => sum.map(|sum| sum / measured.len() as f64 / unit),
        };
        samples.extend(value.map(|value| (*time, value)));
    }
    let exemplars = group.spans.iter().filter_map(|c| exemplar(c, function.measured())).collect();
    Series { labels: group.labels, samples, exemplars }
}

/// A span's number, durations in seconds.
fn measure(counted: &Counted<'_>, field: &Field) -> Option<f64> {
    match first_value(counted.trace, counted.span, field) {
        Value::Duration(nanos) => Some(nanos as f64 / SECOND),
        value => value.number(),
    }
}

fn exemplar(counted: &Counted<'_>, field: Option<&Field>) -> Option<Exemplar> {
    let value = match field {
        Some(field) => measure(counted, field)?,
        None => counted.span.duration() as f64 / SECOND,
    };
    Some(Exemplar { trace: counted.trace.id, at: counted.span.start(), value })
}

/// The least power of two that is not less than the value: its exponent, and whether it counts nanoseconds.
fn bucket(counted: &Counted<'_>, field: &Field) -> Option<(u32, bool)> {
    let (value, nanos) = match first_value(counted.trace, counted.span, field) {
        Value::Int(value) => (value, false),
        Value::Duration(value) => (value, true),
        _ => return None,
    };
    let exponent = (0..64).find(|exponent| 1u128 << exponent >= u128::try_from(value).unwrap_or(0))?;
    (value >= 2).then_some((exponent, nanos))
}

fn power(exponent: u32, nanos: bool) -> f64 {
    let power = (1u128 << exponent) as f64;
    if nanos { power / SECOND } else { power }
}

fn histogram(times: &[u64], group: &Group<'_>, field: &Field, out: &mut Vec<Series>) {
    let mut buckets: Vec<(u32, bool)> = group.spans.iter().filter_map(|c| bucket(c, field)).collect();
    buckets.sort_unstable();
    buckets.dedup();
    for wanted in buckets {
        let spans: Vec<_> = group.spans.iter().filter(|c| bucket(c, field) == Some(wanted)).collect();
        let count = |sample| spans.iter().filter(|c| c.sample == sample).count() as f64;
        let mut labels = group.labels.clone();
        labels.push(("__bucket".to_owned(), AnyValue::Double(power(wanted.0, wanted.1))));
        out.push(Series {
            labels,
            samples: times.iter().enumerate().map(|(sample, time)| (*time, count(sample))).collect(),
            exemplars: spans.iter().filter_map(|c| exemplar(c, Some(field))).collect(),
        });
    }
}

fn quantile(times: &[u64], group: &Group<'_>, field: &Field, q: f64) -> Series {
    let mut samples = Vec::new();
    for (sample, time) in times.iter().enumerate() {
        let spans = group.spans.iter().filter(|c| c.sample == sample);
        let buckets: Vec<(u32, bool)> = spans.filter_map(|c| bucket(c, field)).collect();
        samples.extend(quantile_of(buckets, q).map(|value| (*time, value)));
    }
    let mut labels = group.labels.clone();
    labels.push(("p".to_owned(), AnyValue::Double(q)));
    let exemplars = group.spans.iter().filter_map(|c| exemplar(c, Some(field))).collect();
    Series { labels, samples, exemplars }
}

/// The buckets of all spans, one each, in any order.
pub fn quantile_of(mut buckets: Vec<(u32, bool)>, q: f64) -> Option<f64> {
    buckets.sort_unstable();
    let needed = ((q * buckets.len() as f64).ceil() as usize).max(1);
    let (exponent, nanos) = *buckets.get(needed - 1)?;
    let below = buckets.iter().filter(|(other, _)| *other < exponent).count();
    let within = buckets.iter().filter(|(other, _)| *other == exponent).count();
    if needed == below + within {
        return Some(power(exponent, nanos));
    }
    let lower = buckets.iter().map(|(other, _)| *other).filter(|other| *other < exponent).max();
    let low = lower.unwrap_or(exponent - 1);
    let fraction = (needed - below) as f64 / within as f64;
    let between = f64::from(low) + f64::from(exponent - low) * fraction;
    let scale = if nanos { SECOND } else { 1.0 };
    Some(between.exp2() / scale)
}

/// By labels: by name, then value, field by field.
pub fn in_order(series: &mut [Series]) {
    series.sort_by(|a, b| by_labels(&a.labels, &b.labels));
}

fn by_labels(a: &[(String, AnyValue)], b: &[(String, AnyValue)]) -> Ordering {
    for ((a_name, a_value), (b_name, b_value)) in a.iter().zip(b) {
        let order = a_name.cmp(b_name).then_with(|| by_value(a_value, b_value));
        if order != Ordering::Equal {
            return order;
        }
    }
    a.len().cmp(&b.len())
}

/// The page does not say how values of different types follow each other. Here: bools, numbers, strings, arrays,
/// maps, bytes; arrays, maps and bytes by the bytes they come in.
pub fn by_value(a: &AnyValue, b: &AnyValue) -> Ordering {
    let rank = |value: &AnyValue| match value {
        AnyValue::Empty => 0,
        AnyValue::Bool(_) => 1,
        AnyValue::Int(_) | AnyValue::Double(_) => 2,
        AnyValue::Str(_) => 3,
        AnyValue::Array(_) => 4,
        AnyValue::Map(_) => 5,
        AnyValue::Bytes(_) => 6,
    };
    match (a, b) {
        (AnyValue::Str(a), AnyValue::Str(b)) => a.cmp(b),
        (AnyValue::Int(a), AnyValue::Int(b)) => a.cmp(b),
        (AnyValue::Double(a), AnyValue::Double(b)) => a.total_cmp(b),
        // An int goes before the float that equals it.
        (AnyValue::Int(a), AnyValue::Double(b)) => (*a as f64).total_cmp(b).then(Ordering::Less),
        (AnyValue::Double(a), AnyValue::Int(b)) => a.total_cmp(&(*b as f64)).then(Ordering::Greater),
        (AnyValue::Bool(a), AnyValue::Bool(b)) => a.cmp(b),
        _ => rank(a).cmp(&rank(b)).then_with(|| wire(a).cmp(&wire(b))),
    }
}

/// The body of an array, a map or bytes as OTLP has it.
fn wire(value: &AnyValue) -> Vec<u8> {
    let mut out = Vec::new();
    encode::put_any_value(&mut out, value);
    // Behind the tag stands the length, whose last byte is the first below 128.
    let behind = out.iter().skip(1).position(|byte| *byte < 128).map_or(out.len(), |length| length + 2);
    out.split_off(behind.min(out.len()))
}

fn then(mut series: Vec<Series>, second: &Second) -> Vec<Series> {
    let before = series.clone();
    for (index, one) in series.iter_mut().enumerate() {
        one.samples.retain(|(time, value)| match second {
            Second::Keep(op, number) => {
                compare(*op, &Value::Float(*value), &Value::Float(seconds_of(number)))
            }
            Second::Top(most) => rank_at(&before, index, *time, |other| other > *value) < *most,
            Second::Bottom(most) => rank_at(&before, index, *time, |other| other < *value) < *most,
        });
    }
    series.retain(|one| !one.samples.is_empty());
    series
}

/// How many series have a better sample at a time; of equal ones, those that come first are better. NaN is neither
/// large nor small: any number is better.
fn rank_at(all: &[Series], index: usize, time: u64, is_better: impl Fn(f64) -> bool) -> usize {
    let at = |series: &Series| series.samples.iter().find(|(t, _)| *t == time).map(|(_, value)| *value);
    let own = at(&all[index]).unwrap_or(f64::NAN);
    let ahead = |(other, series): &(usize, &Series)| match at(series) {
        Some(value) if value.is_nan() || own.is_nan() => !value.is_nan() || own.is_nan() && *other < index,
        Some(value) => is_better(value) || value == own && *other < index,
        None => false,
    };
    all.iter().enumerate().filter(ahead).count()
}

/// The samples of series with a number; their labels stay.
fn each_sample(mut series: Vec<Series>, of: impl Fn(f64) -> f64) -> Vec<Series> {
    for one in &mut series {
        one.samples.iter_mut().for_each(|(_, value)| *value = of(*value));
    }
    series
}

fn unnamed(labels: &[(String, AnyValue)]) -> Vec<(String, AnyValue)> {
    labels.iter().filter(|(name, _)| name != "__name__").cloned().collect()
}

fn reckon(op: Op, left: &[Series], right: &[Series]) -> Vec<Series> {
    let is_lone = |side: &[Series]| side.len() == 1 && unnamed(&side[0].labels).is_empty();
    let mut out = Vec::new();
    for a in left {
        for b in right {
            let (a_labels, b_labels) = (unnamed(&a.labels), unnamed(&b.labels));
            // By their text: a label that is not a number is equal to itself.
            let same = format!("{a_labels:?}") == format!("{b_labels:?}");
            if !same && !is_lone(left) && !is_lone(right) {
                continue;
            }
            let labels = if a_labels.is_empty() { b_labels } else { a_labels };
            let mut samples = Vec::new();
            for (time, value) in &a.samples {
                let other = b.samples.iter().find(|(t, _)| t == time);
                samples.extend(other.map(|(_, other)| (*time, float_arithmetic(op, *value, *other))));
            }
            let of_right = is_lone(left) && !is_lone(right);
            let exemplars = if of_right { b.exemplars.clone() } else { a.exemplars.clone() };
            if !samples.is_empty() {
                out.push(Series { labels, samples, exemplars });
            }
        }
    }
    in_order(&mut out);
    out
}
