//! Traces that were found: `SearchResponse {1 traces, 2 metrics}`.
//!
//! The first spanset of a trace stands in it twice, as `spanSet` for old clients and in `spanSets`.

use spanloom_span::TraceId;
use spanloom_span::proto::{put_bytes, put_message, put_text, put_uint};
use spanloom_traceql::answer::{FoundSpan, FoundSpanset, FoundTrace, ServiceStats};

use super::Inspected;
use super::attributes::{attributes, put_attributes};
use super::inspected::narrow;
use crate::json_out::{Object, hex};

/// What stands for the service of a root that is not there. Readers know it by this text.
pub const NO_ROOT: &str = "<root span not yet received>";

/// The JSON of a trace with one short spanset.
const USUAL_BYTES: usize = 768;

/// Bytes of a trace as JSON, about: to move a large answer while it grows takes as long as to write it.
fn usual_bytes(trace: &FoundTrace) -> usize {
    let spansets = trace.spansets.iter().map(|set| {
        let attributes = set.spans.iter().map(|span| span.attributes.len()).sum::<usize>();
        // All are listed once more, as the first spanset.
        2 * (64 + set.spans.len() * 144 + attributes * 72 + set.attributes.len() * 64)
    });
    288 + trace.services.len() * 56 + spansets.sum::<usize>()
}

/// A whole answer as JSON.
pub fn json(traces: &[FoundTrace], inspected: &Inspected) -> Vec<u8> {
    json_with(traces, inspected, |_| {})
}

/// The same, with more at its end that only our own clients ask for.
pub fn json_with(
    traces: &[FoundTrace],
    inspected: &Inspected,
    more: impl FnOnce(&mut Object<'_>),
) -> Vec<u8> {
    let mut out = Vec::with_capacity(256 + traces.iter().map(usual_bytes).sum::<usize>());
    let mut top = Object::begin(&mut out);
    top.list("traces", traces, trace);
    inspected.search_metrics(&mut top);
    more(&mut top);
    top.end();
    out
}

/// A whole answer as protobuf.
pub fn proto(traces: &[FoundTrace], inspected: &Inspected) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 + traces.len() * USUAL_BYTES / 2);
    for one in traces {
        put_message(&mut out, 1, |out| put_trace(out, one));
    }
    inspected.put_search_metrics(&mut out, 2);
    out
}

/// An answer as protobuf, of traces that were written with [`put_trace`].
pub fn proto_of<'a>(traces: impl Iterator<Item = &'a [u8]>, inspected: &Inspected) -> Vec<u8> {
    let mut out = Vec::new();
    for one in traces {
        put_bytes(&mut out, 1, one);
    }
    inspected.put_search_metrics(&mut out, 2);
    out
}

/// The hexadecimal digits of an id without the zeros in front, as readers of search results know them.
fn short_id(out: &mut Vec<u8>, id: TraceId) {
    let from = out.len();
    hex(out, &id.0);
    let zeros = out[from..].iter().take_while(|&&digit| digit == b'0').count();
    out.drain(from..from + zeros);
}

/// Whole milliseconds, at most as many as 32 bits hold.
fn milliseconds(nanos: u64) -> u32 {
    u32::try_from(nanos / 1_000_000).unwrap_or(u32::MAX)
}

fn root_service(trace: &FoundTrace) -> &str {
    trace.root_service.as_deref().unwrap_or(NO_ROOT)
}

/// Appends the body of a `TraceSearchMetadata {1 traceID, 2 rootServiceName, 3 rootTraceName,
/// 4 startTimeUnixNano, 5 durationMs, 6 spanSet, 7 spanSets, 8 serviceStats}`.
pub fn put_trace(out: &mut Vec<u8>, trace: &FoundTrace) {
    put_message(out, 1, |out| short_id(out, trace.id));
    put_text(out, 2, root_service(trace).as_bytes());
    put_text(out, 3, trace.root_name.as_deref().unwrap_or("").as_bytes());
    put_count(out, 4, trace.start);
    put_count(out, 5, milliseconds(trace.duration).into());
    if let Some(first) = trace.spansets.first() {
        put_message(out, 6, |out| put_spanset(out, first));
    }
    for one in &trace.spansets {
        put_message(out, 7, |out| put_spanset(out, one));
    }
    for one in &trace.services {
        put_message(out, 8, |out| {
            put_text(out, 1, one.service.as_bytes());
            put_message(out, 2, |out| {
                put_count(out, 1, narrow(one.spans).into());
                put_count(out, 2, narrow(one.errors).into());
            });
        });
    }
}

/// `SpanSet {1 spans, 2 matched, 3 attributes}`.
fn put_spanset(out: &mut Vec<u8>, spanset: &FoundSpanset) {
    for one in &spanset.spans {
        put_message(out, 1, |out| put_span(out, one));
    }
    put_count(out, 2, narrow(spanset.matched).into());
    put_attributes(out, 3, &spanset.attributes);
}

/// `Span {1 spanID, 2 name, 3 startTimeUnixNano, 4 durationNanos, 5 attributes}`.
fn put_span(out: &mut Vec<u8>, span: &FoundSpan) {
    put_message(out, 1, |out| hex(out, &span.id.0));
    put_text(out, 2, span.name.as_bytes());
    put_count(out, 3, span.start);
    put_count(out, 4, span.duration);
    put_attributes(out, 5, &span.attributes);
}

fn put_count(out: &mut Vec<u8>, field: u32, count: u64) {
    if count != 0 {
        put_uint(out, field, count);
    }
}

fn trace(o: &mut Object<'_>, trace: &FoundTrace) {
    let id = o.key("traceID");
    id.push(b'"');
    short_id(id, trace.id);
    id.push(b'"');
    o.text("rootServiceName", root_service(trace));
    o.text("rootTraceName", trace.root_name.as_deref().unwrap_or(""));
    o.quoted_integer("startTimeUnixNano", trace.start);
    o.integer("durationMs", milliseconds(trace.duration));
    if let Some((first, rest)) = trace.spansets.split_first() {
        // The first one is written once and copied: it is most of an answer.
        let out = o.key("spanSet");
        let from = out.len();
        written(out, first);
        let first = from..out.len();
        let out = o.key("spanSets");
        out.push(b'[');
        out.extend_from_within(first);
        for one in rest {
            out.push(b',');
            written(out, one);
        }
        out.push(b']');
    }
    if !trace.services.is_empty() {
        o.object("serviceStats", |o| trace.services.iter().for_each(|one| service(o, one)));
    }
}

fn written(out: &mut Vec<u8>, one: &FoundSpanset) {
    let mut object = Object::begin(out);
    spanset(&mut object, one);
    object.end();
}

fn service(o: &mut Object<'_>, stats: &ServiceStats) {
    o.object(&stats.service, |o| {
        o.integer("spanCount", narrow(stats.spans));
        o.integer("errorCount", narrow(stats.errors));
    });
}

fn spanset(o: &mut Object<'_>, spanset: &FoundSpanset) {
    o.list("spans", &spanset.spans, span);
    o.integer("matched", narrow(spanset.matched));
    attributes(o, "attributes", &spanset.attributes);
}

fn span(o: &mut Object<'_>, span: &FoundSpan) {
    let id = o.key("spanID");
    id.push(b'"');
    hex(id, &span.id.0);
    id.push(b'"');
    o.text("name", &span.name);
    o.quoted_integer("startTimeUnixNano", span.start);
    o.quoted_integer("durationNanos", span.duration);
    attributes(o, "attributes", &span.attributes);
}
