//! Blocks of this node, as other nodes of its cluster need to know of them.
//!
//! Each node looks at the store's manifests by itself, now and then. A block that was brought to the store a moment ago
//! may be in a manifest that others have not looked at yet: so it is told of for a while longer ([`Bucket::blocks_here`]),
//! and whoever asks must have looked at the manifest within half of that while ([`Bucket::look_again`]). Then every
//! block is told of here or listed there.
//!
//! **Invariant:** what the manifest says is gone is not brought back by another node's word: whoever asks leaves out
//! what the manifest names that it looked at before it listed blocks itself ([`Bucket::manifest`]).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use spanloom_block::{BlockId, ResidentSet};
use spanloom_span::Tenant;

use crate::catalog::Manifest;
use crate::remote::Remote;
use crate::{Bucket, Listed, ShipError};

/// How long a shipped block is told of at most.
const LONGEST: Duration = Duration::from_secs(600);

/// Blocks that were brought to the store a moment ago.
#[derive(Default)]
pub(crate) struct Recent(BTreeMap<BlockId, (Instant, Listed)>);

impl Recent {
    pub(crate) fn add(&mut self, listed: Listed) {
        self.0.insert(listed.id, (Instant::now(), listed));
    }

    /// Lets go of those that were brought longer ago.
    pub(crate) fn forget(&mut self, after: Duration) {
        self.0.retain(|_, (shipped, _)| shipped.elapsed() < after);
    }

    pub(crate) fn blocks(&self) -> impl Iterator<Item = &Listed> {
        self.0.values().map(|(_, listed)| listed)
    }
}

impl Remote {
    /// How long a shipped block is told of: a part of the time for which its object stays after the manifest has let go
    /// of it, so that a manifest that does not know it is one from before.
    pub(crate) fn told_of(&self) -> Duration {
        (self.steps().catalog().timing().grace / 2).min(LONGEST)
    }
}

impl Bucket {
    /// Blocks that others may not be able to read yet, oldest first: those of the folder, and with a store behind it
    /// those that are not in it, or that came there a moment ago.
    pub fn blocks_here(&self, tenant: &Tenant) -> Vec<Listed> {
        match &self.remote {
            Some(remote) => self.not_known_elsewhere(remote, tenant),
            None => self.blocks(tenant).to_vec(),
        }
    }

    /// Blocks that may have spans which others cannot find yet, for who looks for one trace: as [`Bucket::blocks_here`],
    /// with what took the place of those that are gone.
    pub fn blocks_here_now(&self, tenant: &Tenant) -> Vec<Listed> {
        let here = self.blocks_here(tenant);
        match here.iter().any(|listed| self.is_gone(tenant, listed.id)) {
            true => self.blocks(tenant).to_vec(),
            false => here,
        }
    }

    /// The tenant's manifest, as it was looked at last. What is listed from then on has every block that it names, or
    /// what took the block's place.
    pub fn manifest(&self, tenant: &Tenant) -> Option<Arc<Manifest>> {
        self.remote.as_ref()?.manifest(tenant)
    }

    fn is_gone(&self, tenant: &Tenant, id: BlockId) -> bool {
        self.manifest(tenant).is_some_and(|manifest| manifest.gone(id).is_some())
    }

    /// Looks at the tenant's manifest unless that was done a moment ago, and after `since`. Nothing without a store.
    pub async fn look_again(&self, tenant: &Tenant, since: Option<Instant>) -> Result<(), ShipError> {
        let Some(remote) = &self.remote else { return Ok(()) };
        let most = remote.told_of() / 2;
        let is_fresh = |looked: Instant| looked.elapsed() < most && since.is_none_or(|since| looked >= since);
        match self.looked(tenant).is_some_and(is_fresh) {
            true => Ok(()),
            false => self.poll(tenant).await,
        }
    }

    /// What keeps account of what blocks hold in memory for being read.
    pub fn resident_set(&self) -> &Arc<ResidentSet> {
        &self.resident
    }
}
