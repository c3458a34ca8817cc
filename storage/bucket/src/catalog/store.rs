//! The catalog: reading manifests from a store, and changing them there by compare-and-swap.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use foldhash::{HashMap, HashSet};
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use spanloom_span::Tenant;

use super::change::{Change, Stale};
use super::decode::ManifestError;
use super::manifest::Manifest;
use super::names::{ObjectName, manifest_path};
use super::tenants::{TenantsError, TenantsList};
use crate::objects::{Got, Objects, StoreError, Swapped, Version};

/// How often a change is tried. With the pauses between them the last is some 10 s after the first.
const TRIES: u32 = 12;

/// The pause after the first conflict; after each next one it may be twice as long, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Time and chance, as the catalog takes them; tests give their own.
pub trait Pace: Send + Sync + 'static {
    /// Nanoseconds since 1970.
    fn now(&self) -> u64;

    /// Returns after some time.
    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()>;

    /// Any number.
    fn random(&self) -> u64;
}

/// How long is waited before what cannot be undone. The same for all nodes of a cluster.
///
/// Assumed: no request takes effect later than half of `act_within` after it was sent, and the clocks of the nodes
/// differ by less than that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// How long a reader may use the manifest that it took. Longer than readers wait between two looks at the manifest
    /// and their longest question together; at least twice `act_within`.
    pub grace: Duration,
    /// How old an object is that nobody lists before it is taken for forgotten. Longer than any compaction takes.
    pub orphan_after: Duration,
    /// How long after reading the manifest something is deleted because of it.
    pub act_within: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            grace: Duration::from_secs(3600),
            orphan_after: Duration::from_secs(24 * 3600),
            act_within: Duration::from_secs(600),
        }
    }
}

/// Why the catalog did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// The store did not do its part. It may be tried again.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no manifest although the tenant has blocks. Nothing was changed; it must be made anew.
    #[error("tenant {0} has blocks but no manifest: it must be rebuilt")]
    Lost(Tenant),
    /// The manifest cannot be read. Nothing was changed; it must be made anew.
    #[error("the manifest of tenant {tenant} must be rebuilt: {reason}")]
    Damaged {
        /// Whose it is.
        tenant: Tenant,
        /// What is wrong with it.
        reason: ManifestError,
    },
    /// The list of tenants cannot be read. Nothing was changed; it must be made anew.
    #[error("the list of tenants must be rebuilt: {0}")]
    Tenants(#[from] TenantsError),
    /// There is no list of tenants any more. Nothing was changed; it must be made anew.
    #[error("there is no list of tenants any more: it must be rebuilt")]
    TenantsLost,
    /// The change cannot be made any more. Nothing was changed, and trying again does not help.
    #[error(transparent)]
    Stale(#[from] Stale),
    /// What the change is based on was read too long ago. Nothing was changed; begin anew.
    #[error("the change for tenant {0} came too late after what it is based on was read")]
    Late(Tenant),
    /// Others changed the object each time. Nothing was changed; it may be tried again.
    #[error("{0}: other writers came first {TRIES} times")]
    Contended(String),
}

/// A manifest or the lack of one, as it was found in the store.
#[derive(Debug)]
pub(super) enum Found {
    Absent,
    Good(Arc<Manifest>, Version),
    Damaged(Bytes, Version, ManifestError),
}

/// The blocks of all tenants in a store of objects.
pub struct Catalog {
    pub(super) objects: Arc<dyn Objects>,
    pub(super) pace: Arc<dyn Pace>,
    pub(super) timing: Timing,
    known: Mutex<HashMap<Tenant, (Version, Arc<Manifest>)>>,
    pub(super) tenants: Mutex<Option<(Version, Arc<TenantsList>)>>,
    pub(super) registered: Mutex<HashSet<Tenant>>,
}

impl Catalog {
    /// A catalog that knows nothing yet.
    pub fn new(objects: Arc<dyn Objects>, pace: Arc<dyn Pace>, timing: Timing) -> Self {
        Self {
            objects,
            pace,
            timing,
            known: Mutex::default(),
            tenants: Mutex::default(),
            registered: Mutex::default(),
        }
    }

    /// How long things are waited for.
    pub fn timing(&self) -> Timing {
        self.timing
    }

    /// The tenant's manifest as it is now. One small request, which brings no bytes when nothing has changed.
    ///
    /// A tenant that is not known to have had one has an empty manifest.
    pub async fn refresh(&self, tenant: &Tenant) -> Result<Arc<Manifest>, CatalogError> {
        match self.find(tenant).await? {
            Found::Good(manifest, _) => Ok(self.newest(tenant, manifest)),
            Found::Absent if self.had_one(tenant) => Err(CatalogError::Lost(tenant.clone())),
            Found::Absent => Ok(Arc::default()),
            Found::Damaged(_, _, reason) => Err(CatalogError::Damaged { tenant: tenant.clone(), reason }),
        }
    }

    /// Changes the tenant's manifest. Yields it as it is with the change, whether this call made it or one before that
    /// was not heard of.
    ///
    /// The tenant's first change brings it into the list of tenants.
    pub async fn commit(&self, tenant: &Tenant, change: &Change) -> Result<Arc<Manifest>, CatalogError> {
        self.commit_until(tenant, change, u64::MAX).await
    }

    /// As [`Catalog::commit`], unless it is later than `until` (nanoseconds since 1970).
    pub async fn commit_until(
        &self,
        tenant: &Tenant,
        change: &Change,
        until: u64,
    ) -> Result<Arc<Manifest>, CatalogError> {
        let path = manifest_path(tenant);
        let mut failed = None;
        for attempt in 0..TRIES {
            self.pause(attempt).await;
            let (before, version) = self.before(tenant, change).await?;
            let now = self.pace.now();
            if now >= until {
                return Err(CatalogError::Late(tenant.clone()));
            }
            let after = before.apply(change, now)?;
            if after.version == before.version {
                if version.is_some() {
                    self.register(tenant).await?;
                }
                return Ok(before);
            }
            match self.objects.swap(&path, after.encode().into(), version.as_ref()).await {
                Ok(Swapped::Done(version)) => {
                    let after = Arc::new(after);
                    self.remember(tenant, version, &after);
                    self.register(tenant).await?;
                    return Ok(after);
                }
                Ok(Swapped::Conflict) => failed = None,
                // It may have been made all the same: the next try finds out.
                Err(error @ StoreError::Failed { .. }) => failed = Some(error),
                Err(error) => return Err(error.into()),
            }
        }
        Err(failed.map_or(CatalogError::Contended(path), CatalogError::Store))
    }

    /// The manifest that a change is made to. There is none before a tenant's first block; a lost one must not be
    /// taken for that, for the blocks that it listed would then be orphans.
    async fn before(
        &self,
        tenant: &Tenant,
        change: &Change,
    ) -> Result<(Arc<Manifest>, Option<Version>), CatalogError> {
        match self.find(tenant).await? {
            Found::Good(manifest, version) => Ok((manifest, Some(version))),
            Found::Damaged(_, _, reason) => Err(CatalogError::Damaged { tenant: tenant.clone(), reason }),
            Found::Absent => {
                let added = |path: &str| match ObjectName::of(tenant, path) {
                    ObjectName::Block(id) => change.add.iter().any(|entry| entry.id == id),
                    _ => true,
                };
                let found = self.objects.list(tenant.as_str()).await?;
                match found.iter().all(|object| added(&object.path)) {
                    true => Ok((Arc::default(), None)),
                    false => Err(CatalogError::Lost(tenant.clone())),
                }
            }
        }
    }

    pub(super) async fn find(&self, tenant: &Tenant) -> Result<Found, CatalogError> {
        let known = self.known.lock().get(tenant).cloned();
        let unless = known.as_ref().map(|(version, _)| version);
        match (self.objects.get(&manifest_path(tenant), unless).await?, known) {
            (Got::Unchanged, Some((version, manifest))) => Ok(Found::Good(manifest, version)),
            (Got::Unchanged | Got::Absent, _) => Ok(Found::Absent),
            (Got::Object(bytes, version), _) => Ok(match Manifest::decode(&bytes) {
                Ok(manifest) => {
                    let manifest = Arc::new(manifest);
                    self.remember(tenant, version.clone(), &manifest);
                    Found::Good(manifest, version)
                }
                Err(reason) => Found::Damaged(bytes, version, reason),
            }),
        }
    }

    /// Keeps a manifest to compare the next one with, unless a newer one is kept: of two requests at the same time the
    /// slower one may bring the older.
    pub(super) fn remember(&self, tenant: &Tenant, version: Version, manifest: &Arc<Manifest>) {
        let mut known = self.known.lock();
        if known.get(tenant).is_none_or(|(_, newest)| newest.version <= manifest.version) {
            known.insert(tenant.clone(), (version, manifest.clone()));
        }
    }

    /// The manifest, or a newer one that this process has seen meanwhile.
    fn newest(&self, tenant: &Tenant, manifest: Arc<Manifest>) -> Arc<Manifest> {
        let known = self.known.lock().get(tenant).map(|(_, newest)| newest.clone());
        known.filter(|newest| newest.version > manifest.version).unwrap_or(manifest)
    }

    /// Whether the tenant is known to have had a manifest.
    fn had_one(&self, tenant: &Tenant) -> bool {
        self.known.lock().contains_key(tenant)
            || self.tenants.lock().as_ref().is_some_and(|(_, list)| list.contains(tenant))
    }

    /// A pause before a try that is not the first: any time up to one that doubles.
    pub(super) async fn pause(&self, attempt: u32) {
        let Some(doublings) = attempt.checked_sub(1) else { return };
        let longest = FIRST_PAUSE.saturating_mul(1 << doublings.min(20)).min(LONGEST_PAUSE);
        let part = (self.pace.random() >> 32) as u32;
        let nanos = (longest.as_nanos() * u128::from(part)) >> 32;
        self.pace.sleep(Duration::from_nanos(nanos as u64)).await;
    }

    /// A path that others changed too often.
    pub(super) fn contended(path: &str) -> CatalogError {
        CatalogError::Contended(path.to_owned())
    }

    pub(super) const TRIES: u32 = TRIES;
}

/// A time so much later, at most the end of all time.
pub(super) fn after(time: u64, wait: Duration) -> u64 {
    time.saturating_add(u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX))
}
