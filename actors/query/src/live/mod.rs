//! Live spans in columns: blocks in memory, made of the requests that hold them, so that a question reads live spans
//! as it reads those of blocks.
//!
//! | file | holds |
//! |---|---|
//! | `mod.rs` | the live columns of all tenants |
//! | `segments.rs` | a tenant's: which are kept, which are made anew |
//! | `build.rs` | requests into columns |
//! | `overlap.rs` | which traces lie in several places |
//! | `forget.rs` | columns go when nobody asks |
//!
//! Columns are made when somebody asks, of what came since, and kept for the next question: without questions live
//! spans cost nothing here. They go with the first question after the last request they are made of is gone, which is
//! when its traces are in blocks, or when nobody asked for a while. Until then they may hold spans that are in a block
//! too, which are removed as other duplicates are. Their memory is counted in the budget of live spans.

mod build;
mod forget;
mod overlap;
mod segments;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use foldhash::HashMap;
use spanloom_bucket::Listed;
use spanloom_peer::LiveRequest;
use spanloom_span::Tenant;
use spanloom_stage::Budget;
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::QueryError;
pub(crate) use forget::Forgetful;
pub(crate) use overlap::{Both, compare, union};
pub(crate) use segments::View;
use segments::{Build, Segments};

/// Most spans of a block in memory: those of a row group.
const RUN_SPANS: u64 = spanloom_block::GROUP_ROWS as u64;

/// The live columns of all tenants.
pub(crate) struct LiveColumns {
    tenants: parking_lot::Mutex<HashMap<Tenant, Arc<Mutex<Segments>>>>,
    build: Build,
}

/// A tenant's live columns, which nobody else changes meanwhile. Live requests are listed after they were taken: an
/// older list would bring back what is gone.
pub(crate) struct OneTenant(OwnedMutexGuard<Segments>);

impl OneTenant {
    /// Lets go of all of it.
    pub fn forget(mut self) {
        *self.0 = Segments::default();
    }

    /// What was last seen, with the blocks that were listed then, if that was after a moment.
    pub fn seen_since(&self, moment: Instant) -> Option<(Arc<Vec<Listed>>, Arc<View>)> {
        self.0.seen_since(moment)
    }
}

impl LiveColumns {
    /// None so far. Columns are made by so many threads, which give way to others, and their memory is counted in the
    /// budget.
    pub fn new(threads: usize, nice: u8, budget: Arc<Budget>) -> Self {
        Self {
            tenants: Default::default(),
            build: Build { threads, nice, run_spans: RUN_SPANS, budget, numbered: AtomicU64::new(0) },
        }
    }

    /// Lets go of the columns that no question used for so long.
    pub fn let_go(&self, unused: Duration) {
        let is_used = |segments: &Arc<Mutex<Segments>>| match segments.try_lock() {
            Ok(segments) => segments.last_used().is_some_and(|used| used.elapsed() < unused),
            Err(_) => true,
        };
        let mut gone = Vec::new();
        self.tenants.lock().retain(|_, segments| {
            let is_kept = is_used(segments);
            gone.extend((!is_kept).then(|| segments.clone()));
            is_kept
        });
        // Giving back that much memory takes its time: not under the lock.
        drop(gone);
    }

    /// Takes a tenant's columns. Questions that come meanwhile wait here, and share what the next one of them makes.
    pub async fn take(&self, tenant: &Tenant) -> OneTenant {
        let segments = self.tenants.lock().entry(tenant.clone()).or_default().clone();
        OneTenant(segments.lock_owned().await)
    }

    /// The columns of a tenant's live requests, which are made where they are not there yet, and what they share with
    /// the tenant's blocks; `listed` is when it was begun to list them. Takes about 1 us for each span that is new: not
    /// for a runtime's worker.
    pub fn of(
        &self,
        mut taken: OneTenant,
        tenant: &Tenant,
        listed: Instant,
        live: Vec<LiveRequest>,
        blocks: &Arc<Vec<Listed>>,
    ) -> Result<Arc<View>, QueryError> {
        if live.is_empty() {
            // Whoever waits for them may go on to use them; they are gone with the last who does.
            self.tenants.lock().remove(tenant);
        }
        let view = taken.0.update(tenant, live, blocks, &self.build)?;
        taken.0.seen(listed, blocks, &view);
        Ok(view)
    }
}
