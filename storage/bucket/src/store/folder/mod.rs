//! A store of objects that is a folder, of this machine or of one that several have mounted. An object is a file.
//!
//! | file | holds |
//! |---|---|
//! | `mod.rs` | the store |
//! | `durable.rs` | writing so that a power cut leaves the old or the new, and the lock of those who compare |
//! | `walk.rs` | listings |
//!
//! A file is written aside, synced, and renamed; then its folder is synced. Readers see the old or the new whole, and
//! take no lock. Whoever replaces or deletes a file holds the store's lock, so that a conditional write compares and
//! replaces in one step, also against other processes.
//!
//! The version of an object is a hash of its bytes (XXH3, 128 bits), since files have no generation: times are too
//! coarse and numbers of inodes come again. Bytes that were replaced and are back are the same version.
//!
//! The lock has random bytes in it that tell this store from another folder that is found in its place.
//!
//! `~aside` and `~lock` at the root are the store's own; no path can name them. An object cannot lie below another
//! one (`a` and `a/b`), which it can in clouds.

mod durable;
mod walk;

use std::fs::{self, File};
use std::io::ErrorKind;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Instant;

use bytes::Bytes;
use parking_lot::Mutex;
use xxhash_rust::xxh3::xxh3_128;

use super::config::Limits;
use super::counters::{Kind, Operation, StoreCounters, add};
use super::health::Health;
use super::path;
use crate::objects::{Found, Got, StoreError, Swapped, Upload, Version};

/// Where files are written before they have their name.
const ASIDE: &str = "~aside";
/// The file that whoever replaces or deletes holds a lock on.
const LOCK: &str = "~lock";

/// A folder of objects. Clones are the same store.
#[derive(Clone)]
pub(super) struct Folder(Arc<Inner>);

struct Inner {
    root: PathBuf,
    name: String,
    limits: Limits,
    counters: Arc<StoreCounters>,
    health: Arc<Health>,
    /// Held before the lock of the file, so that the threads of this process wait instead of asking again and again.
    writing: Mutex<()>,
    next: AtomicU64,
    here: Mutex<Here>,
}

/// Which folder was opened. Another one may be found at its path later: what was mounted there is gone, and an empty folder
/// is left, which must not be taken for a store without objects.
#[derive(Default)]
struct Here {
    /// What the store's lock has in it.
    id: Vec<u8>,
    /// The device and the number of the folder in which that was seen last.
    seen: Option<(u64, u64)>,
}

/// Why a file could not be read or written.
#[derive(Debug)]
enum Trouble {
    Absent,
    Io(String, std::io::Error),
    Damaged(String),
    Rejected(String),
}

/// Says what was being done to what.
fn io<'a>(doing: &'a str, path: &'a std::path::Path) -> impl FnOnce(std::io::Error) -> Trouble + 'a {
    move |error| Trouble::Io(format!("{doing} {}", path.display()), error)
}

/// Whether a path leads nowhere: there is no such file, or a file where a folder is meant.
fn leads_nowhere(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::IsADirectory)
}

/// Opens an object; `None` when there is none. With its length.
fn open(path: &std::path::Path) -> Result<Option<(File, u64)>, Trouble> {
    let file = match File::open(path) {
        Err(error) if leads_nowhere(&error) => return Ok(None),
        opened => opened.map_err(io("opening", path))?,
    };
    let metadata = file.metadata().map_err(io("asking for the length of", path))?;
    Ok((!metadata.is_dir()).then_some((file, metadata.len())))
}

impl Folder {
    /// Opens a folder, which is made if it is not there.
    pub fn open(
        root: PathBuf,
        limits: &Limits,
        counters: Arc<StoreCounters>,
        health: Arc<Health>,
    ) -> Result<Self, String> {
        let name = format!("folder {}", root.display());
        let inner = Inner {
            root,
            name,
            limits: limits.clone(),
            counters,
            health,
            writing: Mutex::default(),
            next: AtomicU64::new(rand::random()),
            here: Mutex::default(),
        };
        inner.prepare().map_err(|trouble| inner.error("opening", "", trouble).to_string())?;
        Ok(Self(Arc::new(inner)))
    }

    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Does work that may wait for the disk, and notes how it went.
    async fn run<T: Send + 'static>(
        &self,
        operation: Operation,
        action: &'static str,
        path: &str,
        work: impl FnOnce(&Inner) -> Result<T, Trouble> + Send + 'static,
    ) -> Result<T, StoreError> {
        let began = Instant::now();
        let inner = self.0.clone();
        let work = move || inner.is_here().and_then(|()| work(&inner));
        let result = tokio::task::spawn_blocking(work).await;
        let result = result.unwrap_or_else(|error| Err(Trouble::Rejected(error.to_string())));
        let inner = &self.0;
        let failed = match &result {
            Ok(_) | Err(Trouble::Absent) => None,
            Err(Trouble::Damaged(_)) => Some(Kind::Short),
            Err(Trouble::Rejected(_)) => Some(Kind::Rejected),
            Err(Trouble::Io(_, error)) if error.kind() == ErrorKind::PermissionDenied => Some(Kind::Refused),
            Err(Trouble::Io(..)) => Some(Kind::Local),
        };
        inner.counters.ended(operation, began.elapsed(), failed);
        let result = result.map_err(|trouble| inner.error(action, path, trouble));
        match &result {
            Err(error) if failed.is_some() => inner.health.bad(error),
            _ => inner.health.good(),
        }
        result
    }

    pub async fn get(&self, path: &str, unless: Option<&Version>) -> Result<Got, StoreError> {
        const ACTION: &str = "reading";
        let file = self.0.file(ACTION, path)?;
        let unless = unless.cloned();
        let got = self.run(Operation::Get, ACTION, path, move |inner| {
            let Some((file, len)) = open(&file)? else { return Ok(Got::Absent) };
            if len > inner.limits.largest_get {
                let (found, most) = (len, inner.limits.largest_get);
                return Err(Trouble::Rejected(format!("there are {found} bytes, expected {most} at most")));
            }
            let bytes = inner.read_at(&file, &(0..len), len)?;
            let version = version_of(&bytes);
            Ok(if unless == Some(version.clone()) { Got::Unchanged } else { Got::Object(bytes, version) })
        });
        got.await
    }

    pub async fn ranges(&self, path: &str, ranges: &[Range<u64>]) -> Result<Vec<Bytes>, StoreError> {
        const ACTION: &str = "reading";
        let file = self.0.file(ACTION, path)?;
        let ranges = ranges.to_vec();
        if ranges.iter().all(|range| range.start == range.end) {
            return Ok(vec![Bytes::new(); ranges.len()]);
        }
        let read = self.run(Operation::Get, ACTION, path, move |inner| {
            let (file, len) = open(&file)?.ok_or(Trouble::Absent)?;
            ranges.iter().map(|range| inner.read_at(&file, range, len)).collect()
        });
        read.await
    }

    pub async fn put(&self, path: &str, from: Upload) -> Result<(), StoreError> {
        const ACTION: &str = "writing";
        let file = self.0.file(ACTION, path)?;
        self.run(Operation::Put, ACTION, path, move |inner| {
            let aside = inner.write_aside(&from)?;
            let _lock = inner.lock()?;
            inner.give_name(&aside, &file)
        })
        .await
    }

    pub async fn swap(
        &self,
        path: &str,
        bytes: Bytes,
        expected: Option<&Version>,
    ) -> Result<Swapped, StoreError> {
        const ACTION: &str = "writing";
        let file = self.0.file(ACTION, path)?;
        let expected = expected.cloned();
        let swapped = self.run(Operation::Swap, ACTION, path, move |inner| {
            let version = version_of(&bytes);
            let aside = inner.write_aside(&Upload::Bytes(bytes))?;
            let _lock = inner.lock()?;
            let found = match fs::read(&file) {
                Err(error) if leads_nowhere(&error) => None,
                read => Some(version_of(&read.map_err(io("reading", &file))?)),
            };
            if found != expected {
                add(&inner.counters.conflicts, 1);
                return Ok(Swapped::Conflict);
            }
            inner.give_name(&aside, &file)?;
            Ok(Swapped::Done(version))
        });
        swapped.await
    }

    pub async fn delete(&self, path: &str) -> Result<(), StoreError> {
        const ACTION: &str = "deleting";
        let file = self.0.file(ACTION, path)?;
        self.run(Operation::Delete, ACTION, path, move |inner| {
            let _lock = inner.lock()?;
            inner.remove(&file)
        })
        .await
    }

    pub async fn list(&self, folder: &str) -> Result<Vec<Found>, StoreError> {
        const ACTION: &str = "listing";
        let below = self.0.folder(ACTION, folder)?;
        self.run(Operation::List, ACTION, folder, move |inner| inner.list(&below)).await
    }

    pub async fn folders(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        const ACTION: &str = "listing";
        let below = self.0.folder(ACTION, folder)?;
        self.run(Operation::List, ACTION, folder, move |inner| inner.folders(&below)).await
    }
}

impl Inner {
    /// Where an object is.
    fn file(&self, action: &'static str, path: &str) -> Result<PathBuf, StoreError> {
        path::check(path).map_err(|reason| self.error(action, path, Trouble::Rejected(reason)))?;
        Ok(self.root.join(path))
    }

    /// As [`Inner::file`], and the root for no path.
    fn folder(&self, action: &'static str, folder: &str) -> Result<PathBuf, StoreError> {
        if folder.is_empty() { Ok(self.root.clone()) } else { self.file(action, folder) }
    }

    fn read_at(&self, file: &File, range: &Range<u64>, end: u64) -> Result<Bytes, Trouble> {
        if range.start > range.end {
            return Err(Trouble::Rejected(format!("the range {range:?} ends before it begins")));
        }
        if range.is_empty() {
            // Nothing is asked for, so it does not matter where.
            return Ok(Bytes::new());
        }
        if range.end > end {
            return Err(Trouble::Damaged(format!("it ends at byte {end}, expected bytes {range:?} of it")));
        }
        let mut bytes = vec![0; (range.end - range.start) as usize];
        file.read_exact_at(&mut bytes, range.start)
            .map_err(|error| Trouble::Io(format!("reading bytes {range:?}"), error))?;
        add(&self.counters.bytes_in, bytes.len() as u64);
        Ok(bytes.into())
    }

    fn error(&self, action: &'static str, path: &str, trouble: Trouble) -> StoreError {
        let (store, path) = (self.name.clone(), path.to_owned());
        match trouble {
            Trouble::Absent => StoreError::Absent { store, path },
            Trouble::Damaged(reason) => StoreError::Damaged { store, path, reason },
            Trouble::Rejected(reason) => StoreError::Failed { action, store, path, reason },
            Trouble::Io(doing, error) => {
                let reason = format!("{doing}: {error}");
                if error.kind() == ErrorKind::PermissionDenied {
                    StoreError::Refused { action, store, path, reason }
                } else {
                    StoreError::Failed { action, store, path, reason }
                }
            }
        }
    }
}

fn version_of(bytes: &[u8]) -> Version {
    Version { tag: Some(format!("{:032x}", xxh3_128(bytes))), generation: None }
}
