//! Redaction: blocks are written anew without what is to go.
//!
//! | file | holds |
//! |---|---|
//! | `mod.rs` | the passes over a tenant's blocks |
//! | `doomed.rs` | what is to go, where it lies in a block, and a block without it |
//!
//! Each pass looks at every block that is listed. In the folder nobody else changes blocks meanwhile. In the store other
//! nodes may: a block that was joined with others while it was written anew is a conflict, nothing of that work is
//! listed, and the next pass finds what is to go in the block that took its place. The last pass finds nothing.
//!
//! **Invariant:** what is not to go is in the listed blocks all the time; a redaction that ends early has done a part,
//! which holds.

pub(crate) mod doomed;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use spanloom_block::{BlockId, MergeStats};
use spanloom_bucket::catalog::plan::Job;
use spanloom_bucket::catalog::steps::StepError;
use spanloom_bucket::catalog::{BlockEntry, CatalogError};
use spanloom_bucket::{Bucket, Listed, entry};
use spanloom_span::{Tenant, TraceId};

use crate::compact::{CompactError, Joiner};
use crate::upkeep::Upkeep;
pub use doomed::Doomed;
use doomed::Hits;

/// Passes before it is given up. Each but the last finds what other nodes joined meanwhile, or what came meanwhile.
const PASSES: u32 = 30;

/// The pause after the first pass that met conflicts; it grows by as much with each pass.
const PAUSE: Duration = Duration::from_millis(100);

/// What a redaction did, or would do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Redaction {
    /// Traces that went, whole or in part; one that lies in several blocks is one.
    pub traces: u64,
    /// Spans that went; one that lies in several blocks counts in each.
    pub spans: u64,
    /// Blocks that were written anew, in the order in which that was done.
    pub blocks: Vec<RedactedBlock>,
    /// Passes over the blocks.
    pub passes: u32,
    /// Blocks that others changed while they were written anew.
    pub conflicts: u64,
}

/// A block that was, or would be, written anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RedactedBlock {
    /// Its name.
    pub id: BlockId,
    /// Its bytes.
    pub bytes: u64,
    /// Traces that went from it, whole or in part.
    pub traces: u64,
    /// Spans that went from it.
    pub spans: u64,
    /// Spans that are left in what took its place; with none nothing did.
    pub left: u64,
}

/// Why a redaction ended early. What it did until then holds; the same redaction may be done again.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub struct RedactFailed {
    /// What it did.
    pub done: Redaction,
    /// Why it ended.
    pub reason: CompactError,
}

impl Redaction {
    /// Bytes of the blocks that were written anew.
    pub fn bytes(&self) -> u64 {
        self.blocks.iter().map(|block| block.bytes).sum()
    }

    /// Blocks that nothing took the place of.
    pub fn emptied(&self) -> u64 {
        self.blocks.iter().filter(|block| block.left == 0).count() as u64
    }
}

/// A block with something that is to go.
struct Struck {
    entry: BlockEntry,
    hits: Arc<Hits>,
}

/// A redaction under way.
struct Course<'a> {
    upkeep: &'a Upkeep,
    tenant: &'a Tenant,
    joiner: Joiner,
    done: Redaction,
    traces: BTreeSet<TraceId>,
}

impl Upkeep {
    /// Writes all of a tenant's blocks anew that have something of what is to go, until none has; a `dry` one only
    /// says which. Blocks that are here alone are brought to the store first, if there is one.
    ///
    /// Traces that are live are not touched. Joins and retention wait meanwhile.
    pub async fn redact(
        &self,
        tenant: &Tenant,
        doomed: Doomed,
        dry: bool,
    ) -> Result<Redaction, RedactFailed> {
        let _alone = self.0.changing.lock().await;
        let (joiner, traces) = (self.joiner(), BTreeSet::new());
        let mut course = Course { upkeep: self, tenant, joiner, done: Redaction::default(), traces };
        let ended = course.run(&Arc::new(doomed.sorted()), dry).await;
        let mut done = course.done;
        done.traces = course.traces.len() as u64;
        ended.map(|()| done.clone()).map_err(|reason| RedactFailed { done, reason })
    }

    /// Lets go of a tenant's files that are in the store, or were, and that the log needs no more.
    pub fn let_go(&self, tenant: &Tenant) -> Result<usize, CompactError> {
        Ok(self.0.parts.bucket.let_go(tenant)?)
    }
}

impl Course<'_> {
    async fn run(&mut self, doomed: &Arc<Doomed>, dry: bool) -> Result<(), CompactError> {
        let bucket = self.upkeep.0.parts.bucket.clone();
        self.upkeep.ship_all_of(self.tenant).await?;
        for pass in 0..PASSES {
            self.done.passes = pass + 1;
            let conflicts = self.done.conflicts;
            let listed = self.listed(&bucket).await?;
            let (of, stop) = (doomed.clone(), self.joiner.stop.clone());
            let struck = self.joiner.on_thread(move || find(&listed, &of, &stop)).await?;
            if struck.is_empty() {
                return Ok(());
            }
            for one in struck {
                match dry {
                    true => self.note(&one, one.entry.spans.saturating_sub(one.hits.spans)),
                    false => self.rewrite(one).await?,
                }
            }
            if dry {
                return Ok(());
            }
            if self.done.conflicts > conflicts {
                tokio::time::sleep(PAUSE * (pass + 1)).await;
            }
        }
        Err(CompactError::Contended(PASSES))
    }

    /// The blocks as they are listed now: those of the store, or without one those of the folder.
    async fn listed(&self, bucket: &Bucket) -> Result<Vec<Listed>, CompactError> {
        let manifest = self.upkeep.manifest(self.tenant).await?;
        if bucket.remote().is_some() {
            bucket.poll(self.tenant).await?;
        }
        let blocks = bucket.blocks(self.tenant);
        Ok(blocks.iter().filter(|listed| manifest.block(listed.id).is_some()).cloned().collect())
    }

    async fn rewrite(&mut self, struck: Struck) -> Result<(), CompactError> {
        let job = Job::redact(&struck.entry);
        let joiner = Joiner { without: Some(struck.hits.clone()), ..self.joiner.clone() };
        let salt = self.upkeep.0.parts.clock.wall_ns();
        let done = match joiner.bucket.remote() {
            Some(_) => joiner.in_store(self.tenant, &job).await,
            None => joiner.in_folder(self.tenant, job, salt).await,
        };
        match done {
            Ok(Some(MergeStats { spans, .. })) => self.note(&struck, spans),
            Ok(None) => self.done.conflicts += 1,
            Err(error) if is_conflict(&error) => self.done.conflicts += 1,
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Counts a block.
    fn note(&mut self, struck: &Struck, left: u64) {
        let Struck { entry, hits } = struck;
        self.traces.extend(hits.traces().copied());
        self.done.spans += hits.spans;
        let traces = hits.traces().count() as u64;
        let block = RedactedBlock { id: entry.id, bytes: entry.bytes, traces, spans: hits.spans, left };
        self.done.blocks.push(block);
    }
}

/// The blocks that have something of what is to go.
fn find(listed: &[Listed], doomed: &Doomed, stop: &AtomicBool) -> Result<Vec<Struck>, CompactError> {
    let mut struck = Vec::new();
    for one in listed {
        if stop.load(Ordering::Relaxed) {
            return Err(CompactError::Stopping);
        }
        let failed = |error| CompactError::Unreadable(one.path.to_string(), error);
        let hits = Hits::find(&one.block, doomed).map_err(failed)?;
        if !hits.is_empty() {
            struck.push(Struck { entry: entry(one), hits: Arc::new(hits) });
        }
    }
    Ok(struck)
}

/// Whether others changed the block meanwhile.
fn is_conflict(error: &CompactError) -> bool {
    let CompactError::Step(StepError::Catalog(error)) = error else { return false };
    matches!(error, CatalogError::Stale(_) | CatalogError::Contended(_) | CatalogError::Late(_))
}
