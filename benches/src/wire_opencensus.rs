//! OpenCensus to OTLP: spans of ten attributes, an annotation and a message event, sixteen a message.

use std::fmt::Write;
use std::hint::black_box;

use spanloom_span::proto::{put_bytes, put_message, put_text, put_uint};
use spanloom_wire::opencensus::Stream;

use crate::{Line, measure};

const SPANS_A_MESSAGE: usize = 16;
const ROOM: usize = 64 << 20;
const START: u64 = 1_785_585_600;

/// Keys and texts of the attributes that are text.
const TEXTS: [(&str, &str); 7] = [
    ("http.method", "GET"),
    ("http.route", "/cart/{id}/items"),
    ("http.host", "shop.example.com"),
    ("http.path", "/cart/8c1f2a/items"),
    ("http.user_agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101"),
    ("deployment.environment", "production"),
    ("peer.address", "10.11.12.13:8443"),
];

/// Translates messages as clients send them, as protobuf and as JSON.
pub fn run(spans: usize) -> Vec<Line> {
    let messages = spans.div_ceil(SPANS_A_MESSAGE);
    let proto: Vec<Vec<u8>> = (0..messages).map(proto).collect();
    let json: Vec<String> = (0..messages).map(json).collect();
    let units = messages * SPANS_A_MESSAGE;
    let mut out = Vec::new();
    let by_proto = measure(
        "opencensus proto",
        "span",
        units,
        || (),
        |()| {
            let mut stream = Stream::default();
            for message in &proto {
                out.clear();
                black_box(stream.translate(message, ROOM, &mut out).expect("a message that is right"));
            }
        },
    );
    let mut out = Vec::new();
    let by_json = measure(
        "opencensus json",
        "span",
        units,
        || (),
        |()| {
            for body in &json {
                out.clear();
                let spans = Stream::default().translate_json(body.as_bytes(), ROOM, &mut out);
                black_box(spans.expect("a body that is right"));
            }
        },
    );
    let size =
        |bytes: usize| format!("{} B/span, OTLP {} B/span", bytes / units, out.len() / SPANS_A_MESSAGE);
    vec![
        Line { note: size(proto.iter().map(Vec::len).sum()), ..by_proto },
        Line { note: size(json.iter().map(String::len).sum()), ..by_json },
    ]
}

fn trace_id(message: usize) -> [u8; 16] {
    (message as u128 | 0xa1b2_c3d4_e5f6_0718 << 64).to_be_bytes()
}

fn span_id(message: usize, nth: usize) -> [u8; 8] {
    ((message as u64) << 8 | nth as u64 | 0x8000_0000_0000_0000).to_be_bytes()
}

fn proto(message: usize) -> Vec<u8> {
    let mut out = Vec::new();
    put_message(&mut out, 1, |out| {
        put_message(out, 1, |out| {
            put_text(out, 1, b"shop-7d9f8b6c5-x2x4z");
            put_uint(out, 2, 4242);
        });
        put_message(out, 3, |out| put_text(out, 1, b"shop"));
    });
    for nth in 0..SPANS_A_MESSAGE {
        put_message(&mut out, 2, |out| put_span(out, message, nth));
    }
    out
}

fn put_span(out: &mut Vec<u8>, message: usize, nth: usize) {
    let truncatable = |out: &mut Vec<u8>, field, text: &str| {
        put_message(out, field, |out| put_text(out, 1, text.as_bytes()));
    };
    let time = |out: &mut Vec<u8>, field, nanos: u64| {
        put_message(out, field, |out| {
            put_uint(out, 1, START + message as u64);
            put_uint(out, 2, nanos);
        });
    };
    let attribute = |out: &mut Vec<u8>, key: &str, value: &dyn Fn(&mut Vec<u8>)| {
        put_message(out, 1, |out| {
            put_text(out, 1, key.as_bytes());
            put_message(out, 2, value);
        });
    };
    put_bytes(out, 1, &trace_id(message));
    put_bytes(out, 2, &span_id(message, nth));
    put_bytes(out, 3, &span_id(message, nth / 2));
    truncatable(out, 4, "GET /cart/{id}/items");
    time(out, 5, 120_000_000);
    time(out, 6, 123_456_789);
    put_message(out, 7, |out| {
        for (key, text) in TEXTS {
            attribute(out, key, &|out| truncatable(out, 1, text));
        }
        attribute(out, "http.status_code", &|out| put_uint(out, 2, 200));
        attribute(out, "request.size", &|out| put_uint(out, 2, 18_000 + nth as u64));
        attribute(out, "retry", &|out| put_uint(out, 3, 1));
    });
    put_message(out, 9, |out| {
        put_message(out, 1, |out| {
            time(out, 1, 121_000_000);
            put_message(out, 2, |out| {
                truncatable(out, 1, "looked up");
                put_message(out, 2, |out| attribute(out, "cache", &|out| truncatable(out, 1, "miss")));
            });
        });
        put_message(out, 1, |out| {
            time(out, 1, 122_000_000);
            put_message(out, 3, |out| {
                (1..=4).for_each(|field| put_uint(out, field, 700 * u64::from(field / 2)))
            });
        });
    });
    put_message(out, 11, |out| put_uint(out, 1, 0));
    put_message(out, 12, |out| put_uint(out, 1, 1));
    put_uint(out, 14, 1);
}

/// The same as a gateway's clients write it.
fn json(message: usize) -> String {
    use base64::Engine;
    let base64 = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
    let mut out = String::from(
        r#"{"node":{"identifier":{"hostName":"shop-7d9f8b6c5-x2x4z","pid":4242},"serviceInfo":{"name":"shop"}},"spans":["#,
    );
    for nth in 0..SPANS_A_MESSAGE {
        let (trace_id, span_id, parent) =
            (base64(&trace_id(message)), base64(&span_id(message, nth)), base64(&span_id(message, nth / 2)));
        let comma = if nth > 0 { "," } else { "" };
        // Writing to a String does not fail.
        let _ =
            write!(out, r#"{comma}{{"traceId":"{trace_id}","spanId":"{span_id}","parentSpanId":"{parent}","#);
        out.push_str(r#""name":{"value":"GET /cart/{id}/items"},"kind":"SERVER","startTime":"2026-08-01T12:00:00.120Z","endTime":"2026-08-01T12:00:00.123456789Z","attributes":{"attributeMap":{"#);
        for (key, text) in TEXTS {
            let _ = write!(out, r#""{key}":{{"stringValue":{{"value":"{text}"}}}},"#);
        }
        let _ = write!(out, r#""request.size":{{"intValue":"{}"}},"#, 18_000 + nth);
        out.push_str(concat!(
            r#""http.status_code":{"intValue":"200"},"retry":{"boolValue":true}}},"timeEvents":{"timeEvent":["#,
            r#"{"time":"2026-08-01T12:00:00.121Z","annotation":{"description":{"value":"looked up"},"#,
            r#""attributes":{"attributeMap":{"cache":{"stringValue":{"value":"miss"}}}}}},"#,
            r#"{"time":"2026-08-01T12:00:00.122Z","messageEvent":{"type":"SENT","id":"1","#,
            r#""uncompressedSize":"700","compressedSize":"1400"}}]},"status":{},"sameProcessAsParentSpan":true}"#,
        ));
    }
    out.push_str("]}");
    out
}
