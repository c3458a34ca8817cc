//! v2 field by field, in JSON and protobuf.

use spanloom_span::proto::{put_bytes, put_fixed32, put_fixed64, put_message, put_uint};
use spanloom_wire::Fault;

use super::model;
use super::*;

/// Reads a list of one span with those fields besides its ids.
#[track_caller]
fn json(fields: &str) -> ExportTraceServiceRequest {
    let body = format!(r#"[{{"traceId":"1","id":"2",{fields}}}]"#);
    translate(zipkin::v2_json, body.as_bytes(), &Options::default())
}

#[track_caller]
fn json_fails(fields: &str, expected: &str) {
    let body = format!(r#"[{{"traceId":"1","id":"2",{fields}}}]"#);
    assert_eq!(fails(zipkin::v2_json, body.as_bytes()).to_string(), expected, "{fields}");
}

#[track_caller]
fn proto(write: impl FnOnce(&mut Vec<u8>)) -> Result<ExportTraceServiceRequest, Foreign> {
    let mut body = Vec::new();
    put_message(&mut body, 1, |out| {
        put_bytes(out, 3, &[2; 8]);
        write(out);
    });
    let mut out = Vec::new();
    zipkin::v2_proto(&body, &Options::default(), ROOM, &mut out)?;
    Ok(translate(zipkin::v2_proto, &body, &Options::default()))
}

#[test]
fn the_example_of_the_specification_is_read() {
    let body = br#"[{"traceId":"5982fe77008310cc80f1da5e10147517","name":"get","id":"bd7a977555f6b982",
        "parentId":"ebf33e1a81dc6f71","kind":"CLIENT","timestamp":1472470996199000,"duration":207000,
        "localEndpoint":{"serviceName":"frontend","ipv4":"127.0.0.1","ipv6":"2001:db8::c001","port":8080},
        "remoteEndpoint":{"serviceName":"backend","ipv4":"192.168.99.101","port":9000},
        "annotations":[{"timestamp":1472470996238000,"value":"foo"},{"timestamp":1472470996403000,"value":"bar"}],
        "tags":{"http.path":"/api","clnt/finagle.version":"6.45.0"},"debug":true,"shared":true}]"#;
    let request = translate(zipkin::v2_json, body, &Options::default());
    let (resource, span) = only(&request);
    assert_eq!(lines(&resource.resource.as_ref().unwrap().attributes), ["service.name=\"frontend\""]);
    assert_eq!(resource.scope_spans[0].scope, None);
    assert_eq!(model::hex(&span.trace_id), "5982fe77008310cc80f1da5e10147517");
    assert_eq!(model::hex(&span.span_id), "bd7a977555f6b982");
    assert_eq!(model::hex(&span.parent_span_id), "ebf33e1a81dc6f71");
    assert_eq!((span.name.as_str(), span.kind, span.flags), ("get", 3, 1));
    let times = (span.start_time_unix_nano, span.end_time_unix_nano);
    assert_eq!(times, (1_472_470_996_199_000_000, 1_472_470_996_406_000_000));
    assert_eq!(events(span), ["1472470996238000000 foo", "1472470996403000000 bar"]);
    assert_eq!(
        lines(&span.attributes),
        [
            "clnt/finagle.version=\"6.45.0\"",
            "http.path=\"/api\"",
            "net.host.ip=\"2001:db8::c001\"",
            "net.host.port=8080",
            "net.peer.ip=\"192.168.99.101\"",
            "net.peer.port=9000",
            "peer.service=\"backend\"",
            "zipkin.localEndpoint.ipv4=\"127.0.0.1\"",
            "zipkin.shared=true",
        ]
    );
    assert_eq!(span.status, None);
}

#[test]
fn ids_are_padded_and_refused_by_what_they_are() {
    let check = |trace: &str, id: &str, expected: (&str, &str)| {
        let body = format!(r#"[{{"traceId":"{trace}","id":"{id}"}}]"#);
        let request = translate(zipkin::v2_json, body.as_bytes(), &Options::default());
        let span = only(&request).1;
        assert_eq!((&*model::hex(&span.trace_id), &*model::hex(&span.span_id)), expected, "{trace} {id}");
    };
    check("1", "a", ("00000000000000000000000000000001", "000000000000000a"));
    check("463ac35c9f6413AD", "F", ("0000000000000000463ac35c9f6413ad", "000000000000000f"));
    check("63ac35c9f6413ad48485a3953bb6124", "1", ("063ac35c9f6413ad48485a3953bb6124", "0000000000000001"));
    let refused = |fields: &str, expected: &str| {
        assert_eq!(fails(zipkin::v2_json, format!("[{{{fields}}}]").as_bytes()).to_string(), expected);
    };
    let digits = "expected 1 to 32 hexadecimal digits";
    let long = "0".repeat(33);
    refused(
        &format!(r#""traceId":"{long}""#),
        &format!("an id of 33 characters in span 0 at byte 12, {digits}"),
    );
    refused(r#""traceId":"12g4""#, &format!(r#"the id "12g4" in span 0 at byte 12, {digits}"#));
    refused(r#""traceId":"-1""#, &format!(r#"the id "-1" in span 0 at byte 12, {digits}"#));
    refused(r#""traceId":7"#, "a number in span 0 at byte 12, expected an id as text");
    refused(r#""traceId":"1","id":"00""#, "no span id in span 0 at byte 26, expected one that is not zero");
    refused(r#""traceId":"0","id":"1""#, "no trace id in span 0 at byte 25, expected one that is not zero");
    let digits = "expected 1 to 16 hexadecimal digits";
    refused(r#""id":"00000000000000001""#, &format!("an id of 17 characters in span 0 at byte 7, {digits}"));
}

#[test]
fn a_parent_may_be_none() {
    let check = |fields: &str, expected: &str| {
        assert_eq!(model::hex(&only(&json(fields)).1.parent_span_id), expected, "{fields}");
    };
    check(r#""parentId":"3""#, "0000000000000003");
    check(r#""parentId":null"#, "");
    check(r#""parentId":"""#, "");
    check(r#""parentId":"0000000000000000""#, "");
    check(r#""parentId":"2""#, "");
}

#[test]
fn kinds_are_four_and_none() {
    let check = |fields: &str, expected: i32| assert_eq!(only(&json(fields)).1.kind, expected, "{fields}");
    check(r#""kind":"CLIENT""#, 3);
    check(r#""kind":"SERVER""#, 2);
    check(r#""kind":"PRODUCER""#, 4);
    check(r#""kind":"CONSUMER""#, 5);
    check(r#""kind":null"#, 0);
    check(r#""kind":"""#, 0);
    check(r#""kind":"SPAN_KIND_UNSPECIFIED""#, 0);
    json_fails(
        r#""kind":"LOCAL""#,
        r#"the kind "LOCAL" in span 0 at byte 32, expected CLIENT, SERVER, PRODUCER or CONSUMER"#,
    );
    for (number, expected) in [(0, 0), (1, 3), (2, 2), (3, 4), (4, 5)] {
        let request = proto(|out| {
            put_bytes(out, 1, &[1; 16]);
            put_uint(out, 4, number);
        });
        assert_eq!(only(&request.unwrap()).1.kind, expected);
    }
    let error = proto(|out| put_uint(out, 4, 5)).unwrap_err();
    assert_eq!(error.to_string(), "the kind 5 in span 0 at byte 12, expected 0 to 4");
}

#[test]
fn times_may_be_missing_fractions_and_quoted() {
    const ABSENT: &str = "otel.zipkin.absentField.startTime=true";
    let check = |fields: &str, times: (u64, u64), absent: bool| {
        let request = json(fields);
        let span = only(&request).1;
        assert_eq!((span.start_time_unix_nano, span.end_time_unix_nano), times, "{fields}");
        assert_eq!(lines(&span.attributes).contains(&ABSENT.to_owned()), absent, "{fields}");
    };
    check(r#""timestamp":5,"duration":3"#, (5000, 8000), false);
    check(r#""timestamp":5"#, (5000, 5000), false);
    check(r#""timestamp":5,"duration":null"#, (5000, 5000), false);
    check(r#""timestamp":5.25,"duration":3.9"#, (5250, 8250), false);
    check(r#""timestamp":1.472470996199e15"#, (1_472_470_996_199_000_000, 1_472_470_996_199_000_000), false);
    check(r#""timestamp":"5","duration":"3""#, (5000, 8000), false);
    check(r#""timestamp":5,"duration":-2"#, (5000, 3000), false);
    check(r#""timestamp":5,"duration":-9"#, (5000, 0), false);
    check(
        r#""timestamp":18446744073709551"#,
        (18_446_744_073_709_551_000, 18_446_744_073_709_551_000),
        false,
    );
    check(r#""name":"""#, (0, 0), true);
    check(r#""timestamp":0,"duration":7"#, (0, 7000), true);
    check(r#""timestamp":null"#, (0, 0), true);
    let annotations =
        r#""annotations":[{"timestamp":9,"value":"b"},{"timestamp":4,"value":"a"},{"value":"c"}]"#;
    check(annotations, (4000, 9000), true);
    check(&format!(r#"{annotations},"duration":1"#), (4000, 5000), true);

    let expected = "expected microseconds since 1970, up to 18446744073709551";
    json_fails(r#""timestamp":-1"#, &format!("the time -1 in span 0 at byte 37, {expected}"));
    json_fails(
        r#""timestamp":18446744073709552"#,
        &format!("the time 18446744073709552 in span 0 at byte 37, {expected}"),
    );
    json_fails(r#""timestamp":1e300"#, &format!("the time 1e300 in span 0 at byte 37, {expected}"));
    json_fails(r#""timestamp":"inf""#, &format!("the time inf in span 0 at byte 37, {expected}"));
    json_fails(r#""timestamp":true"#, "a bool in span 0 at byte 37, expected microseconds since 1970");
    json_fails(
        r#""duration":1e300"#,
        "the duration 1e300 in span 0 at byte 36, expected microseconds in 64 bits",
    );
    let error = proto(|out| put_fixed64(out, 6, u64::MAX)).unwrap_err();
    assert_eq!(error.to_string(), format!("the time {} in span 0 at byte 12, {expected}", u64::MAX));
    let error = proto(|out| put_uint(out, 7, u64::MAX)).unwrap_err();
    assert!(error.to_string().starts_with("the duration 18446744073709551615 in span 0"), "{error}");
}

#[test]
fn endpoints_may_be_partial() {
    let check = |fields: &str, expected: &[&str]| {
        let request = json(&format!(r#""timestamp":1,{fields}"#));
        let (resource, span) = only(&request);
        let mut found = lines(&resource.resource.as_ref().unwrap().attributes);
        found.extend(lines(&span.attributes));
        assert_eq!(found, expected, "{fields}");
    };
    check(r#""localEndpoint":null,"remoteEndpoint":{}"#, &[]);
    check(r#""localEndpoint":{"serviceName":"","ipv4":"","ipv6":null,"port":0}"#, &[]);
    check(r#""localEndpoint":{"port":1,"later":[]}"#, &["net.host.port=1"]);
    check(r#""remoteEndpoint":{"port":"65535"}"#, &["net.peer.port=65535"]);
    check(
        r#""remoteEndpoint":{"ipv4":"1.2.3.4","ipv6":"::1"}"#,
        &["net.peer.ip=\"::1\"", "zipkin.remoteEndpoint.ipv4=\"1.2.3.4\""],
    );
    // Tags of these names stay; what the endpoint says besides goes by other names.
    check(
        r#""remoteEndpoint":{"serviceName":"a","ipv4":"1.2.3.4","port":5},
            "tags":{"peer.service":"b","net.peer.ip":"::2","net.peer.port":"6"}"#,
        &[
            "net.peer.ip=\"::2\"",
            "net.peer.port=\"6\"",
            "peer.service=\"b\"",
            "zipkin.remoteEndpoint.ipv4=\"1.2.3.4\"",
            "zipkin.remoteEndpoint.port=5",
            "zipkin.remoteEndpoint.serviceName=\"a\"",
        ],
    );
    check(r#""tags":{"peer.service":"b"},"remoteEndpoint":{"serviceName":"b"}"#, &["peer.service=\"b\""]);
    json_fails(
        r#""localEndpoint":{"port":65536}"#,
        "the port 65536 in span 0 at byte 49, expected 0 to 65535",
    );
    json_fails(r#""localEndpoint":{"port":-1}"#, "the port -1 in span 0 at byte 49, expected 0 to 65535");
    json_fails(r#""localEndpoint":{"port":1.5}"#, "the port 1.5 in span 0 at byte 49, expected 0 to 65535");
    json_fails(r#""localEndpoint":"a""#, "a string in span 0 at byte 41, expected an endpoint");
}

#[test]
fn values_of_tags_keep_their_types() {
    let request = json(
        r#""timestamp":1,"tags":{"a":"x","b":1,"c":1.5,"d":true,"e":null,"f":-9223372036854775808,
            "g":9223372036854775808,"h":1e2,"i":"","\u006a":"\t"}"#,
    );
    assert_eq!(
        lines(&only(&request).1.attributes),
        [
            "a=\"x\"",
            "b=1",
            "c=1.5",
            "d=true",
            "f=-9223372036854775808",
            "g=\"9223372036854775808\"",
            "h=100.0",
            "i=\"\"",
            "j=\"\\t\""
        ]
    );
    json_fails(r#""tags":{"a":[]}"#, "a list in span 0 at byte 37, expected text, a number or a bool");
    json_fails(r#""tags":[]"#, "a list in span 0 at byte 32, expected tags");
}

#[test]
fn text_is_typed_on_demand() {
    let body = br#"[{"traceId":"1","id":"2","timestamp":1,
        "tags":{"a":"1","b":"-2.5","c":"true","d":"x","e":"01","host.id":"7"}}]"#;
    let options = Options { parse_string_tags: true, ..Options::default() };
    let request = translate(zipkin::v2_json, body, &options);
    let (resource, span) = only(&request);
    assert_eq!(lines(&span.attributes), ["a=1", "b=-2.5", "c=true", "d=\"x\"", "e=\"01\""]);
    assert_eq!(lines(&resource.resource.as_ref().unwrap().attributes), ["host.id=7"]);
}

#[test]
fn debug_is_sampled() {
    let check = |field: &str, debug: bool, expected: u32| {
        let body = format!(r#"[{{"traceId":"1","id":"2"{field}}}]"#);
        let options = Options { debug, ..Options::default() };
        assert_eq!(only(&translate(zipkin::v2_json, body.as_bytes(), &options)).1.flags, expected);
    };
    check("", false, 0);
    check("", true, 1);
    check(r#","debug":true"#, false, 1);
    check(r#","debug":false"#, true, 1);
    check(r#","debug":null"#, false, 0);
    json_fails(r#""debug":"true""#, "a string in span 0 at byte 33, expected a bool");
}

#[test]
fn spans_come_by_resource_and_scope_in_order_of_appearance() {
    let spans = [
        (1, "b", r#""host.name":"x""#),
        (2, "a", r#""otel.scope.name":"s""#),
        (3, "b", r#""host.name":"y""#),
        (4, "a", r#""otel.library.name":"s","otel.library.version":"1""#),
        (5, "b", r#""host.name":"x""#),
        (6, "a", r#""otel.library.name":"s""#),
        (7, "", ""),
    ];
    let list = spans.map(|(id, service, tags)| {
        format!(
            r#"{{"id":"{id}","tags":{{{tags}}},"traceId":"1","localEndpoint":{{"serviceName":"{service}"}}}}"#
        )
    });
    let request = translate(zipkin::v2_json, format!("[{}]", list.join(",")).as_bytes(), &Options::default());
    let mut found = Vec::new();
    for resource in &request.resource_spans {
        found.push(lines(&resource.resource.as_ref().unwrap().attributes).join(" "));
        for scope in &resource.scope_spans {
            let name = scope.scope.as_ref().map(|scope| format!("{}{}", scope.name, scope.version));
            let ids: String = scope.spans.iter().map(|span| span.span_id[7].to_string()).collect();
            found.push(format!("{} {ids}", name.unwrap_or_default()));
        }
    }
    assert_eq!(
        found,
        [
            "host.name=\"x\" service.name=\"b\"",
            " 15",
            "service.name=\"a\"",
            "s 26",
            "s1 4",
            "host.name=\"y\" service.name=\"b\"",
            " 3",
            "",
            " 7"
        ]
    );
}

#[test]
fn a_scope_named_like_a_resource_is_not_one() {
    // The name is written as the bytes of the other span's resource.
    let body = br#"[{"traceId":"1","id":"2","localEndpoint":{"serviceName":"cart"}},
        {"traceId":"1","id":"3","tags":{"otel.scope.name":"\n\fservice.name\u0012\u0006\n\u0004cart"}}]"#;
    let request = translate(zipkin::v2_json, body, &Options::default());
    let scopes = request.resource_spans.iter().map(|resource| resource.scope_spans[0].scope.is_some());
    assert_eq!(scopes.collect::<Vec<_>>(), [false, true]);
}

#[test]
fn a_client_and_a_server_share_an_id_and_stay_two() {
    let body = br#"[{"traceId":"1","id":"2","kind":"CLIENT","name":"c"},
        {"traceId":"1","id":"2","kind":"SERVER","name":"s","shared":true}]"#;
    let request = translate(zipkin::v2_json, body, &Options::default());
    let spans = &request.resource_spans[0].scope_spans[0].spans;
    let found: Vec<_> = spans.iter().map(|span| (span.span_id[7], span.kind, span.name.as_str())).collect();
    assert_eq!(found, [(2, 3, "c"), (2, 2, "s")]);
    assert!(lines(&spans[1].attributes).contains(&"zipkin.shared=true".to_owned()));
}

#[test]
fn unknown_fields_and_nulls_are_skipped() {
    let request = json(
        r#""later":{"a":[1,"x",{"b":null}]},"name":null,"tags":null,"annotations":null,"shared":null,
            "timestamp":1,"localEndpoint":{"later":7},"annotations":[{"later":1,"value":null,"timestamp":null}]"#,
    );
    let span = only(&request).1;
    assert_eq!((lines(&span.attributes), events(span)), (vec![], vec!["0 ".to_owned()]));
    json_fails(r#""annotations":[null]"#, "null in span 0 at byte 40, expected an annotation");
}

#[test]
fn protobuf_ids_are_of_8_or_16_bytes() {
    let trace_id = |bytes: &'static [u8]| proto(move |out| put_bytes(out, 1, bytes));
    assert_eq!(only(&trace_id(&[7; 16]).unwrap()).1.trace_id, [7; 16]);
    let short = trace_id(&[7; 8]).unwrap();
    assert_eq!(model::hex(&only(&short).1.trace_id), "00000000000000000707070707070707");
    let check = |result: Result<ExportTraceServiceRequest, Foreign>, expected: &str| {
        assert_eq!(result.unwrap_err().to_string(), expected);
    };
    check(trace_id(&[7; 9]), "an id of 9 bytes in span 0 at byte 12, expected 8 or 16");
    check(trace_id(&[]), "no trace id in span 0 at byte 14, expected one that is not zero");
    check(trace_id(&[0; 8]), "no trace id in span 0 at byte 22, expected one that is not zero");
    check(proto(|out| put_bytes(out, 2, &[1; 4])), "an id of 4 bytes in span 0 at byte 12, expected 8");
    check(
        proto(|out| put_bytes(out, 3, &[0; 8])),
        "no trace id in span 0 at byte 22, expected one that is not zero",
    );
}

#[test]
fn protobuf_fields_of_other_types_and_lengths_are_refused() {
    let check = |write: fn(&mut Vec<u8>), fault: Fault, expected: &str| {
        let error = proto(write).unwrap_err();
        assert_eq!((error.fault, error.to_string().as_str()), (fault, expected));
    };
    check(
        |out| put_uint(out, 5, 1),
        Fault::Malformed,
        "field 5 of Span with another wire type in span 0 at byte 12, expected bytes",
    );
    check(
        |out| put_fixed32(out, 6, 1),
        Fault::Malformed,
        "field 6 of Span with another wire type in span 0 at byte 12, expected a fixed64",
    );
    check(
        |out| put_bytes(out, 12, b"x"),
        Fault::Malformed,
        "field 12 of Span with another wire type in span 0 at byte 12, expected a varint",
    );
    check(
        |out| put_message(out, 8, |out| put_bytes(out, 2, &[1; 3])),
        Fault::Malformed,
        "an address of 3 bytes in span 0 at byte 14, expected 4 bytes",
    );
    check(
        |out| put_message(out, 9, |out| put_bytes(out, 3, &[1; 4])),
        Fault::Malformed,
        "an address of 4 bytes in span 0 at byte 14, expected 16 bytes",
    );
    check(
        |out| put_message(out, 9, |out| put_uint(out, 4, u64::MAX)),
        Fault::Malformed,
        "the port -1 in span 0 at byte 14, expected 0 to 65535",
    );
    check(
        |out| out.extend([0x5a, 0x02, 0x0a, 0x05]),
        Fault::Truncated,
        "2 bytes of a field of Span.TagsEntry in span 0 at byte 14, expected all of it",
    );
    check(
        |out| out.extend([0x0b]),
        Fault::Malformed,
        "wire type 3 of Span in span 0 at byte 12, expected 0, 1, 2 or 5",
    );
    check(
        |out| out.extend([0x00]),
        Fault::Malformed,
        "a field number out of range of Span in span 0 at byte 12, expected 1 to 536870911",
    );
}

#[test]
fn protobuf_text_that_is_not_utf8_is_made_so() {
    let request = proto(|out| {
        put_bytes(out, 1, &[1; 16]);
        put_bytes(out, 5, b"a\xffb");
        put_message(out, 11, |out| {
            put_bytes(out, 1, b"k\xfe");
            put_bytes(out, 2, b"\xc3");
        });
        put_fixed64(out, 6, 1);
        // Unknown ones are skipped.
        put_bytes(out, 99, b"\xff");
        put_fixed32(out, 98, 1);
    });
    let request = request.unwrap();
    let span = only(&request).1;
    assert_eq!(span.name, "a\u{fffd}b");
    assert_eq!(lines(&span.attributes), ["k\u{fffd}=\"\u{fffd}\""]);
}

#[test]
fn protobuf_messages_in_parts_are_one() {
    let request = proto(|out| {
        put_bytes(out, 1, &[1; 16]);
        put_fixed64(out, 6, 1);
        put_message(out, 8, |out| put_bytes(out, 1, b"cart"));
        put_message(out, 8, |out| put_uint(out, 4, 80));
    });
    let request = request.unwrap();
    let (resource, span) = only(&request);
    assert_eq!(lines(&resource.resource.as_ref().unwrap().attributes), ["service.name=\"cart\""]);
    assert_eq!(lines(&span.attributes), ["net.host.port=80"]);
}

#[test]
fn json_that_is_not_utf8_is_refused() {
    for (name, with) in ALL.into_iter().filter(|(name, _)| name.contains("JSON")) {
        let error = fails(with, b"[{\"name\":\"\xff\"}]");
        assert_eq!(error.to_string(), "byte 0xff at byte 10, expected UTF-8", "{name}");
    }
}
