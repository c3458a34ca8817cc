//! Parts of a trace into one whole, duplicates removed.
//!
//! Parts come from live actors, blocks and (later) replicas. A span is the same when span id and kind are: a
//! Zipkin client and server may share an id and differ in kind. Of duplicates the first one stays, so the order
//! of the parts decides, and it is the order of arrival.

use foldhash::HashSet;

use crate::SpanId;
use crate::model::Trace;

/// A whole trace, and what was left out of it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Joined {
    /// The parts as one.
    pub trace: Trace,
    /// Spans that had come before.
    pub duplicates: usize,
}

/// Joins parts in the given order. Resource and scope spans that duplicates leave empty go with them.
pub fn join(parts: impl IntoIterator<Item = Trace>) -> Joined {
    let mut out = Joined::default();
    let mut seen: HashSet<(SpanId, i32)> = HashSet::default();
    for mut part in parts {
        for resource_spans in &mut part.resource_spans {
            for scope_spans in &mut resource_spans.scope_spans {
                let before = scope_spans.spans.len();
                scope_spans.spans.retain(|span| seen.insert((span.span_id, span.kind)));
                out.duplicates += before - scope_spans.spans.len();
            }
            resource_spans.scope_spans.retain(|s| !s.spans.is_empty());
        }
        part.resource_spans.retain(|r| !r.scope_spans.is_empty());
        out.trace.resource_spans.append(&mut part.resource_spans);
    }
    out
}
