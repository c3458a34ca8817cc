//! A question that comes to its limits ends with the error that is documented, never with less of an answer.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::sync::Arc;
use std::time::Duration;

use spanloom_bucket::Bucket;
use spanloom_ingest::{Ingest, IngestMetrics, IngestOptions};
use spanloom_query::{
    MetricsRequest, Querier, QueryError, QueryOptions, SearchRequest, TagValuesRequest, TagsRequest,
};
use spanloom_span::model::{ResourceSpans, ScopeSpans, Span, Trace};
use spanloom_span::{SpanId, Tenant, TraceId, encode};
use spanloom_stage::{RealClock, Stage};
use spanloom_wal::disk::SimDisk;

/// What is kept when the question is put.
#[derive(Debug, Clone, Copy)]
enum Kept {
    Nothing,
    Live,
    Sealed,
}

/// A querier over a trace of two spans; the rest must live as long.
async fn querier(kept: Kept, options: QueryOptions) -> (Querier, Ingest, Stage) {
    let disk = Arc::new(SimDisk::new());
    let bucket = Arc::new(Bucket::open(disk.clone(), None).unwrap().0);
    let of_ingest = IngestOptions::default();
    let stage = Stage::set(of_ingest.shards).unwrap();
    let clock = Arc::new(RealClock::default());
    let (ingest, _) =
        Ingest::start(&stage, disk, bucket.clone(), clock, Arc::new(IngestMetrics::default()), of_ingest)
            .unwrap();
    if !matches!(kept, Kept::Nothing) {
        let span = |number: u64| Span {
            trace_id: TraceId([1; 16]),
            span_id: SpanId(number.to_be_bytes()),
            start_time_unix_nano: number,
            ..Span::default()
        };
        let scope_spans = vec![ScopeSpans { spans: vec![span(1), span(2)], ..ScopeSpans::default() }];
        let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
        let held = ingest.admit(1).await.unwrap();
        let request = encode::traces_data(&Trace { resource_spans });
        ingest.push(&Tenant::default(), request.into(), Box::new(held)).await.unwrap();
    }
    if matches!(kept, Kept::Sealed) {
        ingest.flush().await.unwrap();
    }
    let (peer, budget) = (Arc::new(ingest.clone()), ingest.budget());
    (Querier::start(peer, bucket, None, budget, options).unwrap(), ingest, stage)
}

/// All parts of the answer to a search.
async fn search(querier: &Querier, stream: bool) -> Vec<Result<usize, QueryError>> {
    let tenants = vec![Tenant::default()];
    let query = "{ }".to_owned();
    let request = SearchRequest { tenants, query, limit: 10, stream, ..SearchRequest::default() };
    let mut parts = Vec::new();
    let mut answers = querier.search(request).await.unwrap();
    while let Some(part) = answers.next_part().await {
        parts.push(part.map(|part| part.traces.len()));
    }
    parts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_that_runs_out_of_time_ends_with_an_error() {
    // Every question takes longer.
    let options = QueryOptions { timeout: Duration::from_nanos(1), ..QueryOptions::default() };
    let expected = "the question was not answered within 1ns (query.timeout)";
    let tenants = || vec![Tenant::default()];
    for kept in [Kept::Nothing, Kept::Live, Kept::Sealed] {
        let (querier, _ingest, stage) = querier(kept, options).await;
        let check = |found: Option<Result<String, QueryError>>| match found {
            Some(Err(error @ QueryError::Timeout(_))) => assert_eq!(error.to_string(), expected, "{kept:?}"),
            other => panic!("{kept:?}: found {other:?}, expected the error that it took too long"),
        };
        for stream in [false, true] {
            let mut parts = search(&querier, stream).await.into_iter();
            check(parts.next().map(|part| part.map(|traces| format!("{traces} traces"))));
            assert!(parts.next().is_none(), "{kept:?}: the error is the last part");
            let query = "{ } | rate()".to_owned();
            let request =
                MetricsRequest { tenants: tenants(), query, end: 9, stream, ..MetricsRequest::default() };
            let mut answers = querier.metrics(request).await.unwrap();
            let part = answers.next_part().await;
            check(part.map(|part| part.map(|part| format!("{} series", part.series.len()))));
            assert!(answers.next_part().await.is_none(), "{kept:?}: the error is the last part");
        }
        let names = querier.tags(TagsRequest { tenants: tenants(), ..TagsRequest::default() }).await;
        check(Some(names.map(|names| format!("{names:?}"))));
        let field = "name".to_owned();
        let values = TagValuesRequest { tenants: tenants(), field, ..TagValuesRequest::default() };
        check(Some(querier.tag_values(values).await.map(|values| format!("{values:?}"))));
        stage.strike();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_limit_on_time_a_question_is_answered() {
    let options = QueryOptions { timeout: Duration::ZERO, ..QueryOptions::default() };
    for (kept, expected) in [(Kept::Nothing, 0), (Kept::Live, 1), (Kept::Sealed, 1)] {
        let (querier, _ingest, stage) = querier(kept, options).await;
        let parts = search(&querier, false).await;
        assert!(matches!(parts[..], [Ok(found)] if found == expected), "{kept:?}: {parts:?}");
        stage.strike();
    }
}
