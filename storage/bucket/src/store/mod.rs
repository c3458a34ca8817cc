//! Stores of objects: a folder, S3 and what is compatible with it, Google Cloud Storage, Azure Blob Storage.
//!
//! | file | holds |
//! |---|---|
//! | `mod.rs` | the store that a configuration names |
//! | `config.rs`, `secret.rs` | which store, by what right, within which limits |
//! | `cloud/` | stores that are reached over the network, through `object_store` |
//! | `folder/` | a folder, durable and safe against other processes |
//! | `memory.rs` | a store in memory, for tests |
//! | `faulty.rs` | a store that fails, delays and forgets by lot, for tests |
//! | `counters.rs`, `health.rs` | what it has done, and whether it answers |
//! | `path.rs` | which paths objects may have |
//! | `coalesce.rs`, `retry.rs` | which ranges are read together; when something is tried again |
//!
//! What each store needs and what is verified where: `docs/OBJECT_STORES.md`.
//!
//! Calls are made within a tokio runtime with time and IO: the clouds' client has its sockets and timers there, and
//! the folder its threads that wait for the disk. [`memory::Memory`] needs none.

mod cloud;
mod coalesce;
mod config;
mod counters;
pub mod faulty;
mod folder;
mod health;
pub mod memory;
mod path;
mod retry;
mod secret;

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;

pub use config::{
    AzureConfig, AzureCredentials, GcsConfig, GcsCredentials, Limits, Place, S3Checksum, S3Config,
    S3Credentials, S3Encryption, StoreConfig, Transport,
};
pub use counters::{Kind, LATENCY_BOUNDS, Operation, OperationCounters, StoreCounters};
pub use health::HealthState;
pub use secret::Secret;

use crate::objects::{Found, Got, Objects, StoreError, Swapped, Upload, Version};
use cloud::Cloud;
use folder::Folder;
use health::Health;

/// A store of objects that a configuration names.
pub struct Store {
    place: Opened,
    counters: Arc<StoreCounters>,
    health: Arc<Health>,
}

enum Opened {
    Cloud(Box<Cloud>),
    Folder(Folder),
}

impl Store {
    /// Opens a store. A folder is made; of a cloud nothing is asked yet, so a wrong key or name shows at the first
    /// call.
    pub fn open(config: &StoreConfig) -> Result<Self, StoreError> {
        let (counters, health) = (Arc::<StoreCounters>::default(), Arc::<Health>::default());
        let opened = open(config, &counters, &health);
        let place = opened.map_err(|reason| StoreError::Failed {
            action: "opening",
            store: "the store of objects".into(),
            path: config.prefix.clone(),
            reason,
        })?;
        Ok(Self { place, counters, health })
    }

    /// What it is called in messages: its kind, bucket and address, no credentials.
    pub fn name(&self) -> &str {
        match &self.place {
            Opened::Cloud(cloud) => cloud.name(),
            Opened::Folder(folder) => folder.name(),
        }
    }

    /// What it has done since it was opened.
    pub fn counters(&self) -> &Arc<StoreCounters> {
        &self.counters
    }

    /// Whether it answers.
    pub fn health(&self) -> HealthState {
        self.health.state()
    }
}

fn open(config: &StoreConfig, counters: &Arc<StoreCounters>, health: &Arc<Health>) -> Result<Opened, String> {
    let prefix = config.prefix.trim_matches('/');
    if !prefix.is_empty() {
        path::check(prefix).map_err(|reason| format!("the prefix: {reason}"))?;
    }
    let (limits, counters, health) = (&config.limits, counters.clone(), health.clone());
    Ok(match &config.place {
        Place::Folder(root) => Opened::Folder(Folder::open(root.join(prefix), limits, counters, health)?),
        place => Opened::Cloud(Box::new(Cloud::new(place, prefix, limits, counters, health)?)),
    })
}

/// The same call of whichever store it is.
macro_rules! call {
    ($store:expr, $name:ident($($argument:expr),*)) => {
        match &$store.place {
            Opened::Cloud(cloud) => Box::pin(cloud.$name($($argument),*)),
            Opened::Folder(folder) => Box::pin(folder.$name($($argument),*)),
        }
    };
}

impl Objects for Store {
    fn get<'a>(
        &'a self,
        path: &'a str,
        unless: Option<&'a Version>,
    ) -> BoxFuture<'a, Result<Got, StoreError>> {
        call!(self, get(path, unless))
    }

    fn ranges<'a>(
        &'a self,
        path: &'a str,
        ranges: &'a [Range<u64>],
    ) -> BoxFuture<'a, Result<Vec<Bytes>, StoreError>> {
        call!(self, ranges(path, ranges))
    }

    fn put<'a>(&'a self, path: &'a str, from: Upload) -> BoxFuture<'a, Result<(), StoreError>> {
        call!(self, put(path, from))
    }

    fn swap<'a>(
        &'a self,
        path: &'a str,
        bytes: Bytes,
        expected: Option<&'a Version>,
    ) -> BoxFuture<'a, Result<Swapped, StoreError>> {
        call!(self, swap(path, bytes, expected))
    }

    fn delete<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        call!(self, delete(path))
    }

    fn list<'a>(&'a self, folder: &'a str) -> BoxFuture<'a, Result<Vec<Found>, StoreError>> {
        call!(self, list(folder))
    }

    fn folders<'a>(&'a self, folder: &'a str) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        call!(self, folders(folder))
    }
}
