//! Blocks put, listed, read and found again at the next start.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use spanloom_block::{BlockBuilder, BuilderOptions, FinishedBlock, ResidentLimits, ResidentUsage};
use spanloom_bucket::{Bucket, OpenReport};
use spanloom_span::model::{ResourceSpans, ScopeSpans, Span, Trace};
use spanloom_span::slice::{SliceLimits, slice};
use spanloom_span::{SpanId, Tenant, TraceId, TracePart, encode};
use spanloom_wal::disk::{Disk, RealDisk, SimDisk};

fn id(number: u8) -> TraceId {
    TraceId([number; 16])
}

/// A block with the traces 1 to 3 above a number, sealed through that number.
fn block(number: u8) -> FinishedBlock {
    let mut builder = BlockBuilder::new(&Tenant::default(), BuilderOptions::default()).unwrap();
    for trace in number + 1..number + 4 {
        let span = Span { trace_id: id(trace), span_id: SpanId([trace; 8]), ..Span::default() };
        let scope_spans = vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }];
        let whole = Trace { resource_spans: vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }] };
        let batch = slice(encode::traces_data(&whole).into(), &SliceLimits::default()).unwrap();
        let part = TracePart { batch: Arc::new(batch), group: 0, seq: number.into() };
        builder.push_trace(id(trace), number.into(), &[part]).unwrap();
    }
    builder.finish().unwrap()
}

/// Paths and first traces of the listed blocks.
fn listed(bucket: &Bucket) -> Vec<(String, TraceId)> {
    let blocks = bucket.blocks(&Tenant::default());
    blocks.iter().map(|l| (l.path.to_string(), l.block.trace_ids().unwrap().next().unwrap())).collect()
}

fn check_each_disk(check: impl Fn(Arc<dyn Disk>, Option<std::path::PathBuf>)) {
    let dir = tempfile::tempdir().unwrap();
    check(Arc::new(RealDisk::new(dir.path()).unwrap()), Some(dir.path().to_owned()));
    check(Arc::new(SimDisk::new()), None);
}

#[test]
fn a_block_that_was_removed_does_not_come_back() {
    let disk = SimDisk::new();
    let tenant = Tenant::default();
    let (bucket, _) = Bucket::open(Arc::new(disk.clone()), None).unwrap();
    for (now, number) in [(1, 10), (2, 20)] {
        bucket.put(&tenant, block(number), now).unwrap();
    }
    let first = bucket.blocks(&tenant)[0].id;
    bucket.remove(&tenant, &[first]).unwrap();
    disk.crash_losing_all();
    let (bucket, report) = Bucket::open(Arc::new(disk), None).unwrap();
    let ids: Vec<_> = listed(&bucket).into_iter().map(|(_, id)| id).collect();
    assert_eq!((report.blocks, ids), (1, vec![id(21)]));
}

#[test]
fn blocks_are_listed_by_age_at_once_and_at_the_next_start() {
    check_each_disk(|disk, root| {
        let (bucket, report) = Bucket::open(disk.clone(), root.clone()).unwrap();
        assert_eq!(report, OpenReport::default());
        let snapshot = bucket.blocks(&Tenant::default());
        // The third is older than the others: a clock may be set back.
        for (now, number) in [(5, 50), (7, 70), (3, 30), (9, 90)] {
            bucket.put(&Tenant::default(), block(number), now).unwrap();
        }
        assert!(snapshot.is_empty(), "a snapshot does not change");
        let before = listed(&bucket);
        let ids: Vec<_> = before.iter().map(|(_, id)| *id).collect();
        assert_eq!(ids, [id(31), id(51), id(71), id(91)]);
        assert_eq!(bucket.sealed_through(&Tenant::default(), &id(72)).unwrap(), Some(70));
        assert_eq!(bucket.sealed_through(&Tenant::default(), &id(1)).unwrap(), None);
        assert_eq!((bucket.last_seq(), bucket.totals().0), (90, 4));
        drop(bucket);
        let (bucket, report) = Bucket::open(disk, root).unwrap();
        assert_eq!(report, OpenReport { blocks: 4, ..OpenReport::default() });
        assert_eq!(listed(&bucket), before);
    });
}

#[test]
fn what_is_no_block_is_set_aside_and_what_is_unfinished_removed() {
    check_each_disk(|disk, root| {
        let (bucket, _) = Bucket::open(disk.clone(), root.clone()).unwrap();
        bucket.put(&Tenant::default(), block(1), 1).unwrap();
        let folder = "blocks/single-tenant";
        for name in ["0000000000000002-0000.block", "0000000000000003-0000.block.tmp"] {
            spanloom_wal::disk::write_file_durably(disk.as_ref(), folder, name, &[b"no block"]).unwrap();
        }
        let (again, report) = Bucket::open(disk.clone(), root).unwrap();
        assert_eq!((report.blocks, report.unfinished, report.set_aside.len()), (1, 1, 1));
        assert_eq!(report.set_aside[0].0, format!("{folder}/0000000000000002-0000.block.aside"));
        assert_eq!(listed(&again), listed(&bucket));
        let mut left: Vec<String> = disk.list(folder).unwrap().into_iter().map(|file| file.name).collect();
        left.sort();
        let good = format!("{}.block", bucket.blocks(&Tenant::default())[0].id);
        assert_eq!(left, [good.as_str(), "0000000000000002-0000.block.aside"]);
    });
}

#[test]
fn what_blocks_hold_for_being_read_is_bounded_whether_they_are_put_opened_or_read() {
    check_each_disk(|disk, root| {
        let one = {
            let (bucket, _) = Bucket::open(disk.clone(), root.clone()).unwrap();
            bucket.put(&Tenant::default(), block(0), 0).unwrap();
            assert!(bucket.blocks(&Tenant::default())[0].block.trace(&id(1)).unwrap().is_some());
            bucket.resident()
        };
        assert_eq!((one.blocks, one.mapped_bytes > 0), (1, root.is_some()));
        let limits = ResidentLimits {
            directory_bytes: one.directory_bytes * 7 / 2,
            mapped_bytes: one.mapped_bytes * 9,
        };
        let open = || Bucket::open_within(disk.clone(), root.clone(), limits).unwrap().0;
        let bucket = open();
        for number in 1..20 {
            bucket.put(&Tenant::default(), block(number), number.into()).unwrap();
            assert_eq!(bucket.resident(), ResidentUsage::default(), "putting leaves nothing");
        }
        drop(bucket);
        let bucket = open();
        assert_eq!(bucket.resident(), ResidentUsage::default(), "opening leaves nothing");
        for round in 0..3 {
            for (number, listed) in (0u8..).zip(bucket.blocks(&Tenant::default()).iter()) {
                assert!(listed.block.trace(&id(number + 2)).unwrap().is_some());
                let usage = bucket.resident();
                assert!(usage.blocks <= 3 && usage.directory_bytes <= limits.directory_bytes, "{usage:?}");
                assert_eq!(usage.blocks, if round == 0 { 3.min(number as usize + 1) } else { 3 });
            }
        }
    });
}

#[test]
fn a_block_that_cannot_be_listed_leaves_no_file_behind() {
    // Its files lie elsewhere than where they are mapped from.
    let disk = Arc::new(SimDisk::new());
    let elsewhere = tempfile::tempdir().unwrap();
    let (bucket, _) = Bucket::open(disk.clone(), Some(elsewhere.path().to_owned())).unwrap();
    for attempt in 1..3 {
        assert!(bucket.put(&Tenant::default(), block(10), attempt).is_err());
        assert_eq!(listed(&bucket), []);
        let folder = format!("{}/{}", spanloom_bucket::FOLDER, Tenant::default());
        assert_eq!(disk.list(&folder).unwrap().len(), 0, "attempt {attempt}");
    }
}

#[test]
fn traces_in_several_blocks_are_known_by_their_places() {
    check_each_disk(|disk, root| {
        let (bucket, _) = Bucket::open(disk, root).unwrap();
        let tenant = Tenant::default();
        let check = |expected: &[&[u32]]| {
            let blocks = bucket.blocks(&tenant);
            let found = bucket.overlaps(&tenant, &blocks).unwrap();
            let found: Vec<&[u32]> = found.iter().map(|places| &places[..]).collect();
            assert_eq!(found, expected);
        };
        check(&[]);
        // Traces 11 to 13, 21 to 23.
        bucket.put(&tenant, block(10), 5).unwrap();
        bucket.put(&tenant, block(20), 6).unwrap();
        check(&[&[], &[]]);
        // Traces 12 to 14: 12 and 13 are in the first block.
        bucket.put(&tenant, block(11), 7).unwrap();
        check(&[&[1, 2], &[], &[0, 1]]);
        // Traces 9 to 11, older than all.
        bucket.put(&tenant, block(8), 1).unwrap();
        check(&[&[2], &[0, 1, 2], &[], &[0, 1]]);
    });
}
