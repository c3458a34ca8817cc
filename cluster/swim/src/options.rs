//! How membership behaves: two presets, and what each knob breaks when it is turned too far.

use std::num::{NonZeroU8, NonZeroUsize};
use std::time::Duration;

use foca::PeriodicParams;

use crate::frame::GOSSIP_HEADER_MAX;
use crate::seal::{Key, PLAIN_BYTES, SEALED_BYTES};
use crate::{Error, codec};

/// How datagrams are protected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seal {
    /// Not at all: whoever reaches the port is believed. The label still keeps clusters apart.
    Off,
    /// By shared keys, of which the first seals and all open. To change keys without a gap: add the new one last
    /// everywhere, then put it first everywhere, then take the old one away.
    Keys(Vec<Key>),
}

/// What can be chosen. All times are in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Name of the cluster; nodes of another one are not let in. At most 255 bytes.
    pub label: String,
    /// Protection of datagrams.
    pub seal: Seal,
    /// Longest datagram, envelope included, that is sent or read, in bytes. 1400 pass every network that is not
    /// tunnelled twice; a longer one may be cut into fragments, of which none may be lost. At least 1200.
    pub max_packet: usize,
    /// How far two nodes' clocks may be apart, with the time on the way, for the seal. Short: nodes with bad clocks
    /// cannot join. Long: see what a replay can do, in `seal`.
    pub max_skew_ms: u64,
    /// Nodes that are expected; more are fine. Updates are sent on by each node about 8 log10 of it times.
    pub expected_nodes: usize,
    /// Most members, down ones included; the datagrams that bring more are dropped.
    pub max_members: usize,
    /// A node probes one other, the next of a shuffled round, this often. Halving it halves the time to detect a
    /// failure and doubles the traffic at rest.
    pub probe_period_ms: u64,
    /// How long to wait for the answer before asking others to try: above the 99th percentile of round trips, and at
    /// most 40 % of the period, since others need as long.
    pub probe_rtt_ms: u64,
    /// How many others are asked to try.
    pub indirect_probes: usize,
    /// How long a suspected node has to speak up. Short: nodes that pause or lose packets are declared down. Long:
    /// failures are noticed late. It must give gossip time to reach the suspect and to return.
    pub suspicion_ms: u64,
    /// Updates that wait are sent this often ...
    pub gossip_every_ms: u64,
    /// ... to so many.
    pub gossip_fanout: usize,
    /// A random member is asked for the members this often.
    pub announce_every_ms: u64,
    /// Two of the members that are down are tried this often: it heals partitions.
    pub announce_to_down_every_ms: u64,
    /// The node's own record is sent again this often, for those that missed it.
    pub record_every_ms: u64,
    /// Full state is exchanged with a random member this often.
    pub push_pull_every_ms: u64,
    /// A node without members tries its seeds this often, at first more often.
    pub join_every_ms: u64,
    /// Seeds are tried this often although there are members: it heals what everybody has forgotten.
    pub rejoin_every_ms: u64,
    /// How long a member that has left or was removed is remembered; one that is down is, until it is removed.
    pub forget_down_ms: u64,
    /// A timer that fires so much too late tells that this process stood still: the time does not count, so that a
    /// node that was paused does not suspect all others.
    pub stall_ms: u64,
}

impl Options {
    /// Nodes of one region: round trips of some milliseconds, below 100 ms when a node is busy.
    ///
    /// A crash is known everywhere within 5 s: it is probed within 2.3 s (of many nodes all but once in 10,000 times:
    /// e^-9.2, since each of 9.2 periods passes it by with a chance of 1/e), found silent 0.25 s later, suspected for
    /// 1.6 s, and told to all within 0.8 s.
    pub fn lan(expected_nodes: usize) -> Self {
        Self {
            label: String::new(),
            seal: Seal::Off,
            max_packet: 1400,
            max_skew_ms: 60_000,
            expected_nodes,
            max_members: 4096,
            probe_period_ms: 250,
            probe_rtt_ms: 100,
            indirect_probes: 3,
            suspicion_ms: 1600,
            gossip_every_ms: 200,
            gossip_fanout: 3,
            announce_every_ms: 30_000,
            announce_to_down_every_ms: 10_000,
            record_every_ms: 10_000,
            push_pull_every_ms: 30_000,
            join_every_ms: 5_000,
            rejoin_every_ms: 60_000,
            forget_down_ms: 24 * 3_600_000,
            stall_ms: 1_000,
        }
    }

    /// Nodes of several regions: round trips below 800 ms, some loss. A crash is known within 25 s, by the
    /// same reckoning all but once in 250 times.
    pub fn wan(expected_nodes: usize) -> Self {
        Self {
            probe_period_ms: 2_000,
            probe_rtt_ms: 800,
            suspicion_ms: 10_000,
            gossip_every_ms: 500,
            gossip_fanout: 4,
            announce_every_ms: 60_000,
            announce_to_down_every_ms: 30_000,
            record_every_ms: 20_000,
            push_pull_every_ms: 60_000,
            join_every_ms: 10_000,
            rejoin_every_ms: 120_000,
            stall_ms: 5_000,
            ..Self::lan(expected_nodes)
        }
    }

    /// Whether the knobs fit together.
    pub fn check(&self) -> Result<(), Error> {
        let periods = [
            self.probe_rtt_ms,
            self.suspicion_ms,
            self.gossip_every_ms,
            self.announce_every_ms,
            self.announce_to_down_every_ms,
            self.record_every_ms,
            self.push_pull_every_ms,
            self.join_every_ms,
            self.rejoin_every_ms,
            self.forget_down_ms,
            self.stall_ms,
        ];
        let wrong = |text| Err(Error::Options(text));
        match self {
            _ if self.label.len() > 255 => wrong("`label` is longer than 255 bytes"),
            _ if self.seal == Seal::Keys(Vec::new()) => wrong("`seal` has no key, expected at least one"),
            _ if !(1200..=65_507).contains(&self.max_packet) => wrong("`max_packet` is not in 1200..=65507"),
            _ if periods.contains(&0) => wrong("with a time of 0, expected at least 1 ms"),
            _ if self.probe_period_ms < 2 * self.probe_rtt_ms => {
                wrong("`probe_period` is less than twice `probe_rtt`, which an indirect probe takes")
            }
            _ if self.indirect_probes == 0 || self.gossip_fanout == 0 => {
                wrong("`indirect_probes` or `gossip_fanout` is 0")
            }
            _ if self.max_members < 2 => wrong("`max_members` is less than 2"),
            _ => Ok(()),
        }
    }

    /// Bytes of a datagram that are left to foca.
    pub(crate) fn foca_packet(&self) -> usize {
        let envelope = if self.seal == Seal::Off { PLAIN_BYTES } else { SEALED_BYTES };
        self.max_packet.saturating_sub(envelope + GOSSIP_HEADER_MAX)
    }

    /// Longest record that is sent in a datagram: one that has room beside the longest header and some updates.
    pub(crate) fn record_max(&self) -> usize {
        self.foca_packet().saturating_sub(codec::HEADER_MAX + 4)
    }

    /// How often each node sends one update on, with so many members.
    pub(crate) fn transmissions(&self, members: usize) -> NonZeroU8 {
        // 8 log10(n + 1), rounded up. With 4, as memberlist has it, each node misses an update with a chance of
        // e^-6 among 24 nodes, so that every twentieth is missed by some, which find out by themselves seconds later.
        let nodes = self.expected_nodes.max(members).saturating_add(1);
        let times = (nodes.ilog2() + 1) * 12 / 5;
        NonZeroU8::new(times.clamp(4, 60) as u8).unwrap_or(NonZeroU8::MIN)
    }

    /// What foca is told.
    pub(crate) fn foca(&self, members: usize) -> foca::Config {
        let count = |wanted: usize| NonZeroUsize::new(wanted).unwrap_or(NonZeroUsize::MIN);
        let every = |ms: u64, members: usize| {
            Some(PeriodicParams { frequency: Duration::from_millis(ms), num_members: count(members) })
        };
        foca::Config {
            probe_period: Duration::from_millis(self.probe_period_ms),
            probe_rtt: Duration::from_millis(self.probe_rtt_ms),
            num_indirect_probes: count(self.indirect_probes),
            max_transmissions: self.transmissions(members),
            suspect_to_down_after: Duration::from_millis(self.suspicion_ms),
            remove_down_after: Some(Duration::from_millis(self.forget_down_ms)),
            max_packet_size: count(self.foca_packet()),
            notify_down_members: true,
            periodic_announce: every(self.announce_every_ms, 1),
            periodic_announce_to_down_members: every(self.announce_to_down_every_ms, 2),
            periodic_gossip: every(self.gossip_every_ms, self.gossip_fanout),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_fit_and_contradictions_are_told() {
        for nodes in [0, 1, 3, 64, 4096, usize::MAX] {
            assert_eq!(Options::lan(nodes).check(), Ok(()));
            assert_eq!(Options::wan(nodes).check(), Ok(()));
        }
        let check = |change: fn(&mut Options), expected: &str| {
            let mut options = Options::lan(3);
            change(&mut options);
            assert_eq!(options.check().unwrap_err().to_string(), expected);
        };
        check(|o| o.seal = Seal::Keys(vec![]), "the gossip option `seal` has no key, expected at least one");
        check(|o| o.max_packet = 500, "the gossip option `max_packet` is not in 1200..=65507");
        check(|o| o.suspicion_ms = 0, "the gossip option with a time of 0, expected at least 1 ms");
        check(
            |o| o.probe_rtt_ms = 200,
            "the gossip option `probe_period` is less than twice `probe_rtt`, which an indirect probe takes",
        );
    }

    #[test]
    fn updates_are_sent_on_with_the_logarithm_of_the_nodes() {
        let check = |nodes: usize, expected: u8| {
            assert_eq!(Options::lan(3).transmissions(nodes).get(), expected, "{nodes}");
        };
        check(1, 7);
        check(16, 12);
        check(64, 16);
        check(1000, 24);
        check(usize::MAX, 60);
    }

    #[test]
    fn a_record_of_128_tokens_has_room() {
        let sealed = Options { seal: Seal::Keys(vec![Key::new(&[1; 32]).unwrap()]), ..Options::lan(3) };
        assert!(sealed.record_max() > 5 * 128 + 200, "{}", sealed.record_max());
    }
}
