//! The task that drives a node: one datagram, timer or command after the other.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use spanloom_peer::{PeerError, TenantRings};
use spanloom_ring::lifecycle::{Decision, ForgetError, Lifecycle, Stage, View};
use spanloom_swim::places::{self, Rings};
use spanloom_swim::{Change, Effects, Load, MemberState, Now, Record, Swim};
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, oneshot};

use super::effects::{Flight, Work};
use super::identity::{Keeper, Kept};
use super::view::Connections;
use super::{ClusterOptions, HandOver, Shared};

/// Longest datagram of UDP.
const DATAGRAM_MAX: usize = 65_536;

/// Datagrams that are taken before timers and commands have their turn.
const DATAGRAMS_AT_ONCE: usize = 64;

/// News that come within this time are made one ring.
const PUBLISH_EVERY: Duration = Duration::from_millis(20);

/// What is known is kept on disk so long after it changed.
const KEEP_AFTER: Duration = Duration::from_secs(2);

/// How busy this node is is looked at so often, and what the pages show of others at least.
const LOAD_EVERY: Duration = Duration::from_secs(2);

/// The clocks are looked at so often though nothing is due.
const IDLE: Duration = Duration::from_secs(1);

/// What others want of the task.
pub(crate) enum Command {
    /// Another node's state for ours.
    Exchange { known: Bytes, reply: oneshot::Sender<Result<Bytes, PeerError>> },
    /// The answer to a state that was sent.
    Merge(Bytes),
    /// What a seed's name stands for.
    Resolved(Vec<SocketAddr>),
    /// A hook has returned.
    Worked(Work, Result<(), PeerError>),
    /// A node that is to be removed.
    Forget { name: String, reply: oneshot::Sender<Result<(), ForgetError>> },
    /// To leave and end.
    Leave,
    /// To end without a word.
    Stop,
}

/// One node.
pub(crate) struct Gossip {
    pub(super) options: ClusterOptions,
    pub(super) swim: Swim,
    pub(super) socket: UdpSocket,
    pub(super) connections: Connections,
    pub(super) flight: Flight,
    pub(super) hand_over: Arc<dyn HandOver>,
    pub(super) load: Box<dyn FnMut() -> Load + Send>,
    pub(super) load_due: Instant,
    pub(super) shared: Arc<Shared>,
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) lifecycle: Lifecycle,
    pub(super) rings: Rings,
    pub(super) keeper: Keeper,
    pub(super) view: View,
    pub(super) started: Instant,
    /// Whether all was exchanged with another node in this run.
    pub(super) met: bool,
    /// Whether there are news that are not published, and since when.
    pub(super) dirty: Option<Instant>,
    /// Since when there are news that are not on disk.
    pub(super) unkept: Option<Instant>,
    pub(super) ends: bool,
}

impl Gossip {
    /// Drives the node until it has left.
    pub(super) async fn run(mut self) {
        let mut effects = Effects::new();
        let mut buffer = vec![0; DATAGRAM_MAX];
        let now = self.now();
        self.swim.join(now, self.options.seeds.clone(), &mut effects);
        self.act(&mut effects);
        self.step();
        while !self.ends {
            let deadline = self.deadline();
            tokio::select! {
                received = self.socket.recv_from(&mut buffer) => {
                    self.take_datagrams(received, &mut buffer, &mut effects);
                }
                Some(command) = self.commands.recv() => self.obey(command, &mut effects),
                () = tokio::time::sleep_until(deadline.into()) => {}
            }
            if self.load_due <= Instant::now() {
                self.load_due = Instant::now() + LOAD_EVERY;
                self.swim.set_load((self.load)());
                self.news();
            }
            let now = self.now();
            self.swim.on_time(now, &mut effects);
            self.act(&mut effects);
            self.step();
        }
        self.keeper.end(self.swim.full_state()).await;
    }

    pub(super) fn now(&self) -> Now {
        now(self.started)
    }

    fn deadline(&self) -> Instant {
        let at = |ms: u64| self.started + Duration::from_millis(ms);
        let monotonic_ms = self.now().monotonic_ms;
        let timers = [
            self.swim.next_deadline().map(at),
            self.lifecycle.next_deadline(monotonic_ms).map(at),
            self.dirty.map(|since| since + PUBLISH_EVERY),
            self.unkept.map(|since| since + KEEP_AFTER),
            Some(self.load_due),
        ];
        timers.into_iter().flatten().min().unwrap_or_else(|| Instant::now() + IDLE)
    }

    fn take_datagrams(
        &mut self,
        first: std::io::Result<(usize, SocketAddr)>,
        buffer: &mut [u8],
        effects: &mut Effects,
    ) {
        let mut received = first;
        for _ in 0..DATAGRAMS_AT_ONCE {
            match received {
                Ok((length, from)) => {
                    let now = self.now();
                    self.swim.on_datagram(now, from, &buffer[..length], effects);
                    self.act(effects);
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return,
                // What was sent earlier could not be delivered: gossip finds out by itself.
                Err(_) => {}
            }
            received = self.socket.try_recv_from(buffer);
        }
    }

    fn obey(&mut self, command: Command, effects: &mut Effects) {
        let now = self.now();
        match command {
            Command::Exchange { known, reply } => {
                let merged = self.merge(now, &known, effects);
                let answer = merged.map(|()| Bytes::from(self.swim.full_state()));
                // Whoever asked may have gone.
                let _ = reply.send(answer);
            }
            Command::Merge(known) => {
                if let Err(error) = self.merge(now, &known, effects) {
                    tracing::warn!(%error, "what another node knows cannot be used");
                }
            }
            Command::Resolved(addresses) => self.swim.on_resolved(now, &addresses, effects),
            Command::Worked(work, outcome) => {
                if let Err(error) = &outcome {
                    tracing::warn!(%error, ?work, "ranges could not change hands; tried again");
                }
                match work {
                    Work::Fetch => self.lifecycle.on_fetched(now.monotonic_ms, outcome.is_ok()),
                    _ => self.lifecycle.on_work(now.monotonic_ms, outcome.is_ok()),
                }
            }
            Command::Forget { name, reply } => {
                let outcome = self.lifecycle.forget(&self.view, &name);
                if outcome.is_ok() {
                    tracing::info!(name, "to be forgotten");
                }
                let _ = reply.send(outcome);
            }
            Command::Leave => self.lifecycle.leave(),
            Command::Stop => self.ends = true,
        }
    }

    fn merge(&mut self, now: Now, known: &[u8], effects: &mut Effects) -> Result<(), PeerError> {
        let merged = self.swim.merge_full_state(now, known, effects);
        merged.map_err(|error| PeerError::Invalid(error.to_string()))?;
        self.met = true;
        self.news();
        Ok(())
    }

    /// There are news, to be published soon.
    pub(super) fn news(&mut self) {
        self.dirty.get_or_insert_with(Instant::now);
    }

    /// A change is told to people, and to whoever asks.
    pub(super) fn on_change(&mut self, change: &Change) {
        match change {
            Change::Record(_) => tracing::debug!(%change, "cluster"),
            Change::NameTaken { .. } => tracing::error!(%change, "cluster"),
            Change::Down { left: false, .. } | Change::Renewed(_) => tracing::warn!(%change, "cluster"),
            _ => tracing::info!(%change, "cluster"),
        }
        self.ends |= *change == Change::Left;
        self.news();
    }

    /// Publishes news when they are due, and takes the steps that are.
    fn step(&mut self) {
        if self.dirty.is_some_and(|since| since.elapsed() >= PUBLISH_EVERY) {
            self.publish();
        }
        let now = self.now();
        if let Some(decision) = self.lifecycle.decide(now.monotonic_ms, &self.view) {
            self.take_step(now, decision);
            self.publish();
        }
        if self.unkept.is_some_and(|since| since.elapsed() >= KEEP_AFTER) {
            self.unkept = None;
            self.keeper.keep_state(self.swim.full_state());
        }
        self.keeper.go_on();
        let mut snapshot = self.shared.snapshot.lock();
        snapshot.counters = *self.swim.counters();
        snapshot.dropped = self.swim.last_dropped();
        snapshot.flight = self.flight.counts();
    }

    fn publish(&mut self) {
        self.dirty = None;
        let members = self.swim.members();
        let unix_ms = self.now().unix_ms;
        if self.rings.update(&members, unix_ms) {
            self.unkept.get_or_insert_with(Instant::now);
        }
        self.view = places::seen(&members, self.swim.held(), self.met);
        let tenants = TenantRings::new(self.options.tenant_shard_size);
        let looks = self.lifecycle.stage() == Stage::Looking;
        if let Some(cluster) = self.connections.cluster(self.rings.ring(), &members, tenants, looks) {
            self.shared.members.set(cluster);
        }
        let mut snapshot = self.shared.snapshot.lock();
        snapshot.update(members, &self.rings, self.lifecycle.stage(), self.swim.name_taken_by());
    }

    fn take_step(&mut self, now: Now, decision: Decision) {
        let mut effects = Effects::new();
        match decision {
            Decision::Announce(state, tokens) => self.announce(now, state, tokens, &mut effects),
            Decision::TakeOver(moved) => self.take_over(moved, Work::TakeOver),
            Decision::Fetch(moved) => self.take_over(moved, Work::Fetch),
            Decision::HandOver(moved) => self.give_up(moved),
            Decision::Remove(name, state) => {
                tracing::warn!(%name, state = state.as_str(), "said in the place of a node that is down");
                if let Err(error) = self.swim.remove(now, &name, state, &mut effects) {
                    tracing::info!(%error, "not removed");
                }
            }
            Decision::Leave => {
                tracing::info!("leaving the cluster");
                self.swim.leave(now, &mut effects);
            }
            Decision::Stop => {
                tracing::info!("stopping; the node keeps its place in the cluster");
                self.ends = true;
            }
        }
        self.act(&mut effects);
    }

    fn announce(&mut self, now: Now, state: MemberState, tokens: Vec<u32>, effects: &mut Effects) {
        tracing::info!(state = state.as_str(), tokens = tokens.len(), "this node's place on the ring");
        let kept = Kept { name: self.shared.name.clone(), tokens: tokens.clone() };
        // Without them a restart hears its tokens from the others.
        if let Err(error) = self.keeper.keep(kept) {
            tracing::error!(%error, "the node's tokens cannot be kept");
        }
        let record = Record { state, tokens, ..self.swim.record().clone() };
        if let Err(error) = self.swim.set_record(now, record, effects) {
            tracing::error!(%error, "the node's place cannot be announced");
        }
        self.keeper.keep_state(self.swim.full_state());
    }
}

pub(super) fn now(started: Instant) -> Now {
    let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Now { monotonic_ms: ms(started.elapsed()), unix_ms: ms(unix) }
}
