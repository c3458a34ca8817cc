//! What is known of the members, as the ring and the steps of a node want it.

use std::sync::Arc;

use spanloom_ring::lifecycle::{Former, Seen, View};
use spanloom_ring::{MAX_MEMBERS, MemberState, Ring, RingError, RingMember, RingOptions};

use crate::{Held, Member, Record};

/// What a node announced last, in this life or the one before. `None` until something is known.
pub fn announced(member: &Member) -> Option<&Arc<Record>> {
    member.record.as_ref().or(member.former.as_ref())
}

fn ring_member(member: &Member) -> Option<RingMember> {
    let record = announced(member)?;
    let name = member.identity.name().clone();
    // Records are checked where they come in, so this fails for none.
    RingMember::new(name, record.zone.clone(), record.tokens.clone(), record.state, record.roles).ok()
}

/// What the steps of this node depend on. `met`: whether all was exchanged with somebody in this run.
pub fn seen(members: &[Member], held: Option<Held>, met: bool) -> View {
    let others: Vec<&Member> = members.iter().filter(|member| !member.me).collect();
    let is_lacking = |member: &&Member| {
        member.status.is_up() && !member.silent && (member.record.is_none() || member.tokens_pending)
    };
    let of = |member: &&Member| {
        let is_up = member.status.is_up();
        ring_member(member).map(|at| Seen { member: at, is_up, is_removed: member.removed })
    };
    View {
        is_lacking: others.iter().any(is_lacking),
        others: others.iter().filter_map(of).collect(),
        held: held.map(|held| Former {
            state: held.record.state,
            tokens: held.record.tokens.clone(),
            is_removed: held.removed,
            is_news: held.newer,
        }),
        met,
    }
}

/// The ring as this node sees it, made anew only when a member's place changed.
pub struct Rings {
    options: RingOptions,
    members: Vec<RingMember>,
    ring: Ring,
    /// How often it changed.
    pub changes: u64,
    /// Since when it is as it is, in milliseconds since 1970.
    pub since_ms: u64,
}

impl Rings {
    /// An empty one.
    pub fn new(options: RingOptions, unix_ms: u64) -> Result<Self, RingError> {
        let ring = Ring::new(Vec::new(), options)?;
        Ok(Self { options, members: Vec::new(), ring, changes: 0, since_ms: unix_ms })
    }

    /// The ring of these members; whether it changed. Of more members than a ring can have those that have left go
    /// first, then the last by name.
    pub fn update(&mut self, members: &[Member], unix_ms: u64) -> bool {
        let mut on_ring: Vec<RingMember> = members.iter().filter_map(ring_member).collect();
        if on_ring.len() > MAX_MEMBERS {
            on_ring.sort_by_key(|member| member.state() == MemberState::Left);
            on_ring.truncate(MAX_MEMBERS);
        }
        on_ring.sort_unstable_by(|one, two| one.name().cmp(two.name()));
        if on_ring == self.members {
            return false;
        }
        // Names come from a map and their number was seen to, so this fails for none.
        let Ok(ring) = Ring::new(on_ring.clone(), self.options) else { return false };
        (self.members, self.ring) = (on_ring, ring);
        self.changes += 1;
        self.since_ms = unix_ms;
        true
    }

    /// As it is.
    pub fn ring(&self) -> &Ring {
        &self.ring
    }
}
