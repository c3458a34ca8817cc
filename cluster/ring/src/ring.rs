//! The ring: who owns a token, as a value that is made anew when the membership changes.

use std::sync::Arc;

use xxhash_rust::xxh3::Xxh3Default;

use crate::placement::{Placement, Spot};
use crate::{MemberState, NodeName, Owners, RingMember, Roles, Token, Zone};

/// Most replicas of a token.
pub const MAX_REPLICATION: usize = 7;

/// Most members of a ring.
pub const MAX_MEMBERS: usize = 1024;

/// A member's place among the ring's members, which are sorted by name. It means nothing on another ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct NodeIndex(pub(crate) u16);

/// What all nodes of a cluster must agree on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RingOptions {
    /// Owners of a token, where there are as many nodes: 1 to [`MAX_REPLICATION`].
    pub replication: usize,
    /// Whether replicas are put into different zones.
    pub zone_aware: bool,
}

/// Why there is no ring of these members. Nothing was changed; the members are to be mended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RingError {
    /// 0, or more than [`MAX_REPLICATION`].
    #[error("replication is {0}, expected 1 to {MAX_REPLICATION}")]
    Replication(usize),
    /// More than [`MAX_MEMBERS`].
    #[error("the ring has {0} members, expected at most {MAX_MEMBERS}")]
    TooManyMembers(usize),
    /// Two members have one name.
    #[error("two members of the ring are named {0}, expected each name once")]
    SameName(NodeName),
}

/// Who owns which token. The crate's documentation says what it promises.
#[derive(Debug, Clone)]
pub struct Ring {
    options: RingOptions,
    members: Arc<[RingMember]>,
    /// By member: the hash of its name, for the order among owners.
    hashes: Arc<[u64]>,
    /// By member: its zone's number; 0 for all when zones are not minded.
    zone_of: Arc<[u16]>,
    /// By member: owns ranges now; owns ranges next.
    now: Vec<bool>,
    next: Vec<bool>,
    /// The ends of the ranges, ascending. Two that are equal belong to the lower name: the second range is empty.
    spots: Vec<Spot>,
    /// By the upper bits of a position: the first range that may have it, and one more for the end.
    buckets: Vec<u32>,
    bucket_shift: u32,
    /// By range.
    shapes: Vec<Shape>,
    /// By range, `stride` each: those who own it now, then those who own it only next.
    nodes: Vec<NodeIndex>,
    stride: usize,
}

/// How the owners of a range are to be read.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Shape {
    /// How many there are.
    pub len: u8,
    /// How many own it now; they stand first.
    pub now: u8,
    /// Which of them own it next, a bit each.
    pub next: u16,
}

impl NodeIndex {
    /// As an index into [`Ring::members`].
    pub fn get(self) -> usize {
        usize::from(self.0)
    }
}

impl Default for RingOptions {
    fn default() -> Self {
        Self { replication: 3, zone_aware: true }
    }
}

impl Ring {
    /// The ring of these members, in whatever order they come. Linear in their tokens, whatever these and the zones
    /// are: some 2 ms for 100 nodes of 128 tokens.
    pub fn new(mut members: Vec<RingMember>, options: RingOptions) -> Result<Self, RingError> {
        if !(1..=MAX_REPLICATION).contains(&options.replication) {
            return Err(RingError::Replication(options.replication));
        }
        if members.len() > MAX_MEMBERS {
            return Err(RingError::TooManyMembers(members.len()));
        }
        members.sort_unstable_by(|a, b| a.name().cmp(b.name()));
        if let Some(pair) = members.windows(2).find(|pair| pair[0].name() == pair[1].name()) {
            return Err(RingError::SameName(pair[0].name().clone()));
        }
        let hashes = members.iter().map(|member| crate::order::name_hash(member.name())).collect();
        let zone_of = zone_numbers(&members, options.zone_aware);
        let now = members.iter().map(RingMember::owns_now).collect();
        let next = members.iter().map(RingMember::owns_next).collect();
        Ok(Self::build(options, members.into(), hashes, zone_of, now, next))
    }

    /// The ring of some of this ring's members.
    pub(crate) fn among(&self, now: Vec<bool>, next: Vec<bool>) -> Self {
        let (members, hashes) = (self.members.clone(), self.hashes.clone());
        Self::build(self.options, members, hashes, self.zone_of.clone(), now, next)
    }

    fn build(
        options: RingOptions,
        members: Arc<[RingMember]>,
        hashes: Arc<[u64]>,
        zone_of: Arc<[u16]>,
        now: Vec<bool>,
        next: Vec<bool>,
    ) -> Self {
        let mut spots = Vec::new();
        for (i, member) in members.iter().enumerate().filter(|(i, _)| now[*i] || next[*i]) {
            spots
                .extend(member.tokens().iter().map(|&position| Spot { position, node: NodeIndex(i as u16) }));
        }
        spots.sort_unstable_by_key(|spot| (spot.position, spot.node));
        let (buckets, bucket_shift) = bucket_index(&spots);
        let placed_now = Placement::new(&spots, &now, &zone_of, options.replication);
        let placed_next = (now != next).then(|| Placement::new(&spots, &next, &zone_of, options.replication));
        let (shapes, nodes, stride) = match placed_next {
            Some(placed_next) => join_placements(spots.len(), &placed_now, &placed_next),
            None => {
                let len = placed_now.per_range;
                let shape = Shape { len: len as u8, now: len as u8, next: (1 << len) - 1 };
                (vec![shape; spots.len()], placed_now.nodes, len)
            }
        };
        Self {
            options,
            members,
            hashes,
            zone_of,
            now,
            next,
            spots,
            buckets,
            bucket_shift,
            shapes,
            nodes,
            stride,
        }
    }

    /// The members, sorted by name.
    pub fn members(&self) -> &[RingMember] {
        &self.members
    }

    /// One of them. `node` must come from this ring.
    pub fn member(&self, node: NodeIndex) -> &RingMember {
        &self.members[node.get()]
    }

    /// The members' places, ascending.
    pub fn nodes(&self) -> impl Iterator<Item = NodeIndex> + use<> {
        (0..self.members.len() as u16).map(NodeIndex)
    }

    /// The place of a member by its name.
    pub fn find(&self, name: &NodeName) -> Option<NodeIndex> {
        self.members.binary_search_by(|member| member.name().cmp(name)).ok().map(|i| NodeIndex(i as u16))
    }

    /// What the ring was made with.
    pub fn options(&self) -> RingOptions {
        self.options
    }

    /// Who is asked for what lies at a token. One search and a slice: about 10 ns. Nobody when no member owns ranges.
    pub fn owners_for_read(&self, token: Token) -> Owners<'_> {
        match self.range_of(token.position()) {
            Some(range) => self.owners_of_range(range, token),
            None => Owners::nobody(),
        }
    }

    /// Who must take what is written at a token. Nobody while no member has arrived yet (what is written could
    /// not be found by those who will own it) or when all are going (nobody would own it next).
    pub fn owners_for_write(&self, token: Token) -> Owners<'_> {
        let owners = self.owners_for_read(token);
        if owners.owns_now() == 0 || owners.owns_next() == 0 { Owners::nobody() } else { owners }
    }

    /// The range that a position lies in: the first that ends at or after it, or the first of all.
    pub(crate) fn range_of(&self, position: u32) -> Option<usize> {
        let bucket = (u64::from(position) >> self.bucket_shift) as usize;
        let from = *self.buckets.get(bucket)? as usize;
        let to = *self.buckets.get(bucket + 1)? as usize;
        let range = from + self.spots[from..to].partition_point(|spot| spot.position < position);
        if range < self.spots.len() {
            Some(range)
        } else if self.spots.is_empty() {
            None
        } else {
            Some(0)
        }
    }

    /// The owners of a range, in the order that a token of it gives them.
    pub(crate) fn owners_of_range(&self, range: usize, token: Token) -> Owners<'_> {
        let nodes = &self.nodes[range * self.stride..(range + 1) * self.stride];
        Owners::new(nodes, self.shapes[range], &self.hashes, token)
    }

    /// The owners of a range, in no order.
    pub(crate) fn set_of_range(&self, range: usize) -> Owners<'_> {
        self.owners_of_range(range, Token(0))
    }

    /// Members that own ranges when everybody has arrived or gone.
    pub(crate) fn owning_next(&self) -> impl Iterator<Item = NodeIndex> + '_ {
        self.nodes().filter(|node| self.next[node.get()])
    }

    /// The ends of the ranges.
    pub(crate) fn spots(&self) -> &[Spot] {
        &self.spots
    }

    /// The number of a member's zone.
    pub(crate) fn zone_number(&self, node: NodeIndex) -> u16 {
        self.zone_of[node.get()]
    }

    /// Whether a member owns ranges now, and whether it will next.
    pub(crate) fn owns(&self, node: NodeIndex) -> (bool, bool) {
        (self.now[node.get()], self.next[node.get()])
    }

    /// A number that two nodes compare to learn whether they see the same ring. Equal rings have equal ones, in
    /// every version.
    pub fn fingerprint(&self) -> u64 {
        let mut hash = Xxh3Default::new();
        hash.update(&[self.options.replication as u8, u8::from(self.options.zone_aware)]);
        for (i, member) in self.members.iter().enumerate() {
            let (name, zone) = (member.name().as_str().as_bytes(), member.zone().as_str().as_bytes());
            let state = match member.state() {
                MemberState::Joining => 0,
                MemberState::Active => 1,
                MemberState::Leaving => 2,
                MemberState::Left => 3,
            };
            let owns = u8::from(self.now[i]) | u8::from(self.next[i]) << 1;
            // Lengths are below 256: names are at most 63 bytes. Tokens are counted, so that no two rings run
            // into the same bytes.
            hash.update(&[name.len() as u8, zone.len() as u8, state, member.roles().bits(), owns]);
            hash.update(name);
            hash.update(zone);
            hash.update(&(member.tokens().len() as u32).to_le_bytes());
            for token in member.tokens() {
                hash.update(&token.to_le_bytes());
            }
        }
        hash.digest()
    }

    /// Members that may take jobs: active compactors.
    pub(crate) fn job_takers(&self) -> impl Iterator<Item = NodeIndex> + '_ {
        self.nodes().filter(|node| {
            let member = self.member(*node);
            member.state() == MemberState::Active && member.roles().has(Roles::COMPACTOR)
        })
    }
}

/// Each member's zone as a number: the zones' order by name, or 0 for all.
fn zone_numbers(members: &[RingMember], zone_aware: bool) -> Arc<[u16]> {
    let mut zones: Vec<&Zone> = members.iter().map(RingMember::zone).collect();
    zones.sort_unstable();
    zones.dedup();
    let number = |member: &RingMember| {
        if zone_aware { zones.partition_point(|zone| *zone < member.zone()) as u16 } else { 0 }
    };
    members.iter().map(number).collect()
}

/// A first guess for every position: at least two buckets a range, so that most searches end at once.
fn bucket_index(spots: &[Spot]) -> (Vec<u32>, u32) {
    let bits = (spots.len().next_power_of_two().trailing_zeros() + 1).min(24);
    let shift = 32 - bits;
    let mut buckets = Vec::with_capacity((1 << bits) + 1);
    let mut range = 0;
    for bucket in 0..=1u64 << bits {
        while range < spots.len() && u64::from(spots[range].position) < bucket << shift {
            range += 1;
        }
        buckets.push(range as u32);
    }
    (buckets, shift)
}

/// The owners of every range now, followed by those who own it only next.
fn join_placements(ranges: usize, now: &Placement, next: &Placement) -> (Vec<Shape>, Vec<NodeIndex>, usize) {
    let joined = |range: usize, set: &mut [NodeIndex]| {
        let before = now.of(range);
        set[..before.len()].copy_from_slice(before);
        let mut shape = Shape { len: before.len() as u8, now: before.len() as u8, next: 0 };
        for node in next.of(range) {
            let at =
                set[..usize::from(shape.len)].iter().position(|other| other == node).unwrap_or_else(|| {
                    set[usize::from(shape.len)] = *node;
                    shape.len += 1;
                    usize::from(shape.len) - 1
                });
            shape.next |= 1 << at;
        }
        shape
    };
    let mut set = [NodeIndex(0); 2 * MAX_REPLICATION];
    let stride = (0..ranges).map(|range| usize::from(joined(range, &mut set).len)).max().unwrap_or(0);
    let mut nodes = Vec::with_capacity(ranges * stride);
    let mut shapes = Vec::with_capacity(ranges);
    for range in 0..ranges {
        shapes.push(joined(range, &mut set));
        nodes.extend_from_slice(&set[..stride]);
    }
    (shapes, nodes, stride)
}
