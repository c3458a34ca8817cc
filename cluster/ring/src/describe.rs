//! What the ring's page shows: plain numbers, to be written as JSON or HTML by others.

use crate::{NodeIndex, Ring, RingMember};

/// Positions on the ring.
const SPACE: f64 = 4_294_967_296.0;

/// The ring as its page shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct RingView {
    /// What nodes compare to learn whether they see the same ring.
    pub fingerprint: u64,
    /// Owners of a token where there are as many nodes.
    pub replication: usize,
    /// Whether replicas are put into different zones.
    pub zone_aware: bool,
    /// Ranges that the tokens cut the ring into.
    pub ranges: usize,
    /// The members, by name.
    pub members: Vec<MemberView>,
}

/// A member as the ring's page shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct MemberView {
    /// The member.
    pub member: RingMember,
    /// Percent of all tokens that it is the first owner of. All members' are 100 together.
    pub first_percent: f64,
    /// Percent of all tokens that it is an owner of. All members' are 100 times the replicas together, and more
    /// while somebody joins or leaves.
    pub owned_percent: f64,
}

impl Ring {
    /// The ring as its page shows it.
    pub fn view(&self) -> RingView {
        let (mut first, mut owned) = (vec![0.0; self.members().len()], vec![0.0; self.members().len()]);
        for (range, length) in self.lengths().enumerate() {
            let owners = self.set_of_range(range);
            let share = length as f64 / SPACE * 100.0;
            // Each owner of now is the first for an equal part of a range's tokens.
            let firsts = if owners.owns_now() == 0 { owners.nodes().len() } else { owners.owns_now() };
            for (i, node) in owners.nodes().iter().enumerate() {
                owned[node.get()] += share;
                first[node.get()] += if i < firsts { share / firsts as f64 } else { 0.0 };
            }
        }
        let members = self.members().iter().cloned().zip(first).zip(owned);
        RingView {
            fingerprint: self.fingerprint(),
            replication: self.options().replication,
            zone_aware: self.options().zone_aware,
            ranges: self.spots().len(),
            members: members
                .map(|((member, first_percent), owned_percent)| MemberView {
                    member,
                    first_percent,
                    owned_percent,
                })
                .collect(),
        }
    }

    /// How many of the 2^32 positions each member owns, by member.
    pub fn owned_positions(&self) -> Vec<u64> {
        let mut owned = vec![0; self.members().len()];
        for (range, length) in self.lengths().enumerate() {
            self.set_of_range(range).nodes().iter().for_each(|node: &NodeIndex| owned[node.get()] += length);
        }
        owned
    }

    /// Positions of each range.
    fn lengths(&self) -> impl Iterator<Item = u64> + '_ {
        let spots = self.spots();
        let last = spots.last().map_or(0, |spot| spot.position);
        let wrap = spots.first().map_or(0, |spot| u64::from(u32::MAX - last) + 1 + u64::from(spot.position));
        let rest = spots.windows(2).map(|pair| u64::from(pair[1].position - pair[0].position));
        spots.first().map(|_| wrap).into_iter().chain(rest)
    }
}
