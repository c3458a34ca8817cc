//! Who takes what of a request, and when enough of them have it. Pure.

use foldhash::HashMap;
use smallvec::SmallVec;
use spanloom_ring::{NodeIndex, Owners, Ring, Token, Tokens};
use spanloom_span::TraceGroup;

/// By owner: who takes its copy; none when nobody is left who could. Few are not the usual three.
type Takers = SmallVec<[Option<NodeIndex>; 4]>;

/// Who takes the traces of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Sets of owners: all traces of one go to the same nodes.
    pub sets: Vec<Set>,
    /// By trace: its set.
    pub set_of: Vec<u32>,
    /// What each node takes, each node once.
    pub shares: Vec<Share>,
}

/// Traces with the same owners.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Set {
    /// The token of one of them: says who the owners are.
    token: Token,
    takers: Takers,
}

/// What one node takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// Who.
    pub node: NodeIndex,
    /// Indexes of the traces in the request, ascending.
    pub groups: Vec<u32>,
    /// For which owners of which sets it does: a bit for each owner.
    pub slots: SmallVec<[(u32, u16); 4]>,
}

/// Traces that nobody owns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nobody;

impl Plan {
    /// Who takes these traces: their owners, and others for owners that are down.
    pub fn new(
        ring: &Ring,
        tokens: &Tokens,
        groups: &[TraceGroup],
        is_down: impl Fn(NodeIndex) -> bool + Copy,
    ) -> Result<Self, Nobody> {
        let any_down = ring.nodes().any(is_down);
        let mut sets: Vec<Set> = Vec::new();
        let mut known: HashMap<(&[NodeIndex], Takers), u32> = HashMap::default();
        let mut set_of = Vec::with_capacity(groups.len());
        for group in groups {
            let token = tokens.token(&group.id);
            let owners = ring.owners_for_write(token);
            if owners.is_empty() {
                return Err(Nobody);
            }
            let takers: Takers = match any_down {
                true => ring.stand_ins(token, is_down).takers().into(),
                false => owners.nodes().iter().map(|node| Some(*node)).collect(),
            };
            let next = sets.len() as u32;
            let set = *known.entry((owners.nodes(), takers.clone())).or_insert(next);
            if set == next {
                sets.push(Set { token, takers });
            }
            set_of.push(set);
        }
        let shares = shares(ring, &sets, &set_of);
        Ok(Self { sets, set_of, shares })
    }
}

impl Set {
    /// The owners, on the ring that the plan was made with.
    pub fn owners<'r>(&self, ring: &'r Ring) -> Owners<'r> {
        ring.owners_for_write(self.token)
    }

    /// Whether a node takes a copy.
    pub fn has(&self, node: NodeIndex) -> bool {
        self.takers.contains(&Some(node))
    }
}

/// What each node takes, when trace `i` is of set `set_of[i]`.
fn shares(ring: &Ring, sets: &[Set], set_of: &[u32]) -> Vec<Share> {
    const NONE: u32 = u32::MAX;
    let mut at = vec![NONE; ring.members().len()];
    let mut shares: Vec<Share> = Vec::new();
    for (number, set) in (0..).zip(sets) {
        for (owner, taker) in set.takers.iter().enumerate() {
            let Some(node) = *taker else { continue };
            if at[node.get()] == NONE {
                at[node.get()] = shares.len() as u32;
                shares.push(Share { node, groups: Vec::new(), slots: SmallVec::new() });
            }
            shares[at[node.get()] as usize].slots.push((number, 1 << owner));
        }
    }
    for (group, set) in (0..).zip(set_of) {
        for node in sets[*set as usize].takers.iter().flatten() {
            shares[at[node.get()] as usize].groups.push(group);
        }
    }
    shares
}

/// Others in place of the node that a share was for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instead {
    /// What each of them takes; no slots, since only all of them together have what the share has.
    pub shares: Vec<Share>,
    /// Whether there is somebody for every trace.
    pub is_whole: bool,
}

/// Whether a node was sent this trace of the request in place of another.
pub type StandsIn<'a> = dyn Fn(NodeIndex, u32) -> bool + 'a;

/// Who takes a share in place of its node: for each trace the next healthy node that takes none of its copies, as its
/// owner or in place of another: one node is one copy, whomever it does for.
pub fn instead(
    plan: &Plan,
    share: &Share,
    ring: &Ring,
    tokens: &Tokens,
    groups: &[TraceGroup],
    is_down: impl Fn(NodeIndex) -> bool,
    stands_in: &StandsIn<'_>,
) -> Instead {
    let mut out = Instead { shares: Vec::new(), is_whole: true };
    for &group in &share.groups {
        let set = &plan.sets[plan.set_of[group as usize] as usize];
        let is_free = |node: &NodeIndex| {
            *node != share.node && !is_down(*node) && !set.has(*node) && !stands_in(*node, group)
        };
        let token = tokens.token(&groups[group as usize].id);
        let Some(node) = ring.successors(token).find(is_free) else {
            out.is_whole = false;
            continue;
        };
        match out.shares.iter_mut().find(|share| share.node == node) {
            Some(share) => share.groups.push(group),
            None => out.shares.push(Share { node, groups: vec![group], slots: SmallVec::new() }),
        }
    }
    out
}

/// Who is to have what a node that leaves has of a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heirs {
    /// All who own it when the node has left, whether or not they own it now: that they have their copies nobody has
    /// seen to. For each that is down another one that is up and stays: one that owns it now, else the next on the ring.
    pub nodes: SmallVec<[NodeIndex; 4]>,
    /// Whether these are a majority of the owners, as many as a write of the trace would need.
    pub is_quorum: bool,
}

/// Who is to have what a node that leaves has of a trace.
pub fn heirs(
    ring: &Ring,
    token: Token,
    leaver: Option<NodeIndex>,
    is_down: impl Fn(NodeIndex) -> bool,
) -> Heirs {
    let owners = ring.owners_for_read(token).nodes_next().filter(|node| Some(*node) != leaver);
    let owners: SmallVec<[NodeIndex; 4]> = owners.collect();
    let mut nodes: SmallVec<[NodeIndex; 4]> = owners.iter().copied().filter(|node| !is_down(*node)).collect();
    let stays = |node: &NodeIndex| ring.member(*node).owns_next() && !owners.contains(node);
    let others =
        ring.owners_for_read(token).nodes().iter().copied().filter(stays).chain(ring.successors(token));
    let others = others.filter(|node| Some(*node) != leaver && !is_down(*node));
    nodes.extend(others.take(owners.len() - nodes.len()));
    let is_quorum = !owners.is_empty() && nodes.len() >= spanloom_ring::quorum(owners.len());
    Heirs { nodes, is_quorum }
}

/// Who has what so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    by_set: Vec<u16>,
}

impl Kept {
    /// Nobody has anything.
    pub fn none(plan: &Plan) -> Self {
        Self { by_set: vec![0; plan.sets.len()] }
    }

    /// A share is kept.
    pub fn add(&mut self, share: &Share) {
        for (set, bits) in &share.slots {
            self.by_set[*set as usize] |= bits;
        }
    }

    /// Whether every trace is kept by a majority of its owners, or of those who do for them.
    pub fn is_enough(&self, plan: &Plan, ring: &Ring) -> bool {
        self.missing(plan, ring) == 0
    }

    /// Sets of which no majority has it.
    pub fn missing(&self, plan: &Plan, ring: &Ring) -> usize {
        let sets = plan.sets.iter().zip(&self.by_set);
        sets.filter(|(set, kept)| !set.owners(ring).is_quorum(**kept)).count()
    }
}
