//! The seeds of the fuzz target `manifest_open`, written by the crate itself and then damaged, as an ordinary test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)] // a test answers by panicking

#[path = "../../../engine/fuzz/corpus.rs"]
mod corpus;
#[path = "fuzz/manifest_open.rs"]
mod manifest_open;

use proptest::prelude::*;
use spanloom_block::BlockId;
use spanloom_bucket::catalog::{BlockEntry, Gone, Manifest, Reason, RetiredBy, TenantsList};
use spanloom_span::Tenant;

#[test]
fn manifest_open_holds_for_every_seed() {
    corpus::check("manifest_open", &seeds(), manifest_open::holds);
}

proptest! {
    /// What the fuzz target does, for a short while: bytes of a seed are changed, taken out, put twice.
    #[test]
    fn manifest_open_holds_for_changed_seeds(
        seed in 0usize..64,
        changes in proptest::collection::vec((any::<usize>(), any::<u8>(), 0u8..4), 1..6),
    ) {
        let seeds = seeds();
        let mut bytes = seeds[seed % seeds.len()].1.clone();
        for (at, value, kind) in changes {
            let at = at % (bytes.len() + 1);
            match (kind, bytes.get(at).copied()) {
                (0, Some(byte)) => bytes[at] = byte ^ (1 << (value % 8)),
                (1, Some(_)) => bytes[at] = value,
                (2, Some(_)) => _ = bytes.remove(at),
                (_, byte) => bytes.insert(at, byte.unwrap_or(value)),
            }
        }
        manifest_open::holds(&bytes);
    }
}

/// A manifest of so many blocks, half as many gone ones and a third as many aside.
fn manifest(blocks: u64) -> Manifest {
    let id = |at: u64| BlockId { created: 1_795_392_183_000_000_000 + at * 10_000_000_123, number: at * at };
    let entry = |at: u64| BlockEntry {
        id: id(at * 3),
        bytes: 1_000_000 + at * 977,
        tail: 990_000,
        traces: 300 + at % 7,
        spans: 9_000 + at % 11,
        raw_bytes: 4_000_000,
        min_start: id(at).created - id(at).created % 1_000_000,
        max_end: id(at).created,
        level: (at % 3) as u32,
    };
    let reasons = [Reason::Compacted, Reason::Emptied, Reason::Retired(RetiredBy::Disk)];
    let gone = |at: u64| Gone {
        id: id(at * 3 + 1),
        since: id(at).created,
        deleted: if at.is_multiple_of(2) { 0 } else { id(at).created + 5_000_000_000 },
        bytes: at,
        reason: reasons[at as usize % 3],
    };
    Manifest {
        version: blocks,
        blocks: (0..blocks).map(entry).collect(),
        gone: (0..blocks / 2).map(gone).collect(),
        aside: (0..blocks / 3).map(|at| id(at * 3 + 2)).collect(),
    }
}

fn changed(mut bytes: Vec<u8>, at: usize, value: u8) -> Vec<u8> {
    bytes[at] = value;
    bytes
}

fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let bytes = |blocks| manifest(blocks).encode();
    let tenants: TenantsList =
        ["team-1", "team-2"].into_iter().map(|name| Tenant::new(name).unwrap()).collect();
    let extreme = BlockEntry {
        id: BlockId { created: u64::MAX, number: u64::MAX },
        bytes: u64::MAX,
        tail: 0,
        traces: u64::MAX,
        spans: u64::MAX,
        raw_bytes: u64::MAX,
        min_start: u64::MAX,
        max_end: 0,
        level: u32::MAX,
    };
    let mut extremes = manifest(2);
    extremes.blocks.push(extreme);
    vec![
        ("nothing", Vec::new()),
        ("empty", bytes(0)),
        ("one", bytes(1)),
        ("six", bytes(6)),
        ("two-runs", bytes(130)),
        ("extremes", extremes.encode()),
        ("more-blocks-claimed", changed(bytes(6), 14, 15)),
        ("later-format", changed(bytes(6), 8, 2)),
        ("wide-run", changed(bytes(6), 46, 64)),
        ("cut", bytes(6)[..90].to_vec()),
        ("tenants", tenants.encode()),
    ]
}
