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
