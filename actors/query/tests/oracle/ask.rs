//! The engine, asked as the naive judge is: one ingest role over a simulated disk, its blocks, and its querier.

use std::cell::Cell;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use spanloom_block::GROUP_ROWS;
use spanloom_bucket::Bucket;
use spanloom_ingest::{Hosting, Ingest, IngestMetrics, IngestOptions};
use spanloom_peer::{Answer, FindTrace, FoundParts, Live, LiveRequest, Members};
use spanloom_query::{
    Answers, Cursor, GraphRequest, MetricsRequest, Querier, QueryError, QueryOptions, SearchRequest,
    ServiceGraph, Serving, TagValues, TagValuesRequest, Tags, TagsRequest,
};
use spanloom_span::{Tenant, TraceId, join, model};
use spanloom_stage::{RealClock, Stage};
use spanloom_traceql::answer::{FoundTrace, Series};
use spanloom_wal::disk::{Disk, SimDisk};
use tokio::runtime::Runtime;

/// The engine says that the question is wrong, or failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused(pub String);

impl From<QueryError> for Refused {
    fn from(error: QueryError) -> Self {
        Self(error.to_string())
    }
}

/// A store of spans that answers questions.
pub trait Store {
    /// One page, and where the next one begins.
    fn search(&self, request: SearchRequest) -> Result<(Vec<FoundTrace>, Option<Cursor>), Refused>;
    /// Series, and what is said when some are left out.
    fn metrics(&self, request: MetricsRequest) -> Result<(Vec<Series>, Option<String>), Refused>;
    fn tags(&self, request: TagsRequest) -> Result<Tags, Refused>;
    fn tag_values(&self, request: TagValuesRequest) -> Result<TagValues, Refused>;
    /// The graph of services.
    fn graph(&self, request: GraphRequest) -> Result<ServiceGraph, Refused>;
    /// A trace by its id.
    fn trace(&self, tenants: &[Tenant], id: TraceId) -> Result<Option<model::Trace>, Refused>;
}

/// How a house keeps spans.
#[derive(Debug, Clone, Copy)]
pub struct Manner {
    /// Rows of a row group of its blocks.
    group_rows: usize,
    /// Held bytes at which it seals a part of its traces by itself, and copies what is left out of old requests.
    soft_bytes: usize,
    hosting: Hosting,
}

const ROOMY: usize = 96 << 20;

/// Row groups that hold everything; some in the midst of traces, while traces are sealed now and then; few and many
/// spans.
pub const MANNERS: [Manner; 4] = [
    Manner { group_rows: GROUP_ROWS, soft_bytes: ROOMY, hosting: Hosting::Actor },
    Manner { group_rows: 40, soft_bytes: 40 << 10, hosting: Hosting::Actor },
    Manner { group_rows: 7, soft_bytes: ROOMY, hosting: Hosting::Map },
    Manner { group_rows: 1, soft_bytes: ROOMY, hosting: Hosting::Actor },
];

/// When all live spans are sealed in the midst of a question: before or after it is told which of them are live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seal {
    BeforeListing,
    AfterListing,
}

/// Who is asked for live spans, and may seal them meanwhile.
struct Between {
    ingest: Ingest,
    seal: Arc<Mutex<Option<Seal>>>,
}

impl Between {
    async fn seal(&self, now: Seal) {
        if *self.seal.lock() == Some(now) {
            self.ingest.flush().await.unwrap();
        }
    }
}

impl Live for Between {
    fn find_trace(&self, question: FindTrace) -> Answer<'_, FoundParts> {
        Box::pin(async move {
            self.seal(Seal::BeforeListing).await;
            let found = self.ingest.find_trace(question).await;
            self.seal(Seal::AfterListing).await;
            found
        })
    }

    fn live_requests(&self, tenant: Tenant) -> Answer<'_, Vec<LiveRequest>> {
        Box::pin(async move {
            self.seal(Seal::BeforeListing).await;
            let found = self.ingest.live_requests(tenant).await;
            self.seal(Seal::AfterListing).await;
            found
        })
    }
}

/// Spanloom in one process.
pub struct House {
    runtime: Runtime,
    stage: Option<Stage>,
    ingest: Ingest,
    querier: Querier,
    seal: Arc<Mutex<Option<Seal>>>,
    /// How often a question that fails is asked again: an answer is right, or an error.
    patience: u32,
    again: Cell<u64>,
    /// Another node's querier, which is asked instead.
    elsewhere: Option<Querier>,
}

/// What runs a house.
pub fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// A machine that stands still for a while is no difference.
fn query_options() -> QueryOptions {
    QueryOptions { timeout: Duration::ZERO, ..QueryOptions::default() }
}

/// Keeps little of other nodes' blocks.
fn small(options: QueryOptions) -> QueryOptions {
    // A node that never answers is waited for as long as that, if it is needed.
    let timeout = Duration::from_secs(60);
    // Everything that others can help with is split, and what they do not do at once is done twice.
    let (split_above, hedge_after) = (1, Duration::from_millis(1));
    QueryOptions {
        peer_data_bytes: 256 << 10,
        peer_metadata_bytes: 1 << 20,
        timeout,
        split_above,
        hedge_after,
        ..options
    }
}

/// Has nothing live.
struct Nobody;

impl Live for Nobody {
    fn find_trace(&self, _: FindTrace) -> Answer<'_, FoundParts> {
        Box::pin(async { Ok(FoundParts { parts: Vec::new() }) })
    }

    fn live_requests(&self, _: Tenant) -> Answer<'_, Vec<LiveRequest>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

impl House {
    pub fn open(manner: Manner) -> Self {
        let disk: Arc<dyn Disk> = Arc::new(SimDisk::new());
        let (bucket, _) = Bucket::open(disk.clone(), None).unwrap();
        Self::over(runtime(), manner, disk, Arc::new(bucket), None)
    }

    /// What answers other nodes.
    pub fn serving(&self) -> Serving {
        self.querier.serving()
    }

    pub fn querier(&self) -> &Querier {
        &self.querier
    }

    /// A house whose questions may fail, and are asked again so many times.
    pub fn patient(mut self, patience: u32) -> Self {
        self.patience = patience;
        self
    }

    /// From now on another node is asked, which has these blocks and nothing live.
    pub fn ask_elsewhere(&mut self, bucket: Arc<Bucket>) {
        let _entered = self.runtime.enter();
        let querier = Querier::start(Arc::new(Nobody), bucket, None, self.ingest.budget(), query_options());
        self.elsewhere = Some(querier.unwrap());
    }

    /// How often a question was asked again since it failed.
    pub fn asked_again(&self) -> u64 {
        self.again.get()
    }

    pub fn handle(&self) -> tokio::runtime::Handle {
        self.runtime.handle().clone()
    }

    fn asked(&self) -> &Querier {
        self.elsewhere.as_ref().unwrap_or(&self.querier)
    }

    fn answered<T>(&self, ask: impl AsyncFn() -> Result<T, Refused>) -> Result<T, Refused> {
        for _ in 0..self.patience {
            let answer = self.runtime.block_on(ask());
            if answer.is_ok() {
                return answer;
            }
            self.again.set(self.again.get() + 1);
            std::thread::sleep(Duration::from_millis(2));
        }
        self.runtime.block_on(ask())
    }

    /// On a disk with blocks; perhaps as a node of a cluster.
    pub fn over(
        runtime: Runtime,
        manner: Manner,
        disk: Arc<dyn Disk>,
        bucket: Arc<Bucket>,
        members: Option<Members>,
    ) -> Self {
        let entered = runtime.enter();
        let options = IngestOptions {
            shards: NonZeroUsize::new(2).unwrap(),
            segment_bytes: 1 << 20,
            group_rows: manner.group_rows,
            soft_bytes: manner.soft_bytes,
            hosting: manner.hosting,
            ..IngestOptions::default()
        };
        let stage = Stage::set(options.shards).unwrap();
        let metrics = Arc::new(IngestMetrics::default());
        let clock = Arc::new(RealClock::default());
        let (ingest, _) = Ingest::start(&stage, disk, bucket.clone(), clock, metrics, options).unwrap();
        let seal = Arc::new(Mutex::new(None));
        let peer = Between { ingest: ingest.clone(), seal: seal.clone() };
        let options = match members {
            Some(_) => QueryOptions { straggler_wait: Duration::from_millis(1), ..small(query_options()) },
            None => query_options(),
        };
        let querier = Querier::start(Arc::new(peer), bucket, members, ingest.budget(), options).unwrap();
        drop(entered);
        let (patience, again, elsewhere) = (0, Cell::new(0), None);
        Self { runtime, stage: Some(stage), ingest, querier, seal, patience, again, elsewhere }
    }

    /// Asks something in whose midst all live spans are sealed.
    pub fn sealing_at<R>(&self, seal: Seal, ask: impl FnOnce() -> R) -> R {
        *self.seal.lock() = Some(seal);
        let answer = ask();
        *self.seal.lock() = None;
        answer
    }

    /// Does something while all live spans are being sealed.
    pub fn while_sealing<R>(&self, act: impl FnOnce() -> R) -> R {
        let ingest = self.ingest.clone();
        let sealing = self.runtime.spawn(async move { ingest.flush().await });
        let done = act();
        self.runtime.block_on(sealing).unwrap().unwrap();
        done
    }
}

impl Drop for House {
    fn drop(&mut self) {
        if let Some(stage) = self.stage.take() {
            stage.strike();
        }
    }
}

/// The last part, which is the whole answer.
pub async fn last_part<T>(mut answers: Answers<T>) -> Result<T, Refused> {
    let mut last = None;
    while let Some(part) = answers.next_part().await {
        last = Some(part?);
    }
    last.ok_or_else(|| Refused("found no part of an answer, expected one at least".into()))
}

impl House {
    /// Takes a request in OTLP, whole.
    pub fn push(&self, tenant: &Tenant, request: Vec<u8>) {
        self.runtime.block_on(async {
            let held = self.ingest.admit(request.len()).await.unwrap();
            let accepted = self.ingest.push(tenant, request.into(), Box::new(held)).await.unwrap();
            assert_eq!(accepted.refused_spans, 0, "{}", accepted.message);
        });
    }

    /// Seals all live spans.
    pub fn flush(&self) {
        self.runtime.block_on(self.ingest.flush()).unwrap();
    }
}

impl Store for House {
    fn search(&self, request: SearchRequest) -> Result<(Vec<FoundTrace>, Option<Cursor>), Refused> {
        self.answered(async || {
            let part = last_part(self.asked().search(request.clone()).await?).await?;
            Ok((part.traces, part.next))
        })
    }

    fn metrics(&self, request: MetricsRequest) -> Result<(Vec<Series>, Option<String>), Refused> {
        let part = self.answered(async || last_part(self.asked().metrics(request.clone()).await?).await)?;
        Ok((part.series, part.partial))
    }

    fn tags(&self, request: TagsRequest) -> Result<Tags, Refused> {
        self.answered(async || Ok(self.asked().tags(request.clone()).await?))
    }

    fn tag_values(&self, request: TagValuesRequest) -> Result<TagValues, Refused> {
        self.answered(async || Ok(self.asked().tag_values(request.clone()).await?))
    }

    fn graph(&self, request: GraphRequest) -> Result<ServiceGraph, Refused> {
        self.answered(async || Ok(self.asked().service_graph(request.clone()).await?))
    }

    fn trace(&self, tenants: &[Tenant], id: TraceId) -> Result<Option<model::Trace>, Refused> {
        let mut parts = Vec::new();
        for tenant in tenants {
            let found = self.answered(async || Ok(self.asked().find_trace(tenant, id).await?))?;
            parts.extend(found.trace);
        }
        Ok((!parts.is_empty()).then(|| join::join(parts).trace))
    }
}
