//! A block of format version 1, kept in the repository: every later version of the program opens it and reads the
//! same traces. After a deliberate change of an unreleased format, run the test once with
//! `SPANLOOM_WRITE_GOLDEN` set.
#![allow(clippy::unwrap_used)]

mod common;

use common::*;
use spanloom_block::Block;
use spanloom_span::model::*;
use spanloom_span::{Tenant, TraceId};

/// The first blocks of version 1, whose traces have no marks.
const FIRST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/v1.block");

/// Blocks of version 1 whose directory says nothing of tail, level and what they replace.
const MARKED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/v1-marks.block");

/// Blocks of version 1 whose traces have no digests.
const TAILED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/v1-tail.block");

/// Blocks of version 1 as they are written now.
const DIGESTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/v1-digest.block");

/// Every kind of column and every rare field; enough alike rows for classes and templates.
fn requests() -> Vec<Trace> {
    let of = |id: u64| {
        let mut span = span(1 + (id % 5) as u8, id + 1);
        span.parent_span_id = (id / 2).to_be_bytes().to_vec();
        span.name = "GET /items".into();
        span.kind = 2;
        span.attributes = vec![
            text("route", "/items/{id}"),
            text("url", &format!("/items/{}", id * 7919)),
            text("request", &format!("{id:08x}-0000-4000-8000-{:012x}", id * id)),
            text("word", &(0..id % 40).map(|i| char::from(b'a' + ((i * id) % 26) as u8)).collect::<String>()),
            KeyValue { key: "size".into(), value: AnyValue::Int((id * id % 1000) as i64 - 500) },
            KeyValue { key: "half".into(), value: AnyValue::Double(id as f64 / 2.0) },
            KeyValue { key: "even".into(), value: AnyValue::Bool(id.is_multiple_of(2)) },
        ];
        span
    };
    let mut odd = request(vec![odd()]);
    let resource_spans = &mut odd.resource_spans[0];
    resource_spans.schema_url = "https://a".into();
    resource_spans.resource.dropped_attributes_count = 7;
    resource_spans.resource.unknown = vec![0xa0, 0x06, 5];
    resource_spans.scope_spans[0].schema_url = "https://b".into();
    resource_spans.scope_spans[0].scope = Scope {
        name: "library".into(),
        version: "1.2".into(),
        attributes: vec![text("of", "scope")],
        dropped_attributes_count: 8,
        unknown: vec![0xa0, 0x06, 6],
    };
    vec![request((0..600).map(of).collect()), odd]
}

/// A span with every rare field and every type of value.
fn odd() -> Span {
    Span {
        parent_span_id: vec![1, 2, 3],
        trace_state: "a=b".into(),
        flags: 0x301,
        kind: -1,
        end_time_unix_nano: 5,
        attributes: vec![
            KeyValue { key: "empty".into(), value: AnyValue::Empty },
            KeyValue { key: String::new(), value: AnyValue::Array(vec![AnyValue::Int(1), AnyValue::Empty]) },
            KeyValue {
                key: "map".into(),
                value: AnyValue::Map(vec![text("twice", "1"), text("twice", "2")]),
            },
            KeyValue { key: "bytes".into(), value: AnyValue::Bytes(vec![0, 255]) },
            text("twice", "1"),
            text("twice", "2"),
        ],
        dropped_attributes_count: 1,
        dropped_events_count: 2,
        dropped_links_count: 3,
        events: vec![Event {
            time_unix_nano: 1,
            name: String::new(),
            attributes: vec![text("exception.type", "E")],
            dropped_attributes_count: 4,
            unknown: vec![0xa0, 0x06, 1],
        }],
        links: vec![Link {
            trace_id: vec![1; 5],
            span_id: vec![2; 8],
            trace_state: "c=d".into(),
            attributes: vec![text("why", "batch")],
            dropped_attributes_count: 5,
            flags: 6,
            unknown: vec![0xa0, 0x06, 2],
        }],
        status: Status { message: "failed".into(), code: 2, unknown: vec![0xa0, 0x06, 3] },
        unknown: vec![0xa0, 0x06, 4],
        ..span(9, 1)
    }
}

#[test]
fn version_1_reads_as_it_was_written() {
    let parts = parts_of(&requests());
    if std::env::var_os("SPANLOOM_WRITE_GOLDEN").is_some() {
        std::fs::write(DIGESTED, build(&parts).0.bytes).unwrap();
    }
    // A parent id of zeros made no root at first.
    let root = Some("GET /items");
    for (path, root) in [(FIRST, None), (MARKED, root), (TAILED, root), (DIGESTED, root)] {
        let block = Block::open(path).unwrap();
        let digests = block.reader().unwrap().trace_digests().unwrap();
        assert_eq!(digests.map(|digests| digests.len()), (path == DIGESTED).then_some(6));
        reads_as_written(&block, &parts, root);
        assert_eq!((block.meta().level, block.meta().replaces.len()), (0, 0));
        let reader = block.reader().unwrap();
        let groups = 0..reader.groups().len() as u32;
        let end = groups.map(|group| reader.group_bytes(group).end).max().unwrap();
        assert_eq!(block.meta().tail, end.next_multiple_of(16));
    }
}

fn reads_as_written(block: &Block, parts: &Parts, root: Option<&str>) {
    let meta = block.meta();
    assert_eq!(meta.tenant, Tenant::new("team-a").unwrap());
    assert_eq!((meta.version, meta.spans, meta.traces), (1, 601, 6));
    assert_eq!(
        (meta.created, meta.min_sealed_through, meta.max_sealed_through),
        (1_700_000_000_000_000_000, 1, 2)
    );
    for (id, parts) in parts {
        assert_eq!(block.trace(id).unwrap().unwrap(), expected(parts).trace, "{id}");
        assert_eq!(block.sealed_through(id).unwrap(), Some(parts[parts.len() - 1].seq));
    }
    assert_eq!(block.verify().unwrap().spans, 601);
    let last = block.summary(5).unwrap();
    assert_eq!((last.id, last.errors, last.root_name), (TraceId([9; 16]), 1, None));
    let first = block.summary(0).unwrap();
    assert_eq!((first.spans, first.errors, first.root_name.as_deref()), (120, 0, root));
}

#[test]
fn a_block_with_a_root_names_it() {
    let mut root = span(1, 1);
    root.name = "root".into();
    let child = Span { parent_span_id: vec![0, 0, 0, 0, 0, 0, 0, 1], ..span(1, 2) };
    let block = Block::from_bytes(build(&parts_of(&[request(vec![child, root])])).0.bytes).unwrap();
    let summary = block.summary(0).unwrap();
    assert_eq!((summary.root_name.as_deref(), summary.root_service.as_deref()), (Some("root"), Some("shop")));
    assert_eq!((summary.start, summary.duration), (1_700_000_000_000_001_000, 2_000));
    assert!(block.summary(1).is_err());
}

#[test]
fn the_root_is_the_first_in_the_order_of_spans() {
    let named = |name: &str, id: u64, start: u64| Span {
        name: name.into(),
        kind: 2,
        start_time_unix_nano: start,
        end_time_unix_nano: start + 1,
        ..span(1, id)
    };
    let check = |spans: &[Span], expected: Option<&str>| {
        let finished = build(&parts_of(&[request(spans.to_vec())])).0;
        let block = Block::from_bytes(finished.bytes).unwrap();
        assert_eq!(block.summary(0).unwrap().root_name.as_deref(), expected);
        block.verify().unwrap();
    };
    check(&[named("late", 1, 9), named("early", 2, 8)], Some("early"));
    check(&[named("greater", 2, 8), named("less", 1, 8)], Some("less"));
    check(&[named("server", 1, 8), Span { kind: 1, ..named("internal", 1, 8) }], Some("internal"));
    let zeros = Span { parent_span_id: vec![0; 8], ..named("zeros", 3, 7) };
    check(&[named("late", 1, 9), zeros.clone()], Some("zeros"));
    check(&[Span { parent_span_id: vec![0; 3], ..zeros.clone() }], Some("zeros"));
    check(&[Span { parent_span_id: vec![0, 1], ..zeros }], None);
}
