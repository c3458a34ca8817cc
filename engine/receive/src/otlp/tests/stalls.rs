//! Senders and readers that stall, connections that say nothing, and the end.

use super::*;
use http_body_util::StreamBody;
use hyper::body::Frame;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A body that begins and then never goes on.
fn stalling(begin: Bytes) -> TestBody {
    use futures_util::StreamExt;
    let begin = futures_util::stream::iter([Ok(Frame::data(begin))]);
    BodyExt::boxed(StreamBody::new(begin.chain(futures_util::stream::pending())))
}

fn impatient() -> ReceiveConfig {
    let mut config = ReceiveConfig { read_timeout: Duration::from_millis(100), ..Default::default() };
    config.serve.header_read_timeout = Duration::from_millis(100);
    config.serve.write_timeout = Duration::from_millis(100);
    config
}

#[tokio::test]
async fn a_body_that_stalls_is_cut_off() {
    let server = start(impatient());
    let mut frame = framed(false, &[0; 1000]);
    frame.truncate(500);
    let got = send(server.address, Http::Two, grpc(&[], stalling(frame.into()))).await;
    assert_eq!(got.grpc().0, "4", "{got:?}");
    assert!(got.grpc().1.contains("stalled after 500 bytes"), "{got:?}");
    let type_ = [("content-type", "application/json")];
    for http in [Http::One, Http::Two] {
        let got =
            send(server.address, http, post("/v1/traces", &type_, stalling(Bytes::from_static(b"{")))).await;
        assert_eq!(got.status, StatusCode::REQUEST_TIMEOUT, "{got:?}");
    }
    assert!(server.pushed().is_empty());
    server.end().await;
}

#[tokio::test]
async fn a_sender_that_stalls_holds_little_and_nobody_up() {
    let server = start(ReceiveConfig::default());
    // Announces 30 MiB, sends 10 bytes.
    let mut frame = framed(false, &[0; 5]);
    frame[1..5].copy_from_slice(&(30u32 << 20).to_be_bytes());
    let stalled = tokio::spawn(send(server.address, Http::Two, grpc(&[], stalling(frame.into()))));
    while server.sink.room.available_permits() == ROOM {
        tokio::task::yield_now().await;
    }
    assert!(ROOM - server.sink.room.available_permits() <= 1 << 20);
    let got = send(server.address, Http::One, protobuf(request(10))).await;
    assert_eq!(got.status, StatusCode::OK);
    // The sender goes away, and what it held is free.
    stalled.abort();
    while server.sink.room.available_permits() < ROOM {
        tokio::task::yield_now().await;
    }
    server.end().await;
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_closed() {
    let server = start(impatient());
    for begin in [&b""[..], b"PRI * HT", b"POST /v1/traces HTTP/1.1\r\nhost: x\r\n"] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(begin).await.unwrap();
        let mut rest = Vec::new();
        // Ends when the server closes.
        let _ = stream.read_to_end(&mut rest).await;
    }
    server.end().await;
}

#[tokio::test]
async fn too_many_connections_are_turned_away() {
    let mut config = ReceiveConfig::default();
    config.serve.max_connections = 1;
    let server = start(config);
    let first = TcpStream::connect(server.address).await.unwrap();
    while server.metrics.serve.connections.get() < 1 {
        tokio::task::yield_now().await;
    }
    let mut second = TcpStream::connect(server.address).await.unwrap();
    let mut rest = Vec::new();
    let _ = second.read_to_end(&mut rest).await;
    assert_eq!(server.metrics.serve.refused_connections.get(), 1);
    drop(first);
    server.end().await;
}

#[tokio::test]
async fn what_is_in_flight_is_finished_at_the_end() {
    let server = start(ReceiveConfig::default());
    *server.sink.delay.lock().unwrap() = Duration::from_millis(50);
    let sent: Vec<_> = [Http::One, Http::Two]
        .map(|http| tokio::spawn(send(server.address, http, protobuf(request(1)))))
        .into();
    while server.metrics.serve.connections.get() < 2 || server.sink.room.available_permits() == ROOM {
        tokio::task::yield_now().await;
    }
    let Running { address, trigger, task, sink, .. } = server;
    trigger.begin(Duration::from_secs(10));
    for got in sent {
        assert_eq!(got.await.unwrap().status, StatusCode::OK);
    }
    task.await.unwrap();
    assert!(TcpStream::connect(address).await.is_err(), "the port is still open");
    assert_eq!(sink.pushed.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn what_does_not_finish_is_cut_off_when_the_grace_is_over() {
    let server = start(ReceiveConfig::default());
    *server.sink.delay.lock().unwrap() = Duration::from_secs(3600);
    let stream = TcpStream::connect(server.address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let sent = tokio::spawn(async move { sender.send_request(protobuf(request(1))).await });
    while server.sink.room.available_permits() == ROOM {
        tokio::task::yield_now().await;
    }
    server.trigger.begin(Duration::from_millis(50));
    server.task.await.unwrap();
    assert!(sent.await.unwrap().is_err());
}
