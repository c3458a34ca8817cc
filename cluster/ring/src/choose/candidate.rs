//! What a token would change, and how good that is.

use super::goal::{SELF, Shares};
use crate::placement::Spot;
use crate::{MAX_REPLICATION, NodeIndex};

/// Nodes that a token takes from, at most. Further losses are counted as gain only: the choice becomes less exact.
const MAX_LOSSES: usize = 12;

/// What it weighs, against how equal the ranges are: that a token takes what was wanted, and that owners' shares
/// are equal. Tried out with `examples/balance.rs`.
const WANTED_WEIGHT: i128 = 4;
const OWNED_WEIGHT: i128 = 4;

/// One more token, and what it would change.
#[derive(Clone, Copy)]
pub(super) struct Candidate {
    pub position: u32,
    /// Whose range it cuts, and how much it takes of it.
    first: NodeIndex,
    cut: i64,
    /// Positions that the joining node would own in addition, and who would own them no more.
    gain: i64,
    losses: [(NodeIndex, i64); MAX_LOSSES],
    losers: usize,
}

/// What a token does to the owners of a range.
enum Displaced {
    /// The token is too far up to matter, for this range and those before.
    NotReached,
    /// The joining node owns the range already.
    Nobody,
    /// The joining node takes this one's place.
    Owner(NodeIndex),
}

impl Candidate {
    /// The token that takes about `wanted` of a range and leaves at least `spare` millionths of it; none if the range
    /// is the joining node's or too short.
    pub(super) fn new(shares: &Shares, range: usize, wanted: i64, spare: i64) -> Option<Self> {
        let (ranges, length) = (shares.spots.len(), shares.length(range));
        let Spot { position: end, node: first } = shares.spots[range];
        if length < 4 || first == SELF {
            return None;
        }
        let cut = wanted.clamp(1, length - 1 - length * spare / 1_000_000);
        let position = (i64::from(end) - (length - cut)) as u32;
        let mut found = Self { position, first, cut, gain: 0, losses: [(SELF, 0); MAX_LOSSES], losers: 0 };
        found.displace(displaced(shares, range, range), cut);
        // The ranges before, too: a walk up from them may meet the token soon enough.
        for back in 1..ranges {
            let before = (range + ranges - back) % ranges;
            match displaced(shares, before, range) {
                Displaced::NotReached => break,
                by => found.displace(by, shares.length(before)),
            }
        }
        Some(found)
    }

    fn displace(&mut self, displaced: Displaced, positions: i64) {
        let Displaced::Owner(node) = displaced else { return };
        self.gain += positions;
        let known = self.losses[..self.losers].iter().position(|(other, _)| *other == node);
        match known {
            Some(i) => self.losses[i].1 += positions,
            None if self.losers < MAX_LOSSES => {
                self.losses[self.losers] = (node, positions);
                self.losers += 1;
            }
            None => {}
        }
    }

    /// How much worse things become, as sums of squares of what is off; less is better. `wanted` is what the token
    /// is to take, `paced` what the joining node should own with it.
    pub(super) fn cost(&self, shares: &Shares, wanted: i64, paced: i64) -> i128 {
        let off = i128::from(self.cut - wanted);
        let over = shares.firsts[self.first.get()] - shares.goal_firsts;
        let mut cost = WANTED_WEIGHT * off * off + change(over, self.cut);
        if shares.replicas > 1 {
            let off = i128::from(shares.my_owned + self.gain - paced);
            cost += off * off;
            for (node, loss) in &self.losses[..self.losers] {
                cost += OWNED_WEIGHT * change(shares.owned[node.get()] - shares.goal_owned, *loss);
            }
        }
        cost
    }

    /// Puts the token on the ring.
    pub(super) fn apply(&self, shares: &mut Shares) {
        for (node, loss) in &self.losses[..self.losers] {
            shares.owned[node.get()] -= loss;
        }
        shares.firsts[self.first.get()] -= self.cut;
        shares.my_firsts += self.cut;
        shares.my_owned += self.gain;
        let at = shares.spots.partition_point(|other| other.position < self.position);
        shares.spots.insert(at, Spot { position: self.position, node: SELF });
    }
}

/// What the square of `over` changes by when `loss` is taken from it.
fn change(over: i64, loss: i64) -> i128 {
    let (over, loss) = (i128::from(over), i128::from(loss));
    loss * loss - 2 * over * loss
}

/// Who owns `range` no more when the joining node has a token just before the end of range `cut`.
fn displaced(shares: &Shares, range: usize, cut: usize) -> Displaced {
    let mut met = [0; MAX_REPLICATION];
    let (mut len, mut mine, mut reached) = (0, None, false);
    for step in 0..shares.spots.len() {
        let at = (range + step) % shares.spots.len();
        if at == cut {
            if mine.is_some() {
                return Displaced::NotReached;
            }
            reached = true;
        }
        let node = shares.spots[at].node;
        let key = shares.key(node);
        if !met[..len].contains(&key) {
            met[len] = key;
            len += 1;
            if key == shares.my_key {
                mine = Some(node);
            }
        }
        if len == shares.replicas {
            return match (reached, mine.unwrap_or(node)) {
                (false, _) => Displaced::NotReached,
                (true, SELF) => Displaced::Nobody,
                (true, node) => Displaced::Owner(node),
            };
        }
    }
    Displaced::Nobody
}
