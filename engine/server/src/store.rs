//! The store behind the folder of blocks, and what keeps blocks in order.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use spanloom_api::Section;
use spanloom_bucket::cache::{Cache, shared};
use spanloom_bucket::catalog::Catalog;
use spanloom_bucket::catalog::steps::Steps;
use spanloom_bucket::objects::Objects;
use spanloom_bucket::store::{Kind, Operation, Store};
use spanloom_bucket::{Bucket, RealPace, Remote, Unshipped};
use spanloom_stage::{Budget, Clock};
use spanloom_upkeep::{Share, Upkeep, UpkeepMetrics, UpkeepParts};
use tokio::runtime::{Builder, Runtime};

use crate::builder::StartError;
use crate::config::Config;

/// Threads on which the store is spoken to; without one, upkeep has one of them.
const THREADS: usize = 2;

/// How long the start waits for the store's lists of blocks. Without them only blocks of the folder are found until the
/// store answers.
const FIRST_LOOK: Duration = Duration::from_secs(10);

/// A store that was put behind the folder.
pub(crate) struct Behind {
    runtime: Runtime,
    store: Option<Arc<Store>>,
}

/// What keeps blocks in order, until it is stopped.
pub(crate) struct Kept {
    runtime: parking_lot::Mutex<Option<Runtime>>,
    upkeep: Upkeep,
    bucket: Arc<Bucket>,
    pub store: Option<Arc<Store>>,
}

impl Behind {
    /// Puts the configured store, if there is one, behind the folder.
    pub fn put(config: &Config, bucket: Bucket) -> Result<(Bucket, Self), StartError> {
        let settings = config.store_config();
        let threads = if settings.is_some() { THREADS } else { 1 };
        let runtime =
            Builder::new_multi_thread().worker_threads(threads).thread_name("store").enable_all().build();
        let runtime = runtime.map_err(StartError::Threads)?;
        let Some(settings) = settings else {
            return Ok((bucket, Self { runtime, store: None }));
        };
        let store = Arc::new(Store::open(&settings)?);
        tracing::info!(store = store.name(), "blocks go to a store");
        let objects: Arc<dyn Objects> = store.clone();
        // What is wrong with it was said when the configuration was checked.
        let shared = shared::open(&config.shared_cache_options()).unwrap_or_default();
        let cache = Cache::open(objects.clone(), shared, runtime.handle().clone(), config.cache_options());
        let catalog = Catalog::new(objects.clone(), Arc::new(RealPace), config.store_timing());
        let bucket = bucket.with_remote(Remote::new(objects, Steps::new(Arc::new(catalog)), cache));
        Ok((bucket, Self { runtime, store: Some(store) }))
    }

    /// Looks at the store's lists of blocks, and starts upkeep. Not for a runtime's worker.
    pub fn start(
        self,
        config: &Config,
        bucket: &Arc<Bucket>,
        share: Share,
        memory: Arc<Budget>,
        clock: Arc<dyn Clock>,
        registry: &mut Registry,
    ) -> Kept {
        let Self { runtime, store } = self;
        let metrics = Arc::new(UpkeepMetrics::default());
        metrics.register(registry.sub_registry_with_prefix("spanloom"));
        let options = config.upkeep_options();
        let parts = UpkeepParts { bucket: bucket.clone(), clock, metrics, memory, options, share };
        let upkeep = Upkeep::start(parts, runtime.handle());
        if store.is_some() {
            let looked = runtime.block_on(async { tokio::time::timeout(FIRST_LOOK, upkeep.poll()).await });
            match looked {
                Ok(Ok(())) => {}
                // Upkeep says why, soon and once for all of its rounds.
                Ok(Err(_)) | Err(_) => {
                    tracing::warn!("started without the store: its blocks are not found until it answers");
                }
            }
        }
        Kept { runtime: Some(runtime).into(), upkeep, bucket: bucket.clone(), store }
    }
}

impl Kept {
    /// What keeps blocks in order.
    pub fn upkeep(&self) -> &Upkeep {
        &self.upkeep
    }

    /// Brings what was sealed last to the store, if that does not take long, and ends upkeep.
    pub async fn stop(&self, patience: Duration) {
        let Some(runtime) = self.runtime.lock().take() else { return };
        let upkeep = self.upkeep.clone();
        let last = async move {
            upkeep.stop().await;
            tokio::time::timeout(patience, upkeep.ship()).await
        };
        match runtime.spawn(last).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => tracing::warn!(%error, "blocks wait for the store until the next start"),
            _ => tracing::warn!("blocks wait for the store until the next start"),
        }
        let bucket = self.bucket.clone();
        let saved =
            tokio::task::spawn_blocking(move || bucket.remote().map(|remote| remote.cache().save())).await;
        if let Ok(Some(Err(error))) = saved {
            tracing::warn!(%error, "what is cached is not found at the next start");
        }
        runtime.shutdown_background();
    }

    /// What the status page says of the store; `None` without one.
    pub fn section(&self) -> Option<Section> {
        let store = self.store.as_ref()?;
        let (health, waiting) = (store.health(), self.bucket.unshipped());
        let state = match (health.is_good(), health.last_success) {
            (true, None) => "not asked yet".to_owned(),
            (true, Some(_)) => "good".to_owned(),
            (false, _) => {
                let since = ago(health.failing_since);
                format!("failing, {} calls in a row, the first {since}", health.failures_in_a_row)
            }
        };
        let oldest = age(waiting).map_or_else(|| "none".into(), |age| format!("{} s", age.as_secs()));
        let last_error = match &health.last_error {
            Some(error) => format!("{}: {error}", ago(health.last_failure)),
            None => "none".into(),
        };
        let rows = [
            ("name", store.name().to_owned()),
            ("state", state),
            ("last success", ago(health.last_success)),
            ("last error", last_error),
            ("blocks waiting", waiting.blocks.to_string()),
            ("blocks that other nodes bring", waiting.standing_by.to_string()),
            ("bytes waiting", waiting.bytes.to_string()),
            ("age of the oldest waiting", oldest),
        ];
        let rows = rows.map(|(name, value)| (name.to_owned(), value)).into();
        Some(Section { title: "store".into(), rows })
    }

    /// What is counted of the store and the cache, as metrics of the moment.
    pub fn metrics(&self, registry: &mut Registry) {
        if let Some(remote) = self.bucket.remote() {
            let waiting = self.bucket.unshipped();
            gauge(registry, "blocks_unshipped", "blocks that are not in the store yet", waiting.blocks);
            gauge(
                registry,
                "unshipped_bytes",
                "bytes of blocks that are not in the store yet",
                waiting.bytes,
            );
            gauge(
                registry,
                "blocks_standing_by",
                "blocks that another node brings to the store",
                waiting.standing_by,
            );
            let oldest = age(waiting).map_or(0, |age| age.as_secs());
            gauge(
                registry,
                "unshipped_oldest_seconds",
                "age of the oldest block that is not in the store yet, 0 when there is none",
                oldest,
            );
            of_cache(remote.cache(), registry);
        }
        if let Some(store) = &self.store {
            of_store(store, registry);
        }
    }
}

/// How long ago the oldest block that waits was sealed.
fn age(waiting: Unshipped) -> Option<Duration> {
    let sealed = UNIX_EPOCH.checked_add(Duration::from_nanos(waiting.oldest?))?;
    Some(sealed.elapsed().unwrap_or_default())
}

/// How long ago something was, for people.
fn ago(time: Option<SystemTime>) -> String {
    let elapsed = |time: SystemTime| time.elapsed().unwrap_or_default().as_secs();
    time.map_or_else(|| "never".into(), |time| format!("{} s ago", elapsed(time)))
}

fn gauge(registry: &mut Registry, name: &str, help: &str, value: u64) {
    registry.register(name, help, ConstGauge::new(value as i64));
}

fn counter(registry: &mut Registry, name: &str, help: &str, value: &AtomicU64) {
    registry.register(name, help, ConstCounter::new(value.load(Ordering::Relaxed)));
}

fn of_cache(cache: &Cache, registry: &mut Registry) {
    let (usage, counters) = (cache.usage(), cache.counters());
    gauge(registry, "cache_data_bytes", "bytes of blocks' data that are kept here", usage.data_bytes);
    gauge(
        registry,
        "cache_metadata_bytes",
        "bytes of blocks' metadata that are kept here",
        usage.metadata_bytes,
    );
    for (name, help, value) in [
        ("cache_hits", "units of 64 KiB that were here when others with them were brought", &counters.hits),
        ("cache_misses", "units of 64 KiB that were brought", &counters.misses),
        ("shared_cache_hits", "units that the shared cache had", &counters.shared_hits),
        ("shared_cache_errors", "calls of the shared cache that failed", &counters.shared_errors),
        ("cache_cut", "blocks that were cut down to their metadata", &counters.cut),
        ("cache_dropped", "blocks that went from the cache", &counters.dropped),
        (
            "cache_damaged",
            "units of a former run that were damaged, and blocks that were begun anew",
            &counters.damaged,
        ),
        ("cache_file_errors", "files that the cache could not make", &counters.file_errors),
    ] {
        counter(registry, name, help, value);
    }
}

fn of_store(store: &Store, registry: &mut Registry) {
    let is_failing = u64::from(!store.health().is_good());
    gauge(registry, "store_failing", "1 while the store does not do what is asked", is_failing);
    let counters = store.counters();
    for operation in Operation::ALL {
        let requests = &counters.operation(operation).requests;
        let of = registry.sub_registry_with_label(("operation".into(), operation.name().into()));
        counter(of, "store_requests", "requests to the store", requests);
    }
    for kind in Kind::ALL {
        let of = registry.sub_registry_with_label(("kind".into(), kind.name().into()));
        of.register("store_errors", "requests that failed", ConstCounter::new(counters.errors(kind)));
    }
    for (name, help, value) in [
        ("store_read_bytes", "bytes read from the store", &counters.bytes_in),
        ("store_written_bytes", "bytes written to the store", &counters.bytes_out),
        ("store_retries", "requests that were sent again", &counters.retries),
        ("store_hedges", "reads that were asked a second time beside", &counters.hedges_started),
        ("store_hedges_won", "second reads that answered first", &counters.hedges_won),
        ("store_conflicts", "conditional writes that met another writer", &counters.conflicts),
    ] {
        counter(registry, name, help, value);
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        // A runtime may not be waited for on a runtime's worker.
        if let Some(runtime) = self.runtime.lock().take() {
            runtime.shutdown_background();
        }
    }
}
