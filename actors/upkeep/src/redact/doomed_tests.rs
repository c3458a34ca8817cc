//! What is found in a block, and what a block is without it.

use std::sync::Arc;

use spanloom_block::{BlockBuilder, BuilderOptions};
use spanloom_span::model::{ResourceSpans, ScopeSpans, Span, Trace};
use spanloom_span::slice::{SliceLimits, slice};
use spanloom_span::{SpanId, Tenant, TracePart, encode};

use super::*;

fn trace(number: u8) -> TraceId {
    TraceId([number; 16])
}

/// A block with traces of so many spans, which have the ids 1, 2, 3 and so on, each with kinds 2 and 3.
fn block(traces: &[(u8, u64)]) -> Block {
    let mut builder = BlockBuilder::new(&Tenant::default(), BuilderOptions::default()).unwrap();
    for &(number, spans) in traces {
        let span = |(id, kind): (u64, i32)| Span {
            trace_id: trace(number),
            span_id: SpanId(id.to_be_bytes()),
            kind,
            start_time_unix_nano: id * 10,
            end_time_unix_nano: id * 10 + 5,
            ..Span::default()
        };
        let spans = (1..=spans).flat_map(|id| [(id, 2), (id, 3)]).map(span).collect();
        let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
        let whole = Trace { resource_spans: vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }] };
        let batch = slice(encode::traces_data(&whole).into(), &SliceLimits::default()).unwrap();
        let part = TracePart { batch: Arc::new(batch), group: 0, seq: 1 };
        builder.push_trace(trace(number), 1, &[part]).unwrap();
    }
    Block::from_bytes(builder.finish().unwrap().bytes).unwrap()
}

#[test]
fn traces_are_found_whole() {
    let block = block(&[(1, 2), (3, 1), (5, 4)]);
    let check = |asked: &[u8], found: &[u8], spans: u64| {
        let doomed = Doomed::Traces(asked.iter().map(|&number| trace(number)).collect()).sorted();
        let hits = Hits::find(&block, &doomed).unwrap();
        assert_eq!(hits.whole, found.iter().map(|&number| trace(number)).collect::<Vec<_>>(), "{asked:?}");
        assert_eq!((hits.spans, hits.is_empty()), (spans, found.is_empty()), "{asked:?}");
        let mut without = Without(&hits);
        for number in 0..7 {
            assert_eq!(without.keeps_trace(&trace(number)), !found.contains(&number), "{asked:?} {number}");
            assert!(!without.looks_at_rows(&trace(number)));
        }
    };
    check(&[2, 4], &[], 0);
    check(&[5, 2, 1, 5], &[1, 5], 12);
    check(&[3], &[3], 2);
}

#[test]
fn spans_are_told_apart_by_trace_id_and_kind() {
    let block = block(&[(1, 2), (3, 1), (5, 4)]);
    let check = |asked: &[(u8, u64, i32)], partly: &[u8], rows: &[u64]| {
        let spans = asked.iter().map(|&(number, id, kind)| (trace(number), id, kind));
        let hits = Hits::find(&block, &Doomed::Spans(spans.collect()).sorted()).unwrap();
        let partly: Vec<TraceId> = partly.iter().map(|&number| trace(number)).collect();
        assert_eq!(
            (&hits.partly, &hits.rows[..], hits.spans),
            (&partly, rows, rows.len() as u64),
            "{asked:?}"
        );
        let mut without = Without(&hits);
        let id = BlockId { created: 0, number: 0 };
        for row in 0..14 {
            assert_eq!(without.keeps_row(&id, row), !rows.contains(&row), "{asked:?} {row}");
        }
        for number in 0..7 {
            assert!(without.keeps_trace(&trace(number)));
            assert_eq!(without.looks_at_rows(&trace(number)), partly.contains(&trace(number)));
        }
    };
    check(&[(1, 3, 2), (2, 1, 2), (3, 1, 1)], &[], &[]);
    check(&[(1, 2, 3)], &[1], &[3]);
    check(&[(5, 1, 2), (5, 1, 3), (3, 1, 2), (5, 1, 2)], &[3, 5], &[4, 6, 7]);
}
