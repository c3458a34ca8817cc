//! Extremes, asked of a real server over real sockets: numbers at and beyond every edge, queries of every size and
//! look, answers that meet their limits. Each is answered: with what is wrong and what was expected, or with an
//! answer within its limits; never with a fault of the server, a hang or a closed connection. Afterwards the server
//! still answers, and its memory has not grown beyond what its limits allow.
//!
//! | file | holds |
//! |---|---|
//! | `main.rs` | a loaded server, and how answers and memory are judged |
//! | `spans.rs` | what it is loaded with |
//! | `parameters.rs` | every numeric parameter at and beyond every edge |
//! | `queries.rs` | queries that are long, deep, wide, or look like work without end |
//! | `messages.rs` | the same over gRPC |

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail by panicking")]

#[path = "../house/mod.rs"]
mod house;
mod messages;
mod parameters;
mod queries;
mod spans;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use house::{Answer, Client, House};
use tempfile::TempDir;

/// Most bytes of an answer, small enough to be met.
const MAX_ANSWER_BYTES: usize = 16 << 20;

/// Threads that search, each of which may count for itself.
const THREADS: u64 = 2;

/// What may grow beside answers: caches of blocks and regular expressions, connections, what an allocator keeps.
const SLACK: u64 = 64 << 20;

/// A connection may be idle for so long.
const IDLE: Duration = Duration::from_secs(10);

/// Now, seconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// A server with spans in a block and live ones.
struct Loaded {
    house: House,
    client: Client,
    /// When something was asked last.
    asked: Instant,
    before: u64,
    _dir: TempDir,
}

impl Loaded {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let query = format!("threads: {THREADS}, max_answer_bytes: {MAX_ANSWER_BYTES}, timeout: 60s");
        let house = House::start_with(dir.path(), &query, "trace: {idle: 1h, max_age: 1h}");
        spans::load(&house, 0..spans::REQUESTS / 2);
        house.flush();
        spans::load(&house, spans::REQUESTS / 2..spans::REQUESTS);
        let client = house.client();
        let mut loaded = Self { before: 0, client, asked: Instant::now(), house, _dir: dir };
        loaded.answers();
        // What loading took is over.
        loaded.before = loaded.house.forget_peak_memory();
        loaded
    }

    fn get(&mut self, path: &str) -> Answer {
        let shown: String = path.chars().take(300).collect();
        // Connections on which nothing is asked for long are closed.
        if self.asked.elapsed() > IDLE {
            self.client = self.house.client();
        }
        self.asked = Instant::now();
        let asked = self.client.get(path, "application/json");
        asked.unwrap_or_else(|error| panic!("{shown}: no answer: {error}\n{}", self.house.log()))
    }

    /// The server answers what everybody asks, rightly.
    fn answers(&mut self) {
        let found = self.get("/api/search?q=%7B%7D&limit=1");
        assert_eq!(found.status, 200, "{}", self.house.log());
        let path = format!("/api/metrics/query?q=%7B%7D%7Ccount_over_time()&since=1h&end={}", now() + 60);
        let counted = text(&self.get(&path));
        assert!(counted.contains(&format!("\"value\":{}", spans::COUNT)), "{counted}");
    }

    /// The end of a test.
    fn end(mut self) {
        self.answers();
        let log = self.house.log();
        assert!(!log.contains("panicked"), "{log}");
        let grown = self.house.peak_memory().saturating_sub(self.before);
        // A count for each thread and one for all, the answer, its text, and the text once more while it grows.
        let most = SLACK + (THREADS + 4) * MAX_ANSWER_BYTES as u64;
        assert!(grown <= most, "memory grew by {} MiB, expected at most {}", grown >> 20, most >> 20);
        self.house.stop();
    }
}

fn text(answer: &Answer) -> String {
    String::from_utf8_lossy(&answer.body).into_owned()
}

/// An answer within limits, or one that says what was found and what is expected.
#[track_caller]
fn judge(what: &str, answer: &Answer, names: &str) {
    let what: String = what.chars().take(300).collect();
    let body = text(answer);
    let shown: String = body.chars().take(500).collect();
    match answer.status {
        200 => assert!(body.len() <= 2 * MAX_ANSWER_BYTES, "{what}: an answer of {} bytes", body.len()),
        400 => assert!(body.contains(names) && explains(&body), "{what}: 400 {shown}"),
        422 => assert!(body.contains("(query.max_answer_bytes)"), "{what}: 422 {shown}"),
        // A trace that is not there.
        404 if what.contains("/api/traces/") => assert_eq!(body, "", "{what}"),
        status => panic!("{what}: {status} {shown}"),
    }
}

/// Whether a message says what was found and what is expected.
fn explains(message: &str) -> bool {
    message.contains("expected") || message.contains("more than") || message.contains("is wrong: line ")
}

/// A text as a parameter.
fn encoded(text: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    let put = |byte: u8| if plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(put).collect()
}
