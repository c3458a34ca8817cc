//! What is broken, hostile or something else is refused by name, and leaves nothing behind.

use prost::Message;
use spanloom_wire::thrift::{MessageKind, Protocol, Type, Writer};
use spanloom_wire::{Fault, Foreign};

use crate::model::{Batch, Log, Ref, Span, Val, batch_of, plain, proto, tag, text};
use crate::{FORMS, Form, ROOM, translate};

const BOTH: [Protocol; 2] = [Protocol::Binary, Protocol::Compact];

#[track_caller]
fn refused(form: Form, bytes: &[u8]) -> Foreign {
    translate(form, bytes, ROOM).expect_err("must be refused")
}

#[track_caller]
fn check(form: Form, bytes: &[u8], fault: Fault, words: &str) {
    let error = refused(form, bytes);
    assert_eq!(error.fault, fault, "{error}");
    assert!(error.to_string().contains(words), "{error}");
}

fn full() -> Batch {
    let span = Span {
        refs: vec![Ref { child: false, trace: 5, span: 6 }],
        tags: vec![text("span.kind", "server"), tag("b", Val::Bool(true)), tag("d", Val::Double(0.5))],
        logs: vec![Log { micros: 9, fields: vec![text("event", "e"), tag("i", Val::Int(300))] }],
        ..plain()
    };
    Batch { tags: vec![text("hostname", "web")], ..batch_of(vec![span.clone(), span]) }
}

fn encode(batch: &Batch, form: Form) -> Vec<u8> {
    match form {
        Form::Batch(protocol) => batch.thrift(protocol),
        Form::Datagram(protocol) => batch.datagram(protocol),
        Form::PostSpans => batch.proto(),
    }
}

#[test]
fn every_prefix_is_refused() {
    for form in FORMS {
        let bytes = encode(&full(), form);
        for cut in usize::from(form == Form::PostSpans)..bytes.len() {
            assert_eq!(refused(form, &bytes[..cut]).fault, Fault::Truncated, "{form:?} cut at {cut}");
        }
    }
}

#[test]
fn any_byte_may_be_changed_without_a_panic() {
    for form in FORMS {
        let bytes = encode(&full(), form);
        for at in 0..bytes.len() {
            for value in [0, 1, 0x7f, 0x80, 0xff, bytes[at] ^ 1, bytes[at] ^ 0x80] {
                let mut bytes = bytes.clone();
                bytes[at] = value;
                let _ = translate(form, &bytes, ROOM);
            }
        }
    }
}

#[test]
fn more_after_the_end_is_refused() {
    for form in FORMS {
        let mut bytes = encode(&full(), form);
        bytes.push(0);
        let words = if form == Form::PostSpans { "field number" } else { "1 more bytes" };
        check(form, &bytes, Fault::Malformed, words);
    }
}

#[test]
fn the_other_protocol_is_named() {
    let (binary, compact) = (full().datagram(Protocol::Binary), full().datagram(Protocol::Compact));
    check(Form::Datagram(Protocol::Compact), &binary, Fault::Malformed, "0x80, as TBinary begins at byte 0");
    check(Form::Datagram(Protocol::Binary), &compact, Fault::Malformed, "0x82, as TCompact begins at byte 0");
    assert_eq!(
        refused(Form::Batch(Protocol::Compact), &full().thrift(Protocol::Binary)).fault,
        Fault::Malformed
    );
    assert_eq!(
        refused(Form::Batch(Protocol::Binary), &full().thrift(Protocol::Compact)).fault,
        Fault::Malformed
    );
    for form in FORMS {
        assert!(translate(form, br#"{"resourceSpans":[]}"#, ROOM).is_err());
    }
}

fn call(protocol: Protocol, name: &str, kind: MessageKind, arguments: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut out = Writer::new(protocol);
    out.message(name, kind, 1);
    out.structure(arguments);
    out.into_bytes()
}

#[test]
fn calls_of_anything_else_are_named() {
    for protocol in BOTH {
        let form = Form::Datagram(protocol);
        let bytes = call(protocol, "emitZipkinBatch", MessageKind::OneWay, |_| {});
        check(form, &bytes, Fault::Unsupported, "a call of \"emitZipkinBatch\"");
        let bytes = call(protocol, &"long".repeat(50), MessageKind::Call, |_| {});
        check(form, &bytes, Fault::Unsupported, &format!("{:?} at", "long".repeat(10)));
        let bytes = call(protocol, "emitBatch", MessageKind::Reply, |_| {});
        check(form, &bytes, Fault::Malformed, "an answer (Reply)");
        let bytes = call(protocol, "emitBatch", MessageKind::OneWay, |_| {});
        check(form, &bytes, Fault::Malformed, "a call without its argument");
        let bytes = call(protocol, "emitBatch", MessageKind::OneWay, |out| out.i32_field(1, 1));
        check(form, &bytes, Fault::Malformed, "field 1 of the call's arguments as i32");
        // Old TBinary, and a call that waits, are as good as any.
        let mut old = vec![0, 0, 0, 9];
        old.extend(b"emitBatch\x01\0\0\0\x01");
        let mut arguments = Writer::new(Protocol::Binary);
        arguments.structure(|out| out.field(1, Type::Struct));
        old.extend(&arguments.into_bytes()[..3]);
        old.extend(full().thrift(Protocol::Binary));
        old.push(0);
        assert!(translate(Form::Datagram(Protocol::Binary), &old, ROOM).is_ok());
    }
}

#[test]
fn ids_that_no_span_may_have_are_refused() {
    for form in FORMS {
        let zero_trace = batch_of(vec![plain(), Span { trace: 0, ..plain() }]);
        check(form, &encode(&zero_trace, form), Fault::Malformed, "a span whose trace id is zero");
        let zero_span = batch_of(vec![plain(), Span { id: 0, ..plain() }]);
        check(form, &encode(&zero_span, form), Fault::Malformed, "a span whose span id is zero");
    }
    let check_proto = |change: fn(&mut proto::Span), words: &str| {
        let mut span = plain().proto();
        change(&mut span);
        let batch = proto::Batch { spans: vec![span], process: None };
        let bytes = proto::PostSpansRequest { batch: Some(batch) }.encode_to_vec();
        check(Form::PostSpans, &bytes, Fault::Malformed, words);
    };
    check_proto(|span| span.trace_id = vec![1; 12], "a trace id of 12 bytes");
    check_proto(|span| span.trace_id = vec![], "a span whose trace id is zero");
    check_proto(|span| span.span_id = vec![1; 4], "a span id of 4 bytes");
    let of = |trace_id, span_id| proto::SpanRef { trace_id, span_id, ref_type: 2 };
    let wrong = [of(vec![1; 3], vec![1; 8]), of(vec![1; 16], vec![1; 16]), of(vec![1; 16], vec![1; 8])];
    let words = ["a trace id of 3 bytes", "a span id of 16 bytes", "reference type 2"];
    for (reference, words) in wrong.into_iter().zip(words) {
        let span = proto::Span { references: vec![reference], ..plain().proto() };
        let batch = proto::Batch { spans: vec![span], process: None };
        let bytes = proto::PostSpansRequest { batch: Some(batch) }.encode_to_vec();
        check(Form::PostSpans, &bytes, Fault::Malformed, words);
    }
}

/// A batch of one span whose fields `write` writes.
fn thrift_span(protocol: Protocol, write: impl Fn(&mut Writer)) -> Vec<u8> {
    let mut out = Writer::new(protocol);
    out.structure(|out| {
        out.struct_field(1, |out| out.bytes_field(1, b"shop"));
        out.structs_field(2, &[()], |out, ()| write(out));
    });
    out.into_bytes()
}

fn needed(out: &mut Writer) {
    for id in [1, 2, 3, 4] {
        out.i64_field(id, 1);
    }
    out.bytes_field(5, b"op");
    out.i32_field(7, 1);
    out.i64_field(8, 1);
    out.i64_field(9, 1);
}

#[test]
fn fields_that_must_be_there_and_those_given_twice() {
    for protocol in BOTH {
        let form = Form::Batch(protocol);
        let bytes = thrift_span(protocol, needed);
        assert!(translate(form, &bytes, ROOM).is_ok());
        let bytes = thrift_span(protocol, |out| out.i64_field(1, 1));
        check(form, &bytes, Fault::Malformed, "the end of a Span at byte");
        check(form, &bytes, Fault::Malformed, "expected its field 2 (traceIdHigh)");
        let twice = |out: &mut Writer| {
            needed(out);
            out.i64_field(3, 2);
        };
        check(form, &thrift_span(protocol, twice), Fault::Malformed, "field 3 a second time in Span");
        let tag_type = |out: &mut Writer| {
            needed(out);
            out.structs_field(10, &[()], |out, ()| {
                out.bytes_field(1, b"k");
                out.i32_field(2, 5);
            });
        };
        check(form, &thrift_span(protocol, tag_type), Fault::Malformed, "tag type 5 in Tag");
        let mut empty = Writer::new(protocol);
        empty.structure(|_| {});
        check(form, &empty.into_bytes(), Fault::Malformed, "expected its field 1 (process)");
    }
    let process = proto::Process::default().encode_to_vec();
    let field = |number: u8, body: &[u8]| [&[number << 3 | 2, body.len() as u8], body].concat();
    let batch = [field(2, &process), field(2, &process)].concat();
    check(Form::PostSpans, &field(1, &batch), Fault::Malformed, "field 2 of Batch a second time");
    check(
        Form::PostSpans,
        &field(1, &[0x08, 1]),
        Fault::Malformed,
        "field 1 of Batch with another wire type",
    );
    let pair = field(1, &field(1, &field(8, &[0x0a, 1, b'k', 0x10, 9])));
    check(Form::PostSpans, &pair, Fault::Malformed, "tag type 9");
}

#[test]
fn fields_of_later_versions_are_skipped() {
    for protocol in BOTH {
        let span = |out: &mut Writer| {
            needed(out);
            out.bool_field(12, true);
            out.bool_field(13, true);
            out.field(14, Type::Map);
            out.map(Type::Bytes, Type::List, 1);
            out.bytes(b"k");
            out.list(Type::Bool, 2);
            out.bool(true);
            out.bool(false);
            out.struct_field(-3, |out| out.double_field(1, 1.0));
        };
        let found = translate(Form::Batch(protocol), &thrift_span(protocol, span), ROOM).unwrap();
        let span = &found.resource_spans[0].scope_spans[0].spans[0];
        assert_eq!((span.attributes.len(), &*span.attributes[0].key), (1, "jaeger.incomplete"));
    }
}

#[test]
fn claims_of_length_take_no_memory() {
    // A billion spans in a few bytes.
    let binary = [&[12, 0, 1, 11, 0, 1, 0, 0, 0, 0, 0][..], &[15, 0, 2, 12, 0x3f, 255, 255, 255]].concat();
    check(Form::Batch(Protocol::Binary), &binary, Fault::Limit, "elements in a container");
    let compact = [&[0x1c, 0x18, 0, 0][..], &[0x19, 0xfc, 0xff, 0xff, 0x3f, 0]].concat();
    check(Form::Batch(Protocol::Compact), &compact, Fault::Truncated, "expected at least");
    check(Form::PostSpans, &[0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f], Fault::Truncated, "PostSpansRequest");
}

#[test]
fn what_nests_without_end_is_refused() {
    for (protocol, level) in [(Protocol::Binary, &[15, 0, 0, 0, 1][..]), (Protocol::Compact, &[0x19])] {
        let mut out = Writer::new(protocol);
        out.structure(|out| out.field(9, Type::List));
        let mut bytes = out.into_bytes();
        bytes.pop();
        bytes.extend(level.repeat(2_000_000 / level.len()));
        check(Form::Batch(protocol), &bytes, Fault::Limit, "a value that nests deeper");
    }
}

#[test]
fn room_is_kept_to_within_a_span_as_well() {
    let many = |count| vec![Ref { child: false, trace: 5, span: 6 }; count];
    let wide = Span {
        refs: many(1000),
        tags: vec![text("k", "v"); 1000],
        logs: vec![Log { micros: 1, fields: vec![text("k", "v"); 10] }; 100],
        ..plain()
    };
    let only = |change: fn(&mut Span)| {
        let mut span = wide.clone();
        change(&mut span);
        batch_of(vec![span])
    };
    let batches = [
        only(|s| (s.tags, s.logs) = (vec![], vec![])),
        only(|s| (s.refs, s.logs) = (vec![], vec![])),
        only(|s| (s.refs, s.tags) = (vec![], vec![])),
        batch_of(vec![plain(); 500]),
    ];
    for (form, batch) in FORMS.into_iter().flat_map(|form| batches.iter().map(move |batch| (form, batch))) {
        let bytes = encode(batch, form);
        let enough = translate(form, &bytes, ROOM).unwrap().encoded_len();
        assert!(translate(form, &bytes, enough).is_ok());
        for room in [0, 100, enough / 2, enough - 1] {
            let error = translate(form, &bytes, room).unwrap_err();
            assert_eq!(error.fault, Fault::Room, "{form:?} {room}: {error}");
        }
    }
}

#[test]
fn text_that_is_not_utf8_is_replaced() {
    for protocol in BOTH {
        let span = |out: &mut Writer| {
            for id in [1, 2, 3, 4] {
                out.i64_field(id, 1);
            }
            out.bytes_field(5, b"op\xff");
            out.i32_field(7, 1);
            out.i64_field(8, 1);
            out.i64_field(9, 1);
            out.structs_field(10, &[()], |out, ()| {
                out.bytes_field(1, b"\xffk");
                out.i32_field(2, 0);
                out.bytes_field(3, b"v\xc3");
            });
        };
        let found = translate(Form::Batch(protocol), &thrift_span(protocol, span), ROOM).unwrap();
        let span = &found.resource_spans[0].scope_spans[0].spans[0];
        assert_eq!((&*span.name, &*span.attributes[0].key), ("op\u{fffd}", "\u{fffd}k"));
        assert_eq!(crate::render::value(span.attributes[0].value.as_ref()), "\"v\u{fffd}\"");
    }
}
