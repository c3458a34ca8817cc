//! Any calls in any order give on a folder what they give in memory.
#![allow(clippy::unwrap_used)] // these are tests

use std::collections::BTreeMap;

use bytes::Bytes;
use proptest::prelude::*;
use spanloom_bucket::objects::{Got, Objects, Swapped, Upload, Version};
use spanloom_bucket::store::memory::Memory;
use spanloom_bucket::store::{Limits, Place, Store, StoreConfig};

/// Names of objects none of which lies below another one.
const PATHS: [&str; 5] = ["a/x", "a/y/z", "b", "c.d/'e'/f", "c.d/g"];
const FOLDERS: [&str; 5] = ["", "a", "a/y", "c.d", "nothing"];

#[derive(Debug, Clone)]
enum Call {
    Put(usize),
    /// With the version that was seen so many versions ago, or with none.
    Swap(usize, Option<usize>),
    Get(usize),
    /// With the version that was seen so many versions ago.
    GetUnless(usize, usize),
    Ranges(usize, u64, u64),
    Delete(usize),
    List(usize),
    Folders(usize),
}

fn calls() -> impl Strategy<Value = Vec<Call>> {
    let path = || 0..PATHS.len();
    let call = prop_oneof![
        3 => path().prop_map(Call::Put),
        3 => (path(), prop::option::weighted(0.7, 0..3usize)).prop_map(|(path, ago)| Call::Swap(path, ago)),
        2 => path().prop_map(Call::Get),
        1 => (path(), 0..3usize).prop_map(|(path, ago)| Call::GetUnless(path, ago)),
        1 => (path(), 0..20u64, 0..20u64).prop_map(|(path, start, len)| Call::Ranges(path, start, start + len)),
        2 => path().prop_map(Call::Delete),
        1 => (0..FOLDERS.len()).prop_map(Call::List),
        1 => (0..FOLDERS.len()).prop_map(Call::Folders),
    ];
    prop::collection::vec(call, 1..60)
}

/// A store, and the versions of each path that it gave to its caller, oldest first.
struct Caller {
    store: Box<dyn Objects>,
    seen: BTreeMap<usize, Vec<Version>>,
}

impl Caller {
    fn new(store: impl Objects) -> Self {
        Self { store: Box::new(store), seen: BTreeMap::new() }
    }

    fn version(&self, path: usize, ago: usize) -> Option<Version> {
        self.seen.get(&path)?.iter().rev().nth(ago).cloned()
    }

    /// The `at`-th call, and what it gave, but for versions and times, which stores choose for themselves.
    async fn make(&mut self, at: usize, call: &Call) -> String {
        // No two writings are alike, since a folder takes what is alike for the same version.
        let bytes = Bytes::from(format!("writing {at}"));
        match *call {
            Call::Put(path) => {
                format!("{:?}", self.store.put(PATHS[path], Upload::Bytes(bytes)).await.is_ok())
            }
            Call::Swap(path, ago) => {
                let expected = match ago {
                    None => None,
                    Some(ago) => match self.version(path, ago) {
                        Some(version) => Some(version),
                        None => return "nothing to expect".to_owned(),
                    },
                };
                match self.store.swap(PATHS[path], bytes, expected.as_ref()).await.unwrap() {
                    Swapped::Conflict => "conflict".to_owned(),
                    Swapped::Done(version) => {
                        self.seen.entry(path).or_default().push(version);
                        "done".to_owned()
                    }
                }
            }
            Call::Get(path) => self.get(path, None).await,
            Call::GetUnless(path, ago) => {
                let known = self.version(path, ago);
                self.get(path, known).await
            }
            Call::Ranges(path, start, end) => {
                let found = self.store.ranges(PATHS[path], &[start..end, 0..3]).await;
                found.map_or_else(
                    |error| error.to_string().replace(name_of(&error), ""),
                    |found| format!("{found:?}"),
                )
            }
            Call::Delete(path) => format!("{:?}", self.store.delete(PATHS[path]).await.is_ok()),
            Call::List(folder) => {
                let found = self.store.list(FOLDERS[folder]).await.unwrap();
                let mut found: Vec<_> = found.into_iter().map(|found| (found.path, found.bytes)).collect();
                found.sort();
                format!("{found:?}")
            }
            Call::Folders(folder) => format!("{:?}", self.store.folders(FOLDERS[folder]).await.unwrap()),
        }
    }

    async fn get(&mut self, path: usize, known: Option<Version>) -> String {
        match self.store.get(PATHS[path], known.as_ref()).await.unwrap() {
            Got::Object(bytes, version) => {
                self.seen.entry(path).or_default().push(version);
                format!("{bytes:?}")
            }
            got => format!("{got:?}"),
        }
    }
}

/// What an error calls its store.
fn name_of(error: &spanloom_bucket::objects::StoreError) -> &str {
    use spanloom_bucket::objects::StoreError::{Absent, Damaged, Failed, Refused};
    match error {
        Absent { store, .. } | Refused { store, .. } | Failed { store, .. } | Damaged { store, .. } => store,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_folder_is_as_memory(calls in calls()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let place = Place::Folder(folder.path().to_owned());
        let config = StoreConfig { place, prefix: "p/q".into(), limits: Limits::default() };
        let mut callers = [Caller::new(Memory::new()), Caller::new(Store::open(&config).unwrap())];
        runtime.block_on(async {
            for (at, call) in calls.iter().enumerate() {
                let [memory, folder] = &mut callers;
                let (expected, found) = (memory.make(at, call).await, folder.make(at, call).await);
                prop_assert_eq!(expected, found, "call {}: {:?}", at, call);
            }
            Ok(())
        })?;
    }
}
