//! Single cases of the catalog: what it costs, and what becomes of what is lost, damaged, unreadable or none of ours.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_util::FutureExt;
use spanloom_block::BlockId;
use spanloom_bucket::catalog::plan::Job;
use spanloom_bucket::catalog::steps::{StepError, Steps, Uploaded};
use spanloom_bucket::catalog::{
    Catalog, CatalogError, Change, Pace, ReadError, Rebuilt, TENANTS_PATH, Timing, block_path, manifest_path,
};
use spanloom_bucket::objects::Upload;

use crate::contents::Contents;
use crate::executor::Executor;
use crate::workers::{SimMerge, read_block};
use crate::world::{GRACE, SECOND, Shared, TIMING, World, tenant};

/// A store without faults, and one process.
struct Case {
    shared: Shared,
    steps: Steps,
    executor: Executor,
}

impl Case {
    fn new() -> Self {
        let shared = Shared::new(1);
        shared.no_more_faults();
        let steps = Self::process(&shared);
        Self { executor: Executor::new(shared.clone()), shared, steps }
    }

    fn process(shared: &Shared) -> Steps {
        Steps::new(Arc::new(Catalog::new(shared.objects(), shared.pace(), TIMING)))
    }

    fn run<T>(&mut self, work: impl Future<Output = T>) -> T {
        self.executor.finish(work)
    }

    /// Runs something that is stopped for some time as soon as the world is so.
    fn run_frozen<T>(
        &mut self,
        work: impl Future<Output = T>,
        mut so: impl FnMut(&World) -> bool,
        time: Duration,
    ) -> T {
        let mut work = std::pin::pin!(work);
        let mut frozen = false;
        loop {
            if let Poll::Ready(value) = work.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                assert!(frozen, "it was never so");
                return value;
            }
            self.shared.world().advance();
            if !frozen && so(&self.shared.world()) {
                frozen = true;
                self.shared.wait(time);
            }
        }
    }

    /// A block of some spans, which is not in the store yet.
    fn block(&self, id: BlockId, spans: &[u64], replaces: &[BlockId]) -> Contents {
        let mut world = self.shared.world();
        while spans.iter().any(|span| *span >= world.make_span()) {}
        Contents {
            id,
            level: 0,
            time: (5 * SECOND, 9 * SECOND),
            salt: 1,
            spans: spans.iter().copied().collect(),
            replaces: replaces.to_vec(),
        }
    }

    fn upload(&mut self, block: &Contents) -> Result<Uploaded, StepError> {
        let steps = self.steps.clone();
        self.run(steps.upload(&tenant(), block.entry(), Upload::Bytes(block.bytes())))
    }

    /// Puts a block that nobody lists.
    fn put(&self, block: &Contents) {
        self.shared.world().put(&block_path(&tenant(), block.id), block.bytes());
    }

    fn rebuild(&mut self) -> Result<Rebuilt, CatalogError> {
        let (steps, objects) = (self.steps.clone(), self.shared.objects());
        let read = move |path: String| {
            let objects = objects.clone();
            async move {
                let found = objects.get(&path, None).await?;
                let spanloom_bucket::objects::Got::Object(bytes, _) = found else {
                    panic!("{path} was listed")
                };
                let contents = Contents::read(&bytes);
                contents.map(|contents| contents.block()).ok_or(ReadError::Unreadable("no block".into()))
            }
            .boxed()
        };
        self.run(async move { steps.catalog().rebuild(&tenant(), &read).await })
    }

    fn listed(&self) -> Vec<u64> {
        self.shared.world().manifest().unwrap().blocks.iter().map(|entry| entry.id.number).collect()
    }

    fn gone(&self) -> Vec<u64> {
        self.shared.world().manifest().unwrap().gone.iter().map(|gone| gone.id.number).collect()
    }
}

fn id(number: u64) -> BlockId {
    BlockId { created: 77, number }
}

#[test]
fn a_manifest_that_did_not_change_costs_one_request_and_no_bytes() {
    let mut case = Case::new();
    let block = case.block(id(1), &[1, 2], &[]);
    assert_eq!(case.upload(&block).unwrap(), Uploaded::Listed);
    let other = Case::process(&case.shared);
    let first = case.run(other.catalog().refresh(&tenant())).unwrap();
    let before = case.shared.counts().0;
    let second = case.run(other.catalog().refresh(&tenant())).unwrap();
    let after = case.shared.counts().0;
    assert!(Arc::ptr_eq(&first, &second), "the same manifest, not decoded again");
    let of = |counts: &std::collections::BTreeMap<&str, u64>, what| counts.get(what).copied().unwrap_or(0);
    assert_eq!(of(&after, "request") - of(&before, "request"), 1);
    assert_eq!(of(&after, "unchanged") - of(&before, "unchanged"), 1);
    let tenants = case.run(other.catalog().tenants()).unwrap();
    assert_eq!(tenants.iter().cloned().collect::<Vec<_>>(), [tenant()]);
    let again = case.run(other.catalog().tenants()).unwrap();
    assert!(Arc::ptr_eq(&tenants, &again));
    // Looking never lists; only the first block of the tenant did, and the first tenant of the store.
    assert_eq!(of(&case.shared.counts().0, "listing"), 2);
}

/// Of two looks at the same time the slower one may bring the older manifest; who has seen the newer one keeps it.
#[test]
fn a_look_never_goes_back_behind_a_change_of_the_same_process() {
    let mut case = Case::new();
    let mut later = 0;
    for number in 0..100 {
        let block = case.block(id(number), &[number], &[]);
        let (steps, changed) = (case.steps.clone(), Cell::new(false));
        let upload = async {
            steps.upload(&tenant(), block.entry(), Upload::Bytes(block.bytes())).await.unwrap();
            changed.set(true);
        };
        let look = async {
            case.shared.pace().sleep(Duration::from_secs(number % 15)).await;
            let seen = steps.catalog().refresh(&tenant()).await.unwrap();
            if changed.get() {
                assert!(seen.block(block.id).is_some(), "the change was made before the look returned");
                later += 1;
            }
        };
        case.executor.finish(futures_util::future::join(upload, look));
    }
    assert!(later > 0);
}

#[test]
fn a_tenant_without_blocks_has_an_empty_manifest_and_is_not_in_the_list() {
    let mut case = Case::new();
    let steps = case.steps.clone();
    assert_eq!(case.run(steps.catalog().refresh(&tenant())).unwrap().blocks, []);
    let change = Change::default();
    assert_eq!(case.run(steps.catalog().commit(&tenant(), &change)).unwrap().version, 0);
    assert!(case.run(steps.catalog().tenants()).unwrap().is_empty());
    assert_eq!(case.shared.world().paths().count(), 0);
}

#[test]
fn a_lost_manifest_is_not_taken_for_a_new_tenants() {
    let mut case = Case::new();
    let (one, two) = (case.block(id(1), &[1], &[]), case.block(id(2), &[2], &[]));
    case.upload(&one).unwrap();
    case.shared.world().lose_manifest(false);
    // A process that knew it, and one that is new.
    assert!(matches!(case.upload(&two), Err(StepError::Catalog(CatalogError::Lost(_)))));
    case.steps = Case::process(&case.shared);
    assert!(matches!(case.upload(&two), Err(StepError::Catalog(CatalogError::Lost(_)))));
    let rebuilt = case.rebuild().unwrap();
    assert!(rebuilt.made);
    assert_eq!(case.listed(), [1, 2]);
    assert!(!case.rebuild().unwrap().made, "there is a good one");
    assert_eq!(case.upload(&two).unwrap(), Uploaded::Listed);
}

#[test]
fn a_damaged_manifest_is_kept_under_another_name() {
    let mut case = Case::new();
    let one = case.block(id(1), &[1], &[]);
    case.upload(&one).unwrap();
    for number in 1..3 {
        case.shared.world().lose_manifest(true);
        let (damaged, _) = case.shared.world().get(&manifest_path(&tenant())).unwrap();
        assert!(matches!(case.upload(&one), Err(StepError::Catalog(CatalogError::Damaged { .. }))));
        let before = case.shared.world().now;
        let rebuilt = case.rebuild().unwrap();
        let path = format!("team-1/manifest.damaged-{number}");
        assert_eq!(rebuilt.kept.as_deref(), Some(&path[..]));
        assert_eq!(case.shared.world().get(&path).unwrap().0, damaged);
        assert!(rebuilt.manifest.version >= before, "versions ascend for good");
        assert_eq!(case.listed(), [1]);
    }
}

/// Others may still delete what the lost manifest told them to: what is listed until then may be deleted after it.
#[test]
fn a_rebuild_waits_until_nobody_acts_on_the_lost_manifest() {
    let mut case = Case::new();
    let one = case.block(id(1), &[1], &[]);
    case.upload(&one).unwrap();
    for _ in 0..20 {
        case.shared.world().lose_manifest(false);
        let lost = case.shared.world().now;
        let before = case.shared.counts().0["listing"];
        let (steps, objects) = (case.steps.clone(), case.shared.objects());
        let read = move |path: String| read_block(objects.clone(), path);
        let rebuild = async move { steps.catalog().rebuild(&tenant(), &read).await };
        let mut listed = None;
        let listing = |world: &World| {
            listed = listed.or((world.counts.0["listing"] > before).then_some(world.now));
            listed.is_some()
        };
        case.run_frozen(rebuild, listing, Duration::ZERO).unwrap();
        assert!(listed.unwrap() - lost >= TIMING.act_within.as_nanos() as u64);
    }
}

/// Outputs are believed to hold what they say that they replace only when all of them are there.
#[test]
fn inputs_stay_listed_until_all_outputs_are_there() {
    let check = |outputs: &[u64], listed: &[usize], gone: &[usize]| {
        let mut case = Case::new();
        let inputs = [case.block(id(1), &[1, 2], &[]), case.block(id(2), &[3, 4], &[])];
        for input in &inputs {
            case.upload(input).unwrap();
        }
        let entries = [inputs[0].entry(), inputs[1].entry()];
        let job = Job::join(&[&entries[0], &entries[1]], 8);
        let made = [
            case.block(job.output(5, 0), &[1, 3], &[]),
            case.block(job.output(5, 1), &[2], &[]),
            case.block(job.output(5, 2), &[4], &job.inputs),
        ];
        for at in outputs {
            case.put(&made[*at as usize]);
        }
        case.shared.world().lose_manifest(false);
        case.rebuild().unwrap();
        let all: Vec<u64> = inputs.iter().chain(&made).map(|block| block.id.number).collect();
        let numbers = |places: &[usize]| places.iter().map(|at| all[*at]).collect::<Vec<_>>();
        assert_eq!(case.listed(), numbers(listed));
        assert_eq!(case.gone(), numbers(gone));
    };
    check(&[], &[0, 1], &[]);
    check(&[0, 1], &[0, 1, 2, 3], &[]);
    check(&[0, 1, 2], &[2, 3, 4], &[0, 1]);
    // One was swept before the others.
    check(&[1, 2], &[0, 1, 3, 4], &[]);
    check(&[0, 2], &[0, 1, 2, 4], &[]);
}

#[test]
fn what_cannot_be_read_is_told_and_left_alone() {
    let mut case = Case::new();
    let good = case.block(id(1), &[1], &[]);
    let short = case.block(id(2), &[2], &[]);
    case.upload(&good).unwrap();
    let odd = block_path(&tenant(), id(3));
    case.shared.world().put(&odd, "no block".into());
    // It says that it is another.
    case.shared.world().put(&block_path(&tenant(), id(4)), short.bytes());
    case.shared.world().put("team-1/notes", "mine".into());
    case.shared.world().lose_manifest(false);
    let rebuilt = case.rebuild().unwrap();
    let other = format!(
        "it says that it is block {} of {} bytes, and has {}",
        id(2),
        short.bytes().len(),
        short.bytes().len()
    );
    let expected = [(odd, "no block".to_owned()), (block_path(&tenant(), id(4)), other)];
    assert_eq!(rebuilt.unreadable, expected);
    assert_eq!(rebuilt.manifest.aside, [id(3), id(4)]);
    assert_eq!(case.listed(), [1]);
    // However long it lies there.
    case.shared.wait(TIMING.orphan_after * 9);
    let steps = case.steps.clone();
    assert_eq!(case.run(steps.sweep(&tenant())).unwrap().buried, []);
    case.run(steps.delete(&tenant())).unwrap();
    assert_eq!(case.shared.world().paths().filter(|path| path.starts_with("team-1/")).count(), 5);
    // When its maker puts it again it is as good as any.
    let mended = case.block(id(3), &[3], &[]);
    assert_eq!(case.upload(&mended).unwrap(), Uploaded::Listed);
    assert_eq!(case.shared.world().manifest().unwrap().aside, [id(4)]);
}

#[test]
fn a_block_that_lay_unlisted_is_swept_before_it_may_be_put_again() {
    let mut case = Case::new();
    let (one, two) = (case.block(id(1), &[1], &[]), case.block(id(2), &[2], &[]));
    case.upload(&one).unwrap();
    case.put(&two);
    let steps = case.steps.clone();
    assert_eq!(case.run(steps.sweep(&tenant())).unwrap().buried, [], "it is young");
    case.shared.wait(TIMING.orphan_after);
    assert_eq!(case.run(steps.sweep(&tenant())).unwrap().buried, [id(2)]);
    assert!(matches!(case.upload(&two), Err(StepError::BeingSwept(swept)) if swept == id(2)));
    for (waited, deleted, forgotten) in
        [(1, 0, 0), (GRACE.as_secs(), 1, 0), (1, 0, 0), (GRACE.as_secs(), 0, 1)]
    {
        case.shared.wait(Duration::from_secs(waited) + TIMING.act_within);
        let done = case.run(steps.delete(&tenant())).unwrap();
        assert_eq!((done.deleted.len(), done.forgotten), (deleted, forgotten));
    }
    assert_eq!(case.upload(&two).unwrap(), Uploaded::Listed);
    assert_eq!(case.listed(), [1, 2]);
}

#[test]
fn what_was_put_is_listed_soon_or_not_at_all() {
    let late = |result: Result<(), StepError>| {
        assert!(matches!(result, Err(StepError::Catalog(CatalogError::Late(_)))), "{result:?}");
    };
    let mut case = Case::new();
    let (one, two) = (case.block(id(1), &[1], &[]), case.block(id(2), &[2], &[]));
    case.upload(&one).unwrap();
    let steps = case.steps.clone();
    // Between putting the block and listing it others may bury it, delete it and forget it.
    let path = block_path(&tenant(), two.id);
    let tenant = tenant();
    let upload = steps.upload(&tenant, two.entry(), Upload::Bytes(two.bytes()));
    late(case.run_frozen(upload, |world| world.get(&path).is_some(), GRACE).map(|_| ()));
    assert_eq!(case.listed(), [1]);
    case.upload(&two).unwrap();
    let entries = [one.entry(), two.entry()];
    let job = Job::join(&[&entries[0], &entries[1]], 8);
    let merge = SimMerge { shared: case.shared.clone(), without: BTreeSet::new() };
    let put = |world: &World| world.paths().filter(|path| path.ends_with(".block")).count() > 2;
    late(case.run_frozen(steps.compact(&tenant, &job, &merge), put, TIMING.orphan_after).map(|_| ()));
    assert_eq!(case.listed(), [1, 2]);
}

#[test]
fn nothing_is_deleted_because_of_what_was_read_long_ago() {
    let mut case = Case::new();
    let (one, two) = (case.block(id(1), &[1], &[]), case.block(id(2), &[2], &[]));
    case.upload(&one).unwrap();
    case.put(&two);
    case.shared.wait(TIMING.orphan_after);
    let (steps, tenant) = (case.steps.clone(), tenant());
    case.run(steps.sweep(&tenant)).unwrap();
    case.shared.wait(GRACE + TIMING.act_within);
    let asked = case.shared.counts().0["request"];
    let reading = |world: &World| world.counts.0["request"] > asked;
    let done = case.run_frozen(steps.delete(&tenant), reading, TIMING.act_within / 2).unwrap();
    assert_eq!((done.deleted, done.left), (Vec::new(), 1));
    assert!(case.shared.world().get(&block_path(&tenant, two.id)).is_some());
}

#[test]
fn a_manifest_is_not_made_from_what_was_listed_long_ago() {
    let mut case = Case::new();
    let one = case.block(id(1), &[1], &[]);
    case.upload(&one).unwrap();
    case.shared.world().lose_manifest(false);
    let listed = case.shared.counts().0["listing"];
    let (steps, objects) = (case.steps.clone(), case.shared.objects());
    let rebuild = async move {
        let read = move |path: String| read_block(objects.clone(), path);
        steps.catalog().rebuild(&tenant(), &read).await
    };
    let result = case.run_frozen(rebuild, |world| world.counts.0["listing"] > listed, GRACE);
    assert!(matches!(result, Err(CatalogError::Late(_))));
    assert!(case.rebuild().unwrap().made);
}

#[test]
fn a_lost_or_damaged_list_of_tenants_is_made_from_the_folders() {
    let mut case = Case::new();
    let one = case.block(id(1), &[1], &[]);
    case.upload(&one).unwrap();
    let steps = case.steps.clone();
    case.shared.world().remove(TENANTS_PATH);
    assert!(matches!(case.run(steps.catalog().tenants()), Err(CatalogError::TenantsLost)));
    case.shared.world().put("no tenant!?/x", "y".into());
    assert_eq!(case.run(steps.catalog().rebuild_tenants()).unwrap().len(), 1);
    case.shared.world().put(TENANTS_PATH, "spanloom tenants 1\nxxh3 0\n".into());
    assert!(matches!(case.run(steps.catalog().tenants()), Err(CatalogError::Tenants(_))));
    case.run(steps.catalog().rebuild_tenants()).unwrap();
    let list = case.run(steps.catalog().tenants()).unwrap();
    assert_eq!(list.iter().cloned().collect::<BTreeSet<_>>(), BTreeSet::from([tenant()]));
}

/// Whoever works for the catalog runs on threads.
#[test]
fn steps_may_run_on_any_thread() {
    fn sendable<T: Send>(future: T) -> T {
        future
    }
    let case = Case::new();
    let (steps, tenant) = (case.steps, tenant());
    drop(sendable(steps.delete(&tenant)));
    drop(sendable(steps.sweep(&tenant)));
    drop(sendable(steps.catalog().tenants()));
    let pace: Arc<dyn Pace> = case.shared.pace();
    assert!(pace.now() > 0);
    let timing = Timing::default();
    assert!(timing.grace >= timing.act_within * 2 && timing.orphan_after > timing.grace);
}
