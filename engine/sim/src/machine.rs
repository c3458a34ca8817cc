//! A machine: its disk and its clocks, which outlive its processes.

use std::net::SocketAddr;

use spanloom_ring::NodeName;
use spanloom_swim::Now;
use spanloom_wal::disk::SimDisk;

use crate::process::Process;

/// Which machine.
pub type MachineId = usize;

/// The world's first moment, in milliseconds since 1970.
const UNIX_MS: u64 = 1_790_000_000_000;

/// What a machine's monotonic clock showed then.
const MONOTONIC_MS: u64 = 5_000_000;

/// A machine, and what runs on it.
pub struct Machine {
    /// The node's name.
    pub name: NodeName,
    /// Where its gossip listens.
    pub address: SocketAddr,
    /// Its disk.
    pub disk: SimDisk,
    /// What its clock of the day is off by.
    pub skew_ms: i64,
    /// What its monotonic clock is too fast by, in millionths.
    pub drift_ppm: i64,
    /// How long a sync takes, at least and below.
    pub sync_ms: (u64, u64),
    /// It stands still until then.
    pub paused_until_ms: u64,
    /// Whether a process of it was one of the cluster.
    pub has_met: bool,
    /// It was told to leave.
    pub is_leaving: bool,
    /// It has left for good.
    pub is_gone: bool,
    /// What runs on it.
    pub process: Option<Process>,
}

impl Machine {
    /// A new machine with an empty disk.
    pub fn new(name: NodeName, address: SocketAddr, drift_ppm: i64) -> Self {
        Self {
            name,
            address,
            disk: SimDisk::new(),
            skew_ms: 0,
            drift_ppm,
            sync_ms: (1, 5),
            paused_until_ms: 0,
            has_met: false,
            is_leaving: false,
            is_gone: false,
            process: None,
        }
    }

    /// What its clocks show.
    pub fn clocks(&self, now_ms: u64) -> Now {
        Now {
            monotonic_ms: self.monotonic(now_ms),
            unix_ms: (UNIX_MS + now_ms).saturating_add_signed(self.skew_ms),
        }
    }

    fn monotonic(&self, now_ms: u64) -> u64 {
        MONOTONIC_MS + now_ms.saturating_add_signed(now_ms as i64 * self.drift_ppm / 1_000_000)
    }

    /// The first moment of the world at which its monotonic clock shows so much.
    pub fn moment_of(&self, monotonic_ms: u64) -> u64 {
        let passed = monotonic_ms.saturating_sub(MONOTONIC_MS);
        let about = passed as i64 - passed as i64 * self.drift_ppm / 1_000_000 - 2;
        let mut at_ms = about.max(0) as u64;
        while self.monotonic(at_ms) < monotonic_ms {
            at_ms += 1;
        }
        at_ms
    }
}

/// The gossip address of a machine.
pub fn address(machine: MachineId) -> SocketAddr {
    SocketAddr::from(([10, 0, (machine / 250) as u8, (machine % 250) as u8 + 1], 7946))
}

/// Which machine listens at an address.
pub fn machine_at(address: SocketAddr) -> Option<MachineId> {
    let SocketAddr::V4(address) = address else { return None };
    let [_, _, high, low] = address.ip().octets();
    Some(usize::from(high) * 250 + usize::from(low).checked_sub(1)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_clocks_go_both_ways() {
        for machine in [0, 1, 249, 250, 1000] {
            assert_eq!(machine_at(address(machine)), Some(machine));
        }
        for drift_ppm in [-100, 0, 37, 100] {
            let machine = Machine::new(NodeName::new("n").unwrap(), address(0), drift_ppm);
            for now_ms in [0, 1, 999, 12_345_678] {
                let shown = machine.clocks(now_ms).monotonic_ms;
                let back = machine.moment_of(shown);
                assert!(back <= now_ms && machine.clocks(back).monotonic_ms == shown, "{drift_ppm} {now_ms}");
            }
        }
    }
}
