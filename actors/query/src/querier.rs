//! The querier: takes questions, and sets the threads that search to work on them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use spanloom_bucket::Bucket;
use spanloom_peer::{Live, Members, ScanList, ScanQuestion};
use spanloom_span::Tenant;
use spanloom_stage::Budget;
use spanloom_traceql::answer::Steps;
use spanloom_traceql::metrics::{Accumulator, Limits};
use spanloom_traceql::plan::Plan;
use tokio::sync::{Semaphore, mpsc};

use crate::again::PARTS;
use crate::listing::{self, Listing, Wish};
use crate::live::{Forgetful, LiveColumns};
use crate::peers::Peers;
use crate::pool::Pool;
use crate::progress::Progress;
use crate::question::Question;
use crate::search::Search;
use crate::select::{SelectRequest, Selected, Selecting};
use crate::series::Counting;
use crate::serve::{Held, run_number};
use crate::sources::Sources;
use crate::split::{SplitCounters, SplitCounts};
use crate::wire;
use crate::{
    Answers, MetricsPart, MetricsRequest, QueryError, QueryOptions, SearchPart, SearchRequest, TagValues,
    TagValuesRequest, Tags, TagsRequest,
};

/// Answers questions. Clones share one; its threads end when the last one goes.
#[derive(Clone)]
pub struct Querier {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub peer: Arc<dyn Live>,
    pub bucket: Arc<Bucket>,
    pub live: Forgetful,
    /// The other nodes of a cluster.
    pub peers: Option<Arc<Peers>>,
    /// What they may read here.
    pub held: Arc<Held>,
    /// Which run of the process this is.
    pub run: u64,
    pub pool: Pool,
    /// Room for questions that wait for their sources.
    pub waiting: Semaphore,
    /// What is counted of questions that several nodes work on.
    pub split: Arc<SplitCounters>,
    pub options: QueryOptions,
}

impl Querier {
    /// Starts the threads that search this peer and these blocks, and with `members` those of the other nodes of a
    /// cluster; then it must be called on a runtime of several threads. What live spans take in columns is counted in the
    /// budget.
    pub fn start(
        peer: Arc<dyn Live>,
        bucket: Arc<Bucket>,
        members: Option<Members>,
        budget: Arc<Budget>,
        options: QueryOptions,
    ) -> std::io::Result<Self> {
        let threads = match options.threads {
            0 => std::thread::available_parallelism().map_or(1, |cores| cores.get()),
            threads => threads,
        };
        let pool = Pool::start(threads, options.nice, options.max_questions)?;
        let peers = members.map(|members| Peers::new(members, &bucket, &budget, &options)).transpose()?;
        let live = LiveColumns::new(threads, options.nice, budget);
        let held = Arc::new(Held::new(options.hold_listed, options.max_held));
        let live = Forgetful::start(live, options.keep_columns, held.clone())?;
        let waiting = Semaphore::new(options.max_questions.clamp(1, Semaphore::MAX_PERMITS));
        let (peers, run, split) = (peers.map(Arc::new), run_number(), Arc::default());
        let inner = Inner { peer, bucket, live, peers, held, run, pool, waiting, split, options };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Searches for traces. What was acknowledged before is found.
    pub async fn search(&self, request: SearchRequest) -> Result<Answers<SearchPart>, QueryError> {
        let plan = plan_for_traces(&request.query)?;
        if request.limit == 0 {
            return Err(QueryError::Invalid("limit is 0, expected at least 1".into()));
        }
        let (tenants, most) = (request.tenants.clone(), self.inner.options.max_answer_bytes);
        let kind = move |sources| Search::new(request.clone(), plan.clone(), sources, most);
        self.ask(tenants, kind).await
    }

    /// Selects all traces or spans of blocks that a query matches, however long it takes. What is live is not looked at.
    ///
    /// # Errors
    /// As of [`Querier::search`]; more than was to be kept is no error, but counted.
    pub async fn select(&self, request: SelectRequest) -> Result<Selected, QueryError> {
        let plan = plan_for_traces(&request.query)?;
        let (answer, parts) = mpsc::channel(PARTS);
        let sources = Sources::of_blocks(&self.inner, &request.tenant).await?;
        let progress = Progress::begun(Instant::now(), Duration::ZERO);
        let work = Question::new(Selecting::new(request, plan, sources), progress, answer, None);
        self.inner.pool.submit(work).map_err(|_| self.busy())?;
        Answers::new(parts).next_part().await.unwrap_or(Err(QueryError::Stopping))
    }

    /// Lets go of a tenant's live columns, once whoever makes some is done. The next question makes them of what is live
    /// then.
    pub async fn forget_live(&self, tenant: &Tenant) {
        self.inner.live.take(tenant).await.forget();
    }

    pub(crate) fn busy(&self) -> QueryError {
        let most = self.inner.options.max_questions;
        QueryError::Busy(format!("{most} questions are being worked on (query.max_questions)"))
    }

    /// Counts spans over time. What was acknowledged before is counted.
    pub async fn metrics(&self, request: MetricsRequest) -> Result<Answers<MetricsPart>, QueryError> {
        let plan = plan(&request.query)?;
        let Some(metrics) = plan.metrics() else {
            return Err(QueryError::Invalid(format!(
                "found a query for traces (`{}`), expected one for series, such as `{{ }} | rate()`; ask for traces at \
                 /api/search",
                plan.query
            )));
        };
        let steps = match request.step {
            Some(step) => Steps::range(request.start, request.end, step),
            None => Steps::instant(request.start, request.end),
        };
        let Some(steps) = steps else {
            return Err(QueryError::Invalid(format!(
                "found start {} ns, end {} ns and step {:?} ns, expected an end after the start and a step above 0",
                request.start, request.end, request.step
            )));
        };
        let options = self.inner.options;
        let least: usize = metrics.leaves.iter().map(|leaf| Accumulator::least_bytes(leaf, steps)).sum();
        if least > options.max_answer_bytes {
            return Err(QueryError::TooLarge(format!(
                "{} series functions with {} samples each take about {least} bytes, expected at most {} \
                 (query.max_answer_bytes); ask for fewer functions or for a longer step",
                metrics.leaves.len(),
                steps.count,
                options.max_answer_bytes
            )));
        }
        let asked = Some(request.max_series).filter(|&series| series > 0);
        let limits = Limits {
            max_series: asked.unwrap_or(usize::MAX).min(options.max_series),
            max_bytes: options.max_answer_bytes / metrics.leaves.len().max(1),
            exemplars: metrics.exemplars.map_or(request.exemplars, |hint| hint.min(request.exemplars)),
        };
        let tenants = request.tenants.clone();
        let kind = move |sources| Counting::new(request.clone(), plan.clone(), sources, steps, limits);
        self.ask(tenants, kind).await
    }

    /// Lists the names of attributes.
    pub async fn tags(&self, request: TagsRequest) -> Result<Tags, QueryError> {
        let TagsRequest { tenants, scope, query, start, end, limit } = request;
        let scope = wire::number_of(scope.map(listing::scope_of));
        let list = self.list_of(query, (start, end), limit);
        Ok(listing::tags(self.list(tenants, ScanQuestion::Names { scope, list }).await?))
    }

    /// Lists the values of a field.
    pub async fn tag_values(&self, request: TagValuesRequest) -> Result<TagValues, QueryError> {
        let TagValuesRequest { tenants, field, query, start, end, limit } = request;
        let list = self.list_of(query, (start, end), limit);
        Ok(listing::tag_values(self.list(tenants, ScanQuestion::Values { field, list }).await?))
    }

    fn list_of(&self, filter: Option<String>, time: (Option<u64>, Option<u64>), limit: usize) -> ScanList {
        let (start, end) = (time.0.unwrap_or(0), time.1.unwrap_or(u64::MAX));
        ScanList { filter, start, end, count: limit as u64, bytes: self.inner.options.max_tag_bytes as u64 }
    }

    async fn list(&self, tenants: Vec<Tenant>, question: ScanQuestion) -> Result<listing::Told, QueryError> {
        let wish = Wish::of(question)?;
        let mut told = self.ask(tenants, move |sources| Listing::new(wish.clone(), sources)).await?;
        told.next_part().await.unwrap_or(Err(QueryError::Stopping))
    }

    /// What was counted of questions that several nodes worked on.
    pub fn split_counts(&self) -> SplitCounts {
        self.inner.split.now()
    }
}

/// Makes a query for traces ready to run.
pub(crate) fn plan_for_traces(query: &str) -> Result<Plan, QueryError> {
    let plan = plan(query)?;
    if plan.pipeline().is_none() {
        return Err(QueryError::Invalid(format!(
            "found a query for series (`{}`), expected one for traces; ask for series at /api/metrics/query_range",
            plan.query
        )));
    }
    Ok(plan)
}

/// Makes a query ready to run; errors say where it is wrong.
pub(crate) fn plan(query: &str) -> Result<Plan, QueryError> {
    let invalid = |error: &dyn std::fmt::Display| QueryError::Invalid(error.to_string());
    let query = spanloom_traceql::read(query).map_err(|error| invalid(&error))?;
    Plan::new(&query).map_err(|error| invalid(&error))
}
