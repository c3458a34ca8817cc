//! Dead nodes, restarts, nodes that break off or fall silent.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use spanloom_peer::{DialOptions, Dialer, Peer, PeerError, ServeOptions, TraceCopy};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::fake::{Fake, Mood, Server, find, push};
use crate::raw;

/// A port of which nobody answers.
async fn free_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

fn with_backoff(first_backoff: Duration) -> DialOptions {
    DialOptions { first_backoff, max_backoff: first_backoff, ..DialOptions::default() }
}

#[track_caller]
fn unreachable<T: std::fmt::Debug>(answer: Result<T, PeerError>) {
    assert!(matches!(answer, Err(PeerError::Unreachable(_))), "{answer:?}");
}

/// Asks until there is an answer.
async fn recovers(peer: &dyn Peer) {
    while peer.push(push(Bytes::new())).await.is_err() || peer.find_trace(find()).await.is_err() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn a_dead_node_fails_at_once_and_is_left_alone_for_a_while() {
    let address = free_port().await;
    let forever = Dialer::new(with_backoff(Duration::from_secs(3600))).peer(&address.to_string());
    let never = Dialer::new(with_backoff(Duration::ZERO)).peer(&address.to_string());
    let mut calls = JoinSet::new();
    for _ in 0..64 {
        let (forever, never) = (forever.clone(), never.clone());
        calls.spawn(async move {
            unreachable(forever.find_trace(find()).await);
            unreachable(never.find_trace(find()).await);
        });
    }
    while let Some(done) = calls.join_next().await {
        done.unwrap();
    }
    let server = Server::at(address, Fake::new(Mood::Answer), ServeOptions::default()).await;
    unreachable(forever.find_trace(find()).await); // not dialled again in the pause
    assert!(never.find_trace(find()).await.is_ok()); // there is none
    server.stop().await;
}

#[tokio::test]
async fn a_node_that_restarts_is_found_again() {
    let mut server = Server::start(Fake::new(Mood::Answer), ServeOptions::default()).await;
    let peer = server.dial(with_backoff(Duration::from_millis(1)));
    recovers(&*peer).await;
    for is_graceful in [true, false, true, false] {
        let address = server.address;
        if is_graceful {
            server.stop().await
        } else {
            server.kill().await
        }
        unreachable(peer.exchange_members(Bytes::new()).await);
        server = Server::at(address, Fake::new(Mood::Answer), ServeOptions::default()).await;
        recovers(&*peer).await;
    }
    server.stop().await;
}

#[tokio::test]
async fn a_restart_between_two_questions_goes_unnoticed() {
    let mut server = Server::start(Fake::new(Mood::Answer), ServeOptions::default()).await;
    let peer = server.dial(DialOptions::default());
    assert!(peer.find_trace(find()).await.is_ok());
    for _ in 0..3 {
        let address = server.address;
        server.stop().await;
        server = Server::at(address, Fake::new(Mood::Answer), ServeOptions::default()).await;
        let answer = peer.find_trace(find()).await;
        assert!(answer.is_ok(), "{answer:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_node_that_dies_takes_its_questions_with_it() {
    let fake = Fake::new(Mood::Hang);
    let server = Server::start(fake.clone(), ServeOptions::default()).await;
    let peer = server.dial(DialOptions::default());
    let waiting = tokio::spawn(async move { peer.push(push(Bytes::new())).await });
    fake.was_asked(1).await;
    server.kill().await;
    unreachable(waiting.await.unwrap());
}

#[tokio::test]
async fn a_node_that_closes_every_connection_is_left_alone_for_a_while() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (told, mut accepted) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            drop(listener.accept().await.unwrap());
            told.send(()).unwrap();
        }
    });
    let peer = Dialer::new(with_backoff(Duration::from_secs(3600))).peer(&address);
    for _ in 0..20 {
        unreachable(peer.find_trace(find()).await);
    }
    drop(peer);
    accepted.recv().await.unwrap();
    assert!(accepted.try_recv().is_err(), "dialled once");
}

#[tokio::test]
async fn a_silent_node_is_noticed_by_its_missing_pongs() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut ignored = Vec::new();
        let _ = stream.read_to_end(&mut ignored).await; // never says a word
    });
    let options = DialOptions {
        keepalive_interval: Duration::from_millis(20),
        keepalive_timeout: Duration::from_millis(20),
        ..DialOptions::default()
    };
    // The question's own deadline of 10 seconds would give another error.
    unreachable(Dialer::new(options).peer(&address).find_trace(find()).await);
}

#[tokio::test]
async fn a_connection_that_cannot_be_made_in_time_is_given_up() {
    // A listener whose backlog is full answers no more: nobody accepts.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut fillers = Vec::new();
    while let Ok(Ok(stream)) =
        tokio::time::timeout(Duration::from_millis(100), tokio::net::TcpStream::connect(address)).await
    {
        fillers.push(stream);
    }
    let options = DialOptions { connect: Duration::from_millis(50), ..DialOptions::default() };
    let answer = Dialer::new(options).peer(&address.to_string()).find_trace(find()).await;
    assert_eq!(answer, Err(PeerError::Unreachable("no connection within 50ms".to_owned())));
}

#[tokio::test]
async fn a_node_that_takes_no_pushes_still_answers_small_questions() {
    let copy = TraceCopy { spans: Bytes::from_static(b"spans"), blocks: 1, live_parts: 2 };
    let address = raw::jammed(raw::message(copy.clone())).await;
    let peer = Dialer::new(DialOptions::default()).peer(&address.to_string());
    let mut pushes = JoinSet::new();
    for _ in 0..8 {
        let peer = peer.clone();
        pushes.spawn(async move { peer.push(push(Bytes::from(vec![0; 1 << 20]))).await });
    }
    for _ in 0..10 {
        assert_eq!(peer.find_trace(find()).await, Ok(copy.clone()));
    }
    assert!(pushes.try_join_next().is_none(), "all pushes wait");
}

#[tokio::test]
async fn an_address_that_is_none_is_refused() {
    for address in ["", "localhost", "a b:80"] {
        let answer = Dialer::new(DialOptions::default()).peer(address).find_trace(find()).await;
        assert!(matches!(answer, Err(PeerError::Invalid(_))), "{answer:?}");
    }
}
