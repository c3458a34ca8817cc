//! What is counted of the cluster, as metrics of the moment: read from the snapshot, not kept twice.

use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use spanloom_swim::DropReason;

use super::page::Snapshot;

/// Puts them into a registry.
pub(super) fn put(snapshot: &Snapshot, registry: &mut Registry) {
    let counters = &snapshot.counters;
    for (name, help, value) in [
        ("gossip_sent_datagrams", "datagrams of gossip sent", counters.sent),
        ("gossip_sent_bytes", "bytes of gossip sent, without headers", counters.sent_bytes),
        (
            "gossip_unsent_datagrams",
            "datagrams of gossip that the kernel did not take",
            snapshot.flight.unsent,
        ),
        ("gossip_received_datagrams", "datagrams of gossip that came", counters.received),
        ("gossip_received_bytes", "bytes of gossip that came, without headers", counters.received_bytes),
        ("gossip_states_merged", "states of other nodes that were merged", counters.merged),
        ("gossip_states_exchanged", "states exchanged at this node's wish", snapshot.flight.exchanged),
        ("gossip_exchanges_failed", "exchanges of state that failed", snapshot.flight.failed),
        ("gossip_stalls", "how often the process was found to have stood still", counters.stalls),
        ("ring_changes", "how often the ring changed", snapshot.changes),
    ] {
        registry.register(name, help, ConstCounter::new(value));
    }
    for reason in DropReason::ALL {
        let of = registry.sub_registry_with_label(("reason".into(), reason.as_str().into()));
        let help = "datagrams of gossip that were dropped";
        of.register("gossip_dropped", help, ConstCounter::new(counters.dropped(reason)));
    }
    for (status, count) in snapshot.by_status() {
        let of = registry.sub_registry_with_label(("status".into(), status.into()));
        of.register("cluster_members", "nodes that are known, by status", ConstGauge::new(count as i64));
    }
}
