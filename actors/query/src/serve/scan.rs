//! Blocks of the shared store that this node works on for another one's question.
//!
//! An errand is a piece of work of the pool like those of questions that are asked here, and has its turns beside them.
//! It ends when whoever asked goes away, at the end of its time, and at that of this node's own questions.

use std::sync::Arc;
use std::time::{Duration, Instant};

use spanloom_block::BlockId;
use spanloom_bucket::Listed;
use spanloom_peer::{PeerError, ScanBlocks, ScanQuestion, Scanned, StoreBlock};
use spanloom_span::Tenant;
use spanloom_traceql::answer::{MAX_SAMPLES, Steps};
use spanloom_traceql::metrics::{Accumulator, Limits};
use tokio::sync::mpsc;

use super::{Serving, refused, stopping};
use crate::kind::Kind;
use crate::listing::{Listing, Wish};
use crate::pool::Work;
use crate::querier::{plan, plan_for_traces};
use crate::search::Search;
use crate::series::Counting;
use crate::sources::{SourceBlock, Sources};
use crate::split::{Report, SplitCounters, report};
use crate::{Cursor, MetricsRequest, QueryError, SearchRequest};

impl Serving {
    /// Works on blocks of the shared store for another node's question.
    pub async fn scan_blocks(&self, scan: ScanBlocks) -> Result<Scanned, PeerError> {
        let ScanBlocks { tenant, within_micros, question, blocks } = scan;
        let options = &self.querier.inner.options;
        let asked = (within_micros > 0).then(|| Duration::from_micros(within_micros));
        let own = Some(options.timeout).filter(|timeout| !timeout.is_zero());
        let within = asked.into_iter().chain(own).min();
        let until = within.and_then(|within| Instant::now().checked_add(within));
        let sources = self.of_store(&tenant, blocks).await?;
        match question {
            ScanQuestion::Search { .. } => {
                let search = search(question, sources, options.max_answer_bytes).map_err(wrong)?;
                self.work(search, until).await
            }
            ScanQuestion::Series { .. } => {
                let counting = counting(question, sources, options.max_answer_bytes).map_err(wrong)?;
                self.work(counting, until).await
            }
            ScanQuestion::Names { .. } | ScanQuestion::Values { .. } => {
                let wish = Wish::of(question).map_err(wrong)?;
                self.work(Listing::new(wish, sources), until).await
            }
        }
    }

    /// Blocks by their names, of this node's own listing. Looks at the store's list again when one is not there.
    async fn of_store(&self, tenant: &Tenant, blocks: Vec<StoreBlock>) -> Result<Sources, PeerError> {
        let bucket = &self.querier.inner.bucket;
        let mut sources = sources_of(&bucket.blocks(tenant), &blocks);
        if sources.is_err() {
            let unseen = |error| PeerError::Unavailable(format!("the store cannot be looked at: {error}"));
            bucket.poll(tenant).await.map_err(|error| unseen(error.to_string()))?;
            sources = sources_of(&bucket.blocks(tenant), &blocks);
        }
        sources
            .map_err(|id| PeerError::Missing(format!("block {id} is not in the store, as this node sees it")))
    }

    /// Has the pool work on it.
    async fn work<K: Kind>(&self, kind: K, until: Option<Instant>) -> Result<Scanned, PeerError> {
        let inner = &self.querier.inner;
        let (answer, mut answered) = mpsc::channel(1);
        let counters = inner.split.clone();
        let guest = Arc::new(Guest { kind, until, answer, counters });
        inner.pool.submit_guest(guest).map_err(|_| {
            inner.split.count_refused();
            refused(self.querier.busy())
        })?;
        answered.recv().await.unwrap_or_else(|| Err(stopping()))
    }
}

/// These blocks of a listing; or the one that is not in it.
fn sources_of(listing: &[Listed], blocks: &[StoreBlock]) -> Result<Sources, BlockId> {
    let of = |block: &StoreBlock| {
        let id = BlockId { created: block.created, number: block.number };
        let at = listing.binary_search_by_key(&id, |listed| listed.id).map_err(|_| id)?;
        Ok(SourceBlock {
            listed: listing.get(at).ok_or(id)?.clone(),
            elsewhere: Some(block.elsewhere.as_slice().into()),
            sealed: block.sealed.as_slice().into(),
            is_live: false,
            is_in_store: true,
            of_peer: None,
        })
    };
    let blocks = blocks.iter().map(of).collect::<Result<_, BlockId>>()?;
    Ok(Sources { blocks, prepared: Duration::ZERO, partial: None })
}

fn search(question: ScanQuestion, sources: Sources, max_bytes: usize) -> Result<Search, QueryError> {
    let ScanQuestion::Search { query, start, end, limit, spans, after, floor, every } = question else {
        return Err(QueryError::Invalid("found another question, expected a search".into()));
    };
    let most = |limit: u64| usize::try_from(limit).unwrap_or(usize::MAX);
    let plan = plan_for_traces(&query)?;
    let request = SearchRequest {
        query,
        start: Some(start),
        end: Some(end),
        limit: most(limit).max(1),
        spans_per_spanset: most(spans),
        after: after.map(|(start, id)| Cursor { start, id }),
        ..SearchRequest::default()
    };
    Ok(Search::new(request, plan, sources, max_bytes).part_of(floor, every))
}

fn counting(question: ScanQuestion, sources: Sources, most: usize) -> Result<Counting, QueryError> {
    let ScanQuestion::Series { query, first, step, count, closed, max_series, max_bytes, exemplars } =
        question
    else {
        return Err(QueryError::Invalid("found another question, expected one for series".into()));
    };
    let plan = plan(&query)?;
    let Some(metrics) = plan.metrics() else {
        return Err(QueryError::Invalid("found a query for traces, expected one for series".into()));
    };
    let steps = Steps { first, step, count, closed };
    if step == 0 || count == 0 || count > MAX_SAMPLES {
        return Err(QueryError::Invalid(format!(
            "found {count} samples with a step of {step} ns, expected 1 to {MAX_SAMPLES} and a step"
        )));
    }
    let leaves = metrics.leaves.len() as u64;
    let least = metrics.leaves.iter().map(|leaf| Accumulator::least_bytes(leaf, steps) as u64);
    let bytes = least.fold(max_bytes.saturating_mul(leaves), |bytes, least| bytes.max(least));
    if bytes > most as u64 {
        return Err(QueryError::TooLarge(format!(
            "found {bytes} bytes for counts, expected at most {most} (query.max_answer_bytes)"
        )));
    }
    let at_most = |limit: u64| usize::try_from(limit).unwrap_or(usize::MAX);
    let limits = Limits {
        max_series: at_most(max_series),
        max_bytes: at_most(max_bytes),
        exemplars: at_most(exemplars),
    };
    Ok(Counting::new(MetricsRequest { query, ..MetricsRequest::default() }, plan, sources, steps, limits))
}

fn wrong(error: QueryError) -> PeerError {
    match error {
        QueryError::Invalid(message) | QueryError::TooLarge(message) => PeerError::Invalid(message),
        error => refused(error),
    }
}

/// An errand of another node.
struct Guest<K: Kind> {
    kind: K,
    until: Option<Instant>,
    answer: mpsc::Sender<Result<Scanned, PeerError>>,
    counters: Arc<SplitCounters>,
}

impl<K: Kind> Guest<K> {
    fn answer(&self) -> Result<Scanned, PeerError> {
        let blocks: Vec<usize> = (0..self.kind.sources().blocks.len()).collect();
        let is_late = || self.until.is_some_and(|until| Instant::now() > until);
        let is_over = || self.answer.is_closed() || is_late();
        let Some(report) = report(&self.kind, &blocks, &is_over).map_err(wrong)? else {
            self.counters.count_given_up();
            return Err(PeerError::Late(Duration::ZERO));
        };
        self.counters.count_for_others(blocks.len());
        let Report { found, shared, seen } = report;
        let found = self.kind.pack(found);
        Ok(Scanned { traces: seen.traces, spans: seen.spans, bytes: seen.bytes, shared, found })
    }
}

impl<K: Kind> Work for Guest<K> {
    fn pieces(&self) -> usize {
        1
    }

    fn piece(&self, _: usize) -> bool {
        // Whoever asked may have gone.
        let _ = self.answer.try_send(self.answer());
        false
    }

    fn finish(&self) {}
}
