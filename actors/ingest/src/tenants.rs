//! Tenants by number: names are hashed once a request, keys of traces stay small.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dashmap::DashMap;
use parking_lot::RwLock;
use spanloom_span::{Tenant, TraceId};

/// A tenant's number in this process; never on disk or on a wire.
pub type TenantNumber = u32;

/// A trace of a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TraceKey {
    /// Whose.
    pub tenant: TenantNumber,
    /// Which.
    pub id: TraceId,
}

/// What is known of a tenant.
#[derive(Debug)]
pub struct TenantEntry {
    /// Its number.
    pub number: TenantNumber,
    /// Its name.
    pub name: Tenant,
    live: AtomicU64,
}

impl TenantEntry {
    /// Its live traces.
    pub fn live(&self) -> u64 {
        self.live.load(Ordering::Relaxed)
    }

    /// One more.
    pub fn opened(&self) {
        self.live.fetch_add(1, Ordering::Relaxed);
    }

    /// One less.
    pub fn closed(&self) {
        self.live.fetch_sub(1, Ordering::Relaxed);
    }
}

/// All tenants that sent or asked something since the start.
#[derive(Debug)]
pub struct Tenants {
    max: usize,
    by_name: DashMap<Tenant, Arc<TenantEntry>>,
    by_number: RwLock<Vec<Arc<TenantEntry>>>,
}

impl Tenants {
    /// At most so many.
    pub fn new(max: usize) -> Self {
        Self { max, by_name: DashMap::new(), by_number: RwLock::new(Vec::new()) }
    }

    /// A tenant that has been seen.
    pub fn find(&self, name: &Tenant) -> Option<Arc<TenantEntry>> {
        self.by_name.get(name).map(|entry| entry.clone())
    }

    /// A tenant, new ones included; `None` when there are too many.
    pub fn find_or_add(&self, name: &Tenant) -> Option<Arc<TenantEntry>> {
        if let Some(entry) = self.find(name) {
            return Some(entry);
        }
        let mut by_number = self.by_number.write();
        if let Some(entry) = self.find(name) {
            return Some(entry);
        }
        if by_number.len() >= self.max {
            return None;
        }
        let number = by_number.len() as TenantNumber;
        let entry = Arc::new(TenantEntry { number, name: name.clone(), live: AtomicU64::new(0) });
        by_number.push(entry.clone());
        self.by_name.insert(name.clone(), entry.clone());
        Some(entry)
    }

    /// All of them.
    pub fn names(&self) -> Vec<Tenant> {
        self.by_number.read().iter().map(|entry| entry.name.clone()).collect()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.by_number.read().len()
    }
}
