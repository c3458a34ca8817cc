//! Stop 7 of 9: seal. The thread that turns cut traces into blocks.
//!
//! Asks the shards what is ripe, has it cut into a [`Basket`], sorts it by trace id, decodes it once into
//! columns, writes one block per tenant (aside, synced, renamed), shows it to readers, and only then tells the
//! shards to let the traces go and the log to release its segments. Budget: 1.3 us a span.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, bounded};
use foldhash::HashMap;
use parking_lot::Mutex;
use spanloom_block::{BlockBuilder, BlockError, BuilderOptions};
use spanloom_bucket::{Bucket, BucketError};
use spanloom_span::slice::slice;
use spanloom_span::{Tenant, TraceId, TracePart};
use spanloom_stage::{Budget, Clock, Door};
use spanloom_wal::SegmentLedger;
use tokio::sync::oneshot;

use crate::metrics::IngestMetrics;
use crate::options::IngestOptions;
use crate::shard::{CutPolicy, CutRound, RoundEnded, Shard, Survey, TakeSurvey};

/// A trace handed out to be sealed.
#[derive(Debug, Clone)]
pub struct CutTrace {
    /// Whose.
    pub tenant: Tenant,
    /// Which.
    pub id: TraceId,
    /// Everything that was held of it, in log order.
    pub parts: Vec<TracePart>,
    /// The ordinal through which that is complete; 0 when it is not known to be.
    pub through: u64,
}

/// Where traces put themselves when they are cut. It is complete when its last holder lets it go: then all of
/// it goes to the sealer.
#[derive(Debug)]
pub struct Basket {
    cut: Mutex<Vec<CutTrace>>,
    complete: Sender<Vec<CutTrace>>,
}

impl Basket {
    /// An empty basket, and where its content arrives.
    pub fn new() -> (Arc<Self>, Receiver<Vec<CutTrace>>) {
        let (complete, arrived) = bounded(1);
        (Arc::new(Self { cut: Mutex::default(), complete }), arrived)
    }

    /// Puts a trace in.
    pub fn put(&self, trace: CutTrace) {
        self.cut.lock().push(trace);
    }
}

impl Drop for Basket {
    fn drop(&mut self) {
        // The sealer may have given up waiting; then the shards hear that the round failed.
        let _ = self.complete.try_send(std::mem::take(&mut *self.cut.lock()));
    }
}

/// What the sealer is asked.
enum Order {
    /// Memory is short.
    Hurry,
    /// Seal everything, then say so.
    Flush(oneshot::Sender<Result<(), String>>),
    Stop,
}

/// Gives orders to the sealer.
#[derive(Clone)]
pub struct SealDoor(Sender<Order>);

impl SealDoor {
    /// Memory is short: look now.
    pub fn hurry(&self) {
        // Full: it is about to look anyway.
        let _ = self.0.try_send(Order::Hurry);
    }

    /// Seals everything live; the answer comes when it is in blocks.
    pub fn flush(&self) -> oneshot::Receiver<Result<(), String>> {
        let (tell, told) = oneshot::channel();
        // A stopped sealer drops the answer.
        let _ = self.0.send(Order::Flush(tell));
        told
    }

    /// Ends the sealer after what it is doing.
    pub fn stop(&self) {
        let _ = self.0.send(Order::Stop);
    }
}

/// What the sealer is made of.
pub struct SealParts {
    /// The shards.
    pub shards: Vec<Door<Shard>>,
    /// Where blocks go.
    pub bucket: Arc<Bucket>,
    /// The log's account of what is in blocks; there is one once the log has been replayed.
    pub ledger: Arc<OnceLock<SegmentLedger>>,
    /// Memory of batches.
    pub budget: Arc<Budget>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Counts.
    pub metrics: Arc<IngestMetrics>,
    /// Settings.
    pub options: IngestOptions,
}

/// Starts the sealer's thread.
pub fn start(parts: SealParts) -> std::io::Result<(SealDoor, JoinHandle<()>)> {
    let (orders, received) = bounded(16);
    let mut sealer = Sealer { parts, received, sealed: Vec::new(), pause_until: None, failures: 0 };
    let thread = std::thread::Builder::new().name("seal".into()).spawn(move || sealer.run())?;
    Ok((SealDoor(orders), thread))
}

/// Why a round's traces are not in blocks. They are live again, and in the log; the next round takes them.
#[derive(Debug, thiserror::Error)]
enum RoundError {
    #[error(transparent)]
    Bucket(#[from] BucketError),
    #[error("the shards did not hand over their traces within {SHARD_PATIENCE:?}")]
    Shards,
}

/// How often the sealer looks without being asked.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// How long a shard may take to answer before the round is given up.
const SHARD_PATIENCE: Duration = Duration::from_secs(30);

struct Sealer {
    parts: SealParts,
    received: Receiver<Order>,
    /// Ordinals, with spans, that the log has not been told of: while it is replayed it has no account yet.
    sealed: Vec<(u64, u64)>,
    /// After a failure nothing is tried before this moment.
    pause_until: Option<Instant>,
    failures: u32,
}

impl Sealer {
    fn run(&mut self) {
        loop {
            match self.received.recv_timeout(LOOK_EVERY) {
                Ok(Order::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(Order::Flush(tell)) => {
                    // Whoever asked may have gone.
                    let _ = tell.send(self.flush());
                }
                Ok(Order::Hurry) | Err(RecvTimeoutError::Timeout) => self.look(),
            }
        }
    }

    fn look(&mut self) {
        if self.pause_until.is_some_and(|until| Instant::now() < until) {
            return;
        }
        let options = &self.parts.options;
        let used = self.parts.budget.used();
        let mut policy = self.policy();
        if used > options.soft_bytes {
            policy.pressure = (1.0 - options.soft_bytes as f64 / 2.0 / used as f64).clamp(0.3, 1.0);
        } else {
            let survey = self.survey(policy);
            let waited = Duration::from_millis(survey.oldest_ms);
            let due = survey.ripe_bytes >= options.seal_bytes
                || survey.ripe_bytes > 0 && waited >= options.seal_max_age;
            if !due {
                return;
            }
        }
        // The error was counted and logged; the pause makes the next try later.
        let _ = self.round(policy);
    }

    fn policy(&self) -> CutPolicy {
        let options = &self.parts.options;
        CutPolicy {
            now_ms: self.parts.clock.monotonic_ms(),
            idle_ms: options.trace_idle.as_millis() as u64,
            max_age_ms: options.trace_max_age.as_millis() as u64,
            max_bytes: options.trace_cut_bytes,
            pressure: 0.0,
            all: false,
        }
    }

    fn survey(&self, policy: CutPolicy) -> Survey {
        let (reply, answers) = bounded(self.parts.shards.len());
        for shard in &self.parts.shards {
            // A full or closed shard is left out of this look.
            let _ = shard.pass(TakeSurvey { policy, reply: reply.clone() });
        }
        drop(reply);
        let mut sum = Survey::default();
        while let Ok(one) = answers.recv_timeout(SHARD_PATIENCE) {
            sum.traces += one.traces;
            sum.ripe_bytes += one.ripe_bytes;
            sum.oldest_ms = sum.oldest_ms.max(one.oldest_ms);
        }
        sum
    }

    fn flush(&mut self) -> Result<(), String> {
        let policy = CutPolicy { all: true, ..self.policy() };
        // What arrives meanwhile is not waited for; a second round takes what the first found being deferred.
        for _ in 0..2 {
            self.round(policy).map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// Cuts, writes, shows, lets go.
    fn round(&mut self, policy: CutPolicy) -> Result<(), RoundError> {
        let begun = Instant::now();
        let (basket, arrived) = Basket::new();
        for shard in &self.parts.shards {
            // A full or closed shard has no part in this round.
            let _ = shard.pass(CutRound { policy, basket: basket.clone() });
        }
        drop(basket);
        // A basket that comes too late is lost, so its traces must hear that they are not sealed.
        let cut = arrived.recv_timeout(SHARD_PATIENCE).map_err(|_| RoundError::Shards);
        let is_empty = cut.as_ref().is_ok_and(Vec::is_empty);
        let sealed = if is_empty { Ok(()) } else { cut.and_then(|cut| Ok(self.seal(cut)?)) };
        for shard in &self.parts.shards {
            self.tell(shard, sealed.is_ok());
        }
        match &sealed {
            Ok(()) => {
                (self.failures, self.pause_until) = (0, None);
                // A round without blocks would hide the time of those with some.
                if !is_empty {
                    self.parts.metrics.seal_seconds.observe(begun.elapsed());
                }
                self.release();
            }
            Err(error) => self.failed(error),
        }
        sealed
    }

    /// A shard that is full for a moment must still hear how the round ended, or it would never cut again.
    fn tell(&self, shard: &Door<Shard>, sealed: bool) {
        let mut message = RoundEnded { sealed };
        while let Err(spanloom_stage::Shut::Full(back)) = shard.pass(message) {
            message = back;
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn failed(&mut self, error: &RoundError) {
        self.parts.metrics.seal_errors.inc();
        self.failures += 1;
        let pause = Duration::from_secs(1 << self.failures.min(5));
        self.pause_until = Some(Instant::now() + pause);
        tracing::error!(%error, retry_in = ?pause, "a block could not be written; its spans stay live and in the log");
    }

    fn seal(&mut self, mut cut: Vec<CutTrace>) -> Result<(), BucketError> {
        match self.seal_all(&cut) {
            Err(BucketError::Block(BlockError::Span { .. } | BlockError::Proto(_)))
                if self.leave_out_unreadable(&mut cut) =>
            {
                self.seal_all(&cut)
            }
            sealed => sealed,
        }
    }

    /// Takes out what another node said it had checked and cannot be read; whether there was any. It stays in the log:
    /// the log is not told that it is sealed, and a start that meets it says so again.
    fn leave_out_unreadable(&self, cut: &mut [CutTrace]) -> bool {
        let mut known: HashMap<usize, bool> = HashMap::default();
        for trace in cut {
            trace.parts.retain(|part| {
                let is_readable = known.entry(Arc::as_ptr(&part.batch).addr()).or_insert_with(|| {
                    let read = slice(part.batch.bytes().clone(), &self.parts.options.slice);
                    if let Err(error) = &read {
                        self.parts.metrics.frames_unreadable.inc();
                        tracing::error!(seq = part.seq, %error, "a request of another node cannot be read; it stays in the log");
                    }
                    read.is_ok()
                });
                *is_readable
            });
        }
        known.values().any(|is_readable| !is_readable)
    }

    fn seal_all(&mut self, cut: &[CutTrace]) -> Result<(), BucketError> {
        let mut by_tenant: BTreeMap<Tenant, Vec<&CutTrace>> = BTreeMap::new();
        for trace in cut.iter().filter(|trace| !trace.parts.is_empty()) {
            by_tenant.entry(trace.tenant.clone()).or_default().push(trace);
        }
        let mut sealed = Vec::new();
        for (tenant, mut traces) in by_tenant {
            traces.sort_unstable_by_key(|trace| trace.id);
            // What other nodes bring to the store lies apart, so that it can be let go of when they have.
            let (ours, others): (Vec<&CutTrace>, Vec<&CutTrace>) =
                traces.iter().copied().partition(|trace| self.parts.bucket.ships(&tenant, &trace.id));
            for traces in [ours, others].into_iter().filter(|traces| !traces.is_empty()) {
                self.seal_tenant(&tenant, &traces)?;
            }
            let parts = traces.iter().flat_map(|trace| &trace.parts);
            sealed.extend(parts.map(|part| (part.seq, u64::from(part.group().count))));
        }
        // Only when all are written: after a failure every trace is live again and is sealed, and counted, anew.
        self.sealed.append(&mut sealed);
        Ok(())
    }

    fn seal_tenant(&self, tenant: &Tenant, traces: &[&CutTrace]) -> Result<(), BucketError> {
        let metrics = &self.parts.metrics;
        let now = self.parts.clock.wall_ns();
        let group_rows = self.parts.options.group_rows;
        let options = BuilderOptions { created: now, group_rows, ..BuilderOptions::default() };
        let mut builder = BlockBuilder::new(tenant, options)?;
        for trace in traces {
            let pushed = builder.push_trace(trace.id, trace.through, &trace.parts)?;
            metrics.spans_sealed.inc_by(pushed.spans as u64);
            metrics.spans_duplicate.inc_by(pushed.duplicates as u64);
        }
        let finished = builder.finish()?;
        let bytes = self.parts.bucket.put(tenant, finished, now)?;
        metrics.blocks_sealed.inc();
        metrics.block_bytes.inc_by(bytes);
        Ok(())
    }

    fn release(&mut self) {
        let Some(ledger) = self.parts.ledger.get() else { return };
        let excess = ledger.sealed_all(self.sealed.drain(..));
        // More would be released than is sealed.
        debug_assert_eq!(excess, 0, "spans that no log segment had to account for");
        match ledger.release() {
            Ok(released) => drop(self.parts.metrics.segments_released.inc_by(released.deleted.len() as u64)),
            Err(error) => tracing::error!(%error, "a log segment could not be deleted; it is tried again"),
        }
        if let (Some(first), Some(remote)) = (ledger.first_seq(), self.parts.bucket.remote()) {
            remote.set_log_floor(first);
        }
    }
}
