//! Jaeger's batches to OTLP: a server span of ten tags and one log, in each form.

use std::hint::black_box;

use spanloom_span::proto::{put_bytes, put_fixed64, put_message, put_uint};
use spanloom_wire::jaeger::{datagram, post_spans};
use spanloom_wire::thrift::{MessageKind, Protocol, Type, Writer};

use crate::{Line, measure};

/// Spans of a batch.
const BATCH: usize = 100;
/// Room that is never short.
const ROOM: usize = 1 << 30;

/// What the tags of span `n` say. The kinds are those of an HTTP server's span from jaeger-client.
fn texts(n: usize) -> [(&'static str, String); 7] {
    [
        ("span.kind", "server".to_owned()),
        ("component", "net/http".to_owned()),
        ("http.method", if n.is_multiple_of(4) { "POST" } else { "GET" }.to_owned()),
        ("http.url", format!("http://shop.internal:8080/api/v1/cart/{}", n % 1000)),
        ("peer.address", format!("10.1.{}.{}:40{:03}", n % 7, n % 251, n % 1000)),
        ("user.id", format!("user-{:06}", n * 7919 % 1_000_000)),
        ("region", "eu-central-1".to_owned()),
    ]
}

const LONGS: [(&str, i64); 2] = [("http.status_code", 200), ("http.response_size", 48_213)];
const LOG: [(&str, &str); 2] =
    [("event", "cache miss"), ("message", "cart not found in cache, asking the database")];

/// The ids and time of span `n`.
fn facts(n: usize) -> (u64, u64, u64, i64) {
    let id = (n as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (id.rotate_left(17), id, id.rotate_left(31), 1_700_000_000_000_000 + n as i64 * 37)
}

fn thrift_tags(
    out: &mut Writer,
    id: i16,
    texts: &[(&str, &str)],
    longs: &[(&str, i64)],
    truth: Option<&str>,
) {
    out.field(id, Type::List);
    out.list(Type::Struct, texts.len() + longs.len() + usize::from(truth.is_some()));
    let key = |out: &mut Writer, key: &str, kind| {
        out.bytes_field(1, key.as_bytes());
        out.i32_field(2, kind);
    };
    for (name, value) in texts {
        out.structure(|out| {
            key(out, name, 0);
            out.bytes_field(3, value.as_bytes());
        });
    }
    for (name, value) in longs {
        out.structure(|out| {
            key(out, name, 3);
            out.i64_field(6, *value);
        });
    }
    if let Some(name) = truth {
        out.structure(|out| {
            key(out, name, 2);
            out.bool_field(5, true);
        });
    }
}

fn thrift_span(out: &mut Writer, n: usize) {
    let (low, high, id, start) = facts(n);
    out.i64_field(1, low as i64);
    out.i64_field(2, high as i64);
    out.i64_field(3, id as i64);
    out.i64_field(4, id.rotate_left(3) as i64);
    out.bytes_field(5, b"HTTP GET /api/v1/cart/{id}");
    out.i32_field(7, 1);
    out.i64_field(8, start);
    out.i64_field(9, 12_345);
    let texts = texts(n);
    let texts: Vec<(&str, &str)> = texts.iter().map(|(key, value)| (*key, value.as_str())).collect();
    thrift_tags(out, 10, &texts, &LONGS, Some("cache.hit"));
    out.structs_field(11, &[()], |out, ()| {
        out.i64_field(1, start + 100);
        thrift_tags(out, 2, &LOG, &[], None);
    });
}

fn thrift_batch(protocol: Protocol, first: usize) -> Vec<u8> {
    let mut out = Writer::new(protocol);
    out.message("emitBatch", MessageKind::OneWay, 1);
    out.structure(|out| {
        out.struct_field(1, |out| {
            out.struct_field(1, |out| {
                out.bytes_field(1, b"shop");
                thrift_tags(out, 2, &[("hostname", "web-1"), ("jaeger.version", "Go-2.30.0")], &[], None);
            });
            let numbers: Vec<usize> = (first..first + BATCH).collect();
            out.structs_field(2, &numbers, |out, n| thrift_span(out, *n));
        });
    });
    out.into_bytes()
}

fn proto_text(out: &mut Vec<u8>, field: u32, key: &str, value: &str) {
    put_message(out, field, |out| {
        put_bytes(out, 1, key.as_bytes());
        put_bytes(out, 3, value.as_bytes());
    });
}

fn proto_time(out: &mut Vec<u8>, field: u32, micros: i64) {
    put_message(out, field, |out| {
        put_uint(out, 1, micros as u64 / 1_000_000);
        put_uint(out, 2, micros as u64 % 1_000_000 * 1000);
    });
}

fn proto_span(out: &mut Vec<u8>, n: usize) {
    let (low, high, id, start) = facts(n);
    let trace_id = [high.to_be_bytes(), low.to_be_bytes()].concat();
    put_bytes(out, 1, &trace_id);
    put_bytes(out, 2, &id.to_be_bytes());
    put_bytes(out, 3, b"HTTP GET /api/v1/cart/{id}");
    put_message(out, 4, |out| {
        put_bytes(out, 1, &trace_id);
        put_bytes(out, 2, &id.rotate_left(3).to_be_bytes());
    });
    put_uint(out, 5, 1);
    proto_time(out, 6, start);
    proto_time(out, 7, 12_345);
    texts(n).iter().for_each(|(key, value)| proto_text(out, 8, key, value));
    for (key, value) in LONGS {
        put_message(out, 8, |out| {
            put_bytes(out, 1, key.as_bytes());
            put_uint(out, 2, 2);
            put_uint(out, 5, value as u64);
        });
    }
    put_message(out, 8, |out| {
        put_bytes(out, 1, b"ratio");
        put_uint(out, 2, 3);
        put_fixed64(out, 6, 0.5f64.to_bits());
    });
    put_message(out, 9, |out| {
        proto_time(out, 1, start + 100);
        LOG.iter().for_each(|(key, value)| proto_text(out, 2, key, value));
    });
}

fn proto_batch(first: usize) -> Vec<u8> {
    let mut out = Vec::new();
    put_message(&mut out, 1, |out| {
        (first..first + BATCH).for_each(|n| put_message(out, 1, |out| proto_span(out, n)));
        put_message(out, 2, |out| {
            put_bytes(out, 1, b"shop");
            proto_text(out, 2, "hostname", "web-1");
        });
    });
    out
}

/// Translates batches in TCompact, TBinary and protobuf.
pub fn run(spans: usize) -> Vec<Line> {
    let firsts = || (0..spans.max(BATCH)).step_by(BATCH);
    let compact: Vec<_> = firsts().map(|first| thrift_batch(Protocol::Compact, first)).collect();
    let binary: Vec<_> = firsts().map(|first| thrift_batch(Protocol::Binary, first)).collect();
    let proto: Vec<_> = firsts().map(proto_batch).collect();
    vec![
        line("jaeger TCompact", &compact, |bytes, out| datagram(Protocol::Compact, bytes, ROOM, out).is_ok()),
        line("jaeger TBinary", &binary, |bytes, out| datagram(Protocol::Binary, bytes, ROOM, out).is_ok()),
        line("jaeger protobuf", &proto, |bytes, out| post_spans(bytes, ROOM, out).is_ok()),
    ]
}

fn line(name: &str, batches: &[Vec<u8>], translate: impl Fn(&[u8], &mut Vec<u8>) -> bool) -> Line {
    let units = batches.len() * BATCH;
    let mut made = 0;
    let mut out = Vec::new();
    let mut line = measure(
        name,
        "span",
        units,
        || (),
        |()| {
            made = 0;
            for batch in batches {
                out.clear();
                assert!(translate(batch, &mut out), "the batches of a bench are right");
                made += black_box(&out).len();
            }
        },
    );
    let taken: usize = batches.iter().map(Vec::len).sum();
    let per_span = |bytes: usize| bytes as f64 / units as f64;
    line.note = format!("{:.0} B/span became {:.0}", per_span(taken), per_span(made));
    line
}
