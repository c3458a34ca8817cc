//! `compare()`: the values that set a selection of spans apart from the others, most telling first.

use std::collections::BTreeMap;

use super::super::answer::{Attribute, Series, SeriesAnswer};
use super::number::{count, counted, percent};
use super::series::notes;
use super::table::{Side, Table};
use super::text::{escape, line, wrap};
use super::{Paint, Style, bar};

/// Columns of the bar.
const BAR: usize = 10;

/// A value of an attribute, and how many spans have it.
struct Row {
    name: String,
    /// The value first, so that it is not what is cut off.
    short_name: String,
    selection: Half,
    baseline: Half,
}

/// What is known of a value in one half.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Half {
    /// So many spans.
    Spans(f64),
    /// Too few to be among the values that are told.
    Few,
}

impl Half {
    fn share(self, all: f64) -> f64 {
        match self {
            Self::Spans(spans) if all > 0.0 => spans / all,
            _ => 0.0,
        }
    }

    fn print(self, all: f64) -> [String; 2] {
        match self {
            Self::Spans(spans) => [count(spans as u64), percent(self.share(all))],
            Self::Few => ["few".to_owned(), "few".to_owned()],
        }
    }
}

/// What the answer says of one attribute; the first of a pair is the selection's.
#[derive(Default)]
struct Counted {
    totals: [f64; 2],
    values: BTreeMap<String, [Option<f64>; 2]>,
}

/// By attribute; a value is told apart from another by its type and text.
fn by_attribute(series: &[Series]) -> BTreeMap<String, Counted> {
    let mut out: BTreeMap<String, Counted> = BTreeMap::new();
    for one in series {
        let meta = one.labels.iter().find(|label| label.key == "__meta_type").map(Attribute::text);
        let value = one.labels.last().filter(|label| !label.key.starts_with("__"));
        let is_rest = one.labels.iter().any(|label| label.key == "__meta_error");
        let (Some(meta), Some(value), false) = (meta, value, is_rest) else { continue };
        let counted = out.entry(value.key.clone()).or_default();
        match meta.as_str() {
            "selection_total" => counted.totals[0] = one.value,
            "baseline_total" => counted.totals[1] = one.value,
            "selection" => counted.values.entry(value.text()).or_default()[0] = Some(one.value),
            "baseline" => counted.values.entry(value.text()).or_default()[1] = Some(one.value),
            _ => {}
        }
    }
    out
}

/// The values of all attributes, those whose shares differ most first.
fn rows(by_attribute: &BTreeMap<String, Counted>, all: [f64; 2]) -> Vec<Row> {
    let mut rows = Vec::new();
    for (attribute, counted) in by_attribute {
        let told = [0, 1].map(|half| counted.values.values().filter_map(|of| of[half]).sum::<f64>());
        for (value, of) in &counted.values {
            // A value that is not told has no spans only when all spans are told of.
            let half = |half: usize| match of[half] {
                Some(spans) => Half::Spans(spans),
                None if told[half] >= counted.totals[half] => Half::Spans(0.0),
                None => Half::Few,
            };
            let (attribute, value) = (escape(attribute), escape(value));
            let (name, short_name) = (format!("{attribute} = {value}"), format!("{value} · {attribute}"));
            rows.push(Row { name, short_name, selection: half(0), baseline: half(1) });
        }
    }
    rows.sort_by(|left, right| {
        let apart = |row: &Row| difference(row, all).abs();
        apart(right).total_cmp(&apart(left)).then_with(|| left.name.cmp(&right.name))
    });
    rows
}

fn difference(row: &Row, all: [f64; 2]) -> f64 {
    row.selection.share(all[0]) - row.baseline.share(all[1])
}

/// The table, of at most `top` values.
pub fn compare(style: &Style, answer: &SeriesAnswer, top: usize) -> String {
    let by_attribute = by_attribute(&answer.series);
    // Some attributes, such as the status, every span has.
    let all = [0, 1].map(|half| by_attribute.values().map(|of| of.totals[half]).fold(0.0, f64::max));
    let rows = rows(&by_attribute, all);
    let mut out = String::new();
    if rows.is_empty() {
        line(&mut out, "no span was counted");
        out.push_str(&notes(style, answer, 0));
        return out;
    }
    let caption = format!(
        "selection: {}, baseline: {}; shares are of these",
        counted(all[0] as u64, "span"),
        counted(all[1] as u64, "span")
    );
    line(&mut out, &style.paint(Paint::Dim, &wrap(&caption, style.width)));
    let mut columns = vec![
        ("ATTRIBUTE", Side::Left),
        ("SELECTION", Side::Right),
        ("", Side::Right),
        ("BASELINE", Side::Right),
        ("", Side::Right),
        ("APART", Side::Right),
    ];
    let wide = style.width >= 80;
    if wide {
        columns.push(("", Side::Left));
    } else {
        // The shares say more than the counts.
        columns = vec![columns[0], ("SELECT", Side::Right), ("BASE", Side::Right)];
    }
    let mut table = Table::new(&columns);
    for row in rows.iter().take(top) {
        let apart = difference(row, all);
        let [selected, selected_share] = row.selection.print(all[0]);
        let [others, others_share] = row.baseline.print(all[1]);
        let sign = if apart < 0.0 { '-' } else { '+' };
        let length = bar(apart.abs(), BAR);
        table.row(match wide {
            true => vec![
                row.name.clone(),
                selected,
                selected_share,
                others,
                others_share,
                format!("{sign}{}", percent(apart.abs())),
                format!("{sign}{length}"),
            ],
            false => vec![row.short_name.clone(), selected_share, others_share],
        });
    }
    table.print(style, &mut out);
    if let Some(rest) = rows.len().checked_sub(top).filter(|rest| *rest > 0) {
        let text = format!("{} less apart (--top N)", counted(rest as u64, "more value"));
        line(&mut out, &style.paint(Paint::Dim, &text));
    }
    out.push_str(&notes(style, answer, 0));
    out
}

#[cfg(test)]
#[path = "tests/compare.rs"]
mod tests;
