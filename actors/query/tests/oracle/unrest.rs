//! A house whose blocks go to a store that fails, where two nodes join and delete them as fast as they can.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use spanloom_block::BlockId;
use spanloom_bucket::cache::{Cache, CacheOptions};
use spanloom_bucket::catalog::plan::{CompactionRules, RetentionRules};
use spanloom_bucket::catalog::steps::Steps;
use spanloom_bucket::catalog::{Catalog, Manifest, Timing};
use spanloom_bucket::objects::Objects as _;
use spanloom_bucket::store::faulty::{Faults, Faulty};
use spanloom_bucket::store::memory::Memory;
use spanloom_bucket::{Bucket, RealPace, Remote};
use spanloom_span::{Tenant, encode};
use spanloom_stage::{Budget, RealClock};
use spanloom_upkeep::{CompactionOptions, Upkeep, UpkeepMetrics, UpkeepOptions, UpkeepParts, WriteOptions};
use spanloom_wal::disk::RealDisk;
use tempfile::TempDir;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::ask::{House, Manner, runtime};
use crate::dice::Dice;
use crate::filled::Filled;
use crate::generate_traces;

pub type Objects = Arc<Faulty<Memory>>;

/// How often a question is asked until it must have an answer: more than ten seconds.
const PATIENCE: u32 = 5_000;

/// What goes wrong all the time.
const FAULTS: Faults = Faults {
    before: 0.04,
    after: 0.03,
    conflict: 0.1,
    damage: 0.02,
    slow: 0.2,
    longest_delay: Duration::from_millis(4),
};

/// Blocks are deleted as soon as can be on a machine that may stand still for a while: what is decided must be done
/// within `act_within`. Questions whose block has gone are asked again.
const TIMING: Timing = Timing {
    grace: Duration::from_secs(5),
    orphan_after: Duration::from_secs(600),
    act_within: Duration::from_millis(2_500),
};

/// No round of its own comes in the time of a test.
const NEVER: Duration = Duration::from_secs(360_000);

pub struct Node {
    pub bucket: Arc<Bucket>,
    pub upkeep: Upkeep,
    metrics: Arc<UpkeepMetrics>,
    pub dir: TempDir,
}

fn options() -> UpkeepOptions {
    let rules = CompactionRules { min_inputs: 2, max_inputs: 3, ..CompactionRules::default() };
    let compaction = CompactionOptions { rules, every: NEVER };
    let writing = WriteOptions {
        nice: 0,
        memory: 0,
        zstd_level: 1,
        max_block_bytes: 1 << 30,
        max_block_spans: 1 << 30,
        keep_free: 0,
    };
    UpkeepOptions {
        poll: NEVER,
        compaction: Some(compaction),
        writing,
        retention: RetentionRules::default(),
        retention_of: BTreeMap::new(),
        min_free_disk: 0,
        retain: NEVER,
        sweep: NEVER,
    }
}

impl Node {
    pub fn open(store: &Objects, handle: &Handle) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let bucket = bucket(store, handle, dir.path());
        let metrics = Arc::new(UpkeepMetrics::default());
        let parts = UpkeepParts {
            bucket: bucket.clone(),
            clock: Arc::new(RealClock::default()),
            metrics: metrics.clone(),
            memory: Budget::new(1 << 30),
            options: options(),
            share: Default::default(),
        };
        Self { bucket, upkeep: Upkeep::start(parts, handle), metrics, dir }
    }

    /// Rounds without a pause, whatever fails.
    async fn work(upkeep: Upkeep, is_over: Arc<AtomicBool>) {
        while !is_over.load(Ordering::SeqCst) {
            // What fails is tried again by the next round.
            let _ = upkeep.ship().await;
            let _ = upkeep.poll().await;
            upkeep.compact().await;
            upkeep.retain().await;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

/// Keeps little of the store's blocks here, so that questions ask the store; yet so much that one that failed finds what it
/// has brought when it is asked again.
fn bucket(store: &Objects, handle: &Handle, dir: &Path) -> Arc<Bucket> {
    let disk = Arc::new(RealDisk::new(dir).unwrap());
    let (bucket, _) = Bucket::open(disk, Some(dir.to_owned())).unwrap();
    let kept = CacheOptions { folder: Some(dir.join("cache")), data_bytes: 1 << 20, metadata_bytes: 1 << 20 };
    let cache = Cache::open(store.clone(), None, handle.clone(), kept);
    let catalog = Catalog::new(store.clone(), Arc::new(RealPace), TIMING);
    Arc::new(bucket.with_remote(Remote::new(store.clone(), Steps::new(Arc::new(catalog)), cache)))
}

/// A store that is asked while its blocks are moved about.
pub struct Unrest {
    house: House,
    store: Objects,
    nodes: [Node; 2],
    is_over: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Unrest {
    pub fn begin(seed: u64, manner: Manner) -> Self {
        let runtime = runtime();
        let handle = runtime.handle().clone();
        let faulty = Faulty::new(Arc::new(Memory::new()), seed, FAULTS);
        let store: Objects = Arc::new(faulty.with_sleep(Arc::new(|time| tokio::time::sleep(time).boxed())));
        let nodes = [(); 2].map(|()| Node::open(&store, &handle));
        let disk = Arc::new(RealDisk::new(nodes[0].dir.path()).unwrap());
        let house = House::over(runtime, manner, disk, nodes[0].bucket.clone(), None).patient(PATIENCE);
        let is_over = Arc::<AtomicBool>::default();
        let work = |node: &Node| handle.spawn(Node::work(node.upkeep.clone(), is_over.clone()));
        let mut tasks: Vec<JoinHandle<()>> = nodes.iter().map(work).collect();
        tasks.push(handle.spawn(die_now_and_then(store.clone(), seed, is_over.clone())));
        Self { house, store, nodes, is_over, tasks }
    }

    pub fn house(&self) -> &House {
        &self.house
    }

    fn push(&self, filled: &Filled, request: &generate_traces::Request) {
        self.house.push(&filled.tenants[request.tenant], encode::traces_data(&request.spans));
    }

    pub fn fill(&self, store: &generate_traces::Store, filled: &Filled) {
        for (number, request) in store.requests.iter().enumerate() {
            self.push(filled, request);
            // More blocks than the store asks for.
            if request.seal || number % 4 == 0 {
                self.house.flush();
            }
        }
    }

    /// Some of the spans once more.
    pub fn push_again(&self, store: &generate_traces::Store, filled: &Filled, from: usize) {
        store.requests.iter().skip(from % 3).step_by(3).for_each(|request| self.push(filled, request));
    }

    /// The store is good again; returns when all blocks are in it and joined.
    pub fn end(&mut self, tenants: &[Tenant]) {
        self.is_over.store(true, Ordering::SeqCst);
        self.house.flush();
        let handle = self.house.handle();
        for task in std::mem::take(&mut self.tasks) {
            handle.block_on(task).unwrap();
        }
        self.store.set_faults(Faults::default());
        self.store.set_dead(false);
        let [one, two] = &self.nodes;
        handle.block_on(async {
            // A list that was never written is made anew first, and that round ships nothing.
            while one.bucket.unshipped().blocks > 0 {
                one.upkeep.ship().await.unwrap();
            }
            one.upkeep.compact().await;
            for node in [one, two] {
                node.upkeep.retain().await;
                node.upkeep.poll().await.unwrap();
            }
        });
        for tenant in tenants {
            let listed = [one, two].map(|node| node.bucket.blocks(tenant).iter().map(|l| l.id).collect());
            let [one, two]: [Vec<_>; 2] = listed;
            assert_eq!(one, two, "both nodes list the same blocks");
            let there = handle.block_on(self.store.list(tenant.as_str())).unwrap();
            for id in &one {
                let id: &BlockId = id;
                let is_there = there.iter().any(|found| found.path.contains(&id.to_string()));
                assert!(is_there, "block {id} is listed and not there: {:?}", self.manifest(tenant));
            }
        }
    }

    fn manifest(&self, tenant: &Tenant) -> Arc<Manifest> {
        let remote = self.nodes[0].bucket.remote().unwrap();
        self.house.handle().block_on(remote.steps().catalog().refresh(tenant)).unwrap()
    }

    /// From now on the node is asked that took no spans.
    pub fn ask_the_other(&mut self) {
        self.house.ask_elsewhere(self.nodes[1].bucket.clone());
    }

    pub fn joins(&self) -> u64 {
        self.nodes.iter().map(|node| node.metrics.compactions.get()).sum()
    }

    pub fn faults(&self) -> u64 {
        self.store.faults()
    }
}

impl Drop for Unrest {
    fn drop(&mut self) {
        // After a failure they still run.
        self.is_over.store(true, Ordering::SeqCst);
    }
}

/// Leaves out what a tenant sends of a span that it has sent before. Which of two versions counts is not the same for good
/// once blocks are joined that were not neighbours: `docs/TRACEQL.md`.
pub fn first_versions_alone(store: &mut generate_traces::Store) {
    let mut sent = HashSet::new();
    for request in &mut store.requests {
        let scopes = request.spans.resource_spans.iter_mut().flat_map(|of| &mut of.scope_spans);
        for scope in scopes {
            scope.spans.retain(|span| sent.insert((request.tenant, span.trace_id, span.span_id, span.kind)));
        }
    }
}

/// Now and then nothing of the store answers for a while.
async fn die_now_and_then(store: Objects, seed: u64, is_over: Arc<AtomicBool>) {
    let mut dice = Dice::new(seed);
    while !is_over.load(Ordering::SeqCst) {
        tokio::time::sleep(Duration::from_millis(dice.between(20, 120) as u64)).await;
        store.set_dead(true);
        tokio::time::sleep(Duration::from_millis(dice.between(5, 60) as u64)).await;
        store.set_dead(false);
    }
}
