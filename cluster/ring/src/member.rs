//! A member of the ring: what every node gossips about itself.

use crate::{NodeName, Roles, Zone};

/// Tokens that a node should have. 128 take some 520 bytes of a gossip packet.
pub const TOKENS_PER_NODE: usize = 128;

/// Most tokens of one member.
pub const MAX_TOKENS: usize = 512;

/// What a node says about itself. Built by [`RingMember::new`], which checks the tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RingMember {
    name: NodeName,
    zone: Zone,
    tokens: Vec<u32>,
    state: MemberState,
    roles: Roles,
}

/// Where a member is in its life. A member goes through these states in order; `Leaving` may go back to `Active`,
/// and `Joining` may go to `Left`. Nobody goes from `Active` to `Left` at once, a dead node neither: whoever
/// removes it makes it `Leaving` first, and the ring's promise to readers holds for each of the two steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MemberState {
    /// It has chosen its tokens and is fetching what its ranges hold. Writes go to it and to the present owners.
    Joining,
    /// It owns its ranges.
    Active,
    /// It hands its ranges over. Writes still go to it, and to those who will own them.
    Leaving,
    /// It owns nothing any more, and is kept only to be shown.
    Left,
}

/// Why a member cannot be on a ring.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MemberError {
    /// More than [`MAX_TOKENS`].
    #[error("member {name} has {found} tokens, expected at most {MAX_TOKENS}")]
    TooManyTokens {
        /// Which member.
        name: NodeName,
        /// Tokens that it has.
        found: usize,
    },
    /// Not ascending.
    #[error("token {at} of member {name} is {found:#010x}, expected more than the token before it")]
    Unsorted {
        /// Which member.
        name: NodeName,
        /// The token's place, from 0.
        at: usize,
        /// The token.
        found: u32,
    },
}

impl RingMember {
    /// A member. `tokens` are positions on the ring, ascending, each once; a node that takes no spans needs none.
    pub fn new(
        name: NodeName,
        zone: Zone,
        tokens: Vec<u32>,
        state: MemberState,
        roles: Roles,
    ) -> Result<Self, MemberError> {
        if tokens.len() > MAX_TOKENS {
            return Err(MemberError::TooManyTokens { name, found: tokens.len() });
        }
        if let Some(at) = tokens.windows(2).position(|pair| pair[0] >= pair[1]) {
            return Err(MemberError::Unsorted { name, at: at + 1, found: tokens[at + 1] });
        }
        Ok(Self { name, zone, tokens, state, roles })
    }

    /// The same member in another state.
    pub fn in_state(mut self, state: MemberState) -> Self {
        self.state = state;
        self
    }

    /// Its name.
    pub fn name(&self) -> &NodeName {
        &self.name
    }

    /// Where it stands.
    pub fn zone(&self) -> &Zone {
        &self.zone
    }

    /// Its positions on the ring, ascending.
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// Where it is in its life.
    pub fn state(&self) -> MemberState {
        self.state
    }

    /// What it does.
    pub fn roles(&self) -> Roles {
        self.roles
    }

    /// It may hold spans: it takes them, and has not left.
    pub fn may_hold_spans(&self) -> bool {
        self.roles.has(Roles::INGESTER) && self.state != MemberState::Left
    }

    /// It owns ranges now: it takes spans, has tokens, and is active or leaving.
    pub fn owns_now(&self) -> bool {
        self.takes_spans() && matches!(self.state, MemberState::Active | MemberState::Leaving)
    }

    /// It owns ranges when everybody has arrived or gone: it takes spans, has tokens, and is joining or active.
    pub fn owns_next(&self) -> bool {
        self.takes_spans() && matches!(self.state, MemberState::Joining | MemberState::Active)
    }

    fn takes_spans(&self) -> bool {
        self.roles.has(Roles::INGESTER) && !self.tokens.is_empty()
    }
}

impl MemberState {
    /// The state as the ring's page shows it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Joining => "joining",
            Self::Active => "active",
            Self::Leaving => "leaving",
            Self::Left => "left",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_checked() {
        let check = |tokens: Vec<u32>, expected: Option<&str>| {
            let name = NodeName::new("n1").unwrap();
            let member = RingMember::new(name, Zone::none(), tokens, MemberState::Active, Roles::ALL);
            assert_eq!(member.err().map(|error| error.to_string()).as_deref(), expected);
        };
        check(vec![], None);
        check(vec![0, 7, u32::MAX], None);
        check(vec![1, 1], Some("token 1 of member n1 is 0x00000001, expected more than the token before it"));
        check(
            vec![1, 9, 8],
            Some("token 2 of member n1 is 0x00000008, expected more than the token before it"),
        );
        check((0..513).collect(), Some("member n1 has 513 tokens, expected at most 512"));
    }

    #[test]
    fn a_state_owns_now_next_both_or_not_at_all() {
        let check = |state, roles, tokens: &[u32], expected: (bool, bool)| {
            let name = NodeName::new("n1").unwrap();
            let member = RingMember::new(name, Zone::none(), tokens.to_vec(), state, roles).unwrap();
            assert_eq!((member.owns_now(), member.owns_next()), expected, "{state:?} {roles:?}");
        };
        check(MemberState::Joining, Roles::ALL, &[1], (false, true));
        check(MemberState::Active, Roles::ALL, &[1], (true, true));
        check(MemberState::Leaving, Roles::ALL, &[1], (true, false));
        check(MemberState::Left, Roles::ALL, &[1], (false, false));
        check(MemberState::Active, Roles::QUERIER.and(Roles::COMPACTOR), &[1], (false, false));
        check(MemberState::Active, Roles::ALL, &[], (false, false));
    }
}
