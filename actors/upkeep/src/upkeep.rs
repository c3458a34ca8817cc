//! The rounds: when what is done.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use spanloom_bucket::catalog::plan::{self, CompactionRules, Job};
use spanloom_bucket::catalog::steps::StepError;
use spanloom_bucket::catalog::{CatalogError, Manifest};
use spanloom_bucket::{Bucket, ShipError, Shipped};
use spanloom_span::Tenant;
use spanloom_stage::{Budget, Clock};
use tokio::runtime::Handle;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use crate::compact::{CompactError, Joiner};
use crate::metrics::{Reason, UpkeepMetrics};
use crate::options::UpkeepOptions;
use crate::retain;
use crate::share::Share;
use crate::trouble::{OfStore, Trouble};

/// What upkeep is made of.
pub struct UpkeepParts {
    /// The blocks.
    pub bucket: Arc<Bucket>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Counts.
    pub metrics: Arc<UpkeepMetrics>,
    /// What requests and live traces may hold: joins take theirs from it.
    pub memory: Arc<Budget>,
    /// Settings.
    pub options: UpkeepOptions,
    /// What of the work on a shared store is this node's; all of it by default.
    pub share: Share,
}

/// Keeps blocks in order. Clones share one; it ends with [`Upkeep::stop`].
#[derive(Clone)]
pub struct Upkeep(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub parts: UpkeepParts,
    /// Ends a join that is under way.
    stop: Arc<AtomicBool>,
    /// One round at a time changes blocks.
    pub changing: Mutex<()>,
    /// One at a time ships: two would write the same marks.
    shipping: Mutex<()>,
    trouble: Trouble,
    tasks: parking_lot::Mutex<Vec<JoinHandle<()>>>,
}

/// How often it is looked whether there is something to ship.
const SHIP_EVERY: Duration = Duration::from_secs(1);

/// The longest pause after a round of shipping that failed.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Tenants that are looked at at a time.
const AT_ONCE: usize = 16;

impl Upkeep {
    /// Starts the rounds.
    pub fn start(parts: UpkeepParts, runtime: &Handle) -> Self {
        let inner = Inner {
            parts,
            stop: Arc::default(),
            changing: Mutex::default(),
            shipping: Mutex::default(),
            trouble: Trouble::default(),
            tasks: parking_lot::Mutex::default(),
        };
        let upkeep = Self(Arc::new(inner));
        let mut tasks = vec![runtime.spawn(upkeep.clone().retaining())];
        if upkeep.0.parts.bucket.remote().is_some() {
            tasks.push(runtime.spawn(upkeep.clone().shipping()));
            tasks.push(runtime.spawn(upkeep.clone().polling()));
            tasks.push(runtime.spawn(upkeep.clone().sweeping()));
        }
        if upkeep.0.parts.options.compaction.is_some() {
            tasks.push(runtime.spawn(upkeep.clone().compacting()));
        }
        upkeep.0.tasks.lock().append(&mut tasks);
        upkeep
    }

    /// Ends the rounds. What was under way is given up, and begun anew at the next start.
    pub async fn stop(&self) {
        self.0.stop.store(true, Ordering::Relaxed);
        let tasks = std::mem::take(&mut *self.0.tasks.lock());
        for task in tasks {
            task.abort();
            // An aborted task says so; a panic was logged.
            let _ = task.await;
        }
    }

    /// Brings everything to the store that is here alone, now. What fails for one tenant does not keep others waiting,
    /// unless it is the store that fails.
    pub async fn ship(&self) -> Result<(), ShipError> {
        let mut first = Ok(());
        for tenant in self.0.parts.bucket.folder_tenants() {
            let shipped = self.ship_round(&tenant).await;
            if shipped.as_ref().is_err_and(|error| error.of_store().is_some()) {
                return shipped;
            }
            first = first.and(shipped);
        }
        first
    }

    async fn ship_round(&self, tenant: &Tenant) -> Result<(), ShipError> {
        let shipped = self.ship_tenant(tenant).await;
        let shipped = self.mended(tenant, shipped).await;
        // Of what was shipped before, files may go though something failed now.
        self.0.parts.bucket.let_go(tenant)?;
        shipped
    }

    /// Says why a round failed; what is the store's fault once for all rounds.
    fn failed(&self, error: &dyn OfStore, say: impl FnOnce()) {
        match error.of_store() {
            Some(of_store) => self.0.trouble.failed(of_store, self.0.parts.bucket.unshipped().blocks),
            None => say(),
        }
    }

    /// Brings a tenant's blocks to the store that are here alone.
    pub(crate) async fn ship_tenant(&self, tenant: &Tenant) -> Result<(), ShipError> {
        let _alone = self.0.shipping.lock().await;
        let shipped = self.0.parts.bucket.ship(tenant).await?;
        self.count_shipped(shipped);
        Ok(())
    }

    /// As [`Self::ship_tenant`], with the blocks that another node would bring.
    pub(crate) async fn ship_all_of(&self, tenant: &Tenant) -> Result<(), ShipError> {
        let _alone = self.0.shipping.lock().await;
        let shipped = self.0.parts.bucket.ship_all(tenant).await?;
        self.count_shipped(shipped);
        Ok(())
    }

    fn count_shipped(&self, shipped: Shipped) {
        let metrics = &self.0.parts.metrics;
        metrics.blocks_shipped.inc_by(shipped.blocks);
        metrics.bytes_shipped.inc_by(shipped.bytes);
    }

    async fn shipping(self) {
        let mut pause = SHIP_EVERY;
        loop {
            tokio::time::sleep(pause).await;
            match self.ship().await {
                Ok(()) => pause = SHIP_EVERY,
                Err(error) => {
                    self.0.parts.metrics.ship_errors.inc();
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    self.failed(&error, || {
                        tracing::error!(%error, retry_in = ?pause, "blocks were not brought to the store");
                    });
                }
            }
        }
    }

    async fn polling(self) {
        loop {
            if let Err(error) = self.poll().await {
                self.0.parts.metrics.poll_errors.inc();
                self.failed(&error, || {
                    tracing::warn!(%error, "the store's lists of blocks cannot be looked at; what was known stays");
                });
            }
            tokio::time::sleep(self.0.parts.options.poll).await;
        }
    }

    /// Looks at the lists of all tenants, now.
    pub async fn poll(&self) -> Result<(), ShipError> {
        let tenants = self.0.parts.bucket.all_tenants().await?;
        let one = |tenant: Tenant| async move {
            let polled = self.0.parts.bucket.poll(&tenant).await;
            self.mended(&tenant, polled).await
        };
        let mut polls = futures_util::stream::iter(tenants.into_iter().map(one)).buffer_unordered(AT_ONCE);
        let mut first = Ok(());
        while let Some(polled) = polls.next().await {
            first = first.and(polled);
        }
        if first.is_ok() {
            self.0.trouble.ended();
        }
        first
    }

    /// Makes a list anew that was lost or damaged, if that is what failed.
    async fn mended(&self, tenant: &Tenant, done: Result<(), ShipError>) -> Result<(), ShipError> {
        let lost = match &done {
            Err(ShipError::Step(StepError::Catalog(error))) => {
                matches!(error, CatalogError::Lost(_) | CatalogError::Damaged { .. })
            }
            _ => false,
        };
        if !lost {
            return done;
        }
        let Ok(_alone) = self.0.changing.try_lock() else { return done };
        tracing::error!(tenant = tenant.as_str(), "the list of blocks is lost or damaged, and is made anew");
        if let Some(rebuilt) = self.0.parts.bucket.rebuild(tenant).await? {
            self.0.parts.metrics.manifests_rebuilt.inc();
            for (path, reason) in &rebuilt.unreadable {
                tracing::error!(path, reason, "a block of the store cannot be read and is left alone");
            }
            tracing::info!(tenant = tenant.as_str(), blocks = rebuilt.manifest.blocks.len(), "made anew");
        }
        Ok(())
    }

    async fn compacting(self) {
        let Some(every) = self.0.parts.options.compaction.as_ref().map(|options| options.every) else {
            return;
        };
        loop {
            tokio::time::sleep(every).await;
            self.compact().await;
        }
    }

    /// Joins blocks of all tenants as long as there is something to join, now. What fails is logged, counted and tried
    /// again by the next round.
    pub async fn compact(&self) {
        let Some(options) = self.0.parts.options.compaction.clone() else { return };
        let joiner = self.joiner();
        for tenant in self.tenants() {
            if let Err(error) = self.compact_tenant(&joiner, &options.rules, &tenant).await {
                self.0.parts.metrics.compaction_errors.inc();
                self.failed(&error, || {
                    tracing::error!(%error, tenant = tenant.as_str(), "blocks were not joined; it is tried again");
                });
            }
        }
    }

    /// Does the jobs of a tenant, until there are none.
    async fn compact_tenant(
        &self,
        joiner: &Joiner,
        rules: &CompactionRules,
        tenant: &Tenant,
    ) -> Result<(), CompactError> {
        let Inner { parts: UpkeepParts { bucket, clock, metrics, share, .. }, .. } = &*self.0;
        loop {
            let _alone = self.0.changing.lock().await;
            let manifest = self.manifest(tenant).await?;
            let mut jobs = plan::compaction(&manifest.blocks, clock.wall_ns(), rules).into_iter();
            // Blocks of the folder are nobody else's.
            let is_ours = |job: &Job| bucket.remote().is_none() || share.has_job(tenant, job);
            let Some(job) = jobs.find(is_ours) else { return Ok(()) };
            if !joiner.has_room(tenant, &job, &manifest) {
                return Ok(());
            }
            let (inputs, begun) = (job.inputs.len(), clock.monotonic_ms());
            let done = match bucket.remote() {
                Some(_) => joiner.in_store(tenant, &job).await?,
                None => joiner.in_folder(tenant, job, clock.wall_ns()).await?,
            };
            let Some(stats) = done else { return Ok(()) };
            metrics.compactions.inc();
            metrics.blocks_compacted.inc_by(inputs as u64);
            metrics.spans_compacted.inc_by(stats.spans);
            metrics.duplicates_removed.inc_by(stats.duplicates);
            let took = Duration::from_millis(clock.monotonic_ms().saturating_sub(begun));
            tracing::info!(
                tenant = tenant.as_str(),
                blocks = inputs,
                spans = stats.spans,
                duplicates = stats.duplicates,
                ?took,
                "joined"
            );
        }
    }

    /// What makes blocks of others.
    pub(crate) fn joiner(&self) -> Joiner {
        let Inner { parts: UpkeepParts { bucket, memory, options, .. }, stop, .. } = &*self.0;
        let (bucket, memory, stop) = (bucket.clone(), memory.clone(), stop.clone());
        Joiner { bucket, options: options.writing.clone(), memory, stop, without: None }
    }

    fn tenants(&self) -> Vec<Tenant> {
        self.0.parts.bucket.tenants()
    }

    pub(crate) async fn manifest(&self, tenant: &Tenant) -> Result<Arc<Manifest>, CompactError> {
        let bucket = &self.0.parts.bucket;
        match bucket.remote() {
            Some(remote) => Ok(remote.steps().catalog().refresh(tenant).await.map_err(StepError::from)?),
            None => Ok(Arc::new(bucket.folder_manifest(tenant))),
        }
    }

    async fn retaining(self) {
        loop {
            self.retain().await;
            tokio::time::sleep(self.0.parts.options.retain).await;
        }
    }

    /// Removes what is kept no longer, and deletes objects that were replaced or removed long enough ago, now. What
    /// fails is logged, counted and tried again by the next round.
    pub async fn retain(&self) {
        if let Err(error) = self.try_retain().await {
            self.0.parts.metrics.retention_errors.inc();
            self.failed(&error, || tracing::error!(%error, "blocks were not removed; it is tried again"));
        }
    }

    async fn try_retain(&self) -> Result<(), CompactError> {
        let Inner { parts: UpkeepParts { bucket, clock, metrics, options, share, .. }, .. } = &*self.0;
        let _alone = self.0.changing.lock().await;
        let mut manifests = Vec::new();
        // A tenant whose last block was retired lists none, and has objects still.
        for tenant in bucket.all_tenants().await? {
            if bucket.remote().is_some() && !share.has_tenant(&tenant) {
                continue;
            }
            let manifest = self.manifest(&tenant).await?;
            manifests.push((tenant, manifest));
        }
        for (tenant, retired) in retain::plan(options, &manifests, clock.wall_ns(), bucket.free_disk()) {
            if retired.is_empty() {
                continue;
            }
            retain::retire(bucket, &tenant, &retired).await?;
            for one in &retired {
                tracing::info!(tenant = tenant.as_str(), "{one}");
                let reason = one.by.name();
                metrics.blocks_retired.get_or_create(&Reason { reason }).inc();
            }
        }
        if let Some(remote) = bucket.remote() {
            for (tenant, _) in &manifests {
                let deleted = remote.steps().delete(tenant).await?;
                metrics.objects_deleted.inc_by(deleted.deleted.len() as u64);
                for (id, error) in &deleted.failed {
                    tracing::warn!(%id, %error, "an object was not deleted; it is tried again");
                }
            }
        }
        Ok(())
    }

    async fn sweeping(self) {
        loop {
            tokio::time::sleep(self.0.parts.options.sweep).await;
            self.sweep().await;
        }
    }

    /// Looks for objects of the store that no list names, now. What fails is logged and tried again by the next round.
    pub async fn sweep(&self) {
        let bucket = &self.0.parts.bucket;
        let Some(remote) = bucket.remote() else { return };
        let failed = |error: &dyn OfStore, text: &dyn std::fmt::Display| {
            self.failed(
                error,
                || tracing::warn!(error = %text, "the store was not swept; it is tried again"),
            );
        };
        // A tenant whose last block was retired lists none, and may have objects still.
        let tenants = match bucket.all_tenants().await {
            Ok(tenants) => tenants,
            Err(error) => return failed(&error, &error),
        };
        for tenant in tenants.into_iter().filter(|tenant| self.0.parts.share.has_tenant(tenant)) {
            match remote.steps().sweep(&tenant).await {
                Ok(swept) => {
                    let found = swept.buried.len() + swept.temporary.len();
                    self.0.parts.metrics.orphans_found.inc_by(found as u64);
                }
                Err(error) => failed(&error, &error),
            }
        }
    }
}
