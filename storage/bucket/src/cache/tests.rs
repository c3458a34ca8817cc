//! What is kept is what the store has, is brought once, and stays within its budgets.

use std::collections::BTreeMap;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::atomic::AtomicBool;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::runtime::Runtime;

use super::*;
use crate::objects::{Found, Got, StoreError, Swapped, Upload, Version};

/// A store of objects whose bytes follow from their path.
#[derive(Default)]
struct Fake {
    asked: Mutex<Vec<Range<u64>>>,
    is_down: AtomicBool,
}

fn content(path: &str, range: Range<u64>) -> Vec<u8> {
    let salt = path.bytes().fold(7u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    range.map(|at| (at.wrapping_mul(0x9e37_79b9).wrapping_add(salt) >> 11) as u8).collect()
}

impl Objects for Fake {
    fn ranges<'a>(
        &'a self,
        path: &'a str,
        ranges: &'a [Range<u64>],
    ) -> BoxFuture<'a, Result<Vec<Bytes>, StoreError>> {
        async move {
            if self.is_down.load(Ordering::Relaxed) {
                let (store, reason) = ("fake".into(), "down".into());
                return Err(StoreError::Failed { action: "reading", store, path: path.into(), reason });
            }
            self.asked.lock().extend(ranges.iter().cloned());
            Ok(ranges.iter().map(|range| content(path, range.clone()).into()).collect())
        }
        .boxed()
    }

    fn get<'a>(&'a self, _: &'a str, _: Option<&'a Version>) -> BoxFuture<'a, Result<Got, StoreError>> {
        async { Ok(Got::Absent) }.boxed()
    }

    fn put<'a>(&'a self, _: &'a str, _: Upload) -> BoxFuture<'a, Result<(), StoreError>> {
        async { Ok(()) }.boxed()
    }

    fn swap<'a>(
        &'a self,
        _: &'a str,
        _: Bytes,
        _: Option<&'a Version>,
    ) -> BoxFuture<'a, Result<Swapped, StoreError>> {
        async { Ok(Swapped::Conflict) }.boxed()
    }

    fn delete<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        async { Ok(()) }.boxed()
    }

    fn list<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Vec<Found>, StoreError>> {
        async { Ok(Vec::new()) }.boxed()
    }

    fn folders<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        async { Ok(Vec::new()) }.boxed()
    }
}

/// A shared cache, in which a test may change what is there.
#[derive(Default)]
struct Shared(Mutex<BTreeMap<String, Bytes>>);

impl SharedCache for Shared {
    fn get<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<Bytes>>, String>> {
        let values = self.0.lock();
        let found = keys.iter().map(|key| values.get(key).cloned()).collect();
        async { Ok(found) }.boxed()
    }

    fn put<'a>(&'a self, values: Vec<(String, Bytes)>) -> BoxFuture<'a, Result<(), String>> {
        self.0.lock().extend(values);
        async { Ok(()) }.boxed()
    }
}

struct House {
    store: Arc<Fake>,
    shared: Option<Arc<Shared>>,
    runtime: Runtime,
    folder: tempfile::TempDir,
}

const LEN: u64 = 40 * UNIT + 123;
const TAIL: u64 = 30 * UNIT + 5;

impl House {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let (store, folder) = (Arc::default(), tempfile::tempdir().unwrap());
        Self { store, shared: None, runtime, folder }
    }

    fn open(&self, data_bytes: u64, metadata_bytes: u64) -> Cache {
        let options = CacheOptions { folder: Some(self.folder.path().into()), data_bytes, metadata_bytes };
        let shared = self.shared.clone().map(|shared| shared as Arc<dyn SharedCache>);
        Cache::open(self.store.clone(), shared, self.runtime.handle().clone(), options)
    }

    /// A cache that knows nothing of those before it.
    fn open_in_memory(&self) -> Cache {
        let options = CacheOptions { folder: None, data_bytes: NO_LIMIT, metadata_bytes: NO_LIMIT };
        let shared = self.shared.clone().map(|shared| shared as Arc<dyn SharedCache>);
        Cache::open(self.store.clone(), shared, self.runtime.handle().clone(), options)
    }

    fn asked(&self) -> Vec<Range<u64>> {
        std::mem::take(&mut *self.store.asked.lock())
    }

    fn files(&self) -> usize {
        std::fs::read_dir(self.folder.path()).unwrap().count()
    }
}

/// Reads a range, and compares it with what the store has.
fn read(source: &Arc<dyn Source>, path: &str, range: Range<u64>) {
    let partial = source.open().unwrap();
    partial.fill(std::slice::from_ref(&range)).unwrap();
    assert!(partial.has(&range));
    let mut bytes = vec![0; (range.end - range.start) as usize];
    partial.file().read_exact_at(&mut bytes, range.start).unwrap();
    assert!(bytes == content(path, range.clone()), "{path} {range:?}");
}

const NO_LIMIT: u64 = u64::MAX;

#[test]
fn what_is_here_is_not_asked_for_again() {
    let house = House::new();
    let cache = house.open(NO_LIMIT, NO_LIMIT);
    let source = cache.source("a/1.block", LEN, TAIL);
    let check = |range: Range<u64>, expected: &[Range<u64>]| {
        read(&source, "a/1.block", range.clone());
        assert_eq!(house.asked(), expected, "{range:?}");
    };
    check(10..20, &[0..UNIT]);
    check(0..UNIT, &[]);
    check(UNIT - 1..UNIT + 1, &[UNIT..2 * UNIT]);
    check(4 * UNIT..4 * UNIT + 1, &[4 * UNIT..5 * UNIT]);
    check(3 * UNIT..6 * UNIT, &[3 * UNIT..4 * UNIT, 5 * UNIT..6 * UNIT]);
    check(LEN - 1..LEN, &[40 * UNIT..LEN]);
    check(7..7, &[]);
    assert_eq!(cache.usage(), CacheUsage { blocks: 1, data_bytes: 5 * UNIT, metadata_bytes: 123 });
}

#[test]
fn many_readers_bring_a_unit_once() {
    let house = House::new();
    let cache = house.open(NO_LIMIT, NO_LIMIT);
    let source = cache.source("a/1.block", LEN, TAIL);
    std::thread::scope(|scope| {
        for reader in 0..8u64 {
            let source = &source;
            scope.spawn(move || {
                for step in 0..40 {
                    let from = (reader * 17 + step * 13) % 40 * UNIT;
                    read(source, "a/1.block", from..(from + 3 * UNIT).min(LEN));
                }
            });
        }
    });
    let mut units: Vec<u32> = house.asked().iter().flat_map(units::units_of).collect();
    units.sort_unstable();
    assert_eq!(units, (0..41).collect::<Vec<u32>>());
}

#[test]
fn budgets_are_kept_and_metadata_stays_longest() {
    let house = House::new();
    let cache = house.open(60 * UNIT, 33 * UNIT);
    let path = |number: u64| format!("a/{number}.block");
    for round in 0..3 {
        for number in 0..3 + round {
            read(&cache.source(&path(number), LEN, TAIL), &path(number), 0..LEN);
            let usage = cache.usage();
            assert!(usage.data_bytes <= 60 * UNIT && usage.metadata_bytes <= 33 * UNIT, "{usage:?}");
        }
        house.asked();
    }
    // The one before the last was cut down to its metadata.
    read(&cache.source(&path(3), LEN, TAIL), &path(3), TAIL..LEN);
    assert_eq!(house.asked(), []);
    assert!(cache.counters().cut.load(Ordering::Relaxed) > 0);
    assert!(cache.counters().dropped.load(Ordering::Relaxed) > 0);
    // Files of what went are gone.
    assert_eq!(house.files() as u64, cache.usage().blocks);
    cache.forget(&path(3));
    assert_eq!(house.files() as u64, cache.usage().blocks);
}

#[test]
fn a_reader_goes_on_with_what_was_let_go() {
    let house = House::new();
    let cache = house.open(NO_LIMIT, NO_LIMIT);
    let source = cache.source("a/1.block", LEN, TAIL);
    let before = source.open().unwrap();
    before.fill(&[0..UNIT, UNIT..UNIT + 1]).unwrap();
    let made = Arc::new(5u8);
    before.keep(made.clone());
    assert!(before.is_current());
    cache.forget("a/1.block");
    assert!(!before.is_current());
    assert_eq!(Arc::strong_count(&made), 1, "what was made of it is let go of");
    let mut byte = [0];
    before.file().read_exact_at(&mut byte, 5).unwrap();
    assert_eq!(byte, content("a/1.block", 5..6)[..]);
    house.asked();
    read(&source, "a/1.block", 5..6);
    assert_eq!(house.asked(), [0..UNIT]);
}

#[test]
fn the_next_server_goes_on_with_what_is_there() {
    let house = House::new();
    let cache = house.open(NO_LIMIT, NO_LIMIT);
    let source = cache.source("a/1.block", LEN, TAIL);
    read(&source, "a/1.block", 0..3 * UNIT);
    read(&source, "a/1.block", TAIL..LEN);
    cache.save().unwrap();
    let usage = cache.usage();
    drop((source, cache));
    let file = std::fs::read_dir(house.folder.path()).unwrap().map(|e| e.unwrap().path());
    let file = file.into_iter().find(|path| path.extension().is_some_and(|e| e == "part")).unwrap();
    let damage = std::fs::File::options().write(true).open(file).unwrap();
    damage.write_all_at(b"damage", UNIT + 9).unwrap();
    house.asked();

    let cache = house.open(NO_LIMIT, NO_LIMIT);
    assert_eq!(cache.usage(), usage);
    let source = cache.source("a/1.block", LEN, TAIL);
    read(&source, "a/1.block", 0..LEN);
    let asked: Vec<u32> = house.asked().iter().flat_map(units::units_of).collect();
    let expected: Vec<u32> = std::iter::once(1).chain(3..30).collect();
    assert_eq!(asked, expected);
    assert_eq!(cache.counters().damaged.load(Ordering::Relaxed), 1);
    assert_eq!(cache.usage().data_bytes + cache.usage().metadata_bytes, LEN);
}

#[test]
fn after_a_crash_nothing_is_believed() {
    let house = House::new();
    let cache = house.open(NO_LIMIT, NO_LIMIT);
    let source = cache.source("a/1.block", LEN, TAIL);
    read(&source, "a/1.block", 0..LEN);
    cache.save().unwrap();
    drop((source, cache));
    // The list is there for one server alone: this one took it, wrote on, and was killed.
    std::mem::forget(house.open(NO_LIMIT, NO_LIMIT));
    assert_eq!(house.files(), 1);
    let cache = house.open(NO_LIMIT, NO_LIMIT);
    assert_eq!((cache.usage(), house.files()), (CacheUsage::default(), 0));
    // Nor is a list that was cut off.
    read(&cache.source("a/1.block", LEN, TAIL), "a/1.block", 0..LEN);
    cache.save().unwrap();
    drop(cache);
    let list = house.folder.path().join("kept");
    let text = std::fs::read_to_string(&list).unwrap();
    std::fs::write(&list, &text[..text.len() / 2]).unwrap();
    assert_eq!(house.open(NO_LIMIT, NO_LIMIT).usage(), CacheUsage::default());
    assert_eq!(house.files(), 0);
}

#[test]
fn a_store_that_fails_is_asked_again() {
    let house = House::new();
    let cache = house.open(NO_LIMIT, NO_LIMIT);
    let source = cache.source("a/1.block", LEN, TAIL);
    house.store.is_down.store(true, Ordering::Relaxed);
    let error = source.open().unwrap().fill(&[0..1, 5..9]).unwrap_err();
    assert!(error.to_string().contains("reading a/1.block: fake: down"), "{error}");
    house.store.is_down.store(false, Ordering::Relaxed);
    read(&source, "a/1.block", 0..9);
}

#[test]
fn what_is_doubted_is_asked_for_again_and_stays_for_who_reads_it() {
    let house = House::new();
    let cache = house.open(1 << 30, 1 << 30);
    let source = cache.source("t/one.block", LEN, TAIL);
    let (one, same) = (source.open().unwrap(), source.open().unwrap());
    one.fill(&[0..10]).unwrap();
    assert_eq!(house.asked().len(), 1);
    one.doubt();
    assert!(!one.is_current() && !same.is_current() && one.has(&(0..10)));
    let again = source.open().unwrap();
    assert!(!again.has(&(0..10)));
    // Whoever comes late doubts what is there no longer.
    same.doubt();
    assert!(again.is_current());
    read(&source, "t/one.block", 0..10);
    assert_eq!((house.asked().len(), cache.counters().damaged.load(Ordering::Relaxed)), (1, 2));
}

#[test]
fn without_a_folder_memory_does() {
    let house = House::new();
    let file = house.folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let options = CacheOptions { folder: Some(file), data_bytes: NO_LIMIT, metadata_bytes: NO_LIMIT };
    let cache = Cache::open(house.store.clone(), None, house.runtime.handle().clone(), options);
    read(&cache.source("a/1.block", LEN, TAIL), "a/1.block", 0..LEN);
    assert_eq!(cache.counters().file_errors.load(Ordering::Relaxed), 1);
}

#[test]
fn a_shared_cache_saves_requests_and_is_not_believed() {
    let mut house = House::new();
    let shared = Arc::new(Shared::default());
    house.shared = Some(shared.clone());
    let check = |house: &House, asked: &[Range<u64>]| {
        let cache = house.open_in_memory();
        read(&cache.source("a/1.block", LEN, TAIL), "a/1.block", 39 * UNIT..LEN);
        assert_eq!(house.asked(), asked);
        // What was brought is put beside the answer: wait for it.
        while Arc::strong_count(&cache.0.store) > 1 + 1 {
            std::thread::yield_now();
        }
    };
    check(&house, &[39 * UNIT..LEN]);
    check(&house, &[]);
    let keys: Vec<String> = shared.0.lock().keys().cloned().collect();
    assert_eq!(keys.len(), 2);
    for damaged in [&b""[..], b"short", &[7; UNIT as usize + 8]] {
        shared.0.lock().insert(keys[0].clone(), Bytes::copy_from_slice(damaged));
        check(&house, &[39 * UNIT..LEN]);
        check(&house, &[]);
    }
}

#[test]
fn a_unit_that_the_shared_cache_gives_for_another_is_not_believed() {
    let mut house = House::new();
    let shared = Arc::new(Shared::default());
    house.shared = Some(shared.clone());
    let unit = |path: &str| {
        let cache = house.open_in_memory();
        read(&cache.source(path, LEN, TAIL), path, 0..UNIT);
        while Arc::strong_count(&cache.0.store) > 1 + 1 {
            std::thread::yield_now();
        }
    };
    unit("a/1.block");
    unit("b/1.block");
    let values: Vec<Bytes> = shared.0.lock().values().cloned().collect();
    assert_eq!(values.len(), 2);
    shared.0.lock().values_mut().zip(values.into_iter().rev()).for_each(|(value, other)| *value = other);
    house.asked();
    unit("a/1.block");
    assert_eq!(house.asked(), [0..UNIT]);
}

/// While one makes room others bring units of the blocks that it counts.
#[test]
fn room_is_made_while_others_bring_units() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let tiny = CacheOptions { folder: None, data_bytes: 2 * UNIT, metadata_bytes: 1 };
    let cache = Cache::open(Arc::new(Fake::default()), None, runtime.handle().clone(), tiny);
    let len = 40 * UNIT;
    std::thread::scope(|scope| {
        for reader in 0..4u64 {
            let cache = &cache;
            scope.spawn(move || {
                for round in 0..200 {
                    let path = format!("t/{}.block", (reader + round) % 3);
                    let source = cache.source(&path, len, len / 2);
                    let opened = source.open().unwrap();
                    for unit in 0..40 {
                        let at = (unit * 7 + round) % 40 * UNIT;
                        opened.fill(&[at..at + 1]).unwrap();
                    }
                }
            });
        }
    });
}
