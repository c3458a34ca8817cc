//! A trace as a tree with bars: a line for each span, made when it is asked for, so that a trace of any size takes
//! no more memory than its spans.

use super::super::spans::{Row, Spans, Top};
use super::number::{counted, duration, moment};
use super::text::{clip, escape, fill, left, right, width, wrap};
use super::{Paint, Style, attributes};

/// Columns of a duration.
const DURATION: usize = 8;

/// The columns of a line: the tree, whether it failed, the duration, the bar.
struct Columns {
    tree: usize,
    bar: usize,
    /// Levels whose branches are drawn; what lies deeper says how deep.
    levels: usize,
}

impl Columns {
    fn of(style: &Style) -> Self {
        let tree = (style.width / 2).clamp(22, 80);
        Self { tree, bar: style.width - tree - DURATION - 4, levels: tree / 4 }
    }
}

/// A line that is yet to come.
enum Line {
    /// A span, how deep it lies, and whether siblings follow.
    Span { span: u32, depth: usize, more: bool },
    /// What the spans below have in common.
    Group(Top, Vec<u32>),
}

/// The lines of a trace, each with its end.
pub struct TreeLines<'a> {
    style: Style,
    columns: Columns,
    spans: &'a Spans,
    attributes: bool,
    start: u64,
    length: u64,
    head: Option<String>,
    /// Lines yet to come, the next one last.
    left: Vec<Line>,
    /// For each level above: whether its branch goes on below.
    branches: Vec<bool>,
    /// Resources whose attributes were shown.
    seen: std::collections::HashSet<u32>,
}

impl<'a> TreeLines<'a> {
    /// The lines of a trace that has spans; with `attributes` beneath each span.
    pub fn new(style: &Style, id: &str, spans: &'a Spans, attributes: bool) -> Self {
        let (start, end) = spans.time();
        let length = end.saturating_sub(start);
        let columns = Columns::of(style);
        let mut left = Vec::new();
        for (top, members) in spans.tops().into_iter().rev() {
            match top {
                Top::Root => left.extend(members.into_iter().rev().map(|span| Line::Span {
                    span,
                    depth: 0,
                    more: false,
                })),
                _ => left.push(Line::Group(top, members)),
            }
        }
        let head = head(style, &columns, id, spans, start, length);
        Self {
            style: *style,
            columns,
            spans,
            attributes,
            start,
            length,
            head: Some(head),
            left,
            branches: Vec::new(),
            seen: std::collections::HashSet::new(),
        }
    }

    fn span_lines(&mut self, span: u32, depth: usize, more: bool) -> String {
        let row = self.spans.row(span);
        let prefix = self.prefix(depth, more);
        let service = escape(self.spans.service(span));
        let name = row.name();
        let name = if name.is_empty() { "(no name)".into() } else { escape(&name) };
        let label = if service.is_empty() { name.into_owned() } else { format!("{service} · {name}") };
        let label = left(&label, self.columns.tree.saturating_sub(width(&prefix)));
        let (mark, label) = match row.failed {
            true => (self.style.paint(Paint::Red, "✗"), self.style.paint(Paint::Red, &label)),
            false => (" ".to_owned(), label),
        };
        let bar = self.style.paint(Paint::Blue, &self.bar(row));
        let took = right(&duration(row.duration()), DURATION);
        let mut out = format!("{}{label} {mark} {took} {bar}", self.style.paint(Paint::Dim, &prefix));
        out.truncate(out.trim_end().len());
        out.push('\n');
        if self.attributes {
            self.put_attributes(row, depth, &mut out);
        }
        out
    }

    /// The branches before a line.
    fn prefix(&self, depth: usize, more: bool) -> String {
        if depth == 0 {
            return String::new();
        }
        if depth > self.columns.levels {
            return left(&format!("… {depth}"), self.columns.levels * 2 - 1) + " ";
        }
        let mut out = String::with_capacity(depth * 6);
        for goes_on in self.branches.iter().take(depth).skip(1) {
            out.push_str(if *goes_on { "│ " } else { "  " });
        }
        out.push_str(if more { "├ " } else { "└ " });
        out
    }

    /// Where a span stands on the trace's time line; at least one column is drawn.
    fn bar(&self, row: &Row) -> String {
        let columns = self.columns.bar as u128;
        let length = u128::from(self.length.max(1));
        let from = (u128::from(row.start() - self.start) * columns / length).min(columns - 1);
        let until = (u128::from(row.end() - self.start) * columns).div_ceil(length).clamp(from + 1, columns);
        // Less than half of its only column.
        let is_thin = u128::from(row.duration()) * columns * 2 < length;
        let filled = if is_thin { "▏".to_owned() } else { "█".repeat((until - from) as usize) };
        format!("{}{filled}", " ".repeat(from as usize))
    }

    fn put_attributes(&mut self, row: &Row, depth: usize, out: &mut String) {
        let margin = " ".repeat(depth.min(self.columns.levels) * 2 + 4);
        let mut lines = attributes::of_span(row);
        if self.seen.insert(row.resource) {
            lines.extend(attributes::of_resource(self.spans.resource(row.resource)));
        }
        for text in lines {
            out.push_str(&self.style.paint(Paint::Dim, &format!("{margin}{text}")));
            out.push('\n');
        }
    }

    /// Puts the next sibling and the first child before whatever else is left. Orphans have no siblings in the tree:
    /// their group knows them.
    fn go_on(&mut self, span: u32, depth: usize, more: bool) {
        self.branches.resize(depth, false);
        self.branches.push(more);
        let below = [(self.spans.next_sibling(span), depth), (self.spans.first_child(span), depth + 1)];
        for (span, depth) in below {
            if let Some(span) = span {
                self.left.push(Line::Span { span, depth, more: self.spans.next_sibling(span).is_some() });
            }
        }
    }

    fn group_line(&self, top: Top, spans: usize) -> String {
        let text = match top {
            Top::Root => String::new(),
            Top::Orphan(parent) => {
                format!("parent {parent} not received, {} below it", counted(spans as u64, "span"))
            }
            Top::NoId => "parent not received: what names it is no span id".to_owned(),
            Top::Circle => "the parents form a circle, which is cut here".to_owned(),
        };
        self.style.paint(Paint::Bold, &clip(&text, self.style.width)) + "\n"
    }
}

impl Iterator for TreeLines<'_> {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        if let Some(head) = self.head.take() {
            return Some(head);
        }
        match self.left.pop()? {
            Line::Span { span, depth, more } => {
                let lines = self.span_lines(span, depth, more);
                self.go_on(span, depth, more);
                Some(lines)
            }
            Line::Group(top, members) => {
                let line = self.group_line(top, members.len());
                self.left.extend(member_lines(&members));
                Some(line)
            }
        }
    }
}

/// The members of a group, the first one last.
fn member_lines(members: &[u32]) -> impl Iterator<Item = Line> {
    let last = members.len().saturating_sub(1);
    members.iter().enumerate().rev().map(move |(at, span)| Line::Span {
        span: *span,
        depth: 1,
        more: at < last,
    })
}

/// What the trace is, and the scale of the bars.
fn head(style: &Style, columns: &Columns, id: &str, spans: &Spans, start: u64, length: u64) -> String {
    let failed = spans.failed_count() as u64;
    let mut out = style.paint(Paint::Bold, &format!("trace {id}"));
    let took = format!(
        "{}, took {}, {}, {}",
        moment(start, 3),
        duration(length),
        counted(spans.len() as u64, "span"),
        counted(spans.service_count() as u64, "service")
    );
    out.push('\n');
    out.push_str(&wrap(&took, style.width));
    if failed > 0 {
        out.push_str(&format!("\n{}", style.paint(Paint::Red, &counted(failed, "error"))));
    }
    if let Some(missing) = &spans.partial {
        let text = wrap(&format!("the trace is not whole: {}", escape(missing)), style.width);
        out.push_str(&format!("\n{}", style.paint(Paint::Red, &text)));
    }
    let end = duration(length);
    let mut scale = if columns.bar > width(&end) + 2 { "0".to_owned() } else { String::new() };
    fill(&mut scale, columns.bar.saturating_sub(width(&end)));
    scale.push_str(&end);
    let margin = " ".repeat(columns.tree + DURATION + 4);
    out.push_str(&format!("\n\n{}\n", style.paint(Paint::Dim, &format!("{margin}{scale}"))));
    out
}

#[cfg(test)]
#[path = "tests/tree.rs"]
mod tests;
