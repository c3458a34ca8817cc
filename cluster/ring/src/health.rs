//! Who stands in for owners that are down. Being down is not a state of a member: nodes see it differently and for
//! moments only, so it never changes the ring, and is a view that the caller brings.
//!
//! A stand-in keeps what it is given for the one that is down (the hinted handoff of Dynamo, section 4.6). Its
//! answer counts for durability; it does not count for the majority by which readers find what was written, unless
//! the reader asks it, too.

use crate::ring::MAX_MEMBERS;
use crate::{MAX_OWNERS, NodeIndex, Owners, Ring, Token};

/// Nodes beyond the owners of a token, in the order in which a walk meets them: [`Ring::successors`].
#[derive(Debug, Clone)]
pub struct Successors<'a> {
    ring: &'a Ring,
    /// A bit for every node that was met, or owns the token.
    met: [u64; MAX_MEMBERS / 64],
    at: usize,
    steps: usize,
}

/// Who takes each owner's copy: [`Ring::stand_ins`].
#[derive(Debug, Clone)]
pub struct StandIns<'a> {
    owners: Owners<'a>,
    takers: [Option<NodeIndex>; MAX_OWNERS],
}

impl Ring {
    /// The active members beyond the owners of a token, nearest first, each once.
    pub fn successors(&self, token: Token) -> Successors<'_> {
        let range = self.range_of(token.position());
        let steps = range.map_or(0, |_| self.spots().len());
        let mut met = [0; MAX_MEMBERS / 64];
        for node in self.owners_for_read(token).nodes() {
            met[node.get() / 64] |= 1 << (node.get() % 64);
        }
        Successors { ring: self, met, at: range.unwrap_or(0), steps }
    }

    /// For every owner that must take what is written at a token: itself, or if it is down the first successor
    /// that is not; one of its own zone if there is, so that the copies stay in different zones.
    pub fn stand_ins(&self, token: Token, is_down: impl Fn(NodeIndex) -> bool) -> StandIns<'_> {
        let owners = self.owners_for_write(token);
        let mut takers = [None; MAX_OWNERS];
        for (taker, owner) in takers.iter_mut().zip(owners.nodes()) {
            *taker = (!is_down(*owner)).then_some(*owner);
        }
        for (i, owner) in owners.nodes().iter().enumerate() {
            if takers[i].is_none() {
                let healthy = || {
                    self.successors(token).filter(|node| !is_down(*node) && !takers.contains(&Some(*node)))
                };
                let zone = self.zone_number(*owner);
                let near = healthy().find(|node| self.zone_number(*node) == zone);
                takers[i] = near.or_else(|| healthy().next());
            }
        }
        StandIns { owners, takers }
    }
}

impl Iterator for Successors<'_> {
    type Item = NodeIndex;

    fn next(&mut self) -> Option<NodeIndex> {
        while self.steps > 0 {
            let node = self.ring.spots()[self.at].node;
            self.at = (self.at + 1) % self.ring.spots().len();
            self.steps -= 1;
            let (word, bit) = (node.get() / 64, 1 << (node.get() % 64));
            let is_new = self.met[word] & bit == 0;
            self.met[word] |= bit;
            if is_new && self.ring.owns(node) == (true, true) {
                return Some(node);
            }
        }
        None
    }
}

impl<'a> StandIns<'a> {
    /// The owners.
    pub fn owners(&self) -> Owners<'a> {
        self.owners
    }

    /// By owner, in the order of [`Owners::nodes`]: who takes its copy. None when nobody is left who could.
    pub fn takers(&self) -> &[Option<NodeIndex>] {
        &self.takers[..self.owners.nodes().len()]
    }
}
