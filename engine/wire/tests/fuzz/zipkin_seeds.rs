//! Seeds of `zipkin_json` and `zipkin_binary`: what senders send, and what they should not.

use spanloom_wire::thrift::Protocol;

use super::zipkin_model::{Endpoint, Span, thrift_list, v1_json, v2_json, v2_proto};

/// A span with every field, and one with every tag that stands for something else.
fn spans() -> [Span; 2] {
    let text = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
    let full = Span {
        trace_id: [1; 16],
        id: [2; 8],
        parent: Some([3; 8]),
        name: "get \u{e9}".to_owned(),
        kind: 1,
        timestamp: 1_472_470_996_199_000,
        duration: 207_000,
        local: Endpoint { service: "cart".to_owned(), ipv4: Some([10, 1, 2, 3]), ipv6: None, port: 80 },
        remote: Endpoint { service: "db".to_owned(), ipv4: None, ipv6: Some([9; 16]), port: 5432 },
        annotations: vec![
            (1_472_470_996_200_000, "retry".to_owned()),
            (1_472_470_996_210_000, r#""e": {"k": [1, "x"]}"#.to_owned()),
            (1_472_470_996_220_000, r#"{"e": {"k": {"n": null}}}"#.to_owned()),
            (1_472_470_996_230_000, r#"e|{"k": 0.5}|2"#.to_owned()),
        ],
        tags: [("http.path", "/api"), ("n", "-12.5"), ("error", "timed out"), ("net.peer.ip", "::1")]
            .map(text)
            .into(),
        debug: true,
        shared: true,
    };
    let told = Span {
        trace_id: [1; 16],
        id: [4; 8],
        timestamp: 7,
        local: Endpoint { service: "cart".to_owned(), ..Endpoint::default() },
        tags: [
            ("host.name", "pod"),
            ("lc", "x"),
            ("otel.dropped_events_count", "3"),
            ("otel.library.name", "lib"),
            ("otel.scope.version", "1"),
            ("otel.status_code", "ERROR"),
            ("otel.status_description", "no"),
            ("otlp.link.0", "0102030405060708090a0b0c0d0e0f10|1112131415161718|a=b|{\"k\":1}|2"),
            ("otlp.service.name.source", "faas.name"),
            ("peer.service", "db"),
            ("service.name", "shop"),
            ("span.kind", "client"),
            ("w3c.tracestate", "a=b"),
        ]
        .map(text)
        .into(),
        ..Span::default()
    };
    [full, told]
}

fn with(how: u8, body: &[u8]) -> Vec<u8> {
    [&[how], body].concat()
}

pub fn json() -> Vec<(&'static str, Vec<u8>)> {
    let spans = spans();
    let (v1, v2) = (v1_json(&spans), v2_json(&spans));
    let deep = format!(r#"[{{"later":{}"#, "[".repeat(200));
    vec![
        ("empty", Vec::new()),
        ("no-spans", with(0, b"[]")),
        ("v2", with(0, &v2)),
        ("v2-debug-typed", with(6, &v2)),
        ("v2-cut", with(0, &v2[..v2.len() / 2])),
        ("v1", with(1, &v1)),
        ("v1-cut", with(1, &v1[..v1.len() / 2])),
        (
            "v1-values",
            with(
                1,
                br#"[{"id":"2","traceId":"1","annotations":null,"binaryAnnotations":[{"key":"sa",
            "value":true,"endpoint":{"serviceName":"db"}},{"key":"n","value":"+/8=","type":"BYTES"},
            {"key":"c","value":1e9}],"timestamp":"5.5","duration":-7,"debug":false,"later":{"a":[null]}}]"#,
            ),
        ),
        (
            "escapes",
            with(0, br#"[{"id":"2","traceId":"1","name":"\ud83d\ude00\ud800\n","tags":{"\u0065rror":""}}]"#),
        ),
        ("deep", with(0, deep.as_bytes())),
        ("bad-utf8", with(0, b"[{\"name\":\"\xff\"}]")),
    ]
}

pub fn binary() -> Vec<(&'static str, Vec<u8>)> {
    let spans = spans();
    let (proto, binary, compact) =
        (v2_proto(&spans), thrift_list(Protocol::Binary, &spans), thrift_list(Protocol::Compact, &spans));
    vec![
        ("empty", Vec::new()),
        ("proto", with(0, &proto)),
        ("proto-debug-typed", with(12, &proto)),
        ("proto-cut", with(0, &proto[..proto.len() / 2])),
        ("proto-short-trace-id", with(0, b"\x0a\x14\x0a\x08traceid8\x1a\x08spanid_8")),
        ("thrift", with(1, &binary)),
        ("thrift-cut", with(1, &binary[..binary.len() / 2])),
        ("thrift-large-claim", with(1, &[12, 0x7f, 0xff, 0xff, 0xff])),
        ("thrift-no-spans", with(1, &[12, 0, 0, 0, 0])),
        ("compact", with(2, &compact)),
        ("compact-cut", with(2, &compact[..compact.len() / 2])),
    ]
}
