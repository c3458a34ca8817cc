//! Trees as golden texts.

use bytes::Bytes;
use spanloom_span::model::{
    AnyValue, Event, KeyValue, Link, Resource, ResourceSpans, ScopeSpans, Span, Status, Trace,
};
use spanloom_span::{SpanId, TraceId};
use spanloom_wire::{TraceReport, trace_proto};

use super::super::golden;
use super::*;

const BEGUN: u64 = 1_700_000_000_123_456_789;
const ID: &str = "000000000000000000000000000000a1";

fn text(key: &str, value: &str) -> KeyValue {
    KeyValue { key: key.into(), value: AnyValue::Str(value.into()) }
}

/// A span by its number, its parent's (0 is none), and when it began and ended, in milliseconds.
fn span(number: u64, parent: u64, name: &str, from: u64, to: u64) -> Span {
    Span {
        trace_id: TraceId::parse(ID).unwrap(),
        span_id: SpanId(number.to_be_bytes()),
        parent_span_id: if parent == 0 { Vec::new() } else { parent.to_be_bytes().to_vec() },
        name: name.into(),
        start_time_unix_nano: BEGUN + from * 1_000_000,
        end_time_unix_nano: BEGUN + to * 1_000_000,
        ..Span::default()
    }
}

fn of(service: &str, spans: Vec<Span>) -> ResourceSpans {
    let attributes = if service.is_empty() { Vec::new() } else { vec![text("service.name", service)] };
    let resource = Resource { attributes, ..Resource::default() };
    ResourceSpans {
        resource,
        scope_spans: vec![ScopeSpans { spans, ..ScopeSpans::default() }],
        ..ResourceSpans::default()
    }
}

fn read(resource_spans: Vec<ResourceSpans>, missing: Option<&str>) -> Spans {
    let report =
        TraceReport { partial: missing.is_some(), message: missing.unwrap_or(""), ..TraceReport::default() };
    let bytes = trace_proto::v2(&Trace { resource_spans }, &report);
    Spans::read(&Bytes::from(bytes)).unwrap()
}

fn tree(columns: usize, spans: &Spans, attributes: bool) -> String {
    TreeLines::new(&Style::new(columns, false), ID, spans, attributes).collect()
}

/// Sent in no order, from two services and one that does not say.
fn shop() -> Vec<ResourceSpans> {
    let mut pay = span(4, 3, "pay\u{1b}[31m", 300, 540);
    pay.status = Status { code: 2, message: "declined\nby the bank".into(), ..Status::default() };
    pay.kind = 3;
    pay.attributes = vec![
        text("card", "漢字"),
        KeyValue { key: "amount".into(), value: AnyValue::Double(9.5) },
        KeyValue { key: "items".into(), value: AnyValue::Array(vec![AnyValue::Int(1), AnyValue::Empty]) },
        KeyValue { key: "map".into(), value: AnyValue::Map(vec![text("a", "b")]) },
        KeyValue { key: "raw".into(), value: AnyValue::Bytes(vec![0, 255]) },
    ];
    pay.events = vec![Event {
        time_unix_nano: pay.start_time_unix_nano + 1000,
        name: "exception".into(),
        attributes: vec![text("exception.type", "Declined")],
        ..Event::default()
    }];
    pay.links = vec![Link { trace_id: vec![0xab; 16], span_id: vec![1; 8], ..Link::default() }];
    let mut backwards = span(6, 1, "ends before it starts", 400, 400);
    backwards.end_time_unix_nano -= 100_000_000;
    vec![
        of("shop", vec![pay, span(1, 0, "checkout", 0, 557), span(2, 1, "read the cart", 1, 2)]),
        of("漢字の店", vec![span(3, 1, "payment", 290, 550), backwards]),
        of("", vec![span(5, 3, "", 541, 549)]),
    ]
}

#[test]
fn trees_fit_the_terminal() {
    let check = |name: &str, columns: usize, spans: Vec<ResourceSpans>, missing: Option<&str>| {
        let text = tree(columns, &read(spans, missing), false);
        assert!(text.lines().map(width).max() <= Some(columns), "{name}");
        golden::check(name, &text);
    };
    check("tree-100", 100, shop(), None);
    check("tree-40", 40, shop(), Some("a peer did not answer"));
    let orphans = vec![
        span(1, 0, "root", 0, 10),
        span(2, 77, "of one that is missing", 2, 9),
        span(3, 78, "of another", 3, 4),
        span(4, 77, "of the first again", 4, 8),
        span(5, 4, "its child", 5, 6),
        Span { parent_span_id: vec![1, 2, 3], ..span(6, 0, "no span id", 6, 7) },
        span(7, 8, "round", 7, 8),
        span(8, 7, "and round", 8, 9),
        span(9, 0, "a second root", 9, 10),
    ];
    check("tree-orphans", 100, vec![of("shop", orphans)], None);
    check("tree-instant", 60, vec![of("shop", vec![span(1, 0, "at once", 0, 0)])], None);
}

#[test]
fn attributes_stand_beneath_their_span() {
    golden::check("tree-attributes", &tree(100, &read(shop(), None), true));
}

#[test]
fn a_chain_of_spans_is_no_recursion() {
    let chain = (1..=100_000).map(|number| span(number, number - 1, "down", number / 100, 1001));
    let spans = read(vec![of("shop", chain.collect())], None);
    let mut longest = 0;
    let mut count = 0;
    for lines in TreeLines::new(&Style::PIPED, ID, &spans, false) {
        longest = lines.lines().map(width).max().unwrap_or(0).max(longest);
        count += 1;
        if count == 50_001 {
            assert!(lines.starts_with("… 49999"), "{lines}");
        }
    }
    assert_eq!((count, longest <= 100), (100_001, true), "{longest}");
}

#[test]
fn a_star_of_spans_is_shown_in_order() {
    let star = (1..=1000)
        .rev()
        .map(|number| span(number, u64::from(number > 1), &format!("n{number}"), number, 2000));
    let text = tree(100, &read(vec![of("", star.collect())], None), false);
    let names: Vec<&str> =
        text.lines().skip(4).map(|line| line.trim_start_matches(['├', '└', ' '])).collect();
    assert_eq!(names.len(), 1000);
    for (at, name) in (1..).zip(&names) {
        assert!(name.starts_with(&format!("n{at} ")), "{at}: {name}");
    }
    let last = text.lines().last().unwrap();
    assert!(last.starts_with("└ n1000"), "{last}");
}

#[test]
fn bytes_that_are_no_trace_are_refused() {
    assert!(Spans::read(&Bytes::from_static(&[0x0a, 0xff])).is_err());
    assert_eq!(Spans::read(&Bytes::new()).unwrap().len(), 0);
    // Cut anywhere, it is read or refused.
    let whole = trace_proto::v2(&Trace { resource_spans: shop() }, &TraceReport::default());
    for end in 0..whole.len() {
        if let Ok(spans) = Spans::read(&Bytes::copy_from_slice(&whole[..end])) {
            TreeLines::new(&Style::PIPED, ID, &spans, true).for_each(drop);
        }
    }
}
