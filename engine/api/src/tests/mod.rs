//! The API over loopback, with a fake engine behind it.
//!
//! | file | holds |
//! |---|---|
//! | `mod.rs` | the fake engine, a server, a client |
//! | `basics.rs` | traces by id, and what operators ask |
//! | `cluster.rs` | `/ring`, `/memberlist` |
//! | `page.rs` | the web page |
//! | `redact.rs` | `/api/redact` |
//! | `search.rs` | `/api/search` |
//! | `tags.rs` | names and values |
//! | `series.rs` | metrics |
//! | `stream.rs` | the same over gRPC |
//! | `jaeger.rs`, `zipkin.rs` | the APIs of Jaeger and Zipkin |
//! | `graph.rs` | the graph of services |

mod basics;
mod cluster;
mod graph;
mod jaeger;
mod page;
mod redact;
mod search;
mod series;
mod stream;
mod tags;
mod zipkin;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::{HeaderMap, Method, Request, StatusCode};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use spanloom_query::{
    Answers, GraphEdge, GraphNode, GraphRequest, MetricsPart, MetricsRequest, NodeKind, SearchPart,
    SearchRequest, SearchStats, ServiceGraph, TagScope, TagType, TagValues, TagValuesRequest, Tags,
    TagsRequest,
};
use spanloom_receive::{Trigger, bind, serve, shutdown};
use spanloom_span::model::{ResourceSpans, ScopeSpans, Span, Trace};
use spanloom_span::{SpanId, TraceId};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
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
    searches: Asked<SearchRequest, SearchPart>,
    series: Asked<MetricsRequest, MetricsPart>,
    names: Arc<Mutex<Vec<TagsRequest>>>,
    values: Arc<Mutex<Vec<TagValuesRequest>>>,
    graphs: Arc<Mutex<Vec<GraphRequest>>>,
    redactions: Arc<Mutex<Vec<RedactRequest>>>,
    cluster: ClusterPage,
}

type AskError = spanloom_query::QueryError;
type PartSender<T> = mpsc::Sender<Result<T, AskError>>;

/// Questions that were asked, and the parts that the next one is answered with.
struct Asked<R, T> {
    asked: Arc<Mutex<Vec<R>>>,
    parts: Arc<Mutex<Vec<Result<T, AskError>>>>,
    /// Whether more parts are promised after those.
    more: Arc<Mutex<bool>>,
    /// The end at which parts go in, when more are promised.
    open: Arc<Mutex<Option<PartSender<T>>>>,
}

impl<R, T> Clone for Asked<R, T> {
    fn clone(&self) -> Self {
        let (asked, parts) = (self.asked.clone(), self.parts.clone());
        Self { asked, parts, more: self.more.clone(), open: self.open.clone() }
    }
}

impl<R, T> Default for Asked<R, T> {
    fn default() -> Self {
        Self { asked: Arc::default(), parts: Arc::default(), more: Arc::default(), open: Arc::default() }
    }
}

impl<R, T> Asked<R, T> {
    fn answer(&self, request: R) -> Answers<T> {
        self.asked.lock().unwrap().push(request);
        let parts = std::mem::take(&mut *self.parts.lock().unwrap());
        let (sender, receiver) = mpsc::channel(parts.len() + 1);
        for part in parts {
            assert!(sender.try_send(part).is_ok());
        }
        if *self.more.lock().unwrap() {
            *self.open.lock().unwrap() = Some(sender);
        }
        Answers::new(receiver)
    }

    fn will_be(&self, parts: Vec<Result<T, AskError>>) {
        *self.parts.lock().unwrap() = parts;
    }

    /// The one question that was asked since the last call.
    fn last(&self) -> R {
        let mut asked = self.asked.lock().unwrap();
        assert_eq!(asked.len(), 1);
        asked.remove(0)
    }
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

    async fn search(&self, request: SearchRequest) -> Result<Answers<SearchPart>, QueryError> {
        if self.hangs {
            std::future::pending::<()>().await;
        }
        let fails = self.fails.lock().unwrap().clone();
        fails.map_or_else(|| Ok(self.searches.answer(request)), Err)
    }

    async fn metrics(&self, request: MetricsRequest) -> Result<Answers<MetricsPart>, QueryError> {
        Ok(self.series.answer(request))
    }

    async fn service_graph(&self, request: GraphRequest) -> Result<ServiceGraph, QueryError> {
        let partial = self.missing.lock().unwrap().clone();
        self.graphs.lock().unwrap().push(request);
        let node = |name: &str, kind, spans| GraphNode { name: name.into(), kind, spans, errors: 1 };
        let edge = |client: &str, server: &str, calls| GraphEdge {
            client: client.into(),
            server: server.into(),
            calls,
            errors: 2,
            p50: 1_234_567,
            p95: 9_000_000,
        };
        Ok(ServiceGraph {
            nodes: vec![node("a", NodeKind::Service, 9), node("db", NodeKind::Database, 4)],
            edges: vec![edge("a", "db", 4)],
            traces: 3,
            partial,
        })
    }

    async fn tags(&self, request: TagsRequest) -> Result<Tags, QueryError> {
        let wanted = request.scope;
        self.names.lock().unwrap().push(request);
        let texts = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let mut scopes =
            vec![(TagScope::Resource, texts(&["service.name", "x"])), (TagScope::Span, texts(&["a b", "x"]))];
        scopes.retain(|(scope, _)| wanted.is_none_or(|wanted| wanted == *scope));
        let partial = self.missing.lock().unwrap().clone();
        Ok(Tags { scopes, stats: SearchStats { bytes: 9, ..SearchStats::default() }, partial })
    }

    async fn tag_values(&self, request: TagValuesRequest) -> Result<TagValues, QueryError> {
        self.values.lock().unwrap().push(request);
        let value = |kind, text: &str| (kind, text.to_owned());
        let values = vec![value(TagType::String, "5"), value(TagType::String, "b"), value(TagType::Int, "5")];
        let partial = self.missing.lock().unwrap().clone();
        Ok(TagValues { values, stats: SearchStats { bytes: 9, ..SearchStats::default() }, partial })
    }

    async fn flush(&self) -> Result<(), QueryError> {
        self.fails.lock().unwrap().clone().map_or(Ok(()), Err)
    }

    async fn redact(&self, request: RedactRequest) -> Result<Redacted, QueryError> {
        if let Some(error) = self.fails.lock().unwrap().clone() {
            return Err(error);
        }
        let traces = match &request.what {
            RedactWhat::Traces(traces) => traces.len() as u64,
            RedactWhat::Query { .. } => 7,
        };
        let dry_run = request.dry_run;
        self.redactions.lock().unwrap().push(request);
        Ok(Redacted { dry_run, traces, ..Redacted::default() })
    }

    fn cluster(&self) -> ClusterPage {
        self.cluster.clone()
    }

    async fn forget(&self, node: String) -> Result<(), QueryError> {
        match self.cluster.members.iter().any(|member| member.name == node) {
            true => Ok(()),
            false => Err(QueryError::Invalid(format!("no node named {node} is known here"))),
        }
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
    metrics: ApiMetrics,
    trigger: Trigger,
    task: JoinHandle<()>,
}

fn start(config: ApiConfig, fake: Fake) -> Running {
    start_as(config, fake, Api::new)
}

/// A server of one of the APIs.
fn start_as<S>(
    config: ApiConfig,
    fake: Fake,
    api: impl FnOnce(Fake, ApiConfig, BuildInfo, ApiMetrics) -> S,
) -> Running
where
    S: hyper::service::Service<
            Request<hyper::body::Incoming>,
            Response = axum::response::Response,
            Error = std::convert::Infallible,
        > + Clone
        + Send
        + 'static,
    S::Future: Send + 'static,
{
    let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let address = listener.local_addr().unwrap();
    let (trigger, waits) = shutdown();
    let build = BuildInfo { version: "1.2.3".into(), ..BuildInfo::default() };
    let metrics = ApiMetrics::default();
    let api = api(fake.clone(), config.clone(), build, metrics.clone());
    let counts = metrics.serve.clone();
    let task = tokio::spawn(async move { serve(listener, api, &config.serve, counts, waits).await });
    Running { address, fake, metrics, trigger, task }
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
        self.send(h2, method, path, headers, "").await
    }

    async fn send(&self, h2: bool, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Got {
        let stream = TcpStream::connect(self.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let io = TokioIo::new(stream);
        let mut request = Request::builder().method(method).uri(format!("http://localhost{path}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(Bytes::copy_from_slice(body.as_bytes()))).unwrap();
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

    /// What was counted.
    fn scraped(&self) -> String {
        let mut registry = prometheus_client::registry::Registry::default();
        self.metrics.register(&mut registry);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        text
    }

    /// How many questions met a limit.
    fn limited(&self, limit: &str) -> u64 {
        let start = format!("spanloom_api_limited_total{{limit=\"{limit}\"}} ");
        let text = self.scraped();
        text.lines().find_map(|line| line.strip_prefix(&start)).map_or(0, |count| count.parse().unwrap())
    }

    async fn end(self) {
        self.trigger.begin(Duration::from_secs(5));
        self.task.await.unwrap();
    }
}
