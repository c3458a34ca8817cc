//! The API over loopback, with a fake engine behind it.

use std::io::Read;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::{HeaderMap, Method, Request, StatusCode};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use opentelemetry_proto::tonic::trace::v1::TracesData;
use prost::Message;
use spanloom_receive::{Trigger, bind, serve, shutdown};
use spanloom_span::model::{ResourceSpans, ScopeSpans, Span, Trace};
use spanloom_span::{SpanId, TraceId};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::*;

const ID: &str = "0102030405060708090a0b0c0d0e0f10";

/// Knows one trace; remembers what it was asked.
#[derive(Clone, Default)]
struct Fake {
    asked: Arc<Mutex<Vec<TraceQuery>>>,
    fails: Arc<Mutex<Option<QueryError>>>,
    missing: Arc<Mutex<Option<String>>>,
    spans: usize,
    hangs: bool,
}

impl Queries for Fake {
    async fn trace(&self, query: TraceQuery) -> Result<TraceAnswer, QueryError> {
        if self.hangs {
            std::future::pending::<()>().await;
        }
        let known = query.id == TraceId::parse(ID).unwrap();
        self.asked.lock().unwrap().push(query);
        if let Some(error) = self.fails.lock().unwrap().clone() {
            return Err(error);
        }
        let missing = self.missing.lock().unwrap().clone();
        Ok(TraceAnswer {
            trace: known.then(|| trace(self.spans)),
            missing,
            inspected_bytes: 7,
            ..Default::default()
        })
    }

    async fn flush(&self) -> Result<(), QueryError> {
        self.fails.lock().unwrap().clone().map_or(Ok(()), Err)
    }

    async fn shutdown(&self) -> Result<(), QueryError> {
        Ok(())
    }

    fn ready(&self) -> Result<(), String> {
        self.fails.lock().unwrap().as_ref().map_or(Ok(()), |_| Err("replaying the log".into()))
    }

    fn status(&self) -> StatusPage {
        let section = |title: &str| Section { title: title.into(), rows: vec![("a".into(), title.into())] };
        StatusPage { sections: vec![section("services"), section("shards")] }
    }

    fn config_text(&self, mode: ConfigMode) -> String {
        format!("mode: {mode:?}\n")
    }

    fn metrics_text(&self) -> String {
        "# HELP x_spans Spans.\n# TYPE x_spans counter\nx_spans_total 1\n# EOF\n".into()
    }
}

fn trace(spans: usize) -> Trace {
    let id = TraceId::parse(ID).unwrap();
    let span = |i: usize| Span {
        trace_id: id,
        span_id: SpanId((i as u64 + 1).to_be_bytes()),
        name: "operation".into(),
        ..Span::default()
    };
    let scope_spans = vec![ScopeSpans { spans: (0..spans).map(span).collect(), ..ScopeSpans::default() }];
    Trace { resource_spans: vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }] }
}

struct Running {
    address: SocketAddr,
    fake: Fake,
    trigger: Trigger,
    task: JoinHandle<()>,
}

fn start(config: ApiConfig, fake: Fake) -> Running {
    let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let address = listener.local_addr().unwrap();
    let (trigger, waits) = shutdown();
    let build = BuildInfo { version: "1.2.3".into(), ..BuildInfo::default() };
    let metrics = ApiMetrics::default();
    let api = Api::new(fake.clone(), config.clone(), build, metrics.clone());
    let task = tokio::spawn(async move { serve(listener, api, &config.serve, metrics.serve, waits).await });
    Running { address, fake, trigger, task }
}

fn running(spans: usize) -> Running {
    start(ApiConfig::default(), Fake { spans, ..Fake::default() })
}

#[derive(Debug)]
struct Got {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Got {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

impl Running {
    async fn ask(&self, h2: bool, method: Method, path: &str, headers: &[(&str, &str)]) -> Got {
        let stream = TcpStream::connect(self.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let io = TokioIo::new(stream);
        let mut request = Request::builder().method(method).uri(format!("http://localhost{path}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Empty::<Bytes>::new()).unwrap();
        let response = if h2 {
            let (mut sender, connection) =
                hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
            tokio::spawn(connection);
            sender.send_request(request).await.unwrap()
        } else {
            let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
            tokio::spawn(connection);
            sender.send_request(request).await.unwrap()
        };
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Got { status: head.status, headers: head.headers, body }
    }

    async fn get(&self, path: &str) -> Got {
        self.ask(false, Method::GET, path, &[]).await
    }

    async fn end(self) {
        self.trigger.begin(Duration::from_secs(5));
        self.task.await.unwrap();
    }
}

#[tokio::test]
async fn both_versions_in_every_form_on_both_protocols() {
    let server = running(1);
    let span =
        r#"{"traceId":"AQIDBAUGBwgJCgsMDQ4PEA==","spanId":"AAAAAAAAAAE=","name":"operation","status":{}}"#;
    let list = format!(r#"[{{"resource":{{}},"scopeSpans":[{{"scope":{{}},"spans":[{span}]}}]}}]"#);
    let v1 = format!(r#"{{"batches":{list}}}"#);
    let v2 = format!(r#"{{"trace":{{"resourceSpans":{list}}},"metrics":{{"inspectedBytes":"7"}}}}"#);
    for h2 in [false, true] {
        for accept in ["", "*/*", "application/json"] {
            let headers = [("accept", accept)];
            let got = server.ask(h2, Method::GET, &format!("/api/traces/{ID}"), &headers).await;
            assert_eq!((got.status, got.header("content-type")), (StatusCode::OK, "application/json"));
            assert_eq!(got.text(), v1);
            let got = server.ask(h2, Method::GET, &format!("/api/v2/traces/{ID}"), &headers).await;
            assert_eq!((got.header("content-type"), got.text()), ("application/json", v2.as_str()));
        }
        let headers = [("accept", "text/html, application/json;q=0.5, application/protobuf")];
        let got = server.ask(h2, Method::GET, &format!("/api/traces/{ID}"), &headers).await;
        assert_eq!(got.header("content-type"), "application/protobuf");
        let v1_proto = TracesData::decode(got.body).unwrap();
        assert_eq!(v1_proto.resource_spans[0].scope_spans[0].spans[0].name, "operation");
        let got = server.ask(h2, Method::GET, &format!("/api/v2/traces/{ID}"), &headers).await;
        let mut expected = Vec::new();
        spanloom_span::proto::put_bytes(&mut expected, 1, &v1_proto.encode_to_vec());
        spanloom_span::proto::put_message(&mut expected, 2, |m| spanloom_span::proto::put_uint(m, 1, 7));
        assert_eq!(got.body, expected);
        let headers = [("accept", "application/vnd.grafana.llm")];
        let got = server.ask(h2, Method::GET, &format!("/api/v2/traces/{ID}"), &headers).await;
        assert_eq!(got.header("content-type"), "application/vnd.grafana.llm+json");
        assert!(got.text().starts_with(&format!(r#"{{"trace":{{"traceId":"{ID}","services":"#)), "{got:?}");
        let got = server.ask(h2, Method::GET, &format!("/api/traces/{ID}"), &headers).await;
        assert_eq!((got.header("content-type"), got.text()), ("application/json", v1.as_str()));
    }
    server.end().await;
}

#[tokio::test]
async fn a_trace_that_is_not_there() {
    let server = running(1);
    let got = server.get("/api/traces/1").await;
    assert_eq!((got.status, &got.body[..]), (StatusCode::NOT_FOUND, &b""[..]));
    let got = server.get("/api/v2/traces/1").await;
    assert_eq!(
        (got.status, got.text()),
        (StatusCode::OK, r#"{"trace":{},"metrics":{"inspectedBytes":"7"}}"#)
    );
    let headers = [("accept", "application/protobuf")];
    let got = server.ask(false, Method::GET, "/api/v2/traces/1", &headers).await;
    assert_eq!((got.status, &got.body[..]), (StatusCode::OK, &[0x0a, 0, 0x12, 2, 8, 7][..]));
    // Short ids are padded on the left.
    assert_eq!(server.fake.asked.lock().unwrap()[0].id.0[15], 1);
    server.end().await;
}

#[tokio::test]
async fn what_is_missing_is_said() {
    let server = running(0);
    *server.fake.missing.lock().unwrap() = Some("node b did not answer".into());
    let got = server.get(&format!("/api/v2/traces/{ID}")).await;
    assert!(got.text().ends_with(r#""status":"PARTIAL","message":"node b did not answer"}"#), "{got:?}");
    server.end().await;
}

#[tokio::test]
async fn questions_are_passed_on_and_checked() {
    let server = running(1);
    let path = format!("/api/v2/traces/{ID}?start=5&end=9&mode=blocks&blockStart=00&other=1");
    let headers = [("x-scope-orgid", "a|b")];
    assert_eq!(server.ask(false, Method::GET, &path, &headers).await.status, StatusCode::OK);
    let asked = server.fake.asked.lock().unwrap().pop().unwrap();
    assert_eq!((asked.start, asked.end, asked.sources), (Some(5), Some(9), Sources::Blocks));
    assert_eq!(asked.tenants.iter().map(|t| t.as_str()).collect::<Vec<_>>(), ["a", "b"]);

    for version in ["/api/traces", "/api/v2/traces"] {
        for (rest, expected) in [
            ("xyz", "the trace id is wrong: the id has 'x' at position 0, expected a hexadecimal digit\n"),
            ("111111111111111111111111111111111", "the trace id is wrong: the id has 33 digits"),
            ("1?start=a", "start is \"a\", expected seconds since 1970"),
            ("1?start=9&end=9", "start is 9 and end is 9, expected end after start\n"),
            ("1?end=-1", "end is \"-1\""),
            ("1?mode=some", "mode is \"some\", expected all, ingesters or blocks\n"),
            ("1?q=%7B%7D", "the parameter q is not known"),
        ] {
            let got = server.get(&format!("{version}/{rest}")).await;
            assert_eq!(got.status, StatusCode::BAD_REQUEST, "{rest}");
            assert!(got.text().starts_with(expected), "{rest}: {got:?}");
        }
    }
    assert!(server.fake.asked.lock().unwrap().is_empty());
    let got = server.ask(false, Method::POST, &format!("/api/traces/{ID}"), &[]).await;
    assert_eq!((got.status, got.header("allow")), (StatusCode::METHOD_NOT_ALLOWED, "GET,HEAD"));
    server.end().await;
}

#[tokio::test]
async fn errors_have_their_status() {
    let server = running(1);
    let check = async |error: QueryError, status: u16, retry: &str, text: &str| {
        *server.fake.fails.lock().unwrap() = Some(error);
        let got = server.get(&format!("/api/traces/{ID}")).await;
        assert_eq!((got.status.as_u16(), got.header("retry-after"), got.text()), (status, retry, text));
    };
    check(QueryError::Invalid("bad".into()), 400, "", "bad\n").await;
    check(QueryError::TooLarge("large".into()), 422, "", "large\n").await;
    let busy = QueryError::Busy { message: "busy".into(), retry_after: Duration::from_millis(1500) };
    check(busy, 429, "2", "busy\n").await;
    check(QueryError::Unavailable("later".into()), 503, "", "later\n").await;
    check(QueryError::Internal("oh".into()), 500, "", "oh\n").await;
    assert_eq!(server.get("/ready").await.text(), "not ready: replaying the log\n");
    assert_eq!(server.get("/flush").await.status.as_u16(), 500);
    server.end().await;
}

#[tokio::test]
async fn a_question_that_takes_too_long_is_given_up() {
    let config = ApiConfig { timeout: Duration::from_millis(20), ..ApiConfig::default() };
    let server = start(config, Fake { hangs: true, ..Fake::default() });
    let got = server.get("/api/v2/traces/1").await;
    assert_eq!(
        (got.status, got.text()),
        (StatusCode::GATEWAY_TIMEOUT, "the question was not answered within 20ms (timeout)\n")
    );
    server.end().await;
}

#[tokio::test]
async fn tenants_must_be_named_when_there_are_several() {
    let config = ApiConfig { multitenancy: true, ..ApiConfig::default() };
    let server = start(config, Fake::default());
    let got = server.get("/api/traces/1").await;
    assert_eq!(got.status, StatusCode::UNAUTHORIZED);
    assert!(got.text().starts_with("no org id"), "{got:?}");
    assert_eq!(server.get("/api/echo").await.status, StatusCode::OK);
    server.end().await;
}

#[tokio::test]
async fn what_operators_ask_is_answered() {
    let server = running(1);
    let check = async |path: &str, status: u16, content_type: &str, text: &str| {
        let got = server.get(path).await;
        assert_eq!((got.status.as_u16(), got.header("content-type")), (status, content_type), "{path}");
        assert!(got.text().contains(text), "{path}: {got:?}");
    };
    const PLAIN: &str = "text/plain; charset=utf-8";
    check("/api/echo", 200, PLAIN, "echo\n").await;
    check("/ready", 200, PLAIN, "ready\n").await;
    let build =
        r#"{"version":"1.2.3","revision":"","branch":"","buildUser":"","buildDate":"","goVersion":""}"#;
    check("/api/status/buildinfo", 200, "application/json", build).await;
    check("/status", 200, PLAIN, "shards\n  a  shards\n").await;
    check("/status", 200, PLAIN, "config\n  mode: Current\n").await;
    check("/status/version", 200, PLAIN, "version\n  version  1.2.3\n").await;
    check("/status/services", 200, PLAIN, "services\n  a  services\n").await;
    check("/status/runtime", 200, PLAIN, "shards").await;
    check("/status/endpoints", 200, PLAIN, "GET /api/v2/traces/{id}").await;
    check("/status/config", 200, PLAIN, "mode: Current\n").await;
    check("/status/config?mode=diff", 200, PLAIN, "mode: Diff\n").await;
    check("/status/config?mode=defaults", 200, PLAIN, "mode: Defaults\n").await;
    check("/status/config?mode=x", 400, PLAIN, "mode is \"x\"").await;
    check("/", 200, PLAIN, "spanloom 1.2.3").await;
    check("/metrics", 200, "text/plain; version=0.0.4; charset=utf-8", "# TYPE x_spans_total counter").await;
    let open = [("accept", "application/openmetrics-text;version=1.0.0,text/plain;q=0.5")];
    let got = server.ask(false, Method::GET, "/metrics", &open).await;
    assert!(got.header("content-type").starts_with("application/openmetrics-text"));
    assert!(got.text().ends_with("# EOF\n"));
    for method in [Method::GET, Method::POST] {
        for path in ["/flush", "/shutdown"] {
            assert_eq!(server.ask(false, method.clone(), path, &[]).await.status, StatusCode::NO_CONTENT);
        }
    }
    let head = server.ask(false, Method::HEAD, "/ready", &[]).await;
    assert_eq!((head.status, head.header("content-length")), (StatusCode::OK, "6"));
    server.end().await;
}

#[tokio::test]
async fn every_listed_endpoint_is_routed() {
    let server = running(1);
    for endpoint in &endpoints::ENDPOINTS {
        let got = server.get(&endpoint.path.replace("{id}", ID)).await;
        assert!(got.status.is_success(), "{}: {got:?}", endpoint.path);
    }
    server.end().await;
}

#[tokio::test]
async fn who_mistypes_is_helped() {
    let server = running(1);
    let got = server.get("/api/v2/trace/1").await;
    assert_eq!(got.status, StatusCode::NOT_FOUND);
    assert!(
        got.text().contains("there is nothing at /api/v2/trace/1\nperhaps you mean\n  GET /api/"),
        "{got:?}"
    );
    let got = server.get("/v1/traces").await;
    assert!(got.text().contains("4317 and 4318"), "{got:?}");
    let got = server
        .ask(true, Method::POST, "/tempopb.StreamingQuerier/Search", &[("content-type", "application/grpc")])
        .await;
    assert_eq!((got.status, got.header("grpc-status")), (StatusCode::OK, "12"));
    server.end().await;
}

#[tokio::test]
async fn a_prefix_stands_before_every_path() {
    let config = ApiConfig { path_prefix: "/traces".into(), ..ApiConfig::default() };
    let server = start(config, Fake { spans: 1, ..Fake::default() });
    assert_eq!(server.get(&format!("/traces/api/traces/{ID}")).await.status, StatusCode::OK);
    let got = server.get("/api/echo").await;
    assert_eq!(got.status, StatusCode::NOT_FOUND);
    assert!(got.text().contains("  GET /traces/api/echo\n"), "{got:?}");
    server.end().await;
}

#[tokio::test]
async fn large_answers_are_compressed_for_those_who_take_it() {
    let server = running(5000);
    let path = format!("/api/traces/{ID}");
    let plain = server.get(&path).await;
    assert_eq!(plain.header("content-encoding"), "");
    for h2 in [false, true] {
        let got = server.ask(h2, Method::GET, &path, &[("accept-encoding", "gzip")]).await;
        assert_eq!((got.header("content-encoding"), got.header("vary")), ("gzip", "accept-encoding"));
        let mut text = Vec::new();
        flate2::read::GzDecoder::new(&got.body[..]).read_to_end(&mut text).unwrap();
        assert_eq!(text, plain.body);
        assert!(got.body.len() < plain.body.len() / 4);
    }
    let small = server.ask(false, Method::GET, "/api/traces/1", &[("accept-encoding", "gzip")]).await;
    assert_eq!(small.header("content-encoding"), "");
    server.end().await;
}
