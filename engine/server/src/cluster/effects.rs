//! What the task does in the world: datagrams at once, all else in tasks of their own, of which there are few.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use spanloom_peer::PeerError;
use spanloom_ring::{Moved, NodeName};
use spanloom_swim::{Effect, Effects, STATE_MAX};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::gossip::{Command, Gossip};

/// Exchanges of state and look-ups of names that are under way at once; more are left out, since they come again.
const AT_ONCE: usize = 8;

/// How long an exchange or a look-up may take.
const WITHIN: Duration = Duration::from_secs(10);

/// Addresses of a name that are taken.
const ADDRESSES: usize = 64;

/// Which hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// This node joins.
    TakeOver,
    /// Another one is being removed.
    Fetch,
    /// This node leaves.
    HandOver,
}

/// What is under way, and what came of it.
pub(crate) struct Flight {
    commands: mpsc::Sender<Command>,
    places: Arc<Semaphore>,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    unsent: AtomicU64,
    exchanged: AtomicU64,
    failed: AtomicU64,
}

/// What came of datagrams and exchanges since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct FlightCounts {
    /// Datagrams that the kernel did not take.
    pub unsent: u64,
    /// States that were exchanged at this node's wish.
    pub exchanged: u64,
    /// Those that failed, or found no room.
    pub failed: u64,
}

impl Flight {
    pub(super) fn new(commands: mpsc::Sender<Command>) -> Self {
        Self { commands, places: Arc::new(Semaphore::new(AT_ONCE)), counts: Arc::default() }
    }

    pub(super) fn counts(&self) -> FlightCounts {
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let Counts { unsent, exchanged, failed } = &*self.counts;
        FlightCounts { unsent: get(unsent), exchanged: get(exchanged), failed: get(failed) }
    }

    fn place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.places).try_acquire_owned().ok()
    }
}

impl Gossip {
    /// Does what SWIM wants done.
    pub(super) fn act(&mut self, effects: &mut Effects) {
        let effects: Vec<Effect> = effects.drain().collect();
        for effect in effects {
            match effect {
                Effect::Send { to, bytes } => {
                    if self.socket.try_send_to(&bytes, to).is_err() {
                        self.flight.counts.unsent.fetch_add(1, Ordering::Relaxed);
                    }
                }
                Effect::Resolve { host, port } => self.resolve(host, port),
                Effect::PushPull { with, peer } => self.push_pull(&with, &peer),
                Effect::Changed(change) => self.on_change(&change),
            }
        }
    }

    fn resolve(&self, host: String, port: u16) {
        let Some(place) = self.flight.place() else { return };
        let commands = self.flight.commands.clone();
        tokio::spawn(async move {
            let found = tokio::time::timeout(WITHIN, tokio::net::lookup_host((host.as_str(), port))).await;
            let addresses: Vec<SocketAddr> = match found {
                Ok(Ok(addresses)) => addresses.take(ADDRESSES).collect(),
                Ok(Err(error)) => {
                    return tracing::info!(host, %error, "a name in cluster.join has no address");
                }
                Err(_) => return tracing::info!(host, "a name in cluster.join was not looked up in time"),
            };
            // The node may have left meanwhile.
            let _ = commands.send(Command::Resolved(addresses)).await;
            drop(place);
        });
    }

    fn push_pull(&mut self, with: &NodeName, address: &str) {
        let counts = Arc::clone(&self.flight.counts);
        let Some(place) = self.flight.place() else {
            counts.failed.fetch_add(1, Ordering::Relaxed);
            return;
        };
        let members = self.swim.members();
        let of = members.iter().find(|member| member.identity.name() == with);
        let generation = of.map_or(0, |member| member.identity.generation());
        let peer = self.connections.to(with, generation, address);
        let (known, commands) = (Bytes::from(self.swim.full_state()), self.flight.commands.clone());
        let name = with.clone();
        tokio::spawn(async move {
            let answer = tokio::time::timeout(WITHIN, peer.exchange_members(known)).await;
            match answer.unwrap_or(Err(PeerError::Late(WITHIN))) {
                Ok(theirs) if theirs.len() <= STATE_MAX => {
                    counts.exchanged.fetch_add(1, Ordering::Relaxed);
                    let _ = commands.send(Command::Merge(theirs)).await;
                }
                Ok(theirs) => {
                    counts.failed.fetch_add(1, Ordering::Relaxed);
                    tracing::warn!(%name, bytes = theirs.len(), "a node's state is too large");
                }
                Err(error) => {
                    counts.failed.fetch_add(1, Ordering::Relaxed);
                    tracing::debug!(%name, %error, "no state was exchanged");
                }
            }
            drop(place);
        });
    }

    pub(super) fn take_over(&self, moved: Moved, work: Work) {
        let (hand_over, commands) = (Arc::clone(&self.hand_over), self.flight.commands.clone());
        tracing::info!(ranges = moved.gained.len(), "fetching what this node will own");
        tokio::spawn(async move {
            let outcome = hand_over.take_over(&moved).await;
            let _ = commands.send(Command::Worked(work, outcome)).await;
        });
    }

    pub(super) fn give_up(&self, moved: Moved) {
        let (hand_over, commands) = (Arc::clone(&self.hand_over), self.flight.commands.clone());
        tracing::info!(ranges = moved.lost.len(), "handing over what this node owned");
        tokio::spawn(async move {
            let outcome = hand_over.hand_over(&moved).await;
            let _ = commands.send(Command::Worked(Work::HandOver, outcome)).await;
        });
    }
}
