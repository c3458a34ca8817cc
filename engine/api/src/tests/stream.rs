//! The same questions over gRPC, asked by a client of HTTP/2 that reads every frame.

use std::time::Duration;

use axum::http::StatusCode;
use http_body_util::Full;
use hyper::body::Incoming;
use prost::Message;
use spanloom_span::model::AnyValue;
use spanloom_traceql::answer::{FoundSpanset, FoundTrace, Series};

use super::search::canonical;
use super::*;
use crate::time::SECOND;

#[derive(Clone, PartialEq, Message)]
struct Search {
    #[prost(btree_map = "string, string", tag = "1")]
    tags: std::collections::BTreeMap<String, String>,
    #[prost(uint32, tag = "2")]
    min_duration_ms: u32,
    #[prost(uint32, tag = "4")]
    limit: u32,
    #[prost(uint32, tag = "5")]
    start: u32,
    #[prost(uint32, tag = "6")]
    end: u32,
    #[prost(string, tag = "8")]
    query: String,
    #[prost(uint32, tag = "9")]
    spans_per_spanset: u32,
}

#[derive(Clone, PartialEq, Message)]
struct Range {
    #[prost(string, tag = "1")]
    query: String,
    #[prost(uint64, tag = "2")]
    start: u64,
    #[prost(uint64, tag = "3")]
    end: u64,
    #[prost(uint64, tag = "4")]
    step: u64,
    #[prost(uint32, tag = "16")]
    exemplars: u32,
}

#[derive(Clone, PartialEq, Message)]
struct Found {
    #[prost(message, repeated, tag = "1")]
    traces: Vec<Id>,
    #[prost(message, optional, tag = "2")]
    metrics: Option<Jobs>,
}

#[derive(Clone, PartialEq, Message)]
struct Id {
    #[prost(string, tag = "1")]
    id: String,
    #[prost(uint32, tag = "5")]
    duration_ms: u32,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct Jobs {
    #[prost(uint32, tag = "4")]
    done: u32,
    #[prost(uint32, tag = "5")]
    total: u32,
}

/// An answer being read.
struct Reading {
    head: HeaderMap,
    body: Incoming,
    rest: Vec<u8>,
    trailers: HeaderMap,
}

impl Reading {
    /// The next message; `None` at the end.
    async fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some((prefix, rest)) = self.rest.split_first_chunk::<5>() {
                let length = u32::from_be_bytes([prefix[1], prefix[2], prefix[3], prefix[4]]) as usize;
                assert_eq!(prefix[0], 0);
                if rest.len() >= length {
                    let message = rest[..length].to_vec();
                    self.rest.drain(..5 + length);
                    return Some(message);
                }
            }
            match self.body.frame().await?.unwrap().into_data() {
                Ok(data) => self.rest.extend_from_slice(&data),
                Err(frame) => self.trailers = frame.into_trailers().unwrap(),
            }
        }
    }

    /// The messages that are left, and the status.
    async fn all(mut self) -> (Vec<Vec<u8>>, u32, String) {
        let mut messages = Vec::new();
        while let Some(message) = self.next().await {
            messages.push(message);
        }
        assert!(self.rest.is_empty());
        let read = |name: &str| {
            let value = self.trailers.get(name).or(self.head.get(name));
            value.map_or("", |value| value.to_str().unwrap()).to_owned()
        };
        (messages, read("grpc-status").parse().unwrap(), read("grpc-message"))
    }
}

/// Asks a method; the handle ends the connection when it is aborted.
async fn ask(
    server: &Running,
    method: &str,
    headers: &[(&str, &str)],
    message: Vec<u8>,
) -> (Reading, JoinHandle<()>) {
    let stream = TcpStream::connect(server.address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (mut sender, connection) = handshake.await.unwrap();
    let connection = tokio::spawn(async move { drop(connection.await) });
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(format!("http://localhost/tempopb.StreamingQuerier/{method}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut framed = vec![0];
    framed.extend_from_slice(&(message.len() as u32).to_be_bytes());
    framed.extend_from_slice(&message);
    let response = sender.send_request(request.body(Full::new(Bytes::from(framed))).unwrap()).await.unwrap();
    let (head, body) = response.into_parts();
    assert_eq!(head.status, StatusCode::OK);
    assert_eq!(head.headers["content-type"], "application/grpc");
    (Reading { head: head.headers, body, rest: Vec::new(), trailers: HeaderMap::new() }, connection)
}

async fn all(
    server: &Running,
    method: &str,
    headers: &[(&str, &str)],
    message: Vec<u8>,
) -> (Vec<Vec<u8>>, u32, String) {
    ask(server, method, headers, message).await.0.all().await
}

fn trace(id: u8, duration_ms: u64) -> FoundTrace {
    FoundTrace {
        id: TraceId([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, id]),
        duration: duration_ms * 1_000_000,
        spansets: vec![FoundSpanset { matched: 1, ..FoundSpanset::default() }],
        ..FoundTrace::default()
    }
}

fn part(traces: Vec<FoundTrace>, jobs_done: u64, done: bool) -> Result<SearchPart, AskError> {
    let stats = SearchStats { jobs: 3, jobs_done, ..SearchStats::default() };
    Ok(SearchPart { traces, stats, done, ..SearchPart::default() })
}

fn found(traces: &[(&str, u32)], done: u32) -> Found {
    let traces = traces.iter().map(|(id, duration_ms)| Id { id: (*id).into(), duration_ms: *duration_ms });
    Found { traces: traces.collect(), metrics: Some(Jobs { done, total: 3 }) }
}

fn counted(server: &Running, endpoint: &str) -> String {
    let text = server.scraped();
    let prefix = format!("spanloom_api_requests_total{{endpoint=\"/tempopb.StreamingQuerier/{endpoint}\",");
    text.lines().filter_map(|line| line.strip_prefix(&prefix)).collect::<Vec<_>>().join(";")
}

#[tokio::test]
async fn each_message_has_what_is_new() {
    let server = running(0);
    server.fake.searches.will_be(vec![
        part(vec![trace(1, 10), trace(2, 20)], 1, false),
        part(vec![], 2, false),
        // The first one has grown, the second one is as it was, the third one is new.
        part(vec![trace(3, 30), trace(1, 11), trace(2, 20)], 3, true),
    ]);
    let question = Search {
        query: "{ }".into(),
        limit: 5,
        start: 10,
        end: 20,
        spans_per_spanset: 7,
        ..Search::default()
    };
    let (messages, status, message) =
        all(&server, "Search", &[("x-scope-orgid", "a|b")], question.encode_to_vec()).await;
    assert_eq!((status, message.as_str()), (0, ""));
    let read: Vec<Found> = messages.iter().map(|bytes| Found::decode(&bytes[..]).unwrap()).collect();
    assert_eq!(read, [found(&[("1", 10), ("2", 20)], 1), found(&[], 2), found(&[("3", 30), ("1", 11)], 3)]);
    let asked = server.fake.searches.last();
    let expected = SearchRequest {
        tenants: ["a", "b"].map(|name| spanloom_span::Tenant::new(name).unwrap()).into(),
        query: "{ }".into(),
        start: Some(10 * SECOND),
        end: Some(20 * SECOND),
        limit: 5,
        spans_per_spanset: 7,
        stream: true,
        ..SearchRequest::default()
    };
    assert_eq!(asked, expected);
    assert_eq!(counted(&server, "Search"), "status=\"200\"} 1");
    server.end().await;
}

#[tokio::test]
async fn what_is_missing_is_said_at_the_end() {
    let (server, said) = (running(0), "node b did not answer");
    *server.fake.missing.lock().unwrap() = Some(said.into());
    for method in ["Search", "SearchTags", "SearchTagsV2", "SearchTagValues", "MetricsQueryRange"] {
        let last = SearchPart { partial: Some(said.into()), done: true, ..SearchPart::default() };
        server.fake.searches.will_be(vec![part(vec![], 1, false), Ok(last)]);
        let last = MetricsPart { partial: Some(said.into()), done: true, ..MetricsPart::default() };
        server.fake.series.will_be(vec![Ok(last)]);
        let question = match method {
            "MetricsQueryRange" => Range { query: "{ } | rate()".into(), ..Range::default() }.encode_to_vec(),
            "SearchTagValues" => Range { query: "x".into(), ..Range::default() }.encode_to_vec(),
            _ => Vec::new(),
        };
        let (mut reading, _connection) = ask(&server, method, &[], question).await;
        while reading.next().await.is_some() {}
        assert_eq!(
            reading.trailers.get(crate::PARTIAL).map(|said| said.to_str().unwrap()),
            Some(said),
            "{method}"
        );
    }
    server.end().await;
}

#[tokio::test]
async fn a_question_that_says_nothing_asks_for_what_is_recent() {
    let server = running(0);
    server.fake.searches.will_be(vec![part(vec![], 3, true)]);
    let (messages, status, _) = all(&server, "Search", &[], Vec::new()).await;
    assert_eq!((messages.len(), status), (1, 0));
    let asked = server.fake.searches.last();
    assert_eq!(
        (asked.query.as_str(), asked.limit, asked.spans_per_spanset, asked.end),
        (&*canonical("{ }"), 20, 3, None)
    );
    server.fake.searches.will_be(vec![part(vec![], 3, true)]);
    let tags = [("service.name".to_owned(), "shop".to_owned())].into();
    let question = Search { tags, min_duration_ms: 1500, ..Search::default() };
    all(&server, "Search", &[], question.encode_to_vec()).await;
    let expected = r#"{ resource.service.name = "shop" && trace:duration >= 1500ms }"#;
    assert_eq!(server.fake.searches.last().query, canonical(expected));
    server.end().await;
}

#[tokio::test]
async fn messages_come_as_parts_do_and_end_with_the_client() {
    let server = running(0);
    *server.fake.searches.more.lock().unwrap() = true;
    server.fake.searches.will_be(vec![part(vec![trace(1, 10)], 1, false)]);
    let (mut reading, connection) = ask(&server, "Search", &[], Vec::new()).await;
    let first = reading.next().await.unwrap();
    assert_eq!(Found::decode(&first[..]).unwrap(), found(&[("1", 10)], 1));
    let parts = server.fake.searches.open.lock().unwrap().take().unwrap();
    assert!(parts.send(part(vec![trace(2, 20)], 2, false)).await.is_ok());
    let second = reading.next().await.unwrap();
    assert_eq!(Found::decode(&second[..]).unwrap(), found(&[("2", 20)], 2));
    assert_eq!(counted(&server, "Search"), "");
    // The client goes away, and the answers are dropped.
    drop(reading);
    connection.abort();
    parts.closed().await;
    while counted(&server, "Search") != "status=\"499\"} 1" {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    server.end().await;
}

#[tokio::test]
async fn errors_are_statuses() {
    let server = running(0);
    let check = async |method: &str, headers: &[(&str, &str)], bytes: Vec<u8>, code: u32, text: &str| {
        let (messages, status, message) = all(&server, method, headers, bytes).await;
        assert_eq!((messages.len(), status), (0, code), "{method}: {message}");
        assert!(message.starts_with(text), "{method}: {message}");
    };
    let query = |query: &str| Search { query: query.into(), ..Search::default() }.encode_to_vec();
    check("Search", &[], query("{ .a = }"), 3, "the query is wrong: line 1, column 8: found `}`").await;
    check("Search", &[], query("{ } | rate()"), 3, "the query asks for series").await;
    check("MetricsQueryRange", &[], query(""), 3, "there is no query").await;
    check("Search", &[], vec![0x80], 3, "the request is not protobuf: truncated at byte 0").await;
    check("Search", &[], vec![0; 200_000], 8, "the question is larger than 147456 bytes").await;
    assert_eq!(server.limited("query.max_query_bytes"), 1);
    let long = Search { limit: 262_145, ..Search::default() }.encode_to_vec();
    check("Search", &[], long, 3, "limit is 262145, expected 1 to 262144 (query.max_limit)").await;
    assert_eq!(server.limited("query.max_limit"), 1);
    check("Search", &[("x-scope-orgid", "a/b")], Vec::new(), 3, "the header X-Scope-OrgID is wrong").await;
    check("Search", &[("grpc-timeout", "soon")], Vec::new(), 3, "the grpc-timeout is \"soon\"").await;
    check("Search", &[("grpc-encoding", "br")], Vec::new(), 12, "the grpc-encoding is \"br\"").await;
    check("Other", &[], Vec::new(), 12, "/tempopb.StreamingQuerier/Other is not served here").await;
    let fails = |error: QueryError| *server.fake.fails.lock().unwrap() = Some(error);
    fails(QueryError::Busy { message: "busy 100%".into(), limit: None, retry_after: Duration::from_secs(1) });
    let (mut reading, _connection) = ask(&server, "Search", &[], Vec::new()).await;
    assert_eq!(reading.next().await, None);
    assert_eq!(
        (&reading.head["grpc-status"], &reading.head["grpc-message"]),
        (&"8".parse().unwrap(), &"busy 100%25".parse().unwrap())
    );
    assert!(reading.head.contains_key("grpc-status-details-bin"));
    fails(QueryError::Unavailable("later".into()));
    check("Search", &[], Vec::new(), 14, "later").await;
    fails(QueryError::Internal("oh".into()));
    check("Search", &[], Vec::new(), 13, "oh").await;
    *server.fake.fails.lock().unwrap() = None;
    server.fake.searches.asked.lock().unwrap().clear();

    // An error after the first part, and an end before the last one.
    server.fake.searches.will_be(vec![part(vec![], 1, false), Err(AskError::TooLarge("too much".into()))]);
    let (messages, status, message) = all(&server, "Search", &[], Vec::new()).await;
    assert_eq!((messages.len(), status, message.as_str()), (1, 8, "too much"));
    server.fake.searches.will_be(vec![part(vec![], 1, false)]);
    let (messages, status, message) = all(&server, "Search", &[], Vec::new()).await;
    assert_eq!((messages.len(), status, message.as_str()), (1, 13, "the answer ended before its last part"));
    server.end().await;
}

#[tokio::test]
async fn deadlines_hold_before_and_after_the_first_message() {
    let check = async |ours: u64, theirs: Option<&str>, hangs: bool, expected: &str| {
        let config = ApiConfig { timeout: Duration::from_millis(ours), ..ApiConfig::default() };
        let server = start(config, Fake { hangs, ..Fake::default() });
        *server.fake.searches.more.lock().unwrap() = true;
        server.fake.searches.will_be(vec![part(vec![], 1, false)]);
        let headers: Vec<_> = theirs.iter().map(|time| ("grpc-timeout", *time)).collect();
        let (messages, status, message) = all(&server, "Search", &headers, Vec::new()).await;
        assert_eq!((messages.len(), status, message.as_str()), (usize::from(!hangs), 4, expected));
        assert_eq!(counted(&server, "Search"), "status=\"504\"} 1");
        if !hangs {
            let parts = server.fake.searches.open.lock().unwrap().take().unwrap();
            parts.closed().await;
        }
        server.end().await;
    };
    for hangs in [true, false] {
        let ours = "the question was not answered within 50ms (query.timeout)";
        check(50, None, hangs, ours).await;
        check(50, Some("1H"), hangs, ours).await;
        let theirs = "the question was not answered within 60ms (grpc-timeout)";
        check(30_000, Some("60m"), hangs, theirs).await;
        check(0, Some("60000u"), hangs, theirs).await;
    }
}

#[tokio::test]
async fn tenants_must_be_named_when_there_are_several() {
    let config = ApiConfig { multitenancy: true, ..ApiConfig::default() };
    let server = start(config, Fake::default());
    let (_, status, message) = all(&server, "SearchTags", &[], Vec::new()).await;
    assert_eq!(status, 16);
    assert!(message.starts_with("no org id"), "{message}");
    server.end().await;
}

#[tokio::test]
async fn names_and_values_come_as_one_message() {
    let server = running(0);
    let check = async |method: &str, question: Vec<u8>, path: &str| {
        let (messages, status, message) = all(&server, method, &[], question).await;
        assert_eq!((status, message.as_str()), (0, ""));
        let over_http = server.ask(false, Method::GET, path, &[("accept", "application/protobuf")]).await;
        assert_eq!(messages, [over_http.body.to_vec()], "{method}");
    };
    let text = |field: u8, text: &str| [&[field << 3 | 2, text.len() as u8], text.as_bytes()].concat();
    check("SearchTags", Vec::new(), "/api/search/tags").await;
    check("SearchTags", text(1, "span"), "/api/search/tags?scope=span").await;
    check("SearchTagsV2", Vec::new(), "/api/v2/search/tags").await;
    check("SearchTagsV2", text(1, "intrinsic"), "/api/v2/search/tags?scope=intrinsic").await;
    check("SearchTagValues", text(1, "a"), "/api/search/tag/a/values").await;
    check("SearchTagValuesV2", text(1, "span.a"), "/api/v2/search/tag/span.a/values").await;
    check("SearchTagValuesV2", text(1, "status"), "/api/v2/search/tag/status/values").await;

    let range = |start: u8, field: u8| vec![start << 3, 5, field << 3, 9];
    let question = [text(2, "{ .a ="), range(3, 4), vec![5 << 3, 7]].concat();
    server.fake.names.lock().unwrap().clear();
    all(&server, "SearchTagsV2", &[], question).await;
    let asked = server.fake.names.lock().unwrap().pop().unwrap();
    assert_eq!(
        (asked.query.as_deref(), asked.start, asked.end, asked.limit),
        (Some("{ .a ="), Some(5 * SECOND), Some(9 * SECOND), 7)
    );
    let question = [text(1, ".a"), text(2, "{"), range(4, 5), vec![6 << 3, 7]].concat();
    all(&server, "SearchTagValuesV2", &[], question).await;
    let asked = server.fake.values.lock().unwrap().pop().unwrap();
    assert_eq!(
        (asked.field.as_str(), asked.query.as_deref(), asked.end, asked.limit),
        (".a", Some("{"), Some(9 * SECOND), 7)
    );
    let (_, status, message) = all(&server, "SearchTagValuesV2", &[], text(1, "foo")).await;
    assert_eq!(status, 3);
    assert!(message.starts_with("the tag \"foo\" is no field"), "{message}");
    server.end().await;
}

/// Series as labels and the samples of their messages, with the progress.
type Told = (Vec<(String, Vec<f64>)>, u32);

#[derive(Clone, PartialEq, Message)]
struct Grown {
    #[prost(message, repeated, tag = "1")]
    series: Vec<GrownSeries>,
    #[prost(message, optional, tag = "2")]
    metrics: Option<Jobs>,
    #[prost(int32, tag = "3")]
    status: i32,
    #[prost(string, tag = "4")]
    message: String,
}

#[derive(Clone, PartialEq, Message)]
struct GrownSeries {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<opentelemetry_proto::tonic::common::v1::KeyValue>,
    #[prost(bytes = "vec", repeated, tag = "2")]
    samples: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct InstantGrown {
    #[prost(message, repeated, tag = "1")]
    series: Vec<InstantSeries>,
    #[prost(message, optional, tag = "2")]
    metrics: Option<Jobs>,
}

#[derive(Clone, PartialEq, Message)]
struct InstantSeries {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<opentelemetry_proto::tonic::common::v1::KeyValue>,
    #[prost(double, tag = "2")]
    value: f64,
}

fn label(labels: &[opentelemetry_proto::tonic::common::v1::KeyValue]) -> String {
    labels.iter().map(|label| label.key.as_str()).collect()
}

fn range_told(bytes: &[u8]) -> Told {
    let grown = Grown::decode(bytes).unwrap();
    // A sample has its value first: a tag, then eight bytes.
    let value = |sample: &Vec<u8>| f64::from_le_bytes(sample[1..9].try_into().unwrap());
    let series = grown.series.iter().map(|one| (label(&one.labels), one.samples.iter().map(value).collect()));
    (series.collect(), grown.metrics.unwrap().done)
}

fn instant_told(bytes: &[u8]) -> Told {
    let grown = InstantGrown::decode(bytes).unwrap();
    let series = grown.series.iter().map(|one| (label(&one.labels), vec![one.value])).collect();
    (series, grown.metrics.unwrap().done)
}

#[tokio::test]
async fn series_come_as_they_grow() {
    let server = running(0);
    let one = |name: &str, values: &[f64]| Series {
        labels: vec![(name.into(), AnyValue::Str("x".into()))],
        samples: (1..).zip(values).map(|(at, value)| (at * 60 * SECOND, *value)).collect(),
        ..Series::default()
    };
    let part = |series: Vec<Series>, jobs_done: u64, done: bool| {
        let stats = SearchStats { jobs: 4, jobs_done, ..SearchStats::default() };
        let partial = Some("not all".to_owned());
        Ok(MetricsPart {
            series,
            stats,
            partial,
            limit: Some("query.max_series"),
            done,
            ..MetricsPart::default()
        })
    };
    let question = Range {
        query: "{ } | rate()".into(),
        start: 100 * SECOND + 1,
        end: 160 * SECOND,
        step: 0,
        exemplars: 0,
    };
    type Read = fn(&[u8]) -> Told;
    for (at, (method, read, step, exemplars)) in [
        ("MetricsQueryRange", range_told as Read, Some(SECOND / 20 * 4), 100),
        ("MetricsQueryInstant", instant_told as Read, None, 0),
    ]
    .into_iter()
    .enumerate()
    {
        server.fake.series.will_be(vec![
            part(vec![one("a", &[1.0]), one("b", &[2.0])], 1, false),
            // Nothing changed; then one grew and one is new; one without samples is none.
            part(vec![one("a", &[1.0]), one("b", &[2.0])], 2, false),
            part(vec![one("a", &[1.5]), one("b", &[2.0]), one("c", &[3.0]), one("d", &[])], 3, false),
            part(vec![one("a", &[1.5]), one("b", &[2.5]), one("c", &[3.0])], 4, true),
        ]);
        let (messages, status, message) = all(&server, method, &[], question.encode_to_vec()).await;
        assert_eq!((status, message.as_str()), (0, ""));
        let told: Vec<Told> = messages.iter().map(|bytes| read(bytes)).collect();
        let of = |series: &[(&str, f64)], done: u32| -> Told {
            (series.iter().map(|(name, value)| ((*name).to_owned(), vec![*value])).collect(), done)
        };
        let expected = [
            of(&[("a", 1.0), ("b", 2.0)], 1),
            of(&[], 2),
            of(&[("a", 1.5), ("c", 3.0)], 3),
            of(&[("a", 1.5), ("b", 2.5), ("c", 3.0)], 4),
        ];
        assert_eq!(told, expected, "{method}");
        // What is left out is said at the end.
        let status = |bytes: &[u8]| Grown::decode(bytes).map(|grown| (grown.status, grown.message));
        if method == "MetricsQueryRange" {
            assert_eq!(status(&messages[0]), Ok((0, String::new())));
            assert_eq!(status(&messages[3]), Ok((1, "not all".into())));
        }
        assert_eq!(server.limited("query.max_series"), at as u64 + 1);
        let asked = server.fake.series.last();
        assert_eq!((asked.start, asked.end), (100 * SECOND + 1, 160 * SECOND));
        assert_eq!((asked.step, asked.exemplars, asked.stream), (step, exemplars, true), "{method}");
    }
    server.fake.series.will_be(vec![part(vec![], 1, false), Err(AskError::Busy("busy".into()))]);
    let (messages, status, _) = all(&server, "MetricsQueryRange", &[], question.encode_to_vec()).await;
    assert_eq!((messages.len(), status), (1, 8));
    server.end().await;
}

#[tokio::test]
async fn what_is_no_grpc_over_http_2_is_told_so() {
    let server = running(0);
    let headers = [("content-type", "application/grpc")];
    let got = server.ask(false, Method::POST, "/tempopb.StreamingQuerier/Search", &headers).await;
    assert_eq!((got.status, got.text()), (StatusCode::BAD_REQUEST, "gRPC needs HTTP/2 and POST\n"));
    let got = server.ask(true, Method::POST, "/tempopb.StreamingQuerier/Search", &headers).await;
    assert_eq!(got.header("grpc-status"), "3");
    let got = server.ask(true, Method::POST, "/tempopb.StreamingQuerier/Search", &[]).await;
    assert_eq!(got.status, StatusCode::NOT_FOUND);
    server.end().await;
}
