//! The listener over loopback.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use tokio::sync::mpsc;

use super::{CONFIG, EXPORT, METRICS, OpenCensus};
use crate::testing::*;
use crate::{ReceiveConfig, Refusal};

/// What OpenCensus for Python sent: the first message of a stream, with its node, and the next one.
const FIRST: &[u8] = include_bytes!("../../../wire/tests/opencensus/vectors/client-0.bin");
const NEXT: &[u8] = include_bytes!("../../../wire/tests/opencensus/vectors/client-1.bin");
const FIRST_JSON: &[u8] = include_bytes!("../../../wire/tests/opencensus/vectors/client-0.json");

/// A body whose pieces come when they are sent, and that ends when the sender is dropped.
fn open_body() -> (mpsc::UnboundedSender<Bytes>, TestBody) {
    let (sender, receiver) = mpsc::unbounded_channel::<Bytes>();
    let pieces = futures_util::stream::unfold(receiver, async |mut receiver| {
        let piece = receiver.recv().await?;
        Some((Ok(Frame::data(piece)), receiver))
    });
    (sender, BodyExt::boxed(StreamBody::new(pieces)))
}

fn stream(path: &str, body: TestBody) -> Request<TestBody> {
    post(path, &[("content-type", "application/grpc"), ("te", "trailers")], body)
}

/// Spans of everything pushed so far.
fn spans(server: &Running) -> Vec<ExportTraceServiceRequest> {
    let read = |(_, bytes): (_, Bytes)| ExportTraceServiceRequest::decode(bytes).unwrap();
    server.pushed().into_iter().map(read).collect()
}

async fn until_pushed(server: &Running, count: usize) -> Vec<ExportTraceServiceRequest> {
    let mut found = Vec::new();
    while found.len() < count {
        found.extend(spans(server));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    found
}

#[tokio::test]
async fn each_message_of_a_stream_is_taken_as_it_comes() {
    let server = start_with(OpenCensus, ReceiveConfig::default());
    let (sender, body) = open_body();
    let client = tokio::spawn(send(server.address, Http::Two, stream(EXPORT, body)));
    sender.send(framed(false, FIRST).into()).unwrap();
    let first = until_pushed(&server, 1).await;
    let node = |request: &ExportTraceServiceRequest| request.resource_spans[0].resource.clone();
    assert!(node(&first[0]).is_some_and(|resource| !resource.attributes.is_empty()));
    // Cut anywhere, several at once.
    let more = [framed(false, NEXT), framed(false, NEXT), framed(false, b"")].concat();
    for piece in more.chunks(7) {
        sender.send(Bytes::copy_from_slice(piece)).unwrap();
    }
    let next = until_pushed(&server, 2).await;
    assert_eq!(node(&next[0]), node(&first[0]), "the stream remembers its node");
    drop(sender);
    let got = client.await.unwrap();
    assert_eq!(got.grpc(), ("0".into(), String::new()), "{got:?}");
    server.end().await;
}

#[tokio::test]
async fn a_stream_may_be_quiet_for_long_and_a_message_may_not() {
    let config = ReceiveConfig { read_timeout: Duration::from_millis(100), ..Default::default() };
    let server = start_with(OpenCensus, config);
    let (sender, body) = open_body();
    let client = tokio::spawn(send(server.address, Http::Two, stream(EXPORT, body)));
    tokio::time::sleep(Duration::from_millis(300)).await;
    sender.send(framed(false, FIRST).into()).unwrap();
    until_pushed(&server, 1).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    sender.send(framed(false, NEXT)[..20].to_vec().into()).unwrap();
    let got = client.await.unwrap();
    assert_eq!(got.grpc().0, "4", "{got:?}");
    assert!(got.grpc().1.contains("stalled"), "{got:?}");
    server.end().await;
}

#[tokio::test]
async fn what_is_wrong_ends_the_stream_with_the_reason() {
    let server = start_with(OpenCensus, ReceiveConfig::default());
    let check = async |pieces: &[Vec<u8>], code: &str, text: &str, pushed: usize| {
        let (sender, body) = open_body();
        for piece in pieces {
            sender.send(piece.clone().into()).unwrap();
        }
        drop(sender);
        let got = send(server.address, Http::Two, stream(EXPORT, body)).await;
        assert_eq!(got.grpc().0, code, "{got:?}");
        assert!(got.grpc().1.contains(text), "{got:?}");
        assert_eq!(spans(&server).len(), pushed, "{text}");
    };
    let good = framed(false, FIRST);
    check(&[good.clone(), framed(false, &FIRST[..FIRST.len() - 1])], "3", "at byte", 1).await;
    check(&[good.clone(), good[..30].to_vec()], "3", "ended after 30 bytes", 1).await;
    check(&[framed(true, FIRST)], "13", "grpc-encoding", 0).await;
    check(&[vec![0, 255, 255, 255, 255]], "8", "max_request_bytes", 0).await;
    server.answer(Err(no_room()));
    check(&[good], "8", "there is no room", 1).await;
    server.end().await;
}

#[tokio::test]
async fn the_end_of_the_server_ends_streams() {
    let server = start_with(OpenCensus, ReceiveConfig::default());
    let (export, body) = open_body();
    let exporting = tokio::spawn(send(server.address, Http::Two, stream(EXPORT, body)));
    export.send(framed(false, FIRST).into()).unwrap();
    until_pushed(&server, 1).await;
    let (config, body) = open_body();
    let configuring = tokio::spawn(send(server.address, Http::Two, stream(CONFIG, body)));
    config.send(framed(false, b"").into()).unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    server.end().await;
    for client in [exporting, configuring] {
        let got = client.await.unwrap();
        assert_eq!(got.grpc().0, "14", "{got:?}");
    }
}

#[tokio::test]
async fn json_is_taken_on_the_same_port() {
    let server = start_with(OpenCensus, ReceiveConfig::default());
    let json = [("content-type", "application/json")];
    for http in [Http::One, Http::Two] {
        let got = send(server.address, http, post("/v1/trace", &json, full(FIRST_JSON))).await;
        assert_eq!((got.status, &got.body[..]), (StatusCode::OK, &b"{}"[..]));
        assert_eq!(spans(&server).len(), 1);
    }
    let check = async |path: &str, headers: &[(&str, &str)], body: &'static [u8], status: u16, text: &str| {
        let got = send(server.address, Http::One, post(path, headers, full(body))).await;
        assert_eq!(got.status, status, "{got:?}");
        assert!(String::from_utf8_lossy(&got.body).contains(text), "{got:?}");
    };
    check("/v1/trace", &json, b"{", 400, "at byte").await;
    check("/v1/trace", &[("content-type", "text/csv")], b"{}", 415, "expected application/json").await;
    check("/v1/traces", &json, b"{}", 404, "expected POST /v1/trace").await;
    server.answer(Err(Refusal::ShuttingDown));
    check("/v1/trace", &json, FIRST_JSON, 503, "shutting down").await;
    server.end().await;
}

#[tokio::test]
async fn metrics_are_refused_after_their_first_message() {
    let server = start_with(OpenCensus, ReceiveConfig::default());
    let (sender, body) = open_body();
    let client = tokio::spawn(send(server.address, Http::Two, stream(METRICS, body)));
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!client.is_finished());
    sender.send(framed(false, b"").into()).unwrap();
    let got = client.await.unwrap();
    assert_eq!(got.grpc().0, "12", "{got:?}");
    assert!(got.grpc().1.contains("expected /opencensus"), "{got:?}");
    server.end().await;
}
