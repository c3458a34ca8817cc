//! Traces as lines of OTLP JSON: one `ExportTraceServiceRequest` a line, a trace in each, or several lines for a trace
//! that is larger than a line may be.

use std::io::{self, Write};

use spanloom_span::model::{ResourceSpans, ScopeSpans, Span, Trace};
use spanloom_wire::trace_json;

/// Most bytes of a line, unless a single span is larger: what the collector's `otlpjsonfile` receiver reads without
/// being told otherwise (`max_log_size`, 1 MiB).
pub const MAX_LINE_BYTES: usize = 1 << 20;

/// Most spans of a line; a line of more would hardly be short enough, and is not tried.
const MAX_LINE_SPANS: usize = 2048;

/// Lines that are being written.
pub struct JsonLines<W> {
    sink: W,
    line: Vec<u8>,
}

impl<W: Write> JsonLines<W> {
    /// Begins.
    pub fn begin(sink: W) -> Self {
        Self { sink, line: Vec::new() }
    }

    /// Writes a trace.
    pub fn push(&mut self, mut trace: Trace) -> io::Result<()> {
        while !trace.resource_spans.is_empty() {
            let piece = take(&mut trace, MAX_LINE_SPANS);
            self.push_piece(piece)?;
        }
        Ok(())
    }

    /// Writes a piece of a trace, halved as often as it has to be.
    fn push_piece(&mut self, piece: Trace) -> io::Result<()> {
        let mut waiting = vec![piece];
        while let Some(mut piece) = waiting.pop() {
            self.line.clear();
            trace_json::otlp(&piece, &mut self.line);
            self.line.push(b'\n');
            let spans = piece.span_count();
            if self.line.len() > MAX_LINE_BYTES && spans > 1 {
                let first = take(&mut piece, spans / 2);
                waiting.extend([piece, first]);
            } else {
                self.sink.write_all(&self.line)?;
            }
        }
        Ok(())
    }

    /// Writes what is left.
    pub fn end(mut self) -> io::Result<W> {
        self.sink.flush()?;
        Ok(self.sink)
    }
}

/// Takes the first spans of a trace, so many if it has them. A resource and a scope that are cut through go with both
/// parts.
fn take(trace: &mut Trace, spans: usize) -> Trace {
    let mut left = spans;
    let whole =
        leading(&trace.resource_spans, |one| one.scope_spans.iter().map(|s| s.spans.len()).sum(), &mut left);
    let mut out = Trace { resource_spans: trace.resource_spans.drain(..whole).collect() };
    if let Some(cut) = trace.resource_spans.first_mut().filter(|_| left > 0) {
        out.resource_spans.push(take_of_resource(cut, left));
    }
    out
}

fn take_of_resource(from: &mut ResourceSpans, mut left: usize) -> ResourceSpans {
    let whole = leading(&from.scope_spans, |one| one.spans.len(), &mut left);
    let mut scope_spans: Vec<ScopeSpans> = from.scope_spans.drain(..whole).collect();
    if let Some(cut) = from.scope_spans.first_mut().filter(|_| left > 0) {
        let spans: Vec<Span> = cut.spans.drain(..left.min(cut.spans.len())).collect();
        scope_spans.push(ScopeSpans { scope: cut.scope.clone(), schema_url: cut.schema_url.clone(), spans });
    }
    ResourceSpans { resource: from.resource.clone(), schema_url: from.schema_url.clone(), scope_spans }
}

/// How many of a list's first items have no more than `left` spans, which are counted off.
fn leading<T>(list: &[T], spans: impl Fn(&T) -> usize, left: &mut usize) -> usize {
    let fits = |one: &&T| {
        let rest = left.checked_sub(spans(one));
        *left = rest.unwrap_or(*left);
        rest.is_some()
    };
    list.iter().take_while(fits).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A trace of resources, each with scopes, each with so many spans, which are called by their numbers.
    fn trace(counts: &[&[usize]]) -> Trace {
        let mut next = 0;
        let mut spans = |count: usize| {
            let span = |_| {
                next += 1;
                Span { name: next.to_string(), ..Span::default() }
            };
            (0..count).map(span).collect()
        };
        let mut scope = |count: &usize| ScopeSpans { spans: spans(*count), ..ScopeSpans::default() };
        let mut resource = |counts: &&[usize]| ResourceSpans {
            scope_spans: counts.iter().map(&mut scope).collect(),
            ..ResourceSpans::default()
        };
        Trace { resource_spans: counts.iter().map(&mut resource).collect() }
    }

    fn shape(trace: &Trace) -> Vec<Vec<usize>> {
        let scopes = |one: &ResourceSpans| one.scope_spans.iter().map(|scope| scope.spans.len()).collect();
        trace.resource_spans.iter().map(scopes).collect()
    }

    #[test]
    fn a_trace_is_cut_through_scopes_and_resources() {
        let check = |counts: &[&[usize]], at: usize, expected: [&[&[usize]]; 2]| {
            let mut rest = trace(counts);
            let names: Vec<String> = rest.spans().map(|span| span.name.clone()).collect();
            let first = take(&mut rest, at);
            assert_eq!(first.spans().chain(rest.spans()).map(|s| s.name.clone()).collect::<Vec<_>>(), names);
            assert_eq!(
                [shape(&first), shape(&rest)],
                expected.map(|of| of.iter().map(|o| o.to_vec()).collect::<Vec<_>>())
            );
        };
        check(&[&[3]], 2, [&[&[2]], &[&[1]]]);
        check(&[&[3]], 3, [&[&[3]], &[]]);
        check(&[&[3]], 9, [&[&[3]], &[]]);
        check(&[&[1, 2], &[3]], 2, [&[&[1, 1]], &[&[1], &[3]]]);
        check(&[&[1, 2], &[3]], 3, [&[&[1, 2]], &[&[3]]]);
        check(&[&[1, 2], &[3]], 4, [&[&[1, 2], &[1]], &[&[2]]]);
        check(&[&[], &[0], &[2]], 1, [&[&[], &[0], &[1]], &[&[1]]]);
    }

    #[test]
    fn a_line_is_no_longer_than_it_may_be() {
        let mut large = trace(&[&[3000, 10], &[7]]);
        let spans =
            large.resource_spans.iter_mut().flat_map(|r| &mut r.scope_spans).flat_map(|s| &mut s.spans);
        for (at, span) in spans.enumerate() {
            span.trace_state = "x".repeat(if at == 5 { MAX_LINE_BYTES } else { 1500 });
        }
        let mut lines = JsonLines::begin(Vec::new());
        lines.push(large.clone()).unwrap();
        let text = String::from_utf8(lines.end().unwrap()).unwrap();
        let long = text.lines().filter(|line| line.len() >= MAX_LINE_BYTES).collect::<Vec<_>>();
        assert_eq!(long.len(), 1, "the span that is larger than a line");
        assert_eq!(long[0].matches("\"spanId\"").count(), 1);
        let names = |text: &str| -> Vec<String> {
            text.split("\"name\":\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
        };
        assert_eq!(names(&text), large.spans().map(|span| span.name.clone()).collect::<Vec<_>>());
    }
}
