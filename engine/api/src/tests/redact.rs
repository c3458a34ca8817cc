//! `/api/redact`.

use super::*;

const JSON: (&str, &str) = ("Content-Type", "application/json; charset=utf-8");

fn redacting() -> Running {
    let config = ApiConfig { redact_traces: Some(2), ..ApiConfig::default() };
    start(config, Fake::default())
}

#[tokio::test]
async fn what_is_to_go_is_handed_on_with_who_asked() {
    let running = redacting();
    let headers =
        [JSON, ("X-Scope-OrgID", "team-a"), ("User-Agent", "a tool"), ("X-Forwarded-For", "10.1.2.3")];
    let body = format!(r#"{{"traceIds": ["{ID}"], "dryRun": true}}"#);
    for h2 in [false, true] {
        let got = running.send(h2, Method::POST, "/api/redact", &headers, &body).await;
        assert_eq!((got.status, got.header("content-type")), (StatusCode::OK, "application/json"));
        let expected = r#"{"dryRun":true,"traces":1,"spans":0,"blocks":0,"emptied":0,"bytes":0,"rewritten":[],"deletedAfterSeconds":0}"#;
        assert_eq!(got.text(), expected);
        let asked = running.fake.redactions.lock().unwrap().remove(0);
        assert_eq!((asked.tenant.as_str(), asked.dry_run), ("team-a", true));
        assert_eq!(asked.what, RedactWhat::Traces(vec![TraceId::parse(ID).unwrap()]));
        let (address, rest) = asked.from.split_once(", ").unwrap();
        assert!(address.starts_with("http 127.0.0.1:"), "{address}");
        assert_eq!(rest, "x-forwarded-for: 10.1.2.3, user-agent: a tool");
    }
    running.end().await;
}

#[tokio::test]
async fn what_is_wrong_is_refused_and_changes_nothing() {
    let running = redacting();
    let check = async |headers: &[(&str, &str)], body: &str, status: StatusCode, part: &str| {
        let got = running.send(false, Method::POST, "/api/redact", headers, body).await;
        assert_eq!(got.status, status, "{body}: {}", got.text());
        assert!(got.text().contains(part), "{body}: {}", got.text());
    };
    let query = r#"{"query": "{ }"}"#;
    let bad = StatusCode::BAD_REQUEST;
    check(&[], query, bad, "expected Content-Type: application/json").await;
    check(&[("Content-Type", "text/plain")], query, bad, "expected Content-Type: application/json").await;
    check(&[JSON, ("X-Scope-OrgID", "a|b")], query, bad, "found 2 tenants, expected one").await;
    check(&[JSON], "{", bad, "the body is not what was expected").await;
    check(&[JSON], "{}", bad, "found neither traceIds nor query").await;
    let long = format!(r#"{{"query": "{}"}}"#, " ".repeat(1 << 20));
    check(&[JSON], &long, bad, "the body cannot be read").await;
    let over = QueryError::OverLimit { limit: "redaction.max_traces", message: "found 3".into() };
    *running.fake.fails.lock().unwrap() = Some(over);
    check(&[JSON], query, bad, "found 3").await;
    assert!(running.fake.redactions.lock().unwrap().is_empty());
    let got = running.get("/api/redact").await;
    assert_eq!(got.status, StatusCode::METHOD_NOT_ALLOWED);
    running.end().await;
}

#[tokio::test]
async fn it_is_off_unless_it_is_allowed() {
    let running = running(1);
    let got = running.send(false, Method::POST, "/api/redact", &[JSON], r#"{"query": "{ }"}"#).await;
    assert_eq!(got.status, StatusCode::FORBIDDEN);
    assert!(got.text().contains("redaction.http is false"), "{}", got.text());
    assert!(running.fake.redactions.lock().unwrap().is_empty());
    running.end().await;
}
