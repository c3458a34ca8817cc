//! OTLP/JSON to OTLP: spans of ten attributes and an event, as SDKs write them, sixteen a request.

use std::fmt::Write;
use std::hint::black_box;

use spanloom_wire::otlp_json;

use crate::{Line, measure};

const SPANS_A_REQUEST: usize = 16;

/// What all spans have in common.
const REST: &str = concat!(
    r#""name":"GET /cart/{id}/items","kind":2,"flags":257,"attributes":["#,
    r#"{"key":"http.request.method","value":{"stringValue":"GET"}},"#,
    r#"{"key":"http.route","value":{"stringValue":"/cart/{id}/items"}},"#,
    r#"{"key":"url.path","value":{"stringValue":"/cart/8c1f2a/items"}},"#,
    r#"{"key":"server.address","value":{"stringValue":"shop.example.com"}},"#,
    r#"{"key":"user_agent.original","value":{"stringValue":"Mozilla/5.0 (X11; Linux x86_64) \"Test\""}},"#,
    r#"{"key":"http.response.status_code","value":{"intValue":"200"}},"#,
    r#"{"key":"server.port","value":{"intValue":8443}},"#,
    r#"{"key":"retry","value":{"boolValue":false}},"#,
    r#"{"key":"share","value":{"doubleValue":0.25}},"#,
    r#"{"key":"tags","value":{"arrayValue":{"values":[{"stringValue":"a"},{"stringValue":"b"}]}}}],"#,
    r#""events":[{"timeUnixNano":"1785585600121000000","name":"looked up","#,
    r#""attributes":[{"key":"cache","value":{"stringValue":"miss"}}]}],"#,
    r#""status":{"code":1},"droppedAttributesCount":0}"#,
);

/// Translates requests.
pub fn run(spans: usize) -> Vec<Line> {
    let texts: Vec<String> = (0..spans.div_ceil(SPANS_A_REQUEST)).map(request).collect();
    let units = texts.len() * SPANS_A_REQUEST;
    let mut line = measure(
        "otlp json",
        "span",
        units,
        || (),
        |()| {
            for text in &texts {
                black_box(otlp_json::to_proto(text.as_bytes()).is_ok());
            }
        },
    );
    let proto = otlp_json::to_proto(texts[0].as_bytes()).expect("a request that is right").len();
    let bytes: usize = texts.iter().map(String::len).sum();
    let rate = bytes as f64 / units as f64 / line.wall_ns * 1e9 / (1 << 20) as f64;
    line.note = format!("{} B/span, OTLP {} B/span, {rate:.0} MiB/s", bytes / units, proto / SPANS_A_REQUEST);
    vec![line]
}

fn request(nth: usize) -> String {
    let mut out = String::from(
        r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},"scopeSpans":[{"scope":{"name":"http"},"spans":["#,
    );
    for span in 0..SPANS_A_REQUEST {
        let (comma, parent, start) =
            (if span > 0 { "," } else { "" }, span / 2, 1_785_585_600_120_000_000 + nth);
        // Writing to a String does not fail.
        let _ = write!(
            out,
            r#"{comma}{{"traceId":"a1b2c3d4e5f60718{nth:016x}","spanId":"80000000{span:08x}","parentSpanId":"80000000{parent:08x}","startTimeUnixNano":"{start}","endTimeUnixNano":"{}","#,
            start + 3_456_789
        );
        out.push_str(REST);
    }
    out.push_str("]}]}]}");
    out
}
