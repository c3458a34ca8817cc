//! Stores of objects that are reached over the network: S3, Google Cloud Storage, Azure.
//!
//! | file | holds |
//! |---|---|
//! | `mod.rs` | the store, and the tries that every request goes through |
//! | `build.rs` | the clients of the clouds, from their configuration |
//! | `checksum.rs` | the checksum that Google's is sent |
//! | `read.rs` | whole objects and ranges, hedged |
//! | `write.rs` | small objects, conditional writes, lengths |
//! | `parts.rs` | large objects, part by part |
//! | `list.rs` | listings, page by page |
//! | `error.rs` | what errors mean, and what may be said of them |
//!
//! `object_store` signs, sends and parses; it is told to try everything once. Tries, pauses, timeouts, hedges and the
//! number of requests at once are ours, so that they are bounded for a call as a whole, counted, and alike everywhere.

mod build;
mod checksum;
mod error;
mod list;
mod parts;
mod read;
mod write;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use object_store::list::PaginatedListStore;
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use object_store::{Attribute, Attributes, ObjectStore};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::config::{Limits, Place};
use super::counters::{Kind, Operation, StoreCounters, add};
use super::health::Health;
use super::path;
use super::retry::Retry;
use super::secret::Secret;
use crate::objects::{StoreError, Version};
use error::{Fault, classify, presentable};

/// What a cloud's client can do.
pub(super) trait Remote: ObjectStore + MultipartStore + PaginatedListStore {}
impl<T: ObjectStore + MultipartStore + PaginatedListStore> Remote for T {}

/// The smallest part but the last that S3 takes.
const MIN_PART_BYTES: u64 = 5 << 20;

/// A cloud's store.
pub(super) struct Cloud {
    remote: Arc<dyn Remote>,
    name: String,
    prefix: String,
    limits: Limits,
    attributes: Attributes,
    secrets: Vec<Secret>,
    permits: Arc<Semaphore>,
    counters: Arc<StoreCounters>,
    health: Arc<Health>,
}

impl Cloud {
    /// A client for a place that is no folder. Nothing is asked of the store yet.
    pub fn new(
        place: &Place,
        prefix: &str,
        limits: &Limits,
        counters: Arc<StoreCounters>,
        health: Arc<Health>,
    ) -> Result<Self, String> {
        let built = match place {
            Place::S3(config) => build::s3(config, limits)?,
            Place::Gcs(config) => build::gcs(config, limits)?,
            Place::Azure(config) => build::azure(config, limits)?,
            Place::Folder(folder) => {
                return Err(format!("{} is a folder, expected a cloud", folder.display()));
            }
        };
        let mut limits = limits.clone();
        limits.part_bytes = limits.part_bytes.max(MIN_PART_BYTES);
        let mut attributes = Attributes::new();
        if let Some(class) = built.storage_class {
            attributes.insert(Attribute::StorageClass, class.into());
        }
        Ok(Self {
            remote: built.remote,
            name: built.name,
            prefix: prefix.to_owned(),
            permits: Arc::new(Semaphore::new(limits.requests_at_once.clamp(1, Semaphore::MAX_PERMITS))),
            limits,
            attributes,
            secrets: built.secrets,
            counters,
            health,
        })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where an object is in the bucket.
    fn location(&self, action: &'static str, path: &str) -> Result<Path, StoreError> {
        let joined = path::join(&self.prefix, path, false);
        joined
            .and_then(|joined| Path::parse(joined).map_err(|error| error.to_string()))
            .map_err(|reason| self.failed(action, path, &reason))
    }

    /// Sends a request until it has an answer or must not be sent again. Each try has `time`, and in addition what
    /// `bytes` take at the slowest.
    async fn tries<T, F>(
        &self,
        operation: Operation,
        bytes: u64,
        mut once: impl FnMut() -> F,
    ) -> Result<T, Fault>
    where
        F: Future<Output = Result<T, Fault>>,
    {
        let mut retry = Retry::new(&self.limits);
        loop {
            // Closed never.
            let permit = self.permits.acquire().await;
            let began = Instant::now();
            let result =
                timeout(self.time_for(bytes), once()).await.unwrap_or_else(|_| Err(Fault::timeout()));
            drop(permit);
            let failed = match &result {
                Err(Fault::Failed(kind, _)) => Some(*kind),
                Err(Fault::Damaged(_)) => Some(Kind::Short),
                Ok(_) | Err(_) => None,
            };
            self.counters.ended(operation, began.elapsed(), failed);
            let again = match &result {
                Err(Fault::Failed(kind, _)) if kind.passes() => retry.again(),
                _ => None,
            };
            let Some(pause) = again else { return result };
            add(&self.counters.retries, 1);
            tracing::debug!(
                operation = operation.name(),
                tries = retry.tries(),
                ?pause,
                "a request to the store of objects failed and is sent again"
            );
            tokio::time::sleep(pause).await;
        }
    }

    /// How long one request may take that carries so many bytes.
    fn time_for(&self, bytes: u64) -> Duration {
        let seconds = bytes / self.limits.slowest_bytes_per_second.max(1);
        self.limits.timeout.saturating_add(Duration::from_secs(seconds))
    }

    /// Notes how a call ended, and makes an error of a fault.
    fn finish<T>(&self, action: &'static str, path: &str, result: Result<T, Fault>) -> Result<T, StoreError> {
        let fault = match result {
            Ok(value) => {
                self.health.good();
                return Ok(value);
            }
            Err(fault) => fault,
        };
        let error = self.error(action, path, &fault);
        if fault.is_answer() {
            self.health.good();
        } else {
            self.health.bad(&error);
        }
        Err(error)
    }

    fn error(&self, action: &'static str, path: &str, fault: &Fault) -> StoreError {
        let (store, path) = (self.name.clone(), path.to_owned());
        let say = |reason: &str| presentable(reason, &self.secrets);
        match fault {
            Fault::Absent => StoreError::Absent { store, path },
            Fault::Failed(Kind::Refused, reason) => {
                StoreError::Refused { action, store, path, reason: say(reason) }
            }
            Fault::Damaged(reason) => StoreError::Damaged { store, path, reason: say(reason) },
            Fault::Failed(_, reason) => StoreError::Failed { action, store, path, reason: say(reason) },
            Fault::Conflict => self.failed(action, &path, "another writer came first"),
            Fault::Unchanged => self.failed(action, &path, "it has not changed"),
        }
    }

    fn failed(&self, action: &'static str, path: &str, reason: &str) -> StoreError {
        let reason = presentable(reason, &self.secrets);
        StoreError::Failed { action, store: self.name.clone(), path: path.to_owned(), reason }
    }
}

/// What `object_store` calls a version, as we do.
fn version(tag: Option<String>, generation: Option<String>) -> Version {
    Version { tag, generation }
}
