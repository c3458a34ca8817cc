//! Listings of a folder of objects. What is no object's name, and what is neither file nor folder, is passed over.

use std::fs::{self, DirEntry, FileType};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::{Inner, Trouble, io, leads_nowhere, path};
use crate::objects::Found;

impl Inner {
    pub(super) fn list(&self, below: &Path) -> Result<Vec<Found>, Trouble> {
        let mut found = Vec::new();
        let mut folders = vec![below.to_owned()];
        while let Some(folder) = folders.pop() {
            for (entry, kind) in entries(&folder)? {
                let full = entry.path();
                if kind.is_dir() {
                    folders.push(full);
                } else if let Some(object) = self.found(&full, &entry)? {
                    found.push(object);
                }
            }
            if found.len() + folders.len() > self.limits.longest_list {
                let most = self.limits.longest_list;
                return Err(Trouble::Rejected(format!("there are more than {most} names")));
            }
        }
        Ok(found)
    }

    fn found(&self, full: &Path, entry: &DirEntry) -> Result<Option<Found>, Trouble> {
        let metadata = match entry.metadata() {
            // Deleted since the listing began.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            metadata => metadata.map_err(io("looking at", full))?,
        };
        let Some(path) = full.strip_prefix(&self.root).ok().and_then(Path::to_str) else { return Ok(None) };
        let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let modified = modified.map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX));
        Ok(Some(Found { path: path.to_owned(), bytes: metadata.len(), modified }))
    }

    pub(super) fn folders(&self, below: &Path) -> Result<Vec<String>, Trouble> {
        let mut found = Vec::new();
        for (entry, kind) in entries(below)? {
            if let (true, Ok(name)) = (kind.is_dir(), entry.file_name().into_string())
                && has_object(entry.path())?
            {
                found.push(name);
            }
        }
        found.sort();
        Ok(found)
    }
}

/// Whether there is a file somewhere below. One who ended between making a folder and its first file left it empty.
fn has_object(folder: PathBuf) -> Result<bool, Trouble> {
    let mut folders = vec![folder];
    while let Some(folder) = folders.pop() {
        for (entry, kind) in entries(&folder)? {
            if !kind.is_dir() {
                return Ok(true);
            }
            folders.push(entry.path());
        }
    }
    Ok(false)
}

/// The files and folders of a folder whose names may be those of objects; none for a folder that is not there.
fn entries(folder: &Path) -> Result<Vec<(DirEntry, FileType)>, Trouble> {
    let listed = match fs::read_dir(folder) {
        Err(error) if leads_nowhere(&error) => return Ok(Vec::new()),
        listed => listed.map_err(io("listing", folder))?,
    };
    let mut found = Vec::new();
    for entry in listed {
        let entry = entry.map_err(io("listing", folder))?;
        let kind = entry.file_type().map_err(io("looking at", &entry.path()))?;
        let named = entry.file_name().to_str().is_some_and(|name| path::check(name).is_ok());
        if named && (kind.is_dir() || kind.is_file()) {
            found.push((entry, kind));
        }
    }
    Ok(found)
}
