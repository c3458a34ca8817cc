//! Servers that answer as the test says: in pieces, nonsense, too much, nothing.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use spanloom_bucket::cache::shared::{SharedCacheOptions, open};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::{LONG, keys, memcached, redis, some};

/// What a scripted server does.
#[derive(Clone)]
enum Step {
    /// Reads exactly this.
    Read(Bytes),
    /// Sends this, in pieces of so many bytes.
    Send(Bytes, usize),
    /// Answers nothing more, and stays.
    Hang,
}
use Step::Hang;

fn read(text: impl AsRef<[u8]>) -> Step {
    Step::Read(Bytes::copy_from_slice(text.as_ref()))
}

fn send(text: impl AsRef<[u8]>) -> Step {
    Step::Send(Bytes::copy_from_slice(text.as_ref()), usize::MAX)
}

/// A server that does with each connection what its script says, then hangs up.
struct Scripted {
    address: String,
    connections: Arc<AtomicUsize>,
}

impl Scripted {
    async fn start(scripts: impl IntoIterator<Item = Vec<Step>>) -> Self {
        let mut scripts: VecDeque<_> = scripts.into_iter().collect();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = connections.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                let script = scripts.pop_front().expect("no script for another connection");
                tokio::spawn(play(stream, script));
            }
        });
        Self { address, connections }
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

async fn play(mut stream: TcpStream, script: Vec<Step>) {
    stream.set_nodelay(true).unwrap();
    for step in script {
        match step {
            Step::Read(expected) => {
                let mut found = vec![0; expected.len()];
                stream.read_exact(&mut found).await.unwrap();
                assert_eq!(found.escape_ascii().to_string(), expected.escape_ascii().to_string());
            }
            Step::Send(bytes, piece) => {
                for piece in bytes.chunks(piece) {
                    // Who does not like the answer may be gone before its end.
                    if stream.write_all(piece).await.is_err() {
                        return;
                    }
                    tokio::task::yield_now().await;
                }
            }
            Step::Hang => std::future::pending().await,
        }
    }
}

const GET: &str = "get a b c\r\n";
const FOUND: &str = "VALUE a 0 3\r\none\r\nVALUE c 0 5\r\nt\r\nee\r\nEND\r\n";
const MGET: &str = "*4\r\n$4\r\nMGET\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n";
const MFOUND: &str = "*3\r\n$3\r\none\r\n$-1\r\n$5\r\nt\r\nee\r\n";

#[tokio::test]
async fn values_come_in_pieces_and_the_connection_is_kept() {
    for piece in [1, 2, 7, usize::MAX] {
        let script = |get: &str, found: &str| {
            [0; 2].map(|_| [read(get), Step::Send(Bytes::copy_from_slice(found.as_bytes()), piece)]).concat()
        };
        let expected = vec![some("one"), None, some("t\r\nee")];
        let server = Scripted::start([[script(GET, FOUND), vec![Hang]].concat()]).await;
        let cache = memcached(&[&server.address], LONG);
        for _ in 0..2 {
            assert_eq!(cache.get(&keys(&["a", "b", "c"])).await.unwrap(), expected);
        }
        assert_eq!(server.connections(), 1);
        let server = Scripted::start([[script(MGET, MFOUND), vec![Hang]].concat()]).await;
        let cache = redis(&server.address, LONG);
        for _ in 0..2 {
            assert_eq!(cache.get(&keys(&["a", "b", "c"])).await.unwrap(), expected);
        }
        assert_eq!(server.connections(), 1);
    }
}

#[tokio::test]
async fn values_in_another_order_and_keys_that_are_asked_for_twice_are_understood() {
    let found = "VALUE b 0 1\r\n2\r\nVALUE a 0 1\r\n1\r\nVALUE a 0 1\r\n1\r\nEND\r\n";
    let server = Scripted::start([vec![read("get a b a\r\n"), send(found)]]).await;
    let found = memcached(&[&server.address], LONG).get(&keys(&["a", "b", "a"])).await.unwrap();
    assert_eq!(found, [some("1"), some("2"), some("1")]);
}

#[tokio::test]
async fn answers_that_make_no_sense_are_errors() {
    async fn check(is_redis: bool, answer: &[u8], what: &str) {
        let get = if is_redis { MGET } else { GET };
        let server = Scripted::start([vec![read(get), send(answer)]]).await;
        let cache = if is_redis { redis(&server.address, LONG) } else { memcached(&[&server.address], LONG) };
        let error = cache.get(&keys(&["a", "b", "c"])).await.unwrap_err();
        assert!(error.contains(what) && error.contains(&server.address), "{error}, expected {what}");
    }
    let endless = vec![b'x'; 5000];
    for is_redis in [false, true] {
        check(is_redis, b"HTTP/1.1 400 Bad Request\r\n\r\n", if is_redis { "as many" } else { "HTTP/1.1" })
            .await;
        check(is_redis, &endless, "a line of at most 1,024 bytes").await;
        check(is_redis, b"", "closed the connection").await;
        check(is_redis, b"\n", "ends with").await;
    }
    check(false, b"VALUE a 0 1048577\r\n", "expected at most 1048576").await;
    check(false, b"VALUE a 0 99999999999999999999\r\n", "VALUE key flags bytes").await;
    check(false, b"VALUE a 0 -1\r\n", "VALUE key flags bytes").await;
    check(false, b"VALUE a 0 3\r\non", "closed the connection").await;
    check(false, b"VALUE a 0 3\r\nones\r\nEND\r\n", "after a value").await;
    check(false, b"VALUE d 0 3\r\none\r\nEND\r\n", "that was asked for").await;
    check(false, b"VALUE a 0 1\r\n1\r\nVALUE a 0 1\r\n1\r\nEND\r\n", "once").await;
    check(false, b"SERVER_ERROR out of memory\x1b[31m\r\n", "memory\\x1b[31m").await;
    check(true, b"*2\r\n$-1\r\n$-1\r\n", "expected as many").await;
    check(true, b"*3\r\n$1048577\r\n", "expected at most 1048576").await;
    check(true, b"*3\r\n$-2\r\n", "a length").await;
    check(true, b"*3\r\n:3\r\n", "a length").await;
    check(true, b"*3\r\n$3\r\none\r\n$3\r\ntw", "closed the connection").await;
    check(true, b"*3\r\n$3\r\nones\r\n", "after a value").await;
    check(true, b"-NOAUTH Authentication required.\r\n", "NOAUTH").await;
}

#[tokio::test]
async fn a_claimed_length_waits_for_its_bytes_and_the_time_ends() {
    let server = Scripted::start([vec![read(GET), send("VALUE a 0 1048576\r\nabc"), Hang]]).await;
    let cache = memcached(&[&server.address], Duration::from_millis(50));
    let error = cache.get(&keys(&["a", "b", "c"])).await.unwrap_err();
    tokio::time::pause();
    assert!(error.contains("no answer within 50ms"), "{error}");
    let error = cache.get(&keys(&["a"])).await.unwrap_err();
    assert!(error.contains("failed lately"), "{error}");
}

#[tokio::test]
async fn a_server_that_failed_is_asked_again_after_a_pause() {
    let well = vec![read("get a\r\n"), send("END\r\n"), Hang];
    let server = Scripted::start([vec![], vec![], well]).await;
    let cache = memcached(&[&server.address], LONG);
    let a = keys(&["a"]);
    for (pause, connections) in [(1, 1), (2, 2)] {
        assert!(!cache.get(&a).await.unwrap_err().contains("failed lately"));
        tokio::time::pause();
        for _ in 0..100 {
            assert!(cache.get(&a).await.unwrap_err().contains("failed lately"));
        }
        assert!(cache.put(vec![("a".to_owned(), Bytes::new())]).await.unwrap_err().contains("failed lately"));
        assert_eq!(server.connections(), connections);
        tokio::time::advance(Duration::from_secs(pause)).await;
        tokio::time::resume();
    }
    assert_eq!(cache.get(&a).await, Ok(vec![None]));
    assert_eq!(cache.get(&[]).await, Ok(vec![]));
    assert_eq!(server.connections(), 3);
}

#[tokio::test]
async fn a_connection_that_was_closed_meanwhile_or_has_said_too_much_is_replaced() {
    let script = || vec![read("get a\r\n"), send("END\r\n")];
    let too_much = vec![read("get a\r\n"), send("END\r\nVALUE a 0 1\r\n1\r\nEND\r\n"), Hang];
    let server = Scripted::start([script(), script(), too_much, script()]).await;
    let cache = memcached(&[&server.address], LONG);
    for connections in 1..=4 {
        assert_eq!(cache.get(&keys(&["a"])).await, Ok(vec![None]));
        assert_eq!(server.connections(), connections);
    }
}

#[tokio::test]
async fn a_call_that_is_dropped_takes_its_connection_along() {
    let well = vec![read("get b\r\n"), send("END\r\n"), Hang];
    let server = Scripted::start([vec![read("get a\r\n"), Hang], well]).await;
    let cache = memcached(&[&server.address], LONG);
    let a = keys(&["a"]);
    tokio::select! {
        biased;
        _ = cache.get(&a) => panic!("nothing answers"),
        () = async { while server.connections() == 0 { tokio::task::yield_now().await } } => {}
    }
    assert_eq!(cache.get(&keys(&["b"])).await, Ok(vec![None]));
}

#[tokio::test]
async fn memcached_is_told_how_long_to_keep_and_may_refuse() {
    let value = |key: &str| (key.to_owned(), Bytes::from_static(b"v\r\n"));
    for (keep, seconds) in [(0, 1), (3600, 3600), (30 * 86400, 2592000), (31 * 86400, 2592000)] {
        let told = format!("set a 0 {seconds} 3\r\nv\r\n\r\nset b 0 {seconds} 3\r\nv\r\n\r\n");
        let script = vec![
            read(&told),
            send("SERVER_ERROR object too large for cache\r\nSTORED\r\n"),
            read(&told),
            send("STORED\r\nSTORED\r\n"),
            Hang,
        ];
        let server = Scripted::start([script]).await;
        let options = SharedCacheOptions {
            memcached: vec![server.address.clone()],
            keep: Duration::from_secs(keep),
            timeout: LONG,
            ..SharedCacheOptions::default()
        };
        let cache = open(&options).unwrap().unwrap();
        let error = cache.put(vec![value("a"), value("b")]).await.unwrap_err();
        assert!(error.contains("too large"), "{error}");
        assert_eq!(cache.put(vec![value("a"), value("b")]).await, Ok(()));
        assert_eq!(server.connections(), 1);
    }
}

#[tokio::test]
async fn redis_is_greeted_and_its_password_is_in_no_error() {
    let auth = "*3\r\n$4\r\nAUTH\r\n$2\r\nme\r\n$7\r\nhunter2\r\n";
    let select = "*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n";
    let set = "*5\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\nv\r\n$2\r\nEX\r\n$5\r\n86400\r\n";
    let ok = || send("+OK\r\n");
    let script = vec![
        read(auth),
        ok(),
        read(select),
        ok(),
        read(set),
        send("-OOM command not allowed\r\n"),
        read(set),
        ok(),
        Hang,
    ];
    let server = Scripted::start([script]).await;
    let cache = redis(&format!("me:hunter2@{}/3", server.address), LONG);
    let value = || vec![("a".to_owned(), Bytes::from_static(b"v"))];
    let error = cache.put(value()).await.unwrap_err();
    assert!(error.contains("SET was answered with OOM"), "{error}");
    assert_eq!(cache.put(value()).await, Ok(()));
    for (answer, shown) in [
        ("-WRONGPASS no\r\n", "AUTH was answered with WRONGPASS"),
        ("-ERR unknown command 'AUTH' with args 'me' 'hunter2'\r\n", "AUTH was answered with ERR"),
        ("hunter2\r\n", "AUTH was answered with something else"),
    ] {
        let server = Scripted::start([vec![read(auth), send(answer)]]).await;
        let cache = redis(&format!("me:hunter2@{}", server.address), LONG);
        let error = cache.get(&keys(&["a"])).await.unwrap_err();
        assert!(error.contains(shown) && !error.contains("hunter2"), "{error}");
    }
}
