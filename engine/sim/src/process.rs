//! A process of a node: membership, the ring and the steps, driven as the server's shell drives them
//! (`engine/server/src/cluster/gossip.rs`), and what pushes and reads it has under way.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use rand::RngExt;
use spanloom_ingest::replicate::errand::Fruitless;
use spanloom_ingest::replicate::rounds::Rounds;
use spanloom_peer::{Cluster, Node, PeerError, TenantRings};
use spanloom_ring::lifecycle::{Decision, Lifecycle, Settings as Steps, Stage, View};
use spanloom_ring::{MemberState, NodeIndex, Roles, Zone};
use spanloom_swim::places::{self, Rings};
use spanloom_swim::{Change, Effect, Effects, Identity, Now, Record, Seed, Swim};
use spanloom_wal::disk::{Disk, SimDisk, write_file_durably};

use crate::calls::{Call, Purpose, Question};
use crate::machine::{MachineId, machine_at};
use crate::mend::{Mending, Why};
use crate::push::Pushing;
use crate::queue::{Event, Outside, Timer};
use crate::read::Reading;
use crate::store::Store;
use crate::world::{SimError, World};

/// News that come within this time are made one ring.
const PUBLISH_EVERY_MS: u64 = 20;

/// What is known is kept on disk so long after it changed.
const KEEP_AFTER_MS: u64 = 2_000;

/// What a node lacks is fetched so long after something happened.
const MEND_AFTER_MS: u64 = 2_000;

/// Differences that are known to bring nothing.
const FRUITLESS: usize = 4_096;

/// Exchanges of state that are under way at once.
const EXCHANGES: usize = 8;

const TOKENS_FILE: &str = "cluster.tokens";
const STATE_FILE: &str = "cluster.state";

/// One process.
pub struct Process {
    /// Tells it from all others.
    pub life: u64,
    /// Who else is there.
    pub swim: Swim,
    /// Which step when.
    pub lifecycle: Lifecycle,
    rings: Rings,
    view: View,
    /// The cluster as it sees it.
    pub cluster: Arc<Cluster>,
    met: bool,
    dirty_since_ms: Option<u64>,
    unkept_since_ms: Option<u64>,
    /// When the steps are to be looked at though nothing changed.
    decide_at_ms: Option<u64>,
    /// When it is woken.
    wake_at_ms: Option<u64>,
    ends: bool,
    /// Its spans.
    pub store: Store,
    /// What it brings to owners.
    pub pushes: BTreeMap<u64, Pushing>,
    /// What it reads.
    pub reads: BTreeMap<u64, Reading>,
    /// What it asked.
    pub calls: BTreeMap<u64, Call>,
    /// Bytes of shares on the way to others.
    pub on_the_way: BTreeMap<MachineId, usize>,
    /// What it hands over.
    pub giving: Option<Mending>,
    /// What it fetches.
    pub fetching: Option<Mending>,
    /// When it fetches what it lacks.
    pub rounds: Rounds,
    /// Where there was nothing to fetch.
    pub fruitless: Fruitless,
}

impl Process {
    /// Bytes have arrived, or never will.
    pub fn arrived(&mut self, to: MachineId, bytes: usize) {
        if let Some(sum) = self.on_the_way.get_mut(&to) {
            *sum -= bytes;
            if *sum == 0 {
                self.on_the_way.remove(&to);
            }
        }
    }

    /// It is to leave; the steps follow.
    pub fn leave(&mut self, now_ms: u64) {
        self.lifecycle.leave();
        self.decide_at_ms = Some(now_ms);
    }

    /// A hook of its steps has returned.
    pub fn worked(&mut self, now_ms: u64, monotonic_ms: u64, is_done: bool) {
        self.lifecycle.on_work(monotonic_ms, is_done);
        self.decide_at_ms = Some(now_ms);
    }

    /// The hook for a node that is being removed has returned.
    pub fn fetched(&mut self, now_ms: u64, monotonic_ms: u64, is_done: bool) {
        self.lifecycle.on_fetched(monotonic_ms, is_done);
        self.decide_at_ms = Some(now_ms);
    }

    /// Whether it takes part for good.
    pub fn is_settled(&self) -> bool {
        self.lifecycle.stage() == Stage::Active
    }
}

impl World {
    /// Starts a machine's process, with what its disk has.
    pub(crate) fn start(&mut self, on: MachineId) -> Result<(), SimError> {
        let seed = self.rng.random();
        let skew_ms = self.rng.random_range(-self.settings.skew_ms..=self.settings.skew_ms);
        let seeds = self.seeds(on);
        let life = self.number();
        let machine = &mut self.machines[on];
        machine.skew_ms = skew_ms;
        let now = machine.clocks(self.now_ms);
        let store = Store::open(machine.disk.clone(), &self.tenant, now.unix_ms, life)?;
        let tokens = tokens_of(&machine.disk);
        let identity = Identity::new(machine.name.clone(), now.unix_ms, machine.address)?;
        let swim = Swim::new(now, identity, record(on), self.settings.gossip.clone(), seed)?;
        let steps = Steps {
            me: machine.name.clone(),
            zone: Zone::none(),
            roles: Roles::ALL,
            ring: self.settings.ring,
            tokens: self.settings.tokens,
            settle_ms: self.settings.settle_ms,
            join_wait_ms: 10_000,
            founds: seeds.is_empty(),
            forget_after_ms: None,
        };
        let rings = Rings::new(self.settings.ring, now.unix_ms)?;
        let cluster = Arc::new(Cluster::of_nobody(rings.ring().clone()));
        let state = machine.disk.read(STATE_FILE).ok();
        machine.process = Some(Process {
            life,
            swim: swim.silent(),
            lifecycle: Lifecycle::new(now.monotonic_ms, steps, tokens),
            rings,
            view: View::default(),
            cluster,
            met: false,
            dirty_since_ms: Some(self.now_ms),
            unkept_since_ms: None,
            decide_at_ms: Some(self.now_ms),
            wake_at_ms: None,
            ends: false,
            store,
            pushes: BTreeMap::new(),
            reads: BTreeMap::new(),
            calls: BTreeMap::new(),
            on_the_way: BTreeMap::new(),
            giving: None,
            fetching: None,
            rounds: Rounds::new(self.settings.mend_every_ms, MEND_AFTER_MS),
            fruitless: Fruitless::new(FRUITLESS),
        });
        self.course.say(self.now_ms, None, || format!("n{on} starts, its clock off by {skew_ms} ms"));
        self.gossip(on, |swim, now, effects| {
            if let Some(state) = state {
                // A state that cannot be used is set aside; it is whole or not at all, so there is none here.
                let _ = swim.merge_full_state(now, &state, effects);
            }
            swim.join(now, seeds, effects);
        });
        self.timer(on, 1, Timer::Look);
        Ok(())
    }

    /// Whom a machine asks to be let in: some that run, as a name that stands for all would tell.
    fn seeds(&mut self, on: MachineId) -> Vec<Seed> {
        let others = (0..self.machines.len()).filter(|other| *other != on && self.runs(*other));
        let mut others: Vec<MachineId> = others.collect();
        let mut seeds = Vec::new();
        while seeds.len() < 3 && !others.is_empty() {
            let other = others.swap_remove(self.rng.random_range(0..others.len()));
            seeds.push(Seed::Address(self.machines[other].address));
        }
        seeds
    }

    /// Calls a node's gossip, does what it wants, and goes on with the steps.
    pub(crate) fn gossip(&mut self, on: MachineId, call: impl FnOnce(&mut Swim, Now, &mut Effects)) {
        self.call_gossip(on, call);
        self.go_on(on);
    }

    fn call_gossip(&mut self, on: MachineId, call: impl FnOnce(&mut Swim, Now, &mut Effects)) {
        let machine = &mut self.machines[on];
        let now = machine.clocks(self.now_ms);
        let Some(process) = &mut machine.process else { return };
        let mut effects = Effects::new();
        call(&mut process.swim, now, &mut effects);
        for effect in effects.drain() {
            self.act(on, effect);
        }
    }

    fn act(&mut self, on: MachineId, effect: Effect) {
        match effect {
            Effect::Send { to, bytes } => {
                let Some(to) = machine_at(to) else { return };
                for _ in 0..self.network.copies(&mut self.rng) {
                    let at_ms = self.now_ms + self.network.delay(&mut self.rng);
                    self.queue.put(at_ms, Event::Datagram { from: on, to, bytes: bytes.clone() });
                }
            }
            // Seeds are addresses here.
            Effect::Resolve { .. } => {}
            Effect::PushPull { peer, .. } => {
                let Some(process) = &self.machines[on].process else { return };
                let exchanges =
                    process.calls.values().filter(|call| call.purpose == Purpose::Members).count();
                let to = peer.parse().ok().and_then(machine_at);
                if let Some(to) = to.filter(|_| exchanges < EXCHANGES) {
                    let known = process.swim.full_state().into();
                    self.ask(on, to, Question::Members(known), Purpose::Members);
                }
            }
            Effect::Changed(change) => {
                if !matches!(change, Change::Record(_)) {
                    self.course.say(self.now_ms, None, || format!("n{on}: {change}"));
                }
                let Some(process) = &mut self.machines[on].process else { return };
                process.ends |= change == Change::Left;
                process.dirty_since_ms.get_or_insert(self.now_ms);
            }
        }
    }

    /// Another node's state for ours.
    pub(crate) fn exchange(&mut self, on: MachineId, known: &[u8]) -> Result<Bytes, PeerError> {
        let mut merged = Ok(());
        self.call_gossip(on, |swim, now, effects| merged = swim.merge_full_state(now, known, effects));
        merged.map_err(|error| PeerError::Invalid(error.to_string()))?;
        let machine = &mut self.machines[on];
        let gone = || PeerError::Unavailable("the node has left the cluster".into());
        let process = machine.process.as_mut().ok_or_else(gone)?;
        (process.met, machine.has_met) = (true, true);
        process.dirty_since_ms.get_or_insert(self.now_ms);
        let state = Bytes::from(process.swim.full_state());
        self.go_on(on);
        Ok(state)
    }

    /// Does what is due, and sees to being woken.
    pub(crate) fn go_on(&mut self, on: MachineId) {
        let machine = &self.machines[on];
        let Some(process) = &machine.process else { return };
        let now = machine.clocks(self.now_ms);
        if process.swim.next_deadline().is_some_and(|due| due <= now.monotonic_ms) {
            self.call_gossip(on, |swim, now, effects| swim.on_time(now, effects));
        }
        self.step(on);
        let ends = self.machines[on].process.as_ref().is_some_and(|process| process.ends);
        if ends {
            return self.ended(on);
        }
        self.wake_in_time(on);
    }

    fn wake_in_time(&mut self, on: MachineId) {
        let machine = &mut self.machines[on];
        let gossip = machine.process.as_ref().and_then(|process| process.swim.next_deadline());
        let gossip = gossip.map(|due| machine.moment_of(due));
        let Some(process) = &mut machine.process else { return };
        let due = [
            gossip,
            process.decide_at_ms,
            process.dirty_since_ms.map(|since| since + PUBLISH_EVERY_MS),
            process.unkept_since_ms.map(|since| since + KEEP_AFTER_MS),
        ];
        let Some(due) = due.into_iter().flatten().min() else { return };
        // A moment that is past, by rounding, must not stop time.
        let due = due.max(self.now_ms + 1);
        if process.wake_at_ms.is_none_or(|wake| due < wake || wake <= self.now_ms) {
            process.wake_at_ms = Some(due);
            let life = process.life;
            self.queue.put(due, Event::Wake { on, life });
        }
    }

    /// A process is woken.
    pub(crate) fn on_wake(&mut self, on: MachineId, life: u64) {
        let Some(process) = &mut self.machines[on].process else { return };
        if process.life != life || process.wake_at_ms.is_none_or(|wake| wake > self.now_ms) {
            return;
        }
        process.wake_at_ms = None;
        self.go_on(on);
    }

    fn step(&mut self, on: MachineId) {
        let now_ms = self.now_ms;
        let machine = &mut self.machines[on];
        let now = machine.clocks(now_ms);
        let Some(process) = &mut machine.process else { return };
        let is_due = |since: Option<u64>, after_ms| since.is_some_and(|since| now_ms >= since + after_ms);
        let has_news = is_due(process.dirty_since_ms, PUBLISH_EVERY_MS);
        if has_news {
            self.publish(on);
        }
        let machine = &mut self.machines[on];
        let Some(process) = &mut machine.process else { return };
        if has_news || process.decide_at_ms.is_some_and(|at| at <= now_ms) {
            let decision = process.lifecycle.decide(now.monotonic_ms, &process.view);
            let next = process.lifecycle.next_deadline(now.monotonic_ms);
            let next = next.map(|due| machine.moment_of(due));
            if let Some(process) = &mut machine.process {
                process.decide_at_ms = next;
            }
            if let Some(decision) = decision {
                self.take_step(on, decision);
                self.publish(on);
                if let Some(process) = &mut self.machines[on].process {
                    // Once more, with the step that was taken in view.
                    process.decide_at_ms.get_or_insert(now_ms + 1);
                }
            }
        }
        let machine = &mut self.machines[on];
        if let Some(process) = &mut machine.process
            && is_due(process.unkept_since_ms, KEEP_AFTER_MS)
        {
            process.unkept_since_ms = None;
            keep_file(&machine.disk, STATE_FILE, &process.swim.full_state());
        }
    }

    fn publish(&mut self, on: MachineId) {
        let machine = &mut self.machines[on];
        let now = machine.clocks(self.now_ms);
        let Some(process) = &mut machine.process else { return };
        process.dirty_since_ms = None;
        let members = process.swim.members();
        let changed = process.rings.update(&members, now.unix_ms);
        if changed {
            process.unkept_since_ms.get_or_insert(self.now_ms);
            let fingerprint = process.rings.ring().fingerprint();
            self.course.event(self.now_ms, b'r', [on as u64, fingerprint, 0]);
        }
        process.view = places::seen(&members, process.swim.held(), process.met);
        let ring = process.rings.ring();
        let by_name: BTreeMap<_, _> = members.iter().map(|member| (member.identity.name(), member)).collect();
        let (mut me, mut nodes) = (None, Vec::new());
        for (at, on_ring) in ring.nodes().zip(ring.members()) {
            let Some(member) = by_name.get(on_ring.name()) else { return };
            me = if member.me && process.lifecycle.stage() != Stage::Looking { Some(at) } else { me };
            nodes.push(Node {
                name: on_ring.name().clone(),
                peer: Arc::clone(&self.nobody),
                is_up: member.status.is_up(),
                generation: member.identity.generation(),
            });
        }
        process.cluster =
            Arc::new(Cluster { ring: ring.clone(), nodes, me, tenants: TenantRings::default() });
        process.rounds.look(self.now_ms, &process.cluster);
        if !changed {
            return;
        }
        self.course.say(self.now_ms, None, || {
            let members = ring.members().iter().filter(|member| member.state() != MemberState::Left);
            let of = members.map(|member| format!("{} {}", member.name(), member.state().as_str()));
            format!("n{on} sees {}", of.collect::<Vec<_>>().join(", "))
        });
    }

    fn take_step(&mut self, on: MachineId, decision: Decision) {
        self.course.event(self.now_ms, b's', [on as u64, kind_of(&decision), 0]);
        match decision {
            Decision::Announce(state, tokens) => self.announce(on, state, tokens),
            Decision::TakeOver(_) => self.fetch(on, Why::Joining),
            Decision::Fetch(_) => self.fetch(on, Why::Removal),
            Decision::HandOver(_) => self.hand_over(on),
            Decision::Remove(name, state) => self.call_gossip(on, |swim, now, effects| {
                // Refused where the node is back.
                let _ = swim.remove(now, &name, state, effects);
            }),
            Decision::Leave => {
                self.course.say(self.now_ms, None, || format!("n{on} leaves"));
                self.call_gossip(on, |swim, now, effects| swim.leave(now, effects));
            }
            Decision::Stop => {
                self.course.say(self.now_ms, None, || format!("n{on} stops and keeps its place"));
                if let Some(process) = &mut self.machines[on].process {
                    process.ends = true;
                }
            }
        }
    }

    fn announce(&mut self, on: MachineId, state: MemberState, tokens: Vec<u32>) {
        self.course.say(self.now_ms, None, || format!("n{on} is {}", state.as_str()));
        let bytes: Vec<u8> = tokens.iter().flat_map(|token| token.to_le_bytes()).collect();
        keep_file(&self.machines[on].disk, TOKENS_FILE, &bytes);
        self.call_gossip(on, |swim, now, effects| {
            let record = Record { state, tokens, ..swim.record().clone() };
            // The tokens are sorted and few.
            let _ = swim.set_record(now, record, effects);
        });
        let machine = &self.machines[on];
        if let Some(process) = &machine.process {
            keep_file(&machine.disk, STATE_FILE, &process.swim.full_state());
        }
    }

    /// A process has ended by itself: it has left, or keeps its place and is started again.
    fn ended(&mut self, on: MachineId) {
        let machine = &mut self.machines[on];
        let Some(process) = machine.process.take() else { return };
        machine.disk.kill();
        let has_left = process.swim.record().state == MemberState::Left;
        (machine.is_gone, machine.is_leaving) = (has_left, false);
        self.course.event(self.now_ms, b'e', [on as u64, u64::from(has_left), 0]);
        if has_left {
            self.figures.leaves += 1;
        } else {
            self.queue.put(self.now_ms + 1_000, Event::Outside(Outside::Start(on)));
        }
    }

    /// Which machine a node of a cluster runs on.
    pub(crate) fn machine_of(cluster: &Cluster, node: NodeIndex) -> MachineId {
        // Names are given by the world: `n` and the number.
        cluster.node(node).name.as_str()[1..].parse().unwrap_or(MachineId::MAX)
    }
}

fn kind_of(decision: &Decision) -> u64 {
    match decision {
        Decision::Announce(state, _) => 10 + *state as u64,
        Decision::TakeOver(_) => 1,
        Decision::Fetch(_) => 6,
        Decision::HandOver(_) => 2,
        Decision::Remove(..) => 3,
        Decision::Leave => 4,
        Decision::Stop => 5,
    }
}

fn record(on: MachineId) -> Record {
    let address = crate::machine::address(on);
    Record {
        state: MemberState::Joining,
        roles: Roles::ALL,
        zone: Zone::none(),
        peer: address.to_string(),
        api: String::new(),
        tokens: Vec::new(),
    }
}

fn tokens_of(disk: &SimDisk) -> Vec<u32> {
    let bytes = disk.read(TOKENS_FILE).unwrap_or_default();
    bytes.chunks_exact(4).map(|four| u32::from_le_bytes([four[0], four[1], four[2], four[3]])).collect()
}

fn keep_file(disk: &SimDisk, name: &str, bytes: &[u8]) {
    // Without the file a restart hears from the others what it was.
    let _ = write_file_durably(disk, "", name, &[bytes]);
}
