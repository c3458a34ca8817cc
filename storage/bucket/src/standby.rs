//! Copies that stand by. In a cluster several nodes hold the same spans, and one of them brings a trace to the store.
//! The blocks of the others wait here until the store has all of their spans; then they are let go of as if they had
//! been shipped. If that takes too long, or the other node is gone, they are shipped after all: copies that are in the
//! store twice do no harm, since whoever reads removes duplicates, and compaction does.

use std::sync::Arc;
use std::time::Duration;

use foldhash::HashSet;
use spanloom_block::{Block, BlockError, TraceTable};
use spanloom_span::{SpanId, Tenant, TraceId};

use crate::catalog::Pace;
use crate::remote::{RealPace, Remote};
use crate::{Bucket, Listed};

/// Most traces of a block whose spans are compared one by one, since their digests differ.
const MOST_COMPARED: usize = 1024;

/// Whether it is this node, and no other that is up, that ships a trace.
pub type Ships = Box<dyn Fn(&Tenant, &TraceId) -> bool + Send + Sync>;

/// Which traces this node brings to the store.
pub struct Standby {
    /// Said of each trace, and again later, since it changes as nodes come and go.
    pub is_ours: Ships,
    /// How long another node may take, from when a block was sealed here.
    pub takeover_after: Duration,
}

/// Whose turn it is to bring a block to the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// This node's.
    Ours,
    /// Another's, who has not brought all of it yet.
    Waits,
    /// Nobody's: the store has all of its spans.
    Covered,
}

impl Bucket {
    /// Has blocks whose traces others ship stand by.
    #[must_use]
    pub fn with_standby(mut self, standby: Standby) -> Self {
        self.standby = Some(Arc::new(standby));
        self
    }

    /// Whether this node is the one that ships a trace.
    pub fn ships(&self, tenant: &Tenant, id: &TraceId) -> bool {
        self.standby.as_ref().is_none_or(|standby| (standby.is_ours)(tenant, id))
    }

    /// Whose turn it is to ship a block of the folder.
    pub(crate) async fn turn(&self, remote: &Remote, tenant: &Tenant, listed: &Listed) -> Turn {
        let Some(standby) = self.standby.clone() else { return Turn::Ours };
        let (version, others) = self.of_store(remote, tenant);
        let (block, of) = (listed.block.clone(), tenant.clone());
        let ours = tokio::task::spawn_blocking(move || standby.has_ours(&of, &block));
        // A block that cannot be read here is nobody else's matter.
        if !matches!(ours.await, Ok(Ok(false))) {
            return Turn::Ours;
        }
        let takeover_after = self.standby.as_ref().map_or(Duration::ZERO, |standby| standby.takeover_after);
        let age = Duration::from_nanos(RealPace.now().saturating_sub(listed.id.created));
        let otherwise = if age > takeover_after { Turn::Ours } else { Turn::Waits };
        if self.stands_by(remote, tenant, listed.id, version) {
            return otherwise;
        }
        let block = listed.block.clone();
        let covered = tokio::task::spawn_blocking(move || is_covered(&block, &others));
        match covered.await {
            Ok(Ok(true)) => Turn::Covered,
            Ok(Err(error)) => {
                tracing::debug!(block = %listed.path, %error, "whether the store has a block's spans is not known");
                otherwise
            }
            _ => otherwise,
        }
    }
}

impl Standby {
    /// Whether some trace of a block is for this node to ship.
    pub(crate) fn has_ours(&self, tenant: &Tenant, block: &Block) -> Result<bool, BlockError> {
        Ok(block.trace_ids()?.any(|id| (self.is_ours)(tenant, &id)))
    }
}

/// Whether other blocks have every span of a block. Reads their trace tables, so it is not for a runtime's worker.
pub(crate) fn is_covered(block: &Block, others: &[Listed]) -> Result<bool, BlockError> {
    let reader = block.reader()?;
    let table = TraceTable::open(&reader)?;
    let Some(digests) = reader.trace_digests()? else { return Ok(false) };
    let is_near = |other: &&Listed| {
        let (own, other) = (block.meta(), other.block.meta());
        own.min_start <= other.max_end && other.min_start <= own.max_end
    };
    let others: Vec<&Listed> = others.iter().filter(is_near).collect();
    let mut found = vec![(0u32, 0u64); digests.len()];
    for other in &others {
        add(&other.block, &table, &mut found)?;
    }
    let spans = |place: u32| {
        let rows = table.rows(place);
        rows.end - rows.start
    };
    let mut unlike = Vec::new();
    for (place, (digest, found)) in (0..).zip(digests.iter().zip(&found)) {
        match found {
            (_, 0) => return Ok(false),
            found if *found == (*digest, spans(place)) => {}
            _ => unlike.push(table.id(place)),
        }
    }
    if unlike.len() > MOST_COMPARED {
        return Ok(false);
    }
    for id in unlike {
        let mut there = HashSet::default();
        for other in &others {
            there.extend(spans_of(&other.block, &id)?);
        }
        if !spans_of(block, &id)?.is_subset(&there) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Adds digests and numbers of spans of the traces that another block has, too.
fn add(other: &Block, table: &TraceTable<'_>, found: &mut [(u32, u64)]) -> Result<(), BlockError> {
    let reader = other.reader()?;
    let theirs = TraceTable::open(&reader)?;
    // Without digests they are compared one by one.
    let digests = reader.trace_digests()?.unwrap_or_default();
    let mut place = 0;
    for (their_place, id) in (0..).zip(theirs.ids()) {
        place += table.ids()[place..].partition_point(|own| own < id);
        let Some(own) = table.ids().get(place) else { break };
        if own == id {
            let rows = theirs.rows(their_place);
            let (digest, spans) = &mut found[place];
            *digest = digest.wrapping_add(digests.get(their_place as usize).copied().unwrap_or(0));
            *spans += rows.end - rows.start;
        }
    }
    Ok(())
}

/// Which spans a block has of a trace.
fn spans_of(block: &Block, id: &TraceId) -> Result<HashSet<(SpanId, i32)>, BlockError> {
    let trace = block.trace(id)?;
    Ok(trace.iter().flat_map(|trace| trace.spans()).map(|span| (span.span_id, span.kind)).collect())
}
