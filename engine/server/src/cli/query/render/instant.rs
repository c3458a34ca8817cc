//! One value a series: a table with bars.

use super::super::answer::{Series, SeriesAnswer};
use super::series::{largest, name, notes};
use super::text::{clip, left, line, right};
use super::unit::Unit;
use super::{Paint, Style, bar};

/// Columns of a value.
const VALUE: usize = 9;

/// The table, of at most `top` series.
pub fn instant(style: &Style, unit: Unit, answer: &SeriesAnswer, top: usize) -> String {
    let mut out = String::new();
    let shown = largest(&answer.series, top, |one: &Series| one.value);
    if shown.is_empty() {
        line(&mut out, "no span was counted");
        out.push_str(&notes(style, answer, 0));
        return out;
    }
    let names: Vec<String> = shown.iter().map(|one| name(&one.labels)).collect();
    let longest = names.iter().map(|name| super::text::width(name)).max().unwrap_or(0);
    let columns = longest.clamp(6, style.width / 2);
    let room = style.width - columns - VALUE - 4;
    let most = shown.iter().map(|one| one.value).filter(|value| value.is_finite()).fold(0.0, f64::max);
    let heading = format!("{}  {}", left("SERIES", columns), right("VALUE", VALUE));
    line(
        &mut out,
        &format!("{}  {}", style.paint(Paint::Bold, &heading), style.paint(Paint::Dim, unit.name())),
    );
    for (one, name) in shown.iter().zip(&names) {
        let value = right(&unit.print(one.value), VALUE);
        // An infinite value has no length.
        let length = if one.value.is_finite() { bar(one.value / most, room) } else { String::new() };
        let length = style.paint(Paint::Cyan, &length);
        line(&mut out, &format!("{}  {value}  {length}", left(&clip(name, columns), columns)));
    }
    out.push_str(&notes(style, answer, shown.len()));
    out
}

#[cfg(test)]
#[path = "tests/instant.rs"]
mod tests;
