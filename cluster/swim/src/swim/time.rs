//! Timers: foca's, and ours for joining, sending the own record again, and exchanging full state.

use std::net::SocketAddr;

use foca::{Member, State};
use rand::RngExt;

use super::outbox::Outbox;
use super::{Life, Swim};
use crate::effects::{Effect, Effects, Now};
use crate::timers::Due;
use crate::{DropReason, Error, Identity, MemberState, NodeName, frame};

/// Most addresses that are tried at once.
const TRIED_AT_ONCE: usize = 5;
/// First pause between two tries of the seeds; it doubles.
const JOIN_FIRST_MS: u64 = 250;
/// How long gossip has to bring a record before it is asked for: this, and as much again by chance, so that not all
/// nodes ask at once.
const LACK_MS: u64 = 1_000;
/// How long to look for a member to exchange state with when there was none.
const PUSH_PULL_RETRY_MS: u64 = 1_000;

/// Most members that are asked for their records at once.
const ASKED_AT_ONCE: usize = 8;

/// What is missing of a member's newest record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lack {
    /// All of it.
    Record,
    /// Its tokens, which do not fit a datagram.
    Tokens,
}

/// Where to ask to be let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seed {
    /// At an address.
    Address(SocketAddr),
    /// At all addresses of a name, as of a headless service; looked up before every try.
    Name {
        /// The host's name.
        host: String,
        /// The port.
        port: u16,
    },
}

impl Seed {
    /// Reads `address:port` or `name:port`.
    pub fn parse(text: &str) -> Result<Self, Error> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Address(address));
        }
        let parts = text.rsplit_once(':').filter(|(host, _)| !host.is_empty() && !host.contains([':', ' ']));
        let port = parts.and_then(|(_, port)| port.parse().ok()).filter(|port| *port > 0);
        match (parts, port) {
            (Some((host, _)), Some(port)) => Ok(Self::Name { host: host.to_owned(), port }),
            _ => Err(Error::Address(text.to_owned())),
        }
    }
}

impl Swim {
    /// When [`Self::on_time`] is to be called, on the monotonic clock. `None` only after the node has left.
    pub fn next_deadline(&self) -> Option<u64> {
        self.timers.next_ms()
    }

    /// Does what is due. Calling it earlier does nothing, later does no harm.
    pub fn on_time(&mut self, now: Now, fx: &mut Effects) {
        if self.timers.skip_stall(now.monotonic_ms, self.options.stall_ms) {
            self.counters.stalls += 1;
        }
        // Every timer that is set meanwhile is at least a millisecond away, so this ends.
        while let Some(due) = self.timers.pop(now.monotonic_ms) {
            self.on_due(now, due, fx);
        }
    }

    /// Asks the seeds to be let in, now and, while nobody answers, again and again. None: a cluster of one begins,
    /// and waits for others to come.
    pub fn join(&mut self, now: Now, seeds: Vec<Seed>, fx: &mut Effects) {
        self.seeds = seeds;
        self.tries = 0;
        if self.life == Life::Running {
            self.try_join(now, fx);
        }
    }

    /// What a seed's name stands for.
    pub fn on_resolved(&mut self, now: Now, addresses: &[SocketAddr], fx: &mut Effects) {
        if matches!(self.life, Life::Running | Life::Superseded(_)) {
            self.announce_to(now, addresses.to_vec(), fx);
        }
    }

    pub(super) fn start_timers(&mut self, now: Now) {
        self.timers.set(now.monotonic_ms, self.options.join_every_ms, Due::Join);
        let record = self.random_ms(self.options.record_every_ms) + 1;
        self.timers.set(now.monotonic_ms, record, Due::Record);
        let push_pull = self.random_ms(self.options.push_pull_every_ms) + 1;
        self.timers.set(now.monotonic_ms, push_pull, Due::PushPull);
    }

    fn on_due(&mut self, now: Now, due: Due, fx: &mut Effects) {
        match due {
            Due::Foca(timer) if self.is_refuted(&timer) => {}
            // Whoever is down keeps its place until it comes back or is removed.
            Due::Foca(foca::Timer::RemoveDown(who)) if !self.is_gone(&who) => {
                let timer = foca::Timer::RemoveDown(who);
                self.timers.set(now.monotonic_ms, self.options.forget_down_ms, Due::Foca(timer));
            }
            Due::Foca(timer) => {
                let mut out = Outbox::default();
                if self.foca.handle_timer(timer, &mut out).is_err() {
                    self.counters.drop_for(DropReason::Refused);
                }
                self.settle(now, out, fx);
            }
            Due::Join => self.try_join(now, fx),
            Due::Record => {
                self.announce(now, fx);
                let jitter = self.random_ms(self.options.record_every_ms / 5);
                let pause = self.options.record_every_ms * 9 / 10 + jitter + 1;
                self.timers.set(now.monotonic_ms, pause, Due::Record);
            }
            Due::PushPull => self.ask_for_state(now, fx),
            Due::Lacks => self.ask_for_lacks(now, fx),
            Due::Leave(rounds) => self.say_leaving(now, rounds, fx),
            Due::Contested(who) => self.believe_down(now, &who, fx),
        }
    }

    /// Whether a suspicion that has run out was refuted meanwhile. foca 2.0 keeps such a member up, but tells it that
    /// it is down (`handle_timer` sends `TurnUndead` whether or not the change applied), so that it would renew itself
    /// for nothing.
    fn is_refuted(&self, timer: &foca::Timer<Identity>) -> bool {
        let foca::Timer::ChangeSuspectToDown { member_id, incarnation, .. } = timer else { return false };
        let mut known = self.foca.iter_members();
        !known.any(|member| member.id() == member_id && member.incarnation() == *incarnation)
    }

    /// Whether a member has no place any more: it has left, was removed, or never announced anything.
    fn is_gone(&self, who: &Identity) -> bool {
        let records = self.records.lock();
        records.of(who.name()).is_none_or(|said| said.record.state == MemberState::Left)
    }

    pub(super) fn announce_soon(&mut self, now: Now) {
        self.timers.set(now.monotonic_ms, 1, Due::Record);
    }

    pub(super) fn push_pull_within(&mut self, now: Now, within_ms: u64) {
        let after_ms = self.random_ms(within_ms) + 1;
        let sooner = self.timers.time_of(&Due::PushPull);
        if sooner.is_none_or(|at_ms| at_ms > now.monotonic_ms + after_ms) {
            self.timers.set(now.monotonic_ms, after_ms, Due::PushPull);
        }
    }

    /// Announces this node to seeds, and to those that it knew if nobody is left.
    pub(super) fn try_join(&mut self, now: Now, fx: &mut Effects) {
        let alone = self.foca.num_members() == 0;
        let mut addresses = self.remembered.clone();
        if alone {
            // foca tries members that are down only while others are up.
            let down = self.foca.iter_membership_state().filter(|member| member.state() == State::Down);
            addresses.extend(down.map(|member| member.id().address()));
        }
        for seed in self.seeds.clone() {
            match seed {
                Seed::Address(address) => addresses.push(address),
                Seed::Name { host, port } => fx.push(Effect::Resolve { host, port }),
            }
        }
        self.announce_to(now, addresses, fx);
        let pause = match self.life {
            Life::Running if alone => {
                let doubled = JOIN_FIRST_MS << self.tries.min(16);
                doubled.min(self.options.join_every_ms)
            }
            _ => self.options.rejoin_every_ms,
        };
        self.tries = self.tries.saturating_add(1);
        let jitter = self.random_ms(pause / 4);
        self.timers.set(now.monotonic_ms, pause + jitter, Due::Join);
    }

    /// To some, chosen at random if they are many.
    fn announce_to(&mut self, now: Now, mut addresses: Vec<SocketAddr>, fx: &mut Effects) {
        addresses.sort_unstable();
        addresses.dedup();
        let mut out = Outbox::default();
        for _ in 0..TRIED_AT_ONCE.min(addresses.len()) {
            let chosen = self.rng.random_range(0..addresses.len());
            let whoever = Identity::whoever(addresses.swap_remove(chosen));
            // It fails only if our identity cannot be written, which it always can.
            let _ = self.foca.announce(whoever, &mut out);
        }
        self.settle(now, out, fx);
    }

    /// Looks in a while whether a record that ought to be here has come.
    pub(super) fn look_for_lacks(&mut self, now: Now) {
        if self.timers.time_of(&Due::Lacks).is_none() {
            let jitter = self.random_ms(LACK_MS);
            self.timers.set(now.monotonic_ms, LACK_MS + jitter, Due::Lacks);
        }
    }

    /// What is missing here of a member's newest record.
    fn lack(&self, who: &Identity) -> Option<Lack> {
        let records = self.records.lock();
        let newest = records.load_of(who).map_or(0, |report| report.record_version);
        let said = records.of(who.name()).filter(|said| said.generation == who.generation());
        match said {
            Some(said) if said.version >= newest => (!said.whole).then_some(Lack::Tokens),
            _ => Some(Lack::Record),
        }
    }

    pub(super) fn lacks(&self, who: &Identity) -> bool {
        self.lack(who).is_some()
    }

    /// Asks for records by datagram, and for tokens that do not fit one by full state.
    fn ask_for_lacks(&mut self, now: Now, fx: &mut Effects) {
        let up = self.foca.iter_members().map(Member::id);
        let mut lacking: Vec<_> = up.filter_map(|who| Some((who.clone(), self.lack(who)?))).collect();
        if lacking.is_empty() {
            return;
        }
        let without_tokens = lacking.iter().filter(|(_, lack)| *lack == Lack::Tokens);
        let without_tokens = without_tokens.map(|(who, _)| who.clone()).collect();
        if let Some((with, peer)) = self.choose_peer(without_tokens) {
            fx.push(Effect::PushPull { with, peer });
        }
        for _ in 0..ASKED_AT_ONCE.min(lacking.len()) {
            let chosen = self.rng.random_range(0..lacking.len());
            let (who, lack) = lacking.swap_remove(chosen);
            if lack == Lack::Record {
                let payload = frame::ask(&self.me, &who);
                self.send(now, &who, &payload, fx);
            }
        }
        self.look_for_lacks(now);
    }

    fn ask_for_state(&mut self, now: Now, fx: &mut Effects) {
        self.forget_strangers();
        let mut pause = PUSH_PULL_RETRY_MS;
        if let Some((with, peer)) = self.choose_any_peer() {
            fx.push(Effect::PushPull { with, peer });
            pause = self.options.push_pull_every_ms * 9 / 10;
        }
        let jitter = self.random_ms(pause / 5) + 1;
        self.timers.set(now.monotonic_ms, pause + jitter, Due::PushPull);
    }

    fn choose_any_peer(&mut self) -> Option<(NodeName, String)> {
        let up = self.foca.iter_members().map(|member| member.id().clone()).collect();
        self.choose_peer(up)
    }

    /// One of them, by chance, whose peer address is known.
    fn choose_peer(&mut self, of: Vec<Identity>) -> Option<(NodeName, String)> {
        let records = self.records.lock();
        let said = of
            .iter()
            .filter_map(|who| records.of(who.name()).filter(|said| said.generation == who.generation()));
        let said: Vec<_> = said.collect();
        let chosen = said.get(self.rng.random_range(0..said.len().max(1)))?;
        Some((chosen.name.clone(), chosen.record.peer.clone()))
    }

    /// Forgets what is held of names that are no members any more. A record may be here before its member is.
    fn forget_strangers(&mut self) {
        let members: std::collections::BTreeSet<_> =
            self.foca.iter_membership_state().map(|member| member.id().name().clone()).collect();
        self.since.retain(|name, _| members.contains(name) || name == self.me.name());
        if self.joined {
            self.records.lock().retain(|name| members.contains(name));
        }
    }

    /// Holds a state of a member against what is known here: `true` if it is exactly that life, and up.
    pub(super) fn is_up(&self, who: &Identity) -> bool {
        self.foca.iter_members().any(|member| member.id() == who)
    }

    pub(super) fn believe_down(&mut self, now: Now, who: &Identity, fx: &mut Effects) {
        if self.is_up(who) {
            let mut out = Outbox::default();
            let _ = self.foca.apply_many([Member::down(who.clone())].into_iter(), true, &mut out);
            self.settle(now, out, fx);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_read() {
        let check =
            |text: &str, expected: Option<Seed>| assert_eq!(Seed::parse(text).ok(), expected, "{text}");
        check("10.0.0.1:7946", Some(Seed::Address("10.0.0.1:7946".parse().unwrap())));
        check("[::1]:7946", Some(Seed::Address("[::1]:7946".parse().unwrap())));
        check("peers.local:7946", Some(Seed::Name { host: "peers.local".into(), port: 7946 }));
        for wrong in ["peers.local", ":7946", "peers.local:0", "::1", "a b:1", ""] {
            check(wrong, None);
        }
    }
}
