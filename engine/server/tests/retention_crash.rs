//! Kill -9 at random points of retention and deletion: what is kept is there after each restart, what is not goes, the
//! store lists what it has, and nothing that no list names stays longer than documented.
//!
//! `SPANLOOM_CRASH_ROUNDS` for more rounds, `SPANLOOM_CRASH_SEED` for another course of them.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
#![allow(clippy::print_stdout, reason = "how much was tried is what one wants to know")]

mod house;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use house::load::{by_trace, check, load_for, load_while};
use house::{Client, House};
use spanloom_block::BlockId;
use spanloom_bucket::RealPace;
use spanloom_bucket::catalog::{Catalog, Manifest, ObjectName, Timing};
use spanloom_bucket::objects::{Found, Objects};
use spanloom_bucket::store::{Limits, Place, Store, StoreConfig};
use spanloom_load::random::Random;
use spanloom_span::{SpanId, Tenant, TraceId};

/// The tenant whose spans are kept for a second; the others' are kept.
const BRIEF: &str = "brief";

/// Small files, early sealing, eager joining, and the shortest times that a store allows.
const CONFIG: &str = "
memory: {budget: 96MiB}
log: {segment_bytes: 1MiB}
trace: {idle: 50ms, max_age: 1s}
seal: {block_bytes: 400KiB, max_age: 200ms}
compaction: {every: 100ms, zstd_level: 1}
retention: {tenants: {brief: {max_age: 1s}}}
";

/// `store.grace` and `store.orphan_after`.
const GRACE: Duration = Duration::from_secs(2);
const ORPHAN_AFTER: Duration = Duration::from_secs(12);

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

fn start(dir: &Path, config: &str) -> House {
    House::start_with(dir, "timeout: 1s", config)
}

/// Rounds that each end with a kill; `after` is called when the server has ended.
fn survive(dir: &Path, config: &str, after: impl Fn(&str)) -> House {
    let (rounds, seed) = (number("SPANLOOM_CRASH_ROUNDS", 16), number("SPANLOOM_CRASH_SEED", 1));
    let mut random = Random::new(seed);
    let mut kept: HashMap<TraceId, Vec<SpanId>> = HashMap::new();
    let mut house = start(dir, config);
    for round in 0..rounds {
        // Mostly in the first round of retention, sometimes after some of them.
        let longest = if round % 4 == 3 { 2500 } else { 250 };
        let pause = Duration::from_millis(5 + u64::from(random.below(longest)));
        let (port, seeds) = (house.otlp, seed * 1_000_000 + round * 20);
        let mut brief = Vec::new();
        let acknowledged = load_while(port, seeds, |_| {
            brief = load_for(Some(BRIEF), port, seeds + 10, |_| {
                std::thread::sleep(pause);
                house.kill();
            });
        });
        let when = format!("round {round}, seed {seed}");
        after(&when);
        house = start(dir, config);
        let traces = by_trace(&acknowledged);
        check(&house, &traces, &when);
        none_twice(&house, by_trace(&brief).keys());
        for (trace, spans) in traces {
            kept.entry(trace).or_default().extend(spans);
        }
    }
    check(&house, &kept, "at the end");
    println!("{rounds} kills, {} traces that are kept, none lost, none twice", kept.len());
    house
}

/// Of what is kept briefly each span is there once or not at all.
fn none_twice<'a>(house: &House, traces: impl Iterator<Item = &'a TraceId>) {
    let mut client: Client = house.client().of(Some(BRIEF));
    for trace in traces {
        let mut found = client.span_ids(*trace);
        let all = found.len();
        found.sort_unstable();
        found.dedup();
        assert_eq!(found.len(), all, "trace {trace} has a span twice\n{}", house.log());
    }
}

fn blocks_of(dir: &Path, tenant: &str) -> usize {
    let blocks = std::fs::read_dir(dir.join("data/blocks").join(tenant));
    blocks.map_or(0, |files| files.count())
}

#[test]
fn blocks_of_the_folder_are_retired_whenever_it_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let house = survive(dir.path(), CONFIG, |_| {});
    house.flush();
    house.stop();
    std::thread::sleep(Duration::from_secs(1));
    let house = start(dir.path(), CONFIG);
    house.wait_until("what is kept briefly has gone", || blocks_of(dir.path(), BRIEF) == 0);
    assert!(blocks_of(dir.path(), Tenant::default().as_str()) > 0);
    house.stop();
}

/// The store of a test, seen beside the server.
struct Seen {
    store: Arc<Store>,
    runtime: tokio::runtime::Runtime,
}

impl Seen {
    fn at(folder: &Path) -> Self {
        let place = Place::Folder(folder.to_owned());
        let config = StoreConfig { place, prefix: String::new(), limits: Limits::default() };
        let store = Arc::new(Store::open(&config).unwrap());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { store, runtime }
    }

    /// The manifest and the objects of a tenant, in this order or the other.
    fn look(&self, tenant: &Tenant, objects_first: bool) -> (Manifest, BTreeMap<String, Found>) {
        let timing = Timing { grace: GRACE, orphan_after: ORPHAN_AFTER, act_within: GRACE / 2 };
        self.runtime.block_on(async {
            let catalog = Catalog::new(self.store.clone(), Arc::new(RealPace), timing);
            let list = || async { self.store.list(tenant.as_str()).await.unwrap() };
            let before = if objects_first { list().await } else { Vec::new() };
            let manifest = Manifest::clone(&*catalog.refresh(tenant).await.unwrap());
            let objects = if objects_first { before } else { list().await };
            (manifest, objects.into_iter().map(|found| (found.path.clone(), found)).collect())
        })
    }

    /// What is listed is there, whole. What is not listed is on its way out, or younger than an orphan.
    fn is_consistent(&self, when: &str) {
        for tenant in [Tenant::default(), Tenant::new(BRIEF).unwrap()] {
            let (manifest, objects) = self.look(&tenant, false);
            for entry in &manifest.blocks {
                let path = spanloom_bucket::catalog::block_path(&tenant, entry.id);
                let found = objects.get(&path).map(|found| found.bytes);
                assert_eq!(found, Some(entry.bytes), "{when}: {path} is listed");
            }
        }
    }

    /// Objects of a tenant that its manifest does not list.
    fn unlisted(&self, tenant: &Tenant) -> Vec<String> {
        let (manifest, objects) = self.look(tenant, true);
        let is_listed = |id: BlockId| manifest.block(id).is_some();
        let is_left = |path: &&String| match ObjectName::of(tenant, path) {
            ObjectName::Manifest => false,
            ObjectName::Block(id) => !is_listed(id),
            _ => true,
        };
        objects.keys().filter(is_left).cloned().collect()
    }
}

#[test]
fn blocks_of_a_store_are_retired_and_deleted_whenever_it_is_killed() {
    let (dir, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let config = format!(
        "{CONFIG}\nstore: {{backend: folder, folder: {}, poll: 100ms, grace: {}s, orphan_after: {}s}}\n",
        folder.path().display(),
        GRACE.as_secs(),
        ORPHAN_AFTER.as_secs()
    );
    let seen = Seen::at(folder.path());
    let house = survive(dir.path(), &config, |when| seen.is_consistent(when));
    house.flush();
    let (kept, brief) = (Tenant::default(), Tenant::new(BRIEF).unwrap());
    house.wait_until("what is kept briefly has gone from the lists", || {
        seen.look(&brief, true).0.blocks.is_empty() && blocks_of(dir.path(), BRIEF) == 0
    });
    house.wait_until("objects that no list names have gone", || {
        seen.unlisted(&brief).is_empty() && seen.unlisted(&kept).is_empty()
    });
    seen.is_consistent("at the end");
    assert!(!seen.look(&kept, true).0.blocks.is_empty());
    house.wait_until("the last tombstones have gone", || {
        seen.look(&brief, true).0.gone.is_empty() && seen.look(&kept, true).0.gone.is_empty()
    });
    let deleted = house.metric("spanloom_objects_deleted_total");
    println!("{deleted} objects deleted since the last start");
    house.stop();
}
