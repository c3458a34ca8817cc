//! The engine: everything that runs, behind one handle.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use prometheus_client::registry::Registry;
use spanloom_api::{RedactRequest, Redacted};
use spanloom_bucket::Bucket;
use spanloom_ingest::{Accepted, Ingest, IngestMetrics, Refusal, Replicator};
use spanloom_query::{
    Answers, FoundTrace, MetricsPart, MetricsRequest, Querier, QueryError, SearchPart, SearchRequest,
};
use spanloom_receive::{Shutdown, Trigger, shutdown};
use spanloom_span::{Tenant, TraceId};
use spanloom_stage::Stage;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::among::Part;
use crate::batch::SpanBatch;
use crate::builder::Builder;
use crate::cluster::ClusterHandle;
use crate::config::Config;
use crate::lock::DirLock;
use crate::redact::{self, RedactError, Redactor};
use crate::store::Kept;

/// Why spans were not taken.
pub type PushError = Refusal;

/// Why a trace could not be looked up.
pub type TraceError = QueryError;

/// What was found at the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Started {
    /// Blocks opened.
    pub blocks: u64,
    /// Requests read from the log.
    pub frames: u64,
    /// Their bytes.
    pub log_bytes: u64,
    /// Bytes of requests that were being written when the last run ended.
    pub torn_bytes: u64,
    /// Damaged parts of the log.
    pub damaged: u64,
    /// How long it took.
    pub took: Duration,
}

/// A running engine. Clones share one; it runs until [`Engine::stop`].
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

pub(crate) struct Inner {
    pub(crate) config: Config,
    pub(crate) stage: Stage,
    pub(crate) ingest: Ingest,
    pub(crate) replicator: Replicator,
    pub(crate) querier: Querier,
    pub(crate) bucket: Arc<Bucket>,
    pub(crate) store: Kept,
    pub(crate) metrics: Arc<IngestMetrics>,
    pub(crate) registry: Registry,
    pub(crate) redactor: Redactor,
    /// Set when the node is one of several.
    pub(crate) part: OnceLock<Part>,
    pub(crate) started: Started,
    /// Released when the last handle goes.
    #[allow(dead_code)]
    pub(crate) lock: DirLock,
}

struct Shared {
    inner: Inner,
    since: Instant,
    trigger: Trigger,
    shutdown: Shutdown,
    servers: parking_lot::Mutex<Vec<JoinHandle<()>>>,
    stopping: AtomicBool,
    stop_wanted: Notify,
}

impl Engine {
    /// An engine to be put together.
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) fn new(inner: Inner) -> Self {
        let (trigger, shutdown) = shutdown();
        Self {
            shared: Arc::new(Shared {
                inner,
                since: Instant::now(),
                trigger,
                shutdown,
                servers: parking_lot::Mutex::default(),
                stopping: AtomicBool::new(false),
                stop_wanted: Notify::new(),
            }),
        }
    }

    /// Takes spans; when this returns `Ok` the accepted ones are kept at the configured durability and found by
    /// every question asked from then on.
    pub async fn push(&self, tenant: &Tenant, batch: SpanBatch) -> Result<Accepted, PushError> {
        let replicator = &self.inner().replicator;
        let held = replicator.admit(batch.0.len()).await?;
        replicator.push(tenant, batch.0, Box::new(held)).await
    }

    /// Everything that is known of a trace.
    pub async fn trace(&self, tenant: &Tenant, id: TraceId) -> Result<FoundTrace, TraceError> {
        self.shared.inner.querier.find_trace(tenant, id).await
    }

    /// The traces that a TraceQL query finds, in parts; what was acknowledged before is found. Dropping the answer
    /// ends the work on it.
    ///
    /// A part before the last has the traces found since the part before, when [`SearchRequest::stream`] asks for
    /// them; the last part, which says `done`, has the whole answer in order: newest first, then by id. Times are
    /// nanoseconds since 1970, durations nanoseconds. `docs/TRACEQL.md` says what a query means.
    ///
    /// ```no_run
    /// # async fn example(engine: spanloom_server::Engine) -> Result<(), spanloom_server::QueryError> {
    /// use spanloom_server::{SearchRequest, Tenant};
    ///
    /// let slow = SearchRequest {
    ///     tenants: vec![Tenant::default()],
    ///     query: "{ resource.service.name = `shop` && duration > 1s }".into(),
    ///     limit: 20,
    ///     spans_per_spanset: 3,
    ///     ..SearchRequest::default()
    /// };
    /// let mut answer = engine.search(slow).await?;
    /// while let Some(part) = answer.next_part().await {
    ///     let part = part?;
    ///     for trace in part.traces.iter().filter(|_| part.done) {
    ///         println!("{} {:?} took {} ns", trace.id, trace.root_name, trace.duration);
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`QueryError::Invalid`] says what is wrong with the request and where in the query; [`QueryError::Busy`]
    /// asks to come again later. Nothing was changed by either. Parts may fail too, by what is found on the way.
    pub async fn search(&self, request: SearchRequest) -> Result<Answers<SearchPart>, QueryError> {
        self.shared.inner.querier.search(request).await
    }

    /// The series that a TraceQL query makes of spans over time, in parts; what was acknowledged before is counted.
    /// Dropping the answer ends the work on it.
    ///
    /// Every part has all series as far as they are known and takes the place of the one before; parts before the
    /// last come when [`MetricsRequest::stream`] asks for them. The last part says `done`; what it leaves out, by a
    /// limit, its `partial` names. Samples are at nanoseconds since 1970, from the start rounded down to the end
    /// rounded up to multiples of the step; without a step there is one sample. Rates are in spans a second, values
    /// of durations in seconds. `docs/TRACEQL.md`, section "Metrics", says what each function counts.
    ///
    /// ```no_run
    /// # async fn example(engine: spanloom_server::Engine, now: u64) -> Result<(), spanloom_server::QueryError> {
    /// use spanloom_server::{MetricsRequest, Tenant};
    ///
    /// const SECOND: u64 = 1_000_000_000;
    /// let rates = MetricsRequest {
    ///     tenants: vec![Tenant::default()],
    ///     query: "{ status = error } | rate() by (resource.service.name)".into(),
    ///     start: now - 3600 * SECOND,
    ///     end: now,
    ///     step: Some(60 * SECOND),
    ///     stream: true,
    ///     ..MetricsRequest::default()
    /// };
    /// let mut answer = engine.metrics(rates).await?;
    /// while let Some(part) = answer.next_part().await {
    ///     let part = part?;
    ///     for series in &part.series {
    ///         println!("{:?}: {} samples so far", series.labels, series.samples.len());
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As of [`Engine::search`]; a query for traces, a range that is backwards and a step of 0 are invalid.
    pub async fn metrics(&self, request: MetricsRequest) -> Result<Answers<MetricsPart>, QueryError> {
        self.shared.inner.querier.metrics(request).await
    }

    /// Puts everything that is live into blocks.
    pub async fn flush(&self) -> Result<(), String> {
        self.ingest().flush().await
    }

    /// Deletes spans from all blocks, or says which, and writes about it into the audit log, before and after. What was
    /// acknowledged before the call is gone when it returns: no question finds it, and no start brings it back. Spans
    /// that arrive later stay, also those of the same traces. `docs/REDACTION.md` says when the bytes are gone.
    ///
    /// Goes on when the future is dropped. Must be called on a tokio runtime.
    ///
    /// ```no_run
    /// # async fn example(engine: spanloom_server::Engine) -> Result<(), spanloom_server::RedactError> {
    /// use spanloom_server::{RedactRequest, RedactWhat, Tenant};
    ///
    /// let query = "{ span.user.email = `someone@example.org` }".to_owned();
    /// let mut request = RedactRequest {
    ///     tenant: Tenant::default(),
    ///     what: RedactWhat::Query { query, spans: false },
    ///     dry_run: true,
    ///     from: "the example".into(),
    /// };
    /// let would = engine.redact(request.clone()).await?;
    /// println!("{} traces would go, {} spans", would.traces, would.spans);
    /// request.dry_run = false;
    /// engine.redact(request).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`RedactError`] says whether something was changed. What failed may be done again.
    pub async fn redact(&self, request: RedactRequest) -> Result<Redacted, RedactError> {
        let engine = self.clone();
        // A task of its own: what was begun comes to its line in the audit log, whoever waits for it.
        let task =
            tokio::spawn(async move { redact::run(engine.inner(), engine.is_stopping(), request).await });
        task.await.unwrap_or(Err(RedactError::Stopping))
    }

    /// What was found at the start.
    pub fn started(&self) -> Started {
        self.shared.inner.started
    }

    /// The configuration in force.
    pub fn config(&self) -> &Config {
        &self.shared.inner.config
    }

    /// Stops accepting, finishes what is under way, seals everything, ends all threads. An error says what could
    /// not be sealed; it stays in the log and is found again at the next start.
    pub async fn stop(&self) -> Result<(), String> {
        let shared = &self.shared;
        if shared.stopping.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        // Until it has left, others ask it and write to it, and it takes spans for all.
        if let Some(part) = shared.inner.part.get() {
            part.repair_no_more();
            part.cluster.leave().await;
        }
        shared.trigger.begin(shared.inner.config.drain_timeout.0);
        let servers = std::mem::take(&mut *shared.servers.lock());
        for server in servers {
            // A server that panicked was logged; the others are waited for.
            let _ = server.await;
        }
        if let Some(part) = shared.inner.part.get() {
            part.answer_no_more().await;
        }
        let outcome = shared.inner.ingest.stop().await;
        shared.inner.store.stop(shared.inner.config.drain_timeout.0).await;
        let ended = self.clone();
        // Joins threads, which may not be done on a runtime's worker.
        let struck = tokio::task::spawn_blocking(move || ended.shared.inner.stage.strike()).await;
        outcome.and(struck.map_err(|error| error.to_string()))
    }

    /// Asks whoever runs the engine to stop it: what `/shutdown` does.
    pub(crate) fn want_stop(&self) {
        self.shared.stop_wanted.notify_one();
    }

    /// Returns when [`Self::want_stop`] was called.
    pub async fn stop_wanted(&self) {
        self.shared.stop_wanted.notified().await;
    }

    pub(crate) fn ingest(&self) -> &Ingest {
        &self.shared.inner.ingest
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.shared.inner
    }

    /// Makes this node one of several.
    pub(crate) fn take_part(&self, part: Part) {
        // An engine takes part once.
        let _ = self.shared.inner.part.set(part);
    }

    /// This node's part in a cluster; `None` when it is alone.
    pub(crate) fn part(&self) -> Option<&Part> {
        self.shared.inner.part.get()
    }

    /// This node among others; `None` when it is alone.
    pub(crate) fn cluster_handle(&self) -> Option<&ClusterHandle> {
        self.part().map(|part| &part.cluster)
    }

    pub(crate) fn shutdown(&self) -> Shutdown {
        self.shared.shutdown.clone()
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.shared.stopping.load(Ordering::Acquire)
    }

    pub(crate) fn up(&self) -> Duration {
        self.shared.since.elapsed()
    }

    pub(crate) fn served_by(&self, server: JoinHandle<()>) {
        self.shared.servers.lock().push(server);
    }
}
