//! The rules of the translation, one by one and all at once.

use opentelemetry_proto::tonic::trace::v1::Span as ToSpan;
use proptest::prelude::*;
use prost::Message;
use spanloom_wire::opencensus::Stream;

use crate::any;
use crate::model::*;
use crate::request;

fn span(span: Span) -> ToSpan {
    let found = request(&Request { spans: vec![span], ..Default::default() });
    found.resource_spans[0].scope_spans[0].spans[0].clone()
}

fn attributes(pairs: &[(&str, Choice)]) -> Option<Attributes> {
    let value =
        |(key, choice): &(&str, Choice)| ((*key).to_owned(), AttributeValue { value: Some(choice.clone()) });
    Some(Attributes { attribute_map: pairs.iter().map(value).collect(), dropped: 0 })
}

#[test]
fn kinds() {
    let check = |kind: i32, said: Option<&str>, expected: i32, left: usize| {
        let said = said.map(|name| [("span.kind", Choice::Text(Truncatable::new(name)))]);
        let attributes = said.and_then(|pairs| attributes(&pairs));
        let found = span(Span { kind, attributes, ..Default::default() });
        assert_eq!((found.kind, found.attributes.len()), (expected, left), "{kind}");
    };
    check(0, None, 0, 0);
    check(1, None, 2, 0);
    check(2, None, 3, 0);
    check(9, None, 0, 0);
    check(0, Some("internal"), 1, 0);
    check(0, Some("producer"), 4, 0);
    check(0, Some("consumer"), 5, 0);
    check(0, Some("server"), 0, 1);
    check(2, Some("consumer"), 3, 1);
}

#[test]
fn statuses() {
    let check =
        |status: Option<(i32, &str)>, said: Option<Choice>, expected: Option<(i32, &str)>, left: usize| {
            let status = status.map(|(code, message)| Status { code, message: message.to_owned() });
            let attributes = said.and_then(|said| attributes(&[("otel.status_code", said)]));
            let found = span(Span { status, attributes, ..Default::default() });
            let status = found.status.as_ref().map(|status| (status.code, status.message.as_str()));
            assert_eq!((status, found.attributes.len()), (expected, left));
        };
    check(None, None, None, 0);
    check(Some((0, "")), None, None, 0);
    check(Some((0, "fine")), None, Some((0, "fine")), 0);
    check(Some((13, "bad")), None, Some((2, "bad")), 1);
    check(Some((-1, "")), None, Some((2, "")), 1);
    check(Some((0, "")), Some(Choice::Int(1)), Some((1, "")), 0);
    check(Some((2, "")), Some(Choice::Int(2)), Some((2, "")), 1);
    check(Some((0, "")), Some(Choice::Int(3)), None, 1);
    check(Some((0, "")), Some(Choice::Text(Truncatable::new("OK"))), None, 1);
    check(None, Some(Choice::Int(1)), None, 1);
}

#[test]
fn one_time_stands_for_the_other() {
    let check = |start: Option<i64>, end: Option<i64>, expected: (u64, u64)| {
        let time = |seconds: Option<i64>| seconds.map(|seconds| Timestamp { seconds, nanos: 1 });
        let found = span(Span { start_time: time(start), end_time: time(end), ..Default::default() });
        assert_eq!((found.start_time_unix_nano, found.end_time_unix_nano), expected, "{start:?} {end:?}");
    };
    check(Some(1), Some(2), (1_000_000_001, 2_000_000_001));
    check(None, Some(2), (2_000_000_001, 2_000_000_001));
    check(Some(1), None, (1_000_000_001, 1_000_000_001));
    check(None, None, (0, 0));
    // The year 1, as Go writes a time that was never set, and the year 9999.
    check(Some(1), Some(-62_135_596_800), (1_000_000_001, 1_000_000_001));
    check(Some(253_402_300_799), Some(5), (5_000_000_001, 5_000_000_001));
}

#[test]
fn a_parent_of_zeros_is_none() {
    assert_eq!(
        span(Span { parent_span_id: vec![0; 8], ..Default::default() }).parent_span_id,
        Vec::<u8>::new()
    );
    assert_eq!(span(Span { parent_span_id: vec![1; 8], ..Default::default() }).parent_span_id, vec![1; 8]);
}

#[test]
fn spans_with_a_resource_of_their_own_stand_together() {
    let own = |name: &str, resource: Option<&str>| Span {
        name: Some(Truncatable::new(name)),
        resource: resource.map(|kind| Resource { kind: kind.to_owned(), ..Default::default() }),
        ..Default::default()
    };
    let spans = vec![
        own("a", Some("x")),
        own("b", None),
        own("c", Some("x")),
        own("d", Some("y")),
        own("e", None),
        own("f", Some("x")),
    ];
    let found = request(&Request { spans, ..Default::default() });
    let names = found
        .resource_spans
        .iter()
        .map(|group| group.scope_spans[0].spans.iter().map(|span| span.name.as_str()).collect::<String>());
    assert_eq!(names.collect::<Vec<_>>(), ["be", "ac", "d", "f"]);
}

#[test]
fn what_is_not_utf8_is_replaced() {
    // A span with the name "a\xff" and the attribute "k" with the text "\xfe".
    let mut message = vec![0x12, 0];
    message.extend([0x22, 4, 0x0a, 2, b'a', 0xff]);
    message.extend([0x3a, 12, 0x0a, 10, 0x0a, 1, b'k', 0x12, 5, 0x0a, 3, 0x0a, 1, 0xfe]);
    message[1] = message.len() as u8 - 2;
    let found = crate::translate(&mut Stream::default(), &message).unwrap();
    let span = &found.resource_spans[0].scope_spans[0].spans[0];
    assert_eq!(span.name, "a\u{fffd}");
    let value = span.attributes[0].value.clone().unwrap().value.unwrap();
    assert_eq!(format!("{value:?}"), "StringValue(\"\u{fffd}\")");
}

proptest! {
    #[test]
    fn the_tables_hold(from in any::request()) {
        let found = request(&from);
        prop_assert_eq!(found, expected(from.node.as_ref(), from.resource.as_ref(), &from.spans));
    }

    /// Whatever the order in which a sender writes fields.
    #[test]
    fn fields_come_in_any_order(from in any::request(), turn in 0usize..20) {
        let bytes = from.encode_to_vec();
        let turned = turn_fields(&bytes, turn);
        let found = crate::translate(&mut Stream::default(), &turned).unwrap();
        let mut spans = Request::decode(&turned[..]).unwrap().spans;
        let before = expected(from.node.as_ref(), from.resource.as_ref(), &std::mem::take(&mut spans));
        prop_assert_eq!(found, before);
    }
}

/// The top-level fields of a message, and those of each span in it, begun at another one.
fn turn_fields(message: &[u8], turn: usize) -> Vec<u8> {
    let mut fields = split(message);
    for (number, field) in &mut fields {
        if *number == 2 {
            let body = split(field).into_iter().next().map_or(Vec::new(), |(_, whole)| whole);
            let mut reader = spanloom_span::proto::Reader::new(&body);
            if let Ok(Some((2, spanloom_span::proto::Value::Bytes(span)))) = reader.next() {
                let mut parts = split(span);
                let by = turn % parts.len().max(1);
                parts.rotate_left(by);
                let parts: Vec<u8> = parts.into_iter().flat_map(|(_, part)| part).collect();
                let mut again = Vec::new();
                spanloom_span::proto::put_bytes(&mut again, 2, &parts);
                *field = again;
            }
        }
    }
    let by = turn % fields.len().max(1);
    fields.rotate_left(by);
    fields.into_iter().flat_map(|(_, field)| field).collect()
}

/// Each field of a message: its number, and its bytes with the tag.
fn split(message: &[u8]) -> Vec<(u32, Vec<u8>)> {
    let mut reader = spanloom_span::proto::Reader::new(message);
    let (mut found, mut from) = (Vec::new(), 0);
    while let Some((number, _)) = reader.next().unwrap() {
        found.push((number, message[from..reader.position()].to_vec()));
        from = reader.position();
    }
    found
}
