//! Stop 2, before the walk: Zipkin's four encodings to OTLP.
//!
//! A span has ten tags, two annotations and both endpoints, as a traced HTTP server's has. Requests are of 200
//! spans of one service, a fifth of them with an error.

use std::fmt::Write;
use std::hint::black_box;

use spanloom_span::proto::{put_bytes, put_fixed64, put_message, put_text, put_uint};
use spanloom_wire::Foreign;
use spanloom_wire::thrift::{Protocol, Type, Writer};
use spanloom_wire::zipkin::{self, Options};

use crate::{Line, measure};

const SPANS_A_REQUEST: usize = 200;

struct Span {
    trace_id: [u8; 16],
    id: [u8; 8],
    timestamp: u64,
    tags: Vec<(&'static str, String)>,
}

type Encode = fn(&[Span]) -> Vec<u8>;
type Translate = fn(&[u8], &Options, usize, &mut Vec<u8>) -> Result<u64, Foreign>;

/// Translates requests in each encoding.
pub fn run(spans: usize) -> Vec<Line> {
    let count = spans.div_ceil(SPANS_A_REQUEST);
    let encodings: [(&str, Translate, Encode); 4] = [
        ("zipkin v2 JSON", zipkin::v2_json, v2_json),
        ("zipkin v2 protobuf", zipkin::v2_proto, v2_proto),
        ("zipkin v1 JSON", zipkin::v1_json, v1_json),
        ("zipkin v1 Thrift", zipkin::v1_thrift, v1_thrift),
    ];
    encodings.map(|(name, translate, encode)| one(name, count, translate, encode)).into()
}

fn one(name: &str, count: usize, translate: Translate, encode: Encode) -> Line {
    // A few requests over and over: what is measured is the translation, not the memory they lie in.
    let requests: Vec<Vec<u8>> = (0..count.min(64)).map(|seed| encode(&sample(seed as u64))).collect();
    let bytes: usize = requests.iter().map(Vec::len).sum();
    let mut out = Vec::new();
    let mut line = measure(
        name,
        "span",
        count * SPANS_A_REQUEST,
        || (),
        |()| {
            for request in requests.iter().cycle().take(count) {
                out.clear();
                let spans = translate(request, &Options::default(), usize::MAX, &mut out);
                assert_eq!(black_box(spans), Ok(SPANS_A_REQUEST as u64));
            }
        },
    );
    let read = bytes as f64 / (requests.len() * SPANS_A_REQUEST) as f64;
    line.note = format!("{read:.0} B/span read, {} B/span written", out.len() / SPANS_A_REQUEST);
    line
}

fn sample(seed: u64) -> Vec<Span> {
    let mixed = |number: u64| (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
    (0..SPANS_A_REQUEST as u64)
        .map(|number| {
            let id = mixed(seed * SPANS_A_REQUEST as u64 + number);
            let mut trace_id = [1; 16];
            trace_id[8..].copy_from_slice(&mixed(number / 8));
            let mut tags = vec![
                ("http.method", "GET".to_owned()),
                ("http.path", format!("/api/v1/carts/{}/items", number * 7919)),
                ("http.status_code", if number % 5 == 0 { "500" } else { "200" }.to_owned()),
                ("http.route", "/api/v1/carts/{id}/items".to_owned()),
                ("component", "spring-webmvc".to_owned()),
                ("mvc.controller.class", "CartController".to_owned()),
                ("mvc.controller.method", "items".to_owned()),
                ("user.tier", "gold".to_owned()),
                ("db.rows", (number * 3).to_string()),
            ];
            let (key, value) = if number % 5 == 0 { ("error", "timed out") } else { ("cache.hit", "true") };
            tags.push((key, value.to_owned()));
            Span { trace_id, id, timestamp: 1_700_000_000_000_000 + number * 1000, tags }
        })
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

const LOCAL: &str = r#"{"serviceName":"cart","ipv4":"10.1.2.3","port":8080}"#;
const REMOTE: &str = r#"{"serviceName":"web","ipv4":"10.9.8.7","port":51234}"#;
const NOTES: [(u64, &str); 2] = [(40, "cache.miss"), (900, "http.response.first_byte")];

fn v2_json(spans: &[Span]) -> Vec<u8> {
    let mut out = String::from("[");
    for span in spans {
        let tags: Vec<String> =
            span.tags.iter().map(|(key, value)| format!("\"{key}\":\"{value}\"")).collect();
        let notes =
            NOTES.map(|(at, value)| format!(r#"{{"timestamp":{},"value":"{value}"}}"#, span.timestamp + at));
        let written = write!(
            out,
            r#"{{"traceId":"{}","parentId":"00000000000000ff","id":"{}","kind":"SERVER","name":"get /carts","timestamp":{},"duration":1500,"localEndpoint":{LOCAL},"remoteEndpoint":{REMOTE},"annotations":[{}],"tags":{{{}}},"shared":true}},"#,
            hex(&span.trace_id),
            hex(&span.id),
            span.timestamp,
            notes.join(","),
            tags.join(",")
        );
        written.expect("text");
    }
    out.pop();
    out.push(']');
    out.into_bytes()
}

fn v1_json(spans: &[Span]) -> Vec<u8> {
    let mut out = String::from("[");
    for span in spans {
        let tags: Vec<String> = span
            .tags
            .iter()
            .map(|(key, value)| format!(r#"{{"key":"{key}","value":"{value}","endpoint":{LOCAL}}}"#))
            .collect();
        let notes = [(0, "sr"), (1500, "ss"), NOTES[0], NOTES[1]].map(|(at, value)| {
            format!(r#"{{"timestamp":{},"value":"{value}","endpoint":{LOCAL}}}"#, span.timestamp + at)
        });
        let written = write!(
            out,
            r#"{{"traceId":"{}","parentId":"00000000000000ff","id":"{}","name":"get /carts","timestamp":{},"duration":1500,"annotations":[{}],"binaryAnnotations":[{},{{"key":"ca","value":true,"endpoint":{REMOTE}}}]}},"#,
            hex(&span.trace_id),
            hex(&span.id),
            span.timestamp,
            notes.join(","),
            tags.join(",")
        );
        written.expect("text");
    }
    out.pop();
    out.push(']');
    out.into_bytes()
}

fn v2_proto(spans: &[Span]) -> Vec<u8> {
    let endpoint = |out: &mut Vec<u8>, service: &str, ip: [u8; 4], port: u64| {
        put_text(out, 1, service.as_bytes());
        put_bytes(out, 2, &ip);
        put_uint(out, 4, port);
    };
    let mut out = Vec::new();
    for span in spans {
        put_message(&mut out, 1, |out| {
            put_bytes(out, 1, &span.trace_id);
            put_bytes(out, 2, &[255; 8]);
            put_bytes(out, 3, &span.id);
            put_uint(out, 4, 2);
            put_text(out, 5, b"get /carts");
            put_fixed64(out, 6, span.timestamp);
            put_uint(out, 7, 1500);
            put_message(out, 8, |out| endpoint(out, "cart", [10, 1, 2, 3], 8080));
            put_message(out, 9, |out| endpoint(out, "web", [10, 9, 8, 7], 51234));
            for (at, value) in NOTES {
                put_message(out, 10, |out| {
                    put_fixed64(out, 1, span.timestamp + at);
                    put_text(out, 2, value.as_bytes());
                });
            }
            for (key, value) in &span.tags {
                put_message(out, 11, |out| {
                    put_text(out, 1, key.as_bytes());
                    put_text(out, 2, value.as_bytes());
                });
            }
            put_uint(out, 13, 1);
        });
    }
    out
}

fn v1_thrift(spans: &[Span]) -> Vec<u8> {
    let endpoint = |out: &mut Writer, service: &str, ip: [u8; 4], port: u16| {
        out.i32_field(1, i32::from_be_bytes(ip));
        out.field(2, Type::I16);
        out.i16(port as i16);
        out.bytes_field(3, service.as_bytes());
    };
    let local = |out: &mut Writer| endpoint(out, "cart", [10, 1, 2, 3], 8080);
    let mut out = Writer::new(Protocol::Binary);
    out.list(Type::Struct, spans.len());
    for span in spans {
        out.structure(|out| {
            let [low, high] = [8, 0].map(|from| {
                span.trace_id[from..].first_chunk().map_or(0, |bytes| i64::from_be_bytes(*bytes))
            });
            out.i64_field(1, low);
            out.bytes_field(3, b"get /carts");
            out.i64_field(4, i64::from_be_bytes(span.id));
            out.i64_field(5, 255);
            let notes = [(0, "sr"), (1500, "ss"), NOTES[0], NOTES[1]];
            out.structs_field(6, &notes, |out, (at, value)| {
                out.i64_field(1, (span.timestamp + at) as i64);
                out.bytes_field(2, value.as_bytes());
                out.struct_field(3, local);
            });
            let mut values: Vec<(&str, &[u8], i32)> =
                span.tags.iter().map(|(key, value)| (*key, value.as_bytes(), 6)).collect();
            values.push(("ca", &[1], 0));
            out.structs_field(8, &values, |out, (key, value, kind)| {
                out.bytes_field(1, key.as_bytes());
                out.bytes_field(2, value);
                out.i32_field(3, *kind);
                out.struct_field(4, |out| match *kind {
                    0 => endpoint(out, "web", [10, 9, 8, 7], 51234),
                    _ => local(out),
                });
            });
            out.i64_field(10, span.timestamp as i64);
            out.i64_field(11, 1500);
            out.i64_field(12, high);
        });
    }
    out.into_bytes()
}
