//! How blocks come, are replaced and go, without losing a span, whoever dies in between.
//!
//! | file | what |
//! |---|---|
//! | `upload.rs` | a sealed block is brought to the store and listed |
//! | `compact.rs` | blocks are replaced by others with their spans |
//! | `remove.rs` | blocks are retired; objects of gone blocks are deleted; forgotten objects are swept |
//!
//! The rules that keep spans safe, each of which a test breaks:
//!
//! 1. A block is listed when its object is in the store, whole; inputs leave the list in the very change that lists
//!    their outputs.
//! 2. A change whose inputs are not all listed any more is not made: somebody else has their spans.
//! 3. An object is deleted only while its block is among the gone, for [`Timing::grace`] and what a request may take at
//!    least, and a block that is gone is not listed again. Orphans are buried among the gone, too, before they are
//!    deleted.
//! 4. What was put is listed soon or not at all: within `grace` for a name that may have been used before, within
//!    `orphan_after` for a fresh one. So nobody lists an object that was buried, deleted and forgotten meanwhile.
//! 5. A block is deleted only within `act_within` of reading that it is gone, and forgotten only `grace` after it was
//!    deleted. So nobody deletes what was put and listed again under that name, or what a rebuilt manifest lists.

mod compact;
mod remove;
mod upload;

use std::sync::Arc;

use super::store::{Catalog, CatalogError};
use crate::objects::{Objects, StoreError};

pub use compact::{Compacted, Merge, MergeError, Output, Outputs};
pub use remove::{Deleted, Swept};
pub use upload::Uploaded;

/// Why a step did not come to its end. Whatever of it was done is either of use or will be swept.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// The catalog or the store refused or failed.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// Merging failed.
    #[error(transparent)]
    Merge(#[from] MergeError),
    /// The block was forgotten in the store for so long that it is being swept; it may be put again after that.
    #[error("block {0} is being swept from the store, where it lay unlisted: it is to be put again later")]
    BeingSwept(spanloom_block::BlockId),
    /// The merge gave more outputs than have names.
    #[error("{0} outputs of one job, at most 65536 are possible")]
    TooManyOutputs(usize),
}

impl From<StoreError> for StepError {
    fn from(error: StoreError) -> Self {
        Self::Catalog(error.into())
    }
}

/// The steps, over one catalog.
#[derive(Clone)]
pub struct Steps {
    catalog: Arc<Catalog>,
}

impl Steps {
    /// Steps over a catalog.
    pub fn new(catalog: Arc<Catalog>) -> Self {
        Self { catalog }
    }

    /// The catalog.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    fn objects(&self) -> &dyn Objects {
        self.catalog.objects.as_ref()
    }

    fn now(&self) -> u64 {
        self.catalog.pace.now()
    }
}
