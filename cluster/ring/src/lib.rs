//! Tokens: the place of a trace on the ring, and the shard of one node that owns it.
//!
//! A token is XXH3-64 of the trace id, seeded with the XXH3-64 of the tenant's name. It is computed once for each
//! trace of a request and decides the node (with a ring of several) and the shard on it.
//!
//! **Invariant:** pure; the same trace has the same token on every node and in every version.

mod choose;
mod describe;
mod health;
mod jobs;
mod member;
mod moved;
mod name;
mod order;
mod owners;
mod placement;
mod ring;
mod tenant;

use std::num::NonZeroUsize;

pub use choose::choose_tokens;
pub use describe::{MemberView, RingView};
pub use health::{StandIns, Successors};
pub use member::{MAX_TOKENS, MemberError, MemberState, RingMember, Roles, TOKENS_PER_NODE};
pub use moved::{Moved, moved};
pub use name::{MAX_NAME_BYTES, NameError, NodeName, Zone};
pub use owners::{InOrder, MAX_OWNERS, Owners, quorum};
pub use ring::{MAX_MEMBERS, MAX_REPLICATION, NodeIndex, Ring, RingError, RingOptions};
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
