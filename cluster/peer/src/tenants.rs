//! Each tenant's part of the ring.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::Arc;

use parking_lot::RwLock;
use spanloom_ring::Ring;
use spanloom_span::Tenant;

/// Most tenants whose rings are kept; those of others are made anew each time.
const MOST_KEPT: usize = 4096;

/// Shuffle sharding: how many nodes each tenant uses, and which, found once for each ring. The default is all nodes.
#[derive(Debug, Default)]
pub struct TenantRings {
    size: usize,
    known: RwLock<HashMap<Tenant, Arc<Ring>>>,
}

/// The ring of a tenant.
#[derive(Debug)]
pub enum TenantRing<'c> {
    /// Every node's.
    All(&'c Ring),
    /// That of the tenant's nodes.
    Own(Arc<Ring>),
}

impl TenantRings {
    /// Each tenant uses so many nodes; 0 is all of them.
    pub fn new(size: usize) -> Self {
        Self { size, known: RwLock::default() }
    }

    pub(crate) fn of<'c>(&self, ring: &'c Ring, tenant: &Tenant) -> TenantRing<'c> {
        if self.size == 0 || self.size >= ring.members().len() {
            return TenantRing::All(ring);
        }
        if let Some(known) = self.known.read().get(tenant) {
            return TenantRing::Own(known.clone());
        }
        // A tenant with fewer nodes than replicas would have fewer replicas.
        let size = self.size.max(ring.options().replication);
        let own = Arc::new(ring.within(&ring.shard_of_tenant(tenant, size)));
        let mut known = self.known.write();
        if known.len() < MOST_KEPT {
            known.insert(tenant.clone(), own.clone());
        }
        TenantRing::Own(own)
    }
}

impl Deref for TenantRing<'_> {
    type Target = Ring;

    fn deref(&self) -> &Ring {
        match self {
            Self::All(ring) => ring,
            Self::Own(ring) => ring,
        }
    }
}
