//! Traces that were found, newest first.

use super::super::answer::{Attribute, FoundSpan, FoundTrace, Inspected, SpanSet};
use super::number::{bytes, count, counted, duration, moment};
use super::text::{clip, escape, left, line, right, width, wrap};
use super::{Paint, Style};

/// Digits of a trace id.
const ID: usize = 32;
/// Columns of a duration and of a count.
const SHORT: usize = 8;
/// From here on there is room for a table; narrower terminals have a few lines a trace.
const TABLE: usize = 90;
/// From here on services have a column, and starts their milliseconds.
const WIDE: usize = 150;

/// How a table is laid out; the same for every page.
struct Layout {
    /// Digits of a second, and columns of a start.
    start: (usize, usize),
    root: usize,
    services: usize,
}

fn layout(style: &Style) -> Layout {
    let start = if style.width < WIDE { (0, 20) } else { (3, 24) };
    let room = style.width - (ID + start.1 + 2 * SHORT + 4 * 2);
    if style.width < WIDE {
        return Layout { start, root: room, services: 0 };
    }
    Layout { start, root: room / 2 - 1, services: room - room / 2 - 1 }
}

/// The heading of the table; nothing where there is no room for one.
pub fn heading(style: &Style) -> String {
    if style.width < TABLE {
        return String::new();
    }
    let Layout { start, root, services } = layout(style);
    let mut text = format!(
        "{}  {}  {}  {}  {}",
        left("TRACE", ID),
        left("START", start.1),
        right("DURATION", SHORT),
        right("MATCHED", SHORT),
        left("ROOT", root)
    );
    if services > 0 {
        text.push_str("  SERVICES");
    }
    format!("{}\n", style.paint(Paint::Bold, text.trim_end()))
}

/// A trace, and with `spans` the spans that were found in it.
pub fn trace(style: &Style, found: &FoundTrace, spans: bool) -> String {
    let id = padded(&found.trace_id, ID);
    // The API cuts to whole milliseconds.
    let took = match found.duration_ms {
        0 => "<1ms".to_owned(),
        ms => duration(ms.saturating_mul(1_000_000)),
    };
    let matched: u64 = found.span_sets.iter().map(|set| set.matched).fold(0, u64::saturating_add);
    let root = root(found);
    let services = services(found);
    let mut out = String::new();
    if style.width < TABLE {
        let start = moment(found.start_time_unix_nano, 0);
        line(&mut out, &id);
        line(&mut out, &clip(&format!("  {start}  {took}  {matched} matched"), style.width));
        line(&mut out, &clip(&format!("  {root}"), style.width));
    } else {
        let layout = layout(style);
        let (digits, columns) = layout.start;
        let mut text = format!(
            "{id}  {}  {}  {}  {}",
            left(&moment(found.start_time_unix_nano, digits), columns),
            right(&took, SHORT),
            right(&count(matched), SHORT),
            left(&root, layout.root)
        );
        if layout.services > 0 {
            text.push_str("  ");
            text.push_str(&clip(&services, layout.services));
        }
        line(&mut out, &text);
    }
    if style.width < WIDE && !services.is_empty() {
        let text = clip(&format!("  {services}"), style.width);
        let paint =
            if found.service_stats.values().any(|of| of.error_count > 0) { Paint::Red } else { Paint::Dim };
        line(&mut out, &style.paint(paint, &text));
    }
    if spans {
        found.span_sets.iter().for_each(|set| put_spans(style, found, set, &mut out));
    }
    out
}

/// An id with the zeros in front that the API leaves out.
pub fn padded(id: &str, digits: usize) -> String {
    let id = clip(&escape(id), digits);
    format!("{}{id}", "0".repeat(digits.saturating_sub(width(&id))))
}

fn root(found: &FoundTrace) -> String {
    let service = escape(&found.root_service_name);
    match (service.is_empty(), found.root_trace_name.is_empty()) {
        (_, true) => service.into_owned(),
        (true, false) => escape(&found.root_trace_name).into_owned(),
        (false, false) => format!("{service} · {}", escape(&found.root_trace_name)),
    }
}

/// `cart 2, shop 3 (1 error)`.
fn services(found: &FoundTrace) -> String {
    let one = |(name, of): (&String, &super::super::answer::ServiceStats)| {
        let name = if name.is_empty() { "(no service)".into() } else { escape(name) };
        match of.error_count {
            0 => format!("{name} {}", count(of.span_count)),
            errors => format!("{name} {} ({})", count(of.span_count), counted(errors, "error")),
        }
    };
    found.service_stats.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn put_spans(style: &Style, found: &FoundTrace, set: &SpanSet, out: &mut String) {
    if !set.attributes.is_empty() {
        let text = clip(&format!("    with {}", attributes(&set.attributes)), style.width);
        line(out, &style.paint(Paint::Bold, &text));
    }
    set.spans.iter().for_each(|span| put_span(style, found, span, out));
    let shown = set.spans.len() as u64;
    if set.matched > shown {
        let more = counted(set.matched - shown, "more span");
        line(out, &style.paint(Paint::Dim, &format!("    and {more} (--spss N shows N)")));
    }
}

/// A span on a line, or on two where that is narrow.
fn put_span(style: &Style, found: &FoundTrace, span: &FoundSpan, out: &mut String) {
    let after = span.start_time_unix_nano.saturating_sub(found.start_time_unix_nano);
    let after = format!("+{}", duration(after));
    let took = duration(span.duration_nanos);
    let name = escape(&span.name);
    let name = if name.is_empty() { "(no name)".into() } else { name };
    let name = format!("{name}  {}", attributes(&span.attributes));
    let id = padded(&span.span_id, 16);
    if style.width < TABLE {
        line(out, &format!("    {id}"));
        line(out, &clip(&format!("      {after}  {took}  {name}"), style.width));
    } else {
        let text = format!("    {id}  {}  {}  {name}", right(&after, SHORT), right(&took, SHORT));
        line(out, &clip(&text, style.width));
    }
}

/// `key=value` after `key=value`.
pub fn attributes(list: &[Attribute]) -> String {
    let one = |of: &Attribute| format!("{}={}", escape(&of.key), escape(&of.text()));
    list.iter().map(one).collect::<Vec<_>>().join("  ")
}

/// How many there are, what it took, and where the next page begins.
pub fn footer(style: &Style, traces: u64, took: &Inspected, next: Option<&str>) -> String {
    let mut out = match traces {
        0 => "no trace was found".to_owned(),
        traces => counted(traces, "trace"),
    };
    out.push_str(&format!(
        "; looked at {} in {}, {}, {}",
        counted(took.inspected_spans, "span"),
        counted(took.inspected_traces, "trace"),
        counted(took.total_blocks, "block"),
        bytes(took.inspected_bytes)
    ));
    out = wrap(&out, style.width);
    if let Some(next) = next {
        out.push_str(&format!("\nthere may be more: --all, or --cursor {}", escape(next)));
    }
    format!("{}\n", style.paint(Paint::Dim, &out))
}

#[cfg(test)]
#[path = "tests/found.rs"]
mod tests;
