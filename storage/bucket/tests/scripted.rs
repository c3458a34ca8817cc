//! What the store does when a server is slow, falls silent, lies or refuses: a server of S3's protocol that answers
//! each request as the test says.
#![allow(clippy::unwrap_used, clippy::expect_used)] // these are tests
#![allow(clippy::single_range_in_vec_init)] // a list of one range is meant

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use spanloom_bucket::objects::{Got, Objects, StoreError, Swapped, Upload};
use spanloom_bucket::store::{
    Kind, Limits, Operation, Place, S3Config, S3Credentials, S3Encryption, Secret, Store, StoreConfig,
    Transport,
};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// How a request is answered.
#[derive(Debug, Clone)]
enum Answer {
    /// With a status, headers and a body.
    Whole(u16, &'static str, &'static str),
    /// As [`Answer::Whole`], but only so many bytes of the body come before the connection ends.
    Cut(u16, &'static str, &'static str, usize),
    /// Not at all; the connection stays open.
    Silence,
    /// Not at all; the connection ends.
    Hangup,
}
use Answer::{Cut, Hangup, Silence, Whole};

/// A server, and what it was asked: method, path and query of each request.
struct Server {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
    /// The headers of each request, in lower case.
    headers: Arc<Mutex<Vec<Vec<String>>>>,
}

impl Server {
    /// Answers requests in order; whatever comes after the last is met with silence.
    async fn start(answers: impl IntoIterator<Item = Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let answers = Arc::new(Mutex::new(answers.into_iter().collect::<VecDeque<_>>()));
        let headers = Arc::<Mutex<Vec<Vec<String>>>>::default();
        let (note, note_headers) = (asked.clone(), headers.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, answers.clone(), note.clone(), note_headers.clone()));
            }
        });
        Self { address, asked, headers }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    fn store(&self, limits: Limits) -> Store {
        let place = Place::S3(self.config());
        Store::open(&StoreConfig { place, prefix: String::new(), limits }).unwrap()
    }

    fn config(&self) -> S3Config {
        S3Config {
            bucket: "bucket".into(),
            endpoint: Some(self.address.clone()),
            path_style: true,
            transport: Transport { allow_http: true, ca_file: None },
            credentials: Some(S3Credentials::Keys {
                id: "AKIAIOSFODNN7EXAMPLE".into(),
                secret: Secret::new("wJalrXUtnFEMI"),
                session_token: None,
            }),
            ..S3Config::default()
        }
    }
}

async fn serve(
    stream: TcpStream,
    answers: Arc<Mutex<VecDeque<Answer>>>,
    note: Arc<Mutex<Vec<String>>>,
    note_headers: Arc<Mutex<Vec<Vec<String>>>>,
) {
    let mut stream = BufReader::new(stream);
    while let Some((line, headers)) = head(&mut stream).await {
        let length = headers.iter().find_map(|header| header.strip_prefix("content-length: "));
        let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
        stream.read_exact(&mut body).await.unwrap();
        note_headers.lock().unwrap().push(headers);
        note.lock().unwrap().push(line.trim_end_matches(" HTTP/1.1").to_owned());
        let answer = answers.lock().unwrap().pop_front().unwrap_or(Silence);
        let (status, headers, text, sent) = match answer {
            Whole(status, headers, body) => (status, headers, body, body.len()),
            Cut(status, headers, body, sent) => (status, headers, body, sent),
            Silence => std::future::pending().await,
            Hangup => return,
        };
        let length = text.len();
        let head = format!("HTTP/1.1 {status} Said\r\nContent-Length: {length}\r\n{headers}\r\n");
        let text = if line.starts_with("HEAD") { "" } else { &text[..sent] };
        stream.write_all(format!("{head}{text}").as_bytes()).await.unwrap();
        if sent < length {
            return;
        }
    }
}

/// The first line of a request, and its headers in lower case.
async fn head(stream: &mut BufReader<TcpStream>) -> Option<(String, Vec<String>)> {
    let (mut first, mut headers) = (None, Vec::new());
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        match (line.trim_end(), &first) {
            ("", _) => return Some((first?, headers)),
            (line, None) => first = Some(line.to_owned()),
            (line, Some(_)) => headers.push(line.to_ascii_lowercase()),
        }
    }
}

/// Little patience and no hedges.
fn limits() -> Limits {
    Limits {
        tries: 4,
        timeout: Duration::from_secs(20),
        first_pause: Duration::from_millis(1),
        hedge_after: None,
        part_bytes: 5 << 20,
        parts_at_once: 1,
        ..Limits::default()
    }
}

const FOUND: &str = "ETag: \"1\"\r\n";
const PART: &str = "ETag: \"1\"\r\nContent-Range: bytes 2-5/10\r\n";

fn count(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

fn object(got: Result<Got, StoreError>) -> Bytes {
    match got {
        Ok(Got::Object(bytes, _)) => bytes,
        got => panic!("{got:?}, expected an object"),
    }
}

#[tokio::test]
async fn what_passes_is_tried_again() {
    let slow_down = Whole(503, "", "<Error><Code>SlowDown</Code></Error>");
    let server = Server::start([Whole(500, "", "oh"), slow_down, Hangup, Whole(200, FOUND, "text")]).await;
    let store = server.store(limits());
    assert_eq!(object(store.get("a", None).await), "text");
    let counters = store.counters();
    assert_eq!(count(&counters.retries), 3);
    for kind in [Kind::Server, Kind::Throttled, Kind::Connection] {
        assert_eq!(counters.errors(kind), 1, "{}", kind.name());
    }
    let get = counters.operation(Operation::Get);
    assert_eq!((count(&get.requests), count(&get.failed), count(&counters.bytes_in)), (4, 3, 4));
    assert!(store.health().is_good());
}

#[tokio::test]
async fn tries_end() {
    let server = Server::start(vec![Whole(500, "", "<Error><Code>InternalError</Code></Error>"); 9]).await;
    let store = server.store(limits());
    let error = store.list("a").await.unwrap_err();
    assert!(
        matches!(&error, StoreError::Failed { reason, .. } if reason.contains("InternalError")),
        "{error}"
    );
    assert!(!error.to_string().contains("prefix="), "{error}");
    assert_eq!(server.asked().len(), 4);
    let health = store.health();
    assert_eq!(health.failures_in_a_row, 1);
    assert_eq!(health.last_error.as_deref(), Some(error.to_string().as_str()));
}

#[tokio::test]
async fn what_does_not_pass_is_not_tried_again() {
    let denied = "<?xml version=\"1.0\"?><Error><Code>SignatureDoesNotMatch</Code><Message>No.</Message>\
                  <StringToSign>AWS4-HMAC-SHA256 20260101</StringToSign></Error>";
    let server = Server::start([Whole(403, "", denied), Whole(400, "", "<Code>EntityTooLarge</Code>")]).await;
    let store = server.store(limits());
    let error = store.get("a", None).await.unwrap_err();
    let StoreError::Refused { reason, .. } = &error else { panic!("{error:?}") };
    assert!(reason.ends_with("SignatureDoesNotMatch, No."), "{reason}");
    assert!(matches!(store.get("a", None).await, Err(StoreError::Failed { .. })));
    assert_eq!((server.asked().len(), count(&store.counters().retries)), (2, 0));
}

/// The first request is never answered. No clock decides this test: without the second one it would not end.
#[tokio::test]
async fn a_read_that_is_not_answered_is_asked_beside() {
    let server = Server::start([Silence, Whole(200, FOUND, "text"), Silence, Whole(206, PART, "cdef")]).await;
    let hedged = Limits { hedge_after: Some(Duration::from_millis(10)), hedge_up_to: 1, ..limits() };
    let store = server.store(hedged);
    assert_eq!(object(store.get("a", None).await), "text");
    assert_eq!(store.ranges("a", &[2..6]).await.unwrap(), ["cdef"]);
    let counters = store.counters();
    let hedges = (count(&counters.hedges_started), count(&counters.hedges_won), count(&counters.retries));
    assert_eq!(hedges, (2, 2, 0));
    assert_eq!(server.asked(), vec!["GET /bucket/a"; 4]);
}

#[tokio::test]
async fn there_are_no_more_hedges_than_allowed() {
    let server = Server::start([]).await;
    let store = server.store(Limits {
        hedge_after: Some(Duration::from_millis(1)),
        hedge_up_to: 2,
        timeout: Duration::from_millis(300),
        slowest_bytes_per_second: u64::MAX,
        tries: 1,
        ..limits()
    });
    assert!(store.get("a", None).await.is_err());
    assert_eq!(count(&store.counters().hedges_started), 2);
    assert_eq!(store.counters().errors(Kind::Timeout), 1);
}

#[tokio::test]
async fn short_answers_are_asked_again() {
    let other = "ETag: \"1\"\r\nContent-Range: bytes 0-3/10\r\n";
    let server = Server::start([
        Cut(200, FOUND, "0123456789", 4),
        Whole(200, FOUND, "0123456789"),
        Cut(206, PART, "2345", 2),
        Whole(200, FOUND, "0123456789"),
        Whole(206, other, "0123"),
        Whole(206, PART, "2345"),
    ])
    .await;
    let store = server.store(limits());
    assert_eq!(object(store.get("a", None).await), "0123456789");
    // Cut short; the whole in place of the range; another range; then the right one.
    assert_eq!(store.ranges("a", &[2..6]).await.unwrap(), ["2345"]);
    assert_eq!(server.asked().len(), 6);
    assert_eq!(count(&store.counters().retries), 4);
}

#[tokio::test]
async fn objects_that_end_early_are_damage() {
    let shorter = "ETag: \"1\"\r\nContent-Range: bytes 2-3/4\r\n";
    let invalid = "<Error><Code>InvalidRange</Code></Error>";
    let server = Server::start([Whole(206, shorter, "23"), Whole(416, "", invalid)]).await;
    let store = server.store(limits());
    for _ in 0..2 {
        let error = store.ranges("a", &[2..6]).await.unwrap_err();
        assert!(matches!(&error, StoreError::Damaged { .. }), "{error}");
    }
}

#[tokio::test]
async fn ranges_are_of_one_version() {
    let first = |tag| match tag {
        1 => "ETag: \"1\"\r\nContent-Range: bytes 0-1/10000000\r\n",
        _ => "ETag: \"2\"\r\nContent-Range: bytes 0-1/10000000\r\n",
    };
    let second = "ETag: \"2\"\r\nContent-Range: bytes 9000000-9000001/10000000\r\n";
    let answers = [
        Whole(206, first(1), "aa"),
        Whole(206, second, "bb"),
        Whole(206, first(2), "bb"),
        Whole(206, second, "bb"),
    ];
    let server = Server::start(answers).await;
    let store = server.store(Limits { reads_at_once: 1, ..limits() });
    assert_eq!(store.ranges("a", &[0..2, 9_000_000..9_000_002]).await.unwrap(), ["bb", "bb"]);
    assert_eq!(server.asked().len(), 4);
}

#[tokio::test]
async fn what_is_larger_than_allowed_is_not_read() {
    let server = Server::start([Whole(200, FOUND, "0123456789")]).await;
    let store = server.store(Limits { largest_get: 9, ..limits() });
    let error = store.get("a", None).await.unwrap_err();
    assert!(error.to_string().contains("there are 10 bytes, expected 9 at most"), "{error}");
}

#[tokio::test]
async fn a_lost_answer_of_a_swap_is_a_conflict() {
    let precondition = Whole(412, "", "<Error><Code>PreconditionFailed</Code></Error>");
    let server = Server::start([Hangup, precondition, Whole(409, "", "<Code>Conflict</Code>")]).await;
    let store = server.store(limits());
    assert_eq!(store.swap("m", "1".into(), None).await.unwrap(), Swapped::Conflict);
    assert_eq!(store.swap("m", "1".into(), None).await.unwrap(), Swapped::Conflict);
    let counters = store.counters();
    assert_eq!((count(&counters.conflicts), count(&counters.retries)), (2, 1));
    assert!(store.health().is_good());
}

#[tokio::test]
async fn what_is_written_is_as_long_as_it_was() {
    let server = Server::start([Whole(200, FOUND, ""), Whole(200, FOUND, "0123")]).await;
    let store = server.store(limits());
    let error = store.put("a", Upload::Bytes("01234".into())).await.unwrap_err();
    assert!(matches!(&error, StoreError::Damaged { .. }), "{error}");
    assert!(error.to_string().contains("5 bytes were written, but it has 4"), "{error}");
    assert_eq!(server.asked(), ["PUT /bucket/a", "HEAD /bucket/a"]);
}

const BEGUN: Answer =
    Whole(200, "", "<InitiateMultipartUploadResult><UploadId>7</UploadId></InitiateMultipartUploadResult>");
const COMPLETED: Answer =
    Whole(200, "", "<CompleteMultipartUploadResult><ETag>\"2\"</ETag></CompleteMultipartUploadResult>");

fn large() -> Upload {
    Upload::Bytes(vec![0; (5 << 20) + 10].into())
}

#[tokio::test]
async fn an_upload_that_fails_is_aborted() {
    let refused = Whole(400, "", "<Error><Code>EntityTooSmall</Code></Error>");
    let server = Server::start([BEGUN, Whole(200, FOUND, ""), refused, Whole(204, "", "")]).await;
    let store = server.store(limits());
    let error = store.put("a", large()).await.unwrap_err();
    assert!(error.to_string().contains("EntityTooSmall"), "{error}");
    let asked = server.asked();
    assert_eq!(asked[0], "POST /bucket/a?uploads=");
    assert_eq!(asked[3], "DELETE /bucket/a?uploadId=7");
    assert_eq!((asked.len(), count(&store.counters().uploads_aborted)), (4, 1));
}

#[tokio::test]
async fn an_upload_whose_caller_goes_away_is_aborted() {
    let server = Server::start([BEGUN]).await;
    let store = Arc::new(server.store(limits()));
    let caller = tokio::spawn({
        let store = store.clone();
        async move { store.put("a", large()).await }
    });
    // The first part is under way, and is never answered.
    while server.asked().len() < 2 {
        tokio::task::yield_now().await;
    }
    caller.abort();
    while server.asked().len() < 3 {
        tokio::task::yield_now().await;
    }
    assert_eq!(server.asked()[2], "DELETE /bucket/a?uploadId=7");
}

#[tokio::test]
async fn a_lost_answer_of_a_completion_begins_the_upload_anew() {
    let part = || Whole(200, FOUND, "");
    let gone = Whole(404, "", "<Error><Code>NoSuchUpload</Code></Error>");
    let length = Whole(200, FOUND, "");
    let server =
        Server::start([BEGUN, part(), part(), Hangup, gone, BEGUN, part(), part(), COMPLETED, length]).await;
    let store = server.store(limits());
    // The server of this test says that nothing is there.
    let error = store.put("a", large()).await.unwrap_err();
    assert!(error.to_string().contains("5242890 bytes were written, but it has 0"), "{error}");
    let asked = server.asked();
    assert_eq!(
        asked.iter().filter(|asked| asked.starts_with("POST /bucket/a?uploadId=7")).count(),
        3,
        "{asked:?}"
    );
    assert_eq!(asked.last().unwrap(), "HEAD /bucket/a");
    assert_eq!(count(&store.counters().uploads_aborted), 0);
}

#[tokio::test]
async fn what_is_written_is_encrypted_classed_and_summed_as_configured() {
    let answers = || [BEGUN, Whole(200, FOUND, ""), Whole(200, FOUND, ""), COMPLETED, Whole(200, FOUND, "")];
    let key = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
    let customer = "x-amz-server-side-encryption-customer-algorithm: aes256";
    for (encryption, header, on_parts) in [
        (S3Encryption::S3, "x-amz-server-side-encryption: aes256", false),
        (S3Encryption::Kms(None), "x-amz-server-side-encryption: aws:kms", false),
        (S3Encryption::Kms(Some("k".into())), "x-amz-server-side-encryption-aws-kms-key-id: k", false),
        (S3Encryption::Customer(Secret::new(key)), customer, true),
    ] {
        let server = Server::start(answers()).await;
        let storage_class = Some("STANDARD_IA".into());
        let place = Place::S3(S3Config { encryption, storage_class, ..server.config() });
        let store = Store::open(&StoreConfig { place, prefix: String::new(), limits: limits() }).unwrap();
        // The server says that nothing is there, which does not matter here.
        assert!(store.put("a", large()).await.is_err());
        let headers = server.headers.lock().unwrap().clone();
        let has = |at: usize, text: &str| headers[at].iter().any(|header| header.starts_with(text));
        assert!(has(0, header) && has(0, "x-amz-storage-class: standard_ia"), "{:?}", headers[0]);
        assert!(has(0, "x-amz-checksum-algorithm: sha256"), "{:?}", headers[0]);
        assert!(has(1, "x-amz-checksum-sha256: ") && has(2, "x-amz-checksum-sha256: "), "{:?}", headers[1]);
        assert_eq!((has(1, customer), has(4, customer)), (on_parts, on_parts), "{:?}", headers[1]);
    }
}

#[tokio::test]
async fn pages_of_a_listing_are_tried_one_by_one() {
    let first = "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>\
                 <Contents><Key>a/1</Key><Size>5</Size><LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>\
                 <Contents><Key>a/none of ours</Key><Size>5</Size><LastModified>2026-01-01T00:00:00.000Z</LastModified>\
                 </Contents></ListBucketResult>";
    let last = "<ListBucketResult><IsTruncated>false</IsTruncated>\
                <Contents><Key>a/2</Key><Size>6</Size><LastModified>2026-01-01T00:00:01.000Z</LastModified></Contents>\
                </ListBucketResult>";
    let server = Server::start([Whole(200, "", first), Whole(500, "", ""), Whole(200, "", last)]).await;
    let store = server.store(limits());
    let found = store.list("a").await.unwrap();
    let found: Vec<_> =
        found.iter().map(|found| (found.path.as_str(), found.bytes, found.modified)).collect();
    let second = 1_000_000_000;
    assert_eq!(found, [("a/1", 5, 1_767_225_600 * second), ("a/2", 6, 1_767_225_601 * second)]);
    let asked = server.asked();
    assert!(asked.len() == 3 && !asked[0].contains("token") && asked[2].contains("token=t"), "{asked:?}");
}

#[tokio::test]
async fn a_listing_is_not_longer_than_allowed() {
    let page = "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>\
                <Contents><Key>a/1</Key><Size>5</Size><LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>\
                </ListBucketResult>";
    let server = Server::start(vec![Whole(200, "", page); 3]).await;
    let store = server.store(limits());
    let error = store.list("a").await.unwrap_err();
    assert!(error.to_string().contains("its own next"), "{error}");
    let server = Server::start(vec![Whole(200, "", page); 3]).await;
    let store = server.store(Limits { longest_list: 0, ..limits() });
    let error = store.list("a").await.unwrap_err();
    assert!(error.to_string().contains("more than 0 names"), "{error}");
}

#[tokio::test]
async fn requests_at_once_are_bounded() {
    let server = Server::start([]).await;
    let store = Arc::new(server.store(Limits { requests_at_once: 3, ..limits() }));
    let readers: Vec<_> = (0..10)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.get("a", None).await.map(drop) })
        })
        .collect();
    while server.asked().len() < 3 {
        tokio::task::yield_now().await;
    }
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    assert_eq!(server.asked().len(), 3);
    for reader in readers {
        reader.abort();
    }
}
