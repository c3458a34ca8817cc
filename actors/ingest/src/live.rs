//! The requests whose spans are live, in the order of the log, for whoever searches all of them.
//!
//! A trace's actor holds its parts; asking every actor would cost a message a trace. So the requests are listed as
//! they go to the shards, weakly: a request is gone from here when the last trace has let it go. What is listed may
//! be in a block already (its trace was sealed, its neighbours were not); whoever reads joins both and removes
//! duplicates.
//!
//! The list is kept in chunks, so that taking a snapshot copies few pointers under the lock that the head's thread
//! needs as well.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use spanloom_peer::LiveRequest;
use spanloom_span::Batch;

/// Requests of a chunk.
const CHUNK: usize = 256;

/// Chunks that are looked through for requests that are gone, each time a chunk is full.
const SWEEP: usize = 16;

struct Entry {
    tenant: u32,
    seq: u64,
    batch: Weak<Batch>,
}

/// The list. Clones are not needed: it is shared behind an `Arc`.
#[derive(Default)]
pub struct LiveRequests {
    chunks: Mutex<Chunks>,
}

#[derive(Default)]
struct Chunks {
    full: Vec<Arc<[Entry]>>,
    /// At most [`CHUNK`] entries.
    open: Vec<Entry>,
    /// Where the next sweep begins.
    swept: usize,
}

impl LiveRequests {
    /// Lists a request.
    pub fn add(&self, tenant: u32, seq: u64, batch: &Arc<Batch>) {
        let entry = Entry { tenant, seq, batch: Arc::downgrade(batch) };
        let mut chunks = self.chunks.lock();
        chunks.open.push(entry);
        if chunks.open.len() == CHUNK {
            let full = std::mem::take(&mut chunks.open);
            chunks.full.push(full.into());
            chunks.sweep();
        }
    }

    /// A tenant's requests that are live now, in the order of the log. A request may come twice, whole and as a
    /// copy of one trace's part of it, under the same ordinal.
    pub fn of(&self, tenant: u32) -> Vec<LiveRequest> {
        let mut out = Vec::new();
        let mut take = |entries: &[Entry]| {
            let mine = entries.iter().filter(|entry| entry.tenant == tenant);
            out.extend(mine.filter_map(|e| Some(LiveRequest { seq: e.seq, batch: e.batch.upgrade()? })));
        };
        // Most of the list is gone through without the lock. A request that is found gone may have left copies, which
        // were listed before it went: so what was listed since is looked at after it, not before.
        let full = self.chunks.lock().full.clone();
        full.iter().for_each(|chunk| take(chunk));
        let address = |chunk: &Arc<[Entry]>| Arc::as_ptr(chunk).addr();
        let mut seen: Vec<usize> = full.iter().map(address).collect();
        seen.sort_unstable();
        let is_new = |chunk: &&Arc<[Entry]>| seen.binary_search(&address(chunk)).is_err();
        {
            let chunks = self.chunks.lock();
            chunks.full.iter().filter(is_new).for_each(|chunk| take(chunk));
            take(&chunks.open);
        }
        out.sort_by_key(|request| request.seq);
        out
    }
}

impl Chunks {
    /// Looks through a few chunks, and drops the entries that are gone when they are half of a chunk: each still holds
    /// the memory of an emptied request.
    fn sweep(&mut self) {
        for _ in 0..SWEEP.min(self.full.len()) {
            self.swept = if self.swept < self.full.len() { self.swept } else { 0 };
            let chunk = &self.full[self.swept];
            let left = chunk.iter().filter(|entry| entry.batch.strong_count() > 0).count();
            if left * 2 > chunk.len() {
                self.swept += 1;
                continue;
            }
            // Most are gone: the few that are left go to the end, and the chunk with them.
            let chunk = self.full.swap_remove(self.swept);
            for entry in chunk.iter().filter(|entry| entry.batch.strong_count() > 0) {
                let Entry { tenant, seq, batch } = entry;
                self.open.push(Entry { tenant: *tenant, seq: *seq, batch: batch.clone() });
            }
            if self.open.len() >= CHUNK {
                let full = std::mem::take(&mut self.open);
                self.full.push(full.into());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use bytes::Bytes;
    use spanloom_span::model::{ResourceSpans, ScopeSpans, Span, Trace};
    use spanloom_span::slice::{SliceLimits, slice};
    use spanloom_span::{SpanId, Tenant, TraceId, TracePart, encode};
    use spanloom_stage::Budget;

    use super::*;
    use crate::tenants::Tenants;
    use crate::trace::{Home, TraceCore};

    fn batch_of(request: Bytes) -> Arc<Batch> {
        let limits = SliceLimits { max_depth: 8, max_span_bytes: 1000 };
        Arc::new(slice(request, &limits).unwrap())
    }

    fn batch() -> Arc<Batch> {
        batch_of(Bytes::new())
    }

    /// A request with one span of each of these traces.
    fn request(traces: &[u8]) -> Arc<Batch> {
        let span =
            |id: &u8| Span { trace_id: TraceId([*id; 16]), span_id: SpanId([*id; 8]), ..Span::default() };
        let scope_spans =
            vec![ScopeSpans { spans: traces.iter().map(span).collect(), ..ScopeSpans::default() }];
        let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
        batch_of(encode::traces_data(&Trace { resource_spans }).into())
    }

    #[test]
    fn a_part_that_was_copied_stands_beside_its_request_and_then_in_its_place() {
        // Entries before, so that the request is in the open chunk, is its last one, or is in a full one.
        for before in [0, CHUNK - 1, CHUNK - 2, CHUNK] {
            let home = Home { budget: Budget::new(1 << 20), live: Arc::default() };
            let fillers: Vec<_> = (0..before).map(|_| batch()).collect();
            fillers.iter().for_each(|filler| home.live.add(9, 1, filler));
            let (whole, later) = (request(&[1, 2]), request(&[1]));
            home.live.add(0, 3, &whole);
            home.live.add(0, 5, &later);
            let tenant = Tenants::new(1).find_or_add(&Tenant::default()).unwrap();
            let id = whole.groups()[0].id;
            let mut trace = TraceCore::new(tenant, id);
            trace.on_spans(TracePart { batch: whole.clone(), group: 0, seq: 3 });
            // Ordinals and how many traces each request has; of equal ordinals either may stand first.
            let check = |expected: &[(u64, usize)]| {
                let listed = home.live.of(0);
                assert!(listed.is_sorted_by_key(|one| one.seq), "{before}");
                let mut found: Vec<_> =
                    listed.iter().map(|one| (one.seq, one.batch.groups().len())).collect();
                found.sort_unstable();
                assert_eq!(found, expected, "{before}");
                assert!(listed.iter().all(|one| one.batch.groups().iter().any(|group| group.id == id)));
            };
            trace.on_rehome(3, &home);
            check(&[(3, 2), (5, 1)]);
            trace.on_rehome(4, &home);
            check(&[(3, 1), (3, 2), (5, 1)]);
            drop(whole);
            check(&[(3, 1), (5, 1)]);
            drop(trace);
            check(&[(5, 1)]);
        }
    }

    #[test]
    fn live_requests_are_listed_in_order_and_dead_ones_go() {
        let list = LiveRequests::default();
        let mut held = Vec::new();
        for seq in 0..10_000u64 {
            let batch = batch();
            list.add((seq % 2) as u32, seq, &batch);
            if seq % 100 < 2 {
                held.push(batch);
            }
        }
        let check = |tenant: u32| {
            let found: Vec<u64> = list.of(tenant).iter().map(|request| request.seq).collect();
            let expected: Vec<u64> =
                (0..10_000).filter(|seq| seq % 100 < 2 && seq % 2 == u64::from(tenant)).collect();
            assert_eq!(found, expected);
        };
        check(0);
        check(1);
        let kept: usize = list.chunks.lock().full.iter().map(|chunk| chunk.len()).sum();
        assert!(kept < 2_000, "{kept} entries are kept for 200 requests");
        drop(held);
        assert!(list.of(0).is_empty());
    }

    /// A request whose copies are listed before it goes is never missed, however the list is changed meanwhile.
    #[test]
    fn a_request_or_its_copy_is_seen() {
        let list = LiveRequests::default();
        let is_over = AtomicBool::new(false);
        let first = batch();
        list.add(0, 0, &first);
        (0..2 * CHUNK).for_each(|_| list.add(1, 0, &batch()));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut held = first;
                for _ in 0..20_000 {
                    let copy = batch();
                    list.add(0, 0, &copy);
                    held = copy;
                    // What fills the chunk, so that it is swept.
                    (0..CHUNK / 8).for_each(|_| list.add(1, 0, &held));
                }
                is_over.store(true, Ordering::Release);
                drop(held);
            });
            let mut looks = 0;
            while !is_over.load(Ordering::Acquire) {
                let found = list.of(0);
                assert!(!found.is_empty() || is_over.load(Ordering::Acquire), "missed after {looks} looks");
                looks += 1;
            }
        });
    }
}
