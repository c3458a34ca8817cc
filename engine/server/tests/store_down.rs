//! A store that is down, or refuses the credentials: spans are taken and found as before, it is told where people look,
//! and blocks catch up by themselves.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
#![allow(clippy::print_stdout, reason = "what was left out is what one wants to know")]

mod house;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use house::House;
use house::load::{Spans, check, load_while, some_traces};

/// Traces that are read back at a time.
const MOST: usize = 3_000;

/// How long a store is down.
fn outage() -> Duration {
    let seconds = std::env::var("SPANLOOM_OUTAGE_SECONDS").ok().and_then(|value| value.parse().ok());
    Duration::from_secs(seconds.unwrap_or(3))
}

/// Blocks are sealed and joined all the time.
const EAGER: &str = "
log: {segment_bytes: 1MiB}
trace: {idle: 50ms, max_age: 1s}
seal: {block_bytes: 400KiB, max_age: 200ms}
compaction: {every: 100ms, zstd_level: 1}
";

fn enough(house: &House, seed: u64, upto: usize) -> Spans {
    load_while(house.otlp, seed, |count| house.wait_until("spans are acknowledged", || count() >= upto))
}

/// Everything is where it belongs.
fn caught_up(house: &House) {
    house.wait_until("the store has all blocks", || {
        house.metric("spanloom_blocks_unshipped") == 0 && house.metric("spanloom_store_failing") == 0
    });
    assert_eq!(house.metric("spanloom_unshipped_oldest_seconds"), 0);
}

/// Takes spans while the store is down, and says so.
fn goes_on_without(house: &House, seed: u64) -> Spans {
    let until = Instant::now() + outage();
    let spans = load_while(house.otlp, seed, |count| {
        let found = |what: &str| house.says("/status").1.contains(what);
        house.wait_until("it is told", || house.metric("spanloom_store_failing") == 1 && found("failing, "));
        house.wait_until("blocks wait", || house.metric("spanloom_blocks_unshipped") > 0);
        while Instant::now() < until || count() < 5_000 {
            assert_eq!(house.says("/ready"), (200, "ready\n".into()), "{}", house.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    check(house, &some_traces(&spans, MOST), "while the store is down");
    spans
}

fn by_another_node(config: &str, all: &Spans) {
    let dir = tempfile::tempdir().unwrap();
    let house = House::start(dir.path(), config);
    house.wait_until("its lists are here", || house.metric("spanloom_blocks") > 0);
    check(&house, &some_traces(all, MOST), "by another node");
    house.stop();
}

/// Lines about the store in the log.
fn lines(house: &House) -> usize {
    house.log().lines().filter(|line| line.contains("blocks wait here")).count()
}

#[test]
fn a_folder_that_goes_away_is_caught_up_with() {
    let (dir, store) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (folder, away) = (store.path().join("store"), store.path().join("away"));
    let config =
        format!("{EAGER}\nstore: {{backend: folder, folder: {}, poll: 100ms, tries: 2}}\n", folder.display());
    let house = House::start(dir.path(), &config);
    let mut all = enough(&house, 1, 3_000);
    for round in 0..2 {
        std::fs::rename(&folder, &away).unwrap();
        std::fs::write(&folder, "no folder").unwrap();
        all.extend(goes_on_without(&house, 100 + round * 10));
        std::fs::remove_file(&folder).unwrap();
        std::fs::rename(&away, &folder).unwrap();
        caught_up(&house);
        all.extend(enough(&house, 200 + round * 10, 1_000));
        check(&house, &some_traces(&all, MOST), "when the store is there again");
    }
    let said = lines(&house);
    let most = 2 + outage().as_secs() as usize / 60;
    assert!((1..=2 * most).contains(&said), "{said} lines\n{}", house.log());
    house.flush();
    caught_up(&house);
    house.stop();
    by_another_node(&config, &all);
}

/// Something between a server and its store that can be cut.
struct Wire {
    port: u16,
    is_cut: Arc<AtomicBool>,
}

impl Wire {
    fn to(address: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, is_cut) = (listener.local_addr().unwrap().port(), Arc::<AtomicBool>::default());
        let cut = is_cut.clone();
        std::thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let Some(far) = TcpStream::connect(&address).ok().filter(|_| !cut.load(Ordering::SeqCst))
                else {
                    continue;
                };
                for (from, to) in [(&near, &far), (&far, &near)] {
                    let (from, to, cut) = (from.try_clone().unwrap(), to.try_clone().unwrap(), cut.clone());
                    std::thread::spawn(move || carry(from, to, &cut));
                }
            }
        });
        Self { port, is_cut }
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, cut: &AtomicBool) {
    let mut bytes = [0; 16 << 10];
    while let Ok(read @ 1..) = from.read(&mut bytes) {
        if cut.load(Ordering::SeqCst) || to.write_all(&bytes[..read]).is_err() {
            break;
        }
    }
    // One of them may be gone already.
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}

/// A variable of `cargo xtask stores`; without it the test does nothing and says so.
fn of_stores(name: &str) -> Option<String> {
    let value = std::env::var(name).ok();
    assert!(value.is_some() || std::env::var_os("SPANLOOM_TEST_REQUIRED").is_none(), "{name} is not set");
    if value.is_none() {
        println!("left out: {name} is not set; run it by `cargo xtask stores`");
    }
    value
}

fn s3(endpoint: &str, prefix: &str, id: &str, key: &str) -> String {
    format!(
        "{EAGER}\nstore: {{backend: s3, prefix: {prefix}, poll: 100ms, timeout: 1s, retry_for: 1s, tries: 2, \
         s3: {{bucket: spanloom-test, endpoint: \"{endpoint}\", path_style: true, allow_http: true, \
         access_key_id: \"{id}\", secret_access_key: \"{key}\"}}}}\n"
    )
}

/// A prefix that no other run used.
fn prefix(dir: &Path) -> String {
    dir.file_name().unwrap().to_string_lossy().trim_matches('.').to_owned()
}

#[test]
fn an_s3_that_is_cut_off_is_caught_up_with() {
    let Some(address) = of_stores("SPANLOOM_TEST_S3") else { return };
    let dir = tempfile::tempdir().unwrap();
    let address = address.trim_start_matches("http://").trim_end_matches('/').to_owned();
    let wire = Wire::to(address);
    let endpoint = format!("http://127.0.0.1:{}", wire.port);
    let config = s3(&endpoint, &prefix(dir.path()), "any", "any");
    let house = House::start(dir.path(), &config);
    let mut all = enough(&house, 1, 3_000);
    caught_up(&house);
    wire.is_cut.store(true, Ordering::SeqCst);
    all.extend(goes_on_without(&house, 11));
    wire.is_cut.store(false, Ordering::SeqCst);
    caught_up(&house);
    check(&house, &some_traces(&all, MOST), "when the store is there again");
    house.flush();
    caught_up(&house);
    house.stop();
    by_another_node(&config, &all);
}

const WRONG_KEY: &str = "wJalrXUtnFEMIwrong";

/// Starts with a wrong key, takes spans, and says what is wrong without the key.
fn starts_with_a_wrong_key(dir: &Path, config: &str) -> Spans {
    let house = House::start(dir, config);
    let spans = goes_on_without(&house, 1);
    assert_eq!(lines(&house), 1 + outage().as_secs() as usize / 60, "{}", house.log());
    assert!(house.log().contains("refuses the credentials"), "{}", house.log());
    let everything = [house.log(), house.says("/status").1, house.says("/status/config").1].concat();
    assert!(!everything.contains(WRONG_KEY), "{everything}");
    house.stop();
    spans
}

#[test]
fn right_keys_after_wrong_ones_bring_everything_to_the_store() {
    let of = ["SPANLOOM_TEST_S3_WITH_KEYS", "SPANLOOM_TEST_S3_KEY_ID", "SPANLOOM_TEST_S3_KEY"];
    let [Some(endpoint), Some(id), Some(key)] = of.map(of_stores) else { return };
    let dir = tempfile::tempdir().unwrap();
    let prefix = prefix(dir.path());
    let mut all = starts_with_a_wrong_key(dir.path(), &s3(&endpoint, &prefix, &id, WRONG_KEY));
    let right = s3(&endpoint, &prefix, &id, &key);
    let house = House::start(dir.path(), &right);
    all.extend(enough(&house, 21, 1_000));
    house.flush();
    caught_up(&house);
    check(&house, &some_traces(&all, MOST), "with the right key");
    house.stop();
    by_another_node(&right, &all);
}

/// The same without a server that checks keys: one that takes none.
#[test]
fn a_server_with_wrong_keys_starts_and_says_so_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || refuse(&mut stream));
        }
    });
    let dir = tempfile::tempdir().unwrap();
    starts_with_a_wrong_key(dir.path(), &s3(&endpoint, "x", "AKIAIOSFODNN7EXAMPLE", WRONG_KEY));
}

/// One answer for each connection.
fn refuse(stream: &mut TcpStream) {
    const BODY: &str = "<Error><Code>InvalidAccessKeyId</Code><Message>The AWS Access Key Id you provided does not \
                        exist in our records.</Message></Error>";
    let length = BODY.len();
    let answer = format!(
        "HTTP/1.1 403 Forbidden\r\nContent-Type: application/xml\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{BODY}"
    );
    let mut bytes = [0; 16 << 10];
    // Whatever is asked.
    if stream.read(&mut bytes).is_ok() {
        let _ = stream.write_all(answer.as_bytes());
    }
    // What is still being sent is read, so that the answer is not lost by a reset.
    let _ = stream.shutdown(Shutdown::Write);
    let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
    while let Ok(1..) = stream.read(&mut bytes) {}
}
