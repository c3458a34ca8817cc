//! Whatever two nodes have, and however it is listed, one of them has all of both when it is done, and only what it lacked
//! was brought.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::collection::{btree_map, btree_set};
use proptest::prelude::*;
use spanloom_span::model::{ResourceSpans, ScopeSpans};
use spanloom_span::slice::{SliceLimits, slice};
use spanloom_span::{SpanId, TracePart, decode};

use super::*;

/// Numbers of spans by number of trace.
type Store = BTreeMap<u8, BTreeSet<u8>>;

fn id(trace: u8) -> TraceId {
    TraceId([trace; 16])
}

fn copy(store: &Store, trace: u8) -> Option<Trace> {
    let numbers = store.get(&trace)?;
    let spans = numbers.iter().map(|number| Span {
        trace_id: id(trace),
        span_id: SpanId([*number; 8]),
        ..Span::default()
    });
    let scope_spans = vec![ScopeSpans { spans: spans.collect(), ..ScopeSpans::default() }];
    Some(Trace { resource_spans: vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }] })
}

/// A list of at most so many.
fn list(store: &Store, after: Option<TraceId>, most: usize) -> TraceList {
    let sum = |(trace, spans): (&u8, &BTreeSet<u8>)| TraceSum {
        id: id(*trace),
        spans: spans.len() as u32,
        digest: spans.iter().map(|span| 1 << (span % 31)).sum(),
    };
    let rest: Vec<TraceSum> = store.iter().map(sum).filter(|sum| Some(sum.id) > after).collect();
    TraceList { traces: rest.iter().take(most).copied().collect(), is_last: rest.len() <= most }
}

fn add(store: &mut Store, request: Bytes) -> u64 {
    let batch = slice(request, &SliceLimits::default()).unwrap();
    let mut fresh = 0;
    let groups = 0..batch.groups().len() as u32;
    let batch = Arc::new(batch);
    for group in groups {
        let part = decode::trace_part(&TracePart { batch: batch.clone(), group, seq: 0 }).unwrap();
        for span in part.spans() {
            fresh += u64::from(store.entry(span.trace_id.0[0]).or_default().insert(span.span_id.0[0]));
        }
    }
    fresh
}

fn store() -> impl Strategy<Value = Store> {
    btree_map(1u8..40, btree_set(1u8..7, 1..5), 0..25)
}

proptest! {
    #[test]
    fn one_of_two_has_all_of_both_when_it_is_done(
        own in store(), theirs in store(), pages in (1usize..9, 1usize..9), gives in any::<bool>(), bytes in 1usize..2000,
        unwanted in btree_set(1u8..40, 0..5), hidden in 0u8..9,
    ) {
        let (mut own, mut theirs) = (own, theirs);
        let (from, to) = if gives { (own.clone(), theirs.clone()) } else { (theirs.clone(), own.clone()) };
        let mut errand = Errand::new(if gives { Way::Give } else { Way::Fetch }, bytes);
        let mut brought = 0;
        loop {
            match errand.step() {
                Next::List(after) => {
                    let lists = (list(&own, after, pages.0), list(&theirs, after, pages.1));
                    errand.listed(&lists.0, &lists.1, |unlike| !unwanted.contains(&unlike.id.0[0]));
                }
                Next::Find(some) => for unlike in some {
                    let trace = unlike.id.0[0];
                    let found = errand.found(copy(&own, trace), copy(&theirs, trace), |_, span| span.span_id.0[0] != hidden);
                    prop_assert!(unlike.own != unlike.theirs && found <= 6);
                },
                Next::Deliver(request) => {
                    let sent = slice(request.clone(), &SliceLimits::default()).unwrap().spans().len() as u64;
                    prop_assert_eq!(add(if gives { &mut theirs } else { &mut own }, request), sent, "none was there");
                    brought += sent;
                }
                Next::Over => break,
            }
        }
        let mut expected = to;
        for (trace, spans) in from.iter().filter(|(trace, _)| !unwanted.contains(trace)) {
            let spans = spans.iter().filter(|span| **span != hidden);
            let missing: BTreeSet<u8> = spans.copied().collect();
            if !missing.is_empty() {
                expected.entry(*trace).or_default().extend(missing);
            }
        }
        prop_assert_eq!(if gives { &theirs } else { &own }, &expected);
        prop_assert_eq!(if gives { &own } else { &theirs }, &from);
        prop_assert_eq!(errand.tally().spans, brought);
        prop_assert_eq!(errand.tally().compared, from.len() as u64);
    }
}

#[test]
fn what_brought_nothing_is_not_looked_at_until_one_changes() {
    let (node, tenant) = (NodeName::new("a").unwrap(), Tenant::default());
    let sum = |spans| Some(TraceSum { id: id(1), spans, digest: 7 });
    let unlike = Unlike { id: id(1), own: sum(3), theirs: sum(2) };
    let mut fruitless = Fruitless::new(8);
    assert!(!fruitless.has(&node, &tenant, &unlike));
    fruitless.add(&node, &tenant, &unlike);
    assert!(fruitless.has(&node, &tenant, &unlike));
    let other = NodeName::new("b").unwrap();
    for changed in [Unlike { own: sum(4), ..unlike }, Unlike { theirs: sum(4), ..unlike }] {
        assert!(!fruitless.has(&node, &tenant, &changed));
    }
    assert!(!fruitless.has(&other, &tenant, &unlike));
    for number in 2..100 {
        fruitless.add(&node, &tenant, &Unlike { id: id(number), ..unlike });
        assert!(fruitless.young.len() + fruitless.old.len() <= 8);
    }
    assert!(!fruitless.has(&node, &tenant, &unlike), "the oldest has gone");
}
