//! The querier: takes questions, and sets the threads that search to work on them.

use std::sync::Arc;

use spanloom_bucket::Bucket;
use spanloom_peer::Peer;
use spanloom_span::Tenant;
use spanloom_traceql::plan::Plan;
use tokio::sync::mpsc;

use crate::pool::{Pool, Work};
use crate::progress::Progress;
use crate::search::Search;
use crate::sources::Sources;
use crate::{Answers, QueryError, QueryOptions, SearchPart, SearchRequest};

/// Parts of an answer that wait for their reader.
const PARTS: usize = 4;

/// Answers questions. Clones share one; its threads end when the last one goes.
#[derive(Clone)]
pub struct Querier {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub peer: Arc<dyn Peer>,
    pub bucket: Arc<Bucket>,
    pub pool: Pool,
    pub options: QueryOptions,
}

impl Querier {
    /// Starts the threads that search this peer and these blocks.
    pub fn start(peer: Arc<dyn Peer>, bucket: Arc<Bucket>, options: QueryOptions) -> std::io::Result<Self> {
        let threads = match options.threads {
            0 => std::thread::available_parallelism().map_or(1, |cores| cores.get()),
            threads => threads,
        };
        let pool = Pool::start(threads, options.max_questions)?;
        Ok(Self { inner: Arc::new(Inner { peer, bucket, pool, options }) })
    }

    /// Searches for traces. What was acknowledged before is found.
    pub async fn search(&self, request: SearchRequest) -> Result<Answers<SearchPart>, QueryError> {
        let mut progress = Progress::begin(self.inner.options.timeout);
        let plan = plan(&request.query)?;
        if plan.pipeline().is_none() {
            return Err(QueryError::Invalid(format!(
                "found a query for series (`{}`), expected one for traces; ask for series at /api/metrics/query_range",
                plan.query
            )));
        }
        if request.limit == 0 {
            return Err(QueryError::Invalid("limit is 0, expected at least 1".into()));
        }
        let most = self.inner.options.max_answer_bytes;
        self.ask(request.tenants.clone(), move |sources, answer| {
            let blocks = sources.blocks.iter();
            let bytes = blocks.map(|block| block.listed.block.meta().file_bytes).sum();
            progress.plan(Search::count(&sources), sources.blocks.len() as u64, bytes);
            Search::new(request, plan, sources, progress, most, answer)
        })
        .await
    }

    /// Takes a snapshot of the sources and sets the threads to work.
    async fn ask<T: Send + 'static>(
        &self,
        tenants: Vec<Tenant>,
        work: impl FnOnce(Sources, mpsc::Sender<Result<T, QueryError>>) -> Arc<dyn Work> + Send + 'static,
    ) -> Result<Answers<T>, QueryError> {
        let inner = self.inner.clone();
        let mut sources = Sources::take(inner.peer.as_ref(), &inner.bucket, &tenants).await?;
        // Trace ids may have to come from the disk: not on a runtime's worker.
        let asked = tokio::task::spawn_blocking(move || {
            sources.compare(&inner.bucket, &tenants)?;
            let (answer, parts) = mpsc::channel(PARTS);
            let busy = || {
                let most = inner.options.max_questions;
                QueryError::Busy(format!("{most} questions are being worked on (query.max_questions)"))
            };
            inner.pool.submit(work(sources, answer)).map_err(|_| busy())?;
            Ok(Answers::new(parts))
        });
        asked.await.map_err(|_| QueryError::Stopping)?
    }
}

/// Makes a query ready to run; errors say where it is wrong.
fn plan(query: &str) -> Result<Plan, QueryError> {
    let invalid = |error: &dyn std::fmt::Display| QueryError::Invalid(error.to_string());
    let query = spanloom_traceql::parse(query).map_err(|error| invalid(&error))?;
    spanloom_traceql::check(&query).map_err(|error| invalid(&error))?;
    Plan::new(&query).map_err(|error| invalid(&error))
}
