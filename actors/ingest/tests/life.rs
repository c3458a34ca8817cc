//! The life of spans in a whole ingest role: taken, found, sealed, brought back, on real and simulated disks.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail by panicking")]

use std::num::NonZeroUsize;
use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;
use spanloom_bucket::Bucket;
use spanloom_ingest::{Durability, Hosting, Ingest, IngestMetrics, IngestOptions, Refusal};
use spanloom_query::{FoundTrace, Querier, QueryOptions};
use spanloom_span::model::{Resource, ResourceSpans, ScopeSpans, Span, Trace};
use spanloom_span::slice::{SliceLimits, slice};
use spanloom_span::{SpanId, Tenant, TraceId, encode};
use spanloom_stage::{RealClock, Stage};
use spanloom_wal::ReplayReport;
use spanloom_wal::disk::{Disk, RealDisk, SimDisk};

struct House {
    stage: Stage,
    ingest: Ingest,
    querier: Querier,
    bucket: Arc<Bucket>,
    metrics: Arc<IngestMetrics>,
    report: ReplayReport,
}

fn options() -> IngestOptions {
    IngestOptions {
        shards: NonZeroUsize::new(2).unwrap(),
        segment_bytes: 1 << 20,
        ..IngestOptions::default()
    }
}

impl House {
    fn open(disk: Arc<dyn Disk>, root: Option<std::path::PathBuf>, options: IngestOptions) -> Self {
        let (bucket, _) = Bucket::open(disk.clone(), root).unwrap();
        let bucket = Arc::new(bucket);
        let stage = Stage::set(options.shards).unwrap();
        let metrics = Arc::new(IngestMetrics::default());
        let clock = Arc::new(RealClock::default());
        let (ingest, report) =
            Ingest::start(&stage, disk, bucket.clone(), clock, metrics.clone(), options).unwrap();
        let querier = Querier::start(
            Arc::new(ingest.clone()),
            bucket.clone(),
            None,
            ingest.budget(),
            QueryOptions::default(),
        )
        .unwrap();
        Self { stage, ingest, querier, bucket, metrics, report }
    }

    fn on(dir: &std::path::Path) -> Self {
        Self::open(Arc::new(RealDisk::new(dir).unwrap()), Some(dir.to_owned()), options())
    }

    async fn push(&self, spans: &[(u8, u64)]) -> Result<u64, Refusal> {
        self.push_for(&Tenant::default(), spans).await
    }

    async fn push_for(&self, tenant: &Tenant, spans: &[(u8, u64)]) -> Result<u64, Refusal> {
        let held = self.ingest.admit(1).await?;
        let accepted = self.ingest.push(tenant, request(spans), Box::new(held)).await?;
        Ok(accepted.spans)
    }

    async fn find(&self, trace: u8) -> FoundTrace {
        self.querier.find_trace(&Tenant::default(), TraceId([trace; 16])).await.unwrap()
    }

    async fn ids(&self, trace: u8) -> Vec<u64> {
        let found = self.find(trace).await.trace.unwrap_or_default();
        found.spans().map(|s| u64::from_be_bytes(s.span_id.0)).collect()
    }

    /// Ends without sealing, as a crash would.
    async fn drop_all(self) {
        self.stage.strike();
    }
}

fn request(spans: &[(u8, u64)]) -> Bytes {
    let span = |&(trace, id): &(u8, u64)| Span {
        trace_id: TraceId([trace; 16]),
        span_id: SpanId(id.to_be_bytes()),
        name: format!("span {id}"),
        start_time_unix_nano: id,
        end_time_unix_nano: id + 5,
        ..Span::default()
    };
    let scope = ScopeSpans { spans: spans.iter().map(span).collect(), ..ScopeSpans::default() };
    let resource =
        ResourceSpans { resource: Resource::default(), scope_spans: vec![scope], ..Default::default() };
    encode::traces_data(&Trace { resource_spans: vec![resource] }).into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spans_are_found_live_sealed_and_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::on(dir.path());
    assert_eq!(house.push(&[(1, 10), (2, 20), (1, 11)]).await, Ok(3));
    assert_eq!(
        (house.ids(1).await, house.ids(2).await, house.ids(3).await),
        (vec![10, 11], vec![20], vec![])
    );
    house.ingest.flush().await.unwrap();
    assert_eq!(house.ingest.status().traces, 0);
    assert_eq!((house.ids(1).await, house.find(1).await.blocks), (vec![10, 11], 1));
    // Late spans join what is sealed; a repeated one is not shown twice.
    house.push(&[(1, 12), (1, 10)]).await.unwrap();
    assert_eq!(house.ids(1).await, [10, 11, 12]);
    assert_eq!(house.find(1).await.duplicates, 1);
    house.drop_all().await;

    let house = House::on(dir.path());
    assert_eq!((house.ids(1).await, house.ids(2).await), (vec![10, 11, 12], vec![20]));
    assert_eq!(house.metrics.spans_replayed.get(), 2, "sealed spans stay in their block");
    house.ingest.stop().await.unwrap();
    house.stage.strike();

    let house = House::on(dir.path());
    assert_eq!(house.metrics.spans_replayed.get(), 0);
    assert_eq!(house.bucket.blocks(&Tenant::default()).len(), 2);
    assert_eq!((house.ids(1).await, house.ids(2).await), (vec![10, 11, 12], vec![20]));
    assert_eq!(house.push(&[(1, 13)]).await, Ok(1), "ordinals go on after the log was emptied");
    house.drop_all().await;
    let house = House::on(dir.path());
    assert_eq!(house.ids(1).await, [10, 11, 12, 13]);
    house.drop_all().await;
}

/// One tenant's block is written and the next one's is not: the log may not count the first tenant's spans twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_round_that_fails_halfway_is_counted_once() {
    let tenants = ["a", "b", "c"].map(|name| Tenant::new(name).unwrap());
    let mut failed = 0;
    // Each sync of the round fails once.
    for good_syncs in 0..12 {
        let disk = SimDisk::new();
        let house = House::open(Arc::new(disk.clone()), None, options());
        for tenant in &tenants {
            house.push_for(tenant, &[(1, 10), (2, 20), (1, 11)]).await.unwrap();
        }
        disk.fail_sync(good_syncs);
        failed += u64::from(house.ingest.flush().await.is_err());
        disk.forget_faults();
        house.ingest.flush().await.expect("the sealer goes on");
        assert_eq!(house.ingest.status().unsealed_spans, 0);
        for tenant in &tenants {
            let found = house.querier.find_trace(tenant, TraceId([1; 16])).await.unwrap();
            assert_eq!((found.trace.unwrap().span_count(), found.live_parts), (2, 0));
        }
        house.drop_all().await;
    }
    assert!(failed >= 3, "{failed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_hostings_and_all_durabilities_give_the_same() {
    for hosting in [Hosting::Actor, Hosting::Map] {
        for durability in [Durability::Memory, Durability::PageCache, Durability::Fsync] {
            let dir = tempfile::tempdir().unwrap();
            let disk = Arc::new(RealDisk::new(dir.path()).unwrap());
            let options = IngestOptions { hosting, durability, ..options() };
            let house = House::open(disk, Some(dir.path().to_owned()), options);
            for round in 0..20u64 {
                let spans: Vec<_> = (0..30).map(|n| ((n % 7) as u8 + 1, round * 100 + n + 1)).collect();
                house.push(&spans).await.unwrap();
                if round % 6 == 5 {
                    house.ingest.flush().await.unwrap();
                }
            }
            for trace in 1..8u8 {
                let expected: Vec<u64> = (0..20u64)
                    .flat_map(|round| {
                        (0..30).filter(|n| (n % 7) as u8 + 1 == trace).map(move |n| round * 100 + n + 1)
                    })
                    .collect();
                assert_eq!(house.ids(trace).await, expected, "{hosting:?} {durability:?}");
            }
            house.ingest.stop().await.unwrap();
            assert_eq!(house.metrics.spans_sealed.get(), 600);
            house.stage.strike();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_that_runs_short_cuts_the_longest_idle_and_refuses_with_a_hint() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Arc::new(RealDisk::new(dir.path()).unwrap());
    let limits = IngestOptions { live_bytes: 4 << 20, soft_bytes: 1 << 20, ..options() };
    let house = House::open(disk, Some(dir.path().to_owned()), limits);
    let big: Vec<(u8, u64)> = (0..4000).map(|n| (1, n + 1)).collect();
    for trace in 1..40u8 {
        let mine: Vec<_> = big.iter().map(|&(_, id)| (trace, id)).collect();
        while let Err(refusal) = house.push(&mine).await {
            assert!(matches!(refusal, Refusal::Exhausted { .. }), "{refusal}");
        }
        assert!(house.ingest.status().held_bytes <= 5 << 20);
    }
    for trace in 1..40u8 {
        assert_eq!(house.ids(trace).await.len(), 4000, "trace {trace}");
    }
    assert!(house.metrics.blocks_sealed.get() > 0);
    let hog = house.ingest.admit(4 << 20).await;
    let refused = house.ingest.admit(4 << 20).await.unwrap_err();
    assert!(matches!(refused, Refusal::Exhausted { .. }), "{refused}");
    drop(hog);
    house.ingest.stop().await.unwrap();
    house.stage.strike();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_refuse_a_part_and_say_so() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Arc::new(RealDisk::new(dir.path()).unwrap());
    let limits = IngestOptions { max_live_traces: 2, max_trace_bytes: 400, ..options() };
    let house = House::open(disk, Some(dir.path().to_owned()), limits);
    let push = async |spans: &[(u8, u64)]| {
        let held = house.ingest.admit(1).await.unwrap();
        let accepted = house.ingest.push(&Tenant::default(), request(spans), Box::new(held)).await.unwrap();
        (
            accepted.spans,
            accepted.refused_spans,
            accepted.message.split(':').next().unwrap_or_default().to_owned(),
        )
    };
    assert_eq!(push(&[(1, 1), (2, 2)]).await, (2, 0, String::new()));
    assert_eq!(house.ids(1).await, [1]);
    assert_eq!(push(&[(3, 3), (1, 4)]).await, (1, 1, "LIVE_TRACES_EXCEEDED".into()));
    let many: Vec<_> = (10..40).map(|id| (2, id)).collect();
    assert_eq!(push(&many).await, (0, 30, "TRACE_TOO_LARGE".into()));
    assert_eq!((house.ids(1).await, house.ids(2).await, house.ids(3).await), (vec![1, 4], vec![2], vec![]));
    house.drop_all().await;
    let house = House::on(dir.path());
    assert_eq!((house.ids(1).await, house.ids(2).await, house.ids(3).await), (vec![1, 4], vec![2], vec![]));
    house.drop_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_request_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::on(dir.path());
    let held = house.ingest.admit(1).await.unwrap();
    let mut bytes = request(&[(1, 1)]).to_vec();
    bytes.truncate(bytes.len() - 1);
    let refused = house.ingest.push(&Tenant::default(), bytes.into(), Box::new(held)).await.unwrap_err();
    assert!(matches!(refused, Refusal::Invalid(_)), "{refused}");
    assert_eq!((house.ids(1).await, house.ingest.status().held_bytes), (vec![], 0));
    house.drop_all().await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    /// Pushes, flushes and power cuts in any order on a disk that loses what was not synced: what was
    /// acknowledged is found, whole and once.
    #[test]
    fn acknowledged_survives_power_cuts(
        steps in proptest::collection::vec(prop_oneof![
            6 => (1u8..6, 1usize..40).prop_map(|(trace, spans)| Step::Push(trace, spans)),
            1 => Just(Step::Flush),
            2 => any::<u64>().prop_map(Step::PowerCut),
        ], 1..25),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(power_cuts(steps));
    }
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Push(u8, usize),
    Flush,
    PowerCut(u64),
}

async fn power_cuts(steps: Vec<Step>) {
    let disk = Arc::new(SimDisk::new());
    let small = || IngestOptions { segment_bytes: 8 << 10, ..options() };
    let mut house = House::open(disk.clone(), None, small());
    let mut expected: Vec<Vec<u64>> = vec![Vec::new(); 8];
    let mut next = 1u64;
    for step in steps {
        match step {
            Step::Push(trace, spans) => {
                let batch: Vec<_> = (next..next + spans as u64).map(|id| (trace, id)).collect();
                next += spans as u64;
                house.push(&batch).await.unwrap();
                expected[trace as usize].extend(batch.iter().map(|(_, id)| id));
            }
            Step::Flush => house.ingest.flush().await.unwrap(),
            Step::PowerCut(seed) => {
                disk.crash(seed);
                house.drop_all().await;
                house = House::open(disk.clone(), None, small());
                assert!(house.report.damage.is_empty(), "{:?}", house.report);
            }
        }
        for (trace, expected) in expected.iter().enumerate().skip(1) {
            let found = house.find(trace as u8).await;
            let mut ids: Vec<_> =
                found.trace.unwrap_or_default().spans().map(|s| u64::from_be_bytes(s.span_id.0)).collect();
            ids.sort_unstable();
            assert_eq!(&ids, expected, "trace {trace} after {step:?}");
            assert_eq!(found.duplicates, 0, "trace {trace} after {step:?}");
        }
    }
    house.drop_all().await;
}

/// What was acknowledged is there, what was refused is not, and nobody has to do anything about it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_and_goes_on_by_itself() {
    let disk = SimDisk::new();
    let min_free_disk = 100_000;
    let options = || IngestOptions { min_free_disk, ..options() };
    let house = House::open(Arc::new(disk.clone()), None, options());
    house.push(&[(1, 10)]).await.unwrap();
    for free in [0, 10, min_free_disk - 1] {
        disk.set_space(Some(free));
        let refused = house.push(&[(1, 11)]).await.unwrap_err();
        assert!(
            matches!(&refused, Refusal::Unavailable(why) if why.contains("are free on the disk")),
            "{refused}"
        );
        let refusing = house.ingest.status().refusing.unwrap();
        assert!(refusing.reason.starts_with(&format!("{free} bytes are free")), "{refusing:?}");
        assert!(house.ingest.status().log_ok, "no restart is needed");
        assert_eq!(house.ids(1).await, [10]);
    }
    // There is room for making a block of it, and for nothing else.
    house.ingest.flush().await.unwrap();
    assert_eq!((house.ids(1).await, house.bucket.blocks(&Tenant::default()).len()), (vec![10], 1));
    assert!(house.ingest.status().refusing.is_some());
    disk.set_space(None);
    // It is noticed without a request.
    while house.ingest.status().refusing.is_some() {
        tokio::task::yield_now().await;
    }
    house.push(&[(1, 12)]).await.unwrap();
    assert_eq!(house.ids(1).await, [10, 12]);
    house.drop_all().await;
    disk.crash_losing_all();
    let house = House::open(Arc::new(disk), None, options());
    assert_eq!(house.ids(1).await, [10, 12]);
    house.drop_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_node_should_have_checked_keeps_nobody_from_being_sealed() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::on(dir.path());
    house.push(&[(1, 10), (2, 20)]).await.unwrap();
    let mut bad = request(&[(1, 11)]).to_vec();
    let index = slice(bad.clone().into(), &SliceLimits::default()).unwrap().index();
    let name = bad.windows(7).position(|part| part == b"span 11").unwrap();
    bad[name - 1] = 200; // longer than the span
    let push = |bytes: Vec<u8>, index: Vec<u8>| async {
        let held = house.ingest.admit(1).await.unwrap();
        let tenant = Tenant::default();
        let pushed = house.ingest.push_sliced(&tenant, bytes.into(), &{ index }, Box::new(held)).await;
        pushed.map(|accepted| accepted.spans)
    };
    assert_eq!(push(bad, index).await, Ok(1));
    let good = request(&[(2, 21)]);
    let index = slice(good.clone(), &SliceLimits::default()).unwrap().index();
    assert_eq!(push(good.to_vec(), index.clone()).await, Ok(1));
    let Err(Refusal::Invalid(message)) = push(request(&[(3, 21)]).to_vec(), index).await else {
        panic!("slices of another request are taken")
    };
    assert_eq!(message, "the slices that came with the request do not fit it: a span is of another trace");

    house.ingest.flush().await.unwrap();
    assert_eq!((house.ingest.status().traces, house.metrics.frames_unreadable.get()), (0, 1));
    assert_eq!((house.ids(1).await, house.ids(2).await), (vec![10], vec![20, 21]));
    house.drop_all().await;

    let house = House::on(dir.path());
    assert_eq!(house.metrics.frames_unreadable.get(), 1, "the log has kept it");
    assert_eq!((house.ids(1).await, house.ids(2).await), (vec![10], vec![20, 21]));
    house.ingest.stop().await.unwrap();
}
