//! What a node does for its cluster.

use std::fmt;

/// What a node does for the cluster: a set, as bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Roles(u8);

impl Roles {
    /// No role.
    pub const NONE: Self = Self(0);
    /// Takes spans from senders and brings them to their owners.
    pub const DISTRIBUTOR: Self = Self(1);
    /// Owns ranges of the ring: holds the traces in them until they are in blocks.
    pub const INGESTER: Self = Self(2);
    /// Answers questions.
    pub const QUERIER: Self = Self(4);
    /// Joins and retires blocks: owns jobs.
    pub const COMPACTOR: Self = Self(8);
    /// All of them.
    pub const ALL: Self = Self(15);

    /// Each role with its name, in the order of a span's way.
    pub const NAMED: [(Self, &'static str); 4] = [
        (Self::DISTRIBUTOR, "distributor"),
        (Self::INGESTER, "ingester"),
        (Self::QUERIER, "querier"),
        (Self::COMPACTOR, "compactor"),
    ];

    /// Both sets together.
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` are among them.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The names of the roles that this version knows.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMED.into_iter().filter(move |(role, _)| self.has(*role)).map(|(_, name)| name)
    }

    /// The role of a name, or `all`.
    pub fn named(name: &str) -> Option<Self> {
        let mut known = Self::NAMED.into_iter().chain([(Self::ALL, "all")]);
        known.find(|(_, known)| *known == name).map(|(role, _)| role)
    }

    /// As gossip carries them.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// From gossip. Bits that this version does not know are kept, so that they are passed on.
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits)
    }
}

impl fmt::Debug for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_have_names_and_unknown_bits_stay() {
        let mut all = Roles::NONE;
        for (role, name) in Roles::NAMED {
            assert_eq!(Roles::named(name), Some(role));
            assert!(!all.has(role), "{name} has a bit of its own");
            all = all.and(role);
        }
        assert_eq!((all, Roles::named("all")), (Roles::ALL, Some(Roles::ALL)));
        assert_eq!((Roles::named("none"), Roles::from_bits(0xf1).bits()), (None, 0xf1));
        assert_eq!(format!("{:?}", Roles::from_bits(0xf6)), r#"{"ingester", "querier"}"#);
    }
}
