//! Writing so that a power cut leaves the old or the new, and the lock of those who compare.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use parking_lot::MutexGuard;

use super::{ASIDE, Inner, LOCK, Trouble, io, leads_nowhere};
use crate::objects::Upload;
use crate::store::counters::add;

/// How old a file aside is at least that nobody writes any more.
const LEFT_BEHIND: Duration = Duration::from_secs(24 * 60 * 60);

/// How often a folder is made anew that others remove because it is empty.
const TRIES: u32 = 100;

/// A file that has no name yet. It is removed unless it was given one.
pub(super) struct Aside {
    path: PathBuf,
    named: std::cell::Cell<bool>,
}

impl Drop for Aside {
    fn drop(&mut self) {
        if !self.named.get() {
            // What stays is removed by a later start.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// The lock; it ends with this, or with the process.
pub(super) struct Lock<'a> {
    _file: File,
    _here: MutexGuard<'a, ()>,
}

impl Inner {
    /// Makes the folder, and removes what writers that ended too soon left aside.
    pub(super) fn prepare(&self) -> Result<(), Trouble> {
        let aside = self.root.join(ASIDE);
        create_folders(&aside)?;
        for entry in fs::read_dir(&aside).map_err(io("listing", &aside))?.flatten() {
            let age = entry.metadata().and_then(|metadata| metadata.modified());
            let age = age.ok().and_then(|modified| SystemTime::now().duration_since(modified).ok());
            if age.is_some_and(|age| age > LEFT_BEHIND) {
                fs::remove_file(entry.path()).map_err(io("removing", &entry.path()))?;
            }
        }
        self.here.lock().id = self.id()?;
        Ok(())
    }

    /// What the lock has in it, which the first one to open the folder puts there.
    fn id(&self) -> Result<Vec<u8>, Trouble> {
        let path = self.root.join(LOCK);
        if let Some(id) = fs::read(&path).ok().filter(|id| !id.is_empty()) {
            return Ok(id);
        }
        let _lock = self.lock()?;
        // Somebody else may have come first.
        let mut id = fs::read(&path).map_err(io("reading", &path))?;
        if id.is_empty() {
            id = format!("{:032x}\n", rand::random::<u128>()).into_bytes();
            fs::write(&path, &id).map_err(io("writing", &path))?;
            File::open(&path).and_then(|file| file.sync_all()).map_err(io("syncing", &path))?;
        }
        Ok(id)
    }

    /// Whether the folder is the one that was opened.
    pub(super) fn is_here(&self) -> Result<(), Trouble> {
        let metadata = fs::metadata(&self.root).map_err(io("looking at", &self.root))?;
        let found = Some((metadata.dev(), metadata.ino()));
        let mut here = self.here.lock();
        if here.seen == found {
            return Ok(());
        }
        let path = self.root.join(LOCK);
        let id = fs::read(&path).map_err(io("reading", &path))?;
        if id != here.id {
            let reason = format!("{} is not the folder that was opened", self.root.display());
            return Err(Trouble::Rejected(reason));
        }
        here.seen = found;
        Ok(())
    }

    /// Waits until nobody else replaces or deletes.
    pub(super) fn lock(&self) -> Result<Lock<'_>, Trouble> {
        let path = self.root.join(LOCK);
        let late = || Trouble::Rejected(format!("another process holds {} for too long", path.display()));
        let began = Instant::now();
        let here = self.writing.try_lock_for(self.limits.timeout).ok_or_else(late)?;
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(io("opening", &path))?;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Lock { _file: file, _here: here }),
                Err(TryLockError::Error(error)) => return Err(io("locking", &path)(error)),
                Err(TryLockError::WouldBlock) if began.elapsed() > self.limits.timeout => return Err(late()),
                // Another process; those of this one wait above.
                Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(2)),
            }
        }
    }

    /// Writes a file that has no name yet, and syncs it.
    pub(super) fn write_aside(&self, from: &Upload) -> Result<Aside, Trouble> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let path = self.root.join(ASIDE).join(format!("{}-{number:016x}", std::process::id()));
        let mut file = File::create_new(&path).map_err(io("creating", &path))?;
        let aside = Aside { path, named: false.into() };
        let bytes = match from {
            Upload::Bytes(bytes) => {
                file.write_all(bytes).map_err(io("writing", &aside.path))?;
                bytes.len() as u64
            }
            Upload::File(source) => {
                let mut from = File::open(source).map_err(io("opening", source))?;
                let bytes = from.metadata().map_err(io("asking for the length of", source))?.len();
                std::io::copy(&mut from, &mut file).map_err(io("copying", source))?;
                bytes
            }
        };
        file.sync_all().map_err(io("syncing", &aside.path))?;
        let found = file.metadata().map_err(io("asking for the length of", &aside.path))?.len();
        if found != bytes {
            return Err(Trouble::Damaged(format!("{bytes} bytes were to be written, but it has {found}")));
        }
        add(&self.counters.bytes_out, bytes);
        Ok(aside)
    }

    /// Gives a file its name, in place of what has it, and makes that durable.
    pub(super) fn give_name(&self, aside: &Aside, file: &Path) -> Result<(), Trouble> {
        let folder = file.parent().unwrap_or(&self.root);
        let mut tries = 1;
        loop {
            create_folders(folder)?;
            match fs::rename(&aside.path, file) {
                Ok(()) => break,
                // Somebody without our lock, as a person, removed the folder.
                Err(error) if error.kind() == ErrorKind::NotFound && folder.exists() && tries < TRIES => {
                    tries += 1
                }
                Err(error) => return Err(io("renaming to", file)(error)),
            }
        }
        aside.named.set(true);
        sync_folder(folder)
    }

    /// Removes a file, and the folders that are empty then.
    pub(super) fn remove(&self, file: &Path) -> Result<(), Trouble> {
        let folder = file.parent().unwrap_or(&self.root);
        match fs::remove_file(file) {
            Ok(()) => sync_folder(folder)?,
            // Linux says so of a folder; an object of that name is not there.
            Err(error) if leads_nowhere(&error) => return Ok(()),
            Err(error) => return Err(io("removing", file)(error)),
        }
        for folder in file.ancestors().skip(1).take_while(|folder| *folder != self.root) {
            // One that is not empty stays. Whoever writes holds the lock or makes it anew.
            if fs::remove_dir(folder).is_err() {
                break;
            }
        }
        Ok(())
    }
}

/// Makes a folder and those above it, durably.
fn create_folders(folder: &Path) -> Result<(), Trouble> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(above) = folder.parent().filter(|above| !above.as_os_str().is_empty()) {
        create_folders(above)?;
        match fs::create_dir(folder) {
            Ok(()) => return sync_folder(above),
            Err(error) if error.kind() == ErrorKind::AlreadyExists && folder.is_dir() => return Ok(()),
            Err(error) => return Err(io("creating", folder)(error)),
        }
    }
    fs::create_dir_all(folder).map_err(io("creating", folder))
}

fn sync_folder(folder: &Path) -> Result<(), Trouble> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(io("syncing", folder))
}
