//! How an engine is put together: configuration, then threads, then what the log holds, then listeners.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use prometheus_client::registry::Registry;
use spanloom_bucket::{Bucket, BucketError, OpenReport};
use spanloom_ingest::{Ingest, IngestMetrics, ReplicateMetrics, Replicator};
use spanloom_query::Querier;
use spanloom_stage::{RealClock, Stage, StageError};
use spanloom_upkeep::Share;
use spanloom_wal::ReplayReport;
use spanloom_wal::disk::RealDisk;

use crate::among::{self, Among};
use crate::cluster::ClusterError;
use crate::config::{Config, ConfigError};
use crate::engine::{Engine, Inner, Started};
use crate::listen;
use crate::lock::DirLock;
use crate::redact::Redactor;
use crate::store::Behind;

/// Why an engine could not be started. Nothing was changed but what a replay of the log repairs.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The data directory cannot be used.
    #[error("the data directory {path} cannot be used: {source}")]
    DataDir {
        /// Its path.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The actors could not be started.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// The blocks could not be listed.
    #[error(transparent)]
    Bucket(#[from] BucketError),
    /// The log could not be opened.
    #[error(transparent)]
    Ingest(#[from] spanloom_ingest::StartError),
    /// The threads that search could not be started.
    #[error("the threads that search could not be started: {0}")]
    Threads(std::io::Error),
    /// A port could not be opened.
    #[error(
        "{address} ({key}) cannot be listened on: {source}; another program may use the port: take it out of the \
         configuration, or shift all of them by --port-offset"
    )]
    Listen {
        /// Which key has the port.
        key: &'static str,
        /// The address.
        address: std::net::SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The store of objects cannot be used as it is configured.
    #[error(transparent)]
    Store(#[from] spanloom_bucket::objects::StoreError),
    /// The node cannot take part in the cluster.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The start was interrupted.
    #[error("the start was interrupted")]
    Interrupted,
}

/// Puts an engine together.
#[derive(Debug, Clone, Default)]
pub struct Builder {
    config: Config,
    listeners: bool,
}

impl Builder {
    /// Takes a whole configuration.
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Where everything is kept.
    pub fn data_dir(mut self, dir: impl AsRef<Path>) -> Self {
        self.config.data_dir = dir.as_ref().to_string_lossy().into_owned();
        self
    }

    /// Whether the ports of the configuration are opened; an embedded engine opens none unless asked.
    pub fn listeners(mut self, open: bool) -> Self {
        self.listeners = open;
        self
    }

    /// Starts the engine: when this returns, everything that was acknowledged before is found again.
    ///
    /// Must be called on a tokio runtime, on which the listeners and questions then run.
    pub async fn start(self) -> Result<Engine, StartError> {
        self.config.check()?;
        // Ports are opened first, so that a taken one is told before the log is read; they are served at the end.
        let bound = if self.listeners { listen::bind(&self.config)? } else { Vec::new() };
        let among = Among::bind(&self.config)?;
        let config = self.config.clone();
        let open = move || -> Result<_, StartError> { Ok((open(&config, among.as_ref())?, among)) };
        let opened = tokio::task::spawn_blocking(open);
        let (mut inner, among) = opened.await.map_err(|_| StartError::Interrupted)??;
        let mut registry = std::mem::take(&mut inner.registry);
        let receive_metrics = listen::Metrics::registered(&mut registry);
        inner.registry = registry;
        let engine = Engine::new(inner);
        listen::serve(&engine, bound, &receive_metrics)?;
        if let Some(among) = among {
            engine.take_part(among.start(&engine).await?);
        }
        Ok(engine)
    }
}

fn open(config: &Config, among: Option<&Among>) -> Result<Inner, StartError> {
    let begun = Instant::now();
    let root = PathBuf::from(&config.data_dir);
    let unusable = |source| StartError::DataDir { path: config.data_dir.clone(), source };
    let lock = DirLock::take(&root).map_err(unusable)?;
    let disk = Arc::new(RealDisk::new(&root).map_err(unusable)?);
    let (bucket, blocks) = Bucket::open_within(disk.clone(), Some(root), config.resident_limits())?;
    for (file, reason) in &blocks.set_aside {
        tracing::error!(file, reason, "a block cannot be opened and was set aside");
    }
    let (bucket, store) = Behind::put(config, bucket)?;
    let bucket = Arc::new(among::with_standby(bucket, among, config));
    let members = among.map(|among| among.members.clone());
    let options = config.ingest_options();
    let stage = Stage::set(options.shards)?;
    let metrics = Arc::new(IngestMetrics::default());
    let clock = Arc::new(RealClock::default());
    let (ingest, replay) =
        Ingest::start(&stage, disk, bucket.clone(), clock.clone(), metrics.clone(), options)?;
    let aside = blocks.set_aside.len() as u64 + replay.set_aside.len() as u64;
    metrics.files_set_aside.inc_by(aside);
    for damage in &replay.damage {
        tracing::error!(?damage, "a part of the log was durable and cannot be read; the file is kept");
    }
    // Receivers and the query API bring the prefix in their names.
    let mut registry = Registry::default();
    metrics.register(registry.sub_registry_with_prefix("spanloom"));
    let share = among.map_or_else(Share::default, Among::share);
    let store = store.start(config, &bucket, share, ingest.budget(), clock, &mut registry);
    let replicate_metrics = Arc::new(ReplicateMetrics::default());
    replicate_metrics.register(registry.sub_registry_with_prefix("spanloom"));
    let replicator =
        Replicator::new(ingest.clone(), members.clone(), replicate_metrics, config.replicate_options());
    let querier = Querier::start(
        Arc::new(ingest.clone()),
        bucket.clone(),
        members,
        ingest.budget(),
        config.query_options(),
    )
    .map_err(StartError::Threads)?;
    let redactor = Redactor::new(&config.data_dir, &mut registry);
    let started = found(&blocks, &replay, begun);
    Ok(Inner {
        config: config.clone(),
        stage,
        ingest,
        replicator,
        querier,
        bucket,
        store,
        metrics,
        registry,
        redactor,
        part: OnceLock::new(),
        started,
        lock,
    })
}

/// What was found at the start, which is logged.
fn found(blocks: &OpenReport, replay: &ReplayReport, begun: Instant) -> Started {
    let started = Started {
        blocks: blocks.blocks,
        frames: replay.frames,
        log_bytes: replay.payload_bytes,
        torn_bytes: replay.torn_bytes,
        damaged: replay.damage.len() as u64,
        took: begun.elapsed(),
    };
    tracing::info!(
        blocks = started.blocks,
        log_requests = started.frames,
        log_bytes = started.log_bytes,
        torn_bytes = started.torn_bytes,
        damaged = started.damaged,
        took_ms = started.took.as_millis() as u64,
        "opened"
    );
    started
}
