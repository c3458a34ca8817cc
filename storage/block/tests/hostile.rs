//! A damaged or forged block gives an error or the same answer: never a panic, never another answer.
#![allow(clippy::unwrap_used)]

#[path = "fuzz/block_open.rs"]
#[allow(dead_code)] // the search alone is used here
mod block_open;
mod common;

use common::*;
use std::ops::ControlFlow;
use std::sync::LazyLock;

use proptest::prelude::*;
use spanloom_block::{Block, BlockId, KeepAll, MergeOptions, merge};
use spanloom_span::TraceId;
use spanloom_span::model::*;
use xxhash_rust::xxh3::xxh3_64;

/// Small, and yet with something in most kinds of sections.
fn requests() -> Vec<Trace> {
    let of = |id: u64| {
        let mut span = span(1 + (id % 9) as u8, id + 1);
        span.parent_span_id = (id / 2).to_be_bytes().to_vec();
        span.attributes = vec![
            text("route", ["/a", "/b"][id as usize % 2]),
            text("url", &format!("/items/{}/{:016x}", id * 7919, id * 0x9e37_79b9)),
            text("word", &char::from(b'a' + (id % 26) as u8).to_string().repeat(1 + id as usize % 40)),
            KeyValue { key: "size".into(), value: AnyValue::Int((id * id % 1000) as i64) },
            KeyValue { key: "double".into(), value: AnyValue::Double(id as f64 / 3.0) },
        ];
        if id.is_multiple_of(10) {
            span.events = vec![Event { name: "exception".into(), time_unix_nano: id, ..Event::default() }];
            span.links = vec![Link { trace_id: vec![7; 16], ..Link::default() }];
            span.status = Status { code: 2, message: format!("failed {id}"), ..Status::default() };
            span.attributes
                .push(text("rare", &format!("{:?}", (id, id * id, "text that is long enough".repeat(3)))));
        }
        span
    };
    vec![request((0..90).map(of).collect()), request((60..120).map(of).collect())]
}

/// A block of spans so much alike that their row groups have classes.
fn classed() -> Vec<u8> {
    let mut requests = requests();
    let resource_spans = requests.iter_mut().flat_map(|request| &mut request.resource_spans);
    for span in resource_spans.flat_map(|r| &mut r.scope_spans).flat_map(|s| &mut s.spans) {
        (span.name, span.kind) = (["step 1", "step 2"][span.name.len() % 2].into(), 2);
    }
    build_in_groups(&parts_of(&requests), 50).0.bytes
}

#[test]
fn the_classed_block_has_classes_and_groups() {
    let block = Block::from_bytes(classed()).unwrap();
    assert!(block.inspect().unwrap().to_string().contains("span: class"));
    assert!(block.reader().unwrap().groups().len() > 1);
    let rows = block_open::search(&block).unwrap();
    assert!(rows.iter().filter(|&&rows| rows > 0).count() > 8, "{rows:?}");
}

type Answer = (TraceId, Option<Trace>, Option<u64>);

fn answers(block: &Block) -> Result<Vec<Answer>, spanloom_block::BlockError> {
    let ids: Vec<TraceId> = (1..12).map(|id| TraceId([id; 16])).collect();
    let answer = |id: &TraceId| Ok((*id, block.trace_within(id, 1 << 20)?, block.sealed_through(id)?));
    ids.iter().map(answer).collect()
}

#[test]
fn every_flipped_byte_is_an_error_or_changes_nothing() {
    let (finished, _) = build(&parts_of(&requests()));
    let right = answers(&Block::from_bytes(finished.bytes.clone()).unwrap()).unwrap();
    let rows = block_open::search(&Block::from_bytes(finished.bytes.clone()).unwrap()).unwrap();
    assert!(rows.iter().filter(|&&rows| rows > 0).count() > 8, "{rows:?}");
    let reads = [block_open::traces, block_open::columns];
    let whole = Block::from_bytes(finished.bytes.clone()).unwrap();
    let sums = reads.map(|read| read(&whole).unwrap());
    let mut silent = 0;
    for at in 0..finished.bytes.len() {
        let mut bytes = finished.bytes.clone();
        bytes[at] ^= 1 << (at % 8);
        let Ok(block) = Block::from_bytes(bytes) else { continue };
        assert_eq!(block.meta(), &finished.meta, "byte {at}");
        for id in right.iter().map(|(id, ..)| id) {
            match block.trace(id) {
                Ok(trace) => {
                    assert_eq!(Some(&trace), right.iter().find(|r| r.0 == *id).map(|r| &r.1), "byte {at}")
                }
                Err(_) => continue,
            }
        }
        if let Ok(found) = block_open::search(&block) {
            assert_eq!(found, rows, "byte {at}");
        }
        // They read much: a few bytes of each section tell.
        for (read, sum) in reads.iter().zip(sums).filter(|_| at % 7 == 0) {
            if let Ok(found) = read(&block) {
                assert_eq!(found, sum, "byte {at}");
            }
        }
        silent += usize::from(block.verify().is_ok());
    }
    // What verify does not see is what fills up to 16 bytes.
    assert!(silent * 4 < finished.bytes.len(), "{silent} of {}", finished.bytes.len());
}

#[test]
fn every_truncation_is_an_error() {
    let (finished, _) = build(&parts_of(&requests()));
    for len in 0..finished.bytes.len() {
        assert!(Block::from_bytes(finished.bytes[..len].to_vec()).is_err(), "{len} bytes");
    }
    let longer = [&finished.bytes[..], &[0; 16]].concat();
    assert!(Block::from_bytes(longer).is_err());
}

/// Sets the checksums of directory, trailer and header right, as a forger would.
fn forge_sums(bytes: &mut [u8]) {
    let len = bytes.len();
    let u64_at = |bytes: &[u8], at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    let (offset, size) = (u64_at(bytes, len - 64) as usize, u64_at(bytes, len - 56) as usize);
    if let Some(directory) = offset.checked_add(size).and_then(|end| bytes.get(offset..end)) {
        let sum = xxh3_64(directory);
        bytes[len - 48..len - 40].copy_from_slice(&sum.to_le_bytes());
    }
    let sum = xxh3_64(&bytes[len - 64..len - 16]);
    bytes[len - 16..len - 8].copy_from_slice(&sum.to_le_bytes());
    let sum = xxh3_64(&bytes[..56]);
    bytes[56..64].copy_from_slice(&sum.to_le_bytes());
}

/// Reads all there is to read; what comes out does not matter.
fn read_all(bytes: Vec<u8>, merges: bool) {
    let Ok(block) = Block::from_bytes(bytes) else { return };
    let _ = answers(&block);
    let _ = block_open::search(&block);
    let _ = (block_open::traces(&block), block_open::columns(&block));
    let _ = block.verify_within(1 << 20);
    let _ = block.inspect().map(|inspection| inspection.to_string());
    let _ = block.trace_ids().map(|ids| ids.count());
    let _ = block.reader().map(|reader| reader.sealed().map(|sealed| sealed.count()).is_ok());
    for place in 0..3 {
        let _ = block.summary(place);
    }
    if merges {
        merge_with_good(block);
    }
}

/// Merges a block with one that is good; what comes out can be read, and the good one is not blamed.
fn merge_with_good(block: Block) {
    let good = Block::from_bytes(GOOD.clone()).unwrap();
    let id = |created| BlockId { created, number: 0 };
    let options = MergeOptions { group_rows: 40, max_traces: 3, ..MergeOptions::default() };
    let mut watch = |_| ControlFlow::Continue(());
    let inputs = [(id(1), block), (id(2), good)];
    let merged = merge(&inputs, &options, &mut KeepAll, &mut watch, &mut |_| Ok(Vec::new()));
    match merged {
        Err(error) => assert_ne!(error.block, Some(id(2)), "{error}"),
        Ok(report) => {
            for output in report.outputs {
                let block = Block::from_bytes(output.sink).unwrap();
                let _ = (answers(&block), block.verify_within(1 << 20));
            }
        }
    }
}

static GOOD: LazyLock<Vec<u8>> = LazyLock::new(|| build(&parts_of(&requests()[1..])).0.bytes);

#[test]
fn a_block_with_a_flipped_byte_merges_to_the_same_or_not_at_all() {
    let bytes = classed();
    let merged = |bytes: Vec<u8>| {
        let inputs = [(BlockId::default(), Block::from_bytes(bytes).ok()?)];
        let mut watch = |_| ControlFlow::Continue(());
        let options = MergeOptions { group_rows: 40, ..MergeOptions::default() };
        let report = merge(&inputs, &options, &mut KeepAll, &mut watch, &mut |_| Ok(Vec::new())).ok()?;
        report.outputs.into_iter().next().map(|output| output.sink)
    };
    let right = merged(bytes.clone()).unwrap();
    let mut noticed = 0;
    for at in (0..bytes.len()).step_by(3) {
        let mut bytes = bytes.clone();
        bytes[at] ^= 1 << (at % 8);
        match merged(bytes) {
            Some(found) => assert!(found == right, "byte {at}"),
            None => noticed += 1,
        }
    }
    assert!(noticed > bytes.len() / 6, "{noticed}");
}

#[test]
fn every_forged_byte_of_the_directory_is_survived() {
    let (finished, _) = build(&parts_of(&requests()));
    let bytes = finished.bytes;
    let offset = u64::from_le_bytes(bytes[bytes.len() - 64..bytes.len() - 56].try_into().unwrap());
    for at in offset as usize..bytes.len() {
        let mut bytes = bytes.clone();
        bytes[at] = [0, 1, 0x7f, 0xff, bytes[at].wrapping_add(1)][at % 5];
        forge_sums(&mut bytes);
        read_all(bytes, at % 8 == 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn any_forgery_is_survived(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        in_sections in any::<bool>(),
        with_classes in any::<bool>(),
    ) {
        let mut bytes = if with_classes { classed() } else { build(&parts_of(&requests())).0.bytes };
        let len = bytes.len();
        for (at, value) in changes {
            bytes[at.index(len)] = value;
        }
        if in_sections {
            forge_sections(&mut bytes);
        }
        forge_sums(&mut bytes);
        read_all(bytes, true);
    }

    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        read_all(bytes, true);
    }
}

/// Sets the checksums of all sections right: each (offset, length, checksum) in the directory is found by its
/// looks.
fn forge_sections(bytes: &mut [u8]) {
    let len = bytes.len();
    let word = |bytes: &[u8], at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    let offset = word(bytes, len - 64) as usize;
    let mut expected = 64;
    for at in (offset.min(len)..len.saturating_sub(64 + 24)).step_by(8) {
        let (from, size) = (word(bytes, at) as usize, word(bytes, at + 8) as usize);
        if from == expected && from + size <= offset {
            let sum = xxh3_64(&bytes[from..from + size]);
            bytes[at + 16..at + 24].copy_from_slice(&sum.to_le_bytes());
            expected = (from + size).next_multiple_of(16);
        }
    }
}
