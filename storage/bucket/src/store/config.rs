//! Which store, by what right, and within which limits.

use std::path::PathBuf;
use std::time::Duration;

use super::secret::Secret;

/// Everything about a store.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// Where objects are.
    pub place: Place,
    /// Goes before every path, with `/` between its parts; empty for none. Several systems may share a bucket.
    pub prefix: String,
    /// How long, how often and how much.
    pub limits: Limits,
}

/// Where objects are.
#[derive(Debug, Clone)]
pub enum Place {
    /// A folder of this machine, or one that several machines have mounted.
    Folder(PathBuf),
    /// Amazon S3, or another store that speaks its protocol.
    S3(S3Config),
    /// Google Cloud Storage.
    Gcs(GcsConfig),
    /// Azure Blob Storage.
    Azure(AzureConfig),
}

/// How an endpoint is reached that is not the cloud's own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Transport {
    /// Whether `http://` will do, without encryption and without knowing who answers.
    pub allow_http: bool,
    /// Certificates in PEM that are trusted beside the system's.
    pub ca_file: Option<PathBuf>,
}

/// Amazon S3 and what is compatible with it.
#[derive(Debug, Clone, Default)]
pub struct S3Config {
    /// The bucket. It must be there already.
    pub bucket: String,
    /// `https://host[:port]`; `None` for Amazon's own.
    pub endpoint: Option<String>,
    /// The region; `None` takes `AWS_REGION`, then `us-east-1`. What is compatible mostly takes any.
    pub region: Option<String>,
    /// Whether the bucket is named in the path (`host/bucket`, as MinIO and most others want it) and not in the
    /// host's name (`bucket.host`).
    pub path_style: bool,
    /// How the endpoint is reached.
    pub transport: Transport,
    /// By what right; `None` asks the environment, see `docs/OBJECT_STORES.md`.
    pub credentials: Option<S3Credentials>,
    /// How objects are encrypted where they are.
    pub encryption: S3Encryption,
    /// The checksum that the store is to compare what it receives with.
    pub checksum: S3Checksum,
    /// The storage class of what is written, as `STANDARD_IA`; `None` for the bucket's own.
    pub storage_class: Option<String>,
}

/// By what right S3 is used.
#[derive(Debug, Clone)]
pub enum S3Credentials {
    /// A pair of keys.
    Keys {
        /// The key's id, no secret.
        id: String,
        /// The key.
        secret: Secret,
        /// The token that belongs to keys that end soon.
        session_token: Option<Secret>,
    },
    /// Requests are not signed.
    Anonymous,
}

/// How S3 encrypts objects where they are.
#[derive(Debug, Clone, Default)]
pub enum S3Encryption {
    /// As the bucket does by itself.
    #[default]
    Bucket,
    /// With keys of S3 (SSE-S3).
    S3,
    /// With a key of the key service (SSE-KMS); `None` for the account's own.
    Kms(Option<String>),
    /// With our own key of 32 bytes in base64 (SSE-C). Whoever loses it has lost the objects.
    Customer(Secret),
}

/// What S3 compares uploads with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum S3Checksum {
    /// SHA-256, which is in every signed request in any case.
    #[default]
    Sha256,
    /// CRC-64/NVME: less work, but not every compatible store knows it.
    Crc64,
    /// None, for stores that refuse checksums. A signed request still has the SHA-256 of its body.
    None,
}

/// Google Cloud Storage.
#[derive(Debug, Clone, Default)]
pub struct GcsConfig {
    /// The bucket. It must be there already.
    pub bucket: String,
    /// `https://host[:port]`; `None` for Google's own.
    pub endpoint: Option<String>,
    /// How the endpoint is reached.
    pub transport: Transport,
    /// By what right; `None` asks the environment, see `docs/OBJECT_STORES.md`.
    pub credentials: Option<GcsCredentials>,
    /// The storage class of what is written, as `NEARLINE`; `None` for the bucket's own.
    pub storage_class: Option<String>,
}

/// By what right Google Cloud Storage is used.
#[derive(Debug, Clone)]
pub enum GcsCredentials {
    /// A file with a service account's key.
    File(PathBuf),
    /// What is in such a file.
    Key(Secret),
    /// Requests are not signed.
    Anonymous,
}

/// Azure Blob Storage.
#[derive(Debug, Clone, Default)]
pub struct AzureConfig {
    /// The storage account.
    pub account: String,
    /// The container. It must be there already.
    pub container: String,
    /// `https://host[:port][/account]`; `None` for the account's own.
    pub endpoint: Option<String>,
    /// How the endpoint is reached.
    pub transport: Transport,
    /// By what right; `None` asks the environment, see `docs/OBJECT_STORES.md`.
    pub credentials: Option<AzureCredentials>,
}

/// By what right Azure is used.
#[derive(Debug, Clone)]
pub enum AzureCredentials {
    /// The account's key, in base64.
    Key(Secret),
    /// A shared access signature, as `sv=...&sig=...`.
    Sas(Secret),
    /// An application's secret.
    Client {
        /// The directory (tenant) of the application.
        tenant: String,
        /// The application.
        client: String,
        /// Its secret.
        secret: Secret,
    },
    /// The key that every Azurite has; it is published, and no secret.
    Emulator,
}

/// How long, how often and how much. A call ends within `retry_for`, and once more the time of one request.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// How long a connection may take to be there. Longer for stores that are far away.
    pub connect_timeout: Duration,
    /// How long a request may take until its answer begins, and each pause in the answer.
    pub timeout: Duration,
    /// What a request may take in addition for each byte that it sends, as the slowest bytes a second that are
    /// borne with.
    pub slowest_bytes_per_second: u64,
    /// How often a request is sent at most, until it succeeds. At least 1.
    pub tries: u32,
    /// How long after the first try another one may begin.
    pub retry_for: Duration,
    /// The longest pause before the second try; each next one may be twice as long. Pauses are drawn by lot
    /// between half of that and that, so that many do not come back at once.
    pub first_pause: Duration,
    /// The longest pause before any try.
    pub longest_pause: Duration,
    /// Reads that have no answer after this time are asked once more beside; `None` never does. The 99th
    /// percentile of the store's latency is a good choice: one request in a hundred is sent twice.
    pub hedge_after: Option<Duration>,
    /// How many requests there may be beside the first.
    pub hedge_up_to: u32,
    /// Objects that are larger are written in parts of this many bytes, at least 5 MiB.
    pub part_bytes: u64,
    /// How many parts of one object are sent at once; `part_bytes` times this is the memory that an upload takes.
    pub parts_at_once: usize,
    /// Ranges of an object that are at most so many bytes apart are read by one request.
    pub coalesce_gap: u64,
    /// What is read by one request stays below this, unless one range alone is larger.
    pub coalesce_bytes: u64,
    /// How many requests one call of `ranges` sends at once.
    pub reads_at_once: usize,
    /// How many requests there may be at once in all; others wait.
    pub requests_at_once: usize,
    /// The largest object that is read whole.
    pub largest_get: u64,
    /// The longest listing.
    pub longest_list: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(3),
            timeout: Duration::from_secs(10),
            slowest_bytes_per_second: 256 << 10,
            tries: 6,
            retry_for: Duration::from_secs(30),
            first_pause: Duration::from_millis(100),
            longest_pause: Duration::from_secs(5),
            hedge_after: Some(Duration::from_millis(500)),
            hedge_up_to: 1,
            part_bytes: 16 << 20,
            parts_at_once: 4,
            coalesce_gap: 256 << 10,
            coalesce_bytes: 8 << 20,
            reads_at_once: 8,
            requests_at_once: 64,
            largest_get: 1 << 30,
            longest_list: 2_000_000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_shown_with_the_config() {
        let hidden = || Secret::new("hidden");
        let s3 = S3Config {
            credentials: Some(S3Credentials::Keys {
                id: "shown".into(),
                secret: hidden(),
                session_token: Some(hidden()),
            }),
            encryption: S3Encryption::Customer(hidden()),
            ..S3Config::default()
        };
        let gcs = GcsConfig { credentials: Some(GcsCredentials::Key(hidden())), ..GcsConfig::default() };
        let client = AzureCredentials::Client { tenant: "t".into(), client: "c".into(), secret: hidden() };
        for place in [
            Place::S3(s3),
            Place::Gcs(gcs),
            Place::Azure(AzureConfig { credentials: Some(client), ..AzureConfig::default() }),
        ] {
            let config = StoreConfig { place, prefix: String::new(), limits: Limits::default() };
            let shown = format!("{config:?} {config:#?}");
            assert!(!shown.contains("hidden") && shown.contains("***"), "{shown}");
        }
    }
}
