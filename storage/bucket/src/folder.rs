//! Blocks of the folder that are made from others, and blocks that are removed from it.
//!
//! Nobody else has the folder, and whoever reads a block has its file mapped, named or not: so a block's file goes at
//! once when others stand for it. What is made is written aside, synced and renamed; the last of the blocks that were made
//! together, which names those that they replace, is renamed last. So a crash leaves either the old blocks, perhaps
//! with some of the new ones, which hold nothing but duplicates, or all of the new ones, and the next start removes what
//! they replace.

use std::io::{self, IoSlice};
use std::path::PathBuf;
use std::sync::Arc;

use spanloom_block::BlockId;
use spanloom_span::Tenant;
use spanloom_wal::disk::{Disk, DiskFile};

use crate::catalog::Manifest;
use crate::remote::entry;
use crate::{Bucket, BucketError, FOLDER, Listed, io as failed, listed_path};

/// A block that is being written aside.
pub struct Writing {
    id: BlockId,
    path: String,
    file: Box<dyn DiskFile>,
    disk: Arc<dyn Disk>,
}

impl Writing {
    /// Its name.
    pub fn id(&self) -> BlockId {
        self.id
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        // It is not there any more when it was listed; else the next start tries again.
        let _ = self.disk.remove(&self.path);
    }
}

impl io::Write for Writing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.append_vectored(&mut [IoSlice::new(bytes)])?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Bucket {
    /// Begins to write a block aside. It is removed when it is let go of before it is listed.
    pub fn begin(&self, tenant: &Tenant, id: BlockId) -> Result<Writing, BucketError> {
        let folder = format!("{FOLDER}/{tenant}");
        self.disk.create_dir_all(&folder).map_err(failed("creating", &folder))?;
        let path = format!("{folder}/{id}.block.tmp");
        let file = self.disk.create(&path).map_err(failed("creating", &path))?;
        Ok(Writing { id, path, file, disk: self.disk.clone() })
    }

    /// Lists blocks that were made, in their order, instead of those that they replace, whose files are removed. Done
    /// when it returns, or nothing is listed that was not.
    pub fn replace(
        &self,
        tenant: &Tenant,
        made: Vec<Writing>,
        inputs: &[BlockId],
    ) -> Result<(), BucketError> {
        let folder = format!("{FOLDER}/{tenant}");
        let mut add = Vec::with_capacity(made.len());
        for mut writing in made {
            let path = &writing.path;
            writing.file.sync_data().map_err(failed("syncing", path))?;
            let name = path.strip_suffix(".tmp").unwrap_or(path);
            self.disk.rename(path, name).map_err(failed("renaming", path))?;
            // Each before the next: the last one says that all are there.
            self.disk.sync_dir(&folder).map_err(failed("syncing", &folder))?;
            add.push(Listed { id: writing.id, path: listed_path(name), block: self.open_block(name)? });
        }
        self.change(tenant, add, inputs)
    }

    /// Removes blocks with all of their spans.
    pub fn remove(&self, tenant: &Tenant, blocks: &[BlockId]) -> Result<(), BucketError> {
        self.change(tenant, Vec::new(), blocks)
    }

    fn change(&self, tenant: &Tenant, add: Vec<Listed>, remove: &[BlockId]) -> Result<(), BucketError> {
        let before = self.listing.of(tenant);
        self.listing.change(tenant, add, remove);
        for listed in before.iter().filter(|listed| remove.contains(&listed.id)) {
            let path = format!("{FOLDER}/{}", listed.path);
            self.disk.remove(&path).map_err(failed("removing", &path))?;
        }
        self.forget_overlaps(tenant, remove);
        if !remove.is_empty() {
            // What was removed without a successor must not come back after a crash.
            let folder = format!("{FOLDER}/{tenant}");
            self.disk.sync_dir(&folder).map_err(failed("syncing", &folder))?;
        }
        Ok(())
    }

    /// The folder's blocks as a manifest would list them.
    pub fn folder_manifest(&self, tenant: &Tenant) -> Manifest {
        let blocks = self.listing.of(tenant).iter().map(entry).collect();
        Manifest { version: 1, blocks, ..Manifest::default() }
    }

    /// Tenants with blocks in the folder.
    pub fn folder_tenants(&self) -> Vec<Tenant> {
        self.listing.tenants()
    }

    /// A block of the folder.
    pub fn in_folder(&self, tenant: &Tenant, id: BlockId) -> Option<Listed> {
        let blocks = self.listing.of(tenant);
        let at = blocks.binary_search_by_key(&id, |listed| listed.id).ok()?;
        blocks.get(at).cloned()
    }

    /// A folder for what is needed for a while, which is empty at the start; `None` on a disk that is simulated.
    pub fn scratch(&self) -> Option<PathBuf> {
        Some(self.root.as_ref()?.join("scratch"))
    }

    /// Bytes that are free on the folder's disk; `None` when that cannot be known.
    pub fn free_disk(&self) -> Option<u64> {
        let stat = rustix::fs::statvfs(self.root.as_ref()?).ok()?;
        Some(stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    /// Removes blocks that others, which are there too, stand for: what a crash left.
    pub(crate) fn remove_replaced(&self, tenant: &Tenant) -> Result<usize, BucketError> {
        let blocks = self.listing.of(tenant);
        let replaced = blocks.iter().flat_map(|listed| &listed.block.meta().replaces);
        let is_there = |id: &&BlockId| blocks.binary_search_by_key(*id, |listed| listed.id).is_ok();
        let replaced: Vec<BlockId> = replaced.filter(is_there).copied().collect();
        if !replaced.is_empty() {
            self.remove(tenant, &replaced)?;
        }
        Ok(replaced.len())
    }
}
