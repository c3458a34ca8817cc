//! When a node takes which step on the ring: time and what is seen of the others in, decisions out.
//!
//! The ring keeps its promise to readers while steps that change who owns ranges **now** and steps that change who
//! will own them **next** do not meet (the crate, "Readers find what a majority took"). Nobody acknowledges that
//! it has seen a step, so a node waits instead: it takes a step of one kind when it has seen none of the other kind
//! for [`Settings::settle_ms`], its own included. Two nodes that take steps of both kinds within the time that gossip
//! needs are not kept apart by this.
//!
//! A node comes only while most of those who own ranges are up. Otherwise one that comes on the smaller side of a
//! partition would take spans there, in place of those that are not reached, of which the larger side knows nothing: it
//! would call answers whole that lack them.
//!
//! | file | what |
//! |---|---|
//! | `mod.rs` | what the steps depend on, what is decided |
//! | `own.rs` | this node's own steps |
//! | `seen.rs` | what is seen of the others, and since when it is so |
//! | `removal.rs` | steps of dead nodes, taken in their place |
//!
//! **Invariant:** no clock, no IO, no chance: the same calls give the same decisions.

mod own;
mod removal;
mod seen;
#[cfg(test)]
mod tests;

use crate::{MemberState, Moved, NodeName, Ring, RingMember, RingOptions, Roles, Zone};

pub use removal::ForgetError;
use seen::Quiet;
pub use seen::{Former, Seen, View};

/// How long to wait before hooks that failed are called again.
const RETRY_MS: u64 = 5_000;

/// What the steps depend on.
#[derive(Debug, Clone)]
pub struct Settings {
    /// This node.
    pub me: NodeName,
    /// Its zone.
    pub zone: Zone,
    /// What it does. Who takes no spans has no tokens, and becomes active at once.
    pub roles: Roles,
    /// Of the ring.
    pub ring: RingOptions,
    /// Tokens to have.
    pub tokens: usize,
    /// How long others have to see a step.
    pub settle_ms: u64,
    /// How long to look for the others before this node goes by what it knows.
    pub join_wait_ms: u64,
    /// Whether there is nobody to look for.
    pub founds: bool,
    /// When a node that is down is removed; never by itself if `None`.
    pub forget_after_ms: Option<u64>,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// Announce this, and keep the tokens for the next start.
    Announce(MemberState, Vec<u32>),
    /// Fetch what was gained, and say when it is done.
    TakeOver(Moved),
    /// Fetch what was gained from a node that is being removed, from its other owners, and say when it is done.
    Fetch(Moved),
    /// Bring what will be lost to its next owners, and say when it is done.
    HandOver(Moved),
    /// Say of a node that is down that it is leaving, or has left.
    Remove(NodeName, MemberState),
    /// Say that this node has left, and end.
    Leave,
    /// End without a word: the node keeps its place.
    Stop,
}

/// Where this node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It finds out who is there and what it was; it has said nothing.
    Looking,
    /// It has announced that it joins.
    Joining(Work),
    /// It owns its ranges, or has work that needs none.
    Active,
    /// It has announced that it leaves.
    Leaving(Work),
    /// It has left, or stopped.
    Gone,
}

/// A hook that is called once a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Not called yet, or it failed: not before this time.
    NotBefore(u64),
    /// Called.
    UnderWay,
    /// Done.
    Done,
}

impl Work {
    fn after(now_ms: u64, is_done: bool) -> Self {
        if is_done { Self::Done } else { Self::NotBefore(now_ms + RETRY_MS) }
    }
}

/// The steps of one node.
#[derive(Debug)]
pub struct Lifecycle {
    settings: Settings,
    stage: Stage,
    started_ms: u64,
    /// What this node announced last, or chose before it restarted.
    tokens: Vec<u32>,
    quiet: Quiet,
    removals: removal::Removals,
    is_told_to_leave: bool,
}

impl Lifecycle {
    /// A node that starts. `tokens` are those of its earlier life, if it had one.
    pub fn new(now_ms: u64, settings: Settings, tokens: Vec<u32>) -> Self {
        Self {
            settings,
            stage: Stage::Looking,
            started_ms: now_ms,
            tokens,
            quiet: Quiet::new(now_ms),
            removals: removal::Removals::default(),
            is_told_to_leave: false,
        }
    }

    /// Where this node is.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// The node is to end; the steps follow.
    pub fn leave(&mut self) {
        self.is_told_to_leave = true;
    }

    /// Fetching for a node that is being removed has ended.
    pub fn on_fetched(&mut self, now_ms: u64, is_done: bool) {
        self.removals.on_fetched(Work::after(now_ms, is_done));
    }

    /// A hook for this node's own step has returned.
    pub fn on_work(&mut self, now_ms: u64, is_done: bool) {
        let work = Work::after(now_ms, is_done);
        match &mut self.stage {
            Stage::Joining(of) | Stage::Leaving(of) if *of == Work::UnderWay => *of = work,
            _ => {}
        }
    }

    /// What is to be done by what is seen. To be called when that changes, and at [`Self::next_deadline`].
    pub fn decide(&mut self, now_ms: u64, view: &View) -> Option<Decision> {
        self.quiet.look(now_ms, view, self.own_member());
        let own = self.own_step(now_ms, view);
        // One step at a time, so that the next is held against it.
        let decision = if own.is_none() { self.step_of_the_dead(now_ms, view) } else { own };
        self.quiet.look(now_ms, view, self.own_member());
        decision
    }

    /// When to decide again though nothing changed; `None` when there is nothing to wait for.
    pub fn next_deadline(&self, now_ms: u64) -> Option<u64> {
        let waits = match self.stage {
            Stage::Gone => false,
            Stage::Active => self.is_told_to_leave || self.removals.are_pending(&self.settings),
            _ => true,
        };
        waits.then(|| now_ms + (self.settings.settle_ms / 8).clamp(10, 500))
    }

    fn takes_spans(&self) -> bool {
        self.settings.roles.has(Roles::INGESTER)
    }

    fn announce(&mut self, stage: Stage, state: MemberState, tokens: Vec<u32>) -> Decision {
        self.stage = stage;
        self.tokens.clone_from(&tokens);
        Decision::Announce(state, tokens)
    }

    fn end(&mut self, how: Decision) -> Decision {
        self.stage = Stage::Gone;
        how
    }

    /// This node as the others see it when they have seen its last step; `None` before it has taken one.
    fn own_member(&self) -> Option<RingMember> {
        let state = match self.stage {
            Stage::Looking => return None,
            Stage::Joining(_) => MemberState::Joining,
            Stage::Active => MemberState::Active,
            Stage::Leaving(_) => MemberState::Leaving,
            Stage::Gone => MemberState::Left,
        };
        self.member_in(state)
    }

    fn member_in(&self, state: MemberState) -> Option<RingMember> {
        let Settings { me, zone, roles, .. } = &self.settings;
        RingMember::new(me.clone(), zone.clone(), self.tokens.clone(), state, *roles).ok()
    }

    /// The ring of the others, and of this node in a state.
    fn ring(&self, view: &View, own: Option<MemberState>) -> Option<Ring> {
        let others = view.others.iter().map(|seen| seen.member.clone());
        let own = own.and_then(|state| self.member_in(state));
        Ring::new(others.chain(own).collect(), self.settings.ring).ok()
    }
}
