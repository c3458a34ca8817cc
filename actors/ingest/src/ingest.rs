//! The ingest role as a whole.

use std::any::Any;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::Mutex;
use spanloom_bucket::Bucket;
use spanloom_peer::{Answer, FindTrace, FoundParts, Live, LiveRequest, PeerError};
use spanloom_ring::Tokens;
use spanloom_span::{Batch, Tenant, TracePart};
use spanloom_stage::{Budget, Clock, Door, Permit, Shut, Stage};
use spanloom_wal::disk::Disk;
use spanloom_wal::{Log, Options as LogOptions, ReplayReport, SegmentLedger, WalError};
use tokio::sync::oneshot;

use crate::distributor::{Distributor, LeftOut};
use crate::head::{self, HeadDoor, HeadParts, Refusing};
use crate::live::LiveRequests;
use crate::metrics::IngestMetrics;
use crate::options::IngestOptions;
use crate::refusal::{Accepted, Refusal};
use crate::replay::Replay;
use crate::seal::{self, SealDoor, SealParts};
use crate::shard::{FindLive, Shard, ShardParts, ShardState, TRACE_BYTES};
use crate::tenants::{Tenants, TraceKey};
use crate::trace::Home;

/// How often it is tried to seal what is live, and how much longer each pause is than the one before: 20 s in all.
const SETTLE_TRIES: u32 = 20;
const SETTLE_PAUSE: Duration = Duration::from_millis(100);

/// Room in the memory budget that somebody holds; dropping it gives it back.
pub type Held = Box<dyn Any + Send + Sync>;

/// Why the role could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The log could not be opened or replayed.
    #[error(transparent)]
    Log(#[from] WalError),
    /// A thread could not be started.
    #[error("a thread could not be started: {0}")]
    Thread(#[from] io::Error),
}

/// What is live.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LiveStatus {
    /// Live traces.
    pub traces: u64,
    /// Bytes of their spans.
    pub bytes: u64,
    /// Bytes of requests held.
    pub held_bytes: u64,
    /// Tenants seen.
    pub tenants: u64,
    /// Whether the log is of use; if not, only a restart helps.
    pub log_ok: bool,
    /// Since when and why the log takes no requests just now; `None` while it does.
    pub refusing: Option<Refusing>,
    /// Whether the head's and the sealer's threads run.
    pub threads_ok: bool,
    /// Files of the log.
    pub log_segments: u64,
    /// Bytes of the log.
    pub log_bytes: u64,
    /// Spans in the log that are in no block.
    pub unsealed_spans: u64,
}

/// Takes spans in, keeps them, and answers for what is live. Clones share one.
#[derive(Clone)]
pub struct Ingest {
    inner: Arc<Inner>,
}

struct Inner {
    options: IngestOptions,
    distributor: Distributor,
    shards: Vec<Door<Shard>>,
    states: Arc<[Arc<ShardState>]>,
    head: HeadDoor,
    seal: SealDoor,
    budget: Arc<Budget>,
    live: Arc<LiveRequests>,
    tenants: Arc<Tenants>,
    ledger: SegmentLedger,
    metrics: Arc<IngestMetrics>,
    stopping: AtomicBool,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Ingest {
    /// Starts shards, sealer and head on a stage, and brings back what the log holds.
    pub fn start(
        stage: &Stage,
        disk: Arc<dyn Disk>,
        bucket: Arc<Bucket>,
        clock: Arc<dyn Clock>,
        metrics: Arc<IngestMetrics>,
        options: IngestOptions,
    ) -> Result<(Self, ReplayReport), StartError> {
        let home = Arc::new(Home { budget: Budget::new(options.live_bytes), live: Arc::default() });
        let Home { budget, live } = &*home;
        let (states, shards) = start_shards(stage, &home, &clock, &metrics, &options);
        let tenants = Arc::new(Tenants::new(options.max_tenants));
        let distributor = Distributor::new(states.clone(), options.slice, options.limits(), metrics.clone());
        let ledger = Arc::new(OnceLock::new());
        let (seal, seal_thread) = seal::start(SealParts {
            shards: shards.clone(),
            bucket: bucket.clone(),
            ledger: ledger.clone(),
            budget: budget.clone(),
            clock: clock.clone(),
            metrics: metrics.clone(),
            options: options.clone(),
        })?;
        let hurry = || seal.hurry();
        let replay = Replay {
            bucket: &bucket,
            tenants: &tenants,
            distributor: &distributor,
            shards: &shards,
            live,
            budget,
            hurry: &hurry,
            metrics: &metrics,
        };
        let log_options = LogOptions {
            segment_bytes: options.segment_bytes,
            min_free: options.min_free_disk,
            min_next_seq: bucket.last_seq() + 1,
            new_log_id: clock.wall_ns(),
        };
        let (log, report) = Log::open(disk, "log", &log_options, |frame| replay.frame(frame))?;
        let account = ledger.get_or_init(|| log.ledger().clone()).clone();
        let (head, head_thread) = head::start(HeadParts {
            log,
            shards: shards.clone(),
            live: live.clone(),
            durability: options.durability,
            group_bytes: options.group_bytes,
            clock,
            max_requests: options.max_requests,
            metrics: metrics.clone(),
        })?;
        let inner = Inner {
            options,
            distributor,
            shards,
            states,
            head,
            seal,
            budget: budget.clone(),
            live: live.clone(),
            tenants,
            ledger: account,
            metrics,
            stopping: AtomicBool::new(false),
            threads: Mutex::new(vec![head_thread, seal_thread]),
        };
        Ok((Self { inner: Arc::new(inner) }, report))
    }

    /// Admission: takes room for so many bytes, waiting a little for it.
    pub async fn admit(&self, bytes: usize) -> Result<Permit, Refusal> {
        let inner = &self.inner;
        if inner.stopping.load(Ordering::Acquire) {
            return Err(Refusal::Stopping);
        }
        self.room(bytes).await
    }

    async fn room(&self, bytes: usize) -> Result<Permit, Refusal> {
        let inner = &self.inner;
        if let Some(permit) = inner.budget.try_acquire(bytes) {
            return Ok(permit);
        }
        inner.seal.hurry();
        inner.budget.acquire(bytes, inner.options.admission_wait).await.ok_or_else(|| {
            inner.metrics.refused("memory");
            Refusal::Exhausted {
                message: format!(
                    "RATE_LIMITED: {} bytes of requests are held, {} are allowed",
                    inner.budget.used(),
                    inner.budget.limit()
                ),
                retry_after: inner.options.retry_after,
            }
        })
    }

    /// Stops 2 to 6: checks a request, gives it to its shards and the log, and returns when it is kept.
    ///
    /// `held` is the room that [`Self::admit`] gave for the request's bytes; it is exchanged for what the sliced
    /// request holds.
    pub async fn push(&self, tenant: &Tenant, request: Bytes, held: Held) -> Result<Accepted, Refusal> {
        let begun = Instant::now();
        self.inner.metrics.requests.inc();
        let result = self.take(tenant, self.inner.distributor.slice(request), held, begun).await;
        self.told(result, begun)
    }

    /// As [`Self::push`], for a request that another node has sliced: with its slices.
    pub async fn push_sliced(
        &self,
        tenant: &Tenant,
        request: Bytes,
        index: &[u8],
        held: Held,
    ) -> Result<Accepted, Refusal> {
        let begun = Instant::now();
        self.inner.metrics.requests.inc();
        let batch = Batch::indexed(request, index).map_err(|error| Refusal::Invalid(error.to_string()));
        let result = self.take(tenant, batch, held, begun).await;
        self.told(result, begun)
    }

    fn told(&self, result: Result<Accepted, Refusal>, begun: Instant) -> Result<Accepted, Refusal> {
        let metrics = &self.inner.metrics;
        match &result {
            Ok(_) => metrics.acknowledge_seconds.observe(begun.elapsed()),
            Err(refusal) => metrics.refused(refusal.reason()),
        }
        result
    }

    async fn take(
        &self,
        tenant: &Tenant,
        batch: Result<Batch, Refusal>,
        held: Held,
        begun: Instant,
    ) -> Result<Accepted, Refusal> {
        if self.inner.stopping.load(Ordering::Acquire) {
            return Err(Refusal::Stopping);
        }
        let batch = self.held(batch?);
        drop(held);
        let metrics = &self.inner.metrics;
        metrics.slice_seconds.observe(begun.elapsed());
        self.keep(tenant, batch).await
    }

    /// Stop 2: a request's bytes checked and sliced, with room in the budget for as long as somebody holds it.
    pub(crate) fn sliced(&self, request: Bytes) -> Result<Arc<Batch>, Refusal> {
        Ok(self.held(self.inner.distributor.slice(request)?))
    }

    /// A batch with room in the budget for as long as somebody holds it.
    pub(crate) fn held(&self, batch: Batch) -> Arc<Batch> {
        let permit = self.inner.budget.force(batch.held_bytes());
        Arc::new(batch.with_permit(Box::new(permit)))
    }

    /// What slicing left out of a batch, counted.
    pub(crate) fn too_large(&self, batch: &Batch) -> LeftOut {
        self.inner.distributor.too_large(batch)
    }

    /// Stops 3 to 6.
    pub(crate) async fn keep(&self, tenant: &Tenant, batch: Arc<Batch>) -> Result<Accepted, Refusal> {
        let inner = &self.inner;
        let metrics = &inner.metrics;
        let tenant = inner.tenants.find_or_add(tenant).ok_or_else(|| Refusal::Exhausted {
            message: format!("there are {} tenants already, no more are taken", inner.options.max_tenants),
            retry_after: inner.options.retry_after,
        })?;
        let begun = Instant::now();
        let bytes = batch.bytes().len() as u64;
        metrics.spans_received.inc_by(batch.spans().len() as u64 + u64::from(batch.refused_spans()));
        let (batch, left_out) = match inner.distributor.limit(&tenant, &batch) {
            None => (batch, LeftOut::default()),
            Some((rest, left_out)) => (self.sliced(rest)?, left_out),
        };
        let accepted = Accepted {
            spans: batch.spans().len() as u64,
            refused_spans: left_out.spans,
            message: left_out.message,
        };
        if accepted.spans == 0 {
            return Ok(accepted);
        }
        // Many small traces take more than their bytes, and shards may be behind: what is not counted before they have
        // opened them is counted too late.
        let opening = (batch.groups().len() * TRACE_BYTES).min(inner.budget.limit() / 4);
        let opening = self.room(opening).await?;
        let routed = inner.distributor.route(tenant, batch, opening);
        metrics.route_seconds.observe(begun.elapsed());
        let acknowledged = inner.head.append(Arc::new(routed))?;
        if inner.budget.used() > inner.options.soft_bytes {
            inner.seal.hurry();
        }
        acknowledged.await.map_err(|_| Refusal::Stopping)??;
        metrics.bytes_accepted.inc_by(bytes);
        metrics.spans_accepted.inc_by(accepted.spans);
        Ok(accepted)
    }

    /// Puts everything that is live into blocks.
    pub async fn flush(&self) -> Result<(), String> {
        self.inner.seal.flush().await.unwrap_or_else(|_| Err("the sealer has stopped".into()))
    }

    /// Puts everything that was acknowledged before this call into blocks and out of the log: when it returns, none of
    /// it is live, and no start brings any of it back. What arrives meanwhile may stay in either.
    ///
    /// # Errors
    /// What is live or in the log all the same, after some tries: a trace whose actor failed, a request that cannot be
    /// read, a disk that is full. Nothing is lost then.
    pub async fn settle(&self, tenant: &Tenant) -> Result<(), String> {
        let inner = &self.inner;
        let stopped = |_| "the log's thread has stopped".to_owned();
        let next = inner.head.rotate().await.map_err(stopped)??;
        for attempt in 0..SETTLE_TRIES {
            tokio::time::sleep(SETTLE_PAUSE * attempt).await;
            self.flush().await?;
            if inner.ledger.first_seq().is_some_and(|first| first >= next) {
                self.sync_ledger().await?;
                return self.wait_for_readers(tenant, next).await;
            }
        }
        Err(format!(
            "the log still holds {} spans that are in no block after {SETTLE_TRIES} tries to seal them; the server's log \
             of errors says why, and a restart brings them back if they can be",
            inner.ledger.figures().unsealed_spans
        ))
    }

    /// Waits until nobody holds live requests with ordinals below `next`, which are in blocks by now.
    async fn wait_for_readers(&self, tenant: &Tenant, next: u64) -> Result<(), String> {
        let inner = &self.inner;
        let Some(tenant) = inner.tenants.find(tenant) else { return Ok(()) };
        for attempt in 0..SETTLE_TRIES {
            tokio::time::sleep(SETTLE_PAUSE * attempt).await;
            if inner.live.of(tenant.number).first().is_none_or(|request| request.seq >= next) {
                return Ok(());
            }
        }
        Err("a question still reads spans that were sealed meanwhile; try again".into())
    }

    async fn sync_ledger(&self) -> Result<(), String> {
        let ledger = self.inner.ledger.clone();
        let synced = tokio::task::spawn_blocking(move || ledger.sync()).await;
        synced.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
    }

    /// From now on the log takes nothing, until the next start: whoever pushes hears that the node leaves. When this returns,
    /// everything that was acknowledged is in the log or in blocks.
    pub async fn take_no_more(&self) -> Result<(), String> {
        self.inner.head.close().await.map_err(|_| "the log's thread has stopped or is too busy".to_owned())
    }

    /// The tenants that sent or asked something since the start.
    pub fn tenants(&self) -> Vec<Tenant> {
        self.inner.tenants.names()
    }

    /// Takes nothing new, lets the log finish, seals everything, ends the threads. The stage is the caller's.
    pub async fn stop(&self) -> Result<(), String> {
        let inner = &self.inner;
        if inner.stopping.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        let head = inner.head.clone();
        let threads = std::mem::take(&mut *inner.threads.lock());
        let mut threads = threads.into_iter();
        let (head_thread, seal_thread) = (threads.next(), threads.next());
        let ended = tokio::task::spawn_blocking(move || {
            head.stop();
            head_thread.is_none_or(|thread| thread.join().is_ok())
        });
        let log_ended = ended.await.unwrap_or(false);
        let flushed = self.flush().await;
        let seal = inner.seal.clone();
        let ended = tokio::task::spawn_blocking(move || {
            seal.stop();
            seal_thread.is_none_or(|thread| thread.join().is_ok())
        });
        match (log_ended, ended.await.unwrap_or(false)) {
            (true, true) => flushed,
            _ => Err("the log's or the sealer's thread panicked".into()),
        }
    }

    /// The budget of live spans.
    pub fn budget(&self) -> Arc<Budget> {
        self.inner.budget.clone()
    }

    /// What is live.
    pub fn status(&self) -> LiveStatus {
        let inner = &self.inner;
        let log = inner.ledger.figures();
        LiveStatus {
            traces: inner.states.iter().map(|s| s.directory.len() as u64).sum(),
            bytes: inner.states.iter().map(|s| s.live_bytes.load(Ordering::Relaxed)).sum(),
            held_bytes: inner.budget.used() as u64,
            tenants: inner.tenants.count() as u64,
            threads_ok: !inner.threads.lock().iter().any(JoinHandle::is_finished),
            log_ok: !inner.head.state().failed.load(Ordering::Acquire),
            refusing: inner.head.state().refusing.lock().clone(),
            log_segments: log.segments,
            log_bytes: log.bytes,
            unsealed_spans: log.unsealed_spans,
        }
    }

    async fn find(&self, question: FindTrace) -> Result<Vec<TracePart>, PeerError> {
        let inner = &self.inner;
        // A tenant that never sent anything since the start has nothing live.
        let Some(tenant) = inner.tenants.find(&question.tenant) else { return Ok(Vec::new()) };
        let shard = Tokens::of(&question.tenant).token(&question.id).shard(inner.options.shards);
        let key = TraceKey { tenant: tenant.number, id: question.id };
        let (reply, answer) = oneshot::channel();
        inner.shards[shard].pass(FindLive { key, reply }).map_err(|shut| match shut {
            Shut::Full(_) => PeerError::Busy,
            Shut::Closed(_) => PeerError::Gone,
        })?;
        answer.await.map_err(|_| PeerError::Gone)
    }
}

impl Live for Ingest {
    fn find_trace(&self, question: FindTrace) -> Answer<'_, FoundParts> {
        Box::pin(async move { Ok(FoundParts { parts: self.find(question).await? }) })
    }

    fn live_requests(&self, tenant: Tenant) -> Answer<'_, Vec<LiveRequest>> {
        let inner = &self.inner;
        let found = inner.tenants.find(&tenant).map(|tenant| inner.live.of(tenant.number));
        Box::pin(std::future::ready(Ok(found.unwrap_or_default())))
    }
}

fn start_shards(
    stage: &Stage,
    home: &Arc<Home>,
    clock: &Arc<dyn Clock>,
    metrics: &Arc<IngestMetrics>,
    options: &IngestOptions,
) -> (Arc<[Arc<ShardState>]>, Vec<Door<Shard>>) {
    let states: Arc<[Arc<ShardState>]> =
        (0..options.shards.get()).map(|_| Arc::new(ShardState::default())).collect();
    let start = |(number, state): (usize, &Arc<ShardState>)| {
        let parts = ShardParts {
            number,
            state: state.clone(),
            metrics: metrics.clone(),
            home: home.clone(),
            clock: clock.clone(),
            hosting: options.hosting,
            mailbox: options.max_requests,
        };
        stage.start(number, options.max_requests, move |_| Shard::new(parts))
    };
    let shards = states.iter().enumerate().map(start).collect();
    (states, shards)
}

#[cfg(test)]
mod tests;
