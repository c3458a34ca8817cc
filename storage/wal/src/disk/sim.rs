//! A disk in memory that keeps what is live apart from what is durable, for tests and simulations.
//!
//! A file has its live bytes, its durable bytes and the writes between them; a directory likewise.
//! [`SimDisk::crash`] throws the dice over everything that was not synced: none of it survives, or all, or the
//! first writes with the last of them torn at any byte, or any mixture of sectors. The same seed and the same
//! calls give the same bytes. Clones share one disk.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, IoSlice};
use std::sync::Arc;

use parking_lot::Mutex;

use super::{Disk, DiskFile, DiskRead, Listed, check_path, join, parent};

/// What a medium writes whole or not at all.
const SECTOR: usize = 512;

/// A [`Disk`] in memory.
#[derive(Clone, Default)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    files: BTreeMap<u64, SimFile>,
    next_file: u64,
    dirs: BTreeSet<String>,
    live: BTreeMap<String, u64>,
    durable: BTreeMap<String, u64>,
    /// Changes of names since their directory was synced, in order.
    renames: Vec<NameChange>,
    /// Counts crashes: a file opened before the last one is of no use.
    life: u64,
    faults: Faults,
}

#[derive(Default)]
struct Faults {
    /// Bytes that may still be appended before the disk is full.
    space: Option<u64>,
    /// Syncs of files that still succeed before one fails.
    syncs: Option<u64>,
    set_len: bool,
    create: bool,
    unreadable: BTreeSet<String>,
}

#[derive(Default)]
struct SimFile {
    live: Vec<u8>,
    durable: Vec<u8>,
    unsynced: Vec<Change>,
}

enum Change {
    Bytes { at: usize, bytes: Vec<u8> },
    Len(usize),
}

enum NameChange {
    Set { path: String, file: u64 },
    Remove { path: String },
    Rename { from: String, to: String },
}

impl NameChange {
    fn dir(&self) -> &str {
        let (Self::Set { path, .. } | Self::Remove { path } | Self::Rename { to: path, .. }) = self;
        parent(path)
    }

    fn apply(&self, names: &mut BTreeMap<String, u64>) {
        match self {
            Self::Set { path, file } => {
                names.insert(path.clone(), *file);
            }
            Self::Remove { path } => {
                names.remove(path);
            }
            Self::Rename { from, to } => {
                if let Some(file) = names.remove(from) {
                    names.insert(to.clone(), file);
                }
            }
        }
    }
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Bytes { at, bytes: new } => put(bytes, *at, new),
            Self::Len(len) => bytes.resize(*len, 0),
        }
    }
}

fn put(bytes: &mut Vec<u8>, at: usize, new: &[u8]) {
    if bytes.len() < at + new.len() {
        bytes.resize(at + new.len(), 0);
    }
    bytes[at..at + new.len()].copy_from_slice(new);
}

/// SplitMix64 (Steele, Lea, Flood 2014): small, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn up_to(&mut self, most: usize) -> usize {
        (self.roll() % (most as u64 + 1)) as usize
    }
}

impl SimDisk {
    /// An empty disk.
    pub fn new() -> Self {
        Self::default()
    }

    /// The power fails: of all that was not synced some survives, as the seed says. Files that are open fail
    /// from now on.
    pub fn crash(&self, seed: u64) {
        self.crash_with(&mut |dice, file| file.survive(dice), seed, false);
    }

    /// The power fails and all that was not synced is lost.
    pub fn crash_losing_all(&self) {
        self.crash_with(&mut |_, file| file.durable.clone(), 0, true);
    }

    /// The process ends but the machine runs on: nothing is lost, files that are open fail from now on.
    pub fn kill(&self) {
        self.state.lock().life += 1;
    }

    fn crash_with(&self, survive: &mut dyn FnMut(&mut Dice, &SimFile) -> Vec<u8>, seed: u64, lose_all: bool) {
        let mut state = self.state.lock();
        let mut dice = Dice(seed);
        state.life += 1;
        let changes = std::mem::take(&mut state.renames);
        let dirs: BTreeSet<_> = changes.iter().map(|change| change.dir().to_owned()).collect();
        for dir in dirs {
            // A directory's changes survive in order, as a journal writes them.
            let of_dir: Vec<_> = changes.iter().filter(|change| change.dir() == dir).collect();
            let survive = if lose_all { 0 } else { dice.up_to(of_dir.len()) };
            of_dir[..survive].iter().for_each(|change| change.apply(&mut state.durable));
        }
        state.live = state.durable.clone();
        let named: BTreeSet<u64> = state.live.values().copied().collect();
        state.files.retain(|id, _| named.contains(id));
        for file in state.files.values_mut() {
            if !file.unsynced.is_empty() || file.live != file.durable {
                file.durable = survive(&mut dice, file);
            }
            file.live = file.durable.clone();
            file.unsynced.clear();
        }
    }

    /// The disk has room for `bytes` more appended bytes and then is full; `None` for room without end. The
    /// append that meets the end writes what fits.
    pub fn set_space(&self, bytes: Option<u64>) {
        self.state.lock().faults.space = bytes;
    }

    /// The sync of a file after `after` more good ones fails, and as on Linux the bytes it was for count as
    /// clean from then on: they stay readable until a crash, and no later sync writes them.
    pub fn fail_sync(&self, after: u64) {
        self.state.lock().faults.syncs = Some(after);
    }

    /// Whether [`DiskFile::set_len`] fails.
    pub fn fail_set_len(&self, fail: bool) {
        self.state.lock().faults.set_len = fail;
    }

    /// Whether [`Disk::create`] fails.
    pub fn fail_create(&self, fail: bool) {
        self.state.lock().faults.create = fail;
    }

    /// Whether reading this file's bytes fails.
    pub fn fail_read(&self, path: &str, fail: bool) {
        let unreadable = &mut self.state.lock().faults.unreadable;
        if fail {
            unreadable.insert(path.to_owned())
        } else {
            unreadable.remove(path)
        };
    }

    /// The disk is as good as new: no more injected errors.
    pub fn forget_faults(&self) {
        self.state.lock().faults = Faults::default();
    }

    /// Changes a file's bytes behind everybody's back, live and durable: the medium has gone bad.
    pub fn damage(&self, path: &str, change: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        let mut state = self.state.lock();
        let file = state.file_named(path)?;
        change(&mut file.live);
        file.durable = file.live.clone();
        file.unsynced.clear();
        Ok(())
    }
}

fn not_found(path: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("there is no {path:?}"))
}

fn broken() -> io::Error {
    io::Error::other("the simulated medium fails (EIO)")
}

impl State {
    fn file_named(&mut self, path: &str) -> io::Result<&mut SimFile> {
        let id = self.live.get(path).ok_or_else(|| not_found(path))?;
        self.files.get_mut(id).ok_or_else(|| not_found(path))
    }

    fn change_name(&mut self, change: NameChange) {
        change.apply(&mut self.live);
        self.renames.push(change);
    }

    fn has_dir(&self, dir: &str) -> io::Result<()> {
        if dir.is_empty() || self.dirs.contains(dir) { Ok(()) } else { Err(not_found(dir)) }
    }
}

impl SimFile {
    fn change(&mut self, change: Change) {
        change.apply(&mut self.live);
        self.unsynced.push(change);
    }

    fn survive(&self, dice: &mut Dice) -> Vec<u8> {
        match dice.up_to(3) {
            0 => self.durable.clone(),
            1 => self.replay(self.unsynced.len(), 0),
            2 => {
                let whole = dice.up_to(self.unsynced.len());
                let torn = match self.unsynced.get(whole) {
                    Some(Change::Bytes { bytes, .. }) => dice.up_to(bytes.len()),
                    _ => 0,
                };
                self.replay(whole, torn)
            }
            _ => self.mix(dice),
        }
    }

    /// The durable bytes after `whole` changes and the first `torn` bytes of the next.
    fn replay(&self, whole: usize, torn: usize) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        self.unsynced[..whole].iter().for_each(|change| change.apply(&mut bytes));
        if let Some(Change::Bytes { at, bytes: new }) = self.unsynced.get(whole) {
            put(&mut bytes, *at, &new[..torn]);
        }
        bytes
    }

    /// Each sector as it was or as it should have become.
    fn mix(&self, dice: &mut Dice) -> Vec<u8> {
        let new = self.replay(self.unsynced.len(), 0);
        let mut bytes = self.durable.clone();
        bytes.resize(new.len(), 0);
        for (old, new) in bytes.chunks_mut(SECTOR).zip(new.chunks(SECTOR)) {
            if dice.up_to(1) == 1 {
                old.copy_from_slice(new);
            }
        }
        bytes
    }
}

impl Disk for SimDisk {
    fn create(&self, path: &str) -> io::Result<Box<dyn DiskFile>> {
        check_path(path)?;
        let mut state = self.state.lock();
        state.has_dir(parent(path))?;
        if state.faults.create || state.faults.space == Some(0) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        if path.is_empty() || state.live.contains_key(path) || state.dirs.contains(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let file = state.next_file;
        state.next_file += 1;
        state.files.insert(file, SimFile::default());
        state.change_name(NameChange::Set { path: path.to_owned(), file });
        Ok(Box::new(Open { disk: self.clone(), file, life: state.life, position: 0, path: path.to_owned() }))
    }

    fn open_append(&self, path: &str) -> io::Result<Box<dyn DiskFile>> {
        check_path(path)?;
        let mut state = self.state.lock();
        let position = state.file_named(path)?.live.len();
        let (file, life) = (state.live[path], state.life);
        Ok(Box::new(Open { disk: self.clone(), file, life, position, path: path.to_owned() }))
    }

    fn open_read(&self, path: &str) -> io::Result<Box<dyn DiskRead>> {
        check_path(path)?;
        let mut state = self.state.lock();
        state.file_named(path)?;
        let (file, life) = (state.live[path], state.life);
        Ok(Box::new(Open { disk: self.clone(), file, life, position: 0, path: path.to_owned() }))
    }

    fn list(&self, dir: &str) -> io::Result<Vec<Listed>> {
        check_path(dir)?;
        let state = self.state.lock();
        state.has_dir(dir)?;
        let name = |path: &str| path.rsplit('/').next().unwrap_or(path).to_owned();
        let files = state.live.iter().filter(|(path, _)| parent(path) == dir).map(|(path, file)| {
            let len = state.files.get(file).map_or(0, |file| file.live.len() as u64);
            Listed { name: name(path), is_dir: false, len }
        });
        let dirs = state.dirs.iter().filter(|path| parent(path) == dir);
        let dirs = dirs.map(|path| Listed { name: name(path), is_dir: true, len: 0 });
        let mut entries: Vec<_> = files.chain(dirs).collect();
        entries.sort();
        Ok(entries)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        check_path(from)?;
        check_path(to)?;
        let mut state = self.state.lock();
        state.file_named(from)?;
        if parent(from) != parent(to) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        state.change_name(NameChange::Rename { from: from.to_owned(), to: to.to_owned() });
        Ok(())
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        check_path(path)?;
        let mut state = self.state.lock();
        state.file_named(path)?;
        state.change_name(NameChange::Remove { path: path.to_owned() });
        Ok(())
    }

    fn create_dir_all(&self, dir: &str) -> io::Result<()> {
        check_path(dir)?;
        let mut state = self.state.lock();
        let mut path = String::new();
        for part in dir.split('/').filter(|part| !part.is_empty()) {
            path = join(&path, part);
            if state.live.contains_key(&path) {
                return Err(io::ErrorKind::NotADirectory.into());
            }
            state.dirs.insert(path.clone());
        }
        Ok(())
    }

    fn sync_dir(&self, dir: &str) -> io::Result<()> {
        check_path(dir)?;
        let mut state = self.state.lock();
        state.has_dir(dir)?;
        let (synced, rest): (Vec<_>, _) =
            std::mem::take(&mut state.renames).into_iter().partition(|change| change.dir() == dir);
        state.renames = rest;
        synced.iter().for_each(|change| change.apply(&mut state.durable));
        Ok(())
    }

    fn len(&self, path: &str) -> io::Result<u64> {
        check_path(path)?;
        Ok(self.state.lock().file_named(path)?.live.len() as u64)
    }

    fn free(&self) -> Option<u64> {
        self.state.lock().faults.space
    }
}

/// A file that is open, to be read or written.
struct Open {
    disk: SimDisk,
    file: u64,
    life: u64,
    position: usize,
    path: String,
}

impl Open {
    /// Runs `f` on the file, unless the disk has crashed since it was opened. A file that was removed while
    /// open lives on until then.
    fn with<T>(&self, f: impl FnOnce(&mut Faults, &mut SimFile) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.disk.state.lock();
        let State { files, life, faults, .. } = &mut *state;
        match files.get_mut(&self.file) {
            Some(file) if *life == self.life => f(faults, file),
            _ => Err(io::Error::other("the file was opened before the simulated crash")),
        }
    }
}

impl DiskFile for Open {
    fn append_vectored(&mut self, slices: &mut [IoSlice<'_>]) -> io::Result<()> {
        let mut at = self.position;
        let result = self.with(|faults, file| {
            for slice in slices.iter() {
                let room = faults.space.map_or(slice.len(), |space| slice.len().min(space as usize));
                if let Some(space) = &mut faults.space {
                    *space -= room as u64;
                }
                file.change(Change::Bytes { at, bytes: slice[..room].to_vec() });
                at += room;
                if room < slice.len() {
                    return Err(io::ErrorKind::StorageFull.into());
                }
            }
            Ok(())
        });
        self.position = at;
        result
    }

    fn preallocate(&mut self, len: u64) -> io::Result<()> {
        self.with(|faults, file| {
            let len = usize::try_from(len).map_err(io::Error::other)?;
            if faults.space.is_some_and(|space| space < len as u64) {
                return Err(io::ErrorKind::StorageFull.into());
            }
            if len > file.live.len() {
                file.change(Change::Len(len));
            }
            Ok(())
        })
    }

    fn sync_data(&mut self) -> io::Result<()> {
        self.with(|faults, file| {
            match &mut faults.syncs {
                Some(0) => {
                    faults.syncs = None;
                    file.unsynced.clear();
                    return Err(broken());
                }
                Some(left) => *left -= 1,
                None => {}
            }
            for change in std::mem::take(&mut file.unsynced) {
                change.apply(&mut file.durable);
            }
            Ok(())
        })
    }

    fn set_len(&mut self, len: u64) -> io::Result<()> {
        let len = usize::try_from(len).map_err(io::Error::other)?;
        self.with(|faults, file| {
            if faults.set_len {
                return Err(broken());
            }
            file.change(Change::Len(len));
            Ok(())
        })?;
        self.position = self.position.min(len);
        Ok(())
    }

    fn position(&self) -> u64 {
        self.position as u64
    }
}

impl DiskRead for Open {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        self.with(|faults, file| {
            if faults.unreadable.contains(&self.path) {
                return Err(broken());
            }
            let from = usize::try_from(offset).map_err(io::Error::other)?.min(file.live.len());
            let read = buf.len().min(file.live.len() - from);
            buf[..read].copy_from_slice(&file.live[from..from + read]);
            Ok(read)
        })
    }

    fn len(&self) -> io::Result<u64> {
        self.with(|_, file| Ok(file.live.len() as u64))
    }
}
