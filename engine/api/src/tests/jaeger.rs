//! The API of Jaeger: every endpoint in the shapes that its readers know, and what becomes of their questions.

use axum::http::{Method, StatusCode};
use spanloom_traceql::answer::{FoundTrace, Series};

use super::*;
use crate::time::SECOND;

fn jaeger(fake: Fake) -> Running {
    start_as(ApiConfig::default(), fake, JaegerApi::new)
}

fn known() -> Fake {
    Fake { spans: 1, ..Fake::default() }
}

/// The next search finds the trace that is known.
fn will_find(server: &Running) {
    let traces = vec![FoundTrace { id: TraceId::parse(ID).unwrap(), ..FoundTrace::default() }];
    server.fake.searches.will_be(vec![Ok(SearchPart { traces, done: true, ..SearchPart::default() })]);
}

/// The trace that is known, in the JSON of Jaeger's page.
fn trace_json(warnings: &str) -> String {
    format!(
        r#"{{"traceID":"{ID}","spans":[{{"traceID":"{ID}","spanID":"0000000000000001","operationName":"operation","references":[],"startTime":0,"duration":0,"tags":[],"logs":[],"processID":"p1","warnings":null}}],"processes":{{"p1":{{"serviceName":"OTLPResourceNoServiceName","tags":[]}}}},"warnings":{warnings}}}"#
    )
}

fn envelope(data: &str, total: usize) -> String {
    format!(r#"{{"data":{data},"total":{total},"limit":0,"offset":0,"errors":null}}"#)
}

fn error(code: u16, message: &str) -> String {
    format!(
        r#"{{"data":null,"total":0,"limit":0,"offset":0,"errors":[{{"code":{code},"msg":"{message}"}}]}}"#
    )
}

#[tokio::test]
async fn every_endpoint_has_its_shape() {
    let server = jaeger(known());
    let check = async |path: &str, status: u16, expected: &str| {
        will_find(&server);
        let got = server.get(path).await;
        assert_eq!((got.status.as_u16(), got.text()), (status, expected), "{path}");
        assert_eq!(got.header("content-type"), "application/json", "{path}");
    };
    let names = r#"["5","b"]"#;
    check("/api/services", 200, &envelope(names, 2)).await;
    check("/api/services/a%2Fb/operations", 200, &envelope(names, 2)).await;
    let operations = r#"[{"name":"5","spanKind":"server"},{"name":"b","spanKind":"server"}]"#;
    check("/api/operations?service=a&spanKind=server", 200, &envelope(operations, 2)).await;
    check("/api/operations?service=a&spanKind=none", 200, &envelope("[]", 0)).await;
    let one = format!("[{}]", trace_json("null"));
    check(&format!("/api/traces/{ID}"), 200, &envelope(&one, 0)).await;
    check(&format!("/api/traces/{ID}?raw=true&start=1&end=2"), 200, &envelope(&one, 0)).await;
    check("/api/traces?service=a", 200, &envelope(&one, 0)).await;
    check(&format!("/api/traces?traceID={ID}"), 200, &envelope(&one, 0)).await;
    let missing = r#"[{"msg":"trace not found","traceID":"0000000000000001"}]"#;
    let some = envelope(&one, 0).replace("\"errors\":null", &format!("\"errors\":{missing}"));
    check(&format!("/api/traces?traceID={ID}&traceID=1"), 200, &some).await;
    check("/api/dependencies", 200, &envelope(r#"[{"parent":"a","child":"db","callCount":4}]"#, 0)).await;
    check("/api/dependencies?service=other", 200, &envelope("[]", 0)).await;
    check("/api/metrics/minstep", 200, &envelope("1", 0)).await;
    check("/api/v3/services", 200, r#"{"services":["5","b"]}"#).await;
    let expected = r#"{"operations":[{"name":"5","spanKind":"server"},{"name":"b","spanKind":"server"}]}"#;
    check("/api/v3/operations?service=a&spanKind=server", 200, expected).await;
    let span =
        format!(r#"{{"traceId":"{ID}","spanId":"0000000000000001","name":"operation","status":{{}}}}"#);
    let list = format!(r#"[{{"resource":{{}},"scopeSpans":[{{"scope":{{}},"spans":[{span}]}}]}}]"#);
    let traces = format!(r#"{{"result":{{"resourceSpans":{list}}}}}"#);
    check(&format!("/api/v3/traces/{ID}"), 200, &traces).await;
    let range = "query.startTimeMin=2026-01-02T03:04:05Z&query.startTimeMax=2026-01-02T04:04:05.5Z";
    check(&format!("/api/v3/traces?{range}"), 200, &traces).await;
    let summary = format!(
        r#"{{"summaries":[{{"traceId":"{ID}","rootServiceName":"OTLPResourceNoServiceName","rootOperationName":"operation","spanCount":1,"services":[{{"name":"OTLPResourceNoServiceName","spanCount":1}}]}}]}}"#
    );
    check(&format!("/api/v3/trace-summaries?{range}"), 200, &summary).await;
    let links = r#"{"dependencies":[{"parent":"a","child":"db","callCount":"4"}]}"#;
    let range = "startTime=2026-01-02T03:04:05Z&end_time=2026-01-02T04:04:05Z";
    check(&format!("/api/v3/dependencies?{range}"), 200, links).await;
    server.end().await;
}

#[tokio::test]
async fn what_cannot_be_answered_is_said_as_jaeger_does() {
    let server = jaeger(known());
    let check = async |method: Method, path: &str, status: u16, expected: &str| {
        let got = server.ask(false, method, path, &[]).await;
        assert_eq!((got.status.as_u16(), got.text()), (status, expected), "{path}");
        assert_eq!(got.header("content-type"), "application/json", "{path}");
    };
    let get = Method::GET;
    check(get.clone(), "/api/traces/1", 404, &error(404, "trace not found")).await;
    check(get.clone(), "/api/traces", 400, &error(400, "parameter 'service' is required")).await;
    check(get.clone(), "/api/operations", 400, &error(400, "parameter 'service' is required")).await;
    let found = "minDuration is \\\"x\\\", expected a duration such as 100ms or 1h30m";
    check(get.clone(), "/api/traces?service=a&minDuration=x", 400, &error(400, found)).await;
    let found = "'maxDuration' should be greater than 'minDuration'";
    let path = "/api/traces?service=a&minDuration=2s&maxDuration=1s";
    check(get.clone(), path, 400, &error(400, found)).await;
    let found = "tags is \\\"x\\\", expected a JSON object such as {\\\"error\\\":\\\"true\\\"}";
    check(get.clone(), "/api/traces?service=a&tags=x", 400, &error(400, found)).await;
    let archive = format!("/api/archive/{ID}");
    let no_archive = error(500, "archive span storage was not configured");
    check(Method::POST, &archive, 500, &no_archive).await;
    check(get.clone(), &archive, 405, &error(405, &format!("{archive} does not take GET"))).await;
    check(get.clone(), "/api/x", 404, &error(404, "there is nothing at /api/x")).await;
    let v3 = |code: u16, message: &str| format!(r#"{{"error":{{"httpCode":{code},"message":"{message}"}}}}"#);
    check(get.clone(), "/api/v3/traces/1", 404, &v3(404, "trace not found")).await;
    check(get.clone(), "/api/v3/traces", 400, &v3(400, "query.startTimeMin is required")).await;
    let busy = QueryError::Busy { message: "full".into(), limit: None, retry_after: Duration::from_secs(2) };
    *server.fake.fails.lock().unwrap() = Some(busy);
    let got = server.get(&format!("/api/traces/{ID}")).await;
    assert_eq!((got.status, got.header("retry-after")), (StatusCode::TOO_MANY_REQUESTS, "2"));
    assert_eq!(got.text(), error(429, "full"));
    server.end().await;
}

#[tokio::test]
async fn what_is_missing_is_a_warning() {
    let server = jaeger(known());
    *server.fake.missing.lock().unwrap() = Some("n1 is down".into());
    let got = server.get(&format!("/api/traces/{ID}")).await;
    assert_eq!(got.text(), envelope(&format!("[{}]", trace_json(r#"["n1 is down"]"#)), 0));
    assert_eq!(got.header(PARTIAL), "n1 is down");
    assert_eq!(server.get("/api/services").await.header(PARTIAL), "n1 is down");
    server.end().await;
}

#[tokio::test]
async fn questions_become_traceql() {
    let server = jaeger(known());
    let asked = async |parameters: &str| {
        will_find(&server);
        let got = server.get(&format!("/api/traces?{parameters}")).await;
        assert_eq!(got.status, StatusCode::OK, "{parameters}: {}", got.text());
        server.fake.searches.last()
    };
    let whole = asked(
        "service=a&operation=GET+%2F&minDuration=1ms&maxDuration=2s&start=1700000000000000&end=1700000001000000\
         &limit=7&lookback=custom&tag=n:5&tags=%7B%22error%22%3A%22true%22%7D",
    );
    let whole = whole.await;
    let expected = r#"{ resource.service.name = "a" && name = "GET /" && duration >= 1ms && duration <= 2s
        && status = error && (span.n = "5" || span.n = 5 || resource.n = "5" || resource.n = 5 || event.n = "5"
        || event.n = 5) }"#;
    assert_eq!(whole.query, super::search::canonical(expected));
    let (start, end) = (1_700_000_000 * SECOND, 1_700_000_001 * SECOND + 999);
    assert_eq!((whole.start, whole.end, whole.limit), (Some(start), Some(end), 7));
    let plain = asked("service=a&operation=all&limit=0").await;
    assert_eq!(plain.query, super::search::canonical(r#"{ resource.service.name = "a" }"#));
    assert_eq!(plain.limit, 100);
    assert_eq!(plain.end.unwrap() - plain.start.unwrap(), 48 * 3600 * SECOND);
    let recent = asked("service=a&lookback=1h").await;
    assert_eq!(recent.end.unwrap() - recent.start.unwrap(), 3600 * SECOND);
    let too_long = server.get("/api/traces?service=a&start=1&end=1700000001000000").await;
    assert!(too_long.text().contains("query.max_search_range"), "{}", too_long.text());
    server.get("/api/dependencies?endTs=1700000000000&lookback=60000").await;
    let graph = server.fake.graphs.lock().unwrap().pop().unwrap();
    assert_eq!((graph.start, graph.end), (1_699_999_940 * SECOND, 1_700_000_000 * SECOND));
    server.get("/api/services/shop/operations").await;
    let names = server.fake.values.lock().unwrap().pop().unwrap();
    assert_eq!(names.query, Some(super::search::canonical(r#"{ resource.service.name = "shop" }"#)));
    assert_eq!(names.field, "name");
    server.end().await;
}

#[tokio::test]
async fn answers_that_are_too_large_end_early_and_say_so() {
    let limits = QueryLimits { max_answer_bytes: 10, ..QueryLimits::default() };
    let server = start_as(ApiConfig { limits, ..ApiConfig::default() }, known(), JaegerApi::new);
    let trace = FoundTrace { id: TraceId::parse(ID).unwrap(), ..FoundTrace::default() };
    let traces = vec![trace.clone(), trace];
    server.fake.searches.will_be(vec![Ok(SearchPart { traces, done: true, ..SearchPart::default() })]);
    let got = server.get("/api/traces?service=a").await;
    assert_eq!(got.text(), envelope(&format!("[{}]", trace_json("null")), 0));
    assert!(got.header(PARTIAL).starts_with("the first 1 of 2 traces"), "{:?}", got.headers);
    assert_eq!(server.limited("query.max_answer_bytes"), 1);
    server.end().await;
}

#[tokio::test]
async fn series_are_families_of_metrics() {
    let server = jaeger(known());
    let series = |service: &str, samples: Vec<(u64, f64)>| Series {
        labels: vec![("resource.service.name".into(), spanloom_span::model::AnyValue::Str(service.into()))],
        samples,
        ..Series::default()
    };
    let minute = 60 * SECOND;
    let samples = vec![(minute, 6.0), (2 * minute, 12.0)];
    let part = MetricsPart { series: vec![series("a", samples)], done: true, ..MetricsPart::default() };
    server.fake.series.will_be(vec![Ok(part)]);
    let path = "/api/metrics/calls?service=a&endTs=180000&lookback=120000&step=60000&ratePer=120000";
    let got = server.get(path).await;
    let point = |value: &str, minute: u32| {
        format!(r#"{{"gaugeValue":{{"doubleValue":{value}}},"timestamp":"1970-01-01T00:0{minute}:00Z"}}"#)
    };
    // Two minutes at each: 6, 6 + 12, 12 calls.
    let points = [point("0.05", 1), point("0.15", 2), point("0.1", 3)].join(",");
    let labels = r#"[{"name":"service_name","value":"a"}]"#;
    let expected = format!(
        r#"{{"name":"service_call_rate","type":"GAUGE","help":"calls/sec, grouped by service","metrics":[{{"labels":{labels},"metricPoints":[{points}]}}]}}"#
    );
    assert_eq!(got.text(), expected);
    let asked = server.fake.series.last();
    let query =
        r#"{ resource.service.name = "a" && kind = server } | count_over_time() by (resource.service.name)"#;
    let parse = |query: &str| spanloom_traceql::parse(query).unwrap();
    assert_eq!(parse(&asked.query), parse(query));
    assert_eq!((asked.start, asked.end, asked.step), (0, 3 * minute, Some(minute)));
    server.end().await;
}

#[tokio::test]
async fn otlp_is_transformed_without_being_stored() {
    let server = jaeger(known());
    let span = format!(
        r#"{{"traceId":"{ID}","spanId":"0000000000000001","name":"operation","startTimeUnixNano":"0"}}"#
    );
    let body = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{span}]}}]}}]}}"#);
    let got = server.send(false, Method::POST, "/api/transform", &[], &body).await;
    assert_eq!(got.text(), envelope(&format!("[{}]", trace_json("null")), 0));
    let got = server.send(false, Method::POST, "/api/transform", &[], "{").await;
    assert_eq!(got.status, StatusCode::BAD_REQUEST);
    assert!(got.text().contains("the body is not OTLP/JSON"), "{}", got.text());
    server.end().await;
}

#[tokio::test]
async fn tenants_may_be_named_as_jaeger_does() {
    let config = ApiConfig { multitenancy: true, ..ApiConfig::default() };
    let server = start_as(config, known(), JaegerApi::new);
    let path = format!("/api/traces/{ID}");
    for (header, status) in [("x-scope-orgid", 200), ("x-tenant", 200), ("x-other", 401)] {
        let got = server.ask(false, Method::GET, &path, &[(header, "team-a")]).await;
        assert_eq!(got.status.as_u16(), status, "{header}");
    }
    let asked: Vec<_> = server.fake.asked.lock().unwrap().drain(..).collect();
    assert!(asked.iter().all(|query| query.tenants[0].as_str() == "team-a"));
    server.end().await;
}
