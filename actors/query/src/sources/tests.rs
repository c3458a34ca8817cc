//! Which of the listed requests a trace's live parts are taken from.

use spanloom_span::Batch;
use spanloom_span::model::{ResourceSpans, ScopeSpans, Span, Trace};
use spanloom_span::slice::{SliceLimits, slice};
use spanloom_span::{SpanId, encode};

use super::*;

fn batch(request: Vec<u8>) -> Arc<Batch> {
    let limits = SliceLimits { max_depth: 8, max_span_bytes: 1000 };
    Arc::new(slice(request.into(), &limits).unwrap())
}

/// A request with one span of each of these traces.
fn request(traces: &[u8]) -> Arc<Batch> {
    let span = |id: &u8| Span { trace_id: TraceId([*id; 16]), span_id: SpanId([*id; 8]), ..Span::default() };
    let scope_spans = vec![ScopeSpans { spans: traces.iter().map(span).collect(), ..ScopeSpans::default() }];
    let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
    batch(encode::traces_data(&Trace { resource_spans }))
}

/// A copy of one trace's part of a request.
fn copy(of: &Batch, trace: u8) -> Arc<Batch> {
    let group = of.groups().iter().find(|group| group.id == TraceId([trace; 16])).unwrap();
    batch(of.extract(group).to_vec())
}

fn sources(live: &[(u64, &Arc<Batch>)], tenants: usize) -> Sources {
    let live: Vec<LiveRequest> =
        live.iter().map(|(seq, batch)| LiveRequest { seq: *seq, batch: (*batch).clone() }).collect();
    let ends = vec![(live.len(), 0); tenants];
    Sources { live, blocks: Vec::new(), ends, index: OnceLock::new() }
}

#[test]
fn of_a_request_and_copies_of_its_parts_one_is_taken() {
    let (whole, later) = (request(&[1, 2, 3]), request(&[2, 1]));
    let (one, two) = (copy(&whole, 1), copy(&whole, 2));
    // Ordinals of the parts of each trace.
    let check = |live: &[(u64, &Arc<Batch>)], expected: &[(u8, &[u64])]| {
        for tenants in [1, 2] {
            let sources = sources(live, tenants);
            let ids: Vec<TraceId> = expected.iter().map(|(id, _)| TraceId([*id; 16])).collect();
            assert_eq!(sources.index().ids, ids);
            for (id, ordinals) in expected {
                let id = TraceId([*id; 16]);
                let parts = sources.live_parts(&id, &[]).unwrap();
                let seq_of = |(at, group): &LivePlace| {
                    let request = &sources.live[*at as usize];
                    assert_eq!(request.batch.groups()[*group as usize].id, id);
                    request.seq
                };
                assert_eq!(parts.iter().map(seq_of).collect::<Vec<_>>(), *ordinals, "{id}");
            }
        }
    };
    let all: &[(u8, &[u64])] = &[(1, &[4, 7]), (2, &[4, 7]), (3, &[4])];
    check(&[(4, &whole), (7, &later)], all);
    check(&[(4, &whole), (4, &one), (7, &later)], all);
    check(&[(4, &one), (4, &whole), (7, &later)], all);
    check(&[(4, &two), (4, &whole), (4, &one), (7, &later)], all);
    // The request has gone.
    check(&[(4, &two), (4, &one), (7, &later)], &[(1, &[4, 7]), (2, &[4, 7])]);
    check(&[(4, &one)], &[(1, &[4])]);
}
