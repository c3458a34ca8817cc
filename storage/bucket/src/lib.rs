//! Where blocks are kept: one folder per tenant under `blocks/` of the data directory.
//!
//! A block is written aside, synced, renamed, and only then listed; readers hold a snapshot of the listing and
//! keep their blocks mapped for as long as they need them. At the start the folders are read, what cannot be
//! opened is renamed to `<name>.aside` (never deleted), and files that were being written are removed: the log
//! still has what was in them.
//!
//! What listed blocks take in memory: 0.6 KB of heap each, and the pages of their filters once they were asked for an
//! id. Parsed directories and other pages are held by the blocks that were read last, within
//! [`ResidentLimits`], however many blocks are listed and however they are read.
//!
//! A block's file is `blocks/<tenant>/<id>.block`. Behind the folder there may be a store of objects, which several
//! machines reach ([`store`], behind the trait of [`objects`]); which blocks are there, and what becomes of them, says
//! [`catalog`]; what was read of them is kept in a [`cache`].

pub mod cache;
pub mod catalog;
mod folder;
mod here;
mod listing;
pub mod objects;
mod overlap;
mod remote;
mod standby;
pub mod store;

use std::hash::BuildHasher;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use foldhash::HashMap;
use parking_lot::Mutex;
use spanloom_block::{Block, BlockError, BlockId, FinishedBlock, ResidentLimits, ResidentSet, ResidentUsage};
use spanloom_span::{Tenant, TraceId};
use spanloom_wal::disk::{Disk, write_file_durably};

pub use folder::Writing;
use listing::Listing;
use overlap::OverlapIndex;
pub use overlap::Overlaps;
pub use remote::{RealPace, Remote, ShipError, Shipped, Unshipped, entry, far, read_whole};
pub use standby::{Ships, Standby};

/// The folder of blocks within the data directory.
pub const FOLDER: &str = "blocks";

/// Why the bucket did not do what was asked. A block that could not be put is not listed and may be put again.
#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    /// A file or folder could not be read or written.
    #[error("{action} {path}: {source}")]
    Io {
        /// What was being done.
        action: &'static str,
        /// To what.
        path: String,
        /// Why it failed.
        source: std::io::Error,
    },
    /// A block could not be built or read.
    #[error(transparent)]
    Block(#[from] BlockError),
}

/// What was found at the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OpenReport {
    /// Blocks opened.
    pub blocks: u64,
    /// Files set aside because they could not be opened, with the reason.
    pub set_aside: Vec<(String, String)>,
    /// Files that were being written when the process ended, now removed.
    pub unfinished: u64,
    /// Blocks that others stand for, now removed.
    pub replaced: u64,
}

/// A block and what it is called.
#[derive(Clone)]
pub struct Listed {
    /// Its name.
    pub id: BlockId,
    /// Path within the folder of blocks, or within the store.
    pub path: Arc<str>,
    /// The block, open.
    pub block: Block,
}

/// The blocks of all tenants.
pub struct Bucket {
    disk: Arc<dyn Disk>,
    /// Where the disk's files can be mapped; `None` for a disk that is none (a simulated one).
    root: Option<PathBuf>,
    listing: Listing,
    resident: Arc<ResidentSet>,
    /// What tells apart the processes that seal, in the upper 48 bits.
    salt: u64,
    number: AtomicU32,
    overlaps: Mutex<HashMap<Tenant, Arc<OverlapIndex>>>,
    remote: Option<Remote>,
    standby: Option<Arc<Standby>>,
}

impl Bucket {
    /// Opens all blocks of a data directory.
    pub fn open(disk: Arc<dyn Disk>, root: Option<PathBuf>) -> Result<(Self, OpenReport), BucketError> {
        Self::open_within(disk, root, ResidentLimits::default())
    }

    /// As [`Bucket::open`], with the limits on what blocks hold in memory for being read.
    pub fn open_within(
        disk: Arc<dyn Disk>,
        root: Option<PathBuf>,
        limits: ResidentLimits,
    ) -> Result<(Self, OpenReport), BucketError> {
        let (listing, resident) = (Listing::default(), Arc::new(ResidentSet::new(limits)));
        let salt = foldhash::fast::RandomState::default().hash_one(std::process::id()) << 16;
        let (number, overlaps) = (AtomicU32::new(0), Mutex::default());
        let bucket =
            Self { disk, root, listing, resident, salt, number, overlaps, remote: None, standby: None };
        let mut report = OpenReport::default();
        bucket.disk.create_dir_all(FOLDER).map_err(io("creating", FOLDER))?;
        for folder in bucket.disk.list(FOLDER).map_err(io("listing", FOLDER))? {
            match Tenant::new(&folder.name) {
                Ok(tenant) if folder.is_dir => bucket.open_tenant(&tenant, &mut report)?,
                _ => tracing::warn!(name = folder.name, "not a tenant's folder of blocks; left alone"),
            }
        }
        Ok((bucket, report))
    }

    fn open_tenant(&self, tenant: &Tenant, report: &mut OpenReport) -> Result<(), BucketError> {
        let folder = format!("{FOLDER}/{tenant}");
        let mut found = Vec::new();
        for file in self.disk.list(&folder).map_err(io("listing", &folder))? {
            let path = format!("{folder}/{}", file.name);
            if file.name.ends_with(".tmp") {
                self.disk.remove(&path).map_err(io("removing", &path))?;
                report.unfinished += 1;
            } else if let Some(name) = file.name.strip_suffix(".block") {
                let Ok(id) = name.parse() else {
                    tracing::warn!(path, "no block's name; left alone");
                    continue;
                };
                match self.open_block(&path) {
                    Ok(block) => found.push(Listed { id, path: listed_path(&path), block }),
                    // Says nothing about the block: it is left where it is.
                    Err(BucketError::Block(BlockError::Io(error)))
                        if error.kind() == ErrorKind::OutOfMemory =>
                    {
                        return Err(io("opening", &path)(error));
                    }
                    Err(error) => {
                        let aside = format!("{path}.aside");
                        self.disk.rename(&path, &aside).map_err(io("setting aside", &path))?;
                        report.set_aside.push((aside, error.to_string()));
                    }
                }
            }
        }
        report.blocks += found.len() as u64;
        self.listing.change(tenant, found, &[]);
        report.replaced += self.remove_replaced(tenant)? as u64;
        Ok(())
    }

    fn open_block(&self, path: &str) -> Result<Block, BucketError> {
        match &self.root {
            Some(root) => Ok(Block::open_in(root.join(path), &self.resident)?),
            None => {
                let bytes = self.disk.read(path).map_err(io("reading", path))?;
                Ok(Block::from_bytes_in(bytes, &self.resident)?)
            }
        }
    }

    /// Keeps a block: when this returns it is durable and listed. Yields its size in bytes.
    pub fn put(&self, tenant: &Tenant, block: FinishedBlock, now_ns: u64) -> Result<u64, BucketError> {
        let folder = format!("{FOLDER}/{tenant}");
        self.disk.create_dir_all(&folder).map_err(io("creating", &folder))?;
        let number = self.salt | u64::from(self.number.fetch_add(1, Ordering::Relaxed) & 0xffff);
        let id = BlockId { created: now_ns, number };
        let name = format!("{id}.block");
        let path = format!("{folder}/{name}");
        let bytes = block.bytes.len() as u64;
        write_file_durably(self.disk.as_ref(), &folder, &name, &[&block.bytes])
            .map_err(io("writing", &path))?;
        drop(block);
        let block = match self.open_block(&path) {
            Ok(block) => block,
            Err(error) => {
                // It will be put again under another name; its spans are still in the log until then.
                if let Err(source) = self.disk.remove(&path) {
                    tracing::error!(path, %source, "a block that was not listed cannot be removed");
                }
                return Err(error);
            }
        };
        let listed = Listed { id, path: listed_path(&path), block };
        match &self.remote {
            Some(remote) => remote.add(tenant, &self.listing, listed),
            None => self.listing.change(tenant, vec![listed], &[]),
        }
        Ok(bytes)
    }

    /// A tenant's blocks as they are now, oldest first.
    pub fn blocks(&self, tenant: &Tenant) -> Arc<Vec<Listed>> {
        self.shown().of(tenant)
    }

    fn shown(&self) -> &Listing {
        self.remote.as_ref().map_or(&self.listing, Remote::shown)
    }

    /// For each block of a listing of [`Bucket::blocks`], the places of the traces that also lie in another block
    /// of it. May take some time after blocks were listed: see the module.
    pub fn overlaps(&self, tenant: &Tenant, listing: &[Listed]) -> Result<Overlaps, BlockError> {
        let index = self.overlaps.lock().entry(tenant.clone()).or_default().clone();
        index.of(listing)
    }

    /// Blocks of all tenants: how many, and their bytes.
    pub fn totals(&self) -> (u64, u64) {
        let mut totals = (0, 0);
        for tenant in self.tenants() {
            for listed in self.blocks(&tenant).iter() {
                totals = (totals.0 + 1, totals.1 + listed.block.meta().file_bytes);
            }
        }
        totals
    }

    /// What blocks hold in memory for being read.
    pub fn resident(&self) -> ResidentUsage {
        self.resident.usage()
    }

    /// Every tenant that has blocks.
    pub fn tenants(&self) -> Vec<Tenant> {
        self.shown().tenants()
    }

    fn forget_overlaps(&self, tenant: &Tenant, removed: &[BlockId]) {
        let index = self.overlaps.lock().get(tenant).cloned();
        if let Some(index) = index.filter(|_| !removed.is_empty()) {
            index.forget(removed);
        }
    }

    /// The highest log ordinal through which some block of the folder has sealed a trace.
    pub fn sealed_through(&self, tenant: &Tenant, id: &TraceId) -> Result<Option<u64>, BlockError> {
        let mut through = None;
        for listed in self.listing.of(tenant).iter().filter(|listed| listed.block.may_contain(id)) {
            through = through.max(listed.block.sealed_through(id)?);
        }
        Ok(through)
    }

    /// The highest log ordinal that any block of the folder knows of.
    pub fn last_seq(&self) -> u64 {
        let blocks = self.listing.tenants().into_iter().map(|tenant| self.listing.of(&tenant));
        blocks.flat_map(|b| b.iter().map(|l| l.block.meta().max_sealed_through).max()).max().unwrap_or(0)
    }
}

fn io(action: &'static str, path: &str) -> impl FnOnce(std::io::Error) -> BucketError {
    move |source| BucketError::Io { action, path: path.to_owned(), source }
}

/// A file's path within the folder of blocks.
fn listed_path(path: &str) -> Arc<str> {
    path.strip_prefix(FOLDER).map_or(path, |path| path.trim_start_matches('/')).into()
}
