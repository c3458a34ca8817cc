//! Which tokens a joining node takes, so that all nodes own about as much.
//!
//! Tokens by chance give shares with a standard deviation of 1/sqrt(128) = 9 %, and the largest of many shares is
//! a good deal above that. So a node looks at the ring it joins and cuts off, one token at a time, an equal part of
//! its share from those who own most (the idea of Cassandra's token allocation, CASSANDRA-7032, and of the
//! spread-minimizing tokens of Grafana's dskit). Everything is integers, and chance comes from the node's name, so
//! the same name and ring give the same tokens in every version.
//!
//! | file | what |
//! |---|---|
//! | `mod.rs` | one token after the other |
//! | `goal.rs` | among whom shares are to be equal, and who owns what so far |
//! | `candidate.rs` | what a token would change, and how good that is |

mod candidate;
mod goal;

use candidate::Candidate;
use goal::Shares;

use crate::order::{mix, name_hash};
use crate::{MAX_TOKENS, NodeName, Ring, Zone};

/// Positions on the ring.
const SPACE: u64 = 1 << 32;

/// Ranges that are looked at for one token.
const CANDIDATES: usize = 256;

/// The last tokens take what is missing exactly; those before vary, so that nodes that choose at the same time do
/// not cut the same ranges at the same places.
const EXACT: usize = 16;

/// What is left of a range at least, in millionths: this to twice this.
const SPARE: i64 = 30_000;

/// The tokens of a node that joins: `count` positions (at most [`MAX_TOKENS`]), ascending, none of them on the ring
/// already. The node may be on the ring; then its own tokens count for nothing, and it chooses anew.
///
/// Members that leave are taken as gone and members that join as arrived. Two nodes that choose at the same time,
/// not seeing each other, choose differently by their names; should a token be the same nevertheless, it belongs
/// to the lower name. A node that is still joining may choose again when it sees such another one.
///
/// Takes some 2 ms on a ring of 100 nodes, and up to 0.1 s where zones have very unequal numbers of them.
pub fn choose_tokens(ring: &Ring, name: &NodeName, zone: &Zone, count: usize) -> Vec<u32> {
    let count = count.min(MAX_TOKENS);
    let shares = Shares::of(ring, name, zone);
    let mut choice =
        Choice { ring, shares, chance: name_hash(name), count, tokens: Vec::with_capacity(count) };
    while choice.tokens.len() < count {
        choice.take_one();
    }
    choice.tokens.sort_unstable();
    choice.tokens
}

/// A choice under way.
struct Choice<'a> {
    ring: &'a Ring,
    shares: Shares,
    chance: u64,
    count: usize,
    tokens: Vec<u32>,
}

impl Choice<'_> {
    fn take_one(&mut self) {
        if self.shares.spots.is_empty() {
            return self.take_even();
        }
        let left = self.count - self.tokens.len();
        let part = ((self.shares.goal_firsts - self.shares.my_firsts) / left as i64).max(1);
        let vary = if left > EXACT { (self.roll() % part as u64) as i64 - part / 2 } else { 0 };
        let wanted = (part + vary).max(1);
        // Ranges that are too short for what is wanted are cut at different places, too.
        let spare = SPARE + (self.roll() % SPARE as u64) as i64;
        let paced = self.shares.goal_owned * (self.tokens.len() as i64 + 1) / self.count as i64;
        let ranges = self.shares.spots.len();
        let mut best: Option<(i128, Candidate)> = None;
        for i in 0..CANDIDATES.min(ranges) {
            let range = if ranges <= CANDIDATES { i } else { (self.roll() % ranges as u64) as usize };
            let Some(candidate) = Candidate::new(&self.shares, range, wanted, spare) else { continue };
            let cost = candidate.cost(&self.shares, wanted, paced);
            if best.as_ref().is_none_or(|(lowest, _)| cost < *lowest) && !self.is_taken(candidate.position) {
                best = Some((cost, candidate));
            }
        }
        match best {
            Some((_, candidate)) => {
                candidate.apply(&mut self.shares);
                self.tokens.push(candidate.position);
            }
            None => {
                // Nothing is left to cut.
                let position = self.roll() as u32;
                self.take_from(position);
            }
        }
    }

    /// The first node of a ring takes one token in each of as many equal parts, somewhere in it: were they evenly
    /// spaced, nodes that begin a cluster at the same time would own what happens to lie between their first tokens.
    fn take_even(&mut self) {
        let part = SPACE / self.count as u64;
        let position = self.tokens.len() as u64 * part + self.roll() % part;
        self.take_from(position as u32);
    }

    /// Takes the first free position from here on.
    fn take_from(&mut self, mut position: u32) {
        while self.is_taken(position) {
            position = position.wrapping_add(1);
        }
        self.tokens.push(position);
    }

    fn is_taken(&self, position: u32) -> bool {
        let spots = self.ring.spots();
        spots.binary_search_by_key(&position, |spot| spot.position).is_ok() || self.tokens.contains(&position)
    }

    fn roll(&mut self) -> u64 {
        self.chance = self.chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.chance)
    }
}
