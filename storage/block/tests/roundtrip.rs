//! What goes into a block comes out of it.
#![allow(clippy::unwrap_used)]

mod common;

use common::*;
use proptest::prelude::*;
use spanloom_block::Block;
use spanloom_span::TraceId;
use spanloom_span::model::*;

fn check(requests: &[Trace]) -> Block {
    let parts = parts_of(requests);
    let (finished, pushed) = build(&parts);
    let block = Block::from_bytes(finished.bytes).unwrap();
    assert_eq!(block.meta(), &finished.meta);
    assert_eq!(block.trace_ids().unwrap().collect::<Vec<_>>(), parts.keys().copied().collect::<Vec<_>>());
    let mut spans = 0;
    for ((id, parts), pushed) in parts.iter().zip(pushed) {
        let expected = expected(parts);
        assert!(block.may_contain(id));
        assert_eq!(block.trace(id).unwrap().as_ref(), Some(&expected.trace));
        assert_eq!(block.sealed_through(id).unwrap(), Some(parts.last().unwrap().seq));
        assert_eq!((pushed.spans, pushed.duplicates), (expected.trace.span_count(), expected.duplicates));
        spans += pushed.spans;
    }
    assert_eq!((block.meta().spans, block.meta().traces), (spans as u64, parts.len() as u64));
    assert_eq!(block.trace(&TraceId([0xee; 16])).unwrap(), None);
    let report = block.verify().unwrap();
    assert_eq!((report.spans, report.traces), (spans as u64, parts.len() as u64));
    assert!(block.inspect().unwrap().to_string().contains("tenant team-a"));
    block
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]
    #[test]
    fn any_trace_reads_back_as_it_was_sent(requests in any_requests()) {
        check(&requests);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn many_alike_traces_read_back_as_they_were_sent(requests in any_requests()) {
        check(&(0..40).flat_map(|copy| renamed(&requests, copy)).collect::<Vec<_>>());
    }
}

#[test]
fn builders_and_blocks_move_between_threads() {
    fn check<T: Send>() {}
    fn check_shared<T: Send + Sync + Clone>() {}
    check::<spanloom_block::BlockBuilder>();
    check_shared::<Block>();
    check_shared::<spanloom_block::BlockReader>();
    check_shared::<std::sync::Arc<spanloom_block::ResidentSet>>();
}

#[test]
fn a_block_without_traces_opens() {
    let block = check(&[]);
    assert_eq!(block.meta().spans, 0);
}

#[test]
fn equal_resources_and_scopes_are_neither_merged_nor_split() {
    let one = request(vec![span(1, 1)]).resource_spans.remove(0);
    let scope_spans = one.scope_spans[0].clone();
    let with = |ids: &[u64]| ScopeSpans {
        spans: ids.iter().map(|&id| span(1, id)).collect(),
        ..scope_spans.clone()
    };
    let twice = ResourceSpans { scope_spans: vec![with(&[1, 2]), with(&[3]), with(&[4])], ..one.clone() };
    let again = ResourceSpans { scope_spans: vec![with(&[5]), with(&[6, 7])], ..one.clone() };
    check(&[Trace { resource_spans: vec![twice.clone(), again.clone()] }]);
    // The first spans of the second request are duplicates: what begins there begins with the next one.
    let late = ResourceSpans { scope_spans: vec![with(&[1, 2]), with(&[3, 8]), with(&[9])], ..one };
    check(&[Trace { resource_spans: vec![twice, again] }, Trace { resource_spans: vec![late] }]);
}

#[test]
fn traces_span_row_groups() {
    let block = check(&large_requests());
    assert_eq!(block.reader().unwrap().groups().len(), 4);
}

#[test]
fn a_large_attribute_reads_back() {
    let mut large = span(1, 1);
    let noise: String = (0..5_000_000u64).map(|i| char::from(b'a' + (i * i % 23) as u8)).collect();
    large.attributes = vec![text("noise", &noise), text("zeros", &"0".repeat(10_000_000))];
    large.attributes.push(KeyValue { key: "k".repeat(5000), value: AnyValue::Int(7) });
    check(&[request(vec![large.clone(), span(1, 2), span(2, 3)]), request(vec![Span { kind: 5, ..large }])]);
}

#[test]
fn keys_beyond_the_columns_read_back() {
    check(&overflowing_requests());
}
