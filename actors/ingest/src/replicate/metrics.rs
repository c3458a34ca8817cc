//! What replication counts.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::metrics::Reason;

/// Counters of what goes to owners elsewhere. All are 0 without a cluster.
#[derive(Debug)]
#[allow(missing_docs)] // each field's meaning is its registered help text below
pub struct ReplicateMetrics {
    pub refused: Family<Reason, Counter>,
    pub stand_in_spans: Counter,
    pub copies_missing: Counter,
    pub seconds: Histogram,
    pub repair_rounds: Counter,
    pub repairs_failed: Counter,
    pub traces_compared: Counter,
    pub traces_differing: Counter,
    pub spans_fetched: Counter,
    pub spans_handed_over: Counter,
    pub bytes_compared: Counter,
}

impl Default for ReplicateMetrics {
    fn default() -> Self {
        Self {
            refused: Family::default(),
            stand_in_spans: Counter::default(),
            copies_missing: Counter::default(),
            // 0.1 ms to 26 s.
            seconds: Histogram::new(exponential_buckets(0.000_1, 4.0, 10)),
            repair_rounds: Counter::default(),
            repairs_failed: Counter::default(),
            traces_compared: Counter::default(),
            traces_differing: Counter::default(),
            spans_fetched: Counter::default(),
            spans_handed_over: Counter::default(),
            bytes_compared: Counter::default(),
        }
    }
}

impl ReplicateMetrics {
    /// Names them in a registry.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "replication_refused",
            "requests not kept by a majority of their owners, and shares that a node was too slow for, by reason",
            self.refused.clone(),
        );
        registry.register(
            "replication_stand_in_spans",
            "spans kept by a node in place of an owner that refused them or was slow",
            self.stand_in_spans.clone(),
        );
        registry.register(
            "replication_copies_missing",
            "parts of traces (the spans of one in one request) of which a copy is kept neither by an owner nor by another \
             node in its place",
            self.copies_missing.clone(),
        );
        registry.register(
            "replication_seconds",
            "time until a majority of the owners has kept a request",
            self.seconds.clone(),
        );
        self.register_repair(registry);
    }

    fn register_repair(&self, registry: &mut Registry) {
        for (name, help, counter) in [
            ("repair_rounds", "rounds in which this node looked what it lacks", &self.repair_rounds),
            (
                "repair_failures",
                "nodes that could not be compared with in such a round",
                &self.repairs_failed,
            ),
            (
                "repair_compared_traces",
                "traces of other nodes that were compared with this one's",
                &self.traces_compared,
            ),
            (
                "repair_differing_traces",
                "of those, the ones whose spans were looked at",
                &self.traces_differing,
            ),
            (
                "repair_fetched_spans",
                "spans that this node owned and lacked, fetched from others",
                &self.spans_fetched,
            ),
            (
                "repair_handed_over_spans",
                "spans that others lacked, given to them when this node left",
                &self.spans_handed_over,
            ),
            (
                "repair_bytes",
                "bytes of other nodes' lists and copies, and of what was given to them",
                &self.bytes_compared,
            ),
        ] {
            registry.register(name, help, counter.clone());
        }
    }

    /// Counts what was refused.
    pub fn refused(&self, reason: &'static str) {
        self.refused.get_or_create(&Reason { reason }).inc();
    }
}
