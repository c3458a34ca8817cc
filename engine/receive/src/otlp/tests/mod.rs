//! The listener over loopback, with a sink that remembers.

mod encodings;
mod refusals;
mod stalls;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use hyper_util::rt::{TokioExecutor, TokioIo};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use spanloom_span::Tenant;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::{
    Accepted, Held, Otlp, ReceiveConfig, ReceiveMetrics, Receiver, Refusal, Sink, Trigger, bind, serve,
    shutdown,
};

const EXPORT: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// A sink that remembers what it was given, answers what it is told, and has so many bytes of room.
#[derive(Clone)]
struct Memory {
    pushed: Arc<Mutex<Vec<(Tenant, Bytes)>>>,
    answer: Arc<Mutex<Result<Accepted, Refusal>>>,
    room: Arc<Semaphore>,
    delay: Arc<Mutex<Duration>>,
}

const ROOM: usize = 256 << 20;

impl Sink for Memory {
    async fn push(&self, tenant: Tenant, request: Bytes, held: Held) -> Result<Accepted, Refusal> {
        let delay = *self.delay.lock().unwrap();
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        self.pushed.lock().unwrap().push((tenant, request));
        drop(held);
        self.answer.lock().unwrap().clone()
    }

    async fn admit(&self, bytes: usize) -> Result<Held, Refusal> {
        match self.room.clone().try_acquire_many_owned(bytes as u32) {
            Ok(permit) => Ok(Box::new(permit)),
            Err(_) => Err(no_room()),
        }
    }
}

fn no_room() -> Refusal {
    Refusal::Exhausted { message: "there is no room".into(), retry_after: Duration::from_secs(5) }
}

struct Running {
    address: SocketAddr,
    sink: Memory,
    metrics: ReceiveMetrics,
    trigger: Trigger,
    task: JoinHandle<()>,
}

fn start(config: ReceiveConfig) -> Running {
    let sink = Memory {
        pushed: Arc::default(),
        answer: Arc::new(Mutex::new(Ok(Accepted::default()))),
        room: Arc::new(Semaphore::new(ROOM)),
        delay: Arc::default(),
    };
    let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let address = listener.local_addr().unwrap();
    let (trigger, waits) = shutdown();
    let metrics = ReceiveMetrics::default();
    let otlp = Receiver::new(Otlp, sink.clone(), config.clone(), metrics.clone(), waits.clone());
    let serve_metrics = metrics.serve.clone();
    let task = tokio::spawn(async move { serve(listener, otlp, &config.serve, serve_metrics, waits).await });
    Running { address, sink, metrics, trigger, task }
}

impl Running {
    /// What was pushed since the last call. Nothing may be held any more.
    fn pushed(&self) -> Vec<(Tenant, Bytes)> {
        std::mem::take(&mut self.sink.pushed.lock().unwrap())
    }

    fn answer(&self, answer: Result<Accepted, Refusal>) {
        *self.sink.answer.lock().unwrap() = answer;
    }

    /// Ends the server and checks that it gave back all the room that it took.
    async fn end(self) {
        self.trigger.begin(Duration::from_secs(5));
        self.task.await.unwrap();
        assert_eq!(self.sink.room.available_permits(), ROOM, "permits are held after the end");
        assert_eq!(self.metrics.serve.connections.get(), 0);
    }
}

/// An answer, whole.
#[derive(Debug)]
struct Got {
    status: StatusCode,
    headers: HeaderMap,
    trailers: HeaderMap,
    body: Bytes,
}

impl Got {
    async fn of(response: Response<hyper::body::Incoming>) -> Self {
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap();
        let trailers = body.trailers().cloned().unwrap_or_default();
        Self { status: head.status, headers: head.headers, trailers, body: body.to_bytes() }
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().unwrap())
    }

    /// The gRPC status and message, from trailers or from headers alone.
    fn grpc(&self) -> (String, String) {
        let read = |name: &str| {
            let value = self.trailers.get(name).or(self.headers.get(name));
            value.map_or(String::new(), |v| v.to_str().unwrap().to_owned())
        };
        (read("grpc-status"), read("grpc-message"))
    }
}

type TestBody = BoxBody<Bytes, std::io::Error>;

fn full(body: impl Into<Bytes>) -> TestBody {
    Full::new(body.into()).map_err(|never| match never {}).boxed()
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Http {
    One,
    Two,
}

async fn send(address: SocketAddr, http: Http, request: Request<TestBody>) -> Got {
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let io = TokioIo::new(stream);
    let response = match http {
        Http::One => {
            let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
            tokio::spawn(connection);
            sender.send_request(request).await.unwrap()
        }
        Http::Two => {
            let (mut sender, connection) =
                hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
            tokio::spawn(connection);
            sender.send_request(request).await.unwrap()
        }
    };
    Got::of(response).await
}

/// A POST with headers.
fn post(path: &str, headers: &[(&str, &str)], body: TestBody) -> Request<TestBody> {
    let mut request = Request::builder().method(Method::POST).uri(format!("http://localhost{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body).unwrap()
}

fn protobuf(body: impl Into<Bytes>) -> Request<TestBody> {
    post("/v1/traces", &[("content-type", "application/x-protobuf")], full(body))
}

fn json(body: impl Into<Bytes>) -> Request<TestBody> {
    post("/v1/traces", &[("content-type", "application/json")], full(body))
}

/// A message with its gRPC prefix.
fn framed(compressed: bool, message: &[u8]) -> Vec<u8> {
    let mut out = vec![u8::from(compressed)];
    out.extend_from_slice(&(message.len() as u32).to_be_bytes());
    out.extend_from_slice(message);
    out
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
