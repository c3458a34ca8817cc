//! A sealed block is brought to the store and listed.

use spanloom_span::Tenant;

use super::{StepError, Steps};
use crate::catalog::change::{Change, Stale};
use crate::catalog::manifest::{BlockEntry, Reason};
use crate::catalog::names::block_path;
use crate::catalog::store::{CatalogError, after};
use crate::objects::Upload;

/// What came of an upload; either way the block's spans are in the store for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uploaded {
    /// The block is listed.
    Listed,
    /// It was listed before, and has been replaced or retired since.
    Gone(Reason),
}

impl Steps {
    /// Puts a block and lists it. May be called again whatever became of the first call.
    pub async fn upload(
        &self,
        tenant: &Tenant,
        block: BlockEntry,
        from: Upload,
    ) -> Result<Uploaded, StepError> {
        let begun = self.now();
        let manifest = self.catalog.refresh(tenant).await?;
        if let Some(gone) = manifest.gone(block.id) {
            return gone_before(block, gone.reason);
        }
        match manifest.block(block.id) {
            Some(listed) if *listed == block => {}
            Some(_) => return Err(CatalogError::Stale(Stale::Differs(block.id)).into()),
            None => self.objects().put(&block_path(tenant, block.id), from).await?,
        }
        let change = Change { add: vec![block], ..Change::default() };
        let until = after(begun, self.catalog.timing.grace);
        match self.catalog.commit_until(tenant, &change, until).await {
            Ok(_) => Ok(Uploaded::Listed),
            Err(CatalogError::Stale(Stale::Gone(_, reason))) => gone_before(block, reason),
            Err(error) => Err(error.into()),
        }
    }
}

fn gone_before(block: BlockEntry, reason: Reason) -> Result<Uploaded, StepError> {
    match reason {
        Reason::Orphaned => Err(StepError::BeingSwept(block.id)),
        reason => Ok(Uploaded::Gone(reason)),
    }
}
