//! The newest traces found so far: by start, newest first, then by id.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use spanloom_span::TraceId;
use spanloom_span::model::AnyValue;
use spanloom_traceql::answer::FoundTrace;

use crate::{Cursor, QueryError};

/// A place in the order of traces.
type Key = (Reverse<u64>, TraceId);

/// The newest traces found so far, as many as were asked for.
pub(crate) struct Top {
    limit: usize,
    max_bytes: usize,
    after: Option<Key>,
    kept: Mutex<Kept>,
    /// Start of the last one kept, once there are as many as were asked for: older traces are of no use.
    floor: AtomicU64,
}

#[derive(Default)]
struct Kept {
    traces: BTreeMap<Key, FoundTrace>,
    bytes: usize,
    /// Traces that came in since they were last asked for.
    fresh: Vec<Key>,
}

impl Top {
    /// Nothing found yet.
    pub fn new(limit: usize, max_bytes: usize, after: Option<Cursor>) -> Self {
        let after = after.map(|cursor| (Reverse(cursor.start), cursor.id));
        Self { limit, max_bytes, after, kept: Mutex::default(), floor: AtomicU64::new(0) }
    }

    /// As this one, with nothing found yet: what is older than what was found here is of no use there either.
    pub fn apart(&self) -> Self {
        let Self { limit, max_bytes, after, .. } = *self;
        Self { limit, max_bytes, after, kept: Mutex::default(), floor: AtomicU64::new(self.floor()) }
    }

    /// Traces that start before this are of no use.
    pub fn floor(&self) -> u64 {
        self.floor.load(Ordering::Relaxed)
    }

    /// Traces that start before this are of no use, as was found elsewhere.
    pub fn raise_floor(&self, floor: u64) {
        self.floor.fetch_max(floor, Ordering::Relaxed);
    }

    /// Whether a trace that starts at this time or before can still be among the ones asked for.
    pub fn wants_start(&self, latest: u64) -> bool {
        latest >= self.floor.load(Ordering::Relaxed)
    }

    /// Whether a trace is among the ones asked for, as far as is known. Exact when it says no.
    pub fn wants(&self, start: u64, id: TraceId) -> bool {
        let key = (Reverse(start), id);
        if self.after.is_some_and(|after| key <= after) || !self.wants_start(start) {
            return false;
        }
        let kept = self.kept.lock();
        kept.traces.len() < self.limit || kept.traces.last_key_value().is_some_and(|(last, _)| key < *last)
    }

    /// Takes a trace.
    pub fn put(&self, found: FoundTrace) -> Result<(), QueryError> {
        let key = (Reverse(found.start), found.id);
        let bytes = size_of_found(&found);
        let mut kept = self.kept.lock();
        kept.bytes += bytes;
        if let Some(before) = kept.traces.insert(key, found) {
            kept.bytes -= size_of_found(&before);
        }
        kept.fresh.push(key);
        if kept.traces.len() > self.limit
            && let Some((_, last)) = kept.traces.pop_last()
        {
            kept.bytes -= size_of_found(&last);
        }
        if kept.bytes > self.max_bytes {
            return Err(QueryError::TooLarge(format!(
                "the answer takes more than {} bytes (query.max_answer_bytes) after {} traces; ask for fewer traces or \
                 spans, or for the next pages one by one",
                self.max_bytes,
                kept.traces.len()
            )));
        }
        if kept.traces.len() == self.limit
            && let Some(((Reverse(start), _), _)) = kept.traces.last_key_value()
        {
            self.floor.fetch_max(*start, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Traces that came in since this was last asked and are still wanted, in order.
    pub fn fresh(&self) -> Vec<FoundTrace> {
        let mut kept = self.kept.lock();
        let mut fresh = std::mem::take(&mut kept.fresh);
        fresh.sort_unstable();
        fresh.dedup();
        fresh.iter().filter_map(|key| kept.traces.get(key).cloned()).collect()
    }

    /// All of them in order, and where the next page begins when there may be one.
    pub fn take(&self) -> (Vec<FoundTrace>, Option<Cursor>) {
        let mut kept = self.kept.lock();
        let traces: Vec<FoundTrace> = std::mem::take(&mut kept.traces).into_values().collect();
        let is_full = traces.len() == self.limit;
        let last = traces.last().filter(|_| is_full);
        let next = last.map(|last| Cursor { start: last.start, id: last.id });
        (traces, next)
    }
}

/// What a trace of an answer takes in memory, about.
fn size_of_found(found: &FoundTrace) -> usize {
    /// An allocation and its share of a list.
    const ITEM: usize = 48;
    let value = |value: &AnyValue| match value {
        AnyValue::Str(text) => text.len(),
        AnyValue::Bytes(bytes) => bytes.len(),
        AnyValue::Array(values) => values.len() * ITEM,
        AnyValue::Map(pairs) => pairs.len() * 2 * ITEM,
        _ => 0,
    };
    let attributes = |list: &[(String, AnyValue)]| {
        list.iter().map(|(key, of)| key.len() + value(of) + 2 * ITEM).sum::<usize>()
    };
    let services: usize = found.services.iter().map(|service| service.service.len() + ITEM).sum();
    let spansets = found.spansets.iter().map(|spanset| {
        let spans = spanset.spans.iter();
        let spans: usize = spans.map(|span| span.name.len() + 2 * ITEM + attributes(&span.attributes)).sum();
        spans + attributes(&spanset.attributes) + 2 * ITEM
    });
    size_of::<FoundTrace>() + 2 * ITEM + services + spansets.sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(start: u64, id: u8) -> FoundTrace {
        FoundTrace { start, id: TraceId([id; 16]), ..FoundTrace::default() }
    }

    fn keys(traces: &[FoundTrace]) -> Vec<(u64, u8)> {
        traces.iter().map(|trace| (trace.start, trace.id.0[0])).collect()
    }

    #[test]
    fn the_newest_are_kept_in_order() {
        let top = Top::new(3, 1 << 20, None);
        for (start, id) in [(5, 1), (9, 2), (5, 0), (7, 3), (1, 4), (9, 1)] {
            if top.wants(start, TraceId([id; 16])) {
                top.put(trace(start, id)).unwrap();
            }
        }
        assert!(!top.wants_start(6) && top.wants_start(7));
        assert_eq!(keys(&top.fresh()), [(9, 1), (9, 2), (7, 3)]);
        assert!(top.fresh().is_empty());
        let (traces, next) = top.take();
        assert_eq!(keys(&traces), [(9, 1), (9, 2), (7, 3)]);
        assert_eq!(next, Some(Cursor { start: 7, id: TraceId([3; 16]) }));
    }

    #[test]
    fn a_page_goes_on_where_the_one_before_ended() {
        let top = Top::new(3, 1 << 20, Some(Cursor { start: 7, id: TraceId([3; 16]) }));
        let check =
            |start, id, wanted| assert_eq!(top.wants(start, TraceId([id; 16])), wanted, "{start} {id}");
        check(8, 9, false);
        check(7, 3, false);
        check(7, 2, false);
        check(7, 4, true);
        check(6, 0, true);
        assert_eq!(top.take().1, None);
    }

    #[test]
    fn an_answer_has_a_limit_in_bytes() {
        let top = Top::new(1000, 10_000, None);
        let put = (0..200).try_for_each(|at| top.put(trace(at, at as u8)));
        let message = put.unwrap_err().to_string();
        assert!(
            message.starts_with("the answer takes more than 10000 bytes (query.max_answer_bytes)"),
            "{message}"
        );
    }
}
