//! Traces by id, and what operators ask.

use std::io::Read;
use std::time::Duration;

use axum::http::{Method, StatusCode};
use opentelemetry_proto::tonic::trace::v1::TracesData;
use prost::Message;

use super::*;

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
    let (server, said) = (running(0), "node b did not answer");
    *server.fake.missing.lock().unwrap() = Some(said.into());
    let got = server.get(&format!("/api/v2/traces/{ID}")).await;
    assert!(got.text().ends_with(r#""status":"PARTIAL","message":"node b did not answer"}"#), "{got:?}");
    let part = || MetricsPart { partial: Some(said.into()), done: true, ..MetricsPart::default() };
    for path in [
        &format!("/api/v2/traces/{ID}"),
        &format!("/api/traces/{ID}"),
        "/api/traces/77",
        "/api/search",
        "/api/search/tags",
        "/api/v2/search/tags",
        "/api/search/tag/x/values",
        "/api/v2/search/tag/.x/values",
        "/api/metrics/query_range?q=%7B%7D%7Crate()",
        "/api/metrics/query?q=%7B%7D%7Crate()",
    ] {
        let found = SearchPart { partial: Some(said.into()), done: true, ..SearchPart::default() };
        server.fake.searches.will_be(vec![Ok(found)]);
        server.fake.series.will_be(vec![Ok(part())]);
        let got = server.get(path).await;
        assert_eq!(got.header(crate::PARTIAL), said, "{path}: {got:?}");
    }
    *server.fake.missing.lock().unwrap() = None;
    let got = server.get("/api/search/tags").await;
    assert_eq!(got.header(crate::PARTIAL), "");
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
        let refused = match version {
            "/api/traces" => "the parameter q is not known",
            _ => "q is {} && {}, expected one filter",
        };
        for (rest, expected) in [
            ("xyz", "the trace id is wrong: the id has 'x' at position 0, expected a hexadecimal digit\n"),
            ("111111111111111111111111111111111", "the trace id is wrong: the id has 33 digits"),
            ("1?start=a", "start is \"a\", expected seconds since 1970"),
            ("1?start=9&end=9", "start is 9 and end is 9, expected end after start\n"),
            ("1?end=-1", "end is \"-1\""),
            ("1?mode=some", "mode is \"some\", expected all, ingesters or blocks\n"),
            ("1?q=%7B%7D%26%26%7B%7D", refused),
            ("1?span_pruning=true", "the parameter span_pruning is not known"),
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
    let busy =
        QueryError::Busy { message: "busy".into(), limit: None, retry_after: Duration::from_millis(1500) };
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
        (StatusCode::GATEWAY_TIMEOUT, "the question was not answered within 20ms (query.timeout)\n")
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
    check("/status/endpoints", 200, PLAIN, "gRPC /tempopb.StreamingQuerier/Search ").await;
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
        server.fake.searches.will_be(vec![Ok(SearchPart { done: true, ..SearchPart::default() })]);
        server.fake.series.will_be(vec![Ok(MetricsPart { done: true, ..MetricsPart::default() })]);
        let path = endpoint.path.replace("{id}", ID).replace("{tag}", ".a");
        let path = path.replace("{file}", crate::page::a_file());
        let query = if path.starts_with("/api/metrics") { "?q=%7B%7D%7Crate()" } else { "" };
        let got = server.get(&format!("{path}{query}")).await;
        match endpoint.methods.contains("GET") {
            true => assert!(got.status.is_success(), "{}: {got:?}", endpoint.path),
            false => assert_eq!(got.header("allow"), endpoint.methods, "{}: {got:?}", endpoint.path),
        }
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

#[tokio::test]
async fn a_trace_is_filtered_by_q() {
    let server = running(1500);
    let check = async |query: &str, spans: usize| {
        let path = format!("/api/v2/traces/{ID}?{query}");
        let got = server.ask(false, Method::GET, &path, &[]).await;
        assert_eq!(got.status, StatusCode::OK, "{got:?}");
        assert_eq!(got.text().matches("\"spanId\"").count(), spans, "{query}");
        assert!(got.text().starts_with(r#"{"trace":{"#));
    };
    check("q=", 1500).await;
    check("q=%7Bspan:id%3D%220000000000000007%22%7D", 1).await;
    check("q=%7Bname%3D%22other%22%7D", 0).await;
    check("q=%7B%7D&keep_hierarchy=true&match_depth=-1&ancestor_depth=3", 1500).await;
    server.end().await;
}

#[tokio::test]
async fn questions_that_meet_a_limit_are_counted_by_its_key() {
    let server = running(1);
    let check = async |path: &str, limit: &str| {
        let got = server.get(path).await;
        assert_eq!(got.status, StatusCode::BAD_REQUEST, "{path}");
        assert!(got.text().contains(&format!("({limit})")), "{path}: {}", got.text());
        assert_eq!(server.limited(limit), 1, "{path}");
    };
    check("/api/search?limit=262145", "query.max_limit").await;
    check("/api/search?spss=101", "query.max_spans_per_spanset").await;
    check("/api/search?since=169h", "query.max_search_range").await;
    check("/api/metrics/query?q=%7B%7D%7Crate()&since=25h", "query.max_metrics_range").await;
    check("/api/metrics/query_range?q=%7B%7D%7Crate()&step=1ms", "query.max_intervals").await;
    // What is wrong without a limit is counted as a status alone.
    assert_eq!(server.get("/api/search?limit=0").await.status, StatusCode::BAD_REQUEST);
    assert_eq!(server.limited("query.max_limit"), 1);
    *server.fake.fails.lock().unwrap() = Some(QueryError::TooLarge("large".into()));
    assert_eq!(server.get("/api/search").await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(server.limited("query.max_answer_bytes"), 1);
    server.end().await;
}
