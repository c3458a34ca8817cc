//! A store of objects in memory, with versions that ascend. For tests and simulations: it needs no runtime, answers
//! at once, and two with the same calls have the same contents.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;

use super::path;
use crate::objects::{Found, Got, Objects, StoreError, Swapped, Upload, Version};

const NAME: &str = "memory";

/// A store in memory.
#[derive(Debug, Default)]
pub struct Memory(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    objects: BTreeMap<String, Object>,
    written: u64,
    now: u64,
}

#[derive(Debug)]
struct Object {
    bytes: Bytes,
    generation: u64,
    modified: u64,
}

impl Memory {
    /// An empty store, whose clock stands at 0.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the clock that says when objects were written, in nanoseconds since 1970.
    pub fn set_now(&self, now: u64) {
        self.0.lock().now = now;
    }

    /// How many objects there are.
    pub fn len(&self) -> usize {
        self.0.lock().objects.len()
    }

    /// Whether there is no object.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn read(&self, path: &str, unless: Option<&Version>) -> Result<Got, StoreError> {
        check("reading", path, false)?;
        let state = self.0.lock();
        let Some(object) = state.objects.get(path) else { return Ok(Got::Absent) };
        let version = version(object.generation);
        Ok(if unless == Some(&version) { Got::Unchanged } else { Got::Object(object.bytes.clone(), version) })
    }

    fn read_ranges(&self, path: &str, ranges: &[Range<u64>]) -> Result<Vec<Bytes>, StoreError> {
        check("reading", path, false)?;
        let state = self.0.lock();
        let read = |range: &Range<u64>| {
            if range.start > range.end {
                return Err(failed("reading", path, format!("the range {range:?} ends before it begins")));
            }
            if range.is_empty() {
                return Ok(Bytes::new());
            }
            let absent = || StoreError::Absent { store: NAME.into(), path: path.to_owned() };
            let bytes = &state.objects.get(path).ok_or_else(absent)?.bytes;
            if range.end > bytes.len() as u64 {
                let reason = format!("it ends at byte {}, expected bytes {range:?} of it", bytes.len());
                return Err(StoreError::Damaged { store: NAME.into(), path: path.to_owned(), reason });
            }
            Ok(bytes.slice(range.start as usize..range.end as usize))
        };
        ranges.iter().map(read).collect()
    }

    fn write(&self, path: &str, from: Upload) -> Result<(), StoreError> {
        check("writing", path, false)?;
        let bytes = match from {
            Upload::Bytes(bytes) => bytes,
            Upload::File(file) => std::fs::read(&file)
                .map_err(|error| failed("writing", path, format!("the file {}: {error}", file.display())))?
                .into(),
        };
        self.0.lock().insert(path, bytes);
        Ok(())
    }

    fn write_if(&self, path: &str, bytes: Bytes, expected: Option<&Version>) -> Result<Swapped, StoreError> {
        check("writing", path, false)?;
        let mut state = self.0.lock();
        let found = state.objects.get(path).map(|object| version(object.generation));
        if found.as_ref() != expected {
            return Ok(Swapped::Conflict);
        }
        Ok(Swapped::Done(state.insert(path, bytes)))
    }

    fn remove(&self, path: &str) -> Result<(), StoreError> {
        check("deleting", path, false)?;
        self.0.lock().objects.remove(path);
        Ok(())
    }

    fn find(&self, folder: &str) -> Result<Vec<Found>, StoreError> {
        check("listing", folder, true)?;
        let state = self.0.lock();
        let below = |path: &str| is_below(path, folder).is_some();
        let objects = state.objects.iter().filter(|(path, _)| below(path));
        let found = |(path, object): (&String, &Object)| Found {
            path: path.clone(),
            bytes: object.bytes.len() as u64,
            modified: object.modified,
        };
        Ok(objects.map(found).collect())
    }

    fn find_folders(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        check("listing", folder, true)?;
        let state = self.0.lock();
        let inner = |path| Some(is_below(path, folder)?.split_once('/')?.0.to_owned());
        let names: BTreeSet<String> = state.objects.keys().filter_map(|path| inner(path)).collect();
        Ok(names.into_iter().collect())
    }
}

impl State {
    fn insert(&mut self, path: &str, bytes: Bytes) -> Version {
        self.written += 1;
        let object = Object { bytes, generation: self.written, modified: self.now };
        self.objects.insert(path.to_owned(), object);
        version(self.written)
    }
}

/// The rest of a path that lies below a folder.
fn is_below<'a>(path: &'a str, folder: &str) -> Option<&'a str> {
    if folder.is_empty() { Some(path) } else { path.strip_prefix(folder)?.strip_prefix('/') }
}

fn version(generation: u64) -> Version {
    Version { tag: Some(format!("\"{generation:x}\"")), generation: Some(generation.to_string()) }
}

fn check(action: &'static str, path: &str, root: bool) -> Result<(), StoreError> {
    path::join("", path, root).map(drop).map_err(|reason| failed(action, path, reason))
}

fn failed(action: &'static str, path: &str, reason: String) -> StoreError {
    StoreError::Failed { action, store: NAME.into(), path: path.to_owned(), reason }
}

impl Objects for Memory {
    fn get<'a>(
        &'a self,
        path: &'a str,
        unless: Option<&'a Version>,
    ) -> BoxFuture<'a, Result<Got, StoreError>> {
        Box::pin(async move { self.read(path, unless) })
    }

    fn ranges<'a>(
        &'a self,
        path: &'a str,
        ranges: &'a [Range<u64>],
    ) -> BoxFuture<'a, Result<Vec<Bytes>, StoreError>> {
        Box::pin(async move { self.read_ranges(path, ranges) })
    }

    fn put<'a>(&'a self, path: &'a str, from: Upload) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move { self.write(path, from) })
    }

    fn swap<'a>(
        &'a self,
        path: &'a str,
        bytes: Bytes,
        expected: Option<&'a Version>,
    ) -> BoxFuture<'a, Result<Swapped, StoreError>> {
        Box::pin(async move { self.write_if(path, bytes, expected) })
    }

    fn delete<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move { self.remove(path) })
    }

    fn list<'a>(&'a self, folder: &'a str) -> BoxFuture<'a, Result<Vec<Found>, StoreError>> {
        Box::pin(async move { self.find(folder) })
    }

    fn folders<'a>(&'a self, folder: &'a str) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        Box::pin(async move { self.find_folders(folder) })
    }
}
