//! Histograms: over time a heat map with a row for each bucket, at once a bar for each.

use std::collections::BTreeMap;

use super::super::answer::{Attribute, Series, SeriesAnswer};
use super::grid::Grid;
use super::number::{count, counted, percent, plain};
use super::series::{exemplars, name, notes};
use super::text::{clip, line, right, wrap};
use super::unit::Unit;
use super::{Paint, Style, bar};

/// From nothing to the most.
const SHADES: [char; 5] = [' ', '░', '▒', '▓', '█'];

/// The label of a bucket: the most that its spans have.
const BUCKET: &str = "__bucket";

/// Columns of a bucket's bound, with the sign before it, and of a count.
const BOUND: usize = 9;
const COUNT: usize = 10;

/// Groups have a picture each, at most so many rows in it: as there are powers of two.
const MOST_ROWS: usize = 64;

/// The buckets of a group, ascending by what bounds them.
struct Group<'a> {
    name: String,
    buckets: Vec<(f64, &'a Series)>,
}

/// Series by their labels but the bucket, in the order in which they came.
fn groups(answer: &SeriesAnswer) -> Vec<Group<'_>> {
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut out: Vec<Group<'_>> = Vec::new();
    for series in &answer.series {
        let (bucket, rest): (Vec<&Attribute>, Vec<&Attribute>) =
            series.labels.iter().partition(|label| label.key == BUCKET);
        let bound = bucket.first().and_then(|label| label.text().parse::<f64>().ok());
        let Some(bound) = bound.filter(|bound| bound.is_finite()) else { continue };
        let own = |label: &&Attribute| Attribute { key: label.key.clone(), value: label.value.clone() };
        let labels: Vec<Attribute> = rest.iter().map(own).collect();
        let name = if labels.is_empty() { String::new() } else { name(&labels) };
        let at = *places.entry(name.clone()).or_insert_with(|| {
            out.push(Group { name, buckets: Vec::new() });
            out.len() - 1
        });
        out[at].buckets.push((bound, series));
    }
    out.iter_mut().for_each(|group| group.buckets.sort_by(|left, right| left.0.total_cmp(&right.0)));
    out
}

impl<'a> Group<'a> {
    /// A row for each power of two from the least to the greatest, also for those without spans.
    fn rows(&self) -> Vec<(f64, Option<&'a Series>)> {
        let mut rows: Vec<(f64, Option<&Series>)> = Vec::new();
        for &(bound, series) in &self.buckets {
            while let Some(&(below, _)) = rows.last()
                && below > 0.0
                && below * 2.0 < bound * 0.999
                && rows.len() < MOST_ROWS
            {
                rows.push((below * 2.0, None));
            }
            if rows.len() < MOST_ROWS {
                rows.push((bound, Some(series)));
            }
        }
        rows
    }
}

/// What a whole series counted.
fn total(series: Option<&Series>) -> f64 {
    let samples = series.map_or(&[][..], |one| &one.samples);
    samples.iter().map(|sample| sample.value).filter(|value| value.is_finite()).sum()
}

/// Spans in full as long as they fit, and what is no count as it is.
fn spans(value: f64) -> String {
    let is_short = (0.0..10_000_000.0).contains(&value) && value.fract() == 0.0;
    if is_short { count(value as u64) } else { plain(value) }
}

fn bound(unit: Unit, value: f64) -> String {
    right(&format!("≤ {}", unit.print(value)), BOUND)
}

/// Heat maps, of at most `top` groups.
pub fn map(style: &Style, unit: Unit, answer: &SeriesAnswer, top: usize) -> String {
    let mut out = String::new();
    let groups = groups(answer);
    let grid = Grid::over(&answer.series, style.width - BOUND - COUNT - 4);
    let Some(grid) = grid.filter(|_| !groups.is_empty()) else {
        line(&mut out, "no span was counted");
        out.push_str(&notes(style, answer, 0));
        return out;
    };
    let caption = grid.caption("added", style.width);
    let heat = format!(
        "spans by {}
{caption}",
        unit.name()
    );
    line(&mut out, &style.paint(Paint::Dim, &wrap(&heat, style.width)));
    for group in groups.iter().take(top) {
        out.push('\n');
        put_map(style, unit, &grid, group, &mut out);
    }
    put_rest(style, groups.len(), top, &mut out);
    out.push_str(&notes(style, answer, 0));
    out.push_str(&exemplars(style, unit, answer));
    out
}

fn put_map(style: &Style, unit: Unit, grid: &Grid, group: &Group<'_>, out: &mut String) {
    put_name(style, group, out);
    let rows = group.rows();
    let cells = |series: Option<&Series>| grid.sums(series.map_or(&[], |one| &one.samples));
    let most = rows.iter().flat_map(|(_, series)| cells(*series)).flatten().fold(0.0, f64::max);
    for (value, series) in rows.iter().rev() {
        let cells: String = cells(*series).iter().map(|cell| shade(cell.unwrap_or(0.0), most)).collect();
        let cells = style.paint(Paint::Cyan, &cells);
        line(out, &format!("{} │{cells}│{}", bound(unit, *value), right(&spans(total(*series)), COUNT)));
    }
    line(out, &format!("{} └{}┘{}", " ".repeat(BOUND), "─".repeat(grid.columns), right("spans", COUNT)));
    line(out, &format!("{}  {}", " ".repeat(BOUND), grid.axis()));
    line(out, &style.paint(Paint::Dim, &wrap(&shades(most), style.width)));
}

/// How many spans a shade stands for at most, where that differs from the shade before.
fn shades(most: f64) -> String {
    let mut below = 0.0;
    let mut out = Vec::new();
    for (quarter, shade) in (0..).zip(SHADES) {
        let bound = (most * f64::from(quarter) / 4.0).floor();
        if bound > below {
            out.push(format!("{shade} to {}", plain(bound)));
            below = bound;
        }
    }
    out.join(", ")
}

/// What is more than nothing is never shown as nothing.
fn shade(value: f64, most: f64) -> char {
    if value.is_nan() || value <= 0.0 {
        return SHADES[0];
    }
    SHADES[((value / most * 4.0).ceil() as usize).clamp(1, 4)]
}

fn put_name(style: &Style, group: &Group<'_>, out: &mut String) {
    if !group.name.is_empty() {
        line(out, &style.paint(Paint::Bold, &clip(&group.name, style.width)));
    }
}

fn put_rest(style: &Style, groups: usize, top: usize, out: &mut String) {
    if let Some(rest) = groups.checked_sub(top).filter(|rest| *rest > 0) {
        let text = format!("{} not shown (--top N)", counted(rest as u64, "more group"));
        line(out, &style.paint(Paint::Dim, &text));
    }
}

/// A bar for each bucket, of at most `top` groups.
pub fn bars(style: &Style, unit: Unit, answer: &SeriesAnswer, top: usize) -> String {
    let mut out = String::new();
    let groups = groups(answer);
    if groups.is_empty() {
        line(&mut out, "no span was counted");
    }
    for (at, group) in groups.iter().take(top).enumerate() {
        if at > 0 {
            out.push('\n');
        }
        put_bars(style, unit, group, &mut out);
    }
    put_rest(style, groups.len(), top, &mut out);
    out.push_str(&notes(style, answer, 0));
    out
}

fn put_bars(style: &Style, unit: Unit, group: &Group<'_>, out: &mut String) {
    put_name(style, group, out);
    let rows = group.rows();
    let value = |series: Option<&Series>| series.map_or(0.0, |one| one.value);
    let values = || rows.iter().map(|(_, series)| value(*series)).filter(|value| value.is_finite());
    let (all, most) = (values().sum::<f64>(), values().fold(0.0, f64::max));
    let heading = format!("{} {} {}", right("BUCKET", BOUND), right("SPANS", COUNT), right("SHARE", 7));
    line(out, &style.paint(Paint::Bold, &heading));
    for (limit, series) in &rows {
        let value = value(*series);
        let length = bar(value / most, style.width - BOUND - COUNT - 7 - 4);
        let text = format!(
            "{} {} {}",
            bound(unit, *limit),
            right(&spans(value), COUNT),
            right(&percent(value / all), 7)
        );
        line(out, &format!("{text}  {}", style.paint(Paint::Cyan, &length)));
    }
}

#[cfg(test)]
#[path = "tests/heat.rs"]
mod tests;
