//! Cut, long, deep and foreign bytes.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use proptest::prelude::*;
use prost::Message;
use spanloom_span::proto::{put_bytes, put_message, put_uint};
use spanloom_wire::Fault;
use spanloom_wire::opencensus::Stream;

use crate::any;
use crate::vectors::{CLIENT_SPAN, EVERY_FIELD, SERVER_SPAN};

/// Translates whatever comes; yields how many spans, when it was taken.
fn holds(message: &[u8], room: usize) -> Option<u64> {
    let mut stream = Stream::default();
    let mut out = vec![7];
    match stream.translate(message, room, &mut out) {
        Ok(spans) => {
            let request = ExportTraceServiceRequest::decode(&out[1..]).unwrap();
            let scopes = request.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
            assert_eq!(scopes.map(|scope| scope.spans.len() as u64).sum::<u64>(), spans);
            assert!(out.len() - 1 <= room, "{} of {room}", out.len() - 1);
            Some(spans)
        }
        Err(error) => {
            assert!(error.at <= message.len(), "{error}");
            assert_eq!((stream, out), (Stream::default(), vec![7]), "{error}");
            None
        }
    }
}

#[test]
fn every_prefix_is_refused_or_a_smaller_message() {
    for message in [CLIENT_SPAN, SERVER_SPAN, EVERY_FIELD] {
        let all = holds(message, 1 << 20).unwrap();
        for end in 0..message.len() {
            if let Some(spans) = holds(&message[..end], 1 << 20) {
                assert!(spans <= all, "cut at {end}");
            }
        }
    }
}

#[test]
fn every_changed_byte_is_taken_or_refused() {
    for message in [SERVER_SPAN, EVERY_FIELD] {
        let mut copy = message.to_vec();
        for at in 0..copy.len() {
            for byte in [0, 1, 0x7f, 0x80, 0xff, copy[at] ^ 1, copy[at] ^ 2] {
                let before = std::mem::replace(&mut copy[at], byte);
                holds(&copy, 1 << 20);
                copy[at] = before;
            }
        }
    }
}

#[test]
fn errors_say_where_and_what() {
    let check = |message: &[u8], expected: &str| {
        let error = Stream::default().translate(message, 1 << 20, &mut Vec::new()).unwrap_err();
        assert_eq!(error.to_string(), expected, "{message:?}");
    };
    check(&[0x12, 5], "the end in the request at byte 0, expected the rest of a field");
    check(&[0x12, 2, 0x0a, 9], "the end in Span at byte 2, expected the rest of a field");
    check(
        &[0x12, 2, 0x72, 0],
        "field 14 of Span with another wire type at byte 2, expected that of the proto file",
    );
    check(
        &[0x10, 2],
        "field 2 of the request with another wire type at byte 0, expected that of the proto file",
    );
    check(&[0x0b], "a wire type that protobuf does not have in the request at byte 0, expected 0, 1, 2 or 5");
    check(&[0x0a, 0, 0x0a, 0], "a node a second time at byte 4, expected it once");
    check(&[0x12, 4, 0x5a, 0, 0x5a, 0], "a part of a span a second time at byte 6, expected it once");
    check(&[0x12, 3, 0x1a, 1, 5], "an id of 1 bytes at byte 4, expected 8 or none");
    check(
        &[0x0a, 4, 0x0a, 2, 0x0a, 9],
        "the end in ProcessIdentifier at byte 4, expected the rest of a field",
    );
}

/// Four bytes of an empty message event become over a hundred: the room ends it in the middle of a span.
#[test]
fn a_span_of_many_events_ends_where_the_room_does() {
    let mut message = Vec::new();
    put_message(&mut message, 2, |out| {
        put_message(out, 9, |out| (0..200_000).for_each(|_| out.extend([0x0a, 2, 0x1a, 0])));
    });
    let mut out = Vec::new();
    let error = Stream::default().translate(&message, 1 << 20, &mut out).unwrap_err();
    assert_eq!(error.fault, Fault::Room);
    assert!(out.capacity() < 4 << 20, "{} bytes", out.capacity());
    assert!(holds(&message, 64 << 20).is_some());
}

/// Five bytes of a span with a resource of its own repeat the whole node.
#[test]
fn many_resources_end_where_the_room_does() {
    let mut message = Vec::new();
    put_message(&mut message, 1, |out| put_message(out, 3, |out| put_bytes(out, 1, &[b'n'; 10_000])));
    for nth in 0..50_000u64 {
        put_message(&mut message, 2, |out| {
            put_message(out, 16, |out| put_bytes(out, 1, if nth % 2 == 0 { b"a" } else { b"b" }));
        });
    }
    let mut out = Vec::new();
    let error = Stream::default().translate(&message, 4 << 20, &mut out).unwrap_err();
    assert_eq!(error.fault, Fault::Room);
    assert!(out.capacity() < 16 << 20, "{} bytes", out.capacity());
}

#[test]
fn claims_take_no_memory() {
    // A length of 2 GiB, and one of 2^63, in every place that has a length.
    for claim in
        [[0xff, 0xff, 0xff, 0xff, 0x07].as_slice(), &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]]
    {
        for at in 0..EVERY_FIELD.len() {
            let mut message = EVERY_FIELD[..at].to_vec();
            message.extend_from_slice(claim);
            message.extend_from_slice(&EVERY_FIELD[at..]);
            holds(&message, 1 << 20);
        }
    }
}

#[test]
fn unknown_fields_are_skipped() {
    let mut message = SERVER_SPAN.to_vec();
    put_uint(&mut message, 99, 5);
    put_bytes(&mut message, 100, b"later");
    assert_eq!(holds(&message, 1 << 20), holds(SERVER_SPAN, 1 << 20));
}

proptest! {
    #[test]
    fn any_bytes_are_taken_or_refused(bytes in any::<Vec<u8>>()) {
        holds(&bytes, 1 << 20);
    }

    #[test]
    fn any_room_is_kept(from in any::request(), room in 0usize..2000) {
        holds(&from.encode_to_vec(), room);
    }
}
