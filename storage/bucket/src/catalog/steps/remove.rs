//! Blocks are retired; objects of gone blocks are deleted; objects that nobody lists are swept.

use futures_util::{FutureExt, StreamExt};
use spanloom_block::BlockId;
use spanloom_span::Tenant;

use super::{StepError, Steps};
use crate::catalog::change::Change;
use crate::catalog::manifest::Gone;
use crate::catalog::names::{ObjectName, block_path};
use crate::catalog::plan::{self, Retired};
use crate::catalog::store::after;
use crate::objects::StoreError;

/// Objects that are deleted at a time.
const AT_A_TIME: usize = 8;

/// What a round of deletion did.
#[derive(Debug, Default)]
pub struct Deleted {
    /// Blocks whose objects were deleted.
    pub deleted: Vec<BlockId>,
    /// Blocks whose entries were forgotten, deleted by earlier rounds.
    pub forgotten: usize,
    /// Objects that the store did not delete; the next round tries again.
    pub failed: Vec<(BlockId, StoreError)>,
    /// Blocks that were left to the next round since this one took too long.
    pub left: usize,
}

/// What a sweep found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Blocks that nobody lists; they are gone now, and will be deleted after a while.
    pub buried: Vec<BlockId>,
    /// Temporary objects that were deleted.
    pub temporary: Vec<String>,
}

impl Steps {
    /// Removes blocks with all of their spans. Nothing is removed if one of them is not listed any more.
    pub async fn retire(&self, tenant: &Tenant, retired: &[Retired]) -> Result<(), StepError> {
        let remove = retired.iter().map(Retired::removed).collect();
        self.catalog.commit(tenant, &Change { remove, ..Change::default() }).await?;
        Ok(())
    }

    /// Deletes the objects of blocks that have been gone for long enough, and forgets those that were deleted long ago.
    pub async fn delete(&self, tenant: &Tenant) -> Result<Deleted, StepError> {
        let timing = self.catalog.timing;
        let begun = self.now();
        let manifest = self.catalog.refresh(tenant).await?;
        // A change may take effect some time after it was stamped: so much later the last reader took the manifest
        // before it.
        let keep = timing.grace.saturating_add(timing.act_within);
        let due = plan::due(&manifest.gone, begun, keep);
        let forget = plan::forgettable(&manifest.gone, begun, keep);
        let until = after(begun, timing.act_within / 2);
        let mut done = Deleted { forgotten: forget.len(), ..Deleted::default() };
        let mut waiting = Vec::with_capacity(due.len());
        for gone in due {
            waiting.push(self.delete_one(tenant, gone, until).boxed());
        }
        let mut deletes = futures_util::stream::iter(waiting).buffer_unordered(AT_A_TIME);
        while let Some((id, result)) = deletes.next().await {
            match result {
                Some(Ok(())) => done.deleted.push(id),
                Some(Err(error)) => done.failed.push((id, error)),
                None => done.left += 1,
            }
        }
        drop(deletes);
        let change = Change { deleted: done.deleted.clone(), forget, ..Change::default() };
        if change != Change::default() {
            self.catalog.commit(tenant, &change).await?;
        }
        Ok(done)
    }

    /// Deletes a block's object unless it is too late for that.
    async fn delete_one(
        &self,
        tenant: &Tenant,
        gone: Gone,
        until: u64,
    ) -> (BlockId, Option<Result<(), StoreError>>) {
        if self.now() >= until {
            return (gone.id, None);
        }
        (gone.id, Some(self.objects().delete(&block_path(tenant, gone.id)).await))
    }

    /// Finds objects that nobody lists and that were not written lately: blocks of workers that died are buried among
    /// the gone, their temporary objects are deleted. Lists the tenant's folder: to be done once a day or so.
    pub async fn sweep(&self, tenant: &Tenant) -> Result<Swept, StepError> {
        let timing = self.catalog.timing;
        let begun = self.now();
        let listing = self.objects().list(tenant.as_str()).await?;
        let manifest = self.catalog.refresh(tenant).await?;
        let mut swept = Swept::default();
        let mut change = Change::default();
        for (name, object) in plan::orphans(tenant, &listing, &manifest, begun, timing.orphan_after) {
            match name {
                ObjectName::Block(id) => {
                    swept.buried.push(id);
                    change.bury.push((id, object.bytes));
                }
                _ => {
                    self.objects().delete(&object.path).await?;
                    swept.temporary.push(object.path);
                }
            }
        }
        if change != Change::default() {
            self.catalog.commit(tenant, &change).await?;
        }
        Ok(swept)
    }
}
