//! The trace table and the columns for metrics say what the rebuilt traces say.
#![allow(clippy::unwrap_used)]

mod common;

use common::oracle::{self, Typed};
use common::*;
use proptest::prelude::*;
use spanloom_block::{Bits, Block, BlockReader, Measure, NO_GROUP, TraceTable};
use spanloom_span::TraceId;
use spanloom_span::model::*;
use spanloom_traceql::ast::Field;

/// A span as the columns say it is.
#[derive(Debug, PartialEq)]
struct Row {
    row: u64,
    start: u64,
    duration: u64,
    groups: Vec<Typed>,
}

/// The rows of a set, by the columns.
fn measured(reader: &BlockReader, table: &TraceTable<'_>, by: &[Field], sets: &[Bits]) -> Vec<Row> {
    let mut measure = Measure::new(reader, table, by, usize::MAX).unwrap();
    let mut out = Vec::new();
    for (number, (set, group)) in sets.iter().zip(reader.groups()).enumerate() {
        let mut pieces = measure.pieces(number as u32, set, true).unwrap();
        while let Some(piece) = pieces.next_piece().unwrap() {
            for (at, &row) in piece.rows.iter().enumerate() {
                out.push((
                    group.first_row + u64::from(row),
                    piece.starts[at],
                    piece.durations[at],
                    piece.groups[at],
                ));
            }
        }
    }
    assert!(!measure.is_full());
    let row = |(row, start, duration, group)| Row {
        row,
        start,
        duration,
        groups: measure.group(group).into_iter().map(oracle::typed).collect(),
    };
    out.into_iter().map(row).collect()
}

/// Sets of about one row in `one_in` of each row group.
fn sets(reader: &BlockReader, one_in: usize) -> Vec<Bits> {
    let ends = reader.groups().iter().skip(1).map(|group| group.first_row).chain([reader.meta().spans]);
    let set = |(group, end): (&spanloom_block::Group, u64)| {
        let len = (end - group.first_row) as usize;
        Bits::of(len, (0..len).filter(|row| (row * 7919 + 3) % one_in == 0))
    };
    reader.groups().iter().zip(ends).map(set).collect()
}

fn check(requests: &[Trace], keys: &[&str], one_in: usize) {
    let parts = parts_of(requests);
    let block = Block::from_bytes(build(&parts).0.bytes).unwrap();
    let reader = block.reader().unwrap();
    let table = TraceTable::open(&reader).unwrap();
    let models: Vec<Trace> = parts.keys().map(|id| block.trace(id).unwrap().unwrap()).collect();
    check_table(&table, &models);
    let spans: Vec<_> = models.iter().flat_map(oracle::spans).collect();
    let sets = sets(&reader, one_in);
    let rows: Vec<u64> = sets
        .iter()
        .zip(reader.groups())
        .flat_map(|(set, group)| set.iter().map(|row| row as u64 + group.first_row))
        .collect();
    check_touched(&table, &reader, &sets);
    let fields = oracle::fields(keys);
    let pairs =
        fields.windows(2).map(<[Field]>::to_vec).chain(fields.iter().map(|field| vec![field.clone()]));
    for by in pairs.chain([vec![]]) {
        let of_row = |&row: &u64| {
            let seen = spans[row as usize];
            Row {
                row,
                start: seen.span.start_time_unix_nano,
                duration: oracle::identity(seen.span).duration,
                groups: by.iter().map(|field| oracle::values(seen, field)[0].clone()).collect(),
            }
        };
        let found = measured(&reader, &table, &by, &sets);
        for (found, expected) in found.iter().zip(rows.iter().map(of_row)) {
            assert_eq!(found, &expected, "{by:?}");
        }
        assert_eq!(found.len(), rows.len());
    }
}

fn check_table(table: &TraceTable<'_>, models: &[Trace]) {
    assert_eq!(table.len() as usize, models.len());
    let mut row = 0;
    for (place, model) in (0..).zip(models) {
        let spans: Vec<_> = model.spans().collect();
        let start = spans.iter().map(|span| span.start_time_unix_nano).min().unwrap();
        let end = spans.iter().map(|span| span.end_time_unix_nano.max(span.start_time_unix_nano)).max();
        assert_eq!((table.id(place), table.start(place)), (spans[0].trace_id, start));
        assert_eq!(table.duration(place), end.unwrap() - start);
        assert_eq!(table.place_of(&table.id(place)), Some(place));
        assert_eq!(table.rows(place), row..row + spans.len() as u64);
        for (span, from) in (row..).zip(0..=place).take(spans.len()) {
            assert_eq!(table.place_of_row(span, from), Some(place));
        }
        row += spans.len() as u64;
    }
    assert_eq!(table.place_of_row(row, 0), None);
    assert_eq!(table.place_of(&TraceId([0xee; 16])), None);
    let mut places: Vec<u32> = (0..table.len()).collect();
    places.sort_by_key(|&place| std::cmp::Reverse(table.start(place)));
    assert_eq!(table.newest_first(), places);
    assert_eq!(table.newest_start(), places.first().map(|&place| table.start(place)));
}

fn check_touched(table: &TraceTable<'_>, reader: &BlockReader, sets: &[Bits]) {
    for (set, group) in sets.iter().zip(reader.groups()) {
        let mut expected: Vec<u32> =
            set.iter().map(|row| table.place_of_row(group.first_row + row as u64, 0).unwrap()).collect();
        expected.dedup();
        let mut found = Vec::new();
        table.touched(group.first_row, set, |place| found.push(place));
        assert_eq!(found, expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_rows_are_measured(requests in any_requests(), one_in in 1usize..5) {
        check(&requests, &["a", "service.name"], one_in);
    }

    #[test]
    fn many_alike_rows_are_measured(requests in any_requests(), one_in in 1usize..100) {
        let many: Vec<Trace> = (0..40).flat_map(|copy| renamed(&requests, copy)).collect();
        check(&many, &["copy", "kind"], one_in);
    }
}

#[test]
fn rows_of_several_row_groups_are_measured() {
    check(&large_requests(), &["third"], 5);
    check(&large_requests(), &["rare"], 99);
}

#[test]
fn groups_have_a_limit() {
    let block = Block::from_bytes(build(&parts_of(&large_requests())).0.bytes).unwrap();
    let reader = block.reader().unwrap();
    let table = TraceTable::open(&reader).unwrap();
    let by = oracle::fields(&["third"]).pop().unwrap();
    let by = [by, Field::Intrinsic(spanloom_traceql::ast::Intrinsic::SpanId)];
    let mut measure = Measure::new(&reader, &table, &by[1..], 10).unwrap();
    let all = &sets(&reader, 1)[0];
    let mut pieces = measure.pieces(0, all, false).unwrap();
    let piece = pieces.next_piece().unwrap().unwrap();
    assert!(piece.durations.is_empty());
    assert_eq!(piece.groups[..10].iter().filter(|&&group| group == NO_GROUP).count(), 0);
    assert!(piece.groups[10..].iter().all(|&group| group == NO_GROUP));
    assert!(measure.is_full());
}
