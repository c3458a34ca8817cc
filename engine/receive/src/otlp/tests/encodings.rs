//! Every content encoding on both protocols; bombs stop at the limit.

use std::io::{Read, Write};

use super::*;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    flate2::read::GzEncoder::new(bytes, flate2::Compression::default()).read_to_end(&mut out).unwrap();
    out
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    flate2::read::ZlibEncoder::new(bytes, flate2::Compression::default()).read_to_end(&mut out).unwrap();
    out
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(bytes, 3).unwrap()
}

fn zstd_stream(bytes: &[u8]) -> Vec<u8> {
    zstd::stream::encode_all(bytes, 3).unwrap()
}

fn snappy(bytes: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(bytes).unwrap()
}

fn snappy_framed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = snap::write::FrameEncoder::new(Vec::new());
    encoder.write_all(bytes).unwrap();
    encoder.into_inner().unwrap()
}

type Compress = fn(&[u8]) -> Vec<u8>;

const ENCODINGS: [(&str, Compress); 8] = [
    ("identity", |bytes| bytes.to_vec()),
    ("gzip", gzip),
    ("deflate", zlib),
    ("zstd", zstd),
    ("zstd", zstd_stream),
    ("snappy", snappy),
    ("snappy", snappy_framed),
    ("x-snappy-framed", snappy_framed),
];

#[tokio::test]
async fn every_encoding_is_inflated_on_both_protocols() {
    let server = start(ReceiveConfig::default());
    for (name, compress) in ENCODINGS {
        for size in [1, 5_000] {
            let (body, packed) = (request(size), compress(&request(size)));
            let is_packed = name != "identity";
            let request = grpc(&[("grpc-encoding", name)], full(framed(is_packed, &packed)));
            let got = send(server.address, Http::Two, request).await;
            assert_eq!(got.grpc(), ("0".into(), String::new()), "{name}");
            let headers = [("content-type", "application/x-protobuf"), ("content-encoding", name)];
            for http in [Http::One, Http::Two] {
                let request = post("/v1/traces", &headers, full(packed.clone()));
                let got = send(server.address, http, request).await;
                assert_eq!(got.status, StatusCode::OK, "{name} {got:?}");
            }
            let pushed = server.pushed();
            assert_eq!(pushed.len(), 3);
            assert!(pushed.iter().all(|(_, bytes)| *bytes == body), "{name} {size}");
        }
    }
    server.end().await;
}

#[tokio::test]
async fn json_may_be_compressed_too() {
    let server = start(ReceiveConfig::default());
    let headers = [("content-type", "application/json"), ("content-encoding", "gzip")];
    let got = send(server.address, Http::One, post("/v1/traces", &headers, full(gzip(b"{}")))).await;
    assert_eq!((got.status, &got.body[..]), (StatusCode::OK, &b"{}"[..]));
    server.end().await;
}

#[tokio::test]
async fn a_bomb_stops_at_the_limit_in_every_encoding() {
    let limit = 1 << 20;
    let server = start(ReceiveConfig { max_request_bytes: limit, ..Default::default() });
    let bomb = vec![0u8; 64 << 20];
    for (name, compress) in &ENCODINGS[1..] {
        let packed = compress(&bomb);
        if packed.len() > limit {
            continue; // snappy packs 20 to 1 at best; see the next test
        }
        bomb_is_refused(&server, name, packed).await;
    }
    for compress in [snappy as Compress, snappy_framed] {
        bomb_is_refused(&server, "snappy", compress(&bomb[..8 << 20])).await;
    }
    assert!(server.pushed().is_empty());
    server.end().await;
}

async fn bomb_is_refused(server: &Running, name: &str, packed: Vec<u8>) {
    let request = grpc(&[("grpc-encoding", name)], full(framed(true, &packed)));
    let got = send(server.address, Http::Two, request).await;
    assert_eq!(got.grpc().0, "8", "{name} {got:?}");
    assert!(got.grpc().1.contains("max_request_bytes"), "{name} {got:?}");
    let headers = [("content-type", "application/x-protobuf"), ("content-encoding", name)];
    let got = send(server.address, Http::One, post("/v1/traces", &headers, full(packed))).await;
    assert_eq!(got.status, StatusCode::PAYLOAD_TOO_LARGE, "{name} {got:?}");
}

#[tokio::test]
async fn damaged_bodies_are_named() {
    let server = start(ReceiveConfig::default());
    for (name, compress) in &ENCODINGS[1..] {
        let packed = compress(&request(100));
        let cut = packed[..packed.len() / 2].to_vec();
        let got =
            send(server.address, Http::Two, grpc(&[("grpc-encoding", name)], full(framed(true, &cut)))).await;
        assert_eq!(got.grpc().0, "3", "{name} {got:?}");
        let headers = [("content-type", "application/json"), ("content-encoding", *name)];
        let got = send(server.address, Http::One, post("/v1/traces", &headers, full(cut))).await;
        assert_eq!(got.status, StatusCode::BAD_REQUEST, "{name} {got:?}");
        let text = String::from_utf8_lossy(&got.body);
        assert!(
            text.starts_with(&format!("{{\"code\":3,\"message\":\"the body is not {name} data")),
            "{text}"
        );
    }
    assert!(server.pushed().is_empty());
    server.end().await;
}

#[tokio::test]
async fn unknown_encodings_are_told_what_is_known() {
    let server = start(ReceiveConfig::default());
    let got =
        send(server.address, Http::Two, grpc(&[("grpc-encoding", "br")], full(framed(true, b"x")))).await;
    assert_eq!(got.grpc().0, "12");
    assert_eq!(got.header("grpc-accept-encoding"), "identity,gzip,deflate,zstd,snappy");
    let headers = [("content-type", "application/x-protobuf"), ("content-encoding", "br")];
    let got = send(server.address, Http::One, post("/v1/traces", &headers, full("x"))).await;
    assert_eq!(got.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(got.header("accept-encoding"), "identity,gzip,deflate,zstd,snappy");
    // Compressed, but nobody said how.
    let got = send(server.address, Http::Two, grpc(&[], full(framed(true, b"x")))).await;
    assert_eq!(got.grpc().0, "13");
    server.end().await;
}
