//! A trace of a merged block is the trace that its parts in the inputs join to.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use common::*;
use proptest::prelude::*;
use spanloom_block::{
    Block, BlockError, BlockId, Counters, Keep, KeepAll, Matches, MergeError, MergeOptions, MergeReport,
    MergeStats, merge,
};
use spanloom_span::model::*;
use spanloom_span::{SpanId, TraceId, join};
use spanloom_traceql::plan::Plan;

type Input = (BlockId, Block);

/// Blocks of groups of requests; each is given the log ordinals that follow those of the one before.
fn inputs_of(groups: &[Vec<Trace>], group_rows: usize) -> Vec<Input> {
    let mut seq = 0;
    let block = |(at, requests): (usize, &Vec<Trace>)| {
        let mut parts = parts_of(requests);
        parts.values_mut().flatten().for_each(|part| part.seq += seq);
        seq += requests.len() as u64;
        let block = Block::from_bytes(build_in_groups(&parts, group_rows).0.bytes).unwrap();
        (BlockId { created: 1000 + at as u64, number: 77 * at as u64 % 13 }, block)
    };
    groups.iter().enumerate().map(block).collect()
}

fn run(
    inputs: &[Input],
    options: &MergeOptions,
    keep: &mut dyn Keep,
) -> Result<MergeReport<Vec<u8>>, MergeError> {
    merge(inputs, options, keep, &mut |_| ControlFlow::Continue(()), &mut |_| Ok(Vec::new()))
}

fn merged(inputs: &[Input], options: &MergeOptions) -> MergeReport<Vec<u8>> {
    run(inputs, options, &mut KeepAll).unwrap()
}

fn opened(report: MergeReport<Vec<u8>>) -> Vec<Input> {
    let open = |merged: spanloom_block::Merged<Vec<u8>>| {
        let block = Block::from_bytes(merged.sink).unwrap();
        assert_eq!(block.meta(), &merged.meta);
        (merged.id, block)
    };
    report.outputs.into_iter().map(open).collect()
}

/// What the inputs' traces join to, with the greatest ordinal through which they are sealed.
fn oracle(inputs: &[Input]) -> BTreeMap<TraceId, (join::Joined, u64)> {
    let mut sorted: Vec<&Input> = inputs.iter().collect();
    sorted.sort_by_key(|(id, _)| *id);
    let ids: BTreeSet<TraceId> = sorted.iter().flat_map(|(_, block)| block.trace_ids().unwrap()).collect();
    let joined = |id: TraceId| {
        let parts = sorted.iter().filter_map(|(_, block)| block.trace(&id).unwrap());
        let sealed = sorted.iter().filter_map(|(_, block)| block.sealed_through(&id).unwrap()).max();
        (id, (join::join(parts), sealed.unwrap()))
    };
    ids.into_iter().map(joined).collect()
}

/// All traces of the outputs are those of the oracle; the outputs are good, disjoint and ascending.
fn check_outputs(outputs: &[Input], expected: &BTreeMap<TraceId, (join::Joined, u64)>) {
    let mut found = Vec::new();
    for (_, block) in outputs {
        for id in block.trace_ids().unwrap() {
            let (joined, sealed) = &expected[&id];
            assert_eq!(block.trace(&id).unwrap().as_ref(), Some(&joined.trace), "{id}");
            assert_eq!(block.sealed_through(&id).unwrap(), Some(*sealed), "{id}");
            found.push(id);
        }
        let report = block.verify().unwrap();
        assert_eq!((report.spans, report.traces), (block.meta().spans, block.meta().traces));
        assert!(report.traces > 0);
        let reader = block.reader().unwrap();
        let mut end = 64;
        for group in 0..reader.groups().len() as u32 {
            let bytes = reader.group_bytes(group);
            // Where all values of a row group are constant it has no bytes.
            assert!(bytes.is_empty() || bytes.start >= end, "{bytes:?} after {end}");
            end = end.max(bytes.end);
        }
        assert!((end..end + 16).contains(&block.meta().tail), "{end} {}", block.meta().tail);
        assert!(block.meta().tail < block.meta().file_bytes);
    }
    assert_eq!(found, expected.keys().copied().collect::<Vec<_>>());
}

fn check(inputs: &[Input], options: &MergeOptions) -> Vec<Input> {
    let expected = oracle(inputs);
    let report = merged(inputs, options);
    let spans: u64 = expected.values().map(|(joined, _)| joined.trace.span_count() as u64).sum();
    let of = inputs.iter().map(|(_, block)| block.meta().spans).sum::<u64>();
    let stats =
        MergeStats { traces: expected.len() as u64, spans, duplicates: of - spans, ..MergeStats::default() };
    assert_eq!(report.stats, stats);
    let outputs = opened(report);
    check_outputs(&outputs, &expected);
    check_meta(inputs, &outputs, options);
    outputs
}

fn check_meta(inputs: &[Input], outputs: &[Input], options: &MergeOptions) {
    let mut names: Vec<BlockId> = inputs.iter().map(|(id, _)| *id).collect();
    names.sort();
    for (at, (id, block)) in outputs.iter().enumerate() {
        let is_last = at + 1 == outputs.len();
        assert_eq!(block.meta().level, options.level);
        assert_eq!(block.meta().replaces, if is_last { names.clone() } else { Vec::new() });
        assert_eq!(id.created, names[names.len() - 1].created);
    }
    let ids: BTreeSet<BlockId> = outputs.iter().map(|(id, _)| *id).collect();
    assert_eq!(ids.len(), outputs.len());
    let raw: u64 = outputs.iter().map(|(_, block)| block.meta().raw_bytes).sum();
    let of: u64 = inputs.iter().map(|(_, block)| block.meta().raw_bytes).sum();
    assert!(raw <= of);
}

fn small(max_traces: u64, group_rows: usize) -> MergeOptions {
    MergeOptions { max_traces, group_rows, ..MergeOptions::default() }
}

/// Requests in groups, one for each block: the same spans come up in several of them.
fn any_groups() -> impl Strategy<Value = Vec<Vec<Trace>>> {
    proptest::collection::vec(any_requests(), 1..5)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_blocks_merge_to_what_their_traces_join_to(
        groups in any_groups(),
        rows in 1usize..20,
        max_traces in 1u64..6,
    ) {
        let inputs = inputs_of(&groups, rows);
        check(&inputs, &small(max_traces, rows + 3));
    }

    #[test]
    fn many_alike_traces_merge(groups in any_groups(), turn in 0usize..5) {
        let groups: Vec<Vec<Trace>> = groups
            .iter()
            .enumerate()
            .map(|(at, group)| (0..30).flat_map(|copy| renamed(group, copy + 9 * at as u8)).collect())
            .collect();
        let mut inputs = inputs_of(&groups, 500);
        let outputs = merged(&inputs, &small(50, 700));
        check(&inputs, &small(50, 700));
        // In whatever order the inputs are given, the same bytes come out.
        let count = inputs.len();
        inputs.rotate_left(turn % count);
        inputs.swap(0, turn % count);
        let again = merged(&inputs, &small(50, 700));
        for (left, right) in outputs.outputs.iter().zip(&again.outputs) {
            prop_assert_eq!((left.id, &left.sink), (right.id, &right.sink));
        }
        prop_assert_eq!(outputs.stats, again.stats);
    }

    #[test]
    fn merging_in_any_tree_gives_the_same_traces(groups in any_groups(), cut in 0usize..5) {
        let inputs = inputs_of(&groups, 7);
        let expected = oracle(&inputs);
        let (left, right) = inputs.split_at(cut % (inputs.len() + 1));
        let options = small(u64::MAX, 5);
        let halves: Vec<Input> =
            [left, right].into_iter().flat_map(|half| opened(merged(half, &options))).collect();
        check_outputs(&opened(merged(&halves, &options)), &expected);
    }

    #[test]
    fn what_is_not_kept_is_gone(groups in any_groups(), bits in any::<u64>(), traces in any::<u8>()) {
        let inputs = inputs_of(&groups, 9);
        check_kept(&inputs, bits, traces);
    }
}

/// Questions with filters for most kinds of columns; each has as many rows in the outputs as in a block that was
/// sealed of the joined traces.
const QUESTION: &str = "{ .a = \"\" || .a > 1 || span.b != nil } || { .copy =~ \"/[1-5]/.*\" || span.same = name } \
    || { .kind < 2 && status = error } || { event:name = \"a\" || link:spanID != nil } || { duration > 1ms } \
    || { resource.service.name != nil || instrumentation:name = \"b\" } || { nestedSetParent < 0 } \
    || { span:parentID = nil || kind = server || statusMessage = \"a\" }";

/// How many rows satisfy each filter.
fn search(blocks: &[Block]) -> Vec<usize> {
    let plan = Plan::new(&spanloom_traceql::parse(QUESTION).unwrap()).unwrap();
    let mut found = vec![0; plan.filters.len()];
    for block in blocks {
        let reader = block.reader().unwrap();
        let mut scan = reader.scan(&plan.fields, &plan.filters).unwrap();
        let (mut matches, mut counters) = (Matches::default(), Counters::default());
        for group in 0..scan.groups() {
            scan.group(group, &mut matches, &mut counters).unwrap();
            found.iter_mut().zip(matches.filters()).for_each(|(sum, rows)| *sum += rows.count());
        }
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn a_search_finds_what_it_finds_in_a_block_of_the_joined_traces(groups in any_groups()) {
        let groups: Vec<Vec<Trace>> =
            groups.iter().map(|group| (0..8).flat_map(|copy| renamed(group, copy)).collect()).collect();
        let inputs = inputs_of(&groups, 300);
        let joined: Vec<Trace> = oracle(&inputs).into_values().map(|(joined, _)| joined.trace).collect();
        let sealed = Block::from_bytes(build_in_groups(&parts_of(&joined), 200).0.bytes).unwrap();
        let outputs = opened(merged(&inputs, &small(20, 200)));
        let outputs: Vec<Block> = outputs.into_iter().map(|(_, block)| block).collect();
        prop_assert_eq!(search(&outputs), search(&[sealed]));
    }
}

/// Keeps traces and rows by bits.
struct ByBits(u64, u8);

impl ByBits {
    fn keeps(&self, input: &BlockId, row: u64) -> bool {
        self.0 >> ((row * 7 + input.created) % 64) & 1 == 1
    }
}

impl Keep for ByBits {
    fn keeps_trace(&mut self, id: &TraceId) -> bool {
        self.1 >> (id.0[0] % 8) & 1 == 1
    }

    fn looks_at_rows(&mut self, _: &TraceId) -> bool {
        self.0 != u64::MAX
    }

    fn keeps_row(&mut self, input: &BlockId, row: u64) -> bool {
        self.keeps(input, row)
    }
}

fn check_kept(inputs: &[Input], bits: u64, traces: u8) {
    let mut keep = ByBits(bits, traces);
    let mut expected = BTreeMap::new();
    let (mut dropped, mut dropped_traces) = (0, 0);
    for (id, (_, sealed)) in oracle(inputs) {
        let mut parts = Vec::new();
        for (name, block) in inputs {
            let Some(mut part) = block.trace(&id).unwrap() else { continue };
            let place = block.find(&id).unwrap().unwrap();
            let mut row = block.reader().unwrap().trace_rows(place).unwrap().start;
            for scope_spans in part.resource_spans.iter_mut().flat_map(|r| &mut r.scope_spans) {
                scope_spans.spans.retain(|_| {
                    row += 1;
                    let kept = traces >> (id.0[0] % 8) & 1 == 1 && keep.keeps(name, row - 1);
                    dropped += u64::from(!kept);
                    kept
                });
            }
            parts.push(part);
        }
        let joined = join::join(parts);
        match joined.trace.span_count() {
            0 => dropped_traces += 1,
            _ => drop(expected.insert(id, (joined, sealed))),
        }
    }
    let report = run(inputs, &small(3, 11), &mut keep).unwrap();
    assert_eq!((report.stats.dropped_spans, report.stats.dropped_traces), (dropped, dropped_traces));
    check_outputs(&opened(report), &expected);
}

#[test]
fn large_traces_merge_over_row_groups() {
    let whole = inputs_of(&[large_requests()], spanloom_block::GROUP_ROWS);
    check(&whole, &small(1, 1000));
    let mut late = large_requests();
    late.truncate(1);
    late.push(request(vec![Span { parent_span_id: 7u64.to_be_bytes().to_vec(), ..span(3, 200_000) }]));
    let inputs = inputs_of(&[large_requests(), late], 40_000);
    check(&inputs, &MergeOptions::default());
}

#[test]
fn keys_beyond_the_columns_merge() {
    let mut renamed = overflowing_requests();
    let resource_spans = renamed.iter_mut().flat_map(|request| &mut request.resource_spans);
    for span in resource_spans.flat_map(|r| &mut r.scope_spans).flat_map(|s| &mut s.spans) {
        span.trace_id = TraceId([9; 16]);
        span.attributes.iter_mut().for_each(|attribute| attribute.key.insert(0, 'a'));
        span.attributes.push(KeyValue { key: "double".into(), value: AnyValue::Double(0.5) });
        span.attributes.push(KeyValue { key: "list".into(), value: AnyValue::Array(vec![AnyValue::Empty]) });
    }
    check(&inputs_of(&[overflowing_requests(), renamed], 60), &MergeOptions::default());
}

#[test]
fn an_output_is_cut_by_each_limit() {
    let requests: Vec<Trace> =
        (1..9).map(|trace| request((1..20).map(|id| span(trace, id)).collect())).collect();
    let inputs = inputs_of(&[requests], 50);
    let all = MergeOptions { group_rows: 10, ..MergeOptions::default() };
    let check_count = |options: MergeOptions, expected: usize| {
        assert_eq!(check(&inputs, &options).len(), expected, "{options:?}");
    };
    check_count(all, 1);
    check_count(MergeOptions { max_traces: 3, ..all }, 3);
    check_count(MergeOptions { max_spans: 20, ..all }, 4);
    check_count(MergeOptions { max_bytes: 1, ..all }, 8);
    check_count(MergeOptions { max_held_bytes: 0, ..all }, 8);
}

#[test]
fn names_follow_from_the_inputs_and_the_job() {
    let inputs = inputs_of(&[vec![request(vec![span(1, 1)])], vec![request(vec![span(2, 1)])]], 50);
    let name = |inputs: &[Input], salt| {
        merged(inputs, &MergeOptions { salt, ..MergeOptions::default() }).outputs[0].id
    };
    assert_eq!(name(&inputs, 1), name(&inputs, 1));
    assert_ne!(name(&inputs, 1), name(&inputs, 2));
    assert_ne!(name(&inputs[1..], 1), name(&inputs, 1));
    let sealed = |keeps_sealed_through| {
        let options = MergeOptions { keeps_sealed_through, ..MergeOptions::default() };
        let outputs = opened(merged(&inputs, &options));
        outputs[0].1.sealed_through(&TraceId([2; 16])).unwrap()
    };
    assert_eq!((sealed(true), sealed(false)), (Some(2), Some(0)));
}

#[test]
fn blocks_that_do_not_belong_together_are_refused() {
    let inputs = inputs_of(&[vec![request(vec![span(1, 1)])]], 50);
    let twice = [inputs[0].clone(), inputs[0].clone()];
    let refused = |inputs: &[Input]| {
        let error = run(inputs, &MergeOptions::default(), &mut KeepAll).map(|_| ()).unwrap_err();
        assert!(matches!(error, MergeError { block: None, error: BlockError::Inputs(_) }), "{error}");
    };
    refused(&twice);
    let builder = spanloom_block::BlockBuilder::new(&Default::default(), Default::default()).unwrap();
    let other = Block::from_bytes(builder.finish().unwrap().bytes).unwrap();
    refused(&[inputs[0].clone(), (BlockId { created: 1, number: 1 }, other)]);
    assert!(merged(&[], &MergeOptions::default()).outputs.is_empty());
}

#[test]
fn a_merge_is_watched_and_ended() {
    let requests: Vec<Trace> =
        (1..9).map(|trace| request((1..3000).map(|id| span(trace, id)).collect())).collect();
    let inputs = inputs_of(&[requests], 5000);
    let mut seen = Vec::new();
    let mut watch = |progress: spanloom_block::MergeProgress| {
        seen.push(progress.spans);
        assert_eq!(progress.of, 8 * 2999);
        if seen.len() == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let ended = merge(&inputs, &MergeOptions::default(), &mut KeepAll, &mut watch, &mut |_| Ok(Vec::new()));
    assert!(matches!(ended, Err(MergeError { block: None, error: BlockError::Cancelled })));
    assert_eq!(seen, [2 * 2999, 4 * 2999, 6 * 2999]);
}

#[test]
fn a_file_that_cannot_be_written_is_an_error() {
    struct Full;
    impl std::io::Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let inputs = inputs_of(&[vec![request(vec![span(1, 1)])]], 50);
    let mut watch = |_| ControlFlow::Continue(());
    let failed = merge(&inputs, &MergeOptions::default(), &mut KeepAll, &mut watch, &mut |_| Ok(Full));
    assert!(matches!(failed, Err(MergeError { block: None, error: BlockError::Sink(_) })));
    let closed = |_| Err::<Vec<u8>, _>(std::io::ErrorKind::PermissionDenied.into());
    let failed = merge(&inputs, &MergeOptions::default(), &mut KeepAll, &mut watch, &mut { closed });
    assert!(matches!(failed, Err(MergeError { block: None, error: BlockError::Sink(_) })));
}

#[test]
fn the_first_blocks_merge() {
    let path = |name: &str| format!("{}/tests/golden/{name}.block", env!("CARGO_MANIFEST_DIR"));
    let open = |name: &str, created| (BlockId { created, number: 1 }, Block::open(path(name)).unwrap());
    let inputs = [open("v1", 1), open("v1-marks", 2)];
    assert_eq!((inputs[0].1.meta().level, &inputs[0].1.meta().replaces), (0, &Vec::new()));
    check(&inputs[..1], &MergeOptions::default());
    check(&inputs, &small(2, 100));
}

#[test]
fn spans_with_a_shared_id_are_marked() {
    let span = |kind| Span { kind, ..span(1, 7) };
    let groups = [vec![request(vec![span(2)])], vec![request(vec![span(3), span(2)])]];
    let outputs = check(&inputs_of(&groups, 50), &MergeOptions::default());
    assert_eq!(outputs[0].1.meta().spans, 2);
    let ids: Vec<SpanId> =
        outputs[0].1.trace(&TraceId([1; 16])).unwrap().unwrap().spans().map(|span| span.span_id).collect();
    assert_eq!(ids, [SpanId(7u64.to_be_bytes()); 2]);
}
