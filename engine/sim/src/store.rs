//! A node's spans: the log, what is live, and blocks, driven as the server's head, shards and sealer drive them
//! (`actors/ingest/src/head.rs`, `shard.rs`, `seal.rs`, `replay.rs`), on a simulated disk.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;
use spanloom_block::{BlockBuilder, BuilderOptions, digest_of_span};
use spanloom_bucket::Bucket;
use spanloom_ingest::head::FRAME_OTLP;
use spanloom_ingest::replicate::spread::Sending;
use spanloom_peer::{PeerError, Pushed, TraceList, TraceSum};
use spanloom_span::model::Trace;
use spanloom_span::slice::{SliceLimits, slice};
use spanloom_span::{Batch, Tenant, TraceId, TracePart, decode, join};
use spanloom_wal::disk::SimDisk;
use spanloom_wal::{Entry, Log, Options, Replayed};

use crate::machine::MachineId;
use crate::world::SimError;

/// Bytes of a segment of the log: few, so that there are many.
pub const SEGMENT_BYTES: u64 = 16 << 10;

/// Bytes of live requests beyond which everything is sealed, and beyond which nothing is taken.
pub const SOFT_BYTES: usize = 32 << 10;
/// See [`SOFT_BYTES`].
pub const HARD_BYTES: usize = 128 << 10;

/// A trace is sealed when nothing came for it so long.
pub const IDLE_MS: u64 = 10_000;

/// Who is told that a request is durable.
#[derive(Debug, Clone, Copy)]
pub enum Waiter {
    /// A push of this process.
    Here {
        /// Which.
        push: u64,
        /// Which share.
        sending: Sending,
    },
    /// Another node.
    There {
        /// Which.
        from: MachineId,
        /// Its process and the number of its call.
        back: (u64, u64),
    },
    /// An errand that fetched it to be a copy here.
    Fetched {
        /// Its number.
        number: u64,
    },
}

#[derive(Default)]
struct Live {
    parts: Vec<TracePart>,
    last_ms: u64,
    /// The first so many parts are being sealed.
    sealing: usize,
}

/// Spans of one node.
pub struct Store {
    tenant: Tenant,
    log: Log,
    bucket: Bucket,
    live: BTreeMap<TraceId, Live>,
    /// Bytes of live parts.
    pub live_bytes: usize,
    waiting: Vec<(Waiter, u64)>,
    /// Whether a sync is under way.
    pub is_syncing: bool,
    /// Whether a block is being shown.
    pub is_sealing: bool,
    /// Blocks that were written.
    pub sealed: u64,
    /// It takes nothing any more: the node is about to be gone.
    pub is_closed: bool,
    /// What there is of each trace in short, where that is known.
    sums: RefCell<BTreeMap<TraceId, Option<TraceSum>>>,
}

impl Store {
    /// Opens blocks and log, and brings back what is in no block.
    pub fn open(disk: SimDisk, tenant: &Tenant, unix_ms: u64, log_id: u64) -> Result<Self, SimError> {
        let (bucket, report) = Bucket::open(Arc::new(disk.clone()), None)?;
        if let Some((path, why)) = report.set_aside.first() {
            return Err(SimError::Damaged(format!("block {path}: {why}")));
        }
        let options = Options {
            segment_bytes: SEGMENT_BYTES,
            min_next_seq: bucket.last_seq() + 1,
            new_log_id: log_id,
            ..Options::default()
        };
        let (mut live, mut live_bytes, mut failed) = (BTreeMap::new(), 0, None);
        let (log, report) = Log::open(Arc::new(disk), "log", &options, |frame| {
            let spans = u64::from(frame.spans);
            match bring_back(&bucket, tenant, frame) {
                Ok(parts) => add(&mut live, &mut live_bytes, parts, unix_ms),
                Err(error) => {
                    failed = Some(error);
                    spans
                }
            }
        })?;
        match failed {
            Some(error) => return Err(error),
            None if !report.damage.is_empty() => {
                return Err(SimError::Damaged(format!("{:?}", report.damage)));
            }
            None => {}
        }
        let (waiting, tenant) = (Vec::new(), tenant.clone());
        let mut store = Self {
            tenant,
            log,
            bucket,
            live,
            live_bytes,
            waiting,
            is_syncing: false,
            is_sealing: false,
            sealed: 0,
            is_closed: false,
            sums: RefCell::default(),
        };
        let ids = store.sealed_traces()?.into_iter().chain(store.live.keys().copied());
        store.sums = RefCell::new(ids.map(|id| (id, None)).collect());
        Ok(store)
    }

    /// Appends a request and makes its spans live. The waiter is told by [`Store::sync`].
    pub fn append(&mut self, batch: Batch, unix_ms: u64, waiter: Waiter) -> Result<(), PeerError> {
        if self.is_closed {
            return Err(PeerError::Unavailable("the node leaves the cluster".into()));
        }
        if self.live_bytes + batch.bytes().len() > HARD_BYTES {
            return Err(PeerError::Exhausted {
                message: "live spans take too much".into(),
                retry_after: std::time::Duration::from_secs(1),
            });
        }
        let (tenant, batch) = (self.tenant.clone(), Arc::new(batch));
        let spans = batch.spans().len() as u32;
        let entry = Entry { tenant: tenant.as_str(), kind: FRAME_OTLP, payload: batch.bytes(), spans };
        let appended = self.log.append_group(&[entry], unix_ms);
        let appended = appended.map_err(|error| PeerError::Unavailable(error.to_string()))?;
        let groups = 0..batch.groups().len() as u32;
        let parts = groups.map(|group| TracePart { batch: batch.clone(), group, seq: appended.first_seq });
        self.sums.get_mut().extend(batch.groups().iter().map(|group| (group.id, None)));
        add(&mut self.live, &mut self.live_bytes, parts.collect(), unix_ms);
        self.waiting.push((waiter, u64::from(spans)));
        Ok(())
    }

    /// Syncs the log once for all that wait; who is told what.
    pub fn sync(&mut self) -> Vec<(Waiter, Result<Pushed, PeerError>)> {
        self.is_syncing = false;
        let synced = self.log.sync().map_err(|error| PeerError::Unavailable(error.to_string()));
        let answer = |spans| synced.clone().map(|_| Pushed { spans, ..Pushed::default() });
        self.waiting.drain(..).map(|(waiter, spans)| (waiter, answer(spans))).collect()
    }

    /// Whether something is live.
    pub fn has_live(&self) -> bool {
        !self.live.is_empty()
    }

    /// Writes a block of what is ripe, or of all; whether there was anything.
    pub fn seal(&mut self, unix_ms: u64, all: bool) -> Result<bool, SimError> {
        let all = all || self.live_bytes > SOFT_BYTES;
        let through = self.log.next_seq() - 1;
        let options = BuilderOptions { created: unix_ms * 1_000_000, ..BuilderOptions::default() };
        let mut builder = BlockBuilder::new(&self.tenant, options)?;
        let mut is_empty = true;
        for (id, live) in &mut self.live {
            if all || live.last_ms + IDLE_MS <= unix_ms {
                builder.push_trace(*id, through, &live.parts)?;
                live.sealing = live.parts.len();
                is_empty = false;
            }
        }
        if !is_empty {
            self.bucket.put(
                &self.tenant,
                builder.finish()?,
                unix_ms * 1_000_000 + self.sealed % 1_000_000,
            )?;
            (self.is_sealing, self.sealed) = (true, self.sealed + 1);
        }
        Ok(!is_empty)
    }

    /// The block is durable and listed: lets its spans go, and the log's segments.
    pub fn release(&mut self) -> Result<(), SimError> {
        let mut sealed = Vec::new();
        for live in self.live.values_mut() {
            for part in live.parts.drain(..std::mem::take(&mut live.sealing)) {
                self.live_bytes -= part.group().bytes as usize;
                sealed.push((part.seq, u64::from(part.group().count)));
            }
        }
        self.live.retain(|_, live| !live.parts.is_empty());
        self.is_sealing = false;
        let excess = self.log.ledger().sealed_all(sealed);
        if excess > 0 {
            return Err(SimError::Damaged(format!("{excess} spans were sealed that the log does not have")));
        }
        self.log.ledger().release()?;
        Ok(())
    }

    /// All that is here of a trace.
    pub fn gather(&self, id: &TraceId) -> Result<Option<Trace>, SimError> {
        let mut parts = Vec::new();
        for listed in
            self.bucket.blocks(&self.tenant).iter().filter(|listed| listed.block.may_contain_now(id))
        {
            parts.extend(listed.block.trace(id)?);
        }
        for part in self.live.get(id).into_iter().flat_map(|live| &live.parts) {
            parts.push(decode::trace_part(part)?);
        }
        Ok((!parts.is_empty()).then(|| join::join(parts).trace))
    }

    /// The traces that are here after one, in short; at most so many.
    pub fn list(&self, after: Option<TraceId>, most: usize) -> Result<TraceList, SimError> {
        let mut sums = self.sums.borrow_mut();
        let after = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut traces = Vec::new();
        for (id, known) in sums.range_mut((after, Bound::Unbounded)) {
            if traces.len() == most {
                return Ok(TraceList { traces, is_last: false });
            }
            if known.is_none() {
                *known = self.gather(id)?.as_ref().map(|trace| sum_of(*id, trace));
            }
            traces.extend(*known);
        }
        Ok(TraceList { traces, is_last: true })
    }

    /// The traces in blocks, each once.
    pub fn sealed_traces(&self) -> Result<Vec<TraceId>, SimError> {
        let mut ids = Vec::new();
        for listed in self.bucket.blocks(&self.tenant).iter() {
            ids.extend(listed.block.trace_ids()?);
        }
        ids.sort_unstable();
        ids.dedup();
        Ok(ids)
    }

    /// Retires all blocks, as retention does with those that came long ago.
    pub fn retire(&self) -> Result<(), SimError> {
        *self.sums.borrow_mut() = self.live.keys().map(|id| (*id, None)).collect();
        let blocks: Vec<_> = self.bucket.blocks(&self.tenant).iter().map(|listed| listed.id).collect();
        Ok(self.bucket.remove(&self.tenant, &blocks)?)
    }

    /// Bytes of the log, and those of its spans that no block has.
    pub fn log_figures(&self) -> spanloom_wal::LedgerFigures {
        self.log.ledger().figures()
    }
}

/// A trace in short.
fn sum_of(id: TraceId, trace: &Trace) -> TraceSum {
    let digests = trace.spans().map(|span| digest_of_span(u64::from_be_bytes(span.span_id.0), span.kind));
    TraceSum { id, spans: trace.span_count() as u32, digest: digests.fold(0, u32::wrapping_add) }
}

/// Adds parts; how many spans they have.
fn add(live: &mut BTreeMap<TraceId, Live>, bytes: &mut usize, parts: Vec<TracePart>, unix_ms: u64) -> u64 {
    let mut spans = 0;
    for part in parts {
        let group = part.group();
        *bytes += group.bytes as usize;
        spans += u64::from(group.count);
        let live = live.entry(group.id).or_default();
        live.last_ms = unix_ms;
        live.parts.push(part);
    }
    spans
}

/// What of a frame is in no block.
fn bring_back(bucket: &Bucket, tenant: &Tenant, frame: Replayed<'_>) -> Result<Vec<TracePart>, SimError> {
    let batch = Arc::new(sliced(Bytes::copy_from_slice(&frame.payload))?);
    let mut parts = Vec::new();
    for (number, group) in (0..).zip(batch.groups()) {
        if bucket.sealed_through(tenant, &group.id)?.is_none_or(|through| frame.seq > through) {
            parts.push(TracePart { batch: batch.clone(), group: number, seq: frame.seq });
        }
    }
    Ok(parts)
}

/// A request, checked and sliced.
pub fn sliced(request: Bytes) -> Result<Batch, SimError> {
    Ok(slice(request, &SliceLimits::default())?)
}
