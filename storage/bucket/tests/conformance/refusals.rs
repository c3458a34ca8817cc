//! Stores that cannot be used: wrong keys, absent buckets, servers that are not there.

use std::net::TcpListener;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use spanloom_bucket::objects::{Got, Objects, StoreError, Upload};
use spanloom_bucket::store::{
    AzureConfig, AzureCredentials, GcsConfig, GcsCredentials, Kind as ErrorKind, Limits, Operation, Place,
    S3Config, S3Credentials, Secret, Store, StoreConfig, Transport,
};

use crate::runtime;
use crate::subject::{BUCKET, Kind, limits, place};

/// What every call gives.
async fn every_call(store: &Store) -> [Result<(), StoreError>; 8] {
    let bytes = || Bytes::from_static(b"text");
    [
        store.get("a", None).await.map(drop),
        store.ranges("a", &[0..1]).await.map(drop),
        store.put("a", Upload::Bytes(bytes())).await,
        store.put("large", Upload::Bytes(vec![0; (5 << 20) + 1].into())).await,
        store.swap("a", bytes(), None).await.map(drop),
        store.list("a").await.map(drop),
        store.folders("a").await.map(drop),
        store.delete("a").await,
    ]
}

fn open(place: Place, limits: Limits) -> Store {
    Store::open(&StoreConfig { place, prefix: "refused".into(), limits }).unwrap()
}

/// Limits under which a try fails at once, and few are made.
fn impatient() -> Limits {
    Limits {
        tries: 3,
        timeout: Duration::from_millis(70),
        slowest_bytes_per_second: u64::MAX,
        first_pause: Duration::from_millis(1),
        parts_at_once: 1,
        ..limits()
    }
}

#[track_caller]
fn refuses(place: Place, secrets: &[&str]) {
    // One part at a time, so that it is known how many are refused.
    let store = open(place, Limits { parts_at_once: 1, ..limits() });
    let errors = runtime().block_on(every_call(&store)).map(Result::unwrap_err);
    for error in &errors {
        assert!(matches!(error, StoreError::Refused { .. }), "{error}");
        let text = format!("{error} {error:?}");
        assert!(
            !secrets.iter().any(|secret| text.contains(secret)) && !text.contains("Signature="),
            "{text}"
        );
    }
    let counters = store.counters();
    assert_eq!(counters.retries.load(Ordering::Relaxed), 0, "keys do not become right");
    assert_eq!(counters.errors(ErrorKind::Refused), errors.len() as u64);
    assert!(!store.health().is_good());
}

#[test]
fn s3_refuses_wrong_keys() {
    let Some(Place::S3(config)) = place(Kind::S3WithKeys) else { return };
    let Some(S3Credentials::Keys { id, .. }) = &config.credentials else { panic!("no keys") };
    for id in [id.as_str(), "AKIAIOSFODNN7EXAMPLE"] {
        let secret = "wJalrXUtnFEMIwrong";
        let credentials =
            Some(S3Credentials::Keys { id: id.into(), secret: Secret::new(secret), session_token: None });
        refuses(Place::S3(S3Config { credentials, ..config.clone() }), &[secret]);
    }
}

#[test]
fn s3_takes_the_right_keys() {
    let Some(place) = place(Kind::S3WithKeys) else { return };
    let store = open(place, limits());
    runtime().block_on(async {
        store.put("right/keys!()'", Upload::Bytes("text".into())).await.unwrap();
        assert!(
            matches!(store.get("right/keys!()'", None).await, Ok(Got::Object(bytes, _)) if bytes == "text")
        );
        assert_eq!(store.list("right").await.unwrap().len(), 1);
        store.put("right/large", Upload::Bytes(vec![0; (5 << 20) + 1].into())).await.unwrap();
        store.delete("right/large").await.unwrap();
        store.delete("right/keys!()'").await.unwrap();
    });
}

#[test]
fn a_certificate_is_trusted_by_its_authority_alone() {
    let Some(Place::Gcs(config)) = place(Kind::GcsTls) else { return };
    let strangers = Transport { allow_http: true, ca_file: None };
    let few = Limits { tries: 3, first_pause: Duration::from_millis(1), ..limits() };
    let strange = open(Place::Gcs(GcsConfig { transport: strangers, ..config.clone() }), few);
    let trusted = open(Place::Gcs(config), limits());
    runtime().block_on(async {
        trusted.put("a", Upload::Bytes("text".into())).await.unwrap();
        trusted.put("large", Upload::Bytes(vec![1; (6 << 20) + 1].into())).await.unwrap();
        assert!(matches!(trusted.get("a", None).await, Ok(Got::Object(bytes, _)) if bytes == "text"));
        let error = strange.get("a", None).await.unwrap_err();
        assert!(matches!(error, StoreError::Failed { .. }), "{error}");
    });
    assert_eq!(strange.counters().errors(ErrorKind::Connection), 3);
}

#[test]
fn azure_refuses_wrong_keys() {
    let Some(Place::Azure(config)) = place(Kind::Azure) else { return };
    let account = "devstoreaccount1".to_owned();
    let key = AzureCredentials::Key(Secret::new("d3Jvbmcga2V5"));
    let signature = AzureCredentials::Sas(Secret::new(
        "sv=2023-11-03&ss=b&srt=sco&sp=rwdlc&se=2099-01-01T00:00:00Z&sig=d3Jvbmcgc2lnbmF0dXJl",
    ));
    for credentials in [key, signature] {
        let config =
            AzureConfig { account: account.clone(), credentials: Some(credentials), ..config.clone() };
        refuses(Place::Azure(config), &["d3Jvbmcga2V5", "d3Jvbmcgc2lnbmF0dXJl"]);
    }
}

/// An object that is not there is absent; one in a bucket that is not there is an error.
#[test]
fn absent_buckets_are_errors() {
    for kind in [Kind::S3, Kind::S3WithKeys, Kind::Gcs, Kind::Azure] {
        let place = match place(kind) {
            Some(Place::S3(config)) => Place::S3(S3Config { bucket: "absent".into(), ..config }),
            Some(Place::Gcs(config)) => Place::Gcs(GcsConfig { bucket: "absent".into(), ..config }),
            Some(Place::Azure(config)) => Place::Azure(AzureConfig { container: "absent".into(), ..config }),
            _ => continue,
        };
        let store = open(place, limits());
        let [asked @ .., deleted] = runtime().block_on(every_call(&store));
        for result in asked {
            assert!(matches!(result, Err(StoreError::Failed { .. })), "{kind:?}: {result:?}");
        }
        // Azurite, asked to delete many, says of each that it is not there.
        assert!(matches!(deleted, Ok(()) | Err(StoreError::Failed { .. })), "{kind:?}: {deleted:?}");
    }
}

/// Each kind of store at an address.
fn at(address: &str) -> [Place; 3] {
    let endpoint = Some(format!("http://{address}"));
    let transport = Transport { allow_http: true, ca_file: None };
    [
        Place::S3(S3Config {
            bucket: BUCKET.into(),
            endpoint: endpoint.clone(),
            path_style: true,
            transport: transport.clone(),
            credentials: Some(S3Credentials::Keys {
                id: "id".into(),
                secret: Secret::new("wJalrXUtnFEMI"),
                session_token: None,
            }),
            ..S3Config::default()
        }),
        Place::Gcs(GcsConfig {
            bucket: BUCKET.into(),
            endpoint: endpoint.clone(),
            transport: transport.clone(),
            credentials: Some(GcsCredentials::Anonymous),
            storage_class: None,
        }),
        Place::Azure(AzureConfig {
            container: BUCKET.into(),
            endpoint,
            transport,
            credentials: Some(AzureCredentials::Emulator),
            ..AzureConfig::default()
        }),
    ]
}

fn fails_within_the_limits(address: &str, expected: ErrorKind) {
    for place in at(address) {
        let store = open(place, impatient());
        for result in runtime().block_on(every_call(&store)) {
            assert!(matches!(result, Err(StoreError::Failed { .. })), "{result:?}");
        }
        let counters = store.counters();
        let failed = |operation| counters.operation(operation).failed.load(Ordering::Relaxed);
        for (operation, calls) in [
            (Operation::Get, 2),
            (Operation::Put, 1),
            (Operation::Swap, 1),
            (Operation::List, 2),
            (Operation::Delete, 1),
            (Operation::Part, 1),
        ] {
            assert_eq!(failed(operation), calls * 3, "{} {}", store.name(), operation.name());
        }
        assert_eq!(counters.errors(expected), 8 * 3, "{counters:?}");
        let health = store.health();
        assert_eq!((health.failures_in_a_row, health.last_success), (8, None));
        assert!(health.last_error.is_some_and(|error| error.contains("refused/") || error.contains(" a")));
    }
}

#[test]
fn a_server_that_is_not_there_fails_within_the_limits() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    fails_within_the_limits(&address, ErrorKind::Connection);
}

#[test]
fn a_server_that_never_answers_fails_within_the_limits() {
    // Connections come about, since the kernel takes them, but nobody reads.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    fails_within_the_limits(&listener.local_addr().unwrap().to_string(), ErrorKind::Timeout);
}
