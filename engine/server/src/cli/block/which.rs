//! Which blocks are meant: files, names, all of a data directory, all of a store.

use std::path::{Path, PathBuf};

use clap::Args;
use spanloom_block::{Block, BlockError, BlockId};
use spanloom_bucket::catalog::{BlockEntry, block_path};
use spanloom_span::Tenant;

use super::super::ServeFlags;
use super::aside::Scratch;
use super::store::StoreBlocks;

/// Which blocks.
#[derive(Debug, Default, Args)]
pub(in crate::cli) struct Which {
    /// Files of blocks, or names (ID or TENANT/ID) of blocks of the data directory or store; none means all.
    #[arg(value_name = "BLOCK")]
    blocks: Vec<String>,
    /// Only blocks of this tenant.
    #[arg(long, value_name = "TENANT", value_parser = tenant)]
    tenant: Option<Tenant>,
    /// Configuration file: blocks are those of the store that it names, or of its data directory.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data directory [default: ./spanloom-data].
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
}

fn tenant(text: &str) -> Result<Tenant, String> {
    Tenant::new(text).map_err(|error| error.to_string())
}

/// The blocks that are meant, and the store that some of them may be in.
pub(super) struct Blocks {
    pub found: Vec<Found>,
    store: Option<StoreBlocks>,
    tenant: Option<Tenant>,
}

/// A block that was found, not opened yet.
#[derive(Debug, Clone)]
pub(super) struct Found {
    /// What it is called: its file's path, or `tenant/ID.block` in a store.
    pub name: String,
    pub place: Place,
}

/// Where a block is.
#[derive(Debug, Clone)]
pub(super) enum Place {
    /// In a file; whose it is, is known where the file lies in a data directory.
    File(PathBuf, Option<Tenant>),
    /// In the store.
    Store(Tenant, BlockEntry),
}

/// Why a block could not be opened.
#[derive(Debug, thiserror::Error)]
pub(super) enum OpenError {
    #[error("cannot be opened: {0}")]
    Block(#[from] BlockError),
    #[error("cannot be brought: {0}")]
    Store(String),
}

impl Found {
    /// Its id, as far as its name says it.
    pub fn id(&self) -> Option<BlockId> {
        match &self.place {
            Place::File(path, _) => path.file_name()?.to_str()?.strip_suffix(".block")?.parse().ok(),
            Place::Store(_, entry) => Some(entry.id),
        }
    }

    fn tenant(&self) -> Option<&Tenant> {
        match &self.place {
            Place::File(_, tenant) => tenant.as_ref(),
            Place::Store(tenant, _) => Some(tenant),
        }
    }
}

/// A block that was asked for.
enum Named {
    File(PathBuf),
    Id(Option<Tenant>, BlockId),
}

impl Named {
    /// A file that is there is a file. What is there not and reads as a name is a name.
    fn new(text: &str) -> Self {
        let path = Path::new(text);
        let name = text.strip_suffix(".block").unwrap_or(text);
        let read = match name.split_once('/') {
            Some((tenant, id)) => {
                Tenant::new(tenant).ok().zip(id.parse().ok()).map(|(tenant, id)| (Some(tenant), id))
            }
            None => name.parse().ok().map(|id| (None, id)),
        };
        match read {
            Some((tenant, id)) if !path.is_file() => Self::Id(tenant, id),
            _ => Self::File(path.to_owned()),
        }
    }
}

impl Which {
    /// Finds them. Of a store its lists are read, of a data directory the names of its files.
    pub(super) fn find(self) -> Result<Blocks, String> {
        let named: Vec<Named> = self.blocks.iter().map(|text| Named::new(text)).collect();
        let looks = named.is_empty() || named.iter().any(|one| matches!(one, Named::Id(..)));
        let (place, store, all) = if looks { self.all()? } else { (String::new(), None, Vec::new()) };
        let mut found = Vec::new();
        for one in &named {
            match one {
                Named::File(path) => {
                    let (name, place) = (path.display().to_string(), Place::File(path.clone(), None));
                    found.push(Found { name, place });
                }
                Named::Id(tenant, id) => {
                    let is_meant = |one: &&Found| {
                        one.id() == Some(*id)
                            && tenant.as_ref().is_none_or(|tenant| one.tenant() == Some(tenant))
                    };
                    let before = found.len();
                    found.extend(all.iter().filter(is_meant).cloned());
                    if found.len() == before {
                        return Err(format!("there is no block {id} in {place}"));
                    }
                }
            }
        }
        let mut found = if named.is_empty() { all } else { found };
        if let Some(tenant) = &self.tenant {
            found.retain(|one| one.tenant().is_none_or(|of| of == tenant));
        }
        Ok(Blocks { found, store, tenant: self.tenant })
    }

    /// All blocks of the store or data directory, and what that is called.
    fn all(&self) -> Result<(String, Option<StoreBlocks>, Vec<Found>), String> {
        let flags = ServeFlags {
            config: self.config.clone(),
            data_dir: self.data_dir.clone(),
            ..ServeFlags::default()
        };
        let config = flags.config().map_err(|error| error.to_string())?;
        if let Some(store) = StoreBlocks::open(&config)? {
            let mut found = Vec::new();
            for (tenant, manifest) in store.manifests(self.tenant.as_ref())? {
                found.extend(manifest.blocks.iter().map(|entry| Found {
                    name: block_path(&tenant, entry.id),
                    place: Place::Store(tenant.clone(), *entry),
                }));
            }
            return Ok((store.name().to_owned(), Some(store), found));
        }
        let root = Path::new(&config.data_dir).join(spanloom_bucket::FOLDER);
        let found = in_folder(&root).map_err(|error| error.to_string())?;
        Ok((root.display().to_string(), None, found))
    }
}

fn in_folder(root: &Path) -> std::io::Result<Vec<Found>> {
    let mut found = Vec::new();
    for folder in sorted(root)?.into_iter().filter(|folder| folder.is_dir()) {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        let tenant = Tenant::new(&name).ok();
        let files =
            sorted(&folder)?.into_iter().filter(|file| file.extension().is_some_and(|e| e == "block"));
        found.extend(files.map(|file| Found {
            name: file.display().to_string(),
            place: Place::File(file, tenant.clone()),
        }));
    }
    Ok(found)
}

impl Blocks {
    /// A block, all of its bytes at hand: one of the store is copied into the folder `scratch`, and the copy goes when
    /// the block is let go. `None` when it is another tenant's.
    pub fn open(&self, found: &Found, scratch: &Path) -> Result<Option<Block>, OpenError> {
        let block = match (&found.place, &self.store) {
            (Place::Store(tenant, entry), Some(store)) => {
                let copy = Scratch::new(scratch, "block").map_err(BlockError::from)?;
                store.copy(tenant, entry, copy.path()).map_err(OpenError::Store)?;
                // It is mapped, and may be unlinked, which letting the scratch go does.
                Block::open(copy.path())?
            }
            (Place::Store(..), None) => return Err(OpenError::Store("no store is open".to_owned())),
            (Place::File(path, _), _) => Block::open(path)?,
        };
        Ok(Some(block).filter(|block| self.tenant.as_ref().is_none_or(|of| *of == block.meta().tenant)))
    }

    /// A block of which little will be read: one of the store stays there.
    pub fn open_far(&self, found: &Found) -> Result<Option<Block>, OpenError> {
        match (&found.place, &self.store) {
            (Place::Store(tenant, entry), Some(store)) => Ok(Some(store.far(tenant, entry))),
            _ => self.open(found, Path::new("")),
        }
    }
}

/// What is in a folder, by name.
pub(in crate::cli) fn sorted(dir: &Path) -> std::io::Result<Vec<PathBuf>> {
    let at = |error: std::io::Error| std::io::Error::new(error.kind(), format!("{}: {error}", dir.display()));
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(dir).map_err(at)?.map(|e| e.map(|e| e.path())).collect::<Result<_, _>>()?;
    entries.sort();
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_reads_as_a_name_is_one_unless_it_is_a_file() {
        let check = |text: &str, expected: Option<(Option<&str>, u64)>| {
            let found = match Named::new(text) {
                Named::File(path) => {
                    assert_eq!(path, Path::new(text));
                    None
                }
                Named::Id(tenant, id) => Some((tenant.map(|tenant| tenant.to_string()), id.number)),
            };
            assert_eq!(found, expected.map(|(tenant, number)| (tenant.map(str::to_owned), number)), "{text}");
        };
        check("18a5b2c3d4e5f607-00000000000000ff", Some((None, 255)));
        check("18a5b2c3d4e5f607-00000000000000ff.block", Some((None, 255)));
        check("team/18a5b2c3d4e5f607-00000000000000ff.block", Some((Some("team"), 255)));
        check("data/blocks/team/18a5b2c3d4e5f607-00000000000000ff.block", None);
        check("./18a5b2c3d4e5f607-00000000000000ff.block", None);
        check("x.block", None);
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("18a5b2c3d4e5f607-00000000000000ff.block");
        std::fs::write(&file, "").unwrap();
        check(file.to_str().unwrap(), None);
    }
}
