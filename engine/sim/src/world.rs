//! All of it: machines, network, clients, and the loop that lets time pass.

use std::sync::Arc;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use spanloom_peer::{
    Answer, BlockList, FindTrace, ListBlocks, Peer, PeerError, Push, Pushed, ReadBlock, TraceCopy,
};
use spanloom_ring::{NodeName, Tokens};
use spanloom_span::{Tenant, TraceId};

use crate::clients::Promises;
use crate::course::Course;
use crate::machine::{Machine, MachineId};
use crate::network::Network;
use crate::push::INFLIGHT_BYTES;
use crate::queue::{Event, Outside, Queue, Timer};
use crate::settings::Settings;
use crate::store::{HARD_BYTES, SEGMENT_BYTES, SOFT_BYTES};
use crate::trouble::Phase;

/// What the code under test said that it must not say in a world whose disks lose only what was not synced.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // each is an error of one crate
pub enum SimError {
    #[error(transparent)]
    Swim(#[from] spanloom_swim::Error),
    #[error(transparent)]
    Ring(#[from] spanloom_ring::RingError),
    #[error(transparent)]
    Wal(#[from] spanloom_wal::WalError),
    #[error(transparent)]
    Block(#[from] spanloom_block::BlockError),
    #[error(transparent)]
    Bucket(#[from] spanloom_bucket::BucketError),
    #[error(transparent)]
    Slice(#[from] spanloom_span::slice::SliceError),
    #[error(transparent)]
    Proto(#[from] spanloom_span::proto::ProtoError),
    #[error("damaged: {0}")]
    Damaged(String),
}

/// Which promise is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// An answer that is said to be whole lacks an acknowledged span.
    Lost,
    /// A span is twice in an answer.
    Twice,
    /// A span that nobody sent, or not so.
    Invented,
    /// All is well, and an answer is not said to be whole.
    NotWhole,
    /// All is well for long, and an owner lacks spans.
    NoCopy,
    /// All is well for long, and nodes see different rings.
    NotAgreed,
    /// Something grew beyond its limit.
    Bound,
    /// Something failed that cannot.
    Failed,
}

/// A promise that was broken.
#[derive(Debug, Clone)]
pub struct Violation {
    /// When.
    pub at_ms: u64,
    /// Which.
    pub broken: Broken,
    /// The trace in question.
    pub trace: Option<TraceId>,
    /// What was found.
    pub what: String,
}

/// What happened, in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs)] // as they are called
pub struct Figures {
    pub acknowledged: u64,
    pub refused: u64,
    pub given_up: u64,
    pub whole: u64,
    pub partial: u64,
    pub crashes: u64,
    pub joins: u64,
    pub leaves: u64,
    /// Spans that a node keeps in place of an owner.
    pub stood_in: u64,
    /// Parts of traces of which a copy is kept by nobody.
    pub copies_missing: u64,
    /// Spans that were found missing somewhere, and brought.
    pub mended: u64,
    /// The longest time until all owners had all, since all agreed.
    pub mended_ms: u64,
    /// The longest time until all agreed.
    pub agreed_ms: u64,
}

/// The world of one run.
pub struct World {
    pub(crate) settings: Settings,
    pub(crate) now_ms: u64,
    pub(crate) rng: StdRng,
    pub(crate) queue: Queue,
    pub(crate) machines: Vec<Machine>,
    pub(crate) network: Network,
    pub(crate) promises: Promises,
    pub(crate) course: Course,
    pub(crate) figures: Figures,
    pub(crate) phase: Phase,
    /// Whether two nodes have died since the last storm.
    pub(crate) was_bereft: bool,
    pub(crate) tenant: Tenant,
    pub(crate) tokens: Tokens,
    pub(crate) nobody: Arc<dyn Peer>,
    numbers: u64,
    violation: Option<Violation>,
}

/// How a run ended.
pub struct Ended {
    /// Simulated time.
    pub ms: u64,
    /// Events.
    pub events: u64,
    /// Names the course of events.
    pub hash: u64,
    /// In numbers.
    pub figures: Figures,
    /// What was wrong, if anything was.
    pub violation: Option<Violation>,
    /// The last events, when they were watched.
    pub lines: Vec<String>,
}

/// Most events that wait, datagrams on the way among them.
const QUEUE_MOST: usize = 100_000;

/// Most requests, questions and calls of a process.
const UNDER_WAY_MOST: usize = 4_096;

/// The name of a machine's node.
pub fn name_of(machine: MachineId) -> NodeName {
    // A letter and a number are a name.
    NodeName::new(&format!("n{machine}")).unwrap_or_else(|_| unreachable!("n{machine} is a name"))
}

impl World {
    /// Nodes that are about to start.
    pub fn new(settings: Settings, watched: Option<TraceId>) -> Self {
        let tenant = Tenant::default();
        let mut world = Self {
            now_ms: 0,
            rng: StdRng::seed_from_u64(settings.seed),
            queue: Queue::default(),
            machines: Vec::new(),
            network: Network::new(),
            promises: Promises::default(),
            course: Course::new(watched),
            figures: Figures::default(),
            phase: Phase::Forming { since_ms: 1_000 },
            was_bereft: false,
            tokens: Tokens::of(&tenant),
            tenant,
            nobody: Arc::new(Nobody),
            numbers: 0,
            violation: None,
            settings,
        };
        for _ in 0..world.settings.nodes {
            let on = world.add_machine();
            let at_ms = world.rng.random_range(1..1_000);
            world.queue.put(at_ms, Event::Outside(Outside::Start(on)));
        }
        world.queue.put(1_000, Event::Outside(Outside::Look));
        world
    }

    /// Lets time pass until it is over, or a promise is broken.
    pub fn run(mut self, mut on_time: impl FnMut(u64)) -> Ended {
        while self.phase != Phase::Over && self.violation.is_none() {
            let Some((at_ms, event)) = self.queue.next() else { break };
            self.now_ms = at_ms;
            if self.course.events.is_multiple_of(1 << 16) {
                on_time(at_ms);
            }
            self.happen(event);
        }
        Ended {
            ms: self.now_ms,
            events: self.course.events,
            hash: self.course.hash(),
            figures: self.figures,
            violation: self.violation,
            lines: self.course.into_lines(),
        }
    }

    fn happen(&mut self, event: Event) {
        let now_ms = self.now_ms;
        let stands_still = |on: &MachineId| self.machines[*on].paused_until_ms > now_ms;
        if let Event::Wake { on, .. }
        | Event::Timer { on, .. }
        | Event::Datagram { to: on, .. }
        | Event::Message { to: on, .. } = &event
            && stands_still(on)
        {
            return self.queue.put(self.machines[*on].paused_until_ms, event);
        }
        match event {
            Event::Wake { on, life } => {
                self.course.event(now_ms, b'w', [on as u64, life, 0]);
                self.on_wake(on, life);
            }
            Event::Datagram { from, to, bytes } => {
                self.course.event_with(now_ms, b'd', [from as u64, to as u64], &bytes);
                if self.network.reaches(from, to) {
                    let address = self.machines[from].address;
                    self.gossip(to, |swim, now, effects| swim.on_datagram(now, address, &bytes, effects));
                }
            }
            Event::Message { from, to, message } => {
                self.course.event(now_ms, b'm', [from as u64, to as u64, 0]);
                self.on_message(from, to, message);
            }
            Event::Timer { on, life, timer } => {
                if self.machines[on].process.as_ref().is_some_and(|process| process.life == life) {
                    self.course.event(now_ms, b't', [on as u64, life, 0]);
                    self.on_timer(on, timer);
                }
            }
            Event::Outside(outside) => self.on_outside(outside),
        }
    }

    fn on_timer(&mut self, on: MachineId, timer: Timer) {
        match timer {
            Timer::Synced => self.on_synced(on),
            Timer::Look => self.on_look(on),
            Timer::Sealed => self.on_sealed(on),
            Timer::Slow(push) => self.on_slow(on, push),
            Timer::Late(push) => self.on_late(on, push),
            Timer::Expired(call) => self.on_expired(on, call),
            Timer::Enough(read) => self.on_enough(on, read),
            Timer::Hurry => self.seal_now(on),
            Timer::BringAgain { gives, number } => self.on_bring_again(on, gives, number),
            Timer::Worked(is_done) => {
                let machine = &mut self.machines[on];
                let now = machine.clocks(self.now_ms);
                if let Some(process) = &mut machine.process {
                    process.worked(self.now_ms, now.monotonic_ms, is_done);
                }
                self.go_on(on);
            }
            Timer::Fetched(is_done) => {
                let machine = &mut self.machines[on];
                let now = machine.clocks(self.now_ms);
                if let Some(process) = &mut machine.process {
                    process.fetched(self.now_ms, now.monotonic_ms, is_done);
                }
                self.go_on(on);
            }
        }
    }

    fn on_outside(&mut self, outside: Outside) {
        match outside {
            Outside::Start(on) => {
                let machine = &self.machines[on];
                if machine.process.is_none() && !machine.is_gone {
                    self.course.event(self.now_ms, b'S', [on as u64, 0, 0]);
                    if let Err(error) = self.start(on) {
                        self.breaks(error);
                    }
                }
            }
            Outside::Mend(change) => {
                if self.network.change == change {
                    self.course.say(self.now_ms, None, || "the network is mended".into());
                    self.network.mend();
                }
            }
            Outside::PushAgain(client) => self.client_pushes_again(client),
            Outside::Look => self.on_phase(),
            Outside::Push | Outside::Read | Outside::Trouble => {
                let Some(pause_ms) = self.pause_until_next(outside) else { return };
                self.queue.put(self.now_ms + pause_ms, Event::Outside(outside));
                match outside {
                    Outside::Push => self.client_pushes(),
                    Outside::Read => self.client_reads(),
                    _ => self.trouble(),
                }
            }
        }
    }

    /// A number that nothing else has.
    pub(crate) fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// Whether a process runs there.
    pub(crate) fn runs(&self, on: MachineId) -> bool {
        self.machines[on].process.is_some()
    }

    /// Sets a timer of the process that runs there.
    pub(crate) fn timer(&mut self, on: MachineId, after_ms: u64, timer: Timer) {
        if let Some(process) = &self.machines[on].process {
            self.queue.put(self.now_ms + after_ms, Event::Timer { on, life: process.life, timer });
        }
    }

    /// How long the next sync of a machine takes.
    pub(crate) fn sync_time(&mut self, on: MachineId) -> u64 {
        let (least, below) = self.machines[on].sync_ms;
        self.rng.random_range(least..below)
    }

    /// A node is told to leave.
    pub(crate) fn told_to_leave(&mut self, on: MachineId) {
        self.course.say(self.now_ms, None, || format!("n{on} is told to leave"));
        self.course.event(self.now_ms, b'l', [on as u64, 0, 0]);
        let machine = &mut self.machines[on];
        machine.is_leaving = true;
        if let Some(process) = &mut machine.process {
            process.leave(self.now_ms);
        }
        self.go_on(on);
    }

    /// A promise is broken.
    pub(crate) fn broken(&mut self, broken: Broken, trace: Option<TraceId>, what: String) {
        let at_ms = self.now_ms;
        self.course.say(at_ms, trace.as_ref(), || format!("VIOLATION {broken:?}: {what}"));
        self.violation.get_or_insert(Violation { at_ms, broken, trace, what });
    }

    /// Something failed that cannot.
    pub(crate) fn breaks(&mut self, error: SimError) {
        self.broken(Broken::Failed, None, error.to_string());
    }

    /// Why not all that run have the same ring, take part for good, and see just each other up.
    pub(crate) fn disagreement(&self) -> Option<String> {
        let mut ring = None;
        let there = self.machines.iter().filter(|machine| !machine.is_gone);
        let nodes = there.clone().count();
        for machine in there {
            let name = &machine.name;
            let Some(process) = &machine.process else { return Some(format!("{name} does not run")) };
            if !process.is_settled() {
                return Some(format!("{name} is {:?}", process.lifecycle.stage()));
            }
            let cluster = &process.cluster;
            let fingerprint = cluster.ring.fingerprint();
            let (first, of) = *ring.get_or_insert((fingerprint, name));
            if first != fingerprint {
                return Some(format!("{of} has ring {first:016x}, {name} {fingerprint:016x}"));
            }
            let up = cluster.nodes.iter().filter(|node| node.is_up).count();
            if up != nodes {
                return Some(format!("{name} sees {up} nodes up, expected {nodes}"));
            }
        }
        None
    }

    /// Holds what grows against its limits.
    pub(crate) fn check_bounds(&mut self) {
        let over = |what: &str, is: usize, most: usize| {
            (is > most).then(|| format!("{what}: {is}, expected at most {most}"))
        };
        let mut found = over("events that wait", self.queue.waiting(), QUEUE_MOST);
        for machine in &self.machines {
            let Some(process) = &machine.process else { continue };
            let (store, log) = (&process.store, process.store.log_figures());
            let under_way = process.pushes.len() + process.reads.len() + process.calls.len();
            let on_the_way = process.on_the_way.values().max().copied().unwrap_or(0);
            // What is sealed leaves a segment that something younger is in.
            let log_most = 8 * (HARD_BYTES as u64 + SEGMENT_BYTES);
            let of = [
                over("members", process.swim.members().len(), self.machines.len()),
                over("requests, questions and calls", under_way, UNDER_WAY_MOST),
                over("bytes on the way to one node", on_the_way, INFLIGHT_BYTES + SOFT_BYTES),
                over("live bytes", store.live_bytes, HARD_BYTES + SOFT_BYTES),
                over("bytes of the log", log.bytes as usize, log_most as usize),
            ];
            let of = of.into_iter().flatten().next().map(|what| format!("{}: {what}", machine.name));
            found = found.or(of);
        }
        if let Some(what) = found {
            self.broken(Broken::Bound, None, what);
        }
    }
}

/// Who is asked through a [`spanloom_peer::Cluster`] of the simulation, where nobody is: questions are messages.
struct Nobody;

impl Peer for Nobody {
    fn push(&self, _: Push) -> Answer<'_, Pushed> {
        Box::pin(async { Err(PeerError::Gone) })
    }

    fn find_trace(&self, _: FindTrace) -> Answer<'_, TraceCopy> {
        Box::pin(async { Err(PeerError::Gone) })
    }

    fn list_blocks(&self, _: ListBlocks) -> Answer<'_, BlockList> {
        Box::pin(async { Err(PeerError::Gone) })
    }

    fn read_block(&self, _: ReadBlock) -> Answer<'_, Vec<bytes::Bytes>> {
        Box::pin(async { Err(PeerError::Gone) })
    }

    fn exchange_members(&self, _: bytes::Bytes) -> Answer<'_, bytes::Bytes> {
        Box::pin(async { Err(PeerError::Gone) })
    }
}
