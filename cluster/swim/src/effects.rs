//! What the world is to do, and what has become known.

use std::fmt;
use std::net::SocketAddr;

use crate::{Identity, MemberState, NodeName};

/// The time, as two clocks tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Now {
    /// Milliseconds of a clock that never goes back, from any start. Timers go by it.
    pub monotonic_ms: u64,
    /// Milliseconds since 1970. The seal goes by it, and what people are shown.
    pub unix_ms: u64,
}

/// Something that the shell does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Send a datagram.
    Send {
        /// Where to.
        to: SocketAddr,
        /// All of it, at most `max_packet` bytes.
        bytes: Vec<u8>,
    },
    /// Look a seed's name up, and give what was found to [`crate::Swim::on_resolved`]. It may fail silently: it is
    /// asked again.
    Resolve {
        /// Name of the host.
        host: String,
        /// Port to put to each address.
        port: u16,
    },
    /// Bring [`crate::Swim::full_state`] to a member over the peer transport, have its own in return, and give that
    /// to [`crate::Swim::merge_full_state`], as it does with ours. It may fail silently: another one follows.
    PushPull {
        /// The member.
        with: NodeName,
        /// `host:port` of its peer transport.
        peer: String,
    },
    /// Something became known. The members have already changed.
    Changed(Change),
}

/// A past fact about the members. As text, it is what a log should say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A member answers: new, or back.
    Up(Identity),
    /// A member does not answer, or has left.
    Down {
        /// Which.
        who: Identity,
        /// It said so itself.
        left: bool,
    },
    /// A later life of a node took the place of an earlier one, at once. What the earlier one announced is void.
    Restarted {
        /// The one that is over.
        before: Identity,
        /// The one that counts.
        after: Identity,
    },
    /// A member's record is new. (A load that changes is not told.)
    Record(NodeName),
    /// Others hold this node as something that it did not say in this life: what it was before, or that it is being
    /// removed. [`crate::Swim::held`] has the record; saying something newer ends it.
    Held(MemberState),
    /// This node is known by at least one other.
    Joined,
    /// This node sees no other that is up.
    Alone,
    /// This node had been declared down although it lives, and came back under this identity.
    Renewed(Identity),
    /// Another process has this node's name, started later, and is up. This node is out of the cluster until it has
    /// a name of its own, or the other is gone. A person should look.
    NameTaken {
        /// This node.
        loser: Identity,
        /// The other.
        winner: Identity,
    },
    /// This node has left; nothing more is sent or answered. The shell may end.
    Left,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Up(who) => write!(f, "{who} is up"),
            Self::Down { who, left: true } => write!(f, "{who} has left"),
            Self::Down { who, left: false } => write!(f, "{who} is down"),
            Self::Restarted { before, after } if before.address() == after.address() => {
                write!(f, "{before} has restarted as {after}")
            }
            Self::Restarted { before, after } => write!(
                f,
                "{after} takes the place of {before}: it moved, or two processes have the name {}, of which the \
                 later counts",
                after.name()
            ),
            Self::Record(name) => write!(f, "{name} has announced something new"),
            Self::Held(state) => write!(f, "others hold this node as {}", state.as_str()),
            Self::Joined => f.write_str("joined the cluster"),
            Self::Alone => f.write_str("no other node is up"),
            Self::Renewed(who) => write!(f, "was declared down while alive, back as {who}"),
            Self::NameTaken { loser, winner } => write!(
                f,
                "the name {} is taken: {winner} started later than this process at {}; this one stays out of the \
                 cluster; give one of them another name",
                loser.name(),
                loser.address()
            ),
            Self::Left => f.write_str("left the cluster"),
        }
    }
}

/// Effects in the order in which they happened. Owned by the shell, filled by every call, emptied by the shell.
#[derive(Debug, Default)]
pub struct Effects(Vec<Effect>);

impl Effects {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes all, oldest first.
    pub fn drain(&mut self) -> impl Iterator<Item = Effect> + '_ {
        self.0.drain(..)
    }

    pub(crate) fn push(&mut self, effect: Effect) {
        self.0.push(effect);
    }

    pub(crate) fn tell(&mut self, change: Change) {
        self.0.push(Effect::Changed(change));
    }
}
