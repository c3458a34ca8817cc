//! Other versions, other programs, damaged and hostile bytes, on both sides.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use spanloom_peer::frame::{KnownThere, encode};
use spanloom_peer::{DialOptions, Dialer, PeerError, ServeOptions, TraceCopy};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::fake::{Fake, Mood, Server, find, read};
use crate::raw::{self, FIND_TRACE, grpc, message};

/// A frame of "find trace" with one byte changed.
fn changed(at: usize, value: u8) -> Vec<u8> {
    let mut frame = encode(find()).unwrap().to_bytes().to_vec();
    frame[at] = value;
    grpc(&frame)
}

#[tokio::test]
async fn a_node_refuses_what_is_no_question_and_says_why() {
    let options = ServeOptions::default();
    let counters = options.counters.clone();
    let fake = Fake::new(Mood::Answer);
    let server = Server::start(fake.clone(), options).await;
    let mut compressed = message(find());
    compressed[0] = 1;
    let mut cut = message(find());
    cut.pop();
    for (body, expected) in [
        (changed(4, 2), "the question: the frame has version 2, expected 1"),
        (changed(0, b'X'), "the question: the frame begins with [58, 70, 50, 72], expected [53, 70, 50, 72]"),
        (changed(30, b'?'), "the question: the checksum of the frame's head does not fit"),
        (message(KnownThere(Bytes::new())), "the question: the frame is of kind 133, expected 2"),
        (compressed, "the question: the message has flag 1, expected 0 (not compressed)"),
        (cut, "the question: the frame has 46 bytes, expected 47"),
        (Vec::new(), "the question: the frame has 0 bytes, expected 24"),
    ] {
        let told = raw::ask(server.address, FIND_TRACE, &[], body).await;
        assert_eq!((told.http, told.header("grpc-status")), (200, "15"), "{expected}");
        assert_eq!(told.header("spanloom-error"), "garbled");
        assert_eq!(told.header("grpc-message").replace("%20", " "), expected);
    }
    let told = raw::ask(server.address, "/spanloom.peer.v1.Peer/Pull", &[], message(find())).await;
    assert_eq!((told.http, told.header("grpc-status")), (200, "12"));
    let told = raw::ask(server.address, FIND_TRACE, &[("content-type", "text/html")], message(find())).await;
    assert_eq!(told.http, 415);
    assert_eq!(counters.served().garbled, 7);
    assert_eq!(fake.asked.load(Ordering::SeqCst), 0);
    let told = raw::ask(server.address, FIND_TRACE, &[("grpc-timeout", "soon")], message(find())).await;
    assert_eq!(told.header("grpc-status"), "0", "a deadline that is none is no reason to refuse");
    server.stop().await;
}

#[tokio::test]
async fn an_answer_that_is_none_is_refused() {
    let ok = ("grpc-status", "0");
    let kind = ("content-type", "application/grpc");
    let copy = || message(TraceCopy { spans: Bytes::from_static(b"spans"), blocks: 0, live_parts: 0 });
    let mut newer = copy();
    newer[5 + 4] = 2;
    let mut damaged = copy();
    *damaged.last_mut().unwrap() ^= 1;
    let cut = || copy()[..40].to_vec();
    for (http, headers, body, trailers, expected) in [
        (200, vec![kind], newer, vec![ok], "the frame has version 2, expected 1"),
        (200, vec![kind], damaged, vec![ok], "the checksum of the frame's payload does not fit"),
        (200, vec![kind], cut(), vec![ok], "the frame has 35 bytes, expected 45"),
        (200, vec![kind], Vec::new(), vec![ok], "the frame has 0 bytes, expected 24"),
        (200, vec![kind], copy(), vec![], "the answer ended without a status"),
        (200, vec![], copy(), vec![ok], "HTTP status 200 OK and not a gRPC answer: no Spanloom?"),
        (404, vec![], Vec::new(), vec![], "HTTP status 404 Not Found and not a gRPC answer: no Spanloom?"),
    ] {
        let address = raw::answer(http, &headers, body, &trailers).await;
        let peer = Dialer::new(DialOptions::default()).peer(&address.to_string());
        assert_eq!(peer.find_trace(find()).await, Err(PeerError::Garbled(expected.to_owned())));
    }
    let hostile = [("grpc-status", "5"), ("grpc-message", "%ff"), ("grpc-status-details-bin", "!")];
    let address = raw::answer(200, &[kind], copy(), &hostile).await;
    let peer = Dialer::new(DialOptions::default()).peer(&address.to_string());
    let error = peer.find_trace(find()).await.unwrap_err();
    assert!(matches!(error, PeerError::Garbled(_)), "{error:?}");
    let address = raw::answer(200, &[kind], copy(), &[ok]).await;
    let peer = Dialer::new(DialOptions::default()).peer(&address.to_string());
    assert_eq!(peer.find_trace(find()).await.unwrap().spans, "spans", "the raw server can do it right");
    let error = peer.read_block(read(vec![0..1])).await.unwrap_err();
    assert_eq!(error, PeerError::Garbled("the frame is of kind 130, expected 132".to_owned()));
}

#[tokio::test]
async fn pieces_of_other_lengths_are_refused() {
    let pieces = message(spanloom_peer::frame::Pieces(vec![Bytes::from_static(b"123")]));
    let kind = ("content-type", "application/grpc");
    let address = raw::answer(200, &[kind], pieces, &[("grpc-status", "0")]).await;
    let peer = Dialer::new(DialOptions::default()).peer(&address.to_string());
    assert!(peer.read_block(read(vec![7..10])).await.is_ok());
    for ranges in [vec![7..9], vec![7..11], vec![], vec![7..10, 3..3]] {
        assert!(matches!(peer.read_block(read(ranges)).await, Err(PeerError::Garbled(_))));
    }
}

#[tokio::test]
async fn a_bad_connection_disturbs_no_other() {
    let patience = Duration::from_millis(50);
    let options = ServeOptions { patience, ..ServeOptions::default() };
    let counters = options.counters.clone();
    let server = Server::start(Fake::new(Mood::Answer), options).await;
    let peer = server.dial(DialOptions::default());
    assert!(peer.find_trace(find()).await.is_ok());
    for junk in [&b""[..], b"GET / HTTP/1.1\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff"]
    {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(junk).await.unwrap();
        let mut told = Vec::new();
        let _ = stream.read_to_end(&mut told).await; // until the node closes it, also the one that says nothing
        assert!(peer.find_trace(find()).await.is_ok());
    }
    assert_eq!(counters.served().failed_handshakes, 1, "the one that said nothing");
    assert_eq!(counters.served().connections, 4, "the good one was kept");
    server.stop().await;
}

#[tokio::test]
async fn more_connections_than_may_be_are_closed() {
    let options = ServeOptions { max_connections: 1, ..ServeOptions::default() };
    let counters = options.counters.clone();
    let server = Server::start(Fake::new(Mood::Answer), options).await;
    let dial = || server.dial(DialOptions { first_backoff: Duration::ZERO, ..DialOptions::default() });
    let (first, second) = (dial(), dial());
    assert!(first.find_trace(find()).await.is_ok());
    let refused = second.find_trace(find()).await;
    assert!(matches!(refused, Err(PeerError::Unreachable(_))), "{refused:?}");
    assert!(counters.served().refused_connections >= 1);
    assert!(first.find_trace(find()).await.is_ok());
    drop(first);
    while second.find_trace(find()).await.is_err() {
        tokio::task::yield_now().await; // until the node has seen the first one go
    }
    server.stop().await;
}

#[tokio::test]
async fn a_panic_ends_its_question_alone() {
    let options = ServeOptions::default();
    let counters = options.counters.clone();
    let server = Server::start(Fake::new(Mood::Panic), options).await;
    let peer = server.dial(DialOptions::default());
    for _ in 0..2 {
        let error = peer.find_trace(find()).await.unwrap_err();
        assert!(matches!(error, PeerError::Unreachable(_)), "{error:?}");
    }
    assert_eq!(counters.served().questions, 2);
    assert_eq!(counters.served().connections, 1);
    server.stop().await;
}
