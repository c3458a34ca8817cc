//! The listing: which blocks a tenant has. Readers take a snapshot without a lock; one writer at a time.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use spanloom_span::Tenant;

use crate::Listed;

type Map = BTreeMap<Tenant, Arc<Vec<Listed>>>;

#[derive(Default)]
pub(crate) struct Listing {
    map: ArcSwap<Map>,
    writing: Mutex<()>,
}

impl Listing {
    pub(crate) fn of(&self, tenant: &Tenant) -> Arc<Vec<Listed>> {
        self.map.load().get(tenant).cloned().unwrap_or_default()
    }

    pub(crate) fn tenants(&self) -> Vec<Tenant> {
        self.map.load().keys().cloned().collect()
    }

    /// Adds blocks to the tenant's list. The list is copied, since readers hold snapshots of it: 24 bytes and some
    /// 30 ns a block, little beside the sync of the block that is added.
    pub(crate) fn add(&self, tenant: &Tenant, mut found: Vec<Listed>) {
        found.sort_by_key(|listed| listed.id);
        let Some(first) = found.first() else { return };
        let _one_writer = self.writing.lock();
        let mut map = Map::clone(&self.map.load());
        let before = map.get(tenant).map(|blocks| blocks.as_slice()).unwrap_or_default();
        let in_order = before.last().is_none_or(|last| last.id < first.id);
        let mut blocks = Vec::with_capacity(before.len() + found.len());
        blocks.extend_from_slice(before);
        blocks.extend(found);
        if !in_order {
            blocks.sort_by_key(|listed| listed.id);
        }
        map.insert(tenant.clone(), Arc::new(blocks));
        self.map.store(Arc::new(map));
    }
}
