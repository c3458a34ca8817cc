//! The listener over loopback, with a sink that remembers.

mod encodings;
mod refusals;
mod stalls;

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use spanloom_span::Tenant;
use tokio::net::TcpStream;

use crate::testing::*;
use crate::{Accepted, Otlp, ReceiveConfig, Refusal};

const EXPORT: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

fn start(config: ReceiveConfig) -> Running {
    start_with(Otlp, config)
}

fn protobuf(body: impl Into<Bytes>) -> Request<TestBody> {
    post("/v1/traces", &[("content-type", "application/x-protobuf")], full(body))
}

fn json(body: impl Into<Bytes>) -> Request<TestBody> {
    post("/v1/traces", &[("content-type", "application/json")], full(body))
}

fn grpc(headers: &[(&str, &str)], body: TestBody) -> Request<TestBody> {
    let mut all = vec![("content-type", "application/grpc"), ("te", "trailers")];
    all.extend_from_slice(headers);
    post(EXPORT, &all, body)
}

/// A request of `spans` spans.
fn request(spans: usize) -> Vec<u8> {
    let text = |s: String| Some(AnyValue { value: Some(any_value::Value::StringValue(s)) });
    let span = |i: usize| Span {
        trace_id: vec![7; 16],
        span_id: (i as u64 + 1).to_be_bytes().to_vec(),
        name: format!("operation {i}"),
        attributes: vec![KeyValue {
            key: "k".into(),
            value: text(format!("value {i}")),
            ..Default::default()
        }],
        ..Default::default()
    };
    let spans = (0..spans).map(span).collect();
    let scope_spans = vec![ScopeSpans { spans, ..Default::default() }];
    let resource_spans = vec![ResourceSpans { scope_spans, ..Default::default() }];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}

#[tokio::test]
async fn every_protocol_hands_on_the_bytes_as_they_came() {
    let server = start(ReceiveConfig::default());
    for size in [0, 1, 20_000] {
        let body = request(size);
        let got = send(server.address, Http::Two, grpc(&[], full(framed(false, &body)))).await;
        assert_eq!(got.grpc(), ("0".into(), String::new()), "{got:?}");
        assert_eq!(got.body, framed(false, b""));
        assert_eq!(got.header("content-type"), "application/grpc");
        for http in [Http::One, Http::Two] {
            let got = send(server.address, http, protobuf(body.clone())).await;
            assert_eq!((got.status, got.header("content-type")), (StatusCode::OK, "application/x-protobuf"));
            assert!(got.body.is_empty());
        }
        let pushed = server.pushed();
        assert_eq!(pushed.len(), 3);
        for (tenant, bytes) in pushed {
            assert_eq!(tenant, Tenant::default());
            assert_eq!(bytes, body);
        }
    }
    server.end().await;
}

#[tokio::test]
async fn the_path_of_2020_is_served_too() {
    let server = start(ReceiveConfig::default());
    let type_ = [("content-type", "application/x-protobuf; charset=utf-8")];
    let got = send(server.address, Http::One, post("/v1/trace", &type_, full(request(1)))).await;
    assert_eq!(got.status, StatusCode::OK);
    assert_eq!(server.pushed().len(), 1);
    server.end().await;
}

#[tokio::test]
async fn json_is_translated_and_answered_in_json() {
    let server = start(ReceiveConfig::default());
    let text = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"07070707070707070707070707070707",
        "spanId":"0000000000000001","name":"operation 0",
        "attributes":[{"key":"k","value":{"stringValue":"value 0"}}]}]}]}]}"#;
    for http in [Http::One, Http::Two] {
        let got = send(server.address, http, json(text)).await;
        assert_eq!((got.status, got.header("content-type")), (StatusCode::OK, "application/json"));
        assert_eq!(got.body, "{}");
        let read = ExportTraceServiceRequest::decode(server.pushed()[0].1.clone()).unwrap();
        assert_eq!(read, ExportTraceServiceRequest::decode(&request(1)[..]).unwrap());
    }
    server.end().await;
}

#[tokio::test]
async fn the_tenant_is_who_the_header_says() {
    let server = start(ReceiveConfig { multitenancy: true, ..Default::default() });
    let body = request(1);
    let tenant = ("x-scope-orgid", "team-a");
    let type_ = ("content-type", "application/x-protobuf");
    let got = send(server.address, Http::Two, grpc(&[tenant], full(framed(false, &body)))).await;
    assert_eq!(got.grpc().0, "0");
    let got = send(server.address, Http::One, post("/v1/traces", &[type_, tenant], full(body.clone()))).await;
    assert_eq!(got.status, StatusCode::OK);
    assert!(server.pushed().iter().all(|(tenant, _)| tenant.as_str() == "team-a"));

    let got = send(server.address, Http::Two, grpc(&[], full(framed(false, &body)))).await;
    assert_eq!(got.grpc().0, "16");
    let got = send(server.address, Http::One, protobuf(body.clone())).await;
    assert_eq!(got.status, StatusCode::UNAUTHORIZED);
    assert!(String::from_utf8_lossy(&got.body).contains("no org id"));
    let bad = ("x-scope-orgid", "a/b");
    let got = send(server.address, Http::Two, grpc(&[bad], full(framed(false, &body)))).await;
    assert_eq!(got.grpc().0, "3");
    let got = send(server.address, Http::One, post("/v1/traces", &[type_, bad], full(body))).await;
    assert_eq!(got.status, StatusCode::BAD_REQUEST);
    assert!(server.pushed().is_empty());
    server.end().await;
}

#[tokio::test]
async fn health_checks_are_answered() {
    let server = start(ReceiveConfig::default());
    let check = |service: &'static str| {
        let mut message = Vec::new();
        spanloom_span::proto::put_bytes(&mut message, 1, service.as_bytes());
        let headers = [("content-type", "application/grpc")];
        post("/grpc.health.v1.Health/Check", &headers, full(framed(false, &message)))
    };
    let got = send(server.address, Http::Two, check("")).await;
    assert_eq!((got.grpc().0.as_str(), &got.body[..]), ("0", &framed(false, &[8, 1])[..]));
    let service = "opentelemetry.proto.collector.trace.v1.TraceService";
    let got = send(server.address, Http::Two, check(service)).await;
    assert_eq!(&got.body[..], &framed(false, &[8, 1])[..]);
    let got = send(server.address, Http::Two, check("other")).await;
    assert_eq!(got.grpc().0, "5");
    server.end().await;
}

#[tokio::test]
async fn what_was_counted_can_be_scraped() {
    let server = start(ReceiveConfig::default());
    server.answer(Ok(Accepted { spans: 3, refused_spans: 1, message: "one was bad".into() }));
    send(server.address, Http::One, protobuf(request(4))).await;
    send(server.address, Http::One, protobuf(request(4))).await;
    server.answer(Err(no_room()));
    send(server.address, Http::Two, grpc(&[], full(framed(false, &request(4))))).await;
    let mut registry = prometheus_client::registry::Registry::default();
    server.metrics.register(&mut registry);
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    for line in [
        r#"spanloom_receive_requests_total{protocol="http_protobuf",outcome="partial"} 2"#,
        r#"spanloom_receive_requests_total{protocol="grpc",outcome="refused"} 1"#,
        r#"spanloom_receive_refused_total{reason="exhausted"} 1"#,
        "spanloom_receive_accepted_spans_total 6",
        "spanloom_receive_refused_spans_total 2",
        r#"spanloom_receive_duration_seconds_count{protocol="http_protobuf"} 2"#,
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    server.end().await;
}
