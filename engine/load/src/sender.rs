//! Sends requests over several connections with several in flight on each, and counts what becomes of them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::ack_log::AckLog;
use crate::error::LoadError;
use crate::export::{Exporter, MAX_ANSWER_BYTES, Verdict};
use crate::generator::Request;
use crate::histogram::Histogram;
use crate::options::Protocol;
use crate::sample::Sample;
use crate::transport::{Broken, Wire};

/// Longest wait before a request is sent again, whatever the server asks for.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Wait before the first repetition when the server named none; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Most different reasons that are counted one by one.
const MAX_REASONS: usize = 20;

/// A request on its way to a connection.
pub struct Job {
    /// The request.
    pub request: Request,
    /// When it should be sent; none: as soon as somebody takes it.
    pub due: Option<Instant>,
}

/// Counts that others may look at while the load runs.
#[derive(Debug, Default)]
pub struct Counts {
    /// Spans of requests that were taken up for sending.
    pub sent_spans: AtomicU64,
    /// Their bytes as OTLP, before compression.
    pub sent_bytes: AtomicU64,
    /// Bytes of bodies after compression.
    pub wire_bytes: AtomicU64,
    /// Requests taken up for sending.
    pub requests: AtomicU64,
    /// Spans acknowledged.
    pub acknowledged: AtomicU64,
    /// Spans refused in the end.
    pub refused: AtomicU64,
    /// Spans whose fate is unknown: connection lost, or no answer in time.
    pub failed: AtomicU64,
    /// Times that a request was refused for now.
    pub pushed_back: AtomicU64,
}

/// What all connections share.
pub struct Dispatch {
    /// How exports look.
    pub exporter: Exporter,
    /// How long to wait for an answer.
    pub timeout: Duration,
    /// How often a refused request is sent again.
    pub retries: u32,
    /// The counts.
    pub counts: Counts,
    /// Tells the generator to stop: the server is gone, or the acknowledgements cannot be written.
    pub stop: AtomicBool,
    /// Nothing is repeated any more: time is up.
    pub no_retries: AtomicBool,
    /// Where acknowledged requests are noted.
    pub ack_log: Option<AckLog>,
    /// What is shared under one lock.
    pub noted: Mutex<Noted>,
}

/// What is noted with each answer.
pub struct Noted {
    /// From the intended moment of sending to the acknowledgement.
    pub latency: Histogram,
    /// The sample of acknowledged traces; taken out when the load is over.
    pub sample: Option<Sample>,
    /// Why requests were refused or failed, and how often.
    pub reasons: BTreeMap<String, u64>,
    /// An error that ended the load.
    pub error: Option<LoadError>,
}

/// Takes jobs until there are no more.
pub async fn work(
    dispatch: Arc<Dispatch>,
    jobs: Arc<tokio::sync::Mutex<mpsc::Receiver<Job>>>,
    mut wire: Wire,
) {
    loop {
        let job = jobs.lock().await.recv().await;
        let Some(job) = job else { return };
        dispatch.deliver(job, &mut wire).await;
    }
}

impl Dispatch {
    fn noted(&self) -> std::sync::MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends one request, again if it is refused for now, and counts its end.
    async fn deliver(&self, Job { request, due }: Job, wire: &mut Wire) {
        let due = due.unwrap_or_else(Instant::now);
        let spans = request.spans.len() as u64;
        add(&self.counts.requests, 1);
        add(&self.counts.sent_spans, spans);
        add(&self.counts.sent_bytes, request.bytes.len() as u64);
        match self.attempts(&request, wire).await {
            Ok(Verdict::Acknowledged { rejected }) => self.acknowledged(request, rejected.min(spans), due),
            Ok(Verdict::Refused { reason, .. }) => {
                add(&self.counts.refused, spans);
                self.lost(request, reason);
            }
            Err(broken) => {
                if matches!(broken, Broken::Gone(_)) {
                    self.stop.store(true, Ordering::Relaxed);
                }
                add(&self.counts.failed, spans);
                self.lost(request, broken.to_string());
            }
        }
    }

    async fn attempts(&self, request: &Request, wire: &mut Wire) -> Result<Verdict, Broken> {
        if self.exporter.protocol == Protocol::JaegerUdp {
            let bytes = wire.send_datagrams(&request.bytes).await?;
            add(&self.counts.wire_bytes, bytes);
            return Ok(Verdict::Acknowledged { rejected: 0 });
        }
        let invalid = |e: &dyn std::fmt::Display| Broken::Unknown(format!("cannot make the request: {e}"));
        let body = self.exporter.body(&request.bytes).map_err(|e| invalid(&e))?;
        let mut pause = FIRST_PAUSE;
        let mut attempt = 0;
        loop {
            add(&self.counts.wire_bytes, body.0.iter().map(|b| b.len() as u64).sum());
            let message = self.exporter.request(body.clone()).map_err(|e| invalid(&e))?;
            let answer = tokio::time::timeout(self.timeout, wire.exchange(message, MAX_ANSWER_BYTES)).await;
            let answer = answer.unwrap_or_else(|_| Err(Broken::Unknown("no answer in time".to_owned())))?;
            let verdict = self.exporter.verdict(&answer);
            let Verdict::Refused { retry: true, after, reason } = &verdict else { return Ok(verdict) };
            add(&self.counts.pushed_back, 1);
            if attempt >= self.retries || self.no_retries.load(Ordering::Relaxed) {
                return Ok(verdict);
            }
            self.count_reason(reason);
            attempt += 1;
            tokio::time::sleep(after.unwrap_or(pause).min(LONGEST_PAUSE)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn acknowledged(&self, request: Request, rejected: u64, due: Instant) {
        let latency = due.elapsed();
        let whole = rejected == 0;
        let logged = match &self.ack_log {
            Some(log) if whole => log.append(&request),
            _ => Ok(()),
        };
        add(&self.counts.acknowledged, request.spans.len() as u64 - rejected);
        add(&self.counts.refused, rejected);
        if !whole {
            self.count_reason("partial success");
        }
        let mut noted = self.noted();
        noted.latency.record(latency);
        if let Some(sample) = &mut noted.sample {
            sample.add(request.parts, whole);
        }
        if let Err(error) = logged {
            noted.error.get_or_insert(error);
            self.stop.store(true, Ordering::Relaxed);
        }
    }

    fn lost(&self, request: Request, reason: String) {
        self.count_reason(&reason);
        if let Some(sample) = &mut self.noted().sample {
            sample.add(request.parts, false);
        }
    }

    fn count_reason(&self, reason: &str) {
        let mut noted = self.noted();
        let full = noted.reasons.len() >= MAX_REASONS && !noted.reasons.contains_key(reason);
        *noted.reasons.entry(if full { "other".to_owned() } else { reason.to_owned() }).or_default() += 1;
    }
}

fn add(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Ordering::Relaxed);
}
