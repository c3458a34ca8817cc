//! The order among equals: highest random weight (Thaler and Ravishankar, "Using name-based mappings to increase
//! hit rates", 1998). Every node computes the same order from names alone, and a node that comes or goes changes
//! nobody's place relative to the others.

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::NodeName;

/// What a node's name contributes to its weights.
pub(crate) fn name_hash(name: &NodeName) -> u64 {
    xxh3_64(name.as_str().as_bytes())
}

/// A node's weight for a token: the finalizer of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom
/// number generators", 2014), which costs 2 ns.
pub(crate) fn weight(name_hash: u64, token: u64) -> u64 {
    mix(name_hash ^ token.rotate_left(32))
}

/// Spreads every bit of `x` over all of the result.
pub(crate) fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// A node's weight for a key that is hashed with the name, for what is asked rarely.
pub(crate) fn keyed_weight(name: &NodeName, key: u64) -> u64 {
    xxh3_64_with_seed(name.as_str().as_bytes(), key)
}
