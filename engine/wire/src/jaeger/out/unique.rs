//! Ids that a client's and a server's span share, by Zipkin's B3: Jaeger's page draws a tree by ids, so the server's span is
//! given one of its own, and the client's span as its parent. Jaeger does the same before it shows a trace.

use std::collections::{HashMap, HashSet};

use spanloom_span::SpanId;
use spanloom_span::model::{Span, Trace};

const SERVER: i32 = 2;
const CLIENT: i32 = 3;

/// Gives servers' spans that share their ids with their clients' ids of their own. Spans whose parent had the shared id are
/// the server's children from then on.
pub fn with_unique_ids(trace: &mut Trace) {
    let ids_of = |kind: i32| trace.spans().filter(move |span| span.kind == kind).map(|span| span.span_id);
    let clients: HashSet<SpanId> = ids_of(CLIENT).collect();
    let mut shared: Vec<SpanId> = ids_of(SERVER).filter(|id| clients.contains(id)).collect();
    if shared.is_empty() {
        return;
    }
    shared.sort_unstable();
    shared.dedup();
    let mut used: HashSet<SpanId> = trace.spans().map(|span| span.span_id).collect();
    let mut own = HashMap::new();
    for id in shared {
        let mut next = u64::from_be_bytes(id.0);
        // The same each time the trace is shown; as many are tried as there are spans, and one.
        let fresh = loop {
            next = next.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let fresh = SpanId(next.to_be_bytes());
            if !fresh.is_zero() && used.insert(fresh) {
                break fresh;
            }
        };
        own.insert(id, fresh);
    }
    let spans = trace.resource_spans.iter_mut().flat_map(|resource| &mut resource.scope_spans);
    spans.flat_map(|scope| &mut scope.spans).for_each(|span| rename(span, &own));
}

fn rename(span: &mut Span, own: &HashMap<SpanId, SpanId>) {
    if span.kind == SERVER
        && let Some(fresh) = own.get(&span.span_id)
    {
        span.parent_span_id = span.span_id.0.to_vec();
        span.span_id = *fresh;
        return;
    }
    let parent = <[u8; 8]>::try_from(&*span.parent_span_id).ok().map(SpanId);
    if let Some(fresh) = parent.and_then(|parent| own.get(&parent)) {
        span.parent_span_id = fresh.0.to_vec();
    }
}

#[cfg(test)]
mod tests {
    use spanloom_span::model::{ResourceSpans, ScopeSpans};

    use super::*;

    #[test]
    fn a_server_has_an_id_of_its_own_and_its_client_as_its_parent() {
        let span = |id: u8, kind: i32, parent: u8| Span {
            span_id: SpanId([id; 8]),
            kind,
            parent_span_id: if parent == 0 { Vec::new() } else { vec![parent; 8] },
            ..Span::default()
        };
        let spans = vec![span(1, SERVER, 0), span(2, CLIENT, 1), span(2, SERVER, 1), span(3, 1, 2)];
        let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
        let mut trace =
            Trace { resource_spans: vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }] };
        with_unique_ids(&mut trace);
        let found: Vec<(SpanId, Vec<u8>)> =
            trace.spans().map(|span| (span.span_id, span.parent_span_id.clone())).collect();
        let fresh = found[2].0;
        assert!(![SpanId([1; 8]), SpanId([2; 8]), SpanId([3; 8])].contains(&fresh));
        assert_eq!(found[0], (SpanId([1; 8]), vec![]));
        assert_eq!(found[1], (SpanId([2; 8]), vec![1; 8]));
        assert_eq!(found[2].1, [2; 8]);
        assert_eq!(found[3].1, fresh.0);
        let again = trace.clone();
        with_unique_ids(&mut trace);
        assert_eq!(trace, again);
    }
}
