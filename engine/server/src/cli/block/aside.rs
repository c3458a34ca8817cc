//! Files that are written aside and renamed when they are whole, and files that are there for a while only.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Tells the files of this process from each other.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// A file that goes when this is dropped.
pub(super) struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// A new, empty file in a folder. `what` is for those who find it after this process was killed.
    pub fn new(folder: &Path, what: &str) -> io::Result<Self> {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!(".spanloom-{}-{number}.{what}.partial", std::process::id()));
        File::create_new(&path).map_err(|error| at(&path, &error))?;
        Ok(Self { path })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path); // it may have been renamed
    }
}

/// A file that is written aside. It goes when this is dropped before its end.
pub(super) struct Aside {
    scratch: Scratch,
    path: PathBuf,
}

impl Aside {
    /// Begins a file that will be at `path`.
    pub fn new(path: &Path) -> io::Result<Self> {
        let scratch =
            Scratch::new(&folder_of(path), &path.file_name().unwrap_or_default().to_string_lossy())?;
        Ok(Self { scratch, path: path.to_owned() })
    }

    /// What is to be written to.
    pub fn file(&self) -> io::Result<File> {
        File::options().write(true).open(self.scratch.path()).map_err(|error| at(self.scratch.path(), &error))
    }

    /// Gives it its name, in place of what has it; then it is durable.
    pub fn end(self, file: &File) -> io::Result<()> {
        file.sync_all().map_err(|error| at(&self.path, &error))?;
        std::fs::rename(self.scratch.path(), &self.path).map_err(|error| at(&self.path, &error))?;
        let folder = folder_of(&self.path);
        File::open(&folder).and_then(|folder| folder.sync_all()).map_err(|error| at(&folder, &error))
    }
}

/// The folder of a file.
pub(super) fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// An error that says where.
pub(super) fn at(path: &Path, error: &io::Error) -> io::Error {
    let mut text = OsString::from(path.as_os_str());
    text.push(format!(": {error}"));
    io::Error::new(error.kind(), text.to_string_lossy().into_owned())
}
