//! The listener over loopback.

use http::{Method, Request, StatusCode};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;

use super::Zipkin;
use crate::testing::*;
use crate::{Accepted, ReceiveConfig};

const V2: &str = r#"[{"traceId":"0000000000000007","id":"0000000000000007","name":"checkout","kind":"SERVER",
    "timestamp":1700000000000000,"duration":1000,"localEndpoint":{"serviceName":"cart"},"tags":{"n":"5"}}]"#;
const V1: &str = r#"[{"traceId":"0000000000000007","id":"0000000000000007","name":"checkout","annotations":[
    {"timestamp":1700000000000000,"value":"sr","endpoint":{"serviceName":"cart"}},
    {"timestamp":1700000000001000,"value":"ss","endpoint":{"serviceName":"cart"}}]}]"#;

fn start() -> Running {
    start_with(Zipkin::default(), ReceiveConfig::default())
}

/// `ListOfSpans` with one span.
fn proto() -> Vec<u8> {
    use spanloom_span::proto::{put_bytes, put_message};
    let mut out = Vec::new();
    put_message(&mut out, 1, |out| {
        put_bytes(out, 1, &[7; 8]);
        put_bytes(out, 3, &[7; 8]);
        put_bytes(out, 5, b"checkout");
    });
    out
}

/// Name and kind of the spans pushed, and their attributes.
fn spans(server: &Running) -> Vec<(String, i32, usize)> {
    let mut out = Vec::new();
    for (_, bytes) in server.pushed() {
        let request = ExportTraceServiceRequest::decode(bytes).unwrap();
        let scopes = request.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
        out.extend(
            scopes.flat_map(|scope| scope.spans).map(|span| (span.name, span.kind, span.attributes.len())),
        );
    }
    out
}

#[tokio::test]
async fn both_versions_are_taken_by_path_and_content_type() {
    let server = start();
    let check = async |path: &str, content_type: &str, body: Vec<u8>| {
        let headers = [("content-type", content_type)];
        let headers = if content_type.is_empty() { &headers[..0] } else { &headers[..] };
        for http in [Http::One, Http::Two] {
            let got = send(server.address, http, post(path, headers, full(body.clone()))).await;
            assert_eq!(
                (got.status, got.body.len()),
                (StatusCode::ACCEPTED, 0),
                "{path} {content_type}: {got:?}"
            );
            let spans = spans(&server);
            assert_eq!((spans.len(), spans[0].0.as_str()), (1, "checkout"), "{path} {content_type}");
        }
    };
    check("/api/v2/spans", "application/json", V2.into()).await;
    check("/api/v2/spans", "application/json; charset=utf-8", V2.into()).await;
    check("/api/v2/spans", "", V2.into()).await;
    check("/zipkin/api/v2/spans", "text/plain", V2.into()).await;
    check("/", "application/json", V2.into()).await;
    check("/api/v2/spans", "application/x-protobuf", proto()).await;
    check("/api/v1/spans", "application/json", V1.into()).await;
    check("/prefix/api/v1/spans", "application/json", V1.into()).await;
    let got = send(server.address, Http::One, post("/api/v2/spans", &[], full("[]"))).await;
    assert_eq!(got.status, StatusCode::ACCEPTED);
    server.end().await;
}

#[tokio::test]
async fn text_becomes_typed_where_that_is_wanted() {
    for (parse_string_tags, expected) in [(false, "String"), (true, "Int")] {
        let server = start_with(Zipkin { parse_string_tags }, ReceiveConfig::default());
        send(server.address, Http::One, post("/api/v2/spans", &[], full(V2))).await;
        let (_, bytes) = server.pushed().remove(0);
        let text = format!("{:?}", ExportTraceServiceRequest::decode(bytes).unwrap());
        let tag = text.split(r#"key: "n""#).nth(1).unwrap();
        assert!(tag[..80].contains(expected), "{}", &tag[..80]);
        server.end().await;
    }
}

#[tokio::test]
async fn what_is_wrong_is_said() {
    let server = start();
    let check = async |request: Request<TestBody>, status: u16, text: &str| {
        let got = send(server.address, Http::One, request).await;
        assert_eq!(got.status, status, "{got:?}");
        assert!(String::from_utf8_lossy(&got.body).contains(text), "{got:?}");
        assert!(server.pushed().is_empty());
    };
    check(post("/api/v2/spans", &[], full(&V2[..60])), 400, "at byte 60").await;
    check(post("/api/v2/spans", &[], full("{\"a\"")), 400, "expected").await;
    let gzip = [("content-encoding", "gzip")];
    check(post("/api/v2/spans", &gzip, full(V2)), 400, "gzip").await;
    let thrift = [("content-type", "application/x-thrift")];
    check(post("/api/v2/spans", &thrift, full("")), 415, "expected application/json or").await;
    check(post("/api/v1/spans", &thrift, full("")), 400, "at byte 0").await;
    let proto = [("content-type", "application/x-protobuf")];
    check(post("/api/v1/spans", &proto, full("")), 415, "expected application/json or").await;
    let get = Request::builder().method(Method::GET).uri("http://localhost/api/v2/spans");
    check(get.body(full("")).unwrap(), 405, "expected POST").await;
    server.answer(Err(no_room()));
    let got = send(server.address, Http::One, post("/api/v2/spans", &[], full(V2))).await;
    assert_eq!((got.status, got.header("retry-after")), (StatusCode::TOO_MANY_REQUESTS, "5"));
    server.end().await;
}

#[tokio::test]
async fn what_was_refused_of_an_accepted_request_is_told() {
    let server = start();
    server.answer(Ok(Accepted { spans: 0, refused_spans: 1, message: "one was too large".into() }));
    let got = send(server.address, Http::One, post("/api/v2/spans", &[], full(V2))).await;
    assert_eq!((got.status, &got.body[..]), (StatusCode::ACCEPTED, &b"one was too large\n"[..]));
    server.end().await;
}
