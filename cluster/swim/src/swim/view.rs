//! The members, as this node sees them.

use std::sync::Arc;

use foca::State;

use super::{Life, Swim};
use crate::record::{Load, Record};
use crate::{Identity, MemberState};

/// Whether a member answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// It does.
    Up,
    /// It did not, to somebody; it counts as up until it has had time to speak up.
    Suspect,
    /// It does not.
    Down,
    /// It said that it leaves, and has gone.
    Left,
}

impl Status {
    /// Whether to send it work.
    pub fn is_up(self) -> bool {
        matches!(self, Self::Up | Self::Suspect)
    }
}

/// A member.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// Name, generation and gossip address.
    pub identity: Identity,
    /// Whether it answers.
    pub status: Status,
    /// Since when it is up, down or left, in milliseconds since 1970 of this node's clock.
    pub since_ms: u64,
    /// What it says of itself in this generation; `None` until that is known.
    pub record: Option<Arc<Record>>,
    /// What another life of it said, while this one has said nothing that is known here.
    pub former: Option<Arc<Record>>,
    /// Whether it says nothing of itself yet: [`Swim::silent`].
    pub silent: bool,
    /// Whether others said it in its place, to remove it: [`Swim::remove`].
    pub removed: bool,
    /// Whether the record's tokens are of an older version, or not there: they did not fit a datagram, and are being
    /// fetched.
    pub tokens_pending: bool,
    /// How busy it is, as far as known.
    pub load: Option<Load>,
    /// Whether it is this node.
    pub me: bool,
}

impl Swim {
    /// All members by name, this node and those that are down included.
    pub fn members(&self) -> Vec<Member> {
        let records = self.records.lock();
        let others = self.foca.iter_membership_state().filter(|member| member.id().name() != self.me.name());
        let mut members: Vec<Member> = others
            .map(|member| {
                let identity = member.id().clone();
                let any = records.of(identity.name());
                let said = any.filter(|said| said.generation == identity.generation());
                let former = any.filter(|_| said.is_none());
                let left = said.is_some_and(|said| said.record.state == MemberState::Left);
                let status = match member.state() {
                    State::Alive => Status::Up,
                    State::Suspect => Status::Suspect,
                    State::Down if left => Status::Left,
                    State::Down => Status::Down,
                };
                Member {
                    status,
                    since_ms: self.since.get(identity.name()).copied().unwrap_or_default(),
                    record: said.map(|said| Arc::clone(&said.record)),
                    former: former.map(|said| Arc::clone(&said.record)),
                    silent: records.load_of(&identity).is_some_and(|report| report.record_version == 0),
                    removed: any.is_some_and(|said| said.removed),
                    tokens_pending: said.is_none_or(|said| !said.whole),
                    load: records.load_of(&identity).map(|report| report.load),
                    me: false,
                    identity,
                }
            })
            .collect();
        let former = records.mine().filter(|_| self.silent).map(|mine| Arc::clone(&mine.record));
        members.push(self.myself(former));
        members.sort_unstable_by(|one, two| one.identity.name().cmp(two.identity.name()));
        members
    }

    fn myself(&self, former: Option<Arc<Record>>) -> Member {
        let status = match self.life {
            Life::Running => Status::Up,
            Life::Superseded(_) => Status::Down,
            Life::Leaving | Life::Left => Status::Left,
        };
        Member {
            identity: self.me.clone(),
            status,
            since_ms: self.since.get(self.me.name()).copied().unwrap_or_default(),
            record: (!self.silent).then(|| Arc::clone(&self.own.record)),
            former,
            silent: self.silent,
            removed: false,
            tokens_pending: false,
            load: Some(self.load.load),
            me: true,
        }
    }

    /// Who has this node's name, if another process does: this node is out of the cluster.
    pub fn name_taken_by(&self) -> Option<&Identity> {
        match &self.life {
            Life::Superseded(winner) => Some(winner),
            _ => None,
        }
    }

    /// Whether this node has left; it sends and answers nothing any more.
    pub fn has_left(&self) -> bool {
        self.life == Life::Left
    }
}
