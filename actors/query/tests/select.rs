//! A selection has exactly what a search finds, whatever the blocks are that the traces lie in.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::collections::BTreeSet;
use std::sync::Arc;

use spanloom_bucket::Bucket;
use spanloom_ingest::{Ingest, IngestMetrics, IngestOptions};
use spanloom_query::{Querier, QueryError, QueryOptions, SearchRequest, SelectRequest, Selected};
use spanloom_span::model::{AnyValue, KeyValue, ResourceSpans, ScopeSpans, Span, Trace};
use spanloom_span::{SpanId, Tenant, TraceId, encode};
use spanloom_stage::{RealClock, Stage};
use spanloom_wal::disk::SimDisk;

struct House {
    querier: Querier,
    ingest: Ingest,
    stage: Stage,
}

impl House {
    fn open() -> Self {
        let disk = Arc::new(SimDisk::new());
        let bucket = Arc::new(Bucket::open(disk.clone(), None).unwrap().0);
        let (options, metrics) = (IngestOptions::default(), Arc::new(IngestMetrics::default()));
        let (stage, clock) = (Stage::set(options.shards).unwrap(), Arc::new(RealClock::default()));
        let (ingest, _) = Ingest::start(&stage, disk, bucket.clone(), clock, metrics, options).unwrap();
        let (peer, budget) = (Arc::new(ingest.clone()), ingest.budget());
        let querier = Querier::start(peer, bucket, None, budget, QueryOptions::default()).unwrap();
        Self { querier, ingest, stage }
    }

    /// Seals a block with spans, each of a trace, with an id, a parent and a color.
    async fn seal(&self, spans: &[(u8, u8, u8, &str)]) {
        let span = |&(trace, id, parent, color): &(u8, u8, u8, &str)| Span {
            trace_id: TraceId([trace; 16]),
            span_id: SpanId([id; 8]),
            parent_span_id: if parent == 0 { Vec::new() } else { vec![parent; 8] },
            kind: i32::from(id % 3) + 1,
            start_time_unix_nano: u64::from(trace) * 1000 + u64::from(id),
            attributes: vec![KeyValue { key: "color".into(), value: AnyValue::Str(color.into()) }],
            ..Span::default()
        };
        let scope_spans =
            vec![ScopeSpans { spans: spans.iter().map(span).collect(), ..ScopeSpans::default() }];
        let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
        let held = self.ingest.admit(1).await.unwrap();
        let request = encode::traces_data(&Trace { resource_spans });
        self.ingest.push(&Tenant::default(), request.into(), Box::new(held)).await.unwrap();
        self.ingest.flush().await.unwrap();
    }

    /// Traces and spans that a search shows.
    async fn searched(&self, query: &str) -> (BTreeSet<TraceId>, BTreeSet<(TraceId, u64)>) {
        let request = SearchRequest {
            tenants: vec![Tenant::default()],
            query: query.into(),
            limit: 1000,
            spans_per_spanset: 1000,
            ..SearchRequest::default()
        };
        let mut answers = self.querier.search(request).await.unwrap();
        let part = answers.next_part().await.unwrap().unwrap();
        let spans = part.traces.iter().flat_map(|trace| {
            let spans = trace.spansets.iter().flat_map(|spanset| &spanset.spans);
            spans.map(|span| (trace.id, u64::from_be_bytes(span.id.0)))
        });
        (part.traces.iter().map(|trace| trace.id).collect(), spans.collect())
    }

    async fn selected(&self, query: &str, most: usize) -> Result<Selected, QueryError> {
        let (tenant, query) = (Tenant::default(), query.to_owned());
        let request = SelectRequest { tenant, query, spans: true, max_traces: most, max_spans: most };
        self.querier.select(request).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_selection_has_what_a_search_finds() {
    let house = House::open();
    // Traces 1 to 3 lie in several blocks; trace 2 is red and blue only when it is whole; a copy of a span differs.
    house.seal(&[(1, 1, 0, "red"), (2, 1, 0, "red"), (4, 1, 0, "red"), (4, 2, 1, "blue")]).await;
    house.seal(&[(2, 2, 1, "blue"), (3, 1, 0, "blue"), (5, 1, 0, "green")]).await;
    house.seal(&[(1, 1, 0, "green"), (3, 2, 1, "blue"), (3, 3, 2, "blue"), (6, 1, 9, "red")]).await;
    for query in [
        "{ }",
        "{ .color = `red` }",
        "{ .color = `green` }",
        "{ .color = `red` } && { .color = `blue` }",
        "{ .color = `red` } > { .color = `blue` }",
        "{ .color = `red` } !> { .color = `blue` }",
        "{ } | count() > 2",
        "{ .color != nil } | by(.color)",
        "{ .color = `white` }",
    ] {
        let (traces, spans) = house.searched(query).await;
        let found = house.selected(query, 1000).await.unwrap();
        assert_eq!(
            (found.found_traces, found.found_spans),
            (traces.len() as u64, spans.len() as u64),
            "{query}"
        );
        assert!(found.traces.iter().eq(&traces), "{query}: {found:?}");
        assert!(found.spans.iter().map(|(trace, id, _)| (*trace, *id)).eq(spans), "{query}: {found:?}");
        // More than is kept is counted.
        let few = house.selected(query, 1).await.unwrap();
        assert_eq!((few.found_traces, few.found_spans), (found.found_traces, found.found_spans), "{query}");
        assert!(few.traces.len() <= 1 && few.spans.len() <= 1, "{query}");
    }
    for wrong in ["{ } | rate()", "{"] {
        assert!(matches!(house.selected(wrong, 1).await, Err(QueryError::Invalid(_))), "{wrong}");
    }
    house.stage.strike();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_settled_is_in_blocks_and_live_columns_are_let_go_of() {
    let house = House::open();
    let tenant = Tenant::default();
    house.seal(&[(1, 1, 0, "red")]).await;
    let held = house.ingest.admit(1).await.unwrap();
    let span = Span { trace_id: TraceId([2; 16]), span_id: SpanId([1; 8]), ..Span::default() };
    let scope_spans = vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }];
    let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
    let request = encode::traces_data(&Trace { resource_spans });
    house.ingest.push(&tenant, request.into(), Box::new(held)).await.unwrap();
    // A search makes columns of what is live; a selection does not look at it.
    assert_eq!(house.searched("{ }").await.0.len(), 2);
    assert_eq!(house.selected("{ }", 9).await.unwrap().found_traces, 1);
    house.ingest.settle(&tenant).await.unwrap();
    house.querier.forget_live(&tenant).await;
    let status = house.ingest.status();
    assert_eq!((status.unsealed_spans, status.log_segments), (0, 1));
    assert_eq!(house.selected("{ }", 9).await.unwrap().found_traces, 2);
    assert_eq!(house.searched("{ }").await.0.len(), 2);
    house.stage.strike();
}
