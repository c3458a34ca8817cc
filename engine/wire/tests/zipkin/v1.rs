//! v1: what follows from annotations and binary annotations, in JSON and Thrift.

use serde_json::json;
use spanloom_wire::Fault;
use spanloom_wire::thrift::{BinaryReader, Limits, MessageKind, Protocol, Reader, Type, Writer};

use super::*;

/// Reads a span with those annotations `(name, microseconds, service)` and binary annotations `(key, value,
/// service)`; and says kind, times, service and the rest.
#[track_caller]
fn read(
    fields: &str,
    annotations: &[(&str, u64, &str)],
    binary: &[(&str, serde_json::Value, &str)],
) -> (i32, (u64, u64), Vec<String>) {
    let annotations: Vec<_> = annotations
        .iter()
        .map(|(value, at, service)| json!({"value": value, "timestamp": at, "endpoint": {"serviceName": service}}))
        .collect();
    let binary: Vec<_> = binary
        .iter()
        .map(
            |(key, value, service)| json!({"key": key, "value": value, "endpoint": {"serviceName": service}}),
        )
        .collect();
    let body = format!(
        r#"[{{"traceId":"1","id":"2"{fields},"binaryAnnotations":{},"annotations":{}}}]"#,
        json!(binary),
        json!(annotations)
    );
    let request = translate(zipkin::v1_json, body.as_bytes(), &Options::default());
    let (resource, span) = only(&request);
    let mut rest = lines(&resource.resource.as_ref().unwrap().attributes);
    rest.extend(lines(&span.attributes));
    rest.extend(events(span));
    let times = (span.start_time_unix_nano / 1000, span.end_time_unix_nano / 1000);
    (span.kind, times, rest)
}

fn attributes_of(resource: &ResourceSpans) -> &[KeyValue] {
    &resource.resource.as_ref().unwrap().attributes
}

const TIMES: &str = r#","timestamp":10,"duration":5"#;
const ABSENT: &str = "otel.zipkin.absentField.startTime=true";
const SHARED: &str = "zipkin.shared=true";
const CART: &str = "service.name=\"cart\"";

#[test]
fn core_annotations_say_kind_times_and_service() {
    let check =
        |fields: &str, annotations: &[(&str, u64, &str)], kind: i32, times: (u64, u64), rest: &[&str]| {
            let (found_kind, found_times, found) = read(fields, annotations, &[]);
            assert_eq!((found_kind, found_times), (kind, times), "{fields} {annotations:?}");
            assert_eq!(found, rest, "{fields} {annotations:?}");
        };
    check(TIMES, &[("cs", 10, "cart"), ("cr", 15, "cart")], 3, (10, 15), &[CART]);
    check(TIMES, &[("sr", 10, "cart"), ("ss", 15, "cart")], 2, (10, 15), &[CART]);
    check(TIMES, &[("ms", 10, "cart"), ("ws", 15, "cart")], 4, (10, 15), &[CART]);
    check(TIMES, &[("wr", 10, "cart"), ("mr", 15, "cart")], 5, (10, 15), &[CART]);
    check(TIMES, &[("mr", 10, "cart")], 5, (10, 15), &[CART]);
    // Without times of its own.
    check("", &[("cs", 10, "cart"), ("cr", 15, "cart")], 3, (10, 15), &[CART]);
    check("", &[("sr", 10, "cart"), ("ss", 15, "cart")], 2, (10, 15), &[CART, SHARED]);
    check("", &[("cs", 10, "cart")], 3, (10, 10), &[CART]);
    check(r#","duration":5"#, &[("cs", 10, "cart")], 3, (10, 15), &[CART]);
    check(r#","timestamp":10"#, &[("cs", 10, "cart"), ("cr", 15, "cart")], 3, (10, 15), &[CART]);
    // Senders round start, duration and end on their own.
    check(TIMES, &[("cs", 10, "cart"), ("cr", 16, "cart")], 3, (10, 15), &[CART]);
    check(TIMES, &[("cs", 11, "cart"), ("cr", 14, "cart")], 3, (10, 15), &[CART]);
    // What the times do not say stays.
    check(TIMES, &[("cs", 12, "cart"), ("cr", 13, "cart")], 3, (10, 15), &[CART, "12000 cs", "13000 cr"]);
    check(TIMES, &[("cs", 10, "cart"), ("cs", 11, "cart")], 3, (10, 15), &[CART, "11000 cs"]);
    check(TIMES, &[("cs", 10, "cart"), ("ws", 11, "cart")], 3, (10, 15), &[CART, "11000 ws"]);
    // An end alone: what was noted lies within the span.
    check("", &[("cr", 15, "cart")], 3, (15, 15), &[CART, ABSENT, "15000 cr"]);
    check(r#","timestamp":10"#, &[("cr", 15, "cart")], 3, (10, 15), &[CART]);
    // Others are events, and may tell a span's times.
    check("", &[("b", 15, "cart"), ("a", 10, "cart")], 0, (10, 15), &[CART, ABSENT, "15000 b", "10000 a"]);
    check(TIMES, &[("b", 99, "cart"), ("csx", 1, "")], 0, (10, 15), &[CART, "99000 b", "1000 csx"]);
    check(TIMES, &[("ws", 10, "cart")], 0, (10, 15), &[CART, "10000 ws"]);
    check("", &[], 0, (0, 0), &[ABSENT]);
    // The end before the start: clocks were set.
    check("", &[("cs", 10, "cart"), ("cr", 7, "cart")], 3, (10, 10), &[CART, "7000 cr"]);
}

#[test]
fn both_sides_in_one_span_stay_one_span() {
    let annotations = [("cs", 10, "web"), ("sr", 11, "cart"), ("ss", 14, "cart"), ("cr", 15, "web")];
    let (kind, times, rest) = read(TIMES, &annotations, &[]);
    assert_eq!((kind, times), (3, (10, 15)));
    assert_eq!(rest, ["service.name=\"web\"", "11000 sr", "14000 ss"]);
}

#[test]
fn the_local_service_is_who_recorded() {
    let service = |annotations: &[(&str, u64, &str)], binary: &[(&str, &str)]| {
        let binary: Vec<_> = binary.iter().map(|(key, service)| (*key, json!("v"), *service)).collect();
        let rest = read(TIMES, annotations, &binary).2;
        rest.into_iter().find(|line| line.starts_with("service.name"))
    };
    let check = |annotations: &[(&str, u64, &str)], binary: &[(&str, &str)], expected: Option<&str>| {
        let expected = expected.map(|name| format!("service.name={name:?}"));
        assert_eq!(service(annotations, binary), expected, "{annotations:?} {binary:?}");
    };
    check(&[("x", 1, "a"), ("cs", 10, "b")], &[("k", "c")], Some("b"));
    check(&[("x", 1, ""), ("y", 2, "a")], &[("k", "c")], Some("c"));
    check(&[("x", 1, "a"), ("y", 2, "b")], &[], Some("a"));
    check(&[("cs", 10, ""), ("x", 1, "a")], &[], Some("a"));
    check(&[], &[("k", "c")], Some("c"));
    check(&[], &[("k", ""), ("l", "")], None);
    // A local component is a name for want of another.
    check(&[], &[("lc", "")], Some("v"));
    check(&[], &[("lc", "c")], Some("c"));
}

#[test]
fn an_annotation_without_an_endpoint_has_none() {
    // Though the one before it had.
    let body = br#"[{"traceId":"1","id":"2","timestamp":10,"annotations":[
        {"timestamp":1,"value":"x","endpoint":{"serviceName":"cart"}},{"timestamp":10,"value":"cs"}],
        "binaryAnnotations":[{"key":"sa","value":true}]},
        {"traceId":"1","id":"3","timestamp":10,"annotations":[{"timestamp":10,"value":"cs"}]}]"#;
    let request = translate(zipkin::v1_json, body, &Options::default());
    let services: Vec<_> = request.resource_spans.iter().map(|found| lines(attributes_of(found))).collect();
    assert_eq!(services, [vec![CART.to_owned()], vec![]]);
    let first = &request.resource_spans[0].scope_spans[0].spans[0];
    assert_eq!(lines(&first.attributes), ["sa=true"]);
}

#[test]
fn local_components_are_internal() {
    let (kind, _, rest) = read(TIMES, &[], &[("lc", json!("finatra"), "cart")]);
    assert_eq!((kind, rest), (1, vec![CART.to_owned(), "component=\"finatra\"".to_owned()]));
    let (kind, _, rest) = read(TIMES, &[], &[("lc", json!(""), "cart")]);
    assert_eq!((kind, rest), (1, vec![CART.to_owned()]));
    let (kind, ..) = read(TIMES, &[("cs", 10, "cart")], &[("lc", json!("x"), "cart")]);
    assert_eq!(kind, 3);
}

#[test]
fn addresses_are_of_sides() {
    let check = |core: &str, binary: &[(&str, serde_json::Value, &str)], kind: i32, rest: &[&str]| {
        let annotations = if core.is_empty() { vec![] } else { vec![(core, 10, "cart")] };
        let found = read(TIMES, &annotations, binary);
        assert_eq!(
            (found.0, found.2),
            (kind, rest.iter().map(|line| (*line).to_owned()).collect()),
            "{binary:?}"
        );
    };
    let peer = "peer.service=\"db\"";
    // Bools, as the format has them, and what some senders make of them.
    for mark in [json!(true), json!("true"), json!("1"), json!(""), json!("\u{1}")] {
        check("cs", &[("sa", mark.clone(), "db")], 3, &[CART, peer]);
    }
    check("sr", &[("ca", json!(true), "db")], 2, &[CART, peer]);
    check("sr", &[("ca", json!(true), "cart")], 2, &[CART]);
    check("ms", &[("ma", json!(true), "db")], 4, &[CART, peer]);
    check("mr", &[("ma", json!(true), "db")], 5, &[CART, peer]);
    check("ms", &[("sa", json!(true), "db")], 4, &[CART, peer]);
    // Without core annotations.
    check("", &[("sa", json!(true), "db")], 0, &[peer]);
    check("", &[("ca", json!(true), "db")], 2, &[peer]);
    check("", &[("ca", json!(true), "cart"), ("sa", json!(true), "db")], 0, &[CART, peer]);
    // Tags of these names that are no marks.
    check("cs", &[("sa", json!("10.0.0.1"), "cart")], 3, &[CART, "sa=\"10.0.0.1\""]);
    check("cs", &[("sa", json!(false), "cart")], 3, &[CART, "sa=false"]);
    check("cs", &[("sa", json!(true), "")], 3, &[CART, "sa=true"]);
}

#[test]
fn json_values_keep_their_types() {
    let (_, _, rest) = read(
        TIMES,
        &[],
        &[
            ("a", json!("x"), "cart"),
            ("b", json!(true), "cart"),
            ("c", json!(7), "cart"),
            ("d", json!(0.5), "cart"),
            ("e", json!(null), "cart"),
        ],
    );
    assert_eq!(rest, ["service.name=\"cart\"", "a=\"x\"", "b=true", "c=7", "d=0.5"]);
    let body = br#"[{"traceId":"1","id":"2","timestamp":1,"binaryAnnotations":[
        {"key":"a","value":"9223372036854775807","type":"I64"},{"type":"DOUBLE","key":"b","value":"1.5"},
        {"key":"c","value":"+/8=","type":"BYTES"},{"key":"d","value":"false","type":"BOOL"},
        {"key":"e","value":"x","type":"I32"},{"key":"f","value":"?","type":"BYTES"},
        {"key":"g","value":1,"type":"STRING"},{"value":"no key"}]}]"#;
    let request = translate(zipkin::v1_json, body, &Options::default());
    assert_eq!(
        lines(&only(&request).1.attributes),
        ["=\"no key\"", "a=9223372036854775807", "b=1.5", "c=xfbff", "d=false", "e=\"x\"", "f=\"?\"", "g=1"]
    );
    let error = fails(zipkin::v1_json, br#"[{"binaryAnnotations":[{"key":"a","value":{}}]}]"#);
    assert_eq!(error.to_string(), "an object in span 0 at byte 42, expected text, a number or a bool");
}

#[test]
fn an_error_is_a_status_in_v1_too() {
    let body = br#"[{"traceId":"1","id":"2","timestamp":1,"annotations":[{"timestamp":1,"value":"error"}],
        "binaryAnnotations":[{"key":"error","value":"no"},{"key":"host.name","value":"h"}]}]"#;
    let request = translate(zipkin::v1_json, body, &Options::default());
    let (resource, span) = only(&request);
    let status = span.status.as_ref().unwrap();
    assert_eq!((status.code, status.message.as_str()), (2, "no"));
    assert_eq!(events(span), ["1000 error"]);
    assert_eq!(lines(&resource.resource.as_ref().unwrap().attributes), ["host.name=\"h\""]);
}

/// A list of one span in TBinary, with what `write` adds to its ids.
fn thrift(write: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut out = Writer::new(Protocol::Binary);
    out.list(Type::Struct, 1);
    out.structure(|out| {
        out.i64_field(1, 0x0102_0304_0506_0708);
        out.i64_field(4, -1);
        write(out);
    });
    out.into_bytes()
}

#[test]
fn thrift_ids_are_unsigned() {
    let request = translate(zipkin::v1_thrift, &thrift(|_| {}), &Options::default());
    let span = only(&request).1;
    assert_eq!(super::model::hex(&span.trace_id), "00000000000000000102030405060708");
    assert_eq!(super::model::hex(&span.span_id), "ffffffffffffffff");
    assert!(span.parent_span_id.is_empty());
    let body = thrift(|out| {
        out.i64_field(5, i64::MIN);
        out.i64_field(12, -2);
    });
    let request = translate(zipkin::v1_thrift, &body, &Options::default());
    let span = only(&request).1;
    assert_eq!(super::model::hex(&span.trace_id), "fffffffffffffffe0102030405060708");
    assert_eq!(super::model::hex(&span.parent_span_id), "8000000000000000");
}

#[test]
fn thrift_values_go_by_their_types() {
    let values: [(&str, &[u8], i32); 14] = [
        ("bool", &[1], 0),
        ("bool?", &[2], 0),
        ("bytes", &[0xff, 0], 1),
        ("double", &(-1.5f64).to_be_bytes(), 5),
        ("double?", &[1, 2], 5),
        ("i16", &(-2i16).to_be_bytes(), 2),
        ("i32", &(-3i32).to_be_bytes(), 3),
        ("i64", &i64::MIN.to_be_bytes(), 4),
        ("i64?", &[], 4),
        ("later", &[7], 9),
        ("no bool", &[0], 0),
        ("string", "é".as_bytes(), 6),
        ("string?", &[b'a', 0xff], 6),
        ("typed", b"12", 6),
    ];
    let body = thrift(|out| {
        out.structs_field(8, &values, |out, (key, value, kind)| {
            out.bytes_field(1, key.as_bytes());
            out.bytes_field(2, value);
            out.i32_field(3, *kind);
        });
        out.i64_field(10, 1);
    });
    let options = Options { parse_string_tags: true, ..Options::default() };
    assert_eq!(
        lines(&only(&translate(zipkin::v1_thrift, &body, &options)).1.attributes),
        [
            "bool=true",
            "bool?=x02",
            "bytes=xff00",
            "double=-1.5",
            "double?=x0102",
            "i16=-2",
            "i32=-3",
            "i64=-9223372036854775808",
            "i64?=x",
            "later=x07",
            "no bool=false",
            "string=\"é\"",
            "string?=\"a\u{fffd}\"",
            "typed=12",
        ]
    );
}

#[test]
fn thrift_text_that_is_not_utf8_is_made_so() {
    let body = thrift(|out| {
        out.structs_field(6, &[&b"m\xff"[..], "é".as_bytes()], |out, value| {
            out.i64_field(1, 5);
            out.bytes_field(2, value);
        });
        out.structs_field(8, &[&b"k\xff"[..], "ü".as_bytes()], |out, key| {
            out.bytes_field(1, key);
            out.bytes_field(2, b"1");
            out.i32_field(3, 6);
        });
        out.i64_field(10, 1);
    });
    let request = translate(zipkin::v1_thrift, &body, &Options::default());
    let span = only(&request).1;
    assert_eq!(events(span), ["5000 m\u{fffd}", "5000 é"]);
    assert_eq!(lines(&span.attributes), ["k\u{fffd}=\"1\"", "ü=\"1\""]);
}

#[test]
fn thrift_endpoints_are_read() {
    let endpoint = |out: &mut Writer| {
        out.i32_field(1, i32::from_be_bytes([192, 168, 0, 1]));
        out.field(2, Type::I16);
        out.i16(-1);
        out.bytes_field(3, b"cart");
    };
    let body = thrift(|out| {
        out.structs_field(6, &[()], |out, ()| {
            out.i64_field(1, 5);
            out.bytes_field(2, b"sr");
            out.struct_field(3, endpoint);
        });
        out.structs_field(8, &[()], |out, ()| {
            out.bytes_field(1, b"ca");
            out.bytes_field(2, &[1]);
            out.i32_field(3, 0);
            out.struct_field(4, |out| {
                out.bytes_field(3, b"web");
                out.bytes_field(4, &[0; 16]);
            });
        });
        out.i64_field(10, 5);
    });
    let request = translate(zipkin::v1_thrift, &body, &Options::default());
    let (resource, span) = only(&request);
    assert_eq!(lines(&resource.resource.as_ref().unwrap().attributes), ["service.name=\"cart\""]);
    assert_eq!(
        lines(&span.attributes),
        ["net.host.ip=\"192.168.0.1\"", "net.host.port=65535", "net.peer.ip=\"::\"", "peer.service=\"web\""]
    );
}

#[test]
fn thrift_of_another_shape_is_refused() {
    let check = |body: &[u8], fault: Fault, expected: &str| {
        let error = fails(zipkin::v1_thrift, body);
        assert_eq!((error.fault, error.to_string().as_str()), (fault, expected));
    };
    check(
        &thrift(|out| out.i32_field(10, 1)),
        Fault::Malformed,
        "field 10 of Span as i32 in span 0 at byte 27, expected i64",
    );
    check(
        &thrift(|out| out.i64_field(10, -1)),
        Fault::Malformed,
        "the time -1 in span 0 at byte 27, expected microseconds since 1970, up to 18446744073709551",
    );
    check(
        &[8, 0, 0, 0, 1, 0, 0, 0, 1],
        Fault::Malformed,
        "a list of i32 at byte 0, expected a list of struct",
    );
    check(&[12, 0, 0, 0, 0, 9], Fault::Malformed, "1 more bytes at byte 5, expected the end");
    check(b"[{\"id\":1}]", Fault::Malformed, "elements of type 91 at byte 0, expected a TBinary type");
    // Unknown fields are skipped.
    let body = thrift(|out| out.struct_field(99, |out| out.bytes_field(1, b"x")));
    translate(zipkin::v1_thrift, &body, &Options::default());
}

#[test]
fn a_list_within_a_message_is_read_from_where_it_stands() {
    let list = thrift(|_| {});
    let mut message = Writer::new(Protocol::Binary);
    message.message("emitZipkinBatch", MessageKind::OneWay, 1);
    let mut body = message.into_bytes();
    let header = body.len();
    body.extend(&list);
    body.push(0);
    let mut input = BinaryReader::new(&body, Limits::default()).unwrap();
    assert_eq!(input.message().unwrap().name, b"emitZipkinBatch");
    let mut out = Vec::new();
    assert_eq!(zipkin::thrift_spans(&mut input, &Options::default(), ROOM, &mut out), Ok(1));
    assert_eq!(input.position(), header + list.len());
    let mut alone = Vec::new();
    zipkin::v1_thrift(&list, &Options::default(), ROOM, &mut alone).unwrap();
    assert_eq!(out, alone);
}
