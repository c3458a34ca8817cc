//! What the network does to datagrams and messages.

use std::collections::BTreeSet;

use rand::RngExt;
use rand::rngs::StdRng;

use crate::machine::MachineId;

/// How good it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quality {
    /// Datagrams lost, in thousandths.
    pub lost: u32,
    /// Datagrams that come twice, in thousandths.
    pub doubled: u32,
    /// Messages of the peer transport whose connection breaks, in thousandths.
    pub broken: u32,
    /// On the way, at least and below; so they overtake each other.
    pub delay_ms: (u64, u64),
}

/// Nothing goes wrong.
pub const CALM: Quality = Quality { lost: 0, doubled: 0, broken: 0, delay_ms: (1, 4) };

/// The network between machines.
#[derive(Debug)]
pub struct Network {
    /// How good it is just now.
    pub quality: Quality,
    /// Who does not reach whom.
    cut: BTreeSet<(MachineId, MachineId)>,
    /// Counts changes, so that the end of one that is over is known.
    pub change: u64,
}

impl Network {
    /// A calm one.
    pub fn new() -> Self {
        Self { quality: CALM, cut: BTreeSet::new(), change: 0 }
    }

    /// Cuts ways.
    pub fn cut(&mut self, ways: impl IntoIterator<Item = (MachineId, MachineId)>) {
        self.cut.extend(ways);
        self.change += 1;
    }

    /// All is well.
    pub fn mend(&mut self) {
        self.cut.clear();
        self.quality = CALM;
        self.change += 1;
    }

    /// Whether what one machine sends arrives at another.
    pub fn reaches(&self, from: MachineId, to: MachineId) -> bool {
        self.cut.is_empty() || !self.cut.contains(&(from, to))
    }

    /// How long something is on the way.
    pub fn delay(&self, rng: &mut StdRng) -> u64 {
        let (least, below) = self.quality.delay_ms;
        rng.random_range(least..below)
    }

    /// How many copies of a datagram arrive.
    pub fn copies(&self, rng: &mut StdRng) -> usize {
        let Quality { lost, doubled, .. } = self.quality;
        if lost == 0 && doubled == 0 {
            return 1;
        }
        let dice = rng.random_range(0..1000);
        if dice < lost { 0 } else { 1 + usize::from(dice < lost + doubled) }
    }

    /// Whether the connection breaks that a message goes over.
    pub fn breaks(&self, rng: &mut StdRng) -> bool {
        self.quality.broken > 0 && rng.random_range(0..1000) < self.quality.broken
    }
}

impl Default for Network {
    fn default() -> Self {
        Self::new()
    }
}
