//! One node's membership: values in, effects out.
//!
//! | file | what |
//! |---|---|
//! | `mod.rs` | the node, how it starts, what becomes of what foca wants |
//! | `outbox.rs` | what foca wants |
//! | `own.rs` | what the node says of itself, and leaving |
//! | `remove.rs` | what is said of a node that is gone for good |
//! | `inbound.rs` | datagrams |
//! | `conflict.rs` | two lives with one name |
//! | `time.rs` | timers, joining, who to exchange state with |
//! | `state.rs` | full state, out and in |
//! | `view.rs` | the members |

mod conflict;
mod inbound;
mod outbox;
mod own;
mod remove;
mod state;
mod time;
mod view;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use foca::OwnedNotification;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::announcement::Announcement;
use crate::codec::GossipCodec;
use crate::effects::{Change, Effect, Effects, Now};
use crate::frame::{self, LoadReport, Notice};
use crate::records::Shared;
use crate::seal::Envelope;
use crate::timers::{Due, Timers};
use crate::{Counters, DropReason, Error, Identity, MemberState, NodeName, Options, Record};
use outbox::Outbox;
pub use remove::Held;
pub use state::STATE_MAX;
pub use time::Seed;
pub use view::{Member, Status};

type Foca = foca::Foca<Identity, GossipCodec, StdRng, Shared>;

/// One node's view of its cluster, and its part in it.
///
/// The shell has a socket, two clocks and a way to the peers. It gives every datagram to [`Self::on_datagram`], calls
/// [`Self::on_time`] when [`Self::next_deadline`] has come (it may have changed after every call), and does the
/// effects.
pub struct Swim {
    options: Options,
    /// foca's identity, as of the last call.
    me: Identity,
    foca: Foca,
    records: Shared,
    own: Announcement,
    /// Whether it has said nothing of itself yet: others go by what an earlier life of it said.
    silent: bool,
    load: LoadReport,
    envelope: Envelope,
    timers: Timers,
    rng: StdRng,
    counters: Counters,
    last_dropped: Option<(SocketAddr, DropReason)>,
    life: Life,
    /// Whether another node was up when it was last told.
    joined: bool,
    seeds: Vec<Seed>,
    /// Where others were when this node lost its name.
    remembered: Vec<SocketAddr>,
    tries: u32,
    /// Since when the members are as they are, in milliseconds since 1970.
    since: BTreeMap<NodeName, u64>,
}

/// Whether the node takes part.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Life {
    /// It does.
    Running,
    /// Another process has its name. It says nothing, but asks from time to time whether that is still so.
    Superseded(Identity),
    /// It has said that it leaves, and says so some times more.
    Leaving,
    /// It has left.
    Left,
}

impl Swim {
    /// A node that starts and knows nobody.
    ///
    /// `seed` must be 32 bytes from the system's source of randomness, drawn anew for every process: the seal counts
    /// on it. A test gives any, and gets the same effects for the same calls.
    pub fn new(
        now: Now,
        identity: Identity,
        record: Record,
        options: Options,
        seed: [u8; 32],
    ) -> Result<Self, Error> {
        options.check()?;
        own::check(&record)?;
        let mut rng = StdRng::from_seed(seed);
        let envelope = Envelope::new(&options, identity.generation(), &mut rng);
        let records = Shared::new(identity.name().clone(), options.max_members);
        let foca = new_foca(&identity, &options, &records, &mut rng);
        let own = Announcement {
            name: identity.name().clone(),
            generation: identity.generation(),
            version: 1,
            removed: false,
            whole: true,
            record: Arc::new(record),
        };
        let mut since = BTreeMap::new();
        since.insert(identity.name().clone(), now.unix_ms);
        let mut swim = Self {
            me: identity,
            foca,
            records,
            own,
            silent: false,
            load: LoadReport { record_version: 1, ..LoadReport::default() },
            envelope,
            timers: Timers::default(),
            rng,
            counters: Counters::default(),
            last_dropped: None,
            life: Life::Running,
            joined: false,
            seeds: Vec::new(),
            remembered: Vec::new(),
            tries: 0,
            since,
            options,
        };
        swim.start_timers(now);
        Ok(swim)
    }

    /// Who this node is now: a renewal or a clock that was behind changes it.
    pub fn identity(&self) -> &Identity {
        &self.me
    }

    /// What went over the wire and what was dropped.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Whence the last datagram came that was dropped, and why: where to look for a wrong key.
    pub fn last_dropped(&self) -> Option<(SocketAddr, DropReason)> {
        self.last_dropped
    }

    /// Accepts other keys; see [`crate::Seal::Keys`]. Refused when the seal is off or there is none.
    pub fn set_keys(&mut self, keys: Vec<crate::Key>) -> Result<(), Error> {
        if keys.is_empty() || self.options.seal == crate::Seal::Off {
            return Err(Error::Options("`seal` can change from keys to keys only"));
        }
        self.options.seal = crate::Seal::Keys(keys.clone());
        self.envelope.set_keys(keys);
        Ok(())
    }

    /// Makes effects of what foca wanted in one call.
    fn settle(&mut self, now: Now, out: Outbox, fx: &mut Effects) {
        let changed_identity = self.foca.identity() != &self.me;
        if changed_identity {
            self.me = self.foca.identity().clone();
            self.own.generation = self.me.generation();
        }
        for (after_ms, timer) in out.timers {
            if let foca::Timer::ChangeSuspectToDown { member_id, incarnation, .. } = &timer {
                // Gossip may need all the time that the suspect has; so it hears of it from us, as Lifeguard does.
                let (to, holder, incarnation) = (member_id.clone(), member_id.clone(), *incarnation);
                let notice = Notice { to, holder, state: foca::State::Suspect, incarnation };
                self.send_notice(now, &notice, fx);
            }
            self.timers.set(now.monotonic_ms, after_ms, Due::Foca(timer));
        }
        for (to, message) in out.sends {
            let payload = frame::gossip(&self.load, &message);
            self.send(now, &to, &payload, fx);
        }
        let (unreadable, changed, mine) = {
            let mut records = self.records.lock();
            (records.take_unreadable(), records.take_changed(), records.take_mine())
        };
        for _ in 0..unreadable {
            self.counters.drop_for(DropReason::BadRecord);
        }
        for note in out.notes {
            self.note(now, note, fx);
        }
        for name in changed {
            self.record_changed(now, name, fx);
        }
        if let Some(mine) = mine {
            self.look_at_mine(&mine, fx);
        }
        if changed_identity && self.life == Life::Running {
            // Under another identity foca probes nobody until somebody speaks to it; were all others gone by then,
            // they would count as up for ever. An update without members makes it look.
            let mut out = Outbox::default();
            let _ = self.foca.apply_many(std::iter::empty(), true, &mut out);
            self.settle(now, out, fx);
        }
    }

    /// Sends a payload to another node; never to this one, whom foca takes for another when its old life is down.
    fn send(&mut self, now: Now, to: &Identity, payload: &[u8], fx: &mut Effects) {
        if to.is_named(self.me.name()) || to.address() == self.me.address() {
            return;
        }
        if let Some(bytes) = self.envelope.seal(now.unix_ms, payload) {
            debug_assert!(bytes.len() <= self.options.max_packet, "foca was told what is left");
            self.counters.sent += 1;
            self.counters.sent_bytes += bytes.len() as u64;
            fx.push(Effect::Send { to: to.address(), bytes });
        }
    }

    fn send_notice(&mut self, now: Now, notice: &Notice, fx: &mut Effects) {
        self.send(now, &notice.to, &frame::notice(notice), fx);
    }

    fn note(&mut self, now: Now, note: OwnedNotification<Identity>, fx: &mut Effects) {
        match note {
            OwnedNotification::MemberUp(who) => self.came_up(now, who, fx),
            OwnedNotification::MemberDown(who) => {
                self.since.insert(who.name().clone(), now.unix_ms);
                let left = self.says_left(&who);
                fx.tell(Change::Down { who, left });
                self.resize();
            }
            OwnedNotification::Rename(before, after) => {
                let renewed =
                    before.generation() == after.generation() && before.address() == after.address();
                if !renewed {
                    self.since.insert(after.name().clone(), now.unix_ms);
                    fx.tell(Change::Restarted { before, after });
                    self.look_for_lacks(now);
                }
            }
            OwnedNotification::Active => self.became_active(now, fx),
            OwnedNotification::Idle => {
                self.joined = false;
                self.tries = 0;
                fx.tell(Change::Alone);
                self.timers.set(now.monotonic_ms, SOON_MS, Due::Join);
            }
            OwnedNotification::Rejoin(identity) => fx.tell(Change::Renewed(identity)),
            // Only leaving makes foca defunct: an identity can always be renewed before the end of time.
            OwnedNotification::Defunct => {}
        }
    }

    fn came_up(&mut self, now: Now, who: Identity, fx: &mut Effects) {
        let back = self.since.insert(who.name().clone(), now.unix_ms).is_some();
        if back {
            // It was on the other side of a partition, or away: each may know what the other does not.
            self.push_pull_within(now, SOON_MS);
        }
        fx.tell(Change::Up(who));
        self.look_for_lacks(now);
        self.resize();
    }

    fn became_active(&mut self, now: Now, fx: &mut Effects) {
        if !self.joined {
            self.joined = true;
            fx.tell(Change::Joined);
            self.push_pull_within(now, SOON_MS);
        }
        self.announce_soon(now);
    }

    fn record_changed(&mut self, now: Now, name: NodeName, fx: &mut Effects) {
        let Some(said) = self.records.lock().of(&name).cloned() else { return };
        if !said.whole {
            self.look_for_lacks(now);
        }
        fx.tell(Change::Record(name));
        if said.record.state == MemberState::Left {
            let is_leaver = |who: &&Identity| *who.name() == said.name && who.generation() == said.generation;
            let leaver = self.foca.iter_members().map(foca::Member::id).find(is_leaver).cloned();
            if let Some(leaver) = leaver {
                self.believe_down(now, &leaver, fx);
            }
        }
    }

    fn says_left(&self, who: &Identity) -> bool {
        let records = self.records.lock();
        let said = records.of(who.name()).filter(|said| said.generation == who.generation());
        said.is_some_and(|said| said.record.state == MemberState::Left)
    }

    /// Sends updates on as often as the size of the cluster asks for.
    fn resize(&mut self) {
        let wanted = self.options.foca(self.foca.num_members() + 1);
        // It cannot fail: nothing that foca refuses to change is changed.
        let _ = self.foca.set_config(wanted);
    }

    fn random_ms(&mut self, below: u64) -> u64 {
        self.rng.random_range(0..below.max(1))
    }
}

/// Within this time a node that learns of another asks somebody for all.
const SOON_MS: u64 = 500;

fn new_foca(identity: &Identity, options: &Options, records: &Shared, rng: &mut StdRng) -> Foca {
    let rng = StdRng::from_rng(rng);
    Foca::with_custom_broadcast(identity.clone(), options.foca(1), rng, GossipCodec, records.clone())
}
