//! Several real processes as one store: every acknowledged span is found whole, from any node, whatever happens to one of
//! them.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod house;

use std::net::{TcpListener, UdpSocket};
use std::path::PathBuf;

use house::House;
use house::load::{Spans, check, load_while, some_traces};

/// Traces that are read back at a time.
const MOST: usize = 300;

/// Blocks are sealed and joined all the time.
const EAGER: &str = "
log: {segment_bytes: 1MiB}
trace: {idle: 50ms, max_age: 1s}
seal: {block_bytes: 400KiB, max_age: 200ms}
compaction: {every: 100ms, zstd_level: 1}
memory: {budget: 128MiB}
";

/// Nodes of a cluster; `None` where one is down.
struct Nodes {
    dir: tempfile::TempDir,
    gossip: Vec<u16>,
    peer: Vec<u16>,
    houses: Vec<Option<House>>,
    more: String,
}

impl Nodes {
    /// Starts so many nodes and waits until all own their ranges.
    fn start(count: usize, more: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut nodes =
            Self { dir, gossip: Vec::new(), peer: Vec::new(), houses: Vec::new(), more: more.to_owned() };
        (0..count).for_each(|_| nodes.add());
        nodes.wait_for(count);
        nodes
    }

    fn folder(&self, node: usize) -> PathBuf {
        self.dir.path().join(format!("n{node}"))
    }

    /// Starts one more.
    fn add(&mut self) {
        let node = self.houses.len();
        self.gossip.push(UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port());
        self.peer.push(TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port());
        std::fs::create_dir_all(self.folder(node)).unwrap();
        self.houses.push(None);
        self.begin(node);
    }

    /// Starts one that is down.
    fn begin(&mut self, node: usize) {
        let seeds: Vec<String> = self.gossip.iter().map(|port| format!("'127.0.0.1:{port}'")).collect();
        let config = format!(
            "{EAGER}\n{}\ncluster: {{enabled: true, node_name: n{node}, gossip_port: {}, peer_port: {}, join: [{}], \
             settle: 500ms, join_wait: 2s}}\n",
            self.more,
            self.gossip[node],
            self.peer[node],
            seeds.join(", ")
        );
        self.houses[node] = Some(House::start_with(&self.folder(node), "max_metrics_range: 0s", &config));
    }

    fn house(&self, node: usize) -> &House {
        self.houses[node].as_ref().unwrap()
    }

    fn up(&self) -> impl Iterator<Item = &House> {
        self.houses.iter().flatten()
    }

    /// Waits until each node that is up sees so many active ones that answer.
    fn wait_for(&self, count: usize) {
        for house in self.up() {
            house.wait_until("all nodes are active", || {
                let (status, text) = house.says("/ring?format=json");
                assert_eq!(status, 200, "{text}");
                active(&text) == count
            });
        }
    }

    /// Every span is found from each node that is up, and none twice.
    fn check(&self, spans: &Spans, when: &str) {
        for house in self.up() {
            check(house, &some_traces(spans, MOST), when);
        }
    }

    /// Every node counts the same spans, what was acknowledged among them. (Of what was refused some nodes may have kept
    /// their part.)
    fn counts(&self, spans: &Spans, when: &str) {
        let counts: Vec<usize> = self.up().map(counted).collect();
        assert!(counts.iter().all(|count| *count >= spans.len()), "{when}: {counts:?}, {}", spans.len());
        assert!(counts.windows(2).all(|pair| pair[0] == pair[1]), "{when}: {counts:?}");
    }

    /// SIGTERM, and waits for the end.
    fn stop(&mut self, node: usize) {
        self.houses[node].take().unwrap().stop();
    }
}

/// Spans that a node counts in the whole cluster.
fn counted(house: &House) -> usize {
    let (status, count) = counts(house);
    assert_ne!(status, "PARTIAL", "{count}");
    count
}

/// Spans that a node counts, and what it says of its answer.
fn counts(house: &House) -> (String, usize) {
    let (status, text) = house.says("/api/metrics/query?q=%7B%7D%7Ccount_over_time()&start=1&end=4102444800");
    assert_eq!(status, 200, "{text}");
    let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
    let count = answer["series"][0]["value"].as_u64().unwrap_or_else(|| panic!("{text}"));
    (answer["status"].as_str().unwrap_or_default().to_owned(), count as usize)
}

/// Members that are active and answer, of what `/ring` says.
fn active(text: &str) -> usize {
    let page: serde_json::Value = serde_json::from_str(text).unwrap();
    let members = page["members"].as_array().unwrap();
    members.iter().filter(|member| member["state"] == "active" && member["status"] == "up").count()
}

/// So many spans, taken by one node.
fn load(house: &House, seed: u64, spans: usize) -> Spans {
    load_while(house.otlp, seed, |count| house.wait_until("spans are acknowledged", || count() >= spans))
}

#[test]
fn three_nodes_lose_nothing_whatever_happens_to_one() {
    let mut nodes = Nodes::start(3, "");
    let mut all = load(nodes.house(0), 100, 3_000);
    all.extend(load(nodes.house(1), 200, 3_000));
    nodes.check(&all, "with three nodes");
    nodes.counts(&all, "with three nodes");
    // One dies while spans come.
    let port = nodes.house(0).otlp;
    all.extend(load_while(port, 300, |count| {
        nodes.house(0).wait_until("some are acknowledged", || count() >= 1_000);
        nodes.house(2).signal("KILL");
        let so_far = count();
        nodes.house(0).wait_until("more are acknowledged", || count() >= so_far + 3_000);
    }));
    nodes.houses[2] = None;
    nodes.check(&all, "when one has died");
    nodes.begin(2);
    nodes.wait_for(3);
    nodes.check(&all, "when it is back");
    // One stands still, which a cut cable looks like.
    nodes.house(1).signal("STOP");
    all.extend(load(nodes.house(0), 400, 3_000));
    for node in [0, 2] {
        check(nodes.house(node), &some_traces(&all, MOST), "while one stands still");
    }
    nodes.house(1).signal("CONT");
    nodes.wait_for(3);
    nodes.check(&all, "when it goes on");
    // All are restarted in turn, while spans come.
    for node in 0..3 {
        let stopped = nodes.houses[node].take().unwrap();
        let other = nodes.house((node + 1) % 3);
        all.extend(load_while(other.otlp, 500 + 10 * node as u64, |count| {
            other.wait_until("some are acknowledged", || count() >= 500);
            stopped.stop();
            let so_far = count();
            other.wait_until("more are acknowledged", || count() >= so_far + 500);
        }));
        nodes.begin(node);
        nodes.wait_for(3);
    }
    nodes.check(&all, "when all were restarted");
    nodes.counts(&all, "when all were restarted");
    // Two come, one goes for good.
    nodes.add();
    nodes.add();
    nodes.wait_for(5);
    all.extend(load(nodes.house(4), 600, 3_000));
    nodes.check(&all, "with five nodes");
    nodes.stop(0);
    nodes.wait_for(4);
    all.extend(load(nodes.house(3), 700, 1_000));
    nodes.check(&all, "when one has left");
    nodes.counts(&all, "when one has left");
}

#[test]
fn a_node_that_was_down_gets_what_it_missed() {
    // The spans are of long ago: what retention would remove is not fetched.
    let mut nodes = Nodes::start(3, "retention: {max_age: 0s}");
    let mut all = load(nodes.house(0), 100, 1_000);
    nodes.houses[2].take().unwrap().kill();
    let missed = load(nodes.house(0), 200, 2_000);
    all.extend(&missed);
    nodes.begin(2);
    nodes.wait_for(3);
    let back = nodes.house(2);
    back.wait_until("what it missed is fetched", || {
        back.metric("spanloom_repair_fetched_spans_total") as usize >= missed.len()
    });
    nodes.check(&all, "when it was fetched");
    nodes.counts(&all, "when it was fetched");
    for other in 0..2 {
        nodes.houses[other].take().unwrap().kill();
    }
    let alone = nodes.house(2);
    check(alone, &some_traces(&all, MOST), "on the one that is left");
    let (status, count) = counts(alone);
    assert!(status == "PARTIAL" && count >= all.len(), "{status}: {count} of {}", all.len());
}

#[test]
fn one_copy_of_a_trace_goes_to_a_shared_store() {
    let store = tempfile::tempdir().unwrap();
    let store = format!("store: {{backend: folder, folder: {}, poll: 100ms}}", store.path().display());
    let mut nodes = Nodes::start(3, &store);
    let mut all = load(nodes.house(0), 100, 3_000);
    all.extend(load(nodes.house(2), 200, 3_000));
    let settled = |house: &House| {
        house.wait_until("the store has everything, and no copy stands by", || {
            house.metric("spanloom_live_traces") == 0
                && house.metric("spanloom_blocks_unshipped") == 0
                && house.metric("spanloom_blocks_standing_by") == 0
        });
    };
    nodes.up().for_each(House::flush);
    nodes.up().for_each(settled);
    let shipped: u64 = nodes.up().map(|house| house.metric("spanloom_blocks_shipped_total")).sum();
    let sealed: u64 = nodes.up().map(|house| house.metric("spanloom_blocks_sealed_total")).sum();
    assert!(shipped > 0 && shipped < sealed, "{shipped} of {sealed} blocks were brought to the store");
    nodes.check(&all, "from the store");
    nodes.counts(&all, "from the store");
    // What a node has not shipped when it dies is brought by another.
    all.extend(load(nodes.house(1), 300, 3_000));
    nodes.houses[1].take().unwrap().kill();
    nodes.check(&all, "when one has died");
    nodes.up().for_each(House::flush);
    nodes.up().for_each(|house| {
        house.wait_until("the other node's part is brought, too", || {
            house.metric("spanloom_blocks_unshipped") == 0 && house.metric("spanloom_blocks_standing_by") == 0
        });
    });
    nodes.check(&all, "when its part was brought by others");
    nodes.counts(&all, "when its part was brought by others");
}
