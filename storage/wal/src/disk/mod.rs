//! The disk as the log and the block sealer see it: few operations, all on paths relative to one root.
//!
//! | file | holds |
//! |---|---|
//! | `mod.rs` | the traits, and the one way to write a whole file durably |
//! | `real.rs` | the file system |
//! | `sim.rs` | memory, with live and durable bytes kept apart, crashes and injected errors |
//!
//! What is assumed of the medium, and what every implementation keeps to (`tests/disk_conformance.rs`):
//!
//! - Bytes appended are lost at a crash, whole or in part and in any order, unless [`DiskFile::sync_data`]
//!   returned `Ok` after them. Bytes that were synced stay as they are.
//! - A file that was created, renamed or removed may be as before after a crash, unless [`Disk::sync_dir`] of
//!   its directory returned `Ok` afterwards. A rename is never half done.
//! - After a failed sync the bytes in question may be lost although later syncs succeed, so nobody may go on.

mod real;
mod sim;

use std::io::{self, IoSlice};

pub use real::RealDisk;
pub use sim::SimDisk;

/// What [`Disk::list`] tells of one directory entry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listed {
    /// Its name within the directory.
    pub name: String,
    /// Whether it is a directory.
    pub is_dir: bool,
    /// Its length in bytes; 0 for a directory.
    pub len: u64,
}

/// A tree of files under one root. Paths are relative, parts are separated by `/`; a path that is absolute or
/// has an empty part, `.` or `..` is refused with `InvalidInput`. The path of the root itself is `""`.
pub trait Disk: Send + Sync + 'static {
    /// Creates an empty file. Fails with `AlreadyExists` if there is one.
    fn create(&self, path: &str) -> io::Result<Box<dyn DiskFile>>;
    /// Opens an existing file; appends go to its end.
    fn open_append(&self, path: &str) -> io::Result<Box<dyn DiskFile>>;
    /// Opens an existing file to be read.
    fn open_read(&self, path: &str) -> io::Result<Box<dyn DiskRead>>;
    /// The entries of a directory, sorted by name.
    fn list(&self, dir: &str) -> io::Result<Vec<Listed>>;
    /// Renames a file within one directory; a file that has the new name is replaced.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &str) -> io::Result<()>;
    /// Creates a directory and those above it. What it created is durable when it returns.
    fn create_dir_all(&self, dir: &str) -> io::Result<()>;
    /// Makes durable which files the directory has.
    fn sync_dir(&self, dir: &str) -> io::Result<()>;
    /// A file's length in bytes.
    fn len(&self, path: &str) -> io::Result<u64>;

    /// Bytes that may be written before the disk is full; `None` when that cannot be known.
    fn free(&self) -> Option<u64> {
        None
    }

    /// Reads a whole file. For files that are known to be small.
    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        let file = self.open_read(path)?;
        let len = usize::try_from(file.len()?).map_err(io::Error::other)?;
        let mut bytes = vec![0; len];
        let read = file.read_at(0, &mut bytes)?;
        bytes.truncate(read);
        Ok(bytes)
    }
}

/// A file that is being written, at one position: its end.
pub trait DiskFile: Send {
    /// Appends all the slices, in order. The slices are used up (their lengths change). After an error some
    /// leading part of them may be in the file; [`DiskFile::set_len`] cuts it.
    fn append_vectored(&mut self, slices: &mut [IoSlice<'_>]) -> io::Result<()>;
    /// Makes room up to `len` bytes; the file then reads as zeros from the end of what was appended. Appends
    /// still go to where they would have gone.
    fn preallocate(&mut self, len: u64) -> io::Result<()>;
    /// Makes durable every byte appended so far, and the file's length.
    fn sync_data(&mut self) -> io::Result<()>;
    /// Cuts the file to `len`, or lengthens it with zeros. Appends go on at `len` if it was cut below their
    /// position, and where they were otherwise.
    fn set_len(&mut self, len: u64) -> io::Result<()>;
    /// Where the next append goes.
    fn position(&self) -> u64;
}

/// A file that is being read, at any position.
pub trait DiskRead: Send {
    /// Fills `buf` from `offset` and returns how many bytes there were: fewer only at the end of the file.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize>;
    /// The file's length in bytes.
    fn len(&self) -> io::Result<u64>;
    /// Whether it has no byte.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
}

/// Writes a file that is either there whole or not at all, whenever the power fails: aside as `name.tmp`,
/// synced, renamed, the directory synced. Replaces a file of that name. After an error the file may be there,
/// whole, or not; the write may be repeated.
pub fn write_file_durably(disk: &dyn Disk, dir: &str, name: &str, parts: &[&[u8]]) -> io::Result<()> {
    let path = join(dir, name);
    let aside = format!("{path}.tmp");
    match disk.remove(&aside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let written = write_synced(disk, &aside, parts).and_then(|()| disk.rename(&aside, &path));
    if let Err(error) = written {
        // What is left is without effect and the next attempt removes it, so this may fail.
        let _ = disk.remove(&aside);
        return Err(error);
    }
    disk.sync_dir(dir)
}

fn write_synced(disk: &dyn Disk, path: &str, parts: &[&[u8]]) -> io::Result<()> {
    let mut file = disk.create(path)?;
    let mut slices: Vec<_> = parts.iter().map(|part| IoSlice::new(part)).collect();
    file.append_vectored(&mut slices)?;
    file.sync_data()
}

/// The path of `name` in `dir`.
pub fn join(dir: &str, name: &str) -> String {
    if dir.is_empty() { name.to_owned() } else { format!("{dir}/{name}") }
}

/// Refuses paths that could leave the root.
fn check_path(path: &str) -> io::Result<()> {
    if path.is_empty() || path.split('/').all(|part| !matches!(part, "" | "." | "..") && !part.contains('\0'))
    {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::InvalidInput,
        format!("the path is {path:?}, expected parts separated by / and none of them empty, . or .."),
    ))
}

/// The directory of a path; the root is `""`.
fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(dir, _)| dir)
}
