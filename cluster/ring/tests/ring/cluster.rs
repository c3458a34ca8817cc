//! Clusters by chance, and clusters that grow node by node.

use proptest::prelude::*;
use spanloom_ring::{
    MAX_REPLICATION, MemberState, NodeIndex, NodeName, Ring, RingMember, RingOptions, Roles, TOKENS_PER_NODE,
    Token, Zone, choose_tokens,
};

pub const STATES: [MemberState; 4] =
    [MemberState::Joining, MemberState::Active, MemberState::Leaving, MemberState::Left];

/// Options of any kind.
pub fn options() -> impl Strategy<Value = RingOptions> {
    (1..=MAX_REPLICATION, any::<bool>())
        .prop_map(|(replication, zone_aware)| RingOptions { replication, zone_aware })
}

/// Few tokens, some of them the same as others'.
pub fn tokens() -> impl Strategy<Value = Vec<u32>> {
    let token = prop_oneof![4 => any::<u32>(), 1 => 0u32..6, 1 => Just(u32::MAX)];
    prop::collection::btree_set(token, 1..6).prop_map(|tokens| tokens.into_iter().collect())
}

/// Up to `most` members of up to four zones, in the states that are allowed.
pub fn members(most: usize, states: &'static [MemberState]) -> impl Strategy<Value = Vec<RingMember>> {
    let one = (0u8..4, tokens(), prop::sample::select(states), prop::bool::weighted(0.9));
    prop::collection::vec(one, 1..=most).prop_map(|all| {
        let of = |(i, (zone, tokens, state, ingests)): (usize, (u8, Vec<u32>, MemberState, bool))| {
            let roles = if ingests { Roles::ALL } else { Roles::QUERIER };
            // Names out of the order of the list.
            member(&format!("n{}", i * 7 % 32), &format!("z{zone}"), tokens, state, roles)
        };
        all.into_iter().enumerate().map(of).collect()
    })
}

pub fn member(name: &str, zone: &str, tokens: Vec<u32>, state: MemberState, roles: Roles) -> RingMember {
    RingMember::new(NodeName::new(name).unwrap(), Zone::new(zone).unwrap(), tokens, state, roles).unwrap()
}

/// The member that joins a ring, with the tokens that it chooses.
pub fn joiner(ring: &Ring, name: &str, zone: &str, state: MemberState) -> RingMember {
    let tokens =
        choose_tokens(ring, &NodeName::new(name).unwrap(), &Zone::new(zone).unwrap(), TOKENS_PER_NODE);
    member(name, zone, tokens, state, Roles::ALL)
}

/// The ring with one member more.
pub fn with(ring: &Ring, member: RingMember) -> Ring {
    let mut members = ring.members().to_vec();
    members.push(member);
    Ring::new(members, ring.options()).unwrap()
}

/// The ring without a member.
pub fn without(ring: &Ring, name: &NodeName) -> Ring {
    let members = ring.members().iter().filter(|member| member.name() != name).cloned().collect();
    Ring::new(members, ring.options()).unwrap()
}

/// A ring that grew node by node; node `i` is in zone `i % zones`.
pub fn grown(nodes: usize, zones: usize, options: RingOptions) -> Ring {
    let empty = Ring::new(Vec::new(), options).unwrap();
    (0..nodes).fold(empty, |ring, i| {
        let joined = joiner(&ring, &format!("node-{i}"), &format!("z{}", i % zones), MemberState::Active);
        with(&ring, joined)
    })
}

/// Every position at which owners may change, and its neighbours.
pub fn edges(rings: &[&Ring]) -> Vec<Token> {
    let tokens = rings.iter().flat_map(|ring| ring.members()).flat_map(|member| member.tokens());
    let around = tokens.flat_map(|token| [token.wrapping_sub(1), *token, token.wrapping_add(1)]);
    let mut edges: Vec<u32> = around.chain([0, u32::MAX, 1 << 31]).collect();
    edges.sort_unstable();
    edges.dedup();
    edges.into_iter().map(|position| Token(u64::from(position) | 0x5eed << 32)).collect()
}

pub fn names<'a>(ring: &'a Ring, nodes: &[NodeIndex]) -> Vec<&'a str> {
    let mut names: Vec<&str> = nodes.iter().map(|node| ring.member(*node).name().as_str()).collect();
    names.sort_unstable();
    names
}
