//! What blocks were found to hold, as bytes between nodes: `docs/formats/peer.md`, "What is found".

use std::time::Duration;

use bytes::Bytes;
use spanloom_block::{Counters, ListLimits};
use spanloom_span::proto::put_varint;
use spanloom_traceql::ast::Scope;
use spanloom_traceql::wire::{Unpacker, WireError, put_bytes, put_found, put_value, take_found, take_value};

use crate::explain::{Note, Passed};
use crate::listing;
use crate::search::FoundHere;
use crate::top::Top;

/// What a search found: a note of each block, then the traces.
pub(crate) fn put_search(found: &FoundHere) -> Bytes {
    let mut out = Vec::new();
    for note in &found.notes {
        put_note(&mut out, note);
    }
    let traces = found.top.as_ref().map(|top| top.take().0).unwrap_or_default();
    put_varint(&mut out, traces.len() as u64);
    traces.iter().for_each(|trace| put_found(&mut out, trace));
    out.into()
}

/// What another node found in these blocks, within the limits of `top`.
pub(crate) fn take_search(bytes: &[u8], blocks: &[usize], top: Top) -> Result<FoundHere, WireError> {
    let mut from = Unpacker::new(bytes);
    let mut notes = Vec::with_capacity(blocks.len());
    for &block in blocks {
        notes.push(take_note(&mut from, block)?);
    }
    let count = from.varint("a count of traces")?;
    for _ in 0..count {
        let trace = take_found(&mut from)?;
        if top.wants(trace.start, trace.id) {
            top.put(trace).map_err(|_| WireError::Wrong("the size of the answer"))?;
        }
    }
    from.end()?;
    Ok(FoundHere { top: Some(top), notes, ..FoundHere::default() })
}

fn put_note(out: &mut Vec<u8>, note: &Note) {
    out.push(match note.passed {
        None => 0,
        Some(Passed::OutOfTime) => 1,
        Some(Passed::Older) => 2,
    });
    let Counters { groups, pruned_by_time, pruned_by_duration, pruned_by_values, .. } = note.counters;
    let Counters { rows_read, rows_matched, bytes_touched, .. } = note.counters;
    let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    let numbers = [
        groups,
        pruned_by_time,
        pruned_by_duration,
        pruned_by_values,
        rows_read,
        rows_matched,
        bytes_touched,
        note.candidates,
        nanos(note.scan),
        nanos(note.judge),
    ];
    numbers.into_iter().for_each(|number| put_varint(out, number));
}

/// More than is ever counted or measured of a block: what is read can be added up.
const MOST: u64 = 1 << 50;

fn take_note(from: &mut Unpacker<'_>, block: usize) -> Result<Note, WireError> {
    const FIELD: &str = "a note";
    let passed = match from.u8(FIELD)? {
        0 => None,
        1 => Some(Passed::OutOfTime),
        2 => Some(Passed::Older),
        _ => return Err(WireError::Wrong(FIELD)),
    };
    let mut number = || from.at_most(MOST, FIELD);
    let counters = Counters {
        groups: number()?,
        pruned_by_time: number()?,
        pruned_by_duration: number()?,
        pruned_by_values: number()?,
        rows_read: number()?,
        rows_matched: number()?,
        bytes_touched: number()?,
    };
    let candidates = number()?;
    let (scan, judge) = (Duration::from_nanos(number()?), Duration::from_nanos(number()?));
    Ok(Note { block, passed, counters, candidates, joined: 0, scan, judge })
}

/// Scopes by number.
const SCOPES: [Scope; 5] = [Scope::Resource, Scope::Span, Scope::Event, Scope::Link, Scope::Instrumentation];

/// The scope of a number from 1 on; 0 is all.
pub(crate) fn scope_of(number: u8) -> Option<Scope> {
    SCOPES.get(usize::from(number).checked_sub(1)?).copied()
}

/// The number of a scope; 0 is all.
pub(crate) fn number_of(scope: Option<Scope>) -> u8 {
    let at = SCOPES.iter().position(|known| Some(*known) == scope);
    at.map_or(0, |at| at as u8 + 1)
}

/// What a listing found: the names of each scope, then values.
pub(crate) fn put_listing(found: &listing::Found) -> Bytes {
    let mut out = Vec::new();
    for scope in SCOPES {
        let names = found.names.of(scope);
        put_varint(&mut out, names.len() as u64);
        names.iter().for_each(|name| put_bytes(&mut out, name.as_bytes()));
    }
    put_varint(&mut out, found.values.len() as u64);
    found.values.iter().for_each(|value| put_value(&mut out, value));
    out.into()
}

/// What another node found, within limits.
pub(crate) fn take_listing(bytes: &[u8], limits: ListLimits) -> Result<listing::Found, WireError> {
    let mut from = Unpacker::new(bytes);
    let mut found = listing::Found::default();
    for scope in SCOPES {
        for _ in 0..from.varint("a count of names")? {
            found.names.add(scope, from.text("a name")?, limits);
        }
    }
    for _ in 0..from.varint("a count of values")? {
        found.values.add(take_value(&mut from)?, limits);
    }
    from.end()?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use spanloom_span::TraceId;
    use spanloom_traceql::answer::FoundTrace;
    use spanloom_traceql::value::Value;

    use super::*;

    fn top() -> Top {
        Top::new(100, 1 << 20, None)
    }

    fn note(block: usize, numbers: [u32; 10], passed: u8) -> Note {
        let [groups, by_time, by_duration, by_values, read, matched, bytes, candidates, scan, judge] =
            numbers.map(u64::from);
        let counters = Counters {
            groups,
            pruned_by_time: by_time,
            pruned_by_duration: by_duration,
            pruned_by_values: by_values,
            rows_read: read,
            rows_matched: matched,
            bytes_touched: bytes,
        };
        let passed = [None, Some(Passed::OutOfTime), Some(Passed::Older)][usize::from(passed)];
        let (scan, judge) = (Duration::from_nanos(scan), Duration::from_nanos(judge));
        Note { block, passed, counters, candidates, joined: 0, scan, judge }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_a_search_found_is_read_as_written(
            notes in vec((any::<[u32; 10]>(), 0_u8..3), 0..4), starts in vec(any::<u64>(), 0..9),
            at: usize, byte: u8,
        ) {
            let blocks: Vec<usize> = (0..notes.len()).map(|number| number + 5).collect();
            let notes = notes.into_iter().zip(&blocks).map(|((of, passed), block)| note(*block, of, passed));
            let found = FoundHere { top: Some(top()), notes: notes.collect(), ..FoundHere::default() };
            for (number, start) in (0..).zip(starts) {
                let trace = FoundTrace { start, id: TraceId([number; 16]), ..FoundTrace::default() };
                found.top.as_ref().unwrap().put(trace).unwrap();
            }
            let notes = found.notes.clone();
            let expected = found.top.as_ref().unwrap().fresh();
            let bytes = put_search(&found);
            let read = take_search(&bytes, &blocks, top()).unwrap();
            prop_assert_eq!(read.notes, notes);
            prop_assert_eq!(read.top.unwrap().take().0, expected);
            for len in 0..bytes.len() {
                prop_assert!(take_search(&bytes[..len], &blocks, top()).is_err(), "cut after {} bytes", len);
            }
            let (mut damaged, at) = (bytes.to_vec(), at % bytes.len());
            damaged[at] = byte;
            let _ = take_search(&damaged, &blocks, top());
        }

        #[test]
        fn what_a_listing_found_is_read_as_written(
            names in vec((0..5_usize, ".{0,9}"), 0..9), texts in vec(".{0,9}", 0..5), ints in vec(any::<i64>(), 0..5),
            at: usize, byte: u8,
        ) {
            let limits = ListLimits { count: 100, bytes: 1 << 20 };
            let mut found = listing::Found::default();
            names.iter().for_each(|(scope, name)| found.names.add(SCOPES[*scope], name, limits));
            texts.iter().for_each(|text| found.values.add(Value::Text(text.as_bytes()), limits));
            ints.iter().for_each(|value| found.values.add(Value::Int(*value), limits));
            let bytes = put_listing(&found);
            let read = take_listing(&bytes, limits).unwrap();
            for scope in SCOPES {
                prop_assert_eq!(read.names.of(scope), found.names.of(scope));
            }
            prop_assert_eq!(read.values.iter().collect::<Vec<_>>(), found.values.iter().collect::<Vec<_>>());
            for len in 0..bytes.len() {
                prop_assert!(take_listing(&bytes[..len], limits).is_err(), "cut after {} bytes", len);
            }
            let (mut damaged, at) = (bytes.to_vec(), at % bytes.len());
            damaged[at] = byte;
            let _ = take_listing(&damaged, limits);
        }
    }

    #[test]
    fn scopes_have_the_numbers_of_the_question() {
        for (number, name) in (1..).zip(spanloom_peer::ScanQuestion::SCOPES) {
            let scope = scope_of(number).unwrap();
            assert_eq!(format!("{scope:?}").to_lowercase(), name);
            assert_eq!(number_of(Some(scope)), number);
        }
        assert_eq!((scope_of(0), scope_of(6), number_of(None)), (None, None, 0));
    }
}
