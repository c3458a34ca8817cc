//! Blocks made of others, in the folder and in the store: joined, or without what is to go.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use spanloom_block::{Block, BlockId, KeepAll, MergeOptions, MergeProgress, MergeReport, MergeStats, merge};
use spanloom_bucket::catalog::plan::Job;
use spanloom_bucket::catalog::steps::{Compacted, Merge, MergeError, Output, Outputs};
use spanloom_bucket::catalog::{BlockEntry, Manifest};
use spanloom_bucket::objects::Upload;
use spanloom_bucket::{Bucket, BucketError, ShipError};
use spanloom_span::Tenant;
use spanloom_stage::{Budget, Permit, give_way};

use crate::options::WriteOptions;
use crate::redact::doomed::{Hits, Without};

/// Why blocks were not made of others. Those that are there are as they were.
#[derive(Debug, thiserror::Error)]
pub enum CompactError {
    /// The folder did not do its part.
    #[error(transparent)]
    Bucket(#[from] BucketError),
    /// The store did not give or list what was asked for.
    #[error(transparent)]
    Ship(#[from] ShipError),
    /// The store did not do its part.
    #[error(transparent)]
    Step(#[from] spanloom_bucket::catalog::steps::StepError),
    /// A block cannot be read, or one not be made.
    #[error("{0}")]
    Merge(#[from] spanloom_block::MergeError),
    /// A block cannot be read.
    #[error("block {0} cannot be read: {1}")]
    Unreadable(String, spanloom_block::BlockError),
    /// Other nodes changed blocks each time.
    #[error("blocks that are to be written anew were still found after {0} passes")]
    Contended(u32),
    /// A thread could not be started.
    #[error("no thread: {0}")]
    Thread(io::Error),
    /// It was ended early.
    #[error("the engine is stopping")]
    Stopping,
}

/// What is needed for joining, and for leaving out.
#[derive(Clone)]
pub(crate) struct Joiner {
    pub bucket: Arc<Bucket>,
    pub options: WriteOptions,
    /// What requests and live traces may hold: joins make room there.
    pub memory: Arc<Budget>,
    /// Ends what is under way.
    pub stop: Arc<AtomicBool>,
    /// What is left out, in the rows of the one input that there is then; nothing without it.
    pub without: Option<Arc<Hits>>,
}

/// What a join takes whatever its inputs are: a row group of the output.
const GROUP_BYTES: u64 = 32 << 20;

/// Least memory for a join.
const MIN_MEMORY: u64 = 48 << 20;

/// How long a join waits until others give memory back, before it takes it all the same.
const PATIENCE: Duration = Duration::from_secs(5);

impl Joiner {
    fn merge_options(&self, job: &Job, salt: u64, keeps_sealed_through: bool) -> MergeOptions {
        let beside = self.options.memory.max(MIN_MEMORY) - GROUP_BYTES;
        MergeOptions {
            zstd_level: Some(self.options.zstd_level),
            level: job.level,
            salt,
            keeps_sealed_through,
            max_spans: self.options.max_block_spans,
            max_bytes: self.options.max_block_bytes,
            max_held_bytes: (beside / 2) as usize,
            touched_bytes: beside / 2,
            ..MergeOptions::default()
        }
    }

    /// Takes a join's memory from the budget of requests and live traces, which count half of what they take. It gets it
    /// in any case: blocks that are never joined would cost more.
    async fn room(&self) -> Permit {
        let wanted = usize::try_from(self.options.memory.max(MIN_MEMORY) / 2).unwrap_or(usize::MAX);
        let wanted = wanted.min(self.memory.limit() / 2);
        match self.memory.acquire(wanted, PATIENCE).await {
            Some(permit) => permit,
            None => self.memory.force(wanted),
        }
    }

    /// Whether a job leaves as much free on the disk as is to stay free. What it makes is no larger than its inputs, which
    /// are copied, too, when they are in the store alone.
    pub fn has_room(&self, tenant: &Tenant, job: &Job, manifest: &Manifest) -> bool {
        let Some(free) = self.bucket.free_disk().filter(|_| self.options.keep_free > 0) else { return true };
        let bytes = |id: &BlockId| {
            let bytes = manifest.block(*id).map_or(0, |entry| entry.bytes);
            if self.bucket.in_folder(tenant, *id).is_some() { bytes } else { bytes.saturating_mul(2) }
        };
        let needed = job.inputs.iter().map(bytes).fold(self.options.keep_free, u64::saturating_add);
        if free < needed {
            tracing::warn!(
                tenant = tenant.as_str(),
                free,
                needed,
                "blocks are not joined: the disk is nearly full"
            );
        }
        free >= needed
    }

    /// Does a job on a thread of its own, which gives way to others.
    pub async fn on_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, CompactError> + Send + 'static,
    ) -> Result<T, CompactError> {
        let (tell, told) = tokio::sync::oneshot::channel();
        let room = self.room().await;
        let nice = self.options.nice;
        let run = move || {
            give_way(nice);
            let done = work();
            drop(room);
            // Nobody waits for it when the engine stops.
            let _ = tell.send(done);
        };
        std::thread::Builder::new().name("compact".into()).spawn(run).map_err(CompactError::Thread)?;
        told.await.map_err(|_| CompactError::Stopping)?
    }

    /// Joins blocks of the folder, when no store is behind it. `None` when one of them is there no longer.
    pub async fn in_folder(
        &self,
        tenant: &Tenant,
        job: Job,
        salt: u64,
    ) -> Result<Option<MergeStats>, CompactError> {
        let (this, tenant) = (self.clone(), tenant.clone());
        self.on_thread(move || {
            let listed = job.inputs.iter().map(|id| Some((*id, this.bucket.in_folder(&tenant, *id)?.block)));
            let Some(inputs) = listed.collect::<Option<Vec<(BlockId, Block)>>>() else { return Ok(None) };
            let options = this.merge_options(&job, salt, true);
            let mut open = |id| {
                let written = this.bucket.begin(&tenant, id).map_err(io::Error::other)?;
                Ok(BufWriter::with_capacity(1 << 20, written))
            };
            let report = this.merge(&inputs, &options, &mut open)?;
            drop(inputs);
            let mut made = Vec::new();
            for output in report.outputs {
                made.push(output.sink.into_inner().map_err(|error| failed(error.into_error()))?);
            }
            this.bucket.replace(&tenant, made, &job.inputs)?;
            Ok(Some(report.stats))
        })
        .await
    }

    fn merge<W: Write>(
        &self,
        inputs: &[(BlockId, Block)],
        options: &MergeOptions,
        open: &mut dyn FnMut(BlockId) -> io::Result<W>,
    ) -> Result<MergeReport<W>, CompactError> {
        let mut watch = |_: MergeProgress| match self.stop.load(Ordering::Relaxed) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        };
        match &self.without {
            None => Ok(merge(inputs, options, &mut KeepAll, &mut watch, open)?),
            Some(hits) => Ok(merge(inputs, options, &mut Without(hits), &mut watch, open)?),
        }
    }

    /// Joins blocks of the store. `None` when another node was faster.
    pub async fn in_store(&self, tenant: &Tenant, job: &Job) -> Result<Option<MergeStats>, CompactError> {
        let Some(remote) = self.bucket.remote() else { return Ok(None) };
        let scratch = Scratch::new(&self.bucket).map_err(failed)?;
        let work = InStore { joiner: self, scratch, stats: Mutex::default() };
        let done = remote.steps().compact(tenant, job, &work).await?;
        self.bucket.poll(tenant).await?;
        Ok(matches!(done, Compacted::Done(_)).then(|| *work.stats.lock()))
    }
}

fn failed(error: io::Error) -> CompactError {
    CompactError::Bucket(BucketError::Io {
        action: "writing",
        path: "a block that is made of others".into(),
        source: error,
    })
}

/// Files that go when they are needed no more.
struct Scratch {
    folder: PathBuf,
}

impl Scratch {
    fn new(bucket: &Bucket) -> io::Result<Self> {
        let root = bucket.scratch().ok_or_else(|| io::Error::other("the disk is simulated"))?;
        let folder = root.join("compaction");
        // What a former run left.
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder)?;
        Ok(Self { folder })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left goes at the next start.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The work on blocks of the store: inputs are copied here, outputs made here.
struct InStore<'a> {
    joiner: &'a Joiner,
    scratch: Scratch,
    stats: Mutex<MergeStats>,
}

impl Merge for InStore<'_> {
    fn merge<'a>(&'a self, outputs: Outputs<'a>) -> BoxFuture<'a, Result<Vec<Output>, MergeError>> {
        async move { self.run(outputs).await.map_err(merge_failed) }.boxed()
    }
}

fn merge_failed(error: CompactError) -> MergeError {
    match error {
        CompactError::Ship(ShipError::Store(error)) => MergeError::Store(error),
        other => MergeError::Failed(other.to_string()),
    }
}

impl InStore<'_> {
    async fn run(&self, outputs: Outputs<'_>) -> Result<Vec<Output>, CompactError> {
        let mut inputs = Vec::with_capacity(outputs.inputs.len());
        for entry in outputs.inputs {
            inputs.push((entry.id, self.input(outputs.tenant, entry).await?));
        }
        let (joiner, folder) = (self.joiner.clone(), self.scratch.folder.clone());
        // Ordinals of this node's log mean nothing to others.
        let options = joiner.merge_options(outputs.job, outputs.name(0).number, false);
        let work = move || {
            let mut paths = Vec::new();
            let mut open = |id: BlockId| {
                let path = folder.join(format!("{id}.made"));
                let file = File::create_new(&path)?;
                paths.push(path);
                Ok(BufWriter::with_capacity(1 << 20, file))
            };
            let report = joiner.merge(&inputs, &options, &mut open)?;
            let metas: Vec<_> = report.outputs.into_iter().map(|output| output.meta).collect();
            Ok((metas, paths, report.stats))
        };
        let (metas, paths, stats) = self.joiner.on_thread(work).await?;
        *self.stats.lock() = stats;
        let made = (0u16..).zip(metas.into_iter().zip(paths));
        let output = |(place, (meta, path)): (u16, (spanloom_block::BlockMeta, PathBuf))| {
            let entry = BlockEntry::new(outputs.name(place), &meta);
            Output { entry, from: Upload::File(path) }
        };
        Ok(made.map(output).collect())
    }

    /// An input: the folder's own, or a copy of the store's.
    async fn input(&self, tenant: &Tenant, entry: &BlockEntry) -> Result<Block, CompactError> {
        let bucket = &self.joiner.bucket;
        if let Some(listed) = bucket.in_folder(tenant, entry.id) {
            return Ok(listed.block);
        }
        let path = self.scratch.folder.join(format!("{}.input", entry.id));
        let mut file = File::create_new(&path).map_err(failed)?;
        bucket.read_whole(tenant, entry, |bytes| file.write_all(bytes)).await?;
        drop(file);
        Ok(Block::open(&path).map_err(BucketError::from)?)
    }
}
