//! Every question and every error there and back, large and many.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use spanloom_peer::{DialOptions, Dialer, Peer, PeerError, ServeOptions};
use spanloom_span::TraceId;
use tokio::task::JoinSet;

use crate::fake::{Fake, Mood, Server, find, list, push, read, scan, traces};

/// All questions are answered by `peer` as by the fake itself.
async fn answers_agree(peer: &dyn Peer) {
    let fake = Fake::new(Mood::Answer);
    let request = Bytes::from_static(b"spans");
    assert_eq!(peer.push(push(request.clone())).await, fake.push(push(request)).await);
    assert_eq!(peer.find_trace(find()).await, fake.find_trace(find()).await);
    assert_eq!(peer.list_blocks(list()).await, fake.list_blocks(list()).await);
    let ranges = vec![0..10, 5..5, 100..70_000];
    assert_eq!(peer.read_block(read(ranges.clone())).await, fake.read_block(read(ranges)).await);
    assert_eq!(peer.scan_blocks(scan()).await, fake.scan_blocks(scan()).await);
    let known = Bytes::from_static(b"members");
    assert_eq!(peer.exchange_members(known.clone()).await, Ok(known));
    assert_eq!(peer.exchange_members(Bytes::new()).await, Ok(Bytes::new()));
    assert_eq!(peer.list_tenants().await, fake.list_tenants().await);
    for after in [None, Some(TraceId([8; 16]))] {
        assert_eq!(peer.list_traces(traces(after)).await, fake.list_traces(traces(after)).await);
    }
}

#[tokio::test]
async fn every_question_is_answered() {
    let server = Server::start(Fake::new(Mood::Answer), ServeOptions::default()).await;
    for connections in 1..4 {
        let connections = connections.try_into().unwrap();
        answers_agree(&*server.dial(DialOptions { connections, ..DialOptions::default() })).await;
    }
    server.stop().await;
}

#[tokio::test]
async fn every_error_comes_back() {
    let text = || "the disk is on fire".to_owned();
    for error in [
        PeerError::Gone,
        PeerError::Busy,
        PeerError::Unreachable(text()),
        PeerError::Late(Duration::from_millis(5)),
        PeerError::Exhausted { message: text(), retry_after: Duration::from_millis(1500) },
        PeerError::Unavailable(text()),
        PeerError::Invalid(text()),
        PeerError::Missing(text()),
        PeerError::Garbled(text()),
    ] {
        let server = Server::start(Fake::new(Mood::Fail(error.clone())), ServeOptions::default()).await;
        let peer = server.dial(DialOptions::default());
        assert_eq!(peer.push(push(Bytes::new())).await, Err(error.clone()));
        assert_eq!(peer.find_trace(find()).await, Err(error.clone()));
        assert_eq!(peer.list_blocks(list()).await, Err(error.clone()));
        assert_eq!(peer.read_block(read(vec![0..1])).await, Err(error.clone()));
        assert_eq!(peer.scan_blocks(scan()).await, Err(error.clone()));
        assert_eq!(peer.list_tenants().await, Err(error.clone()));
        assert_eq!(peer.list_traces(traces(None)).await, Err(error.clone()));
        assert_eq!(peer.exchange_members(Bytes::new()).await, Err(error));
        server.stop().await;
    }
}

#[tokio::test]
async fn payloads_of_every_size_arrive_whole() {
    let server = Server::start(Fake::new(Mood::Answer), ServeOptions::default()).await;
    let peer = server.dial(DialOptions::default());
    for len in [0, 1, 4_096, 4_097, 65_535, 65_536, 1 << 20, (1 << 20) + 1, 30 << 20] {
        let payload: Bytes = (0..len).map(|at: u32| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let pushed = peer.push(push(payload.clone())).await.unwrap();
        assert_eq!(pushed.spans, u64::from(len));
        assert_eq!(pushed.message, format!("team-1: {}", crc_fast::crc32_iscsi(&payload)));
        assert!(peer.exchange_members(payload.clone()).await.unwrap() == payload, "{len}");
        let pieces = peer.read_block(read(vec![0..u64::from(len), 3..u64::from(len) + 3])).await.unwrap();
        assert_eq!(pieces.iter().map(Bytes::len).collect::<Vec<_>>(), [len as usize; 2]);
        assert!(pieces[1].iter().enumerate().all(|(at, byte)| *byte == (at + 3) as u8), "{len}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_ask_beside_each_other() {
    let fake = Fake::new(Mood::Wait);
    let server = Server::start(fake.clone(), ServeOptions::default()).await;
    let peer = server.dial(DialOptions::default());
    let mut calls = JoinSet::new();
    for number in 0..64_u64 {
        let peer = peer.clone();
        calls.spawn(async move {
            let payload = Bytes::from(number.to_le_bytes().repeat(10_000));
            match number % 2 {
                0 => assert_eq!(peer.exchange_members(payload.clone()).await, Ok(payload)),
                _ => assert_eq!(peer.push(push(payload)).await.map(|pushed| pushed.spans), Ok(80_000)),
            }
        });
    }
    fake.was_asked(64).await; // all are under way before the first is answered
    fake.gate.add_permits(64);
    while let Some(done) = calls.join_next().await {
        done.unwrap();
    }
    server.stop().await;
}

#[tokio::test]
async fn an_address_has_one_peer_as_long_as_it_is_held() {
    let server = Server::start(Fake::new(Mood::Answer), ServeOptions::default()).await;
    let dialer = Dialer::new(DialOptions::default());
    let address = server.address.to_string();
    let (one, two) = (dialer.peer(&address), dialer.clone().peer(&address));
    assert!(Arc::ptr_eq(&one, &two));
    assert!(!Arc::ptr_eq(&one, &dialer.peer("127.0.0.1:1")));
    let held = Arc::downgrade(&one);
    drop((one, two));
    assert_eq!(held.strong_count(), 0);
    answers_agree(&*dialer.peer(&address)).await;
    server.stop().await;
}

#[tokio::test]
async fn what_is_asked_is_counted() {
    let options = ServeOptions::default();
    let counters = options.counters.clone();
    let fake = Fake::new(Mood::Answer);
    let server = Server::start(fake.clone(), options).await;
    answers_agree(&*server.dial(DialOptions::default())).await;
    server.stop().await;
    let served = counters.served();
    assert_eq!((served.questions, served.connections), (10, 2));
    assert_eq!((served.garbled, served.late, served.cancelled), (0, 0, 0));
    assert_eq!(fake.asked.load(Ordering::SeqCst), 10);
}

#[test]
fn a_peer_may_be_asked_from_several_runtimes_one_after_the_other() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let serving = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let server = serving.block_on(Server::start(Fake::new(Mood::Answer), ServeOptions::default()));
    let peer = server.dial(DialOptions::default());
    for _ in 0..3 {
        runtime().block_on(answers_agree(&*peer)); // the connection ends with its runtime
    }
}
