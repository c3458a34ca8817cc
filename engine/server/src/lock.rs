//! One engine a data directory: an advisory lock on its file `LOCK`, released when the process ends however it
//! ends.

use std::fs::File;
use std::io;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

/// Holds a data directory.
#[derive(Debug)]
pub struct DirLock(#[allow(dead_code)] File);

impl DirLock {
    /// Takes a directory, creating it if it is missing.
    pub fn take(dir: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(dir)?;
        let file = File::options().create(true).truncate(false).write(true).open(dir.join("LOCK"))?;
        flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|error| match error {
            rustix::io::Errno::WOULDBLOCK => {
                io::Error::new(io::ErrorKind::AlreadyExists, "another engine uses this directory")
            }
            other => other.into(),
        })?;
        Ok(Self(file))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_taken_once() {
        let dir = tempfile::tempdir().unwrap();
        let held = DirLock::take(&dir.path().join("a")).unwrap();
        let refused = DirLock::take(&dir.path().join("a")).unwrap_err();
        assert_eq!(refused.to_string(), "another engine uses this directory");
        drop(held);
        assert!(DirLock::take(&dir.path().join("a")).is_ok());
    }
}
