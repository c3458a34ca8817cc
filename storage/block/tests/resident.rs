//! What blocks hold in memory for being read is bounded, and letting go of it changes no answer. Linux says what a
//! process holds of a file.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::*;
use spanloom_block::{Block, BlockError, ResidentLimits, ResidentSet, TraceSummary};
use spanloom_span::TraceId;
use spanloom_span::model::*;

/// No block but the one read last.
const NOTHING: ResidentLimits = ResidentLimits { directory_bytes: 0, mapped_bytes: 0 };

/// Blocks in a folder of their own, of which each has other traces.
struct House {
    dir: tempfile::TempDir,
    set: Arc<ResidentSet>,
    blocks: Vec<Block>,
    expected: Vec<BTreeMap<TraceId, Trace>>,
}

impl House {
    fn new(blocks: u8, spans: u64, limits: ResidentLimits) -> Self {
        let (dir, set) = (tempfile::tempdir().unwrap(), Arc::new(ResidentSet::new(limits)));
        let mut house = Self { dir, set, blocks: Vec::new(), expected: Vec::new() };
        for number in 0..blocks {
            let of = |id: u64| {
                let mut span = span(1 + number + (id % 5) as u8, id + 1);
                // Text that does not pack, so that a block has pages.
                span.attributes.push(text(
                    &format!("key {}", number % 7),
                    &format!("{:x}", (id + 1 + u64::from(number)).wrapping_mul(0x9e37_79b9_7f4a_7c15)),
                ));
                span
            };
            let parts = parts_of(&[request((0..spans).map(of).collect())]);
            std::fs::write(house.path(number), build(&parts).0.bytes).unwrap();
            house.blocks.push(Block::open_in(house.path(number), &house.set).unwrap());
            house.expected.push(parts.iter().map(|(id, parts)| (*id, expected(parts).trace)).collect());
        }
        house
    }

    fn path(&self, number: u8) -> PathBuf {
        self.dir.path().join(format!("{number:03}.block"))
    }

    /// Reads the traces of a block and compares them.
    fn check(&self, number: usize) {
        let (block, expected) = (&self.blocks[number], &self.expected[number]);
        assert_eq!(
            block.trace_ids().unwrap().collect::<Vec<_>>(),
            expected.keys().copied().collect::<Vec<_>>()
        );
        for (place, (id, trace)) in (0..).zip(expected) {
            assert_eq!(block.find(id).unwrap(), Some(place), "block {number}");
            assert_eq!(block.trace(id).unwrap().as_ref(), Some(trace), "block {number}");
            assert_eq!(block.sealed_through(id).unwrap(), Some(1), "block {number}");
        }
    }
}

/// KiB of each mapping of a file that are in this process's memory: with the length of the mapping.
fn mapped_kib(path: &Path) -> Vec<(u64, u64)> {
    let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
    let kib = |line: &str| line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap();
    let mut out = Vec::new();
    let (mut of_file, mut len) = (false, 0);
    for line in maps.lines() {
        let first = line.split(' ').next().unwrap_or_default();
        if first.contains('-') {
            of_file = line.ends_with(path.to_str().unwrap());
        } else if of_file && first == "Size:" {
            len = kib(line);
        } else if of_file && first == "Rss:" {
            out.push((len, kib(line)));
        }
    }
    out.sort();
    out
}

/// KiB of a block's file, but for its filter, that are in memory.
fn resident_kib(path: &Path) -> u64 {
    let maps = mapped_kib(path);
    assert_eq!(maps.len(), 2, "the filter and the whole");
    maps[1].1
}

#[test]
fn a_dropped_directory_is_parsed_again_with_the_same_answers() {
    let house = House::new(3, 200, NOTHING);
    assert_eq!(house.set.usage().blocks, 0, "opening lets go");
    let answers = |block: &Block| {
        let reader = block.reader().unwrap();
        let summaries: Vec<TraceSummary> = (0..5).map(|place| block.summary(place).unwrap()).collect();
        let sealed: Vec<_> = reader.sealed().unwrap().map(Result::unwrap).collect();
        (summaries, sealed, reader.groups().to_vec(), block.inspect().unwrap().to_string())
    };
    let first: Vec<_> = house.blocks.iter().map(answers).collect();
    for _ in 0..3 {
        for (number, block) in house.blocks.iter().enumerate() {
            house.check(number);
            assert_eq!(house.set.usage().blocks, 1);
            assert_eq!(answers(block), first[number]);
            assert_eq!(block.verify().unwrap().spans, 200);
        }
    }
}

#[test]
fn the_limits_hold_however_many_blocks_are_read_and_in_whatever_order() {
    let one = House::new(1, 5000, NOTHING);
    one.check(0);
    let one = one.set.usage();
    assert!(one.mapped_bytes > 50_000 && one.directory_bytes > 1000, "{one:?}");
    let check = |directories: u64, files: u64, expected: usize| {
        let limits = ResidentLimits {
            directory_bytes: one.directory_bytes * directories + one.directory_bytes / 2,
            mapped_bytes: one.mapped_bytes * files + one.mapped_bytes / 2,
        };
        let house = House::new(12, 5000, limits);
        for round in 0..40 {
            house.check([round, 11 - round % 12, round * 5, round / 8][round % 4] % 12);
            let usage = house.set.usage();
            let fits = usage.directory_bytes <= limits.directory_bytes;
            assert!(fits && usage.mapped_bytes <= limits.mapped_bytes, "{usage:?} of {limits:?}");
            if round % 8 != 7 {
                continue; // looking takes long
            }
            let mapped: u64 = (0..12).map(|number| resident_kib(&house.path(number))).sum();
            // Pages at both ends of a file are counted whole.
            assert!(
                mapped <= limits.mapped_bytes / 1024 + 8 * expected as u64,
                "{mapped} KiB, round {round}"
            );
        }
        assert_eq!(house.set.usage().blocks, expected, "{limits:?}");
    };
    check(3, 100, 3);
    check(100, 4, 4);
    check(2, 5, 2);
}

#[test]
fn a_block_larger_than_the_limits_is_read_all_the_same() {
    let house = House::new(2, 200, NOTHING);
    house.check(0);
    let (before, reader) = (house.set.usage(), house.blocks[0].reader().unwrap());
    assert_eq!((before.blocks, reader.groups().len()), (1, 1));
    house.check(0);
    assert_eq!(house.set.usage(), before, "the block read last stays");
}

#[test]
fn a_block_that_is_read_often_outlasts_those_read_once() {
    let one = House::new(1, 200, NOTHING);
    one.check(0);
    let limits =
        ResidentLimits { directory_bytes: u64::MAX, mapped_bytes: one.set.usage().mapped_bytes * 7 / 2 };
    let house = House::new(12, 200, limits);
    let read = |number: u8| {
        let id = house.expected[number as usize].keys().next().unwrap();
        assert!(house.blocks[number as usize].trace(id).unwrap().is_some());
    };
    read(0);
    read(0);
    for number in 1..12 {
        read(number);
        assert!(resident_kib(&house.path(0)) > 0, "after block {number}");
        read(0);
    }
    assert_eq!(resident_kib(&house.path(5)), 0);
}

#[test]
fn a_reader_keeps_what_it_reads_and_gives_it_back_when_it_goes() {
    let house = House::new(2, 5000, NOTHING);
    assert_eq!(resident_kib(&house.path(0)), 0, "opening gives its pages back");
    let reader = house.blocks[0].reader().unwrap();
    let before: Vec<_> = reader.sealed().unwrap().map(Result::unwrap).collect();
    house.check(1);
    assert_eq!(house.set.usage().blocks, 1);
    assert!(resident_kib(&house.path(0)) > 0, "the reader is not disturbed");
    assert_eq!(reader.sealed().unwrap().map(Result::unwrap).collect::<Vec<_>>(), before);
    let clone = reader.clone();
    drop(reader);
    assert!(resident_kib(&house.path(0)) > 0);
    drop(clone);
    assert_eq!(resident_kib(&house.path(0)), 0);
    // Ids are read without the directory, within the same bounds.
    let mut ids = house.blocks[0].trace_ids().unwrap();
    assert_eq!(ids.next(), Some(TraceId([1; 16])));
    house.check(1);
    assert!(resident_kib(&house.path(0)) > 0);
    assert_eq!(ids.count(), 4);
    assert_eq!(resident_kib(&house.path(0)), 0);
}

#[test]
fn asking_for_an_absent_id_touches_the_filter_alone() {
    let house = House::new(1, 5000, NOTHING);
    let absent = (0..=255).map(|n| TraceId([n; 16])).find(|id| !house.blocks[0].may_contain(id)).unwrap();
    assert_eq!(house.blocks[0].trace(&absent).unwrap(), None);
    assert_eq!((house.set.usage().blocks, resident_kib(&house.path(0))), (0, 0));
    assert!(mapped_kib(&house.path(0))[0].1 > 0, "the filter stays");
}

#[test]
fn answers_stay_the_same_while_others_read() {
    let check = |limits: ResidentLimits| {
        let house = House::new(6, 100, limits);
        std::thread::scope(|scope| {
            for thread in 0..4usize {
                let house = &house;
                scope.spawn(move || {
                    let held = house.blocks[thread].reader().unwrap();
                    for round in 0..150 {
                        house.check((round * (thread + 1) + thread) % 6);
                        assert_eq!(held.sealed().unwrap().count(), 5);
                    }
                });
            }
        });
        let usage = house.set.usage();
        assert!(usage.blocks == 1 || usage.directory_bytes <= limits.directory_bytes, "{usage:?}");
        assert!(usage.blocks == 1 || usage.mapped_bytes <= limits.mapped_bytes, "{usage:?}");
    };
    check(NOTHING);
    check(ResidentLimits { directory_bytes: 12_000, mapped_bytes: u64::MAX });
    check(ResidentLimits { directory_bytes: u64::MAX, mapped_bytes: 30_000 });
    check(ResidentLimits::default());
}

#[test]
fn a_directory_that_is_damaged_after_opening_is_an_error() {
    let house = House::new(2, 20, NOTHING);
    let (path, block, other) = (house.path(0), &house.blocks[0], &house.blocks[1]);
    let bytes = std::fs::read(&path).unwrap();
    let file = File::options().write(true).open(&path).unwrap();
    let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize;
    let (offset, len) = (word(bytes.len() - 64), word(bytes.len() - 56));
    let id = *house.expected[0].keys().next().unwrap();
    for at in offset..offset + len {
        file.write_all_at(&[bytes[at] ^ (1 << (at % 8))], at as u64).unwrap();
        let error = block.trace(&id).unwrap_err();
        let is_named = matches!(&error, BlockError::Checksum { what, .. } if what == "directory");
        assert!(is_named, "byte {at}: {error}");
        assert!(block.reader().is_err() && block.verify().is_err() && block.inspect().is_err());
        assert_eq!(block.find(&id).unwrap(), Some(0), "what needs no directory goes on");
        file.write_all_at(&bytes[at..at + 1], at as u64).unwrap();
        if at % 64 == 0 {
            assert!(block.trace(&id).unwrap().is_some(), "right again, and read again");
            // Else the first block stays resident, and its directory with it.
            assert!(other.reader().is_ok());
        }
    }
    house.check(0);
}

#[test]
fn blocks_held_in_memory_keep_to_the_limit_too() {
    let house = House::new(4, 100, NOTHING);
    let open = |number| Block::from_bytes_in(std::fs::read(house.path(number)).unwrap(), &house.set).unwrap();
    let blocks: Vec<Block> = (0..4).map(open).collect();
    for (number, block) in blocks.iter().enumerate() {
        assert_eq!(block.reader().unwrap().meta(), house.blocks[number].meta());
        let usage = house.set.usage();
        assert_eq!((usage.blocks, usage.mapped_bytes), (1, 0));
    }
    drop(blocks);
    house.check(0);
    assert_eq!(house.set.usage().blocks, 1, "a block that was dropped goes when its turn comes");
}
