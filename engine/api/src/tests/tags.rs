//! Names of attributes and their values.

use axum::http::{Method, StatusCode};

use super::*;
use crate::time::SECOND;

/// A field as the language prints it.
fn field(text: &str) -> String {
    crate::language::field(text).unwrap().to_string()
}

const INTRINSICS: &str = concat!(
    r#""duration","event:name","event:timeSinceStart","instrumentation:name","instrumentation:version","kind","#,
    r#""link:spanID","link:traceID","name","rootName","rootServiceName","span:duration","span:id","span:kind","#,
    r#""span:name","span:parentID","span:status","span:statusMessage","status","statusMessage","trace:duration","#,
    r#""trace:id","trace:rootName","trace:rootService","traceDuration""#,
);

#[tokio::test]
async fn names_are_answered_in_both_versions() {
    let server = running(0);
    let check = async |path: &str, expected: &str| {
        let got = server.get(path).await;
        assert_eq!((got.status, got.header("content-type")), (StatusCode::OK, "application/json"), "{got:?}");
        assert_eq!(got.text(), expected, "{path}");
    };
    let looked = r#""metrics":{"inspectedBytes":"9"}}"#;
    let known = format!(r#"{{"name":"intrinsic","tags":[{INTRINSICS}]}}"#);
    check("/api/search/tags", &format!(r#"{{"tagNames":["a b","service.name","x"],{looked}"#)).await;
    check("/api/search/tags?scope=span", &format!(r#"{{"tagNames":["a b","x"],{looked}"#)).await;
    check("/api/search/tags?scope=intrinsic", &format!(r#"{{"tagNames":[{INTRINSICS}],"metrics":{{}}}}"#))
        .await;
    let scopes =
        r#"{"scopes":[{"name":"resource","tags":["service.name","x"]},{"name":"span","tags":["a b","x"]},"#;
    for scope in ["", "?scope=none", "?scope=", "?limit=5000"] {
        check(&format!("/api/v2/search/tags{scope}"), &format!("{scopes}{known}],{looked}")).await;
    }
    let one = r#"{"scopes":[{"name":"resource","tags":["service.name","x"]}],"#;
    check("/api/v2/search/tags?scope=resource", &format!("{one}{looked}")).await;
    check("/api/v2/search/tags?scope=event", &format!("{{{looked}")).await;
    check("/api/v2/search/tags?scope=intrinsic", &format!(r#"{{"scopes":[{known}],"metrics":{{}}}}"#)).await;
    let got = server
        .ask(true, Method::GET, "/api/v2/search/tags?scope=span", &[("accept", "application/protobuf")])
        .await;
    assert_eq!(got.header("content-type"), "application/protobuf");
    assert_eq!(&got.body[..], b"\x0a\x0e\x0a\x04span\x12\x03a b\x12\x01x\x12\x02\x08\x09");
    server.end().await;
}

#[tokio::test]
async fn questions_for_names_are_passed_on_and_checked() {
    let server = running(0);
    let path = "/api/v2/search/tags?scope=span&q=%7B%20.a%20%3D&start=5&end=9&limit=7&maxStaleValues=3";
    server.ask(false, Method::GET, path, &[("x-scope-orgid", "a")]).await;
    let asked = server.fake.names.lock().unwrap().pop().unwrap();
    let expected = TagsRequest {
        tenants: vec![spanloom_span::Tenant::new("a").unwrap()],
        scope: Some(TagScope::Span),
        query: Some("{ .a =".into()),
        start: Some(5 * SECOND),
        end: Some(9 * SECOND),
        limit: 7,
    };
    assert_eq!(asked, expected);
    server.get("/api/search/tags?q=%7B%7D&start=0&end=0").await;
    let asked = server.fake.names.lock().unwrap().pop().unwrap();
    assert_eq!((asked.query, asked.start, asked.end, asked.limit), (None, None, None, 0));
    let check = async |query: &str, expected: &str| {
        for path in ["/api/search/tags", "/api/v2/search/tags", "/api/v2/search/tag/.a/values"] {
            if query.starts_with("scope") && path.ends_with("values") {
                continue;
            }
            let got = server.get(&format!("{path}?{query}")).await;
            assert_eq!((got.status.as_u16(), got.text()), (400, expected), "{path}?{query}");
        }
    };
    let scopes = "resource, span, event, link, instrumentation, intrinsic or none";
    check("scope=x", &format!("scope is \"x\", expected {scopes}\n")).await;
    check("start=9&end=9", "start is 9 and end is 9, expected end after start\n").await;
    check("limit=-1", "limit is \"-1\", expected a whole number\n").await;
    assert!(server.fake.names.lock().unwrap().is_empty());
    server.end().await;
}

#[tokio::test]
async fn values_are_answered_in_both_versions() {
    let server = running(0);
    let check = async |path: &str, expected: &str, field: Option<&str>| {
        let got = server.get(&format!("/api{path}")).await;
        assert_eq!((got.status, got.text()), (StatusCode::OK, expected), "{path}");
        let asked = server.fake.values.lock().unwrap().pop();
        assert_eq!(asked.map(|asked| asked.field).as_deref(), field, "{path}");
    };
    let texts = r#"{"tagValues":["5","b"],"metrics":{"inspectedBytes":"9"}}"#;
    check("/search/tag/http.method/values", texts, Some(".http.method")).await;
    check("/search/tag/a%2Fb%20c/values", texts, Some(".\"a/b c\"")).await;
    check("/search/tag/service.name/values", texts, Some("resource.service.name")).await;
    check("/search/tag/name/values", texts, Some(&field("span:name"))).await;
    check("/search/tag/root.name/values", texts, Some(&field("trace:rootName"))).await;
    check("/search/tag/root.service.name/values", texts, Some(&field("trace:rootService"))).await;
    check("/search/tag/status.code/values", r#"{"tagValues":["error","ok","unset"],"metrics":{}}"#, None)
        .await;
    check("/search/tag/error/values", r#"{"tagValues":["true"],"metrics":{}}"#, None).await;

    let typed = concat!(
        r#"{"tagValues":[{"type":"string","value":"5"},{"type":"string","value":"b"},{"type":"int","value":"5"}],"#,
        r#""metrics":{"inspectedBytes":"9"}}"#,
    );
    check("/v2/search/tag/span.http.method/values", typed, Some("span.http.method")).await;
    check("/v2/search/tag/span.a%2Fb/values", typed, Some("span.a/b")).await;
    check("/v2/search/tag/.foo/values", typed, Some(".foo")).await;
    check("/v2/search/tag/name/values", typed, Some(&field("span:name"))).await;
    let keyword = |words: &[&str]| {
        let words: Vec<_> =
            words.iter().map(|word| format!(r#"{{"type":"keyword","value":"{word}"}}"#)).collect();
        format!(r#"{{"tagValues":[{}],"metrics":{{}}}}"#, words.join(","))
    };
    check("/v2/search/tag/status/values", &keyword(&["error", "ok", "unset"]), None).await;
    let kinds = ["client", "consumer", "internal", "producer", "server", "unspecified"];
    check("/v2/search/tag/span:kind/values", &keyword(&kinds), None).await;
    check("/v2/search/tag/duration/values", r#"{"metrics":{}}"#, None).await;
    server.end().await;
}

#[tokio::test]
async fn values_have_a_form_for_language_models_and_in_protobuf() {
    let server = running(0);
    let path = "/api/v2/search/tag/span.a/values?q=%7B&limit=3";
    let got = server.ask(false, Method::GET, path, &[("accept", "application/vnd.grafana.llm")]).await;
    assert_eq!(got.header("content-type"), "application/vnd.grafana.llm+json");
    assert_eq!(
        got.text(),
        r#"{"tagValues":{"string":["5","b"],"int":["5"]},"metrics":{"inspectedBytes":"9"}}"#
    );
    let asked = server.fake.values.lock().unwrap().pop().unwrap();
    assert_eq!((asked.query.as_deref(), asked.limit), (Some("{"), 3));
    let got = server.ask(false, Method::GET, path, &[("accept", "application/protobuf")]).await;
    assert_eq!(&got.body[..14], b"\x0a\x0b\x0a\x06string\x12\x015\x0a");
    let got = server.get("/api/v2/search/tag/foo/values").await;
    assert_eq!(
        (got.status.as_u16(), got.text()),
        (
            400,
            "the tag \"foo\" is no field of TraceQL, expected one such as resource.service.name, .foo or name\n"
        )
    );
    server.end().await;
}
