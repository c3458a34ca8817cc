//! Steps of nodes that are dead, taken in their place: leaving, and after a while left. One node at a time.
//!
//! Whoever is asked to forget a node says that it is leaving. The lowest name among the active nodes that are up does
//! the rest, so that a removal ends though the one that began it does not live to see it. Meanwhile each node fetches
//! what it gains. The one that acts waits for its own fetching; that the others are done nobody tells it.

use std::collections::{BTreeMap, BTreeSet};

use crate::{MemberState, Moved, NodeName, Ring, moved};

use super::{Decision, Lifecycle, Seen, Settings, Stage, View, Work};

/// Why a node is not forgotten. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ForgetError {
    /// No such node is known.
    #[error("no node named {0} is known here")]
    Unknown(String),
    /// It is this one.
    #[error("{0} is this node: it leaves when it is shut down")]
    Me(NodeName),
    /// It answers.
    #[error("{0} is up, expected one that is down: a node that is up leaves when it is shut down")]
    Up(NodeName),
    /// It has no place any more.
    #[error("{0} has left already: it is shown for a day and owns nothing")]
    Left(NodeName),
    /// One at a time.
    #[error("{0} is being removed: one node is removed at a time, try again in some seconds")]
    Another(NodeName),
    /// This node does not speak yet, or any more.
    #[error("this node is starting or stopping: ask another one")]
    Silent,
}

/// What this node knows of the dead.
#[derive(Debug, Default)]
pub(super) struct Removals {
    /// Since when they are down, as seen from here.
    down_since: BTreeMap<NodeName, u64>,
    /// Those that a person said are gone for good.
    wanted: BTreeSet<NodeName>,
    /// Whether somebody is being removed.
    is_under_way: bool,
    /// For whom this node fetches what it gains, and how far that is.
    fetch: Option<(NodeName, Work)>,
}

impl Removals {
    pub(super) fn are_pending(&self, settings: &Settings) -> bool {
        let forgets = settings.forget_after_ms.is_some() && !self.down_since.is_empty();
        self.is_under_way || !self.wanted.is_empty() || forgets
    }

    pub(super) fn on_fetched(&mut self, work: Work) {
        if let Some((_, of)) = self.fetch.as_mut().filter(|(_, of)| *of == Work::UnderWay) {
            *of = work;
        }
    }

    fn look(&mut self, now_ms: u64, view: &View) {
        let dead = |seen: &&Seen| !seen.is_up && seen.member.state() != MemberState::Left;
        let dead: Vec<&Seen> = view.others.iter().filter(dead).collect();
        let is_dead = |name: &NodeName| dead.iter().any(|seen| seen.member.name() == name);
        self.down_since.retain(|name, _| is_dead(name));
        self.wanted.retain(|name| is_dead(name));
        for seen in &dead {
            self.down_since.entry(seen.member.name().clone()).or_insert(now_ms);
        }
        self.is_under_way = dead.iter().any(|seen| is_going(seen));
    }
}

/// Others said that it leaves.
fn is_going(seen: &Seen) -> bool {
    seen.is_removed && !seen.is_up && seen.member.state() == MemberState::Leaving
}

impl Lifecycle {
    /// A person says that a node is gone for good.
    pub fn forget(&mut self, view: &View, name: &str) -> Result<(), ForgetError> {
        if name == self.settings.me.as_str() {
            return Err(ForgetError::Me(self.settings.me.clone()));
        }
        if matches!(self.stage, Stage::Looking | Stage::Gone) {
            return Err(ForgetError::Silent);
        }
        let found = view.others.iter().find(|seen| seen.member.name().as_str() == name);
        let seen = found.ok_or_else(|| ForgetError::Unknown(name.chars().take(80).collect()))?;
        let name = seen.member.name().clone();
        if seen.is_up {
            return Err(ForgetError::Up(name));
        }
        if seen.member.state() == MemberState::Left {
            return Err(ForgetError::Left(name));
        }
        let going = view.others.iter().find(|seen| is_going(seen)).map(|seen| seen.member.name());
        let wanted = self.removals.wanted.iter().next();
        match going.or(wanted).filter(|other| **other != name) {
            Some(other) => Err(ForgetError::Another(other.clone())),
            None => {
                self.removals.wanted.insert(name);
                Ok(())
            }
        }
    }

    pub(super) fn step_of_the_dead(&mut self, now_ms: u64, view: &View) -> Option<Decision> {
        self.removals.look(now_ms, view);
        if matches!(self.stage, Stage::Looking | Stage::Gone) {
            return None;
        }
        let settle_ms = self.settings.settle_ms;
        if let Some(going) = view.others.iter().find(|seen| is_going(seen)) {
            let name = going.member.name();
            self.removals.wanted.remove(name);
            if !self.quiet.next_is(now_ms, settle_ms) {
                return None;
            }
            return match self.fetch_for(now_ms, view, name) {
                (decision, false) => decision,
                (_, true) => self.is_lowest(view).then(|| Decision::Remove(name.clone(), MemberState::Left)),
            };
        }
        self.removals.fetch = None;
        let forgotten = self.forgotten(now_ms, view).filter(|_| self.is_lowest(view));
        let name = self.removals.wanted.first().cloned().or(forgotten)?;
        let seen = view.others.iter().find(|seen| *seen.member.name() == name)?;
        // Leaving changes who owns ranges next, and so does giving up while joining.
        if !self.quiet.now_is(now_ms, settle_ms) {
            return None;
        }
        // One that died while it left is said to be leaving once more, now in its place.
        let step = if seen.member.owns_now() { MemberState::Leaving } else { MemberState::Left };
        self.removals.wanted.remove(&name);
        Some(Decision::Remove(name, step))
    }

    /// What is to be done before a node has left, and whether that is over.
    fn fetch_for(&mut self, now_ms: u64, view: &View, name: &NodeName) -> (Option<Decision>, bool) {
        if self.stage != Stage::Active {
            // What it gains it fetches when it joins; what it gives up it needs no more.
            return (None, true);
        }
        let known = self.removals.fetch.take().filter(|(of, _)| of == name);
        let (mut decision, mut work) = (None, known.map_or(Work::NotBefore(now_ms), |(_, work)| work));
        if matches!(work, Work::NotBefore(at_ms) if now_ms >= at_ms) {
            let gained = self.gained_from(view, name).filter(|moved| !moved.gained.is_empty());
            work = if gained.is_some() { Work::UnderWay } else { Work::Done };
            decision = gained.map(Decision::Fetch);
        }
        self.removals.fetch = Some((name.clone(), work));
        (decision, work == Work::Done)
    }

    /// What this node gains when another one has left.
    fn gained_from(&self, view: &View, name: &NodeName) -> Option<Moved> {
        let ring = |state: MemberState| {
            let others = view.others.iter().map(|seen| match seen.member.name() == name {
                true => seen.member.clone().in_state(state),
                false => seen.member.clone(),
            });
            Ring::new(others.chain(self.own_member()).collect(), self.settings.ring).ok()
        };
        Some(moved(&ring(MemberState::Active)?, &ring(MemberState::Left)?, &self.settings.me))
    }

    /// The one that is down for the longest, if that is long enough.
    fn forgotten(&self, now_ms: u64, view: &View) -> Option<NodeName> {
        let after_ms = self.settings.forget_after_ms?;
        let longest = self.removals.down_since.iter().min_by_key(|(_, since_ms)| **since_ms);
        let (name, _) = longest.filter(|(_, since_ms)| now_ms >= since_ms.saturating_add(after_ms))?;
        // Whoever sees the smaller part is more likely cut off than one of the few that are left.
        let owners = view.others.iter().filter(|seen| seen.member.owns_now());
        let (up, all) = owners.fold((1, 1), |(up, all), seen| (up + usize::from(seen.is_up), all + 1));
        (up * 2 > all).then(|| name.clone())
    }

    /// Whether this is the lowest name among the active nodes that are up.
    fn is_lowest(&self, view: &View) -> bool {
        let acts = |seen: &&Seen| seen.is_up && seen.member.state() == MemberState::Active;
        let lowest = view.others.iter().filter(acts).map(|seen| seen.member.name()).min();
        self.stage == Stage::Active && lowest.is_none_or(|lowest| self.settings.me < *lowest)
    }
}
