//! Shares are what they should be, and a request is kept by majorities whatever few nodes do.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use spanloom_bucket::Bucket;
use spanloom_peer::{
    Answer, BlockList, FindTrace, ListBlocks, ListTraces, Node, Peer, Push, Pushed, ReadBlock, TraceCopy,
    TraceList, TraceSum,
};
use spanloom_ring::{MemberState, NodeIndex, Ring, RingMember, RingOptions, Roles, Zone, choose_tokens};
use spanloom_span::model::{ResourceSpans, ScopeSpans, Span, Trace};
use spanloom_span::slice::{SliceLimits, slice};
use spanloom_span::{SpanId, TraceId, encode};
use spanloom_stage::{RealClock, Stage};
use spanloom_wal::disk::SimDisk;

use super::*;
use crate::metrics::IngestMetrics;
use crate::options::IngestOptions;
use crate::replicate::plan::instead;
use crate::replicate::spread::{Effect, Spread};

/// A ring of so many active nodes, `n0` to `n9`.
fn ring(nodes: usize, replication: usize) -> Ring {
    let mut members: Vec<RingMember> = Vec::new();
    for number in 0..nodes {
        let name = NodeName::new(&format!("n{number}")).unwrap();
        let options = RingOptions { replication, zone_aware: true };
        let so_far = Ring::new(members.clone(), options).unwrap();
        let tokens = choose_tokens(&so_far, &name, &Zone::none(), 16);
        members.push(RingMember::new(name, Zone::none(), tokens, MemberState::Active, Roles::ALL).unwrap());
    }
    Ring::new(members, RingOptions { replication, zone_aware: true }).unwrap()
}

/// A request with a span of each of these traces.
fn request(traces: impl IntoIterator<Item = u32>) -> Bytes {
    let span = |trace: u32| {
        let mut id = [7; 16];
        id[..4].copy_from_slice(&trace.to_be_bytes());
        Span { trace_id: TraceId(id), span_id: SpanId([1; 8]), ..Span::default() }
    };
    let scope_spans =
        vec![ScopeSpans { spans: traces.into_iter().map(span).collect(), ..ScopeSpans::default() }];
    let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
    encode::traces_data(&Trace { resource_spans }).into()
}

fn batch(traces: impl IntoIterator<Item = u32>) -> Batch {
    slice(request(traces), &SliceLimits::default()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_trace_goes_to_its_owners_and_is_kept_when_a_majority_of_them_has_it(
        nodes in 1usize..8,
        replication in 1usize..4,
        down in any::<u8>(),
        answered in any::<u8>(),
        traces in 1u32..200,
    ) {
        let ring = ring(nodes, replication);
        let is_down = |node: NodeIndex| down >> node.get() & 1 == 1;
        let answers = |node: NodeIndex| answered >> node.get() & 1 == 1;
        let (batch, tokens) = (batch(0..traces), Tokens::of(&Tenant::default()));
        let plan = Plan::new(&ring, &tokens, batch.groups(), is_down).unwrap();
        let mut kept = Kept::none(&plan);
        plan.shares.iter().filter(|share| answers(share.node)).for_each(|share| kept.add(share));
        let mut is_enough = true;
        for (at, group) in (0..).zip(batch.groups()) {
            let stand_ins = ring.stand_ins(tokens.token(&group.id), is_down);
            let expected: BTreeSet<NodeIndex> = stand_ins.takers().iter().flatten().copied().collect();
            let given = plan.shares.iter().filter(|share| share.groups.contains(&at));
            prop_assert_eq!(given.map(|share| share.node).collect::<BTreeSet<_>>(), expected);
            let bits = stand_ins.takers().iter().enumerate().map(|(slot, taker)| {
                u16::from(taker.is_some_and(answers)) << slot
            });
            is_enough &= stand_ins.owners().is_quorum(bits.sum());
        }
        prop_assert_eq!(kept.is_enough(&plan, &ring), is_enough);
    }

    #[test]
    fn others_in_place_of_a_node_have_no_copy_yet(
        nodes in 2usize..8,
        replication in 1usize..4,
        down in any::<u8>(),
    ) {
        let ring = ring(nodes, replication);
        let is_down = |node: NodeIndex| down >> node.get() & 1 == 1;
        let (batch, tokens) = (batch(0..100), Tokens::of(&Tenant::default()));
        let plan = Plan::new(&ring, &tokens, batch.groups(), is_down).unwrap();
        for share in &plan.shares {
            let others = instead(&plan, share, &ring, &tokens, batch.groups(), is_down, &|_, _| false);
            let mut covered = BTreeMap::new();
            for other in &others.shares {
                prop_assert!(other.node != share.node && !is_down(other.node));
                for group in &other.groups {
                    prop_assert!(covered.insert(*group, other.node).is_none(), "one node for each trace");
                    let has = plan.shares.iter().any(|s| s.node == other.node && s.groups.contains(group));
                    prop_assert!(!has, "{:?} has a copy of trace {group}", other.node);
                }
            }
            prop_assert!(covered.keys().all(|group| share.groups.contains(group)));
            prop_assert_eq!(others.is_whole, covered.len() == share.groups.len());
            // Down nodes take nothing, so whoever is up beyond those who take copies can stand in.
            let up = ring.nodes().filter(|node| !is_down(*node)).count();
            prop_assert_eq!(others.is_whole, up > replication);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn what_is_acknowledged_is_on_a_majority_in_whatever_order_answers_come(
        nodes in 1usize..8,
        replication in 1usize..4,
        down in any::<u8>(),
        failing in any::<u8>(),
        order in prop::collection::vec(any::<u16>(), 64),
    ) {
        let ring = ring(nodes, replication);
        let is_down = |node: NodeIndex| down >> node.get() & 1 == 1;
        let (batch, tokens) = (batch(0..30), Tokens::of(&Tenant::default()));
        let groups = batch.groups();
        let plan = Plan::new(&ring, &tokens, groups, is_down).unwrap();
        let mut all = Kept::none(&plan);
        plan.shares.iter().for_each(|share| all.add(share));
        prop_assume!(all.is_enough(&plan, &ring));
        let others = |plan: &Plan, share: &plan::Share, stands_in: &plan::StandsIn<'_>| {
            instead(plan, share, &ring, &tokens, groups, is_down, stands_in)
        };
        let (mut spread, effects) = Spread::begin(plan.clone(), 30);
        let mut under_way = Vec::new();
        let mut holders = vec![BTreeSet::new(); groups.len()];
        let (mut told, mut queue) = (None, effects);
        let mut order = order.into_iter().cycle();
        loop {
            for effect in queue.drain(..) {
                match effect {
                    Effect::Send(sending) => under_way.push(sending),
                    Effect::Tell(result) => {
                        prop_assert!(told.is_none(), "told twice");
                        if result.is_ok() {
                            for (at, group) in groups.iter().enumerate() {
                                let owners = ring.owners_for_write(tokens.token(&group.id));
                                prop_assert!(holders[at].len() > owners.nodes().len() / 2);
                            }
                        }
                        told = Some(result.is_ok());
                    }
                    Effect::Missing(_) | Effect::StoodIn(_) => {}
                }
            }
            let Some(next) = order.next() else { break };
            if under_way.is_empty() {
                break;
            }
            if next % 7 == 0 {
                queue = spread.on_slow(usize::from(next) % plan.shares.len(), others);
                continue;
            }
            let sending = under_way.swap_remove(usize::from(next) % under_way.len());
            let share = spread.share(sending).clone();
            let fails = failing >> share.node.get() & 1 == 1;
            let answer = match fails {
                true => Err(PeerError::Gone),
                false => Ok(Pushed { spans: share.groups.len() as u64, ..Pushed::default() }),
            };
            if !fails {
                for group in &share.groups {
                    holders[*group as usize].insert(share.node);
                }
            }
            queue = spread.on_answer(sending, answer, &ring, others);
        }
        prop_assert!(spread.is_over() && told.is_some());
        prop_assert!(failing != 0 || told == Some(true));
        prop_assert!(failing != u8::MAX || told == Some(false));
    }
}

/// What a node does with what it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Does {
    Keep,
    Hang,
    Break,
    Full(u64),
    Invalid,
    LeaveOut(u64),
}

struct Fake {
    does: Does,
    kept: Mutex<Vec<TraceId>>,
}

impl Fake {
    fn list(&self) -> TraceList {
        list(&self.kept.lock())
    }
}

/// What there is of traces of which each has the one span of [`request`].
fn list(ids: &[TraceId]) -> TraceList {
    let ids: BTreeSet<TraceId> = ids.iter().copied().collect();
    let traces = ids.into_iter().map(|id| TraceSum { id, spans: 1, digest: 1 }).collect();
    TraceList { traces, is_last: true }
}

/// A node that has a span of each of these.
struct Has(Vec<TraceId>);

impl Here for Has {
    fn list_tenants(&self) -> Answer<'_, Vec<Tenant>> {
        Box::pin(async { Ok(vec![Tenant::default()]) })
    }

    fn list_traces(&self, _: ListTraces) -> Answer<'_, TraceList> {
        Box::pin(async { Ok(list(&self.0)) })
    }

    fn find_trace(&self, question: FindTrace) -> Answer<'_, TraceCopy> {
        let has_it = self.0.contains(&question.id);
        Box::pin(async move { Ok(if has_it { copy_of(question.id) } else { TraceCopy::default() }) })
    }
}

/// A trace of [`request`].
fn copy_of(id: TraceId) -> TraceCopy {
    let [one, two, three, four, ..] = id.0;
    let spans = request([u32::from_be_bytes([one, two, three, four])]);
    TraceCopy { spans, blocks: 1, live_parts: 0 }
}

impl Peer for Fake {
    fn push(&self, spans: Push) -> Answer<'_, Pushed> {
        Box::pin(async move {
            let batch = slice(spans.request, &SliceLimits::default()).unwrap();
            let count = batch.spans().len() as u64;
            match self.does {
                Does::Keep => {
                    self.kept.lock().extend(batch.groups().iter().map(|group| group.id));
                    Ok(Pushed { spans: count, ..Pushed::default() })
                }
                Does::LeaveOut(spans) => {
                    Ok(Pushed { spans: count - spans, refused_spans: spans, message: "limit".into() })
                }
                Does::Hang => std::future::pending().await,
                Does::Break => Err(PeerError::Unreachable("refused".into())),
                Does::Full(seconds) => Err(PeerError::Exhausted {
                    message: "full".into(),
                    retry_after: Duration::from_secs(seconds),
                }),
                Does::Invalid => Err(PeerError::Invalid("wrong".into())),
            }
        })
    }

    fn find_trace(&self, question: FindTrace) -> Answer<'_, TraceCopy> {
        Box::pin(async move {
            let has_it = self.kept.lock().contains(&question.id);
            Ok(if has_it { copy_of(question.id) } else { TraceCopy::default() })
        })
    }

    fn list_blocks(&self, _: ListBlocks) -> Answer<'_, BlockList> {
        Box::pin(async { Err(PeerError::Gone) })
    }

    fn read_block(&self, _: ReadBlock) -> Answer<'_, Vec<Bytes>> {
        Box::pin(async { Err(PeerError::Gone) })
    }

    fn exchange_members(&self, _: Bytes) -> Answer<'_, Bytes> {
        Box::pin(async { Err(PeerError::Gone) })
    }

    fn list_tenants(&self) -> Answer<'_, Vec<Tenant>> {
        Box::pin(async { Ok(vec![Tenant::default()]) })
    }

    fn list_traces(&self, _: ListTraces) -> Answer<'_, TraceList> {
        Box::pin(async { Ok(self.list()) })
    }
}

struct Bench {
    replicator: Replicator,
    fakes: Vec<Arc<Fake>>,
    _stage: Stage,
}

impl Bench {
    /// Nodes that do this, of which the downs are known to be down; none of them is this one.
    fn new(does: &[Does], downs: &[usize]) -> Self {
        Self::on(ring(does.len(), 3), does, downs, None)
    }

    fn on(ring: Ring, does: &[Does], downs: &[usize], me: Option<usize>) -> Self {
        let disk = Arc::new(SimDisk::new());
        let bucket = Arc::new(Bucket::open(disk.clone(), None).unwrap().0);
        let options = IngestOptions::default();
        let stage = Stage::set(options.shards).unwrap();
        let (clock, metrics) = (Arc::new(RealClock::default()), Arc::new(IngestMetrics::default()));
        let (ingest, _) = Ingest::start(&stage, disk, bucket, clock, metrics, options).unwrap();
        let fake = |does: &Does| Arc::new(Fake { does: *does, kept: Mutex::default() });
        let fakes: Vec<Arc<Fake>> = does.iter().map(fake).collect();
        let node = |(number, fake): (usize, &Arc<Fake>)| Node {
            name: ring.members()[number].name().clone(),
            peer: fake.clone(),
            is_up: !downs.contains(&number),
            generation: 1,
        };
        let nodes = fakes.iter().enumerate().map(node).collect();
        let me = me.and_then(|me| ring.nodes().nth(me));
        let members = Members::new(Cluster { ring: ring.clone(), nodes, me, tenants: Default::default() });
        let replicator = Replicator::new(ingest, Some(members), Arc::default(), ReplicateOptions::default());
        Self { replicator, fakes, _stage: stage }
    }

    async fn push(&self) -> Result<Accepted, Refusal> {
        self.replicator.push(&Tenant::default(), request(0..100), Box::new(())).await
    }

    /// How many nodes keep each trace, at least and at most.
    fn copies(&self) -> (usize, usize) {
        let mut by_trace: BTreeMap<TraceId, usize> = BTreeMap::new();
        for fake in &self.fakes {
            for id in &*fake.kept.lock() {
                *by_trace.entry(*id).or_default() += 1;
            }
        }
        assert_eq!(by_trace.len(), 100);
        let counts = by_trace.values().copied();
        (counts.clone().min().unwrap_or(0), counts.max().unwrap_or(0))
    }
}

fn all() -> Result<Accepted, Refusal> {
    Ok(Accepted { spans: 100, ..Accepted::default() })
}

#[tokio::test(start_paused = true)]
async fn one_node_that_hangs_costs_nothing() {
    let bench = Bench::new(&[Does::Keep, Does::Hang, Does::Keep], &[]);
    let begun = tokio::time::Instant::now();
    assert_eq!(bench.push().await, all());
    assert_eq!(begun.elapsed(), Duration::ZERO, "two of three are enough");
    assert_eq!(bench.copies(), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn another_takes_what_a_node_does_not() {
    use Does::{Break, Full, Hang, Keep};
    for does in [Hang, Break, Full(3)] {
        let bench = Bench::new(&[Keep, does, Keep, Keep, Keep], &[]);
        assert_eq!(bench.push().await, all(), "{does:?}");
        // What goes on after the acknowledgement.
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(bench.copies(), (3, 3), "{does:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_node_in_place_of_two_owners_is_one_copy() {
    use Does::{Break, Keep};
    let Err(Refusal::Unavailable(_)) = Bench::new(&[Keep, Break, Break, Break], &[]).push().await else {
        panic!("one copy is no majority of three")
    };
}

#[tokio::test(start_paused = true)]
async fn what_is_known_to_be_down_is_not_asked() {
    use Does::{Hang, Keep};
    let bench = Bench::new(&[Keep, Hang, Keep, Keep], &[1]);
    assert_eq!(bench.push().await, all());
    tokio::task::yield_now().await;
    assert_eq!(bench.copies(), (3, 3));
    let bench = Bench::new(&[Keep, Hang, Hang], &[1, 2]);
    let Err(Refusal::Unavailable(message)) = bench.push().await else {
        panic!("one of three is no majority")
    };
    assert!(message.ends_with("down: n1, n2"), "{message}");
}

#[tokio::test(start_paused = true)]
async fn without_a_majority_the_sender_is_told_why() {
    use Does::{Break, Full, Hang, Invalid, Keep};
    let check = async |does: &[Does], expected: &str| {
        let refusal = Bench::new(does, &[]).push().await.expect_err("no majority");
        assert_eq!(format!("{refusal:?}"), expected);
    };
    let first = "the spans were not kept by a majority of their owners:";
    check(
        &[Keep, Break, Break],
        &format!(
            "Unavailable(\"{first} n1: the node cannot be reached: refused; n2: the node cannot be reached: refused\")"
        ),
    )
    .await;
    check(
        &[Keep, Full(3), Full(7)],
        &format!("Exhausted {{ message: \"{first} n1: full; n2: full\", retry_after: 7s }}"),
    )
    .await;
    check(&[Keep, Hang, Hang], &format!("Unavailable(\"{first} no answer of the others within 5s\")")).await;
    check(&[Invalid, Invalid, Invalid], "Invalid(\"wrong\")").await;
}

#[tokio::test(start_paused = true)]
async fn what_limits_leave_out_is_told_once() {
    use Does::{Keep, LeaveOut};
    let accepted = Bench::new(&[LeaveOut(10), LeaveOut(10), LeaveOut(10)], &[]).push().await;
    let expected = Accepted { spans: 90, refused_spans: 10, message: "limit".into() };
    assert_eq!(accepted, Ok(expected));
    let accepted = Bench::new(&[Keep, Keep, Keep], &[]).push().await;
    assert_eq!(accepted, all());
}

/// The traces of [`request`].
fn ids(traces: std::ops::Range<u32>) -> Vec<TraceId> {
    slice(request(traces), &SliceLimits::default()).unwrap().groups().iter().map(|group| group.id).collect()
}

/// A ring of so many nodes, of which the first one leaves.
fn leaving(nodes: usize, replication: usize) -> Ring {
    let ring = ring(nodes, replication);
    let leave = |member: &RingMember| match member.name().as_str() {
        "n0" => member.clone().in_state(MemberState::Leaving),
        _ => member.clone(),
    };
    Ring::new(ring.members().iter().map(leave).collect(), ring.options()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_leaves_gives_all_next_owners_what_they_lack() {
    use Does::Keep;
    let check = async |nodes: usize, replication: usize| {
        let bench = Bench::on(leaving(nodes, replication), &vec![Keep; nodes], &[], Some(0));
        // Some nodes have some of it already.
        let given = || bench.fakes.iter().map(|fake| fake.kept.lock().len()).sum::<usize>();
        bench.fakes[1].kept.lock().extend(ids(0..30));
        let copies = (nodes - 1).min(replication);
        for _ in 0..2 {
            bench.replicator.hand_over(&Has(ids(0..100)), false).await.unwrap();
            let (least, most) = bench.copies();
            assert_eq!(least, copies, "{nodes} nodes, {replication} copies");
            assert!(most <= copies + 1 && bench.fakes[0].kept.lock().is_empty());
            assert!(given() <= 100 * copies + 30, "what was there was not given again");
        }
    };
    check(3, 3).await;
    check(2, 1).await;
    check(4, 3).await;
    check(4, 1).await;
    check(6, 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_leaves_only_while_majorities_of_the_next_owners_are_up() {
    use Does::{Break, Keep};
    let hand_over = async |nodes: usize, does: &[Does], downs: &[usize]| {
        let bench = Bench::on(leaving(nodes, 3), does, downs, Some(0));
        let done = bench.replicator.hand_over(&Has(ids(0..100)), false).await;
        (done.map_err(|error| error.to_string()), bench)
    };
    // Of two that will own everything one is down, and nobody is there to stand in for it.
    let (done, bench) = hand_over(3, &[Keep; 3], &[1]).await;
    assert!(done.unwrap_err().starts_with("too few nodes are up"));
    assert!(bench.fakes[2].kept.lock().is_empty());
    // Of four the others do.
    let (done, bench) = hand_over(4, &[Keep; 4], &[1]).await;
    assert_eq!((done, bench.copies()), (Ok(()), (2, 2)));
    let (done, _) = hand_over(4, &[Keep, Keep, Break, Keep], &[]).await;
    assert!(done.unwrap_err().starts_with("node n2 does not take what it will own"));
    // Without a cluster nobody is there, and with a store nobody is needed.
    let (_, bench) = hand_over(3, &[Keep; 3], &[]).await;
    bench.replicator.hand_over(&Has(ids(0..100)), true).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_node_lacks_is_fetched_but_not_what_was_deleted_or_has_no_room() {
    use Does::Keep;
    let check = async |allowed: Allowed, expected: [u64; 3]| {
        let bench = Bench::on(ring(3, 3), &[Keep; 3], &[2], Some(0));
        bench.fakes[1].kept.lock().extend(ids(0..10));
        let here = Arc::new(Has(ids(0..4)));
        let repair = Repair::new(bench.replicator.clone(), here, allowed, RepairOptions::default());
        let metrics = &bench.replicator.inner.metrics;
        for _ in 0..2 {
            assert_eq!(repair.fetch().await, Repaired { silent: 1, why: None });
        }
        let found = [&metrics.traces_compared, &metrics.traces_differing, &metrics.spans_fetched];
        assert_eq!(found.map(|counter| counter.get()), expected);
        let live = bench.replicator.inner.ingest.status().traces;
        assert_eq!(live, expected[2].min(6), "what was fetched is kept here");
    };
    // What this node says that it has is always the same here, so all of it is fetched by each round.
    check(Allowed::default(), [20, 12, 12]).await;
    // What brought nothing is not looked at again.
    check(Allowed { may: Box::new(|_, _, _| false), ..Allowed::default() }, [20, 6, 0]).await;
    check(Allowed { keeps: Box::new(|_| Keeps::Nothing), ..Allowed::default() }, [0, 0, 0]).await;
    // The spans ended in 1970.
    let keeps = |_: &Tenant| Keeps::For(Duration::from_secs(3600));
    check(Allowed { keeps: Box::new(keeps), ..Allowed::default() }, [20, 6, 0]).await;
}
