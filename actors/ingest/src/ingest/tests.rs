//! A trace's actor that fails: it ends alone, and what it held comes back from the log.

use std::time::Duration;

use spanloom_span::model::{ResourceSpans, ScopeSpans, Span, Trace};
use spanloom_span::{SpanId, TraceId, decode, encode};
use spanloom_stage::RealClock;
use spanloom_wal::disk::SimDisk;

use super::*;
use crate::trace::{Fail, TraceHandle};

fn open(disk: &Arc<SimDisk>) -> (Stage, Ingest) {
    let bucket = Arc::new(Bucket::open(disk.clone(), None).unwrap().0);
    let options = IngestOptions::default();
    let stage = Stage::set(options.shards).unwrap();
    let clock = Arc::new(RealClock::default());
    let metrics = Arc::new(IngestMetrics::default());
    let (ingest, _) = Ingest::start(&stage, disk.clone(), bucket, clock, metrics, options).unwrap();
    (stage, ingest)
}

async fn push(ingest: &Ingest, trace: u8, span: u64) {
    let trace_id = TraceId([trace; 16]);
    let span = Span { trace_id, span_id: SpanId(span.to_be_bytes()), ..Span::default() };
    let scope_spans = vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }];
    let trace = Trace { resource_spans: vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }] };
    let held = ingest.admit(1).await.unwrap();
    let bytes = encode::traces_data(&trace);
    ingest.push(&Tenant::default(), bytes.into(), Box::new(held)).await.unwrap();
}

async fn live(ingest: &Ingest, trace: u8) -> Result<Vec<u64>, PeerError> {
    let question = FindTrace { tenant: Tenant::default(), id: TraceId([trace; 16]) };
    let parts = ingest.find(question).await?;
    let traces = parts.iter().map(|part| decode::trace_part(part).unwrap());
    Ok(traces.flat_map(|t| t.spans().map(|s| u64::from_be_bytes(s.span_id.0)).collect::<Vec<_>>()).collect())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trace_that_fails_ends_alone_and_comes_back_from_the_log() {
    let disk = Arc::new(SimDisk::new());
    let (stage, ingest) = open(&disk);
    push(&ingest, 1, 10).await;
    push(&ingest, 2, 20).await;
    assert_eq!(live(&ingest, 1).await, Ok(vec![10]));
    let key = TraceKey { tenant: 0, id: TraceId([1; 16]) };
    let door = match ingest.inner.states[0].directory.get(&key).unwrap().handle() {
        TraceHandle::Actor(door) => door.clone(),
        TraceHandle::Map(..) => panic!("the default hosting is an actor each"),
    };
    assert!(door.pass(Fail).is_ok());
    while door.is_open() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(live(&ingest, 1).await, Err(PeerError::Gone), "no wrong answer in the meantime");
    push(&ingest, 1, 11).await;
    assert_eq!((live(&ingest, 1).await, live(&ingest, 2).await), (Ok(vec![11]), Ok(vec![20])));
    assert_eq!(ingest.inner.metrics.traces_failed.get(), 1);
    // What is sealed now must not be taken for the whole trace.
    ingest.flush().await.unwrap();
    ingest.stop().await.unwrap();
    stage.strike();
    let (stage, ingest) = open(&disk);
    let back = live(&ingest, 1).await.unwrap();
    assert!(back.contains(&10), "the failed actor's span is live again: {back:?}");
    assert_eq!(live(&ingest, 2).await, Ok(vec![]), "the others stay sealed");
    stage.strike();
}
