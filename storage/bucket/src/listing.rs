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

    pub(crate) fn add(&self, tenant: &Tenant, listed: Listed) {
        let _one_writer = self.writing.lock();
        let mut map = Map::clone(&self.map.load());
        let mut blocks = map.get(tenant).map(|blocks| Vec::clone(blocks)).unwrap_or_default();
        let place = blocks.partition_point(|other| other.path < listed.path);
        blocks.insert(place, listed);
        map.insert(tenant.clone(), Arc::new(blocks));
        self.map.store(Arc::new(map));
    }
}
