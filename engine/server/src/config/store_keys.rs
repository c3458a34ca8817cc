//! Keys for where blocks go, and what becomes of them there.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::hidden::Hidden;
use super::section::section;
use super::units::{Size, Time};

/// Where blocks go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BackendKey {
    /// They stay in the data directory.
    #[default]
    Local,
    /// A folder that several nodes have mounted.
    Folder,
    /// Amazon S3 and what is compatible.
    S3,
    /// Google Cloud Storage.
    Gcs,
    /// Azure Blob Storage.
    Azure,
}

/// How S3 encrypts objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EncryptionKey {
    /// As the bucket does by itself.
    #[default]
    Bucket,
    /// With keys of S3.
    SseS3,
    /// With a key of the key service.
    SseKms,
    /// With our own key.
    SseC,
}

/// What S3 compares uploads with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChecksumKey {
    /// SHA-256.
    #[default]
    Sha256,
    /// CRC-64/NVME.
    Crc64,
    /// Nothing.
    None,
}

const fn s(seconds: u64) -> Time {
    Time(Duration::from_secs(seconds))
}

const fn gib(n: u64) -> Size {
    Size(n << 30)
}

section! {
    /// Keys for where blocks go.
    StoreSection {
        /// Where blocks go: `local` (they stay in the data directory), `folder` (one that several nodes have mounted),
        /// `s3` (Amazon's or a compatible one), `gcs` or `azure`. They are written to the data directory first in any
        /// case. docs/OBJECT_STORES.md says which rights are needed.
        backend: BackendKey = BackendKey::Local,
        /// The folder, for `folder`.
        folder: String = String::new(),
        /// Goes before the name of every object, so that several systems may share a bucket.
        prefix: String = String::new(),
        /// How often the list of blocks is looked at. So long may it take until a node finds what another one shipped.
        /// Each look is one small request for each tenant.
        poll: Time = s(5),
        /// How long a block that was replaced or retired stays in the store, since a question may be reading it: longer
        /// than `poll`, `query.timeout` and what the nodes' clocks differ by together, and at least 2s in a folder, 5m in a
        /// cloud. The same on all nodes.
        grace: Time = s(3600),
        /// How long an object may lie in the store that no list names: what a node left that died. Longer than any
        /// compaction takes. The same on all nodes.
        orphan_after: Time = s(24 * 3600),
        /// How long a request may take until its answer begins.
        timeout: Time = s(10),
        /// How often a request is sent until it succeeds.
        tries: u32 = 6,
        /// How long after its first try a request may be tried again.
        retry_for: Time = s(30),
        /// A read that has no answer after this time is asked once more beside; `0s` never. The 99th percentile of the
        /// store's latency is a good choice.
        hedge_after: Time = Time(Duration::from_millis(500)),
        /// Objects that are larger are sent in parts of this size, 5MiB or more; four parts at a time.
        part_bytes: Size = Size(16 << 20),
        /// Most requests at once.
        max_requests: u32 = 64,
        /// See below.
        s3: S3Section = S3Section::default(),
        /// See below.
        gcs: GcsSection = GcsSection::default(),
        /// See below.
        azure: AzureSection = AzureSection::default(),
    }
}

section! {
    /// Keys for S3.
    S3Section {
        /// The bucket, which must be there.
        bucket: String = String::new(),
        /// `https://host[:port]` of a compatible store; empty for Amazon's.
        endpoint: String = String::new(),
        /// The region; empty takes `AWS_REGION`, then `us-east-1`.
        region: String = String::new(),
        /// Whether the bucket is named in the path and not in the host's name. `null`: in the path when there is an
        /// `endpoint`, as MinIO and most others want it.
        path_style: Option<bool> = None,
        /// Whether `http://` will do.
        allow_http: bool = false,
        /// File of certificates in PEM that are trusted beside the system's.
        ca_file: String = String::new(),
        /// Id of the access key. Without one the environment is asked: variables, web identity, container, instance.
        access_key_id: String = String::new(),
        /// The access key.
        secret_access_key: Hidden = Hidden::default(),
        /// The token that belongs to keys that end soon.
        session_token: Hidden = Hidden::default(),
        /// Whether requests are not signed.
        anonymous: bool = false,
        /// How objects are encrypted: `bucket` (as the bucket does by itself), `sse-s3`, `sse-kms` or `sse-c`.
        encryption: EncryptionKey = EncryptionKey::Bucket,
        /// The key of `sse-kms`; empty for the account's own.
        kms_key: String = String::new(),
        /// The key of `sse-c`: 32 bytes in base64.
        customer_key: Hidden = Hidden::default(),
        /// What the store compares uploads with: `sha256`, `crc64` or `none`.
        checksum: ChecksumKey = ChecksumKey::Sha256,
        /// The storage class, as `STANDARD_IA`; empty for the bucket's own.
        storage_class: String = String::new(),
    }
}

section! {
    /// Keys for Google Cloud Storage.
    GcsSection {
        /// The bucket, which must be there.
        bucket: String = String::new(),
        /// `https://host[:port]`; empty for Google's.
        endpoint: String = String::new(),
        /// Whether `http://` will do.
        allow_http: bool = false,
        /// File of certificates in PEM that are trusted beside the system's.
        ca_file: String = String::new(),
        /// File with a service account's key. Without one the environment is asked.
        credentials_file: String = String::new(),
        /// What is in such a file.
        credentials: Hidden = Hidden::default(),
        /// Whether requests are not signed.
        anonymous: bool = false,
        /// The storage class, as `NEARLINE`; empty for the bucket's own.
        storage_class: String = String::new(),
    }
}

section! {
    /// Keys for Azure Blob Storage.
    AzureSection {
        /// The storage account.
        account: String = String::new(),
        /// The container, which must be there.
        container: String = String::new(),
        /// `https://host[:port][/account]`; empty for the account's own.
        endpoint: String = String::new(),
        /// Whether `http://` will do.
        allow_http: bool = false,
        /// File of certificates in PEM that are trusted beside the system's.
        ca_file: String = String::new(),
        /// The account's key. Without any of the following the environment is asked.
        account_key: Hidden = Hidden::default(),
        /// A shared access signature.
        sas: Hidden = Hidden::default(),
        /// The directory of an application.
        tenant_id: String = String::new(),
        /// The application.
        client_id: String = String::new(),
        /// The application's secret.
        client_secret: Hidden = Hidden::default(),
        /// Whether the key of Azurite, which is published, is used.
        emulator: bool = false,
    }
}

section! {
    /// Keys for what is kept on this node of blocks in a store.
    CacheSection {
        /// The folder; empty is `cache` in the data directory.
        folder: String = String::new(),
        /// Most bytes of data.
        data_bytes: Size = gib(8),
        /// Most bytes of metadata: filters, ids, tables of traces, dictionaries. With all of it here, questions that
        /// nothing matches ask nothing of the store. Some 3 bytes a span.
        metadata_bytes: Size = gib(2),
        /// Addresses of memcached servers, as `host:port`, which all queriers share; none for no such cache.
        memcached: Vec<String> = Vec::new(),
        /// Address of a Redis server that all queriers share, as `redis://[user:password@]host:port[/db]`; empty for
        /// none.
        redis: Hidden = Hidden::default(),
        /// How long the shared cache may take to answer.
        timeout: Time = Time(Duration::from_millis(200)),
        /// How long the shared cache is to keep what it has.
        keep: Time = s(24 * 3600),
    }
}

section! {
    /// Keys for joining blocks.
    CompactionSection {
        /// Whether blocks are joined on this node.
        enabled: bool = true,
        /// How often the plan is made.
        every: Time = s(30),
        /// Most bytes of a block that is made.
        max_block_bytes: Size = Size(512 << 20),
        /// Most spans of a block that is made.
        max_block_spans: u64 = 20_000_000,
        /// Blocks are joined whose newest spans lie in the same window of time.
        window: Time = s(3600),
        /// Most blocks that are joined at once.
        max_inputs: u16 = 16,
        /// zstd level of what is written, 1 to 19.
        zstd_level: u8 = 9,
        /// How far the thread that joins gives way when all cores are busy, as `nice` counts it: 0 not at all, 19 most.
        nice: u8 = 15,
    }
}

section! {
    /// Keys for how long blocks are kept.
    RetentionSection {
        /// Blocks that were sealed longer ago than this are removed; `0s` keeps them. Counted from when spans came, not
        /// from their own times, so that what comes late is kept as long as all else.
        max_age: Time = s(14 * 24 * 3600),
        /// When a tenant has more bytes in blocks the oldest are removed; `0B` is no limit.
        max_bytes: Size = Size(0),
        /// When less is free on the data directory's disk the oldest blocks there are removed, of the tenant that has most;
        /// `0B` never. For `store.backend: local` and `folder`.
        min_free_disk: Size = Size(0),
        /// The same for single tenants, by their names: `team-a: {max_age: 48h, max_bytes: 10GiB}`.
        tenants: BTreeMap<String, TenantRetention> = BTreeMap::new(),
    }
}

/// How long a tenant's blocks are kept, where that differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TenantRetention {
    /// As `retention.max_age`.
    pub max_age: Option<Time>,
    /// As `retention.max_bytes`.
    pub max_bytes: Option<Size>,
}
