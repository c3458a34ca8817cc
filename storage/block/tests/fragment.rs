//! A trace of a block, read in place, is what the rebuilt trace is.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;

use common::oracle::{self, Seen, Typed};
use common::*;
use proptest::prelude::*;
use spanloom_block::{Block, BlockTraces};
use spanloom_span::model::*;
use spanloom_traceql::ast::{Field, Scope as In};
use spanloom_traceql::eval::Fragment;
use spanloom_traceql::plan::FieldId;
use spanloom_traceql::value::Value;

fn seen_by(trace: &mut dyn Fragment, span: u32, field: usize) -> Vec<Typed> {
    let mut out = Vec::new();
    trace.see(span, FieldId(field as u16), &mut |value| out.push(oracle::typed(value))).unwrap();
    out
}

fn check_identities(trace: &mut dyn Fragment, expected: &[Seen<'_>]) {
    let mut found = Vec::new();
    trace.identities(&mut found).unwrap();
    let spans: Vec<_> = expected.iter().map(|seen| oracle::identity(seen.span)).collect();
    assert_eq!(found, spans);
    let mut ids: Vec<u64> = spans.iter().map(|span| span.id).collect();
    ids.sort_unstable();
    let are_distinct = ids.windows(2).all(|pair| pair[0] != pair[1]);
    assert_eq!(trace.ids_are_distinct(), Some(are_distinct));
}

fn check_services(trace: &mut dyn Fragment, expected: &[Seen<'_>], keep: Option<&[bool]>) {
    let mut counts: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for (at, seen) in expected.iter().enumerate() {
        if keep.is_none_or(|keep| keep[at]) {
            let count = counts.entry(oracle::service(*seen)).or_default();
            count.0 += 1;
            count.1 += u64::from(seen.span.status.code == 2);
        }
    }
    let mut found: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    let mut add = |name: &[u8], spans: u64, errors: u64| {
        let count = found.entry(String::from_utf8(name.to_vec()).unwrap()).or_default();
        (count.0, count.1) = (count.0 + spans, count.1 + errors);
    };
    trace.services(keep, &mut add).unwrap();
    assert_eq!(found, counts);
}

/// Compares `picks` of (trace, span, field) in their order, and all identities and services.
fn check(requests: &[Trace], fields: &[Field], picks: &[(usize, usize, usize)]) {
    let parts = parts_of(requests);
    let block = Block::from_bytes(build(&parts).0.bytes).unwrap();
    let reader = block.reader().unwrap();
    let mut traces = BlockTraces::new(&reader, fields).unwrap();
    let models: Vec<Trace> = parts.keys().map(|id| block.trace(id).unwrap().unwrap()).collect();
    let models: Vec<Vec<Seen<'_>>> = models.iter().map(oracle::spans).collect();
    assert_eq!(traces.len(), models.len() as u64);
    for (place, (spans, id)) in models.iter().zip(parts.keys()).enumerate() {
        let mut trace = traces.trace(place as u64).unwrap();
        assert_eq!((trace.id(), trace.len() as usize), (*id, spans.len()));
        check_identities(&mut trace, spans);
        check_services(&mut trace, spans, None);
        let keep: Vec<bool> = (0..spans.len()).map(|at| (at + place) % 3 != 0).collect();
        check_services(&mut trace, spans, Some(&keep));
    }
    assert!(traces.trace(models.len() as u64).is_err());
    for &(trace, span, field) in picks {
        let Some(place) = trace.checked_rem(models.len()) else { return };
        let (span, field) = (span % models[place].len(), field % fields.len());
        let seen = models[place][span];
        let mut trace = traces.trace(place as u64).unwrap();
        let found = seen_by(&mut trace, span as u32, field);
        assert_eq!(found, oracle::values(seen, &fields[field]), "{:?} of {:?}", fields[field], seen.span);
        let (mut name, mut service) = (Vec::new(), Vec::new());
        trace.name(span as u32, &mut |found| name = found.to_vec()).unwrap();
        trace.service(span as u32, &mut |found| service = found.to_vec()).unwrap();
        assert_eq!((name, service), (seen.span.name.clone().into(), oracle::service(seen).into()));
        let mut attributes = Vec::new();
        let mut add = |scope, key: &[u8], value: Value<'_>| {
            let scope = if scope == In::Span { "span" } else { "resource" };
            attributes.push((scope, key.to_vec(), oracle::typed(value)));
        };
        trace.attributes(span as u32, &mut add).unwrap();
        assert_eq!(attributes, oracle::attributes(seen));
        assert!(trace.name(trace.len(), &mut |_| ()).is_err());
    }
}

/// Every field of every span of every trace.
fn all_picks(requests: &[Trace], fields: &[Field]) -> Vec<(usize, usize, usize)> {
    let spans = requests.iter().map(Trace::span_count).sum::<usize>();
    let traces = parts_of(requests).len();
    let spans = |trace| (0..spans.min(40)).map(move |span| (trace, span));
    (0..traces).flat_map(spans).flat_map(|(t, s)| (0..fields.len()).map(move |f| (t, s, f))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn any_span_of_any_trace_is_seen_as_it_is(requests in any_requests()) {
        let fields = oracle::fields(&["", "a", "b", "ab", "service.name", &long_key()]);
        let picks = all_picks(&requests, &fields);
        check(&requests, &fields, &picks);
    }

    #[test]
    fn spans_are_seen_in_any_order(
        requests in any_requests(),
        picks in proptest::collection::vec(any::<(usize, usize, usize)>(), 0..300),
    ) {
        let fields = oracle::fields(&["a", "copy", "same", "kind", "service.name"]);
        let many: Vec<Trace> = (0..40).flat_map(|copy| renamed(&requests, copy)).collect();
        check(&many, &fields, &picks);
    }
}

#[test]
fn traces_in_several_row_groups_are_seen() {
    let fields = oracle::fields(&["third", "rare", "service.name", "why"]);
    let picks: Vec<_> = (0..60_000usize).map(|i| (i % 3, i * 7919, i / 3)).collect();
    check(&large_requests(), &fields, &picks);
}

#[test]
fn overflow_counts_where_it_stands() {
    let requests = overflowing_requests();
    let fields = oracle::fields(&["key 1", "key 3", "last", "key 4500", "nowhere"]);
    let picks = all_picks(&requests, &fields);
    check(&requests, &fields, &picks);
    let late: Vec<_> = (0..200).flat_map(|span| (0..fields.len()).map(move |f| (0, span, f))).collect();
    check(&requests, &fields, &late);
}
