//! The file system below one root folder.

use std::fs::{self, File, OpenOptions};
use std::io::{self, IoSlice};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::fs::FallocateFlags;

use super::{Disk, DiskFile, DiskRead, Listed, check_path, parent};

/// Most slices that one system call takes (`IOV_MAX` of Linux).
const SLICES_PER_CALL: usize = 1024;

/// A [`Disk`] on the file system.
#[derive(Debug, Clone)]
pub struct RealDisk {
    root: PathBuf,
}

impl RealDisk {
    /// Uses `root`, which is created if it is missing.
    pub fn new(root: impl Into<PathBuf>) -> io::Result<Self> {
        let root = root.into();
        fs::create_dir_all(&root)?;
        Ok(Self { root })
    }

    /// Where a path of this disk lies, for those who map a file into memory.
    pub fn path(&self, path: &str) -> io::Result<PathBuf> {
        check_path(path)?;
        Ok(self.root.join(path))
    }
}

fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

impl Disk for RealDisk {
    fn create(&self, path: &str) -> io::Result<Box<dyn DiskFile>> {
        let file = OpenOptions::new().write(true).create_new(true).open(self.path(path)?)?;
        Ok(Box::new(RealFile { file, position: 0, resized: true }))
    }

    fn open_append(&self, path: &str) -> io::Result<Box<dyn DiskFile>> {
        let file = OpenOptions::new().write(true).open(self.path(path)?)?;
        let position = file.metadata()?.len();
        Ok(Box::new(RealFile { file, position, resized: true }))
    }

    fn open_read(&self, path: &str) -> io::Result<Box<dyn DiskRead>> {
        Ok(Box::new(RealRead(File::open(self.path(path)?)?)))
    }

    fn list(&self, dir: &str) -> io::Result<Vec<Listed>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(self.path(dir)?)? {
            let entry = entry?;
            // A name that is not UTF-8 is none of ours.
            let Ok(name) = entry.file_name().into_string() else { continue };
            let metadata = match entry.metadata() {
                Ok(metadata) => metadata,
                // Removed since the listing began.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            let is_dir = metadata.is_dir();
            entries.push(Listed { name, is_dir, len: if is_dir { 0 } else { metadata.len() } });
        }
        entries.sort();
        Ok(entries)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        if parent(from) != parent(to) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{from:?} is to be renamed to {to:?}, expected a name in the same directory"),
            ));
        }
        fs::rename(self.path(from)?, self.path(to)?)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        fs::remove_file(self.path(path)?)
    }

    fn create_dir_all(&self, dir: &str) -> io::Result<()> {
        check_path(dir)?;
        let mut folder = self.root.clone();
        for part in dir.split('/').filter(|part| !part.is_empty()) {
            let above = folder.clone();
            folder.push(part);
            match fs::create_dir(&folder) {
                Ok(()) => sync_folder(&above)?,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn sync_dir(&self, dir: &str) -> io::Result<()> {
        sync_folder(&self.path(dir)?)
    }

    fn len(&self, path: &str) -> io::Result<u64> {
        Ok(fs::metadata(self.path(path)?)?.len())
    }

    fn free(&self) -> Option<u64> {
        let stat = rustix::fs::statvfs(&self.root).ok()?;
        Some(stat.f_bavail.saturating_mul(stat.f_frsize))
    }
}

struct RealFile {
    file: File,
    position: u64,
    /// Whether the length was changed by other means than appending since the last sync. `fdatasync` need not
    /// write such a change, so the next sync is a full one.
    resized: bool,
}

impl DiskFile for RealFile {
    fn append_vectored(&mut self, slices: &mut [IoSlice<'_>]) -> io::Result<()> {
        let mut left = slices;
        IoSlice::advance_slices(&mut left, 0);
        while !left.is_empty() {
            let call = left.len().min(SLICES_PER_CALL);
            let written = match rustix::io::pwritev(&self.file, &left[..call], self.position) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => written,
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            };
            self.position += written as u64;
            IoSlice::advance_slices(&mut left, written);
        }
        Ok(())
    }

    fn preallocate(&mut self, len: u64) -> io::Result<()> {
        if len <= self.position {
            return Ok(());
        }
        self.resized = true;
        let (from, len) = (self.position, len - self.position);
        Ok(rustix::fs::fallocate(&self.file, FallocateFlags::empty(), from, len)?)
    }

    fn sync_data(&mut self) -> io::Result<()> {
        if self.resized {
            self.file.sync_all()?;
        } else {
            self.file.sync_data()?;
        }
        self.resized = false;
        Ok(())
    }

    fn set_len(&mut self, len: u64) -> io::Result<()> {
        self.resized = true;
        self.file.set_len(len)?;
        self.position = self.position.min(len);
        Ok(())
    }

    fn position(&self) -> u64 {
        self.position
    }
}

struct RealRead(File);

impl DiskRead for RealRead {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buf.len() {
            match self.0.read_at(&mut buf[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }
}
