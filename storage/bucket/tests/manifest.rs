//! The manifest's bytes: what is written is read, every flipped bit is noticed, and what an entry takes.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // a test answers by panicking

use proptest::prelude::*;
use spanloom_block::{BlockId, BlockMeta};
use spanloom_bucket::catalog::{BlockEntry, Gone, Manifest, ManifestError, Reason, RetiredBy};
use spanloom_span::Tenant;
use xxhash_rust::xxh3::xxh3_64;

const REASONS: [Reason; 7] = [
    Reason::Compacted,
    Reason::Redacted,
    Reason::Emptied,
    Reason::Orphaned,
    Reason::Retired(RetiredBy::Age),
    Reason::Retired(RetiredBy::Bytes),
    Reason::Retired(RetiredBy::Disk),
];

/// A manifest with an entry in each list, as `docs/formats/manifest.md` shows it.
fn example() -> Manifest {
    let id = |created, number| BlockId { created, number };
    let entry = |id, bytes, max_end| BlockEntry {
        id,
        bytes,
        tail: bytes - 300,
        traces: 12,
        spans: 99,
        raw_bytes: 40_000,
        min_start: max_end - 4_000_000,
        max_end,
        level: 1,
    };
    let gone = |id, since, deleted, reason| Gone { id, since, deleted, bytes: 500, reason };
    Manifest {
        version: 258,
        blocks: vec![entry(id(1_000, 7), 3_000, 5_000_000), entry(id(1_010, 3), 3_004, 6_000_000)],
        gone: vec![
            gone(id(990, 7), 2_000, 0, Reason::Compacted),
            gone(id(995, 7), 2_000, 2_600, Reason::Emptied),
        ],
        aside: vec![id(5, 1)],
    }
}

const GOLDEN: &str = "\
    53504c4d414e490a010000000200000002000000010000000201000000000000\
    e807c096b102040000a0030003040300b817200000ac0200000c000063000128\
    02020008000208000001de07d00f030000280000070003000a00000064090000\
    f403020000080500030000000129145da759133560";

#[test]
fn the_bytes_are_those_of_the_documentation() {
    let bytes = example().encode();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, GOLDEN);
    assert_eq!(Manifest::decode(&bytes), Ok(example()));
}

#[test]
fn every_flipped_bit_and_every_cut_is_noticed() {
    let bytes = example().encode();
    for bit in 0..bytes.len() * 8 {
        let mut bad = bytes.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert!(Manifest::decode(&bad).is_err(), "bit {bit}");
    }
    for len in 0..bytes.len() {
        assert!(Manifest::decode(&bytes[..len]).is_err(), "{len} bytes");
    }
    assert!(Manifest::decode(&[&bytes[..], &[0]].concat()).is_err());
}

/// Bytes with a checksum that is right.
fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let body = bytes.len() - 8;
    let sum = xxh3_64(&bytes[..body]).to_le_bytes();
    bytes[body..].copy_from_slice(&sum);
    bytes
}

#[test]
fn what_cannot_be_is_refused_though_its_checksum_is_right() {
    let check = |manifest: Manifest, expected: &str| {
        let found = Manifest::decode(&manifest.encode());
        assert_eq!(found.unwrap_err().to_string(), format!("the manifest is damaged: {expected}"));
    };
    let mut twice = example();
    twice.blocks[1] = twice.blocks[0];
    check(twice, "its blocks do not ascend");
    let mut reversed = example();
    reversed.gone.reverse();
    check(reversed, "its blocks do not ascend");
    let mut shared = example();
    shared.aside[0] = shared.gone[1].id;
    check(shared, "a block is in two lists");
    let mut beyond = example();
    beyond.blocks[0].tail = 3_001;
    check(beyond, "a block's metadata lies outside of it");

    let with = |at: usize, value: u8| {
        let mut bytes = example().encode();
        bytes[at] = value;
        Manifest::decode(&sealed(bytes)).unwrap_err()
    };
    assert_eq!(with(8, 2), ManifestError::Format(2));
    assert_eq!(with(8, 0), ManifestError::Damaged("there is no such format"));
    assert_eq!(with(15, 1), ManifestError::Damaged("it lists more blocks than are possible"));
    assert_eq!(with(12, 3), ManifestError::Damaged("a run has no such scale"));
    assert_eq!(with(20, 0), ManifestError::Damaged("there are bytes behind its lists"));
    assert!(matches!(with(0, b's'), ManifestError::NotOne { .. }));
}

/// A megabyte that claims the most blocks gives an error before it takes memory for them.
#[test]
fn claimed_lengths_take_no_memory() {
    let mut bytes = example().encode();
    bytes.splice(32.., [0; 1 << 20]);
    for at in [12, 16, 20] {
        bytes[at..at + 4].copy_from_slice(&(1u32 << 20).to_le_bytes());
    }
    assert_eq!(Manifest::decode(&sealed(bytes)), Err(ManifestError::Damaged("its blocks do not ascend")));
}

/// Entries as a tenant has them: first blocks of 4 machines that were sealed every 10 s, then blocks that were joined.
fn busy(blocks: u64, joined: bool) -> Manifest {
    let mut dice = 1u64;
    let mut roll = |below: u64| {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((u128::from(dice) * u128::from(below)) >> 64) as u64
    };
    let mut made = Vec::new();
    for at in 0..blocks {
        let created = 1_795_392_183_000_000_000 + at * 2_500_000_000 + roll(400_000_000);
        let number = if joined { roll(1 << 32) << 16 } else { 0x5e1f_0000_0000_0000 + at % 4 };
        let spans = 60_000 + roll(20_000);
        let (bytes, max_end) = (spans * 36 + roll(100_000), created - 5_000_000_000 + roll(1_000_000_000));
        let meta = BlockMeta {
            tenant: Tenant::default(),
            version: 1,
            created,
            spans,
            traces: spans / 9 + roll(500),
            raw_bytes: spans * 400 + roll(300_000),
            min_start: max_end - 30_000_000_000 - roll(60_000_000_000),
            max_end,
            min_sealed_through: 1,
            max_sealed_through: 2,
            file_bytes: bytes,
            tail: bytes - 20_000 - roll(10_000),
            level: u32::from(joined) * 2,
            replaces: Vec::new(),
        };
        made.push(BlockEntry::new(BlockId { created, number }, &meta));
    }
    Manifest { version: 1, blocks: made, ..Manifest::default() }
}

#[test]
fn an_entry_takes_few_bytes() {
    let check = |blocks: u64, joined: bool, most: f64| {
        let manifest = busy(blocks, joined);
        let bytes = manifest.encode();
        assert_eq!(Manifest::decode(&bytes).as_ref(), Ok(&manifest));
        let each = bytes.len() as f64 / blocks as f64;
        println!("{blocks} blocks, joined {joined}: {each:.1} bytes an entry");
        assert!(each <= most, "{each} bytes an entry, expected at most {most}");
    };
    check(100, false, 27.0);
    check(10_000, false, 26.0);
    check(100, true, 32.0);
    check(10_000, true, 31.0);
}

fn ids() -> impl Strategy<Value = BlockId> {
    let created =
        prop_oneof![0u64..8, any::<u64>(), (0u64..1000).prop_map(|at| 1_700_000_000_000_000_000 + at)];
    (created, prop_oneof![0u64..4, any::<u64>()]).prop_map(|(created, number)| BlockId { created, number })
}

fn manifests() -> impl Strategy<Value = Manifest> {
    let number = || prop_oneof![Just(0), 0u64..1000, any::<u64>(), (0u64..9).prop_map(|n| n * 1_000_000)];
    let values = proptest::collection::vec(number(), 8);
    let block = (ids(), values, 0usize..10);
    (any::<u64>(), proptest::collection::vec(block, 0..300)).prop_map(|(version, mut all)| {
        all.sort_by_key(|(id, ..)| *id);
        all.dedup_by_key(|(id, ..)| *id);
        let mut manifest = Manifest { version, ..Manifest::default() };
        for (id, v, list) in all {
            match list {
                0 => manifest.aside.push(id),
                1..4 => {
                    let deleted = if v[1] == 0 { 0 } else { v[0].saturating_add(v[1] % 1_000_000_000_000) };
                    let reason = REASONS[v[3] as usize % REASONS.len()];
                    manifest.gone.push(Gone { id, since: v[0], deleted, bytes: v[2], reason });
                }
                _ => manifest.blocks.push(BlockEntry {
                    id,
                    bytes: v[0],
                    tail: v[1].min(v[0]),
                    traces: v[2],
                    spans: v[3],
                    raw_bytes: v[4],
                    min_start: v[5],
                    max_end: v[6],
                    level: v[7] as u32,
                }),
            }
        }
        manifest
    })
}

proptest! {
    #[test]
    fn any_manifest_reads_as_it_was_written(manifest in manifests()) {
        prop_assert_eq!(Manifest::decode(&manifest.encode()), Ok(manifest));
    }
}

/// Times are rounded outwards, so that no span lies outside of them.
#[test]
fn times_of_an_entry_are_rounded_outwards() {
    let check = |start: u64, end: u64, expected: (u64, u64)| {
        let meta = BlockMeta {
            tenant: Tenant::default(),
            version: 1,
            created: 1,
            spans: 1,
            traces: 1,
            raw_bytes: 1,
            min_start: start,
            max_end: end,
            min_sealed_through: 0,
            max_sealed_through: 0,
            file_bytes: 1,
            tail: 0,
            level: 0,
            replaces: Vec::new(),
        };
        let entry = BlockEntry::new(BlockId::default(), &meta);
        assert_eq!((entry.min_start, entry.max_end), expected);
    };
    check(0, 0, (0, 0));
    check(1_999_999, 2_000_001, (1_000_000, 3_000_000));
    check(2_000_000, 3_000_000, (2_000_000, 3_000_000));
    check(u64::MAX, u64::MAX, (u64::MAX - u64::MAX % 1_000_000, u64::MAX));
}
