//! The owners of a token, and how many of them make a majority.

use crate::order::weight;
use crate::ring::Shape;
use crate::{MAX_MEMBERS, MAX_REPLICATION, NodeIndex, Token};

/// Most owners of a token: those of now and those of next.
pub const MAX_OWNERS: usize = 2 * MAX_REPLICATION;

/// The majority of `n`: how many must answer so that any two majorities share one. 0 of 0.
pub const fn quorum(n: usize) -> usize {
    if n == 0 { 0 } else { n / 2 + 1 }
}

/// The owners of a token. While nobody joins or leaves they are the replicas; otherwise the owners of now and the
/// owners of next together, and a majority of **each** is needed.
#[derive(Clone, Copy)]
pub struct Owners<'a> {
    nodes: &'a [NodeIndex],
    shape: Shape,
    hashes: &'a [u64],
    token: Token,
}

/// Owners in order of preference, in place: [`Owners::in_order`].
#[derive(Debug, Clone)]
pub struct InOrder {
    ranks: [u64; MAX_OWNERS],
    at: usize,
    len: usize,
}

impl<'a> Owners<'a> {
    pub(crate) fn new(nodes: &'a [NodeIndex], shape: Shape, hashes: &'a [u64], token: Token) -> Self {
        Self { nodes: &nodes[..usize::from(shape.len)], shape, hashes, token }
    }

    pub(crate) const fn nobody() -> Self {
        Self { nodes: &[], shape: Shape { len: 0, now: 0, next: 0 }, hashes: &[], token: Token(0) }
    }

    /// The owners: those of now, then those who own the token only next. Their order says no more; all tokens of
    /// a range have the same.
    pub fn nodes(&self) -> &'a [NodeIndex] {
        self.nodes
    }

    /// Nobody owns the token.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Whether a node is among them.
    pub fn contains(&self, node: NodeIndex) -> bool {
        self.nodes.contains(&node)
    }

    /// How many own it now.
    pub fn owns_now(&self) -> usize {
        usize::from(self.shape.now)
    }

    /// How many own it next: when those who join have arrived and those who leave are gone.
    pub fn owns_next(&self) -> usize {
        self.shape.next.count_ones() as usize
    }

    /// The owners of next, once those who join have arrived and those who leave are gone. In no order.
    pub fn nodes_next(&self) -> impl Iterator<Item = NodeIndex> + use<'a> {
        let (nodes, next) = (self.nodes, self.shape.next);
        nodes.iter().enumerate().filter(move |(at, _)| next >> at & 1 == 1).map(|(_, node)| *node)
    }

    /// How many answers are enough whoever gives them. Of the owners, as many may be missing as of the smaller
    /// set without any change: one of three replicas.
    pub fn quorum(&self) -> usize {
        let missing = |n: usize| if n == 0 { self.nodes.len() } else { n - quorum(n) };
        self.nodes.len() - missing(self.owns_now()).min(missing(self.owns_next()))
    }

    /// Whether these answers are enough: bit `i` stands for `nodes()[i]`. True for fewer than [`Owners::quorum`]
    /// where those who answered are a majority of now and of next. False when nobody owns the token.
    pub fn is_quorum(&self, answered: u16) -> bool {
        let enough = |set: u16| (answered & set).count_ones() as usize >= quorum(set.count_ones() as usize);
        !self.nodes.is_empty() && enough(self.now_bits()) && enough(self.shape.next)
    }

    fn now_bits(&self) -> u16 {
        ((1u32 << self.shape.now) - 1) as u16
    }

    /// The owner that acts for all where one is enough, for instance ships the trace: the first of
    /// [`Owners::in_order`]. Each replica of a range is the first for an equal part of its tokens.
    pub fn first(&self) -> Option<NodeIndex> {
        let now = &self.nodes[..self.owns_now()];
        let among = if now.is_empty() { self.nodes } else { now };
        among.iter().map(|node| self.rank(*node)).max().map(of_rank)
    }

    /// The owners in the order in which they are to be preferred: the owners of now by weight, then the others.
    /// A node that comes or goes does not change the order of the rest.
    pub fn in_order(&self) -> InOrder {
        let mut ranks = [0; MAX_OWNERS];
        for (rank, node) in ranks.iter_mut().zip(self.nodes) {
            *rank = self.rank(*node);
        }
        let (now, next) = ranks[..self.nodes.len()].split_at_mut(self.owns_now());
        for part in [now, next] {
            part.sort_unstable_by_key(|rank| std::cmp::Reverse(*rank));
        }
        InOrder { ranks, at: 0, len: self.nodes.len() }
    }

    /// The node's weight, and in the lowest bits its place, of which the lower wins: one number is compared without
    /// a branch that chance decides.
    fn rank(&self, node: NodeIndex) -> u64 {
        let weight = weight(self.hashes[node.get()], self.token.0);
        (weight & !PLACE) | (PLACE - u64::from(node.0))
    }
}

/// The bits of a rank that are the node's place.
const PLACE: u64 = MAX_MEMBERS as u64 - 1;
const _: () = assert!(MAX_MEMBERS.is_power_of_two());

fn of_rank(rank: u64) -> NodeIndex {
    NodeIndex((PLACE - (rank & PLACE)) as u16)
}

impl std::fmt::Debug for Owners<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut show = f.debug_struct("Owners");
        show.field("nodes", &self.nodes).field("now", &self.shape.now);
        show.field("next", &format_args!("{:b}", self.shape.next)).finish()
    }
}

impl Iterator for InOrder {
    type Item = NodeIndex;

    fn next(&mut self) -> Option<NodeIndex> {
        let rank = self.ranks[..self.len].get(self.at).copied()?;
        self.at += 1;
        Some(of_rank(rank))
    }
}
