//! What is said of a node that is gone for good, by others in its place; and what the node does that hears it.
//!
//! A removal is a record like the node's own, with a later version and a mark: it spreads as records do, and counts
//! until the node itself says something newer, in this life or the next.

use std::sync::Arc;

use foca::State;

use super::Swim;
use super::outbox::Outbox;
use crate::announcement::Announcement;
use crate::effects::{Change, Effects, Now};
use crate::{Error, MemberState, NodeName, Record};

/// What others hold of this node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The record.
    pub record: Arc<Record>,
    /// The life that it is of.
    pub generation: u64,
    /// Whether others said it, to remove this node.
    pub removed: bool,
    /// Whether it counts more than what this node said last.
    pub newer: bool,
}

impl Swim {
    /// Says in the place of a node that is down that it is leaving, or has left. Saying it again spreads it again.
    ///
    /// # Errors
    /// [`Error::Removal`]: the node is not known, is up, has announced nothing, or the state is another. Nothing was
    /// changed.
    pub fn remove(
        &mut self,
        now: Now,
        name: &NodeName,
        state: MemberState,
        fx: &mut Effects,
    ) -> Result<(), Error> {
        let wrong = |why| Err(Error::Removal { name: name.clone(), why });
        if !matches!(state, MemberState::Leaving | MemberState::Left) {
            return wrong("it can be said to leave or to have left, nothing else");
        }
        let mut known = self.foca.iter_membership_state();
        let Some(member) = known.find(|member| member.id().name() == name) else {
            return wrong("no such member is known here");
        };
        if member.state() != State::Down || name == self.me.name() {
            return wrong("it is not down");
        }
        let generation = member.id().generation();
        drop(known);
        let mut records = self.records.lock();
        let Some(said) = records.of(name) else { return wrong("it has announced nothing") };
        let is_said = said.removed && said.record.state == state && said.generation >= generation;
        let said = if is_said { said.clone() } else { removal(said, generation, state) };
        records.offer(said.clone());
        drop(records);
        let whole = said.to_bytes();
        let fits = whole.len() <= self.options.record_max();
        // It fails only for what is empty, longer than a datagram, or refused by our own handler.
        let _ = self.foca.add_broadcast(&if fits { whole } else { said.without_tokens().to_bytes() });
        let mut out = Outbox::default();
        let _ = self.foca.broadcast(&mut out);
        self.settle(now, out, fx);
        Ok(())
    }

    /// What others hold of this node, as far as known: what it was before it restarted, or that it is being removed.
    pub fn held(&self) -> Option<Held> {
        let records = self.records.lock();
        let mine = records.mine()?;
        Some(Held {
            record: Arc::clone(&mine.record),
            generation: mine.generation,
            removed: mine.removed,
            newer: self.silent || self.outranks_own(mine),
        })
    }

    /// Whether others hold something of this life that is newer than what this node said last.
    pub(super) fn is_outranked(&self) -> bool {
        self.records.lock().mine().is_some_and(|mine| self.outranks_own(mine))
    }

    fn outranks_own(&self, mine: &Announcement) -> bool {
        mine.generation == self.own.generation && mine.rank() > self.own.rank()
    }

    pub(super) fn look_at_mine(&mut self, mine: &Announcement, fx: &mut Effects) {
        if self.silent || self.outranks_own(mine) {
            fx.tell(Change::Held(mine.record.state));
        }
    }
}

fn removal(said: &Announcement, generation: u64, state: MemberState) -> Announcement {
    // What has left owns nothing.
    let tokens = if state == MemberState::Left { Vec::new() } else { said.record.tokens.clone() };
    let is_of_this_life = said.generation >= generation;
    Announcement {
        name: said.name.clone(),
        generation: generation.max(said.generation),
        version: if is_of_this_life { said.version.saturating_add(1) } else { 1 },
        removed: true,
        whole: said.whole || tokens.is_empty(),
        record: Arc::new(Record { state, tokens, ..(*said.record).clone() }),
    }
}
