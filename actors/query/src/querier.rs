//! The querier: takes questions, and sets the threads that search to work on them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use spanloom_block::ListLimits;
use spanloom_bucket::Bucket;
use spanloom_peer::{Live, Members};
use spanloom_span::Tenant;
use spanloom_stage::Budget;
use spanloom_traceql::answer::Steps;
use spanloom_traceql::ast::{Body, Field, Stage};
use spanloom_traceql::metrics::{Accumulator, Limits};
use spanloom_traceql::plan::Plan;
use tokio::sync::{Semaphore, mpsc};

use crate::again::PARTS;
use crate::asked::Asked;
use crate::listing::{self, Listed, Listing};
use crate::live::{Forgetful, LiveColumns};
use crate::peers::Peers;
use crate::pool::Pool;
use crate::progress::Progress;
use crate::search::Search;
use crate::select::{SelectRequest, Selected, Selecting};
use crate::series::Counting;
use crate::serve::{Held, run_number};
use crate::sources::Sources;
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
        let (peers, run) = (peers.map(Arc::new), run_number());
        Ok(Self { inner: Arc::new(Inner { peer, bucket, live, peers, held, run, pool, waiting, options }) })
    }

    /// Searches for traces. What was acknowledged before is found.
    pub async fn search(&self, request: SearchRequest) -> Result<Answers<SearchPart>, QueryError> {
        let plan = plan_for_traces(&request.query)?;
        if request.limit == 0 {
            return Err(QueryError::Invalid("limit is 0, expected at least 1".into()));
        }
        let most = self.inner.options.max_answer_bytes;
        self.ask(request.tenants.clone(), move |sources, progress, answer| {
            let asked = Asked::new(&sources, progress, answer);
            Search::new(request.clone(), plan.clone(), sources, asked, most)
        })
        .await
    }

    /// Selects all traces or spans of blocks that a query matches, however long it takes. What is live is not looked at.
    ///
    /// # Errors
    /// As of [`Querier::search`]; more than was to be kept is no error, but counted.
    pub async fn select(&self, request: SelectRequest) -> Result<Selected, QueryError> {
        let plan = plan_for_traces(&request.query)?;
        let (answer, parts) = mpsc::channel(PARTS);
        let sources = Sources::of_blocks(&self.inner, &request.tenant).await?;
        let asked = Asked::new(&sources, Progress::begun(Instant::now(), Duration::ZERO), answer);
        let work = Selecting::new(request, plan, sources, asked);
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
        self.ask(request.tenants.clone(), move |sources, progress, answer| {
            let asked = Asked::new(&sources, progress, answer);
            Counting::new(request.clone(), plan.clone(), sources, steps, limits, asked)
        })
        .await
    }

    /// Lists the names of attributes.
    pub async fn tags(&self, request: TagsRequest) -> Result<Tags, QueryError> {
        let filter = request.query.as_deref().and_then(spanloom_traceql::lenient_filter);
        let plan = listing::plan(filter, None)?;
        let listed = Listed::Names(request.scope.map(listing::scope_of));
        let time = (request.start.unwrap_or(0), request.end.unwrap_or(u64::MAX));
        Ok(listing::tags(self.list(request.tenants, listed, plan, time, request.limit).await?))
    }

    /// Lists the values of a field.
    pub async fn tag_values(&self, request: TagValuesRequest) -> Result<TagValues, QueryError> {
        let field = field(&request.field)?;
        let filter = request.query.as_deref().and_then(spanloom_traceql::lenient_filter);
        let plan = listing::plan(filter, Some(&field))?;
        let listed = Listed::Values(field);
        let time = (request.start.unwrap_or(0), request.end.unwrap_or(u64::MAX));
        Ok(listing::tag_values(self.list(request.tenants, listed, plan, time, request.limit).await?))
    }

    async fn list(
        &self,
        tenants: Vec<Tenant>,
        listed: Listed,
        plan: Plan,
        time: (u64, u64),
        limit: usize,
    ) -> Result<listing::Told, QueryError> {
        let limits = ListLimits { count: limit, bytes: self.inner.options.max_tag_bytes };
        let mut told = self
            .ask(tenants, move |sources, progress, answer| {
                let asked = Asked::new(&sources, progress, answer);
                Listing::new(listed.clone(), plan.clone(), sources, time, limits, asked)
            })
            .await?;
        told.next_part().await.unwrap_or(Err(QueryError::Stopping))
    }
}

/// A field of TraceQL by its text.
fn field(text: &str) -> Result<Field, QueryError> {
    let query = spanloom_traceql::parse(&format!("{{ }} | select({text})"));
    if let Ok(query) = query
        && let Body::Search(pipeline) = query.body
        && let [_, Stage::Select(fields)] = &pipeline.stages[..]
        && let [field] = &fields[..]
    {
        return Ok(field.clone());
    }
    Err(QueryError::Invalid(format!(
        "found `{text}`, expected a field such as resource.service.name, .user or duration"
    )))
}

/// Makes a query for traces ready to run.
fn plan_for_traces(query: &str) -> Result<Plan, QueryError> {
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
