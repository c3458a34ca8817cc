//! What the node says of itself, and how it leaves.

use std::sync::Arc;

use super::outbox::Outbox;
use super::{Life, Swim};
use crate::MemberState;
use crate::effects::{Change, Effects, Now};
use crate::record::Load;
use crate::timers::Due;
use crate::{Error, Record, frame};

/// How often a leaving node says so, to `gossip_fanout` others each time.
const LEAVE_ROUNDS: u8 = 8;
const LEAVE_EVERY_MS: u64 = 100;
/// Most members that a leaving node tells by itself.
const FAREWELLS_MAX: usize = 512;

/// A record that a node may announce: whoever leaves does so by [`Swim::leave`], which others believe.
pub(super) fn check(record: &Record) -> Result<(), Error> {
    record.check()?;
    if record.state == MemberState::Left {
        let found = "left".to_owned();
        return Err(Error::Record { field: "state", found, expected: "joining, active or leaving" });
    }
    Ok(())
}

impl Swim {
    /// The same node, which joins and answers, but says nothing of itself until [`Self::set_record`]: others go by
    /// what an earlier life of it said. So a node that restarts can first find out what it was.
    pub fn silent(mut self) -> Self {
        self.silent = true;
        self.load.record_version = 0;
        self
    }

    /// Announces another record, if it differs. It spreads as updates do, within a second.
    pub fn set_record(&mut self, now: Now, record: Record, fx: &mut Effects) -> Result<(), Error> {
        check(&record)?;
        let said = !self.silent && *self.own.record == record && !self.is_outranked();
        if self.life == Life::Left || self.life == Life::Leaving || said {
            return Ok(());
        }
        self.own.record = Arc::new(record);
        self.silent = false;
        self.count_version();
        self.announce(now, fx);
        Ok(())
    }

    /// What the node says of itself.
    pub fn record(&self) -> &Record {
        &self.own.record
    }

    /// Sends another load along from now on. It costs nothing of its own.
    pub fn set_load(&mut self, load: Load) {
        if self.load.load != load {
            self.load.load = load;
            self.load.sequence += 1;
        }
    }

    /// Leaves: the others see it as left at once. [`Change::Left`] tells that enough of them were told.
    pub fn leave(&mut self, now: Now, fx: &mut Effects) {
        match self.life {
            Life::Leaving | Life::Left => {}
            Life::Superseded(_) => self.end(fx),
            Life::Running => {
                // Its place on the ring is given up, and a short record comes through.
                let tokens = Vec::new();
                let record = Record { state: MemberState::Left, tokens, ..(*self.own.record).clone() };
                self.own.record = Arc::new(record);
                self.silent = false;
                self.count_version();
                self.enqueue_own();
                self.bid_farewell(now, fx);
                let mut out = Outbox::default();
                // It fails only if our identity cannot be written, which it always can.
                let _ = self.foca.leave_cluster(&mut out);
                self.life = Life::Leaving;
                self.settle(now, out, fx);
                self.timers.retain(|_| false);
                self.timers.set(now.monotonic_ms, LEAVE_EVERY_MS, Due::Leave(LEAVE_ROUNDS));
            }
        }
    }

    /// Tells all that are up, each by itself; for those whom the datagram does not reach there is gossip.
    fn bid_farewell(&mut self, now: Now, fx: &mut Effects) {
        let payload = frame::record(&self.own_bytes());
        let up: Vec<_> = self.foca.iter_members().take(FAREWELLS_MAX).map(|one| one.id().clone()).collect();
        for who in up {
            self.send(now, &who, &payload, fx);
        }
    }

    pub(super) fn say_leaving(&mut self, now: Now, rounds: u8, fx: &mut Effects) {
        if rounds == 0 {
            return self.end(fx);
        }
        let mut out = Outbox::default();
        let _ = self.foca.gossip(&mut out);
        self.settle(now, out, fx);
        self.timers.set(now.monotonic_ms, LEAVE_EVERY_MS, Due::Leave(rounds - 1));
    }

    fn end(&mut self, fx: &mut Effects) {
        self.life = Life::Left;
        self.timers.retain(|_| false);
        fx.tell(Change::Left);
    }

    /// Spreads the own record, at once to some.
    pub(super) fn announce(&mut self, now: Now, fx: &mut Effects) {
        if self.life != Life::Running || self.silent {
            return;
        }
        self.enqueue_own();
        let mut out = Outbox::default();
        // A message of records alone: they do not wait behind updates.
        let _ = self.foca.broadcast(&mut out);
        self.settle(now, out, fx);
    }

    /// The own record as it fits a datagram.
    pub(super) fn own_bytes(&self) -> Vec<u8> {
        let whole = self.own.to_bytes();
        let fits = whole.len() <= self.options.record_max();
        let bytes = if fits { whole } else { self.own.without_tokens().to_bytes() };
        debug_assert!(bytes.len() <= self.options.record_max());
        bytes
    }

    fn count_version(&mut self) {
        let held = self.records.lock().mine().map(|mine| (mine.generation, mine.version));
        let held = held.filter(|(generation, _)| *generation == self.own.generation);
        // Above what others said in its place, too.
        self.own.version = held.map_or(0, |(_, version)| version).max(self.own.version).saturating_add(1);
        self.load.record_version = self.own.version;
        self.load.sequence += 1;
    }

    /// Puts the own record among what foca spreads. One that does not fit a datagram goes without its tokens; who
    /// sees that asks for the full state.
    fn enqueue_own(&mut self) {
        let bytes = self.own_bytes();
        // It fails only for what is empty, longer than a datagram, or refused by our own handler.
        let _ = self.foca.add_broadcast(&bytes);
    }
}
