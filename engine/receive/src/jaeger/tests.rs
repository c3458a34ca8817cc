//! The listeners over loopback.

use std::sync::Arc;

use http::{Method, Request, StatusCode};
use spanloom_wire::thrift::{MessageKind, Protocol as Thrift, Type, Writer};

use super::{AgentPort, GET_STRATEGY, Jaeger, POST_SPANS, Strategies, translate};
use crate::ReceiveConfig;
use crate::testing::*;

/// The fields of a `Batch` with one span.
fn write_batch(out: &mut Writer) {
    out.struct_field(1, |process| process.bytes_field(1, b"cart"));
    out.structs_field(2, &[7], |span, id| {
        span.i64_field(1, *id);
        span.i64_field(2, 0);
        span.i64_field(3, *id);
        span.i64_field(4, 0);
        span.bytes_field(5, b"checkout");
        span.i32_field(7, 1);
        span.i64_field(8, 1_700_000_000_000_000);
        span.i64_field(9, 1_000);
    });
}

fn batch(protocol: Thrift) -> Vec<u8> {
    let mut out = Writer::new(protocol);
    out.structure(write_batch);
    out.into_bytes()
}

fn datagram(protocol: Thrift, method: &str) -> Vec<u8> {
    let mut out = Writer::new(protocol);
    out.message(method, MessageKind::OneWay, 1);
    out.structure(|out| {
        out.field(1, Type::Struct);
        out.structure(write_batch);
    });
    out.into_bytes()
}

/// `PostSpansRequest` with one span.
fn post_spans() -> Vec<u8> {
    use spanloom_span::proto::{put_bytes, put_message};
    let mut out = Vec::new();
    put_message(&mut out, 1, |out| {
        put_message(out, 1, |out| {
            put_bytes(out, 1, &[7; 16]);
            put_bytes(out, 2, &[7; 8]);
            put_bytes(out, 3, b"checkout");
        });
        put_message(out, 2, |out| put_bytes(out, 1, b"cart"));
    });
    out
}

/// `emitZipkinBatch` with one span.
fn zipkin_datagram(protocol: Thrift) -> Vec<u8> {
    let mut out = Writer::new(protocol);
    out.message("emitZipkinBatch", MessageKind::OneWay, 1);
    out.structure(|out| {
        out.structs_field(1, &[7], |span, id| {
            span.i64_field(1, *id);
            span.bytes_field(3, b"checkout");
            span.i64_field(4, *id);
            span.i64_field(10, 1_700_000_000_000_000);
            span.i64_field(11, 1_000);
        });
    });
    out.into_bytes()
}

fn get(path: &str) -> Request<TestBody> {
    Request::builder().method(Method::GET).uri(format!("http://localhost{path}")).body(full("")).unwrap()
}

fn start() -> Running {
    start_with(Jaeger::default(), ReceiveConfig::default())
}

fn call(path: &str, message: &[u8]) -> Request<TestBody> {
    let headers = [("content-type", "application/grpc"), ("te", "trailers")];
    post(path, &headers, full(framed(false, message)))
}

#[tokio::test]
async fn batches_are_taken_over_http_in_both_encodings() {
    let server = start();
    for (content_type, protocol) in [
        ("application/x-thrift", Thrift::Binary),
        ("application/vnd.apache.thrift.binary; charset=utf-8", Thrift::Binary),
        ("application/vnd.apache.thrift.compact", Thrift::Compact),
    ] {
        for http in [Http::One, Http::Two] {
            let headers = [("content-type", content_type)];
            let request = post("/api/traces?format=jaeger.thrift", &headers, full(batch(protocol)));
            let got = send(server.address, http, request).await;
            assert_eq!((got.status, got.body.len()), (StatusCode::ACCEPTED, 0), "{got:?}");
            assert_eq!(server.pushed().len(), 1, "{content_type}");
        }
    }
    server.end().await;
}

#[tokio::test]
async fn what_is_wrong_over_http_is_said() {
    let server = start();
    let thrift = [("content-type", "application/x-thrift")];
    let check = async |request: Request<TestBody>, status: u16, text: &str| {
        let got = send(server.address, Http::One, request).await;
        assert_eq!(got.status, status, "{got:?}");
        assert!(String::from_utf8_lossy(&got.body).contains(text), "{got:?}");
        assert!(server.pushed().is_empty());
    };
    let whole = batch(Thrift::Binary);
    let half = whole[..whole.len() / 2].to_vec();
    check(post("/api/traces", &thrift, full(half)), 400, "at byte").await;
    check(post("/api/traces", &thrift, full(batch(Thrift::Compact))), 400, "expected").await;
    let json = [("content-type", "application/json")];
    check(post("/api/traces", &json, full("{}")), 400, "expected application/x-thrift").await;
    check(post("/api/spans", &thrift, full("")), 404, "expected POST /api/traces").await;
    check(get("/api/traces"), 405, "expected POST").await;
    server.answer(Err(no_room()));
    let got = send(server.address, Http::One, post("/api/traces", &thrift, full(whole))).await;
    assert_eq!((got.status, got.header("retry-after")), (StatusCode::TOO_MANY_REQUESTS, "5"));
    server.end().await;
}

#[tokio::test]
async fn batches_are_taken_over_grpc() {
    let server = start();
    let got = send(server.address, Http::Two, call(POST_SPANS, &post_spans())).await;
    assert_eq!((got.grpc().0.as_str(), &got.body[..]), ("0", &framed(false, b"")[..]), "{got:?}");
    assert_eq!(server.pushed().len(), 1);
    let message = post_spans();
    let got = send(server.address, Http::Two, call(POST_SPANS, &message[..message.len() - 1])).await;
    assert_eq!(got.grpc().0, "3", "{got:?}");
    let got = send(server.address, Http::Two, call("/jaeger.api_v2.CollectorService/Other", b"")).await;
    assert_eq!(got.grpc().0, "12", "{got:?}");
    assert!(server.pushed().is_empty());
    server.end().await;
}

#[tokio::test]
async fn clients_are_told_what_to_sample() {
    let jaeger = Jaeger { strategies: Arc::new(Strategies::of_rate(0.25)) };
    let server = start_with(jaeger, ReceiveConfig::default());
    let check = async |path: &str, status: u16, text: &str| {
        let got = send(server.address, Http::One, get(path)).await;
        let body = String::from_utf8_lossy(&got.body).into_owned();
        assert_eq!(got.status, status, "{path}: {body}");
        assert!(body.contains(text), "{path}: {body}");
    };
    let named = r#"{"strategyType":"PROBABILISTIC","probabilisticSampling":{"samplingRate":0.25}"#;
    check("/sampling?service=cart", 200, named).await;
    check("/api/sampling?service=a%20cart", 200, named).await;
    check("/?service=cart", 200, r#"{"strategyType":0,"#).await;
    check("/baggageRestrictions?service=cart", 200, "[]").await;
    check("/sampling", 400, "expected ?service=NAME").await;
    check("/sampling?service=", 400, "expected ?service=NAME").await;
    check("/sampling?service=a&service=b", 400, "expected ?service=NAME").await;
    let got = send(server.address, Http::One, post("/sampling?service=a", &[], full(""))).await;
    assert_eq!(got.status, StatusCode::METHOD_NOT_ALLOWED);

    let mut question = Vec::new();
    spanloom_span::proto::put_bytes(&mut question, 1, b"cart");
    let got = send(server.address, Http::Two, call(GET_STRATEGY, &question)).await;
    assert_eq!(got.grpc().0, "0", "{got:?}");
    assert_eq!(got.body, framed(false, &Strategies::of_rate(0.25).of("cart").to_proto()));
    let got = send(server.address, Http::Two, call(GET_STRATEGY, &[0xff])).await;
    assert_eq!(got.grpc().0, "3", "{got:?}");
    server.end().await;
}

#[test]
fn each_port_takes_its_encoding() {
    let check = |port: AgentPort, datagram: &[u8], expected: Result<u64, &str>| {
        let mut out = Vec::new();
        let got = translate(port)(datagram, 1 << 20, &mut out);
        match (&got, expected) {
            (Ok(spans), Ok(expected)) => assert_eq!(*spans, expected),
            (Err(error), Err(reason)) => {
                assert_eq!((error.fault.reason(), out.len()), (reason, 0), "{error}");
            }
            _ => panic!("{port:?}: {got:?}, expected {expected:?}"),
        }
    };
    let (compact, binary) = (datagram(Thrift::Compact, "emitBatch"), datagram(Thrift::Binary, "emitBatch"));
    check(AgentPort::Compact, &compact, Ok(1));
    check(AgentPort::Binary, &binary, Ok(1));
    check(AgentPort::ZipkinCompact, &compact, Ok(1));
    check(AgentPort::ZipkinCompact, &zipkin_datagram(Thrift::Compact), Ok(1));
    check(AgentPort::Compact, &zipkin_datagram(Thrift::Compact), Ok(1));
    check(AgentPort::Binary, &zipkin_datagram(Thrift::Binary), Ok(1));
    check(AgentPort::Compact, &binary, Err("malformed"));
    check(AgentPort::Binary, &compact, Err("malformed"));
    check(AgentPort::Compact, &compact[..compact.len() / 2], Err("truncated"));
    check(AgentPort::Binary, &binary[..binary.len() / 2], Err("truncated"));
    check(AgentPort::Compact, &datagram(Thrift::Compact, "other"), Err("unsupported"));
    check(AgentPort::Compact, b"", Err("truncated"));
}
