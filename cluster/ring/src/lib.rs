//! Tokens and the ring: which nodes own a trace, and which shard of a node.
//!
//! A token is XXH3-64 of the trace id, seeded with the XXH3-64 of the tenant's name. Its lower half is a position on
//! the ring, which decides the nodes; its upper half decides the shard of a node. Each node has some 128 positions,
//! its tokens, and owns the ranges that end at them (consistent hashing: Karger et al., "Consistent hashing and
//! random trees", 1997, with the virtual nodes of Dynamo: DeCandia et al., "Dynamo: Amazon's highly available
//! key-value store", 2007). The replicas of a range are the next nodes up the ring, in different zones while there
//! are others.
//!
//! | file | what |
//! |---|---|
//! | `name.rs`, `roles.rs`, `member.rs` | what a node says about itself |
//! | `ring.rs` | the ring, and the search for a token's range |
//! | `placement.rs` | the replicas of every range |
//! | `owners.rs`, `order.rs` | the owners of a token, their majority and their order |
//! | `choose/` | which tokens a node takes when it joins |
//! | `moved.rs` | what to hand over |
//! | `health.rs` | who stands in for a node that is down |
//! | `silent.rs` | how many may be silent without anything missing |
//! | `tenant.rs`, `jobs.rs` | the nodes of a tenant, the owner of a job |
//! | `lifecycle/` | when a node takes which step |
//! | `describe.rs` | what the ring's page shows |
//!
//! **Invariant:** pure: no clock, no IO, no chance but by names. The same members and options give the same ring on
//! every node and in every version; the same trace has the same token.
//!
//! # Readers find what a majority took
//!
//! A ring has two placements. **Now** has the members that are active or leaving; **next** those that are joining or
//! active. The owners of a token are the replicas of both, the same few nodes where nobody comes or goes. Whoever
//! writes needs a majority of each placement, and so does whoever reads (the joint consensus of Raft, Ongaro and
//! Ousterhout 2014, section 6, for replicas of a range).
//!
//! A member takes one step at a time, and each step changes one placement:
//!
//! | step | now | next |
//! |---|---|---|
//! | comes: becomes joining, or chooses other tokens while joining | stays | changes |
//! | has arrived: joining to active | changes | stays |
//! | gives up: joining to left | stays | changes |
//! | goes: active to leaving | stays | changes |
//! | stays after all: leaving to active | stays | changes |
//! | is gone: leaving to left | changes | stays |
//!
//! Of two rings one step apart, one placement is therefore the same on both. A majority that took a write under one
//! ring includes a majority of that placement, a majority that answers under the other does, too, and two majorities
//! of the same nodes have one in common. The same holds for any number of steps that all change the same placement,
//! in whatever order nodes see them; not for steps of both kinds at once, so a node waits until the others have
//! seen one step before it takes the next. Where a placement is empty, nothing can be written: before the first
//! member has arrived, and when all are going. What lies there can still be read. So the first nodes of a cluster,
//! which find nobody active, become active without waiting for anybody. A dead node that is removed goes through
//! leaving as well. Zones, roles, tokens of active members and [`RingOptions`] do not change while a cluster runs.
//!
//! What was written long before is found if it is handed over between the two steps: a member becomes active when it
//! has fetched its [`Moved::gained`] ranges from those that it will displace, and is gone when those who gain have
//! fetched its own. For the one who gains a range one other is displaced at most, so a copy that moves keeps every
//! majority; from a dead node nothing can be fetched, and a majority of the other owners is asked instead.
//!
//! # How equal shares are
//!
//! What nodes own is off the mean by at most, in percent, with 128 tokens each (`examples/balance.rs`, ten sets of
//! names; the mean of a zone where zones and replicas are as many):
//!
//! | | 1 replica | 3, no zones | 3 in 3 zones | 3 in 5 zones | 3 in 2 zones |
//! |---|---|---|---|---|---|
//! | 1 to 10 nodes, one after the other | 1 | 2 | 1 | 4 | 18 |
//! | 11 to 100 nodes, one after the other | 1 | 2 | 1 | 3 | 16 |
//! | 12 nodes, 100 times one is replaced | 1 | 1 | 1 | 1 | 16 |
//! | 100 joins and leaves in any order | 23 | 21 | 29 | 52 | 29 |
//! | 6 of 12 leave | 17 | 15 | 28 | 16 | 18 |
//! | 3 begin at once | 12 | 0 | 0 | 0 | 0 |
//! | 12 begin at once | 22 | 11 | 20 | 13 | 12 |
//! | 2 join 1 at once | 43 | 0 | 0 | 0 | 0 |
//! | 2 join 9 at once | 7 | 11 | 1 | 6 | 12 |
//! | 6 join 30 at once | 11 | 16 | 10 | 18 | 14 |
//!
//! Ten percent is promised, and tested, for joins one after the other with one or three replicas and one or three
//! zones. Leaving is left to chance, so after many leaves shares are off by up to a third, until others join. With
//! fewer zones than replicas, or zones with unequal numbers of nodes, shares are less equal.

mod choose;
mod describe;
mod health;
mod jobs;
pub mod lifecycle;
mod member;
mod moved;
mod name;
mod order;
mod owners;
mod placement;
mod ring;
mod roles;
mod silent;
mod tenant;

use std::num::NonZeroUsize;

pub use choose::choose_tokens;
pub use describe::{MemberView, RingView};
pub use health::{StandIns, Successors};
pub use jobs::weight_of_job;
pub use member::{MAX_TOKENS, MemberError, MemberState, RingMember, TOKENS_PER_NODE};
pub use moved::{Moved, moved};
pub use name::{MAX_NAME_BYTES, NameError, NodeName, Zone};
pub use owners::{InOrder, MAX_OWNERS, Owners, quorum};
pub use ring::{MAX_MEMBERS, MAX_REPLICATION, NodeIndex, Ring, RingError, RingOptions};
pub use roles::Roles;
pub use tenant::TenantShard;

use spanloom_span::{Tenant, TraceId};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// The place of a trace on the ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u64);

/// Computes tokens of one tenant: the name is hashed once.
#[derive(Debug, Clone, Copy)]
pub struct Tokens(u64);

impl Tokens {
    /// For one tenant.
    pub fn of(tenant: &Tenant) -> Self {
        Self(xxh3_64(tenant.as_str().as_bytes()))
    }

    /// The token of one of the tenant's traces.
    pub fn token(&self, id: &TraceId) -> Token {
        Token(xxh3_64_with_seed(&id.0, self.0))
    }
}

impl Token {
    /// The position on the ring: the lower half of the token. The upper half decides the shard of a node, so a
    /// node's ranges say nothing about which of its shards have more to do.
    pub fn position(self) -> u32 {
        self.0 as u32
    }

    /// The shard that owns the token on a node of `shards` shards: equal shares of the token's upper bits.
    pub fn shard(self, shards: NonZeroUsize) -> usize {
        ((u128::from(self.0) * shards.get() as u128) >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn tokens_never_change() {
        let check = |tenant: &str, id: [u8; 16], expected: u64| {
            let tokens = Tokens::of(&Tenant::new(tenant).unwrap());
            assert_eq!(tokens.token(&TraceId(id)).0, expected, "{tenant}");
        };
        check("single-tenant", [1; 16], 2_244_079_494_609_191_236);
        check("a", *b"0123456789abcdef", 2354037486409707159);
    }

    proptest! {
        #[test]
        fn every_token_has_a_shard(token: u64, shards in 1usize..300) {
            let shards = NonZeroUsize::new(shards).unwrap();
            prop_assert!(Token(token).shard(shards) < shards.get());
        }
    }
}
