//! What a seed decides before anything happens, and what is promised.

use std::num::NonZeroUsize;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use spanloom_ring::RingOptions;
use spanloom_swim::{Key, Options, Seal};

/// Milliseconds of an hour.
pub const HOUR_MS: u64 = 3_600_000;

/// A bug that a test plants, to see that it is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Bug {
    /// None.
    #[default]
    None,
    /// A push is acknowledged when one node keeps a share of it, instead of a majority of each trace's owners.
    OneCopy,
}

/// What one run is like.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Decides everything.
    pub seed: u64,
    /// Trouble ends at about this time.
    pub until_ms: u64,
    /// Nodes at the start.
    pub nodes: usize,
    /// Most nodes.
    pub most_nodes: usize,
    /// How gossip behaves.
    pub gossip: Options,
    /// How long others have to see a step.
    pub settle_ms: u64,
    /// Replicas.
    pub ring: RingOptions,
    /// Tokens of a node.
    pub tokens: usize,
    /// Clocks of the day are off by at most so much.
    pub skew_ms: i64,
    /// When all is well again, all that run have the same ring within this time, and all of them are seen up.
    pub agree_within_ms: u64,
    /// How long nothing happens between two storms, at least and below.
    pub rest_ms: (u64, u64),
    /// Whether nodes leave for good while other things go wrong, too.
    pub leaves: bool,
    /// How often a node looks what it lacks.
    pub mend_every_ms: u64,
    /// Planted by a test.
    pub bug: Bug,
}

/// [`Settings::agree_within_ms`] with the preset `lan`.
pub const AGREE_WITHIN_LAN_MS: u64 = 30_000;

/// The same with the preset `wan`, whose timers are three to eight times as long.
pub const AGREE_WITHIN_WAN_MS: u64 = 90_000;

impl Settings {
    /// What a seed is like: one of four has the preset `lan`, one of four is sealed.
    pub fn of(seed: u64, hours: f64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let nodes = rng.random_range(3..7);
        let is_lan = seed.is_multiple_of(4);
        let preset = if is_lan { Options::lan(nodes) } else { Options::wan(nodes) };
        let key = rng.random_range(0..4) == 0;
        let seal = match Key::new(&[7; 32]) {
            Ok(key_of_all) if key => Seal::Keys(vec![key_of_all]),
            _ => Seal::Off,
        };
        let until_ms = (hours * HOUR_MS as f64) as u64;
        Self {
            seed,
            until_ms,
            nodes,
            most_nodes: nodes + 3,
            gossip: Options { label: "sim".into(), seal, ..preset },
            settle_ms: if is_lan { 2_000 } else { 10_000 },
            ring: RingOptions { replication: REPLICATION.get(), zone_aware: true },
            tokens: 32,
            skew_ms: 1_000,
            agree_within_ms: if is_lan { AGREE_WITHIN_LAN_MS } else { AGREE_WITHIN_WAN_MS },
            rest_ms: (20_000, (until_ms / 8).clamp(40_000, 45 * 60_000)),
            leaves: false,
            mend_every_ms: 30_000,
            bug: Bug::None,
        }
    }
}

const REPLICATION: NonZeroUsize = NonZeroUsize::new(3).unwrap();
