//! Names and values that are listed are those that the rebuilt spans have.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeSet;

use common::oracle::{self, Seen};
use common::*;
use proptest::prelude::*;
use spanloom_block::{Bits, Block, BlockReader, ListLimits, Names, TraceTable, Values, Wanted};
use spanloom_span::model::*;
use spanloom_traceql::ast::{Attribute, Field, Intrinsic, Scope as In};

const NO_LIMIT: ListLimits = ListLimits { count: 0, bytes: usize::MAX };

const SCOPES: [In; 5] = [In::Span, In::Resource, In::Event, In::Link, In::Instrumentation];

/// A block with its spans in the order of its rows.
struct Case {
    reader: BlockReader,
    models: Vec<Trace>,
}

impl Case {
    fn new(requests: &[Trace]) -> Self {
        let parts = parts_of(requests);
        let block = Block::from_bytes(build(&parts).0.bytes).unwrap();
        let models = parts.keys().map(|id| block.trace(id).unwrap().unwrap()).collect();
        Self { reader: block.reader().unwrap(), models }
    }

    /// About one row in `one_in` of each row group.
    fn sets(&self, one_in: usize) -> Vec<Bits> {
        let groups = self.reader.groups();
        let ends = groups.iter().skip(1).map(|group| group.first_row).chain([self.reader.meta().spans]);
        let set = |(group, end): (&spanloom_block::Group, u64)| {
            let len = (end - group.first_row) as usize;
            Bits::of(len, (0..len).filter(|row| (row * 7919 + 3).is_multiple_of(one_in)))
        };
        groups.iter().zip(ends).map(set).collect()
    }

    /// The spans of rows that count: in groups within a time, and in sets.
    fn spans<'c>(&'c self, wanted: Wanted<'_>) -> Vec<Seen<'c>> {
        let all: Vec<Seen<'c>> = self.models.iter().flat_map(oracle::spans).collect();
        let groups = self.reader.groups();
        let counts = |row: u64| {
            let number = groups.partition_point(|group| group.first_row <= row) - 1;
            let group = groups[number];
            wanted.time.is_none_or(|(from, to)| group.min_start <= to && group.max_end >= from)
                && wanted.rows.is_none_or(|rows| rows[number].has((row - group.first_row) as usize))
        };
        (0..).zip(all).filter(|(row, _)| counts(*row)).map(|(_, seen)| seen).collect()
    }
}

fn listed(value: &oracle::Typed) -> bool {
    // A code without a word stays a number.
    let is_code = matches!(value, ("status" | "kind", AnyValue::Int(_)));
    !is_code && !["nil", "array", "map", "bytes"].contains(&value.0)
}

fn text(value: &oracle::Typed) -> String {
    format!("{value:?}")
}

/// The values of a field, of one without scope in every scope.
fn expected_values(spans: &[Seen<'_>], field: &Field) -> BTreeSet<String> {
    let fields = match field {
        Field::Attribute(attribute @ Attribute { scope: None, .. }) => SCOPES
            .map(|scope| Field::Attribute(Attribute { scope: Some(scope), ..attribute.clone() }))
            .to_vec(),
        other => vec![other.clone()],
    };
    let values =
        spans.iter().flat_map(|&seen| fields.iter().flat_map(move |field| oracle::values(seen, field)));
    values.filter(listed).map(|value| text(&value)).collect()
}

fn check_values(case: &Case, wanted: Wanted<'_>, fields: &[Field]) {
    let table = TraceTable::open(&case.reader).unwrap();
    let spans = case.spans(wanted);
    for field in fields {
        let mut found = Values::default();
        case.reader.values(&table, field, wanted, NO_LIMIT, &mut found).unwrap();
        assert!(!found.is_cut);
        let found: BTreeSet<String> = found.iter().map(|value| text(&oracle::typed(value))).collect();
        assert_eq!(found, expected_values(&spans, field), "{field:?}");
    }
}

/// Names of attributes that have a value where they stand first.
fn names(attributes: &[KeyValue]) -> BTreeSet<String> {
    let has_value = |attribute: &&KeyValue| attribute.value != AnyValue::Empty;
    attributes.iter().filter(has_value).map(|attribute| attribute.key.clone()).collect()
}

fn check_names(case: &Case, wanted: Wanted<'_>) {
    let mut found = Names::default();
    case.reader.names(None, wanted, NO_LIMIT, &mut found).unwrap();
    assert!(!found.is_cut);
    let spans = case.spans(wanted);
    for scope in SCOPES {
        let of = |seen: &Seen<'_>| -> BTreeSet<String> {
            match scope {
                In::Span => names(&seen.span.attributes),
                In::Resource => names(&seen.resource.attributes),
                In::Event => seen.span.events.iter().flat_map(|event| names(&event.attributes)).collect(),
                In::Link => seen.span.links.iter().flat_map(|link| names(&link.attributes)).collect(),
                In::Instrumentation => names(&seen.scope.attributes),
            }
        };
        let expected: BTreeSet<String> = spans.iter().flat_map(of).collect();
        assert_eq!(found.of(scope), &expected, "{scope:?}");
        let mut alone = Names::default();
        case.reader.names(Some(scope), wanted, NO_LIMIT, &mut alone).unwrap();
        assert_eq!(alone.of(scope), &expected);
    }
}

fn check(requests: &[Trace], keys: &[&str], one_in: usize) {
    let case = Case::new(requests);
    let fields = oracle::fields(keys);
    let sets = case.sets(one_in);
    let middle = case.reader.groups().get(1).map_or(1_700_000_000_000_000_000, |group| group.min_start);
    let times = [None, Some((0, 1)), Some((middle, middle))];
    for time in times {
        for rows in [None, Some(&sets[..])] {
            let wanted = Wanted { time, rows };
            check_names(&case, wanted);
            check_values(&case, wanted, &fields);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_names_and_values_are_listed(requests in any_requests(), one_in in 1usize..5) {
        check(&requests, &["", "a", "ab", "service.name", &long_key()], one_in);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn names_and_values_of_many_alike_spans_are_listed(requests in any_requests(), one_in in 1usize..100) {
        let many: Vec<Trace> = (0..40).flat_map(|copy| renamed(&requests, copy)).collect();
        check(&many, &["copy", "kind", "a"], one_in);
    }
}

#[test]
fn names_and_values_of_several_row_groups_are_listed() {
    check(&large_requests(), &["third"], 999);
}

#[test]
fn overflow_is_listed() {
    check(&overflowing_requests(), &["key 1", "key 3", "last", "key 4500"], 3);
}

#[test]
fn roots_are_listed() {
    let root = |trace: u8, name: &str| Span { name: name.into(), ..span(trace, 1) };
    let child = |trace: u8| Span { parent_span_id: vec![0, 0, 0, 0, 0, 0, 0, 1], ..span(trace, 2) };
    let case = Case::new(&[request(vec![root(1, "a"), child(1), root(2, "b"), child(2), child(3)])]);
    let table = TraceTable::open(&case.reader).unwrap();
    let check = |intrinsic: Intrinsic, rows: Option<&[Bits]>, expected: &[&str]| {
        let (mut found, wanted) = (Values::default(), Wanted { time: None, rows });
        case.reader.values(&table, &Field::Intrinsic(intrinsic), wanted, NO_LIMIT, &mut found).unwrap();
        let text = |value| match oracle::typed(value).1 {
            AnyValue::Str(text) => text,
            other => panic!("{other:?} is no text"),
        };
        assert_eq!(found.iter().map(text).collect::<Vec<_>>(), expected);
    };
    check(Intrinsic::RootName, None, &["a", "b"]);
    check(Intrinsic::RootService, None, &["shop"]);
    check(Intrinsic::RootName, Some(&[Bits::of(5, [3, 4])]), &["b"]);
    check(Intrinsic::RootName, Some(&[Bits::of(5, [4])]), &[]);
    check(Intrinsic::TraceDuration, None, &[]);
}

#[test]
fn the_service_of_a_root_is_empty_where_it_is_no_string() {
    let check = |name: AnyValue, expected: &str| {
        let mut sent = request(vec![span(1, 1)]);
        let attributes = &mut sent.resource_spans[0].resource.attributes;
        attributes.clear();
        if name != AnyValue::Empty {
            attributes.push(KeyValue { key: "service.name".into(), value: name.clone() });
        }
        let case = Case::new(&[sent]);
        let table = TraceTable::open(&case.reader).unwrap();
        let (mut found, wanted) = (Values::default(), Wanted { time: None, rows: None });
        let field = Field::Intrinsic(Intrinsic::RootService);
        case.reader.values(&table, &field, wanted, NO_LIMIT, &mut found).unwrap();
        let values: Vec<AnyValue> = found.iter().map(|value| oracle::typed(value).1).collect();
        assert_eq!(values, [AnyValue::Str(expected.into())], "{name:?}");
    };
    check(AnyValue::Str("shop".into()), "shop");
    check(AnyValue::Str(String::new()), "");
    check(AnyValue::Empty, "");
    check(AnyValue::Int(5), "");
    check(AnyValue::Double(0.5), "");
    check(AnyValue::Bool(true), "");
    check(AnyValue::Array(vec![AnyValue::Str("a".into()), AnyValue::Str("b".into())]), "");
}

#[test]
fn lists_keep_to_their_limits() {
    let case = Case::new(&large_requests());
    let table = TraceTable::open(&case.reader).unwrap();
    let third = oracle::fields(&["third"]).pop().map(|field| match field {
        Field::Attribute(attribute) => Field::Attribute(Attribute { scope: Some(In::Span), ..attribute }),
        other => other,
    });
    let count = |limits: ListLimits| {
        let mut found = Values::default();
        case.reader.values(&table, third.as_ref().unwrap(), Wanted::default(), limits, &mut found).unwrap();
        (found.len(), found.is_cut)
    };
    assert_eq!(count(ListLimits { count: 100, bytes: usize::MAX }), (100, false));
    assert_eq!(count(ListLimits { count: 99, bytes: usize::MAX }), (99, true));
    assert!(count(ListLimits { count: 0, bytes: 1000 }).0 < 50);
    let mut names = Names::default();
    case.reader.names(None, Wanted::default(), ListLimits { count: 1, bytes: 100 }, &mut names).unwrap();
    assert_eq!((names.of(In::Span).len(), names.is_cut), (1, true));
    let mut names = Names::default();
    case.reader.names(None, Wanted::default(), ListLimits { count: 0, bytes: 12 }, &mut names).unwrap();
    assert_eq!((names.of(In::Span).len(), names.of(In::Resource).len(), names.is_cut), (2, 0, true));
}
