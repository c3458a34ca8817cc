//! Whole loads against a server in this process that takes, refuses, loses or changes spans.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, TracesData};
use prost::Message;
use spanloom_load::{AckLog, Compression, LoadError, LoadOptions, LoadReport, Progress, Protocol, run};
use tokio::net::TcpListener;

/// What the server does with a request, given its ordinal.
#[derive(Clone, Copy)]
enum Answer {
    Take,
    /// Refuse, with a retry hint of no time.
    Refuse,
    /// Refuse for good.
    Invalid,
    /// Take it but for so many spans.
    Partly(u64),
    /// Say nothing and close the connection.
    Hang,
}

/// How stored traces are changed when they are read.
#[derive(Clone, Copy, PartialEq)]
enum Reading {
    Faithful,
    LoseASpan,
    DoubleASpan,
    ChangeASpan,
    LoseAll,
    InventTraces,
}

struct Server {
    answer: fn(usize) -> Answer,
    reading: Reading,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    requests: usize,
    traces: HashMap<Vec<u8>, Vec<ResourceSpans>>,
    tenants: Vec<Option<HeaderValue>>,
}

type Body = UnsyncBoxBody<Bytes, Infallible>;

impl Server {
    async fn start(answer: fn(usize) -> Answer, reading: Reading) -> (Arc<Self>, SocketAddr) {
        let server = Arc::new(Self { answer, reading, state: Mutex::default() });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::clone(&server);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // Otherwise each answer waits for the client's delayed acknowledgement.
                stream.set_nodelay(true).unwrap();
                let server = Arc::clone(&shared);
                let service = service_fn(move |request| Arc::clone(&server).serve(request));
                tokio::spawn(async move {
                    let builder = auto::Builder::new(TokioExecutor::new());
                    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        (server, address)
    }

    async fn serve(self: Arc<Self>, request: Request<Incoming>) -> Result<Response<Body>, std::io::Error> {
        if let Some(id) = request.uri().path().strip_prefix("/api/v2/traces/") {
            return Ok(plain(StatusCode::OK, self.read(id)));
        }
        let grpc = request.headers()["content-type"] == "application/grpc";
        let encoding = if grpc { "grpc-encoding" } else { "content-encoding" };
        let encoding = request.headers().get(encoding).map(|v| v.to_str().unwrap().to_owned());
        let tenant = request.headers().get("x-scope-orgid").cloned();
        let mut body = request.into_body().collect().await.unwrap().to_bytes();
        if grpc {
            assert_eq!(usize::from(body[0]), usize::from(encoding.is_some()));
            assert_eq!(u32::from_be_bytes(body[1..5].try_into().unwrap()) as usize, body.len() - 5);
            body = body.slice(5..);
        }
        let message = ExportTraceServiceRequest::decode(inflate(encoding.as_deref(), body)).unwrap();
        let answer = {
            let mut state = self.state.lock().unwrap();
            state.requests += 1;
            state.tenants.push(tenant);
            let answer = (self.answer)(state.requests);
            if matches!(answer, Answer::Take | Answer::Partly(_)) {
                store(&mut state.traces, message);
            }
            answer
        };
        match answer {
            Answer::Take => Ok(accepted(grpc, b"")),
            Answer::Partly(rejected) => {
                let mut partial = Vec::new();
                spanloom_span::proto::put_message(&mut partial, 1, |o| {
                    spanloom_span::proto::put_uint(o, 1, rejected);
                });
                Ok(accepted(grpc, &partial))
            }
            Answer::Refuse => Ok(refused(grpc, "8", StatusCode::TOO_MANY_REQUESTS)),
            Answer::Invalid => Ok(refused(grpc, "3", StatusCode::BAD_REQUEST)),
            Answer::Hang => Err(std::io::Error::other("the server drops the connection")),
        }
    }

    fn read(&self, id: &str) -> Vec<u8> {
        let id = u128::from_str_radix(id, 16).unwrap().to_be_bytes().to_vec();
        let state = self.state.lock().unwrap();
        let found = match self.reading {
            Reading::InventTraces => state.traces.values().next(),
            _ => state.traces.get(&id),
        };
        let mut data = TracesData { resource_spans: found.cloned().unwrap_or_default() };
        if let Some(spans) = data.resource_spans.first_mut().map(|r| &mut r.scope_spans[0].spans) {
            match self.reading {
                Reading::LoseASpan => drop(spans.remove(0)),
                Reading::DoubleASpan => spans.push(spans[0].clone()),
                Reading::ChangeASpan => {
                    spans[0].end_time_unix_nano += 1;
                    spans[0].attributes.remove(0);
                }
                Reading::LoseAll => data.resource_spans.clear(),
                Reading::Faithful | Reading::InventTraces => {}
            }
        }
        let mut out = Vec::new();
        spanloom_span::proto::put_bytes(&mut out, 1, &data.encode_to_vec());
        out
    }
}

fn store(traces: &mut HashMap<Vec<u8>, Vec<ResourceSpans>>, message: ExportTraceServiceRequest) {
    for mut resource in message.resource_spans {
        for mut scope in std::mem::take(&mut resource.scope_spans) {
            for span in std::mem::take(&mut scope.spans) {
                let id = span.trace_id.clone();
                let scope_spans = vec![ScopeSpans { spans: vec![span], ..scope.clone() }];
                traces.entry(id).or_default().push(ResourceSpans { scope_spans, ..resource.clone() });
            }
        }
    }
}

fn inflate(encoding: Option<&str>, body: Bytes) -> Bytes {
    use std::io::Read;
    let mut out = Vec::new();
    match encoding {
        None => return body,
        Some("gzip") => flate2::read::GzDecoder::new(&body[..]).read_to_end(&mut out).unwrap(),
        Some("zstd") => zstd::Decoder::new(&body[..]).unwrap().read_to_end(&mut out).unwrap(),
        Some(other) => panic!("encoding {other}"),
    };
    out.into()
}

fn plain(status: StatusCode, body: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Full::from(body).boxed_unsync());
    *response.status_mut() = status;
    response
}

fn accepted(grpc: bool, message: &[u8]) -> Response<Body> {
    if !grpc {
        return plain(StatusCode::OK, message.to_vec());
    }
    let mut framed = vec![0];
    framed.extend_from_slice(&(message.len() as u32).to_be_bytes());
    framed.extend_from_slice(message);
    let trailers = HeaderMap::from_iter([("grpc-status".parse().unwrap(), HeaderValue::from_static("0"))]);
    Response::new(Full::from(framed).with_trailers(async move { Some(Ok(trailers)) }).boxed_unsync())
}

fn refused(grpc: bool, code: &'static str, status: StatusCode) -> Response<Body> {
    let mut response = plain(if grpc { StatusCode::OK } else { status }, Vec::new());
    let headers = response.headers_mut();
    if grpc {
        headers.insert("grpc-status", HeaderValue::from_static(code));
        headers.insert("grpc-retry-pushback-ms", HeaderValue::from_static("0"));
    } else {
        headers.insert("retry-after", HeaderValue::from_static("0"));
    }
    response
}

fn options(address: SocketAddr) -> LoadOptions {
    LoadOptions {
        spans: Some(6_000),
        spans_per_request: 50,
        endpoint: Some(address.to_string()),
        query: format!("http://{address}"),
        verify: 30,
        read_absent: 5,
        ..LoadOptions::default()
    }
}

async fn load(
    answer: fn(usize) -> Answer,
    reading: Reading,
    change: impl FnOnce(&mut LoadOptions),
) -> LoadReport {
    let (_, address) = Server::start(answer, reading).await;
    let mut options = options(address);
    change(&mut options);
    let report = run(options, Progress::Silent).await.unwrap();
    assert_eq!(
        report.sent_spans,
        report.acknowledged_spans + report.refused_spans + report.failed_spans,
        "{report}"
    );
    report
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_protocol_and_compression_arrives_whole() {
    for protocol in [Protocol::Grpc, Protocol::Http] {
        for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
            let report = load(
                |_| Answer::Take,
                Reading::Faithful,
                |o| {
                    (o.protocol, o.compression) = (protocol, compression);
                    o.reads = Some(45);
                },
            )
            .await;
            assert!(report.is_ok(), "{report}");
            assert!((6_000..8_000).contains(&report.acknowledged_spans), "{report}");
            assert_eq!(report.latency.count, report.requests);
            let read = report.read_back.unwrap();
            assert_eq!((read.traces, read.reads, read.absent_reads, read.latency.count), (30, 45, 5, 45));
            let small = compression == Compression::None || report.wire_bytes * 2 < report.sent_bytes;
            assert!(small, "{} of {} bytes", report.wire_bytes, report.sent_bytes);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_requests_come_again() {
    for protocol in [Protocol::Grpc, Protocol::Http] {
        let every_third = |n: usize| if n.is_multiple_of(3) { Answer::Refuse } else { Answer::Take };
        let report = load(every_third, Reading::Faithful, |o| o.protocol = protocol).await;
        assert!(report.is_ok() && report.refused_spans == 0 && report.pushed_back > 10, "{report}");
        assert_eq!(report.reasons.values().sum::<u64>(), report.pushed_back);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_are_counted_when_nothing_is_repeated() {
    let report =
        load(|n| if n % 2 == 0 { Answer::Refuse } else { Answer::Take }, Reading::Faithful, |o| o.retry = 0)
            .await;
    assert!(report.refused_spans > 2_000 && report.acknowledged_spans > 2_000, "{report}");
    assert_eq!(report.pushed_back * 2, report.requests - report.requests % 2);
    assert!(report.is_ok(), "what was acknowledged is there: {report}");
    let report = load(|_| Answer::Invalid, Reading::Faithful, |o| o.protocol = Protocol::Http).await;
    assert_eq!((report.acknowledged_spans, report.pushed_back), (0, 0), "{report}");
    assert!(report.read_back.is_some_and(|r| r.traces == 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partial_success_is_counted_and_not_sampled() {
    let report =
        load(|n| if n == 4 { Answer::Partly(7) } else { Answer::Take }, Reading::Faithful, |_| {}).await;
    assert_eq!((report.refused_spans, report.reasons["partial success"]), (7, 1), "{report}");
    assert!(report.is_ok(), "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_connections_are_failures() {
    for protocol in [Protocol::Grpc, Protocol::Http] {
        let report = load(
            |n| if n == 5 { Answer::Hang } else { Answer::Take },
            Reading::Faithful,
            |o| o.protocol = protocol,
        )
        .await;
        assert!(report.failed_spans > 0 && report.acknowledged_spans > 3_000 && !report.is_ok(), "{report}");
        assert!(report.read_back.is_some_and(|r| r.is_ok()), "what was acknowledged is there");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reading_back_finds_what_is_wrong() {
    let check = async |reading, expected: [bool; 6]| {
        let report = load(|_| Answer::Take, reading, |_| {}).await;
        let read = report.read_back.as_ref().unwrap();
        let found = [
            read.missing_traces,
            read.missing_spans,
            read.duplicated_spans,
            read.different_spans,
            read.unexpected_spans,
            read.absent_found,
        ];
        assert_eq!(found.map(|n| n > 0), expected, "{report}");
        assert_eq!(report.is_ok(), expected == [false; 6]);
        assert!(report.is_ok() || !read.examples.is_empty());
        report
    };
    check(Reading::Faithful, [false; 6]).await;
    // A trace of a single span is missing as a whole.
    check(Reading::LoseASpan, [true, true, false, false, false, false]).await;
    check(Reading::LoseAll, [true, true, false, false, false, false]).await;
    check(Reading::DoubleASpan, [false, false, true, false, false, false]).await;
    let report = check(Reading::ChangeASpan, [false, false, false, true, false, false]).await;
    assert!(report.to_string().contains("differs in end_time, attribute_count, attributes"), "{report}");
    check(Reading::InventTraces, [true, true, false, false, true, true]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rate_is_kept_and_a_duration_ends_it() {
    let report = load(
        |_| Answer::Take,
        Reading::Faithful,
        |o| {
            (o.spans, o.rate, o.duration) = (None, Some(20_000), Some(Duration::from_millis(500)));
        },
    )
    .await;
    assert!(report.is_ok() && report.acknowledged_spans > 0, "{report}");
    assert!(report.spans_per_second < 30_000.0, "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledgements_are_logged_and_tenants_sent() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("acks");
    let (server, address) =
        Server::start(|n| if n % 2 == 0 { Answer::Invalid } else { Answer::Take }, Reading::Faithful).await;
    let options =
        LoadOptions { ack_log: Some(path.clone()), tenant: Some("shop".to_owned()), ..options(address) };
    let report = run(options, Progress::Silent).await.unwrap();
    let log = AckLog::read(&path).unwrap();
    assert_eq!(log.iter().map(|a| a.spans.len() as u64).sum::<u64>(), report.acknowledged_spans);
    let state = server.state.lock().unwrap();
    assert!(
        log.iter().flat_map(|a| &a.spans).all(|(trace, _)| state.traces.contains_key(trace.0.as_slice()))
    );
    assert!(state.tenants.iter().all(|t| t.as_ref().is_some_and(|t| t == "shop")));
    let json: serde_json::Value = serde_json::from_str(&report.to_json()).unwrap();
    assert_eq!(json["acknowledged_spans"], report.acknowledged_spans);
}

#[tokio::test]
async fn what_cannot_be_run_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let gone = run(options(address), Progress::Silent).await;
    assert!(matches!(gone, Err(LoadError::Connect { .. })), "{gone:?}");
    let remote = LoadOptions { endpoint: Some("192.0.2.1:4317".to_owned()), ..LoadOptions::default() };
    let remote = run(remote, Progress::Silent).await;
    assert!(matches!(remote, Err(LoadError::Remote { .. })), "{remote:?}");
}
