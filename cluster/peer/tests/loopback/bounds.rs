//! Deadlines, cancellation, and what is refused when it is too much.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use spanloom_peer::{Deadlines, DialOptions, MAX_RANGES, PeerError, ServeOptions};

use crate::fake::{Fake, Mood, Server, find, list, push, read, scan};
use crate::raw::{self, FIND_TRACE};

const SHORT: Duration = Duration::from_millis(30);

#[tokio::test]
async fn a_question_ends_at_its_deadline_on_both_sides() {
    let fake = Fake::new(Mood::Hang);
    let server = Server::start(fake.clone(), ServeOptions::default()).await;
    let deadlines = Deadlines {
        push: SHORT,
        find_trace: SHORT * 2,
        list_blocks: SHORT * 3,
        read_block: SHORT * 4,
        exchange_members: SHORT * 5,
        scan_blocks: SHORT * 6,
    };
    let peer = server.dial(DialOptions { deadlines, ..DialOptions::default() });
    assert_eq!(peer.push(push(Bytes::new())).await, Err(PeerError::Late(SHORT)));
    assert_eq!(peer.find_trace(find()).await, Err(PeerError::Late(SHORT * 2)));
    assert_eq!(peer.list_blocks(list()).await, Err(PeerError::Late(SHORT * 3)));
    assert_eq!(peer.read_block(read(vec![0..1])).await, Err(PeerError::Late(SHORT * 4)));
    assert_eq!(peer.exchange_members(Bytes::new()).await, Err(PeerError::Late(SHORT * 5)));
    assert_eq!(peer.scan_blocks(scan()).await, Err(PeerError::Late(SHORT * 6)));
    fake.was_dropped(6).await;
    server.stop().await;
}

#[tokio::test]
async fn a_node_bounds_deadlines_by_its_own() {
    let options = ServeOptions { max_deadline: SHORT, ..ServeOptions::default() };
    let counters = options.counters.clone();
    let server = Server::start(Fake::new(Mood::Hang), options).await;
    let peer = server.dial(DialOptions::default());
    assert_eq!(peer.find_trace(find()).await, Err(PeerError::Late(SHORT)));
    assert_eq!(counters.served().late, 1);
    server.stop().await;
}

#[tokio::test]
async fn the_deadline_travels_with_the_question() {
    let options = ServeOptions::default();
    let counters = options.counters.clone();
    let server = Server::start(Fake::new(Mood::Hang), options).await;
    // A client that sends a deadline and waits longer than it.
    let told = raw::ask(server.address, FIND_TRACE, &[("grpc-timeout", "20m")], raw::message(find())).await;
    assert_eq!(told.header("grpc-status"), "4");
    assert_eq!(told.header("spanloom-micros"), "20000");
    assert_eq!(counters.served().late, 1);
    server.stop().await;
}

#[tokio::test]
async fn a_dropped_question_is_cancelled_at_the_node() {
    let options = ServeOptions::default();
    let counters = options.counters.clone();
    let fake = Fake::new(Mood::Hang);
    let server = Server::start(fake.clone(), options).await;
    let peer = server.dial(DialOptions::default());
    for number in 1..=3 {
        let mut question = peer.push(push(Bytes::from(vec![0; 100_000])));
        tokio::select! {
            answer = &mut question => panic!("{answer:?}"),
            () = fake.was_asked(number) => {}
        }
        drop(question);
        fake.was_dropped(number).await;
    }
    assert_eq!(counters.served().cancelled, 3);
    assert_eq!(counters.served().connections, 1, "cancelling costs no connection");
    server.stop().await;
}

#[tokio::test]
async fn more_questions_of_a_kind_than_may_be_are_refused_at_once() {
    let fake = Fake::new(Mood::Wait);
    let server = Server::start(fake.clone(), ServeOptions::default()).await;
    let peer = server.dial(DialOptions { max_calls: 2.try_into().unwrap(), ..DialOptions::default() });
    let ask = || {
        let peer = peer.clone();
        tokio::spawn(async move { peer.find_trace(find()).await })
    };
    let waiting = [ask(), ask()];
    fake.was_asked(2).await;
    assert!(matches!(peer.find_trace(find()).await, Err(PeerError::Exhausted { .. })));
    let another_kind = tokio::spawn({
        let peer = peer.clone();
        async move { peer.exchange_members(Bytes::new()).await }
    });
    fake.was_asked(3).await;
    fake.gate.add_permits(3);
    assert_eq!(another_kind.await.unwrap(), Ok(Bytes::new()));
    for answer in waiting {
        assert!(answer.await.unwrap().is_ok());
    }
    fake.gate.add_permits(1);
    assert!(peer.find_trace(find()).await.is_ok(), "there is room again");
    server.stop().await;
}

#[tokio::test]
async fn a_node_refuses_more_questions_than_it_may_work_on() {
    let fake = Fake::new(Mood::Wait);
    let retry_after = Duration::from_millis(1234);
    let options = ServeOptions { max_calls: 1, retry_after, ..ServeOptions::default() };
    let counters = options.counters.clone();
    let server = Server::start(fake.clone(), options).await;
    let peer = server.dial(DialOptions::default());
    let waiting = tokio::spawn({
        let peer = peer.clone();
        async move { peer.find_trace(find()).await }
    });
    fake.was_asked(1).await;
    let message = "the node works on 1 questions, and takes no more".to_owned();
    let refused = Err(PeerError::Exhausted { message, retry_after });
    assert_eq!(peer.push(push(Bytes::from(vec![1; 2 << 20]))).await, refused);
    fake.gate.add_permits(1);
    assert!(waiting.await.unwrap().is_ok());
    assert_eq!(counters.served().refused_calls, 1);
    assert_eq!(fake.asked.load(Ordering::SeqCst), 1, "what was refused was not begun");
    server.stop().await;
}

#[tokio::test]
async fn a_node_refuses_more_bytes_than_it_may_work_on() {
    let fake = Fake::new(Mood::Wait);
    let options = ServeOptions { max_bytes: 3 << 20, max_message: 2 << 20, ..ServeOptions::default() };
    let counters = options.counters.clone();
    let server = Server::start(fake.clone(), options).await;
    let peer = server.dial(DialOptions::default());
    let large = || Bytes::from(vec![1; (2 << 20) - 1000]);
    let waiting = tokio::spawn({
        let peer = peer.clone();
        async move { peer.push(push(large())).await }
    });
    fake.was_asked(1).await;
    assert!(matches!(peer.push(push(large())).await, Err(PeerError::Exhausted { .. })));
    assert_eq!(counters.served().refused_bytes, 1);
    fake.gate.add_permits(2);
    assert!(waiting.await.unwrap().is_ok());
    assert!(peer.push(push(large())).await.is_ok(), "there is room again");
    server.stop().await;
}

#[tokio::test]
async fn messages_that_are_too_large_are_refused_wherever_that_is_seen() {
    let small = ServeOptions { max_message: 100_000, ..ServeOptions::default() };
    let server = Server::start(Fake::new(Mood::Answer), small.clone()).await;
    let large = || push(Bytes::from(vec![0; 200_000]));
    let told = |error: PeerError| error.to_string();
    let peer = server.dial(DialOptions::default());
    let expected = "the question: the frame has 200031 bytes, at most 100000 are taken";
    assert_eq!(peer.push(large()).await, Err(PeerError::Invalid(expected.to_owned())));
    let wanted = "200000 bytes of a block were asked for, at most 100000 may be";
    assert_eq!(peer.read_block(read(vec![0..200_000])).await, Err(PeerError::Invalid(wanted.to_owned())));
    let error = peer.read_block(read(vec![0..99_999])).await.unwrap_err();
    assert_eq!(
        told(error),
        "the answer cannot be sent: the frame has 100031 bytes, at most 100000 are taken"
    );
    let careful = server.dial(DialOptions { max_message: 1000, ..DialOptions::default() });
    let error = careful.push(large()).await.unwrap_err();
    assert_eq!(
        told(error),
        "the question cannot be sent: the frame has 200031 bytes, at most 1000 are taken"
    );
    let error = careful.read_block(read(vec![0..2000])).await.unwrap_err();
    assert!(matches!(error, PeerError::Garbled(_)), "{error:?}");
    let error = careful.read_block(read(vec![0..1; MAX_RANGES + 1])).await.unwrap_err();
    assert!(matches!(error, PeerError::Invalid(_)), "{error:?}");
    assert!(peer.find_trace(find()).await.is_ok(), "and nothing else was disturbed");
    server.stop().await;
}

#[tokio::test]
async fn a_stop_lets_questions_end_and_takes_no_more() {
    let fake = Fake::new(Mood::Wait);
    let server = Server::start(fake.clone(), ServeOptions::default()).await;
    let peer = server.dial(DialOptions::default());
    let waiting = tokio::spawn({
        let peer = peer.clone();
        async move { peer.push(push(Bytes::new())).await }
    });
    fake.was_asked(1).await;
    let stopping = server.stopping();
    // It goes by another connection, which is not taken.
    let refused = peer.find_trace(find()).await;
    assert!(matches!(refused, Err(PeerError::Unreachable(_))), "{refused:?}");
    fake.gate.add_permits(1);
    assert!(waiting.await.unwrap().is_ok());
    stopping.await.unwrap();
}

#[tokio::test]
async fn a_stop_waits_no_longer_than_its_grace() {
    let fake = Fake::new(Mood::Hang);
    let server = Server::start(fake.clone(), ServeOptions { grace: SHORT, ..ServeOptions::default() }).await;
    let peer = server.dial(DialOptions::default());
    let waiting = tokio::spawn(async move { peer.push(push(Bytes::new())).await });
    fake.was_asked(1).await;
    server.stop().await;
    let error = waiting.await.unwrap().unwrap_err();
    assert!(matches!(error, PeerError::Unreachable(_)), "{error:?}");
    fake.was_dropped(1).await;
}
