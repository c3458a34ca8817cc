//! How an answer was found: what was read of each block, what was not and why, and the time by step.

use super::super::answer::{Explain, Source};
use super::number::{count, counted, duration};
use super::table::{Side, Table};
use super::text::{clip, escape, line};
use super::{Paint, Style};

/// Most sources of a table; blocks beyond are counted.
const MOST_SOURCES: usize = 50;

/// The whole explanation.
pub fn explain(style: &Style, explain: &Explain) -> String {
    let mut out = String::new();
    let took = duration(explain.took_micros.saturating_mul(1000));
    line(&mut out, &style.paint(Paint::Bold, &format!("found in {took}")));
    line(&mut out, &clip(&format!("  {}", escape(&explain.query)), style.width));
    let (pruned, read): (Vec<&Source>, Vec<&Source>) =
        explain.sources.iter().partition(|source| source.pruned.is_some());
    if !read.is_empty() {
        out.push('\n');
        put_read(style, &read, &mut out);
    }
    if !pruned.is_empty() {
        out.push('\n');
        put_pruned(style, &pruned, &mut out);
    }
    if !explain.steps.is_empty() {
        out.push('\n');
        let mut table = Table::new(&[("STEP", Side::Left), ("TIME IN ALL THREADS", Side::Right)]);
        for step in &explain.steps {
            let time = duration(step.micros.saturating_mul(1000));
            table.row(vec![escape(&step.name).into_owned(), time]);
        }
        table.print(style, &mut out);
    }
    out
}

fn put_read(style: &Style, sources: &[&Source], out: &mut String) {
    let mut table = Table::new(&[
        ("READ", Side::Left),
        ("TRACES", Side::Right),
        ("SPANS", Side::Right),
        ("ROW GROUPS", Side::Right),
        ("ROWS READ", Side::Right),
        ("MATCHED", Side::Right),
        ("JUDGED", Side::Right),
        ("JOINED", Side::Right),
    ]);
    for source in sources.iter().take(MOST_SOURCES) {
        let counts = [
            source.traces,
            source.spans,
            source.row_groups,
            source.rows_read,
            source.rows_matched,
            source.candidates,
            source.joined,
        ];
        let name = [named(source)];
        table.row(name.into_iter().chain(counts.map(count)).collect());
    }
    table.print(style, out);
    put_rest(sources.len(), out);
    for source in sources.iter().take(MOST_SOURCES) {
        for groups in &source.row_groups_pruned {
            let (name, reason) = (escape(&source.name), escape(&groups.reason));
            let not_read = counted(groups.row_groups, "row group");
            line(out, &clip(&format!("  {name}: {not_read} not read: {reason}"), style.width));
        }
    }
}

/// A source's name, and who worked on it if another node did.
fn named(source: &Source) -> String {
    let name = escape(&source.name);
    match &source.by {
        Some(node) => format!("{name} by {}", escape(node)),
        None => name.into_owned(),
    }
}

fn put_pruned(style: &Style, sources: &[&Source], out: &mut String) {
    let columns =
        [("NOT READ", Side::Left), ("TRACES", Side::Right), ("SPANS", Side::Right), ("WHY", Side::Left)];
    let mut table = Table::new(&columns);
    for source in sources.iter().take(MOST_SOURCES) {
        let why = escape(source.pruned.as_deref().unwrap_or_default()).into_owned();
        table.row(vec![escape(&source.name).into_owned(), count(source.traces), count(source.spans), why]);
    }
    table.print(style, out);
    put_rest(sources.len(), out);
}

fn put_rest(sources: usize, out: &mut String) {
    if let Some(rest) = sources.checked_sub(MOST_SOURCES).filter(|rest| *rest > 0) {
        line(out, &format!("  and {}", counted(rest as u64, "more source")));
    }
}

#[cfg(test)]
#[path = "tests/explain.rs"]
mod tests;
