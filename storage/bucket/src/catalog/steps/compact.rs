//! Blocks are replaced by others with their spans.

use futures_util::future::BoxFuture;
use spanloom_block::BlockId;
use spanloom_span::Tenant;

use super::{StepError, Steps};
use crate::catalog::change::Change;
use crate::catalog::manifest::BlockEntry;
use crate::catalog::names::block_path;
use crate::catalog::plan::Job;
use crate::catalog::store::after;
use crate::objects::{StoreError, Upload};

/// What a merge is to make.
pub struct Outputs<'a> {
    /// Whose blocks they are.
    pub tenant: &'a Tenant,
    /// The work.
    pub job: &'a Job,
    /// The inputs as they are listed, in the order of the job.
    pub inputs: &'a [BlockEntry],
    attempt: u64,
}

impl Outputs<'_> {
    /// The name of an output, by its place among them.
    pub fn name(&self, place: u16) -> BlockId {
        self.job.output(self.attempt, place)
    }

    /// What the last output must say that it and its siblings replace; the others say that they replace nothing.
    pub fn replaces(&self) -> &[BlockId] {
        &self.job.inputs
    }
}

/// A block that a merge made.
#[derive(Debug, Clone)]
pub struct Output {
    /// What is listed of it; its name is that of its place.
    pub entry: BlockEntry,
    /// Where its bytes are.
    pub from: Upload,
}

/// Why a merge failed.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// An input was not read. One that is not there any more is no damage: another worker may have replaced it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An input cannot be read, or an output not be made.
    #[error("{0}")]
    Failed(String),
}

/// The work on blocks themselves.
pub trait Merge: Send + Sync {
    /// Makes the outputs of a job: none when no span is left, several when one would be too large. Together they have
    /// all spans of the inputs, but for those that the job is to drop.
    fn merge<'a>(&'a self, outputs: Outputs<'a>) -> BoxFuture<'a, Result<Vec<Output>, MergeError>>;
}

/// What came of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Compacted {
    /// The outputs are listed, and the inputs are gone.
    Done(Vec<BlockEntry>),
    /// An input was not listed when it began; nothing was done.
    Outdated(BlockId),
}

impl Steps {
    /// Does a job. If another worker is faster nothing changes, and this one's outputs will be swept: see
    /// [`CatalogError::Stale`](crate::catalog::CatalogError).
    pub async fn compact(
        &self,
        tenant: &Tenant,
        job: &Job,
        merge: &dyn Merge,
    ) -> Result<Compacted, StepError> {
        let begun = self.now();
        let manifest = self.catalog.refresh(tenant).await?;
        let mut inputs = Vec::with_capacity(job.inputs.len());
        for id in &job.inputs {
            match manifest.block(*id) {
                Some(entry) => inputs.push(*entry),
                None => return Ok(Compacted::Outdated(*id)),
            }
        }
        let attempt = self.catalog.pace.random();
        let outputs = merge.merge(Outputs { tenant, job, inputs: &inputs, attempt }).await?;
        if outputs.len() > usize::from(u16::MAX) + 1 {
            return Err(StepError::TooManyOutputs(outputs.len()));
        }
        let add: Vec<BlockEntry> = outputs.iter().map(|output| output.entry).collect();
        // One after the other: when the last one is there, which says what they replace, all are.
        for output in outputs {
            self.objects().put(&block_path(tenant, output.entry.id), output.from).await?;
        }
        let reason = job.reason(add.len());
        let remove = job.inputs.iter().map(|id| (*id, reason)).collect();
        let change = Change { add: add.clone(), remove, ..Change::default() };
        let until = after(begun, self.catalog.timing.orphan_after);
        self.catalog.commit_until(tenant, &change, until).await?;
        Ok(Compacted::Done(add))
    }
}
