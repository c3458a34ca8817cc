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
//! | `mod.rs` | this node's own steps |
//! | `seen.rs` | what is seen of the others, and since when it is so |
//! | `removal.rs` | steps of dead nodes, taken in their place |
//!
//! **Invariant:** no clock, no IO, no chance: the same calls give the same decisions.

mod removal;
mod seen;
#[cfg(test)]
mod tests;

use crate::{MemberState, Moved, NodeName, Ring, RingMember, RingOptions, Roles, Zone, choose_tokens, moved};

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

    /// A hook has returned.
    pub fn on_work(&mut self, now_ms: u64, is_done: bool) {
        let work = if is_done { Work::Done } else { Work::NotBefore(now_ms + RETRY_MS) };
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

    fn own_step(&mut self, now_ms: u64, view: &View) -> Option<Decision> {
        match self.stage {
            Stage::Looking => self.look(now_ms, view),
            Stage::Joining(work) => self.join(now_ms, view, work),
            Stage::Active => self.stay_or_go(now_ms, view),
            Stage::Leaving(work) => self.go(now_ms, view, work),
            Stage::Gone => None,
        }
    }

    fn look(&mut self, now_ms: u64, view: &View) -> Option<Decision> {
        let has_place = view.held.as_ref().is_some_and(|held| held.state != MemberState::Left);
        if self.is_told_to_leave && !has_place {
            return Some(self.end(Decision::Stop));
        }
        let has_looked = now_ms >= self.started_ms + self.settings.join_wait_ms
            || view.met && !view.is_lacking
            || self.settings.founds && view.others.is_empty();
        if !has_looked {
            return None;
        }
        if !self.takes_spans() {
            return Some(self.announce(Stage::Active, MemberState::Active, Vec::new()));
        }
        let former = view.held.as_ref().filter(|held| !held.tokens.is_empty());
        match former.map(|former| (former.state, former.tokens.clone())) {
            // It owns its ranges, as the others see it; one that was about to go stays.
            Some((MemberState::Active | MemberState::Leaving, tokens)) => {
                Some(self.announce(Stage::Active, MemberState::Active, tokens))
            }
            Some((MemberState::Joining, tokens)) => {
                Some(self.announce(Stage::Joining(Work::NotBefore(now_ms)), MemberState::Joining, tokens))
            }
            _ => self.come(now_ms, view),
        }
    }

    /// A node that has no place takes one.
    fn come(&mut self, now_ms: u64, view: &View) -> Option<Decision> {
        let is_first = !view.others.iter().any(|seen| seen.member.owns_now());
        let may_come = view.most_are_up() && self.quiet.now_is(now_ms, self.settings.settle_ms);
        // Somebody is there who has said something that has not come here: it is not for this node to begin.
        let may_begin = is_first && !view.is_lacking;
        if !may_begin && (is_first || !may_come) {
            return None;
        }
        let mut tokens = std::mem::take(&mut self.tokens);
        if tokens.len() != self.settings.tokens {
            let ring = self.ring(view, None)?;
            tokens = choose_tokens(&ring, &self.settings.me, &self.settings.zone, self.settings.tokens);
        }
        Some(match is_first {
            true => self.announce(Stage::Active, MemberState::Active, tokens),
            false => self.announce(Stage::Joining(Work::NotBefore(now_ms)), MemberState::Joining, tokens),
        })
    }

    fn join(&mut self, now_ms: u64, view: &View, work: Work) -> Option<Decision> {
        if self.is_told_to_leave {
            return self.quiet.now_is(now_ms, self.settings.settle_ms).then(|| self.end(Decision::Leave));
        }
        let is_first = !view.others.iter().any(|seen| seen.member.owns_now());
        if is_first {
            return Some(self.announce(Stage::Active, MemberState::Active, self.tokens.clone()));
        }
        if !view.most_are_up() || !self.quiet.next_is(now_ms, self.settings.settle_ms) {
            return None;
        }
        match work {
            Work::NotBefore(at_ms) if now_ms >= at_ms => {
                let (without, with) = (self.ring(view, None)?, self.ring(view, Some(MemberState::Active))?);
                self.stage = Stage::Joining(Work::UnderWay);
                Some(Decision::TakeOver(moved(&without, &with, &self.settings.me)))
            }
            Work::Done => Some(self.announce(Stage::Active, MemberState::Active, self.tokens.clone())),
            _ => None,
        }
    }

    fn stay_or_go(&mut self, now_ms: u64, view: &View) -> Option<Decision> {
        let settle_ms = self.settings.settle_ms;
        let removed = view.held.as_ref().filter(|held| held.is_news && held.is_removed);
        match removed.map(|held| held.state) {
            // It stays after all.
            Some(MemberState::Leaving) => {
                return Some(self.announce(Stage::Active, MemberState::Active, self.tokens.clone()));
            }
            // Its ranges are others' by now: it comes as a new one does.
            Some(MemberState::Left) if self.takes_spans() => {
                let may_come = view.most_are_up() && self.quiet.now_is(now_ms, settle_ms);
                return may_come.then(|| {
                    let stage = Stage::Joining(Work::NotBefore(now_ms));
                    self.announce(stage, MemberState::Joining, self.tokens.clone())
                });
            }
            _ => {}
        }
        if !self.is_told_to_leave {
            return None;
        }
        if !self.takes_spans() {
            return Some(self.end(Decision::Leave));
        }
        let takes_over = |seen: &Seen| seen.is_up && seen.member.owns_now() && seen.member.owns_next();
        if !view.others.iter().any(takes_over) {
            // Nobody could take what it has: it keeps its place for its next start.
            return Some(self.end(Decision::Stop));
        }
        let is_quiet = self.quiet.now_is(now_ms, settle_ms);
        is_quiet.then(|| {
            let stage = Stage::Leaving(Work::NotBefore(now_ms));
            self.announce(stage, MemberState::Leaving, self.tokens.clone())
        })
    }

    fn go(&mut self, now_ms: u64, view: &View, work: Work) -> Option<Decision> {
        if !self.quiet.next_is(now_ms, self.settings.settle_ms) {
            return None;
        }
        match work {
            Work::NotBefore(at_ms) if now_ms >= at_ms => {
                let (with, without) = (self.ring(view, Some(MemberState::Active))?, self.ring(view, None)?);
                self.stage = Stage::Leaving(Work::UnderWay);
                Some(Decision::HandOver(moved(&with, &without, &self.settings.me)))
            }
            Work::Done => Some(self.end(Decision::Leave)),
            _ => None,
        }
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
