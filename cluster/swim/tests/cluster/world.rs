//! A cluster in one thread: nodes with clocks of their own, and a network that loses, delays, doubles and parts, all
//! by one seed.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::net::SocketAddr;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use spanloom_swim::*;

/// What the network does, to each datagram by itself.
#[derive(Debug, Clone, Copy)]
pub struct Network {
    /// Lost, in thousandths.
    pub loss: u32,
    /// Come twice, in thousandths.
    pub doubled: u32,
    /// On the way, at least and below; so they overtake each other.
    pub delay_ms: (u64, u64),
    /// Whether full state is exchanged; without, the cluster lives from datagrams alone.
    pub push_pull: bool,
}

pub const CALM: Network = Network { loss: 0, doubled: 0, delay_ms: (1, 4), push_pull: true };
pub const ROUGH: Network = Network { loss: 50, doubled: 20, delay_ms: (1, 60), push_pull: true };

/// One process.
pub struct Node {
    pub swim: Swim,
    /// What its clocks are off by: since the start, and in millionths.
    skew_ms: i64,
    drift_ppm: i64,
    pub changes: Vec<(u64, Change)>,
    /// Which side of a partition it is on.
    pub side: u8,
    /// A process that stands still reads and does nothing.
    paused: bool,
}

enum Event {
    Datagram { from: SocketAddr, to: SocketAddr, bytes: Vec<u8> },
    State { from: String, to: String, bytes: Vec<u8>, answer: bool },
}

/// All of it.
pub struct World {
    pub now_ms: u64,
    pub network: Network,
    pub rng: StdRng,
    pub nodes: BTreeMap<SocketAddr, Node>,
    queue: BinaryHeap<Reverse<(u64, u64)>>,
    events: BTreeMap<u64, Event>,
    sequence: u64,
    pub options: Options,
    /// Everything that happened, as bytes, when somebody wants them.
    pub log: Option<Vec<u8>>,
}

const UNIX_MS: u64 = 1_790_000_000_000;

pub fn address(at: usize) -> SocketAddr {
    SocketAddr::from(([10, 0, (at / 250) as u8, (at % 250) as u8 + 1], 7946))
}

pub fn name(at: usize) -> NodeName {
    NodeName::new(&format!("ingest-{at}")).unwrap()
}

pub fn record(address: SocketAddr, tokens: u32) -> Record {
    Record {
        state: MemberState::Active,
        roles: Roles::INGESTER,
        zone: Zone::new("eu-1a").unwrap(),
        peer: format!("{}:7947", address.ip()),
        api: format!("{}:3200", address.ip()),
        tokens: (0..tokens).map(|at| at * (u32::MAX / tokens.max(1)) + u32::from(address.port())).collect(),
    }
}

impl World {
    pub fn new(seed: u64, network: Network, options: Options) -> Self {
        Self {
            now_ms: 0,
            network,
            rng: StdRng::seed_from_u64(seed),
            nodes: BTreeMap::new(),
            queue: BinaryHeap::new(),
            events: BTreeMap::new(),
            sequence: 0,
            options,
            log: None,
        }
    }

    /// A cluster of `count` nodes on the LAN preset, sealed, started within a second.
    pub fn lan(seed: u64, count: usize, network: Network) -> Self {
        let seal = Seal::Keys(vec![Key::new(&[9; 32]).unwrap()]);
        let options = Options { label: "test".into(), seal, ..Options::lan(count) };
        let mut world = Self::new(seed, network, options);
        for at in 0..count {
            world.start(at);
            world.run(1000 / count as u64);
        }
        world
    }

    pub fn start(&mut self, at: usize) {
        self.start_as(name(at), address(at), 128, 0);
    }

    /// Starts a process that says nothing of itself yet.
    pub fn start_silent(&mut self, at: usize) {
        self.start_with(name(at), address(at), 1, 0, Swim::silent);
    }

    /// Starts a process; its clock of the day is behind by `behind_ms` more than chance has it.
    pub fn start_as(&mut self, name: NodeName, address: SocketAddr, tokens: u32, behind_ms: i64) {
        self.start_with(name, address, tokens, behind_ms, |swim| swim);
    }

    fn start_with(
        &mut self,
        name: NodeName,
        address: SocketAddr,
        tokens: u32,
        behind_ms: i64,
        made: fn(Swim) -> Swim,
    ) {
        let skew_ms = self.rng.random_range(-200..200) - behind_ms;
        let drift_ppm = self.rng.random_range(-100..100);
        let now = clocks(self.now_ms, skew_ms, drift_ppm);
        let identity = Identity::new(name, now.unix_ms, address).unwrap();
        let seed = self.rng.random();
        let swim = Swim::new(now, identity, record(address, tokens), self.options.clone(), seed).unwrap();
        let swim = made(swim);
        let node = Node { swim, skew_ms, drift_ppm, changes: Vec::new(), side: 0, paused: false };
        self.nodes.insert(address, node);
        self.call(address, |swim, now, fx| {
            let seeds = (0..3).map(|at| Seed::Address(self::address(at))).collect();
            swim.join(now, seeds, fx);
        });
    }

    /// Ends a process without a word.
    pub fn crash(&mut self, at: usize) {
        self.nodes.remove(&address(at));
    }

    pub fn pause(&mut self, at: usize, paused: bool) {
        self.nodes.get_mut(&address(at)).unwrap().paused = paused;
    }

    pub fn part(&mut self, side_of: impl Fn(usize) -> u8) {
        for (at, node) in self.nodes.values_mut().enumerate() {
            node.side = side_of(at);
        }
    }

    /// Calls a node and does its effects.
    pub fn call(&mut self, address: SocketAddr, call: impl FnOnce(&mut Swim, Now, &mut Effects)) {
        let Some(node) = self.nodes.get_mut(&address) else { return };
        let now = clocks(self.now_ms, node.skew_ms, node.drift_ppm);
        let mut fx = Effects::new();
        call(&mut node.swim, now, &mut fx);
        for effect in fx.drain() {
            if let Some(log) = &mut self.log {
                log.extend(format!("{} {address} {effect:?}\n", self.now_ms).bytes());
            }
            self.act(address, effect);
        }
    }

    fn act(&mut self, from: SocketAddr, effect: Effect) {
        match effect {
            Effect::Send { to, bytes } => {
                assert!(bytes.len() <= self.options.max_packet, "a datagram of {} bytes", bytes.len());
                let copies = if self.chance(self.network.doubled) { 2 } else { 1 };
                for _ in 0..copies {
                    if !self.chance(self.network.loss) {
                        self.put(Event::Datagram { from, to, bytes: bytes.clone() });
                    }
                }
            }
            Effect::PushPull { peer, .. } if self.network.push_pull => {
                let Some(node) = self.nodes.get(&from) else { return };
                let (bytes, from) = (node.swim.full_state(), node.swim.record().peer.clone());
                self.put(Event::State { from, to: peer, bytes, answer: false });
            }
            Effect::PushPull { .. } | Effect::Resolve { .. } => {}
            Effect::Changed(change) => {
                if let Some(node) = self.nodes.get_mut(&from) {
                    node.changes.push((self.now_ms, change));
                }
            }
        }
    }

    fn chance(&mut self, thousandths: u32) -> bool {
        self.rng.random_range(0..1000) < thousandths
    }

    fn put(&mut self, event: Event) {
        let (least, below) = self.network.delay_ms;
        let at = self.now_ms + self.rng.random_range(least..below);
        self.sequence += 1;
        self.queue.push(Reverse((at, self.sequence)));
        self.events.insert(self.sequence, event);
    }

    /// Lets time pass.
    pub fn run(&mut self, ms: u64) {
        let end = self.now_ms + ms;
        loop {
            let deadline = self.nodes.iter().filter(|(_, node)| !node.paused);
            let deadline = deadline.filter_map(|(address, node)| Some((node.due()?, *address))).min();
            let event = self.queue.peek().map(|next| next.0.0);
            let next = deadline.map(|(at, _)| at).into_iter().chain(event).min().unwrap_or(u64::MAX);
            if next > end {
                self.now_ms = end;
                return;
            }
            self.now_ms = self.now_ms.max(next);
            if event == Some(next) {
                self.deliver();
            } else if let Some((_, address)) = deadline {
                self.call(address, |swim, now, fx| swim.on_time(now, fx));
            }
        }
    }

    fn deliver(&mut self) {
        let Some(Reverse((_, sequence))) = self.queue.pop() else { return };
        match self.events.remove(&sequence) {
            Some(Event::Datagram { from, to, bytes }) if self.reaches(from, to) => {
                self.call(to, |swim, now, fx| swim.on_datagram(now, from, &bytes, fx));
            }
            Some(Event::State { from, to, bytes, answer }) => self.exchange(&from, &to, &bytes, answer),
            _ => {}
        }
    }

    fn reaches(&self, from: SocketAddr, to: SocketAddr) -> bool {
        let (Some(one), Some(two)) = (self.nodes.get(&from), self.nodes.get(&to)) else { return false };
        one.side == two.side && !two.paused
    }

    fn exchange(&mut self, from: &str, to: &str, bytes: &[u8], answer: bool) {
        let find = |peer: &str| {
            let mut nodes = self.nodes.iter();
            nodes.find(|(_, node)| node.swim.record().peer == peer).map(|(address, _)| *address)
        };
        let (Some(source), Some(target)) = (find(from), find(to)) else { return };
        if !self.reaches(source, target) {
            return;
        }
        self.call(target, |swim, now, fx| swim.merge_full_state(now, bytes, fx).unwrap());
        if !answer {
            let bytes = self.nodes[&target].swim.full_state();
            self.put(Event::State { from: to.into(), to: from.into(), bytes, answer: true });
        }
    }

    /// Runs until `holds`, looking every 50 ms; how long it took. Says what is wrong after `within_ms`.
    #[track_caller]
    pub fn until(&mut self, within_ms: u64, holds: impl Fn(&Self) -> Result<(), String>) -> u64 {
        let start = self.now_ms;
        loop {
            match holds(self) {
                Ok(()) => return self.now_ms - start,
                Err(wrong) if self.now_ms - start >= within_ms => {
                    panic!("after {} ms of virtual time: {wrong}", self.now_ms - start)
                }
                Err(_) => self.run(50),
            }
        }
    }

    /// All processes that run see just each other, and each other's newest records.
    pub fn agreed(&self) -> Result<(), String> {
        for (address, node) in &self.nodes {
            let members = node.swim.members();
            let up = members.iter().filter(|member| member.status == Status::Up);
            let seen: BTreeMap<_, _> = up.map(|member| (member.identity.address(), member)).collect();
            for (other, process) in &self.nodes {
                let member = seen.get(other).ok_or_else(|| format!("{address} does not see {other}"))?;
                if member.identity != *process.swim.identity() {
                    let is = process.swim.identity();
                    return Err(format!("{address} sees {} where {is} is", member.identity));
                }
                if member.record.as_deref() != Some(process.swim.record()) || member.tokens_pending {
                    return Err(format!("{address} has an old record of {other}"));
                }
            }
            if seen.len() != self.nodes.len() {
                return Err(format!("{address} sees {} nodes of {}", seen.len(), self.nodes.len()));
            }
        }
        Ok(())
    }

    /// Whether all that run have a node as `status`.
    pub fn all_see(&self, who: &NodeName, status: Status) -> Result<(), String> {
        for (address, node) in &self.nodes {
            let members = node.swim.members();
            let found = members.iter().find(|member| member.identity.name() == who);
            if found.is_none_or(|member| member.status != status) {
                return Err(format!("{address} sees {who} as {:?}", found.map(|member| member.status)));
            }
        }
        Ok(())
    }

    /// How often a node that ran was declared down.
    pub fn false_alarms(&self) -> usize {
        let all = self.nodes.values().flat_map(|node| &node.changes);
        all.filter(|(_, change)| matches!(change, Change::Renewed(_))).count()
    }
}

impl Node {
    /// When its next timer is due, by the world's clock.
    fn due(&self) -> Option<u64> {
        let wanted = self.swim.next_deadline()?;
        let mut at = wanted.saturating_sub(MONOTONIC_START);
        at = (at as i64 - at as i64 * self.drift_ppm / 1_000_000 - 2).max(0) as u64;
        while clocks(at, 0, self.drift_ppm).monotonic_ms < wanted {
            at += 1;
        }
        Some(at)
    }
}

const MONOTONIC_START: u64 = 5_000_000;

fn clocks(now_ms: u64, skew_ms: i64, drift_ppm: i64) -> Now {
    let passed = now_ms as i64 + now_ms as i64 * drift_ppm / 1_000_000;
    let unix_ms = (UNIX_MS as i64 + passed + skew_ms) as u64;
    Now { monotonic_ms: MONOTONIC_START + passed as u64, unix_ms }
}
