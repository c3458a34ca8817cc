//! The seeds of the fuzz target `otlp_slice`, made by hand, as an ordinary test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)] // a test answers by panicking

#[path = "../../../engine/fuzz/corpus.rs"]
mod corpus;
#[path = "fuzz/otlp_slice.rs"]
mod otlp_slice;

use spanloom_span::proto::{
    put_bytes, put_fixed32, put_fixed64, put_message, put_text, put_uint, put_varint,
};

#[test]
fn otlp_slice_holds_for_every_seed() {
    corpus::check("otlp_slice", &seeds(), otlp_slice::holds);
}

/// Bytes of a request with one resource, one scope and these spans.
fn request(spans: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    put_message(&mut out, 1, |resource_spans| {
        put_message(resource_spans, 1, |resource| attribute(resource, 1, "service.name", text("shop")));
        put_message(resource_spans, 2, |scope_spans| {
            put_message(scope_spans, 1, |scope| put_text(scope, 1, b"tracer"));
            spans.iter().for_each(|span| put_bytes(scope_spans, 2, span));
        });
        put_text(resource_spans, 3, b"https://example.org/schema");
    });
    out
}

/// A span with ids, and what `more` adds.
fn span(trace: u8, id: u8, more: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    put_bytes(&mut out, 1, &[trace; 16]);
    put_bytes(&mut out, 2, &[id; 8]);
    put_text(&mut out, 5, b"GET /");
    put_uint(&mut out, 6, 2);
    put_fixed64(&mut out, 7, 1_700_000_000_000_000_000);
    put_fixed64(&mut out, 8, 1_700_000_000_250_000_000);
    more(&mut out);
    out
}

fn attribute(out: &mut Vec<u8>, field: u32, key: &str, value: Vec<u8>) {
    put_message(out, field, |out| {
        put_text(out, 1, key.as_bytes());
        put_bytes(out, 2, &value);
    });
}

fn text(value: &str) -> Vec<u8> {
    message(|out| put_bytes(out, 1, value.as_bytes()))
}

fn message(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out);
    out
}

/// An array value of array values, so many deep.
fn nested(depth: u32) -> Vec<u8> {
    (0..depth)
        .fold(text("x"), |inner, _| message(|out| put_message(out, 5, |list| put_bytes(list, 1, &inner))))
}

/// One attribute of each type.
fn every_type(out: &mut Vec<u8>) {
    let varint = |field: u8, value: u64| {
        message(|out| {
            out.push(field << 3);
            put_varint(out, value)
        })
    };
    let values = [
        ("text", text("x")),
        ("bool", varint(2, 1)),
        ("int", varint(3, u64::MAX)),
        ("double", message(|out| put_fixed64(out, 4, f64::to_bits(0.25)))),
        ("nan", message(|out| put_fixed64(out, 4, f64::NAN.to_bits()))),
        ("array", nested(1)),
        ("map", message(|out| put_message(out, 6, |map| attribute(map, 1, "k", text("v"))))),
        ("bytes", message(|out| put_bytes(out, 7, &[0, 255]))),
        ("none", Vec::new()),
    ];
    values.into_iter().for_each(|(key, value)| attribute(out, 9, key, value));
}

/// An event, a link, a status, a parent, a trace state, flags and dropped counts.
fn every_field(out: &mut Vec<u8>) {
    put_bytes(out, 4, &[9; 8]);
    put_text(out, 3, b"vendor=1");
    put_message(out, 11, |event| {
        put_fixed64(event, 1, 1_700_000_000_100_000_000);
        put_text(event, 2, b"exception");
        attribute(event, 3, "exception.type", text("E"));
        put_uint(event, 4, 1);
    });
    put_message(out, 13, |link| {
        put_bytes(link, 1, &[7; 16]);
        put_bytes(link, 2, &[8; 8]);
        attribute(link, 4, "rank", text("1"));
        put_fixed32(link, 6, 0x101);
    });
    put_message(out, 15, |status| {
        put_text(status, 2, b"declined");
        put_uint(status, 3, 2);
    });
    [10, 12, 14].into_iter().for_each(|field| put_uint(out, field, 3));
    put_fixed32(out, 16, 0x101);
}

/// A request with a value that is set twice: first to a field of these bytes, then to a text.
fn overridden(field: u32, bytes: &[u8]) -> Vec<u8> {
    let value = message(|out| {
        put_bytes(out, field, bytes);
        put_text(out, 1, b"last");
    });
    request(&[span(1, 1, |out| attribute(out, 9, "twice", value))])
}

fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let plain = |trace, id| span(trace, id, |_| ());
    let mut truncated = request(&[span(1, 1, every_field)]);
    truncated.truncate(truncated.len() - 7);
    let old_field = message(|out| {
        put_message(out, 1, |resource| {
            put_message(resource, 1000, |scope| put_bytes(scope, 2, &plain(1, 1)))
        });
    });
    vec![
        ("empty", Vec::new()),
        ("one-span", request(&[plain(1, 1)])),
        ("every-type", request(&[span(1, 1, every_type)])),
        ("every-field", request(&[span(1, 1, every_field)])),
        ("three-traces", request(&[plain(1, 1), plain(2, 2), plain(1, 3), plain(3, 4), plain(2, 2)])),
        ("no-spans", request(&[])),
        ("two-requests-in-one", [request(&[plain(1, 1)]), request(&[plain(1, 2)])].concat()),
        ("nested-31", request(&[span(1, 1, |out| attribute(out, 9, "deep", nested(31)))])),
        ("nested-99", request(&[span(1, 1, |out| attribute(out, 9, "deep", nested(99)))])),
        ("truncated", truncated),
        ("zero-trace-id", request(&[plain(0, 1)])),
        (
            "short-span-id",
            request(&[message(|out| {
                put_bytes(out, 1, &[1; 16]);
                put_bytes(out, 2, &[1; 7]);
            })]),
        ),
        ("bad-utf8", request(&[span(1, 1, |out| put_bytes(out, 5, b"\xff\xfe"))])),
        (
            "unknown-fields",
            request(&[span(1, 1, |out| {
                put_uint(out, 99, 7);
                put_bytes(out, 100, b"later")
            })]),
        ),
        ("wrong-wire-type", request(&[span(1, 1, |out| put_uint(out, 5, 7))])),
        ("repeated-scalars", request(&[span(1, 1, |out| put_bytes(out, 1, &[2; 16]))])),
        ("instrumentation-library", old_field),
        ("overridden-list-truncated", overridden(5, &[0x0a, 0x7f])),
        ("overridden-text-no-utf8", overridden(1, &[0xff])),
    ]
}
