//! What is kept of one block: a sparse file, unit by unit.

use std::any::Any;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use foldhash::{HashMap, HashSet};
use parking_lot::{Condvar, Mutex};
use tokio::runtime::Handle;
use xxhash_rust::xxh3::xxh3_64;

use super::bring::SharedCache;
use super::units::{UNIT, bytes_of, runs, units_of};
use super::{CacheCounters, Ranges};

/// Where units come from.
pub(super) struct Store {
    pub from: Arc<dyn Ranges>,
    pub shared: Option<Arc<dyn SharedCache>>,
    pub runtime: Handle,
    pub counters: Arc<CacheCounters>,
}

/// A file that takes as much room as was written to it. It goes when it is let go of.
pub(super) struct SparseFile {
    file: File,
    path: Option<PathBuf>,
    /// Whether the next server takes it over.
    is_left: AtomicBool,
}

impl SparseFile {
    fn new(file: File, path: Option<PathBuf>) -> Self {
        Self { file, path, is_left: AtomicBool::new(false) }
    }

    /// A file that a former server left.
    pub fn taken_over(path: PathBuf, bytes: u64) -> Option<Self> {
        let file = File::options().read(true).write(true).open(&path).ok()?;
        let is_as_long = file.metadata().ok()?.len() == bytes;
        is_as_long.then(|| Self::new(file, Some(path)))
    }

    /// A file with a name in a folder.
    pub fn in_folder(folder: &Path, number: u64, bytes: u64) -> io::Result<Self> {
        let path = folder.join(format!("{number:016x}.part"));
        let file = File::options().read(true).write(true).create_new(true).open(&path)?;
        file.set_len(bytes)?;
        Ok(Self::new(file, Some(path)))
    }

    /// The file of a whole block, under a new name, with the checksums of its units.
    pub fn adopted(folder: &Path, number: u64, file: &Path, bytes: u64) -> Option<(Self, Vec<(u32, u64)>)> {
        let path = folder.join(format!("{number:016x}.part"));
        std::fs::rename(file, &path).ok()?;
        let sums = Self::sums(&path, bytes);
        match Self::taken_over(path.clone(), bytes).zip(sums) {
            Some(adopted) => Some(adopted),
            None => {
                // Best effort: the block is in the store, and a file that is left is removed at the next start.
                let _ = std::fs::rename(&path, file);
                None
            }
        }
    }

    fn sums(path: &Path, bytes: u64) -> Option<Vec<(u32, u64)>> {
        let file = File::open(path).ok()?;
        let mut unit = Vec::new();
        let mut sums = Vec::new();
        for number in units_of(&(0..bytes)) {
            let range = bytes_of(&(number..number + 1), bytes);
            unit.resize((range.end - range.start) as usize, 0);
            file.read_exact_at(&mut unit, range.start).ok()?;
            sums.push((number, xxh3_64(&unit)));
        }
        Some(sums)
    }

    /// A file in memory.
    pub fn in_memory(bytes: u64) -> io::Result<Self> {
        let file = rustix::fs::memfd_create("spanloom-block", rustix::fs::MemfdFlags::CLOEXEC)?;
        let file = File::from(file);
        file.set_len(bytes)?;
        Ok(Self::new(file, None))
    }
}

impl Drop for SparseFile {
    fn drop(&mut self) {
        if let Some(path) = self.path.take_if(|_| !self.is_left.load(Ordering::Relaxed)) {
            // What cannot be removed now is when the cache is opened next.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// What is kept of one block.
pub(super) struct Kept {
    store: Arc<Store>,
    path: Arc<str>,
    file: SparseFile,
    len: u64,
    tail: u64,
    /// One bit a unit: whether it is in the file.
    here: Box<[AtomicU64]>,
    state: Mutex<State>,
    came: Condvar,
    data_bytes: AtomicU64,
    metadata_bytes: AtomicU64,
    used: AtomicU64,
    is_current: AtomicBool,
    made: Mutex<Vec<Arc<dyn Any + Send + Sync>>>,
}

#[derive(Default)]
struct State {
    /// Units that somebody is bringing.
    coming: HashSet<u32>,
    /// Checksums of the units that are here.
    sums: HashMap<u32, u64>,
    /// Checksums of units that a former run left in the file, which nobody has looked at.
    left: HashMap<u32, u64>,
}

impl Kept {
    pub fn new(store: Arc<Store>, path: Arc<str>, file: SparseFile, len: u64, tail: u64) -> Self {
        let words = (len.div_ceil(UNIT) as usize).div_ceil(64);
        Self {
            store,
            path,
            file,
            len,
            tail,
            here: (0..words).map(|_| AtomicU64::new(0)).collect(),
            state: Mutex::default(),
            came: Condvar::new(),
            data_bytes: AtomicU64::new(0),
            metadata_bytes: AtomicU64::new(0),
            used: AtomicU64::new(0),
            is_current: AtomicBool::new(true),
            made: Mutex::default(),
        }
    }

    /// As it was left by a former run: units with their checksums, which are compared when they are asked for.
    pub fn with_left(self, left: impl IntoIterator<Item = (u32, u64)>) -> Self {
        {
            let mut state = self.state.lock();
            for (unit, sum) in left {
                if u64::from(unit) < self.len.div_ceil(UNIT) && state.left.insert(unit, sum).is_none() {
                    self.count(unit, true);
                }
            }
        }
        self
    }

    pub fn file(&self) -> &File {
        &self.file.file
    }

    pub fn len(&self) -> u64 {
        self.len
    }

    /// Bytes of data and of metadata that are kept.
    pub fn bytes(&self) -> (u64, u64) {
        (self.data_bytes.load(Ordering::Relaxed), self.metadata_bytes.load(Ordering::Relaxed))
    }

    pub fn touch(&self, now: u64) {
        self.used.store(now, Ordering::Relaxed);
    }

    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    pub fn is_current(&self) -> bool {
        self.is_current.load(Ordering::Relaxed)
    }

    pub fn keep(&self, made: Arc<dyn Any + Send + Sync>) {
        let mut kept = self.made.lock();
        if self.is_current() {
            kept.push(made);
        }
    }

    /// Lets go of what was made of it, so that the file goes with its last reader.
    pub fn let_go(&self) {
        let made = {
            let mut made = self.made.lock();
            self.is_current.store(false, Ordering::Relaxed);
            std::mem::take(&mut *made)
        };
        drop(made);
    }

    /// Whether some bytes are here.
    pub fn has(&self, range: &Range<u64>) -> bool {
        units_of(range).all(|unit| self.is_here(unit))
    }

    fn is_here(&self, unit: u32) -> bool {
        let word = self.here.get(unit as usize / 64);
        // Acquire: whoever sees the bit sees what was written to the file before.
        word.is_some_and(|word| word.load(Ordering::Acquire) & (1 << (unit % 64)) != 0)
    }

    /// Brings what is not here of some ranges; how many units that were.
    pub fn fill(&self, ranges: &[Range<u64>]) -> io::Result<usize> {
        if ranges.iter().all(|range| self.has(range)) {
            return Ok(0);
        }
        let mut wanted: Vec<u32> = ranges.iter().flat_map(units_of).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let missed = wanted.iter().filter(|unit| !self.is_here(**unit)).count();
        self.store.counters.misses.fetch_add(missed as u64, Ordering::Relaxed);
        self.store.counters.hits.fetch_add((wanted.len() - missed) as u64, Ordering::Relaxed);
        let mut brought = 0;
        loop {
            let mut state = self.state.lock();
            self.take_left(&mut state, &wanted);
            let missing: Vec<u32> = wanted.iter().copied().filter(|unit| !self.is_here(*unit)).collect();
            if missing.is_empty() {
                return Ok(brought);
            }
            let mine: Vec<u32> = missing.into_iter().filter(|unit| !state.coming.contains(unit)).collect();
            if mine.is_empty() {
                self.came.wait(&mut state);
                continue;
            }
            let may_bring = |unit| !self.is_here(unit) && !state.coming.contains(&unit);
            let runs = runs(&mine, may_bring);
            for unit in runs.iter().cloned().flatten() {
                state.coming.insert(unit);
                if state.left.remove(&unit).is_some() {
                    self.count(unit, false);
                }
            }
            drop(state);
            let done = self.bring(&runs);
            let mut state = self.state.lock();
            for unit in runs.iter().cloned().flatten() {
                state.coming.remove(&unit);
            }
            if let Ok(sums) = &done {
                brought += sums.len();
                for &(unit, sum) in sums {
                    state.sums.insert(unit, sum);
                    self.arrive(unit);
                }
            }
            drop(state);
            self.came.notify_all();
            done?;
        }
    }

    /// Brings runs and writes them; the checksums of their units.
    fn bring(&self, runs: &[Range<u32>]) -> io::Result<Vec<(u32, u64)>> {
        let brought = self.store.bring(&self.path, runs.to_vec(), self.len)?;
        let mut sums = Vec::new();
        for (run, bytes) in runs.iter().zip(brought) {
            self.file().write_all_at(&bytes, bytes_of(run, self.len).start)?;
            sums.extend(run.clone().zip(bytes.chunks(UNIT as usize).map(xxh3_64)));
        }
        Ok(sums)
    }

    fn arrive(&self, unit: u32) {
        if let Some(word) = self.here.get(unit as usize / 64) {
            word.fetch_or(1 << (unit % 64), Ordering::Release);
        }
        self.count(unit, true);
    }

    fn count(&self, unit: u32, is_more: bool) {
        let bytes = bytes_of(&(unit..unit + 1), self.len);
        let counter = if bytes.end > self.tail { &self.metadata_bytes } else { &self.data_bytes };
        let len = bytes.end - bytes.start;
        match is_more {
            true => counter.fetch_add(len, Ordering::Relaxed),
            false => counter.fetch_sub(len, Ordering::Relaxed),
        };
    }

    /// Looks at units that a former run left: those that are what they were are here.
    fn take_left(&self, state: &mut State, wanted: &[u32]) {
        if state.left.is_empty() {
            return;
        }
        let mut bytes = Vec::new();
        for &unit in wanted {
            let Some(sum) = state.left.remove(&unit) else { continue };
            self.count(unit, false);
            let range = bytes_of(&(unit..unit + 1), self.len);
            bytes.resize((range.end - range.start) as usize, 0);
            let is_read = self.file().read_exact_at(&mut bytes, range.start).is_ok();
            if is_read && xxh3_64(&bytes) == sum {
                state.sums.insert(unit, sum);
                self.arrive(unit);
            } else {
                self.store.counters.damaged.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// The metadata that is here, in another file.
    pub fn metadata_in(&self, file: SparseFile) -> io::Result<Self> {
        let rest = Self::new(self.store.clone(), self.path.clone(), file, self.len, self.tail);
        rest.touch(self.used());
        let state = self.state.lock();
        let mut bytes = Vec::new();
        for (&unit, &sum) in state.sums.iter().chain(&state.left) {
            let range = bytes_of(&(unit..unit + 1), self.len);
            if range.end <= self.tail {
                continue;
            }
            bytes.resize((range.end - range.start) as usize, 0);
            self.file().read_exact_at(&mut bytes, range.start)?;
            if xxh3_64(&bytes) == sum {
                rest.file().write_all_at(&bytes, range.start)?;
                rest.state.lock().sums.insert(unit, sum);
                rest.arrive(unit);
            }
        }
        drop(state);
        Ok(rest)
    }

    /// Leaves the file to the next server.
    pub fn leave_file(&self) {
        self.file.is_left.store(true, Ordering::Relaxed);
    }

    /// What a next run may take over: its file's name, and the units in it with their checksums.
    pub fn leave(&self) -> Option<Left<'_>> {
        let path = self.file.path.as_deref()?;
        let state = self.state.lock();
        let mut units: Vec<(u32, u64)> =
            state.sums.iter().chain(&state.left).map(|(u, s)| (*u, *s)).collect();
        units.sort_unstable();
        Some(Left {
            object: &self.path,
            file: path,
            len: self.len,
            tail: self.tail,
            used: self.used(),
            units,
        })
    }
}

/// What a next run may take over of a block.
pub(super) struct Left<'a> {
    pub object: &'a str,
    pub file: &'a Path,
    pub len: u64,
    pub tail: u64,
    pub used: u64,
    pub units: Vec<(u32, u64)>,
}
