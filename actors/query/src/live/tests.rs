//! Runs hold what is live, whatever comes and goes.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use proptest::prelude::*;
use spanloom_span::slice::{SliceLimits, slice};
use spanloom_span::{Batch, TraceId, TracePart, proto};

use super::*;

/// What happens to a tenant's live requests between two questions.
#[derive(Debug, Clone)]
enum Step {
    /// A request comes, with spans of these traces.
    Come(Vec<u8>),
    /// A request goes; counted from the oldest, around.
    Go(usize),
    /// A request is listed once more, as a copy of its first trace's part, and goes.
    Copy(usize),
    /// The oldest so many requests go, into a block.
    Seal(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => prop::collection::vec(0u8..12, 1..9).prop_map(Step::Come),
        1 => any::<usize>().prop_map(Step::Go),
        1 => any::<usize>().prop_map(Step::Copy),
        1 => (1usize..6).prop_map(Step::Seal),
    ]
}

/// A request with a span for each of these traces; span ids follow each other from `first`.
fn request(traces: &[u8], first: u64) -> Arc<Batch> {
    let mut out = Vec::new();
    proto::put_message(&mut out, 1, |out| {
        proto::put_message(out, 2, |out| {
            for (trace, id) in traces.iter().zip(first..) {
                proto::put_message(out, 2, |out| {
                    proto::put_bytes(out, 1, &[*trace + 1; 16]);
                    proto::put_bytes(out, 2, &(id + 1).to_be_bytes());
                });
            }
        });
    });
    sliced(out.into())
}

fn sliced(bytes: Bytes) -> Arc<Batch> {
    let limits = SliceLimits { max_depth: 8, max_span_bytes: 1000 };
    Arc::new(slice(bytes, &limits).unwrap())
}

/// Ids of the spans of each trace.
type Spans = BTreeMap<TraceId, BTreeSet<u64>>;

fn of_block(block: &spanloom_block::Block, out: &mut Spans) {
    for id in block.trace_ids().unwrap() {
        let trace = block.trace(&id).unwrap().unwrap();
        let scopes = trace.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
        let ids = scopes.flat_map(|scope| &scope.spans).map(|span| u64::from_be_bytes(span.span_id.0));
        out.entry(id).or_default().extend(ids);
    }
}

struct House {
    live: Vec<LiveRequest>,
    blocks: Arc<Vec<Listed>>,
    segments: Segments,
    build: Build,
    tenant: Tenant,
    seq: u64,
    spans: u64,
}

impl House {
    fn new() -> Self {
        let (budget, numbered) = (Budget::new(usize::MAX), AtomicU64::new(0));
        let build = Build { threads: 2, nice: 0, run_spans: 20, budget, numbered };
        let (segments, tenant) = (Segments::default(), Tenant::default());
        Self { live: vec![], blocks: Arc::default(), segments, build, tenant, seq: 0, spans: 0 }
    }

    fn take(&mut self, step: &Step) {
        let at = |number: usize, live: &[LiveRequest]| number % live.len().max(1);
        match step {
            Step::Come(traces) => {
                self.seq += 1;
                let batch = request(traces, self.spans);
                self.spans += traces.len() as u64;
                self.live.push(LiveRequest { seq: self.seq, batch });
            }
            Step::Go(number) if !self.live.is_empty() => {
                self.live.remove(at(*number, &self.live));
            }
            Step::Copy(number) if !self.live.is_empty() => {
                let at = at(*number, &self.live);
                let old = &mut self.live[at];
                old.batch = sliced(old.batch.extract(&old.batch.groups()[0]));
            }
            Step::Seal(count) if !self.live.is_empty() => {
                let sealed: Vec<_> = self.live.drain(..(*count).min(self.live.len())).collect();
                let block = self.sealed(&sealed);
                let path = format!("block {}", self.blocks.len()).into();
                let mut blocks = self.blocks.to_vec();
                let id = BlockId { created: 1, number: blocks.len() as u64 };
                blocks.push(Listed { id, path, block });
                self.blocks = Arc::new(blocks);
            }
            _ => {}
        }
    }

    /// A block of the oldest requests that are left: no part of a trace came before its last one and is not in it or in
    /// an earlier block.
    fn sealed(&self, requests: &[LiveRequest]) -> spanloom_block::Block {
        let through = requests.last().map_or(0, |request| request.seq);
        let part = |request: &LiveRequest, group| TracePart {
            batch: request.batch.clone(),
            group,
            seq: request.seq,
        };
        let mut parts: BTreeMap<TraceId, Vec<TracePart>> = BTreeMap::new();
        for request in requests {
            for (group, number) in request.batch.groups().iter().zip(0..) {
                parts.entry(group.id).or_default().push(part(request, number));
            }
        }
        let options = spanloom_block::BuilderOptions::default();
        let mut builder = spanloom_block::BlockBuilder::new(&self.tenant, options).unwrap();
        for (id, parts) in &parts {
            builder.push_trace(*id, through, parts).unwrap();
        }
        spanloom_block::Block::from_bytes(builder.finish().unwrap().bytes).unwrap()
    }

    fn update(&mut self) -> Arc<View> {
        self.segments.update(&self.tenant, self.live.clone(), &self.blocks, &self.build).unwrap()
    }

    /// Spans of live requests that no run has at a place that counts.
    fn missed(&self, view: &View) -> Spans {
        let mut missed = Spans::new();
        if !self.live.is_empty() {
            of_block(&build_all(&self.tenant, &[&self.live], &self.build).unwrap()[0].block, &mut missed);
        }
        let mut found = Spans::new();
        for (run, sealed) in view.runs.iter().zip(&view.sealed) {
            let mut of_run = Spans::new();
            of_block(&run.block, &mut of_run);
            let counts = (0..).zip(of_run).filter(|(place, _)| sealed.binary_search(place).is_err());
            counts.for_each(|(_, (id, mut spans))| found.entry(id).or_default().append(&mut spans));
        }
        for (id, spans) in &mut missed {
            spans.retain(|span| !found.get(id).is_some_and(|found| found.contains(span)));
        }
        missed.retain(|_, spans| !spans.is_empty());
        missed
    }

    /// Places of the traces of a block that are in one of the others too.
    fn shared<'b>(block: &Listed, others: impl Iterator<Item = &'b Listed> + Clone) -> Vec<u32> {
        let is_shared = |id: &TraceId| {
            others.clone().any(|other| other.path != block.path && other.block.find(id).unwrap().is_some())
        };
        let ids = block.block.trace_ids().unwrap();
        (0..).zip(ids).filter(|(_, id)| is_shared(id)).map(|(place, _)| place).collect()
    }

    /// Places of the traces of a run whose spans there are all in a block, as the blocks say.
    fn in_blocks(&self, run: usize) -> Vec<u32> {
        let run = &self.segments.runs[run];
        let is_sealed = |(place, id): &(u32, TraceId)| {
            let through = |block: &Listed| block.block.sealed_through(id).unwrap().unwrap_or(0);
            self.blocks.iter().any(|block| through(block) >= run.last_seqs[*place as usize])
        };
        let ids = run.listed.block.trace_ids().unwrap();
        (0..).zip(ids).filter(is_sealed).map(|(place, _)| place).collect()
    }
}

proptest! {
    #[test]
    fn every_live_span_is_in_a_run(steps in prop::collection::vec((step(), any::<bool>()), 1..60)) {
        let mut house = House::new();
        for (step, is_asked) in &steps {
            house.take(step);
            if !is_asked {
                continue;
            }
            let view = house.update();
            prop_assert_eq!(house.missed(&view), Spans::new());
            let held: usize = view.runs.iter().map(|run| run.block.meta().file_bytes as usize).sum();
            prop_assert_eq!(house.build.budget.used(), held);
            prop_assert_eq!(view.elsewhere.len(), view.runs.len());
            // A trace that lies in several places is known to, unless all but one place are sealed ones.
            for (number, (run, places)) in view.runs.iter().zip(&view.elsewhere).enumerate() {
                let sealed = house.in_blocks(number);
                prop_assert_eq!(&*view.sealed[number], &sealed[..]);
                let mut expected = House::shared(run, view.runs.iter().chain(&**house.blocks));
                prop_assert!(places.iter().all(|place| expected.contains(place)));
                expected.retain(|place| !sealed.contains(place));
                prop_assert!(expected.iter().all(|place| places.contains(place)), "{:?} {:?}", places, expected);
            }
            for (number, block) in house.blocks.iter().enumerate() {
                let places = view.of_blocks.get(number).map(|places| &**places).unwrap_or_default();
                let expected = House::shared(block, view.runs.iter());
                prop_assert!(places.iter().all(|place| expected.contains(place)));
                // Those that are missing are sealed in every run that has them.
                let ids: Vec<TraceId> = block.block.trace_ids().unwrap().collect();
                for place in expected.iter().filter(|place| !places.contains(place)) {
                    for (run, sealed) in view.runs.iter().zip(&view.sealed) {
                        let found = run.block.find(&ids[*place as usize]).unwrap().map(|found| found as u32);
                        prop_assert!(found.is_none_or(|found| sealed.contains(&found)));
                    }
                }
            }
            let ranges: Vec<_> = house.segments.runs.iter().map(|run| (run.first, run.last)).collect();
            prop_assert!(ranges.windows(2).all(|pair| pair[0].1 < pair[1].0), "{:?}", ranges);
        }
    }
}

#[test]
fn what_was_made_stays_for_the_next_question() {
    let mut house = House::new();
    (0..10).for_each(|trace| house.take(&Step::Come(vec![trace])));
    let first = house.update();
    assert!(Arc::ptr_eq(&first, &house.update()), "nothing changed");
    house.take(&Step::Come(vec![1]));
    let second = house.update();
    assert_eq!(first.runs[0].path, second.runs[0].path, "a run was made anew for one more span");
    assert_eq!(second.runs.len(), 2);
}

#[test]
fn a_run_goes_with_its_requests() {
    let mut house = House::new();
    (0..4).for_each(|trace| house.take(&Step::Come(vec![trace])));
    house.update();
    house.live.clear();
    assert!(house.update().runs.is_empty());
    assert_eq!(house.build.budget.used(), 0);
}

#[test]
fn few_spans_at_a_time_make_few_runs() {
    let mut house = House::new();
    house.build.run_spans = 1 << 20;
    let mut made = 0;
    for _ in 0..1000 {
        house.take(&Step::Come(vec![1, 2]));
        let runs = house.update().runs.len();
        assert!(runs <= 40, "{runs} runs");
        made = house.segments.numbered;
    }
    assert!(made < 1200, "{made} runs were made for 1000 questions");
}

#[tokio::test]
async fn columns_go_when_nobody_asks() {
    let (mut house, budget) = (House::new(), Budget::new(usize::MAX));
    (0..4).for_each(|trace| house.take(&Step::Come(vec![trace])));
    let columns = super::super::LiveColumns::new(1, 0, budget.clone());
    let taken = columns.take(&house.tenant).await;
    let view = columns.of(taken, &house.tenant, Instant::now(), house.live.clone(), &house.blocks).unwrap();
    drop(view);
    let held = budget.used();
    assert!(held > 0);
    columns.let_go(std::time::Duration::from_secs(3600));
    assert_eq!(budget.used(), held, "they were used just now");
    let taken = columns.take(&house.tenant).await;
    columns.let_go(std::time::Duration::ZERO);
    assert_eq!(budget.used(), held, "a question has them");
    drop(taken);
    columns.let_go(std::time::Duration::ZERO);
    assert_eq!(budget.used(), 0);
}
