//! `spanloom block plan` and `compact`: what is to be done with blocks, and doing it.

use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use prometheus_client::registry::Registry;
use spanloom_bucket::Bucket;
use spanloom_bucket::catalog::{BlockEntry, Manifest, plan};
use spanloom_span::Tenant;
use spanloom_stage::{Budget, Clock, RealClock};
use spanloom_upkeep::Share;
use spanloom_wal::disk::RealDisk;

use super::block::StoreBlocks;
use super::{ServeFlags, say};
use crate::config::Config;
use crate::lock::DirLock;
use crate::store::Behind;

const EXAMPLES: &str = "Examples:
  spanloom block plan --data-dir /var/lib/spanloom
  spanloom block plan --config spanloom.yaml         by the rules, and in the store, of a configuration
  spanloom block compact --config spanloom.yaml      do it; the engine must not be running on this data directory";

/// Which blocks, by which rules.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct JobFlags {
    /// Configuration file (YAML); keys are in docs/CONFIG.md.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data directory [key: data_dir] [default: ./spanloom-data].
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
}

impl JobFlags {
    fn config(self) -> Result<Config, String> {
        let flags = ServeFlags { config: self.config, data_dir: self.data_dir, ..ServeFlags::default() };
        flags.config().map_err(|error| error.to_string())
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| format!("the runtime could not be started: {error}"))
}

fn ended(done: Result<String, String>) -> ExitCode {
    match done {
        Ok(text) => say::out(&text),
        Err(error) => say::failed(error),
    }
}

/// Says which blocks would be joined and which removed. Changes nothing.
pub(super) fn plan(flags: JobFlags) -> ExitCode {
    ended(flags.config().and_then(|config| {
        let manifests = manifests(&config)?;
        Ok(planned(&config, &manifests, RealClock::default().wall_ns()))
    }))
}

fn manifests(config: &Config) -> Result<Vec<(Tenant, Arc<Manifest>)>, String> {
    match StoreBlocks::open(config)? {
        Some(store) => store.manifests(None),
        None => folder(config),
    }
}

/// What is in the folder; the engine may be running on it.
fn folder(config: &Config) -> Result<Vec<(Tenant, Arc<Manifest>)>, String> {
    let root = PathBuf::from(&config.data_dir).join(spanloom_bucket::FOLDER);
    let failed = |path: &std::path::Path, error: std::io::Error| format!("{}: {error}", path.display());
    let mut out = Vec::new();
    for folder in super::block::sorted(&root).map_err(|error| failed(&root, error))? {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Ok(tenant) = Tenant::new(&name) else { continue };
        let mut manifest = Manifest { version: 1, ..Manifest::default() };
        for file in super::block::sorted(&folder).map_err(|error| failed(&folder, error))? {
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let Some(Ok(id)) = name.strip_suffix(".block").map(str::parse) else { continue };
            let block =
                spanloom_block::Block::open(&file).map_err(|error| format!("{}: {error}", file.display()))?;
            let meta = block.meta();
            manifest.blocks.push(BlockEntry::new(id, meta));
        }
        manifest.blocks.sort_unstable_by_key(|entry| entry.id);
        out.push((tenant, Arc::new(manifest)));
    }
    Ok(out)
}

// Writing to a string cannot fail, so what `writeln!` yields is let go.
fn planned(config: &Config, manifests: &[(Tenant, Arc<Manifest>)], now: u64) -> String {
    let options = config.upkeep_options();
    let mut out = String::new();
    for (tenant, manifest) in manifests {
        let rules = options.retention_of.get(tenant).unwrap_or(&options.retention);
        for retired in plan::retention(manifest, now, rules, None) {
            let _ = writeln!(out, "{tenant}: {retired}");
        }
        let joins = options.compaction.as_ref().map(|joins| &joins.rules);
        for job in joins.map(|rules| plan::compaction(&manifest.blocks, now, rules)).unwrap_or_default() {
            let _ = writeln!(out, "{tenant}: {job}");
        }
    }
    let blocks: usize = manifests.iter().map(|(_, manifest)| manifest.blocks.len()).sum();
    if out.is_empty() {
        let _ = writeln!(out, "{blocks} blocks of {} tenants: nothing to do", manifests.len());
    }
    out
}

/// Joins and removes blocks by the rules until there is nothing to do.
pub(super) fn compact(flags: JobFlags) -> ExitCode {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    ended(flags.config().and_then(|config| {
        let runtime = runtime()?;
        let root = PathBuf::from(&config.data_dir);
        let unusable =
            |error: std::io::Error| format!("the data directory {} cannot be used: {error}", root.display());
        let _lock = DirLock::take(&root).map_err(unusable)?;
        let disk = Arc::new(RealDisk::new(&root).map_err(unusable)?);
        let opened = Bucket::open_within(disk, Some(root.clone()), config.resident_limits());
        let (bucket, _) = opened.map_err(|error| error.to_string())?;
        let (bucket, behind) = Behind::put(&config, bucket).map_err(|error| error.to_string())?;
        let bucket = Arc::new(bucket);
        let before = bucket.totals();
        let kept = behind.start(
            &config,
            &bucket,
            Share::default(),
            Budget::new(usize::MAX),
            Arc::new(RealClock::default()),
            &mut Registry::default(),
        );
        let before = if before.0 == 0 { bucket.totals() } else { before };
        runtime.block_on(async {
            kept.upkeep().retain().await;
            kept.upkeep().compact().await;
            kept.stop(config.drain_timeout.0).await;
        });
        let after = bucket.totals();
        Ok(format!("{} blocks of {} bytes are now {} of {}\n", before.0, before.1, after.0, after.1))
    }))
}
