//! The engine, asked as the naive judge is: one ingest role over a simulated disk, its blocks, and its querier.

use std::num::NonZeroUsize;
use std::sync::Arc;

use spanloom_bucket::Bucket;
use spanloom_ingest::{Ingest, IngestMetrics, IngestOptions};
use spanloom_query::{
    Answers, Cursor, MetricsRequest, Querier, QueryError, QueryOptions, SearchRequest, TagValues,
    TagValuesRequest, Tags, TagsRequest,
};
use spanloom_span::Tenant;
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
    /// Takes a request in OTLP, whole.
    fn push(&self, tenant: &Tenant, request: Vec<u8>);
    /// Seals all live spans.
    fn flush(&self);
    /// One page, and where the next one begins.
    fn search(&self, request: SearchRequest) -> Result<(Vec<FoundTrace>, Option<Cursor>), Refused>;
    fn metrics(&self, request: MetricsRequest) -> Result<Vec<Series>, Refused>;
    fn tags(&self, request: TagsRequest) -> Result<Tags, Refused>;
    fn tag_values(&self, request: TagValuesRequest) -> Result<TagValues, Refused>;
}

/// Spanloom in one process.
pub struct House {
    runtime: Runtime,
    stage: Option<Stage>,
    ingest: Ingest,
    querier: Querier,
}

impl House {
    pub fn open() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.unwrap();
        let entered = runtime.enter();
        let disk: Arc<dyn Disk> = Arc::new(SimDisk::new());
        let options = IngestOptions {
            shards: NonZeroUsize::new(2).unwrap(),
            segment_bytes: 1 << 20,
            ..IngestOptions::default()
        };
        let (bucket, _) = Bucket::open(disk.clone(), None).unwrap();
        let bucket = Arc::new(bucket);
        let stage = Stage::set(options.shards).unwrap();
        let metrics = Arc::new(IngestMetrics::default());
        let clock = Arc::new(RealClock::default());
        let (ingest, _) = Ingest::start(&stage, disk, bucket.clone(), clock, metrics, options).unwrap();
        let (peer, budget) = (Arc::new(ingest.clone()), ingest.budget());
        let querier = Querier::start(peer, bucket, budget, QueryOptions::default()).unwrap();
        drop(entered);
        Self { runtime, stage: Some(stage), ingest, querier }
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
async fn last_part<T>(mut answers: Answers<T>) -> Result<T, Refused> {
    let mut last = None;
    while let Some(part) = answers.next_part().await {
        last = Some(part?);
    }
    last.ok_or_else(|| Refused("found no part of an answer, expected one at least".into()))
}

impl Store for House {
    fn push(&self, tenant: &Tenant, request: Vec<u8>) {
        self.runtime.block_on(async {
            let held = self.ingest.admit(request.len()).await.unwrap();
            let accepted = self.ingest.push(tenant, request.into(), Box::new(held)).await.unwrap();
            assert_eq!(accepted.refused_spans, 0, "{}", accepted.message);
        });
    }

    fn flush(&self) {
        self.runtime.block_on(self.ingest.flush()).unwrap();
    }

    fn search(&self, request: SearchRequest) -> Result<(Vec<FoundTrace>, Option<Cursor>), Refused> {
        self.runtime.block_on(async {
            let part = last_part(self.querier.search(request).await?).await?;
            Ok((part.traces, part.next))
        })
    }

    fn metrics(&self, request: MetricsRequest) -> Result<Vec<Series>, Refused> {
        let part = self.runtime.block_on(async { last_part(self.querier.metrics(request).await?).await })?;
        match part.partial {
            Some(why) => Err(Refused(format!("found a part of the answer: {why}"))),
            None => Ok(part.series),
        }
    }

    fn tags(&self, request: TagsRequest) -> Result<Tags, Refused> {
        Ok(self.runtime.block_on(self.querier.tags(request))?)
    }

    fn tag_values(&self, request: TagValuesRequest) -> Result<TagValues, Refused> {
        Ok(self.runtime.block_on(self.querier.tag_values(request))?)
    }
}
