//! The log back into actors, at the start.
//!
//! A part of a request is skipped when a block has sealed its trace through that request's ordinal; all others
//! become live again, as if they had just come. Memory is bounded as in normal running: while the log is read
//! the sealer works, and the reader waits for room.

use std::sync::Arc;

use bytes::Bytes;
use spanloom_bucket::Bucket;
use spanloom_span::slice::{SliceLimits, slice};
use spanloom_span::{Batch, Tenant};
use spanloom_stage::{Budget, Door};
use spanloom_wal::Replayed;

use crate::distributor::Distributor;
use crate::head::{FRAME_OTLP, dispatch};
use crate::live::LiveRequests;
use crate::metrics::IngestMetrics;
use crate::shard::{Shard, TRACE_BYTES};
use crate::tenants::Tenants;

/// Brings requests back.
pub struct Replay<'a> {
    /// Where the blocks are.
    pub bucket: &'a Bucket,
    /// Tenants by number.
    pub tenants: &'a Tenants,
    /// Gives traces to shards.
    pub distributor: &'a Distributor,
    /// The shards.
    pub shards: &'a [Door<Shard>],
    /// The list of live requests.
    pub live: &'a LiveRequests,
    /// Memory of batches.
    pub budget: &'a Arc<Budget>,
    /// Asked to work when memory is short.
    pub hurry: &'a dyn Fn(),
    /// Counts.
    pub metrics: &'a IngestMetrics,
}

/// Why a frame could not be brought back. It stays in the log.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// A frame of a kind that this version does not know.
    #[error("the frame has kind {0}, expected {FRAME_OTLP}")]
    Kind(u8),
    /// A tenant's name that is not one, or one tenant too many.
    #[error("the frame's tenant {0:?} cannot be taken")]
    Tenant(String),
    /// The request cannot be sliced.
    #[error("the frame's request cannot be read: {0}")]
    Request(#[from] spanloom_span::slice::SliceError),
    /// A block that may hold the trace cannot be read.
    #[error("whether the frame's traces are sealed cannot be read: {0}")]
    Block(#[from] spanloom_block::BlockError),
}

impl Replay<'_> {
    /// Brings one frame back; yields how many of its spans are not in blocks yet. A frame that cannot be brought
    /// back counts as all of its spans, so that its segment stays.
    pub fn frame(&self, frame: Replayed<'_>) -> u64 {
        let (seq, spans) = (frame.seq, u64::from(frame.spans));
        self.bring_back(frame).unwrap_or_else(|error| {
            tracing::error!(seq, %error, "a frame of the log cannot be brought back; it stays in the log");
            self.metrics.frames_unreadable.inc();
            spans.max(1)
        })
    }

    fn bring_back(&self, frame: Replayed<'_>) -> Result<u64, ReplayError> {
        let Replayed { seq, tenant, kind, payload, .. } = frame;
        if kind != FRAME_OTLP {
            return Err(ReplayError::Kind(kind));
        }
        let unfit = || ReplayError::Tenant(tenant.to_owned());
        let name = Tenant::new(tenant).map_err(|_| unfit())?;
        let entry = self.tenants.find_or_add(&name).ok_or_else(unfit)?;
        self.metrics.requests_replayed.inc();
        // The limits were kept when the request came; they may have been lowered since.
        let limits = SliceLimits { max_depth: u32::MAX, max_span_bytes: u32::MAX };
        // A copy, since the log's buffer holds its neighbours too.
        let batch = slice(Bytes::copy_from_slice(&payload), &limits)?;
        let all = batch.spans().len() as u64;
        let mut rest = Vec::new();
        for group in batch.groups() {
            if self.bucket.sealed_through(&name, &group.id)?.is_none_or(|through| seq > through) {
                rest.push(group);
            }
        }
        let live: u64 = rest.iter().map(|group| u64::from(group.count)).sum();
        self.metrics.spans_replay_skipped.inc_by(all - live);
        self.metrics.spans_replayed.inc_by(live);
        if live == 0 {
            return Ok(0);
        }
        let batch = if rest.len() == batch.groups().len() {
            batch
        } else {
            slice(batch.extract_all(rest.into_iter()), &limits)?
        };
        let opening = self.budget.force(batch.groups().len() * TRACE_BYTES);
        let routed = self.distributor.route(entry, Arc::new(self.with_room(batch)), opening);
        self.live.add(routed.tenant.number, seq, &routed.batch);
        dispatch(self.shards, &Arc::new(routed), seq, self.metrics);
        Ok(live)
    }

    /// Waits for room, with the sealer at work.
    fn with_room(&self, batch: Batch) -> Batch {
        let bytes = batch.held_bytes();
        let never = || {
            (self.hurry)();
            false
        };
        match self.budget.acquire_blocking(bytes, never) {
            Some(permit) => batch.with_permit(Box::new(permit)),
            None => batch,
        }
    }
}
