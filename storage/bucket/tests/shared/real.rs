//! memcached and Redis themselves. Without them in the environment these tests try nothing.

use std::time::Duration;

use bytes::Bytes;
use spanloom_bucket::cache::SharedCache;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

use crate::{LONG, keys, memcached, redis, some};

/// Where a real server is, if the environment says so.
fn real(variable: &str) -> Option<String> {
    let found = std::env::var(variable).ok();
    assert!(
        found.is_some() || std::env::var_os("SPANLOOM_TEST_REQUIRED").is_none(),
        "{variable} is not set, and the test must not be skipped"
    );
    if found.is_none() {
        println!("skipped: {variable} is not set");
    }
    found
}

/// Another address of a server, which can be killed.
struct Relay {
    address: String,
    listens: AbortHandle,
}

impl Relay {
    async fn start(address: &str, to: String) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let task = tokio::spawn(async move {
            // Ended with this task.
            let mut relays = tokio::task::JoinSet::new();
            while let Ok((mut near, _)) = listener.accept().await {
                let to = to.clone();
                relays.spawn(async move {
                    let mut far = TcpStream::connect(to).await.unwrap();
                    let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                });
            }
        });
        Self { address, listens: task.abort_handle() }
    }

    async fn kill(&self) {
        self.listens.abort();
        while TcpStream::connect(&self.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    }
}

/// A unit of a block as the cache puts it, 64 KiB and a checksum, other bytes in each run.
fn unit(number: usize) -> Bytes {
    let first = number * 7 + std::process::id() as usize;
    (0..8 + (64 << 10)).map(|at| (at * 31 + first) as u8).collect()
}

/// The same in each run, so that many runs do not fill the servers.
fn unit_keys(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("spanloom:ac(me)*'!/0001.block:{number}")).collect()
}

fn value_of(keys: &[String], number: usize) -> (String, Bytes) {
    (keys[number].clone(), unit(number))
}

/// Values come back, what is absent does not, long and odd keys are keys, and a thousand are found at once.
async fn serves(cache: &dyn SharedCache) {
    let count = 200; // the servers of the tests have 64 MB
    let mut keys = unit_keys(count);
    for number in 0..count {
        cache.put(vec![value_of(&keys, number)]).await.unwrap();
    }
    keys.extend((0..800).map(|number| format!("spanloom:absent/{number}")));
    let found = cache.get(&keys).await.unwrap();
    assert_eq!(found.len(), 1000);
    for (number, value) in found.iter().enumerate() {
        let expected = (number < count).then(|| unit(number));
        assert!(*value == expected, "value {number} is not what was put");
    }
    let odd = ["with space", "with\r\nflush_all\r\nlines", "\u{fc}\u{0}", &"long".repeat(500)];
    let odd: Vec<String> = odd.iter().map(|key| format!("{key}{}", std::process::id())).collect();
    assert_eq!(cache.get(&odd).await.unwrap(), vec![None; odd.len()]);
    cache.put(odd.iter().map(|key| (key.clone(), Bytes::from(key.clone()))).collect()).await.unwrap();
    let found = cache.get(&odd).await.unwrap();
    assert!(found.iter().zip(&odd).all(|(value, key)| value.as_deref() == Some(key.as_bytes())));
    // An empty value and the longest one, all in one call with values of several batches.
    let values: Vec<(String, Bytes)> = (0..40).map(|number| value_of(&keys, number)).collect();
    cache.put(values).await.unwrap();
    cache.put(vec![(keys[0].clone(), Bytes::new())]).await.unwrap();
    assert_eq!(cache.get(&keys[..1]).await.unwrap(), [Some(Bytes::new())]);
    let too_long = Bytes::from(vec![0; (1 << 20) + 1]);
    assert!(cache.put(vec![(keys[0].clone(), too_long)]).await.is_err());
}

#[tokio::test]
async fn memcached_serves() {
    let Some(server) = real("SPANLOOM_TEST_MEMCACHED") else { return };
    serves(&*memcached(&[&server], LONG)).await;
}

#[tokio::test]
async fn redis_serves() {
    let Some(server) = real("SPANLOOM_TEST_REDIS") else { return };
    serves(&*redis(&server, LONG)).await;
    let rights = "ACL SETUSER spanloom-test on >hun@er2 ~spanloom:* +mget +set +select";
    assert_eq!(says(&server, rights).await, "+OK");
    let cache = redis(&format!("spanloom-test:hun%40er2@{server}/2"), LONG);
    let ours = unit_keys(1);
    cache.put(vec![value_of(&ours, 0)]).await.unwrap();
    assert!(cache.get(&ours).await.unwrap() == [Some(unit(0))]);
    let error = cache.get(&keys(&["other"])).await.unwrap_err();
    assert!(error.contains("NOPERM"), "{error}");
    let error = redis(&format!("me:hunter2@{server}"), LONG).get(&keys(&["a"])).await.unwrap_err();
    assert!(error.contains("AUTH was answered with WRONGPASS") && !error.contains("hunter2"), "{error}");
    let error = redis(&format!("{server}/4000000000"), LONG).get(&keys(&["a"])).await.unwrap_err();
    assert!(error.contains("SELECT was answered with ERR"), "{error}");
}

/// Sends a line and reads one.
async fn says(server: &str, line: &str) -> String {
    let mut stream = TcpStream::connect(server).await.unwrap();
    stream.write_all(format!("{line}\r\n").as_bytes()).await.unwrap();
    let mut said = Vec::new();
    while !said.ends_with(b"\r\n") {
        said.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(said).unwrap().trim_end().to_owned()
}

#[tokio::test]
async fn real_servers_know_how_long_to_keep() {
    let key = format!("spanloom:ttl/{}", std::process::id());
    let value = || vec![(key.clone(), Bytes::from_static(b"v"))];
    let check = |left: &str| {
        let left: u64 = left.parse().unwrap();
        assert!((86000..=86400).contains(&left), "{left} s of a day are left");
    };
    if let Some(server) = real("SPANLOOM_TEST_REDIS") {
        redis(&server, LONG).put(value()).await.unwrap();
        check(says(&server, &format!("TTL {key}")).await.strip_prefix(':').unwrap());
    }
    if let Some(server) = real("SPANLOOM_TEST_MEMCACHED") {
        memcached(&[&server], LONG).put(value()).await.unwrap();
        check(says(&server, &format!("mg {key} t")).await.strip_prefix("HD t").unwrap());
    }
}

#[tokio::test]
async fn a_killed_server_takes_only_its_own_keys_along() {
    let Some(server) = real("SPANLOOM_TEST_MEMCACHED") else { return };
    let relays = [
        Relay::start("127.0.0.1:0", server.clone()).await,
        Relay::start("127.0.0.1:0", server.clone()).await,
        Relay::start("127.0.0.1:0", server.clone()).await,
    ];
    let [one, two, three] = [&relays[0], &relays[1], &relays[2]].map(|relay| relay.address.as_str());
    let cache = memcached(&[one, two, three], LONG);
    let keys: Vec<String> = unit_keys(300).iter().map(|key| format!("{key}:killed")).collect();
    cache.put(keys.iter().map(|key| (key.clone(), Bytes::from(key.clone()))).collect()).await.unwrap();
    let is_there = |found: Vec<Option<Bytes>>| -> Vec<bool> { found.iter().map(Option::is_some).collect() };
    assert_eq!(is_there(cache.get(&keys).await.unwrap()), vec![true; 300]);
    relays[1].kill().await;
    let left = is_there(cache.get(&keys).await.unwrap());
    let gone = left.iter().filter(|&&is_there| !is_there).count();
    assert!((50..150).contains(&gone), "{gone} of 300 keys were on the second of three servers");
    // Others know the same places, in whichever order they were told of the servers.
    assert_eq!(is_there(memcached(&[three, two, one], LONG).get(&keys).await.unwrap()), left);
    relays[0].kill().await;
    relays[2].kill().await;
    assert!(cache.get(&keys).await.is_err());
}

#[tokio::test]
async fn a_server_that_comes_back_is_used_again() {
    let Some(server) = real("SPANLOOM_TEST_REDIS") else { return };
    let relay = Relay::start("127.0.0.1:0", server.clone()).await;
    let cache = redis(&relay.address, LONG);
    let key = keys(&[&format!("spanloom:back/{}", std::process::id())]);
    cache.put(vec![(key[0].clone(), Bytes::from_static(b"v"))]).await.unwrap();
    relay.kill().await;
    cache.get(&key).await.unwrap_err();
    let _back = Relay::start(&relay.address, server).await;
    assert!(cache.get(&key).await.unwrap_err().contains("failed lately"));
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(1)).await;
    tokio::time::resume();
    assert_eq!(cache.get(&key).await.unwrap(), [some("v")]);
}
