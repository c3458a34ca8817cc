//! The store's objects, the time, what is in flight, and what must hold at every effect.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::{Mutex, MutexGuard};
use spanloom_block::BlockId;
use spanloom_bucket::catalog::{
    BlockEntry, Manifest, ObjectName, Pace, Reason, Timing, block_path, manifest_path,
};
use spanloom_bucket::objects::Objects;
use spanloom_span::Tenant;

use crate::chance::Chance;
use crate::contents::Contents;
use crate::store::{SimPace, SimStore};

pub const SECOND: u64 = 1_000_000_000;
pub const GRACE: Duration = Duration::from_secs(100);
pub const TIMING: Timing =
    Timing { grace: GRACE, orphan_after: Duration::from_secs(400), act_within: Duration::from_secs(20) };

/// Blocks that were sealed have lower numbers than those that were made from others.
const SEALED: u64 = 1 << 16;

/// A request takes effect no later than this after it was sent: half of `act_within`.
pub const REQUEST: u64 = 10 * SECOND;

pub fn tenant() -> Tenant {
    Tenant::new("team-1").unwrap()
}

/// How often what a run is about happened.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Counts(pub BTreeMap<&'static str, u64>);

impl Counts {
    pub fn add(&mut self, other: &Self) {
        for (what, times) in &other.0 {
            *self.0.entry(what).or_default() += times;
        }
    }

    /// A run that does not do what it should cannot fail.
    pub fn assert_all_happened(&self) {
        for what in [
            "upload",
            "upload gone before",
            "being swept",
            "compacted",
            "compacted outdated",
            "stale",
            "late",
            "redacted",
            "emptied",
            "retired",
            "deleted",
            "forgotten",
            "buried",
            "rebuilt",
            "damaged",
            "lost",
            "killed",
            "frozen",
            "error before",
            "error after",
            "late effect",
            "conflict",
            "replaced at rebuild",
        ] {
            assert!(self.0.contains_key(what), "{what} never happened: {self:?}");
        }
    }
}

struct Object {
    bytes: Bytes,
    version: u64,
    modified: u64,
}

type Event = Box<dyn FnOnce(&mut World) + Send>;

pub struct World {
    pub now: u64,
    pub chance: Chance,
    pub faults: bool,
    pub counts: Counts,
    objects: BTreeMap<String, Object>,
    versions: u64,
    events: BTreeMap<(u64, u64), Event>,
    sent: u64,
    /// Blocks of each manifest that some reader may still use, and when the manifest was replaced.
    readable: Vec<(u64, BTreeSet<BlockId>)>,
    highest_version: u64,
    /// Spans of all blocks that were ever made.
    made: BTreeSet<u64>,
    /// Spans whose upload was acknowledged.
    kept: BTreeSet<u64>,
    /// Spans that were retired or are to be redacted: they may be missing.
    may_go: BTreeSet<u64>,
}

impl World {
    /// What happens at a time, at the end of all that happens then.
    pub fn at(&mut self, time: u64, event: impl FnOnce(&mut World) + Send + 'static) {
        self.sent += 1;
        self.events.insert((time.max(self.now), self.sent), Box::new(event));
    }

    /// Moves the time to what happens next; false when nothing is to happen any more.
    pub fn advance(&mut self) -> bool {
        let Some(((time, _), event)) = self.events.pop_first() else { return false };
        self.now = time;
        event(self);
        true
    }

    pub fn count(&mut self, what: &'static str) {
        *self.counts.0.entry(what).or_default() += 1;
    }

    pub fn get(&self, path: &str) -> Option<(Bytes, u64)> {
        self.objects.get(path).map(|object| (object.bytes.clone(), object.version))
    }

    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.objects.keys().map(String::as_str)
    }

    pub fn list(&self, folder: &str) -> Vec<(String, u64, u64)> {
        let below = self.objects.iter().filter(|(path, _)| {
            folder.is_empty() || path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
        });
        below.map(|(path, object)| (path.clone(), object.bytes.len() as u64, object.modified)).collect()
    }

    pub fn put(&mut self, path: &str, bytes: Bytes) -> u64 {
        if let ObjectName::Block(id) = ObjectName::of(&tenant(), path)
            && let Some(manifest) = self.manifest()
            && manifest.block(id).is_some()
        {
            assert!(
                self.get(path).is_some_and(|(there, _)| there == bytes),
                "{path} is listed and written over"
            );
        }
        self.versions += 1;
        let object = Object { bytes, version: self.versions, modified: self.now };
        self.objects.insert(path.to_owned(), object);
        self.versions
    }

    /// Removes an object that is no block.
    pub fn remove(&mut self, path: &str) {
        self.objects.remove(path);
    }

    pub fn swap(&mut self, path: &str, bytes: Bytes, expected: Option<u64>) -> Option<u64> {
        if self.objects.get(path).map(|object| object.version) != expected {
            self.count("conflict");
            return None;
        }
        if path == manifest_path(&tenant()) {
            let next = Manifest::decode(&bytes).expect("no worker writes a damaged manifest");
            self.check_manifest(&next);
            self.supersede();
        }
        Some(self.put(path, bytes))
    }

    pub fn delete(&mut self, path: &str) {
        if let ObjectName::Block(id) = ObjectName::of(&tenant(), path) {
            let current = self.manifest().is_some_and(|manifest| manifest.block(id).is_some());
            assert!(!current, "{path} is deleted and listed");
            let (now, grace) = (self.now, GRACE.as_nanos() as u64);
            self.readable.retain(|(until, _)| until + grace > now);
            for (until, blocks) in &self.readable {
                let ago = (now - until) / SECOND;
                assert!(!blocks.contains(&id), "{path} is deleted, a reader may have listed it {ago} s ago");
            }
        }
        self.objects.remove(path);
    }

    /// The manifest is lost, or overwritten with something else.
    pub fn lose_manifest(&mut self, damaged: bool) {
        let path = manifest_path(&tenant());
        let Some((bytes, _)) = self.get(&path).filter(|_| self.manifest().is_some()) else { return };
        self.supersede();
        if damaged {
            let mut bytes = bytes.to_vec();
            let at = self.chance.below(bytes.len() as u64) as usize;
            bytes[at] ^= 1 << self.chance.below(8);
            self.put(&path, bytes.into());
            self.count("damaged");
        } else {
            self.objects.remove(&path);
            self.count("lost");
        }
    }

    /// The manifest in the store, if there is a good one.
    pub fn manifest(&self) -> Option<Manifest> {
        Manifest::decode(&self.get(&manifest_path(&tenant()))?.0).ok()
    }

    /// Readers may use the manifest for a while after it was replaced.
    fn supersede(&mut self) {
        if let Some(manifest) = self.manifest() {
            self.readable.push((self.now, manifest.blocks.iter().map(|entry| entry.id).collect()));
        }
    }

    fn check_manifest(&mut self, next: &Manifest) {
        assert!(next.version > self.highest_version, "versions ascend");
        self.highest_version = next.version;
        for entry in &next.blocks {
            self.check_listed(entry);
        }
        let after = self.spans(&next.blocks);
        assert!(after.is_subset(&self.made), "spans from nowhere");
        if let Some(before) = self.manifest() {
            self.check_removed(&before, next);
            let before = self.spans(&before.blocks);
            let missing = before.difference(&after).filter(|span| !self.may_go.contains(span));
            let missing: Vec<&u64> = missing.collect();
            assert!(missing.is_empty(), "spans {missing:?} are not listed any more");
        }
        self.check_all_kept(next);
    }

    /// Spans of blocks that are retired may be missing from now on.
    fn check_removed(&mut self, before: &Manifest, next: &Manifest) {
        let removed = before.blocks.iter().filter(|entry| next.block(entry.id).is_none()).copied();
        let removed: Vec<BlockEntry> = removed.collect();
        let had = self.spans(&removed);
        for entry in next.blocks.iter().filter(|entry| before.block(entry.id).is_none()) {
            let sealed = entry.id.number < SEALED;
            let new = sealed || self.spans(&[*entry]).is_subset(&had);
            assert!(new, "{} is listed beside blocks that have its spans already", entry.id);
        }
        for entry in &removed {
            let gone = next.gone(entry.id).expect("what is listed no longer is gone");
            if matches!(gone.reason, Reason::Retired(_)) {
                self.may_go.extend(self.spans(&[*entry]));
            }
        }
    }

    fn check_listed(&self, entry: &BlockEntry) {
        let path = block_path(&tenant(), entry.id);
        let (bytes, _) = self.get(&path).unwrap_or_else(|| panic!("{path} is listed and not there"));
        let contents = Contents::read(&bytes).unwrap_or_else(|| panic!("{path} is listed and damaged"));
        assert_eq!(contents.entry(), *entry, "{path} is listed as another block");
    }

    fn spans(&self, blocks: &[BlockEntry]) -> BTreeSet<u64> {
        let read = |entry: &BlockEntry| {
            let (bytes, _) = self.get(&block_path(&tenant(), entry.id))?;
            Some(Contents::read(&bytes)?.spans)
        };
        blocks.iter().filter_map(read).flatten().collect()
    }

    /// Whether all spans whose upload was acknowledged are listed, but for those that may be missing.
    pub fn check_all_kept(&self, manifest: &Manifest) {
        let there = self.spans(&manifest.blocks);
        let missing = |span: &&u64| !there.contains(span) && !self.may_go.contains(span);
        let missing: Vec<&u64> = self.kept.iter().filter(missing).collect();
        assert!(missing.is_empty(), "acknowledged spans {missing:?} are not listed");
    }

    /// Spans that must be there, and those that may be missing.
    pub fn guarded(&self) -> (usize, usize) {
        (self.kept.difference(&self.may_go).count(), self.may_go.len())
    }

    pub fn make_span(&mut self) -> u64 {
        let span = self.made.len() as u64;
        self.made.insert(span);
        span
    }

    pub fn keep(&mut self, spans: &BTreeSet<u64>) {
        self.kept.extend(spans);
        if let Some(manifest) = self.manifest() {
            self.check_all_kept(&manifest);
        }
    }

    pub fn redact(&mut self, spans: &BTreeSet<u64>) {
        self.may_go.extend(spans);
    }
}

/// The world, shared by all.
#[derive(Clone)]
pub struct Shared(Arc<Mutex<World>>);

impl Shared {
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(World {
            now: 1_000_000 * SECOND,
            chance: Chance::new(seed),
            faults: true,
            counts: Counts::default(),
            objects: BTreeMap::new(),
            versions: 0,
            events: BTreeMap::new(),
            sent: 0,
            readable: Vec::new(),
            highest_version: 0,
            made: BTreeSet::new(),
            kept: BTreeSet::new(),
            may_go: BTreeSet::new(),
        })))
    }

    pub fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock()
    }

    pub fn counts(&self) -> Counts {
        self.world().counts.clone()
    }

    pub fn objects(&self) -> Arc<dyn Objects> {
        Arc::new(SimStore(self.clone()))
    }

    pub fn pace(&self) -> Arc<dyn Pace> {
        Arc::new(SimPace(self.clone()))
    }

    pub fn no_more_faults(&self) {
        self.world().faults = false;
    }

    /// Lets so much time go by, and whatever is in flight happen.
    pub fn wait(&self, time: Duration) {
        let mut world = self.world();
        let end = world.now + time.as_nanos() as u64;
        world.at(end, |_| {});
        while world.now < end {
            world.advance();
        }
    }
}
