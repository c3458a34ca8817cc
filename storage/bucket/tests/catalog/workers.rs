//! What the workers do, each until it is killed.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use spanloom_block::BlockId;
use spanloom_bucket::catalog::plan::{self, CompactionRules, Job, RetentionRules};
use spanloom_bucket::catalog::steps::{
    Compacted, Merge, MergeError, Output, Outputs, StepError, Steps, Uploaded,
};
use spanloom_bucket::catalog::{Catalog, CatalogError, ReadError, block_path};
use spanloom_bucket::objects::{Got, Objects, StoreError, Upload};

use crate::contents::Contents;
use crate::world::{GRACE, SECOND, Shared, TIMING, tenant};

/// A machine that receives spans: its sealed blocks outlive its processes.
#[derive(Clone, Default)]
pub struct Node(Arc<Mutex<Vec<Contents>>>);

#[derive(Clone)]
pub enum Role {
    Upload(u64, Node),
    Compact,
    Redact,
    Retire,
    Delete,
    Sweep,
    /// Not a worker: what makes manifests vanish.
    Lose,
}

fn rules() -> CompactionRules {
    CompactionRules {
        window: Duration::from_secs(100),
        active: Duration::from_secs(50),
        widen: 4,
        widest: Duration::from_secs(1600),
        min_inputs: 2,
        max_inputs: 4,
        max_bytes: 3_000,
        max_spans: 200,
        max_level: 5,
    }
}

/// `down` is how long it takes until the process is started.
pub async fn live(role: Role, shared: Shared, down: Duration) {
    shared.pace().sleep(down).await;
    let catalog = Arc::new(Catalog::new(shared.objects(), shared.pace(), TIMING));
    let worker = Worker { steps: Steps::new(catalog), shared };
    loop {
        let (result, most) = match &role {
            Role::Upload(number, node) => (worker.upload(*number, node).await, 30),
            Role::Compact => (worker.compact().await, 40),
            Role::Redact => (worker.redact().await, 200),
            Role::Retire => (worker.retire().await, 200),
            Role::Delete => (worker.delete().await, 100),
            Role::Sweep => (worker.sweep().await, 300),
            Role::Lose => (worker.lose().await, 2000),
        };
        if let Err(error) = result {
            worker.after_error(error).await;
        }
        worker.sleep_up_to(most).await;
    }
}

struct Worker {
    steps: Steps,
    shared: Shared,
}

impl Worker {
    async fn sleep_up_to(&self, seconds: u64) {
        let time = self.shared.world().chance.below(seconds * SECOND);
        self.shared.pace().sleep(Duration::from_nanos(time)).await;
    }

    fn chance(&self, below: u64) -> u64 {
        self.shared.world().chance.below(below)
    }

    fn count(&self, what: &'static str) {
        self.shared.world().count(what);
    }

    async fn after_error(&self, error: StepError) {
        match error {
            StepError::Catalog(CatalogError::Lost(_) | CatalogError::Damaged { .. }) => {
                _ = rebuild(&self.steps, &self.shared).await;
            }
            StepError::Catalog(CatalogError::Stale(_)) => self.count("stale"),
            StepError::Catalog(CatalogError::Late(_)) => self.count("late"),
            StepError::BeingSwept(_) => {
                self.count("being swept");
                self.shared.pace().sleep(GRACE * 2).await;
            }
            StepError::Catalog(CatalogError::Store(_) | CatalogError::Contended(_)) => {}
            StepError::Merge(MergeError::Store(_)) => {}
            other => panic!("{other}"),
        }
    }

    async fn upload(&self, number: u64, node: &Node) -> Result<(), StepError> {
        if node.0.lock().is_empty() {
            let block = seal(&self.shared, number);
            node.0.lock().push(block);
            if self.chance(10) < 3 {
                return Ok(());
            }
        }
        upload_first(&self.steps, &self.shared, node).await
    }

    async fn compact(&self) -> Result<(), StepError> {
        let manifest = self.steps.catalog().refresh(&tenant()).await?;
        let now = self.shared.world().now;
        let jobs = plan::compaction(&manifest.blocks, now, &rules());
        if jobs.is_empty() {
            return Ok(());
        }
        self.sleep_up_to(20).await;
        let job = &jobs[self.chance(jobs.len() as u64) as usize];
        self.run(job, BTreeSet::new(), "compacted").await
    }

    async fn redact(&self) -> Result<(), StepError> {
        let manifest = self.steps.catalog().refresh(&tenant()).await?;
        if manifest.blocks.is_empty() {
            return Ok(());
        }
        let entry = manifest.blocks[self.chance(manifest.blocks.len() as u64) as usize];
        let spans: BTreeSet<u64> = {
            let mut world = self.shared.world();
            let found = world.get(&block_path(&tenant(), entry.id)).and_then(|(b, _)| Contents::read(&b));
            let all = world.chance.below(3) == 0;
            let spans = found.map(|contents| contents.spans).unwrap_or_default();
            spans.into_iter().filter(|_| all || world.chance.below(2) == 0).collect()
        };
        self.shared.world().redact(&spans);
        self.run(&Job::redact(&entry), spans, "redacted").await
    }

    async fn run(&self, job: &Job, without: BTreeSet<u64>, what: &'static str) -> Result<(), StepError> {
        let merge = SimMerge { shared: self.shared.clone(), without };
        match self.steps.compact(&tenant(), job, &merge).await? {
            Compacted::Done(outputs) if outputs.is_empty() => self.count("emptied"),
            Compacted::Done(_) => self.count(what),
            Compacted::Outdated(_) => self.count("compacted outdated"),
        }
        Ok(())
    }

    async fn retire(&self) -> Result<(), StepError> {
        let manifest = self.steps.catalog().refresh(&tenant()).await?;
        let rules = RetentionRules {
            max_age: Some(Duration::from_secs(1500)),
            max_bytes: Some(6_000),
            min_free_disk: None,
        };
        let now = self.shared.world().now;
        let retired = plan::retention(&manifest, now, &rules, None);
        if !retired.is_empty() {
            self.steps.retire(&tenant(), &retired).await?;
            self.count("retired");
        }
        Ok(())
    }

    async fn delete(&self) -> Result<(), StepError> {
        let done = self.steps.delete(&tenant()).await?;
        if !done.deleted.is_empty() {
            self.count("deleted");
        }
        if done.forgotten > 0 {
            self.count("forgotten");
        }
        Ok(())
    }

    async fn sweep(&self) -> Result<(), StepError> {
        if !self.steps.sweep(&tenant()).await?.buried.is_empty() {
            self.count("buried");
        }
        Ok(())
    }

    async fn lose(&self) -> Result<(), StepError> {
        self.sleep_up_to(3000).await;
        let mut world = self.shared.world();
        let damaged = world.chance.below(2) == 0;
        world.lose_manifest(damaged);
        Ok(())
    }
}

/// A block of new spans, as a node seals it.
fn seal(shared: &Shared, number: u64) -> Contents {
    let mut world = shared.world();
    let spans = 1 + world.chance.below(4);
    let spans: BTreeSet<u64> = (0..spans).map(|_| world.make_span()).collect();
    let end = world.now - world.chance.below(60 * SECOND);
    let salt = world.chance.next();
    let id = BlockId { created: world.now, number };
    Contents { id, level: 0, time: (end - 5 * SECOND, end), salt, spans, replaces: Vec::new() }
}

/// Uploads a node's first block, which may go when that is acknowledged.
async fn upload_first(steps: &Steps, shared: &Shared, node: &Node) -> Result<(), StepError> {
    let Some(block) = node.0.lock().first().cloned() else { return Ok(()) };
    let uploaded = steps.upload(&tenant(), block.entry(), Upload::Bytes(block.bytes())).await?;
    shared.world().count(match uploaded {
        Uploaded::Listed => "upload",
        Uploaded::Gone(_) => "upload gone before",
    });
    shared.world().keep(&block.spans);
    node.0.lock().retain(|other| other.id != block.id);
    Ok(())
}

pub async fn upload_all(steps: Steps, shared: Shared, node: Node) {
    while !node.0.lock().is_empty() {
        match upload_first(&steps, &shared, &node).await {
            Ok(()) => {}
            Err(StepError::BeingSwept(_)) => {
                shared.pace().sleep(GRACE * 2).await;
                delete(steps.clone()).await;
            }
            Err(error) => panic!("{error}"),
        }
    }
}

pub async fn sweep(steps: Steps) {
    steps.sweep(&tenant()).await.unwrap();
}

pub async fn delete(steps: Steps) {
    steps.delete(&tenant()).await.unwrap();
}

pub async fn rebuild_if_needed(steps: Steps, shared: Shared) {
    rebuild(&steps, &shared).await.unwrap();
}

async fn rebuild(steps: &Steps, shared: &Shared) -> Result<(), CatalogError> {
    let objects = shared.objects();
    let read = move |path: String| read_block(objects.clone(), path);
    let rebuilt = steps.catalog().rebuild(&tenant(), &read).await?;
    if rebuilt.made {
        shared.world().count("rebuilt");
        if !rebuilt.manifest.gone.is_empty() {
            shared.world().count("replaced at rebuild");
        }
    }
    assert_eq!(rebuilt.unreadable, []);
    Ok(())
}

pub fn read_block(
    objects: Arc<dyn Objects>,
    path: String,
) -> BoxFuture<'static, Result<spanloom_bucket::catalog::ReadBlock, ReadError>> {
    async move { Ok(contents(objects.as_ref(), &path).await?.block()) }.boxed()
}

async fn contents(objects: &dyn Objects, path: &str) -> Result<Contents, StoreError> {
    match objects.get(path, None).await? {
        Got::Object(bytes, _) => Ok(Contents::read(&bytes).expect("blocks are put whole")),
        Got::Absent | Got::Unchanged => {
            Err(StoreError::Absent { store: "the simulation".into(), path: path.into() })
        }
    }
}

/// Joins sets of numbers, and splits them into some outputs.
pub struct SimMerge {
    pub shared: Shared,
    pub without: BTreeSet<u64>,
}

impl Merge for SimMerge {
    fn merge<'a>(&'a self, outputs: Outputs<'a>) -> BoxFuture<'a, Result<Vec<Output>, MergeError>> {
        async move {
            let objects = self.shared.objects();
            let mut inputs = Vec::new();
            for entry in outputs.inputs {
                inputs.push(contents(objects.as_ref(), &block_path(&tenant(), entry.id)).await?);
            }
            let mut world = self.shared.world();
            let parts = 1 + world.chance.below(3) as usize;
            let mut sets = vec![BTreeSet::new(); parts];
            let spans = inputs.iter().flat_map(|input| &input.spans);
            for span in spans.filter(|span| !self.without.contains(span)) {
                sets[*span as usize % parts].insert(*span);
            }
            sets.retain(|set| !set.is_empty());
            let from = inputs.iter().map(|input| input.time.0).min().unwrap();
            let to = inputs.iter().map(|input| input.time.1).max().unwrap();
            let last = sets.len();
            let made = (1..).zip(sets).map(|(at, spans)| Contents {
                id: outputs.name(at as u16 - 1),
                level: outputs.job.level,
                time: (from, to),
                salt: world.chance.next(),
                spans,
                replaces: if at == last { outputs.replaces().to_vec() } else { Vec::new() },
            });
            let made = made.map(|c| Output { entry: c.entry(), from: Upload::Bytes(c.bytes()) });
            Ok(made.collect())
        }
        .boxed()
    }
}
