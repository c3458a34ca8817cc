//! The laws of the plans: what they never do, what they come to, and some plans as text.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use spanloom_block::BlockId;
use spanloom_span::Tenant;

use super::*;
use crate::catalog::manifest::{BlockEntry, Gone, Manifest, Reason};
use crate::catalog::names::{ObjectName, block_path, damaged_path, manifest_path};
use crate::objects::Found;

const SECOND: u64 = 1_000_000_000;
/// 2026-11-23T00:00:00Z
const BEGIN: u64 = 1_795_392_000 * SECOND;

/// A block made so many seconds after the beginning.
fn block(seconds: u64, bytes: u64, level: u32) -> BlockEntry {
    let created = BEGIN + seconds * SECOND;
    BlockEntry {
        id: BlockId { created, number: 7 },
        bytes,
        tail: bytes / 2,
        traces: bytes / 90,
        spans: bytes / 10,
        raw_bytes: bytes * 11,
        min_start: created - 20 * SECOND,
        max_end: created - 5 * SECOND,
        level,
    }
}

fn rules() -> CompactionRules {
    CompactionRules {
        min_inputs: 3,
        max_inputs: 6,
        max_bytes: 1000,
        max_spans: 1000,
        widest: Duration::from_secs(3600),
        ..CompactionRules::default()
    }
}

/// The inputs of the jobs, as seconds after the beginning.
#[track_caller]
fn check(blocks: &[BlockEntry], now: u64, expected: &[&[u64]]) {
    let jobs = compaction(blocks, BEGIN + now * SECOND, &rules());
    let inputs = |job: &Job| job.inputs.iter().map(|id| (id.created - BEGIN) / SECOND).collect::<Vec<_>>();
    assert_eq!(jobs.iter().map(inputs).collect::<Vec<_>>(), expected);
}

fn blocks(all: &[(u64, u64, u32)]) -> Vec<BlockEntry> {
    all.iter().map(|(seconds, bytes, level)| block(*seconds, *bytes, *level)).collect()
}

#[test]
fn an_active_window_joins_neighbours_of_a_level() {
    let two = blocks(&[(10, 9, 0), (20, 9, 0)]);
    check(&two, 30, &[]);
    check(&blocks(&[(10, 9, 0), (20, 9, 1), (30, 9, 0), (40, 9, 0)]), 50, &[&[10, 30, 40]]);
    let five = blocks(&[(10, 9, 0), (20, 9, 0), (30, 9, 0), (40, 9, 0), (50, 9, 0)]);
    check(&five, 60, &[&[10, 20, 30]]);
    // Behind: as many as may be at a time.
    let many: Vec<_> = (1..11).map(|at| block(at * 10, 9, 0)).collect();
    check(&many, 200, &[&[10, 20, 30, 40, 50, 60], &[70, 80, 90]]);
    // Newer windows first, then lower levels.
    let mixed: Vec<_> =
        [(10, 1), (20, 1), (30, 1), (40, 0), (50, 0), (60, 0)].map(|(s, l)| block(s, 9, l)).into();
    let later: Vec<_> = [3700, 3710, 3720].map(|s| block(s, 9, 2)).into();
    check(&[mixed, later].concat(), 3730, &[&[3700, 3710, 3720], &[40, 50, 60], &[10, 20, 30]]);
    // Of the highest level none is joined, and none beyond the limits of size.
    check(&[10, 20, 30].map(|s| block(s, 9, 8)), 40, &[]);
    check(&blocks(&[(10, 600, 0), (20, 600, 0), (30, 300, 0), (40, 200, 0)]), 50, &[&[20, 30]]);
}

#[test]
fn a_closed_window_joins_what_pays() {
    let later = 3600 + 1800;
    let check = |all: &[(u64, u64, u32)], expected: &[&[u64]]| check(&blocks(all), later, expected);
    check(&[(10, 9, 0), (20, 9, 1)], &[&[10, 20]]);
    check(&[(10, 9, 0)], &[]);
    // What is more than two thirds is left out, wherever it stands.
    check(&[(10, 9, 0), (20, 100, 3), (30, 9, 0)], &[&[10, 30]]);
    check(&[(10, 9, 0), (20, 100, 3)], &[]);
    check(&[(10, 50, 0), (20, 100, 3)], &[&[10, 20]]);
    // As many as fit in one, neighbours first.
    check(&[(10, 400, 0), (20, 400, 0), (30, 400, 0), (40, 400, 0)], &[&[10, 20], &[30, 40]]);
    // A full one stands in nobody's way.
    check(&[(10, 300, 0), (20, 900, 5), (30, 300, 0)], &[&[10, 30]]);
    // Nor does one that is left over.
    check(&[(10, 600, 0), (20, 9, 0), (30, 395, 0), (40, 395, 0)], &[&[20, 30, 40]]);
}

/// Blocks that were left out beside smaller ones are joined among themselves.
#[test]
fn what_was_left_out_is_joined_too() {
    let pairs = CompactionRules { max_inputs: 2, ..rules() };
    let given = blocks(&[(10, 1, 0), (20, 24, 0), (30, 24, 0)]);
    let jobs = compaction(&given, BEGIN + 9000 * SECOND, &pairs);
    assert_eq!(jobs.iter().map(|job| &job.inputs[..]).collect::<Vec<_>>(), [&[given[1].id, given[2].id][..]]);
}

#[test]
fn times_that_cannot_be_keep_no_window_open() {
    let mut ahead = blocks(&[(10, 9, 0), (20, 9, 0)]);
    ahead[0].max_end = u64::MAX;
    ahead[1].max_end = BEGIN + 90_000 * SECOND;
    check(&ahead, 3600 + 1800, &[&[10, 20]]);
    let never = BlockEntry { max_end: 0, ..block(20, 9, 0) };
    check(&[block(10, 9, 0), never], 3600 + 1800, &[]);
    check(&[block(u64::MAX / SECOND - BEGIN / SECOND - 1, 9, 0)], 10, &[]);
}

#[test]
fn windows_of_small_tenants_get_wider_with_age() {
    let rules = CompactionRules { widest: Duration::from_secs(16 * 3600), ..rules() };
    // The beginning is the begin of a window of each width.
    assert_eq!((BEGIN / SECOND / 3600) % 16, 0);
    let hours: Vec<_> = (0..8).map(|hour| block(hour * 3600 + 60, 9, 2)).collect();
    let counts = |hour: u64| {
        let jobs = compaction(&hours, BEGIN + hour * 3600 * SECOND + 1800 * SECOND, &rules);
        jobs.iter().map(|job| job.inputs.len()).collect::<Vec<_>>()
    };
    assert_eq!(counts(3), [0; 0]);
    assert_eq!(counts(4), [4]);
    assert_eq!(counts(7), [4]);
    assert_eq!(counts(8), [4, 4]);
    assert_eq!(counts(16), [6, 2]);
}

#[test]
fn jobs_are_told_and_named_the_same_everywhere() {
    let inputs = blocks(&[(10, 1 << 20, 0), (20, 2 << 20, 1)]);
    let job = Job::join(&[&inputs[1], &inputs[0]], 8);
    assert_eq!(
        job.to_string(),
        "join 2 blocks of 2026-11-23T00:00:05Z to 2026-11-23T00:00:15Z, 3.0 MiB, 314572 spans, to level 2: \
         18ea83854c9fe400-0000000000000007 18ea8387a0abc800-0000000000000007"
    );
    assert_eq!(job.token(), 8_406_288_869_924_640_115, "the same in every version");
    assert_eq!(Job::join(&[&inputs[0], &inputs[1]], 8), job);
    let (first, second) = (job.output(1, 0), job.output(1, 1));
    assert_eq!(first.created, inputs[1].id.created);
    assert_eq!((first.number & 0xffff, second.number), (0, first.number + 1));
    assert_ne!(job.output(2, 0), first, "another attempt has other names");
    assert_eq!(Job::join(&[&inputs[0], &inputs[1]], 1).level, 1);
    let redact = Job::redact(&inputs[0]);
    assert_eq!((redact.level, redact.reason(1), redact.reason(0)), (0, Reason::Redacted, Reason::Emptied));
}

#[test]
fn retention_takes_the_oldest() {
    let manifest = Manifest {
        blocks: blocks(&[(10, 100, 0), (20, 100, 0), (30, 100, 0), (40, 100, 0)]),
        gone: vec![
            Gone { id: BlockId::default(), since: 1, deleted: 0, bytes: 50, reason: Reason::Compacted },
            Gone {
                id: BlockId { created: 1, number: 1 },
                since: 1,
                deleted: 2,
                bytes: 5000,
                reason: Reason::Compacted,
            },
        ],
        ..Manifest::default()
    };
    let check = |age: Option<u64>, bytes: Option<u64>, disk: Option<(u64, u64)>, expected: &str| {
        let rules = RetentionRules {
            max_age: age.map(Duration::from_secs),
            max_bytes: bytes,
            min_free_disk: disk.map(|(least, _)| least),
        };
        let found = retention(&manifest, BEGIN + 100 * SECOND, &rules, disk.map(|(_, free)| free));
        let text: Vec<_> =
            found.iter().map(|r| format!("{:?} {}", r.by, (r.id.created - BEGIN) / SECOND)).collect();
        assert_eq!(text.join(", "), expected);
    };
    check(None, None, None, "");
    check(Some(80), None, None, "Age 10, Age 20");
    check(Some(81), None, None, "Age 10");
    check(None, Some(400), None, "");
    check(None, Some(399), None, "Bytes 10");
    check(None, Some(0), None, "Bytes 10, Bytes 20, Bytes 30, Bytes 40");
    check(Some(81), Some(250), None, "Age 10, Bytes 20");
    // What is gone and will be deleted counts as free.
    check(None, None, Some((1000, 950)), "");
    check(None, None, Some((1000, 949)), "Disk 10");
    check(None, None, Some((1000, 849)), "Disk 10, Disk 20");
    check(Some(81), None, Some((1000, 849)), "Age 10, Disk 20");
    assert_eq!(
        retention(
            &manifest,
            u64::MAX,
            &RetentionRules { max_bytes: Some(300), ..RetentionRules::default() },
            None
        )[0]
        .to_string(),
        "retire by bytes 18ea83854c9fe400-0000000000000007 of 2026-11-23T00:00:10Z, 100 B"
    );
}

#[test]
fn spans_of_the_future_are_not_kept_for_ever() {
    let future = BlockEntry { max_end: u64::MAX, ..block(10, 9, 0) };
    let manifest = Manifest { blocks: vec![future], ..Manifest::default() };
    let rules = RetentionRules { max_age: Some(Duration::from_secs(60)), ..RetentionRules::default() };
    assert_eq!(retention(&manifest, BEGIN + 69 * SECOND, &rules, None), []);
    assert_eq!(retention(&manifest, BEGIN + 70 * SECOND, &rules, None).len(), 1);
}

#[test]
fn a_disk_that_tenants_share_loses_the_oldest_of_all() {
    let of = |all: &[(u64, u64, u32)]| Manifest { blocks: blocks(all), ..Manifest::default() };
    let (one, two) = (of(&[(10, 100, 0), (40, 100, 0)]), of(&[(20, 100, 0), (30, 100, 0)]));
    let check = |free: u64, expected: &[(usize, u64)]| {
        let found = free_disk(&[&one, &two], free, 1000);
        let found: Vec<_> = found.iter().map(|(at, r)| (*at, (r.id.created - BEGIN) / SECOND)).collect();
        assert_eq!(found, expected);
    };
    check(1000, &[]);
    check(999, &[(0, 10)]);
    check(750, &[(0, 10), (1, 20), (1, 30)]);
    check(0, &[(0, 10), (1, 20), (1, 30), (0, 40)]);
}

#[test]
fn deletion_waits_and_orphans_are_ours_and_old() {
    let gone = |number, since, deleted| Gone {
        id: BlockId { created: 5, number },
        since,
        deleted,
        bytes: 1,
        reason: Reason::Compacted,
    };
    let all = [gone(1, 30, 0), gone(2, 20, 0), gone(3, 21, 0), gone(4, 5, 15), gone(5, 5, 16)];
    let numbers = |gone: Vec<Gone>| gone.iter().map(|gone| gone.id.number).collect::<Vec<_>>();
    assert_eq!(numbers(due(&all, 29, Duration::from_nanos(10))), [0; 0]);
    assert_eq!(numbers(due(&all, 31, Duration::from_nanos(10))), [2, 3]);
    assert_eq!(numbers(due(&all, 40, Duration::from_nanos(10))), [2, 3, 1]);
    let forgotten = forgettable(&all, 25, Duration::from_nanos(10));
    assert_eq!(forgotten.iter().map(|id| id.number).collect::<Vec<_>>(), [4]);

    let tenant = Tenant::new("a").unwrap();
    let id = |number| BlockId { created: 9, number };
    let listed = BlockEntry { id: id(1), ..block(0, 9, 0) };
    let manifest = Manifest {
        blocks: vec![listed],
        gone: vec![gone(2, 1, 0)],
        aside: vec![id(3)],
        ..Manifest::default()
    };
    let found = |path: String, modified| Found { path, bytes: 9, modified };
    let listing = [
        found(block_path(&tenant, id(1)), 0),
        found(block_path(&tenant, BlockId { created: 5, number: 2 }), 0),
        found(block_path(&tenant, id(3)), 0),
        found(block_path(&tenant, id(4)), 90),
        found(block_path(&tenant, id(5)), 91),
        found(format!("{}.tmp", block_path(&tenant, id(6))), 0),
        found(manifest_path(&tenant), 0),
        found(damaged_path(&tenant, 1), 0),
        found("a/notes.txt".into(), 0),
        found("b/0000000000000009-0000000000000004.block".into(), 0),
    ];
    let found = orphans(&tenant, &listing, &manifest, 100, Duration::from_nanos(10));
    let names: Vec<_> = found.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, [ObjectName::Block(id(4)), ObjectName::Temporary]);
}

prop_compose! {
    /// Blocks of some hours, some late, some of other sizes by far.
    fn any_blocks()(all in proptest::collection::vec((0u64..20_000, 1u64..1200, 0u32..4, 0u64..30), 0..120))
        -> Vec<BlockEntry> {
        let made: BTreeMap<u64, BlockEntry> = all.into_iter().map(|(at, bytes, level, late)| {
            let small = if late % 3 == 0 { bytes / 50 + 1 } else { bytes };
            let mut entry = block(at, small, level);
            entry.max_end = entry.max_end.wrapping_sub(late.saturating_sub(20) * 3600 * SECOND);
            (at, entry)
        }).collect();
        made.into_values().collect()
    }
}

fn any_rules() -> impl Strategy<Value = CompactionRules> {
    (2usize..9, 2usize..12, 100u64..3000, 10u64..300, 0u32..5).prop_map(|(min, max, bytes, spans, widen)| {
        CompactionRules {
            min_inputs: min,
            max_inputs: max,
            max_bytes: bytes,
            max_spans: spans,
            widen,
            max_level: 6,
            ..CompactionRules::default()
        }
    })
}

/// Does all jobs; yields how many bytes were rewritten, and how many jobs there were.
fn work(blocks: &mut Vec<BlockEntry>, now: u64, rules: &CompactionRules) -> (u64, usize) {
    let jobs = compaction(blocks, now, rules);
    let mut bytes = 0;
    for job in &jobs {
        let taken: Vec<BlockEntry> = blocks.extract_if(.., |entry| job.inputs.contains(&entry.id)).collect();
        assert_eq!(taken.len(), job.inputs.len(), "a block is in two jobs, or not there");
        bytes += job.bytes;
        blocks.push(BlockEntry {
            id: job.output(0, 0),
            bytes: job.bytes,
            spans: job.spans,
            level: job.level,
            min_start: taken.iter().map(|entry| entry.min_start).min().unwrap(),
            max_end: taken.iter().map(|entry| entry.max_end).max().unwrap(),
            ..taken[0]
        });
    }
    (bytes, jobs.len())
}

proptest! {
    /// Jobs share no block, keep to the limits, and are the same in whatever order the blocks are given.
    #[test]
    fn jobs_keep_to_the_rules(blocks in any_blocks(), rules in any_rules(), now in 0u64..40_000) {
        let now = BEGIN + now * SECOND;
        let jobs = compaction(&blocks, now, &rules);
        let mut ids: Vec<BlockId> = jobs.iter().flat_map(|job| job.inputs.iter().copied()).collect();
        let all = ids.len();
        ids.sort();
        ids.dedup();
        prop_assert_eq!(ids.len(), all, "a block is in two jobs");
        for job in &jobs {
            prop_assert!((2..=rules.max_inputs).contains(&job.inputs.len()));
            prop_assert!(job.bytes <= rules.max_bytes && job.spans <= rules.max_spans);
            prop_assert!(job.inputs.is_sorted());
        }
        let reversed: Vec<BlockEntry> = blocks.iter().rev().copied().collect();
        prop_assert_eq!(compaction(&reversed, now, &rules), jobs);
    }

    /// Work on blocks to which none are added ends, after a logarithmic number of times that a byte was rewritten; and
    /// what is left is little: blocks that are more than half full, and in each window some whose sizes lie far apart.
    #[test]
    fn work_comes_to_an_end(given in any_blocks(), rules in any_rules(), now in 0u64..40_000) {
        let (mut blocks, before) = (given.clone(), given.len());
        let (mut rewritten, mut rounds) = (0, 0);
        for now in [BEGIN + now * SECOND, BEGIN + 400 * 3600 * SECOND] {
            loop {
                let (bytes, jobs) = work(&mut blocks, now, &rules);
                rewritten += bytes;
                rounds += 1;
                prop_assert!(rounds < 200, "the work does not end");
                if jobs == 0 {
                    break;
                }
            }
        }
        let bytes: u64 = given.iter().map(|entry| entry.bytes).sum();
        prop_assert_eq!(blocks.iter().map(|entry| entry.bytes).sum::<u64>(), bytes);
        // Levels in active windows, and log to 3/2 of how much larger than the least a full block is.
        let most = 6.0 + (rules.max_bytes as f64 * 10.0).log(1.5);
        prop_assert!(rewritten as f64 <= bytes as f64 * most, "{} bytes of {}", rewritten, bytes);
        let share = |entry: &BlockEntry| {
            (entry.bytes as f64 / rules.max_bytes as f64).max(entry.spans as f64 / rules.max_spans as f64)
        };
        let full: f64 = given.iter().map(share).sum();
        let windows: std::collections::BTreeSet<_> =
            blocks.iter().map(|entry| rules_window(&rules, entry)).collect();
        let bound = full * 2.0 + 8.0 * windows.len() as f64;
        prop_assert!(blocks.len() as f64 <= bound.min(before as f64), "{} of {} blocks, {}", blocks.len(), before, bound);
    }
}

/// The widest window of a block.
fn rules_window(rules: &CompactionRules, entry: &BlockEntry) -> u64 {
    let (window, widest) = (rules.window.as_secs(), rules.widest.as_secs());
    let mut width = window;
    while rules.widen > 1 && width * u64::from(rules.widen) <= widest {
        width *= u64::from(rules.widen);
    }
    entry.newest() / SECOND / width
}
