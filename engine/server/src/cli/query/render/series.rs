//! Series over time: plots of a few, lines of many, and what each came to.

use super::super::answer::{Attribute, Exemplar, Series, SeriesAnswer};
use super::grid::Grid;
use super::number::{count, counted, moment};
use super::plot::{self, LABEL};
use super::text::{clip, escape, left, line, right, wrap};
use super::unit::Unit;
use super::{Paint, Style};

/// So many series have a plot each; more have a line each.
const MOST_PLOTS: usize = 4;

/// Columns of a statistic.
const STATISTIC: usize = 8;

/// Narrower than this a series has two lines in the legend.
const WIDE: usize = 80;

/// Labels of a series: `rate`, `name=GET, p=0.95`.
pub fn name(labels: &[Attribute]) -> String {
    let one = |of: &Attribute| match of.key.as_str() {
        "__name__" => escape(&of.text()).into_owned(),
        key => format!("{}={}", escape(key), escape(&of.text())),
    };
    let name = labels.iter().map(one).collect::<Vec<_>>().join(", ");
    if name.is_empty() { "(no labels)".to_owned() } else { name }
}

/// The whole picture, of at most `top` series.
pub fn range(style: &Style, unit: Unit, answer: &SeriesAnswer, top: usize) -> String {
    let mut out = String::new();
    let shown = largest(&answer.series, top, mean);
    let plots = shown.len() <= MOST_PLOTS;
    let room = style.width - if plots { LABEL + 2 } else { 0 };
    let room = if plots || style.width < WIDE { room } else { spark_columns(style) };
    let Some(grid) = Grid::over(&answer.series, room) else {
        line(&mut out, "no span was counted");
        out.push_str(&notes(style, answer, 0));
        return out;
    };
    let caption = grid.caption("the largest is drawn", style.width);
    let caption = format!("{}, each series on a scale of its own\n{caption}", unit.name());
    line(&mut out, &style.paint(Paint::Dim, &wrap(&caption, style.width)));
    if plots {
        for one in &shown {
            out.push('\n');
            line(&mut out, &style.paint(Paint::Bold, &clip(&name(&one.labels), style.width)));
            out.push_str(&plot::plot(style, unit, &grid, &one.samples));
        }
    }
    out.push('\n');
    put_legend(style, unit, &shown, (!plots).then_some(&grid), &mut out);
    out.push_str(&notes(style, answer, shown.len()));
    out.push_str(&exemplars(style, unit, answer));
    out
}

/// The series as they came, or, of more than `top`, those with the largest values, largest first.
pub fn largest(series: &[Series], top: usize, value: fn(&Series) -> f64) -> Vec<&Series> {
    let mut all: Vec<&Series> = series.iter().collect();
    if all.len() > top {
        let key =
            |one: &Series| Some(value(one)).filter(|value| !value.is_nan()).unwrap_or(f64::NEG_INFINITY);
        all.sort_by(|left, right| key(right).total_cmp(&key(left)));
        all.truncate(top);
    }
    all
}

/// What is left out, and why.
pub fn notes(style: &Style, answer: &SeriesAnswer, shown: usize) -> String {
    let mut out = String::new();
    if let Some(rest) = answer.series.len().checked_sub(shown).filter(|rest| shown > 0 && *rest > 0) {
        let (shown, rest) = (count(shown as u64), count(rest as u64));
        let text = format!("{shown} series with the largest values, {rest} more are not shown (--top N)");
        line(&mut out, &style.paint(Paint::Dim, &wrap(&text, style.width)));
    }
    if let Some(message) = &answer.message {
        let text = format!("the answer is not whole: {}", escape(message));
        line(&mut out, &style.paint(Paint::Red, &wrap(&text, style.width)));
    }
    out
}

/// What the finite samples of a series came to.
struct Statistics {
    least: f64,
    mean: f64,
    most: f64,
    last: f64,
    /// Samples that are no finite number.
    odd: u64,
}

fn statistics(series: &Series) -> Statistics {
    let mut out = Statistics { least: f64::NAN, mean: f64::NAN, most: f64::NAN, last: f64::NAN, odd: 0 };
    let mut finite = 0.0;
    for sample in &series.samples {
        if !sample.value.is_finite() {
            out.odd += 1;
            continue;
        }
        finite += 1.0;
        out.least = out.least.min(sample.value);
        out.most = out.most.max(sample.value);
        // The mean moves by a part of the distance, so that no sum can overflow.
        out.mean = if finite == 1.0 { sample.value } else { out.mean + (sample.value - out.mean) / finite };
        out.last = sample.value;
    }
    out
}

fn mean(series: &Series) -> f64 {
    statistics(series).mean
}

/// Columns of a name, beside four statistics.
fn name_columns(style: &Style) -> usize {
    ((style.width - 4 * (STATISTIC + 1)) / 2).min(40)
}

/// Columns of a line of blocks, beside a name and four statistics.
fn spark_columns(style: &Style) -> usize {
    style.width - 4 * (STATISTIC + 1) - name_columns(style) - 2
}

/// Smallest, mean, largest and last value of each series, with a line of blocks where there is no plot.
fn put_legend(style: &Style, unit: Unit, shown: &[&Series], lines: Option<&Grid>, out: &mut String) {
    let narrow = style.width < WIDE;
    let columns = match (narrow, lines) {
        (true, _) => 2,
        (false, Some(_)) => name_columns(style),
        (false, None) => style.width - 4 * (STATISTIC + 1),
    };
    let heading: String =
        ["MIN", "AVG", "MAX", "LAST"].map(|text| format!(" {}", right(text, STATISTIC))).concat();
    let name_heading = if narrow { "" } else { "SERIES" };
    line(out, &style.paint(Paint::Bold, &format!("{}{heading}", left(name_heading, columns))));
    for one in shown {
        let of = statistics(one);
        let values = [of.least, of.mean, of.most, of.last];
        let values = values.map(|value| match value.is_nan() {
            true => format!(" {}", right("-", STATISTIC)),
            false => format!(" {}", right(&unit.print(value), STATISTIC)),
        });
        let blocks = lines.map(|grid| style.paint(Paint::Cyan, &plot::spark(grid, &one.samples)));
        let label = name(&one.labels);
        if narrow {
            line(out, &clip(&label, style.width));
            if let Some(blocks) = blocks {
                line(out, &blocks);
            }
            line(out, &format!("{}{}", " ".repeat(columns), values.concat()));
        } else {
            let text = format!("{}{}", left(&label, columns), values.concat());
            line(out, &format!("{text}  {}", blocks.unwrap_or_default()));
        }
        if of.odd > 0 {
            line(out, &style.paint(Paint::Dim, &format!("  {} not finite", counted(of.odd, "sample"))));
        }
    }
}

/// Spans behind the samples, in order of time; nothing when there are none.
pub fn exemplars(style: &Style, unit: Unit, answer: &SeriesAnswer) -> String {
    let of = |one| move |exemplar| (one, exemplar);
    let mut all: Vec<(&Series, &Exemplar)> =
        answer.series.iter().flat_map(|one| one.exemplars.iter().map(of(one))).collect();
    if all.is_empty() {
        return String::new();
    }
    all.sort_by_key(|(_, exemplar)| exemplar.timestamp_ms);
    // Where there is nothing to measure, the span's duration is shown.
    let unit = if unit == Unit::None { Unit::None } else { Unit::Seconds };
    let mut out = String::from("\n");
    let heading =
        format!("{}  {}  {}  SERIES", left("EXEMPLAR", 24), right("VALUE", STATISTIC), left("TRACE", 32));
    line(&mut out, &style.paint(Paint::Bold, &heading));
    for (series, exemplar) in all {
        let trace = exemplar.labels.iter().find(|label| label.key == "trace:id").map(Attribute::text);
        let text = format!(
            "{}  {}  {}  {}",
            moment(exemplar.timestamp_ms.saturating_mul(1_000_000), 3),
            right(&unit.print(exemplar.value), STATISTIC),
            left(&escape(&trace.unwrap_or_default()), 32),
            name(&series.labels)
        );
        // Never cut within the id: that is what an exemplar is for.
        line(&mut out, &clip(&text, style.width.max(24 + STATISTIC + 32 + 6)));
    }
    out
}

#[cfg(test)]
#[path = "tests/series.rs"]
mod tests;
