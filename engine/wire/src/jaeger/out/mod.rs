//! OTLP to Jaeger: a stored trace as Jaeger's readers know it, by the rules of this folder's parent taken the other way.
//!
//! What came from a Jaeger client goes out as it came, as far as OTLP keeps it; `docs/JAEGER_ZIPKIN.md` says field by
//! field what becomes what. Sources: `api_v2/model.proto` of <https://github.com/jaegertracing/jaeger-idl>, the JSON
//! that jaeger-query has for its page, and "OpenTelemetry to Jaeger Transformation" of OpenTelemetry's specification.
//!
//! | file | holds |
//! |---|---|
//! | `span.rs` | a span as Jaeger has it |
//! | `process.rs` | a resource as a process |
//! | `tag.rs` | an attribute as a tag |
//! | `unique.rs` | ids that two spans share |
//! | `json.rs` | as the JSON of Jaeger's page |
//! | `proto.rs` | as messages of `api_v2/model.proto` |

mod json;
mod process;
mod proto;
mod span;
mod tag;
mod unique;

pub use json::trace_json;
pub use process::NO_SERVICE;
pub use proto::SpanChunks;
pub(super) use proto::put_moment;
pub use unique::with_unique_ids;

use std::collections::{BTreeMap, HashSet};

use spanloom_span::model::{ResourceSpans, Span, Trace};
use spanloom_span::{SpanId, TraceId};

use super::query::Summary;
use process::Process;
use span::JaegerSpan;

/// A trace id as Jaeger writes it: without its upper half when that is zero.
pub fn trace_id_text(id: &TraceId) -> String {
    let text = id.to_string();
    match text.strip_prefix("0000000000000000") {
        Some(low) => low.to_owned(),
        None => text,
    }
}

/// The spans of a trace, each with its resource and its scope.
fn each_span<'a>(trace: &'a Trace, mut see: impl FnMut(&'a ResourceSpans, JaegerSpan<'a>)) {
    for resource_spans in &trace.resource_spans {
        let is_of_client = process::is_of_jaeger_client(&resource_spans.resource);
        for scope_spans in &resource_spans.scope_spans {
            let of_scope = |span: &'a Span| JaegerSpan::new(span, &scope_spans.scope, is_of_client);
            scope_spans.spans.iter().map(of_scope).for_each(|span| see(resource_spans, span));
        }
    }
}

fn process_of(resource_spans: &ResourceSpans) -> Process<'_> {
    Process::new(&resource_spans.resource)
}

/// A trace in few words.
pub fn summary(trace: &Trace) -> Summary {
    let mut out = Summary { start: u64::MAX, ..Summary::default() };
    let ids: HashSet<SpanId> = trace.spans().map(|span| span.span_id).collect();
    let mut services: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    let mut root: Option<(&Span, &str)> = None;
    for resource_spans in &trace.resource_spans {
        let service = process_of(resource_spans).service;
        for span in resource_spans.scope_spans.iter().flat_map(|scope| &scope.spans) {
            let of_service = services.entry(service).or_default();
            let is_error = u64::from(span.status.code == 2);
            (of_service.0, of_service.1) = (of_service.0 + 1, of_service.1 + is_error);
            out.id = span.trace_id;
            out.spans += 1;
            out.errors += is_error;
            out.start = out.start.min(span.start_time_unix_nano);
            out.end = out.end.max(span.end_time_unix_nano.max(span.start_time_unix_nano));
            let parent = <[u8; 8]>::try_from(&*span.parent_span_id).ok().map(SpanId);
            match parent.filter(|id| !id.is_zero()) {
                Some(parent) => out.orphans += u64::from(!ids.contains(&parent)),
                None => {
                    let is_earlier =
                        |(root, _): &(&Span, &str)| span.start_time_unix_nano < root.start_time_unix_nano;
                    if root.as_ref().is_none_or(is_earlier) {
                        root = Some((span, service));
                    }
                }
            }
        }
    }
    if let Some((span, service)) = root {
        (out.root_service, out.root_name) = (service.to_owned(), span.name.clone());
    }
    let told = |(name, (spans, errors)): (&str, (u64, u64))| (name.to_owned(), spans, errors);
    out.services = services.into_iter().map(told).collect();
    out.start = if out.spans == 0 { 0 } else { out.start };
    out
}
