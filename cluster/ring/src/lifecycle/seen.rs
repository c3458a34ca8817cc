//! What is seen of the others, and since when who owns ranges is as it is.

use crate::{MemberState, NodeName, RingMember};

/// Another node.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// Its place on the ring.
    pub member: RingMember,
    /// Whether it answers.
    pub is_up: bool,
    /// Whether others said its state in its place.
    pub is_removed: bool,
}

/// What others hold of this node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Former {
    /// Its state.
    pub state: MemberState,
    /// Its tokens.
    pub tokens: Vec<u32>,
    /// Whether others said it in its place.
    pub is_removed: bool,
    /// Whether it is newer than what this node said last.
    pub is_news: bool,
}

/// The cluster as this node sees it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct View {
    /// The others, each name once.
    pub others: Vec<Seen>,
    /// What others hold of this node; kept from the last run, or heard.
    pub held: Option<Former>,
    /// Whether all that is known was exchanged with another node in this run.
    pub met: bool,
    /// Whether there are nodes that are up and have announced what is not known here yet.
    pub is_lacking: bool,
}

impl View {
    /// What others said in this node's place, if it has not answered yet.
    pub(super) fn is_removed_as(&self) -> Option<MemberState> {
        let removed = self.held.as_ref().filter(|held| held.is_news && held.is_removed);
        removed.map(|held| held.state)
    }

    /// Whether more than half of the others who own ranges now are up, or nobody does.
    pub(super) fn most_are_up(&self) -> bool {
        let owners = self.others.iter().filter(|seen| seen.member.owns_now());
        let (up, all) = owners.fold((0, 0), |(up, all), seen| (up + usize::from(seen.is_up), all + 1));
        up * 2 > all || all == 0
    }
}

/// Who owns ranges, and by which tokens.
type Owners = Vec<(NodeName, Vec<u32>)>;

/// Since when nobody took a step of one kind.
#[derive(Debug)]
pub(super) struct Quiet {
    now: Owners,
    now_since_ms: u64,
    next: Owners,
    next_since_ms: u64,
}

impl Quiet {
    pub(super) fn new(now_ms: u64) -> Self {
        Self { now: Vec::new(), now_since_ms: now_ms, next: Vec::new(), next_since_ms: now_ms }
    }

    /// Looks whether something changed.
    pub(super) fn look(&mut self, now_ms: u64, view: &View, own: Option<RingMember>) {
        let members: Vec<&RingMember> = view.others.iter().map(|seen| &seen.member).chain(&own).collect();
        let (now, next) = (owners(&members, RingMember::owns_now), owners(&members, RingMember::owns_next));
        if now != self.now {
            (self.now, self.now_since_ms) = (now, now_ms);
        }
        if next != self.next {
            (self.next, self.next_since_ms) = (next, now_ms);
        }
    }

    /// The others see a change that was none here.
    pub(super) fn touch(&mut self, now_ms: u64) {
        (self.now_since_ms, self.next_since_ms) = (now_ms, now_ms);
    }

    /// Whether who owns ranges now is the same for so long: then who owns them next may change.
    pub(super) fn now_is(&self, now_ms: u64, settle_ms: u64) -> bool {
        now_ms >= self.now_since_ms.saturating_add(settle_ms)
    }

    /// Whether who owns ranges next is the same for so long: then who owns them now may change.
    pub(super) fn next_is(&self, now_ms: u64, settle_ms: u64) -> bool {
        now_ms >= self.next_since_ms.saturating_add(settle_ms)
    }
}

fn owners(members: &[&RingMember], owns: fn(&RingMember) -> bool) -> Owners {
    let mut owners: Owners = members
        .iter()
        .filter(|member| owns(member))
        .map(|member| (member.name().clone(), member.tokens().to_vec()))
        .collect();
    owners.sort_unstable();
    owners
}
