//! Nodes of a cluster.

use std::net::{TcpListener, UdpSocket};
use std::path::PathBuf;

use super::House;
use super::load::{Spans, check, load_to, some_traces};
use super::network::Network;

/// Traces that are read back at a time.
pub const MOST: usize = 300;

/// Blocks are sealed and joined all the time.
const EAGER: &str = "
log: {segment_bytes: 1MiB}
trace: {idle: 50ms, max_age: 1s}
seal: {block_bytes: 400KiB, max_age: 200ms}
compaction: {every: 100ms, zstd_level: 1}
memory: {budget: 128MiB}
";

/// Nodes of a cluster; `None` where one is down.
pub struct Nodes {
    dir: tempfile::TempDir,
    gossip: Vec<u16>,
    peer: Vec<u16>,
    pub houses: Vec<Option<House>>,
    roles: Vec<&'static str>,
    is_ipv6: bool,
    /// If each node has a host to itself.
    pub network: Option<Network>,
    more: String,
}

impl Nodes {
    /// Starts so many nodes and waits until all own their ranges.
    pub fn start(count: usize, more: &str) -> Self {
        Self::begun(None, &vec!["all"; count], more)
    }

    /// The same, each with roles of its own.
    pub fn of_roles(roles: &[&'static str], more: &str) -> Self {
        Self::begun(None, roles, more)
    }

    /// As [`Nodes::start`], on IPv6.
    pub fn on_ipv6(count: usize, more: &str) -> Self {
        let mut nodes = Self::begun(None, &[], more);
        nodes.is_ipv6 = true;
        (0..count).for_each(|_| nodes.add());
        nodes.wait_for(count);
        nodes
    }

    /// As [`Nodes::start`], each on a host to itself.
    pub fn on(network: Network, count: usize, more: &str) -> Self {
        Self::begun(Some(network), &vec!["all"; count], more)
    }

    fn begun(network: Option<Network>, roles: &[&'static str], more: &str) -> Self {
        let mut nodes = Self {
            dir: tempfile::tempdir().unwrap(),
            gossip: Vec::new(),
            peer: Vec::new(),
            houses: Vec::new(),
            roles: Vec::new(),
            is_ipv6: false,
            network,
            more: more.to_owned(),
        };
        roles.iter().for_each(|roles| nodes.add_with(roles));
        nodes.wait_for(roles.len());
        nodes
    }

    pub fn folder(&self, node: usize) -> PathBuf {
        self.dir.path().join(format!("n{node}"))
    }

    /// Starts one more.
    pub fn add(&mut self) {
        self.add_with("all");
    }

    fn add_with(&mut self, roles: &'static str) {
        let node = self.houses.len();
        self.roles.push(roles);
        self.gossip.push(UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port());
        self.peer.push(TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port());
        std::fs::create_dir_all(self.folder(node)).unwrap();
        self.network.iter_mut().for_each(Network::add);
        self.houses.push(None);
        self.begin(node);
    }

    /// Starts one that is down.
    pub fn begin(&mut self, node: usize) {
        let hosts = (0..).map(|node| self.seed(node));
        let seeds: Vec<String> =
            self.gossip.iter().zip(hosts).map(|(port, host)| format!("'{host}:{port}'")).collect();
        let config = format!(
            "{EAGER}\n{}\ncluster: {{enabled: true, node_name: n{node}, gossip_port: {}, peer_port: {}, join: [{}], \
             settle: 500ms, join_wait: 2s, roles: [{}], secret: ['a secret of the nodes']}}\n",
            self.more,
            self.gossip[node],
            self.peer[node],
            seeds.join(", "),
            self.roles[node]
        );
        let within = self.network.as_ref().map_or_else(Vec::new, |network| network.within(node));
        let (host, dir) = (self.host(node), self.folder(node));
        self.houses[node] = Some(House::start_at(&host, &dir, &within, "max_metrics_range: 0s", &config));
    }

    fn host(&self, node: usize) -> String {
        match &self.network {
            Some(_) => Network::address(node),
            None if self.is_ipv6 => "::1".to_owned(),
            None => "127.0.0.1".to_owned(),
        }
    }

    /// As others find it.
    fn seed(&self, node: usize) -> String {
        match &self.network {
            Some(_) => Network::address(node),
            None if self.is_ipv6 => "[::1]".to_owned(),
            // Looked up, as the name of a service would be.
            None => "localhost".to_owned(),
        }
    }

    pub fn house(&self, node: usize) -> &House {
        self.houses[node].as_ref().unwrap()
    }

    pub fn up(&self) -> impl Iterator<Item = &House> {
        self.houses.iter().flatten()
    }

    /// Waits until each node that is up sees so many active ones that answer.
    pub fn wait_for(&self, count: usize) {
        for house in self.up() {
            house.wait_until("all nodes are active", || {
                let (status, text) = house.says("/ring?format=json");
                assert_eq!(status, 200, "{text}");
                active(&text) == count
            });
        }
    }

    /// Every span is found from each node that is up, and none twice.
    pub fn check(&self, spans: &Spans, when: &str) {
        for house in self.up() {
            check(house, &some_traces(spans, MOST), when);
        }
    }

    /// Every node counts the same spans, what was acknowledged among them. (Of what was refused some nodes may have kept
    /// their part.)
    pub fn counts(&self, spans: &Spans, when: &str) {
        let counts: Vec<usize> = self.up().map(counted).collect();
        assert!(counts.iter().all(|count| *count >= spans.len()), "{when}: {counts:?}, {}", spans.len());
        assert!(counts.windows(2).all(|pair| pair[0] == pair[1]), "{when}: {counts:?}");
    }

    /// SIGTERM, and waits for the end.
    pub fn stop(&mut self, node: usize) {
        self.houses[node].take().unwrap().stop();
    }
}

/// Spans that a node counts in the whole cluster.
pub fn counted(house: &House) -> usize {
    let (status, count) = counts(house);
    assert_ne!(status, "PARTIAL", "{count}");
    count
}

/// Spans that a node counts, and what it says of its answer.
pub fn counts(house: &House) -> (String, usize) {
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
pub fn load(house: &House, seed: u64, spans: usize) -> Spans {
    load_to((&house.host, house.otlp), None, seed, |count| {
        house.wait_until("spans are acknowledged", || count() >= spans);
    })
}
