//! Blocks in a store. They are read as other programs would: the engine may be running.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use spanloom_block::Block;
use spanloom_bucket::RealPace;
use spanloom_bucket::cache::{Cache, CacheOptions};
use spanloom_bucket::catalog::{BlockEntry, Catalog, Manifest};
use spanloom_bucket::objects::Objects;
use spanloom_bucket::store::Store;
use spanloom_span::Tenant;

use crate::config::Config;

/// Bytes of metadata, and as many of data, that are held of blocks that stay in the store.
const CACHE_BYTES: u64 = 64 << 20;

/// The store that a configuration names.
pub(in crate::cli) struct StoreBlocks {
    runtime: tokio::runtime::Runtime,
    store: Arc<Store>,
    catalog: Catalog,
    cache: Cache,
}

impl StoreBlocks {
    /// Opens it, if there is one. Nothing is asked of it yet.
    pub fn open(config: &Config) -> Result<Option<Self>, String> {
        let Some(settings) = config.store_config() else { return Ok(None) };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.map_err(|error| format!("the runtime could not be started: {error}"))?;
        let store = Arc::new(Store::open(&settings).map_err(|error| error.to_string())?);
        let objects: Arc<dyn Objects> = store.clone();
        let catalog = Catalog::new(objects.clone(), Arc::new(RealPace), config.store_timing());
        let options = CacheOptions { folder: None, data_bytes: CACHE_BYTES, metadata_bytes: CACHE_BYTES };
        let cache = Cache::open(objects, None, runtime.handle().clone(), options);
        Ok(Some(Self { runtime, store, catalog, cache }))
    }

    /// What it is called, without credentials.
    pub fn name(&self) -> &str {
        self.store.name()
    }

    /// Which blocks the tenants have, or one of them.
    pub fn manifests(&self, only: Option<&Tenant>) -> Result<Vec<(Tenant, Arc<Manifest>)>, String> {
        self.runtime.block_on(async {
            let mut out = Vec::new();
            let tenants = self.catalog.tenants().await.map_err(|error| error.to_string())?;
            for tenant in tenants.iter().filter(|tenant| only.is_none_or(|only| only == *tenant)) {
                let manifest = self.catalog.refresh(tenant).await.map_err(|error| error.to_string())?;
                out.push((tenant.clone(), manifest));
            }
            Ok(out)
        })
    }

    /// Copies a block into a file.
    pub fn copy(&self, tenant: &Tenant, entry: &BlockEntry, to: &Path) -> Result<(), String> {
        let failed = |error: std::io::Error| format!("{}: {error}", to.display());
        let mut file = File::options().write(true).truncate(true).open(to).map_err(failed)?;
        let take = |piece: &[u8]| file.write_all(piece);
        let copied = spanloom_bucket::read_whole(self.store.as_ref(), tenant, entry, take);
        self.runtime.block_on(copied).map_err(|error| error.to_string())
    }

    /// A block that stays where it is. What is read of it is brought, metadata first.
    pub fn far(&self, tenant: &Tenant, entry: &BlockEntry) -> Block {
        spanloom_bucket::far(&self.cache, tenant, entry, &Arc::default())
    }
}
