//! Stop 9, asked whole: questions over many traces, put to a querier of one thread over a folder of blocks, some of
//! whose traces lie in two of them.

use std::hint::black_box;
use std::sync::Arc;

use spanloom_bucket::Bucket;
use spanloom_peer::{Answer, FindTrace, FoundParts, Live, LiveRequest};
use spanloom_query::{MetricsRequest, Querier, QueryOptions, SearchRequest, TagValuesRequest};
use spanloom_span::Tenant;
use spanloom_stage::Budget;
use spanloom_wal::disk::SimDisk;

use crate::stop7_seal::build;
use crate::{Line, batches, measure, traces};

/// How many blocks the spans are in.
const BLOCKS: usize = 20;

/// Nobody has anything live.
struct Nobody;

impl Live for Nobody {
    fn find_trace(&self, _: FindTrace) -> Answer<'_, FoundParts> {
        Box::pin(async { Ok(FoundParts::default()) })
    }

    fn live_requests(&self, _: Tenant) -> Answer<'_, Vec<LiveRequest>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

/// Puts several kinds of questions to a querier.
pub fn run(spans: usize) -> Vec<Line> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime starts");
    let (bucket, _) = Bucket::open(Arc::new(SimDisk::new()), None).expect("a folder opens");
    let batches = batches(spans);
    let (mut first, mut end) = (u64::MAX, 0);
    for (number, part) in (1..).zip(batches.chunks(batches.len().div_ceil(BLOCKS))) {
        let block = build(&traces(part));
        (first, end) = (first.min(block.meta.min_start), end.max(block.meta.max_end));
        bucket.put(&Tenant::default(), block, number).expect("a block is put");
    }
    let options = QueryOptions { threads: 1, nice: 0, ..QueryOptions::default() };
    let (bucket, budget) = (Arc::new(bucket), Budget::new(1 << 30));
    let querier = Querier::start(Arc::new(Nobody), bucket, None, budget, options).expect("threads start");
    let tenants = || vec![Tenant::default()];
    let search = |query: &str, limit: usize| {
        let query = query.to_owned();
        let request =
            SearchRequest { tenants: tenants(), query, limit, spans_per_spanset: 3, ..Default::default() };
        runtime.block_on(async {
            let mut answers = querier.search(request).await.expect("it is a search");
            while let Some(part) = answers.next_part().await {
                black_box(part.expect("it is answered"));
            }
        });
    };
    let series = |query: &str| {
        let (query, step) = (query.to_owned(), Some((end - first).max(60) / 60));
        let request =
            MetricsRequest { tenants: tenants(), query, start: first, end, step, ..Default::default() };
        runtime.block_on(async {
            let mut answers = querier.metrics(request).await.expect("it makes series");
            while let Some(part) = answers.next_part().await {
                black_box(part.expect("it is answered"));
            }
        });
    };
    let values = |query: &str| {
        let (field, query) = ("span.url.path".to_owned(), Some(query.to_owned()));
        let request = TagValuesRequest { tenants: tenants(), field, query, ..Default::default() };
        black_box(runtime.block_on(querier.tag_values(request)).expect("it is answered"));
    };
    let line = |name: &str, ask: &dyn Fn()| measure(format!("ask {name}"), "span", spans, || (), |()| ask());
    vec![
        line("the first question", &|| search("{ span.nothing = 1 }", 20)),
        line("the newest traces", &|| search("{ }", 20)),
        line("what is nowhere", &|| search("{ span.nothing = 1 }", 20)),
        line("many traces", &|| search("{ duration > 50ms }", 2000)),
        line("many by relation", &|| search("{ } >> { duration > 50ms }", 2000)),
        line("rates", &|| series("{ } | rate() by (resource.service.name)")),
        line("quantiles by relation", &|| series("{ } >> { } | quantile_over_time(duration, .9) by (name)")),
        line("values", &|| values("{ status = error }")),
        line("values, judged", &|| values("{ traceDuration > 100ms }")),
    ]
}
