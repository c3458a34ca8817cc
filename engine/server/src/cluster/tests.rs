//! Nodes on loopback ports that ask each other in memory: they agree on a ring, whatever happens to one of them. Waits
//! are bounded, and nothing is asserted of how long they take.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use spanloom_peer::{BlockList, Cluster, FindTrace, ListBlocks, Push, Pushed, ReadBlock, TraceCopy};
use spanloom_ring::{MemberState, Ring};
use spanloom_swim::{Key, Seal};

use super::*;

/// Whoever waits longer has found a fault.
const PATIENCE: Duration = Duration::from_secs(40);

/// Nodes by the address of their questions.
#[derive(Clone, Default)]
struct Net(Arc<Mutex<BTreeMap<String, ClusterHandle>>>);

/// A way to one of them.
struct Way {
    net: Net,
    to: String,
}

impl Connect for Net {
    fn connect(&self, _name: &NodeName, address: &str) -> Arc<dyn Peer> {
        Arc::new(Way { net: self.clone(), to: address.to_owned() })
    }
}

fn unasked<T>() -> Answer<'static, T> {
    Box::pin(async { Err(PeerError::Unavailable("not asked here".into())) })
}

impl Peer for Way {
    fn push(&self, _: Push) -> Answer<'_, Pushed> {
        unasked()
    }
    fn find_trace(&self, _: FindTrace) -> Answer<'_, TraceCopy> {
        unasked()
    }
    fn list_blocks(&self, _: ListBlocks) -> Answer<'_, BlockList> {
        unasked()
    }
    fn read_block(&self, _: ReadBlock) -> Answer<'_, Vec<Bytes>> {
        unasked()
    }
    fn exchange_members(&self, known: Bytes) -> Answer<'_, Bytes> {
        let to = self.net.0.lock().get(&self.to).cloned();
        Box::pin(async move {
            match to {
                Some(node) => node.exchange(known).await,
                None => Err(PeerError::Unreachable("nobody is there".into())),
            }
        })
    }
}

/// Counts what changes hands.
#[derive(Default)]
struct Hands {
    taken: AtomicU64,
    given: AtomicU64,
    fails: AtomicU64,
}

impl HandOver for Hands {
    fn take_over<'a>(&'a self, moved: &'a Moved) -> Answer<'a, ()> {
        Box::pin(async move {
            if self.fails.load(Ordering::SeqCst) > 0 {
                self.fails.fetch_sub(1, Ordering::SeqCst);
                return Err(PeerError::Busy);
            }
            assert!(!moved.gained.is_empty() && moved.lost.is_empty());
            self.taken.fetch_add(1, Ordering::SeqCst);
            Ok(())
        })
    }

    fn hand_over<'a>(&'a self, moved: &'a Moved) -> Answer<'a, ()> {
        Box::pin(async move {
            assert!(!moved.lost.is_empty() && moved.gained.is_empty());
            self.given.fetch_add(1, Ordering::SeqCst);
            Ok(())
        })
    }
}

/// A node, its data and its hands.
struct Running {
    handle: ClusterHandle,
    hands: Arc<Hands>,
    peer: String,
}

struct World {
    net: Net,
    dir: tempfile::TempDir,
    seed: Option<SocketAddr>,
    next_port: u16,
}

impl World {
    fn new() -> Self {
        Self { net: Net::default(), dir: tempfile::tempdir().unwrap(), seed: None, next_port: 1 }
    }

    fn options(&mut self, name: &str, folder: &Path) -> ClusterOptions {
        std::fs::create_dir_all(folder).unwrap();
        self.next_port += 1;
        let seal = Seal::Keys(vec![Key::new(&[3; 32]).unwrap()]);
        ClusterOptions {
            data_dir: folder.to_owned(),
            node_name: Some(NodeName::new(name).unwrap()),
            zone: Zone::none(),
            roles: Roles::ALL,
            seeds: self.seed.map(Seed::Address).into_iter().collect(),
            swim: Options { label: "test".into(), seal, ..Options::lan(3) },
            gossip: "127.0.0.1:0".parse().unwrap(),
            advertise: None,
            peer_port: self.next_port,
            api_port: 3200,
            ring: RingOptions::default(),
            tenant_shard_size: 0,
            tokens: 32,
            settle_ms: 300,
            join_wait_ms: 5_000,
            forget_after_ms: None,
            leave_on_shutdown: true,
            leave_timeout: PATIENCE,
        }
    }

    async fn start(&mut self, name: &str) -> Running {
        self.start_with(name, |_| {}).await
    }

    async fn start_with(&mut self, name: &str, change: impl FnOnce(&mut ClusterOptions)) -> Running {
        let folder = self.dir.path().join(name);
        let mut options = self.options(name, &folder);
        change(&mut options);
        let peer = format!("127.0.0.1:{}", options.peer_port);
        let hands = Arc::new(Hands::default());
        let nobody = Ring::new(Vec::new(), options.ring).unwrap();
        let parts = ClusterParts {
            options,
            members: Members::new(Cluster::of_nobody(nobody)),
            connect: Arc::new(self.net.clone()),
            local: Arc::new(Way { net: self.net.clone(), to: peer.clone() }),
            hand_over: hands.clone(),
            load: Box::new(|| Load { live_bytes: 77, spans_per_second: 5 }),
        };
        let handle = ClusterHandle::start(parts).await.unwrap();
        self.net.0.lock().insert(peer.clone(), handle.clone());
        self.seed.get_or_insert(handle.gossip_address());
        Running { handle, hands, peer }
    }

    /// Ends a process without a word.
    async fn kill(&self, node: Running) {
        self.net.0.lock().remove(&node.peer);
        let task = node.handle.shared.task.lock().take().unwrap();
        task.abort();
        let _ = task.await;
    }

    async fn leave(&self, node: Running) {
        node.handle.leave().await;
        self.net.0.lock().remove(&node.peer);
    }
}

/// A node's view of another: state, whether it is up.
fn of(node: &Running, name: &str) -> Option<(MemberState, bool)> {
    let cluster = node.handle.members().now();
    let at = cluster.ring.find(&NodeName::new(name).unwrap())?;
    Some((cluster.ring.member(at).state(), cluster.node(at).is_up))
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// All see the same ring, with all of `names` in these states.
async fn agree(nodes: &[&Running], names: &[(&str, MemberState, bool)]) {
    let begun = Instant::now();
    loop {
        let fingerprints: Vec<u64> =
            nodes.iter().map(|node| node.handle.members().now().ring.fingerprint()).collect();
        let seen: Vec<Vec<_>> =
            nodes.iter().map(|node| names.iter().map(|(name, ..)| of(node, name)).collect()).collect();
        let wanted: Vec<_> = names.iter().map(|(_, state, is_up)| Some((*state, *is_up))).collect();
        if fingerprints.windows(2).all(|pair| pair[0] == pair[1]) && seen.iter().all(|seen| *seen == wanted) {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "{fingerprints:x?} {seen:?}, expected {wanted:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

use MemberState::{Active, Leaving, Left};

fn tokens(node: &Running, name: &str) -> Vec<u32> {
    let cluster = node.handle.members().now();
    let at = cluster.ring.find(&NodeName::new(name).unwrap()).unwrap();
    cluster.ring.member(at).tokens().to_vec()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_nodes_agree_and_one_crashes_restarts_and_leaves() {
    let mut world = World::new();
    let a = world.start("a").await;
    agree(&[&a], &[("a", Active, true)]).await;
    let b = world.start("b").await;
    let c = world.start("c").await;
    let all = [("a", Active, true), ("b", Active, true), ("c", Active, true)];
    agree(&[&a, &b, &c], &all).await;
    assert_eq!(a.hands.taken.load(Ordering::SeqCst), 0, "the first has nobody to fetch from");
    assert_eq!(b.hands.taken.load(Ordering::SeqCst), 1);
    let before = tokens(&a, "c");
    let generation = c.handle.page().members[2].generation;

    world.kill(c).await;
    agree(&[&a, &b], &[("a", Active, true), ("b", Active, true), ("c", Active, false)]).await;
    let c = world.start("c").await;
    agree(&[&a, &b, &c], &all).await;
    assert_eq!(
        (tokens(&a, "c"), c.hands.taken.load(Ordering::SeqCst)),
        (before.clone(), 0),
        "it has its place"
    );
    assert!(c.handle.page().members[2].generation > generation);

    let hands = c.hands.clone();
    world.leave(c).await;
    assert_eq!(hands.given.load(Ordering::SeqCst), 1);
    agree(&[&a, &b], &[("a", Active, true), ("b", Active, true), ("c", Left, false)]).await;
    // It comes again, as a new one with the tokens that it had.
    let c = world.start("c").await;
    agree(&[&a, &b, &c], &all).await;
    assert_eq!((tokens(&b, "c"), c.hands.taken.load(Ordering::SeqCst)), (before, 1));
    for node in [a, b, c] {
        world.kill(node).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_begin_at_once_are_one_cluster() {
    let mut world = World::new();
    let a = world.start("a").await;
    let seed = a.handle.gossip_address();
    // Each has the other as its seed: nobody is there before the other.
    world.kill(a).await;
    world.seed = Some(seed);
    let a = world.start_with("a", |options| options.gossip = seed).await;
    let b = world.start("b").await;
    let c = world.start("c").await;
    let all = [("a", Active, true), ("b", Active, true), ("c", Active, true)];
    agree(&[&a, &b, &c], &all).await;
    for node in [a, b, c] {
        world.kill(node).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_node_is_forgotten_by_hand_and_may_come_back() {
    let mut world = World::new();
    let a = world.start("a").await;
    let b = world.start("b").await;
    let c = world.start("c").await;
    agree(&[&a, &b, &c], &[("a", Active, true), ("b", Active, true), ("c", Active, true)]).await;
    let refused = |outcome: Result<(), ForgetFailed>| outcome.unwrap_err().to_string();
    assert!(refused(b.handle.forget("c".into()).await).starts_with("c is up, expected one that is down"));
    assert!(refused(b.handle.forget("x".into()).await).starts_with("no node named x"));
    assert!(refused(b.handle.forget("b".into()).await).starts_with("b is this node"));
    world.kill(c).await;
    until("c is down", || of(&b, "c") == Some((Active, false))).await;
    b.handle.forget("c".into()).await.unwrap();
    agree(&[&a, &b], &[("a", Active, true), ("b", Active, true), ("c", Left, false)]).await;
    assert!(refused(a.handle.forget("c".into()).await).starts_with("c has left already"));
    let c = world.start("c").await;
    agree(&[&a, &b, &c], &[("a", Active, true), ("b", Active, true), ("c", Active, true)]).await;
    assert_eq!(c.hands.taken.load(Ordering::SeqCst), 1, "others had its place");
    for node in [a, b, c] {
        world.kill(node).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_that_was_stopped_whole_comes_back_as_it_was() {
    let mut world = World::new();
    let a = world.start("a").await;
    let b = world.start("b").await;
    let c = world.start("c").await;
    agree(&[&a, &b, &c], &[("a", Active, true), ("b", Active, true), ("c", Active, true)]).await;
    let ring = a.handle.members().now().ring.fingerprint();
    // What is known is on disk before a node announces, and some seconds after others do.
    let folder = world.dir.path().to_owned();
    let knows = |name: &str| std::fs::read(folder.join(name).join("cluster.state")).unwrap().len() > 400;
    until("all is kept", || ["a", "b", "c"].into_iter().all(knows)).await;
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    let seed = a.handle.gossip_address();
    for node in [a, b, c] {
        world.kill(node).await;
    }
    // One stays away: it keeps its place though nobody that runs has seen it.
    let a = world.start_with("a", |options| options.gossip = seed).await;
    let b = world.start("b").await;
    agree(&[&a, &b], &[("a", Active, true), ("b", Active, true), ("c", Active, false)]).await;
    assert_eq!(a.handle.members().now().ring.fingerprint(), ring);
    assert_eq!(b.hands.taken.load(Ordering::SeqCst), 0);
    for node in [a, b] {
        world.kill(node).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_changes_hands_is_tried_again_and_a_querier_needs_none() {
    let mut world = World::new();
    let a = world.start("a").await;
    agree(&[&a], &[("a", Active, true)]).await;
    let b = world.start("b").await;
    b.hands.fails.store(1, Ordering::SeqCst);
    let q = world.start_with("q", |options| options.roles = Roles::QUERIER).await;
    agree(&[&a, &b, &q], &[("a", Active, true), ("b", Active, true), ("q", Active, true)]).await;
    assert_eq!((q.hands.taken.load(Ordering::SeqCst), tokens(&a, "q")), (0, vec![]));
    world.leave(q).await;
    agree(&[&a, &b], &[("a", Active, true), ("b", Active, true), ("q", Left, false)]).await;
    // The last one keeps its place.
    world.leave(b).await;
    agree(&[&a], &[("b", Left, false)]).await;
    let hands = a.hands.clone();
    world.leave(a).await;
    assert_eq!(hands.given.load(Ordering::SeqCst), 0);
    let a = world.start("a").await;
    agree(&[&a], &[("a", Active, true), ("b", Left, false)]).await;
    assert_ne!(of(&a, "a"), Some((Leaving, true)));
    world.kill(a).await;
}

#[tokio::test]
async fn pages_metrics_and_states_that_are_no_good() {
    let mut world = World::new();
    let a = world.start("a").await;
    agree(&[&a], &[("a", Active, true)]).await;
    until("it is shown", || a.handle.page().members.first().is_some_and(|member| member.state == "active"))
        .await;
    let page = a.handle.page();
    assert_eq!((page.me.as_str(), page.members[0].owned_percent, page.ranges), ("a", 100.0, 32));
    let wrong = a.handle.exchange(Bytes::from_static(b"x")).await.unwrap_err();
    assert!(matches!(wrong, PeerError::Invalid(_)), "{wrong}");
    let mut registry = Registry::default();
    a.handle.metrics(&mut registry);
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    for line in ["cluster_members{status=\"up\"} 1", "gossip_dropped_total{reason=\"unsealed\"} 0"] {
        assert!(text.contains(line), "{text}");
    }
    assert_eq!(a.handle.section().rows[1].1, "active");
    until("its load is told", || a.handle.page().members[0].live_bytes == Some(77)).await;
    world.kill(a).await;
}
