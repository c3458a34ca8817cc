//! The API of Zipkin: every endpoint in the shapes that its readers know.

use axum::http::Method;
use spanloom_traceql::answer::FoundTrace;

use super::*;
use crate::time::SECOND;

fn zipkin() -> Running {
    start_as(ApiConfig::default(), Fake { spans: 1, ..Fake::default() }, ZipkinApi::new)
}

#[tokio::test]
async fn every_endpoint_has_its_shape() {
    let server = zipkin();
    let check = async |path: &str, status: u16, expected: &str| {
        for prefix in ["", "/zipkin"] {
            let traces = vec![FoundTrace { id: TraceId::parse(ID).unwrap(), ..FoundTrace::default() }];
            let part = SearchPart { traces, done: true, ..SearchPart::default() };
            server.fake.searches.will_be(vec![Ok(part)]);
            let got = server.get(&format!("{prefix}{path}")).await;
            assert_eq!((got.status.as_u16(), got.text()), (status, expected), "{path}");
            let kind = if status == 200 { "application/json" } else { "text/plain; charset=utf-8" };
            assert_eq!(got.header("content-type"), kind, "{path}");
        }
    };
    let names = r#"["5","b"]"#;
    let span = format!(r#"{{"traceId":"{ID}","id":"0000000000000001","name":"operation","timestamp":0}}"#);
    check("/api/v2/services", 200, names).await;
    check("/api/v2/spans?serviceName=a", 200, names).await;
    check("/api/v2/spans", 400, "the parameter serviceName is required\n").await;
    check("/api/v2/remoteServices?serviceName=a", 200, names).await;
    check("/api/v2/traces?serviceName=a", 200, &format!("[[{span}]]")).await;
    check("/api/v2/traces?limit=0", 400, "limit is 0, expected at least 1\n").await;
    check(&format!("/api/v2/trace/{ID}"), 200, &format!("[{span}]")).await;
    check("/api/v2/trace/1", 404, "1 not found\n").await;
    check(
        "/api/v2/trace/x",
        400,
        "\"x\" should be a trace id: the id has 'x' at position 0, expected a hexadecimal digit\n",
    )
    .await;
    check(&format!("/api/v2/traceMany?traceIds={ID},1"), 200, &format!("[[{span}]]")).await;
    let twice = format!("redundant trace ID: {ID}\n");
    check(&format!("/api/v2/traceMany?traceIds={ID},{ID}"), 400, &twice).await;
    let links = r#"[{"parent":"a","child":"db","callCount":4,"errorCount":2}]"#;
    check("/api/v2/dependencies?endTs=1700000000000&lookback=60000", 200, links).await;
    check("/api/v2/dependencies", 400, "the parameter endTs is required\n").await;
    check("/api/v2/autocompleteKeys", 200, r#"["a b","service.name","x"]"#).await;
    check("/api/v2/autocompleteValues?key=x", 200, names).await;
    let page = r#"{"environment":"","queryLimit":10,"defaultLookback":900000,"searchEnabled":true,"suggestLens":false,"logsUrl":null,"supportUrl":null,"archivePostUrl":null,"archiveUrl":null,"dependency":{"enabled":true,"lowErrorRate":0.5,"highErrorRate":0.75}}"#;
    check("/config.json", 200, page).await;
    let graph = server.fake.graphs.lock().unwrap().pop().unwrap();
    assert_eq!(graph.end - graph.start, 60 * SECOND);
    server.end().await;
}

#[tokio::test]
async fn only_questions_are_answered_here() {
    let question = |method: Method, path: &str| {
        ZipkinApi::<Fake>::is_question(&Request::builder().method(method).uri(path).body(()).unwrap())
    };
    assert!(question(Method::GET, "/api/v2/spans"));
    assert!(!question(Method::POST, "/api/v2/spans"));
    assert!(!question(Method::GET, "/health"));
    assert!(!question(Method::OPTIONS, "/api/v2/spans"));
}
