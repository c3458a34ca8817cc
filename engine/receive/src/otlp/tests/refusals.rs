//! What is refused, and how it is said in each protocol.

use super::*;
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use http_body_util::StreamBody;
use hyper::body::Frame;

#[derive(Clone, PartialEq, prost::Message)]
struct Status {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";

#[tokio::test]
async fn each_refusal_has_its_code_status_and_hint() {
    let server = start(ReceiveConfig::default());
    let second = Duration::from_secs(1);
    let unavailable = |retry_after| Refusal::Unavailable { message: "later".into(), retry_after };
    let table: [(Refusal, u16, u16, &str); 10] = [
        (Refusal::Invalid("wrong".into()), 3, 400, ""),
        (Refusal::Unauthenticated("who".into()), 16, 401, ""),
        (Refusal::Unsupported("what".into()), 12, 415, ""),
        (Refusal::TooLarge { limit: 5 }, 8, 413, ""),
        (no_room(), 8, 429, "5"),
        (unavailable(None), 14, 503, ""),
        (unavailable(Some(second / 2)), 14, 503, "1"),
        (Refusal::ShuttingDown, 14, 503, "1"),
        (Refusal::Deadline, 4, 503, ""),
        (Refusal::Internal("oh".into()), 13, 500, ""),
    ];
    for (refusal, code, http_status, retry) in table {
        server.answer(Err(refusal.clone()));
        let message = refusal.to_string();

        let got = send(server.address, Http::Two, grpc(&[], full(framed(false, b"")))).await;
        assert_eq!(got.status, StatusCode::OK);
        assert_eq!(got.grpc(), (code.to_string(), message.clone()));
        let details = STANDARD_NO_PAD.decode(got.header("grpc-status-details-bin")).unwrap();
        let status = Status::decode(&details[..]).unwrap();
        assert_eq!(status.details.len(), usize::from(!retry.is_empty()), "{refusal:?}");
        assert!(status.details.iter().all(|any| any.type_url == RETRY_INFO));

        let got = send(server.address, Http::One, protobuf("")).await;
        assert_eq!((got.status.as_u16(), got.header("retry-after")), (http_status, retry), "{refusal:?}");
        assert_eq!(got.header("content-type"), "application/x-protobuf");
        let status = Status::decode(got.body).unwrap();
        assert_eq!((status.code as u16, &status.message), (code, &message));
        assert_eq!(status.details.len(), usize::from(!retry.is_empty()));

        let got = send(server.address, Http::Two, json("{}")).await;
        assert_eq!((got.status.as_u16(), got.header("retry-after")), (http_status, retry));
        assert_eq!(got.header("content-type"), "application/json");
        let status: serde_json::Value = serde_json::from_slice(&got.body).unwrap();
        assert_eq!((&status["code"], &status["message"]), (&code.into(), &message.into()));
        assert_eq!(status["details"].is_array(), !retry.is_empty());
    }
    server.end().await;
}

#[tokio::test]
async fn partial_success_is_told() {
    let server = start(ReceiveConfig::default());
    server.answer(Ok(Accepted { spans: 5, refused_spans: 2, message: "two were too large".into() }));
    let proto = b"\x0a\x16\x08\x02\x12\x12two were too large";
    let got = send(server.address, Http::Two, grpc(&[], full(framed(false, b"")))).await;
    assert_eq!((got.grpc().0.as_str(), &got.body[..]), ("0", &framed(false, proto)[..]));
    let got = send(server.address, Http::One, protobuf("")).await;
    assert_eq!((got.status, &got.body[..]), (StatusCode::OK, &proto[..]));
    let got = send(server.address, Http::One, json("{}")).await;
    let expected = r#"{"partialSuccess":{"rejectedSpans":"2","errorMessage":"two were too large"}}"#;
    assert_eq!((got.status, &got.body[..]), (StatusCode::OK, expected.as_bytes()));
    server.end().await;
}

#[tokio::test]
async fn without_room_a_body_is_not_read() {
    let server = start(ReceiveConfig::default());
    let taken = server.sink.room.clone().try_acquire_many_owned(ROOM as u32).unwrap();
    let body = request(1000);
    let got = send(server.address, Http::Two, grpc(&[], full(framed(false, &body)))).await;
    assert_eq!(got.grpc(), ("8".into(), "there is no room".into()));
    // A sender over HTTP/1.1 gets the answer too, and not a reset connection while it is still sending.
    let got = send(server.address, Http::One, protobuf(request(20_000))).await;
    assert_eq!((got.status, got.header("retry-after")), (StatusCode::TOO_MANY_REQUESTS, "5"));
    let got = send(server.address, Http::One, chunked(vec![Bytes::from(body.clone())])).await;
    assert_eq!(got.status, StatusCode::TOO_MANY_REQUESTS);
    drop(taken);
    let got = send(server.address, Http::One, protobuf(body)).await;
    assert_eq!(got.status, StatusCode::OK);
    assert_eq!(server.pushed().len(), 1);
    server.end().await;
}

/// A body without a length.
fn chunked(chunks: Vec<Bytes>) -> Request<TestBody> {
    let frames = futures_util::stream::iter(chunks.into_iter().map(|chunk| Ok(Frame::data(chunk))));
    post("/v1/traces", &[("content-type", "application/x-protobuf")], BodyExt::boxed(StreamBody::new(frames)))
}

#[tokio::test]
async fn bodies_without_a_length_are_taken_up_to_the_limit() {
    let limit = 1 << 20;
    let server = start(ReceiveConfig { max_request_bytes: limit, ..Default::default() });
    let chunk = Bytes::from(vec![7u8; 1 << 16]);
    for http in [Http::One, Http::Two] {
        let got = send(server.address, http, chunked(vec![chunk.clone(); 16])).await;
        assert_eq!(got.status, StatusCode::OK);
        assert_eq!(server.pushed()[0].1.len(), limit);
        let got = send(server.address, http, chunked(vec![chunk.clone(); 17])).await;
        assert_eq!(got.status, StatusCode::PAYLOAD_TOO_LARGE);
    }
    // With a length it is refused before it is read.
    let got = send(server.address, Http::One, protobuf(vec![0; limit + 1])).await;
    assert_eq!(got.status, StatusCode::PAYLOAD_TOO_LARGE);
    let got = send(server.address, Http::Two, grpc(&[], full(framed(false, &vec![0; limit + 1])))).await;
    assert_eq!(got.grpc().0, "8");
    assert!(server.pushed().is_empty());
    server.end().await;
}

#[tokio::test]
async fn grpc_frames_are_checked() {
    let server = start(ReceiveConfig::default());
    let check = async |body: Vec<u8>, code: &str, text: &str| {
        let got = send(server.address, Http::Two, grpc(&[], full(body))).await;
        assert_eq!(got.grpc().0, code, "{got:?}");
        assert!(got.grpc().1.contains(text), "{got:?}");
    };
    check(vec![], "3", "ended after 0 bytes, expected 5").await;
    check(vec![0, 0], "3", "ended after 2 bytes, expected 5").await;
    check(vec![0, 0, 0, 0, 9, 1], "3", "ended after 6 bytes, expected 14").await;
    check(vec![2, 0, 0, 0, 0], "13", "flag is 2, expected 0 or 1").await;
    check([framed(false, b"a"), framed(false, b"b")].concat(), "12", "expected one message").await;
    check(vec![0, 255, 255, 255, 255], "8", "max_request_bytes").await;
    assert!(server.pushed().is_empty());
    // The prefix may come in pieces.
    let pieces = framed(false, b"abc").into_iter().map(|byte| Ok(Frame::data(Bytes::from(vec![byte]))));
    let body = BodyExt::boxed(StreamBody::new(futures_util::stream::iter(pieces.collect::<Vec<_>>())));
    let got = send(server.address, Http::Two, grpc(&[], body)).await;
    assert_eq!(got.grpc().0, "0");
    assert_eq!(server.pushed()[0].1, "abc");
    server.end().await;
}

#[tokio::test]
async fn what_is_not_served_is_named() {
    let server = start(ReceiveConfig::default());
    let grpc_type = [("content-type", "application/grpc+proto")];
    let metrics = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";
    let got = send(server.address, Http::Two, post(metrics, &grpc_type, full(framed(false, b"")))).await;
    assert_eq!(got.grpc().0, "12");
    assert!(got.grpc().1.contains("MetricsService/Export is not served here"), "{got:?}");
    let got = send(server.address, Http::One, post(EXPORT, &grpc_type, full(""))).await;
    assert_eq!(got.status, StatusCode::BAD_REQUEST);

    let type_ = ("content-type", "application/x-protobuf");
    let got = send(server.address, Http::One, post("/v1/metrics", &[type_], full(""))).await;
    assert_eq!(got.status, StatusCode::NOT_FOUND);
    let mut get = protobuf("");
    *get.method_mut() = Method::GET;
    let got = send(server.address, Http::One, get).await;
    assert_eq!((got.status, got.header("allow")), (StatusCode::METHOD_NOT_ALLOWED, "POST"));
    for headers in [&[][..], &[("content-type", "text/plain")]] {
        let got = send(server.address, Http::One, post("/v1/traces", headers, full(request(10)))).await;
        assert_eq!(got.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
        assert!(
            String::from_utf8_lossy(&got.body)
                .contains("expected application/x-protobuf or application/json")
        );
    }
    let got = send(server.address, Http::One, json(r#"{"resourceSpans":[{"x"}]}"#)).await;
    assert_eq!(got.status, StatusCode::BAD_REQUEST);
    assert!(String::from_utf8_lossy(&got.body).contains("resourceSpans[0]"), "{got:?}");
    server.end().await;
}

#[tokio::test]
async fn a_senders_deadline_is_kept() {
    let server = start(ReceiveConfig::default());
    *server.sink.delay.lock().unwrap() = Duration::from_secs(3600);
    let got =
        send(server.address, Http::Two, grpc(&[("grpc-timeout", "20m")], full(framed(false, b"")))).await;
    assert_eq!(got.grpc().0, "4");
    let got =
        send(server.address, Http::Two, grpc(&[("grpc-timeout", "soon")], full(framed(false, b"")))).await;
    assert_eq!(got.grpc().0, "3");
    server.end().await;
}

#[tokio::test]
async fn browsers_may_send_from_allowed_origins_only() {
    let with_origin = |mut request: Request<TestBody>, method: Method| {
        *request.method_mut() = method;
        request.headers_mut().insert("origin", "https://shop.example".parse().unwrap());
        request
            .headers_mut()
            .insert("access-control-request-headers", "content-type,x-scope-orgid".parse().unwrap());
        request
    };
    let closed = start(ReceiveConfig::default());
    let got = send(closed.address, Http::One, with_origin(json("{}"), Method::OPTIONS)).await;
    assert_eq!((got.status, got.header("access-control-allow-origin")), (StatusCode::METHOD_NOT_ALLOWED, ""));
    let got = send(closed.address, Http::One, with_origin(json("{}"), Method::POST)).await;
    assert_eq!(got.header("access-control-allow-origin"), "");
    closed.end().await;

    for (allowed, expected) in [
        ("https://shop.example", "https://shop.example"),
        ("*", "https://shop.example"),
        ("https://other", ""),
    ] {
        let server =
            start(ReceiveConfig { cors_allowed_origins: vec![allowed.into()], ..Default::default() });
        let got = send(server.address, Http::One, with_origin(json("{}"), Method::OPTIONS)).await;
        assert_eq!(got.status, StatusCode::NO_CONTENT);
        assert_eq!(got.header("access-control-allow-origin"), expected);
        assert_eq!(got.header("access-control-allow-headers"), "content-type,x-scope-orgid");
        let got = send(server.address, Http::One, with_origin(json("{}"), Method::POST)).await;
        assert_eq!((got.status, got.header("access-control-allow-origin")), (StatusCode::OK, expected));
        server.end().await;
    }
}
