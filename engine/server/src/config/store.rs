//! What the store, the cache and upkeep are given.

use std::path::{Path, PathBuf};
use std::time::Duration;

use spanloom_bucket::cache::CacheOptions;
use spanloom_bucket::cache::shared::{self, SharedCacheOptions};
use spanloom_bucket::catalog::Timing;
use spanloom_bucket::catalog::plan::{CompactionRules, RetentionRules};
use spanloom_bucket::store::{
    AzureConfig, AzureCredentials, GcsConfig, GcsCredentials, Limits, Place, S3Checksum, S3Config,
    S3Credentials, S3Encryption, Secret, StoreConfig, Transport,
};
use spanloom_span::Tenant;
use spanloom_upkeep::{CompactionOptions, UpkeepOptions, WriteOptions};

use super::derive::wrong;
use super::hidden::Hidden;
use super::keys::Config;
use super::read::ConfigError;
use super::store_keys::{
    AzureSection, BackendKey, ChecksumKey, EncryptionKey, GcsSection, RetentionSection, S3Section,
    TenantRetention,
};
use super::units::{Size, Time};

/// How often it is looked whether blocks are to be removed, at least.
const RETAIN_EVERY: Duration = Duration::from_secs(60);

/// The least time that a block stays in a folder after it was replaced or retired.
const LEAST_GRACE: Duration = Duration::from_secs(2);

/// The same in a cloud. What is decided must have taken effect within a quarter of it, and a request may be tried again for
/// 40 s.
const LEAST_CLOUD_GRACE: Duration = Duration::from_secs(300);

fn some(text: &str) -> Option<String> {
    Some(text.to_owned()).filter(|text| !text.is_empty())
}

fn secret(hidden: &Hidden) -> Option<Secret> {
    hidden.reveal().map(Secret::new)
}

fn transport(allow_http: bool, ca_file: &str) -> Transport {
    Transport { allow_http, ca_file: some(ca_file).map(PathBuf::from) }
}

impl S3Section {
    fn config(&self) -> S3Config {
        let credentials = match (self.anonymous, secret(&self.secret_access_key)) {
            (true, _) => Some(S3Credentials::Anonymous),
            (false, Some(secret_key)) => Some(S3Credentials::Keys {
                id: self.access_key_id.clone(),
                secret: secret_key,
                session_token: secret(&self.session_token),
            }),
            (false, None) => None,
        };
        let encryption = match self.encryption {
            EncryptionKey::Bucket => S3Encryption::Bucket,
            EncryptionKey::SseS3 => S3Encryption::S3,
            EncryptionKey::SseKms => S3Encryption::Kms(some(&self.kms_key)),
            EncryptionKey::SseC => {
                secret(&self.customer_key).map_or(S3Encryption::Bucket, S3Encryption::Customer)
            }
        };
        let checksum = match self.checksum {
            ChecksumKey::Sha256 => S3Checksum::Sha256,
            ChecksumKey::Crc64 => S3Checksum::Crc64,
            ChecksumKey::None => S3Checksum::None,
        };
        S3Config {
            bucket: self.bucket.clone(),
            endpoint: some(&self.endpoint),
            region: some(&self.region),
            path_style: self.path_style.unwrap_or(!self.endpoint.is_empty()),
            transport: transport(self.allow_http, &self.ca_file),
            credentials,
            encryption,
            checksum,
            storage_class: some(&self.storage_class),
        }
    }
}

impl GcsSection {
    fn config(&self) -> GcsConfig {
        let of_file = || some(&self.credentials_file).map(|path| GcsCredentials::File(path.into()));
        let credentials = match self.anonymous {
            true => Some(GcsCredentials::Anonymous),
            false => secret(&self.credentials).map(GcsCredentials::Key).or_else(of_file),
        };
        GcsConfig {
            bucket: self.bucket.clone(),
            endpoint: some(&self.endpoint),
            transport: transport(self.allow_http, &self.ca_file),
            credentials,
            storage_class: some(&self.storage_class),
        }
    }
}

impl AzureSection {
    fn config(&self) -> AzureConfig {
        let client = || {
            secret(&self.client_secret).map(|secret| AzureCredentials::Client {
                tenant: self.tenant_id.clone(),
                client: self.client_id.clone(),
                secret,
            })
        };
        let credentials = match self.emulator {
            true => Some(AzureCredentials::Emulator),
            false => secret(&self.account_key)
                .map(AzureCredentials::Key)
                .or_else(|| secret(&self.sas).map(AzureCredentials::Sas))
                .or_else(client),
        };
        AzureConfig {
            account: self.account.clone(),
            container: self.container.clone(),
            endpoint: some(&self.endpoint),
            transport: transport(self.allow_http, &self.ca_file),
            credentials,
        }
    }
}

impl RetentionSection {
    fn rules(&self, of: &TenantRetention) -> RetentionRules {
        let age = of.max_age.unwrap_or(self.max_age).0;
        let bytes = of.max_bytes.unwrap_or(self.max_bytes).0;
        RetentionRules {
            max_age: Some(age).filter(|age| !age.is_zero()),
            max_bytes: Some(bytes).filter(|bytes| *bytes > 0),
            min_free_disk: None,
        }
    }
}

impl Config {
    /// Checks the keys of the store and of what becomes of blocks.
    pub(super) fn check_store(&self) -> Result<(), ConfigError> {
        let store = &self.store;
        let needed: &[(&'static str, &str)] = match store.backend {
            BackendKey::Local => &[],
            BackendKey::Folder => &[("store.folder", &store.folder)],
            BackendKey::S3 => &[("store.s3.bucket", &store.s3.bucket)],
            BackendKey::Gcs => &[("store.gcs.bucket", &store.gcs.bucket)],
            BackendKey::Azure => &[
                ("store.azure.account", &store.azure.account),
                ("store.azure.container", &store.azure.container),
            ],
        };
        if let Some(&(key, _)) = needed.iter().find(|(_, value)| value.is_empty()) {
            return wrong(key, "nothing", "a name, as store.backend asks for it");
        }
        let keys = (store.s3.access_key_id.is_empty(), store.s3.secret_access_key.reveal().is_none());
        if keys.0 != keys.1 {
            return wrong("store.s3.secret_access_key", "one of a pair of keys", "both or none");
        }
        if store.s3.encryption == EncryptionKey::SseC && store.s3.customer_key.reveal().is_none() {
            return wrong("store.s3.customer_key", "nothing", "a key, as store.s3.encryption asks for it");
        }
        if store.part_bytes.0 < 5 << 20 {
            return wrong("store.part_bytes", store.part_bytes, "at least 5MiB");
        }
        if store.tries == 0 || store.max_requests == 0 {
            return wrong("store.tries and store.max_requests", 0, "at least 1");
        }
        if store.poll.0.is_zero() {
            return wrong("store.poll", store.poll, "more than 0s");
        }
        let least = if store.backend == BackendKey::Folder { LEAST_GRACE } else { LEAST_CLOUD_GRACE };
        let least = Time(store.poll.0.saturating_add(self.query.timeout.0).max(least));
        if store.backend != BackendKey::Local && store.grace < least {
            return wrong("store.grace", store.grace, format!("at least {least}"));
        }
        if let Err(error) = shared::open(&self.shared_cache_options()) {
            return wrong("cache.memcached and cache.redis", error, "one shared cache or none");
        }
        let compaction = &self.compaction;
        if !(1..=19).contains(&compaction.zstd_level) {
            return wrong("compaction.zstd_level", compaction.zstd_level, "1 to 19");
        }
        if compaction.nice > 19 {
            return wrong("compaction.nice", compaction.nice, "0 to 19");
        }
        if compaction.max_inputs < 2 {
            return wrong("compaction.max_inputs", compaction.max_inputs, "at least 2");
        }
        if compaction.max_block_bytes < Size(1 << 20) || compaction.max_block_spans == 0 {
            return wrong(
                "compaction.max_block_bytes",
                compaction.max_block_bytes,
                "at least 1MiB and 1 span",
            );
        }
        if compaction.window.0.is_zero() || compaction.every.0.is_zero() {
            return wrong("compaction.window and compaction.every", "0s", "more than 0s");
        }
        for name in self.retention.tenants.keys() {
            if let Err(error) = Tenant::new(name) {
                return wrong("retention.tenants", name, error);
            }
        }
        Ok(())
    }

    /// The store behind the folder, if there is one.
    pub fn store_config(&self) -> Option<StoreConfig> {
        let store = &self.store;
        let place = match store.backend {
            BackendKey::Local => return None,
            BackendKey::Folder => Place::Folder(PathBuf::from(&store.folder)),
            BackendKey::S3 => Place::S3(store.s3.config()),
            BackendKey::Gcs => Place::Gcs(store.gcs.config()),
            BackendKey::Azure => Place::Azure(store.azure.config()),
        };
        let limits = Limits {
            timeout: store.timeout.0,
            tries: store.tries,
            retry_for: store.retry_for.0,
            hedge_after: Some(store.hedge_after.0).filter(|after| !after.is_zero()),
            part_bytes: store.part_bytes.0,
            requests_at_once: store.max_requests as usize,
            ..Limits::default()
        };
        Some(StoreConfig { place, prefix: store.prefix.clone(), limits })
    }

    /// How long is waited before what cannot be undone.
    pub fn store_timing(&self) -> Timing {
        let (grace, orphan_after) = (self.store.grace.0, self.store.orphan_after.0);
        Timing { grace, orphan_after, act_within: Timing::default().act_within.min(grace / 2) }
    }

    /// What is kept here of blocks in the store.
    pub fn cache_options(&self) -> CacheOptions {
        let own = || Path::new(&self.data_dir).join("cache");
        let folder = some(&self.cache.folder).map_or_else(own, PathBuf::from);
        CacheOptions {
            folder: Some(folder),
            data_bytes: self.cache.data_bytes.0,
            metadata_bytes: self.cache.metadata_bytes.0,
        }
    }

    /// The cache that queriers share, if there is one.
    pub fn shared_cache_options(&self) -> SharedCacheOptions {
        SharedCacheOptions {
            memcached: self.cache.memcached.clone(),
            redis: secret(&self.cache.redis),
            timeout: self.cache.timeout.0,
            keep: self.cache.keep.0,
            ..SharedCacheOptions::default()
        }
    }

    /// Settings of upkeep.
    pub fn upkeep_options(&self) -> UpkeepOptions {
        let (compaction, retention) = (&self.compaction, &self.retention);
        let active = self.trace.max_age.0 + self.seal.max_age.0 + self.trace.idle.0;
        let rules = CompactionRules {
            window: compaction.window.0,
            active: active.max(Duration::from_secs(60)),
            min_inputs: CompactionRules::default().min_inputs.min(compaction.max_inputs.into()),
            max_inputs: compaction.max_inputs.into(),
            max_bytes: compaction.max_block_bytes.0,
            max_spans: compaction.max_block_spans,
            ..CompactionRules::default()
        };
        let joins = CompactionOptions { rules, every: compaction.every.0 };
        let writing = WriteOptions {
            nice: compaction.nice,
            memory: self.join_bytes(),
            zstd_level: compaction.zstd_level.into(),
            max_block_bytes: compaction.max_block_bytes.0.saturating_mul(2),
            max_block_spans: compaction.max_block_spans.saturating_mul(2),
            keep_free: self.log.min_free_disk.0,
        };
        let of =
            |(name, of): (&String, &TenantRetention)| Some((Tenant::new(name).ok()?, retention.rules(of)));
        UpkeepOptions {
            poll: self.store.poll.0,
            compaction: compaction.enabled.then_some(joins),
            writing,
            retention: retention.rules(&TenantRetention::default()),
            retention_of: retention.tenants.iter().filter_map(of).collect(),
            min_free_disk: retention.min_free_disk.0,
            retain: RETAIN_EVERY.min(self.store.grace.0),
            sweep: self.store.orphan_after.0 / 4,
        }
    }
}
