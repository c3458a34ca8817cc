//! Which changes are made, which are made already, and which come too late.

use proptest::prelude::*;

use super::*;
use crate::catalog::manifest::RetiredBy;

fn id(number: u64) -> BlockId {
    BlockId { created: 100 + number / 4, number }
}

fn entry(number: u64) -> BlockEntry {
    let id = id(number);
    let (bytes, tail) = (1000 + number, 900);
    let (min_start, max_end) = (id.created, id.created + 5);
    BlockEntry { id, bytes, tail, traces: 3, spans: 10, raw_bytes: 4000, min_start, max_end, level: 0 }
}

/// Lists 1 to 4; 5 was compacted at 50, 6 retired at 50 and deleted at 60; 7 is aside.
fn manifest() -> Manifest {
    let gone = |number, deleted, reason| Gone { id: id(number), since: 50, deleted, bytes: 9, reason };
    Manifest {
        version: 9,
        blocks: (1..5).map(entry).collect(),
        gone: vec![gone(5, 0, Reason::Compacted), gone(6, 60, Reason::Retired(RetiredBy::Age))],
        aside: vec![id(7)],
    }
}

/// The lists after a change at 200, as text; or why it is refused.
#[track_caller]
fn check(change: Change, expected: &str) {
    let found = match manifest().apply(&change, 200) {
        Ok(next) if next.version == 9 => {
            assert_eq!(next, manifest());
            "no change".to_owned()
        }
        Ok(next) => {
            assert_eq!(next.version, 10);
            let numbers = |ids: Vec<u64>| ids.iter().map(u64::to_string).collect::<Vec<_>>().join(" ");
            let gone =
                next.gone.iter().map(|g| format!("{}@{}/{} {}", g.id.number, g.since, g.deleted, g.reason));
            let blocks = numbers(next.blocks.iter().map(|e| e.id.number).collect());
            let aside = numbers(next.aside.iter().map(|id| id.number).collect());
            format!("{blocks} | {} | {aside}", gone.collect::<Vec<_>>().join(", "))
        }
        Err(stale) => format!("{stale:?}").split('(').next().unwrap_or_default().to_owned(),
    };
    assert_eq!(found, expected);
}

fn add(numbers: &[u64]) -> Change {
    Change { add: numbers.iter().map(|number| entry(*number)).collect(), ..Change::default() }
}

fn remove(numbers: &[u64], reason: Reason) -> Change {
    Change { remove: numbers.iter().map(|number| (id(*number), reason)).collect(), ..Change::default() }
}

fn join(inputs: &[u64], outputs: &[u64]) -> Change {
    Change { add: add(outputs).add, ..remove(inputs, Reason::Compacted) }
}

const GONE: &str = "5@50/0 compacted, 6@50/60 retired by age";

#[test]
fn blocks_are_added_once() {
    check(add(&[8]), &format!("1 2 3 4 8 | {GONE} | 7"));
    check(add(&[0]), &format!("0 1 2 3 4 | {GONE} | 7"));
    check(add(&[2]), "no change");
    check(add(&[2, 8]), &format!("1 2 3 4 8 | {GONE} | 7"));
    check(Change::default(), "no change");
    // What was put again by its maker is good again.
    check(add(&[7]), &format!("1 2 3 4 7 | {GONE} | "));
    check(add(&[5]), "Gone");
    check(add(&[6]), "Gone");
    let other = Change { add: vec![BlockEntry { spans: 11, ..entry(2) }], ..Change::default() };
    check(other, "Differs");
    let beyond = Change { add: vec![BlockEntry { tail: 1009, ..entry(8) }], ..Change::default() };
    check(beyond, "Tail");
    check(Change { add: vec![entry(8), entry(8)], ..Change::default() }, "Twice");
}

#[test]
fn inputs_go_in_the_change_that_lists_their_outputs_or_it_is_stale() {
    check(
        join(&[1, 2], &[8]),
        "3 4 8 | 1@200/0 compacted, 2@200/0 compacted, 5@50/0 compacted, 6@50/60 retired by age | 7",
    );
    // Another worker was faster.
    check(join(&[2, 5], &[8]), "Unlisted");
    check(join(&[5], &[8]), "Unlisted");
    check(join(&[9], &[8]), "Unlisted");
    check(remove(&[9], Reason::Compacted), "Unlisted");
    check(join(&[2], &[2]), "Twice");
    // The same change once more.
    check(join(&[5], &[3]), "no change");
    check(remove(&[5], Reason::Compacted), "no change");
    check(remove(&[6], Reason::Retired(RetiredBy::Age)), "no change");
    // It is gone, but for another reason: what this change would have dropped may be in the outputs of that.
    check(remove(&[5], Reason::Emptied), "Unlisted");
    check(Change { add: add(&[3]).add, ..remove(&[5], Reason::Redacted) }, "Unlisted");
}

#[test]
fn orphans_are_buried_unless_they_are_known() {
    let bury = |numbers: &[u64]| Change {
        bury: numbers.iter().map(|number| (id(*number), 1)).collect(),
        ..Change::default()
    };
    check(bury(&[8]), &format!("1 2 3 4 | {GONE}, 8@200/0 orphaned | 7"));
    check(bury(&[1, 5, 6, 7]), "no change");
}

#[test]
fn only_what_was_deleted_is_forgotten() {
    let ids = |numbers: &[u64]| numbers.iter().map(|number| id(*number)).collect();
    let deleted = |numbers: &[u64]| Change { deleted: ids(numbers), ..Change::default() };
    let forget = |numbers: &[u64]| Change { forget: ids(numbers), ..Change::default() };
    check(deleted(&[5]), "1 2 3 4 | 5@50/200 compacted, 6@50/60 retired by age | 7");
    check(deleted(&[1, 6, 9]), "no change");
    check(forget(&[6]), "1 2 3 4 | 5@50/0 compacted | 7");
    check(forget(&[9]), "no change");
    check(forget(&[5]), "NotDeleted");
    check(forget(&[1]), "NotDeleted");
    check(Change { forget: ids(&[6]), ..deleted(&[5]) }, "1 2 3 4 | 5@50/200 compacted | 7");
}

fn change() -> impl Strategy<Value = Change> {
    let ids = || proptest::collection::vec(0u64..24, 0..3);
    let reason = proptest::sample::select(vec![Reason::Compacted, Reason::Retired(RetiredBy::Age)]);
    (ids(), ids(), ids(), ids(), ids(), reason).prop_map(
        |(adds, removes, buries, deleted, forget, reason)| Change {
            add: add(&adds).add,
            remove: remove(&removes, reason).remove,
            bury: buries.iter().map(|number| (id(*number), 5)).collect(),
            deleted: deleted.iter().map(|number| id(*number)).collect(),
            forget: forget.iter().map(|number| id(*number)).collect(),
        },
    )
}

proptest! {
    /// Whatever is changed in whatever order: the lists ascend, share no block, and read back; a change that was just
    /// made is no change; what is listed goes only by being removed, and what is gone is not listed again.
    #[test]
    fn any_changes_keep_the_laws(changes in proptest::collection::vec(change(), 1..24)) {
        let mut before = Manifest::default();
        for (now, change) in (1_000..).zip(changes) {
            let Ok(after) = before.apply(&change, now) else { continue };
            prop_assert_eq!(&Manifest::decode(&after.encode()).unwrap(), &after);
            prop_assert!(after.version == before.version || after.version == before.version + 1);
            prop_assert_eq!(after.version == before.version, after == before);
            for entry in &before.blocks {
                let removed = change.remove.iter().any(|(id, _)| *id == entry.id);
                prop_assert_eq!(after.block(entry.id).is_some(), !removed);
                prop_assert_eq!(after.gone(entry.id).is_some(), removed);
            }
            for gone in &before.gone {
                prop_assert!(after.block(gone.id).is_none());
                prop_assert!(after.gone(gone.id).is_some() || gone.deleted != 0);
            }
            if change.forget.is_empty() {
                prop_assert_eq!(after.apply(&change, now + 1).map(|again| again.version), Ok(after.version));
            }
            before = after;
        }
    }
}
