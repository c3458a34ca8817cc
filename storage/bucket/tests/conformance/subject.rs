//! The stores that the cases run on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use spanloom_bucket::objects::Objects;
use spanloom_bucket::store::memory::Memory;
use spanloom_bucket::store::{
    AzureConfig, AzureCredentials, GcsConfig, GcsCredentials, Limits, Place, S3Config, S3Credentials, Secret,
    Store, StoreConfig, Transport,
};

/// The bucket that the servers have.
pub const BUCKET: &str = "spanloom-test";

/// Which store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Memory,
    Folder,
    S3,
    /// S3 that takes one pair of keys and no other.
    S3WithKeys,
    Gcs,
    /// Google's with TLS, and a certificate that no system trusts.
    GcsTls,
    Azure,
}

/// A store with nothing in it.
#[derive(Clone)]
pub struct Subject {
    pub store: Arc<dyn Objects>,
    /// A second one on the same objects, as another process has it.
    pub other: Arc<dyn Objects>,
    _folder: Option<Arc<tempfile::TempDir>>,
}

impl Subject {
    /// `None` when there is no such server.
    pub fn new(kind: Kind) -> Option<Self> {
        if kind == Kind::Memory {
            let store = Arc::new(Memory::new());
            return Some(Self { other: store.clone(), store, _folder: None });
        }
        let folder = (kind == Kind::Folder).then(|| Arc::new(tempfile::tempdir().unwrap()));
        let place = match &folder {
            Some(folder) => Place::Folder(folder.path().join("objects")),
            None => place(kind)?,
        };
        let config = StoreConfig { place, prefix: own_prefix(), limits: limits() };
        let open = || Arc::new(Store::open(&config).unwrap());
        Some(Self { store: open(), other: open(), _folder: folder })
    }
}

/// Parts are small, so that there are some. A machine that runs all tests at once is slow.
pub fn limits() -> Limits {
    Limits { part_bytes: 5 << 20, timeout: Duration::from_secs(30), ..Limits::default() }
}

/// Where a server's bucket is.
pub fn place(kind: Kind) -> Option<Place> {
    let transport = Transport { allow_http: true, ca_file: None };
    Some(match kind {
        Kind::Memory | Kind::Folder => return None,
        Kind::S3 => s3(server("SPANLOOM_TEST_S3")?, "any".into(), "any".into()),
        Kind::S3WithKeys => s3(
            server("SPANLOOM_TEST_S3_WITH_KEYS")?,
            server("SPANLOOM_TEST_S3_KEY_ID")?,
            server("SPANLOOM_TEST_S3_KEY")?,
        ),
        Kind::Gcs => gcs(server("SPANLOOM_TEST_GCS")?, transport),
        Kind::GcsTls => gcs(
            server("SPANLOOM_TEST_GCS_TLS")?,
            Transport { allow_http: false, ca_file: Some(server("SPANLOOM_TEST_CA")?.into()) },
        ),
        Kind::Azure => Place::Azure(AzureConfig {
            account: String::new(),
            container: BUCKET.into(),
            endpoint: Some(server("SPANLOOM_TEST_AZURE")?),
            transport,
            credentials: Some(AzureCredentials::Emulator),
        }),
    })
}

fn s3(endpoint: String, id: String, secret: String) -> Place {
    Place::S3(S3Config {
        bucket: BUCKET.into(),
        endpoint: Some(endpoint),
        region: Some("us-east-1".into()),
        path_style: true,
        transport: Transport { allow_http: true, ca_file: None },
        credentials: Some(S3Credentials::Keys { id, secret: Secret::new(secret), session_token: None }),
        ..S3Config::default()
    })
}

fn gcs(endpoint: String, transport: Transport) -> Place {
    Place::Gcs(GcsConfig {
        bucket: BUCKET.into(),
        endpoint: Some(endpoint),
        transport,
        credentials: Some(GcsCredentials::Anonymous),
        storage_class: None,
    })
}

/// What the environment says of a server. Where servers are required, it must say something.
fn server(name: &str) -> Option<String> {
    let found = std::env::var(name).ok();
    if found.is_none() {
        assert!(std::env::var_os("SPANLOOM_TEST_REQUIRED").is_none(), "{name} is not set, expected a server");
        println!("{name} is not set, so nothing was tried; `cargo xtask stores` starts the servers");
    }
    found
}

/// A prefix that no other test has.
fn own_prefix() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    format!("tests/{since:x}-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}
