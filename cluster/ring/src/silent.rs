//! How many nodes may be silent while those that answer still have everything.

use crate::{MemberState, Ring, quorum};

impl Ring {
    /// So many nodes may be silent, and an answer of all others is still whole: fewer than a write needs. Counts on
    /// every acknowledged span being held by as many nodes as a majority has.
    pub fn tolerated(&self) -> usize {
        use MemberState::{Active, Joining, Leaving};
        let majority = |states: [MemberState; 2]| {
            let owns = self.members().iter().filter(|member| {
                member.may_hold_spans() && !member.tokens().is_empty() && states.contains(&member.state())
            });
            quorum(owns.count().min(self.options().replication))
        };
        // A write took a majority of those who own now, and one of those who own next, or was taken when one of the two
        // was all there was.
        let majorities = [majority([Active, Leaving]), majority([Joining, Active])];
        majorities.into_iter().filter(|&nodes| nodes > 0).min().unwrap_or(0).saturating_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{NodeName, RingMember, RingOptions, Roles, Zone};

    #[test]
    fn fewer_may_be_silent_than_a_majority_has() {
        use MemberState::{Active, Joining, Leaving, Left};
        let check = |replication: usize, states: &[MemberState], expected: usize| {
            let member = |(number, state): (usize, &MemberState)| {
                let name = NodeName::new(&format!("n{number}")).unwrap();
                let tokens = vec![number as u32 * 1000 + 1];
                RingMember::new(name, Zone::none(), tokens, *state, Roles::ALL).unwrap()
            };
            let members = states.iter().enumerate().map(member).collect();
            let ring = Ring::new(members, RingOptions { replication, zone_aware: false }).unwrap();
            assert_eq!(ring.tolerated(), expected, "{replication} {states:?}");
        };
        check(3, &[], 0);
        check(3, &[Active], 0);
        check(3, &[Active; 2], 1);
        check(3, &[Active; 3], 1);
        check(3, &[Active; 9], 1);
        check(5, &[Active; 9], 2);
        check(1, &[Active; 9], 0);
        check(2, &[Active; 9], 1);
        // What was written before the second node had arrived lies on the first one alone.
        check(3, &[Active, Joining], 0);
        check(3, &[Leaving, Active], 0);
        check(3, &[Active, Left], 0);
        check(3, &[Joining, Joining], 1);
    }
}
