//! Stop 6 of 9: log. The thread that owns the log.
//!
//! Receives routed requests from all connections, numbers and appends them as one group, hands them to the
//! shards in that order, syncs once, and acknowledges all of the group. While it syncs the next group gathers.
//! Budget: 400 ns a span of 400 B, most of it the kernel's.
//!
//! A request that cannot be appended reaches no shard, so it leaves nothing behind. From then on the head itself looks
//! whether the log would take it, so that it is known also when nobody sends any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, bounded};
use parking_lot::Mutex;
use spanloom_stage::{Clock, Door, Shut};
use spanloom_wal::{Entry, Log, WalError};
use tokio::sync::oneshot;

use crate::live::LiveRequests;
use crate::metrics::IngestMetrics;
use crate::options::Durability;
use crate::refusal::Refusal;
use crate::shard::{PushSpans, Routed, Shard};

/// The kind of a log frame that holds an OTLP request.
pub const FRAME_OTLP: u8 = 1;

/// What the head is asked.
enum Order {
    Append(Arc<Routed>, oneshot::Sender<Result<(), Refusal>>),
    /// Begin a new segment, and say which ordinal comes next.
    Rotate(oneshot::Sender<Result<u64, String>>),
    /// Take nothing any more, and say so.
    Close(oneshot::Sender<()>),
    Stop,
}

/// Gives requests to the head.
#[derive(Clone)]
pub struct HeadDoor {
    orders: Sender<Order>,
    state: Arc<HeadState>,
}

/// What others may know of the head.
#[derive(Debug, Default)]
pub struct HeadState {
    /// The log failed and takes nothing until the engine is started anew.
    pub failed: AtomicBool,
    /// Ordinal of the last request in the log.
    pub last_seq: AtomicU64,
    /// Since when and why the log takes nothing; `None` while it does.
    pub refusing: Mutex<Option<Refusing>>,
}

/// Why the log takes nothing just now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusing {
    /// What the log said last.
    pub reason: String,
    /// Since when.
    pub since: SystemTime,
}

/// How often it is looked whether a log that took nothing would do so again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How often it is logged that the log takes nothing.
const SAY_AGAIN: Duration = Duration::from_secs(60);

impl HeadDoor {
    /// Gives a request to the log; the answer is its acknowledgement.
    pub fn append(&self, request: Arc<Routed>) -> Result<oneshot::Receiver<Result<(), Refusal>>, Refusal> {
        let (tell, told) = oneshot::channel();
        match self.orders.try_send(Order::Append(request, tell)) {
            Ok(()) => Ok(told),
            Err(crossbeam::channel::TrySendError::Full(_)) => Err(Refusal::Exhausted {
                message: "too many requests wait for the log".into(),
                retry_after: Duration::from_secs(1),
            }),
            Err(crossbeam::channel::TrySendError::Disconnected(_)) => Err(Refusal::Stopping),
        }
    }

    /// Has the log begin a new segment. The answer is the ordinal of the next request: all with lower ones lie in
    /// earlier segments, and their spans are on their way to the shards.
    pub fn rotate(&self) -> oneshot::Receiver<Result<u64, String>> {
        let (tell, told) = oneshot::channel();
        if let Err(crossbeam::channel::TrySendError::Full(Order::Rotate(tell))) =
            self.orders.try_send(Order::Rotate(tell))
        {
            // Whoever asked may have gone; a stopped head drops the answer.
            let _ = tell.send(Err("too many requests wait for the log".into()));
        }
        told
    }

    /// Has the log take nothing from now on. The answer comes when what was given before is written; none when the head
    /// has too much to do, or has stopped.
    pub fn close(&self) -> oneshot::Receiver<()> {
        let (tell, told) = oneshot::channel();
        // What cannot be given is dropped, and its answer with it.
        let _ = self.orders.try_send(Order::Close(tell));
        told
    }

    /// What others may know of the head.
    pub fn state(&self) -> &HeadState {
        &self.state
    }

    /// Lets the head finish what it has and end. May block while its channel is full.
    pub fn stop(&self) {
        // Already gone is stopped too.
        let _ = self.orders.send(Order::Stop);
    }
}

/// What the head is made of.
pub struct HeadParts {
    /// The log, replayed.
    pub log: Log,
    /// The shards.
    pub shards: Vec<Door<Shard>>,
    /// The list of live requests.
    pub live: Arc<LiveRequests>,
    /// When a request is acknowledged.
    pub durability: Durability,
    /// Most bytes of a group.
    pub group_bytes: usize,
    /// Most requests waiting.
    pub max_requests: usize,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Counts.
    pub metrics: Arc<IngestMetrics>,
}

/// Starts the head's thread.
pub fn start(parts: HeadParts) -> std::io::Result<(HeadDoor, JoinHandle<()>)> {
    let (orders, received) = bounded(parts.max_requests);
    let state = Arc::new(HeadState::default());
    let mut head = Head {
        parts,
        received,
        state: state.clone(),
        stopping: false,
        refused: None,
        said: None,
        rotate: None,
        close: None,
        is_closed: false,
    };
    let thread = std::thread::Builder::new().name("head".into()).spawn(move || head.run())?;
    Ok((HeadDoor { orders, state }, thread))
}

type Waiting = (Arc<Routed>, oneshot::Sender<Result<(), Refusal>>);

struct Head {
    parts: HeadParts,
    received: Receiver<Order>,
    state: Arc<HeadState>,
    stopping: bool,
    /// Who wants a new segment after the group that was gathered.
    rotate: Option<oneshot::Sender<Result<u64, String>>>,
    /// Who wants nothing to be taken after the group that was gathered.
    close: Option<oneshot::Sender<()>>,
    is_closed: bool,
    /// Bytes of the group that was not taken; `None` when the last one was.
    refused: Option<u64>,
    /// When it was logged last that the log takes nothing. At the edge of a full disk it comes and goes.
    said: Option<Instant>,
}

impl Head {
    fn run(&mut self) {
        let mut group = Vec::new();
        while !self.stopping {
            self.gather(&mut group);
            match group.is_empty() {
                true => self.look_again(),
                false => self.commit(&mut group),
            }
            if let Some(tell) = self.rotate.take() {
                // Whoever asked may have gone.
                let _ = tell.send(self.parts.log.rotate().map_err(|error| error.to_string()));
            }
            if let Some(tell) = self.close.take() {
                self.is_closed = true;
                let _ = tell.send(());
            }
        }
        if let Err(error) = self.parts.log.sync() {
            tracing::error!(%error, "the log could not be synced at the end");
        }
    }

    /// Waits for a request, then takes what else is there. While the log takes nothing it does not wait long.
    fn gather(&mut self, group: &mut Vec<Waiting>) {
        let mut bytes = 0;
        let first = match self.refused {
            None => self.received.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(_) => self.received.recv_timeout(LOOK_AGAIN),
        };
        if matches!(first, Err(RecvTimeoutError::Timeout)) {
            return;
        }
        let mut next = first.ok();
        loop {
            match next {
                Some(Order::Append(request, tell)) => {
                    bytes += request.batch.bytes().len();
                    group.push((request, tell));
                }
                Some(Order::Rotate(tell)) => return self.rotate = Some(tell),
                Some(Order::Close(tell)) => return self.close = Some(tell),
                Some(Order::Stop) => return self.stopping = true,
                None if group.is_empty() => return self.stopping = true,
                None => return,
            }
            if bytes >= self.parts.group_bytes {
                return;
            }
            next = self.received.try_recv().ok();
        }
    }

    fn commit(&mut self, group: &mut Vec<Waiting>) {
        if self.is_closed {
            let leaves =
                || Refusal::Unavailable("the node leaves the cluster and takes no spans any more".into());
            // A sender that has gone does not hear it.
            group.drain(..).for_each(|(_, tell)| drop(tell.send(Err(leaves()))));
            return;
        }
        let bytes = group.iter().map(|(request, _)| request.batch.bytes().len() as u64).sum();
        let answer = match self.write(group) {
            Ok(()) => {
                self.takes_again();
                Ok(())
            }
            Err(error) => {
                self.parts.metrics.log_errors.inc();
                self.takes_nothing(&error, bytes);
                Err(Refusal::Unavailable(format!("the log does not take requests: {error}")))
            }
        };
        for (_, tell) in group.drain(..) {
            // A sender that has gone does not hear it.
            let _ = tell.send(answer.clone());
        }
    }

    fn write(&mut self, group: &mut [Waiting]) -> Result<(), WalError> {
        let metrics = self.parts.metrics.clone();
        let begun = Instant::now();
        let entries: Vec<Entry<'_>> = group
            .iter()
            .map(|(request, _)| Entry {
                tenant: request.tenant.name.as_str(),
                kind: FRAME_OTLP,
                payload: request.batch.bytes(),
                spans: request.batch.spans().len() as u32,
            })
            .collect();
        let appended = self.parts.log.append_group(&entries, self.parts.clock.wall_ns() / 1_000_000)?;
        metrics.log_write_seconds.observe(begun.elapsed());
        metrics.log_frames.inc_by(group.len() as u64);
        metrics.log_bytes.inc_by(appended.bytes);
        metrics.log_group_requests.observe(group.len() as f64);
        for (seq, (request, _)) in (appended.first_seq..).zip(group.iter()) {
            self.parts.live.add(request.tenant.number, seq, &request.batch);
            dispatch(&self.parts.shards, request, seq, &metrics);
            self.state.last_seq.store(seq, Ordering::Release);
        }
        if self.parts.durability == Durability::Fsync {
            let begun = Instant::now();
            self.parts.log.sync()?;
            metrics.log_sync_seconds.observe(begun.elapsed());
            metrics.log_syncs.inc();
        }
        Ok(())
    }

    fn takes_nothing(&mut self, error: &WalError, bytes: u64) {
        if matches!(error, WalError::Poisoned { .. }) {
            self.state.failed.store(true, Ordering::Release);
        }
        let since = self.state.refusing.lock().as_ref().map_or_else(SystemTime::now, |known| known.since);
        *self.state.refusing.lock() = Some(Refusing { reason: error.to_string(), since });
        if self.said.is_none_or(|said| said.elapsed() >= SAY_AGAIN) {
            tracing::error!(%error, "the log takes no requests; they are refused until it does");
            self.said = Some(Instant::now());
        }
        self.refused = Some(bytes);
    }

    fn takes_again(&mut self) {
        if self.refused.take().is_none() {
            return;
        }
        if let Some(known) = self.state.refusing.lock().take() {
            let after = known.since.elapsed().unwrap_or_default();
            tracing::info!(?after, "the log takes requests again");
        }
    }

    /// Whether what was not taken last would be taken now.
    fn look_again(&mut self) {
        let Some(bytes) = self.refused else { return };
        match self.parts.log.probe(bytes) {
            Ok(()) => self.takes_again(),
            Err(error) => self.takes_nothing(&error, bytes),
        }
    }
}

/// Hands a request to the shards that own its traces. It is in the log already, so it is never dropped: a full
/// shard is waited for. (Admission bounds how many requests are under way, so that is rare.)
pub fn dispatch(shards: &[Door<Shard>], request: &Arc<Routed>, seq: u64, metrics: &IngestMetrics) {
    for (shard, door) in shards.iter().enumerate() {
        if request.routes[shard].is_empty() {
            continue;
        }
        let mut message = PushSpans { request: request.clone(), seq };
        loop {
            match door.pass(message) {
                Ok(()) => break,
                Err(Shut::Full(back)) => {
                    metrics.shard_waits.inc();
                    message = back;
                    std::thread::sleep(Duration::from_micros(100));
                }
                Err(Shut::Closed(_)) => {
                    tracing::error!(shard, "a shard is gone; its spans stay in the log until the next start");
                    break;
                }
            }
        }
    }
}
