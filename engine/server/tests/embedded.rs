//! The example runs, and an engine behaves as a program that embeds it expects.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use spanloom_server::answer::Series;
use spanloom_server::model::AnyValue;
use spanloom_server::{
    Config, Engine, MetricsPart, MetricsRequest, QueryError, Refusal, SearchPart, SearchRequest, SpanBatch,
    StartError, Tenant, TraceId,
};

#[path = "../examples/embedded.rs"]
#[allow(dead_code)]
mod example;

#[test]
fn the_example_runs() {
    example::main().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_has_one_engine_and_a_stopped_engine_takes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine::builder().data_dir(dir.path()).start().await.unwrap();
    let second = Engine::builder().data_dir(dir.path()).start().await.err().unwrap();
    assert!(second.to_string().ends_with("another engine uses this directory"), "{second}");
    let nothing = engine.trace(&Tenant::default(), TraceId([1; 16])).await.unwrap();
    assert_eq!((nothing.trace, nothing.blocks), (None, 0));
    let refused = engine.push(&Tenant::default(), SpanBatch::from_otlp(vec![0xff])).await.unwrap_err();
    assert!(matches!(refused, Refusal::Invalid(_)), "{refused}");
    engine.stop().await.unwrap();
    engine.stop().await.unwrap();
    let refused = engine.push(&Tenant::default(), SpanBatch::from_otlp(Vec::new())).await.unwrap_err();
    assert_eq!(refused, Refusal::Stopping);
    drop(engine);
    assert!(Engine::builder().data_dir(dir.path()).start().await.is_ok());
}

#[tokio::test]
async fn a_wrong_configuration_starts_nothing() {
    let config = Config { listen_host: "nowhere".into(), ..Config::default() };
    let refused = Engine::builder().config(config).start().await.err().unwrap();
    assert!(matches!(refused, StartError::Config(_)), "{refused}");
}

const SECOND: u64 = 1_000_000_000;
/// When the example's spans start.
const BEGUN: u64 = 1_700_000_000 * SECOND;

async fn searched(engine: &Engine, query: &str) -> Result<SearchPart, QueryError> {
    let tenants = vec![Tenant::default()];
    let request = SearchRequest { tenants, query: query.into(), limit: 9, ..SearchRequest::default() };
    let mut answer = engine.search(request).await?;
    loop {
        let part = answer.next_part().await.unwrap()?;
        if part.done {
            assert!(answer.next_part().await.is_none(), "something after the last part");
            return Ok(part);
        }
    }
}

/// The last part; every part before it has the shape of the whole.
async fn counted(engine: &Engine, query: &str, step: Option<u64>) -> Result<MetricsPart, QueryError> {
    let request = MetricsRequest {
        tenants: vec![Tenant::default()],
        query: query.into(),
        start: BEGUN - 60 * SECOND,
        end: BEGUN + 60 * SECOND,
        step,
        stream: true,
        ..MetricsRequest::default()
    };
    let mut answer = engine.metrics(request).await?;
    loop {
        let part = answer.next_part().await.unwrap()?;
        assert_eq!(part.steps.map(|steps| steps.step), Some(step.unwrap_or(120 * SECOND)));
        assert!(part.series.iter().all(|series| !series.labels.is_empty()));
        if part.done {
            assert!(answer.next_part().await.is_none(), "something after the last part");
            return Ok(part);
        }
    }
}

/// The span is counted by the sample that ends at its start.
fn count_at(second: u64) -> f64 {
    if second == 60 { 1.0 } else { 0.0 }
}

fn series(name: &str, value: &str, samples: &[(u64, f64)]) -> Series {
    let samples = samples.iter().map(|(second, value)| (BEGUN + second * SECOND - 60 * SECOND, *value));
    let labels = vec![(name.to_owned(), AnyValue::Str(value.into()))];
    Series { labels, samples: samples.collect(), ..Series::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn searches_and_series_are_answered_live_and_from_blocks() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine::builder().data_dir(dir.path()).start().await.unwrap();
    let id = TraceId::parse("4bf92f3577b34da6a3ce929d0e0e4736").unwrap();
    let spans = SpanBatch::from_model(&example::checkout(id).unwrap());
    engine.push(&Tenant::default(), spans).await.unwrap();
    for place in ["live", "sealed"] {
        let found = searched(&engine, "{ name = \"SELECT cart\" }").await.unwrap();
        let ids: Vec<TraceId> = found.traces.iter().map(|trace| trace.id).collect();
        assert_eq!(ids, [id], "{place}");
        assert_eq!(found.traces[0].spansets[0].matched, 1, "{place}");
        assert_eq!(searched(&engine, "{ status = error }").await.unwrap().traces, [], "{place}");

        let by_name = "{ } | count_over_time() by (name)";
        let part = counted(&engine, by_name, Some(20 * SECOND)).await.unwrap();
        let expected = ["POST /checkout", "SELECT cart"]
            .map(|name| series("name", name, &[0, 20, 40, 60, 80, 100, 120].map(|at| (at, count_at(at)))));
        assert_eq!((part.series, part.partial), (expected.to_vec(), None), "{place}");
        let part = counted(&engine, "{ } | rate()", None).await.unwrap();
        assert_eq!(part.series, [series("__name__", "rate", &[(120, 2.0 / 120.0)])], "{place}");
        engine.flush().await.unwrap();
    }
    for wrong in ["{ } | rate() by", "{ }"] {
        let refused = counted(&engine, wrong, None).await.unwrap_err();
        assert!(matches!(refused, QueryError::Invalid(_)), "{refused}");
    }
    let refused = counted(&engine, "{ } | rate()", Some(0)).await.unwrap_err();
    assert!(refused.to_string().contains("expected an end after the start and a step above 0"), "{refused}");
    let refused = searched(&engine, "{ } | rate()").await.unwrap_err();
    assert!(matches!(refused, QueryError::Invalid(_)), "{refused}");
    engine.stop().await.unwrap();
}
